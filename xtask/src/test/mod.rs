//! `cargo xtask test`: everything that decides whether corm is good, in the order
//! in which it fails fastest. `.ci/run` is this and nothing else.
//!
//! A failed step does not stop the next ones, for one run should tell all; only
//! boots are left out when the binary they need does not link.

mod tally;

use crate::setup;
use anyhow::{Context, Result};
use clap::Args;
use corm_qemu::{Arch, Board, command, device, directories, say};
use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;
use tally::{Step, Tally, Verdict};

/// Run all tests: format, lints, host tests, release links, boots on every board.
///
/// The last line is "N passed, N failed", counting the tests and what failed
/// without being one.
#[derive(Args)]
pub struct Test {
    /// Boot on this board only; on all of them if not given
    #[arg(long, value_name = "BOARD")]
    board: Option<String>,
    /// Only tests whose names contain this, and no lints or links
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
}

impl Test {
    pub fn run(self) -> Result<ExitCode> {
        let boards = setup::boards(self.board.as_deref())?;
        setup::everything(&boards)?;
        let filter = self.filter.as_deref();
        let mut steps = Vec::new();
        if filter.is_none() {
            steps.push(checked("format", cargo(&["fmt", "--all", "--check"])));
            steps.push(checked(
                "lints",
                cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
            ));
            steps.push(device_lints());
        }
        steps.push(tested("host tests", cargo(&HOST_TESTS), filter));
        let links = if filter.is_none() { links(&mut steps) } else { true };
        for board in &boards {
            steps.extend(boots(board, filter, links));
        }
        print!("\n{}", tally::table(&steps));
        let total = Tally::of(&steps);
        println!("{total}");
        Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

const HOST_TESTS: [&str; 9] =
    ["test", "--package", "corm", "--package", "corm-qemu", "--package", "xtask", "--lib", "--bins"];

/// What only exists for the device: `_start`, the panic handler.
fn device_lints() -> Step {
    let triple = Arch::X86_64.triple();
    if corm_qemu::toolchain::find(Arch::X86_64).ok() != Some(corm_qemu::toolchain::Toolchain::Ready) {
        return Step::skipped("lints, device", format!("clippy has no libraries for {triple}"));
    }
    checked(
        "lints, device",
        cargo(&[
            "clippy",
            "--package",
            "corm",
            "--lib",
            "--bins",
            "--target",
            triple,
            "--",
            "-D",
            "warnings",
        ]),
    )
}

/// The release binary for each architecture: if it links, nothing in it panics.
fn links(steps: &mut Vec<Step>) -> bool {
    let mut all = true;
    for arch in Arch::ALL {
        let begun = Instant::now();
        let result = device::release(arch);
        if let Err(error) = &result {
            say::error(format!("{error:#}"));
        }
        all &= result.is_ok();
        steps.push(Step::new(format!("link {arch}"), Verdict::from(result.is_ok()), begun.elapsed()));
    }
    all
}

/// First the harness itself, then corm.
fn boots(board: &Board, filter: Option<&str>, links: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    let on_board = |mut command: Command| {
        command.env("CORM_BOARD", &board.name);
        command
    };
    let plumbing = cargo(&["test", "--package", "corm-qemu", "--test", "plumbing"]);
    steps.push(tested(&format!("plumbing {}", board.name), on_board(plumbing), filter));
    if directories::repository().join("tests/Cargo.toml").exists() {
        let name = format!("boot {}", board.name);
        steps.push(if links {
            tested(&name, on_board(cargo(&["test", "--package", "corm-tests"])), filter)
        } else {
            Step::skipped(&name, "corm does not link".to_owned())
        });
    }
    steps
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(directories::repository());
    command
}

/// A step that is right or wrong as a whole.
fn checked(name: &str, mut command: Command) -> Step {
    announce(name, &command);
    let begun = Instant::now();
    let result = command::run(&mut command);
    if let Err(error) = &result {
        say::error(format!("{error:#}"));
    }
    Step::new(name.to_owned(), Verdict::from(result.is_ok()), begun.elapsed())
}

/// A `cargo test`: shown as it runs, and counted.
fn tested(name: &str, mut command: Command, filter: Option<&str>) -> Step {
    if std::io::stdout().is_terminal() {
        command.arg("--color=always");
    }
    command.arg("--no-fail-fast");
    if let Some(filter) = filter {
        command.arg("--").arg(filter);
    }
    announce(name, &command);
    let begun = Instant::now();
    let mut step = match count(&mut command) {
        Ok((success, tally)) => {
            Step { tally, ..Step::new(name.to_owned(), Verdict::from(success), begun.elapsed()) }
        }
        Err(error) => {
            say::error(format!("{error:#}"));
            Step::new(name.to_owned(), Verdict::Failed, begun.elapsed())
        }
    };
    step.time = begun.elapsed();
    step
}

fn count(command: &mut Command) -> Result<(bool, Tally)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not run `{}`", command::shown(command)))?;
    let mut tally = Tally::default();
    for line in BufReader::new(child.stdout.take().context("no stdout")?).lines() {
        // Tests may print what is no text; the count is in lines that are.
        let Ok(line) = line else { continue };
        println!("{line}");
        tally.add_line(&line);
    }
    Ok((child.wait().context("could not wait for cargo")?.success(), tally))
}

fn announce(name: &str, command: &Command) {
    say::doing("Testing", format!("{name} ({})", command::shown(command)));
}
