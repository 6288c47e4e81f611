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

use super::form::{Form, halves, split};
use super::near::nearest;
use super::schema::Key;
use super::source::{Location, Sources, Span, char_len};
use super::tree::{Kind, NodeId, ROOT, Tree};
use crate::limits;
use crate::pack::Packed;
use crate::text::{Right, Show, Sink, words};
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
    DhcpOnBridge "@T of a bridge cannot come by DHCP|it is the machine's own network: \"10.88.0.1/24\"";
    NoAddress "@T has no `address`|`address = \"192.0.2.5/24\"`, or `[]` for none";
    NoDevice "@T has no `device`|a block device, or where it is mounted";
    NotOneVolume "@T is not one volume|`{ tmpfs = \"8M\" }` or `{ source = \"/directory\" }`";
    NotOneReady "@T is not one way to be ready|`{ fd = 3 }` or `{ tcp = 8080 }`";
    Gateway "@T cannot be reached|it is not in the network of `address`";
    GatewayAlone "@T cannot be reached|`address` is missing";
    VlanAlone "@T is not one kind of interface|a VLAN wants `vlan` and `link`, a bridge neither";
    NotOneNetwork "@T is not one network|one of `mode`, `bridge`, `macvlan`, `ipvlan`, `interface`";
    NoBridge "no bridge is called @T|`[network.NAME]` with `bridge = true`";
    NotOnBridge "@T cannot be its address|in a network of the bridge, and nobody else's";
    BridgeOnly "@T is of no use here|it wants `bridge = \"NAME\"`";
    PortsNowhere "@T lead nowhere|they want `bridge = \"NAME\"` or `mode = \"host\"`";
    TooEarly "@T is too early for this network|it comes with `[network]`";
    Backoff "@T makes `first` more than `most`|200ms and 30s where not given";
    Wall "@T asks for a wall|`privileged = true` takes down all walls: drop one of the two";
    MachineRight "@T counts for nothing in a user namespace|name its `user`, or `namespaces = { user = \"host\" }`";
    OwnIds "@T has ids of the machine|user namespaces go with `user = \"auto\"`";
    HostMounts "@T cannot be shared|its root is its own; `privileged = true` has the machine's";
    InitOutside "@T wants processes of its own|without `privileged` and `namespaces = { pid = \"host\" }`";
    Joined "@T is that of the workload it joins|drop one of the two";
    Join "@T cannot be joined|another workload that is not privileged and joins none itself";
    LeftOut "@T is left out|its own problem is reported above";
    Cycle "workloads wait for each other: @C|drop one of these";
    // Capacities of `limits` that are used up.
    Workloads "too many workloads|at most @N";
    Mounts "too many mounts|at most @N";
    Interfaces "too many interfaces|at most @N";
    Limits "too many limits|at most @N";
    Volumes "too many volumes|at most @N";
    Edges "too many names in `after` and `needs`|at most @N";
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

impl Show for Shown<'_> {
    fn show(&self, out: &mut dyn Sink) {
        Teller { shown: self, out }.tell()
    }
}

/// What is being told, and to whom: one thing to pass on.
struct Teller<'a> {
    shown: &'a Shown<'a>,
    out: &'a mut dyn Sink,
}

