//! A part of a run: what became of a run of input rows. Parts are what a run resumes by.
//!
//! Where a part begins depends on the input alone (every N rows of it), so that threads, batches,
//! bad rows and restarts cannot move a border. Owns the account of a part. It must not know where
//! its rows are written.

use crate::table::dataset::FilePortion;
use serde::{Deserialize, Serialize};

use super::job::Finished;
use crate::feature::verdict::{Coercions, Reason};
use crate::table::dataset::Position;

/// Rows of the input to be worked on, cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number of its first part.
    pub first_part: u64,
    /// Where it begins.
    pub start: Position,
    /// The byte of the file there, where it is known.
    pub start_byte: Option<u64>,
    /// How many rows it has at most.
    pub row_count: u64,
}

/// The rows of one file, in one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct RowCounts {
    /// Rows read.
    pub rows_in: u64,
    /// Rows with a prediction in the output.
    pub scored: u64,
    /// Rows dropped by a policy.
    pub rejected: u64,
    /// Rows that `--where` dropped.
    pub filtered: u64,
}

impl RowCounts {
    /// Adds other rows.
    pub fn add(&mut self, other: &Self) {
        self.rows_in += other.rows_in;
        self.scored += other.scored;
        self.rejected += other.rejected;
        self.filtered += other.filtered;
    }
}

/// The sum, unless it is larger than any count.
fn sum(numbers: impl IntoIterator<Item = u64>) -> Option<u64> {
    numbers
        .into_iter()
        .try_fold(0, |sum: u64, number| sum.checked_add(number))
}

/// What became of the rows of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct PartAccount {
    /// The part's number, from 0.
    pub number: u64,
    /// Where its rows begin.
    pub start: Position,
    /// Where they end.
    pub end: Position,
    /// The byte of the file there, where the format can go on at one: what comes next need not be
    /// looked for.
    #[serde(default)]
    pub end_byte: Option<u64>,
    /// (file, its rows in this part), in input order.
    pub rows: Vec<(usize, RowCounts)>,
    /// (input, reason, rows rejected for it), ascending.
    pub reasons: Vec<(usize, Reason, u64)>,
    /// What was done to each input's values.
    pub coercions: Vec<Coercions>,
}

impl PartAccount {
    /// The account of a part that begins at `start`, of a model with so many inputs.
    #[must_use]
    pub fn new(number: u64, start: Position, input_count: usize) -> Self {
        Self {
            number,
            start,
            end: start,
            coercions: vec![Coercions::default(); input_count],
            ..Self::default()
        }
    }

    /// Books a portion, which is the next of the part.
    pub fn book(&mut self, finished: &Finished) {
        let rows = RowCounts {
            rows_in: finished.rows_in,
            scored: finished.output.num_rows() as u64,
            rejected: finished.rejections.len() as u64,
            filtered: finished.filtered,
        };
        match self.rows.last_mut() {
            Some((file, counts)) if *file == finished.file => counts.add(&rows),
            _ => self.rows.push((finished.file, rows)),
        }
        for rejection in &finished.rejections {
            match self.reasons.binary_search_by_key(
                &(rejection.input, rejection.reason),
                |&(input, reason, _)| (input, reason),
            ) {
                Ok(known) => self.reasons[known].2 += 1,
                Err(index) => self
                    .reasons
                    .insert(index, (rejection.input, rejection.reason, 1)),
            }
        }
        self.coercions
            .iter_mut()
            .zip(&finished.coercions)
            .for_each(|(sum, counts)| sum.add(counts));
        self.end_byte = finished.end_byte;
        self.end = Position {
            file: finished.file,
            row: finished.first_row + finished.rows_in,
        };
    }

    /// Whether its numbers can be those of a run over so many files, of a model with so many
    /// inputs, of a run with so many rules, that wrote so many rows: records are read back from a
    /// disk.
    #[must_use]
    pub fn fits(
        &self,
        file_count: usize,
        input_count: usize,
        rule_count: usize,
        rows_written: Option<u64>,
    ) -> bool {
        let is_balanced = |rows: &RowCounts| {
            sum([rows.scored, rows.rejected, rows.filtered]) == Some(rows.rows_in)
        };
        let counts = || self.rows.iter().map(|(_, counts)| counts);
        let reasons = sum(self.reasons.iter().map(|(_, _, count)| *count));
        self.number < u64::MAX
            && self.start <= self.end
            && self.end.file <= file_count
            && self.rows.iter().all(|(file, _)| *file < file_count)
            && counts().all(is_balanced)
            && sum(counts().map(|rows| rows.rows_in)).is_some()
            && rows_written.is_some()
            && sum(counts().map(|rows| rows.scored)) == rows_written
            && sum(counts().map(|rows| rows.rejected)) == reasons
            && self
                .reasons
                .iter()
                .all(|(input, _, _)| *input < input_count + rule_count)
            && self.coercions.len() == input_count
    }

    /// All rows of the part.
    #[must_use]
    pub fn total(&self) -> RowCounts {
        let mut total = RowCounts::default();
        self.rows.iter().for_each(|(_, counts)| total.add(counts));
        total
    }
}

/// A portion, and the part that it belongs to.
pub(super) struct PartPortion {
    pub(super) part: u64,
    pub(super) portion: FilePortion,
    /// Whether it has only the columns of the run's own model.
    pub(super) is_own: bool,
}
