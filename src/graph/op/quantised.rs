//! Integers that stand for reals: quantising, back again, and products between.

use super::broadcast::map;
use super::product::matrix_product;
use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::entry::Entry;
use crate::graph::layout::{axis_of, length_of, split_at_axis};
use crate::graph::operator::{Built, Call, Definition, several, single};
use crate::graph::tensor::{ElementType, Tensor};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("QuantizeLinear", 2, 3, quantize),
    Entry::new("DequantizeLinear", 2, 3, dequantize),
    // Its scale is that of the largest number of all rows.
    Entry::new("DynamicQuantizeLinear", 1, 1, |_| several(dynamic)).by_all_rows(),
    Entry::new("MatMulInteger", 2, 4, |_| single(integer_product)),
    Entry::new("QLinearMatMul", 8, 8, |_| single(quantised_product)),
    Entry::new("QLinearConv", 8, 9, quantised_convolution),
];

/// The least and the largest number of a type.
pub(crate) fn limits(element: ElementType) -> Result<(f64, f64)> {
    match element {
        ElementType::Int8 => Ok((-128.0, 127.0)),
        ElementType::Uint8 => Ok((0.0, 255.0)),
        ElementType::Int16 => Ok((-32768.0, 32767.0)),
        ElementType::Uint16 => Ok((0.0, 65535.0)),
        other => Err(Error::contract(format!(
            "quantising to `{}` is not supported",
            other.name()
        ))),
    }
}

/// For each element of a tensor, the parameter that is for it: one for all, one along an axis, or
/// one for each block of an axis.
fn spread(parameter: &Tensor, shape: &[usize], axis: i64, block: usize) -> Result<Vec<f64>> {
    let values = parameter.doubles()?;
    let count = crate::graph::tensor::element_count(shape)?;
    if values.len() == 1 {
        return Ok(vec![values[0]; count]);
    }
    let axis = axis_of(axis, shape.len())?;
    let (_, length, inner) = split_at_axis(shape, axis);
    if parameter.rank() == 1 && block == 0 {
        if values.len() != length {
            return Err(Error::failed(format!(
                "{} parameters for an axis of length {length}",
                values.len()
            )));
        }
        return Ok((0..count)
            .map(|index| values[index / inner % length])
            .collect());
    }
    let own = parameter.shape().get(axis).copied().unwrap_or(0);
    let block = if block == 0 {
        length.checked_div(own).unwrap_or(0)
    } else {
        block
    };
    let fits = parameter.rank() == shape.len()
        && (0..shape.len()).all(|other| other == axis || parameter.shape()[other] == shape[other]);
    if !fits || block == 0 || own != length.div_ceil(block) {
        return Err(Error::failed(
            "parameters that do not fit the tensor's blocks",
        ));
    }
    Ok((0..count)
        .map(|index| {
            values[(index / inner / length * own + index / inner % length / block) * inner
                + index % inner]
        })
        .collect())
}

pub(super) fn quantize(node: &Definition) -> Result<Built> {
    let (axis, block) = (node.int("axis", 1)?, length_of(node.int("block_size", 0)?)?);
    let expected = node
        .find_int("output_dtype")?
        .filter(|code| *code != 0)
        .map(ElementType::from_code)
        .transpose()?;
    single(move |call| {
        let (data, scale, zero) = (call.tensor(0)?, call.tensor(1)?, call.optional(2)?);
        let to = zero
            .map(Tensor::element_type)
            .or(expected)
            .unwrap_or(ElementType::Uint8);
        let (least, most) = limits(to)?;
        let scale = spread(scale, data.shape(), axis, block)?;
        let zero = zero
            .map(|zero| spread(zero, data.shape(), axis, block))
            .transpose()?;
        // Division in the data's own precision decides the ties.
        let is_double = data.element_type() == ElementType::Double;
        let quantised = |(index, value): (usize, f64)| {
            let ratio = if is_double {
                value / scale[index]
            } else {
                f64::from(value as f32 / scale[index] as f32)
            };
            (ratio.round_ties_even() + zero.as_ref().map_or(0.0, |zero| zero[index]))
                .clamp(least, most)
        };
        let values: Vec<f64> = data
            .doubles()?
            .into_iter()
            .enumerate()
            .map(quantised)
            .collect();
        cast(&Tensor::new(data.shape().to_vec(), values)?, to)
    })
}

pub(super) fn dequantize(node: &Definition) -> Result<Built> {
    let (axis, block) = (node.int("axis", 1)?, length_of(node.int("block_size", 0)?)?);
    let expected = node
        .find_int("output_dtype")?
        .filter(|code| *code != 0)
        .map(ElementType::from_code)
        .transpose()?;
    single(move |call| {
        let (data, scale, zero) = (call.tensor(0)?, call.tensor(1)?, call.optional(2)?);
        let to = expected.unwrap_or(scale.element_type());
        let scale = spread(scale, data.shape(), axis, block)?;
        let zero = zero
            .map(|zero| spread(zero, data.shape(), axis, block))
            .transpose()?;
        let real = |(index, value): (usize, f64)| {
            (value - zero.as_ref().map_or(0.0, |zero| zero[index])) as f32 * scale[index] as f32
        };
        let values: Vec<f32> = data.doubles()?.into_iter().enumerate().map(real).collect();
        cast(&Tensor::new(data.shape().to_vec(), values)?, to)
    })
}

