//! What a manifest says of a text model: how texts are read and answered, and the columns that they
//! come from.
//!
//! Owns the table `[text]`, whose keys are named as the flags, and what of the other tables a text
//! model understands. Anyone who runs the model may say otherwise: see [`TextOptions::over`].

use serde::Deserialize;

use super::apply::tighten;
use super::input::InputEntry;
use super::manifest::Manifest;
use super::output::TaskName;
use crate::contract::{Contract, Policy};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::storage::Location;
use crate::text::encoder::ProductPrecision;
use crate::text::encoder::parts::{Aggregation, TextOptions, TextTask};

/// How texts are read and answered.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextEntry {
    /// How products of matrices are computed.
    pub precision: Option<ProductPrecision>,
    /// The name of one of the model's prompts, or `none`.
    pub prompt: Option<String>,
    /// A text to put before every text.
    pub prompt_text: Option<String>,
    /// Numbers of a vector to keep.
    pub dimensions: Option<usize>,
    /// Whether vectors are scaled to length 1 at the end.
    pub normalize: Option<bool>,
    /// The most tokens of a text.
    pub max_tokens: Option<usize>,
    /// Tokens of a chunk.
    pub chunk: Option<usize>,
    /// Tokens that a chunk shares with the one before.
    pub stride: Option<usize>,
    /// How tokens become entities.
    pub aggregation: Option<Aggregation>,
}

