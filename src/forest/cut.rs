//! What a comparison means in the precision of an ensemble, and how conditions are packed.
//!
//! A threshold is read in double precision and asked of values of the ensemble's own. [`Cut`] turns
//! every comparison into `value < cut` in that precision, with the same answer for every value: for
//! `f32`, `x < t` is `x < c` where c is the least `f32` that is not below t. Knows nothing of
//! trees, blocks or kernels.

use std::fmt::Debug;
use std::hash::Hash;

use super::ensemble::Test;
use crate::feature::Real;

/// A number of an ensemble's own precision: thresholds, leaves and sums are all of one width, so
/// that every comparison and addition is the original's.
pub(super) trait Ordered: Real {
    /// What holds a condition.
    type Packed: Packed;

    /// The least number that is not below `value`.
    fn ceiling(value: f64) -> Self;
    /// The least number above this one.
    fn successor(self) -> Self;
    /// An integer that orders as the numbers do; NaN has none of meaning.
    fn order(self) -> u64;
    /// The number of this order.
    fn from_order(order: u64) -> Self;
    /// For each cut the least `f32` that is not below it; none if cuts are `f32` themselves.
    fn singles(cuts: &[Self]) -> Option<Vec<f32>>;
}

macro_rules! ordered {
    ($type:ty, $bits:ty, $packed:ty, $sign:literal, $singles:expr) => {
        impl Ordered for $type {
            type Packed = $packed;

            fn ceiling(value: f64) -> Self {
                let nearest = value as Self;
                if f64::from(nearest) < value {
                    nearest.next_up()
                } else {
                    nearest
                }
            }

            fn successor(self) -> Self {
                self.next_up()
            }

            fn singles(cuts: &[Self]) -> Option<Vec<f32>> {
                $singles(cuts)
            }

            fn order(self) -> u64 {
                let bits = (self + 0.0).to_bits();
                u64::from(if bits >> $sign == 0 {
                    bits | 1 << $sign
                } else {
                    !bits
                })
            }

            fn from_order(order: u64) -> Self {
                let bits = order as $bits;
                Self::from_bits(if bits >> $sign == 1 {
                    bits ^ 1 << $sign
                } else {
                    !bits
                })
            }
        }
    };
}

ordered!(f32, u32, u64, 31, |_| None);
ordered!(f64, u64, u128, 63, |cuts: &[f64]| Some(
    cuts.iter().map(|cut| f32::ceiling(*cut)).collect()
));

/// Above the order of every number.
pub(super) const ALWAYS: u64 = u64::MAX;

/// A column with its rule, and a cut, as one number.
pub(super) trait Packed:
    Copy + Ord + Hash + Debug + Default + Send + Sync + 'static
{
    /// `column` first.
    fn new(column: u32, cut: u64) -> Self;
    fn column(self) -> u32;
    fn cut(self) -> u64;
}

impl Packed for u64 {
    fn new(column: u32, cut: u64) -> Self {
        Self::from(column) << 32 | cut.min(u32::MAX.into())
    }

    fn column(self) -> u32 {
        (self >> 32) as u32
    }

    fn cut(self) -> u64 {
        if self as u32 == u32::MAX {
            ALWAYS
        } else {
            (self as u32).into()
        }
    }
}

impl Packed for u128 {
    fn new(column: u32, cut: u64) -> Self {
        Self::from(column) << 64 | Self::from(cut)
    }

    fn column(self) -> u32 {
        (self >> 64) as u32
    }

    fn cut(self) -> u64 {
        self as u64
    }
}

/// What a comparison asks of a present value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cut<T> {
    /// `value < cut`; the cut is never −0.
    Below(T),
    /// Yes, whatever the value.
    Always,
}

impl<T: Ordered> Cut<T> {
    /// The comparison of a test; none if it asks for categories.
    pub(super) fn of(test: &Test) -> Option<Self> {
        let below = |cut: T| Some(Self::Below(cut + T::default()));
        match *test {
            Test::Less(threshold) => below(T::ceiling(threshold)),
            Test::LessOrEqual(threshold) => {
                let ceiling = T::ceiling(threshold);
                match ceiling.to_double() {
                    _ if threshold == f64::INFINITY => Some(Self::Always),
                    least if least > threshold => below(ceiling),
                    _ => below(ceiling.successor()),
                }
            }
            Test::In(_) | Test::NotIn(_) => None,
        }
    }

    /// Whether a present value goes left.
    #[inline]
    pub(super) fn holds(self, value: T) -> bool {
        match self {
            Self::Below(cut) => value < cut,
            Self::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cut, Ordered};
    use crate::forest::ensemble::Test;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn agrees<T: Ordered>(threshold: f64, value: T) -> bool {
        let holds = |test: &Test| Cut::<T>::of(test).expect("a comparison").holds(value);
        holds(&Test::Less(threshold)) == (value.to_double() < threshold)
            && holds(&Test::LessOrEqual(threshold)) == (value.to_double() <= threshold)
    }

    fn numbers() -> impl Strategy<Value = f64> {
        let edges = [
            0.0,
            -0.0,
            1e-45,
            -1e-45,
            5e-324,
            -5e-324,
            1e300,
            -1e300,
            f64::MAX,
            f64::MIN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        let edges = edges
            .into_iter()
            .chain([f32::MAX, f32::MIN, f32::MIN_POSITIVE].map(f64::from))
            .collect::<Vec<_>>();
        prop_oneof![
            proptest::sample::select(edges),
            any::<f64>().prop_filter("a threshold", |x| !x.is_nan()),
            any::<f32>().prop_filter_map("a threshold", |x| (!x.is_nan()).then_some(f64::from(x)))
        ]
    }

    proptest! {
        #[test]
        fn singles_have_the_ranks_of_the_doubles(cuts in vec(numbers(), 1..40), steps in -2i32..3) {
            let mut cuts = cuts;
            cuts.sort_by(f64::total_cmp);
            let singles = f64::singles(&cuts).unwrap();
            for cut in &cuts {
                let mut value = *cut as f32;
                (0..steps.abs()).for_each(|_| {
                    value = if steps > 0 { value.next_up() } else { value.next_down() };
                });
                let rank = cuts.iter().filter(|cut| **cut <= f64::from(value)).count();
                prop_assert_eq!(singles.iter().filter(|cut| **cut <= value).count(), rank);
            }
        }

        #[test]
        fn a_cut_answers_as_the_comparison_does(
            threshold in numbers(),
            value in numbers(),
            steps in -2i32..3,
        ) {
            let mut near = threshold as f32;
            (0..steps.abs()).for_each(|_| {
                near = if steps > 0 {
                    near.next_up()
                } else {
                    near.next_down()
                }
            });
            prop_assert!(agrees(threshold, near));
            prop_assert!(agrees(threshold, value as f32));
            prop_assert!(agrees(threshold, value));
            prop_assert!(
                agrees(threshold, threshold.next_down())
                    && agrees(threshold, threshold)
                    && agrees(threshold, threshold.next_up())
            );
        }

        #[test]
        fn orders_order_and_come_back(first in numbers(), second in numbers()) {
            prop_assert_eq!(first.order() < second.order(), first < second);
            prop_assert_eq!(f64::from_order(first.order()), first);
            let (first, second) = (first as f32, second as f32);
            prop_assert_eq!(first.order() < second.order(), first < second);
            prop_assert_eq!(f32::from_order(first.order()), first);
        }
    }
}
