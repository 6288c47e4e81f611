//! `cargo xtask bench`: figures, which are looked at and never pass or fail.

mod boot;
mod calls;
mod init;
mod rounds;
mod spawn;
mod table;

use crate::common::{self, BoardArg};
use anyhow::Result;
use clap::{Args, Subcommand};
use std::process::ExitCode;
use std::time::Duration;

/// Measure corm: in QEMU, and on this computer
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
    /// `corm init` against tini, dumb-init and catatonit: start-up, memory, wake-ups
    Init {
        /// How often each is started
        #[arg(long, default_value_t = 300)]
        rounds: usize,
        /// How long they are watched asleep
        #[arg(long, default_value = "5s", value_parser = common::duration)]
        watch: Duration,
        /// At real-time priority: for a computer that is busy
        #[arg(long)]
        fifo: bool,
        /// One JSON value instead of a table
        #[arg(long)]
        json: bool,
    },
    /// `corm run` against a floor, bwrap, crun, runc and systemd-nspawn
    Spawn {
        /// How often each is started
        #[arg(long, default_value_t = 100)]
        rounds: usize,
        /// At real-time priority: for a computer that is busy
        #[arg(long)]
        fifo: bool,
        /// One JSON value instead of a table
        #[arg(long)]
        json: bool,
    },
}

impl Bench {
    pub fn run(self) -> Result<ExitCode> {
        match self.scenario {
            Scenario::Boot { board, runs, json } => boot::run(&board.load()?, runs, json)?,
            Scenario::Init { rounds, watch, fifo, json } => init::run(rounds.max(1), watch, fifo, json)?,
            Scenario::Spawn { rounds, fifo, json } => spawn::run(rounds.max(1), fifo, json)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
