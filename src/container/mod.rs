//! `corm init`: PID 1 in somebody else's container. It starts one program, passes
//! signals on to it, reaps everything, and ends with its status.
//!
//! tini, dumb-init and catatonit all do that, and each a little differently.
//! Called by one of their names corm is that program: [`persona`] has what they
//! differ in, mostly as text, and everything below it is one engine. What they do
//! wrong it does not do: a signal that comes before the child has its process
//! group is not lost, whoever started us with SIGCHLD ignored, and a terminal
//! that was taken is given back.
//!
//! It is meant to be forgotten about, so it keeps small: no descriptor, no timer,
//! no wake-up until something happens, and a page or two of stack. The child is
//! made as vfork(2) does it, which copies nothing and lets the group race not
//! exist: when the parent goes on, the child is another program or dead.

mod child;
mod options;
mod persona;
mod say;
mod terminal;
#[cfg(test)]
mod tests;

pub use persona::Kind;

use crate::sys::children::{self, Ended, Stopped};
use crate::sys::fs::{self, Open};
use crate::sys::{Args, BorrowedFd, Errno, clock, event, fd, io, pages, power, process, time, tty};
use say::Level;
use terminal::Terminal;

const CHLD: u8 = libc::SIGCHLD as u8;
const CONT: u8 = libc::SIGCONT as u8;
const HUP: u8 = libc::SIGHUP as u8;
const INT: u8 = libc::SIGINT as u8;
const KILL: u8 = libc::SIGKILL as u8;
const STOP: u8 = libc::SIGSTOP as u8;
const TERM: u8 = libc::SIGTERM as u8;
const TSTP: u8 = libc::SIGTSTP as u8;
const TTIN: u8 = libc::SIGTTIN as u8;
const TTOU: u8 = libc::SIGTTOU as u8;
/// The highest signal, RTMAX.
const LAST: u8 = 64;

/// Where the child lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// In its own process group, the terminal's foreground one.
    Group,
    /// In its own session, with the terminal if it can be had.
    Session,
    /// With us.
    Same,
}

struct Init {
    kind: Kind,
    args: Args,
    /// The argument that is the program.
    program: usize,
    /// What we were called by, and what a message is about.
    name: &'static [u8],
    word: &'static [u8],
    /// The options without argument, a bit each.
    given: u64,
    /// Messages above this level are not said.
    verbosity: u32,
    parent_death: u8,
    /// Statuses that are passed on as 0, a bit each.
    success: [u64; 4],
    /// What is sent for a signal, by its number; [`AS_IS`] for the signal itself, 0 for none.
    rewrite: [u8; LAST as usize + 1],
    /// Milliseconds that processes get to end after SIGTERM.
    grace: Option<u64>,
    user: Option<(u32, u32)>,
    pid: u32,
    child: u32,
    terminal: Terminal,
    /// HUP and CONT that the kernel sent because the terminal was given up, a bit each.
    unasked: u64,
    /// The child was stopped as a shell's job, which its whole group is to be continued for.
    suspended: bool,
    /// The child's, once it has ended; then only the rest is waited for.
    status: Option<u8>,
    /// When the processes that are left get SIGKILL.
    deadline: Option<u64>,
    /// What those that are left get.
    last_signal: u8,
}

const AS_IS: u8 = u8::MAX;

/// Is this the init of a container, and whose?
pub fn called(args: Args) -> Option<Kind> {
    Kind::by_name(args.get(0)?.to_bytes())
}

/// The whole life of it.
pub fn run(kind: Kind, args: Args) -> ! {
    let mut init = Init {
        kind,
        args,
        program: 0,
        name: args.get(0).unwrap_or(c"").to_bytes(),
        word: &[],
        given: 0,
        verbosity: u32::from(matches!(kind, Kind::Tini | Kind::Corm)),
        parent_death: 0,
        success: [0; 4],
        rewrite: [AS_IS; LAST as usize + 1],
        grace: None,
        user: None,
        pid: process::id(),
        child: 0,
        terminal: Terminal::None,
        unasked: 0,
        suspended: false,
        status: None,
        deadline: None,
        last_signal: TERM,
    };
    init.read();
    init.start();
    let status = init.serve();
    init.terminal.give_back(init.child);
    process::exit(status)
}

