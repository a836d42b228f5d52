//! Cuts delimited text into pieces of whole records, cheaply and in order; decoding them is any
//! worker's work.
//!
//! Owns the count of rows, the byte order mark, blank lines and the limit on a record. It must not
//! know columns.

use super::Start;
use super::compression::Stream;
use super::csv_find::find;
use super::csv_record::Dialect;
use super::csv_scan::Scanner;
use super::encoding::Encoding;
use crate::error::{Error, Result};
use crate::memory::{self, Reservation};
use crate::storage::SharedFile;

/// The longest record, in bytes: far above any real one (a field of 20 MB is let through), and far
/// below what would hurt. It is what a quote that no one closed runs into, and it keeps the 32-bit
/// offsets of a decoded text column from overflowing.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// A record longer than this is more than portions are planned for: what it takes is counted apart.
const LONG_RECORD_BYTES: usize = 2 << 20;

/// What a long record takes on its way to the output, as a multiple of its length: the text as it
/// is read and grows, its column, the copies that are encoded and compressed. Measured with fields
/// of 50 MB: 6.7 times.
const LONG_RECORD_COPIES: usize = 7;

/// What is read (and uncompressed) at once.
pub const FILL_BYTES: usize = 256 << 10;

/// How large a piece may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceLimit {
    /// A piece ends with the record that reaches this many bytes.
    pub bytes: usize,
    /// The most records.
    pub rows: usize,
}

/// A run of whole records, and how many lines are before and in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// The records with their line ends.
    pub text: Vec<u8>,
    /// The number of rows of the file before the piece.
    pub first_row: u64,
    /// The number of records in it.
    pub row_count: usize,
    /// The byte of the file behind it; none in a compressed file.
    pub end_byte: Option<u64>,
}

/// How a file of delimited text begins and is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// How its text is encoded.
    pub encoding: Encoding,
    /// Lines to pass over before the first record.
    pub skipped_lines: u64,
    /// Whether the delimiter is the user's choice; if not, a line `sep=;` says it, as Excel reads
    /// it.
    pub is_delimiter_said: bool,
}

/// Reads a file, from its beginning or from a place between two records, and cuts off one piece
/// after the other.
pub struct Splitter {
    stream: Stream,
    scanner: Scanner,
    buffer: Vec<u8>,
    /// What the long records of the next piece take.
    held: Option<Reservation>,
    has_ended: bool,
    next_row: u64,
    /// The bytes of the uncompressed file before the buffer.
    bytes_before: u64,
    /// Why the stream cannot be read further; told when what was read of it before has been
    /// scanned.
    broken: Option<Error>,
    /// What is wrong with the next record; told when the piece before it has been handed out.
    failure: Option<Error>,
}

