//! What is said, and how each of the three says it.
//!
//! A message is one text with two wordings, tini's and, behind a `\x01`,
//! dumb-init's; catatonit and corm use tini's. An empty one is not said. What is
//! put in has a place each, so that a message is a text and two numbers:
//!
//! | in the text | is |
//! |---|---|
//! | `\0` | the name that we were called by |
//! | `\x02`, `\x03` | the first and the second number |
//! | `\x04` | the first number as a signal: `SIGTERM` |
//! | `\x05` | the first number as an error, in the kernel's words |
//! | `\x06` | the word that the message is about |
//! | `\x07` | the first number as a letter |
//!
//! A message leaves in one write(2), so that it does not mix with the child's.

use super::{Init, Kind};
use crate::config::form::SIGNALS;
use crate::control::Output;
use crate::limits;
use crate::put;
use crate::sys::{BorrowedFd, Errno, process};
use crate::text::{Show, Sink, Text, words};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Level {
    Fatal,
    Warn,
    Info,
    Debug,
    Trace,
    /// To stderr, and nothing but the text.
    Err,
    /// To stdout.
    Out,
}

/// As tini pads them.
const NAMES: &[u8] = b"FATALWARN INFO DEBUGTRACE";

impl Init {
    #[inline(never)]
    pub(super) fn say(&self, level: Level, text: &str, number: u32, other: u32) {
        let plain = level >= Level::Err;
        if !plain && level as u32 > self.verbosity {
            return;
        }
        let to_stdout = level == Level::Out || self.kind == Kind::Tini && !plain && level > Level::Warn;
        let mut buffered = Output::to(if to_stdout { BorrowedFd::STDOUT } else { BorrowedFd::STDERR });
        let out: &mut dyn Sink = &mut buffered;
        let mut ours = plain || self.kind != Kind::DumbInit;
        let mut begun = plain;
        for byte in text.as_bytes() {
            ours ^= *byte == 1;
            if !ours || *byte == 1 {
                continue;
            }
            if !begun {
                begun = true;
                self.begin(level, out);
            }
            match byte {
                0 => out.put(self.name),
                2 => number.show(out),
                3 => other.show(out),
                4 => {
                    out.put(b"SIG");
                    words(SIGNALS.as_bytes(), b' ')
                        .nth(usize::from(number as u8).wrapping_sub(1))
                        .unwrap_or(b"RT")
                        .show(out);
                }
                5 => reason(number, out),
                6 => out.put(self.word),
                7 => out.put(&[number as u8]),
                byte => out.put(&[*byte]),
            }
        }
        if begun && !plain {
            out.put(b"\n");
        }
        // There is nobody to tell that telling failed.
        buffered.flush();
    }

    fn begin(&self, level: Level, out: &mut dyn Sink) {
        let start = (level as usize).saturating_mul(5);
        let name = NAMES.get(start..start.saturating_add(5)).unwrap_or(&[]);
        match self.kind {
            Kind::Tini => put!(*out, "[", name, " tini (", process::id(), ")] "),
            Kind::DumbInit => out.put(b"[dumb-init] "),
            Kind::Catatonit => {
                let name = if level == Level::Fatal { b"ERROR" } else { name.trim_ascii_end() };
                put!(*out, name, " (catatonit:", process::id(), "): ");
            }
            Kind::Corm => out.put(b"corm init: "),
        }
    }
}

/// libc's words, as far as ours are the same: a capital, and no "(ENOENT)".
fn reason(errno: u32, out: &mut dyn Sink) {
    let mut text = Text::<{ limits::PATH }>::new();
    Errno::from_raw(errno as u16).show(&mut text);
    let mut last = b'(';
    for byte in text.as_bytes().iter().take_while(|byte| **byte != b'(') {
        // A space only once it is clear that a word follows.
        match (last, byte) {
            (b'(', _) => out.put(&[byte.to_ascii_uppercase()]),
            (_, b' ') => {}
            (b' ', _) => out.put(&[b' ', *byte]),
            _ => out.put(&[*byte]),
        }
        last = *byte;
    }
}
