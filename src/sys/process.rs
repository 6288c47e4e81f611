//! Processes: making them, becoming another program, ending.

use super::{Args, BorrowedFd, Errno, OwnedFd, call};
use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::ops::BitOr;
use core::ptr;

/// exit_group(2).
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: no pointers; does not return.
        let _ = unsafe { call!(exit_group, usize::from(status)) };
    }
}

/// CLONE_NEW* flags, for [`clone`] and [`unshare`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Namespaces(u32);

impl Namespaces {
    pub const NONE: Self = Namespaces(0);
    pub const MOUNT: Self = Namespaces(libc::CLONE_NEWNS as u32);
    pub const CGROUP: Self = Namespaces(libc::CLONE_NEWCGROUP as u32);
    pub const UTS: Self = Namespaces(libc::CLONE_NEWUTS as u32);
    pub const IPC: Self = Namespaces(libc::CLONE_NEWIPC as u32);
    pub const PID: Self = Namespaces(libc::CLONE_NEWPID as u32);
    pub const NETWORK: Self = Namespaces(libc::CLONE_NEWNET as u32);
    pub const USER: Self = Namespaces(libc::CLONE_NEWUSER as u32);
    /// Linux 5.6; ARM has none before 6.14. Not for [`clone`]: its clocks could not be set any more.
    pub const TIME: Self = Namespaces(0x80);
}

impl BitOr for Namespaces {
    type Output = Namespaces;
    fn bitor(self, other: Namespaces) -> Namespaces {
        Namespaces(self.0 | other.0)
    }
}

/// Which side of [`clone`] this is.
pub enum Cloned {
    Parent(u32),
    Child,
}

/// Whose child [`clone`] makes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Parent {
    Caller = 0,
    /// The caller's own parent (CLONE_PARENT), which also gets the signal that it gets of the caller.
    OfCaller = libc::CLONE_PARENT as u64,
}

/// clone3(2), Linux 5.3: a child with a copy of this memory, in new namespaces
/// and, from its first instruction on, in `cgroup` (CLONE_INTO_CGROUP, 5.7).
/// Signal handlers are not inherited (CLONE_CLEAR_SIGHAND, 5.5); the signal mask
/// and ignored signals are. The child ends with SIGCHLD.
///
/// EAGAIN: a pids limit. ENOSPC: too many namespaces. EBUSY: `cgroup` hands out
/// controllers to children of its own. ENOMEM also: the pid namespace is dying.
pub fn clone(namespaces: Namespaces, parent: Parent, cgroup: Option<BorrowedFd>) -> Result<Cloned, Errno> {
    const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
    const INTO_CGROUP: u64 = 0x2_0000_0000;
    /// struct clone_args, version 2 (Linux 5.7).
    #[repr(C)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    let arguments = CloneArgs {
        flags: u64::from(namespaces.0)
            | parent as u64
            | CLEAR_SIGHAND
            | if cgroup.is_some() { INTO_CGROUP } else { 0 },
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: if parent == Parent::Caller { libc::SIGCHLD as u64 } else { 0 },
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.map_or(0, |fd| fd.number() as u32 as u64),
    };
    // SAFETY: `arguments` is readable for the size given. Memory is not shared (no CLONE_VM), so
    // the child returns here on a stack of its own; corm has one thread, so no lock is left held.
    let pid = unsafe { call!(clone3, &raw const arguments, size_of::<CloneArgs>()) }?;
    Ok(if pid == 0 { Cloned::Child } else { Cloned::Parent(pid as u32) })
}

/// unshare(2).
pub fn unshare(namespaces: Namespaces) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(unshare, namespaces.0) }.map(drop)
}

/// A handle of a process that cannot come to mean another one. pidfd_open(2), Linux 5.3.
/// ESRCH: there is no such process.
pub fn open(pid: u32) -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers.
    unsafe { call!(pidfd_open, pid, 0) }.map(OwnedFd::from_return)
}

/// Enters these namespaces of the process behind a handle; of pid namespaces, children do.
/// Entering a mount namespace also makes its root the root and the working directory.
/// setns(2), with a handle since Linux 5.8.
pub fn enter(process: BorrowedFd, namespaces: Namespaces) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(setns, process.number(), namespaces.0) }.map(drop)
}

/// setsid(2): a session of its own, without a terminal.
pub fn new_session() -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(setsid) }.map(drop)
}

/// setpgid(2): the caller leads a process group of its own.
pub fn new_group() -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(setpgid, 0, 0) }.map(drop)
}

/// The caller's process group, 0 if its leader is outside of this pid namespace. getpgid(2).
pub fn group() -> u32 {
    // SAFETY: no pointers; of oneself it cannot fail.
    unsafe { call!(getpgid, 0) }.unwrap_or(0) as u32
}

