//! The answers of two models to the same rows: agreement, flips, ranks, differences.
//!
//! Owns what is kept of pairs of answers, in bounded memory and whatever the order of the rows. The
//! rank correlation and the population stability index are exact up to [`SAMPLE_ROWS`] rows; beyond
//! that they are those of a sample of so many rows, chosen by a hash of where they are in the
//! input. It must not know how answers are written or shown.

use std::any::Any;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{DataType, Field, Float64Type};

use super::tenths::Tenths;
use crate::error::{Error, Result};
use crate::pipeline::observer::{Observer, Partial, ScoredPortion};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::exact_sum::ExactSum;

/// Rows of the sample for the rank correlation. Its standard error is at most 1/√n, 0.008.
pub const SAMPLE_ROWS: usize = 16_384;

/// Which columns of two models answer the same question, by their indices among each one's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Scores: probabilities of the positive class, or predicted numbers.
    pub scores: Option<(usize, usize)>,
    /// Labels: the decisions.
    pub labels: Option<(usize, usize)>,
}

impl Pairing {
    /// The columns of the champion and of a challenger that can be compared.
    #[must_use]
    pub fn new(champion: &[Field], challenger: &[Field]) -> Self {
        let both = |name: &str, is_number: bool| {
            let own = |fields: &[Field]| {
                fields.iter().position(|field| {
                    field.name() == name
                        && field.data_type().is_floating() == is_number
                        && !field.data_type().is_nested()
                })
            };
            own(champion).zip(own(challenger))
        };
        Self {
            scores: both("probability", true).or_else(|| both("prediction", true)),
            labels: both("prediction", false),
        }
    }
}

/// Observes a challenger's answers together with the champion's.
#[derive(Debug)]
pub struct PairObserver {
    pairing: Pairing,
}

impl PairObserver {
    /// The observer of these columns.
    #[must_use]
    pub fn new(pairing: Pairing) -> Self {
        Self { pairing }
    }
}

impl Observer for PairObserver {
    fn name(&self) -> &'static str {
        "pairs"
    }

    fn version(&self) -> u32 {
        1
    }

    fn empty(&self) -> Box<dyn Partial> {
        Box::new(PairStatistics::default())
    }

    fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
        let champion = portion
            .champion
            .ok_or_else(|| Error::internal("a challenger without a champion"))?;
        let mut pairs = PairStatistics::default();
        let column = |columns: &[ArrayRef], index: usize| {
            columns
                .get(index)
                .cloned()
                .ok_or_else(|| Error::internal("a column of a model is missing"))
        };
        if let Some((first, second)) = self.pairing.scores {
            pairs.observe_scores(
                &column(champion.scores, first)?,
                &column(portion.scores, second)?,
                champion.keys,
            )?;
        }
        if let Some((first, second)) = self.pairing.labels {
            pairs.observe_labels(
                &column(champion.scores, first)?,
                &column(portion.scores, second)?,
            )?;
        }
        Ok(Box::new(pairs))
    }

    fn needs_only_scores(&self) -> bool {
        false
    }

    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
        let pairs = PairStatistics::read(&mut Reader::new(bytes))?;
        Some(Box::new(pairs))
    }
}

/// What is kept of pairs of answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairStatistics {
    /// Rows for which both gave a finite score.
    score_rows: u64,
    /// Of the second score less the first.
    differences: ExactSum,
    absolute_differences: ExactSum,
    max_difference: f64,
    /// Rows for which both gave a label.
    label_rows: u64,
    agreeing_rows: u64,
    /// (hash of the row, the first score, the second), by the hash.
    sample: Vec<(u64, f64, f64)>,
}

impl PairStatistics {
    /// Takes in pairs of scores; `keys` are hashes of the rows.
    fn observe_scores(&mut self, first: &ArrayRef, second: &ArrayRef, keys: &[u64]) -> Result<()> {
        let numbers = |column: &ArrayRef| {
            cast(column, &DataType::Float64)
                .map_err(|error| Error::internal("a score that is not a number").because(error))
        };
        let (first, second) = (numbers(first)?, numbers(second)?);
        let pairs = first
            .as_primitive::<Float64Type>()
            .iter()
            .zip(second.as_primitive::<Float64Type>().iter());
        for ((first, second), key) in pairs.zip(keys) {
            let (Some(first), Some(second)) = (first, second) else {
                continue;
            };
            let difference = second - first;
            if !first.is_finite() || !second.is_finite() || !difference.is_finite() {
                continue;
            }
            self.score_rows += 1;
            self.differences.add(difference);
            self.absolute_differences.add(difference.abs());
            self.max_difference = self.max_difference.max(difference.abs());
            self.sample.push((*key, first, second));
        }
        self.cut_sample();
        Ok(())
    }

