//! Functions of dates and timestamps over columns: spans added, parts taken, dates cut off, written
//! and read.
//!
//! A timestamp with a time zone counts in UTC. The calendar itself is [`super::calendar`]. It must
//! not know expressions.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};

use super::arithmetic::aligned;
use super::calendar::{Field, MICROSECONDS, Moment, Span};
use super::conversion::{Cell, cell};
use super::date_text::{is_readable, read};
use super::node::Operator;
use super::value::{Fault, Outcome, Value, name_of, overflow};

/// The function of this name; none if it is not one of dates.
pub(super) fn call(
    name: &'static str,
    arguments: &[Value],
    _row_count: usize,
) -> Option<Outcome<Value>> {
    Some(match (name, arguments) {
        ("strftime", [moment, format]) => written(moment, format),
        ("strptime", [text, format]) => parsed(text, format),
        ("date_trunc", [part, moment]) => truncated(part, moment),
        ("date_diff", [part, first, second]) => difference(part, first, second),
        _ => return None,
    })
}

fn moment(array: &ArrayRef, row: usize) -> Option<Moment> {
    match cell(array, row)? {
        Cell::Date(days) => Some(Moment {
            days: days.into(),
            nanoseconds: 0,
        }),
        Cell::Moment(moment, _) => Some(moment),
        _ => None,
    }
}

fn is_moment(value: &Value) -> bool {
    matches!(
        value.data_type(),
        DataType::Date32 | DataType::Timestamp(..) | DataType::Null
    )
}

fn no_moment(what: &str, value: &Value) -> Fault {
    let fault = Fault::new(format!(
        "{what} reads a date or a timestamp, not {}",
        name_of(value.data_type())
    ));
    fault.hint("make one of a text with `CAST(… AS DATE)` or `STRPTIME(…, '%d.%m.%Y')`")
}

/// Timestamps like those of `value`; dates become timestamps.
fn timestamps(value: &Value, moments: Vec<Option<Moment>>) -> Outcome<Value> {
    let (ticks_of_second, zone) = match value.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => (1_000_000_000, zone.clone()),
        DataType::Timestamp(_, zone) => (MICROSECONDS, zone.clone()),
        _ => (MICROSECONDS, None),
    };
    let ticks = moments.into_iter().map(|moment| {
        moment
            .map(|moment| moment.ticks(ticks_of_second).ok_or_else(overflow))
            .transpose()
    });
    let ticks = ticks.collect::<Outcome<Vec<Option<i64>>>>()?;
    let array: ArrayRef = if ticks_of_second == MICROSECONDS {
        Arc::new(TimestampMicrosecondArray::from(ticks).with_timezone_opt(zone))
    } else {
        Arc::new(TimestampNanosecondArray::from(ticks).with_timezone_opt(zone))
    };
    Ok(value.with(array))
}

/// A date or timestamp, a span later or earlier.
pub(super) fn shifted(operator: Operator, value: &Value, span: Span) -> Outcome<Value> {
    let span = match operator {
        Operator::Add => span,
        Operator::Subtract => span.negated(),
        _ => {
            return Err(Fault::new("an interval is added or subtracted")
                .hint("write `day + INTERVAL '1 day'`"));
        }
    };
    if !is_moment(value) {
        return Err(no_moment("INTERVAL", value));
    }
    let step = |row: usize| {
        moment(&value.array, row)
            .map(|moment| moment.after(span).ok_or_else(overflow))
            .transpose()
    };
    let moments = (0..value.array.len()).map(step).collect::<Outcome<_>>()?;
    timestamps(value, moments)
}

/// The same with the span in front.
pub(super) fn shifted_by(operator: Operator, value: &Value, span: Span) -> Outcome<Value> {
    match operator {
        Operator::Add => shifted(operator, value, span),
        _ => {
            Err(Fault::new("nothing is taken from an interval")
                .hint("write `day - INTERVAL '1 day'`"))
        }
    }
}

/// A part of a date or timestamp.
pub(super) fn extract(field: Field, value: &Value) -> Outcome<Value> {
    if !is_moment(value) {
        return Err(no_moment("EXTRACT", value));
    }
    let rows = 0..value.array.len();
    let moments = rows.map(|row| moment(&value.array, row));
    let array: ArrayRef = if field == Field::Epoch {
        let seconds = |moment: Moment| {
            moment.field(Field::Epoch) as f64
                + (moment.nanoseconds % 1_000_000_000 / 1_000) as f64 / 1e6
        };
        Arc::new(
            moments
                .map(|moment| moment.map(seconds))
                .collect::<Float64Array>(),
        )
    } else {
        Arc::new(
            moments
                .map(|moment| moment.map(|moment| moment.field(field)))
                .collect::<Int64Array>(),
        )
    };
    Ok(value.with(array))
}

