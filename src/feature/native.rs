//! One input of a graph being filled: a column of any type to an array of the type that the model
//! declares, under the input's policies.
//!
//! Reals go the way of every other model's numbers; integers, booleans and texts have no
//! missing value, so a null needs a policy that says what to read instead. It must not know the
//! other inputs.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array,
    StringViewArray, UInt64Array,
};
use arrow::datatypes::{DataType, Float64Type};

use super::exact::{Exact, decoded, exactly, of_double};
use super::fill::Filling;
use super::missing::Sentinels;
use super::number::parse;
use super::range::{may_overflow, overflows};
use super::real::Real;
use super::sweep::any;
use super::vector;
use super::verdict::Reason;
use crate::contract::fitting::integer_limits;
use crate::contract::{ColumnType, NativeElement, NativeType, Policy, Width};
use crate::error::{Error, Result, shell_word};

/// What a cell holds.
pub(super) enum Cell<T> {
    Value(T),
    /// A value that was written as text.
    Parsed(T),
    Missing,
    /// A text that is not a number.
    NotOne,
    /// A number that the type does not hold.
    Unfit(Reason),
}

/// Fills an array of the declared type; `filling` carries the row, the policies and the counts, its
/// output is scratch.
pub(super) fn fill(
    native: NativeType,
    column: &ArrayRef,
    filling: &mut Filling<f64>,
) -> Result<ArrayRef> {
    if native.width != Width::One {
        return vector::fill(native, column, filling);
    }
    match native.element {
        NativeElement::Float16 | NativeElement::Bfloat16 | NativeElement::Float => {
            let mut out = vec![f32::MISSING; column.len()];
            filling.with_output(&mut out).fill(column)?;
            settle_overflow(native.element, column, filling, &mut out)?;
            Ok(Arc::new(Float32Array::from(out)))
        }
        NativeElement::Double => {
            filling.fill(column)?;
            Ok(Arc::new(Float64Array::from(filling.out.to_vec())))
        }
        NativeElement::Integer(ColumnType::Uint64) => {
            Ok(Arc::new(UInt64Array::from(integers::<u64>(
                ColumnType::Uint64,
                column,
                filling,
            )?)))
        }
        NativeElement::Integer(integer) => Ok(Arc::new(Int64Array::from(integers::<i64>(
            integer, column, filling,
        )?))),
        NativeElement::Boolean => {
            let booleans: Vec<i64> = integers(ColumnType::Int64, column, filling)?;
            Ok(Arc::new(
                booleans
                    .into_iter()
                    .map(|value| Some(value != 0))
                    .collect::<BooleanArray>(),
            ))
        }
        NativeElement::Text => texts(column, filling),
    }
}

/// Settles finite numbers that are infinite in the type that the model reads; those that were
/// infinite before stay.
fn settle_overflow(
    element: NativeElement,
    column: &ArrayRef,
    filling: &mut Filling<f64>,
    out: &mut [f32],
) -> Result<()> {
    if !any(out, |value| may_overflow(element, value)) {
        return Ok(());
    }
    let rows: Vec<usize> = (0..out.len())
        .filter(|row| overflows(element, out[*row]))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let is_finite: Box<dyn Fn(usize) -> bool> = if is_text(column.data_type()) {
        let texts = decoded(column, &DataType::Utf8View)?
            .as_string_view()
            .clone();
        Box::new(move |row| {
            texts.is_valid(row)
                && parse(texts.value(row)).is_some()
                && !texts.value(row).contains(['i', 'I'])
        })
    } else {
        let numbers = decoded(column, &DataType::Float64)?
            .as_primitive::<Float64Type>()
            .clone();
        Box::new(move |row| numbers.is_valid(row) && numbers.value(row).is_finite())
    };
    for row in rows.into_iter().filter(|row| is_finite(*row)) {
        filling.counts.unfit_count += 1;
        filling.settle(row, filling.bound.input.on_unseen, f64::NAN, Reason::Range)?;
        out[row] = filling.out[row] as f32;
    }
    Ok(())
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
            Cell::Unfit(reason) => {
                filling.counts.unfit_count += 1;
                (filling.bound.input.on_unseen, reason)
            }
        };
        filling.settle(row, policy, f64::NAN, reason)?;
        let value = instead(filling.out[row]).or_else(|| {
            if policy == Policy::Reject {
                instead(0.0)
            } else {
                None
            }
        });
        values.push(value.ok_or_else(|| none_instead(filling, row, reason))?);
    }
    Ok(values)
}

/// The error for a value of a type that has no missing one, where no policy says what to read
/// instead.
pub(super) fn none_instead(filling: &Filling<f64>, row: usize, reason: Reason) -> Error {
    let flag = if reason == Reason::Null {
        "--on-null"
    } else {
        "--on-unseen"
    };
    let instead = filling.out[row];
    if !instead.is_nan() {
        return Error::failed(format!(
            "{}, and `{flag}` puts {instead} there, which the model's type cannot hold",
            reason.message()
        ))
        .at_row(filling.origin.row_number(row))
        .hint("name a value of the type that the model reads, or `reject`");
    }
    Error::failed(format!(
        "{}, and the model's type has no missing value",
        reason.message()
    ))
    .at_row(filling.origin.row_number(row))
    .hint(format!(
        "name the value to read instead: `{flag} {}`, or `reject`",
        shell_word(&format!("{}=0", filling.bound.column))
    ))
}

