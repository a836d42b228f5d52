//! Operators of ONNX Runtime that are several of `ai.onnx` in one: its optimizer fuses what an
//! exporter wrote out, and here it is written out again.
//!
//! Owns the definitions of such operators. What they are made of is fused anew by what tallow is
//! best at ([`super::fuse`], [`super::join`]). Source: `docs/ContribOperators.md` of ONNX Runtime
//! 1.31 and its kernels for processors.

use super::expansion_quantised::{
    block_product, by_table, dynamic_product, product_of, quantised_concat, quantised_mean,
    quantised_pool, quantised_softmax, quantised_where, real_product,
};
use super::writer::{Made, Writer, float, int};
use crate::error::{Error, Result};
use crate::graph::entry::{ANY, Entry, MICROSOFT};
use crate::graph::operator::Attribute;
use crate::graph::tensor::Tensor;
use crate::graph::value::ValueId;

/// A code of an element type, as `Cast` takes it.
const INT32: i64 = 6;

/// What ONNX Runtime adds to the variance where a fused norm does not say.
const EPSILON: f32 = 1e-12;

/// The operators that are written out.
pub(crate) const OPERATORS: &[Entry] = &[
    Entry::written("Gelu", 1, 1, |w| w.ends("Gelu", &[0], vec![])),
    Entry::written("BiasGelu", 2, 2, bias_gelu),
    Entry::written("FastGelu", 1, 2, fast_gelu),
    Entry::written("QuickGelu", 1, 1, quick_gelu),
    Entry::written("FusedGemm", 2, 3, fused_gemm),
    Entry::written("FusedConv", 2, 4, fused_convolution),
    Entry::written("SkipLayerNormalization", 3, 5, |w| skip_norm(w, true)),
    Entry::written("SkipSimplifiedLayerNormalization", 3, 4, |w| {
        skip_norm(w, false)
    }),
    Entry::written("EmbedLayerNormalization", 7, 9, embedding),
    Entry::written("QEmbedLayerNormalization", 18, 18, quantised_embedding),
    Entry::written("MatMulIntegerToFloat", 4, 7, |w| {
        real_product(w).map(|y| vec![Some(y)])
    }),
    Entry::written("DynamicQuantizeMatMul", 3, 5, dynamic_product),
    Entry::written("QLinearSigmoid", 4, 5, |w| by_table(w, "Sigmoid", &[])),
    Entry::written("QLinearLeakyRelu", 4, 5, |w| {
        by_table(w, "LeakyRelu", &["alpha"])
    }),
    Entry::written("QLinearSoftmax", 5, 5, quantised_softmax),
    Entry::written("QLinearReduceMean", 4, 5, quantised_mean),
    Entry::written("QLinearWhere", 9, 9, quantised_where),
    Entry::written("QLinearConcat", 2, ANY, quantised_concat),
    Entry::written("QLinearAveragePool", 4, 5, |w| {
        quantised_pool(w, "AveragePool")
    }),
    Entry::written("QLinearGlobalAveragePool", 5, 5, |w| {
        quantised_pool(w, "GlobalAveragePool")
    }),
    Entry::written("MatMulNBits", 3, 6, block_product),
    Entry::written("Attention", 2, 7, attention),
    Entry::written("QAttention", 5, 9, quantised_attention),
];

fn bias_gelu(w: &mut Writer) -> Result<Made> {
    let sum = w.plus(w.input(0)?, Some(w.input(1)?))?;
    Ok(vec![Some(w.add_node("Gelu", &[sum], vec![])?)])
}

fn fast_gelu(w: &mut Writer) -> Result<Made> {
    let sum = w.plus(w.input(0)?, w.optional(1))?;
    Ok(vec![Some(w.add_node(
        "Gelu",
        &[sum],
        vec![("approximate", Attribute::String("tanh".into()))],
    )?)])
}

fn quick_gelu(w: &mut Writer) -> Result<Made> {
    let alpha = w.node.float("alpha", 1.702)?;
    w.ends("Swish", &[0], vec![float("alpha", alpha)])
}

fn fused_gemm(w: &mut Writer) -> Result<Made> {
    let attributes = ["alpha", "beta", "transA", "transB"]
        .iter()
        .filter_map(|name| w.own(name))
        .collect();
    let product = w.sparse(
        "Gemm",
        &[Some(w.input(0)?), Some(w.input(1)?), w.optional(2)],
        attributes,
    )?;
    let parameters = ["activation_alpha", "activation_beta"]
        .iter()
        .map(|name| w.node.find_float(name))
        .collect::<Result<Vec<_>>>()?;
    let parameters: Vec<f32> = parameters.into_iter().flatten().collect();
    Ok(vec![Some(activated(w, product, &parameters)?)])
}

