//! Blocks of rows scored on one worker: values encoded, margins or columns of the model finished.
//!
//! Owns a worker's state. What is scored by, and how large a block is, is `scoring`'s.

use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::DataType;

use super::model_output::ModelOutput;
use super::observer::{EncodedBlock, Features, Watch};
use super::refused::{settle_numbers, settle_texts, without_margins, without_results};
use super::scoring::{Rejection, ScoredBlock, Scoring};
use super::stage::{Stage, StageTimes};
use crate::error::{Error, Result};
use crate::feature::FeatureBlock;
use crate::feature::substitute::{first_refused, row_alone, row_count, without_rejected};
use crate::feature::verdict::{Coercions, Origin, Reason};
use crate::model::{ColumnScores, ColumnWorker, Scores, TrainedModel, Wants, Worker};
use crate::outcome::{Outcome, Task};
use crate::table::nested;

impl Scoring {
    /// Per-worker scratch space for scoring.
    #[must_use]
    pub fn scorer(&self) -> Scorer<'_> {
        Scorer {
            scoring: self,
            bench: match &self.model.model {
                TrainedModel::Numeric(model) => Bench::Numeric {
                    block: FeatureBlock::empty(self.block_precision(model.precision())),
                    worker: model.worker(),
                },
                TrainedModel::Columnar(model) => Bench::Columnar(model.worker()),
            },
        }
    }
}

/// One worker's state.
#[derive(Debug)]
pub struct Scorer<'a> {
    scoring: &'a Scoring,
    bench: Bench<'a>,
}

/// What the worker's model works with.
#[derive(Debug)]
enum Bench<'a> {
    Numeric {
        block: FeatureBlock,
        worker: Box<dyn Worker + 'a>,
    },
    Columnar(Box<dyn ColumnWorker + 'a>),
}

impl Scorer<'_> {
    /// Scores rows of the batch: a block of them, which `watch` sees.
    ///
    /// # Errors
    /// Fails at a value whose policy is to stop, naming its place, or if the model fails.
    pub fn score(
        &mut self,
        batch: &RecordBatch,
        range: Range<usize>,
        origin: Origin,
        watch: Watch<'_>,
    ) -> Result<ScoredBlock> {
        let (start, rows) = (range.start, range.len());
        let (origin, mut times) = (origin.from(start, rows), StageTimes::default());
        let column = |position: &Option<(usize, Vec<usize>)>| match position {
            Some((position, path)) => {
                nested::values(&batch.column(*position).slice(start, rows), path)
                    .ok_or_else(|| Error::internal("a field of a struct that is not in the batch"))
            }
            None => Ok(new_null_array(&DataType::Null, rows)),
        };
        let columns = self
            .scoring
            .positions
            .iter()
            .map(column)
            .collect::<Result<Vec<ArrayRef>>>()?;
        let mut coercions = vec![Coercions::default(); columns.len()];
        let Scoring {
            model,
            encoder,
            offset_count,
            ..
        } = self.scoring;
        let (answers, rejected, counts) = match &mut self.bench {
            Bench::Numeric { block, worker } => {
                let verdicts = times.measure(Stage::Encode, || {
                    encoder.encode(&columns, rows, block, &mut coercions, origin)
                })?;
                let offsets = (*offset_count > 0).then(|| block.split_last(*offset_count));
                let wants = Wants {
                    offsets: offsets.as_ref(),
                    leaves: false,
                };
                let precision = model.model.precision().unwrap_or(block.precision());
                let mut scores = Scores::empty(precision);
                times
                    .measure(Stage::Score, || worker.score(block, &wants, &mut scores))
                    .map_err(|error| error.at_path(origin.path))?;
                let (mut margins, mut verdicts) = (scores.margins, verdicts.into_rows());
                let refused = scores.refused;
                let missing =
                    settle_numbers(encoder, refused, &mut verdicts, &mut coercions, origin)?;
                without_margins(&mut margins, &missing, rows);
                let features = Features::Numbers(block);
                watched(watch, &columns, features, &verdicts, rows, &mut times)?;
                (ModelOutput::Margins(margins), verdicts, Vec::new())
            }
            Bench::Columnar(worker) => {
                let (encoded, verdicts) = times.measure(Stage::Encode, || {
                    encoder.encode_columns(&columns, rows, &mut coercions, origin)
                })?;
                let mut verdicts = verdicts.into_rows();
                let rejected: Vec<usize> = verdicts.iter().map(|(row, ..)| *row).collect();
                let mut scored = times.measure(Stage::Score, || {
                    score_columns(&mut **worker, &encoded, &rejected, &model.outcome, origin)
                })?;
                let unseen = unseen(&mut **worker, &encoded, scored.unseen, &rejected)?;
                if let Some(coercions) = coercions.first_mut() {
                    coercions.truncated_count += scored.truncated_count;
                    coercions.unfit_count +=
                        settle_texts(encoder, scored.refused, &mut verdicts, origin)?;
                }
                let unfit = std::mem::take(&mut scored.unfit);
                let missing =
                    settle_numbers(encoder, unfit, &mut verdicts, &mut coercions, origin)?;
                without_results(&mut scored.columns, &missing)?;
                coercions
                    .iter_mut()
                    .zip(unseen)
                    .for_each(|(coercions, count)| coercions.unseen_count += count);
                let features = Features::Columns(&encoded);
                watched(watch, &columns, features, &verdicts, rows, &mut times)?;
                (
                    ModelOutput::Columns(scored.columns),
                    verdicts,
                    scored.counts,
                )
            }
        };
        let rejection = |(row, input, reason)| Rejection {
            row: start + row,
            number: origin.row_number(row),
            input,
            reason,
        };
        Ok(ScoredBlock {
            answers,
            counts,
            rejections: rejected.into_iter().map(rejection).collect(),
            coercions,
            times,
        })
    }
}

