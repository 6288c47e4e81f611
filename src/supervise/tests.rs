//! The supervisor's rules, one sentence each. Random histories are in
//! `properties.rs`.

use super::*;
use crate::config::{Backoff, Probe, Restart, Stop};
use crate::put;
use crate::text::Text;
use std::vec::Vec;

pub(super) struct TestSpec {
    pub after: Vec<WorkloadId>,
    pub needs: Vec<WorkloadId>,
    pub ready: Ready,
    pub probe: Probe,
    pub start_timeout: u32,
    pub watchdog: u32,
    pub restart: Restart,
    pub backoff: Backoff,
    pub stop: Stop,
    pub critical: bool,
    pub early: bool,
}

pub(super) struct TestSpecs {
    pub units: Vec<TestSpec>,
    pub exit_with: Option<WorkloadId>,
    pub on_failure: OnFailure,
}

impl Specs for TestSpecs {
    fn count(&self) -> usize {
        self.units.len()
    }

    fn spec(&self, id: WorkloadId) -> Option<Spec<'_>> {
        self.units.get(id.index()).map(|unit| Spec {
            after: &unit.after,
            needs: &unit.needs,
            ready: unit.ready,
            probe: unit.probe,
            start_timeout: unit.start_timeout,
            watchdog: unit.watchdog,
            restart: unit.restart,
            backoff: unit.backoff,
            stop: unit.stop,
            critical: unit.critical,
            early: unit.early,
        })
    }

    fn exit_with(&self) -> Option<WorkloadId> {
        self.exit_with
    }

    fn on_failure(&self) -> OnFailure {
        self.on_failure
    }
}

const A: WorkloadId = WorkloadId(0);
const B: WorkloadId = WorkloadId(1);
const C: WorkloadId = WorkloadId(2);

const OK: Exit = Exit::Status(0);
const BAD: Exit = Exit::Status(3);

/// A machine under test: its config, its supervisor, its clock. Process ids are
/// 100 + the workload's number.
struct Bench {
    specs: TestSpecs,
    supervisor: Box<Supervisor>,
    now: Millis,
}

impl Bench {
    /// `count` workloads that are restarted always, with the default backoff.
    fn new(count: usize) -> Bench {
        let unit = || TestSpec {
            after: Vec::new(),
            needs: Vec::new(),
            ready: Ready::Started,
            probe: Probe::DEFAULT,
            start_timeout: 60_000,
            watchdog: 0,
            restart: Restart::Always,
            backoff: Backoff::DEFAULT,
            stop: Stop::DEFAULT,
            critical: false,
            early: false,
        };
        let units = (0..count).map(|_| unit()).collect();
        let specs = TestSpecs { units, exit_with: None, on_failure: OnFailure::Reboot };
        Bench { specs, supervisor: Box::new(Supervisor::EMPTY), now: LEAST_UPTIME }
    }

    fn unit(mut self, id: WorkloadId, change: impl FnOnce(&mut TestSpec)) -> Bench {
        change(&mut self.specs.units[id.index()]);
        self
    }

    fn after(self, later: WorkloadId, earlier: WorkloadId) -> Bench {
        self.unit(later, |unit| unit.after.push(earlier))
    }

    fn restart(self, id: WorkloadId, policy: Restart) -> Bench {
        self.unit(id, |unit| unit.restart = policy)
    }

    fn critical(self, id: WorkloadId) -> Bench {
        self.unit(id, |unit| unit.critical = true)
    }

    fn exit_with(mut self, id: WorkloadId) -> Bench {
        self.specs.exit_with = Some(id);
        self
    }

    fn on_failure(mut self, what: OnFailure) -> Bench {
        self.specs.on_failure = what;
        self
    }

    /// Tells the supervisor and returns everything it wants, without the talk.
    fn tell(&mut self, event: Event) -> Vec<Action> {
        self.supervisor.step(&self.specs, event, self.now);
        self.drain()
    }

    fn on(&mut self, id: WorkloadId, event: UnitEvent) -> Vec<Action> {
        self.tell(Event::Unit(id, event))
    }

    fn drain_all(&mut self) -> Vec<Action> {
        core::iter::from_fn(|| self.supervisor.poll(&self.specs, self.now)).collect()
    }

    fn drain(&mut self) -> Vec<Action> {
        let mut actions = self.drain_all();
        actions.retain(|action| !matches!(action, Action::Report(_)));
        actions
    }

    fn wait(&mut self, millis: Millis) -> Vec<Action> {
        self.now += millis;
        self.drain()
    }

    fn ready(&mut self) -> Vec<Action> {
        self.tell(Event::MachineReady)
    }

    /// What the edge does for a workload whose start works.
    fn run(&mut self, id: WorkloadId) -> Vec<Action> {
        let mut actions = self.on(id, UnitEvent::Launched { pid: pid(id) });
        actions.extend(self.on(id, UnitEvent::Executed));
        actions
    }

    /// The machine is ready and these run, started in this order.
    fn running(mut self, ids: &[WorkloadId]) -> Bench {
        self.ready();
        for id in ids {
            self.run(*id);
            assert!(matches!(self.state(*id), State::Running { .. }), "{id:?} {:?}", self.state(*id));
        }
        self
    }

    fn exits(&mut self, id: WorkloadId, exit: Exit) -> Vec<Action> {
        self.on(id, UnitEvent::Exited { exit, others: false })
    }

    fn shut_down(&mut self, end: End) -> Vec<Action> {
        self.tell(Event::Shutdown(end))
    }

    fn state(&self, id: WorkloadId) -> State {
        self.supervisor.unit(id).unwrap().state()
    }
}

fn pid(id: WorkloadId) -> u32 {
    100 + u32::from(id.0)
}

fn term(id: WorkloadId) -> Action {
    Action::Signal { id, pid: pid(id), signal: 15 }
}

fn finish(end: End) -> Action {
    Action::Finish { end, status: None }
}

fn text(value: impl crate::text::Show) -> String {
    let mut out = Text::<160>::new();
    put!(out, value);
    out.as_str().into()
}

mod starting {
    use super::*;

    #[test]
    fn nothing_starts_before_the_machine_is_ready_but_early_workloads() {
        let mut bench = Bench::new(2).unit(B, |unit| unit.early = true);
        assert_eq!(bench.drain(), [Action::Launch(B)]);
        assert_eq!(bench.run(B), []);
        assert_eq!(bench.ready(), [Action::Launch(A)]);
    }

