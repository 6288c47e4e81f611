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
use crate::config::{Ready, Restart, WorkloadId};

/// What is to be done to a unit at the next opportunity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Nothing,
    Launch,
    Signal,
    Kill,
    Freeze,
    Thaw,
    Probe,
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
    /// What it needs is down: it has to go, as soon as nobody needs it.
    Orphan,
    /// Nobody needs it any more, and it is to go.
    Leave,
    /// The machine ends: what has not begun does not begin.
    CancelStart,
    /// The machine ends, and it is this one's turn.
    OrderDown,
    /// The machine ends, and somebody is impatient.
    ForceDown,
}

/// What a unit is told along with a deed.
pub(super) struct Context<'a> {
    pub id: WorkloadId,
    pub spec: &'a Spec<'a>,
    pub now: Millis,
    /// The machine's phase lets workloads start (again).
    pub starts: bool,
}

/// A workload's state and its counters. Plain data, 112 bytes at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit {
    state: State,
    pub(super) note: Note,
    /// While it runs: when it must have become ready, or have given a sign of life.
    due: Option<Millis>,
    /// While it runs: when it is asked how it is, or must have answered.
    probe: Option<Millis>,
    /// When restarts began to be counted for `backoff.burst`.
    window: Millis,
    burst: u32,
    launches: u32,
    /// How long it ran the last time, in milliseconds.
    ran: u32,
    /// Restarts since it last ran for `backoff.reset`.
    streak: u16,
    pub(super) effect: Effect,
    /// Stop signals it was sent.
    signals: u8,
    /// Probes it has missed in a row.
    misses: u8,
    /// It was asked how it is, and has not answered.
    probing: bool,
    /// It is to go down, once nobody who needs it is up.
    leaving: bool,
    /// An operator wants it down.
    unwanted: bool,
    /// Its cgroup was frozen, and nobody has thawed it.
    pub(super) frozen: bool,
    /// It has entered a state, perhaps the same one again, since this was last false.
    pub(super) entered: bool,
}

const _: () = assert!(size_of::<Unit>() <= 112);

