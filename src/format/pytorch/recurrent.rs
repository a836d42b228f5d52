//! Recurrent layers: PyTorch's gates in ONNX's order, layer behind layer.

use super::call::{Call, DECOMPOSE, Write};
use super::message::Attribute;
use super::value::{Tensor, Written};
use super::writer::Writer;
use crate::error::{Error, Result};

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("lstm", |graph, call| layers(graph, call, &LSTM)),
    ("gru", |graph, call| layers(graph, call, &GRU)),
    ("rnn_tanh", |graph, call| layers(graph, call, &TANH)),
    ("rnn_relu", |graph, call| layers(graph, call, &RELU)),
];

/// A kind of cell.
struct Cell {
    operator: &'static str,
    /// Where each of ONNX's gates is among PyTorch's.
    gates: &'static [usize],
    activation: Option<&'static str>,
}

/// Input, output, forget, cell; PyTorch has input, forget, cell, output.
const LSTM: Cell = Cell {
    operator: "LSTM",
    gates: &[0, 3, 1, 2],
    activation: None,
};

/// Update, reset, hidden; PyTorch has reset, update, new.
const GRU: Cell = Cell {
    operator: "GRU",
    gates: &[1, 0, 2],
    activation: None,
};

const TANH: Cell = Cell {
    operator: "RNN",
    gates: &[0],
    activation: Some("Tanh"),
};

const RELU: Cell = Cell {
    operator: "RNN",
    gates: &[0],
    activation: Some("Relu"),
};

impl Cell {
    /// Weights or biases with the gates in ONNX's order, and an axis of directions in front.
    fn ordered(&self, graph: &mut Writer, tensor: &Tensor) -> Result<String> {
        let rows = tensor.fixed(0)? / self.gates.len() as i64;
        let parts: Vec<String> = self
            .gates
            .iter()
            .map(|gate| {
                let start = *gate as i64 * rows;
                graph.slice(&tensor.name, 0, [start, start + rows, 1])
            })
            .collect();
        let joined = graph.joined(&parts, 0);
        Ok(graph.unsqueezed(&joined, &[0]))
    }
}

/// The weights, recurrent weights and biases of one layer, all directions.
fn weights(
    graph: &mut Writer,
    cell: &Cell,
    params: &[Tensor],
    has_biases: bool,
) -> Result<[String; 3]> {
    let count = if has_biases { 4 } else { 2 };
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    for direction in params.chunks_exact(count) {
        all[0].push(cell.ordered(graph, &direction[0])?);
        all[1].push(cell.ordered(graph, &direction[1])?);
        if has_biases {
            let both = [
                cell.ordered(graph, &direction[2])?,
                cell.ordered(graph, &direction[3])?,
            ];
            all[2].push(graph.joined(&both, 1));
        }
    }
    Ok(all.map(|parts| {
        if parts.is_empty() {
            String::new()
        } else {
            graph.joined(&parts, 0)
        }
    }))
}

fn layers(graph: &mut Writer, call: &Call, cell: &Cell) -> Result<Written> {
    let x = call.tensor("input")?;
    if call.overload != "input" || x.rank() != 3 {
        return Err(Error::contract("packed sequences are not supported"));
    }
    let (params, has_biases) = (call.tensors("params")?, call.flag("has_biases", true));
    let count = usize::try_from(call.integer("num_layers", 1)).unwrap_or(0);
    let is_bidirectional = call.flag("bidirectional", false);
    let directions = 1 + usize::from(is_bidirectional);
    let own = directions * if has_biases { 4 } else { 2 };
    if call.flag("train", false) && call.real("dropout", 0.0) > 0.0 {
        return Err(super::activation::training());
    }
    if count == 0 || params.len() != count * own {
        let message = "a recurrent layer with a projection is not supported";
        return Err(Error::contract(message).hint(DECOMPOSE));
    }
    let starts = match call.find_tensor("hx")? {
        Some(one) => vec![one],
        None => call.tensors("hx")?,
    };
    let is_batch_first = call.flag("batch_first", false);
    let mut data = x.name.clone();
    if is_batch_first {
        data = graph.transposed(&data, &[1, 0, 2]);
    }
    let mut last = vec![Vec::new(); starts.len()];
    for (layer, params) in params.chunks_exact(own).enumerate() {
        let [weight, recurrent, bias] = weights(graph, cell, params, has_biases)?;
        let hidden = params[1].fixed(1)?;
        let from = (layer * directions) as i64;
        let initial: Vec<String> = starts
            .iter()
            .map(|start| graph.slice(&start.name, 0, [from, from + directions as i64, 1]))
            .collect();
        let mut inputs = vec![data.as_str(), &weight, &recurrent, &bias, ""];
        inputs.extend(initial.iter().map(String::as_str));
        let direction = if is_bidirectional {
            "bidirectional"
        } else {
            "forward"
        };
        let mut settings = vec![
            ("hidden_size", Attribute::Integer(hidden)),
            ("direction", Attribute::Text(direction)),
        ];
        if cell.operator == "GRU" {
            settings.push(("linear_before_reset", Attribute::Integer(1)));
        }
        let activations = vec![cell.activation.unwrap_or_default(); directions];
        if cell.activation.is_some() {
            settings.push(("activations", Attribute::Texts(&activations)));
        }
        let made = graph.several(cell.operator, &inputs, &settings, 1 + starts.len());
        // Steps, directions, examples, values: the directions go alongside the values.
        let moved = graph.transposed(&made[0], &[0, 2, 1, 3]);
        let shape = graph.integers(&[0, 0, hidden * directions as i64]);
        data = graph.node("Reshape", &[&moved, &shape]);
        for (last, made) in last.iter_mut().zip(&made[1..]) {
            last.push(made.clone());
        }
    }
    if is_batch_first {
        data = graph.transposed(&data, &[1, 0, 2]);
    }
    let mut results = vec![data];
    results.extend(last.iter().map(|parts| graph.joined(parts, 0)));
    Ok(Written::Tensors(results))
}
