//! What a text model is used for: asked for, or stated by its files; and what does not go with it.

use serde_json::Value as Json;

use super::meaning::is_cross_encoder;
use super::parts::{Parts, TextOptions, TextTask};
use super::reading::labels;
use crate::error::{Error, Result};

/// What the files say, unless the user says otherwise.
pub(super) fn task(parts: &Parts, options: &TextOptions) -> Result<TextTask> {
    let architecture = parts
        .config
        .value(&["architectures"])
        .and_then(Json::as_array)
        .and_then(|all| all.first())
        .and_then(Json::as_str)
        .unwrap_or_default();
    let pools = parts
        .modules
        .iter()
        .flatten()
        .any(|module| module.kind == "Pooling");
    if pools && parts.sentence_settings.text("model_type") == Some("CrossEncoder") {
        let error = Error::contract(
            "the model is a cross-encoder by its configuration, but its modules return vectors",
        )
        .at_node("config_sentence_transformers.json");
        return Err(error.hint("save it again, or correct `model_type`"));
    }
    if let Some(task) = options.task {
        return check_head(architecture, task).map(|()| task);
    }
    if pools {
        return Ok(TextTask::Embedding);
    }
    if architecture.ends_with("ForTokenClassification") {
        return Ok(TextTask::TokenClassification);
    }
    if architecture.ends_with("ForSequenceClassification") {
        let is_number = labels(parts)?.len() == 1;
        let is_regression = parts.config.text("problem_type") == Some("regression");
        let is_reranker =
            is_number && (is_cross_encoder(parts) || options.has_pair && !is_regression);
        return Ok(if is_reranker {
            TextTask::Reranking
        } else {
            TextTask::Classification
        });
    }
    if [
        "ForQuestionAnswering",
        "ForMultipleChoice",
        "ForNextSentencePrediction",
    ]
    .iter()
    .any(|end| architecture.ends_with(end))
    {
        let error = Error::contract(format!("the task of `{architecture}` is not supported"))
            .at_node("config.json");
        return Err(error.hint(SUPPORTED_TASKS));
    }
    // With modules sentence-transformers takes the encoder whatever the class is.
    if parts.modules.is_none()
        && !architecture.is_empty()
        && !CLASS_ENDS.iter().any(|end| architecture.ends_with(end))
    {
        let error = Error::contract(format!(
            "the class `{architecture}` is not one of transformers' own"
        ))
        .at_node("config.json");
        return Err(error.hint(SUPPORTED_TASKS));
    }
    Ok(TextTask::Embedding)
}

const SUPPORTED_TASKS: &str = "supported: embedding, classification, reranking, \
                               token-classification; `--task embedding` takes the encoder alone";

/// How transformers' classes end, by what stands on the encoder. A class with another end is its
/// author's own, and may have any head.
const CLASS_ENDS: [&str; 8] = [
    "Model",
    "ForMaskedLM",
    "ForMultipleChoice",
    "ForNextSentencePrediction",
    "ForPreTraining",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForTokenClassification",
];

/// Fails if the model's class has no head for the task.
fn check_head(architecture: &str, task: TextTask) -> Result<()> {
    let expected = match task {
        TextTask::Embedding => return Ok(()),
        TextTask::TokenClassification => "ForTokenClassification",
        TextTask::Classification | TextTask::Reranking => "ForSequenceClassification",
    };
    if architecture.ends_with(expected) || !CLASS_ENDS.iter().any(|end| architecture.ends_with(end))
    {
        return Ok(());
    }
    let message = format!(
        "`--task {}` needs a head that the model has not: it is a `{architecture}`",
        task.name()
    );
    let hint =
        format!("remove `--task`, or give a model whose class in config.json is `…{expected}`");
    Err(Error::contract(message).at_node("config.json").hint(hint))
}

/// Whether sentence-transformers reads the model, which puts a prompt before a text. Pipelines of
/// transformers know no prompts.
pub(super) fn reads_prompts(parts: &Parts, task: TextTask) -> bool {
    match task {
        TextTask::Embedding | TextTask::Reranking => true,
        TextTask::Classification => is_cross_encoder(parts),
        TextTask::TokenClassification => false,
    }
}

/// Fails for an option that says nothing to the task.
pub(super) fn refuse_options(parts: &Parts, task: TextTask, options: &TextOptions) -> Result<()> {
    use TextTask::{Classification, Embedding, Reranking, TokenClassification};
    let prompted: &[TextTask] = if reads_prompts(parts, task) {
        std::slice::from_ref(&task)
    } else {
        &[]
    };
    let provided: [(&str, bool, &[TextTask]); 10] = [
        ("--raw", options.raw, &[Classification, Reranking]),
        ("--prompt", options.prompt.is_some(), prompted),
        ("--prompt-text", options.prompt_text.is_some(), prompted),
        ("--dimensions", options.dimensions.is_some(), &[Embedding]),
        (
            "--normalize",
            options.normalizes == Some(true),
            &[Embedding],
        ),
        ("--chunk", options.chunk.is_some(), &[Embedding]),
        ("--stride", options.stride.is_some(), &[Embedding]),
        (
            "--aggregation",
            options.aggregation.is_some(),
            &[TokenClassification],
        ),
        (
            "--text-pair",
            options.has_pair,
            &[Classification, Reranking],
        ),
        (
            "--threshold",
            options.threshold.is_some(),
            &[Classification],
        ),
    ];
    match provided
        .iter()
        .find(|(_, is_set, tasks)| *is_set && !tasks.contains(&task))
    {
        Some((flag, ..)) => Err(Error::usage(format!(
            "`{flag}` has no effect on a model whose task is {}",
            task.name()
        ))),
        None => Ok(()),
    }
}
