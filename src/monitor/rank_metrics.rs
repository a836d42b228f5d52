//! Metrics of an order, from its groups of neighbouring scores.
//!
//! Owns average precision and the distance of Kolmogorov and Smirnov of a table with the positives
//! and the negatives of each group, the lowest scores first: what a bootstrap draws. It must not
//! know how scores are joined to groups.

/// Totals of positives and negatives in groups.
fn totals(groups: &[u64]) -> [f64; 2] {
    groups
        .as_chunks::<2>()
        .0
        .iter()
        .fold([0.0; 2], |sum, group| {
            [sum[0] + group[0] as f64, sum[1] + group[1] as f64]
        })
}

/// Average precision; not a number without positives.
#[must_use]
pub fn average_precision_of(groups: &[u64]) -> f64 {
    let [positives, negatives] = totals(groups);
    let (mut above, mut called, mut sum) = (positives, positives + negatives, 0.0);
    for group in groups.as_chunks::<2>().0 {
        if called > 0.0 {
            sum += group[0] as f64 * above / called;
        }
        above -= group[0] as f64;
        called -= (group[0] + group[1]) as f64;
    }
    sum / positives
}

/// The largest distance between both classes; not a number without one of them.
#[must_use]
pub fn ks_of(groups: &[u64]) -> f64 {
    let [positives, negatives] = totals(groups);
    let (mut below, mut ks) = ([0.0; 2], 0.0_f64);
    for group in groups.as_chunks::<2>().0 {
        below[0] += group[0] as f64 / positives;
        below[1] += group[1] as f64 / negatives;
        ks = ks.max((below[0] - below[1]).abs());
    }
    if positives * negatives > 0.0 {
        ks
    } else {
        f64::NAN
    }
}
