//! What each family of encoders calls its numbers: from `config.json` to an [`Architecture`].
//!
//! Owns the families and their settings, and refuses by name what the forward pass does not do.

use serde_json::Value as Json;

use super::architecture::{
    Activation, Architecture, AttentionPositions, Embedding, FeedForward, Layer, NormOrder,
    Positions, Projection,
};
use super::config::Config;
use super::rotary_family::{modernbert, nomic};
use crate::error::{Error, Result};

/// The most layers: far above any real encoder.
pub(super) const MAX_LAYERS: usize = 1 << 10;

/// The largest width of anything, likewise.
pub(super) const MAX_WIDTH: usize = 1 << 20;

/// The most tokens of a vocabulary, likewise.
const MAX_TOKENS: usize = 1 << 24;

/// A family of encoders that name their tensors alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the families' own")]
pub enum Family {
    Bert,
    /// XLM-R and CamemBERT too.
    Roberta,
    DistilBert,
    Mpnet,
    Electra,
    Albert,
    DebertaV2,
    ModernBert,
    NomicBert,
}

/// (what `model_type` says, the family), in the order of help.
const FAMILIES: [(&str, Family); 11] = [
    ("bert", Family::Bert),
    ("roberta", Family::Roberta),
    ("xlm-roberta", Family::Roberta),
    ("camembert", Family::Roberta),
    ("distilbert", Family::DistilBert),
    ("mpnet", Family::Mpnet),
    ("electra", Family::Electra),
    ("albert", Family::Albert),
    ("deberta-v2", Family::DebertaV2),
    ("modernbert", Family::ModernBert),
    ("nomic_bert", Family::NomicBert),
];

/// What a configuration says of the encoder.
#[derive(Clone, Debug)]
pub struct Described {
    /// Which names its tensors have.
    pub family: Family,
    /// Its shape.
    pub architecture: Architecture,
    /// Biases of the linear layers of attention and of feed-forward, and of norms.
    pub biases: Biases,
    /// The most tokens that it was made for, where no table of positions says so.
    pub max_tokens: Option<usize>,
    /// Whether positions become keys and queries by the layers of content: DeBERTa v3.
    pub shares_positions: bool,
}

/// Which layers have biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Biases {
    /// The linear layers of attention.
    pub attention: bool,
    /// Those of feed-forward.
    pub feed_forward: bool,
    /// Norms.
    pub norm: bool,
}

const ALL_BIASES: Biases = Biases {
    attention: true,
    feed_forward: true,
    norm: true,
};

/// The encoder that the settings describe.
///
/// # Errors
/// A contract error for another kind of model, for a setting that is missing or absurd, and for
/// what is not supported.
pub fn describe(config: &Config) -> Result<Described> {
    let kind = config
        .text("model_type")
        .ok_or_else(|| Error::contract("`config.json` has no `model_type`"))?;
    let Some((_, family)) = FAMILIES.iter().find(|(name, _)| *name == kind) else {
        let known: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
        return Err(
            Error::contract(format!("text models of type `{kind}` are not supported"))
                .hint(format!("supported: {}", known.join(", "))),
        );
    };
    config.refuse("is_decoder", |value| value == &Json::Bool(true))?;
    config.refuse("position_embedding_type", |value| value != "absolute")?;
    match family {
        Family::Bert | Family::Roberta | Family::Electra | Family::Mpnet => {
            classic(config, *family)
        }
        Family::DistilBert => distilbert(config),
        Family::Albert => albert(config),
        Family::DebertaV2 => deberta(config),
        Family::ModernBert => modernbert(config),
        Family::NomicBert => nomic(config),
    }
}

/// Names of the numbers that most families share.
const HIDDEN: &[&str] = &["hidden_size", "dim", "n_embd"];
const HEADS: &[&str] = &["num_attention_heads", "n_heads", "n_head"];
const LAYERS: &[&str] = &["num_hidden_layers", "n_layers", "n_layer"];
const MIDDLE: &[&str] = &["intermediate_size", "hidden_dim", "n_inner"];
const MAX_POSITIONS: &[&str] = &[
    "max_position_embeddings",
    "max_trained_positions",
    "n_positions",
];

