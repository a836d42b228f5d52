//! How often each label was predicted.
//!
//! Owns the counts, in the labels' order. It must not know classes or thresholds.

use std::collections::BTreeMap;

use super::bytes::{Reader, Writer};

/// Counts by label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelCounts {
    counts: BTreeMap<String, u64>,
}

impl LabelCounts {
    /// Counts a label `count` times.
    pub fn observe(&mut self, label: &str, count: u64) {
        match self.counts.get_mut(label) {
            Some(seen) => *seen += count,
            None => _ = self.counts.insert(label.to_owned(), count),
        }
    }

    /// Adds another part's counts.
    pub fn merge(&mut self, other: &Self) {
        other
            .iter()
            .for_each(|(label, count)| self.observe(label, count));
    }

    /// Writes the labels with their counts.
    pub fn write(&self, writer: &mut Writer) {
        writer.integer(self.counts.len() as u64);
        for (label, count) in &self.counts {
            writer.text(label);
            writer.integer(*count);
        }
    }

    /// Reads counts that [`LabelCounts::write`] wrote; none for other bytes.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let mut labels = Self::default();
        for _ in 0..reader.length()? {
            let (label, count) = (reader.text()?, reader.count()?);
            labels.counts.insert(label.to_owned(), count);
        }
        Some(labels)
    }

    /// Labels with their counts, in the order of their text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts
            .iter()
            .map(|(label, count)| (label.as_str(), *count))
    }

    /// All labels counted together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_out_in_order_whatever_the_order_of_parts() {
        let part = |labels: &[&str]| {
            let mut counts = LabelCounts::default();
            labels.iter().for_each(|label| counts.observe(label, 1));
            counts
        };
        let (mut left, mut right) = (part(&["b", "a", "b"]), part(&["c", "a"]));
        let other = left.clone();
        left.merge(&right);
        right.merge(&other);
        assert_eq!(left, right);
        assert_eq!(
            left.iter().collect::<Vec<_>>(),
            [("a", 2), ("b", 2), ("c", 1)]
        );
        assert_eq!(left.total(), 5);
        let mut writer = Writer::default();
        left.write(&mut writer);
        let bytes = writer.into_bytes();
        assert_eq!(LabelCounts::read(&mut Reader::new(&bytes)), Some(left));
    }
}
