//! Labels joined to predictions by key, in bounded memory.
//!
//! Owns the sorted merge of both, and what becomes of keys that repeat or that one side alone has.
//! Labels of one key that differ leave its rows out, since none of them can be trusted; the result
//! does not depend on the order of either table. It must not know what the keys are.

use arrow::array::{Array, StringArray};

use super::found::Counts;
use super::gather::{Actual, Gather, Prediction};
use crate::error::{Error, Result};
use crate::storage::Location;
use crate::table::sorted::{Record, Sorted, Sorter};

/// Predictions and labels, each sorted by key.
#[derive(Debug)]
pub(super) struct Join {
    predictions: Sorter,
    labels: Sorter,
}

/// A row's key as bytes, the columns apart from each other; none if one of them is missing.
pub(in crate::monitor) fn key_bytes(columns: &[StringArray], row: usize) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for column in columns {
        if column.is_null(row) || column.value(row).is_empty() {
            return None;
        }
        let text = column.value(row);
        key.extend_from_slice(&(text.len() as u32).to_be_bytes());
        key.extend_from_slice(text.as_bytes());
    }
    Some(key)
}

impl Join {
    /// Nothing to join yet.
    pub(super) fn new(directory: &Location, run_bytes: usize) -> Self {
        Self {
            predictions: Sorter::new(directory, run_bytes),
            labels: Sorter::new(directory, run_bytes),
        }
    }

    /// Takes a prediction.
    pub(super) fn predict(&mut self, key: &[u8], prediction: &Prediction) -> Result<()> {
        self.predictions.push(key, &prediction.to_bytes())
    }

    /// Takes a label.
    pub(super) fn label(&mut self, key: &[u8], actual: Actual) -> Result<()> {
        self.labels.push(key, &actual.to_bytes())
    }

    /// Gives every prediction its label.
    pub(super) fn finish(self, gather: &mut Gather, counts: &mut Counts) -> Result<()> {
        let mut labels = LabelStream::new(self.labels.finish()?)?;
        let mut predictions = self.predictions.finish()?;
        let mut before: Option<Vec<u8>> = None;
        let mut label = Label::Missing;
        while let Some((key, payload)) = predictions.next_record()? {
            if before.as_ref() == Some(&key) {
                counts.duplicate_predictions += 1;
            } else {
                label = labels.of(&key, counts)?;
            }
            match label {
                Label::Missing => counts.without_label += 1,
                Label::Conflicting => counts.conflicting_labels += 1,
                Label::Known(actual) => {
                    counts.evaluated += 1;
                    let prediction = Prediction::of_bytes(&payload).ok_or_else(damaged)?;
                    gather.add(&prediction, actual)?;
                }
            }
            before = Some(key);
        }
        labels.skip_rest(counts)
    }
}

fn damaged() -> Error {
    Error::internal("a row that was put aside is damaged")
}

/// What the labels of a key say.
#[derive(Clone, Copy, Debug)]
pub(in crate::monitor) enum Label {
    Missing,
    Conflicting,
    Known(Actual),
}

/// Labels in the order of their keys.
pub(in crate::monitor) struct LabelStream {
    sorted: Sorted,
    next: Option<Record>,
}

impl LabelStream {
    /// Labels that were sorted by their keys.
    pub(in crate::monitor) fn new(mut sorted: Sorted) -> Result<Self> {
        let next = sorted.next_record()?;
        Ok(Self { sorted, next })
    }

    /// The label of a key, which is above all keys that were asked for before.
    pub(in crate::monitor) fn of(&mut self, key: &[u8], counts: &mut Counts) -> Result<Label> {
        while self
            .next
            .as_ref()
            .is_some_and(|next| next.0.as_slice() < key)
        {
            counts.labels_without_prediction += 1;
            self.next = self.sorted.next_record()?;
        }
        let mut label = Label::Missing;
        let mut first: Option<Vec<u8>> = None;
        while let Some((_, payload)) = self.next.take_if(|next| next.0 == key) {
            label = match &first {
                None => Label::Known(Actual::of_bytes(&payload).ok_or_else(damaged)?),
                Some(first) if *first == payload => {
                    counts.duplicate_labels += 1;
                    label
                }
                Some(_) => {
                    counts.duplicate_labels += 1;
                    Label::Conflicting
                }
            };
            first.get_or_insert(payload);
            self.next = self.sorted.next_record()?;
        }
        Ok(label)
    }

    /// Counts the labels that are left.
    pub(in crate::monitor) fn skip_rest(mut self, counts: &mut Counts) -> Result<()> {
        while self.next.is_some() {
            counts.labels_without_prediction += 1;
            self.next = self.sorted.next_record()?;
        }
        Ok(())
    }
}
