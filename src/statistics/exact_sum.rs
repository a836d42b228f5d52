//! Sums of floating-point numbers without any rounding until the end.
//!
//! Owns a fixed-point number wide enough for 2⁶³ numbers or squares of numbers. Integer addition is
//! associative, so the order of the terms, the cut into batches and the shape of a merge cannot
//! change the sum. After R. Neal, *Fast exact summation using small and large superaccumulators*
//! (2015), with limbs of 32 bits held in 64, so that carries wait. It must not know what is summed.

use super::bytes::{Reader, Writer};

/// The exponent of the lowest bit held: below the square of the smallest subnormal, 2⁻²¹⁴⁸, and
/// products of it with a mean.
const LOWEST_EXPONENT: i32 = -2208;

/// Bits of a limb; the rest of its 64 bits lets carries wait.
const LIMB_BITS: usize = 32;

/// The limbs up to 2²¹¹² (2⁶³ of the largest squares) and headroom.
const LIMB_COUNT: usize = (2112 + 2208) / LIMB_BITS + 4;

/// Additions after which carries are resolved: each changes a limb by less than 2³³.
const ADDITIONS_BETWEEN_CARRIES: u32 = 1 << 29;

const LIMB_MASK: i64 = 0xffff_ffff;

/// How far the highest limb of a stored sum may be from zero: sums of many such sums still fit.
const MAX_HIGHEST_LIMB: i64 = 1 << 40;

type Limbs = [i64; LIMB_COUNT];

/// An exact sum of finite numbers.
#[derive(Clone)]
pub struct ExactSum {
    /// The value is Σ `limbs[k]` · 2^(32·k + [`LOWEST_EXPONENT`]).
    limbs: Box<Limbs>,
    waiting: u32,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self {
            limbs: Box::new([0; LIMB_COUNT]),
            waiting: 0,
        }
    }
}

impl std::fmt::Debug for ExactSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ExactSum").field(&self.value()).finish()
    }
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        self.resolved().limbs == other.resolved().limbs
    }
}

