//! How many distinct values there are, in 4 KiB: `HyperLogLog`.
//!
//! Owns the registers and the estimate. Up to [`MAX_EXACT`] distinct values are held by their
//! hashes and counted exactly; more of them become registers, each the highest rank that a hash
//! gave it. Both forms are functions of the set of values alone. The estimator is that of O. Ertl,
//! *New cardinality estimation algorithms for `HyperLogLog` sketches* (2017), which needs no tables
//! and no correction; its relative standard error is 1.6 %. It must not know what the values are.

use std::collections::BTreeSet;

use super::bytes::{Reader, Writer};

/// Bits of a hash that choose its register.
const PRECISION: u32 = 12;

const REGISTER_COUNT: usize = 1 << PRECISION;

/// The highest rank: the other bits of a hash are all zero.
const MAX_RANK: u8 = (64 - PRECISION + 1) as u8;

/// The most values that are held one by one: they take as many bytes as the registers.
pub const MAX_EXACT: usize = REGISTER_COUNT / 8;

/// The relative standard error of an estimate.
pub const RELATIVE_ERROR: f64 = 1.04 / 64.0;

/// The distinct values of a column, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distinct {
    /// The hashes of few values.
    Few(BTreeSet<u64>),
    /// The registers of many values.
    Many(Box<[u8; REGISTER_COUNT]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Few(BTreeSet::new())
    }
}

impl Distinct {
    /// Counts a value by its hash, see [`super::hash`].
    #[inline]
    pub fn add(&mut self, hash: u128) {
        self.add_hash(hash as u64);
    }

    fn add_hash(&mut self, hash: u64) {
        match self {
            Self::Few(hashes) => {
                if hashes.insert(hash) && hashes.len() > MAX_EXACT {
                    self.make_registers();
                }
            }
            Self::Many(registers) => set(registers, hash),
        }
    }

    /// Adds the values of another part.
    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::Few(hashes) => hashes.iter().for_each(|hash| self.add_hash(*hash)),
            Self::Many(more) => {
                self.make_registers();
                if let Self::Many(registers) = self {
                    registers
                        .iter_mut()
                        .zip(more.iter())
                        .for_each(|(rank, other)| *rank = (*rank).max(*other));
                }
            }
        }
    }

    /// Whether the count is exact, but for hashes of 64 bits that collide.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Few(_))
    }

    /// The number of distinct values, estimated beyond [`MAX_EXACT`].
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let registers = match self {
            Self::Few(hashes) => return hashes.len() as f64,
            Self::Many(registers) => registers,
        };
        let mut counts = [0_u32; MAX_RANK as usize + 1];
        registers
            .iter()
            .for_each(|rank| counts[usize::from(*rank)] += 1);
        let m = REGISTER_COUNT as f64;
        let highest = usize::from(MAX_RANK);
        let start = m * tau(1.0 - f64::from(counts[highest]) / m);
        let sum = counts[1..highest]
            .iter()
            .rev()
            .fold(start, |sum, count| 0.5 * (sum + f64::from(*count)));
        let sum = sum + m * sigma(f64::from(counts[0]) / m);
        m * m / (2.0 * std::f64::consts::LN_2) / sum
    }

    /// Writes the hashes or registers.
    pub fn write(&self, writer: &mut Writer) {
        match self {
            Self::Few(hashes) => {
                writer.integer(hashes.len() as u64);
                let mut before = 0;
                for hash in hashes {
                    writer.integer(hash - before);
                    before = *hash;
                }
            }
            Self::Many(registers) => {
                writer.integer(MAX_EXACT as u64 + 1);
                registers
                    .iter()
                    .for_each(|rank| writer.integer(u64::from(*rank)));
            }
        }
    }

    /// Reads what [`Distinct::write`] wrote; none for other bytes.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let length = reader.length()?;
        if length > MAX_EXACT + 1 {
            return None;
        }
        if length <= MAX_EXACT {
            let (mut hashes, mut before) = (BTreeSet::new(), 0_u64);
            for _ in 0..length {
                before = before.checked_add(reader.integer()?)?;
                hashes.insert(before).then_some(())?;
            }
            return Some(Self::Few(hashes));
        }
        let mut registers = Box::new([0; REGISTER_COUNT]);
        for rank in registers.iter_mut() {
            *rank = u8::try_from(reader.integer()?).ok()?;
            (*rank <= MAX_RANK).then_some(())?;
        }
        Some(Self::Many(registers))
    }

    fn make_registers(&mut self) {
        if let Self::Few(hashes) = self {
            let mut registers = Box::new([0; REGISTER_COUNT]);
            hashes.iter().for_each(|hash| set(&mut registers, *hash));
            *self = Self::Many(registers);
        }
    }
}

#[inline]
fn set(registers: &mut [u8; REGISTER_COUNT], hash: u64) {
    let register = &mut registers[(hash >> (64 - PRECISION)) as usize];
    let rank = ((hash << PRECISION).leading_zeros() + 1).min(u32::from(MAX_RANK)) as u8;
    *register = rank.max(*register);
}

/// Σ over k ≥ 1 of x^(2^k) · 2^(k−1), plus x: the part of registers that are still zero.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// The part of registers that are full.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hash::of_number;
    use super::*;

    fn of(values: impl IntoIterator<Item = u32>) -> Distinct {
        let mut distinct = Distinct::default();
        values
            .into_iter()
            .for_each(|value| distinct.add(of_number(f64::from(value))));
        distinct
    }

    fn bytes(distinct: &Distinct) -> Vec<u8> {
        let mut writer = Writer::default();
        distinct.write(&mut writer);
        writer.into_bytes()
    }

    #[test]
    fn few_are_exact_and_many_are_within_five_standard_errors() {
        assert_eq!(of([]).estimate(), 0.0);
        assert_eq!(of((0..512).chain(0..512)).estimate(), 512.0);
        for count in [513, 700, 2_000, 10_000, 50_000, 300_000] {
            let estimate = of(0..count).estimate();
            let error = (estimate / f64::from(count) - 1.0).abs();
            assert!(error < 5.0 * RELATIVE_ERROR, "{count}: {estimate}");
        }
    }

    #[test]
    fn bytes_that_no_writer_made_are_refused() {
        let full = bytes(&of(0..1000));
        assert!(Distinct::read(&mut Reader::new(&full[..full.len() - 1])).is_none());
        let mut high = full.clone();
        *high.last_mut().unwrap() = MAX_RANK + 1;
        assert!(Distinct::read(&mut Reader::new(&high)).is_none());
        assert!(
            Distinct::read(&mut Reader::new(&[2, 5, 0])).is_none(),
            "the same hash twice"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_split_and_order_gives_the_same_bytes(count in 0u32..3000, cut in 0u32..3000) {
            let cut = cut.min(count);
            let whole = bytes(&of(0..count));
            let mut merged = of((cut..count).rev());
            merged.merge(&of(0..cut));
            prop_assert!(bytes(&merged) == whole);
            let mut other_way = of(0..cut);
            other_way.merge(&of(cut..count));
            prop_assert!(bytes(&other_way) == whole);
            prop_assert!(Distinct::read(&mut Reader::new(&whole)) == Some(merged));
        }
    }
}
