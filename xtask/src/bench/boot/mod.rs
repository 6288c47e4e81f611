//! `cargo xtask bench boot`: how long corm takes to its first workload, how much
//! memory PID 1 is, how long the end takes.
//!
//! Times are the kernel log's own, in a QEMU that counts instructions instead of
//! time (`-icount shift=0,sleep=off`, one instruction a nanosecond, one CPU). They
//! are not what a device would show, but they are the same to about a percent on
//! every computer, however busy, and that is what a comparison needs. What corm
//! is compared with, the floor and busybox init, is measured in the same way, in
//! the same run; figures of earlier runs are never mixed in.
//!
//! This is a benchmark, not a test: a missed aim is shown, and fails nothing.

mod guests;
mod measure;
mod report;

use anyhow::Result;
use corm_qemu::{Board, say};
use measure::Measured;
use report::Figure;

/// At most this many times the floor.
const BOOT_AIM: f64 = 2.0;
/// kB of PSS, with the demo and with [`guests::MANY`] workloads.
const DEMO_MEMORY_AIM: f64 = 128.0;
const MANY_MEMORY_AIM: f64 = 160.0;
/// Milliseconds until the kernel powers down.
const POWEROFF_AIM: f64 = 50.0;

/// All figures for one board: a table, or one JSON value, on stdout.
pub fn run(board: &Board, runs: usize, json: bool) -> Result<()> {
    let runs = runs.max(1);
    let mut figures = Vec::new();
    let mut floor = None;
    for init in guests::Init::ALL {
        say::doing("Booting", format!("{} on {}, {runs} times", init.name(), board.name));
        let image = guests::boot(board, init)?.build()?;
        let measured = Measured::repeat(runs, || measure::first_line(&image))?;
        let ratio = floor.map(|floor: f64| measured.median() / floor);
        floor = floor.or(Some(measured.median()));
        let aim = (init == guests::Init::Corm).then_some(BOOT_AIM);
        figures.push(Figure::time(format!("boot, {}", init.name()), measured).ratio(ratio, aim));
    }
    for (name, image, aim) in [
        ("PID 1's PSS, the demo", guests::demo_memory(board)?, DEMO_MEMORY_AIM),
        ("PID 1's PSS, 32 workloads", guests::many_memory(board)?, MANY_MEMORY_AIM),
    ] {
        say::doing("Measuring", format!("{name}, on {}", board.name));
        let image = image.build()?;
        figures.push(Figure::memory(name, Measured::repeat(1, || measure::memory(&image))?).aim(aim));
    }
    for (name, deaf, aim) in [
        ("poweroff, 32 workloads", false, POWEROFF_AIM),
        ("poweroff, one ignores SIGTERM for 1 s", true, guests::DEAF_TIMEOUT_MS + POWEROFF_AIM),
    ] {
        say::doing("Measuring", format!("{name}, on {}, {runs} times", board.name));
        let image = guests::poweroff(board, deaf)?.build()?;
        let asked = guests::MANY - usize::from(deaf);
        let measured = Measured::repeat(runs, || measure::poweroff(&image, asked))?;
        figures.push(Figure::time(name, measured).aim(aim));
    }
    if json {
        report::json(board, &figures)
    } else {
        report::table(board, &figures)
    }
    Ok(())
}
