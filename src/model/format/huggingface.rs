//! A directory as the Hugging Face hub lays it out: which files a text model consists of.
//!
//! Owns the names of files and how they point at one another. What they say is [`crate::model::encoder`]'s business.

use std::path::{Component, Path, PathBuf};

use serde_json::Value as Json;

use super::ImportOptions;
use crate::error::{Error, Result};
use crate::model::LoadedModel;
use crate::model::encoder::assemble;
use crate::model::encoder::config::Config;
use crate::model::encoder::parts::{ModulePart, Parts};

/// The file that says what the model is.
pub const CONFIG: &str = "config.json";

/// The file that lists the modules of sentence-transformers.
pub const MODULES: &str = "modules.json";

/// The weights, whole, in parts, and as a pickle.
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const PICKLE: &str = "pytorch_model.bin";

/// The file that only text models have.
pub const TOKENIZER: &str = "tokenizer.json";

/// Files of which one lies in every such directory.
const MARKS: [&str; 4] = [MODULES, WEIGHTS, INDEX, PICKLE];

/// Letters of a class's name that is shown.
const LONGEST_CLASS: usize = 100;

/// The most parts of weights, and the most modules.
const MOST_PARTS: usize = 1 << 10;

/// What transformers wrote beside the tokenizer, and sentence-transformers beside all.
const TOKENIZER_SETTINGS: &str = "tokenizer_config.json";
const SENTENCE_SETTINGS: &str = "config_sentence_transformers.json";

/// Settings of the encoder in directories of sentence-transformers, by the names that they had.
const TRANSFORMER_SETTINGS: [&str; 3] = ["sentence_bert_config.json", "sentence_roberta_config.json", "sentence_xlm-roberta_config.json"];

/// How a file of the directory is read; none if it is not there.
pub type ReadFile<'a> = &'a mut dyn FnMut(&Path) -> Result<Option<Vec<u8>>>;

/// The text model that the files are.
///
/// # Errors
/// A contract error names a file that is missing, and whatever [`fn@assemble`] finds; a trust error is given for weights that are a pickle and for names
/// that lead out of the directory.
pub fn import(read: ReadFile<'_>, options: &ImportOptions) -> Result<LoadedModel> {
    assemble(read_parts(read)?, &options.text)
}

/// Whether the directory is a text model's: its settings or its tokenizer lie there, and weights or modules beside them. `has` says whether a file of
/// this name is there.
///
/// # Errors
/// Fails if `has` does.
pub fn is_model(has: &dyn Fn(&str) -> Result<bool>) -> Result<bool> {
    for mark in MARKS {
        if has(mark)? {
            return Ok(mark == MODULES || has(CONFIG)? || has(TOKENIZER)?);
        }
    }
    Ok(false)
}

/// Whether a file of this name may be one of a text model.
#[must_use]
pub fn is_part(name: &Path) -> bool {
    let settings = TRANSFORMER_SETTINGS.iter().chain(&[CONFIG, MODULES, INDEX, TOKENIZER, TOKENIZER_SETTINGS, SENTENCE_SETTINGS]);
    name.extension().is_some_and(|end| end == "safetensors") || name.file_name().is_some_and(|name| settings.into_iter().any(|known| name == *known))
}

/// The files of a text model, all that are read of its directory.
///
/// # Errors
/// A contract error names a file that is missing; a trust error is given for weights that are a pickle and for names that lead out of the directory.
pub fn read_parts(read: ReadFile<'_>) -> Result<Parts> {
    let modules = modules(read)?;
    let encoder = modules.as_ref().and_then(|modules| modules.first()).map_or_else(PathBuf::new, |(_, path)| path.clone());
    let config = required(read, &encoder.join(CONFIG), "copy or download the whole directory of the model")?;
    let tokenizer = encoder.join(TOKENIZER);
    let config = parsed(&encoder.join(CONFIG), &config)?;
    // In the order in which they always were read: the model's digest follows it.
    Ok(Parts {
        tokenizer: required(read, &tokenizer, MAKE_TOKENIZER)?,
        tokenizer_config: settings(read, &encoder.join(TOKENIZER_SETTINGS))?,
        transformer_settings: transformer_settings(read, &encoder)?,
        sentence_settings: settings(read, Path::new(SENTENCE_SETTINGS))?,
        weights: weights(read, &encoder, &config)?,
        modules: modules.map(|modules| modules.into_iter().skip(1).map(|module| part(read, module)).collect::<Result<_>>()).transpose()?,
        config,
    })
}

const MAKE_TOKENIZER: &str = "make it once where the model lies: `python -c \"from transformers import AutoTokenizer; \
                              AutoTokenizer.from_pretrained('DIRECTORY').save_pretrained('DIRECTORY')\"`";

/// What to do where the weights are missing.
pub const DOWNLOAD_WEIGHTS: &str = "copy or download the whole directory of the model, `model.safetensors` too";

