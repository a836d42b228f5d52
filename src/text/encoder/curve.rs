//! Activations of single numbers by the names of PyTorch's classes, as dense modules and
//! cross-encoders store them.
//!
//! Owns the names and the arithmetic. Every class is built without arguments, as
//! sentence-transformers builds it, so parameters have PyTorch's defaults. Curves of the encoder's
//! own layers are [`super::architecture::Activation`].

use super::architecture::Activation;
use crate::error::{Error, Result};

/// An activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    Identity,
    Known(Activation),
    Sigmoid,
    LogSigmoid,
    Softplus,
    Softsign,
    Elu,
    Selu,
    LeakyRelu,
    Relu6,
    Hardtanh,
    Hardsigmoid,
    Hardswish,
    Mish,
    Tanhshrink,
    Softshrink,
    Hardshrink,
}

/// (PyTorch's class, the curve), in the order of help.
const CURVES: [(&str, Curve); 21] = [
    ("Identity", Curve::Identity),
    ("Sigmoid", Curve::Sigmoid),
    ("Tanh", Curve::Known(Activation::Tanh)),
    ("ReLU", Curve::Known(Activation::Relu)),
    ("GELU", Curve::Known(Activation::Gelu)),
    ("SiLU", Curve::Known(Activation::Silu)),
    ("LogSigmoid", Curve::LogSigmoid),
    ("Softplus", Curve::Softplus),
    ("Softsign", Curve::Softsign),
    ("ELU", Curve::Elu),
    ("CELU", Curve::Elu),
    ("SELU", Curve::Selu),
    ("LeakyReLU", Curve::LeakyRelu),
    ("ReLU6", Curve::Relu6),
    ("Hardtanh", Curve::Hardtanh),
    ("Hardsigmoid", Curve::Hardsigmoid),
    ("Hardswish", Curve::Hardswish),
    ("Mish", Curve::Mish),
    ("Tanhshrink", Curve::Tanhshrink),
    ("Softshrink", Curve::Softshrink),
    ("Hardshrink", Curve::Hardshrink),
];

/// Above this PyTorch's Softplus is the identity.
const SOFTPLUS_THRESHOLD: f32 = 20.0;

/// The parameter of Softshrink and Hardshrink.
const SHRINK: f32 = 0.5;

/// The slope of `LeakyReLU` below 0.
const LEAK: f32 = 0.01;

/// The scale and alpha of SELU.
const SELU: [f32; 2] = [1.050_701, 1.673_263_2];

impl Curve {
    /// The curve of a class such as `torch.nn.modules.activation.Tanh`, which `owner` names.
    ///
    /// # Errors
    /// A contract error for classes outside PyTorch, which could be any code, and for those that
    /// are not curves of single numbers.
    pub(super) fn named(path: &str, owner: &str) -> Result<Self> {
        let class = path.rsplit('.').next().unwrap_or_default();
        let known = CURVES
            .iter()
            .find(|(name, _)| *name == class)
            .map(|(_, curve)| *curve);
        known
            .filter(|_| path.starts_with("torch.nn."))
            .ok_or_else(|| {
                let names: Vec<&str> = CURVES.iter().map(|(name, _)| *name).collect();
                let hint = format!("supported: {} of `torch.nn`", names.join(", "));
                Error::contract(format!(
                    "the activation `{path}` of {owner} is not supported"
                ))
                .hint(hint)
            })
    }

    /// The curve at `x`.
    pub(super) fn of(self, x: f32) -> f32 {
        match self {
            Self::Identity => x,
            Self::Known(activation) => curve(activation, x),
            Self::Sigmoid => sigmoid(x),
            // Without the smaller exponential's loss of digits on either side of 0.
            Self::LogSigmoid => x.min(0.0) - (-x.abs()).exp().ln_1p(),
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp_m1()
                }
            }
            Self::Selu => SELU[0] * if x > 0.0 { x } else { SELU[1] * x.exp_m1() },
            Self::LeakyRelu => {
                if x > 0.0 {
                    x
                } else {
                    LEAK * x
                }
            }
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::Hardtanh => x.clamp(-1.0, 1.0),
            Self::Hardsigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Self::Hardswish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Self::Mish => x * softplus(x).tanh(),
            Self::Tanhshrink => x - x.tanh(),
            Self::Softshrink => {
                if x.abs() > SHRINK {
                    x - SHRINK.copysign(x)
                } else {
                    0.0
                }
            }
            Self::Hardshrink => {
                if x.abs() > SHRINK {
                    x
                } else {
                    0.0
                }
            }
        }
    }
}

