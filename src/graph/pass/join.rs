//! Convolutions with constant filters, found among a graph's nodes: packed once, and joined with
//! what follows them.
//!
//! A normalisation of batches with constant statistics becomes part of the filters, as ONNX Runtime
//! does it; the sum with another tensor, a rectifier or limits are done to the results on their way
//! to memory. Each must be the only reader of what is before it. What does not fit stays as it was.

use crate::graph::operator::Built;
use std::collections::HashMap;

use super::fuse::{readers, remove_nodes};
use super::role::{Joint, Normalization, Source};
use crate::error::Result;
use crate::graph::ir::Node;
use crate::graph::op::broadcast::change;
use crate::graph::op::convolution::Packed;
use crate::graph::op::elementwise::{Arithmetic, combine};
use crate::graph::op::window::Sliding;
use crate::graph::operator::{Call, single};
use crate::graph::tensor::Tensor;
use crate::graph::value::ValueId;
use crate::graph::widening::Widening;
use crate::kernel::convolution::{Activation, Finish};

impl Source {
    /// The same with a normalisation behind it, if that is of its channels.
    fn normalized(&self, by: &Normalization) -> Option<Self> {
        let filters = *self.weights.shape().first()?;
        if by.factors.len() != filters || filters == 0 {
            return None;
        }
        let weights = self.weights.values::<f32>().ok()?;
        let own = weights.len() / filters;
        let scaled = weights.chunks_exact(own.max(1)).zip(&by.factors);
        let scaled = scaled
            .flat_map(|(weights, factor)| {
                weights
                    .iter()
                    .map(move |weight| (f64::from(*weight) * factor) as f32)
            })
            .collect();
        let before = self
            .bias
            .as_ref()
            .map_or_else(|| Some(vec![0.0; filters]), |bias| bias.doubles().ok())?;
        let shifted = before
            .iter()
            .zip(by.factors.iter().zip(&by.shifts))
            .map(|(bias, (factor, shift))| (bias * factor + shift) as f32)
            .collect();
        let weights = Tensor::new(self.weights.shape().to_vec(), scaled).ok()?;
        (before.len() == filters).then(|| Self {
            weights,
            bias: Some(Tensor::vector(shifted)),
            ..self.clone()
        })
    }
}

/// A convolution and what follows it, ready to run: the images first, then what is added.
struct Joined {
    packed: Packed,
    sliding: Sliding,
    activation: Activation,
}

impl Joined {
    fn run(&self, call: &Call) -> Result<Tensor> {
        let out = self.convolve(call)?;
        call.fuel
            .burn_products(out.len().saturating_mul(self.packed.depth()), out.len())?;
        Ok(out)
    }

    fn convolve(&self, call: &Call) -> Result<Tensor> {
        let (data, other) = (call.tensor(0)?, call.optional(1)?);
        let Some(other) = other else {
            return self.packed.run(
                data,
                &self.sliding,
                Finish {
                    residual: None,
                    activation: self.activation,
                },
            );
        };
        if let Ok(residual) = other.values::<f32>()
            && other.shape() == self.packed.result_shape(data, &self.sliding)?
        {
            return self.packed.run(
                data,
                &self.sliding,
                Finish {
                    residual: Some(residual),
                    activation: self.activation,
                },
            );
        }
        let plain = self.packed.run(
            data,
            &self.sliding,
            Finish {
                residual: None,
                activation: Activation::None,
            },
        )?;
        let activation = self.activation;
        change(
            combine(Arithmetic::Add, &plain, other)?,
            move |value: &mut f32| *value = activation.of(*value),
        )
    }
}

/// Puts one node in the place of each convolution with constant filters and what follows it, as
/// long as packed filters take no more than `room` bytes; gives what is left of it. `outputs` are
/// the graph's.
pub(crate) fn join(nodes: &mut Vec<Node>, outputs: &[ValueId], mut room: usize) -> usize {
    let readers = readers(nodes, outputs);
    let mut is_gone = vec![false; nodes.len()];
    for first in 0..nodes.len() {
        if room == 0 {
            break;
        }
        let Some(Joint::Convolution(source)) = &nodes[first].joint else {
            continue;
        };
        let Some((last, added, joined, gone)) = joined(first, source, nodes, &readers, &is_gone)
        else {
            continue;
        };
        let data = source.data;
        gone.into_iter().for_each(|index| is_gone[index] = true);
        let label = if first == last {
            nodes[first].label.clone()
        } else {
            format!("{} to {}", nodes[first].label, nodes[last].label)
        };
        let node = &mut nodes[last];
        node.memory_bytes = joined.packed.memory_bytes();
        room = room.saturating_sub(node.memory_bytes);
        if let Ok(Built { kernel, .. }) = single(move |call| joined.run(call)) {
            (node.label, node.kernel, node.widening) = (label, kernel, Widening::None);
            (node.role, node.joint, node.column_role, node.takes_blocks) =
                (None, None, None, false);
            node.inputs = [Some(data), added]
                .into_iter()
                .flatten()
                .map(|id| Some((id, false)))
                .collect();
        }
    }
    remove_nodes(nodes, &is_gone);
    room
}

/// The last node that a convolution is joined with, what is added to it, the kernel, and the nodes
/// that are no longer needed.
fn joined(
    first: usize,
    source: &Source,
    nodes: &[Node],
    readers: &HashMap<ValueId, Vec<usize>>,
    is_gone: &[bool],
) -> Option<(usize, Option<ValueId>, Joined, Vec<usize>)> {
    let (mut source, mut last, mut added, mut activation, mut gone) =
        (source.clone(), first, None, Activation::None, Vec::new());
    while let [Some(result)] = nodes[last].outputs.as_slice()
        && let Some([reader]) = readers.get(result).map(Vec::as_slice)
        && let Some(joint) = nodes.get(*reader).and_then(|node| node.joint.as_ref())
        && activation == Activation::None
        && !is_gone[*reader]
    {
        match joint {
            Joint::Normalization(normalization) if added.is_none() => {
                match source.normalized(normalization) {
                    Some(normalized)
                        if nodes[*reader].inputs.first() == Some(&Some((*result, false))) =>
                    {
                        source = normalized;
                    }
                    _ => break,
                }
            }
            Joint::Sum(both) if added.is_none() => {
                added = both.iter().copied().find(|id| id != result);
            }
            Joint::Activation(follows)
                if nodes[*reader].inputs.first() == Some(&Some((*result, false))) =>
            {
                activation = *follows;
            }
            _ => break,
        }
        gone.push(last);
        last = *reader;
    }
    let packed = Packed::new(&source.weights, source.bias.as_ref(), source.groups).ok()?;
    Some((
        last,
        added,
        Joined {
            packed,
            sliding: source.sliding,
            activation,
        },
        gone,
    ))
}
