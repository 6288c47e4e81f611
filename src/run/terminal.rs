//! A terminal of the workload's own, between it and the one corm was started on.
//!
//! A workload that had the person's own terminal could type into it: after its
//! end the shell would execute what it left there (TIOCSTI, CVE-2017-5226 and its
//! kin). So it gets a new pseudoterminal, and this file carries bytes both ways.
//! The outer terminal is raw meanwhile: what ctrl-c means is decided inside.

use crate::sys::fs::{self, Open};
use crate::sys::io::{self, Wait};
use crate::sys::tty::{self, Modes};
use crate::sys::{BorrowedFd, Errno, OwnedFd};

const OUTER: BorrowedFd = BorrowedFd::STDIN;
/// What a person pastes comes in more than one piece.
const PIECE: usize = 512;

pub struct Terminal {
    master: OwnedFd,
    /// Until the workload has it.
    peer: Option<OwnedFd>,
    /// How the outer terminal was; `None`: stdin is no terminal.
    before: Option<Modes>,
    /// What was typed; not yet taken is what lies between these two.
    typed: [u8; PIECE],
    taken: usize,
    end: usize,
    hung_up: bool,
}

impl Terminal {
    /// `None` if there is nothing to lend: stdin is no terminal.
    pub fn open(wanted: Option<bool>) -> Result<Option<Terminal>, Errno> {
        let before = Modes::of(OUTER).ok();
        if !wanted.unwrap_or(before.is_some()) {
            return Ok(None);
        }
        let how = Open::READ_WRITE | Open::NO_CTTY | Open::NON_BLOCKING;
        let master = fs::open(BorrowedFd::CWD, c"/dev/ptmx", how)?;
        let peer = tty::open_peer(master.borrow())?;
        if let Some(modes) = before {
            modes.apply(peer.borrow())?;
        }
        let terminal = Terminal {
            master,
            peer: Some(peer),
            before,
            typed: [0; PIECE],
            taken: 0,
            end: 0,
            hung_up: false,
        };
        terminal.resize();
        Ok(Some(terminal))
    }

    pub fn peer(&self) -> BorrowedFd<'_> {
        self.peer.as_ref().map_or(OUTER, OwnedFd::borrow)
    }

    /// The workload has its end: from here on the person types into that.
    pub fn take_over(mut self) -> Terminal {
        self.peer = None;
        if let Some(modes) = self.before {
            // A terminal that went away in the meantime needs no modes.
            let _ = modes.raw().apply(OUTER);
        }
        self
    }

    /// The inner terminal is as large as the outer one.
    pub fn resize(&self) {
        // A terminal without a size has none to give.
        let _ = tty::copy_size(OUTER, self.master.borrow());
    }

    /// What is waited for: something typed, and something to show.
    pub fn waits(&self) -> [Wait; 2] {
        let waiting = self.is_waiting();
        let typing = (!waiting && !self.hung_up).then_some(OUTER);
        [Wait::to_read(typing), Wait::to_read_and_write(self.master.borrow(), waiting)]
    }

    fn is_waiting(&self) -> bool {
        self.taken < self.end
    }

    pub fn pass_on(&mut self, typed: bool, shown: bool) {
        if typed {
            match io::read(OUTER, &mut self.typed) {
                Ok(0) => self.end_of_input(),
                Ok(count) => (self.taken, self.end) = (0, count),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => self.hung_up = true,
            }
        }
        if self.is_waiting() {
            self.type_in();
        }
        if shown {
            self.show();
        }
    }

    /// The end of a file is typed as a person does it, with ctrl-d.
    fn end_of_input(&mut self) {
        const CTRL_D: u8 = 4;
        self.hung_up = true;
        if let Some(first) = self.typed.first_mut() {
            *first = CTRL_D;
            (self.taken, self.end) = (0, 1);
        }
    }

    fn type_in(&mut self) {
        let pending = self.typed.get(self.taken..self.end).unwrap_or(&[]);
        match io::write(self.master.borrow(), pending) {
            Ok(count) => self.taken = self.taken.saturating_add(count),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // Nobody has the other end any more.
            Err(_) => self.taken = self.end,
        }
    }

    /// Shows a piece of what the workload has written; false if there is none.
    fn show(&mut self) -> bool {
        let mut piece = [0u8; PIECE];
        match io::read(self.master.borrow(), &mut piece) {
            Ok(count) if count > 0 => {
                let to = if Modes::of(BorrowedFd::STDOUT).is_ok() { BorrowedFd::STDOUT } else { OUTER };
                io::write_all(to, piece.get(..count).unwrap_or(&[])).is_ok()
            }
            _ => false,
        }
    }

    /// Shows what is left, and makes the outer terminal what it was.
    pub fn give_back(mut self) {
        // As much as a pseudoterminal holds, and some: a process that stays and writes must not keep us.
        const PIECES: u32 = 256;
        for _ in 0..PIECES {
            if !self.show() {
                break;
            }
        }
        if let Some(modes) = self.before {
            // A terminal that is gone needs no modes.
            let _ = modes.apply(OUTER);
        }
    }
}
