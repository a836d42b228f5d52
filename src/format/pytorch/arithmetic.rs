//! Operators that work on each element by itself, and comparisons.

use super::call::{Call, Write};
use super::message::Attribute;
use super::value::{Number, Operand, Tensor, Written};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::graph::ElementType;

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("abs", |graph, call| plain(graph, call, "Abs")),
    ("neg", |graph, call| plain(graph, call, "Neg")),
    ("negative", |graph, call| plain(graph, call, "Neg")),
    ("exp", |graph, call| plain(graph, call, "Exp")),
    ("log", |graph, call| plain(graph, call, "Log")),
    ("sqrt", |graph, call| plain(graph, call, "Sqrt")),
    ("reciprocal", |graph, call| plain(graph, call, "Reciprocal")),
    ("sin", |graph, call| plain(graph, call, "Sin")),
    ("cos", |graph, call| plain(graph, call, "Cos")),
    ("tan", |graph, call| plain(graph, call, "Tan")),
    ("asin", |graph, call| plain(graph, call, "Asin")),
    ("acos", |graph, call| plain(graph, call, "Acos")),
    ("atan", |graph, call| plain(graph, call, "Atan")),
    ("sinh", |graph, call| plain(graph, call, "Sinh")),
    ("cosh", |graph, call| plain(graph, call, "Cosh")),
    ("asinh", |graph, call| plain(graph, call, "Asinh")),
    ("acosh", |graph, call| plain(graph, call, "Acosh")),
    ("atanh", |graph, call| plain(graph, call, "Atanh")),
    ("erf", |graph, call| plain(graph, call, "Erf")),
    ("sign", |graph, call| plain(graph, call, "Sign")),
    ("sgn", |graph, call| plain(graph, call, "Sign")),
    ("floor", |graph, call| rounded(graph, call, "Floor")),
    ("ceil", |graph, call| rounded(graph, call, "Ceil")),
    ("round", |graph, call| rounded(graph, call, "Round")),
    ("trunc", truncated),
    ("fix", truncated),
    ("frac", fraction),
    ("rsqrt", |graph, call| {
        let (x, _) = own(graph, call)?;
        let root = graph.node("Sqrt", &[&x]);
        Ok(graph.node("Reciprocal", &[&root]).into())
    }),
    ("square", |graph, call| {
        let (x, _) = own(graph, call)?;
        Ok(graph.node("Mul", &[&x, &x]).into())
    }),
    ("exp2", |graph, call| {
        in_double(graph, call, |graph, x| {
            let two = graph.real(ElementType::Double, 2.0)?;
            Ok(graph.node("Pow", &[&two, x]))
        })
    }),
    ("log2", |graph, call| {
        logarithm(graph, call, std::f64::consts::LN_2)
    }),
    ("log10", |graph, call| {
        logarithm(graph, call, std::f64::consts::LN_10)
    }),
    ("log1p", |graph, call| in_double(graph, call, log_of_more)),
    ("expm1", |graph, call| {
        in_double(graph, call, exponential_less)
    }),
    ("add", |graph, call| {
        sum(graph, call, "Add", ["self", "other"])
    }),
    ("sub", |graph, call| {
        sum(graph, call, "Sub", ["self", "other"])
    }),
    ("rsub", |graph, call| {
        sum(graph, call, "Sub", ["other", "self"])
    }),
    ("mul", |graph, call| binary(graph, call, "Mul")),
    ("div", quotient),
    ("true_divide", quotient),
    ("floor_divide", |graph, call| {
        let element = call.output(0)?.element;
        let [a, b] = pair(graph, call, element)?;
        divided(graph, element, [&a, &b], Some("floor")).map(Written::from)
    }),
    ("pow", power),
    ("remainder", remainder),
    ("fmod", |graph, call| {
        let element = call.output(0)?.element;
        let [a, b] = pair(graph, call, element)?;
        let truncated = [("fmod", Attribute::Integer(1))];
        Ok(graph.with("Mod", &[&a, &b], &truncated).into())
    }),
    ("maximum", |graph, call| binary(graph, call, "Max")),
    ("minimum", |graph, call| binary(graph, call, "Min")),
    ("clamp", |graph, call| clamped(graph, call, ["min", "max"])),
    ("clip", |graph, call| clamped(graph, call, ["min", "max"])),
    ("clamp_min", |graph, call| clamped(graph, call, ["min", ""])),
    ("clamp_max", |graph, call| clamped(graph, call, ["", "max"])),
    ("lerp", |graph, call| {
        let element = call.output(0)?.element;
        let [start, end, weight] = three(graph, call, ["self", "end", "weight"], element)?;
        let difference = graph.node("Sub", &[&end, &start]);
        let share = graph.node("Mul", &[&weight, &difference]);
        Ok(graph.node("Add", &[&start, &share]).into())
    }),
    ("addcmul", |graph, call| added(graph, call, "Mul")),
    ("addcdiv", |graph, call| added(graph, call, "Div")),
    ("nan_to_num", numbers_only),
];

