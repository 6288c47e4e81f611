//! `corm logs` and `corm events`: what workloads and corm itself have said.
//!
//! Each log is read piece by piece; where there is more than one, they are merged by the
//! time of their lines. PID 1 keeps nothing for us: where each log goes on is known here.

use super::client::{Connection, Failure};
use super::commands::Command;
use super::protocol::{Op, REPLY, Request, Row};
use super::{Streams, Words, exit};
use crate::limits;
use crate::log::Printable;
use crate::log::ring::Record;
use crate::put;
use crate::sys::BorrowedFd;
use crate::sys::cell::TakeOnce;
use crate::sys::tty::Modes;
use crate::text::{self, Hex, Show, Sink, Text, Zeros};

/// One log, as far as it has been read.
struct Log {
    /// Empty: corm's own.
    name: Text<{ limits::WORKLOAD_NAME }>,
    /// Where the next piece begins.
    from: u64,
    piece: [u8; REPLY],
    at: usize,
    end: usize,
    /// There was no more when it was last asked for.
    dry: bool,
    /// The number of its next line, once one was read.
    next: Option<u32>,
}

/// Every workload's, and corm's own.
type Logs = [Log; limits::WORKLOADS + 1];

static LOGS: TakeOnce<Logs> = TakeOnce::new([const { Log::EMPTY }; limits::WORKLOADS + 1]);

/// In the order of the commands' options.
const FOLLOW: usize = 0;
const COUNT: usize = 1;
const JSON: usize = 2;
const RAW: usize = 3;

impl Log {
    const EMPTY: Log =
        Log { name: Text::new(), from: 0, piece: [0; REPLY], at: 0, end: 0, dry: false, next: None };

    fn begin_again(&mut self) {
        (self.from, self.at, self.end, self.dry, self.next) = (0, 0, 0, false, None);
    }

    /// Its next line.
    fn first(&self) -> Option<Record<'_>> {
        Record::first(self.piece.get(self.at..self.end)?).map(|(record, _)| record)
    }

    fn fill(&mut self, connection: &mut Connection) -> Result<(), Failure<'static>> {
        if self.dry || self.at < self.end {
            return Ok(());
        }
        let request = Request { place: self.from, ..Request::of(Op::Log, self.name.as_bytes()) };
        // It was there when its name was taken.
        let reply = connection.ask(&request).map_err(|_| Failure::Lost)?;
        let (from, records) = reply.split_first_chunk().ok_or(Failure::Lost)?;
        for (to, from) in self.piece.iter_mut().zip(records) {
            *to = *from;
        }
        self.from = u64::from_le_bytes(*from);
        (self.at, self.end) = (0, records.len().min(REPLY));
        self.dry = records.is_empty();
        Ok(())
    }

    /// Past its next line. Gives how many before it are lost.
    fn take(&mut self) -> u32 {
        let rest = self.piece.get(self.at..self.end).unwrap_or(&[]);
        let (number, after) = match Record::first(rest) {
            Some((record, after)) => (Some(record.number), after.len()),
            // PID 1 sends nothing that is no record.
            None => (None, 0),
        };
        self.at = self.end.saturating_sub(after);
        let lost = number.zip(self.next).map_or(0, |(number, next)| number.wrapping_sub(next));
        self.next = number.map(|number| number.wrapping_add(1));
        lost
    }
}

