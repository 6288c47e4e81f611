//! Starting workloads, and the rescue shell.

use super::Init;
use super::output::Which;
use super::state::Source;
use crate::config::{Network, Spaces, Stdio, Str, Workload, WorkloadId};
use crate::sandbox::{self, ChildStdio, Conditions, Failure, Home};
use crate::supervise::{Event, Unable, Unit, UnitEvent};
use crate::sys::event::Interest;
use crate::sys::fs::{self, Open};
use crate::sys::io::{self, PipeFlags};
use crate::sys::{BorrowedFd, Errno, OwnedFd, clock};
use crate::{cgroup, error, net, warn};

/// How long a rescue shell that has ended stays away.
const RESCUE_AGAIN: u64 = 1000;

/// What a launch keeps open until the child has its copies.
struct Ends {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: Option<OwnedFd>,
    /// The log's ends of stdout and stderr.
    captured: Option<(OwnedFd, OwnedFd)>,
    terminal: bool,
}

impl Init {
    pub(super) fn launch(&mut self, id: WorkloadId) {
        self.sated = true;
        let event = match self.try_launch(id) {
            Ok(pid) => UnitEvent::Launched { pid },
            Err(unable) => UnitEvent::LaunchFailed(unable),
        };
        self.step(Event::Unit(id, event));
    }

    fn try_launch(&mut self, id: WorkloadId) -> Result<u32, Unable> {
        self.renew_group(id);
        self.connect(id)?;
        let stdio = self.config.workload(id).map_or(Stdio::Log, |workload| workload.stdio);
        let ends = self.open_stdio(stdio).map_err(|(path, errno)| {
            error!(self.name(id), ": cannot open ", path, " for it: ", errno);
            unable(errno)
        })?;
        let voice = self.config.workload(id).map(|workload| self.give_voice(workload));
        let voice = voice.unwrap_or(Err(Errno::EINVAL)).map_err(|errno| {
            self.tell_voiceless(id, errno);
            unable(errno)
        })?;
        let child = ChildStdio {
            stdin: ends.stdin.borrow(),
            stdout: ends.stdout.borrow(),
            stderr: ends.stderr.as_ref().unwrap_or(&ends.stdout).borrow(),
            controlling_terminal: ends.terminal,
            ready: voice.descriptor(),
        };
        let join = self.config.workload(id).and_then(|workload| workload.join);
        let joined = join.and_then(|join| self.state.supervisor.unit(join)).and_then(Unit::pid);
        let own = self.state.edges.get(id.index()).and_then(|edge| edge.network.as_ref());
        let network = own.zip(self.state.home.as_ref());
        let network = network.map(|(own, machine)| Home { own: own.borrow(), machine: machine.borrow() });
        let conditions = Conditions { notify: voice.has_socket(), joined, network, ..Conditions::default() };
        let launched = sandbox::spawn(self.config, id, &child, conditions, self.plan).map_err(|failure| {
            error!(self.name(id), ": ", failure.shown(self.config, id));
            consequence(failure)
        })?;
        if let Some((stdout, stderr)) = ends.captured {
            self.open_stream(id, Which::Output, stdout);
            self.open_stream(id, Which::Errors, stderr);
        }
        self.watch_limits(id);
        self.watch(launched.report.borrow(), Interest::Readable, Source::Report(id));
        self.listen(id, voice);
        if let Some(edge) = self.state.edge(id) {
            edge.report = Some(launched.report);
        }
        Ok(launched.pid)
    }

    /// Makes its network, the first time; and there is none without the firewall in front of it.
    fn connect(&mut self, id: WorkloadId) -> Result<(), Unable> {
        // Who joins another has that one's.
        let is_own = |it: &&Workload| it.network.is_connected() && !it.joined.has(Spaces::NETWORK);
        let Some(workload) = self.config.workload(id).filter(is_own) else { return Ok(()) };
        if self.state.edge(id).is_some_and(|edge| edge.network.is_some()) {
            return Ok(());
        }
        if workload.network == Network::Bridge && self.state.firewall.is_none() {
            error!(self.name(id), ": not started: there is no firewall for its network");
            return Err(Unable::ForGood { code: 126 });
        }
        let made = self.state.home.take().map_or_else(net::workload::namespace, Ok).and_then(|home| {
            let made = net::workload::make(self.config, workload, id, home.borrow());
            self.state.home = Some(home);
            made
        });
        match made {
            Ok(namespace) => {
                if let Err(errno) = net::names::write_hosts(self.config, workload) {
                    warn!(self.name(id), ": cannot write its /etc/hosts: ", errno);
                }
                if let Some(edge) = self.state.edge(id) {
                    edge.network = Some(namespace);
                }
                Ok(())
            }
            // An interface may come yet.
            Err(trouble) => {
                error!(
                    self.name(id),
                    ": network ",
                    self.config.bytes(workload.connection.link),
                    ": cannot ",
                    trouble
                );
                Err(Unable::ForNow)
            }
        }
    }

