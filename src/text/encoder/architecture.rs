//! Everything in which BERT and its relatives differ, as plain data.
//!
//! Owns the words for an encoder's shape. It must not know configuration files (that is the
//! importer of formats), tensors or arithmetic: a forward pass reads an [`Architecture`] alongside
//! the [`super::weights::Weights`] of the same shape.

/// An encoder of the BERT family: token ids in, one vector of `hidden` numbers a token out.
///
/// ```text
/// x = words[id] (+ positions[p]) (+ types[t]);  (projection before) norm (projection after)
/// each layer:  post-norm  x = norm₁(x + attention(x));  x = norm₂(x + feed_forward(x))
///              pre-norm   x = x + attention(norm₁(x));  x = x + feed_forward(norm₂(x))
/// final norm, if there is one
/// ```
/// A norm that the weights lack does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Numbers in a token's vector.
    pub hidden: usize,
    /// Attention heads; `hidden` is `head_count × head_size`.
    pub head_count: usize,
    /// Numbers in a head.
    pub head_size: usize,
    /// How ids become vectors.
    pub embedding: Embedding,
    /// The layers in the order in which a token passes them.
    pub layers: Vec<Layer>,
    /// Whether norms come before or after what they belong to.
    pub norm_order: NormOrder,
    /// What is added to the variance in every norm.
    pub epsilon: f64,
    /// How attention knows positions, alongside absolute positions in the embedding.
    pub attention: AttentionPositions,
    /// What attention scores are multiplied by before position terms and softmax: `1 /
    /// sqrt(head_size)`, or with disentangled attention `1 / sqrt(head_size × (1 + terms))`.
    pub score_scale: f64,
    /// The feed-forward part's shape.
    pub feed_forward: FeedForward,
}

/// How ids become vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// Tokens that the word table has.
    pub vocabulary: usize,
    /// Numbers in a row of the tables; differs from `hidden` only with a projection.
    pub width: usize,
    /// Absolute positions, if there is a table of them.
    pub positions: Option<Positions>,
    /// Rows of the table of token types; 0 for none.
    pub type_count: usize,
    /// Where a linear layer from `width` to `hidden` stands, if there is one.
    pub projection: Option<Projection>,
}

/// A table of absolute positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positions {
    /// Rows of the table.
    pub count: usize,
    /// The row of a text's first token: 0, or in RoBERTa and MPNet the padding token's id plus 1.
    pub first: usize,
    /// A token of this id takes the row before `first` and does not count, as in RoBERTa and
    /// MPNet.
    pub padding_id: Option<u32>,
}

/// Where the projection of embeddings stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Before the norm, which has `hidden` numbers: DeBERTa.
    BeforeNorm,
    /// After the norm, which has `width` numbers: ELECTRA, ALBERT.
    AfterNorm,
}

/// One layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// Which of the weights' layers it uses; ALBERT's layers share them.
    pub weights: usize,
    /// The largest distance at which a token sees another; none for all of the text.
    pub window: Option<usize>,
    /// The base of the rotation's wavelengths, where positions are rotary.
    pub rotary_base: Option<f64>,
}

/// Where norms stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormOrder {
    /// Before attention and feed-forward, inside the residual: ModernBERT.
    Pre,
    /// After the residual sum: BERT and most others.
    Post,
}

/// How attention knows positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttentionPositions {
    /// Not at all.
    None,
    /// Queries and keys are rotated by their position in the text: the pairs (i, i + size/2) of the
    /// first `size` numbers of each head, by the angle `position × base^(-2i/size)`; `base` is the
    /// layer's.
    Rotary {
        /// Numbers of each head that are rotated, even.
        size: usize,
    },
    /// A number for each head and each bucket of distance is added to the scaled score: MPNet, with
    /// the bucket of [`relative_bucket`] at `key position - query position`.
    Bucketed {
        /// Buckets, both directions together.
        bucket_count: usize,
        /// The distance from which on all share the last bucket.
        max_distance: usize,
    },
    /// Terms of content and position are added to the score: DeBERTa. With `d` =
    /// [`disentangled_index`] of `query position - key position`: `score = scale × (q·k +
    /// q·position_key[d] + k·position_query[d])`, each term only if it is on.
    Disentangled {
        /// Whether the query meets the position's key.
        content_to_position: bool,
        /// Whether the key meets the position's query.
        position_to_content: bool,
        /// Half the rows of the position tables.
        span: usize,
        /// Logarithmic buckets on each side; none where every distance up to `span` has its own.
        bucket_count: Option<usize>,
        /// The distance from which on all share the last bucket.
        max_distance: usize,
    },
}

