//! The tree of values becomes a [`Config`].
//!
//! The tables of [`schema`](super::schema) are walked without recursion: a table
//! inside a table is put on a list of tables to walk. Each value is checked by
//! its [`Form`] into a [`Value`], and [`apply`](Reader::apply) puts that where
//! the key says. What is wrong is told where it is found; functions that can
//! find something wrong return whether they did.
//!
//! A workload, mount or interface is read into a draft, and the draft becomes
//! part of the config only if nothing was wrong with it: PID 1 runs what is
//! right and says what it left out. What it left out of a workload could have
//! been a limit or a wall, so a workload is all or nothing.

use super::form::{self, Form};
use super::problem::{Many, Part, Problem, Report, Rule, Shown, Syntax, What, part_of};
use super::schema::{Section, Use};
use super::source::{Sources, Span};
use super::token::{bare, decode, integer, same, word};
use super::toml::Parser;
use super::tree::{Kind, NodeId, ROOT, Tree};
use super::types::*;
use super::{graph, users};
use crate::limits;
use crate::text::Text;
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
        value: Value::NONE,
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
        volume: Draft::NONE,
    };
    reader.walk(Section::Top, ROOT);
    reader.read_parts(reader.mounts, Reader::read_mount);
    reader.read_parts(reader.networks, Reader::read_interface);
    reader.break_cycles();
    reader.read_parts(reader.workloads, Reader::read_workload);
    reader.read_edges();
    reader.read_exit_with();
    reader.settle_users();
    reader.teller.outcome
}

