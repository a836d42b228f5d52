//! Operators on shapes: the same elements under another shape, shapes as numbers, and tensors made
//! from shapes.

use crate::error::{Error, Result};
use crate::graph::element::any;
use crate::graph::entry::Entry;
use crate::graph::layout::{axes_of, axis_of, length_of, product, shape_of, transposed};
use crate::graph::operator::{
    Attribute, Built, Call, Definition, missing_attribute, several, single,
};
use crate::graph::pass::role_column;
use crate::graph::tensor::{Data, Element, ElementType, Tensor};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Identity", 1, 1, |_| {
        several(|call| Ok(vec![call.take_value(0)?]))
    })
    .columns(role_column::same)
    .by_row(),
    Entry::new("Dropout", 1, 3, dropout).since(7),
    Entry::new("Reshape", 1, 2, reshape).columns(role_column::reshaped),
    Entry::new("Flatten", 1, 1, flatten),
    Entry::new("Squeeze", 1, 2, squeeze),
    Entry::new("Unsqueeze", 1, 2, unsqueeze),
    Entry::new("Transpose", 1, 1, transpose),
    Entry::new("Shape", 1, 1, shape),
    Entry::new("Size", 1, 1, |_| {
        single(|call| Ok(Tensor::scalar(call.tensor(0)?.len() as i64)))
    }),
    Entry::new("Constant", 0, 0, constant),
    Entry::new("ConstantOfShape", 1, 1, constant_of_shape),
    Entry::new("Range", 3, 3, |_| single(range)).floats(),
    Entry::new("EyeLike", 1, 1, eye_like),
];

/// In inference a dropout passes everything on.
fn dropout(node: &Definition) -> Result<Built> {
    let wants_mask = node.has_output(1);
    several(move |call| {
        let trains = match call.optional(2)? {
            Some(mode) => mode.number()? != 0.0,
            None => false,
        };
        let ratio = call.optional(1)?.map_or(Ok(0.5), Tensor::number)?;
        if trains && ratio != 0.0 {
            return Err(Error::contract(
                "dropout in training mode draws random numbers, so no score would be the same \
                 twice",
            ));
        }
        let data = call.take(0)?;
        let mask = if wants_mask {
            Some(Tensor::filled(data.shape().to_vec(), true)?)
        } else {
            None
        };
        Ok(std::iter::once(data)
            .chain(mask)
            .map(Value::Tensor)
            .collect())
    })
}

fn reshape(node: &Definition) -> Result<Built> {
    let (attribute, allows_zero) = (node.find_ints("shape")?, node.flag("allowzero", false)?);
    single(move |call| {
        let expected = call
            .integers(1)?
            .or_else(|| attribute.clone())
            .ok_or_else(|| missing_attribute("shape"))?;
        let data = call.take(0)?;
        let shape = inferred(&expected, data.shape(), allows_zero)?;
        data.reshaped(shape)
    })
}

/// 0 keeps the length, −1 is what is left over.
fn inferred(expected: &[i64], old: &[usize], allows_zero: bool) -> Result<Vec<usize>> {
    let count = product(old);
    let mut shape = Vec::with_capacity(expected.len());
    for (axis, &length) in expected.iter().enumerate() {
        shape.push(match length {
            -1 => 1,
            0 if !allows_zero => *old
                .get(axis)
                .ok_or_else(|| Error::failed(format!("axis {axis} is kept, but there is none")))?,
            length => length_of(length)?,
        });
    }
    let unknown: Vec<usize> = expected
        .iter()
        .enumerate()
        .filter(|(_, length)| **length == -1)
        .map(|(axis, _)| axis)
        .collect();
    match unknown.as_slice() {
        [] => {}
        [axis] => {
            let known = crate::graph::tensor::shape_count(&shape)?;
            let fits = known != 0 && count.is_multiple_of(known);
            shape[*axis] = if fits {
                count / known
            } else {
                return Err(Error::failed(format!(
                    "{count} elements do not make a shape of {expected:?}"
                )));
            };
        }
        _ => return Err(Error::failed("two lengths of -1 in a shape")),
    }
    Ok(shape)
}

fn flatten(node: &Definition) -> Result<Built> {
    let axis = node.int("axis", 1)?;
    single(move |call| {
        let data = call.take(0)?;
        let axis = if axis == data.rank() as i64 {
            data.rank()
        } else {
            axis_of(axis, data.rank())?
        };
        let shape = vec![
            product(&data.shape()[..axis]),
            product(&data.shape()[axis..]),
        ];
        data.reshaped(shape)
    })
}

/// Axes are an input from operator set 13 on, an attribute before.
pub(super) fn axes_source(
    node: &Definition,
) -> Result<impl Fn(&Call) -> Result<Option<Vec<i64>>> + Send + Sync + use<>> {
    let attribute = node.find_ints("axes")?;
    Ok(move |call: &Call| Ok(call.integers(1)?.or_else(|| attribute.clone())))
}

fn squeeze(node: &Definition) -> Result<Built> {
    let axes = axes_source(node)?;
    single(move |call| {
        let axes = axes(call)?;
        let data = call.take(0)?;
        let gone = match axes {
            Some(axes) => axes_of(&axes, data.rank())?,
            None => (0..data.rank())
                .filter(|&axis| data.shape()[axis] == 1)
                .collect(),
        };
        if let Some(axis) = gone.iter().find(|&&axis| data.shape()[axis] != 1) {
            return Err(Error::failed(format!(
                "axis {axis} of shape {:?} is not 1 long",
                data.shape()
            )));
        }
        let shape = (0..data.rank())
            .filter(|axis| !gone.contains(axis))
            .map(|axis| data.shape()[axis])
            .collect();
        data.reshaped(shape)
    })
}

