//! `corm init` against tini, dumb-init and catatonit: the same scenario under
//! Debian's program and under corm of that name, and the same outcome.
//!
//! These run on this computer, in pid namespaces of their own where it matters,
//! and need no machine: of the boards only one has them run. Where corm is
//! better on purpose (`docs/container.md`), it stands alone and is told what to do.

use anyhow::{Context, Result, ensure};
use corm_qemu::{Arch, device, inits};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const NAMES: [&str; 3] = ["tini", "dumb-init", "catatonit"];
const PROBE: &str = env!("CARGO_BIN_EXE_probe");

/// Nothing takes this long; a test that would hang fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// The last signal: everything that was sent before it has come when it comes.
const MARKER: i32 = 64;

struct Inits {
    debian: PathBuf,
    ours: tempfile::TempDir,
}

impl Inits {
    /// None on boards other than the one that these tests run once for.
    fn new() -> Result<Option<Inits>> {
        let board = corm_tests::board();
        let native = [Arch::X86_64, Arch::Aarch64].into_iter().find(|arch| arch.is_native());
        let Some(arch) = native.filter(|arch| board.arch == *arch && board.name.starts_with("qemu-")) else {
            println!("skipped: not this computer's board");
            return Ok(None);
        };
        let ours = tempfile::tempdir()?;
        let corm = device::release(arch)?;
        for name in NAMES.into_iter().chain(["tini-static", "docker-init", "corm"]) {
            std::os::unix::fs::symlink(&corm, ours.path().join(name))?;
        }
        Ok(Some(Inits { debian: inits::directory(arch)?, ours }))
    }

    /// Debian's, and ours.
    fn both(&self) -> [&Path; 2] {
        [&self.debian, self.ours.path()]
    }

    fn ours(&self) -> &Path {
        self.ours.path()
    }
}

/// How an init is run.
#[derive(Clone, Default)]
struct Scene<'a> {
    name: &'a str,
    arguments: Vec<&'a str>,
    environment: Vec<(&'a str, &'a str)>,
    /// As PID 1 of a pid namespace.
    first: bool,
    terminal: bool,
    /// With SIGCHLD, SIGHUP and SIGUSR1 ignored, and SIGUSR2 and SIGTTIN blocked.
    odd_signals: bool,
    /// With an open descriptor 9.
    descriptor: bool,
}

fn scene<'a>(name: &'a str, arguments: &[&'a str]) -> Scene<'a> {
    Scene { name, arguments: arguments.to_vec(), ..Scene::default() }
}

impl Scene<'_> {
    fn command(&self, directory: &Path) -> Command {
        let program = directory.join(self.name);
        let mut command = if self.first {
            let mut command = Command::new("unshare");
            command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "--"]);
            // unshare gives no argv[0] of one's own.
            command.args(["bash", "-c", "exec -a \"$1\" \"$0\" \"${@:2}\""]);
            command.arg(program).arg(self.name);
            command
        } else {
            let mut command = Command::new(program);
            command.arg0(self.name);
            command
        };
        command.args(&self.arguments).env_clear().env("PATH", "/usr/bin:/bin");
        command.envs(self.environment.iter().copied()).current_dir("/tmp").stdin(Stdio::null());
        if self.odd_signals {
            // SAFETY: system calls only.
            unsafe { command.pre_exec(odd_signals) };
        }
        if self.descriptor {
            // SAFETY: system calls only.
            unsafe { command.pre_exec(|| check(libc::dup2(0, 9))) };
        }
        command
    }

    fn start(&self, directory: &Path) -> Result<Running> {
        let mut command = self.command(directory);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let terminal = self.terminal.then(|| Terminal::new(&mut command)).transpose()?;
        let mut child = command.spawn().with_context(|| format!("could not run {}", self.name))?;
        let lines = BufReader::new(child.stdout.take().context("no stdout")?);
        Ok(Running { child, lines, first: self.first, terminal })
    }

    fn outcome(&self, directory: &Path) -> Result<Outcome> {
        self.start(directory)?.end()
    }
}

fn check(result: i32) -> std::io::Result<()> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

