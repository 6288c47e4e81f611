//! What corm says, and where it goes.
//!
//! [`error!`](crate::error), [`warn!`](crate::warn) and [`info!`](crate::info)
//! take pieces of text as [`put!`](crate::put) does. Until [`start`] is called
//! lines go to stderr behind `corm: `. PID 1 calls it, and from then on:
//!
//! - every line goes to the kernel log, which outlives everything;
//! - every line a person should see goes to the console *once*. Some levels the
//!   kernel prints on its consoles itself (`console_loglevel`): those it prints,
//!   the others corm writes to /dev/console in the same form.
//!
//! A console that cannot take a line at once does not get it, and the next line
//! it does get says how many are missing: a slow serial line must never hold up
//! PID 1. State is a few atomics: there is one thread, and nothing here waits,
//! fails or allocates.

pub mod capture;
pub mod ring;

use crate::limits;
use crate::pack::Packed;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, OwnedFd, clock, io, kernel_log, time};
use crate::text::{self, Hex, Right, Show, Sink, Text, Value, Zeros};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use ring::{Place, Ring};

/// Severities as in syslog(3); a smaller number is worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    Error = 3,
    Warn = 4,
    /// What a workload writes to stderr.
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl Level {
    /// From the worst on.
    pub const ALL: [Level; 5] = [Level::Error, Level::Warn, Level::Notice, Level::Info, Level::Debug];
}

/// A line that is being put together.
pub type Line = Text<{ limits::LOG_LINE }>;

#[macro_export]
macro_rules! error {
    ($($piece:tt)+) => { $crate::say!($crate::log::Level::Error, $($piece)+) };
}

#[macro_export]
macro_rules! warn {
    ($($piece:tt)+) => { $crate::say!($crate::log::Level::Warn, $($piece)+) };
}

#[macro_export]
macro_rules! info {
    ($($piece:tt)+) => { $crate::say!($crate::log::Level::Info, $($piece)+) };
}

#[macro_export]
macro_rules! say {
    ($level:expr, $($piece:tt)+) => { $crate::pieces!([$crate::log::say, $level] [] [] $($piece)+) };
}

/// Says one line in corm's own name. Called through the macros.
pub fn say(level: Level, template: Packed, values: &[Value]) {
    let mut line = Line::new();
    text::fill(&mut line, template, values);
    if let Some(file) = rings() {
        let mut ring = own_ring();
        ring.add(file, OWN, level as u8, line.as_bytes());
        let (head, lines) = ring.numbers();
        OWN_HEAD.store(head, Relaxed);
        OWN_LINES.store(lines, Relaxed);
    }
    emit(level, b"corm", line.as_bytes());
}

/// Where the ring of corm's own lines is: behind the workloads'.
pub const OWN: Place = Place { index: limits::WORKLOADS as u16, size: limits::LOG_RING };
static OWN_HEAD: AtomicU64 = AtomicU64::new(0);
static OWN_LINES: AtomicU32 = AtomicU32::new(0);

pub fn own_ring() -> Ring {
    Ring::from_numbers(OWN_HEAD.load(Relaxed), OWN_LINES.load(Relaxed))
}

/// The file of all rings; only PID 1 has one.
pub fn rings() -> Option<BorrowedFd<'static>> {
    let number = RINGS.load(Relaxed);
    (number != NONE).then(|| BorrowedFd::from_number(number))
}

/// From now on lines are kept for whoever asks for them later.
pub fn keep_lines() {
    // Without it there are no lines to be had later, and all else works.
    if let Ok(file) = io::memory_file(c"corm-log") {
        RINGS.store(file.into_number(), Relaxed);
    }
}

/// Descriptors 0 to 2 are open before any other. And what is zero at first takes no room in
/// the file, nor a page that each start would have to read from it and copy.
const NONE: i32 = 0;
static KMSG: AtomicI32 = AtomicI32::new(NONE);
static RINGS: AtomicI32 = AtomicI32::new(NONE);
static CONSOLE: AtomicI32 = AtomicI32::new(NONE);
/// The kernel prints records with a level below this on its consoles itself.
static KERNEL_PRINTS_BELOW: AtomicU8 = AtomicU8::new(0);
/// Lines with a level above this do not reach the console. Set before there is one.
static SHOW_UP_TO: AtomicU8 = AtomicU8::new(0);
/// Lines the console had no room for since the last one it took.
static MISSED: AtomicU32 = AtomicU32::new(0);

