//! One workload's life: what each event makes of its [`State`].
//!
//! [`Unit::react`] is the table of state x event of
//! docs/supervision.md, written out: every pair has its arm, so a new state or
//! event does not compile until somebody has thought about all its pairs.
//!
//! A unit never acts. It notes what it `owes` (one effect and one line for a
//! person), and the supervisor collects. It knows neither other units nor the
//! machine's phase: those decide through [`Context::starts`].

use super::note::Note;
use super::specs::Spec;
use super::state::{Ended, KILL_PATIENCE, LAUNCH_PATIENCE, LEAST_DELAY, START_PATIENCE, Stage, State, Why};
use super::words::{Exit, Millis, Unable, UnitEvent};
use crate::config::Restart;

/// What is to be done to a unit at the next opportunity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Nothing,
    Launch,
    Signal,
    Kill,
    Freeze,
    Thaw,
}

/// What the supervisor may do to a unit.
#[derive(Clone, Copy)]
pub(super) enum Deed {
    /// Something happened to it.
    React(UnitEvent),
    /// Its deadline has passed.
    Expire,
    /// It may be launched.
    Launch,
    /// The machine ends: what has not begun does not begin.
    CancelStart,
    /// The machine ends, and it is this one's turn.
    OrderDown,
    /// The machine ends, and somebody is impatient.
    ForceDown,
}

/// What a unit is told along with a deed.
pub(super) struct Context<'a> {
    pub spec: &'a Spec<'a>,
    pub now: Millis,
    /// The machine's phase lets workloads start (again).
    pub starts: bool,
}

/// A workload's state and its counters. Plain data, 48 bytes at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit {
    state: State,
    pub(super) note: Note,
    launches: u32,
    /// How long it ran the last time, in milliseconds.
    ran: u32,
    /// Restarts since it last ran for `backoff.reset`.
    streak: u16,
    pub(super) effect: Effect,
    /// An operator wants it down.
    unwanted: bool,
    /// Its cgroup was frozen, and nobody has thawed it.
    pub(super) frozen: bool,
    /// It has entered a state, perhaps the same one again, since this was last false.
    pub(super) entered: bool,
}

const _: () = assert!(size_of::<Unit>() <= 48);

impl Unit {
    pub const FRESH: Unit = Unit {
        state: State::Waiting,
        note: Note::None,
        launches: 0,
        ran: 0,
        streak: 0,
        effect: Effect::Nothing,
        unwanted: false,
        frozen: false,
        entered: false,
    };

    pub fn state(&self) -> State {
        self.state
    }

    /// How often it was launched, restarts included.
    pub fn launches(&self) -> u32 {
        self.launches
    }

    /// Restarts in a row: since it last ran for as long as `backoff.reset`.
    pub fn restarts_in_a_row(&self) -> u16 {
        self.streak
    }

    /// It runs, and an operator had it stand still.
    pub fn is_paused(&self) -> bool {
        self.frozen && matches!(self.state, State::Running { .. })
    }

    /// Its main process, if it has one.
    pub fn pid(&self) -> Option<u32> {
        self.state.pid()
    }

    pub(super) fn mask(&mut self) {
        if self.state == State::Waiting {
            self.enter(State::Masked, Effect::Nothing, Note::None);
        }
    }

    /// A launch is handed to the edge.
    pub(super) fn launch(&mut self, now: Millis) {
        self.launches = self.launches.saturating_add(1);
        let until = now.saturating_add(LAUNCH_PATIENCE);
        self.enter(State::Launching { until }, Effect::Nothing, self.note);
    }

    pub(super) fn apply(&mut self, deed: Deed, context: &Context) {
        match deed {
            Deed::React(event) => self.react(event, context),
            Deed::Expire => self.expire(context),
            Deed::Launch => self.effect = Effect::Launch,
            Deed::CancelStart => self.cancel_start(),
            Deed::OrderDown => self.order_down(context),
            Deed::ForceDown => self.force_down(context.now),
        }
    }

