//! The parent's half of a start: open, clone, hand over. It never waits.

use super::birth::{Birth, joined, namespaces};
use super::dev::Dev;
use super::device_filter::{self, Rule};
use super::enter::Enter;
use super::failure::{self, Failure, REPORT, What};
use super::trees::Trees;
use super::{child, environment, landlock, plan, ports, seccomp, settle};
use crate::cgroup;
use crate::config::{Config, Workload, WorkloadId};
use crate::net::workload::go_home;
use crate::sys::bpf::Kind;
use crate::sys::landlock::Handled;
use crate::sys::process::{self, Namespaces};
use crate::sys::{self, BorrowedFd, Errno, OwnedFd, bpf, children, fs, io};
use crate::warn;

/// What starts have in common. Zero at first, so it lives in `.bss`.
pub struct PlanSpace {
    pub(super) environment: environment::Block,
    cgroups: cgroup::Written,
    filter: seccomp::Program,
    /// Landlock's version, once it was asked for.
    landlock: Option<u8>,
    /// That this kernel cannot guard devices was told.
    told_of_devices: bool,
}

impl PlanSpace {
    pub const EMPTY: PlanSpace = PlanSpace {
        environment: environment::Block::new(),
        cgroups: cgroup::Written::NONE,
        filter: seccomp::Program::EMPTY,
        landlock: None,
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
    /// What it has besides, and at which descriptor: where it says that it is ready.
    pub ready: Option<(BorrowedFd<'a>, u8)>,
}

/// What a start has to reckon with besides the config.
#[derive(Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// See [`plan::Circumstances::keeps_groups`].
    pub keeps_groups: bool,
    /// See [`plan::Circumstances::foreground`].
    pub foreground: bool,
    /// Its socket of [`notify_path`](super::notify_path) is there.
    pub notify: bool,
    /// The main process of the workload that it joins, if that runs.
    pub joined: Option<u32>,
    /// A workload that runs is entered, with another command than its own.
    pub enter: Option<&'a Enter<'a>>,
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
        process::enter(home.own, Namespaces::NETWORK).map_err(|errno| Failure::new(What::Network, errno))?;
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
    if failure::command(config, workload).is_empty() {
        return Err(Failure::new(What::Command, Errno::EINVAL));
    }
    if !environment::fill(config, workload, conditions.notify, &mut space.environment) {
        return Err(Failure::new(What::Environment, Errno::E2BIG));
    }
    if plan::has_filter(workload) && !seccomp::compile(config, workload, &mut space.filter) {
        return Err(Failure::new(What::Seccomp, Errno::E2BIG));
    }
    let cgroup = match conditions.enter {
        // Its limits are in force.
        Some(_) => cgroup::open(config, id),
        None => enter_cgroup(config, id, workload, &mut space.cgroups)?,
    };
    let away = conditions.network.map(Away::begin).transpose()?;
    let trees = if workload.privileged || conditions.enter.is_some() {
        None
    } else {
        Some(Trees::open(config, workload, conditions.notify)?)
    };
    let version = *space.landlock.get_or_insert_with(sys::landlock::version);
    let handled = landlock::handled(config, workload, version);
    let handled = handled.ok_or(Failure::new(What::Landlock, Errno::ENOSYS))?;
    if conditions.enter.is_none() {
        guard_ports(config, workload, cgroup.as_ref(), handled)?;
    }
    let circumstances = plan::Circumstances {
        cgroup: cgroup.is_some(),
        terminal: stdio.controlling_terminal,
        device_files: trees.as_ref().is_some_and(|trees| trees.dev.lacks_files),
        keeps_groups: conditions.keeps_groups,
        landlock: handled != Handled::default(),
        foreground: conditions.foreground,
        notify: conditions.notify,
        ready: stdio.ready.is_some(),
        enter: conditions.enter.is_some(),
    };
    let plan =
        plan::plan(config, workload, circumstances).ok_or(Failure::new(What::Volumes, Errno::E2BIG))?;

    let above = |fd| Above::new(fd).map_err(fail(What::Descriptors));
    let (stdin, stdout, stderr) = (above(stdio.stdin)?, above(stdio.stdout)?, above(stdio.stderr)?);
    if let Some(trees) = &trees {
        guard_devices(workload, stdio, &trees.dev, cgroup.as_ref(), &mut space.told_of_devices)?;
    }
    settle::own_pipes(workload, stdio).map_err(fail(What::Stdio))?;
    let (report, mut reporter) = io::socket_pair().map_err(fail(What::Descriptors))?;
    let mut ready = None;
    if let Some((fd, number)) = stdio.ready {
        let number = i32::from(number);
        // That number is the child's to fill: what it still needs then is at others.
        let spare = reporter.borrow().duplicate().map_err(fail(What::Descriptors))?;
        if reporter.borrow().number() == number {
            reporter = spare;
        }
        let copy = fd.duplicate().map_err(fail(What::Descriptors))?;
        ready = Some((copy, number));
    }

    if workload.join.is_some_and(|other| config.workload(other).is_none()) {
        return Err(Failure::new(What::Join, Errno::EINVAL));
    }
    let cgroup = cgroup.as_ref().map(OwnedFd::borrow);
    let new = match conditions.enter {
        None => Birth {
            namespaces: namespaces(plan.namespaces),
            time: plan.namespaces.time,
            join: workload.join.map(|_| (conditions.joined, joined(workload))),
            cgroup,
        },
        Some(enter) => {
            enter.enter_pids().map_err(fail(What::Enter))?;
            Birth { namespaces: Namespaces::NONE, time: false, join: None, cgroup }
        }
    };
    let pid = new.bear(&|| {
        // Or the parent's end would still be open when the parent is gone.
        drop(OwnedFd::from_number(report.borrow().number()));
        let start = child::Start {
            config,
            workload,
            trees: trees.as_ref(),
            has_cgroup: circumstances.cgroup,
            stdio: [stdin.number(), stdout.number(), stderr.number()],
            environment: &space.environment,
            filter: space.filter.instructions(),
            handled,
            reporter: reporter.borrow(),
            ready: ready.as_ref().map(|(fd, number)| (fd.borrow(), *number)),
            enter: conditions.enter,
        };
        child::run(&plan.steps, &start)
    })?;
    drop(away);
    let settled = settle::settle(pid, config, workload, trees.as_ref())
        .and_then(|()| io::write(report.borrow(), GO).map(drop).map_err(fail(What::Descriptors)));
    match settled {
        // If it was killed meanwhile, by its memory limit, then its exit says so.
        Err(failure) if failure.errno != Errno::ESRCH => {
            // It waits, and will never be a workload. Whoever reaps orphans reaps it.
            let _ = children::kill(pid, libc::SIGKILL as u8);
            Err(failure)
        }
        _ => Ok(Launched { pid, report }),
    }
}

/// Attaches programs to its cgroup that know its ports. Landlock alone will do too.
fn guard_ports(
    config: &Config,
    workload: &Workload,
    cgroup: Option<&OwnedFd>,
    handled: Handled,
) -> Result<(), Failure> {
    let lists = [
        (workload.allow_bind, [Kind::BIND_4, Kind::BIND_6]),
        (workload.allow_connect, [Kind::CONNECT_4, Kind::CONNECT_6]),
    ];
    let attach = |list, kinds: [Kind; 2]| {
        let program = ports::compile(&mut ports::ranges(config, Some(list))).ok_or(Errno::E2BIG)?;
        let cgroup = cgroup.ok_or(Errno::ENOENT)?;
        kinds.into_iter().try_for_each(|kind| {
            let program = bpf::load(kind, &program)?;
            bpf::attach(kind, program.borrow(), cgroup.borrow())
        })
    };
    for (list, kinds) in lists {
        match list.map_or(Ok(()), |list| attach(list, kinds)) {
            Err(errno) if handled.ports == 0 => return Err(Failure::new(What::Ports, errno)),
            _ => {}
        }
    }
    Ok(())
}

/// Lets the workload's cgroup open the devices it was given, and those it is
/// started with, and no others.
fn guard_devices(
    workload: &Workload,
    stdio: &ChildStdio,
    dev: &Dev,
    cgroup: Option<&OwnedFd>,
    told: &mut bool,
) -> Result<(), Failure> {
    /// What makes devices, and mounts filesystems that have some: CAP_SYS_ADMIN and CAP_MKNOD.
    const MAKES_DEVICES: u64 = 1 << 21 | 1 << 27;
    let streams = [stdio.stdin, stdio.stdout, stdio.stderr].into_iter().filter_map(|stream| {
        let stat = fs::stat_of(stream).ok().filter(fs::Stat::is_character_device)?;
        Some(Rule::character(stat.device.0, Some(stat.device.1)))
    });
    let program = device_filter::compile(&mut dev.rules().chain(streams)).ok_or(Errno::E2BIG);
    let attached = program.and_then(|program| {
        let cgroup = cgroup.ok_or(Errno::ENOENT)?;
        let program = bpf::load(bpf::Kind::DEVICE, &program)?;
        bpf::attach(bpf::Kind::DEVICE, program.borrow(), cgroup.borrow())
    });
    match attached {
        Ok(()) => Ok(()),
        // In a user namespace nobody makes a device, whatever capabilities he has there.
        Err(Errno::EPERM | Errno::ENOENT) if dev.lacks_files => Ok(()),
        // Without cgroups there is a line about that.
        Err(Errno::ENOENT)
            if workload.devices.is_empty()
                && (workload.capabilities & MAKES_DEVICES == 0 || plan::range(workload).is_some()) =>
        {
            Ok(())
        }
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
