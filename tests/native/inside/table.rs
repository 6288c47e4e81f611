//! The program bench/src/bin/inside.rs and what it must find: one table for `corm run` on this
//! machine and for guests of each architecture.
//!
//! Each [`Variant`] is a workload that differs from one that asks for nothing in one door or a few.
//! For every attempt the tables say what comes of it, and [`compare`] that the two agree. An attempt
//! that fails in `plain` gets past its wall in some variant that opens it, so that it is known to
//! bite; those for which no variant does are counted in [`WITHOUT_SWITCH`], each with its reason.

use std::collections::{BTreeMap, BTreeSet};

type Changes = &'static [(&'static str, &'static [u32])];

pub struct Variant {
    pub name: &'static str,
    /// Keys of the workload besides command, root, restart and volumes.
    pub keys: &'static str,
    /// "": the directory. "scratch", or what is behind the directory's name in that of an image of it.
    pub root: &'static str,
    /// May it write to /data, and execute what is there and in /tmp?
    pub writable: bool,
    /// What is other than in `plain`: the attempt, and the errnos that may come of it (0: it works).
    pub changes: Changes,
    /// Namespaces that it shares with the machine.
    pub shared: &'static [&'static str],
    /// What it has in all five sets.
    pub capabilities: u64,
    /// "0" or "2", as /proc/self/status has it.
    pub seccomp: &'static str,
    /// Lines and words that it prints, besides.
    pub sees: &'static [&'static str],
    /// Without any walls: only what `changes` has is expected.
    pub unwalled: bool,
    /// Capabilities that corm itself must have for it.
    #[allow(dead_code, reason = "a machine's corm has them all")]
    pub needs: u64,
}

const PLAIN_VARIANT: Variant = Variant {
    name: "plain",
    keys: "",
    root: "",
    writable: false,
    changes: &[],
    shared: &["time"],
    capabilities: 0,
    seccomp: "2",
    sees: &["Max,open,files,1024,1024,", "Max,core,file,size,0,0,", "directory=/"],
    unwalled: false,
    needs: 0,
};

const SYS_RESOURCE: u64 = 1 << 24;

const EPERM: u32 = 1;
const ENOENT: u32 = 2;
const ESRCH: u32 = 3;
const ENXIO: u32 = 6;
const ENOEXEC: u32 = 8;
const EBADF: u32 = 9;
const EACCES: u32 = 13;
const EFAULT: u32 = 14;
const ENOTDIR: u32 = 20;
const EINVAL: u32 = 22;
const ENOTTY: u32 = 25;
const ETXTBSY: u32 = 26;
const EROFS: u32 = 30;
const ENOSYS: u32 = 38;
const ENODATA: u32 = 61;
const EOVERFLOW: u32 = 75;
/// 200 and the signal's number: it is killed.
const SIGSYS: u32 = 231;

const WORKS: &[u32] = &[0];
const REFUSED: &[u32] = &[EPERM, EACCES];
/// The wall let it pass, and the kernel said what it says to nonsense.
const PASSED: &[u32] = &[0, ENOENT, EFAULT, EINVAL, ENOTTY, ENOSYS];

/// Where no filter stands before the kernel, which then has the last word.
const UNFILTERED: Changes = &[
    ("add-key", PASSED),
    ("bpf", &[EPERM, EINVAL]),
    ("clone-user", WORKS),
    ("clone3", PASSED),
    ("handle", &[EPERM, EFAULT]),
    ("io-uring", PASSED),
    ("kexec", &[EPERM, ENOSYS]),
    ("module", &[EPERM, ENOSYS]),
    ("perf", &[EPERM, EACCES, EFAULT]),
    ("personality", WORKS),
    ("pidfd-1", WORKS),
    // Process 1 is its own here.
    ("ptrace-1", WORKS),
    ("ptrace-child", WORKS),
    ("read-memory-of-1", WORKS),
    ("tioclinux", PASSED),
    ("tiocsti", PASSED),
    ("tiocsti-64", PASSED),
    ("unshare-user", WORKS),
    ("userfaultfd", &[0, EINVAL, ENOSYS]),
];

