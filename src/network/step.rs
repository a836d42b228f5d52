//! The arithmetic of a network: dense layers on the packed product, and all that happens to a row
//! between two of them.
//!
//! Rows go through in blocks, so that what lies between two layers stays in the second-level cache;
//! a row's numbers do not depend on its company. What lies between two products is done row by row
//! while the row is in the cache.

use super::block::{Block, Pool};
use super::curve;
use crate::kernel::product::{Dense, Rows};
use crate::model::trace;

/// Rows that go through the network together: eight of the product's highest tiles. Their 512
/// numbers each (224 KiB), twice, stay in the second-level cache alongside the matrix.
pub(crate) const BLOCK_ROWS: usize = 112;

/// One thing that happens to a block.
#[derive(Debug)]
pub(crate) enum Step {
    /// A matrix product with its bias and perhaps the rectifier.
    Product(Dense),
    /// What happens to each row by itself.
    Rows(Vec<RowStep>),
    /// The sum of two ways through.
    Residual {
        branch: Vec<Step>,
        shortcut: Vec<Step>,
    },
}

/// One thing that happens to a row, in place.
#[derive(Debug)]
pub(crate) enum RowStep {
    /// x · scale + shift.
    Affine { scale: Vec<f32>, shift: Vec<f32> },
    /// (x − mean) / √(variance + epsilon), then gain and shift.
    Normalise {
        epsilon: f64,
        gain: Option<Vec<f32>>,
        shift: Option<Vec<f32>>,
    },
    /// A function of each number.
    Activation(Activation),
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activation {
    Relu,
    LeakyRelu(f32),
    Elu(f32),
    Gelu,
    GeluTanh,
    Silu,
    Tanh,
    Sigmoid,
}

/// Takes a block of rows through the steps; the result is the caller's to give back to the pool.
pub(crate) fn run(steps: &[Step], source: Rows<'_>, pool: &mut Pool) -> Block {
    let mut current: Option<Block> = None;
    for step in steps {
        let rows = current.as_ref().map_or(source, Block::rows);
        let next = match step {
            Step::Product(dense) => {
                let mut next = pool.take(rows.count, dense.outer());
                dense.multiply(rows, &mut next.values, next.stride);
                next
            }
            Step::Rows(row_steps) => {
                let mut next = current.take().unwrap_or_else(|| pool.copy(source));
                next.rows_mut()
                    .for_each(|row| row_steps.iter().for_each(|row_step| row_step.apply(row)));
                next
            }
            Step::Residual { branch, shortcut } => {
                let mut sum = run(branch, rows, pool);
                let kept = run(shortcut, rows, pool);
                sum.add(&kept);
                pool.give(kept);
                sum
            }
        };
        if trace::is_followed() {
            note(step, &next);
        }
        if let Some(used) = current.replace(next) {
            pool.give(used);
        }
    }
    current.unwrap_or_else(|| pool.copy(source))
}

/// Notes what a step makes of the first row.
fn note(step: &Step, made: &Block) {
    let mut values = Vec::new();
    made.append_to(&mut values);
    let width = made.rows().width;
    let value = |(index, value): (usize, &f32)| trace::Value {
        name: format!("[{index}]"),
        value: value.to_string(),
    };
    trace::note_step(trace::Step {
        name: "layer".to_owned(),
        operation: step.describe(),
        outputs: values.iter().take(width).enumerate().map(value).collect(),
        ..trace::Step::default()
    });
}

impl Step {
    /// What it does, in words: `dense 16 → 8, relu`.
    fn describe(&self) -> String {
        match self {
            Self::Product(dense) if dense.is_rectified() => {
                format!("dense {} → {}, relu", dense.inner(), dense.outer())
            }
            Self::Product(dense) => format!("dense {} → {}", dense.inner(), dense.outer()),
            Self::Rows(row_steps) => {
                let words: Vec<String> = row_steps.iter().map(RowStep::describe).collect();
                words.join(", ")
            }
            Self::Residual { .. } => "sum of both branches".to_owned(),
        }
    }
}

impl RowStep {
    fn describe(&self) -> String {
        match self {
            Self::Affine { .. } => "scale and shift".to_owned(),
            Self::Normalise { .. } => "layer norm".to_owned(),
            Self::Activation(activation) => format!("{activation:?}").to_lowercase(),
        }
    }

