//! Terminals, and jobs of a shell: who is in the foreground, who is stopped, and who is continued.

use super::*;

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

/// Started with `&` under a shell with job control, a program that wants the terminal is
/// stopped, its init with it, and `fg` continues both. Debian's tini takes the shell's terminal
/// instead, and so does catatonit, under either's name.
#[test]
fn in_the_background_a_terminal_stays_the_shells() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let place = tempfile::tempdir()?;
    let cases: [(&str, &[&str]); 8] = [
        ("tini", &["-s", "--"]),
        ("corm", &["init", "--"]),
        ("corm", &["init", "-g", "--"]),
        ("corm", &["init", "-c", "--"]),
        ("corm", &["init", "-S", "--"]),
        ("dumb-init", &["-c"]),
        ("dumb-init", &["--"]),
        ("catatonit", &["--"]),
    ];
    for (case, (name, flags)) in cases.into_iter().enumerate() {
        let mut all = Vec::new();
        for (index, directory) in inits.both().into_iter().enumerate() {
            if index == 0 && matches!(name, "tini" | "corm") {
                continue;
            }
            let go = place.path().join(format!("{case}{index}"));
            // `jobs` tells the shell what has stopped meanwhile. A loop of its takes the terminal again
            // and again, which nobody needs where it is lost.
            let then = format!(
                "while ! [ -e {} ]; do sleep 0.01; done; jobs >/dev/null; fg >/dev/null",
                go.display()
            );
            let then = if name == "catatonit" { "wait" } else { &then };
            let script = format!(
                "set -m; {} {} {PROBE} ready terminal shares exit 3 & {then}; echo ended $?",
                directory.join(name).display(),
                flags.join(" ")
            );
            let arguments = ["-c", script.as_str()];
            let mut running =
                Scene { terminal: true, ..scene("bash", &arguments) }.start(Path::new("/bin"))?;
            running.wait_for("ready")?;
            // A session of its own has no use for our terminal.
            if name == "dumb-init" && flags == ["--"] || flags.contains(&"-S") {
                all.push(running.line()?);
                running.kill()?;
                continue;
            }
            if name == "catatonit" {
                assert_eq!(running.line()?, "foreground true", "{index}");
                running.kill()?;
                continue;
            }
            let init = running.program()?;
            let program = *children(init)?.first().context("no program")?;
            until_state(program, "T")?;
            until_state(init, "T")?;
            for pid in [init, program] {
                assert_ne!(stat(pid, 5), stat(pid, 2), "{name} has the shell's terminal");
            }
            fs::write(&go, "")?;
            let seen = [running.line()?, running.line()?];
            assert_eq!(seen, ["foreground true", "ended 3"], "{name} {flags:?}");
            running.kill()?;
        }
        assert!(all.iter().all(|line| line == "foreground no terminal"), "{name} {flags:?}: {all:?}");
    }
    Ok(())
}

/// ctrl-Z reaches only the program's group; the shell sees its whole job stop, and `fg` continues
/// all of it.
#[test]
fn a_job_is_stopped_and_continued_as_a_whole() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let corm = inits.ours().join("corm");
    for flags in ["--", "-g", "-c"] {
        let script = format!(
            "set -m; {} init {flags} sh -c '{PROBE} pause shares; exit 3' | cat; echo stopped $?; \
             fg >/dev/null; echo ended ${{PIPESTATUS[0]}}; {PROBE} shares",
            corm.display()
        );
        let arguments = ["-c", script.as_str()];
        let mut running = Scene { terminal: true, ..scene("bash", &arguments) }.start(Path::new("/bin"))?;
        running.wait_for("pauses")?;
        running.terminal.as_ref().context("no terminal")?.type_in(26);
        let seen = [running.line()?, running.line()?, running.line()?, running.line()?];
        let wanted = ["stopped 148", "foreground true", "ended 0", "foreground true"];
        assert_eq!(seen, wanted, "{flags}");
        running.end()?;
    }
    Ok(())
}

/// Where no shell could continue a job, ctrl-Z stops nothing: neither in a session that the init
/// leads nor, as in `docker run -it`, in one where it is PID 1, too.
#[test]
fn what_nobody_could_continue_is_not_stopped() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let corm = inits.ours().join("corm").display().to_string();
    let words = ["init", "--", PROBE, "pause", "shares", "exit", "3"];
    let alone = with(&["-c", "exec \"$@\"", "-", &corm], &words);
    let first = with(&["--pid", "--fork", "--kill-child", "setsid", "-c", &corm], &words);
    for (name, arguments) in [("sh", alone), ("unshare", first)] {
        let mut running = Scene { terminal: true, ..scene(name, &arguments) }.start(Path::new("/usr/bin"))?;
        running.wait_for("pauses")?;
        running.terminal.as_ref().context("no terminal")?.type_in(26);
        assert_eq!(running.line()?, "foreground true", "{name}");
        assert_eq!(running.end()?.status, 3, "{name}");
    }
    Ok(())
}