fn unsqueeze(node: &Definition) -> Result<Built> {
    let axes = axes_source(node)?;
    single(move |call| {
        let axes = axes(call)?.ok_or_else(|| missing_attribute("axes"))?;
        let data = call.take(0)?;
        let rank = data.rank() + axes.len();
        let new = axes_of(&axes, rank)?;
        let mut old = data.shape().iter().copied();
        let shape = (0..rank)
            .map(|axis| {
                if new.contains(&axis) {
                    1
                } else {
                    old.next().unwrap_or(1)
                }
            })
            .collect();
        data.reshaped(shape)
    })
}

fn transpose(node: &Definition) -> Result<Built> {
    let order = node.find_ints("perm")?;
    single(move |call| {
        let data = call.tensor(0)?;
        let order = match &order {
            Some(order) => axes_of(order, data.rank())?,
            None => (0..data.rank()).rev().collect(),
        };
        if order.len() != data.rank() {
            return Err(Error::failed(format!(
                "an order of {} axes for a tensor with {}",
                order.len(),
                data.rank()
            )));
        }
        transposed(data, &order)
    })
}

fn shape(node: &Definition) -> Result<Built> {
    let (start, end) = (node.int("start", 0)?, node.int("end", i64::MAX)?);
    single(move |call| {
        let shape = call.tensor(0)?.shape();
        let rank = shape.len() as i64;
        let position = |axis: i64| {
            (if axis < 0 {
                axis.saturating_add(rank)
            } else {
                axis
            })
            .clamp(0, rank) as usize
        };
        let (start, end) = (position(start), position(end));
        let lengths = shape.get(start..end.max(start)).unwrap_or_default();
        Ok(Tensor::vector(
            lengths.iter().map(|&length| length as i64).collect(),
        ))
    })
}

fn constant(node: &Definition) -> Result<Built> {
    let is_value = |name: &&String| name.starts_with("value") || *name == "sparse_value";
    let name = node
        .attributes
        .keys()
        .find(is_value)
        .ok_or_else(|| missing_attribute("value"))?;
    let tensor = match &node.attributes[name] {
        Attribute::Tensor(tensor) => tensor.clone(),
        Attribute::Float(value) => Tensor::scalar(*value),
        Attribute::Int(value) => Tensor::scalar(*value),
        Attribute::String(value) => Tensor::scalar(std::sync::Arc::<str>::from(value.as_str())),
        Attribute::Floats(values) => Tensor::vector(values.to_vec()),
        Attribute::Ints(values) => Tensor::vector(values.to_vec()),
        Attribute::Strings(values) => Tensor::vector(values.to_vec()),
        _ => {
            return Err(Error::contract(format!(
                "a constant of the kind `{name}` is not supported"
            )));
        }
    };
    single(move |_| Ok(tensor.clone()))
}

fn constant_of_shape(node: &Definition) -> Result<Built> {
    let value = node
        .find_tensor("value")?
        .unwrap_or_else(|| Tensor::vector(vec![0_f32]));
    if value.len() != 1 {
        return Err(Error::failed("the attribute `value` is not one element"));
    }
    single(move |call| {
        fn filled<T: Element>(values: &[T], shape: Vec<usize>) -> Result<Tensor> {
            Tensor::filled(shape, values[0].clone())
        }
        let shape = shape_of(&call.tensor(0)?.integers()?)?;
        any!(value.data(), values => filled(values, shape))
    })
}

fn range(call: &mut Call) -> Result<Tensor> {
    let (start, limit, delta) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
    let (first, last, step) = (start.number()?, limit.number()?, delta.number()?);
    let count = ((last - first) / step).ceil().max(0.0);
    if !count.is_finite() {
        return Err(Error::failed("a range without an end"));
    }
    let count = crate::graph::tensor::element_count(&[count as usize])?;
    match start.data() {
        Data::Float(_) => {
            let (first, step) = (first as f32, step as f32);
            Ok(Tensor::vector(
                (0..count)
                    .map(|index| first + index as f32 * step)
                    .collect(),
            ))
        }
        Data::Double(_) => Ok(Tensor::vector(
            (0..count)
                .map(|index| first + index as f64 * step)
                .collect(),
        )),
        _ => {
            let (first, step) = (start.integer()?, delta.integer()?);
            let values: Vec<i64> = (0..count as i64)
                .map(|index| first.wrapping_add(index.wrapping_mul(step)))
                .collect();
            crate::graph::cast::cast(&Tensor::vector(values), start.element_type())
        }
    }
}

fn eye_like(node: &Definition) -> Result<Built> {
    let expected = node
        .find_int("dtype")?
        .map(ElementType::from_code)
        .transpose()?;
    let diagonal = node.int("k", 0)?;
    single(move |call| {
        let like = call.tensor(0)?;
        let [rows, columns] = *like.shape() else {
            return Err(Error::failed("the tensor has not two axes"));
        };
        let one = |row: usize, column: usize| {
            f32::from(u8::from(
                column as i64 == (row as i64).saturating_add(diagonal),
            ))
        };
        let values = (0..rows)
            .flat_map(|row| (0..columns).map(move |column| one(row, column)))
            .collect();
        crate::graph::cast::cast(
            &Tensor::new(vec![rows, columns], values)?,
            expected.unwrap_or(like.element_type()),
        )
    })
}
