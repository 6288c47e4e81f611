//! Random machines with random histories, held against the rules.
//!
//! `every_history_keeps_the_rules` lets a [`World`] live through causally valid
//! histories; the rules are in `world.rs`. `garbage_does_no_harm` says anything
//! at all to the supervisor, in any order, with time running back and forth,
//! circles in the graph and no action answered: it must not panic, and must
//! still come to an end when time passes.
//!
//! `PROPTEST_CASES=100000 cargo test --lib supervise` looks longer than usual.

use super::tests::{TestSpec, TestSpecs};
use super::world::{Behaviour, OnSignal, Setup, World};
use super::*;
use crate::config::{Backoff, Probe, Restart, Stop};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::vec::Vec;

/// A workload, and its rank: `after` is cut to workloads of lower rank where
/// circles are not wanted.
#[derive(Clone, Debug)]
struct Draft {
    rank: u8,
    after: Vec<u16>,
    needs: Vec<u16>,
    ready: Ready,
    probe: Probe,
    start_timeout: u32,
    watchdog: u32,
    restart: Restart,
    backoff: Backoff,
    stop: Stop,
    critical: bool,
    early: bool,
    masked: bool,
}

fn one_in(n: u32) -> impl Strategy<Value = bool> {
    (0..n).prop_map(|drawn| drawn == 0)
}

fn draft() -> impl Strategy<Value = Draft> {
    let restart = prop_oneof![Just(Restart::Always), Just(Restart::OnFailure), Just(Restart::Never)];
    let jitter = prop_oneof![2 => Just(0), 1 => 1..2000u32];
    let burst = prop_oneof![2 => Just(0), 1 => 1..6u32];
    let backoff = (0..3000u32, 0..10_000u32, 0..5000u32, jitter, burst, 0..20_000u32);
    let backoff = backoff.prop_map(|(first, most, reset, jitter, burst, within)| Backoff {
        first,
        most,
        reset,
        jitter,
        burst,
        within,
    });
    let signals = prop_oneof![1..=31u32, (1..=31u32, 1..=31u32).prop_map(|(a, b)| a << 8 | b)];
    let stop = (signals, 0..4000u32).prop_map(|(signals, timeout)| Stop { signals, timeout });
    let ready = prop_oneof![
        4 => Just(Ready::Started),
        1 => Just(Ready::Settled),
        1 => Just(Ready::Notify),
        1 => Just(Ready::Descriptor(3)),
        1 => Just(Ready::Probe),
    ];
    let probe = (10..3000u32, 10..3000u32, 1..4u32);
    let probe = probe.prop_map(|(period, timeout, threshold)| Probe { port: 80, period, timeout, threshold });
    let start_timeout = prop_oneof![1 => Just(0), 2 => 1..20_000u32];
    let watchdog = prop_oneof![2 => Just(0), 1 => 500..5000u32];
    let readiness = (ready, probe, start_timeout, watchdog);
    let edges = (vec(0..8u16, 0..3), vec(0..8u16, 0..2));
    (any::<u8>(), edges, restart, backoff, stop, readiness, one_in(6), one_in(3), one_in(10)).prop_map(
        |(rank, (after, needs), restart, backoff, stop, readiness, critical, early, masked)| Draft {
            rank,
            after,
            needs,
            ready: readiness.0,
            probe: readiness.1,
            start_timeout: readiness.2,
            watchdog: readiness.3,
            restart,
            backoff,
            stop,
            critical,
            early,
            masked,
        },
    )
}

fn specs(drafts: &[Draft], circles: bool, exit_with: Option<u16>, on_failure: OnFailure) -> TestSpecs {
    let count = drafts.len() as u16;
    let rank = |id: u16| (drafts[usize::from(id)].rank, id);
    let below = |list: &[u16], id| -> Vec<WorkloadId> {
        let fits = |before: &u16| circles || *before < count && rank(*before) < rank(id);
        list.iter().copied().filter(fits).map(WorkloadId).collect()
    };
    let units = drafts.iter().zip(0..).map(|(draft, id)| TestSpec {
        after: [below(&draft.after, id), below(&draft.needs, id)].concat(),
        needs: below(&draft.needs, id),
        ready: draft.ready,
        probe: draft.probe,
        start_timeout: draft.start_timeout,
        watchdog: draft.watchdog,
        restart: draft.restart,
        backoff: draft.backoff,
        stop: draft.stop,
        critical: draft.critical,
        early: draft.early,
    });
    TestSpecs {
        units: units.collect(),
        exit_with: exit_with.filter(|id| *id < count).map(WorkloadId),
        on_failure,
    }
}

fn on_failure() -> impl Strategy<Value = OnFailure> {
    prop_oneof![Just(OnFailure::Reboot), Just(OnFailure::Halt), Just(OnFailure::Rescue)]
}

