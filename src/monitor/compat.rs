//! Drift as Evidently and `NannyML` compute it, from all values of both sides, so that
//! results can be compared when moving from them.
//!
//! Owns their binning, their treatment of empty bins and their choice of a test. It must not know
//! columns or where values come from. Sources: Evidently 0.7.21 and `NannyML` 0.13.1, both
//! Apache-2.0.

use super::distance::{kolmogorov_smirnov, wasserstein};
use super::divergence::chi_square;
use super::special::{chi_square_tail, normal_two_sided};
use super::{kolmogorov, two_sample};

/// What is computed of a column, under its name in the tool, with its limit where the tool has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// Such as `jensenshannon`.
    pub name: &'static str,
    /// The distance or probability.
    pub value: f64,
}

/// What the tool says of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The method that decides.
    pub method: &'static str,
    /// What it gives.
    pub score: f64,
    /// From here on, or below for a probability, the column has drifted.
    pub limit: f64,
    /// Whether it has.
    pub is_drifted: bool,
}

/// Numbers of Evidently in its own words.
pub mod evidently {
    use super::{
        Number, Verdict, bins_of_edges, chi_square_tail, kolmogorov, kolmogorov_smirnov,
        normal_two_sided, shannon, shares, sturges, two_sample, wasserstein,
    };

    /// What an empty bin counts as.
    const FILL: f64 = 0.0001;

    /// Up to so many distinct values of the reference have a bin each.
    const FEW: usize = 20;

    /// Up to so many rows of the reference a test decides, above a distance.
    const SMALL: usize = 1000;

    /// The numbers of a column of sorted finite numbers, and what decides.
    #[must_use]
    pub fn numbers(reference: &[f64], current: &[f64]) -> Option<(Vec<Number>, Verdict)> {
        let (first, last) = (reference.first()?, reference.last()?);
        let low = first.min(*current.first()?);
        let high = last.max(*current.last()?);
        let pooled: Vec<f64> = super::merged(reference, current);
        let mut unique = pooled.clone();
        unique.dedup();
        let mut known = reference.to_vec();
        known.dedup();
        let counts = if known.len() > FEW {
            let edges = sturges(low, high, pooled.len());
            [reference, current].map(|values| bins_of_edges(values, &edges))
        } else {
            let each = |values: &[f64]| {
                let of = |value: &f64| values.iter().filter(|one| *one == value).count() as u64;
                unique.iter().map(of).collect::<Vec<u64>>()
            };
            [each(reference), each(current)]
        };
        let mut found = divergences(&counts);
        // Densities over bins of the distinct values.
        let edges = sturges(low, high, unique.len());
        let [p, q] = [reference, current].map(|values| shares(&bins_of_edges(values, &edges)));
        found.push(number("hellinger", hellinger(&p, &q)));
        let mean = reference.iter().sum::<f64>() / reference.len() as f64;
        let squares = reference.iter().map(|one| (one - mean) * (one - mean));
        let deviation = (squares.sum::<f64>() / reference.len() as f64).sqrt();
        let normed = wasserstein(reference, current)? / deviation.max(0.001);
        found.push(number("wasserstein", normed));
        let (n, m) = (reference.len() as u64, current.len() as u64);
        let ks = kolmogorov::two_sample(kolmogorov_smirnov(reference, current)?, n, m);
        found.push(number("ks", ks));
        let others = [
            ("ed", two_sample::energy(reference, current)),
            ("t_test", two_sample::student(reference, current)),
            ("mannw", two_sample::mann_whitney_less(reference, current)),
            (
                "cramer_von_mises",
                two_sample::cramer_von_mises(reference, current),
            ),
            ("es", two_sample::epps_singleton(reference, current)),
            ("anderson", two_sample::anderson_darling(reference, current)),
        ];
        let others = others.into_iter();
        found.extend(others.filter_map(|(name, value)| Some(number(name, value?))));
        let js = value(&found, "jensenshannon");
        let verdict = match (reference.len() <= SMALL, unique.len()) {
            (true, 6..) => below("ks", ks, true),
            (true, 3..) => below("chisquare", goodness_of_fit(&counts), false),
            (true, _) => below("z", proportions(&counts), false),
            (false, 6..) => above("wasserstein", normed),
            (false, _) => above("jensenshannon", js),
        };
        Some((found, verdict))
    }

