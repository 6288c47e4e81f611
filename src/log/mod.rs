//! What corm says, and where it goes.
//!
//! [`error!`](crate::error), [`warn!`](crate::warn) and [`info!`](crate::info)
//! take pieces of text as [`put!`](crate::put) does. As PID 1 a line goes to the
//! kernel log, and to the console once; anywhere else it goes to stderr behind
//! `corm: `. Descriptors are kept as numbers in atomics: there is one thread,
//! and nothing here may wait, fail or allocate.

use crate::limits;
use crate::sys::{BorrowedFd, io};
use crate::text::{Show, Sink, Text};
use core::sync::atomic::{AtomicI32, AtomicU8, Ordering};

/// Severities as in syslog(3); a smaller number is worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    Error = 3,
    Warn = 4,
    Info = 6,
    Debug = 7,
}

/// A line that is being put together.
pub type Line = Text<{ limits::LOG_LINE }>;

#[macro_export]
macro_rules! error {
    ($($piece:expr),+ $(,)?) => { $crate::say!($crate::log::Level::Error, $($piece),+) };
}

#[macro_export]
macro_rules! warn {
    ($($piece:expr),+ $(,)?) => { $crate::say!($crate::log::Level::Warn, $($piece),+) };
}

#[macro_export]
macro_rules! info {
    ($($piece:expr),+ $(,)?) => { $crate::say!($crate::log::Level::Info, $($piece),+) };
}

#[macro_export]
macro_rules! say {
    ($level:expr, $($piece:expr),+ $(,)?) => {{
        let mut line = $crate::log::Line::new();
        $crate::put!(line, $($piece),+);
        $crate::log::emit($level, "corm", line.as_bytes());
    }};
}

const NONE: i32 = -1;
static KMSG: AtomicI32 = AtomicI32::new(NONE);
static CONSOLE: AtomicI32 = AtomicI32::new(NONE);
/// The kernel prints records with a level below this on its consoles itself.
static KERNEL_PRINTS_BELOW: AtomicU8 = AtomicU8::new(0);

/// Sends one line, without its newline, in the name of corm or a workload.
///
/// A console that cannot take it at once does not get it: the kernel log has it.
pub fn emit(level: Level, source: &str, line: &[u8]) {
    // The real thing comes with PID 1; until then, stderr.
    let _ = (level, &KMSG, &CONSOLE, &KERNEL_PRINTS_BELOW, Ordering::Relaxed);
    let mut out = Text::<{ limits::LOG_LINE + 64 }>::new();
    source.show(&mut out);
    out.put(b": ");
    out.put(line);
    out.put(b"\n");
    let _ = io::write(BorrowedFd::STDERR, out.as_bytes());
}
