//! Everything that the order of scores says of a model with two classes, in one pass.
//!
//! Owns a walk over the distinct scores in rising order, each with its positives and negatives: the
//! area under the ROC curve with the variance of `DeLong`, average precision, the distance between
//! the two distributions, gains by decile and what every threshold would do. Totals are known
//! before the walk, so it keeps no scores; placements are integers, so the variance is exact. Tied
//! scores are one step, as in scikit-learn. It must not know where scores come from.
//!
//! E. R. `DeLong`, D. M. `DeLong` and D. L. Clarke-Pearson, *Comparing the areas under two or more
//! correlated receiver operating characteristic curves* (1988).

use super::interval::{Estimate, bias, bootstrap_of};
use super::kolmogorov::two_sample;
use super::rank_bins::RankBins;
use super::rank_metrics::{average_precision_of, ks_of};
use super::special::Z_95;

/// Steps of the tables of gains.
pub const DECILES: usize = 10;

/// From this probability on a distance may be chance: the other side of a 95 % interval.
const CHANCE: f64 = 0.05;

/// What the errors of a decision cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// A negative row that is called positive.
    pub false_positive: f64,
    /// A positive row that is called negative.
    pub false_negative: f64,
}

/// What a threshold does: rows with at least this score are called positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtThreshold {
    /// The threshold.
    pub threshold: f64,
    /// Positives that are called positive.
    pub true_positives: u64,
    /// Negatives that are called positive.
    pub false_positives: u64,
}

/// A decile of rows, the highest scores first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gain {
    /// The rows; tied scores are shared out between deciles.
    pub rows: f64,
    /// The positives among them.
    pub positives: f64,
    /// The lowest score.
    pub lowest_score: f64,
}

/// A walk over scores.
#[derive(Clone, Debug)]
pub struct Curve {
    positives: u64,
    negatives: u64,
    /// Positives and negatives at lower scores.
    below: [u64; 2],
    /// Σ of the positives' placements, in halves of a negative, and of their squares.
    positive_placements: [u128; 2],
    /// The same of the negatives.
    negative_placements: [u128; 2],
    precision_sum: f64,
    ks: f64,
    /// The shares of positives and of negatives where the distance is largest.
    ks_at: [f64; 2],
    gains: [Gain; DECILES],
    thresholds: Vec<f64>,
    swept: Vec<AtThreshold>,
    costs: Costs,
    cheapest: Option<(f64, AtThreshold)>,
    best_f1: Option<(f64, AtThreshold)>,
    /// How scores are joined to groups for the bootstrap; none without one.
    bins: Option<RankBins>,
    groups: Vec<[u64; 2]>,
    largest: Option<f64>,
}

/// What a walk found; metrics that need both classes are none without them.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveMetrics {
    /// The area under the ROC curve.
    pub roc_auc: Option<Estimate>,
    /// The variance of the area.
    pub roc_auc_variance: Option<f64>,
    /// 2 · area − 1.
    pub gini: Option<Estimate>,
    /// Average precision, not interpolated.
    pub average_precision: Option<Estimate>,
    /// The largest distance between the distributions of the two classes.
    pub ks: Option<Estimate>,
    /// Deciles, the highest scores first.
    pub gains: Vec<Gain>,
    /// What the thresholds that were asked for do.
    pub sweep: Vec<AtThreshold>,
    /// The threshold of the lowest cost; the highest of several. The next number above the largest
    /// score, if calling no row positive costs less than any score does.
    pub cheapest: Option<AtThreshold>,
    /// The threshold of the highest F1; the highest of several.
    pub best_f1: Option<AtThreshold>,
}

impl AtThreshold {
    /// What its errors cost, of so many positives.
    #[must_use]
    pub fn cost(&self, positives: u64, costs: Costs) -> f64 {
        self.false_positives as f64 * costs.false_positive
            + (positives - self.true_positives) as f64 * costs.false_negative
    }

    /// Its F1, of so many positives; 0 for nothing.
    #[must_use]
    pub fn f1(&self, positives: u64) -> f64 {
        let whole = self.true_positives + self.false_positives + positives;
        if whole == 0 {
            0.0
        } else {
            2.0 * self.true_positives as f64 / whole as f64
        }
    }
}

