//! The processes that are left when the child is gone, or that overstay.

use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, children, io, power};

/// Sends a signal to all of them. As PID 1 that is everybody in the container;
/// elsewhere the child's group and our own children, which orphans become.
pub(super) fn signal(pid: u32, child: u32, signal: u8) {
    // Somebody who is gone already needs no signal.
    if pid == 1 {
        let _ = power::kill_everything(i32::from(signal));
        return;
    }
    let _ = children::kill_group(child, signal);
    let Ok(list) = fs::open(BorrowedFd::CWD, c"/proc/thread-self/children", Open::READ) else { return };
    // "12 345 6 ", and a number may stand across two reads.
    let mut buffer = [0; 64];
    let mut number = 0u32;
    while let Ok(count @ 1..) = io::read(list.borrow(), &mut buffer) {
        for byte in buffer.iter().take(count) {
            if byte.is_ascii_digit() {
                number = number.wrapping_mul(10).wrapping_add(u32::from(byte & 0xf));
            } else if number != 0 {
                let _ = children::kill(number, signal);
                number = 0;
            }
        }
    }
}
