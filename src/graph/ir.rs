//! The graph that runs: numbered values, nodes in an order in which every input is there, and the
//! last use of each value known.
//!
//! Owns execution. A graph is made by [`super::build::Builder`] and never changes; many workers may
//! run it at once.

use std::collections::HashMap;

use super::entry::RowMixing;
use super::follow::Followed;
use super::fuel::{Fuel, UnseenCounts};
use super::operator::{Body, Kernel};
use super::pass::role::{ColumnRole, Joint, Role};
use super::tensor::Tensor;
use super::value::{Value, ValueId};
use super::widening::{Widening, run_widened};
use crate::error::{Error, Result};
use crate::model::trace;

/// Nodes that one run may execute, loops counted by their turns: some seconds, where real loops
/// take some thousand turns.
const STEP_LIMIT: u64 = 10_000_000;

/// Elements that count as one node more, so that a loop over large tensors ends as soon.
const STEP_ELEMENTS: usize = 1 << 10;

/// One step.
pub(super) struct Node {
    /// What messages call it, such as `` `fc1` (Gemm) ``.
    pub(super) label: String,
    pub(super) kernel: Kernel,
    pub(super) widening: Widening,
    /// The inputs, captures included; true where this is the value's last use.
    pub(super) inputs: Vec<Option<(ValueId, bool)>>,
    /// The outputs that somebody reads.
    pub(super) outputs: Vec<Option<ValueId>>,
    /// What it can be in a chain of dense layers, until chains are formed.
    pub(super) role: Option<Role>,
    /// What it can be alongside a convolution, until they are joined.
    pub(super) joint: Option<Joint>,
    /// What it does to columns, if nothing else.
    pub(super) column_role: Option<ColumnRole>,
    /// Whether its first input may come as a block of columns.
    pub(super) takes_blocks: bool,
    /// Bytes that it holds for itself.
    pub(super) memory_bytes: usize,
    /// The family whose kernels do its work, if one does.
    pub(super) family: Option<&'static str>,
    /// What the rows alongside a row are to it.
    pub(super) row_mixing: RowMixing,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("label", &self.label)
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// A graph, ready to run.
#[derive(Debug)]
pub struct Graph {
    pub(super) value_count: usize,
    pub(super) constants: Vec<(ValueId, Value)>,
    pub(super) inputs: Vec<ValueId>,
    pub(super) nodes: Vec<Node>,
    pub(super) outputs: Vec<ValueId>,
    /// What values are called, where the graph is to be followed.
    pub(super) names: HashMap<ValueId, String>,
}

impl Graph {
    /// The number of inputs.
    #[must_use]
    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// The number of steps, subgraphs not counted.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The families whose kernels run nodes of it, in the order of the nodes.
    #[must_use]
    pub fn families(&self) -> Vec<&'static str> {
        let mut families = Vec::new();
        for family in self.nodes.iter().filter_map(|node| node.family) {
            if !families.contains(&family) {
                families.push(family);
            }
        }
        families
    }

    /// Whether what it makes of a row depends on the rows alongside it.
    #[must_use]
    pub fn mixes_rows(&self) -> bool {
        self.nodes
            .iter()
            .any(|node| node.row_mixing == RowMixing::Mixed)
    }

    /// Whether every node is known to make of a row what it would make of it alone, where the rows
    /// are the first axis of every input.
    pub(super) fn keeps_rows_apart(&self) -> bool {
        self.nodes
            .iter()
            .all(|node| node.row_mixing == RowMixing::Nothing)
    }

