//! `= <> < <= > >=`, `IS DISTINCT FROM` and `IN`.
//!
//! NaN equals NaN and is above every number, 0 equals -0, texts are ordered by their bytes, a
//! comparison with null is null. A text that stands in the expression takes the type of what it is
//! compared with, exactly or not at all. It must not know expressions.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::compute::kernels::cmp;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type, TimeUnit};

use super::calendar::MICROSECONDS;
use super::conversion::{Cell, cell, convert};
use super::date_text::instant;
use super::node::Comparison;
use super::value::{Fault, Outcome, Value, common_type, name_of, ordered};

/// Whether two values are in this relation.
pub(super) fn compare(how: Comparison, left: &Value, right: &Value) -> Outcome<Value> {
    let (left, right) = literals(left, right)?;
    let (left, right) = match widened(&left, &right)? {
        Some(both) => both,
        None => matched(&left, &right)?,
    };
    let (left, right) = (
        left.with(ordered(&left.array)),
        right.with(ordered(&right.array)),
    );
    let (a, b) = (left.datum(), right.datum());
    let array = match how {
        Comparison::Equal => cmp::eq(&*a, &*b)?,
        Comparison::NotEqual => cmp::neq(&*a, &*b)?,
        Comparison::Less => cmp::lt(&*a, &*b)?,
        Comparison::LessOrEqual => cmp::lt_eq(&*a, &*b)?,
        Comparison::Greater => cmp::gt(&*a, &*b)?,
        Comparison::GreaterOrEqual => cmp::gt_eq(&*a, &*b)?,
        Comparison::Distinct => cmp::distinct(&*a, &*b)?,
        Comparison::NotDistinct => cmp::not_distinct(&*a, &*b)?,
    };
    Ok(Value::computed(
        Arc::new(array),
        left.is_constant && right.is_constant,
    ))
}

/// The type of two exact numbers whose digits together are more than the 38 of a decimal: as
/// floats, numbers that differ in their last digits would be equal.
fn wide_type(left: &Value, right: &Value) -> Option<DataType> {
    let scale = |value: &Value| match value.data_type() {
        DataType::Decimal128(_, scale) => Some(*scale),
        DataType::Int64 => Some(0),
        _ => None,
    };
    let (one, other) = (scale(left)?, scale(right)?);
    let common = common_type(left.data_type(), right.data_type());
    (common == Some(DataType::Float64)).then(|| DataType::Decimal256(76, one.max(other)))
}

/// The two in that type.
fn widened(left: &Value, right: &Value) -> Outcome<Option<(Value, Value)>> {
    let Some(wide) = wide_type(left, right) else {
        return Ok(None);
    };
    let cast = |value: &Value| Ok::<_, Fault>(value.with(cast(&value.array, &wide)?));
    Ok(Some((cast(left)?, cast(right)?)))
}

/// Whether two values are exact numbers that no type of SQL here holds together.
pub(super) fn is_wide(left: &Value, right: &Value) -> bool {
    literals(left, right).is_ok_and(|(left, right)| wide_type(&left, &right).is_some())
}

/// Two values, a text of the expression as a value of the other's type.
fn literals(left: &Value, right: &Value) -> Outcome<(Value, Value)> {
    let is_text = |value: &Value| value.is_literal && *value.data_type() == DataType::Utf8;
    Ok(match (is_text(left), is_text(right)) {
        (true, false) => (read_as(left, right.data_type())?, right.clone()),
        (false, true) => (left.clone(), read_as(right, left.data_type())?),
        _ => (left.clone(), right.clone()),
    })
}

/// Two values in one type.
pub(super) fn matched(left: &Value, right: &Value) -> Outcome<(Value, Value)> {
    let (left, right) = literals(left, right)?;
    let shared = match common_type(left.data_type(), right.data_type()) {
        Some(DataType::Null) => DataType::Boolean,
        Some(shared) => shared,
        None => return Err(unlike(left.data_type(), right.data_type())),
    };
    Ok((
        left.with(convert(&left.array, &shared, false)?),
        right.with(convert(&right.array, &shared, false)?),
    ))
}

fn unlike(left: &DataType, right: &DataType) -> Fault {
    let fault = Fault::new(format!(
        "{} cannot be compared with {}",
        name_of(left),
        name_of(right)
    ));
    let is_time =
        |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Timestamp(..));
    let has_zone = |data_type: &DataType| matches!(data_type, DataType::Timestamp(_, Some(_)));
    fault.hint(if has_zone(left) || has_zone(right) {
        "write the instant with its zone, as a text: `'2024-01-31 10:00:00Z'` or `'2024-01-31 \
         12:00:00+02:00'`"
    } else if is_time(left) || is_time(right) {
        "write `DATE '2024-01-31'` or `TIMESTAMP '2024-01-31 10:00:00'` with dates, and plain \
         texts with the text columns of CSV files"
    } else {
        "make them of one type with CAST: columns of delimited text that the model does not read \
         are texts, `CAST(visits AS DOUBLE)`"
    })
}

