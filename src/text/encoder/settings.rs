//! Settings of whole directories that decide an answer: obeyed elsewhere, or refused here by name.
//!
//! Owns the lists of what sentence-transformers and transformers read in `config.json`,
//! `config_sentence_transformers.json` and the encoder's `sentence_…_config.json`. Settings of
//! training, memory and speed change no answer and are passed over.

use serde_json::Value as Json;

use super::config::Config;
use super::parts::Parts;
use crate::error::{Error, Result};

/// Settings of sentence-transformers for the whole model.
const SENTENCE_FILE: &str = "config_sentence_transformers.json";

/// Its settings for the encoder.
const ENCODER_FILE: &str = "sentence_bert_config.json";

/// What is written about late-interaction models.
const LATE: &str = "late-interaction models give a vector for each token, which tallow does not \
                    write; use a model with one vector a text";

/// Settings of the encoder that are obeyed, or that change no answer.
const ENCODER_KEYS: [&str; 6] = [
    "max_seq_length",
    "do_lower_case",
    "unpad_inputs",
    "transformer_task",
    "modality_config",
    "module_output_name",
];

/// Arguments for loading weights that change no answer.
const WEIGHT_ARGUMENTS: [&str; 8] = [
    "add_pooling_layer",
    "attn_implementation",
    "device_map",
    "dtype",
    "low_cpu_mem_usage",
    "torch_dtype",
    "use_safetensors",
    "trust_remote_code",
];

/// Arguments for the tokenizer that are obeyed, or that change no answer.
const TOKENIZER_ARGUMENTS: [&str; 4] = [
    "model_max_length",
    "padding_side",
    "use_fast",
    "trust_remote_code",
];

/// Arguments for the configuration that change no answer.
const CONFIG_ARGUMENTS: [&str; 3] = ["attn_implementation", "use_cache", "trust_remote_code"];

/// Fails for a setting that decides the answer and is not obeyed.
///
/// # Errors
/// A contract error that names the file and the setting; a trust error for code of the model's own.
pub(super) fn check(parts: &Parts) -> Result<()> {
    model(&parts.config).map_err(|error| error.at_node("config.json"))?;
    sentence(&parts.sentence_settings).map_err(|error| error.at_node(SENTENCE_FILE))?;
    encoder(&parts.transformer_settings).map_err(|error| error.at_node(ENCODER_FILE))
}

/// `config.json`.
fn model(config: &Config) -> Result<()> {
    let class = config
        .value(&["architectures"])
        .and_then(|all| all.get(0))
        .and_then(Json::as_str)
        .unwrap_or_default();
    if class.contains("ColBERT") || config.names().any(|name| name.starts_with("colbert")) {
        return Err(Error::contract("the model is a ColBERT").hint(LATE));
    }
    own_code(config)?;
    for name in [
        "quantization_config",
        "pruned_heads",
        "adapter_config",
        "adapters",
        "talking_head",
    ] {
        config.refuse(name, |value| !is_empty(value))?;
    }
    for name in [
        "is_decoder",
        "add_cross_attention",
        "is_encoder_decoder",
        "use_bidirectional_attention_mask",
    ] {
        config.refuse(name, |value| value == &Json::Bool(true))?;
    }
    config.refuse("transformers_weights", |value| {
        !is_empty(value) && value != "model.safetensors"
    })?;
    config.refuse("is_causal", |value| value == &Json::Bool(true))?;
    config.refuse("rope_scaling", |value| {
        !matches!(value.get("rope_type").or_else(|| value.get("type")),
            Some(kind) if kind == "default")
    })
}

/// Classes that `auto_map` names are code in the model's directory. Transformers has had
/// NomicBERT's by itself since version 5.
fn own_code(config: &Config) -> Result<()> {
    let Some(map) = config
        .object("auto_map")
        .filter(|_| config.text("model_type") != Some("nomic_bert"))
    else {
        return Ok(());
    };
    let own = map
        .names()
        .find(|name| name.starts_with("AutoModel"))
        .map(str::to_owned);
    let Some(class) = own.and_then(|name| map.text(&name).map(str::to_owned)) else {
        return Ok(());
    };
    let error = Error::trust(format!(
        "the model is code of its own: `auto_map` names `{class}`"
    ));
    Err(error.hint("tallow runs no such code; use a model whose class is transformers' own"))
}

