//! Runs a kernel on element types that its arithmetic does not know: wider ones on the way in, the
//! node's own on the way out.

use half::{bf16, f16};

use super::fuel::Fuel;
use super::operator::{Call, Kernel};
use super::tensor::{Data, ElementType, Tensor, room_of};
use super::value::Value;
use crate::error::Result;
use crate::memory;

/// What is done about element types that an operator's arithmetic does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Widening {
    /// Nothing: the operator takes what it gets.
    None,
    /// 16-bit floats become single precision on the way in and come back on the way out.
    Floats,
    /// As floats; narrow integers become 64-bit ones and come back, wrapping.
    All,
    /// All narrow numbers on the way in; what comes out stays.
    In,
}

/// Runs a kernel with narrow inputs widened, and narrows what comes out again.
pub(super) fn run_widened(
    kernel: &Kernel,
    widening: Widening,
    inputs: Vec<Option<Value>>,
    fuel: &Fuel,
) -> Result<Vec<Value>> {
    memory::step(|| run_step(kernel, widening, inputs, fuel))
}

fn run_step(
    kernel: &Kernel,
    widening: Widening,
    mut inputs: Vec<Option<Value>>,
    fuel: &Fuel,
) -> Result<Vec<Value>> {
    let mut narrow = None;
    if widening != Widening::None {
        for input in inputs.iter_mut().flatten() {
            if let Value::Tensor(tensor) = input
                && let Some(wide) = widened(tensor, widening)?
            {
                narrow.get_or_insert(tensor.element_type());
                *tensor = wide;
            }
        }
    }
    let mut results = kernel(&mut Call { inputs, fuel })?;
    if let Some(narrow) = narrow.filter(|_| widening != Widening::In) {
        for result in &mut results {
            if let Value::Tensor(tensor) = result
                && let Some(back) = narrowed(tensor, narrow)?
            {
                *tensor = back;
            }
        }
    }
    Ok(results)
}

fn widened(tensor: &Tensor, widening: Widening) -> Result<Option<Tensor>> {
    let integers = |values: Vec<i64>| Tensor::new(tensor.shape().to_vec(), values).map(Some);
    let floats = |values: Vec<f32>| Tensor::new(tensor.shape().to_vec(), values).map(Some);
    let is_wide = !matches!(
        tensor.element_type(),
        ElementType::Float16
            | ElementType::Bfloat16
            | ElementType::Int8
            | ElementType::Int16
            | ElementType::Uint8
            | ElementType::Uint16
            | ElementType::Uint32
    );
    if is_wide {
        return Ok(None);
    }
    room_of::<i64>(tensor.shape())?;
    match tensor.data() {
        Data::Float16(values) => floats(values.iter().map(|value| value.to_f32()).collect()),
        Data::Bfloat16(values) => floats(values.iter().map(|value| value.to_f32()).collect()),
        _ if widening == Widening::Floats => Ok(None),
        Data::Int8(values) => integers(values.iter().map(|&value| i64::from(value)).collect()),
        Data::Int16(values) => integers(values.iter().map(|&value| i64::from(value)).collect()),
        Data::Uint8(values) => integers(values.iter().map(|&value| i64::from(value)).collect()),
        Data::Uint16(values) => integers(values.iter().map(|&value| i64::from(value)).collect()),
        Data::Uint32(values) => integers(values.iter().map(|&value| i64::from(value)).collect()),
        _ => Ok(None),
    }
}

fn narrowed(tensor: &Tensor, to: ElementType) -> Result<Option<Tensor>> {
    let shape = tensor.shape().to_vec();
    let narrow = match (tensor.data(), to) {
        (Data::Float(values), ElementType::Float16) => Tensor::new(
            shape,
            values.iter().map(|&value| f16::from_f32(value)).collect(),
        ),
        (Data::Float(values), ElementType::Bfloat16) => Tensor::new(
            shape,
            values.iter().map(|&value| bf16::from_f32(value)).collect(),
        ),
        (Data::Int64(values), ElementType::Int8) => {
            Tensor::new(shape, values.iter().map(|&value| value as i8).collect())
        }
        (Data::Int64(values), ElementType::Int16) => {
            Tensor::new(shape, values.iter().map(|&value| value as i16).collect())
        }
        (Data::Int64(values), ElementType::Uint8) => {
            Tensor::new(shape, values.iter().map(|&value| value as u8).collect())
        }
        (Data::Int64(values), ElementType::Uint16) => {
            Tensor::new(shape, values.iter().map(|&value| value as u16).collect())
        }
        (Data::Int64(values), ElementType::Uint32) => {
            Tensor::new(shape, values.iter().map(|&value| value as u32).collect())
        }
        _ => return Ok(None),
    };
    narrow.map(Some)
}
