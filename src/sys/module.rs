//! Kernel modules, and the read-only view of a file that finding them needs.

use super::{BorrowedFd, Errno, OwnedFd, call, fs};
use core::ffi::CStr;
use core::ops::Deref;

/// How a module's file is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Stored {
    Plain = 0,
    /// MODULE_INIT_COMPRESSED_FILE, Linux 5.17: the kernel unpacks it.
    Compressed = 4,
}

/// finit_module(2). EEXIST: it is loaded. EOPNOTSUPP: the kernel cannot unpack
/// it. ENOEXEC: built for another kernel. ENOENT: it needs a symbol nobody has.
pub fn load(file: BorrowedFd, parameters: &CStr, stored: Stored) -> Result<(), Errno> {
    // SAFETY: `parameters` is NUL-terminated and outlives the call.
    unsafe { call!(finit_module, file.number(), parameters.as_ptr(), stored as u32) }.map(drop)
}

/// A whole file, mapped read-only: no copy of it is made.
///
/// For files of the image that nobody writes. One that shrinks while it is
/// mapped ends the reader with SIGBUS, so this is for child processes only.
pub struct Mapped {
    address: usize,
    length: usize,
}

impl Mapped {
    /// open(2), statx(2), mmap(2).
    pub fn open(dir: BorrowedFd, path: &CStr) -> Result<Mapped, Errno> {
        let file: OwnedFd = fs::open(dir, path, fs::Open::READ)?;
        let size = fs::stat_of(file.borrow())?.size;
        let length = usize::try_from(size).map_err(|_| Errno::EFBIG)?;
        if length == 0 {
            return Ok(Mapped { address: 0, length });
        }
        let (protection, flags, fd) = (libc::PROT_READ, libc::MAP_PRIVATE, file.borrow().number());
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        #[cfg(target_arch = "arm")]
        let address = unsafe { call!(mmap2, 0, length, protection, flags, fd, 0) }?;
        // SAFETY: as above.
        #[cfg(not(target_arch = "arm"))]
        let address = unsafe { call!(mmap, 0, length, protection, flags, fd, 0) }?;
        Ok(Mapped { address, length })
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: `length` bytes at `address` are mapped readable until `self` is dropped, nobody
        // writes to this private mapping, and the file is one that is not written (see the type).
        unsafe { core::slice::from_raw_parts(self.address as *const u8, self.length) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if self.length > 0 {
            // A mapping of our own cannot fail to go; there is nothing to handle.
            // SAFETY: exactly the mapping made in `open`, and no slice of it outlives `self`.
            let _ = unsafe { call!(munmap, self.address, self.length) };
        }
    }
}
