//! The command's stdio on the machine's console.

use super::request::{BEGIN, END};
use super::{Job, Outcome};
use crate::terminal;
use anyhow::Result;
use corm_qemu::machine::Tap;
use corm_qemu::{Machine, Options};
use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub fn run(job: &Job, is_terminal: bool) -> Result<Outcome> {
    let filter = Arc::new(Mutex::new(Filter::default()));
    let (shared, verbose) = (filter.clone(), job.verbose);
    let options = Options {
        // What the kernel has to say would stand in the middle of the command's output.
        append: format!("{} loglevel=0", job.append),
        tap: Some(Tap::new(move |bytes| {
            let mut filter = shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let (command, machine) = filter.split(bytes);
            // The machine runs on when nobody listens.
            let mut out = std::io::stdout();
            let _ = out.write_all(&command).and_then(|()| out.flush());
            if verbose {
                let _ = std::io::stderr().write_all(&machine);
            }
        })),
        ..Options::default()
    };
    let machine = Arc::new(Machine::boot(job.built, &options)?);
    let signal = terminal::end_on_signals(machine.clone())?;
    let raw = if is_terminal { terminal::Raw::enter() } else { None };
    if is_terminal {
        terminal::type_at(machine.clone(), true);
    }
    let deadline = Instant::now() + job.timeout.unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
    let end = machine.wait_end_until(deadline)?;
    machine.quit();
    drop(raw);
    let status = filter.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).status();
    Ok(Outcome { status, end, console: machine.console(), signal: signal.load(Ordering::SeqCst) })
}

/// The line PID 1 prints when it has no port for the status.
pub fn printed_status(console: &str) -> Option<u8> {
    console.lines().rev().find_map(|line| line.split_once("corm: exit status ")?.1.trim().parse().ok())
}

/// Lets through what stands between the marks.
#[derive(Default)]
struct Filter {
    place: Place,
    /// Read, and perhaps the beginning of a mark.
    held: Vec<u8>,
}

#[derive(Default, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    Inside,
    /// The rest is the status and what the machine says.
    After,
}

impl Filter {
    /// The command's part and the machine's.
    fn split(&mut self, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let (mut command, mut machine) = (Vec::new(), Vec::new());
        loop {
            let (mark, sink) = match self.place {
                Place::Before => (BEGIN, &mut machine),
                Place::Inside => (END, &mut command),
                Place::After => {
                    machine.extend_from_slice(bytes);
                    return (command, machine);
                }
            };
            let mark = mark.as_bytes();
            if let Some(at) = self.held.windows(mark.len()).position(|window| window == mark) {
                sink.extend(self.held.drain(..at));
                self.held.drain(..mark.len());
                self.place = if self.place == Place::Before { Place::Inside } else { Place::After };
                if self.place == Place::After {
                    return (command, machine);
                }
            } else {
                let partial =
                    (0..mark.len()).rev().find(|length| self.held.ends_with(&mark[..*length])).unwrap_or(0);
                sink.extend(self.held.drain(..self.held.len() - partial));
                return (command, machine);
            }
        }
    }

    /// What stood behind the last mark.
    fn status(&self) -> Option<u8> {
        if self.place != Place::After {
            return None;
        }
        let digits = self.held.iter().take_while(|byte| byte.is_ascii_digit()).copied().collect();
        String::from_utf8(digits).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_let_through_however_it_arrives() {
        let console = format!("boot\n{BEGIN}hello \x1e\x02corm\n{END}3\r\ncorm: powering off\n");
        for piece in [1, 2, 7, console.len()] {
            let mut filter = Filter::default();
            let mut command = Vec::new();
            for bytes in console.as_bytes().chunks(piece) {
                command.extend(filter.split(bytes).0);
            }
            assert_eq!(String::from_utf8(command).unwrap(), "hello \x1e\x02corm\n", "in pieces of {piece}");
            assert_eq!(filter.status(), Some(3));
        }
    }

    #[test]
    fn without_a_mark_nothing_is_the_commands() {
        let mut filter = Filter::default();
        assert_eq!(filter.split(b"Kernel panic"), (vec![], b"Kernel panic".to_vec()));
        assert_eq!(filter.status(), None);
    }

    #[test]
    fn the_printed_status_is_found_behind_a_prefix() {
        assert_eq!(printed_status("x\n[    1.0] corm: exit status 143\nbye\n"), Some(143));
        assert_eq!(printed_status("nothing"), None);
    }
}
