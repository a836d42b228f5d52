//! What models of sequences have alongside attention: rotary embeddings, convolutions that
//! remember, and attention whose keys are one matrix.
//!
//! Everything is computed in double precision. Source: the operators' specifications and
//! `onnx.reference`.

use super::attention::{by_heads, four};
use super::movement::{concatenated, part};
use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::entry::Entry;
use crate::graph::layout::{length_of, transposed};
use crate::graph::operator::{Built, Call, Definition, several, single};
use crate::graph::tensor::{Tensor, element_count};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("RotaryEmbedding", 3, 4, rotary)
        .since(23)
        .floats(),
    Entry::new("LinearAttention", 3, 6, linear_attention).floats(),
    Entry::new("CausalConvWithState", 2, 4, causal_convolution).floats(),
    Entry::new("SwiGLU", 2, 2, gated).floats(),
];

fn rotary(node: &Definition) -> Result<Built> {
    let (is_interleaved, rotated) = (
        node.flag("interleaved", false)?,
        length_of(node.int("rotary_embedding_dim", 0)?)?,
    );
    let heads = length_of(node.int("num_heads", 0)?)?;
    single(move |call| {
        let data = call.tensor(0)?;
        let (cosines, sines, positions) = (call.tensor(1)?, call.tensor(2)?, call.integers(3)?);
        // Batch × positions × heads × width, wherever the heads lie.
        let by_position = match *data.shape() {
            [_, _, _, _] => transposed(data, &[0, 2, 1, 3])?,
            [batch, indices, width] if heads > 0 && width.is_multiple_of(heads) => data
                .clone()
                .reshaped(vec![batch, indices, heads, width / heads])?,
            _ => {
                return Err(Error::failed(format!(
                    "a rotary embedding of a tensor of shape {:?}",
                    data.shape()
                )));
            }
        };
        let [batch, indices, heads, width] = four(&by_position)?;
        let rotated = if rotated == 0 { width } else { rotated };
        let half = rotated / 2;
        let (cosine_values, sine_values) = (cosines.doubles()?, sines.doubles()?);
        let rows = cosine_values.len().checked_div(half).unwrap_or(0);
        if rotated > width
            || sine_values.len() != cosine_values.len()
            || cosines.shape().last() != Some(&half)
        {
            return Err(Error::failed(format!(
                "caches of shape {:?} to rotate {rotated} of {width}",
                cosines.shape()
            )));
        }
        let row_of = |slot: usize| match &positions {
            Some(positions) => positions
                .get(slot)
                .and_then(|position| usize::try_from(*position).ok()),
            None => Some(slot),
        };
        let mut values = by_position.doubles()?;
        for slot in 0..batch * indices {
            let row = row_of(slot)
                .filter(|row| *row < rows)
                .ok_or_else(|| Error::failed("a position that the caches do not have"))?;
            for head in values[slot * heads * width..(slot + 1) * heads * width]
                .chunks_exact_mut(width.max(1))
            {
                for index in 0..half {
                    let (first, second) = if is_interleaved {
                        (2 * index, 2 * index + 1)
                    } else {
                        (index, index + half)
                    };
                    let (cosine, sine) = (
                        cosine_values[row * half + index],
                        sine_values[row * half + index],
                    );
                    let (real, imaginary) = (head[first], head[second]);
                    (head[first], head[second]) = (
                        cosine * real - sine * imaginary,
                        sine * real + cosine * imaginary,
                    );
                }
            }
        }
        let oriented = cast(
            &Tensor::new(by_position.shape().to_vec(), values)?,
            data.element_type(),
        )?;
        if data.rank() == 4 {
            transposed(&oriented, &[0, 2, 1, 3])
        } else {
            oriented.reshaped(data.shape().to_vec())
        }
    })
}

/// `a · sigmoid(alpha · a) · b`.
fn gated(node: &Definition) -> Result<Built> {
    let alpha = f64::from(node.float("alpha", 1.0)?);
    single(move |call| {
        let (gate, data) = (call.tensor(0)?, call.tensor(1)?);
        if gate.shape() != data.shape() {
            return Err(Error::failed(format!(
                "tensors of the shapes {:?} and {:?}",
                gate.shape(),
                data.shape()
            )));
        }
        let one = |(gate, value): (&f64, &f64)| gate / (1.0 + (-alpha * gate).exp()) * value;
        let values = gate
            .doubles()?
            .iter()
            .zip(&data.doubles()?)
            .map(one)
            .collect();
        cast(
            &Tensor::new(data.shape().to_vec(), values)?,
            data.element_type(),
        )
    })
}

