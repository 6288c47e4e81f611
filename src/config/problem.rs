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

use super::form::{Form, halves};
use super::near::nearest;
use super::schema::{self, Section};
use super::source::{Location, Sources, Span, char_len};
use super::token::{bare, same, word};
use super::tree::{Kind, NodeId, ROOT, Tree};
use crate::text::{Right, Show, Sink};
use crate::{limits, put};

/// Whoever wants to know what is wrong with a config.
pub trait Report {
    fn problem(&mut self, problem: &Shown);
}

/// One thing that is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub place: Span,
    pub what: What,
    /// What the machine does without because of it, where that was not said yet.
    pub part: Option<Part>,
}

/// What is left out for a problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Workload(NodeId),
    Mount(NodeId),
    Interface(NodeId),
    /// A single key of `[system]`.
    Key,
    /// Text up to the next table header, and with it perhaps one of the others.
    Text(NodeId),
}

/// Small, so that it travels in a register.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Syntax(Syntax),
    Rule(Rule),
    /// This node has that name already.
    Defined(NodeId),
    /// A table of that section has no such key.
    UnknownKey(Section, NodeId),
    /// A value of that kind, where there should be one of that form.
    WrongKind(Form, Kind),
    WrongValue(Form),
    /// It belongs to the design and not to this version.
    NotYet,
    /// There is no such name among the children of this table.
    UnknownWorkload(NodeId),
    /// From this workload on, along the marks of the tree.
    Cycle(NodeId),
    TooMany(Many),
}

const _: () = assert!(size_of::<What>() == 4);

macro_rules! sentences {
    ($(#[$doc:meta])* $name:ident { $($item:ident $sentence:literal, $advice:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(super) enum $name {
            $($item,)*
        }

        impl $name {
            /// What is wrong, and what to do about it.
            fn words(self) -> (&'static [u8], &'static [u8]) {
                static WORDS: &[&str] = &[$(concat!($sentence, "|", $advice)),*];
                halves(WORDS, self as usize)
            }
        }
    };
}

sentences! {
    /// Text that is not the TOML we read.
    Syntax {
        Key "expected a key", "letters, digits, `-` and `_`; anything else in quotes";
        Equals "expected `=` after the key", "`key = value`";
        Value "expected a value", "a string in quotes, a number, true, false, [...] or {...}";
        Word "expected a value", "a string wants quotes";
        LineEnd "expected the end of the line", "one `key = value` a line; # starts a comment";
        HeaderEnd "expected `]` after the table's name", "`[table]`";
        ArrayEnd "expected `,` or `]`", "an array ends in `]`";
        InlineKey "expected a key of this table", "{...} stays on one line, without a comma at its end";
        InlineEnd "expected `,` or `}`", "{...} stays on one line; for more lines write a [table]";
        Quote "this string does not end", "the closing quote is missing";
        Escape "unknown escape", r#"\b \t \n \f \r \" \\ \uXXXX \UXXXXXXXX; in '...' a \ is a \"#;
        NotUnicode "not a Unicode character", "U+0001 to U+10FFFF without surrogates";
        Nul "a NUL character", "the kernel's strings end at it";
        Control "a control character", r"write it as an escape: \u001B";
        CarriageReturn "a carriage return without a newline", r"lines end in \n or \r\n";
        Utf8 "not UTF-8", "save the file as UTF-8";
        Integer "not a number", "such as 10, 1_000 or 0xff; \"64M\" and \"10s\" want quotes";
        BigInteger "this number is too large", "64 bits, with a sign";
        Float "no key takes a fraction", "write it in quotes: \"1.5\"";
        Date "no key takes a date or time", "write it in quotes";
        ArrayOfTables "[[...]] is not supported", "[table.name], or an array of {...}";
        Deep "nested too deeply", "no key needs more than 6 levels";
        Nodes "too many keys and values", "the rest is not read";
    }
}

sentences! {
    /// Values that are well-formed and yet cannot be. The sentence goes on from the value.
    Rule {
        NoCommand "has no `command`", "`command = [\"/bin/program\", \"argument\"]`";
        NoType "has no `type`", "the name of a filesystem";
        NoAddress "has no `address`", "`address = \"192.0.2.5/24\"`";
        WorkloadName "is no name for a workload", "a-z, 0-9 and `-`, at most 31";
        ReservedName "is corm's own name", "call it something else";
        MountTarget "is no place to mount on", "an absolute path, not / /proc /sys or /dev";
        VolumeTarget "is no place for a volume", "an absolute path, not / and not in /proc, /sys or /dev";
        VolumeSource "is not one volume", "`{ tmpfs = \"8M\" }` or `{ source = \"/directory\" }`";
        InterfaceName "is no name for an interface", "at most 15 characters";
        EnvName "is no name for a variable", "it is empty or contains `=`";
        SysctlName "is no kernel setting", "as below /proc/sys: \"kernel.panic\"";
        Gateway "cannot be reached", "it is not in the network of `address`";
        GatewayAlone "cannot be reached", "`address` is missing";
        Backoff "makes `first` more than `most`", "200ms and 30s where not given";
        Wall "asks for a wall", "`privileged = true` takes down all walls: drop one of the two";
        LeftOut "is left out", "its own problem is reported above";
    }
}