    fn open_stdio(&self, stdio: Stdio) -> Result<Ends, (&'static core::ffi::CStr, Errno)> {
        let open = |path: &'static core::ffi::CStr, how| {
            fs::open(BorrowedFd::CWD, path, how | Open::NO_CTTY).map_err(|errno| (path, errno))
        };
        // Opened without waiting for a carrier or a peer, then used as any file.
        let device = |path: Str, how| {
            let path = self.config.c_str(path);
            let device = open(path, how | Open::NON_BLOCKING)?;
            io::set_blocking(device.borrow()).map_err(|errno| (path, errno))?;
            Ok(device)
        };
        match stdio {
            Stdio::Log => {
                let pipe = || io::pipe(PipeFlags::Blocking).map_err(|errno| (c"a pipe", errno));
                let ((out_read, out_write), (err_read, err_write)) = (pipe()?, pipe()?);
                for reader in [&out_read, &err_read] {
                    io::set_non_blocking(reader.borrow()).map_err(|errno| (c"a pipe", errno))?;
                }
                Ok(Ends {
                    stdin: open(c"/dev/null", Open::READ)?,
                    stdout: out_write,
                    stderr: Some(err_write),
                    captured: Some((out_read, err_read)),
                    terminal: false,
                })
            }
            Stdio::Console => {
                let console = open(c"/dev/console", Open::READ_WRITE)?;
                let stdout = console.borrow().duplicate().map_err(|errno| (c"/dev/console", errno))?;
                Ok(Ends { stdin: console, stdout, stderr: None, captured: None, terminal: true })
            }
            Stdio::Devices { stdin, stdout, stderr } => Ok(Ends {
                stdin: device(stdin, Open::READ)?,
                stdout: device(stdout, Open::WRITE)?,
                stderr: Some(device(stderr, Open::WRITE)?),
                captured: None,
                terminal: false,
            }),
        }
    }

    /// The child's word about its walls: which step failed, or, when execve(2)
    /// has closed the pipe, that they all stand.
    pub(super) fn take_report(&mut self, id: WorkloadId) {
        let Some(report) = self.state.edge(id).and_then(|edge| edge.report.take()) else { return };
        let event = match sandbox::read_report(report.borrow()) {
            sandbox::Reported::Nothing => {
                if let Some(edge) = self.state.edge(id) {
                    edge.report = Some(report);
                }
                return;
            }
            sandbox::Reported::Executed => UnitEvent::Executed,
            sandbox::Reported::Failed(failure) => {
                error!(self.name(id), ": ", failure.shown(self.config, id));
                UnitEvent::SetupFailed(consequence(failure))
            }
        };
        self.forget(report);
        self.step(Event::Unit(id, event));
    }

    /// Asks a workload to stop; one that could not notice is killed instead.
    pub(super) fn signal(&mut self, id: WorkloadId, pid: u32, signal: u8) {
        if self.is_deaf(id, pid, signal) {
            return self.step(Event::Unit(id, UnitEvent::Deaf));
        }
        if let Err(errno) = crate::sys::children::kill(pid, signal) {
            warn!(self.name(id), ": cannot signal process ", pid, ": ", errno);
        }
    }

    fn is_deaf(&self, id: WorkloadId, pid: u32, signal: u8) -> bool {
        self.config.workload(id).is_some_and(Workload::is_first_process)
            && super::signals::is_deaf(pid, signal)
    }

    /// Linux 6.14 counts how often a cgroup was killed, and its clone3(2) compares the
    /// count of the parent's cgroup with that of the child's: a child that is cloned into
    /// one that was ever killed is killed too. So such a cgroup makes room for a new one.
    fn renew_group(&mut self, id: WorkloadId) {
        let Some(edge) = self.state.edge(id).filter(|edge| edge.killed) else { return };
        // What is still in it keeps it, which on other kernels is no harm.
        if cgroup::remove(self.config, id).is_ok() {
            (edge.killed, edge.oom_kills) = (false, 0);
        }
    }

    pub(super) fn kill_group(&mut self, id: WorkloadId) {
        if let Some(edge) = self.state.edge(id) {
            edge.killed = true;
        }
        let Err(errno) = cgroup::kill(self.config, id) else { return };
        // Without a cgroup there is still the main process, and with it its pid namespace.
        let pid = self.state.supervisor.unit(id).and_then(Unit::pid);
        match pid.map(|pid| crate::sys::children::kill(pid, libc::SIGKILL as u8)) {
            Some(Ok(())) => {}
            Some(Err(_)) | None => warn!(self.name(id), ": cannot kill its cgroup: ", errno),
        }
    }

    /// A shell for a person at the console.
    pub(super) fn rescue(&mut self) {
        match sandbox::spawn_rescue(self.config, self.plan) {
            Ok(pid) => self.state.rescue = Some(pid),
            Err(errno) => {
                error!("rescue: cannot run the rescue program: ", errno, "; name one with [system] rescue");
                self.rescue_later();
            }
        }
    }

    /// Where its console comes with a module, it may be there by now: that is no news each second.
    pub(super) fn rescue_again(&mut self) {
        if self.state.rescue_deadline.is_some_and(|deadline| deadline <= clock::now()) {
            match sandbox::spawn_rescue(self.config, self.plan) {
                Ok(pid) => (self.state.rescue, self.state.rescue_deadline) = (Some(pid), None),
                Err(_) => self.rescue_later(),
            }
        }
    }

    fn rescue_later(&mut self) {
        self.state.rescue_deadline = Some(clock::now().saturating_add(RESCUE_AGAIN));
    }

    pub(super) fn rescue_ended(&mut self) {
        self.state.rescue = None;
        self.rescue_later();
    }
}

fn unable(errno: Errno) -> Unable {
    if sandbox::is_transient(errno) { Unable::ForNow } else { Unable::ForGood { code: 126 } }
}

fn consequence(failure: Failure) -> Unable {
    if failure.transient() { Unable::ForNow } else { Unable::ForGood { code: failure.exit_code() } }
}
