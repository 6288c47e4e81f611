//! Roots that are not what they seem, or not for long: what a workload's image or a neighbour with a
//! writable directory in its root can prepare for the start of it.
//!
//! Nobody who writes to a root is kept from confusing what runs in it; but nothing is mounted,
//! written or made anywhere else, and what is masked is masked.

use super::*;
use corm_native_tests::install;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Swaps two names in one moment.
fn exchange(one: &Path, other: &Path) {
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).expect("our own path");
    let (one, other) = (text(one), text(other));
    // SAFETY: both are NUL-terminated and outlive the call.
    let done = unsafe {
        libc::renameat2(libc::AT_FDCWD, one.as_ptr(), libc::AT_FDCWD, other.as_ptr(), libc::RENAME_EXCHANGE)
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// Everything below a directory, with what would change if somebody touched it.
fn snapshot(directory: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut seen = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        let meta = fs::symlink_metadata(&path)?;
        let (changed, nanos) = (meta.ctime(), meta.ctime_nsec());
        let state = format!("{:o} {} {} {changed}.{nanos}", meta.mode(), meta.uid(), meta.len());
        if meta.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        }
        seen.insert(path, state);
    }
    Ok(seen)
}

/// Looks for the real /proc and /dev under both names that they may have by now, and for what must not
/// be there. `.other` is where the attacker keeps the directory while the symlink is in its place.
const LOOK: &str = r#"
tries=0
until test -n "$proc" && test -n "$dev" && test -n "$volume" || test $tries = 2000; do
    for name in "" .other; do
        test -L /proc$name/1/ns/mnt && proc=/proc$name
        test -c /dev$name/null && test -c /dev$name/zero && dev=here
        test -f /data$name/inner/marker && volume=here
    done
    tries=$((tries + 1))
done
echo "proc=${proc:+here} dev=$dev volume=$volume"
test -n "$(busybox cat $proc/keys 2>/dev/null)" && echo "keys are seen"
busybox cat /proc/secret /dev/secret /data/secret /data/inner/secret 2>/dev/null
echo looked
"#;

#[test]
fn a_root_that_is_changed_while_a_workload_starts_leads_nowhere() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let (root, elsewhere) = (place.root(), place.directory.join("elsewhere"));
    fs::create_dir_all(elsewhere.join("inner"))?;
    fs::create_dir_all(root.join("data/inner"))?;
    fs::create_dir(root.join("sys"))?;
    fs::write(elsewhere.join("secret"), "a secret")?;
    fs::write(elsewhere.join("inner/secret"), "a secret")?;
    fs::write(place.directory.join("shared/marker"), "the volume\n")?;
    // A /proc that is none.
    fs::create_dir_all(root.join("proc/1/ns"))?;
    fs::write(root.join("proc/keys"), "")?;
    let names = ["proc", "dev", "data"];
    for name in names {
        symlink(&elsewhere, root.join(format!("{name}.other")))?;
    }
    let before = snapshot(&elsewhere)?;
    let volume = format!("{}:/data/inner", place.directory.join("shared").display());
    let stop = AtomicBool::new(false);
    let (mut started, mut refused) = (0, 0);
    std::thread::scope(|scope| -> Result<()> {
        let attacker = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for name in names {
                    exchange(&root.join(name), &root.join(format!("{name}.other")));
                    std::thread::yield_now();
                }
            }
        });
        let give_up = Instant::now() + corm_native_tests::PATIENCE;
        let result = (|| {
            while started < 20 || refused < 20 {
                anyhow::ensure!(Instant::now() < give_up, "{started} started and {refused} did not");
                let mut run = place.script_as(Who::Root, &["--user", "0", "--volume", &volume], LOOK);
                let outcome = finish(&mut run)?;
                let says = outcome.out.as_str();
                match outcome.status {
                    0 => {
                        started += 1;
                        let wanted = "proc=here dev=here volume=here\nlooked\n";
                        anyhow::ensure!(says == wanted, "{says}{}", outcome.err);
                    }
                    126 => {
                        refused += 1;
                        anyhow::ensure!(
                            says.is_empty() && outcome.err.contains("cannot mount"),
                            "{}",
                            outcome.err
                        );
                    }
                    // The shell itself, or the program of the script, went with /dev or /proc.
                    status => anyhow::bail!("{status}: {says}{}", outcome.err),
                }
            }
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        attacker.join().expect("the attacker does not panic");
        result
    })?;
    assert_eq!(snapshot(&elsewhere)?, before);
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    assert!(!mounts.contains(&*place.directory.to_string_lossy()), "{mounts}");
    Ok(())
}

