//! One boot, one number.

use super::guests::ASKS_FOR_POWEROFF;
use anyhow::{Context, Result, ensure};
use corm_qemu::{Built, Machine, Options};

/// printk's time stamp at the start of a line, in seconds.
const STAMP: &str = r"^\[ *([0-9]+\.[0-9]+)\] ";

/// One instruction is one nanosecond; idle time is skipped, not waited for.
fn counting_instructions() -> Options {
    Options {
        cpus: Some(1),
        instruction_count: true,
        // Every line of the kernel log is printed by the kernel, with its own clock,
        // and none is dropped when there are many.
        append: "loglevel=7 printk.devkmsg=on".to_owned(),
        ..Options::default()
    }
}

/// Milliseconds from the kernel's last word to the first workload's first.
pub fn first_line(image: &Built) -> Result<f64> {
    let machine = Machine::boot(image, &counting_instructions())?;
    let start = stamp(&machine, "Run /init as init process")?;
    let end = stamp(&machine, "(?:hello: )?hello$")?;
    machine.quit();
    Ok((end - start) * 1000.0)
}

/// PID 1's proportional set size in kB. Emulated, not counted: memory is memory.
pub fn memory(image: &Built) -> Result<f64> {
    let machine = Machine::boot(image, &Options::default())?;
    let found = machine.wait_for_match(r"meter: Pss: +([0-9]+) kB")?;
    machine.wait_for("meter: measured")?;
    machine.quit();
    number(&found)
}

/// Milliseconds from the request to the kernel's own last line. `asked`: how many
/// workloads must have said `bye`. Without that, a machine that kills everything
/// at once would have the best figure.
pub fn poweroff(image: &Built, asked: usize) -> Result<f64> {
    let machine = Machine::boot(image, &counting_instructions())?;
    let start = stamp(&machine, ASKS_FOR_POWEROFF)?;
    let end = stamp(&machine, "reboot: (?:Power down|Restarting system)")?;
    machine.wait_end()?;
    let console = machine.console();
    let said_bye = console.lines().filter(|line| line.ends_with(": bye")).count();
    ensure!(said_bye == asked, "{said_bye} of {asked} workloads ended in order. The console:\n{console}");
    Ok((end - start) * 1000.0)
}

fn stamp(machine: &Machine, line: &str) -> Result<f64> {
    number(&machine.wait_for_match(&format!("{STAMP}{line}"))?)
}

fn number(groups: &[String]) -> Result<f64> {
    let text = groups.get(1).context("a pattern without a group")?;
    text.parse().with_context(|| format!("{text:?} is no number"))
}

/// The same measured several times.
pub struct Measured(Vec<f64>);

impl Measured {
    pub fn repeat(runs: usize, mut once: impl FnMut() -> Result<f64>) -> Result<Measured> {
        let mut all = (0..runs).map(|_| once()).collect::<Result<Vec<f64>>>()?;
        all.sort_by(f64::total_cmp);
        Ok(Measured(all))
    }

    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Between the smallest and the largest.
    pub fn spread(&self) -> f64 {
        match self.0.as_slice() {
            [first, .., last] => last - first,
            _ => 0.0,
        }
    }

    pub fn all(&self) -> &[f64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_and_the_spread_the_distance_of_the_outer_ones() {
        let mut values = [3.0, 1.0, 2.5].into_iter();
        let measured = Measured::repeat(3, || values.next().context("no more")).unwrap();
        assert_eq!((measured.median(), measured.spread()), (2.5, 2.0));
    }
}
