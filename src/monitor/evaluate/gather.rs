//! Rows with their labels, on the way into the order in which they are walked through.
//!
//! Owns the form of a row as bytes, the sums that need no order, and the sort by segment and score.
//! Every row is counted among all rows and, where there are segments, in its own. It must not know
//! columns or keys.

use std::collections::{BTreeMap, HashMap};

use super::question::Task;
use crate::error::Result;
use crate::monitor::interval::Mean;
use crate::monitor::regression::Regression;
use crate::storage::Location;
use crate::table::sorted::{DEFAULT_RUN_BYTES, Sorter};

/// The class of a row whose predicted class is not known.
pub(in crate::monitor) const NO_CLASS: u32 = u32::MAX;

/// A row without its label.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::monitor) struct Prediction {
    pub(in crate::monitor) segment: u32,
    /// The predicted class, or [`NO_CLASS`].
    pub(in crate::monitor) class: u32,
    pub(in crate::monitor) scores: Vec<f64>,
    /// The group that it is ranked in.
    pub(in crate::monitor) group: String,
}

/// What came true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::monitor) enum Actual {
    Class(u32),
    Number(f64),
}

impl Prediction {
    pub(in crate::monitor) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12 + 8 * self.scores.len() + self.group.len());
        bytes.extend_from_slice(&self.segment.to_le_bytes());
        bytes.extend_from_slice(&self.class.to_le_bytes());
        bytes.extend_from_slice(&(self.scores.len() as u32).to_le_bytes());
        self.scores
            .iter()
            .for_each(|score| bytes.extend_from_slice(&score.to_le_bytes()));
        bytes.extend_from_slice(self.group.as_bytes());
        bytes
    }

    pub(in crate::monitor) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (segment, rest) = bytes.split_first_chunk::<4>()?;
        let (class, rest) = rest.split_first_chunk::<4>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count) as usize;
        let (scores, group) = rest.split_at_checked(8 * count)?;
        let scores = scores.as_chunks::<8>().0;
        Some(Self {
            segment: u32::from_le_bytes(*segment),
            class: u32::from_le_bytes(*class),
            scores: scores
                .iter()
                .map(|bytes| f64::from_le_bytes(*bytes))
                .collect(),
            group: std::str::from_utf8(group).ok()?.to_owned(),
        })
    }
}

impl Actual {
    pub(in crate::monitor) fn to_bytes(self) -> [u8; 9] {
        let (kind, value) = match self {
            Self::Class(class) => (0, u64::from(class)),
            Self::Number(number) => (1, number.to_bits()),
        };
        let mut bytes = [kind; 9];
        bytes[1..].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    pub(in crate::monitor) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, value) = bytes.split_first()?;
        let value = u64::from_le_bytes(value.try_into().ok()?);
        Some(match kind {
            0 => Self::Class(value as u32),
            _ => Self::Number(f64::from_bits(value)),
        })
    }
}

/// Sums of a segment that need no order.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) rows: u64,
    /// Rows by actual and predicted class.
    pub(super) classes: HashMap<(u32, u32), u64>,
    pub(super) log_loss: Mean,
    pub(super) brier: Mean,
    /// Whether a score is not a probability.
    pub(super) has_other_scores: bool,
    pub(super) regression: Regression,
}

/// Rows on the way.
#[derive(Debug)]
pub(super) struct Gather {
    task: Task,
    pub(super) has_segments: bool,
    pub(super) epsilon: f64,
    /// By segment: 0 is all rows, others their own number plus 1.
    pub(super) sums: BTreeMap<u32, Sums>,
    pub(super) sorter: Sorter,
}

impl Gather {
    /// No rows yet.
    pub(super) fn new(
        task: Task,
        (has_segments, epsilon): (bool, f64),
        directory: &Location,
        run_bytes: usize,
    ) -> Self {
        Self {
            task,
            has_segments,
            epsilon,
            sums: BTreeMap::new(),
            sorter: Sorter::new(directory, run_bytes.min(DEFAULT_RUN_BYTES)),
        }
    }

    /// Takes a row with its label.
    pub(super) fn add(&mut self, prediction: &Prediction, actual: Actual) -> Result<()> {
        self.add_to(0, prediction, actual)?;
        if self.has_segments {
            self.add_to(prediction.segment + 1, prediction, actual)?;
        }
        Ok(())
    }

