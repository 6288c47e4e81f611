//! The system calls a program makes until it is gone, counted by strace.

use super::rounds::{Subject, clean};
use anyhow::{Context, Result, ensure};
use corm_qemu::host::Tool;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

pub const STRACE: Tool = Tool { program: "strace", package: "strace", why: "counts system calls" };

/// How often each call was made.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Calls(BTreeMap<String, usize>);

impl Calls {
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    fn add(&mut self, name: &str) {
        *self.0.entry(name.to_owned()).or_default() += 1;
    }

    /// `3 openat, 1 execve`, the most frequent first.
    pub fn shown(&self) -> String {
        let mut all: Vec<(&String, &usize)> = self.0.iter().collect();
        all.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
        let mut text = String::new();
        for (name, count) in all {
            let comma = if text.is_empty() { "" } else { ", " };
            // A String takes everything.
            let _ = write!(text, "{comma}{count} {name}");
        }
        text
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::json!(self.0)
    }
}

/// By who makes them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Counted {
    /// The process that was started, from its first instruction on.
    pub parent: Calls,
    /// The one that becomes the program, up to and with its execve(2).
    pub child: Calls,
    /// Whoever else there is.
    pub others: Calls,
}

/// Of one run; `program` is what the subject starts, by its path there.
pub fn count(subject: &Subject, program: &str) -> Result<Counted> {
    let log = tempfile::NamedTempFile::new().context("no room for a log")?;
    let mut command = Command::new(STRACE.program);
    command.args(["-f", "-qq", "-e", "signal=none", "-o"]).arg(log.path());
    command.arg(subject.command.get_program()).args(subject.command.get_args());
    clean(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().context("could not run strace")?;
    ensure!(status.success(), "{} under strace: {status}", subject.name);
    let text = std::fs::read_to_string(log.path()).context("strace wrote no log")?;
    Ok(read(&text, program))
}

fn read(log: &str, program: &str) -> Counted {
    let mut counted = Counted::default();
    let mut all: BTreeMap<&str, Calls> = BTreeMap::new();
    let (mut first, mut child) = (None, None);
    let execution = format!("execve(\"{program}\"");
    for line in log.lines() {
        let Some((pid, call)) = line.split_once(' ').map(|(pid, call)| (pid, call.trim_start())) else {
            continue;
        };
        let Some((name, _)) = call.split_once('(').filter(|(name, _)| is_name(name)) else { continue };
        // What starts it is strace's own.
        if first.is_none() {
            first = Some(pid);
            continue;
        }
        // What the program itself does is no matter.
        if child == Some(pid) {
            continue;
        }
        all.entry(pid).or_default().add(name);
        if call.starts_with(&execution) && first != Some(pid) {
            child = Some(pid);
        }
    }
    for (pid, calls) in all {
        if Some(pid) == first {
            counted.parent = calls;
        } else if Some(pid) == child {
            counted.child = calls;
        } else {
            for (name, count) in calls.0 {
                *counted.others.0.entry(name).or_default() += count;
            }
        }
    }
    counted
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_the_parents_the_childs_or_somebody_elses() {
        let log = "\
100   execve(\"/bin/corm\", [\"corm\"], 0x7ff /* 3 vars */) = 0
100   getpid() = 100
100   clone3({flags=0}, 88 <unfinished ...>
101   setsid() = 1
101   openat(AT_FDCWD, \"(\", O_RDONLY <unfinished ...>
100   <... clone3 resumed>) = 101
102   getpid() = 102
101   <... openat resumed>) = 3
101   execve(\"/bin/true\", [\"/bin/true\"], NULL) = 0
101   exit_group(0) = ?
101   +++ exited with 0 +++
100   exit_group(0) = ?
";
        let counted = read(log, "/bin/true");
        assert_eq!(counted.parent.shown(), "1 clone3, 1 exit_group, 1 getpid");
        assert_eq!(counted.child.shown(), "1 execve, 1 openat, 1 setsid");
        assert_eq!((counted.others.total(), counted.others.shown().as_str()), (1, "1 getpid"));
    }
}