/// The feed-forward part: `down(activation(up(x)))`, or gated `down(activation(gate(x)) × up(x))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedForward {
    /// Numbers between up and down.
    pub size: usize,
    /// The curve.
    pub activation: Activation,
    /// Whether a second linear layer gates.
    pub is_gated: bool,
}

/// A curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · Φ(x), by the error function.
    Gelu,
    /// x · Φ(x), by PyTorch's form with the hyperbolic tangent.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// x · sigmoid(x).
    Silu,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// The curve that configurations of transformers call so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "gelu" | "gelu_python" => Some(Self::Gelu),
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_accurate" => {
                Some(Self::GeluTanh)
            }
            "relu" => Some(Self::Relu),
            "silu" | "swish" => Some(Self::Silu),
            "tanh" => Some(Self::Tanh),
            _ => None,
        }
    }
}

impl Architecture {
    /// Numbers in a row of queries: `head_count × head_size`.
    #[must_use]
    pub fn attention_width(&self) -> usize {
        self.head_count * self.head_size
    }

    /// Layers of weights, shared ones counted once.
    #[must_use]
    pub fn weight_layer_count(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| layer.weights + 1)
            .max()
            .unwrap_or(0)
    }

    /// The most tokens that the table of positions has room for, if there is one.
    #[must_use]
    pub fn max_tokens(&self) -> Option<usize> {
        self.embedding
            .positions
            .map(|positions| positions.count.saturating_sub(positions.first))
    }
}

/// The bucket of `distance = key position - query position` as T5 and MPNet count: half of them for
/// each direction, half of those exact, the rest logarithmic up to `max_distance`.
#[must_use]
pub fn relative_bucket(distance: i64, bucket_count: usize, max_distance: usize) -> usize {
    let half = bucket_count / 2;
    let (start, distance) = (
        if distance > 0 { half } else { 0 },
        distance.unsigned_abs() as usize,
    );
    let exact = half / 2;
    if distance < exact {
        return start + distance;
    }
    // Single precision, as the original computes it.
    let share =
        (distance as f32 / exact as f32).ln() / ((max_distance as f64 / exact as f64).ln() as f32);
    let logarithmic = exact + (share * (half - exact) as f32) as usize;
    start + logarithmic.min(half - 1)
}

/// The row of the position tables for `distance = query position - key position` in disentangled
/// attention, from 0 to `2 × span - 1`.
#[must_use]
pub fn disentangled_index(
    distance: i64,
    span: usize,
    bucket_count: Option<usize>,
    max_distance: usize,
) -> usize {
    let bucket = match bucket_count {
        Some(count) if max_distance > 0 => logarithmic_bucket(distance, count, max_distance),
        _ => distance,
    };
    (bucket + span as i64).clamp(0, 2 * span as i64 - 1) as usize
}

/// Exact up to half the buckets, logarithmic beyond; the sign stays.
fn logarithmic_bucket(distance: i64, bucket_count: usize, max_distance: usize) -> i64 {
    let middle = (bucket_count / 2) as i64;
    if distance.abs() <= middle {
        return distance;
    }
    // Single precision, as the original computes it.
    let share = (distance.unsigned_abs() as f32 / middle as f32).ln()
        / ((max_distance - 1) as f32 / middle as f32).ln();
    let bucket = (share * (middle - 1) as f32).ceil() + middle as f32;
    bucket as i64 * distance.signum()
}
