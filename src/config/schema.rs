//! The keys of a config: one table a section.
//!
//! A key is a name, the [`Form`] of its value and which [`Key`] it is to the
//! reader. The reader walks these tables, suggestions for misspelt keys come from
//! them, and `docs/config.md` is compared with them by a test. The sentence that
//! explains each key is here too, in a second table that nothing on the device
//! refers to, so the linker drops it there.

use super::form::{Form, line};
use crate::text::{word_index, words};

/// What a key is to the reader: where its value is kept until the part of the
/// config it is in is complete. Their order is used: the first ones are also the
/// sections, in the order of the tables below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
#[repr(u8)]
pub(super) enum Key {
    Top,
    // Tables of tables by name.
    Mount,
    Interface,
    Volume,
    Io,
    Workload,
    // Tables that are walked where they are found. Up to `Backoff`, a key that is
    // unknown elsewhere may belong here.
    Limits,
    HugePages,
    Security,
    Seccomp,
    Connection,
    Namespaces,
    Stop,
    Backoff,
    Stdio,
    Ready,
    Log,
    System,
    // From here on: checked, and then refused, because the effect comes with a later version.
    Watchdog,
    Root,
    NotYet,
    /// Checked, and that is all: part of something that is refused as a whole.
    Checked,
    ControlGroup,
    LogRing,
    LogKernel,
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
    Routes,
    Mtu,
    Mac,
    MakeBridge,
    Vlan,
    Link,
    Masquerade,
    Bridge,
    Macvlan,
    Ipvlan,
    Moved,
    Ports,
    Egress,
    Open,
    Command,
    RootDirectory,
    Overlay,
    User,
    Env,
    Directory,
    Restart,
    After,
    Needs,
    StartTimeout,
    Alive,
    ReadyDescriptor,
    ReadyTcp,
    ProbePeriod,
    ProbeTimeout,
    ProbeThreshold,
    Critical,
    Privileged,
    Early,
    Init,
    BackoffFirst,
    BackoffMost,
    BackoffReset,
    BackoffJitter,
    BackoffBurst,
    BackoffWithin,
    StopSignals,
    StopTimeout,
    Stdin,
    Stdout,
    Stderr,
    // Limits, in the order of `Limit`.
    Memory,
    MemoryHigh,
    MemoryLow,
    MemoryMin,
    Swap,
    OomGroup,
    Cpu,
    CpuWeight,
    Cpus,
    Mems,
    IoWeight,
    Pids,
    Huge64K,
    Huge2M,
    Huge32M,
    Huge512M,
    Huge1G,
    Huge16G,
    MemoryPressure,
    CpuPressure,
    IoPressure,
    CpuTime,
    FileSize,
    Data,
    Stack,
    Core,
    ResidentMemory,
    Processes,
    Files,
    LockedMemory,
    AddressSpace,
    FileLocks,
    PendingSignals,
    MessageQueues,
    NiceCeiling,
    RealtimePriority,
    RealtimeTime,
    OomScore,
    Nice,
    IoPriority,
    Scheduler,
    NetworkMode,
    // In the order of the bits of `Spaces`.
    PidNamespace,
    IpcNamespace,
    UtsNamespace,
    UserNamespace,
    CgroupNamespace,
    TimeNamespace,
    MountNamespace,
    Join,
    Devices,
    Capabilities,
    Masks,
    Allow,
    Deny,
    Refusal,
    Landlock,
    AllowBind,
    AllowConnect,
    // Of one device or volume: read while what is above is kept.
    IoDevice,
    IoRead,
    IoWrite,
    IoReadOperations,
    IoWriteOperations,
    VolumeTmpfs,
    VolumeSource,
    VolumeWritable,
    VolumeExec,
    VolumeMode,
    VolumeOwner,
}

impl Key {
    /// How many there are.
    pub const COUNT: usize = Key::VolumeOwner as usize + 1;

    /// Is it a table whose keys are walked as soon as it is found?
    pub fn is_walked(self) -> bool {
        Key::Limits <= self && self <= Key::Root
    }

    pub fn is_refused(self) -> bool {
        Key::Watchdog <= self && self <= Key::NotYet
    }

