//! Progress, on stderr, in cargo's shape: a verb, then what it is done to.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static QUIET: AtomicBool = AtomicBool::new(false);

/// From here on progress is not shown.
pub fn quietly() {
    QUIET.store(true, Ordering::Relaxed);
}

/// The same, unless a person is watching.
pub fn quietly_unless_terminal() {
    if !std::io::stderr().is_terminal() {
        quietly();
    }
}

/// Something starts that may take a while, or is worth knowing.
pub fn doing(verb: &str, what: impl Display) {
    if !QUIET.load(Ordering::Relaxed) {
        line("\x1b[1;32m", verb, what);
    }
}

/// Something is done to this computer: that is said even when progress is not.
pub fn aloud(verb: &str, what: impl Display) {
    line("\x1b[1;32m", verb, what);
}

/// Something is not as it should be, and work goes on.
pub fn warning(what: impl Display) {
    line("\x1b[1;33m", "Warning", what);
}

/// The last words of a program.
pub fn error(what: impl Display) {
    line("\x1b[1;31m", "Error", what);
}

/// Are colours wanted there?
pub fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal()
}

fn line(colour: &str, verb: &str, what: impl Display) {
    let (on, off) = if colours() { (colour, "\x1b[0m") } else { ("", "") };
    // A closed stderr is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{on}{verb:>12}{off} {what}");
}
