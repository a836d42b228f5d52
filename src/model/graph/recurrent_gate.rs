//! The functions of a recurrent layer's gates, one number or one row at a time.

use crate::error::{Error, Result};
use crate::model::network::curve;

/// A function with two parameters.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    name: String,
    alpha: f64,
    beta: f64,
}

impl Gate {
    pub(super) fn of(name: &str, alpha: Option<f32>, beta: Option<f32>) -> Result<Self> {
        let (default_alpha, default_beta) = match name.to_lowercase().as_str() {
            "sigmoid" | "tanh" | "relu" | "softplus" | "softsign" | "thresholdedrelu" | "elu" => (1.0, 0.0),
            "affine" | "scaledtanh" => (1.0, 1.0),
            "leakyrelu" => (0.01, 0.0),
            "hardsigmoid" => (0.2, 0.5),
            other => return Err(Error::contract(format!("the activation `{other}` is not supported"))),
        };
        Ok(Self { name: name.to_lowercase(), alpha: alpha.map_or(default_alpha, f64::from), beta: beta.map_or(default_beta, f64::from) })
    }

    pub(super) fn at(&self, x: f64) -> f64 {
        let (alpha, beta) = (self.alpha, self.beta);
        match self.name.as_str() {
            "sigmoid" => 1.0 / (1.0 + (-x).exp()),
            "tanh" => x.tanh(),
            "relu" => x.max(0.0),
            "softplus" => x.exp().ln_1p(),
            "softsign" => x / (1.0 + x.abs()),
            "affine" => alpha * x + beta,
            "scaledtanh" => alpha * (beta * x).tanh(),
            "leakyrelu" if x < 0.0 => alpha * x,
            "thresholdedrelu" => {
                if x > alpha {
                    x
                } else {
                    0.0
                }
            }
            "elu" if x < 0.0 => alpha * x.exp_m1(),
            "leakyrelu" | "elu" => x,
            _ => (alpha * x + beta).clamp(0.0, 1.0),
        }
    }

    /// The function of every number, those that nearly all layers have by polynomials in single precision.
    pub(super) fn apply(&self, row: &mut [f32]) {
        match self.name.as_str() {
            "sigmoid" => curve::sigmoid(row),
            "tanh" => curve::tanh(row),
            _ => row.iter_mut().for_each(|value| *value = self.at(f64::from(*value)) as f32),
        }
    }
}
