//! The list of `IN`: values of which a column's value may be one.
//!
//! Owns the look-up. Numbers are equal as comparisons take them: both zeros are one, and so are all
//! NaN.

use std::collections::HashSet;

use polars::prelude as pl;
use polars::prelude::arity::unary_elementwise_values;

use super::frame::Column;

/// Values of one type, none of which is null.
#[derive(Clone, Debug)]
pub(super) enum Items {
    Booleans([bool; 2]),
    Integers(HashSet<i128>),
    Doubles(HashSet<u64>),
    Texts(HashSet<String>),
}

impl Items {
    /// The values of a column, nulls apart.
    pub(super) fn new(column: &Column) -> Self {
        match column {
            Column::Boolean(values) => {
                let has = |sought| values.iter().flatten().any(|value| value == sought);
                Self::Booleans([has(false), has(true)])
            }
            Column::Int32(values) => {
                Self::Integers(values.iter().flatten().map(Into::into).collect())
            }
            Column::Int64(values) => {
                Self::Integers(values.iter().flatten().map(Into::into).collect())
            }
            Column::Int128(values) => Self::Integers(values.iter().flatten().collect()),
            Column::Float32(values) => {
                Self::Doubles(values.iter().flatten().map(f64::from).map(key).collect())
            }
            Column::Float64(values) => Self::Doubles(values.iter().flatten().map(key).collect()),
            Column::Text(values) => {
                Self::Texts(values.iter().flatten().map(str::to_owned).collect())
            }
        }
    }

    /// Whether each value is one of these, null for null; none for a column of another type.
    pub(super) fn contain(&self, column: &Column) -> Option<pl::BooleanChunked> {
        Some(match (self, column) {
            (Self::Booleans(has), Column::Boolean(values)) => {
                unary_elementwise_values(values, |value: bool| has[usize::from(value)])
            }
            (Self::Integers(items), Column::Int32(values)) => {
                unary_elementwise_values(values, |value: i32| items.contains(&value.into()))
            }
            (Self::Integers(items), Column::Int64(values)) => {
                unary_elementwise_values(values, |value: i64| items.contains(&value.into()))
            }
            (Self::Integers(items), Column::Int128(values)) => {
                unary_elementwise_values(values, |value: i128| items.contains(&value))
            }
            (Self::Doubles(items), Column::Float32(values)) => {
                unary_elementwise_values(values, |value: f32| items.contains(&key(value.into())))
            }
            (Self::Doubles(items), Column::Float64(values)) => {
                unary_elementwise_values(values, |value: f64| items.contains(&key(value)))
            }
            (Self::Texts(items), Column::Text(values)) => {
                unary_elementwise_values(values, |value: &str| items.contains(value))
            }
            _ => return None,
        })
    }
}

/// The same bits for numbers that are equal.
fn key(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        (value + 0.0).to_bits()
    }
}
