//! How often each category occurs, in bounded memory.
//!
//! Owns exact counts of up to [`MAX_CATEGORIES`] categories, and counts of all others in
//! [`BUCKETS`] buckets by their hashes. Where a column has more, those with the smallest hashes are
//! kept: a category among the smallest hashes of all data is among them in every part, so its count
//! is exact, and the state is a function of the data alone, whatever its order or cut. It must not
//! know columns.

use std::collections::BTreeMap;

use super::bytes::{Reader, Writer};
use super::hash::of_bytes;

/// The most categories that are counted one by one: with their texts they take 140 KiB at most.
pub const MAX_CATEGORIES: usize = 2048;

/// The buckets of the categories that are not counted one by one: one that holds many rows is seen
/// to come and go.
pub const BUCKETS: usize = 1024;

/// Written instead of the number of categories where buckets follow them.
const WITH_BUCKETS: u64 = MAX_CATEGORIES as u64 + 1;

/// The most bytes of a category's text that are kept; its hash stands for the whole.
pub const MAX_TEXT_BYTES: usize = 56;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Category {
    text: String,
    count: u64,
}

/// Counts by category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Categories {
    kept: BTreeMap<u128, Category>,
    other: u64,
    /// Of `other`; empty where there are none, or where an early version did not count them.
    buckets: Vec<u64>,
}

/// The counts of two tables next to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SideBySide {
    /// Of each category that both count one by one.
    pub shared: Vec<[u64; 2]>,
    /// Of buckets of all other categories: which of them both have is not known.
    pub rest: Vec<[u64; 2]>,
}

impl SideBySide {
    /// Rows of the second table in categories that the first does not have: at least and at most.
    #[must_use]
    pub fn unseen(&self) -> [u64; 2] {
        let [mut low, mut open] = [0; 2];
        for [known, now] in self.shared.iter().chain(&self.rest) {
            low += if *known == 0 { *now } else { 0 };
        }
        for [known, now] in &self.rest {
            open += if *known == 0 { 0 } else { *now };
        }
        [low, low + open]
    }
}

impl Categories {
    /// Counts `count` rows of a category.
    pub fn add(&mut self, text: &str, count: u64) {
        if count > 0 {
            self.add_hashed(of_bytes(text.as_bytes()), text, count);
        }
    }

    /// Counts `count` rows of a category whose text is not kept: its hash stands for it.
    pub fn add_without_text(&mut self, text: &str, count: u64) {
        if count > 0 {
            self.add_hashed(of_bytes(text.as_bytes()), "", count);
        }
    }

    /// Counts rows of a category whose hash is known, of which the upper half is kept.
    pub fn add_hashed(&mut self, hash: u128, text: &str, count: u64) {
        let hash = hash >> 64 << 64;
        if let Some(category) = self.kept.get_mut(&hash) {
            category.count += count;
        } else if self.has_room_for(hash) {
            let text = shortened(text).to_owned();
            self.kept.insert(hash, Category { text, count });
            self.fit();
        } else {
            self.add_other(hash, count);
        }
    }

    fn add_other(&mut self, hash: u128, count: u64) {
        if self.other == 0 {
            self.buckets = vec![0; BUCKETS];
        }
        if let Some(bucket) = self.buckets.get_mut(bucket_of(hash)) {
            *bucket += count;
        }
        self.other += count;
    }

    fn has_unknown_buckets(&self) -> bool {
        self.other > 0 && self.buckets.is_empty()
    }

    /// Adds the counts of another part.
    pub fn merge(&mut self, other: &Self) {
        other
            .kept
            .iter()
            .for_each(|(hash, one)| self.add_hashed(*hash, &one.text, one.count));
        // Where the other part has no room, its categories alone fill this one.
        if self.has_unknown_buckets() || other.has_unknown_buckets() {
            self.buckets.clear();
        } else if other.other > 0 {
            self.buckets.resize(BUCKETS, 0);
            let buckets = self.buckets.iter_mut().zip(&other.buckets);
            buckets.for_each(|(own, other)| *own += other);
        }
        self.other += other.other;
    }

