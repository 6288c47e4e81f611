//! What can be wrong with a config, and how a person is told.
//!
//! A [`Problem`] is a place and a reason. It becomes text only where it is
//! printed, as [`Shown`]:
//!
//! ```text
//! /etc/corm.toml:12:1: unknown key `memroy` in [workload.web.limits]
//!    12 | memroy = "64M"
//!       | ^^^^^^ did you mean `memory`?
//!       = workload `web` is left out
//! ```

use super::form::{Form, Words, halves, split};
use super::near::nearest;
use super::schema::Key;
use super::source::{Sources, Span, char_len};
use super::tree::{Kind, NodeId, ROOT, Tree};
use crate::limits;
use crate::pack::Packed;
use crate::text::{Right, Show, Sink};
use crate::{packed, put};

/// Whoever wants to know what is wrong with a config.
pub trait Report {
    fn problem(&mut self, problem: &Shown);
}

/// One thing that is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub place: Span,
    pub what: What,
    /// What was being read.
    pub section: Key,
    /// What the machine does without because of it, where that was not said yet.
    pub part: Part,
}

/// What is left out for a problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    None,
    /// A single key of `[system]`.
    Key,
    /// A workload, mount or interface.
    Table(NodeId),
    /// Text up to the next table header, and with it perhaps what this node is in.
    Text(NodeId),
}

/// What is wrong, and what more there is to say of it. Small, so that it travels
/// in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct What {
    pub wrong: Wrong,
    /// What the value should be.
    pub form: Form,
    /// A node that has to do with it, or a number.
    pub node: NodeId,
}

impl From<Wrong> for What {
    fn from(wrong: Wrong) -> What {
        What { wrong, form: Form::Text, node: ROOT }
    }
}

macro_rules! sentences {
    ($($item:ident $words:literal;)*) => {
        /// The reasons.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(super) enum Wrong {
            $($item,)*
        }

        const SENTENCES: Packed = packed!(concat!($($words, "\n"),*));
    };
}

// What is wrong, and what to do about it. `@` and a letter stand for what
// `Shown::say` puts in their place: a capital, which packing leaves as it is.
sentences! {
    // Text that is not the TOML we read.
    Key "expected a key|letters, digits, `-` and `_`; anything else in quotes";
    Equals "expected `=` after the key|`key = value`";
    Value "expected a value|a string in quotes, a number, true, false, [...] or {...}";
    Word "expected a value|a string wants quotes";
    LineEnd "expected the end of the line|one `key = value` a line; # starts a comment";
    HeaderEnd "expected `]` after the table's name|`[table]`";
    ArrayEnd "expected `,` or `]`|an array ends in `]`";
    InlineKey "expected a key of this table|{...} stays on one line, without a comma at its end";
    InlineEnd "expected `,` or `}`|{...} stays on one line; for more lines write a [table]";
    Quote "this string does not end|the closing quote is missing";
    Escape r#"unknown escape|\b \t \n \f \r \" \\ \uXXXX \UXXXXXXXX; in '...' a \ is a \"#;
    NotUnicode "not a Unicode character|U+0001 to U+10FFFF without surrogates";
    Nul "a NUL character|the kernel's strings end at it";
    Control r"a control character|write it as an escape: \u001B";
    CarriageReturn r"a carriage return without a newline|lines end in \n or \r\n";
    Utf8 "not UTF-8|save the file as UTF-8";
    Integer "not a number|such as 10, 1_000 or 0xff; \"64M\" and \"10s\" want quotes";
    BigInteger "this number is too large|64 bits, with a sign";
    Float "no key takes a fraction|write it in quotes: \"1.5\"";
    Date "no key takes a date or time|write it in quotes";
    ArrayOfTables "[[...]] is not supported|[table.name], or an array of {...}";
    Deep "nested too deeply|no key needs more than 6 levels";
    Nodes "too many keys and values|the rest is not read";
    Defined "@T is defined twice|first at @D";
    // Values that have no place here.
    UnknownKey "unknown key @T@I|@K";
    Kind "expected @F, found @V|@A";
    Form "@T is not @F|@A";
    NotYet "@T is not supported yet|it comes with a later version of corm";
    UnknownWorkload "no workload is called @T|@W";
    // Values that are well-formed and yet cannot be.
    NoCommand "@T has no `command`|`command = [\"/bin/program\", \"argument\"]`";
    NoType "@T has no `type`|the name of a filesystem";
    NoAddress "@T has no `address`|`address = \"192.0.2.5/24\"`";
    NotOneVolume "@T is not one volume|`{ tmpfs = \"8M\" }` or `{ source = \"/directory\" }`";
    Gateway "@T cannot be reached|it is not in the network of `address`";
    GatewayAlone "@T cannot be reached|`address` is missing";
    Backoff "@T makes `first` more than `most`|200ms and 30s where not given";
    Wall "@T asks for a wall|`privileged = true` takes down all walls: drop one of the two";
    LeftOut "@T is left out|its own problem is reported above";
    Cycle "workloads wait for each other: @C|drop one of these";
    // Capacities of `limits` that are used up.
    Workloads "too many workloads|at most @N";
    Mounts "too many mounts|at most @N";
    Interfaces "too many interfaces|at most @N";
    Volumes "too many volumes|at most @N";
    Edges "too many names in `after`|at most @N";
    Words "too many strings in arrays|at most @N";
    Pairs "too many variables and settings|at most @N";
    Bytes "too many characters in strings|at most @N";
    Tables "too many tables|at most @N";
}