impl<'a> Teller<'a> {
    fn tell(&mut self) {
        let Problem { place, what, .. } = self.shown.problem;
        let (sentence, advice) = halves(SENTENCES, what.wrong as u8);
        let location = self.place(place);
        self.put(b": ");
        self.say(sentence);
        // A long line is shown from a little before the place.
        let skipped = location.column.saturating_sub(MOST_BEFORE);
        put!(*self.out, "\n", Right(location.line, 5), " | ");
        shorten(after(location.text, skipped), MOST_LINE, self.out);
        self.put(b"\n      | ");
        for _ in skipped..location.column.saturating_sub(1) {
            self.put(b" ");
        }
        for _ in 0..location.width.clamp(1, MOST_LINE.saturating_sub(MOST_BEFORE)) {
            self.put(b"^");
        }
        self.put(b" ");
        self.say(advice);
        self.put(b"\n");
        self.part();
    }

    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        self.out.put(bytes);
    }

    /// `/etc/corm.toml:12:1`
    #[inline(never)]
    fn place(&mut self, place: Span) -> Location<'a> {
        let location = self.shown.sources.locate(place);
        put!(*self.out, location.file, ":", location.line, ":", location.column);
        location
    }

    /// The token that is wrong, without its quotes.
    #[inline(never)]
    fn token(&self) -> &'a [u8] {
        plain(self.shown.sources.bytes(self.shown.problem.place))
    }

    /// A node's key, as it is in the file.
    #[inline(never)]
    fn key(&mut self, node: NodeId) {
        shorten(self.shown.key(node), MOST_QUOTED, self.out);
    }

    /// A key or value of the config, `like this`.
    #[inline(never)]
    fn quoted(&mut self, token: &[u8]) {
        self.put(b"`");
        shorten(plain(token), MOST_QUOTED, self.out);
        self.put(b"`");
    }

    /// A sentence, and in the place of `@T` and its like what they stand for.
    #[inline(never)]
    fn say(&mut self, sentence: Packed) {
        let mut sentence = sentence.0;
        let Shown { tree, problem: Problem { section, what, .. }, .. } = *self.shown;
        let What { form, node, .. } = what;
        loop {
            let (words, rest) = split(sentence, b'@');
            Packed(words).show(self.out);
            let Some((letter, rest)) = rest.split_first() else { return };
            sentence = rest;
            match letter {
                b'T' => self.quoted(self.token()),
                b'F' => form.words().0.show(self.out),
                b'A' => {
                    form.words().1.show(self.out);
                    self.list(form.choices());
                }
                b'V' => self.put(tree.node(node).kind.name()),
                b'I' => self.path(node),
                b'K' => match Key::home(self.token()) {
                    Some(table) => {
                        self.put(b"it belongs in [workload.NAME");
                        self.put(if table.is_empty() { b"" } else { b"." });
                        self.put(table);
                        self.put(b"]");
                    }
                    None => self.list(section.names()),
                },
                b'W' => {
                    let mut names = tree.children(node).map(|node| plain(self.shown.key(node)));
                    if !self.suggest(&mut names) {
                        put!(*self.out, "there is no [workload.NAME] of that name");
                    }
                }
                b'D' => {
                    let node = tree.node(node);
                    let opened = node.kind.is_table() && node.kind != Kind::Inline;
                    self.place(if opened { node.value } else { node.key });
                }
                b'C' => self.cycle(node),
                _ => node.0.show(self.out),
            }
        }
    }

    /// What could be meant, if anything.
    #[inline(never)]
    fn suggest(&mut self, names: &mut dyn Iterator<Item = &[u8]>) -> bool {
        let near = nearest(self.token(), names);
        if let Some(near) = near {
            put!(*self.out, "did you mean ");
            self.quoted(near);
            self.put(b"?");
        }
        near.is_some()
    }

    /// What could be meant, or else all there is.
    #[inline(never)]
    fn list(&mut self, names: &'static [u8]) {
        if self.suggest(&mut words(names, b' ')) {
            return;
        }
        let mut before: &[u8] = b"one of ";
        for name in words(names, b' ') {
            self.put(before);
            self.put(name);
            before = b", ";
        }
    }

    /// ` in [workload.web.limits]`, as the keys are written in the file.
    #[inline(never)]
    fn path(&mut self, table: NodeId) {
        let tree = self.shown.tree;
        let mut before: &[u8] = b" in [";
        for depth in 0..tree.node(table).depth {
            let node = tree.ancestor(table, depth.saturating_add(1));
            // What is in an array has no key.
            if !self.shown.key(node).is_empty() {
                self.put(before);
                self.key(node);
                before = b".";
            }
        }
        self.put(if table == ROOT { b"" } else { b"]" });
    }

    /// `a -> b -> a`, along the marks that the search left.
    #[inline(never)]
    fn cycle(&mut self, start: NodeId) {
        let Shown { tree, sources, .. } = *self.shown;
        let mut at = start;
        for _ in 0..limits::WORKLOADS {
            let node = tree.node(at);
            self.key(at);
            self.put(b" -> ");
            let wanted = tree.node(NodeId(node.mark.get())).value;
            match tree.find(sources, node.parent, wanted) {
                Ok(next) if next != start => at = next,
                _ => break,
            }
        }
        self.key(start);
    }

    /// What the machine does without.
    fn part(&mut self) {
        let node = match self.shown.problem.part {
            Part::None => return,
            Part::Key => return put!(*self.out, "      = it has no effect\n"),
            Part::Table(node) => node,
            Part::Text(node) => {
                put!(*self.out, "      = skipped up to the next [table]\n");
                node
            }
        };
        let place = self.shown.tree.node(node);
        if place.depth == 2 {
            self.put(b"      = ");
            self.key(place.parent);
            self.put(b" ");
            self.quoted(self.shown.key(node));
            put!(*self.out, " is left out\n");
        }
    }
}

impl Shown<'_> {
    fn key(&self, node: NodeId) -> &[u8] {
        self.sources.bytes(self.tree.node(node).key)
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

/// Up to `most` characters of untrusted text; what would move a cursor or is no
/// UTF-8 becomes a `?`.
#[inline(never)]
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