impl Splitter {
    /// Whether the file is compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.stream.is_compressed()
    }

    /// Whether what is read are the file's own bytes: neither compressed nor of another encoding.
    #[must_use]
    pub fn is_verbatim(&self) -> bool {
        self.stream.is_verbatim()
    }

    /// Undoes a file's compression and passes over what is before its first record: a byte order
    /// mark, skipped lines, and the line with which Excel is reported the delimiter.
    ///
    /// # Errors
    /// Fails if it cannot be read or is of another encoding.
    pub fn new(file: &SharedFile, dialect: Dialect, beginning: Beginning) -> Result<Self> {
        let open = || {
            let stream = Stream::encoded(file.reader(), beginning.encoding)?;
            let mut splitter = Self::of(stream, dialect, Start::default());
            splitter.fill()?;
            splitter.pass_over_mark()?;
            splitter.pass_over_lines(beginning.skipped_lines)?;
            if beginning.skipped_lines == 0 {
                splitter.read_separator(beginning.is_delimiter_said);
            }
            Ok(splitter)
        };
        open().map_err(|error: Error| error.at_path(file.path()))
    }

    /// The dialect, with the delimiter that the file itself names.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.scanner.dialect()
    }

    /// Goes on at a place that a piece of the same file ended at; none if it is compressed or ends
    /// before that: then its rows must be passed over.
    ///
    /// # Errors
    /// Fails if it cannot be read.
    pub fn at(
        file: &SharedFile,
        dialect: Dialect,
        encoding: Encoding,
        start: Start,
    ) -> Result<Option<Self>> {
        let Some(byte) = start.byte.filter(|byte| *byte <= file.byte_count()) else {
            return Ok(None);
        };
        let stream =
            Stream::encoded(file.reader(), encoding).map_err(|error| error.at_path(file.path()))?;
        Ok(stream
            .is_verbatim()
            .then(|| Self::of(Stream::plain(file.reader_from(byte)), dialect, start)))
    }

    fn of(stream: Stream, dialect: Dialect, start: Start) -> Self {
        let (next_row, bytes_before) = (start.row, start.byte.unwrap_or(0));
        let scanner = Scanner::new(dialect);
        Self {
            stream,
            scanner,
            buffer: Vec::new(),
            held: None,
            has_ended: false,
            next_row,
            bytes_before,
            broken: None,
            failure: None,
        }
    }

    fn pass_over_mark(&mut self) -> Result<()> {
        if self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.buffer.drain(..3);
            self.bytes_before = 3;
            return Ok(());
        }
        if Encoding::is_utf32(&self.buffer) {
            let error = Error::failed("cannot read the file: it looks like UTF-32, not UTF-8");
            return Err(
                error.hint("`iconv -f utf-32 -t utf-8 old.csv > new.csv` writes it as UTF-8")
            );
        }
        match Encoding::sniff(&self.buffer) {
            Some(Encoding::Utf8) | None => Ok(()),
            Some(other) => {
                let name = other.name();
                let error = Error::failed(format!(
                    "cannot read the file: it looks like {}, not UTF-8",
                    name.to_uppercase()
                ));
                Err(error.hint(format!("pass `--encoding {name}`")))
            }
        }
    }

    /// Passes over lines, whatever quotes are in them, at most to the end of the file.
    fn pass_over_lines(&mut self, line_count: u64) -> Result<()> {
        let (mut remaining, mut line_start, mut from) = (line_count, 0, 0);
        while remaining > 0 {
            let found = find(&self.buffer, from, [b'\n', b'\r']);
            // Whether a line feed follows a carriage return must be known.
            if let Some(end) = found.filter(|end| self.has_ended || end + 1 < self.buffer.len()) {
                line_start = self.line_start_after(end);
                from = line_start;
                remaining -= 1;
            } else if self.has_ended {
                line_start = self.buffer.len();
                remaining = 0;
            } else {
                from = found.unwrap_or(self.buffer.len()) - line_start;
                self.cut(line_start);
                line_start = 0;
                if from > MAX_RECORD_BYTES {
                    return Err(Error::failed(format!(
                        "cannot skip the line: it is longer than {} MiB",
                        MAX_RECORD_BYTES >> 20
                    )));
                }
                self.fill()?;
            }
        }
        self.cut(line_start);
        Ok(())
    }

    /// Where the line after the one that ends at `end` starts.
    fn line_start_after(&self, end: usize) -> usize {
        let is_pair = self.buffer[end] == b'\r' && self.buffer.get(end + 1) == Some(&b'\n');
        end + if is_pair { 2 } else { 1 }
    }

    /// Takes the line `sep=;`, with which Excel is reported the delimiter, and obeys it unless the
    /// user said another.
    fn read_separator(&mut self, is_delimiter_said: bool) {
        let Some(end) = find(&self.buffer, 0, [b'\n', b'\r']) else {
            return;
        };
        let line = self.buffer[..end]
            .strip_prefix(b"\"")
            .and_then(|line| line.strip_suffix(b"\""))
            .unwrap_or(&self.buffer[..end]);
        let [name @ .., delimiter] = line else { return };
        if !name.eq_ignore_ascii_case(b"sep=") {
            return;
        }
        if !is_delimiter_said {
            self.scanner = Scanner::new(self.scanner.dialect().with_delimiter(*delimiter));
        }
        self.cut(self.line_start_after(end));
    }

    /// Takes the first record, which names the columns and is not counted as a row; none in an
    /// empty file.
    ///
    /// # Errors
    /// Fails as [`Splitter::next_piece`] does, without a row.
    pub fn header(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let Some(end) = self.next_record_end()? else {
                return Ok(None);
            };
            let record = self.cut(end);
            if !self.dialect().is_comment(record.first()) {
                return Ok(Some(record));
            }
        }
    }

    /// The next records, at least one; none at the end of the file. Blank lines are rows if
    /// `blank_is_row` (a table of one column: the value is empty); if not, those at the end of the
    /// file are passed over, and those before are in the piece for its decoder to refuse.
    ///
    /// # Errors
    /// Fails if the stream is damaged, the last quote is never closed or a record is too long, once
    /// all rows before are handed out.
    pub fn next_piece(&mut self, limit: PieceLimit, blank_is_row: bool) -> Result<Option<Piece>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.buffer
            .reserve(limit.bytes.saturating_sub(self.buffer.len()) + FILL_BYTES);
        let (mut length, mut row_count, mut blank_count) = (0, 0, 0);
        while row_count < limit.rows && length < limit.bytes {
            let start = self.scanner.record_start();
            match self.next_record_end() {
                Ok(None) => break,
                // Comments are no rows; a long run of them is not kept.
                Ok(Some(end)) if self.dialect().is_comment(self.buffer.get(start)) => {
                    if length == 0 && blank_count == 0 && end >= FILL_BYTES {
                        self.cut(end);
                    } else if end - length >= MAX_RECORD_BYTES {
                        break;
                    }
                }
                Ok(Some(end)) => {
                    let is_blank =
                        !blank_is_row && matches!(self.buffer.get(start), Some(b'\n' | b'\r'));
                    if is_blank && end - length < MAX_RECORD_BYTES {
                        blank_count += 1;
                    } else {
                        row_count += blank_count + 1;
                        (length, blank_count) = (end, 0);
                    }
                }
                Err(error) => {
                    self.failure =
                        Some(error.at_row(self.next_row + (row_count + blank_count) as u64 + 1));
                    break;
                }
            }
        }
        if row_count == 0 {
            return self.failure.take().map_or(Ok(None), Err);
        }
        let first_row = self.next_row;
        self.next_row += row_count as u64;
        let text = self.cut(length);
        let end_byte = self.stream.is_verbatim().then_some(self.bytes_before);
        Ok(Some(Piece {
            text,
            first_row,
            row_count,
            end_byte,
        }))
    }

    /// Takes the first `length` bytes; what was read beyond them is little, because it is read only
    /// when all before is scanned.
    fn cut(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length);
        self.scanner.forget(length);
        self.bytes_before += length as u64;
        std::mem::replace(&mut self.buffer, rest)
    }

    fn next_record_end(&mut self) -> Result<Option<usize>> {
        loop {
            if let Some(end) = self.scanner.next_end(&self.buffer, self.has_ended) {
                return Ok(Some(end));
            }
            if self.has_ended {
                return if self.scanner.is_in_quotes() {
                    Err(unclosed(
                        "cannot read the record: a quote in it is never closed",
                    ))
                } else {
                    Ok(None)
                };
            }
            if self.buffer.len() - self.scanner.record_start() > MAX_RECORD_BYTES {
                return Err(unclosed(&format!(
                    "cannot read the record: it is longer than {} MiB",
                    MAX_RECORD_BYTES >> 20
                )));
            }
            if let Some(broken) = self.broken.take() {
                return Err(broken);
            }
            self.hold()?;
            self.broken = self.fill().err();
        }
    }

    /// Takes what the long records of a piece take, to be held while it is decoded.
    pub fn take_held(&mut self) -> Option<Reservation> {
        self.held.take()
    }

    /// Counts the record that is being read, if it is long.
    fn hold(&mut self) -> Result<()> {
        const RECORD: &str = "a long record";
        let length = self.buffer.len() - self.scanner.record_start();
        if length <= LONG_RECORD_BYTES {
            return Ok(());
        }
        let needed = (length * LONG_RECORD_COPIES) as u64;
        match &mut self.held {
            Some(held) => held.grow(needed.saturating_sub(held.bytes()), RECORD)?,
            None => self.held = Some(memory::reserve(needed, RECORD)?),
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        self.has_ended = self.stream.read_more(&mut self.buffer, FILL_BYTES)? < FILL_BYTES;
        Ok(())
    }
}