/// A text of the expression as a value of this type.
fn read_as(value: &Value, data_type: &DataType) -> Outcome<Value> {
    let text = value.array.as_string::<i32>().value(0).to_owned();
    let wrong = |reason: &str| {
        let fault = Fault::new(format!(
            "`{text}` cannot be compared with {}: {reason}",
            name_of(data_type)
        ));
        fault.hint(
            "write a date as `'2024-01-31'`, a timestamp as `'2024-01-31 10:00:00'`, with a `Z` \
             or `+02:00` behind it where the column has a time zone",
        )
    };
    let instant = || instant(&text).ok_or_else(|| wrong("it is neither a date nor a timestamp"));
    let array: ArrayRef = match data_type {
        DataType::Utf8 | DataType::Null => return Ok(value.clone()),
        DataType::Date32 => {
            let found = instant()?;
            if found.has_time {
                return Err(wrong("a date has no time of day"));
            }
            convert(&value.array, data_type, false)?
        }
        DataType::Timestamp(unit, zone) => {
            let found = instant()?;
            let ticks_of_second = if *unit == TimeUnit::Nanosecond {
                1_000_000_000
            } else {
                MICROSECONDS
            };
            match (found.offset_seconds, zone.is_some()) {
                (None, true) => return Err(wrong("the column has a time zone, the text has none")),
                (Some(_), false) => {
                    return Err(wrong("the text has a time zone, the column has none"));
                }
                _ => {}
            }
            if found.moment.nanoseconds % (1_000_000_000 / ticks_of_second) != 0 {
                return Err(wrong("it is finer than the column"));
            }
            convert(&value.array, data_type, false)
                .map_err(|_| wrong("it is outside of what the column can hold"))?
        }
        DataType::Decimal128(_, scale) => {
            let target = DataType::Decimal128(38, (*scale).clamp(9, 18));
            convert(&value.array, &target, false).map_err(|_| wrong("it is not a number"))?
        }
        // `5 = '5.5'` must not round the text.
        DataType::Int64 => match text.trim().parse::<i64>() {
            Ok(_) => convert(&value.array, data_type, false)?,
            Err(_) => convert(&value.array, &DataType::Float64, false)
                .map_err(|_| wrong("it is not a number"))?,
        },
        other => {
            convert(&value.array, other, false).map_err(|_| wrong("it is not such a value"))?
        }
    };
    Ok(value.with(array))
}

/// Whether a value is one of several: null where it is none of them but one is null.
pub(super) fn is_in(value: &Value, items: &[Value], row_count: usize) -> Outcome<Value> {
    let (many, few): (Vec<&Value>, Vec<&Value>) = items
        .iter()
        .partition(|item| item.is_constant && !is_wide(value, item));
    let mut answer = among(value, &many, row_count)?;
    for item in few {
        let equal = compare(Comparison::Equal, value, item)?.expanded(row_count)?;
        answer = arrow::compute::or_kleene(&answer, equal.as_boolean())?;
    }
    Ok(Value::rows(Arc::new(answer)))
}

/// Whether a value is among constants, by a set of them for each type that they are compared in.
fn among(value: &Value, items: &[&Value], row_count: usize) -> Outcome<BooleanArray> {
    let mut sets: Vec<(DataType, ArrayRef, HashSet<Key>)> = Vec::new();
    let mut has_null = false;
    for item in items {
        let (seen, item) = matched(value, item)?;
        if item.array.is_null(0) || *item.data_type() == DataType::Null {
            has_null = true;
            continue;
        }
        let index = if let Some(index) = sets
            .iter()
            .position(|(data_type, ..)| data_type == item.data_type())
        {
            index
        } else {
            sets.push((
                item.data_type().clone(),
                ordered(&seen.expanded(row_count)?),
                HashSet::new(),
            ));
            sets.len() - 1
        };
        sets[index].2.extend(key(&ordered(&item.array), 0));
    }
    let known = value.expanded(row_count)?;
    let answer = |row: usize| {
        if known.is_null(row) || *known.data_type() == DataType::Null {
            return None;
        }
        let is_found = sets
            .iter()
            .any(|(_, seen, set)| key(seen, row).is_some_and(|key| set.contains(&key)));
        if is_found {
            Some(true)
        } else if has_null {
            None
        } else {
            Some(false)
        }
    };
    Ok((0..row_count).map(answer).collect())
}

/// A value that is equal to another of its type if it is the same.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Number(i128),
    Text(String),
}

fn key(array: &ArrayRef, row: usize) -> Option<Key> {
    if array.is_null(row) {
        return None;
    }
    Some(Key::Number(match array.data_type() {
        DataType::Utf8 => return Some(Key::Text(array.as_string::<i32>().value(row).to_owned())),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row),
        DataType::Float32 => array
            .as_primitive::<Float32Type>()
            .value(row)
            .to_bits()
            .into(),
        DataType::Float64 => array
            .as_primitive::<Float64Type>()
            .value(row)
            .to_bits()
            .into(),
        _ => match cell(array, row)? {
            Cell::Boolean(value) => value.into(),
            Cell::Date(days) => days.into(),
            Cell::Moment(moment, _) => {
                i128::from(moment.days) * 86_400_000_000_000 + i128::from(moment.nanoseconds)
            }
            _ => return None,
        },
    }))
}
