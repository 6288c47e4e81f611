//! What /proc says of a process: who it is, what it may do, and what it is held to.

use super::report::Report;
use super::{Cell, Subject};
use crate::config::{LEVEL_BITS, Limit, MAX, RANGE, form};
use crate::put;
use crate::sandbox::plan;
use crate::sys::fs::{self, Follow, Open};
use crate::sys::{BorrowedFd, Errno, OwnedFd, process};
use crate::text::{self, Show, Sink, Text};
use core::ffi::CStr;

/// Its directory in /proc, which after its end is nobody else's.
pub(super) struct Process {
    pid: u32,
    directory: OwnedFd,
}

/// Room for /proc/PID/status, which has lists of processors.
type Page = [u8; 4096];

impl Process {
    pub fn open(pid: u32) -> Result<Process, Errno> {
        let mut path = Text::<32>::new();
        put!(path, "/proc/", pid);
        let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
        let directory = fs::open(BorrowedFd::CWD, path, Open::PATH | Open::DIRECTORY)?;
        Ok(Process { pid, directory })
    }

    pub fn read<'b>(&self, file: &CStr, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
        fs::read_file(self.directory.borrow(), file, buffer)
    }

    /// The number of a namespace; 0: this kernel has none of that kind.
    pub fn namespace(&self, kind: &str) -> Result<u64, Errno> {
        let mut path = Text::<32>::new();
        put!(path, "ns/", kind);
        let path = path.as_c_str().ok_or(Errno::ENAMETOOLONG)?;
        match fs::stat(self.directory.borrow(), path, Follow::Yes) {
            Ok(stat) => Ok(stat.inode),
            Err(Errno::ENOENT) if fs::stat(self.directory.borrow(), c"stat", Follow::No).is_ok() => Ok(0),
            Err(errno) => Err(errno),
        }
    }
}

/// Whether it is a copy of PID 1 that has not executed its program yet.
pub(super) fn is_corm(pid: u32) -> bool {
    let program = |pid| {
        let process = Process::open(pid).ok()?;
        fs::stat(process.directory.borrow(), c"exe", Follow::Yes)
            .ok()
            .map(|stat| (stat.filesystem, stat.inode))
    };
    let own = program(pid);
    own.is_some() && own == program(1)
}

/// The text behind `key` in a file of such lines.
pub(super) fn field<'t>(text: &'t [u8], key: &str) -> Option<&'t [u8]> {
    text::words(text, b'\n').find_map(|line| line.strip_prefix(key.as_bytes())).map(<[u8]>::trim_ascii)
}

/// The words of a text with one space between them, or once what is four times the same.
fn plain(text: &[u8], out: &mut Cell) {
    let words = || text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let same = words().count() == 4 && words().zip(words().skip(1)).all(|(one, next)| one == next);
    for (word, index) in words().take(if same { 1 } else { usize::MAX }).zip(0usize..) {
        put!(*out, if index > 0 { " " } else { "" }, word);
    }
}

/// The names of capabilities; `all` is what PID 1 has.
fn put_capabilities(set: u64, all: u64, out: &mut Cell) {
    if set == all && all != 0 {
        return put!(*out, "all");
    }
    for (name, number) in text::words(form::CAPABILITIES, b' ').zip(0u8..) {
        if crate::config::has(set, number) {
            let comma = if out.is_empty() { "" } else { "," };
            put!(*out, comma, name);
        }
    }
}

/// What there is in /proc/PID/status: its key, and the row's name.
static STATUS: [(&str, &str); 10] = [
    ("Uid:", "uid"),
    ("Gid:", "gid"),
    ("Groups:", "groups"),
    ("CapInh:", "capabilities.inheritable"),
    ("CapPrm:", "capabilities.permitted"),
    ("CapEff:", "capabilities.effective"),
    ("CapBnd:", "capabilities.bounding"),
    ("CapAmb:", "capabilities.ambient"),
    ("NoNewPrivs:", "no-new-privileges"),
    ("Umask:", "umask"),
];

