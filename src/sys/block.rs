//! Loop devices, as far as the end of a machine needs them.

use super::{BorrowedFd, Errno, call};

/// Takes the file away from a loop device; ENXIO: it has none. loop(4) LOOP_CLR_FD.
pub fn detach_loop(device: BorrowedFd) -> Result<(), Errno> {
    const LOOP_CLR_FD: usize = 0x4c01;
    // SAFETY: the command takes no argument.
    unsafe { call!(ioctl, device.number(), LOOP_CLR_FD, 0) }.map(drop)
}
