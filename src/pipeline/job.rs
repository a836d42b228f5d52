//! A job: everything a run needs, resolved; and a worker's way through one portion.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;

use super::arm::Arms;
use super::challenger::{self, Challengers};
use super::mask::Mask;
use super::observer::{Observer, Partials};
use super::part::PartAccount;
use super::rule::Rules;
use super::scoring::Rejection;
use super::selection::Selection;
use super::stage::StageTimes;
use crate::error::{Error, Result};
use crate::feature::verdict::Coercions;
use crate::process;
use crate::table::dataset::Dataset;

/// A run, resolved: nothing in here is a default any more.
#[derive(Debug)]
pub struct Job {
    /// The files.
    pub dataset: Arc<Dataset>,
    /// The columns that are read, with the types that the files declare.
    pub table_schema: SchemaRef,
    /// The same columns with the types that they are read as.
    pub read_schema: SchemaRef,
    /// Filter and derived columns, if any.
    pub selection: Option<Selection>,
    /// The models, each with its binding to the batches that the selection gives.
    pub arms: Arms,
    /// Models that score the rows as well, if there are any.
    pub challengers: Option<Challengers>,
    /// Positions, in those batches, of the columns that come along.
    pub passthrough: Vec<usize>,
    /// The output's columns: the ones that come along, then the outcome's.
    pub output_schema: SchemaRef,
    /// Columns that no output shows as they are.
    pub mask: Mask,
    /// Conditions on rows and on the table.
    pub rules: Arc<Rules>,
    /// What watches the rows pass.
    pub observers: Vec<Box<dyn Observer>>,
    /// Rows of the input to read at most.
    pub limit: Option<u64>,
    /// Rows of the input in each part of the output; none: all are one part.
    pub rows_per_part: Option<u64>,
    /// The number of workers.
    pub threads: usize,
    /// The resident size, in bytes, at which no further portion is begun while others are at work.
    pub memory_bytes: Option<u64>,
}

/// What came of a portion.
#[derive(Debug)]
pub struct Finished {
    /// The part that it belongs to.
    pub part: u64,
    /// The file's index in the data set.
    pub file: usize,
    /// The rows of the file before it.
    pub first_row: u64,
    /// The byte of the file behind its rows, if the format can go on there.
    pub end_byte: Option<u64>,
    /// Rows read.
    pub rows_in: u64,
    /// Rows that the filter dropped.
    pub filtered: u64,
    /// Rows that a policy dropped, in order.
    pub rejections: Vec<Rejection>,
    /// Those rows as they were read; none if there is none.
    pub rejected: Option<RecordBatch>,
    /// What was done to each input's values.
    pub coercions: Vec<Coercions>,
    /// The rows of the output.
    pub output: RecordBatch,
    /// What the observers saw of them.
    pub seen: Partials,
    /// For each of the models' counters, what was added to it.
    pub counts: Vec<u64>,
    /// The time that it took.
    pub times: StageTimes,
    /// What came of it of each challenger; none of one that failed.
    pub challengers: Vec<Option<Finished>>,
}

impl Job {
    /// What may reject a row: the columns that feed the models, then the rules, by the numbers of
    /// [`Rejection::input`].
    #[must_use]
    pub fn refusing(&self) -> Vec<&str> {
        let inputs = self.arms.inputs().map(|bound| bound.column.as_str());
        let rules = self.rules.iter().map(|rule| rule.name.as_str());
        inputs.chain(rules).collect()
    }

    /// Whether an account can be that of a part of this run with so many rows in its output.
    #[must_use]
    pub fn fits(&self, account: &PartAccount, rows_written: Option<u64>) -> bool {
        let (file_count, input_count) = (self.dataset.files.len(), self.arms.inputs().count());
        account.fits(
            file_count,
            input_count,
            self.rules.iter().len(),
            rows_written,
        )
    }

    /// The columns that are read from files: those of all models.
    #[must_use]
    pub fn file_schema(&self) -> &SchemaRef {
        self.challengers
            .as_ref()
            .map_or(&self.read_schema, |all| &all.read_schema)
    }

    /// The number of rows to read, if every file says so without being read.
    #[must_use]
    pub fn row_count(&self) -> Option<u64> {
        self.dataset
            .row_count()
            .map(|rows| self.limit.map_or(rows, |limit| limit.min(rows)))
    }

    /// Whether so much memory is taken that nothing further may be begun.
    pub(super) fn pressure(&self) -> impl Fn() -> bool + Sync {
        let most = self.memory_bytes;
        move || most.is_some_and(|most| process::memory_bytes().is_some_and(|bytes| bytes > most))
    }

    /// The rows that were not rejected, with the columns of the output, and the rejected ones, with
    /// the columns that were read; all in the types that they were read as.
    pub(super) fn split_rejected(
        &self,
        batch: &RecordBatch,
        scores: Vec<ArrayRef>,
        rejections: &[Rejection],
    ) -> Result<(RecordBatch, Option<RecordBatch>)> {
        let internal = |error| Error::internal("cannot filter rows").because(error);
        let columns: Vec<ArrayRef> = self
            .passthrough
            .iter()
            .map(|&position| batch.column(position).clone())
            .chain(scores)
            .collect();
        let mut keep = vec![true; batch.num_rows()];
        rejections
            .iter()
            .for_each(|rejection| keep[rejection.row] = false);
        let output = challenger::kept(&self.output_schema, columns, &keep)?;
        let output = self.mask.apply(output, self.passthrough.len())?;
        if rejections.is_empty() {
            return Ok((output, None));
        }
        let read: Vec<usize> = (0..self.read_schema.fields().len()).collect();
        let read = batch.project(&read).map_err(internal)?;
        let rows: UInt64Array = rejections
            .iter()
            .map(|rejection| rejection.row as u64)
            .collect();
        let rejected = take_record_batch(&read, &rows).map_err(internal)?;
        let count = rejected.num_columns();
        Ok((output, Some(self.mask.apply(rejected, count)?)))
    }
}
