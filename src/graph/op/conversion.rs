//! From one element type to another: casts, and text to numbers and back.
//!
//! Follows ONNX's table of casts where it says something; where it leaves the result open, Rust's
//! saturating casts are used for floats and wrapping ones between integers, as ONNX Runtime's x86
//! build gives in practice within range.

use std::sync::Arc;

use half::{bf16, f16};

use crate::error::{Error, Result};
use crate::graph::operator::{Definition, Kernel, single};
use crate::graph::registry::Entry;
use crate::graph::tensor::{Data, Element, ElementType, Tensor};
use crate::memory;

/// What the text of a number takes, as a rule.
const NUMBER_TEXT_BYTES: usize = 48;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Cast", 1, 1, cast_to).by_row(),
    Entry::new("CastLike", 2, 2, |_| {
        single(|call| cast(call.tensor(0)?, call.tensor(1)?.element_type()))
    }),
    Entry::new("BitCast", 1, 1, bit_cast),
];

fn cast_to(node: &Definition) -> Result<Kernel> {
    // Before operator set 6 the type was a word.
    let Ok(code) = node.find_int("to") else {
        return Err(Error::contract(
            "casts of operator sets below 6 are not supported",
        ));
    };
    let wanted = ElementType::from_code(code.ok_or_else(|| crate::graph::operator::lacks("to"))?)?;
    single(move |call| {
        if call.tensor(0)?.element_type() == wanted {
            return call.take(0);
        }
        cast(call.tensor(0)?, wanted)
    })
}

/// A number that others are made of.
trait Source: Element {
    fn wide(&self) -> f64;
    fn whole(&self) -> Option<i128>;
    fn text(&self) -> String;
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl Source for $type {
            fn wide(&self) -> f64 {
                i128::from(*self) as f64
            }
            fn whole(&self) -> Option<i128> {
                Some(i128::from(*self))
            }
            fn text(&self) -> String {
                self.to_string()
            }
        })*
    };
}

macro_rules! reals {
    ($($type:ty, $wide:expr;)*) => {
        $(impl Source for $type {
            fn wide(&self) -> f64 {
                $wide(*self)
            }
            fn whole(&self) -> Option<i128> {
                None
            }
            fn text(&self) -> String {
                real_text(f64::from(*self), &self.to_string())
            }
        })*
    };
}

integers! { i8 i16 i32 i64 u8 u16 u32 u64 }
reals! { f32, f64::from; f64, |value| value; f16, f16::to_f64; bf16, bf16::to_f64; }

impl Source for bool {
    fn wide(&self) -> f64 {
        f64::from(u8::from(*self))
    }
    fn whole(&self) -> Option<i128> {
        Some(i128::from(*self))
    }
    fn text(&self) -> String {
        String::from(if *self { "1" } else { "0" })
    }
}

/// As ONNX asks: plain or scientific notation, `NaN`, `INF` and `-INF`.
fn real_text(value: f64, shown: &str) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return String::from(if value < 0.0 { "-INF" } else { "INF" });
    }
    shown.to_owned()
}

/// The tensor with its elements turned into another type.
///
/// # Errors
/// Fails for a text that is no number.
pub(crate) fn cast(tensor: &Tensor, to: ElementType) -> Result<Tensor> {
    let makes_texts = to == ElementType::String && tensor.element_type() != ElementType::String;
    let content = if makes_texts {
        tensor.len().saturating_mul(NUMBER_TEXT_BYTES)
    } else {
        0
    };
    memory::room_for(
        tensor
            .len()
            .saturating_mul(to.bytes())
            .saturating_add(content),
    )?;
    let data = match tensor.data() {
        Data::Float(values) => convert(values, to),
        Data::Double(values) => convert(values, to),
        Data::Float16(values) => convert(values, to),
        Data::Bfloat16(values) => convert(values, to),
        Data::Int8(values) => convert(values, to),
        Data::Int16(values) => convert(values, to),
        Data::Int32(values) => convert(values, to),
        Data::Int64(values) => convert(values, to),
        Data::Uint8(values) => convert(values, to),
        Data::Uint16(values) => convert(values, to),
        Data::Uint32(values) => convert(values, to),
        Data::Uint64(values) => convert(values, to),
        Data::Bool(values) => convert(values, to),
        Data::String(values) => parsed(values, to)?,
    };
    let cast = Tensor::from_data(tensor.shape().to_vec(), data)?;
    if makes_texts {
        cast.with_content(content)
    } else {
        Ok(cast)
    }
}

fn convert<S: Source>(values: &[S], to: ElementType) -> Data {
    fn each<S: Source, T: Element>(values: &[S], function: impl Fn(&S) -> T) -> Data {
        T::wrap(Arc::new(values.iter().map(function).collect()))
    }
    macro_rules! integer {
        ($type:ty) => {
            each(values, |value| {
                value
                    .whole()
                    .map_or_else(|| value.wide() as $type, |whole| whole as $type)
            })
        };
    }
    // Narrow integers of a float go through the next wider type, as C does: 256.0 becomes 0, not
    // 255.
    macro_rules! narrow {
        ($type:ty) => {
            each(values, |value| {
                value
                    .whole()
                    .map_or_else(|| value.wide() as i64 as $type, |whole| whole as $type)
            })
        };
    }
    match to {
        ElementType::Float => each(values, |value| value.wide() as f32),
        ElementType::Double => each(values, Source::wide),
        ElementType::Float16 => each(values, |value| f16::from_f64(value.wide())),
        ElementType::Bfloat16 => each(values, |value| bf16::from_f32(value.wide() as f32)),
        ElementType::Int8 => narrow!(i8),
        ElementType::Int16 => narrow!(i16),
        ElementType::Int32 => integer!(i32),
        ElementType::Int64 => integer!(i64),
        ElementType::Uint8 => narrow!(u8),
        ElementType::Uint16 => narrow!(u16),
        ElementType::Uint32 => narrow!(u32),
        ElementType::Uint64 => integer!(u64),
        ElementType::Bool => each(values, |value| value.wide() != 0.0),
        ElementType::String => each(values, |value| Arc::<str>::from(value.text())),
    }
}

/// Numbers from text: through `f64`, whole ones exactly where they are written without a point.
fn parsed(values: &[Arc<str>], to: ElementType) -> Result<Data> {
    if to == ElementType::String {
        return Ok(Data::String(Arc::new(values.to_vec())));
    }
    let is_whole = !to.is_float() && to != ElementType::Bool;
    if is_whole
        && let Some(whole) = values
            .iter()
            .map(|text| text.trim().parse::<i64>().ok())
            .collect::<Option<Vec<i64>>>()
    {
        return Ok(convert(&whole, to));
    }
    let number = |text: &Arc<str>| {
        text.trim()
            .parse::<f64>()
            .map_err(|error| Error::failed(format!("`{text}` is no number")).because(error))
    };
    Ok(convert(
        &values.iter().map(number).collect::<Result<Vec<f64>>>()?,
        to,
    ))
}

/// The same bits as elements of another type of the same width.
fn bit_cast(node: &Definition) -> Result<Kernel> {
    let wanted = ElementType::from_code(node.wanted_int("to")?)?;
    single(move |call| {
        let tensor = call.tensor(0)?;
        memory::temporary(tensor.len().saturating_mul(3 * size_of::<u64>()))?;
        let bits = bits(tensor)?;
        let width = bits.first().map_or(0, |(width, _)| *width);
        let bits: Vec<u64> = bits.into_iter().map(|(_, bits)| bits).collect();
        let (data, wide) = from_bits(&bits, wanted)?;
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
