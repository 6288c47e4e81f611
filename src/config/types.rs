//! What a config says, once it has been read and checked.

use super::limit::Setting;
use crate::limits;
use core::ffi::CStr;
use core::marker::PhantomData;
use heapless::Vec;

/// A string in [`Config`]'s pool, NUL-terminated there and without a NUL inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Str {
    pub(super) at: u16,
    pub(super) len: u16,
}

impl Str {
    pub(super) fn packed(self) -> u64 {
        u64::from(self.at) | u64::from(self.len) << 16
    }

    pub(super) fn unpacked(value: u64) -> Str {
        Str { at: value as u16, len: (value >> 16) as u16 }
    }
}

/// Some consecutive entries of one of [`Config`]'s pools.
#[derive(Debug, PartialEq, Eq)]
pub struct List<T> {
    pub(super) start: u16,
    pub(super) len: u16,
    pub(super) of: PhantomData<T>,
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<T> {}

impl<T> List<T> {
    pub const EMPTY: Self = List { start: 0, len: 0, of: PhantomData };

    pub(super) fn unpacked(value: u64) -> Self {
        List { start: value as u16, len: (value >> 16) as u16, of: PhantomData }
    }

    pub fn len(self) -> usize {
        self.len as usize
    }

    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// A key and its value, as in `env` and `sysctl`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pair {
    pub key: Str,
    pub value: Str,
}

/// A workload's place in [`Config::workloads`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WorkloadId(pub u16);

impl WorkloadId {
    /// What stands in `needs` for one that is left out: no workload has this number.
    pub const LEFT_OUT: WorkloadId = WorkloadId(u16::MAX);

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Everything a config says. What is small comes first, in one page, and what
/// few configs have, last.
#[repr(C)]
pub struct Config {
    pub system: System,
    pub mounts: Vec<Mount, { limits::MOUNTS }>,
    pub interfaces: Vec<Interface, { limits::INTERFACES }>,
    /// Name servers, as [`Ip`](super::address::Ip)s.
    pub dns: List<Str>,
    /// What the reader starts a workload from. It is here because a config in a static
    /// is zeros, which take no room in the binary.
    pub(super) blank: Workload,
    pub workloads: Vec<Workload, { limits::WORKLOADS }>,
    pub(super) strings: Vec<u8, { limits::STRINGS }>,
    pub(super) words: Vec<Str, { limits::WORDS }>,
    pub(super) limits: Vec<Setting, { limits::LIMITS }>,
    pub(super) volumes: Vec<Volume, { limits::VOLUMES }>,
    pub(super) edges: Vec<WorkloadId, { limits::EDGES }>,
    pub(super) pairs: Vec<Pair, { limits::PAIRS }>,
}

impl Config {
    /// What a machine without a config does: nothing, and it stays up.
    pub const EMPTY: Config = Config {
        system: System::DEFAULT,
        mounts: Vec::new(),
        interfaces: Vec::new(),
        dns: List::EMPTY,
        blank: Workload::BLANK,
        workloads: Vec::new(),
        strings: Vec::new(),
        words: Vec::new(),
        pairs: Vec::new(),
        limits: Vec::new(),
        volumes: Vec::new(),
        edges: Vec::new(),
    };

    /// Makes it [`EMPTY`](Self::EMPTY) in place: it is too large for a stack.
    pub fn clear(&mut self) {
        self.system = System::DEFAULT;
        self.dns = List::EMPTY;
        /// A table that is empty is not written: its length is in a page of its own.
        fn empty<T, const N: usize>(table: &mut Vec<T, N>) {
            if !table.is_empty() {
                table.clear();
            }
        }
        empty(&mut self.mounts);
        empty(&mut self.interfaces);
        empty(&mut self.workloads);
        empty(&mut self.strings);
        empty(&mut self.words);
        empty(&mut self.limits);
        empty(&mut self.volumes);
        empty(&mut self.edges);
        empty(&mut self.pairs);
    }

    #[inline(never)]
    pub fn bytes(&self, string: Str) -> &[u8] {
        let start = string.at as usize;
        self.strings.get(start..start.saturating_add(string.len as usize)).unwrap_or(&[])
    }

