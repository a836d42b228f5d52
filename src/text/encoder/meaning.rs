//! What a classification head's logits mean, by the library that would score the directory.
//!
//! Owns how cross-encoders are distinguished from other classifiers. Columns are
//! [`super::classes`]' business.

use super::classes::Meaning;
use super::curve::Curve;
use super::parts::{Parts, TextTask};
use crate::error::{Error, Result};

/// What logits mean to the library that would score the directory: sentence-transformers for
/// cross-encoders, else the pipeline of transformers. Both give one label without a `problem_type`
/// through the sigmoid.
pub(super) fn meaning(parts: &Parts, task: TextTask, label_count: usize) -> Result<Meaning> {
    let activation = activation(parts);
    if task == TextTask::Reranking {
        if label_count != 1 {
            return Err(Error::contract(format!(
                "a model for reranking has one score, this one has {label_count} labels"
            ))
            .hint("`--task classification` gives the labels of a pair"));
        }
        return Ok(Meaning::Score(
            activation.map_or(Ok(Curve::Sigmoid), |path| {
                Curve::named(&path, CROSS_ENCODER)
            })?,
        ));
    }
    if is_cross_encoder(parts) && label_count > 1 {
        return match activation
            .as_deref()
            .map(|path| (path, path.rsplit('.').next()))
        {
            None | Some((_, Some("Identity" | "Softmax"))) => Ok(Meaning::OneOf),
            Some((_, Some("Sigmoid"))) => Ok(Meaning::AnyOf),
            Some((path, _)) => {
                let error = Error::contract(format!(
                    "the activation `{path}` of {CROSS_ENCODER} with {label_count} labels is not \
                     supported"
                ));
                Err(error.hint("supported: Identity, Softmax, Sigmoid of `torch.nn`"))
            }
        };
    }
    match parts.config.text("problem_type") {
        Some("multi_label_classification") => Ok(Meaning::AnyOf),
        Some("regression") if label_count == 1 => Ok(Meaning::Score(Curve::Identity)),
        Some("regression") => Err(Error::contract(format!(
            "a regression of {label_count} numbers is not supported"
        ))),
        None | Some("single_label_classification") if label_count == 1 => {
            Ok(Meaning::Score(Curve::Sigmoid))
        }
        None | Some("single_label_classification") => Ok(Meaning::OneOf),
        Some(other) => Err(
            Error::contract(format!("the `problem_type` `{other}` is not known"))
                .at_node("config.json"),
        ),
    }
}

const CROSS_ENCODER: &str = "a cross-encoder";

/// The activation of a cross-encoder's scores, as the versions of sentence-transformers saved it,
/// the newest first.
fn activation(parts: &Parts) -> Option<String> {
    let own = || {
        parts
            .config
            .object("sentence_transformers")
            .and_then(|settings| settings.text("activation_fn").map(str::to_owned))
    };
    let older = || {
        parts
            .config
            .text("sbert_ce_default_activation_function")
            .map(str::to_owned)
    };
    parts
        .sentence_settings
        .text("activation_fn")
        .map(str::to_owned)
        .or_else(own)
        .or_else(older)
}

/// Whether sentence-transformers saved it as a cross-encoder.
pub(super) fn is_cross_encoder(parts: &Parts) -> bool {
    parts.sentence_settings.text("model_type") == Some("CrossEncoder")
        || parts
            .config
            .value(&[
                "sentence_transformers",
                "sbert_ce_default_activation_function",
            ])
            .is_some()
}
