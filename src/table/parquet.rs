//! Parquet files in: row groups cut into row ranges that any worker decodes on its own.
//!
//! Owns the reading of Parquet. A range inside a large row group skips whole pages of flat columns without decompressing them, so
//! one huge row group is as parallel, and as bounded in memory, as many small ones. Writing is `parquet_sink`.

use std::io::BufReader;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;

use super::cast::cast_column;
use super::commit::{FileReader, SharedFile};
use super::{ColumnRequest, Format, Portion, Portions, ReadOptions, TableFile};
use crate::error::{Error, Result};

/// The four bytes at both ends of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

/// The most bytes a read ahead of a page header takes; headers are some dozens of bytes.
const HEADER_BUFFER_BYTES: usize = 2048;

/// Apache Parquet.
#[derive(Debug)]
pub struct Parquet;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn recognises(&self, head: &[u8], _path: &Path) -> bool {
        head.starts_with(MAGIC)
    }

    fn open(&self, path: &Path, _options: &ReadOptions) -> Result<Box<dyn TableFile>> {
        let input = Input(SharedFile::open(path)?);
        let metadata = ArrowReaderMetadata::load(&input, ArrowReaderOptions::new()).map_err(|error| {
            Error::failed("cannot read the Parquet footer")
                .at_path(path)
                .because(error)
                .hint("the file is cut off or damaged: write or copy it again")
        })?;
        let metadata =
            without_odd_dictionaries(metadata).map_err(|error| Error::failed("cannot read the Parquet schema").at_path(path).because(error))?;
        Ok(Box::new(ParquetFile { path: path.to_owned(), input, metadata }))
    }
}

/// The reader cannot decode dictionaries of booleans and decimals, which pandas writes for such categories: they are read as plain columns.
fn without_odd_dictionaries(metadata: ArrowReaderMetadata) -> parquet::errors::Result<ArrowReaderMetadata> {
    let odd = |data_type: &DataType| matches!(data_type, DataType::Dictionary(_, value) if matches!(**value, DataType::Boolean | DataType::Decimal128(..) | DataType::Decimal256(..)));
    if !metadata.schema().fields().iter().any(|field| odd(field.data_type())) {
        return Ok(metadata);
    }
    let plain = |field: &Arc<Field>| match field.data_type() {
        DataType::Dictionary(_, value) if odd(field.data_type()) => Arc::new(field.as_ref().clone().with_data_type(value.as_ref().clone())),
        _ => field.clone(),
    };
    let schema = Schema::new_with_metadata(metadata.schema().fields().iter().map(plain).collect::<Vec<_>>(), metadata.schema().metadata().clone());
    ArrowReaderMetadata::try_new(metadata.metadata().clone(), ArrowReaderOptions::new().with_schema(Arc::new(schema)))
}

/// A file read by position, so that workers share one handle.
#[derive(Clone, Debug)]
struct Input(SharedFile);

impl Length for Input {
    fn len(&self) -> u64 {
        self.0.byte_count()
    }
}

impl ChunkReader for Input {
    type T = BufReader<FileReader>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::with_capacity(HEADER_BUFFER_BYTES, self.0.reader_from(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<bytes::Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.0.byte_count()) {
            return Err(ParquetError::EOF(format!("{length} bytes wanted at {start} of {}", self.0.byte_count())));
        }
        let mut buffer = vec![0; length];
        self.0.read_exact_at(&mut buffer, start).map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(buffer.into())
    }
}

#[derive(Debug)]
struct ParquetFile {
    path: PathBuf,
    input: Input,
    metadata: ArrowReaderMetadata,
}

impl TableFile for ParquetFile {
    fn schema(&self) -> SchemaRef {
        self.metadata.schema().clone()
    }

    fn row_count(&self) -> Option<u64> {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).ok()
    }

    fn byte_count(&self) -> u64 {
        self.input.0.byte_count()
    }

    fn row_group_count(&self) -> Option<usize> {
        Some(self.metadata.metadata().num_row_groups())
    }

    fn integer_range(&self, column: &str) -> Option<(i128, i128)> {
        let descriptor = self.metadata.metadata().file_metadata().schema_descr();
        let index = (0..descriptor.num_columns()).find(|&index| descriptor.column(index).path().parts() == [column])?;
        let ranges = self.metadata.metadata().row_groups().iter().map(|group| group_range(group, index));
        ranges.reduce(|left, right| Some((left?.0.min(right?.0), left?.1.max(right?.1))))?
    }

    fn portions(&self, columns: &[ColumnRequest], options: &ReadOptions) -> Result<Portions> {
        let decoder = Arc::new(Decoder::new(self, columns)?);
        let ranges = self.ranges(&decoder.mask, options);
        let mut first_row = 0;
        Ok(Box::new(ranges.into_iter().map(move |(row_group, rows)| {
            let (decoder, row_count) = (Arc::clone(&decoder), rows.len() as u64);
            let portion = Portion { first_row, row_count, decode: Box::new(move || decoder.decode(row_group, rows)) };
            first_row += row_count;
            Ok(portion)
        })))
    }
}

