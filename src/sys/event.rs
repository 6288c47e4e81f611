//! Waiting: epoll and signalfd.

use super::{BorrowedFd, Errno, OwnedFd, call};
use core::mem::MaybeUninit;

/// epoll_create1(2).
pub fn create() -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers.
    unsafe { call!(epoll_create1, libc::EPOLL_CLOEXEC) }.map(OwnedFd::from_return)
}

/// What a descriptor is watched for. Hang-ups and errors always count.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Interest {
    Readable = libc::EPOLLIN as u32,
    /// Priority data: how cgroup.events says that it changed (cgroups(7)).
    Priority = libc::EPOLLPRI as u32,
    /// ... and no more, until [`again`].
    PriorityOnce = libc::EPOLLPRI as u32 | libc::EPOLLONESHOT as u32,
}

/// Adds `fd`; `token` comes back from [`wait`]. epoll_ctl(2).
pub fn add(epoll: BorrowedFd, fd: BorrowedFd, interest: Interest, token: u64) -> Result<(), Errno> {
    control(epoll, libc::EPOLL_CTL_ADD, fd, interest, token)
}

/// Watches on after [`Interest::PriorityOnce`].
pub fn again(epoll: BorrowedFd, fd: BorrowedFd, token: u64) -> Result<(), Errno> {
    control(epoll, libc::EPOLL_CTL_MOD, fd, Interest::PriorityOnce, token)
}

/// Takes `fd` out; needed before a close only where a child may share it.
pub fn remove(epoll: BorrowedFd, fd: BorrowedFd) -> Result<(), Errno> {
    control(epoll, libc::EPOLL_CTL_DEL, fd, Interest::Readable, 0)
}

fn control(
    epoll: BorrowedFd,
    operation: i32,
    fd: BorrowedFd,
    interest: Interest,
    token: u64,
) -> Result<(), Errno> {
    let event = libc::epoll_event { events: interest as u32, u64: token };
    // SAFETY: `event` is readable and outlives the call.
    unsafe { call!(epoll_ctl, epoll.number(), operation, fd.number(), &raw const event) }.map(drop)
}

/// How many events one [`wait`] brings at most; the rest come with the next.
pub const BATCH: usize = 32;

/// The tokens of what is ready.
pub type Ready = heapless::Vec<u64, BATCH>;

/// epoll_wait(2): until something is ready, or `timeout` milliseconds have
/// passed (`None`: for ever), or a signal came that is not blocked (as if
/// nothing were ready).
pub fn wait(epoll: BorrowedFd, timeout: Option<u32>) -> Result<Ready, Errno> {
    let mut events = [MaybeUninit::<libc::epoll_event>::uninit(); BATCH];
    let timeout = timeout.map_or(-1, |millis| i32::try_from(millis).unwrap_or(i32::MAX));
    // SAFETY: `events` has room for BATCH events; no signal mask is given.
    let result = unsafe { call!(epoll_pwait, epoll.number(), events.as_mut_ptr(), BATCH, timeout, 0, 0) };
    let count = match result {
        Err(Errno::EINTR) => 0,
        other => other?,
    };
    let mut ready = Ready::new();
    for event in events.iter().take(count) {
        // SAFETY: the kernel has filled in the first `count` events.
        let token = unsafe { event.assume_init() }.u64;
        // As many as fit were asked for.
        let _ = ready.push(token);
    }
    Ok(ready)
}

/// Blocks every signal that can be blocked, so that the kernel keeps them for
/// [`signals`] even where their disposition is the default (a PID 1 would lose
/// them). sigprocmask(2).
pub fn block_all_signals() -> Result<(), Errno> {
    set_mask(u64::MAX)
}

/// Blocks all signals but these, which keep their meaning.
pub fn block_all_signals_but(these: &[i32]) -> Result<(), Errno> {
    let bit = |signal: &i32| 1u64.wrapping_shl(signal.unsigned_abs().wrapping_sub(1));
    set_mask(!these.iter().map(bit).fold(0, |mask, bit| mask | bit))
}

/// Unblocks all signals.
pub fn unblock_all_signals() -> Result<(), Errno> {
    set_mask(0)
}

/// Blocks the signals of `mask` (bit n-1 is signal n) and no others; gives back
/// the mask before. sigprocmask(2).
pub fn replace_mask(mask: u64) -> Result<u64, Errno> {
    let mut old = 0u64;
    // SAFETY: `mask` is readable and `old` writable for the eight bytes given.
    unsafe { call!(rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut old, size_of::<u64>()) }?;
    Ok(old)
}

fn set_mask(mask: u64) -> Result<(), Errno> {
    // SAFETY: `mask` is readable for the eight bytes given; the old mask is not asked for.
    unsafe { call!(rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, 0, size_of::<u64>()) }.map(drop)
}

/// A non-blocking descriptor that reads every signal. signalfd(2).
pub fn signals() -> Result<OwnedFd, Errno> {
    let all = u64::MAX;
    // SAFETY: `all` is readable for the eight bytes given.
    unsafe {
        call!(signalfd4, -1i32, &raw const all, size_of::<u64>(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
    }
    .map(OwnedFd::from_return)
}

/// The next signal's number from [`signals`], if one is pending.
pub fn next_signal(signals: BorrowedFd) -> Option<u8> {
    /// struct signalfd_siginfo; ssi_signo is its first word.
    const INFO: usize = 128;
    let mut info = [0u8; INFO];
    let count = super::io::read(signals, &mut info).ok()?;
    let number = info.first_chunk::<4>().filter(|_| count == INFO)?;
    u8::try_from(u32::from_ne_bytes(*number)).ok()
}
