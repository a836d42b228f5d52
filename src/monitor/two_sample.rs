//! Tests and distances of two sorted samples that Evidently offers by name.
//!
//! Owns their statistics and probabilities, as `SciPy` 1.17 gives them. It must not know columns or
//! which test decides.

use std::f64::consts::PI;

use super::distance::{Step, steps};
use super::special::{chi_square_tail, normal_tail, student_two_sided};

/// Up to so many values of a sample the probability of its ranks is counted, unless values tie.
const MAX_COUNTED: usize = 8;

/// Most ranks that are counted.
const MAX_COUNTED_SUMS: usize = 4_000_000;

/// The energy distance: √2 times the root of the integral of the squared difference of both
/// distribution functions.
#[must_use]
pub fn energy(reference: &[f64], current: &[f64]) -> Option<f64> {
    let steps = steps(reference, current)?;
    let area = |pair: &[Step]| {
        let apart = pair[0].baseline - pair[0].current;
        2.0 * (apart * apart * (pair[1].value / 2.0 - pair[0].value / 2.0))
    };
    Some((2.0 * steps.windows(2).map(area).sum::<f64>()).sqrt())
}

/// The probability of Student's t with equal variances, two-sided.
#[must_use]
pub fn student(reference: &[f64], current: &[f64]) -> Option<f64> {
    let [(n, left, left_squares), (m, right, right_squares)] = [reference, current].map(|values| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|one| (one - mean) * (one - mean));
        (n, mean, squares.sum::<f64>())
    });
    let degrees = n + m - 2.0;
    if n == 0.0 || m == 0.0 || degrees <= 0.0 {
        return None;
    }
    let variance = (left_squares + right_squares) / degrees;
    let t = (left - right) / (variance * (1.0 / n + 1.0 / m)).sqrt();
    t.is_finite().then(|| student_two_sided(t, degrees))
}

/// A run of equal values in two samples together.
struct Tie {
    /// How many of each sample.
    counts: [usize; 2],
    /// The values of both samples before it.
    before: usize,
}

impl Tie {
    /// The rank of each of its values: the mean of those that they share.
    fn rank(&self) -> f64 {
        let all = (self.counts[0] + self.counts[1]) as f64;
        self.before as f64 + f64::midpoint(all, 1.0)
    }

    fn len(&self) -> f64 {
        (self.counts[0] + self.counts[1]) as f64
    }
}

fn ties(left: &[f64], right: &[f64]) -> Vec<Tie> {
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while i < left.len() || j < right.len() {
        let next = |sample: &[f64], at: usize| sample.get(at).copied().unwrap_or(f64::INFINITY);
        let value = next(left, i).min(next(right, j));
        let same = |sample: &[f64]| sample.iter().take_while(|one| **one == value).count();
        let counts = [same(&left[i..]), same(&right[j..])];
        found.push(Tie {
            counts,
            before: i + j,
        });
        if counts == [0, 0] {
            // A value without an order.
            break;
        }
        (i, j) = (i + counts[0], j + counts[1]);
    }
    found
}

/// The probability of Mann and Whitney that the reference is not smaller than the current sample:
/// Evidently's alternative is `less`.
#[must_use]
pub fn mann_whitney_less(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (n, m) = (reference.len(), current.len());
    if n == 0 || m == 0 {
        return None;
    }
    let ties = ties(reference, current);
    let ranks: f64 = ties
        .iter()
        .map(|tie| tie.counts[0] as f64 * tie.rank())
        .sum();
    let (left, right) = (n as f64, m as f64);
    let greater = ranks - left * (left + 1.0) / 2.0;
    let less = left * right - greater;
    let are_distinct = ties.iter().all(|tie| tie.len() <= 1.0);
    if n.min(m) <= MAX_COUNTED && are_distinct && n * m <= MAX_COUNTED_SUMS {
        return Some(counted_tail(less as usize, n.min(m), n.max(m)));
    }
    let all = left + right;
    let cubes: f64 = ties.iter().map(|tie| tie.len().powi(3) - tie.len()).sum();
    let spread = all + 1.0 - cubes / (all * (all - 1.0));
    let deviation = (left * right / 12.0 * spread).sqrt();
    if deviation <= 0.0 {
        return None;
    }
    Some(normal_tail((less - left * right / 2.0 - 0.5) / deviation))
}

