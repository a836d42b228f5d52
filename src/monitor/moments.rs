//! Mean and deviation of numbers of which a baseline says where they lie and how wide they are.
//!
//! Owns sums of integers: each value is taken in steps of a small part of the baseline's
//! deviation, so that adding is exact and the order, the cut into batches and the tree of merges
//! cannot change a bit. Values far outside the baseline go into exact sums of their own. A value
//! is rounded to 2⁻³⁵ of the deviation. Steps are powers of two, and one of them lies at zero, so
//! that integers and other numbers of few bits are not rounded: their mean is that of exact sums,
//! bit for bit. It must not know columns.

use crate::kernel::processor::Instructions;
use crate::kernel::tally::{CHUNK, Extremes, Number, StepSums, Steps};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::exact_sum::ExactSum;

/// The fewest steps in a deviation of the baseline; there are up to twice as many.
const STEPS: f64 = 16_384.0;

/// Values so many steps away from the baseline's mean are far; squares of steps, added up over
/// [`CHUNK`] values, are still integers of 53 bits.
const FAR: f64 = 1_048_576.0;

/// Parts of a step that are kept.
const PARTS: f64 = 1_048_576.0;

/// The most steps from zero to the baseline's mean: so many times the rows are an `i128`.
const MAX_CENTER: f64 = 4_611_686_018_427_387_904.0;

/// Bits of an integer that go into an exact sum at once.
const LIMB_BITS: u32 = 48;

/// Where a baseline's values lie, and how wide they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// A multiple of the step.
    center: f64,
    /// The width of a step, a power of two; none where numbers are too small or too large.
    step: Option<f64>,
}

impl Scale {
    /// No steps: every number goes into an exact sum.
    #[must_use]
    pub fn exact() -> Self {
        Self {
            center: 0.0,
            step: None,
        }
    }

    /// The scale of a baseline with this mean and standard deviation.
    #[must_use]
    pub fn new(mean: Option<f64>, deviation: Option<f64>) -> Self {
        let center = mean.unwrap_or(0.0);
        let usable = |one: &f64| one.is_normal() && (1e-250..1e250).contains(one);
        let deviation = deviation
            .filter(|one| *one > 0.0)
            .or(Some(center.abs() / 1024.0).filter(|one| *one > 0.0))
            .unwrap_or(1.0);
        let step = Some(deviation / STEPS)
            .filter(usable)
            .map(power_of_two)
            .filter(|step| (center / step).abs() <= MAX_CENTER);
        Self {
            center: step.map_or(0.0, |step| (center / step).round_ties_even() * step),
            step,
        }
    }
}

/// The largest power of two that is not above a normal, positive number.
fn power_of_two(number: f64) -> f64 {
    f64::from_bits(number.to_bits() & f64::INFINITY.to_bits())
}

/// Adds so many times `unit`, a power of two.
fn add_integer(sum: &mut ExactSum, integer: i128, unit: f64) {
    let (mut left, mut unit) = (integer, unit);
    let limb = 1_i128 << LIMB_BITS;
    while left != 0 {
        sum.add((left % limb) as f64 * unit);
        (left, unit) = (left / limb, unit * limb as f64);
    }
}

/// Sums of finite numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    near_count: u64,
    steps: i128,
    parts: i128,
    square_steps: i128,
    products: i128,
    square_parts: i128,
    far_count: u64,
    far_sum: Option<Box<(ExactSum, ExactSum)>>,
}

impl Moments {
    /// Adds finite numbers; NaN and the infinities are passed over.
    pub fn add<T: Number>(&mut self, values: &[T], scale: &Scale) {
        self.add_within(values, scale, &Extremes::of(values));
    }

    /// The same of numbers whose extremes are known: most often they say that none is far.
    pub fn add_within<T: Number>(&mut self, values: &[T], scale: &Scale, known: &Extremes<T>) {
        let Some(step) = scale.step else {
            values.iter().for_each(|value| self.add_far(value.double()));
            return;
        };
        let steps = Steps {
            center: scale.center,
            per_unit: 1.0 / step,
            far: FAR,
            parts: PARTS,
        };
        // Scaling keeps the order: what lies between two near numbers is near.
        let none_far = steps.is_near(known.min.double()) && steps.is_near(known.max.double());
        if none_far {
            self.near_count += values.len() as u64 - known.nan_count;
        }
        for chunk in values.chunks(CHUNK) {
            if none_far {
                self.add_sums(&steps.near_sums(chunk, Instructions::exact()));
                continue;
            }
            let sums = steps.sums(chunk, Instructions::exact());
            self.add_sums(&sums);
            if sums.far_count > 0.0 {
                chunk
                    .iter()
                    .map(|value| value.double())
                    .filter(|value| !steps.is_near(*value))
                    .for_each(|value| self.add_far(value));
            }
        }
    }

