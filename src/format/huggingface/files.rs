//! The files of a text model's directory: their names, and settings in them.
//!
//! Owns that no name leads out of the directory. It must not know what a setting means.

use crate::error::{Error, Result};
use crate::format::ModelFiles;
use crate::storage::Location;
use crate::text::encoder::config::Config;

/// The file that says what the model is.
pub const CONFIG: &str = "config.json";

/// The file that lists the modules of sentence-transformers.
pub const MODULES: &str = "modules.json";

/// The weights, whole, in parts, and as a pickle.
pub(super) const WEIGHTS: &str = "model.safetensors";

pub(super) const INDEX: &str = "model.safetensors.index.json";

pub(super) const PICKLE: &str = "pytorch_model.bin";

pub(super) const PICKLE_INDEX: &str = "pytorch_model.bin.index.json";

/// The encoder as an ONNX graph, in the order in which sentence-transformers looks for it.
pub const GRAPHS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// The file that only text models have.
pub const TOKENIZER: &str = "tokenizer.json";

/// The most parts of weights, and the most modules.
pub(super) const MAX_PARTS: usize = 1 << 10;

/// What transformers wrote alongside the tokenizer, and sentence-transformers alongside all.
pub(super) const TOKENIZER_SETTINGS: &str = "tokenizer_config.json";

pub(super) const SENTENCE_SETTINGS: &str = "config_sentence_transformers.json";

/// Tokens that older tokenizers list in files of their own.
pub(super) const SPECIAL_TOKENS: &str = "special_tokens_map.json";

pub(super) const ADDED_TOKENS: &str = "added_tokens.json";

/// Settings of the encoder in directories of sentence-transformers, in the order in which it looks
/// for them.
pub(super) const TRANSFORMER_SETTINGS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// What to do where the weights are missing.
pub const DOWNLOAD_WEIGHTS: &str =
    "copy or download the whole directory of the model, `model.safetensors` too";

pub(super) fn required(files: &dyn ModelFiles, name: &Location, hint: &str) -> Result<Vec<u8>> {
    files.read(name)?.ok_or_else(|| {
        Error::contract(format!("the text model has no `{}`", name.display())).hint(hint)
    })
}

pub(super) fn parsed(name: &Location, bytes: &[u8]) -> Result<Config> {
    Config::parse(bytes).map_err(|error| error.at_node(name.display().to_string()))
}

/// The settings in a file; empty where there is none.
pub(super) fn settings(files: &dyn ModelFiles, name: &Location) -> Result<Config> {
    files
        .read(name)?
        .map_or_else(|| Ok(Config::default()), |bytes| parsed(name, &bytes))
}

pub(super) fn transformer_settings(files: &dyn ModelFiles, encoder: &Location) -> Result<Config> {
    for name in TRANSFORMER_SETTINGS {
        let found = files
            .read(&encoder.join(name))?
            .map(|bytes| parsed(&Location::from(name), &bytes))
            .transpose()?;
        // An empty one says nothing, so sentence-transformers looks on.
        if let Some(settings) = found.filter(|settings| settings.names().next().is_some()) {
            return Ok(settings);
        }
    }
    Ok(Config::default())
}

/// A path inside the directory, as a file of it writes one.
pub(super) fn inside(text: &str) -> Result<Location> {
    let path = Location::from(text);
    if path.leads_down() {
        return Ok(path);
    }
    Err(Error::trust(format!(
        "the model refers to `{text}`, which is outside its directory"
    ))
    .hint("download the model again"))
}
