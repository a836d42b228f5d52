//! What a Parquet footer says of rows, values and offsets, checked against itself and the file's
//! size.
//!
//! The reader beneath believes it: a negative count reads as no rows, a wrong offset as another
//! column's pages. Owns those contradictions. What the pages say is checked where they are read.

use parquet::basic::ConvertedType;
use parquet::errors::{ParquetError, Result};
use parquet::file::FOOTER_SIZE;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::Type;

/// The bytes before the first page.
const HEAD_BYTES: i64 = 4;

/// Checks a footer of a file of so many bytes. Nothing is known of the columns that are `locked`.
///
/// # Errors
/// Names the row group and the column that contradict the rest.
pub(super) fn check_metadata(
    metadata: &ParquetMetaData,
    file_bytes: u64,
    locked: impl Fn(usize) -> bool,
) -> Result<()> {
    check_type(metadata.file_metadata().schema_descr().root_schema())
        .map_err(ParquetError::General)?;
    let rows = metadata.file_metadata().num_rows();
    let mut sum = 0_i64;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        check_group(group, file_bytes, &locked)
            .map_err(|text| ParquetError::General(format!("row group {number}: {text}")))?;
        sum = sum.saturating_add(group.num_rows());
    }
    if rows != sum {
        return Err(ParquetError::General(format!(
            "the file claims {rows} rows, its row groups have {sum}"
        )));
    }
    Ok(())
}

/// The older name of what a column is must be the one that belongs to the newer.
fn check_type(parquet: &Type) -> std::result::Result<(), String> {
    let info = parquet.get_basic_info();
    if let Some(logical) = info.logical_type_ref() {
        let (own, expected) = (
            info.converted_type(),
            ConvertedType::from(Some(logical.clone())),
        );
        let is_map = matches!(own, ConvertedType::MAP_KEY_VALUE) && expected == ConvertedType::MAP;
        if own != ConvertedType::NONE
            && expected != ConvertedType::NONE
            && own != expected
            && !is_map
        {
            return Err(format!(
                "column `{}` is of two types, {own} and {expected}",
                parquet.name()
            ));
        }
    }
    if parquet.is_primitive() {
        Ok(())
    } else {
        parquet
            .get_fields()
            .iter()
            .try_for_each(|field| check_type(field))
    }
}

fn check_group(
    group: &RowGroupMetaData,
    file_bytes: u64,
    locked: impl Fn(usize) -> bool,
) -> std::result::Result<(), String> {
    let rows = group.num_rows();
    if rows < 0 {
        return Err(format!("it claims {rows} rows"));
    }
    if group.total_byte_size() < 0 {
        return Err(format!("it claims {} bytes", group.total_byte_size()));
    }
    let check = |column: &ColumnChunkMetaData| {
        check_column(column, rows, file_bytes)
            .map_err(|text| format!("column `{}` {text}", column.column_path().string()))
    };
    let columns = group.columns().iter().enumerate();
    columns
        .filter(|(leaf, _)| !locked(*leaf))
        .try_for_each(|(_, column)| check(column))
}

fn check_column(
    column: &ColumnChunkMetaData,
    rows: i64,
    file_bytes: u64,
) -> std::result::Result<(), String> {
    if let Some(path) = column.file_path() {
        return Err(format!("lies in another file, `{path}`"));
    }
    let values = column.num_values();
    let is_flat = column.column_descr().max_rep_level() == 0;
    if values < 0 || is_flat && values != rows {
        return Err(format!("claims {values} values for {rows} rows"));
    }
    let level = usize::try_from(column.column_descr().max_def_level()).unwrap_or(0);
    if column
        .definition_level_histogram()
        .is_some_and(|counts| !counts.values().is_empty() && counts.values().len() != level + 1)
    {
        return Err("counts levels of another nesting than the schema's".to_owned());
    }
    if level == 0
        && column
            .statistics()
            .and_then(Statistics::null_count_opt)
            .is_some_and(|nulls| nulls > 0)
    {
        return Err("counts nulls, and may have none".to_owned());
    }
    let (compressed, uncompressed) = (column.compressed_size(), column.uncompressed_size());
    if compressed < 0 || uncompressed < 0 {
        return Err(format!(
            "claims {compressed} bytes, {uncompressed} without compression"
        ));
    }
    // Nothing is read of a chunk without rows, and writers put anything there.
    if rows == 0 {
        return Ok(());
    }
    let data = column.data_page_offset();
    let start = column.dictionary_page_offset().map_or(data, |dictionary| {
        if dictionary > 0 {
            dictionary.min(data)
        } else {
            data
        }
    });
    let end = file_bytes.saturating_sub(FOOTER_SIZE as u64);
    let is_inside = start >= HEAD_BYTES
        && start
            .checked_add(compressed)
            .and_then(|end| u64::try_from(end).ok())
            .is_some_and(|own| own <= end);
    if !is_inside || data < start || data - start > compressed {
        return Err(format!(
            "claims {compressed} bytes from byte {start} on, of a file of {file_bytes}"
        ));
    }
    Ok(())
}
