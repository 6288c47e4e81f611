//! Rows of three columns: a name, what the kernel says, what the config asked for.

use super::super::logs::Json;
use super::Cell;
use crate::log::Printable;
use crate::put;
use crate::text::{Left, Show, Sink};

pub(super) struct Report<'a> {
    json: bool,
    out: &'a mut dyn Sink,
    rows: usize,
    pub differing: usize,
}

impl<'a> Report<'a> {
    pub fn new(json: bool, out: &'a mut dyn Sink) -> Self {
        Report { json, out, rows: 0, differing: 0 }
    }

    pub fn begin(&mut self, name: &[u8], pid: u32) {
        if self.json {
            put!(*self.out, "{\"name\":\"", name, "\",\"pid\":", pid, ",\"rows\":[");
        } else {
            put!(*self.out, name, ", process ", pid, "\n");
            self.line(b"NAME", b"KERNEL", b"", b"CONFIG", true);
        }
    }

    pub fn end(&mut self) {
        if self.json {
            put!(*self.out, "\n],\"differing\":", self.differing, "}\n");
        } else if self.differing > 0 {
            put!(*self.out, self.differing, " of ", self.rows, " differ, each marked with a `!`\n");
        }
    }

    /// `more` is not compared. Without `wanted` there is nothing to compare with.
    pub fn row(&mut self, name: &[u8], kernel: &[u8], more: &[u8], wanted: Option<&[u8]>) {
        let agrees = wanted.is_none_or(|wanted| wanted == kernel);
        self.judged(name, kernel, more, wanted, agrees);
    }

    /// The same, where two texts can say the same.
    pub fn judged(&mut self, name: &[u8], kernel: &[u8], more: &[u8], wanted: Option<&[u8]>, agrees: bool) {
        self.differing = self.differing.saturating_add((!agrees).into());
        let first = self.rows == 0;
        self.rows = self.rows.saturating_add(1);
        if !self.json {
            return self.line(name, kernel, more, wanted.unwrap_or(b"-"), agrees);
        }
        let (begin, differs) = (if first { "\n{" } else { ",\n{" }, if agrees { "false" } else { "true" });
        put!(
            *self.out,
            begin,
            "\"name\":",
            Json(name),
            ",\"kernel\":",
            Json(kernel),
            ",\"more\":",
            Json(more)
        );
        match wanted {
            Some(wanted) => put!(*self.out, ",\"config\":", Json(wanted)),
            None => put!(*self.out, ",\"config\":null"),
        }
        put!(*self.out, ",\"differs\":", differs, "}");
    }

    fn line(&mut self, name: &[u8], kernel: &[u8], more: &[u8], wanted: &[u8], agrees: bool) {
        fn put(text: &[u8], out: &mut Cell) {
            Printable(if text.is_empty() { b"none" } else { text }).show(out);
        }
        let (mut left, mut middle, mut right) = (Cell::new(), Cell::new(), Cell::new());
        put(name, &mut left);
        put(kernel, &mut middle);
        put(wanted, &mut right);
        if !more.is_empty() {
            put!(middle, " (", Printable(more), ")");
        }
        put!(
            *self.out,
            if agrees { "  " } else { "! " },
            Left(&left, 26),
            " ",
            Left(&middle, 42),
            " ",
            right,
            "\n"
        );
    }
}
