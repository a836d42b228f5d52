//! Text columns as columns of the types that the user gives them: `--types id=int64`.
//!
//! Owns the reading of values and the first that cannot be read. It must not know files.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;

use super::cast::is_number;
use super::number_format::NumberFormat;
use crate::error::{Error, Result};

/// How texts stand for values.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// How numbers are written.
    pub(super) numbers: NumberFormat,
    /// Texts that mean a missing value.
    pub(super) missing: Vec<String>,
}

impl Reading {
    /// The values of a text column in another type.
    ///
    /// # Errors
    /// (Index, error) of the first value that is not of the type.
    pub(super) fn typed(
        &self,
        column: &ArrayRef,
        data_type: &DataType,
    ) -> Result<ArrayRef, (usize, Error)> {
        let texts = column.as_string::<i32>();
        let plain: StringArray = texts
            .iter()
            .map(|text| text.and_then(|text| self.plain(text, data_type)))
            .collect();
        let internal = |error| {
            (
                0,
                Error::internal("text cannot be read as another type").because(error),
            )
        };
        let typed: ArrayRef = match data_type {
            DataType::Boolean => Arc::new(
                plain
                    .iter()
                    .map(|text| text.and_then(boolean))
                    .collect::<BooleanArray>(),
            ),
            other => {
                let plain: ArrayRef = Arc::new(plain.clone());
                cast_with_options(
                    &plain,
                    other,
                    &CastOptions {
                        safe: true,
                        ..CastOptions::default()
                    },
                )
                .map_err(internal)?
            }
        };
        let is_missing = |row: usize| texts.is_null(row) || self.is_missing(texts.value(row));
        match (0..texts.len()).find(|row| typed.is_null(*row) && !is_missing(*row)) {
            Some(row) => Err((row, self.unreadable(texts.value(row), data_type))),
            None => Ok(typed),
        }
    }

    fn is_missing(&self, text: &str) -> bool {
        text.is_empty() || self.missing.iter().any(|token| token == text)
    }

    /// The text as casts read it; none for a missing value, and for a number with more digits than
    /// its type holds.
    fn plain<'a>(&self, text: &'a str, data_type: &DataType) -> Option<Cow<'a, str>> {
        if self.is_missing(text) {
            return None;
        }
        let text = text.trim();
        match data_type {
            DataType::Date32 => return exact_date(text).map(Cow::Borrowed),
            DataType::Timestamp(..) => return is_exact_time(text).then_some(Cow::Borrowed(text)),
            other if !is_number(other) => return Some(Cow::Borrowed(text)),
            _ => {}
        }
        let number = self.numbers.plain(text)?;
        let scale = match data_type {
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
                usize::try_from(*scale).unwrap_or(0)
            }
            _ => return Some(number),
        };
        // A cast to a decimal rounds away what it cannot hold.
        (decimals(&number)? <= scale as i64).then_some(number)
    }

    fn unreadable(&self, text: &str, data_type: &DataType) -> Error {
        let error = Error::failed(format!("cannot read the value as {}", type_name(data_type)));
        // A number that does not fit the type is written as it should be.
        let plain = self.numbers.plain(text.trim());
        let is_plain = plain.is_some_and(|number| number.parse::<f64>().is_ok());
        let other = if is_number(data_type) && !is_plain {
            super::number_format::other_format(text)
        } else {
            None
        };
        error.hint(match other {
            Some(flag) if self.numbers.is_plain() => flag.to_owned(),
            _ => "correct the value, name a text that means a missing value with `--missing`, or \
                  give the column another type with `--types`"
                .into(),
        })
    }
}

/// The digits behind the point that a number needs, such as 3 for `1.5e-2`; none for what is not a
/// number.
fn decimals(number: &str) -> Option<i64> {
    let (mantissa, exponent) = number
        .split_once(['e', 'E'])
        .map_or(Some((number, 0)), |(mantissa, exponent)| {
            Some((mantissa, exponent.parse::<i32>().ok()?))
        })?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let zeros = |text: &str| text.bytes().rev().take_while(|byte| *byte == b'0').count();
    if mantissa.bytes().all(|byte| !matches!(byte, b'1'..=b'9')) {
        return Some(0);
    }
    let zeros = match zeros(fraction) {
        all if all == fraction.len() => all + zeros(whole),
        some => some,
    };
    Some(fraction.len() as i64 - zeros as i64 - i64::from(exponent))
}

