//! `cargo xtask bench init`: what `corm init` costs, beside Debian's inits.
//!
//! Start-up is what it takes to run a program that does nothing, less what that
//! program takes without an init; memory and wake-ups are those of an init whose
//! program sleeps. All of them run side by side (`rounds`), natively, so only
//! comparisons within a run mean something. A missed aim is shown and fails nothing.

mod idle;

use super::calls::{self, Counted};
use super::rounds::{self, Priority, Quartiles, Subject};
use super::table;
use anyhow::{Context, Result};
use corm_qemu::{Arch, device, host, inits, say};
use idle::Idle;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Microseconds over a bare execve(2).
const START_AIM: f64 = 150.0;
/// kB of resident memory, shared or not.
const MEMORY_AIM: u64 = 48;

/// An init, without the program that it runs.
struct Init {
    name: &'static str,
    path: PathBuf,
    flags: &'static [&'static str],
    aims: bool,
}

impl Init {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.args(self.flags).arg(program);
        command
    }
}

struct Row {
    name: &'static str,
    aims: bool,
    over_bare: Quartiles,
    by_floor: Quartiles,
    calls: Counted,
    idle: Idle,
}

pub fn run(count: usize, watched: Duration, fifo: bool, as_json: bool) -> Result<()> {
    let arch = Arch::ALL.into_iter().find(|arch| arch.is_native()).context("no corm for this computer")?;
    host::require(&[calls::STRACE])?;
    let place = tempfile::tempdir().context("no room for the programs")?;
    let nothing = copied(device::bench(arch, "nothing")?, place.path())?;
    let sleeper = copied(device::bench(arch, "hello")?, place.path())?;
    let all = inits(arch, place.path())?;

    say::doing("Measuring", format!("{} inits, {count} rounds", all.len()));
    let mut subjects = vec![Subject::new("bare", Command::new(&nothing))];
    subjects.extend(all.iter().map(|init| Subject::new(init.name, init.command(&nothing))));
    let priority = fifo.then(Priority::raise).transpose()?;
    let times = rounds::run(&mut subjects, count)?;
    drop(priority);
    say::doing("Watching", format!("them sleep for {} s", watched.as_secs()));
    let commands = all.iter().map(|init| init.command(&sleeper)).collect();
    let idle = idle::watch(commands, watched)?;

    let [bare, floor, ..] = times.as_slice() else { anyhow::bail!("nothing was measured") };
    let mut rows = Vec::new();
    for (((init, times), subject), idle) in all.iter().zip(&times[1..]).zip(&subjects[1..]).zip(idle) {
        rows.push(Row {
            name: init.name,
            aims: init.aims,
            over_bare: Quartiles::of_difference(times, bare),
            by_floor: Quartiles::of_ratio(times, floor),
            calls: calls::count(subject, &nothing.to_string_lossy())?,
            idle,
        });
    }
    let bare = Quartiles::of(bare.iter().copied());
    if as_json {
        print_json(count, bare, &rows);
    } else {
        print_table(count, watched, bare, &rows);
    }
    Ok(())
}

/// The floor first: the others are compared with it.
fn inits(arch: Arch, place: &Path) -> Result<Vec<Init>> {
    let debian = inits::directory(arch)?;
    let corm = copied(device::release(arch)?, place)?;
    let named = |name: &str| -> Result<PathBuf> {
        let link = place.join(name);
        std::os::unix::fs::symlink(&corm, &link).context("could not make a link")?;
        Ok(link)
    };
    let init = |name, path, flags| Init { name, path, flags, aims: false };
    Ok(vec![
        init("floor", copied(device::bench(arch, "floor-init")?, place)?, &[]),
        Init { aims: true, ..init("corm init", corm.clone(), &["init", "--"]) },
        init("corm as tini", named("tini")?, &["-s", "--"]),
        init("corm as dumb-init", named("dumb-init")?, &["--"]),
        init("corm as catatonit", named("catatonit")?, &["--"]),
        init("tini", debian.join("tini"), &["-s", "--"]),
        init("tini-static", debian.join("tini-static"), &["-s", "--"]),
        init("dumb-init", debian.join("dumb-init"), &["--"]),
        init("catatonit", debian.join("catatonit"), &["--"]),
    ])
}

/// A copy of a program that is on its disk: pages still to be written would
/// count as memory of the process's own.
pub fn copied(program: PathBuf, place: &Path) -> Result<PathBuf> {
    let copy = place.join(program.file_name().context("a program has a name")?);
    std::fs::copy(&program, &copy).with_context(|| format!("could not copy {}", program.display()))?;
    std::fs::File::open(&copy)
        .and_then(|file| file.sync_all())
        .context("could not write a copy to its disk")?;
    Ok(copy)
}

impl Row {
    fn reached(&self) -> [bool; 3] {
        [self.over_bare.median <= START_AIM, self.idle.resident <= MEMORY_AIM, self.idle.wakeups == 0]
    }
}

fn print_table(count: usize, watched: Duration, bare: Quartiles, rows: &[Row]) {
    println!(
        "start-up in us over a bare execve(2), which takes {}: {count} rounds, median and quartiles",
        bare.shown(0)
    );
    println!(
        "memory in kB and wake-ups in {} s while its program sleeps; {}",
        watched.as_secs(),
        table::load()
    );
    let head = [
        "",
        "over bare",
        "x floor",
        "RSS",
        "private dirty",
        "anonymous",
        "wake-ups",
        "calls, parent + child",
        "",
    ];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        let [start, memory, wakeups] = row.reached().map(table::verdict);
        let aim = format!("aims: {START_AIM:.0} us {start}, {MEMORY_AIM} kB {memory}, 0 wake-ups {wakeups}");
        cells.push(vec![
            row.name.to_owned(),
            row.over_bare.shown(0),
            row.by_floor.shown(2),
            row.idle.resident.to_string(),
            row.idle.private_dirty.to_string(),
            row.idle.anonymous.to_string(),
            row.idle.wakeups.to_string(),
            format!("{} + {}", row.calls.parent.total(), row.calls.child.total()),
            if row.aims { aim } else { String::new() },
        ]);
    }
    table::print(&cells);
    println!("system calls:");
    for row in rows {
        println!("  {}: {}; child: {}", row.name, row.calls.parent.shown(), row.calls.child.shown());
    }
}

fn print_json(count: usize, bare: Quartiles, rows: &[Row]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let [start, memory, wakeups] = row.reached();
            let aims = json!({
                "over-bare-us": START_AIM, "over-bare-reached": start,
                "resident-kb": MEMORY_AIM, "resident-reached": memory,
                "wakeups": 0, "wakeups-reached": wakeups,
            });
            json!({
                "name": row.name,
                "over-bare-us": row.over_bare.json(),
                "floor-ratio": row.by_floor.json(),
                "resident-kb": row.idle.resident,
                "private-dirty-kb": row.idle.private_dirty,
                "anonymous-kb": row.idle.anonymous,
                "wakeups": row.idle.wakeups,
                "calls": { "parent": row.calls.parent.json(), "child": row.calls.child.json() },
                "aims": row.aims.then_some(aims),
            })
        })
        .collect();
    println!(
        "{:#}",
        json!({ "rounds": count, "load": table::load(), "bare-us": bare.json(), "inits": rows })
    );
}
