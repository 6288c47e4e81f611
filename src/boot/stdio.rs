//! Descriptors 0, 1 and 2.
//!
//! The kernel opens /dev/console for its init, if the initramfs has that node
//! and a console driver is there. Where it could not, corm must still have three
//! open descriptors, or the next file it opens becomes somebody's stdout. No
//! console is a state to work in, not an error: a virtio console appears when its
//! module is loaded, and some machines never have one.

use crate::limits;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, OwnedFd, io, tty};
use crate::text::{Sink, Text};

const CWD: BorrowedFd = BorrowedFd::CWD;
const STANDARD: [BorrowedFd<'static>; 3] = [BorrowedFd::STDIN, BorrowedFd::STDOUT, BorrowedFd::STDERR];

/// Whether all three are open.
pub(super) fn is_open() -> bool {
    STANDARD.into_iter().all(tty::is_open)
}

/// Makes stdio the console: /dev/console, else the terminal the kernel lists
/// last as one. False, and stdio is /dev/null, if there is none (yet).
pub fn console() -> bool {
    if let Some(console) = open_console() {
        install(console);
        return true;
    }
    if !is_open() {
        // A directory can be opened always; reading and writing it fails, which is as good as it gets.
        let null = fs::open(CWD, c"/dev/null", Open::READ_WRITE);
        if let Ok(nothing) = null.or_else(|_| fs::open(CWD, c"/", Open::READ)) {
            install(nothing);
        }
    }
    false
}

pub(super) fn open_console() -> Option<OwnedFd> {
    // Without O_NONBLOCK a serial line without a carrier would be waited for.
    let how = Open::READ_WRITE | Open::NO_CTTY | Open::NON_BLOCKING;
    let console = match fs::open(CWD, c"/dev/console", how) {
        Ok(console) => console,
        Err(_) => {
            // "tty0 ttyS0": the last one is what /dev/console stands for.
            let mut buffer = [0; 128];
            let active = fs::read_file(CWD, c"/sys/class/tty/console/active", &mut buffer).ok()?;
            let name = active.trim_ascii().rsplit(|&byte| byte == b' ').next()?;
            let mut path = Text::<{ limits::PATH }>::new();
            path.put(b"/dev/");
            path.put(name);
            fs::open(CWD, path.as_c_str()?, how).ok()?
        }
    };
    // A terminal that is open can be made to wait; if not, short writes are all that happens.
    let _ = io::set_blocking(console.borrow());
    Some(console)
}

fn install(fd: OwnedFd) {
    // The file may have landed on one of the three itself, close-on-exec.
    let Ok(copy) = fd.borrow().duplicate() else { return };
    drop(fd);
    for standard in STANDARD {
        // dup3(2) of an open descriptor onto a low number has no way to fail.
        let _ = tty::install(copy.borrow(), standard);
    }
}
