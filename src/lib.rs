//! corm: the whole userland of an appliance in one tiny static binary.
//!
//! It is PID 1, it reads one compact config, and it runs every workload inside
//! its own walls. No heap, no libc code, no reachable panic. To read it, follow a
//! boot:
//!
//! 1. The kernel jumps to `_start` in [`sys::entry`], which calls [`main`].
//! 2. [`init`] is PID 1. It asks [`boot`] for mounts, a console and the kernel
//!    command line, and [`config`] for what the machine is to run.
//! 3. [`supervise`] decides, from what happened and what time it is, what is to
//!    be done: a value without I/O, tested against a simulated kernel.
//! 4. [`sandbox`] works out a workload's walls as a plan, an array of steps, and
//!    makes the child that walks it; [`cgroup`] holds its limits.
//! 5. [`log`] takes what workloads write, and what corm says, to the kernel log
//!    and the console.
//! 6. [`end`] unmounts, syncs and switches the machine off.
//!
//! Called as anything but PID 1, corm is a command ([`control`]); one of them,
//! `corm run`, runs a workload in the foreground of any Linux ([`run`]), and another, `corm init`,
//! is the PID 1 of somebody else's container ([`container`]).
//!
//! Three rules hold everywhere. What to *do* is worked out by code without I/O
//! (`config`, `supervise`, `sandbox::plan`), which never imports [`sys`]; what
//! does it is thin. `unsafe` is in [`sys`] and nowhere else. And nothing can
//! panic: the release link fails while anything could (`sys::panic`), so there is
//! no indexing, no `unwrap`, no `core::fmt` ([`text`] instead), and every capacity
//! is in [`limits`], with its reason.
#![cfg_attr(not(any(test, fuzzing)), no_std)]
#![deny(unsafe_code)]

pub mod boot;
pub mod cgroup;
pub mod config;
pub mod container;
pub mod control;
pub mod disk;
pub mod end;
pub mod init;
pub mod limits;
pub mod log;
pub mod net;
pub mod pack;
pub mod run;
pub mod sandbox;
pub mod supervise;
pub mod sys;
pub mod text;

/// Where `_start` leads: decides what this process is.
///
/// Under the name of a container's init it is that one, whoever started it.
/// PID 1 boots, whatever its arguments: on a machine they are words of the kernel
/// command line that the kernel had no use for. Only in somebody's container can
/// PID 1 have been told to do something else.
pub fn main(args: sys::Args) -> ! {
    if let Some(kind) = container::called(args) {
        container::run(kind, args)
    }
    if sys::process::id() == 1 && (args.len() < 2 || !boot::is_container()) {
        init::run()
    }
    if args.get(1) == Some(c"init") {
        container::run(container::Kind::Corm, args)
    }
    sys::process::exit(control::main(args))
}
