//! Children that have ended: workloads, helpers, and orphans that are nobody's.

use super::Init;
use super::state::Source;
use crate::config::{Limit, WorkloadId};
use crate::supervise::{Event, Exit, UnitEvent};
use crate::sys::children::{self, Ended};
use crate::sys::event::Interest;
use crate::sys::socket;
use crate::text::Bytes;
use crate::{boot, cgroup, error, log, warn};

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
        self.take_report(id);
        self.drain(id);
        self.report_out_of_memory(id);
        if exit == Exit::Signal(libc::SIGSYS as u8) {
            error!(
                self.name(id),
                ": a system call that its seccomp filter forbids; \"type=1326\" in the kernel log is which"
            );
        }
        let others = cgroup::is_populated(self.config, id);
        if others {
            self.watch_group(id);
        }
        self.step(Event::Unit(id, UnitEvent::Exited { exit, others }));
    }

    fn report_out_of_memory(&mut self, id: WorkloadId) {
        let kills = cgroup::oom_kills(self.config, id);
        let Some(edge) = self.state.edge(id) else { return };
        let before = core::mem::replace(&mut edge.oom_kills, kills);
        if kills <= before {
            return;
        }
        let limit = self.config.workload(id).and_then(|workload| self.config.limit(workload, Limit::Memory));
        let name = self.name(id);
        match limit {
            Some(limit) => {
                warn!(name, ": out of memory: the kernel killed it at its limit of ", Bytes(limit))
            }
            None => warn!(name, ": the machine is out of memory: the kernel killed it"),
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
        if edge.group.is_none() {
            return;
        }
        if !cgroup::is_populated(self.config, id) {
            if let Some(events) = edge.group.take() {
                self.forget(events);
            }
            self.step(Event::Unit(id, UnitEvent::GroupEmpty));
        }
    }
}
