//! Attention as ONNX Runtime's optimizer fuses it: `MultiHeadAttention`, with its masks by length,
//! by key and by query.
//!
//! `Attention` and `QAttention` are written out to it ([`crate::graph::pass::expansion`]). Source:
//! `docs/ContribOperators.md` of ONNX Runtime 1.31.

use super::attention::{by_heads, four};
use super::elementwise::{Arithmetic, combine};
use super::movement::{concatenated, part};
use super::product::Factor;
use super::reduction::soft_max;
use crate::error::{Error, Result};
use crate::graph::entry::{Entry, MICROSOFT};
use crate::graph::layout::{broadcast, broadcast_strides, length_of, transposed};
use crate::graph::operator::{Built, Call, Definition, several};
use crate::graph::tensor::{Tensor, element_count};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[Entry::new("MultiHeadAttention", 1, 10, multi_head)
    .of(MICROSOFT)
    .floats()];

struct Heads {
    count: usize,
    scale: Option<f32>,
    /// What is added to the score of a key that a mask hides.
    filter: f32,
    is_causal: bool,
}

fn multi_head(node: &Definition) -> Result<Built> {
    let heads = Heads {
        count: length_of(node.required_int("num_heads")?)?,
        scale: node.find_float("scale")?.filter(|scale| *scale != 0.0),
        filter: node.float("mask_filter_value", -10_000.0)?,
        is_causal: node.flag("unidirectional", false)?,
    };
    if node.has_input(8) || node.has_input(9) || node.has_output(3) {
        return Err(Error::contract(
            "attention with a shared buffer of the past, beams, or its products as an output is \
             not supported",
        ));
    }
    several(move |call| heads.run(call))
}

impl Heads {
    /// Queries, keys and values as batch × heads × positions × width, the past in front.
    fn operands(&self, call: &Call) -> Result<[Tensor; 3]> {
        let query = call.tensor(0)?;
        let (key, value) = (call.optional(1)?, call.optional(2)?);
        let [query, key, value] = match (query.rank(), key, value) {
            (5, None, None) => [
                packed(query, 0, 3)?,
                packed(query, 1, 3)?,
                packed(query, 2, 3)?,
            ],
            (_, Some(key), None) if key.rank() == 5 => {
                [query.clone(), packed(key, 0, 2)?, packed(key, 1, 2)?]
            }
            (_, Some(key), Some(value)) => [query.clone(), key.clone(), value.clone()],
            _ => return Err(Error::failed("attention without keys or values")),
        };
        let [query, key, value] = match call.optional(3)? {
            None => [query, key, value],
            Some(bias) => {
                let width = |tensor: &Tensor| {
                    if tensor.rank() == 3 {
                        tensor.shape()[2]
                    } else {
                        0
                    }
                };
                let widths = [width(&query), width(&key), width(&value)];
                if bias.rank() != 1 || bias.len() != widths.iter().sum::<usize>() {
                    return Err(Error::failed(format!(
                        "a bias of shape {:?} for vectors of the widths {widths:?}",
                        bias.shape()
                    )));
                }
                let own = |tensor: &Tensor, first: usize, width: usize| {
                    combine(Arithmetic::Add, tensor, &part(bias, 0, first, width)?)
                };
                [
                    own(&query, 0, widths[0])?,
                    own(&key, widths[0], widths[1])?,
                    own(&value, widths[0] + widths[1], widths[2])?,
                ]
            }
        };
        let heads = Some(self.count);
        let (query, mut key, mut value) = (
            by_heads(&query, heads)?,
            by_heads(&key, heads)?,
            by_heads(&value, heads)?,
        );
        if let (Some(keys), Some(values)) = (call.optional(6)?, call.optional(7)?) {
            (key, value) = (
                concatenated(&[keys, &key], 2)?,
                concatenated(&[values, &value], 2)?,
            );
        }
        Ok([query, key, value])
    }

