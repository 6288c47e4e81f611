//! Another program behind the walls of a workload that runs: `corm exec`.
//!
//! The plan is the workload's own, without the steps that raise what stands already
//! (namespaces, mounts); in their place the child enters the namespaces of the workload's
//! main process. All that takes rights away is the same, in the same order, so
//! there is nothing that this program may do and the workload may not.
//!
//! The process is known by a handle (pidfd), so it cannot come to be another one.
//! Which namespaces to enter is seen from /proc, not from the config: those that differ.

use super::environment::{self, Block};
use crate::limits;
use crate::put;
use crate::sys::fs::{self, Follow};
use crate::sys::process::{self, Namespaces};
use crate::sys::{BorrowedFd, Errno};
use crate::text::{self, Text};
use core::ffi::CStr;

/// A workload's main process, and what is to run beside it.
pub struct Enter<'a> {
    process: BorrowedFd<'a>,
    /// Without that of pids, which only children enter.
    namespaces: Namespaces,
    pids: bool,
    /// The program and its arguments.
    pub command: &'a [&'a CStr],
}

static KINDS: [(&str, Namespaces); 7] = [
    ("mnt", Namespaces::MOUNT),
    ("cgroup", Namespaces::CGROUP),
    ("uts", Namespaces::UTS),
    ("ipc", Namespaces::IPC),
    ("net", Namespaces::NETWORK),
    ("user", Namespaces::USER),
    ("time", Namespaces::TIME),
];

impl<'a> Enter<'a> {
    /// `process` is the handle of `pid`, which must have been alive after it was opened.
    pub fn new(process: BorrowedFd<'a>, pid: u32, command: &'a [&'a CStr]) -> Result<Enter<'a>, Errno> {
        let mut namespaces = Namespaces::NONE;
        for (name, flag) in KINDS {
            if differs(pid, name)? {
                namespaces = namespaces | flag;
            }
        }
        Ok(Enter { process, namespaces, pids: differs(pid, "pid")?, command })
    }

    /// The next child is in its pid namespace.
    pub(super) fn enter_pids(&self) -> Result<(), Errno> {
        if self.pids { process::enter(self.process, Namespaces::PID) } else { Ok(()) }
    }

    pub(super) fn enter(&self) -> Result<(), Errno> {
        if self.namespaces == Namespaces::NONE {
            Ok(())
        } else {
            process::enter(self.process, self.namespaces)
        }
    }

    /// Executes the program: by its path, or where the environment's PATH finds it. Only
    /// returns with what went wrong.
    pub(super) fn search(&self, environment: &Block, execute: &dyn Fn(&CStr) -> Errno) -> Errno {
        let program = self.command.first().copied().unwrap_or(c"");
        if text::has(program.to_bytes(), b'/') {
            return execute(program);
        }
        let path =
            environment::strings(environment).find_map(|string| string.to_bytes().strip_prefix(b"PATH="));
        let mut failure = Errno::ENOENT;
        for directory in text::words(path.unwrap_or(b""), b':') {
            let mut file = Text::<{ limits::PATH }>::new();
            put!(file, directory, "/", program);
            match file.as_c_str().map(execute) {
                None | Some(Errno::ENOENT | Errno::ENOTDIR) => {}
                // It may be in another place too, but if not, this is why.
                Some(errno) => failure = errno,
            }
        }
        failure
    }
}

/// Whether a process is in another namespace of that kind than this one.
fn differs(pid: u32, kind: &str) -> Result<bool, Errno> {
    let inode = |whose: Text<16>| {
        let mut path = Text::<{ limits::PATH }>::new();
        put!(path, "/proc/", whose, "/ns/", kind);
        let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
        match fs::stat(BorrowedFd::CWD, path, Follow::Yes) {
            Ok(stat) => Ok(Some(stat.inode)),
            // This kernel has none of that kind.
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    };
    let (mut own, mut other) = (Text::new(), Text::new());
    put!(own, "self");
    put!(other, pid);
    Ok(inode(own)? != inode(other)?)
}
