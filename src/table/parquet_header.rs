//! The headers of a Parquet file's pages, checked before the reader beneath parses them.
//!
//! That reader passes over lists of booleans one by one though not a byte of them is there, and
//! reads the fields that it knows without looking at their type. Owns which fields those are. How
//! records are walked is `thrift`'s, footers are `parquet_footer`'s.
//!
//! Source: `parquet.thrift` of Apache Parquet's format 2.12, as far as version 60 of the reader
//! knows it.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::parquet_footer::{EMPTY, STATISTICS};
use super::thrift::Kind::{self, Number, Struct, Truth};
use super::thrift::{Refusal, leading_numbers, struct_length, wrong};
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

/// The field of a page header that holds the page's checksum.
pub(super) const CHECKSUM: i16 = 4;

/// The field of a page header that holds the page's bytes in the file.
const COMPRESSED_BYTES: i16 = 3;

/// The fields of a page header that make it one of values, of the first version and of the second.
const FIRST_VERSION: i16 = 5;
const SECOND_VERSION: i16 = 8;

/// The first of the encodings that every writer lists: those by differences, and of split streams.
const FIRST_LISTED: i64 = 5;

/// The encoding by a dictionary, which has an older name, too.
const DICTIONARY: i64 = 8;

/// The field of a page header that makes it a dictionary's.
const DICTIONARY_HEADER: i16 = 7;

/// What the headers read so far say of the pages behind them, and what the footer says of their
/// column chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct PageChecks(Arc<Mutex<Facts>>);

#[derive(Debug, Default)]
struct Facts {
    /// What the header says of each page, by the byte at which the page begins.
    pages: HashMap<u64, PageCheck>,
    /// The column chunks by the byte at which they begin.
    chunks: BTreeMap<u64, ChunkFacts>,
}

/// What a page's bytes are checked against.
#[derive(Clone, Copy, Debug, Default)]
struct PageCheck {
    /// The checksum, if the header gives one.
    checksum: Option<u32>,
    /// The levels of a column without lists that has levels of lists all the same.
    needless_levels: Option<NeedlessLevels>,
}

impl PageCheck {
    fn agrees(self, page: &[u8]) -> bool {
        self.checksum
            .is_none_or(|expected| crc32fast::hash(page) == expected)
            && self.needless_levels.is_none_or(|levels| levels.agree(page))
    }
}

/// What the footer says of a column chunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChunkFacts {
    /// The byte behind its last page.
    pub(super) end: u64,
    /// Whether its pages and their headers are encrypted.
    pub(super) is_encrypted: bool,
    /// Its values, those that are null included.
    pub(super) value_count: u64,
    /// Its encodings, by the bits of their numbers; none if none is listed.
    pub(super) encodings: i32,
    /// Whether its values are in no list.
    pub(super) is_flat: bool,
    /// The bits of a level that says whether a value is null; 0 if none is.
    pub(super) null_bits: u32,
    /// The rows of the row group.
    pub(super) row_count: u64,
    /// The values of the pages so far.
    pub(super) so_far: u64,
    /// The rows of the pages so far; `None` once a page does not state them.
    pub(super) rows_so_far: Option<u64>,
}

/// What a header says of a page of values.
#[derive(Clone, Copy, Debug, Default)]
struct DataPage {
    values: i64,
    encoding: i64,
    /// The rows, which pages of the second version state. Readers skip pages by them.
    rows: Option<i64>,
    /// The bytes of the levels that say where lists begin, in pages of the second version.
    list_bytes: i64,
    /// The bytes of the levels that say which values are null, in pages of the second version.
    null_bytes: i64,
}

/// The levels of lists of a column that has none. They may stand there, but a wrong length of them
/// would move the levels behind them, so both are walked.
#[derive(Clone, Copy, Debug)]
struct NeedlessLevels {
    values: u64,
    list_bytes: usize,
    null_bytes: usize,
    /// The bits of a level that says whether a value is null.
    null_bits: u32,
}

impl NeedlessLevels {
    fn agree(self, page: &[u8]) -> bool {
        let Some((lists, rest)) = page.split_at_checked(self.list_bytes) else {
            return false;
        };
        let fits = |levels: &[u8], bits: u32| {
            level_count(levels, bits).is_some_and(|(count, padding)| {
                (self.values..=self.values + padding).contains(&count)
            })
        };
        let nulls = rest.get(..self.null_bytes);
        fits(lists, 0)
            && nulls.is_some_and(|levels| self.null_bits == 0 || fits(levels, self.null_bits))
    }
}

