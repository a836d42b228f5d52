//! A job: everything a run needs, resolved; and the run itself, from the first portion to the closed file.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};

use super::ledger::Ledger;
use super::ordered::for_each_in_order;
use super::scoring::{Scorer, Scoring};
use super::selection::Selection;
use super::stage::{Stage, StageTimes};
use crate::error::{Error, Result};
use crate::feature::verdict::{Coercions, Origin, Reason};
use crate::report::scores::ScoreStatistics;
use crate::table::Sink;
use crate::table::dataset::{Dataset, FilePortion, FilePortions, Position};

/// A run, resolved: nothing in here is a default any more.
#[derive(Debug)]
pub struct Job {
    /// The files.
    pub dataset: Arc<Dataset>,
    /// The columns to decode, with their types.
    pub read_schema: SchemaRef,
    /// Filter and derived columns, if any.
    pub selection: Option<Selection>,
    /// The model and its binding to the batches that the selection gives.
    pub scoring: Scoring,
    /// Positions, in those batches, of the columns that come along.
    pub passthrough: Vec<usize>,
    /// The output's columns: the ones that come along, then the outcome's.
    pub output_schema: SchemaRef,
    /// Rows of the input to read at most.
    pub limit: Option<u64>,
    /// The number of workers.
    pub threads: usize,
}

/// What a run did.
#[derive(Debug)]
pub struct Outcomes {
    /// The account of every row.
    pub ledger: Ledger,
    /// What was done to each input's values, in the inputs' order.
    pub coercions: Vec<Coercions>,
    /// The distribution of each outcome column.
    pub scores: ScoreStatistics,
    /// Work per stage over all workers.
    pub times: StageTimes,
}

/// A portion's way through the workers.
struct Finished {
    file: usize,
    rows_in: u64,
    filtered: u64,
    rejected: Vec<(usize, usize, Reason)>,
    coercions: Vec<Coercions>,
    output: RecordBatch,
    times: StageTimes,
}

/// Runs the job into `sink`, which is closed at the end; `advance` hears of input rows as they are done.
///
/// # Errors
/// The first failure in input order; a ledger that does not balance is an internal error.
pub fn run<'a>(job: &Job, mut sink: Box<dyn Sink + 'a>, advance: &(dyn Fn(u64) + Sync)) -> Result<Outcomes> {
    let mut outcomes = Outcomes {
        ledger: Ledger::new(job.dataset.files.iter().map(|file| file.path.clone())),
        coercions: vec![Coercions::default(); job.scoring.encoder().inputs().len()],
        scores: ScoreStatistics::new(&job.scoring.fields(), job.passthrough.len()),
        times: StageTimes::default(),
    };
    let mut written = 0;
    let deliver = |finished: Finished| {
        advance(finished.rows_in);
        outcomes.settle(&finished, sink.as_mut()).map(|()| written += finished.output.num_rows() as u64)
    };
    let source = Limited { portions: job.dataset.portions(&job.read_schema, Position::default()), left: job.limit.unwrap_or(u64::MAX) };
    for_each_in_order(job.threads, source, || job.scoring.scorer(), |scorer, portion| job.process(scorer, portion), deliver)?;
    let mut times = StageTimes::default();
    times.measure(Stage::Write, || sink.finish())?;
    outcomes.times.add(&times);
    outcomes.ledger.check(written)?;
    Ok(outcomes)
}

/// Portions until the limit is used up.
struct Limited {
    portions: FilePortions,
    left: u64,
}

impl Iterator for Limited {
    type Item = Result<FilePortion>;

    fn next(&mut self) -> Option<Self::Item> {
        let most_rows = Some(self.left).filter(|&left| left > 0)?;
        let next = self.portions.next_portion(most_rows).transpose()?;
        self.left -= next.as_ref().map_or(0, |portion| portion.portion.row_count);
        Some(next)
    }
}

impl Job {
    /// The number of rows to read, if every file says so without being read.
    #[must_use]
    pub fn row_count(&self) -> Option<u64> {
        self.dataset.row_count().map(|rows| self.limit.map_or(rows, |limit| limit.min(rows)))
    }

    fn process(&self, scorer: &mut Scorer, portion: FilePortion) -> Result<Finished> {
        let mut times = StageTimes::default();
        let (file, first_row) = (portion.file, portion.portion.first_row);
        let path = &self.dataset.files[file].path;
        let batch = times.measure(Stage::Read, || (portion.portion.decode)()).map_err(|error| error.at_path(path))?;
        let rows_in = batch.num_rows() as u64;
        let (batch, kept_rows) = match &self.selection {
            None => (batch, None),
            Some(selection) => times.measure(Stage::Query, || selection.apply(&batch)).map_err(|error| error.at_path(path))?,
        };
        let filtered = rows_in - batch.num_rows() as u64;
        let origin = Origin { path, kept_rows: kept_rows.as_deref(), first_row };
        let scored = scorer.score(&batch, origin, &mut times)?;
        let output = times.measure(Stage::Finish, || self.output(&batch, scored.columns, &scored.rejected))?;
        Ok(Finished { file, rows_in, filtered, rejected: scored.rejected, coercions: scored.coercions, output, times })
    }

    /// The rows that were not rejected, with the columns of the output, in the types that they were read as.
    fn output(&self, batch: &RecordBatch, scores: Vec<ArrayRef>, rejected: &[(usize, usize, Reason)]) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = self.passthrough.iter().map(|&position| batch.column(position).clone()).chain(scores).collect();
        let typed =
            self.output_schema.fields().iter().zip(&columns).map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
        let schema = Arc::new(Schema::new(typed.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let assembled = RecordBatch::try_new_with_options(schema, columns, &options);
        let assembled = assembled.map_err(|error| Error::internal("the output's columns do not fit its schema").because(error))?;
        if rejected.is_empty() {
            return Ok(assembled);
        }
        let mut keep = vec![true; batch.num_rows()];
        for &(row, ..) in rejected {
            keep[row] = false;
        }
        filter_record_batch(&assembled, &BooleanArray::from(keep)).map_err(|error| Error::internal("cannot leave rows out").because(error))
    }
}

impl Outcomes {
    fn settle(&mut self, finished: &Finished, sink: &mut dyn Sink) -> Result<()> {
        self.times.add(&finished.times);
        let mut times = StageTimes::default();
        times.measure(Stage::Write, || {
            self.scores.observe(&finished.output)?;
            sink.write(&finished.output)
        })?;
        self.times.add(&times);
        let account = &mut self.ledger.files[finished.file];
        account.rows_in += finished.rows_in;
        account.filtered += finished.filtered;
        account.rejected += finished.rejected.len() as u64;
        account.scored += finished.output.num_rows() as u64;
        for &(_, input, reason) in &finished.rejected {
            *self.ledger.reasons.entry((input, reason)).or_default() += 1;
        }
        self.coercions.iter_mut().zip(&finished.coercions).for_each(|(sum, counts)| sum.add(counts));
        Ok(())
    }
}
