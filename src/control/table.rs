//! Rows for people, aligned, and for programs, as JSON.
//!
//! A table is a list of [`Column`]s. Rows are shown one by one, as they come from PID 1;
//! only the longest name has to be known before.

use super::protocol::{Field, Row};
use crate::put;
use crate::sys::BorrowedFd;
use crate::sys::clock;
use crate::sys::tty::Modes;
use crate::text::{Bytes, Left, Millis, Show, Sink, Text};

#[derive(Clone, Copy)]
pub(super) enum Shape {
    Name,
    State,
    Number,
    /// Milliseconds since boot, shown as how long ago that was.
    Ago,
    /// An exit, as [`Field::Exit`] has it.
    Exit,
    Size,
    /// Microseconds.
    Micros,
}

pub(super) struct Column {
    pub title: &'static str,
    /// Its name in JSON.
    pub key: &'static str,
    pub shape: Shape,
    pub field: Field,
    pub width: usize,
}

pub(super) const fn column(
    title: &'static str,
    key: &'static str,
    shape: Shape,
    field: Field,
    width: usize,
) -> Column {
    Column { title, key, shape, field, width }
}

pub(super) struct Table {
    pub columns: &'static [Column],
    pub json: bool,
    /// Of the longest name.
    pub name: usize,
    /// Rows shown.
    pub count: usize,
    pub colours: bool,
}

/// A cell, before it is padded.
type Cell = Text<64>;

impl Table {
    pub fn new(columns: &'static [Column], json: bool) -> Table {
        let colours = !json && Modes::of(BorrowedFd::STDOUT).is_ok();
        Table { columns, json, name: 4, count: 0, colours }
    }

    pub fn begin(&self, out: &mut dyn Sink) {
        if self.json {
            return put!(*out, "[");
        }
        let mut line = Text::<256>::new();
        for column in self.columns {
            put!(line, Left(column.title, self.width(column)), "  ");
        }
        put!(*out, line.as_bytes().trim_ascii_end(), "\n");
    }

    pub fn end(&self, out: &mut dyn Sink) {
        if self.json {
            put!(*out, if self.count > 0 { "\n]\n" } else { "]\n" });
        }
    }

    fn width(&self, column: &Column) -> usize {
        if let Shape::Name = column.shape { self.name } else { column.width }
    }

    pub fn row(&mut self, row: &Row, out: &mut dyn Sink) {
        if self.json {
            put!(*out, if self.count > 0 { ",\n {" } else { "\n {" });
        }
        self.count = self.count.saturating_add(1);
        let mut line = Text::<384>::new();
        for (column, index) in self.columns.iter().zip(0usize..) {
            let mut cell = Cell::new();
            if self.json {
                let comma = if index > 0 { "," } else { "" };
                column.put_json(row, &mut cell);
                put!(*out, comma, "\"", column.key, "\":", cell);
                continue;
            }
            column.put(row, &mut cell);
            let colour = match column.shape {
                Shape::State if self.colours => colour(row.state),
                _ => "",
            };
            let end = if colour.is_empty() { "" } else { "\x1b[0m" };
            let padding = self.width(column).saturating_sub(cell.len());
            put!(line, colour, cell, end, Left("", padding), "  ");
        }
        if self.json {
            put!(*out, "}");
        } else {
            put!(*out, line.as_bytes().trim_ascii_end(), "\n");
        }
    }
}

fn colour(state: &[u8]) -> &'static str {
    match state {
        b"running" | b"done" => "\x1b[32m",
        b"failed" => "\x1b[31m",
        b"backoff" | b"paused" | b"stopping" | b"emptying" => "\x1b[33m",
        _ => "\x1b[2m",
    }
}

impl Column {
    fn put(&self, row: &Row, out: &mut Cell) {
        match self.shape {
            Shape::Name => return put!(*out, row.name),
            Shape::State => return put!(*out, row.state),
            _ => {}
        }
        let Some(number) = row.get(self.field) else { return put!(*out, "-") };
        match self.shape {
            Shape::Name | Shape::State | Shape::Number => number.show(out),
            Shape::Ago => Millis(clock::now().saturating_sub(number)).show(out),
            Shape::Size => Bytes(number).show(out),
            Shape::Micros => Millis(number / 1000).show(out),
            Shape::Exit => {
                let (what, code) = if number < 512 { ("status ", number) } else { ("signal ", number) };
                put!(*out, what, code & 0xff);
            }
        }
    }

    fn put_json(&self, row: &Row, out: &mut Cell) {
        match self.shape {
            // Neither has anything in it that JSON would want escaped.
            Shape::Name => return put!(*out, "\"", row.name, "\""),
            Shape::State => return put!(*out, "\"", row.state, "\""),
            _ => {}
        }
        match (row.get(self.field), self.shape) {
            (None, _) => put!(*out, "null"),
            // As a shell has it: 128 and the signal.
            (Some(number), Shape::Exit) => {
                let code = (number & 0xff).saturating_add(if number < 512 { 0 } else { 128 });
                code.show(out);
            }
            (Some(number), _) => number.show(out),
        }
    }
}
