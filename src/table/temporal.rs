//! Texts that are compared with dates and timestamps: `signup_date >= '2024-01-31'`.
//!
//! Owns the reading of such texts as the column's own kind of instant, exactly or not at all: polars refuses the comparison where a
//! column is no text, and would round where units differ. It must not know rows.

use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Schema, TimeUnit as ArrowUnit};
use polars::lazy::dsl::{AggExpr, BooleanFunction, Expr, FunctionExpr, Operator};
use polars::prelude::{
    AnyValue, ChunkedArray, DataType, Int32Type, Int64Type, IntoSeries, LiteralValue, NewChunkedArray, Scalar, Series, SpecialEq, TimeUnit,
};

use crate::error::{Error, Result};

const NANOSECONDS_OF_SECOND: i128 = 1_000_000_000;
const SECONDS_OF_DAY: i128 = 86_400;

/// What a column counts.
#[derive(Clone, Copy)]
enum Kind {
    /// Days.
    Date,
    /// Ticks of a unit, with a time zone or without.
    Timestamp { unit: TimeUnit, has_zone: bool },
}

/// A point in time as a text gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instant {
    /// Since 1970, of the clock that the text reads.
    nanoseconds: i128,
    has_time: bool,
    /// That clock's lead over UTC, where the text says so.
    offset_seconds: Option<i128>,
}

/// The expression with every text that a date or timestamp column of `schema` is compared with read as such.
///
/// # Errors
/// A contract error that names the column and a text that is no such instant.
pub(super) fn with_instants(expression: Expr, schema: &Schema) -> Result<Expr> {
    let mut refused = None;
    let expression = expression.map_expr(|node| {
        rewritten(&node, schema)
            .unwrap_or_else(|error| {
                refused.get_or_insert(error);
                None
            })
            .unwrap_or(node)
    });
    refused.map_or(Ok(expression), Err)
}

/// A comparison of a column with texts, rewritten; none for anything else.
fn rewritten(node: &Expr, schema: &Schema) -> Result<Option<Expr>> {
    match node {
        Expr::BinaryExpr { left, op, right } if is_comparison(*op) => {
            let (left, right) = match (&**left, &**right) {
                (Expr::Column(name), Expr::Literal(value)) => (left.clone(), instant(name, value, schema)?),
                (Expr::Literal(value), Expr::Column(name)) => (instant(name, value, schema)?, right.clone()),
                _ => return Ok(None),
            };
            Ok(Some(Expr::BinaryExpr { left, op: *op, right }))
        }
        Expr::Function { input, function: function @ FunctionExpr::Boolean(BooleanFunction::IsIn { .. }) } => {
            let [Expr::Column(name), Expr::Agg(AggExpr::Implode { input: list, maintain_order })] = input.as_slice() else { return Ok(None) };
            let Expr::Literal(value) = &**list else { return Ok(None) };
            let list = Expr::Agg(AggExpr::Implode { input: instant(name, value, schema)?, maintain_order: *maintain_order });
            Ok(Some(Expr::Function { input: vec![input[0].clone(), list], function: function.clone() }))
        }
        _ => Ok(None),
    }
}

fn is_comparison(operator: Operator) -> bool {
    use Operator as O;
    matches!(operator, O::Eq | O::EqValidity | O::NotEq | O::NotEqValidity | O::Lt | O::LtEq | O::Gt | O::GtEq)
}

/// The literal as the column's kind of instant; as it is if it is no text, or the column no instant.
fn instant(column: &str, value: &LiteralValue, schema: &Schema) -> Result<Arc<Expr>> {
    let kind = schema.field_with_name(column).ok().and_then(|field| kind_of(field.data_type()));
    let Some(kind) = kind else { return Ok(Arc::new(Expr::Literal(value.clone()))) };
    let read = |text: &str| kind.read(text).map_err(|reason| refusal(column, text, &reason));
    let literal = match value {
        LiteralValue::Series(series) if *series.dtype() == DataType::String => {
            let texts = series.str().map_err(|error| Error::internal("a list of texts that are none").because(error))?;
            let values = texts.iter().map(|text| text.map(read).transpose()).collect::<Result<Vec<_>>>()?;
            LiteralValue::Series(SpecialEq::new(kind.series(&values)))
        }
        _ => match value.extract_str() {
            Some(text) => LiteralValue::Scalar(kind.scalar(read(text)?)),
            None => value.clone(),
        },
    };
    Ok(Arc::new(Expr::Literal(literal)))
}

