//! Arrow columns to tensors, and tensors to columns.
//!
//! Owns the element types on both sides. It must not know graphs.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array,
    Int64Array, LargeListArray, StringArray, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type, UInt64Type};

use super::cast::cast;
use super::feed::{Feed, list_values};
use super::tensor::{Data, ElementType, Tensor};
use crate::error::{Error, Result};

/// The number of elements that belong to one row, even where there are no rows.
#[must_use]
pub fn row_length(tensor: &Tensor) -> usize {
    tensor.shape().iter().skip(1).product()
}

/// One column for each place of the lists, where there are as many positions as columns needed.
pub(super) fn spread(columns: Vec<ArrayRef>, count: usize) -> Result<Vec<ArrayRef>> {
    let [lists] = columns.as_slice() else {
        return Ok(columns);
    };
    let Some(lists) = lists
        .as_fixed_size_list_opt()
        .filter(|lists| lists.value_length() as usize == count)
    else {
        return Ok(columns);
    };
    let index = |index: usize| {
        let indices = UInt64Array::from_iter_values(
            (0..lists.len()).map(|row| (lists.value_offset_at(row) + index) as u64),
        );
        take(lists.values(), &indices, None)
            .map_err(|error| Error::internal("a list without its values").because(error))
    };
    (0..count).map(index).collect()
}

/// Rows of the columns, one after another.
pub(super) fn input_tensor(feed: &Feed, columns: &[ArrayRef], rows: usize) -> Result<Tensor> {
    let [first, ..] = columns else {
        return Err(Error::internal("an input without columns"));
    };
    let wrong = || Error::internal("a column of another type than the graph's input");
    macro_rules! interleaved {
        ($values:expr) => {{
            let mut all = columns
                .iter()
                .map($values)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(wrong)?;
            if all.len() == 1 {
                all.remove(0)
            } else {
                (0..rows)
                    .flat_map(|row| all.iter().map(move |values| values[row].clone()))
                    .collect()
            }
        }};
    }
    if let DataType::FixedSizeList(..) = first.data_type() {
        let lists = first.as_fixed_size_list_opt().ok_or_else(wrong)?;
        let width = feed.row_length(1);
        let values = lists.values().slice(lists.offset() * width, rows * width);
        let flat = Feed {
            row_shape: vec![],
            ..feed.clone()
        };
        return input_tensor(&flat, &[values], rows * width)?.reshaped(feed.shape(rows, width));
    }
    if let DataType::LargeList(..) = first.data_type() {
        let (values, width) = list_values(first)?;
        let width = width.ok_or_else(|| Error::internal("rows of different lengths at once"))?;
        let flat = Feed {
            row_shape: vec![],
            ..feed.clone()
        };
        return input_tensor(&flat, &[values], rows * width)?.reshaped(feed.shape(rows, width));
    }
    let shape = feed.shape(rows, columns.len());
    let tensor = match first.data_type() {
        DataType::Float32 => Tensor::new(
            shape,
            interleaved!(|column: &ArrayRef| column
                .as_primitive_opt::<Float32Type>()
                .map(|array| array.values().to_vec())),
        )?,
        DataType::Float64 => Tensor::new(
            shape,
            interleaved!(|column: &ArrayRef| column
                .as_primitive_opt::<Float64Type>()
                .map(|array| array.values().to_vec())),
        )?,
        DataType::Int64 => Tensor::new(
            shape,
            interleaved!(|column: &ArrayRef| column
                .as_primitive_opt::<Int64Type>()
                .map(|array| array.values().to_vec())),
        )?,
        DataType::UInt64 => Tensor::new(
            shape,
            interleaved!(|column: &ArrayRef| column
                .as_primitive_opt::<UInt64Type>()
                .map(|array| array.values().to_vec())),
        )?,
        DataType::Boolean => Tensor::new(
            shape,
            interleaved!(|column: &ArrayRef| column
                .as_boolean_opt()
                .map(|array| array.values().iter().collect::<Vec<bool>>())),
        )?,
        DataType::Utf8 => {
            let texts = |column: &ArrayRef| {
                column.as_string_opt::<i32>().map(|array| {
                    array
                        .iter()
                        .map(|text| Arc::from(text.unwrap_or_default()))
                        .collect::<Vec<Arc<str>>>()
                })
            };
            Tensor::new(shape, interleaved!(texts))?
        }
        DataType::Utf8View => {
            let texts = |column: &ArrayRef| {
                let shared = |text: Option<&str>| Arc::from(text.unwrap_or_default());
                column
                    .as_string_view_opt()
                    .map(|array| array.iter().map(shared).collect::<Vec<Arc<str>>>())
            };
            Tensor::new(shape, interleaved!(texts))?
        }
        _ => return Err(wrong()),
    };
    if tensor.element_type() == feed.element {
        Ok(tensor)
    } else {
        cast(&tensor, feed.element)
    }
}

/// The rows, and copies of the first up to the batch size of the graph.
pub(super) fn padded(tensor: &Tensor, batch: usize) -> Result<Tensor> {
    let rows = tensor.shape()[0];
    let run = tensor.len() / rows.max(1);
    let starts: Vec<usize> = (0..batch)
        .map(|row| if row < rows { row * run } else { 0 })
        .collect();
    let shape = [&[batch], &tensor.shape()[1..]].concat();
    tensor.runs(&starts, run, shape)
}

/// A column of lists of the first `rows` entries, `width` values each, of a type that has no
/// length.
pub(super) fn lists(tensor: &Tensor, width: usize, rows: usize) -> Result<ArrayRef> {
    let values = column(
        &tensor.clone().reshaped(vec![tensor.len()])?,
        1,
        rows * width,
    )?;
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_repeated_length(width, rows);
    let lists = LargeListArray::try_new(field, offsets, values, None)
        .map_err(|error| Error::failed("cannot make lists of the output").because(error))?;
    Ok(Arc::new(lists))
}

/// A column of the first `rows` entries, `width` values each.
pub(super) fn column(tensor: &Tensor, width: usize, rows: usize) -> Result<ArrayRef> {
    let count = rows * width;
    let plain = |tensor: &Tensor| -> Result<ArrayRef> {
        Ok(match tensor.data() {
            Data::Float(values) => Arc::new(Float32Array::from(values[..count].to_vec())),
            Data::Double(values) => Arc::new(Float64Array::from(values[..count].to_vec())),
            Data::Int64(values) => Arc::new(Int64Array::from(values[..count].to_vec())),
            Data::Uint64(values) => Arc::new(UInt64Array::from(values[..count].to_vec())),
            Data::Bool(values) => Arc::new(BooleanArray::from(values[..count].to_vec())),
            Data::String(values) => Arc::new(StringArray::from_iter_values(
                values[..count].iter().map(AsRef::<str>::as_ref),
            )),
            other => return Err(super::element::unsupported(other)),
        })
    };
    let values = match tensor.element_type() {
        ElementType::Float16 | ElementType::Bfloat16 => plain(&cast(tensor, ElementType::Float)?)?,
        ElementType::Float
        | ElementType::Double
        | ElementType::Int64
        | ElementType::Uint64
        | ElementType::Bool
        | ElementType::String => plain(tensor)?,
        _ => plain(&cast(tensor, ElementType::Int64)?)?,
    };
    if width == 1 {
        return Ok(values);
    }
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let width = i32::try_from(width).map_err(|_| Error::failed("lists that are too long"))?;
    let lists = FixedSizeListArray::try_new(field, width, values, None)
        .map_err(|error| Error::failed("cannot make lists of the output").because(error))?;
    Ok(Arc::new(lists))
}
