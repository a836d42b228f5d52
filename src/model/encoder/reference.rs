//! The forward pass in candle's own operations, text by text: the truth in tests, the portable path and the path of other devices.
//!
//! Owns the arithmetic as transformers writes it down. On a CPU each text goes by itself, so that its numbers cannot depend on others; on
//! other devices texts of one length that follow one another go together.

use candle_core::{D, DType, Device, Result as CandleResult, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::architecture::{Activation, Architecture, AttentionPositions, Layer, NormOrder, Projection, disentangled_index, relative_bucket};
use super::packed::{Forward, PackedTokens};
use super::weights::{LayerWeights, Linear, Norm, Weights};
use crate::error::{Error, Result};
use crate::model::Scratch;

/// Texts of one length that go together where the device is not a CPU.
const MOST_TOGETHER: usize = 256;

/// Tokens that go together at most, likewise.
const MOST_TOKENS_TOGETHER: usize = 16_384;

/// An encoder that runs on candle's operations.
#[derive(Debug)]
pub struct Reference {
    architecture: Architecture,
    weights: Weights,
    device: Device,
}

impl Reference {
    /// The weights must have the architecture's shapes and lie on `device`.
    #[must_use]
    pub fn new(architecture: Architecture, weights: Weights, device: Device) -> Self {
        Self { architecture, weights, device }
    }

    /// The last hidden states \[texts, length, hidden\] of texts of one length.
    ///
    /// # Errors
    /// Fails if candle fails.
    pub fn forward(&self, ids: &Tensor, types: &Tensor, positions: &Tensor) -> CandleResult<Tensor> {
        let mut x = self.embed(ids, types, positions)?;
        let length = ids.dim(1)?;
        for layer in &self.architecture.layers {
            x = self.layer(layer, &self.weights.layers[layer.weights], &x, length)?;
        }
        self.norm(self.weights.final_norm.as_ref(), x)
    }

    fn embed(&self, ids: &Tensor, types: &Tensor, positions: &Tensor) -> CandleResult<Tensor> {
        let (texts, length) = ids.dims2()?;
        let tables = &self.weights.embedding;
        let look_up = |table: &Tensor, rows: &Tensor| table.index_select(&rows.flatten_all()?, 0)?.reshape((texts, length, table.dim(1)?));
        let mut x = look_up(&tables.words, ids)?;
        // In transformers' order: sums of three numbers depend on it.
        if let Some(table) = &tables.types {
            x = (x + look_up(table, types)?)?;
        }
        if let Some(table) = &tables.positions {
            x = (x + look_up(table, positions)?)?;
        }
        match (self.architecture.embedding.projection, &tables.projection) {
            (Some(Projection::BeforeNorm), Some(projection)) => self.norm(tables.norm.as_ref(), linear(projection, &x)?),
            (Some(Projection::AfterNorm), Some(projection)) => linear(projection, &self.norm(tables.norm.as_ref(), x)?),
            _ => self.norm(tables.norm.as_ref(), x),
        }
    }

    fn layer(&self, layer: &Layer, weights: &LayerWeights, x: &Tensor, length: usize) -> CandleResult<Tensor> {
        let (attention_norm, feed_forward_norm) = (weights.attention_norm.as_ref(), weights.feed_forward_norm.as_ref());
        match self.architecture.norm_order {
            NormOrder::Post => {
                let x = self.norm(attention_norm, (x + self.attention(layer, weights, x, length)?)?)?;
                self.norm(feed_forward_norm, (&x + self.feed_forward(weights, &x)?)?)
            }
            NormOrder::Pre => {
                let x = (x + self.attention(layer, weights, &self.norm(attention_norm, x.clone())?, length)?)?;
                &x + self.feed_forward(weights, &self.norm(feed_forward_norm, x.clone())?)?
            }
        }
    }

    fn feed_forward(&self, weights: &LayerWeights, x: &Tensor) -> CandleResult<Tensor> {
        let curve = self.architecture.feed_forward.activation;
        let middle = match &weights.gate {
            Some(gate) => (activate(curve, &linear(gate, x)?)? * linear(&weights.up, x)?)?,
            None => activate(curve, &linear(&weights.up, x)?)?,
        };
        linear(&weights.down, &middle)
    }

    fn attention(&self, layer: &Layer, weights: &LayerWeights, x: &Tensor, length: usize) -> CandleResult<Tensor> {
        let Architecture { head_count, head_size, score_scale, .. } = self.architecture;
        let texts = x.dim(0)?;
        let heads = |of: &Linear| linear(of, x)?.reshape((texts, length, head_count, head_size))?.transpose(1, 2)?.contiguous();
        let (mut query, mut key, value) = (heads(&weights.query)?, heads(&weights.key)?, heads(&weights.value)?);
        if let (AttentionPositions::Rotary { size }, Some(base)) = (self.architecture.attention, layer.rotary_base) {
            let (cosines, sines) = self.rotation(length, size, base)?;
            query = rotate(&query, size, &cosines, &sines)?;
            key = rotate(&key, size, &cosines, &sines)?;
        }
        let mut scores = query.matmul(&key.t()?)?.affine(score_scale, 0.0)?;
        if let Some(bias) = self.distance_scores(weights, &query, &key, length)? {
            scores = scores.broadcast_add(&bias)?;
        }
        if let Some(window) = layer.window.filter(|window| *window < length) {
            scores = scores.broadcast_add(&self.window_mask(length, window)?)?;
        }
        let mixed = softmax_last_dim(&scores.contiguous()?)?.matmul(&value)?;
        linear(&weights.attention_output, &mixed.transpose(1, 2)?.contiguous()?.reshape((texts, length, head_count * head_size))?)
    }

    /// What is added to the scaled scores, \[1 or texts, heads, length, length\].
    fn distance_scores(&self, weights: &LayerWeights, query: &Tensor, key: &Tensor, length: usize) -> CandleResult<Option<Tensor>> {
        match self.architecture.attention {
            AttentionPositions::None | AttentionPositions::Rotary { .. } => Ok(None),
            AttentionPositions::Bucketed { bucket_count, most_distance } => {
                let Some(table) = &self.weights.relative_bias else { return Ok(None) };
                let buckets = self.by_distance(length, |query, key| relative_bucket(key - query, bucket_count, most_distance))?;
                let bias = table.index_select(&buckets.flatten_all()?, 0)?.reshape((length, length, self.architecture.head_count))?;
                Ok(Some(bias.permute((2, 0, 1))?.unsqueeze(0)?))
            }
            AttentionPositions::Disentangled { content_to_position, position_to_content, span, bucket_count, most_distance } => {
                let rows = |query: i64, key: i64| disentangled_index(query - key, span, bucket_count, most_distance);
                let mut sum: Option<Tensor> = None;
                if let (true, Some(table)) = (content_to_position, &weights.position_key) {
                    let index = self.by_distance(length, rows)?;
                    sum = Some(self.position_scores(query, table, &index)?);
                }
                if let (true, Some(table)) = (position_to_content, &weights.position_query) {
                    // Of key j and query i, gathered by the key's rows.
                    let index = self.by_distance(length, |key, query| rows(query, key))?;
                    let scores = self.position_scores(key, table, &index)?.t()?.contiguous()?;
                    sum = Some(match sum {
                        Some(sum) => (sum + scores)?,
                        None => scores,
                    });
                }
                Ok(sum)
            }
        }
    }

    /// Products of \[texts, heads, length, size\] with the rows of a table of positions that `index` \[length, length\] names, scaled.
    fn position_scores(&self, content: &Tensor, table: &Tensor, index: &Tensor) -> CandleResult<Tensor> {
        let Architecture { head_count, head_size, score_scale, .. } = self.architecture;
        let (texts, _, length, _) = content.dims4()?;
        let rows = table.dim(0)?;
        let table = table.reshape((rows, head_count, head_size))?.permute((1, 2, 0))?.unsqueeze(0)?;
        let products = content.matmul(&table.expand((texts, head_count, head_size, rows))?.contiguous()?)?;
        let index = index.reshape((1, 1, length, length))?.expand((texts, head_count, length, length))?.contiguous()?;
        products.gather(&index, D::Minus1)?.affine(score_scale, 0.0)
    }

    /// A number for each (row, column) of a square, \[length, length\].
    fn by_distance(&self, length: usize, number: impl Fn(i64, i64) -> usize) -> CandleResult<Tensor> {
        let numbers: Vec<u32> = (0..length * length).map(|place| number((place / length) as i64, (place % length) as i64) as u32).collect();
        Tensor::from_vec(numbers, (length, length), &self.device)
    }

    /// 0 where two tokens see one another, else minus infinity.
    fn window_mask(&self, length: usize, window: usize) -> CandleResult<Tensor> {
        let sees = |place: usize| (place / length).abs_diff(place % length) <= window;
        let mask: Vec<f32> = (0..length * length).map(|place| if sees(place) { 0.0 } else { f32::NEG_INFINITY }).collect();
        Tensor::from_vec(mask, (1, 1, length, length), &self.device)
    }

    /// Cosines and sines \[length, size / 2\], in single precision as the original computes them.
    fn rotation(&self, length: usize, size: usize, base: f64) -> CandleResult<(Tensor, Tensor)> {
        let frequencies: Vec<f32> = (0..size).step_by(2).map(|place| 1.0 / (base as f32).powf(place as f32 / size as f32)).collect();
        let angles = (0..length).flat_map(|position| frequencies.iter().map(move |frequency| position as f32 * frequency));
        let angles = Tensor::from_vec(angles.collect::<Vec<f32>>(), (length, size / 2), &self.device)?;
        Ok((angles.cos()?, angles.sin()?))
    }

    /// Two passes: candle's own norm takes the variance as a difference of large numbers.
    fn norm(&self, norm: Option<&Norm>, x: Tensor) -> CandleResult<Tensor> {
        let Some(norm) = norm else { return Ok(x) };
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let scaled = centred.broadcast_div(&(variance + self.architecture.epsilon)?.sqrt()?)?.broadcast_mul(&norm.weight)?;
        match &norm.bias {
            Some(bias) => scaled.broadcast_add(bias),
            None => Ok(scaled),
        }
    }

    /// The texts from `first` on that go together: how many.
    fn together(&self, starts: &[usize], first: usize) -> usize {
        let length = |text: usize| starts[text + 1] - starts[text];
        if self.device.is_cpu() {
            return 1;
        }
        let most = MOST_TOGETHER.min((MOST_TOKENS_TOGETHER / length(first).max(1)).max(1));
        (first..starts.len() - 1).take(most).take_while(|text| length(*text) == length(first)).count()
    }

    fn append(&self, tokens: &PackedTokens, first: usize, count: usize, out: &mut Vec<f32>) -> CandleResult<()> {
        let (start, end) = (tokens.starts()[first], tokens.starts()[first + count]);
        let length = (end - start) / count;
        let tensor = |values: &[u32]| Tensor::from_slice(&values[start..end], (count, length), &self.device);
        let hidden = self.forward(&tensor(tokens.ids())?, &tensor(tokens.types())?, &tensor(tokens.positions())?)?;
        out.extend(hidden.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }
}

impl Forward for Reference {
    fn hidden(&self, tokens: &PackedTokens, _scratch: &mut Scratch, out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        let mut first = 0;
        while first < tokens.text_count() {
            let count = self.together(tokens.starts(), first);
            if tokens.starts()[first + count] > tokens.starts()[first] {
                let appended = self.append(tokens, first, count, out);
                appended.map_err(|error| Error::failed("cannot run the encoder").because(error))?;
            }
            first += count;
        }
        Ok(())
    }

    fn batch_tokens(&self) -> usize {
        if self.device.is_cpu() { 1024 } else { 4 * MOST_TOKENS_TOGETHER }
    }

    fn memory_bytes(&self) -> usize {
        self.weights.tensors().map(|tensor| tensor.elem_count() * DType::F32.size_in_bytes()).sum()
    }
}

/// `x · weightᵀ + bias` over the last dimension.
pub(super) fn linear(linear: &Linear, x: &Tensor) -> CandleResult<Tensor> {
    candle_nn::Module::forward(&candle_nn::Linear::new(linear.weight.clone(), linear.bias.clone()), x)
}

/// The curve, number by number.
pub(super) fn activate(activation: Activation, x: &Tensor) -> CandleResult<Tensor> {
    match activation {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
        Activation::Silu => x.silu(),
        Activation::Tanh => x.tanh(),
    }
}

/// The first `size` numbers of each head, rotated in pairs (i, i + size/2).
fn rotate(x: &Tensor, size: usize, cosines: &Tensor, sines: &Tensor) -> CandleResult<Tensor> {
    let (left, right) = (x.narrow(D::Minus1, 0, size / 2)?, x.narrow(D::Minus1, size / 2, size / 2)?);
    let turned_left = (left.broadcast_mul(cosines)? - right.broadcast_mul(sines)?)?;
    let turned_right = (right.broadcast_mul(cosines)? + left.broadcast_mul(sines)?)?;
    let rest = x.dim(D::Minus1)? - size;
    let rest = (rest > 0).then(|| x.narrow(D::Minus1, size, rest)).transpose()?;
    let parts: Vec<&Tensor> = [&turned_left, &turned_right].into_iter().chain(&rest).collect();
    Tensor::cat(&parts, D::Minus1)?.contiguous()
}
