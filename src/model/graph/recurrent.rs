//! Recurrent layers: RNN, GRU and LSTM, in any direction and either layout.
//!
//! Computed in double precision step by step; the inputs' share of all steps is one matrix product.

use super::layout::{length_of, transposed};
use super::operator::{Call, Definition, Kernel, several};
use super::product::multiply_rows;
use super::registry::Entry;
use super::tensor::{ElementType, Tensor, element_count};
use super::value::Value;
use crate::error::{Error, Result};

pub(super) const OPERATORS: &[Entry] = &[
    Entry::new("RNN", 3, 6, |node| layer(node, Cell::Plain)).since(7).floats(),
    Entry::new("GRU", 3, 6, |node| layer(node, Cell::Gated)).since(7).floats(),
    Entry::new("LSTM", 3, 8, |node| layer(node, Cell::Memory)).since(7).floats(),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Plain,
    Gated,
    Memory,
}

impl Cell {
    fn gates(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Gated => 3,
            Self::Memory => 4,
        }
    }

    /// The activations of one direction where the model names none.
    fn activations(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["Tanh"],
            Self::Gated => &["Sigmoid", "Tanh"],
            Self::Memory => &["Sigmoid", "Tanh", "Tanh"],
        }
    }
}

/// A function with two parameters.
#[derive(Clone, Debug)]
struct Activation {
    name: String,
    alpha: f64,
    beta: f64,
}

impl Activation {
    fn of(name: &str, alpha: Option<f32>, beta: Option<f32>) -> Result<Self> {
        let (default_alpha, default_beta) = match name.to_lowercase().as_str() {
            "sigmoid" | "tanh" | "relu" | "softplus" | "softsign" | "thresholdedrelu" | "elu" => (1.0, 0.0),
            "affine" | "scaledtanh" => (1.0, 1.0),
            "leakyrelu" => (0.01, 0.0),
            "hardsigmoid" => (0.2, 0.5),
            other => return Err(Error::contract(format!("the activation `{other}` is not supported"))),
        };
        Ok(Self { name: name.to_lowercase(), alpha: alpha.map_or(default_alpha, f64::from), beta: beta.map_or(default_beta, f64::from) })
    }

    fn apply(&self, x: f64) -> f64 {
        let (alpha, beta) = (self.alpha, self.beta);
        match self.name.as_str() {
            "sigmoid" => 1.0 / (1.0 + (-x).exp()),
            "tanh" => x.tanh(),
            "relu" => x.max(0.0),
            "softplus" => x.exp().ln_1p(),
            "softsign" => x / (1.0 + x.abs()),
            "affine" => alpha * x + beta,
            "scaledtanh" => alpha * (beta * x).tanh(),
            "leakyrelu" => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            "thresholdedrelu" => {
                if x > alpha {
                    x
                } else {
                    0.0
                }
            }
            "elu" => {
                if x < 0.0 {
                    alpha * x.exp_m1()
                } else {
                    x
                }
            }
            _ => (alpha * x + beta).clamp(0.0, 1.0),
        }
    }
}

struct Layer {
    cell: Cell,
    hidden: usize,
    /// 0 forward, 1 reverse, 2 both.
    direction: usize,
    activations: Vec<Activation>,
    clip: Option<f64>,
    is_batch_first: bool,
    resets_after: bool,
    couples_gates: bool,
}

fn layer(node: &Definition, cell: Cell) -> Result<Kernel> {
    let direction = node.choice("direction", &["forward", "reverse", "bidirectional"], 0)?;
    let directions = if direction == 2 { 2 } else { 1 };
    let names = node.find_strings("activations")?;
    let names: Vec<String> = match names {
        Some(names) => names.iter().map(ToString::to_string).collect(),
        None => cell.activations().iter().cycle().take(cell.activations().len() * directions).map(ToString::to_string).collect(),
    };
    if names.len() != cell.activations().len() * directions {
        return Err(Error::failed(format!("{} activations", names.len())));
    }
    let (alphas, betas) = (node.find_floats("activation_alpha")?.unwrap_or_default(), node.find_floats("activation_beta")?.unwrap_or_default());
    let activations = names.iter().enumerate().map(|(place, name)| Activation::of(name, alphas.get(place).copied(), betas.get(place).copied()));
    let layer = Layer {
        cell,
        hidden: length_of(node.wanted_int("hidden_size")?)?,
        direction,
        activations: activations.collect::<Result<Vec<Activation>>>()?,
        clip: node.find_float("clip")?.map(f64::from),
        is_batch_first: node.flag("layout", false)?,
        resets_after: node.flag("linear_before_reset", false)?,
        couples_gates: node.flag("input_forget", false)?,
    };
    several(move |call| layer.run(call))
}

