//! The floating-point types that models compute in, and which numbers they hold.
//!
//! It must not know columns.

use std::fmt::Debug;
use std::ops::{Add, Mul};

/// `f32` or `f64`: what blocks, thresholds, leaves and scores are made of.
pub(crate) trait Real:
    Copy
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Mul<Output = Self>
    + Debug
    + Send
    + Sync
    + 'static
{
    /// NaN.
    const MISSING: Self;
    /// Every integer up to here is held exactly.
    const WHOLE: u64;
    /// The nearest number.
    fn from_double(value: f64) -> Self;
    fn from_integer(value: i64) -> Self;
    fn from_unsigned(value: u64) -> Self;
    fn holds(value: i64) -> bool;
    fn holds_unsigned(value: u64) -> bool;
    fn holds_wide(value: i128) -> bool;
    /// The same number.
    fn to_double(self) -> f64;
    fn is_missing(self) -> bool;
    fn is_finite_number(self) -> bool;
}

macro_rules! real {
    ($type:ty, $digits:expr) => {
        impl Real for $type {
            const MISSING: Self = Self::NAN;
            const WHOLE: u64 = 1 << $digits;
            #[inline]
            fn from_double(value: f64) -> Self {
                value as Self
            }
            #[inline]
            fn from_integer(value: i64) -> Self {
                value as Self
            }
            #[inline]
            fn from_unsigned(value: u64) -> Self {
                value as Self
            }
            #[inline]
            fn holds(value: i64) -> bool {
                value.unsigned_abs() <= Self::WHOLE || (value as Self) as i128 == i128::from(value)
            }
            #[inline]
            fn holds_unsigned(value: u64) -> bool {
                value <= Self::WHOLE || (value as Self) as u128 == u128::from(value)
            }
            #[inline]
            fn holds_wide(value: i128) -> bool {
                (value as Self) as i128 == value
            }
            #[inline]
            fn to_double(self) -> f64 {
                f64::from(self)
            }
            #[inline]
            fn is_missing(self) -> bool {
                self.is_nan()
            }
            #[inline]
            fn is_finite_number(self) -> bool {
                self.is_finite()
            }
        }
    };
}

real!(f32, 24);
real!(f64, 53);
