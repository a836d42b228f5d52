//! Column types made one: which type two files agree on, and the cast to it.
//!
//! Only casts that keep every value are made; what would lose something is a contract error that
//! names both types.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, FieldRef, TimeUnit};

use super::int96;
use crate::error::{Error, Result};

/// The narrowest type that holds every value of both, if there is one.
#[must_use]
pub fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType as T;
    if left == right {
        return Some(left.clone());
    }
    match (left, right) {
        (T::Null, other) | (other, T::Null) => Some(other.clone()),
        (a, b) if integer_bits(a).is_some() && integer_bits(b).is_some() => common_integer(a, b),
        (a, b) if is_float(a) && is_float(b) => Some(if *a == T::Float64 || *b == T::Float64 {
            T::Float64
        } else {
            T::Float32
        }),
        (a, b) if is_float(a) && integer_bits(b).is_some() => exact_float(a, b),
        (a, b) if integer_bits(a).is_some() && is_float(b) => exact_float(b, a),
        (a, b) if is_text(a) && is_text(b) => Some(if *a == T::Utf8View || *b == T::Utf8View {
            T::Utf8View
        } else {
            T::LargeUtf8
        }),
        (a, b) if is_binary(a) && is_binary(b) => Some(T::LargeBinary),
        (T::Dictionary(_, value), other) | (other, T::Dictionary(_, value)) => {
            let other = if let T::Dictionary(_, other) = other {
                other
            } else {
                other
            };
            common_type(value, other)
        }
        (T::Timestamp(a, zone), T::Timestamp(b, other)) if zone == other => {
            Some(T::Timestamp(finer(*a, *b), zone.clone()))
        }
        (T::Decimal128(p, s), T::Decimal128(q, r)) => common_decimal((*p, *s), (*q, *r)),
        _ => None,
    }
}

fn common_decimal(left: (u8, i8), right: (u8, i8)) -> Option<DataType> {
    let scale = left.1.max(right.1);
    let whole =
        (i16::from(left.0) - i16::from(left.1)).max(i16::from(right.0) - i16::from(right.1));
    let precision = whole + i16::from(scale);
    (precision <= 38).then(|| DataType::Decimal128(u8::try_from(precision).unwrap_or(38), scale))
}

fn finer(left: TimeUnit, right: TimeUnit) -> TimeUnit {
    left.max(right)
}

/// (signed, bits) of an integer type.
fn integer_bits(data_type: &DataType) -> Option<(bool, u8)> {
    Some(match data_type {
        DataType::Int8 => (true, 8),
        DataType::Int16 => (true, 16),
        DataType::Int32 => (true, 32),
        DataType::Int64 => (true, 64),
        DataType::UInt8 => (false, 8),
        DataType::UInt16 => (false, 16),
        DataType::UInt32 => (false, 32),
        DataType::UInt64 => (false, 64),
        _ => return None,
    })
}

fn common_integer(left: &DataType, right: &DataType) -> Option<DataType> {
    let ((left_signed, left_bits), (right_signed, right_bits)) =
        (integer_bits(left)?, integer_bits(right)?);
    let need = |signed: bool, bits: u8| if signed { bits } else { bits.saturating_mul(2) };
    if left_signed == right_signed {
        return Some(if left_bits >= right_bits {
            left.clone()
        } else {
            right.clone()
        });
    }
    match need(left_signed, left_bits).max(need(right_signed, right_bits)) {
        16 => Some(DataType::Int16),
        32 => Some(DataType::Int32),
        64 => Some(DataType::Int64),
        _ => None,
    }
}

/// A float type that holds every value of the integer type exactly; Float64 is also allowed for 64
/// bits, as every reader widens so.
fn exact_float(float: &DataType, integer: &DataType) -> Option<DataType> {
    let (_, bits) = integer_bits(integer)?;
    Some(if bits <= 16 {
        float.clone()
    } else {
        DataType::Float64
    })
}

