//! `corm inspect`: it agrees with every kind of workload, and sees what is changed behind corm's back.

use anyhow::Result;
use corm_qemu::{Arch, Options};
use corm_tests::*;

/// Each differs from one that asks for nothing in what the config can say.
const WORKLOADS: &[(&str, &str)] = &[
    ("plain", ""),
    ("machine", "privileged = true"),
    ("clerk", "privileged = true\nuser = \"1234:77\""),
    ("zero", "user = 0\nsecurity.capabilities = [\"net-bind-service\", \"chown\"]"),
    ("somebody", "user = 1234\nsecurity = { seccomp = \"off\", landlock = \"off\", masks = \"off\" }"),
    ("strict", "security.seccomp = \"strict\""),
    ("reaper", "init = true"),
    ("gate", "security = { allow-bind = [\"8080\"], allow-connect = [] }"),
    ("pod", ""),
    ("joined", "join = \"pod\"\ninit = true"),
    (
        "shared",
        "user = 1234\nnetwork.mode = \"host\"\nnamespaces = { pid = \"host\", ipc = \"host\", uts = \"host\", cgroup = \"host\" }",
    ),
    ("half", "network.mode = \"host\"\nnamespaces = { pid = \"host\", ipc = \"host\", uts = \"host\" }"),
    ("guest", "user = 0\nnamespaces.user = \"host\""),
    ("overlaid", "root = \"/srv/root\"\noverlay = \"tmpfs\""),
    (
        "volumes",
        "root = \"/srv/root\"\ndevices = [\"/dev/vda\"]\nuser = 0\n\
         volumes = { \"/data\" = { source = \"/srv/data\" }, \"/tmp\" = { tmpfs = \"1M\" }, \
         \"/own\" = { source = \"/srv/own\", writable = true, exec = true } }",
    ),
    (
        "limits",
        "limits = { memory = \"64M\", memory-high = 50000000, memory-low = \"1M\", memory-min = \"2M\", swap = \"8M\", \
         oom-group = false, cpu = \"150%\", cpu-weight = 200, cpus = \"0\", mems = \"0\", pids = 20, \
         io = [{ device = \"/dev/vda\", read = \"10M\", write-operations = 100 }], \
         cpu-time = \"1001s\", file-size = \"1G\", data = \"64M\", stack = \"4M\", core = \"max\", \
         resident-memory = \"1G\", processes = 70, files = \"max\", locked-memory = 4096, address-space = \"1G\", \
         file-locks = 20, pending-signals = 30, message-queues = \"64K\", nice-ceiling = -5, \
         realtime-priority = 50, realtime-time = \"200ms\", oom-score = -500, nice = -10, \
         io-priority = \"best-effort:7\", scheduler = \"batch\" }",
    ),
];

/// Some that no 32-bit ARM kernel of ours can do.
const MORE: &[(&str, &str)] =
    &[("clocks", "namespaces.time = \"own\""), ("huge", "limits.hugetlb = { 2M = \"64M\" }")];

/// One that changes by itself, and one that has ended.
const OTHERS: &str = r#"
[workload.moody]
command = ["/bin/sh", "-c", """trap 'ulimit -n 100; umask 0; echo moved' USR1
trap 'exec unshare -u sleep 1000' USR2
trap 'exec start-stop-daemon -S -n none -c u:u -a /bin/busybox -- sleep 1000' HUP
while :; do sleep 0.1; done"""]
root = "/"
user = 0
namespaces.uts = "host"
security.capabilities = ["sys-admin", "setuid", "setgid"]

[workload.ended]
command = ["/bin/busybox", "true"]
restart = "never"

[mount."/srv/data/deep"]
source = "tmpfs"
type = "tmpfs"
"#;

