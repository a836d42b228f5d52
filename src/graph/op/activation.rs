//! Functions of one real number, element by element: roots, exponentials, circular functions, and
//! the activations of networks.

use super::broadcast::{change, change_all, map};
use super::vectors;
use crate::error::Result;
use crate::graph::element::unsupported;
use crate::graph::entry::Entry;
use crate::graph::operator::{Built, Definition, single};
use crate::graph::pass::{role_chain, role_joint};
use crate::graph::tensor::{Data, Tensor};
use crate::network::curve;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Sqrt", 1, 1, |_| real(f32::sqrt, f64::sqrt)).floats(),
    Entry::new("Exp", 1, 1, |_| rows(vectors::exponentials, f64::exp)).floats(),
    Entry::new("Log", 1, 1, |_| real(f32::ln, f64::ln)).floats(),
    Entry::new("Sin", 1, 1, |_| real(f32::sin, f64::sin)).floats(),
    Entry::new("Cos", 1, 1, |_| real(f32::cos, f64::cos)).floats(),
    Entry::new("Tan", 1, 1, |_| real(f32::tan, f64::tan)).floats(),
    Entry::new("Asin", 1, 1, |_| real(f32::asin, f64::asin)).floats(),
    Entry::new("Acos", 1, 1, |_| real(f32::acos, f64::acos)).floats(),
    Entry::new("Atan", 1, 1, |_| real(f32::atan, f64::atan)).floats(),
    Entry::new("Sinh", 1, 1, |_| real(f32::sinh, f64::sinh)).floats(),
    Entry::new("Cosh", 1, 1, |_| real(f32::cosh, f64::cosh)).floats(),
    Entry::new("Tanh", 1, 1, |_| rows(curve::tanh, f64::tanh))
        .chains(role_chain::tanh)
        .floats(),
    Entry::new("Asinh", 1, 1, |_| real(libm::asinhf, libm::asinh)).floats(),
    Entry::new("Acosh", 1, 1, |_| real(libm::acoshf, libm::acosh)).floats(),
    Entry::new("Atanh", 1, 1, |_| real(libm::atanhf, libm::atanh)).floats(),
    Entry::new("Ceil", 1, 1, |_| real(f32::ceil, f64::ceil)).floats(),
    Entry::new("Floor", 1, 1, |_| real(f32::floor, f64::floor)).floats(),
    Entry::new("Round", 1, 1, |_| {
        real(f32::round_ties_even, f64::round_ties_even)
    })
    .floats(),
    Entry::new("Reciprocal", 1, 1, |_| real(f32::recip, f64::recip)).floats(),
    Entry::new("Erf", 1, 1, |_| rows(vectors::errors, libm::erf))
        .chains(role_chain::error_function)
        .floats(),
    Entry::new("Sigmoid", 1, 1, |_| {
        rows(curve::sigmoid, |x| 1.0 / (1.0 + (-x).exp()))
    })
    .chains(role_chain::sigmoid)
    .floats(),
    Entry::new("Softplus", 1, 1, |_| wide(soft_plus)).floats(),
    Entry::new("Softsign", 1, 1, |_| wide(|x| x / (1.0 + x.abs()))).floats(),
    Entry::new("HardSwish", 1, 1, |_| {
        wide(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0))
    })
    .floats(),
    Entry::new("Mish", 1, 1, |_| wide(|x| x * soft_plus(x).tanh())).floats(),
    Entry::new("Relu", 1, 1, |_| single(|call| relu(call.take(0)?)))
        .chains(role_chain::relu)
        .joins(role_joint::relu)
        .widened(),
    Entry::new("Abs", 1, 1, |_| {
        whole(f32::abs, f64::abs, i64::wrapping_abs, |value| value)
    })
    .widened(),
    Entry::new("Neg", 1, 1, |_| {
        whole(|x| -x, |x| -x, i64::wrapping_neg, u64::wrapping_neg)
    })
    .widened(),
    Entry::new("Sign", 1, 1, |_| {
        let single_precision = |x| sign(f64::from(x)) as f32;
        whole(single_precision, sign, i64::signum, |value| value.min(1))
    })
    .widened(),
    Entry::new("HardSigmoid", 1, 1, hard_sigmoid).floats(),
    Entry::new("Elu", 1, 1, elu)
        .chains(role_chain::elu)
        .floats(),
    Entry::new("Selu", 1, 1, selu).floats(),
    Entry::new("Celu", 1, 1, celu).floats(),
    Entry::new("LeakyRelu", 1, 1, leaky_relu)
        .chains(role_chain::leaky_relu)
        .joins(role_joint::leaky_relu)
        .floats(),
    Entry::new("ThresholdedRelu", 1, 1, thresholded_relu).floats(),
    Entry::new("Shrink", 1, 1, shrink).widened(),
    Entry::new("Gelu", 1, 1, gelu)
        .chains(role_chain::gelu)
        .floats(),
    Entry::new("Swish", 1, 1, swish).floats(),
    Entry::new("IsNaN", 1, 1, |_| {
        single(|call| test(call.tensor(0)?, f64::is_nan))
    })
    .floats(),
    Entry::new("IsInf", 1, 1, is_infinite).floats(),
];

/// A function with an own form in each precision.
fn real(single_precision: fn(f32) -> f32, double_precision: fn(f64) -> f64) -> Result<Built> {
    single(move |call| each(call.take(0)?, single_precision, double_precision))
}

/// A function that goes over many numbers at a time in single precision.
fn rows(single_precision: fn(&mut [f32]), double_precision: fn(f64) -> f64) -> Result<Built> {
    single(move |call| {
        let tensor = call.take(0)?;
        match tensor.data() {
            Data::Float(_) => change_all(tensor, single_precision),
            _ => each(tensor, |value| value, double_precision),
        }
    })
}

