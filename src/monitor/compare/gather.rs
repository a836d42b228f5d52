//! Pairs of rows, counted and sorted by segment.
//!
//! Owns the sums that need no order, the sorts by score and by difference, and the most moved rows.
//! Every pair is counted among all rows and, where there are segments, in its own. It must not know
//! how pairs come about, or how measures are named.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::pair::Pair;
use super::question::Question;
use crate::error::Result;
use crate::monitor::evaluate::Task;
use crate::monitor::evaluate::gather::{Actual, NO_CLASS, Prediction, largest, order_bytes};
use crate::monitor::interval::Mean;
use crate::monitor::paired::PairedScores;
use crate::storage::Location;
use crate::table::sorted::Sorter;

/// The decision of a score of at least the threshold.
pub(super) const CALLED_POSITIVE: u32 = u32::MAX - 1;

/// The decision of a lower score.
pub(super) const CALLED_NEGATIVE: u32 = u32::MAX - 2;

/// The threshold of predicted classes that are not in the table.
pub(super) const DEFAULT_THRESHOLD: f64 = 0.5;

/// Losses of both, and of the second less the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    pub(super) each: [Mean; 2],
    pub(super) difference: Mean,
}

impl Losses {
    fn add(&mut self, [first, second]: [f64; 2]) {
        self.each[0].add(first);
        self.each[1].add(second);
        // Both infinite: neither is better.
        let difference = second - first;
        self.difference
            .add(if difference.is_nan() { 0.0 } else { difference });
    }
}

/// Sums of a segment that need no order.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) rows: u64,
    pub(super) identical: u64,
    pub(super) within_tolerance: u64,
    /// Rows by decision of both.
    pub(super) decisions: HashMap<[u32; 2], u64>,
    /// The same by label.
    pub(super) outcomes: HashMap<(u32, [u32; 2]), u64>,
    pub(super) labelled: u64,
    pub(super) differences: Mean,
    pub(super) absolute: Mean,
    pub(super) ends: Option<[f64; 2]>,
    /// `log_loss` and `brier` of several classes, `mse` and `mae` of numbers; those of two classes
    /// once the positive one is known, by label.
    pub(super) losses: BTreeMap<(&'static str, u32), Losses>,
    pub(super) has_other_scores: bool,
}

/// A row on the heap of the most moved: the least moved of them on top.
type Moved = Reverse<([u8; 8], Reverse<Vec<u8>>, MovedPair)>;

/// The scores and decisions of a moved row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MovedPair {
    scores: [u64; 2],
    pub(super) decisions: [u32; 2],
}

impl MovedPair {
    pub(super) fn scores(&self) -> [f64; 2] {
        self.scores.map(f64::from_bits)
    }
}

/// Pairs on the way.
#[derive(Debug)]
pub(super) struct Gather<'a> {
    question: &'a Question,
    task: Task,
    has_segments: bool,
    /// The distances from 1 of the number types of both scores.
    epsilons: [f64; 2],
    /// By segment: 0 is all rows, others their own number plus 1.
    pub(super) sums: BTreeMap<u32, Sums>,
    pub(super) scores: PairedScores,
    pub(super) differences: Sorter,
    moved: BinaryHeap<Moved>,
}

impl<'a> Gather<'a> {
    pub(super) fn new(
        question: &'a Question,
        task: Task,
        epsilons: [f64; 2],
        (directory, run_bytes): (&Location, usize),
    ) -> Self {
        Self {
            question,
            task,
            has_segments: !question.by.is_empty(),
            epsilons,
            sums: BTreeMap::new(),
            scores: PairedScores::new(directory, run_bytes),
            differences: Sorter::new(directory, run_bytes),
            moved: BinaryHeap::new(),
        }
    }

    /// Takes a pair.
    pub(super) fn add(&mut self, pair: &Pair) -> Result<()> {
        let threshold = self.question.threshold;
        let decisions = [0, 1].map(|side| decision(self.task, threshold, &pair.predictions[side]));
        self.add_to(0, pair, decisions)?;
        if self.has_segments {
            self.add_to(pair.predictions[0].segment + 1, pair, decisions)?;
        }
        if self.question.moved > 0 {
            self.note_moved(pair, decisions);
        }
        Ok(())
    }

    fn add_to(&mut self, segment: u32, pair: &Pair, decisions: [u32; 2]) -> Result<()> {
        let sums = self.sums.entry(segment).or_default();
        sums.rows += 1;
        *sums.decisions.entry(decisions).or_default() += 1;
        let [first, second] = &pair.predictions;
        sums.identical += u64::from(first.scores == second.scores && decisions[0] == decisions[1]);
        if let Some(difference) = difference(self.task, first, second) {
            let size = difference.abs();
            sums.within_tolerance += u64::from(size <= self.question.tolerance);
            sums.differences.add(difference);
            sums.absolute.add(size);
            sums.ends = Some(sums.ends.map_or([difference; 2], |[low, high]| {
                [low.min(difference), high.max(difference)]
            }));
            let key = [&segment.to_be_bytes()[..], &order_bytes(difference)].concat();
            self.differences.push(&key, &[])?;
        }
        let label = match pair.actual {
            Some(Actual::Class(class)) => Some(class),
            _ => None,
        };
        if self.task != Task::Classes {
            let scores = [first.scores[0], second.scores[0]];
            self.scores.add(segment, scores, label)?;
        }
        let Some(actual) = pair.actual else {
            return Ok(());
        };
        sums.labelled += 1;
        if let Some(label) = label {
            *sums.outcomes.entry((label, decisions)).or_default() += 1;
        }
        sums.add_losses(self.task, [first, second], actual, self.epsilons);
        Ok(())
    }

