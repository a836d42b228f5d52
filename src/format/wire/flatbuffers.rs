//! `FlatBuffers`: tables whose fields are found through offsets, read in place.
//!
//! Owns the encoding and its limits: every offset and length is checked against the buffer before
//! anything is read, and a [`Budget`] bounds what is read of vectors and texts altogether, because
//! many offsets may lead to the same large vector. Tables of a schema that does not refer to itself
//! cannot form a cycle. It must not know any schema.
//!
//! Source: <https://flatbuffers.dev/internals/>.

use std::cell::Cell;

use crate::error::{Error, Result};

/// How many times the bytes of a buffer may be read in vectors and texts.
const READINGS: usize = 2;

/// The bytes of vectors and texts that may still be read of one buffer.
#[derive(Debug)]
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    /// The budget of a buffer of so many bytes.
    pub(crate) fn new(byte_count: usize) -> Self {
        Self(Cell::new(byte_count.saturating_mul(READINGS)))
    }

    fn spend(&self, byte_count: usize) -> Result<()> {
        let left = self.0.get().checked_sub(byte_count).ok_or_else(|| {
            Error::failed("the same bytes are referred to too many times").at_node("flatbuffer")
        })?;
        self.0.set(left);
        Ok(())
    }
}

/// One table of a buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    bytes: &'a [u8],
    start: usize,
    fields: &'a [u8],
    budget: &'a Budget,
}

/// A number of fixed width, or a struct of such, as it lies in a buffer.
pub(crate) trait Fixed: Sized {
    /// The bytes of one value.
    const WIDTH: usize;