/// The first argument in the output's type.
fn own(graph: &mut Writer, call: &Call) -> Result<(String, ElementType)> {
    let (x, element) = (call.tensor("self")?, call.output(0)?.element);
    Ok((graph.as_type(&x, element), element))
}

fn plain(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    let (x, _) = own(graph, call)?;
    Ok(graph.node(operator, &[&x]).into())
}

fn rounded(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    if call.integer("decimals", 0) != 0 {
        return Err(Error::contract("rounding to decimals is not supported"));
    }
    let (x, element) = own(graph, call)?;
    Ok(if element.is_float() {
        graph.node(operator, &[&x])
    } else {
        x
    }
    .into())
}

/// Towards zero.
fn truncation(graph: &mut Writer, x: &str) -> String {
    let size = graph.node("Abs", &[x]);
    let floor = graph.node("Floor", &[&size]);
    let sign = graph.node("Sign", &[x]);
    graph.node("Mul", &[&sign, &floor])
}

fn truncated(graph: &mut Writer, call: &Call) -> Result<Written> {
    let (x, element) = own(graph, call)?;
    Ok(if element.is_float() {
        truncation(graph, &x)
    } else {
        x
    }
    .into())
}

fn fraction(graph: &mut Writer, call: &Call) -> Result<Written> {
    let (x, _) = own(graph, call)?;
    let whole = truncation(graph, &x);
    Ok(graph.node("Sub", &[&x, &whole]).into())
}

/// A function that loses digits where it is written out, in double precision.
fn in_double(
    graph: &mut Writer,
    call: &Call,
    write: impl Fn(&mut Writer, &str) -> Result<String>,
) -> Result<Written> {
    let (x, element) = (call.tensor("self")?, call.output(0)?.element);
    let wide = graph.as_type(&x, ElementType::Double);
    let result = write(graph, &wide)?;
    Ok(graph.cast(&result, ElementType::Double, element).into())
}

fn logarithm(graph: &mut Writer, call: &Call, base: f64) -> Result<Written> {
    in_double(graph, call, |graph, x| {
        let (log, base) = (
            graph.node("Log", &[x]),
            graph.real(ElementType::Double, base)?,
        );
        Ok(graph.node("Div", &[&log, &base]))
    })
}

/// log(1 + x) = x · log(u) / (u − 1) for u = 1 + x as it is rounded; x where u is 1.
fn log_of_more(graph: &mut Writer, x: &str) -> Result<String> {
    let one = graph.real(ElementType::Double, 1.0)?;
    let u = graph.node("Add", &[x, &one]);
    let log = graph.node("Log", &[&u]);
    let rounded = graph.node("Sub", &[&u, &one]);
    let share = graph.node("Div", &[x, &rounded]);
    let exact = graph.node("Mul", &[&log, &share]);
    let is_tiny = graph.node("Equal", &[&u, &one]);
    // Infinity over infinity is not a number.
    let is_infinite = graph.node("IsInf", &[x]);
    let exact = graph.node("Where", &[&is_infinite, &log, &exact]);
    Ok(graph.node("Where", &[&is_tiny, x, &exact]))
}