/// `config_sentence_transformers.json`.
fn sentence(settings: &Config) -> Result<()> {
    let kind = settings.text("model_type").unwrap_or("SentenceTransformer");
    if !["SentenceTransformer", "CrossEncoder"].contains(&kind) {
        let error = Error::contract(format!("models of type `{kind}` are not supported"));
        let is_late = ["ColBERT", "MultiVectorEncoder"].contains(&kind);
        return Err(error.hint(if is_late {
            LATE
        } else {
            "supported: SentenceTransformer, CrossEncoder"
        }));
    }
    let similarity = settings.text("similarity_fn_name").unwrap_or_default();
    if similarity.eq_ignore_ascii_case("maxsim") || similarity.eq_ignore_ascii_case("xtr") {
        return Err(Error::contract(format!("`similarity_fn_name` is `{similarity}`")).hint(LATE));
    }
    let late = [
        "query_prefix",
        "document_prefix",
        "do_query_expansion",
        "query_expansion",
        "skiplist_words",
    ];
    if let Some(name) = late.iter().find(|name| {
        settings
            .value(&[name])
            .is_some_and(|value| !is_empty(value))
    }) {
        return Err(
            Error::contract(format!("`{name}` is a setting of late-interaction models")).hint(LATE),
        );
    }
    Ok(())
}

/// The encoder's own settings.
fn encoder(settings: &Config) -> Result<()> {
    for name in [
        "tokenizer_name_or_path",
        "query_length",
        "document_length",
        "query_expansion",
        "processing_kwargs",
    ] {
        settings.refuse(name, |value| !is_empty(value))?;
    }
    settings.refuse("transformer_task", |value| {
        value != "feature-extraction" && value != "sequence-classification"
    })?;
    settings.refuse("module_output_name", |value| {
        value != "token_embeddings" && value != "scores"
    })?;
    settings.refuse("modality_config", |value| !reads_texts(value))?;
    arguments(settings, ["model_args", "model_kwargs"], &WEIGHT_ARGUMENTS)?;
    arguments(
        settings,
        ["tokenizer_args", "processor_kwargs"],
        &TOKENIZER_ARGUMENTS,
    )?;
    arguments(
        settings,
        ["config_args", "config_kwargs"],
        &CONFIG_ARGUMENTS,
    )?;
    let own = [
        "model_args",
        "model_kwargs",
        "tokenizer_args",
        "processor_kwargs",
        "config_args",
        "config_kwargs",
    ];
    let mut names = settings.names().filter(|name| {
        settings
            .value(&[name])
            .is_some_and(|value| !is_empty(value))
    });
    match names.find(|name| !ENCODER_KEYS.contains(name) && !own.contains(name)) {
        Some(name) => Err(Error::contract(format!(
            "the setting `{name}` is not known"
        ))),
        None => Ok(()),
    }
}

/// Whether texts go through the encoder as they are.
fn reads_texts(modality: &Json) -> bool {
    let output = modality
        .get("text")
        .and_then(|text| text.get("method_output_name"));
    let method = modality.get("text").and_then(|text| text.get("method"));
    let is_output = |name: &str| output.is_some_and(|output| output == name);
    method.is_some_and(|method| method == "forward")
        && (is_output("last_hidden_state") || is_output("logits"))
}

/// Fails for an argument under one of these names that decides the answer.
fn arguments(settings: &Config, names: [&str; 2], known: &[&str]) -> Result<()> {
    for name in names {
        let Some(provided) = settings.object(name) else {
            continue;
        };
        let unknown = provided
            .names()
            .find(|key| !known.contains(key) && provided.value(&[key]).is_some())
            .map(str::to_owned);
        if let Some(key) = unknown {
            return Err(Error::contract(format!(
                "the setting `{key}` in `{name}` is not supported"
            )));
        }
    }
    Ok(())
}

/// Null, false, zero, or empty: a setting that says nothing.
fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(flag) => !flag,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(list) => list.is_empty(),
        Json::Object(map) => map.is_empty(),
    }
}
