//! One workload in the foreground of an ordinary Linux: `corm run`.
//!
//! Its config, plan, child and messages are those of a machine that corm boots,
//! so this is also how walls are tried without a machine. What differs is what
//! lies around them: [`host`] finds out what this user may do here, [`terminal`]
//! lends the workload a terminal of its own, and this file does what a shell
//! expects of a program in the foreground. Signals go on to the workload, its
//! exit status comes back, and neither of the two outlives the other.

mod host;
mod terminal;

use crate::config::{Config, Limit, Workload, WorkloadId};
use crate::init::signals;
use crate::sandbox::{self, ChildStdio, Conditions, Enter, Launched, PlanSpace, Reported};
use crate::sys::cell::TakeOnce;
use crate::sys::children::{self, Ended};
use crate::sys::io::{self, Wait};
use crate::sys::{BorrowedFd, Errno, OwnedFd, event, fs, process, time, tty};
use crate::text::Bytes;
use crate::{cgroup, error};
use core::ffi::CStr;
use terminal::Terminal;

/// What docker-run(1) and shells exit with when it was not the workload that failed.
const FAILED: u8 = 125;
/// A shell adds the number of the signal that ended a program.
const BY_SIGNAL: u8 = 128;

static SPACE: TakeOnce<PlanSpace> = TakeOnce::new(PlanSpace::EMPTY);

/// Runs the workload and returns with the exit status that says how it ended.
/// `wants_terminal`: whether it gets one; `None`: if stdin is one.
pub fn foreground(config: &mut Config, id: WorkloadId, wants_terminal: Option<bool>) -> u8 {
    // Nothing that is opened here may become one of the three.
    for standard in [BorrowedFd::STDIN, BorrowedFd::STDOUT, BorrowedFd::STDERR] {
        if !tty::is_open(standard) && fs::open(BorrowedFd::CWD, c"/dev/null", fs::Open::READ_WRITE).is_err() {
            return FAILED;
        }
    }
    let Some((ignored, space)) = begin() else { return FAILED };
    match Foreground::start(config, id, wants_terminal, ignored, space) {
        Ok(foreground) => foreground.serve(),
        Err(status) => status,
    }
}

/// Runs a program behind the walls of a workload that runs, and returns as [`foreground`] does.
pub fn enter<'c>(config: &'c Config, id: WorkloadId, entry: &'c Enter<'c>, terminal: bool) -> u8 {
    let Some((ignored, space)) = begin() else { return FAILED };
    let started = open_terminal(Some(terminal)).and_then(|terminal| {
        let conditions = Conditions { foreground: true, enter: Some(entry), ..Conditions::default() };
        Foreground::launch(config, id, terminal, conditions, ignored, space)
    });
    started.map_or_else(|status| status, Foreground::serve)
}

/// What this process was told to ignore, and the one space there is.
fn begin() -> Option<(Ignored, &'static mut PlanSpace)> {
    let space = SPACE.take()?;
    Some((Ignored(process::default_signals()), space))
}

fn open_terminal(wanted: Option<bool>) -> Result<Option<Terminal>, u8> {
    Terminal::open(wanted).map_err(|errno| {
        error!("cannot open a terminal for it: ", errno);
        FAILED
    })
}

/// Signals that whoever started this process had it ignore, as nohup(1) does: a bit each.
#[derive(Clone, Copy)]
struct Ignored(u64);

impl Ignored {
    fn bit(signal: u8) -> u64 {
        1u64.wrapping_shl(signal.wrapping_sub(1).into())
    }

    fn has(self, signal: u8) -> bool {
        self.0 & Ignored::bit(signal) != 0
    }
}

struct Foreground<'c> {
    config: &'c Config,
    id: WorkloadId,
    pid: u32,
    report: Option<OwnedFd>,
    signals: OwnedFd,
    ignored: Ignored,
    terminal: Option<Terminal>,
    /// Where that is not the workload's own.
    command: Option<&'c CStr>,
    /// Its program is the first process of a pid namespace.
    first: bool,
    /// Where this workload's cgroup is removed from.
    cgroup: Option<host::Cgroup>,
    /// A signal that the workload was asked to end with.
    asked: Option<u8>,
    /// It could not notice that signal, and was killed in its stead.
    killed: bool,
    status: u8,
}

