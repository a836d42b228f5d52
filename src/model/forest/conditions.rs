//! The distinct conditions of a group of trees: collected once, answered once for each slice of rows, a mask each.
//!
//! Trees of one ensemble ask the same questions again and again: a model of 80 000 nodes may hold 7 000 distinct ones. [`Collector`] numbers them while the trees
//! are read; [`Conditions`] answers them, column after column. Knows nothing of trees.

use std::collections::HashMap;

use super::bins::{self, CHUNK_CUTS, Codes, Cuts, Oddity};
use super::ensemble::{Condition, Missing, Test, ZERO_THRESHOLD};
use super::lanes::{self, ByteSet, Lanes, Mask, Rows, Slice};
use super::real::{Cut, Real};

/// What happens to missing values, in the order in which the masks of a column lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Rule {
    MissingRight,
    ZeroAndMissingRight,
    ZeroAndMissingLeft,
    MissingLeft,
    /// The question is which category it is; the set knows the rest.
    Member,
}

/// A condition in a form that is equal for equal questions and sorts by column and cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Question {
    feature: u32,
    rule: Rule,
    /// [`Real::order`] of the cut, [`ALWAYS`], or the number of the set.
    cut: u64,
}

/// Above the order of every number.
const ALWAYS: u64 = u64::MAX;

/// Which categories go left, and what else does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CategorySet {
    feature: u32,
    categories: Vec<u32>,
    /// Whether the categories go left, or all others.
    inside: bool,
    /// For each of [`Oddity::ALL`], whether it goes left.
    odd_left: [bool; 4],
}

/// Numbers distinct conditions in the order of their first use.
#[derive(Debug, Default)]
pub(super) struct Collector {
    numbers: HashMap<Question, u32, ahash::RandomState>,
    questions: Vec<Question>,
    set_numbers: HashMap<CategorySet, u64>,
    sets: Vec<CategorySet>,
}

impl Collector {
    /// The number of distinct conditions.
    pub(super) fn len(&self) -> usize {
        self.questions.len()
    }

    /// The condition's number.
    pub(super) fn number<T: Real>(&mut self, condition: &Condition) -> u32 {
        let question = match Cut::<T>::of(&condition.test) {
            Some(cut) => Question { feature: condition.feature, rule: rule(condition.missing, cut), cut: order(cut) },
            None => Question { feature: condition.feature, rule: Rule::Member, cut: self.set_number(condition) },
        };
        *self.numbers.entry(question).or_insert_with(|| {
            self.questions.push(question);
            self.questions.len() as u32 - 1
        })
    }

    fn set_number(&mut self, condition: &Condition) -> u64 {
        let set = CategorySet::of(condition);
        if let Some(&number) = self.set_numbers.get(&set) {
            return number;
        }
        let number = self.sets.len() as u64;
        self.sets.push(set.clone());
        self.set_numbers.insert(set, number);
        number
    }

    /// Forgets the conditions from this number on.
    pub(super) fn truncate(&mut self, count: usize) {
        for question in self.questions.drain(count..) {
            self.numbers.remove(&question);
        }
    }

    /// The conditions, column after column, and for each number the index of its mask.
    pub(super) fn finish<T: Real>(self) -> (Conditions<T>, Vec<u16>) {
        let mut sorted: Vec<u32> = (0..self.questions.len() as u32).collect();
        sorted.sort_unstable_by_key(|&number| self.questions[number as usize]);
        let mut indices = vec![0; sorted.len()];
        for (index, &number) in sorted.iter().enumerate() {
            indices[number as usize] = index as u16;
        }
        let questions: Vec<Question> = sorted.iter().map(|&number| self.questions[number as usize]).collect();
        let mut conditions = Conditions { numeric: Vec::new(), categorical: Vec::new(), count: questions.len() };
        let mut first = 0;
        for column in questions.chunk_by(|one, other| one.feature == other.feature) {
            let comparisons = column.partition_point(|question| question.rule != Rule::Member);
            if comparisons > 0 {
                conditions.numeric.push(Numeric::new(&column[..comparisons], first));
            }
            if comparisons < column.len() {
                let sets = column[comparisons..].iter().map(|question| &self.sets[question.cut as usize]);
                conditions.categorical.push(Categorical::new(sets, first + comparisons));
            }
            first += column.len();
        }
        (conditions, indices)
    }
}

fn order<T: Real>(cut: Cut<T>) -> u64 {
    match cut {
        Cut::Below(cut) => cut.order(),
        Cut::Always => ALWAYS,
    }
}

