//! Columns between Arrow and polars, by safe copying.
//!
//! Owns which types cross and how. Inward: booleans, all integers (8 and 16 bits widened to 32), all floats (16 bits widened to 32),
//! text of every layout and dictionaries of text, dates, timestamps (a zone is dropped and leaves the UTC instant; seconds become
//! milliseconds), decimals of up to 15 digits as `f64` (rounded to nearest), and the null type. Outward: booleans, integers, floats,
//! text, dates and timestamps. It must not know expressions; only [`super::query`] uses it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Date32Array, PrimitiveArray, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit as ArrowUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt32Type, UInt64Type,
};
use polars::prelude::{
    BooleanChunked, ChunkedArray, Column, DataType, Int64Chunked, IntoColumn, NewChunkedArray, PolarsNumericType, StringChunked, TimeUnit,
};

use crate::error::{Error, Result};

/// Copies an Arrow column.
///
/// # Errors
/// A contract error for a type that does not cross; a failure for seconds or decimals out of range.
pub(super) fn to_polars(name: &str, array: &ArrayRef) -> Result<Column> {
    use polars::datatypes as kind;
    let column = match array.data_type() {
        ArrowType::Null => Column::full_null(name.into(), array.len(), &DataType::Null),
        ArrowType::Boolean => boolean(name, array.as_boolean()),
        ArrowType::Int8 | ArrowType::Int16 => return to_polars(name, &widened(name, array, &ArrowType::Int32)?),
        ArrowType::UInt8 | ArrowType::UInt16 => return to_polars(name, &widened(name, array, &ArrowType::UInt32)?),
        ArrowType::Float16 => return to_polars(name, &widened(name, array, &ArrowType::Float32)?),
        ArrowType::Decimal128(..) => return to_polars(name, &double(name, array)?),
        ArrowType::LargeUtf8 | ArrowType::Utf8View => return to_polars(name, &widened(name, array, &ArrowType::Utf8)?),
        ArrowType::Dictionary(_, values) if matches!(**values, ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View) => {
            return to_polars(name, &widened(name, array, &ArrowType::Utf8)?);
        }
        ArrowType::Int32 => number::<Int32Type, kind::Int32Type>(name, array).into_column(),
        ArrowType::Int64 => number::<Int64Type, kind::Int64Type>(name, array).into_column(),
        ArrowType::UInt32 => number::<UInt32Type, kind::UInt32Type>(name, array).into_column(),
        ArrowType::UInt64 => number::<UInt64Type, kind::UInt64Type>(name, array).into_column(),
        ArrowType::Float32 => number::<Float32Type, kind::Float32Type>(name, array).into_column(),
        ArrowType::Float64 => number::<Float64Type, kind::Float64Type>(name, array).into_column(),
        ArrowType::Utf8 => StringChunked::from_iter_options(name.into(), array.as_string::<i32>().iter()).into_column(),
        ArrowType::Date32 => number::<Date32Type, kind::Int32Type>(name, array).into_date().into_column(),
        ArrowType::Timestamp(unit, _) => timestamp(name, array, *unit)?,
        other => {
            return Err(Error::contract(format!("an expression reads a column of the type `{other}`, which expressions cannot compute with"))
                .at_column(name)
                .hint("numbers, booleans, text, dates, timestamps and decimals of up to 15 digits work"));
        }
    };
    Ok(column)
}

/// Copies the result of an expression; `None` for a type that does not cross.
pub(super) fn to_arrow(column: &Column) -> Option<ArrayRef> {
    let series = column.as_materialized_series();
    Some(match series.dtype() {
        DataType::Boolean => Arc::new(series.bool().ok()?.iter().collect::<BooleanArray>()),
        DataType::Int8 => copied::<_, Int8Type>(series.i8().ok()?),
        DataType::Int16 => copied::<_, Int16Type>(series.i16().ok()?),
        DataType::Int32 => copied::<_, Int32Type>(series.i32().ok()?),
        DataType::Int64 => copied::<_, Int64Type>(series.i64().ok()?),
        DataType::UInt32 => copied::<_, UInt32Type>(series.u32().ok()?),
        DataType::UInt64 => copied::<_, UInt64Type>(series.u64().ok()?),
        DataType::Float32 => copied::<_, Float32Type>(series.f32().ok()?),
        DataType::Float64 => copied::<_, Float64Type>(series.f64().ok()?),
        DataType::String => Arc::new(series.str().ok()?.iter().collect::<StringArray>()),
        DataType::Date => Arc::new(series.date().ok()?.physical().iter().collect::<Date32Array>()),
        DataType::Datetime(unit, _) => {
            let ticks = series.datetime().ok()?.physical().iter();
            match unit {
                TimeUnit::Milliseconds => Arc::new(ticks.collect::<TimestampMillisecondArray>()),
                TimeUnit::Microseconds => Arc::new(ticks.collect::<TimestampMicrosecondArray>()),
                TimeUnit::Nanoseconds => Arc::new(ticks.collect::<TimestampNanosecondArray>()),
            }
        }
        _ => return None,
    })
}

