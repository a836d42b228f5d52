//! Text encoders of the BERT family: texts in, vectors, labels, scores or entities out.
//!
//! Owns what an encoder is ([`architecture`]), its weights in one shape ([`weights`]), texts packed without padding ([`packed`]), the forward passes
//! over them, and the model around it: tokenizer, pooling, heads. The files come as [`parts`]; [`fn@assemble`] makes a model of them. Nothing here knows
//! files on disk or threads.

pub mod architecture;
mod assemble;
mod classes;
pub mod config;
mod entities;
pub mod family;
mod head;
mod load;
mod names;
pub mod packed;
pub mod parts;
mod pooling;
pub mod reference;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
mod text_model;
mod tokenizer;
pub mod weights;

pub use assemble::{TEXT, TEXT_PAIR, assemble};
pub use text_model::TextModel;

use candle_core::Device;

use self::architecture::Architecture;
use self::packed::Forward;
use self::reference::Reference;
use self::weights::Weights;
use crate::error::{Error, Result};
use crate::model::product::Instructions;
use crate::model::transformer::{Arithmetic, Transformer};

/// How products of matrices are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProductPrecision {
    /// In single precision; on processors with AMX from numbers of 17 bits, see [`crate::model::product`].
    #[default]
    Single,
    /// In single precision with all 24 bits on every processor.
    SingleExact,
    /// In bytes, summed exactly; what lies between two products stays in single precision.
    Bytes,
}

/// The forward pass for these weights on this device: the one place where it is chosen. On a processor our own kernels run, elsewhere candle's.
///
/// # Errors
/// Fails if the weights cannot be brought into the form that the pass wants, and for bytes on another device.
pub fn forward(architecture: Architecture, weights: Weights, precision: ProductPrecision, device: &Device) -> Result<Box<dyn Forward>> {
    match (device.is_cpu(), precision) {
        (true, ProductPrecision::Single) => Ok(Box::new(Transformer::new(&architecture, &weights, Arithmetic::Single)?)),
        (true, ProductPrecision::SingleExact) => Ok(Box::new(Transformer::with(Instructions::exact(), &architecture, &weights, Arithmetic::Single)?)),
        (true, ProductPrecision::Bytes) => Ok(Box::new(Transformer::new(&architecture, &weights, Arithmetic::Bytes)?)),
        (false, ProductPrecision::Single | ProductPrecision::SingleExact) => Ok(Box::new(Reference::new(architecture, weights, device.clone()))),
        (false, ProductPrecision::Bytes) => {
            Err(Error::usage("`--precision int8` runs on the processor only").hint("leave `--precision` or `--device` out"))
        }
    }
}
