//! `cargo xtask inits`: the tests of tini and dumb-init, as their projects wrote them.
//!
//! They run in a pid namespace of their own, below `corm init`: what they count are processes,
//! and how soon an orphan is gone would otherwise be up to this computer's PID 1. catatonit has no
//! tests.

use anyhow::{Context, Result, ensure};
use clap::Args;
use corm_qemu::{Arch, command, device, directories, host, inits, say};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Run tini's and dumb-init's own tests, from Debian's sources, against corm (as root)
#[derive(Args)]
pub struct Inits {
    /// Against Debian's programs instead: to test the tests
    #[arg(long)]
    theirs: bool,
}

/// What the tests import, as the projects' own requirements have it.
const MODULES: [&str; 6] = ["psutil", "bitmap", "python-prctl", "py", "pytest", "pytest-timeout"];

/// With which, and with a compiler, one of these is built.
const HEADERS: [&str; 2] = ["libcap-dev", "gcc"];

impl Inits {
    pub fn run(self) -> Result<ExitCode> {
        let arch = Arch::ALL.into_iter().find(|arch| arch.is_native());
        let arch = arch.context("corm does not run on this computer")?;
        let corm = device::release(arch)?;
        let python = python()?;
        let place = tempfile::tempdir().context("no room for the programs")?;
        for name in ["tini", "dumb-init"] {
            // A test follows symbolic links, so it is a copy.
            let from = if self.theirs { inits::directory(arch)?.join(name) } else { corm.clone() };
            std::fs::copy(&from, place.path().join(name))
                .with_context(|| format!("could not copy {}", from.display()))?;
        }
        let tests = Tests { corm, python, place: place.path() };
        let tini = inits::source("tini", arch)?;
        command::run(
            Command::new("cc")
                .arg("-o")
                .arg(place.path().join("sigconf-test"))
                .arg(tini.join("test/sigconf/sigconf-test.c")),
        )?;
        tests.run("tini", &tini, &["test/run_inner_tests.py"])?;
        let dumb_init = copy_of_dumb_init(&inits::source("dumb-init", arch)?, place.path())?;
        tests.run("dumb-init", &dumb_init, &["-m", "pytest", "-q", "tests"])?;
        say::doing("Passed", "all of tini's and of dumb-init's");
        Ok(ExitCode::SUCCESS)
    }
}

struct Tests<'a> {
    corm: PathBuf,
    python: PathBuf,
    /// Where the programs are.
    place: &'a Path,
}

impl Tests<'_> {
    fn run(&self, what: &str, source: &Path, script: &[&str]) -> Result<()> {
        say::doing("Testing", what);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let before = [self.place.to_owned(), self.python.clone()];
        let path = std::env::join_paths(before.into_iter().chain(std::env::split_paths(&path)))?;
        command::run(
            Command::new("unshare")
                .args(["--pid", "--fork", "--mount-proc", "--kill-child", "--"])
                .arg(&self.corm)
                .args(["init", "--", "python"])
                .args(script)
                .env("PATH", path)
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .env("SOURCE_DIR", source)
                .env("BUILD_DIR", self.place)
                .env("FORCE_SUBREAPER", "1")
                .current_dir(source),
        )
    }
}

/// The directory of a Python that has what the tests import.
fn python() -> Result<PathBuf> {
    let tool = host::Tool { program: "python3", package: "python3-venv", why: "runs the projects' tests" };
    host::require(&[tool])?;
    let environment = directories::cached("inits/python", |into| {
        host::install(&HEADERS)?;
        say::aloud("Installing", format!("{} (from PyPI)", MODULES.join(", ")));
        command::run(Command::new("python3").args(["-m", "venv"]).arg(into))?;
        command::run(Command::new(into.join("bin/python")).args(["-m", "pip", "install", "-q"]).args(MODULES))
    })?;
    Ok(environment.join("bin"))
}

/// With patience: it gives a computer 1.5 s to do anything, and a test 5 s, which is too little
/// where others work on it.
fn copy_of_dumb_init(source: &Path, place: &Path) -> Result<PathBuf> {
    command::run(Command::new("cp").arg("-r").arg(source).arg(place.join("source")))?;
    let copy = place.join("source");
    for (file, short, long) in
        [("testing/__init__.py", "timeout=1.5", "timeout=15"), ("pytest.ini", "timeout = 5", "timeout = 60")]
    {
        let file = copy.join(file);
        let text = std::fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
        ensure!(text.contains(short), "{} has changed", file.display());
        std::fs::write(&file, text.replace(short, long))?;
    }
    Ok(copy)
}
