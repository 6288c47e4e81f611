//! What a workload sees of the machine's files, /proc, /sys and devices, pushed
//! against from inside, and with images that try to lead corm astray.

use anyhow::Result;
use corm_native_tests::{Outcome, Place, Who, finish, unified};
use std::fs;
use std::os::unix::fs::symlink;

macro_rules! place {
    () => {
        match Place::new()? {
            Some(place) => place,
            None => return Ok(()),
        }
    };
}

/// A script in a workload of root's that has these keys, with cgroup v2.
fn run(place: &Place, keys: &[&str], script: &str) -> Result<Outcome> {
    let options: Vec<&str> = keys.iter().flat_map(|key| ["--set", key]).collect();
    finish(&mut unified(&place.script_as(Who::Root, &options, script))?)
}

const SEE: &str = r#"
for file in kcore keys latency_stats timer_list interrupts; do
    test -e /proc/$file && test -n "$(busybox head -c 1 /proc/$file 2>/dev/null)" && echo "shows=$file"
done
for directory in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do
    test -d $directory && test -n "$(busybox ls $directory)" && echo "shows=$directory"
done
for path in /proc /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger /sys; do
    echo "$path=$(busybox awk -v path=$path '$5 == path { print substr($6, 1, 2) }' /proc/self/mountinfo)"
done
echo "first=$(busybox test -d /proc/1 && echo seen)"
echo "own=$(busybox test -d /proc/$$ && echo seen)"
echo "net=$(cd /sys/class/net; echo *)"
echo "cgroup=$(busybox ls /sys/fs/cgroup | busybox grep -c cgroup.procs)"
true > /sys/fs/cgroup/cgroup.procs && echo "cgroup was opened"
busybox mkdir /sys/fs/cgroup/below && echo "cgroup was made"
echo "queues=$(busybox awk '$5 == "/dev/mqueue" { print $6 }' /proc/self/mountinfo)"
busybox touch /dev/here 2>/dev/null && echo "dev was written" || echo done=1
"#;

#[test]
fn what_is_the_machines_in_proc_and_sys_is_not_seen_or_not_written() -> Result<()> {
    let place = place!();
    fs::create_dir(place.root().join("sys"))?;
    for who in Who::BOTH {
        let walled = finish(&mut place.script_as(who, &[], SEE))?;
        assert_eq!(walled.value("done"), "1", "{who:?}: {}", walled.err);
        assert!(!walled.out.contains("shows="), "{who:?}: {}", walled.out);
        for path in ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"] {
            let wanted = if fs::exists(path)? { "ro" } else { "" };
            assert_eq!(walled.value(path), wanted, "{who:?}: {path}");
        }
        assert_eq!(walled.value("/sys"), "ro", "{who:?}");
        assert_eq!(walled.value("net"), "lo", "{who:?}");
        assert!(walled.value("queues").starts_with("rw,nosuid,nodev,noexec"), "{who:?}");

        let open = finish(&mut place.script_as(who, &["--set", "security.masks=\"off\""], SEE))?;
        // Root's workload runs as a user, too: what this sees, it saw before.
        assert!(open.out.contains("shows=interrupts"), "{who:?}: {}{}", open.out, open.err);
        assert_eq!(open.value("/proc/sys"), "", "{who:?}");
        assert_eq!(open.value("/sys"), "ro", "{who:?}");
    }
    // The machine's processes, if it shares their namespace: its own are not hidden.
    let pids = "namespaces.pid=\"host\"";
    let hidden = run(&place, &[pids], SEE)?;
    assert_eq!((hidden.value("first"), hidden.value("own")), ("", "seen"), "{}", hidden.err);
    assert_eq!(run(&place, &[pids, "security.masks=\"off\""], SEE)?.value("first"), "seen");
    let root = run(&place, &["user=0"], SEE)?;
    assert_eq!((root.value("/proc"), root.value("done")), ("ro", "1"), "{}", root.err);
    // Its own cgroup, and nothing to be done to it.
    assert_eq!(root.value("cgroup"), "1", "{}", root.err);
    assert!(!root.out.contains("was"), "{}", root.out);
    Ok(())
}

#[test]
fn with_the_hosts_network_sys_is_the_hosts() -> Result<()> {
    let place = place!();
    fs::create_dir(place.root().join("sys"))?;
    let mut host: Vec<String> = fs::read_dir("/sys/class/net")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    host.sort();
    for who in Who::BOTH {
        let seen = finish(&mut place.script_as(who, &["--network", "host"], SEE))?;
        assert_eq!(seen.value("net"), host.join(" "), "{who:?}: {}", seen.err);
        assert_eq!(seen.value("/sys"), "ro", "{who:?}");
        assert!(!seen.out.contains("shows=/sys"), "{who:?}: {}", seen.out);
    }
    Ok(())
}

