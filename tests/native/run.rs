//! `corm run`, as root and as an ordinary user, where people run it: in a
//! pipeline, under tmux, inside itself, on a read-only root, with its parent killed.

use anyhow::{Context, Result};
use corm_native_tests::{PATIENCE, Place, Who, finish, wait_until};
use corm_qemu::host::{self, Tool};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

macro_rules! place {
    () => {
        match Place::new()? {
            Some(place) => place,
            None => return Ok(()),
        }
    };
}

#[test]
fn its_exit_status_is_that_of_the_command() -> Result<()> {
    let place = place!();
    for who in Who::BOTH {
        for status in [0, 1, 7, 126, 255] {
            let outcome = finish(&mut place.script_as(who, &[], &format!("exit {status}")))?;
            assert_eq!(outcome.status, status, "{who:?}: {}", outcome.err);
        }
    }
    Ok(())
}

#[test]
fn what_cannot_be_started_is_told_apart() -> Result<()> {
    let place = place!();
    let root = place.root();
    let root = root.to_str().context("our path is text")?;
    let file = place.root().join("data/no-program");
    fs::write(&file, "text")?;
    for who in Who::BOTH {
        let run = |words: &[&str]| finish(&mut place.corm_as(who, &[&["run"], words].concat()));
        for (words, status, says) in [
            (&["--root", root, "--", "/bin/nothing"][..], 127, "cannot execute /bin/nothing"),
            (&["--root", root, "--", "/data/no-program"], 126, "is not executable"),
            (&["--root", "/no/such/root", "--", "/bin/sh"], 64, "there is no such file or directory"),
            (&["--root", root, "--memory", "many", "--", "/bin/sh"], 65, "`many` is not a size"),
            (&["--root", root, "--set", "limits.memroy=1", "--", "/bin/sh"], 65, "`memory`"),
            (&["--root", root, "--", "sh"], 65, "`sh` is not a path"),
            (&["--memory", "8M"], 64, "want `-- COMMAND`"),
            (&["--nonsense"], 64, "unexpected argument `--nonsense`"),
            (&["--root"], 64, "--root: wants a value"),
            (&[], 64, "which workload?"),
            (&["--config", "/no/such/file", "web"], 66, "/no/such/file"),
        ] {
            let outcome = run(words)?;
            assert_eq!(outcome.status, status, "{who:?} {words:?}: {}", outcome.err);
            assert!(outcome.err.contains(says), "{who:?} {words:?}: {}", outcome.err);
            assert_eq!(outcome.out, "", "{who:?} {words:?}");
        }
    }
    Ok(())
}

#[test]
fn a_workload_of_a_config_is_run_by_its_name() -> Result<()> {
    let place = place!();
    let config = place.directory.join("corm.toml");
    let root = place.root();
    fs::write(
        &config,
        format!(
            "[workload.other]\ncommand = [\"/bin/sh\", \"-c\", \"exit 1\"]\nroot = {root:?}\n\
             [workload.this]\ncommand = [\"/bin/sh\", \"-c\", \"echo $CORM_WORKLOAD $WORD; exit 3\"]\n\
             root = {root:?}\nenv = {{ WORD = \"said\" }}\nrestart = \"always\"\n"
        ),
    )?;
    let config = config.to_str().context("our path is text")?;
    for who in Who::BOTH {
        let outcome = finish(&mut place.corm_as(who, &["run", "--config", config, "this"]))?;
        assert_eq!((outcome.status, outcome.out.as_str()), (3, "this said\n"), "{}", outcome.err);
        let outcome = finish(&mut place.corm_as(who, &["run", "--config", config, "that"]))?;
        assert_eq!(outcome.status, 65, "{}", outcome.err);
        assert!(outcome.err.contains("there is no workload `that`"), "{}", outcome.err);
    }
    Ok(())
}

const LOOK: &str = r#"
for space in cgroup ipc mnt net pid user uts; do echo "$space=$(busybox readlink /proc/self/ns/$space)"; done
for key in CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs; do
    echo "$key=$(busybox sed -n "s/^$key:[^0-9a-f]*//p" /proc/self/status)"
done
echo "uid=$(busybox id -u)"
echo "gid=$(busybox id -g)"
for map in uid_map gid_map; do echo "$map=$(busybox cat /proc/self/$map)"; done
echo "groups=$(busybox id -G)"
echo "hostname=$(busybox hostname)"
busybox ls /proc/$$/fd >/dev/shm/fds; echo "descriptors=$(busybox tr '\n' ' ' </dev/shm/fds)"
echo "mounts=$(busybox awk '{ print $5 }' /proc/self/mountinfo | busybox sort | busybox tr '\n' ' ')"
echo "processes=$(cd /proc; echo [0-9]*)"
echo "interfaces=$(busybox ls /proc/sys/net/ipv4/conf)" | busybox tr '\n' ' '; echo
busybox touch /here 2>/dev/null && echo "root=written" || echo "root=read-only"
busybox mknod /dev/x c 1 3 2>/dev/null && echo "mknod=done" || echo "mknod=denied"
busybox mount -t tmpfs none /tmp 2>/dev/null && echo "mount=done" || echo "mount=denied"
busybox mount -o remount,rw / 2>/dev/null && echo "remount=done" || echo "remount=denied"
busybox unshare -U true 2>/dev/null; echo > /dev/null && echo "null=works"
for key in SigBlk SigIgn; do echo "$key=$(busybox sed -n "s/^$key:[^0-9a-f]*//p" /proc/self/status)"; done
echo "environment=$(busybox env | busybox sed 's/=.*//' | busybox sort | busybox tr '\n' ' ')"
echo "umask=$(umask)"
"#;

