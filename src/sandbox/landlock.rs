//! A second wall around files, and one around TCP ports: Landlock.
//!
//! The first wall is what is mounted. This one is derived from the same config and holds
//! when that one has a hole: a file is read and executed everywhere, but written only where
//! the config lets the workload write, whatever is mounted there and however it came to be;
//! nothing is mounted, moved or unmounted any more; processes and abstract sockets outside
//! of the workload are out of reach even in a namespace that is shared with the machine.
//!
//! It is raised once everything is mounted, while the child may still open all of it. What
//! this version of Landlock does not know is left to the other walls. Before version 2 (Linux
//! 5.19) it would forbid every move of a file to another directory, so there it is as if it
//! were absent; and a workload that keeps `sys-admin` is given it only if it asks for it,
//! since to mount is what that capability is for.

use super::ports;
use crate::config::{Config, Landlock, List, Str, VolumeSource, Workload, has};
use crate::sys::fs::{self, Open};
use crate::sys::landlock::{self, Handled};
use crate::sys::{BorrowedFd, Errno};
use core::ffi::CStr;

// Rights to files, as the kernel numbers them.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIRECTORY: u64 = 1 << 3;
const TRUNCATE: u64 = 1 << 14;
const DEVICE_IOCTL: u64 = 1 << 15;

const READ: u64 = EXECUTE | READ_FILE | READ_DIRECTORY;
const WRITE: u64 = WRITE_FILE | TRUNCATE;
const ALL: u64 = DEVICE_IOCTL * 2 - 1;
/// What something other than a directory can have.
const OF_FILES: u64 = EXECUTE | READ_FILE | WRITE | DEVICE_IOCTL;

const BIND: u64 = 1;
const CONNECT: u64 = 1 << 1;
/// Abstract sockets and signals of others.
const SCOPES: u64 = 3;

/// What every workload may do, and where. Rights of what is above hold below.
static PLACES: [(&CStr, u64); 5] = [
    (c"/", READ),
    (c"/proc", WRITE),
    (c"/dev", WRITE | DEVICE_IOCTL),
    (c"/dev/shm", ALL & !EXECUTE),
    (c"/dev/mqueue", ALL & !EXECUTE),
];

/// The first version that takes away nothing it cannot give back.
const USEFUL: u8 = 2;
/// The first version that knows ports.
pub(super) const WITH_PORTS: u8 = 4;

/// What is taken away from a workload under this version; `None`: what it asks for is not
/// to be had.
pub(super) fn handled(config: &Config, workload: &Workload, version: u8) -> Option<Handled> {
    const SYS_ADMIN: u8 = 21;
    let files = match workload.landlock {
        _ if workload.privileged => false,
        Landlock::Off => false,
        Landlock::Default => version >= USEFUL && !has(workload.capabilities, SYS_ADMIN),
        Landlock::Required if version < USEFUL => return None,
        Landlock::Required => true,
    };
    let mut handled = Handled::default();
    if files {
        handled.files = match version {
            0..3 => ALL & !DEVICE_IOCTL & !TRUNCATE,
            3..5 => ALL & !DEVICE_IOCTL,
            5.. => ALL,
        };
        handled.scopes = if version < 6 { 0 } else { SCOPES };
    }
    if version >= WITH_PORTS && ports::are_few(config, workload) {
        let right = |list: Option<List<Str>>, right| if list.is_some() { right } else { 0 };
        handled.ports = right(workload.allow_bind, BIND) | right(workload.allow_connect, CONNECT);
    }
    Some(handled)
}

/// Raises the wall around this process.
pub(super) fn restrict(config: &Config, workload: &Workload, handled: Handled) -> Result<(), Errno> {
    let ruleset = landlock::create(handled)?;
    let ruleset = ruleset.borrow();
    if handled.files != 0 {
        for (path, rights) in PLACES {
            match allow(ruleset, path, rights & handled.files) {
                // A kernel without message queues, a root that is being tried out.
                Err(Errno::ENOENT) if path != c"/" => {}
                result => result?,
            }
        }
        if workload.overlay > 0 {
            allow(ruleset, c"/", ALL & handled.files)?;
        }
        for volume in config.volumes(workload.volumes) {
            let writable = match volume.source {
                VolumeSource::Tmpfs { .. } => true,
                VolumeSource::Directory { writable, .. } => writable,
            };
            if writable {
                allow(ruleset, config.c_str(volume.target), ALL & !EXECUTE & handled.files)?;
            }
        }
        // What it is started with it may open anew, as /dev/stdin and its like.
        for standard in [BorrowedFd::STDIN, BorrowedFd::STDOUT, BorrowedFd::STDERR] {
            let rights = (READ_FILE | WRITE | DEVICE_IOCTL) & handled.files;
            // Pipes and sockets have no path, and nobody is kept from them.
            let _ = landlock::allow_below(ruleset, standard, rights);
        }
    }
    for (list, right) in [(workload.allow_bind, BIND), (workload.allow_connect, CONNECT)] {
        for range in ports::ranges(config, list.filter(|_| handled.ports & right != 0)) {
            for port in range {
                landlock::allow_port(ruleset, port, right)?;
            }
        }
    }
    landlock::restrict_self(ruleset)
}

fn allow(ruleset: BorrowedFd, path: &CStr, rights: u64) -> Result<(), Errno> {
    let place = fs::open_in_root(BorrowedFd::CWD, path, Open::PATH)?;
    let is_directory = fs::stat_of(place.borrow())?.is_directory();
    landlock::allow_below(ruleset, place.borrow(), if is_directory { rights } else { rights & OF_FILES })
}
