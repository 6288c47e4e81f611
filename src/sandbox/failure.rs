//! What went wrong, on either side of the clone, as a sentence.
//!
//! The child cannot talk: it sends eight bytes. [`Failure`] is what they mean
//! to the parent, and what the parent's own half fails with: which operation,
//! on which object, which errno. It is a small value; it becomes text only where
//! it is printed, and then says what corm was doing, to what, what the kernel
//! answered and, where it is known, what to do about it.

use super::plan::Step;
use crate::config::{Config, Limit, Root, VolumeSource, Workload, WorkloadId};
use crate::pack::{self, Packed};
use crate::sys::Errno;
use crate::text::{self, Show, Sink};
use crate::{packed, put};
use core::ffi::CStr;

macro_rules! operations {
    ($($what:ident $phrase:literal)*) => {
        /// Which operation. Numbers are what crosses the pipe, and rows of `PHRASES`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum What {
            $($what),*
        }

        impl What {
            const ALL: &[What] = &[$(What::$what),*];
        }

        /// How each reads after "cannot ", with a NUL behind it. `\x01` is the object;
        /// `\x02` the same and then where it is ("inside /srv/web"); `\x03` the root.
        static PHRASES: Packed = packed!(concat!($($phrase, "\0"),*));
    };
}

operations! {
    // The parent's half.
    Command "start a workload without a command"
    Volumes "mount more than 32 volumes"
    Network "connect it to a network"
    Environment "pass on an environment this large"
    NoCgroup "limit it: it has no cgroup v2 on /sys/fs/cgroup"
    Cgroup "make the cgroup \x01"
    Limit "set its limit \x01"
    Root "use \x03 as its root"
    ScratchRoot "make its scratch root"
    Program "use \x01 as its program"
    VolumeSource "use \x01 as a volume"
    Devices "make its /dev"
    Device "give it the device \x01"
    DeviceGuard "keep it from devices it was not given"
    Sys "use the machine's /sys as its own"
    Init "make a copy of corm its init"
    Descriptors "open what its start needs"
    Clone "make its process in its namespaces and cgroup"
    Time "set clocks of its own"
    Join "share namespaces of \x01"
    Users "map the ids of its user namespace"
    VolumeUsers "make \x01 a volume it may write to"
    // The child's half.
    Wait "wait for corm"
    Session "begin its session"
    Enter "enter its namespaces"
    CgroupNamespace "make its cgroup namespace"
    Hostname "set its hostname to \x01"
    Loopback "turn its loopback interface on"
    PrivateMounts "keep its mounts to itself"
    AttachRoot "mount \x03 as its root"
    Overlay "make \x03 writable by an overlay"
    AttachProgram "mount \x02 as its program"
    Proc "mount /proc in \x03"
    Dev "mount /dev in \x03"
    Notify "mount its /dev/notify"
    DevPts "mount its /dev/pts"
    DevShm "mount its /dev/shm"
    DevMqueue "mount its /dev/mqueue"
    SysMount "mount /sys in \x03"
    Names "mount /etc/hosts, resolv.conf and hostname in \x03"
    Volume "mount a volume on \x02"
    Pivot "make \x03 its /"
    Stdio "set up its stdin, stdout and stderr"
    Landlock "wall its files in with Landlock"
    Ports "guard its TCP ports"
    Rights "set its capabilities"
    User "give it its user and group"
    Keyring "give it a keyring"
    Ready "open the descriptor it says through that it is ready"
    CloseOnExec "close what it must not inherit"
    Directory "enter its directory \x02"
    Signals "unblock its signals"
    Seccomp "filter its system calls"
    Execute "execute \x02"
}

macro_rules! remedies {
    ($($what:ident $errno:ident $remedy:literal)*) => {
        /// What to do about it, where that is known.
        static REMEDIES: &[(What, Errno)] = &[$((What::$what, Errno::$errno)),*];
        /// In the same order, each with a NUL behind it.
        static REMEDY_TEXTS: Packed = packed!(concat!($($remedy, "\0"),*));
    };
}