    #[test]
    fn everything_independent_starts_at_once() {
        let mut bench = Bench::new(3);
        assert_eq!(bench.ready(), [Action::Launch(A), Action::Launch(B), Action::Launch(C)]);
    }

    #[test]
    fn a_workload_starts_when_all_of_its_after_run() {
        let mut bench = Bench::new(3).after(A, B).after(A, C);
        assert_eq!(bench.ready(), [Action::Launch(B), Action::Launch(C)]);
        assert_eq!(bench.run(B), []);
        assert_eq!(bench.on(C, UnitEvent::Launched { pid: pid(C) }), []);
        assert_eq!(bench.on(C, UnitEvent::Executed), [Action::Launch(A)]);
    }

    #[test]
    fn what_failed_was_masked_or_ended_for_good_keeps_nobody_waiting() {
        let mut bench = Bench::new(4).restart(B, Restart::Never).after(WorkloadId(3), A);
        bench = bench.after(WorkloadId(3), B).after(WorkloadId(3), C);
        bench.supervisor.mask(A);
        assert_eq!(bench.ready(), [Action::Launch(B), Action::Launch(C)]);
        bench.run(B);
        assert_eq!(bench.exits(B, BAD), []);
        let last = bench.on(C, UnitEvent::LaunchFailed(Unable::ForGood { code: 127 }));
        assert_eq!(last, [Action::Launch(WorkloadId(3))]);
        assert_eq!(bench.state(A), State::Masked);
        assert_eq!(bench.state(B), State::Done { exit: BAD });
        assert_eq!(bench.state(C), State::Failed { code: 127 });
    }

    #[test]
    fn a_dependency_that_is_between_two_runs_is_waited_for() {
        let mut bench = Bench::new(2).after(B, A);
        bench.ready();
        bench.on(A, UnitEvent::Launched { pid: pid(A) });
        assert_eq!(bench.exits(A, BAD), []);
        assert_eq!(bench.wait(200), [Action::Launch(A)]);
        assert_eq!(bench.run(A), [Action::Launch(B)]);
    }

    #[test]
    fn a_launch_is_decided_again_at_the_moment_it_is_handed_out() {
        let mut bench = Bench::new(3).after(B, A).after(C, A);
        bench.ready();
        bench.on(A, UnitEvent::Launched { pid: pid(A) });
        bench.supervisor.step(&bench.specs, Event::Unit(A, UnitEvent::Executed), bench.now);
        let running = Action::Report(Report::Unit(A, Note::Running { pid: pid(A) }));
        assert_eq!(bench.supervisor.poll(&bench.specs, bench.now), Some(running));
        assert_eq!(bench.supervisor.poll(&bench.specs, bench.now), Some(Action::Launch(B)));
        // C is due as well; before its turn comes, A is gone.
        assert_eq!(bench.exits(A, BAD), []);
        assert_eq!(bench.state(C), State::Waiting);
    }

    #[test]
    fn a_start_that_failed_for_now_is_tried_again_even_if_never_restarted() {
        let mut bench = Bench::new(1).restart(A, Restart::Never);
        bench.ready();
        assert_eq!(bench.on(A, UnitEvent::LaunchFailed(Unable::ForNow)), []);
        assert_eq!(bench.wait(199), []);
        assert_eq!(bench.wait(1), [Action::Launch(A)]);
        assert_eq!(bench.on(A, UnitEvent::LaunchFailed(Unable::ForNow)), []);
        assert_eq!(bench.wait(399), []);
        assert_eq!(bench.wait(1), [Action::Launch(A)]);
    }

    #[test]
    fn a_setup_that_failed_for_good_is_final_once_the_child_is_gone() {
        let mut bench = Bench::new(1);
        bench.ready();
        bench.on(A, UnitEvent::Launched { pid: pid(A) });
        assert_eq!(bench.on(A, UnitEvent::SetupFailed(Unable::ForGood { code: 126 })), []);
        assert!(matches!(bench.state(A), State::Stopping { .. }));
        assert_eq!(bench.exits(A, Exit::Status(1)), []);
        assert_eq!(bench.state(A), State::Failed { code: 126 });
    }

    #[test]
    fn a_child_that_reports_failure_and_stays_is_killed() {
        let mut bench = Bench::new(1);
        bench.ready();
        bench.on(A, UnitEvent::Launched { pid: pid(A) });
        bench.on(A, UnitEvent::SetupFailed(Unable::ForNow));
        assert_eq!(bench.wait(KILL_PATIENCE), [Action::KillGroup(A)]);
        assert_eq!(bench.exits(A, Exit::Signal(9)), []);
        assert!(matches!(bench.state(A), State::Backoff { .. }));
    }

    #[test]
    fn a_child_that_never_comes_to_its_execve_is_killed_and_tried_again() {
        let mut bench = Bench::new(1).restart(A, Restart::Never);
        bench.ready();
        bench.on(A, UnitEvent::Launched { pid: pid(A) });
        assert_eq!(bench.wait(START_PATIENCE - 1), []);
        assert_eq!(bench.wait(1), [Action::KillGroup(A)]);
        assert_eq!(bench.exits(A, Exit::Signal(9)), []);
        assert_eq!(bench.wait(200), [Action::Launch(A)]);
    }

    #[test]
    fn a_launch_whose_answer_comes_too_late_is_killed_not_lost() {
        let mut bench = Bench::new(1);
        assert_eq!(bench.ready(), [Action::Launch(A)]);
        assert_eq!(bench.wait(LAUNCH_PATIENCE), []);
        assert_eq!(bench.on(A, UnitEvent::Launched { pid: pid(A) }), [Action::KillGroup(A)]);
        assert_eq!(bench.supervisor.owner(pid(A)), Some(A));
        assert_eq!(bench.exits(A, Exit::Signal(9)), []);
        assert!(matches!(bench.state(A), State::Backoff { .. }));
    }
}

mod restarting {
    use super::*;

    /// The delay between the exit of A and its next launch.
    fn delay(bench: &mut Bench) -> Millis {
        let until = bench.supervisor.next_deadline(&bench.specs).unwrap();
        let delay = until - bench.now;
        assert_eq!(bench.wait(delay - 1), []);
        assert_eq!(bench.wait(1), [Action::Launch(A)]);
        delay
    }

