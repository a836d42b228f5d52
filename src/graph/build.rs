//! Building a graph: values numbered as they come, operators found and made, constants folded, last
//! uses marked.
//!
//! Owns the checks that make a graph safe to run: every input is there before its reader. It must
//! not know file formats.

use std::collections::HashMap;

use super::entry::{Build, Entry, Roles};
use super::fuel::Fuel;
use super::ir::{Graph, Node};
use super::operand::Operands;
use super::operator::{Built, Definition, Kernel};
use super::pass::fuse::fuse;
use super::pass::join::join;
use super::pass::writer::{Made, Nodes, Writer};
use super::registry;
use super::tensor::Tensor;
use super::value::{Value, ValueId};
use super::widening::{Widening, run_widened};
use crate::error::{Error, Result};
use crate::memory;
use crate::model::trace::{self, Keep};

/// Nodes that folding may execute for one node, loops counted by their turns.
const FOLD_STEPS: u64 = 10_000;

/// What packed weights may take: so many bytes, and so many times the bytes of the constants.
const PACKED_BYTES: usize = 64 << 20;
const PACKED_SHARE: usize = 4;

/// What folding may take for one node: so many bytes, and so many times the bytes of its inputs.
const FOLD_BYTES: u64 = 64 << 20;
const FOLD_SHARE: u64 = 8;

/// What is made of constants may take in all, and as a part of the bytes of the file's own.
const FOLDED_BYTES: usize = 64 << 20;
const FOLDED_SHARE: usize = 4;

/// Constants larger than this many elements are made when they are needed, not kept.
const FOLD_ELEMENTS: usize = 1 << 22;

/// A graph in the making.
#[derive(Debug, Default)]
pub struct Builder {
    value_count: usize,
    constants: HashMap<ValueId, Value>,
    inputs: Vec<ValueId>,
    nodes: Vec<Node>,
    constant_bytes: usize,
    packed_bytes: usize,
    folded_bytes: usize,
    names: HashMap<ValueId, String>,
}

impl Builder {
    /// A new value that comes from outside.
    pub fn input(&mut self) -> ValueId {
        let id = self.value();
        self.inputs.push(id);
        id
    }

    /// A new value that never changes.
    pub fn constant(&mut self, value: Value) -> ValueId {
        let id = self.value();
        self.constant_bytes = self
            .constant_bytes
            .saturating_add(value.tensor().map_or(0, Tensor::byte_count));
        self.constants.insert(id, value);
        id
    }

    /// Keeps the name of a value where the graph is to be followed.
    pub fn name(&mut self, id: ValueId, name: &str) {
        if trace::kept() > Keep::Nothing {
            self.names.insert(id, name.to_owned());
        }
    }

    /// What a value is, if it never changes.
    #[must_use]
    pub fn find_constant(&self, id: ValueId) -> Option<&Value> {
        self.constants.get(&id)
    }

    fn value(&mut self) -> ValueId {
        self.value_count += 1;
        self.value_count - 1
    }

    /// Adds a node, whose constant inputs it is reported, and gives the numbers of its outputs, one
    /// for each that `definition` lists.
    ///
    /// `inputs` are the node's inputs, then what its subgraphs capture.
    ///
    /// # Errors
    /// Fails if the operator is not known (see [`registry`]), has another number of inputs, or
    /// refuses its attributes.
    pub fn node(
        &mut self,
        definition: &Definition,
        inputs: &[Option<ValueId>],
    ) -> Result<Vec<ValueId>> {
        let label = format!("`{}` ({})", definition.name, definition.operator);
        let entry = registry::find(&definition.domain, &definition.operator, definition.version)
            .ok_or_else(|| {
                Error::contract("the operator is not supported").at_node(label.clone())
            })?;
        if let Build::Written(write) = entry.build {
            let made = self.write_out(entry, write, definition, inputs);
            return made.map_err(|error| error.at_node(label));
        }
        let (least, most) = entry.inputs;
        let count = definition.inputs.len();
        if !(least..=most).contains(&count)
            || (0..least.min(count)).any(|position| !definition.inputs[position])
        {
            return Err(
                Error::failed(format!("{count} inputs, or a required one is dropped"))
                    .at_node(label),
            );
        }
        let operands = Operands {
            ids: inputs,
            constants: &self.constants,
        };
        let is_packing = matches!(entry.build, Build::Packing(_));
        let built = match entry.build {
            Build::Plain(build) => build(definition),
            Build::Written(_) => Err(Error::internal("an operator that is written out")),
            Build::Packing(build) => {
                let count = if self.room() > 0 { inputs.len() } else { 0 };
                let constants = (0..count).map(|index| operands.constant(index).cloned());
                build(definition, &constants.collect::<Vec<_>>())
            }
        };
        let Built {
            kernel,
            memory_bytes,
        } = built.map_err(|error| error.at_node(label.clone()))?;
        self.packed_bytes += if is_packing { memory_bytes } else { 0 };
        let known = |input: &Option<ValueId>| {
            input.map_or(Some(None), |id| self.constants.get(&id).cloned().map(Some))
        };
        if let Some(values) = inputs
            .iter()
            .map(known)
            .collect::<Option<Vec<Option<Value>>>>()
            && let Ok(results) = folded(&kernel, entry.widening, values)
            && results.len() >= definition.outputs.len()
            && results.iter().all(is_small)
            && self.may_keep(&results)
        {
            return Ok(results
                .into_iter()
                .take(definition.outputs.len())
                .map(|value| self.constant(value))
                .collect());
        }
        let ids: Vec<ValueId> = definition.outputs.iter().map(|_| self.value()).collect();
        let outputs = ids
            .iter()
            .zip(&definition.outputs)
            .map(|(id, expected)| expected.then_some(*id))
            .collect();
        let operands = Operands {
            ids: inputs,
            constants: &self.constants,
        };
        let Roles {
            chain,
            joint,
            column,
        } = if operands.are_all_listed(definition) {
            entry.roles
        } else {
            Roles::NONE
        };
        let (role, column_role, joint) = (
            chain.and_then(|recognise| recognise(definition, &operands)),
            column.and_then(|recognise| recognise(definition, &operands)),
            joint.and_then(|recognise| recognise(definition, &operands)),
        );
        let inputs = inputs
            .iter()
            .map(|input| input.map(|id| (id, false)))
            .collect();
        self.nodes.push(Node {
            label,
            kernel,
            widening: entry.widening,
            inputs,
            outputs,
            role,
            joint,
            column_role,
            takes_blocks: entry.takes_blocks,
            memory_bytes,
            family: entry.family,
            row_mixing: entry.row_mixing,
        });
        Ok(ids)
    }

