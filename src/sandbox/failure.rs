//! What went wrong, on either side of the clone, as a sentence.
//!
//! The child cannot talk: it sends eight bytes. [`Failure`] is what they mean
//! to the parent, and what the parent's own half fails with: which operation,
//! on which object, which errno. It is a small value; it becomes text only where
//! it is printed, and then says what corm was doing, to what, what the kernel
//! answered and, where it is known, what to do about it.

use super::plan::{self, Rlimit, Step};
use crate::cgroup;
use crate::config::{Config, Root, VolumeSource, Workload, WorkloadId};
use crate::put;
use crate::sys::Errno;
use crate::text::{Show, Sink};
use core::ffi::CStr;

/// Which operation. Numbers are what crosses the pipe, and rows of [`PHRASES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum What {
    // The parent's half.
    Command,
    Volumes,
    Environment,
    NoCgroup,
    Cgroup,
    Limit,
    Root,
    ScratchRoot,
    Program,
    VolumeSource,
    Devices,
    Descriptors,
    Clone,
    // The child's half.
    Session,
    CgroupNamespace,
    Hostname,
    Loopback,
    PrivateMounts,
    AttachRoot,
    AttachProgram,
    Proc,
    Dev,
    DevPts,
    DevShm,
    Volume,
    Pivot,
    Stdio,
    Rlimit,
    Rights,
    User,
    CloseOnExec,
    Directory,
    Signals,
    Execute,
}

/// A start that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    pub what: What,
    /// Which volume or limit, where there are several.
    pub index: u16,
    pub errno: Errno,
}

/// How [`What`] reads: "cannot BEFORE object AFTER".
struct Phrase {
    what: What,
    before: &'static str,
    object: Object,
    after: &'static str,
    remedies: &'static [(Errno, &'static str)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Object {
    None,
    /// Chosen by whoever made the failure.
    Given,
    /// The same, and then where it is: "inside /srv/web".
    InRoot,
    Root,
}

const fn phrase(what: What, before: &'static str, object: Object, after: &'static str) -> Phrase {
    Phrase { what, before, object, after, remedies: &[] }
}

impl Phrase {
    const fn remedies(self, remedies: &'static [(Errno, &'static str)]) -> Phrase {
        Phrase { remedies, ..self }
    }
}

const NO_DIRECTORY: &[(Errno, &str)] = &[
    (Errno::ENOENT, "create the directories proc and dev there"),
    (Errno::ENOTDIR, "it must be a directory there, not a symlink"),
    (Errno::ELOOP, "it must be a directory there, not a symlink"),
];

const NO_LINKS: &[(Errno, &str)] =
    &[(Errno::ELOOP, "no part of the path may be a symlink, which a workload could have put there")];

