//! The tree of values becomes a [`Config`].
//!
//! The tables of [`schema`](super::schema) are walked without recursion: a table
//! inside a table is put on a list of tables to walk. Each value is checked by
//! its [`Form`] and then put where it belongs by `apply`.
//!
//! A workload, mount or interface is read into a draft, and the draft becomes
//! part of the config only if nothing was wrong with it: PID 1 runs what is
//! right and says what it left out. What it left out of a workload could have
//! been a limit or a wall, so a workload is all or nothing.

use super::form::{self, Form};
use super::problem::{Part, Problem, Report, Rule, Shown, What, part_of};
use super::schema::{Section, Use};
use super::source::{Sources, Span};
use super::token::{decode, integer};
use super::toml::{Parser, Wrong};
use super::tree::{Kind, NodeId, ROOT, Tree};
use super::types::*;
use super::{Syntax, graph, near, users};
use crate::limits;
use heapless::Vec;

/// What came of reading a config.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Problems found; at most [`limits::CONFIG_PROBLEMS`] of them were reported.
    pub problems: u16,
    /// Workloads, mounts and interfaces that are left out for them.
    pub left_out: u16,
}

/// Reads all files of `sources` into `config`. Whatever they say, this ends, and
/// `config` holds what was right.
pub fn read(sources: &Sources, tree: &mut Tree, config: &mut Config, report: &mut dyn Report) -> Outcome {
    tree.clear();
    config.clear();
    let mut teller = Teller { sources, report, outcome: Outcome::default() };
    parse(sources, tree, &mut teller);
    let mut reader = Reader {
        sources,
        tree,
        config,
        teller,
        part: None,
        bad: false,
        pending: Vec::new(),
        mounts: None,
        networks: None,
        workloads: None,
        exit_with: None,
        mount: NO_MOUNT,
        interface: NO_INTERFACE,
        gateway: None,
        workload: NO_WORKLOAD,
        volumes: None,
        user: false,
        wall: None,
        backoff: None,
        volume: Draft::default(),
    };
    reader.walk(Section::Top, ROOT);
    reader.read_mounts();
    reader.read_interfaces();
    reader.read_workloads();
    reader.teller.outcome
}

/// All files into one tree.
fn parse(sources: &Sources, tree: &mut Tree, teller: &mut Teller) {
    for file in &sources.files {
        let mut parser = Parser::new(sources, tree, *file);
        loop {
            match parser.step() {
                Ok(true) => {}
                Ok(false) => break,
                Err(Wrong { place, what }) => {
                    let part = Some(Part::Text(parser.recover()));
                    teller.tell(parser.tree, Problem { place, what, part });
                    if let What::Syntax(Syntax::Nodes) = what {
                        return;
                    }
                }
            }
        }
    }
}

/// The child of `table` with that name.
pub(super) fn named(sources: &Sources, tree: &Tree, table: NodeId, name: &str) -> Option<NodeId> {
    tree.children(table).find(|child| decode(sources.bytes(tree.node(*child).key)).eq(name.bytes()))
}

/// Counts problems and passes them on.
struct Teller<'a> {
    sources: &'a Sources,
    report: &'a mut dyn Report,
    outcome: Outcome,
}

impl Teller<'_> {
    fn tell(&mut self, tree: &Tree, problem: Problem) {
        if !self.is_full() {
            self.report.problem(&Shown { sources: self.sources, tree, problem });
        }
        self.outcome.problems = self.outcome.problems.saturating_add(1);
    }

    fn is_full(&self) -> bool {
        self.outcome.problems >= limits::CONFIG_PROBLEMS
    }
}

/// What a value comes to; which of these counts depends on its form.
#[derive(Clone, Copy, Default)]
struct Value {
    number: u64,
    text: Str,
    start: u16,
    len: u16,
}

impl Value {
    fn list<T>(self) -> List<T> {
        List { start: self.start, len: self.len, of: core::marker::PhantomData }
    }

    fn short(self) -> u32 {
        u32::try_from(self.number).unwrap_or(u32::MAX)
    }

    /// A limit that can be lifted.
    fn limit(self) -> Option<u64> {
        Some(self.number).filter(|number| *number != UNLIMITED)
    }

    fn short_limit(self) -> Option<u32> {
        u32::try_from(self.number).ok()
    }
}

/// "max". Sizes are kept below what fits a signed number, so it is none of them.
const UNLIMITED: u64 = u64::MAX;
/// `user = "auto"`: no pair of ids, because the last one is refused.
const AUTO: u64 = u64::MAX;

const NO_MOUNT: Mount =
    Mount { target: NO_STR, source: NO_STR, kind: NO_STR, options: List::EMPTY, required: false };

const NO_INTERFACE: Interface = Interface { name: NO_STR, address: [0; 4], prefix: NO_PREFIX, gateway: None };

