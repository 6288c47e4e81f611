//! What a config comes to, key by key.

use super::*;

#[test]
fn a_machine_with_everything_reads_as_it_is_written() {
    let config = fine(
        r#"
[system]
hostname = "edge-01"
modules = ["virtio_net", "nf-tables"]
sysctl = { "kernel.panic" = 10, "net.ipv4.ip_forward" = "1" }
on-failure = "rescue"
poweroff = "reboot"
exit-with = "web"
exit-report = "/dev/vport0p1"
rescue = ["/bin/sh", "-l"]

[mount."/data"]
source = "/dev/vda1"
type = "ext4"
options = ["noatime", "nosuid"]
required = true

[network]
eth0 = { address = "10.0.2.15/24", gateway = "10.0.2.2" }

[workload.broker]
command = ["/bin/broker"]

[workload.web]
command = ["/bin/httpd", "-f"]
root = "/srv/web"
user = "1000:1001"
env = { TZ = "UTC" }
directory = "/www"
restart = "on-failure"
backoff = { first = "1s", most = "1m", reset = "1h" }
after = ["broker"]
stop = { signal = "RTMIN+3", timeout = "500ms" }
critical = true
early = true
stdio = { stdout = "/dev/ttyS1" }
namespaces = { pid = "host" }
network = { mode = "host" }

[workload.web.limits]
memory = "64M"
memory-high = "48M"
swap = 0
cpu = "50%"
cpu-weight = 200
cpus = "0-1,3"
mems = "0"
pids = "max"
files = 99
core = "max"
stack = "8M"
locked-memory = "64K"
file-size = "1G"

[workload.web.volumes]
"/www" = { source = "/data/www" }
"/data" = { source = "/data/web", writable = true }
"/tmp" = { tmpfs = "8M" }
"#,
    );
    let text = |string: Str| core::str::from_utf8(config.bytes(string)).unwrap();
    let texts = |list| config.words(list).iter().map(|word| text(*word)).collect::<Vec<_>>();
    let pairs =
        |list| config.pairs(list).iter().map(|pair| (text(pair.key), text(pair.value))).collect::<Vec<_>>();
    let system = &config.system;
    assert_eq!(system.hostname.map(text), Some("edge-01"));
    assert_eq!(texts(system.modules), ["virtio_net", "nf-tables"]);
    assert_eq!(pairs(system.sysctl), [("kernel.panic", "10"), ("net.ipv4.ip_forward", "1")]);
    assert_eq!(system.on_failure, OnFailure::Rescue);
    assert_eq!(system.poweroff, FinalAction::Reboot);
    assert_eq!(system.exit_with, Some(WorkloadId(1)));
    assert_eq!(system.exit_report.map(text), Some("/dev/vport0p1"));
    assert_eq!(texts(system.rescue), ["/bin/sh", "-l"]);

    let [mount] = config.mounts.as_slice() else { panic!() };
    assert_eq!((text(mount.target), text(mount.source), text(mount.kind)), ("/data", "/dev/vda1", "ext4"));
    assert_eq!((texts(mount.options), mount.required), (vec!["noatime", "nosuid"], true));
    assert_eq!(config.c_str(mount.target), c"/data");

    let [interface] = config.interfaces.as_slice() else { panic!() };
    assert_eq!((text(interface.name), texts(interface.addresses)), ("eth0", vec!["10.0.2.15/24"]));
    assert_eq!(texts(interface.gateways), ["10.0.2.2"]);

    let web = config.workload(WorkloadId(1)).unwrap();
    assert_eq!(text(web.name), "web");
    assert_eq!(texts(web.command), ["/bin/httpd", "-f"]);
    assert!(matches!(web.root, Root::Directory(path) if text(path) == "/srv/web"));
    assert_eq!(web.user, User::Ids { uid: 1000, gid: 1001 });
    assert_eq!(pairs(web.env), [("TZ", "UTC")]);
    assert_eq!(web.directory.map(text), Some("/www"));
    assert_eq!(web.restart, Restart::OnFailure);
    assert_eq!(web.backoff, Backoff { first: 1000, most: 60_000, reset: 3_600_000, ..Backoff::DEFAULT });
    assert_eq!(config.edges(web.after), [WorkloadId(0)]);
    assert_eq!(web.stop, Stop { signals: 37, timeout: 500 });
    assert!(web.critical && web.early && !web.privileged && web.host.has(Spaces::PID));
    assert_eq!(web.network, Network::Host);
    let Stdio::Devices { stdin, stdout, stderr } = web.stdio else { panic!() };
    assert_eq!((text(stdin), text(stdout), text(stderr)), ("/dev/null", "/dev/ttyS1", "/dev/null"));
    let limits: Vec<_> = config.settings(web.limits).iter().map(|it| (it.limit, it.value)).collect();
    assert_eq!(limits.iter().filter(|(limit, _)| !matches!(limit, Limit::Cpus | Limit::Mems)).count(), 12);
    for (limit, value) in [
        (Limit::Memory, 64 << 20),
        (Limit::MemoryHigh, 48 << 20),
        (Limit::Swap, 0),
        (Limit::OomGroup, 1),
        (Limit::Cpu, 50_000),
        (Limit::CpuWeight, 200),
        (Limit::Pids, MAX),
        (Limit::Files, 99),
        (Limit::Core, MAX),
        (Limit::Stack, 8 << 20),
        (Limit::LockedMemory, 64 << 10),
        (Limit::FileSize, 1 << 30),
    ] {
        assert!(limits.contains(&(limit, value)), "{limit:?}: {limits:?}");
    }
    assert_eq!((config.limit(web, Limit::Pids), config.limit(web, Limit::Files)), (None, Some(99)));
    let list = |limit| text(config.settings(web.limits).iter().find(|it| it.limit == limit).unwrap().text());
    assert_eq!((list(Limit::Cpus), list(Limit::Mems)), ("0-1,3", "0"));
    let volumes: Vec<_> =
        config.volumes(web.volumes).iter().map(|volume| (text(volume.target), volume.source)).collect();
    assert_eq!(volumes[2], ("/tmp", VolumeSource::Tmpfs { size: 8 << 20, mode: 0o700, owner: None }));
    let [
        ("/www", VolumeSource::Directory { source, writable: false }),
        ("/data", VolumeSource::Directory { writable: true, .. }),
        _,
    ] = volumes[..]
    else {
        panic!()
    };
    assert_eq!(text(source), "/data/www");
}

