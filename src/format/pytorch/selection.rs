//! Operators that pick elements by index, and tensors made of nothing.

use super::call::{Call, Write};
use super::message::Attribute;
use super::value::{Number, Size, Tensor, Written};
use super::writer::{Writer, bytes_of};
use crate::error::{Error, Result};
use crate::graph::ElementType;

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("embedding", |graph, call| {
        let [weight, indices] = [call.tensor("weight")?, call.tensor("indices")?];
        let indices = checked(graph, &indices, weight.fixed(0)?);
        Ok(graph.node("Gather", &[&weight.name, &indices]).into())
    }),
    ("index_select", |graph, call| {
        let [x, index] = [call.tensor("self")?, call.tensor("index")?];
        let axis = Attribute::Integer(x.axis(call.integer("dim", 0))? as i64);
        Ok(graph
            .with("Gather", &[&x.name, &index.name], &[("axis", axis)])
            .into())
    }),
    ("gather", |graph, call| {
        let [x, index] = [call.tensor("self")?, call.tensor("index")?];
        let axis = Attribute::Integer(x.axis(call.integer("dim", 0))? as i64);
        Ok(graph
            .with("GatherElements", &[&x.name, &index.name], &[("axis", axis)])
            .into())
    }),
    ("index", indexed),
    ("one_hot", one_hot),
    ("bucketize", bucketed),
    ("arange", ranged),
    ("full", |graph, call| {
        let value = call.number("fill_value")?;
        made(graph, call, value)
    }),
    ("new_full", |graph, call| {
        let value = call.number("fill_value")?;
        made(graph, call, value)
    }),
    ("zeros", |graph, call| made(graph, call, Number::Integer(0))),
    ("new_zeros", |graph, call| {
        made(graph, call, Number::Integer(0))
    }),
    ("ones", |graph, call| made(graph, call, Number::Integer(1))),
    ("new_ones", |graph, call| {
        made(graph, call, Number::Integer(1))
    }),
    ("full_like", |graph, call| {
        let value = call.number("fill_value")?;
        alike(graph, call, value)
    }),
    ("zeros_like", |graph, call| {
        alike(graph, call, Number::Integer(0))
    }),
    ("ones_like", |graph, call| {
        alike(graph, call, Number::Integer(1))
    }),
    ("scalar_tensor", |graph, call| {
        let (value, element) = (call.operand("s")?, call.output(0)?.element);
        Ok(graph.operand(&value, element)?.into())
    }),
];

/// Indices as they are, and beyond the end instead of negative ones, which count from the end to
/// the graph and are an error to PyTorch.
fn checked(graph: &mut Writer, indices: &Tensor, count: i64) -> String {
    let wide = graph.as_type(indices, ElementType::Int64);
    let (zero, end) = (graph.integer(0), graph.integer(count));
    let is_negative = graph.node("Less", &[&wide, &zero]);
    graph.node("Where", &[&is_negative, &end, &wide])
}

/// Lists of indices for consecutive axes, which broadcast to one shape.
fn indexed(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let indices = call.optional_tensors("indices")?;
    let first = indices.iter().position(Option::is_some);
    let first = first.ok_or_else(|| Error::failed("an index without lists"))?;
    let lists: Option<Vec<&Tensor>> = indices[first..].iter().map(Option::as_ref).collect();
    let lists = lists.filter(|lists| {
        lists
            .iter()
            .all(|list| !matches!(list.element, ElementType::Bool | ElementType::Uint8))
    });
    let unsupported = || Error::contract("an index of this kind is not supported");
    let lists = lists.ok_or_else(unsupported)?;
    if let [one] = lists.as_slice() {
        let axis = [("axis", Attribute::Integer(first as i64))];
        return Ok(graph.with("Gather", &[&x.name, &one.name], &axis).into());
    }
    if first > 0 {
        return Err(unsupported());
    }
    // Each list in the shape that all have together, side by side along a new last axis.
    let zero = graph.integer(0);
    let mut sum = graph.as_type(lists[0], ElementType::Int64);
    for list in &lists[1..] {
        let other = graph.as_type(list, ElementType::Int64);
        sum = graph.node("Add", &[&sum, &other]);
    }
    let zeros = graph.node("Mul", &[&sum, &zero]);
    let rank = call.output(0)?.rank() + lists.len() - x.rank();
    let parts: Vec<String> = lists
        .iter()
        .map(|list| {
            let wide = graph.as_type(list, ElementType::Int64);
            let full = graph.node("Add", &[&wide, &zeros]);
            graph.unsqueezed(&full, &[rank as i64])
        })
        .collect();
    let joined = graph.joined(&parts, rank);
    Ok(graph.node("GatherND", &[&x.name, &joined]).into())
}

fn one_hot(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let count = call.integer("num_classes", -1);
    if count < 1 {
        return Err(Error::contract(
            "the number of classes depends on the rows: export with `num_classes`",
        ));
    }
    let depth = graph.integer(count);
    let values = graph.integers(&[0, 1]);
    let axis = [("axis", Attribute::Integer(-1))];
    Ok(graph
        .with("OneHot", &[&x.name, &depth, &values], &axis)
        .into())
}

/// How many boundaries lie below each value, or at it if `right`.
fn bucketed(graph: &mut Writer, call: &Call) -> Result<Written> {
    let [x, boundaries] = [call.tensor("self")?, call.tensor("boundaries")?];
    if boundaries.rank() != 1 {
        return Err(Error::failed("boundaries of more than one axis"));
    }
    let element = if x.element.is_float() || !boundaries.element.is_float() {
        x.element
    } else {
        boundaries.element
    };
    let (values, limits) = (
        graph.as_type(&x, element),
        graph.as_type(&boundaries, element),
    );
    let column = graph.unsqueezed(&values, &[x.rank() as i64]);
    let operator = if call.flag("right", false) {
        "LessOrEqual"
    } else {
        "Less"
    };
    let is_below = graph.node(operator, &[&limits, &column]);
    let output = call.output(0)?.element;
    let number = graph.cast(&is_below, ElementType::Bool, output);
    let last = graph.integers(&[-1]);
    let flat = [("keepdims", Attribute::Integer(0))];
    Ok(graph.with("ReduceSum", &[&number, &last], &flat).into())
}

fn ranged(graph: &mut Writer, call: &Call) -> Result<Written> {
    let element = call.output(0)?.element;
    let mut bound = |name: &str, default: i64| match call.operand(name) {
        Ok(operand) => graph.operand(&operand, element),
        Err(_) => graph.number(element, Number::Integer(default)),
    };
    let (start, step) = (bound("start", 0)?, bound("step", 1)?);
    let end = graph.operand(&call.operand("end")?, element)?;
    Ok(graph.node("Range", &[&start, &end, &step]).into())
}

/// A tensor of a shape that the call names, full of one number.
fn made(graph: &mut Writer, call: &Call, value: Number) -> Result<Written> {
    let sizes: Vec<Size> = call.sizes("size")?;
    let shape = graph.sizes(&sizes);
    let element = call.output(0)?.element;
    Ok(graph.of_shape(element, &shape, value)?.into())
}

/// A tensor of another's shape, full of one number.
fn alike(graph: &mut Writer, call: &Call, value: Number) -> Result<Written> {
    let (x, element) = (call.tensor("self")?, call.output(0)?.element);
    let shape = graph.node("Shape", &[&x.name]);
    let filled = Attribute::One(element, bytes_of(element, value)?);
    Ok(graph
        .with("ConstantOfShape", &[&shape], &[("value", filled)])
        .into())
}