/// Where PID 1's lines go from now on. `show`: the least important level that
/// the console gets; `None`: nothing. `leave_kernel`: the kernel command line
/// has a word on what the kernel itself prints, so that stays.
pub fn start(show: Option<Level>, leave_kernel: bool) {
    SHOW_UP_TO.store(show.map_or(0, |level| level as u8), Relaxed);
    let (cwd, how) = (BorrowedFd::CWD, Open::WRITE | Open::NON_BLOCKING);
    if KMSG.load(Relaxed) == NONE
        && let Ok(kmsg) = fs::open(cwd, c"/dev/kmsg", how)
    {
        KMSG.store(kmsg.into_number(), Relaxed);
        // Without this the kernel drops all but ten lines in five seconds. It wants
        // the newline, and refuses where its command line has decided otherwise,
        // which is fine.
        let _ = fs::write_file(cwd, c"/proc/sys/kernel/printk_devkmsg", b"on\n");
        KERNEL_PRINTS_BELOW.store(settle_console_level(leave_kernel), Relaxed);
    }
    open_console();
}

/// From here on the kernel prints errors and worse. Its chatter, a page of it for
/// each out-of-memory kill, stays in the log, and our own lines reach the console
/// without its help, which would make PID 1 wait for a serial line. Returns the
/// level below which it prints.
fn settle_console_level(leave: bool) -> u8 {
    const PRINT_ERRORS: u8 = Level::Error as u8 + 1;
    let mut buffer = [0u8; 32];
    let printk = fs::read_file(BorrowedFd::CWD, c"/proc/sys/kernel/printk", &mut buffer);
    let digit = printk.ok().and_then(|text| text.first().copied()).unwrap_or(b'7');
    let level = digit.saturating_sub(b'0');
    if leave || level <= PRINT_ERRORS || kernel_log::set_console_level(PRINT_ERRORS).is_err() {
        return level;
    }
    PRINT_ERRORS
}

/// Opens /dev/console, again if need be: some consoles appear with a module.
pub fn open_console() {
    let how = Open::WRITE | Open::NON_BLOCKING | Open::NO_CTTY;
    if let Ok(console) = fs::open(BorrowedFd::CWD, c"/dev/console", how) {
        let old = CONSOLE.swap(console.into_number(), Relaxed);
        if old != NONE {
            drop(OwnedFd::from_number(old));
        }
    }
}

/// Sends one line, without its newline, in the name of corm or of a workload.
pub fn emit(level: Level, source: &[u8], line: &[u8]) {
    let kmsg = KMSG.load(Relaxed);
    let console = CONSOLE.load(Relaxed);
    if kmsg == NONE && console == NONE {
        let mut out = Record::new();
        put_line(&mut out, source, line);
        // There is nobody left to tell.
        let _ = io::write(BorrowedFd::STDERR, out.as_bytes());
        return;
    }
    let mut in_kernel_log = false;
    if kmsg != NONE {
        /// LOG_DAEMON of syslog(3), as printk's records carry it.
        const FACILITY: u8 = 3 << 3;
        let mut out = Record::new();
        crate::put!(out, "<", FACILITY | level as u8, ">");
        put_line(&mut out, source, line);
        in_kernel_log = io::write(BorrowedFd::from_number(kmsg), out.as_bytes()).is_ok();
    }
    let kernel_prints = in_kernel_log && (level as u8) < KERNEL_PRINTS_BELOW.load(Relaxed);
    if console != NONE && !kernel_prints && level as u8 <= SHOW_UP_TO.load(Relaxed) {
        write_console(BorrowedFd::from_number(console), source, line);
    }
}

/// How often a line that the console has no room for is tried again, every 5 ms.
static TRIES: AtomicU8 = AtomicU8::new(0);

/// For a child of PID 1, which may wait: a line of its own that the console misses is
/// counted in its copy of [`MISSED`], and told by nobody.
pub fn take_time() {
    const TRIES_OF_A_CHILD: u8 = 50;
    TRIES.store(TRIES_OF_A_CHILD, Relaxed);
    // The rings are PID 1's: where they end a copy of it does not know.
    RINGS.store(NONE, Relaxed);
}

/// A line with its priority or time, its source, and its newline.
type Record = Text<RECORD>;
const RECORD: usize = limits::LOG_LINE + 96;

/// Ends a line, also one that did not fit: then what says so gives its place to the newline.
fn end_line(out: &mut Record) {
    const CUT: &[u8] = "…".as_bytes();
    if out.len() == RECORD {
        out.truncate(RECORD - CUT.len() - 1);
        out.put(CUT);
    }
    out.put(b"\n");
}

/// The console has taken a line without its end.
static TORN: AtomicBool = AtomicBool::new(false);

fn put_line(out: &mut Record, source: &[u8], line: &[u8]) {
    crate::put!(*out, source, ": ", line);
    end_line(out);
}

