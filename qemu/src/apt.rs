//! Debian packages of any architecture, downloaded and unpacked, never installed.
//!
//! apt works on lists and a cache of our own, told of one architecture only: the
//! machine's dpkg set-up is neither touched nor asked, and no root is needed.
//! Other sources of the machine that lack the architecture complain; that counts
//! only when the package cannot be had.

use crate::{Arch, command, directories, host, say};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Unpacks `package` of `arch` into `into`.
pub fn unpack(package: &str, arch: Arch, into: &Path) -> Result<()> {
    host::require(&[host::DPKG])?;
    let apt = Apt::new(arch)?;
    let downloads = tempfile::tempdir_in(directories::cache()?).context("no room for a download")?;
    let deb = apt.download(package, downloads.path())?;
    command::run(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(into))
}

/// Unpacks what a source package has from its own project, without Debian's changes, into `into`.
pub fn source(package: &str, arch: Arch, into: &Path) -> Result<()> {
    let apt = Apt::new(arch)?;
    let complaint = apt.update()?;
    // The machine's sources may have no sources of packages: they are where the packages are.
    let format = "$(ORIGIN) $(REPO_URI) $(CODENAME) $(COMPONENT)";
    let targets = command::read(apt.command("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Created-By: Packages",
        "Component: main",
    ]))?;
    let known = |line: &str| {
        let (origin, place) = line.split_once(' ')?;
        matches!(origin, "Debian" | "Ubuntu").then(|| format!("deb-src {place}\n"))
    };
    let place = tempfile::tempdir_in(directories::cache()?).context("no room for a download")?;
    let (list, lists) = (place.path().join("sources.list"), place.path().join("lists"));
    std::fs::write(&list, targets.lines().filter_map(known).collect::<String>())
        .with_context(|| format!("could not write {}", list.display()))?;
    directories::make(&lists.join("partial"))?;
    let get = |arguments: &[&str]| {
        let mut command = apt.command("apt-get");
        command
            .arg(format!("-oDir::Etc::SourceList={}", list.display()))
            .arg("-oDir::Etc::SourceParts=/dev/null");
        command.arg(format!("-oDir::State::Lists={}", lists.display()));
        command::read(command.args(arguments).current_dir(place.path()))
    };
    say::aloud("Downloading", format!("{package} (Debian source package)"));
    get(&["update", "-q"])
        .and_then(|_| get(&["source", "-q", "--download-only", "--tar-only", package]))
        .with_context(|| format!("apt cannot get the source of {package}\n{}", complaint.trim_end()))?;
    let entries = std::fs::read_dir(place.path()).context("the download is gone")?;
    let original = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().contains(".orig.tar."))
        .with_context(|| format!("apt-get downloaded no source of {package}"))?;
    command::run(Command::new("tar").args(["--strip-components=1", "-xf"]).arg(&original).arg("-C").arg(into))
}

/// What a package depends on: for a kernel's metapackage, the kernel of the day.
pub fn dependencies(package: &str, arch: Arch) -> Result<Vec<String>> {
    let apt = Apt::new(arch)?;
    let text = apt.with_lists(package, || {
        command::read(apt.command("apt-cache").args(["depends", "--important", package]))
    })?;
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(names.map(str::to_owned).collect())
}

/// Forgets the lists, so that the next download sees today's packages.
pub fn forget(arch: Arch) -> Result<()> {
    let state = Apt::new(arch)?.state;
    std::fs::remove_dir_all(&state).with_context(|| format!("could not empty {}", state.display()))
}

struct Apt {
    arch: Arch,
    state: PathBuf,
}

impl Apt {
    fn new(arch: Arch) -> Result<Apt> {
        if host::find("apt-get").is_none() {
            bail!(
                "kernels and busybox come from Debian's packages, and there is no apt-get here.\n\
                 Name your own kernel with KERNEL=/path/to/vmlinuz MODULES=/path/to/lib/modules/VERSION\n\
                 and a static busybox with BUSYBOX=/path/to/busybox, or run this on Debian."
            );
        }
        let state = directories::cache()?.join("apt").join(arch.debian());
        directories::make(&state.join("lists/partial"))?;
        directories::make(&state.join("cache/archives/partial"))?;
        let status = state.join("status");
        if !status.exists() {
            std::fs::write(&status, "").with_context(|| format!("could not write {}", status.display()))?;
        }
        Ok(Apt { arch, state })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let state = self.state.display();
        let name = self.arch.debian();
        for option in [
            format!("APT::Architecture={name}"),
            format!("APT::Architectures={name}"),
            format!("Dir::State::Lists={state}/lists"),
            format!("Dir::State::status={state}/status"),
            format!("Dir::Cache={state}/cache"),
            // The cache is the caller's, maybe under a home that user _apt cannot enter.
            "APT::Sandbox::User=root".to_owned(),
            // Only package lists: no translations, no desktop metadata.
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ] {
            command.arg(format!("-o{option}"));
        }
        command.env("LC_ALL", "C");
        command
    }

    /// Gives back what apt complained of: that is judged by the download that follows.
    fn update(&self) -> Result<String> {
        say::doing("Updating", format!("a private package list for {}", self.arch.debian()));
        let output = command::attempt(self.command("apt-get").args(["update", "-q"]))?;
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The first attempt fails where there are no lists yet, or where they name
    /// a version that the mirror has replaced since.
    fn with_lists<T>(&self, package: &str, attempt: impl Fn() -> Result<T>) -> Result<T> {
        if let Ok(result) = attempt() {
            return Ok(result);
        }
        let complaint = self.update()?;
        attempt().with_context(|| {
            format!(
                "apt cannot get {package}:{}. Does this machine have a Debian source, and a network?\n{}",
                self.arch.debian(),
                complaint.trim_end()
            )
        })
    }

    fn download(&self, package: &str, into: &Path) -> Result<PathBuf> {
        say::aloud("Downloading", format!("{package}:{} (Debian package)", self.arch.debian()));
        self.with_lists(package, || {
            command::read(self.command("apt-get").args(["download", "-q", package]).current_dir(into))
        })?;
        let entries = std::fs::read_dir(into).context("the download is gone")?;
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .with_context(|| format!("apt-get downloaded no {package}"))
    }
}
