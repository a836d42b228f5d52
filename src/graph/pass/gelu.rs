//! GELU where exporters write it out, `x · (1 + erf(x / √2)) / 2` in five operators: made one,
//! which a chain of dense layers may take in.

use crate::graph::operator::Built;
use std::collections::HashMap;

use super::fuse::{readers, remove_nodes};
use super::role::{Part, Role};
use crate::graph::ir::Node;
use crate::graph::op::broadcast::change_all;
use crate::graph::operator::single;
use crate::graph::tensor::Tensor;
use crate::graph::value::ValueId;
use crate::graph::widening::Widening;
use crate::network::curve;
use crate::network::step::Activation;

/// Puts one node in the place of each such five.
pub(super) fn join_gelus(nodes: &mut Vec<Node>, outputs: &[ValueId]) {
    let readers = readers(nodes, outputs);
    let results = nodes.iter().enumerate().flat_map(|(index, node)| {
        node.outputs
            .iter()
            .flatten()
            .map(move |value| (*value, index))
    });
    let makers: HashMap<ValueId, usize> = results.collect();
    let mut is_gone = vec![false; nodes.len()];
    for index in 0..nodes.len() {
        let Some(found) = (Search {
            nodes,
            readers: &readers,
            makers: &makers,
        })
        .around(index) else {
            continue;
        };
        found
            .indices
            .iter()
            .for_each(|index| is_gone[*index] = *index != found.last);
        let label = format!("{} to {}", nodes[index].label, nodes[found.last].label);
        let node = &mut nodes[found.last];
        if let Ok(Built { kernel, .. }) = single(|call| change_all(call.take(0)?, curve::gelu)) {
            (node.label, node.kernel, node.widening, node.inputs) = (
                label,
                kernel,
                Widening::None,
                vec![Some((found.data, false))],
            );
            node.role = Some(Role {
                data: found.data,
                part: Part::Activation(Activation::Gelu),
            });
        }
    }
    remove_nodes(nodes, &is_gone);
}

/// What stands around an error function.
struct Found {
    data: ValueId,
    indices: Vec<usize>,
    /// The last of them, whose result is the function's.
    last: usize,
}

struct Search<'a> {
    nodes: &'a [Node],
    readers: &'a HashMap<ValueId, Vec<usize>>,
    makers: &'a HashMap<ValueId, usize>,
}

impl Search<'_> {
    /// The five nodes, if the one at this place is the error function of such.
    fn around(&self, index: usize) -> Option<Found> {
        let erf = self.nodes[index]
            .role
            .as_ref()
            .filter(|role| matches!(role.part, Part::Erf))?;
        let scaling = self.maker(erf.data)?;
        let data = match self.role(scaling)? {
            Role {
                data,
                part: Part::Divide(by),
            } if is(by, std::f32::consts::SQRT_2) => *data,
            Role {
                data,
                part: Part::Multiply(by),
            } if is(by, std::f32::consts::FRAC_1_SQRT_2) => *data,
            _ => return None,
        };
        let adding = self.only_reader(index)?;
        if !matches!(&self.role(adding)?.part, Part::Add(one) if is(one, 1.0)) {
            return None;
        }
        let (sum, times) = (self.result(adding)?, self.only_reader(adding)?);
        let Role {
            data: left,
            part: Part::Times(right),
        } = self.role(times)?
        else {
            return None;
        };
        let other = if *left == sum { *right } else { *left };
        let mut indices = vec![scaling, index, adding, times];
        if other == data {
            let halving = self.only_reader(times)?;
            indices.push(halving);
            return self.halves(halving).map(|_| Found {
                data,
                indices,
                last: halving,
            });
        }
        let halving = self.maker(other)?;
        indices.push(halving);
        let is_own = self.only_reader(halving) == Some(times) && self.halves(halving) == Some(data);
        is_own.then_some(Found {
            data,
            indices,
            last: times,
        })
    }

    fn role(&self, index: usize) -> Option<&Role> {
        self.nodes[index].role.as_ref()
    }

    /// What a node halves, if it does.
    fn halves(&self, index: usize) -> Option<ValueId> {
        match self.role(index)? {
            Role {
                data,
                part: Part::Multiply(by),
            } if is(by, 0.5) => Some(*data),
            Role {
                data,
                part: Part::Divide(by),
            } if is(by, 2.0) => Some(*data),
            _ => None,
        }
    }

    /// The node that makes a value no one else reads but one.
    fn maker(&self, value: ValueId) -> Option<usize> {
        let is_single = self
            .readers
            .get(&value)
            .is_some_and(|readers| readers.len() == 1);
        self.makers.get(&value).copied().filter(|_| is_single)
    }

    fn result(&self, index: usize) -> Option<ValueId> {
        match self.nodes[index].outputs.as_slice() {
            [Some(result)] => Some(*result),
            _ => None,
        }
    }

    fn only_reader(&self, index: usize) -> Option<usize> {
        match self.readers.get(&self.result(index)?)?.as_slice() {
            [reader] if *reader < self.nodes.len() => Some(*reader),
            _ => None,
        }
    }
}

/// Whether a constant is this one number, as near as single precision writes it.
fn is(tensor: &Tensor, expected: f32) -> bool {
    let is_one = matches!(tensor.shape(), [] | [1]);
    is_one
        && tensor
            .values::<f32>()
            .is_ok_and(|values| (values[0] - expected).abs() <= 1e-6)
}