    /// The numbers of a column of categories: the rows of each, in the order of their names.
    #[must_use]
    pub fn categories(counts: &[Vec<u64>; 2]) -> Option<(Vec<Number>, Verdict)> {
        let [n, m] = [0, 1].map(|side: usize| counts[side].iter().sum::<u64>());
        if n == 0 || m == 0 {
            return None;
        }
        let mut found = divergences(counts);
        let [p, q] = [0, 1].map(|side: usize| shares(&counts[side]));
        found.push(number("hellinger", hellinger(&p, &q)));
        let apart = p.iter().zip(&q).map(|(p, q)| (p - q).abs());
        found.push(number("total_variation", apart.sum::<f64>() / 2.0));
        let chisquare = goodness_of_fit(counts);
        found.push(number("chisquare", chisquare));
        let js = value(&found, "jensenshannon");
        let verdict = match (n as usize <= SMALL, counts[0].len()) {
            (true, 3..) => below("chisquare", chisquare, false),
            (true, _) => below("z", proportions(counts), false),
            (false, _) => above("jensenshannon", js),
        };
        if counts[0].len() == 2 {
            found.push(number("z", proportions(counts)));
        }
        Some((found, verdict))
    }

    fn number(name: &'static str, value: f64) -> Number {
        Number { name, value }
    }

    fn value(found: &[Number], name: &str) -> f64 {
        let found = found.iter().find(|one| one.name == name);
        found.map_or(f64::NAN, |one| one.value)
    }

    fn below(method: &'static str, score: f64, is_closed: bool) -> Verdict {
        Verdict {
            method,
            score,
            limit: 0.05,
            is_drifted: score < 0.05 || is_closed && score <= 0.05,
        }
    }

    fn above(method: &'static str, score: f64) -> Verdict {
        Verdict {
            method,
            score,
            limit: 0.1,
            is_drifted: score >= 0.1,
        }
    }

    fn divergences(counts: &[Vec<u64>; 2]) -> Vec<Number> {
        let [p, q] = [0, 1].map(|side: usize| shares(&counts[side]));
        let [filled_p, filled_q] = [filled(&p), filled(&q)];
        let pairs = || filled_p.iter().zip(&filled_q);
        let psi: f64 = pairs().map(|(p, q)| (p - q) * libm::log(p / q)).sum();
        let sums = [filled_p.iter().sum::<f64>(), filled_q.iter().sum::<f64>()];
        let kl: f64 = pairs()
            .map(|(p, q)| (p / sums[0], q / sums[1]))
            .map(|(p, q)| p * libm::log(p / q))
            .sum();
        vec![
            number("psi", psi),
            number("kl_div", kl),
            number("jensenshannon", shannon(&p, &q).sqrt()),
        ]
    }

    /// Empty bins are filled on each side alone, and shares do not add up to 1 any more.
    fn filled(shares: &[f64]) -> Vec<f64> {
        let present = shares.iter().copied().filter(|share| *share > 0.0);
        let least = present.fold(f64::INFINITY, f64::min);
        let fill = if least <= FILL { least / 1e6 } else { FILL };
        let fill = |share: &f64| if *share == 0.0 { fill } else { *share };
        shares.iter().map(fill).collect()
    }

    fn hellinger(p: &[f64], q: &[f64]) -> f64 {
        let common: f64 = p.iter().zip(q).map(|(p, q)| (p * q).sqrt()).sum();
        (1.0 - common.clamp(0.0, 1.0)).sqrt()
    }

    /// Chi-square against the reference as if it were free of error: a category that it does not
    /// have makes the probability zero.
    fn goodness_of_fit(counts: &[Vec<u64>; 2]) -> f64 {
        let [n, m] = [0, 1].map(|side: usize| counts[side].iter().sum::<u64>() as f64);
        let statistic: f64 = counts[0]
            .iter()
            .zip(&counts[1])
            .map(|(expected, found)| {
                let (expected, found) = (*expected as f64 * m / n, *found as f64);
                if expected == 0.0 && found == 0.0 {
                    0.0
                } else {
                    (found - expected) * (found - expected) / expected
                }
            })
            .sum();
        if statistic.is_infinite() {
            return 0.0;
        }
        chi_square_tail(statistic, counts[0].len().saturating_sub(1) as f64)
    }

