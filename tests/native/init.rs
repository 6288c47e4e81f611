//! A workload whose process 1 is corm's own init: what that does, and what it must not be.

use anyhow::{Context, Result, ensure};
use corm_native_tests::{Place, Who, finish, wait_until};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout};

macro_rules! place {
    () => {
        match Place::new()? {
            Some(place) => place,
            None => return Ok(()),
        }
    };
}

const INIT: &str = "init=true";
const STRICT: &str = "security={ seccomp = \"strict\" }";
/// It needs no call that is not among those of an init, and of every list.
const OWN: &str = "security={ seccomp = { allow = [\"write\"], action = \"kill\" } }";

fn set(values: &[&'static str]) -> Vec<&'static str> {
    values.iter().flat_map(|value| ["--set", value]).collect()
}

#[test]
fn the_status_of_its_program_is_the_workload_s() -> Result<()> {
    let place = place!();
    for who in Who::BOTH {
        for more in [&[INIT][..], &[INIT, STRICT], &[INIT, "overlay=\"tmpfs\""], &[INIT, "limits.files=3"]] {
            // Directly, and by a shell that has children.
            for (script, status) in [("exit 7", 7), ("kill -9 $$", 137), ("(exit 3); exit $(($? + 1))", 4)] {
                let outcome = finish(&mut place.script_as(who, &set(more), script))?;
                assert_eq!(outcome.status, status, "{who:?} {more:?} {script}: {}", outcome.err);
            }
        }
        let seen =
            finish(&mut place.script_as(who, &set(&[INIT]), "echo $$; read it </proc/1/cmdline; echo $it"))?;
        assert!(seen.out.starts_with("2\ncorm-init"), "{who:?}: {} {}", seen.out, seen.err);
        // Of a scratch root, where there is no other program.
        let busybox = place.root().join("bin/busybox");
        let busybox = busybox.to_str().context("our path is text")?;
        let root = place.root();
        let root = root.to_str().context("our path is text")?;
        let words = [&["run"], &set(&[INIT])[..], &["--", busybox, "sh", "-c", "exit 5"]].concat();
        let outcome = finish(&mut place.corm_as(who, &words))?;
        assert_eq!(outcome.status, 5, "{who:?}: {}", outcome.err);
        let words = [&["run", "--root", root], &set(&[INIT])[..], &["--", "/bin/no"]].concat();
        let outcome = finish(&mut place.corm_as(who, &words))?;
        assert_eq!(outcome.status, 127, "{who:?}: {}", outcome.err);
        assert!(outcome.err.contains("corm init: exec /bin/no failed"), "{}", outcome.err);
    }
    Ok(())
}

/// A workload that runs, and its processes.
struct Running {
    corm: Child,
    said: BufReader<ChildStdout>,
    /// The main process, as the machine numbers it.
    pid: u32,
}

impl Running {
    /// `script` says a line when it is where it should be.
    fn start(place: &Place, who: Who, options: &[&str], script: &str) -> Result<Running> {
        let mut corm = place.script_as(who, options, script).spawn()?;
        let mut said = BufReader::new(corm.stdout.take().context("its output is piped")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        ensure!(line == "here\n", "{line:?}");
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", corm.id()))?;
        let pid = children.split_whitespace().next().context("it has no child")?.parse()?;
        Ok(Running { corm, said, pid })
    }

    /// Of all processes in its pid namespace, the state.
    fn states(&self) -> Vec<char> {
        let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid"));
        let Ok(own) = space(&self.pid.to_string()) else { return Vec::new() };
        let mut states = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if space(&name).is_ok_and(|space| space == own)
                && let Ok(stat) = fs::read_to_string(format!("/proc/{name}/stat"))
                && let Some((_, rest)) = stat.rsplit_once(") ")
            {
                states.extend(rest.chars().next());
            }
        }
        states
    }

    fn signal(&self, signal: i32) {
        // SAFETY: no memory is involved.
        unsafe { libc::kill(self.corm.id() as i32, signal) };
    }

    fn status(mut self) -> Result<Option<i32>> {
        Ok(self.corm.wait()?.code())
    }
}

#[test]
fn orphans_are_reaped_though_its_program_waits_for_nobody() -> Result<()> {
    let place = place!();
    // The shell has waited for its own children, and becomes one that waits for none.
    let script = "for i in 1 2 3 4 5; do (busybox sleep 0.2 &); done; echo here; exec busybox sleep 1000";
    for who in Who::BOTH {
        for (options, sleeping, zombies) in [(&[][..], 1, 5), (&[INIT], 2, 0)] {
            let running = Running::start(&place, who, &set(options), script)?;
            wait_until("its orphans have ended", || {
                let states = running.states();
                states.len() == sleeping + zombies
                    && states.iter().filter(|it| **it == 'Z').count() == zombies
            });
            running.signal(libc::SIGTERM);
            assert_eq!(running.status()?, Some(143), "{who:?} {options:?}");
        }
    }
    Ok(())
}

#[test]
fn signals_reach_its_program() -> Result<()> {
    let place = place!();
    let script = "trap 'n=$((n + 1)); echo got it' USR1; trap 'exit $((n + 40))' HUP TERM; echo here; \
                  while :; do busybox sleep 0.02; done";
    for who in Who::BOTH {
        for more in [&[INIT][..], &[INIT, STRICT]] {
            for signal in [libc::SIGTERM, libc::SIGHUP] {
                let mut running = Running::start(&place, who, &set(more), script)?;
                running.signal(libc::SIGUSR1);
                let mut line = String::new();
                running.said.read_line(&mut line)?;
                assert_eq!(line, "got it\n", "{who:?} {more:?}");
                running.signal(signal);
                assert_eq!(running.status()?, Some(41), "{who:?} {more:?} {signal}");
            }
        }
    }
    Ok(())
}

#[test]
fn its_executable_is_a_sealed_copy_and_not_corm() -> Result<()> {
    let place = place!();
    let corm = fs::read(place.corm())?;
    let script = "(: >>/proc/1/exe) 2>/dev/null && echo written; \
                  busybox chmod 0 /proc/1/exe 2>/dev/null; echo here; exec busybox sleep 1000";
    for (who, user) in [(Who::Root, "user=0"), (Who::Root, "user=\"auto\""), (Who::User, "user=\"auto\"")] {
        let options = set(&[INIT, user, "security={ landlock = \"off\", seccomp = \"off\" }"]);
        let before = fs::metadata(place.corm())?;
        let running = Running::start(&place, who, &options, script);
        let running = running.with_context(|| format!("{who:?} {user}: it opened that for writing"))?;
        let path = PathBuf::from(format!("/proc/{}/exe", running.pid));
        assert_eq!(fs::read_link(&path)?.to_string_lossy(), "/memfd:corm-init (deleted)");
        let file = File::open(&path)?;
        assert!(file.metadata()?.ino() != before.ino() || file.metadata()?.dev() != before.dev());
        // SAFETY: no memory is involved.
        let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
        assert_eq!(seals, libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE);
        assert!(fs::read(&path)? == corm, "the copy is whole");
        let mode = fs::metadata(place.corm())?.mode();
        assert_eq!(mode, before.mode(), "{who:?} {user}");
        running.signal(libc::SIGTERM);
        assert_eq!(running.status()?, Some(143));
        // It is behind the walls of its program, and holds nothing open.
        let seen = finish(&mut place.script_as(
            who,
            &set(&[INIT, user]),
            "for i in 1 self; do busybox grep -E '^(Uid|Cap...|NoNewPrivs|Seccomp):' /proc/$i/status; done; \
             echo end; busybox ls /proc/1/fd",
        ))?;
        let (rights, open) = seen.out.split_once("end\n").with_context(|| seen.err.clone())?;
        let rights: Vec<&str> = rights.lines().collect();
        assert_eq!(rights[..rights.len() / 2], rights[rights.len() / 2..], "{who:?} {user}");
        assert!(rights.contains(&"Seccomp:\t2") && rights.contains(&"NoNewPrivs:\t1"), "{rights:?}");
        assert_eq!(open, "0\n1\n2\n", "{who:?} {user}: {}", seen.err);
    }
    Ok(())
}

#[test]
fn a_filter_that_allows_next_to_nothing_still_has_room_for_it() -> Result<()> {
    let place = place!();
    fs::copy(place.corm(), place.root().join("bin/own"))?;
    let root = place.root();
    for who in Who::BOTH {
        let words = [
            &["run", "--root", &*root.to_string_lossy()],
            &set(&[INIT, OWN])[..],
            &["--", "/bin/corm", "version"],
        ];
        let outcome = finish(&mut place.corm_as(who, &words.concat()))?;
        assert_eq!(outcome.status, 0, "{who:?}: {}", outcome.err);
        assert!(outcome.out.starts_with("corm "), "{}", outcome.out);
        // And for no namespace: clone is looked at, though the config's own list does not name it.
        let unshare = "busybox unshare -U busybox true";
        let outcome =
            finish(&mut place.script_as(who, &set(&[INIT, "security.seccomp=\"strict\""]), unshare))?;
        assert_ne!(outcome.status, 0, "{who:?}");
    }
    Ok(())
}

#[test]
fn it_wants_processes_of_its_own() -> Result<()> {
    let place = place!();
    for other in ["privileged=true", "namespaces.pid=\"host\""] {
        let outcome = finish(&mut place.script_as(Who::Root, &set(&[INIT, other]), "true"))?;
        assert_eq!(outcome.status, 65, "{other}: {}", outcome.err);
        assert!(outcome.err.contains("`init` wants processes of its own"), "{other}: {}", outcome.err);
        let outcome = finish(&mut place.script_as(Who::Root, &set(&["init=false", other]), "true"))?;
        assert!(!outcome.err.contains("`init`"), "{other}: {}", outcome.err);
    }
    Ok(())
}
