//! A board: one folder under `board/` with a `board.toml` that says what the
//! machine is, how QEMU plays it, and what its kernel needs to see its devices.

use crate::{Arch, Compression, directories};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::PathBuf;

/// The board of a command that names none.
pub const DEFAULT: &str = "qemu-x86_64";

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Board {
    /// The folder's name.
    #[serde(skip)]
    pub name: String,
    /// One line for `--help` and tables.
    pub description: String,
    pub arch: Arch,
    pub machine: Qemu,
    pub kernel: KernelOf,
    #[serde(default)]
    pub image: ImageOf,
}

/// `[machine]`: QEMU's options.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Qemu {
    /// `-machine`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `-cpu` when the processor is emulated.
    pub cpu: String,
    /// `-m`.
    pub memory: String,
    /// `-smp`.
    pub cpus: u32,
    /// What virtio devices are plugged into.
    pub bus: Bus,
    /// The emulated machine has no other clock to measure its TSC with.
    #[serde(default)]
    pub tell_tsc_frequency: bool,
    /// Anything else.
    #[serde(default)]
    pub args: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bus {
    Pci,
    Mmio,
}

impl Bus {
    /// QEMU's name for `virtio-net`, `virtio-blk`, … on this bus.
    pub fn device(self, name: &str) -> String {
        match self {
            Bus::Pci => format!("{name}-pci"),
            Bus::Mmio => format!("{name}-device"),
        }
    }
}

/// `[kernel]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KernelOf {
    /// Debian's metapackage.
    pub package: String,
    pub cmdline: String,
    /// Loaded by PID 1 for this board's devices, with what they need.
    pub modules: Vec<String>,
}

/// `[image]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImageOf {
    /// What `cargo xtask image` compresses with; every one a kernel can unpack.
    #[serde(default)]
    pub compress: Compression,
    /// What ends this machine when it is powered off: `power-off` (default),
    /// `reboot` or `halt`.
    pub poweroff: Option<String>,
}

impl Board {
    pub fn load(name: &str) -> Result<Board> {
        let file = folder().join(name).join("board.toml");
        if name.contains('/') || !file.is_file() {
            bail!("there is no board {name:?}: there are {}", names()?.join(", "));
        }
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        let board: Board =
            toml::from_str(&text).with_context(|| format!("{} is not right", file.display()))?;
        Ok(Board { name: name.to_owned(), ..board })
    }

    /// Every board, the default one first.
    pub fn all() -> Result<Vec<Board>> {
        names()?.iter().map(|name| Board::load(name)).collect()
    }

    /// What `CORM_BOARD` names, else the default: for tests.
    pub fn from_environment() -> Result<Board> {
        Board::load(&std::env::var("CORM_BOARD").unwrap_or_else(|_| DEFAULT.to_owned()))
    }
}

fn folder() -> PathBuf {
    directories::repository().join("board")
}

pub fn names() -> Result<Vec<String>> {
    let folder = folder();
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("could not read {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().join("board.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_by_key(|name| (name != DEFAULT, name.clone()));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_in_the_repository_loads_and_the_default_comes_first() {
        let boards = Board::all().unwrap();
        assert_eq!(boards.first().map(|board| board.name.as_str()), Some(DEFAULT));
        assert!(boards.len() >= 4);
    }

    #[test]
    fn an_unknown_board_is_an_error_that_lists_the_known_ones() {
        let error = Board::load("nosuch").unwrap_err().to_string();
        assert!(error.contains("qemu-armv7"), "{error}");
    }
}
