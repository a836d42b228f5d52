//! Where records of delimited text end, in a text that arrives bit by bit.
//!
//! Owns the search for quotes and line ends; the grammar of fields is `csv_record`'s. It must not
//! know files or rows.

use super::csv_find::Finder;
use super::csv_record::Dialect;

/// Finds the ends of records in a text that arrives bit by bit, looking at nothing but quotes and
/// line ends.
#[derive(Debug)]
pub struct Scanner {
    dialect: Dialect,
    record_start: usize,
    position: usize,
    in_quotes: bool,
    /// Quotes and line ends.
    marks: Finder<3>,
    /// Only kept by [`Scanner::next_intricate_end`].
    state: State,
}

/// Where in a record a scanner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Before a field's first byte that counts.
    FieldStart,
    /// Within a field.
    Field,
    /// In a line that is passed over.
    Comment,
}

impl Scanner {
    /// A scanner at the beginning of a record.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            record_start: 0,
            position: 0,
            in_quotes: false,
            marks: Finder::new([dialect.quote(), b'\n', b'\r']),
            state: State::FieldStart,
        }
    }

    /// The dialect.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
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

    /// Tells that the first `count` bytes of the text, all before [`Scanner::record_start`], were
    /// taken away.
    pub fn forget(&mut self, count: usize) {
        self.marks.forget();
        self.record_start = self.record_start.saturating_sub(count);
        self.position = self.position.saturating_sub(count);
    }

    /// The end of the current record, its line end included; none if it is not in `text`. The same
    /// text, or more of it, must be given the next time. `is_whole` says that nothing will follow.
    pub fn next_end(&mut self, text: &[u8], is_whole: bool) -> Option<usize> {
        if self.dialect.is_intricate() || self.dialect.has_comments() {
            return self.next_intricate_end(text, is_whole);
        }
        let quote = self.dialect.quote();
        loop {
            let Some(found) = self.marks.find(text, self.position) else {
                self.position = text.len();
                return (is_whole && !self.in_quotes && self.record_start < text.len())
                    .then(|| self.end_record(text.len()));
            };
            if self.in_quotes && text.get(found) != Some(&quote) {
                self.position = found + 1;
                continue;
            }
            let next = text.get(found + 1).copied();
            if next.is_none() && !is_whole && (self.in_quotes || text.get(found) == Some(&b'\r')) {
                // The byte after it decides what this one means.
                self.position = found;
                return None;
            }
            self.position = found + 1;
            match text.get(found) {
                Some(b'\r') if !self.in_quotes && next == Some(b'\n') => {
                    return Some(self.end_record(found + 2));
                }
                Some(b'\r' | b'\n') if !self.in_quotes => return Some(self.end_record(found + 1)),
                _ if !self.in_quotes => {
                    let before = found.checked_sub(1).and_then(|before| text.get(before));
                    self.in_quotes =
                        found == self.record_start || before == Some(&self.dialect.delimiter());
                }
                _ if next == Some(quote) => self.position = found + 2,
                _ => self.in_quotes = false,
            }
        }
    }

    /// [`Scanner::next_end`] where bytes are escaped, blanks dropped or lines commented out: byte
    /// by byte.
    fn next_intricate_end(&mut self, text: &[u8], is_whole: bool) -> Option<usize> {
        loop {
            let Some(&byte) = text.get(self.position) else {
                let has_more = self.record_start < text.len();
                return (is_whole && !self.in_quotes && has_more)
                    .then(|| self.end_record(text.len()));
            };
            if self.position == self.record_start {
                self.state = if self.dialect.is_comment(Some(&byte)) {
                    State::Comment
                } else {
                    State::FieldStart
                };
            }
            // What this byte means may depend on the two after it.
            if text.len() - self.position < 3 && !is_whole {
                return None;
            }
            let follows = text.get(self.position + 1).copied();
            if matches!(byte, b'\n' | b'\r') && !self.in_quotes {
                let is_pair = byte == b'\r' && follows == Some(b'\n');
                return Some(self.end_record(self.position + if is_pair { 2 } else { 1 }));
            }
            self.position +=
                self.dialect
                    .step(text, self.position, &mut self.in_quotes, &mut self.state);
        }
    }

    fn end_record(&mut self, end: usize) -> usize {
        self.record_start = end;
        self.position = end;
        self.state = State::FieldStart;
        end
    }
}
