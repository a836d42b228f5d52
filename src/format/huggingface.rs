//! A directory as the Hugging Face hub lays it out: which files a text model consists of.
//!
//! Owns the names of files and how they point at one another. What they say is
//! [`crate::text::encoder`]'s business.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::Value as Json;

use super::onnx::{OpenGraph, PortKind, open_graph_with};
use super::python::torch;
use super::{Artefact, ImportOptions, Imported, Importer, ModelFiles};
use crate::digest::FilesDigest;
use crate::error::{Error, Result};
use crate::storage::Location;
use crate::text::encoder::assemble;
use crate::text::encoder::config::Config;
use crate::text::encoder::parts::{Entry, GraphInput, GraphPart, ModulePart, Parts};

/// The file that says what the model is.
pub const CONFIG: &str = "config.json";

/// The file that lists the modules of sentence-transformers.
pub const MODULES: &str = "modules.json";

/// What module classes of sentence-transformers begin with, and those that may be the first.
const OWN_CLASSES: &str = "sentence_transformers.";
const TRANSFORMER: &str = "Transformer";
const STATIC: &str = "StaticEmbedding";

/// The weights, whole, in parts, and as a pickle.
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const PICKLE: &str = "pytorch_model.bin";
const PICKLE_INDEX: &str = "pytorch_model.bin.index.json";

/// The encoder as an ONNX graph, in the order in which sentence-transformers looks for it.
pub const GRAPHS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// The graphs that sentence-transformers, optimum and Transformers.js write next to that one: where
/// the directory holds just one of them, it is the model.
const OTHER_GRAPHS: [&str; 17] = [
    "model_quantized.onnx",
    "model_optimized.onnx",
    "model_int8.onnx",
    "model_uint8.onnx",
    "model_fp16.onnx",
    "model_q4.onnx",
    "model_q4f16.onnx",
    "model_bnb4.onnx",
    "model_O1.onnx",
    "model_O2.onnx",
    "model_O3.onnx",
    "model_O4.onnx",
    "model_qint8_arm64.onnx",
    "model_qint8_avx512.onnx",
    "model_qint8_avx512_vnni.onnx",
    "model_quint8_avx2.onnx",
    "model_optimized_quantized.onnx",
];

/// Ends of the names of files that hold a graph's tensors, as optimum and PyTorch write them.
const GRAPH_DATA: [&str; 2] = ["_data", ".data"];

/// The file that only text models have.
pub const TOKENIZER: &str = "tokenizer.json";

/// Files of which one lies in every such directory.
const MARKS: [&str; 5] = [MODULES, WEIGHTS, INDEX, PICKLE, PICKLE_INDEX];

/// Letters of a class's name that is shown.
const LONGEST_CLASS: usize = 100;

/// The most parts of weights, and the most modules.
const MAX_PARTS: usize = 1 << 10;

/// What transformers wrote alongside the tokenizer, and sentence-transformers alongside all.
const TOKENIZER_SETTINGS: &str = "tokenizer_config.json";
const SENTENCE_SETTINGS: &str = "config_sentence_transformers.json";

/// Tokens that older tokenizers list in files of their own.
const SPECIAL_TOKENS: &str = "special_tokens_map.json";
const ADDED_TOKENS: &str = "added_tokens.json";

/// Settings of the encoder in directories of sentence-transformers, in the order in which it looks
/// for them.
const TRANSFORMER_SETTINGS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// (a file whose presence makes the model another one, what it makes of it, what to do).
const REFUSED_FILES: [(&str, &str, &str); 2] = [
    (
        "adapter_config.json",
        "an adapter of PEFT on another model",
        "merge it into its model once: `python -c \"from peft import AutoPeftModel; \
         AutoPeftModel.from_pretrained('DIRECTORY').merge_and_unload().save_pretrained('MERGED')\"\
         `",
    ),
    (
        "artifact.metadata",
        "a ColBERT",
        "late-interaction models give a vector for each token, which tallow does not write; use a \
         model with one vector a text",
    ),
];

/// Text models in directories as the hub lays them out.
#[derive(Debug)]
pub(super) struct TextDirectory;

