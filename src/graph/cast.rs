//! Tensors with their elements turned into another type.

use std::sync::Arc;

use half::{bf16, f16};

use super::tensor::{Data, Element, ElementType, Tensor};
use crate::error::{Error, Result};
use crate::memory;

/// What the text of a number takes, as a rule.
const NUMBER_TEXT_BYTES: usize = 48;

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
/// Fails for a text that is not a number.
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
            .map_err(|error| Error::failed(format!("`{text}` is not a number")).because(error))
    };
    Ok(convert(
        &values.iter().map(number).collect::<Result<Vec<f64>>>()?,
        to,
    ))
}

impl Tensor {
    /// A tensor of zeros, or of empty texts.
    ///
    /// # Errors
    /// Fails if the shape is too large.
    pub fn zeros(element: ElementType, shape: Vec<usize>) -> Result<Self> {
        if element == ElementType::String {
            return Self::filled(shape, Arc::<str>::from(""));
        }
        cast(&Self::filled(shape, 0_f32)?, element)
    }
}
