//! What PID 1 does before it has workloads.
//!
//! Four parts, by what they may cost:
//!
//! - [`early`] runs before anything else and is on the critical path of every
//!   boot: a fixed list of mounts, a usable stdio, the kernel command line, the
//!   log. Each system call in it is there for a reason, and none can wait.
//! - [`prepare`] needs the config and cannot wait either: hostname, loopback, sysctl.
//! - [`introduce`] is what can follow the start of workloads.
//! - [`late`] may wait (for a device, an interface, a slow module), so it runs in
//!   a child process that shares PID 1's mount and network namespaces; workloads
//!   marked `early` run beside it.
//!
//! Nothing here is fatal: what fails is one line in the log, and the boot goes
//! on. Only `late` has a verdict, about the things the config calls `required`.

pub mod command_line;
pub mod config_files;
mod filesystems;
mod interfaces;
mod late;
mod machine;
mod module_index;
mod modules;
mod mounts;
mod prepare;
mod stdio;

pub use command_line::CommandLine;
pub use late::{has_late_work, late};
pub use prepare::{introduce, prepare};
pub use stdio::console;

use crate::pack::Packed;
use crate::sys::fs::{self, Follow};
use crate::sys::machine as sys_machine;
use crate::sys::power::{self, Power};
use crate::sys::{BorrowedFd, Errno};
use crate::text::{self, Value};
use crate::{limits, log, warn};

/// What [`early`] found. Plain data.
pub struct Found {
    /// PID 1 of somebody's container, not of a machine: its end is `exit`, and
    /// mounts are the business of whoever made the container.
    pub container: bool,
    /// stdio is a console. If not, call [`console`] again after [`late`]: its
    /// driver may be a module.
    pub console: bool,
    /// What the kernel command line says.
    pub command_line: CommandLine,
}

/// Mounts, stdio, command line, log. Never fails, never waits.
pub fn early() -> Found {
    let bound = mounts::bind_root();
    let proc = mounts::PROC.mount();
    // Where nobody has mounted /proc yet, there are cheaper ways to know a machine.
    let container = !(proc.is_ok() && sys_machine::has_kernel_threads()) && is_container();
    let dev = if container { Ok(()) } else { mounts::DEV.mount() };
    if !matches!(dev, Ok(()) | Err(Errno::EBUSY)) {
        mounts::make_dev();
    }
    let console = stdio::is_open() || console();
    if container {
        // The kernel log and the command line are the machine's: stderr it is, and no overrides.
        mounts::PROC.complain(proc);
        mounts::make_own_directory();
        return Found { container, console, command_line: CommandLine::empty() };
    }
    let command_line = start_log();

    // Only now is there a log to complain to.
    mounts::PROC.complain(proc);
    mounts::DEV.complain(dev);
    complain!(bound, "cannot make a root that sandboxes can leave");
    complain!(mounts::make_private(), "cannot make mounts private");
    complain!(power::power(Power::CtrlAltDelIsASignal), "cannot have ctrl-alt-del as a signal");
    mounts::mount_others(proc.is_ok());
    mounts::make_own_directory();
    // Its name may be in /sys, which was not there before.
    let console = console || stdio::console();
    Found { container, console, command_line }
}

/// Reads the kernel command line and starts the log as it wants it.
fn start_log() -> CommandLine {
    let mut buffer = [0; limits::COMMAND_LINE];
    let line = fs::read_file(BorrowedFd::CWD, c"/proc/cmdline", &mut buffer);
    let mut troubled = false;
    let text = line.unwrap_or(&[]);
    let command_line = CommandLine::parse(text, &mut |_| troubled = true);
    log::start(command_line.log, command_line.kernel_log);
    complain!(line.map(drop), "cannot read the kernel command line");
    if text.len() == limits::COMMAND_LINE {
        warn!("kernel command line: only the first ", text.len(), " bytes are read");
    }
    if troubled {
        CommandLine::parse(text, &mut |trouble| warn!(trouble));
    }
    command_line
}

/// The one line for what failed and is not fatal: `complain!(result, what corm was
/// doing, to what…)`, and then what the kernel said.
macro_rules! complain {
    ($result:expr, $($piece:tt)+) => { $crate::pieces!([$crate::boot::complain_of, $result] [] [] $($piece)+) };
}
use complain;

fn complain_of(result: Result<(), Errno>, template: Packed, values: &[Value]) {
    if let Err(errno) = result {
        let mut what = log::Line::new();
        text::fill(&mut what, template, values);
        warn!(what, ": ", errno);
    }
}

/// Whether this is the first process of a pid namespace other than the machine's.
pub fn is_container() -> bool {
    /// PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h.
    const THE_MACHINE_S: u64 = 0xEFFF_FFFC;
    fs::stat(BorrowedFd::CWD, c"/proc/self/ns/pid", Follow::Yes)
        .is_ok_and(|namespace| namespace.inode != THE_MACHINE_S)
}
