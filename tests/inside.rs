//! The walls as a program inside of them sees them, on a machine: all variants in one boot.
//!
//! The table and the program are those of tests/native/inside.rs. What the program says goes into
//! its log and from there to the host by a port of its own: a console would be too slow for it.

use crate::storage::{EROFS, make};
use anyhow::{Context, Result};
use corm_qemu::Options;
use corm_qemu::host;
use corm_tests::*;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[path = "native/inside/table.rs"]
mod table;

use table::{MACHINE_VARIANTS, Report, VARIANTS, Variant, WITHOUT_SWITCH};

/// What no key lets a workload do, and why it is known to bite all the same.
const ELSEWHERE: &[&str] = &[
    // tests/native/inside.rs runs it on a terminal.
    "terminal",
];

/// What a root must have to be mounted on.
const PLACES: [&str; 5] = ["proc", "dev", "tmp", "data", "sys"];

#[test]
fn each_wall_of_a_machine_stands_and_falls_with_its_switch() -> Result<()> {
    let clocks = (board().arch != corm_qemu::Arch::Armv7).then_some(&table::CLOCKS);
    let variants: Vec<&Variant> =
        VARIANTS.iter().chain(MACHINE_VARIANTS).chain([&table::PORTS]).chain(clocks).collect();
    let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
    let mut config = String::from(
        "[system]\nhostname = \"guests\"\n[workload.pod]\ncommand = [\"/bin/busybox\", \"sleep\", \"9999\"]\n",
    );
    for variant in &variants {
        config += &table::workload(variant, "/srv/root", "/srv/data");
        config += "log = { kernel = false }\n";
    }
    let script = format!(
        "until [ -e /dev/vport0p1 ]; do usleep 10000; done\n{{\n\
         for space in /proc/1/ns/*; do echo space=$(readlink $space); done\n\
         for name in {}; do echo report=$name; /init logs --raw $name; done\n}} >/dev/vport0p1",
        names.join(" ")
    );
    config += &probe(&names, &script);
    let program = corm_qemu::device::bench(board().arch, "inside")?;
    // The same root as an image.
    host::require(&[EROFS])?;
    let directory = tempfile::tempdir()?;
    let [root, erofs] = ["root", "erofs"].map(|name| directory.path().join(name));
    for place in PLACES {
        std::fs::create_dir_all(root.join(place))?;
    }
    std::fs::copy(&program, root.join("inside"))?;
    std::fs::write(root.join("other"), "a program")?;
    std::fs::set_permissions(root.join("other"), std::fs::Permissions::from_mode(0o777))?;
    make(Command::new("mkfs.erofs").arg(&erofs).arg(&root))?;
    let mut image = image(&config)
        .module("overlay")
        .module("loop")
        .module("erofs")
        .module("crc32c_generic")
        .host_file("/srv/root.erofs", &erofs)
        .host_file("/srv/root/inside", &program)
        .host_file("/srv/data/inside", &program)
        .file("/srv/root/other", "a program", 0o777)
        .file("/etc/shadow", "secrets", 0o600)
        .directory("/srv/data", 0o777);
    for place in PLACES {
        image = image.directory(&format!("/srv/root/{place}"), 0o755);
    }
    let disk = tempfile::NamedTempFile::new()?;
    disk.as_file().set_len(1 << 20)?;
    let options = Options {
        drives: vec![disk.path().to_owned()],
        ports: vec!["reports".to_owned()],
        ..Options::default()
    };
    let mut machine = boot_with(image, &options)?;
    let mut port = machine.take_port(0).context("it has a port")?;
    let said = std::thread::spawn(move || {
        let mut said = Vec::new();
        port.read_to_end(&mut said).map(|_| String::from_utf8_lossy(&said).into_owned())
    });
    // The probe's turn is when each of them has ended, or could not be started.
    Seen::by_probe(&machine)?;
    machine.quit();
    let said = said.join().expect("a reader does not panic")?;
    let console = machine.console();
    let mut texts = said.split("report=");
    let spaces: Vec<String> = texts
        .next()
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| Some(line.strip_prefix("space=")?.to_owned()))
        .collect();
    let texts: BTreeMap<&str, &str> = texts.filter_map(|text| text.split_once('\n')).collect();
    let mut reports = BTreeMap::new();
    let mut wrong = Vec::new();
    for variant in variants {
        let report = Report::read(texts.get(variant.name).unwrap_or(&""));
        wrong.extend(table::compare(variant, &report, &spaces));
        reports.insert(variant.name, report);
    }
    assert!(wrong.is_empty(), "{}\n{console}\n{said}", wrong.join("\n"));
    let silent: Vec<String> = table::never_got_through(&reports)
        .into_iter()
        .filter(|name| ![WITHOUT_SWITCH, ELSEWHERE].iter().any(|list| list.contains(&name.as_str())))
        .collect();
    assert!(silent.is_empty(), "these got through nowhere, so nobody knows whether they bite: {silent:?}");
    Ok(())
}
