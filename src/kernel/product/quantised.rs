//! Rows of numbers made bytes, each with the scale and the zero that its own numbers ask for.
//!
//! Knows nothing of what the bytes are multiplied by: [`super::integer`].

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::lanes::{Lanes, Task};
use super::line::{LINE, Rows};
use crate::kernel::processor::Instructions;

/// Rows as bytes, each with its own scale and zero.
#[derive(Debug, Default)]
pub struct QuantisedRows {
    pub(super) bytes: Vec<u8>,
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<i32>,
}

impl QuantisedRows {
    /// Puts these rows in the place of those that were here.
    ///
    /// # Panics
    /// If a row does not lie inside its slice.
    pub fn fill(&mut self, instructions: Instructions, rows: Rows<'_>) {
        self.width = rows.width;
        // An odd number of the cache's lines, so that rows below each other do not share its sets.
        self.stride = (rows.width.div_ceil(64) | 1) * 64;
        // Registers of tiles are filled to their last row.
        let expected = self.stride * (rows.count + 15);
        if self.bytes.len() < expected {
            self.bytes.resize(expected, 0);
        }
        self.scales.clear();
        self.zeros.clear();
        instructions.run(Quantise { rows, into: self });
    }

    /// The bytes of each row less their zero, and its scale.
    #[cfg(test)]
    pub(super) fn shifted_bytes(&self) -> Vec<(Vec<i64>, f32)> {
        let rows = self
            .bytes
            .chunks(self.stride)
            .zip(self.scales.iter().zip(&self.zeros));
        rows.map(|(row, (scale, zero))| {
            (
                row[..self.width]
                    .iter()
                    .map(|byte| i64::from(*byte) - i64::from(*zero))
                    .collect(),
                *scale,
            )
        })
        .collect()
    }

    /// The numbers that the bytes stand for.
    #[cfg(test)]
    pub(super) fn numbers(&self) -> Vec<Vec<f64>> {
        let rows = self.shifted_bytes().into_iter();
        rows.map(|(row, scale)| {
            row.into_iter()
                .map(|byte| f64::from(scale) * byte as f64)
                .collect()
        })
        .collect()
    }
}

/// Rows to bytes.
struct Quantise<'a, 'b> {
    rows: Rows<'a>,
    into: &'b mut QuantisedRows,
}

impl Task for Quantise<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { rows, into } = self;
        for row in 0..rows.count {
            let values = &rows.values[row * rows.stride..row * rows.stride + rows.width];
            let [least, largest] = range(lanes, values);
            let span = largest - least;
            let inverse = if span > 0.0 { 255.0 / span } else { 0.0 };
            let zero = (-least * inverse).round_ties_even();
            into.scales.push(span / 255.0);
            into.zeros.push(zero as i32);
            let bytes = &mut into.bytes[row * into.stride..(row + 1) * into.stride];
            let (lines, rest) = values.as_chunks::<LINE>();
            let (indices, _) = bytes.as_chunks_mut::<LINE>();
            let (inverse, zero) = (lanes.splat(inverse), lanes.splat(zero));
            for (line, index) in lines.iter().zip(indices.iter_mut()) {
                store(lanes, lanes.load(line), [inverse, zero], index);
            }
            if !rest.is_empty() {
                store(
                    lanes,
                    lanes.load_some(rest, 0.0),
                    [inverse, zero],
                    &mut indices[lines.len()],
                );
            }
        }
    }
}

/// The least and the largest number of a row and 0; both NaN if a number of the row is not finite.
#[inline(always)]
fn range<L: Lanes>(lanes: L, values: &[f32]) -> [f32; 2] {
    let (lines, rest) = values.as_chunks::<LINE>();
    let none = lanes.splat(0.0);
    // Two of each, so that no step waits for the one before.
    let (mut least, mut largest, mut faults) = ([none; 2], [none; 2], [none; 2]);
    let (pairs, single) = lines.as_chunks::<2>();
    for [even, odd] in pairs {
        let (even, odd) = (lanes.load(even), lanes.load(odd));
        least = [lanes.lesser(even, least[0]), lanes.lesser(odd, least[1])];
        largest = [
            lanes.greater(even, largest[0]),
            lanes.greater(odd, largest[1]),
        ];
        faults = [
            lanes.fused(even, none, faults[0]),
            lanes.fused(odd, none, faults[1]),
        ];
    }
    for line in single {
        let vector = lanes.load(line);
        (least[0], largest[0], faults[0]) = (
            lanes.lesser(vector, least[0]),
            lanes.greater(vector, largest[0]),
            lanes.fused(vector, none, faults[0]),
        );
    }
    let (least, largest) = (
        lanes.lesser(least[0], least[1]),
        lanes.greater(largest[0], largest[1]),
    );
    let faults = lanes.add(faults[0], faults[1]);
    let last = lanes.load_some(rest, 0.0);
    let least = lanes.subtract(none, lanes.lesser(last, least));
    let largest = lanes.greater(last, largest);
    // Nothing where all numbers are finite, else NaN.
    let fault = lanes.sum(lanes.fused(last, none, faults));
    [fault - lanes.largest(least), fault + lanes.largest(largest)]
}

#[inline(always)]
fn store<L: Lanes>(
    lanes: L,
    vector: L::Vector,
    [inverse, zero]: [L::Vector; 2],
    index: &mut [u8; LINE],
) {
    let shifted = lanes.add(lanes.multiply(vector, inverse), zero);
    let held = lanes.greater(lanes.splat(0.0), lanes.lesser(lanes.splat(255.0), shifted));
    lanes.store_bytes(held, index);
}