/// What one direction reads.
struct Parameters {
    /// Gates × hidden rows of the inputs' share, for every step and row of the batch.
    inputs: Vec<f64>,
    /// Hidden × (gates × hidden).
    recurrent: Vec<f64>,
    bias: Vec<f64>,
    peepholes: Vec<f64>,
}

/// (steps, batch).
type Size = (usize, usize);

impl Layer {
    fn run(&self, call: &Call) -> Result<Vec<Value>> {
        let element = call.tensor(0)?.element_type();
        let data = if self.is_batch_first { transposed_first(call.tensor(0)?)? } else { call.tensor(0)?.clone() };
        let &[steps, batch, width] = data.shape() else { return Err(Error::failed("the input has not three axes")) };
        let directions = if self.direction == 2 { 2 } else { 1 };
        let rows = self.cell.gates() * self.hidden;
        expect(call.tensor(1)?, &[directions, rows, width])?;
        expect(call.tensor(2)?, &[directions, rows, self.hidden])?;
        let lengths = match call.integers(4)? {
            Some(lengths) if lengths.len() == batch => {
                lengths.into_iter().map(|length| Ok(length_of(length)?.min(steps))).collect::<Result<Vec<usize>>>()?
            }
            Some(_) => return Err(Error::failed("not a length for each row of the batch")),
            None => vec![steps; batch],
        };
        let state = |position: usize| -> Result<Vec<f64>> {
            match call.optional(position)? {
                Some(state) if self.is_batch_first => transposed_first(state)?.doubles(),
                Some(state) => state.doubles(),
                None => Ok(vec![0.0; element_count(&[directions, batch, self.hidden])?]),
            }
        };
        let (mut hidden, mut memory) = (state(5)?, if self.cell == Cell::Memory { state(6)? } else { vec![0.0; directions * batch * self.hidden] });
        if hidden.len() != directions * batch * self.hidden || memory.len() != hidden.len() {
            return Err(Error::failed("a first state of another shape than the layer's"));
        }
        let values = data.doubles()?;
        let mut all = vec![0.0; element_count(&[steps, directions, batch, self.hidden])?];
        for place in 0..directions {
            let parameters = self.parameters(call, place, &values, (steps, batch), width)?;
            let own = place * batch * self.hidden..(place + 1) * batch * self.hidden;
            let is_reverse = self.direction == 1 || place == 1;
            let activations = &self.activations[place * self.cell.activations().len()..];
            for (row, &length) in lengths.iter().enumerate() {
                let part = own.start + row * self.hidden..own.start + (row + 1) * self.hidden;
                let mut h = hidden[part.clone()].to_vec();
                let mut c = memory[part.clone()].to_vec();
                for step in 0..length {
                    let step = if is_reverse { length - 1 - step } else { step };
                    let inputs = &parameters.inputs[(step * batch + row) * rows..][..rows];
                    self.step(inputs, &parameters, activations, &mut h, &mut c);
                    all[((step * directions + place) * batch + row) * self.hidden..][..self.hidden].copy_from_slice(&h);
                }
                hidden[part.clone()].copy_from_slice(&h);
                memory[part].copy_from_slice(&c);
            }
        }
        let outputs = [
            (all, vec![steps, directions, batch, self.hidden]),
            (hidden, vec![directions, batch, self.hidden]),
            (memory, vec![directions, batch, self.hidden]),
        ];
        let count = if self.cell == Cell::Memory { 3 } else { 2 };
        outputs.into_iter().take(count).enumerate().map(|(place, (values, shape))| self.output(place, values, shape, element)).collect()
    }

    fn output(&self, place: usize, values: Vec<f64>, shape: Vec<usize>, element: ElementType) -> Result<Value> {
        let tensor = super::conversion::cast(&Tensor::new(shape, values)?, element)?;
        if !self.is_batch_first {
            return Ok(Value::Tensor(tensor));
        }
        // Batch × steps × directions × hidden, and batch × directions × hidden.
        let order: &[usize] = if place == 0 { &[2, 0, 1, 3] } else { &[1, 0, 2] };
        transposed(&tensor, order).map(Value::Tensor)
    }

