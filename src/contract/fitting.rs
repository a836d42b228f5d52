//! Which types of columns an input accepts.
//!
//! Owns the check of every bound column against its input, and the limits of integer types. It must
//! not know how columns are found.

use arrow::datatypes::DataType;

use super::binding::BoundInput;
use super::{CategoryValue, ColumnType, InputKind, NativeElement, NativeType, Width, type_name};
use crate::error::{Error, Result};
use crate::table::cast::{is_integer, is_number, is_text, leaf_type, list_depth};
use crate::table::dataset::Dataset;
use crate::table::shown_type::shown_type;

/// Checks the types that the manifest insists on; an integer column that is too wide by its type
/// may fit by its values.
pub(super) fn check_types(bound: &[BoundInput], dataset: &Dataset) -> Result<()> {
    let insists = |one: &&BoundInput| {
        !is_parsed(&one.column, &one.data_type, dataset) && one.data_type != DataType::Null
    };
    let wrong = bound
        .iter()
        .filter(insists)
        .filter_map(|one| Some((one, one.input.column_type?)));
    let wrong: Vec<(&BoundInput, ColumnType)> = wrong
        .filter(|(one, expected)| !fits(*expected, value_type(&one.data_type), None))
        .collect();
    let names: Vec<&str> = wrong.iter().map(|(one, _)| one.column.as_str()).collect();
    for ((one, expected), range) in wrong.iter().zip(dataset.integer_ranges(&names)?) {
        if !fits(*expected, value_type(&one.data_type), range) {
            let message = format!(
                "the column is {}, the manifest requires {}",
                shown_type(&one.data_type),
                type_name(*expected)
            );
            let error = at_first_file(Error::contract(message).at_column(&one.column), dataset);
            return Err(error.hint(
                "cast the column where the file is written, or widen the type in `tallow.toml`",
            ));
        }
    }
    Ok(())
}

pub(super) fn at_first_file(error: Error, dataset: &Dataset) -> Error {
    dataset
        .files
        .iter()
        .take(1)
        .fold(error, |error, file| error.at_path(&file.path))
}

/// Whether the values are text that the encoder parses.
pub(super) fn is_parsed(column: &str, data_type: &DataType, dataset: &Dataset) -> bool {
    dataset.is_untyped(column) && is_text(value_type(data_type))
}

pub(super) fn value_type(data_type: &DataType) -> &DataType {
    if let DataType::Dictionary(_, value) = data_type {
        value
    } else {
        data_type
    }
}

pub(super) fn accepts(kind: &InputKind, data_type: &DataType) -> bool {
    let number = is_number(data_type) || matches!(data_type, DataType::Boolean | DataType::Null);
    match kind {
        InputKind::Number | InputKind::CategoryCode => number,
        InputKind::Native(expected) => accepts_native(*expected, data_type),
        InputKind::HashedCategory(_) => is_text(data_type) || number,
        InputKind::Text => {
            is_text(data_type) || matches!(data_type, DataType::Boolean | DataType::Null)
        }
        // A vocabulary without values belongs to a feature that the model never asks about.
        InputKind::Category(vocabulary) if vocabulary.values.is_empty() => true,
        InputKind::Category(vocabulary) => vocabulary.values.iter().any(|value| match value {
            CategoryValue::Text(_) => is_text(data_type) || *data_type == DataType::Null,
            CategoryValue::Boolean(_) => matches!(data_type, DataType::Boolean | DataType::Null),
            CategoryValue::Integer(_) | CategoryValue::Number(_) => number,
        }),
    }
}

fn accepts_native(expected: NativeType, data_type: &DataType) -> bool {
    if expected.width != Width::One {
        let (depth, leaf) = (list_depth(data_type), leaf_type(data_type));
        let is_nested = depth > 1 && depth == expected.shape.axes().len();
        // The lengths of lists that may differ are checked row by row.
        let is_flat = depth == 1
            && !matches!(data_type, DataType::FixedSizeList(_, length)
                if !expected.width.fits(*length as usize));
        let is_one = accepts_native(
            NativeType {
                width: Width::One,
                ..expected
            },
            value_type(leaf),
        );
        return (is_flat || is_nested) && is_one;
    }
    match expected.element {
        NativeElement::Text => {
            is_text(data_type)
                || is_integer(data_type)
                || matches!(data_type, DataType::Boolean | DataType::Null)
        }
        _ => is_number(data_type) || matches!(data_type, DataType::Boolean | DataType::Null),
    }
}

/// Whether every value of a column of type `found` is one of the declared type; `range` is the
/// column's, where files keep it.
fn fits(declared: ColumnType, found: &DataType, range: Option<(i128, i128)>) -> bool {
    if matches!(found, DataType::Null) {
        return true;
    }
    match declared {
        ColumnType::Boolean => *found == DataType::Boolean,
        ColumnType::String => is_text(found),
        ColumnType::Float => {
            matches!(found, DataType::Float16 | DataType::Float32) || is_integer(found)
        }
        ColumnType::Double => is_number(found),
        integer => {
            let (low, high) = integer_limits(integer);
            let within = |(least, most): (i128, i128)| low <= least && most <= high;
            is_integer(found)
                && (type_limits(found).is_some_and(within) || range.is_some_and(within))
        }
    }
}

pub(crate) fn integer_limits(declared: ColumnType) -> (i128, i128) {
    match declared {
        ColumnType::Int8 => (i128::from(i8::MIN), i128::from(i8::MAX)),
        ColumnType::Int16 => (i128::from(i16::MIN), i128::from(i16::MAX)),
        ColumnType::Int32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
        ColumnType::Int64 => (i128::from(i64::MIN), i128::from(i64::MAX)),
        ColumnType::Uint8 => (0, i128::from(u8::MAX)),
        ColumnType::Uint16 => (0, i128::from(u16::MAX)),
        ColumnType::Uint32 => (0, i128::from(u32::MAX)),
        _ => (0, i128::from(u64::MAX)),
    }
}

fn type_limits(found: &DataType) -> Option<(i128, i128)> {
    Some(integer_limits(match found {
        DataType::Int8 => ColumnType::Int8,
        DataType::Int16 => ColumnType::Int16,
        DataType::Int32 => ColumnType::Int32,
        DataType::Int64 => ColumnType::Int64,
        DataType::UInt8 => ColumnType::Uint8,
        DataType::UInt16 => ColumnType::Uint16,
        DataType::UInt32 => ColumnType::Uint32,
        DataType::UInt64 => ColumnType::Uint64,
        _ => return None,
    }))
}
