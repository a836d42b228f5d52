//! Whether probabilities mean what they say.
//!
//! Owns the reliability table of equal bins and, from it and from exact sums, the expected
//! calibration error, the log loss and the Brier score. Parts add up in any order. It must not know
//! where probabilities come from.

use super::interval::{Estimate, Mean, bias, bootstrap};
use super::special::chi_square_tail;
use crate::outcome::is_probability;
use crate::statistics::exact_sum::ExactSum;

/// The bins of a reliability table, of equal width over 0 to 1.
pub const BIN_COUNT: usize = 10;

/// From this probability on an error may be chance: the other side of a 95 % interval.
const CHANCE: f64 = 0.05;

/// A bin of a reliability table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bin {
    /// Positives and negatives.
    pub counts: [u64; 2],
    scores: ExactSum,
}

/// The probabilities of rows whose class is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    bins: [Bin; BIN_COUNT],
    log_loss: Mean,
    brier: Mean,
    /// Scores outside 0 to 1, or NaN: no probabilities.
    outside: u64,
}

impl Bin {
    /// The rows.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts[0] + self.counts[1]
    }

    /// The mean probability; none for no rows.
    #[must_use]
    pub fn mean_score(&self) -> Option<f64> {
        self.scores.mean(self.total())
    }

    /// The share of positives; none for no rows.
    #[must_use]
    pub fn positive_share(&self) -> Option<Estimate> {
        Estimate::proportion(self.counts[0], self.total())
    }
}

impl Calibration {
    /// Takes in a probability; `epsilon` is the distance of its number type from 1, which bounds
    /// its logarithm.
    pub fn add(&mut self, probability: f64, is_positive: bool, epsilon: f64) {
        if !is_probability(probability) {
            self.outside += 1;
            return;
        }
        // An edge belongs to the bin below it, as in scikit-learn's `calibration_curve`.
        let bin = ((probability * BIN_COUNT as f64).ceil() as usize).clamp(1, BIN_COUNT) - 1;
        let bin = &mut self.bins[bin];
        bin.counts[usize::from(!is_positive)] += 1;
        bin.scores.add(probability);
        let clipped = probability.clamp(epsilon, 1.0 - epsilon);
        let (actual, likelihood) = if is_positive {
            (1.0, clipped)
        } else {
            (0.0, 1.0 - clipped)
        };
        self.log_loss.add(-libm::log(likelihood));
        self.brier
            .add((probability - actual) * (probability - actual));
    }

    /// Adds the rows of another part.
    pub fn merge(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.counts[0] += more.counts[0];
            bin.counts[1] += more.counts[1];
            bin.scores.merge(&more.scores);
        }
        self.log_loss.merge(&other.log_loss);
        self.brier.merge(&other.brier);
        self.outside += other.outside;
    }

    /// The reliability table.
    #[must_use]
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// The mean log loss; none for no rows, or where a score is not a probability.
    #[must_use]
    pub fn log_loss(&self) -> Option<Estimate> {
        self.log_loss
            .estimate((0.0, f64::MAX))
            .filter(|_| self.outside == 0)
    }

    /// The mean squared distance from the class; none as for the log loss.
    #[must_use]
    pub fn brier(&self) -> Option<Estimate> {
        self.brier
            .estimate((0.0, 1.0))
            .filter(|_| self.outside == 0)
    }

    /// The expected calibration error: the distance between mean probability and share of positives
    /// of each bin, weighted by rows; none as for the log loss.
    #[must_use]
    pub fn ece(&self) -> Option<Estimate> {
        let bins: Vec<&Bin> = self.bins.iter().filter(|bin| bin.total() > 0).collect();
        if bins.is_empty() || self.outside > 0 {
            return None;
        }
        let scores: Vec<f64> = bins.iter().filter_map(|bin| bin.mean_score()).collect();
        let counts: Vec<[u64; 2]> = bins.iter().map(|bin| bin.counts).collect();
        let ece = |counts: &[u64]| {
            let total: u64 = counts.iter().sum();
            let bins = counts.as_chunks::<2>().0.iter().zip(&scores);
            let distance = |([positives, negatives], score): (&[u64; 2], &f64)| {
                let rows = (positives + negatives) as f64;
                (*positives as f64 - rows * score).abs()
            };
            bins.map(distance).sum::<f64>() / total as f64
        };
        let (cells, value) = (counts.as_flattened(), ece(counts.as_flattened()));
        let replicates = bootstrap(cells, ece);
        let bias = bias(value, &replicates).max(0.0);
        let moved = Estimate::of_moved_replicates(value, replicates, (0.0, 1.0));
        // The error is above the true one by chance alone, as its replicates are above it.
        let Some((low, high)) = moved.interval else {
            return Some(moved);
        };
        let low = if is_chance(&counts, &scores) {
            0.0
        } else {
            low - bias
        };
        Some(Estimate::between(value, (low, high), (0.0, 1.0)))
    }

    /// The mean probability less the share of positives: above 0 where the model promises too much.
    #[must_use]
    pub fn calibration_in_the_large(&self) -> Option<f64> {
        let mut scores = ExactSum::default();
        let (mut positives, mut total) = (0, 0);
        for bin in &self.bins {
            scores.merge(&bin.scores);
            positives += bin.counts[0];
            total += bin.total();
        }
        Some(scores.mean(total)? - positives as f64 / total as f64).filter(|_| self.outside == 0)
    }
}