fn odd_signals() -> std::io::Result<()> {
    for signal in [libc::SIGCHLD, libc::SIGHUP, libc::SIGUSR1] {
        // SAFETY: SIG_IGN is no function.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let mut blocked = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `blocked` is written before it is read.
    unsafe {
        libc::sigemptyset(blocked.as_mut_ptr());
        libc::sigaddset(blocked.as_mut_ptr(), libc::SIGUSR2);
        libc::sigaddset(blocked.as_mut_ptr(), libc::SIGTTIN);
        check(libc::sigprocmask(libc::SIG_SETMASK, blocked.as_ptr(), std::ptr::null_mut()))
    }
}

/// A pseudo-terminal, the controlling one of the session that the command leads.
struct Terminal {
    master: OwnedFd,
}

impl Terminal {
    fn new(command: &mut Command) -> Result<Terminal> {
        let (mut master, mut slave) = (-1, -1);
        let null = std::ptr::null_mut();
        // SAFETY: both are writable; no name, settings or size are given.
        let result =
            unsafe { libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()) };
        check(result)?;
        // SAFETY: openpty(3) has just opened them for us.
        let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        // SAFETY: no pointers. The child must not keep the other side open.
        unsafe { libc::fcntl(master.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        command.stdin(Stdio::from(slave));
        // SAFETY: system calls only; the terminal is descriptor 0 by then.
        unsafe {
            command.pre_exec(|| {
                check(libc::setsid())?;
                check(libc::ioctl(0, libc::TIOCSCTTY, 0))
            })
        };
        Ok(Terminal { master })
    }

    fn type_in(&self, byte: u8) {
        // SAFETY: one byte is readable.
        unsafe { libc::write(self.master.as_raw_fd(), (&raw const byte).cast(), 1) };
    }
}

struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    first: bool,
    terminal: Option<Terminal>,
}

#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    /// As a shell has it: 128+N for signal N.
    status: i32,
    out: String,
    err: String,
}

impl Running {
    /// The init itself: under unshare it is the child's child.
    fn pid(&self) -> Result<i32> {
        let pid = i32::try_from(self.child.id())?;
        if !self.first {
            return Ok(pid);
        }
        until("unshare has no child", || children(pid).ok()?.first().copied())
    }

    /// The program that the init has started.
    fn program(&self) -> Result<i32> {
        let pid = self.pid()?;
        until("the init has no child", || children(pid).ok()?.first().copied())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let _guard = Guard::new(self.child.id());
        self.lines.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the output ended with {line:?}");
        Ok(line.trim_end().to_owned())
    }

    fn wait_for(&mut self, wanted: &str) -> Result<()> {
        while self.line()? != wanted {}
        Ok(())
    }

    fn send(&self, signal: i32) -> Result<()> {
        kill(self.pid()?, signal)
    }

    /// Sends a signal and says which have arrived at the program.
    fn arrives(&mut self, signal: i32) -> Result<Vec<String>> {
        self.send(signal)?;
        self.send(MARKER)?;
        let mut seen = Vec::new();
        loop {
            let line = self.line()?;
            if line == MARKER.to_string() {
                return Ok(seen);
            }
            seen.push(line);
        }
    }

    fn end(mut self) -> Result<Outcome> {
        let _guard = Guard::new(self.child.id());
        let mut out = String::new();
        self.lines.read_to_string(&mut out)?;
        let mut err = String::new();
        self.child.stderr.take().context("no stderr")?.read_to_string(&mut err)?;
        let status = self.child.wait()?;
        let status = status.code().or(status.signal().map(|signal| signal + 128)).context("no status")?;
        Ok(Outcome { status, out: plain(&out), err: plain(&err) })
    }

    fn kill(mut self) -> Result<()> {
        if let Ok(pid) = self.pid() {
            for child in children(pid).unwrap_or_default() {
                kill(child, libc::SIGKILL)?;
            }
            kill(pid, libc::SIGKILL)?;
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// Kills a process that takes for ever.
struct Guard {
    _alive: std::sync::mpsc::Sender<()>,
}

impl Guard {
    fn new(pid: u32) -> Guard {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            if receiver.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                for child in children(pid as i32).unwrap_or_default() {
                    let _ = kill(child, libc::SIGKILL);
                }
                let _ = kill(pid as i32, libc::SIGKILL);
            }
        });
        Guard { _alive: sender }
    }
}

fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::kill(pid, signal) }).with_context(|| format!("kill {pid} {signal}"))
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        ensure!(Instant::now() < give_up, "{what}, however long we wait");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn children(pid: i32) -> Result<Vec<i32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text.split_whitespace().filter_map(|word| word.parse().ok()).collect())
}

