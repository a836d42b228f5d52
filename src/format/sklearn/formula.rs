//! Formulas: what is computed of one row at a time.
//!
//! Owns how a formula is held and run, and those that several estimators share. It must not know
//! estimators.

use super::engine::gather;
use crate::error::Result;
use crate::feature::Columns;
use crate::interrupt::check_process;
use crate::model::trace;
use crate::outcome::Link;

/// Rows between two looks at whether the work is to end: those of a large model take long.
const ROWS_AT_ONCE: usize = 16;

/// From the values of a row to its outputs, which are 0 at first.
type RowFunction = Box<dyn Fn(&[f64], &mut [f64]) + Send + Sync>;

/// From the values of a row to what a formula computes on the way, for explanations.
type RowNotes = Box<dyn Fn(&[f64]) -> Vec<trace::Step> + Send + Sync>;

/// A formula with the numbers that it needs.
pub(super) struct Formula {
    /// The family that it is of.
    pub(super) name: &'static str,
    /// The outputs of a row.
    pub(super) width: usize,
    /// The bytes of its numbers.
    pub(super) memory_bytes: usize,
    function: RowFunction,
    notes: Option<RowNotes>,
}

impl std::fmt::Debug for Formula {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Formula({}, {} outputs)", self.name, self.width)
    }
}

impl Formula {
    /// A formula that holds so many numbers.
    pub(super) fn new(
        name: &'static str,
        width: usize,
        number_count: usize,
        function: impl Fn(&[f64], &mut [f64]) + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            width,
            memory_bytes: size_of::<f64>() * number_count,
            function: Box::new(function),
            notes: None,
        }
    }

    /// The same formula, which shows explanations what it computes on the way.
    pub(super) fn noting(
        self,
        notes: impl Fn(&[f64]) -> Vec<trace::Step> + Send + Sync + 'static,
    ) -> Self {
        Self {
            notes: Some(Box::new(notes)),
            ..self
        }
    }

    /// What it computes of a row on the way; the names are those within the estimator.
    pub(super) fn notes(&self, values: &[f64]) -> Vec<trace::Step> {
        self.notes
            .as_ref()
            .map_or_else(Vec::new, |notes| notes(values))
    }

    /// Computes all rows.
    ///
    /// # Errors
    /// Fails if the work is to end.
    pub(super) fn run(&self, columns: &Columns<f64>, outputs: &mut Vec<f64>) -> Result<()> {
        outputs.clear();
        outputs.resize(columns.row_count() * self.width, 0.0);
        let mut values = vec![0.0; columns.feature_count()];
        for (row, output) in outputs.chunks_exact_mut(self.width.max(1)).enumerate() {
            if row.is_multiple_of(ROWS_AT_ONCE) {
                check_process()?;
            }
            gather(columns, row, &mut values);
            (self.function)(&values, output);
        }
        Ok(())
    }

    /// The second output less the first: the margin of two classes.
    pub(super) fn difference(self) -> Self {
        let Self {
            name,
            memory_bytes,
            function,
            notes,
            ..
        } = self;
        Self {
            name,
            width: 1,
            memory_bytes,
            function: Box::new(move |values, output| {
                let mut both = [0.0; 2];
                function(values, &mut both);
                output[0] = both[1] - both[0];
            }),
            notes,
        }
    }

    /// So many margins after a link.
    pub(super) fn linked(link: Link, width: usize) -> Self {
        Self::new("linear", width, 0, move |values, output| {
            output.copy_from_slice(values);
            link.apply_double(output);
        })
    }

    /// The index of the first of the largest values; NaN where one is missing.
    pub(super) fn largest() -> Self {
        Self::new("pipeline", 1, 0, |values, output| {
            output[0] = if values.iter().any(|value| value.is_nan()) {
                f64::NAN
            } else {
                largest(values) as f64
            };
        })
    }

    /// The index of the last of the largest values; NaN where one is missing.
    pub(super) fn last_largest() -> Self {
        Self::new("pipeline", 1, 0, |values, output| {
            output[0] = if values.iter().any(|value| value.is_nan()) {
                f64::NAN
            } else {
                let last = values.len().saturating_sub(1);
                let reversed: Vec<f64> = values.iter().rev().copied().collect();
                (last - largest(&reversed)) as f64
            };
        })
    }

    /// The weighted mean of several runs of `width` values: Σ weight · value / Σ weights.
    pub(super) fn mean(weights: Vec<f64>, width: usize) -> Self {
        let sum: f64 = weights.iter().sum();
        Self::new("pipeline", width, weights.len(), move |values, output| {
            for (run, weight) in values.chunks_exact(width).zip(&weights) {
                for (total, value) in output.iter_mut().zip(run) {
                    *total += value * weight;
                }
            }
            output.iter_mut().for_each(|value| *value /= sum);
        })
    }

    /// Each value divided by the sum of all; the same share for all where the sum is 0.
    pub(super) fn shares(width: usize) -> Self {
        Self::new("pipeline", width, 0, move |values, output| {
            output.copy_from_slice(values);
            share(output);
        })
    }
}

