//! Roots from images and with overlays, and volumes with their rights: what is in
//! them, what may be done to it, and what is left of them afterwards.

use anyhow::{Context, Result};
use corm_native_tests::{Outcome, Place, Who, finish, install};
use corm_qemu::host::{self, Tool};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

macro_rules! place {
    () => {
        match Place::new()? {
            Some(place) => place,
            None => return Ok(()),
        }
    };
}

const EROFS: Tool = Tool { program: "mkfs.erofs", package: "erofs-utils", why: "makes images for a test" };
const SQUASHFS: Tool =
    Tool { program: "mksquashfs", package: "squashfs-tools", why: "makes images for a test" };

/// An image of the place's root, named so that nobody can tell from it what it is.
fn image(place: &Place, kind: &str) -> Result<PathBuf> {
    host::require(&[EROFS, SQUASHFS])?;
    let path = place.directory.join(format!("image-{}", kind.len()));
    let mut make = match kind {
        "erofs" => {
            let mut make = Command::new("mkfs.erofs");
            make.arg(&path).arg(place.root());
            make
        }
        _ => {
            let mut make = Command::new("mksquashfs");
            make.arg(place.root()).arg(&path).args(["-quiet", "-no-progress"]);
            make
        }
    };
    let output = make.output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(path)
}

/// The loop devices that have a file whose path begins like this.
fn loops(path: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/class/block")? {
        let file = entry?.path().join("loop/backing_file");
        found.extend(fs::read_to_string(file).ok().filter(|it| it.starts_with(&*path.to_string_lossy())));
    }
    Ok(found)
}

/// Waits until the kernel has taken all of them back, which it does on its own time.
fn wait_for_no_loops(path: &Path) {
    corm_native_tests::wait_until("loop devices are taken back", || {
        loops(path).is_ok_and(|it| it.is_empty())
    });
}

fn run(place: &Place, root: &Path, keys: &[&str], script: &str) -> Result<Outcome> {
    let mut words = vec!["run", "--root", root.to_str().context("our path is text")?];
    words.extend(keys.iter().flat_map(|key| ["--set", key]));
    words.extend(["--", "/bin/sh", "-c", script]);
    finish(&mut place.corm_as(Who::Root, &words))
}

/// Filesystems of images that this kernel has, perhaps by a module that it loads itself.
fn kinds() -> Result<Vec<&'static str>> {
    let mut kinds = Vec::new();
    for kind in ["erofs", "squashfs"] {
        let loaded = Command::new("modprobe").arg(kind).output().is_ok_and(|it| it.status.success());
        let known = fs::read_to_string("/proc/filesystems")?.lines().any(|line| line.trim() == kind);
        if loaded || known {
            kinds.push(kind);
        } else {
            eprintln!("SKIPPED: this kernel has no {kind}");
        }
    }
    Ok(kinds)
}

const LOOK: &str = r#"
busybox awk '$5 == "/" { sub(",idmapped", "", $6); print $6, $(NF-2) }' /proc/self/mountinfo
busybox cat /data/file
busybox touch /data/new 2>/dev/null || echo read-only
"#;

#[test]
fn an_image_is_a_root_and_its_loop_device_ends_with_it() -> Result<()> {
    let place = place!();
    fs::write(place.root().join("data/file"), "of the image\n")?;
    fs::set_permissions(place.root().join("data"), fs::Permissions::from_mode(0o777))?;
    for kind in kinds()? {
        let image = image(&place, kind)?;
        for user in ["user=\"auto\"", "user=1234", "user=0"] {
            let seen = run(&place, &image, &[user], LOOK)?;
            let expected = format!("ro,nosuid,nodev,relatime {kind}\nof the image\nread-only\n");
            assert_eq!(seen.out, expected, "{kind} {user}: {}", seen.err);
        }
        wait_for_no_loops(&image);
        // A start that fails late, and one whose image is broken behind its first bytes.
        for _ in 0..50 {
            let failed = run(&place, &image, &["directory=\"/not/there\""], "echo started")?;
            assert_eq!((failed.status, failed.out.as_str()), (126, ""), "{}", failed.err);
        }
        let mut bytes = fs::read(&image)?;
        bytes.iter_mut().skip(1024 + 4).for_each(|byte| *byte = 0x5a);
        bytes.iter_mut().take(1024).skip(4).for_each(|byte| *byte = 0x5a);
        let broken = place.directory.join("image-broken");
        fs::write(&broken, bytes)?;
        for _ in 0..20 {
            let failed = run(&place, &broken, &[], "echo started")?;
            assert_eq!((failed.status, failed.out.as_str()), (126, ""), "{}", failed.err);
            assert!(failed.err.contains("as its root"), "{}", failed.err);
        }
        wait_for_no_loops(&place.directory);
    }
    Ok(())
}

