//! A job: everything a run needs, resolved; and a worker's way through one portion.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};

use super::arm::{Arms, score_all};
use super::correction::Corrections;
use super::observer::{EncodedBlock, Observer, Partials, ScoredPortion};
use super::ordered::lock;
use super::part::PartPortion;
use super::pieces::Work;
use super::rule::Rules;
use super::scoring::{Rejection, ScoredBlock, Scorer};
use super::selection::Selection;
use super::stage::{Stage, StageTimes};
use crate::error::{Error, Result};
use crate::feature::verdict::{Coercions, Origin};
use crate::process;
use crate::storage::check_unchanged;
use crate::table::dataset::{Dataset, DatasetFile};

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
    /// Positions, in those batches, of the columns that come along.
    pub passthrough: Vec<usize>,
    /// The output's columns: the ones that come along, then the outcome's.
    pub output_schema: SchemaRef,
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
    fn split_rejected(
        &self,
        batch: &RecordBatch,
        scores: Vec<ArrayRef>,
        rejections: &[Rejection],
    ) -> Result<(RecordBatch, Option<RecordBatch>)> {
        let internal = |error| Error::internal("cannot leave rows out").because(error);
        let columns: Vec<ArrayRef> = self
            .passthrough
            .iter()
            .map(|&position| batch.column(position).clone())
            .chain(scores)
            .collect();
        let fields = self.output_schema.fields().iter().zip(&columns);
        let fields = fields.map(|(field, column)| {
            field
                .as_ref()
                .clone()
                .with_data_type(column.data_type().clone())
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let output = RecordBatch::try_new_with_options(schema, columns, &options);
        let output = output.map_err(|error| {
            Error::internal("the output's columns do not fit its schema").because(error)
        })?;
        if rejections.is_empty() {
            return Ok((output, None));
        }
        let read: Vec<usize> = (0..self.read_schema.fields().len()).collect();
        let read = batch.project(&read).map_err(internal)?;
        let mut keep = vec![true; batch.num_rows()];
        rejections
            .iter()
            .for_each(|rejection| keep[rejection.row] = false);
        let output = filter_record_batch(&output, &BooleanArray::from(keep)).map_err(internal)?;
        let rows: UInt64Array = rejections
            .iter()
            .map(|rejection| rejection.row as u64)
            .collect();
        Ok((
            output,
            Some(take_record_batch(&read, &rows).map_err(internal)?),
        ))
    }
}

/// A portion's rows, ready to be scored.
pub(super) struct Decoded {
    part: u64,
    file: usize,
    first_row: u64,
    end_byte: Option<u64>,
    rows_in: u64,
    /// The rows that the filter kept.
    batch: RecordBatch,
    /// Their positions among the portion's rows; none if all were kept.
    kept_rows: Option<Vec<u32>>,
    /// What observers saw of blocks: as many as workers are at work on them.
    seen: Mutex<Vec<Partials>>,
    times: StageTimes,
}

impl Decoded {
    fn origin<'a>(&'a self, job: &'a Job) -> Origin<'a> {
        Origin {
            path: &job.dataset.files[self.file].path,
            kept_rows: self.kept_rows.as_deref(),
            first_row: self.first_row,
        }
    }
}

/// A worker's way through one portion: read and filter it, score its blocks, make the output's rows
/// of them.
pub(super) struct PortionWork<'a> {
    pub(super) job: &'a Job,
    /// Rows that replace rows of the input.
    pub(super) corrections: Option<&'a Corrections>,
}

impl<'a> Work for PortionWork<'a> {
    type Item = PartPortion;
    type State = Vec<Scorer<'a>>;
    type Prepared = Decoded;
    type Piece = Vec<ScoredBlock>;
    type Outcome = Finished;

