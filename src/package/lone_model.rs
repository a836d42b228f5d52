//! The model that a path means which is not a package: the only one of a directory, or none.
//!
//! Owns what is said where there is no model or more than one. How a model is opened is `open`'s.

use super::reading::{self, Found};
use crate::error::{Error, Result};
use crate::format::{huggingface, recognised, refuse};
use crate::package::signature::SIGNATURE_NAME;
use crate::storage::{Location, find, list, metadata};
use crate::table::walk::missing;

/// What is said where no model lies; a name of the hub, of an owner and a model, is distinguished
/// from a path by its first part, which is not there either.
pub(super) fn missing_model(path: &Location) -> Result<Error> {
    let mut parts = path.names();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(owner), Some(name), None)
            if path.is_plain()
                && !path.to_string_lossy().contains("://")
                && find(owner)?.is_none() =>
        {
            let (whole, name) = (path.display(), name.display());
            let download = format!("hf download {whole} --local-dir {name}");
            Ok(missing(path).hint(format!(
                "check the spelling; models of the Hugging Face hub are not downloaded by tallow: \
                 `{download}` gets one"
            )))
        }
        _ => Ok(missing(path)),
    }
}

/// Whether one of these files lies in the directory.
pub(super) fn any_in(path: &Location, names: &[&str]) -> Result<bool> {
    for name in names {
        if find(path.join(name))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The one file in the directory that an importer recognises.
pub(super) fn only_model_in(directory: &Location) -> Result<Location> {
    let graphs = other_graphs(directory)?;
    if !graphs.is_empty() {
        return Err(no_chosen_graph(directory, &graphs));
    }
    let (mut models, mut refused) = (Vec::new(), Ok(()));
    for path in list(directory)? {
        // A signature is not a model, and neither is an empty file or what tools hide
        // (`.gitignore`); signatures in pieces do not even list empty files.
        let is_aside = path.file_name().is_some_and(|name| {
            name == SIGNATURE_NAME || name.as_encoded_bytes().starts_with(b".")
        });
        let found = metadata(&path)?;
        let is_empty = found.is_file && found.byte_count == 0;
        if !is_aside && !is_empty && !found.is_directory {
            let (artefact, is_model) = match reading::find(path)? {
                Found::Whole(artefact, _held) => {
                    let is_model = recognised(&artefact)?.is_some();
                    (artefact, is_model)
                }
                Found::Ends(ends) => (ends, false),
            };
            if is_model {
                models.push(artefact.path);
            } else if refused.is_ok() {
                refused = refuse(&artefact);
            }
        }
    }
    let names = || {
        models
            .iter()
            .filter_map(|path| path.file_name())
            .map(|name| format!("`{}`", name.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match models.as_slice() {
        [one] => Ok(one.clone()),
        // What is there says more than what is not.
        [] if refused.is_err() => Err(refused
            .err()
            .unwrap_or_else(|| Error::internal("a refusal that is none"))),
        [] if any_in(directory, &[huggingface::TOKENIZER])? => {
            Err(Error::contract("the text model has no `model.safetensors`")
                .at_path(directory)
                .hint(huggingface::DOWNLOAD_WEIGHTS))
        }
        [] => Err(
            Error::contract("the directory has no model that tallow can read")
                .at_path(directory)
                .hint("give the model file itself, or add a `tallow.toml`"),
        ),
        _ => Err(Error::contract(format!(
            "the directory holds {} models: {}",
            models.len(),
            names()
        ))
        .at_path(directory)
        .hint("give the model file itself")),
    }
}

/// The graphs in the directory of a text model that has only some of other names than the one that
/// sentence-transformers takes.
fn other_graphs(directory: &Location) -> Result<Vec<Location>> {
    if !any_in(directory, &[huggingface::TOKENIZER])? || !any_in(directory, &[huggingface::CONFIG])?
    {
        return Ok(Vec::new());
    }
    let mut graphs = Vec::new();
    for folder in [directory.to_owned(), directory.join("onnx")] {
        if find(&folder)?.is_some_and(|found| found.is_directory) {
            let is_graph = |path: &Location| path.extension().is_some_and(|end| end == "onnx");
            graphs.extend(list(&folder)?.into_iter().filter(is_graph));
        }
    }
    Ok(graphs)
}

fn no_chosen_graph(directory: &Location, graphs: &[Location]) -> Error {
    let name = |path: &Location| {
        let own = path.strip_prefix(directory);
        format!("`{}`", own.as_ref().unwrap_or(path).display())
    };
    let names = graphs.iter().map(name).collect::<Vec<_>>().join(", ");
    let link = graphs.first().map(|first| {
        let (file, folder) = (first.file_name().unwrap_or_default(), first.parent());
        format!(
            "`ln -s {} {}`",
            file.display(),
            folder
                .as_ref()
                .unwrap_or(directory)
                .join("model.onnx")
                .display()
        )
    });
    Error::contract(format!(
        "the text model has no `model.onnx` or `onnx/model.onnx`, only {names}"
    ))
    .at_path(directory)
    .hint(format!(
        "link or copy the one that you mean, such as {}",
        link.unwrap_or_default()
    ))
}
