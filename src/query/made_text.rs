//! Texts that expressions make, counted in the process's memory for as long as they live.
//!
//! Owns their bounds: what one array may hold, and what the pool still has. The reservation is part
//! of the array's buffer, so it ends when the last array that reads the buffer ends, wherever that
//! is. It must not know functions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, NullBufferBuilder, StringArray, UInt32Array};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{interleave, take};
use arrow::datatypes::{ArrowDictionaryKeyType, DataType};
use arrow::downcast_dictionary_array;
use bytes::Bytes;

use super::value::{Fault, Outcome};
use crate::error::Error;
use crate::memory::{self, Reservation};

/// The most text of one array, in bytes: more is made of fewer rows at once.
const MAX_TEXT: usize = 32 << 20;

/// Text of one array that is not counted: what batches of ordinary texts take.
const FREE_BYTES: usize = 1 << 20;

/// The smallest buffer.
const MIN_BYTES: usize = 4 << 10;

/// The subject of a refusal.
const WHAT: &str = "the text that an expression makes of a batch";

/// Texts one after the other; their room is reserved before it is taken.
pub(super) struct MadeText {
    values: Vec<u8>,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
    reserved: Option<Reservation>,
}

/// A buffer with what it takes of the pool.
struct Held<T> {
    bytes: T,
    _reserved: Reservation,
}

impl AsRef<[u8]> for Held<Vec<u8>> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Held<Buffer> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl MadeText {
    /// No texts, of so many rows.
    pub(super) fn new(row_count: usize) -> Self {
        let mut offsets = Vec::with_capacity(row_count + 1);
        offsets.push(0);
        Self {
            values: Vec::new(),
            offsets,
            nulls: NullBufferBuilder::new(row_count),
            reserved: None,
        }
    }

    /// Adds the text that these parts are together, or null.
    ///
    /// # Errors
    /// A fault of memory for more text than an array may hold or than there is memory for.
    pub(super) fn push(&mut self, parts: Option<&[&str]>) -> Outcome<()> {
        if let Some(parts) = parts {
            self.make_room(parts.iter().map(|part| part.len()).sum())?;
            for part in parts {
                self.values.extend_from_slice(part.as_bytes());
            }
        }
        self.nulls.append(parts.is_some());
        self.offsets.push(self.values.len() as i32);
        Ok(())
    }

    fn make_room(&mut self, more: usize) -> Outcome<()> {
        let needed = self.values.len().saturating_add(more);
        if needed > MAX_TEXT {
            return Err(Fault::of_memory(format!(
                "{WHAT} would take more than {} MiB",
                MAX_TEXT >> 20
            )));
        }
        let capacity = self.values.capacity();
        if needed <= capacity {
            return Ok(());
        }
        let expected = needed.max(capacity + capacity / 2).max(MIN_BYTES);
        self.reserve(expected)?;
        self.values.reserve_exact(expected - self.values.len());
        Ok(())
    }

    /// Reserves what the buffer is going to take.
    fn reserve(&mut self, bytes: usize) -> Outcome<()> {
        if bytes <= FREE_BYTES {
            return Ok(());
        }
        if let Some(reserved) = &mut self.reserved {
            let more = (bytes as u64).saturating_sub(reserved.bytes());
            return reserved.grow(more, WHAT).map_err(refused);
        }
        self.reserved = Some(reserve(bytes)?);
        Ok(())
    }

    /// The array.
    ///
    /// # Errors
    /// Fails never: the parts are texts.
    pub(super) fn finish(mut self) -> Outcome<ArrayRef> {
        let values = match self.reserved {
            Some(reserved) => Buffer::from(Bytes::from_owner(Held {
                bytes: self.values,
                _reserved: reserved,
            })),
            None => Buffer::from_vec(self.values),
        };
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Ok(Arc::new(StringArray::try_new(
            offsets,
            values,
            self.nulls.finish(),
        )?))
    }
}

fn reserve(bytes: usize) -> Outcome<Reservation> {
    memory::reserve(bytes as u64, WHAT).map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
fn refused(error: Error) -> Fault {
    let fault = Fault::of_memory(error.message());
    match error.hint_text() {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// What an array made of others takes, counted before it is made and until it ends.
///
/// # Errors
/// A fault for more text than there is memory for; what `make` gives.
pub(super) fn counted(
    text_bytes: usize,
    make: impl FnOnce() -> Outcome<ArrayRef>,
) -> Outcome<ArrayRef> {
    if text_bytes <= FREE_BYTES {
        return make();
    }
    let reserved = reserve(text_bytes)?;
    let array = make()?;
    let Some(texts) = array.as_string_opt::<i32>() else {
        return Ok(array);
    };
    let (offsets, bytes, nulls) = texts.clone().into_parts();
    let values = Buffer::from(Bytes::from_owner(Held {
        bytes,
        _reserved: reserved,
    }));
    Ok(Arc::new(StringArray::try_new(offsets, values, nulls)?))
}

/// These values of an array.
///
/// # Errors
/// As [`counted`].
pub(super) fn taken(array: &ArrayRef, rows: &UInt32Array) -> Outcome<ArrayRef> {
    let bytes = array.as_string_opt::<i32>().map_or(0, |texts| {
        let length = |row: &u32| length(texts, *row as usize);
        rows.values().iter().map(length).sum()
    });
    counted(bytes, || Ok(take(array, rows, None)?))
}

/// (array, value) for each row.
///
/// # Errors
/// As [`counted`].
pub(super) fn interleaved(arrays: &[&dyn Array], indices: &[(usize, usize)]) -> Outcome<ArrayRef> {
    let texts: Vec<Option<&StringArray>> = arrays
        .iter()
        .map(|array| array.as_string_opt::<i32>())
        .collect();
    let bytes = indices
        .iter()
        .map(|(array, row)| texts[*array].map_or(0, |texts| length(texts, *row)))
        .sum();
    counted(bytes, || Ok(interleave(arrays, indices)?))
}

fn length(texts: &StringArray, row: usize) -> usize {
    texts.value_length(row) as usize
}

/// The bytes of an array's texts, each counted as often as it stands there; 0 for other arrays.
pub(super) fn text_bytes(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::Utf8 => array
            .as_string::<i32>()
            .iter()
            .flatten()
            .map(str::len)
            .sum(),
        DataType::LargeUtf8 => array
            .as_string::<i64>()
            .iter()
            .flatten()
            .map(str::len)
            .sum(),
        DataType::Utf8View => {
            let lengths = array.as_string_view().lengths();
            lengths.map(|length| length as usize).sum()
        }
        DataType::Dictionary(..) => downcast_dictionary_array!(
            array => repeated_bytes(array),
            _ => 0
        ),
        _ => 0,
    }
}

fn repeated_bytes<K: ArrowDictionaryKeyType>(array: &arrow::array::DictionaryArray<K>) -> usize {
    let lengths: Vec<usize> = match array.values().data_type() {
        DataType::Utf8 => {
            let texts = array.values().as_string::<i32>();
            texts.iter().map(|text| text.map_or(0, str::len)).collect()
        }
        DataType::LargeUtf8 => {
            let texts = array.values().as_string::<i64>();
            texts.iter().map(|text| text.map_or(0, str::len)).collect()
        }
        DataType::Utf8View => {
            let texts = array.values().as_string_view();
            texts.iter().map(|text| text.map_or(0, str::len)).collect()
        }
        _ => return 0,
    };
    array
        .keys_iter()
        .flatten()
        .map(|key| lengths.get(key).copied().unwrap_or(0))
        .fold(0, usize::saturating_add)
}
