//! What is counted for one rule.
//!
//! Owns the counts, their sums and their bytes, and the rows that are named as examples: the first
//! of the input. It must not know when a rule holds.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};

use crate::error::{Error, Result};
use crate::memory::{Pool, Reservation};
use crate::path_text;
use crate::pipeline::observer::ScoredPortion;
use crate::pipeline::rule::{Ask, Rule, Rules, text_of};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::distinct::Distinct;
use crate::statistics::hash;

/// What a key takes in a set of keys that is up to half empty.
const KEY_BYTES: u64 = 40;

/// What was counted for one rule.
#[derive(Debug)]
pub(super) enum Counts {
    Row {
        tested: u64,
        failed: u64,
        /// The first rows that fail, as texts, if they are asked for.
        examples: Vec<String>,
    },
    Distinct {
        tested: u64,
        distinct: Distinct,
    },
    Keys {
        tested: u64,
        keys: Keys,
    },
    Newest {
        tested: u64,
        newest: Option<i64>,
    },
    Nothing,
}

/// The hashes of all values of a column, counted as memory.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) hashes: HashSet<u128>,
    reserved: Option<Reservation>,
}

impl Counts {
    pub(super) fn nothing(rule: &Rule) -> Self {
        match &rule.ask {
            Ask::Row(_) => Self::Row {
                tested: 0,
                failed: 0,
                examples: Vec::new(),
            },
            Ask::Unique {
                is_exact: false, ..
            } => Self::Distinct {
                tested: 0,
                distinct: Distinct::default(),
            },
            Ask::Unique { is_exact: true, .. } => Self::Keys {
                tested: 0,
                keys: Keys::default(),
            },
            Ask::Fresh { .. } => Self::Newest {
                tested: 0,
                newest: None,
            },
            Ask::RowCount { .. } => Self::Nothing,
        }
    }

    pub(super) fn observe(
        &mut self,
        rule: &Rule,
        rules: &Rules,
        portion: &ScoredPortion<'_>,
    ) -> Result<()> {
        match (self, &rule.ask) {
            (
                Self::Row {
                    tested,
                    failed,
                    examples,
                },
                Ask::Row(index),
            ) => {
                let met = portion
                    .verdicts
                    .get(*index)
                    .ok_or_else(|| Error::internal("a rule that was not judged"))?;
                *tested += met.len() as u64;
                *failed += met.false_count() as u64;
                *examples = first_failures(met, rules.example_count(), portion);
            }
            (Self::Distinct { tested, distinct }, Ask::Unique { column, .. }) => {
                *tested += each_hash(&rules.column(portion.rows, column)?, |hash| {
                    distinct.add(hash);
                    Ok(())
                })?;
            }
            (Self::Keys { tested, keys }, Ask::Unique { column, .. }) => {
                *tested += each_hash(&rules.column(portion.rows, column)?, |hash| keys.add(hash))?;
            }
            (Self::Newest { tested, newest }, Ask::Fresh { column, query, .. }) => {
                let values = rules.column(portion.rows, column)?;
                *tested += (values.len() - values.null_count()) as u64;
                *newest = Rules::newest(query.as_deref(), column, values)?.max(*newest);
            }
            (Self::Nothing, _) => {}
            _ => return Err(Error::internal("counts of another rule")),
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self, example_count: usize) -> Result<()> {
        match (self, other) {
            (
                Self::Row {
                    tested,
                    failed,
                    examples,
                },
                Self::Row {
                    tested: more,
                    failed: more_failed,
                    examples: more_examples,
                },
            ) => {
                *tested += more;
                *failed += more_failed;
                let free = example_count.saturating_sub(examples.len());
                examples.extend(more_examples.iter().take(free).cloned());
            }
            (
                Self::Distinct { tested, distinct },
                Self::Distinct {
                    tested: more,
                    distinct: other,
                },
            ) => {
                *tested += more;
                distinct.merge(other);
            }
            (
                Self::Keys { tested, keys },
                Self::Keys {
                    tested: more,
                    keys: other,
                },
            ) => {
                *tested += more;
                other.hashes.iter().try_for_each(|hash| keys.add(*hash))?;
            }
            (
                Self::Newest { tested, newest },
                Self::Newest {
                    tested: more,
                    newest: other,
                },
            ) => {
                *tested += more;
                *newest = (*newest).max(*other);
            }
            (Self::Nothing, Self::Nothing) => {}
            _ => return Err(Error::internal("counts of other rules")),
        }
        Ok(())
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Row {
                tested,
                failed,
                examples,
            } => {
                writer.integer(*tested);
                writer.integer(*failed);
                writer.integer(examples.len() as u64);
                examples.iter().for_each(|example| writer.text(example));
            }
            Self::Distinct { tested, distinct } => {
                writer.integer(*tested);
                distinct.write(writer);
            }
            Self::Keys { tested, keys } => {
                writer.integer(*tested);
                let mut hashes: Vec<u128> = keys.hashes.iter().copied().collect();
                hashes.sort_unstable();
                writer.integer(hashes.len() as u64);
                for hash in hashes {
                    writer.integer(hash as u64);
                    writer.integer((hash >> 64) as u64);
                }
            }
            Self::Newest { tested, newest } => {
                writer.integer(*tested);
                writer.integer(u64::from(newest.is_some()));
                writer.signed(newest.unwrap_or(0));
            }
            Self::Nothing => {}
        }
    }