/// A field of /proc/PID/stat behind the name: 0 is the state, 2 the group, 3 the
/// session, 5 the terminal's foreground group.
fn stat(pid: i32, field: usize) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.split(' ').nth(field).map(str::to_owned)
}

fn until_state(pid: i32, state: &str) -> Result<()> {
    until(&format!("{pid} is not {state}"), || (stat(pid, 0)? == state).then_some(()))
}

/// Until it has done what it was sent and waits for more.
fn until_idle(pid: i32) -> Result<()> {
    let pending = |status: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    until(&format!("{pid} is busy"), || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        (pending(&status)? == 0 && stat(pid, 0)? == "S").then_some(())
    })
}

/// Without the pids in it.
fn plain(text: &str) -> String {
    const BEFORE: [&str; 7] = ["tini (", "pid '", "pid: '", "pid=", "PID ", "catatonit:", "pid1 ("];
    let mut plain = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if next.is_ascii_digit() && BEFORE.iter().any(|before| plain.ends_with(before)) {
            plain.push('#');
            rest = rest.trim_start_matches(|next: char| next.is_ascii_digit());
        } else {
            plain.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    plain
}

/// The same under both, as whom and whichever PID they are.
#[track_caller]
fn same(inits: &Inits, scene: &Scene) {
    for first in [false, true] {
        let scene = Scene { first, ..scene.clone() };
        let [theirs, ours] = inits.both().map(|directory| scene.outcome(directory).expect("it runs"));
        assert_eq!(
            ours, theirs,
            "{} {:?} {:?}, PID 1: {first}",
            scene.name, scene.arguments, scene.environment
        );
    }
}

#[test]
fn options_and_their_mistakes_are_theirs() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let cases: [(&str, &[&str]); 78] = [
        ("tini", &[]),
        ("tini", &["-h"]),
        ("tini", &["-vh"]),
        ("tini", &["--version"]),
        ("tini", &["--version", "true"]),
        ("tini", &["--help"]),
        ("tini", &["-x"]),
        ("tini", &["-sx", "true"]),
        ("tini", &["-e"]),
        ("tini", &["-p"]),
        ("tini", &["--"]),
        ("tini", &["-s", "--", "true"]),
        ("tini", &["-s", "true"]),
        ("tini", &["true"]),
        ("tini", &["--", "sh", "-c", "exit 3"]),
        ("tini", &["-s", "--", "sh", "-c", "kill -9 $$"]),
        ("tini", &["-s", "echo", "-v", "a"]),
        ("tini", &["echo", "a", "-s", "--", "-x", "b"]),
        ("tini", &["-g", "echo", "-", "a"]),
        ("tini", &["-sw", "true"]),
        ("tini", &["-v", "true"]),
        ("tini", &["-svv", "true"]),
        ("tini", &["-svvv", "--", "sh", "-c", "exit 4"]),
        ("tini", &["-svvvv", "true"]),
        ("tini", &["-s", "nosuch"]),
        ("tini", &["-s", "/nosuch/program"]),
        ("tini", &["-s", "/etc/passwd"]),
        ("tini", &["-s", "/"]),
        ("tini", &["-s", ""]),
        ("tini", &["-s", "-p", "SIGTERM", "true"]),
        ("tini", &["-s", "-pSIGKILL", "true"]),
        ("tini", &["-p", "TERM", "true"]),
        ("tini", &["-p", "sigterm", "true"]),
        ("tini", &["-p", "15", "true"]),
        ("tini", &["-p", "SIGPWR", "true"]),
        ("tini", &["-p", "SIGRTMIN", "true"]),
        ("tini", &["-p", "", "true"]),
        ("tini", &["-s", "-e", "3", "--", "sh", "-c", "exit 3"]),
        ("tini", &["-s", "-e3", "-e", "137", "--", "sh", "-c", "kill -9 $$"]),
        ("tini", &["-s", "-e", "", "true"]),
        ("tini", &["-s", "-e", " 5", "--", "sh", "-c", "exit 5"]),
        ("tini", &["-s", "-e", "+255", "--", "sh", "-c", "exit 255"]),
        ("tini", &["-e", "5 ", "true"]),
        ("tini", &["-e", "0x5", "true"]),
        ("tini", &["-e", "256", "true"]),
        ("tini", &["-e", "-1", "true"]),
        ("tini", &["-e", "99999999999999999999", "true"]),
        ("dumb-init", &[]),
        ("dumb-init", &["-h"]),
        ("dumb-init", &["--help"]),
        ("dumb-init", &["-V"]),
        ("dumb-init", &["--version"]),
        ("dumb-init", &["-x"]),
        ("dumb-init", &["--foo", "true"]),
        ("dumb-init", &["--single-child=x", "true"]),
        ("dumb-init", &["--si", "true"]),
        ("dumb-init", &["-r"]),
        ("dumb-init", &["--rewrite"]),
        ("dumb-init", &["-r", "15", "true"]),
        ("dumb-init", &["-r", "32:1", "true"]),
        ("dumb-init", &["-r", "0:1", "true"]),
        ("dumb-init", &["-r", "1:32", "true"]),
        ("dumb-init", &["-r", "TERM:INT", "true"]),
        ("dumb-init", &["--rewrite=15:2junk", "true"]),
        ("dumb-init", &["echo", "-h"]),
        ("dumb-init", &["--", "sh", "-c", "exit 3"]),
        ("dumb-init", &["sh", "-c", "kill -9 $$"]),
        ("dumb-init", &["nosuch"]),
        ("dumb-init", &["-c", "/etc/passwd"]),
        ("catatonit", &[]),
        ("catatonit", &["-V"]),
        ("catatonit", &["--version"]),
        ("catatonit", &["--vers"]),
        ("catatonit", &["-x"]),
        ("catatonit", &["--foo", "true"]),
        ("catatonit", &["echo", "a", "-g", "b"]),
        ("catatonit", &["--", "sh", "-c", "kill -9 $$"]),
        ("catatonit", &["nosuch"]),
    ];
    for (name, arguments) in cases {
        same(&inits, &scene(name, arguments));
    }
    Ok(())
}

