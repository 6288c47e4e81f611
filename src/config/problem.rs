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

use super::form::Form;
use super::schema::Section;
use super::source::{Location, Sources, Span, char_len};
use super::token::decode;
use super::tree::{Kind, NodeId, ROOT, Tree};
use crate::put;
use crate::text::{Right, Show, Sink};

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

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Syntax(Syntax),
    Rule(Rule),
    /// This node has that name already.
    Defined(NodeId),
    /// In that table. A key that was meant, or a table that has this key.
    UnknownKey {
        table: NodeId,
        near: Option<&'static str>,
        home: Option<Section>,
    },
    WrongKind {
        form: Form,
        found: Kind,
    },
    WrongValue {
        form: Form,
        near: Option<&'static str>,
    },
    /// It belongs to the design and not to this version.
    NotYet,
    Missing(&'static str),
    UnknownWorkload {
        near: Option<NodeId>,
    },
    /// From this workload on, along the marks of the tree.
    Cycle(NodeId),
    /// Of what, and how many there may be.
    TooMany(&'static str, usize),
}

/// Text that is not the TOML we read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Syntax {
    Key,
    Equals,
    Value,
    Word,
    LineEnd,
    HeaderEnd,
    ArrayEnd,
    InlineEnd,
    Quote,
    Escape,
    NotUnicode,
    Nul,
    Control,
    CarriageReturn,
    Utf8,
    Integer,
    BigInteger,
    Float,
    Date,
    ArrayOfTables,
    Deep,
    Nodes,
}

impl Syntax {
    /// What is wrong, and what to do about it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Syntax::Key => ("expected a key", "letters, digits, `-` and `_`; anything else in quotes"),
            Syntax::Equals => ("expected `=` after the key", "`key = value`"),
            Syntax::Value => {
                ("expected a value", "a string in quotes, a number, true, false, [ … ] or { … }")
            }
            Syntax::Word => ("expected a value", "a string wants quotes"),
            Syntax::LineEnd => {
                ("expected the end of the line", "one `key = value` a line; # starts a comment")
            }
            Syntax::HeaderEnd => ("expected `]` after the table's name", "`[table]`"),
            Syntax::ArrayEnd => ("expected `,` or `]`", "an array ends in `]`"),
            Syntax::InlineEnd => {
                ("expected `,` or `}`", "{ … } stays on one line; for more lines, write a [table]")
            }
            Syntax::Quote => ("this string does not end", "the closing quote is missing"),
            Syntax::Escape => {
                ("unknown escape", r#"\b \t \n \f \r \" \\ \uXXXX \UXXXXXXXX; in '…' a \ is a \"#)
            }
            Syntax::NotUnicode => ("not a Unicode character", ""),
            Syntax::Nul => ("a NUL character", "the kernel's strings end at it"),
            Syntax::Control => ("a control character", "write it as an escape: \\u001B"),
            Syntax::CarriageReturn => ("a carriage return without a newline", "lines end in \\n or \\r\\n"),
            Syntax::Utf8 => ("not UTF-8", "save the file as UTF-8"),
            Syntax::Integer => ("not a number", "such as 10, -1, 1_000, 0xff, 0o755"),
            Syntax::BigInteger => ("this number is too large", "64 bits, with a sign"),
            Syntax::Float => ("no key takes a fraction", "write it in quotes: \"1.5\""),
            Syntax::Date => ("no key takes a date or time", "write it in quotes"),
            Syntax::ArrayOfTables => ("[[…]] is not supported", "[table.name], or an array of { … }"),
            Syntax::Deep => ("nested too deeply", "no key needs more than 6 levels"),
            Syntax::Nodes => ("too many keys and values", "at most 8191 in all files; the rest is not read"),
        }
    }
}

/// Values that are well-formed and yet cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    WorkloadName,
    ReservedName,
    MountTarget,
    VolumeTarget,
    VolumeSource,
    InterfaceName,
    EnvName,
    SysctlName,
    Option,
    Gateway,
    GatewayAlone,
    Backoff,
    Wall,
    LeftOut,
}

