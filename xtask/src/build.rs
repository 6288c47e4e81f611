//! `cargo xtask build`: the binary that goes on devices.

use anyhow::{Context, Result};
use clap::Args;
use corm_qemu::{Arch, device, toolchain};
use std::process::ExitCode;

/// Build the corm binary (target/TRIPLE/release/corm), for all architectures or some.
#[derive(Args)]
pub struct Build {
    /// x86_64, aarch64 or armv7; all three if not given
    #[arg(long, value_name = "ARCH")]
    arch: Vec<Arch>,
}

impl Build {
    pub fn run(self) -> Result<ExitCode> {
        toolchain::require_rust()?;
        let wanted = if self.arch.is_empty() { Arch::ALL.to_vec() } else { self.arch };
        for arch in wanted {
            let path = device::release(arch)?;
            let size = path.metadata().with_context(|| format!("no {}", path.display()))?.len();
            println!("{size:>8} bytes  {}", path.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
