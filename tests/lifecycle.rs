//! Workloads that end, run over, and leave things behind.

use anyhow::Result;
use corm_qemu::Options;
use corm_tests::*;
use std::time::Duration;

#[test]
fn a_workload_that_dies_is_restarted_with_growing_delays() -> Result<()> {
    let config = r#"
[workload.flaky]
command = ["/bin/busybox", "sh", "-c", "echo alive; exit 3"]
restart = "on-failure"
backoff = { first = "100ms", most = "400ms" }

[workload.once]
command = ["/bin/busybox", "sh", "-c", "echo only once"]
restart = "on-failure"
"#;
    let machine = boot(config)?;
    let mut delays = Vec::new();
    for nth in 1..=4 {
        let found = machine
            .wait_for_match(&format!(r"flaky: exited with status 3 .*restart {nth} in ([0-9.]+m?s)"))?;
        delays.push(found[1].clone());
    }
    assert_eq!(delays, ["100ms", "200ms", "400ms", "400ms"]);
    let console = machine.console();
    assert_eq!(said_by("once", &console), ["only once"], "it ended well and is not restarted:\n{console}");
    Ok(())
}

#[test]
fn a_workload_over_its_memory_is_killed_alone_and_comes_back() -> Result<()> {
    let config = r#"
[workload.hog]
command = ["/bin/busybox", "tail", "/dev/zero"]
backoff = { first = "100ms" }
limits = { memory = "8M", swap = 0 }

[workload.calm]
command = ["/bin/busybox", "sh", "-c", "while :; do echo calm; /bin/busybox sleep 1; done"]
"#;
    let machine = boot(config)?;
    machine.wait_for_match(r"corm: hog: out of memory.*8M")?;
    machine.wait_for_match(r"corm: hog: killed by signal 9.*restart 1 in")?;
    machine.wait_for_match(r"corm: hog: killed by signal 9.*restart 2 in")?;
    machine.wait_for("calm: calm")?;
    assert_not_said(&machine.console(), "corm: calm: killed");
    Ok(())
}

#[test]
fn ten_thousand_orphans_are_reaped() -> Result<()> {
    let orphans = r#"
[workload.orphans]
command = ["/bin/sh", "-c", '''
i=0
while [ $i -lt 100 ]; do
    (j=0; while [ $j -lt 100 ]; do : & j=$((j+1)); done)
    i=$((i+1))
done
echo made 10000''']
root = "/"
namespaces = { pid = "host" }
restart = "never"
limits = { pids = 400 }
"#;
    let script = r#"
while ! grep -q '^populated 0' /sys/fs/cgroup/orphans/cgroup.events; do usleep 100000; done
echo zombies=$(cat /proc/[0-9]*/status 2>/dev/null | grep -c '^State:.Z')
"#;
    let mut machine = boot(&(orphans.to_owned() + &probe(&["orphans"], script)))?;
    // 10,000 forks take an emulated machine a minute, and a busy computer several.
    machine.set_patience(Duration::from_secs(900));
    machine.wait_for("orphans: made 10000")?;
    let seen = Seen::by_probe(&machine)?;
    assert_eq!(seen.value("zombies")?, "0");
    Ok(())
}

/// What a workload leaves behind may end at any moment after it: also between two looks at its cgroup.
#[test]
fn what_ends_right_after_its_workload_holds_nothing_up() -> Result<()> {
    let names = ["one", "two", "three", "four"];
    let mut config = String::new();
    for name in names {
        config += &format!(
            "[workload.{name}]\ncommand = [\"/bin/sh\", \"-c\", \"i=0; while [ $i -lt 10 ]; do : & i=$((i+1)); done\"]\n\
             privileged = true\nbackoff = {{ first = \"10ms\", most = \"10ms\" }}\n"
        );
    }
    let script = r#"
stuck() { dmesg | grep -q 'stuck in the kerne[l]' && echo stuck; }
for name in one two three four; do
    until stuck || [ $(/init ps --json $name | sed 's/.*"restarts":\([0-9]*\).*/\1/' | tr -dc 0-9) -ge 20 ]; do usleep 200000; done
done
"#;
    let machine = boot(&(config + &probe(&[], script)))?;
    let seen = Seen::by_probe(&machine)?;
    assert_eq!(seen.lines(), ["the end"], "{seen}");
    Ok(())
}

#[test]
fn what_a_dead_workload_left_in_its_cgroup_is_killed() -> Result<()> {
    let config = r#"
[workload.parent]
command = ["/bin/sh", "-c", "sleep 1000 & sleep 1000 & echo leaving two; exit 0"]
root = "/"
namespaces = { pid = "host" }
restart = "never"
"#;
    let script =
        "usleep 300000; echo left=$(cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 's[l]eep 1000')";
    let machine = boot(&(config.to_owned() + &probe(&["parent"], script)))?;
    let seen = Seen::by_probe(&machine)?;
    assert_eq!(seen.value("left")?, "0", "{}", machine.console());
    Ok(())
}