#[test]
fn limits_are_in_the_kernels_units() {
    use Limit::*;
    let config = fine(include_str!("../../../tests/config/good/limits-all.toml"));
    let web = &config.workloads[0];
    let value = |limit| config.setting(web, limit).unwrap_or_else(|| panic!("{limit:?}"));
    for (limit, wanted) in [
        (MemoryLow, 1 << 20),
        (MemoryMin, 2 << 20),
        (OomGroup, 0),
        (IoWeight, 50),
        (Huge2M, 64 << 20),
        (Huge1G, MAX),
        (MemoryPressure, 10_000),
        (CpuPressure, 100_000),
        (IoPressure, 1000),
        // Seconds, rounded up; microseconds.
        (CpuTime, 2),
        (RealtimeTime, 200_000),
        (Processes, 7),
        (FileLocks, 20),
        // 20 - nice.
        (NiceCeiling, 25),
        (RealtimePriority, 50),
        // From the least.
        (Nice, 10),
        (OomScore, 1500),
        (IoPriority, 2 << 13 | 7),
        (Scheduler, 3 << 13),
    ] {
        assert_eq!(value(limit), wanted, "{limit:?}");
    }
    let disks = config.settings(web.limits).iter().skip_while(|it| it.limit != IoDevice);
    let disks: Vec<_> = disks
        .map(|it| match it.limit {
            IoDevice => (it.limit, config.bytes(it.text()).len() as u64),
            _ => (it.limit, it.value),
        })
        .collect();
    assert_eq!(
        disks,
        [
            (IoDevice, 5),
            (IoRead, 10 << 20),
            (IoWriteOperations, 100),
            (IoDevice, 8),
            (IoWrite, MAX),
            (IoReadOperations, 5)
        ]
    );
}

