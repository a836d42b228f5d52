//! What the nodes of a graph make of a row, noted for explanations.
//!
//! Owns how a value of a graph becomes named values. It must not know operators.

use std::collections::HashMap;

use arrow::util::display::array_value_to_string;

use super::element::{Data, any};
use super::ir::Node;
use super::tensor::Tensor;
use super::value::{Value, ValueId};
use crate::feature::Columns;
use crate::model::trace::{self, VALUES_LIMIT};

/// What is known of the values of a run.
#[derive(Debug, Default)]
pub(super) struct Followed(HashMap<ValueId, (Vec<trace::Value>, usize)>);

impl Followed {
    /// Keeps a value for the nodes that read it.
    pub(super) fn keep(&mut self, id: ValueId, name: &str, value: &Value) {
        let count = count(value);
        self.0.insert(id, (shown(name, value), count));
    }

    /// Notes a node whose outputs are kept.
    pub(super) fn note(&self, node: &Node) {
        let known = |id: &ValueId| self.0.get(id).map(|(values, _)| values.clone());
        let inputs = node.inputs.iter().flatten().map(|(id, _)| id);
        let outputs = || node.outputs.iter().flatten();
        let counts = outputs()
            .filter_map(|id| self.0.get(id))
            .map(|(_, count)| count);
        // `` `name` (operator) ``
        let label = node.label.strip_prefix('`').unwrap_or(&node.label);
        let (name, operation) = label.rsplit_once("` (").unwrap_or((label, ""));
        trace::note_step(trace::Step {
            name: name.to_owned(),
            operation: operation.trim_end_matches(')').to_owned(),
            inputs: inputs.filter_map(known).flatten().collect(),
            outputs: outputs().filter_map(known).flatten().collect(),
            output_count: counts.sum(),
            ..trace::Step::default()
        });
    }
}

/// The number of values.
fn count(value: &Value) -> usize {
    match value {
        Value::Tensor(tensor) | Value::Maps { values: tensor, .. } => tensor.len(),
        Value::Sequence(values) => values.iter().map(count).sum(),
        Value::Optional(inner) => inner.as_ref().map_or(0, |inner| count(inner)),
        Value::Columns(columns) => columns.len(),
        Value::Block(_) => value.block().map_or(0, |block| block.values().len()),
    }
}

/// The values where they are few.
fn shown(name: &str, value: &Value) -> Vec<trace::Value> {
    if count(value) > VALUES_LIMIT {
        return Vec::new();
    }
    let numbered = |values: Vec<String>| {
        let is_one = values.len() == 1;
        let values = values.into_iter().enumerate();
        values
            .map(|(index, value)| trace::Value {
                name: if is_one {
                    name.to_owned()
                } else {
                    format!("{name}[{index}]")
                },
                value,
            })
            .collect()
    };
    match value {
        Value::Tensor(tensor) => numbered(texts(tensor)),
        Value::Maps { keys, values } => texts(keys)
            .into_iter()
            .zip(texts(values))
            .map(|(key, value)| trace::Value {
                name: format!("{name}[{key}]"),
                value,
            })
            .collect(),
        Value::Sequence(values) => {
            let parts = values.iter().enumerate();
            parts
                .flat_map(|(index, value)| shown(&format!("{name}[{index}]"), value))
                .collect()
        }
        Value::Optional(inner) => inner
            .as_ref()
            .map_or_else(Vec::new, |inner| shown(name, inner)),
        Value::Columns(columns) => {
            let text = |column| array_value_to_string(column, 0).unwrap_or_default();
            numbered(columns.iter().map(|column| text(column)).collect())
        }
        Value::Block(_) => {
            let values = value.block().map(Columns::values);
            let values = values.unwrap_or_default().iter();
            numbered(values.map(ToString::to_string).collect())
        }
    }
}

fn texts(tensor: &Tensor) -> Vec<String> {
    let data: &Data = tensor.data();
    any!(data, values => values.iter().map(ToString::to_string).collect())
}
