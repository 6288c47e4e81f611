//! What is mounted where a workload looks, and with which options.
//!
//! [`Subject::expected`] says what there must be, may be, and with which options; each is looked
//! for in mountinfo, and then each line of mountinfo among them. What is mounted below a
//! directory of the machine that is a root or a volume came with it: that is, the machine has the
//! same there.

use super::report::Report;
use super::{Cell, Subject};
use crate::config::{Root, VolumeSource, granted};
use crate::end::mount_table::{self, Entry};
use crate::limits;
use crate::put;
use crate::sandbox::{self, views};
use crate::sys::cell::TakeOnce;
use crate::sys::fs::{self, Follow};
use crate::sys::{BorrowedFd, Errno};
use crate::text;

/// A workload's mounts, and the machine's.
static TABLES: [TakeOnce<[u8; limits::MOUNT_TABLE]>; 2] =
    [const { TakeOnce::new([0; limits::MOUNT_TABLE]) }; 2];

/// The options that count, a bit each, in the order of their names.
type Options = u8;
const RO: Options = 1;
const NO_SUID: Options = 2;
const NO_DEV: Options = 4;
const NO_EXEC: Options = 8;
const TAME: Options = NO_SUID | NO_DEV;
const NOTHING: Options = TAME | NO_EXEC;
const NAMES: &[u8] = b"ro nosuid nodev noexec";

fn options(list: &[u8]) -> Options {
    let names = text::words(NAMES, b' ').zip([RO, NO_SUID, NO_DEV, NO_EXEC]);
    names.filter(|(name, _)| text::word_index(list, b',', name).is_some()).fold(0, |all, (_, bit)| all | bit)
}

fn put_options(options: Options, out: &mut Cell) {
    put!(*out, if options & RO == 0 { "rw" } else { "ro" });
    for (name, bit) in text::words(NAMES, b' ').zip([RO, NO_SUID, NO_DEV, NO_EXEC]).skip(1) {
        if options & bit != 0 {
            put!(*out, ",", name);
        }
    }
}

/// Mounts that every workload has: where, how, and whether it must.
static PLACES: [(&str, Options, bool); 9] = [
    ("/dev", RO | NO_SUID | NO_EXEC, true),
    ("/dev/pts", NO_SUID | NO_EXEC, true),
    ("/dev/shm", NOTHING, true),
    // A kernel without message queues has none to show.
    ("/dev/mqueue", NOTHING, false),
    ("/dev/notify", NOTHING, false),
    // A root without such a directory goes without.
    ("/sys", RO | NOTHING, false),
    ("/etc/hosts", RO | NOTHING, false),
    ("/etc/resolv.conf", RO | NOTHING, false),
    ("/etc/hostname", RO | NOTHING, false),
];

/// A place, what is to be there, and whether it must.
type Each<'a> = &'a mut dyn FnMut(&[u8], Options, bool);

