//! The importer of Python files: recognition, trust, description, and translation to an engine.

use bytes::Bytes;

use super::container::{
    self, Compression, Document, ends_as_pickle, is_old_pickle, is_pickle_start, names_global,
};
use super::describe::{describe, kind_of};
use super::{archive, skops};
use crate::error::{Error, Kind, Result};
use crate::format::importer::{Artefact, FileImporter, ImportOptions, has_extension};
use crate::format::inert::{inert, untrusted};
use crate::format::{rounds, sklearn};
use crate::model::LoadedModel;

/// The importer of pickles, joblib and skops files.
#[derive(Debug)]
pub(crate) struct Python;

/// What a PyTorch checkpoint of the oldest kind begins with, behind its protocol.
const TORCH: &[u8] = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19";

impl FileImporter for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn recognises(&self, artefact: &Artefact) -> bool {
        let bytes = &artefact.bytes[..];
        if bytes.starts_with(archive::START) {
            return archive::directory_names(bytes)
                .is_some_and(|names| names.iter().any(|name| name == skops::SCHEMA));
        }
        let is_pickle = is_pickle_start(bytes)
            && bytes.get(2..).is_some_and(|rest| !rest.starts_with(TORCH))
            || is_old_pickle(bytes) && bytes.contains(&b'.')
            || names_global(bytes) && ends_as_pickle(bytes);
        is_pickle || is_packed(artefact)
    }

    fn may_begin(&self, head: &Artefact) -> bool {
        let bytes = &head.bytes[..];
        is_pickle_start(bytes)
            || is_old_pickle(bytes)
            || names_global(bytes)
            || is_packed(head)
            || archive::first_name(bytes).is_some_and(|name| {
                name == skops::SCHEMA
                    || [".npy", ".npz", ".bin"]
                        .iter()
                        .any(|end| name.ends_with(end))
                        && !name.contains('/')
            })
    }

    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        let document = read(artefact.bytes.clone())?;
        let mut description = describe(&document);
        if let Err(error) = document.calls.refuse() {
            // Functions as code only stop who would run them: the rest can be looked at.
            if options.for_inspection && document.calls.are_functions() {
                return Ok(inert("python", description, 0, &error));
            }
            if options.describes_untrusted {
                return Ok(untrusted("python", description, &error));
            }
            return Err(error);
        }
        match translate(&document, options) {
            Ok(mut loaded) => {
                let own = std::mem::take(&mut loaded.description.facts);
                description.facts.extend(rounds::of_facts(own));
                Ok(LoadedModel {
                    description,
                    ..loaded
                })
            }
            Err(error) if options.for_inspection && error.kind() == Kind::Contract => {
                Ok(inert("python", description, 0, &error))
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads a pickle, a joblib or a skops file.
///
/// # Errors
/// Fails for a broken file; a contract error for what is not supported.
pub(crate) fn read(bytes: Bytes) -> Result<Document> {
    if bytes.starts_with(archive::START) {
        skops::read(&bytes)
    } else {
        container::read(bytes)
    }
}

/// Whether a file is compressed and holds a pickle; for large blocks its name may decide.
fn is_packed(artefact: &Artefact) -> bool {
    let bytes = &artefact.bytes[..];
    match Compression::find(bytes) {
        Compression::None => false,
        // A block may be larger than what is looked at.
        Compression::Bzip2 | Compression::Lzma
            if ["joblib", "pkl", "pickle", "sav"]
                .iter()
                .any(|extension| has_extension(&artefact.path, extension)) =>
        {
            true
        }
        found => {
            let start = found.start(bytes);
            is_pickle_start(&start) || is_old_pickle(&start)
        }
    }
}

fn translate(document: &Document, options: &ImportOptions) -> Result<LoadedModel> {
    if document.arena.record(document.root).is_none() {
        let found = kind_of(&document.arena, document.root);
        return Err(
            Error::contract(format!("the file holds {found}, not a model"))
                .hint("save the fitted estimator itself, `joblib.dump(model, \"model.joblib\")`"),
        );
    }
    sklearn::translate(document, options)
}
