//! Functions between layers, and dropout, which is nothing at scoring.

use super::call::{Call, Write};
use super::message::Attribute;
use super::value::{Number, Written};
use super::writer::Writer;
use crate::error::{Error, Result};

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("relu", |graph, call| plain(graph, call, "Relu")),
    ("sigmoid", |graph, call| plain(graph, call, "Sigmoid")),
    ("tanh", |graph, call| plain(graph, call, "Tanh")),
    ("mish", |graph, call| plain(graph, call, "Mish")),
    ("hardswish", |graph, call| plain(graph, call, "HardSwish")),
    ("relu6", |graph, call| limited(graph, call, [0.0, 6.0])),
    ("hardtanh", |graph, call| {
        let limits = [call.real("min_val", -1.0), call.real("max_val", 1.0)];
        limited(graph, call, limits)
    }),
    ("hardsigmoid", |graph, call| {
        let (alpha, beta) = (Attribute::Float(1.0 / 6.0), Attribute::Float(0.5));
        shaped(
            graph,
            call,
            "HardSigmoid",
            &[("alpha", alpha), ("beta", beta)],
        )
    }),
    ("leaky_relu", |graph, call| {
        let slope = call.real("negative_slope", 0.01);
        shaped(graph, call, "LeakyRelu", &[("alpha", float(slope))])
    }),
    ("elu", |graph, call| {
        let ones = [call.real("scale", 1.0), call.real("input_scale", 1.0)];
        if ones
            .iter()
            .any(|scale| scale.to_bits() != 1.0_f64.to_bits())
        {
            return scaled_elu(graph, call, ones);
        }
        shaped(
            graph,
            call,
            "Elu",
            &[("alpha", float(call.real("alpha", 1.0)))],
        )
    }),
    ("selu", |graph, call| plain(graph, call, "Selu")),
    ("celu", |graph, call| {
        shaped(
            graph,
            call,
            "Celu",
            &[("alpha", float(call.real("alpha", 1.0)))],
        )
    }),
    ("gelu", |graph, call| {
        let kind = call.text("approximate").unwrap_or("none");
        shaped(
            graph,
            call,
            "Gelu",
            &[("approximate", Attribute::Text(kind))],
        )
    }),
    ("silu", |graph, call| {
        let x = call.tensor("self")?.name;
        let share = graph.node("Sigmoid", &[&x]);
        Ok(graph.node("Mul", &[&x, &share]).into())
    }),
    ("softplus", softplus),
    ("log_sigmoid", log_sigmoid),
    ("log_sigmoid_forward", log_sigmoid),
    ("softshrink", |graph, call| {
        let limit = float(call.real("lambd", 0.5));
        shaped(
            graph,
            call,
            "Shrink",
            &[("lambd", limit.clone()), ("bias", limit)],
        )
    }),
    ("hardshrink", |graph, call| {
        let limit = float(call.real("lambd", 0.5));
        shaped(
            graph,
            call,
            "Shrink",
            &[("lambd", limit), ("bias", float(0.0))],
        )
    }),
    ("threshold", |graph, call| {
        let x = call.tensor("self")?;
        let [limit, value] = [call.number("threshold")?, call.number("value")?];
        let (limit, value) = (
            graph.number(x.element, limit)?,
            graph.number(x.element, value)?,
        );
        let is_low = graph.node("LessOrEqual", &[&x.name, &limit]);
        Ok(graph.node("Where", &[&is_low, &value, &x.name]).into())
    }),
    ("prelu", slopes),
    ("_prelu_kernel", |graph, call| {
        let [x, slope] = [call.tensor("self")?.name, call.tensor("weight")?.name];
        Ok(graph.node("PRelu", &[&x, &slope]).into())
    }),
    ("glu", |graph, call| {
        let x = call.tensor("self")?;
        let axis = Attribute::Integer(x.axis(call.integer("dim", -1))? as i64);
        let two = Attribute::Integer(2);
        let parts = graph.several(
            "Split",
            &[&x.name],
            &[("axis", axis), ("num_outputs", two)],
            2,
        );
        let gate = graph.node("Sigmoid", &[&parts[1]]);
        Ok(graph.node("Mul", &[&parts[0], &gate]).into())
    }),
    ("softmax", |graph, call| shares(graph, call, "Softmax")),
    ("_softmax", |graph, call| shares(graph, call, "Softmax")),
    ("_safe_softmax", |graph, call| {
        // Rows of nothing but −∞ become zeros.
        let Written::Tensors(found) = shares(graph, call, "Softmax")? else {
            return Err(Error::internal("a softmax that is a length"));
        };
        let element = call.output(0)?.element;
        let zero = graph.real(element, 0.0)?;
        let is_empty = graph.node("IsNaN", &[&found[0]]);
        Ok(graph.node("Where", &[&is_empty, &zero, &found[0]]).into())
    }),
    ("log_softmax", |graph, call| {
        shares(graph, call, "LogSoftmax")
    }),
    ("_log_softmax", |graph, call| {
        shares(graph, call, "LogSoftmax")
    }),
    ("dropout", dropped),
    ("feature_dropout", dropped),
    ("alpha_dropout", dropped),
    ("feature_alpha_dropout", dropped),
    ("native_dropout", dropped),
];