#[test]
fn what_is_no_root_is_told() -> Result<()> {
    let place = place!();
    let text = place.directory.join("text");
    fs::write(&text, "hsq")?;
    let link = place.directory.join("link");
    symlink(place.root(), &link)?;
    for (root, says) in [
        (text.as_path(), "it must have an erofs or squashfs filesystem"),
        (Path::new("/dev/null"), "it must be a directory, an image or a block device"),
    ] {
        // As a config has it: the command line's --root is a directory of its own finding.
        let outcome = of_config(&place, &format!("root = {root:?}"), "echo started")?;
        assert_eq!((outcome.status, outcome.out.as_str()), (126, ""), "{}", outcome.err);
        assert!(outcome.err.contains(says), "{}", outcome.err);
    }
    let outcome = of_config(&place, &format!("root = {link:?}"), "echo started")?;
    assert!(outcome.err.contains("no part of the path may be a symlink"), "{}", outcome.err);
    Ok(())
}

/// A workload of root's that a config describes.
fn of_config(place: &Place, keys: &str, script: &str) -> Result<Outcome> {
    let config = place.directory.join("corm.toml");
    fs::write(&config, format!("[workload.web]\ncommand = [\"/bin/sh\", \"-c\", '''{script}''']\n{keys}\n"))?;
    finish(&mut place.corm_as(Who::Root, &["run", "--config", config.to_str().context("text")?, "web"]))
}

const WRITE: &str = r#"
echo new >/data/file && busybox cat /data/file
busybox rm /tmp/old && busybox test ! -e /tmp/old && echo removed
busybox mkdir /data/deep && echo x >/data/deep/file && echo made
busybox dd if=/dev/zero of=/data/big bs=64k count=64 2>/dev/null || echo full
busybox awk '$5 == "/" { sub(",idmapped", "", $6); print $6, $(NF-2) }' /proc/self/mountinfo
busybox awk '/upper|lower|work/ && $5 != "/"' /proc/self/mountinfo
"#;

#[test]
fn an_overlay_is_written_to_and_the_root_below_is_not() -> Result<()> {
    let place = place!();
    let (data, tmp) = (place.root().join("data"), place.root().join("tmp"));
    // Nonroot's, in its user namespace and on the image.
    for (path, owner) in [(&data, 65_532), (&tmp, 65_532)] {
        fs::write(path.join("file"), "old\n")?;
        fs::write(path.join("old"), "old\n")?;
        for path in [path.clone(), path.join("file"), path.join("old")] {
            std::os::unix::fs::chown(&path, Some(owner), Some(owner))?;
        }
    }
    let mut roots = vec![place.root()];
    for kind in kinds()? {
        roots.push(image(&place, kind)?);
    }
    for root in &roots {
        for user in ["user=\"auto\"", "user=65532", "user=0"] {
            let keys = [user, "overlay=\"2M\"", "security.capabilities=[\"dac-override\"]"];
            let seen = run(&place, root, &keys, WRITE)?;
            let expected = "new\nremoved\nmade\nfull\nrw,nosuid,nodev,relatime overlay\n";
            assert_eq!(seen.out, expected, "{} {user}: {}", root.display(), seen.err);
            // Each start begins with the root as it is.
            let again = run(&place, root, &keys, "busybox cat /data/file /tmp/old; busybox ls /data")?;
            assert_eq!(again.out, "old\nold\nfile\nold\n", "{user}: {}", again.err);
        }
    }
    assert_eq!(fs::read_to_string(data.join("file"))?, "old\n");
    wait_for_no_loops(&place.directory);
    // scratch, whose only file is the program.
    let outcome = finish(&mut place.corm_as(
        Who::Root,
        &[
            "run",
            "--set",
            "overlay=\"1M\"",
            "--set",
            "user=0",
            "--",
            place.root().join("bin/busybox").to_str().context("text")?,
            "touch",
            "/new",
        ],
    ))?;
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    // Without one, it is not to be written to.
    let seen = run(&place, &place.root(), &["user=0"], WRITE)?;
    assert!(!seen.out.contains("new"), "{}", seen.out);
    Ok(())
}

