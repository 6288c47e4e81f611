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

use super::form::split;
use super::problem::{What, Wrong};
use super::source::{File, Sources, Span, char_len};
use super::token;
use super::tree::{Kind, NodeId, ROOT, Slot, Tree};
use crate::limits;
use crate::text::word_index;

/// `None`: something is [`wrong`](Parser::wrong).
type Parsed<T> = Option<T>;

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
    /// What is wrong, and where, when something is.
    pub wrong: (Span, What),
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
            wrong: (Span::default(), Wrong::Value.into()),
        };
        if parser.rest().starts_with(b"\xef\xbb\xbf") {
            parser.bump(3);
        }
        parser
    }

    /// Reads one statement; `Some(false)` at the end of the file. After an error,
    /// [`recover`](Self::recover).
    pub fn step(&mut self) -> Parsed<bool> {
        self.blank()?;
        self.spot = self.table;
        match self.peek() {
            None => return Some(false),
            Some(b'[') => self.header()?,
            Some(_) => {
                let node = self.pair(self.table)?;
                self.value(node)?;
            }
        }
        self.line_end()?;
        Some(true)
    }

    /// Skips to the next table header and marks what it skipped as damaged.
    pub fn recover(&mut self) -> NodeId {
        let damaged = self.tree.ancestor(self.spot, 2);
        let node = self.tree.node(damaged);
        node.damaged.set(node.depth == 2);
        self.table = ROOT;
        while self.at < self.text.len() {
            let (line, _) = split(self.rest(), b'\n');
            self.bump(line.len().saturating_add(1));
            self.space();
            if looks_like_header(self.rest()) {
                break;
            }
        }
        damaged
    }

    fn header(&mut self) -> Parsed<()> {
        let start = self.at;
        self.bump(1);
        // What a damaged header damages is what it names, not the table above it.
        self.spot = ROOT;
        if self.eat(b'[') {
            return self.fail_since(start, Wrong::ArrayOfTables);
        }
        self.table = self.path(ROOT, Kind::Implied, Kind::Table)?;
        if !self.eat(b']') {
            return self.fail_here(Wrong::HeaderEnd);
        }
        Some(())
    }

    /// `key =`, dots and all: a new node for what follows.
    fn pair(&mut self, table: NodeId) -> Parsed<NodeId> {
        let node = self.path(table, Kind::Dotted, Kind::Nothing)?;
        if !self.eat(b'=') {
            return self.fail_here(Wrong::Equals);
        }
        self.space();
        Some(node)
    }

    /// Keys with dots between them, down from `table`: the last becomes a node of
    /// kind `last`, those on the way of kind `way`.
    fn path(&mut self, mut table: NodeId, way: Kind, last: Kind) -> Parsed<NodeId> {
        loop {
            self.space();
            let key = self.key()?;
            self.space();
            let dot = self.eat(b'.');
            let kind = if dot { way } else { last };
            table = match self.tree.find(self.sources, table, key) {
                Err(slot) => self.add(table, kind, key, Some(slot))?,
                Ok(found) => self.enter(found, kind, key)?,
            };
            self.spot = table;
            if !dot {
                return Some(table);
            }
        }
    }

    /// A path leads to a node that is there already.
    fn enter(&mut self, found: NodeId, kind: Kind, key: Span) -> Parsed<NodeId> {
        let start = self.start;
        let node = self.tree.node(found);
        let is_open =
            matches!(node.kind, Kind::Table | Kind::Implied | Kind::Dotted) && kind != Kind::Nothing;
        // A table of an earlier file goes on here, as does one that was only implied.
        let again = is_open && (node.value.at < start || (node.kind == Kind::Implied && kind == Kind::Table));
        let through =
            is_open && (kind == Kind::Implied || (kind == Kind::Dotted && node.kind == Kind::Dotted));
        if again {
            self.tree.with(found, |node| (node.kind, node.value) = (kind, key));
        } else if !through {
            // It is not what either place says.
            self.spot = found;
            return self.fail(key, What { node: found, ..Wrong::Defined.into() });
        }
        Some(found)
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
            return self.fail_here(Wrong::Key);
        }
        Some(self.since(start))
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
                None => return Some(()),
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
                return Some(None);
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
                if self.at_newline() || matches!(self.peek(), None | Some(b'}' | b',' | b'#')) {
                    return self.fail_here(Wrong::InlineKey);
                }
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
                return self.fail_here(if inline { Wrong::InlineEnd } else { Wrong::ArrayEnd });
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
        match token {
            b"" => self.fail_here(Wrong::Value),
            _ if word_index(b"true false", b' ', token).is_some() => Some(Kind::Boolean),
            _ => match token::integer(token) {
                Ok(_) => Some(Kind::Integer),
                Err(Wrong::Integer) => self.fail_since(start, token::misread(token)),
                Err(wrong) => self.fail_since(start, wrong),
            },
        }
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
                        return Some(());
                    }
                    self.bump(quotes.min(5));
                    if quotes >= 3 {
                        return Some(());
                    }
                }
                Some(b'\\') if quote == b'"' => match token::escape(self.rest(), multiline) {
                    Ok(escape) => self.bump(escape.len),
                    Err(wrong) => {
                        let place = Span::between(self.at, self.at.saturating_add(2).min(self.text.len()));
                        return self.fail(place, wrong.into());
                    }
                },
                Some(b'\n') if multiline => self.bump(1),
                None | Some(b'\n') => return self.fail_since(start, Wrong::Quote),
                Some(b'\r') if multiline && self.rest().starts_with(b"\r\n") => self.bump(2),
                Some(_) => self.character()?,
            }
        }
    }

    /// Spaces, newlines and comments.
    #[inline(never)]
    fn blank(&mut self) -> Parsed<()> {
        loop {
            self.space();
            self.comment()?;
            if !self.newline() {
                return Some(());
            }
        }
    }

    /// Nothing but a comment up to the end of the line.
    fn line_end(&mut self) -> Parsed<()> {
        self.space();
        self.comment()?;
        if self.newline() || self.peek().is_none() { Some(()) } else { self.fail_here(Wrong::LineEnd) }
    }

    #[inline(never)]
    fn comment(&mut self) -> Parsed<()> {
        if self.peek() != Some(b'#') {
            return Some(());
        }
        while !self.at_newline() && self.peek().is_some() {
            self.character()?;
        }
        Some(())
    }

    /// One character of a string or comment.
    fn character(&mut self) -> Parsed<()> {
        match (self.peek(), char_len(self.rest())) {
            (Some(b'\r'), _) => self.fail_here(Wrong::CarriageReturn),
            (Some(0..=8 | 10..=31 | 127), _) => self.fail_here(Wrong::Control),
            (_, Some(len)) => {
                self.bump(len);
                Some(())
            }
            (_, None) => self.fail_here(Wrong::Utf8),
        }
    }

    #[inline(never)]
    fn space(&mut self) {
        self.bump(run(self.rest(), |byte| matches!(byte, b' ' | b'\t')));
    }

    #[inline(never)]
    fn newline(&mut self) -> bool {
        self.at_newline() && {
            self.bump(if self.peek() == Some(b'\r') { 2 } else { 1 });
            true
        }
    }

    #[inline(never)]
    fn at_newline(&self) -> bool {
        let rest = self.rest();
        rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
    }

    #[inline(never)]
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.bump(usize::from(found));
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline(never)]
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or(&[])
    }

    #[inline(never)]
    fn bump(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    #[inline(never)]
    fn since(&self, start: usize) -> Span {
        Span::between(start, self.at)
    }

    fn add(&mut self, parent: NodeId, kind: Kind, key: Span, slot: Option<Slot>) -> Parsed<NodeId> {
        if self.tree.node(parent).depth >= limits::CONFIG_DEPTH {
            return self.fail(key, Wrong::Deep.into());
        }
        match self.tree.add(parent, kind, key, slot) {
            Some(node) => Some(node),
            None => self.fail(key, Wrong::Nodes.into()),
        }
    }

    fn fail<T>(&mut self, place: Span, what: What) -> Parsed<T> {
        self.wrong = (place, what);
        None
    }

    fn fail_since<T>(&mut self, start: usize, wrong: Wrong) -> Parsed<T> {
        self.fail(self.since(start), wrong.into())
    }

    /// The character here is not what should be here.
    fn fail_here<T>(&mut self, wrong: Wrong) -> Parsed<T> {
        self.fail_at_character(wrong);
        None
    }

    #[inline(never)]
    fn fail_at_character(&mut self, wrong: Wrong) {
        let end = self.at.saturating_add(char_len(self.rest()).unwrap_or(1)).min(self.text.len());
        let end = if self.at_newline() { self.at } else { end };
        self.wrong = (Span::between(self.at, end), wrong.into());
    }
}

/// How many bytes at the start of `text` are like that.
fn run(text: &[u8], like: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !like(*byte)).unwrap_or(text.len())
}

/// `[…]` and at most a comment behind it. Elements of an array end in a comma.
fn looks_like_header(text: &[u8]) -> bool {
    let (line, _) = split(text, b'\n');
    let (header, after) = split(line, b']');
    line.starts_with(b"[") && header.len() < line.len() && matches!(after.trim_ascii(), [] | [b'#', ..])
}
