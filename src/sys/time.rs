//! Waiting for time to pass, and for children to end. Never in PID 1's event loop.

use super::{Errno, call};
use core::ptr;

/// struct __kernel_timespec, 64-bit everywhere.
#[repr(C)]
struct Timespec64 {
    seconds: i64,
    nanos: i64,
}

impl Timespec64 {
    fn from_millis(millis: u64) -> Timespec64 {
        Timespec64 {
            seconds: (millis / 1000).try_into().unwrap_or(i64::MAX),
            nanos: ((millis % 1000) * 1_000_000) as i64,
        }
    }
}

/// Sleeps, or less if a signal comes. clock_nanosleep(2).
pub fn sleep(millis: u64) {
    let time = Timespec64::from_millis(millis);
    // Interrupted or not, the caller looks at the clock.
    // SAFETY: `time` is readable; the remaining time is not asked for.
    #[cfg(target_arch = "arm")]
    let _ = unsafe { call!(clock_nanosleep_time64, libc::CLOCK_MONOTONIC, 0, &raw const time, 0) };
    // SAFETY: as above.
    #[cfg(not(target_arch = "arm"))]
    let _ = unsafe { call!(clock_nanosleep, libc::CLOCK_MONOTONIC, 0, &raw const time, 0) };
}

/// Waits until a child has ended, or for `millis`. SIGCHLD must be blocked, and
/// may be pending from an earlier child.
pub fn wait_for_child(millis: u64) -> Result<(), Errno> {
    wait_for_signal(1 << (libc::SIGCHLD - 1), Some(millis)).map(drop)
}

/// Takes the next signal of `set` (bit n-1 is signal n), which must be blocked;
/// waits for one for `millis`, or for ever. EAGAIN: none came. EINTR: the process
/// was stopped, or a debugger came. rt_sigtimedwait(2).
pub fn wait_for_signal(set: u64, millis: Option<u64>) -> Result<u8, Errno> {
    let time = Timespec64::from_millis(millis.unwrap_or(0));
    let time = if millis.is_some() { &raw const time } else { ptr::null() };
    // SAFETY: `set` is readable, `time` too or null; no information about the signal is asked for.
    #[cfg(target_arch = "arm")]
    let signal = unsafe { call!(rt_sigtimedwait_time64, &raw const set, 0, time, size_of_val(&set)) };
    // SAFETY: as above.
    #[cfg(not(target_arch = "arm"))]
    let signal = unsafe { call!(rt_sigtimedwait, &raw const set, 0, time, size_of_val(&set)) };
    signal.map(|signal| signal as u8)
}

/// Whether there is any child, running or ended. waitid(2) without taking anything.
pub fn has_children() -> bool {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: no status and no resource usage are asked for.
    let result = unsafe { call!(waitid, libc::P_ALL, 0, 0, flags, 0) };
    result != Err(Errno::ECHILD)
}

/// Waits for a signal that is not blocked: for ever, where all are.
pub fn pause() {
    // SAFETY: no descriptors, no timeout, no signal mask.
    #[cfg(target_arch = "arm")]
    let _ = unsafe { call!(ppoll_time64, 0, 0, 0, 0, 0) };
    // SAFETY: as above.
    #[cfg(not(target_arch = "arm"))]
    let _ = unsafe { call!(ppoll, 0, 0, 0, 0, 0) };
}