    /// Adds the nodes that an operator is written out as, and gives one value for each output that
    /// its definition lists.
    fn write_out(
        &mut self,
        entry: &Entry,
        write: fn(&mut Writer<'_>) -> Result<Made>,
        node: &Definition,
        inputs: &[Option<ValueId>],
    ) -> Result<Vec<ValueId>> {
        let (least, most) = entry.inputs;
        if !(least..=most).contains(&inputs.len()) {
            return Err(Error::failed(format!(
                "{} inputs, or a required one is missing",
                inputs.len()
            )));
        }
        let made = write(&mut Writer {
            nodes: self,
            node,
            inputs,
        })?;
        let output = |index: usize| match made.get(index).copied().flatten() {
            Some(id) => Ok(id),
            None if !node.has_output(index) => Ok(self.value()),
            None => Err(Error::contract(format!(
                "output {index} of the operator is not supported"
            ))),
        };
        (0..node.outputs.len()).map(output).collect()
    }

    /// Whether what was made of constants may be kept as constants: a small file may have many
    /// nodes.
    fn may_keep(&mut self, made: &[Value]) -> bool {
        let bytes: usize = made
            .iter()
            .filter_map(|value| value.tensor().ok())
            .map(Tensor::byte_count)
            .sum();
        let most = FOLDED_BYTES.saturating_add(
            self.constant_bytes
                .saturating_sub(self.folded_bytes)
                .saturating_mul(FOLDED_SHARE),
        );
        let is_kept = self.folded_bytes.saturating_add(bytes) <= most;
        self.folded_bytes += if is_kept { bytes } else { 0 };
        is_kept
    }

    /// The bytes that weights may still take in packed form: nodes that share their weights pack
    /// them each, and a small file may have many.
    fn room(&self) -> usize {
        PACKED_BYTES
            .saturating_add(self.constant_bytes.saturating_mul(PACKED_SHARE))
            .saturating_sub(self.packed_bytes)
    }

    /// The finished graph: chains of dense layers are one node each, and convolutions with what
    /// follows them; nodes that nothing reads are dropped, and every value's last reader may take
    /// it.
    #[must_use]
    pub fn finish(mut self, outputs: Vec<ValueId>) -> Graph {
        if trace::kept() < Keep::Steps {
            let room = self.room();
            let room = join(&mut self.nodes, &outputs, room);
            fuse(&mut self.nodes, &outputs, room);
        }
        let mut constants: Vec<_> = self.constants.into_iter().collect();
        constants.sort_unstable_by_key(|(id, _)| *id);
        let mut graph = Graph {
            value_count: self.value_count,
            constants,
            inputs: self.inputs,
            nodes: self.nodes,
            outputs,
            names: self.names,
        };
        graph.relink();
        graph
    }
}

impl Nodes for Builder {
    fn node(
        &mut self,
        definition: &Definition,
        inputs: &[Option<ValueId>],
    ) -> Result<Vec<ValueId>> {
        Self::node(self, definition, inputs)
    }

    fn constant(&mut self, value: Value) -> ValueId {
        Self::constant(self, value)
    }

    fn find_constant(&self, id: ValueId) -> Option<&Value> {
        Self::find_constant(self, id)
    }
}

/// What a node makes of constants, in a share of the memory that there is: what takes more is made
/// when it is needed, or refused then.
fn folded(kernel: &Kernel, widening: Widening, values: Vec<Option<Value>>) -> Result<Vec<Value>> {
    let provided: usize = values
        .iter()
        .flatten()
        .filter_map(|value| value.tensor().ok())
        .map(Tensor::byte_count)
        .sum();
    let most = FOLD_BYTES.saturating_add(FOLD_SHARE.saturating_mul(provided as u64));
    memory::confined(most, || {
        run_widened(kernel, widening, values, &Fuel::new(FOLD_STEPS))
    })
    .0
}

fn is_small(value: &Value) -> bool {
    match value {
        Value::Tensor(tensor) | Value::Maps { values: tensor, .. } => tensor.len() <= FOLD_ELEMENTS,
        Value::Sequence(values) => values.len() <= 1_000 && values.iter().all(is_small),
        Value::Optional(inner) => inner.as_ref().is_none_or(|inner| is_small(inner)),
        Value::Columns(_) | Value::Block(_) => false,
    }
}
