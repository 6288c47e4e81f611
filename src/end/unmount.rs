//! Unmounting what keeps something.
//!
//! Last mounted first, in passes: a filesystem may be held by a loop device
//! whose own filesystem went in this pass. What stays busy is made read-only,
//! which writes it out as well. A sync or an unmount can hang (a dead disk, a
//! network filesystem without its network), and nothing can interrupt it, so a
//! child does all this and PID 1 waits for it only so long.

use super::mount_table::{self, Entry};
use super::strays;
use crate::sys::cell::TakeOnce;
use crate::sys::fs::{self, Open};
use crate::sys::mount::{self, Flags, Unmount};
use crate::sys::{BorrowedFd, Errno, block, children, process};
use crate::text::{Sink, Text};
use crate::{error, info, limits, log, warn};
use core::ffi::CStr;

const CWD: BorrowedFd = BorrowedFd::CWD;

/// Milliseconds for all unmounts together: a slow SD card writes some hundred
/// megabytes of dirty pages in that time.
const MOST: u64 = 20_000;

/// A loop device on a loop device on …: each level takes a pass.
const PASSES: usize = 4;

static TABLE: TakeOnce<[u8; limits::MOUNT_TABLE]> = TakeOnce::new([0; limits::MOUNT_TABLE]);

type Path = Text<{ limits::PATH }>;

/// Writes out everything, unmounts, detaches loop devices.
pub(super) fn everything() {
    match children::fork() {
        Ok(children::Side::Child) => {
            log::take_time();
            write_out();
            process::exit(0)
        }
        Ok(children::Side::Parent(pid)) => {
            let mut ended = || core::iter::from_fn(children::reap).any(|(reaped, _)| reaped == pid);
            if !strays::wait_within(MOST, &mut ended) {
                error!("unmounting takes more than ", MOST / 1000, "s: going on without it");
            }
        }
        Err(errno) => {
            warn!("cannot start a child for unmounting: ", errno);
            write_out();
        }
    }
}

fn write_out() {
    // Should an unmount hang, the other filesystems' data is safe. It also
    // writes out what was written to a block device itself.
    fs::sync();
    // The one caller never returns, so there is no second time.
    let Some(buffer) = TABLE.take() else { return };
    let to_write = |entry: Entry| entry.keeps() && !entry.read_only;
    if mount_table::entries(read_table(buffer)).any(to_write) {
        unmount_all(buffer);
        fs::sync();
    }
}

/// The mount table, or of a very long one its last part: what was mounted last
/// goes first, and the next pass reads again.
fn read_table(buffer: &mut [u8; limits::MOUNT_TABLE]) -> &[u8] {
    match read_end(buffer) {
        Ok(used) => buffer.get(..used).unwrap_or(&[]),
        Err(errno) => {
            error!("cannot read the mount table: ", errno);
            &[]
        }
    }
}

fn read_end(buffer: &mut [u8; limits::MOUNT_TABLE]) -> Result<usize, Errno> {
    const HALF: usize = limits::MOUNT_TABLE / 2;
    let file = fs::open(CWD, c"/proc/self/mountinfo", Open::READ)?;
    let mut used = 0;
    loop {
        if used == buffer.len() {
            // The first, torn line that is left makes no sense to the parser.
            buffer.copy_within(HALF.., 0);
            used = used.saturating_sub(HALF);
        }
        let free = buffer.get_mut(used..).unwrap_or(&mut []);
        match crate::sys::io::read(file.borrow(), free) {
            Ok(0) => return Ok(used),
            Ok(count) => used = used.saturating_add(count),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn unmount_all(buffer: &mut [u8; limits::MOUNT_TABLE]) {
    for _ in 0..PASSES {
        let table = read_table(buffer);
        let mut went = false;
        for entry in mount_table::to_unmount(table) {
            went |= with_path(&entry, |path| mount::unmount(path, Unmount::Now)).is_ok();
        }
        went |= detach_loops();
        if !went {
            break;
        }
    }
    // The root, and what is busy still.
    for entry in mount_table::entries(read_table(buffer)).filter(Entry::keeps) {
        if entry.read_only {
            continue;
        }
        let result =
            with_path(&entry, |path| mount::mount(None, path, None, Flags::REMOUNT | Flags::READ_ONLY, None));
        let (target, source) = (entry.target, entry.source);
        match result {
            Err(errno) => {
                error!("cannot unmount ", target, " (", source, "), nor make it read-only: ", errno);
            }
            Ok(()) if !entry.is_root() => info!(target, " (", source, ") is in use: made read-only"),
            Ok(()) => {}
        }
    }
}

fn with_path(entry: &Entry, act: fn(&CStr) -> Result<(), Errno>) -> Result<(), Errno> {
    let mut path: Path = mount_table::unescape(entry.target).ok_or(Errno::ENAMETOOLONG)?;
    act(path.as_c_str().ok_or(Errno::ENAMETOOLONG)?)
}

/// Takes their files from all loop devices that nobody uses; says whether there were any.
fn detach_loops() -> bool {
    let mut went = false;
    let Ok(devices) = fs::open(CWD, c"/sys/block", Open::READ | Open::DIRECTORY) else { return false };
    let result = fs::for_each_entry(devices.borrow(), &mut |name| {
        if name.to_bytes().starts_with(b"loop") {
            went |= detach_loop(devices.borrow(), name.to_bytes());
        }
    });
    // Whatever was not seen stays attached, and the filesystem under it gets read-only.
    let _ = result;
    went
}

fn detach_loop(devices: BorrowedFd, name: &[u8]) -> bool {
    let mut path = Path::new();
    path.put(name);
    path.put(b"/loop/backing_file");
    let attached = path.as_c_str().is_some_and(|path| fs::stat(devices, path, fs::Follow::Yes).is_ok());
    if !attached {
        return false;
    }
    path.clear();
    path.put(b"/dev/");
    path.put(name);
    let Some(path) = path.as_c_str() else { return false };
    fs::open(CWD, path, Open::READ).and_then(|device| block::detach_loop(device.borrow())).is_ok()
}