    fn add_sums(&mut self, sums: &StepSums) {
        self.near_count += sums.near_count as u64;
        self.steps += sums.steps as i128;
        self.parts += sums.parts as i128;
        self.square_steps += sums.square_steps as i128;
        self.products += sums.products as i128;
        self.square_parts += sums.square_parts as i128;
    }

    fn add_far(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let sums = self.far_sum.get_or_insert_default();
        sums.0.add(value);
        sums.1.add_square(value);
        self.far_count += 1;
    }

    /// Adds other sums of the same scale.
    pub fn merge(&mut self, other: &Self) {
        self.near_count += other.near_count;
        self.steps += other.steps;
        self.parts += other.parts;
        self.square_steps += other.square_steps;
        self.products += other.products;
        self.square_parts += other.square_parts;
        self.far_count += other.far_count;
        if let Some(other) = &other.far_sum {
            let own = self.far_sum.get_or_insert_default();
            own.0.merge(&other.0);
            own.1.merge(&other.1);
        }
    }

    /// How many numbers were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.near_count + self.far_count
    }

    /// The mean: the sum, which is exact but for values that were rounded, rounded, over their
    /// number; none for no numbers.
    #[must_use]
    pub fn mean(&self, scale: &Scale) -> Option<f64> {
        let far = self.far_sum.as_ref().map(|sums| sums.0.clone());
        let mut sum = far.unwrap_or_default();
        if let Some(step) = scale.step.filter(|_| self.near_count > 0) {
            // At most 2⁶³ each: the center's steps, and numbers with 2²⁰ steps.
            let center = (scale.center / step) as i128;
            add_integer(
                &mut sum,
                center * i128::from(self.near_count) + self.steps,
                step,
            );
            add_integer(&mut sum, self.parts, step / PARTS);
        }
        sum.mean(self.count())
    }

    fn near_mean(&self, scale: &Scale) -> Option<f64> {
        let step = scale.step.filter(|_| self.near_count > 0)?;
        Some(scale.center + self.mean_steps() * step)
    }

    fn mean_steps(&self) -> f64 {
        (self.steps as f64 + self.parts as f64 / PARTS) / self.near_count as f64
    }

    /// The sample standard deviation (divisor n − 1); none for fewer than two numbers.
    #[must_use]
    pub fn standard_deviation(&self, scale: &Scale) -> Option<f64> {
        let count = self.count();
        if count < 2 {
            return None;
        }
        let mut squares = 0.0;
        if let Some(step) = scale.step.filter(|_| self.near_count > 0) {
            let all = self.square_steps as f64
                + 2.0 * self.products as f64 / PARTS
                + self.square_parts as f64 / (PARTS * PARTS);
            let mean = self.mean_steps();
            let spread = (all - self.near_count as f64 * mean * mean).max(0.0);
            squares += spread * step * step;
        }
        if let Some(sums) = &self.far_sum {
            squares += sums.0.squared_deviations(&sums.1, self.far_count);
            if let (Some(near), Some(far)) = (self.near_mean(scale), sums.0.mean(self.far_count)) {
                let weight = self.near_count as f64 * (self.far_count as f64 / count as f64);
                squares += (far - near) * (far - near) * weight;
            }
        }
        Some((squares / (count - 1) as f64).sqrt())
    }

    /// Writes the sums.
    pub fn write(&self, writer: &mut Writer) {
        writer.integer(self.near_count);
        for sum in self.sums() {
            writer.signed((sum >> 64) as i64);
            writer.integer(sum as u64);
        }
        writer.integer(self.far_count);
        if let Some(sums) = &self.far_sum {
            sums.0.write(writer);
            sums.1.write(writer);
        }
    }

    /// Reads sums that [`Moments::write`] wrote; none for other bytes.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let near_count = reader.count()?;
        let mut sum = || Some(i128::from(reader.signed()?) << 64 | i128::from(reader.integer()?));
        let [steps, parts, square_steps, products, square_parts] =
            [sum()?, sum()?, sum()?, sum()?, sum()?];
        let far_count = reader.count()?;
        let far_sum = if far_count > 0 {
            Some(Box::new((ExactSum::read(reader)?, ExactSum::read(reader)?)))
        } else {
            None
        };
        let is_small = |sum: i128| sum.unsigned_abs() < 1 << 120;
        let moments = Self {
            near_count,
            steps,
            parts,
            square_steps,
            products,
            square_parts,
            far_count,
            far_sum,
        };
        moments.sums().into_iter().all(is_small).then_some(moments)
    }

    fn sums(&self) -> [i128; 5] {
        [
            self.steps,
            self.parts,
            self.square_steps,
            self.products,
            self.square_parts,
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statistics::distribution::Distribution;

    fn bytes(moments: &Moments) -> Vec<u8> {
        let mut writer = Writer::default();
        moments.write(&mut writer);
        writer.into_bytes()
    }

    fn check(values: &[f64], scale: Scale) -> (f64, f64) {
        let mut moments = Moments::default();
        moments.add(values, &scale);
        let mut exact = Distribution::default();
        exact.observe_f64(values);
        assert_eq!(moments.count(), exact.finite_count());
        let apart = |one: Option<f64>, other: Option<f64>, unit: f64| match (one, other) {
            (Some(one), Some(other)) => (one - other).abs() / unit,
            (one, other) => {
                assert_eq!(one.is_some(), other.is_some());
                0.0
            }
        };
        let deviation = exact.standard_deviation().filter(|one| *one > 0.0);
        let unit = deviation.unwrap_or(1.0);
        (
            apart(moments.mean(&scale), exact.mean(), unit),
            apart(
                moments.standard_deviation(&scale),
                exact.standard_deviation(),
                unit,
            ),
        )
    }

    #[test]
    fn moments_are_those_of_exact_sums() {
        let values: Vec<f64> = (0..9001)
            .map(|row| f64::from(row * 7919 % 1009) / 7.0)
            .collect();
        let usual = Scale::new(Some(72.0), Some(41.6));
        for (values, scale) in [
            (values.clone(), usual),
            (values.clone(), Scale::new(Some(1e6), Some(1.0))),
            (values.clone(), Scale::new(Some(72.0), Some(0.0))),
            (values.iter().map(|x| x * 1e140).collect(), usual),
            (
                values.iter().map(|x| x * 5e-324).collect(),
                Scale::new(Some(0.0), Some(5e-324)),
            ),
            (vec![f64::NAN, 1.0, f64::INFINITY, 2.0, 1e12], usual),
        ] {
            let (mean, deviation) = check(&values, scale);
            assert!(
                mean < 1e-9 && deviation < 1e-9,
                "{mean} {deviation} {scale:?}"
            );
        }
        assert_eq!(Moments::default().mean(&usual), None);
    }

    #[test]
    fn the_mean_of_integers_is_that_of_exact_sums_bit_for_bit() {
        let flags = |ones: i32| (0..2_000).map(move |row| f64::from(u8::from(row < ones)));
        let columns: [Vec<f64>; 5] = [
            flags(879).collect(),
            flags(1).collect(),
            (0..3_000).map(|row| f64::from(row * 7919 % 100)).collect(),
            (0..3_000)
                .map(|row| f64::from(row % 7) * 0.25 - 4.5)
                .collect(),
            (0..3_000).map(|row| 1e9 + f64::from(row % 3)).collect(),
        ];
        for (index, values) in columns.iter().enumerate() {
            let mut exact = Distribution::default();
            exact.observe_f64(values);
            let (mean, deviation) = (exact.mean(), exact.standard_deviation());
            let singles: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            for scale in [
                Scale::new(mean, deviation),
                Scale::new(mean.map(|mean| mean + 0.3), deviation.map(|one| one / 3.0)),
                Scale::new(mean, Some(0.0)),
                Scale::new(Some(1e6), Some(1e-3)),
                Scale::exact(),
            ] {
                let mut moments = Moments::default();
                moments.add(&values[..100], &scale);
                moments.add(&values[100..], &scale);
                assert_eq!(moments.mean(&scale), mean, "{index} {scale:?}");
                if singles
                    .iter()
                    .zip(values)
                    .all(|(one, other)| f64::from(*one) == *other)
                {
                    let mut moments = Moments::default();
                    moments.add(&singles, &scale);
                    assert_eq!(moments.mean(&scale), mean, "{index} {scale:?}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_order_and_cut_gives_the_same_bytes(
            values in proptest::collection::vec(proptest::num::f64::ANY, 1..300),
            cut in 0usize..300,
        ) {
            let scale = Scale::new(Some(0.5), Some(2.0));
            let mut whole = Moments::default();
            whole.add(&values, &scale);
            let cut = cut.min(values.len());
            let mut merged = Moments::default();
            let reversed: Vec<f64> = values[cut..].iter().rev().copied().collect();
            merged.add(&reversed, &scale);
            let mut other = Moments::default();
            other.add(&values[..cut], &scale);
            merged.merge(&other);
            prop_assert!(bytes(&merged) == bytes(&whole));
            prop_assert_eq!(Moments::read(&mut Reader::new(&bytes(&whole))), Some(whole));
        }
    }
}
