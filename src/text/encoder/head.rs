//! What stands behind an encoder: small dense layers, one vector at a time.
//!
//! Owns classification heads and the arithmetic of single vectors. Sums go through the inner
//! dimension in one order, so that a vector's bits do not depend on those alongside it.

use candle_core::Tensor;

use super::architecture::Activation;
use super::config::Config;
use super::curve::curve;
use super::family::{Described, Family};
use super::load::{TensorFiles, numbers};
use super::names::prefix;
use super::weights::{Linear, Norm};
use crate::error::Result;
use crate::kernel::product::{Dense, Rows};

/// A linear layer over single vectors.
#[derive(Debug)]
pub(super) struct VectorLayer(Dense);

impl VectorLayer {
    pub(super) fn new(linear: &Linear) -> Result<Self> {
        let (outer, inner) = linear.weight.dims2().map_err(|error| {
            crate::error::Error::internal("a layer that is not a matrix").because(error)
        })?;
        let (weight, bias) = (
            numbers(&linear.weight)?,
            linear.bias.as_ref().map(numbers).transpose()?,
        );
        Ok(Self(Dense::new(
            inner,
            outer,
            |row, column| weight[column * inner + row],
            bias.as_deref(),
        )?))
    }

    pub(super) fn inner(&self) -> usize {
        self.0.inner()
    }

    pub(super) fn outer(&self) -> usize {
        self.0.outer()
    }

    /// The layer's answers for vectors that lie one after the other.
    pub(super) fn apply(&self, vectors: &[f32]) -> Vec<f32> {
        let width = self.0.inner();
        let count = vectors.len() / width;
        let mut out = vec![0.0; count * self.0.outer()];
        self.0.multiply(
            Rows {
                values: vectors,
                width,
                stride: width,
                count,
            },
            &mut out,
            self.0.outer(),
        );
        out
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

/// A norm over single vectors.
#[derive(Debug)]
pub(super) struct VectorNorm {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    epsilon: f64,
}

impl VectorNorm {
    pub(super) fn new(norm: &Norm, epsilon: f64) -> Result<Self> {
        Ok(Self {
            weight: numbers(&norm.weight)?,
            bias: norm
                .bias
                .as_ref()
                .map(|bias: &Tensor| numbers(bias))
                .transpose()?,
            epsilon,
        })
    }

    pub(super) fn apply(&self, vectors: &mut [f32]) {
        for vector in vectors.chunks_exact_mut(self.weight.len()) {
            let count = vector.len() as f64;
            let mean = vector.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
            let variance = vector
                .iter()
                .map(|value| (f64::from(*value) - mean).powi(2))
                .sum::<f64>()
                / count;
            let scale = 1.0 / (variance + self.epsilon).sqrt();
            for (index, value) in vector.iter_mut().enumerate() {
                let bias = self.bias.as_ref().map_or(0.0, |bias| bias[index]);
                *value = ((f64::from(*value) - mean) * scale) as f32 * self.weight[index] + bias;
            }
        }
    }
}

/// A layer between the encoder and the labels.
#[derive(Debug)]
struct Between {
    layer: VectorLayer,
    activation: Activation,
    norm: Option<VectorNorm>,
}

/// A classification head: vectors in, a logit for each label out.
#[derive(Debug)]
pub(super) struct Head {
    between: Option<Between>,
    /// None where the encoder's vectors are logits already.
    output: Option<VectorLayer>,
    /// Whether the vector of a text is the mean of its tokens', not the first one's.
    pub(super) is_mean: bool,
}

impl Head {
    /// The head of a family for this many labels, of whole texts or of each token.
    pub(super) fn load(
        described: &Described,
        config: &Config,
        label_count: usize,
        is_per_token: bool,
        files: &mut TensorFiles<'_>,
    ) -> Result<Self> {
        let (family, hidden) = (described.family, described.architecture.hidden);
        let prefix = prefix(family, files);
        let pooler = format!("{prefix}pooler");
        let dense = format!("{prefix}pooler.dense");
        let (between, output) = match family {
            Family::ModernBert => (
                Some((
                    "head.dense",
                    config.head_activation("classifier_activation")?,
                )),
                "classifier",
            ),
            _ if is_per_token => (None, "classifier"),
            Family::Bert | Family::NomicBert => {
                (Some((dense.as_str(), Activation::Tanh)), "classifier")
            }
            Family::Albert => (Some((pooler.as_str(), Activation::Tanh)), "classifier"),
            Family::Roberta | Family::Mpnet => (
                Some(("classifier.dense", Activation::Tanh)),
                "classifier.out_proj",
            ),
            Family::Electra => (
                Some(("classifier.dense", Activation::Gelu)),
                "classifier.out_proj",
            ),
            Family::DistilBert => (Some(("pre_classifier", Activation::Relu)), "classifier"),
            Family::DebertaV2 => (
                Some(("pooler.dense", config.head_activation("pooler_hidden_act")?)),
                "classifier",
            ),
        };
        let is_modern = family == Family::ModernBert;
        let between = between.map(|(name, activation)| {
            let layer = files.linear(
                name,
                hidden,
                hidden,
                !is_modern || config.boolean("classifier_bias", false),
            );
            (
                layer,
                activation,
                is_modern.then(|| files.norm("head.norm", hidden, described.biases.norm)),
            )
        });
        let output = files.linear(output, label_count, hidden, true);
        files.check()?;
        let between = match between {
            None => None,
            Some((layer, activation, norm)) => {
                let norm = norm
                    .map(|norm| VectorNorm::new(&norm, described.architecture.epsilon))
                    .transpose()?;
                Some(Between {
                    layer: VectorLayer::new(&layer)?,
                    activation,
                    norm,
                })
            }
        };
        let is_mean =
            is_modern && !is_per_token && config.text("classifier_pooling") == Some("mean");
        Ok(Self {
            between,
            output: Some(VectorLayer::new(&output)?),
            is_mean,
        })
    }

    /// The head of an encoder whose vectors are logits already.
    pub(super) fn none() -> Self {
        Self {
            between: None,
            output: None,
            is_mean: false,
        }
    }

    /// The logits of vectors that lie one after the other.
    pub(super) fn logits(&self, vectors: &[f32]) -> Vec<f32> {
        let Some(output) = &self.output else {
            return vectors.to_vec();
        };
        let Some(Between {
            layer,
            activation,
            norm,
        }) = &self.between
        else {
            return output.apply(vectors);
        };
        let mut middle = layer.apply(vectors);
        middle
            .iter_mut()
            .for_each(|value| *value = curve(*activation, *value));
        if let Some(norm) = norm {
            norm.apply(&mut middle);
        }
        output.apply(&middle)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let between = self.between.iter().map(|between| &between.layer);
        between
            .chain(&self.output)
            .map(VectorLayer::memory_bytes)
            .sum()
    }
}
