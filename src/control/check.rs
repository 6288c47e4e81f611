//! `corm check`: the reader of PID 1, for a person.

use super::commands::Command;
use super::{Streams, Words, exit};
use crate::boot::config_files::{self, TREE, Unread, Why};
use crate::config::{self, Config, Limit, RANGE, Report, Root, Shown, Sources, Tree, User, Workload};
use crate::sandbox::plan;
use crate::sandbox::seccomp::{Program, compile};
use crate::sys::Errno;
use crate::sys::cell::TakeOnce;
use crate::text::{Bytes, Left, Show, Sink};
use crate::{limits, put};
use core::ffi::CStr;

pub(super) static SOURCES: TakeOnce<Sources> = TakeOnce::new(Sources::EMPTY);
pub(super) static CONFIG: TakeOnce<Config> = TakeOnce::new(Config::EMPTY);

pub(super) fn run(this: &Command, words: Words, streams: &mut Streams) -> u8 {
    // One command runs in one process.
    let (Some(sources), Some(tree), Some(config)) = (SOURCES.take(), TREE.take(), CONFIG.take()) else {
        return exit::UNAVAILABLE;
    };
    check(this, words, streams, Space { sources, tree, config })
}

/// Where a config is read into.
pub(super) struct Space<'a> {
    pub sources: &'a mut Sources,
    pub tree: &'a mut Tree,
    pub config: &'a mut Config,
}

pub(super) fn check(this: &Command, words: Words, streams: &mut Streams, space: Space) -> u8 {
    let Space { sources, tree, config } = space;
    let mut status = exit::OK;
    let mut named = false;
    for word in words {
        if word.to_bytes().starts_with(b"-") {
            return this.misused(word.to_bytes(), streams);
        }
        named = true;
        add(word, sources, streams.err, &mut status);
    }
    if !named {
        add(config_files::DEFAULT, sources, streams.err, &mut status);
    }
    if status != exit::OK {
        return status;
    }
    let outcome = config::read(sources, tree, config, &mut Printer(streams.err));
    if outcome.problems > 0 {
        let many = if outcome.problems == 1 { " problem" } else { " problems" };
        put!(*streams.err, outcome.problems, many);
        if outcome.problems > limits::CONFIG_PROBLEMS {
            put!(*streams.err, ", the first ", limits::CONFIG_PROBLEMS, " of them above");
        }
        put!(*streams.err, "; workloads that are kept: ", config.workloads.len(), "\n");
        return exit::DATA;
    }
    summary(config, streams.out);
    exit::OK
}

/// A file with its drop-ins, or all files of a directory.
fn add(path: &'static CStr, sources: &mut Sources, err: &mut dyn Sink, status: &mut u8) {
    let mut tell = |unread: Unread| {
        put!(*err, "corm check: ", unread, "\n");
        *status = exit::NO_INPUT;
    };
    let failed = |why| Unread { path: path.to_bytes(), why };
    match config_files::add_file(path, sources) {
        Ok(()) => config_files::add_drop_ins(path, sources, &mut tell),
        Err(Why::NotAFile) => match config_files::add_directory(path, sources, &mut tell) {
            Ok(()) => {}
            Err(Errno::ENOTDIR) => tell(failed(Why::NotAFile)),
            Err(errno) => tell(failed(Why::Errno(errno))),
        },
        Err(why) => tell(failed(why)),
    }
}

pub(super) struct Printer<'a>(pub &'a mut dyn Sink);

impl Report for Printer<'_> {
    fn problem(&mut self, problem: &Shown) {
        problem.show(self.0);
        self.0.put(b"\n");
    }
}

/// What the config comes to, a line each workload.
fn summary(config: &Config, out: &mut dyn Sink) {
    put!(*out, "fine: ", Count(config.workloads.len(), "workload"));
    put!(*out, ", ", Count(config.mounts.len(), "mount"));
    put!(*out, ", ", Count(config.interfaces.len(), "interface"), "\n");
    for workload in &config.workloads {
        put!(*out, "  ", Left(config.bytes(workload.name), 16));
        line(config, workload, out);
    }
}

fn line(config: &Config, workload: &Workload, out: &mut dyn Sink) {
    if workload.privileged {
        put!(*out, " privileged");
    }
    match workload.root {
        Root::Scratch => put!(*out, " root scratch"),
        Root::Directory(path) => put!(*out, " root ", config.bytes(path)),
    }
    match workload.user {
        User::Auto { first } => put!(*out, ", ids ", first, " to ", first.saturating_add(RANGE - 1)),
        User::Ids { uid, gid } => put!(*out, ", user ", uid, ":", gid),
    }
    for (index, address) in config.words(workload.connection.addresses).iter().enumerate() {
        put!(*out, if index == 0 { ", address " } else { " " }, config.bytes(*address));
    }
    if let Some(memory) = config.limit(workload, Limit::Memory) {
        put!(*out, ", memory ", Bytes(memory));
    }
    if let Some(micros) = config.limit(workload, Limit::Cpu) {
        put!(*out, ", cpu ", micros / 1000, "%");
    }
    if let Some(pids) = config.limit(workload, Limit::Pids) {
        put!(*out, ", pids ", pids);
    }
    let mut program = Program::EMPTY;
    if plan::has_filter(workload) && compile(config, workload, &mut program) {
        put!(*out, ", seccomp ", program.instructions().len(), " instructions");
    }
    put!(*out, "\n");
}

/// `1 mount`, `2 mounts`.
struct Count(usize, &'static str);

impl Show for Count {
    fn show(&self, out: &mut dyn Sink) {
        put!(*out, self.0, " ", self.1, if self.0 == 1 { "" } else { "s" });
    }
}
