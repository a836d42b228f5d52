//! Numbers to scores: the [`Model`] trait that every family implements, and what is known of a
//! loaded model.
//!
//! A model is immutable and shared by all workers; what a worker needs to write on is its
//! [`Scratch`]. Each family has a folder or file of its own, formats are in [`mod@crate::format`].
//! Nothing here knows columns of a table, files or threads.

use std::any::Any;

use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::feature::{FeatureBlock, Precision};
use crate::outcome::{Margins, Outcome};

/// What one worker writes on while it scores; made by [`Model::scratch`] and only meaningful to the
/// model that made it.
#[derive(Debug)]
pub struct Scratch(pub Box<dyn Any + Send>);

impl Default for Scratch {
    fn default() -> Self {
        Self(Box::new(()))
    }
}

/// Work that a model counts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Performed {
    /// What was counted, as reports call it.
    pub metric: &'static str,
    /// How much.
    pub count: u64,
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

/// A trained model: feature blocks in, margins out. The same rows give the same margins, bit for
/// bit, in any batch.
pub trait Model: Send + Sync + std::fmt::Debug {
    /// The family's name: `forest`, `linear`, `network`, …
    fn family(&self) -> &'static str;

    /// The precision of the blocks that it reads and of the margins that it writes.
    fn precision(&self) -> Precision;

    /// The number of features that it reads.
    fn feature_count(&self) -> usize;

    /// The number of margins that it writes for each row, at least 1.
    fn margin_count(&self) -> usize;

    /// What one worker needs to write on.
    fn scratch(&self) -> Scratch {
        Scratch::default()
    }

    /// Scores every row of `block` into `margins`, which is cleared first and then holds `rows ×
    /// margin_count` values.
    ///
    /// # Errors
    /// Fails if `block` or `margins` has another precision or shape than this model's, or if the
    /// engine underneath fails.
    fn score(
        &self,
        block: &FeatureBlock,
        scratch: &mut Scratch,
        margins: &mut Margins,
    ) -> Result<()>;

    /// What offsets do to the margins; none for models that take no offsets.
    fn offset_rule(&self) -> Option<OffsetRule> {
        None
    }

    /// As [`Model::score`], with an offset for each margin of each row: `offsets` has one column
    /// for each margin.
    ///
    /// # Errors
    /// As [`Model::score`]; an internal error for models that take no offsets.
    fn score_with_offsets(
        &self,
        _block: &FeatureBlock,
        _offsets: &FeatureBlock,
        _scratch: &mut Scratch,
        _margins: &mut Margins,
    ) -> Result<()> {
        Err(Error::internal("offsets for a model that takes none"))
    }

    /// The leaf of every tree for every row, row-major `[row][tree]`, numbered from 0 as the
    /// original library numbers a tree's leaves; none for families without trees.
    ///
    /// # Errors
    /// Fails if `block` has another precision or shape than this model's.
    fn leaves(&self, _block: &FeatureBlock) -> Result<Option<Vec<u32>>> {
        Ok(None)
    }

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

    /// The rows of which the model read only a part since this was last asked with the same
    /// scratch.
    fn take_truncated(&self, _scratch: &mut Scratch) -> u64 {
        0
    }

    /// For each input, the values that the model's own encoders did not know since this was last
    /// asked with the same scratch; empty where it has none.
    fn take_unseen(&self, _scratch: &mut Scratch) -> Vec<u64> {
        Vec::new()
    }

    /// What was done since the model was loaded, by all workers, where rows alone do not say it.
    fn performed(&self) -> Vec<Performed> {
        Vec::new()
    }
}

/// What a person wants to know of a model before trusting it; shown by `inspect`, recorded in
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
    /// (name, SHA-256) of the files beside the model's own that hold parts of it, by name.
    pub beside: Vec<(String, String)>,
}

/// A model ready to score, with all that binding and output need to know of it.
#[derive(Debug)]
pub struct LoadedModel {
    /// The engine, shared by all workers.
    pub model: Box<dyn Model>,
    /// What it needs of a table.
    pub contract: Contract,
    /// What its margins mean.
    pub outcome: Outcome,
    /// What it is.
    pub description: Description,
}
