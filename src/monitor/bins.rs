//! The bins of a baseline's numbers, frozen: what a later run counts its values into.
//!
//! Owns where the edges lie and how a value finds its bin. Edges are a function of the baseline
//! alone, and counting adds integers, so the counts of any cut of the data merge to the same
//! counts. Values that the baseline holds often have bins of their own; elsewhere a bin holds about
//! one row in [`BINS`]. It must not know columns or rows.

use std::sync::OnceLock;

use crate::kernel::cells::{Cells, Sorted};
use crate::statistics::distribution::Distribution;
use crate::statistics::quantile_sketch::{Range, SharedRange};

/// The number of bins of equal mass that wide columns get.
const BINS: u64 = 512;

/// A value that so many of all rows have is kept apart from its neighbours: one in this number.
const POINT_SHARE: u64 = 1024;

/// Bins do not straddle the borders of this many bins of equal mass, which distances are taken
/// over.
const COARSE_BINS: u64 = 20;

/// The bins of a baseline. Bin `i` holds the values from edge `i − 1` on and below edge `i`; the
/// outer two hold what lies below and above all values of the baseline.
#[derive(Clone, Debug)]
pub struct FrozenBins {
    edges: Vec<f64>,
    baseline: Vec<u64>,
    /// Tables to find the bins of numbers through, made for the precision that is counted.
    singles: OnceLock<Cells<f32>>,
    doubles: OnceLock<Cells<f64>>,
}

/// Numbers that bins count.
pub trait Binned: Sorted {
    /// The table for numbers of this precision.
    fn cells(bins: &FrozenBins) -> &Cells<Self>
    where
        Self: Sized;
}

impl Binned for f32 {
    fn cells(bins: &FrozenBins) -> &Cells<Self> {
        let make = || Cells::new(&bins.edges, &bins.baseline);
        bins.singles.get_or_init(make)
    }
}

impl Binned for f64 {
    fn cells(bins: &FrozenBins) -> &Cells<Self> {
        let make = || Cells::new(&bins.edges, &bins.baseline);
        bins.doubles.get_or_init(make)
    }
}

impl FrozenBins {
    /// The bins of a baseline, whose values a model reads after `round`, a monotone function such
    /// as rounding to single precision. None for a baseline without finite values.
    #[must_use]
    pub fn new(baseline: &Distribution, round: impl Fn(f64) -> f64) -> Option<Self> {
        let ranges = joined(rounded(baseline.ranges(), round), baseline.finite_count());
        let mut edges: Vec<f64> = Vec::new();
        let mut counts = vec![0];
        for Range { low, high, count } in &ranges {
            if edges.last() == Some(low) {
                // The end of the value before is the beginning of this one.
                if let Some(last) = counts.last_mut() {
                    *last += count;
                }
            } else {
                edges.push(*low);
                counts.push(*count);
            }
            if low == high {
                edges.push(low.next_up());
                counts.push(0);
            }
        }
        let max = ranges.last()?.high;
        if edges.last().is_some_and(|last| *last <= max) {
            edges.push(max.next_up());
            counts.push(0);
        }
        Some(Self {
            edges,
            baseline: counts,
            singles: OnceLock::new(),
            doubles: OnceLock::new(),
        })
    }

    /// The number of bins.
    #[must_use]
    pub fn len(&self) -> usize {
        self.edges.len() + 1
    }

