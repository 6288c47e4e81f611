//! The words between the supervisor and its edge: what happened ([`Event`]),
//! what is to be done ([`Action`]), and the facts both carry.
//!
//! Everything is small, `Copy`, and free of descriptors, pointers and error
//! numbers: the edge keeps those and says here only what a decision needs.

use super::note::Report;
use crate::config::WorkloadId;

/// Milliseconds since boot. The supervisor never asks for the time, it is told.
pub type Millis = u64;

/// How a process ended, as wait(2) has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    Status(u8),
    Signal(u8),
}

impl Exit {
    /// As a shell puts it in one number: the status, or 128 + the signal.
    pub fn code(self) -> u8 {
        match self {
            Exit::Status(status) => status,
            Exit::Signal(signal) => signal.saturating_add(128),
        }
    }

    pub fn is_failure(self) -> bool {
        match self {
            Exit::Status(status) => status != 0,
            Exit::Signal(_) => true,
        }
    }
}

/// Why a workload could not be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unable {
    /// The machine lacks something it may have again in a moment (ENOMEM,
    /// EAGAIN, ENFILE, EBUSY, …): try again, whatever the restart policy says,
    /// for it has not run yet.
    ForNow,
    /// Trying again gives the same: no such program, a kernel without a wall
    /// that was asked for. `code` is the status to report if the machine ends
    /// with it: 127 when the command was not found, otherwise 126.
    ForGood { code: u8 },
}

/// What the end of the machine is to be. In a container the edge turns each
/// into an exit, for there is no machine to switch off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    PowerOff,
    Reboot,
    Halt,
    /// Exit, as PID 1 of a container.
    Exit,
}

/// Something that has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// To one workload. An id that no workload has is ignored.
    Unit(WorkloadId, UnitEvent),
    /// Modules are loaded and `[mount]` is done: everything may start.
    MachineReady,
    /// Something `required` is missing: the boot has failed.
    MachineFailed,
    /// Somebody wants a shell and nothing else started (`corm.rescue`).
    Rescue,
    /// Somebody wants the machine to end. A second, different wish changes the
    /// end; the third of the same is impatience: everything is killed at once.
    Shutdown(End),
}

/// Something that has happened to one workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnitEvent {
    /// Answer to [`Action::Launch`]: clone3(2) worked.
    Launched { pid: u32 },
    /// Answer to [`Action::Launch`]: there is no process.
    LaunchFailed(Unable),
    /// The error pipe was closed without a word: execve(2) worked.
    Executed,
    /// The child reported a step that failed. It exits by itself, and
    /// [`UnitEvent::Exited`] follows.
    SetupFailed(Unable),
    /// The main process was reaped. `others`: processes are left in its cgroup.
    Exited { exit: Exit, others: bool },
    /// The last process left its cgroup.
    GroupEmpty,
    /// [`Action::Signal`] cannot end it (the kernel drops a signal to the first
    /// process of a pid namespace that has no handler for it): do not wait out
    /// the timeout.
    Deaf,
    /// An operator wants it to run.
    Start,
    /// An operator wants it not to run.
    Stop,
    /// An operator wants it to stop and to run again.
    Restart,
    /// An operator wants all of it killed at once; what follows is its policy's business.
    Kill,
    /// An operator wants it to stand still.
    Pause,
    /// An operator wants it to go on.
    Resume,
}

/// Something the edge is to do now, in this order, before it asks for the next.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Start it. Answered by [`UnitEvent::Launched`] or [`UnitEvent::LaunchFailed`].
    Launch(WorkloadId),
    /// Send this signal to the main process.
    Signal { id: WorkloadId, pid: u32, signal: u8 },
    /// Kill everything in its cgroup (`cgroup.kill`), the main process with it.
    KillGroup(WorkloadId),
    /// Freeze or thaw its cgroup (`cgroup.freeze`).
    Freeze { id: WorkloadId, frozen: bool },
    /// A line for a person.
    Report(Report),
    /// Run the rescue program; no workload is started any more.
    EnterRescue,
    /// Every workload is down or given up: kill strays, unmount, end.
    /// `status` is the one of `exit-with`, if it has ended. The last action.
    Finish { end: End, status: Option<u8> },
}
