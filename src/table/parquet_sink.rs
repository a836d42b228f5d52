//! Parquet files out: zstd, row groups and pages of a fixed content, the run's identity in the footer.
//!
//! Batches are cut anew before they are encoded, at places that depend on the rows alone, so that neither the size nor the order of
//! the work shows in a single byte of the file. Columns that were read as views get the type that the table declares here, a
//! chunk at a time, so that long texts are spelt out in bounded memory.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::Sink;
use super::cast::cast_column;
use crate::error::{Error, Result};

/// Rows of a row group: what pyarrow, `DuckDB` and Spark readers parallelise by, and small enough to buffer.
pub const ROW_GROUP_ROWS: usize = 131_072;

/// The encoded size at which a row group ends before it has all its rows: it is held in memory until then.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Rows handed to the encoder at once; page borders depend on it, so it is fixed.
const CHUNK_ROWS: usize = 16_384;

/// A chunk ends with the row that brings its texts and lists to this size.
const CHUNK_BYTES: usize = 8 << 20;

/// The same zstd level that pyarrow and parquet-rs take by default: nearly the speed of none.
const ZSTD_LEVEL: i32 = 1;

/// Writes Parquet to anything that takes bytes.
pub struct ParquetSink<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
    /// The rows of the next chunk so far, and what their texts take.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
}

impl<W: Write + Send> ParquetSink<W> {
    /// A sink for batches of `schema`, or of its columns as they are read; `metadata` are key-value pairs for the footer.
    ///
    /// # Errors
    /// Fails if a column's type has no Parquet form or the first bytes cannot be written.
    pub fn new(output: W, schema: SchemaRef, metadata: &[(String, String)]) -> Result<Self> {
        if let Some(field) = schema.fields().iter().find(|field| !super::parquet::can_write(field.data_type())) {
            return Err(Error::contract(format!("Parquet has no form for {}", field.data_type())).at_column(field.name()));
        }
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|error| Error::internal("zstd level").because(error))?;
        let pairs = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_created_by(concat!("tallow ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(pairs))
            .build();
        let writer = ArrowWriter::try_new(output, schema.clone(), Some(properties)).map_err(|error| failed(error.into()))?;
        Ok(Self { writer, schema, waiting: Vec::new(), waiting_rows: 0, waiting_bytes: 0 })
    }

    fn write_chunk(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let declared = waiting.iter().map(|batch| self.declared(batch)).collect::<Result<Vec<_>>>()?;
        let chunk = match declared.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            several => concat_batches(&self.schema, several).map_err(|error| failed(error.into()))?,
        };
        self.writer.write(&chunk).map_err(|error| failed(error.into()))
    }

    /// The rows in the types that the table declares.
    fn declared(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| cast_column(column, field.data_type())).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(|error| failed(error.into()))
    }
}

impl<W: Write + Send> Sink for ParquetSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let sizes = row_sizes(batch);
        let mut start = 0;
        while start < batch.num_rows() {
            let most = (batch.num_rows() - start).min(CHUNK_ROWS - self.waiting_rows);
            let mut rows = 0;
            while rows < most && self.waiting_bytes < CHUNK_BYTES {
                self.waiting_bytes += sizes.as_ref().map_or(0, |sizes| sizes[start + rows]);
                rows = if sizes.is_some() { rows + 1 } else { most };
            }
            self.waiting.push(batch.slice(start, rows));
            self.waiting_rows += rows;
            start += rows;
            if self.waiting_rows == CHUNK_ROWS || self.waiting_bytes >= CHUNK_BYTES {
                self.write_chunk()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_chunk()?;
        self.writer.close().map(|_| ()).map_err(|error| failed(error.into()))
    }
}

/// What each row's texts and lists take, in bytes; none if no column varies in size. A function of the values alone.
fn row_sizes(batch: &RecordBatch) -> Option<Vec<usize>> {
    let mut sizes: Option<Vec<usize>> = None;
    for column in batch.columns() {
        if let Some(size) = size_of_value(column) {
            let sizes = sizes.get_or_insert_with(|| vec![0; batch.num_rows()]);
            // What lies under a null is nobody's value, and may differ with the way it came.
            sizes.iter_mut().enumerate().filter(|(row, _)| column.is_valid(*row)).for_each(|(row, sum)| *sum += size(row));
        }
    }
    sizes
}

/// The size of a column's value in each row, for types whose values vary; an element of a list counts [`ELEMENT_BYTES`].
fn size_of_value(column: &ArrayRef) -> Option<Box<dyn Fn(usize) -> usize + '_>> {
    let length = |offsets: &[i32], row: usize| (offsets[row + 1] - offsets[row]) as usize;
    let long_length = |offsets: &[i64], row: usize| (offsets[row + 1] - offsets[row]) as usize;
    // A view's lowest 32 bits are its length.
    let view = |views: &[u128], row: usize| views[row] as u32 as usize;
    Some(match column.data_type() {
        DataType::Utf8View => Box::new(move |row| view(column.as_string_view().views(), row)),
        DataType::BinaryView => Box::new(move |row| view(column.as_binary_view().views(), row)),
        DataType::Utf8 => Box::new(move |row| length(column.as_string::<i32>().value_offsets(), row)),
        DataType::LargeUtf8 => Box::new(move |row| long_length(column.as_string::<i64>().value_offsets(), row)),
        DataType::Binary => Box::new(move |row| length(column.as_binary::<i32>().value_offsets(), row)),
        DataType::LargeBinary => Box::new(move |row| long_length(column.as_binary::<i64>().value_offsets(), row)),
        DataType::List(_) => Box::new(move |row| ELEMENT_BYTES * length(column.as_list::<i32>().value_offsets(), row)),
        DataType::LargeList(_) => Box::new(move |row| ELEMENT_BYTES * long_length(column.as_list::<i64>().value_offsets(), row)),
        DataType::FixedSizeList(_, width) => Box::new(move |_| ELEMENT_BYTES * usize::try_from(*width).unwrap_or(0)),
        _ => return None,
    })
}

/// What an element of a list counts; numbers take it, texts in lists are short.
const ELEMENT_BYTES: usize = 8;

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::failed("cannot write the Parquet file").because(source)
}
