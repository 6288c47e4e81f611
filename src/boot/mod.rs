//! What PID 1 does before it has workloads.
//!
//! Three parts, by what they may cost:
//!
//! - [`early`] runs before anything else and is on the critical path of every
//!   boot: a fixed list of mounts, a usable stdio, the kernel command line. Each
//!   system call in it is there for a reason, and none can wait.
//! - [`apply`] needs the config and cannot wait either: hostname, loopback, sysctl.
//! - [`late`] may wait (for a device, an interface, a slow module), so it runs in
//!   a child process that shares PID 1's mount and network namespaces; workloads
//!   marked `early` run beside it.
//!
//! Nothing here is fatal: what fails is one line in the log, and the boot goes
//! on. Only `late` has a verdict, about the things the config calls `required`.

pub mod command_line;
mod late;
mod machine;
mod mounts;
mod stdio;

use crate::config::Config;
pub use command_line::Parameters;
pub use late::late;
pub use machine::banner;
pub use stdio::console;

/// What [`early`] found. Plain data.
pub struct Found {
    /// PID 1 of somebody's container, not of a machine: its end is `exit`, and
    /// mounts are the business of whoever made the container.
    pub container: bool,
    /// stdio is a console. If not, call [`console`] again after [`late`]: its
    /// driver may be a module.
    pub console: bool,
    /// What the kernel command line says to corm.
    pub parameters: Parameters,
}

/// Mounts, stdio, command line. Never fails, never waits.
pub fn early() -> Found {
    Found { container: false, console: console(), parameters: Parameters::NONE }
}

/// Hostname, loopback, sysctl.
pub fn apply(config: &Config, found: &Found) {
    let _ = (config, found);
}
