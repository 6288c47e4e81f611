//! `docs/from-the-shell.md` is true: corm is PID 1 of namespaces of its own with the page's
//! machine as its config, and a shell in there types every example of the page.

use anyhow::{Context, Result, ensure};
use corm_native_tests::{Outcome, Place, finish, wait_until};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PAGE: &str = "../../docs/from-the-shell.md";

/// A command of the page, and what it prints.
#[derive(Debug, PartialEq)]
struct Example {
    line: usize,
    command: String,
    prints: Vec<String>,
    /// Controllers of cgroup v2 without which it cannot be run.
    needs: Vec<String>,
}

/// A config of the page.
struct Config {
    line: usize,
    text: String,
}

/// All fenced blocks that are examples. A fence that is neither of the two kinds is a mistake.
fn read(page: &str) -> Result<(Vec<Example>, Vec<Config>)> {
    let (mut examples, mut configs) = (Vec::new(), Vec::new());
    let mut lines = page.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let mut words = kind.split_whitespace();
        let kind = words.next();
        let needs: Vec<String> =
            words.filter_map(|word| word.strip_prefix("cgroup:")).map(str::to_owned).collect();
        let block: Vec<(&str, usize)> = lines.by_ref().take_while(|(line, _)| *line != "```").collect();
        match kind {
            Some("toml") => configs.push(Config {
                line: number,
                text: block.iter().map(|(line, _)| format!("{line}\n")).collect(),
            }),
            Some("console") => {
                for (line, number) in block {
                    match (line.strip_prefix("$ "), examples.last_mut()) {
                        (Some(command), _) => examples.push(Example {
                            line: number,
                            command: command.to_owned(),
                            prints: Vec::new(),
                            needs: needs.clone(),
                        }),
                        (None, Some(last)) => last.prints.push(plain(line)),
                        (None, None) => anyhow::bail!("line {number}: output of nothing"),
                    }
                }
            }
            _ => anyhow::bail!("line {number}: no test knows what to do with this"),
        }
    }
    Ok((examples, configs))
}