    /// Never: the outer two bins are always there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// What the bins take in memory, with the larger of their tables.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        size_of_val(self.edges.as_slice())
            + size_of_val(self.baseline.as_slice())
            + Cells::<f64>::max_bytes(self.edges.len())
    }

    /// Counts values into `counts`, one for each bin, and one more at the end for NaN, of which
    /// there are `nan_count`.
    pub fn count<T: Binned>(&self, values: &[T], nan_count: u64, counts: &mut [u64]) {
        let Some((nan, counts)) = counts.split_last_mut() else {
            return;
        };
        T::cells(self).count(values, counts);
        // NaN was counted among the values below all edges.
        if let Some(lowest) = counts.first_mut() {
            *lowest -= nan_count;
        }
        *nan += nan_count;
    }

    /// The bins with the rows of the baseline and of `counts`; `extremes` are the least and the
    /// largest finite value that was counted.
    #[must_use]
    pub fn side_by_side(&self, counts: &[u64], extremes: Option<(f64, f64)>) -> Vec<SharedRange> {
        let (min, max) = extremes.unwrap_or((0.0, 0.0));
        let last = self.edges.len();
        let ranges = (0..=last).map(|bin| {
            let low = if bin == 0 { min } else { self.edges[bin - 1] };
            let high = if bin == last {
                max
            } else {
                self.edges[bin].next_down()
            };
            SharedRange {
                low: low + 0.0,
                high: high.max(low) + 0.0,
                counts: [self.baseline[bin], counts.get(bin).copied().unwrap_or(0)],
            }
        });
        ranges.filter(|range| range.counts != [0, 0]).collect()
    }
}

/// The ranges as a model reads their values; those that then touch are one.
fn rounded(ranges: Vec<Range>, round: impl Fn(f64) -> f64) -> Vec<Range> {
    let mut result: Vec<Range> = Vec::with_capacity(ranges.len());
    for Range { low, high, count } in ranges {
        let (low, high) = (round(low) + 0.0, round(high) + 0.0);
        match result.last_mut() {
            Some(last) if last.high >= low => {
                last.high = last.high.max(high);
                last.count += count;
            }
            _ => result.push(Range { low, high, count }),
        }
    }
    // What is beyond the precision is not a finite value any more.
    result.retain(|range| range.low.is_finite() && range.high.is_finite());
    result
}

