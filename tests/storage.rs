//! Roots from images on a machine that corm boots: it has no modprobe, its own root
//! is an initramfs, and PID 1 starts what fails again and again.

use anyhow::{Context, Result};
use corm_qemu::host::{self, Tool};
use corm_tests::*;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

pub const EROFS: Tool =
    Tool { program: "mkfs.erofs", package: "erofs-utils", why: "makes images for a test" };
const SQUASHFS: Tool =
    Tool { program: "mksquashfs", package: "squashfs-tools", why: "makes images for a test" };

/// What each says of its root. The file belongs to nonroot.
const LOOK: &str = r#"
echo root=$(awk '$5 == "/" { print $(NF-2) }' /proc/self/mountinfo)
echo file=$(cat /data/file)
echo new > /data/file && echo written=$(cat /data/file)
echo kmsg=$(test -e /dev/kmsg && echo there)
echo the end
"#;

fn workload(name: &str, keys: &str) -> String {
    format!("[workload.{name}]\ncommand = [\"/bin/sh\", \"-c\", '''{LOOK}''']\nrestart = \"never\"\n{keys}\n")
}

/// Once all have started, waits for a dozen more starts of `failing`, each with a loop
/// device, and then counts what is left.
const COUNT: &str = r#"
# The fewest of some moments: at others there is a start on its way.
fds() {
    least=999; n=0
    while [ $n -lt 20 ]; do
        now=$(ls /proc/1/fd 2>/dev/null | wc -l)
        [ $now -lt $least ] && least=$now
        n=$((n + 1)); usleep 10000
    done
    echo $least
}

failures() { until test $(dmesg | grep -c 'failing: exited with status 1') -ge $1; do usleep 100000; done; }

failures 8
before=$(fds)
failures 20
echo more=$(( $(fds) - before ))
usleep 500000
echo loops=$(cat /sys/block/loop*/loop/backing_file 2>/dev/null | wc -l)
echo mounts=$(grep -c -e erofs -e squashfs -e overlay /proc/self/mounts)
"#;

#[test]
fn images_are_roots_on_a_machine_without_modprobe_and_nothing_of_them_is_left() -> Result<()> {
    host::require(&[EROFS, SQUASHFS])?;
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("root");
    for name in ["bin", "proc", "sys", "dev", "data"] {
        std::fs::create_dir_all(root.join(name))?;
    }
    std::fs::copy(corm_qemu::busybox::binary(board().arch)?, root.join("bin/busybox"))?;
    for applet in corm_qemu::busybox::APPLETS.split_whitespace() {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    std::fs::write(root.join("data/file"), "old")?;
    for path in ["data", "data/file"] {
        std::os::unix::fs::chown(root.join(path), Some(65_532), Some(65_532))
            .context("only root makes such an image")?;
    }
    let [erofs, squashfs] = ["erofs", "squashfs"].map(|name| directory.path().join(name));
    make(Command::new("mkfs.erofs").arg(&erofs).arg(&root))?;
    make(Command::new("mksquashfs").arg(&root).arg(&squashfs).args([
        "-quiet",
        "-no-progress",
        "-comp",
        "gzip",
    ]))?;

    let on = |image: &Path| format!("root = \"/srv/{}.img\"", image.file_name().unwrap().to_string_lossy());
    let config = workload("erofs", &on(&erofs))
        + &workload("squashfs", &on(&squashfs))
        + &workload("over", &format!("{}\nuser = 65532\noverlay = \"1M\"", on(&squashfs)))
        + &workload("nested", &format!("{}\noverlay = \"tmpfs\"", on(&erofs)))
        + &workload("device", &format!("{}\ndevices = [\"/dev/kmsg\"]", on(&erofs)))
        + &format!("[workload.failing]\ncommand = [\"/bin/false\"]\n{}\n", on(&erofs))
        + "backoff = { first = \"10ms\", most = \"50ms\" }\n"
        + &probe(&["erofs", "squashfs", "over", "nested", "device"], COUNT);
    let mut image =
        image(&config).host_file("/srv/erofs.img", &erofs).host_file("/srv/squashfs.img", &squashfs);
    for module in ["loop", "erofs", "crc32c_generic", "squashfs", "overlay"] {
        image = image.module(module);
    }
    let machine = boot_with(image, &corm_qemu::Options::default())?;
    let seen = Seen::by_probe(&machine)?;
    let console = machine.console();
    for (name, root, written) in [
        ("erofs", "erofs", false),
        ("squashfs", "squashfs", false),
        ("over", "overlay", true),
        ("nested", "overlay", true),
        ("device", "erofs", false),
    ] {
        let said = said_by(name, &console);
        assert!(said.contains(&format!("root={root}")), "{name}: {said:?}\n{console}");
        assert!(said.iter().any(|line| line == "file=old"), "{name}: {said:?}");
        assert_eq!(said.iter().any(|line| line == "written=new"), written, "{name}: {said:?}");
        assert_eq!(said.iter().any(|line| line == "kmsg=there"), name == "device", "{name}: {said:?}");
    }
    // A dozen would be a leak.
    assert!(seen.value("more")?.parse::<i32>()? < 3, "PID 1 keeps descriptors: {seen}");
    assert!(seen.value("loops")?.parse::<u32>()? <= 1, "{seen}");
    assert_eq!(seen.value("mounts")?, "0", "{seen}");
    assert!(!console.contains("does not guard devices"), "{console}");
    Ok(())
}

pub fn make(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