/// Where a manifest says what somebody looked for under `[text]`; `known` are the keys of the table
/// that refused it.
pub(super) fn said_elsewhere<'a>(
    name: &str,
    known: &(impl Iterator<Item = &'a str> + Clone),
) -> Option<String> {
    known.clone().find(|key| *key == "max_tokens")?;
    let hint = match name {
        "text" | "text_pair" | "column" | "columns" => {
            "the columns of texts are the package's inputs: `[[inputs]]` with `name = \"review\"`, \
             one for each"
        }
        "task" => "`task` stands above all tables",
        "threshold" => "`threshold` is a key of `[outputs]`",
        "device" => "where a model runs is a matter of each run: `--device`",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Fails for what a manifest cannot say of a text model.
pub(super) fn check(manifest: &Manifest) -> Result<()> {
    let outputs = &manifest.outputs;
    let finished = [
        ("link", outputs.link.is_some()),
        ("labels", outputs.labels.is_some()),
        ("names", outputs.names.is_some()),
    ];
    if let Some((key, _)) = finished.iter().find(|(_, is_said)| *is_said) {
        let error = Error::contract(format!(
            "`{key}` of `[outputs]` is for other models: a text model finishes its own columns"
        ));
        return Err(error.hint("labels are those of `id2label` in its config.json"));
    }
    if manifest.graph.is_some() {
        return Err(Error::contract(
            "`[graph]` is for ONNX graphs, and the package's model reads texts",
        )
        .hint("remove it"));
    }
    if manifest.inputs.len() > 2 {
        return Err(Error::contract(format!(
            "a text model reads one column or two, and the manifest lists {} `[[inputs]]`",
            manifest.inputs.len()
        )));
    }
    manifest
        .inputs
        .iter()
        .try_for_each(|entry| check_input(entry).map_err(|error| error.at_column(&entry.name)))
}

fn check_input(entry: &InputEntry) -> Result<()> {
    let InputEntry {
        name: _,
        r#type: _,
        kind,
        categories,
        on_null: _,
        on_unseen,
        missing: _,
        mean,
        scale,
        embedding,
        one_hot,
        required: _,
        owner: _,
    } = entry;
    let values = [
        ("kind", kind.is_some()),
        ("categories", categories.is_some()),
        ("mean", mean.is_some()),
        ("scale", scale.is_some()),
        ("embedding", embedding.is_some()),
        ("one_hot", *one_hot),
    ];
    if matches!(on_unseen, Some(Policy::Default(_))) {
        let message = "`on_unseen` cannot replace a text that the tokenizer refuses";
        return Err(Error::contract(message).hint("use `error`, `reject` or `null`"));
    }
    match values.iter().find(|(_, is_said)| *is_said) {
        Some((key, _)) => Err(Error::contract(format!(
            "`{key}` is for columns of values, and this model reads texts"
        ))),
        None => Ok(()),
    }
}

/// What the manifest asks of its text model.
pub(super) fn options(manifest: &Manifest) -> Result<TextOptions> {
    let TextEntry {
        precision,
        prompt,
        prompt_text,
        dimensions,
        normalize,
        max_tokens,
        chunk,
        stride,
        aggregation,
    } = manifest.text.clone().unwrap_or_default();
    Ok(TextOptions {
        task: manifest.task.map(task).transpose()?,
        has_pair: manifest.inputs.len() == 2,
        prompt,
        prompt_text,
        dimensions,
        normalizes: normalize,
        max_tokens,
        chunk,
        stride,
        aggregation,
        threshold: manifest.outputs.threshold,
        precision,
        ..TextOptions::default()
    })
}

fn task(name: TaskName) -> Result<TextTask> {
    match name {
        TaskName::Embedding => Ok(TextTask::Embedding),
        TaskName::Classification => Ok(TextTask::Classification),
        TaskName::Reranking => Ok(TextTask::Reranking),
        TaskName::TokenClassification => Ok(TextTask::TokenClassification),
        other => {
            let message = format!(
                "the manifest has the task {}, which is not a task of text models",
                other.name()
            );
            Err(Error::contract(message).hint(
                "remove `task`, or use `embedding`, `classification`, `reranking` or \
                 `token-classification`",
            ))
        }
    }
}

/// An error over an option that the manifest says, and no one who `asked` otherwise, told as one of
/// the manifest.
pub(super) fn at_manifest(
    error: Error,
    manifest: &Manifest,
    asked: &TextOptions,
    path: &Location,
) -> Error {
    let entry = manifest.text.clone().unwrap_or_default();
    let said = [
        (
            "--precision",
            "precision",
            entry.precision.is_some() && asked.precision.is_none(),
        ),
        (
            "--prompt-text",
            "prompt_text",
            entry.prompt_text.is_some() && asked.prompt_text.is_none(),
        ),
        (
            "--prompt",
            "prompt",
            entry.prompt.is_some() && asked.prompt.is_none(),
        ),
        (
            "--dimensions",
            "dimensions",
            entry.dimensions.is_some() && asked.dimensions.is_none(),
        ),
        (
            "--normalize",
            "normalize",
            entry.normalize.is_some() && asked.normalizes.is_none(),
        ),
        (
            "--max-tokens",
            "max_tokens",
            entry.max_tokens.is_some() && asked.max_tokens.is_none(),
        ),
        (
            "--chunk",
            "chunk",
            entry.chunk.is_some() && asked.chunk.is_none(),
        ),
        (
            "--stride",
            "stride",
            entry.stride.is_some() && asked.stride.is_none(),
        ),
        (
            "--aggregation",
            "aggregation",
            entry.aggregation.is_some() && asked.aggregation.is_none(),
        ),
        (
            "--task",
            "task",
            manifest.task.is_some() && asked.task.is_none(),
        ),
        (
            "--threshold",
            "threshold",
            manifest.outputs.threshold.is_some() && asked.threshold.is_none(),
        ),
        (
            "--text-pair",
            "inputs",
            manifest.inputs.len() == 2 && !asked.has_pair,
        ),
    ];
    // Messages quote a flag alone or with its value.
    let is_meant = |flag: &str| {
        error
            .message()
            .split('`')
            .skip(1)
            .step_by(2)
            .any(|quoted| quoted.split(' ').next() == Some(flag))
    };
    let Some((_, key, _)) = said
        .iter()
        .find(|(flag, _, is_said)| *is_said && is_meant(flag))
    else {
        return error;
    };
    let hint = match error.hint_text() {
        Some(hint) => format!("correct `{key}` in the manifest: {hint}"),
        None => format!("correct `{key}` in the manifest, or remove it"),
    };
    Error::contract(format!("the manifest's `{key}` does not fit the model"))
        .at_path(path)
        .because(error)
        .hint(hint)
}

/// Names the columns of texts, and adds the manifest's policies.
pub(super) fn apply(
    manifest: &Manifest,
    contract: &mut Contract,
    asked: &TextOptions,
) -> Result<()> {
    let entries = &manifest.inputs;
    if entries.is_empty() {
        return Ok(());
    }
    // Anyone who asks for another task, or for pairs, names columns as well.
    let is_open = asked.task.is_some() || asked.has_pair;
    if entries.len() != contract.inputs.len() && !is_open {
        let (reads, lists) = (
            counted(contract.inputs.len(), "column"),
            counted(entries.len(), "input"),
        );
        return Err(Error::contract(format!(
            "the model reads {reads} of texts, and the manifest lists {lists}"
        ))
        .hint("list one of `[[inputs]]` for each column"));
    }
    for (input, entry) in contract.inputs.iter_mut().zip(entries) {
        input.name.clone_from(&entry.name);
        tighten(input, entry).map_err(|error| error.at_column(&entry.name))?;
    }
    contract.named = true;
    Ok(())
}
