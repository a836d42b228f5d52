//! The weights of a text model: safetensors, in one file or many, or PyTorch's own made to such.
//!
//! Owns which files hold weights. What is in them is [`crate::text::encoder`]'s business.

use serde_json::Value as Json;

use super::files::{
    DOWNLOAD_WEIGHTS, INDEX, MAX_PARTS, PICKLE, PICKLE_INDEX, WEIGHTS, inside, required,
};
use super::graph::graph_name;
use crate::error::{Error, Result};
use crate::format::ModelFiles;
use crate::format::python::torch;
use crate::storage::Location;
use crate::text::encoder::config::Config;

/// Letters of a class's name that is shown.
const LONGEST_CLASS: usize = 100;

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

/// What is reported where there are no weights that tallow reads.
pub(super) fn no_weights() -> Error {
    Error::contract(format!("the text model has no `{WEIGHTS}`")).hint(DOWNLOAD_WEIGHTS)
}

/// PyTorch's weights, read as data, as safetensors.
pub(super) fn of_pickle(name: &str, bytes: Vec<u8>, config: &Config) -> Result<Vec<u8>> {
    let read = if torch::is_checkpoint(&bytes) {
        torch::to_safetensors(bytes.into())
    } else {
        Err(Error::failed("the file holds no weights of PyTorch"))
    };
    read.map_err(|error| error.at_node(name).hint(make_safetensors(config)))
}

/// Files by their names.
pub(super) type WeightFiles = Vec<(String, Vec<u8>)>;

/// The safetensors files with the encoder's weights, if there are any; where there is neither one
/// nor a graph, PyTorch's own.
pub(super) fn weights(
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