    /// The table of state x event.
    fn react(&mut self, event: UnitEvent, context: &Context) {
        use UnitEvent as E;
        let now = context.now;
        match self.state {
            State::Waiting => match event {
                E::Start | E::Restart => self.start_over(),
                E::Stop => self.stay_down(),
                E::Launched { pid } => self.adopt(pid, now),
                E::LaunchFailed(_) | E::Executed | E::SetupFailed(_) => {}
                E::Exited { .. } | E::GroupEmpty | E::Deaf | E::Kill | E::Pause | E::Resume => {}
            },
            State::Masked => match event {
                E::Launched { pid } => {
                    self.unwanted = true;
                    self.adopt(pid, now);
                }
                E::Start | E::Stop | E::Restart | E::Kill | E::Pause | E::Resume => {}
                E::LaunchFailed(_) | E::Executed | E::SetupFailed(_) => {}
                E::Exited { .. } | E::GroupEmpty | E::Deaf => {}
            },
            State::Launching { .. } => match event {
                E::Launched { pid } if self.unwanted => self.kill(pid, Why::Order, Note::None, now),
                E::Launched { pid } => {
                    self.enter(State::Starting { pid, since: now }, Effect::Nothing, Note::None);
                }
                E::LaunchFailed(unable) => self.settle(Ended::Unable(unable), context),
                E::Start | E::Restart => self.unwanted = false,
                E::Stop => self.unwanted = true,
                E::Executed | E::SetupFailed(_) | E::Exited { .. } | E::GroupEmpty | E::Deaf => {}
                E::Kill | E::Pause | E::Resume => {}
            },
            State::Starting { pid, .. } => match event {
                E::Executed => {
                    self.enter(State::Running { pid, since: now }, Effect::Nothing, Note::Running { pid });
                }
                E::SetupFailed(unable) => {
                    let deadline = now.saturating_add(KILL_PATIENCE);
                    let (stage, why) = (Stage::Asked, Why::Unable(unable));
                    let state = State::Stopping { pid, deadline, stage, why };
                    self.enter(state, Effect::Nothing, Note::None);
                }
                E::Exited { exit, others } => {
                    self.ran = 0;
                    self.end(Ended::Exit(exit), others, Stage::Asked, context);
                }
                E::Stop => {
                    self.unwanted = true;
                    self.order_down(context);
                }
                E::Start | E::Restart => self.unwanted = false,
                E::Kill => {
                    self.ran = 0;
                    self.kill(pid, Why::Itself, Note::None, now);
                }
                E::Launched { .. } | E::LaunchFailed(_) | E::GroupEmpty | E::Deaf => {}
                E::Pause | E::Resume => {}
            },
            State::Running { pid, since } => match event {
                E::Exited { exit, others } => {
                    self.ran = ran(since, now);
                    self.end(Ended::Exit(exit), others, Stage::Asked, context);
                }
                E::Stop => {
                    self.unwanted = true;
                    self.order_down(context);
                }
                E::Restart => {
                    self.streak = 0;
                    self.order_down(context);
                }
                E::Kill => {
                    self.ran = ran(since, now);
                    self.kill(pid, Why::Itself, Note::None, now);
                }
                E::Pause => self.freeze(true),
                E::Resume => self.freeze(false),
                E::Start => {}
                E::Launched { .. } | E::LaunchFailed(_) | E::Executed => {}
                E::SetupFailed(_) | E::GroupEmpty | E::Deaf => {}
            },
            State::Stopping { pid, stage, why, .. } => match event {
                E::Exited { exit, others } => {
                    let ended = match why {
                        Why::Order => Ended::Order(exit),
                        Why::Itself => Ended::Exit(exit),
                        Why::Unable(unable) => Ended::Unable(unable),
                    };
                    self.end(ended, others, stage, context);
                }
                E::Deaf | E::Kill => match stage {
                    Stage::Asked => self.kill(pid, why, Note::None, now),
                    Stage::Killed | Stage::Stuck => {}
                },
                E::Start | E::Restart => self.unwanted = false,
                E::Stop => self.unwanted = true,
                E::Launched { .. } | E::LaunchFailed(_) | E::Executed => {}
                E::SetupFailed(_) | E::GroupEmpty | E::Pause | E::Resume => {}
            },
            State::Emptying { ended, .. } => match event {
                E::GroupEmpty => self.settle(ended, context),
                E::Start | E::Restart => self.unwanted = false,
                E::Stop => self.unwanted = true,
                E::Launched { .. } | E::LaunchFailed(_) | E::Executed => {}
                E::SetupFailed(_) | E::Exited { .. } | E::Deaf => {}
                E::Kill | E::Pause | E::Resume => {}
            },
            State::Backoff { .. } => match event {
                E::Start | E::Restart => self.start_over(),
                E::Stop => self.stay_down(),
                E::Launched { pid } => self.adopt(pid, now),
                E::LaunchFailed(_) | E::Executed | E::SetupFailed(_) => {}
                E::Exited { .. } | E::GroupEmpty | E::Deaf | E::Kill | E::Pause | E::Resume => {}
            },
            State::Done { .. } | State::Failed { .. } | State::Stopped { .. } => match event {
                E::Start | E::Restart => self.start_over(),
                E::Launched { pid } => {
                    self.unwanted = true;
                    self.adopt(pid, now);
                }
                E::Stop | E::Kill | E::Pause | E::Resume => {}
                E::LaunchFailed(_) | E::Executed | E::SetupFailed(_) => {}
                E::Exited { .. } | E::GroupEmpty | E::Deaf => {}
            },
        }
    }

