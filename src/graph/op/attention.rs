//! Attention as one operator: products of queries and keys, masked, through softmax, with values.
//!
//! Scores are multiplied and added in the tensors' own precision, softmax runs in double precision.
//! Source: the operators' specifications and `onnx.reference`.

use super::movement::concatenated;
use super::product::Factor;
use crate::error::{Error, Result};
use crate::graph::element::unsupported;
use crate::graph::entry::Entry;
use crate::graph::layout::{broadcast, broadcast_strides, length_of, transposed};
use crate::graph::operator::{Built, Call, Definition, several};
use crate::graph::tensor::{Data, Tensor, room_of};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] =
    &[Entry::new("Attention", 3, 7, attention).since(23).floats()];

/// What the fourth output shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Product,
    Capped,
    Biased,
    Probabilities,
}

struct Attention {
    query_heads: Option<usize>,
    key_heads: Option<usize>,
    scale: Option<f64>,
    cap: f64,
    is_causal: bool,
    /// The most positions before and behind a query that it looks at.
    window: [Option<i64>; 2],
    shown: Shown,
}

/// Which keys a query of one batch looks at.
struct Reach {
    /// Keys before the first query.
    offset: i64,
    /// Keys that there are.
    valid: i64,
}

fn attention(node: &Definition) -> Result<Built> {
    let heads = |name: &str| node.find_int(name)?.map(length_of).transpose();
    let shown = [
        Shown::Product,
        Shown::Capped,
        Shown::Biased,
        Shown::Probabilities,
    ];
    let bound = |name: &str| -> Result<Option<i64>> {
        Ok(node.find_int(name)?.filter(|bound| *bound >= 0))
    };
    let mode = usize::try_from(node.int("qk_matmul_output_mode", 0)?).ok();
    let attention = Attention {
        query_heads: heads("q_num_heads")?,
        key_heads: heads("kv_num_heads")?,
        scale: node.find_float("scale")?.map(f64::from),
        cap: f64::from(node.float("softcap", 0.0)?),
        is_causal: node.flag("is_causal", false)?,
        window: [bound("left_window_size")?, bound("right_window_size")?],
        shown: mode
            .and_then(|mode| shown.get(mode).copied())
            .ok_or_else(|| Error::failed("an unknown `qk_matmul_output_mode`"))?,
    };
    several(move |call| match call.tensor(0)?.data() {
        Data::Float(_) => attention.run::<f32>(call),
        Data::Double(_) => attention.run::<f64>(call),
        other => Err(unsupported(other)),
    })
}

/// Batch × heads × positions × width, of a tensor whose heads may lie side by side.
pub(super) fn by_heads(tensor: &Tensor, heads: Option<usize>) -> Result<Tensor> {
    match (tensor.shape(), heads) {
        ([_, _, _, _], _) => Ok(tensor.clone()),
        (&[batch, indices, width], Some(heads)) if heads > 0 && width.is_multiple_of(heads) => {
            transposed(
                &tensor
                    .clone()
                    .reshaped(vec![batch, indices, heads, width / heads])?,
                &[0, 2, 1, 3],
            )
        }
        (shape, heads) => Err(Error::failed(format!(
            "attention over a tensor of shape {shape:?} in {heads:?} heads"
        ))),
    }
}

/// The lengths of four axes.
pub(crate) fn four(tensor: &Tensor) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(tensor.shape()).map_err(|_| {
        Error::failed(format!(
            "a tensor of shape {:?} where four axes are expected",
            tensor.shape()
        ))
    })
}

impl Attention {
    fn run<T: Factor>(&self, call: &mut Call) -> Result<Vec<Value>> {
        let query = by_heads(call.tensor(0)?, self.query_heads)?;
        let is_flat = call.tensor(0)?.rank() == 3;
        let (mut key, mut value) = (
            by_heads(call.tensor(1)?, self.key_heads)?,
            by_heads(call.tensor(2)?, self.key_heads)?,
        );
        let mut past = 0;
        if let (Some(keys), Some(values)) = (call.optional(4)?, call.optional(5)?) {
            past = four(keys)?[2] as i64;
            (key, value) = (
                concatenated(&[keys, &key], 2)?,
                concatenated(&[values, &value], 2)?,
            );
        }
        let ([batch, heads, queries, width], [key_batch, key_heads, keys, key_width]) =
            (four(&query)?, four(&key)?);
        let [value_batch, value_heads, values, value_width] = four(&value)?;
        if [key_batch, value_batch] != [batch; 2]
            || value_heads != key_heads
            || values != keys
            || key_width != width
            || key_heads == 0 && heads > 0
            || !heads.is_multiple_of(key_heads.max(1))
        {
            let shapes = [query.shape(), key.shape(), value.shape()];
            return Err(Error::failed(format!(
                "attention over tensors of the shapes {shapes:?}"
            )));
        }
        let valid = call.integers(6)?;
        if valid.as_ref().is_some_and(|valid| valid.len() != batch) {
            return Err(Error::failed(format!(
                "lengths of keys for other than {batch} entries"
            )));
        }
        let mask = call
            .optional(3)?
            .map(|mask| Mask::new(mask, [batch, heads, queries, keys]))
            .transpose()?;
        let scale = self
            .scale
            .unwrap_or_else(|| 1.0 / (width as f64).sqrt())
            .sqrt();
        let scaled = |tensor: &Tensor| -> Result<Vec<T>> {
            Ok(tensor
                .values::<T>()?
                .iter()
                .map(|one| one.multiply(T::from_double(scale)))
                .collect())
        };
        let (query, oriented) = (scaled(&query)?, scaled(&transposed(&key, &[0, 1, 3, 2])?)?);
        let all = value.values::<T>()?;
        let mut out = vec![T::zero(); room_of::<T>(&[batch, heads, queries, value_width])?];
        let mut shown = vec![T::zero(); room_of::<T>(&[batch, heads, queries, keys])?];
        let (cells, query_cells, value_cells) =
            (queries * keys, queries * width, keys * value_width);
        for head in 0..batch * heads {
            let own = head / heads * key_heads + head % heads / (heads / key_heads);
            let valid = valid.as_ref().map(|valid| valid[head / heads]);
            let reach = Reach {
                offset: if past == 0 {
                    valid.map_or(0, |valid| valid.saturating_sub(queries as i64))
                } else {
                    past
                },
                valid: valid.unwrap_or(i64::MAX),
            };
            let mut scores = vec![T::zero(); cells];
            let factor = &oriented[own * width * keys..(own + 1) * width * keys];
            T::multiply_matrices(
                &query[head * query_cells..(head + 1) * query_cells],
                factor,
                &mut scores,
                [queries, width, keys],
            );
            let shown = &mut shown[head * cells..(head + 1) * cells];
            self.weigh(
                &mut scores,
                shown,
                mask.as_ref(),
                head,
                [queries, keys],
                &reach,
            );
            let target = &mut out[head * queries * value_width..(head + 1) * queries * value_width];
            T::multiply_matrices(
                &scores,
                &all[own * value_cells..(own + 1) * value_cells],
                target,
                [queries, keys, value_width],
            );
        }
        let mut out = Tensor::new(vec![batch, heads, queries, value_width], out)?;
        if is_flat {
            out = transposed(&out, &[0, 2, 1, 3])?.reshaped(vec![
                batch,
                queries,
                heads * value_width,
            ])?;
        }
        Ok(vec![
            out.into(),
            key.into(),
            value.into(),
            Tensor::new(vec![batch, heads, queries, keys], shown)?.into(),
        ])
    }

