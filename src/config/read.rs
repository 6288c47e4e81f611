//! The tree of values becomes a [`Config`].
//!
//! The tables of [`schema`](super::schema) are walked without recursion: a table
//! inside a table is put on a list of tables to walk. Each value is checked by
//! its [`Form`] and comes to one number: itself, or where in the config's pools
//! its text or list is. The number is kept under its [`Key`] until all of a part
//! (`[system]`, a workload, mount, interface or volume) was walked; then the part
//! is made of what is there. What is wrong is told where it is found; functions
//! that can find something wrong return whether they did.
//!
//! A workload, mount or interface becomes part of the config only if nothing was
//! wrong with it: PID 1 runs what is right and says what it left out. What it
//! left out of a workload could have been a limit or a wall, so a workload is all
//! or nothing.

use super::form::{self, Form, SPECIAL};
use super::limit::{Limit, Setting};
use super::problem::{Part, Problem, Report, Shown, What, Wrong};
use super::schema::Key;
use super::source::{Sources, Span};
use super::token::{bare, decode, integer, same, word};
use super::toml::Parser;
use super::tree::{Kind, NOWHERE, NodeId, ROOT, Tree};
use super::types::*;
use super::{graph, users};
use crate::limits;
use crate::text::{Text, word_index};
use heapless::Vec;

