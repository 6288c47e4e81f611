//! `corm init` against tini, dumb-init and catatonit: the same scenario under
//! Debian's program and under corm of that name, and the same outcome.
//!
//! These run on this computer, in pid namespaces of their own where it matters,
//! and need no machine. Where corm is
//! better on purpose (`docs/container.md`), it stands alone and is told what to do.
//!
//! What is here is about options and variables, and what a child finds.

#[path = "container/further.rs"]
mod further;
#[path = "container/jobs.rs"]
mod jobs;
#[path = "container/orphans.rs"]
mod orphans;
#[path = "container/own.rs"]
mod own;
#[path = "container/scene.rs"]
mod scene;
#[path = "container/signals.rs"]
mod signals;

use anyhow::{Context, Result, ensure};
use scene::*;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

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
