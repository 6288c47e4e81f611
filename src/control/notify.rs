//! `corm notify`: what a program says to its supervisor, for those that are shell scripts.

use super::commands::Command;
use super::{Streams, Words, exit};
use crate::limits;
use crate::put;
use crate::sys::{BorrowedFd, datagram, fs};
use crate::text::{Text, words};

pub(super) fn run(command: &Command, arguments: Words, streams: &mut Streams) -> u8 {
    let mut message = Text::<{ limits::PATH }>::new();
    for word in arguments {
        put!(message, word, "\n");
    }
    if message.is_empty() {
        command.usage(streams.err);
        return exit::USAGE;
    }
    let mut environment = [0; 4096];
    let environment = fs::read_file(BorrowedFd::CWD, c"/proc/self/environ", &mut environment).unwrap_or(&[]);
    let mut path = Text::<{ limits::PATH }>::new();
    for variable in words(environment, 0) {
        if let Some(value) = variable.strip_prefix(b"NOTIFY_SOCKET=") {
            put!(path, value);
        }
    }
    let sent = path.as_c_str().filter(|path| !path.is_empty());
    match sent.map(|path| datagram::send(path, message.as_bytes())) {
        Some(Ok(())) => exit::OK,
        Some(Err(errno)) => {
            put!(*streams.err, "corm notify: cannot send to ", path.as_bytes(), ": ", errno, "\n");
            exit::UNAVAILABLE
        }
        None => {
            put!(*streams.err, "corm notify: nobody listens: there is no NOTIFY_SOCKET\n");
            exit::UNAVAILABLE
        }
    }
}