#[test]
fn every_limit_has_its_key_and_a_name() {
    use super::super::schema::Key;
    let keys = |section: Key| crate::text::words(section.names(), b' ');
    let named = keys(Key::Limits).filter(|name| !matches!(*name, b"io" | b"hugetlb"));
    let all: Vec<_> = named.chain(keys(Key::HugePages)).chain(keys(Key::Io)).collect();
    assert_eq!(all.len(), Limit::ALL.len());
    for limit in Limit::ALL {
        let name = core::str::from_utf8(limit.name()).unwrap();
        assert_ne!(name, "?");
        if limit.is_of_process() {
            // What is no file of the cgroup has the name of its key, and the key leads to it.
            let (_, key) = Key::Limits.key(limit.name()).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(key as usize - Key::Memory as usize, *limit as usize, "{name}");
        }
    }
    assert_eq!((Limit::Pids.name(), Limit::Scheduler.name()), (&b"pids.max"[..], &b"scheduler"[..]));
    assert_eq!((Limit::RealtimeTime.resource(), Limit::CpuTime.resource()), (Some(15), Some(0)));
    assert_eq!((Limit::Nice.resource(), Limit::Memory.resource()), (None, None));
}

#[test]
fn rights_are_what_the_config_names() {
    let config = fine(
        r#"
[workload.one]
command = ["/bin/one"]
namespaces = { user = "host" }
security = { capabilities = ["net-bind-service", "CAP_SYS_TIME", "checkpoint-restore", "chown"], seccomp = "strict" }
[workload.two]
command = ["/bin/two"]
security.seccomp = { allow = ["@default", "mount"], deny = ["ptrace"], action = "kill" }
[workload.three]
command = ["/bin/three"]
security.seccomp = { deny = ["socket"], action = "log" }
[workload.four]
command = ["/bin/four"]
security.seccomp = "off"
[workload.five]
command = ["/bin/five"]
security.seccomp = { allow = [] }
"#,
    );
    let texts = |list| -> Vec<_> {
        config.words(list).iter().map(|word| core::str::from_utf8(config.bytes(*word)).unwrap()).collect()
    };
    let [one, two, three, four, five] = config.workloads.as_slice() else { panic!() };
    assert_eq!(one.capabilities, 1 << 10 | 1 << 25 | 1 << 40 | 1);
    assert!(has(one.capabilities, 40) && !has(one.capabilities, 39) && !has(one.capabilities, 200));
    assert_eq!((one.seccomp.base, one.seccomp.refusal), (Base::Strict, Refusal::Errno));
    assert_eq!((two.capabilities, two.seccomp.base, two.seccomp.refusal), (0, Base::Own, Refusal::Kill));
    assert_eq!(
        (texts(two.seccomp.allow), texts(two.seccomp.deny)),
        (vec!["@default", "mount"], vec!["ptrace"])
    );
    assert_eq!((three.seccomp.base, three.seccomp.refusal), (Base::Default, Refusal::Log));
    assert_eq!(four.seccomp.base, Base::Off);
    assert_eq!((five.seccomp.base, five.seccomp.allow.len()), (Base::Own, 0));
}

#[test]
fn every_capability_has_the_kernels_number() {
    use super::super::form::capability;
    let known = [
        (&b"chown"[..], 0),
        (b"CAP_DAC_OVERRIDE", 1),
        (b"setpcap", 8),
        (b"net-bind-service", 10),
        (b"CAP_NET_RAW", 13),
        (b"sys-admin", 21),
        (b"CAP_SYS_TTY_CONFIG", 26),
        (b"mknod", 27),
        (b"CAP_SETFCAP", 31),
        (b"syslog", 34),
        (b"CAP_BPF", 39),
        (b"checkpoint-restore", 40),
    ];
    for (name, number) in known {
        assert_eq!(capability(name), Some(number), "{}", core::str::from_utf8(name).unwrap());
    }
    for name in ["", "CAP_", "cap_chown", "CHOWN", "net_raw", "CAP_NET-RAW", "CAP_net_raw", "all", "chow"] {
        assert_eq!(capability(name.as_bytes()), None, "{name}");
    }
}

/// What the machine does for a workload that says nothing.
#[test]
fn a_workload_that_says_nothing_is_walled_in() {
    let config = fine("[workload.web]\ncommand = [\"/bin/web\"]\n");
    let web = &config.workloads[0];
    assert_eq!(
        (web.root, web.network, web.stdio, web.restart),
        (Root::Scratch, Network::None, Stdio::Log, Restart::Always)
    );
    assert!(!web.privileged && !web.host.has(Spaces::PID) && !web.critical && !web.early);
    assert_eq!((web.backoff, web.stop), (Backoff::DEFAULT, Stop::DEFAULT));
    let limits: Vec<_> = config.settings(web.limits).iter().map(|it| (it.limit, it.value)).collect();
    assert_eq!(limits, [(Limit::OomGroup, 1), (Limit::Pids, 512), (Limit::Core, 0), (Limit::Files, 1024)]);
    assert!(matches!(web.user, User::Auto { first } if first >= 65_536));
    assert_eq!((web.capabilities, web.seccomp.base, web.seccomp.refusal), (0, Base::Default, Refusal::Errno));
}

