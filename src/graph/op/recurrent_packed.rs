//! Recurrent layers in single precision: a block of rows takes each step together, by two packed
//! products and polynomials for the gates.
//!
//! A row's bits depend neither on the rows alongside it nor on where it stands in its block. The
//! gates of a row lie side by side in the standard's order: input, output, forget and cell of an
//! LSTM, update, reset and candidate of a GRU.

use std::ops::Range;

use super::recurrent::{Cell, Extent, Layer, expect};
use super::recurrent_gate::Gate;
use crate::error::{Error, Result};
use crate::graph::tensor::{Tensor, element_count};
use crate::graph::value::Value;
use crate::kernel::product::{Dense, Finish, Rows};

/// Rows that take their steps together: their gates stay in the second-level cache.
const BLOCK_ROWS: usize = 112;

/// The weights of one direction.
#[derive(Debug)]
struct Weights {
    /// Width to gates × hidden, with all biases that are added to them plainly.
    inputs: Dense,
    /// Hidden to the gates; of a GRU to its first two.
    state: Dense,
    /// Hidden to the candidate of a GRU.
    candidate: Option<Dense>,
    /// Input, output and forget, of an LSTM that has them.
    peepholes: Option<Vec<f32>>,
}

/// The packed weights of a layer.
#[derive(Debug)]
pub(crate) struct Packed {
    directions: Vec<Weights>,
}

/// What a block of rows is worked on with.
struct Workspace {
    /// Block × width.
    inputs: Vec<f32>,
    /// Block × (gates × hidden).
    gates: Vec<f32>,
    /// Block × hidden.
    extra: Vec<f32>,
}

/// Where a layer's results go.
struct Results {
    all: Vec<f32>,
    hidden: Vec<f32>,
    memory: Vec<f32>,
}

impl Packed {
    /// Packs weights, recurrent weights, biases and peepholes as the operators take them.
    ///
    /// # Errors
    /// Fails for tensors of other types or shapes than the layer's.
    pub(crate) fn new(
        layer: &Layer,
        [inputs, recurrent, bias, peepholes]: [Option<&Tensor>; 4],
    ) -> Result<Self> {
        let (Some(inputs), Some(recurrent)) = (inputs, recurrent) else {
            return Err(Error::internal("a layer without weights"));
        };
        let (hidden, rows) = (layer.hidden, layer.cell.gates() * layer.hidden);
        let width = inputs.shape().get(2).copied().unwrap_or_default();
        expect(inputs, &[layer.directions(), rows, width])?;
        expect(recurrent, &[layer.directions(), rows, hidden])?;
        let optional =
            |tensor: Option<&Tensor>, position: usize, length: usize| -> Result<Option<Vec<f32>>> {
                let Some(tensor) = tensor else {
                    return Ok(None);
                };
                let own = tensor
                    .values::<f32>()?
                    .get(position * length..(position + 1) * length);
                own.map(|own| Some(own.to_vec()))
                    .ok_or_else(|| Error::failed("biases of another shape than the layer's"))
            };
        let (inputs, recurrent) = (inputs.values::<f32>()?, recurrent.values::<f32>()?);
        let direction = |position: usize| {
            let bias = optional(bias, position, 2 * rows)?.unwrap_or_else(|| vec![0.0; 2 * rows]);
            let peepholes = optional(peepholes, position, 3 * hidden)?;
            Weights::new(
                layer,
                &inputs[position * rows * width..],
                &recurrent[position * rows * hidden..],
                [width, rows],
                &bias,
                peepholes,
            )
        };
        Ok(Self {
            directions: (0..layer.directions())
                .map(direction)
                .collect::<Result<Vec<Weights>>>()?,
        })
    }

    /// The numbers of a step that it takes.
    pub(crate) fn width(&self) -> usize {
        self.directions
            .first()
            .map_or(0, |weights| weights.inputs.inner())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let of = |weights: &Weights| {
            let candidate = weights.candidate.as_ref().map_or(0, Dense::memory_bytes);
            weights.inputs.memory_bytes() + weights.state.memory_bytes() + candidate
        };
        self.directions.iter().map(of).sum()
    }

