//! The headers of a Parquet file's pages, checked before the reader beneath parses them.
//!
//! That reader passes over lists of booleans one by one though not a byte of them is there, and
//! reads the fields that it knows without looking at their type. Owns which fields those are. How
//! records are walked is `thrift`'s, footers are `parquet_footer`'s.
//!
//! Source: `parquet.thrift` of Apache Parquet's format 2.12, as far as version 60 of the reader
//! knows it.

use std::io::{self, Read};

use super::parquet_footer::{EMPTY, STATISTICS};
use super::parquet_page_check::{DICTIONARY_HEADER, PageChecks};
use super::thrift::Kind::{self, Number, Struct, Truth};
use super::thrift::{leading_numbers, struct_length};
use super::thrift_refusal::Refusal;
use crate::storage::FileReader;

/// What is read of a file at once for a page header: headers are some dozens of bytes, and more
/// where they hold statistics.
const HEADER_BYTES: usize = 2048;

/// The longest page header: two texts of the largest size that writers put in statistics are far
/// below.
const MAX_HEADER_BYTES: usize = 16 << 20;

/// Type, size, compressed size, checksum, then one of: data page, index page, dictionary page, data
/// page of the second version.
static PAGE_HEADER: &[Kind] = &[
    Number,
    Number,
    Number,
    Number,
    Struct(&[Number, Number, Number, Number, STATISTICS]),
    EMPTY,
    Struct(&[Number, Number, Truth]),
    Struct(&[
        Number, Number, Number, Number, Number, Number, Truth, STATISTICS,
    ]),
];

/// What a page's header says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PageFacts {
    /// The bytes of the header.
    pub(super) header_bytes: u64,
    /// The page's bytes in the file.
    pub(super) compressed_bytes: u64,
    /// Its bytes once it is decompressed.
    pub(super) uncompressed_bytes: u64,
    /// If it is a dictionary: how many words it has.
    pub(super) words: Option<u64>,
}

/// The facts of the page whose header begins where `file` stands.
pub(super) fn page_facts(file: FileReader) -> io::Result<PageFacts> {
    let mut reader = HeaderReader::new(file, 0, PageChecks::default());
    reader.fill()?;
    let damaged =
        |refusal: Refusal| io::Error::new(io::ErrorKind::InvalidData, refusal.to_string());
    let (numbers, inner) = leading_numbers(&reader.header).map_err(damaged)?;
    let field = |requested: i16| {
        numbers
            .iter()
            .find(|(identifier, _)| *identifier == requested)
            .and_then(|(_, value)| u64::try_from(*value).ok())
    };
    Ok(PageFacts {
        header_bytes: reader.header.len() as u64,
        uncompressed_bytes: field(2).unwrap_or(0),
        compressed_bytes: field(3).unwrap_or(0),
        words: inner
            .filter(|(identifier, _)| *identifier == DICTIONARY_HEADER)
            .and_then(|(_, numbers)| u64::try_from(numbers.first()?.1).ok()),
    })
}

/// The nonce and the tag of an encrypted header.
const SEAL_BYTES: u64 = 12 + 16;

/// One page header: nothing is read until it is asked for, and then exactly the header, checked.
#[derive(Debug)]
pub(super) struct HeaderReader {
    file: FileReader,
    start: u64,
    checks: PageChecks,
    header: Vec<u8>,
    position: usize,
}

impl HeaderReader {
    /// The header at byte `start`, where `file` stands; what it says goes to `checks`.
    pub(super) fn new(file: FileReader, start: u64, checks: PageChecks) -> Self {
        Self {
            file,
            start,
            checks,
            header: Vec::new(),
            position: 0,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let damaged = |text: String| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("cannot read the page header: {text}"),
            )
        };
        if let Some(end) = self.checks.encrypted_until(self.start) {
            return self.fill_encrypted(end).map_err(damaged);
        }
        let mut requested = HEADER_BYTES;
        loop {
            // Into an empty vector, bytes would be read by the dozen.
            self.header.reserve(requested - self.header.len());
            self.file
                .by_ref()
                .take((requested - self.header.len()) as u64)
                .read_to_end(&mut self.header)?;
            match struct_length(&self.header, PAGE_HEADER) {
                Ok(length) => {
                    self.header.truncate(length);
                    return self
                        .checks
                        .note(self.start, &self.header)
                        .map_err(|refusal| damaged(refusal.to_string()));
                }
                Err(Refusal::CutOff)
                    if self.header.len() == requested && requested < MAX_HEADER_BYTES =>
                {
                    requested *= 2;
                }
                Err(Refusal::CutOff) if self.header.len() == requested => {
                    return Err(damaged(format!(
                        "it is longer than {MAX_HEADER_BYTES} bytes"
                    )));
                }
                Err(Refusal::CutOff) => return Err(damaged("the file ends in it".to_owned())),
                Err(refusal @ Refusal::Wrong(_)) => return Err(damaged(refusal.to_string())),
            }
        }
    }
}