pub const VARIANTS: &[Variant] = &[
    PLAIN_VARIANT,
    Variant {
        name: "writable",
        writable: true,
        changes: &[("execute-data", WORKS), ("execute-tmp", &[ENOEXEC]), ("write-data", WORKS)],
        ..PLAIN_VARIANT
    },
    Variant {
        name: "overlay",
        keys: "overlay = \"tmpfs\"",
        // Only where the root's filesystem can be idmapped are its files ones that it can change.
        changes: &[("write-program", &[0, EOVERFLOW])],
        ..PLAIN_VARIANT
    },
    Variant {
        name: "strict",
        keys: "security = { seccomp = \"strict\" }",
        // It has no business with priorities: this is what getpriority(2) says.
        sees: &["priority=4294967295 ", "directory=/"],
        ..PLAIN_VARIANT
    },
    Variant {
        name: "denied",
        keys: "security = { seccomp = { deny = [\"bind\"] } }",
        changes: &[
            ("bind4-8080", REFUSED),
            ("bind4-5005", REFUSED),
            ("bind4-9000", REFUSED),
            ("bind6-8080", REFUSED),
            ("bind6-5005", REFUSED),
            ("bind6-9000", REFUSED),
        ],
        ..PLAIN_VARIANT
    },
    // Foreign calls are killed all the same; clone3 has its own answer, for programs try it first.
    Variant {
        name: "logged",
        keys: "security = { seccomp = { action = \"log\" }, landlock = \"off\" }",
        changes: UNFILTERED,
        ..PLAIN_VARIANT
    },
    Variant {
        name: "calls",
        keys: "security = { seccomp = \"off\" }",
        changes: UNFILTERED,
        seccomp: "0",
        ..PLAIN_VARIANT
    },
    Variant {
        name: "unmasked",
        keys: "security = { masks = \"off\" }",
        changes: &[("keys", WORKS)],
        ..PLAIN_VARIANT
    },
    Variant {
        name: "zero",
        keys: "user = 0",
        // Its /proc is read-only.
        changes: &[("chown", WORKS), ("memory-of-1", &[EROFS]), ("oom-score", &[EROFS]), ("setuid-0", WORKS)],
        shared: &["time", "user"],
        ..PLAIN_VARIANT
    },
    Variant {
        name: "admin",
        keys: "user = 0\nsecurity = { capabilities = [\"sys-admin\"] }",
        changes: &[
            ("mount-in-own", WORKS),
            ("mount", WORKS),
            ("pivot-root", WORKS),
            ("remount", WORKS),
            ("unmount-proc", PASSED),
            ("ambient", WORKS),
            ("clone-user", WORKS),
            ("clone3", PASSED),
            ("fsopen", WORKS),
            ("hostname", WORKS),
            // Before Linux 6.9 this right was enough.
            ("kmsg", &[0, EPERM]),
            ("open-tree", WORKS),
            ("swap", PASSED),
            ("unshare-mount", WORKS),
            ("unshare-user", WORKS),
            ("chown", WORKS),
            ("memory-of-1", &[EROFS]),
            ("oom-score", &[EROFS]),
            ("setuid-0", WORKS),
        ],
        shared: &["time", "user"],
        capabilities: 1 << 21,
        ..PLAIN_VARIANT
    },
    Variant {
        name: "zero-overlay",
        keys: "user = 0\noverlay = \"tmpfs\"",
        changes: &[
            ("write-root", WORKS),
            ("write-program", WORKS),
            ("chown", WORKS),
            ("memory-of-1", &[EROFS]),
            ("oom-score", &[EROFS]),
            ("setuid-0", WORKS),
        ],
        shared: &["time", "user"],
        ..PLAIN_VARIANT
    },
    Variant {
        name: "zero-unmasked",
        keys: "user = 0\nsecurity = { masks = \"off\", capabilities = [\"sys-rawio\", \"syslog\"] }",
        changes: &[
            ("keys", WORKS),
            // This one is not in every kernel.
            ("kcore", &[0, ENOENT]),
            ("core-pattern", WORKS),
            ("sysrq", &[0, ENOENT]),
            ("kmsg", WORKS),
            ("chown", WORKS),
            ("setuid-0", WORKS),
        ],
        shared: &["time", "user"],
        capabilities: 1 << 17 | 1 << 34,
        ..PLAIN_VARIANT
    },
    Variant {
        name: "limits",
        keys: "limits = { nice-ceiling = -20, realtime-priority = 1 }",
        changes: &[("nice", WORKS), ("realtime", WORKS)],
        needs: SYS_RESOURCE,
        ..PLAIN_VARIANT
    },
    Variant {
        name: "time",
        keys: "user = 0\nsecurity = { capabilities = [\"sys-nice\", \"sys-time\", \"sys-boot\"] }",
        changes: &[
            ("clock", WORKS),
            ("nice", WORKS),
            ("realtime", WORKS),
            // It has the right, and says nonsense.
            ("reboot", &[EINVAL]),
            ("kexec", &[0, EINVAL, ENOSYS, EPERM]),
            ("chown", WORKS),
            ("memory-of-1", &[EROFS]),
            ("oom-score", &[EROFS]),
            ("setuid-0", WORKS),
        ],
        shared: &["time", "user"],
        capabilities: 1 << 22 | 1 << 23 | 1 << 25,
        ..PLAIN_VARIANT
    },
    Variant {
        name: "resources",
        keys: "user = 0\nsecurity = { capabilities = [\"sys-resource\"], seccomp = { allow = [\"@default\", \"prctl\"] } }",
        changes: &[
            ("raise-limit", WORKS),
            ("set-mm", &[EINVAL]),
            ("chown", WORKS),
            ("memory-of-1", &[EROFS]),
            ("oom-score", &[EROFS]),
            ("setuid-0", WORKS),
        ],
        shared: &["time", "user"],
        capabilities: SYS_RESOURCE,
        needs: SYS_RESOURCE,
        ..PLAIN_VARIANT
    },
    Variant {
        name: "devices",
        keys: "user = 0\ndevices = [\"/dev/kmsg\"]\nsecurity = { capabilities = [\"sys-admin\", \"mknod\", \
               \"syslog\"] }",
        changes: &[
            ("dev-kmsg", WORKS),
            // Its own.
            ("root-of-1", WORKS),
            ("kmsg", WORKS),
            // It may make any device's file, and opens this one only.
            ("log-device", WORKS),
            ("mount-in-own", WORKS),
            ("mount", WORKS),
            ("pivot-root", WORKS),
            ("remount", WORKS),
            ("unmount-proc", PASSED),
            ("ambient", WORKS),
            ("clone-user", WORKS),
            ("clone3", PASSED),
            ("fsopen", WORKS),
            ("hostname", WORKS),
            ("open-tree", WORKS),
            ("swap", PASSED),
            ("unshare-mount", WORKS),
            ("unshare-user", WORKS),
            ("chown", WORKS),
            ("memory-of-1", &[EROFS]),
            ("oom-score", &[EROFS]),
            ("setuid-0", WORKS),
        ],
        shared: &["time", "user"],
        capabilities: 1 << 21 | 1 << 27 | 1 << 34,
        ..PLAIN_VARIANT
    },
    Variant {
        name: "machine",
        keys: "user = 0\nnamespaces = { pid = \"host\" }\nsecurity = { masks = \"off\", landlock = \"off\", \
               capabilities = [\"sys-admin\", \"sys-chroot\", \"sys-ptrace\", \"kill\"] }",
        changes: &[
            ("enter-1", WORKS),
            ("memory-of-1", WORKS),
            ("pidfd-1", WORKS),
            ("ptrace-1", WORKS),
            ("ptrace-child", WORKS),
            ("read-memory-of-1", WORKS),
            ("root-of-1", WORKS),
            ("kmsg", &[0, EPERM]),
            ("signal-2", WORKS),
            ("keys", WORKS),
            ("core-pattern", WORKS),
            ("sysrq", &[0, ENOENT]),
            ("chroot", WORKS),
            ("mount-in-own", WORKS),
            ("mount", WORKS),
            ("pivot-root", WORKS),
            ("remount", WORKS),
            ("unmount-proc", PASSED),
            ("ambient", WORKS),
            ("clone-user", WORKS),
            ("clone3", PASSED),
            ("fsopen", WORKS),
            ("hostname", WORKS),
            ("open-tree", WORKS),
            ("swap", PASSED),
            ("unshare-mount", WORKS),
            ("unshare-user", WORKS),
            ("chown", WORKS),
            ("setuid-0", WORKS),
        ],
        shared: &["time", "user", "pid"],
        capabilities: 1 << 5 | 1 << 18 | 1 << 19 | 1 << 21,
        ..PLAIN_VARIANT
    },
    Variant {
        name: "rights",
        keys: "user = 0\nsecurity = { landlock = \"off\", capabilities = [\"sys-chroot\", \"setuid\", \
               \"setgid\", \"chown\", \"net-raw\", \"mknod\"] }",
        changes: &[
            ("chroot", WORKS),
            ("packet", WORKS),
            ("raw", WORKS),
            ("setgroups", WORKS),
            ("chown", WORKS),
            ("memory-of-1", &[EROFS]),
            ("oom-score", &[EROFS]),
            ("setuid-0", WORKS),
        ],
        shared: &["time", "user"],
        capabilities: 1 << 0 | 1 << 6 | 1 << 7 | 1 << 13 | 1 << 18 | 1 << 27,
        ..PLAIN_VARIANT
    },
    Variant {
        name: "processes",
        keys: "namespaces = { pid = \"host\" }",
        changes: &[
            // It is not process 1 here, and sees nothing of who is.
            ("enter-1", &[ENOENT, EPERM, EACCES]),
            ("memory-of-1", &[ENOENT, EPERM, EACCES]),
            ("root-of-1", &[ENOENT, EACCES]),
            ("signal-1", REFUSED),
            // It is there, and out of reach.
            ("signal-2", &[EPERM, ESRCH]),
        ],
        shared: &["time", "pid"],
        ..PLAIN_VARIANT
    },
    // What nonsense it talks, the kernel sees after it has looked at the right.
    Variant {
        name: "kernel",
        keys: "user = 0\nsecurity = { capabilities = [\"bpf\", \"dac-read-search\", \"perfmon\", \"sys-module\", \
               \"sys-ptrace\"], seccomp = \"off\" }",
        changes: &[
            ("add-key", PASSED),
            ("bpf", &[EINVAL]),
            ("clone3", PASSED),
            ("handle", &[EFAULT]),
            ("io-uring", PASSED),
            ("kexec", &[EPERM, ENOSYS]),
            ("module", &[ENOEXEC, ENOSYS]),
            ("perf", &[EFAULT]),
            ("personality", WORKS),
            ("pidfd-1", WORKS),
            ("ptrace-1", WORKS),
            ("ptrace-child", WORKS),
            ("read-memory-of-1", WORKS),
            ("tioclinux", PASSED),
            ("tiocsti", PASSED),
            ("tiocsti-64", PASSED),
            ("userfaultfd", &[0, EINVAL, ENOSYS]),
            ("clone-user", WORKS),
            ("unshare-user", WORKS),
            ("chown", WORKS),
            ("memory-of-1", &[EROFS]),
            ("oom-score", &[EROFS]),
            ("setuid-0", WORKS),
        ],
        shared: &["time", "user"],
        capabilities: 1 << 2 | 1 << 16 | 1 << 19 | 1 << 38 | 1 << 39,
        seccomp: "0",
        ..PLAIN_VARIANT
    },
];