    fn add_to(&mut self, segment: u32, prediction: &Prediction, actual: Actual) -> Result<()> {
        let sums = self.sums.entry(segment).or_default();
        sums.rows += 1;
        let key = segment.to_be_bytes();
        let score = prediction.scores.first().copied().unwrap_or(0.0);
        match (self.task, actual) {
            (Task::Binary, Actual::Class(class)) => {
                *sums.classes.entry((class, prediction.class)).or_default() += 1;
                let key = [&key[..], &order_bytes(score)].concat();
                let payload = [class.to_le_bytes(), prediction.class.to_le_bytes()].concat();
                self.sorter.push(&key, &payload)
            }
            (Task::Classes, Actual::Class(class)) => {
                let predicted = match prediction.class {
                    NO_CLASS => largest(&prediction.scores),
                    predicted => predicted,
                };
                *sums.classes.entry((class, predicted)).or_default() += 1;
                sums.add_probabilities(&prediction.scores, class, self.epsilon);
                for (index, score) in prediction.scores.iter().enumerate() {
                    let index = index as u32;
                    let key = [&key[..], &index.to_be_bytes(), &order_bytes(*score)].concat();
                    self.sorter.push(&key, &[u8::from(index == class)])?;
                }
                Ok(())
            }
            (Task::Regression, Actual::Number(value)) => {
                sums.regression.add(score, value);
                let key = [&key[..], &order_bytes((score - value).abs())].concat();
                let payload = [score.to_le_bytes(), value.to_le_bytes()].concat();
                self.sorter.push(&key, &payload)
            }
            (Task::Ranking, Actual::Number(value)) => {
                let key = [&key[..], prediction.group.as_bytes()].concat();
                let payload = [score.to_le_bytes(), value.to_le_bytes()].concat();
                self.sorter.push(&key, &payload)
            }
            _ => Ok(()),
        }
    }
}

impl Sums {
    /// The losses of several classes; a class without a column has the probability 0.
    fn add_probabilities(&mut self, scores: &[f64], class: u32, epsilon: f64) {
        if scores.is_empty() || !scores.iter().all(|score| (0.0..=1.0).contains(score)) {
            self.has_other_scores = true;
            return;
        }
        let own = scores.get(class as usize).copied().unwrap_or(0.0);
        self.log_loss
            .add(-libm::log(own.clamp(epsilon, 1.0 - epsilon)));
        let squares: f64 = scores.iter().map(|score| score * score).sum();
        self.brier.add(squares - 2.0 * own + 1.0);
    }
}

/// The first of the largest scores.
pub(in crate::monitor) fn largest(scores: &[f64]) -> u32 {
    let better = |best: usize, index: usize| {
        if scores[index] > scores[best] {
            index
        } else {
            best
        }
    };
    (1..scores.len()).fold(0, better) as u32
}

/// Bytes of the same order as numbers that are not NaN; both zeros have one form.
pub(in crate::monitor) fn order_bytes(value: f64) -> [u8; 8] {
    let bits = (value + 0.0).to_bits();
    let ordered = if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    };
    ordered.to_be_bytes()
}

/// The number of [`order_bytes`].
pub(in crate::monitor) fn ordered_number(bytes: [u8; 8]) -> f64 {
    let ordered = u64::from_be_bytes(bytes);
    f64::from_bits(if ordered >> 63 == 1 {
        ordered & !(1 << 63)
    } else {
        !ordered
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_their_bytes() {
        let prediction = Prediction {
            segment: 3,
            class: NO_CLASS,
            scores: vec![0.25, f64::NEG_INFINITY],
            group: "query é".to_owned(),
        };
        let bytes = prediction.to_bytes();
        assert_eq!(Prediction::of_bytes(&bytes), Some(prediction));
        assert_eq!(Prediction::of_bytes(&bytes[..12]), None);
        for actual in [Actual::Class(7), Actual::Number(-0.5)] {
            assert_eq!(Actual::of_bytes(&actual.to_bytes()), Some(actual));
        }
    }

    #[test]
    fn bytes_have_the_order_of_numbers() {
        let numbers = [
            f64::NEG_INFINITY,
            -1.0,
            -5e-324,
            0.0,
            5e-324,
            1.0,
            f64::INFINITY,
        ];
        assert!(
            numbers
                .windows(2)
                .all(|pair| order_bytes(pair[0]) < order_bytes(pair[1]))
        );
        assert!(
            numbers
                .iter()
                .all(|number| ordered_number(order_bytes(*number)) == *number)
        );
        assert_eq!(order_bytes(-0.0), order_bytes(0.0));
    }
}
