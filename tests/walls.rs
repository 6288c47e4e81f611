//! The walls around a workload: seen from outside, and pushed against from inside.

use anyhow::Result;
use corm_tests::*;

/// Ends, from outside, with what the kernel says about the workload `box`.
const LOOK: &str = r#"
group=/sys/fs/cgroup/box
pid=$(head -n 1 $group/cgroup.procs)
for ns in pid mnt uts ipc cgroup net user; do
    test "$(readlink /proc/$pid/ns/$ns)" = "$(readlink /proc/1/ns/$ns)" && echo $ns=shared || echo $ns=own
done
echo id_maps=$(cat /proc/$pid/uid_map /proc/$pid/gid_map | tr '\n' ' ')
grep -E '^(Cap...|NoNewPrivs|Seccomp|Uid|Gid|Groups):' /proc/$pid/status | sed 's/:[[:space:]]*/=/; s/[[:space:]]/ /g'
for file in memory.max memory.high memory.swap.max memory.oom.group cpu.max cpu.weight pids.max cpuset.cpus; do
    echo $file=$(cat $group/$file)
done
grep -E '^Max (open files|core file size)' /proc/$pid/limits | sed 's/  */ /g; s/^Max open files /files=/; s/^Max core file size /core=/'
echo root=$(awk '$5 == "/" {print $6}' /proc/$pid/mountinfo)
sed 's/^/mountinfo /' /proc/$pid/mountinfo
echo fds=$(ls /proc/$pid/fd | tr '\n' ' ')
echo environ=$(tr '\0' ' ' < /proc/$pid/environ)
"#;

const BOX: &str = r#"
[workload.box]
command = ["/bin/busybox", "sleep", "1000"]
env = { COLOUR = "green" }

[workload.box.limits]
memory = "24M"
memory-high = "20M"
swap = 0
cpu = "50%"
cpu-weight = 50
cpus = "0"
pids = 7
files = 99
"#;

#[test]
fn a_workload_that_asks_for_nothing_is_walled_in() -> Result<()> {
    let machine = boot(&(BOX.to_owned() + &probe(&["box"], LOOK)))?;
    let seen = Seen::by_probe(&machine)?;
    for namespace in ["pid", "mnt", "uts", "ipc", "cgroup", "net", "user"] {
        assert_eq!(seen.value(namespace)?, "own", "{namespace} namespace:\n{seen}");
    }
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(seen.value(set)?, "0000000000000000", "{set}");
    }
    assert_eq!(seen.value("NoNewPrivs")?, "1");
    assert_eq!(seen.value("Seccomp")?, "2");
    let uids: Vec<u32> = seen.value("Uid")?.split(' ').map(|uid| uid.parse().unwrap()).collect();
    let first = uids[0] - 65_532;
    assert!(
        first >= 65_536 && first.is_multiple_of(65_536) && uids.iter().all(|uid| *uid == uids[0]),
        "{uids:?}"
    );
    let maps: Vec<u32> = seen.value("id_maps")?.split_whitespace().flat_map(str::parse).collect();
    assert_eq!(maps, [0, first, 65_536, 0, first, 65_536]);
    assert_eq!(seen.value("Groups")?, "");
    assert_eq!(seen.value("memory.max")?, (24 << 20).to_string());
    assert_eq!(seen.value("memory.high")?, (20 << 20).to_string());
    assert_eq!(seen.value("memory.oom.group")?, "1");
    assert_eq!(seen.value("cpu.max")?, "50000 100000");
    assert_eq!(seen.value("cpu.weight")?, "50");
    assert_eq!(seen.value("cpuset.cpus")?, "0");
    assert_eq!(seen.value("pids.max")?, "7");
    assert!(seen.value("files")?.starts_with("99 99"), "{seen}");
    assert!(seen.value("core")?.starts_with("0 0"), "{seen}");
    assert!(seen.value("root")?.split(',').any(|flag| flag == "ro"), "the root is writable:\n{seen}");
    assert_eq!(seen.value("fds")?.trim(), "0 1 2");
    let environ = seen.value("environ")?;
    assert!(environ.contains("COLOUR=green") && environ.contains("CORM_WORKLOAD=box"), "{environ}");
    // None of the machine's own mounts is in sight but the program's own file.
    assert!(!seen.has("devtmpfs"), "{seen}");
    let groups: Vec<_> = seen.lines().iter().filter(|line| line.contains("cgroup2")).collect();
    assert!(groups.len() == 1 && groups[0].contains(" /sys/fs/cgroup ro,"), "{groups:?}");
    for mount in ["/proc/keys ro,", "/proc/sys ro,", "/sys ro,", "/dev/mqueue rw,nosuid,nodev,noexec"] {
        assert!(seen.has(&format!(" {mount}")), "{mount}:\n{seen}");
    }
    assert!(!machine.console().contains("does not guard devices"), "{}", machine.console());
    let of_machine: Vec<_> = seen.lines().iter().filter(|line| line.contains(" rootfs ")).collect();
    assert!(
        of_machine.len() == 1 && of_machine[0].contains(" /bin/busybox ro,nosuid,nodev"),
        "{of_machine:?}"
    );
    Ok(())
}