fn unclosed(message: &str) -> Error {
    Error::failed(message).hint(
        "look for a quote without its partner in this row; `--escape '\\'` reads quotes after a \
         backslash, `--quote none` text without quotes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Location;
    use crate::storage::PendingFile;
    use crate::table::ReadOptions;
    use std::io::Write;

    fn splitter(text: &[u8]) -> Result<Splitter> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.csv");
        let mut file = PendingFile::create(&path, false).unwrap();
        file.write_all(text).unwrap();
        file.publish(false).unwrap();
        Splitter::new(
            &SharedFile::open(&path)?,
            Dialect::new(&ReadOptions::default(), &Location::from(&path)).unwrap(),
            Beginning::default(),
        )
    }

    fn pieces(text: &[u8], limit: PieceLimit, blank_is_row: bool) -> (Vec<String>, Option<Error>) {
        let mut splitter = splitter(text).unwrap();
        let (mut texts, mut row) = (Vec::new(), 0);
        loop {
            match splitter.next_piece(limit, blank_is_row) {
                Ok(Some(piece)) => {
                    assert_eq!(piece.first_row, row);
                    row += piece.row_count as u64;
                    texts.push(format!(
                        "{}:{}",
                        piece.row_count,
                        String::from_utf8(piece.text).unwrap()
                    ));
                }
                Ok(None) => return (texts, None),
                Err(error) => return (texts, Some(error)),
            }
        }
    }

    #[test]
    fn pieces_end_where_the_bytes_or_the_rows_are_reached() {
        let text = b"a,1\r\n\"b\r\n\",2\r\nc,3";
        assert_eq!(
            pieces(text, PieceLimit { bytes: 1, rows: 9 }, false).0,
            ["1:a,1\r\n", "1:\"b\r\n\",2\r\n", "1:c,3"]
        );
        assert_eq!(
            pieces(text, PieceLimit { bytes: 6, rows: 9 }, false).0,
            ["2:a,1\r\n\"b\r\n\",2\r\n", "1:c,3"]
        );
        assert_eq!(
            pieces(text, PieceLimit { bytes: 99, rows: 2 }, false).0,
            ["2:a,1\r\n\"b\r\n\",2\r\n", "1:c,3"]
        );
    }

    #[test]
    fn blank_lines_are_dropped_at_the_end_only() {
        let whole = PieceLimit {
            bytes: 99,
            rows: 99,
        };
        assert_eq!(pieces(b"a,1\n\n\r\n\n", whole, false).0, ["1:a,1\n"]);
        assert_eq!(
            pieces(b"a,1\n\nb,2\n\n", whole, false).0,
            ["3:a,1\n\nb,2\n"]
        );
        assert_eq!(
            pieces(b"a,1\n\nb,2\n\n", PieceLimit { bytes: 99, rows: 1 }, false).0,
            ["1:a,1\n", "2:\nb,2\n"]
        );
        assert_eq!(pieces(b"a\n\nb\n\n", whole, true).0, ["4:a\n\nb\n\n"]);
    }

    #[test]
    fn all_rows_before_a_failure_are_handed_out() {
        for bytes in [1, 99] {
            let (texts, error) = pieces(
                b"a,1\nb,2\nc,\"3\nd,4\n",
                PieceLimit { bytes, rows: 9 },
                false,
            );
            assert_eq!(
                texts.concat().replace("1:", "").replace("2:", ""),
                "a,1\nb,2\n"
            );
            let error = error.unwrap();
            assert_eq!(
                (error.location().row, error.message()),
                (
                    Some(3),
                    "cannot read the record: a quote in it is never closed"
                )
            );
        }
    }

    #[test]
    fn rows_before_a_truncation_are_handed_out_and_its_row_is_named() {
        let rows: String = (0..100_000)
            .flat_map(|row| {
                [
                    row.to_string(),
                    ",".into(),
                    (row * 7919 % 1000).to_string(),
                    "\n".into(),
                ]
            })
            .collect();
        let whole = zstd::stream::encode_all(rows.as_bytes(), 1).unwrap();
        let (texts, error) = pieces(
            &whole[..whole.len() * 9 / 10],
            PieceLimit {
                bytes: 9999,
                rows: 999,
            },
            false,
        );
        let read: String = texts
            .iter()
            .map(|text| text.split_once(':').unwrap().1)
            .collect();
        assert!(rows.starts_with(&read) && read.len() > rows.len() / 2);
        assert_eq!(
            error.unwrap().location().row,
            Some(read.lines().count() as u64 + 1)
        );
    }

    #[test]
    fn a_record_has_a_longest_length_and_long_fields_are_within_it() {
        let long = [b"a,".as_slice(), &vec![b'x'; 20_000_000], b"\nb,2\n"].concat();
        assert_eq!(
            pieces(&long, PieceLimit { bytes: 1, rows: 9 }, false)
                .0
                .len(),
            2
        );
        let endless = [
            b"a,1\n\"".as_slice(),
            &vec![b'\n'; MAX_RECORD_BYTES + FILL_BYTES],
        ]
        .concat();
        let (texts, error) = pieces(&endless, PieceLimit { bytes: 99, rows: 9 }, false);
        assert_eq!(texts, ["1:a,1\n"]);
        assert_eq!(
            error.unwrap().message(),
            "cannot read the record: it is longer than 64 MiB"
        );
    }

    #[test]
    fn marks_of_byte_order_are_dropped_or_refused() {
        assert_eq!(
            splitter(b"\xef\xbb\xbfa,b\n1,2\n")
                .unwrap()
                .header()
                .unwrap()
                .unwrap(),
            b"a,b\n"
        );
        let error = splitter(b"\xff\xfea\0,\0").err().unwrap();
        assert_eq!(
            error.message(),
            "cannot read the file: it looks like UTF-16LE, not UTF-8"
        );
        assert!(splitter(b"").unwrap().header().unwrap().is_none());
    }
}
