//! The part of a boot that may wait.
//!
//! It runs in a child of PID 1 with the same mount and network namespaces, so
//! what it mounts and turns on is the machine's, and a device that never appears
//! or a module that hangs costs nobody else anything. All its waiting is for
//! hardware, and has one end: [`Patience`].

use super::Found;
use super::modules::Modules;
use super::{filesystems, interfaces, prepare, stdio};
use crate::config::{Config, Limit, Root, Setting, Stdio, Str, Volume, VolumeSource, Workload, named_source};
use crate::sys::fs::{self, Follow, Open};
use crate::sys::mount::{self, Attributes};
use crate::sys::{BorrowedFd, Errno, clock, time};
use crate::{disk, limits, sandbox, warn};
use core::ffi::CStr;
use heapless::Vec;

/// Whether there is anything for [`late`] to do.
pub fn has_late_work(config: &Config) -> bool {
    !config.system.modules.is_empty()
        || config.workloads.iter().any(|workload| has_filesystem(config, workload))
        || !config.interfaces.is_empty()
        || interfaces::modules(config).next().is_some()
        || !config.mounts.is_empty()
        || devices(config).next().is_some()
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
    interfaces::recall_leases(config);
    find_devices(config, &mut patience);
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

/// Block devices that workloads have as volumes or limits, which are waited for; what PID 1 will
/// look up by name is noted where it looks. A volume is mounted once, and unmounted again: that
/// loads its filesystem, and what a crash has left in a journal is not for PID 1 to wait for.
fn find_devices(config: &Config, patience: &mut Patience) {
    for (name, is_volume) in devices(config) {
        let source = config.c_str(name);
        let mut path = disk::Path::new();
        if !filesystems::wait_for_device(source, &mut path, patience) {
            warn!(source, ": no such device after ", Patience::SECONDS, "s");
            continue;
        }
        let Some(path) = path.as_c_str() else { continue };
        if path != source {
            match disk::remember(source, path) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => warn!(source, ": cannot be noted in /run/corm/disk: ", errno),
            }
        }
        if let Some(kind) = sandbox::device_kind(path).filter(|_| is_volume) {
            if matches!(mount::open_filesystem(kind), Err(Errno::ENODEV)) {
                filesystems::load_module(kind);
            }
            // Who starts with it says what is wrong.
            let _ = sandbox::open_device(path, config.is_written(name), Attributes::NONE);
        }
    }
}

/// What [`find_devices`] looks for, and whether it is a volume.
fn devices(config: &Config) -> impl Iterator<Item = (Str, bool)> {
    let of_volume = |volume: &Volume| match volume.source {
        VolumeSource::Directory { source, .. } => Some((source, true)),
        VolumeSource::Tmpfs { .. } => None,
    };
    let of_limit = |setting: &Setting| (setting.limit == Limit::IoDevice).then_some((setting.text(), false));
    let all = config.workloads.iter().flat_map(move |workload| {
        let volumes = config.volumes(workload.volumes).iter().filter_map(of_volume);
        volumes.chain(config.settings(workload.limits).iter().filter_map(of_limit))
    });
    all.filter(|(source, is_volume)| {
        let source = config.bytes(*source);
        named_source(source).is_some() || *is_volume && source.starts_with(b"/dev/")
    })
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
    let mut wanted = Vec::<&CStr, 4>::new();
    for workload in config.workloads.iter().filter(|workload| has_filesystem(config, workload)) {
        let image = match workload.root {
            Root::Directory(path) => sandbox::image_kind(config.c_str(path)),
            Root::Scratch => None,
        };
        let overlay = Some(c"overlay").filter(|_| workload.overlay > 0);
        for kind in [image, overlay].into_iter().flatten() {
            if lacks(kind) && !wanted.contains(&kind) {
                // There are three that it can be.
                let _ = wanted.push(kind);
            }
        }
        if image.is_some() && !wanted.contains(&c"loop") {
            let _ = wanted.push(c"loop");
        }
    }
    wanted.iter().for_each(|kind| filesystems::load_module(kind));
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
