//! One input of vectors being filled: lists of any kind to lists of the length that the model reads, under the input's policies.
//!
//! A missing list, or a missing value in one, is a missing value of its row; a list of another length is like a text that is no number. Where the model
//! reads lists of any length, what stands in for one has the least. It must not know the other inputs.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array, LargeListArray, StringArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type};

use super::fill::Filling;
use super::native::{decoded, none_instead, whole, with_spelt_booleans};
use super::verdict::Reason;
use crate::contract::{NativeElement, Policy, Width};
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

    /// The values of all rows, and how many each has; `value` is none where one is missing, `instead` turns what the policy says into a value.
    fn gathered<T: Clone>(
        &self,
        width: Width,
        filling: &mut Filling<f64>,
        value: impl Fn(usize) -> Option<T>,
        instead: impl Fn(f64) -> Option<T>,
    ) -> Result<(Vec<T>, Vec<usize>)> {
        let (mut all, mut lengths) = (Vec::with_capacity(self.values.len()), Vec::with_capacity(self.ranges.len()));
        for (row, &(start, length)) in self.ranges.iter().enumerate() {
            let is_null = self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            let is_whole = !is_null && width.fits(length);
            let own = match width {
                _ if is_whole => length,
                Width::One => 1,
                Width::Exactly(count) | Width::Multiple(count) => count,
            };
            lengths.push(own);
            let known = all.len();
            if is_whole {
                all.extend((start..start + own).map_while(&value));
            }
            if all.len() == known + own {
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
            all.extend((start..start + own).map(|place| if is_whole { value(place) } else { None }.unwrap_or_else(|| other.clone())));
        }
        Ok((all, lengths))
    }
}

/// Fills lists of so many values of the declared type: of one length in a column of that, else of any.
pub(super) fn fill(element: NativeElement, width: Width, column: &ArrayRef, filling: &mut Filling<f64>) -> Result<ArrayRef> {
    let target = match element {
        NativeElement::Float => DataType::Float32,
        NativeElement::Double => DataType::Float64,
        NativeElement::Integer => DataType::Int64,
        NativeElement::Boolean => DataType::Boolean,
        NativeElement::Text => DataType::Utf8,
    };
    let mut lists = Lists::of(column)?;
    let values = if target == DataType::Utf8 { with_spelt_booleans(&lists.values) } else { Arc::clone(&lists.values) };
    lists.values = decoded(&values, &target)?;
    let missing = filling.missing;
    let is_missing = |value: f64| value.is_nan() || missing.is_number(value, || false);
    let found = &lists.values;
    let (values, lengths): (ArrayRef, Vec<usize>) = match element {
        NativeElement::Float => {
            let of = found.as_primitive::<Float32Type>();
            let sentinels: Vec<f32> = missing.numbers().map(|value| value as f32).collect();
            let is_missing = |value: f32| value.is_nan() || sentinels.contains(&value);
            let value = |place: usize| (of.is_valid(place) && !is_missing(of.value(place))).then(|| of.value(place));
            let (values, lengths) = lists.gathered(width, filling, value, |value| Some(value as f32))?;
            (Arc::new(Float32Array::from(values)), lengths)
        }
        NativeElement::Double => {
            let of = found.as_primitive::<Float64Type>();
            let value = |place: usize| (of.is_valid(place) && !is_missing(of.value(place))).then(|| of.value(place));
            let (values, lengths) = lists.gathered(width, filling, value, Some)?;
            (Arc::new(Float64Array::from(values)), lengths)
        }
        NativeElement::Integer => {
            let of = found.as_primitive::<Int64Type>();
            let value = |place: usize| (of.is_valid(place) && !is_missing(of.value(place) as f64)).then(|| of.value(place));
            let (values, lengths) = lists.gathered(width, filling, value, whole)?;
            (Arc::new(Int64Array::from(values)), lengths)
        }
        NativeElement::Boolean => {
            let of = found.as_boolean();
            let truth = |value: f64| whole(value).map(|value| value != 0);
            let (values, lengths) = lists.gathered(width, filling, |place| of.is_valid(place).then(|| of.value(place)), truth)?;
            (Arc::new(BooleanArray::from(values)), lengths)
        }
        NativeElement::Text => {
            let of = found.as_string::<i32>();
            let text = |value: f64| Some(if value.is_nan() { String::new() } else { value.to_string() });
            let is_value = |place: usize| of.is_valid(place) && !missing.is_text(of.value(place), || false);
            let value = |place: usize| is_value(place).then(|| of.value(place).to_owned());
            let (values, lengths) = lists.gathered(width, filling, value, text)?;
            (Arc::new(StringArray::from(values)), lengths)
        }
    };
    let field = Arc::new(Field::new_list_field(target, true));
    let wrong = |error| Error::internal("a list of another length").because(error);
    let Width::Exactly(width) = width else {
        let lists = LargeListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, None).map_err(wrong)?;
        return Ok(Arc::new(lists));
    };
    let width = i32::try_from(width).map_err(|_| Error::failed("lists that are too long"))?;
    Ok(Arc::new(FixedSizeListArray::try_new(field, width, values, None).map_err(wrong)?))
}
