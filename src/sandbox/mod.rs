//! Workloads inside their walls.
//!
//! Three parts, so that nothing is decided where it can no longer be reported:
//!
//! - [`plan`] says which walls a workload gets and in which order: an array of
//!   [`Step`](plan::Step)s, worked out from the config without a system call.
//! - [`spawn`](spawn()) is PID 1's side: it opens what the plan needs (the root, the
//!   volumes, the cgroup), makes the child and never waits for it.
//! - `child` walks the array after clone3(2). At the first step that fails it
//!   writes eight bytes into a close-on-exec pipe and exits; end of file there
//!   means that execve(2) worked.
//!
//! Both sides speak of what went wrong as a [`Failure`], which reads as a
//! sentence. A step of the plan that fails, fails the start: there is no wall
//! that is left out in silence. docs/sandbox.md lists the system calls in order,
//! each with its reason.

mod birth;
mod child;
mod dev;
pub mod device_filter;
mod enter;
mod environment;
mod failure;
pub mod image;
mod landlock;
pub mod plan;
mod ports;
mod rescue;
pub mod seccomp;
mod settle;
mod spawn;
#[cfg(test)]
mod tests;
mod trees;
pub mod views;

pub use dev::{DevFailure, prepare_dev};
pub use enter::Enter;
pub use environment::notify_path;
pub use failure::{Failure, Shown, What, command, is_transient};
pub use image::{device_kind, image_kind, open_device};
pub use rescue::spawn_rescue;
pub use spawn::{ChildStdio, Conditions, Home, Launched, PlanSpace, Reported, read_report, spawn};
