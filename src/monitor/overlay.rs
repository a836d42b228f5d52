//! Counts of a column and its baseline in the same few bins, for charts that lay one over the
//! other.
//!
//! Owns which bins those are: they come from the baseline alone, so nights compare. The outer bins
//! are open, and from 100 values on no edge is an extreme of the data. A category is named only if
//! the baseline has it often. It must not know how a chart is drawn.

use std::collections::HashMap;

use super::known::{KnownCategories, KnownCounts};
use super::number_column::MICROSECONDS_OF_DAY;
use super::profile::{ColumnProfile, Kind};
use crate::statistics::categories::Categories;
use crate::statistics::distribution::Distribution;
use crate::statistics::quantile_sketch::SharedRange;

/// Bins of equal width between the outer ones.
const INNER_BINS: usize = 18;

/// The most values of an integer column that get a bin each.
const MAX_INTEGER_BINS: f64 = 40.0;

/// Quantiles of the baseline between which bins have equal width: rare extremes would otherwise
/// leave one bin for all other values, and extremes are values of single rows.
const ENDS: [f64; 4] = [0.01, 0.99, 0.05, 0.95];

/// From this ratio between the 95 % and 5 % quantiles on, positive values have a log scale.
const LOG_RATIO: f64 = 20.0;

/// The most categories that are named.
const NAMED_CATEGORIES: usize = 12;

/// A category is named from this share of the baseline's rows and this many rows on: a rarer text
/// may be a name or an address.
const NAMED_SHARE: f64 = 0.01;
const NAMED_ROWS: u64 = 10;

/// Rows of the baseline and of the current data.
pub type Counts = [u64; 2];

/// A range of numbers; `None` is an open end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverlayBin {
    /// The lower edge.
    pub low: Option<f64>,
    /// The upper edge.
    pub high: Option<f64>,
    /// Values in it.
    pub counts: Counts,
}

/// A column over its baseline.
#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    /// Numbers in bins.
    Numbers {
        /// From the lowest on.
        bins: Vec<OverlayBin>,
        /// Whether the bins have equal width on a log scale.
        is_log: bool,
    },
    /// Categories.
    Categories {
        /// Frequent categories of the baseline, the most frequent first.
        named: Vec<(String, Counts)>,
        /// All other categories that the baseline has.
        other: Counts,
        /// Rows in categories that the baseline does not have.
        new: u64,
    },
}

impl Overlay {
    /// `current` in the bins of `baseline`; none where there is nothing to compare.
    #[must_use]
    pub fn of(baseline: &ColumnProfile, current: &ColumnProfile) -> Option<Self> {
        match (baseline.kind(), current.kind()) {
            (kind, other) if kind == other && kind.has_numbers() => {
                let shared = baseline.numbers.side_by_side(&current.numbers);
                Self::of_numbers(&baseline.numbers, &shared)
            }
            (Kind::Categories, Kind::Categories) => {
                Self::of_categories(&baseline.categories, &current.categories)
            }
            _ => None,
        }
    }

    /// Numbers of both sides in shared ranges, in the bins of `baseline`.
    #[must_use]
    pub fn of_numbers(baseline: &Distribution, shared: &[SharedRange]) -> Option<Self> {
        of_numbers(baseline, shared)
    }

    /// Categories of both sides, those of `baseline` by name.
    #[must_use]
    pub fn of_categories(baseline: &Categories, current: &Categories) -> Option<Self> {
        // The current texts may be hidden, their hashes are not.
        let now: HashMap<u128, u64> = current
            .iter()
            .map(|(hash, _, count)| (hash, count))
            .collect();
        let [new, _] = baseline.side_by_side(current).unseen();
        let rows = |hash| now.get(&hash).copied().unwrap_or(0);
        of_categories(baseline, rows, [current.total(), new])
    }

    /// Categories of `baseline` by name, and what was counted of them.
    #[must_use]
    pub fn of_known(
        baseline: &Categories,
        known: &KnownCategories,
        counts: &KnownCounts,
    ) -> Option<Self> {
        let rows = |hash| known.rows(counts, hash);
        of_categories(baseline, rows, [counts.total(), counts.unseen])
    }
}