    /// The names of a section's keys.
    pub fn names(self) -> &'static [u8] {
        line(NAMES.as_bytes(), self as u8)
    }

    /// The section's key with that name: the form of its value, and what it is.
    pub fn key(self, name: &[u8]) -> Option<(Form, Key)> {
        let index = word_index(self.names(), b' ', name)?;
        KEYS.get(index.saturating_add(self.first())).copied()
    }

    /// Where the section's keys start in [`KEYS`].
    fn first(self) -> usize {
        STARTS.get(self as usize).copied().unwrap_or(0).into()
    }

    /// The section of workloads that has a key of that name: the name of its
    /// table, nothing for the workload's own.
    pub fn home(name: &[u8]) -> Option<&'static [u8]> {
        if Key::Workload.key(name).is_some() {
            return Some(&[]);
        }
        let keys = KEYS.get(Key::Workload.first()..).unwrap_or(&[]);
        let tables = words(Key::Workload.names(), b' ').zip(keys);
        for (table, (_, section)) in tables {
            if Key::Limits <= *section && *section <= Key::Backoff && section.key(name).is_some() {
                return Some(table);
            }
        }
        None
    }
}

macro_rules! sections {
    ($($section:ident $title:literal { $($name:literal $form:ident $key:ident, $help:literal;)* })*) => {
        const SECTIONS: usize = [$(Key::$section),*].len();

        /// All names, each with a space behind it, a line a section.
        const NAMES: &str = concat!($($($name, " ",)* "\n"),*);

        /// The same keys' forms, and what they are.
        static KEYS: &[(Form, Key)] = &[$($((Form::$form, Key::$key),)*)*];

        const _: () = {
            let sections = [$(Key::$section as usize),*];
            let mut index = 0;
            while index < SECTIONS {
                assert!(sections[index] == index, "sections are in the order of `Key`");
                index += 1;
            }
        };

        #[cfg(test)]
        impl Key {
            /// Each section, as a person finds it in a file, and what its keys do.
            pub const SECTIONS: &[(Key, &str, &[&str])] = &[$((Key::$section, $title, &[$($help),*])),*];
        }
    };
}

/// Where each section starts in [`KEYS`].
static STARTS: [u8; SECTIONS] = {
    let mut starts = [0; SECTIONS];
    let names = NAMES.as_bytes();
    let (mut section, mut key, mut at) = (0, 0, 0);
    while section < SECTIONS {
        starts[section] = key;
        while names[at] != b'\n' {
            key += (names[at] == b' ') as u8;
            at += 1;
        }
        at += 1;
        section += 1;
    }
    starts
};

