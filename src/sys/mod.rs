//! The only `unsafe` in corm: one file per family of system calls.
//!
//! Above this module there are no raw integers and no pointers: functions take
//! [`BorrowedFd`], `&CStr`, slices and flag types, and return
//! `Result<_, Errno>`. Each function names its man page and, where it is newer
//! than Linux 5.0, the kernel that brought it. One system call an `unsafe`
//! block; the SAFETY comment names what makes the pointers in it valid.
//!
//! No function here decides anything or logs anything.
#![allow(unsafe_code)]

pub mod block;
pub mod bpf;
pub mod cell;
pub mod children;
pub mod clock;
pub mod credentials;
pub mod datagram;
pub mod entry;
mod errno;
pub mod event;
pub mod fd;
pub mod fs;
pub mod io;
pub mod kernel_log;
pub mod landlock;
pub mod machine;
#[cfg(target_env = "musl")]
mod mem;
pub mod module;
pub mod mount;
pub mod netlink;
pub mod packet;
pub mod pages;
mod panic;
pub mod power;
pub mod process;
pub mod socket;
pub mod time;
pub mod tty;

use core::ffi::CStr;

pub use entry::Args;
pub use errno::Errno;
pub use fd::{BorrowedFd, OwnedFd};

/// The C string that `bytes` begin with, if there is a NUL in them: `core`'s own
/// looks at eight bytes at once, and is ten times the code.
#[inline(never)]
pub fn c_str(bytes: &[u8]) -> Option<&CStr> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let string = bytes.get(..=end)?;
    // SAFETY: `string` ends with the first NUL there is.
    Some(unsafe { CStr::from_bytes_with_nul_unchecked(string) })
}

/// A system call by name: `call!(openat, dir, path, flags)` is
/// `Result<usize, Errno>`. Every argument must fit a register; a 64-bit value
/// on a 32-bit machine is split by the caller.
macro_rules! call {
    ($name:ident $(, $arg:expr)* $(,)?) => {
        syscalls::syscall!(syscalls::Sysno::$name $(, $arg)*).map_err($crate::sys::Errno::from_syscall)
    };
}
pub(crate) use call;