fn causal_convolution(node: &Definition) -> Result<Built> {
    let is_gated = node.choice("activation", &["none", "silu", "swish"], 0)? > 0;
    several(move |call| {
        let (data, weights, bias, past) = (
            call.tensor(0)?,
            call.tensor(1)?,
            call.optional(2)?,
            call.optional(3)?,
        );
        let (&[batch, channels, _], &[filters, 1, steps]) = (data.shape(), weights.shape()) else {
            return Err(Error::failed(format!(
                "a convolution of a tensor of shape {:?} by {:?}",
                data.shape(),
                weights.shape()
            )));
        };
        if filters != channels || steps == 0 || bias.is_some_and(|bias| bias.len() != channels) {
            return Err(Error::failed(format!(
                "{filters} filters of {steps} for {channels} channels"
            )));
        }
        let before = match past {
            Some(past) => past.clone(),
            None => Tensor::zeros(data.element_type(), vec![batch, channels, steps - 1])?,
        };
        if *before.shape() != [batch, channels, steps - 1] {
            return Err(Error::failed(format!(
                "a state of shape {:?}",
                before.shape()
            )));
        }
        let padded = concatenated(&[&before, data], 2)?;
        let length = padded.shape()[2];
        let (values, weights, bias) = (
            padded.doubles()?,
            weights.doubles()?,
            bias.map(Tensor::doubles).transpose()?,
        );
        let mut out = Vec::with_capacity(data.len());
        for plane in 0..batch * channels {
            let channel = plane % channels;
            let (line, weights) = (
                &values[plane * length..(plane + 1) * length],
                &weights[channel * steps..(channel + 1) * steps],
            );
            let shift = bias.as_ref().map_or(0.0, |bias| bias[channel]);
            let sum = |window: &[f64]| {
                window
                    .iter()
                    .zip(weights)
                    .map(|(value, weight)| value * weight)
                    .sum::<f64>()
                    + shift
            };
            out.extend(line.windows(steps).map(sum).map(|value| {
                if is_gated {
                    value / (1.0 + (-value).exp())
                } else {
                    value
                }
            }));
        }
        let out = cast(
            &Tensor::new(data.shape().to_vec(), out)?,
            data.element_type(),
        )?;
        Ok(vec![
            out.into(),
            part(&padded, 2, length + 1 - steps, steps - 1)?.into(),
        ])
    })
}

/// What a node says of attention that keeps a matrix in place of all keys.
struct Linear {
    query_heads: usize,
    key_heads: usize,
    scale: f64,
    decays: bool,
    corrects: bool,
}

fn linear_attention(node: &Definition) -> Result<Built> {
    let rule = node.choice(
        "update_rule",
        &["linear", "gated", "delta", "gated_delta"],
        3,
    )?;
    let heads = |name: &str| length_of(node.required_int(name)?);
    let linear = Linear {
        query_heads: heads("q_num_heads")?,
        key_heads: heads("kv_num_heads")?,
        scale: f64::from(node.float("scale", 0.0)?),
        decays: rule == 1 || rule == 3,
        corrects: rule >= 2,
    };
    if linear.key_heads == 0
        || linear.query_heads == 0
        || !linear.query_heads.is_multiple_of(linear.key_heads)
    {
        return Err(Error::failed(format!(
            "{} heads of queries for {} of keys",
            linear.query_heads, linear.key_heads
        )));
    }
    several(move |call| linear.run(call))
}

