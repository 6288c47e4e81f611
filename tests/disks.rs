//! Block devices by what they are called: filesystems of the machine, and volumes of workloads.

use anyhow::{Context, Result, ensure};
use corm_qemu::Options;
use corm_qemu::host::{self, Tool};
use corm_tests::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const WHY: &str = "makes disks for a test";
const SFDISK: Tool = Tool { program: "sfdisk", package: "fdisk", why: WHY };
const EXT4: Tool = Tool { program: "mkfs.ext4", package: "e2fsprogs", why: WHY };
const FSCK: Tool = Tool { program: "e2fsck", package: "e2fsprogs", why: WHY };
const TUNE: Tool = Tool { program: "tune2fs", package: "e2fsprogs", why: WHY };
const DEBUG: Tool = Tool { program: "debugfs", package: "e2fsprogs", why: WHY };
const VFAT: Tool = Tool { program: "mkfs.vfat", package: "dosfstools", why: WHY };

const FIRST: &str = "c0ffee00-1111-4222-8333-0123456789ab";
const SECOND: &str = "c0ffee00-1111-4222-8333-0123456789ac";
const ITS_UUID: &str = "0badcafe-5555-4666-8777-0123456789ad";
/// Where the partitions begin, and how long they are.
const MEBIBYTE: u64 = 1 << 20;
const STARTS: [u64; 2] = [1, 9];
const LENGTH: u64 = 8;

const CONFIG: &str = r#"
[mount."/data"]
source = "PARTUUID=FIRST"
type = "ext4"
options = ["noexec"]

[mount."/stick"]
source = "UUID=1234-ABCD"
type = "vfat"
options = ["ro"]

[mount."/gone"]
source = "LABEL=nowhere"
type = "ext4"

[workload.reads]
command = ["/bin/sh", "-c", '''LOOK''']
root = "/"
volumes = { "/mnt" = { source = "PARTLABEL=the second" } }
restart = "never"

[workload.writes]
command = ["/bin/sh", "-c", '''LOOK''']
root = "/"
user = 0
volumes = { "/mnt" = { source = "LABEL=twice", writable = true } }
limits = { io = [{ device = "LABEL=twice", read = "1M" }] }
restart = "never"

[workload.same]
command = ["/bin/sh", "-c", '''LOOK''']
root = "/"
volumes = { "/mnt" = { source = "UUID=ITS_UUID" } }
restart = "never"

[workload.keeps]
command = ["/bin/busybox", "sleep", "1000"]
root = "/"
volumes = { "/mnt" = { source = "UUID=ITS_UUID" } }

[workload.replaced]
command = ["/bin/sh", "-c", "echo started"]
root = "/"
volumes = { "/mnt" = { source = "LABEL=STICK" } }
restart = "never"

[workload.lied-to]
command = ["/bin/sh", "-c", "ls /mnt/broken; echo the end"]
root = "/"
volumes = { "/mnt" = { source = "LABEL=liar" } }
restart = "never"

[workload.absent]
command = ["/bin/sh", "-c", "echo started"]
root = "/"
volumes = { "/mnt" = { source = "LABEL=none-of-them" } }
restart = "never"

[workload.otherwise]
command = ["/bin/sh", "-c", "echo started"]
root = "/"
volumes = { "/mnt" = { source = "PARTUUID=FIRST" } }
restart = "never"

[workload.raw]
command = ["/bin/sh", "-c", "echo started"]
root = "/"
volumes = { "/mnt" = { source = "/dev/vde" } }
restart = "never"
"#;

/// What a workload sees of its volume.
const LOOK: &str = r#"
echo mount=$(awk '$5 == "/mnt" { print $6, $(NF-2) }' /proc/self/mountinfo)
echo file=$(cat /mnt/file)
echo new 2>/dev/null > /mnt/new && echo written=$(cat /mnt/new)
test -e /dev/vda && echo sees the disk
sleep 2
echo the end
"#;

const SEEN: &str = r#"
echo data=$(awk '$5 == "/data" { print $6 }' /proc/self/mountinfo) $(cat /data/file)
echo stick=$(awk '$5 == "/stick" { print $6 }' /proc/self/mountinfo)
echo gone=$(grep -c ' /gone ' /proc/self/mountinfo)
echo max=$(cat /sys/fs/cgroup/writes/io.max 2>/dev/null)
/init inspect keeps | grep '^!'; /init inspect keeps >/dev/null; echo inspect=$?
# Whatever was mounted for a workload is not, once it has ended.
disk=$(grep -l MINOR=16 /sys/block/vd?/uevent | cut -d/ -f4)
mount -t ext4 -o ro /dev/$disk /tmp && echo file=$(cat /tmp/new)
# Another stick in the place of the one that was found at boot.
stick=$(grep -l MINOR=48 /sys/block/vd?/uevent | cut -d/ -f4)
/init start replaced; echo same=$?
printf OTHER | dd of=/dev/$stick bs=1 seek=43 conv=notrunc 2>/dev/null
/init start replaced; echo replaced=$?
"#;

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn empty(path: &Path, length: u64) -> Result<()> {
    Ok(std::fs::File::create(path)?.set_len(length)?)
}

/// An ext4 with one file, which begins so far into the disk.
fn ext4(disk: &Path, files: &Path, offset: u64, length: u64, more: &[&str]) -> Result<()> {
    run(Command::new("mkfs.ext4")
        .args(["-q", "-F", "-E"])
        .arg(format!("offset={offset},root_owner=0:0"))
        .args(more)
        .arg("-d")
        .arg(files)
        .arg(disk)
        .arg(format!("{}k", length / 1024)))
}

