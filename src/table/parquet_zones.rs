//! Time zones that a file's Arrow schema names and its Parquet schema cannot.
//!
//! Parquet knows instants without their zone, so writers keep the zone in an Arrow schema next to
//! it. Where the units of the two differ (pyarrow writes seconds as milliseconds, and `pandas` asks
//! for microseconds with `coerce_timestamps`), the Parquet crate passes over the zone; pyarrow
//! keeps it (`ApplyOriginalStorageMetadata` in `parquet/arrow/schema.cc`), and so does this file.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

use super::parquet_stored_schema::{KEY, message_of, schema_of, text_of};

/// What polars calls `Int128` and `UInt128`.
pub(super) const WIDE_INTEGERS: &str = "integers of 128 bits";

/// The schema with the zones that the Arrow schema in the footer's metadata names.
///
/// # Errors
/// Fails if there is an Arrow schema that cannot be decoded, as pyarrow does: types would change in
/// silence.
pub(super) fn with_zones(
    schema: &Schema,
    metadata: Option<&Vec<KeyValue>>,
) -> Result<Schema, ParquetError> {
    let Some(text) = text_of(metadata) else {
        return Ok(schema.clone());
    };
    let message = message_of(text);
    if let Some(name) = message.as_deref().and_then(wide_integer) {
        return Err(ParquetError::General(format!(
            "the column `{name}` holds {WIDE_INTEGERS}, which only polars reads"
        )));
    }
    let stored = message.as_deref().and_then(schema_of).ok_or_else(|| {
        ParquetError::General(format!(
            "the Arrow schema in the footer (`{KEY}`) is damaged"
        ))
    })?;
    if stored.fields().len() != schema.fields().len() {
        return Ok(schema.clone());
    }
    Ok(Schema::new_with_metadata(
        zoned_fields(schema.fields(), stored.fields()),
        schema.metadata().clone(),
    ))
}

/// The first column of integers of more than 64 bits: polars' `Int128` and `UInt128`, which Arrow
/// does not have and pyarrow refuses.
fn wide_integer(message: &[u8]) -> Option<String> {
    let schema = arrow_ipc::root_as_message(message)
        .ok()?
        .header_as_schema()?;
    let mut fields = schema.fields()?.iter();
    let is_wide = |field: &arrow_ipc::Field| {
        field
            .type_as_int()
            .is_some_and(|integer| integer.bitWidth() > 64)
    };
    Some(fields.find(is_wide)?.name().unwrap_or_default().to_owned())
}

fn zoned_fields(fields: &Fields, stored: &Fields) -> Fields {
    fields
        .iter()
        .zip(stored)
        .map(|(field, stored)| zoned_field(field, stored))
        .collect()
}

fn zoned_field(field: &FieldRef, stored: &Field) -> FieldRef {
    let data_type = zoned(field.data_type(), stored.data_type());
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// The type with the zones of the stored one, at any depth.
fn zoned(data_type: &DataType, stored: &DataType) -> DataType {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct, Timestamp};
    match (data_type, stored) {
        (Timestamp(unit, Some(_)), Timestamp(_, Some(zone))) => {
            Timestamp(*unit, Some(Arc::clone(zone)))
        }
        (Struct(fields), Struct(stored)) if fields.len() == stored.len() => {
            Struct(zoned_fields(fields, stored))
        }
        (List(item), List(stored) | LargeList(stored) | FixedSizeList(stored, _)) => {
            List(zoned_field(item, stored))
        }
        (LargeList(item), LargeList(stored)) => LargeList(zoned_field(item, stored)),
        (FixedSizeList(item, length), FixedSizeList(stored, _)) => {
            FixedSizeList(zoned_field(item, stored), *length)
        }
        (Map(entries, sorted), Map(stored, _)) => Map(zoned_field(entries, stored), *sorted),
        _ => data_type.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What polars 2.1 writes for `pl.DataFrame({"id": [1, 2], "big": …Int128})`; pyarrow 23
    /// refuses it: "Integers with more than 64 bits not implemented".
    const POLARS_WIDE: &str = "\
        /////9cAAAAEAAAA8v///xQAAAAEAAEAAAAKAAsACAAKAAQA+P///wwAAAAIAAgAAAAEAAMAAABkAAAANAAA\
        AAQAAACU////IAAAABAAAAAIAAAAAQIAAAAAAACM////gAAAAAEAAAADAAAAYmlnAMD///8gAAAAEAAAAAgA\
        AAABAwAAAAAAAPr///8CAAYABgAEAAEAAAB4AAAA7P///zgAAAAgAAAAGAAAAAECAAAQABIABAAQABEACAAA\
        AAwAAAAAAPT///9AAAAAAQAAAAgACQAEAAgAAgAAAGlkAA==";

    #[test]
    fn integers_of_128_bits_are_refused_by_the_name_of_their_column() {
        let schema = |text: &str| {
            let pairs = vec![KeyValue::new(KEY.to_owned(), text.to_owned())];
            with_zones(&Schema::empty(), Some(&pairs))
        };
        assert_eq!(
            schema(POLARS_WIDE).unwrap_err().to_string(),
            "Parquet error: the column `big` holds integers of 128 bits, which only polars reads"
        );
        for damaged in ["", "AAAA", "/////w==", &POLARS_WIDE[..80]] {
            let error = schema(damaged).unwrap_err().to_string();
            assert!(error.ends_with("is damaged"), "{damaged}: {error}");
        }
    }
}
