//! The functions of a recurrent layer's gates, one number or one row at a time.

use crate::error::{Error, Result};
use crate::network::curve;

/// What the standard lets a gate be.
#[derive(Clone, Copy, Debug)]
enum Function {
    Sigmoid,
    Tanh,
    Relu,
    SoftPlus,
    SoftSign,
    Affine,
    ScaledTanh,
    LeakyRelu,
    ThresholdedRelu,
    Elu,
    HardSigmoid,
}

/// A function with two parameters.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    function: Function,
    alpha: f64,
    beta: f64,
}

impl Gate {
    pub(crate) fn of(name: &str, alpha: Option<f32>, beta: Option<f32>) -> Result<Self> {
        let (function, default_alpha, default_beta) = match name.to_lowercase().as_str() {
            "sigmoid" => (Function::Sigmoid, 1.0, 0.0),
            "tanh" => (Function::Tanh, 1.0, 0.0),
            "relu" => (Function::Relu, 1.0, 0.0),
            "softplus" => (Function::SoftPlus, 1.0, 0.0),
            "softsign" => (Function::SoftSign, 1.0, 0.0),
            "affine" => (Function::Affine, 1.0, 1.0),
            "scaledtanh" => (Function::ScaledTanh, 1.0, 1.0),
            "leakyrelu" => (Function::LeakyRelu, 0.01, 0.0),
            "thresholdedrelu" => (Function::ThresholdedRelu, 1.0, 0.0),
            "elu" => (Function::Elu, 1.0, 0.0),
            "hardsigmoid" => (Function::HardSigmoid, 0.2, 0.5),
            other => {
                return Err(Error::contract(format!(
                    "the activation `{other}` is not supported"
                )));
            }
        };
        Ok(Self {
            function,
            alpha: alpha.map_or(default_alpha, f64::from),
            beta: beta.map_or(default_beta, f64::from),
        })
    }

    pub(crate) fn at(&self, x: f64) -> f64 {
        let (alpha, beta) = (self.alpha, self.beta);
        match self.function {
            Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Function::Tanh => x.tanh(),
            Function::Relu => x.max(0.0),
            Function::SoftPlus => x.exp().ln_1p(),
            Function::SoftSign => x / (1.0 + x.abs()),
            Function::Affine => alpha * x + beta,
            Function::ScaledTanh => alpha * (beta * x).tanh(),
            Function::LeakyRelu if x < 0.0 => alpha * x,
            Function::Elu if x < 0.0 => alpha * x.exp_m1(),
            Function::LeakyRelu | Function::Elu => x,
            Function::ThresholdedRelu if x > alpha => x,
            Function::ThresholdedRelu => 0.0,
            Function::HardSigmoid => (alpha * x + beta).clamp(0.0, 1.0),
        }
    }

    /// The function of every number, those that nearly all layers have by polynomials in single
    /// precision.
    pub(crate) fn apply(&self, row: &mut [f32]) {
        match self.function {
            Function::Sigmoid => curve::sigmoid(row),
            Function::Tanh => curve::tanh(row),
            _ => row
                .iter_mut()
                .for_each(|value| *value = self.at(f64::from(*value)) as f32),
        }
    }
}
