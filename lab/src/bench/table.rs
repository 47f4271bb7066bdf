//! The table of figures: measure, figure, limit, verdict.

use std::fmt;

/// What was measured so far.
#[derive(Default)]
pub(crate) struct Table {
    notes: Vec<String>,
    rows: Vec<[String; 4]>,
}

impl Table {
    /// Adds a line above the table.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds a figure that is better the larger it is.
    pub(super) fn at_least(&mut self, measure: &str, figure: f64, limit: f64, unit: &str) {
        let missed = (figure < limit).then(|| (limit - figure) / limit);
        self.judged(measure, &show(figure, unit), &format!(">= {}", show(limit, unit)), missed);
    }

    /// Adds a figure that is better the smaller it is.
    pub(crate) fn at_most(&mut self, measure: &str, figure: f64, limit: f64, unit: &str) {
        let missed = (figure > limit).then(|| (figure - limit) / limit);
        self.judged(measure, &show(figure, unit), &format!("<= {}", show(limit, unit)), missed);
    }

    /// Adds a figure that has no limit.
    pub(crate) fn plain(&mut self, measure: &str, figure: f64, unit: &str) {
        self.rows.push([measure.to_owned(), show(figure, unit), String::new(), String::new()]);
    }

    /// Adds a measure that could not be taken.
    pub(crate) fn missing(&mut self, measure: &str, why: &str) {
        let row = [measure, "not measured", "", why];
        self.rows.push(row.map(str::to_owned));
    }

    fn judged(&mut self, measure: &str, figure: &str, limit: &str, missed: Option<f64>) {
        let verdict = match missed {
            None => "ok".to_owned(),
            Some(share) => format!("missed by {:.0} %", (share * 100.0).ceil()),
        };
        eprintln!("bench: {measure}: {figure} ({limit}: {verdict})");
        self.rows.push([measure, figure, limit, &verdict].map(str::to_owned));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        let head = ["measure", "figure", "limit", "verdict"].map(str::to_owned);
        let mut widths = [0; 4];
        for row in std::iter::once(&head).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let rule = widths.map(|width| "-".repeat(width));
        for [measure, figure, limit, verdict] in [&head, &rule].into_iter().chain(&self.rows) {
            let [a, b, c, _] = widths;
            writeln!(
                f,
                "| {measure:a$} | {figure:>b$} | {limit:>c$} | {verdict:d$} |",
                d = widths[3]
            )?;
        }
        Ok(())
    }
}

/// A figure with its unit: thousands apart, more digits the smaller it is.
fn show(figure: f64, unit: &str) -> String {
    let digits = match figure {
        f if f >= 100.0 || f == 0.0 => 0,
        f if f >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{figure:.digits$}");
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, fraction.trim_end_matches('0')),
        None => (text.as_str(), ""),
    };
    let mut shown = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if !fraction.is_empty() {
        shown.push('.');
        shown.push_str(fraction);
    }
    format!("{shown} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_for_people() {
        for (figure, shown) in [
            (1_234_567.8, "1,234,568 x"),
            (45.67, "45.7 x"),
            (2.0, "2 x"),
            (0.126, "0.13 x"),
            (0.0, "0 x"),
        ] {
            assert_eq!(show(figure, "x"), shown);
        }
        assert_eq!(show(300.0, ""), "300");
    }

    #[test]
    fn a_missed_limit_says_by_how_much() {
        let mut table = Table::default();
        table.at_least("writes", 750.0, 1_500.0, "/s");
        table.at_most("ready", 290.0, 300.0, "ms");
        table.at_most("memory", 30.0, 25.0, "MB");
        table.missing("ratio", "no baseline");
        let text = table.to_string();
        assert!(text.contains("missed by 50 %"), "{text}");
        assert!(text.contains("missed by 20 %"), "{text}");
        assert_eq!(text.matches("| ok").count(), 1, "{text}");
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}
