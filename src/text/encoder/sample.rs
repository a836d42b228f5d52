//! Small random encoders for tests: one of every kind of architecture, with weights of the right
//! shapes.

use candle_core::{Device, Tensor};

use super::architecture::{
    Activation, Architecture, AttentionPositions, Embedding, FeedForward, Layer, NormOrder,
    Positions, Projection, disentangled_index,
};
use super::packed::PackedTokens;
use super::weights::{EmbeddingWeights, LayerWeights, Linear, Norm, Weights};

/// Tokens that the samples' tables have.
pub(crate) const VOCABULARY: usize = 97;

/// A source of numbers between -1 and 1, the same on every machine.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }

    fn tensor(&mut self, shape: &[usize], scale: f32) -> Tensor {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| self.next() * scale)
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn linear(&mut self, outer: usize, inner: usize, has_bias: bool) -> Linear {
        let weight = self.tensor(&[outer, inner], 2.0 / (inner as f32).sqrt());
        Linear {
            weight,
            bias: has_bias.then(|| self.tensor(&[outer], 0.3)),
        }
    }

    fn norm(&mut self, width: usize, has_bias: bool) -> Norm {
        let weight = (self.tensor(&[width], 0.3) + 1.0).unwrap();
        Norm {
            weight,
            bias: has_bias.then(|| self.tensor(&[width], 0.3)),
        }
    }
}

/// BERT's shape, of this many numbers.
pub(crate) fn bert(
    hidden: usize,
    head_count: usize,
    layer_count: usize,
    feed_forward: usize,
) -> Architecture {
    let head_size = hidden / head_count;
    Architecture {
        hidden,
        head_count,
        head_size,
        embedding: Embedding {
            vocabulary: VOCABULARY,
            width: hidden,
            positions: Some(Positions {
                count: 600,
                first: 0,
                padding_id: None,
            }),
            type_count: 2,
            projection: None,
        },
        layers: (0..layer_count)
            .map(|weights| Layer {
                weights,
                window: None,
                rotary_base: None,
            })
            .collect(),
        norm_order: NormOrder::Post,
        epsilon: 1e-12,
        attention: AttentionPositions::None,
        score_scale: 1.0 / (head_size as f64).sqrt(),
        feed_forward: FeedForward {
            size: feed_forward,
            activation: Activation::Gelu,
            is_gated: false,
        },
    }
}

/// (name, architecture) of every kind: BERT, RoBERTa, MPNet, ALBERT, DeBERTa with and without
/// buckets, ModernBERT, NomicBERT.
pub(crate) fn every_kind() -> Vec<(&'static str, Architecture)> {
    let bert = bert(48, 4, 3, 80);
    let roberta = Positions {
        count: 600,
        first: 2,
        padding_id: Some(1),
    };
    let no_positions = Embedding {
        positions: None,
        type_count: 0,
        ..bert.embedding.clone()
    };
    let deberta = |bucket_count: Option<usize>, span: usize| Architecture {
        embedding: Embedding {
            width: 32,
            projection: Some(Projection::BeforeNorm),
            ..no_positions.clone()
        },
        attention: AttentionPositions::Disentangled {
            content_to_position: true,
            position_to_content: true,
            span,
            bucket_count,
            max_distance: 40,
        },
        score_scale: 1.0 / 36_f64.sqrt(),
        ..bert.clone()
    };
    vec![
        (
            "roberta",
            Architecture {
                embedding: Embedding {
                    positions: Some(roberta),
                    type_count: 1,
                    ..bert.embedding.clone()
                },
                ..bert.clone()
            },
        ),
        (
            "mpnet",
            Architecture {
                embedding: Embedding {
                    type_count: 0,
                    ..bert.embedding.clone()
                },
                attention: AttentionPositions::Bucketed {
                    bucket_count: 32,
                    max_distance: 128,
                },
                ..bert.clone()
            },
        ),
        (
            "albert",
            Architecture {
                embedding: Embedding {
                    width: 16,
                    projection: Some(Projection::AfterNorm),
                    ..bert.embedding.clone()
                },
                layers: vec![
                    Layer {
                        weights: 0,
                        window: None,
                        rotary_base: None
                    };
                    3
                ],
                feed_forward: FeedForward {
                    activation: Activation::GeluTanh,
                    ..bert.feed_forward
                },
                ..bert.clone()
            },
        ),
        ("deberta with buckets", deberta(Some(8), 8)),
        ("deberta without buckets", deberta(None, 40)),
        (
            "modernbert",
            Architecture {
                embedding: no_positions.clone(),
                layers: bert
                    .layers
                    .iter()
                    .map(|layer| rotary(layer, true))
                    .collect(),
                norm_order: NormOrder::Pre,
                epsilon: 1e-5,
                attention: AttentionPositions::Rotary { size: 12 },
                feed_forward: FeedForward {
                    size: 72,
                    activation: Activation::Gelu,
                    is_gated: true,
                },
                ..bert.clone()
            },
        ),
        (
            "nomic",
            Architecture {
                embedding: Embedding {
                    type_count: 2,
                    ..no_positions
                },
                layers: bert
                    .layers
                    .iter()
                    .map(|layer| rotary(layer, false))
                    .collect(),
                attention: AttentionPositions::Rotary { size: 12 },
                feed_forward: FeedForward {
                    size: 96,
                    activation: Activation::Silu,
                    is_gated: true,
                },
                ..bert.clone()
            },
        ),
        ("bert", bert),
    ]
}

