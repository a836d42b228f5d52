//! The bytes of a pickle from a position on: operands of opcodes, every length checked before it is
//! used.

use bytes::Bytes;

use crate::error::{Error, Result};

/// A position in a stream.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    pub(super) bytes: Bytes,
    pub(super) position: usize,
}

impl Cursor {
    /// The error for a stream that is wrong at this position.
    pub(super) fn broken(&self, message: &str) -> Error {
        let error = Error::failed(format!("cannot read the pickle: {message}"))
            .at_node(format!("byte {}", self.position));
        error.hint("the file is damaged: copy or save the model again")
    }

    fn short(&self) -> Error {
        let error = Error::failed(format!(
            "the pickle ends after {} bytes in the middle of a value",
            self.bytes.len()
        ));
        error.hint("the file is cut short: copy or save the model again")
    }

    /// The next bytes as an array.
    pub(super) fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        let found = self
            .bytes
            .get(self.position..)
            .and_then(|rest| rest.first_chunk::<LENGTH>());
        let found = *found.ok_or_else(|| self.short())?;
        self.position += LENGTH;
        Ok(found)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next bytes of a length that the file states.
    pub(super) fn take(&mut self, length: u64) -> Result<Bytes> {
        let left = self.bytes.len() - self.position;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= left);
        let length = length.ok_or_else(|| self.short())?;
        let taken = self.bytes.slice(self.position..self.position + length);
        self.position += length;
        Ok(taken)
    }

    /// The bytes up to the end of the line, which is passed over.
    pub(super) fn line(&mut self) -> Result<Bytes> {
        let rest = &self.bytes[self.position..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or_else(|| self.short())?;
        let line = self.bytes.slice(self.position..self.position + length);
        self.position += length + 1;
        Ok(line)
    }

    /// A line of digits.
    pub(super) fn number<T: std::str::FromStr>(&mut self) -> Result<T> {
        let line = self.line()?;
        let text = std::str::from_utf8(&line).ok().map(str::trim);
        let number = text.and_then(|text| text.parse().ok());
        number.ok_or_else(|| self.broken("a line is not a number"))
    }
}