    /// The test of two proportions: of all values that are not the first.
    fn proportions(counts: &[Vec<u64>; 2]) -> f64 {
        let [n, m] = [0, 1].map(|side: usize| counts[side].iter().sum::<u64>() as f64);
        let rest = |side: usize| counts[side].iter().skip(1).sum::<u64>() as f64;
        let (left, right) = (rest(0) / n, rest(1) / m);
        let all = (rest(0) + rest(1)) / (n + m);
        let spread = (all * (1.0 - all) * (1.0 / n + 1.0 / m)).sqrt();
        if spread == 0.0 {
            1.0
        } else {
            normal_two_sided(((left - right) / spread).abs())
        }
    }
}

/// Numbers of `NannyML` in its own words.
pub mod nannyml {
    use super::{
        Number, bins_of_edges, chi_square, doane, edges, kolmogorov_smirnov, shannon, shares,
        wasserstein,
    };

    /// The numbers of a column of sorted finite numbers.
    #[must_use]
    pub fn numbers(reference: &[f64], current: &[f64]) -> Option<Vec<Number>> {
        let edges = doane(reference)?;
        let of = |values: &[f64]| -> Vec<f64> {
            let counts = bins_of_edges(values, &edges);
            let total = values.len() as f64;
            counts.iter().map(|count| *count as f64 / total).collect()
        };
        let (mut p, mut q) = (of(reference), of(current));
        let outside = 1.0 - q.iter().sum::<f64>();
        if outside > 0.0 {
            p.push(0.0);
            q.push(outside);
        }
        Some(vec![
            number("jensen_shannon", base_two(&p, &q)),
            number("hellinger", hellinger(&p, &q)),
            number("wasserstein", areas_between(reference, current)?),
            number("kolmogorov_smirnov", largest_gap(reference, current)?),
        ])
    }

    /// From so many rows of the reference on distances are estimated.
    const MANY: usize = 10_000;

    /// The bins of estimates, of equal width over the range of the reference.
    const BINS: usize = 10_000;

    /// The shares of both sides up to the end of each bin; what lies outside is in no bin.
    fn cumulated(reference: &[f64], current: &[f64]) -> Option<(Vec<f64>, [Vec<f64>; 2])> {
        let edges = edges(*reference.first()?, *reference.last()?, BINS);
        let of = |values: &[f64]| {
            let counts = bins_of_edges(values, &edges);
            let mut sum = 0.0;
            let shares = counts.iter().map(|count| {
                sum += *count as f64 / values.len() as f64;
                sum
            });
            shares.collect::<Vec<f64>>()
        };
        let shares = [of(reference), of(current)];
        Some((edges, shares))
    }

    /// The distance of Kolmogorov and Smirnov; of a large reference at the ends of bins.
    fn largest_gap(reference: &[f64], current: &[f64]) -> Option<f64> {
        if reference.len() < MANY {
            return kolmogorov_smirnov(reference, current);
        }
        let (edges, [before, now]) = cumulated(reference, current)?;
        let below = current.partition_point(|value| *value < edges[0]) as f64;
        let below = below / current.len() as f64;
        let gaps = before.iter().zip(&now);
        let gaps = gaps.map(|(before, now)| (before - (below + now)).abs());
        Some(gaps.fold(0.0, f64::max))
    }

    /// The distance of Wasserstein; of a large reference as the sum over bins and what lies outside
    /// them, of which the tool counts one row too many on each side.
    fn areas_between(reference: &[f64], current: &[f64]) -> Option<f64> {
        if reference.len() < MANY {
            return wasserstein(reference, current);
        }
        let (edges, [before, now]) = cumulated(reference, current)?;
        let (low, high, width) = (edges[0], edges[BINS], edges[1] - edges[0]);
        let rows = current.len() as f64;
        let smaller = &current[..current.partition_point(|value| *value < low)];
        let larger = &current[current.partition_point(|value| *value <= high)..];
        let outside = |values: &[f64], end: f64| {
            if values.is_empty() {
                return (0.0, 0.0);
            }
            let far = values.iter().map(|value| (value - end).abs());
            ((values.len() as f64 + 1.0) / rows, far.sum::<f64>() / rows)
        };
        let (share_below, area_below) = outside(smaller, low);
        let (_, area_above) = outside(larger, high);
        let within = before.iter().zip(&now);
        let within = within.map(|(before, now)| (before - (now + share_below)).abs() * width);
        Some(within.sum::<f64>() + area_below + area_above)
    }

