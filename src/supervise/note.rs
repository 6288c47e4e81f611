//! What a person is told, as data; [`Show`] makes the words.
//!
//! One line says one thing that happened and what follows from it. The edge
//! puts the workload's name in front. Why a start failed (which step, which
//! errno) only the edge knows: it says so when it happens, and the line from
//! here says what is done about it.

use super::words::{End, Exit};
use crate::config::{SIGNALS, WorkloadId};
use crate::log::Level;
use crate::put;
use crate::text::{self, Millis, Show, Sink};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Report {
    Unit(WorkloadId, Note),
    Machine(MachineNote),
}

/// About one workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Note {
    /// Nothing to say; never reported.
    None,
    Running {
        pid: u32,
    },
    /// It ended, and its policy runs it again.
    Restarting {
        exit: Exit,
        ran: u32,
        nth: u16,
        delay: u32,
    },
    /// It could not be started for now.
    Retrying {
        nth: u16,
        delay: u32,
    },
    /// It ended by itself and stays so.
    Done {
        exit: Exit,
    },
    /// It can never be started.
    Failed,
    /// It was stopped.
    Stopped,
    Paused,
    Resumed,
    /// The child has not come to its execve in this time.
    SlowStart {
        waited: u32,
    },
    /// It did not stop in time.
    SlowStop,
    /// Its main process has ended and others are left: they are killed.
    Leftovers,
    /// The kernel has not ended it, though killed.
    Stuck {
        waited: u32,
    },
}

/// About the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum MachineNote {
    /// Nothing to say; never reported.
    None,
    Ending {
        end: End,
        because: Because,
    },
    EndChanged {
        end: End,
    },
    Impatient,
    /// Everything is down, and the reboot is not to come yet.
    Braked {
        left: u32,
    },
    Rescue {
        because: Because,
    },
}

/// What brings a machine down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Because {
    Asked,
    BootFailed,
    /// A critical workload gave up; the edge names it.
    GaveUp(WorkloadId),
    /// The `exit-with` workload has ended; the edge names it.
    ExitWith(WorkloadId),
}

impl Because {
    pub fn is_failure(self) -> bool {
        match self {
            Because::BootFailed | Because::GaveUp(_) => true,
            Because::Asked | Because::ExitWith(_) => false,
        }
    }
}

impl Note {
    pub fn level(self) -> Level {
        match self {
            Note::None | Note::Running { .. } | Note::Stopped | Note::Paused | Note::Resumed => Level::Info,
            Note::Done { exit } if !exit.is_failure() => Level::Info,
            Note::Restarting { exit, .. } if !exit.is_failure() => Level::Info,
            Note::Restarting { .. } | Note::Retrying { .. } | Note::Done { .. } => Level::Warn,
            Note::SlowStart { .. } | Note::SlowStop | Note::Leftovers => Level::Warn,
            Note::Failed | Note::Stuck { .. } => Level::Error,
        }
    }
}

impl MachineNote {
    pub fn level(self) -> Level {
        match self {
            MachineNote::None | MachineNote::EndChanged { .. } => Level::Info,
            MachineNote::Impatient | MachineNote::Braked { .. } => Level::Warn,
            MachineNote::Ending { because, .. } | MachineNote::Rescue { because } => {
                if because.is_failure() {
                    Level::Error
                } else {
                    Level::Info
                }
            }
        }
    }
}

impl Show for Exit {
    fn show(&self, out: &mut dyn Sink) {
        match *self {
            Exit::Status(status) => put!(*out, "exited with status ", status),
            Exit::Signal(signal) => {
                put!(*out, "killed by signal ", signal);
                let index = usize::from(signal).wrapping_sub(1);
                if let Some(name) = text::words(SIGNALS.as_bytes(), b' ').nth(index) {
                    put!(*out, " (", name, ")");
                }
            }
        }
    }
}

impl Show for End {
    fn show(&self, out: &mut dyn Sink) {
        match self {
            End::PowerOff => "power off",
            End::Reboot => "reboot",
            End::Halt => "halt",
            End::Exit => "exit",
        }
        .show(out);
    }
}

fn millis(number: u32) -> Millis {
    Millis(u64::from(number))
}

impl Show for Note {
    fn show(&self, out: &mut dyn Sink) {
        match *self {
            Note::None => {}
            Note::Running { pid } => put!(*out, "running, pid ", pid),
            Note::Restarting { exit, ran, nth, delay } => {
                put!(*out, exit, " after ", millis(ran), ", restart ", nth, " in ", millis(delay));
            }
            Note::Retrying { nth, delay } => {
                put!(*out, "could not start, try ", nth, " in ", millis(delay));
            }
            Note::Done { exit } => exit.show(out),
            Note::Failed => put!(*out, "cannot start, given up"),
            Note::Stopped => put!(*out, "stopped"),
            Note::Paused => put!(*out, "paused"),
            Note::Resumed => put!(*out, "goes on"),
            Note::SlowStart { waited } => {
                put!(*out, "not started after ", millis(waited), ", killing it");
            }
            Note::SlowStop => put!(*out, "did not stop in time, killing it"),
            Note::Leftovers => put!(*out, "left processes behind, killing them"),
            Note::Stuck { waited } => {
                put!(*out, "killed, but still there after ", millis(waited), ": stuck in the kernel");
            }
        }
    }
}

impl Show for MachineNote {
    fn show(&self, out: &mut dyn Sink) {
        match *self {
            MachineNote::None => {}
            MachineNote::Ending { end, because } => {
                put!(*out, "stopping everything to ", end, because);
            }
            MachineNote::EndChanged { end } => put!(*out, "will ", end, " instead"),
            MachineNote::Impatient => put!(*out, "asked a third time, killing everything now"),
            MachineNote::Braked { left } => {
                put!(*out, "rebooting in ", millis(left), ": not so soon after a boot that failed");
            }
            MachineNote::Rescue { because } => put!(*out, "rescue: starting no workloads", because),
        }
    }
}

impl Show for Because {
    fn show(&self, out: &mut dyn Sink) {
        match self {
            Because::Asked => "",
            Because::BootFailed => ": the boot failed",
            Because::GaveUp(_) => ": a critical workload gave up",
            Because::ExitWith(_) => ": the exit-with workload ended",
        }
        .show(out);
    }
}
