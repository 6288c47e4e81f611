//! All values of a config as a tree in a fixed arena.
//!
//! A [`Node`] is plain data: links are places in the arena, strings are places
//! in the text. Finding a key of a table walks a binary tree that is threaded
//! through the nodes and ordered by the bits of a hash, so a table of thousands
//! of keys is not read over and over. Only as much of the arena is touched as
//! there are values: 26 bytes each.

use super::form::line;
use super::source::{Sources, Span};
use super::token::{decode, same};
use crate::limits;
use core::cell::Cell;
use heapless::Vec;

/// A node's place in its [`Tree`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct NodeId(pub(super) u16);

/// What a node holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(super) enum Kind {
    /// A key whose value could not be read; that was reported.
    #[default]
    Nothing,
    Text,
    Integer,
    Boolean,
    Array,
    /// `{ … }`
    Inline,
    /// `[table]`
    Table,
    /// `[table.below]` came, `[table]` did not (yet).
    Implied,
    /// Made by a dotted key.
    Dotted,
}

impl Kind {
    /// Its bit in the kinds of a [`Form`](super::form::Form): all tables are one.
    pub fn bit(self) -> u8 {
        1 << (self as u8).min(Kind::Inline as u8)
    }

    pub fn name(self) -> &'static [u8] {
        const NAMES: &[u8] = b"nothing\na string\na number\na boolean\nan array\na table";
        line(NAMES, (self as u8).min(Kind::Inline as u8))
    }

    pub fn is_table(self) -> bool {
        matches!(self, Kind::Inline | Kind::Table | Kind::Implied | Kind::Dotted)
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub depth: u8,
    /// Something in it could not be read.
    pub damaged: Cell<bool>,
    /// Free for whoever walks the tree.
    pub mark: Cell<u16>,
    pub parent: NodeId,
    pub next: Option<Link>,
    pub first: Option<Link>,
    last: Option<Link>,
    /// The tree of keys: smaller and greater hash bits.
    less: Option<Link>,
    more: Option<Link>,
    /// The key's token; empty for an element of an array.
    pub key: Span,
    /// The value's token; of a table, the key where it was last opened.
    pub value: Span,
}

impl Node {
    /// Its value could not be read, or not all of it; that was reported.
    pub fn is_broken(&self) -> bool {
        self.damaged.get() || self.kind == Kind::Nothing
    }
}

/// A node that is not the root: links need no room for "none".
type Link = core::num::NonZeroU16;

#[expect(clippy::declare_interior_mutable_const, reason = "a value to start from")]
const NO_NODE: Node = Node {
    kind: Kind::Nothing,
    depth: 0,
    damaged: Cell::new(false),
    mark: Cell::new(0),
    parent: ROOT,
    next: None,
    first: None,
    last: None,
    less: None,
    more: None,
    key: Span { at: 0, len: 0 },
    value: Span { at: 0, len: 0 },
};

/// The table that is the whole config.
pub(super) const ROOT: NodeId = NodeId(0);

/// No node: it has no children.
pub(super) const NOWHERE: NodeId = NodeId(u16::MAX);

pub struct Tree {
    nodes: Vec<Node, { limits::CONFIG_NODES }>,
    /// What stands for a node that is not there. All zeros, as is the rest: a
    /// tree in a static takes no room in the binary.
    nothing: Node,
}

const _: () = assert!(limits::CONFIG_NODES < u16::MAX as usize);

/// Where in the tree of keys a new key goes.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    above: NodeId,
    more: bool,
}

impl Tree {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a static's own first value")]
    pub const EMPTY: Tree = Tree { nodes: Vec::new(), nothing: NO_NODE };

    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        // There is room: it is empty.
        let _ = self.nodes.push(Node { kind: Kind::Table, ..NO_NODE });
    }

    #[inline(never)]
    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(usize::from(id.0)).unwrap_or(&self.nothing)
    }

    pub(super) fn with(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(usize::from(id.0)) {
            change(node);
        }
    }

    #[inline(never)]
    pub(super) fn first(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).first.map(|link| NodeId(link.get()))
    }

    #[inline(never)]
    pub(super) fn next(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).next.map(|link| NodeId(link.get()))
    }

    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let mut at = self.first(id);
        core::iter::from_fn(move || {
            let found = at?;
            at = self.next(found);
            Some(found)
        })
    }

    /// The ancestor of `id`, or itself, at `depth`.
    pub(super) fn ancestor(&self, mut id: NodeId, depth: u8) -> NodeId {
        while self.node(id).depth > depth {
            id = self.node(id).parent;
        }
        id
    }

    /// The child of `parent` whose key reads as `key` does, or where it would go.
    pub(super) fn find(&self, sources: &Sources, parent: NodeId, key: Span) -> Result<NodeId, Slot> {
        let wanted = decode(sources.bytes(key));
        // FNV-1a, started from the parent: the same key in another table is another key.
        let mut hash = 0x811c_9dc5_u32 ^ u32::from(parent.0);
        for byte in wanted.clone() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
        // The upper bits, which decide first, are the better mixed ones after this.
        hash = hash.wrapping_mul(0x9e37_79b1);
        let mut above = ROOT;
        loop {
            let more = hash & 1 << 31 != 0;
            let node = self.node(above);
            let Some(link) = (if more { node.more } else { node.less }) else {
                return Err(Slot { above, more });
            };
            above = NodeId(link.get());
            let node = self.node(above);
            if node.parent == parent && same(sources.bytes(node.key), wanted.clone()) {
                return Ok(above);
            }
            hash = hash.rotate_left(1);
        }
    }

    /// A new last child of `parent`; `None` if the tree is full.
    pub(super) fn add(
        &mut self,
        parent: NodeId,
        kind: Kind,
        key: Span,
        slot: Option<Slot>,
    ) -> Option<NodeId> {
        let link = Link::new(u16::try_from(self.nodes.len()).ok()?)?;
        let Node { depth, last, .. } = *self.node(parent);
        let depth = depth.saturating_add(1);
        self.nodes.push(Node { kind, depth, parent, key, value: key, ..NO_NODE }).ok()?;
        if let Some(last) = last {
            self.with(NodeId(last.get()), |node| node.next = Some(link));
        }
        self.with(parent, |node| {
            node.last = Some(link);
            node.first = node.first.or(Some(link));
        });
        if let Some(slot) = slot {
            self.with(slot.above, |node| {
                *(if slot.more { &mut node.more } else { &mut node.less }) = Some(link)
            });
        }
        Some(NodeId(link.get()))
    }
}
