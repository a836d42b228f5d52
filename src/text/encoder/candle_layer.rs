//! Layers in candle's operations, as more than one file needs them.

use candle_core::{D, Result as CandleResult, Tensor};

use super::weights::{Linear, Norm};

/// Normalised over the last dimension, in two passes: candle's own norm takes the variance as a
/// difference of large numbers.
pub(super) fn normalised(norm: Option<&Norm>, x: Tensor, epsilon: f64) -> CandleResult<Tensor> {
    let Some(norm) = norm else { return Ok(x) };
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let scaled = centred
        .broadcast_div(&(variance + epsilon)?.sqrt()?)?
        .broadcast_mul(&norm.weight)?;
    match &norm.bias {
        Some(bias) => scaled.broadcast_add(bias),
        None => Ok(scaled),
    }
}

/// `x · weightᵀ + bias` over the last dimension.
pub(super) fn linear(linear: &Linear, x: &Tensor) -> CandleResult<Tensor> {
    candle_nn::Module::forward(
        &candle_nn::Linear::new(linear.weight.clone(), linear.bias.clone()),
        x,
    )
}
