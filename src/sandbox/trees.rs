//! What a workload will see, as detached mounts, made by the parent.
//!
//! The parent makes them because it can still say what went wrong, because a
//! name is then resolved once and by the machine's own view, and because the
//! memory of a mount is then not charged to a workload that may have little.
//! Each is read-only, nosuid and nodev as far as it will be before the child
//! exists: there is no moment at which a workload could have had more.

use super::dev::Dev;
use super::failure::{self, Failure, What};
use super::{image, plan, views};
use crate::config::{Config, Network, Root, Spaces, Str, VolumeSource, Workload};
use crate::net::names;
use crate::sys::fs::{self, NodeKind, Open};
use crate::sys::mount::{self, Attributes, Depth};
use crate::sys::{BorrowedFd, Errno, OwnedFd, io};
use crate::text::{Sink, Text};
use crate::{disk, limits};
use core::ffi::CStr;
use heapless::Vec;

pub struct Trees {
    pub root: OwnedFd,
    /// `scratch`: the program's file.
    pub program: Option<OwnedFd>,
    pub dev: Dev,
    /// With the machine's processes: a /proc that shows them.
    pub proc: Option<OwnedFd>,
    /// With the machine's network: the machine's /sys, which shows that network.
    pub sys: Option<OwnedFd>,
    /// The socket it says to that it is ready.
    pub notify: Option<OwnedFd>,
    /// Its hosts(5) and resolv.conf(5), where there are any.
    pub names: [Option<OwnedFd>; 2],
    /// The program of its process 1, where that is corm's init.
    pub init: Option<OwnedFd>,
    /// Directory volumes, by their index.
    pub volumes: Vec<(u16, OwnedFd), { limits::WORKLOAD_VOLUMES }>,
}

/// Nothing from a root or a volume ever acts with more rights than its reader has.
fn tame() -> Attributes {
    Attributes::NO_SUID | Attributes::NO_DEV
}

impl Trees {
    pub fn open(config: &Config, workload: &Workload, notify: bool) -> Result<Trees, Failure> {
        let fail = |what| move |errno| Failure::new(what, errno);
        let volumes = config.volumes(workload.volumes);
        let mut trees = Vec::new();
        for (volume, index) in volumes.iter().zip(0u16..) {
            let VolumeSource::Directory { source, writable } = volume.source else { continue };
            let write = if writable { Attributes::NONE } else { Attributes::READ_ONLY };
            let execute = if volume.exec { Attributes::NONE } else { Attributes::NO_EXEC };
            let tree = volume_tree(config, source, write | execute).map_err(|errno| Failure {
                what: What::VolumeSource,
                index,
                errno,
            })?;
            // The plan has counted them.
            let _ = trees.push((index, tree));
        }
        let (root, program) = match workload.root {
            Root::Directory(path) => (root(config.c_str(path)).map_err(fail(What::Root))?, None),
            Root::Scratch => {
                let command = failure::command(config, workload);
                let program = program(command).map_err(fail(What::Program))?;
                let root = scratch(config, workload, command, &trees).map_err(fail(What::ScratchRoot))?;
                (root, Some(program))
            }
        };
        let sys = match workload.network {
            Network::None => None,
            Network::Host => machine_sys().map_err(fail(What::Sys))?,
            // The caller is in its namespace.
            Network::Bridge | Network::Macvlan | Network::Ipvlan | Network::Moved => {
                Some(views::make_sys().map_err(fail(What::Sys))?)
            }
        };
        let proc = workload.host.has(Spaces::PID).then(|| machine_proc(workload));
        let proc = proc.transpose().map_err(fail(What::Proc))?;
        let dev = Dev::open(config, workload)?;
        let notify = match notify {
            true => Some(socket(config, workload).map_err(fail(What::Notify))?),
            false => None,
        };
        let names = names(config, workload).map_err(fail(What::Names))?;
        let init = workload.init.then(own_copy).transpose().map_err(fail(What::Init))?;
        Ok(Trees { root, program, dev, proc, sys, notify, names, init, volumes: trees })
    }
}

/// A view of a directory of the machine, with all that is mounted below it.
/// Of `/` only the filesystem itself: what is mounted there is the machine's business.
///
/// No part of the path may be a symlink: it could lie in a volume that another
/// workload writes to, and lead anywhere. So `path` is the only name it can have.
fn directory(path: &CStr, more: Attributes) -> Result<OwnedFd, Errno> {
    view(path, Open::DIRECTORY, if path == c"/" { Depth::This } else { Depth::All }, more)
}

