//! How far two rows are apart: the metrics of neighbours.
//!
//! Sources: `sklearn/metrics/_dist_metrics.pyx.tp`, `metrics/pairwise.py` of 0.24 to 1.9, and
//! `scipy/spatial/distance.py`, to which brute force hands the rest.

use super::formula::{dot, squared_distance};
use super::object::{Object, real, reals};
use crate::error::Result;

/// What Bray and Curtis divide the sum of the differences by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrayCurtis {
    /// The sizes of the sums, as in `SciPy`: brute force up to scikit-learn 1.0.
    OfSums,
    /// The sizes of both rows: scikit-learn's own metrics.
    OfSizes,
}

/// A metric with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Metric {
    Euclidean,
    /// Of the columns that both rows have.
    PresentEuclidean,
    SquaredEuclidean,
    Manhattan,
    Chebyshev,
    Minkowski(f64),
    /// The power, and the weight of each column.
    WeightedMinkowski(f64, Vec<f64>),
    /// The variance of each column.
    Standardised(Vec<f64>),
    /// The inverse of the covariance, row after row.
    Mahalanobis(Vec<f64>),
    Cosine,
    Correlation,
    Canberra,
    BrayCurtis(BrayCurtis),
    Hamming,
}

impl Metric {
    /// The metric of an estimator that was fitted on so many columns.
    ///
    /// # Errors
    /// A contract error for metrics that are not known; fails for parameters that do not fit.
    pub(super) fn of(object: &Object, count: usize) -> Result<Self> {
        let name = object.text("effective_metric_");
        let name = if name.is_empty() {
            object.text("metric")
        } else {
            name
        };
        let parameter = |name: &str| {
            let parameters = object.find("effective_metric_params_");
            parameters.and_then(|id| object.arena.entry(id, name))
        };
        let numbers = |name: &str, expected: usize| {
            let found = parameter(name).and_then(|id| reals(object.arena, id));
            let found = found.filter(|found| found.len() == expected);
            found.ok_or_else(|| object.refuse(&format!("`{name}` of its metric does not fit")))
        };
        Ok(match name {
            "euclidean" | "l2" => Self::Euclidean,
            "nan_euclidean" => Self::PresentEuclidean,
            "sqeuclidean" => Self::SquaredEuclidean,
            "manhattan" | "cityblock" | "l1" => Self::Manhattan,
            "chebyshev" | "infinity" => Self::Chebyshev,
            "cosine" => Self::Cosine,
            "correlation" => Self::Correlation,
            "canberra" => Self::Canberra,
            "braycurtis" => {
                let is_own = object.is_since(1, 1) || object.text("_fit_method") == "ball_tree";
                Self::BrayCurtis(if is_own {
                    BrayCurtis::OfSizes
                } else {
                    BrayCurtis::OfSums
                })
            }
            "hamming" => Self::Hamming,
            "seuclidean" => Self::Standardised(numbers("V", count)?),
            "mahalanobis" => Self::Mahalanobis(numbers("VI", count.saturating_mul(count))?),
            "minkowski" => {
                let power = parameter("p").and_then(|id| real(object.arena, id));
                let power = power.map_or_else(|| object.real("p"), Ok)?;
                if parameter("w").is_some_and(|id| reals(object.arena, id).is_some()) {
                    return Ok(Self::WeightedMinkowski(power, numbers("w", count)?));
                }
                if power == 1.0 {
                    Self::Manhattan
                } else if power == 2.0 {
                    Self::Euclidean
                } else if power.is_infinite() {
                    Self::Chebyshev
                } else {
                    Self::Minkowski(power)
                }
            }
            other => {
                return Err(object.refuse(&format!("the metric `{other}` is not supported")));
            }
        })
    }

    /// Whether rows may have missing values.
    pub(super) fn takes_missing(&self) -> bool {
        *self == Self::PresentEuclidean
    }

    /// The distance of two rows.
    pub(super) fn distance(&self, one: &[f64], other: &[f64]) -> f64 {
        let pairs = || one.iter().zip(other);
        let differences = || pairs().map(|(one, other)| (one - other).abs());
        match self {
            Self::Euclidean => squared_distance(one, other).sqrt(),
            Self::PresentEuclidean => {
                let squares = differences().filter(|difference| !difference.is_nan());
                let (count, sum) = squares.fold((0.0, 0.0), |(count, sum), difference| {
                    (count + 1.0, sum + difference * difference)
                });
                (one.len() as f64 / count * sum).sqrt()
            }
            Self::SquaredEuclidean => squared_distance(one, other),
            Self::Manhattan => differences().sum(),
            Self::Chebyshev => differences().fold(0.0, f64::max),
            Self::Minkowski(power) => {
                let powers = differences().map(|difference| difference.powf(*power));
                powers.sum::<f64>().powf(1.0 / power)
            }
            Self::WeightedMinkowski(power, weights) => {
                let weighted = differences().zip(weights);
                let powers = weighted.map(|(difference, weight)| weight * difference.powf(*power));
                powers.sum::<f64>().powf(1.0 / power)
            }
            Self::Standardised(variances) => {
                let scaled = differences().zip(variances);
                let squares = scaled.map(|(difference, variance)| difference.powi(2) / variance);
                squares.sum::<f64>().sqrt()
            }
            Self::Mahalanobis(inverse) => {
                let apart: Vec<f64> = pairs().map(|(one, other)| one - other).collect();
                let rows = inverse.chunks_exact(apart.len().max(1)).zip(&apart);
                rows.map(|(row, value)| value * dot(row, &apart))
                    .sum::<f64>()
                    .sqrt()
            }
            Self::Cosine => 1.0 - cosine(one, other),
            Self::Correlation => 1.0 - cosine(&centred(one), &centred(other)),
            Self::Canberra => {
                let shares = pairs().map(|(one, other)| {
                    let sum = one.abs() + other.abs();
                    if sum == 0.0 {
                        0.0
                    } else {
                        (one - other).abs() / sum
                    }
                });
                shares.sum()
            }
            Self::BrayCurtis(divisor) => {
                let size = |(one, other): (&f64, &f64)| match divisor {
                    BrayCurtis::OfSums => (one + other).abs(),
                    BrayCurtis::OfSizes => one.abs() + other.abs(),
                };
                let sizes: f64 = pairs().map(size).sum();
                if sizes == 0.0 && *divisor == BrayCurtis::OfSizes {
                    0.0
                } else {
                    differences().sum::<f64>() / sizes
                }
            }
            Self::Hamming => {
                let apart = pairs().filter(|(one, other)| one != other).count();
                apart as f64 / one.len() as f64
            }
        }
    }
}

fn cosine(one: &[f64], other: &[f64]) -> f64 {
    let norm = |row: &[f64]| dot(row, row).sqrt();
    dot(one, other) / (norm(one) * norm(other))
}

fn centred(row: &[f64]) -> Vec<f64> {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    row.iter().map(|value| value - mean).collect()
}
