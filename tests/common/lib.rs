//! What the boot tests share: a guest, and a way to look around in it.
//!
//! Each test boots a machine of the board in `CORM_BOARD` with a config of its
//! own. Facts are read from inside by a *probe*: a privileged workload that runs
//! a shell script and prints what it sees, so the console is the only channel
//! and works on every board.

use anyhow::{Context, Result};
use corm_qemu::{Board, Image, Machine, Options};
use std::time::{Duration, Instant};

/// The board under test: `CORM_BOARD`, or the default one.
pub fn board() -> Board {
    Board::from_environment().expect("CORM_BOARD names a folder under board/")
}

/// Boots this config, with busybox in the image.
pub fn boot(config: &str) -> Result<Machine> {
    boot_with(image(config), &Options::default())
}

/// An image with this config and busybox.
pub fn image(config: &str) -> Image {
    Image::new(&board()).busybox().config(config)
}

pub fn boot_with(image: Image, options: &Options) -> Result<Machine> {
    Machine::boot(&image.build()?, options)
}

/// A privileged workload `probe` that runs this script once, after `after`, and
/// then says `probe: the end`.
pub fn probe(after: &[&str], script: &str) -> String {
    let after: Vec<String> = after.iter().map(|name| format!("{name:?}")).collect();
    let script = format!("{script}\necho the end");
    assert!(!script.contains("'''"), "the script is quoted with '''");
    format!(
        "[workload.probe]\ncommand = [\"/bin/sh\", \"-c\", '''\n{script}''']\n\
         privileged = true\nrestart = \"never\"\nafter = [{}]\n",
        after.join(", ")
    )
}

/// What the probe printed: the lines behind `probe: `.
pub struct Seen {
    lines: Vec<String>,
}

impl Seen {
    /// Waits for the probe to end.
    pub fn by_probe(machine: &Machine) -> Result<Seen> {
        machine.wait_for("probe: the end")?;
        Ok(Seen { lines: said_by("probe", &machine.console()) })
    }

    /// The rest of the one line that begins with `key` and `=`.
    pub fn value(&self, key: &str) -> Result<&str> {
        let prefix = format!("{key}=");
        let mut found = self.lines.iter().filter_map(|line| line.strip_prefix(&prefix));
        let value = found.next().with_context(|| format!("the probe said nothing about {key}:\n{self}"))?;
        anyhow::ensure!(found.next().is_none(), "the probe said {key} twice:\n{self}");
        Ok(value)
    }

    pub fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }

    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// The lines that came from one source, without their time and name:
/// `[    1.234567] web: ready` is `ready` of `web`.
pub fn said_by(source: &str, console: &str) -> Vec<String> {
    let marker = format!("] {source}: ");
    let after = |line: &str| line.split_once(&marker).map(|(_, rest)| rest.trim_end().to_owned());
    console.lines().filter_map(after).collect()
}

/// Waits until the console has said each of these, in whatever order.
pub fn wait_for_all(machine: &Machine, texts: &[&str]) -> Result<()> {
    let give_up = Instant::now() + corm_qemu::machine::PATIENCE;
    loop {
        let console = machine.console();
        let missing: Vec<&&str> = texts.iter().filter(|text| !console.contains(**text)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < give_up, "nobody said {missing:?}. The console:\n{console}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The line of the console that has `text`, as a test's failure should show it.
#[track_caller]
pub fn assert_said(console: &str, text: &str) {
    assert!(console.contains(text), "nobody said {text:?}. The console:\n{console}");
}

#[track_caller]
pub fn assert_not_said(console: &str, text: &str) {
    assert!(!console.contains(text), "somebody said {text:?}. The console:\n{console}");
}
