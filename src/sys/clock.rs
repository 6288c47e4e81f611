//! The time since boot, and the time of day.

use super::call;

/// CLOCK_MONOTONIC in nanoseconds; clock_gettime(2), the 64-bit one everywhere.
/// It is the clock of the kernel log's time stamps, give or take.
pub fn monotonic_nanos() -> u64 {
    nanos(libc::CLOCK_MONOTONIC)
}

/// The time of day: CLOCK_REALTIME, in nanoseconds since 1970.
pub fn real_nanos() -> u64 {
    nanos(libc::CLOCK_REALTIME)
}

fn nanos(clock: i32) -> u64 {
    #[repr(C)]
    struct Timespec64 {
        seconds: i64,
        nanos: i64,
    }
    let mut now = Timespec64 { seconds: 0, nanos: 0 };
    // SAFETY: `now` is a struct __kernel_timespec to write to. Both clocks exist on every kernel.
    #[cfg(target_arch = "arm")]
    let _ = unsafe { call!(clock_gettime64, clock, &raw mut now) };
    // SAFETY: as above.
    #[cfg(not(target_arch = "arm"))]
    let _ = unsafe { call!(clock_gettime, clock, &raw mut now) };
    (now.seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(now.nanos as u64)
}

/// Milliseconds since boot.
pub fn now() -> u64 {
    monotonic_nanos() / 1_000_000
}