    /// Reads counts of the same kind.
    pub(super) fn read(kind: &Self, reader: &mut Reader) -> Option<Self> {
        Some(match kind {
            Self::Row { .. } => {
                let (tested, failed) = (reader.count()?, reader.count()?);
                let count = reader.length()?;
                let mut examples = Vec::new();
                for _ in 0..count {
                    examples.push(reader.text()?.to_owned());
                }
                (failed <= tested).then_some(Self::Row {
                    tested,
                    failed,
                    examples,
                })?
            }
            Self::Distinct { .. } => Self::Distinct {
                tested: reader.count()?,
                distinct: Distinct::read(reader)?,
            },
            Self::Keys { .. } => {
                let (tested, count) = (reader.count()?, reader.length()?);
                let mut keys = Keys::default();
                for _ in 0..count {
                    let low = reader.integer()?;
                    let hash = u128::from(reader.integer()?) << 64 | u128::from(low);
                    keys.add(hash).ok()?;
                }
                Self::Keys { tested, keys }
            }
            Self::Newest { .. } => {
                let (tested, is_known) = (reader.count()?, reader.integer()?);
                let newest = reader.signed()?;
                Self::Newest {
                    tested,
                    newest: (is_known == 1).then_some(newest),
                }
            }
            Self::Nothing => Self::Nothing,
        })
    }
}

impl Keys {
    fn add(&mut self, hash: u128) -> Result<()> {
        if !self.hashes.insert(hash) {
            return Ok(());
        }
        let expected = self.hashes.capacity() as u64 * KEY_BYTES;
        let held = self.reserved.as_ref().map_or(0, Reservation::bytes);
        if expected <= held {
            return Ok(());
        }
        let refused = |error: Error| {
            error.hint(
                "`unique(COLUMN)` estimates in 4 KiB; `unique(COLUMN, exact)` holds every value's \
                 hash: give it more `--memory`",
            )
        };
        let what = "the values of a column that must be unique";
        match &mut self.reserved {
            Some(reserved) => reserved.grow(expected - held, what).map_err(refused),
            None => {
                let reserved = Pool::of_process().reserve(expected, what);
                self.reserved = Some(reserved.map_err(refused)?);
                Ok(())
            }
        }
    }
}

/// Passes on the hash of each value that is not null; returns how many there are.
fn each_hash(values: &ArrayRef, mut add: impl FnMut(u128) -> Result<()>) -> Result<u64> {
    let texts = text_of(values)?;
    let texts = texts.as_string::<i32>();
    for text in texts.iter().flatten() {
        add(hash::of_bytes(text.as_bytes()))?;
    }
    Ok((texts.len() - texts.null_count()) as u64)
}

/// The first rows that do not meet a condition: file, row and nothing of their values.
fn first_failures(met: &BooleanArray, count: usize, portion: &ScoredPortion<'_>) -> Vec<String> {
    let failures = (0..met.len()).filter(|row| !met.value(*row)).take(count);
    failures
        .map(|row| {
            let path = path_text::text(portion.origin.path);
            let number = portion.origin.row_number(row);
            format!("{path}, row {number}: {}", values_of(portion.rows, row))
        })
        .collect()
}

/// The most characters of an example.
const EXAMPLE_LENGTH: usize = 300;

/// The values of a row that was asked for as an example.
fn values_of(rows: &RecordBatch, row: usize) -> String {
    let schema = rows.schema();
    let values = schema.fields().iter().zip(rows.columns());
    let values = values.map(|(field, column)| {
        let text = text_of(&column.slice(row, 1)).ok();
        let text = text.and_then(|text| {
            let texts = text.as_string::<i32>();
            texts.iter().next().flatten().map(str::to_owned)
        });
        format!("{}={}", field.name(), text.as_deref().unwrap_or("null"))
    });
    let all = values.collect::<Vec<_>>().join(", ");
    if all.chars().count() <= EXAMPLE_LENGTH {
        return all;
    }
    let start: String = all.chars().take(EXAMPLE_LENGTH).collect();
    format!("{start}…")
}
