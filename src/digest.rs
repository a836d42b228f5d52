//! Digests as people and files write them.
//!
//! Owns their one spelling, so that a digest in a manifest, a report and a footer is the same text. It must not know what was digested.

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