/// The share of all orders of `few` and `many` values whose statistic is at least `statistic`: the
/// coefficients of the Gaussian binomial.
fn counted_tail(statistic: usize, few: usize, many: usize) -> f64 {
    let length = few * many + 1;
    let mut counts = vec![0.0; length];
    counts[0] = 1.0;
    for factor in 1..=few {
        for at in (many + factor..length).rev() {
            counts[at] -= counts[at - many - factor];
        }
        for at in factor..length {
            counts[at] += counts[at - factor];
        }
    }
    let all: f64 = counts.iter().sum();
    let tail: f64 = counts.iter().skip(statistic).sum();
    (tail / all).clamp(0.0, 1.0)
}

/// The probability of Cramér and von Mises for large samples; none below 21 values, where it would
/// have to be counted.
#[must_use]
pub fn cramer_von_mises(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    if n.max(m) <= 20.0 || n.min(m) < 2.0 {
        return None;
    }
    let mut sums = [0.0; 2];
    let mut before = [0.0; 2];
    for tie in ties(reference, current) {
        let rank = tie.rank();
        for (side, sum) in sums.iter_mut().enumerate() {
            for _ in 0..tie.counts[side] {
                before[side] += 1.0;
                *sum += (rank - before[side]) * (rank - before[side]);
            }
        }
    }
    let (product, all) = (n * m, n + m);
    let weighted = n * sums[0] + m * sums[1];
    let statistic = weighted / (product * all) - (4.0 * product - 1.0) / (6.0 * all);
    let mean = (1.0 + 1.0 / all) / 6.0;
    let variance = (all + 1.0) * (4.0 * product * all - 3.0 * (n * n + m * m) - 2.0 * product)
        / (45.0 * all * all * 4.0 * product);
    let scaled = 1.0 / 6.0 + (statistic - mean) / (45.0 * variance).sqrt();
    Some(if scaled < 0.003 {
        1.0
    } else {
        (1.0 - limit_of_cramer(scaled)).max(0.0)
    })
}

/// After a term below this `SciPy` stops, which shows in probabilities that are smaller.
const SMALLEST_TERM: f64 = 1e-7;

/// The limit of the distribution of Cramér and von Mises: S. Csörgő and J. Faraway, *The exact and
/// asymptotic distributions of Cramér–von Mises statistics* (1996), formula 1.2.
fn limit_of_cramer(x: f64) -> f64 {
    let mut sum = 0.0;
    for index in 0..100_u32 {
        let k = f64::from(index);
        let size =
            libm::exp(libm::lgamma(k + 0.5) - libm::lgamma(k + 1.0)) / (PI.powf(1.5) * x.sqrt());
        let y = 4.0 * k + 1.0;
        let q = y * y / (16.0 * x);
        let term = size * y.sqrt() * decayed_bessel(q);
        sum += term;
        if term.abs() < SMALLEST_TERM {
            break;
        }
    }
    sum
}

/// exp(−q) times the modified Bessel function of the second kind of order 1/4, by the trapezoidal
/// rule over its integral, which converges faster than any power of the step.
fn decayed_bessel(q: f64) -> f64 {
    const STEP: f64 = 1.0 / 32.0;
    let value = |t: f64| libm::exp(-q - q * libm::cosh(t)) * libm::cosh(t / 4.0);
    let mut sum = value(0.0) / 2.0;
    for index in 1..1000_u32 {
        let term = value(f64::from(index) * STEP);
        sum += term;
        if term <= sum * 1e-18 {
            break;
        }
    }
    sum * STEP
}