impl Init {
    /// Was that option given?
    fn has(&self, letter: u8) -> bool {
        self.given & bit(letter) != 0
    }

    fn give(&mut self, letter: u8) {
        self.given |= bit(letter);
    }

    fn place(&self) -> Place {
        if self.has(b'c') {
            Place::Same
        } else if self.kind == Kind::DumbInit || self.has(b'S') {
            Place::Session
        } else {
            Place::Group
        }
    }

    fn start(&mut self) {
        // Nothing here fails: the mask is readable, and signal 17 has a disposition.
        let mask = event::replace_mask(self.signals()).unwrap_or(0);
        // Children of a process that ignores it leave no zombie and no status.
        let ignored = process::ignore(CHLD, false);
        let death = self.parent_death;
        if death != 0 && process::set_parent_death_signal(death).is_err() {
            self.fail("Failed to set up parent death signal", 0);
        }
        self.adopt();
        if !self.has(b'P') {
            match self.place() {
                Place::Group => self.terminal = Terminal::find(self.kind),
                Place::Session => self.detach(),
                Place::Same => {}
            }
            match children::spawn(&|| self.child(mask, ignored)) {
                Ok(child) => self.child = child,
                Err(errno) => self.fail("fork failed: \x05\x01Unable to fork. Exiting.", errno.raw()),
            }
            let text = "Spawned child process '\x06' with pid '\x02'\x01Child spawned with PID \x02.";
            self.say(Level::Info, text, self.child, 0);
        }
        // Neither keeps a filesystem busy nor a pipe open; what fails has no more to give.
        if self.kind != Kind::Tini {
            let _ = fs::change_directory(c"/");
        }
        if matches!(self.kind, Kind::Catatonit | Kind::Corm) {
            let _ = fd::close_from(3);
        }
    }

    fn fail(&self, text: &str, errno: u16) -> ! {
        self.say(Level::Fatal, text, errno.into(), 0);
        process::exit(1)
    }

    /// The signals that are blocked and waited for.
    fn signals(&self) -> u64 {
        !self.kind.own_signals()
    }

    /// Elsewhere than as PID 1, orphans come to us only if we ask for them.
    fn adopt(&self) {
        let always = matches!(self.kind, Kind::Catatonit | Kind::Corm) && self.pid != 1;
        if self.has(b's') || always {
            if let Err(errno) = process::adopt_orphans() {
                self.fail("Failed to register as child subreaper: \x05", errno.raw());
            }
            self.say(Level::Trace, "Registered as child subreaper", 0, 0);
        } else if self.pid != 1 && self.kind == Kind::Tini && !process::adopts_orphans() {
            self.say(Level::Warn, persona::WARNING, 0, 0);
        }
    }

    /// Lets go of the terminal, so that the child's session can have it.
    fn detach(&mut self) {
        let (text, errno) = if let Err(errno) = tty::detach(BorrowedFd::STDIN) {
            ("\x01Unable to detach from controlling tty (errno=\x02 \x05).", errno.raw())
        } else if process::session() == self.pid {
            self.unasked = bit(HUP) | bit(CONT);
            ("\x01Detached from controlling tty, ignoring the first SIGHUP and SIGCONT we receive.", 0)
        } else {
            ("\x01Detached from controlling tty, but was not session leader.", 0)
        };
        self.say(Level::Debug, text, errno.into(), 0);
    }

    /// Until the end; gives back the status of it.
    fn serve(&mut self) -> u8 {
        // The program is starting meanwhile, so this costs no time.
        pages::give_back_all_but_init();
        loop {
            let left = self.deadline.map(|deadline| deadline.saturating_sub(clock::now()));
            // Without a signal: stopped and continued, or the time is up.
            if let Ok(signal) = time::wait_for_signal(self.signals(), left)
                && let Some(status) = self.handle(signal)
            {
                return status;
            }
            if left == Some(0) {
                self.deadline = None;
                self.last_signal = KILL;
                self.signal_rest();
            }
        }
    }