fn of_numbers(baseline: &Distribution, shared: &[SharedRange]) -> Option<Overlay> {
    let quantiles = baseline.quantiles(&ENDS);
    let [low, high, few, many] = [0, 1, 2, 3].map(|index| quantiles.get(index).copied().flatten());
    let (low, high) = (low?, high?);
    let is_log = baseline.min()? > 0.0 && many? > LOG_RATIO * few?;
    // Few integers, or few days, have a bin each.
    let are_multiples = |unit: &f64| {
        let is_multiple = |value: f64| value % unit == 0.0;
        (high - low) / unit < MAX_INTEGER_BINS
            && is_multiple(low)
            && is_multiple(high)
            && shared
                .iter()
                .filter(|range| range.counts[0] > 0)
                .all(|range| range.low == range.high && is_multiple(range.low))
    };
    let days = Some(MICROSECONDS_OF_DAY as f64).filter(|_| low < high);
    let unit = days.into_iter().chain([1.0]).find(are_multiples);
    let edges = if let Some(unit) = unit.filter(|_| !is_log) {
        let bins = ((high - low) / unit) as usize + 1;
        (0..=bins)
            .map(|index| low + (index as f64 - 0.5) * unit)
            .collect()
    } else if low == high {
        let margin = (0.05 * low.abs()).max(0.5);
        vec![low - margin, low + margin]
    } else if is_log {
        let (first, step) = (low.ln(), (high.ln() - low.ln()) / INNER_BINS as f64);
        (0..=INNER_BINS)
            .map(|index| (first + step * index as f64).exp())
            .collect()
    } else {
        let step = high / INNER_BINS as f64 - low / INNER_BINS as f64;
        (0..=INNER_BINS)
            .map(|index| low + step * index as f64)
            .collect::<Vec<f64>>()
    };
    let mut counts = vec![[0_u64; 2]; edges.len() + 1];
    for range in shared {
        let middle = range.low / 2.0 + range.high / 2.0;
        let bin = edges.partition_point(|edge| *edge <= middle);
        (0..2).for_each(|side| counts[bin][side] += range.counts[side]);
    }
    let bins = counts
        .into_iter()
        .enumerate()
        .map(|(index, counts)| OverlayBin {
            low: index
                .checked_sub(1)
                .and_then(|index| edges.get(index))
                .copied(),
            high: edges.get(index).copied(),
            counts,
        });
    // An empty outer bin says nothing.
    let is_shown =
        |bin: &OverlayBin| bin.counts != [0, 0] || (bin.low.is_some() && bin.high.is_some());
    Some(Overlay::Numbers {
        bins: bins.filter(is_shown).collect(),
        is_log,
    })
}