static PHRASES: [Phrase; 34] = [
    phrase(What::Command, "start", Object::None, "a workload without a command"),
    phrase(What::Volumes, "mount", Object::None, "more than 32 volumes"),
    phrase(What::Environment, "pass on", Object::None, "an environment this large"),
    phrase(What::NoCgroup, "limit", Object::None, "it: no cgroup v2 is mounted on /sys/fs/cgroup"),
    phrase(What::Cgroup, "make the cgroup", Object::Given, ""),
    phrase(What::Limit, "set its limit", Object::Given, "").remedies(&[
        (Errno::ENOENT, "this machine has no such cgroup controller"),
        (Errno::EINVAL, "the kernel does not take this value"),
        (Errno::ERANGE, "the kernel does not take this value"),
    ]),
    phrase(What::Root, "use", Object::Root, "as its root").remedies(NO_LINKS),
    phrase(What::ScratchRoot, "make its scratch root", Object::None, ""),
    phrase(What::Program, "use", Object::Given, "as its program"),
    phrase(What::VolumeSource, "use", Object::Given, "as a volume").remedies(NO_LINKS),
    phrase(What::Devices, "make its /dev", Object::None, ""),
    phrase(What::Descriptors, "open what its start needs", Object::None, ""),
    phrase(What::Clone, "make its process", Object::None, "in its namespaces and cgroup").remedies(&[
        (Errno::EAGAIN, "its pids limit is reached"),
        (Errno::ENOSPC, "a limit in /proc/sys/user is reached"),
        (Errno::EBUSY, "its cgroup has cgroups of its own below it"),
        (Errno::ENOSYS, "corm needs Linux 5.15"),
    ]),
    phrase(What::Session, "begin its session", Object::None, ""),
    phrase(What::CgroupNamespace, "make its cgroup namespace", Object::None, ""),
    phrase(What::Hostname, "set its hostname to", Object::Given, ""),
    phrase(What::Loopback, "turn its loopback interface on", Object::None, ""),
    phrase(What::PrivateMounts, "keep its mounts to itself", Object::None, ""),
    phrase(What::AttachRoot, "mount", Object::Root, "as its root")
        .remedies(&[(Errno::ENOTDIR, "it must be a directory")]),
    phrase(What::AttachProgram, "mount", Object::InRoot, "as its program"),
    phrase(What::Proc, "mount /proc in", Object::Root, "").remedies(NO_DIRECTORY),
    phrase(What::Dev, "mount /dev in", Object::Root, "").remedies(NO_DIRECTORY),
    phrase(What::DevPts, "mount its /dev/pts", Object::None, "")
        .remedies(&[(Errno::ENODEV, "this kernel has no devpts")]),
    phrase(What::DevShm, "mount its /dev/shm", Object::None, "")
        .remedies(&[(Errno::ENODEV, "this kernel has no tmpfs")]),
    phrase(What::Volume, "mount a volume on", Object::InRoot, "").remedies(&[
        (Errno::ENOENT, "its root is read-only, so create the directory in it beforehand"),
        (Errno::ENOTDIR, "it must be a directory there, not a symlink"),
        (Errno::ELOOP, "it must be a directory there, not a symlink"),
    ]),
    phrase(What::Pivot, "make", Object::Root, "its /")
        .remedies(&[(Errno::EINVAL, "the machine's own / must be a mount that can be left: not rootfs")]),
    phrase(What::Stdio, "set up its stdin, stdout and stderr", Object::None, ""),
    phrase(What::Rlimit, "set its limit", Object::Given, ""),
    phrase(What::Rights, "take its capabilities away", Object::None, ""),
    phrase(What::User, "give it its user and group", Object::None, ""),
    phrase(What::CloseOnExec, "close what it must not inherit", Object::None, ""),
    phrase(What::Directory, "enter its directory", Object::InRoot, "")
        .remedies(&[(Errno::EXDEV, "it leads out of its root")]),
    phrase(What::Signals, "unblock its signals", Object::None, ""),
    phrase(What::Execute, "execute", Object::InRoot, "").remedies(&[
        (Errno::ENOENT, "it, or the interpreter or dynamic loader it asks for, is not there"),
        (Errno::EACCES, "it is not executable for its user, or lies on a noexec volume"),
        (Errno::E2BIG, "its arguments and environment are larger than a quarter of its stack"),
    ]),
];

impl Failure {
    pub(super) fn new(what: What, errno: Errno) -> Failure {
        Failure { what, index: 0, errno }
    }

    /// Whether the same start may work later without anybody changing anything.
    pub fn transient(self) -> bool {
        is_transient(self.errno)
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
        let errno = self.failure.errno;
        let Some(phrase) = PHRASES.get(self.failure.what as usize) else { return };
        let root = self.workload.map_or(c"", |workload| root_of(self.config, workload));
        let (object, inside) = match phrase.object {
            Object::None => (c"", c""),
            Object::Given => (self.object(), c""),
            Object::InRoot if root == c"/" => (self.object(), c""),
            Object::InRoot => (self.object(), named(root)),
            Object::Root => (named(root), c""),
        };
        let parts: [(&str, &[u8]); 4] = [
            ("cannot ", phrase.before.as_bytes()),
            (" ", object.to_bytes()),
            (" inside ", inside.to_bytes()),
            (" ", phrase.after.as_bytes()),
        ];
        for (before, part) in parts {
            if !part.is_empty() {
                put!(*out, before, part);
            }
        }
        put!(*out, ": ", errno);
        if let Some((_, remedy)) = phrase.remedies.iter().find(|(at, _)| *at == errno) {
            put!(*out, ": ", remedy);
        }
    }
}

