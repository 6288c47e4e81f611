//! The reader against a corpus of documents, against the `toml` crate, and
//! against documents nobody wrote.

use super::events::{Event, tell};
use super::*;
use crate::text::{Show, Sink};
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

mod calls;
mod corpus;
mod documents;
mod generated;
mod meaning;

/// All a reader needs, boxed: it is too large for a test's stack.
struct Read {
    sources: Box<Sources>,
    tree: Box<Tree>,
    config: Box<Config>,
    outcome: Outcome,
    /// Each problem as it is printed.
    problems: Vec<String>,
}

struct Collect(Vec<u8>);

impl Sink for Collect {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Report for Vec<String> {
    fn problem(&mut self, problem: &Shown) {
        let mut text = Collect(Vec::new());
        problem.show(&mut text);
        self.push(String::from_utf8(text.0).expect("what is printed is UTF-8"));
    }
}

fn read_files(files: &[(&str, &[u8])]) -> Read {
    let mut sources = Box::new(Sources::EMPTY);
    for (name, text) in files {
        sources.add(name.as_bytes(), text).expect("the text fits");
    }
    let (mut tree, mut config) = (Box::new(Tree::EMPTY), Box::new(Config::EMPTY));
    let mut problems = Vec::new();
    let outcome = read(&sources, &mut tree, &mut config, &mut problems);
    Read { sources, tree, config, outcome, problems }
}

fn read_text(text: &str) -> Read {
    read_files(&[("corm.toml", text.as_bytes())])
}

/// A config that must be fine.
fn fine(text: &str) -> Box<Config> {
    let read = read_text(text);
    assert!(read.problems.is_empty(), "{}", read.problems.concat());
    read.config
}

impl Read {
    /// The tree as the `toml` crate would have it.
    fn value(&self) -> ::toml::Value {
        let mut events = Vec::new();
        tell(&self.sources, &self.tree, &mut |event| events.push(event));
        let mut events = events.into_iter();
        value(events.next().unwrap(), &mut events)
    }

    /// Was the text the TOML we read? Its values may still be of no use to anybody.
    fn is_toml(&self) -> bool {
        !self.problems.iter().any(|problem| problem.contains("= skipped up to"))
    }

    fn name(&self, workload: &Workload) -> &str {
        core::str::from_utf8(self.config.bytes(workload.name)).unwrap()
    }
}

/// The value whose first event was `first`.
fn value(first: Event, events: &mut impl Iterator<Item = Event>) -> ::toml::Value {
    use ::toml::Value;
    match first {
        Event::Text(text) => Value::String(text),
        Event::Integer(integer) => Value::Integer(integer),
        Event::Boolean(boolean) => Value::Boolean(boolean),
        Event::ArrayStart => {
            let mut array = Vec::new();
            loop {
                match events.next().unwrap() {
                    Event::End => return Value::Array(array),
                    first => array.push(value(first, events)),
                }
            }
        }
        Event::TableStart => {
            let mut table = ::toml::Table::new();
            while let Some(Event::Key(key)) = events.next() {
                let first = events.next().unwrap();
                table.insert(key, value(first, events));
            }
            Value::Table(table)
        }
        Event::Key(_) | Event::End => unreachable!("no value"),
    }
}

/// What is accepted must mean the same to the `toml` crate.
fn assert_means_the_same(text: &[u8], what: &dyn core::fmt::Display) {
    let read = read_files(&[("corm.toml", text)]);
    if !read.is_toml() || read.outcome.problems > 64 {
        return;
    }
    let text = core::str::from_utf8(text).unwrap_or_else(|error| panic!("{what}: not UTF-8: {error}"));
    let theirs: ::toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => panic!("{what}: accepted, but not by toml: {error}\n{text:?}"),
    };
    assert_eq!(read.value(), ::toml::Value::Table(theirs), "{what}: {text:?}");
}

fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}
