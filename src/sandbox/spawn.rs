//! The parent's half of a start: open, clone, hand over. It never waits.

use super::failure::{self, Failure, REPORT, What};
use super::trees::{self, Trees};
use super::{child, environment, plan};
use crate::cgroup;
use crate::config::{Config, Workload, WorkloadId};
use crate::sys::process::{self, Cloned, Namespaces, Pid};
use crate::sys::{BorrowedFd, Errno, OwnedFd, fs, io, mount};
use core::ffi::CStr;

/// Where a prepared /dev is kept, so that each workload's is one system call.
/// /run/corm is made at boot, for root alone.
const KEPT_DEV: &CStr = c"/run/corm/dev";

/// What starts have in common. All zero at first, so it lives in `.bss`.
pub struct PlanSpace {
    devices: Option<i32>,
    environment: environment::Block,
    pub(super) cgroups: cgroup::Known,
}

impl PlanSpace {
    pub const EMPTY: PlanSpace =
        PlanSpace { devices: None, environment: environment::Block::new(), cgroups: cgroup::Known::NOTHING };

    /// Makes the workloads' /dev once and keeps it mounted on /run/corm/dev (a
    /// tree must be mounted in this namespace to be cloned, before Linux 6.15).
    /// Without it each start makes its own: slower by some twenty calls.
    pub fn prepare_dev(&mut self) -> Result<(), Errno> {
        let tree = trees::minimal_dev()?;
        match fs::make_directory(BorrowedFd::CWD, KEPT_DEV, 0o700) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        mount::move_to(tree.borrow(), BorrowedFd::CWD, KEPT_DEV)?;
        if let Some(old) = self.devices.replace(tree.into_number()) {
            drop(OwnedFd::from_number(old));
        }
        Ok(())
    }

    /// After the config has changed: limits are written again at each next start.
    pub fn forget_limits(&mut self) {
        self.cgroups.forget();
    }
}

/// What a child gets as its descriptors 0 to 2.
#[derive(Clone, Copy)]
pub struct ChildStdio<'a> {
    pub stdin: BorrowedFd<'a>,
    pub stdout: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
    /// stdin, if it is a terminal, becomes the controlling one: ctrl-c and job
    /// control work. It is taken from any other session that has it.
    pub controlling_terminal: bool,
}

/// A child on its way.
pub struct Launched {
    pub pid: Pid,
    /// Becomes readable when the start has worked or failed: [`read_report`].
    /// It does not block.
    pub report: OwnedFd,
}

/// Starts a workload, up to the point where its child walks alone.
///
/// The caller's descriptors 0 to 2 must be open (on anything), and what it
/// ignores of signals, the workload will: PID 1 ignores none, other modes call
/// [`process::default_signals`] first.
pub fn spawn<'c>(
    config: &'c Config,
    id: WorkloadId,
    stdio: &ChildStdio,
    space: &mut PlanSpace,
) -> Result<Launched, Failure<'c>> {
    let Some(workload) = config.workload(id) else {
        return Err(Failure::new(What::Command, c"", c"", Errno::EINVAL));
    };
    let root = failure::root_of(config, workload);
    let fail = |what| move |errno| Failure::new(what, c"", root, errno);
    if failure::command(config, workload).is_empty() {
        return Err(fail(What::Command)(Errno::EINVAL));
    }
    if !environment::fill(config, workload, &mut space.environment) {
        return Err(fail(What::Environment)(Errno::E2BIG));
    }

    let cgroup = cgroup::enter(config, id, workload, &mut space.cgroups)
        .map_err(|problem| Failure::new(problem.what(), problem.object(config, workload), root, problem.errno()))?;
    let circumstances =
        plan::Circumstances { cgroup: cgroup.is_some(), terminal: stdio.controlling_terminal };
    let plan = plan::plan(config, workload, circumstances).ok_or(fail(What::Volumes)(Errno::E2BIG))?;
    let trees = if workload.privileged {
        None
    } else {
        Some(Trees::open(config, workload, space.devices.map(BorrowedFd::from_number))?)
    };
    let descriptors = fail(What::Descriptors);
    let stdin = Above::new(stdio.stdin).map_err(descriptors)?;
    let stdout = Above::new(stdio.stdout).map_err(descriptors)?;
    let stderr = Above::new(stdio.stderr).map_err(descriptors)?;
    let (report, reporter) = io::pipe(io::PipeFlags::NonBlocking).map_err(descriptors)?;

    let cloned = process::clone(namespaces(plan.namespaces), cgroup.as_ref().map(OwnedFd::borrow));
    match cloned.map_err(fail(What::Clone))? {
        Cloned::Parent(pid) => Ok(Launched { pid, report }),
        Cloned::Child => child::run(
            &plan.steps,
            &child::Start {
                config,
                workload,
                trees: trees.as_ref(),
                stdio: [stdin.number(), stdout.number(), stderr.number()],
                environment: &space.environment,
                reporter: reporter.borrow(),
            },
        ),
    }
}

fn namespaces(wanted: plan::Namespaces) -> Namespaces {
    let when = |wanted: bool, flags: Namespaces| if wanted { flags } else { Namespaces::NONE };
    when(wanted.own_view, Namespaces::MOUNT | Namespaces::UTS | Namespaces::IPC)
        | when(wanted.pid, Namespaces::PID)
        | when(wanted.network, Namespaces::NETWORK)
}

/// A descriptor that is not among 0 to 2, where the child would overwrite it
/// before it has read it.
enum Above<'a> {
    Given(BorrowedFd<'a>),
    Copy(OwnedFd),
}

impl<'a> Above<'a> {
    fn new(fd: BorrowedFd<'a>) -> Result<Above<'a>, Errno> {
        if fd.number() > 2 { Ok(Above::Given(fd)) } else { fd.duplicate().map(Above::Copy) }
    }

    fn number(&self) -> i32 {
        match self {
            Above::Given(fd) => fd.number(),
            Above::Copy(fd) => fd.borrow().number(),
        }
    }
}

/// How far a start is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start<'c> {
    /// Nothing to read yet.
    Pending,
    /// The program runs, or the child was killed before it could: then its
    /// exit, which is reported as any other, says so.
    Executed,
    Failed(Failure<'c>),
}

/// Reads a child's report, once its descriptor is readable.
pub fn read_report<'c>(report: BorrowedFd, config: &'c Config, workload: &Workload) -> Start<'c> {
    let mut bytes = [0u8; REPORT];
    match io::read(report, &mut bytes) {
        Ok(0) => Start::Executed,
        Err(Errno::EAGAIN | Errno::EINTR) => Start::Pending,
        Ok(_) => match failure::decode(&bytes, config, workload) {
            Some(failure) => Start::Failed(failure),
            None => Start::Failed(Failure::new(What::Descriptors, c"", c"", Errno::EBADMSG)),
        },
        Err(errno) => Start::Failed(Failure::new(What::Descriptors, c"", c"", errno)),
    }
}
