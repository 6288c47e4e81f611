//! Which compiler can make corm for an architecture.
//!
//! corm needs only `core` for its target. In this order, and said aloud:
//!
//! 1. the toolchain in use has the target's libraries;
//! 2. rustup can add them;
//! 3. the toolchain has the library sources (`rust-src`): cargo builds `core`;
//! 4. Debian's `rustc-web` with its sources does the same.
//!
//! The last two are how armv7 is built where rustup's server lacks it. They need
//! `RUSTC_BOOTSTRAP=1`, for `-Zbuild-std` is not stable; the code itself is.

use crate::{Arch, command, host, say};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What cargo is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Toolchain {
    /// `cargo build --target`, nothing else.
    Ready,
    /// `core` is built too, by this compiler or the one in use.
    FromSource { rustc: Option<PathBuf> },
}

/// Debian's compiler; a backport that follows Rust's releases.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld"];

/// `rust-version` in Cargo.toml.
const OLDEST: (u32, u32) = (1, 95);

/// Finds a toolchain for `arch`, installing one if there is none.
pub fn find(arch: Arch) -> Result<Toolchain> {
    if has_target("rustc", arch) {
        return Ok(Toolchain::Ready);
    }
    if has_sources("rustc") {
        return Ok(Toolchain::FromSource { rustc: None });
    }
    // Before rustup is asked again what it could not do last time.
    if let Some(found) = debian() {
        return Ok(found);
    }
    if host::find("rustup").is_some() {
        let triple = arch.triple();
        say::aloud("Adding", format!("Rust's libraries for {triple} (rustup target add {triple})"));
        let added = command::attempt(clean(Command::new("rustup").args(["target", "add", triple])))?;
        if added.status.success() && has_target("rustc", arch) {
            return Ok(Toolchain::Ready);
        }
        let complaint = String::from_utf8_lossy(&added.stderr).into_owned();
        say::aloud(
            "Falling back",
            format!(
                "on building Rust's `core` from Debian's sources: rustup has no {triple} to offer ({})",
                complaint.lines().find(|line| line.contains("error")).unwrap_or("it gave no reason").trim()
            ),
        );
    }
    let install = || {
        host::install(&DEBIAN_PACKAGES).with_context(|| {
            format!(
                "no compiler here can build for {triple}. Either of these helps:\n\
                 \x20   rustup target add {triple}\n\
                 \x20   rustup component add rust-src      (and corm's `core` is built from it)\n\
                 \x20   apt-get install {}",
                DEBIAN_PACKAGES.join(" "),
                triple = arch.triple(),
            )
        })
    };
    install()?;
    if debian().is_none() {
        // Lists of some months ago know an older compiler, and apt installs that without a word.
        host::update()?;
        install()?;
    }
    debian().with_context(|| {
        format!(
            "{DEBIAN_RUSTC} is older than {}.{} or lacks the library sources, although {} are installed",
            OLDEST.0,
            OLDEST.1,
            DEBIAN_PACKAGES.join(" and ")
        )
    })
}

impl Toolchain {
    /// `cargo SUBCOMMAND` for a package's program on `arch`. Whatever in our environment would
    /// reach the device build is taken out: when `cargo xtask` runs us, cargo has
    /// put its own settings there, and RUSTFLAGS would replace those of
    /// `.cargo/config.toml`.
    pub fn cargo(&self, subcommand: &str, arch: Arch, package: &str, program: &str) -> Result<Command> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        clean(&mut command);
        command.arg(subcommand).args(["--package", package, "--bin", program, "--target", arch.triple()]);
        command.arg("--target-dir").arg(crate::directories::target());
        command.current_dir(crate::directories::repository());
        let Toolchain::FromSource { rustc } = self else { return Ok(command) };
        command.arg("-Zbuild-std=core,compiler_builtins").env("RUSTC_BOOTSTRAP", "1");
        if let Some(rustc) = rustc {
            command.env("RUSTC", rustc);
            // `rust-lld` is looked for in the compiler's own sysroot, and Debian's has none.
            host::require(&[host::LLD])?;
            let variable = arch.triple().to_uppercase().replace('-', "_");
            command.env(format!("CARGO_TARGET_{variable}_LINKER"), host::LLD.program);
        }
        Ok(command)
    }
}

fn clean(command: &mut Command) -> &mut Command {
    for variable in [
        "RUSTC",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "RUSTC_BOOTSTRAP",
        // cargo points it at its own compiler's libraries; another compiler would load them.
        "LD_LIBRARY_PATH",
    ] {
        command.env_remove(variable);
    }
    command
}

fn debian() -> Option<Toolchain> {
    let usable = version(DEBIAN_RUSTC).is_some_and(|version| version >= OLDEST) && has_sources(DEBIAN_RUSTC);
    usable.then(|| Toolchain::FromSource { rustc: Some(PathBuf::from(DEBIAN_RUSTC)) })
}

fn has_target(rustc: impl AsRef<OsStr>, arch: Arch) -> bool {
    print(rustc, &["--print", "target-libdir", "--target", arch.triple()])
        .is_some_and(|dir| std::fs::read_dir(dir).is_ok_and(|mut files| files.next().is_some()))
}

fn has_sources(rustc: &str) -> bool {
    print(rustc, &["--print", "sysroot"]).is_some_and(|sysroot| {
        Path::new(&sysroot).join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file()
    })
}

/// "rustc 1.96.0 (…)" is (1, 96).
fn version(rustc: &str) -> Option<(u32, u32)> {
    let text = print(rustc, &["--version"])?;
    let mut numbers = text.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn print(rustc: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = command::attempt(clean(Command::new(rustc).args(arguments))).ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// For programs that must exist before anything else can be said.
pub fn require_rust() -> Result<()> {
    match version("rustc") {
        Some(version) if version >= OLDEST => Ok(()),
        Some((major, minor)) => {
            bail!(
                "this needs Rust {}.{}, and there is {major}.{minor}: run `rustup update stable`",
                OLDEST.0,
                OLDEST.1
            )
        }
        None => bail!("there is no rustc: install Rust from https://rustup.rs"),
    }
}
