//! The models that score a run's rows: arms, which see the same rows and add columns of their own.
//!
//! Owns how arms work on one portion: block by block, each block by every arm, and how what comes
//! of them is put together. Inputs are numbered through all arms. It must not know what decides
//! which arm's answer counts.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::Field;

use super::observer::Watch;
use super::scoring::{Rejection, Scored, ScoredBlock, Scorer, Scoring};
use crate::contract::binding::BoundInput;
use crate::error::Result;
use crate::feature::verdict::Origin;
use crate::model::Counter;

/// A model with its binding, under a name.
#[derive(Debug)]
pub struct Arm {
    /// The name in reports.
    pub name: String,
    /// The model, its encoder and its outcome, bound to the run's rows.
    pub scoring: Scoring,
}

/// All arms of a run, in order: at least one.
#[derive(Debug)]
pub struct Arms(Vec<Arm>);

impl Arms {
    /// A run's one model.
    #[must_use]
    pub fn one(arm: Arm) -> Self {
        Self(vec![arm])
    }

    /// The arms in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arm> {
        self.0.iter()
    }

    /// The inputs of all arms with the columns that feed them.
    pub fn inputs(&self) -> impl Iterator<Item = &BoundInput> {
        self.iter().flat_map(|arm| arm.scoring.encoder().inputs())
    }

    /// What the models of all arms count.
    pub fn counters(&self) -> impl Iterator<Item = &Counter> {
        self.iter()
            .flat_map(|arm| arm.scoring.model().model.counters())
    }

    /// The columns that the arms add.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.iter().flat_map(|arm| arm.scoring.fields()).collect()
    }

    /// The rows that all arms score at once, by one worker.
    #[must_use]
    pub fn block_rows(&self) -> usize {
        let rows = self.iter().map(|arm| arm.scoring.block_rows());
        rows.min().unwrap_or(1)
    }

    /// What one worker writes on.
    #[must_use]
    pub fn scorers(&self) -> Vec<Scorer<'_>> {
        self.iter().map(|arm| arm.scoring.scorer()).collect()
    }

    /// The rows of block `number` of `row_count`.
    #[must_use]
    pub fn block(&self, number: usize, row_count: usize) -> Range<usize> {
        let start = number * self.block_rows();
        start..(start + self.block_rows()).min(row_count)
    }

    /// Puts the blocks of a portion together, each of which holds what came of every arm.
    ///
    /// # Errors
    /// As [`Scoring::gather`].
    pub fn gather(&self, blocks: Vec<Vec<ScoredBlock>>) -> Result<Scored> {
        let mut of_arm: Vec<Vec<ScoredBlock>> = self.iter().map(|_| Vec::new()).collect();
        for block in blocks {
            of_arm
                .iter_mut()
                .zip(block)
                .for_each(|(blocks, block)| blocks.push(block));
        }
        let scored = self.iter().zip(of_arm);
        let scored = scored.map(|(arm, blocks)| arm.scoring.gather(blocks));
        Ok(joined(scored.collect::<Result<_>>()?))
    }
}

/// Scores rows of a batch with every arm; `watch` sees what the first of them reads.
///
/// # Errors
/// The first arm's failure.
pub(super) fn score_all(
    scorers: &mut [Scorer<'_>],
    batch: &RecordBatch,
    rows: &Range<usize>,
    origin: Origin,
    mut watch: Watch<'_>,
) -> Result<Vec<ScoredBlock>> {
    let scored = scorers.iter_mut();
    scored
        .map(|scorer| scorer.score(batch, rows.clone(), origin, watch.take()))
        .collect()
}

/// What came of all arms, as of one: the columns of each, and the rows that any of them rejected.
fn joined(mut scored: Vec<Scored>) -> Scored {
    if scored.len() == 1 {
        return scored.remove(0);
    }
    let mut all = Scored {
        columns: Vec::new(),
        rejections: Vec::new(),
        coercions: Vec::new(),
        counts: Vec::new(),
    };
    let mut by_row: BTreeMap<usize, Rejection> = BTreeMap::new();
    for one in scored {
        let first_input = all.coercions.len();
        for rejection in one.rejections {
            let numbered = Rejection {
                input: first_input + rejection.input,
                ..rejection
            };
            by_row.entry(rejection.row).or_insert(numbered);
        }
        all.columns.extend(one.columns);
        all.coercions.extend(one.coercions);
        all.counts.extend(one.counts);
    }
    all.rejections = by_row.into_values().collect();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::verdict::{Coercions, Reason};

    fn scored(rows: &[usize], input_count: usize) -> Scored {
        let rejection = |row: &usize| Rejection {
            row: *row,
            number: *row as u64 + 1,
            input: input_count - 1,
            reason: Reason::Null,
        };
        Scored {
            columns: Vec::new(),
            rejections: rows.iter().map(rejection).collect(),
            coercions: vec![Coercions::default(); input_count],
            counts: vec![input_count as u64],
        }
    }

    #[test]
    fn a_row_that_any_arm_rejects_is_rejected_once_for_the_first_input_that_refused_it() {
        let all = joined(vec![scored(&[2, 7], 3), scored(&[1, 7], 2)]);
        let rejected: Vec<(usize, usize)> = all
            .rejections
            .iter()
            .map(|rejection| (rejection.row, rejection.input))
            .collect();
        assert_eq!(rejected, [(1, 4), (2, 2), (7, 2)]);
        assert_eq!(all.coercions.len(), 5);
        assert_eq!(all.counts, [3, 2]);
        let one = joined(vec![scored(&[3], 1)]);
        assert_eq!(one.rejections[0].input, 0);
    }
}
