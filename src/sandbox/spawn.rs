//! The parent's half of a start: open, clone, hand over. It never waits.

use super::dev::Dev;
use super::device_filter::{self, Rule};
use super::failure::{self, Failure, REPORT, What};
use super::trees::Trees;
use super::{child, environment, plan, seccomp, settle};
use crate::cgroup;
use crate::config::{Config, Workload, WorkloadId};
use crate::net::workload::go_home;
use crate::sys::process::{self, Cloned, Namespaces};
use crate::sys::{BorrowedFd, Errno, OwnedFd, bpf, children, fs, io};
use crate::warn;

/// What starts have in common. Zero at first, so it lives in `.bss`.
pub struct PlanSpace {
    pub(super) environment: environment::Block,
    cgroups: cgroup::Written,
    filter: seccomp::Program,
    /// That this kernel cannot guard devices was told.
    told_of_devices: bool,
}

impl PlanSpace {
    pub const EMPTY: PlanSpace = PlanSpace {
        environment: environment::Block::new(),
        cgroups: cgroup::Written::NONE,
        filter: seccomp::Program::EMPTY,
        told_of_devices: false,
    };

    /// After the config has changed: limits are written again at each next start.
    pub fn forget_limits(&mut self) {
        self.cgroups = cgroup::Written::NONE;
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

/// What a start has to reckon with besides the config.
#[derive(Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// See [`plan::Circumstances::keeps_groups`].
    pub keeps_groups: bool,
    /// See [`plan::Circumstances::foreground`].
    pub foreground: bool,
    /// Its network namespace, if it is one that is kept.
    pub network: Option<Home<'a>>,
}

/// A namespace to be born into, and the one that the parent goes back to.
#[derive(Clone, Copy)]
pub struct Home<'a> {
    pub own: BorrowedFd<'a>,
    pub machine: BorrowedFd<'a>,
}

/// The parent is in a workload's network namespace as long as it has this. The
/// child, which has it too and never returns, stays there.
struct Away<'a>(BorrowedFd<'a>);

