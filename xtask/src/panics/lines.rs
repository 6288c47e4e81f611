//! Which lines an instruction came from, innermost first.

use crate::elf::{Binary, plain};
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian};
use addr2line::{Context, LookupResult};
use anyhow::Result;
use object::{Object, ObjectSection};

type Reader<'data> = EndianSlice<'data, LittleEndian>;

pub struct Lines<'data> {
    context: Context<Reader<'data>>,
}

pub struct Frame {
    pub function: String,
    /// file:line
    pub place: String,
}

impl Lines<'_> {
    pub fn of(binary: &Binary) -> Result<Lines<'_>> {
        let file = binary.file()?;
        let dwarf = Dwarf::load(|section| -> Result<Reader> {
            let data = file.section_by_name(section.name()).and_then(|section| section.data().ok());
            Ok(EndianSlice::new(data.unwrap_or_default(), LittleEndian))
        })?;
        Ok(Lines { context: Context::from_dwarf(dwarf)? })
    }

    /// The frames at an address: what was inlined, then what it was inlined into.
    pub fn at(&self, address: u64) -> Vec<Frame> {
        let LookupResult::Output(Ok(mut frames)) = self.context.find_frames(address) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let function = frame.function.as_ref().and_then(|name| Some(plain(&name.raw_name().ok()?)));
            let place =
                frame.location.map(|at| format!("{}:{}", at.file.unwrap_or("?"), at.line.unwrap_or(0)));
            found.push(Frame {
                function: function.unwrap_or_else(|| "?".to_owned()),
                place: place.unwrap_or_else(|| "?".to_owned()),
            });
        }
        found
    }
}