sentences! {
    /// A capacity of [`limits`] that is used up.
    Many {
        Workloads "workloads", "";
        Mounts "mounts", "";
        Interfaces "interfaces", "";
        Volumes "volumes", "";
        Edges "names in `after`", "";
        Words "strings in arrays", "";
        Pairs "variables and settings", "";
        Bytes "characters in strings", "";
        Tables "tables", "";
    }
}

impl Many {
    fn most(self) -> usize {
        match self {
            Many::Workloads => limits::WORKLOADS,
            Many::Mounts => limits::MOUNTS,
            Many::Interfaces => limits::INTERFACES,
            Many::Volumes => limits::VOLUMES,
            Many::Edges => limits::EDGES,
            Many::Words => limits::WORDS,
            Many::Pairs => limits::PAIRS,
            Many::Bytes => limits::STRINGS,
            Many::Tables => super::read::TABLES,
        }
    }
}

/// A [`Problem`] and all it takes to print it.
pub struct Shown<'a> {
    pub(super) sources: &'a Sources,
    pub(super) tree: &'a Tree,
    pub(super) problem: Problem,
}

impl Shown<'_> {
    pub fn location(&self) -> Location<'_> {
        self.sources.locate(self.problem.place)
    }

    fn token(&self) -> &[u8] {
        self.sources.bytes(self.problem.place)
    }

    /// What is wrong, without place and advice.
    pub fn sentence(&self, out: &mut dyn Sink) {
        let token = Quoted(self.token());
        match self.problem.what {
            What::Syntax(syntax) => put!(*out, syntax.words().0),
            What::Rule(rule) => put!(*out, token, " ", rule.words().0),
            What::Defined(_) => put!(*out, token, " is defined twice"),
            What::UnknownKey(_, table) => {
                put!(*out, "unknown key ", token);
                if table != ROOT {
                    put!(*out, " in [");
                    self.path(table, out);
                }
            }
            What::WrongKind(form, found) => {
                put!(*out, "expected ", form.words().0, ", found ", name(found));
            }
            What::WrongValue(form) if form.choices().next().is_some() => {
                put!(*out, token, " is none of the choices");
            }
            What::WrongValue(form) => put!(*out, token, " is not ", form.words().0),
            What::NotYet => put!(*out, token, " is not supported yet"),
            What::UnknownWorkload(_) => put!(*out, "no workload is called ", token),
            What::Cycle(start) => {
                put!(*out, "workloads wait for each other: ");
                self.cycle(start, out);
            }
            What::TooMany(many) => put!(*out, "too many ", many.words().0),
        }
    }

    /// What to do about it.
    pub fn advice(&self, out: &mut dyn Sink) {
        match self.problem.what {
            What::Syntax(syntax) => put!(*out, syntax.words().1),
            What::Rule(rule) => put!(*out, rule.words().1),
            What::Defined(first) => {
                let node = self.tree.node(first);
                let place =
                    if node.kind.is_table() && node.kind != Kind::Inline { node.value } else { node.key };
                let first = self.sources.locate(place);
                put!(*out, "first at ", first.file, ":", first.line, ":", first.column);
            }
            What::UnknownKey(section, _) => {
                let word = word(self.token());
                let home = schema::OF_WORKLOAD.iter().find(|home| home.key(word.as_bytes()).is_some());
                match home {
                    Some(home) => put!(*out, "it belongs in ", home.title()),
                    None => list(out, word.as_bytes(), section.names()),
                }
            }
            What::WrongKind(form, _) | What::WrongValue(form) => {
                put!(*out, form.words().1);
                list(out, word(self.token()).as_bytes(), form.choices());
            }
            What::UnknownWorkload(table) => {
                let mut names =
                    self.tree.children(table).map(|node| plain(self.sources.bytes(self.tree.node(node).key)));
                if let Some(near) = nearest(plain(self.token()), &mut names) {
                    return put!(*out, "did you mean ", Quoted(near), "?");
                }
                put!(*out, "there is no [workload.NAME] of that name");
            }
            What::NotYet => put!(*out, "it comes with a later version of corm"),
            What::Cycle(_) => put!(*out, "drop one of these"),
            What::TooMany(many) => put!(*out, "at most ", many.most()),
        }
    }

    /// What the machine does without.
    fn part(&self, out: &mut dyn Sink) {
        let quoted = |node: NodeId| Quoted(self.sources.bytes(self.tree.node(node).key));
        let part = match self.problem.part {
            Some(Part::Text(node)) => {
                put!(*out, "      = skipped up to the next [table]\n");
                part_of(self.sources, self.tree, node)
            }
            part => part,
        };
        match part {
            Some(Part::Workload(node)) => put!(*out, "      = workload ", quoted(node), " is left out\n"),
            Some(Part::Mount(node)) => put!(*out, "      = ", quoted(node), " is not mounted\n"),
            Some(Part::Interface(node)) => put!(*out, "      = ", quoted(node), " is not set up\n"),
            Some(Part::Key) => put!(*out, "      = it has no effect\n"),
            Some(Part::Text(_)) | None => {}
        }
    }

    /// `[workload.web.limits]`, as the keys are written in the file.
    fn path(&self, table: NodeId, out: &mut dyn Sink) {
        for depth in 1..=self.tree.node(table).depth {
            let key = self.tree.node(self.tree.ancestor(table, depth)).key;
            put!(*out, if depth > 1 { "." } else { "" });
            visible(self.sources.bytes(key), MOST_QUOTED, out);
        }
        put!(*out, "]");
    }

    /// `a -> b -> a`, along the marks that the search left.
    fn cycle(&self, start: NodeId, out: &mut dyn Sink) {
        let mut at = start;
        for _ in 0..limits::WORKLOADS {
            let node = self.tree.node(at);
            visible(self.sources.bytes(node.key), MOST_QUOTED, out);
            put!(*out, " -> ");
            let wanted = self.tree.node(NodeId(node.mark.get())).value;
            match self.tree.find(self.sources, node.parent, wanted) {
                Ok(next) if next != start => at = next,
                _ => break,
            }
        }
        visible(self.sources.bytes(self.tree.node(start).key), MOST_QUOTED, out);
    }
}