    /// The value of exactly so many bytes.
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! fixed {
    ($($type:ty),*) => {$(
        impl Fixed for $type {
            const WIDTH: usize = size_of::<$type>();

            fn read(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or_else(Self::default, |bytes| Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

fixed!(u8, u16, i32, u32, f32, f64);

impl<A: Fixed, B: Fixed> Fixed for (A, B) {
    const WIDTH: usize = A::WIDTH + B::WIDTH;

    fn read(bytes: &[u8]) -> Self {
        (
            A::read(bytes),
            B::read(bytes.get(A::WIDTH..).unwrap_or_default()),
        )
    }
}

impl<'a> Table<'a> {
    /// The table that a buffer begins with.
    ///
    /// # Errors
    /// Fails if the buffer is shorter than its offsets say.
    pub(crate) fn root(bytes: &'a [u8], budget: &'a Budget) -> Result<Self> {
        let start = value::<u32>(bytes, 0)? as usize;
        Self::at(bytes, start, budget)
    }

    fn at(bytes: &'a [u8], start: usize, budget: &'a Budget) -> Result<Self> {
        let distance = i64::from(value::<i32>(bytes, start)?);
        let fields = usize::try_from(start as i64 - distance).map_err(|_| broken())?;
        let length = usize::from(value::<u16>(bytes, fields)?);
        let fields = bytes
            .get(fields..)
            .and_then(|rest| rest.get(4..length))
            .ok_or_else(broken)?;
        Ok(Self {
            bytes,
            start,
            fields,
            budget,
        })
    }

    /// Where a field lies; none if the table leaves it at its default.
    fn field(&self, number: usize) -> Result<Option<usize>> {
        if 2 * number + 2 > self.fields.len() {
            return Ok(None);
        }
        let offset = usize::from(value::<u16>(self.fields, 2 * number)?);
        Ok((offset != 0).then_some(self.start + offset))
    }

    /// Where the offset of a field leads.
    fn target(&self, number: usize) -> Result<Option<usize>> {
        let Some(field) = self.field(number)? else {
            return Ok(None);
        };
        followed(self.bytes, field).map(Some)
    }

    /// The number of a field, or its default.
    ///
    /// # Errors
    /// Fails if the field lies outside the buffer.
    pub(crate) fn number<T: Fixed>(&self, number: usize, default: T) -> Result<T> {
        self.field(number)?
            .map_or(Ok(default), |field| value(self.bytes, field))
    }

    /// The bytes of a vector of elements of this width, without copying them.
    ///
    /// # Errors
    /// Fails if the vector does not lie in the buffer.
    pub(crate) fn bytes(&self, number: usize, width: usize) -> Result<&'a [u8]> {
        let Some(start) = self.target(number)? else {
            return Ok(&[]);
        };
        vector(self.bytes, start, width, self.budget)
    }

    /// The numbers of a vector; none for an absent one.
    ///
    /// # Errors
    /// As [`Table::bytes`].
    pub(crate) fn numbers<T: Fixed>(&self, number: usize) -> Result<Vec<T>> {
        let bytes = self.bytes(number, T::WIDTH)?;
        Ok(bytes.chunks_exact(T::WIDTH).map(T::read).collect())
    }

    /// A text, with what is not UTF-8 replaced; empty for an absent one.
    ///
    /// # Errors
    /// As [`Table::bytes`].
    pub(crate) fn text(&self, number: usize) -> Result<String> {
        self.bytes(number, 1)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The table that a field leads to.
    ///
    /// # Errors
    /// Fails if there is none, or if it does not lie in the buffer.
    pub(crate) fn table(&self, number: usize) -> Result<Self> {
        let start = self.target(number)?.ok_or_else(|| {
            Error::failed(format!("a table has no field {number}")).at_node("flatbuffer")
        })?;
        Self::at(self.bytes, start, self.budget)
    }

    /// The tables of a vector.
    ///
    /// # Errors
    /// Fails at the first that does not lie in the buffer.
    pub(crate) fn tables(&self, number: usize) -> Result<Vec<Self>> {
        self.offsets(number)?
            .map(|start| Self::at(self.bytes, start?, self.budget))
            .collect()
    }

    /// The texts of a vector.
    ///
    /// # Errors
    /// Fails at the first that does not lie in the buffer.
    pub(crate) fn texts(&self, number: usize) -> Result<Vec<String>> {
        let text = |start: Result<usize>| {
            let bytes = vector(self.bytes, start?, 1, self.budget)?;
            Ok(String::from_utf8_lossy(bytes).into_owned())
        };
        self.offsets(number)?.map(text).collect()
    }

    /// Where the offsets of a vector lead.
    fn offsets(&self, number: usize) -> Result<impl Iterator<Item = Result<usize>> + use<'a>> {
        let (bytes, target) = (self.bytes, self.target(number)?);
        let elements = self.bytes(number, 4)?;
        let first = target.map_or(0, |start| start + 4);
        let indices = (0..elements.len() / 4).map(move |index| first + 4 * index);
        Ok(indices.map(move |position| followed(bytes, position)))
    }
}

fn followed(bytes: &[u8], position: usize) -> Result<usize> {
    let offset = value::<u32>(bytes, position)? as usize;
    position.checked_add(offset).ok_or_else(broken)
}

fn vector<'a>(bytes: &'a [u8], start: usize, width: usize, budget: &Budget) -> Result<&'a [u8]> {
    let count = value::<u32>(bytes, start)? as usize;
    let length = count.checked_mul(width).ok_or_else(broken)?;
    let vector = start
        .checked_add(4)
        .and_then(|first| bytes.get(first..)?.get(..length))
        .ok_or_else(broken)?;
    budget.spend(length)?;
    Ok(vector)
}

fn value<T: Fixed>(bytes: &[u8], position: usize) -> Result<T> {
    bytes
        .get(position..)
        .and_then(|rest| rest.get(..T::WIDTH))
        .map(T::read)
        .ok_or_else(broken)
}

fn broken() -> Error {
    Error::failed("an offset leads out of the buffer").at_node("flatbuffer")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of an `i32` 7, an absent field, a vector of two `u16` and a text.
    fn small() -> Vec<u8> {
        let mut bytes = vec![16, 0, 0, 0];
        // The fields' offsets, padded to where the table begins.
        bytes.extend([12, 0, 16, 0, 4, 0, 0, 0, 8, 0, 12, 0]);
        bytes.extend(12_i32.to_le_bytes());
        bytes.extend(7_i32.to_le_bytes());
        bytes.extend(8_u32.to_le_bytes());
        bytes.extend(12_u32.to_le_bytes());
        bytes.extend([2, 0, 0, 0, 1, 0, 2, 1]);
        bytes.extend([2, 0, 0, 0, b'h', b'i']);
        bytes
    }

    #[test]
    fn fields_are_found_through_their_offsets() {
        let bytes = small();
        let budget = Budget::new(bytes.len());
        let table = Table::root(&bytes, &budget).unwrap();
        assert_eq!(table.number(0, 0_i32).unwrap(), 7);
        assert_eq!(table.number(1, 5_i32).unwrap(), 5);
        assert_eq!(table.numbers::<u16>(2).unwrap(), [1, 258]);
        assert_eq!(table.text(3).unwrap(), "hi");
        assert_eq!(table.number(9, 1.5_f64).unwrap(), 1.5);
        assert!(table.table(1).is_err());
    }

    #[test]
    fn no_truncation_and_no_wild_byte_panics() {
        let bytes = small();
        let read = |bytes: &[u8]| -> Result<()> {
            let budget = Budget::new(bytes.len());
            let table = Table::root(bytes, &budget)?;
            table.number(0, 0_i32)?;
            table.numbers::<u16>(2)?;
            table.text(3)?;
            Ok(())
        };
        assert!((0..bytes.len()).all(|length| read(&bytes[..length]).is_err()));
        for position in 0..bytes.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut wild = bytes.clone();
                wild[position] = byte;
                let _either = read(&wild);
            }
        }
    }

    #[test]
    fn the_same_bytes_are_not_read_any_number_of_times() {
        let bytes = small();
        let budget = Budget::new(bytes.len());
        let table = Table::root(&bytes, &budget).unwrap();
        let refused = (0..1_000).find_map(|_| table.numbers::<u16>(2).err());
        assert!(refused.is_some_and(|error| error.to_string().contains("too many times")));
    }
}
