//! The distinct conditions of a group of trees, answered once for each slice of rows, a mask each,
//! column after column; or for one row, a bit each.
//!
//! Knows nothing of trees.

use std::ops::Range;

use super::bins::{self, CHUNK_CUTS, Codes, Cuts, Oddity};
use super::collector::{CategorySet, Collector, Question, Rule};
use super::cut::ALWAYS;
use super::ensemble::ZERO_THRESHOLD;
use super::lane_number::{LaneNumber, Ranked};
use super::lanes::Lanes;
use super::leaf_lookup::ConditionBits;
use super::slice::{self, ByteSet, Mask, Rows, Slice};

/// The distinct conditions of a group of trees.
#[derive(Debug)]
pub(super) struct Conditions<T> {
    count: usize,
    numeric: Vec<Numeric<T>>,
    categorical: Vec<Categorical>,
}

/// The comparisons of a column.
#[derive(Debug)]
struct Numeric<T> {
    feature: usize,
    cuts: Cuts<T>,
    lists: Vec<List>,
}

/// Comparisons under one rule, in ascending order, of a chunk of the column's cuts: the row goes
/// left if its bin is not above the bound.
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

impl CategorySet {
    /// Says for each bin of note whether it goes left; all others go left unless the categories do.
    fn answer(&self, codes: Codes, mut put: impl FnMut(u16, bool)) {
        self.categories
            .iter()
            .for_each(|&code| put(code as u16, self.inside));
        Oddity::ALL
            .into_iter()
            .zip(self.odd_left)
            .for_each(|(oddity, left)| put(codes.odd(oddity), left));
    }

    /// The bins that go left, all below 256.
    fn narrow(&self, codes: Codes) -> ByteSet {
        let mut bytes = if self.inside {
            ByteSet::default()
        } else {
            [u8::MAX; 32]
        };
        self.answer(codes, |bin, left| slice::put(&mut bytes, bin as u8, left));
        bytes
    }

    /// The bins that go left, a bit each.
    fn wide(&self, codes: Codes) -> Vec<u64> {
        let mut words =
            vec![if self.inside { 0 } else { u64::MAX }; codes.bin_count().div_ceil(64)];
        self.answer(codes, |bin, left| {
            let word = &mut words[usize::from(bin / 64)];
            *word = *word & !(1 << (bin % 64)) | u64::from(left) << (bin % 64);
        });
        words
    }
}

impl<T: LaneNumber> Conditions<T> {
    /// All that were collected, and for each number the index of its mask.
    pub(super) fn of(collector: &Collector<T>) -> (Self, Vec<u16>) {
        let (questions, indices) = collector.sorted();
        let mut conditions = Self {
            count: questions.len(),
            numeric: Vec::new(),
            categorical: Vec::new(),
        };
        let mut first = 0;
        for column in questions.chunk_by(|one, other| one.feature() == other.feature()) {
            let comparisons = column.partition_point(|question| question.rule() != Rule::Member);
            if comparisons > 0 {
                conditions
                    .numeric
                    .push(Numeric::new(&column[..comparisons], first));
            }
            if comparisons < column.len() {
                let sets = column[comparisons..]
                    .iter()
                    .map(|question| collector.set(*question));
                conditions
                    .categorical
                    .push(Categorical::new(sets, first + comparisons));
            }
            first += column.len();
        }
        (conditions, indices)
    }

    /// Answers every condition for these rows, at most a slice; the answers past them mean nothing.
    #[inline(always)]
    pub(super) fn answer<L: Lanes, V: Ranked<T>>(
        &self,
        lanes: L,
        rows: Rows<'_, V>,
        bins: &mut Bins,
        masks: &mut [Mask],
    ) {
        for column in &self.numeric {
            column.answer(lanes, rows.values(column.feature), bins, masks);
        }
        for column in &self.categorical {
            column.answer(lanes, rows.values(column.feature), bins, masks);
        }
    }

    /// Answers every condition for the row that lies so far behind the first.
    pub(super) fn answer_one<V: Ranked<T>>(
        &self,
        rows: Rows<'_, V>,
        row: usize,
        answers: &mut ConditionBits,
    ) {
        answers.clear(self.count);
        for column in &self.numeric {
            column.answer_one(rows.values(column.feature)[row], answers);
        }
        for column in &self.categorical {
            column.answer_one(rows.values(column.feature)[row], answers);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let lists = |column: &Numeric<T>| {
            column
                .lists
                .iter()
                .map(|list| list.bounds.len() + size_of::<List>())
                .sum::<usize>()
        };
        let numeric = self
            .numeric
            .iter()
            .map(|column| size_of::<Numeric<T>>() + column.cuts.memory_bytes() + lists(column))
            .sum::<usize>();
        let categorical = self
            .categorical
            .iter()
            .map(|column| size_of::<Categorical>() + column.sets.memory_bytes())
            .sum::<usize>();
        numeric + categorical
    }
}

impl<T: LaneNumber> Numeric<T> {
    /// The comparisons of one column, whose masks begin at `first`.
    fn new(questions: &[Question<T::Packed>], first: usize) -> Self {
        let mut orders: Vec<u64> = questions
            .iter()
            .map(|question| question.cut())
            .filter(|&cut| cut != ALWAYS)
            .collect();
        orders.sort_unstable();
        orders.dedup();
        let cuts = Cuts::new(orders.iter().map(|&order| T::from_order(order)).collect());
        // What always holds is a bound above all cuts, in the chunk of the last one.
        let last = cuts.count().saturating_sub(1) as u16;
        let mut lists: Vec<List> = Vec::new();
        let (mut bound, mut before) = (0, questions[0]);
        for (index, &question) in questions.iter().enumerate() {
            let rule = question.rule();
            if rule != before.rule() {
                bound = 0;
            }
            bound += orders[usize::from(bound)..]
                .iter()
                .take_while(|order| **order < question.cut())
                .count() as u16;
            let chunk = bound.min(last) / CHUNK_CUTS;
            if lists
                .last()
                .is_none_or(|list| list.rule != rule || list.first_cut != chunk * CHUNK_CUTS)
            {
                lists.push(List {
                    rule,
                    first_cut: chunk * CHUNK_CUTS,
                    first: first + index,
                    bounds: Vec::new(),
                });
            }
            if let Some(list) = lists.last_mut() {
                list.bounds.push(
                    (bound - chunk * CHUNK_CUTS + u16::from(rule == Rule::MissingLeft)) as u8,
                );
            }
            before = question;
        }
        Self {
            feature: questions[0].feature() as usize,
            cuts,
            lists,
        }
    }

