//! What a workload can be limited in: one table for the reader, the cgroup and the child.
//!
//! A workload has few of these limits, so they are not fields but a list of
//! [`Setting`]s: which limit, and a number in the unit that the kernel takes. Their
//! order here is that of the keys in [`schema`](super::schema), and a limit's name is
//! what a person is told when the kernel does not take it: the file of its cgroup,
//! or else its key.

use super::types::{Config, List, Str, Workload};
use crate::text::words;

/// One limit of one workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    pub limit: Limit,
    pub value: u64,
}

/// The value of a limit that is lifted ("max"). To setrlimit(2) it is RLIM_INFINITY.
pub const MAX: u64 = u64::MAX;

macro_rules! limits {
    ($($limit:ident $name:literal)*) => {
        /// In groups, each with its first and last name below.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum Limit {
            $($limit),*
        }

        impl Limit {
            pub const ALL: &[Limit] = &[$(Limit::$limit),*];
        }

        const NAMES: &str = concat!($($name, " "),*);
    };
}

limits! {
    // Files of the cgroup, written before the first start.
    Memory "memory.max"
    MemoryHigh "memory.high"
    MemoryLow "memory.low"
    MemoryMin "memory.min"
    Swap "memory.swap.max"
    OomGroup "memory.oom.group"
    Cpu "cpu.max"
    CpuWeight "cpu.weight"
    Cpus "cpuset.cpus"
    Mems "cpuset.mems"
    IoWeight "io.weight"
    Pids "pids.max"
    Huge64K "hugetlb.64KB.max"
    Huge2M "hugetlb.2MB.max"
    Huge32M "hugetlb.32MB.max"
    Huge512M "hugetlb.512MB.max"
    Huge1G "hugetlb.1GB.max"
    Huge16G "hugetlb.16GB.max"
    // Files of the cgroup that tell of pressure: watched, see `init::watch`.
    MemoryPressure "memory.pressure"
    CpuPressure "cpu.pressure"
    IoPressure "io.pressure"
    // setrlimit(2), in the order of its numbers.
    CpuTime "cpu-time"
    FileSize "file-size"
    Data "data"
    Stack "stack"
    Core "core"
    ResidentMemory "resident-memory"
    Processes "processes"
    Files "files"
    LockedMemory "locked-memory"
    AddressSpace "address-space"
    FileLocks "file-locks"
    PendingSignals "pending-signals"
    MessageQueues "message-queues"
    NiceCeiling "nice-ceiling"
    RealtimePriority "realtime-priority"
    RealtimeTime "realtime-time"
    // What else a process passes on to those it makes.
    OomScore "oom-score"
    Nice "nice"
    IoPriority "io-priority"
    Scheduler "scheduler"
    // io.max: a device, and what holds for it, one after the other.
    IoDevice "io.max"
    IoRead "io.max"
    IoWrite "io.max"
    IoReadOperations "io.max"
    IoWriteOperations "io.max"
}

impl Limit {
    /// A file of the cgroup, or a key.
    pub fn name(self) -> &'static [u8] {
        words(NAMES.as_bytes(), b' ').nth(self as usize).unwrap_or(b"?")
    }

    /// Is it written to the cgroup?
    pub fn is_of_cgroup(self) -> bool {
        self <= Limit::Huge16G || Limit::IoDevice <= self
    }

    /// Is it the child that sets it, on itself?
    pub fn is_of_process(self) -> bool {
        Limit::CpuTime <= self && self <= Limit::Scheduler
    }

    /// Its number to setrlimit(2), the same on the three architectures.
    pub fn resource(self) -> Option<u32> {
        let number = (self as u32).checked_sub(Limit::CpuTime as u32)?;
        (self <= Limit::RealtimeTime).then_some(number)
    }

    /// What it is where the config says nothing; `None`: as the machine has it.
    pub fn default(self) -> Option<u64> {
        match self {
            Limit::Pids => Some(512),
            Limit::Files => Some(1024),
            Limit::Core => Some(0),
            // Out of memory, all of a workload ends, never half of it.
            Limit::OomGroup => Some(1),
            _ => None,
        }
    }

    /// A number of the config in the kernel's unit.
    pub(super) fn in_kernels_unit(self, value: u64) -> u64 {
        match self {
            // Milliseconds: RLIMIT_CPU has seconds, RLIMIT_RTTIME microseconds.
            Limit::CpuTime => value.div_ceil(1000),
            Limit::RealtimeTime => value.saturating_mul(1000),
            // See `Form::Nice`: RLIMIT_NICE counts from the other end.
            Limit::NiceCeiling => 40u64.saturating_sub(value),
            // RLIMIT_NOFILE ends at fs.nr_open, which is this unless somebody changed it.
            Limit::Files if value == MAX => 1 << 20,
            _ => value,
        }
    }
}

impl Config {
    pub fn settings(&self, list: List<Setting>) -> &[Setting] {
        let start = list.start as usize;
        self.limits.get(start..start.saturating_add(list.len as usize)).unwrap_or(&[])
    }

    /// What a limit is set to; `None`: it is not set. Lifted, it is [`MAX`].
    pub fn setting(&self, workload: &Workload, limit: Limit) -> Option<u64> {
        self.settings(workload.limits).iter().find(|setting| setting.limit == limit).map(|it| it.value)
    }

    /// A limit that there is.
    pub fn limit(&self, workload: &Workload, limit: Limit) -> Option<u64> {
        self.setting(workload, limit).filter(|value| *value != MAX)
    }
}

impl Setting {
    /// The text that it is: a list of numbers, or a device.
    pub fn text(self) -> Str {
        Str::unpacked(self.value)
    }
}
