//! Rows and columns for people.

/// The first row is the heading, the first column is left-aligned.
pub fn print(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::from(" ");
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // The last one may be a sentence.
            let last = column + 1 == columns;
            line +=
                &if column == 0 || last { format!(" {cell:<width$} ") } else { format!(" {cell:>width$} ") };
        }
        println!("{}", line.trim_end());
    }
}

/// How busy the computer is with other things; a spread has to be read with it.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = text.split(' ').next().unwrap_or("?");
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("load average {load} on {cpus} cpus")
}

/// Whether an aim was reached.
pub fn verdict(reached: bool) -> &'static str {
    if reached { "ok" } else { "MISSED" }
}
