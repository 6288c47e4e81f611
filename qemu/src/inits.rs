//! Debian's tini, dumb-init and catatonit: what `corm init` is compared with.

use crate::{Arch, apt, directories};
use anyhow::Result;
use std::path::PathBuf;

const PACKAGES: [&str; 3] = ["tini", "dumb-init", "catatonit"];

/// The directory with `tini`, `tini-static`, `dumb-init` and `catatonit`.
pub fn directory(arch: Arch) -> Result<PathBuf> {
    let root = directories::cached(&format!("inits/{}", arch.debian()), |into| {
        PACKAGES.iter().try_for_each(|package| apt::unpack(package, arch, into))
    })?;
    Ok(root.join("usr/bin"))
}

/// The source of one of them, as its own project has released it: with its tests.
pub fn source(package: &str, arch: Arch) -> Result<PathBuf> {
    directories::cached(&format!("inits/source/{package}"), |into| apt::source(package, arch, into))
}