impl ParquetFile {
    /// (row group, rows inside it) of every portion, in row order.
    fn ranges(&self, mask: &ProjectionMask, options: &ReadOptions) -> Vec<(usize, Range<usize>)> {
        let groups = self.metadata.metadata().row_groups().iter().enumerate();
        let cut = |(index, group): (usize, &RowGroupMetaData)| {
            let rows = usize::try_from(group.num_rows()).unwrap_or(0);
            let wanted = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
            let bytes: usize = wanted.map(|(_, column)| usize::try_from(decoded_bytes(column)).unwrap_or(0)).sum();
            let parts = bytes.div_ceil(options.portion_bytes.max(1)).max(rows.div_ceil(options.portion_rows.max(1))).clamp(1, rows.max(1));
            let step = rows.div_ceil(parts).max(1);
            (0..rows).step_by(step).map(move |start| (index, start..(start + step).min(rows))).collect::<Vec<_>>()
        };
        groups.flat_map(cut).collect()
    }
}

/// What a column chunk takes in memory: its encoded size, or what the writer says its texts take once a dictionary is spelt out.
fn decoded_bytes(column: &ColumnChunkMetaData) -> i64 {
    column.uncompressed_size().max(column.unencoded_byte_array_data_bytes().unwrap_or(0))
}

/// The smallest and largest value in a row group; none without trustworthy statistics.
fn group_range(group: &RowGroupMetaData, column: usize) -> Option<(i128, i128)> {
    match group.column(column).statistics()? {
        Statistics::Int32(values) => Some((i128::from(*values.min_opt()?), i128::from(*values.max_opt()?))),
        Statistics::Int64(values) => Some((i128::from(*values.min_opt()?), i128::from(*values.max_opt()?))),
        _ => None,
    }
}

/// All that a worker needs to decode any range of one file.
#[derive(Debug)]
struct Decoder {
    path: PathBuf,
    input: Input,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    schema: SchemaRef,
    /// The position of each requested column among the columns that the mask lets through.
    positions: Vec<usize>,
}

impl Decoder {
    fn new(file: &ParquetFile, columns: &[ColumnRequest]) -> Result<Self> {
        let schema = file.metadata.schema();
        let roots: Vec<usize> = columns
            .iter()
            .map(|column| schema.index_of(&column.name).map_err(|error| Error::internal("a column that the file lacks").because(error)))
            .collect::<Result<_>>()?;
        let mut ascending = roots.clone();
        ascending.sort_unstable();
        ascending.dedup();
        let positions = roots.iter().filter_map(|root| ascending.binary_search(root).ok()).collect();
        let descriptor = file.metadata.metadata().file_metadata().schema_descr();
        let fields = columns.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true));
        Ok(Self {
            path: file.path.clone(),
            input: file.input.clone(),
            metadata: file.metadata.clone(),
            mask: ProjectionMask::roots(descriptor, ascending),
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            positions,
        })
    }

    fn decode(&self, row_group: usize, rows: Range<usize>) -> Result<RecordBatch> {
        let count = rows.len();
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::failed(format!("cannot decode row group {row_group}"))
                .at_path(&self.path)
                .because(error)
                .hint("the file is damaged: write or copy it again")
        };
        // The decoder underneath panics on some damaged files.
        let batch = catch_unwind(AssertUnwindSafe(|| self.read(row_group, rows)));
        let batch = batch.map_err(|_| broken("its pages contradict each other".into()))?.map_err(|error| broken(Box::new(error)))?;
        if batch.num_rows() != count {
            return Err(broken(format!("{count} rows were promised, {} are there", batch.num_rows()).into()));
        }
        let columns = self.positions.iter().zip(self.schema.fields()).map(|(&position, field)| self.column(&batch, position, field));
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(self.schema.clone(), columns.collect::<Result<_>>()?, &options).map_err(|error| broken(Box::new(error)))
    }

    fn column(&self, batch: &RecordBatch, position: usize, field: &Field) -> Result<ArrayRef> {
        cast_column(batch.column(position), field.data_type()).map_err(|error| error.at_path(&self.path).at_column(field.name()))
    }

    fn read(&self, row_group: usize, rows: Range<usize>) -> Result<RecordBatch, ParquetError> {
        let all = usize::try_from(self.metadata.metadata().row_group(row_group).num_rows()).unwrap_or(0);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.input.clone(), self.metadata.clone());
        let builder = builder.with_projection(self.mask.clone()).with_row_groups(vec![row_group]).with_batch_size(rows.len().max(1));
        let builder = if rows.len() == all {
            builder
        } else {
            builder.with_row_selection(RowSelection::from(vec![RowSelector::skip(rows.start), RowSelector::select(rows.len())]))
        };
        let reader = builder.build()?;
        let schema = arrow::array::RecordBatchReader::schema(&reader);
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        if let [batch] = batches.as_slice() { Ok(batch.clone()) } else { Ok(concat_batches(&schema, &batches)?) }
    }
}

/// Whether the Parquet writer takes columns of this type.
#[must_use]
pub fn can_write(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::Union(..) | DataType::RunEndEncoded(..))
}