#[test]
fn variables_mean_what_they_do_there() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let cases: [(&str, &[(&str, &str)], &[&str]); 16] = [
        ("tini", &[("TINI_SUBREAPER", "")], &["true"]),
        ("tini", &[("TINI_VERBOSITY", "0")], &["true"]),
        ("tini", &[("TINI_VERBOSITY", "3")], &["-s", "true"]),
        ("tini", &[("TINI_VERBOSITY", " 2x")], &["-s", "-vvv", "true"]),
        ("tini", &[("TINI_VERBOSITY", "x")], &["-vvv", "true"]),
        ("tini", &[("TINI_VERBOSITY", "-1")], &["-s", "true"]),
        ("tini", &[("TINI_VERBOSITY", "0")], &["nosuch"]),
        ("tini", &[("POSIXLY_CORRECT", "")], &["echo", "-s"]),
        ("tini", &[("TINI_KILL_PROCESS_GROUP", "")], &["-s", "true"]),
        ("dumb-init", &[("DUMB_INIT_DEBUG", "2")], &["true"]),
        ("dumb-init", &[("DUMB_INIT_DEBUG", "11")], &["true"]),
        ("dumb-init", &[("DUMB_INIT_SETSID", "0")], &[PROBE, "state"]),
        ("dumb-init", &[("DUMB_INIT_SETSID", "00")], &[PROBE, "state"]),
        ("dumb-init", &[("DUMB_INIT_DEBUG", "1")], &["-c", "--", "sh", "-c", "exit 5"]),
        ("catatonit", &[("CATATONIT_LOG", "")], &["-V"]),
        ("catatonit", &[("POSIXLY_CORRECT", "")], &["echo", "-g"]),
    ];
    for (name, environment, arguments) in cases {
        same(&inits, &Scene { environment: environment.to_vec(), ..scene(name, arguments) });
    }
    Ok(())
}

/// dumb-init's own messages, less those that its parent and its child say in
/// whichever order, and libc's word for ENOTTY.
#[test]
fn dumb_init_tells_of_the_same_things() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for arguments in [["-v", "sh", "-c", "exit 6"], ["-v", "sh", "-c", "kill -9 $$"]] {
        let scene = scene("dumb-init", &arguments);
        let [theirs, ours] = inits.both().map(|directory| scene.outcome(directory).expect("it runs"));
        assert_eq!(ours.status, theirs.status);
        let sorted = |outcome: &Outcome| {
            let text = outcome.err.replace("Inappropriate ioctl for device", "Not a terminal");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&ours), sorted(&theirs));
    }
    Ok(())
}

