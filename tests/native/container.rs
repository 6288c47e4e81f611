//! `corm init` against tini, dumb-init and catatonit: the same scenario under
//! Debian's program and under corm of that name, and the same outcome.
//!
//! These run on this computer, in pid namespaces of their own where it matters,
//! and need no machine. Where corm is
//! better on purpose (`docs/container.md`), it stands alone and is told what to do.

#[path = "container/further.rs"]
mod further;

use anyhow::{Context, Result, ensure};
use corm_qemu::{Arch, device, inits};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const NAMES: [&str; 3] = ["tini", "dumb-init", "catatonit"];
const PROBE: &str = env!("CARGO_BIN_EXE_probe");

/// Nothing takes this long; a test that would hang fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// The last signal: everything that was sent before it has come when it comes.
const MARKER: i32 = 64;

type Variables<'a> = &'a [(&'a str, &'a str)];

struct Inits {
    theirs: tempfile::TempDir,
    ours: tempfile::TempDir,
}

impl Inits {
    /// None where corm is not built for this computer.
    fn new() -> Result<Option<Inits>> {
        let Some(arch) = Arch::ALL.into_iter().find(|arch| arch.is_native()) else {
            println!("skipped: no corm for this computer");
            return Ok(None);
        };
        let ours = tempfile::tempdir()?;
        let corm = device::release(arch)?;
        for name in NAMES.into_iter().chain(["tini-static", "docker-init", "corm"]) {
            std::os::unix::fs::symlink(&corm, ours.path().join(name))?;
        }
        Ok(Some(Inits { theirs: further::named(&inits::directory(arch)?)?, ours }))
    }

    /// Debian's, and ours.
    fn both(&self) -> [&Path; 2] {
        [self.theirs(), self.ours()]
    }

