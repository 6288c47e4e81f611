//! What workloads write, on its way to the log.

use super::Init;
use super::state::{OneStream, Source};
use crate::config::{Config, Log, WorkloadId};
use crate::log::Level;
use crate::log::capture::{Budget, Destination, Pumped};
use crate::log::ring::{Place, Ring};
use crate::sys::event::{self, Interest};
use crate::sys::{BorrowedFd, OwnedFd, clock};
use crate::warn;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Output,
    Errors,
}

impl Which {
    fn level(self) -> Level {
        match self {
            Which::Output => Level::Info,
            Which::Errors => Level::Notice,
        }
    }

    fn source(self, id: WorkloadId) -> Source {
        match self {
            Which::Output => Source::Output(id),
            Which::Errors => Source::Errors(id),
        }
    }
}

/// How much of what a dead workload has left in its pipe is read at once: all a
/// pipe holds (64 KiB), in reads of a kilobyte.
const LAST_WORDS: usize = 64;

fn destination<'a>(config: &'a Config, id: WorkloadId, which: Which, ring: &'a mut Ring) -> Destination<'a> {
    let workload = config.workload(id);
    let log = workload.map_or(Log::DEFAULT, |workload| workload.log);
    Destination {
        ring,
        place: place(id, log),
        level: which.level(),
        source: workload.map_or(b"?", |workload| config.bytes(workload.name)),
        kernel: log.kernel,
    }
}

/// Where a workload's last lines are.
pub(super) fn place(id: WorkloadId, log: Log) -> Place {
    Place { index: id.0, size: log.ring }
}

impl Init {
    /// Reads from a workload's new pipe.
    pub(super) fn open_stream(&mut self, id: WorkloadId, which: Which, pipe: OwnedFd) {
        self.close_stream(id, which);
        self.watch(pipe.borrow(), Interest::Readable, which.source(id));
        if let Some(one) = self.state.stream(id, which) {
            one.stream.open(pipe);
        }
    }

    fn close_stream(&mut self, id: WorkloadId, which: Which) {
        let config = self.config;
        let pipe = self
            .state
            .stream(id, which)
            .and_then(|one| one.stream.close(one.begun, &mut destination(config, id, which, one.ring)));
        if let Some(pipe) = pipe {
            self.forget(pipe);
        }
    }

    /// One read; the next comes when epoll says so, so that nobody is starved.
    pub(super) fn pump(&mut self, id: WorkloadId, which: Which) -> Pumped {
        let config = self.config;
        let Some(one) = self.state.stream(id, which) else { return Pumped::Ended };
        one.budget.fill(clock::now());
        let mut to = destination(config, id, which, one.ring);
        let pumped = one.stream.pump(one.begun, one.budget, &mut to);
        match pumped {
            Pumped::Broke => self.pause(id, which),
            Pumped::Ended => self.close_stream(id, which),
            Pumped::Dry | Pumped::More => {}
        }
        pumped
    }

    /// The last words of a workload that has ended.
    pub(super) fn drain(&mut self, id: WorkloadId) {
        for which in [Which::Output, Which::Errors] {
            for _ in 0..LAST_WORDS {
                if self.pump(id, which) != Pumped::More {
                    break;
                }
            }
        }
    }

    /// Takes it out of epoll altogether: a hang-up is reported whatever is asked for.
    fn pause(&mut self, id: WorkloadId, which: Which) {
        let epoll = BorrowedFd::from_number(self.epoll.borrow().number());
        let Some(OneStream { stream, .. }) = self.state.stream(id, which) else { return };
        if stream.is_paused() {
            return;
        }
        stream.set_paused(true);
        let tell = stream.tell();
        if let Some(pipe) = stream.pipe() {
            // It fails only for a descriptor that is not watched, which is what is wanted.
            let _ = event::remove(epoll, pipe);
        }
        if self.state.paused == 0 {
            self.state.resume = clock::now().saturating_add(Budget::PAUSE);
        }
        self.state.paused = self.state.paused.saturating_add(1);
        if tell {
            warn!(
                self.name(id),
                ": writes more than ",
                Budget::PER_SECOND,
                " lines a second, and has to wait"
            );
        }
    }

    /// Listens again to those that had used up their budget.
    pub(super) fn resume_output(&mut self) {
        if self.state.paused == 0 || clock::now() < self.state.resume {
            return;
        }
        self.state.paused = 0;
        let epoll = BorrowedFd::from_number(self.epoll.borrow().number());
        for id in self.config.ids() {
            for which in [Which::Output, Which::Errors] {
                let Some(OneStream { stream, .. }) = self.state.stream(id, which) else { continue };
                if !stream.is_paused() {
                    continue;
                }
                stream.set_paused(false);
                if let Some(pipe) = stream.pipe()
                    && let Err(errno) = event::add(epoll, pipe, Interest::Readable, which.source(id).token())
                {
                    warn!(self.name(id), ": cannot read its output any more: ", errno);
                }
            }
        }
    }
}
