//! The floating-point types that blocks of features are made of, and which numbers they hold.
//!
//! It must not know columns.

/// A floating-point type that blocks are made of.
pub(super) trait Real: Copy + Send + Sync {
    const MISSING: Self;
    /// Every whole number up to here is held exactly.
    const WHOLE: u64;
    fn from_double(value: f64) -> Self;
    fn from_integer(value: i64) -> Self;
    fn from_unsigned(value: u64) -> Self;
    fn holds(value: i64) -> bool;
    fn holds_unsigned(value: u64) -> bool;
    fn holds_wide(value: i128) -> bool;
    fn to_double(self) -> f64;
    fn is_missing(self) -> bool;
}

macro_rules! real {
    ($type:ty, $digits:expr) => {
        impl Real for $type {
            const MISSING: Self = Self::NAN;
            const WHOLE: u64 = 1 << $digits;
            fn from_double(value: f64) -> Self {
                value as Self
            }
            fn from_integer(value: i64) -> Self {
                value as Self
            }
            fn from_unsigned(value: u64) -> Self {
                value as Self
            }
            fn holds(value: i64) -> bool {
                value.unsigned_abs() <= Self::WHOLE || (value as Self) as i128 == i128::from(value)
            }
            fn holds_unsigned(value: u64) -> bool {
                value <= Self::WHOLE || (value as Self) as u128 == u128::from(value)
            }
            fn holds_wide(value: i128) -> bool {
                (value as Self) as i128 == value
            }
            fn to_double(self) -> f64 {
                f64::from(self)
            }
            fn is_missing(self) -> bool {
                self.is_nan()
            }
        }
    };
}

real!(f32, 24);
real!(f64, 53);
