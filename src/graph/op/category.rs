//! The place of a category among those that an encoder knows: texts or integers of a whole
//! column at once.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};

use crate::error::{Error, Result};
use crate::graph::operator::Definition;

/// The place of a value that the encoder does not know.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// The categories of one encoder.
#[derive(Debug)]
pub(crate) enum Categories {
    Texts(TextIndex),
    Numbers(HashMap<i64, u32>),
}

/// Texts by a hash of their length, their first and their last bytes; open addressing, at most half
/// full.
#[derive(Debug)]
pub(crate) struct TextIndex {
    texts: Vec<Arc<str>>,
    /// A text's number or [`UNKNOWN`].
    slots: Vec<u32>,
}

impl TextIndex {
    /// Of equal texts the last counts.
    pub(crate) fn new(texts: Vec<Arc<str>>) -> Self {
        let mut index = Self {
            slots: vec![UNKNOWN; (texts.len() * 2).next_power_of_two().max(2)],
            texts,
        };
        for position in 0..index.texts.len() {
            let slot = index.slot(&index.texts[position]);
            index.slots[slot] = position as u32;
        }
        index
    }

    /// The slot that holds this text, or the empty one where it would lie.
    fn slot(&self, text: &str) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash(text.as_bytes()) as usize & mask;
        while self.slots[slot] != UNKNOWN && *self.texts[self.slots[slot] as usize] != *text {
            slot = (slot + 1) & mask;
        }
        slot
    }

    pub(crate) fn find(&self, text: &str) -> u32 {
        self.slots[self.slot(text)]
    }
}

fn hash(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let (first, last) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => (
                u64::from(u32::from_le_bytes(*first)),
                u64::from(u32::from_le_bytes(*last)),
            ),
            _ => (
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
                0,
            ),
        },
    };
    let mixed = (first ^ (bytes.len() as u64) << 56).wrapping_mul(ODD)
        ^ last.rotate_left(32).wrapping_mul(ODD);
    mixed ^ mixed >> 32
}

impl Categories {
    /// The categories of an encoder with these attributes, and how many there are.
    pub(crate) fn of(
        node: &Definition,
        texts: &str,
        numbers: &str,
    ) -> Result<Option<(Self, usize)>> {
        if let Some(texts) = node.find_strings(texts)? {
            let count = texts.len();
            return Ok(Some((Self::Texts(TextIndex::new(texts)), count)));
        }
        let Some(numbers) = node.find_ints(numbers)? else {
            return Ok(None);
        };
        let count = numbers.len();
        Ok(Some((
            Self::Numbers(numbers.into_iter().zip(0..).collect()),
            count,
        )))
    }

    /// The place of every value of a column, [`UNKNOWN`] where it is none of the categories.
    pub(crate) fn codes(&self, column: &ArrayRef) -> Result<Vec<u32>> {
        match (self, column.data_type()) {
            (Self::Texts(index), DataType::Utf8View) => {
                let texts = column.as_string_view();
                Ok((0..texts.len())
                    .map(|row| index.find(texts.value(row)))
                    .collect())
            }
            (Self::Texts(index), DataType::Utf8) => {
                let texts = column.as_string::<i32>();
                Ok((0..texts.len())
                    .map(|row| index.find(texts.value(row)))
                    .collect())
            }
            (Self::Numbers(index), DataType::Int64) => {
                let numbers = column.as_primitive::<Int64Type>().values();
                Ok(numbers
                    .iter()
                    .map(|number| index.get(number).copied().unwrap_or(UNKNOWN))
                    .collect())
            }
            (_, other) => Err(Error::internal(format!("no categories of {other}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_found_and_others_are_not() {
        let texts: Vec<Arc<str>> = (0..300)
            .map(|length| Arc::from("ab".repeat(length) + "x"))
            .collect();
        let index = TextIndex::new(texts.clone());
        for (position, text) in texts.iter().enumerate() {
            assert_eq!(index.find(text), position as u32);
            assert_eq!(index.find(&format!("{text}y")), UNKNOWN);
        }
        assert_eq!(index.find(""), UNKNOWN);
        assert_eq!(
            TextIndex::new(vec!["".into(), "a".into(), "a".into()]).find("a"),
            2
        );
        assert_eq!(TextIndex::new(Vec::new()).find("a"), UNKNOWN);
    }
}
