//! What this computer must have, and how it gets it.
//!
//! A missing program is installed with apt where that is possible (as root, or
//! with sudo), and said aloud. Where it is not, the error names every missing
//! thing at once and what provides it.

use crate::{Arch, command, directories, say};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program we call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tool {
    pub program: &'static str,
    /// Debian's and Ubuntu's package.
    pub package: &'static str,
    pub why: &'static str,
}

pub const LLD: Tool = Tool { program: "ld.lld", package: "lld", why: "links corm" };

pub const DPKG: Tool =
    Tool { program: "dpkg-deb", package: "dpkg", why: "unpacks Debian's kernels and busybox" };

pub const ZSTD: Tool = Tool { program: "zstd", package: "zstd", why: "compresses the image" };

pub const DNSMASQ: Tool =
    Tool { program: "dnsmasq", package: "dnsmasq-base", why: "is the DHCP server of a test" };

pub fn qemu(arch: Arch) -> Tool {
    let (program, package) = arch.qemu();
    Tool { program, package, why: "boots the image" }
}

/// Where a program is.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Makes sure of every tool.
pub fn require(tools: &[Tool]) -> Result<()> {
    let missing = |tools: &[Tool]| -> Vec<Tool> {
        tools.iter().filter(|tool| find(tool.program).is_none()).copied().collect()
    };
    let wanted = missing(tools);
    if wanted.is_empty() {
        return Ok(());
    }
    for tool in &wanted {
        say::aloud("Missing", format!("{} ({})", tool.program, tool.why));
    }
    let packages: Vec<&str> = wanted.iter().map(|tool| tool.package).collect();
    install(&packages)?;
    let still = missing(&wanted);
    if let Some(tool) = still.first() {
        bail!(
            "package {} is installed, but there is no {} in PATH: look where it went",
            tool.package,
            tool.program
        );
    }
    Ok(())
}

/// Installs packages of this computer's own distribution.
pub fn install(packages: &[&str]) -> Result<()> {
    let mut packages = packages.to_vec();
    packages.sort_unstable();
    packages.dedup();
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if find("apt-get").is_none() {
        bail!(
            "these are missing and there is no apt-get to install them with: {}\n\
             Those are Debian's names: install what your system calls them, then try again.",
            packages.join(", ")
        );
    }
    let Some(prefix) = root_prefix() else {
        bail!("not root and no sudo, so this has to be done by hand first:\n\n    {by_hand}\n");
    };
    // Two processes at once would fight over dpkg's lock.
    let _lock = directories::lock("install")?;
    say::aloud("Installing", format!("{} ({by_hand})", packages.join(", ")));
    let install = || {
        let mut command = apt_get(&prefix);
        command.args(["install", "-y", "-q", "--no-install-recommends"]).args(&packages);
        command
    };
    // A fresh container has no package lists; an old one has stale ones.
    if command::run(&mut install()).is_ok() {
        return Ok(());
    }
    update()?;
    command::run(&mut install())
}

/// Fetches the package lists of this computer's own distribution anew.
pub fn update() -> Result<()> {
    let Some(prefix) = root_prefix() else {
        bail!("not root and no sudo, so this has to be done by hand first:\n\n    apt-get update\n");
    };
    say::aloud("Updating", "the package lists, for they may be why (apt-get update)");
    if let Err(error) = command::run(apt_get(&prefix).args(["update", "-q"])) {
        say::warning(format!("{error}: going on with the lists there are"));
    }
    Ok(())
}

fn apt_get(prefix: &[&str]) -> Command {
    // `env` because sudo drops variables.
    let words = prefix.iter().chain(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut words = words.copied();
    let mut command = Command::new(words.next().unwrap_or("env"));
    command.args(words).arg("-oDPkg::Lock::Timeout=300");
    command
}

fn root_prefix() -> Option<Vec<&'static str>> {
    if rustix::process::geteuid().is_root() {
        return Some(vec![]);
    }
    find("sudo")?;
    let silent = command::attempt(Command::new("sudo").args(["-n", "true"]));
    if silent.is_ok_and(|output| output.status.success()) {
        return Some(vec!["sudo", "-n"]);
    }
    use std::io::IsTerminal;
    // sudo asks on the terminal itself, not on stdin.
    std::io::stderr().is_terminal().then(|| vec!["sudo"])
}

/// Can QEMU use hardware virtualisation for guests of this architecture?
/// `/dev/kvm` may exist and yet spin for ever: believe the processor's flags.
pub fn has_kvm(arch: Arch) -> bool {
    let usable = || std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    let flags = || {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        info.split_whitespace().any(|word| word == "vmx" || word == "svm")
    };
    match arch {
        Arch::X86_64 => arch.is_native() && flags() && usable(),
        Arch::Aarch64 => arch.is_native() && usable(),
        // An arm64 processor may lack the 32-bit mode.
        Arch::Armv7 => false,
    }
}

/// How fast the time stamp counter of an emulated PC runs, in kHz: as this
/// computer's, which QEMU passes on; where there is none it counts nanoseconds.
pub fn tsc_khz() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::time::{Duration, Instant};
        let now = || {
            // SAFETY: rdtsc reads a register and touches no memory; every x86_64 has it.
            (unsafe { std::arch::x86_64::_rdtsc() }, Instant::now())
        };
        let (first_count, first_time) = now();
        std::thread::sleep(Duration::from_millis(20));
        let (last_count, last_time) = now();
        let microseconds = last_time.duration_since(first_time).as_micros().max(1);
        let counts = u128::from(last_count.wrapping_sub(first_count));
        u64::try_from(counts * 1000 / microseconds).unwrap_or(1_000_000)
    }
    #[cfg(not(target_arch = "x86_64"))]
    1_000_000
}
