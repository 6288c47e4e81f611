//! Under its own name: its own options, and what only these do.

use super::*;

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
        let seen = signals::what_two_see(&mut running)?;
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