    /// The numbers of a column of categories: the rows of each.
    #[must_use]
    pub fn categories(counts: &[Vec<u64>; 2]) -> Option<Vec<Number>> {
        if counts.iter().any(|side| side.iter().sum::<u64>() == 0) {
            return None;
        }
        let [p, q] = [0, 1].map(|side: usize| shares(&counts[side]));
        let apart = p.iter().zip(&q).map(|(p, q)| (p - q).abs());
        let mut found = vec![
            number("jensen_shannon", base_two(&p, &q)),
            number("hellinger", hellinger(&p, &q)),
            number("l_infinity", apart.fold(0.0, f64::max)),
        ];
        if let Some((statistic, p)) = chi_square(&counts[0], &counts[1]) {
            found.push(number("chi2", statistic));
            found.push(number("chi2_p", p));
        }
        Some(found)
    }

    fn number(name: &'static str, value: f64) -> Number {
        Number { name, value }
    }

    fn base_two(p: &[f64], q: &[f64]) -> f64 {
        (shannon(p, q) / std::f64::consts::LN_2).sqrt()
    }

    fn hellinger(p: &[f64], q: &[f64]) -> f64 {
        let squares = p.iter().zip(q).map(|(p, q)| {
            let apart = p.sqrt() - q.sqrt();
            apart * apart
        });
        squares.sum::<f64>().sqrt() / std::f64::consts::SQRT_2
    }
}

fn shares(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64;
    counts.iter().map(|count| *count as f64 / total).collect()
}

/// The Jensen–Shannon divergence with natural logarithms, of weights that are made to add up to 1.
fn shannon(p: &[f64], q: &[f64]) -> f64 {
    let [left, right] = [p, q].map(|side| side.iter().sum::<f64>());
    let term = |p: f64, middle: f64| {
        if p == 0.0 {
            0.0
        } else {
            p * libm::log(p / middle)
        }
    };
    let sum: f64 = p
        .iter()
        .zip(q)
        .map(|(p, q)| {
            let (p, q) = (p / left, q / right);
            let middle = f64::midpoint(p, q);
            term(p, middle) + term(q, middle)
        })
        .sum();
    (sum / 2.0).max(0.0)
}

/// Two sorted columns as one.
fn merged(left: &[f64], right: &[f64]) -> Vec<f64> {
    let mut all = [left, right].concat();
    all.sort_unstable_by(f64::total_cmp);
    all
}

/// Edges of equal width as `numpy.linspace` gives them.
fn edges(low: f64, high: f64, count: usize) -> Vec<f64> {
    let (low, high) = if low == high {
        (low - 0.5, high + 0.5)
    } else {
        (low, high)
    };
    let step = (high - low) / count as f64;
    let inner = (0..count).map(|index| low + index as f64 * step);
    inner.chain([high]).collect()
}

/// The edges of Sturges' rule for so many values.
fn sturges(low: f64, high: f64, count: usize) -> Vec<f64> {
    let width = (high - low) / ((count as f64).log2() + 1.0);
    edges(low, high, bin_count(low, high, width))
}

/// The edges of Doane's rule.
fn doane(values: &[f64]) -> Option<Vec<f64>> {
    let (low, high) = (*values.first()?, *values.last()?);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let moment = |power: i32| {
        values
            .iter()
            .map(|one| (one - mean).powi(power))
            .sum::<f64>()
            / n
    };
    let deviation = moment(2).sqrt();
    let mut width = 0.0;
    if values.len() > 2 && deviation > 0.0 {
        let error = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
        let scaled = values.iter().map(|one| ((one - mean) / deviation).powi(3));
        let skewness = scaled.sum::<f64>() / n;
        width = (high - low) / (1.0 + n.log2() + (1.0 + skewness.abs() / error).log2());
    }
    Some(edges(low, high, bin_count(low, high, width)))
}