    fn state(&self) -> Vec<Scorer<'a>> {
        self.job.arms.scorers()
    }

    fn prepare(
        &self,
        _scorers: &mut Vec<Scorer<'a>>,
        PartPortion { part, portion }: PartPortion,
    ) -> Result<Decoded> {
        let (job, mut times) = (self.job, StageTimes::default());
        let (file, first_row, end_byte) = (
            portion.file,
            portion.portion.first_row,
            portion.portion.end_byte,
        );
        let DatasetFile { path, table, .. } = &job.dataset.files[file];
        let batch = times
            .measure(Stage::Read, || (portion.portion.decode)())
            .map_err(|error| error.at_path(path));
        // Before anything is said of what was read: a file that is written to meanwhile is not
        // damaged, it is not finished.
        check_unchanged(path, &table.identity())?;
        let batch = batch?;
        let batch = self
            .corrections
            .iter()
            .try_fold(batch, |batch, corrections| {
                corrections.apply(batch, file, first_row)
            })?;
        let rows_in = batch.num_rows() as u64;
        let (batch, kept_rows) = match &job.selection {
            None => (batch, None),
            Some(selection) => times
                .measure(Stage::Query, || selection.apply(&batch))
                .map_err(|error| error.map_row(|row| row + first_row).at_path(path))?,
        };
        Ok(Decoded {
            part,
            file,
            first_row,
            end_byte,
            rows_in,
            batch,
            kept_rows,
            seen: Mutex::default(),
            times,
        })
    }

    fn piece_count(&self, decoded: &Decoded) -> usize {
        decoded
            .batch
            .num_rows()
            .div_ceil(self.job.arms.block_rows())
    }

    fn piece(
        &self,
        scorers: &mut Vec<Scorer<'a>>,
        decoded: &Decoded,
        number: usize,
    ) -> Result<Vec<ScoredBlock>> {
        let (job, batch) = (self.job, &decoded.batch);
        let rows = job.arms.block(number, batch.num_rows());
        let origin = decoded.origin(job);
        if !job.observers.iter().any(|one| one.watches_blocks()) {
            return score_all(scorers, batch, &rows, origin, None);
        }
        let taken = lock(&decoded.seen).pop();
        let mut seen = taken.unwrap_or_else(|| Partials::empty(&job.observers));
        let mut watch = |block: &EncodedBlock<'_>| seen.observe_block(&job.observers, block);
        let scored = score_all(scorers, batch, &rows, origin, Some(&mut watch))?;
        lock(&decoded.seen).push(seen);
        Ok(scored)
    }

    fn finish(&self, decoded: &Decoded, blocks: Vec<Vec<ScoredBlock>>) -> Result<Finished> {
        let mut times = decoded.times;
        blocks
            .iter()
            .flatten()
            .for_each(|block| times.add(&block.times));
        let mut scored = times.measure(Stage::Finish, || self.job.arms.gather(blocks))?;
        let (rules, origin) = (&self.job.rules, decoded.origin(self.job));
        let verdicts = times
            .measure(Stage::Query, || rules.judge(&decoded.batch))
            .map_err(|error| error.at_path(origin.path))?;
        let input_count = scored.coercions.len();
        rules.reject(&verdicts, &mut scored.rejections, input_count, origin);
        let (output, rejected) = times.measure(Stage::Finish, || {
            self.job
                .split_rejected(&decoded.batch, scored.columns, &scored.rejections)
        })?;
        let portion = ScoredPortion {
            rows: &decoded.batch,
            rejections: &scored.rejections,
            scores: &output.columns()[self.job.passthrough.len()..],
            verdicts: &verdicts,
            origin,
        };
        let seen = times.measure(Stage::Finish, || {
            let mut seen = Partials::observe(&self.job.observers, &portion)?;
            let of_blocks = std::mem::take(&mut *lock(&decoded.seen));
            of_blocks.iter().try_for_each(|other| seen.merge(other))?;
            Ok::<_, Error>(seen)
        })?;
        Ok(Finished {
            part: decoded.part,
            file: decoded.file,
            first_row: decoded.first_row,
            end_byte: decoded.end_byte,
            rows_in: decoded.rows_in,
            filtered: decoded.rows_in - decoded.batch.num_rows() as u64,
            rejections: scored.rejections,
            rejected,
            coercions: scored.coercions,
            output,
            seen,
            counts: scored.counts,
            times,
        })
    }
}
