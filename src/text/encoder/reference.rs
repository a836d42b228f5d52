//! The forward pass in candle's own operations: the truth in tests and the path of other devices
//! than the CPU.
//!
//! Owns the arithmetic as transformers writes it down. As the truth, each text goes by itself, so
//! that its numbers cannot depend on others; for a device, texts of one length that follow one
//! another go together, and workers take turns.

use std::sync::{Mutex, PoisonError};

use candle_core::{D, DType, Device, Result as CandleResult, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::architecture::{
    Activation, Architecture, AttentionPositions, Layer, NormOrder, Projection,
};
use super::candle_layer::{linear, normalised};
use super::device::failed;
use super::distances::Distances;
use super::packed::{Forward, PackedTokens, Pass};
use super::weights::{LayerWeights, Linear, Norm, Weights};
use crate::error::{Error, Result};

/// Texts of one length that go together on a device.
const MAX_TOGETHER: usize = 256;

/// Tokens that go together, likewise.
const MAX_TOKENS_TOGETHER: usize = 16_384;

/// Scores of one layer's attention that go together, likewise: 1 GiB, of which two or three are
/// alive at once. A longer text goes alone.
const MAX_SCORES_TOGETHER: usize = 1 << 28;

/// Scores of one text on a device: candle's softmax counts them in 32 bits there.
const MAX_SCORES: usize = i32::MAX as usize;

/// Rows of a portion on a device, where every length in it is a pass of its own: many, so that each
/// pass has many texts.
const PORTION_ROWS: usize = 4_000;

/// An encoder that runs on candle's operations.
#[derive(Debug)]
pub struct Reference {
    architecture: Architecture,
    weights: Weights,
    device: Device,
    /// Whose turn it is on the device, where texts go together: the handle of its products must
    /// not be used by two workers at once, and its memory holds one worker's batch.
    turn: Option<Mutex<()>>,
}

impl Reference {
    /// The truth in tests: text by text, on the CPU. The weights must have the architecture's
    /// shapes.
    #[must_use]
    pub fn new(architecture: Architecture, weights: Weights) -> Self {
        Self {
            architecture,
            weights,
            device: Device::Cpu,
            turn: None,
        }
    }

    /// Texts of one length together, on a device, where the weights are brought. The CPU is one
    /// too.
    ///
    /// # Errors
    /// Fails if the device has no room for the weights.
    pub fn on(device: Device, architecture: Architecture, weights: Weights) -> Result<Self> {
        let weights = weights
            .moved_to(&device)
            .map_err(|error| failed("cannot bring the weights to the device", error))?;
        Ok(Self {
            architecture,
            weights,
            device,
            turn: Some(Mutex::new(())),
        })
    }

    /// The last hidden states \[texts, length, hidden\] of texts of one length.
    ///
    /// # Errors
    /// Fails if candle fails.
    pub fn forward(
        &self,
        ids: &Tensor,
        types: &Tensor,
        positions: &Tensor,
    ) -> CandleResult<Tensor> {
        let mut x = self.embed(ids, types, positions)?;
        let distances = Distances::new(&self.architecture, ids.dim(1)?, &self.device)?;
        for layer in &self.architecture.layers {
            x = self.layer(layer, &self.weights.layers[layer.weights], &x, &distances)?;
        }
        self.norm(self.weights.final_norm.as_ref(), x)
    }

    fn embed(&self, ids: &Tensor, types: &Tensor, positions: &Tensor) -> CandleResult<Tensor> {
        let (texts, length) = ids.dims2()?;
        let tables = &self.weights.embedding;
        let look_up = |table: &Tensor, rows: &Tensor| {
            table
                .index_select(&rows.flatten_all()?, 0)?
                .reshape((texts, length, table.dim(1)?))
        };
        let mut x = look_up(&tables.words, ids)?;
        // In transformers' order: sums of three numbers depend on it.
        if let Some(table) = &tables.types {
            x = (x + look_up(table, types)?)?;
        }
        if let Some(table) = &tables.positions {
            x = (x + look_up(table, positions)?)?;
        }
        match (self.architecture.embedding.projection, &tables.projection) {
            (Some(Projection::BeforeNorm), Some(projection)) => {
                self.norm(tables.norm.as_ref(), linear(projection, &x)?)
            }
            (Some(Projection::AfterNorm), Some(projection)) => {
                linear(projection, &self.norm(tables.norm.as_ref(), x)?)
            }
            _ => self.norm(tables.norm.as_ref(), x),
        }
    }

    fn layer(
        &self,
        layer: &Layer,
        weights: &LayerWeights,
        x: &Tensor,
        distances: &Distances,
    ) -> CandleResult<Tensor> {
        let (attention_norm, feed_forward_norm) = (
            weights.attention_norm.as_ref(),
            weights.feed_forward_norm.as_ref(),
        );
        match self.architecture.norm_order {
            NormOrder::Post => {
                let x = self.norm(
                    attention_norm,
                    (x + self.attention(layer, weights, x, distances)?)?,
                )?;
                self.norm(feed_forward_norm, (&x + self.feed_forward(weights, &x)?)?)
            }
            NormOrder::Pre => {
                let x = (x + self.attention(
                    layer,
                    weights,
                    &self.norm(attention_norm, x.clone())?,
                    distances,
                )?)?;
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

    fn attention(
        &self,
        layer: &Layer,
        weights: &LayerWeights,
        x: &Tensor,
        distances: &Distances,
    ) -> CandleResult<Tensor> {
        let Architecture {
            head_count,
            head_size,
            score_scale,
            ..
        } = self.architecture;
        let (texts, length, _) = x.dims3()?;
        let heads = |of: &Linear| {
            linear(of, x)?
                .reshape((texts, length, head_count, head_size))?
                .transpose(1, 2)?
                .contiguous()
        };
        let (mut query, mut key, value) = (
            heads(&weights.query)?,
            heads(&weights.key)?,
            heads(&weights.value)?,
        );
        if let (AttentionPositions::Rotary { size }, Some(base)) =
            (self.architecture.attention, layer.rotary_base)
            && let Some((cosines, sines)) = distances.rotation(base)
        {
            query = rotate(&query, size, cosines, sines)?;
            key = rotate(&key, size, cosines, sines)?;
        }
        let mut scores = query.matmul(&key.t()?)?.affine(score_scale, 0.0)?;
        if let Some(bias) = self.distance_scores(weights, &query, &key, distances)? {
            scores = scores.broadcast_add(&bias)?;
        }
        if let Some(mask) = layer.window.and_then(|window| distances.mask(window)) {
            scores = scores.broadcast_add(mask)?;
        }
        let mixed = softmax_last_dim(&scores.contiguous()?)?.matmul(&value)?;
        linear(
            &weights.attention_output,
            &mixed.transpose(1, 2)?.contiguous()?.reshape((
                texts,
                length,
                head_count * head_size,
            ))?,
        )
    }

    /// What is added to the scaled scores, \[1 or texts, heads, length, length\].
    fn distance_scores(
        &self,
        weights: &LayerWeights,
        query: &Tensor,
        key: &Tensor,
        distances: &Distances,
    ) -> CandleResult<Option<Tensor>> {
        if let (Some(table), Some(buckets)) = (&self.weights.relative_bias, &distances.buckets) {
            let length = query.dim(2)?;
            let bias = table.index_select(buckets, 0)?.reshape((
                length,
                length,
                self.architecture.head_count,
            ))?;
            return Ok(Some(bias.permute((2, 0, 1))?.unsqueeze(0)?));
        }
        let mut sum: Option<Tensor> = None;
        if let (Some(table), Some(rows)) = (&weights.position_key, &distances.key_rows) {
            sum = Some(self.position_scores(query, table, rows)?);
        }
        if let (Some(table), Some(rows)) = (&weights.position_query, &distances.query_rows) {
            // Of key j and query i, gathered by the key's rows.
            let scores = self.position_scores(key, table, rows)?.t()?;
            sum = Some(match sum {
                Some(sum) => (sum + scores)?,
                None => scores,
            });
        }
        Ok(sum)
    }

    /// Products of \[texts, heads, length, size\] with the rows of a table of positions that
    /// `index` \[length, length\] names, scaled: \[texts, heads, length, length\].
    fn position_scores(
        &self,
        content: &Tensor,
        table: &Tensor,
        index: &Tensor,
    ) -> CandleResult<Tensor> {
        let Architecture {
            head_count,
            head_size,
            score_scale,
            ..
        } = self.architecture;
        let (texts, _, length, _) = content.dims4()?;
        let rows = table.dim(0)?;
        // Heads outermost: the table is then the same for all texts, and no copy of it for each is
        // needed.
        let table = table
            .reshape((rows, head_count, head_size))?
            .permute((1, 2, 0))?
            .contiguous()?;
        let content = content.transpose(0, 1)?.contiguous()?.reshape((
            head_count,
            texts * length,
            head_size,
        ))?;
        let products = content
            .matmul(&table)?
            .reshape((head_count, texts, length, rows))?;
        let index = index
            .reshape((1, 1, length, length))?
            .expand((head_count, texts, length, length))?
            .contiguous()?;
        products
            .gather(&index, D::Minus1)?
            .affine(score_scale, 0.0)?
            .transpose(0, 1)
    }

    fn norm(&self, norm: Option<&Norm>, x: Tensor) -> CandleResult<Tensor> {
        normalised(norm, x, self.architecture.epsilon)
    }

    /// The texts from `first` on that go together: how many.
    fn together(&self, starts: &[usize], first: usize) -> usize {
        let length = |text: usize| starts[text + 1] - starts[text];
        if self.turn.is_none() {
            return 1;
        }
        let (tokens, scores) = (length(first).max(1), self.score_count(length(first)).max(1));
        let most = MAX_TOGETHER
            .min(MAX_TOKENS_TOGETHER / tokens)
            .min(MAX_SCORES_TOGETHER / scores)
            .max(1);
        (first..starts.len() - 1)
            .take(most)
            .take_while(|text| length(*text) == length(first))
            .count()
    }

    /// Scores of a text's attention in one layer.
    fn score_count(&self, length: usize) -> usize {
        self.architecture
            .head_count
            .saturating_mul(length)
            .saturating_mul(length)
    }

    /// Fails for a text of more tokens than a device takes.
    fn check(&self, length: usize) -> Result<()> {
        if self.turn.is_none() || self.score_count(length) <= MAX_SCORES {
            return Ok(());
        }
        let most = (MAX_SCORES / self.architecture.head_count.max(1)).isqrt();
        Err(Error::failed(format!(
            "a text of {length} tokens is too long for `--device`"
        ))
        .hint(format!("`--max-tokens {most}` is the most there")))
    }

    fn append(
        &self,
        tokens: &PackedTokens,
        first: usize,
        count: usize,
        out: &mut Vec<f32>,
    ) -> CandleResult<()> {
        let (start, end) = (tokens.starts()[first], tokens.starts()[first + count]);
        let length = (end - start) / count;
        let tensor =
            |values: &[u32]| Tensor::from_slice(&values[start..end], (count, length), &self.device);
        let hidden = self.forward(
            &tensor(tokens.ids())?,
            &tensor(tokens.types())?,
            &tensor(tokens.positions())?,
        )?;
        out.extend(hidden.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }
}

impl Pass for &Reference {
    fn hidden(&mut self, tokens: &PackedTokens, out: &mut Vec<f32>) -> Result<()> {
        let starts = tokens.starts();
        out.clear();
        let mut first = 0;
        while first < tokens.text_count() {
            let count = self.together(starts, first);
            let length = starts[first + 1] - starts[first];
            if length > 0 {
                self.check(length)?;
                let _turn = self
                    .turn
                    .as_ref()
                    .map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
                self.append(tokens, first, count, out)
                    .map_err(|error| failed("cannot run the encoder", error))?;
            }
            first += count;
        }
        Ok(())
    }
}

impl Forward for Reference {
    fn pass(&self) -> Box<dyn Pass + '_> {
        Box::new(self)
    }

    fn batch_tokens(&self) -> usize {
        if self.turn.is_none() {
            1024
        } else {
            MAX_TOKENS_TOGETHER
        }
    }

    fn portion_rows(&self) -> Option<usize> {
        self.turn.as_ref().map(|_| PORTION_ROWS)
    }

    fn memory_bytes(&self) -> usize {
        self.weights
            .tensors()
            .map(|tensor| tensor.elem_count() * DType::F32.size_in_bytes())
            .sum()
    }
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
    let (left, right) = (
        x.narrow(D::Minus1, 0, size / 2)?,
        x.narrow(D::Minus1, size / 2, size / 2)?,
    );
    let transposed_left = (left.broadcast_mul(cosines)? - right.broadcast_mul(sines)?)?;
    let transposed_right = (right.broadcast_mul(cosines)? + left.broadcast_mul(sines)?)?;
    let rest = x.dim(D::Minus1)? - size;
    let rest = (rest > 0)
        .then(|| x.narrow(D::Minus1, size, rest))
        .transpose()?;
    let parts: Vec<&Tensor> = [&transposed_left, &transposed_right]
        .into_iter()
        .chain(&rest)
        .collect();
    Tensor::cat(&parts, D::Minus1)?.contiguous()
}