    #[test]
    fn the_delay_doubles_up_to_the_most() {
        let mut bench = Bench::new(1).unit(A, |unit| unit.backoff.most = 1000);
        bench.ready();
        for expected in [200, 400, 800, 1000, 1000] {
            bench.run(A);
            bench.exits(A, BAD);
            assert_eq!(delay(&mut bench), expected);
        }
        assert_eq!(bench.supervisor.unit(A).unwrap().launches(), 6);
    }

    #[test]
    fn a_run_of_reset_starts_over() {
        let mut bench = Bench::new(1);
        bench.ready();
        for (ran, expected) in [(0, 200), (9_999, 400), (10_000, 200), (0, 400)] {
            bench.run(A);
            bench.wait(ran);
            bench.exits(A, BAD);
            assert_eq!(delay(&mut bench), expected, "after a run of {ran} ms");
        }
    }

    #[test]
    fn any_number_of_crashes_with_any_backoff_overflows_nothing() {
        let mut bench = Bench::new(1).unit(A, |unit| {
            unit.backoff = Backoff { first: u32::MAX, most: u32::MAX, reset: u32::MAX, ..Backoff::DEFAULT };
        });
        bench.ready();
        for _ in 0..100 {
            bench.run(A);
            bench.exits(A, BAD);
            assert_eq!(bench.wait(u64::from(u32::MAX)), [Action::Launch(A)]);
        }
    }

    #[test]
    fn no_config_restarts_faster_than_the_least_delay() {
        let mut bench = Bench::new(1).unit(A, |unit| {
            unit.backoff = Backoff { first: 0, most: 0, reset: 0, ..Backoff::DEFAULT };
        });
        bench.ready();
        bench.run(A);
        bench.exits(A, OK);
        assert_eq!(delay(&mut bench), u64::from(LEAST_DELAY));
    }

    #[test]
    fn each_policy_restarts_what_it_says() {
        for (policy, exit, again) in [
            (Restart::Never, OK, false),
            (Restart::Never, BAD, false),
            (Restart::OnFailure, OK, false),
            (Restart::OnFailure, BAD, true),
            (Restart::OnFailure, Exit::Signal(15), true),
            (Restart::Always, OK, true),
            (Restart::Always, BAD, true),
        ] {
            let mut bench = Bench::new(1).restart(A, policy).running(&[A]);
            bench.exits(A, exit);
            assert_eq!(matches!(bench.state(A), State::Backoff { .. }), again, "{policy:?} {exit:?}");
            assert_eq!(bench.state(A) == State::Done { exit }, !again, "{policy:?} {exit:?}");
        }
    }

    #[test]
    fn what_the_main_process_leaves_behind_is_killed_before_the_restart() {
        let mut bench = Bench::new(1).running(&[A]);
        let left = bench.on(A, UnitEvent::Exited { exit: BAD, others: true });
        assert_eq!(left, [Action::KillGroup(A)]);
        assert_eq!(bench.wait(1000), []);
        assert_eq!(bench.on(A, UnitEvent::GroupEmpty), []);
        assert_eq!(bench.wait(200), [Action::Launch(A)]);
    }

    #[test]
    fn a_workload_whose_processes_cannot_be_killed_is_reported_and_not_restarted() {
        let mut bench = Bench::new(1).running(&[A]);
        bench.on(A, UnitEvent::Exited { exit: BAD, others: true });
        bench.now += KILL_PATIENCE;
        let stuck = Note::Stuck { waited: KILL_PATIENCE as u32 };
        assert_eq!(bench.drain_all(), [Action::Report(Report::Unit(A, stuck))]);
        assert_eq!(bench.wait(1_000_000), []);
        assert_eq!(bench.on(A, UnitEvent::GroupEmpty), []);
        assert_eq!(bench.wait(200), [Action::Launch(A)]);
    }
}

mod operators {
    use super::*;

    #[test]
    fn a_stopped_workload_is_not_restarted_until_it_is_started() {
        let mut bench = Bench::new(1).running(&[A]);
        assert_eq!(bench.on(A, UnitEvent::Stop), [term(A)]);
        assert_eq!(bench.exits(A, Exit::Signal(15)), []);
        assert_eq!(bench.wait(1_000_000), []);
        assert_eq!(bench.state(A), State::Stopped { exit: Some(Exit::Signal(15)) });
        assert_eq!(bench.on(A, UnitEvent::Start), [Action::Launch(A)]);
    }

    #[test]
    fn a_restart_waits_for_the_end_and_for_nothing_else() {
        let mut bench = Bench::new(1).restart(A, Restart::Never).running(&[A]);
        assert_eq!(bench.on(A, UnitEvent::Restart), [term(A)]);
        assert_eq!(bench.on(A, UnitEvent::Restart), []);
        assert_eq!(bench.exits(A, OK), [Action::Launch(A)]);
    }

    #[test]
    fn the_last_wish_counts_while_a_workload_stops() {
        let mut bench = Bench::new(1).running(&[A]);
        bench.on(A, UnitEvent::Stop);
        bench.on(A, UnitEvent::Start);
        assert_eq!(bench.exits(A, OK), [Action::Launch(A)]);
        bench.run(A);
        bench.on(A, UnitEvent::Restart);
        bench.on(A, UnitEvent::Stop);
        assert_eq!(bench.exits(A, OK), []);
        assert_eq!(bench.state(A), State::Stopped { exit: Some(OK) });
    }

    #[test]
    fn a_start_cuts_a_backoff_short_and_forgets_the_crashes() {
        let mut bench = Bench::new(1).running(&[A]);
        bench.exits(A, BAD);
        assert_eq!(bench.on(A, UnitEvent::Start), [Action::Launch(A)]);
        bench.run(A);
        bench.exits(A, BAD);
        assert_eq!(bench.wait(200), [Action::Launch(A)]);
    }

    #[test]
    fn a_stop_while_waiting_or_backing_off_is_immediate() {
        let mut bench = Bench::new(2).after(B, A);
        bench.ready();
        bench.on(B, UnitEvent::Stop);
        assert_eq!(bench.state(B), State::Stopped { exit: None });
        assert_eq!(bench.run(A), []);
        bench.exits(A, BAD);
        bench.on(A, UnitEvent::Stop);
        assert_eq!(bench.wait(1_000_000), []);
    }

