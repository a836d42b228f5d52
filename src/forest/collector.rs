//! The distinct conditions of a group of trees, numbered while the trees are read.
//!
//! Trees of one ensemble ask the same questions again and again: a model of 80 000 nodes may hold 7
//! 000 distinct ones. What a condition asks is packed into one number, half as wide
//! in single precision, because looking questions up is what laying out a forest mostly waits for.
//! Knows nothing of trees, nor of how questions are answered.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;

use super::bins::Codes;
use super::cost_model::Counts;
use super::cut::{ALWAYS, Cut, Ordered, Packed};
use super::ensemble::{Condition, Missing, Test, ZERO_THRESHOLD};
use super::numbering::Numbering;

/// What happens to missing values, in the order in which the masks of a column lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    MissingRight,
    ZeroAndMissingRight,
    ZeroAndMissingLeft,
    MissingLeft,
    /// The question is which category it is; the set knows the rest.
    Member,
}

/// In the order of their numbers; what is not a rule's number is never made.
const RULES: [Rule; 8] = [
    Rule::MissingRight,
    Rule::ZeroAndMissingRight,
    Rule::ZeroAndMissingLeft,
    Rule::MissingLeft,
    Rule::Member,
    Rule::Member,
    Rule::Member,
    Rule::Member,
];

/// A condition in a form that is equal for equal questions and sorts by column, rule and cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Question<P>(P);

impl<P: Packed> Question<P> {
    /// `cut` is [`Ordered::order`] of the cut, [`ALWAYS`], or the number of the set; features are
    /// below 2^29.
    fn new(feature: u32, rule: Rule, cut: u64) -> Self {
        Self(P::new(feature << 3 | rule as u32, cut))
    }

    pub(super) fn feature(self) -> u32 {
        self.0.column() >> 3
    }

    pub(super) fn rule(self) -> Rule {
        RULES[(self.0.column() & 7) as usize]
    }

    pub(super) fn cut(self) -> u64 {
        self.0.cut()
    }
}

/// Which categories go left, and what else does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CategorySet {
    pub(super) feature: u32,
    pub(super) categories: Vec<u32>,
    /// Whether the categories go left, or all others.
    pub(super) inside: bool,
    /// For each of [`super::bins::Oddity::ALL`], whether it goes left.
    pub(super) odd_left: [bool; 4],
}

/// Numbers distinct conditions in the order of their first use.
#[derive(Debug, Default)]
pub(super) struct Collector<T: Ordered> {
    numbering: Numbering<Question<T::Packed>>,
    set_numbers: HashMap<CategorySet, u64, ahash::RandomState>,
    sets: Vec<CategorySet>,
    /// The columns that are compared, and what is known of those that are looked up.
    compared: HashSet<u32, ahash::RandomState>,
    looked_up: HashMap<u32, SetCount, ahash::RandomState>,
    /// Category sets of more than 251 codes.
    wide_sets: usize,
}

/// The category sets of a column.
#[derive(Debug, Default)]
struct SetCount {
    count: usize,
    codes: Codes,
}

impl SetCount {
    fn wide(&self) -> usize {
        if self.codes.is_narrow() {
            0
        } else {
            self.count
        }
    }
}

impl<T: Ordered> Collector<T> {
    /// The number of distinct conditions.
    pub(super) fn len(&self) -> usize {
        self.numbering.questions().len()
    }

    /// What the conditions ask.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            conditions: self.len(),
            columns: self.compared.len() + self.looked_up.len(),
            sets: self.sets.len(),
            wide_sets: self.wide_sets,
        }
    }

    /// The condition's number.
    pub(super) fn number(&mut self, condition: &Condition) -> u32 {
        let question = match Cut::<T>::of(&condition.test) {
            Some(cut) => Question::new(condition.feature, rule(condition.missing, cut), order(cut)),
            None => Question::new(condition.feature, Rule::Member, self.set_number(condition)),
        };
        let (number, is_new) = self.numbering.number(question);
        if is_new && question.rule() != Rule::Member {
            self.compared.insert(question.feature());
        }
        number
    }

    fn set_number(&mut self, condition: &Condition) -> u64 {
        let set = CategorySet::of(condition);
        if let Some(&number) = self.set_numbers.get(&set) {
            return number;
        }
        let number = self.sets.len() as u64;
        let column = self.looked_up.entry(set.feature).or_default();
        let before = column.wide();
        column.count += 1;
        column.codes = column.codes.with(&set.categories);
        self.wide_sets += column.wide() - before;
        self.sets.push(set.clone());
        self.set_numbers.insert(set, number);
        number
    }

    /// Forgets the conditions from this number on.
    pub(super) fn truncate(&mut self, count: usize) {
        self.numbering.truncate(count);
    }

    /// Forgets all conditions.
    pub(super) fn clear(&mut self) {
        self.numbering.clear();
        self.set_numbers.clear();
        self.sets.clear();
        self.compared.clear();
        self.looked_up.clear();
        self.wide_sets = 0;
    }

    /// The questions in the order of their masks, and for each number the index of its mask.
    pub(super) fn sorted(&self) -> (Vec<Question<T::Packed>>, Vec<u16>) {
        let questions = self.numbering.questions();
        // Half as long as pairs of a packed question and its number are.
        let mut sorted: Vec<(u64, u32, u32)> = questions
            .iter()
            .zip(0..)
            .map(|(question, number)| (question.cut(), question.0.column(), number))
            .collect();
        sorted
            .sort_unstable_by_key(|(cut, column, _)| u128::from(*column) << 64 | u128::from(*cut));
        let mut indices = vec![0; sorted.len()];
        for (index, (_, _, number)) in sorted.iter().enumerate() {
            indices[*number as usize] = index as u16;
        }
        let question = |(_, _, number): &(u64, u32, u32)| questions[*number as usize];
        (sorted.iter().map(question).collect(), indices)
    }

    /// The category set that a question is of.
    pub(super) fn set(&self, question: Question<T::Packed>) -> &CategorySet {
        &self.sets[question.cut() as usize]
    }
}

fn order<T: Ordered>(cut: Cut<T>) -> u64 {
    match cut {
        Cut::Below(cut) => cut.order(),
        Cut::Always => ALWAYS,
    }
}

fn rule<T: Ordered>(missing: Missing, cut: Cut<T>) -> Rule {
    match missing {
        Missing::Nan { left } => {
            if left {
                Rule::MissingLeft
            } else {
                Rule::MissingRight
            }
        }
        Missing::ZeroOrNan { left: true } => Rule::ZeroAndMissingLeft,
        Missing::ZeroOrNan { left: false } => Rule::ZeroAndMissingRight,
        Missing::NanIsZero => rule(
            Missing::Nan {
                left: cut.holds(T::default()),
            },
            cut,
        ),
    }
}

impl CategorySet {
    fn of(condition: &Condition) -> Self {
        let (categories, inside) = match &condition.test {
            Test::In(categories) => (&**categories, true),
            Test::NotIn(categories) => (&**categories, false),
            Test::Less(_) | Test::LessOrEqual(_) => (&[][..], true),
        };
        // Any value that an oddity stands for will do.
        let odd_left =
            [0.0, -ZERO_THRESHOLD, -0.5, f64::NAN].map(|value| condition.goes_left(value));
        Self {
            feature: condition.feature,
            categories: categories.to_vec(),
            inside,
            odd_left,
        }
    }
}
