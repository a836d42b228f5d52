//! What is counted of a column's numbers: how many are missing, extremes, sums of steps.
//!
//! Owns loops over whole columns, written once and compiled for every set of instructions that
//! kernels know. What comes out are counts, extremes and sums of integers that double precision
//! holds exactly, so neither the instructions nor the order of the numbers can change a bit. It
//! must not know columns or baselines.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use std::fmt::Debug;

use super::processor::Instructions;
use super::product::lanes::{Lanes, Task};

/// Numbers that go through a loop side by side.
const SIDE_BY_SIDE: usize = 16;

/// The most numbers whose counts and sums of steps are kept in floating point.
pub const CHUNK: usize = 4096;

/// Rounds to an integer when added and taken away: 1.5 · 2⁵².
pub(super) const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// A number in single or double precision.
pub trait Number: Copy + Debug + PartialOrd {
    /// +∞.
    const INFINITY: Self;
    /// −∞.
    const NEGATIVE_INFINITY: Self;
    /// 0 and 1.
    const UNITS: [Self; 2];

    /// The sum of both.
    #[must_use]
    fn plus(self, other: Self) -> Self;
    /// The number in double precision.
    fn double(self) -> f64;
}

macro_rules! number {
    ($type:ty) => {
        impl Number for $type {
            const INFINITY: Self = <$type>::INFINITY;
            const NEGATIVE_INFINITY: Self = <$type>::NEG_INFINITY;
            const UNITS: [Self; 2] = [0.0, 1.0];

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }

            #[inline(always)]
            fn double(self) -> f64 {
                f64::from(self)
            }
        }
    };
}

number!(f32);
number!(f64);

/// NaN and the extremes of the other numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extremes<T> {
    /// How many numbers are NaN.
    pub nan_count: u64,
    /// The smallest of the others, infinite ones included; +∞ of none.
    pub min: T,
    /// The largest of them; −∞ of none.
    pub max: T,
}

impl<T: Number> Extremes<T> {
    /// Those of numbers.
    #[must_use]
    pub fn of(values: &[T]) -> Self {
        let mut all = Self::NONE;
        for values in values.chunks(CHUNK) {
            all.merge(&Instructions::Avx2.run(FindExtremes(values)));
        }
        all
    }

    /// Those of no numbers.
    const NONE: Self = Self {
        nan_count: 0,
        min: T::INFINITY,
        max: T::NEGATIVE_INFINITY,
    };

    fn merge(&mut self, other: &Self) {
        self.nan_count += other.nan_count;
        self.stretch(other.min, other.max);
    }

    /// Adds at most [`CHUNK`] numbers.
    #[inline(always)]
    fn add(&mut self, values: &[T]) {
        let [zero, one] = T::UNITS;
        let mut nan = [zero; SIDE_BY_SIDE];
        let mut min = [T::INFINITY; SIDE_BY_SIDE];
        let mut max = [T::NEGATIVE_INFINITY; SIDE_BY_SIDE];
        let (chunks, rest) = values.as_chunks::<SIDE_BY_SIDE>();
        for values in chunks {
            for (lane, &value) in values.iter().enumerate() {
                nan[lane] = nan[lane].plus(if is_nan(value) { one } else { zero });
                min[lane] = if value < min[lane] { value } else { min[lane] };
                max[lane] = if value > max[lane] { value } else { max[lane] };
            }
        }
        for value in rest {
            self.nan_count += u64::from(is_nan(*value));
            self.stretch(*value, *value);
        }
        for ((nan, min), max) in nan.into_iter().zip(min).zip(max) {
            self.nan_count += nan.double() as u64;
            self.stretch(min, max);
        }
    }

    /// Comparisons with NaN are false, so it never becomes an extreme.
    #[inline(always)]
    fn stretch(&mut self, min: T, max: T) {
        self.min = if min < self.min { min } else { self.min };
        self.max = if max > self.max { max } else { self.max };
    }
}

struct FindExtremes<'a, T>(&'a [T]);

impl<T: Number> Task for FindExtremes<'_, T> {
    type Output = Extremes<T>;

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) -> Extremes<T> {
        let mut extremes = Extremes::NONE;
        extremes.add(self.0);
        extremes
    }
}

/// Whether a number is NaN.
#[inline(always)]
pub fn is_nan<T: Number>(value: T) -> bool {
    value.partial_cmp(&value).is_none()
}

/// How numbers become steps.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// Where step 0 lies.
    pub center: f64,
    /// Steps in a unit.
    pub per_unit: f64,
    /// Numbers so many steps away are far; squares of so many, added up over [`CHUNK`] numbers, are
    /// integers of 53 bits.
    pub far: f64,
    /// Parts of a step that are kept.
    pub parts: f64,
}

/// Sums over at most [`CHUNK`] numbers, integers all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepSums {
    /// The numbers that are not far; 0 where they are not counted.
    pub near_count: f64,
    /// The numbers that are far, infinite ones included; 0 where they are not counted.
    pub far_count: f64,
    /// Whole steps of the near numbers.
    pub steps: f64,
    /// Parts of steps that are left.
    pub parts: f64,
    /// Squares of steps.
    pub square_steps: f64,
    /// Steps times parts.
    pub products: f64,
    /// Squares of parts.
    pub square_parts: f64,
}

impl Steps {
    /// The sums over at most [`CHUNK`] numbers.
    #[must_use]
    pub fn sums<T: Number>(self, values: &[T], instructions: Instructions) -> StepSums {
        debug_assert!(values.len() <= CHUNK);
        instructions.run(SumSteps::<_, true> {
            steps: self,
            values,
        })
    }

