//! What the steps came to.

use std::fmt::{self, Display, Write};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Passed,
    Failed,
    Skipped,
}

impl From<bool> for Verdict {
    fn from(success: bool) -> Verdict {
        if success { Verdict::Passed } else { Verdict::Failed }
    }
}

/// Tests, as `cargo test` counts them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
}

pub struct Step {
    pub name: String,
    pub verdict: Verdict,
    pub time: Duration,
    pub tally: Tally,
    pub remark: String,
}

impl Step {
    pub fn new(name: String, verdict: Verdict, time: Duration) -> Step {
        Step { name, verdict, time, tally: Tally::default(), remark: String::new() }
    }

    pub fn skipped(name: &str, remark: String) -> Step {
        Step { remark, ..Step::new(name.to_owned(), Verdict::Skipped, Duration::ZERO) }
    }
}

impl Tally {
    /// All steps together. A step that failed without a failed test (it did not
    /// compile; it is no test) counts as one failure, or the line would lie.
    pub fn of(steps: &[Step]) -> Tally {
        let mut total = Tally::default();
        for step in steps {
            total.passed += step.tally.passed;
            total.skipped += step.tally.skipped + u32::from(step.verdict == Verdict::Skipped);
            let nothing_counted = step.verdict == Verdict::Failed && step.tally.failed == 0;
            total.failed += step.tally.failed + u32::from(nothing_counted);
        }
        total
    }

    /// Adds up "test result: ok. 3 passed; 0 failed; 1 ignored; …".
    pub fn add_line(&mut self, line: &str) {
        // Colours stand around the words and after the numbers.
        let Some((_, counts)) = line.split_once("test result: ") else { return };
        let mut words = counts.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let (Ok(number), Some(what)) = (word.parse::<u32>(), words.peek()) else { continue };
            match what.trim_end_matches(';') {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// One line a step.
pub fn table(steps: &[Step]) -> String {
    let mut text = String::new();
    for Step { name, verdict, time, tally, remark } in steps {
        let verdict = match verdict {
            Verdict::Passed => "ok",
            Verdict::Failed => "FAILED",
            Verdict::Skipped => "skipped",
        };
        let tests = if *tally == Tally::default() { remark.clone() } else { tally.to_string() };
        let line = format!("{verdict:<8} {name:<24} {:>6.1} s  {tests}", time.as_secs_f64());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(verdict: Verdict, tally: Tally) -> Step {
        Step { tally, ..Step::new("step".to_owned(), verdict, Duration::ZERO) }
    }

    #[test]
    fn cargos_results_are_added_up() {
        let mut tally = Tally::default();
        tally.add_line(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.1s",
        );
        tally.add_line("test result: \x1b[31mFAILED\x1b[0m. 2 passed; 1 failed; 0 ignored; 0 measured");
        tally.add_line("test something ... ok");
        assert_eq!(tally, Tally { passed: 14, failed: 1, skipped: 1 });
    }

    #[test]
    fn a_step_that_failed_without_a_test_is_a_failure() {
        let steps = [
            step(Verdict::Passed, Tally { passed: 3, ..Tally::default() }),
            step(Verdict::Failed, Tally::default()),
            step(Verdict::Failed, Tally { passed: 1, failed: 2, skipped: 0 }),
        ];
        assert_eq!(Tally::of(&steps).to_string(), "4 passed, 3 failed");
    }

    #[test]
    fn what_was_skipped_is_said() {
        assert_eq!(
            Tally::of(&[step(Verdict::Skipped, Tally::default())]).to_string(),
            "0 passed, 0 failed, 1 skipped"
        );
    }
}