const SCRIPT: &str = r#"
echo 'u:x:7:7::/:/bin/sh' >/etc/passwd
echo 'u:x:7:' >/etc/group
look() {
    /init inspect $2 >/tmp/out 2>&1
    echo "$1 $2 status $?"
    grep -E '^!|^corm' /tmp/out | tr -s ' ' | sed "s/^/$1 $2 /"
}
main() { /init ps --json $1 | grep -o '"pid":[0-9]*' | cut -d : -f 2; }
becomes() {
    for try in $(seq 100); do grep -qs $1 /proc/$pid/comm && break; usleep 50000; done
}
for name in NAMES moody ended none; do look before $name; done
/init inspect --json limits >/tmp/json; echo "json $? $(grep -c '"differs":false' /tmp/json) $(tail -n 1 /tmp/json)"
grep -E '"(cgroup|memory.max|io.max [0-9:]* rbps|mount /dev)"' /tmp/json
/init inspect volumes | tr -s ' ' | grep -E '(mount /|devices|uid|CONFIG)'

/init inspect gate | tr -s ' ' | grep -E '(allow-|devices)'

echo "disk $(cat /sys/block/vda/dev)"
pid=$(main plain)
echo 32M >/sys/fs/cgroup/plain/memory.max
echo 7 >/sys/fs/cgroup/plain/pids.max
echo 4096 >/sys/fs/cgroup/plain/memory.low
echo 0 >/sys/fs/cgroup/plain/memory.oom.group
echo '10000 100000' >/sys/fs/cgroup/plain/cpu.max
echo 300 >/sys/fs/cgroup/plain/cpu.weight
echo 0 >/sys/fs/cgroup/plain/cpuset.cpus
echo "$(cat /sys/block/vda/dev) wiops=5" >/sys/fs/cgroup/plain/io.max
renice -n 5 -p $pid >/dev/null
echo 300 >/proc/$pid/oom_score_adj
inside() { nsenter -t $pid -m /bin/busybox "$@"; }
inside umount /proc/keys
inside mount -t tmpfs none /dev/shm
inside mount -t tmpfs none /sys/fs
inside mount -o remount,bind,rw,nosuid none /dev
look after plain

pid=$(main volumes)
inside umount /tmp
inside umount /data/deep
inside mount -o remount,bind,rw,nosuid,nodev,noexec none /data
inside mount -t tmpfs none /own
look after volumes

pid=$(main limits)
ionice -c 3 -p $pid
echo "$(cat /sys/block/vda/dev) rbps=max" >/sys/fs/cgroup/limits/io.max
mkdir /sys/fs/cgroup/elsewhere
echo $pid >/sys/fs/cgroup/elsewhere/cgroup.procs
look after limits

pid=$(main moody)
kill -USR1 $pid
for try in $(seq 100); do /init logs moody | grep -q moved && break; usleep 50000; done
look after moody
kill -USR2 $pid
becomes sleep
look unshared moody
/init restart moody
pid=$(main moody)
kill -HUP $pid
becomes sleep
look changed moody
"#;

