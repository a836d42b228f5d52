//! How many digits exact numbers have, as `DuckDB` 2.0.1 counts them, and the type that two of them
//! have in common.
//!
//! Owns what the types of arrays do not show of SQL's. It must not know operators.

use arrow::datatypes::DataType;

use super::value::{Fault, Outcome, Value, common_type, kept_type, name_of};

/// A type as SQL knows it: the array's, and what it does not show of integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SqlType {
    pub(super) data_type: DataType,
    pub(super) integer_digits: Option<u8>,
}

/// The digits of a `BIGINT`.
const BIGINT_DIGITS: u8 = 19;

/// The most digits of a decimal.
pub(super) const MAX_DIGITS: u8 = 38;

/// The digits of an exact number, in all and behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width {
    pub(super) precision: u8,
    pub(super) scale: i8,
    pub(super) is_integer: bool,
}

impl Width {
    /// The digits before the point.
    pub(super) fn whole(self) -> i16 {
        i16::from(self.precision) - i16::from(self.scale)
    }
}

impl SqlType {
    /// Its digits, if it is an exact number.
    pub(super) fn width(&self) -> Option<Width> {
        let of = |precision, scale, is_integer| {
            Some(Width {
                precision,
                scale,
                is_integer,
            })
        };
        match (&self.data_type, self.integer_digits) {
            (DataType::Int64, digits) => of(digits.unwrap_or(BIGINT_DIGITS), 0, true),
            (DataType::Decimal128(..), Some(digits)) => of(digits, 0, true),
            (DataType::Decimal128(precision, scale), None) => of(*precision, *scale, false),
            _ => None,
        }
    }
}

/// The decimal digits that SQL gives an integer type.
pub(super) fn integer_digits(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Int8 | DataType::UInt8 => Some(3),
        DataType::Int16 | DataType::UInt16 => Some(5),
        DataType::Int32 | DataType::UInt32 => Some(INTEGER_DIGITS),
        DataType::Int64 => Some(BIGINT_DIGITS),
        DataType::UInt64 => Some(20),
        DataType::Dictionary(_, values) => integer_digits(values),
        _ => None,
    }
}

/// The digits of an `INTEGER`, which a number of the text is if it fits.
pub(super) const INTEGER_DIGITS: u8 = 10;

/// The type that two values become one in, if any. Exact numbers stay so: where they have more than
/// 38 digits together, the digits before the point count, as in `DuckDB`.
fn common_sql_type(left: &SqlType, right: &SqlType) -> Option<SqlType> {
    let (Some(a), Some(b)) = (left.width(), right.width()) else {
        let data_type = common_type(&left.data_type, &right.data_type)?;
        let digits = [left, right].map(|side| side.width().map(|width| width.precision));
        let integer_digits = match data_type {
            // Of a boolean or a null and an integer.
            DataType::Int64 => digits.into_iter().flatten().max(),
            _ if left.data_type == DataType::Null => right.integer_digits,
            _ if right.data_type == DataType::Null => left.integer_digits,
            _ => None,
        };
        return Some(SqlType {
            data_type,
            integer_digits,
        });
    };
    if a.is_integer && b.is_integer {
        return Some(SqlType {
            data_type: common_type(&left.data_type, &right.data_type)?,
            integer_digits: Some(a.precision.max(b.precision)),
        });
    }
    let whole = a.whole().max(b.whole());
    let mut scale = i16::from(a.scale.max(b.scale));
    // An integer takes no digit behind the point away: one that is too large is an error.
    if !a.is_integer && !b.is_integer {
        scale = scale.min(i16::from(MAX_DIGITS) - whole);
    }
    let precision = (whole + scale).min(i16::from(MAX_DIGITS)) as u8;
    Some(SqlType {
        data_type: DataType::Decimal128(precision, scale as i8),
        integer_digits: None,
    })
}

/// The type that several values have in common. A text that stands in the expression takes that of
/// the others.
#[expect(
    clippy::needless_pass_by_value,
    reason = "an iterator is passed by value"
)]
pub(super) fn shared_type<'a>(
    values: impl Iterator<Item = &'a Value> + Clone,
    what: &str,
) -> Outcome<SqlType> {
    let is_open = |value: &&Value| value.is_literal && *value.data_type() == DataType::Utf8;
    let mut shared = SqlType {
        data_type: DataType::Null,
        integer_digits: None,
    };
    for value in values.clone().filter(|value| !is_open(value)) {
        shared = common_sql_type(&shared, &value.sql_type()).ok_or_else(|| {
            let fault = Fault::new(format!(
                "{what} mixes {} and {}",
                name_of(&shared.data_type),
                name_of(value.data_type())
            ));
            fault.hint("make them of one type with CAST")
        })?;
    }
    let has_texts = values.clone().any(|value| is_open(&value));
    if shared.data_type == DataType::Null && has_texts {
        shared.data_type = DataType::Utf8;
    }
    shared.data_type = kept_type(&shared.data_type);
    Ok(shared)
}
