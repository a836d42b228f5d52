//! One model's work on a batch: encode and score its blocks, turn the margins into columns. One
//! [`Scorer`] per worker, one [`Scoring`] for all.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};

use super::answers::{Answers, Gathered, add_counts};
use super::observer::{EncodedBlock, Features, Watch};
use super::refused::{settle_numbers, settle_texts, without_margins, without_results};
use super::stage::{Stage, StageTimes};
use crate::error::{Error, Result};
use crate::feature::encode::Encoder;
use crate::feature::substitute::{first_refused, row_alone, row_count, without_rejected};
use crate::feature::verdict::{Coercions, Origin, Reason};
use crate::feature::{FeatureBlock, Precision};
use crate::model::{
    ColumnScores, ColumnWorker, LoadedModel, NumericModel, Scores, TrainedModel, Wants, Worker,
};
use crate::outcome::{Outcome, Task};
use crate::table::name_index::NameIndex;
use crate::table::nested;

/// Rows encoded and scored at once, by one worker, unless the model wants fewer. The block of a
/// wide table stays in the second-level cache, and, not being a power of two, its columns do not
/// fall on the same cache sets.
pub const BLOCK_ROWS: usize = 4_032;

/// What a block takes at most: of a table of thousands of columns it has fewer rows.
const BLOCK_BYTES: usize = 16 << 20;

/// Smaller blocks cost more in overhead than they save.
const FEWEST_BLOCK_ROWS: usize = 64;

/// What a feature of a graph takes: its value, and what the graph's operators make of it.
const GRAPH_BYTES: usize = 64;

/// A model with its encoder, bound to the columns of a batch.
#[derive(Debug)]
pub struct Scoring {
    model: Arc<LoadedModel>,
    encoder: Encoder,
    /// For each input, the position of its column in the batch, and of the fields inside it that
    /// lead to a field of a struct; none for one that the table need not and does not have.
    positions: Vec<Option<(usize, Vec<usize>)>>,
    /// How many of the last inputs are offsets of the margins, which the model does not read as
    /// features.
    offset_count: usize,
    raw: bool,
}

/// A row that a policy drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The row in the batch, from 0.
    pub row: usize,
    /// The row in its file, from 1.
    pub number: u64,
    /// The first input that refused it.
    pub input: usize,
    /// Why.
    pub reason: Reason,
}

/// What came of a block of a batch.
#[derive(Debug)]
pub struct ScoredBlock {
    answers: Answers,
    rejections: Vec<Rejection>,
    coercions: Vec<Coercions>,
    counts: Vec<u64>,
    /// The time that it took.
    pub times: StageTimes,
}

/// What came of a batch.
#[derive(Debug)]
pub struct Scored {
    /// The outcome's columns, all rows of the batch.
    pub columns: Vec<ArrayRef>,
    /// The rows to leave out, in order.
    pub rejections: Vec<Rejection>,
    /// What was done to each input's values.
    pub coercions: Vec<Coercions>,
    /// For each of the model's counters, what was added to it.
    pub counts: Vec<u64>,
}

impl Scoring {
    /// Binds model and encoder to batches of `schema`.
    ///
    /// # Errors
    /// An internal error if a column that is required is not in the schema.
    pub fn new(
        model: Arc<LoadedModel>,
        encoder: Encoder,
        schema: &Schema,
        raw: bool,
    ) -> Result<Self> {
        let names = NameIndex::new(schema);
        let nested =
            |name: &str| nested::find(schema, name).map(|found| (found.column, found.path));
        let position = |name: &str| {
            names
                .position(name)
                .map(|position| (position, Vec::new()))
                .or_else(|| nested(name))
        };
        let positions: Vec<Option<(usize, Vec<usize>)>> = encoder
            .inputs()
            .map(|bound| position(&bound.column))
            .collect();
        if encoder
            .inputs()
            .zip(&positions)
            .any(|(bound, position)| bound.input.required && position.is_none())
        {
            return Err(Error::internal("a bound column is not read"));
        }
        let numeric = model.model.as_numeric();
        let encoder = encoder.narrowed(numeric.is_some_and(NumericModel::takes_single));
        Ok(Self {
            model,
            encoder,
            positions,
            offset_count: 0,
            raw,
        })
    }