fn exit() -> impl Strategy<Value = Exit> {
    prop_oneof![Just(Exit::Status(0)), (1..=255u8).prop_map(Exit::Status), (1..=64u8).prop_map(Exit::Signal)]
}

fn unable() -> impl Strategy<Value = Unable> {
    let code = prop_oneof![Just(126), Just(127)];
    prop_oneof![3 => Just(Unable::ForNow), 1 => code.prop_map(|code| Unable::ForGood { code })]
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    let launch = prop_oneof![8 => Just(Ok(())), 1 => unable().prop_map(Err)];
    let setup = prop_oneof![
        10 => (0..200u64).prop_map(Setup::Executes),
        1 => Just(Setup::Hangs),
        1 => (0..200u64, exit()).prop_map(|(delay, exit)| Setup::Dies(delay, exit)),
        2 => (0..200u64, unable(), option::of(0..100u64)).prop_map(|(a, b, c)| Setup::Fails(a, b, c)),
    ];
    let on_signal = prop_oneof![
        4 => (0..3000u64, exit()).prop_map(|(delay, exit)| OnSignal::Ends(delay, exit)),
        2 => Just(OnSignal::Ignores),
        1 => Just(OnSignal::Deaf),
    ];
    let dies_in =
        || prop_oneof![8 => (0..50u64).prop_map(Some), 1 => (0..9000u64).prop_map(Some), 1 => Just(None)];
    let life = (
        prop_oneof![3 => (0..3000u64).prop_map(Some), 1 => Just(None)],
        option::weighted(0.3, 0..9000u64),
        0..200u64,
        option::weighted(0.2, 0..3000u64),
    );
    let runs = option::of((0..12_000u64, exit()));
    let leaves = prop_oneof![4 => Just(None), 1 => dies_in().prop_map(Some)];
    (launch, setup, runs, on_signal, dies_in(), leaves, life).prop_map(
        |(launch, setup, runs, on_signal, dies_in, leaves, life)| Behaviour {
            launch,
            setup,
            runs,
            on_signal,
            dies_in,
            leaves,
            ready_in: life.0,
            hangs_in: life.1,
            answers_in: life.2,
            leaves_in: life.3,
        },
    )
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![3 => Just(End::PowerOff), 1 => Just(End::Reboot), 1 => Just(End::Halt), 1 => Just(End::Exit)]
}

/// What people may say at any time.
fn wish() -> impl Strategy<Value = Event> {
    let operator = prop_oneof![
        Just(UnitEvent::Start),
        Just(UnitEvent::Stop),
        Just(UnitEvent::Restart),
        Just(UnitEvent::Kill),
        Just(UnitEvent::Pause),
        Just(UnitEvent::Resume),
    ];
    prop_oneof![
        12 => (0..8u16, operator).prop_map(|(id, wish)| Event::Unit(WorkloadId(id), wish)),
        2 => end().prop_map(Event::Shutdown),
        1 => Just(Event::Rescue),
        1 => Just(Event::MachineFailed),
    ]
}

const HORIZON: Millis = 90_000;

/// Anything at all.
fn garbage() -> impl Strategy<Value = Event> {
    let event = prop_oneof![
        4 => (0..20u32).prop_map(|pid| UnitEvent::Launched { pid }),
        1 => unable().prop_map(UnitEvent::LaunchFailed),
        3 => Just(UnitEvent::Executed),
        1 => unable().prop_map(UnitEvent::SetupFailed),
        2 => (exit(), any::<bool>()).prop_map(|(exit, others)| UnitEvent::Exited { exit, others }),
        1 => Just(UnitEvent::GroupEmpty),
        1 => Just(UnitEvent::Deaf),
        2 => Just(UnitEvent::Ready),
        1 => Just(UnitEvent::Alive),
        1 => Just(UnitEvent::Leaving),
        1 => any::<bool>().prop_map(|fine| UnitEvent::Probed { fine }),
        1 => Just(UnitEvent::Start),
        1 => Just(UnitEvent::Stop),
        1 => Just(UnitEvent::Restart),
        1 => Just(UnitEvent::Kill),
        1 => Just(UnitEvent::Pause),
        1 => Just(UnitEvent::Resume),
    ];
    let id = prop_oneof![20 => 0..8u16, 1 => any::<u16>()];
    prop_oneof![
        20 => (id, event).prop_map(|(id, event)| Event::Unit(WorkloadId(id), event)),
        2 => Just(Event::MachineReady),
        1 => wish(),
    ]
}

/// A machine and the behaviour of what it runs, and what people want of it.
type History = (Vec<Draft>, Vec<Behaviour>, Option<u16>, OnFailure, u64, Vec<(u64, Event)>, Vec<(u64, End)>);

