//! Arithmetic between 8-bit integers that stand for reals, as ONNX Runtime fuses it: `QGemm`,
//! `QLinearAdd`, `QLinearMul`.
//!
//! The factors are those of ONNX Runtime's kernels, in single precision and in their order, because
//! they decide the ties.

use super::broadcast::{map, zip};
use super::elementwise::{Arithmetic, combine};
use super::product::matrix_product;
use super::quantised::{centred, dequantize, limits, quantised_convolution, quantize};
use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::entry::{Entry, MICROSOFT};
use crate::graph::layout::transposed;
use crate::graph::operator::{Built, Call, Definition, single};
use crate::graph::tensor::{ElementType, Tensor};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("QGemm", 6, 9, general).of(MICROSOFT),
    Entry::new("QLinearAdd", 7, 8, |_| single(sum)).of(MICROSOFT),
    Entry::new("QLinearMul", 7, 8, |_| single(product)).of(MICROSOFT),
    Entry::new("QLinearConv", 8, 9, convolution).of(MICROSOFT),
    Entry::new("QuantizeLinear", 2, 3, quantize).of(MICROSOFT),
    Entry::new("DequantizeLinear", 2, 3, dequantize).of(MICROSOFT),
];

fn convolution(node: &Definition) -> Result<Built> {
    if node.flag("channels_last", false)? {
        return Err(Error::contract("`channels_last` is not supported")
            .hint("save the optimised model with ORT_ENABLE_EXTENDED, not ORT_ENABLE_ALL"));
    }
    quantised_convolution(node)
}

fn number(call: &Call, index: usize) -> Result<f32> {
    Ok(call.tensor(index)?.number()? as f32)
}

/// The zero point in this place, 0 where it is dropped.
fn zero(call: &Call, index: usize) -> Result<f32> {
    call.optional(index)?
        .map_or(Ok(0.0), |zero| zero.number().map(|zero| zero as f32))
}

/// Rounded to the nearest even, within the type.
fn fitted(values: &Tensor, to: ElementType) -> Result<Tensor> {
    let (least, most) = limits(to)?;
    cast(
        &map(values, |value: &f32| {
            value.round_ties_even().clamp(least as f32, most as f32)
        })?,
        to,
    )
}

fn sum(call: &mut Call) -> Result<Tensor> {
    let (a, b) = (call.tensor(0)?, call.tensor(3)?);
    let out = number(call, 6)?;
    let (of_a, of_b) = (number(call, 1)? / out, number(call, 4)? / out);
    let fixed = zero(call, 7)? - (of_a * zero(call, 2)? + of_b * zero(call, 5)?);
    let (left, right) = (cast(a, ElementType::Float)?, cast(b, ElementType::Float)?);
    let sums = zip(&left, &right, |a: &f32, b: &f32| {
        a.mul_add(of_a, b.mul_add(of_b, fixed))
    })?;
    fitted(&sums, a.element_type())
}

fn product(call: &mut Call) -> Result<Tensor> {
    let (a, b) = (call.tensor(0)?, call.tensor(3)?);
    let factor = number(call, 1)? * number(call, 4)? / number(call, 6)?;
    let offset = zero(call, 7)?;
    let products = combine(
        Arithmetic::Multiply,
        &centred(a, call.optional(2)?, 0)?,
        &centred(b, call.optional(5)?, 0)?,
    )?;
    let products = map(&products, |value: &i32| *value as f32 * factor + offset)?;
    fitted(&products, a.element_type())
}

/// α · A · B + C, as reals or as integers again.
fn general(node: &Definition) -> Result<Built> {
    let (alpha, turns_left, turns_right) = (
        node.float("alpha", 1.0)?,
        node.flag("transA", false)?,
        node.flag("transB", false)?,
    );
    let oriented = |tensor: Tensor, turns: bool| {
        if turns {
            transposed(&tensor, &[1, 0])
        } else {
            Ok(tensor)
        }
    };
    single(move |call| {
        let (a, b) = (call.tensor(0)?, call.tensor(3)?);
        if a.rank() != 2 || b.rank() != 2 {
            return Err(Error::failed(format!(
                "a product of tensors of the shapes {:?} and {:?}",
                a.shape(),
                b.shape()
            )));
        }
        let a = oriented(centred(a, call.optional(2)?, 0)?, turns_left)?;
        let b = oriented(
            centred(b, call.optional(5)?, usize::from(!turns_right))?,
            turns_right,
        )?;
        let mut sums = matrix_product(&a, &b)?;
        if let Some(addend) = call.optional(6)? {
            sums = combine(Arithmetic::Add, &sums, addend)?;
        }
        let out = call.optional(7)?.map(Tensor::number).transpose()?;
        let a_scale = number(call, 1)? * alpha;
        let factors: Vec<f32> = call
            .tensor(4)?
            .doubles()?
            .iter()
            .map(|scale| a_scale * *scale as f32 / out.map_or(1.0, |out| out as f32))
            .collect();
        if factors.len() != 1 && Some(&factors.len()) != sums.shape().last() {
            return Err(Error::failed(format!(
                "{} scales for a product of shape {:?}",
                factors.len(),
                sums.shape()
            )));
        }
        let reals: Vec<f32> = sums
            .values::<i32>()?
            .iter()
            .enumerate()
            .map(|(index, sum)| *sum as f32 * factors[index % factors.len()])
            .collect();
        let reals = Tensor::new(sums.shape().to_vec(), reals)?;
        let Some(zero) = call.optional(8)?.filter(|_| out.is_some()) else {
            return Ok(reals);
        };
        let offset = zero.number()? as f32;
        fitted(
            &map(&reals, |value: &f32| value.round_ties_even() + offset)?,
            zero.element_type(),
        )
    })
}
