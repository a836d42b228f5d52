//! `CAST` and `TRY_CAST`: every type to every other, with SQL's rounding, and nothing that wraps or
//! is cut off in silence.
//!
//! Halves of decimals and texts are rounded away from 0, those of floats to the even neighbour, as
//! `DuckDB` does. It must not know expressions.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int64Array, PrimitiveArray, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampNanosecondType,
};

use super::calendar::{MICROSECONDS, Moment};
use super::date_text::instant;
use super::text_cast;
use super::value::{Fault, Outcome, kept_type, name_of};
use crate::digits;

/// A value of one row, whatever its type.
#[derive(Clone, Debug)]
pub(super) enum Cell<'a> {
    Boolean(bool),
    Integer(i128),
    Decimal(i128, i8),
    Single(f32),
    Double(f64),
    Text(&'a str),
    Date(i32),
    /// A moment, and whether it is in UTC.
    Moment(Moment, bool),
}

/// The value of a row; none for null.
pub(super) fn cell(array: &ArrayRef, row: usize) -> Option<Cell<'_>> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => Cell::Boolean(array.as_boolean().value(row)),
        DataType::Int64 => Cell::Integer(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::Decimal128(_, scale) => {
            Cell::Decimal(array.as_primitive::<Decimal128Type>().value(row), *scale)
        }
        DataType::Float32 => Cell::Single(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => Cell::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row)),
        DataType::Date32 => Cell::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => Cell::Moment(
            Moment::of_ticks(
                array.as_primitive::<TimestampMicrosecondType>().value(row),
                MICROSECONDS,
            ),
            zone.is_some(),
        ),
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => Cell::Moment(
            Moment::of_ticks(
                array.as_primitive::<TimestampNanosecondType>().value(row),
                1_000_000_000,
            ),
            zone.is_some(),
        ),
        _ => return None,
    })
}

/// The values in another type. With `tries` a value that does not fit is null, else a fault.
pub(super) fn convert(array: &ArrayRef, target: &DataType, tries: bool) -> Outcome<ArrayRef> {
    let found = array.data_type();
    if found == target {
        return Ok(array.clone());
    }
    if *found == DataType::Null {
        return Ok(arrow::array::new_null_array(
            &kept_type(target),
            array.len(),
        ));
    }
    if !is_possible(found, target) {
        let fault = Fault::new(format!(
            "{} cannot become {}",
            name_of(found),
            name_of(&kept_type(target))
        ));
        return Err(fault.hint("go by way of text or of a number, if that is meant"));
    }
    // The shorter way where nothing can go wrong.
    match (found, target) {
        (DataType::Int64 | DataType::Float32, DataType::Float64)
        | (DataType::Int64, DataType::Float32)
        | (DataType::Boolean, DataType::Int64) => {
            return Ok(cast(array, target)?);
        }
        _ => {}
    }
    let each = |row: usize| cell(array, row);
    let rows = 0..array.len();
    match target {
        DataType::Boolean => collect(rows, each, boolean, tries, target)
            .map(|values| Arc::new(BooleanArray::from(values)) as ArrayRef),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => {
            let (low, high) = limits(target);
            let fits = |value: Cell<'_>| {
                integer(&value)
                    .filter(|value| (low..=high).contains(value))
                    .and_then(|value| i64::try_from(value).ok())
            };
            collect(rows, each, fits, tries, target)
                .map(|values| Arc::new(Int64Array::from(values)) as ArrayRef)
        }
        DataType::UInt64 => {
            let fits = |value: Cell<'_>| {
                integer(&value).filter(|value| (0..=i128::from(u64::MAX)).contains(value))
            };
            decimals(collect(rows, each, fits, tries, target)?, 20, 0)
        }
        DataType::Decimal128(precision, scale) => {
            let most = 10_i128.pow(u32::from(*precision));
            let fits =
                |value: Cell<'_>| decimal(&value, *scale).filter(|digits| digits.abs() < most);
            decimals(
                collect(rows, each, fits, tries, target)?,
                *precision,
                *scale,
            )
        }
        DataType::Float32 => collect(rows, each, |value| single(&value), tries, target)
            .map(|values| Arc::new(Float32Array::from(values)) as ArrayRef),
        DataType::Float64 => collect(rows, each, |value| double(&value), tries, target)
            .map(|values| Arc::new(Float64Array::from(values)) as ArrayRef),
        DataType::Utf8 => collect(rows, each, |value| Some(text(&value)), tries, target)
            .map(|values| Arc::new(StringArray::from(values)) as ArrayRef),
        DataType::Date32 => collect(rows, each, |value| date(&value), tries, target)
            .map(|values| Arc::new(Date32Array::from(values)) as ArrayRef),
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            let values = collect(
                rows,
                each,
                |value| moment(&value, zone.is_some())?.ticks(1_000_000_000),
                tries,
                target,
            )?;
            Ok(Arc::new(
                TimestampNanosecondArray::from(values).with_timezone_opt(zone.clone()),
            ))
        }
        DataType::Timestamp(_, zone) => {
            let values = collect(
                rows,
                each,
                |value| moment(&value, zone.is_some())?.ticks(MICROSECONDS),
                tries,
                target,
            )?;
            Ok(Arc::new(
                TimestampMicrosecondArray::from(values).with_timezone_opt(zone.clone()),
            ))
        }
        other => Err(Fault::new(format!("nothing can become {other}"))),
    }
}

