//! Sums, means and other numbers of whole axes, and the order of their elements.

use super::call::{Call, Write};
use super::message::Attribute;
use super::movement::axes;
use super::value::{Number, Tensor, Written};
use super::writer::{Writer, is_integer};
use crate::error::{Error, Result};
use crate::graph::ElementType;

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("sum", |graph, call| plain(graph, call, "ReduceSum")),
    ("mean", |graph, call| plain(graph, call, "ReduceMean")),
    ("prod", |graph, call| plain(graph, call, "ReduceProd")),
    ("amax", |graph, call| plain(graph, call, "ReduceMax")),
    ("amin", |graph, call| plain(graph, call, "ReduceMin")),
    ("logsumexp", |graph, call| {
        plain(graph, call, "ReduceLogSumExp")
    }),
    ("max", |graph, call| {
        extreme(graph, call, ["ReduceMax", "ArgMax", "Max"])
    }),
    ("min", |graph, call| {
        extreme(graph, call, ["ReduceMin", "ArgMin", "Min"])
    }),
    ("argmax", |graph, call| index_of(graph, call, "ArgMax")),
    ("argmin", |graph, call| index_of(graph, call, "ArgMin")),
    ("any", |graph, call| whether(graph, call, "ReduceMax")),
    ("all", |graph, call| whether(graph, call, "ReduceMin")),
    ("var", |graph, call| {
        Ok(Written::Tensors(vec![spread(graph, call)?.0]))
    }),
    ("std", |graph, call| {
        let (variance, _) = spread(graph, call)?;
        Ok(graph.node("Sqrt", &[&variance]).into())
    }),
    ("var_mean", |graph, call| {
        let (variance, mean) = spread(graph, call)?;
        Ok(Written::Tensors(vec![variance, mean]))
    }),
    ("std_mean", |graph, call| {
        let (variance, mean) = spread(graph, call)?;
        Ok(Written::Tensors(vec![
            graph.node("Sqrt", &[&variance]),
            mean,
        ]))
    }),
    ("norm", |graph, call| length(graph, call, "p")),
    ("linalg_vector_norm", |graph, call| {
        length(graph, call, "ord")
    }),
    ("cumsum", |graph, call| {
        let (x, element) = (call.tensor("self")?, call.output(0)?.element);
        let axis = graph.integer(x.axis(call.integer("dim", 0))? as i64);
        let x = graph.as_type(&x, element);
        Ok(graph.node("CumSum", &[&x, &axis]).into())
    }),
    ("topk", |graph, call| {
        let x = call.tensor("self")?;
        let count = call.find_integer("k");
        let count = count.ok_or_else(|| Error::contract("a count that depends on the rows"))?;
        sorted(graph, call, &x, count, call.flag("largest", true)).map(Written::Tensors)
    }),
    ("sort", |graph, call| {
        let x = call.tensor("self")?;
        let count = x.fixed(x.axis(call.integer("dim", -1))?)?;
        sorted(graph, call, &x, count, call.flag("descending", false)).map(Written::Tensors)
    }),
    ("argsort", |graph, call| {
        let x = call.tensor("self")?;
        let count = x.fixed(x.axis(call.integer("dim", -1))?)?;
        let both = sorted(graph, call, &x, count, call.flag("descending", false))?;
        Ok(Written::Tensors(both.into_iter().skip(1).collect()))
    }),
];

/// The axes that a call names; none for all.
fn asked(call: &Call, x: &Tensor) -> Result<Option<Vec<i64>>> {
    match call.find_integers("dim")? {
        Some(numbers) if !numbers.is_empty() => {
            if x.rank() == 0 {
                return Ok(None);
            }
            axes(x, &numbers).map(Some)
        }
        _ => Ok(None),
    }
}

/// A reduction of a tensor over these axes, or all.
fn reduced(
    graph: &mut Writer,
    operator: &str,
    name: &str,
    axes: Option<&[i64]>,
    keeps: bool,
) -> String {
    let keeps = [("keepdims", Attribute::Integer(i64::from(keeps)))];
    match axes {
        Some(axes) => {
            let axes = graph.integers(axes);
            graph.with(operator, &[name, &axes], &keeps)
        }
        None => graph.with(operator, &[name], &keeps),
    }
}

fn plain(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    let (x, element) = (call.tensor("self")?, call.output(0)?.element);
    let asked = asked(call, &x)?;
    let name = graph.as_type(&x, element);
    let keeps = call.flag("keepdim", false);
    Ok(reduced(graph, operator, &name, asked.as_deref(), keeps).into())
}