#[test]
fn an_image_does_not_choose_where_proc_sys_and_dev_are_mounted() -> Result<()> {
    let place = place!();
    // As it is on a host, and leading out of a root if it were followed there.
    let elsewhere = place.directory.join("shared");
    for who in Who::BOTH {
        for name in ["proc", "sys", "dev"] {
            let path = place.root().join(name);
            let _ = fs::remove_dir(&path);
            for target in [elsewhere.as_path(), "/data".as_ref()] {
                symlink(target, &path)?;
                let outcome = finish(&mut place.script_as(who, &[], "echo started"))?;
                assert_eq!((outcome.status, outcome.out.as_str()), (126, ""), "{who:?} {name}");
                let says = format!("cannot mount /{name} in ");
                assert!(outcome.err.contains(&says), "{who:?} {name}: {}", outcome.err);
                assert!(outcome.err.contains("not a symlink"), "{who:?} {name}: {}", outcome.err);
                fs::remove_file(&path)?;
            }
            fs::create_dir(&path)?;
        }
        // A program gets along without /sys.
        fs::remove_dir(place.root().join("sys"))?;
        let outcome = finish(&mut place.script_as(who, &[], "echo started"))?;
        assert_eq!((outcome.status, outcome.out.as_str()), (0, "started\n"), "{who:?}: {}", outcome.err);
    }
    assert_eq!(fs::read_dir(&elsewhere)?.count(), 0);
    Ok(())
}

/// Where nothing is nodev, a device node is made and opened. /dev/kmsg is for everybody who only writes.
const MAKE: &str =
    "busybox mount -t tmpfs none /tmp && busybox mknod /tmp/log c 1 11 && : > /tmp/log && echo opened";
const MAY_MAKE: &str = "security.capabilities=[\"mknod\", \"sys-admin\"]";

#[test]
fn a_workload_uses_the_devices_it_was_given_and_no_others() -> Result<()> {
    let place = place!();
    let refused = run(&place, &["user=1234", MAY_MAKE], MAKE)?;
    assert!(
        refused.status != 0 && refused.err.contains("mknod: /tmp/log: Operation not permitted"),
        "{}",
        refused.err
    );
    let given = run(&place, &["user=1234", MAY_MAKE, "devices=[\"/dev/kmsg\"]"], MAKE)?;
    assert_eq!(given.out, "opened\n", "{}", given.err);
    let to_read = run(&place, &["user=1234", MAY_MAKE, "devices=[\"/dev/kmsg:r\"]"], MAKE)?;
    assert_eq!((to_read.status, to_read.out.as_str()), (1, ""), "{}", to_read.err);
    assert!(to_read.err.contains("/tmp/log: Operation not permitted"), "{}", to_read.err);

    // It is its own, whatever its rights are on the host.
    let node = run(
        &place,
        &["devices=[\"/dev/kmsg\"]"],
        ": > /dev/kmsg && echo opened; busybox stat -c '%u %a' /dev/kmsg; busybox id -u",
    )?;
    let lines: Vec<&str> = node.out.lines().collect();
    let [opened, owner, uid] = lines[..] else { anyhow::bail!("{}{}", node.out, node.err) };
    assert_eq!((opened, owner), ("opened", format!("{uid} 600").as_str()));
    let node = run(&place, &["devices=[\"/dev/kmsg:r\"]"], "busybox stat -c %a /dev/kmsg; : > /dev/kmsg")?;
    assert_eq!((node.status, node.out.as_str()), (1, "400\n"), "{}", node.err);
    // What every workload has still works.
    let usual = "echo x >/dev/null && busybox head -c 3 /dev/zero | busybox wc -c && busybox head -c 3 /dev/urandom | busybox wc -c";
    assert_eq!(run(&place, &["devices=[\"/dev/kmsg\"]"], usual)?.out, "3\n3\n");
    Ok(())
}

#[test]
fn a_device_that_cannot_be_given_is_told_and_nothing_starts() -> Result<()> {
    let place = place!();
    for (device, says) in [
        ("/dev/nothing-here", "cannot give it the device /dev/nothing-here: no such file"),
        ("/dev/null", "every workload has this one"),
        ("/dev/pts", "it is no device"),
    ] {
        let outcome = run(&place, &[&format!("devices=[\"{device}\"]")], "echo started")?;
        assert_eq!((outcome.status, outcome.out.as_str()), (126, ""), "{device}: {}", outcome.err);
        assert!(outcome.err.contains(says), "{device}: {}", outcome.err);
    }
    // An ordinary user gives what is his; that he will only read it nobody guarantees.
    let user =
        |key: &str| finish(&mut place.script_as(Who::User, &["--set", key], ": > /dev/kmsg && echo opened"));
    let outcome = user("devices=[\"/dev/kmsg:r\"]")?;
    assert_eq!(outcome.status, 126, "{}", outcome.err);
    assert!(outcome.err.contains("in a user namespace"), "{}", outcome.err);
    Ok(())
}