impl<'c> Foreground<'c> {
    fn start(
        config: &'c mut Config,
        id: WorkloadId,
        wants_terminal: Option<bool>,
        ignored: Ignored,
        space: &mut PlanSpace,
    ) -> Result<Self, u8> {
        let terminal = open_terminal(wants_terminal)?;
        let host = host::prepare(config, id).map_err(|unable| {
            error!(unable);
            FAILED
        })?;
        let config = &*config;
        let conditions =
            Conditions { keeps_groups: host.keeps_groups, foreground: true, ..Conditions::default() };
        let mut started = Self::launch(config, id, terminal, conditions, ignored, space);
        match (&mut started, host.cgroup) {
            (Ok(foreground), cgroup) => foreground.cgroup = cgroup,
            (Err(_), Some(cgroup)) => cgroup.remove(config, id),
            (Err(_), None) => {}
        }
        started
    }

    fn launch(
        config: &'c Config,
        id: WorkloadId,
        terminal: Option<Terminal>,
        conditions: Conditions<'c>,
        ignored: Ignored,
        space: &mut PlanSpace,
    ) -> Result<Self, u8> {
        // What stops a job stops this one; all the rest is the workload's.
        let job = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
        let signals =
            event::block_all_signals_but(&job).and_then(|()| event::signals()).map_err(|errno| {
                error!("cannot watch for signals: ", errno);
                FAILED
            })?;
        let launched = launch(config, id, terminal.as_ref(), conditions, space);
        let Launched { pid, report } = launched.map_err(|failure| {
            error!(name(config, id), ": ", failure.shown(config, id));
            failure.exit_code()
        })?;
        let terminal = terminal.map(Terminal::take_over);
        Ok(Foreground {
            config,
            id,
            pid,
            report: Some(report),
            signals,
            ignored,
            terminal,
            command: conditions.enter.and_then(|enter| enter.command.first().copied()),
            first: conditions.enter.is_none() && config.workload(id).is_some_and(Workload::is_first_process),
            cgroup: None,
            asked: None,
            killed: false,
            status: FAILED,
        })
    }

    fn serve(mut self) -> u8 {
        let mut ended = None;
        while ended.is_none() {
            let report = self.report.as_ref().map(OwnedFd::borrow);
            let terminal = self.terminal.as_ref().map(Terminal::waits).unwrap_or_default();
            let [typed, shown] = terminal;
            let mut waits = [Wait::to_read(Some(self.signals.borrow())), Wait::to_read(report), typed, shown];
            if io::poll(&mut waits).is_err() {
                break;
            }
            let [_, reported, typed, shown] = waits.map(|wait| wait.ready());
            if let Some(terminal) = self.terminal.as_mut() {
                terminal.pass_on(typed, shown);
            }
            if reported {
                self.take_report();
            }
            while let Some(signal) = event::next_signal(self.signals.borrow()) {
                self.take_signal(signal);
            }
            while let Some((pid, how)) = children::reap() {
                if pid == self.pid {
                    ended = Some(how);
                }
            }
        }
        self.finish(ended)
    }

    fn take_report(&mut self) {
        let Some(report) = &self.report else { return };
        match sandbox::read_report(report.borrow()) {
            Reported::Nothing => return,
            Reported::Executed => {
                // What came before the program was there has met nobody.
                if let Some(signal) = self.asked {
                    self.forward(signal);
                }
            }
            Reported::Failed(failure) => {
                let (name, shown) = (name(self.config, self.id), failure.shown(self.config, self.id));
                match self.command.filter(|_| failure.what == sandbox::What::Execute) {
                    Some(command) => error!(name, ": cannot execute ", command, ": ", failure.errno),
                    None => error!(name, ": ", shown),
                }
                self.status = failure.exit_code();
            }
        }
        self.report = None;
    }

