//! What operators can be next to a convolution.
//!
//! Owns how a node's definition and constants become a [`Joint`]; the operators name these
//! functions. It must not know how convolutions are joined.

use super::role::{Joint, Normalization, Source};
use crate::graph::op::window::{Sliding, group_count};
use crate::graph::operand::Operands;
use crate::graph::operator::Definition;
use crate::graph::tensor::Tensor;
use crate::kernel::convolution::Activation;

/// `Conv` with constant filters.
pub(crate) fn convolution(node: &Definition, operands: &Operands<'_>) -> Option<Joint> {
    let bias = operands.single(2);
    let is_packable = bias.is_some() == operands.id(2).is_some();
    let weights = operands.single(1);
    let weights = weights.filter(|weights| is_packable && !weights.is_empty())?;
    let (sliding, groups) = (Sliding::of(node).ok()?, group_count(node).ok()?);
    Some(Joint::Convolution(Source {
        data: operands.id(0)?,
        sliding,
        groups,
        weights,
        bias,
    }))
}

/// `BatchNormalization` by constants.
pub(crate) fn normalization(node: &Definition, operands: &Operands<'_>) -> Option<Joint> {
    let constant = |index| operands.single(index);
    let parameters = [constant(1)?, constant(2)?, constant(3)?, constant(4)?];
    let is_training = node.flag("training_mode", false).ok()?
        || node.outputs.iter().skip(1).any(|expected| *expected);
    let epsilon = f64::from(node.float("epsilon", 1e-5).ok()?);
    let [scale, bias, mean, variance] =
        parameters.map(|parameter: Tensor| parameter.doubles().ok());
    let (scale, bias, mean, variance) = (scale?, bias?, mean?, variance?);
    if is_training
        || [&bias, &mean, &variance]
            .iter()
            .any(|other| other.len() != scale.len())
    {
        return None;
    }
    let factors: Vec<f64> = scale
        .iter()
        .zip(&variance)
        .map(|(scale, variance)| scale / (variance + epsilon).sqrt())
        .collect();
    let shifts = bias
        .iter()
        .zip(&mean)
        .zip(&factors)
        .map(|((bias, mean), factor)| bias - mean * factor)
        .collect();
    Some(Joint::Normalization(Normalization { factors, shifts }))
}

/// `Add` of two values that change.
pub(crate) fn sum(node: &Definition, operands: &Operands<'_>) -> Option<Joint> {
    if node.version < 7 {
        return None;
    }
    let both = [operands.id(0)?, operands.id(1)?];
    let changes = |id| !operands.constants.contains_key(id);
    (both[0] != both[1] && both.iter().all(changes)).then_some(Joint::Sum(both))
}

/// `Relu`.
#[expect(clippy::unnecessary_wraps, reason = "a role of an entry may be none")]
pub(crate) fn relu(_node: &Definition, _operands: &Operands<'_>) -> Option<Joint> {
    Some(Joint::Activation(Activation::Clamp {
        least: 0.0,
        most: f32::INFINITY,
    }))
}

/// `LeakyRelu`.
pub(crate) fn leaky_relu(node: &Definition, _operands: &Operands<'_>) -> Option<Joint> {
    let alpha = node.float("alpha", 0.01).ok();
    let alpha = alpha.filter(|alpha| alpha.is_finite())?;
    Some(Joint::Activation(Activation::Leaky(alpha)))
}

/// `Clip` to constants.
pub(crate) fn clip(node: &Definition, operands: &Operands<'_>) -> Option<Joint> {
    let limit = |index: usize, name: &str, default: f32| match operands.id(index) {
        _ if node.version < 11 => node.float(name, default).ok(),
        None => Some(default),
        Some(_) => operands
            .single(index)
            .filter(|limit| limit.rank() < 2)
            .and_then(|limit| match limit.values::<f32>() {
                Ok([one]) => Some(*one),
                _ => None,
            }),
    };
    let (least, most) = (
        limit(1, "min", f32::NEG_INFINITY)?,
        limit(2, "max", f32::INFINITY)?,
    );
    (!least.is_nan() && !most.is_nan())
        .then_some(Joint::Activation(Activation::Clamp { least, most }))
}
