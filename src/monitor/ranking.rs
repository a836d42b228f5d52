//! How well rows are ordered within their groups.
//!
//! Owns NDCG and average precision of one group, as scikit-learn defines them: tied scores share
//! their gains, and gains are the relevances themselves. It must not know what the groups are.

use super::interval::Mean;

/// Means over groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// Normalised discounted cumulative gain of groups with a relevance above 0.
    pub ndcg: Mean,
    /// Average precision of groups with a relevance above 0.
    pub map: Mean,
    /// Groups whose relevances are all 0: nothing is to be ranked.
    pub groups_without_relevance: u64,
}

impl Ranking {
    /// Takes in a group of (score, relevance); relevances below 0 count as 0.
    pub fn add(&mut self, rows: &mut [(f64, f64)]) {
        rows.sort_unstable_by(|left, right| right.0.total_cmp(&left.0));
        match ndcg(rows) {
            Some(ndcg) => {
                self.ndcg.add(ndcg);
                self.map.add(average_precision(rows));
            }
            None => self.groups_without_relevance += 1,
        }
    }
}

/// The discount of a rank, from 0.
fn discount(rank: usize) -> f64 {
    1.0 / libm::log2(rank as f64 + 2.0)
}

/// Of rows in falling order of scores; none if no row is relevant.
fn ndcg(rows: &[(f64, f64)]) -> Option<f64> {
    let mut ideal: Vec<f64> = rows.iter().map(|row| row.1.max(0.0)).collect();
    ideal.sort_unstable_by(|left, right| right.total_cmp(left));
    let best: f64 = ideal
        .iter()
        .enumerate()
        .map(|(rank, relevance)| relevance * discount(rank))
        .sum();
    let (mut rank, mut gain) = (0, 0.0);
    for tied in rows.chunk_by(|left, right| left.0 == right.0) {
        let relevance: f64 = tied.iter().map(|row| row.1.max(0.0)).sum();
        let discounts: f64 = (rank..rank + tied.len()).map(discount).sum();
        gain += relevance / tied.len() as f64 * discounts;
        rank += tied.len();
    }
    (best > 0.0).then(|| gain / best)
}

/// Of rows in falling order of scores, of which one is relevant.
fn average_precision(rows: &[(f64, f64)]) -> f64 {
    let (mut called, mut found, mut sum) = (0, 0, 0.0);
    for tied in rows.chunk_by(|left, right| left.0 == right.0) {
        let relevant = tied.iter().filter(|row| row.1 > 0.0).count();
        called += tied.len();
        found += relevant;
        sum += relevant as f64 * (found as f64 / called as f64);
    }
    sum / found as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1: ndcg_score([relevances], [scores]),
        // average_precision_score(relevances > 0, scores)
        let cases = [
            (
                vec![(0.1, 10.0), (0.2, 0.0), (0.3, 0.0), (4.0, 1.0), (70.0, 5.0)],
                0.6956940443813076,
                0.8666666666666667,
            ),
            (
                vec![(1.0, 3.0), (1.0, 0.0), (0.5, 2.0), (0.5, 1.0), (0.5, 0.0)],
                0.7904315509559102,
                0.5666666666666667,
            ),
        ];
        for (rows, expected_ndcg, expected_ap) in cases {
            let mut ranking = Ranking::default();
            ranking.add(&mut rows.clone());
            let (ndcg, map) = (ranking.ndcg.value().unwrap(), ranking.map.value().unwrap());
            assert!((ndcg - expected_ndcg).abs() < 1e-12, "{ndcg}");
            assert!((map - expected_ap).abs() < 1e-12, "{map}");
        }
    }

    #[test]
    fn groups_without_relevance_are_counted_apart() {
        let mut ranking = Ranking::default();
        ranking.add(&mut []);
        ranking.add(&mut [(1.0, 0.0)]);
        ranking.add(&mut [(1.0, -1.0), (0.0, 1.0)]);
        assert_eq!(
            (ranking.groups_without_relevance, ranking.ndcg.count()),
            (2, 1)
        );
    }
}
