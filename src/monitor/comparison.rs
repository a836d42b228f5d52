//! A column of a baseline and the same column now.
//!
//! Owns what is put next to each other: distances, missing values, means, and the shapes that are
//! drawn. It must not know verdicts or facts.

use super::against::{ColumnCounts, Counted, Counting, Values};
use super::drift::{Drift, Verdict};
use super::infinite::Infinite;
use super::known::{KnownCategories, KnownCounts};
use super::overlay::Overlay;
use super::profile::{ColumnProfile, Kind};
use super::scores::Statistic;
use crate::statistics::categories::{Categories, SideBySide};
use crate::statistics::distribution::Distribution;
use crate::statistics::quantile_sketch::SharedRange;

/// By how much the share of rows without a value may change.
const MAX_MISSING_CHANGE: f64 = 0.1;

/// Standard errors within which such a change is chance.
const MISSING_ERRORS: f64 = 3.0;

/// A column of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnComparison {
    /// The column's name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// The shares of rows without a value, of the baseline and now.
    pub missing_rates: [Option<f64>; 2],
    /// All rows, of the baseline and now.
    pub row_counts: [u64; 2],
    /// The means of numbers, of the baseline and now.
    pub means: [Option<f64>; 2],
    /// The distances.
    pub drift: Drift,
    /// What is drawn; none where there is nothing to draw.
    pub overlay: Option<Overlay>,
}

impl ColumnComparison {
    /// Two profiles of a column; none if one has numbers and the other not.
    #[must_use]
    pub fn of_profiles(baseline: &ColumnProfile, current: &ColumnProfile) -> Option<Self> {
        let mut compared = match (baseline.kind(), current.kind()) {
            (kind, other) if kind == other && kind.has_numbers() => {
                Self::of_numbers(baseline, &current.numbers)
            }
            (Kind::Categories, Kind::Categories) => {
                Self::of_categories(baseline, &current.categories)
            }
            _ => return None,
        };
        compared.missing_rates[1] = current.missing_rate();
        compared.row_counts[1] = current.rows;
        Some(compared)
    }

    /// What a run counted of an input; none if the baseline is of another kind.
    #[must_use]
    pub fn of_counts(
        baseline: &ColumnProfile,
        counted: &Counted,
        counts: &ColumnCounts,
    ) -> Option<Self> {
        let mut compared = match (&counted.counting, &counts.values, baseline.kind()) {
            (Counting::Bins(bins, scale), Values::Numbers { moments, .. }, Kind::Numbers) => {
                let shared = bins.side_by_side(&counts.finite_bins(), counts.extremes);
                let [positive, negative] = counts.infinite;
                let mut compared = Self::of_shared(baseline, &shared, [negative, positive]);
                compared.means[1] = moments.mean(scale);
                compared
            }
            // A baseline without a value.
            (Counting::Numbers(scale), Values::Numbers { moments, .. }, Kind::Numbers) => {
                let mut compared = Self::of_shared(baseline, &[], [0, 0]);
                compared.drift.rows = [0, moments.count()];
                compared.means[1] = moments.mean(scale);
                compared
            }
            (_, Values::Categories(categories), Kind::Categories) => {
                Self::of_categories(baseline, categories)
            }
            (Counting::Known(known), Values::Known(counts), Kind::Categories) => {
                Self::of_known(baseline, known, counts)
            }
            _ => return None,
        };
        compared.missing_rates[1] = counts.missing_rate();
        compared.row_counts[1] = counts.rows;
        Some(compared)
    }

    /// Scores of a run; none if the baseline is of another kind.
    #[must_use]
    pub fn of_scores(baseline: &ColumnProfile, scores: &Statistic) -> Option<Self> {
        match (scores, baseline.kind()) {
            (Statistic::Number(numbers), Kind::Numbers) => {
                let mut compared = Self::of_numbers(baseline, numbers);
                let without = numbers.null_count() + numbers.nan_count();
                compared.missing_rates[1] = share(without, numbers.count());
                compared.row_counts[1] = numbers.count();
                Some(compared)
            }
            (Statistic::Label(labels, _), Kind::Categories) => {
                let mut categories = Categories::default();
                labels
                    .iter()
                    .for_each(|(label, count)| categories.add(label, count));
                Some(Self::of_categories(baseline, &categories))
            }
            // A label that is a number, such as 0 and 1.
            (Statistic::Label(labels, _), Kind::Numbers) => {
                let mut numbers = Distribution::default();
                for (label, count) in labels.iter() {
                    let value: f64 = label.parse().ok()?;
                    numbers.observe_times(value, count);
                }
                Some(Self::of_numbers(baseline, &numbers))
            }
            _ => None,
        }
    }