    /// All states, the last ones and, of an LSTM, the last memory; `first` are the first states and
    /// memory.
    ///
    /// # Errors
    /// Fails for first states of another type or shape, and for results larger than a tensor may
    /// be.
    pub(crate) fn run(
        &self,
        layer: &Layer,
        values: &[f32],
        extent: &Extent,
        first: [Option<&Tensor>; 2],
    ) -> Result<Vec<Value>> {
        let (count, hidden) = (layer.directions(), layer.hidden);
        let &Extent { steps, batch, .. } = extent;
        let state_shape = if layer.is_batch_first {
            vec![batch, count, hidden]
        } else {
            vec![count, batch, hidden]
        };
        let state = |tensor: Option<&Tensor>| match tensor {
            None => Ok(vec![0.0; element_count(&state_shape)?]),
            Some(tensor) if tensor.len() == count * batch * hidden => {
                tensor.values::<f32>().map(<[f32]>::to_vec)
            }
            Some(_) => Err(Error::failed(
                "a first state of another shape than the layer's",
            )),
        };
        let shape = if layer.is_batch_first {
            vec![batch, steps, count, hidden]
        } else {
            vec![steps, count, batch, hidden]
        };
        let is_memory = layer.cell == Cell::Memory;
        let memory = if is_memory {
            state(first[1])?
        } else {
            Vec::new()
        };
        let mut results = Results {
            all: vec![0.0; element_count(&shape)?],
            hidden: state(first[0])?,
            memory,
        };
        for (position, weights) in self.directions.iter().enumerate() {
            let direction = Direction {
                layer,
                weights,
                gates: layer.gates(position),
                position,
                extent,
            };
            for start in (0..batch).step_by(BLOCK_ROWS) {
                direction.run(values, start..batch.min(start + BLOCK_ROWS), &mut results);
            }
        }
        let Results {
            all,
            hidden,
            memory,
        } = results;
        let mut outputs = vec![
            Tensor::new(shape, all)?.into(),
            Tensor::new(state_shape.clone(), hidden)?.into(),
        ];
        if is_memory {
            outputs.push(Tensor::new(state_shape, memory)?.into());
        }
        Ok(outputs)
    }
}

impl Weights {
    /// `inputs` and `recurrent` begin with this direction's rows; `bias` are the inputs' and then
    /// the states'.
    fn new(
        layer: &Layer,
        inputs: &[f32],
        recurrent: &[f32],
        [width, rows]: [usize; 2],
        bias: &[f32],
        peepholes: Option<Vec<f32>>,
    ) -> Result<Self> {
        let hidden = layer.hidden;
        let of_state = |rows: Range<usize>, bias: Option<&[f32]>| {
            let start = rows.start;
            Dense::new(
                hidden,
                rows.len(),
                |inner, row| recurrent[(start + row) * hidden + inner],
                bias,
            )
        };
        let (input_bias, state_bias) = bias.split_at(rows);
        let is_gated = layer.cell == Cell::Gated;
        let stays_apart = |row: usize| is_gated && layer.resets_after && row >= 2 * hidden;
        let biases: Vec<f32> = (0..rows)
            .map(|row| {
                if stays_apart(row) {
                    input_bias[row]
                } else {
                    input_bias[row] + state_bias[row]
                }
            })
            .collect();
        Ok(Self {
            inputs: Dense::new(
                width,
                rows,
                |inner, row| inputs[row * width + inner],
                Some(&biases),
            )?,
            state: of_state(0..if is_gated { 2 * hidden } else { rows }, None)?,
            candidate: match (is_gated, layer.resets_after) {
                (false, _) => None,
                (true, false) => Some(of_state(2 * hidden..rows, None)?),
                (true, true) => Some(of_state(2 * hidden..rows, Some(&state_bias[2 * hidden..]))?),
            },
            peepholes,
        })
    }
}

/// One direction of one call.
struct Direction<'a> {
    layer: &'a Layer,
    weights: &'a Weights,
    gates: &'a [Gate],
    position: usize,
    extent: &'a Extent,
}