/// An integer of this type as the array's, or why it is none.
pub(super) fn fitted<T: TryFrom<i128>>(integer: ColumnType, value: Exact) -> Cell<T> {
    let (low, high) = integer_limits(integer);
    match value {
        Exact::Integer(value) if (low..=high).contains(&value) => {
            T::try_from(value).map_or(Cell::Unfit(Reason::Range), Cell::Value)
        }
        Exact::Integer(_) | Exact::TooLarge => Cell::Unfit(Reason::Range),
        Exact::Fraction => Cell::Unfit(Reason::Fraction),
        Exact::Missing => Cell::Missing,
    }
}

/// The same, where some integers stand for a missing value.
pub(super) fn known<T: TryFrom<i128>>(
    integer: ColumnType,
    value: Exact,
    missing: &Sentinels,
) -> Cell<T> {
    match value {
        Exact::Integer(number) if missing.is_number(number as f64, || false) => Cell::Missing,
        value => fitted(integer, value),
    }
}

/// What a policy puts in a value's stead, as an integer of this type.
pub(super) fn replacement<T: TryFrom<i128>>(integer: ColumnType) -> impl Fn(f64) -> Option<T> {
    move |value| {
        if let Cell::Value(value) = fitted(integer, of_double(value)) {
            Some(value)
        } else {
            None
        }
    }
}

fn integers<T: TryFrom<i128>>(
    integer: ColumnType,
    column: &ArrayRef,
    filling: &mut Filling<f64>,
) -> Result<Vec<T>> {
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
            let exact = plain.and_then(|text| {
                text.trim()
                    .parse()
                    .ok()
                    .map(Exact::Integer)
                    .or_else(|| parse(&text).map(of_double))
            });
            match exact.map(|exact| known(integer, exact, missing)) {
                None => Cell::NotOne,
                Some(Cell::Value(value)) => Cell::Parsed(value),
                Some(other) => other,
            }
        };
        return each(count, filling, cell, replacement(integer));
    }
    if *column.data_type() == DataType::Null {
        return each(count, filling, |_, _| Cell::Missing, replacement(integer));
    }
    let value = exactly(column)?;
    each(
        count,
        filling,
        |row, missing| known(integer, value(row), missing),
        replacement(integer),
    )
}

/// Texts for a tokenizer, booleans as Python spells them: a missing one stays missing, unless the
/// policy puts a number's text in its place.
pub(super) fn fill_texts(column: &ArrayRef, filling: &mut Filling<f64>) -> Result<ArrayRef> {
    let texts = decoded(&with_spelt_booleans(column), &DataType::Utf8View)?;
    let views = texts.as_string_view();
    let is_missing =
        |row: usize| views.is_null(row) || filling.missing.is_text(views.value(row), || false);
    let missing: Vec<usize> = (0..views.len()).filter(|row| is_missing(*row)).collect();
    if missing.is_empty() {
        return Ok(texts);
    }
    let mut values: Vec<Option<Cow<'_, str>>> =
        views.iter().map(|text| text.map(Cow::Borrowed)).collect();
    for row in missing {
        filling.counts.null_count += 1;
        filling.settle(row, filling.bound.input.on_null, f64::NAN, Reason::Null)?;
        values[row] = Some(filling.out[row])
            .filter(|value| !value.is_nan())
            .map(|value| Cow::Owned(value.to_string()));
    }
    Ok(Arc::new(values.into_iter().collect::<StringViewArray>()))
}

/// Texts as they are, where none is missing. A missing text that is let through is the empty one.
fn texts(column: &ArrayRef, filling: &mut Filling<f64>) -> Result<ArrayRef> {
    if let Some(texts) = column.as_string_opt::<i32>() {
        let mut present = texts.iter().flatten();
        let is_sentinel = |text: &str| filling.missing.is_text(text, || false);
        let has_sentinels = !filling.missing.is_empty() && present.any(is_sentinel);
        if texts.null_count() == 0 && !has_sentinels {
            return Ok(Arc::clone(column));
        }
    }
    let texts = decoded(&with_spelt_booleans(column), &DataType::Utf8View)?;
    let views = texts.as_string_view();
    let holds_numbers = !is_text(column.data_type());
    let is_sentinel = |text: &str, missing: &Sentinels| {
        let is_number = |value: f64| missing.is_number(value, || false);
        missing.is_text(text, || false) || holds_numbers && text.parse().is_ok_and(is_number)
    };
    let is_missing = |row: usize, missing: &Sentinels| {
        views.is_null(row) || is_sentinel(views.value(row), missing)
    };
    if (views.null_count() == 0 && filling.missing.is_empty())
        || !(0..views.len()).any(|row| is_missing(row, filling.missing))
    {
        return Ok(texts);
    }
    let cell = |row: usize, missing: &Sentinels| match views.value(row) {
        _ if is_missing(row, missing) => Cell::Missing,
        text => Cell::Value(Cow::Borrowed(text)),
    };
    let instead = |value: f64| {
        Some(Cow::Owned(if value.is_nan() {
            String::new()
        } else {
            value.to_string()
        }))
    };
    Ok(Arc::new(StringViewArray::from_iter_values(each(
        column.len(),
        filling,
        cell,
        instead,
    )?)))
}

/// Booleans as Python spells them, `True` and `False`: the pipelines that read texts were trained
/// there. Any other column is left as it is.
pub(super) fn with_spelt_booleans(column: &ArrayRef) -> ArrayRef {
    let spelled = |value: bool| if value { "True" } else { "False" };
    match column.as_boolean_opt() {
        Some(booleans) => Arc::new(
            booleans
                .iter()
                .map(|value| value.map(spelled))
                .collect::<StringViewArray>(),
        ),
        None => Arc::clone(column),
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_text(value),
        other => crate::table::cast::is_text(other),
    }
}
