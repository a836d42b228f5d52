//! Digests as users and files write them.
//!
//! Owns their one spelling, so that a digest in a manifest, a report and a footer is the same text,
//! the one of several files, and a writer that takes one of all that passes; one of a model is
//! taken on a thread of its own while the model is read. It must not know what was digested.

use std::ffi::OsStr;
use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::background::both;
use crate::error::Result;

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// The bytes that these hexadecimal digits stand for, if they are digits, two for each byte.
#[must_use]
pub fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_digits || !text.len().is_multiple_of(2) {
        return None;
    }
    let pair = |index: usize| u8::from_str_radix(&text[index..index + 2], 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

/// The SHA-256 of bytes, taken on a thread of its own while `work` is done on this one, and what
/// the work gave.
///
/// # Errors
/// Fails only if the thread does.
pub fn sidecar<T>(bytes: &[u8], work: impl FnOnce() -> T) -> Result<([u8; 32], T)> {
    both(work, || Sha256::digest(bytes).into()).map(|(done, taken)| (taken, done))
}

/// The one digest of several files, by their names: another file, one more or less, and another
/// order give another one.
#[derive(Debug, Default)]
pub struct FilesDigest {
    digest: Sha256,
    byte_count: u64,
}

impl FilesDigest {
    /// The next file.
    pub fn add(&mut self, name: &OsStr, bytes: &[u8]) {
        self.digest.update(name.as_encoded_bytes());
        self.digest.update(Sha256::digest(bytes));
        self.byte_count += bytes.len() as u64;
    }

    /// The SHA-256 in hexadecimal digits, and the number of all bytes.
    #[must_use]
    pub fn finish(self) -> (String, u64) {
        (hexadecimal(&self.digest.finalize()), self.byte_count)
    }
}

/// Hands bytes on, and takes the SHA-256 of them and their count.
#[derive(Debug)]
pub struct DigestWriter<W> {
    inner: W,
    digest: Sha256,
    byte_count: u64,
}

impl<W> DigestWriter<W> {
    /// A writer in front of `inner`.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            digest: Sha256::new(),
            byte_count: 0,
        }
    }

    /// What the bytes went to, their SHA-256 in hexadecimal digits and how many they were.
    pub fn finish(self) -> (W, String, u64) {
        (
            self.inner,
            hexadecimal(&self.digest.finalize()),
            self.byte_count,
        )
    }
}

impl<W: Write> Write for DigestWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.digest.update(&bytes[..count]);
        self.byte_count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
