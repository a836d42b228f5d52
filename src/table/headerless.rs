//! Compressed text whose format has no magic number: raw Snappy and LZ4, Hadoop's Snappy, zlib and
//! deflate.
//!
//! Short texts come through Snappy and LZ4 almost as they are, with a byte or two in front, and
//! would be taken for text. Each format is recognised by reading a file's beginning with it: what
//! comes out is text, and the beginning is not. It must not read files.

use crate::storage::HEAD_BYTES;

/// The least that comes out of a stream of deflate.
const INFLATED_BYTES: usize = 16;

/// What is decoded of a beginning at most.
const DECODED_BYTES: usize = 16 << 10;

/// Bytes of a beginning, of which one at least is no plain text, if the file is compressed.
const PLAIN_BYTES: usize = 3;

/// The format that a file with this beginning is compressed in.
#[must_use]
pub(super) fn format_of(head: &[u8]) -> Option<&'static str> {
    let is_plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let is_whole = head.len() < HEAD_BYTES;
    let text = |decoded: Option<Vec<u8>>| decoded.is_some_and(|decoded| is_text(&decoded));
    let begins_plainly = head.iter().take(PLAIN_BYTES).all(is_plain);
    // To the last byte: a length may look like the end of a line.
    if (is_whole || !begins_plainly) && text(snappy(head, is_whole)) {
        return Some("text compressed by Snappy, without a header");
    }
    if begins_plainly {
        return None;
    }
    if text(hadoop(head)) {
        return Some("text compressed by Hadoop's Snappy");
    }
    if text(lz4(head, is_whole)) {
        return Some("text compressed by LZ4, without a header");
    }
    if text(inflated(head, true)) {
        return Some("text compressed by zlib");
    }
    text(inflated(head, false)).then_some("text compressed by deflate, without a header")
}

/// Whether these are a few characters at least and no control characters.
fn is_text(bytes: &[u8]) -> bool {
    let is_cut = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    let is_control = |byte: &u8| byte.is_ascii_control() && !b"\t\n\r".contains(byte);
    bytes.len() >= PLAIN_BYTES && is_cut && !bytes.iter().any(is_control)
}

