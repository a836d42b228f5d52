//! Which model answers a row of an A/B test: decided by a hash of the row's key.
//!
//! Owns the hash, which never changes: a key has the same model on every machine, in every run and
//! version, and in every format of tables. It must not know models.
//!
//! The hash is SHA-256 over the salt, then for each column of the key the byte 0x1F and the
//! value's text in UTF-8. Its first eight bytes are a number, the first byte the highest. Divided
//! by two to the 64 it is the row's point between 0 and 1. The first model of the split gets the
//! points below its share, the next one those from there on, and the run's own model the rest. A
//! row with a null, NaN or empty text in its key has no point: the run's own model answers it.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use sha2::{Digest, Sha256};

use crate::digits;
use crate::error::{Error, Result};
use crate::table::shown_type::shown_type;

/// What separates the parts that are hashed.
const SEPARATOR: [u8; 1] = [0x1f];

/// Numbers of this size and above are not all integers that a double can hold.
const MAX_INTEGER: f64 = 9_007_199_254_740_992.0;

/// How rows are split between models.
#[derive(Clone, Debug)]
pub struct Split {
    /// The positions of the key's columns in the batch.
    keys: Vec<usize>,
    salt: String,
    /// For each model but the run's own, the first point that is beyond it.
    ends: Vec<u128>,
}

impl Split {
    /// A split by the columns at `keys`, with the share of each model but the run's own.
    #[must_use]
    pub fn new(keys: Vec<usize>, salt: String, shares: &[f64]) -> Self {
        let mut sum = 0.0;
        let ends = shares.iter().map(|share| {
            sum += share;
            // A product with a power of two is exact, and an end of 1 is beyond all points.
            (f64::min(sum, 1.0) * 18_446_744_073_709_551_616.0) as u128
        });
        Self {
            ends: ends.collect(),
            keys,
            salt,
        }
    }

    /// The model of each row: 0 is the run's own.
    ///
    /// # Errors
    /// An internal error for a column that [`check_key`] refuses.
    pub fn assign(&self, batch: &RecordBatch) -> Result<Vec<usize>> {
        let texts = self.keys.iter().map(|&key| key_texts(batch.column(key)));
        let texts = texts.collect::<Result<Vec<StringArray>>>()?;
        Ok((0..batch.num_rows())
            .map(|row| self.model_of(&texts, row))
            .collect())
    }

    fn model_of(&self, texts: &[StringArray], row: usize) -> usize {
        let is_missing = |text: &StringArray| text.is_null(row) || text.value(row).is_empty();
        if texts.iter().any(is_missing) {
            return 0;
        }
        let point = point(&self.salt, texts.iter().map(|text| text.value(row)));
        let own = self.ends.iter().position(|end| u128::from(point) < *end);
        own.map_or(0, |model| model + 1)
    }
}

/// The point of a key between 0 and 2⁶⁴.
fn point<'a>(salt: &str, key: impl Iterator<Item = &'a str>) -> u64 {
    let mut digest = Sha256::new();
    digest.update(salt);
    for text in key {
        digest.update(SEPARATOR);
        digest.update(text);
    }
    let digest = digest.finalize();
    let first = digest.iter().take(8);
    first.fold(0, |point, byte| point << 8 | u64::from(*byte))
}

/// Checks that values of a type have one text on all machines and in all versions.
///
/// # Errors
/// A contract error for times, decimals, lists and other types.
pub fn check_key(name: &str, data_type: &DataType) -> Result<()> {
    let is_text = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let is_key = match data_type {
        DataType::Boolean | DataType::Date32 | DataType::Null => true,
        DataType::Dictionary(_, values) => is_text(values),
        other => other.is_integer() || other.is_floating() || is_text(other),
    };
    if is_key {
        return Ok(());
    }
    let error = Error::contract(format!(
        "rows cannot be split by a column of type {}",
        shown_type(data_type)
    ));
    Err(error
        .at_column(name)
        .hint("split by texts, numbers, dates or booleans"))
}