const NO_STR: Str = Str { at: 0, len: 0 };

/// `address` was not given.
const NO_PREFIX: u8 = u8::MAX;

const NO_WORKLOAD: Workload = Workload {
    name: NO_STR,
    command: List::EMPTY,
    root: Root::Scratch,
    user: User::Auto { first: 0 },
    env: List::EMPTY,
    directory: None,
    restart: Restart::Always,
    backoff: Backoff::DEFAULT,
    after: List::EMPTY,
    stop: Stop::DEFAULT,
    critical: false,
    privileged: false,
    early: false,
    stdio: Stdio::Log,
    limits: Limits::DEFAULT,
    volumes: List::EMPTY,
    network: Network::None,
    host_pid: false,
};

/// A volume before it is clear what it is.
#[derive(Clone, Copy, Default)]
struct Draft {
    tmpfs: Option<u64>,
    source: Option<Str>,
    writable: Option<bool>,
}

struct Reader<'a> {
    sources: &'a Sources,
    tree: &'a mut Tree,
    config: &'a mut Config,
    teller: Teller<'a>,
    /// What is being read; it was not yet said that it is left out.
    part: Option<Part>,
    /// Something is wrong with it.
    bad: bool,
    pending: Vec<(Section, NodeId), 16>,
    // Tables that are read once `[system]` is.
    mounts: Option<NodeId>,
    networks: Option<NodeId>,
    workloads: Option<NodeId>,
    exit_with: Option<NodeId>,
    // Drafts.
    mount: Mount,
    interface: Interface,
    gateway: Option<Span>,
    workload: Workload,
    volumes: Option<NodeId>,
    user: bool,
    wall: Option<Span>,
    backoff: Option<Span>,
    volume: Draft,
}

type Checked<T> = Result<T, Wrong>;

/// Sizes of the pools, to take back what a draft has put there.
#[derive(Clone, Copy)]
struct Pools {
    strings: usize,
    words: usize,
    pairs: usize,
    volumes: usize,
}

