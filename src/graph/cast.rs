//! Tensors with their elements turned into another type.

use std::sync::Arc;

use half::{bf16, f16};

use super::tensor::{Data, Element, ElementType, Tensor};
use crate::error::{Error, Result};
use crate::memory;

/// What the text of a number takes, as a rule.
const NUMBER_TEXT_BYTES: usize = 48;

/// The digits of a real number in a text, as ONNX Runtime's `%.8g` has them.
const TEXT_DIGITS: usize = 8;

/// A number that others are made of.
trait Source: Element {
    fn wide(&self) -> f64;
    /// The nearest number of single precision.
    fn single(&self) -> f32;
    /// Exactly, if it is of an integer type.
    fn whole(&self) -> Option<i128>;
    fn text(&self) -> String;
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl Source for $type {
            fn wide(&self) -> f64 {
                i128::from(*self) as f64
            }
            fn single(&self) -> f32 {
                i128::from(*self) as f32
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
    ($($type:ty, $wide:expr, $single:expr;)*) => {
        $(impl Source for $type {
            fn wide(&self) -> f64 {
                $wide(*self)
            }
            fn single(&self) -> f32 {
                $single(*self)
            }
            fn whole(&self) -> Option<i128> {
                None
            }
            fn text(&self) -> String {
                real_text($wide(*self))
            }
        })*
    };
}

integers! { i8 i16 i32 i64 u8 u16 u32 u64 }
reals! {
    f32, f64::from, |value| value;
    f64, |value| value, |value| value as f32;
    f16, f16::to_f64, f16::to_f32;
    bf16, bf16::to_f64, bf16::to_f32;
}

impl Source for bool {
    fn wide(&self) -> f64 {
        f64::from(u8::from(*self))
    }
    fn single(&self) -> f32 {
        f32::from(u8::from(*self))
    }
    fn whole(&self) -> Option<i128> {
        Some(i128::from(*self))
    }
    fn text(&self) -> String {
        String::from(if *self { "1" } else { "0" })
    }
}

/// As ONNX Runtime writes it: eight digits, plain or scientific, or `NaN`, `INF` and `-INF`.
fn real_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return String::from(if value < 0.0 { "-INF" } else { "INF" });
    }
    let scientific = format!("{value:.*e}", TEXT_DIGITS - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let short = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    let decimals = usize::try_from(TEXT_DIGITS as i32 - 1 - exponent);
    match decimals {
        Ok(decimals) if exponent >= -4 => short(&format!("{value:.decimals$}")),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", short(digits), exponent.abs())
        }
    }
}

/// A real number as an integer, as the processors do for which ONNX Runtime is built (x86-64): what
/// does not fit, and NaN, is the least number of 32 bits.
pub(crate) fn to_i32(value: f64) -> i32 {
    if value > f64::from(i32::MIN) - 1.0 && value < 2_f64.powi(31) {
        value as i32
    } else {
        i32::MIN
    }
}

/// The same for 64 bits.
pub(crate) fn to_i64(value: f64) -> i64 {
    if (-(2_f64.powi(63))..2_f64.powi(63)).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// From 2^63 on less 2^63; negative numbers wrap.
fn to_u64(value: f64) -> u64 {
    let half = 2_f64.powi(63);
    if value >= half {
        to_i64(value - half) as u64 ^ 1 << 63
    } else {
        to_i64(value) as u64
    }
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
        ($type:ty, $cut:expr) => {
            each(values, |value| {
                value
                    .whole()
                    .map_or_else(|| $cut(value.wide()) as $type, |whole| whole as $type)
            })
        };
    }
    match to {
        ElementType::Float => each(values, Source::single),
        ElementType::Double => each(values, Source::wide),
        ElementType::Float16 => each(values, |value| f16::from_f32(value.single())),
        ElementType::Bfloat16 => each(values, |value| bf16::from_f32(value.single())),
        ElementType::Int8 => integer!(i8, to_i32),
        ElementType::Int16 => integer!(i16, to_i32),
        ElementType::Int32 => integer!(i32, to_i32),
        ElementType::Int64 => integer!(i64, to_i64),
        ElementType::Uint8 => integer!(u8, to_i32),
        ElementType::Uint16 => integer!(u16, to_i32),
        ElementType::Uint32 => integer!(u32, to_i64),
        ElementType::Uint64 => integer!(u64, to_u64),
        ElementType::Bool => each(values, |value| value.wide() != 0.0),
        ElementType::String => each(values, |value| Arc::<str>::from(value.text())),
    }
}

/// Numbers from text. An integer is what stands before a point or an exponent, as in ONNX Runtime.
fn parsed(values: &[Arc<str>], to: ElementType) -> Result<Data> {
    if to == ElementType::String {
        return Ok(Data::String(Arc::new(values.to_vec())));
    }
    let numbers = values.iter().map(|text| {
        let number = text.trim().parse::<f64>();
        number.map_err(|error| Error::failed(format!("`{text}` is not a number")).because(error))
    });
    if to.is_float() || to == ElementType::Bool {
        return Ok(convert(&numbers.collect::<Result<Vec<f64>>>()?, to));
    }
    numbers.collect::<Result<Vec<f64>>>()?;
    let integers: Option<Vec<i64>> = values.iter().map(|text| integer(text)).collect();
    if let Some(integers) = integers {
        return Ok(convert(&integers, to));
    }
    let is_unsigned = matches!(
        to,
        ElementType::Uint8 | ElementType::Uint16 | ElementType::Uint32 | ElementType::Uint64
    );
    let unsigned = values.iter().map(|text| {
        let small = integer::<i64>(text).map(|value| value as u64);
        let number = small.or_else(|| integer(text).filter(|_| is_unsigned));
        number.ok_or_else(|| Error::failed(format!("`{text}` is not an integer of 64 bits")))
    });
    Ok(convert(&unsigned.collect::<Result<Vec<u64>>>()?, to))
}

/// The digits at the beginning of a number's text, with their sign.
fn integer<T: std::str::FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    let digits = text.trim_start_matches(['+', '-']);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    text[..text.len() - digits.len() + count].parse().ok()
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