/// What is added to the variance in norms.
fn epsilon(config: &Config, family: Family) -> Result<f64> {
    let names = ["layer_norm_eps", "norm_eps", "layer_norm_epsilon"];
    match family {
        // Not a setting there.
        Family::DistilBert => Ok(1e-12),
        Family::DebertaV2 => config.real(&names, 1e-7),
        Family::ModernBert => config.real(&names, 1e-5),
        _ => config.real(&names, 1e-12),
    }
}

/// BERT's shape with the configuration's numbers.
pub(super) fn plain(config: &Config, family: Family) -> Result<Described> {
    let (hidden, head_count) = (config.width(HIDDEN)?, config.width(HEADS)?);
    let head_size = match config.count(&["head_dim", "attention_head_size"], MAX_WIDTH)? {
        Some(size) => size,
        None if hidden.is_multiple_of(head_count) => hidden / head_count,
        None => {
            return Err(Error::contract(format!(
                "a hidden size of {hidden} is not a multiple of {head_count} heads"
            )));
        }
    };
    let layer_count = config
        .count(LAYERS, MAX_LAYERS)?
        .ok_or_else(|| Error::contract(format!("the settings have no `{}`", LAYERS[0])))?;
    let vocabulary = config
        .count(&["vocab_size"], MAX_TOKENS)?
        .ok_or_else(|| Error::contract("the settings have no `vocab_size`"))?;
    let positions = config.count(MAX_POSITIONS, MAX_WIDTH)?;
    let type_count = config
        .value(&["type_vocab_size"])
        .and_then(Json::as_u64)
        .map_or(0, |count| {
            usize::try_from(count).unwrap_or(MAX_WIDTH).min(MAX_WIDTH)
        });
    let architecture = Architecture {
        hidden,
        head_count,
        head_size,
        embedding: Embedding {
            vocabulary,
            width: hidden,
            positions: positions.map(|count| Positions {
                count,
                first: 0,
                padding_id: None,
            }),
            type_count,
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
        epsilon: epsilon(config, family)?,
        attention: AttentionPositions::None,
        score_scale: 1.0 / (head_size as f64).sqrt(),
        feed_forward: FeedForward {
            size: config.width(MIDDLE)?,
            activation: config.activation(
                &["hidden_act", "activation", "hidden_activation"],
                Activation::Gelu,
            )?,
            is_gated: false,
        },
    };
    Ok(Described {
        family,
        architecture,
        biases: ALL_BIASES,
        max_tokens: None,
        shares_positions: false,
    })
}

fn classic(config: &Config, family: Family) -> Result<Described> {
    let mut described = plain(config, family)?;
    let padding = config
        .value(&["pad_token_id"])
        .and_then(Json::as_u64)
        .and_then(|id| u32::try_from(id).ok())
        // Transformers' MPNet counts from 1 whatever its settings are.
        .filter(|_| family != Family::Mpnet)
        .unwrap_or(1);
    let Architecture {
        embedding,
        attention,
        hidden,
        ..
    } = &mut described.architecture;
    let Some(positions) = &mut embedding.positions else {
        return Err(no_positions());
    };
    if matches!(family, Family::Roberta | Family::Mpnet) {
        *positions = Positions {
            first: padding as usize + 1,
            padding_id: Some(padding),
            ..*positions
        };
        if positions.first >= positions.count {
            return Err(Error::contract(format!(
                "{} positions leave no room after the padding token {padding}",
                positions.count
            )));
        }
    }
    if family == Family::Mpnet {
        embedding.type_count = 0;
        let bucket_count = config
            .count(&["relative_attention_num_buckets"], MAX_WIDTH)?
            .unwrap_or(32);
        if bucket_count < 4 {
            return Err(Error::contract(format!(
                "{bucket_count} buckets of distance are too few"
            )));
        }
        *attention = AttentionPositions::Bucketed {
            bucket_count,
            max_distance: 128,
        };
    }
    if family == Family::Electra {
        project(config, embedding, *hidden, Projection::AfterNorm)?;
    }
    Ok(described)
}

fn no_positions() -> Error {
    Error::contract("the settings have no `max_position_embeddings`")
}

fn project(
    config: &Config,
    embedding: &mut Embedding,
    hidden: usize,
    projection: Projection,
) -> Result<()> {
    embedding.width = config
        .count(&["embedding_size"], MAX_WIDTH)?
        .unwrap_or(hidden);
    embedding.projection = (embedding.width != hidden).then_some(projection);
    Ok(())
}

fn distilbert(config: &Config) -> Result<Described> {
    let mut described = plain(config, Family::DistilBert)?;
    described.architecture.embedding.type_count = 0;
    Ok(described)
}

fn albert(config: &Config) -> Result<Described> {
    let mut described = plain(config, Family::Albert)?;
    let groups = config
        .count(&["num_hidden_groups"], MAX_LAYERS)?
        .unwrap_or(1);
    let inner = config.count(&["inner_group_num"], MAX_LAYERS)?.unwrap_or(1);
    let architecture = &mut described.architecture;
    let count = architecture.layers.len();
    let group = |layer: usize| (layer as f64 / (count as f64 / groups as f64)) as usize;
    let passes =
        (0..count).flat_map(|layer| (0..inner).map(move |index| group(layer) * inner + index));
    architecture.layers = passes
        .take(MAX_LAYERS)
        .map(|weights| Layer {
            weights,
            window: None,
            rotary_base: None,
        })
        .collect();
    architecture.feed_forward.activation =
        config.activation(&["hidden_act"], Activation::GeluTanh)?;
    architecture.embedding.width = config.count(&["embedding_size"], MAX_WIDTH)?.unwrap_or(128);
    // The layer is there also where it changes no width.
    architecture.embedding.projection = Some(Projection::AfterNorm);
    Ok(described)
}

fn deberta(config: &Config) -> Result<Described> {
    config.refuse("conv_kernel_size", |value| value.as_i64() != Some(0))?;
    let mut described = plain(config, Family::DebertaV2)?;
    described.shares_positions = config.boolean("share_att_key", false);
    let architecture = &mut described.architecture;
    let hidden = architecture.hidden;
    project(
        config,
        &mut architecture.embedding,
        hidden,
        Projection::BeforeNorm,
    )?;
    let max_positions = architecture
        .embedding
        .positions
        .ok_or_else(no_positions)?
        .count;
    if !config.boolean("position_biased_input", true) {
        architecture.embedding.positions = None;
        described.max_tokens = Some(max_positions);
    }
    let terms = match config.value(&["pos_att_type"]) {
        Some(Json::String(text)) => text.split('|').map(str::to_owned).collect(),
        Some(Json::Array(list)) => list
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::<String>::new(),
    };
    let has = |term: &str| terms.iter().any(|found| found.trim() == term);
    let (content_to_position, position_to_content) = (has("c2p"), has("p2c"));
    let parts = 1 + usize::from(content_to_position) + usize::from(position_to_content);
    architecture.score_scale = 1.0 / ((architecture.head_size * parts) as f64).sqrt();
    if config.boolean("relative_attention", false) {
        let positive = |name: &str| {
            config
                .value(&[name])
                .and_then(Json::as_i64)
                .and_then(|count| usize::try_from(count).ok())
                .filter(|count| *count > 0)
        };
        let max_distance = positive("max_relative_positions")
            .unwrap_or(max_positions)
            .min(MAX_WIDTH);
        let bucket_count = positive("position_buckets").map(|count| count.min(MAX_WIDTH));
        if bucket_count.is_some_and(|count| count < 2 || max_distance <= count / 2 + 1) {
            return Err(Error::contract(
                "`position_buckets` and `max_relative_positions` do not go together",
            ));
        }
        let span = bucket_count.unwrap_or(max_distance);
        architecture.attention = AttentionPositions::Disentangled {
            content_to_position,
            position_to_content,
            span,
            bucket_count,
            max_distance,
        };
    }
    Ok(described)
}
