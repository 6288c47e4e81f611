//! The floor of `corm init`: the least that a container's init can do. It holds
//! back its signals, starts a program, sleeps until a signal comes, passes it on
//! or reaps, and ends with the program's status: no options, no groups, no
//! terminal, no orphans when it isn't PID 1.
#![cfg_attr(target_env = "musl", no_std, no_main)]

#[cfg(not(target_env = "musl"))]
fn main() {}

#[cfg(target_env = "musl")]
mod floor {
    use core::ptr;
    use corm_bench::{call, exit, libc};

    const SIGSET_BYTES: usize = 8;
    const ALL: u64 = !0;

    #[unsafe(no_mangle)]
    fn program(_: usize, arguments: *const *const u8) -> ! {
        let (all, mut before) = (ALL, 0u64);
        // SAFETY: both are sigset_t of the size given.
        unsafe { call!(rt_sigprocmask, libc::SIG_SETMASK, &raw const all, &raw mut before, SIGSET_BYTES) };
        let child = start(arguments.wrapping_add(1), &before);
        let mut status = 0i32;
        loop {
            // SAFETY: `all` is a sigset_t of the size given; neither details nor a timeout are.
            let signal = unsafe { call!(rt_sigtimedwait, &raw const all, 0, 0, SIGSET_BYTES) };
            if signal != libc::SIGCHLD as usize {
                // SAFETY: no pointers.
                unsafe { call!(kill, child, signal) };
                continue;
            }
            // SAFETY: `status` is writable; resource usage is not asked for.
            let ended = unsafe { call!(wait4, -1i32, &raw mut status, libc::WNOHANG, 0) };
            if ended == child {
                exit((status >> 8) as u8)
            }
        }
    }

    /// As vfork(2): the child goes on below this frame, until it is another program.
    #[inline(never)]
    fn start(arguments: *const *const u8, mask: &u64) -> usize {
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: the child changes nothing above its own frame, and never returns.
        let child = unsafe { call!(clone, flags, 0, 0, 0, 0) };
        if child == 0 {
            become_program(arguments, mask)
        }
        child
    }

    #[inline(never)]
    fn become_program(arguments: *const *const u8, mask: &u64) -> ! {
        // SAFETY: `mask` is a sigset_t of the size given; the old one is not asked for.
        unsafe { call!(rt_sigprocmask, libc::SIG_SETMASK, ptr::from_ref(mask), 0, SIGSET_BYTES) };
        let environment = [ptr::null::<u8>()];
        // SAFETY: the caller gives an argument behind its own name; the array is the kernel's.
        unsafe { call!(execve, *arguments, arguments, environment.as_ptr()) };
        exit(127)
    }
}