remedies! {
    Init EACCES "the sysctl vm.memfd_noexec forbids it"
    Limit ENOENT "its cgroup has no such controller, or its device is not there"
    Limit ENODEV "it is not on a disk"
    Limit EPERM "this takes a right that corm does not have here"
    Limit EINVAL "the kernel does not take this value"
    Limit ERANGE "the kernel does not take this value"
    Root ELOOP "no part of the path may be a symlink, which a workload could have put there"
    VolumeSource EBUSY "it is mounted in another way: read-only here and writable there, or by two of its names"
    VolumeSource EMEDIUMTYPE "it has no filesystem that corm knows"
    VolumeSource ENODEV "its filesystem is neither in this kernel nor among its modules"
    VolumeSource ELOOP "no part of the path may be a symlink, which a workload could have put there"
    Network EOPNOTSUPP "only PID 1 has bridges and interfaces to give: set its network.mode"
    Device EEXIST "every workload has this one"
    Device ENODEV "it is no device"
    Device EPERM "in a user namespace whoever may read it may write it"
    DeviceGuard EINVAL "this kernel has no device programs (CONFIG_CGROUP_BPF)"
    DeviceGuard ENOENT "`devices`, `sys-admin` and `mknod` take cgroup v2, which keeps it from all others"
    DeviceGuard ENOSYS "this kernel has no device programs (CONFIG_CGROUP_BPF)"
    Clone EAGAIN "its pids limit is reached"
    Time EINVAL "this kernel has no time namespaces (CONFIG_TIME_NS)"
    Join EAGAIN "that workload does not run"
    Join EINVAL "the config has no such workload to join"
    Join ESRCH "that workload does not run"
    Clone EINVAL "this kernel lacks one of the namespaces"
    Clone ENOSPC "a limit in /proc/sys/user is reached"
    Clone EBUSY "its cgroup has cgroups of its own below it"
    Clone ENOSYS "corm needs Linux 5.15"
    VolumeUsers EINVAL "its filesystem cannot map ids: give the directory to the ids that `corm check` shows, use another filesystem, or name its `user`"
    Root ENOTDIR "it must be a directory, an image or a block device"
    Root EMEDIUMTYPE "it must have an erofs or squashfs filesystem"
    Root ENODEV "its filesystem is neither in this kernel nor among its modules"
    Overlay ENODEV "overlayfs is neither in this kernel nor among its modules"
    Overlay EINVAL "this kernel cannot do it here: before Linux 5.19 not in a user namespace"
    Proc EPERM "the container around it hides parts of /proc: `namespaces.pid = \"host\"` shows that one"
    Proc ENOENT "create the directories proc and dev there"
    Proc ENOTDIR "it must be a directory there, not a symlink"
    Proc ELOOP "it must be a directory there, not a symlink"
    Dev ENOENT "create the directories proc and dev there"
    Dev ENOTDIR "it must be a directory there, not a symlink"
    Dev ELOOP "it must be a directory there, not a symlink"
    SysMount ENOTDIR "it must be a directory there, not a symlink"
    DevPts ENODEV "this kernel has no devpts"
    DevShm ENODEV "this kernel has no tmpfs"
    Volume ENOENT "its root is read-only, so create the directory in it beforehand"
    Volume ENOTDIR "it must be a directory there, not a symlink"
    Volume ELOOP "it must be a directory there, not a symlink"
    Pivot EINVAL "the machine's own / must be a mount that can be left: not rootfs"
    Stdio EISDIR "a directory would be a way out of its root"
    Landlock ENOSYS "this takes Linux 5.19, with `landlock` among its lsm="
    Ports E2BIG "a list may have 64 ranges"
    Ports ENOENT "this takes Landlock (Linux 6.7), or a cgroup of its own"
    Ports EPERM "this takes Landlock (Linux 6.7), or the machine's root"
    Rights EINVAL "this kernel does not have one of them"
    Directory EXDEV "it leads out of its root"
    Seccomp EINVAL "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)"
    Seccomp ENOSYS "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)"
    Execute ENOENT "it, or the interpreter or dynamic loader it asks for, is not there"
    Execute EACCES "it is not executable for its user, or lies on a noexec volume"
    Execute E2BIG "its arguments and environment are larger than a quarter of its stack"
}