sections! {
    Top "The tables" {
        "system" Table System, "The machine itself.";
        "root" Table Root, "Leave the initramfs for this root.";
        "mount" Table Mount, "Filesystems, by the path they are mounted on.";
        "network" Table Interface, "Interfaces, by name.";
        "workload" Table Workload, "What runs here, by name.";
    }
    Mount "[mount.\"/path\"]" {
        "source" Source MountSource, "A device: its node or `LABEL=`, `UUID=`, `PARTLABEL=`, `PARTUUID=`. Or the filesystem's name.";
        "type" Name MountType, "Filesystem type, as in /proc/filesystems.";
        "options" Options MountOptions, "nosuid, nodev, noexec, ro, noatime, …; the rest goes to the filesystem.";
        "required" Boolean MountRequired, "A boot without it has failed.";
    }
    Interface "[network.NAME]" {
        "address" Addresses Address, "IP addresses with their prefix lengths, and \"dhcp\".";
        "gateway" Gateways Gateway, "The routers of the default routes.";
        "routes" Routes Routes, "Other routes.";
        "mtu" Mtu Mtu, "The largest packet.";
        "mac" Mac Mac, "Its MAC address.";
        "bridge" Boolean MakeBridge, "Make this interface, a bridge.";
        "vlan" Vlan Vlan, "Make this interface, a VLAN of this number on `link`.";
        "link" Interface Link, "The interface the VLAN is on.";
        "masquerade" Boolean Masquerade, "What comes from this bridge leaves with the machine's address.";
    }
    Volume "[workload.NAME.volumes.\"/path\"]" {
        "tmpfs" Size VolumeTmpfs, "An empty writable directory in memory, of at most this size.";
        "source" Place VolumeSource, "A directory or file of the machine, or a block device.";
        "writable" Boolean VolumeWritable, "It may write there.";
        "mode" Mode VolumeMode, "Access rights of the tmpfs.";
        "owner" User VolumeOwner, "Whose the tmpfs is.";
        "exec" Boolean VolumeExec, "It may execute what is there.";
    }
    Io "[workload.NAME.limits] io" {
        "device" Place IoDevice, "A block device, or where it is mounted.";
        "read" SizeOrMax IoRead, "Bytes a second.";
        "write" SizeOrMax IoWrite, "Bytes a second.";
        "read-operations" CountOrMax IoReadOperations, "Operations a second.";
        "write-operations" CountOrMax IoWriteOperations, "Operations a second.";
    }
    Workload "[workload.NAME]" {
        "command" Command Command, "Program and arguments. The program is a path inside `root`.";
        "root" RootDirectory RootDirectory, "A directory or image of the machine, seen read-only, or \"scratch\".";
        "overlay" Overlay Overlay, "A tmpfs above `root` makes it writable.";
        "user" User User, "Whom it runs as: its own id, or these.";
        "env" Variables Env, "Environment variables.";
        "directory" Path Directory, "Working directory, inside `root`.";
        "restart" Restart Restart, "When to start it again.";
        "backoff" Table Backoff, "How long to wait before that.";
        "after" Names After, "Start after these workloads are ready or have settled, stop before them.";
        "needs" Names Needs, "As `after`; and it runs only while these are ready, or have done their work.";
        "ready" Ready Ready, "When it counts as ready.";
        "start-timeout" Duration StartTimeout, "How long it may take to become ready; \"0s\" is for ever.";
        "watchdog" Wait Alive, "It is killed when it gives no sign of life (`WATCHDOG=1`) for so long.";
        "stop" Table Stop, "How to stop it.";
        "critical" Boolean Critical, "Its giving up is the machine's failure (`system.on-failure`).";
        "privileged" Boolean Privileged, "No walls: the machine's own root, namespaces and rights.";
        "early" Boolean Early, "Start before modules are loaded and filesystems are mounted.";
        "init" Boolean Init, "Give it corm's own small init as its process 1.";
        "stdio" Stdio Stdio, "Where its input and output lead.";
        "log" Table Log, "What becomes of what it writes.";
        "devices" Devices Devices, "Devices of the machine that it may use.";
        "limits" Table Limits, "What it may use up.";
        "volumes" Table Volume, "Directories inside its root, by path.";
        "network" Table Connection, "What network it sees.";
        "namespaces" Table Namespaces, "Which walls it shares with the machine.";
        "join" Name Join, "The workload whose network, users, hostname and IPC it shares.";
        "security" Table Security, "Rights it is given.";
    }
    Limits "[workload.NAME.limits]" {
        "memory" SizeOrMax Memory, "Memory it may hold (memory.max).";
        "memory-high" SizeOrMax MemoryHigh, "Memory above which it is slowed down (memory.high).";
        "memory-low" Size MemoryLow, "Memory that others do not take from it if they can (memory.low).";
        "memory-min" Size MemoryMin, "Memory that others never take from it (memory.min).";
        "swap" SizeOrMax Swap, "Swap it may hold (memory.swap.max).";
        "oom-group" Boolean OomGroup, "Out of memory kills all of it, not one process (memory.oom.group).";
        "cpu" Cpu Cpu, "Processor time it may use (cpu.max).";
        "cpu-weight" Weight CpuWeight, "Its share when processors are busy (cpu.weight).";
        "cpus" Cpuset Cpus, "The processors it may run on (cpuset.cpus).";
        "mems" Cpuset Mems, "The memory nodes it may use (cpuset.mems).";
        "io" Tables Io, "Bandwidth of block devices (io.max).";
        "io-weight" Weight IoWeight, "Its share when a device is busy (io.weight).";
        "pids" CountOrMax Pids, "Processes and threads it may have (pids.max).";
        "hugetlb" Table HugePages, "Huge pages it may hold, by page size (hugetlb.*.max).";
        "memory-pressure" Share MemoryPressure, "Time lost for want of memory that is worth a line (memory.pressure).";
        "cpu-pressure" Share CpuPressure, "Time lost waiting for a processor that is worth a line (cpu.pressure).";
        "io-pressure" Share IoPressure, "Time lost waiting for devices that is worth a line (io.pressure).";
        "cpu-time" Duration CpuTime, "Processor time of a process, then it is killed (RLIMIT_CPU).";
        "file-size" SizeOrMax FileSize, "Size of a file it may write (RLIMIT_FSIZE).";
        "data" SizeOrMax Data, "Private writable memory of a process (RLIMIT_DATA).";
        "stack" SizeOrMax Stack, "Size of a process's first stack (RLIMIT_STACK).";
        "core" SizeOrMax Core, "Size of a core dump (RLIMIT_CORE).";
        "resident-memory" SizeOrMax ResidentMemory, "Advice that Linux does not follow (RLIMIT_RSS).";
        "processes" CountOrMax Processes, "Processes and threads of its user (RLIMIT_NPROC).";
        "files" CountOrMax Files, "Open files a process may have (RLIMIT_NOFILE).";
        "locked-memory" SizeOrMax LockedMemory, "Memory a process may lock (RLIMIT_MEMLOCK).";
        "address-space" SizeOrMax AddressSpace, "Addresses a process may use (RLIMIT_AS).";
        "file-locks" CountOrMax FileLocks, "Locks and leases it may hold (RLIMIT_LOCKS).";
        "pending-signals" CountOrMax PendingSignals, "Signals that may wait for its user's processes (RLIMIT_SIGPENDING).";
        "message-queues" SizeOrMax MessageQueues, "Bytes in its user's message queues (RLIMIT_MSGQUEUE).";
        "nice-ceiling" Nice NiceCeiling, "The nice value that it may go down to (RLIMIT_NICE).";
        "realtime-priority" Realtime RealtimePriority, "The real-time priority that it may go up to (RLIMIT_RTPRIO).";
        "realtime-time" Duration RealtimeTime, "Real-time processor time without a pause (RLIMIT_RTTIME).";
        "oom-score" OomScore OomScore, "How readily the kernel kills it when the machine is out of memory.";
        "nice" Nice Nice, "Its nice value.";
        "io-priority" IoPriority IoPriority, "Its class of I/O priority, and the level in it.";
        "scheduler" Scheduler Scheduler, "Its scheduling policy, and the real-time priority.";
    }
    HugePages "[workload.NAME.limits.hugetlb]" {
        "64K" SizeOrMax Huge64K, "Pages of 64 KiB.";
        "2M" SizeOrMax Huge2M, "Pages of 2 MiB.";
        "32M" SizeOrMax Huge32M, "Pages of 32 MiB.";
        "512M" SizeOrMax Huge512M, "Pages of 512 MiB.";
        "1G" SizeOrMax Huge1G, "Pages of 1 GiB.";
        "16G" SizeOrMax Huge16G, "Pages of 16 GiB.";
    }
    Security "[workload.NAME.security]" {
        "capabilities" Capabilities Capabilities, "Capabilities it keeps.";
        "seccomp" Seccomp Seccomp, "System calls it may use.";
        "masks" Masks Masks, "What of /proc and /sys it does not see.";
        "landlock" Landlock Landlock, "A second wall around files.";
        "allow-bind" PortRanges AllowBind, "TCP ports it may listen on.";
        "allow-connect" PortRanges AllowConnect, "TCP ports it may connect to.";
    }
    Seccomp "[workload.NAME.security.seccomp]" {
        "allow" Calls Allow, "System calls it may use, and no others.";
        "deny" Calls Deny, "System calls it may not use.";
        "action" Refusal Refusal, "What becomes of a call it may not use.";
    }
    Connection "[workload.NAME.network]" {
        "mode" NetworkMode NetworkMode, "Its own namespace with only a loopback, or the machine's.";
        "bridge" Interface Bridge, "The bridge it is connected to.";
        "macvlan" Interface Macvlan, "The interface it shares, under a MAC address of its own.";
        "ipvlan" Interface Ipvlan, "The interface it shares, under the same MAC address.";
        "interface" Interface Moved, "The interface that becomes its own.";
        "address" Addresses Address, "Its addresses there.";
        "gateway" Gateways Gateway, "The routers of its default routes.";
        "ports" Ports Ports, "Ports of the machine that lead to it: \"8080:80/tcp\".";
        "egress" Egresses Egress, "Where it may go: \"10.0.0.0/8\", \"any:443\".";
        "open" Boolean Open, "Other workloads on the bridge can reach it.";
    }
    Namespaces "[workload.NAME.namespaces]" {
        "pid" Sharing PidNamespace, "Processes.";
        "mount" Sharing MountNamespace, "Mounts.";
        "network" Sharing NetworkMode, "Network.";
        "ipc" Sharing IpcNamespace, "System V IPC and POSIX message queues.";
        "uts" Sharing UtsNamespace, "Hostname.";
        "user" Sharing UserNamespace, "User and group ids.";
        "cgroup" Sharing CgroupNamespace, "The cgroup tree.";
        "time" Sharing TimeNamespace, "Clocks.";
    }
    Stop "[workload.NAME.stop]" {
        "signal" Signal StopSignals, "The signal that asks it to end.";
        "signals" Signals StopSignals, "Up to four, one after the other; each has its part of `timeout`.";
        "timeout" Duration StopTimeout, "Until it is killed, with everything it started.";
    }
    Backoff "[workload.NAME.backoff]" {
        "first" Wait BackoffFirst, "The wait before the first restart; it doubles from there.";
        "most" Wait BackoffMost, "The longest wait.";
        "reset" Wait BackoffReset, "A run of this long starts over with `first`.";
        "jitter" Duration BackoffJitter, "Up to so much more, a different time each.";
        "burst" Count BackoffBurst, "More restarts than this `within` that time, and it gives up.";
        "within" Wait BackoffWithin, "The time in which restarts are counted for `burst`.";
    }
    Stdio "[workload.NAME.stdio]" {
        "stdin" Device Stdin, "A character device of the machine.";
        "stdout" Device Stdout, "A character device of the machine.";
        "stderr" Device Stderr, "A character device of the machine.";
    }
    Ready "[workload.NAME.ready]" {
        "fd" Descriptor ReadyDescriptor, "When it writes a newline to this descriptor.";
        "tcp" TcpPort ReadyTcp, "When it accepts connections on this port, on its own 127.0.0.1; asked again and again.";
        "command" Command NotYet, "When this program, run inside its walls, ends with 0.";
        "period" Wait ProbePeriod, "From one answer to the next question.";
        "timeout" Wait ProbeTimeout, "How long an answer may take.";
        "threshold" Count ProbeThreshold, "So many misses in a row, once it was ready, and it is restarted.";
    }
    Log "[workload.NAME.log]" {
        "ring" Ring LogRing, "Its last lines, kept in memory for `corm logs`.";
        "kernel" Boolean LogKernel, "Its lines go to the kernel log and the console too.";
    }
    System "[system]" {
        "hostname" Hostname Hostname, "The machine's name.";
        "modules" Modules Modules, "Kernel modules to load, each with what it depends on.";
        "sysctl" Settings Sysctl, "Kernel settings: `\"kernel.panic\" = 10` writes /proc/sys/kernel/panic.";
        "watchdog" Table Watchdog, "The hardware watchdog to feed.";
        "on-failure" OnFailure OnFailure, "What a failed boot, or a critical workload that gave up, leads to.";
        "poweroff" Poweroff Poweroff, "How this board is powered off: some only come back from `reboot`.";
        "exit-with" Name ExitWith, "When this workload has ended for good, the machine ends.";
        "exit-report" Device ExitReport, "The character device that workload's exit status is written to.";
        "control-group" Count ControlGroup, "The gid whose members may look, and no more, through the control socket.";
        "rescue" Command Rescue, "The program of `on-failure = \"rescue\"`.";
    }
    Watchdog "[system.watchdog]" {
        "device" Device Checked, "Its device node.";
        "timeout" Duration Checked, "It resets the machine after so long without corm.";
    }
    Root "[root]" {
        "source" Source Checked, "The filesystem to go to.";
        "type" Name Checked, "Its type.";
        "overlay" Overlay Checked, "A tmpfs above it makes it writable until the next boot.";
    }
}
