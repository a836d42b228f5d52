//! What stands behind an encoder: pooling, a head or labels of tokens, with the columns that come
//! out.

use serde_json::Value as Json;

use super::TextModel;
use super::classes::{Classes, Meaning};
use super::entities::Tagging;
use super::head::Head;
use super::meaning::meaning;
use super::parts::{Parts, TextOptions, TextTask};
use super::pooling::Pooling;
use super::text_model::Reading;
use super::tokenizer::TextTokenizer;
use crate::contract::{Contract, Input, InputKind, Policy};
use crate::error::{Error, Result};
use crate::model::{Description, LoadedModel, TrainedModel};
use crate::outcome::{ABOVE_HALF, Finished, Link, Outcome, Task, is_probability};

/// What a model is called among several columns of texts.
pub const TEXT: &str = "text";

/// What the second column of a pair is called.
pub const TEXT_PAIR: &str = "text_pair";

/// What stands behind the encoder, with what it asks of the tokenizer.
pub(super) fn fitted(
    reading: Reading,
    parts: &Parts,
    tokenizer: &mut TextTokenizer,
) -> Result<Reading> {
    Ok(match reading {
        Reading::Embedding { pooling, .. } => {
            let passed_over = if pooling.includes_prompt || tokenizer.prompt.is_empty() {
                0
            } else {
                tokenizer.prompt_length()?
            };
            Reading::Embedding {
                pooling,
                passed_over,
            }
        }
        Reading::Tokens { head, mut tagging } => {
            tokenizer.keeps_positions = true;
            tagging.unknown_id = parts
                .tokenizer_config
                .text("unk_token")
                .and_then(|token| tokenizer.id(token));
            Reading::Tokens { head, tagging }
        }
        other @ Reading::Classification { .. } => other,
    })
}

/// The model with its columns.
pub(super) fn loaded(model: TextModel, description: Description) -> LoadedModel {
    let outcome = Outcome {
        task: Task::Columns(Finished {
            fields: model.fields(),
            ..Finished::default()
        }),
        link: Link::Identity,
    };
    let names = [TEXT, TEXT_PAIR].into_iter().take(model.input_count);
    let contract = Contract {
        inputs: names
            .map(|name| Input {
                on_unseen: Policy::Error,
                ..Input::of_kind(name, InputKind::Text)
            })
            .collect(),
        named: false,
        ..Contract::default()
    };
    LoadedModel {
        model: TrainedModel::columnar(model),
        contract,
        outcome,
        description,
    }
}

/// Whether transformers would hand the tokenizer's types of tokens to the model: as its settings
/// say, or the class that wrote them. The class that transformers 5 writes for tokenizers of no
/// family of their own gives none by itself.
pub(super) fn gives_types(parts: &Parts) -> bool {
    match parts
        .tokenizer_config
        .value(&["model_input_names"])
        .and_then(Json::as_array)
    {
        Some(names) => names.iter().any(|name| name == "token_type_ids"),
        None => parts.tokenizer_config.text("tokenizer_class") != Some("TokenizersBackend"),
    }
}

/// The labels in the order of their numbers, numbers and booleans as Python writes them.
pub(super) fn labels(parts: &Parts) -> Result<Vec<String>> {
    let count = parts
        .config
        .value(&["num_labels"])
        .and_then(Json::as_u64)
        .unwrap_or(2)
        .clamp(1, 1 << 16);
    let named = match parts.config.value(&["id2label"]) {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Object(named)) => named.iter().map(numbered).collect::<Result<_>>()?,
        Some(_) => return Err(refused("`id2label` is not an object".to_owned())),
    };
    if named.is_empty() {
        return Ok((0..count).map(|index| format!("LABEL_{index}")).collect());
    }
    let mut named: Vec<(u64, String)> = named;
    named.sort();
    for (index, (number, _)) in named.iter().enumerate() {
        if *number != index as u64 {
            return Err(refused(format!("`id2label` has no label {index}")));
        }
    }
    let labels: Vec<String> = named.into_iter().map(|(_, label)| label).collect();
    let mut seen = std::collections::HashSet::new();
    match labels.iter().find(|label| !seen.insert(label.as_str())) {
        Some(label) => Err(refused(format!("`id2label` has two labels `{label}`"))),
        None => Ok(labels),
    }
}

