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
            println!("{}", table(&reports));
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

/// One line a module, the heaviest first; the last one is the whole binary.
fn table(reports: &[Report]) -> String {
    let mut weights: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, sizes) in reports.iter().flat_map(|report| &report.modules) {
        let weight = weights.entry(name).or_default();
        *weight = (*weight).max(sizes.text + sizes.data);
    }
    let mut names: Vec<&str> = weights.keys().copied().collect();
    names.sort_by_key(|name| std::cmp::Reverse(weights.get(name).copied()));
    let first = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut lines = vec![format!("{:first$}", "")];
    lines.push(lines[0].clone());
    lines.extend(names.iter().map(|name| format!("{name:first$}")));
    lines.push(format!("{:first$}", "all"));
    lines.push(format!("{:first$}", "file"));
    for Report { arch, file, total, modules } in reports {
        let of = |name: &&str| modules.get(*name).copied().unwrap_or_default();
        let numbers = names.iter().map(of).chain([*total]);
        let numbers = numbers.map(|Sizes { text, data, bss }| format!(" {text:8} {data:7} {bss:8}"));
        let head = [format!(" {arch:>25}"), format!(" {:>8} {:>7} {:>8}", "text", "data", "bss")];
        let cells = head.into_iter().chain(numbers).chain([format!(" {file:25}")]);
        lines.iter_mut().zip(cells).for_each(|(line, cell)| line.push_str(&cell));
    }
    lines.join("\n")
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
    fn the_table_has_the_heaviest_module_first_and_every_column_under_its_head() {
        let sizes = |text| Sizes { text, data: 20, bss: 3 };
        let modules = [("small", 1), ("large", 70_000)].map(|(name, text)| (name.to_owned(), sizes(text)));
        let report =
            |arch| Report { arch, file: 80_000, total: sizes(70_001), modules: modules.clone().into() };
        let table = table(&[report(Arch::X86_64), report(Arch::Armv7)]);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{table}");
        let names: Vec<&str> = lines[2..].iter().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["large", "small", "all", "file"]);
        assert_eq!(
            lines[2].split_whitespace().collect::<Vec<_>>(),
            ["large", "70000", "20", "3", "70000", "20", "3"]
        );
    }

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
