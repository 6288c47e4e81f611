//! Handing controllers to workloads' cgroups, and asking those what happened.

use super::{Path, c_str, path, path_of};
use crate::config::{Config, Limit, MAX, WorkloadId};
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, Errno, OwnedFd, io, process};
use crate::text::{self, Show, Sink};
use core::ffi::CStr;

/// What limits are made of; the others of a kernel are left alone.
pub const CONTROLLERS: &[u8] = b"cpu cpuset io memory pids";
/// Those that do something for workloads without limits: a fair share of the processors,
/// knowing what memory was killed for, and the pids limit that all have. The others
/// take the kernel a tenth of a millisecond for each workload, and come with the
/// first limit that needs them ([`hand_on_for`]).
pub const FOR_ALL: &[u8] = b"cpu memory pids";
/// All that limits are made of, for whoever cannot ask for one later.
pub const ALL_CONTROLLERS: &[u8] = b"cpu cpuset io memory pids hugetlb";

/// Why workloads' cgroups have no controllers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DelegateFailure {
    /// `None`: all of them, or there is no cgroup v2 at all.
    controller: Option<&'static [u8]>,
    pub errno: Errno,
}

impl DelegateFailure {
    /// There are cgroups, but this one has processes of others, or another owner.
    pub fn is_not_ours(&self) -> bool {
        matches!(self.errno, Errno::EBUSY | Errno::EACCES | Errno::EPERM)
    }
}

impl Show for DelegateFailure {
    fn show(&self, out: &mut dyn Sink) {
        match self.controller {
            Some(name) => {
                put!(*out, "cannot hand the ", name, " controller to workloads' cgroups: ", self.errno);
            }
            None if self.is_not_ours() => put!(*out, "cannot hand controllers on: ", self.errno),
            None => put!(*out, "cannot limit workloads: no cgroup v2 on /sys/fs/cgroup: ", self.errno),
        }
    }
}

/// Lets cgroups below the root have limits.
pub fn delegate(wanted: &'static [u8]) -> Result<(), DelegateFailure> {
    let mut buffer = [0; 256];
    let there = there(&mut buffer).map_err(|errno| DelegateFailure { controller: None, errno })?;
    let mut result = hand_on(wanted, there);
    // Not the machine's root cgroup but some container's, and we are in it.
    if result == Err(Errno::EBUSY) && step_aside().is_ok() {
        result = hand_on(wanted, there);
        if result == Err(Errno::EBUSY)
            && let Ok(own) = fs::open(BorrowedFd::CWD, c"/sys/fs/cgroup", Open::PATH | Open::DIRECTORY)
        {
            step_back(own.borrow());
        }
    }
    match result {
        Ok(()) => return Ok(()),
        Err(errno) => {
            let failure = DelegateFailure { controller: None, errno };
            if failure.is_not_ours() {
                return Err(failure);
            }
        }
    }
    // One of them is not to be had (a cpu controller with real-time tasks in the root): the others.
    let mut failure = Ok(());
    for name in text::words(wanted, b' ') {
        if let Err(errno) = hand_on(name, there)
            && failure.is_ok()
        {
            failure = Err(DelegateFailure { controller: Some(name), errno });
        }
    }
    failure
}

/// Whether this process is in the cgroup that is mounted on /sys/fs/cgroup.
pub fn is_within() -> bool {
    let open = fs::open(BorrowedFd::CWD, c"/sys/fs/cgroup/cgroup.procs", Open::READ);
    let Ok(list) = open else { return false };
    // A number a line, and it may stand across two reads.
    let mut buffer = [0; 512];
    let (own, mut pid) = (process::id(), 0u32);
    while let Ok(count @ 1..) = io::read(list.borrow(), &mut buffer) {
        for byte in buffer.iter().take(count) {
            if byte.is_ascii_digit() {
                pid = pid.wrapping_mul(10).wrapping_add(u32::from(byte & 0xf));
                continue;
            }
            if pid == own {
                return true;
            }
            pid = 0;
        }
    }
    false
}

