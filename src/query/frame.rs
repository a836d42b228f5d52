//! Columns of Arrow as columns of polars.
//!
//! Owns the step from an array to a series that shares its values: no number and no text is copied,
//! only bits of nulls and booleans, and the 16 bytes by which polars finds each text. It knows the
//! types that expressions compute with. Dates, timestamps and decimals become the integers that
//! they are stored as: values that are compared were made of one type before. Columns are typed
//! ones: a series would link every method of every type into the program.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type,
    Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use polars::prelude as pl;
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

/// A column of polars, by its type.
#[derive(Clone)]
pub(super) enum Column {
    Boolean(pl::BooleanChunked),
    Int32(pl::Int32Chunked),
    Int64(pl::Int64Chunked),
    Int128(pl::Int128Chunked),
    Float32(pl::Float32Chunked),
    Float64(pl::Float64Chunked),
    Text(pl::StringChunked),
}

impl Column {
    /// An array as a column of polars; none for a type that expressions do not compute with.
    pub(super) fn new(array: &ArrayRef) -> Option<Self> {
        let name = pl::PlSmallStr::EMPTY;
        Some(match array.data_type() {
            DataType::Null => {
                let nulls = Booleans::new_null(ArrowDataType::Boolean, array.len());
                Self::Boolean(pl::BooleanChunked::with_chunk(name, nulls))
            }
            DataType::Boolean => {
                let array = array.as_boolean();
                let (values, nulls) = (bits(array.values()), nulls(array.nulls()));
                let booleans = Booleans::try_new(ArrowDataType::Boolean, values, nulls).ok()?;
                Self::Boolean(pl::BooleanChunked::with_chunk(name, booleans))
            }
            DataType::Int64 => Self::Int64(chunked::<Int64Type, _>(array)?),
            DataType::Float32 => Self::Float32(chunked::<Float32Type, _>(array)?),
            DataType::Float64 => Self::Float64(chunked::<Float64Type, _>(array)?),
            DataType::Date32 => Self::Int32(chunked::<Date32Type, _>(array)?),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Int64(chunked::<TimestampMicrosecondType, _>(array)?)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                Self::Int64(chunked::<TimestampNanosecondType, _>(array)?)
            }
            DataType::Decimal128(..) => Self::Int128(chunked::<Decimal128Type, _>(array)?),
            DataType::Utf8 => {
                let texts = texts(array.as_string::<i32>())?;
                Self::Text(pl::StringChunked::with_chunk(name, texts))
            }
            _ => return None,
        })
    }
}

/// The type alone: polars shows values by way of series.
impl fmt::Debug for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Boolean(_) => "Boolean",
            Self::Int32(_) => "Int32",
            Self::Int64(_) => "Int64",
            Self::Int128(_) => "Int128",
            Self::Float32(_) => "Float32",
            Self::Float64(_) => "Float64",
            Self::Text(_) => "Text",
        })
    }
}

/// Numbers of Arrow as numbers of polars that are stored alike.
fn chunked<T, P>(array: &ArrayRef) -> Option<pl::ChunkedArray<P>>
where
    T: ArrowPrimitiveType,
    T::Native: NativeType,
    P: pl::PolarsNumericType<Native = T::Native>,
{
    let data_type = P::get_static_dtype().to_arrow(pl::CompatLevel::newest());
    let numbers = numbers::<T>(array, data_type)?;
    Some(pl::ChunkedArray::with_chunk(pl::PlSmallStr::EMPTY, numbers))
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