fn fused_convolution(w: &mut Writer) -> Result<Made> {
    let names = [
        "auto_pad",
        "dilations",
        "group",
        "kernel_shape",
        "pads",
        "strides",
    ];
    let attributes = names.iter().filter_map(|name| w.own(name)).collect();
    let product = w.sparse(
        "Conv",
        &[Some(w.input(0)?), Some(w.input(1)?), w.optional(2)],
        attributes,
    )?;
    let sum = w.plus(product, w.optional(3))?;
    let parameters = w.node.find_floats("activation_params")?.unwrap_or_default();
    Ok(vec![Some(activated(w, sum, &parameters)?)])
}

/// The function that the attribute `activation` names, of its parameters in their order.
fn activated(w: &mut Writer, value: ValueId, parameters: &[f32]) -> Result<ValueId> {
    let Some(name) = w
        .node
        .find_string("activation")?
        .filter(|name| !name.is_empty())
    else {
        return Ok(value);
    };
    let parameter =
        |index: usize, name: &'static str| parameters.get(index).map(|value| float(name, *value));
    match name.as_str() {
        "Relu" | "Tanh" | "Sigmoid" | "Softplus" | "Softsign" | "HardSwish" | "Gelu" => {
            w.add_node(&name, &[value], vec![])
        }
        "LeakyRelu" | "Elu" | "ThresholdedRelu" => {
            w.add_node(&name, &[value], parameter(0, "alpha").into_iter().collect())
        }
        "HardSigmoid" | "Selu" => {
            let second = if name == "Selu" { "gamma" } else { "beta" };
            let attributes = [parameter(0, "alpha"), parameter(1, second)]
                .into_iter()
                .flatten()
                .collect();
            w.add_node(&name, &[value], attributes)
        }
        "Clip" => {
            let bounds: Vec<Option<ValueId>> = parameters
                .iter()
                .take(2)
                .map(|bound| Some(w.constant(Tensor::scalar(*bound))))
                .collect();
            w.sparse("Clip", &[vec![Some(value)], bounds].concat(), vec![])
        }
        other => Err(Error::contract(format!(
            "`activation = {other}` is not supported"
        ))),
    }
}

/// A norm of the sum of two values, and the sum. `is_centred`: less its mean, as
/// `LayerNormalization` has it.
fn skip_norm(w: &mut Writer, is_centred: bool) -> Result<Made> {
    let (beta, bias) = if is_centred {
        (w.optional(3), w.optional(4))
    } else {
        (None, w.optional(3))
    };
    let sum = w.plus(w.input(0)?, Some(w.input(1)?))?;
    let sum = w.plus(sum, bias)?;
    Ok(vec![
        Some(norm(w, sum, w.input(2)?, beta, is_centred)?),
        None,
        None,
        Some(sum),
    ])
}

fn norm(
    w: &mut Writer,
    value: ValueId,
    gamma: ValueId,
    beta: Option<ValueId>,
    is_centred: bool,
) -> Result<ValueId> {
    let attributes = vec![
        int("axis", -1),
        float("epsilon", w.node.float("epsilon", EPSILON)?),
    ];
    let operator = if is_centred {
        "LayerNormalization"
    } else {
        "RMSNormalization"
    };
    w.sparse(operator, &[Some(value), Some(gamma), beta], attributes)
}

fn embedding(w: &mut Writer) -> Result<Made> {
    let tables = [w.input(2)?, w.input(3)?, w.input(5)?, w.input(6)?];
    let segments = w.optional(1).zip(w.optional(4));
    embedded(w, tables, segments, w.optional(7), w.optional(8))
}

fn quantised_embedding(w: &mut Writer) -> Result<Made> {
    let mut table = |value: usize, scale: usize, zero: usize| -> Result<ValueId> {
        w.real(w.input(value)?, w.input(scale)?, w.optional(zero))
    };
    let tables = [
        table(2, 8, 13)?,
        table(3, 9, 14)?,
        table(5, 11, 16)?,
        table(6, 12, 17)?,
    ];
    let segments = match w.optional(1) {
        Some(ids) => Some((ids, w.real(w.input(4)?, w.input(10)?, w.optional(15))?)),
        None => None,
    };
    embedded(w, tables, segments, w.optional(7), None)
}

