//! Estimates with their 95 % intervals.
//!
//! Owns Wilson's interval of a proportion, the interval of a mean and the Poisson bootstrap. The
//! bootstrap draws how often each cell of a table of counts occurs: rows with Poisson(1) weights
//! add up to Poisson(count) in a cell, so the cost does not depend on the rows. Its random numbers
//! are hashes of the replicate and the cell: the same table gives the same interval. It must not
//! know which metric is estimated.

use super::special::{Z_95, normal_quantile};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::exact_sum::ExactSum;
use crate::statistics::hash::spread;

/// Replicates of a bootstrap.
pub const REPLICATES: u64 = 1000;

/// A value and the interval that holds the true one with a probability of about 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// The interval's ends; none where it cannot be estimated.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// A value whose interval is not known.
    #[must_use]
    pub fn exactly(value: f64) -> Self {
        Self {
            value,
            interval: None,
        }
    }

    /// A value with its standard error, kept within a range; no interval for an error that is 0 or
    /// no number: rows without any spread say nothing of others.
    #[must_use]
    pub fn normal(value: f64, standard_error: f64, range: (f64, f64)) -> Self {
        let reach = Z_95 * standard_error;
        let interval = ((value - reach).max(range.0), (value + reach).min(range.1));
        Self {
            value,
            interval: (reach > 0.0 && (value + reach).is_finite()).then_some(interval),
        }
    }

    /// `successes` of `trials`; none for no trials. Wilson's interval.
    #[must_use]
    pub fn proportion(successes: u64, trials: u64) -> Option<Self> {
        let n = trials as f64;
        let p = successes as f64 / n;
        let shrunk = 1.0 + Z_95 * Z_95 / n;
        let centre = p + Z_95 * Z_95 / (2.0 * n);
        let reach = Z_95 * (p * (1.0 - p) / n + Z_95 * Z_95 / (4.0 * n * n)).sqrt();
        (trials > 0).then(|| Self {
            value: p,
            interval: Some((
                if successes == 0 {
                    0.0
                } else {
                    (centre - reach) / shrunk
                },
                if successes == trials {
                    1.0
                } else {
                    (centre + reach) / shrunk
                },
            )),
        })
    }

    /// The value and the interval between the 2.5 % and the 97.5 % quantile of replicates.
    #[must_use]
    pub fn of_replicates(value: f64, replicates: Vec<f64>) -> Self {
        Self {
            value,
            interval: outer_quantiles(replicates),
        }
    }

    /// The value with an interval that holds it, kept within a range; none without width.
    #[must_use]
    pub fn between(value: f64, (low, high): (f64, f64), range: (f64, f64)) -> Self {
        let interval = (low.min(value).max(range.0), high.max(value).min(range.1));
        Self {
            value,
            interval: (interval.0 < interval.1).then_some(interval),
        }
    }

    /// As [`Estimate::of_replicates`], moved so that the mean of the replicates lies on the value:
    /// for metrics whose replicates are biased, such as a calibration error.
    #[must_use]
    pub fn of_moved_replicates(value: f64, replicates: Vec<f64>, range: (f64, f64)) -> Self {
        let bias = bias(value, &replicates);
        let moved = |end: f64| (end - bias).clamp(range.0, range.1);
        Self {
            value,
            interval: outer_quantiles(replicates).map(|(low, high)| (moved(low), moved(high))),
        }
    }
}

/// The mean of the replicates that are numbers, less the value.
#[must_use]
pub fn bias(value: f64, replicates: &[f64]) -> f64 {
    let finite = replicates.iter().filter(|one| one.is_finite());
    let (sum, count) = finite.fold((0.0, 0.0), |(sum, count), one| (sum + one, count + 1.0));
    sum / count - value
}

/// The 2.5 % and 97.5 % quantile of the numbers that are finite; none where they are one.
fn outer_quantiles(numbers: Vec<f64>) -> Option<(f64, f64)> {
    let mut finite: Vec<f64> = numbers.into_iter().filter(|one| one.is_finite()).collect();
    finite.sort_unstable_by(f64::total_cmp);
    let last = finite.len().checked_sub(1).filter(|last| *last > 0)?;
    let quantile = |share: f64| {
        let rank = share * last as f64;
        let (low, part) = (rank.floor() as usize, rank - rank.floor());
        finite[low] + part * (finite[(low + 1).min(last)] - finite[low])
    };
    let (low, high) = (quantile(0.025), quantile(0.975));
    (low < high).then_some((low, high))
}