#[test]
fn a_start_makes_and_writes_nothing_in_a_root_or_where_its_symlinks_lead() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let (root, elsewhere) = (place.root(), place.directory.join("elsewhere"));
    // Files that others' writes went to: labels, limits, consoles, names.
    for directory in
        ["proc/self/attr/apparmor", "proc/self/fd", "proc/sys/kernel", "sys/fs/cgroup", "dev/pts", "etc"]
    {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::create_dir(&elsewhere)?;
    for file in [
        "proc/self/attr/exec",
        "proc/self/attr/apparmor/exec",
        "proc/self/uid_map",
        "proc/self/setgroups",
        "proc/self/oom_score_adj",
        "proc/sys/kernel/ns_last_pid",
        "sys/fs/cgroup/cgroup.procs",
        "dev/shm",
    ] {
        fs::write(root.join(file), "as it was")?;
    }
    for link in [
        "dev/console",
        "dev/pts/0",
        "dev/ptmx",
        "dev/notify",
        "etc/resolv.conf",
        "etc/hosts",
        "etc/hostname",
        "link",
    ] {
        symlink(&elsewhere, root.join(link))?;
    }
    let shared = place.directory.join("shared").display().to_string();
    let before = (snapshot(&root)?, snapshot(&elsewhere)?);
    let script = "test -t 0 && echo terminal; for name in console pts/0; do test -e /dev/$name && echo $name; done; \
                  test -d /dev/shm && test -L /proc/self && echo ours";
    for options in [&[][..], &["--user", "0"], &["--set", "overlay=\"1M\""]] {
        let run = place.script_as(Who::Root, options, script);
        assert_eq!(finish(&mut place.script_as(Who::Root, options, script))?.out, "ours\n", "{options:?}");
        // CVE-2025-52565: with a terminal.
        let outcome = finish(&mut on_terminal(&run))?;
        assert!(outcome.out.contains("terminal\r\nours\r\n"), "{options:?}: {}{}", outcome.out, outcome.err);
        assert!(!outcome.out.contains("console"), "{}", outcome.out);
    }
    // CVE-2024-45310: what is missing is not made, neither here nor where a symlink leads.
    for target in ["/missing", "/missing/deep", "/link/deep", "/etc/hosts/deep"] {
        let volume = format!("{shared}:{target}");
        let outcome = finish(&mut place.script_as(Who::Root, &["--volume", &volume], "echo started"))?;
        assert_eq!((outcome.status, outcome.out.as_str()), (126, ""), "{target}: {}", outcome.err);
        assert!(outcome.err.contains("cannot mount a volume on"), "{target}: {}", outcome.err);
    }
    assert_eq!((snapshot(&root)?, snapshot(&elsewhere)?), before);
    Ok(())
}

#[test]
fn what_it_is_started_with_is_no_way_to_the_machine() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    fs::write(place.directory.join("shared/secret"), "a secret")?;
    // CVE-2015-3627: opened on the machine, used inside.
    for who in Who::BOTH {
        for (number, how) in [(0, "0<"), (1, "1<"), (2, "2<")] {
            let script = format!("busybox cat /proc/self/fd/{number}/secret >/tmp/seen && echo seen");
            let run = place.script_as(who, &[], &script);
            let before = format!("exec {how}{}", place.directory.join("shared").display());
            let mut shell = place.after(&before, &run);
            let outcome = finish(place.become_who(who, &mut shell))?;
            assert_eq!(
                (outcome.status, outcome.out.as_str()),
                (126, ""),
                "{who:?} {number}: {}",
                outcome.err
            );
        }
    }
    // CVE-2016-8659, 2020-5291, 2026-41163, 2018-6556, 2022-47952: corm has no set-uid bit, gives none, and
    // does for an ordinary user what it does.
    assert_eq!(fs::metadata(place.corm())?.mode() & 0o6000, 0);
    let tool = place.root().join("bin/id");
    install(&place.root().join("bin/busybox"), &tool)?;
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o6755))?;
    for (who, options, id) in [
        (Who::Root, &[][..], "65532\n"),
        (Who::Root, &["--user", "1234"], "1234\n"),
        (Who::User, &[], "1000\n"),
    ] {
        let outcome = finish(&mut place.script_as(who, options, "/bin/id -u"))?;
        assert_eq!(outcome.out, id, "{who:?}: {}", outcome.err);
    }
    Ok(())
}
