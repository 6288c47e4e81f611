//! The command line: what a person at a shell asks of corm.
//!
//! [`COMMANDS`](commands::COMMANDS) is one table; it drives finding a command,
//! `corm help`, and the suggestion for a misspelt one. A command writes to its
//! [`Streams`] and returns an exit status, after sysexits(3) where one fits.

mod arguments;
mod check;
mod client;
mod commands;
mod exec;
mod inspect;
mod logs;
mod notify;
mod power;
pub mod protocol;
mod run;
mod streams;
mod table;
#[cfg(test)]
mod tests;
mod version;
mod workloads;

pub(crate) use streams::Output;
pub use streams::Streams;

use crate::config::near;
use crate::put;
use crate::sys::{Args, BorrowedFd};
use crate::text::Sink;
use core::ffi::CStr;

/// Exit statuses.
pub mod exit {
    pub const OK: u8 = 0;
    /// It was done, and what came of it is not what was wanted.
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 64;
    pub const DATA: u8 = 65;
    pub const NO_INPUT: u8 = 66;
    pub const UNAVAILABLE: u8 = 69;
    pub const IO: u8 = 74;
    pub const NO_PERMISSION: u8 = 77;
}

/// Arguments that are not read yet.
pub type Words<'a> = &'a mut dyn Iterator<Item = &'static CStr>;

/// Runs the command that the arguments name, and says with which status to exit.
pub fn main(args: Args) -> u8 {
    let (mut out, mut err) = (Output::to(BorrowedFd::STDOUT), Output::to(BorrowedFd::STDERR));
    let mut streams = Streams { out: &mut out, err: &mut err };
    let status = dispatch(&mut args.iter().skip(1), &mut streams);
    err.flush();
    if !out.flush() && status == exit::OK {
        return exit::IO;
    }
    status
}

fn dispatch(words: Words, streams: &mut Streams) -> u8 {
    let Some(name) = words.next() else {
        commands::overview(streams.err);
        return exit::USAGE;
    };
    match commands::find(name.to_bytes()) {
        Some(command) => (command.run)(command, words, streams),
        None => unknown(name.to_bytes(), streams),
    }
}

fn unknown(name: &[u8], streams: &mut Streams) -> u8 {
    put!(*streams.err, "corm: there is no command `", name, "`");
    let mut names = commands::COMMANDS.iter().map(|command| command.name.as_bytes());
    match near::nearest(name, &mut names) {
        Some(near) => put!(*streams.err, "; did you mean `corm ", near, "`?\n"),
        None => put!(*streams.err, "; `corm help` lists them\n"),
    }
    exit::USAGE
}
