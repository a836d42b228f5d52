//! The records that a Parquet file describes itself with, footers and page headers, checked before the reader beneath parses them.
//!
//! That reader passes over lists of truth values one by one though not a byte of them is there, reserves memory for as many children as a schema
//! says it has, follows a schema to any depth on the stack, and reads the fields that it knows without looking at their type. Owns which
//! fields those are. How records are walked is `thrift`'s, what they mean is the reader's.
//!
//! Source: `parquet.thrift` of Apache Parquet's format 2.12, as far as version 60 of the reader knows it.

use std::io::{self, Read};

use super::commit::FileReader;
use super::thrift::Kind::{self, Binary, Byte, Children, Double, List, Number, Struct, Tree, Truth, Unknown};
use super::thrift::{Refusal, leading_numbers, struct_length};

/// What is read of a file at once for a page header: headers are some dozens of bytes, and more where they hold statistics.
const HEADER_BYTES: usize = 2048;

/// The longest page header: two texts of the largest size that writers put in statistics are far below.
const MOST_HEADER_BYTES: usize = 16 << 20;

const EMPTY: Kind = Struct(&[]);
const TIME_UNIT: Kind = Struct(&[EMPTY, EMPTY, EMPTY]);
const TIME: Kind = Struct(&[Truth, TIME_UNIT]);

/// A union: by number, text, map, list, enumeration, decimal, date, time, timestamp, interval, integer, null, JSON, BSON, UUID, half float,
/// variant, geometry, geography, file.
const LOGICAL_TYPE: Kind = Struct(&[
    EMPTY,
    EMPTY,
    EMPTY,
    EMPTY,
    Struct(&[Number, Number]),
    EMPTY,
    TIME,
    TIME,
    Unknown,
    Struct(&[Byte, Truth]),
    EMPTY,
    EMPTY,
    EMPTY,
    EMPTY,
    EMPTY,
    Struct(&[Byte]),
    Struct(&[Binary]),
    Struct(&[Binary, Number]),
    EMPTY,
]);

/// Type, type length, repetition, name, number of children, converted type, scale, precision, field identifier, logical type.
const SCHEMA_ELEMENT: &[Kind] = &[Number, Number, Number, Binary, Children, Number, Number, Number, Number, LOGICAL_TYPE];

/// Maximum and minimum as they once were, counts of nulls and distinct values, maximum and minimum, whether they are exact, count of NaN.
const STATISTICS: Kind = Struct(&[Binary, Binary, Number, Number, Binary, Binary, Truth, Truth, Number]);

const KEY_VALUE: Kind = Struct(&[Binary, Binary]);
const BOUNDING_BOX: Kind = Struct(&[Double, Double, Double, Double, Double, Double, Double, Double]);

/// Type, encodings, path, codec, values, sizes, key-value pairs, offsets of pages, statistics, statistics of encodings, bloom filter, statistics
/// of sizes, statistics of places.
const COLUMN_META_DATA: Kind = Struct(&[
    Number,
    List(&Number),
    List(&Binary),
    Number,
    Number,
    Number,
    Number,
    List(&KEY_VALUE),
    Number,
    Number,
    Number,
    STATISTICS,
    List(&Struct(&[Number, Number, Number])),
    Number,
    Number,
    Struct(&[Number, List(&Number), List(&Number)]),
    Struct(&[BOUNDING_BOX, List(&Number)]),
]);

/// File, offset, metadata, places of the page indexes.
const COLUMN_CHUNK: Kind = Struct(&[Binary, Number, COLUMN_META_DATA, Number, Number, Number, Number]);

/// Columns, size, rows, sorting columns, offset, compressed size, number.
const ROW_GROUP: Kind = Struct(&[List(&COLUMN_CHUNK), Number, Number, List(&Struct(&[Number, Truth, Truth])), Number, Number, Number]);

/// Version, schema, rows, row groups, key-value pairs, writer, orders of columns.
static FILE_META_DATA: &[Kind] =
    &[Number, Tree(SCHEMA_ELEMENT), Number, List(&ROW_GROUP), List(&KEY_VALUE), Binary, List(&Struct(&[EMPTY, EMPTY, EMPTY]))];

/// Type, size, compressed size, checksum, then one of: data page, index page, dictionary page, data page of the second version.
static PAGE_HEADER: &[Kind] = &[
    Number,
    Number,
    Number,
    Number,
    Struct(&[Number, Number, Number, Number, STATISTICS]),
    EMPTY,
    Struct(&[Number, Number, Truth]),
    Struct(&[Number, Number, Number, Number, Number, Number, Truth, STATISTICS]),
];