    fn theirs(&self) -> &Path {
        self.theirs.path()
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
    /// Without $PATH.
    no_path: bool,
    /// Where it starts, instead of /tmp.
    directory: Option<&'a Path>,
    /// As this user, without groups.
    user: Option<u32>,
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
        command.args(&self.arguments).env_clear();
        if !self.no_path {
            command.env("PATH", "/usr/bin:/bin");
        }
        command
            .envs(self.environment.iter().copied())
            .current_dir(self.directory.unwrap_or(Path::new("/tmp")))
            .stdin(Stdio::piped());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        if self.odd_signals {
            // SAFETY: system calls only.
            unsafe { command.pre_exec(odd_signals) };
        }
        let (descriptor, odd_signals) = (self.descriptor, self.odd_signals);
        // SAFETY: system calls only. The descriptors and ignored signals (nohup(1)) that we were
        // started with are nobody's business, and std reports a failed start through a
        // descriptor, which may close at that.
        unsafe {
            command.pre_exec(move || {
                if !odd_signals {
                    libc::signal(libc::SIGHUP, libc::SIG_DFL);
                }
                libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
                if descriptor { check(libc::dup2(0, 9)) } else { Ok(()) }
            })
        };
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
        // A shell takes the terminal for its own only if that is its stderr, too.
        command.stdin(Stdio::from(slave.try_clone()?)).stderr(Stdio::from(slave));
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
        drop(self.child.stdin.take());
        let mut out = String::new();
        self.lines.read_to_string(&mut out)?;
        let mut err = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut err)?;
        }
        let status = self.child.wait()?;
        let status = status.code().or(status.signal().map(|signal| signal + 128)).context("no status")?;
        Ok(Outcome { status, out: plain(&out), err: plain(&err) })
    }

    fn kill(mut self) -> Result<()> {
        if let Ok(pid) = self.pid() {
            // An init whose child is dead may be faster than we are.
            for child in children(pid).unwrap_or_default() {
                let _ = kill(child, libc::SIGKILL);
            }
            let _ = kill(pid, libc::SIGKILL);
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
    let cases: [(&str, &[&str]); 81] = [
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
        ("tini", &["-s", "true", "-v", "a"]),
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
        ("dumb-init", &["--ver", "true"]),
        ("dumb-init", &["--v=3", "true"]),
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
        ("catatonit", &["--=x", "true"]),
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
    let cases: [(&str, Variables, &[&str]); 15] = [
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
    let all: [&[&str]; 4] = [
        &["-v", "sh", "-c", "exit 6"],
        &["-v", "sh", "-c", "kill -9 $$"],
        &["-vc", "sh", "-c", "exit 6"],
        &["-vcr", "15:0", "sh", "-c", "exit 6"],
    ];
    for arguments in all {
        let scene = scene("dumb-init", arguments);
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
                // unshare and the shell would set SIGCHLD right.
                first: !odd_signals,
                descriptor: true,
                environment,
                ..scene(name, &arguments)
            };
            // They hang for ever.
            let theirs_hang = odd_signals && name != "dumb-init";
            let theirs = if theirs_hang {
                let mut running = scene.start(inits.theirs())?;
                let mut out = String::new();
                while !out.contains("core: ") {
                    writeln!(out, "{}", running.line()?)?;
                }
                running.kill()?;
                Outcome { status: 0, out, err: String::new() }
            } else {
                scene.outcome(inits.theirs())?
            };
            let mut ours = scene.outcome(inits.ours())?;
            if odd_signals && name == "dumb-init" {
                // It forgets what was ignored, which breaks nohup; we do not.
                let ignored =
                    ours.out.lines().find(|line| line.starts_with("SigIgn")).unwrap_or_default().to_owned();
                let mask = u64::from_str_radix(ignored.trim_start_matches("SigIgn:").trim(), 16)?;
                assert_eq!(mask & 0x10201, 0x10201, "{ignored}");
                // The rest of the mask is whatever the test itself was started with.
                let theirs = theirs.out.lines().find(|line| line.starts_with("SigIgn")).unwrap_or_default();
                ours.out = ours.out.replace(&ignored, theirs);
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
                    // It stops itself next, in vain as PID 1; but that takes away a CONT that waits.
                    until_idle(running.pid()?)?;
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
                let ends = name != "dumb-init" && !(20..=22).contains(&signal);
                let seen = if ends {
                    kill(program, libc::SIGKILL).context("the program outlives its init")?;
                    format!("ended with {}", running.end()?.status)
                } else if name == "dumb-init" && (20..=22).contains(&signal) {
                    until_state(pid, "T")?;
                    // CONT takes away stop signals that nobody has read yet.
                    if flags.is_empty() { until_state(program, "T") } else { until_idle(program) }?;
                    let stopped = stat(program, 0) == Some("T".to_owned());
                    kill(pid, libc::SIGCONT)?;
                    until_idle(pid)?;
                    until_idle(program)?;
                    let seen = running.arrives(1)?;
                    running.kill()?;
                    format!("stopped, program stopped: {stopped}, then {seen:?}")
                } else {
                    until_idle(pid)?;
                    until_idle(program)?;
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
    let cases: [(&str, &[&str], Variables); 7] = [
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

/// Waits until nobody below the init is left but its program, living or dead.
fn until_reaped(running: &Running) -> Result<()> {
    let (pid, program) = (running.pid()?, running.program()?);
    until("zombies are left", || (children(pid).ok()? == [program]).then_some(()))
}

/// Kilobytes that an idle init may have, its program's pages included.
const SMALL: u64 = 48;

/// Kilobytes of this kind.
fn memory(pid: i32, kind: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(kind)).context("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Those that are the process's own. (The program's pages are dirty and private by turns: it was copied just now.)
fn own_memory(pid: i32) -> Result<u64> {
    memory(pid, "Anonymous:")
}

#[test]
fn twenty_thousand_orphans_are_reaped_in_the_same_memory() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let program = [PROBE, "orphans", "100", "orphans", "20000", "wait"];
    for (name, flags) in [
        ("tini", ["-s", "--"].as_slice()),
        ("catatonit", &["--"]),
        ("corm", &["init", "-w", "--grace", "10s", "--"]),
    ] {
        let arguments: Vec<&str> = flags.iter().copied().chain(program).collect();
        let mut running = Scene { first: name == "tini", ..scene(name, &arguments) }.start(inits.ours())?;
        if name == "corm" {
            // It tells of each, on a pipe that somebody has to read.
            let mut err = running.child.stderr.take().context("no stderr")?;
            std::thread::spawn(move || std::io::copy(&mut err, &mut std::io::sink()));
        }
        running.wait_for("orphaned")?;
        let before = own_memory(running.pid()?)?;
        running.wait_for("orphaned")?;
        until_reaped(&running)?;
        assert_eq!(own_memory(running.pid()?)?, before, "kB of {name}");
        running.kill()?;
    }
    Ok(())
}

#[test]
fn orphans_are_reported_as_tini_reports_them() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for flags in [["-sw", "--"], ["-s", "--"]] {
        // The program is not done before its orphans are reaped: each is, once it is reported.
        let arguments: Vec<&str> = flags.into_iter().chain([PROBE, "orphans", "5", "wait"]).collect();
        let mut all = Vec::new();
        for directory in inits.both() {
            let mut running = Scene { first: true, ..scene("tini", &arguments) }.start(directory)?;
            running.wait_for("orphaned")?;
            until_reaped(&running)?;
            kill(running.program()?, libc::SIGKILL)?;
            all.push(running.end()?);
        }
        assert_eq!(all[1], all[0]);
        let reported = if flags[0] == "-sw" { 5 } else { 0 };
        assert_eq!(all[1].err.matches("Reaped zombie process with pid=#").count(), reported);
        assert_eq!(all[1].status, 137);
    }
    Ok(())
}

/// Subreapers on purpose, by default, and not at all.
#[test]
fn who_adopts_orphans_is_as_there() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let cases: [(&str, &[&str], bool); 5] = [
        ("tini", &["--"], false),
        ("tini", &["-s", "--"], true),
        ("dumb-init", &["--"], false),
        ("dumb-init", &["-c"], false),
        ("catatonit", &["--"], true),
    ];
    for (name, flags, adopts) in cases {
        // A process that outlives its parent, and says who that was.
        let script = format!("sh -c '{PROBE} wait & echo $! $$'; read line");
        let arguments: Vec<&str> = flags.iter().copied().chain(["sh", "-c", &script]).collect();
        for directory in inits.both() {
            let mut running = scene(name, &arguments).start(directory)?;
            let line = running.line()?;
            let (orphan, before) = line.split_once(' ').context("two pids")?;
            let orphan: i32 = orphan.parse()?;
            let init = running.pid()?;
            until("its parent lives on", || (stat(orphan, 1)? != before).then_some(()))?;
            let parent: i32 = stat(orphan, 1).context("it is gone")?.parse()?;
            kill(orphan, libc::SIGKILL)?;
            assert_eq!(parent == init, adopts, "{name} {flags:?}");
            running.kill()?;
        }
    }
    Ok(())
}

/// Programs that make it hard for an init.
#[test]
fn difficult_children_end_as_they_do_there() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let names: [(&str, &[&str]); 5] = [
        ("tini", &["-s", "--"]),
        ("tini", &["-sg", "--"]),
        ("dumb-init", &[]),
        ("dumb-init", &["-c"]),
        ("catatonit", &["--"]),
    ];
    type Act = fn(&mut Running) -> Result<String>;
    let scenarios: [(&str, &[&str], Act); 5] = [
        ("ignores TERM", &["ignore", "15", "ready", "wait"], |running| {
            running.wait_for("ready")?;
            running.send(libc::SIGTERM)?;
            until_idle(running.pid()?)?;
            until_idle(running.program()?)?;
            running.send(libc::SIGUSR2)?;
            Ok(String::new())
        }),
        ("stops itself", &["ready", "stop", "on", "exit", "3"], |running| {
            running.wait_for("ready")?;
            until_state(running.program()?, "T")?;
            // Not taken for an end.
            until_idle(running.pid()?)?;
            running.send(libc::SIGCONT)?;
            running.line()
        }),
        ("closes its stdio", &["ready", "close", "exit", "5"], Running::line),
        ("changes its group", &["regroup", "ready", "signals"], |running| {
            running.wait_for("ready")?;
            running.wait_for("ready")?;
            running.send(libc::SIGUSR1)?;
            until_idle(running.pid()?)?;
            let program = running.program()?;
            kill(program, MARKER)?;
            let mut seen = Vec::new();
            while seen.last().is_none_or(|line| line != "64") {
                seen.push(running.line()?);
            }
            kill(program, libc::SIGKILL)?;
            Ok(format!("{seen:?}"))
        }),
        ("forks and leaves", &["leave"], |_| Ok(String::new())),
    ];
    for (name, flags) in names {
        for (what, words, act) in &scenarios {
            let arguments: Vec<&str> = flags.iter().chain(&[PROBE]).chain(*words).copied().collect();
            let mut all = Vec::new();
            for directory in inits.both() {
                let mut running = Scene { first: true, ..scene(name, &arguments) }.start(directory)?;
                let seen = act(&mut running).with_context(|| format!("{name} {flags:?}: {what}"))?;
                let outcome = running.end()?;
                // Whoever left may have had the time to say so, before its namespace ended.
                all.push((seen, outcome.status, outcome.err));
            }
            assert_eq!(all[1], all[0], "{name} {flags:?}: {what}");
        }
    }
    Ok(())
}

/// What becomes of the others when the program ends: dumb-init alone tells them.
#[test]
fn those_that_are_left_get_what_they_get_there() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let cases: [(&str, &[&str], bool); 5] = [
        ("tini", &["-s", "--"], false),
        ("tini", &["-sg", "--"], false),
        ("dumb-init", &[], true),
        ("dumb-init", &["-c"], false),
        ("catatonit", &["-g", "--"], false),
    ];
    for (name, flags, told) in cases {
        let script = format!("{PROBE} signals & read line; exit 9");
        let arguments: Vec<&str> = flags.iter().copied().chain(["sh", "-c", &script]).collect();
        for directory in inits.both() {
            let mut running = scene(name, &arguments).start(directory)?;
            running.wait_for("ready")?;
            drop(running.child.stdin.take());
            let status = running.child.wait()?;
            assert_eq!(status.code(), Some(9), "{name} {flags:?}");
            // Still there, and it says what it got; its pid is in nobody's list any more.
            let probe = last_probe(&running)?;
            kill(probe, MARKER)?;
            let mut seen = Vec::new();
            while seen.last().is_none_or(|line| line != "64") {
                seen.push(running.line()?);
            }
            kill(probe, libc::SIGKILL)?;
            assert_eq!(seen.contains(&"15".to_owned()), told, "{name} {flags:?}: {seen:?}");
        }
    }
    Ok(())
}

/// The process that still holds the other end of this one's output.
fn last_probe(running: &Running) -> Result<i32> {
    let ours = fs::read_link(format!("/proc/self/fd/{}", running.lines.get_ref().as_raw_fd()))?;
    let own = std::process::id() as i32;
    until("nobody holds the pipe", || {
        fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let theirs = fs::read_link(format!("/proc/{pid}/fd/1")).ok()?;
            (theirs == ours && pid != own).then_some(pid)
        })
    })
}

/// tini's `-p`: what it gets when its parent dies, and passes on.
#[test]
fn the_parents_death_is_a_signal() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let cases = [("tini", vec!["-s", "-p", "SIGUSR1", "--"]), ("corm", vec!["init", "-p", "USR1", "--"])];
    for (name, flags) in cases {
        for directory in inits.both() {
            if name == "corm" && directory == inits.theirs() {
                continue;
            }
            let init = directory.join(name);
            let init = init.to_str().context("a path")?;
            // The shell is the parent; it ends when it is told to.
            let words = flags.join(" ");
            let script = format!("{init} {words} {PROBE} signals & wait");
            let mut running = scene_at("sh", &["-c", &script]).start(Path::new("/bin"))?;
            running.wait_for("ready")?;
            let init = running.program()?;
            let program = *children(init)?.first().context("no program")?;
            kill(running.pid()?, libc::SIGKILL)?;
            assert_eq!(running.line()?, "10", "{name}");
            kill(program, libc::SIGKILL)?;
        }
    }
    Ok(())
}

