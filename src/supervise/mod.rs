//! Supervision: what is to be done about the workloads, and never the doing.
//!
//! [`Supervisor`] is a value without pointers, descriptors or a clock. The edge
//! (`crate::init`) tells it what happened, and does what it says:
//!
//! ```text
//!     loop {
//!         wait for epoll, at most until supervisor.next_deadline(specs)
//!         for each thing that happened   supervisor.step(&config, event, now)
//!         while let Some(action) = supervisor.poll(&config, now)
//!             do it; where it has an answer, supervisor.step(&config, answer, now)
//!     }
//! ```
//!
//! **Two phases.** `step` changes the one unit an event is about, and says that
//! something changed. `poll` first hands out what units owe (`execute`); when
//! nobody owes anything it makes one pass over all units to see what the change
//! means to the others (`propagate`). No recursion, no queue that could be
//! full: a unit owes at most one line and one effect, and both are remembered
//! in the unit. One pass costs O(workloads + edges), and poll says `None` after
//! finitely many calls: each effect moves its unit on, and every delay is at
//! least [`LEAST_DELAY`].
//!
//! **Starting.** A unit starts when every unit in its `after` is ready, or has
//! settled: done, failed, stopped or masked ([`State::lets_others_start`]). One
//! that failed does not keep others down; `critical` is for those that must.
//! Before [`Event::MachineReady`] only `early` units start. One that `needs` others
//! starts only while they are ready (or have done their work), and leaves when one of
//! them is not any more: those that need it first.
//!
//! **Health.** What runs has to become ready in its time, to give signs of life, or to
//! answer probes, as its config says. What does not is stopped, and that is a failure.
//!
//! **Giving up.** A workload gives up when it can never be started
//! ([`State::Failed`]), or when it ended by itself, with a failure, and its
//! policy leaves it so ([`State::Done`] with a failing exit), or when it was
//! restarted too often (`backoff.burst`). One that is restarted for ever does not,
//! nor does one that an operator stopped or that is masked. If it is `critical`, or the boot itself failed, the
//! machine goes into its `on-failure`. `exit-with` comes first: when that
//! workload is `Done` or `Failed` the machine powers off with its status.
//!
//! **The end.** In reverse: a unit is told to stop when all units that have it
//! in their `after` are down; independent ones go in parallel. Each gets its
//! own stop signal and timeout, then its cgroup is killed; what the kernel has
//! not ended [`KILL_PATIENCE`] later is reported and not waited for. So a
//! shutdown ends within the longest chain of `timeout + 2 * KILL_PATIENCE` (the
//! second patience is for what a main process leaves behind; a timeout below a
//! patience counts as one), whatever any process does. The first request sets the end, a different one
//! changes it, the third of one kind kills everything at once.
//!
//! **The brake.** A machine that reboots because it failed does not do so before
//! [`LEAST_UPTIME`], or one that fails at every boot would do nothing else, at
//! full speed. Whoever asks for an end meanwhile gets it at once.
//!
//! **Rescue.** Nothing is started or restarted any more; what runs goes on, for
//! a person to look at.
//!
//! What this must never do: lose a process, start a second main process for a
//! workload, start earlier than the policy allows, or wait without a deadline
//! in a shutdown. `properties.rs` holds it to that against a simulated kernel.

mod ids;
mod note;
pub mod notice;
mod specs;
mod state;
mod unit;
mod words;

pub use note::{Because, MachineNote, Note, Report};
pub use specs::{Spec, Specs};
pub use state::{Ended, KILL_PATIENCE, LAUNCH_PATIENCE, LEAST_DELAY, START_PATIENCE, Stage, State, Why};
pub use unit::Unit;
pub use words::{Action, End, Event, Exit, Millis, Unable, UnitEvent};

use crate::config::{OnFailure, Ready, WorkloadId};
use crate::limits;
use core::mem::replace;
use ids::Ids;
use unit::{Context, Deed, Effect};

/// Where the machine is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Phase {
    /// Until [`Event::MachineReady`]; only `early` workloads start.
    Booting,
    Up,
    /// Nothing is started any more, what runs goes on.
    Rescue,
    /// Everything is being stopped. `asked`: how often for this same end.
    Ending {
        end: End,
        asked: u8,
    },
    /// [`Action::Finish`] was handed out; nothing more will be.
    Ended {
        end: End,
    },
}

