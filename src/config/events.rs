//! The tree as a series of events, for the tests and fuzzers that compare it
//! with what the `toml` crate reads. Not on the device.

use super::source::Sources;
use super::token::{decode, integer};
use super::tree::{Kind, NodeId, ROOT, Tree};
use std::string::String;

/// A value, or a part of one.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    Text(String),
    Integer(i64),
    Boolean(bool),
    ArrayStart,
    TableStart,
    /// Of a table's next entry.
    Key(String),
    End,
}

/// Tells the whole tree to `hear`. Only for a tree that was read without a syntax error.
pub fn tell(sources: &Sources, tree: &Tree, hear: &mut dyn FnMut(Event)) {
    value(sources, tree, ROOT, hear);
}

fn value(sources: &Sources, tree: &Tree, id: NodeId, hear: &mut dyn FnMut(Event)) {
    let string = |token| String::from_utf8(decode(sources.bytes(token)).collect()).unwrap();
    let node = tree.node(id);
    let token = sources.bytes(node.value);
    match node.kind {
        Kind::Nothing => panic!("a value that could not be read"),
        Kind::Text => hear(Event::Text(string(node.value))),
        Kind::Integer => hear(Event::Integer(integer(token).ok().unwrap())),
        Kind::Boolean => hear(Event::Boolean(token == b"true")),
        Kind::Array => {
            hear(Event::ArrayStart);
            tree.children(id).for_each(|child| value(sources, tree, child, hear));
            hear(Event::End);
        }
        Kind::Inline | Kind::Table | Kind::Implied | Kind::Dotted => {
            hear(Event::TableStart);
            for child in tree.children(id) {
                hear(Event::Key(string(tree.node(child).key)));
                value(sources, tree, child, hear);
            }
            hear(Event::End);
        }
    }
}