impl Reader<'_> {
    fn bytes(&self, span: Span) -> &[u8] {
        self.sources.bytes(span)
    }

    fn problem(&mut self, place: Span, what: What) {
        let part = self.part;
        if part != Some(Part::Key) {
            self.part = None;
        }
        self.bad = true;
        self.teller.tell(self.tree, Problem { place, what, part });
    }

    /// Reads a table and all tables in it.
    fn walk(&mut self, section: Section, table: NodeId) {
        self.pending.clear();
        // There is room: it is empty.
        let _ = self.pending.push((section, table));
        let mut index = 0usize;
        while let Some((section, table)) = self.pending.get(index).copied() {
            if matches!(section, Section::Top | Section::System) {
                self.part = Some(Part::Key);
            }
            let mut child = self.tree.first(table);
            while let Some(node) = child {
                self.key(section, table, node);
                child = self.tree.next(node);
            }
            index = index.saturating_add(1);
        }
    }

    fn key(&mut self, section: Section, table: NodeId, child: NodeId) {
        let node = self.tree.node(child);
        if node.damaged || node.kind == Kind::Nothing {
            // Reported when it was parsed.
            self.bad = true;
            return;
        }
        let name = decode(self.bytes(node.key));
        let Some(key) = section.keys().iter().find(|key| name.clone().eq(key.name.bytes())) else {
            let what = self.unknown(section, table, node.key);
            return self.problem(node.key, what);
        };
        let done = match (self.value(key.form, child), key.used) {
            (Ok(_), Use::NotYet) => Err(Wrong { place: node.key, what: What::NotYet }),
            (Ok(value), used) => self.apply(used, child, value),
            (Err(wrong), _) => Err(wrong),
        };
        if let Err(Wrong { place, what }) = done {
            self.problem(place, what);
        }
    }

    fn unknown(&self, section: Section, table: NodeId, key: Span) -> What {
        let mut word = crate::text::Text::<32>::new();
        for byte in decode(self.bytes(key)).take(32) {
            crate::text::Sink::put(&mut word, &[byte]);
        }
        let word = word.as_bytes();
        let same = |keys: &[super::schema::Key]| keys.iter().any(|key| key.name.as_bytes() == word);
        let home = Section::OF_WORKLOAD.iter().copied().find(|home| same(home.keys()));
        let near = if home.is_some() || self.teller.is_full() {
            None
        } else {
            choose(word, section.keys().iter().map(|key| key.name))
        };
        What::UnknownKey { table, near, home }
    }

    /// Checks a value against its form. Tables in it are put on the list.
    fn value(&mut self, form: Form, child: NodeId) -> Checked<Value> {
        let node = self.tree.node(child);
        let (kinds, ..) = form.words();
        let kind = match node.kind {
            Kind::Nothing => 0,
            Kind::Text => form::TEXT,
            Kind::Integer => form::INTEGER,
            Kind::Boolean => form::BOOLEAN,
            Kind::Array => form::ARRAY,
            Kind::Inline | Kind::Table | Kind::Implied | Kind::Dotted => form::TABLE,
        };
        let wrong = |what| Wrong { place: node.value, what };
        if kinds & kind == 0 {
            return Err(wrong(What::WrongKind { form, found: node.kind }));
        }
        match kind {
            form::TEXT => self.text(form, node.value),
            form::ARRAY => self.array(form, child),
            form::TABLE => self.table(form, child),
            _ => {
                let token = self.sources.bytes(node.value);
                let number = match kind {
                    form::BOOLEAN => Some(u64::from(token == b"true")),
                    _ => whole(form, integer(token).unwrap_or(-1)),
                };
                let number = number.ok_or(wrong(What::WrongValue { form, near: None }))?;
                Ok(Value { number, ..Value::default() })
            }
        }
    }

    fn text(&mut self, form: Form, token: Span) -> Checked<Value> {
        let wrong = |what| Wrong { place: token, what };
        let before = self.config.strings.len();
        let text = self.intern(token)?;
        let bytes = self.config.bytes(text);
        let choices = form.choices();
        let number = match choices.iter().position(|choice| choice.as_bytes() == bytes) {
            Some(index) => u64::try_from(index).ok(),
            None => number(form, bytes).map_err(wrong)?,
        };
        let near = if number.is_none() { choose(bytes, choices.iter().copied()) } else { None };
        let keep = matches!(
            form,
            Form::Name
                | Form::Hostname
                | Form::Path
                | Form::Device
                | Form::Source
                | Form::RootDirectory
                | Form::Cpuset
                | Form::Words
        );
        if !keep {
            self.config.strings.truncate(before);
        }
        match number {
            Some(number) => Ok(Value { number, text, ..Value::default() }),
            None => Err(wrong(What::WrongValue { form, near })),
        }
    }

    fn array(&mut self, form: Form, array: NodeId) -> Checked<Value> {
        let place = self.tree.node(array).value;
        let first = self.config.words.len();
        let mut child = self.tree.first(array);
        if form == Form::Command && child.is_none() {
            return Err(Wrong { place, what: What::WrongValue { form, near: None } });
        }
        while let Some(element) = child {
            let node = self.tree.node(element);
            let wrong = |what| Err(Wrong { place: node.value, what });
            if form == Form::Io {
                if !node.kind.is_table() {
                    return wrong(What::WrongKind { form: Form::AnyTable, found: node.kind });
                }
                self.later(Section::Io, element)?;
            } else if node.kind != Kind::Text {
                return wrong(What::WrongKind { form: Form::Text, found: node.kind });
            } else {
                let word = self.intern(node.value)?;
                let bytes = self.config.bytes(word);
                let first = self.tree.first(array) == Some(element);
                let fine = match form {
                    Form::Command => !first || form::is_path(bytes),
                    Form::Modules => form::is_module(bytes),
                    Form::Options => form::is_word(bytes),
                    _ => true,
                };
                if !fine && form == Form::Options {
                    return wrong(What::Rule(Rule::Option));
                }
                if !fine {
                    return wrong(What::WrongValue {
                        form: if form == Form::Command { Form::Path } else { form },
                        near: None,
                    });
                }
                if self.config.words.push(word).is_err() {
                    return wrong(What::TooMany("strings in arrays", limits::WORDS));
                }
            }
            child = self.tree.next(element);
        }
        Ok(between(first, self.config.words.len()))
    }

    fn table(&mut self, form: Form, table: NodeId) -> Checked<Value> {
        match form {
            Form::Table(section) => self.later(section, table)?,
            Form::Stdio => self.later(Section::Stdio, table)?,
            Form::Env | Form::Sysctl => return self.pairs(form, table),
            _ => {}
        }
        Ok(Value { number: UNLIMITED, ..Value::default() })
    }

    /// A table to be walked after this one.
    fn later(&mut self, section: Section, table: NodeId) -> Checked<()> {
        self.pending.push((section, table)).map_err(|_| Wrong {
            place: self.tree.node(table).value,
            what: What::TooMany("tables", self.pending.capacity()),
        })
    }

    fn pairs(&mut self, form: Form, table: NodeId) -> Checked<Value> {
        let first = self.config.pairs.len();
        let mut child = self.tree.first(table);
        while let Some(entry) = child {
            let node = self.tree.node(entry);
            let key = self.intern(node.key)?;
            let bytes = self.config.bytes(key);
            let (fine, rule) = match form {
                Form::Env => (!bytes.is_empty() && !bytes.contains(&b'='), Rule::EnvName),
                _ => (form::is_sysctl(bytes), Rule::SysctlName),
            };
            if !fine {
                return Err(Wrong { place: node.key, what: What::Rule(rule) });
            }
            let value = match node.kind {
                Kind::Text => self.intern(node.value)?,
                Kind::Integer if form == Form::Sysctl => {
                    let mut text = crate::text::Text::<20>::new();
                    crate::put!(text, integer(self.bytes(node.value)).unwrap_or(0));
                    self.intern_bytes(node.value, &mut text.as_bytes().iter().copied())?
                }
                found => {
                    return Err(Wrong {
                        place: node.value,
                        what: What::WrongKind { form: Form::Text, found },
                    });
                }
            };
            if self.config.pairs.push(Pair { key, value }).is_err() {
                return Err(Wrong {
                    place: node.key,
                    what: What::TooMany("variables and settings", limits::PAIRS),
                });
            }
            child = self.tree.next(entry);
        }
        Ok(between(first, self.config.pairs.len()))
    }

    /// Copies the string of a token into the config's pool.
    fn intern(&mut self, token: Span) -> Checked<Str> {
        let mut bytes = decode(self.sources.bytes(token));
        self.intern_bytes(token, &mut bytes)
    }

    fn intern_bytes(&mut self, place: Span, bytes: &mut dyn Iterator<Item = u8>) -> Checked<Str> {
        let full = Wrong { place, what: What::TooMany("characters", limits::STRINGS) };
        let strings = &mut self.config.strings;
        let at = strings.len();
        for byte in bytes {
            if strings.push(byte).is_err() {
                return Err(full);
            }
        }
        let len = strings.len().saturating_sub(at);
        match (u16::try_from(at), u16::try_from(len), strings.push(0)) {
            (Ok(at), Ok(len), Ok(())) => Ok(Str { at, len }),
            _ => Err(full),
        }
    }

    /// Puts a checked value where it belongs.
    fn apply(&mut self, used: Use, child: NodeId, value: Value) -> Checked<()> {
        let system = &mut self.config.system;
        let workload = &mut self.workload;
        let limits = &mut workload.limits;
        let text = value.text;
        let yes = value.number != 0;
        match used {
            Use::NotYet | Use::Checked => {}
            Use::Mounts => self.mounts = Some(child),
            Use::Networks => self.networks = Some(child),
            Use::Workloads => self.workloads = Some(child),
            Use::Hostname => system.hostname = Some(text),
            Use::Modules => system.modules = value.list(),
            Use::Sysctl => system.sysctl = value.list(),
            Use::OnFailure => {
                system.on_failure = match value.number {
                    0 => OnFailure::Reboot,
                    1 => OnFailure::Halt,
                    _ => OnFailure::Rescue,
                }
            }
            Use::Poweroff => {
                system.poweroff = match value.number {
                    0 => FinalAction::PowerOff,
                    1 => FinalAction::Reboot,
                    _ => FinalAction::Halt,
                }
            }
            Use::ExitWith => self.exit_with = Some(child),
            Use::ExitReport => system.exit_report = Some(text),
            Use::Rescue => system.rescue = value.list(),
            Use::MountSource => self.mount.source = text,
            Use::MountType => self.mount.kind = text,
            Use::MountOptions => self.mount.options = value.list(),
            Use::MountRequired => self.mount.required = yes,
            Use::Address => {
                let [prefix, address @ ..] = network_of(value.number);
                (self.interface.address, self.interface.prefix) = (address, prefix);
            }
            Use::Gateway => {
                let [_, address @ ..] = network_of(value.number);
                self.interface.gateway = Some(address);
                self.gateway = Some(self.tree.node(child).value);
            }
            Use::Command => workload.command = value.list(),
            Use::RootDirectory => {
                workload.root = if yes { Root::Directory(text) } else { Root::Scratch };
                if !(yes && self.config.bytes(text) == b"/") {
                    self.wall(child);
                }
            }
            Use::User => {
                self.user = true;
                workload.user = match value.number {
                    AUTO => User::Auto { first: 0 },
                    both => User::Ids { uid: both as u32, gid: (both >> 32) as u32 },
                }
            }
            Use::Env => workload.env = value.list(),
            Use::Directory => workload.directory = Some(text),
            Use::Restart => {
                workload.restart = match value.number {
                    0 => Restart::Never,
                    1 => Restart::OnFailure,
                    _ => Restart::Always,
                }
            }
            Use::Ready if yes => {
                return Err(Wrong { place: self.tree.node(child).value, what: What::NotYet });
            }
            Use::Ready => {}
            Use::After => return self.check_after(child),
            Use::Critical => workload.critical = yes,
            Use::Privileged => workload.privileged = yes,
            Use::Early => workload.early = yes,
            Use::Stdio => match value.number {
                0 => workload.stdio = Stdio::Log,
                1 => workload.stdio = Stdio::Console,
                _ => {
                    // What the table does not name is /dev/null.
                    let place = self.tree.node(child).value;
                    let null = self.intern_bytes(place, &mut b"/dev/null".iter().copied())?;
                    self.workload.stdio = Stdio::Devices { stdin: null, stdout: null, stderr: null };
                }
            },
            Use::Stdin | Use::Stdout | Use::Stderr => {
                if let Stdio::Devices { stdin, stdout, stderr } = &mut workload.stdio {
                    match used {
                        Use::Stdin => *stdin = text,
                        Use::Stdout => *stdout = text,
                        _ => *stderr = text,
                    }
                }
            }
            Use::Volumes => {
                self.volumes = Some(child);
                self.wall(child);
            }
            Use::BackoffFirst => {
                workload.backoff.first = value.short();
                self.backoff = Some(self.tree.node(child).value);
            }
            Use::BackoffMost => {
                workload.backoff.most = value.short();
                self.backoff = self.backoff.or(Some(self.tree.node(child).value));
            }
            Use::BackoffReset => workload.backoff.reset = value.short(),
            Use::StopSignal => {
                workload.stop.signal = u8::try_from(value.number).unwrap_or(Stop::DEFAULT.signal)
            }
            Use::StopTimeout => workload.stop.timeout = value.short(),
            Use::Memory => limits.memory = value.limit(),
            Use::MemoryHigh => limits.memory_high = value.limit(),
            Use::Swap => limits.swap = value.limit(),
            Use::Cpu => limits.cpu = value.short_limit(),
            Use::CpuWeight => limits.cpu_weight = u16::try_from(value.number).ok(),
            Use::Cpus => limits.cpus = Some(text),
            Use::Mems => limits.mems = Some(text),
            Use::Pids => limits.pids = value.short_limit(),
            Use::Files => limits.files = value.short_limit(),
            Use::Core => limits.core = value.limit(),
            Use::Stack => limits.stack = value.limit(),
            Use::LockedMemory => limits.locked_memory = value.limit(),
            Use::FileSize => limits.file_size = value.limit(),
            Use::VolumeTmpfs => self.volume.tmpfs = Some(value.number),
            Use::VolumeSource => self.volume.source = Some(text),
            Use::VolumeWritable => self.volume.writable = Some(yes),
            Use::NetworkMode => {
                workload.network = if yes { Network::Host } else { Network::None };
                if !yes {
                    self.wall(child);
                }
            }
            Use::PidNamespace => {
                workload.host_pid = yes;
                if !yes {
                    self.wall(child);
                }
            }
            Use::Capabilities if value.len > 0 => {
                return Err(Wrong { place: self.tree.node(child).value, what: What::NotYet });
            }
            Use::Capabilities => self.wall(child),
        }
        Ok(())
    }

    /// The key asks for something that a privileged workload cannot have.
    fn wall(&mut self, child: NodeId) {
        self.wall = self.wall.or(Some(self.tree.node(child).key));
    }

    fn check_after(&mut self, after: NodeId) -> Checked<()> {
        for element in self.tree.children(after) {
            self.workload_called(self.tree.node(element).value)?;
        }
        Ok(())
    }

    /// The table of the workload that a string names.
    fn workload_called(&self, name: Span) -> Checked<NodeId> {
        let Some(workloads) = self.workloads else {
            return Err(Wrong { place: name, what: What::UnknownWorkload { near: None } });
        };
        if let Ok(found) = self.tree.find(self.sources, workloads, name) {
            return Ok(found);
        }
        let inner = |span: Span| {
            let token = self.sources.bytes(span);
            let quoted = matches!(token, [b'"' | b'\'', ..]);
            if quoted { token.get(1..token.len().saturating_sub(1)).unwrap_or(&[]) } else { token }
        };
        let mut keys = self.tree.children(workloads).map(|node| inner(self.tree.node(node).key));
        let near = if self.teller.is_full() { None } else { near::nearest(inner(name), &mut keys) };
        let near = near.and_then(|near| {
            self.tree.children(workloads).find(|node| inner(self.tree.node(*node).key) == near)
        });
        Err(Wrong { place: name, what: What::UnknownWorkload { near } })
    }

    fn pools(&self) -> Pools {
        Pools {
            strings: self.config.strings.len(),
            words: self.config.words.len(),
            pairs: self.config.pairs.len(),
            volumes: self.config.volumes.len(),
        }
    }

    /// Starts on a mount, an interface or a workload: `None` if its table could not be
    /// parsed, which was reported.
    fn begin(&mut self, table: NodeId) -> Option<Pools> {
        let node = self.tree.node(table);
        self.part = part_of(self.sources, self.tree, table);
        self.bad = false;
        if node.damaged || node.kind == Kind::Nothing {
            self.left_out();
            return None;
        }
        let pools = self.pools();
        if !node.kind.is_table() {
            self.problem(node.value, What::WrongKind { form: Form::AnyTable, found: node.kind });
            self.left_out();
            return None;
        }
        Some(pools)
    }

    /// Takes back what the draft has put into the pools.
    fn drop_draft(&mut self, pools: Pools) {
        self.config.strings.truncate(pools.strings);
        self.config.words.truncate(pools.words);
        self.config.pairs.truncate(pools.pairs);
        self.config.volumes.truncate(pools.volumes);
        self.left_out();
    }

    fn left_out(&mut self) {
        self.teller.outcome.left_out = self.teller.outcome.left_out.saturating_add(1);
    }

    /// The name of the table as a string of the config; empty after a problem.
    fn name(&mut self, table: NodeId) -> Str {
        match self.intern(self.tree.node(table).key) {
            Ok(name) => name,
            Err(Wrong { place, what }) => {
                self.problem(place, what);
                NO_STR
            }
        }
    }

    fn rule(&mut self, place: Span, rule: Rule) {
        self.problem(place, What::Rule(rule));
    }

    fn read_mounts(&mut self) {
        let mut next = self.mounts.and_then(|mounts| self.tree.first(mounts));
        while let Some(table) = next {
            next = self.tree.next(table);
            let Some(pools) = self.begin(table) else { continue };
            let node = self.tree.node(table);
            let target = self.name(table);
            let bytes = self.config.bytes(target);
            if !form::is_path(bytes) || matches!(bytes, b"/" | b"/proc" | b"/sys" | b"/dev") {
                self.rule(node.key, Rule::MountTarget);
            }
            self.mount = Mount { target, ..NO_MOUNT };
            self.walk(Section::Mount, table);
            // A filesystem without a device has one name for both.
            let mount = &mut self.mount;
            if mount.source == NO_STR {
                mount.source = mount.kind;
            } else if mount.kind == NO_STR && !self.config.bytes(mount.source).starts_with(b"/") {
                mount.kind = mount.source;
            }
            let mount = *mount;
            if !self.bad && mount.kind == NO_STR {
                self.problem(node.value, What::Missing("type"));
            }
            if !self.bad && self.config.mounts.push(mount).is_err() {
                self.problem(node.value, What::TooMany("mounts", limits::MOUNTS));
            }
            if self.bad {
                self.drop_draft(pools);
            }
        }
    }

    fn read_interfaces(&mut self) {
        let mut next = self.networks.and_then(|networks| self.tree.first(networks));
        while let Some(table) = next {
            next = self.tree.next(table);
            let Some(pools) = self.begin(table) else { continue };
            let node = self.tree.node(table);
            let name = self.name(table);
            if !form::is_interface(self.config.bytes(name)) {
                self.rule(node.key, Rule::InterfaceName);
            }
            self.interface = Interface { name, ..NO_INTERFACE };
            self.gateway = None;
            self.walk(Section::Interface, table);
            let interface = self.interface;
            match (interface.gateway, self.gateway) {
                (Some(_), Some(place)) if interface.prefix == NO_PREFIX => {
                    self.rule(place, Rule::GatewayAlone)
                }
                (Some(gateway), Some(place))
                    if !form::same_network(gateway, interface.address, interface.prefix) =>
                {
                    self.rule(place, Rule::Gateway);
                }
                _ => {}
            }
            if !self.bad && interface.prefix == NO_PREFIX {
                self.problem(node.value, What::Missing("address"));
            }
            if !self.bad && self.config.interfaces.push(interface).is_err() {
                self.problem(node.value, What::TooMany("interfaces", limits::INTERFACES));
            }
            if self.bad {
                self.drop_draft(pools);
            }
        }
    }

    fn read_workloads(&mut self) {
        if let Some(workloads) = self.workloads {
            let teller = &mut self.teller;
            let mut found = |tree: &Tree, start: NodeId, entry: NodeId| {
                let owner = tree.node(tree.node(entry).parent).parent;
                let part = Some(Part::Workload(owner)).filter(|_| !tree.node(owner).damaged);
                let place = tree.node(entry).value;
                teller.tell(tree, Problem { place, what: What::Cycle(start), part });
            };
            graph::break_cycles(self.sources, self.tree, workloads, &mut found);
            let mut next = self.tree.first(workloads);
            while let Some(table) = next {
                next = self.tree.next(table);
                self.read_workload(table);
            }
            self.read_edges(workloads);
        }
        self.read_exit_with();
        let (workloads, strings) = (&mut self.config.workloads, &self.config.strings);
        let name = |workload: &Workload| {
            let start = usize::from(workload.name.at);
            strings.get(start..start.saturating_add(workload.name.len.into())).unwrap_or(&[])
        };
        users::settle(workloads, &|one, other| name(one) < name(other));
    }

    fn read_workload(&mut self, table: NodeId) {
        let Some(pools) = self.begin(table) else { return };
        let node = self.tree.node(table);
        let name = self.name(table);
        if !form::is_workload_name(self.config.bytes(name)) {
            self.rule(node.key, Rule::WorkloadName);
        } else if self.config.bytes(name) == b"init" {
            self.rule(node.key, Rule::ReservedName);
        }
        self.workload = Workload { name, ..NO_WORKLOAD };
        (self.user, self.volumes, self.wall, self.backoff) = (false, None, None, None);
        self.walk(Section::Workload, table);
        self.read_volumes();
        if !self.bad && self.workload.command.is_empty() {
            self.problem(node.value, What::Missing("command"));
        }
        if let Some(place) = self.backoff.filter(|_| self.workload.backoff.first > self.workload.backoff.most)
        {
            self.rule(place, Rule::Backoff);
        }
        if self.workload.privileged {
            self.take_down_walls();
        } else if let User::Auto { .. } = self.workload.user {
            self.workload.user = User::Auto { first: users::first_choice(self.config.bytes(name)) };
        }
        if !self.bad && self.config.workloads.push(self.workload).is_err() {
            self.problem(node.value, What::TooMany("workloads", limits::WORKLOADS));
        }
        if self.bad {
            return self.drop_draft(pools);
        }
        // Its number, from 1; see `id_of`.
        let number = u16::try_from(self.config.workloads.len()).unwrap_or(0);
        self.tree.with(table, |node| node.mark = number);
    }

    /// What the config says of a privileged workload is what it gets.
    fn take_down_walls(&mut self) {
        if let Some(place) = self.wall {
            return self.rule(place, Rule::Wall);
        }
        let place = Span::default();
        match self.intern_bytes(place, &mut b"/".iter().copied()) {
            Ok(root) => self.workload.root = Root::Directory(root),
            Err(Wrong { place, what }) => return self.problem(place, what),
        }
        self.workload.network = Network::Host;
        self.workload.host_pid = true;
        if !self.user {
            self.workload.user = User::Ids { uid: 0, gid: 0 };
        } else if let User::Auto { .. } = self.workload.user {
            self.workload.user =
                User::Auto { first: users::first_choice(self.config.bytes(self.workload.name)) };
        }
    }

    fn read_volumes(&mut self) {
        let Some(volumes) = self.volumes else { return };
        let first = self.config.volumes.len();
        let mut next = self.tree.first(volumes);
        while let Some(table) = next {
            next = self.tree.next(table);
            let node = self.tree.node(table);
            if !node.kind.is_table() {
                self.problem(node.value, What::WrongKind { form: Form::AnyTable, found: node.kind });
                continue;
            }
            let target = self.name(table);
            let bytes = self.config.bytes(target);
            let taken = |above: &&[u8]| form::is_within(bytes, above);
            if !form::is_path(bytes)
                || bytes == b"/"
                || [b"/proc".as_slice(), b"/sys", b"/dev"].iter().any(taken)
            {
                self.rule(node.key, Rule::VolumeTarget);
            }
            self.volume = Draft::default();
            let bad = self.bad;
            self.bad = false;
            self.walk(Section::Volume, table);
            let source = match self.volume {
                Draft { tmpfs: Some(size), source: None, writable: None } => {
                    Some(VolumeSource::Tmpfs { size })
                }
                Draft { tmpfs: None, source: Some(source), writable } => {
                    Some(VolumeSource::Directory { source, writable: writable.unwrap_or(false) })
                }
                _ => None,
            };
            match source {
                Some(source) => {
                    if self.config.volumes.push(Volume { target, source }).is_err() {
                        self.problem(node.key, What::TooMany("volumes", limits::VOLUMES));
                    }
                }
                // If something in it is wrong, that was said.
                None if self.bad => {}
                None => self.rule(node.key, Rule::VolumeSource),
            }
            self.bad |= bad;
        }
        self.workload.volumes = between(first, self.config.volumes.len()).list();
    }

    /// The workload that a table became, unless it is left out.
    fn id_of(&self, table: NodeId) -> Option<WorkloadId> {
        self.tree.node(table).mark.checked_sub(1).map(WorkloadId)
    }

    /// Names in `after` become numbers. Workloads that are left out are waited for by nobody.
    fn read_edges(&mut self, workloads: NodeId) {
        let mut next = self.tree.first(workloads);
        while let Some(table) = next {
            next = self.tree.next(table);
            let (Some(id), Some(after)) = (self.id_of(table), named(self.sources, self.tree, table, "after"))
            else {
                continue;
            };
            let first = self.config.edges.len();
            for entry in self.tree.children(after) {
                let place = self.tree.node(entry).value;
                let found = self.tree.find(self.sources, workloads, place).ok();
                let Some(target) = found.and_then(|node| self.id_of(node)) else { continue };
                if self.config.edges.get(first..).unwrap_or(&[]).contains(&target) {
                    continue;
                }
                if self.config.edges.push(target).is_err() {
                    let what = What::TooMany("names in `after`", limits::EDGES);
                    self.teller.tell(self.tree, Problem { place, what, part: Some(Part::Key) });
                    break;
                }
            }
            let list = between(first, self.config.edges.len()).list();
            if let Some(workload) = self.config.workloads.get_mut(id.index()) {
                workload.after = list;
            }
        }
    }

    fn read_exit_with(&mut self) {
        let Some(key) = self.exit_with else { return };
        self.part = Some(Part::Key);
        let place = self.tree.node(key).value;
        match self.workload_called(place).map(|table| self.id_of(table)) {
            Ok(Some(id)) => self.config.system.exit_with = Some(id),
            Ok(None) => self.rule(place, Rule::LeftOut),
            Err(Wrong { place, what }) => self.problem(place, what),
        }
    }
}

