//! Protocol Buffers' wire format: a message as a run of numbered fields, read in place.
//!
//! Owns the encoding and its limits: nothing is copied, every length is checked against what is left, nesting and the number of
//! messages are bounded, so that memory stays proportional to the file. It must not know any schema.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

use std::cell::Cell;

use crate::error::{Error, Result};

/// Messages inside messages; ONNX graphs nest a handful of levels for each `If` or `Loop`.
const DEPTH_LIMIT: usize = 96;

/// Messages in one file: the largest exports have some hundred thousand.
const MESSAGE_LIMIT: usize = 1 << 21;

/// What is left of the limits, shared by all messages of a file.
#[derive(Debug)]
pub(super) struct Budget {
    messages: Cell<usize>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { messages: Cell::new(MESSAGE_LIMIT) }
    }
}

/// A message being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    rest: &'a [u8],
    depth: usize,
    budget: &'a Budget,
}

/// One field's value as it lies in the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(Message<'a>),
}

impl<'a> Message<'a> {
    /// The outermost message of a file.
    pub(super) fn new(bytes: &'a [u8], budget: &'a Budget) -> Self {
        Self { rest: bytes, depth: 0, budget }
    }

    /// The next field and its number; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| broken())?;
                Wire::Bytes(Self { rest: self.take(length)?, depth: self.depth + 1, budget: self.budget })
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(broken()),
        };
        if key >> 3 == 0 { Err(broken()) } else { Ok(Some((key >> 3, wire))) }
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(broken())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(broken)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(broken)?;
        self.rest = rest;
        Ok(*taken)
    }
}

impl<'a> Wire<'a> {
    /// The bytes of a length-delimited field.
    pub(super) fn bytes(self) -> Result<&'a [u8]> {
        if let Self::Bytes(message) = self { Ok(message.rest) } else { Err(broken()) }
    }

    /// A text.
    pub(super) fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|error| Error::failed("a text is not UTF-8").because(error))
    }

    /// A message inside this one.
    pub(super) fn message(self) -> Result<Message<'a>> {
        let Self::Bytes(message) = self else { return Err(broken()) };
        let left =
            message.budget.messages.get().checked_sub(1).ok_or_else(|| Error::failed(format!("more than {MESSAGE_LIMIT} parts in one file")))?;
        message.budget.messages.set(left);
        if message.depth > DEPTH_LIMIT {
            return Err(Error::failed(format!("parts nest more than {DEPTH_LIMIT} deep")));
        }
        Ok(message)
    }

    /// A whole number.
    pub(super) fn integer(self) -> Result<i64> {
        if let Self::Varint(value) = self { Ok(value as i64) } else { Err(broken()) }
    }

    /// A number of single precision.
    pub(super) fn float(self) -> Result<f32> {
        if let Self::Fixed32(bits) = self { Ok(f32::from_bits(bits)) } else { Err(broken()) }
    }

    /// Whole numbers, packed or one by one, added to those before.
    pub(super) fn integers(self, to: &mut Vec<i64>) -> Result<()> {
        match self {
            Self::Varint(value) => to.push(value as i64),
            Self::Bytes(mut packed) => {
                while !packed.rest.is_empty() {
                    to.push(packed.varint()? as i64);
                }
            }
            _ => return Err(broken()),
        }
        Ok(())
    }

    /// Numbers of single precision, packed or one by one, added to those before.
    pub(super) fn floats(self, to: &mut Vec<f32>) -> Result<()> {
        match self {
            Self::Fixed32(bits) => to.push(f32::from_bits(bits)),
            Self::Bytes(packed) => {
                let (numbers, []) = packed.rest.as_chunks::<4>() else { return Err(broken()) };
                to.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
            _ => return Err(broken()),
        }
        Ok(())
    }

    /// Numbers of double precision, packed or one by one, added to those before.
    pub(super) fn doubles(self, to: &mut Vec<f64>) -> Result<()> {
        match self {
            Self::Fixed64(bits) => to.push(f64::from_bits(bits)),
            Self::Bytes(packed) => {
                let (numbers, []) = packed.rest.as_chunks::<8>() else { return Err(broken()) };
                to.extend(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)));
            }
            _ => return Err(broken()),
        }
        Ok(())
    }
}

fn broken() -> Error {
    Error::failed("the file is cut short or is no protocol buffer")
}
