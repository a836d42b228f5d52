//! Operators of ONNX Runtime between integers that stand for reals, written out as several of
//! `ai.onnx`: see [`super::expansion`].

use super::writer::{FLOAT, Made, Writer, int};
use crate::error::{Error, Result};
use crate::graph::op::block_quantised::{BlockLayout, unpacked};
use crate::graph::operator::missing_attribute;
use crate::graph::tensor::Tensor;
use crate::graph::value::{Value, ValueId};

/// A product of integers as reals: inputs A, B, the scales of both, the zero points of both, and
/// what is added.
pub(super) fn real_product(w: &mut Writer) -> Result<ValueId> {
    let [a, b, a_scale, b_scale] = [0, 1, 2, 3].map(|index| w.input(index));
    product_of(
        w,
        [a?, b?, a_scale?, b_scale?],
        [w.optional(4), w.optional(5)],
        w.optional(6),
    )
}

pub(crate) fn product_of(
    w: &mut Writer,
    [a, b, a_scale, b_scale]: [ValueId; 4],
    zeros: [Option<ValueId>; 2],
    bias: Option<ValueId>,
) -> Result<ValueId> {
    let sums = w.sparse(
        "MatMulInteger",
        &[Some(a), Some(b), zeros[0], zeros[1]],
        vec![],
    )?;
    let sums = w.add_node("Cast", &[sums], vec![int("to", FLOAT)])?;
    let scale = w.add_node("Mul", &[a_scale, b_scale], vec![])?;
    let product = w.add_node("Mul", &[sums, scale], vec![])?;
    w.plus(product, bias)
}

pub(super) fn dynamic_product(w: &mut Writer) -> Result<Made> {
    let quantised = w.all_of("", "DynamicQuantizeLinear", &[Some(w.input(0)?)], vec![], 3)?;
    let [data, scale, zero] = quantised[..] else {
        return Err(Error::internal("a quantised tensor without its parameters"));
    };
    Ok(vec![Some(product_of(
        w,
        [data, w.input(1)?, scale, w.input(2)?],
        [Some(zero), w.optional(3)],
        w.optional(4),
    )?)])
}