#[test]
fn a_privileged_workload_is_what_it_gets() {
    let config = fine(
        "[workload.a]\ncommand = [\"/a\"]\nprivileged = true\n[workload.b]\ncommand = [\"/b\"]\nprivileged = true\nuser = 5\n",
    );
    let [a, b] = config.workloads.as_slice() else { panic!() };
    assert!(matches!(a.root, Root::Directory(path) if config.bytes(path) == b"/"));
    assert_eq!(a.seccomp.base, Base::Off);
    assert_eq!(
        (a.network, a.host.has(Spaces::PID), a.user),
        (Network::Host, true, User::Ids { uid: 0, gid: 0 })
    );
    assert_eq!(b.user, User::Ids { uid: 5, gid: 5 });
}

/// Files in volumes belong to these ids: the numbers are a promise.
#[test]
fn auto_ids_are_the_same_for_ever() {
    let first = |name: &str| {
        let config = fine(&format!("[workload.{name}]\ncommand = [\"/a\"]\n"));
        match config.workloads[0].user {
            User::Auto { first } => first,
            User::Ids { .. } => panic!(),
        }
    };
    assert_eq!([first("web"), first("db"), first("a"), first("broker")], AUTO_IDS);
}

const AUTO_IDS: [u32; 4] = [1_889_402_880, 1_229_062_144, 1_878_327_296, 526_778_368];

#[test]
fn auto_ids_are_apart_whatever_the_order_of_the_file() {
    let read = |names: &[usize], ids: &str| {
        let text: String =
            names.iter().map(|name| format!("[workload.w{name}]\ncommand = [\"/a\"]\n")).collect();
        let config = fine(&(text + ids));
        let mut users: Vec<_> = config
            .workloads
            .iter()
            .map(|workload| (config.bytes(workload.name).to_vec(), workload.user))
            .collect();
        users.sort_by(|one, other| one.0.cmp(&other.0));
        users
    };
    let all: Vec<usize> = (0..250).collect();
    let reversed: Vec<usize> = all.iter().rev().copied().collect();
    let users = read(&all, "");
    assert_eq!(users, read(&reversed, ""));
    let mut firsts: Vec<u32> = users
        .iter()
        .map(|(_, user)| match user {
            User::Auto { first } => *first,
            User::Ids { .. } => panic!(),
        })
        .collect();
    assert!(firsts.iter().all(|first| first % 65_536 == 0 && (65_536..1 << 31).contains(first)));
    firsts.sort_unstable();
    firsts.dedup();
    assert_eq!(firsts.len(), 250);
    // Ids that are written down are nobody else's.
    let User::Auto { first } = users[0].1 else { panic!() };
    let taken = format!("[workload.z]\ncommand = [\"/z\"]\nuser = \"7:{}\"\n", first + 99);
    let User::Auto { first: moved } = read(&all, &taken)[0].1 else { panic!() };
    assert_ne!(moved, first);
}

#[test]
fn every_table_of_the_schema_is_in_order_and_explained() {
    use super::super::schema::Key;
    let book = include_str!("../../../docs/config.md");
    for (section, title, help) in Key::SECTIONS {
        let names: Vec<_> = crate::text::words(section.names(), b' ')
            .map(|name| core::str::from_utf8(name).unwrap())
            .collect();
        assert_eq!(names.len(), help.len(), "{title}");
        for (name, help) in names.iter().zip(*help) {
            assert!(section.key(name.as_bytes()).is_some(), "{name}");
            assert!(name.len() < 32, "{name} is longer than a key can be");
            assert!(help.ends_with('.'), "{name}: {help}");
            let row = format!("| `{name}` |");
            let part = book.split("\n## ").find(|part| part.trim_start_matches('`').starts_with(title));
            let part = part.unwrap_or_else(|| panic!("docs/config.md has no part `{title}`"));
            assert!(part.contains(&row), "docs/config.md: `{title}` does not explain `{name}`");
        }
    }
}
