//! One input of a graph being filled: a column of any type to an array of the type that the model declares, under the input's policies.
//!
//! Reals go the way of every other model's numbers; whole numbers, truth values and texts have no missing value, so a null needs a policy
//! that says what to read instead. It must not know the other inputs.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::fill::{Filling, Real};
use super::missing::Sentinels;
use super::number::parse;
use super::vector;
use super::verdict::Reason;
use crate::contract::{NativeElement, NativeType, Policy, Width};
use crate::error::{Error, Result};

/// What a cell holds.
enum Cell<T> {
    Value(T),
    /// A value that was written as text.
    Parsed(T),
    Missing,
    NotOne,
}

/// Fills an array of the declared type; `filling` carries the place, the policies and the counts, its output is scratch.
pub(super) fn fill(native: NativeType, column: &ArrayRef, filling: &mut Filling<f64>) -> Result<ArrayRef> {
    if native.width != Width::One {
        return vector::fill(native.element, native.width, column, filling);
    }
    match native.element {
        NativeElement::Float => {
            let mut out = vec![f32::MISSING; column.len()];
            filling.with_output(&mut out).fill(column)?;
            Ok(Arc::new(Float32Array::from(out)))
        }
        NativeElement::Double => {
            filling.fill(column)?;
            Ok(Arc::new(Float64Array::from(filling.out.to_vec())))
        }
        NativeElement::Integer => Ok(Arc::new(Int64Array::from(integers(column, filling)?))),
        NativeElement::Boolean => {
            let truths = integers(column, filling)?;
            Ok(Arc::new(truths.into_iter().map(|value| Some(value != 0)).collect::<BooleanArray>()))
        }
        NativeElement::Text => texts(column, filling),
    }
}

/// The values of all rows; a cell without one is what its policy says.
fn each<T>(
    count: usize,
    filling: &mut Filling<f64>,
    cell: impl Fn(usize, &Sentinels) -> Cell<T>,
    instead: impl Fn(f64) -> Option<T>,
) -> Result<Vec<T>> {
    let mut values = Vec::with_capacity(count);
    for row in 0..count {
        let (policy, reason) = match cell(row, filling.missing) {
            Cell::Value(value) => {
                values.push(value);
                continue;
            }
            Cell::Parsed(value) => {
                filling.counts.parsed_count += 1;
                values.push(value);
                continue;
            }
            Cell::Missing => {
                filling.counts.null_count += 1;
                (filling.bound.input.on_null, Reason::Null)
            }
            Cell::NotOne => {
                filling.counts.unparsable_count += 1;
                (filling.bound.input.on_unseen, Reason::NotANumber)
            }
        };
        filling.settle(row, policy, f64::NAN, reason)?;
        let value = instead(filling.out[row]).or_else(|| if policy == Policy::Reject { instead(0.0) } else { None });
        values.push(value.ok_or_else(|| none_instead(filling, row))?);
    }
    Ok(values)
}

/// The error for a missing value of a type that has none, where no policy says what to read instead.
pub(super) fn none_instead(filling: &Filling<f64>, row: usize) -> Error {
    Error::failed("a value is missing where the model's type has none for that")
        .at_row(filling.origin.row_number(row))
        .hint(format!("say what to read instead: `--on-null {}=0`, or `reject`", filling.bound.column))
}

pub(super) fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9.2e18).then_some(value as i64)
}