/// For `corm run` on a kernel that has all of Landlock, and machines.
#[allow(dead_code, reason = "of its two users one may have no kernel for it")]
pub const PORTS: Variant = Variant {
    name: "ports",
    keys: "security = { allow-bind = [\"8080\", \"5000-5010\"], allow-connect = [\"9000\"] }",
    changes: &[
        ("bind4-9000", REFUSED),
        ("bind6-9000", REFUSED),
        ("connect4-5005", REFUSED),
        ("connect4-8080", REFUSED),
        ("connect6-5005", REFUSED),
        ("connect6-8080", REFUSED),
    ],
    ..PLAIN_VARIANT
};

/// More of them for machines alone: without walls at all, the host would be in danger, and without
/// cgroups of version 2 or a network of one's own there is less to see.
#[allow(dead_code, reason = "`corm run` has no machine of its own")]
pub const MACHINE_VARIANTS: &[Variant] = &[
    Variant {
        name: "unwalled",
        keys: "privileged = true",
        unwalled: true,
        changes: &[
            ("write-root", WORKS),
            ("read-shadow", WORKS),
            ("execute-tmp", &[ENOEXEC]),
            ("sysrq", &[0, ENOENT]),
            ("core-pattern", WORKS),
            ("keys", WORKS),
            ("kmsg", WORKS),
            ("root-of-1", WORKS),
            ("memory-of-1", WORKS),
            ("sys-write", WORKS),
            ("cgroup-write", WORKS),
            ("cgroup-limit", WORKS),
            ("leaked-descriptor", &[EBADF]),
            ("mount", WORKS),
            ("chroot", WORKS),
            ("enter-1", WORKS),
            ("capset", WORKS),
            ("disk", WORKS),
            ("memory-device", WORKS),
            ("log-device", WORKS),
            ("dev-mem", WORKS),
            ("dev-kmsg", WORKS),
            ("dev-vda", WORKS),
        ],
        ..PLAIN_VARIANT
    },
    Variant {
        name: "given",
        keys: "ready = { fd = 7 }",
        // It is no directory.
        changes: &[("leaked-descriptor", WORKS), ("out-of-descriptor", &[ENOTDIR])],
        ..PLAIN_VARIANT
    },
    Variant {
        name: "shared",
        keys: "user = 1234\nnetwork = { mode = \"host\" }\n\
               namespaces = { ipc = \"host\", uts = \"host\", cgroup = \"host\" }",
        sees: &["cgroup 0::/shared,", ",1234,1234,1234,1234,"],
        shared: &["cgroup", "ipc", "net", "time", "user", "uts"],
        ..PLAIN_VARIANT
    },
    // Ids of its own, and the machine's tree of cgroups: to be looked at.
    Variant {
        name: "accounted",
        keys: "namespaces = { cgroup = \"host\" }",
        sees: &["cgroup 0::/accounted,"],
        shared: &["cgroup", "time"],
        ..PLAIN_VARIANT
    },
    Variant {
        name: "scratch",
        root: "scratch",
        // Nothing is there but its own program.
        changes: &[("write-program", &[ENOENT, EROFS, EACCES])],
        ..PLAIN_VARIANT
    },
    Variant { name: "image", root: ".erofs", ..PLAIN_VARIANT },
    Variant { name: "joined", keys: "join = \"pod\"", sees: &["hostname pod,"], ..PLAIN_VARIANT },
    Variant {
        name: "settings",
        keys: "directory = \"/data\"\n\
               limits = { cpu = \"150%\", cpu-weight = 200, cpus = \"0\", memory = \"64M\", \
               memory-high = \"48M\", memory-low = \"1M\", memory-min = \"2M\", oom-group = false, pids = 20, \
               swap = 0, cpu-time = \"1001s\", file-size = \"1G\", data = \"64M\", stack = \"4M\", core = \"1M\", \
               resident-memory = \"1G\", processes = 70, files = 99, locked-memory = 4096, \
               address-space = \"1G\", file-locks = 20, pending-signals = 30, message-queues = \"64K\", \
               realtime-time = \"200ms\", oom-score = -500, nice = -10, io-priority = \"best-effort:7\", \
               scheduler = \"batch\" }",
        sees: &[
            "directory=/data",
            "hostname settings,",
            "cgroup 0::/,",
            "cpu.max 150000,100000,",
            "cpu.weight 200,",
            "cpuset.cpus 0,",
            "memory.high 50331648,",
            "memory.low 1048576,",
            "memory.max 67108864,",
            "memory.min 2097152,",
            "memory.oom.group 0,",
            "memory.swap.max 0,",
            "pids.max 20,",
            "Max,cpu,time,1001,1001,",
            "Max,file,size,1073741824,1073741824,",
            "Max,data,size,67108864,67108864,",
            "Max,stack,size,4194304,4194304,",
            "Max,core,file,size,1048576,1048576,",
            "Max,resident,set,1073741824,1073741824,",
            "Max,processes,70,70,",
            "Max,open,files,99,99,",
            "Max,locked,memory,4096,4096,",
            "Max,address,space,1073741824,1073741824,",
            "Max,file,locks,20,20,",
            "Max,pending,signals,30,30,",
            "Max,msgqueue,size,65536,65536,",
            "Max,realtime,timeout,200000,200000,",
            "oom_score_adj -500,",
            "priority=30",
            "scheduler=3",
            "io-priority=16391",
        ],
        ..PLAIN_VARIANT
    },
];