#[test]
fn catatonit_is_told_and_tells_in_the_same_places() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let help = scene("catatonit", &["-h"]);
    let debug = Scene { environment: vec![("CATATONIT_DEBUG", "")], ..scene("catatonit", &["true"]) };
    let licence = scene("catatonit", &["-L"]);
    for directory in inits.both() {
        let help = help.outcome(directory)?;
        assert_eq!((help.status, help.out.as_str()), (0, ""));
        assert!(help.err.starts_with("usage: catatonit [-ghLPV] [--] <progname>"), "{}", help.err);
        for flag in ["  -g ", "  -h ", "  -L ", "  -P ", "  -V, --version "] {
            assert!(help.err.contains(flag), "{flag} in {}", help.err);
        }
        let debug = debug.outcome(directory)?;
        assert!(debug.err.lines().any(|line| line.starts_with("DEBUG (catatonit:#): ")), "{}", debug.err);
        let licence = licence.outcome(directory)?;
        assert!(licence.status == 0 && licence.err.is_empty() && !licence.out.is_empty());
    }
    Ok(())
}

/// What the child finds: its group, session, terminal, signals, directory, descriptors.
#[test]
fn the_child_finds_the_same() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let cases: [(&str, &[&str]); 6] = [
        ("tini", &["-s", "--"]),
        ("tini", &["-sg", "--"]),
        ("dumb-init", &[]),
        ("dumb-init", &["-c"]),
        ("catatonit", &["--"]),
        ("catatonit", &["-g", "--"]),
    ];
    for (name, flags) in cases {
        for (terminal, odd_signals) in [(false, false), (true, false), (false, true)] {
            let arguments: Vec<&str> = flags.iter().copied().chain([PROBE, "state"]).collect();
            let environment = vec![("LISTEN_PID", "1"), ("COLOUR", "green")];
            let scene = Scene {
                terminal,
                odd_signals,
                first: true,
                descriptor: true,
                environment,
                ..scene(name, &arguments)
            };
            // They hang for ever.
            let theirs_hang = odd_signals && name != "dumb-init";
            let theirs = if theirs_hang {
                let mut running = scene.start(&inits.debian)?;
                let mut out = String::new();
                while !out.contains("core: ") {
                    writeln!(out, "{}", running.line()?)?;
                }
                running.kill()?;
                Outcome { status: 0, out, err: String::new() }
            } else {
                scene.outcome(&inits.debian)?
            };
            let mut ours = scene.outcome(inits.ours())?;
            if odd_signals && name == "dumb-init" {
                // It forgets what was ignored, which breaks nohup; we do not.
                let ignored =
                    ours.out.lines().find(|line| line.starts_with("SigIgn")).unwrap_or_default().to_owned();
                assert!(ignored.ends_with("0000000000010201"), "{ignored}");
                ours.out = ours.out.replace(&ignored, "SigIgn:\t0000000000000000");
            }
            assert_eq!(ours, theirs, "{name} {flags:?}, terminal: {terminal}, odd signals: {odd_signals}");
        }
    }
    Ok(())
}

/// Every signal there is, as PID 1, where none kills the init.
#[test]
fn signals_arrive_as_theirs_do() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let cases: [(&str, &[&str]); 7] = [
        ("tini", &["-s", "--"]),
        ("tini", &["-g", "--"]),
        ("dumb-init", &["-c"]),
        ("dumb-init", &[]),
        ("dumb-init", &["-r", "15:2", "-r", "2:0", "-r", "28:1", "-r", "20:12", "-r", "21:10", "-r", "22:3"]),
        ("catatonit", &["--"]),
        ("catatonit", &["-g", "--"]),
    ];
    for (name, flags) in cases {
        let arguments: Vec<&str> = flags.iter().copied().chain([PROBE, "signals"]).collect();
        let scene = Scene { first: true, ..scene(name, &arguments) };
        let stops = name == "dumb-init" && flags.is_empty();
        let mut all = Vec::new();
        for directory in inits.both() {
            let mut running = scene.start(directory)?;
            running.wait_for("ready")?;
            let mut seen = Vec::new();
            // 32 and 33 are libc's own; KILL and STOP come before any program, CHLD is their own.
            for signal in (1..MARKER).filter(|signal| ![9, 17, 19, 32, 33].contains(signal)) {
                if stops && matches!(signal, 20..=22) {
                    // Arrives as STOP.
                    running.send(signal)?;
                    until_state(running.program()?, "T")?;
                    assert_eq!(running.arrives(18)?, ["18"], "{name} {signal}");
                } else {
                    seen.push((signal, running.arrives(signal)?));
                }
            }
            running.kill()?;
            all.push(seen);
        }
        assert_eq!(all[1], all[0], "{name} {flags:?}");
    }
    Ok(())
}