/// Neighbours of little mass as one range.
fn joined(ranges: Vec<Range>, total: u64) -> Vec<Range> {
    if ranges.len() as u64 <= BINS {
        return ranges;
    }
    let coarse = |before: u64, count: u64| {
        let middle = u128::from(before) * 2 + u128::from(count);
        (middle * u128::from(COARSE_BINS) / (2 * u128::from(total))).min(COARSE_BINS.into())
    };
    let is_point = |range: &Range| range.low == range.high && range.count >= total / POINT_SHARE;
    let mut result: Vec<Range> = Vec::new();
    // The coarse bin of the last range, where others may join it.
    let mut open: Option<u128> = None;
    let mut before = 0;
    for range in ranges {
        let own = coarse(before, range.count);
        before += range.count;
        let joins = open == Some(own) && !is_point(&range);
        match result.last_mut() {
            Some(last) if joins && last.count + range.count <= total.div_ceil(BINS) => {
                last.high = range.high;
                last.count += range.count;
            }
            _ => {
                open = (!is_point(&range)).then_some(own);
                result.push(range);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::distance;
    use super::super::drift::Drift;
    use super::super::infinite::Infinite;
    use super::*;
    use crate::kernel::cells::tests::noise;
    use crate::monitor::golden::distribution as of;

    fn counted(bins: &FrozenBins, values: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; bins.len() + 1];
        let nan_count = values.iter().filter(|value| value.is_nan()).count() as u64;
        bins.count(values, nan_count, &mut counts);
        counts
    }

    /// Values of many shapes.
    fn shape(kind: usize, count: usize, seed: u64) -> Vec<f64> {
        let values = noise(count, seed).into_iter();
        match kind {
            0 => values.map(|x| x - 0.5).collect(),
            1 => values.map(|x| (x * 40.0 - 20.0).exp()).collect(),
            2 => values.map(|x| (x * 12.0).floor()).collect(),
            3 => values.map(|x| 1e6 + x).collect(),
            4 => values
                .map(|x| if x < 0.3 { 0.0 } else { x - 0.6 })
                .collect(),
            5 => values.map(|x| (x - 0.5) * 1e300).collect(),
            _ => values.map(|x| (x * 9.0).floor() * 5e-324).collect(),
        }
    }

    #[test]
    fn a_baseline_lies_in_its_own_bins() {
        for kind in 0..7 {
            let values = shape(kind, 20_000, 7);
            let bins = FrozenBins::new(&of(&values), |x| x).unwrap();
            let counts = counted(&bins, &values);
            assert_eq!(counts[..bins.len()], bins.baseline[..], "shape {kind}");
            assert_eq!(counts[bins.len()], 0);
            assert!(bins.len() < 4096, "{} bins of shape {kind}", bins.len());
            for (index, value) in values.iter().enumerate().step_by(97) {
                let expected = bins.edges.partition_point(|edge| edge <= value);
                let counts = counted(&bins, &[*value]);
                assert_eq!(counts[expected], 1, "value {index} of shape {kind}");
            }
        }
    }

    #[test]
    fn values_of_no_bin_are_in_the_outer_ones_and_nan_is_apart() {
        let bins = FrozenBins::new(&of(&[0.0, 1.0, 1.0, 2.0]), |x| x).unwrap();
        let values = [
            f64::NEG_INFINITY,
            -1e300,
            -5e-324,
            -0.0,
            0.5,
            1.0,
            2.0,
            2.1,
            f64::INFINITY,
            f64::NAN,
        ];
        let counts = counted(&bins, &values);
        assert_eq!((counts[0], counts[bins.len() - 1]), (3, 2));
        assert_eq!(counts[bins.len()], 1);
        assert_eq!(counts.iter().sum::<u64>(), 10);
        assert!(FrozenBins::new(&of(&[f64::NAN, f64::INFINITY]), |x| x).is_none());
    }

    #[test]
    fn a_baseline_in_double_precision_fits_a_model_of_single_precision() {
        let single = |x: f64| f64::from(x as f32);
        let baseline: Vec<f64> = (0..3000).map(|row| f64::from(row % 7) * 0.1).collect();
        let bins = FrozenBins::new(&of(&baseline), single).unwrap();
        let current: Vec<f64> = baseline.iter().map(|x| single(*x)).collect();
        let counts = counted(&bins, &current);
        assert_eq!(counts[..bins.len()], bins.baseline[..]);
        // Values that differ beyond single precision alone are one value to the model.
        let near: Vec<f64> = (0..9000).map(|row| 1.0 + f64::from(row) * 1e-12).collect();
        let bins = FrozenBins::new(&of(&near), single).unwrap();
        assert_eq!(bins.baseline.iter().filter(|count| **count > 0).count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn brackets_hold_the_exact_distances(
            seed in 1u64..u64::MAX,
            kind in 0usize..5,
            n in 1usize..9000,
            m in 1usize..9000,
            shift in -2i32..3,
        ) {
            let mut baseline = shape(kind, n, seed);
            let mut current: Vec<f64> = shape(kind, m, seed ^ 0x5555)
                .into_iter()
                .map(|x| x + f64::from(shift) * 0.1)
                .collect();
            baseline.sort_unstable_by(f64::total_cmp);
            current.sort_unstable_by(f64::total_cmp);
            let known = of(&baseline);
            let bins = FrozenBins::new(&known, |x| x).unwrap();
            let extremes = Some((current[0], current[m - 1]));
            let shared = bins.side_by_side(&counted(&bins, &current), extremes);
            let found = Drift::of_shared(&shared, Infinite::default(), known.standard_deviation());
            let (bracket, exact) = (
                found.ks.unwrap(),
                distance::kolmogorov_smirnov(&baseline, &current).unwrap(),
            );
            prop_assert!(
                bracket.low <= exact + 1e-12 && exact <= bracket.high + 1e-12,
                "{} {:?}", exact, bracket
            );
            prop_assert!(bracket.high - bracket.low < 0.02, "{:?}", bracket);
            if let (Some(bracket), Some(deviation)) =
                (found.wasserstein, known.standard_deviation().filter(|one| *one > 0.0))
            {
                let exact = distance::wasserstein(&baseline, &current).unwrap() / deviation;
                prop_assert!(
                    bracket.low <= exact * (1.0 + 1e-9) + 1e-12
                        && exact <= bracket.high * (1.0 + 1e-9) + 1e-12,
                    "{} {:?}", exact, bracket
                );
            }
        }
    }
}