/// How many levels of so many bits there are in runs that fill exactly these bytes, and how many of
/// them are padding at most.
fn level_count(mut levels: &[u8], bits: u32) -> Option<(u64, u64)> {
    let (mut count, mut padding) = (0_u64, 0);
    while !levels.is_empty() {
        let (mut head, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) = levels.split_first()?;
            levels = rest;
            head |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (bytes, levels_here) = if head & 1 == 1 {
            ((head >> 1).checked_mul(u64::from(bits))?, (head >> 1) * 8)
        } else {
            (u64::from(bits.div_ceil(8)), head >> 1)
        };
        padding = if head & 1 == 1 { 7 } else { 0 };
        count = count.checked_add(levels_here)?;
        levels = levels.get(usize::try_from(bytes).ok()?..)?;
    }
    Some((count, padding))
}

impl ChunkFacts {
    /// Counts a data page's rows and compares them with the row group's.
    fn count_rows(&mut self, rows: Option<i64>, is_last: bool) -> Result<(), Refusal> {
        self.rows_so_far = self
            .rows_so_far
            .zip(rows.and_then(|rows| u64::try_from(rows).ok()))
            .map(|(so_far, rows)| so_far.saturating_add(rows));
        match self.rows_so_far {
            Some(rows) if rows > self.row_count || is_last && rows != self.row_count => {
                wrong(format!(
                    "the pages have {rows} rows, the row group {}",
                    self.row_count
                ))
            }
            _ => Ok(()),
        }
    }
}

impl DataPage {
    fn new(identifier: i16, numbers: &[(i16, i64)]) -> Option<Self> {
        let number = |requested: i16| {
            numbers
                .iter()
                .find(|(own, _)| *own == requested)
                .map_or(0, |(_, number)| *number)
        };
        match identifier {
            FIRST_VERSION => Some(Self {
                values: number(1),
                encoding: number(2),
                rows: None,
                list_bytes: 0,
                null_bytes: 0,
            }),
            SECOND_VERSION => Some(Self {
                values: number(1),
                encoding: number(4),
                rows: Some(number(3)),
                list_bytes: number(6),
                null_bytes: number(5),
            }),
            _ => None,
        }
    }

    fn check(self, chunk: &ChunkFacts) -> Result<(), Refusal> {
        let is_listed = u32::try_from(self.encoding)
            .is_ok_and(|encoding| chunk.encodings >> encoding.min(31) & 1 == 1);
        // Some writers do not list the common ones.
        if self.encoding >= FIRST_LISTED
            && self.encoding != DICTIONARY
            && chunk.encodings != 0
            && !is_listed
        {
            return wrong(format!(
                "the page has encoding {}, which its column chunk does not list",
                self.encoding
            ));
        }
        if chunk.is_flat && ![0, self.run_bytes()].contains(&self.list_bytes) {
            return wrong("the page has levels of lists, its column has none");
        }
        if let Some(rows) = self.rows
            && (chunk.is_flat && rows != self.values || rows > self.values || rows < 0)
        {
            return wrong(format!(
                "the page has {} values for {rows} rows",
                self.values
            ));
        }
        Ok(())
    }

    /// The bytes of one run of as many levels as there are values, each of no bits.
    fn run_bytes(self) -> i64 {
        i64::from((65 - self.values.leading_zeros()).div_ceil(7)).max(1)
    }

    /// Some writers write the levels of lists where there are none: one run of noughts.
    fn needless_levels(self, chunk: &ChunkFacts) -> Option<NeedlessLevels> {
        if !chunk.is_flat || self.list_bytes <= 0 {
            return None;
        }
        Some(NeedlessLevels {
            values: u64::try_from(self.values).ok()?,
            list_bytes: usize::try_from(self.list_bytes).ok()?,
            null_bytes: usize::try_from(self.null_bytes).ok()?,
            null_bits: chunk.null_bits,
        })
    }
}

