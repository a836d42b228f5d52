//! Arrays of numbers, dates and times: each value in double precision, and a hash of the value
//! itself.
//!
//! Owns the one unit of times, microseconds, and that values which double precision does not tell
//! apart have hashes of their own. Where it holds a value exactly, the hash is that of the double:
//! a column has the same hashes as integers, as decimals and as floats. It must not know profiles.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type, Float64Type, Int64Type,
    TimeUnit, UInt64Type, i256,
};

use crate::error::{Error, Result};
use crate::statistics::hash::{of_bytes, of_integer, of_number};

/// Microseconds in a day.
pub const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;

/// Decimals of fewer digits are told apart by double precision.
const MAX_SHORT: i256 = i256::from_i128(1_000_000_000_000_000);

/// Bits of a double's mantissa.
const MANTISSA_BITS: u32 = 53;

/// What a time's integer counts.
#[derive(Clone, Copy)]
enum Ticks {
    /// So many microseconds each.
    Microseconds(i128),
    Nanoseconds,
}

impl Ticks {
    /// None for what is no time.
    fn of(data_type: &DataType) -> Option<Self> {
        let of_unit = |unit: &TimeUnit| match unit {
            TimeUnit::Second => Self::Microseconds(1_000_000),
            TimeUnit::Millisecond => Self::Microseconds(1_000),
            TimeUnit::Microsecond => Self::Microseconds(1),
            TimeUnit::Nanosecond => Self::Nanoseconds,
        };
        match data_type {
            DataType::Date32 => Some(Self::Microseconds(i128::from(MICROSECONDS_OF_DAY))),
            DataType::Date64 => Some(Self::Microseconds(1_000)),
            DataType::Timestamp(unit, _)
            | DataType::Time32(unit)
            | DataType::Time64(unit)
            | DataType::Duration(unit) => Some(of_unit(unit)),
            _ => None,
        }
    }

    fn double(self, ticks: i64) -> f64 {
        match self {
            Self::Microseconds(each) => (i128::from(ticks) * each) as f64,
            // Apart, so that whole microseconds are exact.
            Self::Nanoseconds => {
                ticks.div_euclid(1_000) as f64 + ticks.rem_euclid(1_000) as f64 / 1e3
            }
        }
    }

    fn hash(self, ticks: i64) -> u128 {
        match self {
            Self::Microseconds(each) => of_integer(i128::from(ticks) * each),
            Self::Nanoseconds if ticks % 1_000 == 0 => of_integer(i128::from(ticks / 1_000)),
            Self::Nanoseconds => of_digits(i256::from_i128(ticks.into()), 3),
        }
    }
}

/// The values in double precision; times in microseconds.
///
/// # Errors
/// An internal error for a column of another type.
pub fn doubles(column: &ArrayRef) -> Result<Float64Array> {
    let column = plain(column)?;
    let Some(ticks) = Ticks::of(column.data_type()) else {
        return Ok(converted(&column, &DataType::Float64)?
            .as_primitive::<Float64Type>()
            .clone());
    };
    Ok(integers(&column)?.unary(|value| ticks.double(value)))
}

/// Hashes all values that are neither null nor NaN; `doubles` are those of [`doubles`].
///
/// # Errors
/// An internal error for a column of another type.
pub fn each_hash(
    column: &ArrayRef,
    doubles: &Float64Array,
    mut add: impl FnMut(u128),
) -> Result<()> {
    let column = plain(column)?;
    let data_type = column.data_type();
    if let Some(ticks) = Ticks::of(data_type) {
        let values = integers(&column)?;
        values
            .iter()
            .flatten()
            .for_each(|value| add(ticks.hash(value)));
        return Ok(());
    }
    match data_type {
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>().iter();
            values
                .flatten()
                .for_each(|value| add(of_integer(value.into())));
        }
        DataType::UInt64 => {
            let values = column.as_primitive::<UInt64Type>().iter();
            values
                .flatten()
                .for_each(|value| add(of_integer(value.into())));
        }
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => {
            let wide = DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale);
            let values = converted(&column, &wide)?;
            let values = values.as_primitive::<Decimal128Type>().iter();
            for (digits, double) in values
                .zip(doubles)
                .filter_map(|(one, other)| one.zip(other))
            {
                add(of_decimal(i256::from_i128(digits), *scale, double));
            }
        }
        DataType::Decimal256(_, scale) => {
            let values = column.as_primitive::<Decimal256Type>().iter();
            for (digits, double) in values
                .zip(doubles)
                .filter_map(|(one, other)| one.zip(other))
            {
                add(of_decimal(digits, *scale, double));
            }
        }
        _ => doubles
            .iter()
            .flatten()
            .filter(|value| !value.is_nan())
            .for_each(|value| add(of_number(value))),
    }
    Ok(())
}

