//! A root that is a filesystem of its own: an erofs or squashfs image, or a block
//! device with one of them.
//!
//! An image becomes a loop device, read-only, which the kernel takes back with
//! its last user: nobody has to remember it, and a start that fails leaves none
//! behind. What filesystem it is says its own superblock, of which four bytes are
//! looked at; the rest is the kernel's to judge. Only a root is ever taken for an
//! image, never a volume: what a workload can write to must not become something
//! that the kernel mounts.

use crate::limits;
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::mount::{self, Attributes};
use crate::sys::{BorrowedFd, Errno, OwnedFd, block, io};
use crate::text::Text;
use core::ffi::CStr;

const CWD: BorrowedFd = BorrowedFd::CWD;

/// Where squashfs and erofs have their magic numbers, and what these are.
const SQUASHFS: (usize, [u8; 4]) = (0, *b"hsqs");
const EROFS: (usize, [u8; 4]) = (1024, [0xe2, 0xe1, 0xf5, 0xe0]);
/// As many bytes as it takes to see both.
const BEGINNING: usize = 1028;

/// What the filesystem that begins like this is called.
pub fn kind_of(beginning: &[u8]) -> Option<&'static CStr> {
    let has =
        |(at, magic): (usize, [u8; 4])| beginning.get(at..).is_some_and(|rest| rest.starts_with(&magic));
    match () {
        () if has(SQUASHFS) => Some(c"squashfs"),
        () if has(EROFS) => Some(c"erofs"),
        () => None,
    }
}

/// The file or block device at `path`, whether it is a block device, and its filesystem.
fn look(path: &CStr) -> Result<(OwnedFd, bool, &'static CStr), Errno> {
    let file = fs::open_without_links(path, Open::READ | Open::NON_BLOCKING | Open::NO_CTTY)?;
    let stat = fs::stat_of(file.borrow())?;
    if !stat.is_regular() && !stat.is_block_device() {
        return Err(Errno::ENOTDIR);
    }
    let mut beginning = [0u8; BEGINNING];
    let count = io::read(file.borrow(), &mut beginning)?;
    let kind = beginning.get(..count).and_then(kind_of).ok_or(Errno::EMEDIUMTYPE)?;
    Ok((file, stat.is_block_device(), kind))
}

/// The filesystem of an image.
pub fn image_kind(path: &CStr) -> Option<&'static CStr> {
    look(path).ok().map(|(_, _, kind)| kind)
}

/// Mounts the image or block device at `path`, unattached and read-only.
///
/// ENOTDIR: it is neither. EMEDIUMTYPE: it has neither of the two filesystems.
/// ENODEV: the kernel has not got that filesystem.
pub fn open(path: &CStr, attributes: Attributes) -> Result<OwnedFd, Errno> {
    let (file, is_device, kind) = look(path)?;
    let filesystem = mount::open_filesystem(kind)?;
    let mut name = Text::<{ limits::PATH }>::new();
    // Kept until the mount has the device, or it would be taken back.
    let device;
    let source = if !is_device {
        device = Some(attach(file.borrow(), &mut name)?);
        name.as_c_str().ok_or(Errno::ENAMETOOLONG)?
    } else {
        device = None;
        path
    };
    mount::configure(filesystem.borrow(), c"source", Some(source))?;
    mount::configure(filesystem.borrow(), c"ro", None)?;
    let tree = mount::create_mount(filesystem.borrow(), attributes | Attributes::READ_ONLY);
    drop(device);
    tree
}

/// A loop device for the file. Its path is put into `name`.
fn attach(file: BorrowedFd, name: &mut Text<{ limits::PATH }>) -> Result<OwnedFd, Errno> {
    /// Others may take a device between our asking and our taking.
    const ATTEMPTS: u32 = 32;
    let control = fs::open(CWD, c"/dev/loop-control", Open::READ_WRITE)?;
    for _ in 0..ATTEMPTS {
        name.clear();
        put!(*name, "/dev/loop", block::free_loop(control.borrow())?);
        let device = fs::open(CWD, name.as_c_str().ok_or(Errno::ENAMETOOLONG)?, Open::READ)?;
        match block::attach_loop(device.borrow(), file) {
            Err(Errno::EBUSY) => {}
            attached => return attached.map(|()| device),
        }
    }
    Err(Errno::EBUSY)
}
