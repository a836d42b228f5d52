//! Drift as facts, and as lines to read.
//!
//! Owns the names of the facts and their order. It must not know how distances are computed.

use super::facts::Fact;
use super::{number, overlay, spark};
use crate::count::counted;
use crate::monitor::drift::{Bracket, Drift, Limits, Verdict, drifted_share, verdicts};
use crate::monitor::overlay::Overlay;
use crate::monitor::profile::{ColumnProfile, Profile};

/// The section of drift.
pub const SECTION: &str = "drift";

/// The most columns that are listed for users; the report has them all.
const COLUMNS_SHOWN: usize = 20;

/// The most columns whose histograms are in the report: those that changed most.
const HISTOGRAMS: usize = 60;

/// Up to so many columns are all listed; of more, those that are ok are counted.
const FEW_COLUMNS: usize = 8;

/// The most cells of a histogram in a line of text.
const CELLS: usize = 20;

/// A column of both tables, compared.
struct Compared<'a> {
    baseline: &'a ColumnProfile,
    current: &'a ColumnProfile,
    drift: Drift,
    verdict: Verdict,
}

/// Everything that was compared.
pub struct Comparison<'a> {
    columns: Vec<Compared<'a>>,
    drifted_share: Option<f64>,
    /// Columns of the baseline that are gone, of another kind, or new.
    others: Vec<(&'a str, &'static str)>,
}

impl<'a> Comparison<'a> {
    /// Compares two profiles, column by column of the same name.
    #[must_use]
    pub fn of(baseline: &'a Profile, current: &'a Profile, limits: Limits) -> Self {
        let mut others = Vec::new();
        let mut pairs = Vec::new();
        for column in &baseline.columns {
            match current.column(&column.name) {
                None => others.push((column.name.as_str(), "missing")),
                Some(now) if now.kind() != column.kind() => {
                    others.push((column.name.as_str(), "other_kind"));
                }
                Some(now) => pairs.extend(column.drift(now).map(|drift| (column, now, drift))),
            }
        }
        let new = current
            .columns
            .iter()
            .filter(|now| baseline.column(&now.name).is_none());
        others.extend(new.map(|now| (now.name.as_str(), "new")));
        let drifts: Vec<Drift> = pairs.iter().map(|pair| pair.2).collect();
        let verdicts = verdicts(&drifts, limits);
        let columns = pairs.into_iter().zip(&verdicts);
        Self {
            drifted_share: drifted_share(&drifts, &verdicts),
            columns: columns
                .map(|((baseline, current, drift), verdict)| Compared {
                    baseline,
                    current,
                    drift,
                    verdict: *verdict,
                })
                .collect(),
            others,
        }
    }

    /// The facts of the section `drift`.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let share = self.drifted_share;
        let share = share.map(|share| Fact::number(SECTION, "", "drifted_share", share, ""));
        let columns = self.columns.iter().flat_map(Compared::facts);
        let histograms = self.by_severity().into_iter().take(HISTOGRAMS);
        let histograms = histograms.flat_map(|one| overlay::facts(one.baseline, one.current));
        let others = self.others.iter();
        let others = others.map(|(name, verdict)| Fact::text(SECTION, *name, "verdict", *verdict));
        share
            .into_iter()
            .chain(columns)
            .chain(others)
            .chain(histograms)
            .collect()
    }

    /// Columns that have drifted first, then by distance.
    fn by_severity(&self) -> Vec<&Compared<'a>> {
        let mut sorted: Vec<&Compared> = self.columns.iter().collect();
        sorted.sort_by(|left, right| {
            let severity =
                |one: &Compared| (one.verdict == Verdict::Drift, one.drift.js.unwrap_or(-1.0));
            let (left, right) = (severity(left), severity(right));
            right.0.cmp(&left.0).then(right.1.total_cmp(&left.1))
        });
        sorted
    }

    /// The same for users, the columns that changed most first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let count = |verdict: Verdict| {
            let all = self.columns.iter();
            all.filter(|one| one.verdict == verdict).count()
        };
        let rows = |side: usize| {
            let all = self.columns.iter().map(|one| one.all_rows()[side]);
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
                counted(self.columns.len(), "column"),
                rows(1),
                rows(0)
            ),
            String::new(),
        ];
        let sorted = self.by_severity();
        let shown = |one: &&&Compared| one.verdict != Verdict::Ok || sorted.len() <= FEW_COLUMNS;
        let (shown, calm): (Vec<&Compared>, Vec<&Compared>) =
            sorted.iter().partition(|one| shown(&one));
        let hidden = shown.len().saturating_sub(COLUMNS_SHOWN);
        let names = shown.iter().take(COLUMNS_SHOWN);
        let names = names.map(|one| shortened(&one.baseline.name).chars().count());
        let width = names.max().unwrap_or(0).max(6);
        if !shown.is_empty() {
            lines.push(format!(
                "  {:width$}  {:9}  {:CELLS$}  {:>5}  {:>14}  KS",
                "column", "verdict", "today over baseline", "JS", "missing"
            ));
        }
        lines.extend(
            shown
                .iter()
                .take(COLUMNS_SHOWN)
                .flat_map(|one| one.lines(width)),
        );
        if hidden > 0 {
            lines.push(format!("  \u{2026} and {}", counted(hidden, "more column")));
        }
        if let Some(first) = calm.first() {
            let js = first.drift.js.map_or(String::new(), |js| {
                format!(
                    ", largest JS {} ({})",
                    number::share(js, 3),
                    first.baseline.name
                )
            });
            lines.push(format!("  {} more are ok{js}", calm.len()));
        }
        lines.extend(self.others.iter().map(|(name, what)| {
            let what = what.replace('_', " ");
            format!("  {name:24} {what}")
        }));
        lines
    }
}

