//! What rows without labels are expected to show, from sums over bins of scores.
//!
//! Owns confidence-based performance estimation (CBPE): a calibrated probability is the share of
//! rows like this one that are positive, so each row counts as that much of a positive. Sums are
//! integers in units of 2⁻⁵³, so they are the same in any order. It must not know columns.

use crate::monitor::interval::REPLICATES;
use crate::monitor::special::normal_quantile;
use crate::statistics::hash::spread;

/// A probability of 1.
const ONE: f64 = (1_u64 << 53) as f64;

/// Neighbouring bins are joined to at most so many groups for the bands.
const MAX_GROUPS: usize = 512;

/// The rows of one bin: those not called positive, then those that are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// How many there are.
    pub rows: [u64; 2],
    /// How many of them are expected to be positive, in units of 2⁻⁵³.
    pub expected: [u128; 2],
}

impl Bin {
    /// Takes a row with its calibrated probability.
    pub fn add(&mut self, probability: f64, is_called: bool) {
        let side = usize::from(is_called);
        self.rows[side] += 1;
        self.expected[side] += (probability.clamp(0.0, 1.0) * ONE).round() as u128;
    }

    /// Adds the rows of another part.
    pub fn merge(&mut self, other: &Self) {
        let rows = self.rows.iter_mut().zip(other.rows);
        rows.for_each(|(own, other)| *own += other);
        let expected = self.expected.iter_mut().zip(other.expected);
        expected.for_each(|(own, other)| *own += other);
    }

    fn positives(&self) -> [f64; 2] {
        self.expected.map(|expected| expected as f64 / ONE)
    }
}

/// The names of the metrics, as scikit-learn calls them.
pub const METRICS: [&str; 7] = [
    "roc_auc",
    "average_precision",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "specificity",
];

/// The metrics in the order of [`METRICS`]; NaN for one that is not defined.
pub type Metrics = [f64; METRICS.len()];

/// Rows of a bin or of several, and the positives among them: not called, then called.
type Group = ([f64; 2], [f64; 2]);

/// The estimates of one class against all others; none without rows.
#[must_use]
pub fn estimate(bins: &[Bin]) -> Option<Metrics> {
    let groups: Vec<Group> = bins
        .iter()
        .map(|bin| (bin.rows.map(|rows| rows as f64), bin.positives()))
        .collect();
    (bins.iter().any(|bin| bin.rows != [0; 2])).then(|| metrics(&groups))
}

/// For several classes, the metrics of each replicate of what labels might show: how many rows of
/// each group turn out positive is drawn from the distribution that the probabilities give.
#[must_use]
pub fn replicates(classes: &[Vec<Bin>]) -> Vec<Vec<Metrics>> {
    let groups: Vec<Vec<Group>> = classes.iter().map(|bins| joined(bins)).collect();
    let drawn = |replicate: u64, class: usize, groups: &[Group]| {
        let mut drawn = Vec::with_capacity(groups.len());
        for (cell, (rows, positives)) in groups.iter().enumerate() {
            let seed = replicate << 40 | (class as u64) << 24 | (cell as u64) << 1;
            let turned_out =
                [0, 1].map(|side| draw(rows[side], positives[side], spread(seed | side as u64)));
            drawn.push((*rows, turned_out));
        }
        metrics(&drawn)
    };
    (0..REPLICATES)
        .map(|replicate| {
            let classes = groups.iter().enumerate();
            classes
                .map(|(class, groups)| drawn(replicate, class, groups))
                .collect()
        })
        .collect()
}

/// Positives among rows of which so many are expected to be: normal, with the variance of rows of
/// one probability, which is never less than that of rows of several. A group of few rows may get
/// less than none: if it did not, sums over groups would have another mean.
fn draw(rows: f64, positives: f64, bits: u64) -> f64 {
    if rows == 0.0 {
        return 0.0;
    }
    let uniform = ((bits >> 11) as f64 + 0.5) / ONE;
    let deviation = (positives * (1.0 - positives / rows)).max(0.0).sqrt();
    positives + deviation * normal_quantile(uniform)
}

