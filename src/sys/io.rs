//! Bytes in and out of descriptors.

use super::{BorrowedFd, Errno, OwnedFd, call};

/// read(2). `Ok(0)` is end of file.
pub fn read(fd: BorrowedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: `buffer` is writable for its length.
    unsafe { call!(read, fd.number(), buffer.as_mut_ptr(), buffer.len()) }
}

/// write(2). May write less than asked.
pub fn write(fd: BorrowedFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: `bytes` is readable for its length.
    unsafe { call!(write, fd.number(), bytes.as_ptr(), bytes.len()) }
}

/// Writes everything, over short writes and EINTR. For regular files, kernel
/// pseudo-files and blocking descriptors only: it does not wait on EAGAIN.
pub fn write_all(fd: BorrowedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(0) => return Err(Errno::EIO),
            Ok(count) => bytes = bytes.get(count..).unwrap_or(&[]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A pipe: (read end, write end), both close-on-exec. pipe2(2).
pub fn pipe(flags: PipeFlags) -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut ends = [-1i32; 2];
    // SAFETY: `ends` has room for the two descriptors.
    unsafe { call!(pipe2, ends.as_mut_ptr(), libc::O_CLOEXEC | flags as i32) }?;
    let [reader, writer] = ends;
    Ok((OwnedFd::from_number(reader), OwnedFd::from_number(writer)))
}

#[derive(Clone, Copy)]
#[repr(i32)]
pub enum PipeFlags {
    Blocking = 0,
    NonBlocking = libc::O_NONBLOCK,
}

/// fcntl(2) F_SETFL: reads and writes wait. For a descriptor of one's own;
/// other status flags are cleared.
pub fn set_blocking(fd: BorrowedFd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(fcntl, fd.number(), libc::F_SETFL, 0) }.map(drop)
}

/// fcntl(2) F_SETFL: reads and writes return EAGAIN instead of waiting.
pub fn set_non_blocking(fd: BorrowedFd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(fcntl, fd.number(), libc::F_SETFL, libc::O_NONBLOCK) }.map(drop)
}