    /// All rows.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.other + self.kept.values().map(|one| one.count).sum::<u64>()
    }

    /// Rows of categories that are not counted one by one.
    #[must_use]
    pub fn other(&self) -> u64 {
        self.other
    }

    /// Whether every category is counted one by one.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.other == 0
    }

    /// (hash, text, count) in the order of the hashes.
    pub fn iter(&self) -> impl Iterator<Item = (u128, &str, u64)> {
        self.kept
            .iter()
            .map(|(hash, one)| (*hash, one.text.as_str(), one.count))
    }

    /// (text, count) of the most frequent categories; equal counts in the order of their texts.
    #[must_use]
    pub fn max_frequent(&self, limit: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.iter().map(|(_, text, count)| (text, count)).collect();
        all.sort_unstable_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
        all.truncate(limit);
        all
    }

    /// The counts of both, category by category in the order of hashes, and those of all categories
    /// that one of them does not count one by one.
    #[must_use]
    pub fn side_by_side(&self, other: &Self) -> SideBySide {
        // Below the highest hash that a full table keeps, it keeps every category.
        let limit = |categories: &Self| match categories.other {
            0 => None,
            _ => categories.kept.last_key_value().map(|(hash, _)| *hash),
        };
        let limit = limit(self)
            .unwrap_or(u128::MAX)
            .min(limit(other).unwrap_or(u128::MAX));
        let mut shared: BTreeMap<u128, [u64; 2]> = BTreeMap::new();
        let is_split = ![self, other].into_iter().any(Self::has_unknown_buckets);
        let bucket = |hash: u128| if is_split { bucket_of(hash) } else { 0 };
        let mut rest = vec![[0; 2]; if is_split { BUCKETS } else { 1 }];
        for (side, categories) in [self, other].into_iter().enumerate() {
            if is_split {
                let buckets = rest.iter_mut().zip(&categories.buckets);
                buckets.for_each(|(rest, count)| rest[side] = *count);
            } else {
                rest[0][side] = categories.other;
            }
            for (hash, category) in &categories.kept {
                if *hash <= limit {
                    shared.entry(*hash).or_default()[side] += category.count;
                } else {
                    rest[bucket(*hash)][side] += category.count;
                }
            }
        }
        rest.retain(|counts| *counts != [0; 2]);
        SideBySide {
            shared: shared.into_values().collect(),
            rest,
        }
    }

    /// Writes hashes, texts and counts.
    pub fn write(&self, writer: &mut Writer) {
        writer.integer(self.other);
        writer.integer(if self.buckets.is_empty() {
            self.kept.len() as u64
        } else {
            WITH_BUCKETS
        });
        self.buckets.iter().for_each(|count| writer.integer(*count));
        for (hash, category) in &self.kept {
            writer.integer((hash >> 64) as u64);
            writer.text(&category.text);
            writer.integer(category.count);
        }
    }

    /// Reads what [`Categories::write`] wrote; none for other bytes.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let (other, length) = (reader.count()?, reader.count()?);
        let has_buckets = length == WITH_BUCKETS;
        let length = if has_buckets {
            MAX_CATEGORIES
        } else {
            usize::try_from(length).ok()?
        };
        let is_full = length == MAX_CATEGORIES;
        (length <= MAX_CATEGORIES && (other == 0 || is_full)).then_some(())?;
        (!has_buckets || other > 0).then_some(())?;
        let mut buckets = Vec::new();
        for _ in 0..if has_buckets { BUCKETS } else { 0 } {
            buckets.push(reader.count()?);
        }
        let sum = buckets
            .iter()
            .try_fold(0_u64, |sum, one| sum.checked_add(*one))?;
        (!has_buckets || sum == other).then_some(())?;
        let mut kept = BTreeMap::new();
        for _ in 0..length {
            let hash = u128::from(reader.integer()?) << 64;
            let (text, count) = (reader.text()?.to_owned(), reader.count()?);
            let is_in_order = kept.last_key_value().is_none_or(|(last, _)| *last < hash);
            (is_in_order && count > 0 && text.len() <= MAX_TEXT_BYTES).then_some(())?;
            kept.insert(hash, Category { text, count });
        }
        Some(Self {
            kept,
            other,
            buckets,
        })
    }

    fn has_room_for(&self, hash: u128) -> bool {
        let highest = self.kept.last_key_value();
        // A count of others means that there was no room for a hash above the highest.
        (self.kept.len() < MAX_CATEGORIES && self.other == 0)
            || highest.is_some_and(|(highest, _)| hash < *highest)
    }

    fn fit(&mut self) {
        while self.kept.len() > MAX_CATEGORIES {
            if let Some((hash, dropped)) = self.kept.pop_last() {
                self.add_other(hash, dropped.count);
            }
        }
    }
}

/// By bits that say nothing of the order of hashes.
fn bucket_of(hash: u128) -> usize {
    (hash >> 64) as usize % BUCKETS
}

