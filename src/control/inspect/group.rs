//! A workload's cgroup: every limit of it, what it uses, and whether its devices are guarded.

use super::report::Report;
use super::{Cell, Subject, process};
use crate::cgroup::{self, Disk};
use crate::config::{Limit, Setting};
use crate::put;
use crate::sys::bpf::{self, Kind};
use crate::sys::fs;
use crate::sys::{BorrowedFd, Errno};
use crate::text::{self, Sink};

/// What a file of a cgroup says, without the newline; `None`: there is none.
fn read<'b>(group: BorrowedFd, name: &[u8], buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, Errno> {
    let mut path = Cell::new();
    path.put(name);
    match fs::read_file(group, path.as_c_str().ok_or(Errno::ENAMETOOLONG)?, buffer) {
        Ok(text) => Ok(Some(text.trim_ascii())),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What a limit is that nobody has set.
fn untouched(limit: Limit) -> &'static [u8] {
    match limit {
        Limit::MemoryLow | Limit::MemoryMin | Limit::OomGroup => b"0",
        Limit::Cpu => b"max 100000",
        Limit::CpuWeight => b"100",
        Limit::Cpus | Limit::Mems => b"",
        Limit::IoWeight => b"default 100",
        _ => b"max",
    }
}

/// Whether the kernel's text is that of the config, as the kernel keeps it.
fn agrees(limit: Limit, kernel: &[u8], wanted: &[u8]) -> bool {
    if kernel == wanted {
        return true;
    }
    match limit {
        Limit::Cpus | Limit::Mems => {
            (0..NUMBERS).all(|number| lists(kernel, number) == lists(wanted, number))
        }
        Limit::IoWeight => kernel.strip_prefix(b"default ") == Some(wanted),
        _ => {
            // It counts in pages, of the sizes that there are: of memory in those that a machine has.
            let pages: &[u32] = match limit {
                Limit::Huge64K => &[16],
                Limit::Huge2M => &[21],
                Limit::Huge32M => &[25],
                Limit::Huge512M => &[29],
                Limit::Huge1G => &[30],
                Limit::Huge16G => &[34],
                _ if limit <= Limit::Swap => &[12, 14, 16],
                _ => &[],
            };
            let (kernel, wanted) = (text::number(kernel, 10), text::number(wanted, 10));
            kernel.zip(wanted).is_some_and(|(kernel, wanted)| {
                pages.iter().any(|page| wanted.wrapping_shr(*page).wrapping_shl(*page) == kernel)
            })
        }
    }
}

/// More processors than a kernel is built for.
const NUMBERS: u64 = 8192;

/// Whether a list such as `0-2,5` has a number.
fn lists(list: &[u8], number: u64) -> bool {
    text::words(list, b',').any(|range| {
        let (first, last) = text::cut(range, b'-').unwrap_or((range, b""));
        let first = text::number(first.trim_ascii(), 10);
        let last = if last.is_empty() { first } else { text::number(last.trim_ascii(), 10) };
        first.zip(last).is_some_and(|(first, last)| first <= number && number <= last)
    })
}