#[test]
fn the_walls_are_those_of_a_machine_for_root_and_for_an_ordinary_user() -> Result<()> {
    let place = place!();
    for who in Who::BOTH {
        // What must not come through: a variable, an open file, an ignored signal, a mask.
        let mut leaky = place.after(
            "export SECRET=1; exec 9</etc/passwd; trap '' USR1; umask 0",
            &place.script_as(who, &["box"], LOOK),
        );
        let seen = finish(place.become_who(who, &mut leaky))?;
        assert_eq!(seen.status, 0, "{who:?}: {}", seen.err);
        for space in ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] {
            let ours = fs::read_link(format!("/proc/self/ns/{space}"))?;
            // Without a cgroup of its own there is nothing for a cgroup namespace to hide.
            if space != "cgroup" || !seen.err.contains("no pids limit") {
                assert_ne!(seen.value(space), ours.to_string_lossy(), "{who:?}: {space}");
            }
        }
        for key in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(seen.value(key), "0000000000000000", "{who:?}: {key}");
        }
        assert_eq!(seen.value("NoNewPrivs"), "1");
        // Of a range that nobody else has; or his own id, and that is all he has to give.
        let (uid, ids) = match who {
            Who::Root => (65_532, 65_536),
            Who::User => (Who::UID, 1),
        };
        assert_eq!((seen.value("uid"), seen.value("gid")), (&*uid.to_string(), &*uid.to_string()), "{who:?}");
        for map in ["uid_map", "gid_map"] {
            let map: Vec<u32> = seen.value(map).split_whitespace().flat_map(str::parse).collect();
            let [inside, outside, count] = map[..] else { panic!("{map:?}") };
            assert_eq!(count, ids, "{who:?}: {map:?}");
            match who {
                Who::Root => assert!(inside == 0 && outside >= 65_536 && outside % 65_536 == 0, "{map:?}"),
                Who::User => assert_eq!((inside, outside), (Who::UID, Who::UID), "{map:?}"),
            }
        }
        assert_eq!(seen.value("hostname"), "box");
        // 10 is the shell's own copy.
        assert_eq!(seen.value("descriptors").replace("10 ", "").trim(), "0 1 2", "{who:?}");
        let devices = ["/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"];
        let mut mounts = vec!["/", "/dev", "/dev/mqueue", "/dev/pts", "/dev/shm", "/proc"];
        if who == Who::User {
            mounts.extend(devices);
        }
        mounts.sort_unstable();
        // What lies in /proc and /sys is another test's.
        let seen_mounts = seen.value("mounts").split_whitespace().filter(|path| !path.starts_with("/proc/"));
        assert_eq!(seen_mounts.collect::<Vec<_>>(), mounts, "{who:?}");
        assert!(seen.value("processes").split(' ').count() <= 3, "{}", seen.value("processes"));
        assert_eq!(seen.value("interfaces").trim(), "all default lo");
        for (what, so) in [
            ("root", "read-only"),
            ("mknod", "denied"),
            ("mount", "denied"),
            ("remount", "denied"),
            ("null", "works"),
            ("SigBlk", "0000000000000000"),
            ("SigIgn", "0000000000000000"),
            ("umask", "0022"),
        ] {
            assert_eq!(seen.value(what), so, "{who:?}: {what}");
        }
        let names: Vec<&str> = seen.value("environment").split_whitespace().collect();
        assert_eq!(
            names.iter().filter(|name| !["PWD", "SHLVL", "OLDPWD", "_"].contains(name)).collect::<Vec<_>>(),
            [&"CORM_WORKLOAD", &"HOME", &"PATH"]
        );
    }
    Ok(())
}

