//! What the models of `ai.onnx.ml` do to their raw scores: post-transforms, the second class, and
//! the label that wins.
//!
//! In single precision and in ONNX Runtime's order of operations.

use crate::error::Result;
use crate::graph::operator::Definition;
use crate::graph::tensor::Tensor;
use crate::graph::value::Value;

/// What becomes of a row of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transform {
    None,
    Softmax,
    Logistic,
    SoftmaxZero,
    Probit,
}

/// The transforms in the order of their numbers in `TreeEnsemble`.
pub(super) const TRANSFORMS: [Transform; 5] = [
    Transform::None,
    Transform::Softmax,
    Transform::Logistic,
    Transform::SoftmaxZero,
    Transform::Probit,
];

impl Transform {
    pub(crate) fn of(node: &Definition) -> Result<Self> {
        Ok(TRANSFORMS[node.choice(
            "post_transform",
            &["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"],
            0,
        )?])
    }

    /// Transforms one row in place.
    pub(crate) fn apply(self, row: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Logistic => row.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Probit => row.iter_mut().for_each(|score| *score = probit(*score)),
            Self::Softmax => {
                let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                row.iter_mut()
                    .for_each(|score| *score = (*score - largest).exp());
                let sum: f32 = row.iter().sum();
                row.iter_mut().for_each(|score| *score /= sum);
            }
            Self::SoftmaxZero => {
                let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let is_zero = |score: f32| score.abs() <= 1e-7;
                let shift = (-largest).exp();
                row.iter_mut().for_each(|score| {
                    *score = if is_zero(*score) {
                        *score * shift
                    } else {
                        (*score - largest).exp()
                    }
                });
                let sum: f32 = row.iter().sum();
                if sum != 0.0 {
                    row.iter_mut().for_each(|score| *score /= sum);
                }
            }
        }
    }
}

/// 1 / (1 + exp(−x)), from the side where nothing overflows.
pub(crate) fn logistic(value: f32) -> f32 {
    let upper = 1.0 / (1.0 + (-value.abs()).exp());
    if value < 0.0 { 1.0 - upper } else { upper }
}

/// √2 · erf⁻¹(2x − 1), by Winitzki's approximation, as ONNX Runtime has it.
fn probit(value: f32) -> f32 {
    let x = 2.0 * value - 1.0;
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let a = 2.0 / (std::f32::consts::PI * 0.147) + 0.5 * log;
    let b = 1.0 / 0.147 * log;
    std::f32::consts::SQRT_2 * sign * (-a + (a * a - b).sqrt()).sqrt()
}

/// The label of each row (by its class's number), and the scores.
pub(crate) fn labelled(labels: &Tensor, classes: &[usize], scores: Tensor) -> Result<Vec<Value>> {
    let label = labels.runs(classes, 1, vec![classes.len()])?;
    Ok(vec![Value::Tensor(label), Value::Tensor(scores)])
}

/// The first of the largest scores.
pub(crate) fn largest(row: &[f32]) -> usize {
    row.iter().enumerate().fold(
        0,
        |best, (index, score)| if *score > row[best] { index } else { best },
    )
}
