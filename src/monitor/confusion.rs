//! A confusion matrix and the metrics that it alone gives.
//!
//! Owns counts of (true class, predicted class) and metrics as scikit-learn defines them; a ratio
//! of nothing is 0, as there by default. It must not know scores.

use super::interval::{Estimate, bootstrap};

/// Counts of rows by true and by predicted class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    class_count: usize,
    /// One row a true class.
    counts: Vec<u64>,
}

/// The metrics of one class against all others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassMetrics {
    /// The rows that are of the class.
    pub support: u64,
    /// The share of the rows predicted so that are so.
    pub precision: Option<Estimate>,
    /// The share of the rows that are so that are predicted so.
    pub recall: Option<Estimate>,
    /// The harmonic mean of both.
    pub f1: Estimate,
}

/// How the metrics of several classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// Every class has the same weight.
    Macro,
    /// All rows are counted together.
    Micro,
    /// A class has the weight of its rows.
    Weighted,
}

impl Confusion {
    /// No rows yet, of so many classes.
    #[must_use]
    pub fn new(class_count: usize) -> Self {
        Self {
            class_count,
            counts: vec![0; class_count * class_count],
        }
    }

    /// Counts rows.
    pub fn add(&mut self, actual: usize, predicted: usize, count: u64) {
        self.counts[actual * self.class_count + predicted] += count;
    }

    /// The rows of one true class that were predicted as another.
    #[must_use]
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        self.counts[actual * self.class_count + predicted]
    }

    /// All rows.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The number of classes.
    #[must_use]
    pub fn class_count(&self) -> usize {
        self.class_count
    }

    /// The share of rows whose class is predicted; none for no rows.
    #[must_use]
    pub fn accuracy(&self) -> Option<Estimate> {
        Estimate::proportion(self.correct(), self.total())
    }

    /// The mean recall of the classes that occur; none for no rows.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<Estimate> {
        self.estimate(balanced_accuracy)
    }

    /// Matthews' correlation coefficient; 0 where a side is constant, none for no rows.
    #[must_use]
    pub fn mcc(&self) -> Option<Estimate> {
        self.estimate(matthews)
    }

    /// One class against all others.
    #[must_use]
    pub fn class(&self, class: usize) -> ClassMetrics {
        let [hits, predicted, actual] = hits(&self.counts, self.class_count, class);
        let cells = [hits, predicted - hits, actual - hits];
        let f1 = |cells: &[u64]| ratio(2 * cells[0], 2 * cells[0] + cells[1] + cells[2]);
        ClassMetrics {
            support: actual,
            precision: Estimate::proportion(hits, predicted),
            recall: Estimate::proportion(hits, actual),
            f1: Estimate::of_replicates(f1(&cells), bootstrap(&cells, f1)),
        }
    }

    /// The share of the rows of other classes that are not predicted as this one.
    #[must_use]
    pub fn specificity(&self, class: usize) -> Option<Estimate> {
        let [hits, predicted, actual] = hits(&self.counts, self.class_count, class);
        let others = self.total() - actual;
        Estimate::proportion(others - (predicted - hits), others)
    }

    /// Precision, recall and F1 over all classes that occur or are predicted; none for no rows.
    #[must_use]
    pub fn averaged(&self, average: Average) -> Option<[Estimate; 3]> {
        let metric = |which: usize| {
            self.estimate(|counts, classes| averages(counts, classes, average)[which])
        };
        Some([metric(0)?, metric(1)?, metric(2)?])
    }

    fn correct(&self) -> u64 {
        (0..self.class_count)
            .map(|class| self.count(class, class))
            .sum()
    }

    /// A metric with its interval.
    fn estimate(&self, metric: impl Fn(&[u64], usize) -> f64) -> Option<Estimate> {
        // Cells without rows stay without rows; there may be many.
        let cells: Vec<usize> = (0..self.counts.len())
            .filter(|cell| self.counts[*cell] > 0)
            .collect();
        let counts: Vec<u64> = cells.iter().map(|cell| self.counts[*cell]).collect();
        let replicate = |drawn: &[u64]| {
            let mut all = vec![0; self.counts.len()];
            cells
                .iter()
                .zip(drawn)
                .for_each(|(cell, count)| all[*cell] = *count);
            metric(&all, self.class_count)
        };
        (self.total() > 0).then(|| {
            Estimate::of_replicates(
                metric(&self.counts, self.class_count),
                bootstrap(&counts, replicate),
            )
        })
    }
}

