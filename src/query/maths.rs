//! Functions of numbers: rounding, signs, roots, logarithms, powers, angles, and the largest and
//! smallest of several.
//!
//! A half is rounded away from 0, as SQL does. Outside of its domain a function of floats gives NaN
//! or an infinity, as IEEE 754 says. It must not know expressions.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array,
};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_not_null, is_null, nullif, or};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type};

use super::arithmetic::{aligned, arithmetic};
use super::comparison::compare;
use super::conversion::{convert, decimals, rescaled};
use super::node::{Comparison, Operator};
use super::value::{Fault, Outcome, Value, is_numeric, name_of, overflow};
use super::width::shared_type;

/// The sign is a `TINYINT`.
const SIGN_DIGITS: u8 = 3;

/// The function of this name; none if it is not one of numbers.
pub(super) fn call(
    name: &'static str,
    arguments: &[Value],
    row_count: usize,
) -> Option<Outcome<Value>> {
    let first = arguments.first();
    Some(match (name, first) {
        ("pi", _) => Ok(Value::constant(Arc::new(Float64Array::from(vec![
            std::f64::consts::PI,
        ])))),
        ("mod", Some(first)) => arithmetic(Operator::Remainder, first, &arguments[1]),
        ("greatest" | "least", _) => extreme(name, arguments, row_count),
        ("nullif", Some(first)) => without(first, &arguments[1], row_count),
        ("log", Some(base)) if arguments.len() == 2 => {
            pairs(name, base, &arguments[1], |base, value| {
                value.log10() / base.log10()
            })
        }
        ("power", Some(first)) => pairs(name, first, &arguments[1], f64::powf),
        ("atan2", Some(first)) => pairs(name, first, &arguments[1], f64::atan2),
        ("round", Some(first)) => round(first, arguments.get(1)),
        ("ceil" | "floor", Some(first)) if first.is_integer() => {
            doubles(name, first).and_then(|first| stepped(name, &first))
        }
        ("abs" | "ceil" | "floor" | "trunc" | "sign", Some(first)) => stepped(name, first),
        ("isnan" | "isinf" | "isfinite", Some(first)) => tested(name, first),
        (_, Some(first)) => return real(name).map(|function| reals(name, first, function)),
        _ => return None,
    })
}

fn real(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "sqrt" => f64::sqrt,
        "cbrt" => f64::cbrt,
        "exp" => f64::exp,
        "ln" => f64::ln,
        "log" | "log10" => f64::log10,
        "log2" => f64::log2,
        "log1p" => f64::ln_1p,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "cot" => |value| 1.0 / value.tan(),
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "degrees" => f64::to_degrees,
        "radians" => f64::to_radians,
        _ => return None,
    })
}

fn number(name: &str, value: &Value) -> Outcome<()> {
    match value.data_type() {
        data_type if is_numeric(data_type) || *data_type == DataType::Null => Ok(()),
        other => {
            let fault = Fault::new(format!(
                "`{}` works on numbers, not on {}",
                name.to_uppercase(),
                name_of(other)
            ));
            Err(fault.hint("make a number of a text with `CAST(… AS DOUBLE)`"))
        }
    }
}

fn doubles(name: &str, value: &Value) -> Outcome<Value> {
    number(name, value)?;
    Ok(value.with(convert(&value.array, &DataType::Float64, false)?))
}

fn reals(name: &str, value: &Value, function: fn(f64) -> f64) -> Outcome<Value> {
    let value = doubles(name, value)?;
    let array: Float64Array = value.array.as_primitive::<Float64Type>().unary(function);
    Ok(value.with(Arc::new(array)))
}

fn pairs(name: &str, left: &Value, right: &Value, function: fn(f64, f64) -> f64) -> Outcome<Value> {
    let (left, right) = (doubles(name, left)?, doubles(name, right)?);
    let (a, b) = aligned(&left, &right)?;
    let array: Float64Array = arrow::compute::binary(
        a.as_primitive::<Float64Type>(),
        b.as_primitive::<Float64Type>(),
        function,
    )?;
    Ok(Value::computed(
        Arc::new(array),
        left.is_constant && right.is_constant,
    ))
}

