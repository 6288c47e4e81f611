//! A program inside of sandboxes tries to get out of them, and says what it sees.
//!
//! The mistakes that other sandboxes made, and where each is tried: docs/sandbox.md, "What others
//! were broken by".

use anyhow::{Context, Result};
use corm_native_tests::{Place, Who, finish, install, unified};
use corm_qemu::{Arch, device};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

#[path = "inside/races.rs"]
mod races;
#[path = "inside/table.rs"]
mod table;

use table::{CLOCKS, PORTS, Report, VARIANTS, WITHOUT_SWITCH};

/// What only a machine of their own may let workloads do; tests/inside.rs does.
const ON_MACHINES: &[&str] = &[
    "capset",
    "cgroup-limit",
    "cgroup-write",
    "dev-mem",
    "dev-vda",
    "disk",
    "leaked-descriptor",
    "memory-device",
    "read-shadow",
    "sys-write",
];

/// Landlock's rules of ports are Linux 6.7's, and without cgroup v2 nothing else holds them.
fn has_port_rules() -> Result<bool> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']).map_while(|word| word.parse::<u32>().ok());
    Ok((numbers.next(), numbers.next()) >= (Some(6), Some(7)))
}

/// What root has on this machine, which need not be all.
fn capabilities() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let set = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).context("no CapBnd")?;
    Ok(u64::from_str_radix(set.trim(), 16)?)
}

/// The same command on a terminal.
fn on_terminal(command: &Command) -> Command {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")))
        .collect();
    let mut script = Command::new("script");
    script.args(["-qec", &words.join(" "), "/dev/null"]).current_dir("/").stdin(Stdio::null());
    script
}

#[test]
fn each_wall_stands_and_falls_with_its_switch() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let arch = Arch::ALL.into_iter().find(|arch| arch.is_native()).context("no corm for this machine")?;
    install(&device::bench(arch, "inside")?, &place.root().join("inside"))?;
    fs::create_dir_all(place.root().join("sys"))?;
    let data = place.directory.join("shared");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777))?;
    install(&place.root().join("inside"), &data.join("inside"))?;
    fs::write(place.root().join("other"), "a program")?;
    fs::set_permissions(place.root().join("other"), fs::Permissions::from_mode(0o777))?;
    let ports = has_port_rules()?.then_some(&PORTS);
    if ports.is_none() {
        eprintln!("SKIPPED: ports, which this kernel's Landlock does not know");
    }
    let has_clocks = Path::new("/proc/self/timens_offsets").exists().then_some(&CLOCKS);
    // What this machine does not let its own root do, corm cannot give.
    let own = capabilities()?;
    let reaches_1 = fs::read_link("/proc/1/root").is_ok();
    let required = ["--set", "security.landlock=\"required\""];
    let has_landlock = finish(&mut place.script_as(Who::Root, &required, "exit 0"))?.status == 0;
    if !has_landlock {
        eprintln!("SKIPPED: calls and kernel, behind which this kernel has no Landlock");
    }
    let (variants, beyond): (Vec<_>, Vec<_>) = VARIANTS
        .iter()
        .chain(ports)
        .chain(has_clocks)
        .filter(|variant| has_landlock || !matches!(variant.name, "calls" | "kernel"))
        .partition(|variant| variant.needs & !own == 0 && (reaches_1 || variant.name != "machine"));
    for variant in &beyond {
        eprintln!("SKIPPED: {}, which takes rights that root has not got here", variant.name);
    }
    let file = place.directory.join("corm.toml");
    let config: String = variants
        .iter()
        .map(|variant| table::workload(variant, &place.root().to_string_lossy(), &data.to_string_lossy()))
        .collect();
    fs::write(&file, config)?;
    let mut machine = Vec::new();
    for entry in fs::read_dir("/proc/self/ns")? {
        machine.push(fs::read_link(entry?.path())?.to_string_lossy().into_owned());
    }
    let mut reports = BTreeMap::new();
    let mut wrong = Vec::new();
    for variant in variants {
        let run = place.corm_as(Who::Root, &["run", "--config", &file.to_string_lossy(), variant.name]);
        // What must not come through.
        let run = unified(&run)?;
        let mut leaky = place.after("export SECRET=1; exec 7</; trap '' USR1; umask 0", &run);
        let outcome = finish(&mut leaky)?;
        let report = Report::read(&outcome.out);
        for what in table::compare(variant, &report, &machine) {
            wrong.push(format!("{what} {}", outcome.err));
        }
        reports.insert(variant.name, report);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // With a terminal it has one, which is its own (CVE-2017-5226).
    let run = unified(&place.corm_as(Who::Root, &["run", "--config", &file.to_string_lossy(), "plain"]))?;
    let outcome = finish(&mut on_terminal(&run))?;
    let report = Report::read(&outcome.out.replace('\r', ""));
    for (name, wanted) in
        [("terminal", &[0][..]), ("tiocsti", &[1]), ("tiocsti-64", &[1]), ("tioclinux", &[1])]
    {
        let errno = report.attempts.get(name).copied();
        assert!(errno.is_some_and(|errno| wanted.contains(&errno)), "{name}: {errno:?}: {}", outcome.out);
    }
    reports.insert("plain on a terminal", report);
    let silent: Vec<String> = table::never_got_through(&reports)
        .into_iter()
        .filter(|name| ![WITHOUT_SWITCH, ON_MACHINES].iter().any(|list| list.contains(&name.as_str())))
        .filter(|name| !beyond.iter().any(|variant| variant.changes.iter().any(|(row, _)| row == name)))
        .collect();
    assert!(silent.is_empty(), "these got through nowhere, so nobody knows whether they bite: {silent:?}");
    Ok(())
}

#[test]
fn what_a_root_or_a_config_says_of_paths_and_users_leads_nowhere() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    // CVE-2024-21626: a directory of the machine as the working directory.
    for directory in ["/proc/self/fd/7", "/proc/self/fd/7/etc", "/proc/self/cwd/../../.."] {
        let set = format!("directory={directory:?}");
        let run = place.script_as(Who::Root, &["--set", &set], "busybox ls corm-was-here etc/passwd");
        let outcome = finish(&mut place.after("exec 7</", &run))?;
        assert_ne!(outcome.status, 0, "{directory}: {}", outcome.out);
        assert!(!outcome.out.contains("passwd"), "{directory}: {}", outcome.out);
    }
    // CVE-2025-31133: what masks is the kernel's null device, wherever the root's own leads.
    fs::write(place.root().join("data/secret"), "seen")?;
    symlink("/data/secret", place.root().join("dev/null"))?;
    let masked = finish(&mut place.script_as(Who::Root, &[], "busybox cat /proc/keys /dev/null"))?;
    assert_eq!((masked.status, masked.out.as_str()), (0, ""), "{}", masked.err);
    // CVE-2016-3697, CVE-2026-30892: a user is a number, all of it, and no passwd of a root's is asked.
    fs::create_dir_all(place.root().join("etc"))?;
    fs::write(place.root().join("etc/passwd"), "1:x:0:0::/:/bin/sh\nweb:x:0:0::/:/bin/sh\n")?;
    let user = |user: &str| {
        finish(&mut place.script_as(Who::Root, &["--set", &format!("user={user}")], "busybox id -u"))
    };
    assert_eq!(user("1")?.out, "1\n");
    for name in ["\"web\"", "\"1x\"", "\" 1\"", "4294967296", "-1"] {
        let outcome = user(name)?;
        assert_eq!((outcome.status, outcome.out.as_str()), (65, ""), "{name}: {}", outcome.err);
    }
    Ok(())
}