    fn observe_labels(&mut self, first: &ArrayRef, second: &ArrayRef) -> Result<()> {
        let failed = |error| Error::internal("labels that cannot be compared").because(error);
        let equal = if first.data_type() == second.data_type() && !first.data_type().is_nested() {
            eq(first, second).map_err(failed)?
        } else {
            let texts = |column: &ArrayRef| cast(column, &DataType::Utf8).map_err(failed);
            eq(&texts(first)?, &texts(second)?).map_err(failed)?
        };
        self.label_rows += (equal.len() - equal.null_count()) as u64;
        self.agreeing_rows += equal.true_count() as u64;
        Ok(())
    }

    /// Keeps the rows with the smallest hashes, in their order.
    fn cut_sample(&mut self) {
        let order = |one: &(u64, f64, f64), other: &(u64, f64, f64)| {
            let by_score = one.1.total_cmp(&other.1).then(one.2.total_cmp(&other.2));
            one.0.cmp(&other.0).then(by_score)
        };
        if self.sample.len() > SAMPLE_ROWS {
            self.sample.select_nth_unstable_by(SAMPLE_ROWS, order);
            self.sample.truncate(SAMPLE_ROWS);
        }
        self.sample.sort_unstable_by(order);
    }

    /// Rows for which both gave a finite score.
    #[must_use]
    pub fn score_rows(&self) -> u64 {
        self.score_rows
    }

    /// Rows for which both gave a label.
    #[must_use]
    pub fn label_rows(&self) -> u64 {
        self.label_rows
    }

    /// Rows with different labels.
    #[must_use]
    pub fn flips(&self) -> u64 {
        self.label_rows - self.agreeing_rows
    }

    /// The share of rows with equal labels; none without labels.
    #[must_use]
    pub fn agreement(&self) -> Option<f64> {
        (self.label_rows > 0).then(|| self.agreeing_rows as f64 / self.label_rows as f64)
    }

    /// The mean of the second score less the first.
    #[must_use]
    pub fn mean_difference(&self) -> Option<f64> {
        self.differences.mean(self.score_rows)
    }

    /// The mean of the differences' absolute values.
    #[must_use]
    pub fn mean_absolute_difference(&self) -> Option<f64> {
        self.absolute_differences.mean(self.score_rows)
    }

    /// The largest absolute difference.
    #[must_use]
    pub fn max_absolute_difference(&self) -> Option<f64> {
        (self.score_rows > 0).then_some(self.max_difference)
    }

    /// Spearman's rank correlation of the scores (ties have their mean rank), and the number of
    /// rows that it is of; none if one of the scores is the same for all of them.
    #[must_use]
    pub fn rank_correlation(&self) -> Option<(f64, u64)> {
        let first = ranks(self.sample.iter().map(|pair| pair.1));
        let second = ranks(self.sample.iter().map(|pair| pair.2));
        Some((correlation(&first, &second)?, self.sample.len() as u64))
    }

