//! How far predictions of numbers are from the numbers that came.
//!
//! Owns exact sums of errors and the metrics of scikit-learn. Parts add up in any order. The median
//! error needs the errors in order, see [`median_interval`]. It must not know columns.

use super::interval::{Estimate, Mean};
use super::special::Z_95;

/// Sums over rows with a prediction and a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regression {
    values: Mean,
    errors: Mean,
    absolute: Mean,
    squared: Mean,
    percentage: Mean,
    symmetric: Mean,
}

/// The metrics, each none where it is not defined.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegressionMetrics {
    /// Mean absolute error.
    pub mae: Option<Estimate>,
    /// Root of the mean squared error.
    pub rmse: Option<Estimate>,
    /// Share of the variance that is explained.
    pub r2: Option<Estimate>,
    /// Mean of |error| / |value|; a value of 0 counts as 2⁻⁵².
    pub mape: Option<Estimate>,
    /// Mean of 2 · |error| / (|value| + |prediction|).
    pub smape: Option<Estimate>,
    /// Mean error: prediction less value.
    pub bias: Option<Estimate>,
}

const ANY: (f64, f64) = (f64::MIN, f64::MAX);
const POSITIVE: (f64, f64) = (0.0, f64::MAX);

impl Regression {
    /// Takes in a row.
    pub fn add(&mut self, prediction: f64, value: f64) {
        let error = prediction - value;
        let size = value.abs() + prediction.abs();
        self.values.add(value);
        self.errors.add(error);
        self.absolute.add(error.abs());
        self.squared.add(error * error);
        self.percentage
            .add(error.abs() / value.abs().max(f64::EPSILON));
        self.symmetric.add(if size == 0.0 {
            0.0
        } else {
            2.0 * error.abs() / size
        });
    }

    /// Adds the rows of another part.
    pub fn merge(&mut self, other: &Self) {
        self.values.merge(&other.values);
        self.errors.merge(&other.errors);
        self.absolute.merge(&other.absolute);
        self.squared.merge(&other.squared);
        self.percentage.merge(&other.percentage);
        self.symmetric.merge(&other.symmetric);
    }

    /// The rows.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.values.count()
    }

    /// The mean of the values; none for no rows.
    #[must_use]
    pub fn mean_value(&self) -> Option<f64> {
        self.values.value()
    }

    /// The metrics; the interval of R² needs `influence`, the sums of a second walk.
    #[must_use]
    pub fn metrics(&self, influence: &Influence) -> RegressionMetrics {
        let root = |mse: Estimate| Estimate {
            value: mse.value.sqrt(),
            interval: mse.interval.map(|(low, high)| (low.sqrt(), high.sqrt())),
        };
        RegressionMetrics {
            mae: self.absolute.estimate(POSITIVE),
            rmse: self.squared.estimate(POSITIVE).map(root),
            r2: self.r2(influence),
            mape: self.percentage.estimate(POSITIVE),
            smape: self.symmetric.estimate((0.0, 2.0)),
            bias: self.errors.estimate(ANY),
        }
    }

    /// 1 for constant values that are met, 0 for constant values that are not, as in scikit-learn.
    fn r2(&self, influence: &Influence) -> Option<Estimate> {
        if self.count() < 2 {
            return None;
        }
        let count = self.count() as f64;
        let (unexplained, all) = (
            self.squared.value()?,
            self.values.squared_deviations() / count,
        );
        if all == 0.0 {
            return Some(Estimate::exactly(if unexplained == 0.0 {
                1.0
            } else {
                0.0
            }));
        }
        let value = 1.0 - unexplained / all;
        let error = influence.variance(value, all) / count;
        Some(Estimate::normal(value, error.sqrt(), (f64::MIN, 1.0)))
    }
}

/// Sums of a second walk, once the mean of the values is known: how much each row moves R².
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Influence {
    squared_errors: Mean,
    squared_deviations: Mean,
    sums: Mean,
}

impl Influence {
    /// Takes in a row: its error, and its value's distance from the mean.
    pub fn add(&mut self, error: f64, deviation: f64) {
        let (error, deviation) = (error * error, deviation * deviation);
        self.squared_errors.add(error);
        self.squared_deviations.add(deviation);
        self.sums.add(error + deviation);
    }

