//! One record of delimited text: where it ends and what its fields are.
//!
//! Owns the grammar, which is that of the `csv` crate: a quote opens a quoted field only at the field's beginning, a doubled quote
//! stands for one, what follows a closing quote is taken as it is, and `\n`, `\r\n` and a lone `\r` end a record outside of
//! quotes. In one thing it differs: a blank line is a record (of one empty field), so that no line is passed over silently. It
//! must not know files, rows or column names.

use std::path::Path;

use crate::error::{Error, Result};

use super::ReadOptions;
use super::csv_find::{Finder, find};

/// The bytes with a meaning of their own, besides line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    delimiter: u8,
    quote: u8,
}

impl Dialect {
    /// The dialect that the options ask for; without a delimiter a tab for `.tsv` and `.tab` (compressed or not), else a comma.
    ///
    /// # Errors
    /// Fails if a byte is not ASCII, ends lines, or has both meanings.
    pub fn new(options: &ReadOptions, path: &Path) -> Result<Self> {
        let delimiter = options.delimiter.unwrap_or(if is_tabbed(path) { b'\t' } else { b',' });
        let quote = options.quote;
        check_mark("quote", quote)?;
        check_mark("delimiter", delimiter)?;
        if delimiter == quote {
            return Err(Error::usage(format!("`{}` cannot be both the delimiter and the quote", quote.escape_ascii())));
        }
        Ok(Self { delimiter, quote })
    }

    /// The byte between fields.
    #[must_use]
    pub fn delimiter(self) -> u8 {
        self.delimiter
    }

    /// Finds the ends of fields that are not in quotes.
    #[must_use]
    pub fn field_ends(self, text: &[u8]) -> Finder<'_, 3> {
        Finder::new(text, [self.delimiter, b'\n', b'\r'])
    }

    /// Whether a field that begins with this byte is in quotes.
    #[must_use]
    pub fn is_quote(self, byte: u8) -> bool {
        byte == self.quote
    }

    /// Appends the value of the field that begins at `start` to `value`, where one is wanted, and returns where the field ends:
    /// at a delimiter, at a line end or at the end of the text.
    #[must_use]
    pub fn read_field(self, text: &[u8], start: usize, mut value: Option<&mut Vec<u8>>) -> usize {
        let mut position = start;
        let mut keep = |from: usize, to: usize| {
            if let Some(value) = value.as_mut() {
                value.extend_from_slice(text.get(from..to).unwrap_or_default());
            }
        };
        if text.get(position) == Some(&self.quote) {
            position += 1;
            while let Some(found) = find(text, position, [self.quote]) {
                let is_doubled = text.get(found + 1) == Some(&self.quote);
                // Of a doubled quote the first is kept and the second skipped.
                keep(position, if is_doubled { found + 1 } else { found });
                position = found + if is_doubled { 2 } else { 1 };
                if !is_doubled {
                    break;
                }
            }
        }
        let rest = text.get(position..).unwrap_or_default();
        let length = rest.iter().position(|byte| self.ends_field(*byte)).unwrap_or(rest.len());
        keep(position, position + length);
        position + length
    }

    /// After a field that ended at `end`: where the next field of the same record begins, or else the next record.
    #[must_use]
    pub fn after_field(self, text: &[u8], end: usize) -> Next {
        match text.get(end) {
            Some(byte) if *byte == self.delimiter => Next::Field(end + 1),
            Some(b'\r') if text.get(end + 1) == Some(&b'\n') => Next::Record(end + 2),
            Some(_) => Next::Record(end + 1),
            None => Next::Record(end),
        }
    }

    /// All fields of the record at the beginning of `text`.
    #[must_use]
    pub fn fields(self, text: &[u8]) -> Vec<Vec<u8>> {
        let mut fields = Vec::new();
        let mut start = 0;
        loop {
            let mut value = Vec::new();
            let end = self.read_field(text, start, Some(&mut value));
            fields.push(value);
            match self.after_field(text, end) {
                Next::Field(next) => start = next,
                Next::Record(_) => return fields,
            }
        }
    }

    fn ends_field(self, byte: u8) -> bool {
        byte == self.delimiter || byte == b'\n' || byte == b'\r'
    }
}

/// Whether a byte can be the delimiter or the quote.
///
/// # Errors
/// Fails if it is not ASCII (and so a part of other characters), ends lines, or is NUL.
pub fn check_mark(meaning: &str, byte: u8) -> Result<()> {
    if byte.is_ascii() && !matches!(byte, b'\r' | b'\n' | 0) {
        return Ok(());
    }
    Err(Error::usage(format!("`{}` cannot be the {meaning} of delimited text", byte.escape_ascii())))
}

fn is_tabbed(path: &Path) -> bool {
    endings(path).any(|ending| ending == "tsv" || ending == "tab")
}

/// The one or two endings of a file's name, in lower case: `gz` and `csv` for `rows.csv.gz`, which may be compressed in fact or not.
pub fn endings(path: &Path) -> impl Iterator<Item = String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.split_once('.').map_or("", |(_, endings)| endings);
    let mut endings: Vec<String> = name.rsplit('.').take(2).map(str::to_owned).collect();
    if !matches!(endings.first().map(String::as_str), Some("gz" | "zst" | "zstd")) {
        endings.truncate(1);
    }
    endings.into_iter()
}

/// What follows a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another field of the same record, beginning here.
    Field(usize),
    /// The next record, or the end of the text.
    Record(usize),
}

