//! The /dev of a workload: six devices that give nothing away, and those it was given.
//!
//! It is a filesystem in memory, read-only before anybody but us can reach it.
//! Without devices of its own a workload gets a copy of one that was made at boot,
//! by one system call. A device that the config names becomes a node there of the
//! workload's own, so that no access right of the machine's has to be widened for
//! it; and a [`Rule`], since the node is only one of the ways to a device.
//!
//! Where no device files can be made (a user namespace), the machine's own are
//! mounted on files of these names, and its access rights decide.

use super::device_filter::Rule;
use super::failure::{Failure, What};
use super::plan;
use super::trees::{make_if_missing, make_parents, memory};
use crate::config::{Config, Str, Workload, granted};
use crate::limits;
use crate::put;
use crate::sys::fs::{self, Follow, NodeKind, Open, Stat};
use crate::sys::mount::{self, Attributes, Depth};
use crate::sys::{BorrowedFd, Errno, OwnedFd, process};
use crate::text::{Show, Sink, Text};
use core::ffi::CStr;
use core::sync::atomic::{AtomicI32, Ordering};
use heapless::Vec;

/// Devices that give nothing away: name, major, minor (the kernel's devices.txt).
static DEVICES: [(&CStr, u32, u32); 6] = [
    (c"null", 1, 3),
    (c"zero", 1, 5),
    (c"full", 1, 7),
    (c"random", 1, 8),
    (c"urandom", 1, 9),
    (c"tty", 5, 0),
];

/// What the workload's own devpts has: /dev/ptmx, and all terminals.
const TERMINALS: [Rule; 2] = [Rule::character(5, Some(2)), Rule::character(136, None)];

static LINKS: [(&CStr, &CStr); 5] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"ptmx", c"pts/ptmx"),
];

/// In each /dev there is a place for the socket of `ready = "notify"`, empty where there is none.
pub(super) const NOTIFY: &CStr = c"notify";

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
    seal(tree.borrow())?;
    make_if_missing(BorrowedFd::CWD, KEPT_PATH)?;
    mount::move_to(tree.borrow(), BorrowedFd::CWD, KEPT_PATH)?;
    let old = KEPT.swap(tree.into_number(), Ordering::Relaxed);
    if old != NONE {
        drop(OwnedFd::from_number(old));
    }
    Ok(())
}

/// One workload's /dev, unattached.
pub struct Dev {
    pub tree: OwnedFd,
    /// An empty directory in it that nobody writes to.
    pub empty: OwnedFd,
    /// It has no device files yet.
    pub lacks_files: bool,
    /// The devices that the config names.
    pub granted: Vec<Rule, { limits::WORKLOAD_DEVICES }>,
}

impl Dev {
    pub fn open(config: &Config, workload: &Workload) -> Result<Dev, Failure> {
        let fail = |errno| Failure::new(What::Devices, errno);
        let named = config.words(workload.devices);
        let kept = KEPT.load(Ordering::Relaxed);
        let tree = if kept == NONE || !named.is_empty() {
            minimal_dev()
        } else {
            mount::clone_tree(BorrowedFd::from_number(kept), c"", Depth::This)
        };
        let tree = tree.map_err(fail)?;
        let lacks_files = lacks_files(tree.borrow()).map_err(fail)?;
        // A terminal's names are mounted on it later.
        let empty = fs::open(tree.borrow(), c"pts", Open::PATH | Open::DIRECTORY).map_err(fail)?;
        let mut dev = Dev { tree, empty, lacks_files, granted: Vec::new() };
        for (device, index) in named.iter().zip(0u16..) {
            dev.grant(config, workload, *device).map_err(|errno| Failure {
                what: What::Device,
                index,
                errno,
            })?;
        }
        if !named.is_empty() || kept == NONE {
            seal(dev.tree.borrow()).map_err(fail)?;
        }
        Ok(dev)
    }