/// Bytes that are read one after the other.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number of so many bytes, the lowest first.
    fn number(&mut self, bytes: u32) -> Option<usize> {
        (0..bytes).try_fold(0, |number, index| {
            Some(number | usize::from(self.next()?) << (8 * index))
        })
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.next()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// So many bytes, or those that are left.
    fn take(&mut self, length: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Repeats what was decoded `offset` bytes before; false if there is no such place.
fn repeat(decoded: &mut Vec<u8>, offset: usize, length: usize) -> bool {
    if offset == 0 || offset > decoded.len() {
        return false;
    }
    let length = length.min(DECODED_BYTES.saturating_sub(decoded.len()));
    for _ in 0..length {
        decoded.push(decoded[decoded.len() - offset]);
    }
    true
}

/// `format_description.txt` of google/snappy.
fn snappy(head: &[u8], is_whole: bool) -> Option<Vec<u8>> {
    let mut bytes = Bytes(head);
    let total = bytes.varint().filter(|total| *total > 0)?;
    let mut decoded = Vec::new();
    while decoded.len() < total.min(DECODED_BYTES) {
        let Some(tag) = bytes.next() else { break };
        let upper = usize::from(tag >> 2);
        let copy = match tag & 3 {
            0 => {
                let length = match upper {
                    0..60 => Some(upper + 1),
                    _ => bytes.number(upper as u32 - 59).map(|length| length + 1),
                };
                let Some(length) = length else { break };
                if decoded.len().saturating_add(length) > total {
                    return None;
                }
                decoded.extend_from_slice(bytes.take(length.min(DECODED_BYTES)));
                continue;
            }
            1 => bytes.next().map(|low| {
                (
                    usize::from(tag >> 5) << 8 | usize::from(low),
                    4 + (upper & 7),
                )
            }),
            2 => bytes.number(2).map(|offset| (offset, upper + 1)),
            _ => bytes.number(4).map(|offset| (offset, upper + 1)),
        };
        let Some((offset, length)) = copy else { break };
        if decoded.len() + length > total || !repeat(&mut decoded, offset, length) {
            return None;
        }
    }
    let is_complete = decoded.len() == total && bytes.0.is_empty();
    let is_cut = !is_whole || decoded.len() >= DECODED_BYTES;
    (is_complete || is_cut).then_some(decoded)
}

/// Blocks behind two lengths, the highest byte first.
fn hadoop(head: &[u8]) -> Option<Vec<u8>> {
    let (lengths, block) = head.split_at_checked(8)?;
    let length = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (total, compressed) = (length(&lengths[..4]), length(&lengths[4..]));
    let own = Bytes(block).varint()?;
    let is_one = own == total && compressed > 0;
    let block = block.get(..compressed.min(block.len()))?;
    snappy(block, block.len() == compressed).filter(|_| is_one)
}

/// `lz4_Block_format.md` of lz4/lz4.
fn lz4(head: &[u8], is_whole: bool) -> Option<Vec<u8>> {
    let mut bytes = Bytes(head);
    let mut decoded = Vec::new();
    let longer = |bytes: &mut Bytes<'_>, length: usize| {
        let mut length = length;
        while length >= 15 {
            let more = bytes.next()?;
            length += usize::from(more);
            if more < u8::MAX {
                break;
            }
        }
        Some(length)
    };
    while decoded.len() < DECODED_BYTES {
        let Some(token) = bytes.next() else { break };
        let Some(length) = longer(&mut bytes, usize::from(token >> 4)) else {
            break;
        };
        let literals = bytes.take(length);
        let is_short = literals.len() < length;
        decoded.extend_from_slice(literals);
        if bytes.0.is_empty() {
            // The last sequence has no copy.
            return (!is_short || !is_whole).then_some(decoded);
        }
        let Some(offset) = bytes.number(2) else { break };
        let Some(length) = longer(&mut bytes, usize::from(token & 15)) else {
            break;
        };
        if !repeat(&mut decoded, offset, length + 4) {
            return None;
        }
    }
    (!is_whole).then_some(decoded)
}

fn inflated(head: &[u8], has_header: bool) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(DECODED_BYTES);
    let mut stream = flate2::Decompress::new(has_header);
    let status = stream.decompress_vec(head, &mut decoded, flate2::FlushDecompress::None);
    let is_end = matches!(status.ok()?, flate2::Status::StreamEnd);
    // Without a header a few bits of anything may be a stream.
    let is_sure = has_header
        || decoded.len() >= INFLATED_BYTES && !(is_end && stream.total_in() < head.len() as u64);
    is_sure.then_some(decoded)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;

    use super::*;

    fn rows(count: usize) -> Vec<u8> {
        let row = |row: usize| format!("{row},{:.3},ä{}\n", row as f64 * 0.37, row % 7);
        let rows: String = (0..count).map(row).collect();
        format!("id,a,b\n{rows}").into_bytes()
    }

    fn head(bytes: &[u8]) -> &[u8] {
        &bytes[..bytes.len().min(HEAD_BYTES)]
    }

    #[test]
    fn compressed_text_of_any_length_is_recognised() {
        for count in [1, 2, 3, 5, 20, 200, 3_000] {
            let text = rows(count);
            let snappy = snap::raw::Encoder::new().compress_vec(&text).unwrap();
            let lengths = [text.len(), snappy.len()].map(|length| (length as u32).to_be_bytes());
            let hadoop = [&lengths.concat()[..], &snappy].concat();
            let lz4 = lz4_flex::block::compress(&text);
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
            zlib.write_all(&text).unwrap();
            let mut deflate =
                flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
            deflate.write_all(&text).unwrap();
            for (bytes, expected) in [
                (snappy, "Snappy, without a header"),
                (hadoop, "Hadoop's Snappy"),
                (lz4, "LZ4, without a header"),
                (zlib.finish().unwrap(), "zlib"),
                (deflate.finish().unwrap(), "deflate, without a header"),
            ] {
                let found = format_of(head(&bytes)).unwrap_or("nothing");
                assert!(found.ends_with(expected), "{count} {expected}: {found}");
            }
        }
    }

    #[test]
    fn text_in_any_encoding_and_other_bytes_are_not() {
        let long = "ä,ö,ü\n1,2,3\n".repeat(600);
        let latin = |text: &str| text.chars().map(|one| one as u8).collect::<Vec<u8>>();
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let cases: Vec<Vec<u8>> = vec![
            rows(2),
            rows(3_000),
            long.clone().into_bytes(),
            latin(&long),
            latin("ÿþa,b\n1,2\n"),
            latin("Ä\u{1}b\u{1}c\n1\u{1}2\u{1}3\n"),
            latin("àb,c\n"),
            wide(&long),
            format!("\u{feff}{long}").into_bytes(),
            b"\x01\x02\x03".to_vec(),
            b"\t\t\t\n".to_vec(),
            b"a\x01b\n1\x012\n".to_vec(),
            b"\x1a".to_vec(),
            Vec::new(),
            (0..=255).cycle().take(5_000).collect(),
        ];
        for bytes in cases {
            assert_eq!(
                format_of(head(&bytes)),
                None,
                "{}",
                head(&bytes).escape_ascii()
            );
        }
    }
}