impl Subject<'_> {
    pub fn process(&self, report: &mut Report) -> Result<(), Errno> {
        let mut buffers = ([0; size_of::<Page>()], [0; size_of::<Page>()]);
        let own = self.own.read(c"status", &mut buffers.0)?;
        let first = self.first.read(c"status", &mut buffers.1)?;
        if self.workload.init {
            let mut buffer = [0; 64];
            let program = fs::read_link(self.own.directory.borrow(), c"exe", &mut buffer)?;
            report.row(b"program", program, b"", Some(b"/memfd:corm-init (deleted)"));
        }
        self.status(own, first, report);
        self.filter(own, first, report);
        for (file, name) in [(c"uid_map", "uid-map"), (c"gid_map", "gid-map")] {
            let (mut kernel, mut wanted) = (Cell::new(), Cell::new());
            plain(self.own.read(file, &mut buffers.0)?, &mut kernel);
            match plan::range(self.workload) {
                Some(first) => put!(wanted, "0 ", first, " ", RANGE),
                None => plain(self.first.read(file, &mut buffers.0)?, &mut wanted),
            }
            report.row(name.as_bytes(), kernel.as_bytes(), b"", Some(wanted.as_bytes()));
        }
        let own = self.own.read(c"limits", &mut buffers.0)?;
        let first = self.first.read(c"limits", &mut buffers.1)?;
        for limit in Limit::ALL.iter().filter(|limit| limit.resource().is_some()) {
            let (mut kernel, mut wanted) = (Cell::new(), Cell::new());
            put_limit(own, *limit, &mut kernel);
            match self.config.setting(self.workload, *limit) {
                Some(MAX) => put!(wanted, "max"),
                Some(value) => value.show(&mut wanted),
                None => put_limit(first, *limit, &mut wanted),
            }
            report.row(limit.name(), kernel.as_bytes(), b"", Some(wanted.as_bytes()));
        }
        self.priorities(report)
    }

    fn status(&self, own: &[u8], first: &[u8], report: &mut Report) {
        let ids = plan::machine_ids(self.workload);
        let mask = |text| text::number(text, 16).unwrap_or(0);
        let all = mask(field(first, "CapBnd:").unwrap_or(b""));
        for (key, name) in STATUS {
            let (mut kernel, mut wanted) = (Cell::new(), Cell::new());
            let (own, first) = (field(own, key).unwrap_or(b""), field(first, key).unwrap_or(b""));
            if key.starts_with("Cap") {
                put_capabilities(mask(own), all, &mut kernel);
                // A change from uid 0 takes these three.
                let kept = ids.is_none_or(|(uid, _)| uid == 0) || matches!(key, "CapInh:" | "CapBnd:");
                let set = match self.workload.privileged {
                    true if kept => mask(first),
                    true => 0,
                    false => self.workload.capabilities,
                };
                put_capabilities(set, all, &mut wanted);
            } else {
                plain(own, &mut kernel);
                match (key, ids) {
                    ("Uid:", Some((uid, _))) => uid.show(&mut wanted),
                    ("Gid:", Some((_, gid))) => gid.show(&mut wanted),
                    ("Groups:", Some(_)) => {}
                    ("NoNewPrivs:", _) if !self.workload.privileged => put!(wanted, "1"),
                    ("Umask:", _) => put!(wanted, "0022"),
                    _ => plain(first, &mut wanted),
                }
            }
            report.row(name.as_bytes(), kernel.as_bytes(), b"", Some(wanted.as_bytes()));
        }
    }

    /// Its own filter is one more than PID 1 may have. More of them the program may add itself.
    fn filter(&self, own: &[u8], first: &[u8], report: &mut Report) {
        let number = |text, key| field(text, key).and_then(|text| text::number(text, 10)).unwrap_or(0);
        let filters = number(own, "Seccomp_filters:");
        let has = number(own, "Seccomp:") == 2 && filters > number(first, "Seccomp_filters:");
        let mut more = Cell::new();
        put!(more, "mode ", number(own, "Seccomp:"), ", filters ", filters);
        let wanted: Option<&[u8]> = if plan::has_filter(self.workload) { Some(b"filter") } else { None };
        let kernel: &[u8] = if has { b"filter" } else { b"off" };
        report.row(b"seccomp", kernel, more.as_bytes(), wanted);
    }

    fn priorities(&self, report: &mut Report) -> Result<(), Errno> {
        let mut buffers = ([0; 1024], [0; 1024]);
        let own = self.own.read(c"stat", &mut buffers.0)?;
        let first = self.first.read(c"stat", &mut buffers.1)?;
        let mut row = |limit: Limit, kernel: Cell, inherited: Option<Cell>| {
            let wanted = wanted(limit, self.config.setting(self.workload, limit));
            let wanted = wanted.or(inherited);
            report.row(limit.name(), kernel.as_bytes(), b"", wanted.as_ref().map(Text::as_bytes));
        };
        row(Limit::Nice, nice(own), Some(nice(first)));
        row(Limit::Scheduler, scheduler(own), Some(scheduler(first)));
        let mut buffer = [0; 16];
        let mut score = |process: &Process| {
            let mut out = Cell::new();
            plain(process.read(c"oom_score_adj", &mut buffer)?, &mut out);
            Ok(out)
        };
        row(Limit::OomScore, score(&self.own)?, Some(score(&self.first)?));
        let mut priority = Cell::new();
        put_level(process::io_priority(self.own.pid)?.into(), IO_CLASSES, &mut priority);
        row(Limit::IoPriority, priority, None);
        Ok(())
    }
}