/// What the shell inside can do. Each line is `name=result`.
const PUSH: &str = r#"
echo uid=$(id -u) gid=$(id -g) groups=$(id -G)
echo pid=$$
echo hostname=$(hostname)
touch /here 2>/dev/null && echo root=writable || echo root=read-only
touch /bin/here 2>/dev/null && echo bin=writable || echo bin=read-only
echo interfaces=$(ls /sys/class/net 2>/dev/null; grep -c : /proc/net/dev)
echo processes=$(ls -d /proc/[0-9]* | wc -l)
echo dev=$(ls /dev | tr '\n' ' ')
touch /tmp/here && echo tmp=writable || echo tmp=read-only
mknod /tmp/disk b 8 0 2>/dev/null && echo mknod=done || echo mknod=refused
mount -t tmpfs none /tmp 2>/dev/null && echo mount=done || echo mount=refused
hostname other 2>/dev/null && echo sethostname=done || echo sethostname=refused
cp /bin/busybox /tmp/busybox && /tmp/busybox true 2>/dev/null && echo tmpexec=done || echo tmpexec=refused
echo x > /dev/null && echo null=writable
head -c 4 /dev/zero | wc -c | sed 's/^/zero=/'
head -c 4 /dev/urandom | wc -c | sed 's/^/urandom=/'
dd if=/dev/zero of=/tmp/big bs=1k count=4000 2>/dev/null && echo big=done || echo big=refused
for file in /data/*; do echo data=$file; done
touch /data/here 2>/dev/null && echo data-write=done || echo data-write=refused
touch /out/here 2>/dev/null && echo out-write=done || echo out-write=refused
echo stdin=$(cat | wc -c)
echo the end
"#;

#[test]
fn from_inside_every_wall_stands() -> Result<()> {
    let config = format!(
        "[workload.inside]\ncommand = [\"/bin/sh\", \"-c\", '''\n{PUSH}''']\nroot = \"/srv/root\"\nrestart = \"never\"\n\
         user = \"1234:5678\"\n\
         [workload.inside.volumes]\n\"/tmp\" = {{ tmpfs = \"2M\" }}\n\"/data\" = {{ source = \"/srv/data\" }}\n\
         \"/out\" = {{ source = \"/srv/out\", writable = true }}\n"
    );
    let mut image =
        image(&config).host_file("/srv/root/bin/busybox", corm_qemu::busybox::binary(board().arch)?);
    for applet in corm_qemu::busybox::APPLETS.split_whitespace() {
        image = image.symlink(&format!("/srv/root/bin/{applet}"), "busybox");
    }
    for directory in ["proc", "dev", "tmp", "data", "out"] {
        image = image.directory(&format!("/srv/root/{directory}"), 0o755);
    }
    let image = image.file("/srv/data/file", "x", 0o644).directory("/srv/out", 0o777);
    let machine = boot_with(image, &corm_qemu::Options::default())?;
    machine.wait_for("inside: the end")?;
    let said = said_by("inside", &machine.console());
    for expected in [
        "uid=1234 gid=5678 groups=5678",
        "pid=1",
        "hostname=inside",
        "root=read-only",
        "bin=read-only",
        "interfaces=1",
        "dev=fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ",
        "tmp=writable",
        "mknod=refused",
        "mount=refused",
        "sethostname=refused",
        "tmpexec=refused",
        "null=writable",
        "zero=4",
        "urandom=4",
        "big=refused",
        "data=/data/file",
        "data-write=refused",
        "out-write=done",
        "stdin=0",
    ] {
        assert!(
            said.iter().any(|line| line.trim_end() == expected.trim_end()),
            "no {expected:?} in {said:#?}"
        );
    }
    Ok(())
}

#[test]
fn privileged_is_the_machine_itself() -> Result<()> {
    let script = r#"
for ns in pid mnt uts ipc net cgroup; do
    test "$(readlink /proc/self/ns/$ns)" = "$(readlink /proc/1/ns/$ns)" && echo $ns=shared || echo $ns=own
done
grep -E '^(CapEff|Uid):' /proc/self/status | sed 's/:[[:space:]]*/=/'
touch /here && echo root=writable
echo group=$(cat /proc/self/cgroup)
"#;
    let machine = boot(&probe(&[], script))?;
    let seen = Seen::by_probe(&machine)?;
    for namespace in ["pid", "mnt", "uts", "ipc", "net", "cgroup"] {
        assert_eq!(seen.value(namespace)?, "shared", "{namespace} namespace");
    }
    assert!(seen.value("CapEff")?.ends_with("fffffffff"), "{seen}");
    assert_eq!(seen.value("root")?, "writable");
    assert_eq!(seen.value("group")?, "0::/probe");
    Ok(())
}

