//! Children of PID 1: making a plain one, ending and reaping them.

use super::{Errno, call};

/// How a child ended; wait(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    Exited(u8),
    Signalled(u8),
}

/// Which side of a [`fork`] this is.
pub enum Side {
    Parent(u32),
    Child,
}

/// fork(2), by clone(2) with SIGCHLD: the child has a copy of everything.
pub fn fork() -> Result<Side, Errno> {
    // SAFETY: no shared memory and no new stack: the child continues on its own copy of this one.
    let pid = unsafe { call!(clone, libc::SIGCHLD, 0, 0, 0, 0) }?;
    Ok(if pid == 0 { Side::Child } else { Side::Parent(pid as u32) })
}

/// A child that runs `child` and then ends with its status, unless it has become
/// another program. The caller waits until either has happened, so what the child
/// did before is done when this returns. The two share their memory meanwhile:
/// no page table is copied, and the child must leave alone what the caller goes
/// on with. vfork(2), by clone(2).
#[inline(never)]
pub fn spawn(child: &dyn Fn() -> u8) -> Result<u32, Errno> {
    // SAFETY: the child goes on below this frame, and `run` never returns into it, so all that
    // the parent finds changed is memory below its own stack pointer. Nothing of `spawn` is kept
    // on the stack across the call but what its caller's registers were, which `run` cannot reach.
    let pid = unsafe { call!(clone, libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, 0, 0, 0, 0) }?;
    if pid == 0 {
        run(child)
    }
    Ok(pid as u32)
}

/// Not inlined: what it spills must be in a frame of its own. See [`spawn`].
#[inline(never)]
fn run(child: &dyn Fn() -> u8) -> ! {
    super::process::exit(child())
}

/// Reaps one child that has ended, whoever's it was; `None` when none has.
/// wait4(2) with WNOHANG.
pub fn reap() -> Option<(u32, Ended)> {
    wait(libc::WNOHANG).map(|(pid, status)| (pid, ended(status)))
}

/// As [`reap`], and where `stopped` is asked for, `Err` is a child that was stopped.
pub fn reap_or_stopped(stopped: bool) -> Option<(u32, Result<Ended, Stopped>)> {
    /// What the status word of a stopped child has in its low byte.
    const STOPPED: i32 = 0x7f;
    let (pid, status) = wait(libc::WNOHANG | if stopped { libc::WUNTRACED } else { 0 })?;
    Some((pid, if status & 0xff == STOPPED { Err(Stopped((status >> 8) as u8)) } else { Ok(ended(status)) }))
}

/// By this signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stopped(pub u8);

fn wait(flags: i32) -> Option<(u32, i32)> {
    loop {
        let mut status = 0i32;
        // SAFETY: `status` is writable; resource usage is not asked for.
        let result = unsafe { call!(wait4, -1i32, &raw mut status, flags, 0) };
        match result {
            Ok(0) => return None,
            Ok(pid) => return Some((pid as u32, status)),
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

/// wait(2)'s status word: the signal in the low seven bits, else the exit status.
fn ended(status: i32) -> Ended {
    match (status & 0x7f) as u8 {
        0 => Ended::Exited((status >> 8) as u8),
        signal => Ended::Signalled(signal),
    }
}

/// Sends a signal to one process. kill(2).
pub fn kill(pid: u32, signal: u8) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call!(kill, pid, i32::from(signal)) }.map(drop)
}

/// Sends a signal to every process of a process group. kill(2) with a negative number.
pub fn kill_group(group: u32, signal: u8) -> Result<(), Errno> {
    kill(group.wrapping_neg(), signal)
}
