//! Drift as lines to read: the columns that changed, each with its histogram over that of the
//! baseline.
//!
//! Owns the layout. It must not know how distances are computed.

use super::{number, spark};
use crate::count::counted;
use crate::monitor::drift::{Bracket, Drift, Verdict};
use crate::monitor::overlay::Overlay;

/// The most columns that are listed; the report has them all.
const COLUMNS_SHOWN: usize = 20;

/// Up to so many columns are all listed; of more, those that are ok are counted.
const FEW_COLUMNS: usize = 8;

/// The most cells of a histogram.
const CELLS: usize = 20;

/// The longest name that is shown whole.
const MAX_NAME: usize = 24;

/// A column that was compared.
#[derive(Debug)]
pub struct Line<'a> {
    /// Its name.
    pub name: &'a str,
    /// What is said of it.
    pub verdict: Verdict,
    /// Its distances.
    pub drift: Drift,
    /// The shares of rows without a value, of the baseline and now.
    pub missing_rates: [Option<f64>; 2],
    /// Its histogram over that of the baseline.
    pub overlay: Option<Overlay>,
}

/// The lines for these columns, which come with the worst first.
#[must_use]
pub fn lines(columns: &[Line<'_>]) -> Vec<String> {
    let count = |verdict: Verdict| columns.iter().filter(|one| one.verdict == verdict).count();
    let rows = |side: usize| {
        let all = columns.iter().map(|one| one.drift.rows[side]);
        number::count(all.max().unwrap_or(0) as f64)
    };
    let undecided = match count(Verdict::Undecided) {
        0 => String::new(),
        some => format!(", {some} undecided"),
    };
    let mut lines = vec![
        format!(
            "drift: {} of {} drifted{undecided}  ({} rows against {})",
            count(Verdict::Drift),
            counted(columns.len(), "column"),
            rows(1),
            rows(0)
        ),
        String::new(),
    ];
    let is_shown = |one: &&Line| one.verdict != Verdict::Ok || columns.len() <= FEW_COLUMNS;
    let (mut shown, calm): (Vec<&Line>, Vec<&Line>) = columns.iter().partition(is_shown);
    let hidden = shown.len().saturating_sub(COLUMNS_SHOWN);
    shown.truncate(COLUMNS_SHOWN);
    let width = shown.iter().map(|one| shortened(one.name).chars().count());
    let width = width.max().unwrap_or(0).max("column".len());
    if !shown.is_empty() {
        lines.push(format!(
            "  {:width$}  {:9}  {:CELLS$}  {:>5}  {:>14}  KS",
            "column", "verdict", "today over baseline", "JS", "missing"
        ));
    }
    lines.extend(shown.iter().flat_map(|one| one.lines(width)));
    if hidden > 0 {
        lines.push(format!("  \u{2026} and {}", counted(hidden, "more column")));
    }
    if let Some(first) = calm.first() {
        let js = first.drift.js.map_or(String::new(), |js| {
            format!(", largest JS {} ({})", number::share(js, 3), first.name)
        });
        lines.push(format!("  {} more are ok{js}", calm.len()));
    }
    lines
}

impl Line<'_> {
    /// The distances, and of a column that is not ok the histogram of the baseline below.
    fn lines(&self, width: usize) -> Vec<String> {
        let Drift {
            js,
            ks,
            unseen_rate,
            ..
        } = self.drift;
        let js = js.map_or("-".to_owned(), |js| number::share(js, 3));
        let ks = ks.map_or("-".to_owned(), |Bracket { low, high }| {
            let [low, high] = [low, high].map(|end| number::share(end, 3));
            if low == high {
                low
            } else {
                format!("{low} to {high}")
            }
        });
        let missing = match self.missing_rates {
            [Some(before), Some(now)] if before != now => {
                format!("{} -> {}", number::percent(before), number::percent(now))
            }
            [_, now] => now.map_or("-".to_owned(), number::percent),
        };
        let unseen = unseen_rate
            .filter(|rate| *rate > 0.0)
            .map_or(String::new(), |rate| {
                format!("new categories in {} of rows", number::percent(rate))
            });
        let [before, now] = self.histograms();
        let name = shortened(self.name);
        let verdict = self.verdict.name();
        let mut lines = vec![format!(
            "  {name:width$}  {verdict:9}  {now:CELLS$}  {js:>5}  {missing:>14}  {ks}"
        )];
        let second = format!("{before:CELLS$}  {unseen}");
        if self.verdict != Verdict::Ok && !second.trim().is_empty() {
            let second = format!("  {:width$}  {:9}  {second}", "", "");
            lines.push(second.trim_end().to_owned());
        }
        lines
    }

    /// The histogram of the baseline and that of now, on one scale.
    fn histograms(&self) -> [String; 2] {
        let counts: Vec<[u64; 2]> = match &self.overlay {
            Some(Overlay::Numbers { bins, .. }) => bins.iter().map(|bin| bin.counts).collect(),
            Some(Overlay::Categories { named, other, new }) => {
                let named = named.iter().map(|(_, counts)| *counts);
                named.chain([*other, [0, *new]]).collect()
            }
            None => Vec::new(),
        };
        let shares = [0, 1].map(|side| {
            let total: u64 = counts.iter().map(|both| both[side]).sum();
            let share = |both: &[u64; 2]| both[side] as f64 / total.max(1) as f64;
            counts.iter().map(share).take(CELLS).collect::<Vec<f64>>()
        });
        let full = spark::largest(shares.iter().flatten());
        shares.map(|side| spark::cells(&side, full))
    }
}

/// A name of bounded length: a longer one loses its middle.
fn shortened(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= MAX_NAME {
        return name.to_owned();
    }
    let (start, end) = (&characters[..12], &characters[characters.len() - 11..]);
    format!(
        "{}\u{2026}{}",
        String::from_iter(start),
        String::from_iter(end)
    )
}