/// Tries to make a user namespace, which takes no right at all but the system call.
const TRY: &str = "unshare -U true 2>/dev/null && echo unshare=done || echo unshare=refused; echo the end";

/// A workload that runs this in the machine's root, and its `security`.
fn tries(name: &str, script: &str, security: &str) -> String {
    format!(
        "[workload.{name}]\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\nroot = \"/\"\nrestart = \"never\"\n\
         security = {{ {security} }}\n"
    )
}

#[test]
fn system_calls_are_filtered_and_a_killed_workload_is_named() -> Result<()> {
    let config = tries("plain", TRY, "")
        + &tries("strict", TRY, "seccomp = \"strict\"")
        + &tries("open", TRY, "seccomp = \"off\"")
        + &tries("logged", TRY, "seccomp = { action = \"log\" }")
        + &tries("killed", "exec unshare -U true", "seccomp = { action = \"kill\" }");
    let machine = boot(&config)?;
    let names = ["plain", "strict", "open", "logged"];
    let ends = names.map(|name| format!("{name}: the end"));
    wait_for_all(&machine, &ends.each_ref().map(String::as_str))?;
    machine.wait_for("killed: a system call that its seccomp filter forbids")?;
    let console = machine.console();
    for (name, wanted) in names.into_iter().zip(["refused", "refused", "done", "done"]) {
        let said = said_by(name, &console);
        assert!(said.contains(&format!("unshare={wanted}")), "{name}: {said:?}");
    }
    Ok(())
}

#[test]
fn a_workload_keeps_the_capabilities_it_is_given_and_no_others() -> Result<()> {
    let security = "[workload.box.security]\ncapabilities = [\"net-bind-service\", \"sys-admin\"]\n";
    let machine = boot(&(BOX.to_owned() + security + &probe(&["box"], LOOK)))?;
    let seen = Seen::by_probe(&machine)?;
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(seen.value(set)?, "0000000000200400", "{set}");
    }
    assert_eq!(seen.value("NoNewPrivs")?, "1");
    assert_eq!(seen.value("Seccomp")?, "2");
    assert!(seen.value("Uid")?.split(' ').all(|uid| uid != "0"), "{seen}");
    Ok(())
}