    fn take_signal(&mut self, signal: u8) {
        match i32::from(signal) {
            libc::SIGCHLD | libc::SIGPIPE => {}
            libc::SIGWINCH => {
                if let Some(terminal) = &self.terminal {
                    terminal.resize();
                }
            }
            _ if self.ignored.has(signal) => {}
            _ => self.forward(signal),
        }
    }

    /// The first process of a pid namespace has no default actions, so a signal
    /// that would end any other program ends this one too, by SIGKILL.
    fn forward(&mut self, signal: u8) {
        let ends = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM].contains(&signal.into());
        if ends {
            self.asked = Some(signal);
        }
        let kill = ends && self.first && signals::is_deaf(self.pid, signal);
        self.killed |= kill;
        // If it has ended there is nobody to tell: SIGCHLD is on its way.
        let _ = children::kill(self.pid, if kill { libc::SIGKILL as u8 } else { signal });
    }

    fn finish(mut self, ended: Option<Ended>) -> u8 {
        if let Some(terminal) = self.terminal.take() {
            terminal.give_back();
        }
        // A report that came together with the end.
        self.take_report();
        let status = match (ended, self.asked) {
            _ if self.status != FAILED => self.status,
            (Some(Ended::Signalled(_)), Some(signal)) if self.killed => BY_SIGNAL.saturating_add(signal),
            (Some(Ended::Signalled(signal)), _) => BY_SIGNAL.saturating_add(signal),
            (Some(Ended::Exited(status)), _) => status,
            (None, _) => FAILED,
        };
        if let Some(cgroup) = self.cgroup.take() {
            self.tell_of_limits();
            cgroup.remove(self.config, self.id);
        }
        status
    }

    fn tell_of_limits(&self) {
        let forks = cgroup::refused_forks(self.config, self.id);
        if forks > 0 {
            let limit = self.config.workload(self.id).and_then(|it| self.config.limit(it, Limit::Pids));
            let name = name(self.config, self.id);
            error!(
                name,
                ": out of processes: ",
                forks,
                " refused at its limit of ",
                limit.unwrap_or(0),
                " (pids)"
            );
        }
        if cgroup::oom_kills(self.config, self.id) > 0 {
            let limit =
                self.config.workload(self.id).and_then(|workload| self.config.limit(workload, Limit::Memory));
            match limit {
                // Or one above it was met, of whoever started us.
                Some(limit) if cgroup::met_its_memory(self.config, self.id) => {
                    error!(name(self.config, self.id), ": out of memory: its limit is ", Bytes(limit))
                }
                _ => error!(name(self.config, self.id), ": out of memory"),
            }
        }
    }
}

fn name(config: &Config, id: WorkloadId) -> &[u8] {
    config.workload(id).map_or(b"", |workload| config.bytes(workload.name))
}

fn launch(
    config: &Config,
    id: WorkloadId,
    terminal: Option<&Terminal>,
    conditions: Conditions,
    space: &mut PlanSpace,
) -> Result<Launched, sandbox::Failure> {
    // What is a terminal is the workload's own one; the rest is as it was given.
    let lend = |standard| match terminal {
        Some(terminal) if tty::Modes::of(standard).is_ok() => terminal.peer(),
        _ => standard,
    };
    let stdio = ChildStdio {
        stdin: lend(BorrowedFd::STDIN),
        stdout: lend(BorrowedFd::STDOUT),
        stderr: lend(BorrowedFd::STDERR),
        controlling_terminal: terminal.is_some(),
        ready: None,
    };
    sandbox::spawn(config, id, &stdio, conditions, space)
}

/// Waits a little for what is on its way out.
fn shortly(mut done: impl FnMut() -> bool) {
    const TIMES: u32 = 100;
    const MILLIS: u64 = 10;
    for _ in 0..TIMES {
        if done() {
            return;
        }
        time::sleep(MILLIS);
    }
}

/// What a kernel without the feature answers, or one whose administrator has closed it.
fn is_denied(errno: Errno) -> bool {
    errno == Errno::EPERM || errno == Errno::EACCES
}
