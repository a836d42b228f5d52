//! `FunctionTransformer`: functions of numpy and of `scipy.special` by their names.

use super::column::{Column, Step};
use super::formula::logistic;
use super::object::Object;
use crate::error::Result;
use crate::format::python::record::{Arena, Id};

/// `FunctionTransformer`.
pub(super) fn function(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let Some(function) = named_function(object, "func", "kw_args")? else {
        return Ok(columns);
    };
    Ok(columns
        .into_iter()
        .map(|column| column.then([Step::Function(function)]))
        .collect())
}

/// Whether a transformer passes its columns on as they are, texts and categories among them, as
/// the `"passthrough"` of a fitted `ColumnTransformer` does.
pub(super) fn passes(object: &Object) -> bool {
    object.find("func").is_none() && !object.flag("validate")
}

/// Whether a function only checks its values, as histogram gradient boosting does with numbers.
fn is_check(arena: &Arena, function: Id) -> bool {
    let checks = |id: Id| arena.global(id) == Some(("sklearn.utils.validation", "check_array"));
    let is_partial = arena
        .class(function)
        .is_some_and(|(module, name)| module == "functools" && name == "partial");
    let arguments = arena.record(function).and_then(|record| record.arguments);
    let first = arguments.and_then(|arguments| arena.items(arguments)?.first().copied());
    is_partial && first.is_some_and(checks)
}

/// −1, 0 or 1; NaN stays.
fn sign(value: f64) -> f64 {
    if value == 0.0 || value.is_nan() {
        value.abs()
    } else {
        value.signum()
    }
}

/// The inverse of the logistic function.
pub(super) fn log_odds(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}

/// The share of a standard normal distribution below a value.
pub(super) fn normal_share(value: f64) -> f64 {
    let scaled = value * std::f64::consts::FRAC_1_SQRT_2;
    if scaled.abs() < 1.0 {
        0.5 + 0.5 * libm::erf(scaled)
    } else {
        0.5 * libm::erfc(-scaled)
    }
}

/// A function of one number.
type Function = fn(f64) -> f64;

/// A function of numpy's that an attribute names; none where the attribute is.
pub(super) fn named_function(
    object: &Object,
    attribute: &str,
    arguments: &str,
) -> Result<Option<Function>> {
    let Some(function) = object.find(attribute) else {
        return Ok(None);
    };
    if is_check(object.arena, function) {
        return Ok(None);
    }
    let has_arguments = object.find(arguments).is_some_and(|arguments| {
        object
            .arena
            .pairs(arguments)
            .is_none_or(|pairs| !pairs.is_empty())
    });
    let name = object.arena.global(function);
    // A ufunc is kept by its name: `numpy._core._ufunc_reconstruct` up to numpy 1, plain since.
    let is_numpy = |module: &str| {
        [
            "numpy",
            "numpy.core._multiarray_umath",
            "numpy._core._multiarray_umath",
            "numpy.core.fromnumeric",
            "numpy._core.fromnumeric",
            "scipy.special",
            "scipy.special._ufuncs",
            "scipy.special._special_ufuncs",
        ]
        .contains(&module)
    };
    let plain = name.filter(|(module, _)| is_numpy(module));
    let named = plain.map_or_else(
        || {
            let record = object.arena.record(function);
            let arguments = record.and_then(|record| object.arena.items(record.arguments?));
            let name = arguments.and_then(|items| object.arena.text(*items.get(1)?));
            let maker = object.arena.class(function).map_or("", |(_, name)| name);
            name.filter(|_| maker == "_ufunc_reconstruct")
                .unwrap_or_default()
        },
        |(_, name)| name,
    );
    let function: fn(f64) -> f64 = match named {
        "log1p" => f64::ln_1p,
        "log" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "exp" => f64::exp,
        "expm1" => f64::exp_m1,
        "sqrt" => f64::sqrt,
        "square" => |value| value * value,
        "abs" | "absolute" | "fabs" => f64::abs,
        "cbrt" => f64::cbrt,
        "tanh" => f64::tanh,
        "negative" => |value| -value,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "arcsin" => f64::asin,
        "arccos" => f64::acos,
        "arctan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "arcsinh" => f64::asinh,
        "arccosh" => f64::acosh,
        "arctanh" => f64::atanh,
        "exp2" => f64::exp2,
        "exp10" => |value| 10.0_f64.powf(value),
        "positive" => |value| value,
        "reciprocal" => |value| 1.0 / value,
        "sign" => sign,
        "floor" => f64::floor,
        "ceil" => f64::ceil,
        "trunc" | "fix" => f64::trunc,
        "rint" | "round" | "around" | "round_" => f64::round_ties_even,
        "deg2rad" | "radians" => f64::to_radians,
        "rad2deg" | "degrees" => f64::to_degrees,
        "expit" => logistic,
        "logit" => log_odds,
        "erf" => libm::erf,
        "erfc" => libm::erfc,
        "ndtr" => normal_share,
        _ => {
            let shown = match name {
                Some((module, name)) => format!("`{module}.{name}`"),
                None => "a function of its own".into(),
            };
            return Err(object.refuse(&format!(
                "the function {shown} is not one of numpy's or scipy's that are known"
            )));
        }
    };
    if has_arguments {
        return Err(object.refuse("arguments of the function are not supported"));
    }
    Ok(Some(function))
}
