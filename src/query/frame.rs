//! Columns of Arrow as columns of polars.
//!
//! Owns the step from an array to a series that shares its values: no number and no text is copied,
//! only bits of nulls and booleans, and the 16 bytes by which polars finds each text. It knows the
//! types that expressions compute with. Dates, timestamps and decimals become the integers that
//! they are stored as: values that are compared were made of one type before.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type,
    Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use polars::prelude as pl;
use polars::prelude::IntoSeries;
use polars_arrow::array::{
    BooleanArray as Booleans, PrimitiveArray as Numbers, Utf8ViewArray, View,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::ArrowDataType;
use polars_arrow::types::NativeType;
use polars_buffer::Buffer;

/// Values that polars reads where Arrow put them.
struct Shared<T: ArrowNativeType>(ScalarBuffer<T>);

impl<T: ArrowNativeType> AsRef<[T]> for Shared<T> {
    fn as_ref(&self) -> &[T] {
        &self.0
    }
}

/// The same for the bytes of texts.
struct SharedBytes(arrow::buffer::Buffer);

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// An array as a column of polars; none for a type that expressions do not compute with.
pub(super) fn column(array: &ArrayRef) -> Option<pl::Column> {
    let name = pl::PlSmallStr::EMPTY;
    let series = match array.data_type() {
        DataType::Null => {
            let nulls = Booleans::new_null(ArrowDataType::Boolean, array.len());
            pl::BooleanChunked::with_chunk(name, nulls).into_series()
        }
        DataType::Boolean => {
            let array = array.as_boolean();
            let values = bits(array.values());
            let booleans = Booleans::try_new(ArrowDataType::Boolean, values, nulls(array.nulls()));
            pl::BooleanChunked::with_chunk(name, booleans.ok()?).into_series()
        }
        DataType::Int64 => {
            let numbers = numbers::<Int64Type>(array, ArrowDataType::Int64)?;
            pl::Int64Chunked::with_chunk(name, numbers).into_series()
        }
        DataType::Float32 => {
            let numbers = numbers::<Float32Type>(array, ArrowDataType::Float32)?;
            pl::Float32Chunked::with_chunk(name, numbers).into_series()
        }
        DataType::Float64 => {
            let numbers = numbers::<Float64Type>(array, ArrowDataType::Float64)?;
            pl::Float64Chunked::with_chunk(name, numbers).into_series()
        }
        DataType::Date32 => {
            let numbers = numbers::<Date32Type>(array, ArrowDataType::Int32)?;
            pl::Int32Chunked::with_chunk(name, numbers).into_series()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let numbers = numbers::<TimestampMicrosecondType>(array, ArrowDataType::Int64)?;
            pl::Int64Chunked::with_chunk(name, numbers).into_series()
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let numbers = numbers::<TimestampNanosecondType>(array, ArrowDataType::Int64)?;
            pl::Int64Chunked::with_chunk(name, numbers).into_series()
        }
        DataType::Decimal128(..) => {
            let numbers = numbers::<Decimal128Type>(array, ArrowDataType::Int128)?;
            pl::Int128Chunked::with_chunk(name, numbers).into_series()
        }
        DataType::Utf8 => {
            let texts = texts(array.as_string::<i32>())?;
            pl::StringChunked::with_chunk(name, texts).into_series()
        }
        _ => return None,
    };
    Some(pl::Column::from(series))
}

/// The type that polars knows a type of Arrow as, see [`column()`].
pub(super) fn polars_type(data_type: &DataType) -> Option<pl::DataType> {
    Some(match data_type {
        DataType::Null | DataType::Boolean => pl::DataType::Boolean,
        DataType::Int64 | DataType::Timestamp(..) => pl::DataType::Int64,
        DataType::Float32 => pl::DataType::Float32,
        DataType::Float64 => pl::DataType::Float64,
        DataType::Date32 => pl::DataType::Int32,
        DataType::Decimal128(..) => pl::DataType::Int128,
        DataType::Utf8 => pl::DataType::String,
        _ => return None,
    })
}

fn numbers<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    data_type: ArrowDataType,
) -> Option<Numbers<T::Native>>
where
    T::Native: NativeType,
{
    let array: &PrimitiveArray<T> = array.as_primitive_opt::<T>()?;
    let values = Buffer::from_owner(Shared(array.values().clone()));
    Numbers::try_new(data_type, values, nulls(array.nulls())).ok()
}

fn texts(array: &StringArray) -> Option<Utf8ViewArray> {
    let (offsets, bytes) = (array.value_offsets(), array.value_data());
    let view = |row: usize| {
        if array.is_null(row) {
            return View::default();
        }
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        View::new_from_bytes(&bytes[start..end], 0, start as u32)
    };
    let views: Vec<View> = (0..array.len()).map(view).collect();
    let bytes = Buffer::from_owner(SharedBytes(array.values().clone()));
    let buffers = Buffer::from(vec![bytes]);
    let (views, nulls) = (Buffer::from(views), nulls(array.nulls()));
    Utf8ViewArray::try_new(ArrowDataType::Utf8View, views, buffers, nulls).ok()
}

fn nulls(nulls: Option<&NullBuffer>) -> Option<Bitmap> {
    nulls.map(|nulls| bits(nulls.inner()))
}

fn bits(bits: &BooleanBuffer) -> Bitmap {
    Bitmap::from_u8_vec(bits.sliced().as_slice().to_vec(), bits.len())
}