    /// The variance of (1 − R²) · deviation² − error², over the variance of the values.
    fn variance(&self, r2: f64, all: f64) -> f64 {
        let of = |mean: &Mean| mean.squared_deviations() / mean.count() as f64;
        let (errors, deviations) = (of(&self.squared_errors), of(&self.squared_deviations));
        let covariance = (of(&self.sums) - errors - deviations) / 2.0;
        let factor = 1.0 - r2;
        (factor * factor * deviations - 2.0 * factor * covariance + errors).max(0.0) / (all * all)
    }
}

/// The ranks, from 0, of the middle of `count` sorted numbers (two for an even count), and of the
/// ends of an interval that holds the true median with 95 %; none for no numbers.
#[must_use]
pub fn median_interval(count: u64) -> Option<[u64; 4]> {
    let last = count.checked_sub(1)?;
    let reach = Z_95 * (count as f64).sqrt() / 2.0;
    let middle = count as f64 / 2.0;
    let low = (middle - reach).floor().max(0.0) as u64;
    let high = ((middle + reach).ceil() as u64).min(last);
    Some([last / 2, count / 2, low, high])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::golden::regression_rows;

    fn of(rows: &[(f64, f64)]) -> (Regression, Influence) {
        let (mut sums, mut influence) = (Regression::default(), Influence::default());
        rows.iter()
            .for_each(|(prediction, value)| sums.add(*prediction, *value));
        let mean = sums.mean_value().unwrap_or(0.0);
        rows.iter()
            .for_each(|(prediction, value)| influence.add(prediction - value, value - mean));
        (sums, influence)
    }

    fn metrics(rows: &[(f64, f64)]) -> RegressionMetrics {
        let (sums, influence) = of(rows);
        sums.metrics(&influence)
    }

    #[test]
    fn metrics_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1
        let found = metrics(&regression_rows());
        let close = |estimate: Option<Estimate>, expected: f64| {
            let Estimate { value, interval } = estimate.unwrap();
            let (low, high) = interval.unwrap();
            assert!((value / expected - 1.0).abs() < 1e-12, "{value} {expected}");
            assert!(low < value && value < high, "{estimate:?}");
        };
        close(found.mae, 1.01014);
        close(found.rmse, 1.1664644015142511);
        close(found.r2, 0.8398047120316889);
        close(found.mape, 5_764_607_523_035.004);
    }

    #[test]
    fn few_constant_and_hostile_rows_have_the_metrics_that_are_defined() {
        assert_eq!(metrics(&[]), RegressionMetrics::default());
        let one = metrics(&[(2.0, 1.0)]);
        assert_eq!((one.mae, one.r2), (Some(Estimate::exactly(1.0)), None));
        let constant = metrics(&[(1.0, 3.0), (3.0, 3.0)]);
        assert_eq!(constant.r2, Some(Estimate::exactly(0.0)));
        assert_eq!(
            metrics(&[(3.0, 3.0), (3.0, 3.0)]).r2,
            Some(Estimate::exactly(1.0))
        );
        let zero = metrics(&[(0.0, 0.0), (0.0, 0.0)]);
        assert_eq!(zero.smape.unwrap().value, 0.0);
        for wrong in [f64::NAN, f64::INFINITY, 1e300] {
            let found = metrics(&[(wrong, 0.0), (1.0, 1.0)]);
            assert_eq!(
                found.rmse,
                Some(Estimate::exactly(f64::INFINITY)),
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_interval_of_r2_is_that_of_replicates() {
        // A bootstrap of 20 000 replicates (NumPy 2.4.6): standard deviation 0.00454
        let Estimate { interval, .. } = metrics(&regression_rows()).r2.unwrap();
        let (low, high) = interval.unwrap();
        let error = (high - low) / 2.0 / Z_95;
        assert!((error - 0.00454).abs() < 0.0002, "{error}");
    }

    #[test]
    fn medians_lie_between_their_ends() {
        assert_eq!(median_interval(0), None);
        assert_eq!(median_interval(1), Some([0, 0, 0, 0]));
        assert_eq!(median_interval(4), Some([1, 2, 0, 3]));
        assert_eq!(median_interval(100), Some([49, 50, 40, 60]));
    }

    #[test]
    fn merged_parts_are_the_whole() {
        let rows = regression_rows();
        let (mut merged, whole) = (of(&rows[700..]).0, of(&rows).0);
        merged.merge(&of(&rows[..700]).0);
        assert!(merged == whole);
    }
}
