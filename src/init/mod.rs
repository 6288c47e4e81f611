//! PID 1: from the kernel's "Run /init" to the end of the machine.
//!
//! One thread, one `epoll_wait`. What is to be done is decided by
//! [`crate::supervise`]; this module brings it what happened and does what it
//! says, and nothing here waits for anything: a child sets up its own walls and
//! reports on a pipe, another child loads modules and mounts filesystems
//! ([`crate::boot::late`]), and every wait has the supervisor's next deadline.
//!
//! What this must never do: exit, block, or trust a workload with anything but
//! bytes.

mod clients;
mod launch;
mod output;
mod ready;
mod reap;
pub(crate) mod signals;
mod state;
mod uplinks;
mod watch;

use crate::boot::{self, Found};
use crate::config::{Config, FinalAction, WorkloadId};
use crate::supervise::{Action, Because, End, Event, MachineNote, Note, Report};
use crate::sys::cell::TakeOnce;
use crate::sys::event::{self, Interest};
use crate::sys::{BorrowedFd, OwnedFd, children, clock, io, pages};
use crate::{cgroup, end, error, info, log, net, sandbox, say, warn};
use clients::Client;
use signals::Wish;
use state::{Source, State};

static CONFIG: TakeOnce<Config> = TakeOnce::new(Config::EMPTY);
static STATE: TakeOnce<State> = TakeOnce::new(State::FRESH);
static PLAN: TakeOnce<sandbox::PlanSpace> = TakeOnce::new(sandbox::PlanSpace::EMPTY);

/// Boots the machine, runs it, ends it.
pub fn run() -> ! {
    // First of all: the kernel drops what reaches a PID 1 that neither blocks nor catches it.
    let blocked = event::block_all_signals();
    // Each is taken once in a process's life, so this is a second PID 1 in one process: impossible.
    let (Some(config), Some(state), Some(plan)) = (CONFIG.take(), STATE.take(), PLAN.take()) else {
        end::finish(FinalAction::Halt, false)
    };
    crate::log::keep_lines();
    let found = boot::early();
    boot::config_files::load(found.command_line.config(), &mut state.sources, config);
    boot::prepare(config, &found);
    let (epoll, signals) = match (event::create(), blocked.and_then(|()| event::signals())) {
        (Ok(epoll), Ok(signals)) => (epoll, signals),
        (Err(errno), _) | (_, Err(errno)) => {
            error!("cannot wait for events: ", errno, "; the kernel needs CONFIG_EPOLL and CONFIG_SIGNALFD");
            end::finish(FinalAction::Reboot, found.container)
        }
    };
    let introduce = Some(clock::now().saturating_add(INTRODUCE_AFTER));
    let mut init = Init { config, state, plan, found, epoll, signals, introduce, sated: true, held_back: 0 };
    init.begin();
    loop {
        init.act();
        init.wait();
    }
}

/// PID 1 at work: its plain state, and what it needs to act on it.
struct Init {
    config: &'static Config,
    state: &'static mut State,
    plan: &'static mut sandbox::PlanSpace,
    found: Found,
    epoll: OwnedFd,
    signals: OwnedFd,
    /// Rounds in which nothing was decided, since there was still somebody to reap.
    held_back: u8,
    /// When [`boot::introduce`] is due, unless something happens before.
    introduce: Option<u64>,
    /// What only a boot, a start or a client needs is still in memory.
    sated: bool,
}

/// Milliseconds in which the first workloads get through their walls.
const INTRODUCE_AFTER: u64 = 20;

impl Init {
    fn begin(&mut self) {
        if self.found.container {
            self.state.supervisor.is_in_container();
        }
        self.watch(self.signals.borrow(), Interest::Readable, Source::Signals);
        if let Err(failure) = cgroup::delegate(cgroup::FOR_ALL) {
            error!(failure);
        }
        if let Err(failure) = sandbox::prepare_dev() {
            error!(failure);
        }
        self.open_control();
        // Workloads that start before the network is there have it mounted, and see it change.
        if !self.config.dns.is_empty() || self.config.interfaces.iter().any(|interface| interface.dhcp) {
            self.write_resolvers();
        }
        for id in self.config.ids() {
            let name = self.name(id);
            if self.found.command_line.is_masked(name) {
                self.state.supervisor.mask(id);
                info!(name, ": masked by the kernel command line");
            }
        }
        for masked in self.found.command_line.masked() {
            if !self.config.ids().any(|id| self.name(id) == masked) {
                warn!("kernel command line: corm.mask=", masked, ": the config has no such workload");
            }
        }
        if self.found.command_line.rescue {
            self.step(Event::Rescue);
        }
        self.start_late();
    }

