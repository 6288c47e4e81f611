//! The keys of a config: one table a section.
//!
//! A key is a name, the [`Form`] of its value and what becomes of it. The reader
//! walks these tables, suggestions for misspelt keys come from them, and
//! `docs/config.md` is compared with them by a test. The sentence that explains
//! each key is here too, in a second table that nothing on the device refers to,
//! so the linker drops it there.

use super::form::{Form, Words, words};

/// What becomes of a key's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// Checked, and then refused: its effect comes with a later version.
    NotYet,
    /// Checked, and that is all: part of something that is refused as a whole.
    Checked,
    /// A table whose keys are walked.
    Walk(Section),
    /// A table whose keys are walked, and which is then refused.
    WalkNotYet(Section),
    /// Tables in an array, which is then refused.
    Io,
    Mounts,
    Networks,
    Workloads,
    Hostname,
    Modules,
    Sysctl,
    OnFailure,
    Poweroff,
    ExitWith,
    ExitReport,
    Rescue,
    MountSource,
    MountType,
    MountOptions,
    MountRequired,
    Address,
    Gateway,
    Command,
    RootDirectory,
    User,
    Env,
    Directory,
    Restart,
    After,
    Ready,
    Critical,
    Privileged,
    Early,
    Stdio,
    Volumes,
    BackoffFirst,
    BackoffMost,
    BackoffReset,
    StopSignal,
    StopTimeout,
    Stdin,
    Stdout,
    Stderr,
    Memory,
    MemoryHigh,
    Swap,
    Cpu,
    CpuWeight,
    Cpus,
    Mems,
    Pids,
    Files,
    Core,
    Stack,
    LockedMemory,
    FileSize,
    VolumeTmpfs,
    VolumeSource,
    VolumeWritable,
    NetworkMode,
    PidNamespace,
    Capabilities,
}

/// What is known of a section.
struct Table {
    /// The table as a person finds it in a file.
    title: &'static str,
    /// Names of keys, each with a space behind it.
    names: &'static str,
    /// The same keys' forms and uses.
    keys: &'static [(Form, Use)],
}

impl Section {
    fn table(self) -> &'static Table {
        const NONE: &Table = &Table { title: "", names: "", keys: &[] };
        TABLES.get(self as usize).unwrap_or(NONE)
    }

    pub fn title(self) -> &'static str {
        self.table().title
    }

    pub fn names(self) -> Words {
        words(self.table().names)
    }

    /// The form and use of the key with that name.
    pub fn key(self, name: &[u8]) -> Option<(Form, Use)> {
        let index = self.names().position(|known| known == name)?;
        self.table().keys.get(index).copied()
    }
}

macro_rules! sections {
    ($($section:ident $title:literal { $($name:literal $form:ident, $used:expr, $help:literal;)* })*) => {
        /// A kind of table.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(super) enum Section {
            $($section,)*
        }

        static TABLES: &[Table] = &[$(Table {
            title: $title,
            names: concat!($($name, " "),*),
            keys: &[$((Form::$form, $used)),*],
        }),*];

        impl Section {
            #[cfg(test)]
            pub const ALL: &[Section] = &[$(Section::$section),*];

            /// What each key does, in the order of [`names`](Self::names).
            #[cfg(test)]
            pub fn help(self) -> &'static [&'static str] {
                match self { $(Section::$section => &[$($help),*],)* }
            }
        }
    };
}

/// Tables of a workload, where a key that is unknown elsewhere may belong.
pub(super) const OF_WORKLOAD: &[Section] = &[
    Section::Workload,
    Section::Limits,
    Section::Security,
    Section::Connection,
    Section::Namespaces,
    Section::Stop,
    Section::Backoff,
];

use Use::*;