#[test]
fn each_namespace_is_shared_only_by_who_asks_for_it() -> Result<()> {
    let place = place!();
    let script = "for space in cgroup ipc mnt net pid time user uts; do \
         echo $space=$(busybox readlink /proc/self/ns/$space); done; \
         echo hostname=$(busybox hostname); echo up=$(busybox cut -d. -f1 /proc/uptime)";
    let spaces = ["cgroup", "ipc", "net", "pid", "time", "user", "uts"];
    let is_ours = |seen: &corm_native_tests::Outcome, space: &str| {
        let ours = fs::read_link(format!("/proc/self/ns/{space}")).expect("a Linux has this");
        seen.value(space) == ours.to_string_lossy()
    };
    // Nobody has a cgroup of his own on a host without cgroup v2.
    let unified = fs::exists("/sys/fs/cgroup/cgroup.controllers")?;
    let own = |space: &str| space != "time" && (space != "cgroup" || unified);
    for shared in spaces {
        let key = if shared == "net" { "network" } else { shared };
        let (word, expected) = if shared == "time" { ("own", false) } else { ("host", true) };
        let set = format!("namespaces.{key} = {word:?}");
        let seen = finish(&mut place.script_as(Who::Root, &["--set", &set], script))?;
        assert_eq!(seen.status, 0, "{set}: {}", seen.err);
        for space in spaces {
            let expected = if space == shared { expected } else { !own(space) };
            assert_eq!(is_ours(&seen, space), expected, "{space} with {set}");
        }
        assert!(!is_ours(&seen, "mnt"));
        let ours = fs::read_to_string("/proc/sys/kernel/hostname")?;
        assert_eq!(seen.value("hostname") == ours.trim(), shared == "uts", "{set}");
        // Its clocks begin with it: this machine's have run for longer than a start takes.
        let up: u64 = seen.value("up").parse()?;
        let ours = fs::read_to_string("/proc/uptime")?;
        let ours: u64 = ours.split('.').next().context("an uptime is a number")?.parse()?;
        assert_eq!(up <= ours / 2, shared == "time", "{set}: {up} of {ours}");
    }
    let mount = finish(&mut place.script_as(Who::Root, &["--set", "namespaces.mount = \"host\""], script))?;
    assert!(mount.err.contains("`mount` cannot be shared"), "{}", mount.err);
    Ok(())
}

#[test]
fn it_takes_its_place_in_a_pipeline() -> Result<()> {
    let place = place!();
    for who in Who::BOTH {
        let mut child =
            place.script_as(who, &[], "busybox tr a-z A-Z; echo told >&2").stdin(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().context("it has a stdin")?;
        let text = "as it goes in\n".repeat(20_000);
        let writer = std::thread::spawn({
            let text = text.clone();
            move || input.write_all(text.as_bytes())
        });
        let mut out = String::new();
        child.stdout.take().context("it has a stdout")?.read_to_string(&mut out)?;
        writer.join().expect("the writer does not panic")?;
        let mut err = String::new();
        child.stderr.take().context("it has a stderr")?.read_to_string(&mut err)?;
        assert!(child.wait()?.success());
        assert_eq!(out, text.to_uppercase(), "{who:?}");
        assert!(err.ends_with("told\n"), "{who:?}: {err}");

        // A reader that goes away ends the workload, as in any pipeline.
        let mut child = place.script_as(who, &[], "busybox yes").spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it has a stdout")?).read_line(&mut line)?;
        assert_eq!(line, "y\n");
        let status = wait(&mut child)?;
        assert!(status.code().is_some_and(|code| code != 0), "{who:?}: {status}");

        // A full disk is the workload's affair.
        let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
        let outcome = finish(place.script_as(who, &[], "echo lost || exit 9").stdout(full))?;
        assert_eq!(outcome.status, 9, "{who:?}: {}", outcome.err);
    }
    Ok(())
}

fn wait(child: &mut Child) -> Result<std::process::ExitStatus> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        anyhow::ensure!(Instant::now() < give_up, "it does not end");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Starts a script and waits until it has printed `ready`.
fn start(place: &Place, who: Who, script: &str) -> Result<(Child, BufReader<std::process::ChildStdout>)> {
    ready(place.script_as(who, &[], script))
}

fn ready(mut command: Command) -> Result<(Child, BufReader<std::process::ChildStdout>)> {
    let mut child = command.spawn()?;
    let mut out = BufReader::new(child.stdout.take().context("it has a stdout")?);
    let mut line = String::new();
    out.read_line(&mut line)?;
    anyhow::ensure!(line == "ready\n", "it said {line:?}");
    Ok((child, out))
}

fn signal(child: &Child, signal: &str) -> Result<()> {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status()?;
    anyhow::ensure!(status.success(), "kill: {status}");
    Ok(())
}

/// Whether any process has that word among its arguments.
fn runs(word: &str) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| {
        let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|it| it == word.as_bytes())
    })
}

