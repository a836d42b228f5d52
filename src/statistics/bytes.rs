//! The bytes that statistics are stored as.
//!
//! Owns two primitives: integers of variable length (LEB128) and texts with their length. What is
//! read back may be damaged: every reader returns `None` for bytes that no writer made.

/// The largest count that is read back; sums of many such counts still fit into 64 bits.
const MAX_COUNT: u64 = 1 << 53;

/// Bytes being written.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Appends an integer: small ones take one byte, the largest take ten.
    pub fn integer(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Appends an integer with a sign.
    pub fn signed(&mut self, value: i64) {
        self.integer((value << 1 ^ value >> 63) as u64);
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Appends bytes with their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.integer(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes being read.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all bytes were read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// The next integer.
    pub fn integer(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// The next integer with a sign.
    pub fn signed(&mut self) -> Option<i64> {
        let value = self.integer()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next integer, if it can be a count of values.
    pub fn count(&mut self) -> Option<u64> {
        self.integer().filter(|count| *count <= MAX_COUNT)
    }

    /// The next integer, if so many items may follow: each takes at least a byte.
    pub fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.integer()?).ok()?;
        (length <= self.0.len()).then_some(length)
    }

    /// The next text.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The next bytes.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            value in any::<u64>(),
            signed in any::<i64>(),
            text in ".*",
        ) {
            let mut writer = Writer::default();
            writer.integer(value);
            writer.signed(signed);
            writer.text(&text);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.integer(), Some(value));
            prop_assert_eq!(reader.signed(), Some(signed));
            prop_assert_eq!(reader.text(), Some(text.as_str()));
            prop_assert!(reader.is_at_end());
            let mut cut = Reader::new(&bytes[..bytes.len() - 1]);
            prop_assert!(
                cut.integer()
                    .and_then(|_| cut.signed())
                    .and_then(|_| cut.text())
                    .is_none()
            );
        }
    }

    #[test]
    fn bytes_that_no_writer_made_are_refused() {
        let integer = |bytes: &[u8]| Reader::new(bytes).integer();
        assert_eq!(integer(&[0xff; 12]), None, "an integer that never ends");
        assert_eq!(
            integer(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            None,
            "more than 64 bits"
        );
        assert_eq!(integer(&[]), None);
        assert_eq!(
            Reader::new(&[3, b'a']).text(),
            None,
            "a text without its end"
        );
        assert_eq!(Reader::new(&[1, 0xff]).text(), None, "not UTF-8");
        assert_eq!(Reader::new(&[9, 0]).length(), None, "more items than bytes");
    }
}