impl<'a> Away<'a> {
    fn begin(home: Home<'a>) -> Result<Away<'a>, Failure> {
        process::enter_network(home.own).map_err(|errno| Failure::new(What::Network, errno))?;
        Ok(Away(home.machine))
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        go_home(self.0);
    }
}

/// What the child waits for: any byte.
const GO: &[u8] = b"!";

/// A child on its way.
pub struct Launched {
    pub pid: u32,
    /// Becomes readable when the start has worked or failed: [`read_report`].
    /// It does not block.
    pub report: OwnedFd,
}

/// Starts a workload, up to the point where its child walks alone.
///
/// The caller's descriptors 0 to 2 must be open (on anything), and what it
/// ignores of signals, the workload will: PID 1 ignores none, other modes call
/// [`process::default_signals`] first.
pub fn spawn(
    config: &Config,
    id: WorkloadId,
    stdio: &ChildStdio,
    conditions: Conditions,
    space: &mut PlanSpace,
) -> Result<Launched, Failure> {
    let fail = |what| move |errno| Failure::new(what, errno);
    let workload = config.workload(id).ok_or(Failure::new(What::Command, Errno::EINVAL))?;
    if workload.network.is_connected() && conditions.network.is_none() {
        return Err(Failure::new(What::Network, Errno::EOPNOTSUPP));
    }
    if failure::command(config, workload).is_empty() {
        return Err(Failure::new(What::Command, Errno::EINVAL));
    }
    if !environment::fill(config, workload, &mut space.environment) {
        return Err(Failure::new(What::Environment, Errno::E2BIG));
    }
    if plan::has_filter(workload) && !seccomp::compile(config, workload, &mut space.filter) {
        return Err(Failure::new(What::Seccomp, Errno::E2BIG));
    }
    let cgroup = enter_cgroup(config, id, workload, &mut space.cgroups)?;
    let away = conditions.network.map(Away::begin).transpose()?;
    let trees = if workload.privileged { None } else { Some(Trees::open(config, workload)?) };
    let circumstances = plan::Circumstances {
        cgroup: cgroup.is_some(),
        terminal: stdio.controlling_terminal,
        device_files: trees.as_ref().is_some_and(|trees| trees.dev.lacks_files),
        keeps_groups: conditions.keeps_groups,
        foreground: conditions.foreground,
    };
    let plan =
        plan::plan(config, workload, circumstances).ok_or(Failure::new(What::Volumes, Errno::E2BIG))?;

    let above = |fd| Above::new(fd).map_err(fail(What::Descriptors));
    let (stdin, stdout, stderr) = (above(stdio.stdin)?, above(stdio.stdout)?, above(stdio.stderr)?);
    if let (Some(trees), Some(cgroup)) = (&trees, &cgroup) {
        guard_devices(workload, stdio, &trees.dev, cgroup.borrow(), &mut space.told_of_devices)?;
    }
    settle::own_pipes(workload, stdio).map_err(fail(What::Stdio))?;
    let (report, reporter) = io::socket_pair().map_err(fail(What::Descriptors))?;

    let cloned = process::clone(namespaces(plan.namespaces), cgroup.as_ref().map(OwnedFd::borrow));
    match cloned.map_err(fail(What::Clone))? {
        Cloned::Parent(pid) => {
            drop(away);
            let settled = settle::settle(pid, config, workload, trees.as_ref())
                .and_then(|()| io::write(report.borrow(), GO).map(drop).map_err(fail(What::Descriptors)));
            if let Err(failure) = settled {
                // It waits, and will never be a workload. Whoever reaps orphans reaps it.
                let _ = children::kill(pid, libc::SIGKILL as u8);
                return Err(failure);
            }
            Ok(Launched { pid, report })
        }
        Cloned::Child => {
            // Or the parent's end would still be open when the parent is gone.
            drop(report);
            let start = child::Start {
                config,
                workload,
                trees: trees.as_ref(),
                has_cgroup: cgroup.is_some(),
                stdio: [stdin.number(), stdout.number(), stderr.number()],
                environment: &space.environment,
                filter: space.filter.instructions(),
                reporter: reporter.borrow(),
            };
            child::run(&plan.steps, &start)
        }
    }
}

/// Lets the workload's cgroup open the devices it was given, and those it is
/// started with, and no others.
fn guard_devices(
    workload: &Workload,
    stdio: &ChildStdio,
    dev: &Dev,
    cgroup: BorrowedFd,
    told: &mut bool,
) -> Result<(), Failure> {
    let streams = [stdio.stdin, stdio.stdout, stdio.stderr].into_iter().filter_map(|stream| {
        let stat = fs::stat(stream, c"", fs::Follow::No).ok().filter(fs::Stat::is_character_device)?;
        Some(Rule::character(stat.device.0, Some(stat.device.1)))
    });
    let program = device_filter::compile(&mut dev.rules().chain(streams)).ok_or(Errno::E2BIG);
    let attached = program.and_then(|program| {
        let program = bpf::load(bpf::Kind::DEVICE, &program)?;
        bpf::attach(bpf::Kind::DEVICE, program.borrow(), cgroup)
    });
    match attached {
        Ok(()) => Ok(()),
        // In a user namespace nobody makes a device, whatever capabilities he has there.
        Err(Errno::EPERM) if dev.lacks_files => Ok(()),
        // It has no way to a device: what it sees is nodev, and it makes and mounts none, or only
        // what its own user namespace lets it, which has no devices.
        Err(errno)
            if workload.devices.is_empty()
                && (workload.capabilities == 0 || plan::range(workload).is_some()) =>
        {
            if !*told {
                warn!("this kernel does not guard devices (CONFIG_CGROUP_BPF): ", errno);
                *told = true;
            }
            Ok(())
        }
        Err(errno) => Err(Failure::new(What::DeviceGuard, errno)),
    }
}

/// A workload without limits of its own may run on a machine without cgroups.
fn enter_cgroup(
    config: &Config,
    id: WorkloadId,
    workload: &Workload,
    written: &mut cgroup::Written,
) -> Result<Option<OwnedFd>, Failure> {
    cgroup::enter(config, id, workload, written).map_err(|problem| match problem {
        cgroup::Problem::Absent => Failure::new(What::NoCgroup, Errno::ENOENT),
        cgroup::Problem::Directory(errno) => Failure::new(What::Cgroup, errno),
        cgroup::Problem::Limit { limit, errno } => Failure { what: What::Limit, index: limit as u16, errno },
    })
}

fn namespaces(wanted: plan::Namespaces) -> Namespaces {
    let when = |wanted: bool, flags: Namespaces| if wanted { flags } else { Namespaces::NONE };
    when(wanted.users, Namespaces::USER)
        | when(wanted.own_view, Namespaces::MOUNT | Namespaces::UTS | Namespaces::IPC)
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

/// What a child has reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reported {
    /// Nothing yet.
    Nothing,
    /// The program runs, or the child was killed before it could: then its
    /// exit, which is reported as any other, says so.
    Executed,
    Failed(Failure),
}

/// Reads a child's report, once its descriptor is readable. It does not block.
pub fn read_report(report: BorrowedFd) -> Reported {
    let mut bytes = [0u8; REPORT];
    match io::receive_now(report, &mut bytes) {
        Ok(0) | Err(Errno::ECONNRESET) => Reported::Executed,
        Err(Errno::EAGAIN | Errno::EINTR) => Reported::Nothing,
        Ok(_) => {
            let garbled = Failure::new(What::Descriptors, Errno::EBADMSG);
            Reported::Failed(failure::decode(&bytes).unwrap_or(garbled))
        }
        Err(errno) => Reported::Failed(Failure::new(What::Descriptors, errno)),
    }
}
