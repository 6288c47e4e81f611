//! More of the same: what is easily forgotten of Debian's programs. The names that they go by,
//! how they look for a program, what their variables and signals do, and rights.

use super::*;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

/// Every name of each, and what it wants before a program.
const ALL: [(&str, &[&str]); 5] = [
    ("tini", &["-s", "--"]),
    ("tini-static", &["-s", "--"]),
    ("docker-init", &["-s", "--"]),
    ("dumb-init", &["--"]),
    ("catatonit", &["--"]),
];

/// As [`same`], but not as PID 1.
#[track_caller]
fn same_here(inits: &Inits, scene: &Scene) {
    let [theirs, ours] = inits.both().map(|directory| scene.outcome(directory).expect("it runs"));
    assert_eq!(ours, theirs, "{} {:?} {:?}", scene.name, scene.arguments, scene.environment);
}

#[test]
fn other_names_of_tini_are_tini() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for name in ["tini-static", "docker-init"] {
        let cases: [&[&str]; 12] = [
            &[],
            &["-h"],
            &["--version"],
            &["-x"],
            &["-e", "256", "true"],
            &["--", "true"],
            &["-s", "--", "sh", "-c", "exit 5"],
            &["-sg", "--", "sh", "-c", "kill -9 $$"],
            &["echo", "a", "-s", "--", "-x", "b"],
            &["-svvv", "true"],
            &["-s", "nosuch"],
            &["-s", "/etc/passwd"],
        ];
        for arguments in cases {
            same(&inits, &scene(name, arguments));
        }
        same(&inits, &Scene { environment: vec![("TINI_SUBREAPER", "")], ..scene(name, &["-v", "true"]) });
    }
    Ok(())
}

/// execvp(3): which directory, which of the errors, and what becomes of a file without `#!`.
#[test]
fn a_program_is_looked_for_as_there() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let place = tempfile::tempdir()?;
    let at = |path: &str| place.path().join(path);
    for (path, mode, text) in [
        ("one/script", 0o755, "echo script $0 \"$#\" \"$@\"; exit 6\n"),
        ("one/prog", 0o644, "echo not this\n"),
        ("one/closed", 0o644, ""),
        ("one/lost", 0o755, "#!/no/such/interpreter\n"),
        ("one/empty", 0o755, ""),
        ("one/garbage", 0o755, "\0\0\0\0bin"),
        ("two/prog", 0o755, "#!/bin/sh\necho two \"$@\"\n"),
        ("two/script", 0o755, "#!/bin/sh\necho second\n"),
    ] {
        let path = at(path);
        fs::create_dir_all(path.parent().context("a directory")?)?;
        fs::write(&path, text)?;
        fs::set_permissions(&path, PermissionsExt::from_mode(mode))?;
    }
    fs::create_dir(at("one/directory"))?;
    let [one, two, none] = ["one", "two", "none"].map(|name| at(name).display().to_string());
    let both = format!("{one}:{two}:/bin");
    let absent = format!("{none}:/etc/passwd:{one}/prog:{two}");
    let absolute = format!("{one}/script");
    let paths = [Some(&both[..]), Some(&one), Some(&absent), Some(":/bin"), Some("/bin:"), Some(""), None];
    let programs = [
        "script",
        "prog",
        "closed",
        "lost",
        "empty",
        "garbage",
        "directory",
        "nosuch",
        "true",
        "./script",
        "/",
    ];
    for (name, flags) in ALL {
        for path in paths {
            for program in programs.into_iter().chain([&*absolute]) {
                let environment: Vec<_> = path.map(|path| ("PATH", path)).into_iter().collect();
                same_here(
                    &inits,
                    &Scene {
                        environment,
                        no_path: path.is_none(),
                        directory: Some(&at("one")),
                        ..scene(name, &with(flags, &[program, "a b", ""]))
                    },
                );
            }
        }
    }
    Ok(())
}