/// Clocks that begin with it, which a 32-bit ARM kernel has not.
pub const CLOCKS: Variant =
    Variant { name: "clocks", keys: "namespaces = { time = \"own\" }", shared: &[], ..PLAIN_VARIANT };

/// Attempts that no variant lets through.
pub const WITHOUT_SWITCH: &[&str] = &[
    // A directory of the machine's as a descriptor: no key gives one; see races.rs for those that somebody
    // starts corm with. That descriptor 7 is seen where it is, says `given`.
    "out-of-descriptor",
    // The file is busy, as is every program that runs; that what is read-only is not written says
    // `write-program`, which is the same file as far as the wall goes.
    "write-own-program",
];

/// What a kernel may have been built without; then the most open variant says ENOENT.
const MAY_BE_ABSENT: [&str; 2] = ["kcore", "sysrq"];

/// What comes of each attempt of a workload that asks for nothing but a /tmp and the directory /data.
pub const PLAIN: &[(&str, &[u32])] = &[
    ("terminal", &[ENXIO]),
    ("write-root", &[EROFS, EACCES]),
    ("write-tmp", WORKS),
    ("write-data", &[EROFS, EACCES]),
    ("write-own-program", &[EROFS, EACCES, ETXTBSY]),
    ("write-program", &[EROFS, EACCES, ETXTBSY]),
    // What lies in its root is its root's business.
    ("read-shadow", &[ENOENT]),
    ("execute-data", REFUSED),
    ("execute-tmp", REFUSED),
    ("sysrq", &[ENOENT, EACCES, EROFS]),
    ("core-pattern", &[EROFS, EACCES]),
    // ENODATA: an empty file lies over it.
    ("kcore", &[ENOENT, EACCES, EPERM, ENODATA]),
    ("kmsg", REFUSED),
    ("keys", &[ENODATA]),
    // It is process 1, and this is its own root, which has no such device.
    ("root-of-1", &[ENOENT]),
    ("memory-of-1", WORKS),
    ("sys-write", &[EACCES, EROFS]),
    ("cgroup-write", &[ENOENT, EACCES, EROFS]),
    ("cgroup-limit", &[ENOENT, EACCES, EROFS]),
    ("leaked-descriptor", &[EBADF]),
    ("out-of-descriptor", &[ENOENT]),
    ("mount", REFUSED),
    ("remount", REFUSED),
    ("unmount-proc", REFUSED),
    ("fsopen", REFUSED),
    ("open-tree", REFUSED),
    ("pivot-root", REFUSED),
    ("chroot", REFUSED),
    ("unshare-user", REFUSED),
    ("unshare-mount", REFUSED),
    ("mount-in-own", REFUSED),
    ("clone-user", REFUSED),
    ("clone3", &[ENOSYS]),
    ("enter-1", REFUSED),
    ("ptrace-child", REFUSED),
    ("ptrace-1", REFUSED),
    ("read-memory-of-1", REFUSED),
    ("signal-1", WORKS),
    ("signal-2", &[ESRCH]),
    ("pidfd-1", REFUSED),
    ("setuid-0", REFUSED),
    ("setgroups", REFUSED),
    ("capset", REFUSED),
    ("ambient", REFUSED),
    ("chown", REFUSED),
    ("raise-limit", REFUSED),
    ("nice", REFUSED),
    ("realtime", REFUSED),
    ("oom-score", WORKS),
    ("disk", REFUSED),
    ("memory-device", REFUSED),
    ("log-device", REFUSED),
    ("dev-mem", &[ENOENT]),
    ("dev-kmsg", &[ENOENT]),
    ("dev-vda", &[ENOENT]),
    ("tiocsti", REFUSED),
    ("tiocsti-64", REFUSED),
    ("tioclinux", REFUSED),
    ("reboot", REFUSED),
    ("kexec", REFUSED),
    ("module", REFUSED),
    ("bpf", REFUSED),
    ("perf", REFUSED),
    ("io-uring", REFUSED),
    ("userfaultfd", REFUSED),
    ("add-key", REFUSED),
    ("handle", REFUSED),
    ("hostname", REFUSED),
    ("clock", REFUSED),
    ("swap", REFUSED),
    ("personality", REFUSED),
    ("set-mm", REFUSED),
    ("i386", &[SIGSYS]),
    ("packet", REFUSED),
    ("raw", REFUSED),
    ("bind4-8080", WORKS),
    ("connect4-8080", WORKS),
    ("bind4-5005", WORKS),
    ("connect4-5005", WORKS),
    ("bind4-9000", WORKS),
    ("connect4-9000", WORKS),
    ("bind6-8080", WORKS),
    ("connect6-8080", WORKS),
    ("bind6-5005", WORKS),
    ("connect6-5005", WORKS),
    ("bind6-9000", WORKS),
    ("connect6-9000", WORKS),
];

