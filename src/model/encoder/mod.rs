//! Text encoders of the BERT family: texts in, vectors, labels, scores or entities out.
//!
//! Owns what an encoder is ([`architecture`]), its weights in one shape ([`weights`]), texts packed without padding ([`packed`]), the forward passes
//! over them, and the model around it: tokenizer, pooling, heads. The files come as [`parts`]; [`assemble`] makes a model of them. Nothing here knows
//! files on disk or threads.

pub mod architecture;
mod assemble;
mod classes;
pub mod config;
mod entities;
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
use crate::error::Result;

/// How products of matrices are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProductPrecision {
    /// In single precision.
    #[default]
    Single,
}

/// The forward pass for these weights on this device: the one place where it is chosen.
///
/// # Errors
/// Fails if the weights cannot be brought into the form that the pass wants.
pub fn forward(architecture: Architecture, weights: Weights, precision: ProductPrecision, device: &Device) -> Result<Box<dyn Forward>> {
    match precision {
        ProductPrecision::Single => Ok(Box::new(Reference::new(architecture, weights, device.clone()))),
    }
}