/// The norm of the embeddings of tokens, positions and segments; the tokens of each row that a mask
/// keeps, 0 without a mask as in ONNX Runtime; the sum of the embeddings.
fn embedded(
    w: &mut Writer,
    [words, positions, gamma, beta]: [ValueId; 4],
    segments: Option<(ValueId, ValueId)>,
    mask: Option<ValueId>,
    position_ids: Option<ValueId>,
) -> Result<Made> {
    let ids = w.input(0)?;
    let word = w.add_node("Gather", &[words, ids], vec![int("axis", 0)])?;
    let indices = if let Some(indices) = position_ids {
        indices
    } else {
        let length = w.add_node("Shape", &[ids], vec![int("start", 1), int("end", 2)])?;
        let axis = w.constant(Tensor::vector(vec![0_i64]));
        let length = w.add_node("Squeeze", &[length, axis], vec![])?;
        let (first, step) = (
            w.constant(Tensor::scalar(0_i64)),
            w.constant(Tensor::scalar(1_i64)),
        );
        w.add_node("Range", &[first, length, step], vec![])?
    };
    let position = w.add_node("Gather", &[positions, indices], vec![int("axis", 0)])?;
    let mut sum = w.plus(word, Some(position))?;
    if let Some((ids, table)) = segments {
        let segment = w.add_node("Gather", &[table, ids], vec![int("axis", 0)])?;
        sum = w.plus(sum, Some(segment))?;
    }
    let out = norm(w, sum, gamma, Some(beta), true)?;
    let marks = match mask {
        None if w.node.has_output(1) => Some(w.add_node("Sub", &[ids, ids], vec![])?),
        mask => mask,
    };
    let kept = match marks {
        Some(marks) => {
            let axis = w.constant(Tensor::vector(vec![1_i64]));
            let count = w.add_node("ReduceSum", &[marks, axis], vec![int("keepdims", 0)])?;
            Some(w.add_node("Cast", &[count], vec![int("to", INT32)])?)
        }
        None => None,
    };
    Ok(vec![Some(out), kept, Some(sum)])
}

fn attention(w: &mut Writer) -> Result<Made> {
    let product = w.add_node("MatMul", &[w.input(0)?, w.input(1)?], vec![])?;
    let product = w.plus(product, w.optional(2))?;
    heads(w, product, [w.optional(3), w.optional(4), w.optional(5)])
}

fn quantised_attention(w: &mut Writer) -> Result<Made> {
    let [data, weights, bias, scale, weight_scale] = [0, 1, 2, 3, 4].map(|index| w.input(index));
    let product = product_of(
        w,
        [data?, weights?, scale?, weight_scale?],
        [w.optional(6), w.optional(7)],
        Some(bias?),
    )?;
    heads(w, product, [w.optional(5), w.optional(8), None])
}

/// Attention over queries, keys and values that stand next to each other.
fn heads(
    w: &mut Writer,
    product: ValueId,
    [mask, past, bias]: [Option<ValueId>; 3],
) -> Result<Made> {
    if w.node.flag("do_rotary", false)?
        || w.node.flag("past_present_share_buffer", false)?
        || w.optional(6).is_some() && w.node.operator == "Attention"
    {
        return Err(Error::contract(
            "attention with rotary embeddings or a shared buffer of the past is not supported",
        ));
    }
    let parts = match w.node.find_ints("qkv_hidden_sizes")? {
        Some(sizes) => {
            let sizes = w.constant(Tensor::vector(sizes));
            w.all_of(
                "",
                "Split",
                &[Some(product), Some(sizes)],
                vec![int("axis", -1)],
                3,
            )?
        }
        None => w.all_of(
            "",
            "Split",
            &[Some(product)],
            vec![int("axis", -1), int("num_outputs", 3)],
            3,
        )?,
    };
    let [query, key, value] = parts[..] else {
        return Err(Error::internal("a split of other than three parts"));
    };
    let (past_key, past_value) = match past {
        Some(past) => {
            let mut part = |index: i64| -> Result<ValueId> {
                let index = w.constant(Tensor::scalar(index));
                w.add_node("Gather", &[past, index], vec![int("axis", 0)])
            };
            (Some(part(0)?), Some(part(1)?))
        }
        None => (None, None),
    };
    let names = ["num_heads", "scale", "mask_filter_value", "unidirectional"];
    let attributes = names.iter().filter_map(|name| w.own(name)).collect();
    let inputs = [
        Some(query),
        Some(key),
        Some(value),
        None,
        mask,
        bias,
        past_key,
        past_value,
    ];
    let made = w.all_of(MICROSOFT, "MultiHeadAttention", &inputs, attributes, 3)?;
    let [out, keys, values] = made[..] else {
        return Err(Error::internal("attention of other than three outputs"));
    };
    let present = if w.node.has_output(1) {
        let axes = w.constant(Tensor::vector(vec![0_i64]));
        let keys = w.add_node("Unsqueeze", &[keys, axes], vec![])?;
        let values = w.add_node("Unsqueeze", &[values, axes], vec![])?;
        Some(w.add_node("Concat", &[keys, values], vec![int("axis", 0)])?)
    } else {
        None
    };
    Ok(vec![Some(out), present])
}
