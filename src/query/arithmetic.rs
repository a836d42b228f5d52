//! `+ - * / // %` and the sign: on integers of 64 bits, decimals, floats and dates.
//!
//! Integers and decimals that leave their range are a fault and never wrap; `/` divides as
//! floats, `//` cuts towards 0, `%` has the sign of what is divided. It must not know expressions.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float32Array, Float64Array, Int64Array, PrimitiveArray,
};
use arrow::compute::kernels::numeric;
use arrow::compute::{binary, try_binary};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type};
use arrow::error::ArrowError;

use super::conversion::{convert, decimals};
use super::node::Operator;
use super::value::{Fault, Outcome, Value, division_by_zero, is_numeric, name_of, overflow};
use super::width::{MAX_DIGITS, shared_type};

/// One value by an operator and another.
pub(super) fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Outcome<Value> {
    if let Some(value) = of_dates(operator, left, right)? {
        return Ok(value);
    }
    let sql_type = shared_type([left, right].into_iter(), sign(operator))?;
    let shared = sql_type.data_type;
    let of_integers = |value: Value| value.with_integer_digits(sql_type.integer_digits);
    if shared == DataType::Null {
        return Ok(both(
            left,
            right,
            arrow::array::new_null_array(&DataType::Int64, length(left, right)),
        ));
    }
    if !is_numeric(&shared) {
        let fault = Fault::new(format!(
            "`{}` does not work on {} and {}",
            sign(operator),
            name_of(left.data_type()),
            name_of(right.data_type())
        ));
        return Err(
            fault.hint("make numbers of texts with CAST, and add spans to dates with INTERVAL")
        );
    }
    let to = |value: &Value, data_type: &DataType| {
        Ok::<_, Fault>(value.with(convert(&value.array, data_type, false)?))
    };
    if operator == Operator::Divide {
        let real = if shared == DataType::Float32 {
            DataType::Float32
        } else {
            DataType::Float64
        };
        let (left, right) = (to(left, &real)?, to(right, &real)?);
        return Ok(both(
            &left,
            &right,
            numeric::div(&*left.datum(), &*right.datum())?,
        ));
    }
    match shared {
        DataType::Int64 => {
            let (left, right) = (to(left, &shared)?, to(right, &shared)?);
            let (a, b) = (left.datum(), right.datum());
            let array = match operator {
                Operator::Add => numeric::add(&*a, &*b)?,
                Operator::Subtract => numeric::sub(&*a, &*b)?,
                Operator::Multiply => numeric::mul(&*a, &*b)?,
                Operator::DivideWhole => {
                    return whole(&left, &right, i64::checked_div).map(of_integers);
                }
                _ => {
                    return whole(&left, &right, |a, b| {
                        if b == -1 { Some(0) } else { a.checked_rem(b) }
                    })
                    .map(of_integers);
                }
            };
            Ok(of_integers(both(&left, &right, array)))
        }
        DataType::Decimal128(..) if operator == Operator::DivideWhole => Err(not_whole()),
        DataType::Decimal128(..) if sql_type.integer_digits.is_some() => {
            of_decimals(operator, left, right, MAX_DIGITS).map(of_integers)
        }
        DataType::Decimal128(..) => match digits(operator, left, right) {
            Some(digits) => of_decimals(operator, left, right, digits),
            None => of_floats(
                operator,
                &to(left, &DataType::Float64)?,
                &to(right, &DataType::Float64)?,
            ),
        },
        DataType::Float32 => {
            let (left, right) = (to(left, &shared)?, to(right, &shared)?);
            of_floats(operator, &left, &right)
        }
        _ => {
            let (left, right) = (
                to(left, &DataType::Float64)?,
                to(right, &DataType::Float64)?,
            );
            of_floats(operator, &left, &right)
        }
    }
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::DivideWhole => "//",
        Operator::Remainder => "%",
    }
}

fn length(left: &Value, right: &Value) -> usize {
    if left.is_constant {
        right.array.len()
    } else {
        left.array.len()
    }
}

fn both(left: &Value, right: &Value, array: ArrayRef) -> Value {
    Value::computed(array, left.is_constant && right.is_constant)
}

/// Both values for every row that either has.
pub(super) fn aligned(left: &Value, right: &Value) -> Outcome<(ArrayRef, ArrayRef)> {
    let count = length(left, right);
    Ok((left.expanded(count)?, right.expanded(count)?))
}

