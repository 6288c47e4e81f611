//! Bytes in and out of descriptors.

use super::{BorrowedFd, Errno, OwnedFd, call};
use core::ffi::CStr;

/// read(2). `Ok(0)` is end of file.
pub fn read(fd: BorrowedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: `buffer` is writable for its length.
    unsafe { call!(read, fd.number(), buffer.as_mut_ptr(), buffer.len()) }
}

/// pread64(2) from the beginning, whatever was read before. What polls a file of
/// /sys for changes counts from there.
pub fn read_again<'b>(fd: BorrowedFd, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    // An offset of 0 is zeros, in whichever registers a machine has it.
    // SAFETY: `buffer` is writable for its length.
    let count = unsafe { call!(pread64, fd.number(), buffer.as_mut_ptr(), buffer.len(), 0, 0, 0) }?;
    buffer.get(..count).ok_or(Errno::EOVERFLOW)
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

/// pread64(2): at a place of its own, which does not move. For places below 2^63.
pub fn read_at(fd: BorrowedFd, buffer: &mut [u8], place: u64) -> Result<usize, Errno> {
    let (fd, length) = (fd.number(), buffer.len());
    // SAFETY: `buffer` is writable for its length; ARM's 64-bit values begin in an even register.
    #[cfg(target_arch = "arm")]
    let result =
        unsafe { call!(pread64, fd, buffer.as_mut_ptr(), length, 0, place as u32, (place >> 32) as u32) };
    // SAFETY: `buffer` is writable for its length.
    #[cfg(not(target_arch = "arm"))]
    let result = unsafe { call!(pread64, fd, buffer.as_mut_ptr(), length, place) };
    result
}

/// pwrite64(2), as [`read_at`].
pub fn write_at(fd: BorrowedFd, bytes: &[u8], place: u64) -> Result<usize, Errno> {
    let (fd, length) = (fd.number(), bytes.len());
    // SAFETY: `bytes` is readable for its length; ARM's 64-bit values begin in an even register.
    #[cfg(target_arch = "arm")]
    let result =
        unsafe { call!(pwrite64, fd, bytes.as_ptr(), length, 0, place as u32, (place >> 32) as u32) };
    // SAFETY: `bytes` is readable for its length.
    #[cfg(not(target_arch = "arm"))]
    let result = unsafe { call!(pwrite64, fd, bytes.as_ptr(), length, place) };
    result
}

/// A file that is memory and has no name. Pages of it that were never written cost
/// nothing. memfd_create(2).
pub fn memory_file(name: &CStr) -> Result<OwnedFd, Errno> {
    // SAFETY: `name` is NUL-terminated and outlives the call.
    unsafe { call!(memfd_create, name.as_ptr(), libc::MFD_CLOEXEC) }.map(OwnedFd::from_return)
}

/// The same for a program: it can be executed whatever vm.memfd_noexec has as its default
/// (MFD_EXEC, Linux 6.3; EINVAL before, where all can), and be sealed. EACCES: that forbids it.
pub fn memory_program(name: &CStr) -> Result<OwnedFd, Errno> {
    const MFD_EXEC: u32 = 0x10;
    let make = |more| {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | more;
        // SAFETY: `name` is NUL-terminated and outlives the call.
        unsafe { call!(memfd_create, name.as_ptr(), flags) }.map(OwnedFd::from_return)
    };
    match make(MFD_EXEC) {
        Err(Errno::EINVAL) => make(0),
        file => file,
    }
}

/// Nobody ever changes what is in it, nor takes that back. fcntl(2) F_ADD_SEALS.
pub fn seal(file: BorrowedFd) -> Result<(), Errno> {
    const SEALS: i32 = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: no pointers.
    unsafe { call!(fcntl, file.number(), libc::F_ADD_SEALS, SEALS) }.map(drop)
}

/// Moves bytes of a file from where it is read next; `Ok(0)` at its end. sendfile(2).
pub fn send_file(to: BorrowedFd, from: BorrowedFd) -> Result<usize, Errno> {
    const AT_ONCE: usize = 1 << 20;
    let no_offset = core::ptr::null::<u8>();
    // SAFETY: without an offset nothing is read or written of our memory.
    unsafe { call!(sendfile, to.number(), from.number(), no_offset, AT_ONCE) }
}

/// A pipe: (read end, write end), both close-on-exec. pipe2(2).
pub fn pipe(flags: PipeFlags) -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut ends = [-1i32; 2];
    // SAFETY: `ends` has room for the two descriptors.
    unsafe { call!(pipe2, ends.as_mut_ptr(), libc::O_CLOEXEC | flags as i32) }?;
    let [reader, writer] = ends;
    Ok((OwnedFd::from_number(reader), OwnedFd::from_number(writer)))
}

/// Two connected sockets, close-on-exec: what is sent into one comes out of the other.
/// socketpair(2) of AF_UNIX.
pub fn socket_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut ends = [-1i32; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` has room for the two descriptors.
    unsafe { call!(socketpair, libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) }?;
    let [one, other] = ends;
    Ok((OwnedFd::from_number(one), OwnedFd::from_number(other)))
}

/// recvfrom(2) with MSG_DONTWAIT, from a socket: EAGAIN if there is nothing yet, `Ok(0)` once
/// the other end is closed, ECONNRESET if that had not read all that was sent to it.
pub fn receive_now(socket: BorrowedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    let (into, length) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: `buffer` is writable for its length; the sender's address is not asked for.
    unsafe { call!(recvfrom, socket.number(), into, length, libc::MSG_DONTWAIT, 0, 0) }
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

/// One descriptor that is waited for, and what [`poll`] says of it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Wait(libc::pollfd);

impl Wait {
    /// Until there is something to read; never, without a descriptor.
    pub fn to_read(fd: Option<BorrowedFd>) -> Wait {
        Wait(libc::pollfd { fd: fd.map_or(-1, BorrowedFd::number), events: libc::POLLIN, revents: 0 })
    }

    /// Until there is something to read or, if `write`, room to write.
    pub fn to_read_and_write(fd: BorrowedFd, write: bool) -> Wait {
        let more = if write { libc::POLLOUT } else { 0 };
        Wait(libc::pollfd { fd: fd.number(), events: libc::POLLIN | more, revents: 0 })
    }

    /// Whether it need not be waited for any longer; hang-ups and errors count.
    pub fn ready(self) -> bool {
        self.0.revents != 0
    }
}

impl Default for Wait {
    fn default() -> Wait {
        Wait::to_read(None)
    }
}

/// Until one of them is ready or a signal came that is not blocked. ppoll(2).
pub fn poll(waits: &mut [Wait]) -> Result<(), Errno> {
    // SAFETY: `waits` is an array of writable struct pollfd; no timeout and no signal mask are given.
    match unsafe { call!(ppoll, waits.as_mut_ptr(), waits.len(), 0, 0, 0) } {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Whether the other end of this pipe or socket is open: this one is in error, or hung up,
/// when it is not. ppoll(2).
pub fn has_reader(end: BorrowedFd) -> bool {
    let mut wait = Wait(libc::pollfd { fd: end.number(), events: 0, revents: 0 });
    let at_once = [0u64; 2];
    // SAFETY: `wait` is one writable struct pollfd, `at_once` a readable timespec of no time (of
    // two words on each machine); no signal mask is given.
    let result = unsafe { call!(ppoll, &raw mut wait, 1, at_once.as_ptr(), 0, 0) };
    result.is_ok() && !wait.ready()
}
