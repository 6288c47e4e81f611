//! The corm binary as a linker's product: functions by name and place.

use anyhow::{Context, Result};
use object::{Architecture, Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use std::path::Path;

pub struct Binary {
    pub data: Vec<u8>,
}

/// A function or object.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// As written in Rust, without the hash.
    pub name: String,
    pub address: u64,
    pub size: u64,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    /// Constants and initial values.
    Data,
    Bss,
}

impl Binary {
    pub fn read(path: &Path) -> Result<Binary> {
        let data = std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
        Ok(Binary { data })
    }

    pub fn file(&self) -> Result<object::File<'_>> {
        object::File::parse(&*self.data).context("the corm binary is no ELF file")
    }

    /// Everything with a name and a size, by address. Folded functions
    /// (`--icf=all`) have several names for one place: the first stands.
    pub fn symbols(&self) -> Result<Vec<Symbol>> {
        let file = self.file()?;
        let mut symbols: Vec<Symbol> = file
            .symbols()
            .filter(|symbol| {
                matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data) && symbol.size() > 0
            })
            .filter_map(|symbol| {
                let section = file.section_by_index(symbol.section_index()?).ok()?;
                Some(Symbol {
                    name: plain(symbol.name().ok()?),
                    address: place(&file, &symbol),
                    size: symbol.size(),
                    kind: kind(section.kind())?,
                })
            })
            .collect();
        symbols.sort_by(|one, two| (one.address, &one.name).cmp(&(two.address, &two.name)));
        symbols.dedup_by_key(|symbol| symbol.address);
        Ok(symbols)
    }

    /// Bytes of each kind in memory, named or not.
    pub fn totals(&self) -> Result<[(Kind, u64); 3]> {
        let file = self.file()?;
        let total = |wanted| {
            let sections = file
                .sections()
                .filter(|section| kind(section.kind()) == Some(wanted) && section.address() != 0)
                // lld rounds the read-only part up with it: it is nobody's memory.
                .filter(|section| section.name() != Ok(".relro_padding"));
            (wanted, sections.map(|section| section.size()).sum())
        };
        Ok([Kind::Text, Kind::Data, Kind::Bss].map(total))
    }
}

fn kind(section: SectionKind) -> Option<Kind> {
    match section {
        SectionKind::Text => Some(Kind::Text),
        SectionKind::Data
        | SectionKind::ReadOnlyData
        | SectionKind::ReadOnlyString
        | SectionKind::ReadOnlyDataWithRel => Some(Kind::Data),
        SectionKind::UninitializedData => Some(Kind::Bss),
        _ => None,
    }
}

/// Where a symbol's first byte is.
pub fn place<'data>(file: &object::File<'data>, symbol: &impl ObjectSymbol<'data>) -> u64 {
    let thumb_bit = file.architecture() == Architecture::Arm && symbol.kind() == SymbolKind::Text;
    if thumb_bit { symbol.address() & !1 } else { symbol.address() }
}

/// Demangled and without the compiler's hashes.
pub fn plain(mangled: &str) -> String {
    // LTO adds `.llvm.123` to local names.
    let mangled = mangled.split(".llvm.").next().unwrap_or(mangled);
    format!("{:#}", rustc_demangle::demangle(mangled))
}