/// What the program printed.
pub struct Report {
    pub attempts: BTreeMap<String, u32>,
    text: String,
}

impl Report {
    pub fn read(text: &str) -> Report {
        let words = text.lines().filter_map(|line| line.strip_prefix("try ")).flat_map(str::split_whitespace);
        let attempts = words.filter_map(|word| {
            let (name, errno) = word.rsplit_once('=')?;
            Some((name.to_owned(), errno.parse().ok()?))
        });
        Report { attempts: attempts.collect(), text: text.to_owned() }
    }

    fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// The options of what is mounted there.
    fn mount(&self, place: &str) -> Option<&str> {
        let prefix = format!("mount:{place}=");
        self.text.split_whitespace().filter_map(|word| word.strip_prefix(prefix.as_str())).next_back()
    }
}

/// What a report has that the table has not. `machine` are the machine's namespaces, as
/// `readlink /proc/self/ns/*` prints them.
pub fn compare(variant: &Variant, report: &Report, machine: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |is: bool, what: String| {
        if !is {
            wrong.push(format!("{}: {what}", variant.name));
        }
    };
    check(report.has("the end"), "the program did not come to its end".into());
    let changes: BTreeMap<&str, &[u32]> = variant.changes.iter().copied().collect();
    for text in variant.sees {
        check(report.has(text), format!("{text:?} is not what it says"));
    }
    for (name, usual) in PLAIN.iter().filter(|(name, _)| !variant.unwalled || changes.contains_key(name)) {
        let usual = match *name {
            // With or without the action that is configured, a filter ends who makes foreign calls.
            "i386" if variant.seccomp == "0" => &[0, ENOSYS],
            // Landlock stands behind the filter.
            "mount-in-own"
                if variant.changes == UNFILTERED && variant.keys.contains("landlock = \"off\"") =>
            {
                WORKS
            }
            _ => *usual,
        };
        let wanted = changes.get(name).copied().unwrap_or(usual);
        let wanted = if *name == "write-data" && variant.writable { WORKS } else { wanted };
        match report.attempts.get(*name) {
            Some(errno) => {
                check(wanted.contains(errno), format!("{name}: {errno}, and not one of {wanted:?}"))
            }
            // Calls of another word size or another machine.
            None => check(matches!(*name, "i386" | "tiocsti-64"), format!("{name} was not tried")),
        }
    }
    if variant.unwalled {
        return wrong;
    }
    for space in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
        // A kernel may have been built without one.
        let ours = machine.iter().any(|link| link.starts_with(space) && report.has(link));
        let seen = report.has(&format!("ns.{space}="));
        check(
            !seen || ours == variant.shared.contains(&space),
            format!("namespace {space}: shared is {ours}"),
        );
    }
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        check(report.has(&format!(" {set}:,{:016x},", variant.capabilities)), set.to_owned());
    }
    for (key, value) in [
        ("NoNewPrivs", "1"),
        ("Seccomp", variant.seccomp),
        ("Umask", "0022"),
        ("SigBlk", "0000000000000000"),
        ("SigIgn", "0000000000000000"),
        ("TracerPid", "0"),
    ] {
        check(report.has(&format!(" {key}:,{value},")), format!("{key} is not {value}"));
    }
    check(
        report.has(&format!("CORM_WORKLOAD={},", variant.name)),
        "its name is not in its environment".into(),
    );
    check(!report.has("SECRET"), "its environment is not its own".into());
    for fd in 0..64 {
        let open = report.has(&format!("fd:{fd}=open"));
        let given = fd < 3 || variant.keys.contains(&format!("fd = {fd} "));
        check(open == given, format!("descriptor {fd}: open is {open}"));
    }
    for (place, options) in [
        ("/", &["ro", "nosuid", "nodev"][..]),
        ("/data", &["ro", "nosuid", "nodev", "noexec"]),
        ("/tmp", &["rw", "nosuid", "nodev", "noexec"]),
        ("/dev", &["ro", "nosuid", "noexec"]),
        ("/dev/shm", &["rw", "nosuid", "nodev", "noexec"]),
        ("/proc", &["nosuid", "nodev", "noexec"]),
        ("/sys", &["ro", "nosuid", "nodev", "noexec"]),
    ] {
        let written =
            variant.keys.contains("overlay") && place == "/" || variant.writable && place == "/data";
        let has: Vec<&str> = report.mount(place).unwrap_or("").split(',').collect();
        for option in options {
            let option = match *option {
                "ro" if written => "rw",
                "noexec" if variant.writable && matches!(place, "/data" | "/tmp") => continue,
                option => option,
            };
            check(has.contains(&option), format!("{place} is not {option} but {has:?}"));
        }
    }
    wrong
}