/// Integers divided; a division by 0 is a fault.
fn whole(left: &Value, right: &Value, divide: impl Fn(i64, i64) -> Option<i64>) -> Outcome<Value> {
    let (a, b) = aligned(left, right)?;
    let step = |a: i64, b: i64| match b {
        0 => Err(ArrowError::DivideByZero),
        _ => divide(a, b).ok_or_else(|| ArrowError::ArithmeticOverflow(String::new())),
    };
    let array: Int64Array = try_binary(
        a.as_primitive::<Int64Type>(),
        b.as_primitive::<Int64Type>(),
        step,
    )?;
    Ok(both(left, right, Arc::new(array)))
}

/// `//` on numbers with a fraction: DuckDB's versions divide them in different ways.
fn not_whole() -> Fault {
    Fault::new("`//` divides integers, and one of these has a fraction or is a UBIGINT").hint(
        "write `a / b`, `FLOOR(a / b)` or `TRUNC(a / b)`, which differ for fractions and negative \
         numbers; cast a UBIGINT with `CAST(… AS BIGINT)`",
    )
}

/// The digits of a result of decimals in `DuckDB`; none for a remainder that is computed with
/// floats.
fn digits(operator: Operator, left: &Value, right: &Value) -> Option<u8> {
    // Up to so many digits fit 64 bits.
    const NARROW: u8 = 18;
    let (Some(a), Some(b)) = (left.sql_type().width(), right.sql_type().width()) else {
        return Some(MAX_DIGITS);
    };
    let (whole, finer) = (a.whole().max(b.whole()), i16::from(a.scale.max(b.scale)));
    let needed = match operator {
        Operator::Multiply => {
            let needed = a.precision + b.precision;
            let is_narrow = a.precision.max(b.precision) <= NARROW;
            let scale = i16::from(a.scale) + i16::from(b.scale);
            i16::from(if is_narrow && scale < i16::from(NARROW) {
                needed.min(NARROW)
            } else {
                needed
            })
        }
        Operator::Remainder if whole + finer > i16::from(MAX_DIGITS) => return None,
        Operator::Remainder => whole + finer,
        _ => whole + finer + 1,
    };
    Some(needed.min(i16::from(MAX_DIGITS)) as u8)
}

/// Decimals as digits: sums at the finer scale, products at the sum of both, remainders at the
/// finer one.
fn of_decimals(operator: Operator, left: &Value, right: &Value, precision: u8) -> Outcome<Value> {
    let as_decimal = |value: &Value| -> Outcome<Value> {
        match value.data_type() {
            DataType::Decimal128(..) => Ok(value.clone()),
            DataType::Utf8 => {
                Ok(value.with(convert(&value.array, &DataType::Decimal128(38, 9), false)?))
            }
            _ => Ok(value.with(convert(&value.array, &DataType::Decimal128(19, 0), false)?)),
        }
    };
    let (left, right) = (as_decimal(left)?, as_decimal(right)?);
    let scale = |value: &Value| {
        if let DataType::Decimal128(_, scale) = value.data_type() {
            *scale
        } else {
            0
        }
    };
    let (first, second) = (scale(&left), scale(&right));
    let finer = first.max(second);
    let (a, b) = aligned(&left, &right)?;
    let (a, b) = (
        a.as_primitive::<Decimal128Type>(),
        b.as_primitive::<Decimal128Type>(),
    );
    let power = |scale: i8| 10_i128.pow(u32::from((finer - scale).unsigned_abs()));
    let (up, down) = (power(first), power(second));
    let result_scale = if operator == Operator::Multiply {
        first + second
    } else {
        finer
    };
    if result_scale > 38 {
        return Err(
            Fault::new("a product of decimals has more than 38 digits behind its point")
                .hint("compute with `CAST(… AS DOUBLE)`"),
        );
    }
    let most = 10_i128.pow(u32::from(precision));
    let mut values = Vec::with_capacity(a.len());
    for row in 0..a.len() {
        if a.is_null(row) || b.is_null(row) {
            values.push(None);
            continue;
        }
        let (x, y) = (a.value(row), b.value(row));
        let value = match operator {
            Operator::Multiply => x.checked_mul(y),
            _ => x
                .checked_mul(up)
                .zip(y.checked_mul(down))
                .and_then(|(x, y)| match operator {
                    Operator::Add => x.checked_add(y),
                    Operator::Subtract => x.checked_sub(y),
                    _ => x.checked_rem(y),
                }),
        };
        if operator == Operator::Remainder && y == 0 {
            return Err(division_by_zero());
        }
        values.push(Some(
            value
                .filter(|value| value.abs() < most)
                .ok_or_else(overflow)?,
        ));
    }
    Ok(both(
        &left,
        &right,
        decimals(values, precision, result_scale)?,
    ))
}