/// A function of each number, between reals and back: what ONNX Runtime has a table of.
pub(super) fn by_table(
    w: &mut Writer,
    operator: &str,
    attributes: &[&'static str],
) -> Result<Made> {
    let attributes = attributes.iter().filter_map(|name| w.own(name)).collect();
    let real = w.real(w.input(0)?, w.input(1)?, w.optional(2))?;
    let value = w.add_node(operator, &[real], attributes)?;
    Ok(vec![Some(w.quantised(
        value,
        w.input(3)?,
        w.optional(4),
    )?)])
}

pub(super) fn quantised_softmax(w: &mut Writer) -> Result<Made> {
    if w.node.int("opset", 13)? < 13 && w.node.int("axis", -1)? != -1 {
        return Err(Error::contract(
            "`opset` below 13 with an `axis` other than the last is not supported",
        ));
    }
    let axis = w.own("axis").into_iter().collect();
    let real = w.real(w.input(0)?, w.input(1)?, w.optional(2))?;
    let shares = w.add_node("Softmax", &[real], axis)?;
    let scale = match w.nodes.find_constant(w.input(3)?) {
        Some(Value::Tensor(scale)) => Some(step_of(&scale.doubles()?)),
        _ => None,
    };
    let scale = match scale.flatten() {
        Some(step) => w.constant(Tensor::scalar(step)),
        None => w.input(3)?,
    };
    Ok(vec![Some(w.quantised(shares, scale, w.optional(4))?)])
}

/// The step between two shares: ONNX Runtime counts `1 / scale` in single precision and cuts it to
/// an integer (`qlinear_softmax.cc`).
fn step_of(scale: &[f64]) -> Option<f32> {
    let [scale] = scale else { return None };
    let steps = (1.0 / *scale as f32).trunc();
    (steps >= 1.0 && steps <= u32::MAX as f32).then(|| 1.0 / steps)
}

pub(super) fn quantised_pool(w: &mut Writer, operator: &str) -> Result<Made> {
    if w.node.flag("channels_last", false)? {
        return Err(Error::contract("`channels_last` is not supported")
            .hint("save the optimised model with ORT_ENABLE_EXTENDED, not ORT_ENABLE_ALL"));
    }
    by_table(
        w,
        operator,
        &[
            "auto_pad",
            "ceil_mode",
            "count_include_pad",
            "kernel_shape",
            "pads",
            "strides",
        ],
    )
}

/// A product with a matrix whose columns are kept in blocks of few bits, which becomes one of reals
/// when the model is read.
pub(super) fn block_product(w: &mut Writer) -> Result<Made> {
    let layout = BlockLayout::of(w.node)?;
    let constant = |index: usize| match w.optional(index) {
        None => Ok(None),
        Some(id) => match w.nodes.find_constant(id) {
            Some(Value::Tensor(tensor)) => Ok(Some(tensor.clone())),
            _ => Err(Error::contract(format!(
                "input {index} must be part of the model"
            ))),
        },
    };
    let required = |index: usize| {
        constant(index)?.ok_or_else(|| Error::failed(format!("input {index} is missing")))
    };
    let weights = unpacked(
        &layout,
        &required(1)?,
        &required(2)?,
        constant(3)?.as_ref(),
        constant(4)?.as_ref(),
    )?;
    let weights = w.constant(weights);
    let factor = if layout.rounds_factor(w.node.int("accuracy_level", 0)?) {
        rounded_by_blocks(w, &layout)?
    } else {
        w.input(0)?
    };
    let product = w.add_node("MatMul", &[factor, weights], vec![])?;
    Ok(vec![Some(w.plus(product, w.optional(5))?)])
}

/// The other factor as ONNX Runtime's kernels of bytes read it: in each block of a row the largest
/// number is 127 steps from 0, and every number is rounded to a step (`SQNBitGemm`,
/// `QuantizeARow_CompInt8`).
fn rounded_by_blocks(w: &mut Writer, layout: &BlockLayout) -> Result<ValueId> {
    let factor = w.input(0)?;
    let ints = |w: &mut Writer, values: &[i64]| w.constant(Tensor::vector(values.to_vec()));
    let shape = w.add_node("Shape", &[factor], vec![])?;
    let (length, block) = (layout.rows() as i64, layout.block() as i64);
    let (missing, rows) = ((-length).rem_euclid(block), ints(w, &[-1, length]));
    let mut blocks = w.add_node("Reshape", &[factor, rows], vec![])?;
    if missing > 0 {
        let pads = ints(w, &[0, 0, 0, missing]);
        blocks = w.add_node("Pad", &[blocks, pads], vec![])?;
    }
    let in_blocks = ints(w, &[-1, (length + missing) / block, block]);
    blocks = w.add_node("Reshape", &[blocks, in_blocks], vec![])?;
    let (sizes, last) = (w.add_node("Abs", &[blocks], vec![])?, ints(w, &[-1]));
    let largest = w.add_node("ReduceMax", &[sizes, last], vec![int("keepdims", 1)])?;
    let (steps, tiny) = (
        w.constant(Tensor::scalar(127.0_f32)),
        w.constant(Tensor::scalar(TINY)),
    );
    let step = w.add_node("Div", &[largest, steps], vec![])?;
    let some = w.add_node("Max", &[largest, tiny], vec![])?;
    let per_unit = w.add_node("Div", &[steps, some], vec![])?;
    let counts = w.add_node("Mul", &[blocks, per_unit], vec![])?;
    let counts = w.add_node("Round", &[counts], vec![])?;
    let mut rounded = w.add_node("Mul", &[counts, step], vec![])?;
    if missing > 0 {
        let rows = ints(w, &[-1, length + missing]);
        rounded = w.add_node("Reshape", &[rounded, rows], vec![])?;
        let (start, end, axis) = (ints(w, &[0]), ints(w, &[length]), ints(w, &[1]));
        rounded = w.add_node("Slice", &[rounded, start, end, axis], vec![])?;
    }
    w.add_node("Reshape", &[rounded, shape], vec![])
}

/// A largest number below this is taken as this: a block of zeros has no step.
const TINY: f32 = 1e-30;

pub(super) fn quantised_mean(w: &mut Writer) -> Result<Made> {
    let axes = w
        .node
        .find_ints("axes")?
        .ok_or_else(|| missing_attribute("axes"))?;
    let keeps = w.node.int("keepdims", 1)?;
    let real = w.real(w.input(0)?, w.input(1)?, w.optional(2))?;
    let axes = w.constant(Tensor::vector(axes));
    let mean = w.add_node("ReduceMean", &[real, axes], vec![int("keepdims", keeps)])?;
    Ok(vec![Some(w.quantised(mean, w.input(3)?, w.optional(4))?)])
}

pub(super) fn quantised_where(w: &mut Writer) -> Result<Made> {
    let yes = w.real(w.input(1)?, w.input(2)?, w.optional(3))?;
    let no = w.real(w.input(4)?, w.input(5)?, w.optional(6))?;
    let chosen = w.add_node("Where", &[w.input(0)?, yes, no], vec![])?;
    Ok(vec![Some(w.quantised(
        chosen,
        w.input(7)?,
        w.optional(8),
    )?)])
}

/// Tensors, each with its scale and zero point, one after another.
pub(super) fn quantised_concat(w: &mut Writer) -> Result<Made> {
    let axis = w.node.required_int("axis")?;
    if w.inputs.len() % 3 != 2 {
        return Err(Error::failed("an input without its scale and zero point"));
    }
    let indices = (2..w.inputs.len()).step_by(3);
    let parts = indices
        .map(|index| w.real(w.input(index)?, w.input(index + 1)?, w.optional(index + 2)))
        .collect::<Result<Vec<ValueId>>>()?;
    let all = w.add_node("Concat", &parts, vec![int("axis", axis)])?;
    Ok(vec![Some(w.quantised(all, w.input(0)?, w.optional(1))?)])
}