impl Importer for TextDirectory {
    fn name(&self) -> &'static str {
        "huggingface"
    }

    fn is_of_directories(&self) -> bool {
        true
    }

    fn recognises(&self, files: &dyn ModelFiles) -> Result<bool> {
        Ok(files.file().is_none() && is_model(files)?)
    }

    fn may_begin(&self, _head: &Artefact) -> bool {
        false
    }

    /// The digest covers every file that was read, by name.
    fn import(&self, files: &dyn ModelFiles, options: &ImportOptions) -> Result<Imported> {
        let read = Read {
            files,
            digest: RefCell::default(),
        };
        let parts = read_parts(&read).and_then(|parts| assemble(parts, &options.text));
        let loaded = parts.map_err(|error| error.at_path(files.path()))?;
        let name = files.path().file_name();
        Ok(Imported {
            digest: Some(read.digest.into_inner().finish().0),
            name: name.map(|name| name.to_string_lossy().into_owned()),
            ..Imported::from(loaded)
        })
    }
}

/// Files, and the digest of those that were read.
struct Read<'a> {
    files: &'a dyn ModelFiles,
    digest: RefCell<FilesDigest>,
}

impl ModelFiles for Read<'_> {
    fn path(&self) -> &Location {
        self.files.path()
    }

    fn has(&self, name: &Location) -> Result<bool> {
        self.files.has(name)
    }

    fn read(&self, name: &Location) -> Result<Option<Vec<u8>>> {
        let bytes = self.files.read(name)?;
        bytes
            .iter()
            .for_each(|bytes| self.digest.borrow_mut().add(name.as_os_str(), bytes));
        Ok(bytes)
    }
}

/// Whether the directory is a text model's: its settings or its tokenizer lie there, and weights or
/// modules alongside them.
///
/// # Errors
/// Fails if the directory cannot be read.
pub fn is_model(files: &dyn ModelFiles) -> Result<bool> {
    let has = |name: &str| files.has(&Location::from(name));
    for mark in MARKS {
        if has(mark)? {
            return Ok(mark == MODULES || has(CONFIG)? || has(TOKENIZER)?);
        }
    }
    // A graph alone may be any model's.
    Ok(has(CONFIG)? && has(TOKENIZER)? && graph_name(files, &Location::from(""))?.is_some())
}

/// The graph of the encoder in a folder: the one that sentence-transformers takes, else the only
/// one.
fn graph_name(files: &dyn ModelFiles, encoder: &Location) -> Result<Option<Location>> {
    for name in GRAPHS {
        let path = encoder.join(name);
        if files.has(&path)? {
            return Ok(Some(path));
        }
    }
    let mut found = Vec::new();
    for folder in ["", "onnx"] {
        for name in OTHER_GRAPHS {
            let path = encoder.join(folder).join(name);
            if files.has(&path)? {
                found.push(path);
            }
        }
    }
    Ok(found.pop().filter(|_| found.is_empty()))
}

/// Whether a file of this name may be one of a text model.
#[must_use]
pub fn is_part(name: &Location) -> bool {
    let own = [
        CONFIG,
        MODULES,
        INDEX,
        PICKLE,
        PICKLE_INDEX,
        TOKENIZER,
        TOKENIZER_SETTINGS,
        SENTENCE_SETTINGS,
        SPECIAL_TOKENS,
        ADDED_TOKENS,
    ];
    let settings = TRANSFORMER_SETTINGS.iter().chain(&own);
    name.extension()
        .is_some_and(|end| end == "safetensors" || end == "onnx")
        || name
            .file_name()
            .is_some_and(|name| settings.into_iter().any(|known| name == *known))
        || name
            .file_name()
            .and_then(std::ffi::OsStr::to_str)
            .is_some_and(|name| {
                name.starts_with("pytorch_model-") && name.strip_suffix(".bin").is_some()
            })
}

