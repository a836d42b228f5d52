//! Layer normalisation of rows, in two passes over a row that lies in the first-level cache.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::processor::Instructions;
use super::product::LINE;
use super::product::lanes::{Lanes, Task};

/// `(x − mean) / √(variance + epsilon) · gain + shift`.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    pub(crate) gain: Vec<f32>,
    /// As long as the gain.
    pub(crate) shift: Vec<f32>,
    pub(crate) epsilon: f32,
}

impl Norm {
    /// Normalises the first numbers of each row, in place.
    pub(crate) fn apply(
        &self,
        instructions: Instructions,
        rows: &mut [f32],
        stride: usize,
        row_count: usize,
    ) {
        instructions.run(Normalise {
            norm: self,
            rows,
            stride,
            row_count,
        });
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(self.gain.as_slice()) + size_of_val(self.shift.as_slice())
    }
}

struct Normalise<'a> {
    norm: &'a Norm,
    rows: &'a mut [f32],
    stride: usize,
    row_count: usize,
}

impl Task for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for row in self.rows.chunks_mut(self.stride).take(self.row_count) {
            normalise(lanes, self.norm, &mut row[..self.norm.gain.len()]);
        }
    }
}

/// The variance is that of the differences from the mean: E\[x²\] − mean² loses all digits where
/// the mean is large.
#[inline(always)]
fn normalise<L: Lanes>(lanes: L, norm: &Norm, row: &mut [f32]) {
    let width = row.len();
    let count = width as f32;
    let (lines, rest) = row.as_chunks_mut::<LINE>();
    let mut sum = lanes.splat(0.0);
    for line in lines.iter() {
        sum = lanes.add(sum, lanes.load(line));
    }
    let mean = lanes.sum(lanes.add(sum, lanes.load_some(rest, 0.0))) / count;
    let middle = lanes.splat(mean);
    let mut squares = lanes.splat(0.0);
    for line in lines.iter() {
        let difference = lanes.subtract(lanes.load(line), middle);
        squares = lanes.fused(difference, difference, squares);
    }
    let last = lanes.subtract(lanes.load_some(rest, mean), middle);
    let variance = lanes.sum(lanes.fused(last, last, squares)) / count;
    let inverse = lanes.splat(1.0 / (variance + norm.epsilon).sqrt());
    let (gains, last_gain) = norm.gain.as_chunks::<LINE>();
    let (shifts, last_shift) = norm.shift[..width].as_chunks::<LINE>();
    for ((line, gain), shift) in lines.iter_mut().zip(gains).zip(shifts) {
        let scaled = lanes.multiply(lanes.subtract(lanes.load(line), middle), inverse);
        lanes.store(
            lanes.fused(scaled, lanes.load(gain), lanes.load(shift)),
            line,
        );
    }
    if !rest.is_empty() {
        let scaled = lanes.multiply(last, inverse);
        lanes.store_some(
            lanes.fused(
                scaled,
                lanes.load_some(last_gain, 0.0),
                lanes.load_some(last_shift, 0.0),
            ),
            rest,
        );
    }
}