/// The third request for the same end is impatience: one may be a mistake, a
/// second a script that repeats itself.
const IMPATIENT: u8 = 3;

/// No failure reboots a machine that is up for less: three boots a minute wear out
/// nothing, and leave a person time to read why.
pub const LEAST_UPTIME: Millis = 20_000;

/// Whether the end waits for [`LEAST_UPTIME`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Brake {
    Off,
    On,
    /// ... and a person was told.
    Said,
}

/// Every workload's state and the machine's phase. The large table is last, so
/// that the rest shares a page with the first of it.
#[repr(C)]
pub struct Supervisor {
    /// Units with a note or an effect to hand out.
    owing: Ids,
    phase: Phase,
    /// Nothing changed that other units may care about, since the last pass.
    quiet: bool,
    /// The machine's own debts.
    note: MachineNote,
    rescue_owed: bool,
    finish_owed: bool,
    /// There is no machine to switch off: every end is an exit.
    container: bool,
    brake: Brake,
    /// How the `exit-with` workload ended.
    status: Option<u8>,
    units: [Unit; limits::WORKLOADS],
}

impl Supervisor {
    /// Every workload waits, the machine boots. All zero bytes, so that a static
    /// is in `.bss` and costs the pages of the workloads there are.
    pub const EMPTY: Supervisor = Supervisor {
        units: [Unit::FRESH; limits::WORKLOADS],
        owing: Ids::EMPTY,
        phase: Phase::Booting,
        quiet: false,
        note: MachineNote::None,
        rescue_owed: false,
        finish_owed: false,
        container: false,
        brake: Brake::Off,
        status: None,
    };

    /// It is a container's PID 1, and no machine's.
    pub fn is_in_container(&mut self) {
        self.container = true;
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn unit(&self, id: WorkloadId) -> Option<&Unit> {
        self.units.get(id.index())
    }

    fn state(&self, id: WorkloadId) -> Option<State> {
        self.unit(id).map(Unit::state)
    }

    /// The workload whose main process this is.
    pub fn owner(&self, pid: u32) -> Option<WorkloadId> {
        let index = self.units.iter().position(|unit| unit.pid() == Some(pid))?;
        u16::try_from(index).ok().map(WorkloadId)
    }

    /// Never starts this workload (`corm.mask=`). Only before it was started.
    pub fn mask(&mut self, id: WorkloadId) {
        if let Some(unit) = self.units.get_mut(id.index()) {
            unit.mask();
            self.quiet = false;
        }
    }

    /// When [`Supervisor::poll`] has something to do though nothing happened.
    pub fn next_deadline(&self, specs: &impl Specs) -> Option<Millis> {
        match self.phase {
            Phase::Booting | Phase::Up | Phase::Rescue | Phase::Ending { .. } => {
                let brake = (self.brake != Brake::Off).then_some(LEAST_UPTIME);
                self.units.iter().take(specs.count()).filter_map(Unit::deadline).chain(brake).min()
            }
            Phase::Ended { .. } => None,
        }
    }

    /// Takes in what has happened. What follows from it comes from `poll`.
    pub fn step(&mut self, specs: &impl Specs, event: Event, now: Millis) {
        self.quiet = false;
        match event {
            Event::Unit(id, event) => self.unit_event(specs, id, event, now),
            Event::MachineReady => match self.phase {
                Phase::Booting => self.phase = Phase::Up,
                Phase::Up | Phase::Rescue | Phase::Ending { .. } | Phase::Ended { .. } => {}
            },
            Event::MachineFailed => self.fail(specs.on_failure(), Because::BootFailed),
            Event::Rescue => self.enter_rescue(Because::Asked),
            Event::Shutdown(end) => self.shut_down(end),
        }
    }

    /// What is to be done next; `None` until something happens or the next
    /// deadline passes.
    #[must_use]
    pub fn poll(&mut self, specs: &impl Specs, now: Millis) -> Option<Action> {
        loop {
            if let Some(action) = self.execute(specs, now) {
                return Some(action);
            }
            let due = || self.next_deadline(specs).is_some_and(|deadline| deadline <= now);
            if self.quiet && !due() {
                return None;
            }
            self.quiet = true;
            self.propagate(specs, now);
        }
    }
}

/// What an event does at once.
impl Supervisor {
    fn unit_event(&mut self, specs: &impl Specs, id: WorkloadId, event: UnitEvent, now: Millis) {
        if self.starts() || !self.is_too_late(event) {
            self.change(specs, id, Deed::React(event), now);
        }
    }

