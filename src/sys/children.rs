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

/// Reaps one child that has ended, whoever's it was; `None` when none has.
/// wait4(2) with WNOHANG.
pub fn reap() -> Option<(u32, Ended)> {
    loop {
        let mut status = 0i32;
        // SAFETY: `status` is writable; resource usage is not asked for.
        let result = unsafe { call!(wait4, -1i32, &raw mut status, libc::WNOHANG, 0) };
        match result {
            Ok(0) => return None,
            Ok(pid) => return Some((pid as u32, ended(status))),
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
