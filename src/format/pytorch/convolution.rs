//! Convolutions and pooling.

use super::call::{Call, Write};
use super::message::{Attribute, Length};
use super::value::{Tensor, Written};
use super::writer::Writer;
use crate::error::{Error, Result};

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("conv1d", |graph, call| convolution(graph, call, false)),
    ("conv2d", |graph, call| convolution(graph, call, false)),
    ("conv3d", |graph, call| convolution(graph, call, false)),
    ("conv_transpose1d", |graph, call| {
        convolution(graph, call, true)
    }),
    ("conv_transpose2d", |graph, call| {
        convolution(graph, call, true)
    }),
    ("conv_transpose3d", |graph, call| {
        convolution(graph, call, true)
    }),
    ("convolution", |graph, call| {
        let is_transposed = call.flag("transposed", false);
        convolution(graph, call, is_transposed)
    }),
    ("max_pool1d", |graph, call| pool(graph, call, "MaxPool", 1)),
    ("max_pool2d", |graph, call| pool(graph, call, "MaxPool", 2)),
    ("max_pool3d", |graph, call| pool(graph, call, "MaxPool", 3)),
    ("max_pool2d_with_indices", |graph, call| {
        pool(graph, call, "MaxPool", 2)
    }),
    ("max_pool3d_with_indices", |graph, call| {
        pool(graph, call, "MaxPool", 3)
    }),
    ("avg_pool1d", |graph, call| {
        pool(graph, call, "AveragePool", 1)
    }),
    ("avg_pool2d", |graph, call| {
        pool(graph, call, "AveragePool", 2)
    }),
    ("avg_pool3d", |graph, call| {
        pool(graph, call, "AveragePool", 3)
    }),
    ("adaptive_avg_pool1d", |graph, call| {
        adaptive(graph, call, "AveragePool", 1)
    }),
    ("adaptive_avg_pool2d", |graph, call| {
        adaptive(graph, call, "AveragePool", 2)
    }),
    ("adaptive_avg_pool3d", |graph, call| {
        adaptive(graph, call, "AveragePool", 3)
    }),
    ("_adaptive_avg_pool2d", |graph, call| {
        adaptive(graph, call, "AveragePool", 2)
    }),
    ("_adaptive_avg_pool3d", |graph, call| {
        adaptive(graph, call, "AveragePool", 3)
    }),
    ("adaptive_max_pool1d", |graph, call| {
        adaptive(graph, call, "MaxPool", 1)
    }),
    ("adaptive_max_pool2d", |graph, call| {
        adaptive(graph, call, "MaxPool", 2)
    }),
];

/// A number for each axis of space; one number counts for all.
fn numbers(call: &Call, name: &str, count: usize, default: i64) -> Result<Vec<i64>> {
    let found = call.find_integers(name)?.unwrap_or_default();
    match found.as_slice() {
        [] => Ok(vec![default; count]),
        [one] => Ok(vec![*one; count]),
        all if all.len() == count => Ok(found),
        _ => Err(Error::failed(format!(
            "`{name}` does not have {count} numbers"
        ))),
    }
}

/// Runs with an axis of examples in front, where the input has none.
fn with_examples(
    graph: &mut Writer,
    x: &Tensor,
    space: usize,
    run: impl FnOnce(&mut Writer, &str) -> String,
) -> Result<Written> {
    match x.rank() {
        rank if rank == space + 2 => Ok(run(graph, &x.name).into()),
        rank if rank == space + 1 => {
            let wide = graph.unsqueezed(&x.name, &[0]);
            let made = run(graph, &wide);
            Ok(graph.squeezed(&made, &[0]).into())
        }
        rank => Err(Error::failed(format!("{rank} axes for {space} of space"))),
    }
}

