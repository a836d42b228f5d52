//! The distribution of each column that the model adds: numbers by their quantiles, labels by their counts.

use arrow::array::RecordBatch;
use arrow::datatypes::Field;

use super::facts::Fact;
use crate::error::Result;

/// Statistics of the outcome's columns, taken in row order.
#[derive(Debug)]
pub struct ScoreStatistics {}

impl ScoreStatistics {
    /// Nothing observed yet, for these columns from `first` on.
    #[must_use]
    pub fn new(_fields: &[Field], _first: usize) -> Self {
        Self {}
    }
    /// o
    /// # Errors
    /// e
    pub fn observe(&mut self, _batch: &RecordBatch) -> Result<()> {
        Ok(())
    }
    /// f
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        Vec::new()
    }
    /// f
    #[must_use]
    pub fn described(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}