    pub fn c_str(&self, string: Str) -> &CStr {
        let from = self.strings.get(string.at as usize..).unwrap_or(&[]);
        crate::text::c_str(from).unwrap_or(c"")
    }

    pub fn words(&self, list: List<Str>) -> &[Str] {
        slice(&self.words, list)
    }

    pub fn pairs(&self, list: List<Pair>) -> &[Pair] {
        slice(&self.pairs, list)
    }

    pub fn volumes(&self, list: List<Volume>) -> &[Volume] {
        slice(&self.volumes, list)
    }

    /// Whether some workload may write to the volume with that source.
    pub fn is_written(&self, source: Str) -> bool {
        let written = |volume: &Volume| match volume.source {
            VolumeSource::Directory { source: other, writable } => {
                writable && self.bytes(other) == self.bytes(source)
            }
            VolumeSource::Tmpfs { .. } => false,
        };
        self.volumes.iter().any(written)
    }

    pub fn edges(&self, list: List<WorkloadId>) -> &[WorkloadId] {
        slice(&self.edges, list)
    }

    /// An interface of `[network]`.
    pub fn interface(&self, name: &[u8]) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| self.bytes(interface.name) == name)
    }

    pub fn workload(&self, id: WorkloadId) -> Option<&Workload> {
        self.workloads.get(id.index())
    }

    pub fn ids(&self) -> impl DoubleEndedIterator<Item = WorkloadId> + use<> {
        (0..self.workloads.len() as u16).map(WorkloadId)
    }
}

fn slice<T>(pool: &[T], list: List<T>) -> &[T] {
    let start = list.start as usize;
    pool.get(start..start.saturating_add(list.len as usize)).unwrap_or(&[])
}

/// `[system]`: the machine itself.
pub struct System {
    /// sethostname(2); absent: the kernel's stays.
    pub hostname: Option<Str>,
    /// Kernel modules by name, loaded with what they depend on.
    pub modules: List<Str>,
    /// `"kernel.panic" = 10` is written to /proc/sys/kernel/panic.
    pub sysctl: List<Pair>,
    /// When a boot fails or a critical workload gives up.
    pub on_failure: OnFailure,
    /// What the end of a poweroff is on this board: some never come back from
    /// one of them (Firecracker wants a reboot to power off).
    pub poweroff: FinalAction,
    /// When this workload has ended for good, the machine ends with its status.
    pub exit_with: Option<WorkloadId>,
    /// Where that status is written as a decimal number and a newline: a
    /// character device, such as a virtio-serial port. Absent: a line on the console.
    pub exit_report: Option<Str>,
    /// The gid whose members may look through the control socket.
    pub control_group: Option<u32>,
    /// The rescue program; default /bin/sh.
    pub rescue: List<Str>,
}

impl System {
    pub const DEFAULT: System = System {
        hostname: None,
        modules: List::EMPTY,
        sysctl: List::EMPTY,
        on_failure: OnFailure::Reboot,
        poweroff: FinalAction::PowerOff,
        exit_with: None,
        exit_report: None,
        control_group: None,
        rescue: List::EMPTY,
    };
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFailure {
    Reboot,
    Halt,
    Rescue,
}

/// reboot(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FinalAction {
    PowerOff,
    Reboot,
    Halt,
}

/// `[mount."/data"]`.
#[derive(Clone, Copy, Debug)]
pub struct Mount {
    /// Where, an absolute path.
    pub target: Str,
    /// A device node's path, a [`named_source`](super::named_source), or anything for a filesystem
    /// without a device.
    pub source: Str,
    /// Filesystem type as in /proc/filesystems.
    pub kind: Str,
    /// nosuid, nodev, noexec, ro, noatime, … are flags; the rest is passed on.
    pub options: List<Str>,
    /// A boot without it has failed.
    pub required: bool,
}

/// One interface of `[network]`: `eth0 = { address = "192.0.2.5/24", gateway = "192.0.2.1" }`.
/// Addresses and routes are texts that [`address`](super::address) reads.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    pub name: Str,
    /// [`Cidr`](super::address::Cidr)s, and "dhcp".
    pub addresses: List<Str>,
    /// One comes by DHCP.
    pub dhcp: bool,
    /// [`Ip`](super::address::Ip)s: default routes.
    pub gateways: List<Str>,
    /// [`Route`](super::address::Route)s.
    pub routes: List<Str>,
    pub mtu: Option<u32>,
    pub mac: Option<Str>,
    /// corm makes it, a bridge.
    pub bridge: bool,
    /// corm makes it: the VLAN of that number on another interface.
    pub vlan: Option<(Str, u16)>,
    /// What comes from it leaves the machine with the machine's own address.
    pub masquerade: bool,
}

