//! corm as PID 1 of a container on this machine, and a control socket that is treated badly.

use anyhow::{Context, Result, ensure};
use corm_native_tests::*;
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// corm with a config, in pid, mount and cgroup namespaces of its own.
struct Machine {
    place: Place,
    unshare: Child,
    /// As the host counts.
    pid: u32,
    cgroup: PathBuf,
}

impl Machine {
    fn boot(place: Place, config: &str) -> Result<Machine> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mounts = fs::read_to_string("/proc/mounts")?;
        let cgroups = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mut cgroups = cgroups.filter(|mount| mount[2] == "cgroup2").map(|mount| PathBuf::from(mount[1]));
        let cgroup = cgroups
            .next_back()
            .context("no cgroup2 is mounted here")?
            .join(format!("corm-test-{}-{number}", std::process::id()));
        fs::create_dir(&cgroup)?;
        fs::write(place.directory.join("corm.toml"), config)?;
        let directory = place.directory.to_str().context("our own path is text")?;
        let inside = format!(
            "mount --make-rprivate / && mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run &&\
             mount -t tmpfs none /etc && cp {directory}/corm.toml /etc && mount -t proc proc /proc && exec {directory}/corm"
        );
        let outside = format!(
            "echo $$ > {}/cgroup.procs && exec unshare -m -p -C --fork --kill-child sh -c '{inside}'",
            cgroup.display()
        );
        let mut command = Command::new("/bin/sh");
        let log = fs::File::create(place.directory.join("log"))?;
        command.args(["-c", &outside]).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let unshare = command.spawn()?;
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let mut pid = 0;
        wait_until("corm has a control socket", || {
            pid = fs::read_to_string(&children).unwrap_or_default().trim().parse().unwrap_or(0);
            pid != 0 && Path::new(&format!("/proc/{pid}/root/run/corm/control")).exists()
        });
        Ok(Machine { place, unshare, pid, cgroup })
    }

    fn corm(&self, words: &[&str]) -> Result<Outcome> {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid.to_string(), "-m", "-p"]).arg(self.place.corm()).args(words);
        finish(command.stdin(Stdio::null()))
    }

    fn connect(&self) -> Result<OwnedFd> {
        let path = format!("/proc/{}/root/run/corm/control", self.pid);
        let mut address = libc::sockaddr_un { sun_family: libc::AF_UNIX as u16, sun_path: [0; 108] };
        ensure!(path.len() < 108);
        for (to, from) in address.sun_path.iter_mut().zip(path.bytes()) {
            *to = from as libc::c_char;
        }
        // SAFETY: no pointers.
        let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0) };
        ensure!(socket >= 0, "socket: {}", std::io::Error::last_os_error());
        // SAFETY: it was just opened and is nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let size = size_of::<libc::sockaddr_un>() as u32;
        // SAFETY: `address` is a struct sockaddr_un of that size.
        let result = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size) };
        ensure!(result == 0, "connect: {}", std::io::Error::last_os_error());
        Ok(socket)
    }

    /// A number from a line of one of its files in /proc.
    fn number(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.pid)).expect("corm lives");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_else(|| panic!("no {key}: {text}"));
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }

    fn private_kib(&self) -> u64 {
        self.number("smaps_rollup", "Private_Dirty:") + self.number("smaps_rollup", "Private_Clean:")
    }

    fn switches(&self) -> u64 {
        self.number("status", "voluntary_ctxt_switches:")
            + self.number("status", "nonvoluntary_ctxt_switches:")
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).expect("corm lives").count()
    }

    fn states(&self, state: &str) -> Result<usize> {
        let outcome = self.corm(&["ps", "--json"])?;
        ensure!(outcome.status == 0, "{}", outcome.err);
        Ok(outcome.out.matches(&format!("\"state\":\"{state}\"")).count())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.place.directory.join("log")).unwrap_or_default());
        }
        for _ in 0..100 {
            let inner = fs::read_dir(&self.cgroup).into_iter().flatten().flatten();
            for entry in inner.filter(|entry| entry.path().is_dir()) {
                let _ = fs::remove_dir(entry.path());
            }
            if fs::remove_dir(&self.cgroup).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn send(socket: &OwnedFd, packet: &[u8], flags: i32) -> isize {
    // SAFETY: `packet` is readable for its length.
    unsafe {
        libc::send(socket.as_raw_fd(), packet.as_ptr().cast(), packet.len(), libc::MSG_NOSIGNAL | flags)
    }
}

fn receive(socket: &OwnedFd, flags: i32) -> Option<Vec<u8>> {
    let mut buffer = vec![0u8; 4096];
    // SAFETY: `buffer` is writable for its length.
    let count = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    buffer.truncate(usize::try_from(count).ok().filter(|count| *count > 0)?);
    Some(buffer)
}

/// The row of the first workload.
const ROW: [u8; 12] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

const WORKLOADS: usize = 200;

#[test]
fn two_hundred_workloads_rest_and_bad_clients_harm_nobody() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let busybox = place.root().join("bin/busybox");
    let config: String = (0..WORKLOADS)
        .map(|number| format!("[workload.w{number}]\ncommand = [{busybox:?}, \"sleep\", \"100000\"]\n"))
        .collect();
    let machine = Machine::boot(place, &config)?;
    wait_until("all are running", || machine.states("running").is_ok_and(|count| count == WORKLOADS));

    // At rest nobody wakes PID 1, and it is small.
    wait_until("the last client is gone, and what it needed", || {
        let before = machine.switches();
        std::thread::sleep(std::time::Duration::from_millis(500));
        machine.switches() == before
    });
    let (before, descriptors) = (machine.switches(), machine.descriptors());
    std::thread::sleep(std::time::Duration::from_secs(10));
    assert_eq!(machine.switches() - before, 0, "context switches of PID 1 in ten seconds of rest");
    let private = machine.private_kib();
    println!("private memory of PID 1 with {WORKLOADS} workloads: {private} KiB, {descriptors} descriptors");
    assert!(private < 256, "{private} KiB");

    // Frames of garbage, and halves of good ones. Each has an answer or ends the connection.
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for round in 0..3000u64 {
        let socket = machine.connect()?;
        let mut packet: Vec<u8> = (0..next() % 100).map(|_| next() as u8).collect();
        if round % 3 == 0 && packet.len() > 3 {
            // Nearly a request; but nothing that ends workloads or the machine.
            packet[..4].copy_from_slice(&[1, (next() % 6) as u8, 0, 0]);
        }
        if round % 100 == 0 {
            packet = vec![1; 60_000];
        }
        let half = ROW.get(..(round % 13) as usize).unwrap_or(&ROW);
        let sent = if round % 5 == 0 { half } else { &packet };
        send(&socket, sent, 0);
        if round % 7 == 0 {
            send(&socket, &ROW, 0);
        }
    }

    // Ten thousand connections, a thousand of them at once.
    let mut held = Vec::new();
    for round in 0..10_000 {
        held.push(machine.connect()?);
        if round % 1000 == 999 {
            held.clear();
        }
        if held.len() == 900 {
            // All of them are open now, and somebody who asks is answered all the same.
            let socket = machine.connect()?;
            send(&socket, &ROW, 0);
            assert_eq!(receive(&socket, 0).context("no answer in the crowd")?[0], 0);
        }
    }
    drop(held);

    // One that asks and never reads is dropped, and until then it is only one of many.
    let deaf = machine.connect()?;
    let mut dropped = false;
    for _ in 0..1_000_000 {
        if send(&deaf, &ROW, 0) < 0 {
            let error = std::io::Error::last_os_error();
            ensure!(error.raw_os_error() != Some(libc::EAGAIN), "it should have been dropped");
            dropped = true;
            break;
        }
    }
    assert!(dropped, "whoever does not read is dropped");

    // One that waits, talks, and is dropped for it.
    let rude = machine.connect()?;
    send(&rude, &[1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'w', b'0'], 0);
    send(&rude, &ROW, 0);
    assert_eq!(receive(&rude, 0), None);

    assert_eq!(machine.states("running")?, WORKLOADS, "nobody noticed");
    wait_until("the clients are forgotten", || machine.descriptors() <= descriptors);
    let private = machine.private_kib();
    println!("private memory of PID 1 after bad clients: {private} KiB");
    assert!(private < 256, "{private} KiB after bad clients");

    let names: Vec<String> = (0..WORKLOADS).map(|number| format!("w{number}")).collect();
    let words: Vec<&str> = ["stop"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let outcome = machine.corm(&words)?;
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
    assert_eq!(machine.states("stopped")?, WORKLOADS);
    // It may meet its end before its answer: corm kills what is left in its pid namespace.
    let outcome = machine.corm(&["poweroff"])?;
    assert!([0, -9].contains(&outcome.status), "{} {}", outcome.status, outcome.err);
    wait_until("corm has ended", || !Path::new(&format!("/proc/{}/root/run", machine.pid)).exists());
    Ok(())
}

/// What the kernel says of a process that is part of its walls.
const RIGHTS: &str = "Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters";

#[test]
fn exec_is_behind_the_same_walls_as_the_workload() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let (busybox, root) = (place.root().join("bin/busybox"), place.root());
    let config = format!(
        "[workload.auto]\ncommand = [\"/bin/busybox\", \"sleep\", \"100000\"]\nroot = {root:?}\nenv = {{ HELLO = \"there\" }}\n\
         limits.files = 77\n\
         [workload.ids]\ncommand = [{busybox:?}, \"sleep\", \"100000\"]\nuser = \"1234:1235\"\n\
         security.capabilities = [\"net-bind-service\"]\nnamespaces.pid = \"host\"\n\
         [workload.root]\ncommand = [\"/bin/busybox\", \"sleep\", \"100000\"]\nroot = {root:?}\nuser = 0\n"
    );
    let machine = Machine::boot(place, &config)?;
    wait_until("all are running", || machine.states("running").is_ok_and(|count| count == 3));
    let busybox = busybox.to_str().context("our own path is text")?;
    for name in ["auto", "ids", "root"] {
        let program = if name == "ids" { busybox } else { "/bin/busybox" };
        // Of the namespaces and rights of a process, a line each.
        let script = |pid: &str| {
            format!(
                "for i in mnt uts ipc net pid cgroup user; do {program} readlink /proc/{pid}/ns/$i; done; \
                 {program} grep -E '^({}):' /proc/{pid}/status",
                RIGHTS.replace(' ', "|")
            )
        };
        let json = machine.corm(&["ps", "--json", name])?.out;
        let (_, pid) = json.split_once("\"pid\":").with_context(|| json.clone())?;
        let pid = pid.split(',').next().context("a pid")?;
        let inside = machine.corm(&["exec", name, "--", program, "sh", "-c", &script("self")])?;
        assert_eq!((inside.status, inside.err.as_str()), (0, ""), "{name}");
        let mut outside = Command::new("nsenter");
        outside.args(["-t", &machine.pid.to_string(), "-m", "-p", "sh", "-c"]);
        // The machine has these programs of its own.
        let outside = finish(outside.arg(script(pid).replace(&format!("{program} "), "")))?;
        let ids = |text: &str| {
            text.lines().filter(|line| !line.contains("id:\t")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(ids(&inside.out), ids(&outside.out), "{name}");
        assert_eq!(inside.out.lines().count(), 18, "{}", inside.out);
        let cgroup = fs::read_to_string(machine.cgroup.join(name).join("cgroup.procs"))?;
        assert_eq!(cgroup.lines().count(), 1, "the one that is gone is gone: {cgroup}");
    }
    let exec = |words: &[&str]| machine.corm(&[&["exec"], words].concat());
    let seen = exec(&[
        "auto",
        "--",
        "sh",
        "-c",
        "echo $HELLO $CORM_WORKLOAD; ulimit -n; cat /proc/self/cgroup | grep ^0; exit 42",
    ])?;
    assert_eq!((seen.status, seen.out.as_str()), (42, "there auto\n77\n0::/\n"), "{}", seen.err);
    for (words, status, err) in [
        (
            &["auto", "nothing"][..],
            127,
            "corm: auto: cannot execute nothing: no such file or directory (ENOENT)\n",
        ),
        (
            &["auto", "/proc/version"],
            126,
            "corm: auto: cannot execute /proc/version: permission denied (EACCES)\n",
        ),
        (&["auto", "sh", "-c", "kill -9 $$"], 137, ""),
        (&["atuo", "true"], 66, "corm exec: there is no workload `atuo`; `corm ps` lists them\n"),
        (&["auto"], 64, "usage: corm exec [-i] [-t] NAME [--] COMMAND [ARGUMENT...]\n"),
    ] {
        let outcome = exec(words)?;
        assert_eq!((outcome.status, outcome.err.as_str()), (status, err), "{words:?}");
    }
    Ok(())
}
