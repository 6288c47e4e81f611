//! Limits: what the kernel holds a workload to, and what is said when it meets one.

use anyhow::Result;
use corm_qemu::Options;
use corm_tests::*;

/// Every limit that each of the boards' kernels knows.
const ALL: &str = r#"
[workload.all]
command = ["/bin/busybox", "sleep", "1000"]

[workload.all.limits]
memory = "64M"
memory-high = "48M"
memory-low = "1M"
memory-min = "2M"
swap = "8M"
oom-group = false
cpu = "150%"
cpu-weight = 200
cpus = "0"
mems = "0"
io = [{ device = "/dev/vda", read = "10M", write-operations = 100 }, { device = "/dev/vda", write = "max" }]
pids = 20
memory-pressure = "50%"
cpu-time = "1001ms"
file-size = "1G"
data = "64M"
stack = "4M"
core = "max"
resident-memory = "1G"
processes = 70
files = "max"
locked-memory = 4096
address-space = "1G"
file-locks = 20
pending-signals = 30
message-queues = "64K"
nice-ceiling = -5
realtime-priority = 50
realtime-time = "200ms"
oom-score = -500
nice = -10
io-priority = "best-effort:7"
scheduler = "batch"

[workload.huge]
command = ["/bin/busybox", "sleep", "1000"]
limits.hugetlb = { 2M = "64M" }

[workload.missing]
command = ["/bin/busybox", "sleep", "1000"]
limits.io = [{ device = "/dev/no-such-disk", read = 1 }]

[workload.ram]
command = ["/bin/busybox", "sleep", "1000"]
limits.io = [{ device = "/tmp", read = 1 }]

[workload.nothing]
command = ["/bin/busybox", "sleep", "1000"]
"#;

const LOOK: &str = r#"
for name in all nothing; do
    group=/sys/fs/cgroup/$name
    pid=$(head -n 1 $group/cgroup.procs)
    for file in memory.max memory.high memory.low memory.min memory.swap.max memory.oom.group cpu.max cpu.weight \
        cpuset.cpus cpuset.mems io.max pids.max; do
        echo $name.$file=$(cat $group/$file)
    done
    sed "s/  */ /g; s/^/$name.limit /" /proc/$pid/limits
    echo $name.oom=$(cat /proc/$pid/oom_score_adj)
    # Fields 19 and 41, after the name in parentheses.
    echo $name.nice=$(sed 's/.*) //' /proc/$pid/stat | cut -d ' ' -f 17)
    echo $name.policy=$(sed 's/.*) //' /proc/$pid/stat | cut -d ' ' -f 39)
    echo $name.io=$(ionice -p $pid)
done
echo huge=$(cat /sys/fs/cgroup/huge/hugetlb.2MB.max)
echo disk=$(cat /sys/block/vda/dev)
"#;

#[test]
fn every_limit_is_in_force() -> Result<()> {
    let disk = tempfile::NamedTempFile::new()?;
    disk.as_file().set_len(1 << 20)?;
    let config = ALL.to_owned() + &probe(&["all", "huge", "missing", "ram", "nothing"], LOOK);
    let options = Options { drives: vec![disk.path().to_owned()], ..Options::default() };
    let machine = boot_with(image(&config), &options)?;
    let seen = Seen::by_probe(&machine)?;
    let io = format!("{} rbps=10485760 wbps=max riops=max wiops=100", seen.value("disk")?);
    for (file, wanted, default) in [
        ("memory.max", "67108864", "max"),
        ("memory.high", "50331648", "max"),
        ("memory.low", "1048576", "0"),
        ("memory.min", "2097152", "0"),
        ("memory.swap.max", "8388608", "max"),
        ("memory.oom.group", "0", "1"),
        ("cpu.max", "150000 100000", "max 100000"),
        ("cpu.weight", "200", "100"),
        ("cpuset.cpus", "0", ""),
        ("cpuset.mems", "0", ""),
        ("io.max", &io, ""),
        ("pids.max", "20", "512"),
        ("oom", "-500", "0"),
        ("nice", "-10", "0"),
        // SCHED_BATCH and SCHED_OTHER.
        ("policy", "3", "0"),
        ("io", "best-effort: prio 7", "none: prio 0"),
    ] {
        assert_eq!(seen.value(&format!("all.{file}"))?, wanted, "{file}");
        assert_eq!(seen.value(&format!("nothing.{file}"))?, default, "{file}");
    }
    for (name, wanted) in [
        ("cpu time", "2 2 seconds"),
        ("file size", "1073741824 1073741824 bytes"),
        ("data size", "67108864 67108864 bytes"),
        ("stack size", "4194304 4194304 bytes"),
        ("core file size", "unlimited unlimited bytes"),
        ("resident set", "1073741824 1073741824 bytes"),
        ("processes", "70 70 processes"),
        ("open files", "1048576 1048576 files"),
        ("locked memory", "4096 4096 bytes"),
        ("address space", "1073741824 1073741824 bytes"),
        ("file locks", "20 20 locks"),
        ("pending signals", "30 30 signals"),
        ("msgqueue size", "65536 65536 bytes"),
        ("nice priority", "25 25"),
        ("realtime priority", "50 50"),
        ("realtime timeout", "200000 200000 us"),
    ] {
        assert!(seen.has(&format!("all.limit Max {name} {wanted}")), "{name}:\n{seen}");
    }
    assert!(seen.has("nothing.limit Max open files 1024 1024 files"), "{seen}");
    assert!(seen.has("nothing.limit Max core file size 0 0 bytes"), "{seen}");
    let console = machine.console();
    // 32-bit ARM without LPAE has no huge pages, and is not to pretend it had.
    match board().arch {
        corm_qemu::Arch::Armv7 => assert_said(&console, "huge: cannot set its limit hugetlb.2MB.max"),
        _ => assert_eq!(seen.value("huge")?, (64 << 20).to_string()),
    }
    assert_said(&console, "missing: cannot set its limit io.max: no such file or directory (ENOENT)");
    assert_said(&console, "ram: cannot set its limit io.max: no such device (ENODEV): it is not on a disk");
    Ok(())
}