/// `[workload.NAME]`.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    pub name: Str,
    /// Program and arguments; the program is an absolute path inside `root`.
    pub command: List<Str>,
    pub root: Root,
    /// Bytes that it may write above its root, which is then writable; 0: it is not.
    pub overlay: u64,
    pub user: User,
    /// The whole environment, besides PATH, HOME and CORM_WORKLOAD (which it may override).
    pub env: List<Pair>,
    /// Working directory, an absolute path inside `root`; absent: `/`.
    pub directory: Option<Str>,
    pub restart: Restart,
    pub backoff: Backoff,
    /// Started once these are ready or have settled; stopped before them. Those of
    /// `needs` are among them, at the end.
    pub after: List<WorkloadId>,
    /// Runs only while these do. A number that no workload has is one that is left out.
    pub needs: List<WorkloadId>,
    pub ready: Ready,
    /// Of `ready = { tcp = … }`.
    pub probe: Probe,
    /// Milliseconds from execve(2) until it must be ready; 0: any time.
    pub start_timeout: u32,
    /// Milliseconds between two signs of life at most; 0: none is wanted.
    pub watchdog: u32,
    pub stop: Stop,
    /// Its giving up is the machine's failure ([`System::on_failure`]).
    pub critical: bool,
    /// No walls: the machine's own root, namespaces and rights.
    pub privileged: bool,
    /// Starts before the kernel modules are loaded and `[mount]` is done.
    pub early: bool,
    /// Its process 1 is corm's own init, a copy of it, and its program is the child of that.
    pub init: bool,
    pub stdio: Stdio,
    pub log: Log,
    /// `[workload.NAME.limits]`, corm's own defaults included; see [`Config::limit`].
    pub limits: List<Setting>,
    pub volumes: List<Volume>,
    pub network: Network,
    pub connection: Connection,
    /// Namespaces of the machine that it shares. Without [`Spaces::USER`] an `auto`
    /// workload has ids of its own; the network is [`network`](Self::network)'s affair.
    pub host: Spaces,
    /// It is in namespaces of another workload: that one's users, and these.
    pub join: Option<WorkloadId>,
    pub joined: Spaces,
    /// Device nodes of the machine that it may use: paths, see [`granted`](super::granted).
    pub devices: List<Str>,
    /// It sees /proc and /sys whole.
    pub unmasked: bool,
    /// The capabilities it keeps, a bit each; see [`has`].
    pub capabilities: u64,
    pub seccomp: Seccomp,
    pub landlock: Landlock,
    /// TCP ports it may listen on, as ranges ([`port_range`](super::port_range)); `None`: all.
    pub allow_bind: Option<List<Str>>,
    /// TCP ports it may connect to.
    pub allow_connect: Option<List<Str>>,
}

impl Workload {
    /// Whether its program is the first of a pid namespace, to which the kernel gives no signal
    /// that it does not heed. corm's init heeds all, though /proc does not show it: it waits with
    /// rt_sigtimedwait(2), in which they are not blocked.
    pub fn is_first_process(&self) -> bool {
        !self.init && !self.host.has(Spaces::PID)
    }

    /// All zeros, see [`Config`]; no workload stays like this.
    const BLANK: Workload = Workload {
        name: Str { at: 0, len: 0 },
        command: List::EMPTY,
        root: Root::Scratch,
        overlay: 0,
        user: User::Auto { first: 0 },
        env: List::EMPTY,
        directory: None,
        restart: Restart::Never,
        backoff: Backoff { first: 0, most: 0, reset: 0, jitter: 0, burst: 0, within: 0 },
        after: List::EMPTY,
        needs: List::EMPTY,
        ready: Ready::Started,
        probe: Probe { port: 0, period: 0, timeout: 0, threshold: 0 },
        start_timeout: 0,
        watchdog: 0,
        stop: Stop { signals: 0, timeout: 0 },
        critical: false,
        privileged: false,
        early: false,
        init: false,
        stdio: Stdio::Log,
        log: Log { ring: 0, kernel: false },
        limits: List::EMPTY,
        volumes: List::EMPTY,
        network: Network::None,
        connection: Connection::NONE,
        host: Spaces::NONE,
        join: None,
        joined: Spaces::NONE,
        devices: List::EMPTY,
        unmasked: false,
        capabilities: 0,
        seccomp: Seccomp { base: Base::Own, allow: List::EMPTY, deny: List::EMPTY, refusal: Refusal::Errno },
        landlock: Landlock::Default,
        allow_bind: None,
        allow_connect: None,
    };
}

