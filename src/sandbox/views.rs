//! /proc, /sys and the names in /etc of a workload, and what of them it does not get to see.
//!
//! A procfs shows the pid namespace and a sysfs the network namespace of whoever
//! makes it: the child, where it has its own, otherwise the parent, who alone may
//! once the child has a user namespace. Everything after the mount goes by the
//! descriptor of that mount, so whatever stands in the root in its place cannot
//! be taken for it; what is put over a file is /dev's own null, and looked at
//! first. What this kernel does not have needs no mask.
//!
//! The lists are those of the OCI runtimes (opencontainers/runc, `runc spec`) and
//! what Docker has added to them, without what is gone since Linux 5.15.

use super::child::Start;
use super::{plan, trees};
use crate::config::{Spaces, Workload};
use crate::net::names;
use crate::sys::fs::{self, Open};
use crate::sys::mount::{self, Attributes, Depth};
use crate::sys::{BorrowedFd, Errno, OwnedFd};
use core::ffi::CStr;

/// Something that is not to be seen.
enum Mask {
    File(&'static CStr),
    Directory(&'static CStr),
}

static PROC_MASKS: [Mask; 8] = [
    // The machine's memory, keys, timers and interrupts: other workloads show through.
    Mask::File(c"kcore"),
    Mask::File(c"keys"),
    Mask::File(c"latency_stats"),
    Mask::File(c"timer_list"),
    Mask::File(c"interrupts"),
    // Hardware, with drivers that let it be written to.
    Mask::Directory(c"acpi"),
    Mask::Directory(c"asound"),
    Mask::Directory(c"scsi"),
];

/// What of /proc is the machine's, and nobody's who does not run it.
static PROC_READ_ONLY: [&CStr; 5] = [c"bus", c"fs", c"irq", c"sys", c"sysrq-trigger"];

static SYS_MASKS: [Mask; 2] = [
    // Firmware tables and variables.
    Mask::Directory(c"firmware"),
    // How much power each processor draws tells what others compute (CVE-2020-8694).
    Mask::Directory(c"devices/virtual/powercap"),
];

const NOTHING: Attributes = Attributes::NO_SUID.both(Attributes::NO_DEV).both(Attributes::NO_EXEC);

/// A /proc of the pid namespace that this process is in.
pub fn make_proc(workload: &Workload) -> Result<OwnedFd, Errno> {
    // Not even in group 0 does it see processes that it may not trace.
    let hidden = (!workload.unmasked).then_some((c"hidepid", c"ptraceable"));
    let access = if is_read_only(workload) { Attributes::READ_ONLY } else { Attributes::NONE };
    trees::make(c"proc", hidden, NOTHING | access)
}

/// Uid 0 needs no capability to write what the kernel keeps all over /proc, such as dynamic_debug.
pub fn is_read_only(workload: &Workload) -> bool {
    !workload.unmasked && plan::ids(workload).is_some_and(|(uid, _)| uid == 0)
}

/// Its /proc.
pub fn proc(start: &Start) -> Result<(), Errno> {
    let place = place(start, c"proc")?;
    let made;
    let tree = match &start.trees()?.proc {
        Some(tree) => tree,
        None => {
            made = make_proc(start.workload)?;
            &made
        }
    };
    let tree = tree.borrow();
    mount::move_to(tree, place.borrow(), c"")?;
    if start.workload.unmasked {
        return Ok(());
    }
    mask(tree, &PROC_MASKS, start)?;
    if !is_read_only(start.workload) {
        for name in PROC_READ_ONLY {
            let view = match mount::clone_tree(tree, name, Depth::This) {
                Err(Errno::ENOENT) => continue,
                view => view?,
            };
            mount::set_attributes(view.borrow(), Depth::This, Attributes::READ_ONLY)?;
            mount::move_to(view.borrow(), tree, name)?;
        }
    }
    Ok(())
}

/// Calls `each` for all that is covered, where this kernel has it: the directory, the name in it,
/// and whether nothing is to be seen there, or it is only not to be written to.
pub fn each_cover(workload: &Workload, each: &mut dyn FnMut(&str, &CStr, bool)) {
    if workload.unmasked {
        return;
    }
    for (below, masks) in [("/proc/", &PROC_MASKS[..]), ("/sys/", &SYS_MASKS)] {
        for Mask::File(name) | Mask::Directory(name) in masks {
            each(below, name, true);
        }
    }
    for name in PROC_READ_ONLY.iter().filter(|_| !is_read_only(workload)) {
        each("/proc/", name, false);
    }
}

/// A /sys of the network namespace that this process is in.
pub fn make_sys() -> Result<OwnedFd, Errno> {
    trees::make(c"sysfs", None, NOTHING | Attributes::READ_ONLY)
}

/// A read-only /sys, and the workload's own cgroup in it: where programs look for
/// their limits. A root without such a directory goes without.
pub fn sys(start: &Start) -> Result<(), Errno> {
    let place = match place(start, c"sys") {
        Err(Errno::ENOENT) => return Ok(()),
        place => place?,
    };
    let access = NOTHING | Attributes::READ_ONLY;
    let made;
    let tree = match &start.trees()?.sys {
        Some(tree) => tree,
        None => {
            made = match make_sys() {
                // In a container that hides parts of its own /sys nobody may have a whole one.
                Err(Errno::EPERM | Errno::ENODEV) => return Ok(()),
                made => made?,
            };
            &made
        }
    };
    let tree = tree.borrow();
    mount::move_to(tree, place.borrow(), c"")?;
    if !start.workload.unmasked {
        mask(tree, &SYS_MASKS, start)?;
    }
    if start.has_cgroup {
        let cgroup = if start.workload.host.has(Spaces::CGROUP) {
            // Of the machine's tree only whoever the machine belongs to makes a mount; here is one.
            let machines = mount::clone_tree(BorrowedFd::CWD, c"/sys/fs/cgroup", Depth::This)?;
            mount::isolate(machines.borrow(), Depth::This, access)?;
            machines
        } else {
            trees::make(c"cgroup2", None, access)?
        };
        mount::move_to(cgroup.borrow(), tree, c"fs/cgroup")?;
    }
    Ok(())
}

/// Its own view of who has which name: what the parent has opened, and the kernel's hostname. An
/// image without a file of such a name goes without.
pub fn names(start: &Start) -> Result<(), Errno> {
    let root = start.root()?;
    // A symlink is not followed, but covered.
    let find = |path| match fs::open_in_root(root, path, Open::PATH | Open::NO_FOLLOW) {
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
        found => found.map(Some),
    };
    let hostname = match find(c"/proc/sys/kernel/hostname")? {
        // A kernel without sysctl.
        None => None,
        Some(kernel) => {
            let hostname = mount::clone_tree(kernel.borrow(), c"", Depth::This)?;
            mount::set_attributes(hostname.borrow(), Depth::This, Attributes::READ_ONLY)?;
            Some(hostname)
        }
    };
    let [hosts, resolvers] = &start.trees()?.names;
    for (tree, path) in [hosts, resolvers, &hostname].into_iter().zip(names::PLACES) {
        if let Some(tree) = tree
            && let Some(place) = find(path)?
            && !fs::stat_of(place.borrow())?.is_directory()
        {
            mount::move_to(tree.borrow(), place.borrow(), c"")?;
        }
    }
    Ok(())
}

/// The directory of the root to mount on; no symlink.
fn place(start: &Start, name: &CStr) -> Result<OwnedFd, Errno> {
    fs::open(start.root()?, name, Open::PATH | Open::DIRECTORY | Open::NO_FOLLOW)
}

/// Puts an empty file or directory over each.
fn mask(tree: BorrowedFd, masks: &[Mask], start: &Start) -> Result<(), Errno> {
    let dev = &start.trees()?.dev;
    let null = fs::open(dev.tree.borrow(), c"null", Open::PATH | Open::NO_FOLLOW)?;
    let stat = fs::stat_of(null.borrow())?;
    if !stat.is_character_device() || stat.device != (1, 3) {
        return Err(Errno::ENODEV);
    }
    // Each kind of cover is kept until there is something to cover.
    let (mut files, mut directories) = (None, None);
    for mask in masks {
        let (name, of, kept) = match mask {
            Mask::File(name) => (name, null.borrow(), &mut files),
            Mask::Directory(name) => (name, dev.empty.borrow(), &mut directories),
        };
        let cover = match kept.take() {
            Some(cover) => cover,
            None => mount::clone_tree(of, c"", Depth::This)?,
        };
        match mount::move_to(cover.borrow(), tree, name) {
            Err(Errno::ENOENT) => *kept = Some(cover),
            moved => moved?,
        }
    }
    Ok(())
}
