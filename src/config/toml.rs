//! TOML 1.0, as far as corm reads it: text -> [`Tree`].
//!
//! Tables, dotted and quoted keys, all four kinds of string, integers,
//! booleans, arrays and inline tables. Floats, dates and arrays of tables are
//! refused by name. Whatever is accepted means the same to the `toml` crate; a
//! test and a fuzzer hold it to that.
//!
//! There is no recursion: the way out of a nested value is the tree's own parent
//! links. Every loop consumes text or climbs, so time is linear in the text. After an
//! error the reader goes on at the next table header, and what lies between is
//! marked as damaged, so nobody takes half a table for a whole one.
//!
//! Tables of the same name in two files are one table; in one file they are the
//! error TOML says they are.

use super::problem::{Syntax, What};
use super::source::{File, Sources, Span, char_len};
use super::token;
use super::tree::{Kind, NodeId, ROOT, Tree};
use crate::limits;

/// What is wrong, and where.
pub(super) struct Wrong {
    pub place: Span,
    pub what: What,
}

type Parsed<T> = Result<T, Wrong>;

/// Reads one file, one statement a [`step`](Parser::step).
pub(super) struct Parser<'a> {
    sources: &'a Sources,
    pub tree: &'a mut Tree,
    /// The text of all files up to this one's end.
    text: &'a [u8],
    at: usize,
    /// Where this file starts.
    start: u16,
    /// The table whose keys are being read.
    table: NodeId,
    /// The last node that was touched, for saying what an error damaged.
    pub spot: NodeId,
}