mod network;

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
        section: Key::Top,
        part: Part::Key,
        bad: false,
        value: 0,
        given: Givens([ABSENT; Key::COUNT]),
        pending: Vec::new(),
        workloads: NOWHERE,
    };
    reader.walk(Key::Top, ROOT);
    reader.read_system();
    reader.read_parts();
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
                    let part = Part::Text(parser.recover());
                    teller.tell(parser.tree, Problem { place, what, section: Key::Top, part });
                    if what.wrong == Wrong::Nodes {
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

/// The value of a key, checked.
#[derive(Clone, Copy)]
struct Given {
    value: u64,
    /// Where it is.
    node: NodeId,
}

const ABSENT: Given = Given { value: 0, node: NOWHERE };

/// What was given in the part that is being read, by [`Key`].
struct Givens([Given; Key::COUNT]);

impl Givens {
    fn get(&self, key: Key) -> Given {
        self.0.get(key as usize).copied().unwrap_or(ABSENT)
    }

    /// The value of a key, or what it is where none is given.
    #[inline(never)]
    fn or(&self, key: Key, default: u64) -> u64 {
        let given = self.get(key);
        if given.node == NOWHERE { default } else { given.value }
    }

    fn is(&self, key: Key) -> bool {
        self.or(key, 0) != 0
    }

    /// A limit that can be lifted.
    fn limit(&self, key: Key, default: u64) -> Option<u64> {
        Some(self.or(key, default)).filter(|limit| *limit != SPECIAL)
    }

    /// What 32 bits hold.
    fn short(&self, key: Key, default: u64) -> Option<u32> {
        u32::try_from(self.or(key, default)).ok()
    }

    fn string(&self, key: Key) -> Option<Str> {
        self.limit(key, SPECIAL).map(Str::unpacked)
    }

    fn entries<T>(&self, key: Key) -> List<T> {
        List::unpacked(self.or(key, 0))
    }

    /// Forgets what was given, from this key on.
    fn forget(&mut self, from: Key) {
        if let Some(given) = self.0.get_mut(from as usize..) {
            given.fill(ABSENT);
        }
    }

    /// What a workload is besides its name, limits, volumes and capabilities.
    /// `null` is where "/dev/null" is, if it has streams of its own.
    #[inline(never)]
    fn fill(&self, workload: &mut Workload, own_root: Option<Root>, first: u32, null: u64) {
        let privileged = self.is(Key::Privileged);
        workload.privileged = privileged;
        workload.command = self.entries(Key::Command);
        workload.root = own_root.unwrap_or(match self.or(Key::RootDirectory, SPECIAL) {
            SPECIAL => Root::Scratch,
            path => Root::Directory(Str::unpacked(path)),
        });
        workload.overlay = match self.or(Key::Overlay, 0) {
            SPECIAL => OVERLAY,
            size => size,
        };
        workload.user = match self.or(Key::User, if privileged { 0 } else { SPECIAL }) {
            SPECIAL => User::Auto { first },
            both => User::Ids { uid: (both >> 32) as u32, gid: both as u32 },
        };
        workload.env = self.entries(Key::Env);
        workload.directory = self.string(Key::Directory);
        workload.restart = match self.or(Key::Restart, 2) {
            0 => Restart::Never,
            1 => Restart::OnFailure,
            _ => Restart::Always,
        };
        workload.backoff.first = self.or(Key::BackoffFirst, Backoff::DEFAULT.first.into()) as u32;
        workload.backoff.most = self.or(Key::BackoffMost, Backoff::DEFAULT.most.into()) as u32;
        workload.backoff.reset = self.or(Key::BackoffReset, Backoff::DEFAULT.reset.into()) as u32;
        workload.backoff.jitter = self.or(Key::BackoffJitter, 0) as u32;
        workload.backoff.burst = self.or(Key::BackoffBurst, 0) as u32;
        workload.backoff.within = self.or(Key::BackoffWithin, Backoff::DEFAULT.within.into()) as u32;
        self.readiness(workload);
        workload.log.ring = self.or(Key::LogRing, Log::DEFAULT.ring.into()) as u32;
        workload.log.kernel = self.or(Key::LogKernel, 1) != 0;
        workload.stop.signals = self.or(Key::StopSignals, Stop::DEFAULT.signals.into()) as u32;
        workload.stop.timeout = self.or(Key::StopTimeout, Stop::DEFAULT.timeout.into()) as u32;
        workload.critical = self.is(Key::Critical);
        workload.early = self.is(Key::Early);
        workload.init = self.is(Key::Init);
        workload.stdio = match self.or(Key::Stdio, 0) {
            0 => Stdio::Log,
            1 => Stdio::Console,
            _ => {
                let device = |key| Str::unpacked(self.or(key, null));
                Stdio::Devices {
                    stdin: device(Key::Stdin),
                    stdout: device(Key::Stdout),
                    stderr: device(Key::Stderr),
                }
            }
        };
        workload.host = self.shared(privileged);
        workload.joined = self.joined();
        workload.devices = self.entries(Key::Devices);
        workload.unmasked = self.is(Key::Masks);
        self.seccomp(&mut workload.seccomp, privileged);
        workload.landlock = match self.or(Key::Landlock, 0) {
            0 => Landlock::Default,
            1 => Landlock::Required,
            _ => Landlock::Off,
        };
        let ports = |key| Some(self.entries(key)).filter(|_| self.get(key).node != NOWHERE);
        workload.allow_bind = ports(Key::AllowBind);
        workload.allow_connect = ports(Key::AllowConnect);
    }

    /// What runs once is ready when it has done its work.
    fn readiness(&self, workload: &mut Workload) {
        let default = u64::from(workload.restart == Restart::Never);
        workload.ready = match self.or(Key::Ready, default) {
            0 => Ready::Started,
            1 => Ready::Settled,
            2 => Ready::Notify,
            _ => match self.or(Key::ReadyDescriptor, 0) {
                0 => Ready::Probe,
                number => Ready::Descriptor(number as u8),
            },
        };
        // Work takes as long as it takes.
        let patience = if workload.ready == Ready::Settled { 0 } else { START_TIMEOUT };
        workload.start_timeout = self.or(Key::StartTimeout, patience.into()) as u32;
        workload.watchdog = self.or(Key::Alive, 0) as u32;
        workload.probe = Probe {
            port: self.or(Key::ReadyTcp, 0) as u16,
            period: self.or(Key::ProbePeriod, Probe::DEFAULT.period.into()) as u32,
            timeout: self.or(Key::ProbeTimeout, Probe::DEFAULT.timeout.into()) as u32,
            threshold: self.or(Key::ProbeThreshold, Probe::DEFAULT.threshold.into()) as u32,
        };
    }

    /// What it shares with the machine.
    fn shared(&self, privileged: bool) -> Spaces {
        let mut spaces = 0;
        for (index, key) in NAMESPACES.into_iter().enumerate() {
            // Clocks of its own are no wall, and few programs expect them.
            let default = privileged || key == Key::TimeNamespace;
            spaces |= u8::from(self.or(key, default.into()) != 0) << index;
        }
        Spaces(spaces)
    }

    /// What it shares with a workload that it joins: all that it says nothing of.
    fn joined(&self) -> Spaces {
        let spaces = [
            (Key::NetworkMode, Spaces::NETWORK),
            (Key::IpcNamespace, Spaces::IPC),
            (Key::UtsNamespace, Spaces::UTS),
        ];
        let joins = self.get(Key::Join).node != NOWHERE;
        let unsaid = |(key, _): &(Key, Spaces)| joins && self.get(*key).node == NOWHERE;
        Spaces(spaces.into_iter().filter(unsaid).fold(0, |all, (_, space)| all | space.0))
    }

    #[inline(never)]
    fn seccomp(&self, seccomp: &mut Seccomp, privileged: bool) {
        seccomp.base = match self.or(Key::Seccomp, 0) {
            _ if privileged => Base::Off,
            1 => Base::Strict,
            2 => Base::Off,
            SPECIAL if self.get(Key::Allow).node != NOWHERE => Base::Own,
            _ => Base::Default,
        };
        seccomp.allow = self.entries(Key::Allow);
        seccomp.deny = self.entries(Key::Deny);
        seccomp.refusal = match self.or(Key::Refusal, 0) {
            0 => Refusal::Errno,
            1 => Refusal::Kill,
            _ => Refusal::Log,
        };
    }
}

/// In the order of the bits of [`Spaces`].
const NAMESPACES: [Key; 6] = [
    Key::PidNamespace,
    Key::IpcNamespace,
    Key::UtsNamespace,
    Key::UserNamespace,
    Key::CgroupNamespace,
    Key::TimeNamespace,
];

/// Tables inside a workload's table: as many as its keys take, and some more for lists of tables.
const TABLES: usize = 16;

struct Reader<'a> {
    sources: &'a Sources,
    tree: &'a Tree,
    config: &'a mut Config,
    teller: Teller<'a>,
    section: Key,
    /// What is being read, as long as it was not yet said that it is left out.
    part: Part,
    /// Something is wrong with it.
    bad: bool,
    /// What the value that was checked last comes to.
    value: u64,
    given: Givens,
    pending: Vec<(Key, NodeId), TABLES>,
    /// The table of them.
    workloads: NodeId,
}