    fn run(&self, call: &mut Call) -> Result<Vec<Value>> {
        let [query, key, value] = self.operands(call)?;
        let ([batch, heads, queries, width], [key_batch, key_heads, keys, key_width]) =
            (four(&query)?, four(&key)?);
        let [value_batch, value_heads, values, value_width] = four(&value)?;
        if [
            key_batch,
            value_batch,
            key_heads,
            value_heads,
            values,
            key_width,
        ] != [batch, batch, heads, heads, keys, width]
        {
            return Err(Error::failed(format!(
                "attention over tensors of the shapes {:?}",
                [query.shape(), key.shape(), value.shape()]
            )));
        }
        let cells = [batch, heads, queries, keys];
        let mask = call
            .optional(4)?
            .map(|mask| Mask::of(mask, cells))
            .transpose()?
            .flatten();
        let bias = call
            .optional(5)?
            .map(|bias| Bias::of(bias, cells))
            .transpose()?;
        let scale = self.scale.unwrap_or_else(|| 1.0 / (width as f32).sqrt());
        let oriented = transposed(&key, &[0, 1, 3, 2])?;
        let (query, oriented, all) = (
            query.values::<f32>()?,
            oriented.values::<f32>()?,
            value.values::<f32>()?,
        );
        let mut out = vec![0.0_f32; element_count(&[batch, heads, queries, value_width])?];
        let mut row = vec![0.0; keys];
        for head in 0..batch * heads {
            let mut scores = vec![0.0_f32; element_count(&[queries, keys])?];
            let (own_query, own_key) = (
                &query[head * queries * width..][..queries * width],
                &oriented[head * width * keys..][..width * keys],
            );
            f32::multiply_matrices(own_query, own_key, &mut scores, [queries, width, keys]);
            for (index, line) in scores.chunks_exact_mut(keys.max(1)).enumerate() {
                for (key, (cell, score)) in row.iter_mut().zip(line.iter()).enumerate() {
                    let is_hidden = mask
                        .as_ref()
                        .is_some_and(|mask| !mask.keeps(head / heads, index, key));
                    let is_ahead = self.is_causal && key + queries > keys + index;
                    let hidden = if is_ahead {
                        f32::MIN
                    } else {
                        f32::from(u8::from(is_hidden)) * self.filter
                    };
                    let bias = bias
                        .as_ref()
                        .map_or(0.0, |bias| bias.at(head / heads, head % heads, index, key));
                    *cell = f64::from(score * scale + hidden + bias);
                }
                soft_max(&mut row);
                line.iter_mut()
                    .zip(&row)
                    .for_each(|(score, value)| *score = *value as f32);
            }
            let target = &mut out[head * queries * value_width..][..queries * value_width];
            f32::multiply_matrices(
                &scores,
                &all[head * keys * value_width..][..keys * value_width],
                target,
                [queries, keys, value_width],
            );
        }
        call.fuel.burn_products(
            batch
                .saturating_mul(heads)
                .saturating_mul(queries)
                .saturating_mul(keys)
                .saturating_mul(width + value_width),
            0,
        )?;
        let out = Tensor::new(vec![batch, heads, queries, value_width], out)?;
        let out =
            transposed(&out, &[0, 2, 1, 3])?.reshaped(vec![batch, queries, heads * value_width])?;
        Ok(vec![out.into(), key.into(), value.into()])
    }
}

/// One of several tensors that lie next to each other in each head, as batch × positions × width.
fn packed(all: &Tensor, which: usize, count: usize) -> Result<Tensor> {
    match *all.shape() {
        [batch, indices, heads, found, width] if found == count => {
            part(all, 3, which, 1)?.reshaped(vec![batch, indices, heads * width])
        }
        _ => Err(Error::failed(format!(
            "{count} packed tensors in one of shape {:?}",
            all.shape()
        ))),
    }
}

/// Which keys a query may look at.
enum Mask {
    /// Keys from the first to before the last, for each batch.
    Range(Vec<(i64, i64)>),
    /// For each batch, and each query where `queries` is above 1, whether each key is seen.
    Each {
        seen: Vec<bool>,
        queries: usize,
        first: usize,
        keys: usize,
    },
}

impl Mask {
    /// The mask; none if it is a stand-in that hides nothing.
    fn of(mask: &Tensor, [batch, _, queries, keys]: [usize; 4]) -> Result<Option<Self>> {
        let numbers = mask.integers()?;
        let seen = || numbers.iter().map(|number| *number > 0).collect();
        Ok(Some(match *mask.shape() {
            [length] if length == batch => {
                Self::Range(numbers.iter().map(|end| (0, *end)).collect())
            }
            [length] if length == 2 * batch => Self::Range(
                (0..batch)
                    .map(|row| (numbers[batch + row], numbers[row]))
                    .collect(),
            ),
            [length] if length == 3 * batch + 2 => {
                Self::Range(numbers[..batch].iter().map(|end| (0, *end)).collect())
            }
            [rows, length] if rows == batch && length == keys => Self::Each {
                seen: seen(),
                queries: 1,
                first: 0,
                keys,
            },
            [_, 1] => return Ok(None),
            [rows, own, length] if rows == batch && own == queries && length == keys => {
                Self::Each {
                    seen: seen(),
                    queries,
                    first: 0,
                    keys,
                }
            }
            [rows, 1, high, length] if rows == batch && high >= keys && length >= keys => {
                Self::Each {
                    seen: seen(),
                    queries: high,
                    first: keys - queries,
                    keys: length,
                }
            }
            ref shape => {
                return Err(Error::contract(format!(
                    "a mask of shape {shape:?} for {queries} queries and {keys} keys is not \
                     supported"
                )));
            }
        }))
    }

    fn keeps(&self, batch: usize, query: usize, key: usize) -> bool {
        match self {
            Self::Range(ranges) => (ranges[batch].0..ranges[batch].1).contains(&(key as i64)),
            Self::Each {
                seen,
                queries,
                first,
                keys,
            } => {
                let query = if *queries == 1 { 0 } else { first + query };
                seen[(batch * queries + query) * keys + key]
            }
        }
    }
}

/// What is added to the scores, stretched over batch and heads.
struct Bias {
    values: Vec<f32>,
    strides: Vec<usize>,
}

impl Bias {
    fn of(bias: &Tensor, cells: [usize; 4]) -> Result<Self> {
        if broadcast(bias.shape(), &cells)? != cells {
            return Err(Error::failed(format!(
                "a bias of shape {:?} for scores of {cells:?}",
                bias.shape()
            )));
        }
        Ok(Self {
            values: bias.values::<f32>()?.to_vec(),
            strides: broadcast_strides(bias.shape(), &cells),
        })
    }

    fn at(&self, batch: usize, head: usize, query: usize, key: usize) -> f32 {
        let [per_batch, per_head, per_query, per_key] = [0, 1, 2, 3].map(|axis| self.strides[axis]);
        self.values[batch * per_batch + head * per_head + query * per_query + key * per_key]
    }
}
