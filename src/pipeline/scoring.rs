//! One model's work on a batch: encode and score its blocks, turn the margins into columns. One
//! [`Scorer`](super::scorer::Scorer) per worker, one [`Scoring`] for all.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};

use super::model_output::{Gathered, ModelOutput, add_counts};
use super::stage::StageTimes;
use crate::error::{Error, Result};
use crate::feature::encode::Encoder;
use crate::feature::verdict::{Coercions, Origin, Reason};
use crate::feature::{FeatureBlock, Precision};
use crate::model::{LoadedModel, NumericModel, Scores, TrainedModel, Wants};
use crate::outcome::Margins;
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
    pub(super) model: Arc<LoadedModel>,
    pub(super) encoder: Encoder,
    /// For each input, the position of its column in the batch, and of the fields inside it that
    /// lead to a field of a struct; none for one that the table need not and does not have.
    pub(super) positions: Vec<Option<(usize, Vec<usize>)>>,
    /// How many of the last inputs are offsets of the margins, which the model does not read as
    /// features.
    pub(super) offset_count: usize,
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

/// What a model makes of one row.
#[derive(Clone, Debug, PartialEq)]
pub enum OneRow {
    /// The margins of a model of numbers.
    Margins(Margins),
    /// The finished columns of a model of columns.
    Columns(Vec<ArrayRef>),
}

/// What came of a block of a batch.
#[derive(Debug)]
pub struct ScoredBlock {
    pub(super) answers: ModelOutput,
    pub(super) rejections: Vec<Rejection>,
    pub(super) coercions: Vec<Coercions>,
    pub(super) counts: Vec<u64>,
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
    pub(super) fn block_precision(&self, own: Precision) -> Precision {
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

    /// What a model of numbers reads of one row, its margins and its leaves; none for a model of
    /// columns. The values are those of features, in the model's order, without offsets.
    ///
    /// # Errors
    /// As [`Scorer::score`](super::scorer::Scorer::score).
    pub fn features(
        &self,
        batch: &RecordBatch,
        row: usize,
        origin: Origin,
    ) -> Result<Option<(Vec<f64>, Scores)>> {
        match &self.model.model {
            TrainedModel::Numeric(model) => self.numbers(&**model, batch, row, origin).map(Some),
            TrainedModel::Columnar(_) => Ok(None),
        }
    }

    /// What another import of the same model makes of one row.
    ///
    /// # Errors
    /// As [`Scorer::score`](super::scorer::Scorer::score); an internal error for a model of another
    /// kind.
    pub fn scored_by(
        &self,
        model: &TrainedModel,
        batch: &RecordBatch,
        row: usize,
        origin: Origin,
    ) -> Result<OneRow> {
        let other = match (&self.model.model, model) {
            (TrainedModel::Numeric(_), TrainedModel::Numeric(model)) => {
                let (_, scores) = self.numbers(&**model, batch, row, origin)?;
                return Ok(OneRow::Margins(scores.margins));
            }
            (TrainedModel::Columnar(_), TrainedModel::Columnar(model)) => model,
            _ => {
                return Err(Error::internal(
                    "another import of a model is of another kind",
                ));
            }
        };
        let columns = self.row_columns(batch, row)?;
        let mut coercions = vec![Coercions::default(); columns.len()];
        let (encoded, _) = self
            .encoder
            .encode_columns(&columns, 1, &mut coercions, origin)?;
        Ok(OneRow::Columns(other.worker().score(&encoded)?.columns))
    }

    /// The columns that feed the inputs, of one row.
    fn row_columns(&self, batch: &RecordBatch, row: usize) -> Result<Vec<ArrayRef>> {
        let column = |position: &Option<(usize, Vec<usize>)>| match position {
            Some((position, path)) => nested::values(&batch.column(*position).slice(row, 1), path)
                .ok_or_else(|| Error::internal("a field of a struct that is not in the batch")),
            None => Ok(new_null_array(&DataType::Null, 1)),
        };
        self.positions.iter().map(column).collect()
    }

    fn numbers(
        &self,
        model: &dyn NumericModel,
        batch: &RecordBatch,
        row: usize,
        origin: Origin,
    ) -> Result<(Vec<f64>, Scores)> {
        let columns = self.row_columns(batch, row)?;
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
        Ok((values, scores))
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
            ModelOutput::Margins(margins) => {
                let margin_count = loaded.model.margin_count();
                loaded.outcome.columns(&margins, margin_count, self.raw)
            }
            ModelOutput::Columns(columns) => loaded.outcome.finished(&columns),
        };
        Ok(Scored {
            columns,
            rejections,
            coercions,
            counts,
        })
    }
}
