//! A simulated kernel with its own opinion of every rule.
//!
//! [`World`] owns the processes that the supervisor starts. They set up, run,
//! crash, ignore signals, leave children behind and get stuck as a random
//! [`Behaviour`] says; time is simulated, and jumps to the next thing that
//! happens. The world keeps its own books (when was this killed, when may that
//! start, what is settled), written from the rules and not from the
//! supervisor's states, and checks each action against them.

use super::tests::TestSpecs;
use super::*;
use crate::config::{Ready, Restart};
use std::collections::BTreeMap;
use std::vec::Vec;

/// What becomes of one launch. Times are in milliseconds after what leads to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behaviour {
    pub launch: Result<(), Unable>,
    pub setup: Setup,
    /// How long it runs, and how it ends; `None`: for ever.
    pub runs: Option<(Millis, Exit)>,
    pub on_signal: OnSignal,
    /// How long the kernel takes to end it; `None`: it is stuck.
    pub dies_in: Option<Millis>,
    /// The main process leaves others, which end so long after they are killed.
    pub leaves: Option<Option<Millis>>,
    /// When it says that it is ready; `None`: never.
    pub ready_in: Option<Millis>,
    /// When it stops giving signs of life.
    pub hangs_in: Option<Millis>,
    /// How long the answer to a probe takes.
    pub answers_in: Millis,
    /// When it says that it is about to end.
    pub leaves_in: Option<Millis>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Setup {
    Executes(Millis),
    Hangs,
    Dies(Millis, Exit),
    /// After the report it exits so much later, or never.
    Fails(Millis, Unable, Option<Millis>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum OnSignal {
    Ends(Millis, Exit),
    Ignores,
    Deaf,
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Told(Event),
    Executes(u32),
    SetupFails(u32, Unable),
    Dies(u32, Exit),
    OthersGone(u32),
    Readies(u32),
    Pings(u32),
    Answers(u32),
    Leaves(u32),
}

#[derive(Clone, Copy)]
struct Main {
    pid: u32,
    launched: Millis,
    executed: Option<Millis>,
    setup_failed: Option<(Millis, Unable)>,
    signalled: Option<Millis>,
    /// Stop signals it was sent.
    sent: u8,
    deaf: bool,
    ready: bool,
    /// When it must be ready, or has to give a sign of life.
    due: Option<Millis>,
    /// It is stopped since then, because it is not well.
    unwell: Option<Millis>,
    /// It has said that it is about to end.
    left: Option<Millis>,
    /// Probes without a good answer, and when the last one was sent.
    misses: u32,
    asked: Option<Millis>,
    /// The supervisor was told, or has decided, to bring it down.
    ordered: bool,
    /// An operator wants it killed.
    slain: Option<Millis>,
    /// An operator wants it to stand still.
    pausing: bool,
    behaviour: Behaviour,
}

impl Main {
    fn runs(&self) -> bool {
        self.executed.is_some() && !self.ordered && self.is_left_alone()
    }

    fn is_left_alone(&self) -> bool {
        self.slain.or(self.unwell).or(self.left).is_none()
    }

    /// How long it ran before something was decided about it.
    fn ran(&self, now: Millis) -> Millis {
        let until = [self.slain, self.unwell, self.left].into_iter().flatten().min();
        self.executed.map_or(0, |since| until.unwrap_or(now) - since)
    }
}

/// What is to be done when the last process is gone.
#[derive(Clone, Copy)]
enum How {
    Order(Exit),
    Exit(Exit, Millis),
    Unwell(Exit, Millis),
    Unable(Unable),
}

/// The world's books on one workload.
#[derive(Clone, Copy)]
struct Slot {
    main: Option<Main>,
    /// Processes the main process left: (its pid, how it ended, when they die).
    others: Option<(u32, How, Option<Millis>)>,
    killed: Option<Millis>,
    frozen: bool,
    masked: bool,
    wanted: bool,
    /// It has ended and stays so.
    settled: bool,
    /// It has ended by itself, well, and stays so.
    done: bool,
    /// Restarts since then.
    window: (Millis, u32),
    streak: u32,
    earliest: Millis,
    latest: Millis,
}

pub(super) struct World {
    pub specs: TestSpecs,
    behaviours: Vec<Behaviour>,
    supervisor: Box<Supervisor>,
    slots: Vec<Slot>,
    queue: BTreeMap<(Millis, u32), Happening>,
    sequence: u32,
    now: Millis,
    /// The phase as it should be.
    phase: Phase,
    ends_by: Millis,
    status: Option<u8>,
    rescue_due: bool,
    pub launches: usize,
    /// What the supervisor was told, and the deadlines that have passed.
    pub happened: usize,
}

impl World {
    pub fn new(specs: TestSpecs, masked: &[bool], behaviours: Vec<Behaviour>) -> World {
        let mut supervisor = Box::new(Supervisor::EMPTY);
        let slot = |(index, masked): (usize, &bool)| {
            if *masked {
                supervisor.mask(WorkloadId(index as u16));
            }
            Slot {
                main: None,
                others: None,
                killed: None,
                frozen: false,
                masked: *masked,
                wanted: true,
                settled: *masked,
                done: false,
                window: (0, 0),
                streak: 0,
                earliest: 0,
                latest: 0,
            }
        };
        let slots = masked.iter().enumerate().map(slot).collect();
        World {
            specs,
            behaviours,
            supervisor,
            slots,
            queue: BTreeMap::new(),
            sequence: 0,
            now: 0,
            phase: Phase::Booting,
            ends_by: Millis::MAX,
            status: None,
            rescue_due: false,
            launches: 0,
            happened: 0,
        }
    }

    pub fn schedule(&mut self, at: Millis, event: Event) {
        self.later(at, Happening::Told(event));
    }

    fn later(&mut self, delay: Millis, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), happening);
    }

    /// Lives until the supervisor says that everything is over.
    pub fn run(&mut self) {
        loop {
            self.drain();
            if matches!(self.phase, Phase::Ended { .. }) {
                return self.nothing_comes_after_the_end();
            }
            let deadline = self.supervisor.next_deadline(&self.specs);
            assert!(deadline.is_none_or(|deadline| deadline > self.now), "a deadline in the past");
            let next = self.queue.keys().next().map(|key| key.0);
            let next = [deadline, next].into_iter().flatten().min();
            self.happened += usize::from(next == deadline);
            self.now = next.expect("a machine that is to end waits for nothing at all");
            assert!(self.now <= self.ends_by, "the shutdown takes too long");
            while let Some(entry) = self.queue.first_entry()
                && entry.key().0 <= self.now
                && !matches!(self.phase, Phase::Ended { .. })
            {
                let happening = entry.remove();
                self.happens(happening);
                self.drain();
            }
        }
    }

    fn step(&mut self, id: WorkloadId, event: UnitEvent) {
        self.tell(Event::Unit(id, event));
    }

    fn tell(&mut self, event: Event) {
        self.happened += 1;
        self.supervisor.step(&self.specs, event, self.now);
    }

    fn drain(&mut self) {
        let mut count = 0;
        self.orders();
        while let Some(action) = self.supervisor.poll(&self.specs, self.now) {
            self.act(action);
            self.orders();
            count += 1;
            assert!(count <= 16 * (1 + self.slots.len()), "poll goes round in circles: {action:?}");
        }
        self.books_agree();
    }

    fn owner(&self, pid: u32) -> Option<WorkloadId> {
        let owns = |slot: &Slot| slot.main.is_some_and(|main| main.pid == pid);
        self.slots.iter().position(owns).map(|index| WorkloadId(index as u16))
    }

    fn is_frozen(&self, pid: u32) -> bool {
        self.owner(pid).is_some_and(|id| self.slots[id.index()].frozen)
    }

    fn slot(&mut self, id: WorkloadId) -> &mut Slot {
        &mut self.slots[id.index()]
    }

    fn starts(&self) -> bool {
        matches!(self.phase, Phase::Booting | Phase::Up)
    }

    fn impatient(&self) -> bool {
        matches!(self.phase, Phase::Ending { asked: 3.., .. })
    }
}