/// Whether the type is a floating-point number.
#[must_use]
pub fn is_float(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Float16 | DataType::Float32 | DataType::Float64
    )
}

/// Whether the type is a number that a model may read: integer, float or decimal.
#[must_use]
pub fn is_number(data_type: &DataType) -> bool {
    is_float(data_type)
        || integer_bits(data_type).is_some()
        || matches!(
            data_type,
            DataType::Decimal32(..)
                | DataType::Decimal64(..)
                | DataType::Decimal128(..)
                | DataType::Decimal256(..)
        )
}

/// Whether the type is an integer.
#[must_use]
pub fn is_integer(data_type: &DataType) -> bool {
    integer_bits(data_type).is_some()
}

/// How many lists deep a type is; 0 for other types.
#[must_use]
pub fn list_depth(data_type: &DataType) -> usize {
    match data_type {
        DataType::FixedSizeList(field, _) | DataType::List(field) | DataType::LargeList(field) => {
            1 + list_depth(field.data_type())
        }
        _ => 0,
    }
}

/// What lists hold, and lists in lists; of other types the type itself.
#[must_use]
pub fn leaf_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::FixedSizeList(field, _) | DataType::List(field) | DataType::LargeList(field) => {
            leaf_type(field.data_type())
        }
        other => other,
    }
}

/// Whether the type is text.
#[must_use]
pub fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

/// The column without the elements of lists that belong to other rows: a cast of some rows would
/// make new ones of all.
fn without_others(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::List(field) => of_own_elements(field, column.as_list::<i32>()),
        DataType::LargeList(field) => of_own_elements(field, column.as_list::<i64>()),
        DataType::Map(field, is_sorted) => {
            let map = column.as_map();
            let (offsets, start, length) = own_offsets(map.offsets());
            let entries = of_own_fields(&map.entries().slice(start, length));
            let own = MapArray::try_new(
                Arc::clone(field),
                offsets,
                entries,
                map.nulls().cloned(),
                *is_sorted,
            );
            own.map_or_else(|_| Arc::clone(column), |own| Arc::new(own) as ArrayRef)
        }
        DataType::Struct(_) => Arc::new(of_own_fields(column.as_struct())),
        _ => Arc::clone(column),
    }
}

fn of_own_fields(rows: &StructArray) -> StructArray {
    let columns = rows.columns().iter().map(without_others).collect();
    let own = StructArray::try_new(rows.fields().clone(), columns, rows.nulls().cloned());
    own.unwrap_or_else(|_| rows.clone())
}

fn of_own_elements<O: OffsetSizeTrait>(field: &FieldRef, list: &GenericListArray<O>) -> ArrayRef {
    let (offsets, start, length) = own_offsets(list.offsets());
    let values = without_others(&list.values().slice(start, length));
    let own = GenericListArray::try_new(Arc::clone(field), offsets, values, list.nulls().cloned());
    own.map_or_else(|_| Arc::new(list.clone()) as ArrayRef, |own| Arc::new(own))
}

/// The offsets counted from 0, and the first element and number of elements that they span.
fn own_offsets<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (OffsetBuffer<O>, usize, usize) {
    let (start, end) = (offsets.first(), offsets.last());
    let counted: Vec<O> = offsets.iter().map(|offset| *offset - start).collect();
    (
        OffsetBuffer::new(counted.into()),
        start.as_usize(),
        (end - start).as_usize(),
    )
}

/// The column in another type, every value kept.
///
/// # Errors
/// Fails if a value does not fit the needed type.
pub fn cast_column(column: &ArrayRef, expected: &DataType) -> Result<ArrayRef> {
    if column.data_type() == expected {
        return Ok(column.clone());
    }
    if let Some(times) = int96::with_timestamps(column, expected) {
        return times;
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(&without_others(column), expected, &strict).map_err(|error| {
        Error::contract(format!(
            "a value of type {} does not fit {expected}",
            column.data_type()
        ))
        .because(error)
    })
}
