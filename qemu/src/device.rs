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
static BUILT: Mutex<BTreeMap<Arch, PathBuf>> = Mutex::new(BTreeMap::new());

/// The release binary, built if anything changed.
pub fn release(arch: Arch) -> Result<PathBuf> {
    let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(path) = built.get(&arch) {
        return Ok(path.clone());
    }
    let path = build(arch, "release", &[])?;
    built.insert(arch, path.clone());
    Ok(path)
}

/// The same with symbols, and `link` added to the linker's arguments.
pub fn with_symbols(arch: Arch, link: &[&str]) -> Result<PathBuf> {
    build(arch, "symbols", link)
}

fn build(arch: Arch, profile: &str, link: &[&str]) -> Result<PathBuf> {
    let toolchain = toolchain::find(arch)?;
    if let Toolchain::FromSource { rustc: Some(rustc) } = &toolchain {
        say::doing("Building", format!("corm for {arch} with {} and its `core`", rustc.display()));
    } else {
        say::doing("Building", format!("corm for {arch}"));
    }
    let mut command = toolchain.cargo("rustc", arch)?;
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
        anyhow::bail!("corm does not build for {arch}");
    }
    if messages.contains("warning:") {
        eprint!("{messages}");
    }
    Ok(directories::target().join(arch.triple()).join(profile).join("corm"))
}
