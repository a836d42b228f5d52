//! Rows cut anew before they are encoded, at places that depend on the rows alone, so that neither
//! the size nor the order of the work shows in a single byte of a file.
//!
//! Columns that were read as views get the type that the table declares here, so that long texts
//! are spelt out a chunk at a time: a view of one text keeps the whole page that it lies in.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::cast::cast_column;
use super::row_size::RowSizes;
use crate::error::{Error, Result};

/// Rows handed to the encoder at once; page borders depend on it, so it is fixed.
pub const CHUNK_ROWS: usize = 16_384;

/// A chunk ends with the row that brings it to this size.
pub const CHUNK_BYTES: usize = 4 << 20;

/// A run of rows with what they take.
#[derive(Debug)]
pub struct Chunk {
    /// The rows, in the declared types.
    pub rows: RecordBatch,
    /// What they take, by [`RowSizes`].
    pub bytes: usize,
}

/// The rows of the next chunk so far.
#[derive(Debug)]
pub struct Chunks {
    schema: SchemaRef,
    waiting: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Chunks {
    /// Chunks of rows with these columns.
    #[must_use]
    pub fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            waiting: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Takes rows, of the schema or of its columns as they are read, and gives every chunk that is
    /// full to `deliver`.
    ///
    /// # Errors
    /// Fails if a value does not fit the declared type, or as `deliver` does.
    pub fn push(
        &mut self,
        batch: &RecordBatch,
        mut deliver: impl FnMut(Chunk) -> Result<()>,
    ) -> Result<()> {
        let sizes = RowSizes::new(batch);
        let mut start = 0;
        while start < batch.num_rows() {
            let most = (batch.num_rows() - start).min(CHUNK_ROWS - self.rows);
            let rows = sizes.rows_until(start, most, &mut self.bytes, CHUNK_BYTES);
            self.waiting.push(self.declared(&batch.slice(start, rows))?);
            self.rows += rows;
            start += rows;
            if self.rows == CHUNK_ROWS || self.bytes >= CHUNK_BYTES {
                self.rest()?.map_or(Ok(()), &mut deliver)?;
            }
        }
        Ok(())
    }

    /// The rows that wait; none if there are none.
    ///
    /// # Errors
    /// Fails if they cannot be put together.
    pub fn rest(&mut self) -> Result<Option<Chunk>> {
        let bytes = std::mem::take(&mut self.bytes);
        self.rows = 0;
        let rows = match std::mem::take(&mut self.waiting).as_slice() {
            [] => return Ok(None),
            [one] => one.clone(),
            several => concat_batches(&self.schema, several).map_err(failed)?,
        };
        Ok(Some(Chunk { rows, bytes }))
    }

    fn declared(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        declared(batch, &self.schema)
    }
}

/// The rows in the types that a table declares.
///
/// # Errors
/// Fails if a value does not fit its type.
pub fn declared(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| cast_column(column, field.data_type()))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(failed)
}

fn failed(source: ArrowError) -> Error {
    Error::failed("cannot put the rows of a table together").because(source)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn borders(batch: &RecordBatch, step: usize) -> Vec<usize> {
        let mut chunks = Chunks::new(batch.schema());
        let mut rows = Vec::new();
        for start in (0..batch.num_rows()).step_by(step) {
            let piece = batch.slice(start, step.min(batch.num_rows() - start));
            chunks
                .push(&piece, |chunk| Ok(rows.push(chunk.rows.num_rows())))
                .unwrap();
        }
        rows.extend(chunks.rest().unwrap().map(|chunk| chunk.rows.num_rows()));
        rows
    }

    #[test]
    fn chunks_end_at_the_same_rows_however_they_come() {
        let ids: ArrayRef = Arc::new((0..40_000).collect::<Int64Array>());
        let narrow = RecordBatch::try_from_iter([("id", ids.clone())]).unwrap();
        let wide =
            RecordBatch::try_from_iter((0..100).map(|place| (place.to_string(), ids.clone())))
                .unwrap();
        let texts: ArrayRef = Arc::new(
            (0..40_000)
                .map(|row| (row % 3 != 0).then(|| "x".repeat(row % 700)))
                .collect::<StringArray>(),
        );
        let texts = RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap();
        assert_eq!(borders(&narrow, 40_000), [16_384, 16_384, 7_232]);
        assert_eq!(
            borders(&wide, 40_000)[..2],
            [5_243, 5_243],
            "a row of 800 bytes, 4 MiB"
        );
        for batch in [narrow, wide, texts] {
            let whole = borders(&batch, 40_000);
            assert_eq!(whole.iter().sum::<usize>(), 40_000);
            assert!(
                [1_usize, 61, 5_000]
                    .into_iter()
                    .filter(|step| *step > 1 || batch.num_columns() < 3)
                    .all(|step| borders(&batch, step) == whole)
            );
        }
    }
}