/// The kernel and the people.
impl World {
    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Told(event) => {
                self.told(event);
                self.tell(event);
            }
            Happening::Executes(pid) => {
                let (Some(id), now) = (self.owner(pid), self.now) else { return };
                // A report that was on its way when it was killed: nothing follows from it.
                if self.slots[id.index()].killed.is_some() {
                    return self.step(id, UnitEvent::Executed);
                }
                let main = self.slot(id).main.as_mut().unwrap();
                main.executed = Some(now);
                let behaviour = main.behaviour;
                if let Some((ran, exit)) = behaviour.runs {
                    self.later(ran, Happening::Dies(pid, exit));
                }
                if let Some(delay) = behaviour.leaves_in {
                    self.later(delay, Happening::Leaves(pid));
                }
                match (self.specs.units[id.index()].ready, behaviour.ready_in) {
                    (Ready::Started, _) => self.slot(id).main.as_mut().unwrap().ready = true,
                    (Ready::Notify | Ready::Descriptor(_), Some(delay)) => {
                        self.later(delay, Happening::Readies(pid));
                    }
                    (Ready::Notify | Ready::Descriptor(_), None) | (Ready::Settled | Ready::Probe, _) => {}
                }
                self.set_due(id);
                self.ping_later(id, pid);
                self.step(id, UnitEvent::Executed);
            }
            Happening::Readies(pid) => {
                let Some(id) = self.owner(pid) else { return };
                self.becomes_ready(id);
                self.step(id, UnitEvent::Ready);
            }
            Happening::Pings(pid) => {
                let Some(id) = self.owner(pid) else { return };
                if self.is_hung(id) {
                    return;
                }
                if !self.slots[id.index()].frozen {
                    if self.slots[id.index()].main.unwrap().ready {
                        self.set_due(id);
                    }
                    self.step(id, UnitEvent::Alive);
                }
                self.ping_later(id, pid);
            }
            Happening::Answers(pid) => {
                let Some(id) = self.owner(pid) else { return };
                let fine =
                    !self.is_hung(id) && self.slots[id.index()].main.unwrap().behaviour.ready_in.is_some();
                let main = self.slot(id).main.as_mut().unwrap();
                // An answer that comes too late, or to nobody, is none.
                if main.asked.is_none() || !main.runs() {
                    return;
                }
                main.asked = None;
                main.misses += u32::from(main.ready);
                if fine {
                    main.misses = 0;
                    self.becomes_ready(id);
                }
                self.step(id, UnitEvent::Probed { fine });
            }
            Happening::Leaves(pid) => {
                let Some(id) = self.owner(pid) else { return };
                let now = self.now;
                let main = self.slot(id).main.as_mut().unwrap();
                if main.executed.is_some() && main.is_left_alone() && main.signalled.is_none() {
                    main.left = Some(now);
                }
                self.step(id, UnitEvent::Leaving);
            }
            Happening::SetupFails(pid, unable) => {
                let (Some(id), now) = (self.owner(pid), self.now) else { return };
                if self.slots[id.index()].killed.is_none() {
                    self.slot(id).main.as_mut().unwrap().setup_failed = Some((now, unable));
                }
                self.step(id, UnitEvent::SetupFailed(unable));
            }
            // What stands still does not end, unless it is killed.
            Happening::Dies(pid, exit) if self.is_frozen(pid) && exit != Exit::Signal(9) => {
                self.later(500, Happening::Dies(pid, exit));
            }
            Happening::Dies(pid, exit) => self.dies(pid, exit),
            Happening::OthersGone(pid) => {
                let left = |slot: &Slot| slot.others.is_some_and(|(of, ..)| of == pid);
                let Some(index) = self.slots.iter().position(left) else { return };
                let (_, how, _) = self.slots[index].others.take().unwrap();
                let id = WorkloadId(index as u16);
                self.settle(id, how);
                self.step(id, UnitEvent::GroupEmpty);
            }
        }
    }

    fn is_hung(&self, id: WorkloadId) -> bool {
        let main = self.slots[id.index()].main.unwrap();
        let hangs = main.executed.zip(main.behaviour.hangs_in);
        hangs.is_some_and(|(since, hangs_in)| since + hangs_in <= self.now)
    }

    fn becomes_ready(&mut self, id: WorkloadId) {
        if let Some(main) = &mut self.slot(id).main
            && main.executed.is_some()
            && main.is_left_alone()
            && main.signalled.is_none()
            && !main.ready
        {
            main.ready = true;
            self.set_due(id);
        }
    }

    /// Its clock starts anew.
    fn set_due(&mut self, id: WorkloadId) {
        let (now, spec) = (self.now, &self.specs.units[id.index()]);
        let (start, watchdog) = (u64::from(spec.start_timeout), u64::from(spec.watchdog));
        let Some(main) = &mut self.slots[id.index()].main else { return };
        let time = if main.ready { watchdog } else { start };
        main.due = (time != 0).then_some(now + time);
    }

    fn ping_later(&mut self, id: WorkloadId, pid: u32) {
        let watchdog = u64::from(self.specs.units[id.index()].watchdog);
        if watchdog != 0 {
            self.later(watchdog / 2, Happening::Pings(pid));
        }
    }

    fn dies(&mut self, pid: u32, exit: Exit) {
        let (Some(id), now) = (self.owner(pid), self.now) else { return };
        let main = self.slot(id).main.take().unwrap();
        let how = match (main.ordered, main.setup_failed) {
            (_, Some((_, unable))) => How::Unable(unable),
            (true, None) => How::Order(exit),
            (false, None) if main.unwell.is_some() => How::Unwell(exit, main.ran(now)),
            (false, None)
                if main.executed.is_none()
                    && main.slain.is_none()
                    && now >= main.launched + START_PATIENCE =>
            {
                How::Unable(Unable::ForNow)
            }
            (false, None) => How::Exit(exit, main.ran(now)),
        };
        let others = main.behaviour.leaves.filter(|_| main.executed.is_some());
        match others {
            Some(die_in) => self.slot(id).others = Some((pid, how, die_in)),
            None => self.settle(id, how),
        }
        self.step(id, UnitEvent::Exited { exit, others: others.is_some() });
    }

    /// What people want, in the world's own words.
    fn told(&mut self, event: Event) {
        match event {
            Event::MachineReady if self.phase == Phase::Booting => self.phase = Phase::Up,
            Event::MachineReady => {}
            Event::MachineFailed => self.fails(),
            Event::Rescue => self.rescue(),
            Event::Shutdown(wish) => match self.phase {
                Phase::Ending { end, asked } if end == wish => {
                    self.phase = Phase::Ending { end, asked: asked + 1 };
                }
                Phase::Ending { asked, .. } => {
                    self.phase = Phase::Ending { end: wish, asked: if asked >= 3 { asked } else { 1 } };
                }
                _ => self.ends(wish),
            },
            Event::Unit(id, wish) if id.index() < self.slots.len() => self.wished(id, wish),
            Event::Unit(..) => {}
        }
    }

    fn wished(&mut self, id: WorkloadId, wish: UnitEvent) {
        let (starts, now) = (self.starts(), self.now);
        let rescue = self.phase == Phase::Rescue;
        let slot = self.slot(id);
        let idle = slot.main.is_none() && slot.others.is_none();
        if slot.masked {
            return;
        }
        match wish {
            UnitEvent::Stop if starts || rescue => {
                slot.wanted = false;
                slot.settled |= idle;
                if let Some(main) = &mut slot.main {
                    main.ordered = true;
                }
            }
            UnitEvent::Kill if starts || rescue => {
                if let Some(main) = &mut slot.main {
                    main.slain = main.slain.or(Some(now));
                }
            }
            UnitEvent::Pause | UnitEvent::Resume if starts || rescue => {
                if let Some(main) = &mut slot.main
                    && main.runs()
                {
                    let resumed = main.pausing && wish == UnitEvent::Resume;
                    main.pausing = wish == UnitEvent::Pause;
                    if resumed {
                        (main.asked, main.misses) = (None, 0);
                        self.set_due(id);
                    }
                }
            }
            UnitEvent::Start | UnitEvent::Restart if starts => {
                slot.wanted = true;
                if idle {
                    slot.settled = false;
                    slot.done = false;
                    slot.streak = 0;
                    slot.window.1 = 0;
                    (slot.earliest, slot.latest) = (now, now);
                }
                if let Some(main) = &mut slot.main
                    && main.executed.is_some()
                    && main.is_left_alone()
                    && main.signalled.is_none()
                {
                    // It had not been asked to go yet, even if it was to.
                    main.ordered = wish == UnitEvent::Restart;
                    if main.ordered {
                        slot.streak = 0;
                        slot.window.1 = 0;
                    }
                }
            }
            _ => {}
        }
    }

    fn fails(&mut self) {
        if self.starts() {
            match self.specs.on_failure {
                OnFailure::Reboot => self.ends(End::Reboot),
                OnFailure::Halt => self.ends(End::Halt),
                OnFailure::Rescue => self.rescue(),
            }
        }
    }

    fn rescue(&mut self) {
        if self.starts() {
            self.phase = Phase::Rescue;
            self.rescue_due = true;
        }
    }

    fn ends(&mut self, end: End) {
        self.phase = Phase::Ending { end, asked: 1 };
        self.rescue_due = false;
        // The longest chain. `after` has no circles here, so as many rounds as units do.
        let mut chain = vec![0; self.slots.len()];
        for _ in &self.slots {
            for (index, unit) in self.specs.units.iter().enumerate() {
                // Twice: what is not well may have been asked just before its turn.
                let own = 2 * u64::from(unit.stop.timeout).max(KILL_PATIENCE) + 2 * KILL_PATIENCE;
                let below = unit.after.iter().filter_map(|id| chain.get(id.index())).max();
                chain[index] = own + below.copied().unwrap_or(0);
            }
        }
        // A failure's reboot may have to wait for its time.
        self.ends_by = (self.now + chain.into_iter().max().unwrap_or(0)).max(LEAST_UPTIME);
    }

    /// The last process of a workload is gone.
    fn settle(&mut self, id: WorkloadId, how: How) {
        let (now, starts) = (self.now, self.starts());
        let (backoff, policy, critical) = {
            let spec = &self.specs.units[id.index()];
            (spec.backoff, spec.restart, spec.critical)
        };
        let slot = self.slot(id);
        let again = starts && slot.wanted;
        let burst = backoff.burst;
        // Whether it is started again after all.
        let delay = |slot: &mut Slot| {
            if slot.window.1 == 0 || slot.window.0 + u64::from(backoff.within) < now {
                slot.window = (now, 0);
            }
            slot.window.1 += 1;
            if burst != 0 && slot.window.1 > burst {
                slot.settled = true;
                return false;
            }
            let most = u64::from(backoff.most.max(LEAST_DELAY));
            let doubled = u64::from(backoff.first).saturating_mul(2u64.saturating_pow(slot.streak));
            slot.streak += 1;
            slot.earliest = now + doubled.clamp(u64::from(LEAST_DELAY), most);
            slot.latest = slot.earliest + u64::from(backoff.jitter);
            true
        };
        let mut gave_up = None;
        match how {
            How::Order(_) if again => (slot.earliest, slot.latest) = (now, now),
            How::Order(_) => slot.settled = true,
            How::Exit(exit, ran) => {
                let restarts = match policy {
                    Restart::Never => false,
                    Restart::OnFailure => exit.is_failure(),
                    Restart::Always => true,
                };
                if again && restarts {
                    if ran >= u64::from(backoff.reset) {
                        slot.streak = 0;
                    }
                    if !delay(slot) {
                        gave_up = Some((exit.code().max(1), true));
                    }
                } else {
                    slot.settled = true;
                    slot.done = !exit.is_failure();
                    gave_up = Some((exit.code(), exit.is_failure()));
                }
            }
            How::Unwell(exit, ran) if again => {
                if ran >= u64::from(backoff.reset) && policy != Restart::Never {
                    slot.streak = 0;
                }
                slot.settled = policy == Restart::Never;
                if slot.settled || !delay(slot) {
                    gave_up = Some((exit.code().max(1), true));
                }
            }
            How::Unwell(..) => slot.settled = true,
            How::Unable(Unable::ForNow) if again => {
                if !delay(slot) {
                    gave_up = Some((126, true));
                }
            }
            How::Unable(Unable::ForNow) => slot.settled = true,
            How::Unable(Unable::ForGood { code }) => {
                slot.settled = true;
                gave_up = Some((code, true));
            }
        }
        if self.specs.exit_with == Some(id) {
            match (how, gave_up) {
                (_, Some((code, _))) => {
                    self.status = Some(code);
                    if starts {
                        self.ends(End::PowerOff);
                    }
                }
                (How::Order(exit) | How::Unwell(exit, _), None) if !again => self.status = Some(exit.code()),
                _ => {}
            }
        } else if critical && gave_up.is_some_and(|(_, failure)| failure) {
            self.fails();
        }
    }
}