/// The date of a text that has no time of day, or midnight; a cast would drop the time.
fn exact_date(text: &str) -> Option<&str> {
    let Some((date, time)) = text.split_once(['T', ' ']) else {
        return Some(text);
    };
    let is_midnight = time.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.'));
    (is_midnight && !time.is_empty()).then_some(date)
}

/// Whether a text is a time that a timestamp of microseconds without a zone holds exactly: a cast
/// would cut a finer fraction, and move a time of another zone.
fn is_exact_time(text: &str) -> bool {
    let Some((_, time)) = text.split_once(['T', ' ']) else {
        return true;
    };
    let end = time
        .find(|letter: char| !matches!(letter, '0'..='9' | ':' | '.'))
        .unwrap_or(time.len());
    let (clock, zone) = time.split_at(end);
    let fraction = clock.split_once('.').map_or("", |(_, fraction)| fraction);
    let is_utc = matches!(zone, "" | "Z" | "z")
        || zone
            .strip_prefix('+')
            .is_some_and(|offset| offset.bytes().all(|byte| matches!(byte, b'0' | b':')));
    is_utc && fraction.trim_end_matches('0').len() <= 6
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "1" => Some(true),
        "false" | "False" | "FALSE" | "0" => Some(false),
        _ => None,
    }
}

/// The names of types that `--types` takes, the first of each being the one in messages.
const NAMES: [(&str, DataType); 20] = {
    use DataType as T;
    [
        ("int64", T::Int64),
        ("int32", T::Int32),
        ("int16", T::Int16),
        ("int8", T::Int8),
        ("uint64", T::UInt64),
        ("uint32", T::UInt32),
        ("uint16", T::UInt16),
        ("uint8", T::UInt8),
        ("float64", T::Float64),
        ("float32", T::Float32),
        ("boolean", T::Boolean),
        ("string", T::Utf8),
        ("date", T::Date32),
        (
            "timestamp",
            T::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
        ),
        ("double", T::Float64),
        ("float", T::Float32),
        ("bool", T::Boolean),
        ("text", T::Utf8),
        ("str", T::Utf8),
        ("int", T::Int64),
    ]
};

fn type_name(data_type: &DataType) -> String {
    if let DataType::Decimal128(precision, scale) = data_type {
        return format!("decimal({precision},{scale})");
    }
    NAMES
        .iter()
        .find(|(_, other)| other == data_type)
        .map_or_else(|| data_type.to_string(), |(name, _)| (*name).to_owned())
}

/// The type of this name, if there is one: `int64`, `date`, `decimal(18,2)`, ….
#[must_use]
pub fn type_of(name: &str) -> Option<DataType> {
    let lower = name.trim().to_ascii_lowercase();
    if let Some((_, found)) = NAMES.iter().find(|(name, _)| *name == lower) {
        return Some(found.clone());
    }
    let (precision, scale) = lower
        .strip_prefix("decimal(")?
        .strip_suffix(')')?
        .split_once(',')?;
    let (precision, scale): (u8, i8) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=38).contains(&precision) && (0..=precision as i8).contains(&scale))
        .then_some(DataType::Decimal128(precision, scale))
}

/// The names of types that are listed in messages.
#[must_use]
pub fn type_names() -> String {
    let names: Vec<&str> = NAMES[..14].iter().map(|(name, _)| *name).collect();
    format!("{}, decimal(18,2)", names.join(", "))
}

#[cfg(test)]
mod tests {
    use arrow::util::display::array_value_to_string;

    use super::*;

    /// The values in a type, `-` for null; or the index of the first that is none.
    fn read(reading: &Reading, type_name: &str, texts: &[&str]) -> Result<Vec<String>, usize> {
        let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let data_type = type_of(type_name).unwrap();
        let typed = reading.typed(&column, &data_type).map_err(|(row, error)| {
            assert!(
                error.message().starts_with("cannot read the value as"),
                "{error}"
            );
            row
        })?;
        assert_eq!(*typed.data_type(), data_type);
        Ok((0..typed.len())
            .map(|row| {
                if typed.is_null(row) {
                    "-".into()
                } else {
                    array_value_to_string(&typed, row).unwrap()
                }
            })
            .collect())
    }

