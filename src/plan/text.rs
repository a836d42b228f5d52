//! What a user asks of a text model, and the columns of texts.

use arrow::datatypes::{DataType, Schema};

use crate::contract::renaming::column_names;
use crate::contract::{Contract, InputKind};
use crate::error::{Error, Result};
use crate::request::text::{AggregationName, PrecisionName, TaskName, TextModel};
use crate::request::work::Prediction;
use crate::table::cast::is_text;
use crate::table::spelling::did_you_mean_column;
use crate::text::encoder::parts::{Aggregation, Processor, TextOptions, TextTask};
use crate::text::encoder::{ProductPrecision, TEXT};

/// Candidates for the column of texts that are named.
const SHOWN: usize = 12;

/// Whether the model reads texts through a tokenizer.
pub(crate) fn reads_texts(contract: &Contract) -> bool {
    contract
        .inputs
        .iter()
        .any(|input| input.kind == InputKind::Text)
}

/// Fails if anything was said that only a text model understands.
pub(super) fn refuse(args: &TextModel) -> Result<()> {
    if *args == TextModel::default() {
        return Ok(());
    }
    let said = serde_json::to_value(args)
        .ok()
        .and_then(|value| {
            value
                .as_object()
                .and_then(|said| said.keys().next().cloned())
        })
        .unwrap_or_default();
    Err(Error::usage(format!(
        "`--{}` is for text models, and this model reads columns of values",
        said.replace('_', "-")
    )))
}

/// The arguments as the model's room understands them.
pub(super) fn options(args: &TextModel, outcome: &Prediction) -> Result<TextOptions> {
    let TextModel {
        text: _,
        text_pair,
        task,
        prompt,
        prompt_text,
        dimensions,
        normalize,
        max_tokens,
        chunk,
        stride,
        aggregation,
        precision,
        device,
    } = args;
    let task = task.map(|task| match task {
        TaskName::Embedding => TextTask::Embedding,
        TaskName::Classification => TextTask::Classification,
        TaskName::Reranking => TextTask::Reranking,
        TaskName::TokenClassification => TextTask::TokenClassification,
    });
    let aggregation = aggregation.map(|aggregation| match aggregation {
        AggregationName::None => Aggregation::None,
        AggregationName::Simple => Aggregation::Simple,
        AggregationName::First => Aggregation::First,
        AggregationName::Average => Aggregation::Average,
        AggregationName::Max => Aggregation::Max,
    });
    Ok(TextOptions {
        task,
        has_pair: text_pair.is_some(),
        prompt: prompt.clone(),
        prompt_text: prompt_text.clone(),
        dimensions: *dimensions,
        normalizes: *normalize,
        max_tokens: *max_tokens,
        chunk: *chunk,
        stride: *stride,
        aggregation,
        threshold: outcome.threshold,
        raw: outcome.raw,
        precision: precision.map(|precision| match precision {
            PrecisionName::Int8 => ProductPrecision::Bytes,
            PrecisionName::F32Exact => ProductPrecision::SingleExact,
            PrecisionName::F32 => ProductPrecision::Single,
        }),
        processor: processor(device.as_deref())?,
    })
}

fn processor(device: Option<&str>) -> Result<Processor> {
    match device {
        None | Some("cpu") => Ok(Processor::Cpu),
        Some("cuda") => Ok(Processor::Cuda(0)),
        Some("reference") => Ok(Processor::Reference),
        Some(other) => match other
            .strip_prefix("cuda:")
            .and_then(|number| number.parse().ok())
        {
            Some(number) => Ok(Processor::Cuda(number)),
            None => Err(Error::usage(format!(
                "`--device {other}` is neither `cpu` nor `cuda:0` or another number, nor \
                 `reference`"
            ))),
        },
    }
}

/// The columns that feed the model: those that were named, else the package's, else the only column
/// of texts, or the one that is called so. None where the contract's own names say all.
pub(crate) fn columns(
    args: &TextModel,
    contract: &Contract,
    schema: &Schema,
    is_delimited: bool,
) -> Result<Option<Vec<String>>> {
    if contract.named && args.text.is_none() && args.text_pair.is_none() {
        return Ok(None);
    }
    let packaged = |index: usize| {
        contract
            .inputs
            .get(index)
            .filter(|_| contract.named)
            .map(|input| input.name.clone())
    };
    for (flag, name) in [("--text", &args.text), ("--text-pair", &args.text_pair)] {
        if let Some(name) = name
            .as_ref()
            .filter(|name| schema.column_with_name(name).is_none())
        {
            let hint = did_you_mean_column(name, &column_names(schema));
            return Err(Error::contract(format!(
                "`{flag} {name}` names a column that is not in the data"
            ))
            .hint(hint));
        }
    }
    let first = match args.text.clone().or_else(|| packaged(0)) {
        Some(name) => name,
        None => default_column(args, schema, is_delimited)?,
    };
    match (
        contract.inputs.len(),
        args.text_pair.clone().or_else(|| packaged(1)),
    ) {
        (2, Some(second)) => Ok(Some(vec![first, second])),
        (2, None) => Err(Error::contract("the model reads pairs of texts")
            .hint("name both columns: `--text query --text-pair passage`")),
        _ => Ok(Some(vec![first])),
    }
}

fn default_column(args: &TextModel, schema: &Schema, is_delimited: bool) -> Result<String> {
    let value = |data_type: &DataType| {
        if let DataType::Dictionary(_, value) = data_type {
            is_text(value)
        } else {
            is_text(data_type)
        }
    };
    let texts = schema
        .fields()
        .iter()
        .filter(|field| is_delimited || value(field.data_type()))
        .map(|field| field.name().as_str());
    let texts: Vec<&str> = texts
        .filter(|name| Some(*name) != args.text_pair.as_deref())
        .collect();
    if let Some(name) = texts.iter().find(|name| **name == TEXT) {
        return Ok((*name).to_owned());
    }
    match texts.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(
            Error::contract("the model reads texts, and the data has no column of texts")
                .hint("`tallow inspect` lists the columns of a file"),
        ),
        several => {
            let shown: Vec<String> = several
                .iter()
                .take(SHOWN)
                .map(|name| format!("`{name}`"))
                .collect();
            let more = if several.len() > SHOWN {
                " and more"
            } else {
                ""
            };
            Err(
                Error::contract("the model reads texts, and several columns could be meant").hint(
                    format!(
                        "say which: `--text COLUMN`; the data has {}{more}",
                        shown.join(", ")
                    ),
                ),
            )
        }
    }
}
