//! Figures as a table for people, or as JSON.

use super::measure::Measured;
use corm_qemu::Board;
use serde_json::json;

pub struct Figure {
    name: String,
    unit: &'static str,
    decimals: usize,
    measured: Measured,
    ratio: Option<f64>,
    aim: Option<Aim>,
}

#[derive(Clone, Copy)]
enum Aim {
    /// The median, in the figure's unit.
    Value(f64),
    /// Times the floor.
    Ratio(f64),
}

impl Figure {
    pub fn time(name: impl Into<String>, measured: Measured) -> Figure {
        Figure { name: name.into(), unit: "ms", decimals: 2, measured, ratio: None, aim: None }
    }

    pub fn memory(name: impl Into<String>, measured: Measured) -> Figure {
        Figure { name: name.into(), unit: "kB", decimals: 0, measured, ratio: None, aim: None }
    }

    pub fn aim(self, most: f64) -> Figure {
        Figure { aim: Some(Aim::Value(most)), ..self }
    }

    pub fn ratio(self, ratio: Option<f64>, most: Option<f64>) -> Figure {
        Figure { ratio, aim: most.map(Aim::Ratio), ..self }
    }

    /// Whether the aim was reached; none without one.
    fn reached(&self) -> Option<bool> {
        Some(match self.aim? {
            Aim::Value(most) => self.measured.median() <= most,
            Aim::Ratio(most) => self.ratio? <= most,
        })
    }

    fn cells(&self) -> [String; 5] {
        let number = |value: f64| format!("{value:.*} {}", self.decimals, self.unit);
        let spread =
            if self.measured.all().len() > 1 { number(self.measured.spread()) } else { String::new() };
        let aim = match self.aim {
            Some(Aim::Value(most)) => format!("<= {most} {}", self.unit),
            Some(Aim::Ratio(most)) => format!("<= {most:.1} x"),
            None => String::new(),
        };
        let verdict = match self.reached() {
            Some(true) => "ok",
            Some(false) => "MISSED",
            None => "",
        };
        [
            self.name.clone(),
            number(self.measured.median()),
            spread,
            self.ratio.map_or(String::new(), |ratio| format!("{ratio:.2} x")),
            format!("{aim:<9} {verdict}").trim_end().to_owned(),
        ]
    }
}

pub fn table(board: &Board, figures: &[Figure]) {
    let head = ["", "median", "spread", "floor", "aim"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(figures.iter().map(Figure::cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    println!("{}: {}", board.name, board.description);
    for [name, median, spread, ratio, aim] in &rows {
        let line = format!(
            "  {name:<0$}  {median:>1$}  {spread:>2$}  {ratio:>3$}  {aim}",
            widths[0], widths[1], widths[2], widths[3]
        );
        println!("{}", line.trim_end());
    }
}

pub fn json(board: &Board, figures: &[Figure]) {
    let figures: Vec<serde_json::Value> = figures
        .iter()
        .map(|figure| {
            let (aim, of) = match figure.aim {
                Some(Aim::Value(most)) => (Some(most), "value"),
                Some(Aim::Ratio(most)) => (Some(most), "ratio"),
                None => (None, "value"),
            };
            json!({
                "name": figure.name,
                "unit": figure.unit,
                "median": rounded(figure.measured.median()),
                "spread": rounded(figure.measured.spread()),
                "runs": figure.measured.all().iter().copied().map(rounded).collect::<Vec<f64>>(),
                "floor-ratio": figure.ratio.map(rounded),
                "aim": aim,
                "aim-of": aim.map(|_| of),
                "reached": figure.reached(),
            })
        })
        .collect();
    println!("{:#}", json!({ "board": board.name, "figures": figures }));
}

/// The kernel log's microseconds, without the noise of binary fractions.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_is_reached_or_missed_by_the_median_or_by_the_ratio() {
        let of = |value| Measured::repeat(1, || Ok(value)).unwrap();
        assert_eq!(Figure::memory("m", of(128.0)).aim(128.0).reached(), Some(true));
        assert_eq!(Figure::memory("m", of(129.0)).aim(128.0).reached(), Some(false));
        assert_eq!(Figure::time("t", of(9.0)).ratio(Some(2.1), Some(2.0)).reached(), Some(false));
        assert_eq!(Figure::time("t", of(9.0)).ratio(Some(2.1), None).reached(), None);
    }
}
