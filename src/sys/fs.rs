//! Files and directories, always relative to a directory descriptor.

use super::{BorrowedFd, Errno, OwnedFd, call, io};
use core::ffi::CStr;
use core::ops::BitOr;

/// How to open; combine with `|`. Always close-on-exec.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Open(i32);

impl Open {
    pub const READ: Self = Open(libc::O_RDONLY);
    pub const WRITE: Self = Open(libc::O_WRONLY);
    pub const READ_WRITE: Self = Open(libc::O_RDWR);
    pub const CREATE: Self = Open(libc::O_CREAT);
    pub const EXCLUSIVE: Self = Open(libc::O_EXCL);
    pub const TRUNCATE: Self = Open(libc::O_TRUNC);
    pub const APPEND: Self = Open(libc::O_APPEND);
    pub const DIRECTORY: Self = Open(libc::O_DIRECTORY);
    pub const NO_FOLLOW: Self = Open(libc::O_NOFOLLOW);
    /// Never make a terminal the controlling one.
    pub const NO_CTTY: Self = Open(libc::O_NOCTTY);
    pub const NON_BLOCKING: Self = Open(libc::O_NONBLOCK);
    /// Only a handle on the path: no reading, no device is opened.
    pub const PATH: Self = Open(libc::O_PATH);
}

impl BitOr for Open {
    type Output = Open;
    fn bitor(self, other: Open) -> Open {
        Open(self.0 | other.0)
    }
}

/// openat(2); `mode` matters with [`Open::CREATE`] only.
pub fn open_mode(dir: BorrowedFd, path: &CStr, how: Open, mode: u32) -> Result<OwnedFd, Errno> {
    let flags = how.0 | libc::O_CLOEXEC | libc::O_LARGEFILE;
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { call!(openat, dir.number(), path.as_ptr(), flags, mode) }.map(OwnedFd::from_return)
}

/// openat(2) of something that exists.
pub fn open(dir: BorrowedFd, path: &CStr, how: Open) -> Result<OwnedFd, Errno> {
    open_mode(dir, path, how, 0)
}

/// openat2(2), Linux 5.6: resolves `path` as if `root` were `/`, so no symlink
/// and no `..` leads out of it, and never through a magic link (/proc/PID/fd).
pub fn open_in_root(root: BorrowedFd, path: &CStr, how: Open) -> Result<OwnedFd, Errno> {
    const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
    const RESOLVE_IN_ROOT: u64 = 0x10;
    open_how(root, path, how, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
}

/// openat2(2), Linux 5.6: ELOOP if any part of `path` is a symlink.
pub fn open_without_links(path: &CStr, how: Open) -> Result<OwnedFd, Errno> {
    const RESOLVE_NO_SYMLINKS: u64 = 0x04;
    open_how(BorrowedFd::CWD, path, how, RESOLVE_NO_SYMLINKS)
}

fn open_how(dir: BorrowedFd, path: &CStr, how: Open, resolve: u64) -> Result<OwnedFd, Errno> {
    #[repr(C)]
    struct OpenHow {
        flags: u64,
        mode: u64,
        resolve: u64,
    }
    let large_file = if how.0 & libc::O_PATH == 0 { libc::O_LARGEFILE } else { 0 };
    let how = OpenHow { flags: (how.0 | libc::O_CLOEXEC | large_file) as u32 as u64, mode: 0, resolve };
    // SAFETY: `path` is NUL-terminated; `how` is readable for the size given; both outlive the call.
    unsafe { call!(openat2, dir.number(), path.as_ptr(), &raw const how, size_of::<OpenHow>()) }
        .map(OwnedFd::from_return)
}

/// mkdirat(2).
pub fn make_directory(dir: BorrowedFd, path: &CStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { call!(mkdirat, dir.number(), path.as_ptr(), mode) }.map(drop)
}

/// A device node; mknodat(2). `kind` is [`NodeKind`].
pub fn make_node(dir: BorrowedFd, path: &CStr, kind: NodeKind, mode: u32) -> Result<(), Errno> {
    let (bits, device) = match kind {
        NodeKind::Character { major, minor } => (libc::S_IFCHR, device_number(major, minor)),
        NodeKind::Block { major, minor } => (libc::S_IFBLK, device_number(major, minor)),
        NodeKind::Regular => (libc::S_IFREG, 0),
    };
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { call!(mknodat, dir.number(), path.as_ptr(), bits | mode, device) }.map(drop)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    Character { major: u32, minor: u32 },
    Block { major: u32, minor: u32 },
    Regular,
}

/// The kernel's own 32-bit encoding (`new_encode_dev`), which mknod(2) takes.
fn device_number(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// symlinkat(2): `path` will point to `target`.
pub fn make_symlink(target: &CStr, dir: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    // SAFETY: both strings are NUL-terminated and outlive the call.
    unsafe { call!(symlinkat, target.as_ptr(), dir.number(), path.as_ptr()) }.map(drop)
}

/// renameat2(2): what was at `to` is gone at once.
pub fn rename(from: &CStr, to: &CStr) -> Result<(), Errno> {
    let here = BorrowedFd::CWD.number();
    // SAFETY: both strings are NUL-terminated and outlive the call.
    unsafe { call!(renameat2, here, from.as_ptr(), here, to.as_ptr(), 0) }.map(drop)
}

/// fsync(2): waits until a file's bytes are on its disk.
pub fn sync_file(file: BorrowedFd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(fsync, file.number()) }.map(drop)
}

/// unlinkat(2) of something that is no directory.
pub fn remove_file(dir: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { call!(unlinkat, dir.number(), path.as_ptr(), 0) }.map(drop)
}

/// unlinkat(2) with AT_REMOVEDIR.
pub fn remove_directory(dir: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { call!(unlinkat, dir.number(), path.as_ptr(), libc::AT_REMOVEDIR) }.map(drop)
}

/// readlinkat(2); an empty `path` reads the link that `dir` itself is.
pub fn read_link<'b>(dir: BorrowedFd, path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    // SAFETY: `path` is NUL-terminated; `buffer` is writable for its length.
    let count = unsafe { call!(readlinkat, dir.number(), path.as_ptr(), buffer.as_mut_ptr(), buffer.len()) }?;
    buffer.get(..count).ok_or(Errno::EOVERFLOW)
}