    fn note_moved(&mut self, pair: &Pair, decisions: [u32; 2]) {
        let [first, second] = &pair.predictions;
        let Some(difference) = difference(self.task, first, second).filter(|size| *size != 0.0)
        else {
            return;
        };
        let score = |prediction: &Prediction, decision: u32| match self.task {
            // The score of the class that the row is given.
            Task::Classes => prediction.scores.get(decision as usize).copied(),
            _ => prediction.scores.first().copied(),
        };
        let scores = [score(first, decisions[0]), score(second, decisions[1])];
        let scores = scores.map(|score| score.unwrap_or(f64::NAN).to_bits());
        let row = (
            order_bytes(difference.abs()),
            Reverse(pair.key.clone()),
            MovedPair { scores, decisions },
        );
        self.moved.push(Reverse(row));
        if self.moved.len() > self.question.moved {
            self.moved.pop();
        }
    }

    /// The most moved rows, the most moved one first.
    pub(super) fn moved(&mut self) -> Vec<(Vec<u8>, MovedPair)> {
        let heap = std::mem::take(&mut self.moved);
        let rows = heap.into_sorted_vec().into_iter();
        rows.map(|Reverse((_, Reverse(key), moved))| (key, moved))
            .collect()
    }
}

/// The class that a row is given; `threshold` is for those of two that are not in the table.
pub(super) fn decision(task: Task, threshold: Option<f64>, prediction: &Prediction) -> u32 {
    let scores = &prediction.scores;
    match task {
        _ if prediction.class != NO_CLASS => prediction.class,
        Task::Binary => {
            let threshold = threshold.unwrap_or(DEFAULT_THRESHOLD);
            if scores.first().is_some_and(|score| *score >= threshold) {
                CALLED_POSITIVE
            } else {
                CALLED_NEGATIVE
            }
        }
        Task::Classes => largest(scores),
        Task::Regression | Task::Ranking => NO_CLASS,
    }
}

/// By how much a row moved: the second score less the first, or the share of probability that went
/// from classes to others; none without scores.
fn difference(task: Task, first: &Prediction, second: &Prediction) -> Option<f64> {
    let of = |(first, second): (f64, f64)| if first == second { 0.0 } else { second - first };
    let mut pairs = first
        .scores
        .iter()
        .copied()
        .zip(second.scores.iter().copied());
    match task {
        Task::Classes if first.scores.is_empty() => None,
        Task::Classes => Some(pairs.map(|pair| of(pair).abs()).sum::<f64>() / 2.0),
        _ => pairs.next().map(of),
    }
}

impl Sums {
    fn add_losses(
        &mut self,
        task: Task,
        predictions: [&Prediction; 2],
        actual: Actual,
        epsilons: [f64; 2],
    ) {
        let mut add = |name, class, losses: [f64; 2]| {
            self.losses.entry((name, class)).or_default().add(losses);
        };
        let is_probability = |prediction: &&Prediction| {
            !prediction.scores.is_empty()
                && prediction
                    .scores
                    .iter()
                    .all(|score| (0.0..=1.0).contains(score))
        };
        match (task, actual) {
            (Task::Regression | Task::Ranking, Actual::Number(value)) => {
                let errors = predictions.map(|prediction| prediction.scores[0] - value);
                add("mae", 0, errors.map(f64::abs));
                add("mse", 0, errors.map(|error| error * error));
            }
            (Task::Binary | Task::Classes, Actual::Class(_))
                if !predictions.iter().all(is_probability) =>
            {
                self.has_other_scores = true;
            }
            (Task::Binary, Actual::Class(class)) => {
                // Which label is positive is not known yet: both losses are kept.
                let log = |side: usize, own: f64| {
                    -libm::log(own.clamp(epsilons[side], 1.0 - epsilons[side]))
                };
                let scores = predictions.map(|prediction| prediction.scores[0]);
                let other = scores.map(|score| 1.0 - score);
                add("log_loss", class, [log(0, scores[0]), log(1, scores[1])]);
                add(
                    "negative_log_loss",
                    class,
                    [log(0, other[0]), log(1, other[1])],
                );
                add("brier", class, other.map(|score| score * score));
                add("negative_brier", class, scores.map(|score| score * score));
            }
            (Task::Classes, Actual::Class(class)) => {
                let own =
                    predictions.map(|prediction| prediction.scores.get(class as usize).copied());
                let own = own.map(|own| own.unwrap_or(0.0));
                let log =
                    |side: usize| -libm::log(own[side].clamp(epsilons[side], 1.0 - epsilons[side]));
                add("log_loss", 0, [log(0), log(1)]);
                let brier = |side: usize| {
                    let squares: f64 = predictions[side].scores.iter().map(|one| one * one).sum();
                    squares - 2.0 * own[side] + 1.0
                };
                add("brier", 0, [brier(0), brier(1)]);
            }
            _ => {}
        }
    }
}
