//! `cargo xtask test`: everything that has to hold, in the order of its cost.
//!
//! Formatting and lints, host tests, the three release links (each is the proof
//! that nothing can panic), then real boots on each board. The first step that
//! fails does not stop the others: a person wants to see all of it once. The last
//! line adds up what cargo's test harnesses counted, and the steps without one.

use anyhow::{Context, Result};
use clap::Args;
use corm_qemu::{Arch, Board, board, device, say};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Run every check: format, lints, host tests, release links, boots on all boards
#[derive(Args)]
pub struct Test {
    /// Boot only on this board [default: on all of them]
    #[arg(long, value_name = "BOARD")]
    board: Option<String>,

    /// Only tests whose name contains this, and no other checks
    filter: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

struct Step {
    name: String,
    count: Count,
    seconds: u64,
}

impl Test {
    pub fn run(self) -> Result<ExitCode> {
        let boards = match &self.board {
            Some(name) => vec![Board::load(name)?],
            None => Board::all()?,
        };
        let mut steps = Steps::default();
        if self.filter.is_none() {
            have_components()?;
            steps.check("format", || cargo(&["fmt", "--all", "--check"]));
            steps.check("lints", || {
                cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])
            });
        }
        steps.tests(
            "host tests",
            &["--workspace", "--exclude", "corm-tests"],
            None,
            self.filter.as_deref(),
        )?;
        if self.filter.is_none() {
            for arch in Arch::ALL {
                steps.check(&format!("release link, {arch}"), || device::release(arch).map(|_| true));
            }
        }
        for board in boards {
            let name = format!("boots, {}", board.name);
            steps.tests(&name, &["--package", "corm-tests"], Some(&board.name), self.filter.as_deref())?;
        }
        Ok(steps.summary())
    }
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    /// A step that holds or does not.
    fn check(&mut self, name: &str, run: impl FnOnce() -> Result<bool>) {
        say::doing("Checking", name);
        let start = Instant::now();
        let holds = run().unwrap_or_else(|error| {
            say::error(format!("{name}: {error:#}"));
            false
        });
        let count = if holds {
            Count { passed: 1, ..Count::default() }
        } else {
            Count { failed: 1, ..Count::default() }
        };
        self.0.push(Step { name: name.to_owned(), count, seconds: start.elapsed().as_secs() });
    }

    /// A step of `cargo test`, whose harnesses count.
    fn tests(&mut self, name: &str, what: &[&str], board: Option<&str>, filter: Option<&str>) -> Result<()> {
        say::doing("Testing", name);
        let start = Instant::now();
        let mut command = Command::new(env("CARGO", "cargo"));
        command.args(["test", "--no-fail-fast"]).args(what);
        command.args(filter);
        command
            .env("CORM_BOARD", board.unwrap_or(board::DEFAULT))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("could not run cargo test")?;
        let mut count = Count::default();
        let stdout = child.stdout.take().context("cargo test has no output")?;
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("could not read what cargo test says")?;
            std::io::stdout().write_all(&line)?;
            println!();
            count.add(&String::from_utf8_lossy(&line));
        }
        let status = child.wait().context("could not wait for cargo test")?;
        if !status.success() && count.failed == 0 {
            // It did not build, or a harness died before it counted.
            count.failed = 1;
        }
        self.0.push(Step { name: name.to_owned(), count, seconds: start.elapsed().as_secs() });
        Ok(())
    }

    fn summary(&self) -> ExitCode {
        let width = self.0.iter().map(|step| step.name.len()).max().unwrap_or(0);
        println!("\n{:width$}  passed  failed  skipped  seconds", "");
        let mut total = Count::default();
        for Step { name, count, seconds } in &self.0 {
            println!(
                "{name:width$}  {:6}  {:6}  {:7}  {seconds:7}",
                count.passed, count.failed, count.skipped
            );
            total.passed += count.passed;
            total.failed += count.failed;
            total.skipped += count.skipped;
        }
        println!("\n{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
        if total.failed == 0 && total.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl Count {
    /// Adds a harness's closing line: `test result: ok. 3 passed; 0 failed; 1 ignored; …`
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

fn cargo(arguments: &[&str]) -> Result<bool> {
    let status = Command::new(env("CARGO", "cargo")).args(arguments).stdin(Stdio::null()).status();
    Ok(status.with_context(|| format!("could not run cargo {}", arguments.join(" ")))?.success())
}

fn env(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// rustup's minimal profile comes without these.
fn have_components() -> Result<()> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let found = Command::new(env("CARGO", "cargo")).args([tool, "--version"]).output();
        if found.is_ok_and(|output| output.status.success()) {
            continue;
        }
        say::doing("Installing", format!("{component} (rustup component add {component})"));
        let added = Command::new("rustup").args(["component", "add", component]).status();
        let added =
            added.with_context(|| format!("cargo {tool} is missing, and so is rustup to install it"))?;
        anyhow::ensure!(added.success(), "cargo {tool} is missing: run `rustup component add {component}`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harnesses_closing_lines_are_added_up() {
        let mut count = Count::default();
        count.add("running 4 tests");
        count.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.12s",
        );
        count.add("test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(count, Count { passed: 5, failed: 5, skipped: 1 });
    }
}