    /// Adds a device of the machine.
    fn grant(&mut self, config: &Config, workload: &Workload, device: Str) -> Result<(), Errno> {
        let (mut path, writable) = path_of(config, device);
        let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
        let stat = device_at(path)?.1;
        let (major, minor) = stat.device;
        let rule = Rule { block: stat.is_block_device(), major, minor: Some(minor), writable };
        self.granted.push(rule).map_err(|_| Errno::E2BIG)?;
        let (tree, name) = (self.tree.borrow(), in_dev(path));
        make_parents(tree, name)?;
        let kind = match rule.block {
            true => NodeKind::Block { major, minor },
            false => NodeKind::Character { major, minor },
        };
        let made = make_device(tree, name, kind, if writable { 0o600 } else { 0o400 })?;
        match plan::machine_ids(workload) {
            Some((uid, gid)) if made => fs::change_owner(tree, name, uid, gid),
            // The machine's own file would let it write.
            _ if !writable => Err(Errno::EPERM),
            _ => Ok(()),
        }
    }

    /// All it may open.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        let standard = DEVICES.iter().map(|(_, major, minor)| Rule::character(*major, Some(*minor)));
        standard.chain(TERMINALS).chain(self.granted.iter().copied())
    }
}

/// The path of a device that a config names, and whether it may be written to.
fn path_of(config: &Config, device: Str) -> (Text<{ limits::PATH }>, bool) {
    let (bytes, writable) = granted(config.bytes(device));
    let mut path = Text::new();
    path.put(bytes);
    (path, writable)
}

/// What of a path lies in /dev.
fn in_dev(path: &CStr) -> &CStr {
    let bytes = path.to_bytes_with_nul().strip_prefix(b"/dev/").unwrap_or(b"\0");
    crate::sys::c_str(bytes).unwrap_or(c"")
}

/// A handle on a device of the machine, and what it is. ENODEV: it is none.
fn device_at(path: &CStr) -> Result<(OwnedFd, Stat), Errno> {
    let file = fs::open_without_links(path, Open::PATH)?;
    let stat = fs::stat_of(file.borrow())?;
    if stat.is_character_device() || stat.is_block_device() { Ok((file, stat)) } else { Err(Errno::ENODEV) }
}

/// The /dev every workload sees, still writable.
fn minimal_dev() -> Result<OwnedFd, Errno> {
    let tree = memory(c"755", ATTRIBUTES)?;
    fill(tree.borrow())?;
    Ok(tree)
}

const ATTRIBUTES: Attributes = Attributes::NO_SUID.both(Attributes::NO_EXEC);

fn seal(tree: BorrowedFd) -> Result<(), Errno> {
    mount::isolate(tree, Depth::This, ATTRIBUTES | Attributes::READ_ONLY)
}

/// Whether the files in this /dev are no devices, since none could be made.
fn lacks_files(dev: BorrowedFd) -> Result<bool, Errno> {
    Ok(fs::stat(dev, c"null", Follow::No)?.is_regular())
}

/// Mounts the machine's device files on those of the current directory.
pub(super) fn device_files(config: &Config, workload: &Workload) -> Result<(), Errno> {
    for (name, ..) in DEVICES {
        let mut path = Text::new();
        put!(path, "/dev/", name);
        device_file(path)?;
    }
    config.words(workload.devices).iter().try_for_each(|device| device_file(path_of(config, *device).0))
}

fn device_file(mut path: Text<{ limits::PATH }>) -> Result<(), Errno> {
    let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
    let (file, _) = device_at(path)?;
    let file = mount::clone_tree(file.borrow(), c"", Depth::This)?;
    mount::isolate(file.borrow(), Depth::This, ATTRIBUTES)?;
    mount::move_to(file.borrow(), BorrowedFd::CWD, in_dev(path))
}

fn fill(dev: BorrowedFd) -> Result<(), Errno> {
    for (name, major, minor) in DEVICES {
        make_device(dev, name, NodeKind::Character { major, minor }, 0o666)?;
    }
    for (name, target) in LINKS {
        fs::make_symlink(target, dev, name)?;
    }
    fs::make_node(dev, NOTIFY, NodeKind::Regular, 0o600)?;
    for name in PLACES {
        fs::make_directory(dev, name, 0o755)?;
    }
    Ok(())
}

/// Makes a device file, or, where that is denied, a file for [`device_files`] to
/// mount one on: then it is false.
fn make_device(dev: BorrowedFd, name: &CStr, kind: NodeKind, mode: u32) -> Result<bool, Errno> {
    let old_mask = process::set_umask(0);
    let made = match fs::make_node(dev, name, kind, mode) {
        Err(Errno::EPERM) => fs::make_node(dev, name, NodeKind::Regular, mode).map(|()| false),
        made => made.map(|()| true),
    };
    process::set_umask(old_mask);
    made
}