fn joined(bins: &[Bin]) -> Vec<Group> {
    let length = bins.len().div_ceil(MAX_GROUPS).max(1);
    let joined = |bins: &[Bin]| {
        let mut sum = Bin::default();
        bins.iter().for_each(|bin| sum.merge(bin));
        (sum.rows.map(|rows| rows as f64), sum.positives())
    };
    bins.chunks(length).map(joined).collect()
}

/// The metrics of groups in rising order of scores. Metrics that nothing defines are 0, as in
/// `NannyML`; areas are NaN.
fn metrics(groups: &[Group]) -> Metrics {
    let (mut all, mut positive) = ([0.0; 2], [0.0; 2]);
    for (rows, positives) in groups {
        all = [all[0] + rows[0], all[1] + rows[1]];
        positive = [positive[0] + positives[0], positive[1] + positives[1]];
    }
    let [false_negatives, true_positives] = positive;
    let (true_negatives, false_positives) = (all[0] - false_negatives, all[1] - true_positives);
    let (roc_auc, average_precision) = order_metrics(groups);
    let rows = all[0] + all[1];
    [
        roc_auc,
        average_precision,
        (true_positives + true_negatives) / rows,
        share(true_positives, false_positives),
        share(true_positives, false_negatives),
        share(
            true_positives,
            f64::midpoint(false_positives, false_negatives),
        ),
        share(true_negatives, false_positives),
    ]
}

fn share(part: f64, rest: f64) -> f64 {
    if part + rest > 0.0 {
        part / (part + rest)
    } else {
        0.0
    }
}

/// The area under the ROC curve and average precision, where each row counts as a part of a
/// positive and the rows of a bin are tied.
fn order_metrics(groups: &[Group]) -> (f64, f64) {
    let (mut positives, mut negatives, mut area, mut precision) = (0.0, 0.0, 0.0, 0.0);
    for (rows, of_rows) in groups.iter().rev() {
        let positive = of_rows[0] + of_rows[1];
        let negative = rows[0] + rows[1] - positive;
        area += negative * (positives + positive / 2.0);
        positives += positive;
        negatives += negative;
        if positives + negatives > 0.0 {
            precision += positive * (positives / (positives + negatives));
        }
    }
    (area / (positives * negatives), precision / positives)
}

