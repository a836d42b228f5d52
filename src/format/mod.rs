//! Files to models: one file per format, each parsing faithfully first and translating to a family
//! second.
//!
//! Owns the list of formats and how one is recognised. An importer sees [`ModelFiles`], the bytes
//! of a file or of those of a directory, and nothing else: no disk, no network, no table. Every
//! count, index and shape in a file is hostile until checked.

mod catboost;
pub mod huggingface;
mod importer;
mod inert;
mod lightgbm;
pub mod mlflow;
pub mod onnx;
#[cfg(test)]
mod pair_rows;
mod python;
mod pytorch;
mod refusal;
pub mod rounds;
pub(crate) mod safetensors;
mod sklearn;
mod wire;
pub mod xgboost;

pub use self::importer::{
    Artefact, FileImporter, GraphFeatures, ImportOptions, Imported, Importer, LABELS, ModelFiles,
    RowsAxis, SavedFrom, Sidecars, TreeSelection, has_extension, with_parts,
};
pub(crate) use self::inert::NOT_TRUSTED;
use crate::error::{Error, Kind, Result};
use crate::model::LoadedModel;

/// Every format, in the order of recognition. Help, detection and the completeness tests iterate
/// this list.
pub static IMPORTERS: &[&dyn Importer] = &[
    &xgboost::XgboostImporter,
    &lightgbm::LightGbm,
    &catboost::CatBoost,
    &pytorch::ExportedProgram,
    &safetensors::Safetensors,
    &onnx::Onnx,
    &python::Python,
    &mlflow::MlflowModel,
    &huggingface::TextDirectory,
];

/// Whether a file that begins so may be of any format.
#[must_use]
pub fn may_be_model(head: &Artefact) -> bool {
    IMPORTERS.iter().any(|importer| importer.may_begin(head))
}

/// The error for a file that no importer takes, by its two ends.
///
/// # Errors
/// Always.
pub fn unrecognised<T>(ends: &Artefact) -> Result<T> {
    Err(unknown(ends))
}

/// Finds the format by content and imports the model.
///
/// # Errors
/// [`Kind::Trust`] for files that could run code (pickle and what wraps it); [`Kind::Contract`] for
/// unknown content; else what the importer says.
pub fn import(artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
    let importer = recognised(artefact)?.ok_or_else(|| unknown(artefact))?;
    let imported = importer.import(artefact, options);
    let imported = imported.map_err(|error| error.at_path(&artefact.path))?;
    Ok(imported.loaded)
}

/// The first format that recognises the files.
///
/// # Errors
/// Fails if a directory cannot be read.
pub fn recognised(files: &dyn ModelFiles) -> Result<Option<&'static dyn Importer>> {
    for importer in IMPORTERS {
        if importer.recognises(files)? {
            return Ok(Some(*importer));
        }
    }
    Ok(None)
}

fn unknown(artefact: &Artefact) -> Error {
    let (kind, what, hint) = refusal(artefact);
    Error::new(kind, what).at_path(&artefact.path).hint(hint)
}

fn refusal(artefact: &Artefact) -> (Kind, String, String) {
    if artefact.bytes.is_empty() {
        return (
            Kind::Failed,
            "the model file is empty".into(),
            "copy or export the model again".into(),
        );
    }
    match refusal::refused(artefact) {
        Some(refused) => (Kind::Trust, refused.message.into(), refused.hint.into()),
        // The format has no magic number: without its end a file cannot be distinguished from
        // others.
        None if artefact
            .path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) =>
        {
            (
                Kind::Failed,
                "the file is not a complete ONNX model".into(),
                "it is damaged or cut short, or a pointer of git-lfs instead of the file: copy or \
                 export it again"
                    .into(),
            )
        }
        None => (Kind::Contract, UNKNOWN.into(), refusal::EXPORT.into()),
    }
}

/// The message for a file of no format.
const UNKNOWN: &str = "the file is not in a model format that tallow can read";

/// Whether an error says that a file is in no format of models.
#[must_use]
pub fn is_unknown(error: &Error) -> bool {
    error.kind() == Kind::Contract && error.message() == UNKNOWN
}

/// Fails if the file is of a kind that is not loaded because it could run code.
///
/// # Errors
/// A trust error that says what it is and how to export the model instead.
pub fn refuse(artefact: &Artefact) -> Result<()> {
    match refusal::refused(artefact) {
        Some(refused) => Err(Error::trust(refused.message)
            .at_path(&artefact.path)
            .hint(refused.hint)),
        None => Ok(()),
    }
}