fn collect<'a, T>(
    rows: std::ops::Range<usize>,
    each: impl Fn(usize) -> Option<Cell<'a>>,
    convert: impl Fn(Cell<'a>) -> Option<T>,
    tries: bool,
    target: &DataType,
) -> Outcome<Vec<Option<T>>> {
    rows.map(|row| match each(row) {
        None => Ok(None),
        Some(value) => match convert(value.clone()) {
            None if matches!(value, Cell::Text(text) if text_cast::is_unclear(text, target)) => {
                let fault = Fault::new(format!(
                    "a text with a time zone, of a year before 0 or of no time cannot become {}",
                    name_of(target)
                ));
                Err(fault.hint("take such rows out with `LIKE`, or cut the zone off first"))
            }
            None if !tries => {
                let fault = Fault::new(format!("a value cannot become {}", name_of(target)));
                Err(fault.hint("`TRY_CAST` gives null there"))
            }
            converted => Ok(converted),
        },
    })
    .collect()
}

/// Decimals of this many digits.
pub(super) fn decimals(values: Vec<Option<i128>>, precision: u8, scale: i8) -> Outcome<ArrayRef> {
    let array: Decimal128Array = PrimitiveArray::from(values);
    Ok(Arc::new(array.with_precision_and_scale(precision, scale)?))
}

fn is_possible(found: &DataType, target: &DataType) -> bool {
    let is_time =
        |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Timestamp(..));
    if *found == DataType::Utf8 || *target == DataType::Utf8 {
        return true;
    }
    match (is_time(found), is_time(target)) {
        (true, true) => {
            has_zone(found) == has_zone(target) || *target == DataType::Date32 && !has_zone(found)
        }
        (false, false) => true,
        _ => false,
    }
}

fn has_zone(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, Some(_)))
}

fn limits(target: &DataType) -> (i128, i128) {
    match target {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a cell ends where it is converted"
)]
fn boolean(value: Cell<'_>) -> Option<bool> {
    match value {
        Cell::Boolean(value) => Some(value),
        Cell::Integer(value) | Cell::Decimal(value, _) => Some(value != 0),
        Cell::Single(value) => Some(value != 0.0),
        Cell::Double(value) => Some(value != 0.0),
        Cell::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "y" => Some(true),
            "false" | "f" | "0" | "no" | "n" => Some(false),
            _ => None,
        },
        Cell::Date(_) | Cell::Moment(..) => None,
    }
}

fn integer(value: &Cell<'_>) -> Option<i128> {
    match value {
        Cell::Boolean(value) => Some(i128::from(*value)),
        Cell::Integer(value) => Some(*value),
        Cell::Decimal(digits, scale) => Some(rescaled(*digits, *scale, 0)?),
        Cell::Single(value) => whole(f64::from(*value)),
        Cell::Double(value) => whole(*value),
        Cell::Text(text) => text_cast::integer(text),
        Cell::Date(_) | Cell::Moment(..) => None,
    }
}

fn whole(value: f64) -> Option<i128> {
    let rounded = value.round_ties_even();
    (rounded.abs() < 1e38).then_some(rounded as i128)
}

/// The digits at another scale; a half is rounded away from 0.
pub(super) fn rescaled(digits: i128, from: i8, to: i8) -> Option<i128> {
    let power = 10_i128.checked_pow(u32::from((i16::from(to) - i16::from(from)).unsigned_abs()))?;
    if to >= from {
        return digits.checked_mul(power);
    }
    let (whole, rest) = (digits / power, digits % power);
    Some(if rest.abs() * 2 >= power {
        whole + digits.signum()
    } else {
        whole
    })
}

fn decimal(value: &Cell<'_>, scale: i8) -> Option<i128> {
    match value {
        Cell::Boolean(value) => rescaled(i128::from(*value), 0, scale),
        Cell::Integer(value) => rescaled(*value, 0, scale),
        Cell::Decimal(digits, own) => rescaled(*digits, *own, scale),
        Cell::Single(value) => whole_away(f64::from(*value) * 10_f64.powi(i32::from(scale))),
        Cell::Double(value) => whole_away(*value * 10_f64.powi(i32::from(scale))),
        Cell::Text(text) => text_cast::decimal(text, scale),
        Cell::Date(_) | Cell::Moment(..) => None,
    }
}