impl Curve {
    /// A walk over so many rows, which also tries these thresholds.
    #[must_use]
    pub fn new(positives: u64, negatives: u64, thresholds: &[f64], costs: Costs) -> Self {
        let mut thresholds = thresholds.to_vec();
        thresholds.sort_unstable_by(f64::total_cmp);
        Self {
            positives,
            negatives,
            below: [0; 2],
            positive_placements: [0; 2],
            negative_placements: [0; 2],
            precision_sum: 0.0,
            ks: 0.0,
            ks_at: [0.0; 2],
            gains: [Gain::default(); DECILES],
            swept: Vec::with_capacity(thresholds.len()),
            thresholds,
            costs,
            cheapest: None,
            best_f1: None,
            bins: Some(RankBins::new(positives, negatives)),
            groups: Vec::new(),
            largest: None,
        }
    }

    /// The walk without the bootstrap: average precision and KS have no interval.
    #[must_use]
    pub fn without_intervals(mut self) -> Self {
        self.bins = None;
        self
    }

    /// Takes the next higher score and its rows.
    pub fn step(&mut self, score: f64, positives: u64, negatives: u64) {
        self.sweep_up_to(score);
        self.decide(score);
        self.largest = Some(score);
        self.position(positives, negatives);
        self.gain(score, positives, negatives);
        self.group(positives, negatives);
        let above = self.positives - self.below[0];
        let called = above + self.negatives - self.below[1];
        if called > 0 {
            self.precision_sum += positives as f64 * (above as f64 / called as f64);
        }
        self.below[0] += positives;
        self.below[1] += negatives;
        let [positive, negative] = [
            self.below[0] as f64 / self.positives as f64,
            self.below[1] as f64 / self.negatives as f64,
        ];
        let distance = (positive - negative).abs();
        if distance > self.ks {
            (self.ks, self.ks_at) = (distance, [positive, negative]);
        }
    }

    /// Ends the walk.
    #[must_use]
    pub fn finish(mut self) -> CurveMetrics {
        self.sweep_up_to(f64::INFINITY);
        self.decide_on_none();
        let variance = self.variance();
        let area = self.area();
        let [average_precision, ks] = self.resampled();
        let of_area = |value: f64, scale: f64, range| {
            Estimate::normal(value, scale * variance.unwrap_or(f64::NAN).sqrt(), range)
        };
        self.gains.reverse();
        CurveMetrics {
            roc_auc: area.map(|area| of_area(area, 1.0, (0.0, 1.0))),
            roc_auc_variance: variance,
            gini: area.map(|area| of_area(2.0 * area - 1.0, 2.0, (-1.0, 1.0))),
            average_precision,
            ks,
            gains: self.gains.to_vec(),
            sweep: std::mem::take(&mut self.swept),
            cheapest: self.cheapest.map(|(_, at)| at),
            best_f1: self.best_f1.map(|(_, at)| at),
        }
    }

    /// The area, its variance, average precision and KS of a walk that has ended, without
    /// intervals; each none where it is not defined.
    pub(super) fn values(&self) -> [Option<f64>; 4] {
        let area = self.area();
        let precision = self.precision_sum / self.positives as f64;
        [
            area,
            self.variance(),
            (self.positives > 0).then_some(precision),
            area.map(|_| self.ks),
        ]
    }

    fn at(&self, threshold: f64) -> AtThreshold {
        AtThreshold {
            threshold,
            true_positives: self.positives - self.below[0],
            false_positives: self.negatives - self.below[1],
        }
    }

    fn sweep_up_to(&mut self, score: f64) {
        while let Some(threshold) = self.thresholds.get(self.swept.len()) {
            if *threshold > score {
                break;
            }
            self.swept.push(self.at(*threshold));
        }
    }

    fn decide(&mut self, score: f64) {
        let at = self.at(score);
        let (cost, f1) = (at.cost(self.positives, self.costs), at.f1(self.positives));
        if self.cheapest.is_none_or(|(lowest, _)| cost <= lowest) {
            self.cheapest = Some((cost, at));
        }
        if self.best_f1.is_none_or(|(highest, _)| f1 >= highest) {
            self.best_f1 = Some((f1, at));
        }
    }

    /// Tries to call no row positive, once all scores have come. No number is above an infinite
    /// score.
    fn decide_on_none(&mut self) {
        let Some(above) = self
            .largest
            .map(f64::next_up)
            .filter(|above| above.is_finite())
        else {
            return;
        };
        let at = self.at(above);
        let cost = at.cost(self.positives, self.costs);
        if self.cheapest.is_none_or(|(lowest, _)| cost < lowest) {
            self.cheapest = Some((cost, at));
        }
    }