/// A [`Problem`] and all it takes to print it.
pub struct Shown<'a> {
    pub(super) sources: &'a Sources,
    pub(super) tree: &'a Tree,
    pub(super) problem: Problem,
}

impl Shown<'_> {
    fn token(&self) -> &[u8] {
        self.sources.bytes(self.problem.place)
    }

    fn key(&self, node: NodeId) -> &[u8] {
        self.sources.bytes(self.tree.node(node).key)
    }

    /// Puts a sentence, and in the place of `@t` and its like what they stand for.
    fn say(&self, sentence: Packed, out: &mut dyn Sink) {
        let mut sentence = sentence.0;
        let What { form, node, .. } = self.problem.what;
        loop {
            let (words, rest) = split(sentence, b'@');
            Packed(words).show(out);
            let Some((letter, rest)) = rest.split_first() else { return };
            sentence = rest;
            match letter {
                b'T' => quoted(self.token(), out),
                b'F' => form.words().0.show(out),
                b'A' => {
                    form.words().1.show(out);
                    self.list(form.choices(), out);
                }
                b'V' => out.put(self.tree.node(node).kind.name()),
                b'I' => self.path(node, out),
                b'K' => self.known(out),
                b'W' => {
                    let mut names = self.tree.children(node).map(|node| plain(self.key(node)));
                    if !self.suggest(&mut names, out) {
                        out.put(b"there is no [workload.NAME] of that name");
                    }
                }
                b'D' => self.first(node, out),
                b'C' => self.cycle(node, out),
                _ => node.0.show(out),
            }
        }
    }

    /// What could be meant, if anything.
    fn suggest(&self, names: &mut dyn Iterator<Item = &[u8]>, out: &mut dyn Sink) -> bool {
        let near = nearest(plain(self.token()), names);
        if let Some(near) = near {
            put!(*out, "did you mean ");
            quoted(near, out);
            put!(*out, "?");
        }
        near.is_some()
    }

    /// What could be meant, or else all there is.
    fn list(&self, names: Words, out: &mut dyn Sink) {
        if self.suggest(&mut names.clone(), out) {
            return;
        }
        let mut before = "one of ";
        for name in names {
            put!(*out, before, name);
            before = ", ";
        }
    }

    /// Where a key is known.
    fn known(&self, out: &mut dyn Sink) {
        match Key::home(plain(self.token())) {
            Some(Some(table)) => put!(*out, "it belongs in [workload.NAME.", table, "]"),
            Some(None) => put!(*out, "it belongs in [workload.NAME]"),
            None => self.list(self.problem.section.names(), out),
        }
    }

    /// Where a node was defined.
    fn first(&self, node: NodeId, out: &mut dyn Sink) {
        let node = self.tree.node(node);
        let place = if node.kind.is_table() && node.kind != Kind::Inline { node.value } else { node.key };
        let first = self.sources.locate(place);
        put!(*out, first.file, ":", first.line, ":", first.column);
    }

    /// ` in [workload.web.limits]`, as the keys are written in the file.
    fn path(&self, table: NodeId, out: &mut dyn Sink) {
        let mut before = " in [";
        for depth in 1..=self.tree.node(table).depth {
            put!(*out, before);
            visible(self.key(self.tree.ancestor(table, depth)), out);
            before = ".";
        }
        put!(*out, if table == ROOT { "" } else { "]" });
    }

    /// `a -> b -> a`, along the marks that the search left.
    fn cycle(&self, start: NodeId, out: &mut dyn Sink) {
        let mut at = start;
        for _ in 0..limits::WORKLOADS {
            let node = self.tree.node(at);
            visible(self.key(at), out);
            put!(*out, " -> ");
            let wanted = self.tree.node(NodeId(node.mark.get())).value;
            match self.tree.find(self.sources, node.parent, wanted) {
                Ok(next) if next != start => at = next,
                _ => break,
            }
        }
        visible(self.key(start), out);
    }

    /// What the machine does without.
    fn part(&self, out: &mut dyn Sink) {
        let node = match self.problem.part {
            Part::None => return,
            Part::Key => return put!(*out, "      = it has no effect\n"),
            Part::Table(node) => node,
            Part::Text(node) => {
                put!(*out, "      = skipped up to the next [table]\n");
                node
            }
        };
        if self.tree.node(node).depth == 2 {
            put!(*out, "      = ");
            visible(self.key(self.tree.node(node).parent), out);
            put!(*out, " ");
            quoted(self.key(node), out);
            put!(*out, " is left out\n");
        }
    }
}

