//! Values of a column as integers, exactly: of integers, floats, decimals and booleans of any
//! width.
//!
//! Owns the question whether a number is an integer at all. It must not know which range an input
//! holds.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Float64Type, Int64Type, UInt64Type,
};

use crate::error::{Error, Result};

/// What a value is, read as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exact {
    /// It is this integer.
    Integer(i128),
    /// It has a fraction.
    Fraction,
    /// It is larger than any type of integers holds.
    TooLarge,
    /// It is missing.
    Missing,
}

/// The value at each index of a column of numbers or booleans.
pub(super) type Exactly = Box<dyn Fn(usize) -> Exact>;

/// Reads a column of numbers or booleans.
///
/// # Errors
/// An internal error for other columns.
pub(super) fn exactly(column: &ArrayRef) -> Result<Exactly> {
    match column.data_type() {
        DataType::Dictionary(_, value) => exactly(&decoded(column, value)?),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            exactly(&decoded(column, &DataType::Decimal128(*precision, *scale))?)
        }
        DataType::UInt64 => {
            let values = column.as_primitive::<UInt64Type>().clone();
            Ok(Box::new(move |row| {
                valid(&values, row, || Exact::Integer(values.value(row).into()))
            }))
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let column = decoded(column, &DataType::Float64)?;
            let values = column.as_primitive::<Float64Type>().clone();
            Ok(Box::new(move |row| {
                valid(&values, row, || of_double(values.value(row)))
            }))
        }
        DataType::Decimal128(_, scale) => {
            let (values, scale) = (column.as_primitive::<Decimal128Type>().clone(), *scale);
            Ok(Box::new(move |row| {
                valid(&values, row, || of_decimal(Some(values.value(row)), scale))
            }))
        }
        DataType::Decimal256(_, scale) => {
            let (values, scale) = (column.as_primitive::<Decimal256Type>().clone(), *scale);
            Ok(Box::new(move |row| {
                valid(&values, row, || {
                    of_decimal(values.value(row).to_i128(), scale)
                })
            }))
        }
        other => {
            let column = cast(column, &DataType::Int64).map_err(|error| {
                Error::internal(format!("a column of {other} where numbers were bound"))
                    .because(error)
            })?;
            let values = column.as_primitive::<Int64Type>().clone();
            Ok(Box::new(move |row| {
                valid(&values, row, || Exact::Integer(values.value(row).into()))
            }))
        }
    }
}

fn valid(values: &impl Array, row: usize, value: impl Fn() -> Exact) -> Exact {
    if values.is_null(row) {
        Exact::Missing
    } else {
        value()
    }
}

/// A number in double precision; NaN is a missing value.
pub(super) fn of_double(value: f64) -> Exact {
    match value {
        _ if value.is_nan() => Exact::Missing,
        _ if value.is_infinite() => Exact::TooLarge,
        _ if value.fract() != 0.0 => Exact::Fraction,
        // Beyond every type of 64 bits, and within 128.
        _ if value.abs() < 1e37 => Exact::Integer(value as i128),
        _ => Exact::TooLarge,
    }
}

fn of_decimal(digits: Option<i128>, scale: i8) -> Exact {
    let Some(digits) = digits else {
        return Exact::TooLarge;
    };
    let Some(power) = 10_i128.checked_pow(scale.unsigned_abs().into()) else {
        return match digits {
            0 => Exact::Integer(0),
            _ if scale > 0 => Exact::Fraction,
            _ => Exact::TooLarge,
        };
    };
    match scale {
        ..0 => digits
            .checked_mul(power)
            .map_or(Exact::TooLarge, Exact::Integer),
        _ if digits % power == 0 => Exact::Integer(digits / power),
        _ => Exact::Fraction,
    }
}

pub(super) fn decoded(column: &ArrayRef, requested: &DataType) -> Result<ArrayRef> {
    cast(column, requested)
        .map_err(|error| Error::failed("cannot decode the column").because(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float32Array, Int8Array, UInt64Array};

    use super::*;

    #[test]
    fn integers_of_any_width_are_read_exactly() {
        use Exact::{Fraction, Integer, Missing, TooLarge};
        let read = |column: ArrayRef| {
            (0..column.len())
                .map(exactly(&column).unwrap())
                .collect::<Vec<Exact>>()
        };
        assert_eq!(
            read(Arc::new(Int8Array::from(vec![Some(-5), None]))),
            [Integer(-5), Missing]
        );
        assert_eq!(
            read(Arc::new(UInt64Array::from(vec![u64::MAX]))),
            [Integer(u64::MAX.into())]
        );
        let floats = vec![1.0, 1.5, f32::NAN, f32::INFINITY, -0.0, 9.223_372e18, 3e38];
        let expected = [
            Integer(1),
            Fraction,
            Missing,
            TooLarge,
            Integer(0),
            Integer(1 << 63),
            TooLarge,
        ];
        assert_eq!(read(Arc::new(Float32Array::from(floats))), expected);
        let decimals = |scale| {
            Decimal128Array::from(vec![900_719_925_474_099_300, 150])
                .with_precision_and_scale(38, scale)
                .unwrap()
        };
        assert_eq!(
            read(Arc::new(decimals(2))),
            [Integer(9_007_199_254_740_993), Fraction]
        );
        assert_eq!(
            read(Arc::new(decimals(-3))),
            [Integer(900_719_925_474_099_300_000), Integer(150_000)]
        );
    }
}
