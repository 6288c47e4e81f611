//! All that PID 1 knows, in one value.
//!
//! Plain data: descriptors and pids are numbers, strings are offsets, and the
//! config is kept as its text. Nothing in it is an address, so that it can be
//! handed to a newer corm by a re-exec.

use super::clients::Client;
use super::output::Which;
use super::uplinks::Uplink;
use super::watch::Watch;
use crate::cgroup;
use crate::config::{Sources, WorkloadId};
use crate::limits;
use crate::log::capture::{Begun, Budget, Stream};
use crate::log::ring::Ring;
use crate::net::resolvers::Resolvers;
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
    /// When limits that have spoken are watched again.
    pub watch_again: Option<u64>,
    /// Where that child hands the firewall over.
    pub keeper: Option<OwnedFd>,
    /// What the firewall lasts by.
    pub firewall: Option<OwnedFd>,
    /// The machine's network namespace, once a workload has another.
    pub home: Option<OwnedFd>,
    /// There may be children to reap.
    pub unreaped: bool,
    /// Where the kernel tells of interfaces.
    pub links: Option<OwnedFd>,
    /// The control socket, and who is connected to it.
    pub control: Option<OwnedFd>,
    pub clients: [Client; limits::CLIENTS],
    pub supervisor: Supervisor,
    pub edges: [Edge; limits::WORKLOADS],
    /// The name servers that are known now; only `uplinks` writes it.
    pub resolvers: Resolvers,
    /// The interfaces of the config, by their places in it.
    pub uplinks: [Uplink; limits::INTERFACES],
    /// The config's text, as read.
    pub sources: Sources,
    /// Of each workload's stdout and stderr.
    pub begun: [[Begun; 2]; limits::WORKLOADS],
}

/// See [`State::stream`].
pub struct OneStream<'a> {
    pub stream: &'a mut Stream,
    pub begun: &'a mut Begun,
    pub budget: &'a mut Budget,
    pub ring: &'a mut Ring,
}

/// The descriptors of one workload.
pub struct Edge {
    pub output: Stream,
    pub errors: Stream,
    pub budget: Budget,
    pub ring: Ring,
    /// Where the child says which step failed; closed by a successful execve(2).
    pub report: Option<OwnedFd>,
    /// cgroup.events, watched while processes are left in the cgroup.
    pub group: Option<OwnedFd>,
    /// Its network namespace, made at its first start.
    pub network: Option<OwnedFd>,
    /// What it sends to $NOTIFY_SOCKET, and the pipe of `ready = { fd = … }`.
    pub notices: Option<OwnedFd>,
    pub newline: Option<OwnedFd>,
    /// The child that asks it how it is.
    pub probe: Option<u32>,
    /// memory.events' oom_kill when it was last looked at.
    pub oom_kills: u32,
    /// What its limits say.
    pub watches: [Watch; cgroup::WATCHED],
    /// How it last ended, as [`Field::Exit`](crate::control::protocol::Field::Exit) has it; 0: never.
    pub exit: u16,
    /// Its cgroup was killed and is used up; see `Init::renew_group`.
    pub killed: bool,
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
        watch_again: None,
        unreaped: false,
        links: None,
        resolvers: Resolvers::NONE,
        uplinks: [const { Uplink::NONE }; limits::INTERFACES],
        control: None,
        clients: [const { Client::NONE }; limits::CLIENTS],
    };

    pub fn edge(&mut self, id: WorkloadId) -> Option<&mut Edge> {
        self.edges.get_mut(id.index())
    }

    /// One of a workload's streams, the line that has begun in it, what the
    /// workload may still write, and the last of what it has written.
    pub fn stream(&mut self, id: WorkloadId, which: Which) -> Option<OneStream<'_>> {
        let edge = self.edges.get_mut(id.index())?;
        let [output, errors] = self.begun.get_mut(id.index())?;
        let (stream, begun) = match which {
            Which::Output => (&mut edge.output, output),
            Which::Errors => (&mut edge.errors, errors),
        };
        Some(OneStream { stream, begun, budget: &mut edge.budget, ring: &mut edge.ring })
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
        ring: Ring::EMPTY,
        report: None,
        group: None,
        notices: None,
        newline: None,
        probe: None,
        network: None,
        oom_kills: 0,
        watches: [Watch::NONE; cgroup::WATCHED],
        exit: 0,
        killed: false,
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
    /// One of [`Edge::watches`].
    Limit(WorkloadId, u8),
    Notice(WorkloadId),
    Newline(WorkloadId),
    Control,
    Client(u16),
    Links,
    /// A packet for one of [`State::uplinks`].
    Uplink(u16),
}

impl Source {
    pub fn token(self) -> u64 {
        let (kind, id) = match self {
            Source::Signals => (0, 0),
            Source::Output(id) => (1, id.0),
            Source::Errors(id) => (2, id.0),
            Source::Report(id) => (3, id.0),
            Source::Group(id) => (4, id.0),
            Source::Limit(id, index) => (u64::from(index).saturating_add(LIMITS), id.0),
            Source::Notice(id) => (8, id.0),
            Source::Newline(id) => (9, id.0),
            Source::Links => (10, 0),
            Source::Uplink(slot) => (11, slot),
            Source::Control => (5, 0),
            Source::Client(slot) => (6, slot),
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
            5 => Source::Control,
            6 => Source::Client(id.0),
            8 => Source::Notice(id),
            9 => Source::Newline(id),
            10 => Source::Links,
            11 => Source::Uplink(id.0),
            index => Source::Limit(id, u8::try_from(index.checked_sub(LIMITS)?).ok()?),
        })
    }
}

/// Kinds of token from here on are watches.
const LIMITS: u64 = 16;