    #[test]
    fn a_stop_before_the_execve_kills() {
        let mut bench = Bench::new(1);
        bench.ready();
        bench.on(A, UnitEvent::Launched { pid: pid(A) });
        assert_eq!(bench.on(A, UnitEvent::Stop), [Action::KillGroup(A)]);
        bench.exits(A, Exit::Signal(9));
        assert_eq!(bench.state(A), State::Stopped { exit: Some(Exit::Signal(9)) });
    }

    #[test]
    fn a_workload_that_cannot_hear_its_signal_is_killed_at_once() {
        let mut bench = Bench::new(1).running(&[A]);
        assert_eq!(bench.on(A, UnitEvent::Deaf), []);
        bench.on(A, UnitEvent::Stop);
        assert_eq!(bench.on(A, UnitEvent::Deaf), [Action::KillGroup(A)]);
        assert_eq!(bench.on(A, UnitEvent::Deaf), []);
    }

    #[test]
    fn a_restart_of_one_that_waits_to_be_stopped_forgets_its_crashes() {
        let backoff = Backoff { first: 10, most: 10, burst: 1, within: 60_000, ..Backoff::DEFAULT };
        let bench = Bench::new(2).after(B, A).unit(B, |unit| unit.needs.push(A));
        let mut bench = bench.unit(A, |unit| unit.backoff = backoff).running(&[A, B]);
        // Its first crash takes B down; the second in a minute would be one too many.
        assert_eq!(bench.exits(A, BAD), [term(B)]);
        bench.exits(B, OK);
        assert_eq!(bench.wait(10), [Action::Launch(A)]);
        assert_eq!(bench.run(A), [Action::Launch(B)]);
        bench.run(B);
        // A is to go, but goes after B.
        assert_eq!(bench.on(A, UnitEvent::Stop), [term(B)]);
        assert_eq!(bench.on(A, UnitEvent::Restart), []);
        assert_eq!(bench.exits(B, OK), [term(A)]);
        assert_eq!(bench.exits(A, OK), [Action::Launch(A)]);
        bench.run(A);
        assert_eq!(bench.exits(A, BAD), []);
        assert!(matches!(bench.state(A), State::Backoff { .. }), "{:?}", bench.state(A));
    }

    #[test]
    fn a_report_that_comes_after_the_kill_changes_nothing() {
        for late in [UnitEvent::Executed, UnitEvent::SetupFailed(Unable::ForGood { code: 126 })] {
            let mut bench = Bench::new(1);
            bench.ready();
            bench.on(A, UnitEvent::Launched { pid: pid(A) });
            assert_eq!(bench.on(A, UnitEvent::Kill), [Action::KillGroup(A)]);
            assert_eq!(bench.on(A, late), []);
            assert_eq!(bench.exits(A, Exit::Signal(9)), []);
            assert!(matches!(bench.state(A), State::Backoff { .. }), "{late:?}: {:?}", bench.state(A));
        }
    }

    #[test]
    fn a_masked_workload_cannot_be_started() {
        let mut bench = Bench::new(1);
        bench.supervisor.mask(A);
        bench.ready();
        assert_eq!(bench.on(A, UnitEvent::Start), []);
        assert_eq!(bench.on(A, UnitEvent::Restart), []);
    }
}

mod shutting_down {
    use super::*;

    #[test]
    fn goes_in_reverse_order_and_in_parallel_where_it_may() {
        // A <- B, A <- C, and D alone.
        let d = WorkloadId(3);
        let mut bench = Bench::new(4).after(B, A).after(C, A).running(&[A, B, C, d]);
        assert_eq!(bench.shut_down(End::PowerOff), [term(B), term(C), term(d)]);
        assert_eq!(bench.exits(d, OK), []);
        assert_eq!(bench.exits(C, OK), []);
        assert_eq!(bench.exits(B, OK), [term(A)]);
        assert_eq!(bench.exits(A, OK), [finish(End::PowerOff)]);
        assert_eq!(bench.wait(1_000_000), []);
    }

    #[test]
    fn a_machine_without_workloads_ends_at_once() {
        assert_eq!(Bench::new(0).shut_down(End::Halt), [finish(End::Halt)]);
    }

    #[test]
    fn what_does_not_run_is_down() {
        let mut bench = Bench::new(3).after(C, B).running(&[A]);
        bench.exits(A, BAD);
        bench.on(B, UnitEvent::LaunchFailed(Unable::ForNow));
        assert_eq!(bench.shut_down(End::Reboot), [finish(End::Reboot)]);
        for id in [A, B, C] {
            assert_eq!(bench.state(id), State::Stopped { exit: None });
        }
    }

    #[test]
    fn each_has_its_own_signal_and_timeout_and_is_then_killed() {
        let mut bench = Bench::new(2).unit(B, |unit| unit.stop = Stop { signals: 2, timeout: 300 });
        bench = bench.running(&[A, B]);
        let signals = [term(A), Action::Signal { id: B, pid: pid(B), signal: 2 }];
        assert_eq!(bench.shut_down(End::PowerOff), signals);
        assert_eq!(bench.supervisor.next_deadline(&bench.specs), Some(bench.now + 300));
        assert_eq!(bench.wait(300), [Action::KillGroup(B)]);
        bench.exits(B, Exit::Signal(9));
        assert_eq!(bench.wait(9_699), []);
        assert_eq!(bench.wait(1), [Action::KillGroup(A)]);
        assert_eq!(bench.exits(A, Exit::Signal(9)), [finish(End::PowerOff)]);
    }

    #[test]
    fn what_even_the_kernel_does_not_end_is_reported_and_left() {
        let mut bench = Bench::new(2).after(B, A).running(&[A, B]);
        bench.shut_down(End::PowerOff);
        assert_eq!(bench.wait(10_000), [Action::KillGroup(B)]);
        bench.now += KILL_PATIENCE;
        let stuck = Action::Report(Report::Unit(B, Note::Stuck { waited: KILL_PATIENCE as u32 }));
        assert_eq!(bench.drain_all(), [term(A), stuck]);
        // B ends after all, and leaves somebody else: nobody waits for that.
        let late = bench.on(B, UnitEvent::Exited { exit: Exit::Signal(9), others: true });
        assert_eq!(late, [Action::KillGroup(B)]);
        assert_eq!(bench.exits(A, OK), [finish(End::PowerOff)]);
    }