/// Finds the ends of records in a text that arrives bit by bit, looking at nothing but quotes and line ends.
#[derive(Debug)]
pub struct Scanner {
    dialect: Dialect,
    record_start: usize,
    position: usize,
    in_quotes: bool,
}

impl Scanner {
    /// A scanner at the beginning of a record.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, record_start: 0, position: 0, in_quotes: false }
    }

    /// Where the record that is being looked at begins.
    #[must_use]
    pub fn record_start(&self) -> usize {
        self.record_start
    }

    /// Whether the text so far ends within quotes.
    #[must_use]
    pub fn is_in_quotes(&self) -> bool {
        self.in_quotes
    }

    /// Tells that the first `count` bytes of the text, all before [`Scanner::record_start`], were taken away.
    pub fn forget(&mut self, count: usize) {
        self.record_start = self.record_start.saturating_sub(count);
        self.position = self.position.saturating_sub(count);
    }

    /// The end of the current record, its line end included; none if it is not in `text`. The same text, or more of it, must be
    /// given the next time. `is_whole` says that nothing will follow.
    pub fn next_end(&mut self, text: &[u8], is_whole: bool) -> Option<usize> {
        let quote = self.dialect.quote;
        loop {
            let found = if self.in_quotes { find(text, self.position, [quote]) } else { find(text, self.position, [quote, b'\n', b'\r']) };
            let Some(found) = found else {
                self.position = text.len();
                return (is_whole && !self.in_quotes && self.record_start < text.len()).then(|| self.end_record(text.len()));
            };
            let next = text.get(found + 1).copied();
            if next.is_none() && !is_whole && (self.in_quotes || text.get(found) == Some(&b'\r')) {
                // The byte after it decides what this one means.
                self.position = found;
                return None;
            }
            self.position = found + 1;
            match text.get(found) {
                Some(b'\r') if !self.in_quotes && next == Some(b'\n') => return Some(self.end_record(found + 2)),
                Some(b'\r' | b'\n') if !self.in_quotes => return Some(self.end_record(found + 1)),
                _ if !self.in_quotes => {
                    let before = found.checked_sub(1).and_then(|before| text.get(before));
                    self.in_quotes = found == self.record_start || before == Some(&self.dialect.delimiter);
                }
                _ if next == Some(quote) => self.position = found + 2,
                _ => self.in_quotes = false,
            }
        }
    }

    fn end_record(&mut self, end: usize) -> usize {
        self.record_start = end;
        self.position = end;
        end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMAS: Dialect = Dialect { delimiter: b',', quote: b'"' };

    /// Whether the text is whole, and the records as the scanner cuts them when the text arrives in steps.
    fn scanned(text: &[u8], step: usize) -> (bool, Vec<Vec<u8>>) {
        let mut scanner = Scanner::new(COMMAS);
        let (mut known, mut start, mut records) = (0, 0, Vec::new());
        loop {
            while let Some(end) = scanner.next_end(&text[..known], known == text.len()) {
                records.push(text[start..end].to_vec());
                start = end;
            }
            if known == text.len() {
                return (!scanner.is_in_quotes(), records);
            }
            known = (known + step).min(text.len());
        }
    }

    fn by_the_csv_crate(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
        reader.byte_records().map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn any_bytes_are_read_as_the_csv_crate_reads_them(text in proptest::collection::vec(prop::sample::select(b"\"\",,\n\r\nab\xff".as_slice()), 0..60), step in 1_usize..20) {
            let mut text = text;
            if !scanned(&text, step).0 {
                text.push(b'"');
            }
            let (is_whole, records) = scanned(&text, step);
            prop_assert!(is_whole);
            prop_assert_eq!(records.concat(), &text[..]);
            let ours: Vec<_> = records.iter().filter(|record| !matches!(record[0], b'\r' | b'\n')).map(|record| COMMAS.fields(record)).collect();
            prop_assert_eq!(ours, by_the_csv_crate(&text));
        }
    }

    #[test]
    fn a_quote_within_an_unquoted_field_is_a_quote() {
        let text = b"a\"b,\"c\"d\"e\n";
        assert_eq!(scanned(text, 1), (true, vec![text.to_vec()]));
        assert_eq!(COMMAS.fields(text), [b"a\"b".to_vec(), b"cd\"e".to_vec()]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_noticed() {
        assert_eq!(scanned(b"a\n\"b\nc\n", 3), (false, vec![b"a\n".to_vec()]));
    }

    #[test]
    fn the_delimiter_follows_option_and_ending() {
        let options = ReadOptions::default();
        let delimiter = |name: &str| Dialect::new(&options, Path::new(name)).unwrap().delimiter();
        assert_eq!(["a.csv", "a.TSV", "a.tsv.gz", "tsv.csv", "a.tsv.csv", "a"].map(delimiter), *b",\t\t,,,");
        let given = ReadOptions { delimiter: Some(b';'), ..ReadOptions::default() };
        assert_eq!(Dialect::new(&given, Path::new("a.tsv")).unwrap().delimiter(), b';');
        for (delimiter, quote) in [(b'"', b'"'), (b'\n', b'"'), (0xe4, b'"'), (b',', b'\r')] {
            let wrong = ReadOptions { delimiter: Some(delimiter), quote, ..ReadOptions::default() };
            assert_eq!(Dialect::new(&wrong, Path::new("a")).unwrap_err().kind(), crate::error::Kind::Usage);
        }
    }
}
