//! What row-wise kernels ask of a processor: arithmetic on vectors of 16 numbers.
//!
//! A value of a type that implements [`Lanes`] proves that the processor can do it: only
//! `Instructions::run` makes one, after asking. A kernel is written once, as a [`Task`];
//! everything in it is inlined into the one function that was compiled with the instructions.
//! AVX-512 and AVX2 multiply and add in one rounding and sum a vector in the same order, so they
//! give the same bits; the portable lanes round products and sums apart.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::line::LINE;

/// Added to a number of some hundreds it leaves the nearest integer in the last bits.
pub(crate) const ROUNDER: f32 = 12_582_912.0;

/// Vectors of 16 numbers and what can be done with them.
pub(crate) trait Lanes: Copy {
    /// Sixteen numbers, in memory one behind another.
    type Vector: Copy;

    /// Does a task in a function that is compiled with these instructions.
    fn vectorised<T: Task>(self, task: T) -> T::Output;

    /// Sixteen times the same.
    fn splat(self, value: f32) -> Self::Vector;
    /// Sixteen numbers from memory.
    fn load(self, values: &[f32; LINE]) -> Self::Vector;
    /// Sixteen numbers into memory.
    fn store(self, vector: Self::Vector, values: &mut [f32; LINE]);
    /// a + b.
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a − b.
    fn subtract(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a · b.
    fn multiply(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a / b.
    fn divide(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a · b + c, rounded once where the processor can.
    fn fused(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The greater of each two; where one is NaN, b.
    fn greater(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The lesser of each two; where one is NaN, b.
    fn lesser(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// 2ⁿ of numbers n + [`ROUNDER`], n from −126 to 127.
    fn power_of_two(self, shifted: Self::Vector) -> Self::Vector;
    /// The sum: halves, quarters, pairs, and the two that are left.
    fn sum(self, vector: Self::Vector) -> f32;
    /// The nearest integers, halves to even, of numbers from 0 to 255; others give some byte.
    fn store_bytes(self, vector: Self::Vector, bytes: &mut [u8; LINE]);
    /// Every other number of two vectors, the first one's first.
    fn evens(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Sixteen vectors of a matrix, its rows made columns.
    fn transpose(self, rows: [Self::Vector; LINE]) -> [Self::Vector; LINE];

    /// The largest of the sixteen; NaN may be passed over.
    #[inline(always)]
    fn largest(self, vector: Self::Vector) -> f32 {
        let mut line = [0.0; LINE];
        self.store(vector, &mut line);
        let mut half = LINE / 2;
        while half > 0 {
            for index in 0..half {
                line[index] = if line[index] > line[index + half] {
                    line[index]
                } else {
                    line[index + half]
                };
            }
            half /= 2;
        }
        line[0]
    }

    /// The first `count` numbers of one vector, the others of another.
    #[inline(always)]
    fn first(self, vector: Self::Vector, count: usize, others: Self::Vector) -> Self::Vector {
        let (mut line, mut other) = ([0.0; LINE], [0.0; LINE]);
        self.store(vector, &mut line);
        self.store(others, &mut other);
        line[count.min(LINE)..].copy_from_slice(&other[count.min(LINE)..]);
        self.load(&line)
    }

    /// Fewer than sixteen numbers, the others `fill`.
    #[inline(always)]
    fn load_some(self, values: &[f32], fill: f32) -> Self::Vector {
        let mut line = [fill; LINE];
        line[..values.len()].copy_from_slice(values);
        self.load(&line)
    }

    /// The first of sixteen numbers, as many as there is room for.
    #[inline(always)]
    fn store_some(self, vector: Self::Vector, values: &mut [f32]) {
        let mut line = [0.0; LINE];
        self.store(vector, &mut line);
        values.copy_from_slice(&line[..values.len()]);
    }
}

/// Something to do with whatever lanes there are.
pub(crate) trait Task {
    /// What it gives.
    type Output;

    /// Does it; must be inlined always, as all that it calls with lanes.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}
