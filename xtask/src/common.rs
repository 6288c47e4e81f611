//! Arguments that several tasks take.

use anyhow::Result;
use clap::Args;
use corm_qemu::{Board, board};
use std::time::Duration;

/// Ends of our own, as sysexits(3) and timeout(1) number them.
pub const EXIT_SOFTWARE: u8 = 70;
pub const EXIT_TIMEOUT: u8 = 124;

#[derive(Args, Clone)]
pub struct BoardArg {
    /// The machine: a folder under board/
    #[arg(long, default_value = board::DEFAULT, value_name = "BOARD")]
    board: String,
}

impl BoardArg {
    pub fn load(&self) -> Result<Board> {
        Board::load(&self.board)
    }
}

/// "500ms", "60s", "5m", or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time: write 500ms, 60s or 5m");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" | "" => Ok(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// The last lines of a console, for an error.
pub fn tail(console: &str) -> String {
    const LINES: usize = 30;
    let lines: Vec<&str> = console.trim_end().lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(LINES))
        .fold(String::new(), |text, line| text + "  | " + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_or_is_seconds() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("60"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "s", "5h", "-1s", "1.5s", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tail_has_the_last_lines() {
        let console: String = (0..100).map(|n| format!("line {n}\n")).collect();
        assert!(tail(&console).ends_with("  | line 99\n"));
        assert_eq!(tail(&console).lines().count(), 30);
    }
}