    /// Operators' wishes that a phase in which nothing starts has no ear for: a
    /// shutdown has its order, and a rescue only stops.
    fn is_too_late(&self, event: UnitEvent) -> bool {
        match event {
            UnitEvent::Start | UnitEvent::Restart => true,
            UnitEvent::Stop | UnitEvent::Kill | UnitEvent::Pause | UnitEvent::Resume => {
                self.phase != Phase::Rescue
            }
            UnitEvent::Launched { .. }
            | UnitEvent::LaunchFailed(_)
            | UnitEvent::Executed
            | UnitEvent::SetupFailed(_)
            | UnitEvent::Exited { .. }
            | UnitEvent::GroupEmpty
            | UnitEvent::Deaf
            | UnitEvent::Ready
            | UnitEvent::Alive
            | UnitEvent::Leaving
            | UnitEvent::Probed { .. } => false,
        }
    }

    /// Changes one unit and draws the machine's conclusions.
    #[inline(never)]
    fn change(&mut self, specs: &impl Specs, id: WorkloadId, deed: Deed, now: Millis) {
        let starts = self.starts();
        let (Some(unit), Some(spec)) = (self.units.get_mut(id.index()), specs.spec(id)) else { return };
        unit.entered = false;
        unit.apply(deed, &Context { id, spec: &spec, now, starts });
        let after = unit.state();
        if unit.effect != Effect::Nothing || unit.note != Note::None {
            self.owing.insert(id);
        }
        if !unit.entered {
            return;
        }
        self.quiet = false;
        let (ended, gave_up) = match after {
            State::Done { exit } => (Some(exit.code()), exit.is_failure()),
            State::Failed { code } => (Some(code), true),
            State::Stopped { exit } => {
                // It is no end for good, but if the machine ends with it, this was its status.
                if let Some(exit) = exit
                    && specs.exit_with() == Some(id)
                {
                    self.status = Some(exit.code());
                }
                (None, false)
            }
            State::Waiting
            | State::Masked
            | State::Launching { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Emptying { .. }
            | State::Backoff { .. } => (None, false),
        };
        if ended.is_some() && specs.exit_with() == Some(id) {
            self.status = ended;
            if self.starts() {
                self.begin_end(End::PowerOff, Because::ExitWith(id));
            }
        } else if gave_up && spec.critical {
            self.fail(specs.on_failure(), Because::GaveUp(id));
        }
    }

    fn fail(&mut self, on_failure: OnFailure, because: Because) {
        if !self.starts() {
            return;
        }
        match on_failure {
            OnFailure::Reboot => self.begin_end(End::Reboot, because),
            OnFailure::Halt => self.begin_end(End::Halt, because),
            OnFailure::Rescue => self.enter_rescue(because),
        }
    }

    fn enter_rescue(&mut self, because: Because) {
        if self.starts() {
            self.phase = Phase::Rescue;
            self.note = MachineNote::Rescue { because };
            self.rescue_owed = true;
        }
    }

    fn shut_down(&mut self, wish: End) {
        let wish = self.possible(wish);
        self.brake = Brake::Off;
        match self.phase {
            Phase::Booting | Phase::Up | Phase::Rescue => self.begin_end(wish, Because::Asked),
            Phase::Ending { end, asked } if end == wish => {
                let asked = asked.saturating_add(1);
                self.phase = Phase::Ending { end, asked };
                if asked == IMPATIENT {
                    self.note = MachineNote::Impatient;
                }
            }
            // Impatience stays: what is being killed is not asked nicely again.
            Phase::Ending { asked, .. } => {
                let asked = if asked >= IMPATIENT { asked } else { 1 };
                self.phase = Phase::Ending { end: wish, asked };
                self.note = MachineNote::EndChanged { end: wish };
            }
            Phase::Ended { .. } => {}
        }
    }

    fn possible(&self, wish: End) -> End {
        if self.container { End::Exit } else { wish }
    }

    fn begin_end(&mut self, wish: End, because: Because) {
        let end = self.possible(wish);
        if because.is_failure() {
            if end == End::Reboot {
                self.brake = Brake::On;
            }
            if self.container {
                // Who started the container has only this to tell how it went.
                self.status = self.status.or(Some(1));
            }
        }
        self.phase = Phase::Ending { end, asked: 1 };
        self.note = MachineNote::Ending { end, because };
        self.rescue_owed = false;
    }

    /// May workloads be started in this phase?
    fn starts(&self) -> bool {
        match self.phase {
            Phase::Booting | Phase::Up => true,
            Phase::Rescue | Phase::Ending { .. } | Phase::Ended { .. } => false,
        }
    }
}

/// What is handed out.
impl Supervisor {
    fn execute(&mut self, specs: &impl Specs, now: Millis) -> Option<Action> {
        let last = match self.phase {
            Phase::Ended { end } if self.finish_owed => Some(Action::Finish { end, status: self.status }),
            // Whatever happens after the last action is not ours any more.
            Phase::Ended { .. } => return None,
            Phase::Booting | Phase::Up | Phase::Rescue | Phase::Ending { .. } => None,
        };
        match replace(&mut self.note, MachineNote::None) {
            MachineNote::None => {}
            note => return Some(Action::Report(Report::Machine(note))),
        }
        while let Some(id) = self.owing.first() {
            if let Some(action) = self.execute_unit(specs, id, now) {
                return Some(action);
            }
            self.owing.remove(id);
        }
        if replace(&mut self.rescue_owed, false) {
            return Some(Action::EnterRescue);
        }
        self.finish_owed = false;
        last
    }