/// To unsigned 8-bit integers by the tensor's own range.
fn dynamic(call: &mut Call) -> Result<Vec<Value>> {
    let data = call.tensor(0)?;
    let values = data.values::<f32>()?;
    let least = values.iter().copied().fold(0.0_f32, f32::min);
    let most = values.iter().copied().fold(0.0_f32, f32::max);
    let scale = if most == least {
        1.0
    } else {
        (most - least) / 255.0
    };
    let zero = (-least / scale).clamp(0.0, 255.0).round_ties_even();
    let quantised = map(data, |value: &f32| {
        ((value / scale).round_ties_even() + zero).clamp(0.0, 255.0) as u8
    })?;
    Ok(vec![
        Value::Tensor(quantised),
        Value::Tensor(Tensor::scalar(scale)),
        Value::Tensor(Tensor::scalar(zero as u8)),
    ])
}

/// The numbers less their zero points, in 32 bits; one zero point for all, or one along an axis.
pub(crate) fn centred(data: &Tensor, zero: Option<&Tensor>, axis: usize) -> Result<Tensor> {
    let data = cast(data, ElementType::Int32)?;
    let Some(zero) = zero else { return Ok(data) };
    let zero = cast(zero, ElementType::Int32)?;
    let zero = match zero.len() {
        1 => zero.reshaped(Vec::new())?,
        count if zero.rank() == 1 => {
            let mut shape = vec![1; data.rank()];
            *shape
                .get_mut(axis)
                .ok_or_else(|| Error::failed("zero points for an axis that there is not"))? = count;
            zero.reshaped(shape)?
        }
        _ => zero,
    };
    super::elementwise::combine(super::elementwise::Arithmetic::Subtract, &data, &zero)
}

fn product_of(
    left: (&Tensor, Option<&Tensor>),
    right: (&Tensor, Option<&Tensor>),
) -> Result<Tensor> {
    let rows = left.0.rank().saturating_sub(2);
    let columns = right.0.rank().saturating_sub(1);
    matrix_product(
        &centred(left.0, left.1, rows)?,
        &centred(right.0, right.1, columns)?,
    )
}

fn integer_product(call: &mut Call) -> Result<Tensor> {
    product_of(
        (call.tensor(0)?, call.optional(2)?),
        (call.tensor(1)?, call.optional(3)?),
    )
}

/// The sum of products in 32 bits, rescaled to the output's type.
fn rescaled(sums: &Tensor, factors: &[f64], zero: &Tensor) -> Result<Tensor> {
    let (least, most) = limits(zero.element_type())?;
    let offset = zero.number()?;
    let real = |(index, sum): (usize, f64)| {
        ((sum * factors[index % factors.len().max(1)]).round_ties_even() + offset)
            .clamp(least, most)
    };
    let values: Vec<f64> = sums.doubles()?.into_iter().enumerate().map(real).collect();
    cast(
        &Tensor::new(sums.shape().to_vec(), values)?,
        zero.element_type(),
    )
}

fn quantised_product(call: &mut Call) -> Result<Tensor> {
    let sums = product_of(
        (call.tensor(0)?, Some(call.tensor(2)?)),
        (call.tensor(3)?, Some(call.tensor(5)?)),
    )?;
    let scales = (
        call.tensor(1)?.number()?,
        call.tensor(4)?.doubles()?,
        call.tensor(6)?.number()?,
    );
    let factors: Vec<f64> = scales
        .1
        .iter()
        .map(|scale| scales.0 * scale / scales.2)
        .collect();
    rescaled(&sums, &factors, call.tensor(7)?)
}

pub(super) fn quantised_convolution(node: &Definition) -> Result<Built> {
    let sliding = super::window::Sliding::of(node)?;
    let groups = length_of(node.int("group", 1)?)?.max(1);
    single(move |call| {
        let data = centred(call.tensor(0)?, Some(call.tensor(2)?), 0)?;
        let weights = centred(call.tensor(3)?, Some(call.tensor(5)?), 0)?;
        let sums = super::convolution::convolved::<i32>(
            &data,
            data.values::<i32>()?,
            &weights,
            call.optional(8)?,
            &sliding,
            groups,
        )?;
        let filters = sums.shape()[1];
        let (input, output) = (call.tensor(1)?.number()?, call.tensor(6)?.number()?);
        let scales = call.tensor(4)?.doubles()?;
        if scales.len() != 1 && scales.len() != filters {
            return Err(Error::failed(format!(
                "{} scales for {filters} filters",
                scales.len()
            )));
        }
        let size: usize = sums.shape()[2..].iter().product();
        let factor =
            |filter: usize| input * scales[if scales.len() == 1 { 0 } else { filter }] / output;
        let factors: Vec<f64> = (0..filters * size)
            .map(|index| factor(index / size))
            .collect();
        rescaled(&sums, &factors, call.tensor(7)?)
    })
}
