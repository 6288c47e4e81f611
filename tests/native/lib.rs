//! What the tests of `corm run` share: a root directory, and ways to run in it.

use anyhow::{Context, Result};
use corm_qemu::{Arch, busybox, device};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long something may take that is going to happen: a guard against hanging.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Who runs corm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    Root,
    /// An ordinary user, without any right.
    User,
}

impl Who {
    pub const BOTH: [Who; 2] = [Who::Root, Who::User];
    pub const UID: u32 = 1000;
}

/// A directory with corm in it and a root with busybox; gone with the value.
pub struct Place {
    pub directory: PathBuf,
}

impl Place {
    /// `None`, and said so, where the tests are not run by root.
    pub fn new() -> Result<Option<Place>> {
        let status = fs::read_to_string("/proc/self/status")?;
        let may = status
            .lines()
            .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
        if !may {
            eprintln!("SKIPPED: root runs these, as root and as an ordinary user");
            return Ok(None);
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("corm-run-{}-{number}", std::process::id()));
        let place = Place { directory };
        for path in ["root/bin", "root/proc", "root/dev", "root/tmp", "root/data", "shared"] {
            fs::create_dir_all(place.directory.join(path))?;
        }
        let arch = Arch::ALL.into_iter().find(|arch| arch.is_native()).context("no corm for this machine")?;
        install(&device::release(arch)?, &place.corm())?;
        install(&place.corm(), &place.root().join("bin/corm"))?;
        install(&busybox::binary(arch)?, &place.root().join("bin/busybox"))?;
        symlink("busybox", place.root().join("bin/sh"))?;
        Ok(Some(place))
    }

    pub fn corm(&self) -> PathBuf {
        self.directory.join("corm")
    }

    pub fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// `corm WORDS...` as that user, with nothing on its stdin.
    pub fn corm_as(&self, who: Who, words: &[&str]) -> Command {
        let mut command = Command::new(self.corm());
        command
            .args(words)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.become_who(who, &mut command);
        command
    }

    /// A shell that runs `before` and then becomes that command; who runs it is to be said again.
    pub fn after(&self, before: &str, command: &Command) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &format!("{before}; exec \"$@\""), "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        shell.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell
    }

    pub fn become_who<'c>(&self, who: Who, command: &'c mut Command) -> &'c mut Command {
        // SAFETY: a system call only, which cannot fail.
        unsafe {
            command.pre_exec(|| {
                // Whoever runs the tests by nohup(1), or in the background of a script, tests the same.
                for ignored in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                    libc::signal(ignored, libc::SIG_DFL);
                }
                Ok(())
            })
        };
        match who {
            Who::Root => command,
            Who::User => command.uid(Who::UID).gid(Who::UID),
        }
    }

    /// `corm run --root ROOT OPTIONS... -- /bin/sh -c SCRIPT`.
    pub fn script_as(&self, who: Who, options: &[&str], script: &str) -> Command {
        let root = self.root();
        let mut words = vec!["run", "--root", root.to_str().expect("our own path is text")];
        words.extend(options);
        words.extend(["--", "/bin/sh", "-c", script]);
        self.corm_as(who, &words)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left in /tmp harms nobody.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Copies a program by install(1): a descriptor of ours that writes it would be open in whatever
/// another test forks at that moment, and the program "busy" (ETXTBSY) until that has become another.
pub fn install(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("install").args(["-m", "755"]).arg(from).arg(to).status()?;
    anyhow::ensure!(status.success(), "could not install {}: {status}", from.display());
    Ok(())
}

/// What came of a command that has ended.
pub struct Outcome {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// The value behind `key=` in what it printed.
    #[track_caller]
    pub fn value(&self, key: &str) -> &str {
        let prefix = format!("{key}=");
        let found = self.out.lines().find_map(|line| line.strip_prefix(&prefix));
        found.unwrap_or_else(|| panic!("nothing was printed about {key}:\n{}{}", self.out, self.err))
    }
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Result<Outcome> {
    let output: Output = command.output().with_context(|| format!("could not run {command:?}"))?;
    let status = output.status.code().or(output.status.signal().map(|signal| -signal));
    Ok(Outcome {
        status: status.context("it neither exited nor was it killed")?,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The same command where cgroup v2 is on /sys/fs/cgroup, as on every machine that corm boots.
pub fn unified(command: &Command) -> Result<Command> {
    let mut shell = Command::new("unshare");
    let mount = if fs::exists("/sys/fs/cgroup/cgroup.controllers")? {
        ""
    } else {
        "umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup &&"
    };
    let script = format!("mount --make-rprivate / && {mount} exec \"$@\"");
    shell.args(["-m", "sh", "-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    shell.current_dir("/").stdin(Stdio::null());
    Ok(shell)
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < give_up, "this never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