fn rule<T: Real>(missing: Missing, cut: Cut<T>) -> Rule {
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
        Missing::NanIsZero => rule(Missing::Nan { left: cut.holds(T::default()) }, cut),
    }
}

impl CategorySet {
    fn of(condition: &Condition) -> Self {
        let (categories, inside) = match &condition.test {
            Test::In(categories) => (categories.as_slice(), true),
            Test::NotIn(categories) => (categories.as_slice(), false),
            Test::Less(_) | Test::LessOrEqual(_) => (&[][..], true),
        };
        // Any value that an oddity stands for will do.
        let odd_left = [0.0, -ZERO_THRESHOLD, -0.5, f64::NAN].map(|value| condition.goes_left(value));
        Self { feature: condition.feature, categories: categories.to_vec(), inside, odd_left }
    }

    /// Says for each bin of note whether it goes left; all others go left unless the categories do.
    fn answer(&self, codes: Codes, mut put: impl FnMut(u16, bool)) {
        self.categories.iter().for_each(|&code| put(code as u16, self.inside));
        Oddity::ALL.into_iter().zip(self.odd_left).for_each(|(oddity, left)| put(codes.odd(oddity), left));
    }

    /// The bins that go left, all below 256.
    fn narrow(&self, codes: Codes) -> ByteSet {
        let mut bytes = if self.inside { ByteSet::default() } else { [u8::MAX; 32] };
        self.answer(codes, |bin, left| lanes::put(&mut bytes, bin as u8, left));
        bytes
    }

    /// The bins that go left, a bit each.
    fn wide(&self, codes: Codes) -> Vec<u64> {
        let mut words = vec![if self.inside { 0 } else { u64::MAX }; codes.bin_count().div_ceil(64)];
        self.answer(codes, |bin, left| {
            let word = &mut words[usize::from(bin / 64)];
            *word = *word & !(1 << (bin % 64)) | u64::from(left) << (bin % 64);
        });
        words
    }
}

/// The distinct conditions of a group of trees.
#[derive(Debug)]
pub(super) struct Conditions<T> {
    numeric: Vec<Numeric<T>>,
    categorical: Vec<Categorical>,
    count: usize,
}

/// The comparisons of a column.
#[derive(Debug)]
struct Numeric<T> {
    feature: usize,
    cuts: Cuts<T>,
    lists: Vec<List>,
}

/// Comparisons under one rule, in ascending order, of a chunk of the column's cuts: the row goes left if its bin is not above the bound.
#[derive(Debug)]
struct List {
    rule: Rule,
    /// The first cut of the chunk that the bounds lie in.
    first_cut: u16,
    /// The index of the first mask.
    first: usize,
    bounds: Vec<u8>,
}

/// The category sets of a column.
#[derive(Debug)]
struct Categorical {
    feature: usize,
    codes: Codes,
    first: usize,
    sets: Sets,
}

#[derive(Debug)]
enum Sets {
    /// Of bins below 256.
    Narrow(Vec<ByteSet>),
    /// Of any bins, a bit each.
    Wide(Vec<Vec<u64>>),
}

/// What answering writes on.
#[derive(Debug, Default)]
pub(super) struct Bins {
    wide: Slice<u16>,
    narrow: Slice<u8>,
}

impl<T: Real> Conditions<T> {
    /// The number of masks.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The number of columns, one that holds both numbers and categories counted twice.
    pub(super) fn column_count(&self) -> usize {
        self.numeric.len() + self.categorical.len()
    }

    /// The number of category sets of more than 251 codes.
    pub(super) fn wide_set_count(&self) -> usize {
        self.categorical.iter().map(|column| if let Sets::Wide(sets) = &column.sets { sets.len() } else { 0 }).sum()
    }