/// Functions that keep the type of their argument, and the sign. `CEIL` and `FLOOR` of integers are
/// doubles, so they come here as such.
fn stepped(name: &'static str, value: &Value) -> Outcome<Value> {
    number(name, value)?;
    let float = |value: f64| match name {
        "abs" => value.abs(),
        "ceil" => value.ceil(),
        "floor" => value.floor(),
        _ => value.trunc(),
    };
    let sign_of = |value: f64| {
        if value > 0.0 {
            1
        } else if value < 0.0 {
            -1
        } else {
            0
        }
    };
    let array: ArrayRef = match value.data_type() {
        DataType::Float32 if name == "sign" => Arc::new(
            value
                .array
                .as_primitive::<Float32Type>()
                .unary::<_, Int64Type>(|value| sign_of(value.into())),
        ),
        DataType::Float64 if name == "sign" => Arc::new(
            value
                .array
                .as_primitive::<Float64Type>()
                .unary::<_, Int64Type>(sign_of),
        ),
        DataType::Float32 => Arc::new(
            value
                .array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|value| float(value.into()) as f32),
        ),
        DataType::Float64 => Arc::new(
            value
                .array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(float),
        ),
        DataType::Int64 => {
            let numbers = value.array.as_primitive::<Int64Type>();
            match name {
                "sign" => Arc::new(numbers.unary::<_, Int64Type>(i64::signum)),
                "abs" => Arc::new(numbers.try_unary::<_, Int64Type, Fault>(|value| {
                    value.checked_abs().ok_or_else(overflow)
                })?),
                _ => value.array.clone(),
            }
        }
        DataType::Decimal128(precision, scale) => {
            let digits = value.array.as_primitive::<Decimal128Type>();
            let unit = 10_i128.pow(u32::from(scale.unsigned_abs()));
            let step = |digits: i128| match name {
                "abs" => digits.abs(),
                "ceil" => -(-digits).div_euclid(unit),
                "floor" => digits.div_euclid(unit),
                _ => digits / unit,
            };
            if name == "sign" {
                Arc::new(
                    digits
                        .iter()
                        .map(|digits| digits.map(|digits| digits.signum() as i64))
                        .collect::<Int64Array>(),
                )
            } else {
                let scale = if name == "abs" { *scale } else { 0 };
                decimals(
                    digits.iter().map(|digits| digits.map(step)).collect(),
                    *precision,
                    scale,
                )?
            }
        }
        _ => return Ok(value.clone()),
    };
    let integer_digits = if name == "sign" {
        Some(SIGN_DIGITS)
    } else {
        value.integer_digits
    };
    Ok(value.with(array).with_integer_digits(integer_digits))
}

fn tested(name: &str, value: &Value) -> Outcome<Value> {
    let value = doubles(name, value)?;
    let test: fn(f64) -> bool = match name {
        "isnan" => f64::is_nan,
        "isinf" => f64::is_infinite,
        _ => f64::is_finite,
    };
    let array: BooleanArray = value
        .array
        .as_primitive::<Float64Type>()
        .iter()
        .map(|value| value.map(test))
        .collect();
    Ok(value.with(Arc::new(array)))
}

/// A number at so many positions behind the point, or before it.
fn round(value: &Value, fraction_digits: Option<&Value>) -> Outcome<Value> {
    number("round", value)?;
    let none = Value::constant(Arc::new(Int64Array::from(vec![0])));
    let fraction_digits = fraction_digits.unwrap_or(&none);
    let fraction_digits = match fraction_digits.data_type() {
        DataType::Int64 => fraction_digits.clone(),
        DataType::Null => fraction_digits.typed(&DataType::Int64),
        other => {
            return Err(Fault::new(format!(
                "`ROUND` takes an integer number of decimals, not {}",
                name_of(other)
            )));
        }
    };
    let is_constant = value.is_constant && fraction_digits.is_constant;
    let integer_digits = value.integer_digits;
    if let DataType::Decimal128(precision, scale) = value.data_type()
        && fraction_digits.is_constant
    {
        let expected = fraction_digits
            .array
            .as_primitive::<Int64Type>()
            .value(0)
            .clamp(-38, 38) as i8;
        return rounded_decimals(value, (*precision, *scale), expected);
    }
    let value = match value.data_type() {
        DataType::Decimal128(..) => doubles("round", value)?,
        _ => value.clone(),
    };
    let (numbers, fraction_digits) = aligned(&value, &fraction_digits)?;
    let fraction_digits = fraction_digits.as_primitive::<Int64Type>();
    let array: ArrayRef = match numbers.data_type() {
        DataType::Float32 => {
            let numbers = numbers.as_primitive::<Float32Type>();
            let pairs = numbers.iter().zip(fraction_digits);
            Arc::new(
                pairs
                    .map(|(value, fraction_digits)| {
                        Some(rounded(value?.into(), fraction_digits?) as f32)
                    })
                    .collect::<Float32Array>(),
            )
        }
        DataType::Float64 => {
            let pairs = numbers
                .as_primitive::<Float64Type>()
                .iter()
                .zip(fraction_digits);
            Arc::new(
                pairs
                    .map(|(value, fraction_digits)| Some(rounded(value?, fraction_digits?)))
                    .collect::<Float64Array>(),
            )
        }
        DataType::Int64 => {
            let pairs = numbers
                .as_primitive::<Int64Type>()
                .iter()
                .zip(fraction_digits);
            let step = |pair: (Option<i64>, Option<i64>)| match pair {
                (Some(value), Some(fraction_digits)) => rounded_integer(value, fraction_digits)
                    .map(Some)
                    .ok_or_else(overflow),
                _ => Ok(None),
            };
            Arc::new(pairs.map(step).collect::<Outcome<Int64Array>>()?)
        }
        _ => numbers,
    };
    Ok(Value::computed(array, is_constant).with_integer_digits(integer_digits))
}

