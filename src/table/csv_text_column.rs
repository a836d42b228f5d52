//! A column of texts, collected value by value from delimited text.
//!
//! Owns that it is UTF-8 as a whole, value by value too.

use arrow::array::StringArray;
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use crate::error::Result;

/// A text column being collected: checked as a whole at the end, which is much faster than value by
/// value.
#[derive(Clone, Debug)]
pub(super) struct TextColumn {
    pub(super) bytes: Vec<u8>,
    /// Where the values end, after a first 0.
    pub(super) offsets: Vec<i32>,
}

impl TextColumn {
    pub(super) fn with_capacity(row_count: usize, byte_count: usize) -> Self {
        let mut offsets = Vec::with_capacity(row_count + 1);
        offsets.push(0);
        Self {
            bytes: Vec::with_capacity(byte_count),
            offsets,
        }
    }

    /// Appends a value that stands in `text` as it is.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8], start: usize, end: usize) {
        let length = end - start;
        // Most values are short: copying a fixed number of bytes and dropping those too many is
        // faster than copying the right number.
        match text.get(start..).and_then(<[u8]>::first_chunk::<16>) {
            Some(chunk) if length <= 16 => {
                let new_length = self.bytes.len() + length;
                self.bytes.extend_from_slice(chunk);
                self.bytes.truncate(new_length);
            }
            _ => self
                .bytes
                .extend_from_slice(text.get(start..end).unwrap_or_default()),
        }
        self.end_value();
    }

    pub(super) fn end_value(&mut self) {
        // A piece is at most two records of the longest length, and a value is never longer than
        // its text.
        self.offsets
            .push(i32::try_from(self.bytes.len()).expect("a piece is far shorter than 2 GiB"));
    }

    pub(super) fn finish(self) -> Result<StringArray, Self> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let bytes = Buffer::from_vec(self.bytes);
        StringArray::try_new(offsets.clone(), bytes.clone(), None).map_err(|_| Self {
            bytes: bytes.to_vec(),
            offsets: offsets.to_vec(),
        })
    }

    pub(super) fn first_invalid(&self) -> Option<usize> {
        self.offsets.windows(2).position(|ends| {
            let [from, to] = *ends else { return false };
            self.bytes
                .get(from as usize..to as usize)
                .is_none_or(|value| std::str::from_utf8(value).is_err())
        })
    }
}
