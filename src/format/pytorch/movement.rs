//! Operators that move elements or make another shape of them, and change types.

use super::call::{Call, Write};
use super::message::{Attribute, Length};
use super::value::{Size, Tensor, Written, axis_of};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::graph::ElementType;

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("alias", same),
    ("clone", same),
    ("contiguous", same),
    ("detach", same),
    ("lift_fresh_copy", same),
    ("lift_fresh", same),
    ("to", typed),
    ("_to_copy", typed),
    ("type_as", typed),
    ("view", reshaped),
    ("_unsafe_view", reshaped),
    ("reshape", reshaped),
    ("view_as", reshaped),
    ("reshape_as", reshaped),
    ("flatten", reshaped),
    ("unflatten", reshaped),
    ("squeeze", squeezed),
    ("unsqueeze", |graph, call| {
        let x = call.tensor("self")?;
        let axis = axis_of(call.integer("dim", 0), x.rank() + 1)? as i64;
        Ok(graph.unsqueezed(&x.name, &[axis]).into())
    }),
    ("permute", |graph, call| {
        let x = call.tensor("self")?;
        let order = axes(&x, &call.integers("dims")?)?;
        Ok(graph.transposed(&x.name, &order).into())
    }),
    ("transpose", |graph, call| {
        swapped(graph, call, ["dim0", "dim1"])
    }),
    ("swapaxes", |graph, call| {
        swapped(graph, call, ["axis0", "axis1"])
    }),
    ("t", |graph, call| reversed(graph, call, 2)),
    ("mT", |graph, call| reversed(graph, call, 2)),
    ("numpy_T", |graph, call| reversed(graph, call, usize::MAX)),
    ("movedim", moved),
    ("expand", expanded),
    ("expand_as", |graph, call| {
        let [x, other] = [call.tensor("self")?, call.tensor("other")?];
        let shape = graph.node("Shape", &[&other.name]);
        Ok(graph.node("Expand", &[&x.name, &shape]).into())
    }),
    ("broadcast_to", expanded),
    ("repeat", |graph, call| tiled(graph, call, "repeats")),
    ("tile", |graph, call| tiled(graph, call, "dims")),
    ("repeat_interleave", repeated),
    ("cat", |graph, call| joined(graph, call)),
    ("concat", |graph, call| joined(graph, call)),
    ("concatenate", |graph, call| joined(graph, call)),
    ("stack", stacked),
    ("split", parts),
    ("split_with_sizes", parts),
    ("tensor_split", parts),
    ("chunk", parts),
    ("unbind", |graph, call| {
        let x = call.tensor("self")?;
        let axis = x.axis(call.integer("dim", 0))?;
        let count = call.output_names().len() as i64;
        let one = |index| {
            let index = graph.integer(index);
            let axis = Attribute::Integer(axis as i64);
            graph.with("Gather", &[&x.name, &index], &[("axis", axis)])
        };
        Ok(Written::Tensors((0..count).map(one).collect()))
    }),
    ("slice", sliced),
    ("narrow", |graph, call| {
        let x = call.tensor("self")?;
        let axis = x.axis(call.integer("dim", 0))?;
        let [Some(start), Some(length)] = ["start", "length"].map(|name| call.find_integer(name))
        else {
            return Err(Error::contract("a part whose length depends on the rows"));
        };
        let end = start.saturating_add(length);
        Ok(graph.slice(&x.name, axis, [start, end, 1]).into())
    }),
    ("select", |graph, call| {
        let x = call.tensor("self")?;
        let axis = Attribute::Integer(x.axis(call.integer("dim", 0))? as i64);
        let index = call.find_size("index")?.unwrap_or(Size::Fixed(0));
        let index = graph.size(&index);
        Ok(graph
            .with("Gather", &[&x.name, &index], &[("axis", axis)])
            .into())
    }),
    ("flip", |graph, call| {
        let x = call.tensor("self")?;
        let mut name = x.name.clone();
        for axis in call.integers("dims")? {
            name = graph.slice(&name, x.axis(axis)?, [-1, i64::MIN, -1]);
        }
        Ok(name.into())
    }),
    ("roll", rolled),
    ("pad", padded),
    ("constant_pad_nd", padded),
    ("tril", |graph, call| triangle(graph, call, 0)),
    ("triu", |graph, call| triangle(graph, call, 1)),
];

/// Operators that only check what is certain here.
fn same(_graph: &mut Writer, call: &Call) -> Result<Written> {
    Ok(call.tensor("self")?.name.into())
}

fn typed(graph: &mut Writer, call: &Call) -> Result<Written> {
    let (x, element) = (call.tensor("self")?, call.output(0)?.element);
    Ok(graph.as_type(&x, element).into())
}

/// Axes as the graph counts them.
pub(super) fn axes(x: &Tensor, numbers: &[i64]) -> Result<Vec<i64>> {
    let axis = |number: &i64| x.axis(*number).map(|axis| axis as i64);
    numbers.iter().map(axis).collect()
}