/// `now` gives the current rows of a category by its hash; `current` and `new` are those of all,
/// and of categories that the baseline does not have.
fn of_categories(
    baseline: &Categories,
    now: impl Fn(u128) -> u64,
    [current, new]: [u64; 2],
) -> Option<Overlay> {
    let total = baseline.total();
    if total == 0 {
        return None;
    }
    let is_named = |count: u64| count >= NAMED_ROWS && count as f64 >= NAMED_SHARE * total as f64;
    let named: Vec<(&str, u64)> = baseline
        .max_frequent(NAMED_CATEGORIES)
        .into_iter()
        .filter(|(_, count)| is_named(*count))
        .collect();
    let now: HashMap<&str, u64> = baseline
        .iter()
        .map(|(hash, text, _)| (text, now(hash)))
        .collect();
    let named: Vec<(String, Counts)> = named
        .into_iter()
        .map(|(text, count)| {
            let current = now.get(text).copied().unwrap_or(0);
            (text.to_owned(), [count, current])
        })
        .collect();
    let sum = |side: usize| named.iter().map(|(_, counts)| counts[side]).sum::<u64>();
    let rest = current.saturating_sub(sum(1) + new);
    let other = [total.saturating_sub(sum(0)), rest];
    Some(Overlay::Categories { named, other, new })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};

    use super::*;
    use crate::monitor::profile::Profile;

    fn column(values: ArrayRef) -> ColumnProfile {
        let batch = RecordBatch::try_from_iter([("x", values)]).unwrap();
        let mut profile = Profile::new(&batch.schema(), &|_| false);
        profile.observe(&batch).unwrap();
        profile.columns.remove(0)
    }

    fn numbers(values: impl IntoIterator<Item = f64>) -> ColumnProfile {
        column(Arc::new(Float64Array::from_iter_values(values)))
    }

    fn texts(values: &[&str]) -> ColumnProfile {
        column(Arc::new(StringArray::from(values.to_vec())))
    }

    fn bins(baseline: &ColumnProfile, current: &ColumnProfile) -> (Vec<OverlayBin>, bool) {
        match Overlay::of(baseline, current).unwrap() {
            Overlay::Numbers { bins, is_log } => (bins, is_log),
            Overlay::Categories { .. } => panic!("categories"),
        }
    }

    #[test]
    fn every_value_is_in_a_bin_and_no_edge_is_an_extreme() {
        let baseline = numbers((0..1000).map(|row| f64::from(row) * 0.37 + 0.1));
        let current = numbers((0..500).map(|row| f64::from(row) * 2.0 - 300.0));
        let (bins, is_log) = bins(&baseline, &current);
        assert!(!is_log && bins.len() == INNER_BINS + 2);
        let sums = [0, 1].map(|side| bins.iter().map(|bin| bin.counts[side]).sum::<u64>());
        assert_eq!(sums, [1000, 500]);
        let extremes = [0.1, 999.0 * 0.37 + 0.1, -300.0, 698.0];
        let edges = bins.iter().flat_map(|bin| [bin.low, bin.high]).flatten();
        assert!(edges.clone().all(|edge| !extremes.contains(&edge)));
        assert!(edges.clone().all(f64::is_finite));
    }

    #[test]
    fn integers_get_a_bin_each_and_wide_ranges_a_log_scale() {
        let few = numbers((0..600).map(|row| f64::from(row % 6)));
        let (found, is_log) = bins(&few, &few);
        assert_eq!((found.len(), is_log), (6, false));
        assert!(found.iter().all(|bin| bin.counts == [100, 100]));
        let days = numbers((0..600).map(|row| f64::from(row % 6 - 3) * 86_400e6));
        let (found, is_log) = bins(&days, &days);
        assert_eq!((found.len(), is_log), (6, false));
        assert!(found.iter().all(|bin| bin.counts == [100, 100]));
        let wide = numbers((0..600).map(|row| 1.03_f64.powi(row)));
        assert!(bins(&wide, &wide).1);
    }

    #[test]
    fn hostile_numbers_have_bins_or_none() {
        let hostile = [
            vec![f64::MAX, -f64::MAX, 0.0],
            vec![5e-324, 1e300],
            vec![7.0; 9],
            vec![f64::INFINITY, f64::NEG_INFINITY, 1.0],
            vec![f64::NAN, f64::NAN],
            Vec::new(),
        ];
        for values in &hostile {
            let one = numbers(values.iter().copied());
            for other in &hostile {
                let current = numbers(other.iter().copied());
                let Some(Overlay::Numbers { bins, .. }) = Overlay::of(&one, &current) else {
                    assert_eq!(one.numbers.finite_count(), 0);
                    continue;
                };
                let sums = [0, 1].map(|side| bins.iter().map(|bin| bin.counts[side]).sum::<u64>());
                let finite = [&one, &current].map(|side| side.numbers.finite_count());
                assert_eq!(sums, finite, "{values:?} {other:?}");
            }
        }
    }

    #[test]
    fn rare_categories_have_no_name_and_new_ones_are_counted() {
        let mut old = vec!["card"; 700];
        old.extend(vec!["cash"; 295]);
        old.extend(["anna@example.org"; 5]);
        let mut new = vec!["card"; 90];
        new.extend(["wire", "wire", "anna@example.org", "boris@example.org"]);
        let found = Overlay::of(&texts(&old), &texts(&new));
        let named = vec![
            ("card".to_owned(), [700, 90]),
            ("cash".to_owned(), [295, 0]),
        ];
        let expected = Overlay::Categories {
            named,
            other: [5, 1],
            new: 3,
        };
        assert_eq!(found, Some(expected));
    }
}