/// A start that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    pub what: What,
    /// Which volume or limit, where there are several.
    pub index: u16,
    pub errno: Errno,
}

impl Failure {
    pub(super) fn new(what: What, errno: Errno) -> Failure {
        Failure { what, index: 0, errno }
    }

    /// Whether the same start may work later without anybody changing anything.
    pub fn transient(self) -> bool {
        // What it joins may be there later.
        is_transient(self.errno) || (self.what == What::Join && self.errno == Errno::ESRCH)
    }

    /// What a shell would exit with: 127 where the command is not there, 126
    /// where it, or its walls, could not be had.
    pub fn exit_code(self) -> u8 {
        let missing = self.errno == Errno::ENOENT || self.errno == Errno::ENOTDIR;
        match self.what {
            What::Execute | What::Program if missing => 127,
            _ => 126,
        }
    }

    /// As a sentence, with the names that the config has for things.
    pub fn shown(self, config: &Config, id: WorkloadId) -> Shown<'_> {
        Shown { failure: self, config, workload: config.workload(id) }
    }
}

/// Whether what failed with this may work later without anybody changing anything.
pub fn is_transient(errno: Errno) -> bool {
    const PASSING: [Errno; 9] = [
        Errno::EAGAIN,
        Errno::ENOMEM,
        Errno::ENOSPC,
        Errno::EMFILE,
        Errno::ENFILE,
        Errno::EBUSY,
        Errno::ETXTBSY,
        Errno::EIO,
        Errno::EINTR,
    ];
    PASSING.contains(&errno)
}

/// See [`Failure::shown`].
pub struct Shown<'c> {
    failure: Failure,
    config: &'c Config,
    workload: Option<&'c Workload>,
}

impl Show for Shown<'_> {
    fn show(&self, out: &mut dyn Sink) {
        let Failure { what, errno, .. } = self.failure;
        let root = self.workload.map_or(c"", |workload| root_of(self.config, workload));
        put!(*out, "cannot ");
        for byte in text::words(PHRASES.0, 0).nth(what as usize).unwrap_or_default() {
            match byte {
                1 => self.object().show(out),
                2 if root == c"/" => self.object().show(out),
                2 => put!(*out, self.object(), " inside ", named(root)),
                3 => named(root).show(out),
                _ => pack::put(*byte, out),
            }
        }
        put!(*out, ": ", errno);
        let remedy = REMEDIES.iter().position(|row| *row == (what, errno));
        if let Some(remedy) = remedy.and_then(|row| text::words(REMEDY_TEXTS.0, 0).nth(row)) {
            put!(*out, ": ", Packed(remedy));
        }
    }
}

fn named(root: &CStr) -> &CStr {
    if root.is_empty() { c"its scratch root" } else { root }
}

impl<'c> Shown<'c> {
    /// What it was done to.
    fn object(&self) -> &'c [u8] {
        let (config, index) = (self.config, usize::from(self.failure.index));
        let Some(workload) = self.workload else { return b"?" };
        let volume = config.volumes(workload.volumes).get(index);
        let name = match (self.failure.what, volume.map(|volume| volume.source)) {
            (What::Volume, _) => volume.map_or(c"?", |volume| config.c_str(volume.target)),
            (What::Device, _) => {
                let device = config.words(workload.devices).get(index);
                device.map_or(c"?", |device| config.c_str(*device))
            }
            (What::VolumeSource | What::VolumeUsers, Some(VolumeSource::Directory { source, .. })) => {
                config.c_str(source)
            }
            (What::Limit, _) => return Limit::ALL.get(index).map_or(b"?", |limit| limit.name()),
            (What::Hostname | What::Cgroup, _) => config.c_str(workload.name),
            (What::Join, _) => workload
                .join
                .and_then(|id| config.workload(id))
                .map_or(c"a workload", |joined| config.c_str(joined.name)),
            (What::Directory, _) => workload.directory.map_or(c"/", |path| config.c_str(path)),
            _ => command(config, workload),
        };
        name.to_bytes()
    }
}