/// How far the area under the ROC curve may be from the estimate because rows of a bin are not
/// tied.
#[must_use]
pub fn area_error(bins: &[Bin]) -> f64 {
    let (mut within, mut all) = (0.0, [0.0; 2]);
    for bin in bins {
        let positive: f64 = bin.positives().iter().sum();
        let negative = (bin.rows[0] + bin.rows[1]) as f64 - positive;
        within += positive * negative / 2.0;
        all = [all[0] + positive, all[1] + negative];
    }
    within / (all[0] * all[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::golden::{clf_rows, rows_by_score};
    use crate::monitor::isotonic::{Isotonic, IsotonicFit};

    fn fitted(rows: &[(f64, bool)]) -> Isotonic {
        let mut fit = IsotonicFit::default();
        for (score, [positives, negatives]) in rows_by_score(rows) {
            fit.add(score, positives as f64, (positives + negatives) as f64);
        }
        fit.finish()
    }

    /// A bin for each score; called positive from 0.5 on.
    fn bins(rows: &[(f64, bool)], calibration: &Isotonic) -> Vec<Bin> {
        let groups = rows_by_score(rows).into_iter();
        groups
            .map(|(score, counts)| {
                let mut bin = Bin::default();
                for _ in 0..counts[0] + counts[1] {
                    bin.add(calibration.value(score), score >= 0.5);
                }
                bin
            })
            .collect()
    }

    #[test]
    fn estimates_are_those_of_nannyml() {
        // NannyML 0.13.1, as golden_monitoring.json has it: cbpe_s1.
        let rows = clf_rows(1);
        let calibration = fitted(&rows);
        let sum: f64 = rows.iter().map(|row| calibration.value(row.0)).sum();
        assert!((sum - 497.0).abs() < 1e-9, "{sum}");
        let mut values: Vec<u64> = rows
            .iter()
            .map(|row| (calibration.value(row.0) * 1e12).round() as u64)
            .collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 27);
        let found = estimate(&bins(&rows, &calibration)).unwrap();
        let expected = [
            (2, 0.593_665_322_580_645_1),
            (3, 0.339_598_905_061_631_26),
            (4, 0.672_364_834_166_288_1),
            (5, 0.451_269_848_184_531),
            (6, 0.567_641_598_523_342_4),
        ];
        for (metric, expected) in expected {
            let found = found[metric];
            assert!(
                (found - expected).abs() < 1e-12,
                "{} {found} {expected}",
                METRICS[metric]
            );
        }
        // NannyML rounds sums to five decimals.
        assert!(
            (found[0] - 0.661_257_632_287_403_6).abs() < 1e-9,
            "{found:?}"
        );
    }

    #[test]
    fn order_and_parts_change_no_sum() {
        let rows = clf_rows(2);
        let calibration = fitted(&rows);
        let whole = bins(&rows, &calibration);
        let mut merged = vec![Bin::default(); whole.len()];
        for part in [&rows[1200..], &rows[..1200]] {
            let by_score = rows_by_score(&rows);
            for (score, _) in part.iter().rev() {
                let index = by_score.iter().position(|group| group.0 == *score).unwrap();
                let mut bin = Bin::default();
                bin.add(calibration.value(*score), *score >= 0.5);
                merged[index].merge(&bin);
            }
        }
        assert_eq!(whole, merged);
    }

    #[test]
    fn bands_hold_the_estimate_and_shrink_with_rows() {
        let rows = clf_rows(1);
        let calibration = fitted(&rows);
        let own = bins(&rows, &calibration);
        let many: Vec<Bin> = own
            .iter()
            .map(|bin| Bin {
                rows: bin.rows.map(|rows| 100 * rows),
                expected: bin.expected.map(|expected| 100 * expected),
            })
            .collect();
        let band = |bins: &[Bin], metric: usize| {
            let mut drawn: Vec<f64> = replicates(&[bins.to_vec()])
                .iter()
                .map(|classes| classes[0][metric])
                .collect();
            drawn.sort_by(f64::total_cmp);
            (drawn[25], drawn[975])
        };
        // numpy 2.4.6: labels drawn 4000 times from scikit-learn's isotonic probabilities of these
        // rows, roc_auc_score and f1_score of each: the 2.5 % and 97.5 % quantiles.
        for (metric, low, high) in [(0, 0.635_377, 0.687_299), (5, 0.420_540, 0.482_167)] {
            let found = band(&own, metric);
            assert!(
                (found.0 - low).abs() < 0.004,
                "{} {found:?}",
                METRICS[metric]
            );
            assert!(
                (found.1 - high).abs() < 0.004,
                "{} {found:?}",
                METRICS[metric]
            );
        }
        let (narrow, wide) = (band(&many, 5), band(&own, 5));
        let ratio = (wide.1 - wide.0) / (narrow.1 - narrow.0);
        assert!((8.0..12.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn certain_classes_and_no_rows_are_defined() {
        let mut bin = Bin::default();
        bin.add(1.0, true);
        bin.add(1.0, false);
        let found = estimate(&[bin]).unwrap();
        assert!(found[0].is_nan());
        assert_eq!(found[1..5], [1.0, 0.5, 1.0, 0.5]);
        assert_eq!(estimate(&[Bin::default()]), None);
        assert_eq!(estimate(&[]), None);
    }
}
