//! Parquet files out: zstd, row groups of a fixed number of rows, the run's identity in the footer.
//!
//! Batches are cut anew before they are encoded, at fixed row counts, so that neither the size nor the order of the work
//! shows in a single byte of the file.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::Sink;
use crate::error::{Error, Result};

/// Rows of a row group: what pyarrow, `DuckDB` and Spark readers parallelise by, and small enough to buffer.
pub const ROW_GROUP_ROWS: usize = 131_072;

/// Rows handed to the encoder at once; page borders depend on it, so it is fixed.
const WRITE_ROWS: usize = 16_384;

/// The same zstd level that pyarrow and parquet-rs take by default: nearly the speed of none.
const ZSTD_LEVEL: i32 = 1;

/// Writes Parquet to anything that takes bytes.
pub struct ParquetSink<W: Write + Send> {
    writer: ArrowWriter<W>,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
}

impl<W: Write + Send> ParquetSink<W> {
    /// A sink for batches of `schema`; `metadata` are key-value pairs for the footer.
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
            .set_created_by(concat!("tallow ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(pairs))
            .build();
        let writer = ArrowWriter::try_new(output, schema, Some(properties)).map_err(|error| failed(error.into()))?;
        Ok(Self { writer, waiting: Vec::new(), waiting_rows: 0 })
    }

    fn flush_whole(&mut self) -> Result<()> {
        let Some(first) = self.waiting.first() else { return Ok(()) };
        let all = concat_batches(&first.schema(), &self.waiting).map_err(|error| failed(error.into()))?;
        let whole = all.num_rows() / WRITE_ROWS * WRITE_ROWS;
        for start in (0..whole).step_by(WRITE_ROWS) {
            self.writer.write(&all.slice(start, WRITE_ROWS)).map_err(|error| failed(error.into()))?;
        }
        self.waiting_rows = all.num_rows() - whole;
        self.waiting = if self.waiting_rows == 0 { Vec::new() } else { vec![all.slice(whole, self.waiting_rows)] };
        Ok(())
    }
}

impl<W: Write + Send> Sink for ParquetSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.waiting.push(batch.clone());
        self.waiting_rows += batch.num_rows();
        if self.waiting_rows >= WRITE_ROWS { self.flush_whole() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        for batch in std::mem::take(&mut self.waiting) {
            self.writer.write(&batch).map_err(|error| failed(error.into()))?;
        }
        self.writer.close().map(|_| ()).map_err(|error| failed(error.into()))
    }
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::failed("cannot write the Parquet file").because(source)
}