impl Show for Shown<'_> {
    fn show(&self, out: &mut dyn Sink) {
        let location = self.sources.locate(self.problem.place);
        let (sentence, advice) = halves(SENTENCES, self.problem.what.wrong as u8);
        put!(*out, location.file, ":", location.line, ":", location.column, ": ");
        self.say(sentence, out);
        // A long line is shown from a little before the place.
        let skipped = location.column.saturating_sub(MOST_BEFORE);
        put!(*out, "\n", Right(location.line, 5), " | ");
        shorten(after(location.text, skipped), MOST_LINE, out);
        put!(*out, "\n      | ");
        for _ in skipped..location.column.saturating_sub(1) {
            put!(*out, " ");
        }
        for _ in 0..location.width.clamp(1, MOST_LINE.saturating_sub(MOST_BEFORE)) {
            put!(*out, "^");
        }
        put!(*out, " ");
        self.say(advice, out);
        put!(*out, "\n");
        self.part(out);
    }
}

/// Characters of a token or a path's part that are repeated in a sentence.
const MOST_QUOTED: usize = 48;
/// Characters of a line that are shown, and how many of them before the place.
const MOST_LINE: usize = 100;
const MOST_BEFORE: usize = 60;

/// A token without its quotes.
fn plain(token: &[u8]) -> &[u8] {
    match token {
        [first @ (b'"' | b'\''), inner @ .., last] if first == last => inner,
        _ => token,
    }
}

/// A key or value of the config, `like this`.
#[inline(never)]
fn quoted(token: &[u8], out: &mut dyn Sink) {
    out.put(b"`");
    visible(plain(token), out);
    out.put(b"`");
}

#[inline(never)]
fn visible(text: &[u8], out: &mut dyn Sink) {
    shorten(text, MOST_QUOTED, out);
}

/// Up to `most` characters of untrusted text; what would move a cursor or is no
/// UTF-8 becomes a `?`.
fn shorten(mut text: &[u8], most: usize, out: &mut dyn Sink) {
    for _ in 0..most {
        let len = char_len(text);
        let Some((character, rest)) = text.split_at_checked(len.unwrap_or(1)) else { return };
        match (character, len) {
            ([b'\t'], _) => out.put(b" "),
            // C1 control characters are 0xc2 and up to 0x9f.
            ([0..=0x1f | 0x7f] | [0xc2, 0x80..=0x9f], _) | (_, None) => out.put(b"?"),
            _ => out.put(character),
        }
        text = rest;
    }
    if !text.is_empty() {
        out.put("…".as_bytes());
    }
}

/// `text` without its first `count` characters.
fn after(mut text: &[u8], count: usize) -> &[u8] {
    for _ in 0..count {
        text = text.get(char_len(text).unwrap_or(1)..).unwrap_or(&[]);
    }
    text
}