/// The number that an integer stands for in that form.
fn whole(form: Form, integer: i64) -> Option<u64> {
    let number = u64::try_from(integer).ok()?;
    let short = u32::try_from(number).ok();
    match form {
        Form::Count | Form::CountOrMax => (1..u64::from(u32::MAX)).contains(&number).then_some(number),
        Form::Weight => (1..=10_000).contains(&number).then_some(number),
        Form::Size => (number > 0).then_some(number),
        Form::SizeOrMax => Some(number),
        Form::Cpu => number.checked_mul(100_000).and_then(form::enough_cpu),
        Form::Signal => form::is_signal(number).then_some(number),
        Form::User => short.filter(|id| *id != u32::MAX).map(|id| pair(id, id)),
        _ => None,
    }
}

/// The number that a string stands for in that form, if it has that form. For
/// forms that are kept as text it says nothing.
fn number(form: Form, text: &[u8]) -> Result<Option<u64>, What> {
    let text_if = |fine: bool| fine.then_some(1u64);
    Ok(match form {
        Form::CountOrMax | Form::SizeOrMax if text == b"max" => Some(UNLIMITED),
        Form::Size => form::size(text).filter(|size| *size > 0),
        Form::SizeOrMax => form::size(text),
        Form::Duration => form::duration(text),
        Form::Wait => form::duration(text).filter(|millis| *millis >= 10),
        Form::Cpu => form::cpu(text),
        Form::Cpuset => text_if(form::cpuset(text).is_some()),
        Form::Signal => form::signal(text),
        Form::Name => text_if(form::is_word(text)),
        Form::Hostname => text_if(form::is_hostname(text)),
        Form::Path => text_if(form::is_path(text)),
        Form::Device => text_if(form::is_path(text) && text.starts_with(b"/dev/")),
        Form::Source => {
            let labels: [&[u8]; 4] = [b"LABEL=", b"UUID=", b"PARTLABEL=", b"PARTUUID="];
            if labels.iter().any(|label| text.starts_with(label)) {
                return Err(What::NotYet);
            }
            text_if(form::is_path(text) || (form::is_word(text) && !text.contains(&b'/')))
        }
        Form::RootDirectory if text == b"scratch" => Some(0),
        Form::RootDirectory => {
            if text.ends_with(b".erofs") || text.ends_with(b".squashfs") {
                return Err(What::NotYet);
            }
            text_if(form::is_path(text))
        }
        Form::User if text == b"auto" => Some(AUTO),
        Form::User => form::user(text).map(|(uid, gid)| pair(uid, gid)),
        Form::Address => {
            if text == b"dhcp" || text.contains(&b':') {
                return Err(What::NotYet);
            }
            form::ipv4_network(text).map(|(address, prefix)| packed(address, prefix))
        }
        Form::Gateway => form::ipv4(text).map(|address| packed(address, 0)),
        Form::Text => Some(0),
        _ => None,
    })
}

fn pair(uid: u32, gid: u32) -> u64 {
    u64::from(gid) << 32 | u64::from(uid)
}

fn packed([a, b, c, d]: [u8; 4], prefix: u8) -> u64 {
    u64::from_be_bytes([0, 0, 0, prefix, a, b, c, d])
}

/// Prefix and address of a [`packed`] number.
fn network_of(number: u64) -> [u8; 5] {
    let [_, _, _, prefix, a, b, c, d] = number.to_be_bytes();
    [prefix, a, b, c, d]
}

fn between(first: usize, end: usize) -> Value {
    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    Value { start: short(first), len: short(end.saturating_sub(first)), ..Value::default() }
}

/// The one of `names` that `word` is most likely a misspelling of.
fn choose(word: &[u8], names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let mut names = names.map(str::as_bytes);
    near::nearest(word, &mut names).and_then(|near| core::str::from_utf8(near).ok())
}
