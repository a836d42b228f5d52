//! What a graph's outputs are by what the file declares, without running anything.

use super::port::{Port, PortKind};
use super::schema::Graph as GraphProto;
use super::tensor::text;
use crate::graph::arrays::row_length;
use crate::graph::{ElementType, Tensor, Value};

/// Values of `rows` rows, which are their first axis, such as the file declares the outputs to
/// give; none if it leaves a type or a length open.
pub(super) fn declared(
    graph: &GraphProto,
    ports: &[Port],
    axes: &[Option<usize>],
    rows: usize,
) -> Option<Vec<Value>> {
    ports
        .iter()
        .zip(axes)
        .map(|(port, axis)| value(graph, port, axis.unwrap_or(0), rows))
        .collect()
}

fn value(graph: &GraphProto, port: &Port, axis: usize, rows: usize) -> Option<Value> {
    match &port.kind {
        PortKind::Tensor {
            element: Some(element),
            shape: Some(shape),
        } => {
            let rest: Vec<usize> = others(shape, axis).collect::<Option<_>>()?;
            Tensor::zeros(*element, [&[rows], rest.as_slice()].concat())
                .ok()
                .map(Value::Tensor)
        }
        PortKind::Sequence { of_maps: true } => {
            let keys = keys(graph, &port.name)?;
            let values = Tensor::zeros(ElementType::Float, vec![rows, keys.len()]).ok()?;
            Some(Value::Maps { keys, values })
        }
        _ => None,
    }
}

/// The lengths of all axes but that of the rows.
fn others(shape: &[Option<usize>], axis: usize) -> impl Iterator<Item = Option<usize>> {
    shape
        .iter()
        .enumerate()
        .filter(move |(other, _)| *other != axis)
        .map(|(_, length)| *length)
}

/// The keys of the maps that a `ZipMap` makes.
fn keys(graph: &GraphProto, output: &str) -> Option<Tensor> {
    let node = graph
        .nodes
        .iter()
        .find(|node| node.operator == "ZipMap" && node.outputs.first() == Some(&output))?;
    let attribute = |name: &str| {
        node.attributes
            .iter()
            .find(|attribute| attribute.name == name)
    };
    if let Some(texts) = attribute("classlabels_strings")
        .map(|attribute| &attribute.strings)
        .filter(|texts| texts.iter().len() > 0)
    {
        return Some(Tensor::vector(
            texts.iter().map(text).collect::<Result<Vec<_>, _>>().ok()?,
        ));
    }
    attribute("classlabels_int64s")
        .map(|attribute| attribute.ints.to_vec())
        .filter(|numbers| !numbers.is_empty())
        .map(Tensor::vector)
}

/// Whether values are as wide as the file declares, as far as it does: a run on no rows may divide
/// nothing by nothing and find no length.
pub(super) fn agrees(values: &[Value], ports: &[Port], axes: &[Option<usize>]) -> bool {
    let one_agrees = |((value, port), axis): ((&Value, &Port), &Option<usize>)| {
        one_agrees(value, port, axis.unwrap_or(0))
    };
    values.len() == ports.len() && values.iter().zip(ports).zip(axes).all(one_agrees)
}

fn one_agrees(value: &Value, port: &Port, axis: usize) -> bool {
    let tensor = match value {
        Value::Maps { values, .. } => values,
        other => match other.tensor() {
            Ok(tensor) => tensor,
            Err(_) => return false,
        },
    };
    let expected = match &port.kind {
        PortKind::Tensor {
            shape: Some(shape), ..
        } => others(shape, axis).product::<Option<usize>>(),
        _ => None,
    };
    row_length(tensor) > 0 && expected.is_none_or(|expected| expected == row_length(tensor))
}
