//! Shifting and scaling by statistics that were learned, or of each row by itself.

use super::activation::training;
use super::call::{Call, Write};
use super::message::{Attribute, Length};
use super::value::{Number, Tensor, Written};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::graph::ElementType;

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("batch_norm", by_batch),
    ("native_batch_norm", by_batch),
    ("_native_batch_norm_legit_no_training", by_batch),
    ("_native_batch_norm_legit", by_batch),
    ("cudnn_batch_norm", by_batch),
    ("instance_norm", |graph, call| {
        if !call.flag("use_input_stats", true) {
            return by_batch(graph, call);
        }
        let x = call.tensor("input")?;
        let count = x.fixed(1)?;
        let [scale, bias] = parameters(graph, call, &x, &[count])?;
        let settings = [("epsilon", epsilon(call))];
        Ok(graph
            .with(
                "InstanceNormalization",
                &[&x.name, &scale, &bias],
                &settings,
            )
            .into())
    }),
    ("layer_norm", by_layer),
    ("native_layer_norm", by_layer),
    ("group_norm", |graph, call| {
        let groups = call.integer("num_groups", 1);
        by_group(graph, call, groups)
    }),
    ("native_group_norm", |graph, call| {
        let groups = call.integer("group", 1);
        by_group(graph, call, groups)
    }),
    ("rms_norm", by_root),
    ("_fused_rms_norm", by_root),
];

fn epsilon(call: &Call) -> Attribute<'static> {
    Attribute::Float(call.real("eps", 1e-5) as f32)
}

/// Scale and bias, ones and zeros where there are none.
fn parameters(graph: &mut Writer, call: &Call, x: &Tensor, shape: &[i64]) -> Result<[String; 2]> {
    let mut of = |name: &str, default: f64| {
        if let Some(found) = call.find_tensor(name)? {
            return Ok(graph.as_type(&found, x.element));
        }
        let shape = graph.integers(shape);
        graph.of_shape(x.element, &shape, Number::Real(default))
    };
    Ok([of("weight", 1.0)?, of("bias", 0.0)?])
}

fn by_batch(graph: &mut Writer, call: &Call) -> Result<Written> {
    if call.overload == "no_stats" {
        return by_itself(graph, call);
    }
    if call.flag("training", false) || call.flag("train", false) {
        return Err(training());
    }
    let x = call.tensor("input")?;
    let [mean, variance] = ["running_mean", "running_var"].map(|name| call.find_tensor(name));
    let (Some(mean), Some(variance)) = (mean?, variance?) else {
        return Err(Error::contract(
            "the layer normalises by the rows of a batch, so a row's answer would depend on others",
        )
        .hint("train with `track_running_stats=True`"));
    };
    let count = x.fixed(1)?;
    let [scale, bias] = parameters(graph, call, &x, &[count])?;
    let (mean, variance) = (
        graph.as_type(&mean, x.element),
        graph.as_type(&variance, x.element),
    );
    let inputs = [x.name.as_str(), &scale, &bias, &mean, &variance];
    Ok(graph
        .with("BatchNormalization", &inputs, &[("epsilon", epsilon(call))])
        .into())
}

/// A layer that normalises by the one example that there is, as PyTorch splits instance
/// normalization.
fn by_itself(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("input")?;
    if x.shape.first() != Some(&Length::Fixed(1)) {
        return Err(training());
    }
    let axes: Vec<i64> = std::iter::once(0).chain(2..x.rank() as i64).collect();
    let axes = graph.integers(&axes);
    let mean = graph.node("ReduceMean", &[&x.name, &axes]);
    let difference = graph.node("Sub", &[&x.name, &mean]);
    let squares = graph.node("Mul", &[&difference, &difference]);
    let variance = graph.node("ReduceMean", &[&squares, &axes]);
    let least = graph.real(x.element, call.real("eps", 1e-5))?;
    let sum = graph.node("Add", &[&variance, &least]);
    let deviation = graph.node("Sqrt", &[&sum]);
    let mut result = graph.node("Div", &[&difference, &deviation]);
    let inner: Vec<i64> = (1..x.rank() as i64 - 1).collect();
    for (name, operator) in [("weight", "Mul"), ("bias", "Add")] {
        if let Some(found) = call.find_tensor(name)? {
            let column = graph.unsqueezed(&found.name, &inner);
            result = graph.node(operator, &[&result, &column]);
        }
    }
    Ok(result.into())
}

/// The axis from which on a layer normalises, and the lengths of its axes.
fn normalized(call: &Call, x: &Tensor) -> Result<(i64, Vec<i64>)> {
    let shape = call.integers("normalized_shape")?;
    if shape.is_empty() || shape.len() > x.rank() {
        return Err(Error::failed(
            "a layer that normalises more axes than there are",
        ));
    }
    Ok(((x.rank() - shape.len()) as i64, shape))
}

fn by_layer(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("input")?;
    let (axis, shape) = normalized(call, &x)?;
    let [scale, bias] = parameters(graph, call, &x, &shape)?;
    let settings = [
        ("axis", Attribute::Integer(axis)),
        ("epsilon", epsilon(call)),
    ];
    Ok(graph
        .with("LayerNormalization", &[&x.name, &scale, &bias], &settings)
        .into())
}

fn by_group(graph: &mut Writer, call: &Call, groups: i64) -> Result<Written> {
    let x = call.tensor("input")?;
    let count = x.fixed(1)?;
    let [scale, bias] = parameters(graph, call, &x, &[count])?;
    let settings = [
        ("num_groups", Attribute::Integer(groups)),
        ("epsilon", epsilon(call)),
    ];
    let inputs = [x.name.as_str(), &scale, &bias];
    Ok(graph.with("GroupNormalization", &inputs, &settings).into())
}

fn by_root(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("input")?;
    let (axis, shape) = normalized(call, &x)?;
    let [scale, _] = parameters(graph, call, &x, &shape)?;
    // Without one, the smallest step of the type.
    let smallest = match x.element {
        ElementType::Double => f64::EPSILON,
        ElementType::Float16 => f64::from(half::f16::EPSILON),
        ElementType::Bfloat16 => f64::from(half::bf16::EPSILON),
        _ => f64::from(f32::EPSILON),
    };
    let epsilon = Attribute::Float(call.real("eps", smallest) as f32);
    let settings = [("axis", Attribute::Integer(axis)), ("epsilon", epsilon)];
    Ok(graph
        .with("RMSNormalization", &[&x.name, &scale], &settings)
        .into())
}
