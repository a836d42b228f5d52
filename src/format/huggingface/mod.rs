//! A directory as the Hugging Face hub lays it out: which files a text model consists of.
//!
//! Owns how files point at one another. What they say is
//! [`crate::text::encoder`]'s business.

mod files;
mod graph;
mod modules;
mod weights;

use std::cell::RefCell;

use self::files::{
    ADDED_TOKENS, INDEX, PICKLE, PICKLE_INDEX, SENTENCE_SETTINGS, SPECIAL_TOKENS,
    TOKENIZER_SETTINGS, TRANSFORMER_SETTINGS, WEIGHTS, parsed, required, settings,
    transformer_settings,
};
pub use self::files::{CONFIG, DOWNLOAD_WEIGHTS, GRAPHS, MODULES, TOKENIZER};
use self::graph::{graph, graph_name};
use self::modules::{STATIC, modules, part};
use self::weights::{no_weights, weights};
use crate::digest::FilesDigest;
use crate::error::{Error, Result};
use crate::format::{Artefact, ImportOptions, Imported, Importer, ModelFiles};
use crate::storage::Location;
use crate::text::encoder::assemble;
use crate::text::encoder::config::Config;
use crate::text::encoder::parts::{Entry, Parts};

/// Files of which one lies in every such directory.
const MARKS: [&str; 5] = [MODULES, WEIGHTS, INDEX, PICKLE, PICKLE_INDEX];

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