/// The hash of `digits` · 10^−`scale`, whose nearest double is known.
fn of_decimal(digits: i256, scale: i8, double: f64) -> u128 {
    if digits.wrapping_abs() < MAX_SHORT && scale >= 0 {
        return of_number(double);
    }
    let (ten, mut digits, mut scale) = (i256::from_i128(10), digits, i32::from(scale));
    while digits != i256::ZERO {
        let (quotient, rest) = digits.wrapping_div_rem(ten);
        if rest != i256::ZERO {
            break;
        }
        (digits, scale) = (quotient, scale - 1);
    }
    let is_short = scale > 0 && digits.wrapping_abs() < MAX_SHORT;
    if is_short || is_exact(digits, scale) {
        return of_number(double);
    }
    let power = ten.checked_pow(scale.min(0).unsigned_abs());
    let integer = power.and_then(|power| digits.checked_mul(power)?.to_i128());
    match integer.filter(|_| scale <= 0) {
        Some(integer) => of_integer(integer),
        None => of_digits(digits, scale),
    }
}

/// Whether double precision holds `digits` · 10^−`scale`, by its odd part.
fn is_exact(digits: i256, scale: i32) -> bool {
    let Some(power) = i256::from_i128(5).checked_pow(scale.unsigned_abs()) else {
        return false;
    };
    let odd = if scale > 0 {
        let (quotient, rest) = digits.wrapping_div_rem(power);
        (rest == i256::ZERO).then_some(quotient)
    } else {
        digits.checked_mul(power)
    };
    odd.is_some_and(|odd| {
        let odd = odd.wrapping_abs();
        let bits = 256 - odd.leading_zeros();
        odd == i256::ZERO || bits - odd.trailing_zeros() <= MANTISSA_BITS
    })
}

fn of_digits(digits: i256, scale: i32) -> u128 {
    let mut bytes = [0; 36];
    bytes[..32].copy_from_slice(&digits.to_le_bytes());
    bytes[32..].copy_from_slice(&scale.to_le_bytes());
    of_bytes(&bytes)
}

/// The values of a dictionary, row by row.
fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::Dictionary(_, value) => converted(column, value),
        _ => Ok(column.clone()),
    }
}

/// The integers of times.
fn integers(column: &ArrayRef) -> Result<Int64Array> {
    let column = match column.data_type() {
        DataType::Date32 | DataType::Time32(_) => converted(column, &DataType::Int32)?,
        _ => column.clone(),
    };
    let column = converted(&column, &DataType::Int64)?;
    Ok(column.as_primitive::<Int64Type>().clone())
}