fn bin_count(low: f64, high: f64, width: f64) -> usize {
    if width > 0.0 && width.is_finite() {
        (((high - low) / width).ceil() as usize).max(1)
    } else {
        1
    }
}

/// Counts in half-open bins, of which the last is closed; values outside are in none.
fn bins_of_edges(values: &[f64], edges: &[f64]) -> Vec<u64> {
    let last = edges.len() - 1;
    let mut counts = vec![0; last];
    for value in values {
        let above = edges.partition_point(|edge| edge <= value);
        match above {
            0 => {}
            above if above <= last => counts[above - 1] += 1,
            _ if *value == edges[last] => counts[last - 1] += 1,
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::golden::{categories, numbers};

    /// A shift of the current values with both distances to the large reference, as `NannyML`
    /// estimates them, and as `SciPy` computes them exactly.
    const LARGE: [(f64, [f64; 2], [f64; 2]); 2] = [
        (
            0.0,
            [0.1365000000000013, 0.9989347517552388],
            [0.13649999999999995, 0.9988674216571087],
        ),
        (
            -1.0,
            [0.04618333333333333, 0.24998039966188956],
            [0.04618333333333333, 0.24997001534832447],
        ),
    ];

    fn sorted() -> [Vec<f64>; 2] {
        numbers().map(|mut values| {
            values.sort_unstable_by(f64::total_cmp);
            values
        })
    }

    fn check(found: &[Number], expected: &[(&str, f64)]) {
        for (name, expected) in expected {
            let found = found.iter().find(|one| one.name == *name).unwrap();
            let apart = (found.value - expected).abs();
            assert!(
                apart <= 1e-12_f64.max(expected.abs() * 1e-9),
                "{name}: {} and not {expected}",
                found.value
            );
        }
    }

    #[test]
    fn numbers_are_those_of_evidently() {
        // Evidently 0.7.21, its own functions
        let [reference, current] = sorted();
        let (found, verdict) = evidently::numbers(&reference, &current).unwrap();
        check(
            &found,
            &[
                ("psi", 0.6615196636421579),
                ("jensenshannon", 0.2051616972148905),
                ("kl_div", 0.13801361971851103),
                ("hellinger", 0.23249603882870684),
                ("wasserstein", 0.3453520310189865),
                ("ks", 2.3088534877863334e-11),
            ],
        );
        assert_eq!((verdict.method, verdict.is_drifted), ("wasserstein", true));
        let [reference, current] = categories();
        let (found, verdict) =
            evidently::categories(&[reference.to_vec(), current.to_vec()]).unwrap();
        check(
            &found,
            &[
                ("psi", 0.8608394455938291),
                ("jensenshannon", 0.2696788203493948),
                ("kl_div", 0.2987427036730878),
                ("hellinger", 0.29066894071664057),
                ("total_variation", 0.29866666666666664),
                ("chisquare", 0.0),
            ],
        );
        assert_eq!(verdict.method, "jensenshannon");
        let two = |count: usize, below: usize| {
            let ones = (0..count).filter(|i| (37 * i) % 10 < below).count() as u64;
            vec![count as u64 - ones, ones]
        };
        let (found, _) = evidently::categories(&[two(1500, 4), two(1200, 5)]).unwrap();
        check(&found, &[("z", 2.0345546136724124e-07)]);
    }

    #[test]
    fn numbers_are_those_of_nannyml() {
        // NannyML 0.13.1, its own functions
        let [reference, current] = sorted();
        assert_eq!(doane(&reference).unwrap().len() - 1, 12);
        check(
            &nannyml::numbers(&reference, &current).unwrap(),
            &[
                ("jensen_shannon", 0.27988708502672294),
                ("hellinger", 0.2741273551179874),
                ("wasserstein", 0.9975932273198851),
                ("kolmogorov_smirnov", 0.137),
            ],
        );
        let [reference, current] = categories();
        check(
            &nannyml::categories(&[reference.to_vec(), current.to_vec()]).unwrap(),
            &[
                ("jensen_shannon", 0.3239172742967533),
                ("hellinger", 0.29066894071664046),
                ("l_infinity", 0.193),
                ("chi2", 344.7162353465964),
                ("chi2_p", 2.102293772384603e-71),
            ],
        );
    }

    #[test]
    fn the_bins_of_evidently_are_those_of_sturges() {
        // golden_monitoring.json: an empty bin counts as 0.0001
        let [reference, current] = sorted();
        let (low, high) = (
            reference[0].min(current[0]),
            reference[1499].max(current[1199]),
        );
        let edges = sturges(low, high, 2700);
        assert_eq!(edges.len() - 1, 13);
        let expected = [
            [
                0.09,
                0.08733333333333333,
                0.08866666666666667,
                0.08733333333333333,
                0.08866666666666667,
                0.08866666666666667,
                0.088,
                0.08866666666666667,
                0.088,
                0.08933333333333333,
                0.08733333333333333,
                0.028,
                0.0,
            ],
            [
                0.034166666666666665,
                0.08166666666666667,
                0.07916666666666666,
                0.0825,
                0.07916666666666666,
                0.08166666666666667,
                0.07916666666666666,
                0.08083333333333333,
                0.08,
                0.08,
                0.08083333333333333,
                0.07916666666666666,
                0.08166666666666667,
            ],
        ];
        for (values, expected) in [reference, current].iter().zip(expected) {
            let found = shares(&bins_of_edges(values, &edges));
            let apart = found
                .iter()
                .zip(expected)
                .map(|(one, other)| (one - other).abs());
            assert!(apart.fold(0.0, f64::max) < 1e-15, "{found:?}");
        }
    }

    #[test]
    fn distances_to_a_large_reference_are_estimated_as_nannyml_does() {
        // NannyML 0.13.1, its own functions: a reference of 10,000 rows or more. SciPy 1.17.1
        let reference_of = |modulus: u64| {
            let value = |i: u64| ((i * 7919 + 13) % modulus) as f64 / modulus as f64 * 10.0;
            let mut reference: Vec<f64> = (0..20_000).map(value).collect();
            reference.sort_unstable_by(f64::total_cmp);
            reference
        };
        let current_of = |rows: u64, shift: f64| {
            let value = |i: u64| ((i * 104_729 + 7) % 997) as f64 / 997.0 * 11.0 + 0.5 + shift;
            let mut current: Vec<f64> = (0..rows).map(value).collect();
            current.sort_unstable_by(f64::total_cmp);
            current
        };
        let few = LARGE.map(|(shift, estimated, exact)| {
            let sides = (reference_of(1009), current_of(15_000, shift));
            (sides, estimated, exact)
        });
        // golden_monitoring.json: `ks_estimated_20k`, `wasserstein_estimated_20k`, `…_exact`
        let many = (
            (reference_of(100_003), current_of(1200, 0.0)),
            [0.136_549_999_999_907, 0.994_081_827_061_729_9],
            [0.136_650_000_000_000_05, 0.994_026_008_893_755_3],
        );
        for ((reference, current), estimated, exact) in few.into_iter().chain([many]) {
            let found = nannyml::numbers(&reference, &current).unwrap();
            let names = ["kolmogorov_smirnov", "wasserstein"];
            check(
                &found,
                &[(names[0], estimated[0]), (names[1], estimated[1])],
            );
            let all = [
                kolmogorov_smirnov(&reference, &current),
                wasserstein(&reference, &current),
            ];
            for (found, expected) in all.iter().zip(exact) {
                let apart = (found.unwrap() - expected).abs();
                assert!(apart <= 1e-12, "{found:?}, not {expected}");
            }
        }
    }

    #[test]
    fn hostile_columns_have_numbers_or_none() {
        for values in [vec![7.0; 9], vec![-1e308, 1e308], vec![0.0, 5e-324]] {
            assert!(evidently::numbers(&values, &values).is_some());
            assert!(nannyml::numbers(&values, &values).is_some());
        }
        assert!(evidently::numbers(&[], &[1.0]).is_none());
        assert!(nannyml::numbers(&[1.0], &[]).is_none());
        assert!(evidently::categories(&[vec![0], vec![1]]).is_none());
    }
}
