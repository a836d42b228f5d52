//! One input of vectors being filled: lists of any kind to lists of the length that the model
//! reads, under the input's policies.
//!
//! A missing list, or a missing value in one, is a missing value of its row; a list of another
//! length is like a text that is not a number. Where the model reads lists of any length, what
//! stands in for one has the least. It must not know the other inputs.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array,
    Int64Array, LargeListArray, StringArray, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};

use super::exact::{Exact, decoded, exactly, of_double};
use super::fill::Filling;
use super::lists::{Lists, RowList};
use super::native::{Cell, fitted, known, none_instead, replacement, with_spelt_booleans};
use super::range::overflows;
use super::token_use::meets;
use super::verdict::Reason;
use crate::contract::{ColumnType, NativeElement, NativeType, Policy, Width};
use crate::error::{Error, Result};

/// The values of all rows of a column of lists, and how many each row has.
struct Gathered<T> {
    all: Vec<T>,
    lengths: Vec<usize>,
}

impl<T: Clone> Gathered<T> {
    /// `value` reads the value at an index, `instead` makes one of what a policy says.
    fn of(
        lists: &Lists,
        width: Width,
        filling: &mut Filling<f64>,
        value: impl Fn(usize) -> Cell<T>,
        instead: impl Fn(f64) -> Option<T>,
    ) -> Result<Self> {
        let (mut all, mut lengths) = (
            Vec::with_capacity(lists.values.len()),
            Vec::with_capacity(lists.rows.len()),
        );
        let least = match width {
            Width::One => 1,
            Width::Exactly(count) | Width::Multiple(count) => count,
        };
        for (row, list) in lists.rows.iter().enumerate() {
            let known = all.len();
            if let RowList::Whole { start, count } = *list {
                let is_value = |index| {
                    if let Cell::Value(value) | Cell::Parsed(value) = value(index) {
                        Some(value)
                    } else {
                        None
                    }
                };
                all.extend((start..start + count).map_while(is_value));
                if all.len() == known + count {
                    lengths.push(count);
                    continue;
                }
                all.truncate(known);
                all.extend(repaired((start, count), row, filling, &value, &instead)?);
            } else {
                let reason = if *list == RowList::Missing {
                    Reason::Null
                } else {
                    Reason::Length
                };
                all.extend(std::iter::repeat_n(
                    replaced(row, reason, filling, &instead)?,
                    least,
                ));
            }
            lengths.push(all.len() - known);
        }
        Ok(Self { all, lengths })
    }
}

/// A row some of whose values are missing or do not fit: those are what their policies say.
fn repaired<T: Clone>(
    (start, count): (usize, usize),
    row: usize,
    filling: &mut Filling<f64>,
    value: &impl Fn(usize) -> Cell<T>,
    instead: &impl Fn(f64) -> Option<T>,
) -> Result<Vec<T>> {
    let (mut for_missing, mut for_unfit) = (None, None);
    let mut values = Vec::with_capacity(count);
    for index in start..start + count {
        let (reason, other) = match value(index) {
            Cell::Value(value) | Cell::Parsed(value) => {
                values.push(value);
                continue;
            }
            Cell::Missing => (Reason::Null, &mut for_missing),
            Cell::NotOne => (Reason::NotANumber, &mut for_unfit),
            Cell::Unfit(reason) => (reason, &mut for_unfit),
        };
        let other = match other {
            Some(other) => other,
            None => other.insert(replaced(row, reason, filling, instead)?),
        };
        values.push(other.clone());
    }
    Ok(values)
}

/// What is read instead of a value of this row.
fn replaced<T>(
    row: usize,
    reason: Reason,
    filling: &mut Filling<f64>,
    instead: &impl Fn(f64) -> Option<T>,
) -> Result<T> {
    let (count, policy) = match reason {
        Reason::Null => (&mut filling.counts.null_count, filling.bound.input.on_null),
        Reason::Range | Reason::Fraction => (
            &mut filling.counts.unfit_count,
            filling.bound.input.on_unseen,
        ),
        _ => (
            &mut filling.counts.unparsable_count,
            filling.bound.input.on_unseen,
        ),
    };
    *count += 1;
    filling.settle(row, policy, f64::NAN, reason)?;
    instead(if policy == Policy::Reject {
        0.0
    } else {
        filling.out[row]
    })
    .ok_or_else(|| none_instead(filling, row, reason))
}