    /// The population stability index of the second scores in tenths of the first, of the rows that
    /// the rank correlation is of; none without scores.
    #[must_use]
    pub fn psi(&self) -> Option<f64> {
        let sorted = |side: fn(&(u64, f64, f64)) -> f64| {
            // Both zeros are one value.
            let mut scores: Vec<f64> = self.sample.iter().map(|pair| side(pair) + 0.0).collect();
            scores.sort_unstable_by(f64::total_cmp);
            scores
        };
        let mut tenths = Tenths::new(self.sample.len() as u64);
        for tied in sorted(|pair| pair.1).chunk_by(|one, other| one == other) {
            tenths.add_first(tied[0], tied.len() as u64);
        }
        for tied in sorted(|pair| pair.2).chunk_by(|one, other| one == other) {
            tenths.add_second(tied[0], tied.len() as u64);
        }
        tenths.psi()
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        let (score_rows, label_rows, agreeing_rows) =
            (reader.count()?, reader.count()?, reader.count()?);
        let differences = ExactSum::read(reader)?;
        let absolute_differences = ExactSum::read(reader)?;
        let max_difference = f64::from_bits(reader.integer()?);
        let mut sample = Vec::new();
        for _ in 0..reader.length()? {
            let key = reader.integer()?;
            let pair = (reader.integer()?, reader.integer()?);
            sample.push((key, f64::from_bits(pair.0), f64::from_bits(pair.1)));
        }
        let is_finite = |pair: &(u64, f64, f64)| pair.1.is_finite() && pair.2.is_finite();
        let is_own = agreeing_rows <= label_rows
            && sample.len() <= SAMPLE_ROWS
            && sample.len() as u64 == score_rows.min(SAMPLE_ROWS as u64)
            && max_difference.is_finite()
            && sample.iter().all(is_finite)
            && sample.is_sorted_by(|one, other| one.0 <= other.0)
            && reader.is_at_end();
        is_own.then_some(Self {
            score_rows,
            differences,
            absolute_differences,
            max_difference,
            label_rows,
            agreeing_rows,
            sample,
        })
    }
}

impl Partial for PairStatistics {
    fn merge(&mut self, other: &dyn Partial) -> Result<()> {
        let other: &dyn Any = other;
        let other: &Self = other
            .downcast_ref()
            .ok_or_else(|| Error::internal("pairs of other answers"))?;
        self.score_rows += other.score_rows;
        self.differences.merge(&other.differences);
        self.absolute_differences.merge(&other.absolute_differences);
        self.max_difference = self.max_difference.max(other.max_difference);
        self.label_rows += other.label_rows;
        self.agreeing_rows += other.agreeing_rows;
        self.sample.extend_from_slice(&other.sample);
        self.cut_sample();
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        [self.score_rows, self.label_rows, self.agreeing_rows]
            .iter()
            .for_each(|count| writer.integer(*count));
        self.differences.write(&mut writer);
        self.absolute_differences.write(&mut writer);
        writer.integer(self.max_difference.to_bits());
        writer.integer(self.sample.len() as u64);
        for (key, first, second) in &self.sample {
            writer.integer(*key);
            writer.integer(first.to_bits());
            writer.integer(second.to_bits());
        }
        writer.into_bytes()
    }
}

/// The rank of each value, from 1; equal values have the mean of their ranks.
fn ranks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    // Both zeros are one value.
    let values: Vec<f64> = values.map(|value| value + 0.0).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|one, other| values[*one].total_cmp(&values[*other]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|one, other| values[*one] == values[*other]) {
        let mean = start as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|index| ranks[*index] = mean);
        start += tied.len();
    }
    ranks
}

