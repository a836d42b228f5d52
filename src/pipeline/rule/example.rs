//! Rows that do not meet a rule, as the report may show them.
//!
//! Owns what of a row an example hides. It must not know how its values are written.

use arrow::array::RecordBatch;

use super::Rules;
use crate::error::{Error, Result};
use crate::pipeline::mask::Mask;

impl Rules {
    /// The same, whose report names so many rows for each rule, with the columns that outputs may
    /// show.
    #[must_use]
    pub fn with_examples(self, example_count: usize, mask: Mask) -> Self {
        Self {
            example_count,
            mask,
            ..self
        }
    }

    /// A row as an example shows it: hashed where outputs are. Without what they leave out, and
    /// where they hide anything, without derived columns.
    ///
    /// # Errors
    /// As [`Mask::apply`].
    pub fn example(&self, rows: &RecordBatch, row: usize) -> Result<RecordBatch> {
        let row = rows.slice(row, 1);
        if self.mask.is_empty() {
            return Ok(row);
        }
        let schema = row.schema();
        let fields = schema.fields().iter().enumerate();
        let shown = fields.filter(|(_, field)| !self.derived.contains(field.name()));
        let shown: Vec<usize> = shown.map(|(index, _)| index).collect();
        let count = shown.len();
        let shown = row.project(&shown).map_err(|error| {
            Error::internal("columns of a row that are not there").because(error)
        })?;
        self.mask.apply(shown, count)
    }
}