    /// Products to probabilities, one row for each query of a head.
    fn weigh<T: Factor>(
        &self,
        scores: &mut [T],
        shown: &mut [T],
        mask: Option<&Mask>,
        head: usize,
        [queries, keys]: [usize; 2],
        reach: &Reach,
    ) {
        let mut row = vec![0.0; keys];
        for query in 0..queries {
            let cells = query * keys..(query + 1) * keys;
            let (scores, shown) = (&mut scores[cells.clone()], &mut shown[cells]);
            let mut is_seen = false;
            for (key, score) in scores.iter().enumerate() {
                let mut value = score.to_double();
                if self.shown == Shown::Product {
                    shown[key] = *score;
                }
                if self.cap > 0.0 {
                    value = (value / self.cap).tanh() * self.cap;
                }
                if self.shown == Shown::Capped {
                    shown[key] = T::from_double(value);
                }
                let bias = if self.looks_at(query as i64, key as i64, reach) {
                    mask.map_or(0.0, |mask| mask.bias(head, query, key))
                } else {
                    f64::NEG_INFINITY
                };
                is_seen |= bias != f64::NEG_INFINITY;
                row[key] = value + bias;
                if self.shown == Shown::Biased {
                    shown[key] = T::from_double(row[key]);
                }
            }
            // A query that may look at nothing gets nothing.
            if is_seen {
                super::reduction::soft_max(&mut row);
            } else {
                row.fill(0.0);
            }
            scores
                .iter_mut()
                .zip(&row)
                .for_each(|(score, value)| *score = T::from_double(*value));
            if self.shown == Shown::Probabilities {
                shown.copy_from_slice(scores);
            }
        }
    }

    fn looks_at(&self, query: i64, key: i64, reach: &Reach) -> bool {
        let ahead = key - query.saturating_add(reach.offset);
        let [before, behind] = self.window;
        key < reach.valid
            && !(self.is_causal && ahead > 0)
            && before.is_none_or(|most| -ahead <= most)
            && behind.is_none_or(|most| ahead <= most)
    }
}

/// What is added to the scores, stretched over batch and heads; keys beyond its end are hidden.
struct Mask {
    values: Vec<f64>,
    strides: Vec<usize>,
    heads: usize,
    keys: usize,
}

impl Mask {
    fn new(mask: &Tensor, [batch, heads, queries, keys]: [usize; 4]) -> Result<Self> {
        let own = mask
            .shape()
            .last()
            .copied()
            .filter(|own| *own <= keys && mask.rank() <= 4);
        let own = own.ok_or_else(|| {
            Error::failed(format!(
                "a mask of shape {:?} for {keys} keys",
                mask.shape()
            ))
        })?;
        let all = [batch, heads, queries, own];
        if broadcast(mask.shape(), &all)? != all {
            return Err(Error::failed(format!(
                "a mask of shape {:?} for scores of {all:?}",
                mask.shape()
            )));
        }
        let values = match mask.data() {
            Data::Bool(values) => values
                .iter()
                .map(|seen| if *seen { 0.0 } else { f64::NEG_INFINITY })
                .collect(),
            _ => mask.doubles()?,
        };
        Ok(Self {
            values,
            strides: broadcast_strides(mask.shape(), &all),
            heads,
            keys: own,
        })
    }

    fn bias(&self, head: usize, query: usize, key: usize) -> f64 {
        if key >= self.keys {
            return f64::NEG_INFINITY;
        }
        let [batch, per_head, per_query, per_key] = [0, 1, 2, 3].map(|axis| self.strides[axis]);
        self.values[head / self.heads * batch
            + head % self.heads * per_head
            + query * per_query
            + key * per_key]
    }
}
