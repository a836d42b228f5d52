//! Which forward pass runs an encoder.

use candle_core::Device;

use super::architecture::Architecture;
use super::packed::Forward;
use super::precision::ProductPrecision;
use super::reference::Reference;
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::text::transformer::Transformer;

/// The forward pass for these weights. Without a device our own
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
            .hint("remove `--precision` or `--device`"));
    }
    Ok(Box::new(Reference::on(device, architecture, weights)?))
}