/// Checks a footer's record; what may follow it is not looked at.
pub(super) fn check_footer(bytes: &[u8]) -> Result<(), Refusal> {
    struct_length(bytes, FILE_META_DATA).map(|_| ())
}

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
    let mut reader = HeaderReader::new(file);
    reader.fill()?;
    let damaged = |refusal: Refusal| io::Error::new(io::ErrorKind::InvalidData, refusal.to_string());
    let (numbers, inner) = leading_numbers(&reader.header).map_err(damaged)?;
    let field = |wanted: i16| numbers.iter().find(|(identifier, _)| *identifier == wanted).and_then(|(_, value)| u64::try_from(*value).ok());
    Ok(PageFacts {
        header_bytes: reader.header.len() as u64,
        uncompressed_bytes: field(2).unwrap_or(0),
        compressed_bytes: field(3).unwrap_or(0),
        words: inner.filter(|(identifier, _)| *identifier == DICTIONARY_HEADER).and_then(|(_, words)| u64::try_from(words).ok()),
    })
}

/// The field of a page header that makes it a dictionary's.
const DICTIONARY_HEADER: i16 = 7;

/// One page header: nothing is read until it is asked for, and then exactly the header, checked.
#[derive(Debug)]
pub(super) struct HeaderReader {
    file: FileReader,
    header: Vec<u8>,
    position: usize,
}

impl HeaderReader {
    /// The header at which `file` stands.
    pub(super) fn new(file: FileReader) -> Self {
        Self { file, header: Vec::new(), position: 0 }
    }

    fn fill(&mut self) -> io::Result<()> {
        let damaged = |text: String| io::Error::new(io::ErrorKind::InvalidData, format!("cannot read the page header: {text}"));
        let mut wanted = HEADER_BYTES;
        loop {
            self.file.by_ref().take((wanted - self.header.len()) as u64).read_to_end(&mut self.header)?;
            match struct_length(&self.header, PAGE_HEADER) {
                Ok(length) => return Ok(self.header.truncate(length)),
                Err(Refusal::CutOff) if self.header.len() == wanted && wanted < MOST_HEADER_BYTES => wanted *= 2,
                Err(Refusal::CutOff) if self.header.len() == wanted => return Err(damaged(format!("it is longer than {MOST_HEADER_BYTES} bytes"))),
                Err(Refusal::CutOff) => return Err(damaged("the file ends in it".to_owned())),
                Err(refusal @ Refusal::Wrong(_)) => return Err(damaged(refusal.to_string())),
            }
        }
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
        if count == 0 && !buffer.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::table::commit::{PendingFile, SharedFile};

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page");
        let mut file = PendingFile::create(&path, false).unwrap();
        file.write_all(bytes).unwrap();
        file.publish(false).unwrap();
        let mut reader = HeaderReader::new(SharedFile::open(&path).unwrap().reader());
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
        let length = [minimum as u8 | 0x80, (minimum >> 7) as u8 | 0x80, (minimum >> 14) as u8 | 0x80, (minimum >> 21) as u8];
        let head = [0x15, 0, 0x15, 8, 0x15, 8, 0x2c, 0x15, 4, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x28];
        [&head[..], &length, &vec![7; minimum], &[0, 0, 0]].concat()
    }

    #[test]
    fn a_page_header_of_any_length_is_read_to_its_end_and_not_beyond() {
        for minimum in [0, 4, 2_020, 2_024, 2_025, 100_000] {
            let header = header(minimum);
            assert_eq!(read(&[&header[..], b"the page"].concat()).unwrap(), header, "{minimum}");
        }
        let message = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert_eq!(message(&header(4)[..10]), "cannot read the page header: the file ends in it");
        assert_eq!(message(b""), "cannot read the page header: the file ends in it");
        assert_eq!(message(&header(MOST_HEADER_BYTES)), "cannot read the page header: it is longer than 16777216 bytes");
        let facts = |bytes: &[u8]| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("page");
            let mut file = PendingFile::create(&path, false).unwrap();
            file.write_all(bytes).unwrap();
            file.publish(false).unwrap();
            page_facts(SharedFile::open(&path).unwrap().reader()).unwrap()
        };
        let page = PageFacts { header_bytes: header(4).len() as u64, compressed_bytes: 4, uncompressed_bytes: 4, words: None };
        assert_eq!(facts(&header(4)), page);
        let dictionary = [0x15, 4, 0x15, 200, 1, 0x15, 20, 0x4c, 0x15, 14, 0x15, 0, 0, 0];
        assert_eq!(facts(&dictionary), PageFacts { header_bytes: 14, compressed_bytes: 10, uncompressed_bytes: 100, words: Some(7) });
        assert_eq!(message(&[0x18, 0]), "cannot read the page header: field 1 of a record has the wrong type (8)");
    }
}