/// Whether the positives of the bins may be as many as their mean probabilities promise: the test
/// of Hosmer and Lemeshow, of probabilities that were not fitted to these rows.
fn is_chance(counts: &[[u64; 2]], scores: &[f64]) -> bool {
    let (mut statistic, mut degrees) = (0.0, 0.0);
    for ([positives, negatives], score) in counts.iter().zip(scores) {
        let rows = (positives + negatives) as f64;
        let distance = *positives as f64 - rows * score;
        let variance = rows * score * (1.0 - score);
        if variance > 0.0 {
            statistic += distance * distance / variance;
            degrees += 1.0;
        } else if distance != 0.0 {
            return false;
        }
    }
    chi_square_tail(statistic, degrees) >= CHANCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::golden::{clf_rows, noise};
    use crate::monitor::special::normal_tail;

    fn of(rows: &[(f64, bool)]) -> Calibration {
        let mut calibration = Calibration::default();
        rows.iter()
            .for_each(|(score, label)| calibration.add(*score, *label, f64::EPSILON));
        calibration
    }

    #[test]
    fn losses_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1; the calibration error of equal bins
        let cases = [
            (
                1,
                0.6997975934148003,
                0.24812756583405712,
                0.24581834692484622,
            ),
            (2, 0.7008627740259731, 0.2469708, 0.24383999999999997),
        ];
        for (score, log_loss, brier, ece) in cases {
            let found = of(&clf_rows(score));
            for (estimate, expected) in [
                (found.log_loss(), log_loss),
                (found.brier(), brier),
                (found.ece(), ece),
            ] {
                let Estimate { value, interval } = estimate.unwrap();
                let (low, high) = interval.unwrap();
                assert!((value - expected).abs() < 1e-12, "{value} {expected}");
                assert!(
                    low < value && value < high && high - low < 0.1,
                    "{estimate:?}"
                );
            }
        }
    }

    #[test]
    fn certain_errors_are_bounded_and_scores_that_are_no_probabilities_have_no_loss() {
        let certain = of(&[(1.0, false), (0.0, true)]).log_loss().unwrap();
        assert!(
            (certain.value - 36.04365338911715).abs() < 1e-12,
            "as in scikit-learn"
        );
        for wrong in [1.5, -0.1, f64::NAN, f64::INFINITY] {
            let found = of(&[(0.5, true), (wrong, true)]);
            assert_eq!(
                (
                    found.log_loss(),
                    found.ece(),
                    found.calibration_in_the_large()
                ),
                (None, None, None)
            );
        }
        assert_eq!(of(&[]).brier(), None);
        assert_eq!(of(&[(0.25, true)]).calibration_in_the_large(), Some(-0.75));
    }

    #[test]
    fn the_interval_of_a_calibration_error_holds_the_true_one() {
        // Of probabilities of 0.05 to 0.95: right, and 0.04 too high.
        for moved in [0.0, 0.04] {
            let mut width = 0.0;
            let misses = (61..=120_u64).filter(|seed| {
                let row = |row: u64| {
                    let score = 0.05 + 0.1 * (row % 10) as f64;
                    let share = normal_tail(noise(*seed, row));
                    (score, share < score - moved)
                };
                let rows: Vec<(f64, bool)> = (0..600).map(row).collect();
                let (low, high) = of(&rows).ece().unwrap().interval.unwrap();
                width += (high - low) / 60.0;
                moved < low || moved > high
            });
            let count = misses.count();
            assert!(
                count <= 6 && width < 0.09,
                "{moved}: {count} of 60, {width} wide"
            );
        }
    }

    #[test]
    fn merged_parts_are_the_whole() {
        let rows = clf_rows(2);
        let mut merged = of(&rows[700..]);
        merged.merge(&of(&rows[..700]));
        assert!(merged == of(&rows));
    }
}