fn of_floats(operator: Operator, left: &Value, right: &Value) -> Outcome<Value> {
    let (a, b) = (left.datum(), right.datum());
    let array = match operator {
        Operator::Add => numeric::add(&*a, &*b)?,
        Operator::Subtract => numeric::sub(&*a, &*b)?,
        Operator::Multiply => numeric::mul(&*a, &*b)?,
        Operator::DivideWhole => return Err(not_whole()),
        _ => {
            let (a, b) = aligned(left, right)?;
            if *a.data_type() == DataType::Float32 {
                let array: Float32Array = binary(
                    a.as_primitive::<Float32Type>(),
                    b.as_primitive::<Float32Type>(),
                    |a, b| a % b,
                )?;
                Arc::new(array)
            } else {
                let array: Float64Array = binary(
                    a.as_primitive::<Float64Type>(),
                    b.as_primitive::<Float64Type>(),
                    |a, b| a % b,
                )?;
                Arc::new(array) as ArrayRef
            }
        }
    };
    Ok(both(left, right, array))
}

/// Days added to dates, and dates subtracted; none for other types.
fn of_dates(operator: Operator, left: &Value, right: &Value) -> Outcome<Option<Value>> {
    use DataType as T;
    let shifted = |dates: &Value, days: &Value, is_later: bool| -> Outcome<Option<Value>> {
        let (a, b) = aligned(dates, days)?;
        let step = |date: i32, days: i64| {
            let days = if is_later {
                i64::from(date).checked_add(days)
            } else {
                i64::from(date).checked_sub(days)
            };
            days.and_then(|days| i32::try_from(days).ok())
                .ok_or_else(|| ArrowError::ArithmeticOverflow(String::new()))
        };
        let array: Date32Array = try_binary(
            a.as_primitive::<Date32Type>(),
            b.as_primitive::<Int64Type>(),
            step,
        )?;
        Ok(Some(both(dates, days, Arc::new(array))))
    };
    match (left.data_type(), operator, right.data_type()) {
        (T::Date32, Operator::Add | Operator::Subtract, T::Int64) => {
            shifted(left, right, operator == Operator::Add)
        }
        (T::Int64, Operator::Add, T::Date32) => shifted(right, left, true),
        (T::Date32, Operator::Subtract, T::Date32) => {
            let (a, b) = aligned(left, right)?;
            let step = |a: i32, b: i32| i64::from(a) - i64::from(b);
            let array: PrimitiveArray<Int64Type> = binary(
                a.as_primitive::<Date32Type>(),
                b.as_primitive::<Date32Type>(),
                step,
            )?;
            Ok(Some(both(left, right, Arc::new(array))))
        }
        (T::Timestamp(..), Operator::Subtract, T::Timestamp(..) | T::Date32)
        | (T::Date32, Operator::Subtract, T::Timestamp(..)) => {
            let fault = Fault::new("the difference of two timestamps has no type here");
            Err(fault.hint(
                "say in which unit: `DATE_DIFF('second', begin, end)`, or `EPOCH(end) - \
                 EPOCH(begin)`",
            ))
        }
        _ => Ok(None),
    }
}

/// The value with the other sign.
pub(super) fn negate(value: &Value) -> Outcome<Value> {
    let array: ArrayRef = match value.data_type() {
        DataType::Int64 => {
            let flipped = value.array.as_primitive::<Int64Type>();
            let step = |value: i64| {
                value
                    .checked_neg()
                    .ok_or_else(|| ArrowError::ArithmeticOverflow(String::new()))
            };
            Arc::new(flipped.try_unary::<_, Int64Type, ArrowError>(step)?)
        }
        data_type if is_numeric(data_type) => numeric::neg(&value.array)?,
        DataType::Null => return Ok(value.clone()),
        other => {
            return Err(Fault::new(format!(
                "`-` does not work on {}",
                name_of(other)
            )));
        }
    };
    Ok(value.with(array).with_integer_digits(value.integer_digits))
}
