//! Families of encoders whose positions are rotations: ModernBERT and Nomic's BERT.
//!
//! Owns how their settings describe the passes. What families share is `family`'s.

use serde_json::Value as Json;

use super::architecture::{Activation, Architecture, AttentionPositions, Layer, NormOrder};
use super::config::Config;
use super::family::{Biases, Described, Family, MAX_LAYERS, MAX_WIDTH, plain};
use crate::error::{Error, Result};

fn rotary_base(
    parameters: Option<Config>,
    config: &Config,
    name: &str,
    default: f64,
) -> Result<f64> {
    let parameters = parameters.unwrap_or_default();
    parameters.refuse("rope_type", |value| value != "default")?;
    match parameters.value(&["rope_theta"]) {
        Some(_) => parameters.real(&["rope_theta"], default),
        None => config.real(&[name], default),
    }
}

/// Rotates all of a head.
fn rotate(architecture: &mut Architecture) -> Result<()> {
    architecture.embedding.positions = None;
    architecture.attention = AttentionPositions::Rotary {
        size: architecture.head_size,
    };
    if architecture.head_size % 2 == 1 {
        return Err(Error::contract(format!(
            "heads of {} numbers cannot be rotated in pairs",
            architecture.head_size
        )));
    }
    Ok(())
}

pub(super) fn modernbert(config: &Config) -> Result<Described> {
    let mut described = plain(config, Family::ModernBert)?;
    let parameters = |name: &str| {
        config
            .object("rope_parameters")
            .and_then(|all| all.object(name))
    };
    let global = rotary_base(
        parameters("full_attention"),
        config,
        "global_rope_theta",
        160_000.0,
    )?;
    let local = rotary_base(
        parameters("sliding_attention"),
        config,
        "local_rope_theta",
        10_000.0,
    )?;
    let window = config.width(&["local_attention"]).or_else(|error| {
        if config.value(&["local_attention"]).is_none() {
            Ok(128)
        } else {
            Err(error)
        }
    })? / 2;
    let every = config
        .count(&["global_attn_every_n_layers"], MAX_LAYERS)?
        .unwrap_or(3);
    let kinds: Option<Vec<&str>> = config
        .value(&["layer_types"])
        .and_then(Json::as_array)
        .map(|kinds| kinds.iter().filter_map(Json::as_str).collect());
    let is_global = |layer: usize| match &kinds {
        Some(kinds) => kinds
            .get(layer)
            .is_none_or(|kind| *kind == "full_attention"),
        None => layer.is_multiple_of(every),
    };
    let architecture = &mut described.architecture;
    described.max_tokens = architecture
        .embedding
        .positions
        .map(|positions| positions.count);
    rotate(architecture)?;
    for (index, layer) in architecture.layers.iter_mut().enumerate() {
        let is_global = is_global(index);
        *layer = Layer {
            window: (!is_global).then_some(window),
            rotary_base: Some(if is_global { global } else { local }),
            ..*layer
        };
    }
    architecture.norm_order = NormOrder::Pre;
    architecture.embedding.type_count = 0;
    architecture.feed_forward.is_gated = true;
    let boolean = |name: &str| config.boolean(name, false);
    described.biases = Biases {
        attention: boolean("attention_bias"),
        feed_forward: boolean("mlp_bias"),
        norm: boolean("norm_bias"),
    };
    Ok(described)
}

pub(super) fn nomic(config: &Config) -> Result<Described> {
    for name in [
        "use_rms_norm",
        "prenorm",
        "rotary_emb_interleaved",
        "causal",
        "parallel_block",
    ] {
        config.refuse(name, |value| value == &Json::Bool(true))?;
    }
    for name in ["rotary_emb_scale_base", "num_experts", "moe_every_n_layers"] {
        config.refuse(name, |value| value.as_f64() != Some(0.0))?;
    }
    config.refuse("rotary_emb_fraction", |value| value.as_f64() != Some(1.0))?;
    let curve = match config.text("activation_function") {
        None => None,
        Some("swiglu") => Some(Activation::Silu),
        Some("geglu") => Some(Activation::Gelu),
        Some(other) => {
            return Err(
                Error::contract(format!("the activation `{other}` is not supported"))
                    .hint("known ones: swiglu, geglu"),
            );
        }
    };
    let mut described = plain(config, Family::NomicBert)?;
    let architecture = &mut described.architecture;
    // Beyond what it was trained for, the original stretches the rotation.
    let trained = config.count(&["max_trained_positions"], MAX_WIDTH)?;
    described.max_tokens = trained.or(architecture
        .embedding
        .positions
        .map(|positions| positions.count));
    let base = rotary_base(
        config.object("rope_parameters"),
        config,
        "rotary_emb_base",
        1_000.0,
    )?;
    rotate(architecture)?;
    architecture
        .layers
        .iter_mut()
        .for_each(|layer| layer.rotary_base = Some(base));
    architecture.feed_forward.is_gated = true;
    architecture.feed_forward.activation = match curve {
        Some(curve) => curve,
        None => config.activation(&["hidden_act"], Activation::Silu)?,
    };
    let boolean = |name: &str| config.boolean(name, false);
    described.biases = Biases {
        attention: boolean("qkv_proj_bias"),
        feed_forward: boolean("mlp_fc1_bias"),
        norm: true,
    };
    if boolean("mlp_fc1_bias") != boolean("mlp_fc2_bias") {
        return Err(Error::contract(
            "biases in one half of the feed-forward part only are not supported",
        ));
    }
    Ok(described)
}