    fn parameters(&self, call: &Call, place: usize, values: &[f64], (steps, batch): Size, width: usize) -> Result<Parameters> {
        let rows = self.cell.gates() * self.hidden;
        let turned = |position: usize, columns: usize| -> Result<Vec<f64>> {
            let own = call.tensor(position)?.doubles()?[place * rows * columns..(place + 1) * rows * columns].to_vec();
            transposed(&Tensor::new(vec![rows, columns], own)?, &[1, 0])?.doubles()
        };
        let optional = |position: usize, length: usize| -> Result<Vec<f64>> {
            let Some(tensor) = call.optional(position)? else { return Ok(vec![0.0; length]) };
            let values = tensor.doubles()?;
            values
                .get(place * length..(place + 1) * length)
                .map(<[f64]>::to_vec)
                .ok_or_else(|| Error::failed("biases of another shape than the layer's"))
        };
        let mut inputs = vec![0.0; element_count(&[steps, batch, rows])?];
        multiply_rows(values, &turned(1, width)?, &mut inputs, [steps * batch, width, rows]);
        let peepholes = if self.cell == Cell::Memory { optional(7, 3 * self.hidden)? } else { Vec::new() };
        Ok(Parameters { inputs, recurrent: turned(2, self.hidden)?, bias: optional(3, 2 * rows)?, peepholes })
    }

    /// One row's next state.
    fn step(&self, inputs: &[f64], parameters: &Parameters, activations: &[Activation], h: &mut [f64], c: &mut [f64]) {
        let (size, rows) = (self.hidden, inputs.len());
        let clipped = |value: f64| self.clip.map_or(value, |clip| value.clamp(-clip.abs(), clip.abs()));
        let share = |state: &[f64], rows_from: usize, count: usize| {
            let mut sums = vec![0.0; count];
            for (value, weights) in state.iter().zip(parameters.recurrent.chunks_exact(rows)) {
                sums.iter_mut().zip(&weights[rows_from..rows_from + count]).for_each(|(sum, weight)| *sum += value * weight);
            }
            sums
        };
        let recurrent = share(h, 0, rows);
        let (input_bias, own_bias) = parameters.bias.split_at(rows);
        let gate = |gate: usize, index: usize| {
            let place = gate * size + index;
            inputs[place] + recurrent[place] + input_bias[place] + own_bias[place]
        };
        match self.cell {
            Cell::Plain => {
                let next: Vec<f64> = (0..size).map(|index| activations[0].apply(clipped(gate(0, index)))).collect();
                h.copy_from_slice(&next);
            }
            Cell::Gated => {
                let update: Vec<f64> = (0..size).map(|index| activations[0].apply(clipped(gate(0, index)))).collect();
                let reset: Vec<f64> = (0..size).map(|index| activations[0].apply(clipped(gate(1, index)))).collect();
                let place = |index: usize| 2 * size + index;
                let candidate: Vec<f64> = if self.resets_after {
                    (0..size)
                        .map(|index| {
                            inputs[place(index)] + input_bias[place(index)] + reset[index] * (recurrent[place(index)] + own_bias[place(index)])
                        })
                        .collect()
                } else {
                    let kept: Vec<f64> = h.iter().zip(&reset).map(|(h, reset)| h * reset).collect();
                    let shares = share(&kept, 2 * size, size);
                    (0..size).map(|index| inputs[place(index)] + shares[index] + input_bias[place(index)] + own_bias[place(index)]).collect()
                };
                for (index, candidate) in candidate.into_iter().enumerate() {
                    h[index] = (1.0 - update[index]) * activations[1].apply(clipped(candidate)) + update[index] * h[index];
                }
            }
            Cell::Memory => {
                // Gates in ONNX's order: input, output, forget, cell; peepholes: input, output, forget.
                let peephole = |gate: usize, index: usize| parameters.peepholes[gate * size + index];
                for index in 0..size {
                    let enters = activations[0].apply(clipped(gate(0, index) + peephole(0, index) * c[index]));
                    let stays =
                        if self.couples_gates { 1.0 - enters } else { activations[0].apply(clipped(gate(2, index) + peephole(2, index) * c[index])) };
                    c[index] = stays * c[index] + enters * activations[1].apply(clipped(gate(3, index)));
                    let leaves = activations[0].apply(clipped(gate(1, index) + peephole(1, index) * c[index]));
                    h[index] = leaves * activations[2].apply(c[index]);
                }
            }
        }
    }
}

fn transposed_first(tensor: &Tensor) -> Result<Tensor> {
    if tensor.rank() == 3 { transposed(tensor, &[1, 0, 2]) } else { Err(Error::failed("a tensor that has not three axes")) }
}

fn expect(tensor: &Tensor, shape: &[usize]) -> Result<()> {
    if tensor.shape() == shape { Ok(()) } else { Err(Error::failed(format!("weights of shape {:?}, the layer needs {shape:?}", tensor.shape()))) }
}
