//! Who refers to whom, from the relocations that the linker kept.

use crate::elf::{Binary, place, plain};
use anyhow::{Context, Result};
use object::{
    Object, ObjectSection, ObjectSymbol, RelocationKind, RelocationTarget, SectionKind, SymbolKind,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the panic handler in `src/sys/panic.rs` calls.
const FORBIDDEN: &str = "corm_panic_is_reachable";

/// A place in the binary where something begins: a function, a table, a constant.
type Place = u64;

pub struct Graph {
    names: BTreeMap<Place, String>,
    /// From, to: where the first such reference is.
    edges: BTreeMap<Place, BTreeMap<Place, u64>>,
    start: Place,
    undefined: BTreeSet<String>,
}

/// A call into the panic machinery.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    pub function: String,
    pub machinery: String,
    /// Of the call instruction.
    pub address: u64,
    /// From `_start` to `function`.
    pub path: Vec<String>,
}

/// Undefined symbols have no address; the one that matters gets this.
const NOWHERE: Place = u64::MAX;

impl Graph {
    pub fn of(binary: &Binary) -> Result<Graph> {
        let file = binary.file()?;
        let mut names = BTreeMap::new();
        for symbol in file.symbols() {
            let is_place =
                matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data) && symbol.is_definition();
            if is_place && let Ok(name) = symbol.name() {
                names.entry(place(&file, &symbol)).or_insert_with(|| plain(name));
            }
        }
        names.insert(NOWHERE, FORBIDDEN.to_owned());
        let mut undefined = BTreeSet::new();
        let mut references = Vec::new();
        let mut targets = BTreeSet::new();
        for section in file.sections() {
            if !is_loaded(section.kind()) {
                continue;
            }
            let data = section.data().unwrap_or_default();
            for (at, relocation) in section.relocations() {
                let RelocationTarget::Symbol(index) = relocation.target() else { continue };
                let symbol = file.symbol_by_index(index).context("a relocation names no symbol")?;
                let to = if symbol.is_undefined() {
                    let name = symbol.name().unwrap_or_default();
                    if name != FORBIDDEN {
                        undefined.insert(plain(name));
                        continue;
                    }
                    NOWHERE
                } else if symbol.kind() == SymbolKind::Section {
                    section_target(
                        &file,
                        &symbol,
                        relocation.addend(),
                        relocation.kind(),
                        data,
                        at.wrapping_sub(section.address()),
                    )
                } else {
                    place(&file, &symbol)
                };
                targets.insert(to);
                references.push((at, to));
            }
        }
        undefined.remove("");
        // A reference belongs to the last place that begins before it; constants
        // without a name begin where something refers to.
        let begins: BTreeSet<Place> = names.keys().copied().chain(targets).collect();
        let owner = |at: u64| begins.range(..=at).next_back().copied();
        let mut edges: BTreeMap<Place, BTreeMap<Place, u64>> = BTreeMap::new();
        for (at, to) in references {
            if let (Some(from), Some(to)) = (owner(at), owner(to)) {
                edges.entry(from).or_default().entry(to).or_insert(at);
            }
        }
        let start = names
            .iter()
            .find(|(_, name)| *name == "_start")
            .map(|(place, _)| *place)
            .context("the binary has no _start")?;
        Ok(Graph { names, edges, start, undefined })
    }

    /// Symbols besides the forbidden one that nothing defines.
    pub fn undefined(&self) -> impl Iterator<Item = &str> {
        self.undefined.iter().map(String::as_str)
    }

    /// Every call from ordinary code into the machinery that leads to the handler.
    pub fn sites(&self) -> Vec<Site> {
        let doomed = self.leading_to(NOWHERE);
        let ways = self.ways();
        let mut sites = Vec::new();
        for (from, callees) in &self.edges {
            let function = self.name(*from);
            if !doomed.contains(from) || is_machinery(function) {
                continue;
            }
            for (to, address) in callees {
                if doomed.contains(to) && is_machinery(self.name(*to)) {
                    sites.push(Site {
                        function: function.to_owned(),
                        machinery: self.name(*to).to_owned(),
                        address: *address,
                        path: self.path(&ways, *from),
                    });
                }
            }
        }
        sites.sort();
        sites
    }

    fn name(&self, place: Place) -> &str {
        self.names.get(&place).map_or("(a constant)", String::as_str)
    }

    fn leading_to(&self, goal: Place) -> BTreeSet<Place> {
        let mut callers: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        for (from, callees) in &self.edges {
            callees.keys().for_each(|to| callers.entry(*to).or_default().push(*from));
        }
        let mut found = BTreeSet::from([goal]);
        let mut todo = vec![goal];
        while let Some(place) = todo.pop() {
            for caller in callers.get(&place).into_iter().flatten() {
                if found.insert(*caller) {
                    todo.push(*caller);
                }
            }
        }
        found
    }

    /// For every place, whence it is reached first: the shortest ways from the start.
    fn ways(&self) -> BTreeMap<Place, Place> {
        let mut came_from = BTreeMap::from([(self.start, self.start)]);
        let mut todo = VecDeque::from([self.start]);
        while let Some(place) = todo.pop_front() {
            for callee in self.edges.get(&place).into_iter().flat_map(BTreeMap::keys) {
                came_from.entry(*callee).or_insert_with(|| {
                    todo.push_back(*callee);
                    place
                });
            }
        }
        came_from
    }

    fn path(&self, ways: &BTreeMap<Place, Place>, to: Place) -> Vec<String> {
        let mut path = Vec::new();
        let mut place = to;
        while let Some(from) = ways.get(&place) {
            path.push(self.name(place).to_owned());
            if *from == place {
                path.reverse();
                return path;
            }
            place = *from;
        }
        Vec::new()
    }
}