/// Each meets a limit and lives on.
const MEETING: &str = r#"
[workload.forks]
command = ["/bin/sh", "-c", "(while true; do sleep 1000 & done) 2>/dev/null; sleep 1000"]
root = "/"
limits = { pids = 5 }

[workload.child]
command = ["/bin/sh", "-c", "tail /dev/zero; echo a child was killed; sleep 1000"]
root = "/"
limits = { memory = "12M", swap = 0, oom-group = false }

[workload.whole]
command = ["/bin/sh", "-c", "tail /dev/zero"]
root = "/"
restart = "never"
limits = { memory = "8M", swap = 0 }

[workload.slow]
command = ["/bin/sh", "-c", "while true; do true; done & while true; do true; done"]
root = "/"
limits = { cpu = "10%", cpu-pressure = "10%" }
"#;

#[test]
fn a_limit_that_is_met_is_reported_while_the_workload_runs_on() -> Result<()> {
    let machine = boot(MEETING)?;
    wait_for_all(
        &machine,
        &[
            "forks: out of processes: ",
            " refused at its limit of 5 (pids)",
            "child: out of memory: the kernel killed some of it at its limit of 12M",
            "child: a child was killed",
            "whole: out of memory: the kernel killed it at its limit of 8M",
            "slow: cpu.pressure: lost more than 10% of a second",
        ],
    )?;
    let console = machine.console();
    assert_not_said(&console, "forks: exited");
    assert_not_said(&console, "child: killed");
    assert_not_said(&console, "cannot watch");
    Ok(())
}

