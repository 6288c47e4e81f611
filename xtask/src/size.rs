//! `cargo xtask size`: what the binary weighs, and which module weighs how much.
//!
//! Sections are counted from the same code linked with its symbols; the file is
//! the one that goes on a device, without them.

use crate::elf::{Binary, Kind, Symbol};
use anyhow::{Context, Result};
use clap::Args;
use corm_qemu::{Arch, device};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Print text, data, bss and file size per architecture and per module.
#[derive(Args)]
pub struct Size {
    /// x86_64, aarch64 or armv7; all three if not given
    #[arg(long, value_name = "ARCH")]
    arch: Vec<Arch>,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Bytes in memory.
#[derive(Clone, Copy, Default)]
struct Sizes {
    text: u64,
    data: u64,
    bss: u64,
}

struct Report {
    arch: Arch,
    file: u64,
    total: Sizes,
    modules: BTreeMap<String, Sizes>,
}

impl Sizes {
    fn add(&mut self, kind: Kind, bytes: u64) {
        match kind {
            Kind::Text => self.text += bytes,
            Kind::Data => self.data += bytes,
            Kind::Bss => self.bss += bytes,
        }
    }

    fn json(self) -> Value {
        json!({ "text": self.text, "data": self.data, "bss": self.bss })
    }
}

impl Size {
    pub fn run(self) -> Result<ExitCode> {
        let wanted = if self.arch.is_empty() { Arch::ALL.to_vec() } else { self.arch };
        let reports = wanted.into_iter().map(weigh).collect::<Result<Vec<_>>>()?;
        if self.json {
            println!("{:#}", Value::Array(reports.iter().map(Report::json).collect()));
        } else {
            totals(&reports);
            modules(&reports);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn weigh(arch: Arch) -> Result<Report> {
    let release = device::release(arch)?;
    let file = release.metadata().with_context(|| format!("no {}", release.display()))?.len();
    let binary = Binary::read(&device::with_symbols(arch, &[])?)?;
    let mut total = Sizes::default();
    for (kind, bytes) in binary.totals()? {
        total.add(kind, bytes);
    }
    let mut modules: BTreeMap<String, Sizes> = BTreeMap::new();
    let mut named = Sizes::default();
    for Symbol { name, size, kind, .. } in binary.symbols()? {
        modules.entry(module(&name)).or_default().add(kind, size);
        named.add(kind, size);
    }
    // Strings and constants have no names, and neither has alignment.
    let rest = Sizes {
        text: total.text.saturating_sub(named.text),
        data: total.data.saturating_sub(named.data),
        bss: total.bss.saturating_sub(named.bss),
    };
    modules.insert("(unnamed)".to_owned(), rest);
    Ok(Report { arch, file, total, modules })
}

impl Report {
    fn json(&self) -> Value {
        let modules: serde_json::Map<_, _> =
            self.modules.iter().map(|(name, sizes)| (name.clone(), sizes.json())).collect();
        json!({
            "arch": self.arch.name(),
            "file": self.file,
            "text": self.total.text,
            "data": self.total.data,
            "bss": self.total.bss,
            "modules": modules,
        })
    }
}

fn totals(reports: &[Report]) {
    println!("{:<10} {:>9} {:>9} {:>9} {:>9}", "", "text", "data", "bss", "file");
    for Report { arch, file, total, .. } in reports {
        println!("{arch:<10} {:>9} {:>9} {:>9} {file:>9}", total.text, total.data, total.bss);
    }
}

/// One line a module: text and data together (both are in the file), bss apart.
fn modules(reports: &[Report]) {
    let first = reports.iter().flat_map(|report| &report.modules);
    let mut weights: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, sizes) in first {
        let weight = weights.entry(name).or_default();
        *weight = (*weight).max(sizes.text + sizes.data);
    }
    let mut names: Vec<&str> = weights.keys().copied().collect();
    names.sort_by_key(|name| std::cmp::Reverse(weights.get(name).copied()));
    print!("\n{:<28}", "text + data (bss)");
    reports.iter().for_each(|report| print!(" {:>20}", report.arch.name()));
    println!();
    for name in names {
        print!("{name:<28}");
        for report in reports {
            let Sizes { text, data, bss } = report.modules.get(name).copied().unwrap_or_default();
            let bss = if bss == 0 { String::new() } else { format!(" ({bss})") };
            print!(" {:>20}", format!("{}{bss}", text + data));
        }
        println!();
    }
}

/// `corm::config` of `<corm::config::types::Str as PartialEq>::eq`; the crate
/// alone for anybody else's code.
fn module(name: &str) -> String {
    let name = name
        .trim_start_matches(|c: char| "<&*([".contains(c))
        .trim_start_matches("mut ")
        .trim_start_matches("dyn ");
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(name.len());
    let segments: Vec<&str> = name[..end].split("::").filter(|segment| !segment.is_empty()).collect();
    match segments.as_slice() {
        ["corm", module, _, ..] => format!("corm::{module}"),
        ["corm", ..] => "corm".to_owned(),
        // Without a path: assembly and intrinsics such as memcpy.
        [_] | [] => "(no crate)".to_owned(),
        [krate, ..] => (*krate).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_belongs_to_the_module_its_path_or_its_type_names() {
        for (name, expected) in [
            ("corm::main", "corm"),
            ("corm::config::lexer::next", "corm::config"),
            ("<corm::text::Text<_> as corm::text::Show>::show", "corm::text"),
            ("<&corm::log::Line as core::fmt::Debug>::fmt", "corm::log"),
            ("corm::sys::entry::start::start::{closure#0}", "corm::sys"),
            ("core::slice::memchr::memchr_aligned", "core"),
            ("<[u8] as core::cmp::PartialEq>::eq", "(no crate)"),
            ("memcpy", "(no crate)"),
        ] {
            assert_eq!(module(name), expected, "{name}");
        }
    }
}
