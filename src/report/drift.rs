//! Drift as facts, and as lines to read.
//!
//! Owns the names of the facts and their order. It must not know how distances are computed.

use super::drift_lines::{self, Line};
use super::facts::Fact;
use super::overlay;
use crate::monitor::drift::{Bracket, Drift, Limits, Verdict, drifted_share, verdicts};
use crate::monitor::overlay::Overlay;
use crate::monitor::profile::{ColumnProfile, Profile};

/// The section of drift.
pub const SECTION: &str = "drift";

/// The most columns whose histograms are in the report: those that changed most.
const HISTOGRAMS: usize = 60;

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
        let columns = self.by_severity().into_iter().map(Compared::line);
        let mut lines = drift_lines::lines(&columns.collect::<Vec<_>>());
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

    fn line(&self) -> Line<'_> {
        Line {
            name: &self.baseline.name,
            verdict: self.verdict,
            drift: self.drift,
            missing_rates: [self.baseline, self.current].map(ColumnProfile::missing_rate),
            overlay: Overlay::of(self.baseline, self.current),
        }
    }
}