impl PageChecks {
    /// Checks for a reader of these column chunks, each with the byte at which it begins.
    pub(super) fn new(chunks: impl Iterator<Item = (u64, ChunkFacts)>) -> Self {
        Self(Arc::new(Mutex::new(Facts {
            pages: HashMap::new(),
            chunks: chunks.collect(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the page that begins at `start` has the checksum and the levels that its header
    /// gives; every page does whose header says nothing.
    pub(super) fn agree(&self, start: u64, page: &[u8]) -> bool {
        let check = self.lock().pages.get(&start).copied();
        check.is_none_or(|check| check.agrees(page))
    }

    /// The byte behind the column chunk that a header at byte `start` belongs to, if the chunk is
    /// encrypted.
    fn encrypted_until(&self, start: u64) -> Option<u64> {
        let facts = self.lock();
        let (_, chunk) = facts.chunks.range(..=start).next_back()?;
        (chunk.is_encrypted && start < chunk.end).then_some(chunk.end)
    }

    /// Takes down what a header at byte `start` says.
    fn note(&self, start: u64, header: &[u8]) -> Result<(), Refusal> {
        let (numbers, inner) = leading_numbers(header)?;
        let field = |requested: i16| {
            numbers
                .iter()
                .find(|(identifier, _)| *identifier == requested)
                .map(|(_, value)| *value)
        };
        let page_start = start.saturating_add(header.len() as u64);
        let mut facts = self.lock();
        let mut check = PageCheck {
            // A number of 32 bits with a sign, which some write without.
            checksum: field(CHECKSUM).map(|checksum| checksum as u32),
            needless_levels: None,
        };
        if let Some(known) = facts.pages.get(&page_start) {
            check.needless_levels = known.needless_levels;
            facts.pages.insert(page_start, check);
            return Ok(());
        }
        facts.pages.insert(page_start, check);
        let Some((_, chunk)) = facts
            .chunks
            .range_mut(..=start)
            .next_back()
            .filter(|(_, chunk)| start < chunk.end)
        else {
            return Ok(());
        };
        let page = inner.and_then(|(identifier, numbers)| DataPage::new(identifier, &numbers));
        let is_of_values = page.is_some();
        let page = page.unwrap_or_default();
        page.check(chunk)?;
        let (values, needless_levels) = (page.values, page.needless_levels(chunk));
        chunk.so_far = u64::try_from(values)
            .ok()
            .and_then(|values| chunk.so_far.checked_add(values))
            .unwrap_or(u64::MAX);
        let is_last = u64::try_from(field(COMPRESSED_BYTES).unwrap_or(0))
            .is_ok_and(|bytes| page_start.saturating_add(bytes) == chunk.end);
        if chunk.so_far > chunk.value_count || is_last && chunk.so_far != chunk.value_count {
            return wrong(format!(
                "the pages have {} values, the column chunk {}",
                chunk.so_far, chunk.value_count
            ));
        }
        if is_of_values {
            chunk.count_rows(page.rows, is_last)?;
        }
        if let Some(check) = facts.pages.get_mut(&page_start) {
            check.needless_levels = needless_levels;
        }
        Ok(())
    }
}

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
    fn needless_levels_of_lists_are_a_run_of_noughts() {
        let levels = |values, list_bytes, null_bytes| NeedlessLevels {
            values,
            list_bytes,
            null_bytes,
            null_bits: 1,
        };
        // The levels of `rle_boolean_encoding.parquet` of Apache's `parquet-testing`: 68 noughts,
        // then 24 levels of one bit, 14 in a run, and 32 of which two are padding.
        let page = [
            0x88, 0x01, 0x07, 0xfb, 0x7f, 0x7f, 0x1c, 0x01, 0x09, 0xfe, 0xfb, 0xbf, 0x3f, 0x1f,
        ];
        assert!(levels(68, 2, 11).agree(&page));
        for wrong in [
            levels(67, 2, 11),
            levels(68, 1, 11),
            levels(68, 2, 10),
            levels(68, 2, 20),
            levels(6, 2, 11),
        ] {
            assert!(!wrong.agree(&page), "{wrong:?}");
        }
        let all_there = [0x0c, 0x0c, 0x01, 0x55];
        assert!(levels(6, 1, 2).agree(&all_there));
        assert!(!levels(6, 1, 2).agree(&all_there[1..]), "of a page without");
    }

    #[test]
    fn a_page_is_encoded_as_its_column_chunk_states() {
        let chunk = ChunkFacts {
            encodings: 1 << 0 | 1 << 3 | 1 << 8,
            is_flat: true,
            ..ChunkFacts::default()
        };
        let message = |page: Option<DataPage>| {
            page.unwrap()
                .check(&chunk)
                .map_err(|refusal| refusal.to_string())
        };
        for encoding in [0, 2, 3, 8] {
            assert_eq!(
                message(DataPage::new(FIRST_VERSION, &[(1, 6), (2, encoding)])),
                Ok(())
            );
        }
        let wrong = message(DataPage::new(FIRST_VERSION, &[(1, 6), (2, 9)])).unwrap_err();
        assert_eq!(
            wrong,
            "the page has encoding 9, which its column chunk does not list"
        );
        let second = |rows, list_bytes| {
            DataPage::new(
                SECOND_VERSION,
                &[(1, 6), (3, rows), (4, 0), (6, list_bytes)],
            )
        };
        assert_eq!(message(second(6, 0)), Ok(()));
        let wrong = message(second(5, 0)).unwrap_err();
        assert_eq!(wrong, "the page has 6 values for 5 rows");
        let wrong = message(second(6, 2)).unwrap_err();
        assert_eq!(wrong, "the page has levels of lists, its column has none");
        assert!(DataPage::new(DICTIONARY_HEADER, &[(1, 6)]).is_none());
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