const fn float(value: f64) -> Attribute<'static> {
    Attribute::Float(value as f32)
}

fn plain(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    shaped(graph, call, operator, &[])
}

fn shaped(
    graph: &mut Writer,
    call: &Call,
    operator: &str,
    attributes: &[(&str, Attribute<'_>)],
) -> Result<Written> {
    let (x, element) = (call.tensor("self")?, call.output(0)?.element);
    let x = graph.as_type(&x, element);
    Ok(graph.with(operator, &[&x], attributes).into())
}

fn limited(graph: &mut Writer, call: &Call, limits: [f64; 2]) -> Result<Written> {
    let x = call.tensor("self")?;
    let [low, high] = limits;
    let (low, high) = (graph.real(x.element, low)?, graph.real(x.element, high)?);
    let raised = graph.node("Max", &[&x.name, &low]);
    Ok(graph.node("Min", &[&raised, &high]).into())
}

/// scale · x above 0, scale · alpha · (exp(x · input scale) − 1) below.
fn scaled_elu(graph: &mut Writer, call: &Call, [scale, input_scale]: [f64; 2]) -> Result<Written> {
    let x = call.tensor("self")?;
    let element = x.element;
    let [outer, inner, alpha] =
        [scale, input_scale, call.real("alpha", 1.0)].map(|value| graph.real(element, value));
    let (outer, inner, alpha) = (outer?, inner?, alpha?);
    let one = graph.real(element, 1.0)?;
    let zero = graph.real(element, 0.0)?;
    let input = graph.node("Mul", &[&x.name, &inner]);
    let exponential = graph.node("Exp", &[&input]);
    let less = graph.node("Sub", &[&exponential, &one]);
    let below = graph.node("Mul", &[&less, &alpha]);
    let is_above = graph.node("Greater", &[&x.name, &zero]);
    let value = graph.node("Where", &[&is_above, &x.name, &below]);
    Ok(graph.node("Mul", &[&value, &outer]).into())
}

/// log(1 + exp(beta · x)) / beta; x above the threshold, where the two are the same in `f32`.
fn softplus(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let beta = call.real("beta", 1.0);
    let threshold = graph.real(x.element, call.real("threshold", 20.0))?;
    let factor = graph.real(x.element, beta)?;
    let input = graph.node("Mul", &[&x.name, &factor]);
    let curve = graph.node("Softplus", &[&input]);
    let curve = graph.node("Div", &[&curve, &factor]);
    let is_linear = graph.node("Greater", &[&input, &threshold]);
    Ok(graph.node("Where", &[&is_linear, &x.name, &curve]).into())
}

fn log_sigmoid(graph: &mut Writer, call: &Call) -> Result<Written> {
    let x = call.tensor("self")?;
    let opposite = graph.node("Neg", &[&x.name]);
    let curve = graph.node("Softplus", &[&opposite]);
    Ok(graph.node("Neg", &[&curve]).into())
}

/// One slope, or one for each channel, which is the second axis.
fn slopes(graph: &mut Writer, call: &Call) -> Result<Written> {
    let (x, weight) = (call.tensor("self")?, call.tensor("weight")?);
    let mut slope = weight.name;
    if x.rank() > 2 && weight.shape.len() == 1 {
        let axes: Vec<i64> = (1..x.rank() as i64 - 1).collect();
        slope = graph.unsqueezed(&slope, &axes);
    }
    Ok(graph.node("PRelu", &[&x.name, &slope]).into())
}

fn shares(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    let (x, element) = (call.tensor("self")?, call.output(0)?.element);
    let axis = Attribute::Integer(x.axis(call.integer("dim", -1))? as i64);
    let x = graph.as_type(&x, element);
    Ok(graph.with(operator, &[&x], &[("axis", axis)]).into())
}

/// Nothing at scoring.
fn dropped(_graph: &mut Writer, call: &Call) -> Result<Written> {
    let share = call.find_number("p").map_or(0.0, Number::real);
    if call.flag("train", false) && share > 0.0 {
        return Err(training());
    }
    let x = match call.find_tensor("input")? {
        Some(input) => input,
        None => call.tensor("self")?,
    };
    Ok(x.name.into())
}

/// The error for a program that was exported in training mode.
pub(super) fn training() -> Error {
    Error::contract("the program was exported in training mode, so its answers would be random")
        .hint("call `model.eval()` before `torch.export.export`")
}
