//! The kernel's error numbers, with the words people know them by.

use crate::pack::Packed;
use crate::text::{self, Show, Sink, Value};
use crate::{packed, put};
use core::num::NonZeroU16;

/// An error number as in errno(3); never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(NonZeroU16);

macro_rules! known {
    ($($name:ident $text:literal)*) => {
        impl Errno {
            $(pub const $name: Errno = Errno(NonZeroU16::new(libc::$name as u16).unwrap());)*
        }

        static NUMBERS: &[u16] = &[$(libc::$name as u16),*];
        /// In the same order, each with a NUL behind it: one text instead of a
        /// table of pointers into it.
        static WORDS: Packed = packed!(concat!($($text, " (", stringify!($name), ")\0"),*));
    };
}

known! {
    EPERM "operation not permitted"
    ENOENT "no such file or directory"
    ESRCH "no such process"
    ECONNRESET "connection reset"
    EINTR "interrupted"
    EIO "input/output error"
    ENXIO "no such device or address"
    E2BIG "argument list too long"
    ENOEXEC "not an executable for this machine"
    EBADF "bad file descriptor"
    ECHILD "no child processes"
    EAGAIN "resource temporarily unavailable"
    ENOMEM "out of memory"
    EACCES "permission denied"
    EFAULT "bad address"
    EBUSY "device or resource busy"
    EEXIST "already exists"
    EXDEV "across filesystems"
    ENODEV "no such device"
    ENOTDIR "not a directory"
    EISDIR "is a directory"
    EINVAL "invalid argument"
    ENFILE "too many open files in system"
    EMFILE "too many open files"
    ENOTTY "not a terminal"
    ETXTBSY "text file busy"
    EFBIG "file too large"
    ENOSPC "no space left on device"
    EROFS "read-only file system"
    EMLINK "too many links"
    EPIPE "broken pipe"
    ERANGE "out of range"
    EDEADLK "would deadlock"
    ENAMETOOLONG "name too long"
    ENOSYS "not in this kernel"
    ENOTEMPTY "directory not empty"
    ELOOP "too many symbolic links"
    ENODATA "no data"
    EOVERFLOW "value too large"
    EUSERS "too many users"
    EOPNOTSUPP "operation not supported"
    EADDRINUSE "address already in use"
    EADDRNOTAVAIL "address not available"
    ENETDOWN "network is down"
    ENETUNREACH "network is unreachable"
    EAFNOSUPPORT "address family not supported"
    ENOBUFS "no buffer space"
    ETIMEDOUT "timed out"
    ECONNREFUSED "connection refused"
    EALREADY "already in progress"
    ESTALE "stale file handle"
    EDQUOT "quota exceeded"
    EKEYREJECTED "key rejected"
    ENOKEY "required key not available"
    EBADMSG "bad message"
}

impl Errno {
    /// From a number that crossed a pipe or a socket; 0 and nonsense become EIO.
    pub fn from_raw(number: u16) -> Errno {
        match NonZeroU16::new(number) {
            Some(number) if number.get() <= 4095 => Errno(number),
            _ => Errno::EIO,
        }
    }

    pub fn raw(self) -> u16 {
        self.0.get()
    }

    pub(super) fn from_syscall(errno: syscalls::Errno) -> Errno {
        // This is in every system call, so it is not checked.
        // SAFETY: what a system call that failed returns is 1 to 4095, negated.
        Errno(unsafe { NonZeroU16::new_unchecked(errno.into_raw() as u16) })
    }
}

impl Show for Errno {
    fn show(&self, out: &mut dyn Sink) {
        show(self.raw().into(), out);
    }

    fn value(&self) -> Value<'_> {
        Value::By(show, self.raw().into())
    }
}

fn show(number: u64, out: &mut dyn Sink) {
    let index = NUMBERS.iter().position(|known| u64::from(*known) == number);
    match index.and_then(|index| text::words(WORDS.0, 0).nth(index)) {
        Some(words) => Packed(words).show(out),
        None => put!(*out, "errno ", number),
    }
}