/// fchownat(2), of the path itself and not of what a symlink there leads to.
pub fn change_owner(dir: BorrowedFd, path: &CStr, uid: u32, gid: u32) -> Result<(), Errno> {
    let how = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { call!(fchownat, dir.number(), path.as_ptr(), uid, gid, how) }.map(drop)
}

/// fchown(2). 32-bit ARM's plain call takes 16-bit ids.
pub fn change_owner_of(fd: BorrowedFd, uid: u32, gid: u32) -> Result<(), Errno> {
    // SAFETY: no pointers.
    #[cfg(target_arch = "arm")]
    let result = unsafe { call!(fchown32, fd.number(), uid, gid) };
    // SAFETY: no pointers.
    #[cfg(not(target_arch = "arm"))]
    let result = unsafe { call!(fchown, fd.number(), uid, gid) };
    result.map(drop)
}

/// fchmod(2).
pub fn change_mode(fd: BorrowedFd, mode: u32) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(fchmod, fd.number(), mode) }.map(drop)
}

/// chdir(2).
pub fn change_directory(path: &CStr) -> Result<(), Errno> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { call!(chdir, path.as_ptr()) }.map(drop)
}

/// fchdir(2).
pub fn change_directory_to(fd: BorrowedFd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(fchdir, fd.number()) }.map(drop)
}

/// Whether the current directory lies below this process's root; getcwd(2).
/// The kernel says "(unreachable)" where it does not.
pub fn current_directory_is_reachable() -> Result<bool, Errno> {
    let mut path = [0u8; libc::PATH_MAX as usize];
    // SAFETY: `path` is writable for its length.
    unsafe { call!(getcwd, path.as_mut_ptr(), path.len()) }?;
    Ok(path.first() == Some(&b'/'))
}

/// chroot(2).
pub fn change_root(path: &CStr) -> Result<(), Errno> {
    // SAFETY: `path` is NUL-terminated and outlives the call.
    unsafe { call!(chroot, path.as_ptr()) }.map(drop)
}

/// What corm asks of statx(2), Linux 4.11, whose layout is the same everywhere, and of fstat(2).
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// Type and permissions, as in inode(7).
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub inode: u64,
    /// The device a node stands for: (major, minor).
    pub device: (u32, u32),
    /// The device of the filesystem it lies on: (major, minor).
    pub filesystem: (u32, u32),
}

impl Stat {
    fn new(raw: libc::statx) -> Stat {
        Stat {
            mode: raw.stx_mode.into(),
            uid: raw.stx_uid,
            gid: raw.stx_gid,
            size: raw.stx_size,
            inode: raw.stx_ino,
            device: (raw.stx_rdev_major, raw.stx_rdev_minor),
            filesystem: (raw.stx_dev_major, raw.stx_dev_minor),
        }
    }

    fn is(&self, kind: u32) -> bool {
        self.mode & libc::S_IFMT == kind
    }

    pub fn is_directory(&self) -> bool {
        self.is(libc::S_IFDIR)
    }

    pub fn is_regular(&self) -> bool {
        self.is(libc::S_IFREG)
    }

    pub fn is_symlink(&self) -> bool {
        self.is(libc::S_IFLNK)
    }

    pub fn is_character_device(&self) -> bool {
        self.is(libc::S_IFCHR)
    }

    pub fn is_pipe(&self) -> bool {
        self.is(libc::S_IFIFO)
    }

    pub fn is_block_device(&self) -> bool {
        self.is(libc::S_IFBLK)
    }
}