/// vda has two partitions; vdb and vdc are called the same; vdd is a stick; vde has nothing;
/// vdf has a directory that is none, and wants the kernel to panic for it.
fn disks(directory: &Path) -> Result<Vec<PathBuf>> {
    host::require(&[SFDISK, EXT4, FSCK, TUNE, DEBUG, VFAT])?;
    let files = directory.join("files");
    std::fs::create_dir(&files)?;
    std::fs::write(files.join("file"), "old\n")?;
    let disks = ["a", "b", "c", "d", "e", "f"].map(|name| directory.join(name));
    let [parted, one, other, stick, raw, liar] = &disks;
    empty(parted, 20 * MEBIBYTE)?;
    let mut sfdisk = Command::new("sfdisk")
        .arg("--quiet")
        .arg(parted)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let [first, second] = STARTS;
    let table = format!(
        "label: gpt\n\
         start={first}MiB, size={LENGTH}MiB, name=\"the first\", uuid={FIRST}\n\
         start={second}MiB, size={LENGTH}MiB, name=\"the second\", uuid={SECOND}\n"
    );
    sfdisk.stdin.take().context("it has a stdin")?.write_all(table.as_bytes())?;
    ensure!(sfdisk.wait()?.success(), "sfdisk made no partitions");
    ext4(parted, &files, first * MEBIBYTE, LENGTH * MEBIBYTE, &[])?;
    ext4(parted, &files, second * MEBIBYTE, LENGTH * MEBIBYTE, &["-U", ITS_UUID])?;
    for disk in [one, other] {
        empty(disk, LENGTH * MEBIBYTE)?;
        ext4(disk, &files, 0, LENGTH * MEBIBYTE, &["-L", "twice"])?;
    }
    empty(stick, LENGTH * MEBIBYTE)?;
    run(Command::new("mkfs.vfat").args(["-i", "1234abcd", "-n", "STICK"]).arg(stick))?;
    empty(raw, MEBIBYTE)?;
    empty(liar, LENGTH * MEBIBYTE)?;
    std::fs::create_dir(files.join("broken"))?;
    ext4(liar, &files, 0, LENGTH * MEBIBYTE, &["-L", "liar"])?;
    run(Command::new("tune2fs").args(["-e", "panic"]).arg(liar))?;
    // Where its blocks are: nowhere.
    run(Command::new("debugfs").args(["-w", "-R", "set_inode_field broken block[5] 0x7fffffff"]).arg(liar))?;
    Ok(disks.into())
}

#[test]
fn disks_are_found_by_their_names_and_are_volumes_for_as_long_as_a_workload_runs() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let drives = disks(directory.path())?;
    let config =
        CONFIG.replace("LOOK", LOOK).replace("FIRST", &FIRST.to_uppercase()).replace("ITS_UUID", ITS_UUID);
    let mut image = image(&(config + &probe(&["reads", "writes", "same", "keeps", "lied-to"], SEEN)));
    for module in ["ext4", "crc32c_generic", "vfat", "nls_cp437", "nls_ascii"] {
        image = image.module(module);
    }
    for place in ["data", "stick", "gone", "mnt", "tmp"] {
        image = image.directory(&format!("/{place}"), 0o755);
    }
    let only_read = |drives: &[PathBuf]| -> Result<Vec<u8>> {
        let parted = std::fs::read(&drives[0])?;
        Ok(parted[(STARTS[1] * MEBIBYTE) as usize..][..(LENGTH * MEBIBYTE) as usize].to_vec())
    };
    let before = only_read(&drives)?;
    let machine = boot_with(image, &Options { drives: drives.clone(), ..Options::default() })?;
    let seen = Seen::by_probe(&machine)?;
    let console = machine.console();
    assert!(seen.value("data")?.starts_with("rw,"), "{seen}{console}");
    assert!(seen.value("data")?.contains("noexec") && seen.value("data")?.ends_with(" old"), "{seen}");
    assert!(seen.value("stick")?.starts_with("ro,"), "{seen}");
    assert_eq!(seen.value("gone")?, "0", "{seen}");
    assert!(seen.value("max")?.contains("rbps=1048576"), "{seen}");
    assert_eq!(seen.value("file")?, "new", "{seen}");
    assert_eq!(seen.value("inspect")?, "0", "{seen}");
    assert_eq!((seen.value("same")?, seen.value("replaced")?), ("0", "1"), "{seen}{console}");
    for (name, written) in [("reads", false), ("same", false), ("writes", true)] {
        let said = said_by(name, &console);
        let mount = format!("mount={},nosuid,nodev,noexec,", if written { "rw" } else { "ro" });
        assert!(said.iter().any(|line| line.starts_with(&mount)), "{name}: {said:?}\n{console}");
        assert!(said.iter().any(|line| line == "file=old"), "{name}: {said:?}\n{console}");
        assert_eq!(said.iter().any(|line| line == "written=new"), written, "{name}: {said:?}");
        assert!(!said.iter().any(|line| line == "sees the disk"), "{name}: {said:?}");
    }
    for line in [
        "LABEL=twice: 2 devices have this name; /dev/vdb is taken",
        "LABEL=none-of-them: no such device after",
        "absent: cannot ",
        "otherwise: cannot ",
        "raw: cannot ",
        "replaced: cannot ",
    ] {
        assert_said(&console, line);
    }
    for name in ["absent", "otherwise", "raw"] {
        assert!(!said_by(name, &console).contains(&"started".to_owned()), "{name}:\n{console}");
    }
    assert_said(&console, "EXT4-fs error (device vdf)");
    assert!(said_by("lied-to", &console).contains(&"the end".to_owned()), "{console}");
    drop(machine);
    ensure!(only_read(&drives)? == before, "a volume that nobody may write to was written to");
    run(Command::new("e2fsck").arg("-fn").arg(&drives[1]))
}