/// The caller's session, 0 if its leader is outside of this pid namespace. getsid(2).
pub fn session() -> u32 {
    // SAFETY: no pointers; of oneself it cannot fail.
    unsafe { call!(getsid, 0) }.unwrap_or(0) as u32
}

/// Orphans below the caller become its children instead of PID 1's.
/// prctl(2) PR_SET_CHILD_SUBREAPER.
pub fn adopt_orphans() -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(prctl, libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }.map(drop)
}

/// Whether it does already: execve(2) keeps that. PR_GET_CHILD_SUBREAPER.
pub fn adopts_orphans() -> bool {
    let mut answer = 0i32;
    // SAFETY: `answer` is a writable int.
    let result = unsafe { call!(prctl, libc::PR_GET_CHILD_SUBREAPER, &raw mut answer, 0, 0, 0) };
    result.is_ok() && answer == 1
}

/// The signal that the caller gets when its parent dies. PR_SET_PDEATHSIG.
pub fn set_parent_death_signal(signal: u8) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(prctl, libc::PR_SET_PDEATHSIG, usize::from(signal), 0, 0, 0) }.map(drop)
}

/// TIOCSCTTY: `terminal` becomes the controlling one of the caller's session,
/// also when another session has it (which takes CAP_SYS_ADMIN). ENOTTY: no terminal.
pub fn set_controlling_terminal(terminal: BorrowedFd) -> Result<(), Errno> {
    const STEAL: usize = 1;
    // SAFETY: no pointers.
    unsafe { call!(ioctl, terminal.number(), libc::TIOCSCTTY as usize, STEAL) }.map(drop)
}

/// prctl(2) PR_SET_PDEATHSIG: SIGKILL when the parent ends. A change of ids takes it back.
pub fn die_with_parent() -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) }.map(drop)
}

/// umask(2); returns the one before.
pub fn set_umask(mask: u32) -> u32 {
    // SAFETY: no pointers. umask(2) cannot fail.
    unsafe { call!(umask, mask) }.map_or(0o022, |old| old as u32)
}

/// No signal is ignored any more. For modes that somebody else started; the kernel
/// starts PID 1 with nothing ignored. Says which were, as nohup(1) has it: a bit each.
pub fn default_signals() -> u64 {
    // SIGKILL and SIGSTOP cannot be ignored.
    let was_ignored = |signal: &u8| ignore(*signal, false);
    (1..=64).filter(was_ignored).fold(0, |all, signal| all | 1u64.wrapping_shl(u32::from(signal) - 1))
}

/// rt_sigaction(2): ignores the signal, or takes its default action. Says whether
/// it was ignored before.
pub fn ignore(signal: u8, yes: bool) -> bool {
    /// As large as the largest of the three architectures' struct sigaction; its first word is
    /// the handler, and all zero is SIG_DFL.
    const WORDS: usize = 4;
    let mut action = [0u64; WORDS];
    let mut old = [0u64; WORDS];
    if let Some(handler) = action.first_mut() {
        // SIG_IGN, in the low half of the word on a 32-bit machine: all are little-endian.
        *handler = u64::from(yes);
    }
    let (action, old_action) = (action.as_ptr(), old.as_mut_ptr());
    // SAFETY: both are larger than a struct sigaction; one is readable, the other writable.
    let result = unsafe { call!(rt_sigaction, usize::from(signal), action, old_action, size_of::<u64>()) };
    result.is_ok() && old.first().is_some_and(|handler| *handler as usize == libc::SIG_IGN)
}

/// The caller, where a process is named by its pid.
pub const SELF: u32 = 0;

/// prlimit64(2) of a process, a resource by its number: RLIMIT_*, the same on the
/// three architectures. EPERM: a hard limit is raised only with CAP_SYS_RESOURCE.
pub fn set_limits(pid: u32, resource: u32, soft: u64, hard: u64) -> Result<(), Errno> {
    /// struct rlimit64.
    #[repr(C)]
    struct Limit {
        soft: u64,
        hard: u64,
    }
    let limit = Limit { soft, hard };
    let no_old = ptr::null::<Limit>();
    // SAFETY: `limit` is readable as a struct rlimit64; no old limit is asked for.
    unsafe { call!(prlimit64, pid, resource, &raw const limit, no_old) }.map(drop)
}

/// setpriority(2) of a process: its nice value, -20 to 19. EACCES: going down takes
/// CAP_SYS_NICE or RLIMIT_NICE.
pub fn set_nice(pid: u32, nice: i32) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(setpriority, libc::PRIO_PROCESS, pid, nice) }.map(drop)
}