/// How a pickle becomes safetensors; with the model's own class, because `AutoModel` would leave its head out.
fn make_safetensors(config: &Config) -> String {
    let class = config.value(&["architectures"]).and_then(|all| all.get(0)).and_then(Json::as_str).unwrap_or_default();
    let is_name = !class.is_empty() && class.len() <= LONGEST_CLASS && class.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let class = if is_name { class } else { "AutoModel" };
    format!(
        "make it once where the model lies: `python -c \"from transformers import {class}; \
         {class}.from_pretrained('DIRECTORY').save_pretrained('DIRECTORY')\"`"
    )
}

fn required(read: ReadFile<'_>, name: &Path, hint: &str) -> Result<Vec<u8>> {
    read(name)?.ok_or_else(|| Error::contract(format!("the text model has no `{}`", name.display())).hint(hint))
}

fn parsed(name: &Path, bytes: &[u8]) -> Result<Config> {
    Config::parse(bytes).map_err(|error| error.at_node(name.display().to_string()))
}

/// The settings in a file; empty where there is none.
fn settings(read: ReadFile<'_>, name: &Path) -> Result<Config> {
    read(name)?.map_or_else(|| Ok(Config::default()), |bytes| parsed(name, &bytes))
}

fn transformer_settings(read: ReadFile<'_>, encoder: &Path) -> Result<Config> {
    for name in TRANSFORMER_SETTINGS {
        if let Some(bytes) = read(&encoder.join(name))? {
            return parsed(Path::new(name), &bytes);
        }
    }
    Ok(Config::default())
}

/// A path inside the directory, as a file of it writes one.
fn inside(text: &str) -> Result<PathBuf> {
    let path = Path::new(text);
    if path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Ok(path.to_owned());
    }
    Err(Error::trust(format!("the model wants `{text}`, which lies outside its directory")).hint("download the model again"))
}

/// (kind, directory) of each module that `modules.json` lists.
fn modules(read: ReadFile<'_>) -> Result<Option<Vec<(String, PathBuf)>>> {
    let Some(bytes) = read(Path::new(MODULES))? else { return Ok(None) };
    let broken = |what: &str| Error::failed(format!("cannot read the modules: {what}")).at_node(MODULES);
    let list: Vec<Json> = serde_json::from_slice(&bytes).map_err(|error| Error::failed("cannot read the modules").at_node(MODULES).because(error))?;
    if list.len() > MOST_PARTS {
        return Err(broken("there are too many"));
    }
    let module = |value: &Json| {
        let kind = value.get("type").and_then(Json::as_str).and_then(|kind| kind.rsplit('.').next()).ok_or_else(|| broken("one has no `type`"))?;
        let path = value.get("path").and_then(Json::as_str).ok_or_else(|| broken("one has no `path`"))?;
        Ok((kind.to_owned(), inside(path)?))
    };
    let modules = list.iter().map(module).collect::<Result<Vec<_>>>()?;
    match modules.first() {
        Some((kind, _)) if kind == "Transformer" => Ok(Some(modules)),
        Some((kind, _)) => Err(Error::contract(format!("text models whose first module is `{kind}` are not supported")).at_node(MODULES)),
        None => Err(broken("there is none")),
    }
}

fn part(read: ReadFile<'_>, (kind, path): (String, PathBuf)) -> Result<ModulePart> {
    Ok(ModulePart { kind, config: settings(read, &path.join(CONFIG))?, weights: read(&path.join(WEIGHTS))? })
}

/// The files with the encoder's weights.
fn weights(read: ReadFile<'_>, encoder: &Path, config: &Config) -> Result<Vec<(String, Vec<u8>)>> {
    if let Some(bytes) = read(&encoder.join(WEIGHTS))? {
        return Ok(vec![(WEIGHTS.to_owned(), bytes)]);
    }
    let Some(index) = read(&encoder.join(INDEX))? else {
        return Err(match read(&encoder.join(PICKLE))? {
            Some(_) => {
                let error = Error::trust(format!("refusing the weights in `{PICKLE}`: they are a pickle, and loading it could run code"));
                error.hint(make_safetensors(config))
            }
            None => Error::contract(format!("the text model has no `{WEIGHTS}`")).hint(DOWNLOAD_WEIGHTS),
        });
    };
    let index: Json =
        serde_json::from_slice(&index).map_err(|error| Error::failed("cannot read the index of the weights").at_node(INDEX).because(error))?;
    let map = index.get("weight_map").and_then(Json::as_object).ok_or_else(|| Error::failed("the index has no `weight_map`").at_node(INDEX))?;
    let mut names: Vec<&str> = map.values().filter_map(Json::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > MOST_PARTS {
        return Err(Error::failed("the index names too many files").at_node(INDEX));
    }
    let one = |name: &&str| Ok(((*name).to_owned(), required(&mut *read, &encoder.join(inside(name)?), "download all parts of the weights")?));
    names.iter().map(one).collect()
}