    /// The status to end with, if that is what it comes to.
    fn handle(&mut self, signal: u8) -> Option<u8> {
        if signal == CHLD {
            self.say(Level::Debug, "Received SIGCHLD\x01Received signal \x02.", signal.into(), 0);
            return self.reap();
        }
        self.say(Level::Debug, "\x01Received signal \x02.", signal.into(), 0);
        if self.has(b'P') {
            return matches!(signal, TERM | INT).then_some(0);
        }
        if self.unasked & bit(signal) != 0 {
            self.say(Level::Debug, "\x01Ignoring tty hand-off signal \x02.", signal.into(), 0);
            self.unasked &= !bit(signal);
            return None;
        }
        if self.status.is_some() {
            return None;
        }
        if signal == CONT && self.continued() {
            return None;
        }
        if !self.kind.drops(signal) {
            self.forward(signal);
        }
        if matches!(signal, TSTP | TTIN | TTOU) {
            match (self.kind, self.place()) {
                (Kind::Corm, Place::Same) => self.suspend(self.pid, signal),
                (_, Place::Group) => {}
                _ => {
                    self.say(Level::Debug, "\x01Suspending self due to TTY signal.", 0, 0);
                    self.suspend(self.pid, STOP);
                }
            }
        }
        None
    }

    /// Stops a process or, negative, a group with us in it. The kernel forgets stop signals,
    /// STOP excepted, to a group that no shell could continue, and all to PID 1.
    fn suspend(&self, whom: u32, signal: u8) {
        let _ = children::kill(whom, signal);
        // It has come, and is blocked: here it acts.
        let _ = event::replace_mask(self.signals() & !bit(signal));
        let _ = event::replace_mask(self.signals());
    }

    fn forward(&mut self, signal: u8) {
        let Some(sent) = self.translate(signal) else { return };
        let group = self.has(b'g') || self.place() == Place::Session;
        let kill = if group { children::kill_group } else { children::kill };
        if let Err(errno) = kill(self.child, sent) {
            // EPERM: it has become somebody else, and that is its right.
            let text = match errno {
                Errno::ESRCH => "Child was dead when forwarding signal",
                _ => "Unexpected error when forwarding signal: '\x05'",
            };
            self.say(Level::Warn, text, errno.raw().into(), 0);
        }
        if signal == TERM && self.deadline.is_none() {
            self.set_deadline();
        }
    }

    /// What is sent for a signal, which is told.
    fn translate(&self, signal: u8) -> Option<u8> {
        let mut sent = signal;
        if let Some(&other) = self.rewrite.get(usize::from(signal))
            && other != AS_IS
        {
            sent = other;
            self.say(Level::Debug, "\x01Translating signal \x02 to \x03.", signal.into(), sent.into());
        }
        if sent == 0 {
            self.say(Level::Debug, "\x01Not forwarding signal \x02 to children (ignored).", 0, 0);
            return None;
        }
        let text = "Passing signal: '\x04'\x01Forwarded signal \x02 to children.";
        self.say(Level::Debug, text, sent.into(), 0);
        Some(sent)
    }

    fn set_deadline(&mut self) {
        self.deadline = self.grace.map(|grace| clock::now().saturating_add(grace));
    }

    fn reap(&mut self) -> Option<u8> {
        while let Some((pid, ended)) = children::reap_or_stopped(self.place() == Place::Group) {
            let (status, signal) = match ended {
                Ok(Ended::Exited(status)) => (status, 0),
                Ok(Ended::Signalled(signal)) => (signal.wrapping_add(128), signal),
                Err(Stopped(signal)) => {
                    if pid == self.child {
                        self.stopped(signal);
                    }
                    continue;
                }
            };
            let (text, number) = if signal == 0 {
                (
                    "Reaped child with pid: '\x02'\x01A child with PID \x02 exited with exit status \x03.",
                    status,
                )
            } else {
                (
                    "Reaped child with pid: '\x02'\x01A child with PID \x02 was terminated by signal \x03.",
                    signal,
                )
            };
            self.say(Level::Debug, text, pid, number.into());
            if pid == self.child && self.status.is_none() {
                self.end(status, signal);
                if self.kind == Kind::DumbInit {
                    return self.status;
                }
            } else if self.has(b'w') {
                self.say(Level::Warn, "Reaped zombie process with pid=\x02", pid, 0);
            }
        }
        if self.verbosity > Level::Debug as u32 {
            let left = time::has_children();
            self.say(Level::Trace, if left { "No child to reap" } else { "No child to wait" }, 0, 0);
        }
        let status = self.status?;
        if self.grace.is_none() || !time::has_children() {
            self.say(Level::Trace, "Exiting: child has exited", 0, 0);
            return Some(status);
        }
        if self.pid != 1 {
            // Each death may have brought us its children.
            self.signal_rest();
        }
        None
    }

