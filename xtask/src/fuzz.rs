//! `cargo xtask fuzz`: the fuzz targets, each for a while.
//!
//! A fuzzer needs a nightly compiler and cargo-fuzz, which nothing else here does: so they are
//! installed only for this task. What is found new is kept in fuzz/corpus, which is nobody's
//! but this computer's; an input that fails lies in fuzz/artifacts, with the command that runs
//! it again.

use crate::common::duration;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use corm_qemu::{command, directories, say};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Fuzz what reads input: each target for a while, from the inputs that are known
#[derive(Args)]
pub struct Fuzz {
    /// The targets: files in fuzz/fuzz_targets, without .rs [default: all]
    targets: Vec<String>,

    /// How long each of them runs
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    time: Duration,
}

/// What a target begins with, besides fuzz/seeds/TARGET, if there is such a directory.
const SEEDS: [(&str, &[&str]); 3] = [
    ("config", &["tests/config/good", "tests/config/bad"]),
    ("netlink", &["tests/netlink"]),
    ("seccomp", &["tests/config/good"]),
];

/// Targets that read a config.
const TOML: [&str; 2] = ["config", "seccomp"];

/// The beginning of a disk is the longest of what they read.
const LONGEST: usize = 4200;

impl Fuzz {
    pub fn run(self) -> Result<ExitCode> {
        let root = directories::repository();
        let all = targets(root)?;
        for name in &self.targets {
            ensure!(all.contains(name), "there is no fuzz target {name}: there are {}", all.join(", "));
        }
        require()?;
        let mut found = vec![];
        for name in if self.targets.is_empty() { &all } else { &self.targets } {
            say::doing("Fuzzing", format!("{name}, for {}s", self.time.as_secs()));
            if let Err(error) = command::run(&mut fuzzer(root, name, self.time)?) {
                say::error(format!("{name}: {error:#}"));
                found.push(name.as_str());
            }
        }
        if !found.is_empty() {
            bail!("inputs that fail were found for {}: they are in fuzz/artifacts", found.join(", "));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn targets(root: &Path) -> Result<Vec<String>> {
    let directory = root.join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    let mut names = vec![];
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn require() -> Result<()> {
    let has = |program: &str, words: &[&str]| {
        command::attempt(Command::new(program).args(words)).is_ok_and(|output| output.status.success())
    };
    if !has("rustc", &["+nightly", "--version"]) {
        say::aloud("Installing", "a nightly Rust, to fuzz with (rustup toolchain install nightly)");
        command::run(Command::new("rustup").args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
        ]))?;
    }
    if !has("cargo", &["fuzz", "--version"]) {
        say::aloud("Installing", "cargo-fuzz (cargo install cargo-fuzz)");
        command::run(Command::new("cargo").args(["install", "--quiet", "--locked", "cargo-fuzz"]))?;
    }
    Ok(())
}

fn fuzzer(root: &Path, name: &str, time: Duration) -> Result<Command> {
    let corpus = root.join("fuzz/corpus").join(name);
    std::fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
    let mut inputs = vec![corpus];
    let known = SEEDS.iter().filter(|(target, _)| *target == name);
    inputs.extend(known.flat_map(|(_, seeds)| *seeds).map(|seeds| root.join(seeds)));
    inputs.extend(Some(root.join("fuzz/seeds").join(name)).filter(|seeds| seeds.is_dir()));
    let mut command = Command::new("cargo");
    // Its own target directory is its default: a nightly's files and ours do not mix.
    command.current_dir(root).env_remove("CARGO_TARGET_DIR").args(["+nightly", "fuzz", "run", name]);
    command.args(inputs.iter().map(PathBuf::as_path)).arg("--");
    command.arg(format!("-max_len={LONGEST}")).arg(format!("-max_total_time={}", time.as_secs()));
    if TOML.contains(&name) {
        command.arg("-dict=fuzz/toml.dict");
    }
    Ok(command)
}
