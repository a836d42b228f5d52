//! Parquet files out: zstd, row groups and pages of a fixed content, the run's identity in the
//! footer.
//!
//! The rows of a row group wait as they came until it is full and are then encoded one column after
//! the other, so that what a file takes in memory does not grow with the number of its columns: one
//! encoder is there at a time. Where a row group ends depends on its rows alone.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::chunk::{CHUNK_ROWS, Chunk, Chunks, leaf_count};
use super::keyring::Encryption;
use super::parquet_encryption::encryption_properties;
use super::parquet_page::{CheckedChunk, PageStores};
use super::parquet_types::{parquet_schema, with_plain_lists, without_annotations};
use super::shown_type::shown_type;
use super::{FormatWriter, Sink, geo, parquet as reading};
use crate::error::{Error, Result};
use crate::storage::io_error;

/// Rows of a row group: what pyarrow, `DuckDB` and Spark readers parallelise by.
pub const ROW_GROUP_ROWS: usize = 8 * CHUNK_ROWS;

/// What the rows of a row group of few columns take when it ends before it has all of them: they
/// are held in memory until then.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// In a wide table a row group has this much of each column. A column chunk has a price of its own,
/// here and in every reader: about 1 KiB of footer in memory, and the time of some thousand values.
/// A fixed size for the whole would make both grow with the square of the number of columns.
const COLUMN_CHUNK_BYTES: usize = 2 << 10;

/// How Parquet is written.
#[derive(Debug)]
pub struct ParquetWriter;

impl FormatWriter for ParquetWriter {
    fn about(&self) -> &'static str {
        "Apache Parquet, zstd"
    }

    fn keeps_metadata(&self) -> bool {
        true
    }

    fn may_have_written(&self, head: &[u8]) -> bool {
        head.starts_with(reading::MAGIC) || head.starts_with(reading::ENCRYPTED_MAGIC)
    }

    fn sink<'a>(
        &self,
        stream: Box<dyn Write + Send + 'a>,
        schema: SchemaRef,
        metadata: &[(String, String)],
        encryption: Option<&Encryption>,
    ) -> Result<Box<dyn Sink + 'a>> {
        let sink = ParquetSink::new(stream, schema, metadata, encryption)?;
        Ok(Box::new(sink))
    }
}

/// The size that ends a row group of a table that has `leaf_count` columns, nested ones counted by
/// leaf.
#[must_use]
pub fn row_group_bytes(leaf_count: usize) -> usize {
    ROW_GROUP_BYTES.max(leaf_count.saturating_mul(COLUMN_CHUNK_BYTES))
}

/// The paths of the leaves that a table of these columns is written with; of a column that Parquet
/// has no form for, its name alone.
#[must_use]
pub fn leaf_paths(schema: &Schema) -> Vec<String> {
    let of_field = |field: &FieldRef| {
        let alone = Schema::new(vec![Arc::clone(field)]);
        let descriptor = reading::can_write(field.data_type())
            .then(|| parquet_schema(&alone).ok())
            .flatten();
        descriptor.map_or_else(
            || vec![field.name().clone()],
            |found| {
                let leaves = found.columns().iter();
                leaves.map(|leaf| leaf.path().string()).collect()
            },
        )
    };
    schema.fields().iter().flat_map(of_field).collect()
}

/// What the encoder of one column takes: a dictionary, a page, what compresses them.
pub const ENCODER_BYTES: usize = 6 << 20;

/// The same zstd level that pyarrow and parquet-rs take by default: nearly the speed of none.
const ZSTD_LEVEL: i32 = 1;

/// Fewer values than this say nothing of how often a column repeats itself.
const FEWEST_TELLING_ROWS: usize = 1_024;

/// The name of the group of a file's columns, which no reader looks at.
const OWN_ROOT: &str = "arrow_schema";

/// Writes Parquet to anything that takes bytes.
pub struct ParquetSink<W: Write + Send> {
    chunks: Chunks,
    groups: Groups<W>,
}

/// Row groups in the making, and the file that they go to.
struct Groups<W: Write + Send> {
    writer: Writer<W>,
    schema: SchemaRef,
    /// What the footer says of geometries: pyarrow and geopandas read it from the Arrow schema.
    geo: Option<(String, String)>,
    /// The Parquet types of the columns, in one group.
    root: TypePtr,
    group: Group,
    /// The size that ends a row group.
    max_bytes: usize,
}

/// The file, once the first chunk has said which columns repeat their values.
enum Writer<W: Write + Send> {
    Waiting(Option<Box<(W, WriterPropertiesBuilder)>>),
    Writing(Box<SerializedFileWriter<W>>),
}

