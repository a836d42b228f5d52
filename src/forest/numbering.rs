//! Numbers of distinct questions, in the order of their first use.
//!
//! A table of numbers by hash, four bytes each, that finds the questions themselves in their list:
//! with 60 000 questions it stays in the second-level cache, where a map that holds questions and
//! numbers does not. Hashes are keyed at random, so that no file can choose questions that collide.
//! Knows nothing of what a question asks.

use std::hash::Hash;

/// A slot without a number.
const EMPTY: u32 = u32::MAX;

/// The slots of the smallest table.
const MIN_SLOTS: usize = 1 << 10;

/// Distinct questions and their numbers.
#[derive(Debug)]
pub(super) struct Numbering<Q> {
    questions: Vec<Q>,
    /// As many as a power of two, at most half of them taken.
    slots: Vec<u32>,
    state: ahash::RandomState,
}

impl<Q> Default for Numbering<Q> {
    fn default() -> Self {
        Self {
            questions: Vec::new(),
            slots: vec![EMPTY; MIN_SLOTS],
            state: ahash::RandomState::new(),
        }
    }
}

impl<Q: Copy + Eq + Hash> Numbering<Q> {
    /// The questions in the order of their numbers.
    pub(super) fn questions(&self) -> &[Q] {
        &self.questions
    }

    /// The slots that a question may lie in, in the order in which they are looked at.
    fn probe(&self, question: &Q) -> impl Iterator<Item = usize> + use<Q> {
        let mask = self.slots.len() - 1;
        let first = self.state.hash_one(question) as usize & mask;
        (first..).map(move |slot| slot & mask)
    }

    /// The question's number, and whether it is new.
    pub(super) fn number(&mut self, question: Q) -> (u32, bool) {
        for slot in self.probe(&question) {
            let number = self.slots[slot];
            if number == EMPTY {
                let number = self.questions.len() as u32;
                self.slots[slot] = number;
                self.questions.push(question);
                if 2 * self.questions.len() > self.slots.len() {
                    self.grow();
                }
                return (number, true);
            }
            if self.questions[number as usize] == question {
                return (number, false);
            }
        }
        unreachable!("half of the slots are free")
    }

    /// Doubles the table.
    fn grow(&mut self) {
        self.slots = vec![EMPTY; 2 * self.slots.len()];
        for (number, question) in (0..).zip(&self.questions) {
            let free = self.probe(question).find(|slot| self.slots[*slot] == EMPTY);
            if let Some(free) = free {
                self.slots[free] = number;
            }
        }
    }

    /// Forgets the questions from this number on.
    pub(super) fn truncate(&mut self, count: usize) {
        // The last ones first: each then leaves the table as it was before it came.
        while self.questions.len() > count {
            let Some(question) = self.questions.pop() else {
                return;
            };
            let number = self.questions.len() as u32;
            let own = self
                .probe(&question)
                .find(|slot| self.slots[*slot] == number);
            if let Some(own) = own {
                self.slots[own] = EMPTY;
            }
        }
    }

    /// Forgets all questions.
    pub(super) fn clear(&mut self) {
        self.questions.clear();
        self.slots.fill(EMPTY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_first_use_whatever_was_forgotten_between() {
        let mut numbering = Numbering::<u128>::default();
        let question = |index: u32| u128::from(index % 3_000) << 40 | 7;
        for index in 0..6_000 {
            let expected = (index % 3_000, index < 3_000);
            assert_eq!(numbering.number(question(index)), expected, "{index}");
        }
        numbering.truncate(100);
        assert_eq!(numbering.questions().len(), 100);
        for index in (0..3_000).rev() {
            let (number, is_new) = numbering.number(question(index));
            assert_eq!(is_new, index >= 100, "{index}");
            let expected = if is_new { 3_099 - index } else { index };
            assert_eq!(number, expected, "{index}");
        }
        numbering.clear();
        assert_eq!(numbering.number(question(5)), (0, true));
    }
}
