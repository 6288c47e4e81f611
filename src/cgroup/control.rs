//! Handing controllers to workloads' cgroups, and asking those what happened.

use super::{Path, c_str, path};
use crate::config::{Config, WorkloadId};
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, Errno, OwnedFd};
use crate::text::{self, Show, Sink};
use core::ffi::CStr;

/// What limits are made of; the others of a kernel are left alone.
pub const CONTROLLERS: &[u8] = b"cpu cpuset hugetlb io memory pids";

/// Why workloads' cgroups have no controllers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DelegateFailure {
    /// `None`: there is no cgroup v2 at all.
    controller: Option<&'static [u8]>,
    errno: Errno,
}

impl Show for DelegateFailure {
    fn show(&self, out: &mut dyn Sink) {
        match self.controller {
            Some(name) => {
                put!(*out, "cannot hand the ", name, " controller to workloads' cgroups: ", self.errno);
            }
            None => put!(*out, "cannot limit workloads: no cgroup v2 on /sys/fs/cgroup: ", self.errno),
        }
    }
}

/// Lets cgroups below the root have limits. Once, at boot.
pub fn delegate() -> Result<(), DelegateFailure> {
    let mut buffer = [0; 256];
    let there = fs::read_file(BorrowedFd::CWD, c"/sys/fs/cgroup/cgroup.controllers", &mut buffer)
        .map_err(|errno| DelegateFailure { controller: None, errno })?
        .trim_ascii();
    let mut result = hand_on(CONTROLLERS, there);
    // Not the machine's root cgroup but some container's, and we are in it.
    if result == Err(Errno::EBUSY) && step_aside().is_ok() {
        result = hand_on(CONTROLLERS, there);
    }
    if result.is_ok() {
        return Ok(());
    }
    // One of them is not to be had (a cpu controller with real-time tasks in the root): the others.
    let mut failure = Ok(());
    for name in text::words(CONTROLLERS, b' ') {
        if let Err(errno) = hand_on(name, there)
            && failure.is_ok()
        {
            failure = Err(DelegateFailure { controller: Some(name), errno });
        }
    }
    failure
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

/// Kills everything in a workload's cgroup at once; cgroup.kill, Linux 5.14.
pub fn kill(config: &Config, id: WorkloadId) -> Result<(), Errno> {
    fs::write_file(BorrowedFd::CWD, c_str(&mut path(config, id, "/cgroup.kill"))?, b"1")
}

/// Has everything in a workload's cgroup stand still, or go on.
pub fn freeze(config: &Config, id: WorkloadId, frozen: bool) -> Result<(), Errno> {
    let value: &[u8] = if frozen { b"1" } else { b"0" };
    fs::write_file(BorrowedFd::CWD, c_str(&mut path(config, id, "/cgroup.freeze"))?, value)
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
    let mut buffer = [0; 512];
    let text = fs::read_file(BorrowedFd::CWD, c_str(&mut path(config, id, file)).ok()?, &mut buffer).ok()?;
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
