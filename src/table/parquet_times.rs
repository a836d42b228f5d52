//! Times of the type INT96 in a Parquet file: their zone, and the unit that holds all of them.
//!
//! Owns what is read of a file to know the unit. What such a time means is `int96`'s.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::datatypes::{Field, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

use super::int96::Needs;
use super::parquet_input::Input;
use super::parquet_types::has_int96;
use crate::error::{Error, Result};

/// The zone of times of the type INT96: Spark writes its `timestamp`, an instant, as such, and
/// reads any as one. Other readers, pyarrow, DuckDB and polars, know no zone of theirs.
pub(super) fn int96_zone(footer: &ArrowReaderMetadata) -> Option<&'static str> {
    let pairs = footer.metadata().file_metadata().key_value_metadata()?;
    let is_sparks = |pair: &KeyValue| pair.key.starts_with("org.apache.spark.");
    pairs.iter().any(is_sparks).then_some("UTC")
}

/// The unit that holds all times of each column of the type INT96, by the column's number. Spark's
/// times have microseconds; other writers' files are read through for it, these columns alone.
pub(super) fn int96_units(
    input: &Input,
    footer: &ArrowReaderMetadata,
    unreadable: &[(usize, String)],
) -> Result<HashMap<usize, TimeUnit>> {
    let is_sparks = int96_zone(footer).is_some();
    let is_readable = |column: usize| {
        unreadable
            .iter()
            .all(|(leaf, _)| footer.parquet_schema().get_column_root_idx(*leaf) != column)
    };
    let is_asked =
        |column: usize, field: &Field| !is_sparks && has_int96(field) && is_readable(column);
    let columns = footer
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(column, field)| is_asked(*column, field));
    columns
        .map(|(column, field)| {
            Ok((
                column,
                int96_unit(input, footer, column).map_err(|error| error.at_column(field.name()))?,
            ))
        })
        .collect()
}

fn int96_unit(input: &Input, footer: &ArrowReaderMetadata, column: usize) -> Result<TimeUnit> {
    let look = || -> Result<TimeUnit, ParquetError> {
        let mask = ProjectionMask::roots(footer.parquet_schema(), [column]);
        let groups = footer.metadata().row_groups().iter();
        let chunks = groups.flat_map(|group| {
            let chunks = group.columns().iter().enumerate();
            chunks
                .filter(|(leaf, _)| mask.leaf_included(*leaf))
                .map(move |(_, chunk)| (group, chunk))
        });
        let input = input.for_reader(chunks);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(input, footer.clone());
        let mut needs = Needs::default();
        for batch in builder.with_projection(mask).build()? {
            batch?
                .columns()
                .iter()
                .for_each(|column| needs.look(column));
            if needs.is_settled() {
                break;
            }
        }
        Ok(needs.unit())
    };
    // The decoder underneath panics on some damaged files.
    let found = catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| {
        Err(ParquetError::General(
            "its pages contradict each other".to_owned(),
        ))
    });
    let failed = |error| {
        Error::failed("cannot read the INT96 times")
            .at_path(input.0.path())
            .because(error)
    };
    found.map_err(|error| failed(error).hint("the file is damaged: write or copy it again"))
}