fn kind_of(data_type: &ArrowType) -> Option<Kind> {
    match data_type {
        ArrowType::Date32 => Some(Kind::Date),
        ArrowType::Timestamp(unit, zone) => {
            let unit = match unit {
                // polars knows no seconds: such columns reach it in milliseconds.
                ArrowUnit::Second | ArrowUnit::Millisecond => TimeUnit::Milliseconds,
                ArrowUnit::Microsecond => TimeUnit::Microseconds,
                ArrowUnit::Nanosecond => TimeUnit::Nanoseconds,
            };
            Some(Kind::Timestamp { unit, has_zone: zone.is_some() })
        }
        _ => None,
    }
}

fn refusal(column: &str, text: &str, reason: &str) -> Error {
    Error::contract(format!("cannot compare the column with `{text}`: {reason}")).at_column(column).hint(
        "write a date as `'2024-01-31'`, a timestamp as `'2024-01-31 10:00:00'`, with a `Z` or `+02:00` behind it where the column has a time zone",
    )
}

impl Kind {
    /// Days or ticks since 1970.
    fn read(self, text: &str) -> std::result::Result<i64, String> {
        let instant = parse(text).ok_or_else(|| "it is no date and no timestamp".to_owned())?;
        let (nanoseconds, length) = match self {
            Self::Date if instant.has_time => return Err("the column holds dates, without a time of day".to_owned()),
            Self::Date => (instant.nanoseconds, NANOSECONDS_OF_SECOND * SECONDS_OF_DAY),
            Self::Timestamp { unit, has_zone } => match (instant.offset_seconds, has_zone) {
                (None, true) => return Err("the column has a time zone, the text has none".to_owned()),
                (Some(_), false) => return Err("the text has a time zone, the column has none".to_owned()),
                (offset, _) => (instant.nanoseconds - offset.unwrap_or(0) * NANOSECONDS_OF_SECOND, tick(unit)),
            },
        };
        if nanoseconds % length != 0 {
            return Err("it is finer than the column".to_owned());
        }
        i64::try_from(nanoseconds / length).map_err(|_| "it is outside of what the column can hold".to_owned())
    }

    fn scalar(self, value: i64) -> Scalar {
        match self {
            // A year has four digits, so the days fit.
            Self::Date => Scalar::new(DataType::Date, AnyValue::Date(value as i32)),
            Self::Timestamp { unit, .. } => Scalar::new(DataType::Datetime(unit, None), AnyValue::Datetime(value, unit, None)),
        }
    }

    fn series(self, values: &[Option<i64>]) -> Series {
        match self {
            Self::Date => {
                let days = values.iter().map(|value| value.map(|value| value as i32));
                ChunkedArray::<Int32Type>::from_iter_options("".into(), days).into_date().into_series()
            }
            Self::Timestamp { unit, .. } => {
                ChunkedArray::<Int64Type>::from_iter_options("".into(), values.iter().copied()).into_datetime(unit, None).into_series()
            }
        }
    }
}

/// Nanoseconds of a tick.
fn tick(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Milliseconds => 1_000_000,
        TimeUnit::Microseconds => 1_000,
        TimeUnit::Nanoseconds => 1,
    }
}

/// `2024-01-31`, then perhaps `T` or a blank and `10:00`, `10:00:00` or `10:00:00.123456789`, then perhaps `Z` or `+02:00`.
fn parse(text: &str) -> Option<Instant> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut seconds = days(date)? * SECONDS_OF_DAY;
    if rest.is_empty() {
        return Some(Instant { nanoseconds: seconds * NANOSECONDS_OF_SECOND, has_time: false, offset_seconds: None });
    }
    let rest = rest.strip_prefix(['T', ' '])?;
    let (clock, offset_seconds) = without_zone(rest)?;
    let (whole, fraction) = clock.split_once('.').map_or((clock, None), |(whole, fraction)| (whole, Some(fraction)));
    let parts = whole.split(':').map(|part| digits(part, 2)).collect::<Option<Vec<i128>>>()?;
    let (hours, minutes, rest) = match parts.as_slice() {
        [hours, minutes] if fraction.is_none() => (*hours, *minutes, 0),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return None,
    };
    if hours > 23 || minutes > 59 || rest > 59 {
        return None;
    }
    seconds += hours * 3_600 + minutes * 60 + rest;
    let nanoseconds = fraction.map_or(Some(0), nanoseconds)?;
    Some(Instant { nanoseconds: seconds * NANOSECONDS_OF_SECOND + nanoseconds, has_time: true, offset_seconds })
}

