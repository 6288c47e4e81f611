//! Programs timed side by side: in every round each runs once, in another order.
//!
//! What disturbs a computer for a while then disturbs all of them, and what is
//! compared is always of the same round. Figures are a median and the quartiles
//! around it; of a ratio or a difference too, which are formed round by round.
//! On a busy computer much of a time is the wait for a turn; at real-time priority
//! (`--fifo`) there is hardly any.

use anyhow::{Context, Result, ensure};
use corm_qemu::command;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Rounds that only fill caches.
const WARM_UP: usize = 5;

/// What is run in each round.
pub struct Subject {
    pub name: String,
    pub command: Command,
}

impl Subject {
    pub fn new(name: impl Into<String>, mut command: Command) -> Subject {
        clean(&mut command);
        Subject { name: name.into(), command }
    }

    /// Runs it once; the error is its own last words.
    pub fn try_out(&mut self) -> Result<()> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = self.command.output().with_context(|| format!("could not run {}", self.name))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        ensure!(output.status.success(), "{}: {}", output.status, last.unwrap_or("it says nothing"));
        Ok(())
    }
}

/// This process, and what it starts, before everything else; until dropped.
pub struct Priority;

impl Priority {
    pub fn raise() -> Result<Priority> {
        chrt(&["--fifo", "--pid", "1"]).context("cannot have real-time priority")?;
        Ok(Priority)
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        // What was not raised needs no lowering.
        let _ = chrt(&["--other", "--pid", "0"]);
    }
}

fn chrt(arguments: &[&str]) -> Result<String> {
    command::read(Command::new("chrt").args(arguments).arg(std::process::id().to_string()))
}

/// Cargo's environment has a search path for libraries, which costs whoever is
/// linked dynamically a hundred system calls.
pub fn clean(command: &mut Command) {
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
}

/// Microseconds of each subject, one a round.
pub fn run(subjects: &mut [Subject], rounds: usize) -> Result<Vec<Vec<f64>>> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for subject in subjects.iter_mut() {
        let null = || null.try_clone().map(Stdio::from);
        subject.command.stdin(null()?).stdout(null()?).stderr(null()?);
    }
    let mut times = vec![Vec::with_capacity(rounds); subjects.len()];
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..WARM_UP + rounds {
        random.shuffle(&mut order);
        for &index in &order {
            let command = &mut subjects[index].command;
            let start = Instant::now();
            let status = command.spawn().and_then(|mut child| child.wait());
            let time = start.elapsed();
            let status = status.with_context(|| format!("could not run `{}`", command::shown(command)))?;
            ensure!(status.success(), "`{}` failed in round {round}: {status}", command::shown(command));
            if round >= WARM_UP {
                times[index].push(time.as_secs_f64() * 1e6);
            }
        }
    }
    Ok(times)
}

/// Marsaglia's xorshift: the same orders every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Fisher and Yates's.
    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            let other = self.next() % (last as u64 + 1);
            order.swap(last, other as usize);
        }
    }
}

/// The middle, and what half of all values lie between.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quartiles {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Quartiles {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Quartiles {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |quarter: usize| {
            sorted.get((sorted.len().saturating_sub(1) * quarter + 2) / 4).copied().unwrap_or(f64::NAN)
        };
        Quartiles { low: at(1), median: at(2), high: at(3) }
    }

    /// Each value by the base's of the same round.
    pub fn of_ratio(values: &[f64], base: &[f64]) -> Quartiles {
        Quartiles::of(values.iter().zip(base).map(|(value, base)| value / base))
    }

    /// Each value less the base's of the same round.
    pub fn of_difference(values: &[f64], base: &[f64]) -> Quartiles {
        Quartiles::of(values.iter().zip(base).map(|(value, base)| value - base))
    }

    /// `12.3 (11.9-13.0)`
    pub fn shown(self, decimals: usize) -> String {
        format!("{:.*} ({:.*}..{:.*})", decimals, self.median, decimals, self.low, decimals, self.high)
    }

    pub fn json(self) -> serde_json::Value {
        // Noise below a thousandth of a microsecond is not passed on.
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        serde_json::json!({
            "median": rounded(self.median), "low": rounded(self.low), "high": rounded(self.high),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_around_the_median() {
        let quartiles = Quartiles::of([5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(quartiles, Quartiles { low: 2.0, median: 3.0, high: 4.0 });
        let one = Quartiles::of([7.0]);
        assert_eq!((one.low, one.median, one.high), (7.0, 7.0, 7.0));
        assert!(Quartiles::of([]).median.is_nan());
    }

    #[test]
    fn what_is_compared_is_of_the_same_round() {
        let (slow, base) = ([20.0, 200.0, 2.0], [10.0, 100.0, 1.0]);
        assert_eq!(Quartiles::of_ratio(&slow, &base).median, 2.0);
        assert_eq!(Quartiles::of_difference(&slow, &base).median, 10.0);
    }

    #[test]
    fn every_order_has_each_once_and_orders_differ() {
        let mut random = Random(1);
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let mut order = [0, 1, 2, 3];
            random.shuffle(&mut order);
            orders.insert(order);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3]);
        }
        assert!(orders.len() > 10, "{}", orders.len());
    }
}
