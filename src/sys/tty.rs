//! Terminals, and the three standard descriptors.

use super::{BorrowedFd, Errno, OwnedFd, call};
use core::mem::MaybeUninit;

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

/// How a terminal treats what goes through it: the kernel's struct termios,
/// which is the same on the three architectures (asm-generic/termbits.h).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Modes {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
    line: u8,
    characters: [u8; 19],
}

impl Modes {
    /// TCGETS. ENOTTY: no terminal.
    pub fn of(terminal: BorrowedFd) -> Result<Modes, Errno> {
        let mut modes = MaybeUninit::<Modes>::uninit();
        // SAFETY: `modes` is writable as a struct termios.
        unsafe { call!(ioctl, terminal.number(), libc::TCGETS as usize, modes.as_mut_ptr()) }?;
        // SAFETY: the kernel has filled it in.
        Ok(unsafe { modes.assume_init() })
    }

    /// TCSETSW: from the next byte on, when what was written has gone out.
    pub fn apply(&self, terminal: BorrowedFd) -> Result<(), Errno> {
        // SAFETY: `self` is readable as a struct termios.
        unsafe { call!(ioctl, terminal.number(), libc::TCSETSW as usize, core::ptr::from_ref(self)) }
            .map(drop)
    }

    /// Every byte as it is, no signals, no echo; cfmakeraw(3).
    pub fn raw(self) -> Modes {
        let off = |field: u32, flags: u32| field & !flags;
        let mut characters = self.characters;
        for (at, value) in [(libc::VMIN, 1), (libc::VTIME, 0)] {
            if let Some(character) = characters.get_mut(at) {
                *character = value;
            }
        }
        let (ignore, mark) = (libc::IGNBRK | libc::BRKINT, libc::PARMRK | libc::ISTRIP);
        let lines = libc::INLCR | libc::IGNCR | libc::ICRNL | libc::IXON;
        Modes {
            input: off(self.input, ignore | mark | lines),
            output: off(self.output, libc::OPOST),
            control: off(self.control, libc::CSIZE | libc::PARENB) | libc::CS8,
            local: off(self.local, libc::ECHO | libc::ECHONL | libc::ICANON | libc::ISIG | libc::IEXTEN),
            characters,
            ..self
        }
    }
}

/// Gives `to` the rows and columns of `from`: TIOCGWINSZ, TIOCSWINSZ.
pub fn copy_size(from: BorrowedFd, to: BorrowedFd) -> Result<(), Errno> {
    let mut size = [0u16; 4];
    // SAFETY: `size` is writable as a struct winsize.
    unsafe { call!(ioctl, from.number(), libc::TIOCGWINSZ as usize, size.as_mut_ptr()) }?;
    // SAFETY: `size` is readable as a struct winsize.
    unsafe { call!(ioctl, to.number(), libc::TIOCSWINSZ as usize, size.as_ptr()) }.map(drop)
}

/// The other end of a pseudoterminal whose master this is: TIOCSPTLCK and
/// TIOCGPTPEER (Linux 4.13), which needs no path.
pub fn open_peer(master: BorrowedFd) -> Result<OwnedFd, Errno> {
    const TIOCGPTPEER: usize = 0x5441;
    let unlock = 0i32;
    // SAFETY: `unlock` is a readable int.
    unsafe { call!(ioctl, master.number(), libc::TIOCSPTLCK as usize, &raw const unlock) }?;
    let how = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: no pointers.
    unsafe { call!(ioctl, master.number(), TIOCGPTPEER, how) }.map(OwnedFd::from_return)
}

/// TCFLSH: what was typed and not yet read is forgotten.
pub fn forget_input(terminal: BorrowedFd) -> Result<(), Errno> {
    const TCFLSH: usize = 0x540B;
    const INPUT: usize = 0;
    // SAFETY: no pointers.
    unsafe { call!(ioctl, terminal.number(), TCFLSH, INPUT) }.map(drop)
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