fn scene_at<'a>(name: &'a str, arguments: &[&'a str]) -> Scene<'a> {
    scene(name, arguments)
}

#[test]
fn catatonit_pauses_until_it_is_told_to_end() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for first in [false, true] {
        for signal in [libc::SIGTERM, libc::SIGINT] {
            for directory in inits.both() {
                let running = Scene { first, ..scene("catatonit", &["-P", "true"]) }.start(directory)?;
                let pid = running.pid()?;
                // Before it has blocked its signals it is not in sigtimedwait(2) or read(2).
                until("it does not pause", || {
                    let call = fs::read_to_string(format!("/proc/{pid}/wchan")).ok()?;
                    (call.contains("signal") || call.contains("sigtimedwait")).then_some(())
                })?;
                for dropped in [libc::SIGUSR1, libc::SIGHUP, libc::SIGTSTP] {
                    kill(pid, dropped)?;
                }
                until_idle(pid)?;
                kill(pid, signal)?;
                let outcome = running.end()?;
                assert_eq!((outcome.status, outcome.out, outcome.err), (0, String::new(), String::new()));
            }
        }
    }
    Ok(())
}

/// Nothing runs while nothing happens: no timer, no poll. And what it needs no more, it
/// gives back: src/device.ld has what is left in two pages.
#[test]
fn an_idle_init_sleeps_and_is_small() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for (name, flags) in
        [("tini", ["-s", "--"].as_slice()), ("dumb-init", &[]), ("catatonit", &["--"]), ("corm", &["init"])]
    {
        let arguments: Vec<&str> =
            flags.iter().copied().chain([PROBE, "ignore", "10", "ready", "wait"]).collect();
        let mut running = scene(name, &arguments).start(inits.ours())?;
        running.wait_for("ready")?;
        let pid = running.pid()?;
        until_idle(pid)?;
        ensure!(memory(pid, "Rss:")? <= SMALL, "kB of {name}: {}", memory(pid, "Rss:")?);
        // Also after it has done something.
        running.send(libc::SIGUSR1)?;
        until_idle(pid)?;
        ensure!(memory(pid, "Rss:")? <= SMALL, "kB of {name} after a signal: {}", memory(pid, "Rss:")?);
        // The call it sleeps in, and that it has no timeout: rt_sigtimedwait's third argument.
        let call = fs::read_to_string(format!("/proc/{pid}/syscall"))?;
        let words: Vec<&str> = call.split(' ').collect();
        assert_eq!(
            words.first().copied(),
            Some(libc::SYS_rt_sigtimedwait.to_string().as_str()),
            "{name}: {call}"
        );
        assert_eq!(words.get(3).copied(), Some("0x0"), "{name}: {call}");
        running.kill()?;
    }
    Ok(())
}

