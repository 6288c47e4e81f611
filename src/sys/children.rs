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
pub fn spawn(child: &dyn Fn() -> u8) -> Result<u32, Errno> {
    const HOW: usize = (libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD) as usize;
    const NUMBER: usize = syscalls::Sysno::clone as usize;
    // SAFETY: the child calls `run` from within this one block and never leaves it, so all that the
    // parent finds changed when it goes on is below its own stack pointer: a system call in a
    // function of its own, as `call!` may be, would have its way back there. Of clone's other
    // arguments none counts with these flags.
    let result = unsafe { vfork(NUMBER, HOW, &raw const child) };
    syscalls::Errno::from_ret(result).map(|pid| pid as u32).map_err(Errno::from_syscall)
}

/// What the child of [`spawn`] does.
unsafe extern "C" fn run(child: *const &dyn Fn() -> u8) -> ! {
    // SAFETY: `spawn` has it on its stack, and waits.
    let child = unsafe { *child };
    super::process::exit(child())
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn vfork(number: usize, flags: usize, child: *const &dyn Fn() -> u8) -> usize {
    let result;
    // SAFETY: see `spawn`; without `nostack` there is no red zone, and the stack is aligned.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rdi, {child}",
            "call {run}",
            "2:",
            child = in(reg) child,
            run = sym run,
            inlateout("rax") number => result,
            in("rdi") flags,
            in("rsi") 0,
            out("rcx") _,
            out("r11") _,
        )
    };
    result
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn vfork(number: usize, flags: usize, child: *const &dyn Fn() -> u8) -> usize {
    let result;
    // SAFETY: see `spawn`; the stack is aligned.
    unsafe {
        core::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x0, {child}",
            "bl {run}",
            "2:",
            child = in(reg) child,
            run = sym run,
            in("x8") number,
            inlateout("x0") flags => result,
            in("x1") 0,
            out("lr") _,
        )
    };
    result
}

#[cfg(target_arch = "arm")]
#[inline(always)]
unsafe fn vfork(number: usize, flags: usize, child: *const &dyn Fn() -> u8) -> usize {
    let result;
    // SAFETY: see `spawn`; the stack is aligned. r7 has the call's number, and is Thumb's frame
    // pointer, which no operand can be: it is kept, and restored before anything looks at it.
    unsafe {
        core::arch::asm!(
            "mov {frame}, r7",
            "mov r7, {number}",
            "svc 0",
            "mov r7, {frame}",
            "cmp r0, #0",
            "bne 2f",
            "mov r0, {child}",
            "bl {run}",
            "2:",
            frame = out(reg) _,
            number = in(reg) number,
            child = in(reg) child,
            run = sym run,
            inlateout("r0") flags => result,
            in("r1") 0,
            out("lr") _,
        )
    };
    result
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