/// A text that is the same for all rows.
fn fixed<'a>(value: &'a Value, what: &str) -> Outcome<&'a str> {
    let texts = value
        .array
        .as_string_opt::<i32>()
        .filter(|texts| value.is_constant && texts.is_valid(0));
    let texts = texts.ok_or_else(|| {
        Fault::new(format!(
            "{what} must be a text that stands in the expression"
        ))
    })?;
    Ok(texts.value(0))
}

fn part(value: &Value) -> Outcome<Field> {
    let name = fixed(value, "the part of a date")?;
    Field::of_name(name).ok_or_else(|| {
        let fault = Fault::new(format!("`{name}` is not a part of a date"));
        fault.hint("year, quarter, month, week, day, hour, minute and second work, among others")
    })
}

fn truncated(field: &Value, value: &Value) -> Outcome<Value> {
    let field = part(field)?;
    if !is_moment(value) {
        return Err(no_moment("DATE_TRUNC", value));
    }
    if field == Field::IsoYear {
        return Err(Fault::new("`DATE_TRUNC` does not know `isoyear`"));
    }
    let moments = (0..value.array.len())
        .map(|row| moment(&value.array, row).and_then(|moment| moment.truncated(field)))
        .collect();
    timestamps(value, moments)
}

fn difference(field: &Value, first: &Value, second: &Value) -> Outcome<Value> {
    let field = part(field)?;
    for value in [first, second] {
        if !is_moment(value) {
            return Err(no_moment("DATE_DIFF", value));
        }
    }
    let is_constant = first.is_constant && second.is_constant;
    let (a, b) = aligned(first, second)?;
    let step = |row: usize| {
        let (Some(a), Some(b)) = (moment(&a, row), moment(&b, row)) else {
            return Ok(None);
        };
        a.borders(b, field).map(Some).ok_or_else(overflow)
    };
    let array = (0..a.len()).map(step).collect::<Outcome<Int64Array>>()?;
    Ok(Value::computed(Arc::new(array), is_constant))
}

fn written(value: &Value, format: &Value) -> Outcome<Value> {
    // DuckDB takes them in either order.
    let (value, format) = if is_moment(format) && !is_moment(value) {
        (format, value)
    } else {
        (value, format)
    };
    if !is_moment(value) {
        return Err(no_moment("STRFTIME", value));
    }
    let format = fixed(format, "the format of STRFTIME")?;
    let unknown = || {
        let fault = Fault::new(format!(
            "the format `{format}` has a letter that is not known"
        ));
        fault.hint(
            "%Y %y %m %d %H %I %M %S %f %p %j %a %A %b %B %u %w %V %G %F %T work, `%-d` without a \
             leading 0",
        )
    };
    Moment {
        days: 0,
        nanoseconds: 0,
    }
    .formatted(format)
    .ok_or_else(unknown)?;
    let step = |row: usize| moment(&value.array, row).and_then(|moment| moment.formatted(format));
    let array: StringArray = (0..value.array.len()).map(step).collect();
    Ok(value.with(Arc::new(array)))
}

fn parsed(value: &Value, format: &Value) -> Outcome<Value> {
    let format = fixed(format, "the format of STRPTIME")?;
    if !is_readable(format) {
        let fault = Fault::new(format!(
            "the format `{format}` has a letter that is not known"
        ));
        return Err(fault.hint("%Y %y %m %d %H %I %M %S %f %p %b %B %F %T work"));
    }
    let value = value.typed(&DataType::Utf8);
    let Some(texts) = value.array.as_string_opt::<i32>() else {
        return Err(Fault::new(format!(
            "STRPTIME reads a text, not {}",
            name_of(value.data_type())
        )));
    };
    let step = |text: Option<&str>| match text {
        None => Ok(None),
        Some(text) => read(text, format).map(Some).ok_or_else(|| {
            let fault = Fault::new(format!("a text is not a date of the format `{format}`"));
            fault.hint("`TRY(STRPTIME(…))` gives null there")
        }),
    };
    let moments = texts.iter().map(step).collect::<Outcome<Vec<_>>>()?;
    timestamps(&value, moments)
}
