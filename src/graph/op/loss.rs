//! Losses, as models that were exported with their training's last node have them.

use super::reduction::{by_rows, log_soft_max};
use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::entry::Entry;
use crate::graph::layout::product;
use crate::graph::operator::{Built, Call, Definition, several};
use crate::graph::tensor::Tensor;
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("NegativeLogLikelihoodLoss", 2, 3, |node| loss(node, false))
        .since(12)
        .floats(),
    Entry::new("SoftmaxCrossEntropyLoss", 2, 3, |node| loss(node, true))
        .since(12)
        .floats(),
];

/// What becomes of the losses of all positions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Summary {
    None,
    Mean,
    Sum,
}

fn loss(node: &Definition, takes_scores: bool) -> Result<Built> {
    let summary = [Summary::None, Summary::Mean, Summary::Sum]
        [node.choice("reduction", &["none", "mean", "sum"], 1)?];
    let ignored = node.find_int("ignore_index")?;
    several(move |call: &mut Call| {
        let scores = call.tensor(0)?;
        if scores.rank() < 2 {
            return Err(Error::failed(format!(
                "a loss of a tensor of shape {:?}",
                scores.shape()
            )));
        }
        let logarithms = if takes_scores {
            by_rows(scores, 1, log_soft_max)?
        } else {
            scores.clone()
        };
        let loss = summed(
            &logarithms,
            call.tensor(1)?,
            call.optional(2)?,
            ignored,
            summary,
        )?;
        Ok(vec![
            Value::Tensor(cast(&loss, logarithms.element_type())?),
            Value::Tensor(logarithms),
        ])
    })
}

/// The negative logarithms at the targets, weighted, in double precision.
fn summed(
    logarithms: &Tensor,
    targets: &Tensor,
    weights: Option<&Tensor>,
    ignored: Option<i64>,
    summary: Summary,
) -> Result<Tensor> {
    let (shape, classes) = (logarithms.shape(), logarithms.shape()[1]);
    let indices = product(&shape[2..]);
    if targets.len() != shape[0] * indices
        || weights.is_some_and(|weights| weights.len() != classes)
    {
        return Err(Error::failed(format!(
            "targets of shape {:?} for {shape:?}",
            targets.shape()
        )));
    }
    let (values, targets, own_shape) =
        (logarithms.doubles()?, targets.integers()?, targets.shape());
    let weights = weights.map(Tensor::doubles).transpose()?;
    let mut losses = Vec::with_capacity(targets.len());
    let mut total = 0.0;
    for (index, &target) in targets.iter().enumerate() {
        if ignored == Some(target) {
            losses.push(0.0);
            continue;
        }
        let class = usize::try_from(target)
            .ok()
            .filter(|class| *class < classes);
        let class = class
            .ok_or_else(|| Error::failed(format!("the target {target} of {classes} classes")))?;
        let weight = weights.as_ref().map_or(1.0, |weights| weights[class]);
        losses.push(
            -weight * values[(index / indices * classes + class) * indices + index % indices],
        );
        total += weight;
    }
    match summary {
        Summary::None => Tensor::new(own_shape.to_vec(), losses),
        Summary::Sum => Ok(Tensor::scalar(losses.iter().sum::<f64>())),
        Summary::Mean => Ok(Tensor::scalar(losses.iter().sum::<f64>() / total)),
    }
}