impl Subject<'_> {
    pub fn mounts(&self, report: &mut Report) -> Result<(), Errno> {
        let [own, machine] = TABLES.each_ref().map(TakeOnce::take);
        let (false, (Some(own), Some(machine))) = (self.workload.privileged, (own, machine)) else {
            // They are the machine's, or so the namespaces say.
            return Ok(());
        };
        let own = self.own.read(c"mountinfo", own)?;
        let machine = self.first.read(c"mountinfo", machine)?;
        let has_sys = mount_table::entries(own).any(|entry| is_at(&entry, b"/sys"));
        self.expected(&mut |place, wanted, must| {
            let must = must && (has_sys || !place.starts_with(b"/sys/"));
            if must && !mount_table::entries(own).any(|entry| is_at(&entry, place)) {
                let mut text = Cell::new();
                put_options(wanted, &mut text);
                row(place, b"absent", b"", text.as_bytes(), report);
            }
        });
        for (entry, index) in mount_table::entries(own).zip(0usize..) {
            let place = mount_table::unescape::<{ limits::PATH }>(entry.target);
            let place = place.as_ref().map_or(entry.target, text::Text::as_bytes);
            let mut found = self.came_along(place, &entry, machine);
            self.expected(&mut |expected, wanted, _| {
                if expected == place {
                    found = Some(wanted);
                }
            });
            // On top of what is there already nothing is expected.
            if mount_table::entries(own).take(index).any(|earlier| earlier.target == entry.target) {
                found = None;
            }
            let (mut kernel, mut wanted) = (Cell::new(), Cell::new());
            put_options(options(entry.options), &mut kernel);
            match found {
                Some(options) => put_options(options, &mut wanted),
                None => put!(wanted, "absent"),
            }
            let mut more = Cell::new();
            put!(more, entry.kind, " ", entry.source);
            row(place, kernel.as_bytes(), more.as_bytes(), wanted.as_bytes(), report);
        }
        Ok(())
    }

    /// Calls `each` for all mounts that the config leads to, but [those](Self::came_along) in
    /// directories of the machine.
    fn expected(&self, each: Each) {
        let (config, workload) = (self.config, self.workload);
        each(b"/", TAME | if workload.overlay > 0 { 0 } else { RO }, true);
        if workload.root == Root::Scratch {
            each(sandbox::command(config, workload).to_bytes(), TAME | RO, true);
        }
        for (place, options, must) in PLACES {
            each(place.as_bytes(), options, must);
        }
        each(b"/sys/fs/cgroup", RO | NOTHING, crate::cgroup::open(config, self.id).is_some());
        each(b"/proc", NOTHING | if views::is_read_only(workload) { RO } else { 0 }, true);
        views::each_cover(workload, &mut |below, name, masked| {
            let (mut place, mut same) = (Cell::new(), Cell::new());
            put!(place, below, name);
            put!(same, below, name);
            let must =
                same.as_c_str().is_some_and(|path| fs::stat(BorrowedFd::CWD, path, Follow::No).is_ok());
            each(place.as_bytes(), if masked { RO | NO_SUID | NO_EXEC } else { RO | NOTHING }, must);
        });
        // In a container nobody makes device files.
        for name in text::words(b"null zero full random urandom tty", b' ') {
            let mut place = Cell::new();
            put!(place, "/dev/", name);
            each(place.as_bytes(), NO_SUID | NO_EXEC, false);
        }
        for device in config.words(workload.devices) {
            each(granted(config.bytes(*device)).0, NO_SUID | NO_EXEC, false);
        }
        for volume in config.volumes(workload.volumes) {
            let read_only = matches!(volume.source, VolumeSource::Directory { writable: false, .. });
            each(config.bytes(volume.target), self.of_volume(read_only, volume.exec), true);
        }
    }

    fn of_volume(&self, read_only: bool, exec: bool) -> Options {
        TAME | if read_only { RO } else { 0 } | if exec { 0 } else { NO_EXEC }
    }

    /// The options of a mount that came with a root or a volume, since it lies below it here as
    /// on the machine.
    fn came_along(&self, place: &[u8], entry: &Entry, machine: &[u8]) -> Option<Options> {
        let came = |target: &[u8], source: &[u8]| {
            let below = place.strip_prefix(target).filter(|rest| target == b"/" || rest.starts_with(b"/"))?;
            let mut there = Cell::new();
            put!(there, source, if target == b"/" { "/" } else { "" }, below);
            let is_same = |other: Entry| {
                is_at(&other, there.as_bytes()) && other.kind == entry.kind && other.source == entry.source
            };
            (source != b"/" && mount_table::entries(machine).any(is_same)).then_some(())
        };
        let (config, workload) = (self.config, self.workload);
        for volume in config.volumes(workload.volumes) {
            if let VolumeSource::Directory { source, writable } = volume.source
                && came(config.bytes(volume.target), config.bytes(source)).is_some()
            {
                return Some(self.of_volume(!writable, volume.exec));
            }
        }
        match workload.root {
            Root::Directory(path) if came(b"/", config.bytes(path)).is_some() => Some(TAME | RO),
            _ => None,
        }
    }
}

fn is_at(entry: &Entry, place: &[u8]) -> bool {
    mount_table::unescape::<{ limits::PATH }>(entry.target).is_some_and(|target| target.as_bytes() == place)
}

fn row(place: &[u8], kernel: &[u8], more: &[u8], wanted: &[u8], report: &mut Report) {
    let mut name = Cell::new();
    put!(name, "mount ", place);
    report.row(name.as_bytes(), kernel, more, Some(wanted));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_that_count() {
        for (list, wanted) in [
            (&b"rw,relatime"[..], "rw"),
            (b"ro,nosuid,nodev,noexec,relatime,idmapped", "ro,nosuid,nodev,noexec"),
            (b"noexec,ro", "ro,noexec"),
            (b"rw,nosuid,errors=remount-ro", "rw,nosuid"),
        ] {
            let mut out = Cell::new();
            put_options(options(list), &mut out);
            assert_eq!(out.as_str(), wanted);
        }
    }
}