/// A set of kinds of namespaces, a bit each, in the order of the keys that name them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spaces(pub(super) u8);

impl Spaces {
    pub const NONE: Spaces = Spaces(0);
    pub const PID: Spaces = Spaces(1);
    pub const IPC: Spaces = Spaces(1 << 1);
    pub const UTS: Spaces = Spaces(1 << 2);
    pub const USER: Spaces = Spaces(1 << 3);
    pub const CGROUP: Spaces = Spaces(1 << 4);
    pub const TIME: Spaces = Spaces(1 << 5);
    pub const NETWORK: Spaces = Spaces(1 << 6);

    pub fn has(self, one: Spaces) -> bool {
        self.0 & one.0 != 0
    }
}
/// What `overlay = "tmpfs"` may grow to, as [`Workload::overlay`].
pub const OVERLAY: u64 = 64 << 20;

/// Whether a set of capabilities has the one with this number.
pub fn has(capabilities: u64, capability: u8) -> bool {
    capabilities.checked_shr(capability.into()).is_some_and(|rest| rest & 1 != 0)
}

/// The second wall around files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Landlock {
    /// Where the kernel has it.
    Default,
    /// ... and without it there is no start.
    Required,
    Off,
}

/// Which system calls a workload may make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seccomp {
    pub base: Base,
    /// Calls and sets of calls that are allowed besides.
    pub allow: List<Str>,
    /// Calls and sets of calls that are refused, if they were allowed so far.
    pub deny: List<Str>,
    pub refusal: Refusal,
}

/// The list that a workload's own list starts from, from the shortest to the longest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Base {
    /// Only what a program cannot do without.
    Own,
    Strict,
    Default,
    All,
    /// No filter at all.
    Off,
}

impl Base {
    /// Whether it is a list of corm's, with arguments looked at and what goes with capabilities.
    pub fn is_filtered(self) -> bool {
        matches!(self, Base::Strict | Base::Default)
    }
}

/// What becomes of a call that is not allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It fails with EPERM.
    Errno,
    /// It ends the process, with a line in the kernel's log.
    Kill,
    /// It is allowed, with a line in the kernel's log.
    Log,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Root {
    /// A tmpfs with only the command's own static binary in it.
    Scratch,
    /// A read-only view of this directory of the machine, `/` for its own root; or the
    /// filesystem that is in this image or on this block device.
    Directory(Str),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum User {
    /// A user namespace with 65,536 ids that are only this workload's, and the same at every
    /// boot: worked out from its name ([`Config`] holds no two alike). In there it is an
    /// ordinary user.
    Auto { first: u32 },
    /// These, as the machine numbers them. 0 must be asked for.
    Ids { uid: u32, gid: u32 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    Never,
    /// Exit status other than 0, or a signal.
    OnFailure,
    Always,
}

/// When a workload counts as ready, for those that start after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Ready {
    /// When its program runs.
    Started,
    /// When it has ended, and stays so.
    Settled,
    /// When it says so: `READY=1` to $NOTIFY_SOCKET, as sd_notify(3) does.
    Notify,
    /// When it writes a newline to this descriptor.
    Descriptor(u8),
    /// When a connection to its TCP port is accepted. Asked again and again, also later.
    Probe,
}

/// How a workload's health is looked at. Times are in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    pub port: u16,
    /// From one answer to the next question.
    pub period: u32,
    /// How long an answer may take.
    pub timeout: u32,
    /// So many misses in a row, and it is restarted.
    pub threshold: u32,
}