#[test]
fn signals_go_on_to_the_workload() -> Result<()> {
    let place = place!();
    for who in Who::BOTH {
        for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("QUIT", 3), ("USR1", 10), ("USR2", 12)]
        {
            let script = format!(
                "trap 'exit {}' {name}; echo ready; while :; do busybox usleep 10000; done",
                40 + number
            );
            let (mut child, _out) = start(&place, who, &script)?;
            signal(&child, &format!("-{name}"))?;
            assert_eq!(wait(&mut child)?.code(), Some(40 + number), "{who:?}: {name}");
        }
        // A process 1 that has no use for it would not notice. (The shell has: it catches SIGINT.)
        for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
            let word = format!("{}{}{:07}", 8 + who as u32, number, std::process::id());
            let (mut child, _out) = start(&place, who, &format!("echo ready; exec busybox sleep {word}"))?;
            wait_until("it is no shell any more", || runs(&word));
            signal(&child, &format!("-{name}"))?;
            assert_eq!(wait(&mut child)?.code(), Some(128 + number), "{who:?}: {name}");
        }
        // nohup(1).
        let nohup = place.after(
            "trap '' HUP",
            &place.script_as(
                who,
                &[],
                "trap 'exit 1' HUP; trap 'exit 2' TERM; echo ready; while :; do busybox usleep 10000; done",
            ),
        );
        let mut nohup = nohup;
        place.become_who(who, &mut nohup).stdin(Stdio::null());
        let (mut child, _out) = ready(nohup)?;
        signal(&child, "-HUP")?;
        signal(&child, "-TERM")?;
        assert_eq!(wait(&mut child)?.code(), Some(2), "{who:?}: nohup");
    }
    Ok(())
}

#[test]
fn neither_outlives_the_other() -> Result<()> {
    let place = place!();
    for who in Who::BOTH {
        // A number of seconds that nobody else sleeps for.
        let word = format!("{}{:07}", 6 + who as u32, std::process::id());
        let word = word.as_str();
        // corm is killed: so is the workload, and all that it has started.
        let script = format!("busybox sleep {word} & echo ready; busybox sleep {word}");
        let (mut child, _out) = start(&place, who, &script)?;
        wait_until("it begins", || runs(word));
        child.kill()?;
        child.wait()?;
        wait_until("corm's death ends its workload", || !runs(word));

        // The workload ends: so does what it has left behind.
        let script = format!("busybox setsid busybox sleep {word} & echo ready");
        let (mut child, _out) = start(&place, who, &script)?;
        assert_eq!(wait(&mut child)?.code(), Some(0), "{who:?}");
        wait_until("the workload's end ends what it started", || !runs(word));

        // Whoever started corm is killed: corm goes on, as any program does.
        let mut shell =
            place.after("true", &place.script_as(who, &[], &format!("echo ready; busybox sleep {word}")));
        shell.arg0("parent");
        place.become_who(who, &mut shell).stdin(Stdio::null());
        let (child, _out) = ready(shell)?;
        signal(&child, "-TERM")?;
        let mut child = child;
        assert_eq!(wait(&mut child)?.code(), Some(143), "{who:?}");
        wait_until("and it ends it", || !runs(word));
    }
    Ok(())
}

#[test]
fn a_workload_may_have_fewer_files_than_its_walls_take() -> Result<()> {
    let place = place!();
    for who in Who::BOTH {
        for keys in [&["limits.files = 4"][..], &["limits.files = 4", "security.landlock = \"off\""]] {
            let options: Vec<&str> = keys.iter().flat_map(|key| ["--set", key]).collect();
            let outcome = finish(&mut place.script_as(who, &options, "ulimit -n"))?;
            assert_eq!(
                (outcome.status, outcome.out.as_str()),
                (0, "4\n"),
                "{who:?} {keys:?}: {}",
                outcome.err
            );
        }
    }
    Ok(())
}

#[test]
fn limits_are_had_or_missed_aloud() -> Result<()> {
    let place = place!();
    let unified = fs::exists("/sys/fs/cgroup/cgroup.controllers")?;
    let asked = finish(&mut place.script_as(Who::Root, &["--memory", "64M"], "echo in"))?;
    let default = finish(&mut place.script_as(Who::Root, &[], "echo in"))?;
    assert_eq!((default.status, default.out.as_str()), (0, "in\n"), "{}", default.err);
    if unified {
        // Of what the container or scope we are in hands on, that is.
        assert!(asked.status == 0 || asked.err.contains("cannot set its limit memory.max"), "{}", asked.err);
    } else {
        assert_eq!((asked.status, asked.out.as_str()), (126, ""), "{}", asked.err);
        assert!(asked.err.contains("cannot limit it"), "{}", asked.err);
        assert!(default.err.contains("no pids limit: "), "{}", default.err);
        let old = fs::read_to_string("/proc/self/cgroup")?.lines().any(|line| !line.starts_with("0::"));
        assert_eq!(default.err.contains("cgroup v1 (legacy or hybrid)"), old, "{}", default.err);
        // A cgroup is also what keeps a workload that makes devices from all but its own.
        for (keys, starts) in [
            (["user=0", "security.capabilities=[\"mknod\"]"], false),
            (["user=0", "security.capabilities=[\"sys-admin\"]"], false),
            (["user=0", "devices=[\"/dev/console\"]"], false),
            (["user=0", "security.capabilities=[\"chown\"]"], true),
            (["user=\"auto\"", "security.capabilities=[\"sys-admin\"]"], true),
        ] {
            let options = ["--set", keys[0], "--set", keys[1]];
            let seen = finish(&mut place.script_as(Who::Root, &options, "echo in"))?;
            let refused = seen.err.contains("cannot keep it from devices it was not given");
            assert_eq!((seen.out == "in\n", refused), (starts, !starts), "{keys:?}: {}", seen.err);
        }
    }
    Ok(())
}

