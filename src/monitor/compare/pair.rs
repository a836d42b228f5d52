//! The rows of two tables, and their labels, joined in bounded memory.
//!
//! Owns the sorted merge by key or by the number of the row. Keys that several rows of one table
//! have are counted and dropped, since none of their rows can be told from the others; so are rows
//! that one table alone has. It must not know what is compared.

use std::sync::Arc;

use super::found::PairCounts;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::evaluate::Counts;
use crate::monitor::evaluate::columns::{Columns, actuals, key_columns};
use crate::monitor::evaluate::gather::{Actual, Prediction};
use crate::monitor::evaluate::join::{Label, LabelStream, key_bytes};
use crate::monitor::evaluate::label::Labels;
use crate::statistics::hash::of_bytes;
use crate::storage::Location;
use crate::table::dataset::Dataset;
use crate::table::sorted::{Record, Sorted, Sorter};

/// The bytes of a row's label before its prediction.
const LABEL_BYTES: usize = 10;

/// The bytes of a row's hash before its label.
const HASH_BYTES: usize = 16;

/// A row of both tables.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) key: Vec<u8>,
    pub(super) predictions: [Prediction; 2],
    pub(super) actual: Option<Actual>,
}

/// Rows on their way into pairs.
#[derive(Debug)]
pub(super) struct Pairing {
    sides: [Sorter; 2],
    labels: Sorter,
    /// Whether rows are joined by their order. The key columns, if any, then only have to be equal.
    is_by_row: bool,
    pub(super) counts: PairCounts,
}

impl Pairing {
    pub(super) fn new(directory: &Location, run_bytes: usize, is_by_row: bool) -> Self {
        let sorter = || Sorter::new(directory, run_bytes);
        Self {
            sides: [sorter(), sorter()],
            labels: sorter(),
            is_by_row,
            counts: PairCounts::default(),
        }
    }

    /// Reads a side, 0 or 1.
    pub(super) fn read(
        &mut self,
        side: usize,
        (columns, table): (&Columns, &Arc<Dataset>),
        labels: &mut Labels,
        interrupt: &Interrupt,
    ) -> Result<()> {
        let mut counts = Counts::default();
        let (sorter, mut without_key) = (&mut self.sides[side], 0);
        let is_by_row = self.is_by_row;
        columns.read(
            table,
            labels,
            &mut counts,
            interrupt,
            |labels, counts, batch, rows| {
                let before = counts.predictions - batch.num_rows() as u64;
                let keys = key_columns(batch, &columns.key)?;
                let actual = match columns.label {
                    Some(label) => actuals(batch.column(label), columns.task, labels, counts)?,
                    None => vec![None; batch.num_rows()],
                };
                let mut is_silent = vec![true; batch.num_rows()];
                for (row, prediction) in rows {
                    is_silent[row] = false;
                    let mut bytes = vec![0; HASH_BYTES + LABEL_BYTES];
                    let mut key = key_bytes(&keys, row);
                    if is_by_row {
                        let hash = of_bytes(&key.unwrap_or_default());
                        bytes[..HASH_BYTES].copy_from_slice(&hash.to_be_bytes());
                        key = Some((before + row as u64).to_be_bytes().to_vec());
                    }
                    let Some(key) = key else {
                        without_key += 1;
                        continue;
                    };
                    if let Some(actual) = actual[row] {
                        bytes[HASH_BYTES] = 1;
                        bytes[HASH_BYTES + 1..].copy_from_slice(&actual.to_bytes());
                    }
                    bytes.extend_from_slice(&prediction.to_bytes());
                    sorter.push(&key, &bytes)?;
                }
                // Of rows without a prediction the keys alone: they are no partners, and counted.
                for row in (0..is_silent.len()).filter(|row| is_silent[*row]) {
                    let key = if is_by_row {
                        Some((before + row as u64).to_be_bytes().to_vec())
                    } else {
                        key_bytes(&keys, row)
                    };
                    if let Some(key) = key {
                        sorter.push(&key, &[])?;
                    }
                }
                Ok(())
            },
        )?;
        self.counts.read[side] = counts.predictions;
        self.counts.without_prediction[side] = counts.without_prediction;
        self.counts.without_key[side] = without_key;
        Ok(())
    }

    /// Takes a label of a table of its own.
    pub(super) fn label(&mut self, key: &[u8], actual: Actual) -> Result<()> {
        self.labels.push(key, &actual.to_bytes())
    }

