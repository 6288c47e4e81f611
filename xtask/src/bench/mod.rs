//! `cargo xtask bench`: figures, which are looked at and never pass or fail.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Measure corm in QEMU.
#[derive(Args)]
pub struct Bench {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// From the kernel's "Run /init" to a first workload's first line; PID 1's memory; poweroff.
    Boot,
}

impl Bench {
    pub fn run(self) -> Result<ExitCode> {
        match self.scenario {
            Scenario::Boot => bail!("`bench boot` is not written yet"),
        }
    }
}