/// A label with its number.
fn numbered((key, label): (&String, &Json)) -> Result<(u64, String)> {
    let number = key
        .trim()
        .parse()
        .map_err(|_| refused(format!("the key `{key}` of `id2label` is not a number")))?;
    let label = match label {
        Json::String(label) => label.clone(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(label) if label.is_i64() || label.is_u64() => label.to_string(),
        _ => {
            return Err(refused(format!(
                "label {number} of `id2label` is not a string"
            )));
        }
    };
    Ok((number, label))
}

/// The error of labels that transformers would not read either, or that are ambiguous.
fn refused(message: String) -> Error {
    Error::contract(message)
        .at_node("config.json")
        .hint("name each class once, by numbers from 0 on: `{\"0\": \"no\", \"1\": \"yes\"}`")
}

/// What becomes of vectors of so many numbers, and whether texts come in pairs. `head` makes the
/// head for a number of labels, of each token or of whole texts.
pub(super) fn reading(
    parts: &Parts,
    options: &TextOptions,
    task: TextTask,
    hidden: usize,
    head: &mut dyn FnMut(usize, bool) -> Result<Head>,
) -> Result<(Reading, bool)> {
    let labels = match task {
        TextTask::Embedding => Vec::new(),
        _ => labels(parts)?,
    };
    let mut head = |is_per_token: bool| head(labels.len(), is_per_token);
    match task {
        TextTask::Embedding => {
            let mut pooling = Pooling::load(parts.modules.as_deref(), hidden)?;
            pooling.shorten(
                dimensions(parts, options),
                options.normalizes.unwrap_or(false),
            )?;
            Ok((
                Reading::Embedding {
                    pooling,
                    passed_over: 0,
                },
                false,
            ))
        }
        TextTask::TokenClassification => {
            let head = head(true)?;
            let tagging = Tagging {
                labels,
                aggregation: options.aggregation.unwrap_or_default(),
                unknown_id: None,
            };
            Ok((Reading::Tokens { head, tagging }, false))
        }
        TextTask::Classification | TextTask::Reranking => {
            refuse_modules(parts, options)?;
            let head = head(false)?;
            let meaning = meaning(parts, task, labels.len())?;
            // transformers takes the first of two equal scores.
            let own = if meaning == Meaning::OneOf {
                ABOVE_HALF
            } else {
                0.5
            };
            let classes = Classes {
                labels,
                meaning,
                threshold: options.threshold.unwrap_or(own),
                raw: options.raw,
            };
            if let Some(threshold) = options.threshold {
                if !is_probability(threshold) {
                    return Err(Error::usage(format!(
                        "`--threshold {threshold}` is not a probability"
                    )));
                }
                if !classes.has_threshold() {
                    return Err(Error::usage(
                        "`--threshold` is for models with two classes or with several labels at \
                         once",
                    ));
                }
            }
            Ok((
                Reading::Classification { head, classes },
                options.has_pair || task == TextTask::Reranking,
            ))
        }
    }
}

/// Fails for modules behind a head that would change its scores.
fn refuse_modules(parts: &Parts, options: &TextOptions) -> Result<()> {
    match parts
        .modules
        .iter()
        .flatten()
        .next()
        .filter(|_| options.task.is_none())
    {
        Some(module) => {
            let error = Error::contract(format!(
                "a module `{}` behind a classification head is not supported",
                module.kind
            ))
            .at_node("modules.json");
            Err(error.hint("`--task classification` takes the head alone"))
        }
        None => Ok(()),
    }
}

/// The numbers of a vector that are kept: as asked, or as the model says.
pub(super) fn dimensions(parts: &Parts, options: &TextOptions) -> Option<usize> {
    let own = || {
        parts
            .sentence_settings
            .value(&["truncate_dim"])
            .and_then(Json::as_u64)
            .and_then(|count| usize::try_from(count).ok())
    };
    options.dimensions.or_else(own)
}
