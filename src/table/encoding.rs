//! Encodings of text: bytes of a file as UTF-8, streamed.
//!
//! Owns the names of encodings and the byte order marks. It must not know what the text means.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult};

use crate::error::{Error, Result};

/// What is decoded at once.
const BUFFER_BYTES: usize = 64 << 10;

/// How text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, checked where values are read.
    #[default]
    Utf8,
    /// ISO 8859-1: every byte is the character of that number.
    Latin1,
    /// UTF-16 whose byte order mark says the order; without one the low byte comes first.
    Utf16,
    /// Any other, by the name that the WHATWG gives it.
    Other(&'static encoding_rs::Encoding),
}

impl Encoding {
    /// The encoding of a name such as `utf-16le`, `latin1`, `windows-1252` or `shift_jis`.
    ///
    /// # Errors
    /// A usage error for a name that is not known.
    pub fn of(name: &str) -> Result<Self> {
        let plain: String = name
            .to_ascii_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        match plain.as_str() {
            "utf8" | "utf8sig" | "ascii" | "usascii" => return Ok(Self::Utf8),
            "latin1" | "iso88591" | "l1" | "88591" => return Ok(Self::Latin1),
            "utf16" | "utf16sig" => return Ok(Self::Utf16),
            _ => {}
        }
        // Names as Python and Java write them: `cp1252`, `utf_16_le`, `iso8859_15`.
        let spellings = [
            name.to_owned(),
            name.replace('_', "-"),
            plain.clone(),
            plain
                .strip_prefix("cp")
                .map_or_else(String::new, |number| format!("windows-{number}")),
            plain
                .strip_prefix("iso8859")
                .map_or_else(String::new, |number| format!("iso-8859-{number}")),
            plain
                .strip_prefix("utf16")
                .map_or_else(String::new, |order| format!("utf-16{order}")),
        ];
        let found = spellings
            .iter()
            .find_map(|spelling| encoding_rs::Encoding::for_label(spelling.as_bytes()));
        match found {
            Some(found) if found == encoding_rs::UTF_8 => Ok(Self::Utf8),
            Some(found)
                if found != encoding_rs::REPLACEMENT && found != encoding_rs::X_USER_DEFINED =>
            {
                Ok(Self::Other(found))
            }
            _ => {
                let error = Error::usage(format!(
                    "`--encoding {name}` is not an encoding that tallow knows"
                ));
                Err(error.hint(
                    "such as `utf-8`, `utf-16`, `latin1`, `windows-1252`, `iso-8859-15`, \
                     `shift_jis`, `gbk`",
                ))
            }
        }
    }

    /// The name, as in `--encoding`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Utf8 => "utf-8".to_owned(),
            Self::Latin1 => "latin1".to_owned(),
            Self::Utf16 => "utf-16".to_owned(),
            Self::Other(other) => other.name().to_ascii_lowercase(),
        }
    }

    /// What a byte order mark, or zeros in every other byte, say of a text with this beginning.
    #[must_use]
    pub fn sniff(head: &[u8]) -> Option<Self> {
        if let Some((encoding, _)) = encoding_rs::Encoding::for_bom(head) {
            return Some(if encoding == encoding_rs::UTF_8 {
                Self::Utf8
            } else {
                Self::Other(encoding)
            });
        }
        let head = &head[..head.len().min(256) & !1];
        let zeros = |first: usize| {
            head.iter()
                .skip(first)
                .step_by(2)
                .filter(|byte| **byte == 0)
                .count()
        };
        let (even, odd, most) = (zeros(0), zeros(1), head.len() / 4);
        match (even > most, odd > most) {
            (true, false) => Some(Self::Other(encoding_rs::UTF_16BE)),
            (false, true) => Some(Self::Other(encoding_rs::UTF_16LE)),
            _ => None,
        }
    }

    /// Whether a text of this beginning has four bytes to a character: the two that stand for
    /// rarer ones are zeros.
    #[must_use]
    pub fn is_utf32(head: &[u8]) -> bool {
        let head = &head[..head.len().min(256) & !3];
        let all = |is_so: fn(&[u8]) -> bool| !head.is_empty() && head.chunks_exact(4).all(is_so);
        let is_little = all(|four| four[2] == 0 && four[3] == 0 && (four[0] != 0 || four[1] != 0));
        let is_big = all(|four| four[0] == 0 && four[1] == 0 && (four[2] != 0 || four[3] != 0));
        is_little || is_big
    }

    /// The beginning of a text as UTF-8, as far as it can be decoded; for hints only.
    pub(super) fn decode_head(self, head: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        // The head may end within a character: the error that says so is expected.
        let _ = self
            .decoded(Box::new(io::Cursor::new(head.to_vec())))
            .read_to_end(&mut text);
        text
    }

    /// The text of this encoding as UTF-8, without its byte order mark.
    pub(super) fn decoded(self, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        if self == Self::Utf8 {
            reader
        } else {
            Box::new(Decoded::new(self, reader))
        }
    }
}

