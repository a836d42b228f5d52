//! Recurrent layers: RNN, GRU and LSTM, in any direction and either layout.
//!
//! In single precision many rows take each step together, on packed products and polynomials
//! ([`super::recurrent_packed`]): two LSTM layers of 64 took 12 times as long when each row took
//! its steps alone in double precision. Doubles still do ([`super::recurrent_exact`]).

use super::recurrent_gate::Gate;
use super::recurrent_packed::Packed;
use crate::error::{Error, Result};
use crate::graph::entry::Entry;
use crate::graph::layout::length_of;
use crate::graph::operator::{Built, Call, Definition, several};
use crate::graph::tensor::{Data, ELEMENT_LIMIT, Tensor};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::packing("RNN", 3, 6, |node, constants| {
        layer(node, constants, Cell::Plain)
    })
    .since(7)
    .floats(),
    Entry::packing("GRU", 3, 6, |node, constants| {
        layer(node, constants, Cell::Gated)
    })
    .since(7)
    .floats(),
    Entry::packing("LSTM", 3, 8, |node, constants| {
        layer(node, constants, Cell::Memory)
    })
    .since(7)
    .floats(),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Plain,
    Gated,
    Memory,
}

impl Cell {
    pub(crate) fn gates(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Gated => 3,
            Self::Memory => 4,
        }
    }

    /// The activations of one direction where the model names none.
    pub(crate) fn activations(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["Tanh"],
            Self::Gated => &["Sigmoid", "Tanh"],
            Self::Memory => &["Sigmoid", "Tanh", "Tanh"],
        }
    }
}

/// A layer without its weights.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) cell: Cell,
    /// The numbers of a state.
    pub(crate) hidden: usize,
    /// 0 forward, 1 reverse, 2 both.
    direction: usize,
    gates: Vec<Gate>,
    pub(crate) clip: Option<f64>,
    pub(crate) is_batch_first: bool,
    pub(crate) resets_after: bool,
    pub(crate) couples_gates: bool,
}

/// What is the same for all rows of a call.
#[derive(Debug)]
pub(crate) struct Extent {
    pub(crate) steps: usize,
    pub(crate) batch: usize,
    pub(crate) width: usize,
    /// The steps that each row takes.
    pub(crate) lengths: Vec<usize>,
}

fn layer(node: &Definition, constants: &[Option<Tensor>], cell: Cell) -> Result<Built> {
    let direction = node.choice("direction", &["forward", "reverse", "bidirectional"], 0)?;
    let directions = if direction == 2 { 2 } else { 1 };
    let names = node.find_strings("activations")?;
    let names: Vec<String> = match names {
        Some(names) => names.iter().map(ToString::to_string).collect(),
        None => cell
            .activations()
            .iter()
            .cycle()
            .take(cell.activations().len() * directions)
            .map(ToString::to_string)
            .collect(),
    };
    if names.len() != cell.activations().len() * directions {
        return Err(Error::failed(format!("{} activations", names.len())));
    }
    let (alphas, betas) = (
        node.find_floats("activation_alpha")?.unwrap_or_default(),
        node.find_floats("activation_beta")?.unwrap_or_default(),
    );
    let gates = names
        .iter()
        .enumerate()
        .map(|(index, name)| Gate::of(name, alphas.get(index).copied(), betas.get(index).copied()));
    let hidden = length_of(node.required_int("hidden_size")?)?;
    if !(1..=ELEMENT_LIMIT).contains(&hidden) {
        return Err(Error::failed(format!("a state of {hidden} numbers")));
    }
    let layer = Layer {
        cell,
        hidden,
        direction,
        gates: gates.collect::<Result<Vec<Gate>>>()?,
        clip: node
            .find_float("clip")?
            .filter(|clip| !clip.is_nan())
            .map(f64::from),
        is_batch_first: node.flag("layout", false)?,
        resets_after: node.flag("linear_before_reset", false)?,
        couples_gates: node.flag("input_forget", false)?,
    };
    // Weights that never change are packed once.
    let packed = {
        let tensor = |position: usize| constants.get(position).and_then(Option::as_ref);
        let is_known = [3, 7]
            .iter()
            .all(|position| !node.has_input(*position) || tensor(*position).is_some());
        if is_known && let (Some(inputs), Some(recurrent)) = (tensor(1), tensor(2)) {
            Packed::new(
                &layer,
                [Some(inputs), Some(recurrent), tensor(3), tensor(7)],
            )
            .ok()
        } else {
            None
        }
    };
    let memory_bytes = packed.as_ref().map_or(0, Packed::memory_bytes);
    let built = several(move |call| layer.run(call, packed.as_ref()))?;
    Ok(built.holding(memory_bytes))
}