fn rounded(value: f64, fraction_digits: i64) -> f64 {
    let power = 10_f64.powi(fraction_digits.unsigned_abs().min(400) as i32);
    let found = if fraction_digits < 0 {
        (value / power).round() * power
    } else {
        (value * power).round() / power
    };
    match (found.is_finite(), fraction_digits < 0) {
        (true, _) => found,
        (false, true) if value.is_finite() => 0.0,
        _ => value,
    }
}

fn rounded_integer(value: i64, fraction_digits: i64) -> Option<i64> {
    if fraction_digits >= 0 {
        return Some(value);
    }
    let Some(power) = 10_i128.checked_pow(
        u32::try_from(fraction_digits.unsigned_abs())
            .ok()
            .filter(|fraction_digits| *fraction_digits < 38)?,
    ) else {
        return Some(0);
    };
    let (whole, rest) = (i128::from(value) / power, i128::from(value) % power);
    let whole = if rest.abs() * 2 >= power {
        whole + i128::from(value.signum())
    } else {
        whole
    };
    i64::try_from(whole * power).ok()
}

fn rounded_decimals(
    value: &Value,
    (precision, scale): (u8, i8),
    fraction_digits: i8,
) -> Outcome<Value> {
    if fraction_digits >= scale {
        let same = value.with(value.array.clone());
        return Ok(same.with_integer_digits(value.integer_digits));
    }
    let kept = fraction_digits.max(0);
    // 9.9 becomes 10: one digit more before the point.
    let needed = i16::from(precision) - i16::from(scale) + 1 + i16::from(kept);
    let precision = i16::from(precision).max(needed).clamp(1, 38) as u8;
    let step = |digits: i128| -> Option<i128> {
        let whole = rescaled(digits, scale, fraction_digits)?;
        rescaled(whole, fraction_digits, kept)
    };
    let digits = value.array.as_primitive::<Decimal128Type>();
    let values = digits
        .iter()
        .map(|digits| {
            digits
                .map(|digits| step(digits).ok_or_else(overflow))
                .transpose()
        })
        .collect::<Outcome<Vec<_>>>()?;
    Ok(value
        .with(decimals(values, precision, kept)?)
        .with_integer_digits(value.integer_digits))
}

/// The largest or least of several values; null only where all are.
fn extreme(name: &str, arguments: &[Value], row_count: usize) -> Outcome<Value> {
    let shared = shared_type(arguments.iter(), &name.to_uppercase())?;
    let data_type = shared.data_type;
    let how = if name == "greatest" {
        Comparison::Greater
    } else {
        Comparison::Less
    };
    let is_constant = arguments.iter().all(|argument| argument.is_constant);
    let count = if is_constant { 1 } else { row_count };
    let mut best: Option<ArrayRef> = None;
    for argument in arguments {
        let array = argument
            .with(convert(&argument.array, &data_type, false)?)
            .expanded(count)?;
        best = Some(match best {
            None => array,
            Some(best) if data_type == DataType::Null => best,
            Some(best) => {
                let is_better =
                    compare(how, &Value::rows(array.clone()), &Value::rows(best.clone()))?;
                let is_better = is_better.array.as_boolean();
                let is_better: BooleanArray = is_better
                    .iter()
                    .map(|better| Some(better == Some(true)))
                    .collect();
                let takes =
                    arrow::compute::and(&is_not_null(&array)?, &or(&is_better, &is_null(&best)?)?)?;
                zip(&takes, &array, &best)?
            }
        });
    }
    let array = best.ok_or_else(|| Fault::new("a function without arguments"))?;
    Ok(Value::computed(array, is_constant).with_integer_digits(shared.integer_digits))
}

/// The first value, but null where it equals the second.
fn without(value: &Value, other: &Value, row_count: usize) -> Outcome<Value> {
    let equal = compare(Comparison::Equal, value, other)?;
    let count = if value.is_constant && equal.is_constant {
        1
    } else {
        row_count
    };
    let (array, equal) = (value.expanded(count)?, equal.expanded(count)?);
    if *array.data_type() == DataType::Null {
        return Ok(value.clone());
    }
    let array = nullif(&array, equal.as_boolean())?;
    Ok(Value::computed(array, count == 1 && value.is_constant)
        .with_integer_digits(value.integer_digits))
}