impl Linear {
    fn run(&self, call: &mut Call) -> Result<Vec<Value>> {
        let query = by_heads(call.tensor(0)?, Some(self.query_heads))?;
        let (key, value) = (
            by_heads(call.tensor(1)?, Some(self.key_heads))?,
            by_heads(call.tensor(2)?, Some(self.key_heads))?,
        );
        let ([batch, heads, indices, width], [_, key_heads, _, value_width]) =
            (four(&query)?, four(&value)?);
        if *key.shape() != [batch, key_heads, indices, width]
            || *value.shape() != [batch, key_heads, indices, value_width]
        {
            return Err(Error::failed(format!(
                "attention over tensors of the shapes {:?}",
                [query.shape(), key.shape(), value.shape()]
            )));
        }
        // One number, or one for each column, of each head and place.
        let gates = |position: usize, widths: [usize; 2]| -> Result<Option<(Vec<f64>, usize)>> {
            let Some(gate) = call.optional(position)? else {
                return Ok(None);
            };
            let own = gate.shape().last().copied().unwrap_or(0);
            let fits =
                gate.rank() == 3 && gate.shape()[..2] == [batch, indices] && widths.contains(&own);
            if fits {
                Ok(Some((gate.doubles()?, own)))
            } else {
                Err(Error::failed(format!("gates of shape {:?}", gate.shape())))
            }
        };
        let (decay, beta) = (
            gates(4, [key_heads, key_heads * width])?,
            gates(5, [key_heads, 1])?,
        );
        if decay.is_some() != self.decays || beta.is_some() != self.corrects {
            return Err(Error::failed("gates that do not go with the `update_rule`"));
        }
        let cells = width * value_width;
        let past = call.optional(3)?;
        if past.is_some_and(|past| *past.shape() != [batch, key_heads, width, value_width]) {
            return Err(Error::failed("a state of another shape"));
        }
        let mut states = match past {
            Some(past) => past.doubles()?,
            None => vec![0.0; element_count(&[batch, key_heads, width, value_width])?],
        };
        let scale = if self.scale == 0.0 {
            1.0 / (width as f64).sqrt()
        } else {
            self.scale
        };
        let mut out = vec![0.0; element_count(&[batch, indices, heads, value_width])?];
        let (queries, keys, values) = (query.doubles()?, key.doubles()?, value.doubles()?);
        let group = heads / key_heads;
        for (number, state) in states.chunks_exact_mut(cells.max(1)).enumerate() {
            let (entry, head) = (number / key_heads, number % key_heads);
            for slot in 0..indices {
                let at = number * indices + slot;
                let (key, mut value) = (
                    &keys[at * width..(at + 1) * width],
                    values[at * value_width..(at + 1) * value_width].to_vec(),
                );
                let gate = entry * indices + slot;
                if let Some((decay, own)) = &decay {
                    let per_column = own / key_heads;
                    for (column, row) in state.chunks_exact_mut(value_width.max(1)).enumerate() {
                        let rate = decay[gate * own
                            + head * per_column
                            + if per_column == 1 { 0 } else { column }]
                        .exp();
                        row.iter_mut().for_each(|cell| *cell *= rate);
                    }
                }
                if let Some((beta, own)) = &beta {
                    corrected(
                        state,
                        key,
                        &mut value,
                        beta[gate * own + if *own == 1 { 0 } else { head }],
                    );
                }
                for (factor, row) in key.iter().zip(state.chunks_exact_mut(value_width.max(1))) {
                    row.iter_mut()
                        .zip(&value)
                        .for_each(|(cell, value)| *cell += factor * value);
                }
                for asking in head * group..(head + 1) * group {
                    let query =
                        &queries[((entry * heads + asking) * indices + slot) * width..][..width];
                    let target = &mut out
                        [((entry * indices + slot) * heads + asking) * value_width..]
                        [..value_width];
                    read(state, query, scale, target);
                }
            }
        }
        let element = query.element_type();
        let out = cast(
            &Tensor::new(vec![batch, indices, heads * value_width], out)?,
            element,
        )?;
        let state_element = past.map_or(element, Tensor::element_type);
        Ok(vec![
            out.into(),
            cast(
                &Tensor::new(vec![batch, key_heads, width, value_width], states)?,
                state_element,
            )?
            .into(),
        ])
    }
}

/// What is new in a value, at this rate: what the state has for its key already is taken away.
fn corrected(state: &[f64], key: &[f64], value: &mut [f64], rate: f64) {
    let width = value.len();
    for (column, value) in value.iter_mut().enumerate() {
        let known: f64 = key
            .iter()
            .enumerate()
            .map(|(row, factor)| state[row * width + column] * factor)
            .sum();
        *value = rate * (*value - known);
    }
}

/// What the state has for a query.
fn read(state: &[f64], query: &[f64], scale: f64, target: &mut [f64]) {
    for (factor, row) in query.iter().zip(state.chunks_exact(target.len().max(1))) {
        target
            .iter_mut()
            .zip(row)
            .for_each(|(sum, cell)| *sum += scale * factor * cell);
    }
}
