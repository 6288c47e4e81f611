//! Processes that are no workload's: daemons that left a cgroup, helpers of
//! corm that still wait for a device.
//!
//! Every process of the machine descends from PID 1, and one whose parent dies
//! becomes PID 1's own child, so "no children" is "no processes". The kernel's
//! own threads are not among them.

use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, children, clock, power, time};
use crate::text::{Sink, Text};
use crate::{limits, warn};
use core::ffi::CStr;

/// Milliseconds that strays get to end after SIGTERM. They had no owner to give
/// them a time of their own.
const GRACE: u64 = 500;

/// Milliseconds that SIGKILL may take: a process in the middle of a disk's or a
/// network filesystem's answer does not die before it.
const MOST: u64 = 2000;

/// Ends every process but this one, and reaps them.
pub(super) fn kill() {
    for (signal, patience) in [(libc::SIGTERM, GRACE), (libc::SIGKILL, MOST)] {
        if reap_all_within(0) {
            return;
        }
        // ESRCH: nobody is left, which the next look finds out as well.
        let _ = power::kill_everything(signal);
        if reap_all_within(patience) {
            return;
        }
    }
    name_survivors();
}

/// Reaps until there are no children, or for `millis`; says whether there are none.
fn reap_all_within(millis: u64) -> bool {
    wait_within(millis, &mut || {
        while children::reap().is_some() {}
        !time::has_children()
    })
}

/// Looks again after every child's end, for at most `millis`.
pub(super) fn wait_within(millis: u64, done: &mut dyn FnMut() -> bool) -> bool {
    let end = clock::now().saturating_add(millis);
    loop {
        if done() {
            return true;
        }
        let left = end.saturating_sub(clock::now());
        if left == 0 {
            return false;
        }
        // However it returns, the next look decides.
        let _ = time::wait_for_child(left);
    }
}

/// Names the processes that SIGKILL did not end.
fn name_survivors() {
    let cwd = BorrowedFd::CWD;
    let result = fs::open(cwd, c"/proc", Open::READ | Open::DIRECTORY).and_then(|proc| {
        fs::for_each_entry(proc.borrow(), &mut |name| {
            if name != c"1" && name.to_bytes().iter().all(u8::is_ascii_digit) {
                name_survivor(proc.borrow(), name);
            }
        })
    });
    if let Err(errno) = result {
        warn!("some processes do not die; cannot list them: ", errno);
    }
}

fn name_survivor(proc: BorrowedFd, pid: &CStr) {
    let mut path = Text::<{ limits::PATH }>::new();
    let mut buffer = [0; 64];
    path.put(pid.to_bytes());
    path.put(b"/exe");
    // The kernel's threads have no executable, and neither has a zombie.
    if path.as_c_str().is_none_or(|path| fs::read_link(proc, path, &mut buffer).is_err()) {
        return;
    }
    path.truncate(pid.to_bytes().len());
    path.put(b"/comm");
    let name = path.as_c_str().and_then(|path| fs::read_file(proc, path, &mut buffer).ok());
    let name = name.unwrap_or(b"?").trim_ascii();
    warn!("process ", pid, " (", name, ") does not die: it waits for a device or a filesystem");
}
