//! The smallest workload: writes `hello`, then sleeps until SIGTERM, and for
//! ever if it was given an argument.
//!
//! It waits for SIGTERM rather than leaving it to the default action, because
//! the kernel drops that signal for the first process of a pid namespace, which
//! is what a workload is.
#![cfg_attr(target_env = "musl", no_std, no_main)]

#[cfg(not(target_env = "musl"))]
fn main() {}

#[cfg(target_env = "musl")]
#[unsafe(no_mangle)]
fn program(arguments: usize) -> ! {
    use corm_bench::{call, exit, libc};

    /// The kernel's sigset_t, 64 bits on all our architectures; bit n-1 is signal n.
    const TERM: u64 = 1 << (libc::SIGTERM - 1);
    const SIGSET_BYTES: usize = 8;

    let line = b"hello\n";
    // SAFETY: `line` is readable for its length.
    unsafe { call!(write, 1, line.as_ptr(), line.len()) };
    let signals = TERM;
    // SAFETY: `signals` is a sigset_t of the size given; the old mask is not asked for.
    unsafe { call!(rt_sigprocmask, libc::SIG_BLOCK, &raw const signals, 0, SIGSET_BYTES) };
    loop {
        // SAFETY: as above; neither siginfo nor a timeout is given.
        let waited = unsafe { call!(rt_sigtimedwait, &raw const signals, 0, 0, SIGSET_BYTES) };
        let deaf = arguments > 1;
        if waited == libc::SIGTERM as usize && !deaf {
            exit(0);
        }
    }
}