/// The time of day, and the zone's lead in seconds.
fn without_zone(text: &str) -> Option<(&str, Option<i128>)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, Some(0)));
    }
    let Some(place) = text.find(['+', '-']) else { return Some((text, None)) };
    let (clock, zone) = text.split_at(place);
    let (hours, minutes) = zone[1..].split_once(':')?;
    let lead = digits(hours, 2)? * 3_600 + digits(minutes, 2)? * 60;
    Some((clock, Some(if zone.starts_with('-') { -lead } else { lead })))
}

/// Days from 1970-01-01 to `YYYY-MM-DD` in the Gregorian calendar, whose years are counted from March here.
fn days(date: &str) -> Option<i128> {
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i128::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=length).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - DAYS_BEFORE_1970)
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i128 = 719_468;

fn nanoseconds(fraction: &str) -> Option<i128> {
    let missing = 9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    Some(digits(fraction, fraction.len().max(1))? * 10_i128.pow(missing))
}

/// The number that exactly `count` digits stand for.
fn digits(text: &str, count: usize) -> Option<i128> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::compute::kernels::cast_utils::Parser;
    use arrow::datatypes::Date32Type;
    use proptest::prelude::*;

    const MICROSECONDS: Kind = Kind::Timestamp { unit: TimeUnit::Microseconds, has_zone: false };
    const ZONED: Kind = Kind::Timestamp { unit: TimeUnit::Milliseconds, has_zone: true };

    #[test]
    fn texts_are_read_exactly_or_not_at_all() {
        assert_eq!([Kind::Date.read("1970-01-01"), Kind::Date.read("2024-02-29"), Kind::Date.read("0000-03-01")], [Ok(0), Ok(19_782), Ok(-719_468)]);
        let second = 1_706_695_200;
        assert_eq!(MICROSECONDS.read("2024-01-31 10:00"), Ok(second * 1_000_000));
        assert_eq!(MICROSECONDS.read("2024-01-31T10:00:00.5"), Ok(second * 1_000_000 + 500_000));
        assert_eq!(MICROSECONDS.read("2024-01-31"), Ok((second - 36_000) * 1_000_000));
        assert_eq!([ZONED.read("2024-01-31 10:00:00Z"), ZONED.read("2024-01-31 12:30:00+02:30")], [Ok(second * 1_000), Ok(second * 1_000)]);
        let refused = [
            Kind::Date.read("2024-01-31 00:00:00"),
            Kind::Date.read("2023-02-29"),
            Kind::Date.read("2024-1-31"),
            Kind::Date.read("soon"),
            Kind::Date.read("2024-01-3\u{e4}"),
            MICROSECONDS.read("2024-01-31 10:00:00.0000001"),
            MICROSECONDS.read("2024-01-31 10:00:00Z"),
            MICROSECONDS.read("2024-01-31 24:00:00"),
            MICROSECONDS.read("2024-01-31 10:00:00."),
            ZONED.read("2024-01-31 10:00:00"),
            ZONED.read("2024-01-31"),
            Kind::Timestamp { unit: TimeUnit::Nanoseconds, has_zone: false }.read("9999-01-31"),
        ];
        assert!(refused.iter().all(std::result::Result::is_err), "{refused:?}");
    }

    proptest! {
        #[test]
        fn dates_are_the_days_that_arrow_counts(year in 0_u32..10_000, month in 0_u32..14, day in 0_u32..33) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            prop_assert_eq!(Kind::Date.read(&text).ok(), Date32Type::parse(&text).map(i64::from), "{}", text);
        }
    }
}