    fn of_numbers(baseline: &ColumnProfile, current: &Distribution) -> Self {
        let shared = baseline.numbers.side_by_side(current);
        let mut compared = Self::of_shared(baseline, &shared, current.infinities());
        compared.means[1] = current.mean();
        compared
    }

    /// Numbers in ranges, and how many are −∞ and +∞ now.
    fn of_shared(baseline: &ColumnProfile, shared: &[SharedRange], infinities: [u64; 2]) -> Self {
        let infinite = Infinite::of([baseline.numbers.infinities(), infinities]);
        let drift = Drift::of_shared(shared, infinite, baseline.numbers.standard_deviation());
        Self {
            name: baseline.name.clone(),
            kind: baseline.kind(),
            missing_rates: [baseline.missing_rate(), None],
            row_counts: [baseline.rows, drift.rows[1]],
            means: [baseline.numbers.mean(), None],
            drift,
            overlay: Overlay::of_numbers(&baseline.numbers, shared),
        }
    }

    fn of_categories(baseline: &ColumnProfile, current: &Categories) -> Self {
        let categories = &baseline.categories;
        let overlay = Overlay::of_categories(categories, current);
        Self::of_sides(
            baseline,
            &categories.side_by_side(current),
            current.total(),
            overlay,
        )
    }

    fn of_known(baseline: &ColumnProfile, known: &KnownCategories, counts: &KnownCounts) -> Self {
        let overlay = Overlay::of_known(&baseline.categories, known, counts);
        Self::of_sides(
            baseline,
            &known.side_by_side(counts),
            counts.total(),
            overlay,
        )
    }

    /// Categories side by side, of which `rows` are there now.
    fn of_sides(
        baseline: &ColumnProfile,
        sides: &SideBySide,
        rows: u64,
        overlay: Option<Overlay>,
    ) -> Self {
        Self {
            name: baseline.name.clone(),
            kind: baseline.kind(),
            missing_rates: [baseline.missing_rate(), None],
            row_counts: [baseline.rows, rows],
            means: [None; 2],
            drift: Drift::of_sides(sides, [baseline.categories.total(), rows]),
            overlay,
        }
    }

    /// The verdict on the column, of which distances alone say `distances`: without a row nothing
    /// is known, and a column whose values went missing has drifted, too.
    #[must_use]
    pub fn verdict(&self, distances: Verdict) -> Verdict {
        let [n, m] = self.row_counts.map(|count| count as f64);
        if self.row_counts.contains(&0) {
            return Verdict::Undecided;
        }
        let [Some(before), Some(now)] = self.missing_rates else {
            return distances;
        };
        let change = (now - before).abs();
        let pooled = (before * n + now * m) / (n + m);
        let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
        if change >= MAX_MISSING_CHANGE && change > MISSING_ERRORS * error {
            Verdict::Drift
        } else {
            distances
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_whose_values_went_missing_has_drifted_and_one_without_rows_is_undecided() {
        let column = |rows: u64, missing: u64| {
            let mut column = ColumnProfile::new("x".to_owned(), Kind::Categories);
            column.observe_category("a", rows - missing);
            (column.rows, column.missing) = (rows, missing);
            column
        };
        let verdict = |[n, before]: [u64; 2], [m, now]: [u64; 2]| {
            let compared =
                ColumnComparison::of_profiles(&column(n, before), &column(m, now)).unwrap();
            compared.verdict(Verdict::Ok)
        };
        let usual = [10_000, 500];
        assert_eq!(verdict(usual, [2_000, 100]), Verdict::Ok);
        assert_eq!(verdict(usual, [2_000, 290]), Verdict::Ok);
        assert_eq!(verdict(usual, [2_000, 310]), Verdict::Drift);
        assert_eq!(verdict(usual, [2_000, 2_000]), Verdict::Drift);
        assert_eq!(verdict([10_000, 10_000], usual), Verdict::Drift);
        assert_eq!(verdict(usual, [10, 2]), Verdict::Ok, "chance");
        assert_eq!(verdict(usual, [0, 0]), Verdict::Undecided);
        assert_eq!(verdict([0, 0], usual), Verdict::Undecided);
    }
}
