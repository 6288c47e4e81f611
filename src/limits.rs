//! Every capacity in corm, with its reason.
//!
//! Tables are static, so a capacity costs address space, not memory: a page of
//! `.bss` is paid for when it is first written. Going past one is a reported
//! error, never a truncation.

/// Workloads in one config; the most an appliance was asked to run is 200.
pub const WORKLOADS: usize = 256;

/// Kernel modules loaded at once; a distribution's desktop has 150.
pub const MODULES: usize = 256;

/// Filesystems named in `[mount]`.
pub const MOUNTS: usize = 32;

/// Network interfaces named in `[network]`.
pub const INTERFACES: usize = 16;

/// Addresses of a bridge's network that are looked at for a workload without one: twice as many
/// as there are workloads.
pub const POOL: u16 = 2 * WORKLOADS as u16;

/// Bytes of the firewall's rules: some 250 ports and ways out, at 500 bytes each. The kernel takes
/// what fits a socket's buffer, 212,992 bytes unless somebody has changed that.
pub const FIREWALL: usize = 128 * 1024;

/// Bytes of config text, `/etc/corm.toml` and all drop-ins together, with their
/// names: 256 workloads of 256 bytes. Places in it are 16 bits.
pub const CONFIG_TEXT: usize = 64 * 1024 - 1;

/// Keys, values and tables in a config: 256 workloads of 32.
pub const CONFIG_NODES: usize = 8192;

/// Tables, arrays and dotted keys inside each other; the schema needs 6.
pub const CONFIG_DEPTH: u8 = 16;

/// Problems of a config that are printed; the rest is counted. A person mends
/// the first few and tries again.
pub const CONFIG_PROBLEMS: u16 = 64;

/// Drop-ins in `/etc/corm.d`, and the main file.
pub const CONFIG_FILES: usize = 64;

/// Bytes of decoded strings, each with its NUL. Offsets into it are 16 bits.
pub const STRINGS: usize = 64 * 1024 - 1;

/// Strings in all lists of a config: arguments, modules, dependencies.
pub const WORDS: usize = 4096;

/// Pairs of strings in all maps of a config: environment, sysctl.
pub const PAIRS: usize = 2048;

/// Limits of all workloads: four that are corm's own, and as many of a config's.
pub const LIMITS: usize = 2048;

/// Volumes of all workloads.
pub const VOLUMES: usize = 1024;

/// Edges of the dependency graph (`after`), all workloads together.
pub const EDGES: usize = 1024;

/// A hostname, as in sethostname(2) (`__NEW_UTS_LEN`).
pub const HOSTNAME: usize = 64;

/// A workload's name: it becomes a cgroup directory, a log prefix and a hostname.
pub const WORKLOAD_NAME: usize = 32;

/// A path handed to the kernel, with its NUL. PATH_MAX is 4096, but no path of
/// an appliance comes near; half a kilobyte keeps paths on the stack.
pub const PATH: usize = 512;

/// One line of a workload's output. /dev/kmsg takes at most about 1000 bytes a
/// record (`LOG_LINE_MAX`), less our prefix; a longer line is split with a mark.
pub const LOG_LINE: usize = 512;

/// Bytes of one workload's last lines in memory: the least, which holds fifteen of the longest
/// ones, what a workload has that says nothing, and the most, which is also how far apart
/// they are in their file.
pub const LOG_RING_LEAST: u64 = 8 * 1024;
pub const LOG_RING: u32 = 64 * 1024;
pub const LOG_RING_MOST: u64 = 1024 * 1024;

/// Clients of the control socket at once. A person has one or two, a monitor one.
pub const CLIENTS: usize = 8;

/// Of them, those who may only look: they cannot keep root out.
pub const WATCHERS: usize = 4;

/// Volumes of one workload. Each is a descriptor PID 1 holds while it starts one.
pub const WORKLOAD_VOLUMES: usize = 32;

/// Devices that one workload is given.
pub const WORKLOAD_DEVICES: usize = 32;

/// Instructions of the program that guards devices: five for each that a workload is given, that
/// every workload has, or that is one of its three streams, and two where what is allowed changes
/// from one to the next; nine around them.
pub const DEVICE_PROGRAM: usize = 5 * (WORKLOAD_DEVICES + 8 + 3) + 2 * (WORKLOAD_DEVICES + 2) + 9;

/// Instructions of one workload's seccomp filter. The default has 123 (187 on 32-bit ARM); one that
/// allows every second call there is has 440.
pub const SECCOMP_PROGRAM: usize = 512;

/// Instructions of a program that guards TCP ports: three for each of 64 ranges.
pub const PORT_PROGRAM: usize = 8 + 64 * 3;

/// Steps of a sandbox plan: one a volume, one each of the twenty limits of a process, and some
/// thirty for everything else.
pub const PLAN_STEPS: usize = WORKLOAD_VOLUMES + 60;

/// Bytes of one workload's environment as execve(2) takes it, defaults and NULs included.
pub const ENVIRONMENT: usize = 8 * 1024;

/// Variables in one workload's environment, defaults and execve(2)'s null included.
pub const ENVIRONMENT_WORDS: usize = 128;

/// Words of one workload's command, execve(2)'s null included.
pub const ARGUMENTS: usize = 256;

/// Bytes of workload names masked on the kernel command line (`corm.mask=`), each with its NUL.
pub const MASKED: usize = 256;

/// Bytes of kernel command line: x86 and arm64 take 2048 (COMMAND_LINE_SIZE), others less.
pub const COMMAND_LINE: usize = 2048;

/// Bytes of mount options that are handed to a filesystem, with their NUL. The
/// longest ones known are overlayfs's list of layers.
pub const MOUNT_DATA: usize = 512;

/// Bytes of /proc/self/mountinfo looked at in one go at the machine's end: 200 mounts or so.
pub const MOUNT_TABLE: usize = 32 * 1024;

/// Name servers that are known at once; resolv.conf(5) takes three, and interfaces come and go.
pub const RESOLVERS: usize = 8;
