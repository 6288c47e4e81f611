//! `cargo xtask bench spawn`: a program that does nothing, in a full sandbox.
//!
//! Every subject runs the same `/bin/true` of the same root directory in pid,
//! mount, uts, ipc and network namespaces, and is timed from its own execve(2) to
//! its end, side by side with the others (`rounds`). The floor makes only the
//! system calls that nobody gets around who gives a program the same things to
//! see: filesystems, devices, a loopback. corm does that, and takes away: rights,
//! system calls, limits; it reads its command line as the config it is, and could
//! say what went wrong. The bare floor gives hardly anything to see. What cannot
//! run on this computer is a row with the reason. A missed aim is shown and fails
//! nothing.

mod peers;

use super::calls::{self, Counted};
use super::init::copied;
use super::rounds::{self, Priority, Quartiles, Subject};
use super::table;
use anyhow::{Context, Result};
use corm_qemu::{Arch, device, host, say};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// At most this many times the floor.
const AIM: f64 = 1.15;

/// The path of the program, inside the root.
const PROGRAM: &str = "/bin/true";

const FLOOR: &str = "floor";

/// corm, as it comes.
const FULL: &str = "corm run";

/// Walls that can be taken away, to see what each of them costs.
const WALLS: [(&str, &str); 4] = [
    ("user namespace", "namespaces.user = \"host\""),
    ("masks", "security.masks = \"off\""),
    ("Landlock", "security.landlock = \"off\""),
    ("seccomp", "security.seccomp = \"off\""),
];

struct Row {
    name: String,
    milliseconds: Quartiles,
    by_floor: Quartiles,
    calls: Counted,
}

/// Whoever cannot run here, and why.
struct Absent {
    name: String,
    why: String,
}

pub fn run(count: usize, fifo: bool, as_json: bool) -> Result<()> {
    let arch = Arch::ALL.into_iter().find(|arch| arch.is_native()).context("no corm for this computer")?;
    host::require(&[calls::STRACE])?;
    let place = tempfile::tempdir().context("no room for a root")?;
    let root = place.path().join("root");
    for directory in ["bin", "proc", "dev", "sys", "tmp", "usr", "run", "var", "etc"] {
        std::fs::create_dir_all(root.join(directory)).context("could not make a root")?;
    }
    std::fs::rename(copied(device::bench(arch, "nothing")?, place.path())?, root.join("bin/true"))?;

    let mut candidates = ours(arch, place.path(), &root)?;
    let mut absent = Vec::new();
    for (name, made) in peers::all(place.path(), &root, PROGRAM) {
        match made {
            Ok(command) => candidates.push(Subject::new(name, command)),
            Err(error) => absent.push(Absent { name: name.to_owned(), why: format!("{error:#}") }),
        }
    }
    let priority = fifo.then(Priority::raise).transpose()?;
    let mut subjects = Vec::new();
    for mut subject in candidates {
        match subject.try_out() {
            Ok(()) => subjects.push(subject),
            Err(error) => absent.push(Absent { name: subject.name, why: format!("{error:#}") }),
        }
    }
    say::doing("Measuring", format!("{} sandboxes, {count} rounds", subjects.len()));
    let times = rounds::run(&mut subjects, count)?;
    drop(priority);
    let floor = times.first().context("nothing could be run here: are you root?")?;
    let mut rows = Vec::new();
    for (subject, times) in subjects.iter().zip(&times) {
        rows.push(Row {
            name: subject.name.clone(),
            milliseconds: Quartiles::of(times.iter().map(|time| time / 1000.0)),
            by_floor: Quartiles::of_ratio(times, floor),
            calls: calls::count(subject, PROGRAM)?,
        });
    }
    if as_json {
        print_json(count, &rows, &absent);
    } else {
        print_table(count, &rows, &absent);
    }
    Ok(())
}

/// The floor first: the others are compared with it.
fn ours(arch: Arch, place: &Path, root: &Path) -> Result<Vec<Subject>> {
    let floor = copied(device::bench(arch, "floor-spawn")?, place)?;
    let cgroup = new_cgroup().unwrap_or_else(|| "-".to_owned());
    let floor = |view: &str| {
        let mut command = Command::new(&floor);
        command.arg(view).arg(root).arg(&cgroup).arg(PROGRAM);
        command
    };
    let corm = copied(device::release(arch)?, place)?;
    let run = |options: &[&str]| {
        let mut command = Command::new(&corm);
        command.arg("run").arg("--root").arg(root).args(options).args(["--", PROGRAM]);
        command
    };
    let mut subjects = vec![
        Subject::new(FLOOR, floor("full")),
        Subject::new("bare floor", floor("bare")),
        Subject::new(FULL, run(&[])),
    ];
    for (wall, setting) in WALLS {
        subjects.push(Subject::new(format!("{FULL}, no {wall}"), run(&["--set", setting])));
    }
    let none = WALLS.map(|(_, setting)| ["--set", setting]).concat();
    subjects.push(Subject::new(format!("{FULL}, none of these"), run(&none)));
    Ok(subjects)
}

/// The name of a cgroup that can be made below ours, where the host has v2: corm makes one, too.
fn new_cgroup() -> Option<String> {
    std::fs::metadata("/sys/fs/cgroup/cgroup.controllers").ok()?;
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let path = format!("/sys/fs/cgroup{}/corm-bench", own.trim_end_matches('/'));
    std::fs::create_dir(&path).and_then(|()| std::fs::remove_dir(&path)).ok()?;
    Some(path)
}

fn print_table(count: usize, rows: &[Row], absent: &[Absent]) {
    println!(
        "{PROGRAM} in a sandbox: ms from execve(2) to its end; {count} rounds, median and quartiles; {}",
        table::load()
    );
    let head = ["", "ms", "x floor", "calls: parent", "child", "others", ""];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        let reached = table::verdict(row.by_floor.median <= AIM);
        cells.push(vec![
            row.name.clone(),
            row.milliseconds.shown(2),
            row.by_floor.shown(2),
            row.calls.parent.total().to_string(),
            row.calls.child.total().to_string(),
            row.calls.others.total().to_string(),
            if row.name == FULL { format!("aim: {AIM} x {reached}") } else { String::new() },
        ]);
    }
    table::print(&cells);
    for Absent { name, why } in absent {
        println!("  {name}: not measured: {why}");
    }
    println!("system calls:");
    for row in rows.iter().filter(|row| [FLOOR, FULL].contains(&row.name.as_str())) {
        println!("  {}, parent: {}", row.name, row.calls.parent.shown());
        println!("  {}, child: {}", row.name, row.calls.child.shown());
    }
}

fn print_json(count: usize, rows: &[Row], absent: &[Absent]) {
    let rows = rows.iter().map(|row| {
        let aimed = row.name == FULL;
        json!({
            "name": row.name,
            "milliseconds": row.milliseconds.json(),
            "floor-ratio": row.by_floor.json(),
            "calls": {
                "parent": row.calls.parent.json(),
                "child": row.calls.child.json(),
                "others": row.calls.others.json(),
            },
            "aim": aimed.then_some(AIM),
            "reached": aimed.then_some(row.by_floor.median <= AIM),
        })
    });
    let absent = absent.iter().map(|Absent { name, why }| json!({ "name": name, "not-measured": why }));
    let sandboxes: Vec<_> = rows.chain(absent).collect();
    println!("{:#}", json!({ "rounds": count, "load": table::load(), "sandboxes": sandboxes }));
}
