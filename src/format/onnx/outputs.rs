//! From a graph's outputs to the columns that come out.

use std::sync::Arc;

use super::decision::Origin;
use super::port::Port;
use super::schema::{Graph as GraphProto, Node};
use super::tensor::{External, decode, text};
use crate::error::Result;
use crate::graph::answer::Answer;
use crate::graph::arrays::row_length;
use crate::graph::{ElementType, Tensor, Value};
use crate::outcome::Label;

/// What one run's outputs are: (whether texts or integers, one a row), (width).
struct Seen {
    is_label: bool,
    width: usize,
    is_number: bool,
}

fn seen(value: &Value) -> Result<Seen> {
    let (tensor, is_map) = match value {
        Value::Maps { values, .. } => (values, true),
        other => (other.tensor()?, false),
    };
    let width = row_length(tensor);
    let element = tensor.element_type();
    let is_label = !is_map
        && width == 1
        && matches!(
            element,
            ElementType::Int64 | ElementType::Int32 | ElementType::String | ElementType::Bool
        );
    Ok(Seen {
        is_label,
        width,
        is_number: element.is_float(),
    })
}

/// What comes out.
pub(super) struct Outputs {
    pub(super) answers: Vec<Answer>,
    /// The two classes, where the outputs are a label and the probabilities of two.
    pub(super) classes: Option<[Label; 2]>,
}

/// What the outputs are called: a label and its probabilities, or decision values, as those of
/// every other model, one number a row `prediction`, all else by its own name. `trial` returns what
/// comes out for rows of zeros, where that is known.
pub(super) fn answers(
    graph: &GraphProto,
    ports: &[Port],
    outputs: &[Value],
    trial: &dyn Fn() -> Vec<Value>,
) -> Result<Outputs> {
    let all = outputs.iter().map(seen).collect::<Result<Vec<Seen>>>()?;
    let column = |output: usize, name: &str| Answer::Column {
        output,
        name: name.to_owned(),
    };
    let plain = |answers: Vec<Answer>| Outputs {
        answers,
        classes: None,
    };
    if let [a, b] = all.as_slice() {
        let pair = if a.is_label && b.is_number && b.width > 1 {
            Some((0, 1))
        } else if b.is_label && a.is_number && a.width > 1 {
            Some((1, 0))
        } else {
            None
        };
        if let Some((label, scores)) = pair {
            let width = all[scores].width;
            let known = class_names(graph, &ports[label].name, &outputs[scores], width)?;
            let is_known = known.is_some();
            let names =
                known.unwrap_or_else(|| (0..width).map(|index| index.to_string()).collect());
            if Origin::of(graph, &ports[scores].name).is_decision(trial().get(scores)) {
                let margins = Answer::Classes {
                    output: scores,
                    names: names.iter().map(|name| format!("margin_{name}")).collect(),
                };
                return Ok(plain(vec![column(label, "prediction"), margins]));
            }
            return Ok(match <[String; 2]>::try_from(names) {
                Ok(names) => {
                    let is_text = outputs[label]
                        .tensor()
                        .is_ok_and(|tensor| tensor.element_type() == ElementType::String);
                    let named = |name: String| {
                        if is_text {
                            is_known.then_some(Label::Text(name))
                        } else {
                            name.parse().ok().map(Label::Integer)
                        }
                    };
                    let [negative, positive] = names.map(named);
                    let probability = Answer::Classes {
                        output: scores,
                        names: vec![String::new(), "probability".into()],
                    };
                    Outputs {
                        answers: vec![probability, column(label, "prediction")],
                        classes: negative.zip(positive).map(<[Label; 2]>::from),
                    }
                }
                Err(names) => {
                    let probabilities = names
                        .iter()
                        .map(|name| format!("probability_{name}"))
                        .collect();
                    plain(vec![
                        column(label, "prediction"),
                        Answer::Classes {
                            output: scores,
                            names: probabilities,
                        },
                    ])
                }
            });
        }
    }
    if let Some((label, score)) = label_and_margin(graph, ports, &all) {
        return Ok(plain(vec![
            column(label, "prediction"),
            column(score, "margin"),
        ]));
    }
    if let [one] = all.as_slice()
        && one.width == 1
    {
        return Ok(plain(vec![column(0, "prediction")]));
    }
    Ok(plain(
        ports
            .iter()
            .enumerate()
            .map(|(output, port)| column(output, &port.name))
            .collect(),
    ))
}

/// A classifier's label and the one decision value of two classes, such as those of a `LinearSVC`.
fn label_and_margin(graph: &GraphProto, ports: &[Port], all: &[Seen]) -> Option<(usize, usize)> {
    let [a, b] = all else {
        return None;
    };
    let (label, score) = match (a.is_label, b.is_label) {
        (true, false) => (0, 1),
        (false, true) => (1, 0),
        _ => return None,
    };
    let is_margin = all[score].is_number
        && all[score].width == 1
        && Origin::of(graph, &ports[score].name).is_classifier;
    is_margin.then_some((label, score))
}

/// The names of the classes: the map's keys, else what the nodes that make the label say.
fn class_names(
    graph: &GraphProto,
    label: &str,
    scores: &Value,
    count: usize,
) -> Result<Option<Vec<String>>> {
    if let Value::Maps { keys, .. } = scores {
        return texts(keys).map(Some);
    }
    let mut name = label;
    // Backwards from the label, through whatever only changes its shape or type.
    for node in graph.nodes.iter().rev() {
        if !node.outputs.contains(&name) {
            continue;
        }
        if let Some(names) = own_names(graph, node, count)? {
            return Ok(Some(names));
        }
        name = node.inputs.first().copied().unwrap_or_default();
    }
    for node in graph.nodes.iter().rev() {
        if let Some(names) = own_names(graph, node, count)? {
            return Ok(Some(names));
        }
    }
    Ok(None)
}

/// The classes that a node names: its labels, or the constant list that it picks the label from by
/// its place.
fn own_names(graph: &GraphProto, node: &Node, count: usize) -> Result<Option<Vec<String>>> {
    for attribute in node
        .attributes
        .iter()
        .filter(|attribute| attribute.name.starts_with("classlabels"))
    {
        let (strings, ints) = (attribute.strings.iter(), &attribute.ints);
        if strings.len() == count {
            return strings
                .map(|bytes| text(bytes).map(|text| text.to_string()))
                .collect::<Result<_>>()
                .map(Some);
        }
        if ints.len() == count {
            return Ok(Some(ints.iter().map(|number| number.to_string()).collect()));
        }
    }
    if !matches!(node.operator, "ArrayFeatureExtractor" | "Gather") {
        return Ok(None);
    }
    let list = node.inputs.first().and_then(|name| {
        graph
            .initializers
            .iter()
            .find(|tensor| tensor.name == *name)
    });
    match list.map(|list| decode(list, &External::new(None))) {
        Some(Ok(list)) if list.len() == count && !list.element_type().is_float() => {
            texts(&list).map(Some)
        }
        _ => Ok(None),
    }
}

fn texts(labels: &Tensor) -> Result<Vec<String>> {
    match labels.element_type() {
        ElementType::String => Ok(labels
            .values::<Arc<str>>()?
            .iter()
            .map(ToString::to_string)
            .collect()),
        _ => Ok(labels.integers()?.iter().map(ToString::to_string).collect()),
    }
}