/// The controllers of the root.
fn there(buffer: &mut [u8; 256]) -> Result<&[u8], Errno> {
    let there = fs::read_file(BorrowedFd::CWD, c"/sys/fs/cgroup/cgroup.controllers", buffer)?;
    Ok(there.trim_ascii())
}

/// Hands on the controller that a file of workloads' cgroups belongs to ("cpuset.cpus"), if it is there.
pub(super) fn hand_on_for(file: &'static [u8]) -> Result<(), DelegateFailure> {
    let name = text::words(file, b'.').next();
    let handed = there(&mut [0; 256]).and_then(|there| hand_on(name.unwrap_or(b""), there));
    handed.map_err(|errno| DelegateFailure { controller: name, errno })
}

/// Hands those of `wanted` on that are `there`.
fn hand_on(wanted: &[u8], there: &[u8]) -> Result<(), Errno> {
    let mut line = Path::new();
    for name in text::words(wanted, b' ') {
        if text::word_index(there, b' ', name).is_some() {
            put!(line, "+", name, " ");
        }
    }
    if line.is_empty() {
        return Ok(());
    }
    fs::write_file(BorrowedFd::CWD, c"/sys/fs/cgroup/cgroup.subtree_control", line.as_bytes())
}

/// Moves this process into a cgroup of its own. No workload can have its name.
fn step_aside() -> Result<(), Errno> {
    const OWN: &CStr = c"/sys/fs/cgroup/corm.init";
    match fs::make_directory(BorrowedFd::CWD, OWN, 0o755) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    // Process 0 is the one that writes.
    fs::write_file(BorrowedFd::CWD, c"/sys/fs/cgroup/corm.init/cgroup.procs", b"0")
}

/// Undoes that, in the cgroup that this process was in, which is left as it was found:
/// without controllers handed on, so that processes may be in it again.
pub fn step_back(own: BorrowedFd) {
    let mut buffer = [0; 256];
    let handed = fs::read_file(own, c"cgroup.subtree_control", &mut buffer).unwrap_or(&[]);
    let mut line = Path::new();
    for name in text::words(handed.trim_ascii(), b' ') {
        put!(line, "-", name, " ");
    }
    if !line.is_empty() {
        let _ = fs::write_file(own, c"cgroup.subtree_control", line.as_bytes());
    }
    let _ = fs::write_file(own, c"cgroup.procs", b"0");
    // If one of these fails, somebody else has a part of it by now, and it is his.
    let _ = fs::remove_directory(own, c"corm.init");
}

/// Kills everything in a workload's cgroup at once; cgroup.kill, Linux 5.14.
pub fn kill(config: &Config, id: WorkloadId) -> Result<(), Errno> {
    fs::write_file(BorrowedFd::CWD, c_str(&mut path(config, id, "/cgroup.kill"))?, b"1")
}

/// Has everything in a workload's cgroup stand still, or go on.
pub fn freeze(config: &Config, id: WorkloadId, frozen: bool) -> Result<(), Errno> {
    let value: &[u8] = if frozen { b"1" } else { b"0" };
    fs::write_file(BorrowedFd::CWD, c_str(&mut path(config, id, "/cgroup.freeze"))?, value)
}

/// What can be watched: the limit that makes it worth it, the file, and the number in
/// it that counts. Pressure has no number: the kernel is told what is too much, and
/// when to speak.
static WATCHES: [(Limit, &str, &[u8]); WATCHED] = [
    (Limit::OomGroup, "/memory.events", b"oom_kill"),
    (Limit::Pids, "/pids.events", b"max"),
    (Limit::MemoryPressure, "/memory.pressure", b""),
    (Limit::CpuPressure, "/cpu.pressure", b""),
    (Limit::IoPressure, "/io.pressure", b""),
];

/// How many things of a workload can be watched.
pub const WATCHED: usize = 5;