    /// A positive's placement is the number of negatives below it, a tie counted half; a negative's
    /// the number of positives below.
    fn position(&mut self, positives: u64, negatives: u64) {
        let [positives_below, negatives_below] = self.below.map(u128::from);
        let of_positive = 2 * negatives_below + u128::from(negatives);
        let of_negative = 2 * positives_below + u128::from(positives);
        self.positive_placements[0] += u128::from(positives) * of_positive;
        self.positive_placements[1] += u128::from(positives) * of_positive * of_positive;
        self.negative_placements[0] += u128::from(negatives) * of_negative;
        self.negative_placements[1] += u128::from(negatives) * of_negative * of_negative;
    }

    fn gain(&mut self, score: f64, positives: u64, negatives: u64) {
        let total = (self.positives + self.negatives) as f64;
        let rows = (positives + negatives) as f64;
        let first = (self.below[0] + self.below[1]) as f64;
        for (index, gain) in self.gains.iter_mut().enumerate() {
            let start = total * index as f64 / DECILES as f64;
            let end = total * (index + 1) as f64 / DECILES as f64;
            let shared = (first + rows).min(end) - first.max(start);
            if shared > 0.0 {
                if gain.rows == 0.0 {
                    gain.lowest_score = score;
                }
                gain.rows += shared;
                gain.positives += positives as f64 * (shared / rows);
            }
        }
    }

    fn group(&mut self, positives: u64, negatives: u64) {
        let Some(bins) = &mut self.bins else {
            return;
        };
        let group = bins.step(positives, negatives) as usize;
        if group == self.groups.len() {
            self.groups.push([0; 2]);
        }
        if let Some([of_positives, of_negatives]) = self.groups.get_mut(group) {
            *of_positives += positives;
            *of_negatives += negatives;
        }
    }

    fn area(&self) -> Option<f64> {
        let pairs = 2 * u128::from(self.positives) * u128::from(self.negatives);
        (pairs > 0).then(|| self.positive_placements[0] as f64 / pairs as f64)
    }

    /// The variance of the area; none with fewer than two rows of a class.
    fn variance(&self) -> Option<f64> {
        let part = |[sum, squares]: [u128; 2], count: u64, others: u64| {
            let count_wide = u128::from(count);
            // The numbers are exact up to some 2³¹ rows of each class.
            let deviations = match (count_wide.checked_mul(squares), sum.checked_mul(sum)) {
                (Some(left), Some(right)) => left.saturating_sub(right) as f64 / count as f64,
                _ => squares as f64 - sum as f64 * (sum as f64 / count as f64),
            };
            let scale = 2.0 * others as f64;
            deviations / (count - 1) as f64 / (scale * scale) / count as f64
        };
        (self.positives > 1 && self.negatives > 1).then(|| {
            part(self.positive_placements, self.positives, self.negatives)
                + part(self.negative_placements, self.negatives, self.positives)
        })
    }

    /// Average precision and the largest distance, with the intervals of their replicates.
    fn resampled(&self) -> [Option<Estimate>; 2] {
        let [area, _, precision, ks] = self.values();
        if self.bins.is_none() || precision.is_none() {
            return [precision, ks].map(|value| value.map(Estimate::exactly));
        }
        let [of_precision, of_ks] = bootstrap_of(self.groups.as_flattened(), |groups| {
            [average_precision_of(groups), ks_of(groups)]
        });
        let moved = |value| Estimate::of_moved_replicates(value, of_precision, (0.0, 1.0));
        [precision.map(moved), area.map(|_| self.distance(of_ks))]
    }