#[test]
fn no_run_leaves_a_cgroup_behind() -> Result<()> {
    let place = place!();
    let (corm, root) = (place.corm(), place.root());
    // Where this host has cgroup v2 beside v1, it is the only one here.
    let mut view = Command::new("unshare");
    view.args(["-m", "sh", "-c"]).arg(format!(
        "mount --make-rprivate / && if ! test -e /sys/fs/cgroup/cgroup.controllers; then \
           umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup; fi || exit 77; \
         for option in user=65532 volumes.\\\"/data\\\".source=\\\"/not/there\\\"; do \
           {corm} run --root {root} --set $option -- /bin/sh -c \
             'busybox readlink /proc/self/ns/cgroup' & \
           wait $!; echo status=$?; find /sys/fs/cgroup -name corm.run.$!; \
         done; readlink /proc/self/ns/cgroup",
        corm = corm.display(),
        root = root.display(),
    ));
    let seen = finish(view.stdin(Stdio::null()))?;
    if seen.status == 77 {
        eprintln!("SKIPPED: this host has no cgroup v2: {}", seen.err);
        return Ok(());
    }
    let lines: Vec<&str> = seen.out.lines().collect();
    let [inside, "status=0", "status=126", outside] = lines[..] else { panic!("{}{}", seen.out, seen.err) };
    assert_ne!(inside, outside, "it had one: {}", seen.err);
    Ok(())
}

/// As in a container: a cgroup namespace, whose root is the cgroup of whoever began it.
#[test]
fn in_a_cgroup_namespace_a_run_stays_below_its_root() -> Result<()> {
    let place = place!();
    let script = r#"
mount --make-rprivate /
if ! test -e /sys/fs/cgroup/cgroup.controllers; then umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup; fi
inner=/sys/fs/cgroup/corm-test-$$
mkdir $inner || exit 77
trap 'rmdir $inner' EXIT
within() { (sh -c 'echo $PPID' >$inner/cgroup.procs; exec unshare -m -C sh -c "$@" 2>&1); }
run() { echo "how=$1"; within "$1" "$CORM" run --root $ROOT --set 'namespaces.cgroup = "host"' -- \
    /bin/busybox sed -n 's/^0::/path=/p' /proc/self/cgroup; }
again='umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup'
run "$again && exec \"\$0\" \"\$@\""
run "$again && \"\$0\" \"\$@\"; true"
# The whole machine's are still mounted, where what this calls "/" is another one.
run 'exec "$0" "$@"'
find $inner -mindepth 1 -type d
"#;
    let mut view = Command::new("unshare");
    view.args(["-m", "sh", "-c", script]).env("CORM", place.corm()).env("ROOT", place.root());
    let seen = finish(view.stdin(Stdio::null()))?;
    if seen.status == 77 {
        eprintln!("SKIPPED: this host has no cgroup v2: {}", seen.err);
        return Ok(());
    }
    // What the kernel says of the workload's cgroup, from the namespace's root: nobody is outside.
    let [alone, shared, elsewhere] = seen.out.split("how=").skip(1).collect::<Vec<_>>()[..] else {
        panic!("{}{}", seen.out, seen.err)
    };
    for inside in [alone, shared] {
        assert!(inside.contains("\npath=/corm.run."), "{}", seen.out);
    }
    assert!(!alone.contains("other processes"), "{alone}");
    assert!(shared.contains("other processes are in its cgroup"), "{shared}");
    assert!(
        elsewhere.contains("no pids limit: this process's cgroup is not below /sys/fs/cgroup"),
        "{elsewhere}"
    );
    assert!(elsewhere.ends_with("\npath=/\n"), "{elsewhere}");
    Ok(())
}

#[test]
fn volumes_and_memory_are_mounted_as_the_options_say() -> Result<()> {
    let place = place!();
    let shared = place.directory.join("shared");
    fs::write(shared.join("file"), "of the host")?;
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777))?;
    let shared = shared.to_str().context("our path is text")?;
    for who in Who::BOTH {
        let script = "read text </data/file; echo \"$text\"; echo x >/data/new && echo written; echo y >/tmp/z && cat /tmp/z";
        let script = script.replace("cat", "busybox cat");
        let read_only = format!("{shared}:/data");
        let options = ["--volume", &read_only, "--tmpfs", "/tmp:1M"];
        let outcome = finish(&mut place.script_as(who, &options, &script))?;
        assert_eq!(outcome.out, "of the host\ny\n", "{who:?}: {}", outcome.err);
        let writable = format!("{shared}:/data:rw");
        let outcome =
            finish(&mut place.script_as(who, &["--volume", &writable], "echo x >/data/new && echo written"))?;
        assert_eq!(outcome.out, "written\n", "{who:?}: {}", outcome.err);
        assert_eq!(fs::read_to_string(place.directory.join("shared/new"))?, "x\n");
        fs::remove_file(place.directory.join("shared/new"))?;
    }
    Ok(())
}