/// The extreme of all, of an axis with its index, or of two tensors.
fn extreme(graph: &mut Writer, call: &Call, operators: [&str; 3]) -> Result<Written> {
    let x = call.tensor("self")?;
    let [all, index, two] = operators;
    match call.overload {
        "other" => {
            let other = call.tensor("other")?;
            let element = call.output(0)?.element;
            let (a, b) = (graph.as_type(&x, element), graph.as_type(&other, element));
            Ok(graph.node(two, &[&a, &b]).into())
        }
        "dim" => {
            let keeps = call.flag("keepdim", false);
            let axis = x.axis(call.integer("dim", 0))? as i64;
            let value = reduced(graph, all, &x.name, Some(&[axis]), keeps);
            let settings = [
                ("axis", Attribute::Integer(axis)),
                ("keepdims", Attribute::Integer(i64::from(keeps))),
            ];
            let index = graph.with(index, &[&x.name], &settings);
            Ok(Written::Tensors(vec![value, index]))
        }
        _ => Ok(reduced(graph, all, &x.name, None, false).into()),
    }
}

fn index_of(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    let x = call.tensor("self")?;
    let keeps = call.flag("keepdim", false);
    let (name, axis) = if let Some(axis) = call.find_integer("dim") {
        (x.name.clone(), x.axis(axis)? as i64)
    } else {
        let flat = graph.integers(&[-1]);
        (graph.node("Reshape", &[&x.name, &flat]), 0)
    };
    let settings = [
        ("axis", Attribute::Integer(axis)),
        ("keepdims", Attribute::Integer(i64::from(keeps))),
    ];
    Ok(graph.with(operator, &[&name], &settings).into())
}

fn whether(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    let x = call.tensor("self")?;
    let asked = asked(call, &x)?;
    let is_true = graph.as_type(&x, ElementType::Bool);
    let number = graph.cast(&is_true, ElementType::Bool, ElementType::Int32);
    let keeps = call.flag("keepdim", false);
    let found = reduced(graph, operator, &number, asked.as_deref(), keeps);
    Ok(graph
        .cast(&found, ElementType::Int32, ElementType::Bool)
        .into())
}

/// Variance and mean; `correction` is taken off the count.
fn spread(graph: &mut Writer, call: &Call) -> Result<(String, String)> {
    let x = call.tensor("self")?;
    let asked = asked(call, &x)?;
    let keeps = call.flag("keepdim", false);
    let default = f64::from(u8::from(call.flag("unbiased", true)));
    let correction = call.find_number("correction").map_or(default, Number::real);
    let wide = reduced(graph, "ReduceMean", &x.name, asked.as_deref(), true);
    let difference = graph.node("Sub", &[&x.name, &wide]);
    let squares = graph.node("Mul", &[&difference, &difference]);
    let mean = reduced(graph, "ReduceMean", &x.name, asked.as_deref(), keeps);
    let mut variance = reduced(graph, "ReduceMean", &squares, asked.as_deref(), keeps);
    if correction.to_bits() != 0.0_f64.to_bits() {
        let all: Vec<i64> = (0..x.rank() as i64).collect();
        let count = asked.unwrap_or(all).iter().try_fold(1.0, |count, axis| {
            Ok::<f64, Error>(count * x.fixed(*axis as usize)? as f64)
        })?;
        let share = graph.real(x.element, count / (count - correction).max(0.0))?;
        variance = graph.node("Mul", &[&variance, &share]);
    }
    Ok((variance, mean))
}

/// The length of vectors.
fn length(graph: &mut Writer, call: &Call, order: &str) -> Result<Written> {
    let (x, element) = (call.tensor("self")?, call.output(0)?.element);
    let asked = asked(call, &x)?;
    let name = graph.as_type(&x, element);
    let keeps = call.flag("keepdim", false);
    let order = call.real(order, 2.0);
    let operator = match order {
        2.0 => "ReduceL2",
        1.0 => "ReduceL1",
        f64::INFINITY => "ReduceMax",
        f64::NEG_INFINITY => "ReduceMin",
        _ if order > 0.0 => {
            let size = graph.node("Abs", &[&name]);
            let (power, root) = (
                graph.real(element, order)?,
                graph.real(element, 1.0 / order)?,
            );
            let powers = graph.node("Pow", &[&size, &power]);
            let sum = reduced(graph, "ReduceSum", &powers, asked.as_deref(), keeps);
            return Ok(graph.node("Pow", &[&sum, &root]).into());
        }
        _ => {
            return Err(Error::contract(format!(
                "a norm of order {order} is not supported"
            )));
        }
    };
    let name = if order.is_infinite() {
        graph.node("Abs", &[&name])
    } else {
        name
    };
    Ok(reduced(graph, operator, &name, asked.as_deref(), keeps).into())
}

/// The first `count` values in order and their indices.
fn sorted(
    graph: &mut Writer,
    call: &Call,
    x: &Tensor,
    count: i64,
    is_descending: bool,
) -> Result<Vec<String>> {
    if !x.element.is_float() && !is_integer(x.element) {
        return Err(Error::contract("booleans are not sorted"));
    }
    let axis = x.axis(call.integer("dim", -1))? as i64;
    let count = graph.integers(&[count]);
    let settings = [
        ("axis", Attribute::Integer(axis)),
        ("largest", Attribute::Integer(i64::from(is_descending))),
        ("sorted", Attribute::Integer(1)),
    ];
    Ok(graph.several("TopK", &[&x.name, &count], &settings, 2))
}
