//! Protocol Buffers' wire format: a message as a run of numbered fields, read in place.
//!
//! Owns the encoding and its limits: nothing is copied, every length is checked against what is
//! left, nesting and the number of messages are bounded, so that memory stays proportional to the
//! file. It must not know any schema.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Messages inside messages; ONNX graphs nest a handful of levels for each `If` or `Loop`.
const DEPTH_LIMIT: usize = 96;

/// Messages in one file: the largest exports have some hundred thousand.
const MESSAGE_LIMIT: usize = 1 << 21;

/// What is left of the limits, shared by all messages of a file.
#[derive(Debug)]
pub(crate) struct Budget {
    messages: AtomicUsize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            messages: AtomicUsize::new(MESSAGE_LIMIT),
        }
    }
}

/// A message being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    rest: &'a [u8],
    depth: usize,
    budget: &'a Budget,
}

/// How a field's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Varint = 0,
    Bytes = 2,
    Fixed32 = 5,
}

/// A field's number, below 16, and how its value is written: the byte in front of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    kind: Kind,
    byte: u8,
}

impl Key {
    /// Of a number.
    pub(crate) const fn varint(number: u8) -> Self {
        Self::new(number, Kind::Varint)
    }

    /// Of a number of single precision.
    pub(crate) const fn fixed32(number: u8) -> Self {
        Self::new(number, Kind::Fixed32)
    }

    /// Of bytes.
    pub(crate) const fn bytes(number: u8) -> Self {
        Self::new(number, Kind::Bytes)
    }

    const fn new(number: u8, kind: Kind) -> Self {
        Self {
            kind,
            byte: number << 3 | kind as u8,
        }
    }
}

/// One field's value as it lies in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(Message<'a>),
}

impl<'a> Message<'a> {
    /// The outermost message of a file.
    pub(crate) fn new(bytes: &'a [u8], budget: &'a Budget) -> Self {
        Self {
            rest: bytes,
            depth: 0,
            budget,
        }
    }

    /// The bytes that are left.
    pub(crate) fn byte_count(&self) -> usize {
        self.rest.len()
    }

    /// The number of the next field and whether bytes follow, without reading it.
    pub(crate) fn key(&self) -> Option<(u64, bool)> {
        let key = Self { ..*self }.varint().ok()?;
        Some((key >> 3, key & 7 == Kind::Bytes as u64))
    }

    /// The next field and its number; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| broken())?;
                Wire::Bytes(Self {
                    rest: self.take(length)?,
                    depth: self.depth + 1,
                    budget: self.budget,
                })
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(broken()),
        };
        if key >> 3 == 0 {
            Err(broken())
        } else {
            Ok(Some((key >> 3, wire)))
        }
    }

    /// Passes over the fields under this key that follow each other, as those of a list do that is
    /// not packed. A broken one ends them.
    pub(crate) fn pass(&mut self, key: Key) {
        match key.kind {
            Kind::Varint => self.varints(key, drop),
            Kind::Fixed32 => self.fixed32s(key, drop),
            Kind::Bytes => self.parts(key, drop),
        }
    }

    /// No fewer than the fields under this key that follow; none if the next one is another.
    pub(crate) fn most(&self, key: Key) -> usize {
        let min_bytes = if key.kind == Kind::Fixed32 { 5 } else { 2 };
        if self.rest.first() == Some(&key.byte) {
            self.rest.len() / min_bytes
        } else {
            0
        }
    }

    /// The same, with each number.
    #[inline]
    pub(crate) fn varints(&mut self, Key { byte: key, .. }: Key, mut take: impl FnMut(u64)) {
        loop {
            // Most numbers are small.
            let (value, rest) = match *self.rest {
                [first, a, ref rest @ ..] if first == key && a < 0x80 => (a.into(), rest),
                [first, a, b, ref rest @ ..] if first == key && b < 0x80 => {
                    (u64::from(a & 0x7F) | u64::from(b) << 7, rest)
                }
                [first, ref number @ ..] if first == key => match varint(number) {
                    Some(read) => read,
                    None => return,
                },
                _ => return,
            };
            take(value);
            self.rest = rest;
        }
    }

    /// The same of numbers of single precision.
    pub(crate) fn fixed32s(&mut self, key: Key, mut take: impl FnMut(f32)) {
        while let Some((bytes, rest)) = self
            .rest
            .strip_prefix(&[key.byte])
            .and_then(<[u8]>::split_first_chunk)
        {
            take(f32::from_le_bytes(*bytes));
            self.rest = rest;
        }
    }

    /// The same of bytes.
    pub(crate) fn parts(&mut self, key: Key, mut take: impl FnMut(&'a [u8])) {
        let part = |bytes: &'a [u8]| {
            varint(bytes)
                .and_then(|(length, rest)| rest.split_at_checked(usize::try_from(length).ok()?))
        };
        while let Some((bytes, rest)) = self.rest.strip_prefix(&[key.byte]).and_then(part) {
            take(bytes);
            self.rest = rest;
        }
    }

    fn varint(&mut self) -> Result<u64> {
        let (value, rest) = varint(self.rest).ok_or_else(broken)?;
        self.rest = rest;
        Ok(value)
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
    pub(crate) fn bytes(self) -> Result<&'a [u8]> {
        if let Self::Bytes(message) = self {
            Ok(message.rest)
        } else {
            Err(broken())
        }
    }

    /// A text.
    pub(crate) fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|error| Error::failed("a text is not UTF-8").because(error))
    }

    /// A message inside this one.
    pub(crate) fn message(self) -> Result<Message<'a>> {
        let Self::Bytes(message) = self else {
            return Err(broken());
        };
        let left =
            message
                .budget
                .messages
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
        left.map_err(|_| Error::failed(format!("more than {MESSAGE_LIMIT} parts in one file")))?;
        if message.depth > DEPTH_LIMIT {
            return Err(Error::failed(format!(
                "parts nest more than {DEPTH_LIMIT} deep"
            )));
        }
        Ok(message)
    }

    /// An integer.
    pub(crate) fn integer(self) -> Result<i64> {
        if let Self::Varint(value) = self {
            Ok(value as i64)
        } else {
            Err(broken())
        }
    }

    /// A number of single precision.
    pub(crate) fn float(self) -> Result<f32> {
        if let Self::Fixed32(bits) = self {
            Ok(f32::from_bits(bits))
        } else {
            Err(broken())
        }
    }

    /// Integers, packed or one by one, added to those before.
    pub(crate) fn integers(self, to: &mut Vec<i64>) -> Result<()> {
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
    pub(crate) fn floats(self, to: &mut Vec<f32>) -> Result<()> {
        match self {
            Self::Fixed32(bits) => to.push(f32::from_bits(bits)),
            Self::Bytes(packed) => {
                let (numbers, []) = packed.rest.as_chunks::<4>() else {
                    return Err(broken());
                };
                to.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
            _ => return Err(broken()),
        }
        Ok(())
    }

    /// Numbers of double precision, packed or one by one, added to those before.
    pub(crate) fn doubles(self, to: &mut Vec<f64>) -> Result<()> {
        match self {
            Self::Fixed64(bits) => to.push(f64::from_bits(bits)),
            Self::Bytes(packed) => {
                let (numbers, []) = packed.rest.as_chunks::<8>() else {
                    return Err(broken());
                };
                to.extend(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)));
            }
            _ => return Err(broken()),
        }
        Ok(())
    }
}

/// A number of up to ten bytes, seven bits in each, and what follows it.
#[inline]
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

fn broken() -> Error {
    Error::failed("the file is cut short or is not a protocol buffer")
}