/// A stopped job is continued in the foreground, and the terminal comes back.
#[test]
fn under_its_own_name_it_is_a_shells_job() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let corm = inits.ours().join("corm");
    let corm = corm.to_str().context("a path")?;
    // A shell with job control: the init is stopped by what stops the program, `fg` continues both.
    let script = format!(
        "set -m; {corm} init -- {PROBE} ready terminal shares stop terminal shares exit 3; echo stopped $?; \
         fg >/dev/null; echo ended $?; {PROBE} terminal shares"
    );
    let arguments = ["-c", script.as_str()];
    let mut running = Scene { terminal: true, ..scene("bash", &arguments) }.start(Path::new("/bin"))?;
    let _guard = Guard::new(running.child.id());
    let mut seen = Vec::new();
    while seen.len() < 6 {
        seen.push(running.line()?);
    }
    assert_eq!(
        seen,
        ["ready", "foreground true", "stopped 147", "foreground true", "ended 3", "foreground true"]
    );
    assert_eq!(running.end()?.status, 0);
    Ok(())
}

/// The terminal is given back at the end, and ctrl-c reaches the program.
#[test]
fn a_terminal_is_lent_not_given() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for name in ["tini", "catatonit", "corm"] {
        let init = inits.ours().join(name);
        let init = format!("{} {}", init.display(), if name == "corm" { "init" } else { "--" });
        let script = format!("{init} {PROBE} terminal ready wait; echo ended $?; {PROBE} shares");
        let arguments = ["-c", script.as_str()];
        let mut running = Scene { terminal: true, ..scene("bash", &arguments) }.start(Path::new("/bin"))?;
        running.wait_for("ready")?;
        running.terminal.as_ref().context("no terminal")?.type_in(3);
        running.wait_for("ended 130")?;
        assert_eq!(running.line()?, "foreground true", "{name}");
        running.end()?;
    }
    Ok(())
}