/// Fields 19, 41 and 40 of /proc/PID/stat, counted from the one behind the name, which is the third.
fn stat_field(stat: &[u8], number: usize) -> &[u8] {
    let end = stat.iter().rposition(|byte| *byte == b')').unwrap_or(0);
    let rest = stat.get(end.saturating_add(1)..).unwrap_or(&[]);
    text::words(rest, b' ').nth(number.saturating_sub(3)).unwrap_or(b"").trim_ascii()
}

fn nice(stat: &[u8]) -> Cell {
    let mut out = Cell::new();
    out.put(stat_field(stat, 19));
    out
}

/// As sched_setscheduler(2) and ioprio_set(2) number them.
const POLICIES: &str = "other fifo rr batch iso idle deadline";
const IO_CLASSES: &str = "none real-time best-effort idle";

fn scheduler(stat: &[u8]) -> Cell {
    let number = |field| text::number(stat_field(stat, field), 10).unwrap_or(0);
    let mut out = Cell::new();
    put_level(number(41) << LEVEL_BITS | number(40), POLICIES, &mut out);
    out
}

/// A class and the level in it, as the config writes them.
fn put_level(value: u64, classes: &str, out: &mut Cell) {
    let (class, level) = (value >> LEVEL_BITS, value & ((1 << LEVEL_BITS) - 1));
    put!(*out, text::words(classes.as_bytes(), b' ').nth(class as usize).unwrap_or(b"?"));
    if level > 0 {
        put!(*out, ":", level);
    }
}

/// What the kernel is to say of a setting of the process that is no rlimit.
fn wanted(limit: Limit, value: Option<u64>) -> Option<Cell> {
    let (value, mut out) = (value?, Cell::new());
    match limit {
        Limit::Nice => (value as i64).saturating_sub(20).show(&mut out),
        Limit::OomScore => (value as i64).saturating_sub(1000).show(&mut out),
        Limit::Scheduler => put_level(value, POLICIES, &mut out),
        _ => put_level(value, IO_CLASSES, &mut out),
    }
    Some(out)
}

/// A limit in /proc/PID/limits: `100`, `max`, or what is less than its ceiling as `100/200`.
fn put_limit(limits: &[u8], limit: Limit, out: &mut Cell) {
    // A name, which has spaces, takes 25 columns and one more. The lines are in the order of the numbers.
    const NAME: usize = 26;
    let line = limit.resource().and_then(|number| text::words(limits, b'\n').nth(number as usize + 1));
    let mut values = text::words(line.and_then(|line| line.get(NAME..)).unwrap_or(&[]), b' ');
    let mut value = || match values.next() {
        Some(b"unlimited") => &b"max"[..],
        other => other.unwrap_or(b"?"),
    };
    let (soft, hard) = (value(), value());
    put!(*out, soft);
    if soft != hard {
        put!(*out, "/", hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(fill: impl Fn(&mut Cell)) -> std::string::String {
        let mut out = Cell::new();
        fill(&mut out);
        out.as_str().into()
    }

    const LIMITS: &[u8] = b"\
Limit                     Soft Limit           Hard Limit           Units     \n\
Max cpu time              unlimited            unlimited            seconds   \n\
Max file size             10                   20                   bytes     \n\
Max data size             7                    7                    bytes     \n";

    #[test]
    fn limits_are_found_by_their_numbers() {
        for (limit, wanted) in
            [(Limit::CpuTime, "max"), (Limit::FileSize, "10/20"), (Limit::Data, "7"), (Limit::Stack, "?/?")]
        {
            let seen = text(|out| put_limit(LIMITS, limit, out));
            assert_eq!(seen, wanted.strip_suffix("/?").unwrap_or(wanted), "{limit:?}");
        }
    }

    #[test]
    fn ids_are_said_once_if_they_are_the_same() {
        for (status, wanted) in [
            (&b"0\t0\t0\t0"[..], "0"),
            (b"0\t1\t0\t0", "0 1 0 0"),
            (b"", ""),
            (b"  0  100  65536\n", "0 100 65536"),
        ] {
            assert_eq!(text(|out| plain(status, out)), wanted);
        }
    }

    #[test]
    fn capabilities_have_names() {
        assert_eq!(
            text(|out| put_capabilities(1 | 1 << 10 | 1 << 40, 7, out)),
            "chown,net-bind-service,checkpoint-restore"
        );
        assert_eq!(text(|out| put_capabilities(7, 7, out)), "all");
        assert_eq!(text(|out| put_capabilities(0, 0, out)), "");
    }

    #[test]
    fn a_name_with_parentheses_hides_no_field() {
        let stat = b"7 (a) b) c) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 -5 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 3 9 1 0\n";
        assert_eq!(stat_field(stat, 3), b"S");
        assert_eq!(nice(stat).as_str(), "-5");
    }
}
