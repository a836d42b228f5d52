//! What one row answers to every condition of a group: a bit each, in the order of the masks of a
//! slice.
//!
//! The comparisons of a column stand in ascending order, so that a row's answers to them are a run
//! of no and a run of yes: seven thousand conditions of 28 columns are answered by filling some
//! hundred words. Knows nothing of conditions or trees.

use std::ops::Range;

/// A bit for each condition that 16 bits can number; yes is 1.
#[derive(Debug)]
pub(super) struct ConditionBits(Box<[u64; 1 << 10]>);

impl Default for ConditionBits {
    fn default() -> Self {
        Self(Box::new([0; 1 << 10]))
    }
}

impl ConditionBits {
    /// No to all of the first so many conditions.
    pub(super) fn clear(&mut self, count: usize) {
        self.0[..count.div_ceil(64)].fill(0);
    }

    /// Yes to these.
    #[inline(always)]
    pub(super) fn fill(&mut self, conditions: Range<usize>) {
        if conditions.is_empty() {
            return;
        }
        let (first, last) = (conditions.start / 64, (conditions.end - 1) / 64);
        let (from_first, to_last) = (
            u64::MAX << (conditions.start % 64),
            u64::MAX >> (63 - (conditions.end - 1) % 64),
        );
        if first == last {
            self.0[first] |= from_first & to_last;
            return;
        }
        self.0[first] |= from_first;
        self.0[first + 1..last].fill(u64::MAX);
        self.0[last] |= to_last;
    }

    /// These answers to the conditions from `first` on, where nothing was said before.
    #[inline(always)]
    pub(super) fn extend(&mut self, first: usize, answers: impl Iterator<Item = bool>) {
        for (condition, answer) in (first..).zip(answers) {
            self.0[condition / 64] |= u64::from(answer) << (condition % 64);
        }
    }

    /// Whether a condition holds.
    #[inline(always)]
    pub(super) fn yes(&self, condition: u16) -> bool {
        self.0[usize::from(condition / 64)] >> (condition % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::ConditionBits;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_range_is_filled_and_nothing_else(
            start in prop_oneof![0..400_usize, 65_000..65_238_usize],
            length in 0..300_usize,
            again in 0..800_usize,
        ) {
            let range = start..start + length;
            let mut answers = ConditionBits::default();
            answers.fill(range.clone());
            prop_assert!(
                (0..=u16::MAX)
                    .all(|condition| answers.yes(condition)
                        == range.contains(&usize::from(condition)))
            );
            answers.clear(again);
            prop_assert!((0..again).all(|condition| !answers.yes(condition as u16)));
            answers.clear(range.end);
            let every_third =
                |condition: usize| range.contains(&condition) && (condition - start) % 3 == 1;
            answers.extend(start, range.clone().map(every_third));
            prop_assert!(
                (0..=u16::MAX)
                    .all(|condition| answers.yes(condition) == every_third(condition.into()))
            );
        }
    }
}