    #[test]
    fn the_last_line_comes_before_the_finish() {
        let mut bench = Bench::new(1).running(&[A]);
        bench.shut_down(End::PowerOff);
        bench.wait(10_000);
        bench.now += KILL_PATIENCE;
        let stuck = Action::Report(Report::Unit(A, Note::Stuck { waited: KILL_PATIENCE as u32 }));
        assert_eq!(bench.drain_all(), [stuck, finish(End::PowerOff)]);
    }

    #[test]
    fn a_workload_in_its_setup_is_killed() {
        let mut bench = Bench::new(1);
        bench.ready();
        bench.on(A, UnitEvent::Launched { pid: pid(A) });
        assert_eq!(bench.shut_down(End::PowerOff), [Action::KillGroup(A)]);
        assert_eq!(bench.exits(A, Exit::Signal(9)), [finish(End::PowerOff)]);
    }

    #[test]
    fn a_launch_in_flight_is_waited_for_and_killed() {
        let mut bench = Bench::new(1);
        assert_eq!(bench.ready(), [Action::Launch(A)]);
        assert_eq!(bench.shut_down(End::PowerOff), []);
        assert_eq!(bench.on(A, UnitEvent::Launched { pid: pid(A) }), [Action::KillGroup(A)]);
        assert_eq!(bench.exits(A, Exit::Signal(9)), [finish(End::PowerOff)]);
    }

    #[test]
    fn an_unanswered_launch_does_not_hold_it_up() {
        let mut bench = Bench::new(1);
        bench.ready();
        bench.shut_down(End::PowerOff);
        assert_eq!(bench.wait(LAUNCH_PATIENCE), [finish(End::PowerOff)]);
    }

    #[test]
    fn nothing_is_restarted_and_operators_start_nothing() {
        let mut bench = Bench::new(2).running(&[A, B]);
        bench.shut_down(End::PowerOff);
        assert_eq!(bench.exits(A, BAD), []);
        assert_eq!(bench.on(A, UnitEvent::Start), []);
        assert_eq!(bench.on(A, UnitEvent::Restart), []);
        assert_eq!(bench.exits(B, OK), [finish(End::PowerOff)]);
    }

    #[test]
    fn a_different_request_changes_the_end() {
        let mut bench = Bench::new(1).running(&[A]);
        bench.shut_down(End::PowerOff);
        assert_eq!(bench.shut_down(End::Reboot), []);
        assert_eq!(bench.exits(A, OK), [finish(End::Reboot)]);
    }

    #[test]
    fn the_third_request_of_a_kind_kills_everything_at_once() {
        let mut bench = Bench::new(2).after(B, A).running(&[A, B]);
        assert_eq!(bench.shut_down(End::Reboot), [term(B)]);
        assert_eq!(bench.shut_down(End::Reboot), []);
        assert_eq!(bench.shut_down(End::Reboot), [Action::KillGroup(A), Action::KillGroup(B)]);
        assert_eq!(bench.exits(A, Exit::Signal(9)), []);
        assert_eq!(bench.exits(B, Exit::Signal(9)), [finish(End::Reboot)]);
    }

    #[test]
    fn workloads_that_wait_for_each_other_do_not_hold_it_up() {
        // The config refuses circles. One member runs here because its edge came later.
        let mut bench = Bench::new(3).after(B, A).running(&[A, B, C]).after(A, B);
        assert_eq!(bench.shut_down(End::PowerOff), [term(C)]);
        assert_eq!(bench.exits(C, OK), [term(A), term(B)]);
    }

    #[test]
    fn two_hundred_and_fifty_six_workloads_stop_as_one() {
        let mut bench = Bench::new(limits::WORKLOADS);
        assert_eq!(bench.ready().len(), limits::WORKLOADS);
        let all: Vec<WorkloadId> = first(limits::WORKLOADS).collect();
        for id in &all {
            bench.run(*id);
        }
        assert_eq!(bench.shut_down(End::PowerOff).len(), limits::WORKLOADS);
        let ends: Vec<Action> = all.iter().flat_map(|id| bench.exits(*id, OK)).collect();
        assert_eq!(ends, [finish(End::PowerOff)]);
    }
}

mod failing {
    use super::*;

    #[test]
    fn a_critical_workload_that_gives_up_takes_the_machine_into_on_failure() {
        let mut bench = Bench::new(2).critical(A).restart(A, Restart::Never).running(&[A, B]);
        assert_eq!(bench.exits(A, BAD), [term(B)]);
        assert_eq!(bench.exits(B, OK), [finish(End::Reboot)]);

        let mut bench = Bench::new(1).critical(A).on_failure(OnFailure::Halt);
        bench.ready();
        let failed = UnitEvent::LaunchFailed(Unable::ForGood { code: 126 });
        assert_eq!(bench.on(A, failed), [finish(End::Halt)]);
    }

    #[test]
    fn a_critical_workload_that_is_restarted_succeeds_or_is_stopped_has_not_given_up() {
        let mut bench = Bench::new(1).critical(A).running(&[A]);
        bench.exits(A, BAD);
        assert_eq!(bench.supervisor.phase(), Phase::Up);

        let mut bench = Bench::new(1).critical(A).restart(A, Restart::OnFailure).running(&[A]);
        bench.exits(A, OK);
        assert_eq!(bench.supervisor.phase(), Phase::Up);

        let mut bench = Bench::new(1).critical(A).restart(A, Restart::Never).running(&[A]);
        bench.on(A, UnitEvent::Stop);
        bench.exits(A, BAD);
        assert_eq!(bench.supervisor.phase(), Phase::Up);
    }

    #[test]
    fn rescue_starts_the_shell_and_nothing_else_and_leaves_what_runs() {
        let mut bench = Bench::new(3).critical(A).on_failure(OnFailure::Rescue).after(C, B);
        bench = bench.restart(A, Restart::Never).running(&[A]);
        assert_eq!(bench.exits(A, BAD), [Action::EnterRescue]);
        assert_eq!(bench.run(B), []);
        assert_eq!(bench.exits(B, BAD), []);
        assert_eq!(bench.wait(1_000_000), []);
        assert_eq!(bench.tell(Event::Rescue), []);
        assert_eq!(bench.shut_down(End::Reboot), [finish(End::Reboot)]);
    }

