//! What the guest programs of the benchmarks share: an entry, an exit, and
//! system calls whose errors end the program.
//!
//! These programs are measured against corm, so they are linked by the same
//! rules (.cargo/config.toml) but share no code with it: what they cost must not
//! change when corm does. They are written as the shortest C program would be,
//! and that is why their `unsafe` is not fenced off as corm's is.
#![cfg_attr(target_env = "musl", no_std)]

#[cfg(target_env = "musl")]
mod start;

pub use libc;
pub use syscalls;

/// exit_group(2).
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: no pointers; does not return.
        let _ = unsafe { syscalls::syscall!(syscalls::Sysno::exit_group, usize::from(status)) };
    }
}

/// A system call by name. It ends the program where it fails, with the number of
/// the line it stands on (modulo 256) as the status: the kernel's "Attempted to
/// kill init! exitcode=" shows it.
#[macro_export]
macro_rules! call {
    ($name:ident $(, $arg:expr)* $(,)?) => {
        match $crate::syscalls::syscall!($crate::syscalls::Sysno::$name $(, $arg)*) {
            Ok(value) => value,
            Err(_) => $crate::exit(line!() as u8),
        }
    };
}
