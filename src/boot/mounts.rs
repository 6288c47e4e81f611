//! The mounts every machine has, and the root that sandboxes can leave.
//!
//! A table, walked in order. On a machine that has just started nothing is
//! mounted and each entry is one system call; where somebody was here before (an
//! initramfs, the kernel's own devtmpfs), a target that is a mount point already
//! stays as it is. `noexec` is wherever no program can rightly be: also on /run,
//! which holds sockets and state, but not on /tmp, where build tools and
//! installers of a privileged workload unpack themselves.
//!
//! In a container nothing is mounted but a missing /proc: the rest is the work
//! of whoever made the container, and a /tmp of ours would hide its files.

use super::complain;
use crate::sys::fs::{self, NodeKind};
use crate::sys::mount::{self, Flags};
use crate::sys::{BorrowedFd, Errno, machine};
use core::ffi::CStr;

const CWD: BorrowedFd = BorrowedFd::CWD;

/// One mount.
pub(super) struct Entry {
    target: &'static CStr,
    kind: &'static CStr,
    flags: Flags,
    data: Option<&'static CStr>,
    /// Never there on a fresh machine, because what it lies in is fresh itself.
    make_first: bool,
}

const NO_SUID_DEV: Flags = Flags::both(Flags::NO_SUID, Flags::NO_DEV);
const NO_SUID_EXEC: Flags = Flags::both(Flags::NO_SUID, Flags::NO_EXEC);
const NOTHING: Flags = Flags::both(NO_SUID_DEV, Flags::NO_EXEC);

pub(super) static PROC: Entry =
    Entry { target: c"/proc", kind: c"proc", flags: NOTHING, data: None, make_first: false };

pub(super) static DEV: Entry =
    Entry { target: c"/dev", kind: c"devtmpfs", flags: NO_SUID_EXEC, data: None, make_first: false };

pub(super) static OTHERS: [Entry; 6] = [
    Entry { target: c"/sys", kind: c"sysfs", flags: NOTHING, data: None, make_first: false },
    Entry {
        target: c"/sys/fs/cgroup",
        kind: c"cgroup2",
        flags: NOTHING,
        data: Some(c"nsdelegate,memory_recursiveprot"),
        make_first: false,
    },
    // gid 5 is the tty group wherever there is one; ptmx for everybody, as in every /dev.
    Entry {
        target: c"/dev/pts",
        kind: c"devpts",
        flags: NO_SUID_EXEC,
        data: Some(c"gid=5,mode=620,ptmxmode=666"),
        make_first: true,
    },
    Entry { target: c"/dev/shm", kind: c"tmpfs", flags: NOTHING, data: Some(c"mode=1777"), make_first: true },
    Entry { target: c"/run", kind: c"tmpfs", flags: NOTHING, data: Some(c"mode=755"), make_first: false },
    Entry {
        target: c"/tmp",
        kind: c"tmpfs",
        flags: NO_SUID_DEV,
        data: Some(c"mode=1777"),
        make_first: false,
    },
];

impl Entry {
    /// Mounts it. EBUSY: it was there.
    pub(super) fn mount(&self) -> Result<(), Errno> {
        if self.make_first {
            // What matters is whether the mount works.
            let _ = self.make_directory();
        }
        let mut data = self.data;
        let mut attempts = 0;
        loop {
            let result = mount::mount(Some(self.kind), self.target, Some(self.kind), self.flags, data);
            attempts += 1;
            match result {
                Err(Errno::ENOENT) if attempts == 1 && !self.make_first => self.make_directory()?,
                // An option this kernel does not know: better without it than not at all.
                Err(Errno::EINVAL) if data.is_some() => data = None,
                result => return result,
            }
        }
    }

    fn make_directory(&self) -> Result<(), Errno> {
        fs::make_directory(CWD, self.target, 0o755)
    }

    fn is_mounted(&self) -> bool {
        fs::is_mount_point(self.target)
    }

    /// Being there already is no failure.
    pub(super) fn complain(&self, result: Result<(), Errno>) {
        if result != Err(Errno::EBUSY) {
            complain!(result, "cannot mount ", self.kind, " on ", self.target);
        }
    }
}

/// The rest of the table. `fresh`: nothing can be mounted on any of it yet.
pub(super) fn mount_others(fresh: bool) {
    for entry in &OTHERS {
        if !fresh && entry.is_mounted() {
            continue;
        }
        entry.complain(entry.mount());
    }
}

/// Where corm keeps what is its own.
pub(super) fn make_own_directory() {
    let result = fs::make_directory(CWD, c"/run/corm", 0o755);
    if result != Err(Errno::EEXIST) {
        complain!(result, "cannot make /run/corm");
    }
}

/// Where shells and tools look for their own descriptors.
static LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
];

pub(super) fn link_descriptors() {
    for (target, path) in &LINKS {
        // Only a convenience, and there already where /dev is not fresh.
        let _ = fs::make_symlink(target, CWD, path);
    }
}

/// The nodes that corm and most programs need: path, major, minor, mode. Linux's
/// Documentation/admin-guide/devices.txt.
static NODES: [(&CStr, u8, u8, u16); 9] = [
    (c"/dev/console", 5, 1, 0o600),
    (c"/dev/tty", 5, 0, 0o666),
    (c"/dev/ptmx", 5, 2, 0o666),
    (c"/dev/null", 1, 3, 0o666),
    (c"/dev/zero", 1, 5, 0o666),
    (c"/dev/full", 1, 7, 0o666),
    (c"/dev/random", 1, 8, 0o666),
    (c"/dev/urandom", 1, 9, 0o666),
    (c"/dev/kmsg", 1, 11, 0o600),
];

/// A /dev without devtmpfs: a tmpfs with those nodes.
pub(super) fn make_dev() {
    let tmpfs = Some(c"tmpfs");
    let result = mount::mount(tmpfs, c"/dev", tmpfs, NO_SUID_EXEC, Some(c"mode=755"));
    complain!(result, "cannot make a /dev without devtmpfs");
    for &(path, major, minor, mode) in &NODES {
        let kind = NodeKind::Character { major: major.into(), minor: minor.into() };
        // On a read-only root those that are there must do; whoever opens one says what is missing.
        let _ = fs::make_node(CWD, path, kind, mode.into());
    }
}

/// Makes `/` a root that pivot_root(2) can leave.
///
/// The initramfs is the kernel's `rootfs`, which has no parent mount, and
/// pivot_root refuses there (EINVAL). So `/` is bound over itself, and this
/// process moves into the copy: `/..` is the way from a root to what is mounted
/// on top of it. It comes before all other mounts, when the bind is of one mount
/// only. A root that is not in memory is a real one and has a parent.
pub(super) fn bind_root() -> Result<(), Errno> {
    if !machine::is_memory_filesystem(c"/") {
        return Ok(());
    }
    mount::mount(Some(c"/"), c"/", None, Flags::BIND | Flags::RECURSIVE, None)?;
    fs::change_root(c"/..")?;
    fs::change_directory(c"/")
}

/// Keeps mounts from travelling between namespaces. Fresh machines are private
/// from the start; an initramfs that ran systemd made everything shared.
pub(super) fn make_private() -> Result<(), Errno> {
    mount::mount(None, c"/", None, Flags::RECURSIVE | Flags::PRIVATE, None)
}