/// A filesystem mounted for a test; gone with the value.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn new(place: &Place, kind: &str) -> Result<Mounted> {
        let on = place.directory.join(kind);
        fs::create_dir(&on)?;
        let status = Command::new("mount").args(["-t", kind, "none"]).arg(&on).status()?;
        anyhow::ensure!(status.success(), "cannot mount a {kind}");
        Ok(Mounted(on))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// systemd shares all mounts of a machine with every namespace that is made from it.
#[test]
fn what_a_run_mounts_is_mounted_nowhere_else() -> Result<()> {
    let place = place!();
    let script = r#"
mount --make-rshared / || exit 77
cat /proc/self/mountinfo >$SEEN/before
for user in '"auto"' 0; do
    "$CORM" run --root "$ROOT" --set "user=$user" --tmpfs /tmp:1M -- /bin/busybox grep -c ' /tmp ' /proc/self/mountinfo
done
cat /proc/self/mountinfo >$SEEN/after
cmp $SEEN/before $SEEN/after"#;
    let mut view = Command::new("unshare");
    view.args(["-m", "sh", "-c", script]).env("CORM", place.corm()).env("ROOT", place.root());
    let seen = finish(view.env("SEEN", &place.directory).stdin(Stdio::null()))?;
    assert_eq!((seen.status, seen.out.as_str()), (0, "1\n1\n"), "{}", seen.err);
    Ok(())
}

#[test]
fn ids_of_a_filesystem_are_those_of_the_workload() -> Result<()> {
    let place = place!();
    const NONROOT: u32 = 65_532;
    let chown = |path: &std::path::Path, id: u32| std::os::unix::fs::chown(path, Some(id), Some(id));
    let owner = |path: &std::path::Path| Ok::<u32, std::io::Error>(fs::metadata(path)?.uid());
    let run = |volume: &std::path::Path, how: &str, script: &str| {
        let volume = format!("{}:/data{how}", volume.display());
        finish(&mut place.script_as(Who::Root, &["--volume", &volume], script))
    };
    let first: u32 = {
        let outcome = finish(&mut place.script_as(Who::Root, &[], "busybox cat /proc/self/uid_map"))?;
        outcome.out.split_whitespace().nth(1).context("a map has three numbers")?.parse()?
    };
    let look = "busybox stat -c %u:%g /data; busybox touch /data/new && busybox stat -c new=%u /data/new";
    // A root whose files are uid 0's shows them as that; what only uid 0 may read stays closed.
    fs::write(place.root().join("secret"), "x")?;
    fs::set_permissions(place.root().join("secret"), fs::Permissions::from_mode(0o600))?;
    let root = "busybox stat -c %u:%g /secret; busybox cat /secret 2>/dev/null || echo closed";
    assert_eq!(finish(&mut place.script_as(Who::Root, &[], root))?.out, "0:0\nclosed\n");
    // Without a mapping they are nobody's.
    let (machine, unmapped) = (["run", "--root", "/", "--", "/bin/sh", "-c"], "stat -c %u:%g /bin/sh");
    let outcome = finish(&mut place.corm_as(Who::Root, &[&machine[..], &[unmapped]].concat()))?;
    assert_eq!(outcome.out, "65534:65534\n", "{}", outcome.err);

    for kind in ["tmpfs", "ramfs"] {
        let mounted = Mounted::new(&place, kind)?;
        let (volume, new) = (mounted.0.as_path(), mounted.0.join("new"));
        // Its own ids are its own on any filesystem, and keep their mapping.
        for id in [first, first + NONROOT] {
            chown(volume, id)?;
            fs::set_permissions(volume, fs::Permissions::from_mode(0o777))?;
            let expected = format!("{0}:{0}\nnew={NONROOT}\n", id - first);
            let outcome = run(volume, ":rw", look)?;
            assert_eq!(outcome.out, expected, "{kind} {id}: {}", outcome.err);
            assert_eq!(owner(&new)?, first + NONROOT);
            fs::remove_file(&new)?;
        }
        // Neighbours' are not.
        chown(volume, first + 65_536)?;
        let outcome = run(volume, "", look)?;
        assert!(outcome.out.starts_with("65534:65534\n"), "{kind}: {}{}", outcome.out, outcome.err);
        // The filesystem's ids are the workload's, if it can.
        chown(volume, NONROOT)?;
        fs::set_permissions(volume, fs::Permissions::from_mode(0o700))?;
        let outcome = run(volume, ":rw", look)?;
        let mappable = outcome.status == 0;
        if mappable {
            assert_eq!(outcome.out, format!("{NONROOT}:{NONROOT}\nnew={NONROOT}\n"), "{kind}");
            assert_eq!(owner(&new)?, NONROOT);
        } else {
            for says in ["its filesystem cannot map ids", "`corm check`", "`user`"] {
                assert!(outcome.err.contains(says), "{kind}: {}", outcome.err);
            }
            // What may not be written to anyhow, or by everybody, needs none.
            assert_eq!(run(volume, "", "echo in")?.out, "in\n", "{kind}");
            fs::set_permissions(volume, fs::Permissions::from_mode(0o777))?;
            let outcome = run(volume, ":rw", look)?;
            assert_eq!(outcome.out, format!("65534:65534\nnew={NONROOT}\n"), "{kind}: {}", outcome.err);
            assert_eq!(owner(&new)?, first + NONROOT);
        }
        // ramfs never can; tmpfs since Linux 6.3.
        assert!(!mappable || kind == "tmpfs");
    }
    Ok(())
}