/// The probability of Epps and Singleton: the characteristic functions of both samples at two
/// points, scaled by half the interquartile range; none for fewer than five values or equal
/// quartiles.
#[must_use]
pub fn epps_singleton(reference: &[f64], current: &[f64]) -> Option<f64> {
    const POINTS: [f64; 2] = [0.4, 0.8];
    let (n, m) = (reference.len() as f64, current.len() as f64);
    if n.min(m) < 5.0 {
        return None;
    }
    let mut pooled = [reference, current].concat();
    pooled.sort_unstable_by(f64::total_cmp);
    let scale = (quantile(&pooled, 0.75) - quantile(&pooled, 0.25)) / 2.0;
    if scale <= 0.0 || !scale.is_finite() {
        return None;
    }
    let waves = |value: f64| {
        let [first, second] = POINTS.map(|point| point / scale * value);
        [
            libm::cos(first),
            libm::cos(second),
            libm::sin(first),
            libm::sin(second),
        ]
    };
    let moments = |values: &[f64]| {
        let count = values.len() as f64;
        let mut mean = [0.0; 4];
        for value in values {
            let wave = waves(*value);
            (0..4).for_each(|row| mean[row] += wave[row] / count);
        }
        let mut covariance = [[0.0; 4]; 4];
        for value in values {
            let wave = waves(*value);
            let apart = |at: usize| wave[at] - mean[at];
            for (row, cells) in covariance.iter_mut().enumerate() {
                for (column, cell) in cells.iter_mut().enumerate() {
                    *cell += apart(row) * apart(column) / count;
                }
            }
        }
        (mean, covariance)
    };
    let ((left, left_covariance), (right, right_covariance)) =
        (moments(reference), moments(current));
    let all = n + m;
    let mut system = [[0.0; 5]; 4];
    for (row, cells) in system.iter_mut().enumerate() {
        let (own, end) = cells.split_at_mut(4);
        for (column, cell) in own.iter_mut().enumerate() {
            *cell =
                all / n * left_covariance[row][column] + all / m * right_covariance[row][column];
        }
        end[0] = left[row] - right[row];
    }
    let solved = solved(&mut system)?;
    let apart = (0..4).map(|row| (left[row] - right[row]) * solved[row]);
    let mut statistic = all * apart.sum::<f64>();
    if n.max(m) < 25.0 {
        statistic /= 1.0 + all.powf(-0.45) + 10.1 * (n.powf(-1.7) + m.powf(-1.7));
    }
    Some(chi_square_tail(statistic, 4.0))
}

/// The solution of four equations; none if they depend on each other.
fn solved(system: &mut [[f64; 5]; 4]) -> Option<[f64; 4]> {
    let largest = system
        .iter()
        .flatten()
        .fold(0.0_f64, |most, one| most.max(one.abs()));
    for pivot in 0..4 {
        let best = (pivot..4).max_by(|left, right| {
            system[*left][pivot]
                .abs()
                .total_cmp(&system[*right][pivot].abs())
        })?;
        system.swap(pivot, best);
        let own = system[pivot];
        if own[pivot].is_nan() || own[pivot].abs() <= largest * 1e-14 {
            return None;
        }
        for row in (0..4).filter(|row| *row != pivot) {
            let factor = system[row][pivot] / own[pivot];
            (0..5).for_each(|column| system[row][column] -= factor * own[column]);
        }
    }
    let mut solution = [0.0; 4];
    (0..4).for_each(|row| solution[row] = system[row][4] / system[row][row]);
    Some(solution)
}

/// The quantile of sorted values, between two of them in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * part
}