fn whole_away(value: f64) -> Option<i128> {
    let rounded = value.round();
    (rounded.abs() < 1e38).then_some(rounded as i128)
}

fn single(value: &Cell<'_>) -> Option<f32> {
    match value {
        Cell::Single(value) => Some(*value),
        Cell::Text(text) => text_cast::single(text),
        other => {
            let wide = double(other)?;
            let narrow = wide as f32;
            (narrow.is_finite() || !wide.is_finite()).then_some(narrow)
        }
    }
}

fn double(value: &Cell<'_>) -> Option<f64> {
    match value {
        Cell::Boolean(value) => Some(f64::from(u8::from(*value))),
        Cell::Integer(value) => Some(*value as f64),
        // Through text, which is rounded once.
        Cell::Decimal(digits, scale) => Some(decimal_double(*digits, *scale)),
        Cell::Single(value) => Some(f64::from(*value)),
        Cell::Double(value) => Some(*value),
        Cell::Text(text) => text_cast::double(text),
        Cell::Date(_) | Cell::Moment(..) => None,
    }
}

/// A decimal as the nearest double.
pub(super) fn decimal_double(digits: i128, scale: i8) -> f64 {
    const EXACT: u128 = 1 << 53;
    if digits.unsigned_abs() <= EXACT && (0..=22).contains(&scale) {
        return digits as f64 / 10_f64.powi(i32::from(scale));
    }
    format!("{digits}e-{scale}").parse().unwrap_or(f64::NAN)
}

fn date(value: &Cell<'_>) -> Option<i32> {
    match value {
        Cell::Date(days) => Some(*days),
        Cell::Moment(moment, _) => i32::try_from(moment.days).ok(),
        Cell::Text(text) => text_cast::date(text),
        _ => None,
    }
}

fn moment(value: &Cell<'_>, wants_zone: bool) -> Option<Moment> {
    match value {
        Cell::Date(days) if !wants_zone => Some(Moment {
            days: i64::from(*days),
            nanoseconds: 0,
        }),
        Cell::Moment(moment, has_zone) if *has_zone == wants_zone => Some(*moment),
        Cell::Text(text) if wants_zone => {
            let found = instant(text.trim())?;
            let ticks = found
                .moment
                .ticks(1_000_000_000)?
                .checked_sub(found.offset_seconds? * 1_000_000_000)?;
            Some(Moment::of_ticks(ticks, 1_000_000_000))
        }
        Cell::Text(text) => text_cast::moment(text),
        _ => None,
    }
}

/// A value as SQL writes it.
pub(super) fn text(value: &Cell<'_>) -> String {
    match value {
        Cell::Boolean(value) => value.to_string(),
        Cell::Integer(value) => value.to_string(),
        Cell::Decimal(digits, scale) => {
            let indices = usize::try_from(*scale).unwrap_or(0);
            let plain = format!("{:0width$}", digits.unsigned_abs(), width = indices + 1);
            let (whole, fraction) = plain.split_at(plain.len() - indices);
            let sign = if *digits < 0 { "-" } else { "" };
            if indices == 0 {
                format!("{sign}{whole}")
            } else {
                format!("{sign}{whole}.{fraction}")
            }
        }
        Cell::Single(value) => float_text(f64::from(*value), &digits::of_single(*value)),
        Cell::Double(value) => float_text(*value, &digits::of_double(*value)),
        Cell::Text(text) => (*text).to_owned(),
        Cell::Date(days) => Moment {
            days: i64::from(*days),
            nanoseconds: 0,
        }
        .date_text(),
        Cell::Moment(moment, has_zone) => format!(
            "{} {}{}",
            moment.date_text(),
            moment.time_text(),
            if *has_zone { "+00" } else { "" }
        ),
    }
}

/// The shortest digits that come back, with an exponent where the number is very large or small.
fn float_text(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let (sign, mantissa) = mantissa
            .strip_prefix('-')
            .map_or(("", mantissa), |rest| ("-", rest));
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let point = exponent + 1;
        return if point <= 0 {
            format!(
                "{sign}0.{}{digits}",
                "0".repeat(point.unsigned_abs() as usize)
            )
        } else if digits.len() <= point as usize {
            format!(
                "{sign}{digits}{}.0",
                "0".repeat(point as usize - digits.len())
            )
        } else {
            format!(
                "{sign}{}.{}",
                &digits[..point as usize],
                &digits[point as usize..]
            )
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