/// A directory, an image or a block device as a root.
fn root(path: &CStr) -> Result<OwnedFd, Errno> {
    match directory(path, Attributes::READ_ONLY) {
        Err(Errno::ENOTDIR) => image::open(path, tame()),
        tree => tree,
    }
}

/// A directory or a file, or what is on a block device. No other device, no socket or pipe: it would
/// be a way to whoever has the other end.
fn volume_tree(config: &Config, source: Str, more: Attributes) -> Result<OwnedFd, Errno> {
    let mut path = disk::Path::new();
    disk::locate(config.c_str(source), &mut path)?;
    let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    match directory(path, more) {
        Err(Errno::ENOTDIR) => {
            let tree = view(path, Open::PATH, Depth::This, more)?;
            let stat = fs::stat_of(tree.borrow())?;
            if stat.is_regular() {
                return Ok(tree);
            }
            if !stat.is_block_device() {
                return Err(Errno::ENOTDIR);
            }
            image::open_device(path, config.is_written(source), tame() | more)
        }
        tree => tree,
    }
}

/// A /proc of the machine's processes, which only the machine's root may make; to
/// others they are shown as they see them themselves.
fn machine_proc(workload: &Workload) -> Result<OwnedFd, Errno> {
    match views::make_proc(workload) {
        Err(Errno::EPERM) => directory(c"/proc", Attributes::NO_EXEC | Attributes::READ_ONLY),
        tree => tree,
    }
}

/// The machine's own filesystem on /sys, without those mounted in it: a sysfs shows
/// the network namespace that it was made in, and no other can be made for this one
/// by a workload that has its own user namespace.
fn machine_sys() -> Result<Option<OwnedFd>, Errno> {
    match view(c"/sys", Open::DIRECTORY, Depth::This, Attributes::READ_ONLY | Attributes::NO_EXEC) {
        Err(Errno::ENOENT) => Ok(None),
        tree => tree.map(Some),
    }
}

fn view(path: &CStr, how: Open, mut depth: Depth, more: Attributes) -> Result<OwnedFd, Errno> {
    let place = fs::open_without_links(path, Open::PATH | how)?;
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

/// The socket that is only this workload's.
fn socket(config: &Config, workload: &Workload) -> Result<OwnedFd, Errno> {
    let mut path = super::notify_path(config, workload);
    let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    let tree = mount::clone_tree(BorrowedFd::CWD, path, Depth::This)?;
    mount::isolate(tree.borrow(), Depth::This, tame() | Attributes::NO_EXEC)?;
    Ok(tree)
}

/// What it is to find in its /etc: what PID 1 has written, or else what the machine has. Its symlinks
/// are followed there: who writes to /etc has the machine.
fn names(config: &Config, workload: &Workload) -> Result<[Option<OwnedFd>; 2], Errno> {
    let machines = workload.network == Network::Host;
    // Who joins another's network has its names.
    let joined = workload.join.filter(|_| workload.joined.has(Spaces::NETWORK));
    let head = joined.and_then(|id| config.workload(id)).unwrap_or(workload);
    let mut hosts = names::hosts_path(config.bytes(head.name));
    let hosts = if machines { c"/etc/hosts" } else { hosts.as_c_str().ok_or(Errno::ENAMETOOLONG)? };
    let file = |path| -> Result<Option<OwnedFd>, Errno> {
        if !plan::has_names(workload) {
            return Ok(None);
        }
        let tree = match mount::clone_tree(BorrowedFd::CWD, path, Depth::This) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            tree => tree?,
        };
        if !fs::stat_of(tree.borrow())?.is_regular() {
            return Ok(None);
        }
        let attributes = tame() | Attributes::NO_EXEC | Attributes::READ_ONLY;
        mount::isolate(tree.borrow(), Depth::This, attributes)?;
        Ok(Some(tree))
    };
    let resolvers = match file(names::RESOLVERS)? {
        None => file(c"/etc/resolv.conf")?,
        resolvers => resolvers,
    };
    Ok([file(hosts)?, resolvers])
}

