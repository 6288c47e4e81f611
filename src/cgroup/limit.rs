//! A workload's directory and its limits.

use crate::config::{Config, Limits, Workload, WorkloadId};
use crate::limits;
use crate::sys::fs::{self, Follow, Open};
use crate::sys::{BorrowedFd, Errno, OwnedFd};
use crate::text::Text;
use crate::{put, warn};
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

/// The files a limit is written to, in the order of writing.
static FILES: [(&CStr, Kind); 9] = [
    (c"memory.max", Kind::Memory),
    (c"memory.high", Kind::MemoryHigh),
    (c"memory.swap.max", Kind::Swap),
    (c"cpu.max", Kind::Cpu),
    (c"cpu.weight", Kind::CpuWeight),
    (c"cpuset.cpus", Kind::Cpus),
    (c"cpuset.mems", Kind::Mems),
    (c"pids.max", Kind::Pids),
    (c"memory.oom.group", Kind::OomGroup),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Memory,
    MemoryHigh,
    Swap,
    Cpu,
    CpuWeight,
    Cpus,
    Mems,
    Pids,
    /// Not a limit: at an out-of-memory all of the workload ends, never half of it.
    OomGroup,
}

/// The file of a [`Problem::Limit`].
pub fn limit_name(index: usize) -> &'static CStr {
    FILES.get(index).map_or(c"?", |(file, _)| file)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value<'c> {
    Number(u64),
    /// Microseconds of each period.
    Quota(u32),
    List(&'c [u8]),
}

/// The kernel's own period for cpu.max, in microseconds.
const PERIOD: u32 = 100_000;

impl Kind {
    fn value<'c>(self, config: &'c Config, limits: &Limits) -> Option<Value<'c>> {
        match self {
            Kind::Memory => limits.memory.map(Value::Number),
            Kind::MemoryHigh => limits.memory_high.map(Value::Number),
            Kind::Swap => limits.swap.map(Value::Number),
            Kind::Cpu => limits.cpu.map(Value::Quota),
            Kind::CpuWeight => limits.cpu_weight.map(|weight| Value::Number(weight.into())),
            Kind::Cpus => limits.cpus.map(|list| Value::List(config.bytes(list))),
            Kind::Mems => limits.mems.map(|list| Value::List(config.bytes(list))),
            Kind::Pids => limits.pids.map(|pids| Value::Number(pids.into())),
            Kind::OomGroup => Some(Value::Number(1)),
        }
    }

    /// Whether a config has asked for it, rather than corm's own defaults.
    fn is_asked_for(self, config: &Config, limits: &Limits) -> bool {
        match self {
            Kind::OomGroup => false,
            _ => self.value(config, limits) != self.value(config, &Limits::DEFAULT),
        }
    }
}

/// Which workloads' limits this process has written.
pub struct Written([u64; limits::WORKLOADS.div_ceil(64)]);

impl Written {
    pub const NONE: Written = Written([0; limits::WORKLOADS.div_ceil(64)]);

    fn bit(&mut self, id: WorkloadId) -> Option<(&mut u64, u64)> {
        let bit = 1u64.wrapping_shl((id.0 % 64).into());
        self.0.get_mut(usize::from(id.0 / 64)).map(|word| (word, bit))
    }

    fn has(&mut self, id: WorkloadId) -> bool {
        self.bit(id).is_some_and(|(word, bit)| *word & bit != 0)
    }

    fn set(&mut self, id: WorkloadId) {
        if let Some((word, bit)) = self.bit(id) {
            *word |= bit;
        }
    }
}

/// Why a workload has no cgroup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// There is no cgroup v2, and the workload has limits.
    Absent,
    Directory(Errno),
    /// See [`limit_name`].
    Limit {
        index: u16,
        errno: Errno,
    },
}

/// The directory of a workload's cgroup, for CLONE_INTO_CGROUP, with its
/// limits in force. `None`: this machine has no cgroup v2, of which whoever
/// looked for it has told, and the workload asks for nothing that needs it.
pub fn enter(
    config: &Config,
    id: WorkloadId,
    workload: &Workload,
    written: &mut Written,
) -> Result<Option<OwnedFd>, Problem> {
    // Elsewhere the same path may be a tmpfs, which would take a directory too.
    if fs::stat(BorrowedFd::CWD, c"/sys/fs/cgroup/cgroup.controllers", Follow::No).is_err() {
        if FILES.iter().any(|(_, kind)| kind.is_asked_for(config, &workload.limits)) {
            return Err(Problem::Absent);
        }
        return Ok(None);
    }
    let (directory, new) = make(config, id).map_err(Problem::Directory)?;
    if new || !written.has(id) {
        if let Err(problem) = write_limits(directory.borrow(), config, &workload.limits) {
            // Never to be taken for one with limits. If it cannot go, `written` still says no.
            let _ = super::remove(config, id);
            return Err(problem);
        }
        written.set(id);
    }
    Ok(Some(directory))
}

/// The directory of a workload that runs, if it has one.
pub fn open(config: &Config, id: WorkloadId) -> Option<OwnedFd> {
    let mut path = super::path(config, id, "");
    fs::open(BorrowedFd::CWD, super::c_str(&mut path).ok()?, Open::PATH | Open::DIRECTORY | Open::NO_FOLLOW)
        .ok()
}

/// The directory, and whether it was made just now.
fn make(config: &Config, id: WorkloadId) -> Result<(OwnedFd, bool), Errno> {
    let mut path = super::path(config, id, "");
    let path = super::c_str(&mut path)?;
    let new = match fs::make_directory(BorrowedFd::CWD, path, 0o755) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => return Err(errno),
    };
    let directory = fs::open(BorrowedFd::CWD, path, Open::PATH | Open::DIRECTORY | Open::NO_FOLLOW)?;
    Ok((directory, new))
}

fn write_limits(directory: BorrowedFd, config: &Config, limits: &Limits) -> Result<(), Problem> {
    for ((file, kind), index) in FILES.iter().zip(0u16..) {
        let Some(value) = kind.value(config, limits) else { continue };
        match write(directory, file, value) {
            Ok(()) => {}
            Err(Errno::ENOENT) if *kind == Kind::OomGroup => {}
            Err(Errno::ENOENT) if !kind.is_asked_for(config, limits) => {
                warn_once(&NO_PIDS, "this kernel cannot limit processes (CONFIG_CGROUP_PIDS): no pids limit");
            }
            Err(errno) => return Err(Problem::Limit { index, errno }),
        }
    }
    Ok(())
}

fn write(directory: BorrowedFd, file: &CStr, value: Value) -> Result<(), Errno> {
    let mut text = Text::<{ limits::PATH }>::new();
    match value {
        Value::List(list) => return fs::write_file(directory, file, list),
        Value::Number(number) => put!(text, number),
        Value::Quota(quota) => put!(text, quota, " ", PERIOD),
    }
    fs::write_file(directory, file, text.as_bytes())
}

static NO_PIDS: AtomicBool = AtomicBool::new(false);

fn warn_once(said: &AtomicBool, line: &str) {
    if !said.swap(true, Ordering::Relaxed) {
        warn!(line);
    }
}
