//! Text encoders of the BERT family: token ids in, one vector a token out.
//!
//! Owns what an encoder is ([`architecture`]), its weights in one shape ([`weights`]), texts packed without padding ([`packed`]) and the
//! forward passes over them. Nothing here knows columns or links.

pub mod architecture;
pub mod packed;
pub mod reference;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
pub mod weights;

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
