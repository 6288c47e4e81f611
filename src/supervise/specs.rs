//! The few things the supervisor wants to know of a config.
//!
//! A trait, so that tests describe a machine in a few lines instead of filling
//! a [`Config`]; on the device there is one implementation.

use crate::config::{Backoff, Config, OnFailure, Probe, Ready, Restart, Stop, WorkloadId};

/// A machine's workloads, ids 0 to `count() - 1`.
pub trait Specs {
    fn count(&self) -> usize;
    /// `None` from `count()` on.
    fn spec(&self, id: WorkloadId) -> Option<Spec<'_>>;
    /// The workload whose end for good is the machine's.
    fn exit_with(&self) -> Option<WorkloadId>;
    fn on_failure(&self) -> OnFailure;
}

/// One workload, as far as supervision goes. The fields are those of
/// [`Workload`](crate::config::Workload).
#[derive(Clone, Copy)]
pub struct Spec<'a> {
    /// Those of `needs` are among them.
    pub after: &'a [WorkloadId],
    pub needs: &'a [WorkloadId],
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

impl Specs for Config {
    fn count(&self) -> usize {
        self.workloads.len()
    }

    fn spec(&self, id: WorkloadId) -> Option<Spec<'_>> {
        let workload = self.workload(id)?;
        Some(Spec {
            after: self.edges(workload.after),
            needs: self.edges(workload.needs),
            ready: workload.ready,
            probe: workload.probe,
            start_timeout: workload.start_timeout,
            watchdog: workload.watchdog,
            restart: workload.restart,
            backoff: workload.backoff,
            stop: workload.stop,
            critical: workload.critical,
            early: workload.early,
        })
    }

    fn exit_with(&self) -> Option<WorkloadId> {
        self.system.exit_with
    }

    fn on_failure(&self) -> OnFailure {
        self.system.on_failure
    }
}