    /// The same, whose last inputs are so many offsets.
    #[must_use]
    pub fn with_offsets(self, offset_count: usize) -> Self {
        Self {
            offset_count,
            ..self
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &LoadedModel {
        &self.model
    }

    /// The encoder.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// How many of the encoder's last inputs are offsets of the margins.
    #[must_use]
    pub fn offset_count(&self) -> usize {
        self.offset_count
    }

    /// The rows that are scored at once, by one worker.
    #[must_use]
    pub fn block_rows(&self) -> usize {
        let most = (BLOCK_BYTES / self.feature_bytes()).clamp(FEWEST_BLOCK_ROWS, BLOCK_ROWS);
        self.model
            .model
            .block_rows()
            .map_or(most, |rows| rows.clamp(1, most))
    }

    /// The outcome's columns.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.model.outcome.fields(
            self.model.model.margin_count(),
            self.model.model.precision(),
            self.raw,
        )
    }

    /// The precision of blocks for a model of numbers, whose own is `own`.
    fn block_precision(&self, own: Precision) -> Precision {
        self.encoder.precision().unwrap_or(own)
    }

    /// What a feature takes in a block; a graph's are arrays, and so is what it makes of them.
    fn feature_bytes(&self) -> usize {
        let width = match self.encoder.precision() {
            Some(Precision::Single) => size_of::<f32>(),
            Some(Precision::Double) => size_of::<f64>(),
            None => GRAPH_BYTES,
        };
        width * self.model.model.feature_count().max(1)
    }

    /// What a block takes.
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        self.block_rows() * self.feature_bytes()
    }

    /// What one worker writes on.
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

    /// What a model of numbers reads of one row, its margins and its leaves; none for a model of
    /// columns. The values are those of features, in the model's order, without offsets.
    ///
    /// # Errors
    /// As [`Scorer::score`].
    pub fn features(
        &self,
        batch: &RecordBatch,
        row: usize,
        origin: Origin,
    ) -> Result<Option<(Vec<f64>, Scores)>> {
        let TrainedModel::Numeric(model) = &self.model.model else {
            return Ok(None);
        };
        let column = |position: &Option<(usize, Vec<usize>)>| match position {
            Some((position, path)) => nested::values(&batch.column(*position).slice(row, 1), path)
                .ok_or_else(|| Error::internal("a field of a struct that is not in the batch")),
            None => Ok(new_null_array(&DataType::Null, 1)),
        };
        let columns = self.positions.iter().map(column);
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let mut block = FeatureBlock::empty(self.block_precision(model.precision()));
        let mut coercions = vec![Coercions::default(); columns.len()];
        self.encoder
            .encode(&columns, 1, &mut block, &mut coercions, origin)?;
        let offsets = (self.offset_count > 0).then(|| block.split_last(self.offset_count));
        let wants = Wants {
            offsets: offsets.as_ref(),
            leaves: true,
        };
        let mut scores = Scores::empty(model.precision());
        model.worker().score(&block, &wants, &mut scores)?;
        let values = match &block {
            FeatureBlock::Single(columns) => (0..columns.feature_count())
                .map(|feature| f64::from(columns.column(feature)[0]))
                .collect(),
            FeatureBlock::Double(columns) => (0..columns.feature_count())
                .map(|feature| columns.column(feature)[0])
                .collect(),
        };
        Ok(Some((values, scores)))
    }

    /// Puts the blocks of a batch together, in order.
    ///
    /// # Errors
    /// An internal error if they are of another precision than the model.
    pub fn gather(&self, blocks: Vec<ScoredBlock>) -> Result<Scored> {
        let loaded = &self.model;
        let mut gathered = Gathered::new(loaded.model.precision());
        let (mut rejections, mut coercions) =
            (Vec::new(), vec![Coercions::default(); self.positions.len()]);
        let mut counts = vec![0; loaded.model.counters().len()];
        for block in blocks {
            add_counts(&mut counts, &block.counts);
            gathered.add(block.answers)?;
            rejections.extend(block.rejections);
            coercions
                .iter_mut()
                .zip(&block.coercions)
                .for_each(|(sum, counts)| sum.add(counts));
        }
        let columns = match gathered.joined()? {
            Answers::Margins(margins) => {
                let margin_count = loaded.model.margin_count();
                loaded.outcome.columns(&margins, margin_count, self.raw)
            }
            Answers::Columns(columns) => loaded.outcome.finished(&columns),
        };
        Ok(Scored {
            columns,
            rejections,
            coercions,
            counts,
        })
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
                (Answers::Margins(margins), verdicts, Vec::new())
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
                (Answers::Columns(scored.columns), verdicts, scored.counts)
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

/// Scores the encoded columns; whatever a graph says of rejected rows is of no account.
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