/// The files of a text model, all that are read of its directory.
///
/// # Errors
/// A contract error names a file that is missing; a trust error is given for weights that would
/// call functions and for names that lead out of the directory.
pub fn read_parts(files: &dyn ModelFiles) -> Result<Parts> {
    let modules = modules(files)?;
    let first = modules
        .as_ref()
        .and_then(|modules| modules.first())
        .cloned();
    let (kind, encoder) = first.unwrap_or_default();
    refuse_files(files, &encoder)?;
    let entry = if kind == STATIC {
        Entry::StaticEmbedding
    } else {
        Entry::Transformer
    };
    let config_path = encoder.join(CONFIG);
    let config = match entry {
        Entry::Transformer => parsed(
            &config_path,
            &required(
                files,
                &config_path,
                "copy or download the whole directory of the model",
            )?,
        )?,
        Entry::StaticEmbedding => Config::default(),
    };
    let tokenizer = encoder.join(TOKENIZER);
    // In the order in which they always were read: the model's digest follows it.
    let tokenizer = required(files, &tokenizer, MAKE_TOKENIZER)?;
    let tokenizer_config = settings(files, &encoder.join(TOKENIZER_SETTINGS))?;
    // Without modules sentence-transformers takes no settings of its own.
    let transformer_settings = if modules.is_some() {
        transformer_settings(files, &encoder)?
    } else {
        Config::default()
    };
    let sentence_settings = settings(files, &Location::from(SENTENCE_SETTINGS))?;
    let (weights, graph) = match (weights(files, &encoder, &config)?, entry) {
        (Some(weights), _) => (weights, None),
        (None, Entry::Transformer) => match graph(files, &encoder)? {
            Some(graph) => (Vec::new(), Some(graph)),
            None => return Err(no_weights()),
        },
        (None, Entry::StaticEmbedding) => return Err(no_weights()),
    };
    let mut parts = Parts {
        entry,
        tokenizer,
        tokenizer_config,
        transformer_settings,
        sentence_settings,
        weights,
        graph,
        modules: modules
            .map(|modules| {
                modules
                    .into_iter()
                    .skip(1)
                    .map(|module| part(files, module))
                    .collect::<Result<_>>()
            })
            .transpose()?,
        config,
        ..Parts::default()
    };
    if entry == Entry::Transformer
        && parts
            .tokenizer_config
            .value(&["added_tokens_decoder"])
            .is_none()
    {
        parts.special_tokens = settings(files, &encoder.join(SPECIAL_TOKENS))?;
        parts.added_tokens = settings(files, &encoder.join(ADDED_TOKENS))?;
    }
    Ok(parts)
}

/// Fails for a directory with a file that makes the model another one than its weights say.
fn refuse_files(files: &dyn ModelFiles, encoder: &Location) -> Result<()> {
    for (name, what, hint) in REFUSED_FILES {
        for path in [Location::from(name), encoder.join(name)] {
            if files.read(&path)?.is_some() {
                return Err(
                    Error::contract(format!("the model is {what}: `{name}` says so"))
                        .at_node(name)
                        .hint(hint),
                );
            }
        }
    }
    Ok(())
}

const MAKE_TOKENIZER: &str = "make it once where the model lies: `python -c \"from transformers \
    import AutoTokenizer; \
     AutoTokenizer.from_pretrained('DIRECTORY').save_pretrained('DIRECTORY')\"`";

/// What to do where the weights are missing.
pub const DOWNLOAD_WEIGHTS: &str =
    "copy or download the whole directory of the model, `model.safetensors` too";

/// How weights become safetensors; with the model's own class, because `AutoModel` would leave
/// its head out.
fn make_safetensors(config: &Config) -> String {
    let class = config
        .value(&["architectures"])
        .and_then(|all| all.get(0))
        .and_then(Json::as_str)
        .unwrap_or_default();
    let is_name = !class.is_empty()
        && class.len() <= LONGEST_CLASS
        && class.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let class = if is_name { class } else { "AutoModel" };
    format!(
        "make it once where the model lies: `python -c \"from transformers import {class}; \
         {class}.from_pretrained('DIRECTORY').save_pretrained('DIRECTORY')\"`"
    )
}

fn required(files: &dyn ModelFiles, name: &Location, hint: &str) -> Result<Vec<u8>> {
    files.read(name)?.ok_or_else(|| {
        Error::contract(format!("the text model has no `{}`", name.display())).hint(hint)
    })
}

