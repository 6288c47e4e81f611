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
mod rest;
mod say;
mod terminal;

pub use persona::{HELP, Kind};

use crate::sys::children::{self, Ended, Stopped};
use crate::sys::{Args, BorrowedFd, clock, event, fd, fs, process, time, tty};
use child::Place;
use say::{Level, Reason, say};
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

/// What the command line, the environment and the name ask for.
struct Settings {
    kind: Kind,
    /// Messages above this level are not said.
    verbosity: u32,
    /// Signals go to the child's process group.
    group: bool,
    place: Place,
    subreaper: bool,
    tell_reaped: bool,
    pause: bool,
    parent_death: u8,
    /// Statuses that are passed on as 0, a bit each.
    success: [u64; 4],
    /// What is sent for signals 0 to 31; [`AS_IS`] for the signal itself, 0 for none.
    rewrite: [u8; 32],
    /// Milliseconds that processes get to end after SIGTERM.
    grace: Option<u64>,
    keep_environment: bool,
    user: Option<(u32, u32)>,
    no_new_privileges: bool,
}

const AS_IS: u8 = u8::MAX;

/// Where the program is in the arguments, and what our own pid is.
struct Init {
    args: Args,
    program: usize,
    settings: Settings,
    pid: u32,
    /// Blocked, and so waited for.
    signals: u64,
    terminal: Terminal,
    child: u32,
    /// HUP and CONT that the kernel sent because the terminal was given up, a bit each.
    unasked: u64,
    /// The child's, once it has ended; then only the rest is waited for.
    status: Option<u8>,
    /// When the processes that are left get SIGKILL.
    deadline: Option<u64>,
    /// What those that are left get.
    last_signal: u8,
}

/// Is this the init of a container, and whose?
pub fn called(args: Args) -> Option<Kind> {
    Kind::by_name(args.get(0)?.to_bytes())
}

/// The whole life of it.
pub fn run(kind: Kind, args: Args) -> ! {
    let (settings, program) = match options::read(kind, args) {
        Ok(read) => read,
        Err(status) => process::exit(status),
    };
    let mut init = Init {
        args,
        program,
        settings,
        pid: process::id(),
        signals: !kind.own_signals(),
        terminal: Terminal::None,
        child: 0,
        unasked: 0,
        status: None,
        deadline: None,
        last_signal: TERM,
    };
    let status = match init.start() {
        Ok(()) => init.serve(),
        Err(status) => status,
    };
    init.terminal.give_back(init.child);
    process::exit(status)
}

impl Init {
    fn start(&mut self) -> Result<(), u8> {
        let kind = self.settings.kind;
        // Nothing here fails: the mask is readable, and signal 17 has a disposition.
        let mask = event::replace_mask(self.signals).unwrap_or(0);
        // Children of a process that ignores it leave no zombie and no status.
        let ignored = process::ignore(CHLD, false);
        let death = self.settings.parent_death;
        if death != 0 && process::set_parent_death_signal(death).is_err() {
            say!(self.settings, Level::Fatal, "Failed to set up parent death signal");
            return Err(kind.trouble());
        }
        self.adopt()?;
        if !self.settings.pause {
            match self.settings.place {
                Place::Group => self.terminal = Terminal::find(kind),
                Place::Session => self.detach(),
                Place::Same => {}
            }
            // The child may change the arguments, so this is looked at before.
            let program = self.args.get(self.program);
            let child = children::spawn(&|| self.child(mask, ignored));
            self.child = child.map_err(|errno| {
                say!(
                    self.settings,
                    Level::Fatal,
                    "fork failed: ",
                    Reason(errno),
                    "\x01Unable to fork. Exiting."
                );
                kind.trouble()
            })?;
            say!(
                self.settings,
                Level::Info,
                "Spawned child process '",
                program,
                "' with pid '",
                self.child,
                "'\x01Child spawned with PID ",
                self.child,
                "."
            );
        }
        // Neither keeps a filesystem busy nor a pipe open; what fails has no more to give.
        if kind != Kind::Tini {
            let _ = fs::change_directory(c"/");
        }
        if matches!(kind, Kind::Catatonit | Kind::Corm) {
            let _ = fd::close_from(3);
        }
        Ok(())
    }

    fn adopt(&self) -> Result<(), u8> {
        if self.settings.subreaper && (self.pid != 1 || self.settings.kind == Kind::Tini) {
            if let Err(errno) = process::adopt_orphans() {
                say!(self.settings, Level::Fatal, "Failed to register as child subreaper: ", Reason(errno));
                return Err(self.settings.kind.trouble());
            }
            say!(self.settings, Level::Trace, "Registered as child subreaper");
        } else if self.pid != 1 && self.settings.kind == Kind::Tini && !process::adopts_orphans() {
            say!(self.settings, Level::Warn, persona::WARNING);
        }
        Ok(())
    }

    /// Lets go of the terminal, so that the child's session can have it.
    fn detach(&mut self) {
        if let Err(errno) = tty::detach(BorrowedFd::STDIN) {
            say!(
                self.settings,
                Level::Debug,
                "\x01Unable to detach from controlling tty (errno=",
                errno.raw(),
                " ",
                Reason(errno),
                ")."
            );
        } else if process::session() == self.pid {
            self.unasked = bit(HUP) | bit(CONT);
            say!(
                self.settings,
                Level::Debug,
                "\x01Detached from controlling tty, ignoring the first SIGHUP and SIGCONT we receive."
            );
        } else {
            say!(
                self.settings,
                Level::Debug,
                "\x01Detached from controlling tty, but was not session leader."
            );
        }
    }