/// Where a relocation against a section as a whole points to.
fn section_target<'data>(
    file: &object::File<'data>,
    symbol: &impl ObjectSymbol<'data>,
    addend: i64,
    kind: RelocationKind,
    data: &[u8],
    offset: u64,
) -> Place {
    if file.architecture() == object::Architecture::Arm {
        // The addend is in the place itself, which by now holds the address.
        let bytes = usize::try_from(offset).ok().and_then(|offset| data.get(offset..)?.first_chunk::<4>());
        return bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)) & !1);
    }
    // x86 counts from the end of the instruction, four bytes on.
    let relative =
        matches!(kind, RelocationKind::Relative | RelocationKind::PltRelative | RelocationKind::GotRelative);
    let after = if file.architecture() == object::Architecture::X86_64 && relative { 4 } else { 0 };
    symbol.address().wrapping_add_signed(addend).wrapping_add(after)
}

fn is_loaded(kind: SectionKind) -> bool {
    matches!(
        kind,
        SectionKind::Text
            | SectionKind::Data
            | SectionKind::ReadOnlyData
            | SectionKind::ReadOnlyDataWithRel
            | SectionKind::ReadOnlyString
    )
}

/// `core`'s functions that only ever panic, and what they call.
fn is_machinery(name: &str) -> bool {
    let in_core = name.starts_with("core::") || name.starts_with("<core::");
    name == FORBIDDEN
        || name.contains("rust_begin_unwind")
        || name.starts_with("core::panicking::")
        || (in_core && ["_fail", "failed", "panic"].iter().any(|part| name.contains(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(u64, u64)]) -> Graph {
        let names = [
            (1, "_start"),
            (2, "corm::main"),
            (3, "corm::config::read"),
            (4, "core::panicking::panic_bounds_check"),
            (NOWHERE, FORBIDDEN),
        ];
        let mut graph = Graph {
            names: names.map(|(place, name)| (place, name.to_owned())).into(),
            edges: BTreeMap::new(),
            start: 1,
            undefined: BTreeSet::new(),
        };
        for (from, to) in edges {
            graph.edges.entry(*from).or_default().insert(*to, from * 100);
        }
        graph
    }

    #[test]
    fn a_call_into_the_machinery_is_found_with_the_way_to_it() {
        let sites = graph(&[(1, 2), (2, 3), (3, 4), (4, NOWHERE)]).sites();
        assert_eq!(sites.len(), 1);
        assert_eq!(sites[0].function, "corm::config::read");
        assert_eq!(sites[0].machinery, "core::panicking::panic_bounds_check");
        assert_eq!(sites[0].path, ["_start", "corm::main", "corm::config::read"]);
    }

    #[test]
    fn calls_that_cannot_panic_are_no_sites() {
        assert_eq!(graph(&[(1, 2), (2, 3), (4, NOWHERE)]).sites(), []);
    }

    #[test]
    fn a_way_round_in_circles_still_ends() {
        let sites = graph(&[(1, 2), (2, 3), (3, 2), (3, 4), (4, 4), (4, NOWHERE)]).sites();
        assert_eq!(sites.len(), 1);
    }
}