    /// What may block happens in a child: modules, network addresses, mounts.
    fn start_late(&mut self) {
        if !boot::has_late_work(self.config) {
            return self.step(Event::MachineReady);
        }
        // Without it the child says that there is no firewall.
        let pair = if net::rules::is_wanted(self.config) { io::socket_pair().ok() } else { None };
        let (keeper, hand) = pair.unzip();
        self.state.keeper = keeper;
        self.open_links();
        match children::fork() {
            Ok(children::Side::Child) => {
                // A child that cannot unblock its signals still works.
                let _ = event::unblock_all_signals();
                log::take_time();
                crate::sys::process::exit(boot::late(
                    self.config,
                    &self.found,
                    hand.as_ref().map(OwnedFd::borrow),
                ))
            }
            Ok(children::Side::Parent(pid)) => self.state.late = Some(pid),
            Err(errno) => {
                error!("cannot load modules and mount filesystems: ", errno);
                self.step(Event::MachineFailed);
            }
        }
    }

    fn wait(&mut self) {
        let now = clock::now();
        let network = self.network_due();
        let deadlines = [
            self.state.supervisor.next_deadline(self.config),
            self.state.output_deadline(),
            self.state.rescue_deadline,
            self.state.watch_again,
            network,
            self.introduce,
        ];
        let deadline = deadlines.into_iter().flatten().min();
        let timeout = if self.state.unreaped {
            Some(0)
        } else {
            deadline.map(|deadline| u32::try_from(deadline.saturating_sub(now)).unwrap_or(u32::MAX))
        };
        match event::wait(self.epoll.borrow(), timeout) {
            Ok(ready) => {
                for token in ready {
                    self.handle(Source::from_token(token));
                }
            }
            // Only a broken descriptor table does this; spinning would help nobody.
            Err(errno) => {
                error!("cannot wait for events: ", errno);
                self.step(Event::MachineFailed);
            }
        }
        if self.state.unreaped {
            self.reap();
        }
        self.resume_output();
        self.rescue_again();
        self.watch_again();
        if network.is_some_and(|due| clock::now() >= due) {
            self.serve_network();
        }
        if self.introduce.take().is_some() {
            boot::introduce(self.config, &self.found);
        }
        if self.sated && self.state.late.is_none() {
            self.sated = false;
            pages::give_back_program();
            pages::give_back_stack();
        }
    }

    fn handle(&mut self, source: Option<Source>) {
        match source {
            Some(Source::Signals) => self.take_signals(),
            Some(Source::Output(id)) => drop(self.pump(id, output::Which::Output)),
            Some(Source::Errors(id)) => drop(self.pump(id, output::Which::Errors)),
            Some(Source::Report(id)) => self.take_report(id),
            Some(Source::Group(id)) => self.check_group(id),
            Some(Source::Limit(id, index)) => self.take_limit(id, index),
            Some(Source::Notice(id)) => self.take_notices(id),
            Some(Source::Newline(id)) => self.take_newline(id),
            Some(Source::Control) => self.accept_client(),
            Some(Source::Client(slot)) => self.serve(slot),
            Some(Source::Links) => self.take_link_news(),
            Some(Source::Uplink(slot)) => self.take_packets(slot),
            None => {}
        }
    }

    fn take_signals(&mut self) {
        while let Some(signal) = event::next_signal(self.signals.borrow()) {
            match signals::wish(signal, self.found.container) {
                Wish::Reap => self.state.unreaped = true,
                Wish::End(end) => self.step(Event::Shutdown(end)),
                Wish::Nothing => {}
            }
        }
    }

    fn step(&mut self, event: Event) {
        self.state.supervisor.step(self.config, event, clock::now());
    }

