//! Where candle's operations run: a CUDA device, opened and tried here.
//!
//! Owns what a device's failures mean to a user. It must not know what runs there.

use candle_core::Device;
#[cfg(feature = "cuda")]
use candle_core::{Result as CandleResult, Tensor};

use super::parts::Processor;
use crate::error::{Error, Result};

/// The device that candle computes on for this processor; none where our own kernels do.
///
/// # Errors
/// Fails if there is no such device or it does not run this build's kernels; a usage error if this
/// build has none.
pub(super) fn open(processor: Processor) -> Result<Option<Device>> {
    match processor {
        Processor::Cpu => Ok(None),
        Processor::Reference => Ok(Some(Device::Cpu)),
        Processor::Cuda(number) => cuda(number).map(Some),
    }
}

#[cfg(feature = "cuda")]
fn cuda(number: u16) -> Result<Device> {
    // One stream that all workers share: candle's default is a stream for each thread, and nothing
    // orders those among themselves.
    let opened = Device::new_cuda_with_stream(usize::from(number))
        .and_then(|device| tried(&device).map(|()| device));
    opened.map_err(|error| failed(&format!("cannot use the CUDA device {number}"), error))
}

/// Kernels are loaded with the first operation: a driver or a device that does not take them says
/// so here, not after the first rows.
#[cfg(feature = "cuda")]
fn tried(device: &Device) -> CandleResult<()> {
    Tensor::new(&[1.0_f32], device)?
        .affine(2.0, 1.0)?
        .to_vec1::<f32>()
        .map(|_| ())
}

#[cfg(not(feature = "cuda"))]
fn cuda(number: u16) -> Result<Device> {
    Err(Error::usage(format!(
        "`--device cuda:{number}`: this build of tallow runs on the CPU only"
    ))
    .hint(
        "build it with `cargo build --release --features cuda`, which needs NVIDIA's CUDA toolkit",
    ))
}

/// What candle says of a device, with what to do about it.
pub(super) fn failed(doing: &str, error: candle_core::Error) -> Error {
    let error = bare(error);
    let said = error.to_string();
    let known = HINTS
        .iter()
        .find(|(names, _)| names.iter().any(|name| said.contains(name)));
    let failed = Error::failed(doing).because(error);
    match known {
        Some((_, hint)) => failed.hint(*hint),
        None => failed,
    }
}

/// Without the calls that led there: with `RUST_BACKTRACE` they would be part of the text.
fn bare(error: candle_core::Error) -> candle_core::Error {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => bare(*inner),
        other => other,
    }
}

/// (names of CUDA's failures, what to do).
const HINTS: [(&[&str], &str); 3] = [
    (
        &["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"],
        "the device's memory is full: `nvidia-smi` shows what else runs there; a smaller \
         `--max-tokens` needs less",
    ),
    (
        &[
            "CUDA_ERROR_NO_DEVICE",
            "CUDA_ERROR_INVALID_DEVICE",
            "CUDA_ERROR_STUB_LIBRARY",
            "CUDA_ERROR_NOT_INITIALIZED",
        ],
        "`nvidia-smi` lists the devices that the driver knows; without one remove `--device`",
    ),
    (
        &[
            "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
            "CUDA_ERROR_NO_BINARY_FOR_GPU",
            "CUDA_ERROR_INVALID_PTX",
            "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
            "INSUFFICIENT_DRIVER",
        ],
        "driver, device and build do not fit: take a newer driver, or build with a toolkit as old \
         as the driver and with `CUDA_COMPUTE_CAP` at most the device's",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_device_and_one_that_is_not_there_say_what_to_do() {
        let hint = |said: &str| {
            failed("cannot run", candle_core::Error::Msg(said.to_owned()))
                .hint_text()
                .unwrap_or_default()
                .to_owned()
        };
        assert!(
            hint("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")")
                .contains("memory is full")
        );
        assert!(hint("CublasError(CUBLAS_STATUS_ALLOC_FAILED)").contains("memory is full"));
        assert!(
            hint("DriverError(CUDA_ERROR_NO_DEVICE, \"no CUDA-capable device is detected\")")
                .contains("`nvidia-smi` lists")
        );
        assert!(
            hint("DriverError(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, \"\")")
                .contains("CUDA_COMPUTE_CAP")
        );
        assert_eq!(hint("something else"), "");
    }

    #[test]
    fn calls_that_led_to_a_failure_are_no_part_of_its_text() {
        let traced = candle_core::Error::WithBacktrace {
            inner: Box::new(candle_core::Error::Msg("full".to_owned())),
            backtrace: Box::new(std::backtrace::Backtrace::force_capture()),
        };
        assert_ne!(traced.to_string(), "full");
        assert_eq!(
            std::error::Error::source(&failed("cannot run", traced))
                .unwrap()
                .to_string(),
            "full"
        );
    }
}
