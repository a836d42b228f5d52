//! Quantiles of finite numbers in bounded memory, without chance: a histogram of order-preserving
//! keys that drops low bits.
//!
//! Owns the bit-drop histogram. A number becomes a `u64` of the same order (sign flipped, negatives
//! inverted), its bucket is the key without its lowest `dropped_bits` bits. Whenever there are more
//! than [`MAX_BUCKETS`] buckets one more bit is dropped and pairs are joined. The number of
//! distinct keys only grows with the data, so the bits that end up dropped are the fewest with
//! which the whole multiset fits: the state is a pure function of the values, whatever their order,
//! their cut into batches or the tree of merges. Up to [`MAX_BUCKETS`] distinct values are kept
//! exactly; smooth data of any scale lands within about 0.3 % of rank. Each bucket knows
//! its least and largest value, so that one value repeated often (such as zero) stays what it is.

use super::buckets::{Bucket, Buckets};
use super::bytes::{Reader, Writer};

/// The most buckets: some 256 KiB with the table's free positions.
pub const MAX_BUCKETS: usize = 4096;

/// The most buckets while values are added: what the same table holds without growing. Dropping
/// bits for every bucket too many would cost more than adding.
const MAX_LOOSE_BUCKETS: usize = 7168;

/// From so many buckets on, the table is as large as it can get: of a table of many columns, the
/// tables in between, freed all at once, would take as much memory again.
const MANY_BUCKETS: usize = 448;

/// What a bucket takes at most: of the table's slots, half may be free.
pub const BUCKET_BYTES: usize = 66;

/// A run of values: the least, the largest, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
    /// The number of values.
    pub count: u64,
}

/// The values of two sketches between two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharedRange {
    /// The least value of both.
    pub low: f64,
    /// The largest value of both.
    pub high: f64,
    /// How many values either sketch has.
    pub counts: [u64; 2],
}

/// Counts of values by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuantileSketch {
    dropped_bits: u32,
    buckets: Buckets,
    count: u64,
}

