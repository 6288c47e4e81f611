//! An image: files become an initramfs.
//!
//! The builder collects entries by path, and reads nothing until [`Image::build`].
//! What comes out depends only on what went in: entries are sorted, times are 0,
//! owners are root, modes are 755 or 644.

mod archive;

use crate::kernel::Kernel;
use crate::modules::Modules;
use crate::{Board, busybox, device, say};
use anyhow::{Context, Result};
use archive::{Archive, Node};
use serde::Deserialize;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use tempfile::TempPath;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    #[default]
    Zstd,
    Gzip,
    /// Fastest to build and to boot: what tests and `run` use.
    None,
}

/// What an image is made of.
#[derive(Clone, Debug)]
pub struct Image {
    board: Board,
    archive: Archive,
    overlays: Vec<PathBuf>,
    modules: Vec<String>,
    init: Option<Vec<u8>>,
    busybox: bool,
    board_settings: bool,
    compression: Compression,
}

/// An image on disk, and the kernel for it. The file goes when this is dropped.
#[derive(Debug)]
pub struct Built {
    pub board: Board,
    pub kernel: Kernel,
    pub initramfs: TempPath,
}

const MAIN_CONFIG: &str = "/etc/corm.toml";
const BOARD_CONFIG: &str = "/etc/corm.d/00-board.toml";

impl Image {
    /// Only corm as `/init` (and `/bin/corm`), its mount points, and the modules
    /// of the board's devices.
    pub fn new(board: &Board) -> Image {
        let mut archive = Archive::default();
        for (directory, mode) in [
            ("/dev", 0o755),
            ("/proc", 0o555),
            ("/sys", 0o555),
            ("/run", 0o755),
            ("/tmp", 0o1777),
            ("/root", 0o700),
        ] {
            archive.put(directory, Node::Directory { mode });
        }
        // The kernel opens the console for PID 1 before anything is mounted.
        archive.put("/dev/console", Node::Device { mode: 0o600, major: 5, minor: 1 });
        archive.put("/dev/null", Node::Device { mode: 0o666, major: 1, minor: 3 });
        archive.put("/bin/corm", Node::Link("/init".to_owned()));
        Image {
            board: board.clone(),
            archive,
            overlays: Vec::new(),
            modules: board.kernel.modules.clone(),
            init: None,
            busybox: false,
            board_settings: true,
            compression: Compression::None,
        }
    }

    /// The demo appliance: the repository's `rootfs-overlay/` and busybox.
    pub fn demo(board: &Board) -> Image {
        Image::new(board).busybox().overlay(crate::directories::repository().join("rootfs-overlay"))
    }

    /// `/etc/corm.toml`.
    pub fn config(self, text: &str) -> Image {
        self.file(MAIN_CONFIG, text, 0o644)
    }

    /// A file; directories on the way to it are made.
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>, mode: u32) -> Image {
        self.archive.put(path, Node::File { content: content.as_ref().to_vec(), mode });
        self
    }

    /// A file of this computer, with its mode's executable bit.
    pub fn host_file(mut self, path: &str, file: impl Into<PathBuf>) -> Image {
        self.archive.put(path, Node::HostFile { path: file.into() });
        self
    }

    pub fn symlink(mut self, path: &str, target: &str) -> Image {
        self.archive.put(path, Node::Link(target.to_owned()));
        self
    }

    pub fn directory(mut self, path: &str, mode: u32) -> Image {
        self.archive.put(path, Node::Directory { mode });
        self
    }

    /// A directory tree of this computer, over busybox and earlier overlays; files
    /// given one by one win over it.
    pub fn overlay(mut self, directory: impl Into<PathBuf>) -> Image {
        self.overlays.push(directory.into());
        self
    }

    /// `/bin/busybox` and its links.
    pub fn busybox(mut self) -> Image {
        self.busybox = true;
        self
    }

    /// A kernel module, with what it needs.
    pub fn module(mut self, name: &str) -> Image {
        self.modules.push(name.to_owned());
        self
    }

    /// Another program as `/init`, and corm is not built.
    pub fn init(mut self, program: impl AsRef<[u8]>) -> Image {
        self.init = Some(program.as_ref().to_vec());
        self
    }

    /// No drop-in that makes corm load the board's modules.
    pub fn without_board_settings(mut self) -> Image {
        self.board_settings = false;
        self
    }

    pub fn compress(mut self, compression: Compression) -> Image {
        self.compression = compression;
        self
    }

    /// Reads and builds everything the image needs, and writes it to a temporary file.
    pub fn build(self) -> Result<Built> {
        let board = self.board.clone();
        let kernel = Kernel::of(&board)?;
        let compression = self.compression;
        let archive = self.complete(&kernel)?;
        let file = tempfile::Builder::new()
            .prefix("corm-")
            .suffix(".cpio")
            .tempfile()
            .context("could not make a temporary file for the image")?;
        let writer = file.reopen().context("could not open a temporary file again")?;
        archive.write(writer, compression).context("could not write the image")?;
        Ok(Built { board, kernel, initramfs: file.into_temp_path() })
    }

    fn complete(self, kernel: &Kernel) -> Result<Archive> {
        let mut archive = Archive::default();
        let other = std::env::var_os("INIT").filter(|path| !path.is_empty()).map(PathBuf::from);
        match &self.init {
            None if other.is_some() => {
                archive.put("/init", Node::HostFile { path: other.unwrap_or_default() })
            }
            Some(program) => archive.put("/init", Node::File { content: program.clone(), mode: 0o755 }),
            None => archive.put("/init", Node::HostFile { path: device::release(self.board.arch)? }),
        }
        if self.busybox {
            archive.put("/bin/busybox", Node::HostFile { path: busybox::binary(self.board.arch)? });
            for applet in busybox::APPLETS.split_whitespace() {
                archive.put(&format!("/bin/{applet}"), Node::Link("busybox".to_owned()));
            }
        }
        for overlay in &self.overlays {
            archive.overlay(overlay)?;
        }
        archive.append(self.archive);
        let own = own_modules(&archive)?;
        if let Some(modules) = Modules::of(kernel)? {
            let mut names = self.modules.clone();
            for name in own.iter().flatten() {
                // A config may be wrong on purpose: corm says so when it boots.
                if modules.has(name) {
                    names.push(name.clone());
                } else {
                    say::warning(format!("the config wants module {name:?}, and this kernel has none"));
                }
            }
            // What corm loads by itself; a kernel may have it built in.
            if wants_firewall(&archive)? {
                names.extend(NETWORK.iter().filter(|name| modules.has(name)).map(|name| name.to_string()));
            }
            add_modules(&mut archive, &modules, &names)?;
        }
        if self.board_settings
            && let Some(text) = board_settings(&self.board, kernel, own.is_some())
        {
            archive.put(BOARD_CONFIG, Node::File { content: text.into_bytes(), mode: 0o644 });
        }
        Ok(archive)
    }
}