impl Unit {
    pub const FRESH: Unit = Unit {
        state: State::Waiting,
        note: Note::None,
        due: None,
        probe: None,
        window: 0,
        burst: 0,
        launches: 0,
        ran: 0,
        streak: 0,
        effect: Effect::Nothing,
        signals: 0,
        misses: 0,
        probing: false,
        leaving: false,
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

    /// It is to go down, and waits for those that need it.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// When something happens to it though nothing happens.
    pub fn deadline(&self) -> Option<Millis> {
        match self.state {
            // What stands still cannot answer, and what is to go down need not.
            State::Running { .. } if self.frozen || self.leaving => None,
            State::Running { .. } => [self.due, self.probe].into_iter().flatten().min(),
            state => state.deadline(),
        }
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
            Deed::Orphan => self.orphan(context.now),
            Deed::Leave => {
                // Why it goes may not have been said yet.
                let note = self.note;
                self.order_down(context);
                self.note = note;
            }
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
                E::Ready | E::Alive | E::Leaving | E::Probed { .. } => {}
                E::Exited { .. } | E::GroupEmpty | E::Deaf | E::Kill | E::Pause | E::Resume => {}
            },
            State::Masked => match event {
                E::Launched { pid } => {
                    self.unwanted = true;
                    self.adopt(pid, now);
                }
                E::Start | E::Stop | E::Restart | E::Kill | E::Pause | E::Resume => {}
                E::LaunchFailed(_) | E::Executed | E::SetupFailed(_) => {}
                E::Ready | E::Alive | E::Leaving | E::Probed { .. } => {}
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
                E::Ready | E::Alive | E::Leaving | E::Probed { .. } => {}
                E::Kill | E::Pause | E::Resume => {}
            },
            State::Starting { pid, .. } => match event {
                E::Executed => {
                    let ready = context.spec.ready == Ready::Started;
                    let state = State::Running { ready, pid, since: now };
                    self.enter(state, Effect::Nothing, Note::Running { pid });
                    self.arm(context);
                }
                E::SetupFailed(unable) => {
                    let deadline = now.saturating_add(KILL_PATIENCE);
                    let (stage, why) = (Stage::Asked, Why::Unable(unable));
                    let state = State::Stopping { pid, deadline, stage, why };
                    self.enter(state, Effect::Nothing, Note::None);
                    self.signals = u8::MAX;
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
                E::Pause | E::Resume | E::Ready | E::Alive | E::Leaving | E::Probed { .. } => {}
            },
            State::Running { pid, since, ready } => match event {
                E::Exited { exit, others } => {
                    self.ran = ran(since, now);
                    let ended = if self.leaving { Ended::Order(exit) } else { Ended::Exit(exit) };
                    self.end(ended, others, Stage::Asked, context);
                }
                E::Stop => (self.unwanted, self.leaving) = (true, true),
                E::Restart => {
                    (self.unwanted, self.leaving) = (false, true);
                    (self.streak, self.burst) = (0, 0);
                }
                E::Start => (self.unwanted, self.leaving) = (false, false),
                E::Kill => {
                    self.ran = ran(since, now);
                    let why = if self.leaving { Why::Order } else { Why::Itself };
                    self.kill(pid, why, Note::None, now);
                }
                E::Leaving => {
                    self.ran = ran(since, now);
                    self.ask(pid, if self.leaving { Why::Order } else { Why::Itself }, Note::None, context);
                    // It knows already.
                    (self.effect, self.signals) = (Effect::Nothing, u8::MAX);
                }
                E::Pause if !self.leaving => self.freeze(true),
                E::Resume if self.frozen && !self.leaving => {
                    self.freeze(false);
                    self.arm(context);
                }
                E::Ready if matches!(context.spec.ready, Ready::Notify | Ready::Descriptor(_)) => {
                    self.become_ready(context);
                }
                E::Alive if ready && self.due.is_some() => self.arm_watchdog(context),
                E::Probed { fine } if self.probing => self.probed(fine, context),
                E::Pause | E::Resume | E::Ready | E::Alive | E::Probed { .. } => {}
                E::Launched { .. } | E::LaunchFailed(_) | E::Executed => {}
                E::SetupFailed(_) | E::GroupEmpty | E::Deaf => {}
            },
            State::Stopping { pid, stage, why, .. } => match event {
                E::Exited { exit, others } => {
                    let ended = match why {
                        Why::Order => Ended::Order(exit),
                        Why::Itself => Ended::Exit(exit),
                        Why::Unwell => Ended::Unwell(exit),
                        Why::Unable(unable) => Ended::Unable(unable),
                    };
                    self.end(ended, others, stage, context);
                }
                E::Deaf => match stage {
                    Stage::Asked => self.press(pid, why, Note::None, context),
                    Stage::Killed | Stage::Stuck => {}
                },
                E::Kill => match stage {
                    Stage::Asked => self.kill(pid, why, Note::None, now),
                    Stage::Killed | Stage::Stuck => {}
                },
                E::Start | E::Restart => self.unwanted = false,
                E::Stop => {
                    self.unwanted = true;
                    // From now on it ends because somebody wants it to.
                    if let (Why::Itself | Why::Unwell, State::Stopping { why, .. }) = (why, &mut self.state) {
                        *why = Why::Order;
                    }
                }
                E::Launched { .. } | E::LaunchFailed(_) | E::Executed => {}
                E::Ready | E::Alive | E::Leaving | E::Probed { .. } => {}
                E::SetupFailed(_) | E::GroupEmpty | E::Pause | E::Resume => {}
            },
            State::Emptying { ended, .. } => match event {
                E::GroupEmpty => self.settle(ended, context),
                E::Start | E::Restart => self.unwanted = false,
                E::Stop => self.unwanted = true,
                E::Launched { .. } | E::LaunchFailed(_) | E::Executed => {}
                E::SetupFailed(_) | E::Exited { .. } | E::Deaf => {}
                E::Ready | E::Alive | E::Leaving | E::Probed { .. } => {}
                E::Kill | E::Pause | E::Resume => {}
            },
            State::Backoff { .. } => match event {
                E::Start | E::Restart => self.start_over(),
                E::Stop => self.stay_down(),
                E::Launched { pid } => self.adopt(pid, now),
                E::LaunchFailed(_) | E::Executed | E::SetupFailed(_) => {}
                E::Ready | E::Alive | E::Leaving | E::Probed { .. } => {}
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
                E::Ready | E::Alive | E::Leaving | E::Probed { .. } => {}
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
            State::Running { pid, since, ready } => self.overdue(pid, since, ready, context),
            State::Stopping { pid, deadline, stage, why } => match stage {
                Stage::Asked => self.press(pid, why, Note::SlowStop, context),
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
            State::Running { pid, .. } => self.ask(pid, Why::Order, Note::None, context),
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

    /// Sends the first stop signal.
    fn ask(&mut self, pid: u32, why: Why, note: Note, context: &Context) {
        let deadline = context.now.saturating_add(Millis::from(context.spec.stop.patience()));
        let state = State::Stopping { pid, deadline, stage: Stage::Asked, why };
        self.enter(state, Effect::Signal, note);
        self.signals = 0;
    }

    /// Sends the next stop signal or, after the last, kills it, which is noted.
    fn press(&mut self, pid: u32, why: Why, note: Note, context: &Context) {
        let signals = self.signals;
        if context.spec.stop.signal(signals).is_none() {
            return self.kill(pid, why, note, context.now);
        }
        self.ask(pid, why, Note::None, context);
        self.signals = signals;
    }

    /// The stop signal that is due.
    pub(super) fn next_signal(&mut self, spec: &Spec) -> Option<u8> {
        let signal = spec.stop.signal(self.signals);
        self.signals = self.signals.saturating_add(1);
        signal
    }

    /// What it needs is down.
    fn orphan(&mut self, now: Millis) {
        match self.state {
            State::Starting { pid, .. } => self.kill(pid, Why::Order, Note::Orphaned, now),
            State::Running { .. } if !self.leaving => {
                (self.leaving, self.entered, self.note) = (true, true, Note::Orphaned);
            }
            State::Running { .. }
            | State::Launching { .. }
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

    /// Starts the clocks of one that runs.
    fn arm(&mut self, context: &Context) {
        let spec = context.spec;
        (self.misses, self.probing) = (0, false);
        self.probe = (spec.ready == Ready::Probe).then(|| after(context.now, spec.probe.period));
        match self.state {
            State::Running { ready: false, .. } => self.due = later(context.now, spec.start_timeout),
            _ => self.arm_watchdog(context),
        }
    }

    fn arm_watchdog(&mut self, context: &Context) {
        self.due = later(context.now, context.spec.watchdog);
    }

    fn become_ready(&mut self, context: &Context) {
        if let State::Running { since, ready: ready @ false, .. } = &mut self.state {
            *ready = true;
            self.note = Note::Ready { after: ran(*since, context.now) };
            self.entered = true;
            self.arm_watchdog(context);
        }
    }

    /// What runs has answered a probe, or has not in time.
    fn probed(&mut self, fine: bool, context: &Context) {
        let State::Running { pid, since, ready } = self.state else { return };
        self.probing = false;
        self.probe = Some(after(context.now, context.spec.probe.period));
        if fine {
            self.misses = 0;
            self.become_ready(context);
        } else if ready {
            self.misses = self.misses.saturating_add(1);
            if u32::from(self.misses) >= context.spec.probe.threshold.min(u8::MAX.into()) {
                self.ran = ran(since, context.now);
                self.ask(pid, Why::Unwell, Note::Unwell { misses: self.misses }, context);
            }
        }
    }

    /// A time has passed that something running was to keep.
    fn overdue(&mut self, pid: u32, since: Millis, ready: bool, context: &Context) {
        let now = context.now;
        if self.due.is_some_and(|due| due <= now) {
            self.ran = ran(since, now);
            if ready {
                let waited = context.spec.watchdog;
                self.kill(pid, Why::Unwell, Note::Silent { waited }, now);
            } else {
                self.ask(pid, Why::Unwell, Note::NotReady { waited: self.ran }, context);
            }
        } else if self.probing {
            self.probed(false, context);
        } else {
            (self.probing, self.effect) = (true, Effect::Probe);
            self.probe = Some(after(now, context.spec.probe.timeout));
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
        (self.streak, self.burst) = (0, 0);
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
                self.run_again(exit, context);
            }
            Ended::Unwell(exit) if again && context.spec.restart != Restart::Never => {
                self.run_again(exit, context);
            }
            Ended::Unwell(exit) if again => {
                self.enter(State::Failed { code: failing(exit) }, Effect::Nothing, Note::Unhealthy);
            }
            Ended::Unwell(exit) => {
                self.enter(State::Stopped { exit: Some(exit) }, Effect::Nothing, Note::Stopped);
            }
            Ended::Exit(exit) => self.enter(State::Done { exit }, Effect::Nothing, Note::Done { exit }),
            Ended::Unable(Unable::ForGood { code }) => {
                self.enter(State::Failed { code }, Effect::Nothing, Note::Failed);
            }
            Ended::Unable(Unable::ForNow) if again => {
                /// As a shell has it for a command that cannot be executed.
                const NOT_STARTED: u8 = 126;
                if let Some((nth, delay)) = self.back_off(NOT_STARTED, context) {
                    self.note = Note::Retrying { nth, delay };
                }
            }
            Ended::Unable(Unable::ForNow) => {
                self.enter(State::Stopped { exit: None }, Effect::Nothing, Note::Stopped);
            }
        }
    }

    fn run_again(&mut self, exit: Exit, context: &Context) {
        let ran = self.ran;
        if ran >= context.spec.backoff.reset {
            self.streak = 0;
        }
        if let Some((nth, delay)) = self.back_off(failing(exit), context) {
            self.note = Note::Restarting { exit, ran, nth, delay };
        }
    }

    /// Waits `first * 2^streak`, at most `most`, and up to `jitter` more; or gives up
    /// with this code.
    fn back_off(&mut self, code: u8, context: &Context) -> Option<(u16, u32)> {
        let (backoff, now) = (context.spec.backoff, context.now);
        if self.burst == 0 || now.saturating_sub(self.window) > Millis::from(backoff.within) {
            (self.window, self.burst) = (now, 0);
        }
        self.burst = self.burst.saturating_add(1);
        if backoff.burst != 0 && self.burst > backoff.burst {
            let note = Note::GaveUp { burst: backoff.burst, within: backoff.within };
            self.enter(State::Failed { code }, Effect::Nothing, note);
            return None;
        }
        // Below 2^63: a 32-bit number shifted by at most 31.
        let doubled = u64::from(backoff.first) << self.streak.min(31);
        let delay = u32::try_from(doubled).unwrap_or(u32::MAX).min(backoff.most).max(LEAST_DELAY);
        // Workloads that died of one cause at one time are to come back at several: any mixture will do.
        let mixed = (now as u32 ^ u32::from(context.id.0).rotate_left(16)).wrapping_mul(0x9e37_79b9);
        let more = (u64::from(mixed) * (u64::from(backoff.jitter) + 1)) >> 32;
        let delay = delay.saturating_add(more as u32);
        self.streak = self.streak.saturating_add(1);
        self.enter(State::Backoff { until: after(now, delay) }, Effect::Nothing, Note::None);
        Some((self.streak, delay))
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
        self.leaving = false;
    }
}

fn after(now: Millis, millis: u32) -> Millis {
    now.saturating_add(Millis::from(millis))
}

/// 0 is never.
fn later(now: Millis, millis: u32) -> Option<Millis> {
    (millis != 0).then(|| after(now, millis))
}

/// The status of a failure that may have ended with 0.
fn failing(exit: Exit) -> u8 {
    exit.code().max(1)
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
