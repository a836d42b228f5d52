//! Rows to scores: the traits that every family implements, and what is known of a loaded model.
//!
//! A model is immutable and shared by all threads; the scratch space of one thread is in its
//! worker. A [`NumericModel`] makes margins of blocks of numbers, a [`ColumnModel`] makes finished
//! columns of arrays. Each family has a folder or file of its own, formats are in
//! [`mod@crate::format`]. Nothing here knows columns of a table, files or threads.

pub mod trace;

use std::ops::Deref;

use arrow::array::ArrayRef;

use crate::contract::Contract;
use crate::error::Result;
use crate::feature::verdict::Reason;
use crate::feature::{FeatureBlock, Precision};
use crate::outcome::{Margins, Outcome};

/// A counter of work that the number of rows does not state, such as tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What is counted, as reports call it.
    pub metric: &'static str,
    /// In what.
    pub unit: &'static str,
}

/// What a row's offset (XGBoost's `base_margin`, LightGBM's `init_score`, CatBoost's `baseline`)
/// does to its margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetRule {
    /// The margin starts there, in place of the model's own base score (XGBoost).
    Start,
    /// It is added once the margin is complete (LightGBM, where users add it themselves).
    Added,
    /// The same, rounded to single precision before (CatBoost, whose pools hold baselines so).
    AddedSingle,
}

impl OffsetRule {
    /// The rule as reports state it.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Start => "in place of the base score",
            Self::Added | Self::AddedSingle => "added to the margin",
        }
    }
}

/// What is asked of a worker besides margins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants<'a> {
    /// Offsets of the margins, one column for each margin; only for models with an
    /// [`OffsetRule`].
    pub offsets: Option<&'a FeatureBlock>,
    /// Whether leaves come out too.
    pub leaves: bool,
}

/// What a worker makes of a block of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// `rows × margin_count` values.
    pub margins: Margins,
    /// The leaf of every tree for every row, row-major `[row][tree]`, numbered from 0 as the
    /// original library numbers a tree's leaves; none if they were not asked for, and for families
    /// without trees.
    pub leaves: Option<Vec<u32>>,
    /// The rows that the original library stops at, although their values are read: a step between
    /// makes an infinite number or NaN. In any order, a row possibly several times.
    pub refused: Vec<RefusedRow>,
}

/// A row that a model of numbers refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// The row of the block.
    pub row: usize,
    /// The input that caused it.
    pub input: usize,
    /// Why.
    pub reason: Reason,
}

impl Scores {
    /// Nothing yet, in this precision.
    #[must_use]
    pub fn empty(precision: Precision) -> Self {
        Self {
            margins: Margins::empty(precision),
            leaves: None,
            refused: Vec::new(),
        }
    }

    /// Drops everything but the room for margins: how every worker begins.
    pub fn reset(&mut self) {
        match &mut self.margins {
            Margins::Single(values) => values.clear(),
            Margins::Double(values) => values.clear(),
        }
        self.leaves = None;
        self.refused.clear();
    }
}

/// What a worker makes of arrays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnScores {
    /// Finished columns, one value a row each; none yet where there is no row.
    pub columns: Vec<ArrayRef>,
    /// The rows of which the model read only a part.
    pub truncated_count: u64,
    /// The rows whose texts the model could not read, in order, each with its reason; their values
    /// are null.
    pub refused: Vec<(usize, String)>,
    /// As [`Scores::refused`].
    pub unfit: Vec<RefusedRow>,
    /// For each input, the values that the model's own encoders do not know; empty where it has
    /// no encoders.
    pub unseen: Vec<u64>,
    /// For each of [`ColumnModel::counters`], what the rows added to it.
    pub counts: Vec<u64>,
}

/// A model of numbers at work on one thread, with the memory that it writes on.
pub trait Worker: Send + std::fmt::Debug {
    /// Scores every row of `block` into `scores`, whose former content is replaced.
    ///
    /// # Errors
    /// Fails if `block`, its offsets or `scores` have another precision or shape than the model's,
    /// for offsets of a model that takes none, or if the engine underneath fails.
    fn score(&mut self, block: &FeatureBlock, wants: &Wants<'_>, scores: &mut Scores)
    -> Result<()>;
}

/// A model of columns at work on one thread, with the memory that it writes on.
pub trait ColumnWorker: Send + std::fmt::Debug {
    /// Scores every row of `columns`, one array for each feature, of the type that its input
    /// declares.
    ///
    /// # Errors
    /// Fails if the columns are others than the model's, or at a value that it refuses.
    fn score(&mut self, columns: &[ArrayRef]) -> Result<ColumnScores>;
}

/// A trained model. The same rows give the same scores, bit for bit, in any batch.
pub trait Model: Send + Sync + std::fmt::Debug {
    /// The family's name: `forest`, `linear`, `network`, …
    fn family(&self) -> &'static str;

    /// The number of features that it reads.
    fn feature_count(&self) -> usize;

    /// The bytes that the model holds in memory, shared by all workers.
    fn memory_bytes(&self) -> usize;

