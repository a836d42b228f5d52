//! Operators of single precision that go over whole rows, on vectors of sixteen numbers.
//!
//! A row's bits depend on that row alone. The operators' definitions in double precision, which
//! every other type takes, are what they are tested against.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use crate::kernel::processor::Instructions;
use crate::kernel::product::lanes::{Lanes, Task};
use crate::kernel::product::{self, LINE};

/// Turns every number into its exponential.
pub(crate) fn exponentials(values: &mut [f32]) {
    Instructions::exact().run(Exponentials(values));
}

/// Turns every number into its error function.
pub(crate) fn errors(values: &mut [f32]) {
    Instructions::exact().run(Errors(values));
}

/// Turns rows of so many numbers into shares that sum to 1, as `Softmax` does.
pub(crate) fn shares(values: &mut [f32], width: usize) {
    Instructions::exact().run(Shares { values, width });
}

struct Exponentials<'a>(&'a mut [f32]);
struct Errors<'a>(&'a mut [f32]);
struct Shares<'a> {
    values: &'a mut [f32],
    width: usize,
}

impl Task for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        each(lanes, self.0, |lanes, line| exponential(lanes, line));
    }
}

impl Task for Errors<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        each(lanes, self.0, |lanes, line| product::erf(lanes, line));
    }
}

impl Task for Shares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for row in self.values.chunks_exact_mut(self.width.max(1)) {
            let largest = lanes.splat(largest(lanes, row));
            let mut sum = lanes.splat(0.0);
            let (lines, rest) = row.as_chunks_mut::<LINE>();
            for line in lines.iter_mut() {
                let powers = exponential(lanes, lanes.subtract(lanes.load(line), largest));
                sum = lanes.add(sum, powers);
                lanes.store(powers, line);
            }
            let last = exponential(
                lanes,
                lanes.subtract(lanes.load_some(rest, f32::NEG_INFINITY), largest),
            );
            let sum = lanes.splat(lanes.sum(lanes.add(sum, last)));
            for line in lines {
                lanes.store(lanes.divide(lanes.load(line), sum), line);
            }
            lanes.store_some(lanes.divide(last, sum), rest);
        }
    }
}

/// A function of all numbers, sixteen at a time.
#[inline(always)]
fn each<L: Lanes>(lanes: L, values: &mut [f32], function: impl Fn(L, L::Vector) -> L::Vector) {
    let (lines, rest) = values.as_chunks_mut::<LINE>();
    for line in lines {
        lanes.store(function(lanes, lanes.load(line)), line);
    }
    lanes.store_some(function(lanes, lanes.load_some(rest, 0.0)), rest);
}

/// exp(x), and nothing below −88, where the function for networks stays where it is.
#[inline(always)]
fn exponential<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    const STEEP: f32 = 1e30;
    let slope = lanes.multiply(lanes.add(x, lanes.splat(88.0)), lanes.splat(STEEP));
    let step = lanes.greater(lanes.splat(0.0), lanes.lesser(lanes.splat(1.0), slope));
    lanes.multiply(product::exp(lanes, x), step)
}

/// The largest number of a row; NaN is passed over.
#[inline(always)]
fn largest<L: Lanes>(lanes: L, row: &[f32]) -> f32 {
    let (lines, rest) = row.as_chunks::<LINE>();
    let mut all = lanes.splat(f32::NEG_INFINITY);
    for line in lines {
        // Where the row has NaN, what is known stays.
        all = lanes.greater(lanes.load(line), all);
    }
    lanes.largest(lanes.greater(lanes.load_some(rest, f32::NEG_INFINITY), all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::sample::noise;

    #[test]
    fn functions_are_those_of_the_definition() {
        let arguments: Vec<f32> = (-120_000..=100_000)
            .map(|step| step as f32 * 1e-3)
            .chain([f32::NEG_INFINITY, -1e-30, 1e-7, f32::INFINITY])
            .collect();
        let (mut powers, mut errors_found) = (arguments.clone(), arguments.clone());
        exponentials(&mut powers);
        errors(&mut errors_found);
        for ((x, power), error) in arguments.iter().zip(&powers).zip(&errors_found) {
            let expected = f64::from(*x).exp();
            let is_near = (f64::from(*power) - expected).abs() <= 3e-7 * expected + 1.7e-38
                || *x > 88.3 && (*power == f32::INFINITY || expected > 2e38);
            assert!(is_near, "exp({x}) is {expected}, not {power}");
            let expected = libm::erf(f64::from(*x));
            assert!(
                (f64::from(*error) - expected).abs() <= 4e-7 * expected.abs(),
                "erf({x}) is {expected}, not {error}"
            );
        }
        let mut nothing = [f32::NAN; 3];
        exponentials(&mut nothing);
        assert!(nothing[0].is_nan());
        errors(&mut nothing);
        assert!(nothing[2].is_nan());
    }

    #[test]
    fn shares_are_those_of_the_definition_and_the_same_in_any_batch() {
        for width in [1, 2, 15, 16, 17, 40, 100] {
            let mut rows: Vec<f32> = noise(width * 7, width as u64)
                .iter()
                .map(|value| value * 20.0)
                .collect();
            if width > 1 {
                rows[0] = f32::NEG_INFINITY;
                rows[width + 1] = f32::NAN;
            }
            let mut found = rows.clone();
            shares(&mut found, width);
            for (row, found) in rows.chunks(width).zip(found.chunks(width)) {
                let mut expected: Vec<f64> = row.iter().copied().map(f64::from).collect();
                super::super::reduction::soft_max(&mut expected);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(
                        (f64::from(*found) - expected).abs() <= 1e-6
                            || found.is_nan() && expected.is_nan(),
                        "{found} where {expected} is right"
                    );
                }
                let mut alone = row.to_vec();
                shares(&mut alone, width);
                assert!(
                    alone
                        .iter()
                        .zip(found)
                        .all(|(alone, found)| alone.to_bits() == found.to_bits())
                );
            }
        }
    }
}
