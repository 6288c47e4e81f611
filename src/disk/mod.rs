//! Block devices by what they are called: `LABEL=`, `UUID=`, `PARTLABEL=`, `PARTUUID=`.
//!
//! Whoever looks for one reads the beginning of every block device, and a device can take
//! its time: so PID 1 never looks. The child that may wait ([`crate::boot::late`]) does, once,
//! for every name in the config, and leaves what it found as symlinks in /run/corm/disk.
//! PID 1 reads those, and whether that one device still has the name: another may have been
//! plugged in where it was. A `corm run` has nobody to look for it, and looks itself.
//!
//! Two devices with the same name are no failure: the one whose device name comes first
//! is taken, and a line says so.

pub mod superblock;
#[cfg(test)]
mod tests;

use crate::config::named_source;
use crate::limits;
use crate::put;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, Errno, OwnedFd, io, process};
use crate::text::{self, Sink, Text};
use core::ffi::CStr;
use superblock::Table;

const CWD: BorrowedFd = BorrowedFd::CWD;

pub type Path = Text<{ limits::PATH }>;

/// In the order of the words of [`named_source`].
const LABEL: usize = 0;
const UUID: usize = 1;
const PART_LABEL: usize = 2;

/// The path of what a config names as a source: a path stays as it is.
///
/// ENOENT: no device has that name.
pub fn locate(source: &CStr, path: &mut Path) -> Result<(), Errno> {
    path.clear();
    let Some((what, wanted)) = named_source(source.to_bytes()) else {
        path.put(source.to_bytes());
        return Ok(());
    };
    let is_there = if process::id() == 1 {
        let mut link = link(source);
        let mut buffer = [0; limits::PATH];
        path.put(fs::read_link(CWD, link.as_c_str().ok_or(Errno::ENAMETOOLONG)?, &mut buffer)?);
        let mut name = name(path.as_bytes());
        let devices = devices()?;
        name.as_c_str().is_some_and(|name| is_it(devices.borrow(), name, what, wanted))
    } else {
        find(source, path) > 0
    };
    if is_there { Ok(()) } else { Err(Errno::ENOENT) }
}

fn devices() -> Result<OwnedFd, Errno> {
    fs::open(CWD, c"/sys/class/block", Open::READ | Open::DIRECTORY)
}

fn link(source: &CStr) -> Path {
    let mut link = Path::new();
    put!(link, "/run/corm/disk/", source);
    link
}

/// Where PID 1 will find it.
pub fn remember(source: &CStr, path: &CStr) -> Result<(), Errno> {
    match fs::make_directory(CWD, c"/run/corm/disk", 0o755) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    fs::make_symlink(path, CWD, link(source).as_c_str().ok_or(Errno::ENAMETOOLONG)?)
}

/// Looks for the block devices of that name, and says how many there are. `path` is that of the
/// one to take.
pub fn find(source: &CStr, path: &mut Path) -> usize {
    let Some((what, wanted)) = named_source(source.to_bytes()) else { return 0 };
    let mut found = 0usize;
    let mut first = Path::new();
    let Ok(devices) = devices() else { return 0 };
    // A list that breaks off has what it has.
    let _ = fs::for_each_entry(devices.borrow(), &mut |name| {
        if is_it(devices.borrow(), name, what, wanted) {
            found = found.saturating_add(1);
            if found == 1 || name.to_bytes() < first.as_bytes() {
                first.clear();
                first.put(name.to_bytes());
            }
        }
    });
    *path = node(first.as_bytes());
    found
}

/// The device node of a block device. The kernel has a `!` for each `/` in a name.
fn node(name: &[u8]) -> Path {
    let mut path = Path::new();
    path.put(b"/dev/");
    put_exchanged(&mut path, name, b'!', b'/');
    path
}

/// And back.
fn name(node: &[u8]) -> Path {
    let mut name = Path::new();
    put_exchanged(&mut name, node.strip_prefix(b"/dev/").unwrap_or(node), b'/', b'!');
    name
}

fn put_exchanged(path: &mut Path, bytes: &[u8], from: u8, to: u8) {
    for byte in bytes {
        path.put(&[if *byte == from { to } else { *byte }]);
    }
}

fn is_it(devices: BorrowedFd, name: &CStr, what: usize, wanted: &[u8]) -> bool {
    let mut buffer = [0; superblock::HEAD];
    if what == LABEL || what == UUID {
        return read_superblock(node(name.to_bytes()), &mut buffer).is_some_and(|found| match what {
            LABEL => found.has_label(wanted),
            _ => found.has_uuid(wanted),
        });
    }
    let mut facts = [0; 1024];
    let mut file = Path::new();
    put!(file, name, "/uevent");
    let Some(facts) = read(devices, &mut file, &mut facts) else { return false };
    if what == PART_LABEL {
        return fact(facts, b"PARTNAME=") == Some(wanted);
    }
    let number = fact(facts, b"PARTN=").and_then(|digits| str::from_utf8(digits).ok()?.parse::<u32>().ok());
    number.is_some_and(|number| has_part_uuid(devices, name, number, wanted, &mut buffer).unwrap_or(false))
}

fn read<'b>(devices: BorrowedFd, file: &mut Path, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    fs::read_file(devices, file.as_c_str()?, buffer).ok()
}

/// What a line of a uevent file says.
fn fact<'f>(facts: &'f [u8], key: &[u8]) -> Option<&'f [u8]> {
    text::words(facts, b'\n').find_map(|line| line.strip_prefix(key))
}

/// Before Linux 6.10 only the disk itself tells.
fn has_part_uuid(
    devices: BorrowedFd,
    name: &CStr,
    number: u32,
    wanted: &[u8],
    head: &mut [u8],
) -> Option<bool> {
    // A partition's directory is in that of its disk.
    let mut file = Path::new();
    put!(file, name, "/../uevent");
    let mut facts = [0; 1024];
    let mut disk = node(fact(read(devices, &mut file, &mut facts)?, b"DEVNAME=")?);
    let disk = open(&mut disk)?;
    let count = io::read_at(disk.borrow(), head, 0).ok()?;
    Some(match superblock::table(head.get(..count)?, number)? {
        Table::Mbr(signature) => superblock::mbr_has(signature, number, wanted),
        Table::Gpt(place) => {
            let mut entry = [0; 32];
            io::read_at(disk.borrow(), &mut entry, place).ok()?;
            superblock::gpt_has(&entry, wanted)
        }
    })
}

fn open(path: &mut Path) -> Option<OwnedFd> {
    fs::open(CWD, path.as_c_str()?, Open::READ | Open::NON_BLOCKING).ok()
}

fn read_superblock(mut path: Path, buffer: &mut [u8]) -> Option<superblock::Superblock<'_>> {
    read_from(open(&mut path)?.borrow(), buffer)
}

/// The superblock of an open device or image. `buffer` has [`superblock::LENGTH`] bytes or more.
pub fn read_from<'b>(file: BorrowedFd, buffer: &'b mut [u8]) -> Option<superblock::Superblock<'b>> {
    let buffer = buffer.get_mut(..superblock::LENGTH)?;
    let [first, second] = superblock::PLACES;
    let count = io::read_at(file, buffer, first).ok()?;
    if superblock::look(buffer.get(..count)?, first).is_some() {
        return superblock::look(buffer.get(..count)?, first);
    }
    let count = io::read_at(file, buffer, second).ok()?;
    superblock::look(buffer.get(..count)?, second)
}