    #[test]
    fn a_failed_boot_goes_into_on_failure_too() {
        let mut bench = Bench::new(2).unit(A, |unit| unit.early = true);
        assert_eq!(bench.drain(), [Action::Launch(A)]);
        bench.run(A);
        assert_eq!(bench.tell(Event::MachineFailed), [term(A)]);
        assert_eq!(bench.ready(), []);
        assert_eq!(bench.exits(A, OK), [finish(End::Reboot)]);

        let mut bench = Bench::new(1).on_failure(OnFailure::Rescue);
        assert_eq!(bench.tell(Event::MachineFailed), [Action::EnterRescue]);
        assert_eq!(bench.ready(), []);
    }

    /// A machine whose critical workload cannot be started, a second after the kernel.
    fn hasty(on_failure: OnFailure) -> (Bench, Vec<Action>) {
        let mut bench = Bench::new(1).critical(A).on_failure(on_failure);
        bench.now = 1000;
        bench.ready();
        let actions = bench.on(A, UnitEvent::LaunchFailed(Unable::ForGood { code: 126 }));
        (bench, actions)
    }

    #[test]
    fn a_failure_reboots_no_machine_that_has_only_just_booted() {
        let (mut bench, actions) = hasty(OnFailure::Reboot);
        assert_eq!(actions, []);
        assert_eq!(bench.wait(LEAST_UPTIME - 1001), []);
        assert_eq!(bench.supervisor.next_deadline(&bench.specs), Some(LEAST_UPTIME));
        assert_eq!(bench.wait(1), [finish(End::Reboot)]);

        let (mut bench, _) = hasty(OnFailure::Reboot);
        assert_eq!(bench.shut_down(End::Reboot), [finish(End::Reboot)], "whoever asks is not made to wait");
        assert_eq!(hasty(OnFailure::Halt).1, [finish(End::Halt)]);
    }

