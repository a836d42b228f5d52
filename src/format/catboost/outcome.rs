//! CatBoost's losses and classes: what the margins of the file mean.
//!
//! Owns the way from a loss to a task and a link, and the labels. It must not know features or
//! trees, only how many values a leaf has. Source: CatBoost's `eval_helpers.cpp` and
//! `external_label_helper.cpp`, 1.2, and its Python package's default predictions.

use serde_json::Value;

use super::info::{ClassParams, ModelInfo, whole};
use super::trees::Outputs;
use crate::error::{Error, Result};
use crate::outcome::{Label, Link, Outcome, Task, is_probability};

/// The most classes that a file may claim by count alone.
const CLASS_LIMIT: usize = 1 << 16;

/// What the margins mean, and which margin each of the `output_count` values of a leaf is added to.
///
/// # Errors
/// Refuses losses whose prediction is not a single function of the margins, and classes that do not
/// fit the leaves.
pub(super) fn outcome(info: &ModelInfo, output_count: usize) -> Result<(Outcome, Outputs)> {
    let (loss, parameters) = info.loss().unzip();
    let classes = info.classes()?;
    let plain = |task, link| Ok((Outcome { task, link }, Outputs::plain(output_count)));
    let is_known_classifier = matches!(loss.as_deref(), Some("Logloss" | "CrossEntropy" | "Focal"));
    match (loss.as_deref(), output_count) {
        (Some("RMSEWithUncertainty"), 2) => plain(
            Task::Values(vec!["mean".to_owned(), "variance".to_owned()]),
            Link::MeanAndVariance,
        ),
        (Some("RMSEWithUncertainty"), _) => Err(Error::failed(
            "`RMSEWithUncertainty` has two values a leaf, a mean and a variance",
        )
        .at_node("tree 0")),
        (Some("MultiLogloss" | "MultiCrossEntropy"), _) => plain(
            Task::Flags(value_names(None, output_count)),
            Link::Logistic { slope: 1.0 },
        ),
        (Some(name @ ("MultiClass" | "MultiClassOneVsAll")), 1) => Err(Error::failed(format!(
            "one leaf value, but the loss `{name}` has one for each class"
        ))
        .at_node("tree 0")),
        (Some("Poisson" | "Tweedie"), 1) => plain(Task::Value, Link::Exponential),
        (_, 1) if is_known_classifier || classes.is_some() => plain(
            binary(classes.as_ref(), info)?,
            Link::Logistic { slope: 1.0 },
        ),
        (_, 1) => plain(Task::Value, Link::Identity),
        (Some("MultiClassOneVsAll"), _) => several(
            classes.as_ref(),
            output_count,
            Link::Logistic { slope: 1.0 },
        ),
        (Some("MultiClass"), _) => several(classes.as_ref(), output_count, Link::Softmax),
        _ if classes.is_some() => several(classes.as_ref(), output_count, Link::Softmax),
        _ => plain(
            Task::Values(value_names(parameters.as_ref(), output_count)),
            Link::Identity,
        ),
    }
}

