//! Loop devices: files as block devices; loop(4).

use super::{BorrowedFd, Errno, call};
use core::ptr;

/// Takes the file away from a loop device; ENXIO: it has none. loop(4) LOOP_CLR_FD.
pub fn detach_loop(device: BorrowedFd) -> Result<(), Errno> {
    const LOOP_CLR_FD: usize = 0x4c01;
    // SAFETY: the command takes no argument.
    unsafe { call!(ioctl, device.number(), LOOP_CLR_FD, 0) }.map(drop)
}

/// The number of a loop device that has no file yet; it is made if there is none.
/// loop(4) LOOP_CTL_GET_FREE, of /dev/loop-control.
pub fn free_loop(control: BorrowedFd) -> Result<usize, Errno> {
    const LOOP_CTL_GET_FREE: usize = 0x4c82;
    // SAFETY: the command takes no argument.
    unsafe { call!(ioctl, control.number(), LOOP_CTL_GET_FREE, 0) }
}

/// Gives a loop device a file, to be read only, and taken away again when nobody
/// has the device open or mounted. loop(4) LOOP_CONFIGURE, Linux 5.8.
///
/// EBUSY: somebody else has just given it one.
pub fn attach_loop(device: BorrowedFd, file: BorrowedFd) -> Result<(), Errno> {
    const LOOP_CONFIGURE: usize = 0x4c0a;
    const READ_ONLY: u32 = 1;
    const AUTOCLEAR: u32 = 4;
    /// struct loop_config, and the struct loop_info64 in it.
    #[repr(C)]
    struct LoopConfig {
        file: i32,
        block_size: u32,
        before_flags: [u64; 6],
        encryption_key_size: u32,
        flags: u32,
        names_and_reserved: [u64; 30],
    }
    const { assert!(size_of::<LoopConfig>() == 304) };
    let config = LoopConfig {
        file: file.number(),
        block_size: 0,
        before_flags: [0; 6],
        encryption_key_size: 0,
        flags: READ_ONLY | AUTOCLEAR,
        names_and_reserved: [0; 30],
    };
    // SAFETY: `config` is the structure that the command reads, and outlives the call.
    unsafe { call!(ioctl, device.number(), LOOP_CONFIGURE, ptr::from_ref(&config)) }.map(drop)
}
