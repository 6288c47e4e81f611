//! Signals: which of them arrive, at whom, and what they do to the init.

use super::*;
use std::os::fd::AsRawFd;

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

/// What two children of the program see of a USR1 that the init gets, with [`MARKER`] at the end
/// of each, sorted.
pub fn what_two_see(running: &mut Running) -> Result<Vec<String>> {
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
    Ok(seen)
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
            all.push(what_two_see(&mut running)?);
            running.kill()?;
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
            let mut running = scene("sh", &["-c", &script]).start(Path::new("/bin"))?;
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