/// The probability of Anderson and Darling for two samples with ties (Scholz and Stephens, 1987).
/// `SciPy` interpolates a table, so that it is 0.001 at least and 0.25 at most.
#[must_use]
pub fn anderson_darling(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let all = n + m;
    let ties = ties(reference, current);
    if n < 1.0 || m < 1.0 || all < 4.0 || ties.len() < 2 {
        return None;
    }
    let mut sums = [0.0; 2];
    let mut before = [0.0; 2];
    for tie in &ties {
        let middle = tie.before as f64 + tie.len() / 2.0;
        let weight = middle * (all - middle) - all * tie.len() / 4.0;
        for (side, rows) in [n, m].into_iter().enumerate() {
            let own = tie.counts[side] as f64;
            let below = before[side] + own / 2.0;
            before[side] += own;
            let apart = all * below - middle * rows;
            if weight > 0.0 {
                sums[side] += tie.len() / all * apart * apart / weight;
            }
        }
    }
    let statistic = (sums[0] / n + sums[1] / m) * (all - 1.0) / all;
    Some(anderson_tail((statistic - 1.0) / anderson_deviation(n, m)))
}

/// The standard deviation of the statistic for samples of these sizes.
fn anderson_deviation(n: f64, m: f64) -> f64 {
    let all = n + m;
    let inverse = 1.0 / n + 1.0 / m;
    // Sums of 1 / (N − 1), 1 / (N − 2), …, and of those over 2, 3, ….
    let (mut h, mut g) = (0.0, 0.0);
    for index in 2..all as u64 {
        h += 1.0 / (all - index as f64 + 1.0);
        g += h / index as f64;
    }
    let h = h + 1.0;
    let cubic = (4.0 * g - 6.0) + (10.0 - 6.0 * g) * inverse;
    let square = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h
        + 4.0 * g
        - 6.0;
    let linear = (6.0 * h + 2.0 * g - 2.0) * 4.0
        + (4.0 * h - 4.0 * g + 6.0) * 2.0
        + (2.0 * h - 6.0) * inverse
        + 4.0 * h;
    let constant = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
    let polynomial = ((cubic * all + square) * all + linear) * all + constant;
    let variance = polynomial / ((all - 1.0) * (all - 2.0) * (all - 3.0));
    variance.sqrt()
}

