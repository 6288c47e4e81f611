//! What a person is told, as data; [`Show`] makes the words.
//!
//! One line says one thing that happened and what follows from it. The edge
//! puts the workload's name in front. Why a start failed (which step, which
//! errno) only the edge knows: it says so when it happens, and the line from
//! here says what is done about it.

use super::words::{End, Exit};
use crate::config::WorkloadId;
use crate::log::Level;
use crate::text::{Millis, Show, Sink};

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

impl Note {
    pub fn level(self) -> Level {
        match self {
            Note::None | Note::Running { .. } | Note::Stopped => Level::Info,
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
            MachineNote::Impatient => Level::Warn,
            MachineNote::Ending { because, .. } | MachineNote::Rescue { because } => match because {
                Because::Asked | Because::ExitWith(_) => Level::Info,
                Because::BootFailed | Because::GaveUp(_) => Level::Error,
            },
        }
    }
}

impl Show for Exit {
    fn show(&self, out: &mut dyn Sink) {
        let (text, number) = match *self {
            Exit::Status(status) => ("exited with status ", status),
            Exit::Signal(signal) => ("killed by signal ", signal),
        };
        text.show(out);
        number.show(out);
        if let Exit::Signal(signal) = *self
            && let Some((_, name)) = SIGNALS.iter().find(|(known, _)| *known == signal)
        {
            " (".show(out);
            name.show(out);
            ")".show(out);
        }
    }
}

/// Those that a workload dies of; the numbers are alike on all our machines.
const SIGNALS: [(u8, &str); 14] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (11, "SEGV"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (31, "SYS"),
];

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

/// Shows each in turn.
fn show_all(out: &mut dyn Sink, pieces: &[&dyn Show]) {
    for piece in pieces {
        piece.show(out);
    }
}

impl Show for Note {
    fn show(&self, out: &mut dyn Sink) {
        let millis = |number: u32| Millis(u64::from(number));
        match *self {
            Note::None => {}
            Note::Running { pid } => show_all(out, &[&"running, pid ", &pid]),
            Note::Restarting { exit, ran, nth, delay } => show_all(
                out,
                &[&exit, &" after ", &millis(ran), &", restart ", &nth, &" in ", &millis(delay)],
            ),
            Note::Retrying { nth, delay } => {
                show_all(out, &[&"could not start, try ", &nth, &" in ", &millis(delay)])
            }
            Note::Done { exit } => exit.show(out),
            Note::Failed => "cannot start, given up".show(out),
            Note::Stopped => "stopped".show(out),
            Note::SlowStart { waited } => {
                show_all(out, &[&"not started after ", &millis(waited), &", killing it"])
            }
            Note::SlowStop => "did not stop in time, killing it".show(out),
            Note::Leftovers => "left processes behind, killing them".show(out),
            Note::Stuck { waited } => {
                show_all(out, &[&"killed, but still there after ", &millis(waited), &": stuck in the kernel"])
            }
        }
    }
}

impl Show for MachineNote {
    fn show(&self, out: &mut dyn Sink) {
        match *self {
            MachineNote::None => {}
            MachineNote::Ending { end, because } => {
                show_all(out, &[&"stopping everything to ", &end, &because])
            }
            MachineNote::EndChanged { end } => show_all(out, &[&"will ", &end, &" instead"]),
            MachineNote::Impatient => "asked a third time, killing everything now".show(out),
            MachineNote::Rescue { because } => show_all(out, &[&"rescue: starting no workloads", &because]),
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
