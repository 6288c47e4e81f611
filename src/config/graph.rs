//! Workloads that wait for each other for ever.
//!
//! A depth-first search over `join`, `after` and `needs`, on the tree of values and without
//! recursion. Each cycle is broken by leaving out the workload whose entry
//! closes it; that is done before workloads are read, so nothing has to be
//! taken back.

use super::source::Sources;
use super::tree::{Kind, NodeId, Tree};
use crate::limits;
use heapless::Vec;

/// Marks of workloads: not seen yet; done with; else, on the path: the entry of
/// `join` or of its lists that leads on.
const NEW: u16 = 0;
const DONE: u16 = u16::MAX;

/// Calls `found` with the first workload of each cycle and the entry that
/// closes it, while the marks lead around it, and damages that entry's workload.
pub(super) fn break_cycles(
    sources: &Sources,
    tree: &Tree,
    workloads: NodeId,
    found: &mut dyn FnMut(NodeId, NodeId),
) {
    let mut path: Vec<NodeId, { limits::WORKLOADS }> = Vec::new();
    let mut root = tree.first(workloads);
    while let Some(start) = root {
        root = tree.next(start);
        if tree.node(start).mark.get() != NEW {
            continue;
        }
        let mut at = start;
        let mut entry = first_entry(sources, tree, at);
        loop {
            let Some(edge) = entry else {
                tree.node(at).mark.set(DONE);
                let Some(back) = path.pop() else { break };
                at = owner(tree, back);
                entry = next_entry(sources, tree, back);
                continue;
            };
            entry = next_entry(sources, tree, edge);
            if tree.node(edge).kind != Kind::Text {
                continue;
            }
            let Ok(to) = tree.find(sources, workloads, tree.node(edge).value) else { continue };
            tree.node(at).mark.set(edge.0);
            match tree.node(to).mark.get() {
                DONE => {}
                // More workloads than there may be are not searched; they are refused anyway.
                NEW => {
                    if path.push(edge).is_ok() {
                        at = to;
                        entry = first_entry(sources, tree, at);
                        // On the path, even before it leads anywhere.
                        tree.node(at).mark.set(entry.map_or(DONE, |entry| entry.0));
                    }
                }
                _ => {
                    found(to, edge);
                    tree.node(at).damaged.set(true);
                }
            }
        }
    }
    let mut next = tree.first(workloads);
    while let Some(workload) = next {
        tree.node(workload).mark.set(NEW);
        next = tree.next(workload);
    }
}

/// What a workload waits for: the one it joins, if it does, then the strings of its `after`
/// and of its `needs`. Nothing if the workload is left out anyway.
fn first_entry(sources: &Sources, tree: &Tree, workload: NodeId) -> Option<NodeId> {
    let node = tree.node(workload);
    if node.is_broken() || !node.kind.is_table() {
        return None;
    }
    super::read::named(sources, tree, workload, "join").or_else(|| first_listed(sources, tree, workload))
}

fn first_listed(sources: &Sources, tree: &Tree, workload: NodeId) -> Option<NodeId> {
    ["after", "needs"].into_iter().find_map(|list| first_of(sources, tree, workload, list))
}

fn first_of(sources: &Sources, tree: &Tree, workload: NodeId, list: &'static str) -> Option<NodeId> {
    let list = super::read::named(sources, tree, workload, list)?;
    if tree.node(list).kind == Kind::Array { tree.first(list) } else { None }
}

/// The entry behind this one, in the same list or in `needs`.
fn next_entry(sources: &Sources, tree: &Tree, entry: NodeId) -> Option<NodeId> {
    let workload = owner(tree, entry);
    if tree.node(entry).parent == workload {
        return first_listed(sources, tree, workload);
    }
    let in_list = tree.next(entry);
    if in_list.is_some() {
        return in_list;
    }
    let needs = first_of(sources, tree, workload, "needs")?;
    if tree.node(needs).parent == tree.node(entry).parent { None } else { Some(needs) }
}

/// The workload that waits for what that entry names.
pub(super) fn owner(tree: &Tree, entry: NodeId) -> NodeId {
    let parent = tree.node(entry).parent;
    if tree.node(parent).kind == Kind::Array { tree.node(parent).parent } else { parent }
}
