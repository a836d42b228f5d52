//! The buckets of a sketch, by their leading bits.
//!
//! Owns both forms that they have: a table while values are added, a list in rising order when they
//! are read. What a bucket is of, `quantile_sketch` says.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The values that share their leading bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) count: u64,
    /// The least and the largest key.
    pub(super) least: u64,
    pub(super) largest: u64,
}

impl Bucket {
    #[inline]
    pub(super) fn join(&mut self, other: Self) {
        self.count += other.count;
        self.least = self.least.min(other.least);
        self.largest = self.largest.max(other.largest);
    }
}

/// Buckets by leading bits, in no order.
pub(super) type Table = HashMap<u64, Bucket, BuildHasherDefault<KeyHasher>>;

/// Buckets with their leading bits: a list as it was read, until something is added.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    /// Empty if there is a list.
    table: Table,
    /// In rising order.
    sorted: Vec<(u64, Bucket)>,
}

impl PartialEq for Buckets {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Buckets {
    /// Buckets in rising order of their leading bits.
    pub(super) fn of_sorted(sorted: Vec<(u64, Bucket)>) -> Self {
        Self {
            table: Table::default(),
            sorted,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len() + self.sorted.len()
    }

    /// The buckets as a table, which they are from now on.
    #[inline]
    pub(super) fn table(&mut self) -> &mut Table {
        if !self.sorted.is_empty() {
            self.table.extend(self.sorted.drain(..));
        }
        &mut self.table
    }

    /// The buckets in rising order.
    pub(super) fn sorted(&self) -> Cow<'_, [(u64, Bucket)]> {
        if self.table.is_empty() {
            return Cow::Borrowed(&self.sorted);
        }
        let mut sorted: Vec<(u64, Bucket)> = self.iter().collect();
        sorted.sort_unstable_by_key(|(leading, _)| *leading);
        Cow::Owned(sorted)
    }

    /// Each bucket with its leading bits, in any order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Bucket)> {
        let table = self.table.iter();
        let table = table.map(|(leading, bucket)| (*leading, *bucket));
        table.chain(self.sorted.iter().copied())
    }

    /// The buckets alone, in any order.
    pub(super) fn values(&self) -> impl Iterator<Item = Bucket> {
        self.iter().map(|(_, bucket)| bucket)
    }
}

/// Spreads keys by one multiplication. Keys come from data, but only so many stand in a table: that
/// bounds what values that collide on purpose could cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let spread = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }
}