/// exp(x) − 1 = (u − 1) · x / log(u) for u = exp(x) as it is rounded; x where u is 1, and the
/// plain difference away from 0.
fn exponential_less(graph: &mut Writer, x: &str) -> Result<String> {
    let one = graph.real(ElementType::Double, 1.0)?;
    let u = graph.node("Exp", &[x]);
    let less = graph.node("Sub", &[&u, &one]);
    let log = graph.node("Log", &[&u]);
    let share = graph.node("Div", &[x, &log]);
    let exact = graph.node("Mul", &[&less, &share]);
    let size = graph.node("Abs", &[x]);
    let is_large = graph.node("Greater", &[&size, &one]);
    let exact = graph.node("Where", &[&is_large, &less, &exact]);
    let is_tiny = graph.node("Equal", &[&u, &one]);
    Ok(graph.node("Where", &[&is_tiny, x, &exact]))
}

/// The two arguments in one type.
pub(super) fn pair(graph: &mut Writer, call: &Call, element: ElementType) -> Result<[String; 2]> {
    let [a, b] = [call.operand("self")?, call.operand("other")?];
    Ok([graph.operand(&a, element)?, graph.operand(&b, element)?])
}

fn three(
    graph: &mut Writer,
    call: &Call,
    names: [&str; 3],
    element: ElementType,
) -> Result<[String; 3]> {
    let mut of = |name: &str| {
        let operand = call.operand(name)?;
        graph.operand(&operand, element)
    };
    let [a, b, c] = names;
    Ok([of(a)?, of(b)?, of(c)?])
}

fn binary(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    let element = call.output(0)?.element;
    let [a, b] = pair(graph, call, element)?;
    // The product of booleans is whether both are true.
    if element == ElementType::Bool {
        let operator = if matches!(operator, "Mul" | "Min") {
            "And"
        } else {
            "Or"
        };
        return Ok(graph.node(operator, &[&a, &b]).into());
    }
    Ok(graph.node(operator, &[&a, &b]).into())
}

/// `a + alpha · b`, or the difference.
fn sum(graph: &mut Writer, call: &Call, operator: &str, names: [&str; 2]) -> Result<Written> {
    let element = call.output(0)?.element;
    let [first, mut second] = [call.operand(names[0])?, call.operand(names[1])?];
    let alpha = call.find_number("alpha").unwrap_or(Number::Integer(1));
    if alpha.real().to_bits() != 1.0_f64.to_bits() {
        // The factor of a reversed difference is the second argument's too.
        let (b, factor) = (
            graph.operand(&second, element)?,
            graph.number(element, alpha)?,
        );
        let name = graph.node("Mul", &[&b, &factor]);
        let shape = Vec::new();
        second = Operand::Tensor(Tensor {
            name,
            element,
            shape,
        });
    }
    if element == ElementType::Bool {
        let [a, b] = [
            graph.operand(&first, element)?,
            graph.operand(&second, element)?,
        ];
        return Ok(graph.node("Or", &[&a, &b]).into());
    }
    let [a, b] = [
        graph.operand(&first, element)?,
        graph.operand(&second, element)?,
    ];
    Ok(graph.node(operator, &[&a, &b]).into())
}

fn quotient(graph: &mut Writer, call: &Call) -> Result<Written> {
    let element = call.output(0)?.element;
    let [a, b] = pair(graph, call, element)?;
    divided(graph, element, [&a, &b], call.text("rounding_mode")).map(Written::from)
}

/// A quotient, rounded as asked.
fn divided(
    graph: &mut Writer,
    element: ElementType,
    [a, b]: [&str; 2],
    rounding: Option<&str>,
) -> Result<String> {
    match rounding {
        None | Some("trunc") if !element.is_float() => Ok(graph.node("Div", &[a, b])),
        None => Ok(graph.node("Div", &[a, b])),
        Some("trunc") => {
            let quotient = graph.node("Div", &[a, b]);
            Ok(truncation(graph, &quotient))
        }
        Some("floor") => {
            // What is left over, with the divisor's sign, divides out exactly.
            let rest = modulo(graph, element, [a, b]);
            let multiple = graph.node("Sub", &[a, &rest]);
            let quotient = graph.node("Div", &[&multiple, b]);
            Ok(if element.is_float() {
                graph.node("Round", &[&quotient])
            } else {
                quotient
            })
        }
        Some(other) => Err(Error::contract(format!(
            "a quotient that is rounded by `{other}` is not supported"
        ))),
    }
}

