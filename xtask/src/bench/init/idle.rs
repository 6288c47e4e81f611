//! An init whose program sleeps: its memory, and whether anything wakes it.

use super::super::rounds::clean;
use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Kilobytes, from /proc/PID/smaps_rollup, and how often it went to sleep.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    pub resident: u64,
    pub private_dirty: u64,
    pub anonymous: u64,
    pub wakeups: u64,
}

/// All of them at the same time; the program says a line and then sleeps until SIGTERM.
pub fn watch(commands: Vec<Command>, watched: Duration) -> Result<Vec<Idle>> {
    let mut all = Sleepers(Vec::new());
    for mut command in commands {
        clean(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("could not run {command:?}"))?;
        let out = child.stdout.take();
        all.0.push(child);
        let mut line = String::new();
        BufReader::new(out.context("no stdout")?).read_line(&mut line)?;
        ensure!(line == "hello\n", "{command:?} said {line:?}");
    }
    // What they still do after their program has begun is start-up.
    std::thread::sleep(Duration::from_millis(1500));
    let before: Vec<u64> = all.pids().map(sleeps).collect::<Result<_>>()?;
    std::thread::sleep(watched);
    let mut seen = Vec::new();
    for (pid, before) in all.pids().zip(before) {
        let rollup = read(pid, "smaps_rollup")?;
        seen.push(Idle {
            resident: field(&rollup, "Rss:")?,
            private_dirty: field(&rollup, "Private_Dirty:")?,
            anonymous: field(&rollup, "Anonymous:")?,
            wakeups: sleeps(pid)? - before,
        });
    }
    Ok(seen)
}

/// A process that goes to sleep has been woken before.
fn sleeps(pid: u32) -> Result<u64> {
    field(&read(pid, "status")?, "voluntary_ctxt_switches:")
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).with_context(|| format!("could not read {path}"))
}

fn field(text: &str, name: &str) -> Result<u64> {
    let value =
        text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    value.trim().trim_end_matches(" kB").parse().with_context(|| format!("{name} {value:?} is no number"))
}

struct Sleepers(Vec<Child>);

impl Sleepers {
    fn pids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(Child::id)
    }
}

impl Drop for Sleepers {
    /// An init passes it on, and ends with its program.
    fn drop(&mut self) {
        for child in &mut self.0 {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // It may be gone already.
                let _ = kill_process(pid, Signal::TERM);
            }
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_number_with_or_without_its_unit() {
        let text = "Rss:                  80 kB\nvoluntary_ctxt_switches:\t12\n";
        assert_eq!(field(text, "Rss:").unwrap(), 80);
        assert_eq!(field(text, "voluntary_ctxt_switches:").unwrap(), 12);
        assert!(field(text, "Pss:").is_err());
    }
}
