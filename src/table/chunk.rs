//! Rows cut anew before they are encoded, at positions that depend on the rows alone, so that
//! neither the size nor the order of the work shows in a single byte of a file.
//!
//! Columns that were read as views get the type that the table declares here, so that long texts
//! are spelled out a chunk at a time: a view of one text keeps the whole page that it lies in.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Fields, SchemaRef};
use arrow::error::ArrowError;

use super::batch::of_columns;
use super::cast::cast_column;
use super::row_size::RowSizes;
use crate::error::{Error, Result};

/// Rows handed to the encoder at once; page borders depend on it, so it is fixed.
pub const CHUNK_ROWS: usize = 16_384;

/// A chunk of a table of few columns ends with the row that brings it to this size.
const CHUNK_BYTES: usize = 4 << 20;

/// In a wide table a chunk has this much of each column: about what an array takes of itself.
/// Without it a chunk of 100 000 columns would be five rows, and the arrays larger than their rows.
const COLUMN_CHUNK_BYTES: usize = 256;

/// The size of a chunk of a table that has `leaf_count` columns, nested ones counted by leaf.
#[must_use]
pub fn chunk_bytes(leaf_count: usize) -> usize {
    CHUNK_BYTES.max(leaf_count.saturating_mul(COLUMN_CHUNK_BYTES))
}

/// How many columns a file has for these fields: nested fields have several.
#[must_use]
pub fn leaf_count(fields: &Fields) -> usize {
    fields
        .iter()
        .map(|field| leaves_of(field.data_type()))
        .sum()
}

fn leaves_of(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => leaf_count(fields),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => leaves_of(item.data_type()),
        _ => 1,
    }
}

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
    /// The size that ends a chunk.
    max_bytes: usize,
}

impl Chunks {
    /// Chunks of rows with these columns.
    #[must_use]
    pub fn new(schema: SchemaRef) -> Self {
        let max_bytes = chunk_bytes(leaf_count(schema.fields()));
        Self {
            schema,
            waiting: Vec::new(),
            rows: 0,
            bytes: 0,
            max_bytes,
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
            let rows = sizes.rows_until(start, most, &mut self.bytes, self.max_bytes);
            self.waiting.push(self.declared(&batch.slice(start, rows))?);
            self.rows += rows;
            start += rows;
            if self.rows == CHUNK_ROWS || self.bytes >= self.max_bytes {
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
    of_columns(Arc::clone(schema), columns, batch.num_rows()).map_err(failed)
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
            RecordBatch::try_from_iter((0..100).map(|index| (index.to_string(), ids.clone())))
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
        let very_wide = RecordBatch::try_from_iter(
            (0..40_000).map(|column| (column.to_string(), narrow.column(0).slice(0, 100))),
        )
        .unwrap();
        assert_eq!(
            borders(&very_wide, 100),
            [32, 32, 32, 4],
            "256 bytes a column"
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
