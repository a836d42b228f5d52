//! Parquet files out: zstd, row groups and pages of a fixed content, the run's identity in the footer.
//!
//! Batches are cut anew before they are encoded, at places that depend on the rows alone, so that neither the size nor the order of
//! the work shows in a single byte of the file. Columns that were read as views get the type that the table declares here, a
//! chunk at a time, so that long texts are spelt out in bounded memory.

use std::collections::HashSet;
use std::hash::Hash;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use super::Sink;
use super::cast::cast_column;
use crate::error::{Error, Result};

/// Rows of a row group: what pyarrow, `DuckDB` and Spark readers parallelise by, and small enough to buffer.
pub const ROW_GROUP_ROWS: usize = 131_072;

/// The encoded size at which a row group ends before it has all its rows: it is held in memory until then.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// Rows handed to the encoder at once; page borders depend on it, so it is fixed.
const CHUNK_ROWS: usize = 16_384;

/// A chunk ends with the row that brings its texts and lists to this size.
const CHUNK_BYTES: usize = 4 << 20;

/// The same zstd level that pyarrow and parquet-rs take by default: nearly the speed of none.
const ZSTD_LEVEL: i32 = 1;

/// Fewer values than this say nothing of how often a column repeats itself.
const FEWEST_TELLING_ROWS: usize = 1_024;

/// Writes Parquet to anything that takes bytes.
pub struct ParquetSink<W: Write + Send> {
    writer: Writer<W>,
    schema: SchemaRef,
    /// The rows of the next chunk so far, in the declared types, and what their texts take.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
}

