//! What an operator does with a machine through the control socket.
//!
//! The probe is such an operator: a privileged workload that calls corm as a command.

use anyhow::Result;
use corm_tests::*;

/// Prints a command's exit status, and the first line of what it wrote, as `KEY=STATUS LINE`.
const TELL: &str = r#"
tell() { key=$1; shift; text=$("$@" 2>&1); status=$?; echo "$key=$status $(echo "$text" | head -n 1)"; }
column() { /init ps "$1" | tail -n 1 | awk -v n="$2" '{ print $n }'; }
"#;

#[test]
fn an_operator_starts_stops_and_looks() -> Result<()> {
    let config = r#"
[system]
control-group = 77

[workload.web]
command = ["/bin/busybox", "sh", "-c", "trap 'echo hup' HUP; echo started; while :; do /bin/busybox sleep 1; done"]
stop = { timeout = "500ms" }
backoff = { first = "10s" }

[workload.once]
command = ["/bin/busybox", "sh", "-c", "echo first; printf 'bin \\001\\377 end\\n'; echo wrong >&2; exit 3"]
restart = "never"

[workload.absent]
command = ["/bin/nothing"]

[workload.quiet]
command = ["/bin/busybox", "sh", "-c", "echo 'not for everybody'; /bin/busybox sleep 1000"]
log = { kernel = false }

[workload.watcher]
command = ["/bin/sh", "-c", "exec 2>&1; /init ps --json web | grep -c web; /init logs web >/dev/null && echo may read; /init stop web; echo status $?; /init inspect web; echo status $?"]
privileged = true
user = "1000:77"
restart = "never"

[workload.stranger]
command = ["/bin/sh", "-c", "exec 2>&1; /init ps; echo status $?"]
privileged = true
user = "1000:1000"
restart = "never"

[workload.long]
command = ["/bin/busybox", "sh", "-c", "i=0; while [ $i -lt 200 ]; do i=$((i+1)); printf '0123456789'; done; echo; i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; done"]
restart = "never"
log = { ring = "8K" }
"#;
    let script = format!(
        r#"{TELL}
usleep 500000
tell all /init ps
tell web /init ps web
echo json=$(/init ps --json web | tr -d '\n' | tr -d ' ')
tell stop /init stop web
echo stopped=$(column web 2)
tell again /init stop web
tell start /init start web
echo started=$(column web 2)
pid=$(column web 3)
tell restart /init restart web
[ $pid != $(column web 3) ] && echo another=pid
/init start once; while [ "$(column once 2)" != done ]; do usleep 50000; done
tell missing /init start absent
tell pause /init pause web
echo paused=$(column web 2) $(cat /sys/fs/cgroup/web/cgroup.events | grep frozen)
tell unpause /init restart web
echo after=$(column web 2) $(cat /sys/fs/cgroup/web/cgroup.events | grep frozen)
usleep 300000
tell kill /init kill -s HUP web
n=0; while ! /init logs web | grep -q hup && [ $n -lt 100 ]; do n=$((n+1)); usleep 100000; done
/init logs web | grep -q hup && echo hup=seen
tell unknown /init stop wbe
tell none /init start
tell signal /init kill -s NONE web
tell dead /init pause once
echo once=$(/init logs --raw once | grep -v wrong | od -An -tx1 | tr -d '\n' | tr -d ' ')
echo errors=$(/init logs --json once | grep -c '"severity":5')
echo quiet=$(/init logs --raw quiet)
echo long=$(/init logs --raw long | tail -n 1) $(/init logs long | wc -l)
echo last=$(/init logs -n 2 long | awk '{{ print $3 }}' | tr '\n' ' ')
/init logs | grep -q 'corm: once: exited with status 3' && echo merged=yes
/init events | grep -q 'web: asked to restart' && echo events=yes
(timeout 5 /init logs -f quiet > /tmp/followed; true) &
usleep 500000; /init restart quiet; usleep 500000
echo followed=$(grep -c everybody /tmp/followed)
tell stats /init stats web
echo memory=$(/init stats --json web | tr ',' '\n' | grep -c '"memory":[1-9]')
echo mode=$(stat -c '%a %u %g' /run/corm/control)
"#
    );
    let image = image(
        &(config.to_owned() + &probe(&[], &format!("mkdir -p /tmp\nmount -t tmpfs none /tmp\n{script}"))),
    );
    let machine = boot_with(image, &corm_qemu::Options::default())?;
    let seen = Seen::by_probe(&machine)?;
    for (key, value) in [
        ("stop", "0 "),
        ("stopped", "stopped"),
        ("again", "0 "),
        ("start", "0 "),
        ("started", "running"),
        ("restart", "0 "),
        ("another", "pid"),
        ("missing", "1 corm start: absent is failed; `corm logs absent` and `corm events` may say why"),
        ("pause", "0 "),
        ("paused", "paused frozen 1"),
        ("unpause", "0 "),
        ("after", "running frozen 0"),
        ("kill", "0 "),
        ("hup", "seen"),
        ("unknown", "66 corm stop: there is no workload `wbe`; did you mean `web`?"),
        ("none", "64 usage: corm start [--no-wait] NAME..."),
        ("signal", "64 corm kill: `NONE` is not a signal"),
        ("dead", "1 corm pause: once is not running"),
        // "first", and the other line with its bytes as they were.
        ("once", "66697273740a62696e2001ff20656e640a66697273740a62696e2001ff20656e640a"),
        ("errors", "2"),
        ("quiet", "not for everybody"),
        ("last", "399 400 "),
        ("merged", "yes"),
        ("events", "yes"),
        ("followed", "2"),
        ("memory", "1"),
        ("mode", "660 0 77"),
    ] {
        assert_eq!(seen.value(key)?.trim_end(), value.trim_end(), "{key}:\n{seen}");
    }
    assert!(seen.value("json")?.starts_with(r#"[{"name":"web","state":"running","pid":"#), "{seen}");
    let long: Vec<&str> = seen.value("long")?.split(' ').collect();
    assert_eq!(long[..2], ["line", "400"], "{seen}");
    let kept: u32 = long[2].parse()?;
    assert!((150..350).contains(&kept), "8K hold so many short lines and no more: {kept}");
    let console = machine.console();
    assert_eq!(
        said_by("watcher", &console),
        [
            "1",
            "may read",
            "corm stop: only root may do this",
            "status 77",
            "corm inspect: only root may do this",
            "status 77",
        ],
        "{console}"
    );
    assert!(said_by("stranger", &console).contains(&"status 77".to_owned()), "{console}");
    assert_not_said(&console, "] quiet: ");
    Ok(())
}