/// A layer of ModernBERT, with windows on all but the first, or of NomicBERT.
fn rotary(layer: &Layer, has_windows: bool) -> Layer {
    let is_wide = has_windows && layer.weights == 0;
    Layer {
        window: (has_windows && !is_wide).then_some(5),
        rotary_base: Some(if is_wide { 160_000.0 } else { 1_000.0 }),
        ..*layer
    }
}

/// Random weights of the architecture's shapes.
pub(crate) fn weights(architecture: &Architecture, seed: u64) -> Weights {
    let mut noise = Noise(seed);
    let Architecture {
        hidden, embedding, ..
    } = architecture;
    let is_plain = architecture.norm_order == NormOrder::Post;
    let norm_width = if embedding.projection == Some(Projection::BeforeNorm) {
        *hidden
    } else {
        embedding.width
    };
    Weights {
        embedding: EmbeddingWeights {
            words: noise.tensor(&[embedding.vocabulary, embedding.width], 1.0),
            positions: embedding
                .positions
                .map(|positions| noise.tensor(&[positions.count, embedding.width], 0.5)),
            types: (embedding.type_count > 0)
                .then(|| noise.tensor(&[embedding.type_count, embedding.width], 0.5)),
            norm: Some(noise.norm(norm_width, is_plain)),
            projection: embedding.projection.map(|_| {
                noise.linear(
                    *hidden,
                    embedding.width,
                    embedding.projection == Some(Projection::AfterNorm),
                )
            }),
        },
        layers: (0..architecture.weight_layer_count())
            .map(|layer| layer_weights(architecture, layer, &mut noise))
            .collect(),
        final_norm: (!is_plain).then(|| noise.norm(*hidden, false)),
        relative_bias: match architecture.attention {
            AttentionPositions::Bucketed { bucket_count, .. } => {
                Some(noise.tensor(&[bucket_count, architecture.head_count], 1.0))
            }
            _ => None,
        },
    }
}

fn layer_weights(architecture: &Architecture, layer: usize, noise: &mut Noise) -> LayerWeights {
    let (hidden, width, size) = (
        architecture.hidden,
        architecture.attention_width(),
        architecture.feed_forward.size,
    );
    let is_post = architecture.norm_order == NormOrder::Post;
    let has_bias = !architecture.feed_forward.is_gated;
    let span = match architecture.attention {
        AttentionPositions::Disentangled {
            span,
            bucket_count,
            max_distance,
            ..
        } => {
            assert!(
                disentangled_index(i64::from(u16::MAX), span, bucket_count, max_distance)
                    < 2 * span
            );
            Some(span)
        }
        _ => None,
    };
    LayerWeights {
        query: noise.linear(width, hidden, has_bias),
        key: noise.linear(width, hidden, has_bias),
        value: noise.linear(width, hidden, has_bias),
        attention_output: noise.linear(hidden, width, has_bias),
        // ModernBERT's first layer has none.
        attention_norm: (is_post || layer > 0).then(|| noise.norm(hidden, is_post)),
        feed_forward_norm: Some(noise.norm(hidden, is_post)),
        up: noise.linear(size, hidden, has_bias),
        gate: architecture
            .feed_forward
            .is_gated
            .then(|| noise.linear(size, hidden, false)),
        down: noise.linear(hidden, size, has_bias),
        position_key: span.map(|span| noise.tensor(&[2 * span, width], 1.0)),
        position_query: span.map(|span| noise.tensor(&[2 * span, width], 1.0)),
    }
}

/// Texts of these lengths, of random tokens.
pub(crate) fn texts(architecture: &Architecture, lengths: &[usize], seed: u64) -> PackedTokens {
    let mut noise = Noise(seed);
    let mut packed = PackedTokens::new();
    for length in lengths {
        let ids: Vec<u32> = (0..*length)
            .map(|_| ((noise.next() + 1.0) * 0.499 * VOCABULARY as f32) as u32)
            .collect();
        let types: Vec<u32> = (0..*length)
            .map(|index| u32::from(architecture.embedding.type_count > 1 && index > length / 2))
            .collect();
        packed.push(&ids, &types, architecture.embedding.positions);
    }
    packed
}