/// Begins to watch what is worth it; `None`: it is not. The descriptor says by priority
/// data that something has happened, once for each [`events`].
pub fn watch(config: &Config, id: WorkloadId, index: usize) -> Option<Result<OwnedFd, Errno>> {
    let (limit, file, key) = WATCHES.get(index)?;
    let setting = config.setting(config.workload(id)?, *limit)?;
    let wanted = match limit {
        // Where all of it ends, its end tells.
        Limit::OomGroup => setting == 0,
        _ => setting != MAX,
    };
    let open = || {
        let mut path = path(config, id, file);
        let path = c_str(&mut path)?;
        if !key.is_empty() {
            return fs::open(BorrowedFd::CWD, path, Open::READ);
        }
        let file = fs::open(BorrowedFd::CWD, path, Open::READ_WRITE | Open::NON_BLOCKING)?;
        let mut trigger = Path::new();
        // Of each second, in microseconds. The setting is of 100,000.
        put!(trigger, "some ", setting.saturating_mul(10), " 1000000");
        io::write(file.borrow(), trigger.as_bytes())?;
        Ok(file)
    };
    wanted.then(open)
}

/// The limit that a watch is about.
pub fn watched(index: usize) -> Limit {
    WATCHES.get(index).map_or(Limit::Memory, |(limit, ..)| *limit)
}

/// Which limit a watch is about, and how often it was met since the cgroup was made.
pub fn events(index: usize, watch: BorrowedFd) -> Option<(Limit, u32)> {
    let (limit, _, key) = WATCHES.get(index)?;
    let mut buffer = [0; 512];
    let text = if key.is_empty() { b"" } else { io::read_again(watch, &mut buffer).ok()? };
    Some((*limit, value_of(text, key).unwrap_or(0).try_into().unwrap_or(u32::MAX)))
}

/// Whether any process is in a workload's cgroup.
pub fn is_populated(config: &Config, id: WorkloadId) -> bool {
    number(config, id, "/cgroup.events", b"populated").is_some_and(|populated| populated != 0)
}

/// How many of a workload's processes the kernel has killed for want of memory,
/// since its cgroup was made.
pub fn oom_kills(config: &Config, id: WorkloadId) -> u32 {
    number(config, id, "/memory.events", b"oom_kill").map_or(0, |kills| kills.try_into().unwrap_or(u32::MAX))
}

/// Whether it was its own limit that a workload wanted more memory than.
pub fn met_its_memory(config: &Config, id: WorkloadId) -> bool {
    number(config, id, "/memory.events", b"oom").is_some_and(|times| times > 0)
}

/// How many forks the kernel has refused a workload.
pub fn refused_forks(config: &Config, id: WorkloadId) -> u32 {
    number(config, id, "/pids.events", b"max").map_or(0, |forks| forks.try_into().unwrap_or(u32::MAX))
}

/// The most memory a workload has had, in bytes; memory.peak, Linux 5.19.
pub fn peak(config: &Config, id: WorkloadId) -> Option<u64> {
    number(config, id, "/memory.peak", b"")
}

/// cgroup.events, which epoll reports as priority data when it changes.
pub fn open_events(config: &Config, id: WorkloadId) -> Result<OwnedFd, Errno> {
    fs::open(BorrowedFd::CWD, c_str(&mut path(config, id, "/cgroup.events"))?, Open::READ)
}

/// Removes a workload's cgroup. EBUSY while a process is in it.
pub fn remove(config: &Config, id: WorkloadId) -> Result<(), Errno> {
    fs::remove_directory(BorrowedFd::CWD, c_str(&mut path(config, id, ""))?)
}

fn number(config: &Config, id: WorkloadId, file: &str, key: &[u8]) -> Option<u64> {
    let workload = config.workload(id)?;
    usage(config.bytes(workload.name), file, key)
}

/// The number behind `key` in a file of the cgroup of the workload with that name.
pub fn usage(name: &[u8], file: &str, key: &[u8]) -> Option<u64> {
    let mut buffer = [0; 512];
    let text = fs::read_file(BorrowedFd::CWD, c_str(&mut path_of(name, file)).ok()?, &mut buffer).ok()?;
    value_of(text, key)
}

/// The number behind `key` in "key number" lines; an empty key is a file with
/// nothing but a number.
pub(super) fn value_of(text: &[u8], key: &[u8]) -> Option<u64> {
    text::words(text, b'\n').find_map(|line| {
        let value = match key {
            b"" => line,
            _ => line.strip_prefix(key)?.strip_prefix(b" ")?,
        };
        text::number(value, 10)
    })
}