fn boolean(name: &str, array: &BooleanArray) -> Column {
    BooleanChunked::from_iter_options(name.into(), array.iter()).into_column()
}

/// Converts to the wider type that holds every value of the narrower.
fn widened(name: &str, array: &ArrayRef, data_type: &ArrowType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, data_type, &options)
        .map_err(|source| Error::failed("cannot convert a column for an expression").at_column(name).because(source))
}

/// Decimals as doubles, if all their digits are among those that a double holds: a comparison must not take neighbours for equal.
fn double(name: &str, array: &ArrayRef) -> Result<ArrayRef> {
    const MOST_DIGITS: u128 = 1 << 53;
    let digits = array.as_primitive::<Decimal128Type>();
    if digits.iter().flatten().any(|digits| digits.unsigned_abs() > MOST_DIGITS) {
        let error = Error::failed("a decimal has more digits than expressions compute with, which is 15").at_column(name);
        return Err(error.hint("round it, or keep its parts in columns of their own, where the data is written"));
    }
    widened(name, array, &ArrowType::Float64)
}

/// Copies numbers whose Rust type is the same on both sides.
fn number<A, P>(name: &str, array: &ArrayRef) -> ChunkedArray<P>
where
    A: ArrowPrimitiveType,
    P: PolarsNumericType<Native = A::Native>,
    ChunkedArray<P>: NewChunkedArray<P, P::Native>,
{
    let array: &PrimitiveArray<A> = array.as_primitive();
    if array.null_count() == 0 {
        ChunkedArray::from_vec(name.into(), array.values().to_vec())
    } else {
        ChunkedArray::from_iter_options(name.into(), array.iter())
    }
}

fn timestamp(name: &str, array: &ArrayRef, unit: ArrowUnit) -> Result<Column> {
    use polars::datatypes::Int64Type as Ticks;
    let (ticks, unit): (Int64Chunked, _) = match unit {
        ArrowUnit::Second => (milliseconds(name, array.as_primitive())?, TimeUnit::Milliseconds),
        ArrowUnit::Millisecond => (number::<TimestampMillisecondType, Ticks>(name, array), TimeUnit::Milliseconds),
        ArrowUnit::Microsecond => (number::<TimestampMicrosecondType, Ticks>(name, array), TimeUnit::Microseconds),
        ArrowUnit::Nanosecond => (number::<TimestampNanosecondType, Ticks>(name, array), TimeUnit::Nanoseconds),
    };
    Ok(ticks.into_datetime(unit, None).into_column())
}

/// Seconds as milliseconds: polars knows no seconds.
fn milliseconds(name: &str, array: &PrimitiveArray<TimestampSecondType>) -> Result<Int64Chunked> {
    let out_of_range = || Error::failed("a timestamp in seconds is too large for milliseconds").at_column(name);
    let ticks: Vec<Option<i64>> =
        array.iter().map(|seconds| seconds.map(|seconds| seconds.checked_mul(1000).ok_or_else(out_of_range)).transpose()).collect::<Result<_>>()?;
    Ok(ChunkedArray::from_iter_options(name.into(), ticks.into_iter()))
}

/// Copies numbers back.
fn copied<P, A>(values: &ChunkedArray<P>) -> ArrayRef
where
    P: PolarsNumericType,
    A: ArrowPrimitiveType<Native = P::Native>,
{
    match values.cont_slice() {
        Ok(slice) => Arc::new(PrimitiveArray::<A>::from_iter_values(slice.iter().copied())),
        Err(_) => Arc::new(values.iter().collect::<Vec<_>>().into_iter().collect::<PrimitiveArray<A>>()),
    }
}
