//! What each family calls its tensors, and the weights that lie under those names.
//!
//! Owns the names of encoders' tensors. Heads and dense layers behind the encoder have their own in
//! [`super::head`].

use super::architecture::{Architecture, AttentionPositions, NormOrder, Projection};
use super::candle_layer::linear;
use super::family::{Biases, Described, Family};
use super::load::TensorFiles;
use super::weights::{EmbeddingWeights, LayerWeights, Linear, Weights};
use crate::error::{Error, Result};

/// The names inside a layer.
struct LayerNames {
    /// Query, key and value, or the one layer that is all three.
    attention: Attention,
    output: &'static str,
    attention_norm: &'static str,
    up: &'static str,
    gate: Option<&'static str>,
    down: &'static str,
    feed_forward_norm: &'static str,
}

enum Attention {
    Apart([&'static str; 3]),
    Stacked(&'static str),
}

/// BERT's own, which RoBERTa and ELECTRA share.
const BERT: LayerNames = LayerNames {
    attention: Attention::Apart([
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ]),
    output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    gate: None,
    down: "output.dense",
    feed_forward_norm: "output.LayerNorm",
};

fn layer_names(family: Family) -> LayerNames {
    match family {
        Family::Bert | Family::Roberta | Family::Electra => BERT,
        Family::DebertaV2 => LayerNames {
            attention: Attention::Apart([
                "attention.self.query_proj",
                "attention.self.key_proj",
                "attention.self.value_proj",
            ]),
            ..BERT
        },
        Family::Mpnet => LayerNames {
            attention: Attention::Apart([
                "attention.attn.q",
                "attention.attn.k",
                "attention.attn.v",
            ]),
            output: "attention.attn.o",
            attention_norm: "attention.LayerNorm",
            ..BERT
        },
        Family::DistilBert => LayerNames {
            attention: Attention::Apart(["attention.q_lin", "attention.k_lin", "attention.v_lin"]),
            output: "attention.out_lin",
            attention_norm: "sa_layer_norm",
            up: "ffn.lin1",
            gate: None,
            down: "ffn.lin2",
            feed_forward_norm: "output_layer_norm",
        },
        Family::Albert => LayerNames {
            attention: Attention::Apart(["attention.query", "attention.key", "attention.value"]),
            output: "attention.dense",
            attention_norm: "attention.LayerNorm",
            up: "ffn",
            gate: None,
            down: "ffn_output",
            feed_forward_norm: "full_layer_layer_norm",
        },
        // `Wi` holds the half that is activated first, then the other.
        Family::ModernBert => LayerNames {
            attention: Attention::Stacked("attn.Wqkv"),
            output: "attn.Wo",
            attention_norm: "attn_norm",
            up: "mlp.Wi",
            gate: None,
            down: "mlp.Wo",
            feed_forward_norm: "mlp_norm",
        },
        Family::NomicBert => LayerNames {
            attention: Attention::Stacked("attn.Wqkv"),
            output: "attn.out_proj",
            attention_norm: "norm1",
            up: "mlp.fc11",
            gate: Some("mlp.fc12"),
            down: "mlp.fc2",
            feed_forward_norm: "norm2",
        },
    }
}

/// What stands before the names of the encoder's tensors where a head lies alongside it.
fn prefixes(family: Family) -> &'static [&'static str] {
    match family {
        Family::Bert => &["", "bert."],
        Family::Roberta => &["", "roberta."],
        Family::DistilBert => &["", "distilbert."],
        Family::Mpnet => &["", "mpnet."],
        Family::Electra => &["", "electra."],
        Family::Albert => &["", "albert."],
        Family::DebertaV2 => &["", "deberta."],
        Family::ModernBert => &["", "model."],
        Family::NomicBert => &["", "nomic_bert.", "bert."],
    }
}

fn words(family: Family) -> &'static str {
    if family == Family::ModernBert {
        "embeddings.tok_embeddings.weight"
    } else {
        "embeddings.word_embeddings.weight"
    }
}

/// The prefix that the encoder's tensors have in these files.
pub(super) fn prefix(family: Family, files: &TensorFiles<'_>) -> &'static str {
    prefixes(family)
        .iter()
        .find(|prefix| files.has(&format!("{prefix}{}", words(family))))
        .copied()
        .unwrap_or("")
}

/// The encoder's weights.
pub(super) fn weights(described: &Described, files: &mut TensorFiles<'_>) -> Result<Weights> {
    let Described {
        family,
        architecture,
        biases,
        ..
    } = described;
    let prefix = prefix(*family, files);
    let embedding = embedding(described, prefix, files);
    let mut layers = Vec::with_capacity(architecture.weight_layer_count());
    let mut position_layers = Vec::new();
    let layer_start = |index: usize, files: &TensorFiles<'_>| match family {
        Family::Albert => albert_layer(architecture, index, prefix, files),
        Family::DistilBert => format!("{prefix}transformer.layer.{index}."),
        Family::ModernBert => format!("{prefix}layers.{index}."),
        Family::NomicBert => format!("{prefix}encoder.layers.{index}."),
        _ => format!("{prefix}encoder.layer.{index}."),
    };
    for index in 0..architecture.weight_layer_count() {
        let start = layer_start(index, files);
        layers.push(layer(architecture, *biases, *family, &start, files));
        position_layers.push(positions(described, &start, files));
    }
    // Another layer would be dropped silently, and every answer would change.
    let beyond = layer_start(architecture.weight_layer_count(), files);
    files.must_not_go_on(&beyond);
    let hidden = architecture.hidden;
    let final_norm = (*family == Family::ModernBert)
        .then(|| files.norm(&format!("{prefix}final_norm"), hidden, biases.norm));
    let relative_bias = match architecture.attention {
        AttentionPositions::Bucketed { bucket_count, .. } => Some(files.take(
            &format!("{prefix}encoder.relative_attention_bias.weight"),
            &[bucket_count, architecture.head_count],
        )),
        _ => None,
    };
    let mut weights = Weights {
        embedding,
        layers,
        final_norm,
        relative_bias,
    };
    if let AttentionPositions::Disentangled { span, .. } = architecture.attention {
        let table = files.take(
            &format!("{prefix}encoder.rel_embeddings.weight"),
            &[2 * span, hidden],
        );
        let norm_name = format!("{prefix}encoder.LayerNorm");
        let norm = files
            .has(&format!("{norm_name}.weight"))
            .then(|| files.norm(&norm_name, hidden, true));
        files.check()?;
        let project = || -> candle_core::Result<()> {
            let table =
                super::candle_layer::normalised(norm.as_ref(), table, architecture.epsilon)?;
            for (layer, (key, query)) in weights.layers.iter_mut().zip(&position_layers) {
                layer.position_key = key
                    .as_ref()
                    .map(|key| linear(key.of(&layer.key), &table))
                    .transpose()?;
                layer.position_query = query
                    .as_ref()
                    .map(|query| linear(query.of(&layer.query), &table))
                    .transpose()?;
            }
            Ok(())
        };
        project().map_err(|error| {
            Error::failed("cannot project the relative positions").because(error)
        })?;
    }
    Ok(weights)
}

fn embedding(described: &Described, prefix: &str, files: &mut TensorFiles<'_>) -> EmbeddingWeights {
    let Described {
        family,
        architecture,
        biases,
        ..
    } = described;
    let (shape, hidden) = (&architecture.embedding, architecture.hidden);
    let norm_width = if shape.projection == Some(Projection::BeforeNorm) {
        hidden
    } else {
        shape.width
    };
    let (norm, projection) = match family {
        Family::ModernBert => ("embeddings.norm", ""),
        Family::NomicBert => ("emb_ln", ""),
        Family::Electra => ("embeddings.LayerNorm", "embeddings_project"),
        Family::Albert => (
            "embeddings.LayerNorm",
            "encoder.embedding_hidden_mapping_in",
        ),
        _ => ("embeddings.LayerNorm", "embeddings.embed_proj"),
    };
    let mut table = |name: &str, rows: usize| {
        files.take(
            &format!("{prefix}embeddings.{name}.weight"),
            &[rows, shape.width],
        )
    };
    let words = table(
        if *family == Family::ModernBert {
            "tok_embeddings"
        } else {
            "word_embeddings"
        },
        shape.vocabulary,
    );
    let positions = shape
        .positions
        .map(|positions| table("position_embeddings", positions.count));
    let types = (shape.type_count > 0).then(|| table("token_type_embeddings", shape.type_count));
    EmbeddingWeights {
        words,
        positions,
        types,
        norm: Some(files.norm(&format!("{prefix}{norm}"), norm_width, biases.norm)),
        projection: shape.projection.map(|index| {
            files.linear(
                &format!("{prefix}{projection}"),
                hidden,
                shape.width,
                index == Projection::AfterNorm,
            )
        }),
    }
}

/// Where ALBERT keeps a layer: in a group, of which each has as many.
fn albert_layer(
    architecture: &Architecture,
    index: usize,
    prefix: &str,
    files: &TensorFiles<'_>,
) -> String {
    let name = |group: usize, inner: usize| {
        format!("{prefix}encoder.albert_layer_groups.{group}.albert_layers.{inner}.")
    };
    let per_group = (1..=architecture.layers.len())
        .take_while(|inner| files.has(&format!("{}ffn.weight", name(0, *inner))))
        .count()
        + 1;
    name(index / per_group, index % per_group)
}

fn layer(
    architecture: &Architecture,
    biases: Biases,
    family: Family,
    start: &str,
    files: &mut TensorFiles<'_>,
) -> LayerWeights {
    let names = layer_names(family);
    let (hidden, width, size) = (
        architecture.hidden,
        architecture.attention_width(),
        architecture.feed_forward.size,
    );
    let at = |name: &str| format!("{start}{name}");
    let mut attention = match names.attention {
        Attention::Apart(parts) => parts
            .iter()
            .map(|part| files.linear(&at(part), width, hidden, biases.attention))
            .collect::<Vec<Linear>>(),
        Attention::Stacked(name) => files.stacked(&at(name), 3, width, hidden, biases.attention),
    };
    let (value, key, query) = (attention.pop(), attention.pop(), attention.pop());
    let (query, key, value) = (
        query.expect("three parts"),
        key.expect("three parts"),
        value.expect("three parts"),
    );
    let attention_output = files.linear(&at(names.output), hidden, width, biases.attention);
    let (up, gate) = match (names.gate, architecture.feed_forward.is_gated) {
        (None, true) => {
            let mut halves = files.stacked(&at(names.up), 2, size, hidden, biases.feed_forward);
            let up = halves.pop().expect("two halves");
            (up, halves.pop())
        }
        (gate, _) => {
            let gate = gate.map(|gate| files.linear(&at(gate), size, hidden, biases.feed_forward));
            (
                files.linear(&at(names.up), size, hidden, biases.feed_forward),
                gate,
            )
        }
    };
    let down = files.linear(&at(names.down), hidden, size, biases.feed_forward);
    // ModernBERT's first layer follows the embedding's norm and has none of its own.
    let has_norm = architecture.norm_order == NormOrder::Post
        || files.has(&at(&format!("{}.weight", names.attention_norm)));
    let attention_norm =
        has_norm.then(|| files.norm(&at(names.attention_norm), hidden, biases.norm));
    let feed_forward_norm = Some(files.norm(&at(names.feed_forward_norm), hidden, biases.norm));
    let (position_key, position_query) = (None, None);
    LayerWeights {
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
    }
}

/// The layer that turns positions into keys or queries: the content's own, or one for positions.
enum PositionLayer {
    Shared,
    Own(Linear),
}

impl PositionLayer {
    fn of<'a>(&'a self, shared: &'a Linear) -> &'a Linear {
        match self {
            Self::Shared => shared,
            Self::Own(own) => own,
        }
    }
}

fn positions(
    described: &Described,
    start: &str,
    files: &mut TensorFiles<'_>,
) -> (Option<PositionLayer>, Option<PositionLayer>) {
    let Described {
        architecture,
        shares_positions,
        ..
    } = described;
    let AttentionPositions::Disentangled {
        content_to_position,
        position_to_content,
        ..
    } = architecture.attention
    else {
        return (None, None);
    };
    let (width, hidden) = (architecture.attention_width(), architecture.hidden);
    let mut one = |is_on: bool, name: &str| {
        let name = format!("{start}attention.self.{name}");
        is_on.then(|| {
            if *shares_positions {
                PositionLayer::Shared
            } else {
                PositionLayer::Own(files.linear(&name, width, hidden, true))
            }
        })
    };
    (
        one(content_to_position, "pos_key_proj"),
        one(position_to_content, "pos_query_proj"),
    )
}