fn history(wishes: core::ops::Range<usize>) -> impl Strategy<Value = History> {
    (
        vec(draft(), 0..8),
        vec(behaviour(), 1..16),
        option::weighted(0.2, 0..8u16),
        on_failure(),
        0..2000u64,
        vec((0..HORIZON, wish()), wishes),
        vec((0..3000u64, end()), 1..6),
    )
}

/// Lives it, with all wishes so many times, and says how much has happened.
fn live((drafts, behaviours, exit_with, on_failure, ready, wishes, ends): History, times: u64) -> usize {
    let masked: Vec<bool> = drafts.iter().map(|draft| draft.masked).collect();
    let specs = specs(&drafts, false, exit_with, on_failure);
    let mut world = World::new(specs, &masked, behaviours);
    world.schedule(ready, Event::MachineReady);
    for (at, wish) in wishes {
        for time in 0..times {
            world.schedule((time * HORIZON + at) / times, wish);
        }
    }
    for (delay, end) in ends {
        world.schedule(HORIZON + delay, Event::Shutdown(end));
    }
    world.run();
    world.happened
}

/// Operators that meddle all the time, on machines that nothing ends before their time. The same
/// machines each time: this one is for the number.
#[test]
fn a_million_events_keep_the_rules() {
    use core::cell::Cell;
    use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
    let histories = history(30..60).prop_map(|mut history| {
        let (drafts, behaviours, exit_with, _, _, wishes, _) = &mut history;
        *exit_with = None;
        for draft in drafts.iter_mut() {
            draft.critical = false;
        }
        // What could never be killed would soon be all there is.
        for behaviour in behaviours {
            behaviour.dies_in.get_or_insert(KILL_PATIENCE + 1000);
            behaviour.leaves = behaviour.leaves.map(|dies_in| dies_in.or(Some(KILL_PATIENCE + 500)));
        }
        wishes.retain_mut(|(_, wish)| match wish {
            Event::Unit(id, _) => {
                id.0 %= drafts.len().max(1) as u16;
                true
            }
            Event::MachineReady | Event::MachineFailed | Event::Rescue | Event::Shutdown(_) => false,
        });
        history
    });
    let usual = ProptestConfig::default();
    let cases = CASES.max(usual.cases.saturating_mul(CASES / 256));
    let config = ProptestConfig { cases, failure_persistence: None, ..usual };
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, b"a million events");
    let happened = Cell::new(0);
    let lived = TestRunner::new_with_rng(config, rng).run(&histories, |history| {
        happened.set(happened.get() + live(history, 10));
        Ok(())
    });
    assert!(lived.is_ok(), "{}", lived.unwrap_err());
    assert!(happened.get() >= 1_000_000, "only {}", happened.get());
}

/// So many machines live through a million events.
const CASES: u32 = 256 * 7;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_rules(history in history(0..12)) {
        live(history, 1);
    }

    #[test]
    fn garbage_does_no_harm(
        drafts in vec(draft(), 0..8),
        exit_with in option::weighted(0.2, any::<u16>()),
        on_failure in on_failure(),
        story in vec((0..100_000u64, garbage(), 0..8usize), 0..100),
    ) {
        let specs = specs(&drafts, true, exit_with, on_failure);
        let count = drafts.len();
        let mut supervisor = Box::new(Supervisor::EMPTY);
        let check = |action: Action| match action {
            Action::Launch(id)
            | Action::KillGroup(id)
            | Action::Freeze { id, .. }
            | Action::Probe(id)
            | Action::Signal { id, .. } => {
                assert!(id.index() < count, "{action:?}");
            }
            Action::Report(_) | Action::EnterRescue | Action::Finish { .. } => {}
        };
        let mut finished = 0;
        for (now, event, polls) in story {
            supervisor.step(&specs, event, now);
            for _ in 0..polls {
                let Some(action) = supervisor.poll(&specs, now) else { break };
                check(action);
                finished += u32::from(matches!(action, Action::Finish { .. }));
            }
        }
        let mut now = 100_000;
        let longest: Millis =
            drafts.iter().map(|draft| Millis::from(draft.stop.timeout + draft.start_timeout)).sum();
        let patience = (count as Millis + 1) * (LAUNCH_PATIENCE + START_PATIENCE + 3 * KILL_PATIENCE);
        let by = now + HORIZON + longest + patience;
        supervisor.step(&specs, Event::Shutdown(End::PowerOff), now);
        for _ in 0..50 * (count + 1) {
            let mut actions = 0;
            while let Some(action) = supervisor.poll(&specs, now) {
                check(action);
                finished += u32::from(matches!(action, Action::Finish { .. }));
                actions += 1;
                assert!(actions <= 16 * (count + 1), "poll goes round in circles: {action:?}");
            }
            let Some(next) = supervisor.next_deadline(&specs) else { break };
            assert!(next > now);
            now = next;
        }
        assert!(finished == 1, "finished {finished} times; {:?}", supervisor.phase());
        assert!(now <= by, "only after {now} ms");
    }
}