impl ExactSum {
    /// Adds a finite number.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let (mantissa, exponent) = parts(value);
        self.add_scaled(i128::from(mantissa), exponent);
    }

    /// Adds the exact square of a finite number.
    #[inline]
    pub fn add_square(&mut self, value: f64) {
        let (mantissa, exponent) = parts(value);
        let square = i128::from(mantissa) * i128::from(mantissa);
        // 106 bits go in as two halves, so that each touches three limbs.
        self.add_scaled(square & HALF_MASK, 2 * exponent);
        self.add_scaled(square >> HALF_BITS, 2 * exponent + HALF_BITS);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.carry();
        for (limb, more) in self.limbs.iter_mut().zip(other.resolved().limbs.iter()) {
            *limb += more;
        }
        self.carry();
    }

    /// Writes the sum: where its limbs that are not zero begin, how many there are, and they
    /// themselves.
    pub fn write(&self, writer: &mut Writer) {
        let resolved = self.resolved();
        let limbs = resolved.limbs.as_slice();
        let first = limbs.iter().position(|limb| *limb != 0).unwrap_or(0);
        let end = limbs
            .iter()
            .rposition(|limb| *limb != 0)
            .map_or(first, |last| last + 1);
        writer.integer(first as u64);
        writer.integer((end - first) as u64);
        limbs[first..end]
            .iter()
            .for_each(|limb| writer.signed(*limb));
    }

    /// Reads a sum that [`ExactSum::write`] wrote; none for other bytes.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let first = usize::try_from(reader.integer()?).ok()?;
        let count = reader.length()?;
        let mut sum = Self::default();
        for limb in sum.limbs.get_mut(first..first.checked_add(count)?)? {
            *limb = reader.signed()?;
        }
        let (highest, lower) = sum.limbs.split_last()?;
        let is_resolved = lower.iter().all(|limb| (0..=LIMB_MASK).contains(limb));
        (is_resolved && highest.abs() <= MAX_HIGHEST_LIMB).then_some(sum)
    }

    /// The sum, rounded once to the nearest `f64`; infinite beyond its range.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.times_power_of_two(0)
    }

    /// The sum divided by `count`, finite even where the sum is beyond the range of `f64`; none for
    /// no numbers.
    #[must_use]
    pub fn mean(&self, count: u64) -> Option<f64> {
        // 2⁶⁴ numbers of the largest size still fit after this shift; the shift is exact but for
        // sums that are subnormal anyway.
        let sum = self.value();
        match count {
            0 => None,
            _ if sum.is_finite() => Some(sum / count as f64),
            _ => Some(scaled(self.times_power_of_two(-64) / count as f64, 64)),
        }
    }

    /// Σ(x − mean)² over `count` numbers, where `self` is Σx and `squares` is Σx². The difference
    /// of the great sums is taken exactly, so that nothing cancels.
    #[must_use]
    pub fn squared_deviations(&self, squares: &Self, count: u64) -> f64 {
        let Some(mean) = self.mean(count) else {
            return 0.0;
        };
        let (mantissa, exponent) = parts(mean);
        let mut deviations = squares.resolved();
        // Σx² − 2·mean·Σx, where mean and Σx have one sign
        let mantissa = mantissa.abs();
        for (position, limb) in self
            .magnitude()
            .0
            .limbs
            .iter()
            .enumerate()
            .filter(|(_, limb)| **limb != 0)
        {
            let product = -i128::from(mantissa) * i128::from(*limb);
            deviations.add_scaled(product, exponent + 1 + exponent_of(position));
            deviations.carry();
        }
        // + count · mean²
        let square = i128::from(mantissa) * i128::from(mantissa);
        for (half, half_exponent) in [(square & HALF_MASK, 0), (square >> HALF_BITS, HALF_BITS)] {
            for (part, part_exponent) in [(count & 0xffff_ffff, 0), (count >> 32, 32)] {
                deviations.add_scaled(
                    half * i128::from(part),
                    2 * exponent + half_exponent + part_exponent,
                );
                deviations.carry();
            }
        }
        deviations.value().max(0.0)
    }

    /// Adds `mantissa` · 2^`exponent`, where |`mantissa`| < 2⁹⁵; beyond 2⁵³ the caller resolves
    /// carries at once.
    #[inline]
    fn add_scaled(&mut self, mantissa: i128, exponent: i32) {
        let position = (exponent - LOWEST_EXPONENT) as usize;
        let (limb, shift) = (position / LIMB_BITS, position % LIMB_BITS);
        let shifted = mantissa << shift;
        let Some(limbs) = self.limbs.get_mut(limb..limb + 3) else {
            return;
        };
        limbs[0] += shifted as i64 & LIMB_MASK;
        limbs[1] += (shifted >> LIMB_BITS) as i64 & LIMB_MASK;
        limbs[2] += (shifted >> (2 * LIMB_BITS)) as i64;
        self.waiting += 1;
        if self.waiting >= ADDITIONS_BETWEEN_CARRIES {
            self.carry();
        }
    }

    /// Brings every limb but the highest, which bears the sign, into 0..2³². This form is unique.
    fn carry(&mut self) {
        let mut carry = 0;
        let (highest, lower) = self.limbs.split_last_mut().expect("there are limbs");
        for limb in lower {
            let sum = *limb + carry;
            carry = sum >> LIMB_BITS;
            *limb = sum & LIMB_MASK;
        }
        *highest += carry;
        self.waiting = 0;
    }

    fn resolved(&self) -> Self {
        let mut resolved = self.clone();
        resolved.carry();
        resolved
    }

    /// The sum without its sign, resolved, and whether it was negative.
    fn magnitude(&self) -> (Self, bool) {
        let mut magnitude = self.resolved();
        let is_negative = magnitude.limbs[LIMB_COUNT - 1] < 0;
        if is_negative {
            magnitude.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            magnitude.carry();
        }
        (magnitude, is_negative)
    }

    /// The sum times 2^`power`, rounded to nearest.
    fn times_power_of_two(&self, power: i32) -> f64 {
        let (magnitude, is_negative) = self.magnitude();
        let limbs = &magnitude.limbs;
        let Some(highest) = limbs.iter().rposition(|limb| *limb != 0) else {
            return 0.0;
        };
        let lowest = highest.saturating_sub(3);
        let leading = limbs[lowest..=highest]
            .iter()
            .rev()
            .fold(0u128, |sum, limb| (sum << LIMB_BITS) | *limb as u128);
        // Whatever lies below decides ties only: one bit stands for it.
        let rest = u128::from(limbs[..lowest].iter().any(|limb| *limb != 0));
        let value = scaled((leading | rest) as f64, exponent_of(lowest) + power);
        if is_negative { -value } else { value }
    }
}

const HALF_BITS: i32 = 53;
const HALF_MASK: i128 = (1 << HALF_BITS) - 1;

fn exponent_of(limb: usize) -> i32 {
    (limb * LIMB_BITS) as i32 + LOWEST_EXPONENT
}

