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
use crate::sys::{Errno, OwnedFd, clock};
use crate::{cgroup, warn};
use core::num::NonZeroU32;

/// Seconds between two lines about one limit of a workload.
const PAUSE: u64 = 10;
/// ... and until it is heard again when it had nothing to say: memory.events counts more than kills.
const SHORT_PAUSE: u64 = 1;

/// A file of a workload's cgroup that is watched.
pub struct Watch {
    file: Option<OwnedFd>,
    /// How often its limit was met, when that was last said.
    said: u32,
    /// When it is heard again, in seconds: there are many of these.
    due: Option<NonZeroU32>,
}

impl Watch {
    pub const NONE: Watch = Watch { file: None, said: 0, due: None };
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
                // A kernel that cannot count processes: that was said, or failed the start.
                Err(Errno::ENOENT) if cgroup::watched(index) == Limit::Pids => {}
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
        let Some(Watch { file: Some(file), said, due }) = watch else { return };
        let Some((limit, count)) = cgroup::events(index.into(), file.borrow()) else { return };
        let times = count.saturating_sub(core::mem::replace(said, count));
        let silent = times == 0 && matches!(limit, Limit::OomGroup | Limit::Pids);
        let again = (clock::now() / 1000).saturating_add(if silent { SHORT_PAUSE } else { PAUSE });
        *due = NonZeroU32::new(again as u32);
        let again = again.saturating_mul(1000);
        self.state.watch_again = Some(self.state.watch_again.unwrap_or(again).min(again));
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
    }

    /// Watches on what has paused for long enough.
    pub(super) fn watch_again(&mut self) {
        let now = clock::now();
        if self.state.watch_again.is_none_or(|due| now < due) {
            return;
        }
        let mut next: Option<u64> = None;
        for id in self.config.ids() {
            let Some(edge) = self.state.edges.get_mut(id.index()) else { break };
            for (watch, index) in edge.watches.iter_mut().zip(0u8..) {
                let (Some(file), Some(due)) = (&watch.file, watch.due) else { continue };
                let due = u64::from(due.get()).saturating_mul(1000);
                if now < due {
                    next = Some(next.unwrap_or(due).min(due));
                    continue;
                }
                watch.due = None;
                // Only want of memory can fail it, and then there will be other lines.
                let _ = event::again(self.epoll.borrow(), file.borrow(), Source::Limit(id, index).token());
            }
        }
        self.state.watch_again = next;
    }
}