    /// The next thing this unit owes.
    fn execute_unit(&mut self, specs: &impl Specs, id: WorkloadId, now: Millis) -> Option<Action> {
        let unit = self.units.get_mut(id.index())?;
        match replace(&mut unit.note, Note::None) {
            Note::None => {}
            note => return Some(Action::Report(Report::Unit(id, note))),
        }
        // What is frozen neither reads a signal nor starts.
        if unit.frozen && !matches!(unit.effect, Effect::Nothing | Effect::Freeze) {
            unit.frozen = false;
            return Some(Action::Freeze { id, frozen: false });
        }
        match replace(&mut unit.effect, Effect::Nothing) {
            Effect::Nothing => None,
            Effect::Freeze => Some(Action::Freeze { id, frozen: true }),
            Effect::Thaw => Some(Action::Freeze { id, frozen: false }),
            Effect::Signal => {
                let spec = specs.spec(id)?;
                let signal = unit.next_signal(&spec)?;
                Some(Action::Signal { id, pid: unit.pid()?, signal })
            }
            Effect::Probe => Some(Action::Probe(id)),
            Effect::Kill => Some(Action::KillGroup(id)),
            Effect::Launch => {
                // Other events may lie between the decision and this moment.
                if !self.may_launch(specs, id) {
                    return None;
                }
                self.units.get_mut(id.index())?.launch(now);
                Some(Action::Launch(id))
            }
        }
    }

    fn may_launch(&self, specs: &impl Specs, id: WorkloadId) -> bool {
        let (Some(unit), Some(spec)) = (self.unit(id), specs.spec(id)) else { return false };
        let phase_allows = match self.phase {
            Phase::Booting => spec.early,
            Phase::Up => true,
            Phase::Rescue | Phase::Ending { .. } | Phase::Ended { .. } => false,
        };
        // A name beyond the config's is nobody to wait for.
        let clear = |before: &WorkloadId| {
            specs.spec(*before).is_none() || self.state(*before).is_none_or(State::lets_others_start)
        };
        phase_allows
            && unit.state() == State::Waiting
            && spec.after.iter().all(clear)
            && spec.needs.iter().all(|needed| self.is_of_use(specs, *needed))
    }