/// Pearson's correlation; none if one side does not vary.
fn correlation(first: &[f64], second: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (first_mean, second_mean) = (mean(first), mean(second));
    let (mut product, mut squares) = (0.0, (0.0, 0.0));
    for (one, other) in first.iter().zip(second) {
        let (one, other) = (one - first_mean, other - second_mean);
        product += one * other;
        squares.0 += one * one;
        squares.1 += other * other;
    }
    (squares.0 > 0.0 && squares.1 > 0.0)
        .then(|| (product / (squares.0 * squares.1).sqrt()).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, Float64Array, Int64Array, StringArray};

    use super::*;
    use crate::statistics::hash::spread;

    fn of(pairs: &[(f64, f64)], first_row: u64) -> PairStatistics {
        let column = |of: fn(&(f64, f64)) -> f64| -> ArrayRef {
            Arc::new(
                pairs
                    .iter()
                    .map(|pair| Some(of(pair)))
                    .collect::<Float64Array>(),
            )
        };
        let keys: Vec<u64> = (0..pairs.len() as u64)
            .map(|row| spread(first_row + row))
            .collect();
        let mut statistics = PairStatistics::default();
        statistics
            .observe_scores(&column(|pair| pair.0), &column(|pair| pair.1), &keys)
            .unwrap();
        statistics
    }

    fn many(count: u64) -> Vec<(f64, f64)> {
        // Not the hashes of the rows themselves, by which the sample is chosen.
        let number = |seed: u64| (spread(seed + (1 << 50)) >> 11) as f64 / (1_u64 << 53) as f64;
        let pair = |row| {
            (
                number(row),
                f64::midpoint(number(row), number(row + (1 << 40))),
            )
        };
        (0..count).map(pair).collect()
    }

    #[test]
    fn the_rank_correlation_is_that_of_scipy() {
        // SciPy 1.17.1: spearmanr of these columns
        let pairs = [
            (0.1, 0.3),
            (0.4, 0.2),
            (0.4, 0.5),
            (0.8, 0.7),
            (0.9, 0.7),
            (0.2, 0.1),
        ];
        let (found, rows) = of(&pairs, 0).rank_correlation().unwrap();
        assert!((found - 0.764_705_882_352_941_2).abs() < 1e-12, "{found}");
        assert_eq!(rows, 6);
        assert_eq!(of(&[(1.0, 2.0), (1.0, 3.0)], 0).rank_correlation(), None);
        assert_eq!(of(&[], 0).rank_correlation(), None);
    }

    #[test]
    fn what_is_kept_does_not_depend_on_how_rows_are_cut() {
        let pairs = many(40_000);
        let whole = of(&pairs, 0);
        let mut merged = PairStatistics::default();
        for (index, part) in pairs.chunks(7_919).enumerate() {
            let bytes = of(part, index as u64 * 7_919).to_bytes();
            let read = PairStatistics::read(&mut Reader::new(&bytes)).unwrap();
            merged.merge(&read).unwrap();
        }
        assert_eq!(merged, whole);
        assert_eq!(merged.score_rows(), 40_000);
        // The exact correlation of these ranks is known from a sample as large as the rows.
        let first = ranks(pairs.iter().map(|pair| pair.0));
        let second = ranks(pairs.iter().map(|pair| pair.1));
        let exact = correlation(&first, &second).unwrap();
        let (sampled, rows) = merged.rank_correlation().unwrap();
        assert_eq!(rows, SAMPLE_ROWS as u64);
        assert!((exact - sampled).abs() < 0.01, "{exact} {sampled}");
    }

    #[test]
    fn scores_that_are_missing_or_infinite_make_no_pair() {
        let first: ArrayRef = Arc::new(Float32Array::from(vec![
            Some(0.5),
            None,
            Some(f32::NAN),
            Some(0.25),
        ]));
        let second: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(0.75),
            Some(0.5),
            Some(0.5),
            Some(f64::INFINITY),
        ]));
        let mut statistics = PairStatistics::default();
        statistics
            .observe_scores(&first, &second, &[1, 2, 3, 4])
            .unwrap();
        assert_eq!(statistics.score_rows(), 1);
        assert_eq!(statistics.mean_difference(), Some(0.25));
        assert_eq!(statistics.mean_absolute_difference(), Some(0.25));
        assert_eq!(statistics.max_absolute_difference(), Some(0.25));
        assert_eq!(of(&[], 0).max_absolute_difference(), None);
    }

    #[test]
    fn labels_of_other_types_agree_by_their_texts() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(1), None, Some(1)]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["0", "0", "1", "1"]));
        let mut statistics = PairStatistics::default();
        statistics.observe_labels(&numbers, &texts).unwrap();
        assert_eq!((statistics.label_rows(), statistics.flips()), (3, 1));
        assert_eq!(statistics.agreement(), Some(2.0 / 3.0));
    }

    #[test]
    fn bytes_that_are_damaged_are_not_taken() {
        let bytes = of(&many(50), 0).to_bytes();
        assert!(
            (0..bytes.len())
                .all(|end| PairStatistics::read(&mut Reader::new(&bytes[..end])).is_none())
        );
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(PairStatistics::read(&mut Reader::new(&longer)).is_none());
    }

    #[test]
    fn columns_that_answer_the_same_question_are_paired() {
        let field = |name: &str, data_type| Field::new(name, data_type, true);
        let binary = [
            field("probability", DataType::Float32),
            field("prediction", DataType::Int64),
        ];
        let texts = [
            field("prediction", DataType::Utf8),
            field("probability", DataType::Float64),
        ];
        let number = [field("prediction", DataType::Float64)];
        let both = Pairing::new(&binary, &texts);
        assert_eq!((both.scores, both.labels), (Some((0, 1)), Some((1, 0))));
        assert_eq!(Pairing::new(&binary, &number), Pairing::default());
        let same = Pairing::new(&number, &number);
        assert_eq!((same.scores, same.labels), (Some((0, 0)), None));
    }
}