sections! {
    Top "The tables" {
        "system" Table, Walk(Section::System), "The machine itself.";
        "root" Table, WalkNotYet(Section::Root), "Leave the initramfs for this root.";
        "mount" Table, Mounts, "Filesystems, by the path they are mounted on.";
        "network" Table, Networks, "Interfaces, by name.";
        "workload" Table, Workloads, "What runs here, by name.";
    }
    System "[system]" {
        "hostname" Hostname, Hostname, "The machine's name.";
        "modules" Modules, Modules, "Kernel modules to load, each with what it depends on.";
        "sysctl" Sysctl, Sysctl, "Kernel settings: `\"kernel.panic\" = 10` writes /proc/sys/kernel/panic.";
        "watchdog" Table, WalkNotYet(Section::Watchdog), "The hardware watchdog to feed.";
        "on-failure" OnFailure, OnFailure, "What a failed boot, or a critical workload that gave up, leads to.";
        "poweroff" Poweroff, Poweroff, "How this board is powered off: some only come back from `reboot`.";
        "exit-with" Name, ExitWith, "When this workload has ended for good, the machine ends.";
        "exit-report" Device, ExitReport, "The character device that workload's exit status is written to.";
        "rescue" Command, Rescue, "The program of `on-failure = \"rescue\"`.";
    }
    Watchdog "[system.watchdog]" {
        "device" Device, Checked, "Its device node.";
        "timeout" Duration, Checked, "It resets the machine after so long without corm.";
    }
    Root "[root]" {
        "source" Source, Checked, "The filesystem to go to.";
        "type" Name, Checked, "Its type.";
        "overlay" Overlay, Checked, "A tmpfs above it makes it writable until the next boot.";
    }
    Mount "[mount.\"/path\"]" {
        "source" Source, MountSource, "A device node, or the filesystem's name if it has none.";
        "type" Name, MountType, "Filesystem type, as in /proc/filesystems.";
        "options" Options, MountOptions, "nosuid, nodev, noexec, ro, noatime, …; the rest goes to the filesystem.";
        "required" Boolean, MountRequired, "A boot without it has failed.";
    }
    Interface "[network.NAME]" {
        "address" Address, Address, "IPv4 address and prefix length.";
        "gateway" Gateway, Gateway, "The router of the default route.";
        "bridge" Boolean, NotYet, "Make this interface, a bridge.";
        "masquerade" Boolean, NotYet, "What comes from this interface leaves with the machine's address.";
    }
    Workload "[workload.NAME]" {
        "command" Command, Command, "Program and arguments. The program is a path inside `root`.";
        "root" RootDirectory, RootDirectory, "A directory of the machine, seen read-only, or \"scratch\".";
        "overlay" Overlay, NotYet, "A tmpfs above `root` makes it writable.";
        "user" User, User, "Whom it runs as: its own id, or these.";
        "env" Env, Env, "Environment variables.";
        "directory" Path, Directory, "Working directory, inside `root`.";
        "restart" Restart, Restart, "When to start it again.";
        "backoff" Table, Walk(Section::Backoff), "How long to wait before that.";
        "after" Names, After, "Start after these workloads are ready or have settled, stop before them.";
        "ready" Ready, Ready, "When it counts as ready.";
        "stop" Table, Walk(Section::Stop), "How to stop it.";
        "critical" Boolean, Critical, "Its giving up is the machine's failure (`system.on-failure`).";
        "privileged" Boolean, Privileged, "No walls: the machine's own root, namespaces and rights.";
        "early" Boolean, Early, "Start before modules are loaded and filesystems are mounted.";
        "init" Boolean, NotYet, "Give it corm's own small init as its process 1.";
        "stdio" Stdio, Stdio, "Where its input and output lead.";
        "limits" Table, Walk(Section::Limits), "What it may use up.";
        "volumes" Table, Volumes, "Directories inside its root, by path.";
        "network" Table, Walk(Section::Connection), "What network it sees.";
        "namespaces" Table, Walk(Section::Namespaces), "Which walls it shares with the machine.";
        "security" Table, Walk(Section::Security), "Rights it is given.";
    }
    Backoff "[workload.NAME.backoff]" {
        "first" Wait, BackoffFirst, "The wait before the first restart; it doubles from there.";
        "most" Wait, BackoffMost, "The longest wait.";
        "reset" Wait, BackoffReset, "A run of this long starts over with `first`.";
    }
    Stop "[workload.NAME.stop]" {
        "signal" Signal, StopSignal, "The signal that asks it to end.";
        "timeout" Duration, StopTimeout, "Until it is killed, with everything it started.";
    }
    Stdio "[workload.NAME.stdio]" {
        "stdin" Device, Stdin, "A character device of the machine.";
        "stdout" Device, Stdout, "A character device of the machine.";
        "stderr" Device, Stderr, "A character device of the machine.";
    }
    Limits "[workload.NAME.limits]" {
        "memory" SizeOrMax, Memory, "Memory it may hold (memory.max).";
        "memory-high" SizeOrMax, MemoryHigh, "Memory above which it is slowed down (memory.high).";
        "memory-low" Size, NotYet, "Memory that others do not take from it if they can (memory.low).";
        "memory-min" Size, NotYet, "Memory that others never take from it (memory.min).";
        "swap" SizeOrMax, Swap, "Swap it may hold (memory.swap.max).";
        "oom-group" Boolean, NotYet, "Out of memory kills all of it, not one process (memory.oom.group).";
        "cpu" Cpu, Cpu, "Processor time it may use (cpu.max).";
        "cpu-weight" Weight, CpuWeight, "Its share when processors are busy (cpu.weight).";
        "cpus" Cpuset, Cpus, "The processors it may run on (cpuset.cpus).";
        "mems" Cpuset, Mems, "The memory nodes it may use (cpuset.mems).";
        "io" Tables, Io, "Bandwidth of block devices (io.max).";
        "io-weight" Weight, NotYet, "Its share when a device is busy (io.weight).";
        "pids" CountOrMax, Pids, "Processes and threads it may have (pids.max).";
        "hugetlb" Table, NotYet, "Huge pages it may hold, by page size (hugetlb.*.max).";
        "files" CountOrMax, Files, "Open files a process may have (RLIMIT_NOFILE).";
        "core" SizeOrMax, Core, "Size of a core dump (RLIMIT_CORE).";
        "stack" SizeOrMax, Stack, "Size of a process's first stack (RLIMIT_STACK).";
        "locked-memory" SizeOrMax, LockedMemory, "Memory a process may lock (RLIMIT_MEMLOCK).";
        "file-size" SizeOrMax, FileSize, "Size of a file it may write (RLIMIT_FSIZE).";
    }
    Io "[workload.NAME.limits] io" {
        "device" Source, Checked, "A block device, or where it is mounted.";
        "read" Size, Checked, "Bytes a second.";
        "write" Size, Checked, "Bytes a second.";
        "read-operations" Count, Checked, "Operations a second.";
        "write-operations" Count, Checked, "Operations a second.";
    }
    Volume "[workload.NAME.volumes.\"/path\"]" {
        "tmpfs" Size, VolumeTmpfs, "An empty writable directory in memory, of at most this size.";
        "source" Path, VolumeSource, "A directory of the machine.";
        "writable" Boolean, VolumeWritable, "It may write there.";
        "mode" Count, NotYet, "Access rights of the tmpfs.";
        "exec" Boolean, NotYet, "It may execute what is there.";
    }
    Connection "[workload.NAME.network]" {
        "mode" NetworkMode, NetworkMode, "Its own namespace with only a loopback, or the machine's.";
        "bridge" Name, NotYet, "The bridge it is connected to.";
        "address" Address, NotYet, "Its address there.";
        "ports" Words, NotYet, "Ports of the machine that lead to it: \"8080:80/tcp\".";
    }
    Namespaces "[workload.NAME.namespaces]" {
        "pid" Sharing, PidNamespace, "Processes.";
        "mount" Sharing, NotYet, "Mounts.";
        "network" Sharing, NotYet, "Network.";
        "ipc" Sharing, NotYet, "System V IPC and POSIX message queues.";
        "uts" Sharing, NotYet, "Hostname.";
        "user" Sharing, NotYet, "User and group ids.";
        "cgroup" Sharing, NotYet, "The cgroup tree.";
        "time" Sharing, NotYet, "Clocks.";
    }
    Security "[workload.NAME.security]" {
        "capabilities" Words, Capabilities, "Capabilities it keeps.";
        "seccomp" Seccomp, NotYet, "System calls it may use.";
        "allow-bind" Words, NotYet, "TCP ports it may listen on.";
        "allow-connect" Words, NotYet, "TCP ports it may connect to.";
    }
}
