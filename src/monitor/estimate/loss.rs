//! The mean of what a user's loss model expects of each row.
//!
//! Owns the sums over a column of expected losses: for regressions, whose scores say nothing of
//! their own errors (in `NannyML`: direct loss estimation). Rejected rows do not count, and a loss
//! below 0 counts as 0. It must not know where the losses come from.

use std::any::Any;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use crate::error::{Error, Result};
use crate::monitor::interval::Mean;
use crate::pipeline::observer::{Observer, Partial, ScoredPortion};
use crate::statistics::bytes::{Reader, Writer};

/// Adds up a column of expected losses.
#[derive(Debug)]
pub struct LossObserver {
    column: String,
}

/// What was added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LossCounts {
    /// The losses.
    pub mean: Mean,
    /// Rows without one.
    pub missing: u64,
}

impl LossObserver {
    /// The observer of this column.
    #[must_use]
    pub fn new(column: &str) -> Self {
        Self {
            column: column.to_owned(),
        }
    }
}

impl Observer for LossObserver {
    fn name(&self) -> &'static str {
        "loss"
    }

    fn version(&self) -> u32 {
        2
    }

    fn empty(&self) -> Box<dyn Partial> {
        Box::<LossCounts>::default()
    }

    fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
        let column = portion.rows.column_by_name(&self.column).ok_or_else(|| {
            Error::internal("the column of losses is not read").at_column(&self.column)
        })?;
        let losses = cast(column, &DataType::Float64).map_err(|error| {
            Error::contract("the column of losses holds no numbers")
                .at_column(&self.column)
                .because(error)
        })?;
        let losses = losses.as_primitive::<Float64Type>();
        let mut counts = LossCounts::default();
        let mut rejected = portion.rejections.iter().map(|one| one.row).peekable();
        for row in 0..losses.len() {
            if rejected.next_if_eq(&row).is_some() {
                continue;
            }
            if losses.is_valid(row) && losses.value(row).is_finite() {
                // A loss is not negative, though a model of it may say so (NannyML cuts it, too).
                counts.mean.add(losses.value(row).max(0.0));
            } else {
                counts.missing += 1;
            }
        }
        Ok(Box::new(counts))
    }

    fn needs_only_scores(&self) -> bool {
        false
    }

    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
        let mut reader = Reader::new(bytes);
        let missing = reader.count()?;
        let mean = Mean::read(&mut reader)?;
        reader
            .is_at_end()
            .then(|| Box::new(LossCounts { mean, missing }) as Box<dyn Partial>)
    }
}

impl Partial for LossCounts {
    fn merge(&mut self, other: &dyn Partial) -> Result<()> {
        let other: &dyn Any = other;
        let other: &Self = other
            .downcast_ref()
            .ok_or_else(|| Error::internal("not sums of losses"))?;
        self.mean.merge(&other.mean);
        self.missing += other.missing;
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer(self.missing);
        self.mean.write(&mut writer);
        writer.into_bytes()
    }
}
