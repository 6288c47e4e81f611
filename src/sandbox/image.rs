//! A root that is a filesystem of its own: an erofs or squashfs image, or a block
//! device with one of them. And volumes that are block devices, with any filesystem.
//!
//! An image becomes a loop device, read-only, which the kernel takes back with
//! its last user: nobody has to remember it, and a start that fails leaves none
//! behind. What filesystem it is says its own superblock, of which four bytes are
//! looked at; the rest is the kernel's to judge. Only a root is ever taken for an
//! image, never a volume: what a workload can write to must not become something
//! that the kernel mounts.
//!
//! A device that several workloads have as a volume is one filesystem to the kernel, which
//! mounts it with the first and unmounts it with the last of them.

use crate::disk::{self, superblock};
use crate::limits;
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::mount::{self, Attributes};
use crate::sys::{BorrowedFd, Errno, OwnedFd, block};
use crate::text::Text;
use core::ffi::CStr;

const CWD: BorrowedFd = BorrowedFd::CWD;

/// The file or block device at `path`, whether it is a block device, and its filesystem.
fn look(path: &CStr) -> Result<(OwnedFd, bool, &'static CStr), Errno> {
    let file = fs::open_without_links(path, Open::READ | Open::NON_BLOCKING | Open::NO_CTTY)?;
    let stat = fs::stat_of(file.borrow())?;
    if !stat.is_regular() && !stat.is_block_device() {
        return Err(Errno::ENOTDIR);
    }
    let mut beginning = [0u8; superblock::LENGTH];
    let kind = disk::read_from(file.borrow(), &mut beginning).ok_or(Errno::EMEDIUMTYPE)?.kind();
    Ok((file, stat.is_block_device(), kind))
}

/// A root is of one of these two.
fn is_image(kind: &CStr) -> bool {
    kind == c"squashfs" || kind == c"erofs"
}

/// The filesystem of an image.
pub fn image_kind(path: &CStr) -> Option<&'static CStr> {
    look(path).ok().map(|(_, _, kind)| kind).filter(|kind| is_image(kind))
}

/// The filesystem on a block device.
pub fn device_kind(path: &CStr) -> Option<&'static CStr> {
    look(path).ok().filter(|(_, is_device, _)| *is_device).map(|(_, _, kind)| kind)
}

/// Mounts the image or block device at `path`, unattached and read-only.
///
/// ENOTDIR: it is neither. EMEDIUMTYPE: it has neither of the two filesystems.
/// ENODEV: the kernel has not got that filesystem.
pub fn open(path: &CStr, attributes: Attributes) -> Result<OwnedFd, Errno> {
    let (file, is_device, kind) = look(path)?;
    if !is_image(kind) {
        return Err(Errno::EMEDIUMTYPE);
    }
    if is_device {
        return mount_device(path, kind, false, attributes | Attributes::READ_ONLY);
    }
    let mut name = Text::<{ limits::PATH }>::new();
    // Kept until the mount has the device, or it would be taken back.
    let device = attach(file.borrow(), &mut name)?;
    let path = name.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    let tree = mount_device(path, kind, false, attributes | Attributes::READ_ONLY);
    drop(device);
    tree
}

/// Mounts the block device at `path`, unattached. `writable`: some workload may write there.
///
/// ENOTDIR: it is no block device. EMEDIUMTYPE: it has no filesystem that corm knows.
/// EBUSY: it is mounted already, read-only or not read-only as it is not to be.
pub fn open_device(path: &CStr, writable: bool, attributes: Attributes) -> Result<OwnedFd, Errno> {
    let (_, is_device, kind) = look(path)?;
    if !is_device {
        return Err(Errno::ENOTDIR);
    }
    mount_device(path, kind, writable, attributes)
}

fn mount_device(path: &CStr, kind: &CStr, writable: bool, attributes: Attributes) -> Result<OwnedFd, Errno> {
    let filesystem = mount::open_filesystem(kind)?;
    mount::configure(filesystem.borrow(), c"source", Some(path))?;
    if !writable {
        mount::configure(filesystem.borrow(), c"ro", None)?;
    }
    if kind == c"ext4" {
        // Else its superblock says what an error does, which may be to panic the kernel.
        mount::configure(filesystem.borrow(), c"errors", Some(c"remount-ro"))?;
    }
    mount::create_mount(filesystem.borrow(), attributes)
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
