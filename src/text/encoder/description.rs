//! What `inspect` and reports show of a text model.
//!
//! Owns the names of the facts and their order.

use super::family::Described;
use super::parts::{Parts, Processor, TextOptions, TextTask};
use super::text_model::Reading;
use super::tokenizer::TextTokenizer;
use crate::model::Description;

/// The facts of an encoder with its weights.
pub(super) fn description(
    parts: &Parts,
    options: &TextOptions,
    task: TextTask,
    described: &Described,
    tokenizer: &TextTokenizer,
    reading: &Reading,
    parameter_count: usize,
) -> Description {
    let text = |name: &str| parts.config.text(name).map(str::to_owned);
    let architecture = &described.architecture;
    let layers = format!(
        "{} of {} numbers, {} heads",
        architecture.layers.len(),
        architecture.hidden,
        architecture.head_count
    );
    let prompt = (!tokenizer.prompt.is_empty()).then(|| tokenizer.prompt.clone());
    let arithmetic = options
        .precision
        .unwrap_or_default()
        .described(options.processor == Processor::Cpu);
    let facts = [
        ("architecture", text("model_type")),
        ("task", Some(task.name().to_owned())),
        ("layers", Some(layers)),
        ("parameters", Some(parameter_count.to_string())),
        (
            "vocabulary",
            Some(architecture.embedding.vocabulary.to_string()),
        ),
        ("max_tokens", Some(tokenizer.max_tokens().to_string())),
    ];
    let behind = [
        ("prompt", prompt),
        ("arithmetic", Some(arithmetic.to_owned())),
        (
            "device",
            (options.processor != Processor::Cpu).then(|| options.processor.name()),
        ),
    ];
    let facts = facts
        .into_iter()
        .chain(reading_facts(parts, options, reading))
        .chain(behind)
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Description {
        format: "huggingface".to_owned(),
        format_version: text("transformers_version"),
        facts: facts.collect(),
        sidecars: Vec::new(),
    }
}

/// What `inspect` shows of what stands behind the encoder.
pub(super) fn reading_facts(
    parts: &Parts,
    options: &TextOptions,
    reading: &Reading,
) -> [(&'static str, Option<String>); 6] {
    let (pooling, dimensions, labels, aggregation) = match reading {
        Reading::Embedding { pooling, .. } => {
            let described = pooling.described();
            let pooling_text = if parts.modules.is_some() {
                described
            } else {
                format!("{described} (no `modules.json` overrides it)")
            };
            (
                Some(pooling_text),
                Some(pooling.dimensions.to_string()),
                None,
                None,
            )
        }
        Reading::Classification { classes, .. } => {
            (None, None, Some(classes.labels.join(", ")), None)
        }
        Reading::Tokens { tagging, .. } => (
            None,
            None,
            Some(tagging.labels.join(", ")),
            Some(tagging.aggregation.name().to_owned()),
        ),
    };
    [
        ("chunk", options.chunk.map(|chunk| chunk.to_string())),
        ("stride", options.stride.map(|stride| stride.to_string())),
        ("pooling", pooling),
        ("dimensions", dimensions),
        ("labels", labels),
        ("aggregation", aggregation),
    ]
}