/// The rules.
impl World {
    fn act(&mut self, action: Action) {
        match action {
            Action::Launch(id) => self.launch(id),
            Action::Signal { id, pid, signal } => self.signal(id, pid, signal),
            Action::KillGroup(id) => self.kill(id),
            Action::Freeze { id, frozen } => {
                let slot = self.slot(id);
                assert_ne!(slot.frozen, frozen, "{id:?} is frozen or thawed twice");
                assert!(!frozen || slot.main.is_some_and(|main| main.executed.is_some() && main.pausing));
                slot.frozen = frozen;
            }
            Action::Probe(id) => self.probe(id),
            Action::Report(_) => {}
            Action::EnterRescue => {
                assert!(self.rescue_due, "rescue without a reason");
                self.rescue_due = false;
            }
            Action::Finish { end, status } => {
                let Phase::Ending { end: wanted, .. } = self.phase else { panic!("an end nobody wants") };
                assert_eq!((end, status), (wanted, self.status));
                for (index, slot) in self.slots.iter().enumerate() {
                    let alive = slot.main.is_some() || slot.others.is_some();
                    assert!(!alive || self.given_up(slot), "{index} is lost");
                }
                self.phase = Phase::Ended { end };
            }
        }
    }

    /// Killed long enough ago.
    fn given_up(&self, slot: &Slot) -> bool {
        slot.killed.is_some_and(|at| at + KILL_PATIENCE <= self.now)
    }