/// The text of each value, as it is hashed: integers in digits, and so are floats that are
/// integers; other floats in the shortest digits that give them back, as Python writes them, but
/// without an exponent; dates as `2026-11-29`.
fn key_texts(column: &ArrayRef) -> Result<StringArray> {
    let failed = |error| Error::internal("a key without a text").because(error);
    if column.data_type().is_floating() {
        let numbers = cast(column, &DataType::Float64).map_err(failed)?;
        let text = |value: Option<f64>| {
            let value = value.filter(|value| !value.is_nan())?;
            // A negative zero is a zero.
            let value = value + 0.0;
            Some(if value.fract() == 0.0 && value.abs() < MAX_INTEGER {
                (value as i64).to_string()
            } else {
                digits::plain(value)
            })
        };
        let numbers = numbers.as_primitive::<Float64Type>().iter();
        return Ok(numbers.map(text).collect());
    }
    let texts = cast(column, &DataType::Utf8).map_err(failed)?;
    Ok(texts.as_string::<i32>().clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Float32Array, Float64Array, Int64Array, UInt8Array};

    use super::*;

    #[test]
    fn the_place_of_a_key_is_the_one_that_is_written_down() {
        // hashlib: int.from_bytes(sha256(b"\x1f42").digest()[:8])
        for (salt, key, expected) in FIXED {
            assert_eq!(point(salt, key.iter().copied()), expected, "{salt} {key:?}");
        }
    }

    const FIXED: [(&str, &[&str], u64); 4] = [
        ("", &["42"], 5_221_101_179_367_055_038),
        ("", &["north", "7"], 9_081_416_750_000_080_039),
        ("autumn", &["42"], 2_084_220_600_411_115_516),
        ("", &["\u{fc}"], 16_833_512_249_217_195_631),
    ];

    fn texts(column: impl Array + 'static) -> Vec<Option<String>> {
        let column: ArrayRef = Arc::new(column);
        let texts = key_texts(&column).unwrap();
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn a_key_has_one_text_whatever_its_type() {
        let expected = |texts: &[Option<&str>]| -> Vec<Option<String>> {
            texts.iter().map(|text| text.map(str::to_owned)).collect()
        };
        let seven = expected(&[Some("7"), None]);
        assert_eq!(texts(Int64Array::from(vec![Some(7), None])), seven);
        assert_eq!(texts(UInt8Array::from(vec![Some(7), None])), seven);
        assert_eq!(
            texts(Float32Array::from(vec![Some(7.0), Some(f32::NAN)])),
            seven
        );
        assert_eq!(texts(Float64Array::from(vec![Some(7.0), None])), seven);
        assert_eq!(texts(StringArray::from(vec![Some("7"), None])), seven);
        assert_eq!(
            texts(Float64Array::from(vec![-0.0, 0.1, 1e16, -1.5])),
            expected(&[
                Some("0"),
                Some("0.1"),
                Some("10000000000000000"),
                Some("-1.5")
            ])
        );
        assert_eq!(
            texts(Date32Array::from(vec![0])),
            expected(&[Some("1970-01-01")])
        );
        assert!(check_key("a", &DataType::Decimal128(9, 2)).is_err());
        assert!(check_key("a", &DataType::LargeUtf8).is_ok());
    }

    #[test]
    fn shares_are_kept_within_binomial_bounds_and_nest() {
        let count = 100_000;
        let ids: ArrayRef = Arc::new((0..count).collect::<Int64Array>());
        let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
        let models = |shares: &[f64]| {
            let split = Split::new(vec![0], String::new(), shares);
            split.assign(&batch).unwrap()
        };
        let of = |models: &[usize], model| models.iter().filter(|one| **one == model).count();
        for share in [0.0, 0.001, 0.1, 0.5, 1.0] {
            let found = of(&models(&[share]), 1) as f64;
            let (mean, deviation) = (
                share * count as f64,
                (share * (1.0 - share) * count as f64).sqrt(),
            );
            assert!((found - mean).abs() <= 4.0 * deviation, "{share}: {found}");
        }
        let (less, more) = (models(&[0.1]), models(&[0.2, 0.3]));
        assert!(
            less.iter()
                .zip(&more)
                .all(|(less, more)| *less == 0 || *more == 1)
        );
        assert!(of(&more, 2).abs_diff(30_000) < 600);
        let other = Split::new(vec![0], "autumn".to_owned(), &[0.1]);
        let other = other.assign(&batch).unwrap();
        let both = less
            .iter()
            .zip(&other)
            .filter(|(one, other)| **one + **other == 2);
        assert!(
            both.count().abs_diff(1_000) < 150,
            "a salt makes splits independent"
        );
    }

    #[test]
    fn rows_without_a_key_are_the_run_s_own() {
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("")]));
        let batch = RecordBatch::try_from_iter_with_nullable([("name", names, true)]).unwrap();
        let split = Split::new(vec![0], String::new(), &[1.0]);
        assert_eq!(split.assign(&batch).unwrap(), [1, 0, 0]);
    }
}