/// The remainder with the divisor's sign.
fn modulo(graph: &mut Writer, element: ElementType, [a, b]: [&str; 2]) -> String {
    if !element.is_float() {
        return graph.node("Mod", &[a, b]);
    }
    let rest = graph.with("Mod", &[a, b], &[("fmod", Attribute::Integer(1))]);
    let [rest_sign, sign] = [rest.as_str(), b].map(|one| graph.node("Sign", &[one]));
    // Signs that differ multiply to −1.
    let product = graph.node("Mul", &[&rest_sign, &sign]);
    let opposite = graph.node("Neg", &[&product]);
    let is_opposite = graph.node("Relu", &[&opposite]);
    let more = graph.node("Mul", &[&is_opposite, b]);
    graph.node("Add", &[&rest, &more])
}

fn remainder(graph: &mut Writer, call: &Call) -> Result<Written> {
    let element = call.output(0)?.element;
    let [a, b] = pair(graph, call, element)?;
    Ok(modulo(graph, element, [&a, &b]).into())
}

fn power(graph: &mut Writer, call: &Call) -> Result<Written> {
    let element = call.output(0)?.element;
    let [base, exponent] = [call.operand("self")?, call.operand("exponent")?];
    let x = graph.operand(&base, element)?;
    // The usual exponents are what PyTorch multiplies out too.
    if let Operand::Number(number) = &exponent {
        if number.real().to_bits() == 2.0_f64.to_bits() {
            return Ok(graph.node("Mul", &[&x, &x]).into());
        }
        if number.real().to_bits() == 0.5_f64.to_bits() && element.is_float() {
            return Ok(graph.node("Sqrt", &[&x]).into());
        }
    }
    let exponent = graph.operand(&exponent, element)?;
    Ok(graph.node("Pow", &[&x, &exponent]).into())
}

fn clamped(graph: &mut Writer, call: &Call, names: [&str; 2]) -> Result<Written> {
    let (mut x, element) = own(graph, call)?;
    for (name, operator) in names.into_iter().zip(["Max", "Min"]) {
        let is_there = call.find_number(name).is_some() || call.find_tensor(name)?.is_some();
        if is_there {
            let bound = graph.operand(&call.operand(name)?, element)?;
            x = graph.node(operator, &[&x, &bound]);
        }
    }
    Ok(x.into())
}

/// `self + value · tensor1 ∘ tensor2`.
fn added(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    let element = call.output(0)?.element;
    let [x, a, b] = three(graph, call, ["self", "tensor1", "tensor2"], element)?;
    let value = call.find_number("value").unwrap_or(Number::Integer(1));
    let value = graph.number(element, value)?;
    let factor = graph.node("Mul", &[&value, &a]);
    let term = graph.node(operator, &[&factor, &b]);
    Ok(graph.node("Add", &[&x, &term]).into())
}

fn numbers_only(graph: &mut Writer, call: &Call) -> Result<Written> {
    let (x, element) = own(graph, call)?;
    if !element.is_float() {
        return Ok(x.into());
    }
    let largest = match element {
        ElementType::Double => f64::MAX,
        ElementType::Float16 => f64::from(half::f16::MAX),
        ElementType::Bfloat16 => f64::from(half::bf16::MAX),
        _ => f64::from(f32::MAX),
    };
    let infinite = |graph: &mut Writer, sign: &str, x: &str| {
        graph.with("IsInf", &[x], &[(sign, Attribute::Integer(0))])
    };
    let tests = [
        (graph.node("IsNaN", &[&x]), call.real("nan", 0.0)),
        (
            infinite(graph, "detect_negative", &x),
            call.real("posinf", largest),
        ),
        (
            infinite(graph, "detect_positive", &x),
            call.real("neginf", -largest),
        ),
    ];
    let mut result = x;
    for (test, value) in tests {
        let value = graph.real(element, value)?;
        result = graph.node("Where", &[&test, &value, &result]);
    }
    Ok(result.into())
}