    /// Those that need it may run: it is ready and stays so, or it has done its work.
    fn is_of_use(&self, specs: &impl Specs, id: WorkloadId) -> bool {
        let (Some(unit), Some(spec)) = (self.unit(id), specs.spec(id)) else { return false };
        match unit.state() {
            State::Running { ready, .. } => ready && !unit.is_leaving(),
            State::Done { exit } => spec.ready == Ready::Settled && !exit.is_failure(),
            State::Waiting
            | State::Masked
            | State::Launching { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Emptying { .. }
            | State::Backoff { .. }
            | State::Failed { .. }
            | State::Stopped { .. } => false,
        }
    }
}

/// What a change means to the others.
impl Supervisor {
    fn propagate(&mut self, specs: &impl Specs, now: Millis) {
        self.expire(specs, now);
        match self.phase {
            Phase::Booting | Phase::Up => {
                self.stop_what_leaves(specs, now);
                self.start_what_may(specs, now);
            }
            Phase::Rescue => self.stop_what_leaves(specs, now),
            Phase::Ended { .. } => {}
            Phase::Ending { end, asked } => {
                self.stop_what_may(specs, asked >= IMPATIENT, now);
                if now >= LEAST_UPTIME {
                    self.brake = Brake::Off;
                }
                if self.live(specs).any(|_| true) {
                    return;
                }
                match self.brake {
                    Brake::Off => {
                        self.phase = Phase::Ended { end };
                        self.finish_owed = true;
                    }
                    Brake::On => {
                        self.brake = Brake::Said;
                        self.note = MachineNote::Braked { left: LEAST_UPTIME.saturating_sub(now) as u32 };
                    }
                    Brake::Said => {}
                }
            }
        }
    }

    fn expire(&mut self, specs: &impl Specs, now: Millis) {
        for id in first(specs.count()) {
            if self.unit(id).and_then(Unit::deadline).is_some_and(|deadline| deadline <= now) {
                self.change(specs, id, Deed::Expire, now);
            }
        }
    }

    fn start_what_may(&mut self, specs: &impl Specs, now: Millis) {
        for id in first(specs.count()) {
            if self.may_launch(specs, id) {
                self.change(specs, id, Deed::Launch, now);
            }
        }
    }

    /// What is to go, or has lost what it needs, goes when nobody who needs it is up.
    fn stop_what_leaves(&mut self, specs: &impl Specs, now: Millis) {
        let mut needed = Ids::EMPTY;
        for id in first(specs.count()) {
            let Some(spec) = specs.spec(id) else { continue };
            if !spec.needs.iter().all(|needed| self.is_of_use(specs, *needed)) {
                self.change(specs, id, Deed::Orphan, now);
            }
            if self.state(id).is_some_and(State::is_live) {
                for id in spec.needs {
                    needed.insert(*id);
                }
            }
        }
        for id in first(specs.count()) {
            if self.unit(id).is_some_and(Unit::is_leaving) && !needed.contains(id) {
                self.change(specs, id, Deed::Leave, now);
            }
        }
    }

    fn stop_what_may(&mut self, specs: &impl Specs, impatient: bool, now: Millis) {
        for id in first(specs.count()) {
            self.change(specs, id, Deed::CancelStart, now);
        }
        let held = self.held(specs);
        for id in first(specs.count()) {
            if impatient {
                self.change(specs, id, Deed::ForceDown, now);
            } else if !held.contains(id) {
                self.change(specs, id, Deed::OrderDown, now);
            }
        }
    }

    /// The units that must not be stopped yet, because others started after them.
    fn held(&self, specs: &impl Specs) -> Ids {
        let mut held = Ids::EMPTY;
        for id in self.live(specs) {
            for before in specs.spec(id).map_or(&[][..], |spec| spec.after) {
                held.insert(*before);
            }
        }
        // Units that hold each other in a circle: the config refuses that, and
        // even so it must not hold up the end.
        let ends = |id| !held.contains(id) || self.state(id).is_some_and(State::is_ending);
        if self.live(specs).any(ends) { held } else { Ids::EMPTY }
    }

    fn live(&self, specs: &impl Specs) -> impl Iterator<Item = WorkloadId> {
        first(specs.count()).filter(|id| self.state(*id).is_some_and(State::is_live))
    }
}

/// `count` workloads, but no more than there is room for.
fn first(count: usize) -> impl Iterator<Item = WorkloadId> {
    (0..count.min(limits::WORKLOADS) as u16).map(WorkloadId)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
