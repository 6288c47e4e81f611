//! Children that have ended: workloads, helpers, and orphans that are nobody's.

use super::Init;
use super::state::Source;
use crate::config::{Limit, WorkloadId};
use crate::supervise::{Event, Exit, Unit, UnitEvent};
use crate::sys::children::{self, Ended};
use crate::sys::event::Interest;
use crate::sys::{io, socket};
use crate::text::{Bytes, Show, Sink};
use crate::{boot, cgroup, error, log, put, warn};

/// How many are reaped before the event loop has another look around: even ten
/// thousand orphans at once must not keep it from a workload's request.
const BATCH: usize = 64;

impl Init {
    pub(super) fn reap(&mut self) {
        self.state.unreaped = true;
        for _ in 0..BATCH {
            let Some((pid, ended)) = children::reap() else {
                self.state.unreaped = false;
                return;
            };
            let exit = match ended {
                Ended::Exited(status) => Exit::Status(status),
                Ended::Signalled(signal) => Exit::Signal(signal),
            };
            if self.state.late == Some(pid) {
                self.state.late = None;
                self.late_ended(exit);
            } else if self.state.rescue == Some(pid) {
                self.rescue_ended();
            } else if let Some(id) = self.state.supervisor.owner(pid) {
                self.ended(id, exit);
            } else {
                self.probed(pid, exit);
            }
        }
    }

    /// Modules are loaded and filesystems mounted, or something required is missing.
    fn late_ended(&mut self, exit: Exit) {
        if !self.found.console {
            self.found.console = boot::console();
        }
        log::open_console();
        let keeper = self.state.keeper.take();
        self.state.firewall = keeper.and_then(|keeper| socket::receive_descriptor(keeper.borrow()).ok());
        self.watch_links();
        if exit.is_failure() {
            if let Exit::Signal(_) = exit {
                error!("the child that loads modules and mounts filesystems was ", exit);
            }
            self.step(Event::MachineFailed);
        } else {
            self.step(Event::MachineReady);
        }
    }

    fn ended(&mut self, id: WorkloadId, exit: Exit) {
        // What it said before it died comes before what is said about its death.
        self.take_notices(id);
        self.be_deaf(id);
        self.drain(id);
        if let Some(edge) = self.state.edge(id) {
            edge.exit = match exit {
                Exit::Status(status) => u16::from(status).saturating_add(256),
                Exit::Signal(signal) => u16::from(signal).saturating_add(512),
            };
        }
        self.report_out_of_memory(id);
        if exit == Exit::Signal(libc::SIGSYS as u8) {
            error!(
                self.name(id),
                ": a system call that its seccomp filter forbids; \"type=1326\" in the kernel log is which"
            );
        }
        self.end_joined(id);
        let others = cgroup::is_populated(self.config, id);
        self.step(Event::Unit(id, UnitEvent::Exited { exit, others }));
        // Not before: that nobody is left is only heard where somebody is waited for.
        if others {
            self.watch_group(id);
        }
    }

    /// What was in this workload's namespaces ends with it: the next ones are others.
    fn end_joined(&mut self, id: WorkloadId) {
        for other in self.config.ids() {
            let joins = self.config.workload(other).is_some_and(|workload| workload.join == Some(id));
            if joins && self.state.supervisor.unit(other).and_then(Unit::pid).is_some() {
                warn!(self.name(other), ": is killed: ", self.name(id), ", which it joined, has ended");
                self.kill_group(other);
            }
        }
    }

    pub(super) fn report_out_of_memory(&mut self, id: WorkloadId) {
        let kills = cgroup::oom_kills(self.config, id);
        let Some(edge) = self.state.edge(id) else { return };
        let before = core::mem::replace(&mut edge.oom_kills, kills);
        if kills <= before {
            return;
        }
        let Some(workload) = self.config.workload(id) else { return };
        let whom =
            if self.config.setting(workload, Limit::OomGroup) == Some(0) { "some of it" } else { "it" };
        let limit = self.config.limit(workload, Limit::Memory);
        let (name, peak) = (self.name(id), cgroup::peak(self.config, id).map(Bytes));
        // Its cgroup has not met its own limit where it was killed for a parent's or the machine's sake.
        match limit.filter(|_| cgroup::met_its_memory(self.config, id)).map(Bytes) {
            Some(limit) => {
                warn!(
                    name,
                    ": out of memory: the kernel killed ",
                    whom,
                    " at its limit of ",
                    limit,
                    Peak(peak)
                );
            }
            None => warn!(name, ": the machine is out of memory: the kernel killed ", whom, Peak(peak)),
        }
    }

    fn watch_group(&mut self, id: WorkloadId) {
        match cgroup::open_events(self.config, id) {
            Ok(events) => {
                self.watch(events.borrow(), Interest::Priority, Source::Group(id));
                if let Some(edge) = self.state.edge(id) {
                    edge.group = Some(events);
                }
                // It may have emptied between the two looks.
                self.check_group(id);
            }
            Err(errno) => warn!(self.name(id), ": cannot watch its cgroup: ", errno),
        }
    }

    pub(super) fn check_group(&mut self, id: WorkloadId) {
        let Some(edge) = self.state.edge(id) else { return };
        let Some(events) = &edge.group else { return };
        // The kernel goes on saying that it has changed until it is read. What it says is read below.
        let _ = io::read_again(events.borrow(), &mut [0; 1]);
        if !cgroup::is_populated(self.config, id) {
            if let Some(events) = edge.group.take() {
                self.forget(events);
            }
            self.step(Event::Unit(id, UnitEvent::GroupEmpty));
        }
    }
}

/// The most memory it has had, where the kernel knows (Linux 5.19).
struct Peak(Option<Bytes>);

impl Show for Peak {
    fn show(&self, out: &mut dyn Sink) {
        if let Some(peak) = &self.0 {
            put!(*out, "; the most it has had is ", peak);
        }
    }
}