fn integers(column: &ArrayRef, filling: &mut Filling<f64>) -> Result<Vec<i64>> {
    let count = column.len();
    if is_text(column.data_type()) {
        let texts = decoded(column, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>().clone();
        let cell = |row: usize, missing: &Sentinels| {
            let text = texts.value(row);
            let is_empty = text.is_empty() && missing.is_untyped;
            if texts.is_null(row) || is_empty || missing.is_text(text, || false) {
                return Cell::Missing;
            }
            let plain = missing.number_format.plain(text);
            match plain.and_then(|text| text.trim().parse().ok().or_else(|| parse(&text).and_then(whole))) {
                Some(value) if missing.is_number(value as f64, || false) => Cell::Missing,
                value => value.map_or(Cell::NotOne, Cell::Parsed),
            }
        };
        return each(count, filling, cell, whole);
    }
    if matches!(column.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) | DataType::Decimal256(..)) {
        let numbers = decoded(column, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>().clone();
        let cell = |row: usize, missing: &Sentinels| match numbers.value(row) {
            value if numbers.is_null(row) || value.is_nan() || missing.is_number(value, || false) => Cell::Missing,
            value => whole(value).map_or(Cell::NotOne, Cell::Value),
        };
        return each(count, filling, cell, whole);
    }
    let numbers = decoded(column, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>().clone();
    // A number too large for 64 bits with a sign is null after the cast and was none before.
    let cell = |row: usize, missing: &Sentinels| match (column.is_null(row), numbers.is_null(row)) {
        (true, _) => Cell::Missing,
        (false, false) if missing.is_number(numbers.value(row) as f64, || false) => Cell::Missing,
        (false, true) if *column.data_type() == DataType::Null => Cell::Missing,
        (false, true) => Cell::NotOne,
        _ => Cell::Value(numbers.value(row)),
    };
    each(count, filling, cell, whole)
}

/// Texts for a tokenizer: a missing one stays missing, unless the policy puts a number's text in its place.
pub(super) fn fill_texts(column: &ArrayRef, filling: &mut Filling<f64>) -> Result<ArrayRef> {
    let texts = decoded(column, &DataType::Utf8View)?;
    let views = texts.as_string_view();
    let is_missing = |row: usize| views.is_null(row) || filling.missing.is_text(views.value(row), || false);
    let missing: Vec<usize> = (0..views.len()).filter(|row| is_missing(*row)).collect();
    if missing.is_empty() {
        return Ok(texts);
    }
    let mut values: Vec<Option<Cow<'_, str>>> = views.iter().map(|text| text.map(Cow::Borrowed)).collect();
    for row in missing {
        filling.counts.null_count += 1;
        filling.settle(row, filling.bound.input.on_null, f64::NAN, Reason::Null)?;
        values[row] = Some(filling.out[row]).filter(|value| !value.is_nan()).map(|value| Cow::Owned(value.to_string()));
    }
    Ok(Arc::new(values.into_iter().collect::<StringViewArray>()))
}

/// Texts as they are, where none is missing. A missing text that is let through is the empty one.
fn texts(column: &ArrayRef, filling: &mut Filling<f64>) -> Result<ArrayRef> {
    let texts = decoded(&with_spelt_booleans(column), &DataType::Utf8View)?;
    let views = texts.as_string_view();
    let holds_numbers = !is_text(column.data_type());
    let is_sentinel = |text: &str, missing: &Sentinels| {
        let is_number = |value: f64| missing.is_number(value, || false);
        missing.is_text(text, || false) || holds_numbers && text.parse().is_ok_and(is_number)
    };
    let is_missing = |row: usize, missing: &Sentinels| views.is_null(row) || is_sentinel(views.value(row), missing);
    if (views.null_count() == 0 && filling.missing.is_empty()) || !(0..views.len()).any(|row| is_missing(row, filling.missing)) {
        return Ok(texts);
    }
    let cell = |row: usize, missing: &Sentinels| match views.value(row) {
        _ if is_missing(row, missing) => Cell::Missing,
        text => Cell::Value(Cow::Borrowed(text)),
    };
    let instead = |value: f64| Some(Cow::Owned(if value.is_nan() { String::new() } else { value.to_string() }));
    Ok(Arc::new(StringViewArray::from_iter_values(each(column.len(), filling, cell, instead)?)))
}

/// Booleans as Python spells them, `True` and `False`: the pipelines that read texts were trained there. Any other column is left as it is.
pub(super) fn with_spelt_booleans(column: &ArrayRef) -> ArrayRef {
    let spelt = |value: bool| if value { "True" } else { "False" };
    match column.as_boolean_opt() {
        Some(booleans) => Arc::new(booleans.iter().map(|value| value.map(spelt)).collect::<StringViewArray>()),
        None => Arc::clone(column),
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_text(value),
        other => crate::table::cast::is_text(other),
    }
}

pub(super) fn decoded(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    cast(column, wanted).map_err(|error| Error::failed("cannot decode the column").because(error))
}
