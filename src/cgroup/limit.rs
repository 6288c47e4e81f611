//! A workload's directory and its limits.

use super::control::hand_on_for;
use crate::config::{Config, Limit, MAX, Setting, Workload, WorkloadId};
use crate::limits;
use crate::sys::fs::{self, Follow, Open};
use crate::sys::{BorrowedFd, Errno, OwnedFd};
use crate::text::{Show, Sink, Text};
use crate::{disk, put, warn};
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

/// The kernel's own period for cpu.max, in microseconds.
const PERIOD: u32 = 100_000;

/// Whether a config has asked for it, rather than corm's own defaults.
fn is_asked_for(setting: &Setting) -> bool {
    let Setting { limit, value } = *setting;
    limit.is_of_cgroup() && value != MAX && limit.default() != Some(value)
}

/// Which workloads' limits this process has written.
pub struct Written([u64; limits::WORKLOADS.div_ceil(64)]);

impl Written {
    pub const NONE: Written = Written([0; limits::WORKLOADS.div_ceil(64)]);

    fn bit(&mut self, id: WorkloadId) -> Option<(&mut u64, u64)> {
        let bit = 1u64.wrapping_shl((id.0 % 64).into());
        self.0.get_mut(usize::from(id.0 / 64)).map(|word| (word, bit))
    }

    fn has(&mut self, id: WorkloadId) -> bool {
        self.bit(id).is_some_and(|(word, bit)| *word & bit != 0)
    }

    fn set(&mut self, id: WorkloadId) {
        if let Some((word, bit)) = self.bit(id) {
            *word |= bit;
        }
    }
}

/// Why a workload has no cgroup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// There is no cgroup v2, and the workload has limits.
    Absent,
    Directory(Errno),
    Limit {
        limit: Limit,
        errno: Errno,
    },
}

/// The directory of a workload's cgroup, for CLONE_INTO_CGROUP, with its
/// limits in force. `None`: this machine has no cgroup v2, of which whoever
/// looked for it has told, and the workload asks for nothing that needs it.
pub fn enter(
    config: &Config,
    id: WorkloadId,
    workload: &Workload,
    written: &mut Written,
) -> Result<Option<OwnedFd>, Problem> {
    // Elsewhere the same path may be a tmpfs, which would take a directory too.
    if fs::stat(BorrowedFd::CWD, c"/sys/fs/cgroup/cgroup.controllers", Follow::No).is_err() {
        if config.settings(workload.limits).iter().any(is_asked_for) {
            return Err(Problem::Absent);
        }
        return Ok(None);
    }
    let (directory, new) = make(config, id).map_err(Problem::Directory)?;
    if new || !written.has(id) {
        if let Err(problem) = write_limits(directory.borrow(), config, workload) {
            // Never to be taken for one with limits. If it cannot go, `written` still says no.
            let _ = super::remove(config, id);
            return Err(problem);
        }
        written.set(id);
    }
    Ok(Some(directory))
}

/// The directory of a workload that runs, if it has one.
pub fn open(config: &Config, id: WorkloadId) -> Option<OwnedFd> {
    let mut path = super::path(config, id, "");
    fs::open(BorrowedFd::CWD, super::c_str(&mut path).ok()?, Open::PATH | Open::DIRECTORY | Open::NO_FOLLOW)
        .ok()
}

/// The directory, and whether it was made just now.
fn make(config: &Config, id: WorkloadId) -> Result<(OwnedFd, bool), Errno> {
    let mut path = super::path(config, id, "");
    let path = super::c_str(&mut path)?;
    let new = match fs::make_directory(BorrowedFd::CWD, path, 0o755) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => return Err(errno),
    };
    let directory = fs::open(BorrowedFd::CWD, path, Open::PATH | Open::DIRECTORY | Open::NO_FOLLOW)?;
    Ok((directory, new))
}