/// The curve of one number.
pub(super) fn curve(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Gelu => 0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2)),
        Activation::GeluTanh => {
            0.5 * x
                * (1.0 + ((2.0 / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f32) -> f32 {
    if x > SOFTPLUS_THRESHOLD {
        x
    } else {
        x.exp().ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the curves are compared.
    const POINTS: [f32; 10] = [-7.5, -3.0, -1.0, -0.4, 0.0, 0.3, 0.75, 2.5, 8.0, 25.0];

    /// (class, `torch.nn.CLASS()(POINTS)` of torch 2.15.0).
    #[expect(
        clippy::excessive_precision,
        clippy::unreadable_literal,
        reason = "as PyTorch prints them"
    )]
    const VALUES: [(&str, [f32; 10]); 21] = [
        (
            "Identity",
            [
                -7.5,
                -3.0,
                -1.0,
                -0.400000006,
                0.0,
                0.300000012,
                0.75,
                2.5,
                8.0,
                25.0,
            ],
        ),
        (
            "Sigmoid",
            [
                0.000552778656,
                0.0474258736,
                0.268941432,
                0.401312351,
                0.5,
                0.574442506,
                0.679178715,
                0.924141824,
                0.999664664,
                1.0,
            ],
        ),
        (
            "Tanh",
            [
                -0.999999404,
                -0.995054781,
                -0.761594176,
                -0.379948974,
                0.0,
                0.291312635,
                0.635148942,
                0.986614287,
                0.999999762,
                1.0,
            ],
        ),
        (
            "ReLU",
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.300000012, 0.75, 2.5, 8.0, 25.0],
        ),
        (
            "GELU",
            [
                -0.0,
                -0.00405022502,
                -0.158655256,
                -0.137831315,
                0.0,
                0.18537344,
                0.580029488,
                2.48447585,
                8.0,
                25.0,
            ],
        ),
        (
            "SiLU",
            [
                -0.00414583972,
                -0.142277613,
                -0.268941432,
                -0.160524949,
                0.0,
                0.172332764,
                0.509384036,
                2.31035447,
                7.99731731,
                25.0,
            ],
        ),
        (
            "LogSigmoid",
            [
                -7.50055313,
                -3.04858732,
                -1.31326175,
                -0.913015246,
                -0.693147182,
                -0.554355204,
                -0.38687101,
                -0.078889735,
                -0.000335406367,
                -1.38879437e-11,
            ],
        ),
        (
            "Softplus",
            [
                0.000552931451,
                0.048587352,
                0.313261688,
                0.51301527,
                0.693147182,
                0.854355276,
                1.1368711,
                2.57888985,
                8.00033569,
                25.0,
            ],
        ),
        (
            "Softsign",
            [
                -0.882352948,
                -0.75,
                -0.5,
                -0.285714298,
                0.0,
                0.230769247,
                0.428571433,
                0.714285731,
                0.888888896,
                0.961538434,
            ],
        ),
        (
            "ELU",
            [
                -0.999446929,
                -0.950212955,
                -0.63212055,
                -0.329679966,
                0.0,
                0.300000012,
                0.75,
                2.5,
                8.0,
                25.0,
            ],
        ),
        (
            "CELU",
            [
                -0.999446929,
                -0.950212955,
                -0.63212055,
                -0.329679966,
                0.0,
                0.300000012,
                0.75,
                2.5,
                8.0,
                25.0,
            ],
        ),
        (
            "SELU",
            [
                -1.75712693,
                -1.6705687,
                -1.11133075,
                -0.579610109,
                0.0,
                0.315210313,
                0.788025737,
                2.62675261,
                8.40560818,
                26.2675247,
            ],
        ),
        (
            "LeakyReLU",
            [
                -0.0749999955,
                -0.0299999993,
                -0.00999999978,
                -0.00400000019,
                0.0,
                0.300000012,
                0.75,
                2.5,
                8.0,
                25.0,
            ],
        ),
        (
            "ReLU6",
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.300000012, 0.75, 2.5, 6.0, 6.0],
        ),
        (
            "Hardtanh",
            [
                -1.0,
                -1.0,
                -1.0,
                -0.400000006,
                0.0,
                0.300000012,
                0.75,
                1.0,
                1.0,
                1.0,
            ],
        ),
        (
            "Hardsigmoid",
            [
                0.0,
                0.0,
                0.333333343,
                0.433333308,
                0.5,
                0.550000012,
                0.625,
                0.916666687,
                1.0,
                1.0,
            ],
        ),
        (
            "Hardswish",
            [
                -0.0,
                -0.0,
                -0.333333343,
                -0.173333332,
                0.0,
                0.165000007,
                0.46875,
                2.29166675,
                8.0,
                25.0,
            ],
        ),
        (
            "Mish",
            [
                -0.00414698524,
                -0.145647466,
                -0.30340144,
                -0.188916489,
                0.0,
                0.20800139,
                0.610018373,
                2.47139239,
                7.99999809,
                25.0,
            ],
        ),
        (
            "Tanhshrink",
            [
                -6.50000048,
                -2.00494528,
                -0.238405824,
                -0.0200510323,
                0.0,
                0.00868737698,
                0.114851058,
                1.51338577,
                7.0,
                24.0,
            ],
        ),
        (
            "Softshrink",
            [-7.0, -2.5, -0.5, -0.0, 0.0, 0.0, 0.25, 2.0, 7.5, 24.5],
        ),
        (
            "Hardshrink",
            [-7.5, -3.0, -1.0, 0.0, 0.0, 0.0, 0.75, 2.5, 8.0, 25.0],
        ),
    ];

    #[test]
    fn every_curve_is_pytorchs() {
        assert_eq!(VALUES.len(), CURVES.len());
        for (class, expected) in VALUES {
            let curve =
                Curve::named(&format!("torch.nn.modules.activation.{class}"), "a test").unwrap();
            for (x, expected) in POINTS.into_iter().zip(expected) {
                let found = curve.of(x);
                assert!(
                    (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                    "{class}({x}) = {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn classes_outside_pytorch_and_those_over_vectors_are_refused() {
        for path in [
            "my_code.Tanh",
            "Tanh",
            "torch.nn.modules.activation.Softmax",
            "torch.load",
            "",
        ] {
            let error = Curve::named(path, "a dense module").unwrap_err();
            assert!(error.message().contains(&format!("`{path}`")), "{error:?}");
        }
    }
}