fn reshaped(graph: &mut Writer, call: &Call) -> Result<Written> {
    let (x, output) = (call.tensor("self")?, call.output(0)?);
    let sizes = call.find_sizes("size")?.or(call.find_sizes("shape")?);
    let sizes = sizes.unwrap_or_default();
    Ok(graph.reshaped(&x, &output.shape, &sizes)?.into())
}

/// Only axes of length 1 go.
fn squeezed(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let asked = match call.find_integers("dim")? {
        Some(numbers) if x.rank() > 0 => axes(&x, &numbers)?,
        Some(_) => Vec::new(),
        None => (0..x.rank() as i64).collect(),
    };
    let is_one = |axis: &i64| x.shape.get(*axis as usize) == Some(&Length::Fixed(1));
    let gone: Vec<i64> = asked.into_iter().filter(is_one).collect();
    if gone.is_empty() {
        return Ok(x.name.into());
    }
    Ok(graph.squeezed(&x.name, &gone).into())
}

fn swapped(graph: &mut Writer, call: &Call, names: [&str; 2]) -> Result<Written> {
    let x = call.tensor("self")?;
    let [a, b] = names.map(|name| x.axis(call.integer(name, 0)));
    let mut order: Vec<i64> = (0..x.rank() as i64).collect();
    if !order.is_empty() {
        order.swap(a?, b?);
    }
    Ok(graph.transposed(&x.name, &order).into())
}

/// The last `count` axes in reverse.
fn reversed(graph: &mut Writer, call: &Call, count: usize) -> Result<Written> {
    let x = call.tensor("self")?;
    let mut order: Vec<i64> = (0..x.rank() as i64).collect();
    let start = x.rank().saturating_sub(count);
    order[start..].reverse();
    if x.rank() < 2 {
        return Ok(x.name.into());
    }
    Ok(graph.transposed(&x.name, &order).into())
}

fn moved(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let from = axes(&x, &call.integers("source")?)?;
    let to = axes(&x, &call.integers("destination")?)?;
    let mut rest = (0..x.rank() as i64).filter(|axis| !from.contains(axis));
    let order: Option<Vec<i64>> = (0..x.rank() as i64)
        .map(|axis| match to.iter().position(|one| *one == axis) {
            Some(index) => from.get(index).copied(),
            None => rest.next(),
        })
        .collect();
    let order = order.ok_or_else(|| Error::failed("axes that do not fit"))?;
    Ok(graph.transposed(&x.name, &order).into())
}

fn expanded(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let sizes = call.sizes("size")?;
    let output = call.output(0)?;
    let new = sizes.len().saturating_sub(x.rank());
    let sizes: Vec<Size> = sizes
        .into_iter()
        .enumerate()
        .map(|(axis, size)| {
            let own = axis.checked_sub(new).and_then(|axis| x.shape.get(axis));
            // What stays as long as it is broadcasts by itself.
            if size == Size::Fixed(-1) || own.is_some() && own == output.shape.get(axis) {
                Size::Fixed(1)
            } else {
                size
            }
        })
        .collect();
    if new == 0 && sizes.iter().all(|size| *size == Size::Fixed(1)) {
        return Ok(x.name.into());
    }
    let shape = graph.sizes(&sizes);
    Ok(graph.node("Expand", &[&x.name, &shape]).into())
}

fn tiled(graph: &mut Writer, call: &Call, argument: &str) -> Result<Written> {
    let x = call.tensor("self")?;
    let mut counts = call.sizes(argument)?;
    while counts.len() < x.rank() {
        counts.insert(0, Size::Fixed(1));
    }
    let mut name = x.name.clone();
    let new: Vec<i64> = (0..(counts.len() - x.rank()) as i64).collect();
    if !new.is_empty() {
        name = graph.unsqueezed(&name, &new);
    }
    let counts = graph.sizes(&counts);
    Ok(graph.node("Tile", &[&name, &counts]).into())
}

/// Each element of an axis several times in a row.
fn repeated(graph: &mut Writer, call: &Call) -> Result<Written> {
    let (x, output) = (call.tensor("self")?, call.output(0)?);
    let (Some(count), Some(axis)) = (call.find_integer("repeats"), call.find_integer("dim")) else {
        return Err(Error::contract(
            "only one number of repetitions along an axis is supported",
        ));
    };
    let axis = x.axis(axis)?;
    let wide = graph.unsqueezed(&x.name, &[axis as i64 + 1]);
    let mut counts = vec![1; x.rank() + 1];
    counts[axis + 1] = count;
    let counts = graph.integers(&counts);
    let tiled = Tensor {
        name: graph.node("Tile", &[&wide, &counts]),
        shape: Vec::new(),
        element: x.element,
    };
    let mut shape = output.shape;
    // The others keep their lengths, so one open axis is what is left over.
    let open = shape
        .iter()
        .filter(|length| matches!(length, Length::Named(_)))
        .count();
    if open > 1 {
        return Err(Error::contract(
            "a tensor with several open axes is not repeated",
        ));
    }
    if shape.is_empty() {
        shape = vec![Length::Fixed(-1)];
    }
    Ok(graph.reshaped(&tiled, &shape, &[])?.into())
}