    /// The child was stopped. It may have wanted the terminal, which a shell gives
    /// to its job's group, ours, only after it has started us. Otherwise our job is
    /// stopped with it, as it would be if the child were in our group: the shell then
    /// knows, and `fg` continues us.
    fn stopped(&mut self, signal: u8) {
        let own = process::group();
        let wanted = matches!(signal, TTIN | TTOU);
        if wanted && self.terminal.take(own, self.child) {
            let _ = children::kill_group(self.child, CONT);
            return;
        }
        let stops = if wanted {
            self.terminal.is_there()
        } else {
            self.kind == Kind::Corm && self.terminal.give_back(self.child)
        };
        if !stops {
            return;
        }
        self.suspended = true;
        // Who raises STOP means itself; the others come from a terminal, and to a whole job.
        self.suspend(if signal == STOP { self.pid } else { own.wrapping_neg() }, signal);
        // Continued, or never stopped as nobody could continue us: the child goes on. (Where our
        // group is somebody's outside, 0, that one is stopped.)
        if signal == TSTP && own != 0 {
            let _ = time::wait_for_signal(bit(CONT), Some(0));
            self.continued();
        }
    }

    /// `fg` has put us into the foreground, and means the child; `bg` means it, too. Was it
    /// stopped as a job?
    fn continued(&mut self) -> bool {
        self.terminal.take(process::group(), self.child);
        let suspended = core::mem::take(&mut self.suspended);
        if suspended {
            let _ = children::kill_group(self.child, CONT);
        }
        suspended
    }

    /// The child has ended: what becomes of its status, and of the others.
    fn end(&mut self, status: u8, signal: u8) {
        let text = if signal == 0 {
            "Main child exited normally (with status '\x03')"
        } else {
            "Main child exited with signal (with signal '\x04')"
        };
        self.say(Level::Info, text, signal.into(), status.into());
        if self.kind == Kind::DumbInit {
            if self.place() == Place::Session {
                self.forward(TERM);
            } else {
                // Its messages are as they are there; a signal would go to a pid that is reaped.
                self.translate(TERM);
            }
        }
        self.say(Level::Debug, "\x01Child exited with status \x03. Goodbye.", 0, status.into());
        let remapped = self.success.get(usize::from(status / 64)).unwrap_or(&0);
        self.status = Some(if remapped & 1u64.wrapping_shl(status.into()) != 0 { 0 } else { status });
        if self.grace.is_some() {
            if self.deadline.is_none() {
                self.set_deadline();
            }
            self.signal_rest();
        }
    }

    /// To all processes that are left. As PID 1 that is everybody in the container;
    /// elsewhere the child's group and our own children, which orphans become.
    fn signal_rest(&self) {
        // Somebody who is gone already needs no signal.
        if self.pid == 1 {
            let _ = power::kill_everything(self.last_signal.into());
            return;
        }
        let _ = children::kill_group(self.child, self.last_signal);
        let Ok(list) = fs::open(BorrowedFd::CWD, c"/proc/thread-self/children", Open::READ) else { return };
        // "12 345 6 ", and a number may stand across two reads.
        let mut buffer = [0; 64];
        let mut pid = 0u32;
        while let Ok(count @ 1..) = io::read(list.borrow(), &mut buffer) {
            for byte in buffer.iter().take(count) {
                if byte.is_ascii_digit() {
                    pid = pid.wrapping_mul(10).wrapping_add(u32::from(byte & 0xf));
                } else if pid != 0 {
                    let _ = children::kill(pid, self.last_signal);
                    pid = 0;
                }
            }
        }
    }
}

/// Of a signal in a mask, or of a letter among the options.
fn bit(number: u8) -> u64 {
    1u64.wrapping_shl(u32::from(number.wrapping_sub(1)))
}