/// The beginning of a text, cut between two characters.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: impl IntoIterator<Item = usize>) -> Categories {
        let mut categories = Categories::default();
        values
            .into_iter()
            .for_each(|value| categories.add(&value.to_string(), 1));
        categories
    }

    fn bytes(categories: &Categories) -> Vec<u8> {
        let mut writer = Writer::default();
        categories.write(&mut writer);
        writer.into_bytes()
    }

    #[test]
    fn counts_are_exact_up_to_the_cap_and_of_the_kept_beyond() {
        let few = of((0..MAX_CATEGORIES).chain(0..10));
        assert!(few.is_exact());
        assert_eq!(few.max_frequent(2), [("0", 2), ("1", 2)]);
        let many = of((0..20_000).chain(0..20_000));
        assert!(!many.is_exact());
        assert_eq!(many.iter().count(), MAX_CATEGORIES);
        assert!(many.iter().all(|(_, _, count)| count == 2));
        assert_eq!(many.total(), 40_000);
    }

    #[test]
    fn long_texts_are_distinguished_and_cut_between_characters() {
        let (one, other) = ("é".repeat(1000) + "a", "é".repeat(1000) + "b");
        let mut categories = Categories::default();
        [&one, &other, &one]
            .iter()
            .for_each(|text| categories.add(text, 1));
        let counts: Vec<u64> = categories.max_frequent(9).iter().map(|one| one.1).collect();
        assert_eq!(counts, [2, 1]);
        assert!(
            categories
                .iter()
                .all(|(_, text, _)| text.len() <= MAX_TEXT_BYTES)
        );
    }

    #[test]
    fn ten_million_categories_take_no_more_memory_than_the_cap() {
        let mut categories = Categories::default();
        for value in 0..10_000_000_u64 {
            categories.add_hashed(of_bytes(&value.to_le_bytes()), "x", 1);
        }
        assert_eq!(categories.kept.len(), MAX_CATEGORIES);
        assert_eq!(categories.total(), 10_000_000);
    }

    #[test]
    fn two_tables_share_the_categories_that_both_count() {
        let (few, other) = (of([1, 1, 2]), of([2, 3]));
        let SideBySide { mut shared, rest } = few.side_by_side(&other);
        shared.sort_unstable();
        assert_eq!((shared, rest.len()), (vec![[0, 1], [1, 1], [2, 0]], 0));
        let found = of(0..20_000).side_by_side(&of(10_000..30_000));
        let sum = |side: usize| {
            let all = found.shared.iter().chain(&found.rest);
            all.map(|counts| counts[side]).sum::<u64>()
        };
        assert_eq!((sum(0), sum(1)), (20_000, 20_000));
        let shared = found.shared;
        let both = shared.iter().filter(|counts| **counts == [1, 1]).count();
        let share = both as f64 / shared.len() as f64;
        assert!(
            (share - 1.0 / 3.0).abs() < 0.05,
            "a third of all categories is in both: {share}"
        );
    }

    #[test]
    fn tables_of_an_early_version_have_one_bucket() {
        let (many, few) = (of(0..20_000), of(0..3));
        // Its bytes: no buckets, and the number of categories.
        let early = |categories: &Categories| {
            let early = Categories {
                buckets: Vec::new(),
                ..categories.clone()
            };
            Categories::read(&mut Reader::new(&bytes(&early))).unwrap()
        };
        let read = early(&many);
        assert_eq!(read.side_by_side(&few).rest.len(), 1);
        assert!(many.side_by_side(&few).rest.len() > BUCKETS / 2);
        for merged in [(&read, &many), (&many, &read), (&few, &read)] {
            let mut merged_table = merged.0.clone();
            merged_table.merge(merged.1);
            assert!(merged_table.has_unknown_buckets());
            merged_table.add("another", 5);
            assert_eq!(
                merged_table.total(),
                merged.0.total() + merged.1.total() + 5
            );
            assert_eq!(early(&merged_table), merged_table);
        }
    }

    #[test]
    fn bytes_that_no_writer_made_are_refused() {
        let whole = bytes(&of(0..3));
        assert!(Categories::read(&mut Reader::new(&whole[..whole.len() - 1])).is_none());
        let mut with_others = whole.clone();
        with_others[0] = 1;
        assert!(
            Categories::read(&mut Reader::new(&with_others)).is_none(),
            "others, although there is room"
        );
        let mut many = of(0..20_000);
        many.buckets[7] += 1;
        assert!(
            Categories::read(&mut Reader::new(&bytes(&many))).is_none(),
            "buckets of other sums"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_split_and_order_gives_the_same_bytes(
            count in 0usize..9000,
            cut in 0usize..9000,
            step in 1usize..4,
        ) {
            let cut = cut.min(count);
            let value = |row: usize| row / step;
            let whole = of((0..count).map(value));
            let mut merged = of((cut..count).rev().map(value));
            merged.merge(&of((0..cut).map(value)));
            prop_assert!(bytes(&merged) == bytes(&whole));
            let mut other_way = of((0..cut).map(value));
            other_way.merge(&of((cut..count).map(value)));
            prop_assert!(bytes(&other_way) == bytes(&whole));
            prop_assert!(Categories::read(&mut Reader::new(&bytes(&whole))) == Some(whole));
        }
    }
}
