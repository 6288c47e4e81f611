//! `cargo xtask`: every task of this repository, one file each.
//!
//! What they have in common (building, images, machines) is the crate
//! `corm-qemu`; a task here says what is wanted, in which order, and shows it.

mod bench;
mod build;
mod common;
mod elf;
mod exec;
mod fuzz;
mod image;
mod inits;
mod manual;
mod panics;
mod run;
mod setup;
mod size;
mod terminal;
mod test;

use clap::Parser;
use corm_qemu::say;
use std::process::ExitCode;

/// corm's tasks. The first time, they install what they need and say so.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, disable_help_subcommand = true)]
#[command(after_help = "\
Boards are the folders under board/: qemu-x86_64 (default), qemu-microvm, qemu-aarch64, qemu-armv7.
KERNEL=FILE and MODULES=DIR in the environment boot another kernel,
BUSYBOX=FILE another busybox, INIT=FILE another init.
What is downloaded is kept in $XDG_CACHE_HOME/corm, else ~/.cache/corm.")]
enum Task {
    Run(run::Run),
    Exec(exec::Exec),
    Image(image::Image),
    Build(build::Build),
    Test(test::Test),
    Size(size::Size),
    Panics(panics::Panics),
    Bench(bench::Bench),
    Fuzz(fuzz::Fuzz),
    Inits(inits::Inits),
    Manual(manual::Manual),
    Setup(setup::Setup),
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Run(task) => task.run(),
        Task::Exec(task) => task.run(),
        Task::Image(task) => task.run(),
        Task::Build(task) => task.run(),
        Task::Test(task) => task.run(),
        Task::Size(task) => task.run(),
        Task::Panics(task) => task.run(),
        Task::Bench(task) => task.run(),
        Task::Fuzz(task) => task.run(),
        Task::Inits(task) => task.run(),
        Task::Manual(task) => task.run(),
        Task::Setup(task) => task.run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say::error(format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
