//! Recurrent layers in double precision, row by row and step by step as the standard defines them;
//! the inputs' share of all steps is one product.

use super::product::Factor;
use super::recurrent::{Cell, Extent, Layer};
use super::recurrent_gate::Gate;
use crate::error::{Error, Result};
use crate::graph::layout::transposed;
use crate::graph::operator::Call;
use crate::graph::tensor::{ElementType, Tensor, element_count};
use crate::graph::value::Value;

/// What one direction reads.
struct Parameters {
    /// Gates × hidden rows of the inputs' share, for every step and row of the batch.
    inputs: Vec<f64>,
    /// Hidden × (gates × hidden).
    recurrent: Vec<f64>,
    bias: Vec<f64>,
    peepholes: Vec<f64>,
}

impl Layer {
    /// The layer in double precision, for every type of reals.
    pub(crate) fn run_exactly(
        &self,
        call: &Call,
        data: &Tensor,
        extent: &Extent,
    ) -> Result<Vec<Value>> {
        let element = data.element_type();
        let data = if self.is_batch_first {
            transposed_first(data)?
        } else {
            data.clone()
        };
        let &Extent { steps, batch, .. } = extent;
        let directions = self.directions();
        let rows = self.cell.gates() * self.hidden;
        let state = |position: usize| -> Result<Vec<f64>> {
            match call.optional(position)? {
                Some(state) if self.is_batch_first => transposed_first(state)?.doubles(),
                Some(state) => state.doubles(),
                None => Ok(vec![0.0; element_count(&[directions, batch, self.hidden])?]),
            }
        };
        let (mut hidden, mut memory) = (
            state(5)?,
            if self.cell == Cell::Memory {
                state(6)?
            } else {
                vec![0.0; directions * batch * self.hidden]
            },
        );
        if hidden.len() != directions * batch * self.hidden || memory.len() != hidden.len() {
            return Err(Error::failed(
                "a first state of another shape than the layer's",
            ));
        }
        let values = data.doubles()?;
        let mut all = vec![0.0; element_count(&[steps, directions, batch, self.hidden])?];
        for slot in 0..directions {
            let parameters = self.parameters(call, slot, &values, extent)?;
            let own = slot * batch * self.hidden..(slot + 1) * batch * self.hidden;
            let (is_reverse, activations) = (self.is_reverse(slot), self.gates(slot));
            for (row, &length) in extent.lengths.iter().enumerate() {
                let part = own.start + row * self.hidden..own.start + (row + 1) * self.hidden;
                let mut h = hidden[part.clone()].to_vec();
                let mut c = memory[part.clone()].to_vec();
                for step in 0..length {
                    let step = if is_reverse { length - 1 - step } else { step };
                    let inputs = &parameters.inputs[(step * batch + row) * rows..][..rows];
                    self.step(inputs, &parameters, activations, &mut h, &mut c);
                    all[((step * directions + slot) * batch + row) * self.hidden..][..self.hidden]
                        .copy_from_slice(&h);
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
        outputs
            .into_iter()
            .take(count)
            .enumerate()
            .map(|(slot, (values, shape))| self.output(slot, values, shape, element))
            .collect()
    }

    fn output(
        &self,
        slot: usize,
        values: Vec<f64>,
        shape: Vec<usize>,
        element: ElementType,
    ) -> Result<Value> {
        let tensor = crate::graph::cast::cast(&Tensor::new(shape, values)?, element)?;
        if !self.is_batch_first {
            return Ok(Value::Tensor(tensor));
        }
        // Batch × steps × directions × hidden, and batch × directions × hidden.
        let order: &[usize] = if slot == 0 { &[2, 0, 1, 3] } else { &[1, 0, 2] };
        transposed(&tensor, order).map(Value::Tensor)
    }

    fn parameters(
        &self,
        call: &Call,
        slot: usize,
        values: &[f64],
        extent: &Extent,
    ) -> Result<Parameters> {
        let &Extent {
            steps,
            batch,
            width,
            ..
        } = extent;
        let rows = self.cell.gates() * self.hidden;
        let oriented = |position: usize, columns: usize| -> Result<Vec<f64>> {
            let own = call.tensor(position)?.doubles()?
                [slot * rows * columns..(slot + 1) * rows * columns]
                .to_vec();
            transposed(&Tensor::new(vec![rows, columns], own)?, &[1, 0])?.doubles()
        };
        let optional = |position: usize, length: usize| -> Result<Vec<f64>> {
            let Some(tensor) = call.optional(position)? else {
                return Ok(vec![0.0; length]);
            };
            let values = tensor.doubles()?;
            values
                .get(slot * length..(slot + 1) * length)
                .map(<[f64]>::to_vec)
                .ok_or_else(|| Error::failed("biases of another shape than the layer's"))
        };
        let mut inputs = vec![0.0; element_count(&[steps, batch, rows])?];
        f64::multiply_rows(
            values,
            &oriented(1, width)?,
            &mut inputs,
            [steps * batch, width, rows],
        );
        let peepholes = if self.cell == Cell::Memory {
            optional(7, 3 * self.hidden)?
        } else {
            Vec::new()
        };
        Ok(Parameters {
            inputs,
            recurrent: oriented(2, self.hidden)?,
            bias: optional(3, 2 * rows)?,
            peepholes,
        })
    }

    /// One row's next state.
    fn step(
        &self,
        inputs: &[f64],
        parameters: &Parameters,
        activations: &[Gate],
        h: &mut [f64],
        c: &mut [f64],
    ) {
        let (size, rows) = (self.hidden, inputs.len());
        let clipped = |value: f64| {
            self.clip
                .map_or(value, |clip| value.clamp(-clip.abs(), clip.abs()))
        };
        let share = |state: &[f64], rows_from: usize, count: usize| {
            let mut sums = vec![0.0; count];
            for (value, weights) in state.iter().zip(parameters.recurrent.chunks_exact(rows)) {
                sums.iter_mut()
                    .zip(&weights[rows_from..rows_from + count])
                    .for_each(|(sum, weight)| *sum += value * weight);
            }
            sums
        };
        let recurrent = share(h, 0, rows);
        let (input_bias, own_bias) = parameters.bias.split_at(rows);
        let gate = |gate: usize, index: usize| {
            let slot = gate * size + index;
            inputs[slot] + recurrent[slot] + input_bias[slot] + own_bias[slot]
        };
        match self.cell {
            Cell::Plain => {
                let next: Vec<f64> = (0..size)
                    .map(|index| activations[0].at(clipped(gate(0, index))))
                    .collect();
                h.copy_from_slice(&next);
            }
            Cell::Gated => {
                let update: Vec<f64> = (0..size)
                    .map(|index| activations[0].at(clipped(gate(0, index))))
                    .collect();
                let reset: Vec<f64> = (0..size)
                    .map(|index| activations[0].at(clipped(gate(1, index))))
                    .collect();
                let slot = |index: usize| 2 * size + index;
                let candidate: Vec<f64> = if self.resets_after {
                    (0..size)
                        .map(|index| {
                            inputs[slot(index)]
                                + input_bias[slot(index)]
                                + reset[index] * (recurrent[slot(index)] + own_bias[slot(index)])
                        })
                        .collect()
                } else {
                    let kept: Vec<f64> = h.iter().zip(&reset).map(|(h, reset)| h * reset).collect();
                    let shares = share(&kept, 2 * size, size);
                    (0..size)
                        .map(|index| {
                            inputs[slot(index)]
                                + shares[index]
                                + input_bias[slot(index)]
                                + own_bias[slot(index)]
                        })
                        .collect()
                };
                for (index, candidate) in candidate.into_iter().enumerate() {
                    h[index] = (1.0 - update[index]) * activations[1].at(clipped(candidate))
                        + update[index] * h[index];
                }
            }
            Cell::Memory => {
                // Gates in ONNX's order: input, output, forget, cell; peepholes: input, output,
                // forget.
                let peephole =
                    |gate: usize, index: usize| parameters.peepholes[gate * size + index];
                for index in 0..size {
                    let enters =
                        activations[0].at(clipped(gate(0, index) + peephole(0, index) * c[index]));
                    let stays = if self.couples_gates {
                        1.0 - enters
                    } else {
                        activations[0].at(clipped(gate(2, index) + peephole(2, index) * c[index]))
                    };
                    c[index] =
                        stays * c[index] + enters * activations[1].at(clipped(gate(3, index)));
                    let leaves =
                        activations[0].at(clipped(gate(1, index) + peephole(1, index) * c[index]));
                    h[index] = leaves * activations[2].at(c[index]);
                }
            }
        }
    }
}

fn transposed_first(tensor: &Tensor) -> Result<Tensor> {
    if tensor.rank() == 3 {
        transposed(tensor, &[1, 0, 2])
    } else {
        Err(Error::failed("a tensor that has not three axes"))
    }
}
