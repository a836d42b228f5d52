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

/// A number around 0 with a deviation of 1, of the sum of twelve equally distributed ones.
pub(crate) fn noise(seed: u64, index: u64) -> f64 {
    let uniform = |part: u64| {
        let hash =
            crate::statistics::hash::of_bytes(&[seed, index, part].map(u64::to_le_bytes).concat());
        (hash as u64 >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..12).map(uniform).sum::<f64>() - 6.0
}

/// Average precision and KS of the second score less those of the first: the value, and its
/// deviation over replicates in which every row has a Poisson weight of its own.
pub(crate) fn row_bootstrap(rows: &[([f64; 2], bool)], replicates: u64) -> [[f64; 2]; 2] {
    let orders = [0, 1].map(|side| {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|one, other| rows[*other].0[side].total_cmp(&rows[*one].0[side]));
        order
    });
    let of_weights = |weights: &[u8]| {
        let positives: f64 = rows
            .iter()
            .zip(weights)
            .filter(|one| one.0.1)
            .map(|one| f64::from(*one.1))
            .sum();
        let all: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let sides = orders.each_ref().map(|order| {
            let (mut called, mut right, mut precision, mut ks) = (0.0, 0.0, 0.0, 0.0_f64);
            for row in order {
                let weight = f64::from(weights[*row]);
                called += weight;
                if rows[*row].1 && weight > 0.0 {
                    right += weight;
                    precision += weight * right / called;
                }
                ks = ks.max((right / positives - (called - right) / (all - positives)).abs());
            }
            [precision / positives, ks]
        });
        [0, 1].map(|metric| sides[1][metric] - sides[0][metric])
    };
    let value = of_weights(&vec![1; rows.len()]);
    let draw = |replicate: u64| {
        let weight = |row: usize| {
            let mut bits = (replicate << 32 | row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bits = (bits ^ bits >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let uniform = ((bits ^ bits >> 32) >> 11) as f64 / (1_u64 << 53) as f64;
            // The distribution of Poisson with a mean of 1.
            let ends = [0.3679, 0.7358, 0.9197, 0.9810, 0.9963, 0.9994];
            ends.iter().filter(|end| uniform > **end).count() as u8
        };
        of_weights(&(0..rows.len()).map(weight).collect::<Vec<u8>>())
    };
    let drawn: Vec<[f64; 2]> = (1..=replicates).map(draw).collect();
    [0, 1].map(|metric| {
        let of = |one: &[f64; 2]| one[metric];
        let mean = drawn.iter().map(of).sum::<f64>() / replicates as f64;
        let squares: f64 = drawn.iter().map(|one| (of(one) - mean).powi(2)).sum();
        [value[metric], (squares / (replicates - 1) as f64).sqrt()]
    })
}