impl QuantileSketch {
    /// Counts a finite number. [`QuantileSketch::fit`] must follow the last.
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        let table = self.buckets.table();
        if table.len() == MANY_BUCKETS && table.capacity() < MAX_LOOSE_BUCKETS {
            table.reserve(MAX_LOOSE_BUCKETS - MANY_BUCKETS);
        }
        let key = key(value);
        self.join(
            key >> self.dropped_bits,
            Bucket {
                count: 1,
                least: key,
                largest: key,
            },
        );
        if self.buckets.len() > MAX_LOOSE_BUCKETS {
            self.fit();
        }
    }

    /// Adds another sketch's counts.
    pub fn merge(&mut self, other: &Self) {
        if other.dropped_bits > self.dropped_bits {
            self.drop_bits(other.dropped_bits - self.dropped_bits);
        }
        // The order of one table crowds a smaller one's slots.
        let missing = other.buckets.len().saturating_sub(self.buckets.len());
        self.buckets.table().reserve(missing);
        for (leading, bucket) in other.buckets.iter() {
            let narrower = self.dropped_bits - other.dropped_bits;
            self.join(leading >> narrower, bucket);
            if self.buckets.len() > MAX_LOOSE_BUCKETS {
                self.fit();
            }
        }
        self.count += other.count;
        self.fit();
    }

    /// How many numbers were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether every value is known exactly.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.buckets
            .values()
            .all(|bucket| bucket.least == bucket.largest)
    }

    /// The buckets in rising order.
    #[must_use]
    pub fn ranges(&self) -> Vec<Range> {
        let range = |(_, bucket): &(u64, Bucket)| Range {
            low: number(bucket.least),
            high: number(bucket.largest),
            count: bucket.count,
        };
        self.buckets.sorted().iter().map(range).collect()
    }

    /// Writes the sketch: its buckets in rising order, each by its distance from the one before.
    pub fn write(&self, writer: &mut Writer) {
        let sorted = self.buckets.sorted();
        writer.integer(u64::from(self.dropped_bits));
        writer.integer(sorted.len() as u64);
        let mut next = 0;
        for (leading, bucket) in sorted.iter() {
            writer.integer(leading - next);
            writer.integer(bucket.count);
            writer.integer(bucket.least - (leading << self.dropped_bits));
            writer.integer(bucket.largest - bucket.least);
            next = leading + 1;
        }
    }

    /// Reads a sketch that [`QuantileSketch::write`] wrote; none for other bytes.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let dropped_bits = u32::try_from(reader.integer()?)
            .ok()
            .filter(|bits| *bits < 64)?;
        let bucket_count = reader.length().filter(|count| *count <= MAX_BUCKETS)?;
        let mut sorted = Vec::with_capacity(bucket_count);
        let (mut next, mut total) = (0_u64, 0_u64);
        for _ in 0..bucket_count {
            let leading = next.checked_add(reader.integer()?)?;
            let count = reader.count().filter(|count| *count > 0)?;
            let first = leading << dropped_bits;
            let least = first.checked_add(reader.integer()?)?;
            let largest = least.checked_add(reader.integer()?)?;
            let is_inside = |key: u64| key >> dropped_bits == leading && number(key).is_finite();
            if !is_inside(least) || !is_inside(largest) {
                return None;
            }
            total = total.checked_add(count)?;
            let bucket = Bucket {
                count,
                least,
                largest,
            };
            sorted.push((leading, bucket));
            next = leading.checked_add(1)?;
        }
        Some(Self {
            dropped_bits,
            buckets: Buckets::of_sorted(sorted),
            count: total,
        })
    }

    /// The smallest and the largest number; none for no numbers.
    #[must_use]
    pub fn extremes(&self) -> Option<(f64, f64)> {
        let least = self.buckets.values().map(|bucket| bucket.least).min()?;
        let largest = self.buckets.values().map(|bucket| bucket.largest).max()?;
        Some((number(least), number(largest)))
    }

    /// The buckets of both sketches side by side, in rising order: each holds the values of both
    /// that share their leading bits, so the counts are exact.
    #[must_use]
    pub fn side_by_side(&self, other: &Self) -> Vec<SharedRange> {
        let dropped_bits = self.dropped_bits.max(other.dropped_bits);
        let sides = [self, other].map(|sketch| (sketch, sketch.buckets.sorted()));
        let mut rest = [&*sides[0].1, &*sides[1].1];
        let leading = |side: usize, rest: &[(u64, Bucket)]| {
            let (first, _) = rest.first()?;
            Some(first >> (dropped_bits - sides[side].0.dropped_bits))
        };
        let mut shared = Vec::with_capacity(rest[0].len().max(rest[1].len()));
        while let Some(next) = (0..2).filter_map(|side| leading(side, rest[side])).min() {
            let (mut least, mut largest, mut counts) = (u64::MAX, 0, [0; 2]);
            for side in 0..2 {
                while let [(_, bucket), others @ ..] = rest[side]
                    && leading(side, rest[side]) == Some(next)
                {
                    least = least.min(bucket.least);
                    largest = largest.max(bucket.largest);
                    counts[side] += bucket.count;
                    rest[side] = others;
                }
            }
            shared.push(SharedRange {
                low: number(least),
                high: number(largest),
                counts,
            });
        }
        shared
    }

    /// Drops the fewest bits with which the buckets are no more than [`MAX_BUCKETS`].
    pub(super) fn fit(&mut self) {
        if self.buckets.len() > MAX_BUCKETS {
            self.drop_bits(self.excess_bits());
        }
    }

    fn excess_bits(&self) -> u32 {
        let mut sorted: Vec<u64> = self.buckets.iter().map(|(leading, _)| leading).collect();
        sorted.sort_unstable();
        // Neighbours by the bits that have to be dropped until they are one.
        let mut joined_by = [0; u64::BITS as usize + 1];
        for pair in sorted.windows(2) {
            joined_by[(u64::BITS - (pair[0] ^ pair[1]).leading_zeros()) as usize] += 1;
        }
        let (mut bits, mut count) = (0, sorted.len());
        while count > MAX_BUCKETS {
            bits += 1;
            count -= joined_by[bits];
        }
        bits as u32
    }

    fn drop_bits(&mut self, bits: u32) {
        self.dropped_bits += bits;
        let buckets: Vec<(u64, Bucket)> = self.buckets.table().drain().collect();
        for (leading, bucket) in buckets {
            self.join(leading >> bits, bucket);
        }
    }

    #[inline]
    fn join(&mut self, leading: u64, bucket: Bucket) {
        let table = self.buckets.table();
        table
            .entry(leading)
            .and_modify(|present| present.join(bucket))
            .or_insert(bucket);
    }
}