    /// The same where the extremes say that no number is far: near and far ones are not counted.
    #[must_use]
    pub fn near_sums<T: Number>(self, values: &[T], instructions: Instructions) -> StepSums {
        debug_assert!(values.len() <= CHUNK);
        #[cfg(target_arch = "x86_64")]
        if instructions != Instructions::Portable
            && let Some(sums) = super::tally_avx2::near_sums(self, values)
        {
            return sums;
        }
        instructions.run(SumSteps::<_, false> {
            steps: self,
            values,
        })
    }
}

struct SumSteps<'a, T, const COUNTS: bool> {
    steps: Steps,
    values: &'a [T],
}

/// Doubles that are summed side by side: a register of AVX-512.
const SUMS: usize = 8;

impl<T: Number, const COUNTS: bool> Task for SumSteps<'_, T, COUNTS> {
    type Output = StepSums;

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) -> StepSums {
        let mut sums = [[0.0; SUMS]; 7];
        let (chunks, rest) = self.values.as_chunks::<SUMS>();
        for values in chunks {
            // In this form the conversion is made in vectors too.
            let values = std::array::from_fn(|lane| values[lane].double());
            self.steps.add::<COUNTS>(&values, &mut sums);
        }
        // NaN is neither near nor far.
        let mut last = [f64::NAN; SUMS];
        last.iter_mut()
            .zip(rest)
            .for_each(|(last, value)| *last = value.double());
        self.steps.add::<COUNTS>(&last, &mut sums);
        let [
            near_count,
            far_count,
            steps,
            parts,
            square_steps,
            products,
            square_parts,
        ] = sums.map(|sums| sums.iter().sum());
        StepSums {
            near_count,
            far_count,
            steps,
            parts,
            square_steps,
            products,
            square_parts,
        }
    }
}

impl Steps {
    /// Whether a number is so near that it is counted in steps; NaN is not.
    #[must_use]
    pub fn is_near(self, value: f64) -> bool {
        self.scaled(value).abs() <= self.far
    }

    #[inline(always)]
    fn scaled(self, value: f64) -> f64 {
        (value - self.center) * self.per_unit
    }

    #[inline(always)]
    fn add<const COUNTS: bool>(self, values: &[f64; SUMS], sums: &mut [[f64; SUMS]; 7]) {
        for (lane, value) in values.iter().enumerate() {
            let scaled = self.scaled(*value);
            let is_near = scaled.abs() <= self.far;
            if COUNTS {
                sums[0][lane] += if is_near { 1.0 } else { 0.0 };
                sums[1][lane] += if scaled.abs() > self.far { 1.0 } else { 0.0 };
            }
            let scaled = if is_near { scaled } else { 0.0 };
            let steps = (scaled + ROUNDING) - ROUNDING;
            let parts = ((scaled - steps) * self.parts + ROUNDING) - ROUNDING;
            sums[2][lane] += steps;
            sums[3][lane] += parts;
            sums[4][lane] += steps * steps;
            sums[5][lane] += steps * parts;
            sums[6][lane] += parts * parts;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of every kind, in a count that no register divides.
    fn values() -> Vec<f64> {
        let odd = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.0,
            0.0,
            5e-324,
            1e300,
            -1e300,
        ];
        let mut state = 3_u64;
        (0..2003)
            .map(|index| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                if index % 37 == 0 {
                    odd[index / 37 % odd.len()]
                } else {
                    (state >> 11) as f64 / (1_u64 << 53) as f64 * 8.0 - 3.0
                }
            })
            .collect()
    }

    fn plain<T: Number>(values: &[T], steps: Steps) -> (Extremes<T>, StepSums) {
        let mut extremes = Extremes {
            nan_count: 0,
            min: T::INFINITY,
            max: T::NEGATIVE_INFINITY,
        };
        let mut sums = StepSums::default();
        for value in values {
            extremes.nan_count += u64::from(is_nan(*value));
            extremes.stretch(*value, *value);
            let scaled = (value.double() - steps.center) * steps.per_unit;
            if scaled.abs() <= steps.far {
                let whole = scaled.round_ties_even();
                let parts = ((scaled - whole) * steps.parts).round_ties_even();
                sums.near_count += 1.0;
                sums.steps += whole;
                sums.parts += parts;
                sums.square_steps += whole * whole;
                sums.products += whole * parts;
                sums.square_parts += parts * parts;
            } else if !scaled.is_nan() {
                sums.far_count += 1.0;
            }
        }
        (extremes, sums)
    }

    #[test]
    fn all_instructions_count_what_a_plain_loop_counts() {
        let steps = Steps {
            center: 0.7,
            per_unit: 9000.0,
            far: 1_048_576.0,
            parts: 1_048_576.0,
        };
        let all = values();
        for count in (0..40).chain([2003]) {
            let doubles = &all[..count];
            let singles: Vec<f32> = doubles.iter().map(|value| *value as f32).collect();
            for instructions in Instructions::available() {
                let (extremes, sums) = plain(doubles, steps);
                assert_eq!(Extremes::of(doubles), extremes, "{count}");
                assert_eq!(steps.sums(doubles, instructions), sums, "{count}");
                let (extremes, sums) = plain(&singles, steps);
                assert_eq!(Extremes::of(&singles), extremes, "{count}");
                assert_eq!(steps.sums(&singles, instructions), sums, "{count}");
                let near = |values: &[f64]| -> Vec<f64> {
                    let kept = values.iter().copied();
                    kept.filter(|one| one.is_nan() || steps.is_near(*one))
                        .collect()
                };
                let near = near(doubles);
                let uncounted = StepSums {
                    near_count: 0.0,
                    far_count: 0.0,
                    ..plain(&near, steps).1
                };
                assert_eq!(steps.near_sums(&near, instructions), uncounted, "{count}");
            }
        }
    }
}
