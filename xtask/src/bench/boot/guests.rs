//! The images that are measured. Every init gets the same job: the mounts of
//! corm's src/boot/mounts.rs, then `hello`.

use anyhow::{Context, Result};
use corm_qemu::{Board, Image, busybox, device};
use std::fmt::Write as _;
use std::fs;

/// Workloads of a machine with many.
pub const MANY: usize = 32;

/// `stop.timeout` of the workload that ignores SIGTERM.
pub const DEAF_TIMEOUT_MS: f64 = 1000.0;

/// What `meter` says before it asks for the end; printed by the kernel, with its time.
pub const ASKS_FOR_POWEROFF: &str = "bench: poweroff";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Init {
    Floor,
    Corm,
    Busybox,
}

impl Init {
    /// The floor first: the others are compared with it.
    pub const ALL: [Init; 3] = [Init::Floor, Init::Corm, Init::Busybox];

    pub fn name(self) -> &'static str {
        match self {
            Init::Floor => "floor",
            Init::Corm => "corm",
            Init::Busybox => "busybox init",
        }
    }
}

/// One workload, `hello`. No modules: loading them is the same work for everybody.
pub fn boot(board: &Board, init: Init) -> Result<Image> {
    let arch = board.arch;
    let image = Image::new(board).without_board_settings();
    Ok(match init {
        Init::Floor => image.init(read(device::bench(arch, "floor")?)?).host_file("/hello", hello(board)?),
        Init::Corm => image
            .host_file("/bin/hello", hello(board)?)
            .config("[workload.hello]\ncommand = [\"/bin/hello\"]\nroot = \"scratch\"\n"),
        Init::Busybox => image
            .init(read(busybox::binary(arch)?)?)
            .busybox()
            .host_file("/hello", hello(board)?)
            .file("/etc/inittab", BUSYBOX_INITTAB, 0o644)
            .file("/etc/rcS", BUSYBOX_MOUNTS, 0o755),
    })
}

/// `/dev/kmsg` is the "terminal" of hello, so there is no shell between init and it.
const BUSYBOX_INITTAB: &str = "::sysinit:/etc/rcS\nkmsg::respawn:/hello\n";

/// As kind to busybox as can be: no logic, no cgroup, nothing but the mounts.
const BUSYBOX_MOUNTS: &str = "\
#!/bin/sh
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t devtmpfs -o nosuid,noexec devtmpfs /dev
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
mkdir /dev/pts /dev/shm
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,noexec,mode=1777 tmpfs /dev/shm
mount -t tmpfs -o nosuid,nodev,noexec,mode=755 tmpfs /run
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /tmp
";

/// The demo appliance, and a meter that reads PID 1's memory once it is busy.
pub fn demo_memory(board: &Board) -> Result<Image> {
    Ok(Image::demo(board).file("/etc/corm.d/90-meter.toml", meter(&[], &read_memory(10)), 0o644))
}

/// [`MANY`] workloads and the meter.
pub fn many_memory(board: &Board) -> Result<Image> {
    many(board, false, &read_memory(3))
}

/// [`MANY`] workloads; a privileged one asks for the end as busybox's `poweroff` does.
pub fn poweroff(board: &Board, deaf: bool) -> Result<Image> {
    many(board, deaf, &format!("sleep 3\necho '<6>{ASKS_FOR_POWEROFF}' > /dev/kmsg\nkill -USR2 1"))
}

fn many(board: &Board, deaf: bool, script: &str) -> Result<Image> {
    let mut config = String::new();
    let mut names = Vec::new();
    for number in 1..=MANY {
        let name = format!("hello-{number}");
        let deaf = deaf && number == MANY;
        let argument = if deaf { ", \"deaf\"" } else { "" };
        writeln!(config, "[workload.{name}]\ncommand = [\"/bin/hello\"{argument}]\nroot = \"scratch\"")?;
        if deaf {
            writeln!(config, "stop = {{ timeout = \"{DEAF_TIMEOUT_MS}ms\" }}")?;
        }
        names.push(name);
    }
    config.push_str(&meter(&names, script));
    Ok(Image::new(board).busybox().host_file("/bin/hello", hello(board)?).config(&config))
}

/// The wait is for what restarts, grows or settles after everything has started.
fn read_memory(seconds: u32) -> String {
    format!("sleep {seconds}\ngrep -E '^(Rss|Pss|Pss_Dirty|Pss_Anon):' /proc/1/smaps_rollup\necho measured")
}

fn meter(after: &[String], script: &str) -> String {
    format!(
        "[workload.meter]\ncommand = [\"/bin/sh\", \"-c\", '''\n{script}''']\n\
         privileged = true\nrestart = \"never\"\nafter = {after:?}\n"
    )
}

fn hello(board: &Board) -> Result<std::path::PathBuf> {
    device::bench(board.arch, "hello")
}

fn read(path: std::path::PathBuf) -> Result<Vec<u8>> {
    fs::read(&path).with_context(|| format!("could not read {}", path.display()))
}
