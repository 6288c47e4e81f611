//! What a workload will see, as detached mounts, made by the parent.
//!
//! The parent makes them because it can still say what went wrong, because a
//! name is then resolved once and by the machine's own view, and because the
//! memory of a mount is then not charged to a workload that may have little.
//! Each is read-only, nosuid and nodev as far as it will be before the child
//! exists: there is no moment at which a workload could have had more.

use super::failure::{self, Failure, What};
use crate::config::{Config, Root, Volume, VolumeSource, Workload};
use crate::limits;
use crate::put;
use crate::sys::fs::{self, NodeKind, Open};
use crate::sys::mount::{self, Attributes, Depth};
use crate::sys::{BorrowedFd, Errno, OwnedFd, process};
use crate::text::{Show, Sink, Text};
use core::ffi::CStr;
use core::sync::atomic::{AtomicI32, Ordering};
use heapless::Vec;

pub struct Trees {
    pub root: OwnedFd,
    /// `scratch`: the program's file.
    pub program: Option<OwnedFd>,
    /// The machine's, for a workload that shares its processes: a new one shows those of the
    /// pid namespace it is made in, and takes rights there.
    pub proc: Option<OwnedFd>,
    pub devices: OwnedFd,
    /// ... which has no device files in it yet.
    pub lacks_device_files: bool,
    /// Directory volumes, by their index.
    pub volumes: Vec<(u16, OwnedFd), { limits::WORKLOAD_VOLUMES }>,
}

/// Nothing from a root or a volume ever acts with more rights than its reader has.
fn tame() -> Attributes {
    Attributes::NO_SUID | Attributes::NO_DEV
}

impl Trees {
    pub fn open(config: &Config, workload: &Workload) -> Result<Trees, Failure> {
        let fail = |what| move |errno| Failure::new(what, errno);
        let volumes = config.volumes(workload.volumes);
        let (root, program) = match workload.root {
            Root::Directory(path) => {
                (directory(config.c_str(path), Attributes::READ_ONLY).map_err(fail(What::Root))?, None)
            }
            Root::Scratch => {
                let command = failure::command(config, workload);
                let program = program(command).map_err(fail(What::Program))?;
                let root = scratch(config, command, volumes).map_err(fail(What::ScratchRoot))?;
                (root, Some(program))
            }
        };
        let proc = if workload.host_pid {
            // Uid 0 of the machine needs no capability to write what the kernel keeps in there.
            let more = Attributes::NO_EXEC | Attributes::READ_ONLY;
            Some(directory(c"/proc", more).map_err(fail(What::Proc))?)
        } else {
            None
        };
        let devices = devices().map_err(fail(What::Devices))?;
        let lacks_device_files = lacks_device_files(devices.borrow()).map_err(fail(What::Devices))?;
        let mut trees = Trees { root, program, proc, devices, lacks_device_files, volumes: Vec::new() };
        for (volume, index) in volumes.iter().zip(0u16..) {
            let VolumeSource::Directory { source, writable } = volume.source else { continue };
            let access = if writable { Attributes::NONE } else { Attributes::READ_ONLY };
            let tree = directory(config.c_str(source), access).map_err(|errno| Failure {
                what: What::VolumeSource,
                index,
                errno,
            })?;
            // The plan has counted them.
            let _ = trees.volumes.push((index, tree));
        }
        Ok(trees)
    }
}

/// A view of a directory of the machine, with all that is mounted below it.
/// Of `/` only the filesystem itself: what is mounted there is the machine's business.
///
/// No part of the path may be a symlink: it could lie in a volume that another
/// workload writes to, and lead anywhere. So `path` is the only name it can have.
fn directory(path: &CStr, more: Attributes) -> Result<OwnedFd, Errno> {
    let mut depth = if path == c"/" { Depth::This } else { Depth::All };
    let place = fs::open_without_links(path, Open::PATH | Open::DIRECTORY)?;
    let tree = match mount::clone_tree(place.borrow(), c"", depth) {
        // In a user namespace the machine's mounts come together or not at all.
        Err(Errno::EINVAL) if depth == Depth::This => {
            depth = Depth::All;
            mount::clone_tree(place.borrow(), c"", depth)?
        }
        tree => tree?,
    };
    mount::isolate(tree.borrow(), depth, tame() | more)?;
    Ok(tree)
}

/// The machine's file that `path` leads to, over symlinks: busybox's applets
/// are such. It stays under the name of the command, which tells it what to be.
fn program(path: &CStr) -> Result<OwnedFd, Errno> {
    let tree = mount::clone_tree(BorrowedFd::CWD, path, Depth::This)?;
    if !fs::stat(tree.borrow(), c"", fs::Follow::No)?.is_regular() {
        return Err(Errno::EACCES);
    }
    mount::isolate(tree.borrow(), Depth::This, tame() | Attributes::READ_ONLY)?;
    Ok(tree)
}

/// An empty filesystem in memory, unattached.
fn memory(mode: &CStr, attributes: Attributes) -> Result<OwnedFd, Errno> {
    let filesystem = mount::open_filesystem(c"tmpfs")?;
    mount::configure(filesystem.borrow(), c"mode", Some(mode))?;
    mount::create_mount(filesystem.borrow(), attributes)
}

/// A root with nothing in it but places to mount on. It needs no size limit:
/// it is read-only before anybody but us can reach it.
fn scratch(config: &Config, command: &CStr, volumes: &[Volume]) -> Result<OwnedFd, Errno> {
    let tree = memory(c"755", tame())?;
    let root = tree.borrow();
    fs::make_directory(root, c"proc", 0o555)?;
    fs::make_directory(root, c"dev", 0o755)?;
    make_parents(root, command)?;
    fs::make_node(root, relative(command), NodeKind::Regular, 0o755)?;
    for volume in volumes {
        let target = config.c_str(volume.target);
        make_parents(root, target)?;
        make_if_missing(root, relative(target))?;
    }
    mount::isolate(root, Depth::This, tame() | Attributes::READ_ONLY)?;
    Ok(tree)
}

