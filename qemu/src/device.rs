//! The corm binary for an architecture.
//!
//! `target/TRIPLE/release/corm` is what goes on a device: stripped by the linker,
//! so it is the same file whoever builds it. `target/TRIPLE/symbols/corm` is the
//! same code with names and lines, for `cargo xtask size` and `panics`.

use crate::toolchain::{self, Toolchain};
use crate::{Arch, command, directories, say};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;

/// One build at a time in this process, and each only once: cargo would find out
/// that nothing changed, but takes a third of a second for it.
static BUILT: Mutex<BTreeMap<(Arch, &str), PathBuf>> = Mutex::new(BTreeMap::new());

/// The release binary, built if anything changed.
pub fn release(arch: Arch) -> Result<PathBuf> {
    once(arch, "corm", "corm")
}

/// A program of `bench/`: what corm is measured with.
pub fn bench(arch: Arch, program: &'static str) -> Result<PathBuf> {
    once(arch, "corm-bench", program)
}

fn once(arch: Arch, package: &str, program: &'static str) -> Result<PathBuf> {
    let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(path) = built.get(&(arch, program)) {
        return Ok(path.clone());
    }
    let path = build(arch, package, program, "release", &[])?;
    built.insert((arch, program), path.clone());
    Ok(path)
}

/// The same with symbols, and `link` added to the linker's arguments.
pub fn with_symbols(arch: Arch, link: &[&str]) -> Result<PathBuf> {
    build(arch, "corm", "corm", "symbols", link)
}

fn build(arch: Arch, package: &str, program: &str, profile: &str, link: &[&str]) -> Result<PathBuf> {
    let toolchain = toolchain::find(arch)?;
    if let Toolchain::FromSource { rustc: Some(rustc) } = &toolchain {
        say::doing("Building", format!("{program} for {arch} with {} and its `core`", rustc.display()));
    } else {
        say::doing("Building", format!("{program} for {arch}"));
    }
    let mut command = toolchain.cargo("rustc", arch, package, program)?;
    command.args(["--quiet", "--profile", profile]);
    if !link.is_empty() {
        command.arg("--").args(link.iter().map(|argument| format!("-Clink-arg={argument}")));
    }
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("could not run `{}`", command::shown(&command)))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        // The compiler's own words first, unindented and complete.
        eprint!("{messages}");
        if messages.contains("corm_panic_is_reachable") {
            anyhow::bail!(
                "a panic is reachable in the release binary for {arch}: \
                 `cargo xtask panics --arch {arch}` shows where"
            );
        }
        anyhow::bail!("{program} does not build for {arch}");
    }
    if messages.contains("warning:") {
        eprint!("{messages}");
    }
    Ok(directories::target().join(arch.triple()).join(profile).join(program))
}