#[test]
fn it_agrees_until_something_is_changed_behind_its_back() -> Result<()> {
    let small = board().arch == Arch::Armv7;
    let workloads: Vec<_> = WORKLOADS.iter().chain(MORE.iter().filter(|_| !small)).collect();
    let names: Vec<&str> = workloads.iter().map(|(name, _)| *name).collect();
    let mut config = OTHERS.to_owned();
    for (name, keys) in &workloads {
        config += &format!("[workload.{name}]\ncommand = [\"/bin/busybox\", \"sleep\", \"9999\"]\n{keys}\n");
    }
    let after: Vec<&str> = names.iter().copied().chain(["moody", "ended"]).collect();
    config += &probe(&after, &SCRIPT.replace("NAMES", &names.join(" ")));
    let disk = tempfile::NamedTempFile::new()?;
    disk.as_file().set_len(1 << 20)?;
    let busybox = corm_qemu::busybox::binary(board().arch)?;
    let mut image = image(&config).module("overlay").host_file("/srv/root/bin/busybox", &busybox);
    for place in
        ["root/proc", "root/dev", "root/sys", "root/tmp", "root/data", "root/own", "data/deep", "own"]
    {
        image = image.directory(&format!("/srv/{place}"), 0o755);
    }
    let options = Options { drives: vec![disk.path().to_owned()], ..Options::default() };
    let machine = boot_with(image, &options)?;
    let seen = Seen::by_probe(&machine)?;
    let said = |about: &str| -> Vec<&str> {
        seen.lines().iter().filter_map(|line| line.strip_prefix(about)?.strip_prefix(' ')).collect()
    };
    for name in names.iter().chain(&["moody"]) {
        assert_eq!(said(&format!("before {name}")), ["status 0"], "{name}:\n{seen}");
    }
    assert_eq!(said("before ended"), ["status 1", "corm inspect: ended is not running"]);
    assert_eq!(said("before none")[0], "status 66");
    assert!(said("before none")[1].starts_with("corm inspect: there is no workload `none`"), "{seen}");

    for guarded in ["allow-bind", "allow-connect", "devices"] {
        let row = format!("{guarded} guarded guarded");
        assert!(seen.lines().iter().any(|line| line.trim() == row), "{guarded}:\n{seen}");
    }

    // Marked is what was changed, and nothing else.
    let marked = |about: &str| -> Vec<String> {
        let mut lines = said(about).into_iter();
        assert_eq!(lines.next(), Some("status 65"), "{about}:\n{seen}");
        lines.map(|line| line.trim_start_matches("! ").to_owned()).collect()
    };
    let check = |about: &str, wanted: &[&str]| {
        let marked = marked(about);
        for row in wanted {
            assert!(marked.iter().any(|line| line.starts_with(row)), "{about}: {row}\n{marked:#?}");
        }
        assert_eq!(marked.len(), wanted.len(), "{about}: {marked:#?}");
    };
    let disk = said("disk").first().copied().unwrap_or("254:0").to_owned();
    let io = |rest: &str| format!("io.max {disk} {rest}");
    check(
        "after plain",
        &[
            "nice 5 0",
            "oom-score 300 0",
            "memory.max 33554432 (",
            "memory.low 4096 0",
            "memory.oom.group 0 1",
            "cpu.max 10000 100000 (",
            "cpu.weight 300 100",
            "cpuset.cpus 0 none",
            "pids.max 7 (",
            &io("wiops 5 max"),
            "mount /proc/keys absent ro,nosuid,noexec",
            "mount /dev/shm rw (tmpfs none) absent",
            "mount /sys/fs rw (tmpfs none) absent",
            "mount /dev rw,nosuid",
        ],
    );
    check(
        "after volumes",
        &[
            "mount /tmp absent rw,nosuid,nodev,noexec",
            "mount /data rw,nosuid,nodev,noexec (",
            "mount /own rw (tmpfs none) absent",
        ],
    );
    check(
        "after limits",
        &["io-priority idle best-effort:7", "cgroup /elsewhere /limits", &io("rbps max 10485760")],
    );
    check("after moody", &["files 100 1024", "umask 0000 0022"]);
    check("unshared moody", &["files 100 1024", "umask 0000 0022", "namespace.uts own ("]);
    check(
        "changed moody",
        &[
            "uid 7 0",
            "gid 7 0",
            "groups 7 none",
            "capabilities.permitted none setgid,setuid,sys-admin",
            "capabilities.effective none",
            "capabilities.ambient none",
        ],
    );

    let json = said("json");
    assert!(json[0].starts_with("0 ") && json[0].ends_with("],\"differing\":0}"), "{seen}");
    for object in [
        r#"{"name":"cgroup","kernel":"/limits","more":"","config":"/limits","differs":false}"#,
        r#"{"name":"memory.max","kernel":"67108864","more":""#,
        r#" rbps","kernel":"10485760","more":"","config":"10485760","differs":false}"#,
        r#"{"name":"mount /dev","kernel":"ro,nosuid,noexec","more":"tmpfs none","config":"ro,nosuid,noexec","differs":false}"#,
    ] {
        assert!(seen.has(object), "{object}\n{seen}");
    }
    for row in [
        " NAME KERNEL CONFIG",
        " uid 0 0",
        " devices guarded guarded",
        " mount / ro,nosuid,nodev (",
        " mount /data ro,nosuid,nodev,noexec (",
        " mount /data/deep ro,nosuid,nodev,noexec (tmpfs tmpfs) ro,nosuid,nodev,noexec",
        " mount /tmp rw,nosuid,nodev,noexec (tmpfs tmpfs) rw,nosuid,nodev,noexec",
        " mount /own rw,nosuid,nodev (",
    ] {
        assert!(seen.has(row), "{row}\n{seen}");
    }
    Ok(())
}