/// Rows of a class that are predicted so, rows predicted so, and rows of the class.
fn hits(counts: &[u64], class_count: usize, class: usize) -> [u64; 3] {
    let row = &counts[class * class_count..(class + 1) * class_count];
    let column = counts.iter().skip(class).step_by(class_count);
    [row[class], column.sum(), row.iter().sum()]
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn averages(counts: &[u64], class_count: usize, average: Average) -> [f64; 3] {
    let classes: Vec<[u64; 3]> = (0..class_count)
        .map(|class| hits(counts, class_count, class))
        .filter(|[_, predicted, actual]| predicted + actual > 0)
        .collect();
    let metrics = |[hits, predicted, actual]: [u64; 3]| {
        [
            ratio(hits, predicted),
            ratio(hits, actual),
            ratio(2 * hits, predicted + actual),
        ]
    };
    if average == Average::Micro {
        let sum = |which: usize| classes.iter().map(|class| class[which]).sum();
        return metrics([sum(0), sum(1), sum(2)]);
    }
    let weight = |class: &[u64; 3]| match average {
        Average::Weighted => class[2] as f64,
        _ => 1.0,
    };
    let whole: f64 = classes.iter().map(weight).sum();
    let mut averages = [0.0; 3];
    for class in &classes {
        for (sum, metric) in averages.iter_mut().zip(metrics(*class)) {
            *sum += metric * weight(class);
        }
    }
    averages.map(|sum| if whole == 0.0 { 0.0 } else { sum / whole })
}

fn balanced_accuracy(counts: &[u64], class_count: usize) -> f64 {
    let recalls: Vec<f64> = (0..class_count)
        .map(|class| hits(counts, class_count, class))
        .filter(|[_, _, actual]| *actual > 0)
        .map(|[hits, _, actual]| ratio(hits, actual))
        .collect();
    recalls.iter().sum::<f64>() / recalls.len() as f64
}

fn matthews(counts: &[u64], class_count: usize) -> f64 {
    let (mut correct, mut both, mut predicted_squares, mut actual_squares) = (0.0, 0.0, 0.0, 0.0);
    for class in 0..class_count {
        let [hits, predicted, actual] = hits(counts, class_count, class).map(|count| count as f64);
        correct += hits;
        both += predicted * actual;
        predicted_squares += predicted * predicted;
        actual_squares += actual * actual;
    }
    let total = counts.iter().sum::<u64>() as f64;
    let spread = (total * total - predicted_squares) * (total * total - actual_squares);
    if spread == 0.0 {
        0.0
    } else {
        (correct * total - both) / spread.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::golden::clf_rows;

    fn of(rows: &[(usize, usize)], class_count: usize) -> Confusion {
        let mut confusion = Confusion::new(class_count);
        rows.iter()
            .for_each(|(actual, predicted)| confusion.add(*actual, *predicted, 1));
        confusion
    }

    fn close(estimate: Option<Estimate>, expected: f64) {
        let Estimate { value, interval } = estimate.unwrap();
        assert!((value - expected).abs() < 1e-12, "{value} {expected}");
        let holds = |(low, high): (f64, f64)| low <= value && value <= high;
        assert!(interval.is_none_or(holds), "{estimate:?}");
    }

    #[test]
    fn metrics_of_two_classes_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1 at a threshold of 0.5
        let cases = [
            (
                1,
                0.44969615124915596,
                0.2047638976867389,
                0.6184431940947079,
            ),
            (
                2,
                0.4604026845637584,
                0.2227082521370761,
                0.6288362242650849,
            ),
        ];
        for (score, f1, mcc, balanced) in cases {
            let rows: Vec<(usize, usize)> = clf_rows(score)
                .iter()
                .map(|(score, label)| (usize::from(*label), usize::from(*score >= 0.5)))
                .collect();
            let found = of(&rows, 2);
            close(Some(found.class(1).f1), f1);
            close(found.mcc(), mcc);
            close(found.balanced_accuracy(), balanced);
        }
    }

    /// Rows of three classes, one of which is never predicted.
    fn three_classes() -> Confusion {
        let rows: Vec<(usize, usize)> =
            (0..300).map(|i| (i * 7 % 13 % 3, i * 5 % 11 % 2)).collect();
        of(&rows, 3)
    }

    #[test]
    fn metrics_of_several_classes_are_those_of_scikit_learn() {
        // data/golden/metrics.py with scikit-learn 1.9.1, zero_division=0
        let found = three_classes();
        let macros = found.averaged(Average::Macro).unwrap();
        let expected = [
            0.23302247728359637,
            0.33608195902048976,
            0.27518796992481204,
        ];
        macros
            .iter()
            .zip(expected)
            .for_each(|(one, expected)| close(Some(*one), expected));
        let weighted = found.averaged(Average::Weighted).unwrap();
        weighted
            .iter()
            .zip([
                0.24560019129603064,
                0.35333333333333333,
                0.28974436090225564,
            ])
            .for_each(|(one, expected)| close(Some(*one), expected));
        let micro = found.averaged(Average::Micro).unwrap();
        micro
            .iter()
            .for_each(|one| close(Some(*one), 0.35333333333333333));
        close(found.accuracy(), 0.35333333333333333);
        close(found.balanced_accuracy(), 0.33608195902048976);
        close(found.mcc(), 0.005119365463022647);
        assert_eq!(
            found.class(2).precision,
            None,
            "the class is never predicted"
        );
    }

    #[test]
    fn nothing_and_constant_sides_are_defined() {
        assert_eq!(of(&[], 2).accuracy(), None);
        assert_eq!(of(&[], 2).mcc(), None);
        let constant = of(&[(1, 1), (1, 1)], 2);
        close(constant.mcc(), 0.0);
        close(constant.balanced_accuracy(), 1.0);
        assert_eq!(constant.specificity(1), None);
    }
}
