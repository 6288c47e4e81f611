//! Six workloads that take all they can get, and a seventh that answers all the same.

use anyhow::Result;
use corm_tests::*;

const BOMBS: &str = r#"
[workload.forks]
command = ["/bin/sh", "-c", "(while true; do sleep 1000 & done) 2>/dev/null; sleep 1000"]
root = "/"
limits = { pids = 5 }

[workload.memory]
command = ["/bin/sh", "-c", "tail /dev/zero"]
root = "/"
limits = { memory = "8M", swap = 0 }

[workload.disk]
command = ["/bin/sh", "-c", "dd if=/dev/zero of=/tmp/all bs=64k; while true; do dd if=/dev/zero of=/tmp/more 2>/dev/null; sleep 1; done"]
root = "/"
volumes = { "/tmp" = { tmpfs = "1M" } }

[workload.files]
command = ["/bin/sh", "-c", "exec tail -f $(yes /dev/null | head -n 30)"]
root = "/"
limits = { files = 16 }

[workload.flood]
command = ["/bin/busybox", "yes", "all work and no play"]
root = "/"
limits = { cpu = "20%" }
log = { kernel = false, ring = "16K" }

[workload.burner]
command = ["/bin/sh", "-c", "while true; do true; done & while true; do true; done"]
root = "/"
limits = { cpu = "10%", cpu-pressure = "10%" }

[workload.seventh]
command = ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"]
root = "/"
network = { mode = "host" }
"#;

/// What of PID 1's memory is its own, twice, while all go on.
const WATCH: &str = r#"
own() { sed -n "s/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p" /proc/1/status; }
sleep 8
echo before=$(own)
for i in 1 2 3 4 5; do
    sleep 1
    wget -q -O - http://127.0.0.1:8080/corm.toml | grep -q workload.seventh && echo answer $i
done
echo after=$(own)
echo flood=$(/bin/busybox grep -c . /sys/fs/cgroup/flood/cgroup.procs)
"#;

#[test]
fn six_bombs_meet_their_limits_and_the_seventh_workload_answers() -> Result<()> {
    let config = BOMBS.to_owned() + &probe(&["forks", "disk", "files", "flood", "burner", "seventh"], WATCH);
    let machine = boot(&config)?;
    wait_for_all(
        &machine,
        &[
            "forks: out of processes: ",
            " refused at its limit of 5 (pids)",
            "memory: out of memory: the kernel killed it at its limit of 8M",
            "No space left on device",
            "oo many open files",
            "flood: writes more than 500 lines a second, and has to wait",
            "burner: cpu.pressure: lost more than 10% of a second",
        ],
    )?;
    let seen = Seen::by_probe(&machine)?;
    let answers = seen.lines().iter().filter(|line| line.starts_with("answer ")).count();
    assert_eq!(answers, 5, "{seen}");
    let (before, after): (u32, u32) = (seen.value("before")?.parse()?, seen.value("after")?.parse()?);
    // Pages of it are written for the first time now and then: not more than a few.
    assert!(before > 0 && after <= before + 32, "PID 1 grew from {before}K to {after}K");
    assert_eq!(seen.value("flood")?, "1", "{seen}");
    let console = machine.console();
    for name in ["forks", "files", "flood", "burner", "seventh"] {
        assert_not_said(&console, &format!("{name}: killed"));
    }
    Ok(())
}