/// What Debian's lose or stumble over (`docs/container.md`).
#[test]
fn defects_are_not_repeated() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for name in NAMES.into_iter().chain(["docker-init"]) {
        // With SIGCHLD ignored they would wait for ever.
        let odd = Scene { odd_signals: true, first: true, ..scene(name, &["--", "sh", "-c", "exit 3"]) };
        assert_eq!(odd.outcome(inits.ours())?.status, 3, "{name}");
        // Without any stdio.
        let program = inits.ours().join(name);
        let closed = format!("exec {} -- sh -c 'exit 4' <&- >&- 2>&-", program.display());
        assert_eq!(scene("sh", &["-c", &closed]).outcome(Path::new("/bin"))?.status, 4, "{name}");
        // A script without "#!" is the shell's.
        let script = inits.ours().join("script");
        fs::write(&script, "exit $1\n")?;
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let path = script.to_str().context("a path")?;
        assert_eq!(scene(name, &["--", path, "6"]).outcome(inits.ours())?.status, 6, "{name}");
    }
    Ok(())
}

#[test]
fn its_own_name_has_its_own_options() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let run = |arguments: &[&str]| -> Result<Outcome> {
        let arguments: Vec<&str> = ["init"].iter().chain(arguments).copied().collect();
        Scene { environment: vec![("COLOUR", "green")], ..scene("corm", &arguments) }.outcome(inits.ours())
    };
    let state = |flags: &[&str]| -> Result<String> { Ok(run(&[flags, &[PROBE, "state"]].concat())?.out) };
    let has = |text: &str, line: &str| assert!(text.lines().any(|other| other == line), "{line} in {text}");
    has(&state(&[])?, "leads group: true, session: false");
    has(&state(&[])?, "COLOUR=Ok(\"green\")");
    has(&state(&["--session"])?, "leads group: true, session: true");
    has(&state(&["--single-child"])?, "leads group: false, session: false");
    for signal in ["KILL", "SIGSTOP", "9", "CHLD", "SEGV", "TTIN"] {
        let outcome = run(&["-r", &format!("{signal}:TERM"), "true"])?;
        assert_eq!(outcome.status, 64, "{signal}");
        assert!(
            outcome.err.contains(&format!("-r {signal}:TERM: SIG")) && !outcome.err.contains("SIGSIG"),
            "{signal}: {}",
            outcome.err
        );
    }
    let ambiguous = "option '--gr' is ambiguous; possibilities: '--group' '--grace'\n";
    assert!(run(&["--gr", "true"])?.err.contains(ambiguous));
    has(&state(&["--env-clear"])?, "COLOUR=Err(NotPresent)");
    let other = state(&["--user", "1234:5678", "-n", "--rlimit", "nofile=100:200", "-l", "core=0"])?;
    has(&other, "Uid:\t1234\t1234\t1234\t1234");
    has(&other, "Gid:\t5678\t5678\t5678\t5678");
    has(&other, "NoNewPrivs:\t1");
    has(&other, "files: 100 of 200");
    has(&other, "core: 0 of 0");
    assert_eq!(run(&["-e", "3", "sh", "-c", "exit 3"])?.status, 0);
    assert_eq!(run(&["--success=143", "sh", "-c", "kill $$"])?.status, 0);
    assert_eq!(run(&["nosuch"])?.status, 127);
    assert_eq!(run(&["/etc/passwd"])?.status, 126);
    assert_eq!(run(&["--rlimit", "nofile=999999999:999999999999", "true"])?.status, 126);
    for wrong in [
        &["-x"][..],
        &["--nosuch"],
        &[],
        &["-k"],
        &["-k", "soon", "true"],
        &["-u", "root", "true"],
        &["-l", "files=1", "true"],
        &["-r", "TERM", "true"],
        &["-e", "256", "true"],
        &["-cg", "true"],
        &["-c", "--session", "true"],
    ] {
        let outcome = run(wrong)?;
        assert_eq!((outcome.status, outcome.out.as_str()), (64, ""), "{wrong:?}: {}", outcome.err);
        assert!(!outcome.err.is_empty());
    }
    let help = run(&["--help"])?;
    assert!(help.status == 0 && help.err.is_empty() && help.out.starts_with("usage: corm init [OPTION...]"));
    assert_eq!(run(&["--version"])?.out, format!("corm {}\n", env!("CARGO_PKG_VERSION")));
    Ok(())
}