/// statx(2). Of what is behind a descriptor [`stat_of`] says the same.
pub fn stat(dir: BorrowedFd, path: &CStr, follow: Follow) -> Result<Stat, Errno> {
    let flags = match follow {
        Follow::Yes => 0,
        Follow::No => libc::AT_SYMLINK_NOFOLLOW,
    };
    statx(dir, path, flags).map(Stat::new)
}

/// Whether a path is the root of a mount (Linux 5.8).
pub fn is_mount_point(path: &CStr) -> bool {
    const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;
    statx(BorrowedFd::CWD, path, 0).is_ok_and(|raw| raw.stx_attributes & STATX_ATTR_MOUNT_ROOT != 0)
}

fn statx(dir: BorrowedFd, path: &CStr, flags: i32) -> Result<libc::statx, Errno> {
    let mut raw = core::mem::MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: `path` is NUL-terminated; `raw` has room for a struct statx; both outlive the call.
    unsafe { call!(statx, dir.number(), path.as_ptr(), flags, libc::STATX_BASIC_STATS, raw.as_mut_ptr()) }?;
    // SAFETY: all-zero is a valid struct statx, and the kernel has only overwritten parts of it.
    Ok(unsafe { raw.assume_init() })
}

/// fstat(2), also of an [`Open::PATH`]. To statx(2) an empty path is a path too, for which
/// the kernel takes (and clears) a page: ten times the work.
#[cfg(target_pointer_width = "64")]
pub fn stat_of(fd: BorrowedFd) -> Result<Stat, Errno> {
    let mut raw = core::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `raw` has room for a struct stat, which is the kernel's on 64-bit machines.
    unsafe { call!(fstat, fd.number(), raw.as_mut_ptr()) }?;
    // SAFETY: all-zero is a valid struct stat, and the kernel has only overwritten parts of it.
    let raw = unsafe { raw.assume_init() };
    Ok(Stat {
        mode: raw.st_mode,
        uid: raw.st_uid,
        gid: raw.st_gid,
        size: raw.st_size as u64,
        inode: raw.st_ino,
        device: split(raw.st_rdev),
        filesystem: split(raw.st_dev),
    })
}

/// What is behind a descriptor; statx(2), since 32-bit machines' own have had several layouts.
#[cfg(target_pointer_width = "32")]
pub fn stat_of(fd: BorrowedFd) -> Result<Stat, Errno> {
    statx(fd, c"", libc::AT_EMPTY_PATH).map(Stat::new)
}

/// Major and minor, as the kernel puts them together (`new_encode_dev`).
#[cfg(target_pointer_width = "64")]
fn split(device: u64) -> (u32, u32) {
    let device = device as u32;
    (device >> 8 & 0xfff, device & 0xff | device >> 12 & !0xff)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    Yes,
    No,
}

/// The beginning of a file, as much as fits. Pseudo-files are read to their end.
pub fn read_file<'b>(dir: BorrowedFd, path: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let file = open(dir, path, Open::READ)?;
    let mut used = 0;
    while let Some(free) = buffer.get_mut(used..).filter(|free| !free.is_empty()) {
        match io::read(file.borrow(), free) {
            Ok(0) => break,
            Ok(count) => used = used.saturating_add(count),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    buffer.get(..used).ok_or(Errno::EOVERFLOW)
}

/// Writes an existing file in one write(2), as kernel pseudo-files want it.
pub fn write_file(dir: BorrowedFd, path: &CStr, bytes: &[u8]) -> Result<(), Errno> {
    let file = open(dir, path, Open::WRITE)?;
    io::write(file.borrow(), bytes).map(drop)
}

/// Calls `each` with the name of every entry but `.` and `..`, in the kernel's
/// order; getdents64(2).
pub fn for_each_entry(dir: BorrowedFd, each: &mut dyn FnMut(&CStr)) -> Result<(), Errno> {
    /// struct linux_dirent64: d_ino u64, d_off i64, d_reclen u16, d_type u8, d_name.
    const RECORD_LENGTH: usize = 16;
    const TYPE: usize = RECORD_LENGTH + 2;
    const NAME: usize = TYPE + 1;
    let mut buffer = [0u8; 1024];
    loop {
        // SAFETY: `buffer` is writable for its length.
        let count = unsafe { call!(getdents64, dir.number(), buffer.as_mut_ptr(), buffer.len()) }?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = buffer.get(..count).unwrap_or(&[]);
        while let Some(&[low, high]) = rest.get(RECORD_LENGTH..TYPE) {
            let length = u16::from_ne_bytes([low, high]).into();
            let (record, next) = rest.split_at_checked(length).ok_or(Errno::EIO)?;
            let name = record.get(NAME..).and_then(super::c_str).ok_or(Errno::EIO)?;
            if name != c"." && name != c".." {
                each(name);
            }
            rest = next;
        }
    }
}

/// sync(2).
pub fn sync() {
    // SAFETY: no pointers. sync(2) cannot fail.
    let _ = unsafe { call!(sync) };
}