    /// Answers every condition for these rows, at most a slice; the answers past them mean nothing.
    #[inline(always)]
    pub(super) fn answer<L: Lanes>(&self, lanes: L, rows: Rows<'_, T>, bins: &mut Bins, masks: &mut [Mask]) {
        for column in &self.numeric {
            column.answer(lanes, rows.values(column.feature), bins, masks);
        }
        for column in &self.categorical {
            column.answer(lanes, rows.values(column.feature), bins, masks);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let lists = |column: &Numeric<T>| column.lists.iter().map(|list| list.bounds.len() + size_of::<List>()).sum::<usize>();
        let numeric = self.numeric.iter().map(|column| size_of::<Numeric<T>>() + column.cuts.memory_bytes() + lists(column)).sum::<usize>();
        let categorical = self.categorical.iter().map(|column| size_of::<Categorical>() + column.sets.memory_bytes()).sum::<usize>();
        numeric + categorical
    }
}

impl<T: Real> Numeric<T> {
    /// The comparisons of one column, whose masks begin at `first`.
    fn new(questions: &[Question], first: usize) -> Self {
        let mut orders: Vec<u64> = questions.iter().map(|question| question.cut).filter(|&cut| cut != ALWAYS).collect();
        orders.sort_unstable();
        orders.dedup();
        let cuts = Cuts::new(orders.iter().map(|&order| T::from_order(order)).collect());
        let bound = |cut: u64| orders.partition_point(|&order| order < cut) as u16;
        // What always holds is a bound above all cuts, in the chunk of the last one.
        let last = cuts.count().saturating_sub(1) as u16;
        let chunk = |question: &Question| (bound(question.cut).min(last) / CHUNK_CUTS, question.rule);
        let mut lists: Vec<List> = Vec::new();
        let mut start = first;
        for list in questions.chunk_by(|one, other| chunk(one) == chunk(other)) {
            let (chunk, rule) = chunk(&list[0]);
            let lift = u16::from(rule == Rule::MissingLeft);
            let bounds = list.iter().map(|question| (bound(question.cut) - chunk * CHUNK_CUTS + lift) as u8).collect();
            lists.push(List { rule, first_cut: chunk * CHUNK_CUTS, first: start, bounds });
            start += list.len();
        }
        Self { feature: questions[0].feature as usize, cuts, lists }
    }

    #[inline(always)]
    fn answer<L: Lanes>(&self, lanes: L, values: &[T], bins: &mut Bins, masks: &mut [Mask]) {
        T::rank_values(lanes, values, &self.cuts, &mut bins.wide);
        for list in &self.lists {
            bins::chunk(&bins.wide, list.first_cut, &mut bins.narrow);
            if list.rule == Rule::MissingLeft {
                bins::move_missing(&mut bins.narrow);
            }
            let masks = &mut masks[list.first..list.first + list.bounds.len()];
            lanes.not_above(&bins.narrow, &list.bounds, masks);
            list.rule.send(values, masks);
        }
    }
}

impl Rule {
    /// Sends zero and missing values where the rule says, if they go together.
    #[inline(always)]
    fn send<T: Real>(self, values: &[T], masks: &mut [Mask]) {
        let (zero, left) = match self {
            Self::MissingRight | Self::MissingLeft | Self::Member => return,
            Self::ZeroAndMissingLeft => (ZERO_THRESHOLD, true),
            Self::ZeroAndMissingRight => (ZERO_THRESHOLD, false),
        };
        let mut sent = Mask::default();
        for (row, value) in values.iter().enumerate() {
            let value = value.to_double();
            sent.0[row / 64] |= u64::from(value.is_nan() | (value.abs() <= zero)) << (row % 64);
        }
        for (word, sent) in masks.iter_mut().flat_map(|mask| mask.0.iter_mut().zip(&sent.0)) {
            *word = if left { *word | sent } else { *word & !sent };
        }
    }
}

impl Categorical {
    fn new<'a>(sets: impl Iterator<Item = &'a CategorySet> + Clone, first: usize) -> Self {
        let known = sets.clone().filter_map(|set| set.categories.last()).max().map_or(0, |&code| code + 1);
        let feature = sets.clone().next().map_or(0, |set| set.feature as usize);
        let codes = Codes { known: known as u16 };
        let sets = match codes.bin_count() {
            ..=256 => Sets::Narrow(sets.map(|set| set.narrow(codes)).collect()),
            _ => Sets::Wide(sets.map(|set| set.wide(codes)).collect()),
        };
        Self { feature, codes, first, sets }
    }

    #[inline(always)]
    fn answer<L: Lanes, T: Real>(&self, lanes: L, values: &[T], bins: &mut Bins, masks: &mut [Mask]) {
        self.codes.bins(values, &mut bins.wide);
        match &self.sets {
            Sets::Narrow(sets) => {
                bins::narrow(&bins.wide, &mut bins.narrow);
                lanes.within(&bins.narrow, sets, &mut masks[self.first..self.first + sets.len()]);
            }
            Sets::Wide(sets) => {
                for (set, mask) in sets.iter().zip(&mut masks[self.first..]) {
                    *mask = Mask::default();
                    for (row, &bin) in bins.wide.0[..values.len()].iter().enumerate() {
                        mask.0[row / 64] |= (set[usize::from(bin / 64)] >> (bin % 64) & 1) << (row % 64);
                    }
                }
            }
        }
    }
}

impl Sets {
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Narrow(sets) => size_of_val(sets.as_slice()),
            Self::Wide(sets) => sets.iter().map(|bits| size_of_val(bits.as_slice())).sum(),
        }
    }
}
