//! Everything that can be wrong says so in its own clear line, and the rest of
//! the machine runs.

use anyhow::Result;
use corm_tests::*;

#[test]
fn each_broken_workload_has_its_line_and_the_others_run() -> Result<()> {
    let config = r#"
[system]
modules = ["no_such_module"]

[workload.no-root]
command = ["/bin/busybox", "true"]
root = "/srv/missing"

[workload.no-command]
command = ["/bin/missing"]

[workload.no-program]
command = ["/etc/corm.toml"]
root = "/"

[workload.no-directory]
command = ["/bin/busybox", "true"]
directory = "/nowhere"

[workload.no-volume]
command = ["/bin/busybox", "true"]
[workload.no-volume.volumes]
"/data" = { source = "/srv/missing-volume" }

[workload.no-cpu]
command = ["/bin/busybox", "true"]
limits = { cpus = "63" }

[workload.dies]
command = ["/bin/busybox", "sh", "-c", "exit 7"]
restart = "never"

[workload.aborts]
command = ["/bin/busybox", "sh", "-c", "kill -SEGV $$; exec /bin/busybox sleep 1000"]
namespaces = { pid = "host" }
restart = "never"

[workload.good]
command = ["/bin/busybox", "sh", "-c", "echo I am well; exec /bin/busybox sleep 1000"]
"#;
    let machine = boot(
        &(config.to_owned()
            + &probe(
                &[
                    "no-root",
                    "no-command",
                    "no-program",
                    "no-directory",
                    "no-volume",
                    "dies",
                    "aborts",
                    "good",
                ],
                "sleep 1; dmesg | grep ' corm: '",
            )),
    )?;
    machine.wait_for("probe: the end")?;
    let console = machine.console();
    assert_said(&console, "good: I am well");
    // With what the kernel log has of it: a console that is busy does not get every line.
    let corm = said_by("corm", &console);
    for (name, words) in [
        ("no_such_module", &["not found"][..]),
        ("no-root", &["/srv/missing", "ENOENT"]),
        ("no-command", &["/bin/missing", "ENOENT"]),
        ("no-directory", &["/nowhere", "ENOENT"]),
        ("no-volume", &["/srv/missing-volume", "ENOENT"]),
        ("dies", &["exited with status 7"]),
        ("aborts", &["killed by signal 11"]),
    ] {
        let lines: Vec<&String> = corm.iter().filter(|line| line.contains(name)).collect();
        assert!(
            lines.iter().any(|line| words.iter().all(|word| line.contains(word))),
            "{name}: no line with {words:?} among {lines:#?}\n{console}"
        );
    }
    let no_program = corm.iter().any(|line| {
        line.starts_with("no-program: ") && (line.contains("ENOEXEC") || line.contains("EACCES"))
    });
    assert!(no_program, "{console}");
    let no_cpu = corm.iter().any(|line| line.starts_with("no-cpu: ") && line.contains("cpuset.cpus"));
    assert!(no_cpu, "{console}");
    Ok(())
}

#[test]
fn a_full_cgroup_is_reported_and_tried_again() -> Result<()> {
    // One process is all `full` may have, so its shell cannot fork.
    let config = r#"
[workload.full]
command = ["/bin/busybox", "sh", "-c", "/bin/busybox true; echo forked: $?"]
restart = "never"
limits = { pids = 1 }

[workload.tiny]
command = ["/bin/busybox", "sh", "-c", "echo I started"]
restart = "on-failure"
limits = { memory = "64K", swap = 0 }
"#;
    let machine = boot(config)?;
    machine.wait_for_match(r"full: .*(can't fork|Resource temporarily unavailable)")?;
    machine.wait_for_match(r"corm: tiny: .*(out of memory|killed|memory)")?;
    assert!(!machine.has_ended());
    Ok(())
}

#[test]
fn a_config_with_mistakes_shows_each_and_runs_the_rest() -> Result<()> {
    let config = r#"
[workload.good]
command = ["/bin/busybox", "echo", "still here"]
restart = "never"

[workload.typo]
command = ["/bin/busybox", "echo", "not me"]
restrat = "never"

[workload.broken
command = ["/bin/busybox"]

[workload.last]
command = ["/bin/busybox", "echo", "me too"]
restart = "never"
"#;
    let machine = boot(config)?;
    wait_for_all(&machine, &["good: still here", "last: me too"])?;
    let console = machine.console();
    assert_said(&console, "/etc/corm.toml:8:1: ");
    assert_said(&console, "`restrat`");
    assert_said(&console, "`restart`");
    assert_said(&console, "/etc/corm.toml:10:");
    assert_said(&console, "^");
    assert_not_said(&console, "typo: not me");
    Ok(())
}

#[test]
fn a_machine_without_a_config_stays_up() -> Result<()> {
    let machine = boot_with(corm_qemu::Image::new(&board()), &corm_qemu::Options::default())?;
    machine.wait_for("/etc/corm.toml")?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(!machine.has_ended(), "{}", machine.console());
    Ok(())
}
