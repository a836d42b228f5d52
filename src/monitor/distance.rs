//! Distances between the distribution functions of two columns of numbers.
//!
//! Owns the exact Kolmogorov–Smirnov and Wasserstein distances of sorted samples, with which tests
//! compare brackets. It must not know columns.

/// The Kolmogorov–Smirnov distance of two sorted samples; none if one is empty.
#[must_use]
pub(super) fn kolmogorov_smirnov(baseline: &[f64], current: &[f64]) -> Option<f64> {
    let largest = |most: f64, step: Step| (step.baseline - step.current).abs().max(most);
    steps(baseline, current).map(|steps| steps.into_iter().fold(0.0, largest))
}

/// The Wasserstein distance of two sorted samples: the area between their distribution functions;
/// none if one is empty.
#[must_use]
pub(super) fn wasserstein(baseline: &[f64], current: &[f64]) -> Option<f64> {
    let steps = steps(baseline, current)?;
    let area = |pair: &[Step]| {
        // Halves, since the width itself may be beyond the range of `f64`.
        2.0 * ((pair[0].baseline - pair[0].current).abs()
            * (pair[1].value / 2.0 - pair[0].value / 2.0))
    };
    Some(steps.windows(2).map(area).sum())
}

/// The shares of two samples at and below a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) value: f64,
    pub(super) baseline: f64,
    pub(super) current: f64,
}

/// The shares of two sorted samples at each of their values; none if one is empty.
pub(super) fn steps(baseline: &[f64], current: &[f64]) -> Option<Vec<Step>> {
    if baseline.is_empty() || current.is_empty() {
        return None;
    }
    let (mut i, mut j, mut steps) = (0, 0, Vec::new());
    while i < baseline.len() || j < current.len() {
        let next =
            |sample: &[f64], index: usize| sample.get(index).copied().unwrap_or(f64::INFINITY);
        let value = next(baseline, i).min(next(current, j));
        i += baseline[i..]
            .iter()
            .take_while(|one| **one == value)
            .count();
        j += current[j..].iter().take_while(|one| **one == value).count();
        steps.push(Step {
            value,
            baseline: i as f64 / baseline.len() as f64,
            current: j as f64 / current.len() as f64,
        });
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::golden::numbers;

    fn sorted(mut values: Vec<f64>) -> Vec<f64> {
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    #[test]
    fn distances_are_those_of_scipy() {
        // SciPy 1.17.1
        let [baseline, current] = numbers().map(sorted);
        let ks = kolmogorov_smirnov(&baseline, &current).unwrap();
        assert!((ks - 0.137).abs() < 1e-12, "{ks}");
        let distance = wasserstein(&baseline, &current).unwrap();
        assert!((distance - 0.9975932273198851).abs() < 1e-12, "{distance}");
        assert_eq!(kolmogorov_smirnov(&[], &current), None);
        assert_eq!(
            wasserstein(&[1.0], &[f64::MAX]).map(f64::is_finite),
            Some(true)
        );
    }
}