/// Elsewhere than as PID 1 some signals end the init, and some stop it.
#[test]
fn signals_do_to_the_init_what_they_do_there() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let cases: [(&str, &[&str]); 4] =
        [("tini", &["-s", "--"]), ("dumb-init", &[]), ("dumb-init", &["-c"]), ("catatonit", &["--"])];
    for (name, flags) in cases {
        let arguments: Vec<&str> = flags.iter().copied().chain([PROBE, "signals"]).collect();
        let scene = scene(name, &arguments);
        for signal in [4, 5, 6, 7, 8, 11, 31, 20, 21, 22] {
            let mut all = Vec::new();
            for directory in inits.both() {
                let mut running = scene.start(directory)?;
                running.wait_for("ready")?;
                let (pid, program) = (running.pid()?, running.program()?);
                running.send(signal)?;
                let ends = name != "dumb-init" && signal < 20 || signal == 31 && name != "dumb-init";
                let seen = if ends {
                    kill(program, libc::SIGKILL).context("the program outlives its init")?;
                    format!("ended with {}", running.end()?.status)
                } else if name == "dumb-init" && signal >= 20 && signal < 30 {
                    until_state(pid, "T")?;
                    let stopped = stat(program, 0) == Some("T".to_owned());
                    kill(pid, libc::SIGCONT)?;
                    let seen = running.arrives(1)?;
                    running.kill()?;
                    format!("stopped, program stopped: {stopped}, then {seen:?}")
                } else {
                    let seen = running.arrives(1)?;
                    running.kill()?;
                    format!("{seen:?}")
                };
                all.push(seen);
            }
            assert_eq!(all[1], all[0], "{name} {flags:?} {signal}");
        }
    }
    Ok(())
}

/// To whom a signal goes: the program, or its group too.
#[test]
fn a_signal_reaches_the_same_processes() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let cases: [(&str, &[&str], &[(&str, &str)]); 7] = [
        ("tini", &["-s", "--"], &[]),
        ("tini", &["-sg", "--"], &[]),
        ("tini", &["-s", "--"], &[("TINI_KILL_PROCESS_GROUP", "")]),
        ("dumb-init", &["--"], &[]),
        ("dumb-init", &["-c"], &[]),
        ("catatonit", &["--"], &[]),
        ("catatonit", &["-g", "--"], &[]),
    ];
    // The shell is the program, and heeds nothing; who else is in its group says what comes.
    let script = format!("trap '' USR1; {PROBE} signals & {PROBE} signals; true");
    for (name, flags, environment) in cases {
        let arguments: Vec<&str> = flags.iter().copied().chain(["sh", "-c", &script]).collect();
        let scene = Scene { environment: environment.to_vec(), first: true, ..scene(name, &arguments) };
        let mut all = Vec::new();
        for directory in inits.both() {
            let mut running = scene.start(directory)?;
            running.wait_for("ready")?;
            running.wait_for("ready")?;
            running.send(libc::SIGUSR1)?;
            until_idle(running.pid()?)?;
            for pid in children(running.program()?)? {
                kill(pid, MARKER)?;
            }
            let mut seen = Vec::new();
            while seen.iter().filter(|line| *line == "64").count() < 2 {
                seen.push(running.line()?);
            }
            seen.sort();
            running.kill()?;
            all.push(seen);
        }
        assert_eq!(all[1], all[0], "{name} {flags:?} {environment:?}");
        let reached = if flags.contains(&"-c")
            || matches!(*flags, ["-s", "--"] if environment.is_empty())
            || (name == "catatonit" && flags.len() == 1)
        {
            2
        } else {
            4
        };
        assert_eq!(all[1].len(), reached, "{name} {flags:?} {environment:?}");
    }
    Ok(())
}
