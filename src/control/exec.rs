//! `corm exec`: another program inside a workload that runs.
//!
//! PID 1 says which process that is and what its config is; the rest happens here, in a
//! process that the kernel would let do all of it anyway.

use super::check::{CONFIG, SOURCES};
use super::client::{Connection, Failure};
use super::commands::Command;
use super::protocol::{Field, Op, Refusal, Request, Row};
use super::{Streams, Words, exit};
use crate::boot::config_files::TREE;
use crate::config::{self, Config, Report, Shown, Sources, Tree};
use crate::put;
use crate::run;
use crate::sandbox::Enter;
use crate::sys::fs::{self, Open};
use crate::sys::{BorrowedFd, process};

const INTERACTIVE: usize = 0;
const TERMINAL: usize = 1;

pub(super) fn run(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    let given = match this.read(words, true, streams) {
        Ok(given) => given,
        Err(status) => return status,
    };
    let (Some(name), command) = (given.names.first(), given.names.get(1..).unwrap_or(&[])) else {
        return this.usage_error(streams);
    };
    let command = command.strip_prefix(&[c"--"]).unwrap_or(command);
    let space = (SOURCES.take(), TREE.take(), CONFIG.take());
    // One command runs in one process.
    let (false, (Some(sources), Some(tree), Some(config))) = (command.is_empty(), space) else {
        return this.usage_error(streams);
    };
    let mut connection = match Connection::open() {
        Ok(connection) => connection,
        Err(failure) => return failure.tell(this.name, streams),
    };
    // Opened, and then it is still the one.
    let opened = main_process(&mut connection, name.to_bytes()).and_then(|pid| {
        let handle = process::open(pid).map_err(|_| not_running(name.to_bytes()))?;
        let again = main_process(&mut connection, name.to_bytes())?;
        read_config(&mut connection, sources, tree, config)?;
        if again == pid { Ok((pid, handle)) } else { Err(not_running(name.to_bytes())) }
    });
    let (pid, handle) = match opened {
        Ok(opened) => opened,
        Err(failure) => return failure.tell(this.name, streams),
    };
    let named = config.ids().find(|id| {
        config.workload(*id).is_some_and(|workload| config.bytes(workload.name) == name.to_bytes())
    });
    let (Some(id), Ok(join)) = (named, Enter::new(handle.borrow(), pid, command)) else {
        return not_running(name.to_bytes()).tell(this.name, streams);
    };
    if !given.has(INTERACTIVE) {
        let null = fs::open(BorrowedFd::CWD, c"/dev/null", Open::READ);
        if let Err(errno) = null.and_then(|null| null.borrow().duplicate_onto(0)) {
            put!(*streams.err, "corm exec: cannot open /dev/null: ", errno, "\n");
            return exit::UNAVAILABLE;
        }
    }
    run::enter(config, id, &join, given.has(TERMINAL))
}

pub(super) fn not_running(name: &[u8]) -> Failure<'_> {
    Failure::Refused { refusal: Refusal::NotRunning, rest: b"", name }
}

fn main_process<'a>(connection: &mut Connection, name: &'a [u8]) -> Result<u32, Failure<'a>> {
    let row = match connection.ask(&Request::of(Op::Row, name)) {
        Ok(reply) => Row::decode(reply),
        // Its suggestion is in the connection.
        Err(Failure::Refused { refusal, .. }) => return Err(Failure::Refused { refusal, rest: b"", name }),
        Err(Failure::Connect(errno)) => return Err(Failure::Connect(errno)),
        Err(Failure::Lost) => return Err(Failure::Lost),
    };
    let row = row.filter(|row| row.state == b"running").ok_or(not_running(name))?;
    row.get(Field::Pid).and_then(|pid| u32::try_from(pid).ok()).ok_or(not_running(name))
}

/// What is wrong with it PID 1 has said.
struct Quiet;

impl Report for Quiet {
    fn problem(&mut self, _: &Shown) {}
}

/// The config that is in force, as PID 1 has read it.
pub(super) fn read_config(
    connection: &mut Connection,
    sources: &mut Sources,
    tree: &mut Tree,
    config: &mut Config,
) -> Result<(), Failure<'static>> {
    for file in 0..crate::limits::CONFIG_FILES as u8 {
        let mut place = 0u64;
        loop {
            let request = Request { argument: file, place, ..Request::of(Op::Config, b"") };
            let text = match connection.ask(&request) {
                Ok(text) => text,
                Err(failure) if failure.is_no_more() => {
                    config::read(sources, tree, config, &mut Quiet);
                    return Ok(());
                }
                Err(Failure::Refused { refusal, .. }) => {
                    return Err(Failure::Refused { refusal, rest: b"", name: b"" });
                }
                Err(_) => return Err(Failure::Lost),
            };
            // It has room for all that PID 1's has.
            if place == 0 && sources.begin(b"").is_err() {
                return Err(Failure::Lost);
            }
            for (to, from) in sources.room().iter_mut().zip(text) {
                *to = *from;
            }
            sources.keep(text.len());
            place = place.saturating_add(text.len() as u64);
            if text.is_empty() {
                break;
            }
        }
    }
    Err(Failure::Lost)
}
