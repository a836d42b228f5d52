//! The arithmetic of a network: matrix products on candle, and all that happens to a row between two of them.
//!
//! A block always has [`BLOCK_ROWS`] rows, so that a product always has the same shape and therefore the same kernel, and a row's
//! numbers do not depend on its company. What lies between two products is done row by row while the row is in the cache.

use candle_core::cpu::erf::erf_f32;
use candle_core::{CpuStorage, Device, Storage, Tensor};

use crate::error::{Error, Result};

/// Rows that go through the network together. Fixed, because the matrix product picks its kernel by the number of rows; a multiple of
/// every kernel's tile; 128 rows of 512 numbers (256 KiB) stay in the second-level cache.
pub(super) const BLOCK_ROWS: usize = 128;

/// One thing that happens to a block.
#[derive(Debug)]
pub(super) enum Step {
    /// A matrix product with a matrix of shape \[in, out\].
    Product(Matrix),
    /// What happens to each row by itself.
    Rows(Vec<RowStep>),
    /// The sum of two ways through.
    Residual { branch: Vec<Step>, shortcut: Vec<Step> },
}

#[derive(Debug)]
pub(super) struct Matrix {
    tensor: Tensor,
    inner: usize,
}

/// One thing that happens to a row, in place.
#[derive(Debug)]
pub(super) enum RowStep {
    /// x + bias.
    Bias(Vec<f32>),
    /// x · scale + shift.
    Affine { scale: Vec<f32>, shift: Vec<f32> },
    /// (x − mean) / √(variance + epsilon), then gain and shift.
    Normalise { epsilon: f64, gain: Option<Vec<f32>>, shift: Option<Vec<f32>> },
    /// A function of each number.
    Activation(Activation),
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Activation {
    Relu,
    LeakyRelu(f32),
    Elu(f32),
    Gelu,
    GeluTanh,
    Silu,
    Tanh,
    Sigmoid,
}

/// Takes a block of [`BLOCK_ROWS`] rows through the steps; of the rows, the first `row_count` are meant.
pub(super) fn run(steps: &[Step], mut values: Vec<f32>, row_count: usize) -> Result<Vec<f32>> {
    for step in steps {
        values = match step {
            Step::Product(matrix) => matrix.product(values)?,
            Step::Rows(row_steps) => {
                let width = values.len() / BLOCK_ROWS;
                values.chunks_exact_mut(width).take(row_count).for_each(|row| row_steps.iter().for_each(|row_step| row_step.apply(row)));
                values
            }
            Step::Residual { branch, shortcut } => {
                let mut sum = run(branch, values.clone(), row_count)?;
                let kept = run(shortcut, values, row_count)?;
                sum.iter_mut().zip(&kept).for_each(|(sum, kept)| *sum += kept);
                sum
            }
        };
    }
    Ok(values)
}

impl Matrix {
    /// A matrix from a weight of shape \[out, in\], row-major; kept as \[in, out\], which the product reads without packing it again.
    pub(super) fn transposed(weight: Vec<f32>, outer: usize, inner: usize) -> Result<Self> {
        let tensor = Tensor::from_vec(weight, (outer, inner), &Device::Cpu).and_then(|tensor| tensor.t()?.contiguous());
        Ok(Self { tensor: tensor.map_err(engine)?, inner })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.tensor.elem_count() * size_of::<f32>()
    }

    fn product(&self, values: Vec<f32>) -> Result<Vec<f32>> {
        let product = Tensor::from_vec(values, (BLOCK_ROWS, self.inner), &Device::Cpu).and_then(|rows| rows.matmul(&self.tensor));
        let product = product.map_err(engine)?;
        let (storage, _) = product.storage_and_layout();
        match &*storage {
            Storage::Cpu(CpuStorage::F32(values)) => Ok(values.clone()),
            _ => Err(Error::internal("a matrix product that is not in single precision on the processor")),
        }
    }
}

fn engine(error: candle_core::Error) -> Error {
    Error::internal("the matrix product failed").because(error)
}

impl RowStep {
    fn apply(&self, row: &mut [f32]) {
        match self {
            Self::Bias(bias) => row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias),
            Self::Affine { scale, shift } => {
                row.iter_mut().zip(scale.iter().zip(shift)).for_each(|(value, (scale, shift))| *value = *value * scale + shift);
            }
            Self::Normalise { epsilon, gain, shift } => {
                normalise(row, *epsilon);
                if let Some(gain) = gain {
                    row.iter_mut().zip(gain).for_each(|(value, gain)| *value *= gain);
                }
                if let Some(shift) = shift {
                    row.iter_mut().zip(shift).for_each(|(value, shift)| *value += shift);
                }
            }
            Self::Activation(activation) => activation.apply(row),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let numbers = match self {
            Self::Bias(bias) => bias.len(),
            Self::Affine { scale, shift } => scale.len() + shift.len(),
            Self::Normalise { gain, shift, .. } => gain.as_ref().map_or(0, Vec::len) + shift.as_ref().map_or(0, Vec::len),
            Self::Activation(_) => 0,
        };
        numbers * size_of::<f32>()
    }
}

/// Two passes in double precision: E\[x²\] − mean² in single precision loses all digits where the mean is large.
fn normalise(row: &mut [f32], epsilon: f64) {
    let count = row.len() as f64;
    let mean = sum(row, f64::from) / count;
    let variance = sum(row, |value| (f64::from(value) - mean).powi(2)) / count;
    let inverse = 1.0 / (variance + epsilon).sqrt();
    for value in row {
        *value = ((f64::from(*value) - mean) * inverse) as f32;
    }
}

/// The sum over a row in a fixed order: eight running sums, which the compiler can keep in vector registers.
fn sum(row: &[f32], term: impl Fn(f32) -> f64) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let (chunks, rest) = row.as_chunks::<8>();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += term(*value));
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|value| term(*value)).sum::<f64>()
}

impl Activation {
    /// Every function keeps NaN, as PyTorch's do; `f32::max` would turn it into a number.
    fn apply(self, row: &mut [f32]) {
        match self {
            Self::Relu => each(row, |x| if x < 0.0 { 0.0 } else { x }),
            Self::LeakyRelu(slope) => each(row, |x| if x < 0.0 { x * slope } else { x }),
            Self::Elu(alpha) => each(row, |x| if x < 0.0 { alpha * x.exp_m1() } else { x }),
            Self::Gelu => each(row, |x| 0.5 * x * (1.0 + erf_f32(x * std::f32::consts::FRAC_1_SQRT_2))),
            Self::GeluTanh => each(row, |x| 0.5 * x * (1.0 + (SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)).tanh())),
            Self::Silu => each(row, |x| x / (1.0 + (-x).exp())),
            Self::Tanh => each(row, f32::tanh),
            Self::Sigmoid => each(row, |x| 1.0 / (1.0 + (-x).exp())),
        }
    }
}

/// √(2 / π), of the tanh form of GELU (Hendrycks and Gimpel, 2016).
const SQRT_2_OVER_PI: f32 = 0.797_884_6;

fn each(row: &mut [f32], function: impl Fn(f32) -> f32) {
    for value in row {
        *value = function(*value);
    }
}