pub(super) fn run(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    let given = match this.read(words, false, streams) {
        Ok(given) => given,
        Err(status) => return status,
    };
    let events = this.name == "events";
    if events && !given.names.is_empty() {
        return this.usage_error(streams);
    }
    let count = match given.value(COUNT) {
        None => None,
        Some(word) => match text::number(word, 10) {
            Some(count) => Some(count),
            None => return this.bad_value("a number of lines", word, streams),
        },
    };
    let (mut connection, Some(logs)) = (
        match Connection::open() {
            Ok(connection) => connection,
            Err(failure) => return failure.tell(this.name, streams),
        },
        LOGS.take(),
    ) else {
        return exit::UNAVAILABLE;
    };
    let mut used = 0usize;
    let mut add = |name: &[u8]| {
        if let Some(log) = logs.get_mut(used) {
            log.name.put(name);
            used = used.saturating_add(1);
        }
    };
    let all = given.names.is_empty();
    if all {
        add(b"");
    }
    let wanted = (0..u64::MAX).take(if events { 0 } else { usize::MAX });
    for place in wanted {
        let request = match given.names.get(place as usize) {
            Some(name) => Request::of(Op::Row, name.to_bytes()),
            None if !all => break,
            None => Request { place, ..Request::of(Op::Row, b"") },
        };
        match connection.ask(&request).map(Row::decode) {
            Ok(Some(row)) => add(row.name),
            Err(failure) if failure.is_no_more() => break,
            Ok(None) => return Failure::Lost.tell(this.name, streams),
            Err(failure) => return failure.tell(this.name, streams),
        }
    }
    let style = Style {
        json: given.has(JSON),
        raw: given.has(RAW),
        named: used > 1,
        safe: Modes::of(BorrowedFd::STDOUT).is_ok(),
    };
    let logs = logs.get_mut(..used).unwrap_or(&mut []);
    let shown = show(logs, &mut connection, count, given.has(FOLLOW), &style, streams);
    shown.map_or_else(|failure| failure.tell(this.name, streams), |()| exit::OK)
}

fn show(
    logs: &mut [Log],
    connection: &mut Connection,
    count: Option<u64>,
    follow: bool,
    style: &Style,
    streams: &mut Streams,
) -> Result<(), Failure<'static>> {
    let mut skip = 0u64;
    if let Some(count) = count {
        let mut total = 0u64;
        merge(logs, connection, &mut |_, _, _| total = total.saturating_add(1))?;
        skip = total.saturating_sub(count);
        logs.iter_mut().for_each(Log::begin_again);
    }
    let mut lines = 0;
    loop {
        // What comes after this moment is not missed.
        if follow && logs.len() > 1 {
            lines =
                wait(connection, &Request { argument: 1, place: lines, ..Request::of(Op::AwaitLog, b"") })?;
        }
        merge(logs, connection, &mut |log, record, lost| {
            if skip > 0 {
                skip = skip.saturating_sub(1);
            } else {
                style.put(log, record, lost, streams.out);
            }
        })?;
        if !follow || !streams.out.flush() {
            return Ok(());
        }
        if let [only] = logs {
            wait(
                connection,
                &Request { place: only.from, ..Request::of(Op::AwaitLog, only.name.as_bytes()) },
            )?;
        }
        logs.iter_mut().for_each(|log| log.dry = false);
    }
}

/// Until there are more lines than in the request. Gives how many there are, where that is known.
fn wait(connection: &mut Connection, request: &Request) -> Result<u64, Failure<'static>> {
    let reply = connection.ask(request).map_err(|_| Failure::Lost)?;
    Ok(reply.first_chunk().map_or(0, |lines| u64::from_le_bytes(*lines)))
}

/// All lines there are, the oldest first.
fn merge(
    logs: &mut [Log],
    connection: &mut Connection,
    each: &mut dyn FnMut(&[u8], &Record, u32),
) -> Result<(), Failure<'static>> {
    loop {
        let mut oldest: Option<(u64, usize)> = None;
        for (log, index) in logs.iter_mut().zip(0usize..) {
            log.fill(connection)?;
            if let Some(record) = log.first()
                && oldest.is_none_or(|(time, _)| record.since_boot < time)
            {
                oldest = Some((record.since_boot, index));
            }
        }
        let Some(log) = oldest.and_then(|(_, index)| logs.get_mut(index)) else { return Ok(()) };
        let before = log.at;
        let lost = log.take();
        let rest = log.piece.get(before..log.end).unwrap_or(&[]);
        if let Some((record, _)) = Record::first(rest) {
            each(log.name.as_bytes(), &record, lost);
        }
    }
}

struct Style {
    json: bool,
    /// Nothing but the lines, as they were written.
    raw: bool,
    /// More than one log is shown.
    named: bool,
    /// A terminal reads it.
    safe: bool,
}

