//! The three standard descriptors, and terminals.

use super::{BorrowedFd, Errno, call};

/// Whether the descriptor is open at all; fcntl(2) F_GETFD.
pub fn is_open(fd: BorrowedFd) -> bool {
    // SAFETY: no pointers.
    unsafe { call!(fcntl, fd.number(), libc::F_GETFD) }.is_ok()
}

/// Makes `standard` (0, 1 or 2) a copy of `fd` that stays open across execve(2).
/// dup3(2); `fd` must be another descriptor.
pub fn install(fd: BorrowedFd, standard: BorrowedFd<'static>) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(dup3, fd.number(), standard.number(), 0) }.map(drop)
}

/// The terminal's foreground process group; 0 where it is outside of this pid
/// namespace. TIOCGPGRP. ENOTTY: not a terminal, or not that of this session.
pub fn foreground(terminal: BorrowedFd) -> Result<u32, Errno> {
    let mut group = 0u32;
    // SAFETY: `group` is a writable pid_t.
    unsafe { call!(ioctl, terminal.number(), libc::TIOCGPGRP as usize, &raw mut group) }?;
    Ok(group)
}

/// Makes a process group of this session the terminal's foreground one. From the
/// background it wants SIGTTOU blocked or ignored. TIOCSPGRP.
pub fn set_foreground(terminal: BorrowedFd, group: u32) -> Result<(), Errno> {
    // SAFETY: `group` is a readable pid_t.
    unsafe { call!(ioctl, terminal.number(), libc::TIOCSPGRP as usize, &raw const group) }.map(drop)
}

/// The process gives up its controlling terminal. If it leads the session, so does
/// all of the session, and the foreground group gets SIGHUP and SIGCONT. TIOCNOTTY.
pub fn detach(terminal: BorrowedFd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(ioctl, terminal.number(), libc::TIOCNOTTY as usize, 0) }.map(drop)
}

/// TIOCSCTTY without force: a terminal that another session has stays there.
pub fn attach(terminal: BorrowedFd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(ioctl, terminal.number(), libc::TIOCSCTTY as usize, 0) }.map(drop)
}
