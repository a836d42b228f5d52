//! The rows of the golden numbers, rebuilt from their formulas.

use crate::statistics::distribution::Distribution;

/// The distribution of these values.
pub(crate) fn distribution(values: &[f64]) -> Distribution {
    let mut distribution = Distribution::default();
    distribution.observe_f64(values);
    distribution
}

/// The scores (1 or 2) and labels that the numbers of two classes belong to.
pub(crate) fn clf_rows(score: u32) -> Vec<(f64, bool)> {
    (0..2000_u64)
        .map(|i| {
            let label = (31 * i + 7) % 97 < (17 * i) % 53;
            let base = ((17 * i) % 53) as f64 / 53.0;
            let value = if score == 1 {
                (base * 0.6 + ((7919 * i) % 1009) as f64 / 1009.0 * 0.4).clamp(0.001, 0.999)
            } else {
                let noisy = base * 0.8 + ((104_729 * i) % 997) as f64 / 997.0 * 0.2;
                (noisy.clamp(0.001, 0.999) * 100.0).round_ties_even() / 100.0
            };
            (value, label)
        })
        .collect()
}

/// Positives and negatives by score, in rising order.
pub(crate) fn rows_by_score(rows: &[(f64, bool)]) -> Vec<(f64, [u64; 2])> {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mut groups: Vec<(f64, [u64; 2])> = Vec::new();
    for (score, is_positive) in sorted {
        if groups.last().is_none_or(|last| last.0 != score) {
            groups.push((score, [0; 2]));
        }
        if let Some(last) = groups.last_mut() {
            last.1[usize::from(!is_positive)] += 1;
        }
    }
    groups
}

/// The numbers of the baseline and of the current data.
pub(crate) fn numbers() -> [Vec<f64>; 2] {
    let baseline = (0..1500_u64).map(|i| ((i * 7919 + 13) % 1009) as f64 / 1009.0 * 10.0);
    let current = (0..1200_u64).map(|i| ((i * 104_729 + 7) % 997) as f64 / 997.0 * 11.0 + 0.5);
    [baseline.collect(), current.collect()]
}

#[test]
fn the_rows_are_those_of_the_golden_numbers() {
    let sums = numbers().map(|values| values.iter().sum::<f64>());
    assert!((sums[0] - 7493.597621407334).abs() < 1e-9, "{sums:?}");
    assert!((sums[1] - 7191.98996990973).abs() < 1e-9, "{sums:?}");
    let counts = categories();
    assert_eq!(counts[0], [262, 260, 130, 195, 392, 261, 0]);
    assert_eq!(counts[1], [332, 124, 164, 249, 82, 166, 83]);
    let labels = clf_rows(1).iter().filter(|row| row.1).count();
    assert_eq!(labels, 497);
    for (score, expected) in [(1, 988.6366938496924), (2, 984.68)] {
        let sum: f64 = clf_rows(score).iter().map(|row| row.0).sum();
        assert!((sum - expected).abs() < 1e-9, "{score}: {sum}");
    }
}

/// The counts of the categories a to g in the baseline and in the current data.
pub(crate) fn categories() -> [[u64; 7]; 2] {
    let mut counts = [[0; 7]; 2];
    (0..1500_usize).for_each(|i| counts[0][(i * i + 3 * i) % 23 % 6] += 1);
    (0..1200_usize).for_each(|i| counts[1][(i * i + 5 * i) % 29 % 7] += 1);
    counts
}

/// The predictions and values of a regression.
pub(crate) fn regression_rows() -> Vec<(f64, f64)> {
    (0..2000_u64)
        .map(|i| {
            let actual = ((7919 * i) % 1009) as f64 / 100.0;
            let noise = (((37 * i) % 101) as f64 - 50.0) / 25.0;
            (actual + noise, actual)
        })
        .collect()
}
