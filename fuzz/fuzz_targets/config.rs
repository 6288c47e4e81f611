//! The config reader against whatever comes, and against the `toml` crate:
//! what corm accepts must mean the same there.
//!
//! `cargo xtask fuzz config`
#![no_main]

use corm::config::events::{Event, tell};
use corm::config::{Config, Report, Shown, Sources, Tree, WorkloadId, read};
use corm::text::{Show, Sink};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use toml::Value;

struct Problems {
    count: usize,
    is_toml: bool,
}

struct Text(Vec<u8>);

impl Sink for Text {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Report for Problems {
    fn problem(&mut self, problem: &Shown) {
        let mut text = Text(Vec::new());
        problem.show(&mut text);
        let text = String::from_utf8(text.0).expect("a report is UTF-8");
        assert!(text.bytes().all(|byte| byte == b'\n' || byte >= b' '), "{text:?}");
        self.is_toml &= !text.contains("= skipped up to");
        self.count += 1;
    }
}

struct Space {
    sources: Sources,
    tree: Tree,
    config: Config,
}

thread_local! {
    /// Far too large for a stack, and read into again and again.
    static SPACE: RefCell<Box<Space>> = RefCell::new(Box::new(Space {
        sources: Sources::EMPTY,
        tree: Tree::EMPTY,
        config: Config::EMPTY,
    }));
}

/// The value whose first event was `first`.
fn value(first: Event, events: &mut impl Iterator<Item = Event>) -> Value {
    match first {
        Event::Text(text) => Value::String(text),
        Event::Integer(integer) => Value::Integer(integer),
        Event::Boolean(boolean) => Value::Boolean(boolean),
        Event::ArrayStart => {
            let mut array = Vec::new();
            loop {
                match events.next().expect("an end") {
                    Event::End => return Value::Array(array),
                    first => array.push(value(first, events)),
                }
            }
        }
        Event::TableStart => {
            let mut table = toml::Table::new();
            loop {
                match events.next().expect("an end") {
                    Event::Key(key) => {
                        let first = events.next().expect("a value");
                        table.insert(key, value(first, events));
                    }
                    _ => return Value::Table(table),
                }
            }
        }
        Event::Key(_) | Event::End => unreachable!("no value"),
    }
}

fuzz_target!(|data: &[u8]| {
    SPACE.with_borrow_mut(|space| {
        let Space { sources, tree, config } = &mut **space;
        sources.clear();
        // A form feed between two halves makes two files of them.
        let files: Vec<&[u8]> = data.splitn(2, |byte| *byte == 0x0c).collect();
        for file in &files {
            if sources.add(b"corm.toml", file).is_err() {
                return;
            }
        }
        let mut problems = Problems { count: 0, is_toml: true };
        let outcome = read(sources, tree, config, &mut problems);
        assert_eq!(problems.count, usize::from(outcome.problems.min(corm::limits::CONFIG_PROBLEMS)));
        for id in config.ids() {
            let workload = config.workload(id).expect("an id");
            assert!(!config.words(workload.command).is_empty());
            let mut before = config.edges(workload.after).iter().chain(config.edges(workload.needs));
            assert!(before.all(|id| *id == WorkloadId::LEFT_OUT || config.workload(*id).is_some()));
            assert_eq!(config.c_str(workload.name).to_bytes(), config.bytes(workload.name));
        }
        if !problems.is_toml || problems.count >= 64 {
            return;
        }
        for file in &files {
            let text = std::str::from_utf8(file).expect("corm took it for UTF-8");
            let theirs: Result<toml::Table, _> = text.parse();
            let theirs = theirs.expect("corm took it for TOML");
            if files.len() == 1 {
                let mut events = Vec::new();
                tell(sources, tree, &mut |event| events.push(event));
                let mut events = events.into_iter();
                let first = events.next().expect("a table");
                assert_eq!(value(first, &mut events), Value::Table(theirs));
            }
        }
    });
});