impl HeaderReader {
    /// Reads an encrypted header of a chunk that ends at byte `end`: its length, and as many bytes.
    /// What is in it the key holder wrote, and the cipher checks it.
    fn fill_encrypted(&mut self, end: u64) -> Result<(), String> {
        let room = end.saturating_sub(self.start).min(MAX_HEADER_BYTES as u64);
        let mut length = [0; 4];
        let file = &mut self.file;
        let read = |file: &mut FileReader, bytes: &mut [u8]| {
            file.read_exact(bytes).map_err(|error| error.to_string())
        };
        read(file, &mut length)?;
        let count = u64::from(u32::from_le_bytes(length));
        if count < SEAL_BYTES || count + 4 > room {
            return Err(format!("it is encrypted and claims {count} bytes"));
        }
        let mut rest = vec![0; usize::try_from(count).unwrap_or(0)];
        read(file, &mut rest)?;
        self.header = [&length[..], &rest].concat();
        Ok(())
    }
}

impl Read for HeaderReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.header.is_empty() {
            self.fill()?;
        }
        let count = (&self.header[self.position..]).read(buffer)?;
        self.position += count;
        // The parser above takes the end of a stream for values to pass over.
        if count == 0 && !buffer.is_empty() {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(count)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::parquet_page_check::{CHECKSUM, ChunkFacts};
    use super::*;
    use crate::storage::{PendingFile, SharedFile};

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page");
        let mut file = PendingFile::create(&path, false).unwrap();
        file.write_all(bytes).unwrap();
        file.publish(false).unwrap();
        let mut reader = HeaderReader::new(
            SharedFile::open(&path).unwrap().reader(),
            0,
            PageChecks::default(),
        );
        let mut read = Vec::new();
        let mut byte = [0];
        loop {
            match reader.read(&mut byte) {
                Ok(_) => read.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(read),
                Err(error) => return Err(error),
            }
        }
    }

    /// A data page whose statistics have a minimum of so many bytes.
    fn header(minimum: usize) -> Vec<u8> {
        let length = [
            minimum as u8 | 0x80,
            (minimum >> 7) as u8 | 0x80,
            (minimum >> 14) as u8 | 0x80,
            (minimum >> 21) as u8,
        ];
        let head = [
            0x15, 0, 0x15, 8, 0x15, 8, 0x2c, 0x15, 4, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x28,
        ];
        [&head[..], &length, &vec![7; minimum], &[0, 0, 0]].concat()
    }

    #[test]
    fn a_page_must_have_the_checksum_that_its_header_gives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page");
        let mut file = PendingFile::create(&path, false).unwrap();
        // A data page of 9 bytes; the check value of the standard CRC is that of `123456789`,
        // 0xCBF43926.
        let header = crate::table::thrift_tree::with_number(
            &header(4),
            CHECKSUM,
            i64::from(0xcbf4_3926_u32.cast_signed()),
        )
        .unwrap();
        file.write_all(&header).unwrap();
        file.publish(false).unwrap();
        let end = 100 + header.len() as u64 + 4;
        let of = |value_count: u64| {
            PageChecks::new(
                [(
                    90,
                    ChunkFacts {
                        end,
                        value_count,
                        ..ChunkFacts::default()
                    },
                )]
                .into_iter(),
            )
        };
        let read = |checks: PageChecks| {
            HeaderReader::new(SharedFile::open(&path).unwrap().reader(), 100, checks).fill()
        };
        // The page has 2 values and is the chunk's last one.
        assert!(read(of(2)).is_ok());
        for values in [1, 3] {
            let message = read(of(values)).unwrap_err().to_string();
            assert_eq!(
                message,
                format!(
                    "cannot read the page header: the pages have 2 values, the column chunk \
                     {values}"
                )
            );
        }
        let checks = PageChecks::default();
        HeaderReader::new(
            SharedFile::open(&path).unwrap().reader(),
            100,
            checks.clone(),
        )
        .fill()
        .unwrap();
        let start = 100 + header.len() as u64;
        assert!(checks.agree(start, b"123456789"));
        assert!(!checks.agree(start, b"123456788"));
        assert!(checks.agree(start + 1, b"another page, without a checksum"));
    }

    #[test]
    fn a_page_header_of_any_length_is_read_to_its_end_and_not_beyond() {
        for minimum in [0, 4, 2_020, 2_024, 2_025, 100_000] {
            let header = header(minimum);
            assert_eq!(
                read(&[&header[..], b"the page"].concat()).unwrap(),
                header,
                "{minimum}"
            );
        }
        let message = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert_eq!(
            message(&header(4)[..10]),
            "cannot read the page header: the file ends in it"
        );
        assert_eq!(
            message(b""),
            "cannot read the page header: the file ends in it"
        );
        assert_eq!(
            message(&header(MAX_HEADER_BYTES)),
            "cannot read the page header: it is longer than 16777216 bytes"
        );
        let facts = |bytes: &[u8]| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("page");
            let mut file = PendingFile::create(&path, false).unwrap();
            file.write_all(bytes).unwrap();
            file.publish(false).unwrap();
            page_facts(SharedFile::open(&path).unwrap().reader()).unwrap()
        };
        let page = PageFacts {
            header_bytes: header(4).len() as u64,
            compressed_bytes: 4,
            uncompressed_bytes: 4,
            words: None,
        };
        assert_eq!(facts(&header(4)), page);
        let dictionary = [
            0x15, 4, 0x15, 200, 1, 0x15, 20, 0x4c, 0x15, 14, 0x15, 0, 0, 0,
        ];
        assert_eq!(
            facts(&dictionary),
            PageFacts {
                header_bytes: 14,
                compressed_bytes: 10,
                uncompressed_bytes: 100,
                words: Some(7)
            }
        );
        assert_eq!(
            message(&[0x18, 0]),
            "cannot read the page header: field 1 of a record has the wrong type (8)"
        );
    }
}