/// The quantiles of `MultiQuantile`, else the outputs' numbers.
fn value_names(parameters: Option<&Value>, count: usize) -> Vec<String> {
    let alphas = parameters
        .and_then(|parameters| parameters.get("alpha"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let alphas: Vec<String> = alphas
        .split(',')
        .map(|alpha| alpha.trim().to_owned())
        .collect();
    if alphas.len() == count {
        alphas
    } else {
        (0..count).map(|output| output.to_string()).collect()
    }
}

/// CatBoost predicts the positive class above the threshold, not at it: at a margin of 0 it says
/// no. The least probability that is called positive is therefore the next number.
fn binary(classes: Option<&ClassParams>, info: &ModelInfo) -> Result<Task> {
    let threshold = info.probability_threshold().unwrap_or(0.5);
    if !is_probability(threshold) {
        return Err(Error::failed(format!(
            "the probability threshold `{threshold}` is not between 0 and 1"
        ))
        .at_node("binclass_probability_threshold"));
    }
    let margins = match classes {
        Some(classes) => class_indices(classes, 2)?,
        None => vec![0, 1],
    };
    let labels = labels(classes, margins.iter().max().map_or(2, |&last| last + 1))?;
    match (labels.get(margins[0]), labels.get(margins[1])) {
        (Some(negative), Some(positive)) => Ok(Task::Binary {
            labels: [negative.clone(), positive.clone()],
            threshold: threshold.next_up(),
        }),
        _ => Err(Error::failed("the two classes have no names").at_node("class_params")),
    }
}

fn several(
    classes: Option<&ClassParams>,
    output_count: usize,
    link: Link,
) -> Result<(Outcome, Outputs)> {
    let margins = match classes {
        Some(classes) => class_indices(classes, output_count)?,
        None => (0..output_count).collect(),
    };
    let labels = labels(classes, margins.iter().max().map_or(0, |&last| last + 1))?;
    let outputs = Outputs {
        count: output_count,
        margins,
        total: labels.len(),
    };
    Ok((
        Outcome {
            task: Task::Classes {
                labels,
                probabilities: true,
            },
            link,
        },
        outputs,
    ))
}

/// The class of each output.
fn class_indices(classes: &ClassParams, output_count: usize) -> Result<Vec<usize>> {
    let broken = |message: String| Error::failed(message).at_node("class_params");
    let Some(provided) = classes
        .class_to_label
        .as_deref()
        .filter(|provided| !provided.is_empty())
    else {
        return Ok((0..output_count).collect());
    };
    if provided.len() != output_count {
        return Err(broken(format!(
            "{} classes for {output_count} outputs",
            provided.len()
        )));
    }
    let mut indices = Vec::with_capacity(provided.len());
    for &class in provided {
        if class.fract() != 0.0
            || !(0.0..CLASS_LIMIT as f64).contains(&class)
            || indices.contains(&(class as usize))
        {
            return Err(broken(format!(
                "class `{class}` is not an index of a class, or is a duplicate"
            )));
        }
        indices.push(class as usize);
    }
    Ok(indices)
}

/// One label for each class: its name, or its index where classes have no names. All strings if any
/// is one.
fn labels(classes: Option<&ClassParams>, least: usize) -> Result<Vec<Label>> {
    let names = classes
        .and_then(|classes| classes.class_names.as_deref())
        .unwrap_or_default();
    let claimed = classes
        .and_then(|classes| classes.classes_count)
        .unwrap_or(0) as usize;
    let count = if names.is_empty() {
        claimed.max(least)
    } else {
        names.len()
    };
    if count > CLASS_LIMIT || count < least {
        return Err(
            Error::failed(format!("{count} classes, but indices up to {least}"))
                .at_node("class_params"),
        );
    }
    let is_text = classes.and_then(|classes| classes.class_label_type.as_deref()) == Some("String");
    let labels: Vec<Label> = if names.is_empty() {
        (0..count)
            .map(|class| Label::Integer(class as i64))
            .collect()
    } else {
        names
            .iter()
            .map(|name| label(name, is_text))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::failed("a class has no name").at_node("class_params"))?
    };
    let mixed = labels.iter().any(|label| matches!(label, Label::Text(_)));
    Ok(if mixed {
        labels.into_iter().map(to_text).collect()
    } else {
        labels
    })
}

fn label(name: &Value, is_text: bool) -> Option<Label> {
    match name {
        Value::String(text) if is_text => Some(Label::Text(text.clone())),
        // Files without types wrote integers as texts.
        Value::String(text) => {
            Some(whole(text).map_or_else(|| Label::Text(text.clone()), Label::Integer))
        }
        Value::Bool(true) => Some(Label::Text("True".to_owned())),
        Value::Bool(false) => Some(Label::Text("False".to_owned())),
        Value::Number(number) => {
            let whole = number.as_i64().or_else(|| {
                number
                    .as_f64()
                    .filter(|value| value.fract() == 0.0 && value.abs() < 9e15)
                    .map(|value| value as i64)
            });
            Some(whole.map_or_else(|| Label::Text(number.to_string()), Label::Integer))
        }
        _ => None,
    }
}

fn to_text(label: Label) -> Label {
    match label {
        Label::Integer(whole) => Label::Text(whole.to_string()),
        Label::Text(text) => Label::Text(text),
    }
}
