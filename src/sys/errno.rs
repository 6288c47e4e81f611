//! The kernel's error numbers, with the words people know them by.

use crate::text::{Show, Sink};

/// An error number as in errno(3); never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(u16);

macro_rules! known {
    ($($name:ident $text:literal)*) => {
        impl Errno {
            $(pub const $name: Errno = Errno(libc::$name as u16);)*
        }

        static NUMBERS: &[u16] = &[$(libc::$name as u16),*];
        /// In the same order, each with a NUL behind it: one text instead of a
        /// table of pointers into it.
        static WORDS: &str = concat!($($text, " (", stringify!($name), ")\0"),*);
    };
}

known! {
    EPERM "operation not permitted"
    ENOENT "no such file or directory"
    ESRCH "no such process"
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
        if number == 0 || number > 4095 { Errno::EIO } else { Errno(number) }
    }

    pub fn raw(self) -> u16 {
        self.0
    }

    pub(super) fn from_syscall(errno: syscalls::Errno) -> Errno {
        // The kernel's are 1 to 4095, and this is in every system call: no checks.
        Errno(errno.into_raw() as u16)
    }
}

impl Show for Errno {
    fn show(&self, out: &mut dyn Sink) {
        let mut words = NUMBERS.iter().zip(WORDS.as_bytes().split(|byte| *byte == 0));
        match words.find(|(number, _)| **number == self.0) {
            Some((_, words)) => out.put(words),
            None => {
                out.put(b"errno ");
                u64::from(self.0).show(out);
            }
        }
    }
}
