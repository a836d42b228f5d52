//! Products of matrices: dense layers, attention, distances.

use super::call::{Call, DECOMPOSE, Write};
use super::message::Attribute;
use super::value::{Number, Tensor, Written};
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::graph::ElementType;

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("linear", dense),
    ("addmm", |graph, call| {
        let [bias, a, b] = ["self", "mat1", "mat2"].map(|name| call.tensor(name));
        let (bias, a, b) = (bias?, a?, b?);
        let settings = [
            ("alpha", Attribute::Float(call.real("alpha", 1.0) as f32)),
            ("beta", Attribute::Float(call.real("beta", 1.0) as f32)),
        ];
        Ok(graph
            .with("Gemm", &[&a.name, &b.name, &bias.name], &settings)
            .into())
    }),
    ("mm", |graph, call| two(graph, call, "mat2")),
    ("bmm", |graph, call| two(graph, call, "mat2")),
    ("mv", |graph, call| two(graph, call, "vec")),
    ("dot", |graph, call| two(graph, call, "tensor")),
    ("matmul", |graph, call| two(graph, call, "other")),
    ("addmv", |graph, call| added(graph, call, ["mat", "vec"])),
    ("baddbmm", |graph, call| {
        added(graph, call, ["batch1", "batch2"])
    }),
    ("outer", |graph, call| {
        let [a, b] = [call.tensor("self")?, call.tensor("vec2")?];
        let column = graph.unsqueezed(&a.name, &[1]);
        Ok(graph.node("Mul", &[&column, &b.name]).into())
    }),
    ("einsum", |graph, call| {
        let equation = call.text("equation");
        let equation = equation.ok_or_else(|| Error::failed("no equation"))?;
        let element = call.output(0)?.element;
        let tensors = call.tensors("tensors")?;
        let names: Vec<String> = tensors
            .iter()
            .map(|one| graph.as_type(one, element))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let equation = [("equation", Attribute::Text(equation))];
        Ok(graph.with("Einsum", &names, &equation).into())
    }),
    ("bilinear", |graph, call| {
        let [a, b, weight] = ["input1", "input2", "weight"].map(|name| call.tensor(name));
        let (a, b, weight) = (a?, b?, weight?);
        let equation = [("equation", Attribute::Text("...i,oij,...j->...o"))];
        let mut sum = graph.with("Einsum", &[&a.name, &weight.name, &b.name], &equation);
        if let Some(bias) = call.find_tensor("bias")? {
            sum = graph.node("Add", &[&sum, &bias.name]);
        }
        Ok(sum.into())
    }),
    ("_trilinear", |graph, call| {
        let mut product: Option<String> = None;
        for (name, axes) in [("i1", "expand1"), ("i2", "expand2"), ("i3", "expand3")] {
            let wide = graph.unsqueezed(&call.tensor(name)?.name, &call.integers(axes)?);
            product = Some(match product {
                Some(other) => graph.node("Mul", &[&other, &wide]),
                None => wide,
            });
        }
        let axes = graph.integers(&call.integers("sumdim")?);
        let flat = [("keepdims", Attribute::Integer(0))];
        let product = product.unwrap_or_default();
        Ok(graph.with("ReduceSum", &[&product, &axes], &flat).into())
    }),
    ("cosine_similarity", similarity),
    ("pairwise_distance", distance),
    ("scaled_dot_product_attention", attention),
    ("_scaled_dot_product_flash_attention_for_cpu", attention),
];

fn transposed(graph: &mut Writer, tensor: &Tensor) -> String {
    let rank = tensor.rank() as i64;
    let mut order: Vec<i64> = (0..rank).collect();
    if rank >= 2 {
        order.swap(tensor.rank() - 1, tensor.rank() - 2);
    }
    graph.transposed(&tensor.name, &order)
}

/// input · weightᵀ + bias.
fn dense(graph: &mut Writer, call: &Call) -> Result<Written> {
    let [x, weight] = [call.tensor("input")?, call.tensor("weight")?];
    let bias = call.find_tensor("bias")?;
    if x.rank() == 2 && weight.rank() == 2 {
        let mut inputs = vec![x.name.as_str(), weight.name.as_str()];
        inputs.extend(bias.as_ref().map(|bias| bias.name.as_str()));
        return Ok(graph
            .with("Gemm", &inputs, &[("transB", Attribute::Integer(1))])
            .into());
    }
    let weight = transposed(graph, &weight);
    let mut sum = graph.node("MatMul", &[&x.name, &weight]);
    if let Some(bias) = bias {
        sum = graph.node("Add", &[&sum, &bias.name]);
    }
    Ok(sum.into())
}

fn two(graph: &mut Writer, call: &Call, other: &str) -> Result<Written> {
    let [a, b] = [call.tensor("self")?, call.tensor(other)?];
    Ok(graph.node("MatMul", &[&a.name, &b.name]).into())
}