    fn apply(&self, row: &mut [f32]) {
        match self {
            Self::Affine { scale, shift } => {
                row.iter_mut()
                    .zip(scale.iter().zip(shift))
                    .for_each(|(value, (scale, shift))| *value = *value * scale + shift);
            }
            Self::Normalise {
                epsilon,
                gain,
                shift,
            } => {
                normalise(row, *epsilon);
                if let Some(gain) = gain {
                    row.iter_mut()
                        .zip(gain)
                        .for_each(|(value, gain)| *value *= gain);
                }
                if let Some(shift) = shift {
                    row.iter_mut()
                        .zip(shift)
                        .for_each(|(value, shift)| *value += shift);
                }
            }
            Self::Activation(activation) => activation.apply(row),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let numbers = match self {
            Self::Affine { scale, shift } => scale.len() + shift.len(),
            Self::Normalise { gain, shift, .. } => {
                gain.as_ref().map_or(0, Vec::len) + shift.as_ref().map_or(0, Vec::len)
            }
            Self::Activation(_) => 0,
        };
        numbers * size_of::<f32>()
    }
}

/// The bytes that steps hold.
pub(crate) fn memory_bytes(steps: &[Step]) -> usize {
    let bytes = steps.iter().map(|step| match step {
        Step::Product(dense) => dense.memory_bytes(),
        Step::Rows(row_steps) => row_steps.iter().map(RowStep::memory_bytes).sum(),
        Step::Residual { branch, shortcut } => memory_bytes(branch) + memory_bytes(shortcut),
    });
    bytes.sum()
}

/// Adds an activation to what is done so far: the rectifier right behind a product becomes part of
/// it.
pub(crate) fn activate(steps: &mut Vec<Step>, activation: Activation) {
    match steps.pop() {
        Some(Step::Product(dense)) if activation == Activation::Relu => {
            steps.push(Step::Product(dense.rectified()));
        }
        last => {
            steps.extend(last);
            then(steps, RowStep::Activation(activation));
        }
    }
}

/// Joins what happens to rows, so that a row stays in the cache for all of it.
pub(crate) fn then(steps: &mut Vec<Step>, row_step: RowStep) {
    match steps.last_mut() {
        Some(Step::Rows(row_steps)) => row_steps.push(row_step),
        _ => steps.push(Step::Rows(vec![row_step])),
    }
}

/// Two passes in double precision: E\[x²\] − mean² in single precision loses all digits where the
/// mean is large.
fn normalise(row: &mut [f32], epsilon: f64) {
    let count = row.len() as f64;
    let mean = sum(row, f64::from) / count;
    let variance = sum(row, |value| (f64::from(value) - mean).powi(2)) / count;
    let inverse = 1.0 / (variance + epsilon).sqrt();
    for value in row {
        *value = ((f64::from(*value) - mean) * inverse) as f32;
    }
}

/// The sum over a row in a fixed order: eight running sums, which the compiler can keep in vector
/// registers.
fn sum(row: &[f32], term: impl Fn(f32) -> f64) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let (chunks, rest) = row.as_chunks::<8>();
    for chunk in chunks {
        lanes
            .iter_mut()
            .zip(chunk)
            .for_each(|(lane, value)| *lane += term(*value));
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
            Self::Gelu => curve::gelu(row),
            Self::GeluTanh => curve::gelu_tanh(row),
            Self::Silu => curve::silu(row),
            Self::Tanh => curve::tanh(row),
            Self::Sigmoid => curve::sigmoid(row),
        }
    }
}

fn each(row: &mut [f32], function: impl Fn(f32) -> f32) {
    for value in row {
        *value = function(*value);
    }
}
