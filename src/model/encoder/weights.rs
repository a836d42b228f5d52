//! An encoder's weights in the one shape that all architectures share: candle tensors of single precision.
//!
//! Owns the shapes. It must not know names in files.

use candle_core::Tensor;

/// `x · weightᵀ + bias`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// \[out, in\], contiguous.
    pub weight: Tensor,
    /// \[out\].
    pub bias: Option<Tensor>,
}

/// Layer normalisation over a token's vector.
#[derive(Clone, Debug)]
pub struct Norm {
    /// \[width\].
    pub weight: Tensor,
    /// \[width\].
    pub bias: Option<Tensor>,
}

/// The tables that ids are looked up in.
#[derive(Clone, Debug)]
pub struct EmbeddingWeights {
    /// \[vocabulary, width\].
    pub words: Tensor,
    /// \[positions, width\].
    pub positions: Option<Tensor>,
    /// \[types, width\].
    pub types: Option<Tensor>,
    /// Over `width`, or over `hidden` if the projection stands before it.
    pub norm: Option<Norm>,
    /// From `width` to `hidden`.
    pub projection: Option<Linear>,
}

/// One layer's weights.
#[derive(Clone, Debug)]
pub struct LayerWeights {
    /// \[heads × head size, hidden\].
    pub query: Linear,
    /// As `query`.
    pub key: Linear,
    /// As `query`.
    pub value: Linear,
    /// \[hidden, heads × head size\].
    pub attention_output: Linear,
    /// Belongs to attention: before it with pre-norm, after it with post-norm.
    pub attention_norm: Option<Norm>,
    /// Belongs to feed-forward, likewise.
    pub feed_forward_norm: Option<Norm>,
    /// \[feed-forward size, hidden\].
    pub up: Linear,
    /// As `up`, where the feed-forward part is gated: this half goes through the activation.
    pub gate: Option<Linear>,
    /// \[hidden, feed-forward size\].
    pub down: Linear,
    /// \[2 × span, heads × head size\]: keys of the positions, where content meets position. Made at load from the table of positions.
    pub position_key: Option<Tensor>,
    /// \[2 × span, heads × head size\]: queries of the positions, likewise.
    pub position_query: Option<Tensor>,
}

/// All weights of an encoder, without its head.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The tables.
    pub embedding: EmbeddingWeights,
    /// Layers, shared ones once.
    pub layers: Vec<LayerWeights>,
    /// After the last layer.
    pub final_norm: Option<Norm>,
    /// \[buckets, heads\]: what is added to scores by distance, where that is bucketed.
    pub relative_bias: Option<Tensor>,
}

impl Linear {
    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.weight).chain(&self.bias)
    }
}

impl Norm {
    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.weight).chain(&self.bias)
    }
}

impl EmbeddingWeights {
    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let tables = std::iter::once(&self.words).chain(&self.positions).chain(&self.types);
        tables.chain(self.norm.iter().flat_map(Norm::tensors)).chain(self.projection.iter().flat_map(Linear::tensors))
    }
}

impl LayerWeights {
    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let Self { query, key, value, attention_output, attention_norm, feed_forward_norm, up, gate, down, position_key, position_query } = self;
        let linear = [query, key, value, attention_output, up, down].into_iter().chain(gate).flat_map(Linear::tensors);
        let norms = attention_norm.iter().chain(feed_forward_norm).flat_map(Norm::tensors);
        linear.chain(norms).chain(position_key).chain(position_query)
    }
}

impl Weights {
    /// Every tensor.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let layers = self.layers.iter().flat_map(LayerWeights::tensors);
        self.embedding.tensors().chain(layers).chain(self.final_norm.iter().flat_map(Norm::tensors)).chain(&self.relative_bias)
    }
}
