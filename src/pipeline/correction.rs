//! Rows that stand in for rows of the input: what a user made of the rejected ones.
//!
//! Owns the replacement of rows in a batch that was just decoded. Where the rows come from is not
//! known here.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;

use crate::error::{Error, Result};

/// Rows by their place in the input.
#[derive(Debug)]
pub struct Corrections {
    /// Columns and types as a job reads them.
    rows: RecordBatch,
    /// (file, row in it from 0) → row of `rows`.
    locations: BTreeMap<(usize, u64), usize>,
    /// The columns, by position, that keep the values of the input.
    kept: Vec<usize>,
}

impl Corrections {
    /// `locations` are, for each of `rows`, the file's index and the row in it, from 0.
    ///
    /// # Errors
    /// A contract error if two rows claim one place.
    pub fn new(rows: RecordBatch, locations: &[(usize, u64)]) -> Result<Self> {
        let mut known = BTreeMap::new();
        for (index, position) in locations.iter().enumerate() {
            if known.insert(*position, index).is_some() {
                return Err(Error::contract(
                    "two corrected rows stand for the same row of the input",
                )
                .at_row(position.1 + 1));
            }
        }
        Ok(Self {
            rows,
            locations: known,
            kept: Vec::new(),
        })
    }

    /// The same, where the columns at these positions keep the values of the input.
    #[must_use]
    pub fn keeping(self, kept: Vec<usize>) -> Self {
        Self { kept, ..self }
    }

    /// The batch, which begins at row `first_row` of file `file`, with its corrected rows in their
    /// positions.
    ///
    /// # Errors
    /// An internal error if the columns differ.
    pub fn apply(&self, batch: RecordBatch, file: usize, first_row: u64) -> Result<RecordBatch> {
        let end = first_row + batch.num_rows() as u64;
        let mut corrected = self
            .locations
            .range((file, first_row)..(file, end))
            .peekable();
        if corrected.peek().is_none() {
            return Ok(batch);
        }
        let mut indices: Vec<(usize, usize)> = (0..batch.num_rows()).map(|row| (0, row)).collect();
        for (&(_, row), &index) in corrected {
            indices[(row - first_row) as usize] = (1, index);
        }
        let unfit = |error| Error::internal("corrected rows do not fit the data").because(error);
        let corrected = interleave_record_batch(&[&batch, &self.rows], &indices).map_err(unfit)?;
        if self.kept.is_empty() {
            return Ok(corrected);
        }
        let (schema, mut columns, _) = corrected.into_parts();
        for &index in &self.kept {
            columns[index].clone_from(batch.column(index));
        }
        RecordBatch::try_new(schema, columns).map_err(unfit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn batch(values: &[i64]) -> RecordBatch {
        RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(values.to_vec())) as ArrayRef)])
            .unwrap()
    }

    #[test]
    fn rows_are_replaced_in_their_file_and_position_only() {
        let corrections =
            Corrections::new(batch(&[70, 80, 90]), &[(1, 12), (0, 11), (1, 20)]).unwrap();
        let values = |file, first_row| {
            corrections
                .apply(batch(&[1, 2, 3]), file, first_row)
                .unwrap()
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        };
        assert_eq!(values(1, 10), [1, 2, 70]);
        assert_eq!(values(0, 10), [1, 80, 3]);
        assert_eq!(values(0, 12), [1, 2, 3]);
        assert!(Corrections::new(batch(&[1, 2]), &[(0, 1), (0, 1)]).is_err());
    }
}