fn write_limits(directory: BorrowedFd, config: &Config, workload: &Workload) -> Result<(), Problem> {
    let mut disk = Text::new();
    for setting in config.settings(workload.limits) {
        match write(directory, config, *setting, &mut disk) {
            Ok(()) => {}
            // Not a limit, and the kernel's default is safe.
            Err(Errno::ENOENT) if setting.limit == Limit::OomGroup => {}
            Err(Errno::ENOENT) if !is_asked_for(setting) => {
                // Only the machine's own root has no type.
                let below = fs::stat(BorrowedFd::CWD, c"/sys/fs/cgroup/cgroup.type", Follow::No).is_ok();
                let why = if below {
                    "no pids limit: this cgroup was not given the pids controller"
                } else {
                    "no pids limit: this kernel has none (CONFIG_CGROUP_PIDS)"
                };
                warn_once(&NO_PIDS, why);
            }
            Err(errno) => return Err(Problem::Limit { limit: setting.limit, errno }),
        }
    }
    Ok(())
}

/// The name of a disk in io.max, "8:0".
pub type Disk = Text<{ limits::PATH }>;

/// `disk` is the one that settings for io.max are about.
fn write(directory: BorrowedFd, config: &Config, setting: Setting, disk: &mut Disk) -> Result<(), Errno> {
    let mut line = Disk::new();
    if !put_line(config, setting, disk, &mut line)? {
        return Ok(());
    }
    let mut file = Text::<{ limits::PATH }>::new();
    file.put(setting.limit.name());
    let file = super::c_str(&mut file)?;
    match fs::write_file(directory, file, line.as_bytes()) {
        // Perhaps nobody has asked for its controller yet.
        Err(Errno::ENOENT) => {
            if let Err(failure) = hand_on_for(setting.limit.name()) {
                warn!(failure);
            }
            fs::write_file(directory, file, line.as_bytes())
        }
        written => written,
    }
}

/// What is written to a limit's file. False: nothing is.
pub fn put_line(config: &Config, setting: Setting, disk: &mut Disk, line: &mut Disk) -> Result<bool, Errno> {
    let Setting { limit, value } = setting;
    if !limit.is_of_cgroup() {
        return Ok(false);
    }
    match limit {
        Limit::Cpus | Limit::Mems => line.put(config.bytes(setting.text())),
        Limit::Cpu => put!(*line, value, " ", PERIOD),
        Limit::IoDevice => {
            *disk = whole_disk(config.c_str(setting.text()))?;
            return Ok(false);
        }
        Limit::IoRead => put!(*line, disk.as_bytes(), " rbps=", OrMax(value)),
        Limit::IoWrite => put!(*line, disk.as_bytes(), " wbps=", OrMax(value)),
        Limit::IoReadOperations => put!(*line, disk.as_bytes(), " riops=", OrMax(value)),
        Limit::IoWriteOperations => put!(*line, disk.as_bytes(), " wiops=", OrMax(value)),
        _ => put!(*line, OrMax(value)),
    }
    Ok(true)
}

struct OrMax(u64);

impl Show for OrMax {
    fn show(&self, out: &mut dyn Sink) {
        match self.0 {
            MAX => out.put(b"max"),
            number => number.show(out),
        }
    }
}

/// The disk that a device node stands for, or that what is at a path lies on. Of a
/// partition it is the disk it is on: the kernel limits no less (ENODEV).
fn whole_disk(path: &CStr) -> Result<Disk, Errno> {
    let mut disk = Disk::new();
    disk::locate(path, &mut disk)?;
    let there = fs::stat(BorrowedFd::CWD, super::c_str(&mut disk)?, Follow::Yes)?;
    let (major, minor) = if there.is_block_device() { there.device } else { there.filesystem };
    disk = Disk::new();
    put!(disk, "/sys/dev/block/", major, ":", minor, "/partition");
    let is_partition = fs::stat(BorrowedFd::CWD, super::c_str(&mut disk)?, Follow::Yes).is_ok();
    disk = Disk::new();
    if is_partition {
        // A partition's directory is in that of its disk.
        put!(disk, "/sys/dev/block/", major, ":", minor, "/../dev");
        let mut buffer = [0; 32];
        let number = fs::read_file(BorrowedFd::CWD, super::c_str(&mut disk)?, &mut buffer)?;
        disk = Disk::new();
        disk.put(number.trim_ascii());
    } else {
        put!(disk, major, ":", minor);
    }
    Ok(disk)
}

/// For whoever has told already that there are no limits, and why.
pub fn no_limits_was_told() {
    NO_PIDS.store(true, Ordering::Relaxed);
}

static NO_PIDS: AtomicBool = AtomicBool::new(false);

fn warn_once(said: &AtomicBool, line: &str) {
    if !said.swap(true, Ordering::Relaxed) {
        warn!(line);
    }
}