#[test]
fn its_own_name_rewrites_signals_by_name() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let arguments =
        ["init", "-r", "TERM:QUIT", "--rewrite", "SIGHUP:0", "-r", "RTMIN+3:RTMIN+4", PROBE, "signals"];
    let mut running = scene("corm", &arguments).start(inits.ours())?;
    running.wait_for("ready")?;
    assert_eq!(running.arrives(libc::SIGTERM)?, ["3"]);
    assert_eq!(running.arrives(libc::SIGHUP)?, [""; 0]);
    assert_eq!(running.arrives(libc::SIGINT)?, ["2"]);
    assert_eq!(running.arrives(37)?, ["38"]);
    running.kill()
}

/// `-c` of dumb-init: nobody but the program gets a signal, wherever it is.
#[test]
fn under_its_own_name_a_signal_goes_where_the_options_say() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let script = format!("trap '' USR1; {PROBE} signals & {PROBE} signals; true");
    for (flags, reached) in [("-v", false), ("-c", false), ("-g", true), ("-S", true), ("-gS", true)] {
        let arguments = ["init", flags, "sh", "-c", &script];
        let mut running = scene("corm", &arguments).start(inits.ours())?;
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
        for pid in children(running.program()?)? {
            kill(pid, libc::SIGKILL)?;
        }
        running.kill()?;
        assert_eq!(seen.contains(&"10".to_owned()), reached, "{flags}: {seen:?}");
    }
    Ok(())
}

