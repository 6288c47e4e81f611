//! File descriptors as types: who closes what is in the signature.

use super::{Errno, call};
use core::marker::PhantomData;
use core::num::NonZeroI32;

/// A descriptor that closes itself. Its number is kept with all bits turned over, so
/// that `None` is zero and an option takes no more room: PID 1 has a dozen a workload.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnedFd(NonZeroI32);

/// A descriptor somebody else keeps open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BorrowedFd<'a>(i32, PhantomData<&'a OwnedFd>);

impl OwnedFd {
    /// Takes over a descriptor that the kernel has just returned.
    pub(super) fn from_return(value: usize) -> OwnedFd {
        OwnedFd::from_number(value as i32)
    }

    /// Takes over a descriptor whose number was kept as plain data (PID 1's
    /// state must survive a re-exec, so it holds numbers). The caller holds the
    /// only copy of that number.
    pub fn from_number(number: i32) -> OwnedFd {
        // -1 is no descriptor, and neither is what stands for it then.
        OwnedFd(NonZeroI32::new(!number).unwrap_or(NonZeroI32::MIN))
    }

    /// The number, to be kept as plain data; nothing closes it any more.
    pub fn into_number(self) -> i32 {
        let number = self.borrow().number();
        core::mem::forget(self);
        number
    }

    pub fn borrow(&self) -> BorrowedFd<'_> {
        BorrowedFd(!self.0.get(), PhantomData)
    }
}

impl Drop for OwnedFd {
    #[inline(never)] // At every early return there is one.
    fn drop(&mut self) {
        // close(2): the descriptor is gone whatever is returned, so there is nothing to handle.
        // SAFETY: no pointers; the number is owned and not used again.
        let _ = unsafe { call!(close, self.borrow().number()) };
    }
}

impl BorrowedFd<'static> {
    pub const STDIN: Self = BorrowedFd(0, PhantomData);
    pub const STDOUT: Self = BorrowedFd(1, PhantomData);
    pub const STDERR: Self = BorrowedFd(2, PhantomData);
    /// The current directory, where a directory descriptor is expected.
    pub const CWD: Self = BorrowedFd(libc::AT_FDCWD, PhantomData);

    /// A descriptor kept open as plain data (see [`OwnedFd::from_number`]). A
    /// number that is not open any more gives EBADF, never memory unsafety.
    pub fn from_number(number: i32) -> Self {
        BorrowedFd(number, PhantomData)
    }
}

impl BorrowedFd<'_> {
    pub fn number(self) -> i32 {
        self.0
    }

    /// fcntl(2) F_DUPFD_CLOEXEC at 3 or above.
    pub fn duplicate(self) -> Result<OwnedFd, Errno> {
        const LOWEST: usize = 3;
        // SAFETY: no pointers.
        unsafe { call!(fcntl, self.0, libc::F_DUPFD_CLOEXEC, LOWEST) }.map(OwnedFd::from_return)
    }

    /// dup3(2) onto a given number, which execve(2) keeps open. Whatever was
    /// open there is closed. EINVAL if it is that number already.
    pub fn duplicate_onto(self, number: i32) -> Result<(), Errno> {
        // SAFETY: no pointers.
        unsafe { call!(dup3, self.0, number, 0) }.map(drop)
    }
}

/// close_range(2) with CLOSE_RANGE_CLOEXEC, Linux 5.11: execve(2) closes every
/// descriptor from `first` on.
pub fn close_on_exec_from(first: i32) -> Result<(), Errno> {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    // SAFETY: no pointers.
    unsafe { call!(close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) }.map(drop)
}

/// close_range(2), Linux 5.9: closes every descriptor from `first` on. For a
/// process that owns none of them as [`OwnedFd`].
pub fn close_from(first: i32) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(close_range, first, u32::MAX, 0) }.map(drop)
}
