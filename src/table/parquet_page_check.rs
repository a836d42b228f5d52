//! What a Parquet file's page must be: as its header and its column chunk state.
//!
//! Owns the checks of a page's encoding, values, levels and checksum. How a header is read is
//! `parquet_header`'s.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::thrift::leading_numbers;
use super::thrift_refusal::{Refusal, wrong};

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
pub(super) const DICTIONARY_HEADER: i16 = 7;

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
    pub(super) fn encrypted_until(&self, start: u64) -> Option<u64> {
        let facts = self.lock();
        let (_, chunk) = facts.chunks.range(..=start).next_back()?;
        (chunk.is_encrypted && start < chunk.end).then_some(chunk.end)
    }

    /// Takes down what a header at byte `start` says.
    pub(super) fn note(&self, start: u64, header: &[u8]) -> Result<(), Refusal> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
