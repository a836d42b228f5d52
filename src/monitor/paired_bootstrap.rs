//! The bootstrap of two scores of the same rows.
//!
//! Owns the table that it draws from: labelled rows by the bins of both scores and by class, in the
//! order of the bins. Drawing a cell is drawing its rows, each with its own Poisson weight, so both
//! scores see the same rows in every replicate. It must not know how rows are ranked.

use std::collections::BTreeMap;

use super::interval::{Estimate, bootstrap_of};
use super::rank_metrics::{average_precision_of, ks_of};

/// Rows of both scores by their bins.
#[derive(Clone, Debug, Default)]
pub struct PairedTable {
    cells: Vec<Cell>,
    /// Rows of the second score's bin that is not over: by bin of the first and class.
    open: BTreeMap<(u32, bool), u64>,
    second: u32,
    /// The highest bin of the first score.
    first_max: u32,
}

/// Rows of one class that share the bins of both scores.
#[derive(Clone, Copy, Debug)]
struct Cell {
    first: u32,
    second: u32,
    is_positive: bool,
    rows: u64,
}

impl PairedTable {
    /// Takes rows of a bin of the second score, which never falls.
    pub fn add(&mut self, [first, second]: [u32; 2], is_positive: bool, rows: u64) {
        if second != self.second {
            self.end_bin();
            self.second = second;
        }
        self.first_max = self.first_max.max(first);
        *self.open.entry((first, is_positive)).or_default() += rows;
    }

    fn end_bin(&mut self) {
        let second = self.second;
        let open = std::mem::take(&mut self.open).into_iter();
        let cell = |((first, is_positive), rows)| Cell {
            first,
            second,
            is_positive,
            rows,
        };
        self.cells.extend(open.map(cell));
    }

    /// Average precision and the distance between the classes: the second score's less the first's,
    /// with the intervals of replicates that are moved so that their mean lies on these values.
    #[must_use]
    pub fn differences(mut self, values: [f64; 2]) -> [Estimate; 2] {
        self.end_bin();
        let Self {
            cells,
            second,
            first_max,
            ..
        } = self;
        let counts: Vec<u64> = cells.iter().map(|cell| cell.rows).collect();
        let bins = [first_max, second].map(|bin| bin as usize + 1);
        let replicates = bootstrap_of(&counts, |drawn| {
            let mut sides = bins.map(|bins| vec![0_u64; 2 * bins]);
            for (cell, rows) in cells.iter().zip(drawn) {
                // Positives come first in a group.
                let class = usize::from(!cell.is_positive);
                sides[0][2 * cell.first as usize + class] += rows;
                sides[1][2 * cell.second as usize + class] += rows;
            }
            let of = |metric: fn(&[u64]) -> f64| metric(&sides[1]) - metric(&sides[0]);
            [of(average_precision_of), of(ks_of)]
        });
        let mut values = values.into_iter();
        replicates.map(|replicates| {
            let value = values.next().unwrap_or(f64::NAN);
            Estimate::of_moved_replicates(value, replicates, (-1.0, 1.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::golden::{noise, row_bootstrap};
    use super::super::paired::{PairedCurves, PairedScores};
    use crate::interrupt::Interrupt;

    /// Rows with two noisy scores of one signal, and whether they are positive.
    fn rows(count: u64, positive_share: f64, seed: u64) -> Vec<([f64; 2], bool)> {
        let row = |row: u64| {
            let of = |which: u64| noise(seed, 8 * row + which);
            let is_positive = (row as f64 * 0.618_033_988_749_895).fract() < positive_share;
            let signal = of(0) + if is_positive { 1.2 } else { 0.0 };
            ([signal + 0.7 * of(1), signal + 0.7 * of(2)], is_positive)
        };
        (0..count).map(row).collect()
    }

    fn curves(rows: &[([f64; 2], bool)], run_bytes: usize) -> PairedCurves {
        let directory = tempfile::tempdir().unwrap();
        let mut scores = PairedScores::new(&directory.path().into(), run_bytes);
        for (both, is_positive) in rows {
            scores.add(0, *both, Some(u32::from(*is_positive))).unwrap();
        }
        let mut found = scores.finish(Some(1), &Interrupt::default()).unwrap();
        found.remove(&0).unwrap().curves.unwrap()
    }

    #[test]
    fn intervals_of_rare_positives_are_as_wide_as_those_of_drawn_rows() {
        // As a table of rows, and as one whose rows share bins.
        for (count, share, replicates) in [(2000, 0.033, 300), (12_000, 0.01, 100)] {
            let mut rows = rows(count, share, count);
            let found = curves(&rows, 1 << 24);
            let expected = row_bootstrap(&rows, replicates);
            let pairs = [found.average_precision, found.ks]
                .into_iter()
                .zip(expected);
            for (found, [value, deviation]) in pairs {
                let (_, estimate) = found.unwrap();
                let (low, high) = estimate.interval.unwrap();
                assert!((estimate.value - value).abs() < 1e-12, "{estimate:?}");
                let ratio = (high - low) / (2.0 * 1.96 * deviation);
                assert!((0.85..1.15).contains(&ratio), "{count}: {ratio}");
            }
            if count == 2000 {
                rows.reverse();
                assert_eq!(
                    curves(&rows, 20_000),
                    found,
                    "whatever the order and the memory"
                );
            }
        }
    }

    #[test]
    fn scores_of_one_quality_are_seldom_distinct_by_average_precision() {
        let distinct = (1..=40).filter(|seed| {
            let found = curves(&rows(300, 0.05, *seed), 1 << 20);
            let (_, difference) = found.average_precision.unwrap();
            let (low, high) = difference.interval.unwrap();
            low > 0.0 || high < 0.0
        });
        let count = distinct.count();
        assert!(count <= 5, "{count} of 40");
    }
}