#[test]
fn volumes_have_the_rights_that_they_are_given() -> Result<()> {
    let place = place!();
    let program = place.directory.join("shared/busybox");
    install(&place.root().join("bin/busybox"), &program)?;
    let shared = place.directory.join("shared");
    let root = format!("root = {:?}\n", place.root());
    for (exec, wanted) in [("", "refused\n"), (", exec = true", "done\n")] {
        let script = "/data/busybox true 2>/dev/null && echo done || echo refused";
        let keys = format!("{root}volumes.\"/data\" = {{ source = {shared:?}{exec} }}");
        let outcome = of_config(&place, &keys, script)?;
        assert_eq!(outcome.out, wanted, "a directory{exec}: {}", outcome.err);
        let script =
            "busybox cp /bin/busybox /data/ && /data/busybox true 2>/dev/null && echo done || echo refused";
        let keys = format!("{root}volumes.\"/data\" = {{ tmpfs = \"8M\"{exec} }}");
        let outcome = of_config(&place, &keys, script)?;
        assert_eq!(outcome.out, wanted, "a tmpfs{exec}: {}", outcome.err);
    }
    let script = "busybox stat -c '%a %u %g' /data";
    for (more, wanted) in [
        ("", "700 65532 65532\n"),
        (", mode = \"1777\"", "1777 65532 65532\n"),
        (", mode = \"050\", owner = \"7:8\"", "50 7 8\n"),
    ] {
        let keys = format!("{root}volumes.\"/data\" = {{ tmpfs = \"1M\"{more} }}");
        let outcome = of_config(&place, &keys, script)?;
        assert_eq!(outcome.out, wanted, "{more}: {}", outcome.err);
    }
    Ok(())
}

#[test]
fn a_file_is_a_volume_on_a_file_and_on_nothing_else() -> Result<()> {
    let place = place!();
    let conf = place.directory.join("shared/conf");
    fs::write(&conf, "of the host\n")?;
    fs::set_permissions(&conf, fs::Permissions::from_mode(0o666))?;
    fs::write(place.root().join("data/conf"), "of the root\n")?;
    symlink("conf", place.root().join("data/link"))?;
    symlink("/data", place.root().join("out"))?;
    let volume = |target: &str, more: &str, script: &str| {
        let root = place.root();
        let keys = format!("root = {root:?}\nvolumes.\"{target}\" = {{ source = {conf:?}{more} }}");
        of_config(&place, &keys, script)
    };
    let read = "busybox cat /data/conf; echo x 2>/dev/null >>/data/conf && echo written";
    assert_eq!(volume("/data/conf", "", read)?.out, "of the host\n");
    assert_eq!(volume("/data/conf", ", writable = true", read)?.out, "of the host\nwritten\n");
    // Over a link in its path, but never out of the root, and never onto one.
    assert!(volume("/out/conf", "", read)?.out.starts_with("of the host\n"));
    for target in ["/data/link", "/data", "/data/nothing"] {
        let outcome = volume(target, "", "echo started")?;
        assert_eq!((outcome.status, outcome.out.as_str()), (126, ""), "{target}: {}", outcome.err);
        let says = format!("cannot mount a volume on {target}");
        assert!(outcome.err.contains(&says), "{target}: {}", outcome.err);
    }
    // What is no file at all is not one.
    let root = place.root();
    let keys = format!("root = {root:?}\nvolumes.\"/data/conf\" = {{ source = \"/dev/null\" }}");
    let outcome = of_config(&place, &keys, "echo started")?;
    assert_eq!((outcome.status, outcome.out.as_str()), (126, ""), "{}", outcome.err);
    // scratch gets a place for it.
    let busybox = place.root().join("bin/busybox");
    let config = place.directory.join("corm.toml");
    fs::write(
        &config,
        format!(
            "[workload.web]\ncommand = [{busybox:?}, \"cat\", \"/etc/web/conf\"]\nvolumes.\"/etc/web/conf\" = {{ source = {conf:?} }}\n"
        ),
    )?;
    let outcome =
        finish(&mut place.corm_as(Who::Root, &["run", "--config", config.to_str().context("text")?, "web"]))?;
    assert_eq!(outcome.out, "of the host\nx\n", "{}", outcome.err);
    Ok(())
}
