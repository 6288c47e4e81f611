//! What PID 1 does before it has workloads.
//!
//! Three parts, by what they may cost:
//!
//! - [`early`] runs before anything else and is on the critical path of every
//!   boot: a fixed list of mounts, a usable stdio, the kernel command line, the
//!   log. Each system call in it is there for a reason, and none can wait.
//! - [`prepare`] needs the config and cannot wait either: hostname, loopback, sysctl.
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
pub use prepare::prepare;
pub use stdio::console;

use crate::sys::fs::{self, Follow};
use crate::sys::power::{self, Power};
use crate::sys::{BorrowedFd, Errno};
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
    let container = is_container();
    let dev = if container { Ok(()) } else { mounts::DEV.mount() };
    if !matches!(dev, Ok(()) | Err(Errno::EBUSY)) {
        mounts::make_dev();
    }
    let console = stdio::is_open() || console();
    let command_line = read_command_line(container);
    log::start(command_line.log, command_line.kernel_log);

    // Only now is there a log to complain to.
    let fresh = proc.is_ok();
    for (entry, result) in [(&mounts::PROC, proc), (&mounts::DEV, dev)] {
        match result {
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(errno) => entry.complain(errno),
        }
    }
    if container {
        return Found { container, console, command_line };
    }
    for (what, result) in [
        ("make a root that sandboxes can leave", bound),
        ("make mounts private", mounts::make_private()),
        ("have ctrl-alt-del as a signal", power::power(Power::CtrlAltDelIsASignal)),
    ] {
        if let Err(errno) = result {
            warn!("cannot ", what, ": ", errno);
        }
    }
    mounts::mount_others(fresh);
    if let Err(errno) = fs::make_directory(BorrowedFd::CWD, c"/run/corm", 0o755)
        && errno != Errno::EEXIST
    {
        warn!("cannot make /run/corm: ", errno);
    }
    machine::banner();
    // Its name may be in /sys, which was not there before.
    let console = console || stdio::console();
    Found { container, console, command_line }
}

/// Whether this is the first process of a pid namespace other than the machine's.
pub fn is_container() -> bool {
    /// PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h.
    const THE_MACHINE_S: u64 = 0xEFFF_FFFC;
    fs::stat(BorrowedFd::CWD, c"/proc/self/ns/pid", Follow::Yes)
        .is_ok_and(|namespace| namespace.inode != THE_MACHINE_S)
}

/// A container has the machine's command line in its /proc, which is not for it.
fn read_command_line(container: bool) -> CommandLine {
    if container {
        return CommandLine::EMPTY;
    }
    let mut buffer = [0; limits::COMMAND_LINE];
    match fs::read_file(BorrowedFd::CWD, c"/proc/cmdline", &mut buffer) {
        Ok(line) => {
            if line.len() == limits::COMMAND_LINE {
                warn!("kernel command line: only the first ", line.len(), " bytes are read");
            }
            CommandLine::parse(line, &mut |trouble| warn!(trouble))
        }
        Err(errno) => {
            warn!("cannot read the kernel command line: ", errno);
            CommandLine::EMPTY
        }
    }
}