    /// Gives every pair, in the order of keys, to `take`.
    pub(super) fn finish(
        self,
        interrupt: &Interrupt,
        mut take: impl FnMut(Pair) -> Result<()>,
    ) -> Result<PairCounts> {
        let Self {
            sides: [first, second],
            labels,
            mut counts,
            is_by_row: _,
        } = self;
        let mut sides = [Side::new(first.finish()?)?, Side::new(second.finish()?)?];
        let mut labels = LabelStream::new(labels.finish()?)?;
        let mut label_counts = Counts::default();
        let mut keys = 0_u64;
        loop {
            keys += 1;
            if keys.is_multiple_of(1 << 16) {
                interrupt.check()?;
            }
            let [first, second] = &mut sides;
            let key = match (first.key(), second.key()) {
                (None, None) => break,
                (Some(key), None) | (None, Some(key)) => key.clone(),
                (Some(left), Some(right)) => left.min(right).clone(),
            };
            let found = [first.take(&key)?, second.take(&key)?];
            for (index, found) in found.iter().enumerate() {
                counts.duplicate_keys[index] += if found.is_single() { 0 } else { found.rows };
            }
            let [first, second] = found;
            let (left, right) = match (first, second) {
                (
                    Found {
                        row: Some(left),
                        rows: 1,
                        silent: 0,
                    },
                    Found {
                        row: Some(right),
                        rows: 1,
                        silent: 0,
                    },
                ) => (left, right),
                // Of one table there is not one row with a prediction.
                (first, second) => {
                    counts.alone[0] += u64::from(first.is_alone(&second));
                    counts.alone[1] += u64::from(second.is_alone(&first));
                    continue;
                }
            };
            let mut actual = None;
            let mut predictions = Vec::with_capacity(2);
            if left.first_chunk::<HASH_BYTES>() != right.first_chunk::<HASH_BYTES>() {
                return Err(other_row(&key));
            }
            for bytes in [&left[HASH_BYTES..], &right[HASH_BYTES..]] {
                let (label, prediction) =
                    bytes.split_at_checked(LABEL_BYTES).ok_or_else(damaged)?;
                if label[0] == 1 {
                    actual = Some(Actual::of_bytes(&label[1..]).ok_or_else(damaged)?);
                }
                predictions.push(Prediction::of_bytes(prediction).ok_or_else(damaged)?);
            }
            match labels.of(&key, &mut label_counts)? {
                Label::Known(known) => actual = Some(known),
                Label::Conflicting => counts.conflicting_labels += 1,
                Label::Missing => {}
            }
            counts.compared += 1;
            counts.labelled += u64::from(actual.is_some());
            let predictions = predictions.try_into().map_err(|_| damaged())?;
            take(Pair {
                key,
                predictions,
                actual,
            })?;
        }
        Ok(counts)
    }
}

/// The error for tables whose rows are not in the same order.
fn other_row(key: &[u8]) -> Error {
    let error = Error::contract("the rows of the two tables are not in the same order");
    match key.first_chunk::<8>() {
        Some(row) => error.at_row(u64::from_be_bytes(*row) + 1),
        None => error,
    }
}

fn damaged() -> Error {
    Error::internal("a row that was put aside is damaged")
}

/// A table's rows in the order of their keys.
struct Side {
    sorted: Sorted,
    next: Option<Record>,
}

impl Side {
    fn new(mut sorted: Sorted) -> Result<Self> {
        let next = sorted.next_record()?;
        Ok(Self { sorted, next })
    }

    fn key(&self) -> Option<&Vec<u8>> {
        self.next.as_ref().map(|(key, _)| key)
    }

    /// The rows of a key.
    fn take(&mut self, key: &[u8]) -> Result<Found> {
        let mut found = Found::default();
        while let Some((_, payload)) = self.next.take_if(|(next, _)| next == key) {
            if payload.is_empty() {
                found.silent += 1;
            } else {
                found.row.get_or_insert(payload);
                found.rows += 1;
            }
            self.next = self.sorted.next_record()?;
        }
        Ok(found)
    }
}

/// The rows of a key in one table.
#[derive(Default)]
struct Found {
    /// The first row with a prediction.
    row: Option<Vec<u8>>,
    /// The rows with a prediction.
    rows: u64,
    /// The rows without one.
    silent: u64,
}

impl Found {
    /// Whether the only row of a key has no partner; one without a prediction is a partner, and
    /// counted as what it is.
    fn is_alone(&self, other: &Self) -> bool {
        self.rows == 1 && self.is_single() && !(other.rows == 0 && other.silent > 0)
    }

    /// Whether no two rows have the key, with a prediction or without.
    fn is_single(&self) -> bool {
        self.rows + self.silent <= 1
    }
}