/// The parabola that `SciPy` fits to the logarithms of seven probabilities and their quantiles, for
/// two samples.
fn anderson_tail(scaled: f64) -> f64 {
    const ENDS: [f64; 2] = [0.325, 6.546];
    const FIT: [f64; 3] = [
        0.018_198_094_574_111_47,
        -1.008_226_564_465_251_5,
        -1.077_770_279_820_484,
    ];
    if scaled < ENDS[0] {
        0.25
    } else if scaled > ENDS[1] {
        0.001
    } else {
        libm::exp((FIT[0] * scaled + FIT[1]) * scaled + FIT[2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::golden::numbers;

    // SciPy 1.17.1: energy_distance, ttest_ind, mannwhitneyu (less), cramervonmises_2samp,
    // epps_singleton_2samp, anderson_ksamp; each with its tolerance.
    type Expected = [(&'static str, Option<f64>, f64); 6];

    type Statistic = fn(&[f64], &[f64]) -> Option<f64>;

    fn check(name: &str, [left, right]: [Vec<f64>; 2], expected: Expected) {
        let sorted = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let (left, right) = (sorted(left), sorted(right));
        let tests: [Statistic; 6] = [
            energy,
            student,
            mann_whitney_less,
            cramer_von_mises,
            epps_singleton,
            anderson_darling,
        ];
        for (test, (what, expected, tolerance)) in tests.iter().zip(expected) {
            let found = test(&left, &right);
            let is_close = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() <= tolerance,
                (found, expected) => found == expected,
            };
            assert!(is_close, "{name} {what}: {found:?} and not {expected:?}");
        }
    }

    #[test]
    fn tests_of_two_samples_are_those_of_scipy() {
        // golden_monitoring.json: Evidently 0.7.21 calls SciPy 1.17.1
        check(
            "golden",
            numbers(),
            [
                ("energy", Some(0.441520942726609), 1e-12),
                ("t", Some(2.4000135002438553e-17), 1e-26),
                ("mann-whitney", Some(5.755084799514843e-16), 1e-25),
                // One less a distribution function, which has 16 digits after the point.
                ("cramer", Some(4.939049169649934e-12), 1e-14),
                ("epps", Some(5.14214887002237e-37), 1e-46),
                ("anderson", Some(0.001), 0.0),
            ],
        );
        let first = [
            1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 8.0, 9.0, 9.0, 10.0, 12.0, 13.0,
        ];
        let second = [
            2.0, 2.0, 4.0, 5.0, 6.0, 7.0, 7.0, 8.0, 11.0, 11.0, 14.0, 15.0, 15.0, 16.0,
        ];
        check(
            "ties",
            [first.to_vec(), second.to_vec()],
            [
                ("energy", Some(0.9204467514322717), 1e-12),
                ("t", Some(0.23065665569729557), 1e-12),
                ("mann-whitney", Some(0.13926028869542173), 1e-12),
                ("cramer", None, 0.0),
                ("epps", Some(0.429536528058184), 1e-10),
                ("anderson", Some(0.25), 0.0),
            ],
        );
        let twice = |values: &[f64], other: fn(f64) -> f64| {
            let others = values.iter().map(|value| other(*value));
            values.iter().copied().chain(others).collect::<Vec<f64>>()
        };
        check(
            "more ties",
            [
                twice(&first, |value| value + 0.5),
                twice(&second, |value| value * 1.1),
            ],
            [
                ("energy", Some(0.9429217750815296), 1e-12),
                ("t", Some(0.06855736284045008), 1e-12),
                ("mann-whitney", Some(0.05710410061151951), 1e-12),
                ("cramer", Some(0.14287898820650324), 1e-10),
                ("epps", Some(0.037701943499704064), 1e-10),
                ("anderson", Some(0.08462004173514606), 1e-10),
            ],
        );
        // Six and nine values without a tie between the samples, but with ties within one.
        let few = first[..6].iter().map(|value| value + 0.25).collect();
        let mut more: Vec<f64> = second[..9].to_vec();
        more.iter_mut()
            .enumerate()
            .for_each(|(index, value)| *value += index as f64 * 0.01);
        check(
            "few",
            [few, more],
            [
                ("energy", Some(1.345683542862461), 1e-12),
                ("t", Some(0.07565555925885127), 1e-12),
                ("mann-whitney", Some(0.07000191035986951), 1e-12),
                ("cramer", None, 0.0),
                ("epps", Some(0.411055946198872), 1e-10),
                ("anderson", Some(0.13587279818526693), 1e-10),
            ],
        );
    }

    #[test]
    fn orders_of_few_values_are_counted() {
        // SciPy 1.17.1: mannwhitneyu([1, 2, 3], [4, 5, 6, 7], alternative="less"), and turned
        // round: 1/35, 1.
        let found = mann_whitney_less(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0, 7.0]).unwrap();
        assert!((found - 1.0 / 35.0).abs() < 1e-15, "{found}");
        let found = mann_whitney_less(&[4.0, 5.0, 6.0, 7.0], &[1.0, 2.0, 3.0]).unwrap();
        assert!((found - 1.0).abs() < 1e-15, "{found}");
    }

    #[test]
    fn hostile_samples_have_a_probability_or_none() {
        let samples: [&[f64]; 6] = [
            &[],
            &[1.0],
            &[7.0; 30],
            &[-1e308, 0.0, 1e308],
            &[0.0, 5e-324, 1e-323],
            &[f64::NEG_INFINITY, f64::INFINITY],
        ];
        for left in samples {
            for right in samples {
                for test in [
                    student,
                    mann_whitney_less,
                    cramer_von_mises,
                    epps_singleton,
                    anderson_darling,
                ] {
                    if let Some(p) = test(left, right) {
                        assert!((0.0..=1.0).contains(&p), "{left:?} {right:?}: {p}");
                    }
                }
                let distance = energy(left, right);
                assert!(distance.is_none_or(|one| one >= 0.0 || one.is_nan()));
            }
        }
    }
}