/// Divides by the sum; 0 of all becomes the same share for all.
pub(super) fn share(values: &mut [f64]) {
    let sum: f64 = values.iter().sum();
    let even = 1.0 / values.len() as f64;
    for value in values {
        *value = if sum == 0.0 { even } else { *value / sum };
    }
}

/// Softmax, shifted by the largest value.
pub(super) fn softmax(values: &mut [f64]) {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values
        .iter_mut()
        .for_each(|value| *value = (*value - largest).exp());
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
}

/// 1 / (1 + exp(−x)).
pub(super) fn logistic(value: f64) -> f64 {
    1.0 / (1.0 + (-value).exp())
}

/// The index of the first of the largest values.
pub(super) fn largest(values: &[f64]) -> usize {
    values.iter().enumerate().fold(
        0,
        |best, (index, value)| {
            if *value > values[best] { index } else { best }
        },
    )
}

/// The sum of products.
pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The sum of squared differences.
pub(super) fn squared_distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter()
        .zip(other)
        .map(|(one, other)| (one - other) * (one - other))
        .sum()
}

/// The votes of all pairs of classes, and of what is between ties a third: of each pair (i, j)
/// whether j is predicted, which regressors may leave open, and the decision for j.
pub(super) fn pairwise(
    count: usize,
    output: &mut [f64],
    answer: impl Fn(usize) -> (Option<bool>, f64),
) {
    let mut sums = vec![0.0; count];
    let mut pair = 0;
    for one in 0..count {
        for other in one + 1..count {
            let (is_other, score) = answer(pair);
            sums[one] -= score;
            sums[other] += score;
            match is_other {
                Some(true) => output[other] += 1.0,
                Some(false) => output[one] += 1.0,
                None => {}
            }
            pair += 1;
        }
    }
    for (votes, sum) in output.iter_mut().zip(sums) {
        *votes += sum / (3.0 * (sum.abs() + 1.0));
    }
}

/// Linear interpolation between two knots or more in single precision, as
/// `scipy.interpolate.interp1d` does it.
pub(super) fn interpolated_single(value: f32, knots: &[f32], values: &[f32]) -> f32 {
    let last = knots.len() - 1;
    let high = knots.partition_point(|knot| *knot < value).clamp(1, last);
    let low = high - 1;
    let slope = (values[high] - values[low]) / (knots[high] - knots[low]);
    slope * (value - knots[low]) + values[low]
}

/// Linear interpolation as `numpy.interp` does it.
pub(super) fn interpolated(value: f64, knots: &[f64], values: &[f64]) -> f64 {
    let above = knots.partition_point(|knot| *knot <= value);
    if above == 0 {
        return values[0];
    }
    let (at, last) = (above - 1, knots.len() - 1);
    if at == last || knots[at] == value {
        return values[at];
    }
    let slope = (values[at + 1] - values[at]) / (knots[at + 1] - knots[at]);
    slope * (value - knots[at]) + values[at]
}