impl Built {
    /// Keeps the image as `file`.
    pub fn save(&self, file: &Path) -> Result<u64> {
        // Not `fs::copy`: a temporary file is its owner's alone, and an image is not.
        let copy = || std::io::copy(&mut File::open(&self.initramfs)?, &mut File::create(file)?);
        copy().with_context(|| format!("could not write {}", file.display()))
    }
}

/// `system.modules` of the image's config; none if it does not say. A text that
/// no TOML reader understands is corm's to complain about.
fn own_modules(archive: &Archive) -> Result<Option<Vec<String>>> {
    let Some(text) = archive.text(MAIN_CONFIG)? else { return Ok(None) };
    let Ok(table) = toml::from_str::<toml::Table>(&text) else { return Ok(None) };
    let modules =
        table.get("system").and_then(|system| system.get("modules")).and_then(|modules| modules.as_array());
    Ok(modules.map(|names| names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect()))
}

/// Modules that a config with bridges and published ports takes.
const NETWORK: [&str; 9] = [
    "bridge",
    "veth",
    "crc32c_generic",
    "nf_tables",
    "nft_chain_nat",
    "nft_nat",
    "nft_masq",
    "nft_ct",
    "nft_fib_inet",
];

/// Whether the image's config has a bridge.
fn wants_firewall(archive: &Archive) -> Result<bool> {
    let text = archive.text(MAIN_CONFIG)?.unwrap_or_default();
    Ok(text.contains("bridge"))
}

/// What corm must know of the board and a config need not repeat. A config that
/// names modules itself means those.
fn board_settings(board: &Board, kernel: &Kernel, has_own_modules: bool) -> Option<String> {
    let mut text = String::new();
    if !has_own_modules && kernel.modules.is_some() && !board.kernel.modules.is_empty() {
        let _ = writeln!(text, "modules = {:?}", board.kernel.modules);
    }
    if let Some(action) = &board.image.poweroff {
        let _ = writeln!(text, "poweroff = {action:?}");
    }
    (!text.is_empty()).then(|| format!("# The devices of board {}.\n[system]\n{text}", board.name))
}

fn add_modules(archive: &mut Archive, modules: &Modules, names: &[String]) -> Result<()> {
    let version = modules.directory().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let at = format!("/lib/modules/{version}");
    let mut dependencies = String::new();
    for (path, needs) in modules.closure(names.iter().map(String::as_str))? {
        archive.put(&format!("{at}/{path}"), Node::HostFile { path: modules.directory().join(path) });
        let _ = write!(dependencies, "{path}:");
        for need in needs {
            let _ = write!(dependencies, " {need}");
        }
        dependencies.push('\n');
    }
    let mut builtin: Vec<&str> = names.iter().filter_map(|name| modules.builtin(name)).collect();
    builtin.sort_unstable();
    builtin.dedup();
    let builtin = builtin.iter().fold(String::new(), |text, path| text + path + "\n");
    archive.put(&format!("{at}/modules.dep"), Node::File { content: dependencies.into_bytes(), mode: 0o644 });
    archive.put(&format!("{at}/modules.builtin"), Node::File { content: builtin.into_bytes(), mode: 0o644 });
    Ok(())
}
