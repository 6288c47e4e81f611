//! `cargo xtask bench`: figures, which are looked at and never pass or fail.

mod boot;

use crate::common::BoardArg;
use anyhow::Result;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Measure corm in QEMU
#[derive(Args)]
pub struct Bench {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// From the kernel's "Run /init" to a first workload's first line; PID 1's memory; poweroff
    Boot {
        #[command(flatten)]
        board: BoardArg,
        /// How often each is measured; the median counts
        #[arg(long, default_value_t = 3)]
        runs: usize,
        /// One JSON value instead of a table
        #[arg(long)]
        json: bool,
    },
}

impl Bench {
    pub fn run(self) -> Result<ExitCode> {
        match self.scenario {
            Scenario::Boot { board, runs, json } => boot::run(&board.load()?, runs, json)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