/// Each replicate's statistic of a table of counts; NaN for a replicate without rows.
pub fn bootstrap(counts: &[u64], statistic: impl Fn(&[u64]) -> f64) -> Vec<f64> {
    let [replicates] = bootstrap_of(counts, |drawn| [statistic(drawn)]);
    replicates
}

/// As [`bootstrap`], of several statistics of the same replicates.
pub fn bootstrap_of<const N: usize>(
    counts: &[u64],
    statistics: impl Fn(&[u64]) -> [f64; N],
) -> [Vec<f64>; N] {
    let poisson = Poisson::up_to(counts.iter().copied().max().unwrap_or(0));
    let mut drawn = vec![0; counts.len()];
    let mut replicates = [(); N].map(|()| Vec::with_capacity(REPLICATES as usize));
    for replicate in 0..REPLICATES {
        for (cell, (weight, count)) in drawn.iter_mut().zip(counts).enumerate() {
            *weight = match *count {
                0 => 0,
                count => poisson.draw(count, spread(replicate << 32 | cell as u64)),
            };
        }
        let found = if drawn.iter().all(|count| *count == 0) {
            [f64::NAN; N]
        } else {
            statistics(&drawn)
        };
        for (replicates, found) in replicates.iter_mut().zip(found) {
            replicates.push(found);
        }
    }
    replicates
}

/// The largest expectation whose distribution is summed term by term.
const MAX_SUMMED: u64 = 64;

/// The sums of a distribution that are looked at together.
const SUMS_AT_ONCE: usize = 8;

/// Poisson distributions of small means, summed once.
struct Poisson(Vec<Vec<f64>>);

impl Poisson {
    /// The distributions of means up to this one.
    fn up_to(max: u64) -> Self {
        let sums = |mean: u64| {
            let mean = mean as f64;
            let (mut term, mut number) = (libm::exp(-mean), 0_u32);
            let mut sum = term;
            let mut sums = vec![sum];
            // Up to where sums no longer grow.
            while f64::from(number) < mean || sum + term > sum {
                number += 1;
                term *= mean / f64::from(number);
                sum += term;
                sums.push(sum);
            }
            sums
        };
        Self((0..=max.min(MAX_SUMMED)).map(sums).collect())
    }

    /// A number of the distribution with this mean, chosen by random bits.
    fn draw(&self, mean: u64, bits: u64) -> u64 {
        let uniform = ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        if let Some(sums) = self.0.get(mean as usize) {
            // Most numbers are small: these sums are compared without a branch each.
            let (first, others) = sums.split_at(sums.len().min(SUMS_AT_ONCE));
            let number = first.iter().filter(|sum| **sum < uniform).count();
            if number < first.len() {
                return number as u64;
            }
            return (number + others.partition_point(|sum| *sum < uniform)) as u64;
        }
        // The expansion of Cornish and Fisher, with one term for the skewness.
        let (mean, z) = (mean as f64, normal_quantile(uniform));
        (mean + mean.sqrt() * z + (z * z - 1.0) / 6.0)
            .round()
            .max(0.0) as u64
    }
}

/// A mean of numbers, taken exactly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mean {
    count: u64,
    /// Numbers that are infinite or NaN.
    not_finite: u64,
    sum: ExactSum,
    squares: ExactSum,
}

