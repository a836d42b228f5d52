//! One input being filled: a column of any type, value by value, under the input's policies.
//!
//! Numbers without nulls are copied in one sweep; everything else goes value by value, so that each
//! step can be counted. It must not know the other inputs.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int32Type, Int64Type,
    UInt64Type, i256,
};

use super::lookup::{Lookup, Number};
use super::missing::Sentinels;
use super::real::Real;
use super::verdict::{Coercions, Origin, Verdicts};
use crate::contract::binding::BoundInput;
use crate::error::{Error, Result};

/// One input being filled.
pub(super) struct Filling<'a, 'b, T> {
    pub(super) bound: &'a BoundInput,
    pub(super) lookup: &'a Lookup,
    pub(super) index: usize,
    /// Values that stand for a missing one.
    pub(super) missing: &'a Sentinels,
    /// Whether messages may hold the values of rows.
    pub(super) shows_values: bool,
    pub(super) out: &'a mut [T],
    pub(super) counts: &'a mut Coercions,
    pub(super) verdicts: &'b mut Verdicts,
    pub(super) origin: Origin<'a>,
}

impl<'a, T: Real> Filling<'a, '_, T> {
    /// The same input with another output.
    pub(super) fn with_output<'c, U>(&'c mut self, out: &'c mut [U]) -> Filling<'c, 'c, U>
    where
        'a: 'c,
    {
        let Self {
            bound,
            lookup,
            index,
            missing,
            shows_values,
            counts,
            verdicts,
            origin,
            ..
        } = self;
        Filling {
            bound,
            lookup,
            index: *index,
            missing,
            shows_values: *shows_values,
            out,
            counts,
            verdicts,
            origin: *origin,
        }
    }

    pub(super) fn fill(&mut self, column: &ArrayRef) -> Result<()> {
        let column = decoded(column)?;
        let nulls = column.nulls();
        match column.data_type() {
            DataType::Utf8 => self.texts(&column.as_string::<i32>()),
            DataType::Utf8View => self.texts(&column.as_string_view()),
            DataType::Float32 => self.numbers(
                column.as_primitive::<Float32Type>().values(),
                nulls,
                |value| Number::Real(f64::from(value)),
                |value| T::from_double(f64::from(value)),
            ),
            DataType::Float64 => self.numbers(
                column.as_primitive::<Float64Type>().values(),
                nulls,
                Number::Real,
                T::from_double,
            ),
            DataType::Int32 => {
                let values = column.as_primitive::<Int32Type>().values();
                self.count_rounded(
                    values.iter().map(|&value| T::holds(i64::from(value))),
                    nulls,
                );
                self.numbers(
                    values,
                    nulls,
                    |value| Number::Integer(i128::from(value)),
                    |value| T::from_integer(i64::from(value)),
                )
            }
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>().values();
                self.count_rounded(values.iter().map(|&value| T::holds(value)), nulls);
                self.numbers(
                    values,
                    nulls,
                    |value| Number::Integer(i128::from(value)),
                    T::from_integer,
                )
            }
            DataType::UInt64 => {
                let values = column.as_primitive::<UInt64Type>().values();
                self.count_rounded(values.iter().map(|&value| T::holds_unsigned(value)), nulls);
                self.numbers(
                    values,
                    nulls,
                    |value| Number::Integer(i128::from(value)),
                    T::from_unsigned,
                )
            }
            DataType::Decimal128(..) => {
                self.decimals(&column, column.as_primitive::<Decimal128Type>(), Some)
            }
            DataType::Decimal256(..) => self.decimals(
                &column,
                column.as_primitive::<Decimal256Type>(),
                i256::to_i128,
            ),
            DataType::Boolean => {
                let values: Vec<u8> = column.as_boolean().values().iter().map(u8::from).collect();
                self.numbers(
                    &values,
                    nulls,
                    |value| Number::Integer(i128::from(value)),
                    |value| T::from_integer(i64::from(value)),
                )
            }
            DataType::Null => (0..column.len()).try_for_each(|row| self.missing(row)),
            other => Err(Error::internal(format!("no encoding for {other}"))),
        }
    }

    /// Counts the numbers that are not held; a category is looked up as it is, so nothing is
    /// rounded.
    pub(super) fn count_rounded(
        &mut self,
        held: impl Iterator<Item = bool>,
        nulls: Option<&NullBuffer>,
    ) {
        if matches!(self.lookup, Lookup::None) {
            let rounded = held
                .enumerate()
                .filter(|(row, held)| !held && nulls.is_none_or(|nulls| nulls.is_valid(*row)));
            self.counts.rounded_count += rounded.count() as u64;
        }
    }
}

/// The column in one of the few types that encoders read.
fn decoded(column: &ArrayRef) -> Result<ArrayRef> {
    let expected = match column.data_type() {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        _ => return Ok(column.clone()),
    };
    let column = cast(column, &expected)
        .map_err(|error| Error::failed("cannot decode the column").because(error))?;
    if *column.data_type() == expected
        && !matches!(
            expected,
            DataType::Utf8
                | DataType::Utf8View
                | DataType::Int32
                | DataType::Int64
                | DataType::Float32
                | DataType::Float64
                | DataType::Decimal128(..)
        )
    {
        return decoded(&column);
    }
    Ok(column)
}