    #[test]
    fn values_are_read_in_every_type_or_refused_with_their_row() {
        let plain = Reading {
            missing: vec!["NA".into()],
            ..Reading::default()
        };
        // The values are those of pandas.read_csv with the same dtypes.
        for (name, texts, values) in [
            (
                "int64",
                &["9007199254740993", " -7 ", "", "NA"][..],
                &["9007199254740993", "-7", "-", "-"][..],
            ),
            ("uint8", &["255", "0"], &["255", "0"]),
            (
                "double",
                &["1e5", "-0.5", "inf"],
                &["100000.0", "-0.5", "inf"],
            ),
            ("bool", &["True", "false", "1"], &["true", "false", "true"]),
            ("date", &["2024-01-31"], &["2024-01-31"]),
            (
                "timestamp",
                &["2024-01-31 10:00:00", "2024-01-31T10:00:00.5"],
                &["2024-01-31T10:00:00", "2024-01-31T10:00:00.500"],
            ),
            (
                "decimal(18,2)",
                &["1.10", "-7", "1.500"],
                &["1.10", "-7.00", "1.50"],
            ),
            (
                "date",
                &["2024-01-31 00:00:00", "2024-01-31T00:00:00.000"],
                &["2024-01-31", "2024-01-31"],
            ),
            (
                "timestamp",
                &[
                    "2024-01-31",
                    "2024-01-31T10:00:00Z",
                    "2024-01-31 10:00:00.1234560",
                ],
                &[
                    "2024-01-31T00:00:00",
                    "2024-01-31T10:00:00",
                    "2024-01-31T10:00:00.123456",
                ],
            ),
            (
                "decimal(18,2)",
                &["1e2", "15e-1", "100e-4", "0e-9", "1.230e1"],
                &["100.00", "1.50", "0.01", "0.00", "12.30"],
            ),
            ("string", &["a", "00123"], &["a", "00123"]),
        ] {
            assert_eq!(read(&plain, name, texts).unwrap(), values, "{name}");
        }
        for (name, texts) in [
            ("int64", ["1", "1.5"]),
            ("int64", ["1", "9223372036854775808"]),
            ("uint8", ["1", "256"]),
            ("uint8", ["1", "-1"]),
            ("int8", ["1", "x"]),
            ("float64", ["1", "1,5"]),
            ("bool", ["true", "yes"]),
            ("date", ["2024-01-31", "2024-02-30"]),
            ("decimal(18,2)", ["1", "1.234"]),
            ("decimal(3,2)", ["1", "12.34"]),
            // What casts round, cut or move silently.
            ("decimal(9,2)", ["1", "1e-9"]),
            ("decimal(9,2)", ["1", "1.25e-1"]),
            ("decimal(9,2)", ["1", "1e99999999999"]),
            ("date", ["2024-01-31", "2024-01-31 10:00:00"]),
            ("date", ["2024-01-31", "2024-01-01T23:00:00-05:00"]),
            ("timestamp", ["2024-01-31", "2024-01-01T10:00:00.123456789"]),
            ("timestamp", ["2024-01-31", "2024-01-01T23:00:00-05:00"]),
            (
                "timestamp",
                ["2024-01-31", "2024-01-01T23:00:00 Europe/Berlin"],
            ),
        ] {
            assert_eq!(read(&plain, name, &texts), Err(1), "{name} {texts:?}");
        }
        let european = Reading {
            numbers: NumberFormat::new(',', Some('.')).unwrap(),
            ..Reading::default()
        };
        assert_eq!(
            read(&european, "float64", &["1.234,5"]).unwrap(),
            ["1234.5"]
        );
        assert_eq!(
            read(&european, "decimal(9,1)", &["1.234,5"]).unwrap(),
            ["1234.5"]
        );
    }

    #[test]
    fn types_have_the_names_that_users_give_them() {
        assert_eq!(type_of("INT64"), Some(DataType::Int64));
        assert_eq!(type_of("decimal(18, 2)"), Some(DataType::Decimal128(18, 2)));
        assert_eq!(
            [
                type_of("int63"),
                type_of("decimal(0,0)"),
                type_of("decimal(5,7)"),
                type_of("")
            ],
            [None, None, None, None]
        );
    }
}