/// cgroup v2 where an ordinary user has a part of it to himself, as systemd gives him for a
/// scope with `Delegate=yes`; where others are in it; and where he has none.
#[test]
fn corm_run_limits_where_cgroups_are_delegated_and_leaves_them_as_they_were() -> Result<()> {
    let script = r#"
echo 'u:x:1000:1000::/:/bin/sh' >/etc/passwd
echo 'u:x:1000:' >/etc/group
cd /sys/fs/cgroup
mkdir users users/alone users/shared mine
echo '+memory +pids +cpu' >users/cgroup.subtree_control
for group in alone shared; do chown u:u users/$group users/$group/cgroup.procs users/$group/cgroup.subtree_control; done
busybox sleep 1000 &
echo $! >users/shared/cgroup.procs
self() { exec sh -c 'echo $PPID'; }
# start-stop-daemon becomes the program, so this is alone in the cgroup it goes to.
within() {
    (echo $(exec sh -c 'echo $PPID') >$1/cgroup.procs; shift; exec start-stop-daemon -S -n none -c u:u -a /init -- run --root / "$@") 2>&1 | tr '\n' '|'
}
left() { echo $(find $1 -type d) $(cat $1/cgroup.subtree_control); }
echo "limits=$(within users/alone --memory 16M --pids 7 -- /bin/busybox sh -c 'cd /sys/fs/cgroup; cat /proc/self/cgroup memory.max pids.max')"
echo "after=$(left users/alone)"
echo "over=$(within users/alone --memory 8M -- /bin/busybox tail /dev/zero)"
echo "after-it=$(left users/alone)"
echo "plain-shared=$(within users/shared -- /bin/busybox echo fine)"
echo "shared=$(within users/shared --memory 16M -- /bin/busybox echo never)"
echo "after-shared=$(left users/shared)"
echo "plain=$(within mine -- /bin/busybox echo fine)"
echo "none=$(within mine --memory 16M -- /bin/busybox echo never)"
# Root, from where nothing limits him; and from a cgroup with a limit, which holds for what he runs.
echo "root=$(echo $(self) >cgroup.procs; exec /init run --root / --memory 16M -- /bin/busybox cat /proc/self/cgroup /sys/fs/cgroup/memory.max | tr '\n' '|')"
mkdir users/caller
echo 24M >users/caller/memory.max
echo 0 >users/caller/memory.swap.max
called() { (echo $(self) >users/caller/cgroup.procs; "$@" 2>&1; echo "status $?") | tr '\n' '|'; }
alone() { exec "$@" 2>&1; }
run='/init run --root / --user 0 --set namespaces.cgroup="host"'
echo "caller=$(called alone $run --memory 16M -- /bin/busybox cat /proc/self/cgroup)"
echo "caller-over=$(called alone $run --memory 512M -- /bin/busybox tail /dev/zero)"
echo "caller-kills=$(grep -w oom_kill users/caller/memory.events)"
echo "caller-shell=$(called $run -- /bin/busybox cat /proc/self/cgroup)"
echo "caller-asks=$(called $run --memory 16M -- /bin/busybox echo never)"
echo "after-caller=$(left users/caller)"
mkdir users/bare users/bare/inner
echo "bare=$(echo $(self) >users/bare/inner/cgroup.procs; exec $run -- /bin/busybox cat /proc/self/cgroup 2>&1 | tr '\n' '|')"
echo "after-root=$(ls -d corm.* probe/*/ 2>/dev/null)"
"#;
    let machine = boot(&probe(&[], script))?;
    let seen = Seen::by_probe(&machine)?;
    assert_eq!(seen.value("limits")?, "0::/|16777216|7|");
    assert_eq!(seen.value("over")?, "corm: run: out of memory: its limit is 8M|");
    for key in ["after", "after-it"] {
        assert_eq!(seen.value(key)?, "users/alone", "{key}");
    }
    let others = "other processes are in its cgroup; `systemd-run";
    for key in ["plain-shared", "shared"] {
        assert!(seen.value(key)?.contains(others), "{seen}");
    }
    assert!(seen.value("plain-shared")?.ends_with("|fine|"), "{seen}");
    assert!(seen.value("shared")?.contains("|corm: run: cannot set its limit memory.max"), "{seen}");
    assert_eq!(seen.value("after-shared")?, "users/shared");
    for key in ["plain", "none"] {
        assert!(seen.value(key)?.contains("cannot make a cgroup: permission denied (EACCES)"), "{seen}");
    }
    assert!(seen.value("plain")?.ends_with("|fine|"), "{seen}");
    assert!(seen.value("none")?.contains("|corm: run: cannot limit it: it has no cgroup v2"), "{seen}");
    assert!(!seen.has("never"), "{seen}");
    assert_eq!(seen.value("root")?, "0::/|16777216|");
    // Nobody leaves his caller's limits, whatever he asks for.
    for key in ["caller", "caller-shell"] {
        assert!(seen.value(key)?.contains("0::/users/caller/corm.run."), "{key}: {seen}");
    }
    assert!(seen.value("caller")?.ends_with("/run|"), "{seen}");
    assert_eq!(seen.value("caller-over")?, "corm: run: out of memory|", "not at its own limit");
    assert_ne!(seen.value("caller-kills")?, "oom_kill 0", "{seen}");
    for key in ["caller-shell", "caller-asks"] {
        assert!(seen.value(key)?.contains(others), "{key}: {seen}");
        assert!(!seen.value(key)?.contains("pids limit"), "{key}: {seen}");
    }
    assert!(seen.value("caller-asks")?.contains("|corm: run: cannot set its limit memory.max"), "{seen}");
    assert_eq!(seen.value("after-caller")?, "users/caller");
    let bare = seen.value("bare")?;
    assert!(bare.contains("no pids limit: this cgroup was not given the pids controller|"), "{seen}");
    assert!(bare.contains("|0::/users/bare/inner/corm.run."), "{seen}");
    assert_eq!(seen.value("after-root")?, "");
    Ok(())
}
