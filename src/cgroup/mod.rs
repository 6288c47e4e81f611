//! Control groups, version 2: one directory of /sys/fs/cgroup a workload.
//!
//! The directory is made before a workload's first start, its limits are
//! written then, and it stays over restarts: the child is cloned into it, so it
//! is limited before its first instruction, and whatever it leaves behind can
//! be counted, watched and killed as one. PID 1 itself stays in the root, where
//! nothing limits it; in somebody else's container, whose root is a limited
//! cgroup like any other, it moves aside, since only a cgroup without processes
//! of its own may hand controllers on.
//!
//! A limit that somebody asked for and that cannot be had fails the start. The
//! pids limit that nobody asked for is a warning where the kernel has none.
//!
//! Paths are put together anew each time: nothing is kept open, nothing has to
//! survive a re-exec.

mod control;
mod limit;

pub use control::{
    ALL_CONTROLLERS, CONTROLLERS, DelegateFailure, FOR_ALL, WATCHED, delegate, events, freeze, is_populated,
    is_within, kill, met_its_memory, oom_kills, open_events, peak, refused_forks, remove, step_back, usage,
    watch, watched,
};
pub use limit::{Disk, Problem, Written, enter, no_limits_was_told, open, put_line};

use crate::config::{Config, WorkloadId};
use crate::limits;
use crate::put;
use crate::sys::Errno;
use crate::text::Text;
use core::ffi::CStr;

/// A path below /sys/fs/cgroup; of a size that many texts have, so that code is shared.
type Path = Text<{ limits::PATH }>;

/// `file` of a workload's cgroup, such as `/cgroup.kill`, or the cgroup itself if empty.
fn path(config: &Config, id: WorkloadId, file: &str) -> Path {
    path_of(config.workload(id).map_or(&b""[..], |workload| config.bytes(workload.name)), file)
}

fn path_of(name: &[u8], file: &str) -> Path {
    let mut path = Path::new();
    put!(path, "/sys/fs/cgroup/", name, file);
    path
}

/// The path, as the kernel takes it: with a name it always fits.
fn c_str(path: &mut Path) -> Result<&CStr, Errno> {
    path.as_c_str().ok_or(Errno::ENAMETOOLONG)
}

#[cfg(test)]
mod tests;
