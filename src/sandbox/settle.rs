//! What the parent does to a child that waits for it, and the child could not do itself.
//!
//! Inside a user namespace nobody maps its ids, raises a limit or gives a mount of the
//! machine's other owners. The parent is the machine's root (or whoever runs `corm run`), and
//! the child is one that it has made and not reaped, so the number of its process can be
//! nobody else's. None of this waits.
//!
//! A filesystem has the ids of the machine, of which a workload with a user namespace has
//! none. So its root and volumes are *idmapped*: id N of the filesystem is id N of the
//! workload. Not so
//!
//! - the machine's own `/`: what only an id of the machine may read there is not the
//!   workload's business, whatever that id is. Everybody's files are everybody's;
//! - a volume that belongs to an id of the workload's range: it was given these;
//! - what lies on a filesystem that cannot do it. If it is only read, no right is lost but to
//!   files that not everybody may read; if it may be written to, then everybody must be allowed
//!   to, or the start fails.

use super::failure::{Failure, What};
use super::plan;
use super::spawn::ChildStdio;
use super::trees::Trees;
use crate::config::{Config, LEVEL_BITS, Limit, RANGE, Root, VolumeSource, Workload};
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::mount::{self, Depth};
use crate::sys::{BorrowedFd, Errno, OwnedFd, process};
use crate::text::Text;

pub(super) fn settle(
    pid: u32,
    config: &Config,
    workload: &Workload,
    trees: Option<&Trees>,
) -> Result<(), Failure> {
    if let (Some(first), Some(trees)) = (plan::range(workload), trees) {
        let fail = |errno| Failure::new(What::Users, errno);
        let process = open_process(pid).map_err(fail)?;
        if workload.join.is_none() {
            map_users(process.borrow(), first).map_err(fail)?;
        }
        if workload.root != Root::Scratch || !trees.volumes.is_empty() {
            let users = fs::open(process.borrow(), c"ns/user", Open::READ).map_err(fail)?;
            map_trees(config, workload, trees, users.borrow(), first)?;
        }
    }
    for setting in config.settings(workload.limits) {
        let limit = setting.limit;
        // It has things to open first.
        let value = if limit == Limit::Files { setting.value.max(plan::FILES) } else { setting.value };
        if limit.is_of_process()
            && let Err(errno) = set_limit(pid, limit, value)
        {
            return Err(Failure { what: What::Limit, index: limit as u16, errno });
        }
    }
    Ok(())
}

/// Of a process, by itself or by its parent.
pub(super) fn set_limit(pid: u32, limit: Limit, value: u64) -> Result<(), Errno> {
    if let Some(resource) = limit.resource() {
        return process::set_limits(pid, resource, value, value);
    }
    match limit {
        // These two are kept as their distance from the least.
        Limit::OomScore => {
            let mut text = Text::<32>::new();
            put!(text, (value as i64).saturating_sub(1000));
            fs::write_file(open_process(pid)?.borrow(), c"oom_score_adj", text.as_bytes())
        }
        Limit::Nice => process::set_nice(pid, (value as i32).saturating_sub(20)),
        Limit::IoPriority => process::set_io_priority(pid, value as u32),
        _ => {
            let (policy, priority) = (value >> LEVEL_BITS, value & ((1 << LEVEL_BITS) - 1));
            process::set_scheduler(pid, policy as u32, priority as u32)
        }
    }
}

fn open_process(pid: u32) -> Result<OwnedFd, Errno> {
    let mut path = Text::<32>::new();
    put!(path, "/proc/", pid);
    let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    fs::open(BorrowedFd::CWD, path, Open::PATH | Open::DIRECTORY)
}

/// The ids of the child's own user namespace.
fn map_users(process: BorrowedFd, first: u32) -> Result<(), Errno> {
    let mut line = Text::<32>::new();
    put!(line, "0 ", first, " ", RANGE);
    fs::write_file(process, c"uid_map", line.as_bytes())?;
    fs::write_file(process, c"gid_map", line.as_bytes())
}

fn map_trees(
    config: &Config,
    workload: &Workload,
    trees: &Trees,
    users: BorrowedFd,
    first: u32,
) -> Result<(), Failure> {
    match workload.root {
        Root::Scratch => {}
        Root::Directory(path) if config.bytes(path) == b"/" => {}
        // Where it cannot be, everybody's files can still be read.
        Root::Directory(_) => _ = map(trees.root.borrow(), users),
    }
    let volumes = config.volumes(workload.volumes);
    for (index, tree) in &trees.volumes {
        let volume = volumes.get(usize::from(*index)).map(|volume| volume.source);
        let Some(VolumeSource::Directory { source, writable }) = volume else { continue };
        if let Err(errno) = map_volume(tree.borrow(), users, first, writable, config.bytes(source) == b"/") {
            return Err(Failure { what: What::VolumeUsers, index: *index, errno });
        }
    }
    Ok(())
}

fn map_volume(
    tree: BorrowedFd,
    users: BorrowedFd,
    first: u32,
    writable: bool,
    is_machine: bool,
) -> Result<(), Errno> {
    const EVERYBODY: u32 = libc::S_IWOTH | libc::S_IXOTH;
    let top = fs::stat_of(tree)?;
    let is_given = top.uid.wrapping_sub(first) < RANGE;
    if is_given {
        return Ok(());
    }
    let mapped = if is_machine { Err(Errno::EINVAL) } else { map(tree, users) };
    if writable && top.mode & EVERYBODY != EVERYBODY { mapped } else { Ok(()) }
}

/// EINVAL where a filesystem of it cannot.
fn map(tree: BorrowedFd, users: BorrowedFd) -> Result<(), Errno> {
    // EPERM: it has another mapping already.
    mount::map_ids(tree, Depth::All, users).map_err(|_| Errno::EINVAL)
}

/// A pipe of the log's becomes the workload's own: only then may it be opened
/// again, as /dev/stdout. Devices stay as they are, and a directory would be a
/// way to all that is around it (EISDIR).
pub(super) fn own_pipes(workload: &Workload, stdio: &ChildStdio) -> Result<(), Errno> {
    let ids = plan::machine_ids(workload);
    for stream in [stdio.stdin, stdio.stdout, stdio.stderr] {
        let stat = fs::stat_of(stream)?;
        if stat.is_directory() && !workload.privileged {
            return Err(Errno::EISDIR);
        }
        if let Some((uid, gid)) = ids.filter(|_| stat.is_pipe()) {
            match fs::change_owner_of(stream, uid, gid) {
                // Somebody else's pipe, in a user namespace: it can be used, but not be opened again.
                Ok(()) | Err(Errno::EPERM | Errno::EINVAL) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(())
}
