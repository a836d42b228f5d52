//! Layers and weights to steps: every width is followed through the network and checked against the
//! tensors.
//!
//! It must not compute: [`super::step`] does.

use super::architecture::{Architecture, Layer};
use super::step::{Activation, RowStep, Step, activate, then};
use super::weights::{Extent, Weights};
use crate::error::{Error, Result};
use crate::kernel::product::Dense;

/// The widest row between two layers: a block of rows then takes 32 MiB at most, whatever a
/// manifest claims.
const MAX_WIDTH: usize = 1 << 16;

/// The steps of a network of `width` numbers a row, and the width of its result.
pub(super) fn steps(
    architecture: &Architecture,
    weights: &mut Weights<'_>,
    width: usize,
) -> Result<(Vec<Step>, usize)> {
    let mut builder = Builder { weights, width };
    check_width(width)?;
    let steps = builder.sequence(&architecture.layers, "layers")?;
    Ok((steps, builder.width))
}

fn check_width(width: usize) -> Result<()> {
    if (1..=MAX_WIDTH).contains(&width) {
        return Ok(());
    }
    Err(Error::contract(format!(
        "a row of {width} numbers: tallow takes networks of 1 to {MAX_WIDTH} numbers a row"
    )))
}

struct Builder<'a, 'b> {
    weights: &'a mut Weights<'b>,
    /// The numbers that a row has at this point of the network.
    width: usize,
}

impl Builder<'_, '_> {
    fn sequence(&mut self, layers: &[Layer], location: &str) -> Result<Vec<Step>> {
        let mut steps = Vec::with_capacity(layers.len());
        for (index, layer) in layers.iter().enumerate() {
            let location = format!("{location}[{index}]");
            self.layer(layer, &location, &mut steps)
                .map_err(|error| error.at_node(format!("{location}, {}", layer.name())))?;
        }
        Ok(steps)
    }

    fn layer(&mut self, layer: &Layer, location: &str, steps: &mut Vec<Step>) -> Result<()> {
        match layer {
            Layer::Linear { weights, bias } => self.linear(weights, *bias, steps)?,
            Layer::BatchNorm {
                weights,
                affine,
                epsilon,
            } => then(steps, self.batch_norm(weights, *affine, *epsilon)?),
            Layer::LayerNorm {
                weights,
                bias,
                epsilon,
            } => then(steps, self.layer_norm(weights.as_deref(), *bias, *epsilon)?),
            Layer::Residual { layers, shortcut } => {
                steps.push(self.residual(layers, shortcut, location)?);
            }
            Layer::Dropout { .. } => {}
            Layer::Relu {} => activate(steps, Activation::Relu),
            Layer::LeakyRelu { slope } => {
                activate(steps, Activation::LeakyRelu(finite(*slope, "slope")?));
            }
            Layer::Elu { alpha } => activate(steps, Activation::Elu(finite(*alpha, "alpha")?)),
            Layer::Gelu {} => activate(steps, Activation::Gelu),
            Layer::GeluTanh {} => activate(steps, Activation::GeluTanh),
            Layer::Silu {} => activate(steps, Activation::Silu),
            Layer::Tanh {} => activate(steps, Activation::Tanh),
            Layer::Sigmoid {} => activate(steps, Activation::Sigmoid),
        }
        Ok(())
    }

    fn linear(&mut self, prefix: &str, bias: bool, steps: &mut Vec<Step>) -> Result<()> {
        let inner = self.width;
        let weight = self.weights.take(
            &tensor(prefix, "weight"),
            &[Extent::Any, Extent::Exactly(inner)],
        )?;
        self.width = weight.shape.first().copied().unwrap_or(0);
        check_width(self.width)?;
        let hint = |error: Error| {
            if error.hint_text().is_some() {
                error.hint("say `bias = false` if the layer has none")
            } else {
                error
            }
        };
        let values = if bias {
            Some(self.vector(prefix, "bias").map_err(hint)?)
        } else {
            None
        };
        steps.push(Step::Product(Dense::new(
            inner,
            self.width,
            |row, column| weight.values[column * inner + row],
            values.as_deref(),
        )?));
        Ok(())
    }

    /// PyTorch's evaluation form: x · α + β with α = weight / √(variance + ε) and β = bias − mean ·
    /// α, in single precision.
    fn batch_norm(&mut self, prefix: &str, affine: bool, epsilon: f64) -> Result<RowStep> {
        let epsilon = check_epsilon(epsilon)? as f32;
        let mean = self.vector(prefix, "running_mean")?;
        let variance = self.vector(prefix, "running_var")?;
        let (gain, bias) = if affine {
            (self.vector(prefix, "weight")?, self.vector(prefix, "bias")?)
        } else {
            (vec![1.0; self.width], vec![0.0; self.width])
        };
        let scale: Vec<f32> = gain
            .iter()
            .zip(&variance)
            .map(|(gain, variance)| gain * (1.0 / (variance + epsilon).sqrt()))
            .collect();
        if let Some(at) = scale.iter().position(|value| !value.is_finite()) {
            return Err(Error::failed(format!(
                "the tensor `{}` holds `{}` at position {at}, which is not a variance",
                tensor(prefix, "running_var"),
                variance[at]
            )));
        }
        let shift = bias
            .iter()
            .zip(mean.iter().zip(&scale))
            .map(|(bias, (mean, scale))| bias - mean * scale)
            .collect();
        Ok(RowStep::Affine { scale, shift })
    }

    fn layer_norm(&mut self, prefix: Option<&str>, bias: bool, epsilon: f64) -> Result<RowStep> {
        let gain = prefix
            .map(|prefix| self.vector(prefix, "weight"))
            .transpose()?;
        let shift = prefix
            .filter(|_| bias)
            .map(|prefix| self.vector(prefix, "bias"))
            .transpose()?;
        Ok(RowStep::Normalise {
            epsilon: check_epsilon(epsilon)?,
            gain,
            shift,
        })
    }

    fn residual(&mut self, layers: &[Layer], shortcut: &[Layer], location: &str) -> Result<Step> {
        let start = self.width;
        let branch = self.sequence(layers, &format!("{location}.layers"))?;
        let branch_width = std::mem::replace(&mut self.width, start);
        let shortcut = self.sequence(shortcut, &format!("{location}.shortcut"))?;
        if branch_width == self.width {
            return Ok(Step::Residual { branch, shortcut });
        }
        let message = format!(
            "the branch ends in {branch_width} numbers a row, and what is added to it has {}",
            self.width
        );
        Err(Error::contract(message).hint(
            "end the branch in its input's width, or give the block a `shortcut` with a linear \
             layer",
        ))
    }

    fn vector(&mut self, prefix: &str, name: &str) -> Result<Vec<f32>> {
        Ok(self
            .weights
            .take(&tensor(prefix, name), &[Extent::Exactly(self.width)])?
            .values)
    }
}

/// The name of a layer's tensor; an empty prefix means that the file holds this layer alone.
pub(super) fn tensor(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn finite(value: f64, name: &str) -> Result<f32> {
    let single = value as f32;
    if single.is_finite() {
        Ok(single)
    } else {
        Err(Error::contract(format!(
            "`{name} = {value}` is not a finite number"
        )))
    }
}

fn check_epsilon(epsilon: f64) -> Result<f64> {
    let fits = epsilon.is_finite() && epsilon >= 0.0;
    if fits {
        Ok(epsilon)
    } else {
        Err(Error::contract(format!(
            "`epsilon = {epsilon}` is not a small positive number"
        )))
    }
}