    /// Until the end; gives back the status of it.
    fn serve(&mut self) -> u8 {
        loop {
            let left = self.deadline.map(|deadline| deadline.saturating_sub(clock::now()));
            let ended = match time::wait_for_signal(self.signals, left) {
                Ok(signal) => self.handle(signal),
                // Stopped and continued, or the time is up.
                Err(_) => None,
            };
            if ended.is_some() {
                return ended.unwrap_or(0);
            }
            if left == Some(0) {
                self.deadline = None;
                self.last_signal = KILL;
                rest::signal(self.pid, self.child, KILL);
            }
        }
    }

    /// The status to end with, if that is what it comes to.
    fn handle(&mut self, signal: u8) -> Option<u8> {
        if signal == CHLD {
            say!(self.settings, Level::Debug, "Received SIGCHLD\x01Received signal ", signal, ".");
            return self.reap();
        }
        say!(self.settings, Level::Debug, "\x01Received signal ", signal, ".");
        if self.settings.pause {
            return matches!(signal, TERM | INT).then_some(0);
        }
        if self.unasked & bit(signal) != 0 {
            say!(self.settings, Level::Debug, "\x01Ignoring tty hand-off signal ", signal, ".");
            self.unasked &= !bit(signal);
            return None;
        }
        if self.settings.kind.drops(signal) || self.status.is_some() {
            return None;
        }
        if signal == CONT {
            // Back in the foreground, or where we are is for the shell to say.
            self.terminal.take(process::group(), self.child);
        }
        self.forward(signal);
        if self.settings.place != Place::Group && matches!(signal, TSTP | TTIN | TTOU) {
            say!(self.settings, Level::Debug, "\x01Suspending self due to TTY signal.");
            self.suspend();
        }
        None
    }

    /// A process stops itself for sure, unless it is PID 1.
    fn suspend(&self) {
        let _ = children::kill(self.pid, STOP);
    }

    fn forward(&mut self, signal: u8) {
        let sent = match self.settings.rewrite.get(usize::from(signal)) {
            None | Some(&AS_IS) => signal,
            Some(&other) => {
                say!(self.settings, Level::Debug, "\x01Translating signal ", signal, " to ", other, ".");
                other
            }
        };
        if sent == 0 {
            say!(self.settings, Level::Debug, "\x01Not forwarding signal ", sent, " to children (ignored).");
            return;
        }
        say!(
            self.settings,
            Level::Debug,
            "Passing signal: '",
            say::Signal(sent),
            "'\x01Forwarded signal ",
            sent,
            " to children."
        );
        let kill = if self.settings.group { children::kill_group } else { children::kill };
        if kill(self.child, sent).is_err() {
            // ESRCH: it is dead. EPERM: it has become somebody else, and that is its right.
            say!(self.settings, Level::Warn, "Child was dead when forwarding signal");
        }
        if signal == TERM && self.deadline.is_none() {
            self.deadline = self.settings.grace.map(|grace| clock::now().saturating_add(grace));
        }
    }

    fn reap(&mut self) -> Option<u8> {
        while let Some((pid, ended)) = self.next_dead() {
            let (status, signal) = match ended {
                Ok(Ended::Exited(status)) => (status, 0),
                Ok(Ended::Signalled(signal)) => (signal.wrapping_add(128), signal),
                Err(Stopped) => {
                    if pid == self.child && self.terminal.give_back(self.child) {
                        self.suspend();
                    }
                    continue;
                }
            };
            say!(self.settings, Level::Debug, "Reaped child with pid: '", pid, "'\x01A child with PID ", pid);
            if pid == self.child && self.status.is_none() {
                self.status = Some(self.end(status, signal));
                if self.settings.kind == Kind::DumbInit {
                    return self.status;
                }
            } else if self.settings.tell_reaped {
                say!(self.settings, Level::Warn, "Reaped zombie process with pid=", pid);
            }
        }
        if self.settings.verbosity > Level::Debug as u32 {
            let left = if time::has_children() { "reap" } else { "wait" };
            say!(self.settings, Level::Trace, "No child to ", left);
        }
        let status = self.status?;
        if self.settings.grace.is_none() || !time::has_children() {
            say!(self.settings, Level::Trace, "Exiting: child has exited");
            return Some(status);
        }
        if self.pid != 1 {
            // Each death may have brought us its children.
            rest::signal(self.pid, self.child, self.last_signal);
        }
        None
    }

    fn next_dead(&self) -> Option<(u32, Result<Ended, Stopped>)> {
        if self.settings.kind == Kind::Corm {
            children::reap_or_stopped()
        } else {
            children::reap().map(|(pid, ended)| (pid, Ok(ended)))
        }
    }

    /// The child has ended: what becomes of its status, and of the others.
    fn end(&mut self, status: u8, signal: u8) -> u8 {
        if signal == 0 {
            say!(self.settings, Level::Info, "Main child exited normally (with status '", status, "')");
        } else {
            say!(
                self.settings,
                Level::Info,
                "Main child exited with signal (with signal '",
                say::Signal(signal),
                "')"
            );
        }
        if self.settings.place == Place::Session && self.settings.kind == Kind::DumbInit {
            self.forward(TERM);
        }
        say!(self.settings, Level::Debug, "\x01Child exited with status ", status, ". Goodbye.");
        if let Some(grace) = self.settings.grace {
            self.deadline.get_or_insert(clock::now().saturating_add(grace));
            rest::signal(self.pid, self.child, self.last_signal);
        }
        let remapped = self.settings.success.get(usize::from(status / 64)).unwrap_or(&0);
        if remapped & 1u64.wrapping_shl(u32::from(status % 64)) != 0 { 0 } else { status }
    }
}

/// Of a signal in a mask.
fn bit(signal: u8) -> u64 {
    1u64.wrapping_shl(u32::from(signal.wrapping_sub(1)))
}