fn convolution(graph: &mut Writer, call: &Call, is_transposed: bool) -> Result<Written> {
    let [x, weight] = [call.tensor("input")?, call.tensor("weight")?];
    let bias = call.find_tensor("bias")?;
    let space = weight.rank().saturating_sub(2);
    if space == 0 {
        return Err(Error::failed("a convolution without axes of space"));
    }
    let strides = numbers(call, "stride", space, 1)?;
    let dilations = numbers(call, "dilation", space, 1)?;
    let kernel: Vec<i64> = (2..weight.rank())
        .map(|axis| weight.fixed(axis))
        .collect::<Result<_>>()?;
    let groups = call.integer("groups", 1);
    // Before each axis, then behind each.
    let pads: Vec<i64> = match call.text("padding") {
        Some("valid") => vec![0; 2 * space],
        Some("same") => {
            let all = kernel
                .iter()
                .zip(&dilations)
                .map(|(kernel, step)| step * (kernel - 1));
            let all: Vec<i64> = all.collect();
            let before = all.iter().map(|all| all / 2);
            before.chain(all.iter().map(|all| all - all / 2)).collect()
        }
        Some(other) => return Err(Error::contract(format!("padding `{other}`"))),
        None => numbers(call, "padding", space, 0)?.repeat(2),
    };
    let extra = numbers(call, "output_padding", space, 0)?;
    let operator = if is_transposed {
        "ConvTranspose"
    } else {
        "Conv"
    };
    with_examples(graph, &x, space, |graph, x| {
        let mut inputs = vec![x, weight.name.as_str()];
        inputs.extend(bias.as_ref().map(|bias| bias.name.as_str()));
        let mut settings = vec![
            ("strides", Attribute::Integers(&strides)),
            ("pads", Attribute::Integers(&pads)),
            ("dilations", Attribute::Integers(&dilations)),
            ("kernel_shape", Attribute::Integers(&kernel)),
            ("group", Attribute::Integer(groups)),
        ];
        if is_transposed {
            settings.push(("output_padding", Attribute::Integers(&extra)));
        }
        graph.with(operator, &inputs, &settings)
    })
}

fn pool(graph: &mut Writer, call: &Call, operator: &str, space: usize) -> Result<Written> {
    let x = call.tensor("self")?;
    let kernel = numbers(call, "kernel_size", space, 1)?;
    let strides = match call.find_integers("stride")? {
        Some(found) if !found.is_empty() => numbers(call, "stride", space, 1)?,
        _ => kernel.clone(),
    };
    let pads = numbers(call, "padding", space, 0)?.repeat(2);
    let dilations = numbers(call, "dilation", space, 1)?;
    if call.find_integer("divisor_override").is_some() {
        return Err(Error::contract(
            "a mean with a divisor of its own is not supported",
        ));
    }
    let rounds_up = Attribute::Integer(i64::from(call.flag("ceil_mode", false)));
    let counts = Attribute::Integer(i64::from(call.flag("count_include_pad", true)));
    with_examples(graph, &x, space, |graph, x| {
        let mut settings = vec![
            ("kernel_shape", Attribute::Integers(&kernel)),
            ("strides", Attribute::Integers(&strides)),
            ("pads", Attribute::Integers(&pads)),
            ("ceil_mode", rounds_up),
        ];
        if operator == "AveragePool" {
            settings.push(("count_include_pad", counts));
        } else {
            settings.push(("dilations", Attribute::Integers(&dilations)));
        }
        graph.with(operator, &[x], &settings)
    })
}

/// Pooling to a number of values an axis, which divides the axis evenly.
fn adaptive(graph: &mut Writer, call: &Call, operator: &str, space: usize) -> Result<Written> {
    let x = call.tensor("self")?;
    let sizes = numbers(call, "output_size", space, 1)?;
    if sizes.iter().all(|size| *size == 1) {
        let global = if operator == "MaxPool" {
            "GlobalMaxPool"
        } else {
            "GlobalAveragePool"
        };
        return with_examples(graph, &x, space, |graph, x| graph.node(global, &[x]));
    }
    let first = x.rank().saturating_sub(space);
    let mut kernel = Vec::new();
    for (axis, size) in sizes.iter().enumerate() {
        match x.shape.get(first + axis) {
            Some(Length::Fixed(length)) if *size > 0 && length % size == 0 => {
                kernel.push(length / size);
            }
            _ => {
                return Err(Error::contract(
                    "adaptive pooling to a size that does not divide the axis evenly",
                ));
            }
        }
    }
    with_examples(graph, &x, space, |graph, x| {
        let settings = [
            ("kernel_shape", Attribute::Integers(&kernel)),
            ("strides", Attribute::Integers(&kernel)),
        ];
        graph.with(operator, &[x], &settings)
    })
}