    #[inline(always)]
    fn answer<L: Lanes, V: Ranked<T>>(
        &self,
        lanes: L,
        values: &[V],
        bins: &mut Bins,
        masks: &mut [Mask],
    ) {
        V::rank_values(lanes, values, V::cuts(&self.cuts), &mut bins.wide);
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

    #[inline(always)]
    fn answer_one<V: Ranked<T>>(&self, value: V, answers: &mut ConditionBits) {
        let rank = bins::rank_one(value, V::cuts(&self.cuts));
        self.lists
            .iter()
            .for_each(|list| answers.fill(list.yes(rank, value)));
    }
}

impl List {
    /// The conditions that a row of this rank answers with yes: bounds ascend, so that they are the
    /// last ones.
    #[inline(always)]
    fn yes<T: LaneNumber>(&self, rank: u16, value: T) -> Range<usize> {
        let end = self.first + self.bounds.len();
        if let Some(left) = self.rule.zero_left()
            && is_zero_or_missing(value)
        {
            return if left { self.first..end } else { end..end };
        }
        let bin = bins::within_chunk(rank, self.first_cut);
        let bin = if self.rule == Rule::MissingLeft {
            bins::missing_first(bin)
        } else {
            bin
        };
        self.first + self.bounds.partition_point(|&bound| bound < bin)..end
    }
}

/// Whether a value is one that [`Rule::zero_left`] speaks of.
#[inline(always)]
fn is_zero_or_missing<T: LaneNumber>(value: T) -> bool {
    let value = value.to_double();
    value.is_nan() | (value.abs() <= ZERO_THRESHOLD)
}

impl Rule {
    /// Where zero and missing values go, if they go together.
    #[inline(always)]
    fn zero_left(self) -> Option<bool> {
        match self {
            Self::MissingRight | Self::MissingLeft | Self::Member => None,
            Self::ZeroAndMissingLeft => Some(true),
            Self::ZeroAndMissingRight => Some(false),
        }
    }

    /// Sends zero and missing values where the rule says, if they go together.
    #[inline(always)]
    fn send<T: LaneNumber>(self, values: &[T], masks: &mut [Mask]) {
        let Some(left) = self.zero_left() else { return };
        let mut sent = Mask::default();
        for (row, &value) in values.iter().enumerate() {
            sent.0[row / 64] |= u64::from(is_zero_or_missing(value)) << (row % 64);
        }
        for (word, sent) in masks
            .iter_mut()
            .flat_map(|mask| mask.0.iter_mut().zip(&sent.0))
        {
            *word = if left { *word | sent } else { *word & !sent };
        }
    }
}

impl Categorical {
    fn new<'a>(sets: impl Iterator<Item = &'a CategorySet> + Clone, first: usize) -> Self {
        let codes = sets
            .clone()
            .fold(Codes::default(), |codes, set| codes.with(&set.categories));
        let feature = sets.clone().next().map_or(0, |set| set.feature as usize);
        let sets = if codes.is_narrow() {
            Sets::Narrow(sets.map(|set| set.narrow(codes)).collect())
        } else {
            Sets::Wide(sets.map(|set| set.wide(codes)).collect())
        };
        Self {
            feature,
            codes,
            first,
            sets,
        }
    }

    #[inline(always)]
    fn answer<L: Lanes, T: LaneNumber>(
        &self,
        lanes: L,
        values: &[T],
        bins: &mut Bins,
        masks: &mut [Mask],
    ) {
        self.codes.bins(values, &mut bins.wide);
        match &self.sets {
            Sets::Narrow(sets) => {
                bins::narrow(&bins.wide, &mut bins.narrow);
                lanes.within(
                    &bins.narrow,
                    sets,
                    &mut masks[self.first..self.first + sets.len()],
                );
            }
            Sets::Wide(sets) => {
                for (set, mask) in sets.iter().zip(&mut masks[self.first..]) {
                    *mask = Mask::default();
                    for (row, &bin) in bins.wide.0[..values.len()].iter().enumerate() {
                        mask.0[row / 64] |= u64::from(has(set, bin)) << (row % 64);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn answer_one<T: LaneNumber>(&self, value: T, answers: &mut ConditionBits) {
        let bin = self.codes.bin(value);
        match &self.sets {
            Sets::Narrow(sets) => answers.extend(
                self.first,
                sets.iter().map(|set| slice::contains(set, bin as u8)),
            ),
            Sets::Wide(sets) => answers.extend(self.first, sets.iter().map(|set| has(set, bin))),
        }
    }
}

/// Whether a bin is in a set that has a bit for each.
#[inline(always)]
fn has(set: &[u64], bin: u16) -> bool {
    set[usize::from(bin / 64)] >> (bin % 64) & 1 == 1
}

impl Sets {
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Narrow(sets) => size_of_val(sets.as_slice()),
            Self::Wide(sets) => sets.iter().map(|bits| size_of_val(bits.as_slice())).sum(),
        }
    }
}