/// Tabs of /proc do not show on a page.
fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_page_is_taken_apart() -> Result<()> {
    let (examples, configs) = read(
        "text\n```console cgroup:pids\n$ a b\n1\t2\n$ c\n```\n$ no example\n```toml\nkey = 1\n\n[t]\n```\n```console\n$ d\n```\n",
    )?;
    let example = |line, command: &str, prints: &[&str], needs: &[&str]| Example {
        line,
        command: command.to_owned(),
        prints: prints.iter().copied().map(str::to_owned).collect(),
        needs: needs.iter().copied().map(str::to_owned).collect(),
    };
    assert_eq!(
        examples,
        [example(3, "a b", &["1 2"], &["pids"]), example(5, "c", &[], &["pids"]), example(14, "d", &[], &[])]
    );
    let [config] = &configs[..] else { anyhow::bail!("{} configs", configs.len()) };
    assert_eq!((config.line, config.text.as_str()), (8, "key = 1\n\n[t]\n"));
    for wrong in ["```sh\nls\n```\n", "```\n```\n", "```console\nls\n```\n"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    Ok(())
}

/// corm with a config, in pid, mount and cgroup namespaces of its own.
struct Machine {
    place: Place,
    unshare: Child,
    pid: u32,
    cgroup: PathBuf,
}

/// $1 is the test's directory.
const PREPARE: &str = r#"
mount --make-rprivate /
umount -l /sys/fs/cgroup || true
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /run
mount -t tmpfs none /etc
mount -t tmpfs none /srv
mount -t proc proc /proc
cp $1/corm.toml /etc
mkdir /srv/box
mount --bind $1/root /srv/box
exec $1/corm
"#;

/// The shell joins a cgroup of the machine's, as a login would.
const TYPE: &str = r#"
mkdir -p /sys/fs/cgroup/shell
echo $$ > /sys/fs/cgroup/shell/cgroup.procs
cd /
PATH=$1:$PATH
eval "$2"
"#;

impl Machine {
    fn boot(place: Place, config: &str) -> Result<Machine> {
        let root = place.root();
        fs::create_dir(root.join("sys"))?;
        for applet in corm_qemu::busybox::APPLETS.split_whitespace() {
            let link = root.join("bin").join(applet);
            if link.symlink_metadata().is_err() {
                symlink("busybox", link)?;
            }
        }
        fs::write(place.directory.join("corm.toml"), config)?;
        let mounts = fs::read_to_string("/proc/mounts")?;
        let cgroups = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let cgroup = cgroups
            .filter(|mount| mount[2] == "cgroup2")
            .map(|mount| Path::new(mount[1]).join(format!("corm-shell-{}", std::process::id())))
            .next_back()
            .context("no cgroup2 is mounted here")?;
        fs::create_dir(&cgroup)?;
        let log = fs::File::create(place.directory.join("log"))?;
        let join = format!(
            "echo $$ > {}/cgroup.procs && exec unshare -m -p -C --fork --kill-child sh -ec \"$1\" sh $2",
            cgroup.display()
        );
        let unshare = Command::new("sh")
            .args(["-ec", &join, "sh", PREPARE])
            .arg(&place.directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut machine = Machine { place, unshare, pid: 0, cgroup };
        let children = format!("/proc/{0}/task/{0}/children", machine.unshare.id());
        wait_until("web runs", || {
            machine.pid = fs::read_to_string(&children).unwrap_or_default().trim().parse().unwrap_or(0);
            machine.log().contains("web: running") || machine.unshare.try_wait().is_ok_and(|it| it.is_some())
        });
        ensure!(machine.log().contains("web: running"), "{}", machine.log());
        Ok(machine)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.place.directory.join("log")).unwrap_or_default()
    }

    /// What a shell there prints, on either stream, in its order.
    fn shell(&self, command: &str) -> Result<Outcome> {
        let directory = self.place.directory.to_str().context("our own path is text")?;
        let script = format!("exec 2>&1\n{TYPE}");
        finish(
            Command::new("nsenter")
                .args(["-t", &self.pid.to_string(), "-m", "-p", "-C"])
                .args(["timeout", "60", "sh", "-c", &script, "sh", directory, command])
                .stdin(Stdio::null()),
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It is PID 1 of a pid namespace: all that is in there goes with it.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        for below in ["web", "shell", "corm.init", ""] {
            let path = self.cgroup.join(below);
            wait_until("nothing is left of it", || fs::remove_dir(&path).is_ok() || !path.exists());
        }
    }
}

#[test]
fn what_the_page_for_people_with_a_shell_says_is_so() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let page = fs::read_to_string(PAGE)?;
    let (examples, configs) = read(&page)?;
    let named = "# /etc/corm.toml\n";
    let of_the_machine = configs.iter().find(|config| config.text.starts_with(named));
    let machine = Machine::boot(place, &of_the_machine.context("no config is the machine's")?.text)?;
    let controllers = machine.shell("cat /sys/fs/cgroup/cgroup.controllers")?.out;
    let has = |name: &str| controllers.split_whitespace().any(|it| it == name);

    let mut wrong = String::new();
    for Config { line, text } in &configs {
        fs::write(machine.place.directory.join("checked.toml"), text)?;
        let path = machine.place.directory.join("checked.toml");
        let checked = finish(machine.place.corm_as(corm_native_tests::Who::Root, &["check"]).arg(path))?;
        if checked.status != 0 {
            wrong += &format!("line {line}: a config that is none: {}\n", checked.err);
        }
    }
    let (mut run, mut skipped) = (0, 0);
    for Example { line, command, prints, needs } in &examples {
        if let Some(missing) = needs.iter().find(|name| !has(name)) {
            eprintln!("SKIPPED: line {line}: this machine's cgroup v2 has no {missing}");
            skipped += 1;
            continue;
        }
        let outcome = machine.shell(command)?;
        // Said once by each corm on a machine that has the controller in cgroup v1.
        let own = |line: &&str| has("pids") || !line.contains("no pids limit: ");
        let printed: Vec<String> = outcome.out.lines().filter(own).map(plain).collect();
        if printed != *prints {
            wrong += &format!("line {line}: {command}\n  says  {prints:?}\n  prints {printed:?}\n");
        }
        run += 1;
    }
    println!("{run} examples run, {skipped} skipped, {} configs checked", configs.len());
    assert!(wrong.is_empty(), "{PAGE}:\n{wrong}{}", machine.log());
    assert!(run >= 25 && configs.len() >= 5, "examples are missing: {run}, {}", configs.len());
    Ok(())
}