impl Reader<'_> {
    /// Tells what is wrong. Returns false, as whoever found it does.
    #[inline(never)]
    fn wrong(&mut self, place: Span, what: What) -> bool {
        let (part, section) = (self.part, self.section);
        if part != Part::Key {
            self.part = Part::None;
        }
        self.bad = true;
        self.teller.tell(self.tree, Problem { place, what, section, part });
        false
    }

    /// Tells that a pool of the config, or another table, is full.
    fn too_many(&mut self, place: Span, wrong: Wrong, most: usize) -> bool {
        // The largest is the one of bytes, which is what 16 bits count.
        self.wrong(place, What { node: NodeId(most as u16), ..wrong.into() })
    }

    /// Reads a table and all tables in it.
    #[inline(never)]
    fn walk(&mut self, section: Key, table: NodeId) {
        self.pending.clear();
        self.later(section, table);
        let mut index = 0usize;
        while let Some((section, table)) = self.pending.get(index).copied() {
            self.section = section;
            let mut child = self.tree.first(table);
            while let Some(node) = child {
                self.key(table, node);
                child = self.tree.next(node);
            }
            index = index.saturating_add(1);
        }
    }

    /// A table to be walked.
    fn later(&mut self, section: Key, table: NodeId) {
        if self.pending.push((section, table)).is_err() {
            self.too_many(self.tree.node(table).value, Wrong::Tables, TABLES);
        }
    }

    fn key(&mut self, table: NodeId, child: NodeId) {
        let node = self.tree.node(child);
        if node.is_broken() {
            // Reported when it was parsed.
            self.bad = true;
            return;
        }
        let name = word(self.sources.bytes(node.key));
        let Some((form, key)) = self.section.key(name.as_bytes()) else {
            self.wrong(node.key, What { node: table, ..Wrong::UnknownKey.into() });
            return;
        };
        if !self.check(form, child) {
            return;
        }
        let value = self.value;
        let before = self.given.get(key).node;
        if matches!(key, Key::StopSignals | Key::NetworkMode) && before != NOWHERE {
            self.wrong(node.key, What { node: before, ..Wrong::Defined.into() });
            return;
        }
        if let Some(given) = self.given.0.get_mut(key as usize) {
            *given = Given { value, node: child };
        }
        if key.is_walked() && value == SPECIAL {
            self.later(key, child);
        }
        if key.is_refused() {
            self.wrong(node.key, Wrong::NotYet.into());
        }
    }

    /// Checks a value against its form; then [`value`](Self::value) has it.
    #[inline(never)]
    fn check(&mut self, form: Form, child: NodeId) -> bool {
        let node = self.tree.node(child);
        let kind = node.kind.bit();
        if form.kinds() & kind == 0 {
            return self.wrong(node.value, What { wrong: Wrong::Kind, form, node: child });
        }
        let token = self.sources.bytes(node.value);
        match kind {
            form::TEXT if form.kinds() & form::ARRAY == 0 => return self.text(form, node.value),
            form::INTEGER => {
                let integer = integer(token).unwrap_or(0);
                if form == Form::Setting {
                    let mut text = Text::<20>::new();
                    crate::put!(text, integer);
                    return self.intern(node.value, &mut text.as_bytes().iter().copied());
                }
                // Below 0 it is above what any form takes, but for those that know.
                return self.number(form, node.value, form.whole(integer as u64));
            }
            form::BOOLEAN => self.value = u64::from(token == b"true"),
            form::ARRAY | form::TEXT if form != Form::Tables => return self.words(form, child),
            _ if matches!(form, Form::Variables | Form::Settings) => return self.pairs(form, child),
            _ => self.value = SPECIAL,
        }
        true
    }

    /// The value is this number, if there is one.
    fn number(&mut self, form: Form, place: Span, number: Option<u64>) -> bool {
        match number {
            Some(number) => {
                self.value = number;
                true
            }
            None => self.wrong(place, What { form, ..Wrong::Form.into() }),
        }
    }

    /// The string of a token.
    #[inline(never)]
    fn text(&mut self, form: Form, token: Span) -> bool {
        let before = self.config.strings.len();
        if !self.intern(token, &mut decode(self.sources.bytes(token))) {
            return false;
        }
        let bytes = self.config.bytes(Str::unpacked(self.value));
        let number = if form.is_for_later(bytes, self.section) {
            return self.wrong(token, Wrong::NotYet.into());
        } else if bytes == form.special() {
            Some(SPECIAL)
        } else if form.is_kept() {
            Some(self.value).filter(|_| form.is_fine(bytes))
        } else {
            let choice = word_index(form.choices(), b' ', bytes).map(|index| index as u64);
            choice.or_else(|| form.number(bytes))
        };
        if !form.is_kept() {
            self.config.strings.truncate(before);
        }
        self.number(form, token, number)
    }

    /// Copies a string into the config's pool.
    #[inline(never)]
    fn intern(&mut self, place: Span, bytes: &mut dyn Iterator<Item = u8>) -> bool {
        let strings = &mut self.config.strings;
        let at = strings.len();
        let mut fits = true;
        for byte in bytes {
            fits = fits && strings.push(byte).is_ok();
        }
        let len = strings.len().saturating_sub(at);
        if !fits || strings.push(0).is_err() {
            return self.too_many(place, Wrong::Bytes, limits::STRINGS);
        }
        // The pool is at most as long as 16 bits count.
        self.value = Str { at: at as u16, len: len as u16 }.packed();
        true
    }

    /// A string that is not in the config's text.
    fn intern_word(&mut self, word: &'static str) -> Str {
        // If there is no room, that was told.
        self.intern(Span::default(), &mut bare(word));
        Str::unpacked(self.value)
    }

    /// The first one of an array; a string is a list of one.
    fn elements(&self, array: NodeId) -> Option<NodeId> {
        if self.tree.node(array).kind == Kind::Text { Some(array) } else { self.tree.first(array) }
    }

    /// An array of strings.
    #[inline(never)]
    fn words(&mut self, form: Form, array: NodeId) -> bool {
        let start = self.config.words.len();
        let before = self.config.strings.len();
        let mut element = match form {
            Form::Command => Form::Path,
            Form::Modules => Form::Module,
            Form::Options => Form::Option,
            Form::Capabilities => Form::Capability,
            Form::Calls => Form::Call,
            Form::PortRanges => Form::PortRange,
            Form::Signals => Form::Signal,
            Form::Addresses => Form::Cidr,
            Form::Gateways => Form::Ip,
            Form::Routes => Form::Route,
            Form::Ports => Form::Port,
            Form::Egresses => Form::Egress,
            Form::Devices => Form::Granted,
            _ => Form::Text,
        };
        let mut signals = 0u64;
        let mut child = self.elements(array);
        if form == Form::Command && child.is_none() {
            return self.number(form, self.tree.node(array).value, None);
        }
        while let Some(node) = child {
            if !self.check(element, node) {
                // A machine is better off with the other modules than with none.
                if form != Form::Modules {
                    return false;
                }
                child = self.tree.next(node);
                continue;
            }
            if form == Form::Command {
                element = Form::Text;
            }
            child = self.tree.next(node);
            if form == Form::Signals {
                signals = signals.wrapping_shl(8) | self.value;
                if signals > u32::MAX.into() {
                    signals = 0;
                    break;
                }
                continue;
            }
            if self.config.words.push(Str::unpacked(self.value)).is_err() {
                return self.too_many(self.tree.node(node).value, Wrong::Words, limits::WORDS);
            }
            child = if node == array { None } else { self.tree.next(node) };
        }
        if form == Form::Signals {
            return self.number(form, self.tree.node(array).value, Some(signals).filter(|all| *all != 0));
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
        let (name, setting) =
            if form == Form::Settings { (Form::Sysctl, Form::Setting) } else { (Form::Variable, Form::Text) };
        let mut child = self.tree.first(table);
        while let Some(entry) = child {
            child = self.tree.next(entry);
            let token = self.tree.node(entry).key;
            let fine = self.text(name, token);
            let key = Str::unpacked(self.value);
            if !(fine && self.check(setting, entry)) {
                // A machine is better off with its other settings than with none.
                if form != Form::Settings {
                    return false;
                }
                continue;
            }
            if self.config.pairs.push(Pair { key, value: Str::unpacked(self.value) }).is_err() {
                return self.too_many(token, Wrong::Pairs, limits::PAIRS);
            }
        }
        self.list(start, self.config.pairs.len())
    }

    /// The value is what was put into a pool since; an empty list is 0.
    fn list(&mut self, start: usize, end: usize) -> bool {
        // No pool is longer than 16 bits count.
        let list = Str { at: start as u16, len: end.saturating_sub(start) as u16 };
        self.value = if start == end { 0 } else { list.packed() };
        true
    }

    #[inline(never)]
    fn read_system(&mut self) {
        self.config.system = System {
            hostname: self.given.string(Key::Hostname),
            modules: self.given.entries(Key::Modules),
            sysctl: self.given.entries(Key::Sysctl),
            on_failure: match self.given.or(Key::OnFailure, 0) {
                0 => OnFailure::Reboot,
                1 => OnFailure::Halt,
                _ => OnFailure::Rescue,
            },
            poweroff: match self.given.or(Key::Poweroff, 0) {
                0 => FinalAction::PowerOff,
                1 => FinalAction::Reboot,
                _ => FinalAction::Halt,
            },
            exit_with: None,
            exit_report: self.given.string(Key::ExitReport),
            control_group: self.given.short(Key::ControlGroup, SPECIAL),
            rescue: self.given.entries(Key::Rescue),
        };
    }

    /// Mounts, interfaces and workloads, and what is between them.
    fn read_parts(&mut self) {
        let exit_with = self.given.get(Key::ExitWith).node;
        let interfaces = self.given.get(Key::Interface).node;
        self.workloads = self.given.get(Key::Workload).node;
        self.read_each(Key::Mount, self.given.get(Key::Mount).node, Form::Mount, Reader::read_mount);
        self.read_each(Key::Interface, interfaces, Form::Interface, Reader::read_interface);
        self.break_cycles();
        self.read_each(Key::Workload, self.workloads, Form::Workload, Reader::read_workload);
        self.part = Part::Key;
        self.read_edges();
        if exit_with != NOWHERE {
            self.read_exit_with(exit_with);
        }
        users::settle(self.config);
        self.read_joins();
        self.fill_pools();
    }

    /// Reads each table in `all`, and takes back what it has put into the pools
    /// if something was wrong with it.
    #[inline(never)]
    fn read_each(&mut self, section: Key, all: NodeId, name: Form, one: fn(&mut Self, NodeId, Str)) {
        let mut next = self.tree.first(all);
        while let Some(table) = next {
            next = self.tree.next(table);
            let config = &self.config;
            let pools = [
                config.strings.len(),
                config.words.len(),
                config.pairs.len(),
                config.limits.len(),
                config.volumes.len(),
            ];
            self.part = Part::Table(table);
            // If it is broken, that was reported when it was parsed.
            self.bad = self.tree.node(table).is_broken();
            self.given.forget(Key::Top);
            let key = self.tree.node(table).key;
            if section == Key::Interface && word(self.sources.bytes(key)).as_bytes() == b"dns" {
                // The one that is no interface.
                self.section = section;
                if !self.bad && self.check(Form::Gateways, table) {
                    self.config.dns = List::unpacked(self.value);
                }
            } else if !self.bad
                && let Some(name) = self.enter(section, table, name)
            {
                one(self, table, name);
            }
            if self.bad {
                let [strings, words, pairs, limits, volumes] = pools;
                self.config.strings.truncate(strings);
                self.config.words.truncate(words);
                self.config.pairs.truncate(pairs);
                self.config.limits.truncate(limits);
                self.config.volumes.truncate(volumes);
                self.teller.outcome.left_out = self.teller.outcome.left_out.saturating_add(1);
            }
        }
    }

    /// Walks a table that has a name of that form. Returns the name.
    fn enter(&mut self, section: Key, table: NodeId, name: Form) -> Option<Str> {
        if !self.text(name, self.tree.node(table).key) {
            return None;
        }
        let name = Str::unpacked(self.value);
        if !self.check(Form::Table, table) {
            return None;
        }
        self.walk(section, table);
        Some(name)
    }

    fn read_mount(&mut self, table: NodeId, target: Str) {
        let place = self.tree.node(table).key;
        let mut source = self.given.string(Key::MountSource);
        let mut kind = self.given.string(Key::MountType);
        // A filesystem without a device has one name for both.
        if source.is_none() {
            source = kind;
        } else if kind.is_none() {
            let is_device = |source: &[u8]| source.starts_with(b"/") || form::named_source(source).is_some();
            kind = source.filter(|source| !is_device(self.config.bytes(*source)));
        }
        let (Some(source), Some(kind)) = (source, kind) else {
            if !self.bad {
                self.wrong(place, Wrong::NoType.into());
            }
            return;
        };
        let (options, required) = (self.given.entries(Key::MountOptions), self.given.is(Key::MountRequired));
        let mount = Mount { target, source, kind, options, required };
        if !self.bad && self.config.mounts.push(mount).is_err() {
            self.too_many(place, Wrong::Mounts, limits::MOUNTS);
        }
    }

    #[inline(never)]
    fn break_cycles(&mut self) {
        let (tree, teller) = (self.tree, &mut self.teller);
        graph::break_cycles(self.sources, tree, self.workloads, &mut |start, entry| {
            let owner = graph::owner(tree, entry);
            let part = if tree.node(owner).damaged.get() { Part::None } else { Part::Table(owner) };
            let what = What { node: start, ..Wrong::Cycle.into() };
            teller.tell(tree, Problem { place: tree.node(entry).value, what, section: Key::Top, part });
        });
    }

    fn read_workload(&mut self, table: NodeId, name: Str) {
        let node = self.tree.node(table);
        let join = Some(self.given.get(Key::Join).node).filter(|node| *node != NOWHERE);
        let lists = [Key::After, Key::Needs].map(|key| self.tree.children(self.given.get(key).node));
        for name in lists.into_iter().flatten().chain(join) {
            self.workload_called(name);
        }
        self.check_ready();
        let limits = self.read_limits();
        let volumes = self.read_volumes();
        if !self.bad && !self.given.is(Key::Command) {
            self.wrong(node.key, Wrong::NoCommand.into());
        }
        let privileged = self.given.is(Key::Privileged);
        if privileged {
            self.take_down_walls();
        }
        if self.given.is(Key::Init) && (privileged || self.given.is(Key::PidNamespace)) {
            self.wrong(self.tree.node(self.given.get(Key::Init).node).key, Wrong::InitOutside.into());
        }
        self.check_backoff();
        let (network, connection) = self.read_connection();
        // What is not in the config's text.
        let own_root = privileged.then(|| Root::Directory(self.intern_word("/")));
        // A stream that the table does not name is /dev/null.
        let devices = self.given.or(Key::Stdio, 0) == SPECIAL;
        let null = if devices { self.intern_word("/dev/null").packed() } else { 0 };
        let capabilities = self.capabilities();
        if !privileged {
            self.check_namespaces();
            self.check_capabilities(network);
        }
        let blank = self.config.blank;
        if !self.bad && self.config.workloads.push(blank).is_err() {
            self.too_many(node.key, Wrong::Workloads, limits::WORKLOADS);
        }
        if self.bad {
            return;
        }
        // Its number, from 1; see `id_of`.
        node.mark.set(self.config.workloads.len() as u16);
        let first = users::first_choice(self.config.bytes(name));
        if let Some(workload) = self.config.workloads.last_mut() {
            workload.name = name;
            workload.limits = limits;
            workload.volumes = volumes;
            workload.capabilities = capabilities;
            workload.network = network;
            workload.connection = connection;
            self.given.fill(workload, own_root, first, null);
        }
    }

    fn check_ready(&mut self) {
        let Given { value, node } = self.given.get(Key::Ready);
        let named = |key| self.given.get(key).node != NOWHERE;
        let probe = named(Key::ReadyTcp);
        let settings = [Key::ProbePeriod, Key::ProbeTimeout, Key::ProbeThreshold];
        let both = probe == named(Key::ReadyDescriptor) || !probe && settings.into_iter().any(named);
        if value == SPECIAL && both && !self.bad {
            self.wrong(self.tree.node(node).key, Wrong::NotOneReady.into());
        }
    }

    fn check_backoff(&mut self) {
        let default = Backoff::DEFAULT;
        let first = self.given.or(Key::BackoffFirst, default.first.into());
        if first > self.given.or(Key::BackoffMost, default.most.into()) {
            let most = self.given.get(Key::BackoffMost).node;
            let place = if most == NOWHERE { self.given.get(Key::BackoffFirst).node } else { most };
            self.wrong(self.tree.node(place).value, Wrong::Backoff.into());
        }
    }

    fn capabilities(&self) -> u64 {
        let words = self.config.words(self.given.entries(Key::Capabilities));
        let numbers = words.iter().filter_map(|word| form::capability(self.config.bytes(*word)));
        numbers.fold(0, |all, number| all | 1 << (number & 63))
    }

    /// What contradicts itself.
    fn check_namespaces(&mut self) {
        let joins = self.given.get(Key::Join).node != NOWHERE;
        let has_ids = self.given.or(Key::User, SPECIAL) != SPECIAL;
        let is_own = self.given.or(Key::UserNamespace, 1) == 0;
        let checks = [
            (Key::User, joins, Wrong::Joined),
            (Key::UserNamespace, joins, Wrong::Joined),
            (Key::UserNamespace, !joins && has_ids && is_own, Wrong::OwnIds),
            (Key::MountNamespace, self.given.is(Key::MountNamespace), Wrong::HostMounts),
        ];
        for (key, contradicts, wrong) in checks {
            let node = self.given.get(key).node;
            if contradicts && node != NOWHERE {
                self.wrong(self.tree.node(node).key, wrong.into());
            }
        }
    }

    /// A right in a user namespace is one over what belongs to that. The machine's clock
    /// does not, nor does its network, nor one that the machine has made for the workload.
    fn check_capabilities(&mut self, network: Network) {
        const NETWORK: u64 = 0xf << 10;
        const INSIDE: u64 = 0x1ff | NETWORK | 1 << 15 | 1 << 18 | 1 << 19 | 1 << 21 | 1 << 31 | 1 << 40;
        let named = self.given.or(Key::User, SPECIAL) != SPECIAL;
        if named || self.given.is(Key::UserNamespace) || self.given.get(Key::Join).node != NOWHERE {
            return;
        }
        let counts = if network == Network::None { INSIDE } else { INSIDE & !NETWORK };
        for entry in self.tree.children(self.given.get(Key::Capabilities).node) {
            let place = self.tree.node(entry).value;
            let number = form::capability(word(self.sources.bytes(place)).as_bytes());
            if number.is_some_and(|number| !has(counts, number)) {
                self.wrong(place, Wrong::MachineRight.into());
            }
        }
    }

    /// What the config says of a privileged workload is what it gets.
    fn take_down_walls(&mut self) {
        const WALLS: [Key; 17] = [
            Key::RootDirectory,
            Key::Overlay,
            Key::Volume,
            Key::NetworkMode,
            Key::Bridge,
            Key::Macvlan,
            Key::Ipvlan,
            Key::Moved,
            Key::MountNamespace,
            Key::Join,
            Key::Devices,
            Key::Capabilities,
            Key::Seccomp,
            Key::Landlock,
            Key::AllowBind,
            Key::AllowConnect,
            Key::Masks,
        ];
        for key in WALLS.into_iter().chain(NAMESPACES) {
            let Given { value, node } = self.given.get(key);
            let is_wall = match key {
                Key::RootDirectory => self.config.bytes(Str::unpacked(value)) != b"/",
                Key::NetworkMode | Key::MountNamespace => value == 0,
                _ if NAMESPACES.contains(&key) => value == 0,
                // 2 and 1 are "off".
                Key::Seccomp | Key::Landlock => value != 2,
                Key::Masks => value != 1,
                _ => true,
            };
            if is_wall && node != NOWHERE {
                self.wrong(self.tree.node(node).key, Wrong::Wall.into());
            }
        }
    }

    fn read_limits(&mut self) -> List<Setting> {
        let first = self.config.limits.len();
        for limit in Limit::ALL.iter().take_while(|limit| **limit < Limit::IoDevice) {
            self.read_limit(*limit, Key::Memory);
        }
        let mut next = self.tree.first(self.given.get(Key::Io).node);
        while let Some(element) = next {
            next = self.tree.next(element);
            self.given.forget(Key::IoDevice);
            if !self.check(Form::Table, element) {
                continue;
            }
            self.walk(Key::Io, element);
            if self.given.get(Key::IoDevice).node == NOWHERE && !self.bad {
                self.wrong(self.tree.node(element).value, Wrong::NoDevice.into());
            }
            for limit in Limit::ALL.iter().skip_while(|limit| **limit < Limit::IoDevice) {
                self.read_limit(*limit, Key::IoDevice);
            }
        }
        self.list(first, self.config.limits.len());
        List::unpacked(self.value)
    }

    /// Keeps a limit, if there is one. `first` is the first key of its group.
    #[inline(never)]
    fn read_limit(&mut self, limit: Limit, first: Key) {
        let of = if first == Key::Memory { Limit::Memory } else { Limit::IoDevice };
        let index = (first as usize).saturating_add((limit as usize).saturating_sub(of as usize));
        let Given { value, node } = self.given.0.get(index).copied().unwrap_or(ABSENT);
        let value = if node == NOWHERE { limit.default() } else { Some(limit.in_kernels_unit(value)) };
        let Some(value) = value else { return };
        if self.config.limits.push(Setting { limit, value }).is_err() && !self.bad {
            let place = if node == NOWHERE { Span::default() } else { self.tree.node(node).key };
            self.too_many(place, Wrong::Limits, limits::LIMITS);
        }
    }

    fn read_volumes(&mut self) -> List<Volume> {
        let first = self.config.volumes.len();
        let all = self.given.get(Key::Volume).node;
        let mut next = self.tree.first(all);
        while let Some(table) = next {
            next = self.tree.next(table);
            let place = self.tree.node(table).key;
            self.given.forget(Key::VolumeTmpfs);
            let Some(target) = self.enter(Key::Volume, table, Form::Volume) else { continue };
            let size = self.given.limit(Key::VolumeTmpfs, SPECIAL);
            let source = self.given.string(Key::VolumeSource);
            let writable = self.given.is(Key::VolumeWritable);
            let mode = self.given.or(Key::VolumeMode, 0o700) as u16;
            let owner = self.given.limit(Key::VolumeOwner, SPECIAL);
            let is_given = |key| self.given.get(key).node != NOWHERE;
            let source = match (size, source) {
                (Some(size), None) if !is_given(Key::VolumeWritable) => VolumeSource::Tmpfs {
                    size,
                    mode,
                    owner: owner.map(|both| ((both >> 32) as u32, both as u32)),
                },
                (None, Some(_)) if is_given(Key::VolumeMode) || is_given(Key::VolumeOwner) => {
                    self.wrong(place, Wrong::NotOneVolume.into());
                    continue;
                }
                (None, Some(source)) => VolumeSource::Directory { source, writable },
                _ => {
                    // If something in it was wrong, that was said.
                    if !self.bad {
                        self.wrong(place, Wrong::NotOneVolume.into());
                    }
                    continue;
                }
            };
            if self
                .config
                .volumes
                .push(Volume { target, source, exec: self.given.is(Key::VolumeExec) })
                .is_err()
            {
                self.too_many(place, Wrong::Volumes, limits::VOLUMES);
                break;
            }
        }
        self.list(first, self.config.volumes.len());
        List::unpacked(self.value)
    }

    /// The table of the workload that a string names.
    fn workload_called(&mut self, name: NodeId) -> Option<NodeId> {
        let place = self.tree.node(name).value;
        let node = self.workloads;
        let found = self.tree.find(self.sources, node, place).ok();
        if found.is_none() {
            self.wrong(place, What { node, ..Wrong::UnknownWorkload.into() });
        }
        found
    }

    /// The workload that a table became, unless it is left out.
    fn id_of(&self, table: NodeId) -> Option<WorkloadId> {
        self.tree.node(table).mark.get().checked_sub(1).map(WorkloadId)
    }

    /// The names in `join` become numbers, and what they say holds for both.
    #[inline(never)]
    fn read_joins(&mut self) {
        for owner in self.tree.children(self.workloads) {
            let Some(id) = self.id_of(owner) else { continue };
            let Some(join) = named(self.sources, self.tree, owner, "join") else { continue };
            let table = self.workload_called(join);
            let joins = |table| named(self.sources, self.tree, table, "join").is_some();
            let is_joined_itself = table.is_some_and(joins);
            let found = table.and_then(|table| self.id_of(table));
            let target = found.and_then(|found| self.config.workload(found)).copied();
            // Nobody has that number: it will not start.
            let mut joined = WorkloadId(u16::MAX);
            self.part = Part::Table(owner);
            match (found, target) {
                (Some(found), Some(target)) if !target.privileged && !is_joined_itself => {
                    joined = found;
                    if let Some(workload) = self.config.workloads.get_mut(id.index()) {
                        workload.user = target.user;
                        if workload.joined.has(Spaces::NETWORK) {
                            workload.network = target.network;
                        }
                        workload.host.0 |= target.host.0 & Spaces::USER.0;
                    }
                }
                _ => {
                    let wrong = if target.is_some() { Wrong::Join } else { Wrong::LeftOut };
                    self.wrong(self.tree.node(join).value, wrong.into());
                }
            }
            if let Some(workload) = self.config.workloads.get_mut(id.index()) {
                workload.join = Some(joined);
            }
        }
    }

    /// Names in `after` and `join` become numbers. Workloads that are left out are waited for by nobody.
    #[inline(never)]
    fn read_edges(&mut self) {
        for table in self.tree.children(self.workloads) {
            let Some(id) = self.id_of(table) else { continue };
            let list = |name| named(self.sources, self.tree, table, name);
            let (join, after, needs) = (list("join"), list("after"), list("needs"));
            let start = self.config.edges.len();
            let mut first = start;
            if let Some(target) = join.and_then(|name| self.workload_called(name)) {
                // What it joins is before it as what it is `after` is.
                let target = self.id_of(target);
                if target.is_some_and(|target| self.config.edges.push(target).is_err()) {
                    self.too_many(self.tree.node(table).value, Wrong::Edges, limits::EDGES);
                    return;
                }
            }
            for list in [after, needs].into_iter().flatten() {
                if Some(list) == needs {
                    first = self.config.edges.len();
                }
                for entry in self.tree.children(list) {
                    let mut target = self.workload_called(entry).and_then(|table| self.id_of(table));
                    if Some(list) == needs && target.is_none() {
                        // It must not run without it.
                        self.part = Part::None;
                        self.wrong(self.tree.node(entry).value, Wrong::LeftOut.into());
                        self.part = Part::Key;
                        target = Some(WorkloadId::LEFT_OUT);
                    }
                    let Some(target) = target else { continue };
                    let so_far = self.config.edges.get(first..).unwrap_or(&[]);
                    if !so_far.contains(&target) && self.config.edges.push(target).is_err() {
                        self.too_many(self.tree.node(entry).value, Wrong::Edges, limits::EDGES);
                        return;
                    }
                }
            }
            let end = self.config.edges.len();
            self.list(start, end);
            let after = List::unpacked(self.value);
            self.list(first, end);
            let needed = if needs.is_some() { List::unpacked(self.value) } else { List::EMPTY };
            if let Some(workload) = self.config.workloads.get_mut(id.index()) {
                (workload.after, workload.needs) = (after, needed);
            }
        }
    }

    fn read_exit_with(&mut self, key: NodeId) {
        let Some(table) = self.workload_called(key) else { return };
        self.config.system.exit_with = self.id_of(table);
        if self.config.system.exit_with.is_none() {
            self.wrong(self.tree.node(key).value, Wrong::LeftOut.into());
        }
    }
}