/// This program, as a file in memory that nobody can change: /proc/1/exe of a workload leads to
/// it, and must not lead to the machine's own (CVE-2019-5736). Each start has its own, or two
/// workloads would share a file, with its locks, times and mode.
fn own_copy() -> Result<OwnedFd, Errno> {
    let own = fs::open(BorrowedFd::CWD, c"/proc/self/exe", Open::READ)?;
    let copy = io::memory_program(c"corm-init")?;
    while io::send_file(copy.borrow(), own.borrow())? > 0 {}
    io::seal(copy.borrow())?;
    Ok(copy)
}

/// The machine's file that `path` leads to, over symlinks: busybox's applets
/// are such. It stays under the name of the command, which tells it what to be.
fn program(path: &CStr) -> Result<OwnedFd, Errno> {
    let tree = mount::clone_tree(BorrowedFd::CWD, path, Depth::This)?;
    if !fs::stat_of(tree.borrow())?.is_regular() {
        return Err(Errno::EACCES);
    }
    mount::isolate(tree.borrow(), Depth::This, tame() | Attributes::READ_ONLY)?;
    Ok(tree)
}

/// An empty filesystem in memory, unattached.
pub(super) fn memory(mode: &CStr, attributes: Attributes) -> Result<OwnedFd, Errno> {
    make(c"tmpfs", Some((c"mode", mode)), attributes)
}

/// A new filesystem, unattached.
pub(super) fn make(
    kind: &CStr,
    option: Option<(&CStr, &CStr)>,
    attributes: Attributes,
) -> Result<OwnedFd, Errno> {
    let filesystem = mount::open_filesystem(kind)?;
    if let Some((key, value)) = option {
        mount::configure(filesystem.borrow(), key, Some(value))?;
    }
    mount::create_mount(filesystem.borrow(), attributes)
}

/// A root with nothing in it but places to mount on. It needs no size limit:
/// it is read-only before anybody but us can reach it.
fn scratch(
    config: &Config,
    workload: &Workload,
    command: &CStr,
    trees: &[(u16, OwnedFd)],
) -> Result<OwnedFd, Errno> {
    let tree = memory(c"755", tame())?;
    let root = tree.borrow();
    for name in [c"proc", c"sys", c"dev"] {
        fs::make_directory(root, name, 0o755)?;
    }
    make_parents(root, command)?;
    fs::make_node(root, relative(command), NodeKind::Regular, 0o755)?;
    for (volume, index) in config.volumes(workload.volumes).iter().zip(0u16..) {
        let target = config.c_str(volume.target);
        make_parents(root, target)?;
        match trees.iter().find(|(of, _)| *of == index) {
            Some((_, tree)) if !fs::stat_of(tree.borrow())?.is_directory() => {
                fs::make_node(root, relative(target), NodeKind::Regular, 0o644)?;
            }
            _ => make_if_missing(root, relative(target))?,
        }
    }
    for place in names::PLACES.into_iter().filter(|_| plan::has_names(workload)) {
        make_parents(root, place)?;
        match fs::make_node(root, relative(place), NodeKind::Regular, 0o644) {
            Err(Errno::EEXIST) => {}
            made => made?,
        }
    }
    mount::isolate(root, Depth::This, tame() | Attributes::READ_ONLY)?;
    Ok(tree)
}

/// A path without its leading slashes, for calls relative to a root.
pub(super) fn relative(path: &CStr) -> &CStr {
    let bytes = path.to_bytes_with_nul();
    let start = bytes.iter().take_while(|byte| **byte == b'/').count();
    bytes.get(start..).and_then(|rest| CStr::from_bytes_with_nul(rest).ok()).unwrap_or(c"")
}

/// Makes the directories that lead to `path`, one component at a time. `root` is
/// ours alone and has no symlinks, and nothing is above a detached mount for
/// `..` to lead to.
pub(super) fn make_parents(root: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    let mut prefix = Text::<{ limits::PATH }>::new();
    for byte in relative(path).to_bytes() {
        if *byte == b'/' {
            make_if_missing(root, prefix.as_c_str().ok_or(Errno::ENAMETOOLONG)?)?;
        }
        prefix.put(&[*byte]);
    }
    Ok(())
}

pub(super) fn make_if_missing(root: BorrowedFd, path: &CStr) -> Result<(), Errno> {
    match fs::make_directory(root, path, 0o755) {
        Err(Errno::EEXIST) => Ok(()),
        result => result,
    }
}
