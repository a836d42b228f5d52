//! Rows of each category of a baseline that counts every one, and of all others.
//!
//! Owns the counts of a run against such a baseline: they are exact, and take the same memory
//! whatever comes. It must not know distances.

use crate::statistics::categories::{Categories, SideBySide};
use crate::statistics::hash::of_bytes;

/// The categories of a baseline, by the upper halves of their hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCategories(Vec<(u128, u64)>);

/// How often they and all others occur.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownCounts {
    /// Rows of each, in the order of their hashes.
    pub counts: Vec<u64>,
    /// Rows of all others.
    pub unseen: u64,
}

impl KnownCategories {
    /// The categories of a baseline; none if it does not count every one.
    #[must_use]
    pub fn of(baseline: &Categories) -> Option<Self> {
        let known = baseline.iter().map(|(hash, _, count)| (hash, count));
        baseline.is_exact().then(|| Self(known.collect()))
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they take in memory.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.0.len() * size_of::<(u128, u64)>()
    }

    /// No rows yet.
    #[must_use]
    pub fn no_counts(&self) -> KnownCounts {
        KnownCounts {
            counts: vec![0; self.0.len()],
            unseen: 0,
        }
    }

    /// Counts `count` rows of a category.
    pub fn add(&self, counts: &mut KnownCounts, text: &str, count: u64) {
        let index = self.index(of_bytes(text.as_bytes()) >> 64 << 64);
        match index.and_then(|index| counts.counts.get_mut(index)) {
            Some(known) => *known += count,
            None => counts.unseen += count,
        }
    }

    /// The rows of the category with this hash.
    #[must_use]
    pub fn rows(&self, counts: &KnownCounts, hash: u128) -> u64 {
        let index = self.index(hash);
        let found = index.and_then(|index| counts.counts.get(index));
        found.copied().unwrap_or(0)
    }

    /// The baseline's rows next to these; all others are one category.
    #[must_use]
    pub fn side_by_side(&self, counts: &KnownCounts) -> SideBySide {
        let baseline = self.0.iter().map(|(_, count)| *count);
        let known = baseline.zip(&counts.counts);
        let unseen = (counts.unseen > 0).then_some([0, counts.unseen]);
        SideBySide {
            shared: known
                .map(|(baseline, now)| [baseline, *now])
                .chain(unseen)
                .collect(),
            rest: Vec::new(),
        }
    }

    fn index(&self, hash: u128) -> Option<usize> {
        self.0.binary_search_by_key(&hash, |(known, _)| *known).ok()
    }
}

impl KnownCounts {
    /// All rows.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.unseen + self.counts.iter().sum::<u64>()
    }

    /// Adds the rows of another part.
    pub fn merge(&mut self, other: &Self) {
        let counts = self.counts.iter_mut().zip(&other.counts);
        counts.for_each(|(own, other)| *own += other);
        self.unseen += other.unseen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_categories_are_counted_one_by_one_and_the_rest_together() {
        let mut baseline = Categories::default();
        [("a", 5), ("b", 3), ("gone", 2)]
            .iter()
            .for_each(|(text, count)| baseline.add(text, *count));
        let known = KnownCategories::of(&baseline).unwrap();
        let (mut counts, mut other) = (known.no_counts(), known.no_counts());
        for row in 0..100_000 {
            known.add(&mut counts, &format!("new {row}"), 1);
        }
        known.add(&mut other, "a", 7);
        known.add(&mut other, "b", 1);
        counts.merge(&other);
        let mut shared = known.side_by_side(&counts).shared;
        shared.sort_unstable();
        assert_eq!(shared, [[0, 100_000], [2, 0], [3, 1], [5, 7]]);
        let hash = |text: &str| of_bytes(text.as_bytes()) >> 64 << 64;
        assert_eq!(known.rows(&counts, hash("a")), 7);
        assert_eq!(known.rows(&counts, hash("new 1")), 0);
        // With few categories the table of all gives the same.
        let mut current = Categories::default();
        [("a", 7), ("b", 1), ("new", 9)]
            .iter()
            .for_each(|(text, count)| current.add(text, *count));
        let mut counts = known.no_counts();
        current
            .iter()
            .for_each(|(_, text, count)| known.add(&mut counts, text, count));
        let sorted = |sides: SideBySide| {
            let mut shared = sides.shared;
            shared.sort_unstable();
            shared
        };
        assert_eq!(
            sorted(known.side_by_side(&counts)),
            sorted(baseline.side_by_side(&current))
        );
        let mut many = Categories::default();
        (0..20_000).for_each(|row: u32| many.add(&row.to_string(), 1));
        assert_eq!(KnownCategories::of(&many), None);
    }
}
