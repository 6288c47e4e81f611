//! Mounts: the classic call, and the new API (Linux 5.2; mount_setattr 5.12)
//! that works on descriptors, so no path is resolved twice.

use super::{BorrowedFd, Errno, OwnedFd, call};
use core::ffi::{CStr, c_char};
use core::ops::BitOr;
use core::ptr;

/// mount(2)'s MS_* flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub(super) usize);

impl Flags {
    pub const NONE: Self = Flags(0);
    pub const READ_ONLY: Self = Flags(libc::MS_RDONLY as usize);
    pub const NO_SUID: Self = Flags(libc::MS_NOSUID as usize);
    pub const NO_DEV: Self = Flags(libc::MS_NODEV as usize);
    pub const NO_EXEC: Self = Flags(libc::MS_NOEXEC as usize);
    pub const SYNCHRONOUS: Self = Flags(libc::MS_SYNCHRONOUS as usize);
    pub const REMOUNT: Self = Flags(libc::MS_REMOUNT as usize);
    pub const NO_ATIME: Self = Flags(libc::MS_NOATIME as usize);
    pub const NO_DIR_ATIME: Self = Flags(libc::MS_NODIRATIME as usize);
    pub const RELATIVE_ATIME: Self = Flags(libc::MS_RELATIME as usize);
    pub const STRICT_ATIME: Self = Flags(libc::MS_STRICTATIME as usize);
    pub const LAZY_TIME: Self = Flags(1 << 25);
    pub const DIRECTORY_SYNC: Self = Flags(libc::MS_DIRSYNC as usize);
    /// Linux 5.10.
    pub const NO_SYMLINK_FOLLOW: Self = Flags(1 << 8);
    pub const BIND: Self = Flags(libc::MS_BIND as usize);
    pub const MOVE: Self = Flags(libc::MS_MOVE as usize);
    pub const RECURSIVE: Self = Flags(libc::MS_REC as usize);
    pub const PRIVATE: Self = Flags(libc::MS_PRIVATE as usize);
    pub const SLAVE: Self = Flags(libc::MS_SLAVE as usize);

