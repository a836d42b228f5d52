//! Column types made one: which type two files agree on, and the cast to it.
//!
//! Only casts that keep every value are made; what would lose something is a contract error that
//! names both types.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, GenericListArray, MapArray, OffsetSizeTrait,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, FieldRef, Int16Type, Int32Type, Int64Type, TimeUnit, UInt16Type, UInt32Type,
    UInt64Type,
};

use super::int96;
use super::shown_type::shown_type;
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

/// The bits of the integers that a float type holds exactly, all of them.
fn exact_bits(float: &DataType) -> u8 {
    match float {
        DataType::Float16 => 11,
        DataType::Float32 => 24,
        _ => 53,
    }
}

/// A float type that holds every value of both types exactly. Of integers of 64 bits there is none,
/// so `cast_column` looks at each.
fn exact_float(float: &DataType, integer: &DataType) -> Option<DataType> {
    let (_, bits) = integer_bits(integer)?;
    let mut floats = [float.clone(), DataType::Float32, DataType::Float64].into_iter();
    Some(
        floats
            .find(|float| bits <= exact_bits(float))
            .unwrap_or(DataType::Float64),
    )
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
/// Fails if a value does not fit the needed type. An integer that no such float is equal to has its
/// row in the column, from 1.
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
    let cast = cast_with_options(&without_others(column), expected, &strict).map_err(|error| {
        Error::contract(format!(
            "a value of type {} does not fit {expected}",
            column.data_type()
        ))
        .because(error)
    })?;
    if let Some(row) = first_inexact(column, expected) {
        return Err(inexact(column.data_type(), expected).at_row(row as u64 + 1));
    }
    Ok(cast)
}

/// The first row whose integer a float of this type does not hold. Few casts have to look.
fn first_inexact(column: &ArrayRef, expected: &DataType) -> Option<usize> {
    if let DataType::Dictionary(_, values) = column.data_type() {
        let plain = cast_with_options(column, values, &CastOptions::default()).ok()?;
        return first_inexact(&plain, expected);
    }
    let (_, bits) = integer_bits(column.data_type())?;
    if !is_float(expected) || bits <= exact_bits(expected) {
        return None;
    }
    match column.data_type() {
        DataType::Int16 => first_longer::<Int16Type>(column, expected),
        DataType::Int32 => first_longer::<Int32Type>(column, expected),
        DataType::Int64 => first_longer::<Int64Type>(column, expected),
        DataType::UInt16 => first_longer::<UInt16Type>(column, expected),
        DataType::UInt32 => first_longer::<UInt32Type>(column, expected),
        DataType::UInt64 => first_longer::<UInt64Type>(column, expected),
        _ => None,
    }
}

/// The first row whose integer has more bits, from the first that is set to the last, than the
/// float type keeps; in 16 bits numbers from 2^16 on are infinite.
fn first_longer<T: ArrowPrimitiveType>(column: &ArrayRef, float: &DataType) -> Option<usize>
where
    T::Native: Into<i128>,
{
    let kept = u32::from(exact_bits(float));
    let is_exact = |value: T::Native| {
        let size = Into::<i128>::into(value).unsigned_abs();
        let is_infinite = *float == DataType::Float16 && size >= 1 << 16;
        let length = u128::BITS - size.leading_zeros();
        !is_infinite && length.saturating_sub(size.trailing_zeros()) <= kept
    };
    let values = column.as_primitive_opt::<T>()?;
    values
        .iter()
        .position(|value| value.is_some_and(|value| !is_exact(value)))
}

fn inexact(own: &DataType, expected: &DataType) -> Error {
    Error::contract(format!(
        "the integer would be rounded: the column is {} here and {} in another file",
        shown_type(own),
        shown_type(expected)
    ))
    .hint(
        "write the column as integers in every file (pandas: `astype('Int64')`, which keeps \
         gaps), or score the files in separate runs",
    )
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, UInt64Array};

    use super::*;

    #[test]
    fn integers_and_floats_meet_in_a_type_that_holds_both() {
        use DataType as T;
        for (integer, float, expected) in [
            (T::Int8, T::Float16, T::Float16),
            (T::UInt8, T::Float16, T::Float16),
            (T::Int16, T::Float16, T::Float32),
            (T::UInt16, T::Float16, T::Float32),
            (T::UInt16, T::Float32, T::Float32),
            (T::Int32, T::Float16, T::Float64),
            (T::UInt32, T::Float32, T::Float64),
            (T::Int64, T::Float32, T::Float64),
            (T::UInt64, T::Float64, T::Float64),
        ] {
            assert_eq!(common_type(&integer, &float), Some(expected.clone()));
            assert_eq!(common_type(&float, &integer), Some(expected));
        }
    }

    #[test]
    fn an_integer_that_no_float_is_equal_to_stops_at_its_row() {
        // The first integers that a double rounds are 2^53 + 1 and its like.
        let border = 1_i64 << 53;
        let row = |column: ArrayRef, expected: &DataType| {
            let cast = cast_column(&column, expected);
            cast.map_or_else(|error| error.location().row, |_| None)
        };
        let signed = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let exact = [border, border + 2, -border, i64::MIN, 0, 1 << 62].map(Some);
        assert_eq!(row(signed(exact.to_vec()), &DataType::Float64), None);
        let mixed = [Some(7), None, Some(-border - 1), Some(i64::MAX)];
        assert_eq!(row(signed(mixed.to_vec()), &DataType::Float64), Some(3));
        let unsigned = Arc::new(UInt64Array::from(vec![1 << 63, u64::MAX])) as ArrayRef;
        assert_eq!(row(unsigned, &DataType::Float64), Some(2));
        for (value, is_exact) in [(2048, true), (2049, false), (65_504, true), (65_536, false)] {
            let found = row(signed(vec![Some(value)]), &DataType::Float16);
            assert_eq!(found.is_none(), is_exact, "{value}");
        }
        let keyed: DataType = DataType::Dictionary(DataType::Int32.into(), DataType::Int64.into());
        let keyed = cast_with_options(
            &signed(vec![Some(border + 1)]),
            &keyed,
            &CastOptions::default(),
        );
        assert_eq!(row(keyed.unwrap(), &DataType::Float64), Some(1));
    }
}
