//! Text encoders of the BERT family: texts in, vectors, labels, scores or entities out.
//!
//! Owns what an encoder is ([`architecture`]), its weights in one shape ([`weights`]), texts packed
//! without padding ([`packed`]), the forward passes over them, and the model around it: tokenizer,
//! pooling, heads. The files come as [`parts`]; [`fn@assemble`] makes a model of them. Nothing here
//! knows files on disk or threads.

pub mod architecture;
mod assemble;
mod bag;
mod bounded;
mod classes;
pub mod config;
mod curve;
mod description;
mod device;
mod distances;
mod entities;
pub mod exported;
pub mod family;
mod head;
mod load;
mod long_word;
mod meaning;
mod names;
pub mod packed;
pub mod parts;
mod pooling;
pub mod reference;
#[cfg(test)]
pub(crate) mod sample;
mod settings;
#[cfg(test)]
mod tests;
mod text_model;
mod tokenizer;
mod tokenizer_settings;
mod unread;
pub mod weights;

pub use assemble::{TEXT, TEXT_PAIR, assemble};
pub use text_model::TextModel;

use candle_core::Device;
use serde::Deserialize;

use self::architecture::Architecture;
use self::packed::Forward;
use self::reference::Reference;
use self::weights::Weights;
use crate::error::{Error, Result};
use crate::kernel::processor::Instructions;
use crate::text::transformer::{Arithmetic, Transformer};

/// How products of matrices are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ProductPrecision {
    /// In single precision; on processors with AMX from numbers of 17 bits, see
    /// [`crate::kernel::product`].
    #[default]
    #[serde(rename = "f32")]
    Single,
    /// In single precision with all 24 bits on every processor.
    #[serde(rename = "f32-exact")]
    SingleExact,
    /// In bytes, summed exactly; what lies between two products stays in single precision.
    #[serde(rename = "int8")]
    Bytes,
}

impl ProductPrecision {
    /// How this processor computes so.
    fn on_processor(self) -> (Instructions, Arithmetic) {
        match self {
            Self::Single => (Instructions::available()[0], Arithmetic::Single),
            Self::SingleExact => (Instructions::exact(), Arithmetic::Single),
            Self::Bytes => (Instructions::available()[0], Arithmetic::Bytes),
        }
    }

    /// What reports call it, on this processor or on another device.
    fn described(self, is_processor: bool) -> &'static str {
        match self {
            Self::Single if is_processor && self.on_processor().0 == Instructions::Amx => {
                "f32 (products of 17 bits, AMX)"
            }
            Self::Single | Self::SingleExact => "f32",
            Self::Bytes => "int8",
        }
    }
}

/// The forward pass for these weights: the one place where it is chosen. Without a device our own
/// kernels run on the CPU, on a device candle's operations.
///
/// # Errors
/// Fails if the weights cannot be brought into the form that the pass wants or to the device, and
/// for bytes on a device.
pub fn forward(
    architecture: Architecture,
    weights: Weights,
    precision: ProductPrecision,
    device: Option<Device>,
) -> Result<Box<dyn Forward>> {
    let Some(device) = device else {
        let (instructions, arithmetic) = precision.on_processor();
        return Ok(Box::new(Transformer::with(
            instructions,
            &architecture,
            &weights,
            arithmetic,
        )?));
    };
    if precision == ProductPrecision::Bytes {
        return Err(Error::usage("`--precision int8` runs on the CPU only")
            .hint("leave `--precision` or `--device` out"));
    }
    Ok(Box::new(Reference::on(device, architecture, weights)?))
}