    /// The bytes that one worker's values take while it scores, apart from its block and its
    /// scratch space, where the model decides that.
    fn worker_bytes(&self) -> usize {
        0
    }

    /// The most rows that one worker scores at once, for models that take so long for a row that
    /// ordinary blocks would leave workers idle at the end.
    fn block_rows(&self) -> Option<usize> {
        None
    }

    /// The rows that such models have read at once.
    fn portion_rows(&self) -> Option<usize> {
        None
    }
}

/// A model of numbers: blocks of features in, margins out.
pub trait NumericModel: Model {
    /// The precision of the blocks that it reads and of the margins that it writes.
    fn precision(&self) -> Precision;

    /// Whether it also reads blocks in single precision, and makes the same margins of them as of
    /// the same numbers in its own.
    fn takes_single(&self) -> bool {
        self.precision() == Precision::Single
    }

    /// The number of margins that it writes for each row, at least 1.
    fn margin_count(&self) -> usize;

    /// A worker for one thread.
    fn worker(&self) -> Box<dyn Worker + '_>;

    /// The margins of one block, for callers that have no other.
    ///
    /// # Errors
    /// As [`Worker::score`].
    fn margins(&self, block: &FeatureBlock) -> Result<Margins> {
        let mut scores = Scores::empty(self.precision());
        self.worker().score(block, &Wants::default(), &mut scores)?;
        Ok(scores.margins)
    }

    /// What offsets do to the margins; none for models that take no offsets.
    fn offset_rule(&self) -> Option<OffsetRule> {
        None
    }
}

/// A model of columns: arrays in, finished columns out.
pub trait ColumnModel: Model {
    /// A worker for one thread.
    fn worker(&self) -> Box<dyn ColumnWorker + '_>;

    /// What its workers count in [`ColumnScores::counts`].
    fn counters(&self) -> &'static [Counter] {
        &[]
    }
}

/// A trained model of either kind.
#[derive(Debug)]
pub enum TrainedModel {
    /// Blocks of features in, margins out: forests, linear models, networks.
    Numeric(Box<dyn NumericModel>),
    /// Arrays in, finished columns out: graphs, text models.
    Columnar(Box<dyn ColumnModel>),
}

impl TrainedModel {
    /// A model of numbers.
    #[must_use]
    pub fn numeric(model: impl NumericModel + 'static) -> Self {
        Self::Numeric(Box::new(model))
    }

    /// A model of columns.
    #[must_use]
    pub fn columnar(model: impl ColumnModel + 'static) -> Self {
        Self::Columnar(Box::new(model))
    }

    /// The model, if it is one of numbers.
    #[must_use]
    pub fn as_numeric(&self) -> Option<&dyn NumericModel> {
        match self {
            Self::Numeric(model) => Some(&**model),
            Self::Columnar(_) => None,
        }
    }

    /// The model, if it is one of columns.
    #[must_use]
    pub fn as_columnar(&self) -> Option<&dyn ColumnModel> {
        match self {
            Self::Numeric(_) => None,
            Self::Columnar(model) => Some(&**model),
        }
    }

    /// The precision of a model of numbers; none for one of columns, each of which has the type
    /// that its input declares.
    #[must_use]
    pub fn precision(&self) -> Option<Precision> {
        self.as_numeric().map(NumericModel::precision)
    }

    /// The number of margins that it writes for each row; 1 for a model of columns.
    #[must_use]
    pub fn margin_count(&self) -> usize {
        self.as_numeric().map_or(1, NumericModel::margin_count)
    }

    /// What offsets do to the margins; none for models that take no offsets.
    #[must_use]
    pub fn offset_rule(&self) -> Option<OffsetRule> {
        self.as_numeric().and_then(NumericModel::offset_rule)
    }

    /// What its workers count.
    #[must_use]
    pub fn counters(&self) -> &'static [Counter] {
        self.as_columnar().map_or(&[], ColumnModel::counters)
    }
}

impl Deref for TrainedModel {
    type Target = dyn Model;

    fn deref(&self) -> &(dyn Model + 'static) {
        match self {
            Self::Numeric(model) => &**model,
            Self::Columnar(model) => &**model,
        }
    }
}

/// What a user wants to know of a model before trusting it; shown by `inspect`, recorded in
/// reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The format's name, such as `xgboost`.
    pub format: String,
    /// The version of the library or format that wrote it, where the file says so.
    pub format_version: Option<String>,
    /// Further facts in the order they should be shown, such as (`objective`, `binary:logistic`)
    /// or (`trees`, `500`).
    pub facts: Vec<(String, String)>,
    /// (name, SHA-256) of the files alongside the model's own that hold parts of it, by name.
    pub sidecars: Vec<(String, String)>,
}

/// A model ready to score, with all that binding and output need to know of it.
#[derive(Debug)]
pub struct LoadedModel {
    /// The engine, shared by all workers.
    pub model: TrainedModel,
    /// What it needs of a table.
    pub contract: Contract,
    /// What its margins mean.
    pub outcome: Outcome,
    /// What it is.
    pub description: Description,
}