/// The path of a workload's root; empty for `scratch`.
pub(super) fn root_of<'c>(config: &'c Config, workload: &Workload) -> &'c CStr {
    match workload.root {
        _ if workload.privileged => c"/",
        Root::Directory(path) => config.c_str(path),
        Root::Scratch => c"",
    }
}

/// The eight bytes the child sends: what (1), unused (1), index (2), errno (2), a mark (2).
pub(super) const REPORT: usize = 8;
const MARK: [u8; 2] = *b"c!";

pub(super) fn encode(step: Step, errno: Errno) -> [u8; REPORT] {
    let (what, index) = what(step);
    let ([index_low, index_high], [errno_low, errno_high]) = (index.to_le_bytes(), errno.raw().to_le_bytes());
    let [mark, end] = MARK;
    [what as u8, 0, index_low, index_high, errno_low, errno_high, mark, end]
}

/// What a report says; `None` for bytes that are no report.
pub(super) fn decode(report: &[u8; REPORT]) -> Option<Failure> {
    let &[what, _, index_low, index_high, errno_low, errno_high, mark, end] = report;
    let what = *What::ALL.get(usize::from(what)).filter(|_| [mark, end] == MARK)?;
    let index = u16::from_le_bytes([index_low, index_high]);
    let errno = Errno::from_raw(u16::from_le_bytes([errno_low, errno_high]));
    Some(Failure { what, index, errno })
}

/// A workload's program; empty if it has none.
pub fn command<'c>(config: &'c Config, workload: &Workload) -> &'c CStr {
    config.words(workload.command).first().map_or(c"", |program| config.c_str(*program))
}

fn what(step: Step) -> (What, u16) {
    let what = match step {
        Step::Volume(index) => return (What::Volume, index),
        Step::FewFiles => return (What::Limit, Limit::Files as u16),
        Step::Wait => What::Wait,
        Step::Session => What::Session,
        Step::Enter => What::Enter,
        Step::CgroupNamespace => What::CgroupNamespace,
        Step::Hostname => What::Hostname,
        Step::Loopback => What::Loopback,
        Step::PrivateMounts => What::PrivateMounts,
        Step::Root => What::AttachRoot,
        Step::OverlaidRoot => What::Overlay,
        Step::Program => What::AttachProgram,
        Step::Proc => What::Proc,
        Step::Devices | Step::DeviceFiles => What::Dev,
        Step::Notify => What::Notify,
        Step::ReadyDescriptor => What::Ready,
        Step::Terminals => What::DevPts,
        Step::SharedMemory => What::DevShm,
        Step::MessageQueues => What::DevMqueue,
        Step::Sys => What::SysMount,
        Step::Names => What::Names,
        Step::Pivot => What::Pivot,
        Step::Stdio | Step::ControllingTerminal | Step::Umask => What::Stdio,
        Step::Landlock => What::Landlock,
        Step::NotDumpable
        | Step::BoundingSet
        | Step::Capabilities
        | Step::NoNewPrivileges
        | Step::DieWithParent => What::Rights,
        Step::NamespaceRoot | Step::Groups | Step::Gid | Step::Uid => What::User,
        Step::Keyring => What::Keyring,
        Step::CloseOnExec => What::CloseOnExec,
        Step::Directory => What::Directory,
        Step::Signals => What::Signals,
        Step::Seccomp => What::Seccomp,
        Step::Execute => What::Execute,
        Step::Init => What::Init,
    };
    (what, 0)
}

/// Rows are found by number.
#[cfg(test)]
pub(super) fn check_phrases() {
    assert_eq!(text::words(PHRASES.0, 0).count(), What::ALL.len());
    assert_eq!(text::words(REMEDY_TEXTS.0, 0).count(), REMEDIES.len());
}
