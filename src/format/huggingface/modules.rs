//! The modules of sentence-transformers that a text model consists of, by its `modules.json`.
//!
//! Owns which classes are known by name; none is run. What a module does is
//! [`crate::text::encoder`]'s business.

use serde_json::Value as Json;

use super::files::{
    CONFIG, MAX_PARTS, MODULES, PICKLE, WEIGHTS, inside, parsed, required, settings,
};
use super::weights::of_pickle;
use crate::error::{Error, Result};
use crate::format::ModelFiles;
use crate::storage::Location;
use crate::text::encoder::config::Config;
use crate::text::encoder::parts::ModulePart;

/// What module classes of sentence-transformers begin with, and those that may be the first.
const OWN_CLASSES: &str = "sentence_transformers.";

const TRANSFORMER: &str = "Transformer";

pub(super) const STATIC: &str = "StaticEmbedding";

/// (kind, directory) of each module that `modules.json` lists.
pub(super) fn modules(files: &dyn ModelFiles) -> Result<Option<Vec<(String, Location)>>> {
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

/// Modules whose result would be another without their settings. Of a module that is not supported
/// the files are not known either.
const WITH_SETTINGS: [&str; 3] = ["Pooling", "Dense", "LayerNorm"];

pub(super) fn part(files: &dyn ModelFiles, (kind, path): (String, Location)) -> Result<ModulePart> {
    let name = path.join(CONFIG);
    let config = if WITH_SETTINGS.contains(&kind.as_str()) {
        let hint = "copy or download the whole directory of the model";
        parsed(&name, &required(files, &name, hint)?)?
    } else {
        settings(files, &name)?
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