    /// Its deadline has passed.
    fn expire(&mut self, context: &Context) {
        let now = context.now;
        match self.state {
            State::Launching { .. } => self.settle(Ended::Unable(Unable::ForNow), context),
            State::Starting { pid, .. } => {
                let waited = START_PATIENCE as u32;
                self.kill(pid, Why::Unable(Unable::ForNow), Note::SlowStart { waited }, now);
            }
            State::Stopping { pid, deadline, stage, why } => match stage {
                Stage::Asked => self.kill(pid, why, Note::SlowStop, now),
                Stage::Killed => {
                    let state = State::Stopping { pid, deadline, stage: Stage::Stuck, why };
                    self.enter(state, Effect::Nothing, STUCK);
                }
                Stage::Stuck => {}
            },
            State::Emptying { deadline, stuck: false, ended } => {
                let state = State::Emptying { deadline, stuck: true, ended };
                self.enter(state, Effect::Nothing, STUCK);
            }
            State::Backoff { .. } => self.enter(State::Waiting, Effect::Nothing, Note::None),
            State::Waiting
            | State::Masked
            | State::Running { .. }
            | State::Emptying { stuck: true, .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => {}
        }
    }

    /// Asks a running process to end; a child that is still setting up has
    /// nothing to lose and is killed.
    fn order_down(&mut self, context: &Context) {
        match self.state {
            State::Running { pid, .. } => {
                let deadline = context.now.saturating_add(Millis::from(context.spec.stop.timeout));
                let (stage, why) = (Stage::Asked, Why::Order);
                let state = State::Stopping { pid, deadline, stage, why };
                self.enter(state, Effect::Signal, Note::None);
            }
            State::Starting { pid, .. } => self.kill(pid, Why::Order, Note::None, context.now),
            State::Launching { .. }
            | State::Stopping { .. }
            | State::Emptying { .. }
            | State::Waiting
            | State::Masked
            | State::Backoff { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => {}
        }
    }

    /// Kills whatever has not been killed yet.
    fn force_down(&mut self, now: Millis) {
        match self.state {
            State::Starting { pid, .. } | State::Running { pid, .. } => {
                self.kill(pid, Why::Order, Note::None, now);
            }
            State::Stopping { pid, stage: Stage::Asked, why, .. } => self.kill(pid, why, Note::None, now),
            State::Stopping { stage: Stage::Killed | Stage::Stuck, .. }
            | State::Launching { .. }
            | State::Emptying { .. }
            | State::Waiting
            | State::Masked
            | State::Backoff { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => {}
        }
    }

    /// Gives up a start that has not begun.
    fn cancel_start(&mut self) {
        match self.state {
            State::Waiting | State::Backoff { .. } => {
                self.enter(State::Stopped { exit: None }, Effect::Nothing, Note::None);
            }
            State::Masked
            | State::Launching { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Emptying { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => {}
        }
    }

    fn stay_down(&mut self) {
        self.unwanted = true;
        self.cancel_start();
    }

    fn start_over(&mut self) {
        self.unwanted = false;
        self.streak = 0;
        self.enter(State::Waiting, Effect::Nothing, Note::None);
    }

    /// A process that should not be: the answer to a launch came too late. It
    /// must not run unwatched, so it becomes the unit's and is killed.
    fn adopt(&mut self, pid: u32, now: Millis) {
        self.kill(pid, Why::Unable(Unable::ForNow), Note::None, now);
    }

    fn kill(&mut self, pid: u32, why: Why, note: Note, now: Millis) {
        let deadline = now.saturating_add(KILL_PATIENCE);
        self.enter(State::Stopping { pid, deadline, stage: Stage::Killed, why }, Effect::Kill, note);
    }

    /// The main process has ended. What it left behind is killed, as the kernel
    /// does by itself where the workload has a pid namespace.
    fn end(&mut self, ended: Ended, others: bool, stage: Stage, context: &Context) {
        if !others {
            return self.settle(ended, context);
        }
        let (stuck, note) = match stage {
            Stage::Asked => (false, Note::Leftovers),
            Stage::Killed => (false, Note::None),
            // The shutdown has long gone on without it; it does not wait again.
            Stage::Stuck => (true, Note::None),
        };
        let deadline = context.now.saturating_add(KILL_PATIENCE);
        self.enter(State::Emptying { deadline, stuck, ended }, Effect::Kill, note);
    }

    /// No process is left: what now?
    fn settle(&mut self, ended: Ended, context: &Context) {
        let again = context.starts && !self.unwanted;
        match ended {
            Ended::Order(_) if again => self.enter(State::Waiting, Effect::Nothing, Note::Stopped),
            Ended::Order(exit) => {
                self.enter(State::Stopped { exit: Some(exit) }, Effect::Nothing, Note::Stopped);
            }
            Ended::Exit(exit) if again && wants_restart(context.spec.restart, exit) => {
                if self.ran >= context.spec.backoff.reset {
                    self.streak = 0;
                }
                let ran = self.ran;
                let (nth, delay) = self.back_off(context);
                self.note = Note::Restarting { exit, ran, nth, delay };
            }
            Ended::Exit(exit) => self.enter(State::Done { exit }, Effect::Nothing, Note::Done { exit }),
            Ended::Unable(Unable::ForGood { code }) => {
                self.enter(State::Failed { code }, Effect::Nothing, Note::Failed);
            }
            Ended::Unable(Unable::ForNow) if again => {
                let (nth, delay) = self.back_off(context);
                self.note = Note::Retrying { nth, delay };
            }
            Ended::Unable(Unable::ForNow) => {
                self.enter(State::Stopped { exit: None }, Effect::Nothing, Note::Stopped);
            }
        }
    }

    /// Waits `first * 2^streak`, at most `most`.
    fn back_off(&mut self, context: &Context) -> (u16, u32) {
        let backoff = context.spec.backoff;
        // Below 2^63: a 32-bit number shifted by at most 31.
        let doubled = u64::from(backoff.first) << self.streak.min(31);
        let delay = u32::try_from(doubled).unwrap_or(u32::MAX).min(backoff.most).max(LEAST_DELAY);
        self.streak = self.streak.saturating_add(1);
        let until = context.now.saturating_add(Millis::from(delay));
        self.enter(State::Backoff { until }, Effect::Nothing, Note::None);
        (self.streak, delay)
    }

    /// Once is enough, and a thaw before the freeze was handed out takes it back.
    fn freeze(&mut self, frozen: bool) {
        if self.frozen != frozen {
            self.frozen = frozen;
            (self.effect, self.note) =
                if frozen { (Effect::Freeze, Note::Paused) } else { (Effect::Thaw, Note::Resumed) };
        }
    }

    fn enter(&mut self, state: State, effect: Effect, note: Note) {
        self.state = state;
        self.effect = effect;
        self.note = note;
        self.entered = true;
    }
}

fn ran(since: Millis, now: Millis) -> u32 {
    u32::try_from(now.saturating_sub(since)).unwrap_or(u32::MAX)
}

const STUCK: Note = Note::Stuck { waited: KILL_PATIENCE as u32 };

fn wants_restart(policy: Restart, exit: Exit) -> bool {
    match policy {
        Restart::Never => false,
        Restart::OnFailure => exit.is_failure(),
        Restart::Always => true,
    }
}