/// A column in another type.
///
/// # Errors
/// An internal error if its values have no form in it.
pub(super) fn converted(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    cast(column, data_type).map_err(|error| {
        let own = column.data_type();
        Error::internal(format!("a column of type {own} has no form as {data_type}"))
            .because(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use arrow::array::{
        Date32Array, Date64Array, Decimal128Array, Decimal256Array, DurationNanosecondArray,
        Float32Array, Int32Array, TimestampMicrosecondArray, TimestampMillisecondArray,
        TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
    };

    use super::*;

    fn hashes(column: &ArrayRef) -> Vec<u128> {
        let mut hashes = Vec::new();
        let doubles = doubles(column).unwrap();
        each_hash(column, &doubles, |hash| hashes.push(hash)).unwrap();
        hashes
    }

    fn distinct(column: &ArrayRef) -> usize {
        hashes(column).into_iter().collect::<BTreeSet<_>>().len()
    }

    fn array(array: impl Array + 'static) -> ArrayRef {
        Arc::new(array)
    }

    fn decimals(digits: impl IntoIterator<Item = i128>, scale: i8) -> ArrayRef {
        let digits = Decimal128Array::from_iter_values(digits);
        Arc::new(digits.with_precision_and_scale(38, scale).unwrap())
    }

    fn wide(digits: impl IntoIterator<Item = i256>, scale: i8) -> ArrayRef {
        let digits = Decimal256Array::from_iter_values(digits);
        Arc::new(digits.with_precision_and_scale(76, scale).unwrap())
    }

    #[test]
    fn integers_and_decimals_beyond_double_precision_are_distinct() {
        let rows = 0..2_000_i64;
        let large = rows.clone().map(|row| (1 << 60) + row);
        assert_eq!(distinct(&array(Int64Array::from_iter_values(large))), 2_000);
        let lowest = rows.clone().map(|row| i64::MIN + row);
        assert_eq!(
            distinct(&array(Int64Array::from_iter_values(lowest))),
            2_000
        );
        let largest = rows.clone().map(|row| u64::MAX - row as u64);
        assert_eq!(
            distinct(&array(UInt64Array::from_iter_values(largest))),
            2_000
        );
        let base = 1_234_567_890_123_456_789_i128;
        let tens = || (0..2_000_i128).map(|row| base * 1_000_000 + row);
        for scale in [10, 0, -2, 37] {
            assert_eq!(distinct(&decimals(tens(), scale)), 2_000, "{scale}");
        }
        let beyond =
            tens().map(|one| i256::from_i128(one).wrapping_mul(i256::from_i128(i128::MAX)));
        for scale in [40, 10, 0, -3] {
            assert_eq!(distinct(&wide(beyond.clone(), scale)), 2_000, "{scale}");
        }
        let nanoseconds = rows.map(|row| 1_767_225_600_000_000_000 + row);
        let times = TimestampNanosecondArray::from_iter_values(nanoseconds);
        assert_eq!(distinct(&array(times)), 2_000);
    }

    #[test]
    fn a_value_has_one_hash_in_every_type_that_holds_it() {
        let values = [
            0_i64,
            1,
            -7,
            4_096,
            1 << 24,
            (1 << 53) + 2,
            1 << 62,
            -(1 << 60),
        ];
        let expected: Vec<u128> = values.iter().map(|one| of_number(*one as f64)).collect();
        let wide_digits = |ten: i64| {
            let digits = values.map(|one| i256::from(one).wrapping_mul(i256::from(ten)));
            digits.into_iter()
        };
        let digits = |ten: i128| values.map(|one| i128::from(one) * ten);
        let types: [ArrayRef; 6] = [
            Arc::new(Int64Array::from(values.to_vec())),
            Arc::new(Float64Array::from(values.map(|one| one as f64).to_vec())),
            decimals(digits(1), 0),
            decimals(digits(10_000_000_000), 10),
            wide(wide_digits(100), 2),
            wide(wide_digits(1_000_000_000_000_000_000), 18),
        ];
        for column in types {
            let own = column.data_type().clone();
            assert_eq!(hashes(&column), expected, "{own}");
        }
        let small = [1, -7, 4_096];
        let expected = hashes(&array(Int64Array::from(small.map(i64::from).to_vec())));
        assert_eq!(hashes(&array(Int32Array::from(small.to_vec()))), expected);
        let singles = Float32Array::from(small.map(|one| one as f32).to_vec());
        assert_eq!(hashes(&array(singles)), expected);
        assert_eq!(
            hashes(&decimals([100, -700, 409_600], -2)),
            hashes(&decimals([10_000, -70_000, 40_960_000], 0))
        );
        // Fractions: 0.1 is no double, and the nearest one stands for it in all types.
        let fractions = vec![0.1, 0.25, 1e-20, 12_345_678.031_25];
        let expected = hashes(&array(Float64Array::from(fractions)));
        let tens = [
            1e19 as i128,
            25 * 10_i128.pow(18),
            1,
            1_234_567_803_125 * 10_i128.pow(15),
        ];
        assert_eq!(hashes(&decimals(tens, 20)), expected);
        assert_eq!(hashes(&wide(tens.map(i256::from_i128), 20)), expected);
        // 2⁻⁶⁰ has 42 digits, and double precision holds it.
        let power = i256::from_i128(5).checked_pow(60).unwrap();
        assert_eq!(hashes(&wide([power], 60)), [of_number(0.5_f64.powi(60))]);
    }

    #[test]
    fn an_instant_is_one_value_in_every_unit() {
        let seconds = [1_767_225_600_i64, 0, -86_400];
        let scaled = |by: i64| seconds.map(|one| one * by).to_vec();
        let days = seconds.map(|one| (one / 86_400) as i32).to_vec();
        let columns: [ArrayRef; 7] = [
            Arc::new(TimestampMicrosecondArray::from(scaled(1_000_000))),
            Arc::new(TimestampNanosecondArray::from(scaled(1_000_000_000))),
            Arc::new(TimestampNanosecondArray::from(scaled(1_000_000_000)).with_timezone("+02:00")),
            Arc::new(TimestampMillisecondArray::from(scaled(1_000))),
            Arc::new(TimestampSecondArray::from(seconds.to_vec())),
            Arc::new(Date32Array::from(days)),
            Arc::new(Date64Array::from(scaled(1_000))),
        ];
        let expected = seconds.map(|one| one as f64 * 1e6);
        let expected_hashes = expected.map(of_number);
        for column in columns {
            let own = column.data_type().clone();
            assert_eq!(
                doubles(&column).unwrap().values().as_ref(),
                expected,
                "{own}"
            );
            assert_eq!(hashes(&column), expected_hashes, "{own}");
        }
        // Odd microseconds are exact from nanoseconds too; what is between them is kept.
        let odd: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![
            1_767_225_600_000_001_000,
            -1_000,
            -1_500,
        ]));
        let found = doubles(&odd).unwrap();
        assert_eq!(
            found.values().as_ref(),
            [1_767_225_600_000_001.0, -1.0, -1.5]
        );
        let extreme: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
        assert_eq!(doubles(&extreme).unwrap().value(0), i64::MAX as f64 * 1e6);
        let span: ArrayRef = Arc::new(DurationNanosecondArray::from(vec![Some(2_000), None]));
        assert_eq!(
            (doubles(&span).unwrap().value(0), hashes(&span).len()),
            (2.0, 1)
        );
    }
}