impl Show for Shown<'_> {
    fn show(&self, out: &mut dyn Sink) {
        let location = self.location();
        put!(*out, location.file, ":", location.line, ":", location.column, ": ");
        self.sentence(out);
        // A long line is shown from a little before the place.
        let skipped = location.column.saturating_sub(MOST_BEFORE);
        put!(*out, "\n", Right(location.line, 5), " | ");
        visible(after(location.text, skipped), MOST_LINE, out);
        put!(*out, "\n      | ");
        for _ in skipped..location.column.saturating_sub(1) {
            put!(*out, " ");
        }
        for _ in 0..location.width.clamp(1, MOST_LINE.saturating_sub(MOST_BEFORE)) {
            put!(*out, "^");
        }
        put!(*out, " ");
        self.advice(out);
        put!(*out, "\n");
        self.part(out);
    }
}

/// The workload, mount or interface that `node` is, if it is one.
pub(super) fn part_of(sources: &Sources, tree: &Tree, node: NodeId) -> Option<Part> {
    let section = tree.node(tree.ancestor(node, 1)).key;
    let is = |name| same(sources.bytes(section), bare(name));
    if tree.node(node).depth != 2 {
        None
    } else if is("workload") {
        Some(Part::Workload(node))
    } else if is("mount") {
        Some(Part::Mount(node))
    } else if is("network") {
        Some(Part::Interface(node))
    } else {
        None
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Nothing => "nothing",
        Kind::Text => "a string",
        Kind::Integer => "a number",
        Kind::Boolean => "a boolean",
        Kind::Array => "an array",
        Kind::Inline | Kind::Table | Kind::Implied | Kind::Dotted => "a table",
    }
}

/// Characters of a token or a path's part that are repeated in a sentence.
const MOST_QUOTED: usize = 48;
/// Characters of a line that are shown, and how many of them before the place.
const MOST_LINE: usize = 100;
const MOST_BEFORE: usize = 60;

/// What could be meant, or else all there is.
fn list(out: &mut dyn Sink, word: &[u8], names: impl Iterator<Item = &'static [u8]> + Clone) {
    if let Some(near) = nearest(word, &mut names.clone()) {
        return put!(*out, "did you mean `", near, "`?");
    }
    for (index, name) in names.enumerate() {
        put!(*out, if index == 0 { "one of " } else { ", " }, name);
    }
}

/// A token without its quotes.
fn plain(token: &[u8]) -> &[u8] {
    match token {
        [first @ (b'"' | b'\''), inner @ .., last] if first == last => inner,
        _ => token,
    }
}

/// A key or value of the config, `like this`.
struct Quoted<'a>(&'a [u8]);

impl Show for Quoted<'_> {
    fn show(&self, out: &mut dyn Sink) {
        out.put(b"`");
        visible(plain(self.0), MOST_QUOTED, out);
        out.put(b"`");
    }
}

/// Up to `most` characters of untrusted text; what would move a cursor or is no
/// UTF-8 becomes a `?`.
fn visible(mut text: &[u8], most: usize, out: &mut dyn Sink) {
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
