//! One input of vectors being filled: lists of any kind to lists of the length that the model reads, under the input's policies.
//!
//! A missing list, or a missing value in one, is a missing value of its row; a list of another length is like a text that is no number. It must not
//! know the other inputs.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type};

use super::fill::Filling;
use super::native::{decoded, none_instead, whole};
use super::verdict::Reason;
use crate::contract::{NativeElement, Policy};
use crate::error::{Error, Result};

/// Lists of whatever lengths over one run of values.
struct Lists {
    values: ArrayRef,
    /// (first value, number of values) of each row.
    ranges: Vec<(usize, usize)>,
    nulls: Option<NullBuffer>,
}

impl Lists {
    fn of(column: &ArrayRef) -> Result<Self> {
        let between = |bounds: &[usize]| bounds.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).collect();
        let (values, ranges) = match column.data_type() {
            DataType::FixedSizeList(..) => {
                let lists = column.as_fixed_size_list();
                let length = lists.value_length() as usize;
                (lists.values(), (0..lists.len()).map(|row| (lists.value_offset_at(row), length)).collect())
            }
            DataType::List(_) => {
                let lists = column.as_list::<i32>();
                (lists.values(), between(&lists.value_offsets().iter().map(|offset| *offset as usize).collect::<Vec<_>>()))
            }
            DataType::LargeList(_) => {
                let lists = column.as_list::<i64>();
                (lists.values(), between(&lists.value_offsets().iter().map(|offset| *offset as usize).collect::<Vec<_>>()))
            }
            other => return Err(Error::internal(format!("a column of {other} where lists were bound"))),
        };
        Ok(Self { values: values.clone(), ranges, nulls: column.nulls().cloned() })
    }

    /// The values of all rows, `width` each; `value` is none where one is missing, `instead` turns what the policy says into a value.
    fn gathered<T: Clone>(
        &self,
        width: usize,
        filling: &mut Filling<f64>,
        value: impl Fn(usize) -> Option<T>,
        instead: impl Fn(f64) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut all = Vec::with_capacity(self.ranges.len() * width);
        for (row, &(start, length)) in self.ranges.iter().enumerate() {
            let is_null = self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            let is_whole = !is_null && length == width;
            let known = all.len();
            if is_whole {
                all.extend((start..start + width).map_while(&value));
            }
            if all.len() == known + width {
                continue;
            }
            all.truncate(known);
            let (policy, reason) = if is_whole || is_null {
                filling.counts.null_count += 1;
                (filling.bound.input.on_null, Reason::Null)
            } else {
                filling.counts.unparsable_count += 1;
                (filling.bound.input.on_unseen, Reason::Length)
            };
            filling.settle(row, policy, f64::NAN, reason)?;
            let other = instead(if policy == Policy::Reject { 0.0 } else { filling.out[row] }).ok_or_else(|| none_instead(filling, row))?;
            all.extend((start..start + width).map(|place| if is_whole { value(place) } else { None }.unwrap_or_else(|| other.clone())));
        }
        Ok(all)
    }
}

/// Fills lists of `width` values of the declared type.
pub(super) fn fill(element: NativeElement, width: usize, column: &ArrayRef, filling: &mut Filling<f64>) -> Result<ArrayRef> {
    let target = match element {
        NativeElement::Float => DataType::Float32,
        NativeElement::Double => DataType::Float64,
        NativeElement::Integer => DataType::Int64,
        NativeElement::Boolean => DataType::Boolean,
        NativeElement::Text => DataType::Utf8,
    };
    let mut lists = Lists::of(column)?;
    lists.values = decoded(&lists.values, &target)?;
    let found = &lists.values;
    let values: ArrayRef = match element {
        NativeElement::Float => {
            let of = found.as_primitive::<Float32Type>();
            let value = |place: usize| (of.is_valid(place) && !of.value(place).is_nan()).then(|| of.value(place));
            Arc::new(Float32Array::from(lists.gathered(width, filling, value, |value| Some(value as f32))?))
        }
        NativeElement::Double => {
            let of = found.as_primitive::<Float64Type>();
            let value = |place: usize| (of.is_valid(place) && !of.value(place).is_nan()).then(|| of.value(place));
            Arc::new(Float64Array::from(lists.gathered(width, filling, value, Some)?))
        }
        NativeElement::Integer => {
            let of = found.as_primitive::<Int64Type>();
            Arc::new(Int64Array::from(lists.gathered(width, filling, |place| of.is_valid(place).then(|| of.value(place)), whole)?))
        }
        NativeElement::Boolean => {
            let of = found.as_boolean();
            let truth = |value: f64| whole(value).map(|value| value != 0);
            Arc::new(BooleanArray::from(lists.gathered(width, filling, |place| of.is_valid(place).then(|| of.value(place)), truth)?))
        }
        NativeElement::Text => {
            let of = found.as_string::<i32>();
            let text = |value: f64| Some(if value.is_nan() { String::new() } else { value.to_string() });
            Arc::new(StringArray::from(lists.gathered(width, filling, |place| of.is_valid(place).then(|| of.value(place).to_owned()), text)?))
        }
    };
    let width = i32::try_from(width).map_err(|_| Error::failed("lists that are too long"))?;
    let field = Arc::new(Field::new_list_field(target, true));
    let lists =
        FixedSizeListArray::try_new(field, width, values, None).map_err(|error| Error::internal("a list of another length").because(error))?;
    Ok(Arc::new(lists))
}