/// A key of the number's order; both zeros have one.
#[inline]
fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | (1 << 63)
    }
}

/// The number of a key.
fn number(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 {
        key & !(1 << 63)
    } else {
        !key
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(values: &[f64]) -> QuantileSketch {
        let mut sketch = QuantileSketch::default();
        values.iter().for_each(|value| sketch.add(*value));
        sketch.fit();
        sketch
    }

    #[test]
    fn keys_keep_the_order_of_numbers() {
        let numbers = [f64::MIN, -1.0, -5e-324, 0.0, 5e-324, 1.0, f64::MAX];
        assert!(numbers.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        assert!(
            numbers
                .iter()
                .all(|value| number(key(*value)).to_bits() == value.to_bits())
        );
        assert_eq!(key(-0.0), key(0.0));
    }

    #[test]
    fn two_sketches_share_buckets_whatever_bits_they_dropped() {
        let few = sketch(&[-1.0, 0.5, 0.5]);
        let many: Vec<f64> = (0..20_000).map(|row| f64::from(row).sin()).collect();
        let shared = few.side_by_side(&sketch(&many));
        let sum = |side: usize| shared.iter().map(|range| range.counts[side]).sum::<u64>();
        assert_eq!((sum(0), sum(1)), (3, 20_000));
        assert!(shared.windows(2).all(|pair| pair[0].high < pair[1].low));
        assert!(shared.iter().all(|range| range.low <= range.high));
        let half = shared.iter().find(|range| range.counts[0] == 2).unwrap();
        assert!(half.low <= 0.5 && 0.5 <= half.high);
    }

    #[test]
    fn few_distinct_values_stay_exact_and_many_stay_bounded() {
        let few: Vec<f64> = (0..20_000).map(|row| f64::from(row % 4096)).collect();
        assert!(sketch(&few).is_exact());
        let many: Vec<f64> = (0..20_000).map(|row| f64::from(row).sin()).collect();
        assert!(!sketch(&many).is_exact() && sketch(&many).buckets.len() <= MAX_BUCKETS);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_state_is_a_pure_function_of_the_values(
            seed in any::<u64>(),
            count in 0usize..12_000,
            cut in 0usize..12_000,
            whole_numbers in any::<bool>(),
        ) {
            let mut state = seed | 1;
            let mut values: Vec<f64> = (0..count)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    if whole_numbers {
                        f64::from((state >> 49) as u32) - 9000.0
                    } else {
                        f64::from_bits(state & !(1 << 62))
                    }
                })
                .collect();
            let whole = sketch(&values);
            let cut = cut.min(count);
            let mut merged = sketch(&values[cut..]);
            merged.merge(&sketch(&values[..cut]));
            prop_assert_eq!(&merged, &whole);
            let mut other_way = sketch(&values[..cut]);
            other_way.merge(&sketch(&values[cut..]));
            prop_assert_eq!(&other_way, &whole);
            let mut writer = Writer::default();
            whole.write(&mut writer);
            let bytes = writer.into_bytes();
            prop_assert_eq!(
                QuantileSketch::read(&mut Reader::new(&bytes)),
                Some(whole.clone())
            );
            values.sort_unstable_by(f64::total_cmp);
            prop_assert_eq!(&sketch(&values), &whole);
        }
    }
}