    #[test]
    fn a_reboot_that_is_put_off_is_said_once() {
        let mut bench = Bench::new(1);
        bench.now = 1500;
        bench.supervisor.step(&bench.specs, Event::MachineFailed, bench.now);
        let notes: Vec<String> = bench
            .drain_all()
            .into_iter()
            .map(|action| match action {
                Action::Report(Report::Machine(note)) => text(note),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(notes[1], "rebooting in 18.5s: not so soon after a boot that failed");
        bench.now += 1000;
        assert_eq!(bench.drain_all(), []);
    }

    #[test]
    fn in_a_container_every_end_is_an_exit_and_a_failure_has_a_status() {
        let mut bench = Bench::new(1).critical(A);
        bench.now = 1000;
        bench.supervisor.is_in_container();
        let status = Some(1);
        assert_eq!(bench.tell(Event::MachineFailed), [Action::Finish { end: End::Exit, status }]);

        let mut bench = Bench::new(1);
        bench.supervisor.is_in_container();
        assert_eq!(bench.shut_down(End::PowerOff), [finish(End::Exit)]);
    }

    #[test]
    fn a_rescue_boot_starts_no_workload() {
        let mut bench = Bench::new(1);
        assert_eq!(bench.tell(Event::Rescue), [Action::EnterRescue]);
        assert_eq!(bench.ready(), []);
    }
}

mod exit_with {
    use super::*;

    fn ended(status: u8) -> Vec<Action> {
        vec![Action::Finish { end: End::PowerOff, status: Some(status) }]
    }

    #[test]
    fn its_end_is_the_machines_with_its_status() {
        for (exit, status) in [(OK, 0), (BAD, 3), (Exit::Status(255), 255), (Exit::Signal(9), 137)] {
            let mut bench = Bench::new(2).exit_with(B).restart(B, Restart::Never).running(&[A, B]);
            assert_eq!(bench.exits(B, exit), [term(A)]);
            assert_eq!(bench.exits(A, BAD), ended(status));
        }
    }

    #[test]
    fn comes_before_critical() {
        let mut bench = Bench::new(1).exit_with(A).critical(A).restart(A, Restart::Never).running(&[A]);
        assert_eq!(bench.exits(A, BAD), ended(3));
    }

    #[test]
    fn a_command_that_is_not_there_is_127() {
        let mut bench = Bench::new(1).exit_with(A);
        bench.ready();
        bench.on(A, UnitEvent::Launched { pid: pid(A) });
        bench.on(A, UnitEvent::SetupFailed(Unable::ForGood { code: 127 }));
        assert_eq!(bench.exits(A, Exit::Status(1)), ended(127));
    }

    #[test]
    fn has_its_status_also_when_somebody_else_ended_the_machine() {
        let mut bench = Bench::new(1).exit_with(A).restart(A, Restart::Never).running(&[A]);
        bench.shut_down(End::Reboot);
        let status = Some(143);
        assert_eq!(bench.exits(A, Exit::Signal(15)), [Action::Finish { end: End::Reboot, status }]);
    }

    #[test]
    fn without_it_a_machine_stays_up_when_everything_has_ended() {
        let mut bench = Bench::new(1).restart(A, Restart::Never).running(&[A]);
        assert_eq!(bench.exits(A, OK), []);
        assert_eq!(bench.wait(1_000_000_000), []);
        assert_eq!(bench.supervisor.next_deadline(&bench.specs), None);
    }
}

mod readiness {
    use super::*;
    use crate::config::Probe;

    /// B starts after A, which says when it is ready.
    fn notifying() -> Bench {
        let bench = Bench::new(2).after(B, A).unit(A, |unit| unit.ready = Ready::Notify);
        bench.unit(A, |unit| unit.start_timeout = 5000)
    }

    #[test]
    fn one_that_is_not_ready_keeps_others_waiting() {
        let mut bench = notifying();
        assert_eq!(bench.ready(), [Action::Launch(A)]);
        assert_eq!(bench.run(A), []);
        assert_eq!(bench.on(A, UnitEvent::Ready), [Action::Launch(B)]);
    }

    #[test]
    fn only_the_way_that_the_config_names_makes_ready() {
        let mut bench = notifying().unit(A, |unit| unit.ready = Ready::Probe);
        bench.ready();
        bench.run(A);
        assert_eq!(bench.on(A, UnitEvent::Ready), []);
        assert_eq!(bench.on(A, UnitEvent::Probed { fine: true }), [], "nobody has asked");
        assert_eq!(bench.wait(1000), [Action::Probe(A)]);
        assert_eq!(bench.on(A, UnitEvent::Probed { fine: true }), [Action::Launch(B)]);
    }

    #[test]
    fn one_that_is_late_is_stopped_and_has_failed() {
        let mut bench = notifying().restart(A, Restart::OnFailure);
        bench.ready();
        bench.run(A);
        assert_eq!(bench.wait(4999), []);
        assert_eq!(bench.wait(1), [term(A)]);
        // Even if it ends well: it was not what was wanted.
        assert_eq!(bench.exits(A, OK), []);
        assert_eq!(bench.wait(200), [Action::Launch(A)]);
    }

    #[test]
    fn work_is_ready_when_it_is_done() {
        let mut bench = notifying().restart(A, Restart::Never).unit(A, |unit| {
            (unit.ready, unit.start_timeout) = (Ready::Settled, 0);
        });
        bench.ready();
        bench.run(A);
        assert_eq!(bench.wait(10_000_000), []);
        assert_eq!(bench.exits(A, OK), [Action::Launch(B)]);
    }

    #[test]
    fn one_without_a_sign_of_life_is_killed() {
        let mut bench = Bench::new(1).unit(A, |unit| unit.watchdog = 3000).running(&[A]);
        assert_eq!(bench.wait(2999), []);
        assert_eq!(bench.on(A, UnitEvent::Alive), []);
        assert_eq!(bench.wait(2999), []);
        assert_eq!(bench.wait(1), [Action::KillGroup(A)]);
    }

    #[test]
    fn clocks_stand_still_while_it_does() {
        let mut bench = Bench::new(1).unit(A, |unit| unit.watchdog = 3000).running(&[A]);
        let freeze = |frozen| Action::Freeze { id: A, frozen };
        assert_eq!(bench.on(A, UnitEvent::Pause), [freeze(true)]);
        assert_eq!(bench.on(A, UnitEvent::Pause), [], "once is enough");
        assert_eq!(bench.wait(100_000), []);
        assert_eq!(bench.on(A, UnitEvent::Resume), [freeze(false)]);
        assert_eq!(bench.wait(2999), []);
        assert_eq!(bench.wait(1), [Action::KillGroup(A)]);
    }

    #[test]
    fn what_stands_still_goes_on_before_it_is_stopped() {
        let mut bench = Bench::new(1).running(&[A]);
        bench.on(A, UnitEvent::Pause);
        assert_eq!(bench.on(A, UnitEvent::Stop), [Action::Freeze { id: A, frozen: false }, term(A)]);
    }

    #[test]
    fn misses_in_a_row_are_counted_and_silence_is_one() {
        let probe = Probe { port: 80, period: 100, timeout: 50, threshold: 2 };
        let mut bench = Bench::new(1).unit(A, |unit| (unit.ready, unit.probe) = (Ready::Probe, probe));
        bench.ready();
        bench.run(A);
        let ask = [Action::Probe(A)];
        let answer = |fine| UnitEvent::Probed { fine };
        assert_eq!(bench.wait(100), ask);
        bench.on(A, answer(true));
        for fine in [false, true, false] {
            assert_eq!(bench.wait(100), ask);
            assert_eq!(bench.on(A, answer(fine)), []);
        }
        assert_eq!(bench.wait(100), ask);
        assert_eq!(bench.wait(50), [term(A)], "no answer in time");
    }

    #[test]
    fn one_that_says_it_ends_is_not_signalled_but_killed_in_its_time() {
        let mut bench = Bench::new(1).running(&[A]);
        assert_eq!(bench.on(A, UnitEvent::Leaving), []);
        assert_eq!(bench.wait(9_999), []);
        assert_eq!(bench.wait(1), [Action::KillGroup(A)]);
        bench.exits(A, Exit::Signal(9));
        assert_eq!(bench.wait(200), [Action::Launch(A)], "its policy decides");
    }
}

mod needs {
    use super::*;

    /// C needs B, B needs A; all run.
    fn chain() -> Bench {
        let needs =
            |bench: Bench, id, needed| bench.after(id, needed).unit(id, |unit| unit.needs.push(needed));
        needs(needs(Bench::new(3), B, A), C, B).running(&[A, B, C])
    }

    #[test]
    fn those_that_need_it_go_first_and_come_back_with_it() {
        let mut bench = chain();
        assert_eq!(bench.on(A, UnitEvent::Restart), [term(C)]);
        assert_eq!(bench.exits(C, OK), [term(B)]);
        assert_eq!(bench.exits(B, OK), [term(A)]);
        assert_eq!(bench.exits(A, OK), [Action::Launch(A)]);
        assert_eq!(bench.run(A), [Action::Launch(B)]);
        assert_eq!(bench.run(B), [Action::Launch(C)]);
    }

    #[test]
    fn a_crash_takes_them_down_too() {
        let mut bench = chain();
        assert_eq!(bench.exits(A, BAD), [term(C)]);
        assert_eq!(bench.exits(C, OK), [term(B)]);
        assert_eq!(bench.exits(B, OK), []);
        assert_eq!(bench.wait(200), [Action::Launch(A)]);
    }

    #[test]
    fn what_was_stopped_or_has_failed_keeps_them_down() {
        let mut bench = chain();
        bench.on(A, UnitEvent::Stop);
        for id in [C, B, A] {
            bench.exits(id, OK);
        }
        assert_eq!(bench.wait(1_000_000), []);
        assert_eq!(bench.on(B, UnitEvent::Start), []);
        assert_eq!(bench.on(A, UnitEvent::Start), [Action::Launch(A)]);
    }

    #[test]
    fn work_that_is_done_well_is_there_and_work_that_failed_is_not() {
        for (exit, actions) in [(OK, vec![Action::Launch(B)]), (BAD, vec![])] {
            let bench = Bench::new(2).after(B, A).unit(B, |unit| unit.needs.push(A));
            let mut bench = bench.restart(A, Restart::Never).unit(A, |unit| unit.ready = Ready::Settled);
            bench.ready();
            bench.run(A);
            assert_eq!(bench.exits(A, exit), actions);
        }
    }

    #[test]
    fn one_that_is_left_out_is_never_there() {
        let mut bench = Bench::new(1).unit(A, |unit| unit.needs.push(WorkloadId::LEFT_OUT));
        assert_eq!(bench.ready(), []);
    }
}

mod limits_of_patience {
    use super::*;

    #[test]
    fn it_gives_up_after_so_many_restarts_in_a_time() {
        let backoff = Backoff { first: 10, most: 10, burst: 2, within: 1000, ..Backoff::DEFAULT };
        let mut bench = Bench::new(1).unit(A, |unit| unit.backoff = backoff).critical(A).running(&[A]);
        for _ in 0..2 {
            assert_eq!(bench.exits(A, BAD), []);
            assert_eq!(bench.wait(10), [Action::Launch(A)]);
            bench.run(A);
        }
        assert_eq!(bench.exits(A, BAD), [finish(End::Reboot)], "it is critical");
        assert_eq!(bench.state(A), State::Failed { code: 3 });
    }

    #[test]
    fn the_time_starts_over_with_the_first_restart_after_it() {
        let backoff = Backoff { first: 10, most: 10, burst: 2, within: 1000, ..Backoff::DEFAULT };
        let mut bench = Bench::new(1).unit(A, |unit| unit.backoff = backoff).running(&[A]);
        for _ in 0..100 {
            bench.wait(500);
            assert_eq!(bench.exits(A, BAD), []);
            assert_eq!(bench.wait(10), [Action::Launch(A)]);
            bench.run(A);
        }
    }

    #[test]
    fn jitter_is_within_its_bound_and_tells_workloads_apart() {
        let backoff = Backoff { jitter: 1000, ..Backoff::DEFAULT };
        let mut bench = Bench::new(64);
        for unit in &mut bench.specs.units {
            unit.backoff = backoff;
        }
        let ids: Vec<WorkloadId> = (0..64).map(WorkloadId).collect();
        let mut bench = bench.running(&ids);
        let mut delays: Vec<Millis> = Vec::new();
        for id in ids {
            bench.exits(id, BAD);
            let State::Backoff { until } = bench.state(id) else { panic!("{:?}", bench.state(id)) };
            delays.push(until - bench.now);
        }
        assert!(delays.iter().all(|delay| (200..=1200).contains(delay)), "{delays:?}");
        delays.sort_unstable();
        delays.dedup();
        assert!(delays.len() > 32, "{delays:?}");
    }

    #[test]
    fn signals_go_out_one_after_the_other_and_share_the_time() {
        let stop = Stop { signals: 15 << 8 | 2, timeout: 1000 };
        let mut bench = Bench::new(1).unit(A, |unit| unit.stop = stop).running(&[A]);
        let signal = |signal| Action::Signal { id: A, pid: pid(A), signal };
        assert_eq!(bench.on(A, UnitEvent::Stop), [signal(15)]);
        assert_eq!(bench.wait(499), []);
        assert_eq!(bench.wait(1), [signal(2)]);
        assert_eq!(bench.wait(500), [Action::KillGroup(A)]);
    }

    #[test]
    fn a_signal_it_cannot_hear_is_followed_by_the_next() {
        let stop = Stop { signals: 15 << 8 | 2, timeout: 1000 };
        let mut bench = Bench::new(1).unit(A, |unit| unit.stop = stop).running(&[A]);
        bench.on(A, UnitEvent::Stop);
        assert_eq!(bench.on(A, UnitEvent::Deaf), [Action::Signal { id: A, pid: pid(A), signal: 2 }]);
        assert_eq!(bench.on(A, UnitEvent::Deaf), [Action::KillGroup(A)]);
    }

    #[test]
    fn what_an_operator_kills_its_policy_restarts() {
        let mut bench = Bench::new(1).running(&[A]);
        assert_eq!(bench.on(A, UnitEvent::Kill), [Action::KillGroup(A)]);
        bench.exits(A, Exit::Signal(9));
        assert_eq!(bench.wait(200), [Action::Launch(A)]);
    }
}

mod telling {
    use super::*;

    #[test]
    fn a_crash_is_one_line_that_says_what_follows() {
        let mut bench = Bench::new(1).running(&[A]);
        for _ in 0..3 {
            bench.now += 2300;
            bench.supervisor.step(
                &bench.specs,
                Event::Unit(A, UnitEvent::Exited { exit: Exit::Signal(9), others: false }),
                bench.now,
            );
            let actions = bench.drain_all();
            let [Action::Report(Report::Unit(A, note))] = actions[..] else { panic!("{actions:?}") };
            if bench.supervisor.unit(A).unwrap().restarts_in_a_row() == 3 {
                assert_eq!(text(note), "killed by signal 9 (KILL) after 2.3s, restart 3 in 800ms");
            }
            bench.wait(30_000);
            bench.run(A);
        }
    }

    #[test]
    fn every_note_reads_as_a_line() {
        let notes = [
            (Note::Running { pid: 87 }, "running, pid 87"),
            (Note::Retrying { nth: 2, delay: 400 }, "could not start, try 2 in 400ms"),
            (Note::Done { exit: BAD }, "exited with status 3"),
            (Note::Failed, "cannot start, given up"),
            (Note::Stopped, "stopped"),
            (Note::SlowStart { waited: 60_000 }, "not started after 1m, killing it"),
            (Note::SlowStop, "did not stop in time, killing it"),
            (Note::Leftovers, "left processes behind, killing them"),
            (Note::Stuck { waited: 5000 }, "killed, but still there after 5s: stuck in the kernel"),
        ];
        for (note, line) in notes {
            assert_eq!(text(note), line);
        }
        let because = Because::GaveUp(A);
        assert_eq!(
            text(MachineNote::Ending { end: End::Reboot, because }),
            "stopping everything to reboot: a critical workload gave up"
        );
        assert_eq!(text(MachineNote::EndChanged { end: End::PowerOff }), "will power off instead");
        assert_eq!(text(MachineNote::Rescue { because: Because::Asked }), "rescue: starting no workloads");
    }
}

#[test]
fn a_fresh_table_is_all_zeros_and_a_unit_is_small() {
    assert!(size_of::<Unit>() <= 112);
    assert_eq!(Supervisor::EMPTY.next_deadline(&Bench::new(3).specs), None);
    assert_eq!(Bench::new(3).drain_all(), []);
}