impl Direction<'_> {
    /// Takes these rows through all their steps.
    fn run(&self, values: &[f32], rows: Range<usize>, results: &mut Results) {
        let (hidden, width) = (self.layer.hidden, self.extent.width);
        let gate_count = self.layer.cell.gates() * hidden;
        let mut h = self.states(&results.hidden, &rows);
        let mut c = if self.layer.cell == Cell::Memory {
            self.states(&results.memory, &rows)
        } else {
            Vec::new()
        };
        let count = rows.len();
        let mut work = Workspace {
            inputs: vec![0.0; count * width],
            gates: vec![0.0; count * gate_count],
            extra: vec![0.0; count * hidden],
        };
        let turns = self.extent.lengths[rows.clone()]
            .iter()
            .copied()
            .max()
            .unwrap_or(0);
        for turn in 0..turns {
            for (index, row) in rows
                .clone()
                .enumerate()
                .filter(|(_, row)| turn < self.extent.lengths[*row])
            {
                let from = self.input_index(self.step(row, turn), row);
                work.inputs[index * width..(index + 1) * width]
                    .copy_from_slice(&values[from..from + width]);
            }
            let inputs = Rows {
                values: &work.inputs,
                width,
                stride: width,
                count,
            };
            self.weights
                .inputs
                .multiply(inputs, &mut work.gates, gate_count);
            let state = Rows {
                values: &h,
                width: hidden,
                stride: hidden,
                count,
            };
            self.weights
                .state
                .multiply_into(state, Finish::Add, &mut work.gates, gate_count);
            let is_going = |index: usize| turn < self.extent.lengths[rows.start + index];
            match self.layer.cell {
                Cell::Plain => self.plain(&mut work, &mut h, is_going),
                Cell::Gated => self.gated(&mut work, &mut h, is_going),
                Cell::Memory => self.memory(&mut work, &mut h, &mut c, is_going),
            }
            for (index, row) in rows
                .clone()
                .enumerate()
                .filter(|(index, _)| is_going(*index))
            {
                let to = self.output_index(self.step(row, turn), row);
                results.all[to..to + hidden]
                    .copy_from_slice(&h[index * hidden..(index + 1) * hidden]);
            }
        }
        self.keep(&h, &rows, &mut results.hidden);
        if self.layer.cell == Cell::Memory {
            self.keep(&c, &rows, &mut results.memory);
        }
    }

    /// The step that a row takes in its n-th turn.
    fn step(&self, row: usize, turn: usize) -> usize {
        if self.layer.is_reverse(self.position) {
            self.extent.lengths[row] - 1 - turn
        } else {
            turn
        }
    }

    fn input_index(&self, step: usize, row: usize) -> usize {
        let first = if self.layer.is_batch_first {
            row * self.extent.steps + step
        } else {
            step * self.extent.batch + row
        };
        first * self.extent.width
    }

    fn output_index(&self, step: usize, row: usize) -> usize {
        let (count, batch) = (self.layer.directions(), self.extent.batch);
        let first = if self.layer.is_batch_first {
            (row * self.extent.steps + step) * count + self.position
        } else {
            (step * count + self.position) * batch + row
        };
        first * self.layer.hidden
    }

    fn state_index(&self, row: usize) -> usize {
        let first = if self.layer.is_batch_first {
            row * self.layer.directions() + self.position
        } else {
            self.position * self.extent.batch + row
        };
        first * self.layer.hidden
    }

    fn states(&self, all: &[f32], rows: &Range<usize>) -> Vec<f32> {
        rows.clone()
            .flat_map(|row| {
                all[self.state_index(row)..][..self.layer.hidden]
                    .iter()
                    .copied()
            })
            .collect()
    }

    fn keep(&self, states: &[f32], rows: &Range<usize>, all: &mut [f32]) {
        for (state, row) in states
            .chunks_exact(self.layer.hidden.max(1))
            .zip(rows.clone())
        {
            all[self.state_index(row)..][..state.len()].copy_from_slice(state);
        }
    }

    fn clip(&self, row: &mut [f32]) {
        if let Some(clip) = self.layer.clip {
            let clip = clip.abs() as f32;
            row.iter_mut()
                .for_each(|value| *value = value.clamp(-clip, clip));
        }
    }

    fn plain(&self, work: &mut Workspace, h: &mut [f32], is_going: impl Fn(usize) -> bool) {
        let size = self.layer.hidden;
        for (_, (row, h)) in work
            .gates
            .chunks_exact_mut(size)
            .zip(h.chunks_exact_mut(size))
            .enumerate()
            .filter(|(index, _)| is_going(*index))
        {
            self.clip(row);
            self.gates[0].apply(row);
            h.copy_from_slice(row);
        }
    }

    fn gated(&self, work: &mut Workspace, h: &mut [f32], is_going: impl Fn(usize) -> bool) {
        let (size, count) = (self.layer.hidden, h.len() / self.layer.hidden.max(1));
        let Workspace { gates, extra, .. } = work;
        for row in gates.chunks_exact_mut(3 * size) {
            self.clip(&mut row[..2 * size]);
            self.gates[0].apply(&mut row[..2 * size]);
        }
        let Some(candidate) = &self.weights.candidate else {
            return;
        };
        if self.layer.resets_after {
            candidate.multiply(
                Rows {
                    values: h,
                    width: size,
                    stride: size,
                    count,
                },
                extra,
                size,
            );
            for (row, share) in gates
                .chunks_exact_mut(3 * size)
                .zip(extra.chunks_exact(size))
            {
                let (first, candidate) = row.split_at_mut(2 * size);
                candidate
                    .iter_mut()
                    .zip(&first[size..])
                    .zip(share)
                    .for_each(|((value, reset), share)| *value += reset * share);
            }
        } else {
            for ((row, kept), h) in gates
                .chunks_exact(3 * size)
                .zip(extra.chunks_exact_mut(size))
                .zip(h.chunks_exact(size))
            {
                kept.iter_mut()
                    .zip(&row[size..2 * size])
                    .zip(h)
                    .for_each(|((kept, reset), h)| *kept = reset * h);
            }
            let kept = Rows {
                values: extra,
                width: size,
                stride: size,
                count,
            };
            candidate.multiply_into(kept, Finish::Add, &mut gates[2 * size..], 3 * size);
        }
        for (index, (row, h)) in gates
            .chunks_exact_mut(3 * size)
            .zip(h.chunks_exact_mut(size))
            .enumerate()
        {
            let (first, candidate) = row.split_at_mut(2 * size);
            self.clip(candidate);
            self.gates[1].apply(candidate);
            if is_going(index) {
                let new = first.iter().zip(candidate.iter());
                h.iter_mut().zip(new).for_each(|(h, (update, candidate))| {
                    *h = (1.0 - update) * candidate + update * *h;
                });
            }
        }
    }

    fn memory(
        &self,
        work: &mut Workspace,
        h: &mut [f32],
        c: &mut [f32],
        is_going: impl Fn(usize) -> bool,
    ) {
        let size = self.layer.hidden;
        let peepholes = self.weights.peepholes.as_deref();
        let states = h.chunks_exact_mut(size).zip(c.chunks_exact_mut(size));
        for (index, (row, (h, c))) in work
            .gates
            .chunks_exact_mut(4 * size)
            .zip(states)
            .enumerate()
        {
            if !is_going(index) {
                continue;
            }
            let (enters, rest) = row.split_at_mut(size);
            let (leaves, rest) = rest.split_at_mut(size);
            let (stays, new) = rest.split_at_mut(size);
            if let Some(peepholes) = peepholes {
                look(enters, &peepholes[..size], c);
                look(stays, &peepholes[2 * size..], c);
            }
            for gate in [&mut *enters, &mut *stays, &mut *new] {
                self.clip(gate);
            }
            self.gates[0].apply(enters);
            self.gates[0].apply(stays);
            self.gates[1].apply(new);
            if self.layer.couples_gates {
                stays
                    .iter_mut()
                    .zip(enters.iter())
                    .for_each(|(stays, enters)| *stays = 1.0 - enters);
            }
            for (((c, stays), enters), new) in c
                .iter_mut()
                .zip(stays.iter())
                .zip(enters.iter())
                .zip(new.iter())
            {
                *c = stays * *c + enters * new;
            }
            if let Some(peepholes) = peepholes {
                look(leaves, &peepholes[size..2 * size], c);
            }
            self.clip(leaves);
            self.gates[0].apply(leaves);
            h.copy_from_slice(c);
            self.gates[2].apply(h);
            h.iter_mut()
                .zip(leaves.iter())
                .for_each(|(h, leaves)| *h *= leaves);
        }
    }
}

/// A gate that sees the memory.
fn look(gate: &mut [f32], weights: &[f32], memory: &[f32]) {
    gate.iter_mut()
        .zip(weights)
        .zip(memory)
        .for_each(|((gate, weight), memory)| *gate += weight * memory);
}
