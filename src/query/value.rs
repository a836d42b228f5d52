//! Values of an expression: arrays of a few types, one value for every row or one for all of them.
//!
//! Owns the types that expressions compute with and the way columns become them: integers of
//! 64 bits (unsigned ones of 64 bits as decimals), floats of 32 and 64 bits, decimals of up to 38
//! digits, booleans, text, dates, timestamps in microseconds or nanoseconds. It must not know
//! operators.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Datum, Float32Array, Float64Array, Scalar, UInt32Array, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float32Type, Float64Type, TimeUnit};
use arrow::error::ArrowError;

use super::made_text::{counted, taken, text_bytes};
use super::node::Literal;
use super::width::{INTEGER_DIGITS, MAX_DIGITS, SqlType};

/// Why a value cannot be computed. It never holds values of rows: those are no one's business but
/// the data's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// Whether there is no memory for it: that is not a row's fault, and `TRY` does not hide it.
    pub(super) is_memory: bool,
}

pub(super) type Outcome<T> = std::result::Result<T, Fault>;

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            is_memory: false,
        }
    }

    pub(super) fn of_memory(message: impl Into<String>) -> Self {
        Self {
            is_memory: true,
            ..Self::new(message)
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::ArithmeticOverflow(_) => overflow(),
            ArrowError::DivideByZero => division_by_zero(),
            // Arrow's messages quote values.
            _ => Self::new("a value does not fit the type of the result"),
        }
    }
}

/// A result beyond the range of its type.
pub(super) fn overflow() -> Fault {
    Fault::new("a number is too large for its type")
        .hint("compute with `CAST(… AS DOUBLE)`, or write `TRY(…)` to get null there")
}

/// An integer divided by 0.
pub(super) fn division_by_zero() -> Fault {
    Fault::new("an integer is divided by 0")
        .hint("write `NULLIF(divisor, 0)`, or `TRY(…)` to get null there")
}

/// What an expression gives.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// One value for every row; a single one if it is the same for all.
    pub(super) array: ArrayRef,
    pub(super) is_constant: bool,
    /// Whether it stands in the text as it is: a text there takes the type of what it is compared
    /// with.
    pub(super) is_literal: bool,
    /// How many decimal digits the integer type of SQL has, where the array's type does not show
    /// it: an `INTEGER` is kept in 64 bits, a `UBIGINT` as a decimal.
    pub(super) integer_digits: Option<u8>,
}

impl Value {
    pub(super) fn rows(array: ArrayRef) -> Self {
        Self::computed(array, false)
    }

    pub(super) fn constant(array: ArrayRef) -> Self {
        Self::computed(array, true)
    }

    pub(super) fn computed(array: ArrayRef, is_constant: bool) -> Self {
        Self {
            array,
            is_constant,
            is_literal: false,
            integer_digits: None,
        }
    }

    pub(super) fn with_integer_digits(self, integer_digits: Option<u8>) -> Self {
        Self {
            integer_digits,
            ..self
        }
    }

    pub(super) fn sql_type(&self) -> SqlType {
        SqlType {
            data_type: self.data_type().clone(),
            integer_digits: self.integer_digits,
        }
    }

    /// Whether SQL knows it as an integer.
    pub(super) fn is_integer(&self) -> bool {
        self.sql_type()
            .width()
            .is_some_and(|width| width.is_integer)
    }

    pub(super) fn literal(literal: &Literal) -> Self {
        use arrow::array::{
            BooleanArray, Date32Array, Decimal128Array, Int64Array, NullArray, StringArray,
            TimestampMicrosecondArray,
        };
        let array: ArrayRef = match literal {
            Literal::Null => Arc::new(NullArray::new(1)),
            Literal::Boolean(value) => Arc::new(BooleanArray::from(vec![*value])),
            Literal::Integer(value) => Arc::new(Int64Array::from(vec![*value])),
            Literal::Decimal(digits, scale) => {
                // The 0 before the point is a digit of the type.
                let precision = digits.unsigned_abs().max(1).ilog10() as u8 + 1;
                let precision = precision.max(*scale + 1).min(MAX_DIGITS);
                let array = Decimal128Array::from(vec![*digits]);
                let data_type = DataType::Decimal128(precision, *scale as i8);
                Arc::new(array.with_data_type(data_type))
            }
            Literal::Double(value) => Arc::new(Float64Array::from(vec![*value])),
            Literal::Text(text) => Arc::new(StringArray::from(vec![text.as_str()])),
            Literal::Date(days) => Arc::new(Date32Array::from(vec![*days])),
            Literal::Timestamp(ticks) => Arc::new(TimestampMicrosecondArray::from(vec![*ticks])),
        };
        let integer_digits = match literal {
            Literal::Integer(value) if i32::try_from(*value).is_ok() => Some(INTEGER_DIGITS),
            _ => None,
        };
        Self {
            array,
            is_constant: true,
            is_literal: true,
            integer_digits,
        }
    }

    /// Another array of as many values.
    pub(super) fn with(&self, array: ArrayRef) -> Self {
        Self::computed(array, self.is_constant)
    }

    pub(super) fn data_type(&self) -> &DataType {
        self.array.data_type()
    }

    /// As Arrow's kernels take it.
    pub(super) fn datum(&self) -> Box<dyn Datum> {
        if self.is_constant {
            Box::new(Scalar::new(self.array.clone()))
        } else {
            Box::new(self.array.clone())
        }
    }

    /// One value for each of so many rows.
    pub(super) fn expanded(&self, row_count: usize) -> Outcome<ArrayRef> {
        if !self.is_constant {
            return Ok(self.array.clone());
        }
        taken(&self.array, &UInt32Array::from(vec![0; row_count]))
    }