    /// The bytes of all constants and of packed matrices.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let constants = self
            .constants
            .iter()
            .filter_map(|(_, value)| value.tensor().ok())
            .map(Tensor::byte_count);
        constants.sum::<usize>()
            + self
                .nodes
                .iter()
                .map(|node| node.memory_bytes)
                .sum::<usize>()
    }

    /// The output of this position, if no input decides it.
    #[must_use]
    pub fn constant_output(&self, position: usize) -> Option<&Value> {
        let expected = *self.outputs.get(position)?;
        self.constants
            .iter()
            .find(|(id, _)| *id == expected)
            .map(|(_, value)| value)
    }

    /// Leaves out nodes and constants that nothing reads, and lets every value's last reader take
    /// it.
    pub(super) fn relink(&mut self) {
        let mut is_read = vec![false; self.value_count];
        self.outputs.iter().for_each(|&id| is_read[id] = true);
        let mut kept = Vec::with_capacity(self.nodes.len());
        for mut node in self.nodes.drain(..).rev() {
            node.outputs
                .iter_mut()
                .for_each(|output| *output = output.filter(|id| is_read[*id]));
            if node.outputs.iter().all(Option::is_none) {
                continue;
            }
            for (id, is_last) in node.inputs.iter_mut().rev().flatten() {
                *is_last = !std::mem::replace(&mut is_read[*id], true);
            }
            kept.push(node);
        }
        kept.reverse();
        self.nodes = kept;
        self.constants.retain(|(id, _)| is_read[*id]);
    }

    /// Runs the graph on its inputs, in their order; gives its outputs in theirs.
    ///
    /// # Errors
    /// Fails at the first node that cannot be computed, naming it.
    pub fn run(&self, inputs: Vec<Value>) -> Result<Vec<Value>> {
        self.run_with(inputs, &Fuel::new(STEP_LIMIT))
    }

    /// As [`Graph::run`], and by input and its column the values that no encoder of it knows.
    ///
    /// # Errors
    /// Fails at the first node that cannot be computed, naming it.
    pub(super) fn run_counting(&self, inputs: Vec<Value>) -> Result<(Vec<Value>, UnseenCounts)> {
        let fuel = Fuel::new(STEP_LIMIT);
        Ok((self.run_with(inputs, &fuel)?, fuel.into_unseen()))
    }

    /// Keeps values of these numbers to be noted.
    fn keep<'a>(
        &self,
        followed: &mut Followed,
        slots: &Slots,
        ids: impl Iterator<Item = &'a ValueId>,
    ) {
        for id in ids {
            if let Some(value) = &slots.values[*id] {
                let name = self.names.get(id).map_or("", String::as_str);
                followed.keep(*id, name, value);
            }
        }
    }

    pub(super) fn run_with(&self, inputs: Vec<Value>, fuel: &Fuel) -> Result<Vec<Value>> {
        if inputs.len() != self.inputs.len() {
            return Err(Error::failed(format!(
                "{} values for a graph of {} inputs",
                inputs.len(),
                self.inputs.len()
            )));
        }
        let mut slots = Slots {
            values: vec![None; self.value_count],
            live_bytes: vec![0; self.value_count],
        };
        self.constants
            .iter()
            .for_each(|(id, value)| slots.values[*id] = Some(value.clone()));
        self.inputs
            .iter()
            .zip(inputs)
            .for_each(|(id, value)| slots.put(*id, value, 0, fuel));
        let mut followed = trace::is_followed().then(Followed::default);
        if let Some(followed) = &mut followed {
            self.keep(followed, &slots, self.inputs.iter());
        }
        for node in &self.nodes {
            fuel.burn(1)?;
            let mut run = || node.run(&mut slots, fuel);
            let done = match &followed {
                // The features of a node are not those of the table.
                Some(_) => trace::with_names(Vec::new(), run),
                None => run(),
            };
            done.map_err(|error| error.at_node(node.label.clone()))?;
            if let Some(followed) = &mut followed {
                self.keep(followed, &slots, node.outputs.iter().flatten());
                followed.note(node);
            }
        }
        slots
            .live_bytes
            .iter()
            .for_each(|bytes| fuel.dropped(*bytes));
        self.outputs
            .iter()
            .map(|id| {
                slots.values[*id]
                    .clone()
                    .ok_or_else(|| Error::failed("an output has no value"))
            })
            .collect()
    }
}

impl Body for Graph {
    fn output_count(&self) -> usize {
        self.outputs.len()
    }

    fn run(&self, inputs: Vec<Value>, fuel: &Fuel) -> Result<Vec<Value>> {
        self.run_with(inputs, fuel)
    }
}

/// The values of a run, by their numbers.
struct Slots {
    values: Vec<Option<Value>>,
    /// What each takes that the run made, until its last reader has run.
    live_bytes: Vec<usize>,
}

impl Slots {
    fn put(&mut self, id: ValueId, value: Value, bytes: usize, fuel: &Fuel) {
        fuel.lives(bytes);
        self.live_bytes[id] = bytes;
        self.values[id] = Some(value);
    }
}

impl Node {
    fn run(&self, slots: &mut Slots, fuel: &Fuel) -> Result<()> {
        let value = |input: &Option<(ValueId, bool)>| match *input {
            None => None,
            Some((id, true)) => slots.values[id].take(),
            Some((id, false)) => slots.values[id].clone(),
        };
        let inputs: Vec<Option<Value>> = self.inputs.iter().map(value).collect();
        let results = run_widened(&self.kernel, self.widening, inputs, fuel)?;
        fuel.burn(results.iter().map(cost).sum())?;
        if results.len() < self.outputs.len() {
            return Err(Error::contract(format!(
                "the operator has {} outputs, the model expects {}",
                results.len(),
                self.outputs.len()
            )));
        }
        for (id, value) in self.outputs.iter().zip(results) {
            let bytes = made_bytes(&value, fuel);
            if let Some(id) = id {
                slots.put(*id, value, bytes, fuel);
            }
        }
        for (id, _) in self.inputs.iter().flatten().filter(|(_, is_last)| *is_last) {
            fuel.dropped(std::mem::take(&mut slots.live_bytes[*id]));
        }
        Ok(())
    }
}

/// Notes a value that was made, and returns how large it is.
fn made_bytes(value: &Value, fuel: &Fuel) -> usize {
    match value {
        Value::Tensor(tensor) | Value::Maps { values: tensor, .. } => fuel.made_tensor(tensor),
        Value::Sequence(values) => values.iter().map(|value| made_bytes(value, fuel)).sum(),
        Value::Optional(inner) => inner.iter().map(|inner| made_bytes(inner, fuel)).sum(),
        Value::Columns(_) | Value::Block(_) => 0,
    }
}

/// The steps that a value counts as alongside its node: large ones take longer to make, and to
/// copy.
fn cost(value: &Value) -> u64 {
    match value {
        Value::Tensor(tensor) | Value::Maps { values: tensor, .. } => {
            (tensor.len() / STEP_ELEMENTS) as u64
        }
        Value::Sequence(values) => values.len() as u64 + values.iter().map(cost).sum::<u64>(),
        Value::Optional(inner) => inner.as_ref().map_or(0, |inner| cost(inner)),
        Value::Columns(_) | Value::Block(_) => 0,
    }
}