fn parsed(name: &Location, bytes: &[u8]) -> Result<Config> {
    Config::parse(bytes).map_err(|error| error.at_node(name.display().to_string()))
}

/// The settings in a file; empty where there is none.
fn settings(files: &dyn ModelFiles, name: &Location) -> Result<Config> {
    files
        .read(name)?
        .map_or_else(|| Ok(Config::default()), |bytes| parsed(name, &bytes))
}

fn transformer_settings(files: &dyn ModelFiles, encoder: &Location) -> Result<Config> {
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
fn inside(text: &str) -> Result<Location> {
    let path = Location::from(text);
    if path.leads_down() {
        return Ok(path);
    }
    Err(Error::trust(format!(
        "the model wants `{text}`, which lies outside its directory"
    ))
    .hint("download the model again"))
}

/// (kind, directory) of each module that `modules.json` lists.
fn modules(files: &dyn ModelFiles) -> Result<Option<Vec<(String, Location)>>> {
    let Some(bytes) = files.read(&Location::from(MODULES))? else {
        return Ok(None);
    };
    let broken =
        |what: &str| Error::failed(format!("cannot read the modules: {what}")).at_node(MODULES);
    let list: Vec<Json> = serde_json::from_slice(&bytes).map_err(|error| {
        Error::failed("cannot read the modules")
            .at_node(MODULES)
            .because(error)
    })?;
    if list.len() > MAX_PARTS {
        return Err(broken("there are too many"));
    }
    let module = |value: &Json| {
        let class = value
            .get("type")
            .and_then(Json::as_str)
            .ok_or_else(|| broken("one has no `type`"))?;
        let path = value
            .get("path")
            .and_then(Json::as_str)
            .ok_or_else(|| broken("one has no `path`"))?;
        Ok((kind(class)?, inside(path)?))
    };
    let modules = list.iter().map(module).collect::<Result<Vec<_>>>()?;
    match modules.first() {
        Some((kind, _)) if [TRANSFORMER, STATIC].contains(&kind.as_str()) => Ok(Some(modules)),
        Some((kind, _)) => {
            let error = Error::contract(format!(
                "text models whose first module is `{kind}` are not supported"
            ))
            .at_node(MODULES);
            Err(error.hint(format!("supported: {TRANSFORMER}, {STATIC}")))
        }
        None => Err(broken("there is none")),
    }
}

/// The name of a module's class, if it is one of sentence-transformers' own: the last part of a
/// path such as `sentence_transformers.models.Pooling`.
fn kind(class: &str) -> Result<String> {
    let kind = class.rsplit('.').next().unwrap_or_default();
    if class.starts_with(OWN_CLASSES) {
        return Ok(kind.to_owned());
    }
    let error = Error::trust(format!(
        "the model is code of its own, or another library's: its module `{class}`"
    ))
    .at_node(MODULES);
    Err(error.hint(format!(
        "tallow runs no such code; modules of `{OWN_CLASSES}…` are supported"
    )))
}

/// Modules that need no settings; without those of others the result would be another.
const WITHOUT_SETTINGS: [&str; 2] = ["Normalize", "Dropout"];

fn part(files: &dyn ModelFiles, (kind, path): (String, Location)) -> Result<ModulePart> {
    let name = path.join(CONFIG);
    let config = if WITHOUT_SETTINGS.contains(&kind.as_str()) {
        settings(files, &name)?
    } else {
        let hint = "copy or download the whole directory of the model";
        parsed(&name, &required(files, &name, hint)?)?
    };
    Ok(ModulePart {
        kind,
        config,
        weights: match files.read(&path.join(WEIGHTS))? {
            Some(bytes) => Some(bytes),
            None => files
                .read(&path.join(PICKLE))?
                .map(|bytes| of_pickle(PICKLE, bytes, &Config::default()))
                .transpose()?,
        },
    })
}

/// The encoder's graph, if there is one.
fn graph(files: &dyn ModelFiles, encoder: &Location) -> Result<Option<GraphPart>> {
    let Some(path) = graph_name(files, encoder)? else {
        return Ok(None);
    };
    let Some(bytes) = files.read(&path)? else {
        return Ok(None);
    };
    let mut data = Vec::new();
    for end in GRAPH_DATA {
        let file = Location::from(format!("{}{end}", path.display()));
        if let (Some(content), Some(own)) = (files.read(&file)?, file.file_name()) {
            data.push((own.to_string_lossy().into_owned(), content));
        }
    }
    let opened = open_graph_with(&bytes, data);
    let opened = opened.map_err(|error| error.at_node(path.display().to_string()))?;
    Ok(Some(graph_part(&path, opened)))
}

fn graph_part(path: &Location, opened: OpenGraph) -> GraphPart {
    let input = |port: super::onnx::Port| {
        let (element, shape) = match port.kind {
            PortKind::Tensor { element, shape } => (element, shape),
            _ => (None, None),
        };
        GraphInput {
            name: port.name,
            element,
            shape,
        }
    };
    GraphPart {
        file: path.display().to_string(),
        graph: Arc::new(opened.graph),
        inputs: opened.inputs.into_iter().map(input).collect(),
        outputs: opened.outputs.into_iter().map(|port| port.name).collect(),
    }
}

/// What is reported where there are no weights that tallow reads.
fn no_weights() -> Error {
    Error::contract(format!("the text model has no `{WEIGHTS}`")).hint(DOWNLOAD_WEIGHTS)
}

/// PyTorch's weights, read as data, as safetensors.
fn of_pickle(name: &str, bytes: Vec<u8>, config: &Config) -> Result<Vec<u8>> {
    let read = if torch::is_checkpoint(&bytes) {
        torch::to_safetensors(bytes.into())
    } else {
        Err(Error::failed("the file holds no weights of PyTorch"))
    };
    read.map_err(|error| error.at_node(name).hint(make_safetensors(config)))
}

/// Files by their names.
type WeightFiles = Vec<(String, Vec<u8>)>;

/// The safetensors files with the encoder's weights, if there are any; where there is neither one
/// nor a graph, PyTorch's own.
fn weights(
    files: &dyn ModelFiles,
    encoder: &Location,
    config: &Config,
) -> Result<Option<WeightFiles>> {
    if let Some(bytes) = files.read(&encoder.join(WEIGHTS))? {
        return Ok(Some(vec![(WEIGHTS.to_owned(), bytes)]));
    }
    if let Some(index) = files.read(&encoder.join(INDEX))? {
        return parts_of(files, encoder, INDEX, &index).map(Some);
    }
    if graph_name(files, encoder)?.is_some() {
        return Ok(None);
    }
    let held = if let Some(bytes) = files.read(&encoder.join(PICKLE))? {
        vec![(PICKLE.to_owned(), bytes)]
    } else if let Some(index) = files.read(&encoder.join(PICKLE_INDEX))? {
        parts_of(files, encoder, PICKLE_INDEX, &index)?
    } else {
        return Ok(None);
    };
    let converted = held.into_iter().map(|(name, bytes)| {
        let bytes = of_pickle(&name, bytes, config)?;
        Ok((name, bytes))
    });
    converted.collect::<Result<_>>().map(Some)
}

/// The files that an index names.
fn parts_of(
    files: &dyn ModelFiles,
    encoder: &Location,
    index_name: &str,
    index: &[u8],
) -> Result<WeightFiles> {
    let index: Json = serde_json::from_slice(index).map_err(|error| {
        Error::failed("cannot read the index of the weights")
            .at_node(index_name)
            .because(error)
    })?;
    let map = index
        .get("weight_map")
        .and_then(Json::as_object)
        .ok_or_else(|| Error::failed("the index has no `weight_map`").at_node(index_name))?;
    let mut names: Vec<&str> = map.values().filter_map(Json::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > MAX_PARTS {
        return Err(Error::failed("the index names too many files").at_node(index_name));
    }
    let one = |name: &&str| {
        Ok((
            (*name).to_owned(),
            required(
                files,
                &encoder.join(inside(name)?),
                "download all parts of the weights",
            )?,
        ))
    };
    names.iter().map(one).collect()
}
