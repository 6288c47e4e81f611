//! The commands about workloads: `ps`, `start`, `stop`, `restart`, `kill`, `pause`, `resume`.

use super::client::{Connection, Failure};
use super::commands::Command;
use super::protocol::{Field, Op, Request, Row};
use super::table::{Column, Shape, Table, column};
use super::{Streams, Words, exit};
use crate::config::form::Form;
use crate::{cgroup, put};

static PS: &[Column] = &[
    column("NAME", "name", Shape::Name, Field::Pid, 0),
    column("STATE", "state", Shape::State, Field::Pid, 9),
    column("PID", "pid", Shape::Number, Field::Pid, 7),
    column("FOR", "since_ms", Shape::Ago, Field::Since, 8),
    column("RESTARTS", "restarts", Shape::Number, Field::Restarts, 8),
    column("LAST EXIT", "exit", Shape::Exit, Field::Exit, 10),
    column("OOM KILLS", "oom_kills", Shape::Number, Field::OomKills, 9),
    column("LINES", "lines", Shape::Number, Field::Lines, 8),
];

/// `corm ps [--json] [NAME...]`.
pub(super) fn ps(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    show(this, words, streams, PS, |_| {})
}

static STATS: &[Column] = &[
    column("NAME", "name", Shape::Name, Field::Pid, 0),
    column("STATE", "state", Shape::State, Field::Pid, 9),
    column("CPU TIME", "cpu_us", Shape::Micros, Field::Cpu, 8),
    column("MEMORY", "memory", Shape::Size, Field::Memory, 7),
    column("PEAK", "memory_peak", Shape::Size, Field::Peak, 7),
    column("PIDS", "pids", Shape::Number, Field::Pids, 5),
    column("OOM KILLS", "oom_kills", Shape::Number, Field::OomKills, 9),
    column("RESTARTS", "restarts", Shape::Number, Field::Restarts, 8),
];

/// `corm stats [--json] [NAME...]`.
pub(super) fn stats(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    show(this, words, streams, STATS, |row| {
        let name = row.name;
        row.set(Field::Cpu, cgroup::usage(name, "/cpu.stat", b"usage_usec"));
        row.set(Field::Memory, cgroup::usage(name, "/memory.current", b""));
        row.set(Field::Peak, cgroup::usage(name, "/memory.peak", b""));
        row.set(Field::Pids, cgroup::usage(name, "/pids.current", b""));
    })
}

/// Shows a table of the workloads that are named, or of all.
pub(super) fn show(
    this: &Command,
    words: Words,
    streams: &mut Streams,
    columns: &'static [Column],
    complete: fn(&mut Row),
) -> u8 {
    let given = match this.read(words, false, streams) {
        Ok(given) => given,
        Err(status) => return status,
    };
    let mut connection = match Connection::open() {
        Ok(connection) => connection,
        Err(failure) => return failure.tell(this.name, streams),
    };
    let mut table = Table::new(columns, given.has(0));
    let request = |index: usize| match given.names.get(index) {
        Some(name) => Some(Request::of(Op::Row, name.to_bytes())),
        None if !given.names.is_empty() => None,
        None => Some(Request { place: index as u64, ..Request::of(Op::Row, b"") }),
    };
    // First to see how long the names are, then to show the rows.
    for shown in [false, true] {
        if shown {
            table.begin(streams.out);
        }
        let mut index = 0;
        while let Some(request) = request(index) {
            match connection.ask(&request).map(Row::decode) {
                Ok(Some(mut row)) if shown => {
                    complete(&mut row);
                    table.row(&row, streams.out);
                }
                Ok(Some(row)) => table.name = table.name.max(row.name.len()),
                Err(failure) if failure.is_no_more() => break,
                Ok(None) => return Failure::Lost.tell(this.name, streams),
                Err(failure) => return failure.tell(this.name, streams),
            }
            index = index.saturating_add(1);
        }
    }
    table.end(streams.out);
    exit::OK
}

/// `start`, `stop`, `restart`, `kill`, `pause`, `resume`: an order to each that is named, and
/// then, where it is about coming up or going down, the wait for all of them.
pub(super) fn order(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    let given = match this.read(words, false, streams) {
        Ok(given) => given,
        Err(status) => return status,
    };
    if given.names.is_empty() {
        return this.usage_error(streams);
    }
    let (op, wait) = match this.name {
        "start" => (Op::Start, Some(Op::AwaitUp)),
        "stop" => (Op::Stop, Some(Op::AwaitDown)),
        "restart" => (Op::Restart, Some(Op::AwaitUp)),
        "kill" => (Op::Kill, None),
        "pause" => (Op::Pause, None),
        _ => (Op::Resume, None),
    };
    let mut argument = 0;
    if op == Op::Kill {
        let word = given.value(0).unwrap_or(b"TERM");
        match Form::Signal.number(word) {
            Some(number) => argument = number as u8,
            None => return this.bad_value("a signal", word, streams),
        }
    }
    // The first option of the others is --no-wait.
    let wait = wait.filter(|_| !given.has(0));
    let mut connection = match Connection::open() {
        Ok(connection) => connection,
        Err(failure) => return failure.tell(this.name, streams),
    };
    let mut status = exit::OK;
    for name in &given.names {
        let request = Request { argument, ..Request::of(op, name.to_bytes()) };
        if let Err(failure) = connection.ask(&request) {
            status = failure.tell(this.name, streams);
        }
    }
    // A name that is wrong is one that is not waited for either.
    let Some(wait) = wait.filter(|_| status == exit::OK) else { return status };
    for name in &given.names {
        match connection.ask(&Request::of(wait, name.to_bytes())).map(Row::decode) {
            Ok(Some(row)) if wait == Op::AwaitDown || is_fine(&row) => {}
            Ok(Some(row)) => {
                put!(*streams.err, "corm ", this.name, ": ", row.name, " is ", row.state);
                put!(*streams.err, "; `corm logs ", row.name, "` and `corm events` may say why\n");
                status = exit::FAILED;
            }
            Ok(None) => status = Failure::Lost.tell(this.name, streams),
            Err(failure) => status = failure.tell(this.name, streams),
        }
    }
    status
}

/// It runs, or has done what it was for.
fn is_fine(row: &Row) -> bool {
    match row.state {
        b"running" => true,
        b"done" => row.get(Field::Exit) == Some(256),
        _ => false,
    }
}
