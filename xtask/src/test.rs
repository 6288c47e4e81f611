pub use placeholder::*;
mod placeholder {
    use anyhow::Result;
    use std::process::ExitCode;
    #[derive(clap::Args)]
    pub struct Test {}
    impl Test {
        pub fn run(self) -> Result<ExitCode> {
            Ok(ExitCode::SUCCESS)
        }
    }
}