impl Probe {
    pub const DEFAULT: Probe = Probe { port: 0, period: 1_000, timeout: 1_000, threshold: 3 };
}

/// `start-timeout`.
pub const START_TIMEOUT: u32 = 60_000;

/// The wait before restart n is `first * 2^n`, at most `most`; a run of `reset`
/// starts over. All in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    pub first: u32,
    pub most: u32,
    pub reset: u32,
    /// Up to so much is added, a different time each.
    pub jitter: u32,
    /// More restarts than this `within` such a time, and it gives up; 0: never.
    pub burst: u32,
    pub within: u32,
}

impl Backoff {
    /// Fast enough that a single crash is not felt, slow enough that a workload
    /// that cannot run costs the machine less than a percent.
    pub const DEFAULT: Backoff =
        Backoff { first: 200, most: 30_000, reset: 10_000, jitter: 0, burst: 0, within: 60_000 };
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    /// Signal numbers, 1 to 64, a byte each; the first to be sent is the highest
    /// byte that is not 0.
    pub signals: u32,
    /// Milliseconds until SIGKILL to all of it; each signal has an equal part of them.
    pub timeout: u32,
}

impl Stop {
    pub const DEFAULT: Stop = Stop { signals: 15, timeout: 10_000 };

    fn all(self) -> impl Iterator<Item = u8> {
        self.signals.to_be_bytes().into_iter().filter(|signal| *signal != 0)
    }

    /// The signal that is sent after so many others.
    pub fn signal(self, nth: u8) -> Option<u8> {
        self.all().nth(nth.into())
    }

    /// How long each signal is given, in milliseconds.
    pub fn patience(self) -> u32 {
        self.timeout.checked_div(self.all().count() as u32).unwrap_or(self.timeout)
    }
}

/// `[workload.NAME.log]`: what becomes of what it writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Log {
    /// Bytes of its last lines that are kept in memory.
    pub ring: u32,
    /// Its lines go to the kernel log and the console too.
    pub kernel: bool,
}

impl Log {
    pub const DEFAULT: Log = Log { ring: limits::LOG_RING, kernel: true };
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stdio {
    /// stdin is /dev/null, stdout and stderr become log lines.
    Log,
    /// The machine's console, for a shell or a test.
    Console,
    /// These character devices of the machine, such as virtio-serial ports.
    Devices { stdin: Str, stdout: Str, stderr: Str },
}

/// One entry of `[workload.NAME.volumes]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Volume {
    /// Where, an absolute path inside the root.
    pub target: Str,
    pub source: VolumeSource,
    /// What is there may be executed.
    pub exec: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VolumeSource {
    /// A writable tmpfs of this many bytes, owned by the workload's user if nobody is named.
    Tmpfs { size: u64, mode: u16, owner: Option<(u32, u32)> },
    /// A directory or file of the machine, or the filesystem on a block device: its path, or a
    /// [`named_source`](super::named_source).
    Directory { source: Str, writable: bool },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Network {
    /// Its own network namespace with only a loopback.
    None,
    /// The machine's network namespace.
    Host,
    /// Its own, with an interface on a bridge of the machine.
    Bridge,
    /// Its own, with an interface that shares an interface of the machine, under a MAC of its own.
    Macvlan,
    /// The same under the MAC of the machine's interface.
    Ipvlan,
    /// Its own, and an interface of the machine moves into it.
    Moved,
}

impl Network {
    /// Whether PID 1 makes its namespace, keeps it, and sets up an interface in it.
    pub fn is_connected(self) -> bool {
        !matches!(self, Network::None | Network::Host)
    }
}

/// What else `[workload.NAME.network]` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connection {
    /// The machine's interface that [`Network`] is about.
    pub link: Str,
    pub addresses: List<Str>,
    pub gateways: List<Str>,
    /// [`Published`](super::address::Published).
    pub ports: List<Str>,
    /// [`Egress`](super::address::Egress): where it may go.
    pub egress: List<Str>,
    /// Its neighbours on the bridge can reach it.
    pub open: bool,
}

impl Connection {
    pub const NONE: Connection = Connection {
        link: Str { at: 0, len: 0 },
        addresses: List::EMPTY,
        gateways: List::EMPTY,
        ports: List::EMPTY,
        egress: List::EMPTY,
        open: false,
    };
}
