//! What a machine looks like once corm has set it up.

use anyhow::Result;
use corm_qemu::Options;
use corm_tests::*;

const MACHINE: &str = r#"
[system]
hostname = "edge-01"
sysctl = { "kernel.panic" = 10, "net.ipv4.ip_forward" = 1, "no.such.key" = 1 }
modules = ["veth", "no_such_module"]
"#;

#[test]
fn filesystems_are_mounted_with_the_flags_that_belong_there() -> Result<()> {
    let machine = boot(&probe(&[], "sed 's/^/mount /' /proc/mounts"))?;
    let seen = Seen::by_probe(&machine)?;
    for (target, kind, flags) in [
        ("/dev", "devtmpfs", &["rw", "nosuid", "noexec"][..]),
        ("/proc", "proc", &["nosuid", "nodev", "noexec"]),
        ("/sys", "sysfs", &["nosuid", "nodev", "noexec"]),
        ("/sys/fs/cgroup", "cgroup2", &["nosuid", "nodev", "noexec"]),
        ("/dev/pts", "devpts", &["nosuid", "noexec"]),
        ("/dev/shm", "tmpfs", &["nosuid", "nodev", "noexec"]),
        ("/run", "tmpfs", &["nosuid", "nodev", "noexec"]),
        ("/tmp", "tmpfs", &["nosuid", "nodev"]),
    ] {
        // "mount SOURCE TARGET TYPE OPTIONS 0 0"
        let found = seen.lines().iter().map(|line| line.split(' ').collect::<Vec<_>>()).find(|words| {
            words.first() == Some(&"mount") && words.get(2) == Some(&target) && words.get(3) == Some(&kind)
        });
        let options: Vec<&str> = match &found {
            Some(words) => words[4].split(',').collect(),
            None => panic!("no {kind} on {target}:\n{seen}"),
        };
        for flag in flags {
            assert!(options.contains(flag), "{target} lacks {flag}: {options:?}");
        }
    }
    Ok(())
}

#[test]
fn the_machine_is_set_up_as_the_config_says() -> Result<()> {
    let script = r#"
echo hostname=$(hostname)
echo panic=$(cat /proc/sys/kernel/panic)
echo forward=$(cat /proc/sys/net/ipv4/ip_forward)
echo controllers=$(cat /sys/fs/cgroup/cgroup.subtree_control)
echo loopback=$(cat /sys/class/net/lo/flags)
echo veth=$(test -d /sys/module/veth && echo loaded)
for fd in 0 1 2; do echo fd$fd=$(readlink /proc/1/fd/$fd); done
echo tmp=$(stat -c %a /tmp) shm=$(stat -c %a /dev/shm)
sleep 1
dmesg | grep ' corm: '
"#;
    let machine = boot(&(MACHINE.to_owned() + &probe(&[], script)))?;
    let seen = Seen::by_probe(&machine)?;
    assert_eq!(seen.value("hostname")?, "edge-01");
    assert_eq!(seen.value("panic")?, "10");
    assert_eq!(seen.value("forward")?, "1");
    assert_eq!(seen.value("veth")?, "loaded");
    assert_eq!(seen.value("tmp")?, "1777 shm=1777");
    for controller in ["cpu", "memory", "pids"] {
        assert!(
            seen.value("controllers")?.split(' ').any(|name| name == controller),
            "{controller}:\n{seen}"
        );
    }
    // IFF_UP is bit 0 of /sys/class/net/lo/flags.
    assert_eq!(seen.value("loopback")?, "0x9");
    for fd in ["fd0", "fd1", "fd2"] {
        let file = seen.value(fd)?;
        assert!(file.starts_with("/dev/") && file != "/dev/null", "{fd} of PID 1:\n{seen}");
    }
    let console = machine.console();
    assert_said(&console, "no_such_module");
    assert_said(&console, "no.such.key");
    // The banner: what it is, what it runs on.
    let banner = said_by("corm", &console).into_iter().find(|line| line.contains("Linux 6."));
    let banner = banner.unwrap_or_else(|| panic!("no banner:\n{console}"));
    assert!(banner.contains(env!("CARGO_PKG_VERSION")), "{banner}");
    Ok(())
}

#[test]
fn the_kernel_command_line_masks_workloads_and_odd_parameters_are_named() -> Result<()> {
    let config = r#"
[workload.quiet]
command = ["/bin/busybox", "echo", "I should be masked"]
restart = "never"
[workload.loud]
command = ["/bin/busybox", "echo", "I run"]
restart = "never"
"#;
    let config = config.to_owned() + &probe(&["loud"], "dmesg | grep ' corm: '");
    let options = Options {
        append: "corm.mask=quiet corm.mask=loud,quiet corm.msak=loud".to_owned(),
        ..Options::default()
    };
    let machine = boot_with(image(&config), &options)?;
    wait_for_all(&machine, &["loud: I run", "probe: the end"])?;
    // The kernel log has what a busy console did not get.
    assert_said(&machine.console(), "corm.msak");
    assert_said(&machine.console(), "corm.mask=loud,quiet: the config has no such workload");
    let console = machine.console();
    assert_not_said(&console, "quiet: I should be masked");
    Ok(())
}

#[test]
fn drop_ins_add_workloads_in_name_order() -> Result<()> {
    let workload = |name: &str| {
        format!(
            "[workload.{name}]\ncommand = [\"/bin/busybox\", \"echo\", \"from {name}\"]\nrestart = \"never\"\n"
        )
    };
    let image = image(&workload("main"))
        .file("/etc/corm.d/20-b.toml", workload("second"), 0o644)
        .file("/etc/corm.d/10-a.toml", workload("first"), 0o644)
        .file("/etc/corm.d/30-c.toml.off", workload("off"), 0o644);
    let machine = boot_with(image, &Options::default())?;
    wait_for_all(&machine, &["main: from main", "first: from first", "second: from second"])?;
    assert_not_said(&machine.console(), "from off");
    Ok(())
}

#[test]
fn a_mount_of_the_config_is_there_before_the_workloads() -> Result<()> {
    let config = r#"
[mount."/data"]
source = "tmpfs"
type = "tmpfs"
options = ["noexec", "nosuid", "nodev", "size=1m", "mode=750"]
"#;
    let machine = boot(&(config.to_owned() + &probe(&[], "echo data=$(grep ' /data ' /proc/mounts)")))?;
    let seen = Seen::by_probe(&machine)?;
    for word in ["tmpfs /data tmpfs", "noexec", "nosuid", "nodev", "size=1024k", "mode=750"] {
        assert!(seen.value("data")?.contains(word), "{word}:\n{seen}");
    }
    Ok(())
}
