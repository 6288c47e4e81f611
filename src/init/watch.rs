//! What workloads meet of their limits while they run, as the kernel tells it.
//!
//! A refused fork, a process killed for want of memory, time lost under pressure: each
//! is a file of the workload's cgroup that says once that something has happened. It
//! costs nothing while nothing does. A workload that meets a limit all the time costs
//! one line and one wake-up in [`PAUSE`]: the line has the number of times since the
//! last one.

use super::Init;
use super::state::Source;
use crate::config::{Limit, WorkloadId};
use crate::sys::event::{self, Interest};
use crate::sys::{OwnedFd, clock};
use crate::{cgroup, warn};

/// Milliseconds between two lines about one limit of a workload.
const PAUSE: u64 = 10_000;

/// A file of a workload's cgroup that is watched.
pub struct Watch {
    file: Option<OwnedFd>,
    /// How often its limit was met, when that was last said.
    said: u32,
}

impl Watch {
    pub const NONE: Watch = Watch { file: None, said: 0 };
}

impl Init {
    /// Once in a cgroup's life: at a workload's first start.
    pub(super) fn watch_limits(&mut self, id: WorkloadId) {
        for index in 0..cgroup::WATCHED {
            let open = self.state.edge(id).and_then(|edge| edge.watches.get(index)?.file.as_ref()).is_some();
            let Some(file) = (if open { None } else { cgroup::watch(self.config, id, index) }) else {
                continue;
            };
            match file {
                Ok(file) => {
                    // What it says before it is first read is that it is new.
                    let _ = cgroup::events(index, file.borrow());
                    self.watch(file.borrow(), Interest::PriorityOnce, Source::Limit(id, index as u8));
                    if let Some(watch) = self.state.edge(id).and_then(|edge| edge.watches.get_mut(index)) {
                        watch.file = Some(file);
                    }
                }
                Err(errno) => {
                    let what = cgroup::watched(index).name();
                    warn!(self.name(id), ": cannot watch its ", what, ": ", errno);
                }
            }
        }
    }

    /// A limit was met.
    pub(super) fn take_limit(&mut self, id: WorkloadId, index: u8) {
        let watch = self.state.edge(id).and_then(|edge| edge.watches.get_mut(usize::from(index)));
        let Some(Watch { file: Some(file), said }) = watch else { return };
        let Some((limit, count)) = cgroup::events(index.into(), file.borrow()) else { return };
        let times = count.saturating_sub(core::mem::replace(said, count));
        let setting = self.config.workload(id).and_then(|workload| self.config.limit(workload, limit));
        let (name, setting) = (self.name(id), setting.unwrap_or(0));
        match limit {
            Limit::OomGroup => self.report_out_of_memory(id),
            Limit::Pids if times > 0 => {
                warn!(name, ": out of processes: ", times, " refused at its limit of ", setting, " (pids)");
            }
            Limit::Pids => {}
            _ => warn!(name, ": ", limit.name(), ": lost more than ", setting / 1000, "% of a second"),
        }
        self.state.watch_again.get_or_insert(clock::now().saturating_add(PAUSE));
    }

    /// Watches on, what has spoken since the last time.
    pub(super) fn watch_again(&mut self) {
        if self.state.watch_again.is_none_or(|due| clock::now() < due) {
            return;
        }
        self.state.watch_again = None;
        for id in self.config.ids() {
            let Some(edge) = self.state.edge(id) else { return };
            for (watch, index) in edge.watches.iter().zip(0u8..) {
                if let Some(file) = &watch.file {
                    // Only memory can fail it, and then there will be another line to say so.
                    let _ =
                        event::again(self.epoll.borrow(), file.borrow(), Source::Limit(id, index).token());
                }
            }
        }
    }
}
