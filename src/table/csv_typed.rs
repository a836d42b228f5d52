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
        if !is_number(data_type) {
            return Some(Cow::Borrowed(text));
        }
        let number = self.numbers.plain(text)?;
        let scale = match data_type {
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
                usize::try_from(*scale).unwrap_or(0)
            }
            _ => return Some(number),
        };
        // A cast to a decimal rounds away what it cannot hold.
        let fraction = number
            .split_once('.')
            .map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
        (fraction.len() <= scale).then_some(number)
    }

    fn unreadable(&self, text: &str, data_type: &DataType) -> Error {
        let error = Error::failed(format!("cannot read the value as {}", type_name(data_type)));
        let other = if is_number(data_type) {
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
