//! The part of a boot that may wait.
//!
//! It runs in a child of PID 1 with the same mount and network namespaces, so
//! what it mounts and turns on is the machine's, and a device that never appears
//! or a module that hangs costs nobody else anything. All its waiting is for
//! hardware, and has one end: [`Patience`].

use super::Found;
use super::modules::Modules;
use super::{filesystems, interfaces, prepare, stdio};
use crate::config::{Config, Root, Stdio, Workload};
use crate::limits;
use crate::sandbox;
use crate::sys::fs::{self, Follow, Open};
use crate::sys::{BorrowedFd, Errno, clock, mount, time};
use heapless::Vec;

/// Whether there is anything for [`late`] to do.
pub fn has_late_work(config: &Config) -> bool {
    !config.system.modules.is_empty()
        || config.workloads.iter().any(|workload| has_filesystem(config, workload))
        || !config.interfaces.is_empty()
        || interfaces::modules(config).next().is_some()
        || !config.mounts.is_empty()
        || config.system.exit_report.is_some()
}

/// Modules, interfaces, mounts, workloads' terminals and ports. The exit status of the child it runs in: 0, or
/// 1 when something `required` failed.
///
/// `keeper`: where the firewall goes.
pub fn late(config: &Config, found: &Found, keeper: Option<BorrowedFd>) -> u8 {
    load_modules(config);
    if !found.console && !config.system.modules.is_empty() {
        // virtio_console's ports come some time after the module; a machine
        // may as well have no console, so this is short, and no line if in vain.
        Patience::new(CONSOLE).wait_for(&mut || stdio::open_console().is_some());
    }
    let mut patience = Patience::new(Patience::SECONDS * 1000);
    let guarded = interfaces::guard(config, keeper);
    interfaces::configure(config, guarded, &mut patience);
    let complete = filesystems::mount_all(config, &mut patience);
    load_filesystems(config);
    patience.wait_for(&mut || has_stdio(config));
    u8::from(!complete)
}

/// Are the devices there that workloads are to speak through? One that does not
/// come is for whoever opens it to complain of. stdin is not asked: a
/// virtio-serial port forgets, when it is closed, what it was sent.
fn has_stdio(config: &Config) -> bool {
    // Only opening tells: a port has its node a moment before.
    let how = Open::WRITE | Open::NON_BLOCKING | Open::NO_CTTY;
    let is_there = |path| fs::open(BorrowedFd::CWD, config.c_str(path), how).is_ok();
    for workload in &config.workloads {
        if let Stdio::Devices { stdout, stderr, .. } = workload.stdio
            && !(is_there(stdout) && is_there(stderr))
        {
            return false;
        }
    }
    config.system.exit_report.is_none_or(is_there)
}

/// Milliseconds in which a console's driver finds its console.
const CONSOLE: u64 = 500;

/// Modules, and the sysctls that only they brought.
fn load_modules(config: &Config) {
    let names = config.words(config.system.modules);
    let mut network = interfaces::modules(config).peekable();
    if names.is_empty() && network.peek().is_none() {
        return;
    }
    let sysctls = config.pairs(config.system.sysctl);
    let mut missing = [false; limits::PAIRS];
    for (missing, pair) in missing.iter_mut().zip(sysctls) {
        *missing = !prepare::has_sysctl(config, pair);
    }
    if let Some(modules) = Modules::open(!names.is_empty()) {
        // What is missing may be built in; if it is not, what needs it will say so.
        modules.load(false, &mut network);
        modules.load(true, &mut names.iter().map(|name| config.bytes(*name)));
    }
    for (missing, pair) in missing.iter().zip(sysctls) {
        if *missing {
            prepare::write_sysctl(config, pair, false);
        }
    }
}

/// Whether its root takes a filesystem that the kernel may have as a module.
fn has_filesystem(config: &Config, workload: &Workload) -> bool {
    let is_no_directory = |path| {
        fs::stat(BorrowedFd::CWD, config.c_str(path), Follow::No).is_ok_and(|stat| !stat.is_directory())
    };
    workload.overlay > 0 || matches!(workload.root, Root::Directory(path) if is_no_directory(path))
}

/// What workloads' roots take, which nobody else would load: an appliance has no modprobe.
fn load_filesystems(config: &Config) {
    let lacks = |kind| matches!(mount::open_filesystem(kind), Err(Errno::ENODEV));
    let mut wanted = Vec::<&[u8], 5>::new();
    for workload in config.workloads.iter().filter(|workload| has_filesystem(config, workload)) {
        let image = match workload.root {
            Root::Directory(path) => sandbox::image_kind(config.c_str(path)),
            Root::Scratch => None,
        };
        let overlay = Some(c"overlay").filter(|_| workload.overlay > 0);
        for kind in [image, overlay].into_iter().flatten() {
            if lacks(kind) && !wanted.contains(&kind.to_bytes()) {
                // There are three that it can be, and one of them asks the kernel for this sum
                // as it begins, which no modules.dep says.
                if kind == c"erofs" {
                    let _ = wanted.push(b"crc32c_generic");
                }
                let _ = wanted.push(kind.to_bytes());
            }
        }
        if image.is_some() && !wanted.contains(&&b"loop"[..]) {
            let _ = wanted.push(b"loop");
        }
    }
    if !wanted.is_empty()
        && let Some(modules) = Modules::open(true)
    {
        modules.load(false, &mut wanted.iter().copied());
    }
}

/// How long hardware is waited for, all of it together.
pub(super) struct Patience {
    until: u64,
}

impl Patience {
    /// Slow USB disks take 5 to 8 seconds to appear.
    pub(super) const SECONDS: u64 = 10;

    fn new(millis: u64) -> Patience {
        Patience { until: clock::now().saturating_add(millis) }
    }

    /// Waits for `there`, with looks further and further apart: what is there at
    /// once costs nothing, what comes is seen within a tenth of its own time.
    pub(super) fn wait_for(&mut self, there: &mut dyn FnMut() -> bool) -> bool {
        const LONGEST: u64 = 50;
        let start = clock::now();
        loop {
            if there() {
                return true;
            }
            let now = clock::now();
            if now >= self.until {
                return false;
            }
            time::sleep((now.saturating_sub(start) / 10).clamp(1, LONGEST));
        }
    }
}
