//! Orphans and difficult children, and what an init that waits for them takes.

use super::*;

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