    fn may_start(&self, id: WorkloadId) -> Result<(), &'static str> {
        let (slot, spec) = (&self.slots[id.index()], &self.specs.units[id.index()]);
        // One that is to go, but waits for others, is still there for those that do not need it.
        let ready = |before: &WorkloadId| {
            let before = &self.slots[before.index()];
            let there = |main: Main| main.ready && main.is_left_alone() && main.signalled.is_none();
            before.settled || before.main.is_some_and(there)
        };
        if slot.main.is_some() || slot.others.is_some() {
            Err("it has processes already")
        } else if slot.settled {
            Err("it is to stay down")
        } else if slot.earliest > self.now {
            Err("it is too early")
        } else if !(self.phase == Phase::Up || self.phase == Phase::Booting && spec.early) {
            Err("nothing starts in this phase")
        } else if !spec.after.iter().all(ready) {
            Err("it is before its dependencies")
        } else if self.lacks(id) {
            Err("what it needs is down")
        } else {
            Ok(())
        }
    }

    fn launch(&mut self, id: WorkloadId) {
        assert_eq!(self.may_start(id), Ok(()), "{id:?} is started");
        let behaviour = self.behaviours[self.launches % self.behaviours.len()];
        self.launches += 1;
        self.slot(id).killed = None;
        assert!(!self.slot(id).frozen, "{id:?} is started in a frozen cgroup");
        if let Err(unable) = behaviour.launch {
            self.settle(id, How::Unable(unable));
            return self.step(id, UnitEvent::LaunchFailed(unable));
        }
        let pid = 1000 + self.launches as u32;
        let main = Main {
            pid,
            launched: self.now,
            executed: None,
            setup_failed: None,
            signalled: None,
            sent: 0,
            deaf: false,
            ready: false,
            due: None,
            unwell: None,
            left: None,
            misses: 0,
            asked: None,
            ordered: false,
            slain: None,
            pausing: false,
            behaviour,
        };
        self.slot(id).main = Some(main);
        self.step(id, UnitEvent::Launched { pid });
        match behaviour.setup {
            Setup::Executes(delay) => self.later(delay, Happening::Executes(pid)),
            Setup::Hangs => {}
            Setup::Dies(delay, exit) => self.later(delay, Happening::Dies(pid, exit)),
            Setup::Fails(delay, unable, exits) => {
                self.later(delay, Happening::SetupFails(pid, unable));
                if let Some(more) = exits {
                    self.later(delay + more, Happening::Dies(pid, Exit::Status(1)));
                }
            }
        }
    }

    /// In a shutdown, what started after this one must be down first.
    fn assert_order(&self, id: WorkloadId) {
        for (index, unit) in self.specs.units.iter().enumerate() {
            let slot = &self.slots[index];
            let alive = slot.main.is_some() || slot.others.is_some();
            let holds = unit.after.contains(&id) && alive && !self.given_up(slot);
            assert!(!holds, "{id:?} is stopped before {index}, which started after it");
        }
    }

    /// Does it miss something it needs?
    fn lacks(&self, id: WorkloadId) -> bool {
        let fit = |needed: &WorkloadId| {
            let slot = &self.slots[needed.index()];
            let done = slot.settled && slot.done && self.specs.units[needed.index()].ready == Ready::Settled;
            let well = |main: &Main| slot.frozen || !self.is_silent(main) && !self.is_unwell(*needed);
            done || slot.main.is_some_and(|main| main.ready && main.runs() && well(&main))
        };
        !self.specs.units[id.index()].needs.iter().all(fit)
    }

    /// What lacks something it needs is as good as ordered to stop.
    fn orders(&mut self) {
        if !self.starts() && self.phase != Phase::Rescue {
            return;
        }
        // Until nothing follows from it any more.
        let mut before = usize::MAX;
        loop {
            let mut ordered = 0;
            for index in 0..self.slots.len() {
                let lacks = self.lacks(WorkloadId(index as u16));
                if let Some(main) = &mut self.slots[index].main {
                    main.ordered |= lacks && main.setup_failed.is_none() && main.is_left_alone();
                    ordered += usize::from(main.ordered);
                }
            }
            if ordered == before {
                return;
            }
            before = ordered;
        }
    }

    /// Somebody who needs it is still there.
    fn is_needed(&self, id: WorkloadId) -> bool {
        self.specs.units.iter().zip(&self.slots).any(|(unit, slot)| {
            let alive = slot.main.is_some() || slot.others.is_some();
            unit.needs.contains(&id) && alive && !self.given_up(slot)
        })
    }

    fn probe(&mut self, id: WorkloadId) {
        let (now, spec) = (self.now, &self.specs.units[id.index()]);
        assert_eq!(spec.ready, Ready::Probe);
        let main = self.slots[id.index()].main.as_mut().expect("a probe of nobody");
        assert!(main.executed.is_some() && !self.slots[id.index()].frozen);
        let main = self.slots[id.index()].main.as_mut().unwrap();
        assert!(main.asked.is_none_or(|asked| asked + u64::from(spec.probe.timeout) <= now), "asked twice");
        main.misses += u32::from(main.ready && main.asked.is_some());
        main.asked = Some(now);
        let (pid, delay) = (main.pid, main.behaviour.answers_in);
        if delay < u64::from(spec.probe.timeout) {
            self.later(delay, Happening::Answers(pid));
        }
    }

    fn signal(&mut self, id: WorkloadId, pid: u32, signal: u8) {
        let now = self.now;
        let ending = matches!(self.phase, Phase::Ending { .. });
        let spec = &self.specs.units[id.index()];
        let main = self.slots[id.index()].main.expect("a signal to nobody");
        assert_eq!(main.pid, pid);
        assert_eq!(Some(signal), spec.stop.signal(main.sent));
        assert!(main.executed.is_some() && main.slain.is_none() && main.left.is_none());
        assert!(!self.slots[id.index()].frozen, "a signal to what stands still");
        if let Some(at) = main.signalled {
            assert!(main.deaf || at + u64::from(spec.stop.patience()) <= now, "the next signal is too early");
        } else if main.ordered && !ending {
            assert!(!self.is_needed(id), "{id:?} is stopped, and others need it");
        } else if !main.ordered && self.is_unwell(id) {
            self.slot(id).main.as_mut().unwrap().unwell = Some(now);
        } else {
            assert!(ending, "a signal nobody wants");
            self.assert_order(id);
        }
        let main = self.slot(id).main.as_mut().unwrap();
        main.ordered |= main.unwell.is_none();
        (main.deaf, main.signalled, main.sent) = (false, Some(now), main.sent + 1);
        match main.behaviour.on_signal {
            OnSignal::Ends(delay, exit) => self.later(delay, Happening::Dies(pid, exit)),
            OnSignal::Ignores => {}
            OnSignal::Deaf => {
                main.deaf = true;
                self.step(id, UnitEvent::Deaf);
            }
        }
    }

    /// It has had its time to become ready, or has missed its probes.
    fn is_unwell(&self, id: WorkloadId) -> bool {
        let (slot, spec) = (&self.slots[id.index()], &self.specs.units[id.index()]);
        let Some(main) = slot.main.filter(|_| !slot.frozen) else { return false };
        let unready = !main.ready && main.due.is_some_and(|due| due <= self.now);
        unready || {
            let late = main.asked.is_some_and(|asked| asked + u64::from(spec.probe.timeout) <= self.now);
            spec.ready == Ready::Probe && main.ready && main.misses + u32::from(late) >= spec.probe.threshold
        }
    }

    /// It runs, and has not given a sign of life for too long.
    fn is_silent(&self, main: &Main) -> bool {
        main.executed.is_some() && main.ready && main.due.is_some_and(|due| due <= self.now)
    }

    fn kill(&mut self, id: WorkloadId) {
        let now = self.now;
        let stop = self.specs.units[id.index()].stop;
        let timeout = u64::from(stop.patience());
        let ending = matches!(self.phase, Phase::Ending { .. });
        let slot = self.slots[id.index()];
        assert!(slot.main.is_some() || slot.others.is_some(), "a kill of nobody");
        if let Some(main) = slot.main {
            let asked_all = stop.signal(main.sent).is_none() || main.left.is_some();
            let asked = main.signalled.or(main.left);
            let slow_stop = asked_all && (main.deaf || asked.is_some_and(|at| at + timeout <= now));
            let silent = main.runs() && !slot.frozen && self.is_silent(&main);
            let slow_start = main.executed.is_none() && main.launched + START_PATIENCE <= now;
            let slow_failure = main.setup_failed.is_some_and(|(at, _)| at + KILL_PATIENCE <= now);
            let unborn = main.executed.is_none() && main.setup_failed.is_none();
            if !(main.slain.is_some()
                || silent
                || slow_stop
                || slow_start
                || slow_failure
                || self.impatient()
                || main.ordered && unborn)
            {
                assert!(ending && unborn, "{id:?} is killed without a reason");
                self.assert_order(id);
            }
            let main = self.slot(id).main.as_mut().unwrap();
            if silent {
                main.unwell = Some(now);
            }
            main.ordered |= main.setup_failed.is_none() && !slow_start && main.is_left_alone();
            let (pid, dies_in) = (main.pid, main.behaviour.dies_in);
            if let Some(delay) = dies_in {
                self.later(delay, Happening::Dies(pid, Exit::Signal(9)));
            }
        }
        if let Some((pid, _, Some(delay))) = slot.others {
            self.later(delay, Happening::OthersGone(pid));
        }
        if !self.given_up(&slot) {
            self.slot(id).killed = Some(now);
        }
    }

    /// With nothing more to do, nothing may be left undone.
    fn books_agree(&self) {
        if matches!(self.phase, Phase::Ended { .. }) {
            return;
        }
        let supposed = self.supervisor.phase();
        assert_eq!(core::mem::discriminant(&supposed), core::mem::discriminant(&self.phase), "{supposed:?}");
        assert!(!self.rescue_due, "the rescue was forgotten");
        for (index, slot) in self.slots.iter().enumerate() {
            let id = WorkloadId(index as u16);
            let due = slot.latest <= self.now;
            assert!(!due || self.may_start(id) != Ok(()), "{id:?} is forgotten");
            let unit = self.supervisor.unit(id).unwrap();
            assert_eq!(unit.pid(), slot.main.map(|main| main.pid), "{id:?} {unit:?}");
            let Some(main) = slot.main else { continue };
            assert_eq!(self.supervisor.owner(main.pid), Some(id));
            let stop = self.specs.units[index].stop;
            let timeout = u64::from(stop.patience());
            let asked_all = stop.signal(main.sent).is_none() || main.left.is_some();
            let asked = main.signalled.or(main.left);
            let overdue = asked_all && (main.deaf || asked.is_some_and(|at| at + timeout <= self.now))
                || main.runs() && !slot.frozen && self.is_silent(&main)
                || main.executed.is_none() && main.launched + START_PATIENCE <= self.now
                || main.setup_failed.is_some_and(|(at, _)| at + KILL_PATIENCE <= self.now)
                || main.slain.is_some()
                || self.impatient();
            let held = self.is_needed(id);
            let to_go = main.ordered && main.executed.is_some() && main.signalled.is_none();
            let to_go = to_go && main.is_left_alone() && slot.killed.is_none() && main.setup_failed.is_none();
            let ending = matches!(self.phase, Phase::Ending { .. });
            assert!(!to_go || held || ending, "{id:?} should have been asked to stop");
            let late = !main.ready && main.due.is_some_and(|due| due <= self.now);
            assert!(!main.runs() || slot.frozen || !late, "{id:?} is not ready, and nobody minds");
            assert!(!main.runs() || slot.frozen == main.pausing, "{id:?} stands still, or should");
            assert!(!overdue || slot.killed.is_some(), "{id:?} should have been killed by now");
        }
    }

    fn nothing_comes_after_the_end(&mut self) {
        self.now += 1_000_000;
        for event in [Event::MachineReady, Event::Rescue, Event::Shutdown(End::Halt)] {
            self.supervisor.step(&self.specs, event, self.now);
            assert_eq!(self.supervisor.poll(&self.specs, self.now), None);
        }
        assert_eq!(self.supervisor.next_deadline(&self.specs), None);
    }
}