fn named(root: &CStr) -> &CStr {
    if root.is_empty() { c"its scratch root" } else { root }
}

impl<'c> Shown<'c> {
    /// What it was done to.
    fn object(&self) -> &'c CStr {
        let (config, index) = (self.config, usize::from(self.failure.index));
        let Some(workload) = self.workload else { return c"?" };
        let volume = config.volumes(workload.volumes).get(index);
        match (self.failure.what, volume.map(|volume| volume.source)) {
            (What::Volume, _) => volume.map_or(c"?", |volume| config.c_str(volume.target)),
            (What::VolumeSource, Some(VolumeSource::Directory { source, .. })) => config.c_str(source),
            (What::Limit, _) => cgroup::limit_name(index),
            (What::Rlimit, _) => RLIMITS.get(index).map_or(c"?", |(_, name)| name),
            (What::Hostname | What::Cgroup, _) => config.c_str(workload.name),
            (What::Directory, _) => workload.directory.map_or(c"/", |path| config.c_str(path)),
            _ => command(config, workload),
        }
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
    let what = PHRASES.get(usize::from(what)).filter(|_| [mark, end] == MARK)?.what;
    let index = u16::from_le_bytes([index_low, index_high]);
    let errno = Errno::from_raw(u16::from_le_bytes([errno_low, errno_high]));
    Some(Failure { what, index, errno })
}

/// A workload's program; empty if it has none.
pub(super) fn command<'c>(config: &'c Config, workload: &Workload) -> &'c CStr {
    config.words(workload.command).first().map_or(c"", |program| config.c_str(*program))
}

static RLIMITS: [(Rlimit, &CStr); plan::Rlimit::ALL.len()] = [
    (Rlimit::Files, c"files"),
    (Rlimit::Core, c"core"),
    (Rlimit::Stack, c"stack"),
    (Rlimit::LockedMemory, c"locked-memory"),
    (Rlimit::FileSize, c"file-size"),
];

fn what(step: Step) -> (What, u16) {
    let what = match step {
        Step::Volume(index) => return (What::Volume, index),
        Step::Limit(limit) => {
            let row = RLIMITS.iter().zip(0u16..).find(|((it, _), _)| *it == limit);
            return (What::Rlimit, row.map_or(u16::MAX, |(_, index)| index));
        }
        Step::Session => What::Session,
        Step::CgroupNamespace => What::CgroupNamespace,
        Step::Hostname => What::Hostname,
        Step::Loopback => What::Loopback,
        Step::PrivateMounts => What::PrivateMounts,
        Step::Root => What::AttachRoot,
        Step::Program => What::AttachProgram,
        Step::Proc => What::Proc,
        Step::Devices | Step::DeviceFiles => What::Dev,
        Step::Terminals => What::DevPts,
        Step::SharedMemory => What::DevShm,
        Step::Pivot => What::Pivot,
        Step::Stdio | Step::ControllingTerminal | Step::Umask => What::Stdio,
        Step::NotDumpable
        | Step::BoundingSet
        | Step::Capabilities
        | Step::NoNewPrivileges
        | Step::DieWithParent => What::Rights,
        Step::Groups | Step::Gid | Step::Uid => What::User,
        Step::CloseOnExec => What::CloseOnExec,
        Step::Directory => What::Directory,
        Step::Signals => What::Signals,
        Step::Execute => What::Execute,
    };
    (what, 0)
}

/// Rows are found by number.
#[cfg(test)]
pub(super) fn check_phrases() {
    for (number, phrase) in PHRASES.iter().enumerate() {
        assert_eq!(phrase.what as usize, number);
    }
    assert_eq!(PHRASES.len(), What::Execute as usize + 1);
}
