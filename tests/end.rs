//! The end of the machine: who may ask for it, in which order, and how fast.

use anyhow::Result;
use corm_qemu::machine::End;
use corm_qemu::{Arch, Options};
use corm_tests::*;

fn ends_by(command: &str) -> Result<(End, String)> {
    let machine = boot(&probe(&[], &format!("{command}; sleep 1000")))?;
    let end = machine.wait_end()?;
    Ok((end, machine.console()))
}

#[test]
fn busyboxs_poweroff_powers_off() -> Result<()> {
    assert_eq!(ends_by("poweroff")?.0, End::PowerOff);
    Ok(())
}

#[test]
fn busyboxs_reboot_reboots() -> Result<()> {
    assert_eq!(ends_by("reboot")?.0, End::Reboot);
    Ok(())
}

#[test]
fn systemds_signals_mean_the_same() -> Result<()> {
    assert_eq!(ends_by("kill -38 1")?.0, End::PowerOff);
    assert_eq!(ends_by("kill -39 1")?.0, End::Reboot);
    Ok(())
}

#[test]
fn corms_own_commands_work_too() -> Result<()> {
    assert_eq!(ends_by("/bin/corm poweroff")?.0, End::PowerOff);
    Ok(())
}

#[test]
fn busyboxs_halt_halts_and_leaves_the_power_on() -> Result<()> {
    let machine = boot(&probe(&[], "halt; sleep 1000"))?;
    machine.wait_for("System halted")?;
    assert!(!machine.has_ended());
    Ok(())
}

#[test]
fn ctrl_alt_del_reboots() -> Result<()> {
    if board().arch != Arch::X86_64 || board().machine.bus == corm_qemu::board::Bus::Mmio {
        // Only q35 has a PC keyboard; the signal itself is tested with kill -INT.
        assert_eq!(ends_by("kill -INT 1")?.0, End::Reboot);
        return Ok(());
    }
    let machine = boot(&probe(&[], "echo up; sleep 1000"))?;
    machine.wait_for("probe: up")?;
    machine.ctrl_alt_del()?;
    assert_eq!(machine.wait_end()?, End::Reboot);
    Ok(())
}

#[test]
fn workloads_stop_in_reverse_order_each_with_its_own_signal() -> Result<()> {
    let config = r#"
[workload.base]
command = ["/bin/busybox", "sh", "-c", "trap 'echo base got TERM; exit 0' TERM; while :; do /bin/busybox usleep 50000; done"]

[workload.top]
command = ["/bin/busybox", "sh", "-c", "trap 'echo top got INT; /bin/busybox usleep 300000; echo top is done; exit 0' INT; while :; do /bin/busybox usleep 50000; done"]
after = ["base"]
stop = { signal = "INT" }

[workload.ask]
command = ["/bin/sh", "-c", "sleep 1; poweroff; sleep 1000"]
privileged = true
"#;
    let machine = boot(config)?;
    assert_eq!(machine.wait_end()?, End::PowerOff);
    let console = machine.console();
    let at = |text: &str| console.find(text).unwrap_or_else(|| panic!("no {text:?}:\n{console}"));
    assert!(at("top got INT") < at("top is done"), "{console}");
    assert!(at("top is done") < at("base got TERM"), "{console}");
    Ok(())
}

#[test]
fn one_that_ignores_its_signal_is_killed_after_its_timeout() -> Result<()> {
    let config = r#"
[workload.stubborn]
command = ["/bin/busybox", "sh", "-c", "trap '' TERM; echo ignoring; while :; do /bin/busybox sleep 1; done"]
stop = { timeout = "700ms" }

[workload.deaf]
command = ["/bin/busybox", "sleep", "1000"]
stop = { timeout = "10m" }
"#;
    let ask = probe(&["stubborn", "deaf"], "sleep 1; poweroff; sleep 1000");
    let machine = boot(&(config.to_owned() + &ask))?;
    assert_eq!(machine.wait_end()?, End::PowerOff);
    assert_said(&machine.console(), "stubborn: did not stop in time");
    Ok(())
}

#[test]
fn what_is_mounted_is_unmounted_and_written() -> Result<()> {
    // A disk with an ext4 would want mkfs on the host; a loop device on /run is enough to see the order.
    let script = r#"
mkdir -p /run/inner && mount -t tmpfs none /run/inner && touch /run/inner/file
poweroff
sleep 1000
"#;
    let machine = boot(&probe(&[], script))?;
    assert_eq!(machine.wait_end()?, End::PowerOff);
    let console = machine.console();
    assert_not_said(&console, "cannot unmount");
    Ok(())
}

#[test]
fn the_exit_with_workloads_status_reaches_the_host() -> Result<()> {
    let config = r#"
[system]
exit-with = "cmd"
exit-report = "/dev/vport0p1"
[workload.cmd]
command = ["/bin/busybox", "sh", "-c", "exit 42"]
restart = "never"
"#;
    let options = Options { ports: vec!["corm.status".to_owned()], ..Options::default() };
    let mut machine = boot_with(image(config), &options)?;
    let mut port = machine.take_port(0).expect("the first port");
    assert_eq!(machine.wait_end()?, End::PowerOff);
    let mut status = String::new();
    std::io::Read::read_to_string(&mut port, &mut status)?;
    assert_eq!(status, "42\n", "{}", machine.console());
    Ok(())
}

#[test]
fn without_a_port_the_status_is_a_line_on_the_console() -> Result<()> {
    let config = r#"
[system]
exit-with = "cmd"
[workload.cmd]
command = ["/bin/busybox", "sh", "-c", "kill -KILL $$"]
namespaces = { pid = "host" }
restart = "never"
"#;
    let machine = boot(config)?;
    machine.wait_for("corm: exit status 137")?;
    assert_eq!(machine.wait_end()?, End::PowerOff);
    Ok(())
}
