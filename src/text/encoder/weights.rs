//! An encoder's weights in the one shape that all architectures share: candle tensors of single
//! precision.
//!
//! Owns the shapes. It must not know names in files.

use candle_core::{Device, Result, Tensor};

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
    /// \[2 × span, heads × head size\]: keys of the positions, where content meets position. Made
    /// at load from the table of positions.
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

fn moved(tensor: Option<Tensor>, device: &Device) -> Result<Option<Tensor>> {
    tensor.map(|tensor| tensor.to_device(device)).transpose()
}

impl Linear {
    fn moved_to(self, device: &Device) -> Result<Self> {
        Ok(Self {
            weight: self.weight.to_device(device)?,
            bias: moved(self.bias, device)?,
        })
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.weight).chain(&self.bias)
    }
}

impl Norm {
    fn moved_to(self, device: &Device) -> Result<Self> {
        Ok(Self {
            weight: self.weight.to_device(device)?,
            bias: moved(self.bias, device)?,
        })
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        std::iter::once(&self.weight).chain(&self.bias)
    }
}

impl EmbeddingWeights {
    fn moved_to(self, device: &Device) -> Result<Self> {
        Ok(Self {
            words: self.words.to_device(device)?,
            positions: moved(self.positions, device)?,
            types: moved(self.types, device)?,
            norm: self.norm.map(|norm| norm.moved_to(device)).transpose()?,
            projection: self
                .projection
                .map(|projection| projection.moved_to(device))
                .transpose()?,
        })
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let tables = std::iter::once(&self.words)
            .chain(&self.positions)
            .chain(&self.types);
        tables
            .chain(self.norm.iter().flat_map(Norm::tensors))
            .chain(self.projection.iter().flat_map(Linear::tensors))
    }
}

impl LayerWeights {
    fn moved_to(self, device: &Device) -> Result<Self> {
        Ok(Self {
            query: self.query.moved_to(device)?,
            key: self.key.moved_to(device)?,
            value: self.value.moved_to(device)?,
            attention_output: self.attention_output.moved_to(device)?,
            attention_norm: self
                .attention_norm
                .map(|norm| norm.moved_to(device))
                .transpose()?,
            feed_forward_norm: self
                .feed_forward_norm
                .map(|norm| norm.moved_to(device))
                .transpose()?,
            up: self.up.moved_to(device)?,
            gate: self.gate.map(|gate| gate.moved_to(device)).transpose()?,
            down: self.down.moved_to(device)?,
            position_key: moved(self.position_key, device)?,
            position_query: moved(self.position_query, device)?,
        })
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let Self {
            query,
            key,
            value,
            attention_output,
            attention_norm,
            feed_forward_norm,
            up,
            gate,
            down,
            position_key,
            position_query,
        } = self;
        let linear = [query, key, value, attention_output, up, down]
            .into_iter()
            .chain(gate)
            .flat_map(Linear::tensors);
        let norms = attention_norm
            .iter()
            .chain(feed_forward_norm)
            .flat_map(Norm::tensors);
        linear
            .chain(norms)
            .chain(position_key)
            .chain(position_query)
    }
}

impl Weights {
    /// The same weights on a device; what lies elsewhere is given free one by one.
    ///
    /// # Errors
    /// Fails if the device has no room.
    pub fn moved_to(self, device: &Device) -> Result<Self> {
        Ok(Self {
            embedding: self.embedding.moved_to(device)?,
            layers: self
                .layers
                .into_iter()
                .map(|layer| layer.moved_to(device))
                .collect::<Result<_>>()?,
            final_norm: self
                .final_norm
                .map(|norm| norm.moved_to(device))
                .transpose()?,
            relative_bias: moved(self.relative_bias, device)?,
        })
    }

    /// Every tensor.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let layers = self.layers.iter().flat_map(LayerWeights::tensors);
        self.embedding
            .tensors()
            .chain(layers)
            .chain(self.final_norm.iter().flat_map(Norm::tensors))
            .chain(&self.relative_bias)
    }
}