impl Mean {
    /// Takes in a number.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        if value.is_finite() {
            self.sum.add(value);
            self.squares.add_square(value);
        } else {
            self.not_finite += 1;
        }
    }

    /// Adds the numbers of another part.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.not_finite += other.not_finite;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }

    /// Writes the sums.
    pub fn write(&self, writer: &mut Writer) {
        writer.integer(self.count);
        writer.integer(self.not_finite);
        self.sum.write(writer);
        self.squares.write(writer);
    }

    /// Reads what [`Mean::write`] wrote; none for other bytes.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        Some(Self {
            count: reader.count()?,
            not_finite: reader.count()?,
            sum: ExactSum::read(reader)?,
            squares: ExactSum::read(reader)?,
        })
    }

    /// The number of numbers.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; none for no numbers, infinite if one of them is not finite.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self.not_finite {
            0 => self.sum.mean(self.count),
            _ => Some(f64::INFINITY),
        }
    }

    /// Σ(x − mean)².
    #[must_use]
    pub fn squared_deviations(&self) -> f64 {
        self.sum.squared_deviations(&self.squares, self.count)
    }

    /// The standard error of the mean; none for fewer than two numbers.
    #[must_use]
    pub fn standard_error(&self) -> Option<f64> {
        let count = self.count as f64;
        (self.count > 1 && self.not_finite == 0)
            .then(|| (self.squared_deviations() / (count - 1.0) / count).sqrt())
    }

    /// The mean with its interval.
    #[must_use]
    pub fn estimate(&self, range: (f64, f64)) -> Option<Estimate> {
        let error = self.standard_error().unwrap_or(f64::NAN);
        Some(Estimate::normal(self.value()?, error, range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_have_the_interval_of_wilson() {
        // scipy 1.17.1: binomtest(k, n).proportion_ci(method="wilson")
        let cases = [
            (8, 10, 0.4901624715366418, 0.9433178485456248),
            (0, 10, 0.0, 0.27753279986288926),
            (10, 10, 0.7224672001371106, 1.0),
            (1234, 5678, 0.20679555455958393, 0.2282467599321939),
        ];
        for (successes, trials, low, high) in cases {
            let found = Estimate::proportion(successes, trials)
                .unwrap()
                .interval
                .unwrap();
            assert!((found.0 - low).abs() < 1e-12, "{found:?}");
            assert!((found.1 - high).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(Estimate::proportion(0, 0), None);
    }

    #[test]
    fn draws_have_the_mean_and_variance_of_their_distribution() {
        for expectation in [0, 1, 7, 64, 65, 1000, 1_000_000_000] {
            let poisson = Poisson::up_to(expectation);
            let draws: Vec<f64> = (0..20_000)
                .map(|index| poisson.draw(expectation, spread(index)) as f64)
                .collect();
            let count = draws.len() as f64;
            let mean = draws.iter().sum::<f64>() / count;
            let variance = draws.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / count;
            let expected = expectation as f64;
            let error = 5.0 * (expected / count).sqrt();
            assert!((mean - expected).abs() <= error, "{expectation}: {mean}");
            assert!(
                (variance - expected).abs() <= 0.06 * expected,
                "{expectation}: {variance}"
            );
        }
    }

    #[test]
    fn a_bootstrap_of_a_proportion_agrees_with_its_formula_and_with_itself() {
        let counts = [300, 700];
        let share = |counts: &[u64]| counts[0] as f64 / (counts[0] + counts[1]) as f64;
        let found = Estimate::of_replicates(0.3, bootstrap(&counts, share));
        let (low, high) = found.interval.unwrap();
        let (exact_low, exact_high) = Estimate::proportion(300, 1000).unwrap().interval.unwrap();
        assert!((low - exact_low).abs() < 0.004 && (high - exact_high).abs() < 0.004);
        assert_eq!(
            found,
            Estimate::of_replicates(0.3, bootstrap(&counts, share))
        );
    }

    #[test]
    fn means_of_hostile_numbers_are_exact_or_infinite() {
        let of = |values: &[f64]| {
            let mut mean = Mean::default();
            values.iter().for_each(|value| mean.add(*value));
            mean
        };
        assert_eq!(of(&[]).estimate((0.0, 1.0)), None);
        assert_eq!(
            of(&[3.0]).estimate((0.0, 9.0)),
            Some(Estimate::exactly(3.0))
        );
        assert_eq!(of(&[1e300, 1.0, -1e300]).value(), Some(1.0 / 3.0));
        assert_eq!(of(&[1.0, f64::NAN]).value(), Some(f64::INFINITY));
        assert_eq!(of(&[1.0, f64::INFINITY]).standard_error(), None);
        assert!(
            (of(&[1.0, 2.0, 3.0, 4.0]).standard_error().unwrap() - 0.645_497_224_367_902_8).abs()
                < 1e-15
        );
    }
}
