//! `cargo xtask panics`: why the release binary does not link.
//!
//! Its panic handler calls a function that exists nowhere. Told to ignore that
//! (`--unresolved-symbols=ignore-all`) and to keep its relocations
//! (`--emit-relocs`), the linker makes a binary in which every reference between
//! functions can be read, on every architecture alike and without disassembling.
//! From that graph: who calls into the panic machinery, how one gets there from
//! `_start`, and, from the line tables, in which line of which file.

mod graph;
mod lines;

use crate::elf::Binary;
use anyhow::Result;
use clap::Args;
use corm_qemu::{Arch, device, directories, say};
use graph::{Graph, Site};
use lines::Lines;
use std::process::ExitCode;

/// List what can panic in the release binary, and the way to each place.
///
/// Exits with 0 when nothing can, 1 otherwise.
#[derive(Args)]
pub struct Panics {
    /// x86_64, aarch64 or armv7; all three if not given
    #[arg(long, value_name = "ARCH")]
    arch: Vec<Arch>,
}

impl Panics {
    pub fn run(self) -> Result<ExitCode> {
        let wanted = if self.arch.is_empty() { Arch::ALL.to_vec() } else { self.arch };
        let mut clean = true;
        for arch in wanted {
            clean &= look(arch)?;
        }
        Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn look(arch: Arch) -> Result<bool> {
    let path = device::with_symbols(arch, &["--emit-relocs", "--unresolved-symbols=ignore-all"])?;
    let binary = Binary::read(&path)?;
    let graph = Graph::of(&binary)?;
    for missing in graph.undefined() {
        say::warning(format!("{arch}: nothing defines `{missing}`, so the release binary does not link"));
    }
    let sites = graph.sites();
    if sites.is_empty() {
        println!("{arch}: no panic is reachable");
        return Ok(graph.undefined().next().is_none());
    }
    let lines = Lines::of(&binary)?;
    println!("{arch}: {} calls can panic\n", sites.len());
    for site in &sites {
        show(site, &lines);
    }
    Ok(false)
}

fn show(site: &Site, lines: &Lines) {
    println!("{} calls {}", site.function, site.machinery);
    let here = directories::repository().to_string_lossy();
    for frame in lines.at(site.address) {
        let place = frame
            .place
            .strip_prefix(&*here)
            .map_or(frame.place.as_str(), |rest| rest.trim_start_matches('/'));
        println!("    at {place}  in {}", frame.function);
    }
    if site.path.is_empty() {
        println!("    (no way from _start is known: through a pointer?)");
    } else {
        println!("    reached by {}", site.path.join(" > "));
    }
    println!();
}
