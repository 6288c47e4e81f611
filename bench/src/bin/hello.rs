//! The smallest workload: writes `hello`, sleeps until SIGTERM, writes `bye` and
//! ends; with an argument it sleeps for ever.
//!
//! It blocks SIGTERM and reads it from a signalfd, rather than leave it to the
//! default action: that is what the kernel drops for the first process of a pid
//! namespace, and corm kills a process that cannot notice without asking. The
//! figures of a poweroff are meant to have the asking in them.
#![cfg_attr(target_env = "musl", no_std, no_main)]

#[cfg(not(target_env = "musl"))]
fn main() {}

#[cfg(target_env = "musl")]
#[unsafe(no_mangle)]
fn program(arguments: usize, _: *const *const u8) -> ! {
    use corm_bench::{call, exit, libc};

    /// The kernel's sigset_t, 64 bits on all our architectures; bit n-1 is signal n.
    const TERM: u64 = 1 << (libc::SIGTERM - 1);
    const SIGSET_BYTES: usize = 8;
    /// signalfd(2).
    const SIGNALFD_SIGINFO_BYTES: usize = 128;

    say(b"hello\n");
    let signals = TERM;
    // SAFETY: `signals` is a sigset_t of the size given; the old mask is not asked for.
    unsafe { call!(rt_sigprocmask, libc::SIG_BLOCK, &raw const signals, 0, SIGSET_BYTES) };
    // SAFETY: as above.
    let arrived = unsafe { call!(signalfd4, -1i32, &raw const signals, SIGSET_BYTES, libc::SFD_CLOEXEC) };
    loop {
        let mut info = [0u64; SIGNALFD_SIGINFO_BYTES / 8];
        // SAFETY: `info` is writable for the size of a struct signalfd_siginfo.
        unsafe { call!(read, arrived, info.as_mut_ptr(), SIGNALFD_SIGINFO_BYTES) };
        let deaf = arguments > 1;
        if !deaf {
            say(b"bye\n");
            exit(0);
        }
    }
}

#[cfg(target_env = "musl")]
fn say(line: &[u8]) {
    // SAFETY: `line` is readable for its length.
    unsafe { corm_bench::call!(write, 1, line.as_ptr(), line.len()) };
}