#[test]
fn workloads_start_after_what_they_name() -> Result<()> {
    let config = r#"
[workload.third]
command = ["/bin/busybox", "echo", "3"]
restart = "never"
after = ["second"]
[workload.second]
command = ["/bin/busybox", "echo", "2"]
restart = "never"
after = ["first"]
[workload.first]
command = ["/bin/busybox", "echo", "1"]
restart = "never"
"#;
    // The kernel log has what a busy console did not get.
    let machine = boot(&(config.to_owned() + &probe(&["third"], "dmesg | grep ' corm: '")))?;
    let seen = Seen::by_probe(&machine)?;
    let started = |name: &str| {
        let running = format!("corm: {name}: running");
        seen.lines().iter().position(|line| line.contains(&running)).unwrap_or_else(|| panic!("{seen}"))
    };
    assert!(started("first") < started("second") && started("second") < started("third"), "{seen}");
    Ok(())
}

#[test]
fn a_flood_of_output_loses_no_line_and_holds_nobody_up() -> Result<()> {
    let config = r#"
[workload.flood]
command = ["/bin/busybox", "sh", "-c", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i of the flood; done"]
restart = "never"

[workload.calm]
command = ["/bin/busybox", "sh", "-c", "while :; do echo calm; /bin/busybox usleep 200000; done"]

[workload.odd]
command = ["/bin/busybox", "sh", "-c", "printf 'esc \\033[2J end\\n'; printf 'no newline'"]
restart = "never"
"#;
    let script = r#"
while ! dmesg | grep -q 'line 3000 of the floo[d]'; do usleep 200000; done
echo lines=$(dmesg | grep -c 'flood: line .* of the floo[d]')
"#;
    // A kernel log that holds all of it.
    let options = Options { append: "log_buf_len=4M".to_owned(), ..Options::default() };
    let machine = boot_with(image(&(config.to_owned() + &probe(&[], script))), &options)?;
    machine.wait_for("calm: calm")?;
    let seen = Seen::by_probe(&machine)?;
    assert_eq!(seen.value("lines")?, "3000");
    let console = machine.console();
    assert_said(&console, "odd: esc \\x1b[2J end");
    assert_said(&console, "odd: no newline");
    Ok(())
}

#[test]
fn a_critical_workload_that_gives_up_is_the_machines_failure() -> Result<()> {
    let config = r#"
[system]
on-failure = "reboot"
[workload.heart]
command = ["/bin/busybox", "sh", "-c", "exit 1"]
restart = "never"
critical = true
"#;
    let machine = boot(config)?;
    machine.wait_for("heart")?;
    assert_eq!(machine.wait_end()?, corm_qemu::machine::End::Reboot);
    Ok(())
}

#[test]
fn a_failed_boot_goes_into_rescue_where_the_config_says_so() -> Result<()> {
    let config = r#"
[system]
on-failure = "rescue"
[mount."/data"]
source = "/dev/no-such-disk"
type = "ext4"
required = true
[workload.never]
command = ["/bin/busybox", "echo", "I must not run"]
"#;
    let machine = boot(config)?;
    machine.wait_for("/dev/no-such-disk")?;
    machine.wait_for("rescue")?;
    machine.wait_for("built-in shell")?;
    machine.send("echo shell $((6 * 7))\n")?;
    machine.wait_for("shell 42")?;
    machine.send("reboot -f\n")?;
    machine.wait_end()?;
    assert_not_said(&machine.console(), "never: I must not run");
    Ok(())
}

/// One boot: who is ready when, who is not, and what becomes of those that need them.
#[test]
fn workloads_say_that_they_are_ready_and_are_held_to_it() -> Result<()> {
    let config = r#"
[workload.notifies]
command = ["/bin/sh", "-c", "sleep 1; echo before; /init notify STATUS=half READY=1; sleep 1000"]
root = "/"
ready = "notify"
stop = { signals = ["USR1", "KILL"], timeout = "1s" }
[workload.after-notify]
command = ["/bin/sh", "-c", "echo then; sleep 1000"]
root = "/"
needs = ["notifies"]

[workload.writes]
command = ["/bin/sh", "-c", "ls -l /proc/self/fd; echo >&5; sleep 1000"]
root = "/"
ready = { fd = 5 }

[workload.serves]
command = ["/bin/busybox", "httpd", "-f", "-p", "127.0.0.1:8080"]
ready = { tcp = 8080, period = "100ms" }

[workload.serves-not]
command = ["/bin/sh", "-c", "sleep 1000"]
root = "/"
ready = { tcp = 8080, period = "100ms" }
start-timeout = "2s"
restart = "never"

[workload.hangs]
command = ["/bin/sh", "-c", "/init notify WATCHDOG=1 READY=1; echo \"within $WATCHDOG_USEC\"; exec sleep 1000"]
root = "/"
ready = "notify"
watchdog = "1500ms"
backoff = { burst = 2, within = "1h", jitter = "50ms" }

[workload.liar]
command = ["/bin/sh", "-c", "NOTIFY_SOCKET=/run/corm/notify.mute /init notify READY=1; ls /run/corm; sleep 1000"]
root = "/"

[workload.mute]
command = ["/bin/sh", "-c", "sleep 1000"]
root = "/"
ready = "notify"
start-timeout = "0s"
[workload.after-mute]
command = ["/bin/sh", "-c", "echo too early"]
root = "/"
after = ["mute"]

[workload.work]
command = ["/bin/sh", "-c", "sleep 1; echo working; exit 0"]
root = "/"
restart = "never"
[workload.after-work]
command = ["/bin/sh", "-c", "echo worked; sleep 1000"]
root = "/"
needs = ["work"]

[workload.parent]
command = ["/bin/sh", "-c", """trap 'echo asked; exit 5' USR1
read first </proc/1/cmdline; echo \"by $first\"; (: >>/proc/1/exe)
/init notify READY=1; while :; do sleep 1; done"""]
root = "/"
init = true
ready = "notify"
stop = { signal = "USR1", timeout = "1h" }
[workload.orphans]
command = ["/bin/sh", "-c", "i=0; while [ $i -lt 20 ]; do i=$((i+1)); (sleep 0.1 &); done; exec sleep 1000"]
root = "/"
init = true
join = "parent"
stop = { timeout = "1h" }
"#;
    let script = r#"
main() { /init ps $1 | awk 'NR == 2 { print $3 }'; }
/init start parent orphans
pid=$(main orphans)
while [ $(wc -l < /sys/fs/cgroup/orphans/cgroup.procs) != 2 ]; do usleep 50000; done
echo init=$(tr '\0' ' ' < /proc/$pid/cmdline) of $(readlink /proc/$pid/exe)
grep -E '^(VmRSS|RssAnon|RssShmem)' /proc/$pid/status
echo exec=$(/init exec parent -- /bin/sh -c 'echo $PPID works')
/init stop parent orphans
/init ps parent orphans | awk 'NR > 1 { print $1 "=" $2, $6, $7 }'
while ! dmesg | grep -q 'hangs: more than 2 restart[s]'; do sleep 1; done
while ! dmesg | grep -q 'serves-not: was not wel[l]'; do sleep 1; done
# A socket that somebody else reaches counts for nothing either: this is no process of mute's.
NOTIFY_SOCKET=/run/corm/notify.mute /init notify READY=1; echo sent=$?
pid=$(/init ps notifies | awk "NR == 2 { print \$3 }")
kill -9 $pid
while [ $(dmesg | grep -c 'after-notify: running, pi[d]') != 2 ]; do sleep 1; done
dmesg | grep -E '\] (corm: )?(notif|after-|writ|serv|hang|liar|mut|work|paren|orph)[a-z-]*: '
"#;
    let machine = boot(&(config.to_owned() + &probe(&[], script)))?;
    let seen = Seen::by_probe(&machine)?;
    let line = |text: &str| {
        seen.lines()
            .iter()
            .position(|line| line.contains(text))
            .unwrap_or_else(|| panic!("no `{text}`:\n{seen}"))
    };
    let last = |text: &str| seen.lines().iter().rposition(|line| line.contains(text)).unwrap();
    assert!(line("notifies: before") < line("notifies: ready after"), "{seen}");
    assert!(line("notifies: ready after") < line("after-notify: running"), "{seen}");
    assert!(line("after-notify: what it needs is down") < last("notifies: ready after"), "{seen}");
    assert!(last("notifies: ready after") < last("after-notify: running"), "{seen}");
    line("liar: corm notify: cannot send to /run/corm/notify.mute");
    line("writes: ready after");
    line("serves: ready after");
    line("serves-not: not ready after ");
    line("hangs: within 1500000");
    line("hangs: no sign of life for ");
    line("hangs: more than 2 restarts in 1h, given up");
    assert!(line("work: working") < line("after-work: running"), "{seen}");
    assert_eq!(seen.value("sent")?, "0");
    line("parent: ready after");
    line("VmRSS:");
    line("parent: asked");
    for (key, value) in [
        ("init", "corm-init /bin/sh -c"),
        ("exec", "0 works"),
        ("parent", "stopped status 5"),
        ("orphans", "stopped status 143"),
    ] {
        assert!(seen.value(key)?.starts_with(value), "{key}:\n{seen}");
    }
    assert!(seen.value("init")?.ends_with(" of /memfd:corm-init (deleted)"), "{seen}");
    line("parent: by corm-init");
    line("parent: /bin/sh: can't create /proc/1/exe: ");
    for text in ["mute: ready", "after-mute: running"] {
        assert!(!seen.has(text), "`{text}`:\n{seen}");
    }
    Ok(())
}
