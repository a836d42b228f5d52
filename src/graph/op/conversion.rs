//! From one element type to another: casts, and text to numbers and back.
//!
//! Follows ONNX's table of casts where it says something. Where it leaves the result open, it is
//! what ONNX Runtime makes of it on x86-64: see [`crate::graph::cast`].

use std::sync::Arc;

use half::{bf16, f16};

use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::entry::Entry;
use crate::graph::operator::{Built, Definition, single};
use crate::graph::pass::role_column;
use crate::graph::tensor::{Data, Element, ElementType, Tensor};
use crate::memory;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Cast", 1, 1, cast_to)
        .columns(role_column::float)
        .by_row(),
    Entry::new("CastLike", 2, 2, |_| {
        single(|call| cast(call.tensor(0)?, call.tensor(1)?.element_type()))
    }),
    Entry::new("BitCast", 1, 1, bit_cast),
];

fn cast_to(node: &Definition) -> Result<Built> {
    // Before operator set 6 the type was a word.
    let Ok(code) = node.find_int("to") else {
        return Err(Error::contract(
            "casts of operator sets below 6 are not supported",
        ));
    };
    let expected = ElementType::from_code(
        code.ok_or_else(|| crate::graph::operator::missing_attribute("to"))?,
    )?;
    single(move |call| {
        if call.tensor(0)?.element_type() == expected {
            return call.take(0);
        }
        cast(call.tensor(0)?, expected)
    })
}

/// The same bits as elements of another type of the same width.
fn bit_cast(node: &Definition) -> Result<Built> {
    let expected = ElementType::from_code(node.required_int("to")?)?;
    single(move |call| {
        let tensor = call.tensor(0)?;
        memory::temporary(tensor.len().saturating_mul(3 * size_of::<u64>()))?;
        let bits = bits(tensor)?;
        let width = bits.first().map_or(0, |(width, _)| *width);
        let bits: Vec<u64> = bits.into_iter().map(|(_, bits)| bits).collect();
        let (data, wide) = from_bits(&bits, expected)?;
        if width != 0 && width != wide {
            return Err(Error::failed("the two types have different widths"));
        }
        Tensor::from_data(tensor.shape().to_vec(), data)
    })
}

/// (bytes, bits) of every element.
fn bits(tensor: &Tensor) -> Result<Vec<(usize, u64)>> {
    Ok(match tensor.data() {
        Data::Float(values) => values
            .iter()
            .map(|value| (4, u64::from(value.to_bits())))
            .collect(),
        Data::Double(values) => values.iter().map(|value| (8, value.to_bits())).collect(),
        Data::Float16(values) => values
            .iter()
            .map(|value| (2, u64::from(value.to_bits())))
            .collect(),
        Data::Bfloat16(values) => values
            .iter()
            .map(|value| (2, u64::from(value.to_bits())))
            .collect(),
        Data::Int8(values) => values.iter().map(|value| (1, *value as u64)).collect(),
        Data::Int16(values) => values.iter().map(|value| (2, *value as u64)).collect(),
        Data::Int32(values) => values.iter().map(|value| (4, *value as u64)).collect(),
        Data::Int64(values) => values.iter().map(|value| (8, *value as u64)).collect(),
        Data::Uint8(values) => values.iter().map(|value| (1, u64::from(*value))).collect(),
        Data::Uint16(values) => values.iter().map(|value| (2, u64::from(*value))).collect(),
        Data::Uint32(values) => values.iter().map(|value| (4, u64::from(*value))).collect(),
        Data::Uint64(values) => values.iter().map(|value| (8, *value)).collect(),
        Data::Bool(values) => values.iter().map(|value| (1, u64::from(*value))).collect(),
        other @ Data::String(_) => return Err(crate::graph::element::unsupported(other)),
    })
}

fn from_bits(bits: &[u64], to: ElementType) -> Result<(Data, usize)> {
    fn each<T: Element>(bits: &[u64], function: impl Fn(u64) -> T) -> Data {
        T::wrap(Arc::new(bits.iter().map(|&bits| function(bits)).collect()))
    }
    Ok(match to {
        ElementType::Float => (each(bits, |bits| f32::from_bits(bits as u32)), 4),
        ElementType::Double => (each(bits, f64::from_bits), 8),
        ElementType::Float16 => (each(bits, |bits| f16::from_bits(bits as u16)), 2),
        ElementType::Bfloat16 => (each(bits, |bits| bf16::from_bits(bits as u16)), 2),
        ElementType::Int8 => (each(bits, |bits| bits as i8), 1),
        ElementType::Int16 => (each(bits, |bits| bits as i16), 2),
        ElementType::Int32 => (each(bits, |bits| bits as i32), 4),
        ElementType::Int64 => (each(bits, |bits| bits as i64), 8),
        ElementType::Uint8 => (each(bits, |bits| bits as u8), 1),
        ElementType::Uint16 => (each(bits, |bits| bits as u16), 2),
        ElementType::Uint32 => (each(bits, |bits| bits as u32), 4),
        ElementType::Uint64 => (each(bits, |bits| bits), 8),
        ElementType::Bool => (each(bits, |bits| bits & 0xFF != 0), 1),
        ElementType::String => return Err(Error::contract("texts have no bits to cast")),
    })
}