/// Fills lists of so many values of the declared type: of one length in a column of that, else of
/// any.
pub(super) fn fill(
    native: NativeType,
    column: &ArrayRef,
    filling: &mut Filling<f64>,
) -> Result<ArrayRef> {
    let lists = Lists::of(column, &native)?;
    let (width, missing) = (native.width, filling.missing);
    let (values, lengths): (ArrayRef, Vec<usize>) = match native.element {
        NativeElement::Float16 | NativeElement::Bfloat16 | NativeElement::Float => {
            let found = decoded(&lists.values, &DataType::Float32)?;
            let (found, value) = (found.as_primitive::<Float32Type>(), doubles(&lists.values)?);
            let sentinels = missing.numbers(|value| value as f32);
            let cell = |index: usize| match found.value(index) {
                _ if found.is_null(index) => Cell::Missing,
                number if number.is_nan() || meets(&sentinels, &number) => Cell::Missing,
                number if overflows(native.element, number) && value(index).is_finite() => {
                    Cell::Unfit(Reason::Range)
                }
                number => Cell::Value(number),
            };
            let Gathered { all, lengths } =
                Gathered::of(&lists, width, filling, cell, |value| Some(value as f32))?;
            (Arc::new(Float32Array::from(all)), lengths)
        }
        NativeElement::Double => {
            let found = decoded(&lists.values, &DataType::Float64)?;
            let found = found.as_primitive::<Float64Type>();
            let cell = |index: usize| {
                let is_missing = |value: f64| value.is_nan() || missing.is_number(value, || false);
                if found.is_null(index) || is_missing(found.value(index)) {
                    Cell::Missing
                } else {
                    Cell::Value(found.value(index))
                }
            };
            let Gathered { all, lengths } = Gathered::of(&lists, width, filling, cell, Some)?;
            (Arc::new(Float64Array::from(all)), lengths)
        }
        NativeElement::Integer(ColumnType::Uint64) => {
            let value = exactly(&lists.values)?;
            let cell = |index: usize| known::<u64>(ColumnType::Uint64, value(index), missing);
            let Gathered { all, lengths } = Gathered::of(
                &lists,
                width,
                filling,
                cell,
                replacement(ColumnType::Uint64),
            )?;
            (Arc::new(UInt64Array::from(all)), lengths)
        }
        NativeElement::Integer(integer) => {
            let value = exactly(&lists.values)?;
            let Gathered { all, lengths } = Gathered::of(
                &lists,
                width,
                filling,
                |index| known::<i64>(integer, value(index), missing),
                replacement(integer),
            )?;
            (Arc::new(Int64Array::from(all)), lengths)
        }
        NativeElement::Boolean => {
            let value = exactly(&lists.values)?;
            let boolean = |exact: Exact| match fitted::<i64>(ColumnType::Int64, exact) {
                Cell::Value(value) => Cell::Value(value != 0),
                Cell::Unfit(reason) => Cell::Unfit(reason),
                _ => Cell::Missing,
            };
            let instead = |value: f64| {
                if let Cell::Value(value) = boolean(of_double(value)) {
                    Some(value)
                } else {
                    None
                }
            };
            let Gathered { all, lengths } = Gathered::of(
                &lists,
                width,
                filling,
                |index| boolean(value(index)),
                instead,
            )?;
            (Arc::new(BooleanArray::from(all)), lengths)
        }
        NativeElement::Text => {
            let found = decoded(&with_spelt_booleans(&lists.values), &DataType::Utf8)?;
            let found = found.as_string::<i32>();
            let is_missing = |index: usize| {
                found.is_null(index) || missing.is_text(found.value(index), || false)
            };
            let cell = |index: usize| {
                if is_missing(index) {
                    Cell::Missing
                } else {
                    Cell::Value(found.value(index).to_owned())
                }
            };
            let text = |value: f64| {
                Some(if value.is_nan() {
                    String::new()
                } else {
                    value.to_string()
                })
            };
            let Gathered { all, lengths } = Gathered::of(&lists, width, filling, cell, text)?;
            (Arc::new(StringArray::from(all)), lengths)
        }
    };
    as_lists(width, values, lengths)
}

/// The numbers in double precision, as they were before they became the model's.
fn doubles(values: &ArrayRef) -> Result<impl Fn(usize) -> f64> {
    let doubles = decoded(values, &DataType::Float64)?
        .as_primitive::<Float64Type>()
        .clone();
    Ok(move |index| doubles.value(index))
}

fn as_lists(width: Width, values: ArrayRef, lengths: Vec<usize>) -> Result<ArrayRef> {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let wrong = |error| Error::internal("a list of another length").because(error);
    let Width::Exactly(width) = width else {
        let lists =
            LargeListArray::try_new(field, OffsetBuffer::from_lengths(lengths), values, None)
                .map_err(wrong)?;
        return Ok(Arc::new(lists));
    };
    let width = i32::try_from(width).map_err(|_| Error::failed("lists that are too long"))?;
    Ok(Arc::new(
        FixedSizeListArray::try_new(field, width, values, None).map_err(wrong)?,
    ))
}
