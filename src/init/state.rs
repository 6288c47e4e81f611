//! All that PID 1 knows, in one value.
//!
//! Plain data: descriptors and pids are numbers, strings are offsets, and the
//! config is kept as its text. Nothing in it is an address, so that it can be
//! handed to a newer corm by a re-exec.

use super::output::Which;
use crate::config::{Sources, WorkloadId};
use crate::limits;
use crate::log::capture::{Begun, Budget, Stream};
use crate::supervise::Supervisor;
use crate::sys::OwnedFd;

/// Its order is that of memory: a page of it costs when it is first written, so
/// what is small and always written comes first, and what may never be, last.
#[repr(C)]
pub struct State {
    /// How many streams wait for their budget.
    pub paused: u16,
    /// When they are looked at again, in milliseconds since boot.
    pub resume: u64,
    /// The child that loads modules and mounts filesystems.
    pub late: Option<u32>,
    /// The rescue shell, and when it is started again.
    pub rescue: Option<u32>,
    pub rescue_deadline: Option<u64>,
    /// Where that child hands the firewall over.
    pub keeper: Option<OwnedFd>,
    /// What the firewall lasts by.
    pub firewall: Option<OwnedFd>,
    /// The machine's network namespace, once a workload has another.
    pub home: Option<OwnedFd>,
    /// There may be children to reap.
    pub unreaped: bool,
    pub supervisor: Supervisor,
    pub edges: [Edge; limits::WORKLOADS],
    /// The config's text, as read.
    pub sources: Sources,
    /// Of each workload's stdout and stderr.
    pub begun: [[Begun; 2]; limits::WORKLOADS],
}

/// The descriptors of one workload.
pub struct Edge {
    pub output: Stream,
    pub errors: Stream,
    pub budget: Budget,
    /// Where the child says which step failed; closed by a successful execve(2).
    pub report: Option<OwnedFd>,
    /// cgroup.events, watched while processes are left in the cgroup.
    pub group: Option<OwnedFd>,
    /// Its network namespace, made at its first start.
    pub network: Option<OwnedFd>,
    /// memory.events' oom_kill at the last exit.
    pub oom_kills: u32,
}

impl State {
    pub const FRESH: State = State {
        sources: Sources::EMPTY,
        supervisor: Supervisor::EMPTY,
        edges: [const { Edge::FRESH }; limits::WORKLOADS],
        begun: [[[0; limits::LOG_LINE]; 2]; limits::WORKLOADS],
        paused: 0,
        resume: 0,
        late: None,
        keeper: None,
        firewall: None,
        home: None,
        rescue: None,
        rescue_deadline: None,
        unreaped: false,
    };

    pub fn edge(&mut self, id: WorkloadId) -> Option<&mut Edge> {
        self.edges.get_mut(id.index())
    }

    /// One of a workload's streams, the line that has begun in it, and what
    /// the workload may still write.
    pub fn stream(&mut self, id: WorkloadId, which: Which) -> Option<(&mut Stream, &mut Begun, &mut Budget)> {
        let edge = self.edges.get_mut(id.index())?;
        let [output, errors] = self.begun.get_mut(id.index())?;
        Some(match which {
            Which::Output => (&mut edge.output, output, &mut edge.budget),
            Which::Errors => (&mut edge.errors, errors, &mut edge.budget),
        })
    }

    pub fn output_deadline(&self) -> Option<u64> {
        (self.paused > 0).then_some(self.resume)
    }
}

impl Edge {
    const FRESH: Edge = Edge {
        output: Stream::CLOSED,
        errors: Stream::CLOSED,
        budget: Budget::FRESH,
        report: None,
        group: None,
        network: None,
        oom_kills: 0,
    };
}

/// What an epoll token stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    Signals,
    Output(WorkloadId),
    Errors(WorkloadId),
    Report(WorkloadId),
    Group(WorkloadId),
}

impl Source {
    pub fn token(self) -> u64 {
        let (kind, id) = match self {
            Source::Signals => (0, 0),
            Source::Output(id) => (1, id.0),
            Source::Errors(id) => (2, id.0),
            Source::Report(id) => (3, id.0),
            Source::Group(id) => (4, id.0),
        };
        kind << 16 | u64::from(id)
    }

    pub fn from_token(token: u64) -> Option<Source> {
        let id = WorkloadId(token as u16);
        Some(match token >> 16 {
            0 => Source::Signals,
            1 => Source::Output(id),
            2 => Source::Errors(id),
            3 => Source::Report(id),
            4 => Source::Group(id),
            _ => return None,
        })
    }
}
