//! The terminal, which belongs to the child's process group while it runs.

use super::Kind;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, Errno, OwnedFd, process, tty};

pub(super) enum Terminal {
    /// Our session has none.
    None,
    Stdin,
    /// /dev/tty, also where stdin is something else. Opened when it is needed.
    Device,
}

impl Terminal {
    /// That of our session.
    pub fn find(kind: Kind) -> Terminal {
        // tini looks at stdin only.
        if kind != Kind::Tini
            && let Ok(device) = open()
        {
            return if exists(device.borrow()) { Terminal::Device } else { Terminal::None };
        }
        if exists(BorrowedFd::STDIN) { Terminal::Stdin } else { Terminal::None }
    }

    pub fn is_there(&self) -> bool {
        !matches!(self, Terminal::None)
    }

    /// Makes a process group the foreground one, if `from` is it now or is nobody; says whether it is.
    fn give(&self, from: Option<u32>, to: u32) -> Result<bool, Errno> {
        let device;
        let terminal = match self {
            Terminal::None => return Ok(false),
            Terminal::Stdin => BorrowedFd::STDIN,
            Terminal::Device => {
                device = open()?;
                device.borrow()
            }
        };
        match tty::foreground(terminal)? {
            group if group == to => {}
            group if from.is_none_or(|from| group == from) => tty::set_foreground(terminal, to)?,
            // In the background, or somebody else's now.
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// From us to the child, if we have it. `own` is our process group.
    pub fn take(&self, own: u32, child: u32) -> bool {
        self.give(Some(own), child).unwrap_or(false)
    }

    /// From whoever has it.
    pub fn seize(&self, child: u32) -> bool {
        self.give(None, child).unwrap_or(false)
    }

    /// Back from the child, if it has it.
    pub fn give_back(&self, child: u32) -> bool {
        self.is_there() && self.give(Some(child), process::group()).unwrap_or(false)
    }
}

fn open() -> Result<OwnedFd, Errno> {
    fs::open(BorrowedFd::CWD, c"/dev/tty", Open::READ_WRITE)
}

fn exists(terminal: BorrowedFd) -> bool {
    tty::foreground(terminal).is_ok()
}
