//! A column of a baseline and the same column now.
//!
//! Owns what is put next to each other: distances, missing values, means, and the shapes that are
//! drawn. It must not know verdicts or facts.

use super::against::{ColumnCounts, Counted, Counting, Values};
use super::drift::Drift;
use super::overlay::Overlay;
use super::profile::{ColumnProfile, Kind};
use super::scores::Statistic;
use crate::statistics::categories::Categories;
use crate::statistics::distribution::Distribution;
use crate::statistics::quantile_sketch::SharedRange;

/// A column of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnComparison {
    /// The column's name.
    pub name: String,
    /// The shares of rows without a value, of the baseline and now.
    pub missing_rates: [Option<f64>; 2],
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
            (Kind::Numbers, Kind::Numbers) => Self::of_numbers(baseline, &current.numbers),
            (Kind::Categories, Kind::Categories) => {
                Self::of_categories(baseline, &current.categories)
            }
            _ => return None,
        };
        compared.missing_rates[1] = current.missing_rate();
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
                let mut compared = Self::of_shared(baseline, &shared);
                compared.means[1] = moments.mean(scale);
                compared
            }
            // A baseline without a value.
            (Counting::Numbers(scale), Values::Numbers { moments, .. }, Kind::Numbers) => {
                let mut compared = Self::of_shared(baseline, &[]);
                compared.drift.rows = [0, moments.count()];
                compared.means[1] = moments.mean(scale);
                compared
            }
            (_, Values::Categories(categories), Kind::Categories) => {
                Self::of_categories(baseline, categories)
            }
            _ => return None,
        };
        compared.missing_rates[1] = counts.missing_rate();
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
        let mut compared = Self::of_shared(baseline, &shared);
        compared.means[1] = current.mean();
        compared
    }

    fn of_shared(baseline: &ColumnProfile, shared: &[SharedRange]) -> Self {
        let rows = [0, 1].map(|side: usize| shared.iter().map(|one| one.counts[side]).sum());
        Self {
            name: baseline.name.clone(),
            missing_rates: [baseline.missing_rate(), None],
            means: [baseline.numbers.mean(), None],
            drift: Drift::of_shared(shared, rows, baseline.numbers.standard_deviation()),
            overlay: Overlay::of_numbers(&baseline.numbers, shared),
        }
    }

    fn of_categories(baseline: &ColumnProfile, current: &Categories) -> Self {
        Self {
            name: baseline.name.clone(),
            missing_rates: [baseline.missing_rate(), None],
            means: [None; 2],
            drift: Drift::of_categories(&baseline.categories, current),
            overlay: Overlay::of_categories(&baseline.categories, current),
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