#[test]
fn a_symlink_leads_neither_a_root_nor_a_volume_anywhere() -> Result<()> {
    let place = place!();
    let (root, shared) = (place.root(), place.directory.join("shared"));
    // What a neighbour with a writable volume can do to one that lies below it.
    std::os::unix::fs::symlink("/", shared.join("inner"))?;
    let config = place.directory.join("corm.toml");
    let inner = shared.join("inner");
    let below = shared.join("inner/etc");
    for (root, source) in [(&root, &inner), (&root, &below), (&inner, &shared)] {
        fs::write(
            &config,
            format!(
                "[workload.b]\ncommand = [\"/bin/sh\", \"-c\", \"echo in\"]\nroot = {root:?}\n\
                 volumes.\"/data\" = {{ source = {source:?}, writable = true }}\n"
            ),
        )?;
        let config = config.to_str().context("our path is text")?;
        for who in Who::BOTH {
            let outcome = finish(&mut place.corm_as(who, &["run", "--config", config, "b"]))?;
            assert_eq!((outcome.status, outcome.out.as_str()), (126, ""), "{who:?}: {}", outcome.err);
            assert!(outcome.err.contains("no part of the path may be a symlink"), "{}", outcome.err);
        }
    }
    Ok(())
}

#[test]
fn uid_0_inside_its_walls_sets_nothing_of_the_kernel() -> Result<()> {
    let place = place!();
    // It writes what is there already: should the wall be missing, nothing changes.
    let script = "read x </proc/sys/vm/swappiness; echo uid=$(busybox id -u); \
         echo $x >/proc/sys/vm/swappiness && echo written; true";
    for who in Who::BOTH {
        let outcome = finish(&mut place.script_as(who, &["--user", "0"], script))?;
        assert_eq!((outcome.status, outcome.out.as_str()), (0, "uid=0\n"), "{who:?}: {}", outcome.err);
        assert!(outcome.err.contains("Read-only file system"), "{who:?}: {}", outcome.err);
    }
    Ok(())
}

#[test]
fn words_arrive_as_they_were_given() -> Result<()> {
    let place = place!();
    let odd = "a \"b\" \\ 'c'\t\u{1}\né ☃ #]";
    let root = place.root();
    let root = root.to_str().context("our path is text")?;
    let variable = format!("ODD={odd}");
    let words = [
        "run",
        "--root",
        root,
        "--env",
        &variable,
        "--",
        "/bin/sh",
        "-c",
        "printf '%s|%s' \"$1\" \"$ODD\"",
        "sh",
        odd,
    ];
    for who in Who::BOTH {
        let outcome = finish(&mut place.corm_as(who, &words))?;
        assert_eq!(outcome.out, format!("{odd}|{odd}"), "{who:?}: {}", outcome.err);
    }
    Ok(())
}

#[test]
fn it_works_inside_itself_and_inside_unshare_and_on_a_read_only_root() -> Result<()> {
    let place = place!();
    let root = place.root();
    let root = root.to_str().context("our path is text")?;
    for who in Who::BOTH {
        let inner = "/bin/corm run --root / inner -- /bin/sh -c 'echo $(busybox hostname); exit 5'; exit $?";
        // Nobody may mount a /proc where only a part of one is to be seen, nor anything under Landlock.
        let off = ["security.seccomp = \"off\"", "security.masks = \"off\"", "security.landlock = \"off\""];
        let options = off.map(|setting| ["--set", setting]).concat();
        let outcome = finish(&mut place.script_as(who, &options, inner))?;
        assert_eq!((outcome.status, outcome.out.as_str()), (5, "inner\n"), "{who:?}: {}", outcome.err);

        let corm = place.corm();
        let mut unshare = Command::new("unshare");
        unshare.arg("-r").arg(&corm).args(["run", "--root", root, "--", "/bin/busybox", "id", "-u"]);
        let outcome = finish(place.become_who(who, &mut unshare).stdin(Stdio::null()))?;
        assert_eq!((outcome.status, outcome.out.as_str()), (0, "0\n"), "{who:?}: {}", outcome.err);

        // All of the host's filesystems read-only, in a mount namespace of our own.
        let read_only = format!(
            "mount --make-rprivate / && mount -o remount,bind,ro / && cd / && \
             ! touch {root}/x 2>/dev/null && exec unshare --setuid {uid} --setgid {uid} {corm} run --root {root} -- /bin/busybox echo well",
            uid = if who == Who::Root { 0 } else { Who::UID },
            corm = corm.display(),
        );
        let outcome =
            finish(Command::new("unshare").args(["-m", "sh", "-c", &read_only]).stdin(Stdio::null()))?;
        assert_eq!((outcome.status, outcome.out.as_str()), (0, "well\n"), "{who:?}: {}", outcome.err);
    }
    // In a container that hides parts of its /proc, as Docker's do, nobody makes a new one.
    for (option, status, said) in [("", 126, ""), ("--set namespaces.pid='\"host\"'", 0, "well\n")] {
        let masked = format!(
            "mount --bind /dev/null /proc/keys && \
             exec unshare -r {corm} run --root {root} {option} -- /bin/busybox echo well",
            corm = place.corm().display(),
        );
        let outcome = finish(Command::new("unshare").args(["-m", "sh", "-c", &masked]).stdin(Stdio::null()))?;
        assert_eq!((outcome.status, outcome.out.as_str()), (status, said), "{option}: {}", outcome.err);
        let way_out = outcome.err.contains("`namespaces.pid = \"host\"` shows that one");
        assert_eq!(way_out, status != 0, "{}", outcome.err);
    }
    Ok(())
}

