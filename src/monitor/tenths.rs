//! How many of two samples of scores lie in each tenth of the first one.
//!
//! Owns the one definition of the population stability index between scores: a score at which
//! several tenths end ends one bin, so that equal scores stay together. It must not know where
//! scores come from.

use super::divergence::psi;

/// The number of tenths.
const COUNT: usize = 10;

/// Counts of both samples. All scores of the first come before any of the second, the lowest first
/// and equal ones together.
#[derive(Debug)]
pub(super) struct Tenths {
    /// The rows of the first sample.
    total: u64,
    /// Those that came.
    below: u64,
    /// The score at the end of each bin but the last.
    edges: Vec<f64>,
    /// Rows of the first and of the second sample.
    bins: [[u64; COUNT]; 2],
}

impl Tenths {
    /// No rows yet, of `total` in the first sample.
    pub(super) fn new(total: u64) -> Self {
        Self {
            total,
            below: 0,
            edges: Vec::new(),
            bins: [[0; COUNT]; 2],
        }
    }

    /// Adds the rows of the first sample that have the next score.
    pub(super) fn add_first(&mut self, score: f64, rows: u64) {
        let total = self.total.max(1);
        let tenths = |below: u64| u128::from(below) * COUNT as u128 / u128::from(total);
        let before = tenths(self.below);
        self.bins[0][self.edges.len()] += rows;
        self.below += rows;
        if self.below < self.total && tenths(self.below) > before {
            self.edges.push(score);
        }
    }

    /// Adds rows of the second sample that have a score.
    pub(super) fn add_second(&mut self, score: f64, rows: u64) {
        let bin = self.edges.partition_point(|edge| *edge < score);
        self.bins[1][bin] += rows;
    }

    /// The population stability index; none if a sample is empty.
    pub(super) fn psi(&self) -> Option<f64> {
        let count = self.edges.len() + 1;
        psi(&self.bins[0][..count], &self.bins[1][..count])
    }
}