#[test]
fn each_value_of_a_variable_is_theirs() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for value in ["0", "1", "2", "3", "4", "5", "", " ", "1a", "0x3", "4294967297", "-4294967295"] {
        for flags in [&["-s"][..], &[]] {
            let environment = vec![("TINI_VERBOSITY", value)];
            let arguments = with(flags, &["--", "sh", "-c", "exit 2"]);
            same_here(&inits, &Scene { environment, ..scene("tini", &arguments) });
        }
    }
    let all = vec![("TINI_SUBREAPER", "0"), ("TINI_KILL_PROCESS_GROUP", "no"), ("TINI_VERBOSITY", "4")];
    same_here(&inits, &Scene { environment: all, ..scene("tini", &["true"]) });
    for value in ["", "0", "1", "1 ", "x"] {
        for variable in ["DUMB_INIT_DEBUG", "DUMB_INIT_SETSID"] {
            let scene =
                Scene { environment: vec![(variable, value)], ..scene("dumb-init", &[PROBE, "state"]) };
            same_lines(&inits, &scene);
        }
        let both = vec![("DUMB_INIT_DEBUG", "1"), ("DUMB_INIT_SETSID", value)];
        same_lines(&inits, &Scene { environment: both, ..scene("dumb-init", &["sh", "-c", "exit 3"]) });
    }
    same_lines(
        &inits,
        &Scene { environment: vec![("DUMB_INIT_DEBUG", "1")], ..scene("dumb-init", &["nosuch"]) },
    );
    Ok(())
}

/// Its messages in any order, and libc's word for ENOTTY.
#[track_caller]
fn same_lines(inits: &Inits, scene: &Scene) {
    let [theirs, ours] = inits.both().map(|directory| {
        let outcome = scene.outcome(directory).expect("it runs");
        let err = outcome.err.replace("Inappropriate ioctl for device", "Not a terminal");
        let mut lines: Vec<String> = err.lines().map(str::to_owned).collect();
        lines.sort();
        (outcome.status, outcome.out, lines)
    });
    assert_eq!(ours, theirs, "{} {:?} {:?}", scene.name, scene.arguments, scene.environment);
}

/// All 28 names that tini's `-p` knows, and what each does to it.
#[test]
fn every_signal_of_a_parents_death_is_theirs() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    const ENDS: [&str; 8] = ["ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "SEGV", "SYS"];
    const OTHERS: [&str; 20] = [
        "HUP", "INT", "QUIT", "USR1", "USR2", "PIPE", "ALRM", "TERM", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
        "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
    ];
    for name in ENDS.into_iter().chain(OTHERS) {
        let mut all = Vec::new();
        for directory in inits.both() {
            let script = format!("{}/tini -s -p SIG{name} -- {PROBE} signals & wait", directory.display());
            let mut running = scene("sh", &["-c", &script]).start(Path::new("/bin"))?;
            running.wait_for("ready")?;
            let init = running.program()?;
            let program = *children(init)?.first().context("no program")?;
            kill(running.pid()?, libc::SIGKILL)?;
            running.child.wait()?;
            let mut seen = Vec::new();
            if ENDS.contains(&name) {
                until("it lives on", || (stat(init, 0).is_none_or(|state| state == "Z")).then_some(()))?;
                seen.push("ended".to_owned());
            } else if name == "STOP" {
                until_state(init, "T")?;
                kill(init, libc::SIGKILL)?;
            } else {
                until_idle(init)?;
                kill(init, MARKER)?;
                while seen.last().is_none_or(|line| line != "64") {
                    seen.push(running.line()?);
                }
            }
            kill(program, libc::SIGKILL)?;
            all.push(seen);
        }
        assert_eq!(all[1], all[0], "SIG{name}");
    }
    Ok(())
}

/// Orphans are tini's own once a variable says so.
#[test]
fn a_variable_makes_tini_adopt() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let script = format!("sh -c '{PROBE} wait & echo $! $$'; read line");
    for (environment, adopts) in
        [(vec![("TINI_SUBREAPER", "")], true), (vec![("TINI_SUBREAPER", "0")], true), (vec![], false)]
    {
        for directory in inits.both() {
            let scene =
                Scene { environment: environment.clone(), ..scene("tini", &["--", "sh", "-c", &script]) };
            let mut running = scene.start(directory)?;
            let line = running.line()?;
            let (orphan, before) = line.split_once(' ').context("two pids")?;
            let orphan: i32 = orphan.parse()?;
            until("its parent lives on", || (stat(orphan, 1)? != before).then_some(()))?;
            let parent: i32 = stat(orphan, 1).context("it is gone")?.parse()?;
            assert_eq!(parent == running.pid()?, adopts, "{environment:?}");
            // And is reaped: only then has the init one child again.
            kill(orphan, libc::SIGKILL)?;
            until_reaped(&running)?;
            running.kill()?;
        }
    }
    Ok(())
}