/// The rows of the next row group so far.
#[derive(Default)]
struct Group {
    chunks: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Group {
    fn push(&mut self, chunk: Chunk) {
        self.rows += chunk.rows.num_rows();
        self.bytes += chunk.bytes;
        self.chunks.push(chunk.rows);
    }

    fn is_full(&self, max_bytes: usize) -> bool {
        self.rows + CHUNK_ROWS > ROW_GROUP_ROWS || self.bytes >= max_bytes
    }

    /// For each column, its chunks.
    fn into_columns(self, column_count: usize) -> Vec<Vec<ArrayRef>> {
        let mut columns: Vec<Vec<ArrayRef>> =
            vec![Vec::with_capacity(self.chunks.len()); column_count];
        for chunk in self.chunks {
            columns
                .iter_mut()
                .zip(chunk.columns())
                .for_each(|(column, array)| column.push(array.clone()));
        }
        columns
    }
}

impl<W: Write + Send> ParquetSink<W> {
    /// A sink for batches of `schema`, or of its columns as they are read; `metadata` are key-value
    /// pairs for the footer. With keys, all of it is encrypted.
    ///
    /// # Errors
    /// Fails if a column's type has no Parquet form.
    pub fn new(
        output: W,
        schema: SchemaRef,
        metadata: &[(String, String)],
        encryption: Option<&Encryption>,
    ) -> Result<Self> {
        if let Some(field) = schema
            .fields()
            .iter()
            .find(|field| !reading::can_write(field.data_type()))
        {
            return Err(Error::contract(format!(
                "Parquet has no form for {}",
                shown_type(field.data_type())
            ))
            .at_column(field.name()));
        }
        let descriptor = parquet_schema(&schema).map_err(failed)?;
        let root = descriptor.root_schema_ptr();
        let level = ZstdLevel::try_new(ZSTD_LEVEL)
            .map_err(|error| Error::internal("zstd level").because(error))?;
        let pairs = metadata
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
            .collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(concat!("tallow ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(pairs));
        let properties = match encryption {
            None => properties,
            Some(encryption) => properties.with_file_encryption_properties(
                encryption_properties(encryption, &descriptor).map_err(failed)?,
            ),
        };
        let max_bytes = row_group_bytes(leaf_count(schema.fields()));
        let chunks = Chunks::new(schema.clone());
        let writer = Writer::Waiting(Some(Box::new((output, properties))));
        Ok(Self {
            chunks,
            groups: Groups {
                writer,
                schema,
                geo: metadata.iter().find(|(key, _)| key == geo::KEY).cloned(),
                root,
                group: Group::default(),
                max_bytes,
            },
        })
    }
}

impl<W: Write + Send> Groups<W> {
    fn take(&mut self, chunk: Chunk) -> Result<()> {
        self.group.push(chunk);
        if self.group.is_full(self.max_bytes) {
            self.end_group()
        } else {
            Ok(())
        }
    }

    /// The file; `chunk` is the first that it will get.
    fn writer(&mut self, chunk: &RecordBatch) -> Result<&mut SerializedFileWriter<W>> {
        if let Writer::Waiting(waiting) = &mut self.writer {
            let (output, properties) = *waiting
                .take()
                .ok_or_else(|| Error::internal("a Parquet file that failed is written on"))?;
            // Where nearly every value is new, a dictionary of them costs more than it saves.
            let unique = self
                .schema
                .fields()
                .iter()
                .zip(chunk.columns())
                .filter(|(_, column)| !repeats_itself(column));
            let properties = unique.fold(properties, |properties, (field, _)| {
                properties.set_column_dictionary_enabled(vec![field.name().clone()].into(), false)
            });
            let writer = SerializedFileWriter::new(
                output,
                Arc::clone(&self.root),
                Arc::new(properties.build()),
            )
            .map_err(failed)?;
            self.writer = Writer::Writing(Box::new(writer));
        }
        let Writer::Writing(writer) = &mut self.writer else {
            return Err(Error::internal("a Parquet file without its writer"));
        };
        Ok(writer)
    }

    fn end_group(&mut self) -> Result<()> {
        let group = std::mem::take(&mut self.group);
        let Some(first) = group.chunks.first().cloned() else {
            return Ok(());
        };
        let (schema, root) = (self.schema.clone(), Arc::clone(&self.root));
        let writer = self.writer(&first)?;
        drop(first);
        write_group(writer, &schema, &root, group).map_err(failed)
    }

    fn finish(&mut self) -> Result<()> {
        self.end_group()?;
        let nothing = RecordBatch::new_empty(self.schema.clone());
        let plain = without_annotations(&with_plain_lists(&self.schema));
        let geo: HashMap<String, String> = self.geo.take().into_iter().collect();
        let arrow_schema = encode_arrow_schema(&plain.with_metadata(geo));
        let writer = self.writer(&nothing)?;
        writer.append_key_value_metadata(KeyValue::new(
            ARROW_SCHEMA_META_KEY.to_owned(),
            arrow_schema,
        ));
        writer.finish().map(|_| ()).map_err(failed)
    }
}

fn write_group<W: Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    schema: &SchemaRef,
    root: &Type,
    group: Group,
) -> Result<(), ParquetError> {
    let properties = Arc::clone(writer.properties());
    if properties.file_encryption_properties().is_some() {
        return write_encrypted_group(writer, schema, root, group);
    }
    let mut row_group = writer.next_row_group()?;
    let columns = group.into_columns(schema.fields().len());
    for ((field, parquet), chunks) in schema.fields().iter().zip(root.get_fields()).zip(columns) {
        for column in encode(field, parquet, chunks, &properties)? {
            column.append_to_row_group(&mut row_group)?;
        }
    }
    row_group.close().map(|_| ())
}

/// Writes a row group whose pages are encrypted: each is bound to its file, row group and column,
/// so all encoders are those of the file. Pages have no checksum: the cipher checks them.
fn write_encrypted_group<W: Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    schema: &SchemaRef,
    root: &Type,
    group: Group,
) -> Result<(), ParquetError> {
    let factory = ArrowRowGroupWriterFactory::new(writer, Arc::clone(schema));
    let number = writer.flushed_row_groups().len();
    let mut encoders = factory.create_column_writers(number)?.into_iter();
    let mut row_group = writer.next_row_group()?;
    let columns = group.into_columns(schema.fields().len());
    for ((field, parquet), chunks) in schema.fields().iter().zip(root.get_fields()).zip(columns) {
        let mut own: Vec<ArrowColumnWriter> = encoders.by_ref().take(leaves_of(parquet)).collect();
        for chunk in chunks {
            for (leaf, encoder) in compute_leaves(field, &chunk)?.iter().zip(&mut own) {
                encoder.write(leaf)?;
            }
        }
        for encoder in own {
            encoder.close()?.append_to_row_group(&mut row_group)?;
        }
    }
    row_group.close().map(|_| ())
}

/// How many leaves a type has.
fn leaves_of(parquet: &Type) -> usize {
    if parquet.is_primitive() {
        return 1;
    }
    let fields = parquet.get_fields().iter();
    fields.map(|field| leaves_of(field)).sum()
}

/// The column chunks of one column, of which nested ones have several; its rows are gone when this
/// returns.
fn encode(
    field: &FieldRef,
    parquet: &TypePtr,
    chunks: Vec<ArrayRef>,
    properties: &WriterPropertiesPtr,
) -> Result<Vec<CheckedChunk>, ParquetError> {
    let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
    // Encoders are made for the columns of a file, all of them at once; so each column gets a file
    // of its own, which no one keeps.
    let root = Type::group_type_builder(OWN_ROOT)
        .with_fields(vec![Arc::clone(parquet)])
        .build()?;
    let own_file = SerializedFileWriter::new(io::sink(), Arc::new(root), Arc::clone(properties))?;
    let stores = Arc::new(PageStores::default());
    let factory = ArrowRowGroupWriterFactory::new(&own_file, schema)
        .with_page_store_factory(Arc::clone(&stores) as _);
    let mut writers = factory.create_column_writers(0)?;
    for chunk in chunks {
        for (leaf, writer) in compute_leaves(field, &chunk)?.iter().zip(&mut writers) {
            writer.write(leaf)?;
        }
    }
    stores.take_chunks(
        writers
            .into_iter()
            .map(ArrowColumnWriter::close)
            .collect::<Result<_, _>>()?,
    )
}

impl<W: Write + Send> Sink for ParquetSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.chunks.push(batch, |chunk| self.groups.take(chunk))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.chunks
            .rest()?
            .map_or(Ok(()), |chunk| self.groups.take(chunk))?;
        self.groups.finish()
    }
}

/// Whether a dictionary of the column's values is worth its while: not if more than half of them
/// are distinct.
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
                let bytes = data.buffers()[0]
                    .as_slice()
                    .chunks_exact(width)
                    .skip(data.offset())
                    .take(data.len());
                repeat(
                    bytes
                        .enumerate()
                        .filter(|(row, _)| data.is_valid(*row))
                        .map(|(_, value)| value),
                )
            }
            _ => true,
        },
    }
}

fn failed(source: ParquetError) -> Error {
    const DOING: &str = "cannot write the Parquet file";
    match source {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => io_error(DOING, *error),
            Err(source) => Error::failed(DOING).because(source),
        },
        source => Error::failed(DOING).because(source),
    }
}
