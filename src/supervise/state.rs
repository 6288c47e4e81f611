//! The states of a workload, and what each means to others.
//!
//! A state carries what is true only in it, so there is no "pid, if running" to
//! forget to clear. The questions below are what the rest of the supervisor asks
//! of a state; each answers for every state by name, so that a new one is not
//! forgotten.

use super::words::{Exit, Millis, Unable};

/// How long the edge may take to answer a launch. It answers at once; this is
/// for an answer that was lost, which must not hold up a shutdown.
pub const LAUNCH_PATIENCE: Millis = 10_000;

/// How long a child may take from clone3(2) to execve(2). Setting up the walls
/// takes milliseconds; a minute of it is a mount that hangs.
pub const START_PATIENCE: Millis = 60_000;

/// How long the kernel may take to end what was killed. Giving back some
/// gigabytes takes a second; five of them is a process stuck in a driver.
pub const KILL_PATIENCE: Millis = 5_000;

/// The least delay before a restart, whatever the config says: a workload that
/// cannot run costs at most 100 starts a second.
pub const LEAST_DELAY: u32 = 10;

/// A deadline that never comes.
const NEVER: Millis = Millis::MAX;

/// `repr(u8)` gives the variants their order as numbers, so that [`State::Waiting`]
/// is 0 and a fresh table is all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// For its turn: its `after`, the machine, or the supervisor's next round.
    Waiting,
    /// `corm.mask=`: never started.
    Masked,
    /// The edge was told to launch it and has not answered.
    Launching { until: Millis },
    /// There is a child, setting up its walls.
    Starting { pid: u32, since: Millis },
    /// execve(2) worked. Today this is also "ready".
    Running { pid: u32, since: Millis },
    /// The main process is to end, and has not.
    Stopping { stage: Stage, why: Why, pid: u32, deadline: Millis },
    /// The main process has ended; others of its cgroup were killed and have not.
    Emptying { stuck: bool, ended: Ended, deadline: Millis },
    /// To be started again then.
    Backoff { until: Millis },
    /// Ended by itself, and its policy leaves it so.
    Done { exit: Exit },
    /// Can never be started.
    Failed { code: u8 },
    /// An operator or a shutdown wanted it down. `exit`: how it ended, if it ran.
    Stopped { exit: Option<Exit> },
}

impl State {
    /// Its main process, if it has one.
    pub fn pid(self) -> Option<u32> {
        match self {
            State::Starting { pid, .. } | State::Running { pid, .. } | State::Stopping { pid, .. } => {
                Some(pid)
            }
            State::Waiting
            | State::Masked
            | State::Launching { .. }
            | State::Emptying { .. }
            | State::Backoff { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => None,
        }
    }

    /// What starts after this one may start.
    pub fn lets_others_start(self) -> bool {
        match self {
            State::Running { .. }
            | State::Masked
            | State::Done { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => true,
            State::Waiting
            | State::Launching { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Emptying { .. }
            | State::Backoff { .. } => false,
        }
    }

    /// A shutdown still has to wait for it: it has processes, or may have, and
    /// there is hope that they end.
    pub fn is_live(self) -> bool {
        match self {
            State::Launching { .. } | State::Starting { .. } | State::Running { .. } => true,
            State::Stopping { stage, .. } => stage != Stage::Stuck,
            State::Emptying { stuck, .. } => !stuck,
            State::Waiting
            | State::Masked
            | State::Backoff { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => false,
        }
    }

    /// It is on its way down, so a shutdown can wait for it.
    pub fn is_ending(self) -> bool {
        match self {
            State::Launching { .. } | State::Stopping { .. } | State::Emptying { .. } => self.is_live(),
            State::Starting { .. }
            | State::Running { .. }
            | State::Waiting
            | State::Masked
            | State::Backoff { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => false,
        }
    }

    /// When something happens to it though nothing happens.
    pub fn deadline(self) -> Option<Millis> {
        let deadline = match self {
            State::Launching { until } | State::Backoff { until } => until,
            State::Starting { since, .. } => since.saturating_add(START_PATIENCE),
            State::Stopping { deadline, stage: Stage::Asked | Stage::Killed, .. } => deadline,
            State::Emptying { deadline, stuck: false, .. } => deadline,
            State::Stopping { stage: Stage::Stuck, .. }
            | State::Emptying { stuck: true, .. }
            | State::Waiting
            | State::Masked
            | State::Running { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => NEVER,
        };
        (deadline != NEVER).then_some(deadline)
    }
}

/// How far an ending has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Its stop signal is sent (or it said that it exits by itself).
    Asked,
    /// Killed, until the deadline.
    Killed,
    /// Killed, and the kernel does not end it. No deadline any more; it is
    /// reported, and a shutdown goes on without it.
    Stuck,
}

/// Why a main process is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// A shutdown or an operator.
    Order,
    /// It ends by itself, or as if: its restart policy decides.
    Itself,
    /// Its setup failed.
    Unable(Unable),
}

/// How a main process came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// By itself.
    Exit(Exit),
    /// By order.
    Order(Exit),
    /// Its setup failed.
    Unable(Unable),
}