/// TERM, wait, KILL the rest: as PID 1 and as a subreaper.
#[test]
fn after_its_grace_nobody_is_left() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for first in [false, true] {
        // Another session, deaf to TERM; its parent ends with 9 at once.
        let script = format!("setsid {PROBE} ignore 15 ready wait & {PROBE} signals & read line; exit 9");
        let arguments = ["init", "--grace", "300ms", "sh", "-c", &script];
        let mut running = Scene { first, ..scene("corm", &arguments) }.start(inits.ours())?;
        running.wait_for("ready")?;
        running.wait_for("ready")?;
        let outcome = running.end()?;
        // The pipe has ended, so all who held it are gone; one of them said what it got.
        assert_eq!(outcome.status, 9, "PID 1: {first}");
        assert!(outcome.out.lines().any(|line| line == "15"), "PID 1: {first}: {}", outcome.out);

        // A program that overstays after TERM is killed, and that is its status.
        let arguments = ["init", "--grace", "300ms", PROBE, "ignore", "15", "ready", "wait"];
        let mut running = Scene { first, ..scene("corm", &arguments) }.start(inits.ours())?;
        running.wait_for("ready")?;
        running.send(libc::SIGTERM)?;
        assert_eq!(running.end()?.status, 137, "PID 1: {first}");
    }
    Ok(())
}