impl Style {
    fn put(&self, name: &[u8], record: &Record, lost: u32, out: &mut dyn Sink) {
        let name = if name.is_empty() { b"corm" } else { name };
        if self.json {
            put!(*out, "{\"time\":\"", Time(record.time), "\",\"since_boot_us\":", record.since_boot);
            put!(
                *out,
                ",\"name\":\"",
                name,
                "\",\"number\":",
                record.number,
                ",\"severity\":",
                record.severity
            );
            let split = if record.split { "true" } else { "false" };
            return put!(*out, ",\"split\":", split, ",\"line\":", Json(record.line), "}\n");
        }
        if self.raw {
            // What was split is put together again, without the mark.
            let line = record.line.strip_suffix(b"\\").filter(|_| record.split);
            put!(*out, line.unwrap_or(record.line), if line.is_some() { "" } else { "\n" });
            return;
        }
        if lost > 0 {
            put!(*out, "... ", lost, " lines are lost\n");
        }
        put!(*out, Time(record.time), " ");
        if self.named {
            put!(*out, name, ": ");
        }
        if self.safe {
            Printable(record.line).show(out);
        } else {
            out.put(record.line);
        }
        out.put(b"\n");
    }
}

/// Microseconds since 1970, as RFC 3339 has it: `2026-11-26T03:12:44.123456Z`.
struct Time(u64);

impl Show for Time {
    fn show(&self, out: &mut dyn Sink) {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (year, month, day) = date(seconds / 86_400);
        let two = |number: u64| Zeros(number, 2);
        put!(*out, Zeros(year, 4), "-", two(month), "-", two(day), "T");
        put!(*out, two(seconds / 3600 % 24), ":", two(seconds / 60 % 60), ":", two(seconds % 60));
        put!(*out, ".", Zeros(micros, 6), "Z");
    }
}

/// The year, month and day of a day since 1970.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from the first of March of a year that 400 divides, leap days come last.
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year =
        day.saturating_sub(day / 1460).saturating_add(day / 36_524).saturating_sub(day / 146_096) / 365;
    let before = (365 * year).saturating_add(year / 4).saturating_sub(year / 100);
    let day = day.saturating_sub(before);
    let month = (5 * day).saturating_add(2) / 153;
    let first = (153 * month).saturating_add(2) / 5;
    let (month, next) = if month < 10 { (month.saturating_add(3), 0) } else { (month.saturating_sub(9), 1) };
    let year = year.saturating_add(era.saturating_mul(400)).saturating_add(next);
    (year, month, day.saturating_sub(first).saturating_add(1))
}

/// A string of JSON. Bytes that are no UTF-8 are told as the character of that number.
pub(super) struct Json<'a>(pub &'a [u8]);

impl Show for Json<'_> {
    fn show(&self, out: &mut dyn Sink) {
        let is_text = core::str::from_utf8(self.0).is_ok();
        out.put(b"\"");
        for byte in self.0 {
            match byte {
                b'"' | b'\\' => out.put(&[b'\\', *byte]),
                b' '..=b'~' => out.put(&[*byte]),
                0x80.. if is_text => out.put(&[*byte]),
                _ => put!(*out, "\\u", Hex(u64::from(*byte), 4)),
            }
        }
        out.put(b"\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: impl Show) -> std::string::String {
        let mut out = Text::<64>::new();
        value.show(&mut out);
        out.as_str().into()
    }

    #[test]
    fn times_read_as_rfc_3339_has_them() {
        for (seconds, time) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (951_868_800, "2000-03-01T00:00:00.000000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000Z"),
            (1_795_666_364, "2026-11-26T04:12:44.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(text(Time(seconds * 1_000_000)), time);
        }
        assert_eq!(text(Time(1_500)), "1970-01-01T00:00:00.001500Z");
    }

    #[test]
    fn any_bytes_become_a_json_string() {
        assert_eq!(text(Json(b"a\"b\\c\x1b\n")), r#""a\"b\\c\u001b\u000a""#);
        assert_eq!(text(Json("grün".as_bytes())), "\"grün\"");
        assert_eq!(text(Json(b"\xff\x00z")), r#""\u00ff\u0000z""#);
    }
}