/// Shows a block to who watches.
fn watched(
    watch: Watch<'_>,
    columns: &[ArrayRef],
    features: Features<'_>,
    verdicts: &[(usize, usize, Reason)],
    row_count: usize,
    times: &mut StageTimes,
) -> Result<()> {
    let Some(watch) = watch else { return Ok(()) };
    let rejected: Vec<usize> = verdicts.iter().map(|(row, ..)| *row).collect();
    let block = EncodedBlock {
        columns,
        features,
        rejected: &rejected,
        row_count,
    };
    times.measure(Stage::Finish, || watch(&block))
}

/// For each input, the values of the block just scored that the model's own encoders do not know.
/// What stands in for rejected rows was counted with them and is none of the table's.
fn unseen(
    worker: &mut dyn ColumnWorker,
    columns: &[ArrayRef],
    mut unseen: Vec<u64>,
    rejected: &[usize],
) -> Result<Vec<u64>> {
    let accepted = rejected
        .iter()
        .enumerate()
        .find(|(row, rejected)| row != *rejected)
        .map_or(rejected.len(), |(row, _)| row);
    let has_substitutes = !rejected.is_empty()
        && accepted < row_count(columns)
        && unseen.iter().any(|count| *count > 0);
    if has_substitutes {
        let alone = worker.score(&row_alone(columns, accepted))?;
        let copies = rejected.len() as u64;
        unseen
            .iter_mut()
            .zip(alone.unseen)
            .for_each(|(all, one)| *all = all.saturating_sub(copies * one));
    }
    Ok(unseen)
}

/// Scores the encoded columns; graph output for rejected rows is ignored.
fn score_columns(
    worker: &mut dyn ColumnWorker,
    columns: &[ArrayRef],
    rejected: &[usize],
    outcome: &Outcome,
    origin: Origin,
) -> Result<ColumnScores> {
    let rows = row_count(columns);
    if let Task::Columns(finished) = &outcome.task
        && rows > 0
        && rejected.len() == rows
    {
        let nothing = finished
            .fields
            .iter()
            .map(|field| new_null_array(field.data_type(), rows));
        return Ok(ColumnScores {
            columns: nothing.collect(),
            ..ColumnScores::default()
        });
    }
    let substitute = without_rejected(columns, rejected)?;
    let columns = substitute.as_deref().unwrap_or(columns);
    worker.score(columns).map_err(|error| {
        match first_refused(columns, |row| worker.score(row).is_err()) {
            Some(row) => error.at_path(origin.path).at_row(origin.row_number(row)),
            None => error.at_path(origin.path),
        }
    })
}
