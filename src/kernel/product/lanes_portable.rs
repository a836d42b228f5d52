//! Vectors of 16 numbers in plain arithmetic.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::lanes::{Lanes, ROUNDER, Task};
use super::line::LINE;

/// What every processor can do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

/// Applies a function of two numbers place by place.
macro_rules! each {
    ($a:ident, $b:ident, $result:expr) => {
        std::array::from_fn(|index| {
            let ($a, $b) = ($a[index], $b[index]);
            $result
        })
    };
}

impl Lanes for Portable {
    type Vector = [f32; LINE];

    #[inline(always)]
    fn vectorised<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        [value; LINE]
    }

    #[inline(always)]
    fn load(self, values: &[f32; LINE]) -> Self::Vector {
        *values
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, values: &mut [f32; LINE]) {
        *values = vector;
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b, a + b)
    }

    #[inline(always)]
    fn subtract(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b, a - b)
    }

    #[inline(always)]
    fn multiply(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b, a * b)
    }

    #[inline(always)]
    fn divide(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b, a / b)
    }

    #[inline(always)]
    fn fused(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        self.add(self.multiply(a, b), c)
    }

    #[inline(always)]
    fn greater(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b, if a > b { a } else { b })
    }

    #[inline(always)]
    fn lesser(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        each!(a, b, if a < b { a } else { b })
    }

    #[inline(always)]
    fn power_of_two(self, shifted: Self::Vector) -> Self::Vector {
        shifted
            .map(|number| f32::from_bits((number.to_bits() << 23).wrapping_add(1.0_f32.to_bits())))
    }

    #[inline(always)]
    fn sum(self, vector: Self::Vector) -> f32 {
        let mut sums = vector;
        let mut half = LINE / 2;
        while half > 0 {
            for index in 0..half {
                sums[index] += sums[index + half];
            }
            half /= 2;
        }
        sums[0]
    }

    #[inline(always)]
    fn store_bytes(self, vector: Self::Vector, bytes: &mut [u8; LINE]) {
        // The sum is rounded to an integer, halves to even, whose lowest byte is the answer.
        *bytes = vector.map(|number| (number + ROUNDER).to_bits() as u8);
    }

    #[inline(always)]
    fn evens(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        std::array::from_fn(|index| {
            if index < LINE / 2 {
                a[2 * index]
            } else {
                b[2 * index - LINE]
            }
        })
    }

    #[inline(always)]
    fn transpose(self, rows: [Self::Vector; LINE]) -> [Self::Vector; LINE] {
        std::array::from_fn(|column| std::array::from_fn(|row| rows[row][column]))
    }
}
