//! A node's inputs while its graph is built: which values they are, and which of them never change.
//!
//! It must not know operators.

use std::collections::HashMap;

use super::operator::Definition;
use super::tensor::Tensor;
use super::value::{Value, ValueId};

/// The inputs of a node, captures included.
pub(super) struct Operands<'a> {
    pub(super) ids: &'a [Option<ValueId>],
    pub(super) constants: &'a HashMap<ValueId, Value>,
}

impl Operands<'_> {
    /// Whether the inputs are those that the node lists and no captures alongside them.
    pub(super) fn are_all_listed(&self, node: &Definition) -> bool {
        self.ids.len() == node.inputs.len()
    }

    /// The value in this place, if it is given.
    pub(super) fn id(&self, index: usize) -> Option<ValueId> {
        self.ids.get(index).copied().flatten()
    }

    /// The tensor in this place, if it never changes.
    pub(super) fn constant(&self, index: usize) -> Option<&Tensor> {
        match self.constants.get(&self.id(index)?)? {
            Value::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The same, if it is in single precision.
    pub(super) fn single(&self, index: usize) -> Option<Tensor> {
        self.constant(index)
            .filter(|tensor| tensor.values::<f32>().is_ok())
            .cloned()
    }
}
