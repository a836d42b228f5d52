//! Parquet files in: row groups cut into row ranges that any worker decodes on its own.
//!
//! Owns the reading of Parquet. A range inside a large row group skips whole pages of flat columns
//! without decompressing them, so one huge row group is as parallel, and as bounded in memory, as
//! many small ones. Texts are read as views into their pages: a dictionary's words are in memory
//! once, however often a column repeats them. Between opening and reading a file is closed, and
//! only its schema is kept. Opening is `parquet_open`, cutting `parquet_portions`, decoding
//! `parquet_decode`, writing `parquet_sink`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::demand::Demand;
use super::parquet_decode::Decoder;
pub use super::parquet_footer::{ENCRYPTED_MAGIC, MAGIC};
use super::parquet_input::Input;
use super::parquet_open::{Footer, footer};
use super::parquet_page_check::PageChecks;
use super::parquet_portions::ParquetPortions;
use super::parquet_times::{int96_units, int96_zone};
use super::parquet_types::with_timestamps;
use super::{
    ColumnRequest, FormatReader, Portions, ReadOptions, Start, TableFile, parquet_demand,
    room_for_columns,
};
use crate::error::Result;
use crate::storage::{Identity, Location, SharedFile};

/// Apache Parquet.
#[derive(Debug)]
pub struct Parquet;

impl FormatReader for Parquet {
    fn has_magic(&self) -> bool {
        true
    }

    fn endings(&self) -> &'static [&'static str] {
        &["parquet", "pq", "parq"]
    }

    fn recognises(&self, head: &[u8], _path: &Location) -> bool {
        head.starts_with(MAGIC) || head.starts_with(ENCRYPTED_MAGIC)
    }

    fn open(&self, path: &Location, _options: &ReadOptions) -> Result<Box<dyn TableFile>> {
        let input = Input(SharedFile::open(path)?, PageChecks::default());
        let Footer {
            metadata: footer,
            unreadable,
        } = footer(&input)?;
        let metadata = footer.metadata();
        room_for_columns(footer.schema().fields().len()).map_err(|error| error.at_path(path))?;
        let units = int96_units(&input, &footer, &unreadable)?;
        let unit = |column: usize| units.get(&column).copied().unwrap_or(TimeUnit::Microsecond);
        let zone = int96_zone(&footer);
        let schema = Arc::new(with_timestamps(footer.schema(), unit, zone));
        Ok(Box::new(ParquetFile {
            path: path.to_owned(),
            identity: input.0.identity(),
            row_count: u64::try_from(metadata.file_metadata().num_rows()).ok(),
            row_group_count: metadata.num_row_groups(),
            decoded_bytes: decoded_bytes(metadata, &schema),
            schema,
        }))
    }
}

/// The value of a key in a file's footer; none if it has no such key or cannot be read.
#[must_use]
pub fn footer_value(path: &Location, key: &str) -> Option<String> {
    let read = footer(&Input(SharedFile::open(path).ok()?, PageChecks::default()))
        .ok()?
        .metadata;
    let pairs = read.metadata().file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.clone()
}

#[derive(Debug)]
struct ParquetFile {
    path: Location,
    identity: Identity,
    schema: SchemaRef,
    row_count: Option<u64>,
    row_group_count: usize,
    decoded_bytes: Option<u64>,
}

impl TableFile for ParquetFile {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn row_count(&self) -> Option<u64> {
        self.row_count
    }

    fn identity(&self) -> Identity {
        self.identity
    }

    fn row_group_count(&self) -> Option<usize> {
        Some(self.row_group_count)
    }

    fn decoded_bytes(&self) -> Option<u64> {
        self.decoded_bytes
    }

    fn integer_ranges(&self, columns: &[&str]) -> Result<Vec<Option<(i128, i128)>>> {
        let footer = footer(&self.reopen()?)?.metadata;
        let descriptor = footer.metadata().file_metadata().schema_descr();
        let leaves = (0..descriptor.num_columns()).filter_map(|leaf| {
            match descriptor.column(leaf).path().parts() {
                [name] => Some((name.clone(), leaf)),
                _ => None,
            }
        });
        let leaves: HashMap<String, usize> = leaves.collect();
        let groups = footer.metadata().row_groups();
        let range = |leaf: &usize| {
            let ranges = groups.iter().map(|group| group_range(group, *leaf));
            ranges.reduce(|left, right| Some((left?.0.min(right?.0), left?.1.max(right?.1))))?
        };
        Ok(columns
            .iter()
            .map(|column| leaves.get(*column).and_then(range))
            .collect())
    }

    fn demands(
        &self,
        columns: &[ColumnRequest],
        options: &[ReadOptions],
        looks_into_pages: bool,
    ) -> Result<Vec<Demand>> {
        let decoder = Decoder::new(self.reopen()?, columns)?;
        Ok(parquet_demand::demands(&decoder, options, looks_into_pages))
    }

    fn portions(
        &self,
        columns: &[ColumnRequest],
        options: &ReadOptions,
        start: Start,
    ) -> Result<Box<dyn Portions>> {
        let decoder = Decoder::new(self.reopen()?, columns)?;
        Ok(Box::new(ParquetPortions::new(decoder, options, start.row)))
    }
}

impl ParquetFile {
    fn reopen(&self) -> Result<Input> {
        SharedFile::reopen(&self.path, &self.identity)
            .map(|file| Input(file, PageChecks::default()))
    }
}

/// The pages without compression, and for each row the widths of its values: a dictionary's words
/// may be few, their positions are not. None for nested columns, whose rows have no width.
fn decoded_bytes(metadata: &ParquetMetaData, schema: &Schema) -> Option<u64> {
    let pages: i64 = metadata
        .row_groups()
        .iter()
        .map(RowGroupMetaData::total_byte_size)
        .sum();
    let widths = schema.fields().iter().map(|field| match field.data_type() {
        nested if nested.is_nested() => None,
        other => Some(other.primitive_width().unwrap_or(VIEW_BYTES) as u64),
    });
    let rows = u64::try_from(metadata.file_metadata().num_rows()).ok()?;
    u64::try_from(pages)
        .ok()?
        .checked_add(rows.checked_mul(widths.sum::<Option<u64>>()?)?)
}

/// The width of a text's place: of a view into its page, or of a dictionary's key at most.
const VIEW_BYTES: usize = 16;

/// The smallest and largest value in a row group; none without trustworthy statistics.
fn group_range(group: &RowGroupMetaData, column: usize) -> Option<(i128, i128)> {
    match group.column(column).statistics()? {
        Statistics::Int32(values) => Some((
            i128::from(*values.min_opt()?),
            i128::from(*values.max_opt()?),
        )),
        Statistics::Int64(values) => Some((
            i128::from(*values.min_opt()?),
            i128::from(*values.max_opt()?),
        )),
        _ => None,
    }
}

/// Whether the Parquet writer takes columns of this type.
#[must_use]
pub fn can_write(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::Union(..) | DataType::RunEndEncoded(..))
}
