//! What is said, and how each of the three says it.
//!
//! A message is one text with two wordings, tini's and, behind a `\x01`,
//! dumb-init's; catatonit and corm use tini's. An empty one is not said. Messages
//! leave in one write(2), so that they do not mix with the child's.

use super::{Kind, Settings};
use crate::config::form;
use crate::control::Output;
use crate::put;
use crate::sys::{BorrowedFd, Errno, process};
use crate::text::{Show, Sink, Text, fill};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Fatal,
    Warn,
    Info,
    Debug,
    Trace,
}

/// As tini pads them.
const NAMES: &[u8] = b"FATALWARN INFO DEBUGTRACE";

/// `say!(settings, Level::Info, "text ", value)`.
macro_rules! say {
    ($settings:expr, $level:expr, $($piece:tt)*) => {
        $crate::pieces!([$crate::container::say::tell, &$settings, $level] [] [] $($piece)*)
    };
}
pub(super) use say;

#[inline(never)]
pub(super) fn tell(settings: &Settings, level: Level, text: &str, values: &[&dyn Show]) {
    let kind = settings.kind;
    if level as u32 > settings.verbosity {
        return;
    }
    let to_stdout = kind == Kind::Tini && level as u32 > Level::Warn as u32;
    let to = if to_stdout { BorrowedFd::STDOUT } else { BorrowedFd::STDERR };
    let mut line = Line { out: Output::to(to), kind, level, on: kind != Kind::DumbInit, begun: false };
    fill(&mut line, text, values);
    if line.begun {
        line.out.put(b"\n");
    }
    // There is nobody to tell that telling failed.
    line.out.flush();
}

/// A text without anything in front of it.
#[inline(never)]
pub(super) fn tell_plain(to: BorrowedFd<'static>, text: &str, values: &[&dyn Show]) {
    let mut out = Output::to(to);
    fill(&mut out, text, values);
    out.flush();
}

struct Line {
    out: Output,
    kind: Kind,
    level: Level,
    /// Is this our wording?
    on: bool,
    begun: bool,
}

impl Sink for Line {
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == 1 {
                self.on = !self.on;
            } else if self.on {
                if !self.begun {
                    self.begun = true;
                    self.begin();
                }
                self.out.put(&[*byte]);
            }
        }
    }
}

impl Line {
    fn begin(&mut self) {
        let start = (self.level as usize).saturating_mul(5);
        let name = NAMES.get(start..start.saturating_add(5)).unwrap_or(&[]);
        match self.kind {
            Kind::Tini => put!(self.out, "[", name, " tini (", process::id(), ")] "),
            Kind::DumbInit => put!(self.out, "[dumb-init] "),
            Kind::Catatonit => {
                let name = if self.level == Level::Fatal { b"ERROR" } else { name.trim_ascii() };
                put!(self.out, name, " (catatonit:", process::id(), "): ");
            }
            Kind::Corm => put!(self.out, "corm init: "),
        }
    }
}

/// What the kernel said, in libc's words as far as ours are the same.
pub(super) struct Reason(pub Errno);

impl Show for Reason {
    fn show(&self, out: &mut dyn Sink) {
        let mut text = Text::<64>::new();
        self.0.show(&mut text);
        let words = text.as_bytes().split(|byte| *byte == b'(').next().unwrap_or(&[]);
        if let Some((first, others)) = words.trim_ascii_end().split_first() {
            out.put(&[first.to_ascii_uppercase()]);
            out.put(others);
        }
    }
}

/// `SIGTERM`, or a number.
pub(super) struct Signal(pub u8);

impl Show for Signal {
    fn show(&self, out: &mut dyn Sink) {
        match form::signal_name(self.0) {
            Some(name) => put!(*out, "SIG", name),
            None => self.0.show(out),
        }
    }
}
