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