/// A finite number as mantissa · 2^exponent.
#[inline]
fn parts(value: f64) -> (i64, i32) {
    let bits = value.to_bits();
    let stored = ((bits >> 52) & 0x7ff) as i32;
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let mantissa = if stored == 0 {
        fraction
    } else {
        fraction | (1 << 52)
    };
    (
        if value.is_sign_negative() {
            -mantissa
        } else {
            mantissa
        },
        stored.max(1) - 1075,
    )
}

/// `value` · 2^`exponent`, in steps that are powers of two themselves.
fn scaled(mut value: f64, mut exponent: i32) -> f64 {
    const STEP: i32 = 1000;
    let power = |exponent: i32| f64::from_bits(((exponent + 1023) as u64) << 52);
    while exponent.abs() > STEP {
        value *= power(STEP * exponent.signum());
        exponent -= STEP * exponent.signum();
    }
    value * power(exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum
    }

    fn squares(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add_square(*value));
        sum
    }

    fn close(left: f64, right: f64) -> bool {
        left == right || (left - right).abs() <= 1e-13 * right.abs()
    }

    #[test]
    fn cancellation_loses_nothing() {
        assert_eq!(sum(&[1e308, 1.0, -1e308]).value(), 1.0);
        assert_eq!(sum(&[1e16, 1.0, -1e16, 1e-300, -1.0]).value(), 1e-300);
        assert_eq!(sum(&[0.1; 10]).value(), 1.0);
        assert_eq!(sum(&[-0.5, 0.25]).value(), -0.25);
        assert_eq!(sum(&[5e-324, 5e-324]).value(), 1e-323);
        assert_eq!(sum(&[f64::MAX, f64::MAX]).value(), f64::INFINITY);
        assert_eq!(sum(&[f64::MAX, f64::MAX]).mean(2), Some(f64::MAX));
        assert_eq!(sum(&[]).mean(0), None);
    }

    #[test]
    fn squares_reach_from_the_smallest_to_the_largest_number() {
        assert_eq!(squares(&[3.0, 4.0]).value(), 25.0);
        assert_eq!(squares(&[5e-324]).value(), 0.0);
        assert_eq!(squares(&[1e-160]).value(), 1e-160 * 1e-160);
        assert_eq!(squares(&[f64::MAX]).value(), f64::INFINITY);
    }

    #[test]
    fn deviations_survive_a_far_away_mean() {
        for shift in [0.0, 1e9, -1e15] {
            let values: Vec<f64> = [1.0, 2.0, 3.0, 4.0]
                .iter()
                .map(|value| value + shift)
                .collect();
            assert_eq!(
                sum(&values).squared_deviations(&squares(&values), 4),
                5.0,
                "{shift}"
            );
        }
        assert_eq!(
            sum(&[5e-324; 3]).squared_deviations(&squares(&[5e-324; 3]), 3),
            0.0
        );
        assert_eq!(
            sum(&[f64::MAX; 3]).squared_deviations(&squares(&[f64::MAX; 3]), 3),
            0.0
        );
    }

    #[test]
    fn waiting_carries_are_resolved_in_time() {
        let mut total = sum(&[-1.5; 1000]);
        for _ in 0..20 {
            let copy = total.clone();
            total.merge(&copy);
        }
        assert_eq!(total.value(), -1500.0 * f64::from(1 << 20));
    }

    proptest! {
        #[test]
        fn order_and_merging_change_nothing(
            mut values in proptest::collection::vec(
                any::<f64>().prop_filter("finite", |x| x.is_finite()), 0..50),
            cut in 0usize..50,
        ) {
            let whole = (sum(&values), squares(&values));
            let cut = cut.min(values.len());
            let mut parts = (sum(&values[cut..]), squares(&values[cut..]));
            parts.0.merge(&sum(&values[..cut]));
            parts.1.merge(&squares(&values[..cut]));
            prop_assert!(parts == whole);
            values.reverse();
            prop_assert!((sum(&values), squares(&values)) == whole);
        }

        #[test]
        fn sums_and_deviations_agree_with_plain_arithmetic(
            values in proptest::collection::vec(-1000i32..1000, 1..50),
        ) {
            let values: Vec<f64> = values
                .into_iter()
                .map(|value| f64::from(value) / 8.0)
                .collect();
            prop_assert_eq!(sum(&values).value(), values.iter().sum::<f64>());
            let mean = sum(&values).mean(values.len() as u64).unwrap();
            let plain: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            prop_assert!(close(
                sum(&values).squared_deviations(&squares(&values), values.len() as u64),
                plain
            ));
        }
    }
}