impl<'a> Parser<'a> {
    pub fn new(sources: &'a Sources, tree: &'a mut Tree, file: File) -> Parser<'a> {
        let mut parser = Parser {
            sources,
            tree,
            text: sources.up_to(file),
            at: file.text.at.into(),
            start: file.text.at,
            table: ROOT,
            spot: ROOT,
        };
        if parser.rest().starts_with(b"\xef\xbb\xbf") {
            parser.bump(3);
        }
        parser
    }

    /// Reads one statement; `Ok(false)` at the end of the file. After an error,
    /// [`recover`](Self::recover).
    pub fn step(&mut self) -> Parsed<bool> {
        self.blank()?;
        self.spot = self.table;
        match self.peek() {
            None => return Ok(false),
            Some(b'[') => self.header()?,
            Some(_) => {
                let node = self.pair(self.table)?;
                self.value(node)?;
            }
        }
        self.line_end()?;
        Ok(true)
    }

    /// Skips to the next table header and marks what it skipped as damaged.
    pub fn recover(&mut self) -> NodeId {
        let damaged = self.tree.ancestor(self.spot, 2);
        self.tree.with(damaged, |node| node.damaged = node.depth == 2);
        self.table = ROOT;
        while let Some(newline) = self.rest().iter().position(|byte| *byte == b'\n') {
            self.bump(newline.saturating_add(1));
            self.space();
            if looks_like_header(self.rest()) {
                return damaged;
            }
        }
        self.at = self.text.len();
        damaged
    }

    fn header(&mut self) -> Parsed<()> {
        let start = self.at;
        self.bump(1);
        // What a damaged header damages is what it names, not the table above it.
        self.spot = ROOT;
        if self.eat(b'[') {
            return Err(self.wrong_since(start, Syntax::ArrayOfTables));
        }
        let mut table = ROOT;
        let mut last = false;
        while !last {
            self.space();
            let key = self.key()?;
            self.space();
            last = !self.eat(b'.');
            let kind = if last { Kind::Table } else { Kind::Implied };
            table = match self.tree.find(self.sources, table, key) {
                Err(slot) => self.add(table, kind, key, Some(slot))?,
                Ok(found) => {
                    let node = self.tree.node(found);
                    let before = node.value.at < self.start;
                    match node.kind {
                        Kind::Table | Kind::Implied | Kind::Dotted if before => self.reopen(found, kind, key),
                        Kind::Implied if last => self.reopen(found, kind, key),
                        Kind::Table | Kind::Implied | Kind::Dotted if !last => {}
                        _ => return Err(Wrong { place: key, what: What::Defined(found) }),
                    }
                    found
                }
            };
            self.spot = table;
        }
        if !self.eat(b']') {
            return Err(self.wrong_here(Syntax::HeaderEnd));
        }
        self.table = table;
        Ok(())
    }

    /// A table seen before goes on here.
    fn reopen(&mut self, table: NodeId, kind: Kind, key: Span) {
        self.tree.with(table, |node| (node.kind, node.value) = (kind, key));
    }

    /// `key =`, dots and all: a new node for what follows.
    fn pair(&mut self, mut table: NodeId) -> Parsed<NodeId> {
        loop {
            let key = self.key()?;
            self.space();
            let last = !self.eat(b'.');
            self.space();
            let kind = if last { Kind::Nothing } else { Kind::Dotted };
            table = match self.tree.find(self.sources, table, key) {
                Err(slot) => self.add(table, kind, key, Some(slot))?,
                Ok(found) => {
                    let node = self.tree.node(found);
                    let before = node.value.at < self.start;
                    match node.kind {
                        Kind::Dotted if !last => {}
                        Kind::Table | Kind::Implied if before && !last => {}
                        _ => return Err(Wrong { place: key, what: What::Defined(found) }),
                    }
                    if before {
                        self.reopen(found, kind, key);
                    }
                    found
                }
            };
            self.spot = table;
            if last {
                break;
            }
        }
        if !self.eat(b'=') {
            return Err(self.wrong_here(Syntax::Equals));
        }
        self.space();
        Ok(table)
    }

    /// A key between dots.
    fn key(&mut self) -> Parsed<Span> {
        let start = self.at;
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.string(quote, false)?,
            _ => self
                .bump(run(self.rest(), |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))),
        }
        if self.at == start {
            return Err(self.wrong_here(Syntax::Key));
        }
        Ok(self.since(start))
    }

    /// The value of `node`, with everything in it.
    fn value(&mut self, top: NodeId) -> Parsed<()> {
        let mut node = top;
        loop {
            self.spot = node;
            let start = self.at;
            let mut open = false;
            let kind = match self.peek() {
                Some(b'[') => {
                    self.bump(1);
                    self.blank()?;
                    open = self.peek() != Some(b']');
                    self.bump(usize::from(!open));
                    Kind::Array
                }
                Some(b'{') => {
                    self.bump(1);
                    self.space();
                    open = !self.eat(b'}');
                    Kind::Inline
                }
                Some(quote @ (b'"' | b'\'')) => {
                    self.string(quote, true)?;
                    Kind::Text
                }
                _ => self.word()?,
            };
            let value = self.since(start);
            self.tree.with(node, |node| (node.kind, node.value) = (kind, value));
            node = match self.next_value(node, top, open)? {
                Some(next) => next,
                None => return Ok(()),
            };
        }
    }

    /// What is to be read after `node`: its first entry if it is `open`, or what
    /// comes after the comma in what it is in; nothing once `top` is complete.
    fn next_value(&mut self, mut node: NodeId, top: NodeId, open: bool) -> Parsed<Option<NodeId>> {
        let mut inside = open.then_some(node);
        loop {
            let first = inside.is_some();
            let Some(container) = inside.take().or_else(|| self.container(node, top)) else {
                return Ok(None);
            };
            let inline = self.tree.node(container).kind == Kind::Inline;
            if !first {
                if inline {
                    self.space();
                } else {
                    self.blank()?;
                }
            }
            let more = first || self.eat(b',');
            if more && inline {
                self.space();
                return self.pair(container).map(Some);
            }
            if more {
                self.blank()?;
                if self.peek() != Some(b']') {
                    let here = self.since(self.at);
                    return self.add(container, Kind::Nothing, here, None).map(Some);
                }
            }
            if !self.eat(if inline { b'}' } else { b']' }) {
                return Err(self.wrong_here(if inline { Syntax::InlineEnd } else { Syntax::ArrayEnd }));
            }
            let end = self.at;
            self.tree.with(container, |node| node.value = Span::between(node.value.at.into(), end));
            node = container;
        }
    }

    /// The array or inline table that `node` is an entry of; none if it is `top`.
    fn container(&self, mut node: NodeId, top: NodeId) -> Option<NodeId> {
        loop {
            if node == top {
                return None;
            }
            node = self.tree.node(node).parent;
            if matches!(self.tree.node(node).kind, Kind::Array | Kind::Inline) {
                return Some(node);
            }
        }
    }

    /// A boolean or an integer.
    fn word(&mut self) -> Parsed<Kind> {
        let start = self.at;
        let is_word =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-' | b'.' | b':');
        let len = run(self.rest(), is_word);
        let token = self.rest().get(..len).unwrap_or(&[]);
        self.bump(len);
        let kind = match token {
            b"" => return Err(self.wrong_here(Syntax::Value)),
            b"true" | b"false" => Ok(Kind::Boolean),
            _ => token::integer(token).map(|_| Kind::Integer),
        };
        kind.map_err(|syntax| {
            let syntax = if syntax == Syntax::Integer { token::misread(token) } else { syntax };
            self.wrong_since(start, syntax)
        })
    }

    /// A string with its quotes, checked to its last escape.
    fn string(&mut self, quote: u8, may_be_multiline: bool) -> Parsed<()> {
        let start = self.at;
        let multiline = may_be_multiline && self.rest().starts_with(&[quote; 3]);
        self.bump(if multiline { 3 } else { 1 });
        loop {
            match self.peek() {
                Some(byte) if byte == quote => {
                    // Up to two quotes may stand before the three that end it.
                    let quotes = run(self.rest(), |byte| byte == quote);
                    if !multiline {
                        self.bump(1);
                        return Ok(());
                    }
                    self.bump(quotes.min(5));
                    if quotes >= 3 {
                        return Ok(());
                    }
                }
                Some(b'\\') if quote == b'"' => match token::escape(self.rest(), multiline) {
                    Ok(escape) => self.bump(escape.len),
                    Err(syntax) => {
                        let place = Span::between(self.at, self.at.saturating_add(2).min(self.text.len()));
                        return Err(Wrong { place, what: What::Syntax(syntax) });
                    }
                },
                Some(b'\n') if multiline => self.bump(1),
                None | Some(b'\n') => return Err(self.wrong_since(start, Syntax::Quote)),
                Some(b'\r') if multiline && self.rest().starts_with(b"\r\n") => self.bump(2),
                Some(_) => self.character()?,
            }
        }
    }

    /// Spaces, newlines and comments.
    fn blank(&mut self) -> Parsed<()> {
        loop {
            self.space();
            self.comment()?;
            if !self.newline() {
                return Ok(());
            }
        }
    }

    /// Nothing but a comment up to the end of the line.
    fn line_end(&mut self) -> Parsed<()> {
        self.space();
        self.comment()?;
        if self.newline() || self.peek().is_none() { Ok(()) } else { Err(self.wrong_here(Syntax::LineEnd)) }
    }

    fn comment(&mut self) -> Parsed<()> {
        if self.peek() != Some(b'#') {
            return Ok(());
        }
        while !self.at_newline() && self.peek().is_some() {
            self.character()?;
        }
        Ok(())
    }

    /// One character of a string or comment.
    fn character(&mut self) -> Parsed<()> {
        match (self.peek(), char_len(self.rest())) {
            (Some(b'\r'), _) => Err(self.wrong_here(Syntax::CarriageReturn)),
            (Some(0..=8 | 10..=31 | 127), _) => Err(self.wrong_here(Syntax::Control)),
            (_, Some(len)) => {
                self.bump(len);
                Ok(())
            }
            (_, None) => Err(self.wrong_here(Syntax::Utf8)),
        }
    }

    fn space(&mut self) {
        self.bump(run(self.rest(), |byte| matches!(byte, b' ' | b'\t')));
    }

    fn newline(&mut self) -> bool {
        self.at_newline() && {
            self.bump(if self.peek() == Some(b'\r') { 2 } else { 1 });
            true
        }
    }

    fn at_newline(&self) -> bool {
        let rest = self.rest();
        rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.bump(usize::from(found));
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or(&[])
    }

    fn bump(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    fn since(&self, start: usize) -> Span {
        Span::between(start, self.at)
    }

    fn add(
        &mut self,
        parent: NodeId,
        kind: Kind,
        key: Span,
        slot: Option<super::tree::Slot>,
    ) -> Parsed<NodeId> {
        let what = if self.tree.node(parent).depth >= limits::CONFIG_DEPTH {
            Syntax::Deep
        } else {
            match self.tree.add(parent, kind, key, key, slot) {
                Some(node) => return Ok(node),
                None => Syntax::Nodes,
            }
        };
        Err(Wrong { place: key, what: What::Syntax(what) })
    }

    fn wrong_since(&self, start: usize, syntax: Syntax) -> Wrong {
        Wrong { place: self.since(start), what: What::Syntax(syntax) }
    }

    /// The character here is not what should be here.
    fn wrong_here(&self, syntax: Syntax) -> Wrong {
        let end = self.at.saturating_add(char_len(self.rest()).unwrap_or(1)).min(self.text.len());
        let place = if self.at_newline() { self.since(self.at) } else { Span::between(self.at, end) };
        Wrong { place, what: What::Syntax(syntax) }
    }
}

/// How many bytes at the start of `text` are like that.
fn run(text: &[u8], like: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !like(*byte)).unwrap_or(text.len())
}

/// `[…]` and at most a comment behind it. Elements of an array end in a comma.
fn looks_like_header(text: &[u8]) -> bool {
    let line = text.get(..run(text, |byte| byte != b'\n')).unwrap_or(text);
    let end = line.iter().position(|byte| *byte == b']').unwrap_or(line.len());
    let after = line.get(end.saturating_add(1)..).unwrap_or(b"-").trim_ascii();
    line.starts_with(b"[") && (after.is_empty() || after.starts_with(b"#"))
}