/// beta · self + alpha · product.
fn added(graph: &mut Writer, call: &Call, names: [&str; 2]) -> Result<Written> {
    let (x, element) = (call.tensor("self")?, call.output(0)?.element);
    let [a, b] = names.map(|name| call.tensor(name));
    let product = graph.node("MatMul", &[&a?.name, &b?.name]);
    let mut scaled = |name: String, factor: &str| -> Result<String> {
        let factor = call.real(factor, 1.0);
        if factor.to_bits() == 1.0_f64.to_bits() {
            return Ok(name);
        }
        let factor = graph.real(element, factor)?;
        Ok(graph.node("Mul", &[&name, &factor]))
    };
    let (product, x) = (scaled(product, "alpha")?, scaled(x.name, "beta")?);
    Ok(graph.node("Add", &[&x, &product]).into())
}

/// The product of two vectors over their lengths, which are at least `eps`.
fn similarity(graph: &mut Writer, call: &Call) -> Result<Written> {
    let [a, b] = [call.tensor("x1")?, call.tensor("x2")?];
    let element = call.output(0)?.element;
    let axis = a.axis(call.integer("dim", 1))? as i64;
    let least = graph.real(element, call.real("eps", 1e-8))?;
    let axes = graph.integers(&[axis]);
    let unit = [&a, &b].map(|one| {
        let name = graph.as_type(one, element);
        let length = graph.node("ReduceL2", &[&name, &axes]);
        let length = graph.node("Max", &[&length, &least]);
        graph.node("Div", &[&name, &length])
    });
    let products = graph.node("Mul", &[&unit[0], &unit[1]]);
    let flat = [("keepdims", Attribute::Integer(0))];
    Ok(graph.with("ReduceSum", &[&products, &axes], &flat).into())
}

/// The length of a − b + eps along the last axis.
fn distance(graph: &mut Writer, call: &Call) -> Result<Written> {
    let [a, b] = [call.tensor("x1")?, call.tensor("x2")?];
    let element = call.output(0)?.element;
    let operator = match call.real("p", 2.0) {
        2.0 => "ReduceL2",
        1.0 => "ReduceL1",
        other => return Err(Error::contract(format!("a distance of order {other}"))),
    };
    let more = graph.real(element, call.real("eps", 1e-6))?;
    let difference = graph.node("Sub", &[&a.name, &b.name]);
    let difference = graph.node("Add", &[&difference, &more]);
    let axes = graph.integers(&[-1]);
    let keeps = Attribute::Integer(i64::from(call.flag("keepdim", false)));
    Ok(graph
        .with(operator, &[&difference, &axes], &[("keepdims", keeps)])
        .into())
}

/// Attention: softmax of scaled products of queries and keys, over values. Queries for which every
/// key is masked become zeros.
fn attention(graph: &mut Writer, call: &Call) -> Result<Written> {
    if call.real("dropout_p", 0.0) > 0.0 {
        return Err(super::activation::training());
    }
    let [q, k, v] = ["query", "key", "value"].map(|name| call.tensor(name));
    let (q, k, v) = (q?, k?, v?);
    let mask = call
        .find_tensor("attn_mask")?
        .or(call.find_tensor("attn_bias")?);
    let is_causal = call.flag("is_causal", false);
    let is_plain = q.rank() == 4 && k.rank() == 4 && v.rank() == 4 && mask.is_none();
    let scale = call.find_number("scale").map(Number::real);
    if is_plain {
        let mut settings = vec![("is_causal", Attribute::Integer(i64::from(is_causal)))];
        settings.extend(scale.map(|scale| ("scale", Attribute::Float(scale as f32))));
        return Ok(graph
            .with("Attention", &[&q.name, &k.name, &v.name], &settings)
            .into());
    }
    if call.flag("enable_gqa", false) || is_causal {
        let message = "attention of this kind is not supported with a mask or of three axes";
        return Err(Error::contract(message).hint(DECOMPOSE));
    }
    let element = q.element;
    let scale = match scale {
        Some(scale) => scale,
        None => 1.0 / (q.fixed(q.rank().saturating_sub(1))? as f64).sqrt(),
    };
    let factor = graph.real(element, scale)?;
    let keys = transposed(graph, &k);
    let products = graph.node("MatMul", &[&q.name, &keys]);
    let mut scores = graph.node("Mul", &[&products, &factor]);
    if let Some(mask) = &mask {
        scores = masked(graph, &scores, mask, element)?;
    }
    let mut weights = graph.with("Softmax", &[&scores], &[("axis", Attribute::Integer(-1))]);
    if mask.is_some() {
        let zero = graph.real(element, 0.0)?;
        let is_empty = graph.node("IsNaN", &[&weights]);
        weights = graph.node("Where", &[&is_empty, &zero, &weights]);
    }
    Ok(graph.node("MatMul", &[&weights, &v.name]).into())
}

/// Scores plus a mask, or −∞ where a boolean mask is false.
fn masked(graph: &mut Writer, scores: &str, mask: &Tensor, element: ElementType) -> Result<String> {
    if mask.element == ElementType::Bool {
        let never = graph.real(element, f64::NEG_INFINITY)?;
        return Ok(graph.node("Where", &[&mask.name, scores, &never]));
    }
    let mask = graph.as_type(mask, element);
    Ok(graph.node("Add", &[scores, &mask]))
}
