//! The three standard descriptors.

use super::{BorrowedFd, Errno, call};

/// Whether the descriptor is open at all; fcntl(2) F_GETFD.
pub fn is_open(fd: BorrowedFd) -> bool {
    // SAFETY: no pointers.
    unsafe { call!(fcntl, fd.number(), libc::F_GETFD) }.is_ok()
}

/// Makes `standard` (0, 1 or 2) a copy of `fd` that stays open across execve(2).
/// dup3(2); `fd` must be another descriptor.
pub fn install(fd: BorrowedFd, standard: BorrowedFd<'static>) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(dup3, fd.number(), standard.number(), 0) }.map(drop)
}
