//! Distances between two tables of counts in the same bins.
//!
//! Owns the distances of drift: each is exact for its counts. The first table is the baseline. It
//! must not know where bins come from.

use super::special::chi_square_tail;

/// What is added to every bin of the population stability index, so that an empty one is no
/// infinity.
const PSEUDO_COUNT: f64 = 0.5;

/// Two tables of counts as shares; none if one of them is empty.
fn shares(baseline: &[u64], current: &[u64]) -> Option<Vec<(f64, f64)>> {
    let [n, m] = [baseline, current].map(|counts| counts.iter().sum::<u64>());
    let pairs = baseline.iter().zip(current);
    (n > 0 && m > 0).then(|| {
        pairs
            .map(|(left, right)| (*left as f64 / n as f64, *right as f64 / m as f64))
            .collect()
    })
}

/// p · ln(p / q), which is 0 for no p.
fn entropy_term(p: f64, q: f64) -> f64 {
    if p == 0.0 { 0.0 } else { p * libm::log(p / q) }
}

/// The Jensen–Shannon distance with logarithms to base 2: 0 for equal shares, 1 for disjoint ones.
#[must_use]
pub fn jensen_shannon(baseline: &[u64], current: &[u64]) -> Option<f64> {
    let term = |(p, q): (f64, f64)| {
        let middle = f64::midpoint(p, q);
        entropy_term(p, middle) + entropy_term(q, middle)
    };
    let sum: f64 = shares(baseline, current)?.into_iter().map(term).sum();
    Some(
        (sum.max(0.0) / 2.0 / std::f64::consts::LN_2)
            .sqrt()
            .min(1.0),
    )
}

/// The Jensen–Shannon distance, squared, that two samples of one distribution have on average: its
/// likelihood ratio is a chi-square of as many degrees of freedom as there are bins, less one
/// (I. Grosse et al., *Analysis of symbolic sequences using the Jensen–Shannon divergence*, 2002).
#[must_use]
pub fn expected_divergence(bin_count: usize, [n, m]: [u64; 2]) -> f64 {
    let degrees = bin_count.saturating_sub(1) as f64;
    let apart = 1.0 / n as f64 + 1.0 / m as f64;
    degrees * apart / (8.0 * std::f64::consts::LN_2)
}

/// The population stability index, with half a row added to every bin.
#[must_use]
pub fn psi(baseline: &[u64], current: &[u64]) -> Option<f64> {
    let [n, m] = [baseline, current].map(|counts| counts.iter().sum::<u64>());
    let added = PSEUDO_COUNT * baseline.len() as f64;
    let smoothed = |count: u64, total: u64| (count as f64 + PSEUDO_COUNT) / (total as f64 + added);
    let term = |(left, right): (&u64, &u64)| {
        let (p, q) = (smoothed(*left, n), smoothed(*right, m));
        (p - q) * libm::log(p / q)
    };
    (n > 0 && m > 0).then(|| baseline.iter().zip(current).map(term).sum())
}

/// The statistic and probability of the chi-square test of two samples; with two bins, Yates'
/// correction as in `SciPy`. None for an empty sample or a single bin.
#[must_use]
pub fn chi_square(baseline: &[u64], current: &[u64]) -> Option<(f64, f64)> {
    let bins: Vec<(f64, f64)> = baseline
        .iter()
        .zip(current)
        .map(|(left, right)| (*left as f64, *right as f64))
        .filter(|(left, right)| left + right > 0.0)
        .collect();
    let n: f64 = bins.iter().map(|bin| bin.0).sum();
    let m: f64 = bins.iter().map(|bin| bin.1).sum();
    if bins.len() < 2 || n == 0.0 || m == 0.0 {
        return None;
    }
    let degrees = (bins.len() - 1) as f64;
    let term = |observed: f64, expected: f64| {
        let difference = (observed - expected).abs();
        let corrected = if bins.len() == 2 {
            difference - difference.min(0.5)
        } else {
            difference
        };
        corrected * corrected / expected
    };
    let cell = |(left, right): &(f64, f64)| {
        let both = (left + right) / (n + m);
        term(*left, both * n) + term(*right, both * m)
    };
    let statistic = bins.iter().map(cell).sum();
    Some((statistic, chi_square_tail(statistic, degrees)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::monitor::golden::categories;

    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn distances_are_those_of_nannyml_and_scipy() {
        // NannyML 0.13.1 and SciPy 1.17.1
        let [baseline, current] = categories();
        close(jensen_shannon(&baseline, &current), 0.3239172742967533);
        let (statistic, probability) = chi_square(&baseline, &current).unwrap();
        assert!((statistic - 344.7162353465964).abs() < 1e-10);
        assert!((probability / 2.102293772384603e-71 - 1.0).abs() < 1e-9);
        // ((37i) % 10) < 4 of 1500 rows and < 5 of 1200
        let (statistic, probability) = chi_square(&[900, 600], &[600, 600]).unwrap();
        assert!((statistic - 26.596518749999973).abs() < 1e-10);
        assert!((probability / 2.506950687460229e-07 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_has_no_distance_and_disjoint_shares_the_largest() {
        for distance in [jensen_shannon, psi] {
            assert_eq!(distance(&[0, 0], &[1, 1]), None);
            assert_eq!(distance(&[], &[]), None);
            assert_eq!(distance(&[2, 4], &[1, 2]).map(|one| one < 1e-2), Some(true));
        }
        assert_eq!(jensen_shannon(&[5, 0], &[0, 7]), Some(1.0));
        assert!(psi(&[5, 0], &[0, 7]).unwrap().is_finite());
        assert_eq!(chi_square(&[5, 0], &[7, 0]), None, "a single bin");
    }

    proptest! {
        #[test]
        fn joined_bins_are_no_further_apart(
            counts in proptest::collection::vec((0u64..1000, 0u64..1000), 3..20),
        ) {
            let (left, right): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
            let joined = |counts: &[u64]| [&[counts[0] + counts[1]], &counts[2..]].concat();
            if let Some(apart) = jensen_shannon(&left, &right) {
                prop_assert!(
                    jensen_shannon(&joined(&left), &joined(&right)).unwrap() <= apart + 1e-9
                );
                prop_assert!((0.0..=1.0 + 1e-12).contains(&apart));
            }
        }
    }
}
