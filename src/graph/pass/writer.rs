//! What writes an operator out as several others: it adds nodes to the graph that is built.
//!
//! Owns how such nodes are put down. It must not know the operators.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::operator::{Attribute, Definition};
use crate::graph::tensor::Tensor;
use crate::graph::value::{Value, ValueId};

/// The operator set of what the operators are made of.
const VERSION: i64 = 24;

/// The code of single precision, as `Cast` takes it.
pub(crate) const FLOAT: i64 = 1;

/// The outputs of an operator that is written out.
pub(crate) type Made = Vec<Option<ValueId>>;

/// A graph that takes nodes.
pub(crate) trait Nodes {
    /// Adds a node and gives the numbers of its outputs, one for each that `definition` lists.
    ///
    /// # Errors
    /// Fails if the operator is not known, has another number of inputs, or refuses its attributes.
    fn node(&mut self, definition: &Definition, inputs: &[Option<ValueId>])
    -> Result<Vec<ValueId>>;

    /// A new value that never changes.
    fn constant(&mut self, value: Value) -> ValueId;

    /// A value, if it never changes.
    fn find_constant(&self, id: ValueId) -> Option<&Value>;
}

/// An operator being written out.
pub(crate) struct Writer<'a> {
    pub(crate) nodes: &'a mut dyn Nodes,
    pub(crate) node: &'a Definition,
    pub(crate) inputs: &'a [Option<ValueId>],
}

pub(crate) fn int(name: &'static str, value: i64) -> (&'static str, Attribute) {
    (name, Attribute::Int(value))
}

pub(crate) fn float(name: &'static str, value: f32) -> (&'static str, Attribute) {
    (name, Attribute::Float(value))
}

pub(crate) type Named = (&'static str, Attribute);

impl Writer<'_> {
    pub(crate) fn input(&self, index: usize) -> Result<ValueId> {
        self.optional(index)
            .ok_or_else(|| Error::failed(format!("input {index} is missing")))
    }

    pub(crate) fn optional(&self, index: usize) -> Option<ValueId> {
        self.inputs.get(index).copied().flatten()
    }

    pub(crate) fn constant(&mut self, tensor: Tensor) -> ValueId {
        self.nodes.constant(tensor.into())
    }

    /// An attribute of the operator that is one of the node it is written out as.
    pub(crate) fn own(&self, name: &'static str) -> Option<Named> {
        self.node
            .attributes
            .get(name)
            .map(|value| (name, value.clone()))
    }

    pub(crate) fn all_of(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[Option<ValueId>],
        attributes: Vec<Named>,
        outputs: usize,
    ) -> Result<Vec<ValueId>> {
        let definition = Definition {
            name: self.node.name.clone(),
            operator: operator.to_owned(),
            domain: domain.to_owned(),
            version: if domain.is_empty() { VERSION } else { 1 },
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<HashMap<String, Attribute>>(),
            inputs: inputs.iter().map(Option::is_some).collect(),
            outputs: vec![true; outputs],
        };
        self.nodes.node(&definition, inputs)
    }

    pub(crate) fn add_node(
        &mut self,
        operator: &str,
        inputs: &[ValueId],
        attributes: Vec<Named>,
    ) -> Result<ValueId> {
        self.sparse(
            operator,
            &inputs.iter().copied().map(Some).collect::<Vec<_>>(),
            attributes,
        )
    }

    /// A node some of whose inputs may be dropped.
    pub(crate) fn sparse(
        &mut self,
        operator: &str,
        inputs: &[Option<ValueId>],
        attributes: Vec<Named>,
    ) -> Result<ValueId> {
        let provided = inputs
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |last| last + 1);
        self.all_of("", operator, &inputs[..provided], attributes, 1)?
            .first()
            .copied()
            .ok_or_else(|| Error::internal("a node without an output"))
    }

    /// The one node of these inputs of the operator.
    pub(crate) fn ends(
        &mut self,
        operator: &str,
        indices: &[usize],
        attributes: Vec<Named>,
    ) -> Result<Made> {
        let inputs = indices
            .iter()
            .map(|index| self.input(*index))
            .collect::<Result<Vec<ValueId>>>()?;
        Ok(vec![Some(self.add_node(operator, &inputs, attributes)?)])
    }

    /// The value with another added, if there is one.
    pub(crate) fn plus(&mut self, value: ValueId, other: Option<ValueId>) -> Result<ValueId> {
        other.map_or(Ok(value), |other| {
            self.add_node("Add", &[value, other], vec![])
        })
    }

    pub(crate) fn real(
        &mut self,
        value: ValueId,
        scale: ValueId,
        zero: Option<ValueId>,
    ) -> Result<ValueId> {
        self.sparse(
            "DequantizeLinear",
            &[Some(value), Some(scale), zero],
            vec![],
        )
    }

    pub(crate) fn quantised(
        &mut self,
        value: ValueId,
        scale: ValueId,
        zero: Option<ValueId>,
    ) -> Result<ValueId> {
        self.sparse("QuantizeLinear", &[Some(value), Some(scale), zero], vec![])
    }
}