/// All files into one tree.
#[inline(never)]
fn parse(sources: &Sources, tree: &mut Tree, teller: &mut Teller) {
    for file in &sources.files {
        let mut parser = Parser::new(sources, tree, *file);
        loop {
            match parser.step() {
                Some(true) => {}
                Some(false) => break,
                None => {
                    let (place, what) = parser.wrong;
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
pub(super) fn named(sources: &Sources, tree: &Tree, table: NodeId, name: &'static str) -> Option<NodeId> {
    tree.children(table).find(|child| same(sources.bytes(tree.node(*child).key), bare(name)))
}

/// Counts problems and passes them on.
struct Teller<'a> {
    sources: &'a Sources,
    report: &'a mut dyn Report,
    outcome: Outcome,
}

impl Teller<'_> {
    #[inline(never)]
    fn tell(&mut self, tree: &Tree, problem: Problem) {
        if self.outcome.problems < limits::CONFIG_PROBLEMS {
            self.report.problem(&Shown { sources: self.sources, tree, problem });
        }
        self.outcome.problems = self.outcome.problems.saturating_add(1);
    }
}

/// What a value comes to; which of these counts depends on its form.
#[derive(Clone, Copy)]
struct Value {
    number: u64,
    text: Str,
    start: u16,
    len: u16,
}

impl Value {
    const NONE: Value = Value { number: 0, text: NO_STR, start: 0, len: 0 };

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
/// A table, where a word would have been a choice.
const A_TABLE: u64 = u64::MAX;
/// Tables inside a workload's table: as many as its keys take, and some more for lists of tables.
pub(super) const TABLES: usize = 16;

const NO_STR: Str = Str { at: 0, len: 0 };

const NO_MOUNT: Mount =
    Mount { target: NO_STR, source: NO_STR, kind: NO_STR, options: List::EMPTY, required: false };

const NO_INTERFACE: Interface = Interface { name: NO_STR, address: [0; 4], prefix: NO_PREFIX, gateway: None };

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
struct Draft {
    tmpfs: Option<u64>,
    source: Option<Str>,
    writable: Option<bool>,
}

impl Draft {
    const NONE: Draft = Draft { tmpfs: None, source: None, writable: None };
}

struct Reader<'a> {
    sources: &'a Sources,
    tree: &'a Tree,
    config: &'a mut Config,
    teller: Teller<'a>,
    /// What is being read, as long as it was not yet said that it is left out.
    part: Option<Part>,
    /// Something is wrong with it.
    bad: bool,
    /// The value that was checked last.
    value: Value,
    pending: Vec<(Section, NodeId), TABLES>,
    // Tables that are read once `[system]` is.
    mounts: Option<NodeId>,
    networks: Option<NodeId>,
    workloads: Option<NodeId>,
    exit_with: Option<NodeId>,
    // Drafts, and where in them things are that are checked together.
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

impl Reader<'_> {
    /// Tells what is wrong. Returns false, as whoever found it does.
    #[inline(never)]
    fn wrong(&mut self, place: Span, what: What) -> bool {
        let part = self.part;
        if part != Some(Part::Key) {
            self.part = None;
        }
        self.bad = true;
        self.teller.tell(self.tree, Problem { place, what, part });
        false
    }

    fn rule(&mut self, place: Span, rule: Rule) -> bool {
        self.wrong(place, What::Rule(rule))
    }

    fn too_many(&mut self, place: Span, many: Many) -> bool {
        self.wrong(place, What::TooMany(many))
    }

    /// Reads a table and all tables in it.
    #[inline(never)]
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
        if node.is_broken() {
            // Reported when it was parsed.
            self.bad = true;
            return;
        }
        let name = word(self.sources.bytes(node.key));
        match section.key(name.as_bytes()) {
            None => {
                self.wrong(node.key, What::UnknownKey(section, table));
            }
            Some((form, used)) => {
                if self.check(form, child) {
                    self.apply(used, child);
                }
            }
        }
    }

    /// Checks a value against its form; then [`value`](Self::value) has it.
    #[inline(never)]
    fn check(&mut self, form: Form, child: NodeId) -> bool {
        let node = self.tree.node(child);
        let kind = match node.kind {
            Kind::Nothing => 0,
            Kind::Text => form::TEXT,
            Kind::Integer => form::INTEGER,
            Kind::Boolean => form::BOOLEAN,
            Kind::Array => form::ARRAY,
            Kind::Inline | Kind::Table | Kind::Implied | Kind::Dotted => form::TABLE,
        };
        if form.kinds() & kind == 0 {
            return self.wrong(node.value, What::WrongKind(form, node.kind));
        }
        self.value = Value::NONE;
        let token = self.sources.bytes(node.value);
        match kind {
            form::TEXT => return self.text(form, node.value),
            form::INTEGER => match whole(form, integer(token).unwrap_or(-1)) {
                Some(number) => self.value.number = number,
                None => return self.wrong(node.value, What::WrongValue(form)),
            },
            form::BOOLEAN => self.value.number = u64::from(token == b"true"),
            form::ARRAY if form != Form::Tables => return self.words(form, child),
            _ if matches!(form, Form::Env | Form::Sysctl) => return self.pairs(form, child),
            _ => self.value.number = A_TABLE,
        }
        true
    }

    #[inline(never)]
    fn text(&mut self, form: Form, token: Span) -> bool {
        let before = self.config.strings.len();
        if !self.intern(token) {
            return false;
        }
        let bytes = self.config.bytes(self.value.text);
        let number = match form.choices().position(|choice| choice == bytes) {
            Some(index) => u64::try_from(index).ok(),
            None => match number(form, bytes) {
                Ok(number) => number,
                Err(NotYet) => return self.wrong(token, What::NotYet),
            },
        };
        if !form.is_kept() {
            self.config.strings.truncate(before);
        }
        match number {
            Some(number) => self.value.number = number,
            None => return self.wrong(token, What::WrongValue(form)),
        }
        true
    }

    /// An array of strings.
    #[inline(never)]
    fn words(&mut self, form: Form, array: NodeId) -> bool {
        let start = self.config.words.len();
        let first = self.tree.first(array);
        if form == Form::Command && first.is_none() {
            return self.wrong(self.tree.node(array).value, What::WrongValue(form));
        }
        let before = self.config.strings.len();
        let mut child = first;
        while let Some(element) = child {
            let node = self.tree.node(element);
            let word = match form {
                Form::Command if child == first => Form::Path,
                Form::Modules => Form::Module,
                Form::Options => Form::Option,
                _ => Form::Text,
            };
            if !self.check(word, element) {
                return false;
            }
            if self.config.words.push(self.value.text).is_err() {
                return self.too_many(node.value, Many::Words);
            }
            child = self.tree.next(element);
        }
        if form == Form::Names {
            // Names become numbers.
            self.config.words.truncate(start);
            self.config.strings.truncate(before);
        }
        self.list(start, self.config.words.len())
    }

    /// A table of strings.
    #[inline(never)]
    fn pairs(&mut self, form: Form, table: NodeId) -> bool {
        let start = self.config.pairs.len();
        let mut child = self.tree.first(table);
        while let Some(entry) = child {
            let node = self.tree.node(entry);
            if !self.intern(node.key) {
                return false;
            }
            let key = self.value.text;
            let bytes = self.config.bytes(key);
            if form == Form::Env && (bytes.is_empty() || bytes.contains(&b'=')) {
                return self.rule(node.key, Rule::EnvName);
            }
            if form == Form::Sysctl && !form::is_sysctl(bytes) {
                return self.rule(node.key, Rule::SysctlName);
            }
            if form == Form::Sysctl && node.kind == Kind::Integer {
                let mut text = Text::<20>::new();
                crate::put!(text, integer(self.sources.bytes(node.value)).unwrap_or(0));
                if !self.intern_bytes(node.value, &mut text.as_bytes().iter().copied()) {
                    return false;
                }
            } else if !self.check(if form == Form::Sysctl { Form::Setting } else { Form::Text }, entry) {
                return false;
            }
            if self.config.pairs.push(Pair { key, value: self.value.text }).is_err() {
                return self.too_many(node.key, Many::Pairs);
            }
            child = self.tree.next(entry);
        }
        self.list(start, self.config.pairs.len())
    }

    /// The value is what was put into a pool since.
    fn list(&mut self, start: usize, end: usize) -> bool {
        let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        self.value = Value { start: short(start), len: short(end.saturating_sub(start)), ..Value::NONE };
        true
    }

    /// Copies the string of a token into the config's pool.
    fn intern(&mut self, token: Span) -> bool {
        let mut bytes = decode(self.sources.bytes(token));
        self.intern_bytes(token, &mut bytes)
    }

    #[inline(never)]
    fn intern_bytes(&mut self, place: Span, bytes: &mut dyn Iterator<Item = u8>) -> bool {
        let strings = &mut self.config.strings;
        let at = strings.len();
        let mut fits = true;
        for byte in bytes {
            fits = fits && strings.push(byte).is_ok();
        }
        let len = strings.len().saturating_sub(at);
        fits &= strings.push(0).is_ok();
        if !fits {
            return self.too_many(place, Many::Bytes);
        }
        // The pool is at most as long as 16 bits count.
        self.value.text = Str { at: at as u16, len: len as u16 };
        true
    }

    /// A string that is not in the config's text.
    fn intern_word(&mut self, word: &'static str) -> bool {
        self.intern_bytes(Span::default(), &mut bare(word))
    }

    /// Puts the checked value where it belongs.
    #[inline(never)]
    fn apply(&mut self, used: Use, child: NodeId) {
        let node = self.tree.node(child);
        let value = self.value;
        let system = &mut self.config.system;
        let workload = &mut self.workload;
        let limits = &mut workload.limits;
        let text = value.text;
        let yes = value.number != 0;
        let mut wall = false;
        let mut refused = None;
        match used {
            Use::Checked => {}
            Use::NotYet => refused = Some(node.key),
            Use::Walk(section) => self.later(section, child),
            Use::WalkNotYet(section) => {
                self.later(section, child);
                refused = Some(node.key);
            }
            Use::Io => {
                for element in self.tree.children(child) {
                    if self.check(Form::Table, element) {
                        self.later(Section::Io, element);
                    }
                }
                refused = Some(node.key);
            }
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
            Use::Address => (self.interface.address, self.interface.prefix) = unpack_address(value.number),
            Use::Gateway => {
                self.interface.gateway = Some(unpack_address(value.number).0);
                self.gateway = Some(node.value);
            }
            Use::Command => workload.command = value.list(),
            Use::RootDirectory => {
                workload.root = if yes { Root::Directory(text) } else { Root::Scratch };
                wall = !yes || self.config.bytes(text) != b"/";
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
            Use::Ready => refused = Some(node.value).filter(|_| yes),
            Use::After => {
                for name in self.tree.children(child) {
                    self.workload_called(name);
                }
            }
            Use::Critical => workload.critical = yes,
            Use::Privileged => workload.privileged = yes,
            Use::Early => workload.early = yes,
            Use::Stdio => match value.number {
                0 => workload.stdio = Stdio::Log,
                1 => workload.stdio = Stdio::Console,
                _ => {
                    // What the table does not name is /dev/null.
                    if self.intern_word("/dev/null") {
                        let null = self.value.text;
                        self.workload.stdio = Stdio::Devices { stdin: null, stdout: null, stderr: null };
                    }
                    self.later(Section::Stdio, child);
                }
            },
            Use::Stdin | Use::Stdout | Use::Stderr => {
                if let Stdio::Devices { stdin, stdout, stderr } = &mut workload.stdio {
                    *(match used {
                        Use::Stdin => stdin,
                        Use::Stdout => stdout,
                        _ => stderr,
                    }) = text;
                }
            }
            Use::Volumes => {
                self.volumes = Some(child);
                wall = true;
            }
            Use::BackoffFirst => {
                workload.backoff.first = value.short();
                self.backoff = Some(node.value);
            }
            Use::BackoffMost => {
                workload.backoff.most = value.short();
                self.backoff = Some(node.value);
            }
            Use::BackoffReset => workload.backoff.reset = value.short(),
            Use::StopSignal => workload.stop.signal = value.number as u8,
            Use::StopTimeout => workload.stop.timeout = value.short(),
            Use::Memory => limits.memory = value.limit(),
            Use::MemoryHigh => limits.memory_high = value.limit(),
            Use::Swap => limits.swap = value.limit(),
            Use::Cpu => limits.cpu = value.short_limit(),
            Use::CpuWeight => limits.cpu_weight = Some(value.number as u16),
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
                wall = !yes;
            }
            Use::PidNamespace => {
                workload.host_pid = yes;
                wall = !yes;
            }
            Use::Capabilities => {
                refused = Some(node.key).filter(|_| value.len > 0);
                wall = true;
            }
        }
        if wall {
            self.wall = self.wall.or(Some(node.key));
        }
        if let Some(place) = refused {
            self.wrong(place, What::NotYet);
        }
    }

    /// A table to be walked after this one.
    fn later(&mut self, section: Section, table: NodeId) {
        if self.pending.push((section, table)).is_err() {
            self.too_many(self.tree.node(table).value, Many::Tables);
        }
    }

    /// The table of the workload that a string names.
    fn workload_called(&mut self, name: NodeId) -> Option<NodeId> {
        let place = self.tree.node(name).value;
        let workloads = self.workloads.unwrap_or(name);
        let found = self.tree.find(self.sources, workloads, place).ok();
        if found.is_none() {
            self.wrong(place, What::UnknownWorkload(workloads));
        }
        found
    }

    /// Reads each table of `all` into a draft, with its name interned, and takes
    /// back what the draft has put into the pools if something was wrong with it.
    #[inline(never)]
    fn read_parts(&mut self, all: Option<NodeId>, one: fn(&mut Self, NodeId, Str)) {
        let mut next = all.and_then(|all| self.tree.first(all));
        while let Some(table) = next {
            next = self.tree.next(table);
            let node = self.tree.node(table);
            let config = &self.config;
            let pools = [config.strings.len(), config.words.len(), config.pairs.len(), config.volumes.len()];
            self.part = part_of(self.sources, self.tree, table);
            // If it is broken, that was reported when it was parsed.
            self.bad = node.is_broken();
            if all == self.networks && same(self.sources.bytes(node.key), bare("dns")) {
                self.wrong(node.key, What::NotYet);
            }
            if !self.bad && self.check(Form::Table, table) && self.intern(node.key) {
                one(self, table, self.value.text);
            }
            if self.bad {
                let [strings, words, pairs, volumes] = pools;
                self.config.strings.truncate(strings);
                self.config.words.truncate(words);
                self.config.pairs.truncate(pairs);
                self.config.volumes.truncate(volumes);
                self.teller.outcome.left_out = self.teller.outcome.left_out.saturating_add(1);
            }
        }
    }

    fn read_mount(&mut self, table: NodeId, target: Str) {
        let node = self.tree.node(table);
        let path = self.config.bytes(target);
        if !form::is_path(path) || form::words("/ /proc /sys /dev").any(|taken| taken == path) {
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
            self.rule(node.key, Rule::NoType);
        }
        if !self.bad && self.config.mounts.push(mount).is_err() {
            self.too_many(node.key, Many::Mounts);
        }
    }

    fn read_interface(&mut self, table: NodeId, name: Str) {
        let node = self.tree.node(table);
        if !form::is_interface(self.config.bytes(name)) {
            self.rule(node.key, Rule::InterfaceName);
        }
        self.interface = Interface { name, ..NO_INTERFACE };
        self.gateway = None;
        self.walk(Section::Interface, table);
        let interface = self.interface;
        if let (Some(gateway), Some(place), false) = (interface.gateway, self.gateway, self.bad) {
            if interface.prefix == NO_PREFIX {
                self.rule(place, Rule::GatewayAlone);
            } else if !form::same_network(gateway, interface.address, interface.prefix) {
                self.rule(place, Rule::Gateway);
            }
        }
        if !self.bad && interface.prefix == NO_PREFIX {
            self.rule(node.key, Rule::NoAddress);
        }
        if !self.bad && self.config.interfaces.push(interface).is_err() {
            self.too_many(node.key, Many::Interfaces);
        }
    }

    #[inline(never)]
    fn break_cycles(&mut self) {
        let Some(workloads) = self.workloads else { return };
        let (tree, teller) = (self.tree, &mut self.teller);
        graph::break_cycles(self.sources, tree, workloads, &mut |start, entry| {
            let owner = graph::owner(tree, entry);
            let part = if tree.node(owner).damaged.get() { None } else { Some(Part::Workload(owner)) };
            let place = tree.node(entry).value;
            teller.tell(tree, Problem { place, what: What::Cycle(start), part });
        });
    }

    fn read_workload(&mut self, table: NodeId, name: Str) {
        let node = self.tree.node(table);
        if !form::is_workload_name(self.config.bytes(name)) {
            self.rule(node.key, Rule::WorkloadName);
        }
        if self.config.bytes(name) == b"init" {
            self.rule(node.key, Rule::ReservedName);
        }
        self.workload = Workload { name, ..NO_WORKLOAD };
        (self.user, self.volumes, self.wall, self.backoff) = (false, None, None, None);
        self.walk(Section::Workload, table);
        self.read_volumes();
        if !self.bad && self.workload.command.is_empty() {
            self.rule(node.key, Rule::NoCommand);
        }
        let Backoff { first, most, .. } = self.workload.backoff;
        if let (Some(place), true) = (self.backoff, first > most) {
            self.rule(place, Rule::Backoff);
        }
        if let User::Auto { first } = &mut self.workload.user {
            *first = users::first_choice(self.config.bytes(name));
        }
        if self.workload.privileged {
            self.take_down_walls();
        }
        if !self.bad && self.config.workloads.push(self.workload).is_err() {
            self.too_many(node.key, Many::Workloads);
        }
        if !self.bad {
            // Its number, from 1; see `id_of`.
            node.mark.set(u16::try_from(self.config.workloads.len()).unwrap_or(0));
        }
    }

    /// What the config says of a privileged workload is what it gets.
    fn take_down_walls(&mut self) {
        if let Some(place) = self.wall {
            self.rule(place, Rule::Wall);
        }
        if self.intern_word("/") {
            self.workload.root = Root::Directory(self.value.text);
        }
        self.workload.network = Network::Host;
        self.workload.host_pid = true;
        if !self.user {
            self.workload.user = User::Ids { uid: 0, gid: 0 };
        }
    }

    fn read_volumes(&mut self) {
        let first = self.config.volumes.len();
        let mut next = self.volumes.and_then(|volumes| self.tree.first(volumes));
        while let Some(table) = next {
            next = self.tree.next(table);
            let node = self.tree.node(table);
            if !self.check(Form::Table, table) || !self.intern(node.key) {
                continue;
            }
            let target = self.value.text;
            let path = self.config.bytes(target);
            let taken = form::words("/proc /sys /dev").any(|taken| form::is_within(path, taken));
            if taken || path == b"/" || !form::is_path(path) {
                self.rule(node.key, Rule::VolumeTarget);
            }
            self.volume = Draft::NONE;
            self.walk(Section::Volume, table);
            let source = match self.volume {
                Draft { tmpfs: Some(size), source: None, writable: None } => VolumeSource::Tmpfs { size },
                Draft { tmpfs: None, source: Some(source), writable } => {
                    VolumeSource::Directory { source, writable: writable == Some(true) }
                }
                _ => {
                    // If something in it was wrong, that was said.
                    if !self.bad {
                        self.rule(node.key, Rule::VolumeSource);
                    }
                    continue;
                }
            };
            if self.config.volumes.push(Volume { target, source }).is_err() {
                self.too_many(node.key, Many::Volumes);
                break;
            }
        }
        self.list(first, self.config.volumes.len());
        self.workload.volumes = self.value.list();
    }

    /// The workload that a table became, unless it is left out.
    fn id_of(&self, table: NodeId) -> Option<WorkloadId> {
        self.tree.node(table).mark.get().checked_sub(1).map(WorkloadId)
    }

    /// Names in `after` become numbers. Workloads that are left out are waited for by nobody.
    #[inline(never)]
    fn read_edges(&mut self) {
        self.part = Some(Part::Key);
        let Some(workloads) = self.workloads else { return };
        for table in self.tree.children(workloads) {
            let Some(id) = self.id_of(table) else { continue };
            let Some(after) = named(self.sources, self.tree, table, "after") else { continue };
            let first = self.config.edges.len();
            for entry in self.tree.children(after) {
                let target = self.workload_called(entry).and_then(|table| self.id_of(table));
                let Some(target) = target else { continue };
                let so_far = self.config.edges.get(first..).unwrap_or(&[]);
                if !so_far.contains(&target) && self.config.edges.push(target).is_err() {
                    self.too_many(self.tree.node(entry).value, Many::Edges);
                    return;
                }
            }
            self.list(first, self.config.edges.len());
            let after = self.value.list();
            if let Some(workload) = self.config.workloads.get_mut(id.index()) {
                workload.after = after;
            }
        }
    }

    fn read_exit_with(&mut self) {
        let Some(key) = self.exit_with else { return };
        self.part = Some(Part::Key);
        if let Some(table) = self.workload_called(key) {
            self.config.system.exit_with = self.id_of(table);
            if self.config.system.exit_with.is_none() {
                self.rule(self.tree.node(key).value, Rule::LeftOut);
            }
        }
    }

    #[inline(never)]
    fn settle_users(&mut self) {
        let (workloads, strings) = (&mut self.config.workloads, &self.config.strings);
        let name = |workload: &Workload| {
            let start = usize::from(workload.name.at);
            strings.get(start..start.saturating_add(workload.name.len.into())).unwrap_or(&[])
        };
        users::settle(workloads, &|one, other| name(one) < name(other));
    }
}

/// The number that an integer stands for in that form.
fn whole(form: Form, integer: i64) -> Option<u64> {
    let number = u64::try_from(integer).ok()?;
    let fine = match form {
        Form::Count | Form::CountOrMax => (1..u64::from(u32::MAX)).contains(&number),
        Form::Weight => (1..=10_000).contains(&number),
        Form::Size => number > 0,
        Form::SizeOrMax => true,
        Form::Cpu => return form::enough_cpu(number.checked_mul(100_000)?),
        Form::Signal => form::is_signal(number),
        Form::User => return form::id(number).map(|id| pack_ids(id, id)),
        _ => false,
    };
    fine.then_some(number)
}

struct NotYet;

/// The number that a string stands for in that form, if it has that form. For
/// forms that are kept as text it says nothing.
#[inline(never)]
fn number(form: Form, text: &[u8]) -> Result<Option<u64>, NotYet> {
    let fine = match form {
        Form::CountOrMax | Form::SizeOrMax if text == b"max" => return Ok(Some(UNLIMITED)),
        Form::User if text == b"auto" => return Ok(Some(AUTO)),
        Form::RootDirectory if text == b"scratch" => return Ok(Some(0)),
        Form::Size => return Ok(form::size(text).filter(|size| *size > 0)),
        Form::SizeOrMax => return Ok(form::size(text)),
        Form::Duration => return Ok(form::duration(text)),
        Form::Wait => return Ok(form::duration(text).filter(|millis| *millis >= 10)),
        Form::Cpu => return Ok(form::cpu(text)),
        Form::Signal => return Ok(form::signal(text)),
        Form::User => return Ok(form::user(text).map(|(uid, gid)| pack_ids(uid, gid))),
        Form::Address if text == b"dhcp" || text.contains(&b':') => return Err(NotYet),
        Form::Address | Form::Gateway => {
            let found = form::ipv4(text).filter(|(_, prefix)| prefix.is_some() == (form == Form::Address));
            return Ok(found.map(|(address, prefix)| pack_address(address, prefix.unwrap_or(0))));
        }
        Form::Source
            if form::words("LABEL= UUID= PARTLABEL= PARTUUID=").any(|label| text.starts_with(label)) =>
        {
            return Err(NotYet);
        }
        Form::RootDirectory if text.ends_with(b".erofs") || text.ends_with(b".squashfs") => {
            return Err(NotYet);
        }
        Form::RootDirectory | Form::Path => form::is_path(text),
        Form::Source => form::is_path(text) || (form::is_word(text) && !text.contains(&b'/')),
        Form::Device => form::is_path(text) && text.starts_with(b"/dev/"),
        Form::Cpuset => form::is_cpuset(text),
        Form::Name | Form::Option => form::is_word(text),
        Form::Module => form::is_module(text),
        Form::Hostname => form::is_hostname(text),
        Form::Text | Form::Setting => true,
        _ => false,
    };
    Ok(fine.then_some(1))
}

fn pack_ids(uid: u32, gid: u32) -> u64 {
    u64::from(gid) << 32 | u64::from(uid)
}

fn pack_address([a, b, c, d]: [u8; 4], prefix: u8) -> u64 {
    u64::from_be_bytes([0, 0, 0, prefix, a, b, c, d])
}

fn unpack_address(number: u64) -> ([u8; 4], u8) {
    let [_, _, _, prefix, a, b, c, d] = number.to_be_bytes();
    ([a, b, c, d], prefix)
}