fn joined(graph: &mut Writer, call: &Call) -> Result<Written> {
    let output = call.output(0)?;
    let mut parts = Vec::new();
    for tensor in call.tensors("tensors")? {
        // An empty list joins anything.
        if tensor.shape != [Length::Fixed(0)] || output.rank() == 1 {
            parts.push(graph.as_type(&tensor, output.element));
        }
    }
    let axis = output.axis(call.integer("dim", 0))?;
    Ok(graph.joined(&parts, axis).into())
}

fn stacked(graph: &mut Writer, call: &Call) -> Result<Written> {
    let output = call.output(0)?;
    let axis = output.axis(call.integer("dim", 0))?;
    let mut parts = Vec::new();
    for tensor in call.tensors("tensors")? {
        let name = graph.as_type(&tensor, output.element);
        parts.push(graph.unsqueezed(&name, &[axis as i64]));
    }
    Ok(graph.joined(&parts, axis).into())
}

/// Parts of an axis whose lengths the outputs declare.
fn parts(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let axis = x.axis(call.integer("dim", 0))?;
    let count = call.output_names().len();
    let lengths: Vec<i64> = (0..count)
        .map(|index| call.output(index)?.fixed(axis))
        .collect::<Result<_>>()?;
    let lengths = graph.integers(&lengths);
    let axis = [("axis", Attribute::Integer(axis as i64))];
    Ok(Written::Tensors(graph.several(
        "Split",
        &[&x.name, &lengths],
        &axis,
        count,
    )))
}

fn sliced(graph: &mut Writer, call: &Call) -> Result<Written> {
    let (x, output) = (call.tensor("self")?, call.output(0)?);
    let axis = x.axis(call.integer("dim", 0))?;
    let step = call.integer("step", 1);
    if step == 1 && x.shape.get(axis) == output.shape.get(axis) {
        return Ok(x.name.into());
    }
    let start = call.find_size("start")?.unwrap_or(Size::Fixed(0));
    let end = call.find_size("end")?.unwrap_or(Size::Fixed(i64::MAX));
    let (start, end) = (graph.sizes(&[start]), graph.sizes(&[end]));
    let (axis, step) = (graph.integers(&[axis as i64]), graph.integers(&[step]));
    Ok(graph
        .node("Slice", &[&x.name, &start, &end, &axis, &step])
        .into())
}

fn rolled(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let shifts = call.integers("shifts")?;
    let asked = call.find_integers("dims")?.unwrap_or_default();
    if asked.len() != shifts.len() {
        return Err(Error::contract(
            "only a shift for each of some axes is supported",
        ));
    }
    let mut name = x.name.clone();
    for (axis, shift) in asked.into_iter().zip(shifts) {
        let axis = x.axis(axis)?;
        let length = x.fixed(axis)?;
        let cut = if length == 0 {
            0
        } else {
            length - shift.rem_euclid(length)
        };
        let parts = [[cut, i64::MAX, 1], [0, cut, 1]].map(|part| graph.slice(&name, axis, part));
        name = graph.joined(&parts, axis);
    }
    Ok(name.into())
}

/// `pad` counts pairs of before and behind from the last axis.
fn padded(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let amounts = call.integers("pad")?;
    let kind = match call.text("mode").unwrap_or("constant") {
        "replicate" => "edge",
        "circular" => "wrap",
        other => other,
    };
    if amounts.len() > 2 * x.rank() || !amounts.len().is_multiple_of(2) {
        return Err(Error::failed("paddings that do not fit the tensor"));
    }
    let mut all = vec![0; 2 * x.rank()];
    for (index, pair) in amounts.chunks_exact(2).enumerate() {
        let axis = x.rank() - 1 - index;
        (all[axis], all[x.rank() + axis]) = (pair[0], pair[1]);
    }
    let all = graph.integers(&all);
    let value = graph.real(x.element, call.real("value", 0.0))?;
    let kind = [("mode", Attribute::Text(kind))];
    Ok(graph.with("Pad", &[&x.name, &all, &value], &kind).into())
}

fn triangle(graph: &mut Writer, call: &Call, upper: i64) -> Result<Written> {
    let x = call.tensor("self")?;
    let diagonal = graph.integer(call.integer("diagonal", 0));
    // Booleans have no triangle of their own everywhere.
    let element = if x.element == ElementType::Bool {
        ElementType::Int32
    } else {
        x.element
    };
    let name = graph.as_type(&x, element);
    let upper = [("upper", Attribute::Integer(upper))];
    let made = graph.with("Trilu", &[&name, &diagonal], &upper);
    Ok(graph.cast(&made, element, x.element).into())
}
