//! What is counted for one rule.
//!
//! Owns the counts, their sums and their bytes, and the rows that are named as examples: the first
//! of the input. It must not know when a rule holds.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};

use crate::error::{Error, Result};
use crate::memory::{Pool, Reservation};
use crate::pipeline::observer::ScoredPortion;
use crate::pipeline::rule::{Ask, Rule, Rules, text_of};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::distinct::Distinct;
use crate::statistics::hash;

/// Up to so many distinct values `unique` counts exactly: their hashes take 4 MB at most.
const MAX_FEW: usize = 100_000;

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
        /// The hashes of all values, while they are few.
        few: Option<HashSet<u128>>,
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
                few: Some(HashSet::new()),
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
                *examples = first_failures(met, rules, portion)?;
            }
            (
                Self::Distinct {
                    tested,
                    distinct,
                    few,
                },
                Ask::Unique { column, .. },
            ) => {
                *tested += each_hash(&rules.column(portion.rows, column)?, |hash| {
                    distinct.add(hash);
                    add_to_few(few, hash);
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
                Self::Distinct {
                    tested,
                    distinct,
                    few,
                },
                Self::Distinct {
                    tested: more,
                    distinct: other,
                    few: more_few,
                },
            ) => {
                *tested += more;
                distinct.merge(other);
                match more_few {
                    Some(hashes) => hashes.iter().for_each(|hash| add_to_few(few, *hash)),
                    None => *few = None,
                }
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
            Self::Distinct {
                tested,
                distinct,
                few,
            } => {
                writer.integer(*tested);
                distinct.write(writer);
                writer.integer(u64::from(few.is_some()));
                few.iter().for_each(|hashes| write_hashes(hashes, writer));
            }
            Self::Keys { tested, keys } => {
                writer.integer(*tested);
                write_hashes(&keys.hashes, writer);
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
            Self::Distinct { .. } => {
                let (tested, distinct) = (reader.count()?, Distinct::read(reader)?);
                let few = match reader.integer()? {
                    0 => None,
                    _ => Some(read_hashes(reader)?.into_iter().collect()),
                };
                Self::Distinct {
                    tested,
                    distinct,
                    few,
                }
            }
            Self::Keys { .. } => {
                let tested = reader.count()?;
                let mut keys = Keys::default();
                for hash in read_hashes(reader)? {
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

/// Adds a hash while there are few; whether there are depends on the values alone.
fn add_to_few(few: &mut Option<HashSet<u128>>, hash: u128) {
    if let Some(hashes) = few {
        hashes.insert(hash);
        if hashes.len() > MAX_FEW {
            *few = None;
        }
    }
}

/// Writes hashes in rising order.
fn write_hashes(hashes: &HashSet<u128>, writer: &mut Writer) {
    let mut hashes: Vec<u128> = hashes.iter().copied().collect();
    hashes.sort_unstable();
    writer.integer(hashes.len() as u64);
    for hash in hashes {
        writer.integer(hash as u64);
        writer.integer((hash >> 64) as u64);
    }
}

fn read_hashes(reader: &mut Reader) -> Option<Vec<u128>> {
    let count = reader.length()?;
    let mut hashes = Vec::new();
    for _ in 0..count {
        let low = u128::from(reader.integer()?);
        hashes.push(u128::from(reader.integer()?) << 64 | low);
    }
    Some(hashes)
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
                "`unique(COLUMN)` estimates beyond 100,000 values; `unique(COLUMN, exact)` holds \
                 the hash of every value: give it more `--memory`",
            )
        };
        let what = "the values of a column that must be unique";
        if let Some(reserved) = &mut self.reserved {
            return reserved.grow(expected - held, what).map_err(refused);
        }
        let reserved = Pool::of_process().reserve(expected, what);
        self.reserved = Some(reserved.map_err(refused)?);
        Ok(())
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

/// The first rows that do not meet a condition: file, row and the values that may be shown.
fn first_failures(
    met: &BooleanArray,
    rules: &Rules,
    portion: &ScoredPortion<'_>,
) -> Result<Vec<String>> {
    let failures = (0..met.len()).filter(|row| !met.value(*row));
    let failures = failures.take(rules.example_count());
    failures
        .map(|row| {
            let path = portion.origin.path.text();
            let number = portion.origin.row_number(row);
            let values = values_of(&rules.example(portion.rows, row)?);
            Ok(format!("{path}, row {number}: {values}"))
        })
        .collect()
}

/// The most characters of an example.
const EXAMPLE_LENGTH: usize = 300;

/// The values of a row that was asked for as an example.
fn values_of(row: &RecordBatch) -> String {
    let schema = row.schema();
    let values = schema.fields().iter().zip(row.columns());
    let values = values.map(|(field, column)| {
        let text = text_of(column).ok();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(values: std::ops::Range<u128>) -> Counts {
        let (mut distinct, mut few) = (Distinct::default(), Some(HashSet::new()));
        for value in values.clone() {
            let hash = hash::of_bytes(&value.to_le_bytes());
            distinct.add(hash);
            add_to_few(&mut few, hash);
        }
        Counts::Distinct {
            tested: (values.end - values.start) as u64,
            distinct,
            few,
        }
    }

    fn bytes(counts: &Counts) -> Vec<u8> {
        let mut writer = Writer::default();
        counts.write(&mut writer);
        writer.into_bytes()
    }

    #[test]
    fn few_values_are_counted_exactly_whatever_the_parts() {
        let most = MAX_FEW as u128;
        for (first, second, is_exact) in [
            (0..most / 2, most / 4..most, true),
            (0..most, 0..most, true),
            (0..most, 1..most + 1, false),
            (0..most + 1, 0..1, false),
        ] {
            let whole = bytes(&counted(0..first.end.max(second.end)));
            let mut merged = counted(first.clone());
            merged.merge(&counted(second.clone()), 0).unwrap();
            let mut other_way = counted(second);
            other_way.merge(&counted(first), 0).unwrap();
            assert_eq!(bytes(&merged), bytes(&other_way));
            let Counts::Distinct { few, distinct, .. } = &merged else {
                unreachable!()
            };
            assert_eq!(few.is_some(), is_exact);
            // But for the number of values, what two parts saw is what one pass sees.
            let one_pass = Counts::read(&merged, &mut Reader::new(&whole)).unwrap();
            let Counts::Distinct {
                few: expected,
                distinct: of_one_pass,
                ..
            } = &one_pass
            else {
                unreachable!()
            };
            assert_eq!(few, expected);
            assert_eq!(distinct, of_one_pass);
        }
    }
}