/// The encoder, once the first chunk has said which columns repeat their values.
enum Writer<W: Write + Send> {
    Waiting(Option<Box<(W, WriterPropertiesBuilder)>>),
    Writing(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> ParquetSink<W> {
    /// A sink for batches of `schema`, or of its columns as they are read; `metadata` are key-value pairs for the footer.
    ///
    /// # Errors
    /// Fails if a column's type has no Parquet form.
    pub fn new(output: W, schema: SchemaRef, metadata: &[(String, String)]) -> Result<Self> {
        if let Some(field) = schema.fields().iter().find(|field| !super::parquet::can_write(field.data_type())) {
            return Err(Error::contract(format!("Parquet has no form for {}", field.data_type())).at_column(field.name()));
        }
        ArrowSchemaConverter::new().convert(&schema).map_err(|error| failed(error.into()))?;
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(|error| Error::internal("zstd level").because(error))?;
        let pairs = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_created_by(concat!("tallow ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(pairs));
        Ok(Self { writer: Writer::Waiting(Some(Box::new((output, properties)))), schema, waiting: Vec::new(), waiting_rows: 0, waiting_bytes: 0 })
    }

    /// The encoder; `chunk` is the first that it will get.
    fn writer(&mut self, chunk: &RecordBatch) -> Result<&mut ArrowWriter<W>> {
        if let Writer::Waiting(waiting) = &mut self.writer {
            let (output, properties) = *waiting.take().ok_or_else(|| Error::internal("a Parquet file that failed is written on"))?;
            // Where nearly every value is new, a dictionary of them costs more than it saves.
            let unique = self.schema.fields().iter().zip(chunk.columns()).filter(|(_, column)| !repeats_itself(column));
            let properties =
                unique.fold(properties, |properties, (field, _)| properties.set_column_dictionary_enabled(vec![field.name().clone()].into(), false));
            let writer = ArrowWriter::try_new(output, self.schema.clone(), Some(properties.build())).map_err(|error| failed(error.into()))?;
            self.writer = Writer::Writing(Box::new(writer));
        }
        let Writer::Writing(writer) = &mut self.writer else { return Err(Error::internal("a Parquet file without its writer")) };
        Ok(writer)
    }

    fn write_chunk(&mut self) -> Result<()> {
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let waiting = std::mem::take(&mut self.waiting);
        let chunk = match waiting.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            several => concat_batches(&self.schema, several).map_err(|error| failed(error.into()))?,
        };
        drop(waiting);
        self.writer(&chunk)?.write(&chunk).map_err(|error| failed(error.into()))
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
            // In the declared types at once: a view of one text keeps the whole page that it lies in.
            self.waiting.push(self.declared(&batch.slice(start, rows))?);
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
        let nothing = RecordBatch::new_empty(self.schema.clone());
        self.writer(&nothing)?.finish().map(|_| ()).map_err(|error| failed(error.into()))
    }
}

/// Whether a dictionary of the column's values is worth its while: not if more than half of them are distinct.
fn repeats_itself(column: &ArrayRef) -> bool {
    fn repeat<T: Hash + Eq>(values: impl Iterator<Item = T>) -> bool {
        let (mut count, mut distinct) = (0, HashSet::new());
        values.for_each(|value| {
            count += 1;
            distinct.insert(value);
        });
        distinct.len() * 2 <= count
    }
    if column.len() - column.null_count() < FEWEST_TELLING_ROWS {
        return true;
    }
    match column.data_type() {
        DataType::Utf8 => repeat(column.as_string::<i32>().iter().flatten()),
        DataType::LargeUtf8 => repeat(column.as_string::<i64>().iter().flatten()),
        DataType::Utf8View => repeat(column.as_string_view().iter().flatten()),
        DataType::Binary => repeat(column.as_binary::<i32>().iter().flatten()),
        DataType::LargeBinary => repeat(column.as_binary::<i64>().iter().flatten()),
        DataType::BinaryView => repeat(column.as_binary_view().iter().flatten()),
        other => match other.primitive_width() {
            Some(width) if width > 1 => {
                let data = column.to_data();
                let bytes = data.buffers()[0].as_slice().chunks_exact(width).skip(data.offset()).take(data.len());
                repeat(bytes.enumerate().filter(|(row, _)| data.is_valid(*row)).map(|(_, value)| value))
            }
            _ => true,
        },
    }
}

/// What each row's texts and lists take, in bytes; none if no column varies in size. A function of the values alone.
fn row_sizes(batch: &RecordBatch) -> Option<Vec<usize>> {
    let mut sizes = vec![0; batch.num_rows()];
    let vary = batch.columns().iter().filter(|column| add_sizes(column, &mut sizes)).count() > 0;
    vary.then_some(sizes)
}

/// Adds the size of the column's value in each row, for types whose values vary; an element of a list counts [`ELEMENT_BYTES`]. Says whether
/// they do.
fn add_sizes(column: &ArrayRef, sizes: &mut [usize]) -> bool {
    fn add(column: &ArrayRef, sizes: &mut [usize], lengths: impl Iterator<Item = usize>) {
        match column.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => sizes.iter_mut().zip(lengths).for_each(|(sum, length)| *sum += length),
            // What lies under a null is nobody's value, and may differ with the way it came.
            Some(nulls) => sizes.iter_mut().zip(lengths).zip(nulls).filter(|(_, is_valid)| *is_valid).for_each(|((sum, length), _)| *sum += length),
        }
    }
    fn between<O: OffsetSizeTrait>(offsets: &[O]) -> impl Iterator<Item = usize> {
        offsets.windows(2).map(|ends| (ends[1] - ends[0]).as_usize())
    }
    // A view's lowest 32 bits are its length.
    let of_views = |views: &[u128], sizes: &mut [usize]| add(column, sizes, views.iter().map(|view| *view as u32 as usize));
    match column.data_type() {
        DataType::Utf8View => of_views(column.as_string_view().views(), sizes),
        DataType::BinaryView => of_views(column.as_binary_view().views(), sizes),
        DataType::Utf8 => add(column, sizes, between(column.as_string::<i32>().value_offsets())),
        DataType::LargeUtf8 => add(column, sizes, between(column.as_string::<i64>().value_offsets())),
        DataType::Binary => add(column, sizes, between(column.as_binary::<i32>().value_offsets())),
        DataType::LargeBinary => add(column, sizes, between(column.as_binary::<i64>().value_offsets())),
        DataType::List(_) => add(column, sizes, between(column.as_list::<i32>().value_offsets()).map(|count| ELEMENT_BYTES * count)),
        DataType::LargeList(_) => add(column, sizes, between(column.as_list::<i64>().value_offsets()).map(|count| ELEMENT_BYTES * count)),
        DataType::FixedSizeList(_, width) => add(column, sizes, std::iter::repeat(ELEMENT_BYTES * usize::try_from(*width).unwrap_or(0))),
        _ => return false,
    }
    true
}

/// What an element of a list counts; numbers take it, texts in lists are short.
const ELEMENT_BYTES: usize = 8;

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::failed("cannot write the Parquet file").because(source)
}