    /// Nulls of another type, where this is a null without one.
    pub(super) fn typed(&self, data_type: &DataType) -> Self {
        if *self.data_type() == DataType::Null && *data_type != DataType::Null {
            let array = new_null_array(data_type, self.array.len());
            return Self {
                array,
                ..self.clone()
            };
        }
        self.clone()
    }
}

/// A column as expressions compute with it; none for a type that they do not know.
pub(super) fn canonical(array: &ArrayRef) -> Option<Outcome<ArrayRef>> {
    let to = |data_type: DataType| Some(widened(array, &data_type));
    match array.data_type() {
        DataType::Null
        | DataType::Boolean
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::Date32 => Some(Ok(array.clone())),
        DataType::Decimal128(_, scale) if *scale >= 0 => Some(Ok(array.clone())),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => to(DataType::Int64),
        DataType::UInt64 => to(DataType::Decimal128(20, 0)),
        DataType::Float16 => to(DataType::Float32),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale)
            if *scale >= 0 =>
        {
            to(DataType::Decimal128(*precision, *scale))
        }
        DataType::Decimal128(precision, scale) => {
            let digits = i16::from(*precision) - i16::from(*scale);
            u8::try_from(digits)
                .ok()
                .filter(|digits| *digits <= 38)
                .and_then(|digits| to(DataType::Decimal128(digits, 0)))
        }
        DataType::Decimal256(precision, scale) if *precision <= 38 && *scale >= 0 => {
            to(DataType::Decimal128(*precision, *scale))
        }
        DataType::LargeUtf8 | DataType::Utf8View => to(DataType::Utf8),
        DataType::Dictionary(_, values) => {
            let plain = widened(array, values);
            match plain {
                Ok(plain) => canonical(&plain),
                Err(fault) => Some(Err(fault)),
            }
        }
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _) => {
            Some(Ok(array.clone()))
        }
        DataType::Timestamp(_, zone) => {
            to(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        _ => None,
    }
}

/// The type that holds every value of the array, without loss.
fn widened(array: &ArrayRef, data_type: &DataType) -> Outcome<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    counted(text_bytes(array), || {
        cast_with_options(array, data_type, &options).map_err(|_| {
            Fault::new("a value of the column is beyond what expressions compute with")
        })
    })
}

/// Floats of which equal ones have equal bits, and NaN is above all others.
pub(super) fn ordered(array: &ArrayRef) -> ArrayRef {
    use arrow::array::AsArray;
    match array.data_type() {
        DataType::Float32 => {
            let normal = |value: f32| {
                if value.is_nan() {
                    f32::NAN
                } else {
                    value + 0.0
                }
            };
            Arc::new(
                array
                    .as_primitive::<Float32Type>()
                    .unary::<_, Float32Type>(normal),
            ) as Arc<Float32Array>
        }
        DataType::Float64 => {
            let normal = |value: f64| {
                if value.is_nan() {
                    f64::NAN
                } else {
                    value + 0.0
                }
            };
            Arc::new(
                array
                    .as_primitive::<Float64Type>()
                    .unary::<_, Float64Type>(normal),
            ) as Arc<Float64Array>
        }
        _ => array.clone(),
    }
}

/// The type in which two values are compared, if any: of decimals `DOUBLE` where they have more
/// than 38 digits together.
pub(super) fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match (left, right) {
        (a, b) if a == b => a.clone(),
        (T::Null, other) | (other, T::Null) => other.clone(),
        (T::Float64, other) | (other, T::Float64) if is_numeric(other) => T::Float64,
        (T::Float32, other) | (other, T::Float32) if is_numeric(other) => T::Float32,
        (T::Int64, T::Decimal128(p, s)) | (T::Decimal128(p, s), T::Int64) => {
            common_decimal((19, 0), (*p, *s))
        }
        (T::Decimal128(p, s), T::Decimal128(q, r)) => common_decimal((*p, *s), (*q, *r)),
        (T::Boolean, T::Int64) | (T::Int64, T::Boolean) => T::Int64,
        (T::Date32, T::Timestamp(unit, None)) | (T::Timestamp(unit, None), T::Date32) => {
            T::Timestamp(*unit, None)
        }
        (T::Timestamp(a, zone), T::Timestamp(b, other)) if zone.is_some() == other.is_some() => {
            T::Timestamp(*a.max(b), zone.clone())
        }
        _ => return None,
    })
}

fn common_decimal(left: (u8, i8), right: (u8, i8)) -> DataType {
    let scale = left.1.max(right.1);
    let whole =
        (i16::from(left.0) - i16::from(left.1)).max(i16::from(right.0) - i16::from(right.1));
    let precision = u8::try_from(whole + i16::from(scale)).unwrap_or(u8::MAX);
    if precision <= 38 {
        DataType::Decimal128(precision, scale)
    } else {
        DataType::Float64
    }
}

/// Whether arithmetic works on the type.
pub(super) fn is_numeric(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int64 | DataType::Float32 | DataType::Float64 | DataType::Decimal128(..)
    )
}

/// The type as SQL names it.
pub(super) fn name_of(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "NULL".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 => "UTINYINT".to_owned(),
        DataType::UInt16 => "USMALLINT".to_owned(),
        DataType::UInt32 => "UINTEGER".to_owned(),
        DataType::UInt64 => "UBIGINT".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Utf8 => "VARCHAR".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(_, None) => "TIMESTAMP".to_owned(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE".to_owned(),
        other => other.to_string(),
    }
}

/// The type in which values of a type are kept while an expression is computed.
pub(super) fn kept_type(target: &DataType) -> DataType {
    match target {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        other => other.clone(),
    }
}