    /// Does what the supervisor wants done.
    fn act(&mut self) {
        // Deadlines have no meaning for those that have met them and are still in our queue. A flood
        // of orphans does not keep this up.
        const ROUNDS: u8 = 16;
        if self.state.unreaped && self.held_back < ROUNDS {
            self.held_back = self.held_back.saturating_add(1);
            return;
        }
        self.held_back = 0;
        while let Some(action) = self.state.supervisor.poll(self.config, clock::now()) {
            match action {
                Action::Launch(id) => self.launch(id),
                Action::Signal { id, pid, signal } => self.signal(id, pid, signal),
                Action::KillGroup(id) => self.kill_group(id),
                Action::Probe(id) => self.probe(id),
                Action::Freeze { id, frozen } => {
                    if let Err(errno) = cgroup::freeze(self.config, id, frozen) {
                        warn!(self.name(id), ": cannot write to its cgroup.freeze: ", errno);
                    }
                }
                Action::Report(report) => self.report(report),
                Action::EnterRescue => self.rescue(),
                Action::Finish { end, status } => self.finish(end, status),
            }
        }
        // What answers them need not be in memory as long as nobody waits.
        if self.state.clients.iter().any(Client::is_waiting) {
            self.answer_waiting();
        }
    }

    fn report(&self, report: Report) {
        match report {
            // Why it cannot start has just been said, where it was found.
            Report::Unit(_, Note::Failed) => {}
            Report::Unit(id, note) => say!(note.level(), self.name(id), ": ", note),
            Report::Machine(note) => {
                let whose = match note {
                    MachineNote::Ending { because, .. } | MachineNote::Rescue { because } => match because {
                        Because::GaveUp(id) | Because::ExitWith(id) => Some(self.name(id)),
                        Because::Asked | Because::BootFailed => None,
                    },
                    MachineNote::None
                    | MachineNote::EndChanged { .. }
                    | MachineNote::Impatient
                    | MachineNote::Braked { .. } => None,
                };
                match whose {
                    Some(name) => say!(note.level(), note, " (", name, ")"),
                    None => say!(note.level(), note),
                }
            }
        }
    }

    /// The end: everything is down or given up.
    fn finish(&mut self, end: End, status: Option<u8>) -> ! {
        for id in self.config.ids() {
            self.drain(id);
        }
        if let Some(status) = status {
            self.report_status(status);
        }
        let action = match end {
            End::PowerOff => self.config.system.poweroff,
            End::Reboot => FinalAction::Reboot,
            End::Halt => FinalAction::Halt,
            End::Exit => FinalAction::PowerOff,
        };
        if self.found.container {
            end::exit_container(status.unwrap_or(0))
        }
        end::finish(action, false)
    }

    /// Says how the `exit-with` workload ended: to `exit-report`, else on the console.
    fn report_status(&self, status: u8) {
        let mut text = crate::text::Text::<8>::new();
        crate::put!(text, status, "\n");
        if let Some(path) = self.config.system.exit_report {
            let path = self.config.c_str(path);
            let how = crate::sys::fs::Open::WRITE
                | crate::sys::fs::Open::NON_BLOCKING
                | crate::sys::fs::Open::NO_CTTY;
            let written = crate::sys::fs::open(BorrowedFd::CWD, path, how)
                .and_then(|port| crate::sys::io::write_all(port.borrow(), text.as_bytes()));
            match written {
                Ok(()) => return,
                Err(errno) => warn!("cannot report the exit status to ", path, ": ", errno),
            }
        }
        // A host reads this line where it has no port: on the console, whatever the level.
        error!("exit status ", status);
    }

    fn name(&self, id: WorkloadId) -> &'static [u8] {
        self.config.workload(id).map_or(b"?", |workload| self.config.bytes(workload.name))
    }

    /// Closes a watched descriptor. epoll would go on watching while a child that
    /// is not yet its program has a copy, and a hang-up never ends.
    fn forget(&self, fd: OwnedFd) {
        // It fails for one that is not watched, which is what is wanted.
        let _ = event::remove(self.epoll.borrow(), fd.borrow());
    }

    fn watch(&self, fd: BorrowedFd, interest: Interest, source: Source) {
        if let Err(errno) = event::add(self.epoll.borrow(), fd, interest, source.token()) {
            warn!("cannot wait for a descriptor: ", errno);
        }
    }
}