/// As the leader of a session dumb-init gets HUP and CONT for giving its terminal up, and takes the
/// first of each for these.
#[test]
fn dumb_init_overhears_the_terminals_farewell() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    for flags in [&[][..], &["-c"], &["-r", "1:15"]] {
        for (terminal, leads) in [(true, true), (true, false), (false, false)] {
            let mut all = Vec::new();
            for directory in inits.both() {
                let arguments = with(flags, &[PROBE, "signals"]);
                let words = arguments.join(" ");
                let script = format!("{}/dumb-init {words}; true", directory.display());
                let through = ["-c", script.as_str()];
                let scene = if leads || !terminal {
                    scene("dumb-init", &arguments)
                } else {
                    Scene { directory: Some(Path::new("/")), ..scene("sh", &through) }
                };
                let scene = Scene { terminal, ..scene };
                let mut running =
                    scene.start(if scene.name == "sh" { Path::new("/bin") } else { directory })?;
                running.wait_for("ready")?;
                let first = running.pid()?;
                let init = if scene.name == "sh" { running.program()? } else { first };
                let program = *children(init)?.first().context("no program")?;
                let mut seen = Vec::new();
                for signal in [libc::SIGHUP, libc::SIGCONT, libc::SIGCONT, libc::SIGHUP] {
                    // Each on its own, as two that wait may come in either order.
                    for signal in [signal, MARKER] {
                        until_idle(init)?;
                        kill(init, signal)?;
                    }
                    while seen.last().is_none_or(|line| line != "64") {
                        seen.push(running.line()?);
                    }
                    seen.pop();
                    seen.push("-".to_owned());
                }
                kill(program, libc::SIGKILL)?;
                running.end()?;
                all.push(seen);
            }
            assert_eq!(all[1], all[0], "{flags:?}, terminal: {terminal}, leads: {leads}");
        }
    }
    Ok(())
}

/// kill(2) is refused to an init that is not root, of a program that has become root.
#[test]
fn a_program_of_another_user_is_out_of_reach() -> Result<()> {
    let Some(inits) = Inits::new()? else { return Ok(()) };
    let place = tempfile::tempdir()?;
    fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755))?;
    // Where an ordinary user can run them all.
    let mut directories = Vec::new();
    for (index, from) in inits.both().into_iter().enumerate() {
        let directory = place.path().join(index.to_string());
        fs::create_dir(&directory)?;
        for name in NAMES {
            fs::copy(from.join(name), directory.join(name))?;
        }
        directories.push(directory);
    }
    let probe = place.path().join("probe");
    fs::copy(PROBE, &probe)?;
    fs::set_permissions(&probe, PermissionsExt::from_mode(0o4755))?;
    let probe = probe.to_str().context("a path")?;
    for (name, flags) in
        [("tini", &["-s", "--"][..]), ("dumb-init", &["--"]), ("dumb-init", &["-c"]), ("catatonit", &["--"])]
    {
        let mut all = Vec::new();
        for (index, directory) in directories.iter().enumerate() {
            // Debian's catatonit looks once whether it can send its program a signal, and ends if it
            // cannot: the program waits until that is over.
            let arguments = with(flags, &[probe, "ready", "told", "become", "signals"]);
            let mut running = Scene { user: Some(12345), ..scene(name, &arguments) }.start(directory)?;
            running.wait_for("ready")?;
            until_idle(running.pid()?)?;
            running.child.stdin.as_mut().context("no stdin")?.write_all(b"\n")?;
            running.wait_for("ready")?;
            let (init, program) = (running.pid()?, running.program()?);
            kill(init, libc::SIGUSR1)?;
            // Debian's tini does not live on.
            let ends = name == "tini" && index == 0;
            if !ends {
                until_idle(init)?;
            }
            if ends {
                let status = running.child.wait()?;
                assert_eq!(status.code(), Some(1));
            }
            // Which of them arrived?
            kill(program, MARKER)?;
            let mut seen = Vec::new();
            while seen.last().is_none_or(|line| line != "64") {
                seen.push(running.line()?);
            }
            kill(program, libc::SIGKILL)?;
            let outcome = running.end()?;
            if name == "tini" {
                assert_eq!(outcome.status, if ends { 1 } else { 137 });
                let why = "Unexpected error when forwarding signal: 'Operation not permitted'";
                assert!(outcome.err.contains(why), "{}", outcome.err);
            } else {
                all.push((seen, outcome));
            }
        }
        if name != "tini" {
            assert_eq!(all[1], all[0], "{name} {flags:?}");
        }
    }
    Ok(())
}

/// The directory of Debian's, with the names that they have elsewhere.
pub(super) fn named(debian: &Path) -> Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    for (name, is) in [
        ("tini", "tini"),
        ("tini-static", "tini-static"),
        ("docker-init", "tini"),
        ("dumb-init", "dumb-init"),
        ("catatonit", "catatonit"),
    ] {
        symlink(debian.join(is), directory.path().join(name))?;
    }
    Ok(directory)
}