    /// Whether all of `other` is in it.
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// `|` for constants.
    pub const fn both(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// mount(2).
pub fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: Flags,
    data: Option<&CStr>,
) -> Result<(), Errno> {
    let pointer = |text: Option<&CStr>| text.map_or(ptr::null::<c_char>(), CStr::as_ptr);
    // SAFETY: each string is NUL-terminated and outlives the call, or null where mount(2) allows it.
    unsafe { call!(mount, pointer(source), target.as_ptr(), pointer(kind), flags.0, pointer(data)) }.map(drop)
}

/// umount2(2).
pub fn unmount(target: &CStr, how: Unmount) -> Result<(), Errno> {
    // SAFETY: `target` is NUL-terminated and outlives the call.
    unsafe { call!(umount2, target.as_ptr(), how as i32) }.map(drop)
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Unmount {
    /// Fails with EBUSY while anything uses it. Never follows a symlink.
    Now = libc::UMOUNT_NOFOLLOW,
    /// Out of sight at once, gone with its last user (MNT_DETACH).
    Lazily = libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW,
}

/// pivot_root(2): the mount `new` becomes the root, the old one goes to `old`.
pub fn pivot_root(new: &CStr, old: &CStr) -> Result<(), Errno> {
    // SAFETY: both paths are NUL-terminated and outlive the call.
    unsafe { call!(pivot_root, new.as_ptr(), old.as_ptr()) }.map(drop)
}

const EMPTY_PATH: i32 = libc::AT_EMPTY_PATH;

/// open_tree(2) with OPEN_TREE_CLONE: a detached bind mount of `path`, which the
/// caller attaches with [`move_to`]. An empty path means `dir` itself.
pub fn clone_tree(dir: BorrowedFd, path: &CStr, depth: Depth) -> Result<OwnedFd, Errno> {
    const OPEN_TREE_CLONE: i32 = 1;
    let recursive = match depth {
        Depth::This => 0,
        Depth::All => libc::AT_RECURSIVE,
    };
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC | EMPTY_PATH | recursive;
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { call!(open_tree, dir.number(), path.as_ptr(), flags) }.map(OwnedFd::from_return)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The one mount.
    This,
    /// It and every mount below it.
    All,
}

/// move_mount(2): attaches a detached mount (or moves an attached one) to
/// `path` below `dir`; an empty path means onto `dir` itself. Symlinks at the
/// end of `path` are not followed.
pub fn move_to(mount: BorrowedFd, dir: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    const F_EMPTY_PATH: i32 = 0x04;
    const T_EMPTY_PATH: i32 = 0x40;
    let flags = F_EMPTY_PATH | if path.is_empty() { T_EMPTY_PATH } else { 0 };
    let empty = c"";
    // SAFETY: both paths are NUL-terminated and outlive the call.
    unsafe { call!(move_mount, mount.number(), empty.as_ptr(), dir.number(), path.as_ptr(), flags) }.map(drop)
}

/// Mount attributes (MOUNT_ATTR_*).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attributes(u64);

impl Attributes {
    pub const NONE: Self = Attributes(0);
    pub const READ_ONLY: Self = Attributes(0x01);
    pub const NO_SUID: Self = Attributes(0x02);
    pub const NO_DEV: Self = Attributes(0x04);
    pub const NO_EXEC: Self = Attributes(0x08);
    pub const NO_SYMLINK_FOLLOW: Self = Attributes(0x0020_0000);

    /// `|` for constants.
    pub const fn both(self, other: Attributes) -> Attributes {
        Attributes(self.0 | other.0)
    }
}

impl BitOr for Attributes {
    type Output = Attributes;
    fn bitor(self, other: Attributes) -> Attributes {
        Attributes(self.0 | other.0)
    }
}

/// mount_setattr(2), Linux 5.12: adds attributes to a mount, or to all below it.
pub fn set_attributes(mount: BorrowedFd, depth: Depth, add: Attributes) -> Result<(), Errno> {
    change(mount, depth, add.0, 0, 0)
}

/// mount_setattr(2) with a propagation type: nothing mounted here is seen
/// elsewhere, nor the other way round.
pub fn make_private(mount: BorrowedFd, depth: Depth) -> Result<(), Errno> {
    change(mount, depth, 0, Flags::PRIVATE.0 as u64, 0)
}

/// [`make_private`] and [`set_attributes`] in one call.
pub fn isolate(mount: BorrowedFd, depth: Depth, add: Attributes) -> Result<(), Errno> {
    change(mount, depth, add.0, Flags::PRIVATE.0 as u64, 0)
}

/// mount_setattr(2) with MOUNT_ATTR_IDMAP: an id N on this filesystem, which must not be
/// attached yet, is seen as the one that N is outside of the user namespace `users`.
/// EINVAL: a filesystem that cannot, or one below it. EPERM: it is mapped already.
pub fn map_ids(mount: BorrowedFd, depth: Depth, users: BorrowedFd) -> Result<(), Errno> {
    const IDMAP: u64 = 0x0010_0000;
    change(mount, depth, IDMAP, 0, users.number() as u32 as u64)
}

fn change(mount: BorrowedFd, depth: Depth, set: u64, propagation: u64, userns_fd: u64) -> Result<(), Errno> {
    /// struct mount_attr.
    #[repr(C)]
    struct MountAttr {
        attr_set: u64,
        attr_clr: u64,
        propagation: u64,
        userns_fd: u64,
    }
    let attributes = MountAttr { attr_set: set, attr_clr: 0, propagation, userns_fd };
    let flags = EMPTY_PATH
        | match depth {
            Depth::This => 0,
            Depth::All => libc::AT_RECURSIVE,
        };
    // SAFETY: the empty path is NUL-terminated; `attributes` is readable for the size given.
    unsafe {
        call!(
            mount_setattr,
            mount.number(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttr>()
        )
    }
    .map(drop)
}

/// fsopen(2): begins to configure a new filesystem of type `kind`.
pub fn open_filesystem(kind: &CStr) -> Result<OwnedFd, Errno> {
    const FSOPEN_CLOEXEC: i32 = 1;
    // SAFETY: `kind` is NUL-terminated and outlives the call.
    unsafe { call!(fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) }.map(OwnedFd::from_return)
}

/// fsconfig(2) FSCONFIG_SET_STRING, or FSCONFIG_SET_FLAG without a value.
pub fn configure(filesystem: BorrowedFd, key: &CStr, value: Option<&CStr>) -> Result<(), Errno> {
    const SET_FLAG: i32 = 0;
    const SET_STRING: i32 = 1;
    let (command, value) = value.map_or((SET_FLAG, ptr::null()), |value| (SET_STRING, value.as_ptr()));
    // SAFETY: both strings are NUL-terminated and outlive the call; a flag's value is null.
    unsafe { call!(fsconfig, filesystem.number(), command, key.as_ptr(), value, 0) }.map(drop)
}

/// FSCONFIG_CMD_CREATE and fsmount(2): the configured filesystem as a detached mount.
pub fn create_mount(filesystem: BorrowedFd, attributes: Attributes) -> Result<OwnedFd, Errno> {
    const CMD_CREATE: i32 = 6;
    const FSMOUNT_CLOEXEC: i32 = 1;
    let null = ptr::null::<c_char>();
    // SAFETY: CMD_CREATE takes no key and no value.
    unsafe { call!(fsconfig, filesystem.number(), CMD_CREATE, null, null, 0) }?;
    // SAFETY: no pointers.
    unsafe { call!(fsmount, filesystem.number(), FSMOUNT_CLOEXEC, attributes.0 as u32) }
        .map(OwnedFd::from_return)
}