impl Layer {
    pub(crate) fn directions(&self) -> usize {
        if self.direction == 2 { 2 } else { 1 }
    }

    /// Whether the direction of this place goes from the last step to the first.
    pub(crate) fn is_reverse(&self, index: usize) -> bool {
        self.direction == 1 || index == 1
    }

    /// The functions of the direction of this place.
    pub(crate) fn gates(&self, index: usize) -> &[Gate] {
        let count = self.cell.activations().len();
        &self.gates[index * count..(index + 1) * count]
    }

    fn run(&self, call: &Call, packed: Option<&Packed>) -> Result<Vec<Value>> {
        let data = call.tensor(0)?;
        let extent = self.extent(call, data)?;
        let Data::Float(values) = data.data() else {
            return self.run_exactly(call, data, &extent);
        };
        let of_call;
        let packed = if let Some(packed) = packed.filter(|packed| packed.width() == extent.width) {
            packed
        } else {
            of_call = Packed::new(
                self,
                [
                    Some(call.tensor(1)?),
                    Some(call.tensor(2)?),
                    call.optional(3)?,
                    self.peepholes(call)?,
                ],
            )?;
            &of_call
        };
        let share = extent.width + self.hidden;
        call.fuel.burn_products(
            (extent.steps * extent.batch)
                .saturating_mul(self.cell.gates() * self.hidden)
                .saturating_mul(share),
            values.len(),
        )?;
        let memory = if self.cell == Cell::Memory {
            call.optional(6)?
        } else {
            None
        };
        packed.run(self, values, &extent, [call.optional(5)?, memory])
    }

    fn peepholes<'c>(&self, call: &'c Call) -> Result<Option<&'c Tensor>> {
        if self.cell == Cell::Memory {
            call.optional(7)
        } else {
            Ok(None)
        }
    }

    fn extent(&self, call: &Call, data: &Tensor) -> Result<Extent> {
        let &[first, second, width] = data.shape() else {
            return Err(Error::failed("the input has not three axes"));
        };
        let (steps, batch) = if self.is_batch_first {
            (second, first)
        } else {
            (first, second)
        };
        let rows = self.cell.gates() * self.hidden;
        expect(call.tensor(1)?, &[self.directions(), rows, width])?;
        expect(call.tensor(2)?, &[self.directions(), rows, self.hidden])?;
        let lengths = match call.integers(4)? {
            Some(lengths) if lengths.len() == batch => lengths
                .into_iter()
                .map(|length| Ok(length_of(length)?.min(steps)))
                .collect::<Result<Vec<usize>>>()?,
            Some(_) => return Err(Error::failed("not a length for each row of the batch")),
            None => vec![steps; batch],
        };
        Ok(Extent {
            steps,
            batch,
            width,
            lengths,
        })
    }
}

pub(crate) fn expect(tensor: &Tensor, shape: &[usize]) -> Result<()> {
    if tensor.shape() == shape {
        Ok(())
    } else {
        Err(Error::failed(format!(
            "weights of shape {:?}, the layer needs {shape:?}",
            tensor.shape()
        )))
    }
}