impl Compared<'_> {
    fn facts(&self) -> Vec<Fact> {
        let Drift {
            js,
            psi,
            ks,
            wasserstein,
            unseen_rate,
            chi_square_p,
            p,
            rows,
        } = self.drift;
        let ends = |bracket: Option<Bracket>| {
            bracket.map_or([None; 2], |Bracket { low, high }| [Some(low), Some(high)])
        };
        let [ks_low, ks_high] = ends(ks);
        let [wasserstein_low, wasserstein_high] = ends(wasserstein);
        let middle = wasserstein.map(|bracket| f64::midpoint(bracket.low, bracket.high));
        let numbers = [
            ("js", js),
            ("psi", psi),
            ("ks_low", ks_low),
            ("ks_high", ks_high),
            ("wasserstein", middle),
            ("wasserstein_low", wasserstein_low),
            ("wasserstein_high", wasserstein_high),
            ("missing_rate", self.current.missing_rate()),
            ("baseline_missing_rate", self.baseline.missing_rate()),
            ("unseen_rate", unseen_rate),
            ("chi_square_p", chi_square_p),
            ("p", p),
        ];
        let name = &self.baseline.name;
        let numbers = numbers
            .into_iter()
            .filter_map(|(metric, value)| Some(Fact::number(SECTION, name, metric, value?, "")));
        let counts = [("baseline_rows", rows[0]), ("rows", rows[1])]
            .map(|(metric, count)| Fact::count(SECTION, name, metric, count, "rows"));
        std::iter::once(Fact::text(SECTION, name, "verdict", self.verdict.name()))
            .chain(numbers)
            .chain(counts)
            .collect()
    }

    /// Rows of both sides, with a value and without.
    fn all_rows(&self) -> [u64; 2] {
        [self.baseline.rows, self.current.rows]
    }

    /// What is shown of the column: its distances, and of one that is not ok its histogram over
    /// that of the baseline.
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
        let missing = match [self.baseline.missing_rate(), self.current.missing_rate()] {
            [Some(before), Some(now)] if before != now => {
                format!("{} -> {}", number::percent(before), number::percent(now))
            }
            [_, now] => now.map_or("-".to_owned(), number::percent),
        };
        let [now, before] = self.histograms();
        let unseen = unseen_rate
            .filter(|rate| *rate > 0.0)
            .map_or(String::new(), |rate| {
                format!("new categories in {} of rows", number::percent(rate))
            });
        let name = shortened(&self.baseline.name);
        let verdict = self.verdict.name();
        let mut lines = vec![format!(
            "  {name:width$}  {verdict:9}  {now:CELLS$}  {js:>5}  {missing:>14}  {ks}"
        )];
        let second = format!("{before:CELLS$}  {unseen}");
        if self.verdict != Verdict::Ok && !second.trim().is_empty() {
            lines.push(
                format!("  {:width$}  {:9}  {second}", "", "")
                    .trim_end()
                    .to_owned(),
            );
        }
        lines
    }

    /// The histogram and that of the baseline, on one scale.
    fn histograms(&self) -> [String; 2] {
        let counts: Vec<[u64; 2]> = match Overlay::of(self.baseline, self.current) {
            Some(Overlay::Numbers { bins, .. }) => bins.iter().map(|bin| bin.counts).collect(),
            Some(Overlay::Categories { named, other, new }) => {
                let named = named.into_iter().map(|(_, counts)| counts);
                named.chain([other, [0, new]]).collect()
            }
            None => Vec::new(),
        };
        let shares = [0, 1].map(|side| {
            let total: u64 = counts.iter().map(|both| both[side]).sum();
            let share = |both: &[u64; 2]| both[side] as f64 / total.max(1) as f64;
            counts.iter().map(share).take(CELLS).collect::<Vec<f64>>()
        });
        let full = spark::largest(shares.iter().flatten());
        let [before, now] = shares.map(|side| spark::cells(&side, full));
        [now, before]
    }
}

/// A name of at most 24 characters: a longer one loses its middle.
fn shortened(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= 24 {
        return name.to_owned();
    }
    let (start, end) = (&characters[..12], &characters[characters.len() - 11..]);
    format!(
        "{}\u{2026}{}",
        String::from_iter(start),
        String::from_iter(end)
    )
}