/// What is wrong with bytes that are not of their encoding.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(String);

/// A stream being decoded.
struct Decoded {
    encoding: Encoding,
    reader: Box<dyn Read + Send>,
    /// None until the beginning was looked at, and for Latin-1.
    decoder: Option<Decoder>,
    has_begun: bool,
    has_ended: bool,
    /// Bytes that are not decoded yet.
    raw: Vec<u8>,
    /// Decoded bytes, of which the first `taken` were handed out.
    text: Vec<u8>,
    taken: usize,
    /// Told once all text before it was handed out.
    failure: Option<Malformed>,
}

impl Decoded {
    fn new(encoding: Encoding, reader: Box<dyn Read + Send>) -> Self {
        let (raw, text) = (Vec::with_capacity(BUFFER_BYTES), Vec::new());
        Self {
            encoding,
            reader,
            decoder: None,
            has_begun: false,
            has_ended: false,
            raw,
            text,
            taken: 0,
            failure: None,
        }
    }

    /// Decodes the next bytes.
    fn fill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.taken = 0;
        // A mark of byte order must be there as a whole before the first byte is decoded.
        let least = if self.has_begun { 1 } else { 4 };
        while self.raw.len() < least.max(BUFFER_BYTES / 2) && !self.has_ended {
            let read = (&mut self.reader)
                .take((BUFFER_BYTES - self.raw.len()) as u64)
                .read_to_end(&mut self.raw)?;
            self.has_ended = read == 0;
        }
        if !self.has_begun {
            self.has_begun = true;
            self.begin();
        }
        match &mut self.decoder {
            None if self.encoding == Encoding::Latin1 => {
                self.text.resize(2 * self.raw.len(), 0);
                let written = encoding_rs::mem::convert_latin1_to_utf8(&self.raw, &mut self.text);
                self.text.truncate(written);
                self.raw.clear();
            }
            None => {}
            Some(decoder) => {
                let need = decoder
                    .max_utf8_buffer_length_without_replacement(self.raw.len())
                    .unwrap_or(4 * BUFFER_BYTES);
                self.text.resize(need, 0);
                let (result, read, written) = decoder.decode_to_utf8_without_replacement(
                    &self.raw,
                    &mut self.text,
                    self.has_ended,
                );
                self.text.truncate(written);
                self.raw.drain(..read);
                if let DecoderResult::Malformed(..) = result {
                    self.failure = Some(Malformed(format!(
                        "its bytes here are not {}",
                        self.encoding.name()
                    )));
                }
            }
        }
        Ok(())
    }

    /// Passes over the byte order mark and prepares the decoder; a mark of another encoding is a
    /// failure.
    fn begin(&mut self) {
        let mark = encoding_rs::Encoding::for_bom(&self.raw);
        let own = match self.encoding {
            Encoding::Utf8 | Encoding::Latin1 => None,
            Encoding::Utf16 => match mark {
                Some((marked, _)) if marked != encoding_rs::UTF_8 => Some(marked),
                _ => Some(encoding_rs::UTF_16LE),
            },
            Encoding::Other(own) => Some(own),
        };
        if let Some((marked, length)) = mark {
            if own.is_none_or(|own| own != marked) {
                self.failure = Some(Malformed(format!(
                    "its first bytes mark it as {}",
                    marked.name().to_ascii_lowercase()
                )));
                return;
            }
            self.raw.drain(..length);
        }
        self.decoder = own.map(encoding_rs::Encoding::new_decoder_without_bom_handling);
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.text.len() {
            if let Some(failure) = self.failure.take() {
                self.has_ended = true;
                self.raw.clear();
                return Err(io::Error::new(io::ErrorKind::InvalidData, failure));
            }
            if self.has_ended && self.raw.is_empty() && self.has_begun {
                return Ok(0);
            }
            self.fill()?;
        }
        let count = buffer.len().min(self.text.len() - self.taken);
        buffer[..count].copy_from_slice(&self.text[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hands out a few bytes at a time.
    struct Slow(Vec<u8>, usize);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    fn decode(name: &str, bytes: &[u8], step: usize) -> io::Result<String> {
        let mut text = Vec::new();
        Encoding::of(name)
            .unwrap()
            .decoded(Box::new(Slow(bytes.to_vec(), step)))
            .read_to_end(&mut text)?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn text_of_every_encoding_is_decoded() {
        // From Python: "Größe €5".encode(…), and "Größe".encode("latin-1").
        let cases: [(&str, &[u8], &str); 9] = [
            ("windows-1252", b"Gr\xf6\xdfe \x805", "Größe €5"),
            ("cp1252", b"Gr\xf6\xdfe \x805", "Größe €5"),
            ("latin-1", b"Gr\xf6\xdfe \x85", "Größe \u{85}"),
            ("iso8859_15", b"Gr\xf6\xdfe \xa45", "Größe €5"),
            ("utf-16le", b"G\0\xf6\0\xac\x20", "Gö€"),
            ("UTF-16", b"\xfe\xff\0G\0\xf6\x20\xac", "Gö€"),
            ("utf_16_be", b"\xd8\x3d\xde\x00", "😀"),
            ("utf-16", b"", ""),
            ("shift_jis", b"\x93\xfa\x96\x7b", "日本"),
        ];
        for (name, bytes, text) in cases {
            for step in [1, 2, 3, 1000] {
                assert_eq!(decode(name, bytes, step).unwrap(), text, "{name}");
            }
        }
    }

    #[test]
    fn bytes_of_another_encoding_are_an_error_and_not_replaced() {
        for (name, bytes) in [
            ("utf-16le", b"a\0b".as_slice()),
            ("utf-16le", b"\0\xd8a\0"),
            ("shift_jis", b"\x93"),
            ("utf-16le", b"\xfe\xff\0a"),
            ("latin1", b"\xef\xbb\xbfa"),
        ] {
            let error = decode(name, bytes, 2).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{name}");
        }
        assert_eq!(
            Encoding::of("klingon").unwrap_err().kind(),
            crate::error::Kind::Usage
        );
    }

    #[test]
    fn utf16_is_seen_by_its_zeros() {
        let utf16 = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        };
        assert_eq!(
            Encoding::sniff(&utf16("id,name\n1,x\n"))
                .map(Encoding::name)
                .as_deref(),
            Some("utf-16le")
        );
        assert_eq!(
            Encoding::sniff(b"\0i\0d\0,\0n")
                .map(Encoding::name)
                .as_deref(),
            Some("utf-16be")
        );
        assert_eq!(Encoding::sniff(b"id,name\n"), None);
        assert_eq!(Encoding::sniff(b"\0\0\0\0"), None);
        let utf32 = |bytes: fn(u32) -> [u8; 4]| {
            let text = "\u{feff}id,näme\n1,x\n".chars();
            text.flat_map(|letter| bytes(u32::from(letter)))
                .collect::<Vec<u8>>()
        };
        assert!(Encoding::is_utf32(&utf32(u32::to_le_bytes)));
        assert!(Encoding::is_utf32(&utf32(u32::to_be_bytes)));
        for other in [
            utf16("id,name\n1,x\n"),
            b"id,name\n1,x\n".to_vec(),
            vec![0; 8],
            Vec::new(),
        ] {
            assert!(!Encoding::is_utf32(&other), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_whatever_its_length(
            text in "[a-z\u{e4}\u{20ac}\u{1f600}]{0,200}",
            step in 1_usize..70,
        ) {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            prop_assert_eq!(decode("utf-16be", &bytes, step).unwrap(), text);
        }
    }
}
