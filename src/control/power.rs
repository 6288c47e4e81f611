//! `corm poweroff`, `reboot`, `halt`: a request to PID 1, or a signal where it has no socket.
//!
//! The signals are those of busybox's tools, but what they mean is the business
//! of whoever is PID 1. To another init they might mean anything, so this asks first.

use super::client::{Connection, Failure};
use super::commands::Command;
use super::protocol::{Op, Request};
use super::{Streams, Words, exit};
use crate::put;
use crate::sys::fs::{self, Follow};
use crate::sys::{BorrowedFd, Errno, children};

pub(super) fn run(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    if let Some(word) = words.next() {
        return this.misused(word.to_bytes(), streams);
    }
    let (signal, argument) = match this.name {
        "poweroff" => (libc::SIGUSR2, 0),
        "reboot" => (libc::SIGTERM, 1),
        _ => (libc::SIGUSR1, 2),
    };
    match Connection::open() {
        Ok(mut connection) => {
            let asked = connection.ask(&Request { argument, ..Request::of(Op::End, b"") });
            return asked.map_or_else(|failure| failure.tell(this.name, streams), |_| exit::OK);
        }
        // Where it has no socket, for want of room or of CONFIG_UNIX, it has signals.
        Err(Failure::Connect(Errno::ENOENT | Errno::ECONNREFUSED)) => {}
        Err(failure) => return failure.tell(this.name, streams),
    }
    let mut buffer = [0; 32];
    let name = fs::read_file(BorrowedFd::CWD, c"/proc/1/comm", &mut buffer).unwrap_or(b"?").trim_ascii_end();
    if name != b"corm" && !is_this_program() {
        put!(*streams.err, "corm ", this.name, ": PID 1 here is `", name, "`, not corm: use its own tools\n");
        return exit::UNAVAILABLE;
    }
    match children::kill(1, signal as u8) {
        Ok(()) => exit::OK,
        Err(errno) => {
            put!(*streams.err, "corm ", this.name, ": cannot signal PID 1: ", errno, "\n");
            if errno == Errno::EPERM { exit::NO_PERMISSION } else { exit::UNAVAILABLE }
        }
    }
}

/// Is PID 1 the same program file as this process?
fn is_this_program() -> bool {
    let file = |path| fs::stat(BorrowedFd::CWD, path, Follow::Yes).map(|stat| (stat.filesystem, stat.inode));
    match (file(c"/proc/1/exe"), file(c"/proc/self/exe")) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