impl Subject<'_> {
    pub fn group(&self, report: &mut Report) -> Result<(), Errno> {
        let Some(group) = cgroup::open(self.config, self.id) else { return Ok(()) };
        let group = group.borrow();
        let (mut wanted, mut buffer) = (Cell::new(), [0; 2048]);
        // Beside PID 1's own, which in a container is not the root.
        let first = process::field(self.first.read(c"cgroup", &mut buffer)?, "0::").unwrap_or(b"");
        let above = first.strip_suffix(b"/corm.init").or(first.strip_suffix(b"/")).unwrap_or(first);
        put!(wanted, above, "/", self.config.bytes(self.workload.name));
        let there = process::field(self.own.read(c"cgroup", &mut buffer)?, "0::").unwrap_or(b"");
        report.row(b"cgroup", there, b"", Some(wanted.as_bytes()));
        for limit in Limit::ALL.iter().copied().filter(|limit| *limit <= Limit::Huge16G) {
            self.limit(group, limit, report)?;
        }
        self.disks(group, report)?;
        guard(group, "devices", &[Kind::DEVICE], !self.workload.privileged, report);
        for (name, list, kinds) in [
            ("allow-bind", self.workload.allow_bind, [Kind::BIND_4, Kind::BIND_6]),
            ("allow-connect", self.workload.allow_connect, [Kind::CONNECT_4, Kind::CONNECT_6]),
        ] {
            if list.is_some() {
                guard(group, name, &kinds, true, report);
            }
        }
        Ok(())
    }

    fn limit(&self, group: BorrowedFd, limit: Limit, report: &mut Report) -> Result<(), Errno> {
        let (mut wanted, mut disk, mut buffer) = (Disk::new(), Disk::new(), [0; 2048]);
        let setting = self.config.setting(self.workload, limit).map(|value| Setting { limit, value });
        match setting {
            Some(setting) => _ = cgroup::put_line(self.config, setting, &mut disk, &mut wanted)?,
            None => wanted.put(untouched(limit)),
        }
        let name = limit.name();
        let kernel = match read(group, name, &mut buffer)? {
            Some(kernel) => kernel,
            // This kernel has none, and nobody asks for one.
            None if setting.is_none_or(|setting| limit.default() == Some(setting.value)) => return Ok(()),
            None => b"absent",
        };
        let (mut path, mut more, mut usage) = (Cell::new(), Cell::new(), [0; 512]);
        match name.strip_suffix(b".max") {
            Some(b"cpu") => {
                let text = read(group, b"cpu.stat", &mut usage)?.unwrap_or(b"");
                if let Some(used) = process::field(text, "usage_usec ") {
                    put!(more, used, " us used");
                }
            }
            Some(of) => {
                put!(path, of, ".current");
                if let Some(used) = read(group, path.as_bytes(), &mut usage)? {
                    put!(more, used, " used");
                }
            }
            None => {}
        }
        let same = agrees(limit, kernel, wanted.as_bytes());
        report.judged(name, kernel, more.as_bytes(), Some(wanted.as_bytes()), same);
        Ok(())
    }

    /// io.max has a line for each disk that is limited in anything, and in it all there is for that.
    fn disks(&self, group: BorrowedFd, report: &mut Report) -> Result<(), Errno> {
        let (mut buffer, mut disk, mut used) = ([0; 2048], Disk::new(), [0; 4096]);
        let lines = read(group, b"io.max", &mut buffer)?.unwrap_or(b"");
        let used = read(group, b"io.stat", &mut used)?.unwrap_or(b"");
        for setting in self.config.settings(self.workload.limits) {
            let mut wanted = Disk::new();
            if setting.limit < Limit::IoDevice
                || !cgroup::put_line(self.config, *setting, &mut disk, &mut wanted)?
            {
                continue;
            }
            let (name, wanted) = text::cut(wanted.as_bytes(), b'=').unwrap_or_default();
            io_row(lines, used, name, wanted, report);
        }
        // What nobody has asked for.
        for line in text::words(lines, b'\n') {
            let Some((device, values)) = text::cut(line, b' ') else { continue };
            for value in text::words(values, b' ') {
                let Some((key, value)) = text::cut(value, b'=') else { continue };
                let mut name = Cell::new();
                put!(name, device, " ", key);
                if value != b"max" && !self.limits_disk(name.as_bytes())? {
                    io_row(lines, used, name.as_bytes(), b"max", report);
                }
            }
        }
        Ok(())
    }

    /// Whether the config speaks of that limit, `8:0 rbps`.
    fn limits_disk(&self, name: &[u8]) -> Result<bool, Errno> {
        let mut disk = Disk::new();
        for setting in self.config.settings(self.workload.limits) {
            let mut line = Disk::new();
            if setting.limit >= Limit::IoDevice
                && cgroup::put_line(self.config, *setting, &mut disk, &mut line)?
                && line.as_bytes().strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether programs of these kinds stand before what the cgroup does. None would be missed where
/// this kernel has none, or nobody may ask; there Landlock has the ports.
fn guard(group: BorrowedFd, name: &str, kinds: &[Kind], is_wanted: bool, report: &mut Report) {
    let mut kernel: &[u8] = b"guarded";
    for kind in kinds {
        match bpf::attached(*kind, group) {
            Ok(0) => kernel = b"open",
            Ok(_) => {}
            Err(_) => return,
        }
    }
    report.row(name.as_bytes(), kernel, b"", if is_wanted { Some(b"guarded") } else { None });
}

/// The row of one limit of one disk, by its name, `8:0 rbps`. `lines` are those of io.max, `used`
/// those of io.stat.
fn io_row(lines: &[u8], used: &[u8], name: &[u8], wanted: &[u8], report: &mut Report) {
    let (device, key) = text::cut(name, b' ').unwrap_or_default();
    let (mut row, mut counter, mut more) = (Cell::new(), Cell::new(), Cell::new());
    put!(row, "io.max ", name);
    // Of `rbps` and `riops` it counts `rbytes` and `rios`.
    put!(counter, key.get(..1).unwrap_or(key), if key.ends_with(b"bps") { "bytes" } else { "ios" });
    if let Some(used) = of_disk(used, device, counter.as_bytes()) {
        put!(more, used, " used");
    }
    let value = of_disk(lines, device, key).unwrap_or(b"max");
    report.row(row.as_bytes(), value, more.as_bytes(), Some(wanted));
}

/// A value in lines such as `8:0 rbps=1048576 wbps=max`.
fn of_disk<'t>(lines: &'t [u8], device: &[u8], key: &[u8]) -> Option<&'t [u8]> {
    text::words(lines, b'\n').find_map(|line| {
        let (this, values) = text::cut(line, b' ')?;
        let mut values = text::words(values, b' ').filter(|_| this == device);
        values.find_map(|value| value.strip_prefix(key)?.strip_prefix(b"="))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_its_own_line() {
        let lines = b"254:0 rbytes=10 wbytes=20 rios=3\n8:0 rbytes=7\n8:16 rbytes=9";
        for (device, key, wanted) in [
            ("254:0", "rios", Some("3")),
            ("8:0", "rbytes", Some("7")),
            ("8:0", "rios", None),
            ("8:1", "rbytes", None),
            ("254:0", "bytes", None),
        ] {
            let found = of_disk(lines, device.as_bytes(), key.as_bytes());
            assert_eq!(found, wanted.map(str::as_bytes), "{device} {key}");
        }
    }

    #[test]
    fn the_kernel_keeps_numbers_in_its_own_way() {
        for (limit, kernel, wanted, same) in [
            (Limit::Memory, "12288", "12300", true),
            (Limit::Memory, "65536", "70000", true),
            (Limit::Memory, "8192", "12300", false),
            (Limit::Memory, "max", "12300", false),
            (Limit::Pids, "12288", "12300", false),
            (Limit::Huge2M, "2097152", "3000000", true),
            (Limit::IoWeight, "default 7", "7", true),
            (Limit::IoWeight, "default 8", "7", false),
            (Limit::Cpus, "0-2,5", "5,1-2,0", true),
            (Limit::Cpus, "0-2", "0-3", false),
            (Limit::Cpus, "", "", true),
            (Limit::Mems, "0", "", false),
        ] {
            assert_eq!(
                agrees(limit, kernel.as_bytes(), wanted.as_bytes()),
                same,
                "{limit:?} {kernel} {wanted}"
            );
        }
    }
}