    /// The largest distance. It is above the true one by chance alone, since the largest of many is
    /// taken, and its replicates are above it for the same reason: by about half as much, so the
    /// true one is looked for once to twice their bias below. The width is that of the distance at
    /// the score where it is largest; replicates change that score, and vary less. The interval
    /// begins at 0 unless the test of Kolmogorov and Smirnov tells the classes apart, and then ends
    /// where replicates do.
    fn distance(&self, replicates: Vec<f64>) -> Estimate {
        if two_sample(self.ks, self.positives, self.negatives) >= CHANCE {
            let moved = Estimate::of_moved_replicates(self.ks, replicates, (0.0, 1.0));
            let interval = moved.interval.map(|(_, high)| (0.0, high));
            return Estimate { interval, ..moved };
        }
        let counts = [self.positives, self.negatives];
        let parts = self.ks_at.iter().zip(counts);
        let variance = parts.map(|(share, count)| share * (1.0 - share) / count as f64);
        let reach = Z_95 * variance.sum::<f64>().sqrt();
        let bias = bias(self.ks, &replicates).max(0.0);
        let ends = (self.ks - 2.0 * bias - reach, self.ks - bias + reach);
        Estimate::between(self.ks, ends, (0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::golden::{clf_rows, noise, row_bootstrap, rows_by_score};

    const NO_COSTS: Costs = Costs {
        false_positive: 1.0,
        false_negative: 1.0,
    };

    fn walk(rows: &[(f64, bool)], thresholds: &[f64]) -> CurveMetrics {
        let groups = rows_by_score(rows);
        let sum = |which: usize| groups.iter().map(|(_, counts)| counts[which]).sum();
        let mut curve = Curve::new(sum(0), sum(1), thresholds, NO_COSTS);
        groups
            .iter()
            .for_each(|(score, counts)| curve.step(*score, counts[0], counts[1]));
        curve.finish()
    }

    fn close(found: Option<Estimate>, expected: f64) -> bool {
        (found.unwrap().value - expected).abs() < 1e-12
    }

    #[test]
    fn metrics_are_those_of_scikit_learn_and_proc() {
        // scikit-learn 1.9.1 and the formula of DeLong; the second score
        // has ties.
        let cases = [
            (
                1,
                0.657015947983309,
                0.36214014536408895,
                0.24168832020733852,
                0.00018739662075140448,
            ),
            (
                2,
                0.6817913468836974,
                0.3769340229443455,
                0.2632909901190242,
                0.0001706265825020748,
            ),
        ];
        for (score, auc, average_precision, ks, variance) in cases {
            let found = walk(&clf_rows(score), &[]);
            assert!(close(found.roc_auc, auc), "{found:?}");
            assert!(close(found.gini, 2.0 * auc - 1.0));
            assert!(
                close(found.average_precision, average_precision),
                "{found:?}"
            );
            assert!(close(found.ks, ks));
            assert!((found.roc_auc_variance.unwrap() / variance - 1.0).abs() < 1e-12);
            let (low, high) = found.roc_auc.unwrap().interval.unwrap();
            assert!((high - low - 2.0 * 1.959963984540054 * variance.sqrt()).abs() < 1e-12);
            for estimate in [found.average_precision, found.ks] {
                let Estimate { value, interval } = estimate.unwrap();
                let (low, high) = interval.unwrap();
                assert!(
                    low < value && value < high && high - low < 0.12,
                    "{estimate:?}"
                );
            }
        }
    }

    /// Rows whose score has a normal distribution, of positives around `shift`.
    fn normal_rows(count: u64, positive_share: f64, shift: f64, seed: u64) -> Vec<(f64, bool)> {
        let row = |row: u64| {
            let is_positive = (row as f64 * 0.618_033_988_749_895).fract() < positive_share;
            (
                noise(seed, row) + if is_positive { shift } else { 0.0 },
                is_positive,
            )
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn the_interval_of_ks_holds_the_true_distance() {
        // 2 Φ(0.45) − 1 of normal distributions that are 0.9 apart
        let distance = 0.347_289_601_476_795;
        let misses = (1..=100).filter(|seed| {
            let found = walk(&normal_rows(150, 0.25, 0.9, *seed), &[]);
            let (low, high) = found.ks.unwrap().interval.unwrap();
            distance < low || distance > high
        });
        let count = misses.count();
        assert!((1..=9).contains(&count), "{count} of 100");
    }

    #[test]
    fn average_precision_of_rare_positives_has_the_interval_of_drawn_rows() {
        let rows = normal_rows(20_000, 0.005, 2.0, 3);
        let (low, high) = walk(&rows, &[])
            .average_precision
            .unwrap()
            .interval
            .unwrap();
        // One score against one that calls all rows alike.
        let against_none: Vec<_> = rows.iter().map(|row| ([0.0, row.0], row.1)).collect();
        let [[_, deviation], _] = row_bootstrap(&against_none, 100);
        let ratio = (high - low) / (2.0 * 1.96 * deviation);
        assert!((0.85..1.15).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_distance_that_may_be_chance_has_an_interval_from_zero() {
        // Scores that say nothing of the class, and the same with every third negative moved down.
        let rows = |moved: f64| -> Vec<(f64, bool)> {
            let score = |row: u32| f64::from(row.wrapping_mul(2_654_435_761) >> 12);
            let is_moved = |row: u32| row.is_multiple_of(3) && !row.is_multiple_of(2);
            (0..4000)
                .map(|row| {
                    let below = if is_moved(row) { moved } else { 0.0 };
                    (score(row) - below, row.is_multiple_of(2))
                })
                .collect()
        };
        let chance = walk(&rows(0.0), &[]).ks.unwrap();
        let (low, high) = chance.interval.unwrap();
        assert!(low == 0.0 && chance.value < high, "{chance:?}");
        let real = walk(&rows(1e6), &[]).ks.unwrap();
        let (low, high) = real.interval.unwrap();
        assert!(
            low > 0.2 && low < real.value && real.value < high,
            "{real:?}"
        );
    }

    #[test]
    fn one_class_constant_scores_and_few_rows_have_the_metrics_that_are_defined() {
        let one_class = walk(&[(0.1, true), (0.2, true)], &[0.15]);
        assert_eq!(
            (one_class.roc_auc, one_class.ks, one_class.gini),
            (None, None, None)
        );
        assert!(close(one_class.average_precision, 1.0));
        let negatives = walk(&[(0.1, false)], &[]);
        assert_eq!(
            (negatives.roc_auc, negatives.average_precision),
            (None, None)
        );
        let constant = walk(&[(0.5, true), (0.5, false), (0.5, false)], &[]);
        assert!(close(constant.roc_auc, 0.5) && close(constant.ks, 0.0));
        assert!(close(constant.average_precision, 1.0 / 3.0));
        assert_eq!(
            constant.roc_auc.unwrap().interval,
            None,
            "one positive has no variance"
        );
        let none = walk(&[], &[0.5]);
        assert_eq!((none.roc_auc, none.average_precision), (None, None));
        assert_eq!(none.sweep.len(), 1);
        let infinite = walk(&[(f64::NEG_INFINITY, false), (f64::INFINITY, true)], &[0.0]);
        assert!(close(infinite.roc_auc, 1.0));
    }

    #[test]
    fn thresholds_count_rows_at_and_above_them() {
        let rows = [(0.1, false), (0.4, true), (0.4, false), (0.9, true)];
        let found = walk(&rows, &[0.4, 0.0, 0.41, 1.0]);
        let counts: Vec<_> = found
            .sweep
            .iter()
            .map(|at| (at.threshold, at.true_positives, at.false_positives))
            .collect();
        assert_eq!(
            counts,
            [(0.0, 2, 2), (0.4, 2, 1), (0.41, 1, 0), (1.0, 0, 0)]
        );
        assert_eq!(found.best_f1.unwrap().threshold, 0.4);
        assert_eq!(found.cheapest.unwrap().threshold, 0.9);
    }

    #[test]
    fn the_lowest_cost_may_be_to_call_no_row_positive_or_all() {
        let cheapest = |rows: &[(f64, bool)], false_positive: f64, false_negative: f64| {
            let costs = Costs {
                false_positive,
                false_negative,
            };
            let groups = rows_by_score(rows);
            let sum = |which: usize| groups.iter().map(|(_, counts)| counts[which]).sum();
            let mut curve = Curve::new(sum(0), sum(1), &[], costs);
            groups
                .iter()
                .for_each(|(score, counts)| curve.step(*score, counts[0], counts[1]));
            let at = curve.finish().cheapest.unwrap();
            (at.threshold, at.cost(sum(0), costs))
        };
        let rows = [(0.9, false), (0.8, true), (0.3, false), (0.2, false)];
        assert_eq!(cheapest(&rows, 10.0, 1.0), (0.9_f64.next_up(), 1.0));
        assert_eq!(cheapest(&rows, 1.0, 10.0), (0.8, 1.0));
        assert_eq!(
            cheapest(&[(0.2, true), (0.9, false)], 1.0, 10.0),
            (0.2, 1.0)
        );
        // A score wins over none of the same cost.
        assert_eq!(cheapest(&[(0.5, true), (0.5, false)], 1.0, 1.0), (0.5, 1.0));
        // Every threshold calls an infinite score positive.
        let rows = [(f64::INFINITY, false), (0.5, true)];
        assert_eq!(cheapest(&rows, 9.0, 1.0), (0.5, 9.0));
    }

    #[test]
    fn deciles_share_out_ties_and_add_up() {
        let rows: Vec<(f64, bool)> = (0..25)
            .map(|row| (f64::from(row / 3), row % 2 == 0))
            .collect();
        let found = walk(&rows, &[]);
        let sum = |of: fn(&Gain) -> f64| found.gains.iter().map(of).sum::<f64>();
        assert!((sum(|gain| gain.rows) - 25.0).abs() < 1e-9);
        assert!((sum(|gain| gain.positives) - 13.0).abs() < 1e-9);
        assert!(
            found
                .gains
                .iter()
                .all(|gain| (gain.rows - 2.5).abs() < 1e-9)
        );
        assert_eq!(found.gains[0].lowest_score, 7.0);
    }
}