/// A function that is worked out in double precision, whatever the tensor's.
fn wide(function: impl Fn(f64) -> f64 + Copy + Send + Sync + 'static) -> Result<Built> {
    single(move |call| {
        each(
            call.take(0)?,
            |value| function(f64::from(value)) as f32,
            function,
        )
    })
}

fn each(
    tensor: Tensor,
    single_precision: impl Fn(f32) -> f32,
    double_precision: impl Fn(f64) -> f64,
) -> Result<Tensor> {
    match tensor.data() {
        Data::Float(_) => change(tensor, |value: &mut f32| *value = single_precision(*value)),
        Data::Double(_) => change(tensor, |value: &mut f64| *value = double_precision(*value)),
        other => Err(unsupported(other)),
    }
}

/// A function of integers too.
fn whole(
    single_precision: fn(f32) -> f32,
    double_precision: fn(f64) -> f64,
    integer: fn(i64) -> i64,
    unsigned: fn(u64) -> u64,
) -> Result<Built> {
    single(move |call| {
        let tensor = call.take(0)?;
        match tensor.data() {
            Data::Int64(_) => change(tensor, |value: &mut i64| *value = integer(*value)),
            Data::Int32(_) => change(tensor, |value: &mut i32| {
                *value = integer(i64::from(*value)) as i32;
            }),
            Data::Uint64(_) => change(tensor, |value: &mut u64| *value = unsigned(*value)),
            _ => each(tensor, single_precision, double_precision),
        }
    })
}

fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        value
    }
}

fn soft_plus(value: f64) -> f64 {
    value.max(0.0) + (-value.abs()).exp().ln_1p()
}

/// NaN stays.
fn relu(tensor: Tensor) -> Result<Tensor> {
    match tensor.data() {
        Data::Int64(_) => change(tensor, |value: &mut i64| *value = (*value).max(0)),
        Data::Int32(_) => change(tensor, |value: &mut i32| *value = (*value).max(0)),
        _ => each(
            tensor,
            |value| if value < 0.0 { 0.0 } else { value },
            |value| if value < 0.0 { 0.0 } else { value },
        ),
    }
}

fn hard_sigmoid(node: &Definition) -> Result<Built> {
    let (alpha, beta) = (node.float("alpha", 0.2)?, node.float("beta", 0.5)?);
    wide(move |x| (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0))
}

fn elu(node: &Definition) -> Result<Built> {
    let alpha = f64::from(node.float("alpha", 1.0)?);
    wide(move |x| if x < 0.0 { alpha * x.exp_m1() } else { x })
}

fn selu(node: &Definition) -> Result<Built> {
    let alpha = f64::from(node.float("alpha", 1.673_263_2)?);
    let gamma = f64::from(node.float("gamma", 1.050_701)?);
    wide(move |x| {
        if x <= 0.0 {
            gamma * alpha * x.exp_m1()
        } else {
            gamma * x
        }
    })
}

fn celu(node: &Definition) -> Result<Built> {
    let alpha = f64::from(node.float("alpha", 1.0)?);
    wide(move |x| {
        if x < 0.0 {
            alpha * (x / alpha).exp_m1()
        } else {
            x
        }
    })
}

fn leaky_relu(node: &Definition) -> Result<Built> {
    let alpha = node.float("alpha", 0.01)?;
    single(move |call| {
        each(
            call.take(0)?,
            |x| if x < 0.0 { alpha * x } else { x },
            |x| if x < 0.0 { f64::from(alpha) * x } else { x },
        )
    })
}

fn thresholded_relu(node: &Definition) -> Result<Built> {
    let alpha = f64::from(node.float("alpha", 1.0)?);
    wide(move |x| if x > alpha { x } else { 0.0 })
}

fn shrink(node: &Definition) -> Result<Built> {
    let (bias, lambda) = (
        f64::from(node.float("bias", 0.0)?),
        f64::from(node.float("lambd", 0.5)?),
    );
    let shrunk = move |x: f64| {
        if x < -lambda {
            x + bias
        } else if x > lambda {
            x - bias
        } else {
            0.0
        }
    };
    single(move |call| {
        let tensor = call.take(0)?;
        match tensor.data() {
            Data::Int64(_) => change(tensor, |value: &mut i64| {
                *value = shrunk(*value as f64) as i64;
            }),
            Data::Int32(_) => change(tensor, |value: &mut i32| {
                *value = shrunk(f64::from(*value)) as i32;
            }),
            _ => each(tensor, |value| shrunk(f64::from(value)) as f32, shrunk),
        }
    })
}

fn gelu(node: &Definition) -> Result<Built> {
    let root = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    match node.choice("approximate", &["none", "tanh"], 0)? {
        0 => wide(|x| 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))),
        _ => wide(move |x| 0.5 * x * (1.0 + (root * (x + 0.044_715 * x * x * x)).tanh())),
    }
}

fn swish(node: &Definition) -> Result<Built> {
    let alpha = f64::from(node.float("alpha", 1.0)?);
    wide(move |x| x / (1.0 + (-alpha * x).exp()))
}

fn test(tensor: &Tensor, is_so: impl Fn(f64) -> bool) -> Result<Tensor> {
    match tensor.data() {
        Data::Float(_) => map(tensor, |value: &f32| is_so(f64::from(*value))),
        Data::Double(_) => map(tensor, |value: &f64| is_so(*value)),
        other => Err(unsupported(other)),
    }
}

fn is_infinite(node: &Definition) -> Result<Built> {
    let (below, above) = (
        node.flag("detect_negative", true)?,
        node.flag("detect_positive", true)?,
    );
    single(move |call| {
        test(call.tensor(0)?, |value| {
            value.is_infinite() && if value < 0.0 { below } else { above }
        })
    })
}
