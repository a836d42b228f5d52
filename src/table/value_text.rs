//! Values as text, in fields of delimited text and in names of directories.
//!
//! Owns how values look: numbers in the shortest form that reads back as the same number of the
//! same precision, dates, times, intervals and durations in ISO 8601, decimals with all their
//! positions, booleans as `true` and `false`, a UUID with its dashes, other binary values in
//! hexadecimal, null as nothing, text as it is. It must not know where the text goes.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date64Array, FixedSizeBinaryArray, StringArray, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date64Type, Field};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::parquet_annotation::Annotation;
use crate::error::{Error, Result};

/// Values that a type cannot print are errors, instead of a text about the error in the place of
/// the value.
const FORMAT: FormatOptions<'static> = FormatOptions::new().with_display_error(false);

const MILLISECONDS_OF_DAY: i64 = 86_400_000;

/// The same column in a type that prints: instants keep their instant, but in a named time zone
/// they are written in UTC, because the rules of time zones are not built in.
pub(super) fn printable(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(zone)) if !zone.starts_with(['+', '-']) => {
            cast(column, &DataType::Timestamp(*unit, Some("+00:00".into())))
        }
        DataType::Dictionary(_, value)
            if !matches!(
                value.as_ref(),
                DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
            ) =>
        {
            printable(&cast(column, value)?)
        }
        _ => Ok(Arc::clone(column)),
    }
}

/// Each value of a column, described by `field`, as text; null is null.
///
/// # Errors
/// A contract error for a value that has no text.
pub fn texts_of(column: &ArrayRef, field: &Field) -> Result<StringArray> {
    let failed = |error: ArrowError| Error::contract("a value has no text").because(error);
    let column = printable(column).map_err(failed)?;
    let column = match column.data_type() {
        DataType::Dictionary(_, value) => cast(&column, value).map_err(failed)?,
        _ => column,
    };
    let values = Values::new(&column, field).map_err(failed)?;
    let mut text = String::new();
    let texts = (0..column.len()).map(|row| {
        if column.is_null(row) {
            return Ok(None);
        }
        text.clear();
        values.write(row, &mut text).map_err(failed)?;
        Ok(Some(text.clone()))
    });
    texts.collect()
}

/// A printable column's values as text; text itself, the most frequent, without detours.
pub(super) enum Values<'a> {
    Text(&'a StringArray),
    View(&'a StringViewArray),
    Uuid(&'a FixedSizeBinaryArray),
    Interval(&'a FixedSizeBinaryArray),
    /// A date in milliseconds, which some writers give a time of day.
    Date(&'a Date64Array, ArrayFormatter<'a>),
    /// A time of day in UTC.
    Utc(&'a ArrayRef, ArrayFormatter<'a>),
    Other(ArrayFormatter<'a>),
}

impl<'a> Values<'a> {
    /// The values of a column that is described by `field`.
    pub(super) fn new(column: &'a ArrayRef, field: &Field) -> Result<Self, ArrowError> {
        if let Some(texts) = column.as_string_opt::<i32>() {
            return Ok(Self::Text(texts));
        }
        if let Some(texts) = column.as_string_view_opt() {
            return Ok(Self::View(texts));
        }
        let format = ArrayFormatter::try_new(column.as_ref(), &FORMAT)?;
        if let Some(dates) = column.as_primitive_opt::<Date64Type>() {
            return Ok(Self::Date(dates, format));
        }
        let annotation =
            Annotation::of_field(field).filter(|annotation| annotation.suits(column.data_type()));
        Ok(match (annotation, column.as_fixed_size_binary_opt()) {
            (Some(Annotation::Uuid), Some(values)) => Self::Uuid(values),
            (Some(Annotation::Interval), Some(values)) => Self::Interval(values),
            (Some(Annotation::TimeUtc), _) => Self::Utc(column, format),
            _ => Self::Other(format),
        })
    }

    /// Appends the value of a row.
    pub(super) fn write(&self, row: usize, text: &mut String) -> Result<(), ArrowError> {
        let other = |format: &ArrayFormatter<'_>, text: &mut String| {
            format
                .value(row)
                .write(text)
                .map_err(|error| ArrowError::CsvError(error.to_string()))
        };
        match self {
            Self::Text(values) if values.is_valid(row) => text.push_str(values.value(row)),
            Self::View(values) if values.is_valid(row) => text.push_str(values.value(row)),
            Self::Uuid(values) if values.is_valid(row) => push_uuid(text, values.value(row)),
            Self::Interval(values) if values.is_valid(row) => {
                push_interval(text, values.value(row));
            }
            Self::Text(_) | Self::View(_) | Self::Uuid(_) | Self::Interval(_) => {}
            Self::Date(dates, format) => {
                let start = text.len();
                other(format, text)?;
                if dates.is_valid(row) && dates.value(row) % MILLISECONDS_OF_DAY == 0 {
                    let day = text[start..]
                        .find('T')
                        .map_or(text.len(), |day| start + day);
                    text.truncate(day);
                }
            }
            Self::Utc(column, format) => {
                other(format, text)?;
                if column.is_valid(row) {
                    text.push('Z');
                }
            }
            Self::Other(format) => other(format, text)?,
        }
        Ok(())
    }
}

fn push_uuid(text: &mut String, bytes: &[u8]) {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
}

/// Months, days and milliseconds as an ISO 8601 duration: `P1M2DT3H4M5.006S`.
fn push_interval(text: &mut String, bytes: &[u8]) {
    let number = |index: usize| {
        bytes
            .get(4 * index..4 * index + 4)
            .and_then(|four| four.try_into().ok())
            .map_or(0, u32::from_le_bytes)
    };
    let (months, days, milliseconds) = (number(0), number(1), number(2));
    let parts = |text: &mut String, parts: &[(u32, char)]| {
        for (count, unit) in parts.iter().filter(|(count, _)| *count > 0) {
            let _ = write!(text, "{count}{unit}");
        }
    };
    text.push('P');
    parts(text, &[(months, 'M'), (days, 'D')]);
    if milliseconds > 0 || months == 0 && days == 0 {
        text.push('T');
        let (hours, minutes, rest) = (
            milliseconds / 3_600_000,
            milliseconds / 60_000 % 60,
            milliseconds % 60_000,
        );
        parts(text, &[(hours, 'H'), (minutes, 'M')]);
        if rest % 1_000 > 0 {
            let _ = write!(text, "{}.{:03}S", rest / 1_000, rest % 1_000);
        } else if rest > 0 || milliseconds == 0 {
            let _ = write!(text, "{}S", rest / 1_000);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_dashes_and_intervals_all_their_parts() {
        let mut text = String::new();
        push_uuid(&mut text, &(0..16).collect::<Vec<u8>>());
        // Python's `uuid.UUID(bytes=bytes(range(16)))`.
        assert_eq!(text, "00010203-0405-0607-0809-0a0b0c0d0e0f");
        let interval = |months: u32, days: u32, milliseconds: u32| {
            let mut text = String::new();
            push_interval(
                &mut text,
                &[months, days, milliseconds].map(u32::to_le_bytes).concat(),
            );
            text
        };
        assert_eq!(interval(3, 4, 18_367_008), "P3M4DT5H6M7.008S");
        assert_eq!(
            [
                interval(0, 0, 0),
                interval(1, 0, 0),
                interval(0, 0, 3_600_000)
            ],
            ["PT0S", "P1M", "PT1H"]
        );
        assert_eq!(
            interval(u32::MAX, u32::MAX, 1),
            "P4294967295M4294967295DT0.001S"
        );
    }
}
