//! How a scenario is played: an init of some name, what it is started with, and what is seen of
//! it from outside. Nothing here waits for a time, but for what is to be seen.

use anyhow::{Context, Result, ensure};
use corm_qemu::{Arch, device, inits};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const NAMES: [&str; 3] = ["tini", "dumb-init", "catatonit"];
pub const PROBE: &str = env!("CARGO_BIN_EXE_probe");

/// Nothing takes this long; a test that would hang fails instead.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The last signal: everything that was sent before it has come when it comes.
pub const MARKER: i32 = 64;

pub type Variables<'a> = &'a [(&'a str, &'a str)];

pub struct Inits {
    theirs: tempfile::TempDir,
    ours: tempfile::TempDir,
}

impl Inits {
    /// None where corm is not built for this computer.
    pub fn new() -> Result<Option<Inits>> {
        let Some(arch) = Arch::ALL.into_iter().find(|arch| arch.is_native()) else {
            println!("skipped: no corm for this computer");
            return Ok(None);
        };
        let ours = tempfile::tempdir()?;
        let corm = device::release(arch)?;
        for name in NAMES.into_iter().chain(["tini-static", "docker-init", "corm"]) {
            std::os::unix::fs::symlink(&corm, ours.path().join(name))?;
        }
        Ok(Some(Inits { theirs: super::further::named(&inits::directory(arch)?)?, ours }))
    }

    /// Debian's, and ours.
    pub fn both(&self) -> [&Path; 2] {
        [self.theirs(), self.ours()]
    }

    pub fn theirs(&self) -> &Path {
        self.theirs.path()
    }

    pub fn ours(&self) -> &Path {
        self.ours.path()
    }
}

/// How an init is run.
#[derive(Clone, Default)]
pub struct Scene<'a> {
    pub name: &'a str,
    pub arguments: Vec<&'a str>,
    pub environment: Vec<(&'a str, &'a str)>,
    /// As PID 1 of a pid namespace.
    pub first: bool,
    pub terminal: bool,
    /// With SIGCHLD, SIGHUP and SIGUSR1 ignored, and SIGUSR2 and SIGTTIN blocked.
    pub odd_signals: bool,
    /// With an open descriptor 9.
    pub descriptor: bool,
    /// Without $PATH.
    pub no_path: bool,
    /// Where it starts, instead of /tmp.
    pub directory: Option<&'a Path>,
    /// As this user, without groups.
    pub user: Option<u32>,
}

pub fn scene<'a>(name: &'a str, arguments: &[&'a str]) -> Scene<'a> {
    Scene { name, arguments: arguments.to_vec(), ..Scene::default() }
}

pub fn with<'a>(flags: &[&'a str], words: &[&'a str]) -> Vec<&'a str> {
    flags.iter().chain(words).copied().collect()
}

impl Scene<'_> {
    pub fn command(&self, directory: &Path) -> Command {
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
                    for ignored in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                        libc::signal(ignored, libc::SIG_DFL);
                    }
                }
                libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
                if descriptor { check(libc::dup2(0, 9)) } else { Ok(()) }
            })
        };
        command
    }

    pub fn start(&self, directory: &Path) -> Result<Running> {
        let mut command = self.command(directory);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let terminal = self.terminal.then(|| Terminal::new(&mut command)).transpose()?;
        let mut child = command.spawn().with_context(|| format!("could not run {}", self.name))?;
        let lines = BufReader::new(child.stdout.take().context("no stdout")?);
        Ok(Running { child, lines, first: self.first, terminal })
    }

    pub fn outcome(&self, directory: &Path) -> Result<Outcome> {
        self.start(directory)?.end()
    }
}

pub fn check(result: i32) -> std::io::Result<()> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

pub fn odd_signals() -> std::io::Result<()> {
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
pub struct Terminal {
    master: OwnedFd,
}

impl Terminal {
    pub fn new(command: &mut Command) -> Result<Terminal> {
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

    pub fn type_in(&self, byte: u8) {
        // SAFETY: one byte is readable.
        unsafe { libc::write(self.master.as_raw_fd(), (&raw const byte).cast(), 1) };
    }
}

pub struct Running {
    pub child: Child,
    pub lines: BufReader<std::process::ChildStdout>,
    pub first: bool,
    pub terminal: Option<Terminal>,
}

#[derive(PartialEq, Eq, Debug)]
pub struct Outcome {
    /// As a shell has it: 128+N for signal N.
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Running {
    /// The init itself: under unshare it is the child's child.
    pub fn pid(&self) -> Result<i32> {
        let pid = i32::try_from(self.child.id())?;
        if !self.first {
            return Ok(pid);
        }
        until("unshare has no child", || children(pid).ok()?.first().copied())
    }

    /// The program that the init has started.
    pub fn program(&self) -> Result<i32> {
        let pid = self.pid()?;
        until("the init has no child", || children(pid).ok()?.first().copied())
    }

    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let _guard = Guard::new(self.child.id());
        self.lines.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the output ended with {line:?}");
        Ok(line.trim_end().to_owned())
    }

    pub fn wait_for(&mut self, wanted: &str) -> Result<()> {
        while self.line()? != wanted {}
        Ok(())
    }

    pub fn send(&self, signal: i32) -> Result<()> {
        kill(self.pid()?, signal)
    }

    /// Sends a signal and says which have arrived at the program.
    pub fn arrives(&mut self, signal: i32) -> Result<Vec<String>> {
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

    pub fn end(mut self) -> Result<Outcome> {
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

    pub fn kill(mut self) -> Result<()> {
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
pub struct Guard {
    _alive: std::sync::mpsc::Sender<()>,
}

impl Guard {
    pub fn new(pid: u32) -> Guard {
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

pub fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::kill(pid, signal) }).with_context(|| format!("kill {pid} {signal}"))
}

pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        ensure!(Instant::now() < give_up, "{what}, however long we wait");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn children(pid: i32) -> Result<Vec<i32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text.split_whitespace().filter_map(|word| word.parse().ok()).collect())
}

/// A field of /proc/PID/stat behind the name: 0 is the state, 2 the group, 3 the
/// session, 5 the terminal's foreground group.
pub fn stat(pid: i32, field: usize) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.split(' ').nth(field).map(str::to_owned)
}

pub fn until_state(pid: i32, state: &str) -> Result<()> {
    until(&format!("{pid} is not {state}"), || (stat(pid, 0)? == state).then_some(()))
}

/// Until it has done what it was sent and waits for more.
pub fn until_idle(pid: i32) -> Result<()> {
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
pub fn plain(text: &str) -> String {
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
pub fn same(inits: &Inits, scene: &Scene) {
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
/// Waits until nobody below the init is left but its program, living or dead.
pub fn until_reaped(running: &Running) -> Result<()> {
    let (pid, program) = (running.pid()?, running.program()?);
    until("zombies are left", || (children(pid).ok()? == [program]).then_some(()))
}