/// In printk's form: `[    1.234567] web: line`.
fn write_console(console: BorrowedFd, source: &[u8], line: &[u8]) {
    let micros = clock::monotonic_nanos() / 1000;
    let time = (Right(micros / 1_000_000, 5), Zeros(micros % 1_000_000, 6));
    // The next line is not to look like the rest of a torn one.
    if TORN.load(Relaxed) && io::write(console, b"\n").is_ok() {
        TORN.store(false, Relaxed);
    }
    let missed = MISSED.load(Relaxed);
    if missed > 0 {
        let mut slow = Line::new();
        crate::put!(slow, "the console was too slow for ", missed, " lines; the kernel log has them");
        if !write_record(console, &time, b"corm", slow.as_bytes()) {
            return;
        }
        MISSED.store(0, Relaxed);
    }
    write_record(console, &time, source, line);
}

/// Says whether any of it was written, and counts it if not.
fn write_record(console: BorrowedFd, time: &(Right<u64>, Zeros), source: &[u8], line: &[u8]) -> bool {
    let mut out = Record::new();
    crate::put!(out, "[", time.0, ".", time.1, "] ", source, ": ", Printable(line));
    end_line(&mut out);
    let mut written = 0usize;
    let mut tries = TRIES.load(Relaxed);
    loop {
        let rest = out.as_bytes().get(written..).unwrap_or(&[]);
        written = written.saturating_add(io::write(console, rest).unwrap_or(0));
        if written == out.len() {
            return true;
        }
        if tries == 0 {
            // A console that is stuck is waited for once.
            TRIES.store(0, Relaxed);
            break;
        }
        tries = tries.saturating_sub(1);
        time::sleep(5);
    }
    if written == 0 {
        MISSED.store(MISSED.load(Relaxed).saturating_add(1), Relaxed);
    } else {
        TORN.store(true, Relaxed);
    }
    written > 0
}

/// Bytes with control characters spelled out (`\x1b`), so that no workload
/// plays tricks on the console's terminal; the kernel log does the same. Those above
/// 0x7f (0x9b is an escape and a `[`) are that as UTF-8 and alone, but not as a part
/// of another character.
pub(crate) struct Printable<'a>(pub &'a [u8]);

impl Show for Printable<'_> {
    fn show(&self, out: &mut dyn Sink) {
        // Bytes that the character which has begun still takes.
        let mut more = 0u32;
        for (byte, next) in self.0.iter().zip(self.0.iter().skip(1).chain([&0])) {
            let goes_on = |byte: u8| byte >> 6 == 2;
            let shown = match byte {
                b'\t' | b' '..=b'~' | 0xa0..=0xbf => true,
                0x80..=0x9f => more > 0,
                // 0xc2 begins the characters up to 0xbf, of which the first are those.
                0xc2 => *next >= 0xa0,
                0xc3.. => goes_on(*next),
                _ => false,
            };
            more = match byte {
                0xc3..=0xf7 if shown => byte.leading_ones() - 1,
                _ if goes_on(*byte) => more.saturating_sub(1),
                _ => 0,
            };
            if shown {
                out.put(core::slice::from_ref(byte));
            } else {
                crate::put!(*out, "\\x", Hex(u64::from(*byte), 2));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_grows_past_its_record_still_ends() {
        let mut out = Record::new();
        Printable(&[1; limits::LOG_LINE]).show(&mut out);
        end_line(&mut out);
        assert_eq!(out.len(), RECORD);
        assert!(out.as_bytes().ends_with("…\n".as_bytes()));
    }

    #[test]
    fn control_characters_are_spelled_out() {
        let mut out = Text::<64>::new();
        Printable(b"a\x1b[2J\tb\x7f").show(&mut out);
        assert_eq!(out.as_str(), "a\\x1b[2J\tb\\x7f");
    }

    #[test]
    fn so_are_those_above_ascii_and_other_characters_are_left_alone() {
        let shown = |bytes: &[u8]| {
            let mut out = Text::<128>::new();
            Printable(bytes).show(&mut out);
            out.as_bytes().to_vec()
        };
        for fine in ["grün\u{a0}–", "Ā\u{db}\u{2005}\u{1f6d1}", "日本語", "\u{ff}\u{100}"] {
            assert_eq!(shown(fine.as_bytes()), fine.as_bytes());
        }
        for number in 0x80..0xa0 {
            let control = char::from(number).to_string();
            assert_eq!(shown(control.as_bytes()), format!("\\xc2\\x{number:02x}").into_bytes());
            assert_eq!(shown(&[number, b'm']), format!("\\x{number:02x}m").into_bytes());
        }
        // Bytes that are no character's are no way to have one pass.
        for text in [b"\xc3\xc2\x9b", b"\x80\x80\x9b", b"\xe0a\x9b", b"\xc3\xa9\x9b", b"\xff\x9b\x9b"] {
            assert!(shown(text).ends_with(b"\\x9b"), "{text:x?}");
        }
    }
}