/// A path without its leading slashes, for calls relative to a root.
fn relative(path: &CStr) -> &CStr {
    let bytes = path.to_bytes_with_nul();
    let start = bytes.iter().take_while(|byte| **byte == b'/').count();
    bytes.get(start..).and_then(|rest| CStr::from_bytes_with_nul(rest).ok()).unwrap_or(c"")
}

/// Makes the directories that lead to `path`, one component at a time. `root` is
/// ours alone and has no symlinks, and nothing is above a detached mount for
/// `..` to lead to.
fn make_parents(root: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    let mut prefix = Text::<{ limits::PATH }>::new();
    for byte in relative(path).to_bytes() {
        if *byte == b'/' {
            make_if_missing(root, prefix.as_c_str().ok_or(Errno::ENAMETOOLONG)?)?;
        }
        prefix.put(&[*byte]);
    }
    Ok(())
}

fn make_if_missing(root: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    match fs::make_directory(root, path, 0o755) {
        Err(Errno::EEXIST) => Ok(()),
        result => result,
    }
}

/// Devices that give nothing away: name, major, minor (the kernel's devices.txt).
static DEVICES: [(&CStr, u32, u32); 6] = [
    (c"null", 1, 3),
    (c"zero", 1, 5),
    (c"full", 1, 7),
    (c"random", 1, 8),
    (c"urandom", 1, 9),
    (c"tty", 5, 0),
];

static LINKS: [(&CStr, &CStr); 5] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"ptmx", c"pts/ptmx"),
];

static PLACES: [&CStr; 3] = [c"pts", c"shm", c"mqueue"];

/// Where a prepared /dev is mounted. /run/corm is made at boot, for root alone.
const KEPT_PATH: &CStr = c"/run/corm/dev";
/// Descriptors 0 to 2 are open before any other.
const NONE: i32 = 0;
/// The descriptor of that mount, as a number: there is one thread.
static KEPT: AtomicI32 = AtomicI32::new(NONE);

/// Makes the workloads' /dev once, so that each of theirs is one system call. It
/// is kept mounted on /run/corm/dev, since a tree must be mounted in this
/// namespace to be cloned (before Linux 6.15). Without it each start makes its
/// own, by some twenty calls.
pub fn prepare_dev() -> Result<(), DevFailure> {
    keep_dev().map_err(DevFailure)
}

/// Not fatal, but worth a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DevFailure(Errno);

impl Show for DevFailure {
    fn show(&self, out: &mut dyn Sink) {
        put!(*out, "cannot prepare the workloads' /dev on ", KEPT_PATH, ": ", self.0);
    }
}

fn keep_dev() -> Result<(), Errno> {
    let tree = minimal_dev()?;
    make_if_missing(BorrowedFd::CWD, KEPT_PATH)?;
    mount::move_to(tree.borrow(), BorrowedFd::CWD, KEPT_PATH)?;
    let old = KEPT.swap(tree.into_number(), Ordering::Relaxed);
    if old != NONE {
        drop(OwnedFd::from_number(old));
    }
    Ok(())
}

fn devices() -> Result<OwnedFd, Errno> {
    match KEPT.load(Ordering::Relaxed) {
        NONE => minimal_dev(),
        kept => mount::clone_tree(BorrowedFd::from_number(kept), c"", Depth::This),
    }
}

/// The /dev every workload sees, read-only and without anything executable.
fn minimal_dev() -> Result<OwnedFd, Errno> {
    let attributes = Attributes::NO_SUID | Attributes::NO_EXEC;
    let tree = memory(c"755", attributes)?;
    let old_mask = process::set_umask(0);
    let result = fill(tree.borrow());
    process::set_umask(old_mask);
    result?;
    mount::isolate(tree.borrow(), Depth::This, attributes | Attributes::READ_ONLY)?;
    Ok(tree)
}

/// Whether the files in this /dev are no devices, since none could be made.
fn lacks_device_files(dev: BorrowedFd) -> Result<bool, Errno> {
    Ok(fs::stat(dev, c"null", fs::Follow::No)?.is_regular())
}

/// Mounts the machine's device files on those of the current directory.
pub(super) fn device_files() -> Result<(), Errno> {
    for (name, ..) in DEVICES {
        let mut path = Text::<{ limits::PATH }>::new();
        put!(path, "/dev/", name);
        let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
        let file = mount::clone_tree(BorrowedFd::CWD, path, Depth::This)?;
        if !fs::stat(file.borrow(), c"", fs::Follow::No)?.is_character_device() {
            return Err(Errno::ENODEV);
        }
        mount::isolate(file.borrow(), Depth::This, Attributes::NO_SUID | Attributes::NO_EXEC)?;
        mount::move_to(file.borrow(), BorrowedFd::CWD, name)?;
    }
    Ok(())
}

fn fill(dev: BorrowedFd) -> Result<(), Errno> {
    for (name, major, minor) in DEVICES {
        match fs::make_node(dev, name, NodeKind::Character { major, minor }, 0o666) {
            // For [`device_files`] to mount on.
            Err(Errno::EPERM) => fs::make_node(dev, name, NodeKind::Regular, 0o666)?,
            made => made?,
        }
    }
    for (name, target) in LINKS {
        fs::make_symlink(target, dev, name)?;
    }
    for name in PLACES {
        fs::make_directory(dev, name, 0o755)?;
    }
    Ok(())
}