/// The attempts that failed in `plain` and in every other report too.
pub fn never_got_through(reports: &BTreeMap<&str, Report>) -> BTreeSet<String> {
    let passes = |name: &str, errno: u32| {
        let stopped =
            PLAIN.iter().find(|(row, _)| *row == name).is_some_and(|(_, usual)| usual.contains(&errno));
        !stopped && !REFUSED.contains(&errno) && errno != EROFS && errno != ETXTBSY
    };
    let works = |name: &&(&str, &[u32])| !name.1.contains(&0);
    let is_tried = |name: &&str| reports.values().any(|report| report.attempts.contains_key(*name));
    let failing = PLAIN.iter().filter(works).map(|(name, _)| *name).filter(is_tried);
    let absent = |name: &str| {
        let is = MAY_BE_ABSENT.contains(&name)
            && reports.get("zero-unmasked").is_some_and(|report| report.attempts.get(name) == Some(&ENOENT));
        if is {
            eprintln!("SKIPPED: {name}, which this kernel has not got");
        }
        is
    };
    failing
        .filter(|name| !absent(name))
        .filter(|name| {
            !reports
                .values()
                .any(|report| report.attempts.get(*name).is_some_and(|errno| passes(name, *errno)))
        })
        .map(str::to_owned)
        .collect()
}

/// Its table of a config.
pub fn workload(variant: &Variant, root: &str, data: &str) -> String {
    let Variant { name, keys, writable, .. } = variant;
    let (command, root) = match variant.root {
        "scratch" => (format!("{root}/inside"), "scratch".to_owned()),
        behind => ("/inside".to_owned(), format!("{root}{behind}")),
    };
    if variant.unwalled {
        let command = format!("{root}/inside");
        return format!(
            "[workload.{name}]\ncommand = [{command:?}, \"gently\"]\nrestart = \"never\"\n{keys}\n"
        );
    }
    format!(
        "[workload.{name}]\nroot = {root:?}\ncommand = [{command:?}]\nrestart = \"never\"\n{keys}\n\
         volumes = {{ \"/tmp\" = {{ tmpfs = \"1M\", exec = {writable} }}, \"/data\" = {{ source = {data:?}, writable = {writable}, exec = {writable} }} }}\n"
    )
}
