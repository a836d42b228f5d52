//! The infinite numbers of two columns, which are compared with the finite ones.
//!
//! Owns where they lie: below and above all others. It must not know distances.

use std::borrow::Cow;

use crate::statistics::quantile_sketch::SharedRange;

/// The infinite values of two columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Infinite {
    /// How many of either column are −∞.
    pub negative: [u64; 2],
    /// How many of either column are +∞.
    pub positive: [u64; 2],
}

impl Infinite {
    /// Of counts of −∞ and +∞ of either column.
    #[must_use]
    pub fn of([one, other]: [[u64; 2]; 2]) -> Self {
        Self {
            negative: [one[0], other[0]],
            positive: [one[1], other[1]],
        }
    }

    /// The ranges with those of the infinities around them.
    #[must_use]
    pub fn around<'a>(&self, shared: &'a [SharedRange]) -> Cow<'a, [SharedRange]> {
        if *self == Self::default() {
            return shared.into();
        }
        let range = |value: f64, counts: [u64; 2]| SharedRange {
            low: value,
            high: value,
            counts,
        };
        let ends = [
            range(f64::NEG_INFINITY, self.negative),
            range(f64::INFINITY, self.positive),
        ];
        let [first, last] = ends.map(|end| (end.counts != [0; 2]).then_some(end));
        let inner = shared.iter().copied();
        first.into_iter().chain(inner).chain(last).collect()
    }
}