const TMUX: Tool = Tool { program: "tmux", package: "tmux", why: "types at `corm run` as a person does" };

/// A window of tmux's with a shell in it; gone with the value.
struct Window<'p> {
    place: &'p Place,
    name: String,
}

impl Window<'_> {
    fn open<'p>(place: &'p Place, who: Who) -> Result<Window<'p>> {
        let window = Window { place, name: format!("corm-{}-{who:?}", std::process::id()) };
        let shell = match who {
            Who::Root => "sh".to_owned(),
            Who::User => format!("setpriv --reuid {0} --regid {0} --clear-groups sh", Who::UID),
        };
        window.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "91",
            "-y",
            "23",
            &format!("cd /; PS1='host> ' {shell}"),
        ])?;
        Ok(window)
    }

    fn tmux(&self, words: &[&str]) -> Result<String> {
        Ok(finish(Command::new("tmux").args(["-L", &self.name]).args(words).env_remove("TMUX"))?.out)
    }

    fn type_in(&self, keys: &[&str]) -> Result<()> {
        self.tmux(&[&["send-keys"], keys].concat()).map(drop)
    }

    #[track_caller]
    fn wait_for(&self, line: &str) {
        let mut screen = String::new();
        let give_up = Instant::now() + PATIENCE;
        while Instant::now() < give_up {
            screen = self.tmux(&["capture-pane", "-p"]).unwrap_or_default();
            if screen.lines().any(|it| it.trim_end() == line) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("`{line}` is not on the screen of {}:\n{screen}", self.place.directory.display());
    }
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.tmux(&["kill-server"]);
    }
}

#[test]
fn under_tmux_it_has_a_terminal_of_its_own() -> Result<()> {
    let place = place!();
    host::require(&[TMUX])?;
    for who in Who::BOTH {
        let window = Window::open(&place, who)?;
        window.wait_for("host>");
        window.type_in(&[
            &format!("{} run --root {} -- /bin/sh", place.corm().display(), place.root().display()),
            "Enter",
        ])?;
        window.wait_for("/ $");
        window.type_in(&["busybox stty size", "Enter"])?;
        window.wait_for("23 91");
        window.tmux(&["resize-window", "-x", "75", "-y", "20"])?;
        window.type_in(&[
            "until [ \"$(busybox stty size)\" = '20 75' ]; do busybox usleep 10000; done; echo resi''zed",
            "Enter",
        ])?;
        window.wait_for("resized");
        // ctrl-c ends what is in the foreground inside, and nothing else.
        window.type_in(&["echo sle''eps; busybox sleep 1000", "Enter"])?;
        window.wait_for("sleeps");
        window.type_in(&["C-c"])?;
        window.type_in(&["echo sta''tus $?", "Enter"])?;
        window.wait_for("status 130");
        // ctrl-z, too.
        window.type_in(&["echo sle''eps again; busybox sleep 1000", "Enter"])?;
        window.wait_for("sleeps again");
        window.type_in(&["C-z"])?;
        window.type_in(&["jobs | busybox grep -o Stop''ped", "Enter"])?;
        window.wait_for("Stopped");
        // The host's terminal is not to be had: there is only the one inside.
        window.type_in(&[
            "busybox ls /dev/pts; kill -9 %1",
            "Enter",
            "exit 9",
            "Enter",
            "exit 9",
            "Enter",
        ])?;
        window.wait_for("host>");
        window.type_in(&["echo sta''tus $?; stty -a | grep -ow icanon", "Enter"])?;
        window.wait_for("status 9");
        window.wait_for("icanon");
    }
    Ok(())
}