/// ioprio_set(2) of a process: the class above bit 13, the level below. EPERM: the
/// real-time class takes CAP_SYS_ADMIN or CAP_SYS_NICE.
pub fn set_io_priority(pid: u32, priority: u32) -> Result<(), Errno> {
    const IOPRIO_WHO_PROCESS: u32 = 1;
    // SAFETY: no pointers.
    unsafe { call!(ioprio_set, IOPRIO_WHO_PROCESS, pid, priority) }.map(drop)
}

/// ioprio_get(2) of a process, as [`set_io_priority`] takes it. ESRCH: there is no such process.
pub fn io_priority(pid: u32) -> Result<u32, Errno> {
    const IOPRIO_WHO_PROCESS: u32 = 1;
    // SAFETY: no pointers.
    unsafe { call!(ioprio_get, IOPRIO_WHO_PROCESS, pid) }.map(|priority| priority as u32)
}

/// sched_setscheduler(2) of a process: SCHED_*, and a priority for the real-time ones.
/// EPERM also: its cgroup has no real-time budget (CONFIG_RT_GROUP_SCHED).
pub fn set_scheduler(pid: u32, policy: u32, priority: u32) -> Result<(), Errno> {
    // SAFETY: the second pointer is to a struct sched_param, which is an int.
    unsafe { call!(sched_setscheduler, pid, policy, &raw const priority) }.map(drop)
}

/// The null-terminated arrays of strings that execve(2) takes; room for `N`, the null included.
pub struct Pointers<'a, const N: usize> {
    pointers: [*const c_char; N],
    used: usize,
    strings: PhantomData<&'a CStr>,
}

impl<'a, const N: usize> Pointers<'a, N> {
    pub fn new() -> Self {
        Pointers { pointers: [ptr::null(); N], used: 0, strings: PhantomData }
    }

    /// False if it is full: the last place is the null's.
    #[must_use]
    pub fn push(&mut self, string: &'a CStr) -> bool {
        if self.used.saturating_add(1) >= N {
            return false;
        }
        let Some(place) = self.pointers.get_mut(self.used) else { return false };
        *place = string.as_ptr();
        self.used = self.used.saturating_add(1);
        true
    }
}

impl<const N: usize> Default for Pointers<'_, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// execve(2). Returns only with what went wrong. ENOENT also means that the
/// interpreter or dynamic loader which `program` names is missing.
pub fn execute<const A: usize, const E: usize>(
    program: &CStr,
    arguments: &Pointers<A>,
    environment: &Pointers<E>,
) -> Errno {
    const { assert!(A > 0 && E > 0) };
    let (arguments, environment) = (arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    // SAFETY: `program` is NUL-terminated; `push` keeps both arrays null-terminated, and the
    // strings they point to live as long as `Pointers` does, which is past the call.
    match unsafe { call!(execve, program.as_ptr(), arguments, environment) } {
        Ok(_) => Errno::EIO,
        Err(errno) => errno,
    }
}

/// The same of an open file, whatever its name: execveat(2), Linux 3.19.
pub fn execute_file<const A: usize, const E: usize>(
    program: BorrowedFd,
    arguments: &Pointers<A>,
    environment: &Pointers<E>,
) -> Errno {
    let (arguments, environment) = (arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    let (itself, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: as in `execute`; the path is NUL-terminated, and `Pointers` is never without its null.
    match unsafe { call!(execveat, program.number(), itself, arguments, environment, flags) } {
        Ok(_) => Errno::EIO,
        Err(errno) => errno,
    }
}

/// execve(2) with the caller's own arguments from `first` on, and its environment
/// or none. As [`execute`].
pub fn execute_arguments(program: &CStr, args: Args, first: usize, environment: bool) -> Errno {
    let none = [ptr::null::<c_char>()];
    let arguments = args.argument_pointer(first);
    let environment = if environment { args.environment_pointer() } else { none.as_ptr() };
    // SAFETY: `program` is NUL-terminated; both arrays are null-terminated, the kernel's or ours.
    match unsafe { call!(execve, program.as_ptr(), arguments, environment) } {
        Ok(_) => Errno::EIO,
        Err(errno) => errno,
    }
}

/// getpid(2).
pub fn id() -> u32 {
    // SAFETY: no pointers; it cannot fail.
    unsafe { call!(getpid) }.unwrap_or(0) as u32
}

/// A random number, as good as the kernel has one now: getrandom(2) with GRND_INSECURE (Linux 5.6), which
/// never waits.
pub fn random() -> u32 {
    const INSECURE: u32 = 4;
    let mut number = 0u32;
    // A kernel without it leaves the 0.
    // SAFETY: `number` is writable for its size.
    let _ = unsafe { call!(getrandom, &raw mut number, size_of::<u32>(), INSECURE) };
    number
}