impl Rule {
    /// What is wrong with the thing at the place, and what to do about it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Rule::WorkloadName => ("is no name for a workload", "a-z, 0-9 and `-`, at most 31"),
            Rule::ReservedName => ("is corm's own name", "call it something else"),
            Rule::MountTarget => ("is no place to mount on", "an absolute path, not / /proc /sys or /dev"),
            Rule::VolumeTarget => {
                ("is no place for a volume", "an absolute path, not / and not in /proc, /sys or /dev")
            }
            Rule::VolumeSource => {
                ("is not one volume", "`{ tmpfs = \"8M\" }` or `{ source = \"/directory\" }`")
            }
            Rule::InterfaceName => ("is no name for an interface", "at most 15 characters"),
            Rule::EnvName => ("is no name for a variable", "it is empty or contains `=`"),
            Rule::SysctlName => ("is no kernel setting", "as below /proc/sys: \"kernel.panic\""),
            Rule::Option => ("is not a word", "no spaces and commas: one option a string"),
            Rule::Gateway => ("cannot be reached", "it is not in the network of `address`"),
            Rule::GatewayAlone => ("cannot be reached", "`address` is missing"),
            Rule::Backoff => ("is more than `most`", "30s unless it is given"),
            Rule::Wall => {
                ("asks for a wall", "`privileged = true` takes down all walls: drop one of the two")
            }
            Rule::LeftOut => ("is left out", "its own problem is reported above"),
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

    /// What is wrong, without place and advice.
    pub fn sentence(&self, out: &mut dyn Sink) {
        let token = Quoted(self.sources.bytes(self.problem.place));
        match self.problem.what {
            What::Syntax(syntax) => put!(*out, syntax.words().0),
            What::Rule(rule) => put!(*out, token, " ", rule.words().0),
            What::Defined(_) => put!(*out, token, " is defined twice"),
            What::UnknownKey { table: ROOT, .. } => put!(*out, "unknown key ", token),
            What::UnknownKey { table, .. } => {
                put!(*out, "unknown key ", token, " in ");
                self.path(table, out);
            }
            What::WrongKind { form, found } => {
                put!(*out, "expected ", form.words().1, ", found ", name(found));
            }
            What::WrongValue { form, .. } => put!(*out, token, " is not ", form.words().1),
            What::NotYet => put!(*out, token, " is not supported yet"),
            What::Missing(key) => put!(*out, token, " has no `", key, "`"),
            What::UnknownWorkload { .. } => put!(*out, "no workload is called ", token),
            What::Cycle(start) => {
                put!(*out, "workloads wait for each other: ");
                self.cycle(start, out);
            }
            What::TooMany(what, _) => put!(*out, "too many ", what),
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
            What::UnknownKey { near: Some(near), .. } | What::WrongValue { near: Some(near), .. } => {
                put!(*out, "did you mean `", near, "`?");
            }
            What::UnknownKey { home: Some(home), .. } => put!(*out, "it belongs in ", home.title()),
            What::WrongKind { form, .. } | What::WrongValue { form, .. } => {
                let choices = form.choices();
                put!(*out, form.words().2);
                for (index, choice) in choices.iter().enumerate() {
                    put!(*out, if index > 0 { " | " } else { "" }, "\"", choice, "\"");
                }
            }
            What::UnknownWorkload { near: Some(near) } => {
                put!(*out, "did you mean ", Quoted(self.sources.bytes(self.tree.node(near).key)), "?");
            }
            What::NotYet => put!(*out, "it comes with a later version of corm"),
            What::Cycle(_) => put!(*out, "drop one of these"),
            What::TooMany(_, most) => put!(*out, "at most ", most),
            What::UnknownKey { .. } | What::UnknownWorkload { .. } | What::Missing(_) => {}
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
        put!(*out, "[");
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
        for _ in 0..crate::limits::WORKLOADS {
            let node = self.tree.node(at);
            visible(self.sources.bytes(node.key), MOST_QUOTED, out);
            put!(*out, " -> ");
            let wanted = self.tree.node(NodeId(node.mark)).value;
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
    let is = |name: &str| decode(sources.bytes(section)).eq(name.bytes());
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

/// A key or value of the config, `like this`.
struct Quoted<'a>(&'a [u8]);

impl Show for Quoted<'_> {
    fn show(&self, out: &mut dyn Sink) {
        out.put(b"`");
        let inner = match self.0 {
            [first @ (b'"' | b'\''), inner @ .., last] if first == last => inner,
            token => token,
        };
        visible(inner, MOST_QUOTED, out);
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
