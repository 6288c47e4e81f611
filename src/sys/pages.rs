//! Memory that is not needed any more goes back to the kernel.
//!
//! PID 1 needs two thirds of its program only to start and to end a machine and its
//! workloads, and the config's tree only while it reads the config. Linux would keep
//! both for years.

use super::call;
use core::ffi::c_void;

/// The least page of the three architectures.
const PAGE: usize = 4096;

/// A value that nobody will look at again: the whole pages of it.
pub fn give_back<T>(value: &'static mut T) {
    let start: *mut T = value;
    let end = start.addr().saturating_add(size_of::<T>());
    let start = start.map_addr(|address| address.next_multiple_of(PAGE));
    let length = end.saturating_sub(start.addr()) / PAGE * PAGE;
    // SAFETY: these pages are the value's alone, and the only reference to it ends here.
    unsafe { advise(start.cast(), length, libc::MADV_DONTNEED) }
}

/// The program itself: whoever goes on reads what it needs again from the program's
/// file, and little more. A fault maps up to sixteen pages around it, but never beyond a
/// mapping's border, and mappings that differ in advice are two: with windows of two
/// pages PID 1 at rest has a third of its hot code in memory.
pub fn give_back_program() {
    #[cfg(target_env = "musl")]
    {
        const WINDOW: usize = 2 * PAGE;
        unsafe extern "C" {
            safe static __executable_start: u8;
            safe static rare_end: u8;
        }
        let start = (&raw const __executable_start).cast_mut().cast::<c_void>();
        let length = (&raw const rare_end).addr().saturating_sub(start.addr());
        // SAFETY: neither code nor constants are ever written, so what comes back is the same.
        unsafe { advise(start, length, libc::MADV_DONTNEED) }
        for window in (0..length).step_by(2 * WINDOW) {
            // SAFETY: as above; it is only about how it is read.
            unsafe { advise(start.wrapping_byte_add(window), WINDOW, libc::MADV_RANDOM) }
        }
    }
}

/// All of the program but what src/device.ld has put together for `corm init`
/// (which must hold the caller, too: coming back here must not read it again).
/// Whoever calls more than that reads it again from the program's file.
pub fn give_back_all_but_init() {
    #[cfg(target_env = "musl")]
    {
        unsafe extern "C" {
            safe static __ehdr_start: u8;
            safe static keep_start: u8;
            safe static keep_end: u8;
            safe static rare_end: u8;
        }
        let before = (&raw const __ehdr_start, &raw const keep_start);
        for (start, end) in [before, (&raw const keep_end, &raw const rare_end)] {
            let start = start.map_addr(|address| address.next_multiple_of(PAGE));
            let length = end.addr().saturating_sub(start.addr()) / PAGE * PAGE;
            // SAFETY: code and constants are never written, so what comes back is the same.
            unsafe { advise(start.cast_mut().cast(), length, libc::MADV_DONTNEED) }
        }
    }
}

/// What a deeper call has left below the caller's stack: a boot's is deeper than
/// whatever comes later.
#[inline(never)]
pub fn give_back_stack() {
    const DEEPEST: usize = 16 * PAGE;
    let here = 0u8;
    // The page below may have some of this call in it.
    let end = (&raw const here).map_addr(|address| (address / PAGE).saturating_sub(1).wrapping_mul(PAGE));
    let start = end.wrapping_sub(DEEPEST);
    // SAFETY: what is below a stack's end is nobody's.
    unsafe { advise(start.cast_mut().cast(), DEEPEST, libc::MADV_DONTNEED) }
}

/// madvise(2).
///
/// # Safety
///
/// Nobody relies on what is in these pages, or they come back as they were.
unsafe fn advise(start: *mut c_void, length: usize, advice: i32) {
    // What cannot be given back stays, which harms nobody.
    // SAFETY: no memory is accessed; the caller vouches for what changes.
    let _ = unsafe { call!(madvise, start, length, advice) };
}
