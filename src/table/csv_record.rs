//! One record of delimited text: where it ends and what its fields are.
//!
//! Owns the grammar, which is that of the `csv` crate: a quote opens a quoted field only at the
//! field's beginning, a doubled quote stands for one, what follows a closing quote is taken as it
//! is, and `\n`, `\r\n` and a lone `\r` end a record outside of quotes. In one thing it differs: a
//! blank line is a record (of one empty field), so that no line is passed over silently. It
//! must not know files, rows or column names.

use std::ops::Range;

use crate::error::{Error, Result, shell_word};

use super::csv_find::{Finder, find};
use super::csv_scan::State;
use super::{Escape, ReadOptions};
use crate::storage::Location;

/// A quote that no byte of UTF-8 is: for text without quotes.
const NO_QUOTE: u8 = 0xff;

/// The bytes with a meaning of their own, besides line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    delimiter: u8,
    quote: u8,
    escape: Escape,
    comment: Option<u8>,
    trim: bool,
}

/// A field that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldEnd {
    /// Where it ends: at a delimiter, at a line end or at the end of the text.
    pub position: usize,
    /// Whether its quotes look as if backslashes took their meaning, though nothing says so.
    pub is_suspicious: bool,
}

impl Dialect {
    /// The dialect that the options ask for; without a delimiter a tab for `.tsv` and `.tab`
    /// (compressed or not), else a comma.
    ///
    /// # Errors
    /// Fails if a byte is not ASCII, ends lines, or has two meanings.
    pub fn new(options: &ReadOptions, path: &Location) -> Result<Self> {
        let delimiter = options
            .delimiter
            .unwrap_or(if is_tabbed(path) { b'\t' } else { b',' });
        let ReadOptions {
            quote,
            escape,
            comment,
            trim,
            ..
        } = *options;
        let escape_byte = if let Escape::Byte(byte) = escape {
            Some(byte)
        } else {
            None
        };
        let marks = [
            ("delimiter", Some(delimiter)),
            ("quote", quote),
            ("escape", escape_byte),
            ("comment", comment),
        ];
        let marks: Vec<(&str, u8)> = marks
            .into_iter()
            .filter_map(|(meaning, byte)| Some((meaning, byte?)))
            .collect();
        for (index, (meaning, byte)) in marks.iter().enumerate() {
            check_mark(meaning, *byte)?;
            if let Some((other, _)) = marks[..index].iter().find(|(_, other)| other == byte) {
                return Err(Error::usage(format!(
                    "`{}` cannot be both the {other} and the {meaning}",
                    byte.escape_ascii()
                )));
            }
        }
        Ok(Self {
            delimiter,
            quote: quote.unwrap_or(NO_QUOTE),
            escape,
            comment,
            trim,
        })
    }

    /// The byte between fields.
    #[must_use]
    pub fn delimiter(self) -> u8 {
        self.delimiter
    }

    /// The byte around fields that hold delimiters.
    #[must_use]
    pub(super) fn quote(self) -> u8 {
        self.quote
    }

    /// Whether there are lines to pass over.
    #[must_use]
    pub(super) fn has_comments(self) -> bool {
        self.comment.is_some()
    }

    /// How many bytes belong together at `position`, which ends no record, and what they change.
    pub(super) fn step(
        self,
        text: &[u8],
        position: usize,
        in_quotes: &mut bool,
        state: &mut State,
    ) -> usize {
        let byte = text[position];
        if *state == State::Comment {
            return 1;
        }
        if let Some(escaped) = self.escaped(text, position) {
            *state = State::Field;
            return escaped.end - position;
        }
        if byte == self.quote && *in_quotes {
            let is_duplicate = text.get(position + 1) == Some(&self.quote);
            *in_quotes = is_duplicate;
            return if is_duplicate { 2 } else { 1 };
        }
        if *in_quotes || *state == State::FieldStart && self.trim && self.is_blank(byte) {
            return 1;
        }
        if byte == self.quote && *state == State::FieldStart {
            *in_quotes = true;
        }
        *state = if byte == self.delimiter {
            State::FieldStart
        } else {
            State::Field
        };
        1
    }

    /// What to type if a record with the wrong number of fields would have the right one in another
    /// dialect.
    #[must_use]
    pub(super) fn other_dialect(self, record: &[u8], field_count: usize) -> Option<String> {
        let fits = |dialect: Self| dialect.fields(record).len() == field_count;
        let holds = |part: &[u8]| record.windows(part.len()).any(|window| window == part);
        if matches!(self.escape, Escape::Unsaid) && holds(&[b'\\', self.quote]) {
            return Some(
                "pass `--escape '\\'` if backslashes take the meaning of quotes, as Spark and \
                 MySQL write them"
                    .to_owned(),
            );
        }
        if self.escape == Escape::Unsaid
            && fits(Self {
                escape: Escape::Byte(b'\\'),
                ..self
            })
        {
            return Some(
                "pass `--escape '\\'` if backslashes take the meaning of delimiters".to_owned(),
            );
        }
        if !self.trim && fits(Self { trim: true, ..self }) {
            return Some(
                "pass `--trim` if spaces before and after quotes do not belong to the values"
                    .to_owned(),
            );
        }
        if let Some(comment) = [b'#', b'%']
            .into_iter()
            .find(|byte| self.comment.is_none() && record.first() == Some(byte))
        {
            return Some(format!(
                "pass `--comment '{}'` if such lines are comments",
                char::from(comment)
            ));
        }
        let single = Self {
            quote: b'\'',
            ..self
        };
        if self.quote != b'\'' && holds(b"'") && fits(single) {
            return Some("pass `--quote \"'\"` if single quotes enclose values".to_owned());
        }
        let other = b",;\t|"
            .iter()
            .find(|byte| **byte != self.delimiter && fits(self.with_delimiter(**byte)));
        let name = |byte: u8| {
            if byte == b'\t' {
                "tab".to_owned()
            } else {
                shell_word(&char::from(byte).to_string())
            }
        };
        other.map(|byte| {
            format!(
                "with `--delimiter {}` the row would have {field_count}; or put values that hold \
                 the delimiter in quotes",
                name(*byte)
            )
        })
    }

    /// The same with another delimiter, unless that has another meaning.
    #[must_use]
    pub fn with_delimiter(self, delimiter: u8) -> Self {
        let is_taken = delimiter == self.quote
            || Some(delimiter) == self.comment
            || self.escape == Escape::Byte(delimiter);
        if is_taken || check_mark("delimiter", delimiter).is_err() {
            self
        } else {
            Self { delimiter, ..self }
        }
    }

    /// The same, dropping blanks around values.
    #[must_use]
    pub fn trimming(self) -> Self {
        Self { trim: true, ..self }
    }

    /// Whether a record that begins with this byte is a comment.
    #[must_use]
    pub fn is_comment(self, byte: Option<&u8>) -> bool {
        self.comment.is_some() && byte.copied() == self.comment
    }

    /// Whether fields outside of quotes are more than what lies between delimiters.
    #[must_use]
    pub fn is_intricate(self) -> bool {
        self.trim || matches!(self.escape, Escape::Byte(_))
    }

    /// Finds the ends of fields that are not in quotes.
    #[must_use]
    pub fn field_ends(self) -> Finder<3> {
        Finder::new([self.delimiter, b'\n', b'\r'])
    }

    /// Whether a field that begins with this byte is in quotes.
    #[must_use]
    pub fn is_quote(self, byte: u8) -> bool {
        byte == self.quote
    }

    /// Appends the value of the field that begins at `start` to `value`, where one is needed, and
    /// returns where the field ends.
    #[must_use]
    pub fn read_field(
        self,
        text: &[u8],
        start: usize,
        mut value: Option<&mut Vec<u8>>,
    ) -> FieldEnd {
        if self.is_intricate() {
            let position = self.read_intricate(text, start, value);
            return FieldEnd {
                position,
                is_suspicious: false,
            };
        }
        let mut position = start;
        let mut is_suspicious = false;
        let mut keep = |from: usize, to: usize| {
            if let Some(value) = value.as_mut() {
                value.extend_from_slice(text.get(from..to).unwrap_or_default());
            }
        };
        if text.get(position) == Some(&self.quote) {
            position += 1;
            let mut doubles = false;
            while let Some(found) = find(text, position, [self.quote]) {
                let is_duplicate = text.get(found + 1) == Some(&self.quote);
                let follows = text.get(found + if is_duplicate { 2 } else { 1 });
                let ends = follows.is_none_or(|byte| self.ends_field(*byte));
                let has_backslash = found > start + 1 && text[found - 1] == b'\\';
                // `\"` before more text, or `\""` before a delimiter in a field that doubles no
                // other quote.
                is_suspicious |= self.escape == Escape::Unsaid
                    && has_backslash
                    && !doubles
                    && ends == is_duplicate;
                doubles |= is_duplicate && !has_backslash;
                // Of a doubled quote the first is kept and the second skipped.
                keep(position, if is_duplicate { found + 1 } else { found });
                position = found + if is_duplicate { 2 } else { 1 };
                if !is_duplicate {
                    break;
                }
            }
        }
        let rest = text.get(position..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| self.ends_field(*byte))
            .unwrap_or(rest.len());
        keep(position, position + length);
        FieldEnd {
            position: position + length,
            is_suspicious,
        }
    }

    /// [`Dialect::read_field`] where bytes are escaped or blanks dropped.
    fn read_intricate(self, text: &[u8], start: usize, value: Option<&mut Vec<u8>>) -> usize {
        let mut unexpected = Vec::new();
        let value = value.unwrap_or(&mut unexpected);
        let mut position = start;
        while self.trim && text.get(position).is_some_and(|byte| self.is_blank(*byte)) {
            position += 1;
        }
        let mut in_quotes = text.get(position) == Some(&self.quote);
        position += usize::from(in_quotes);
        // What was in quotes keeps its blanks.
        let mut kept = value.len();
        while let Some(&byte) = text.get(position) {
            if let Some(escaped) = self.escaped(text, position) {
                value.extend_from_slice(&text[escaped.value]);
                position = escaped.end;
                kept = value.len();
                continue;
            }
            if in_quotes && byte == self.quote {
                in_quotes = text.get(position + 1) == Some(&self.quote);
                if in_quotes {
                    value.push(byte);
                }
                position += if in_quotes { 2 } else { 1 };
                kept = value.len();
                continue;
            }
            if !in_quotes && self.ends_field(byte) {
                break;
            }
            value.push(byte);
            position += 1;
            if in_quotes {
                kept = value.len();
            }
        }
        if self.trim {
            let blanks = value[kept..]
                .iter()
                .rev()
                .take_while(|byte| self.is_blank(**byte))
                .count();
            value.truncate(value.len() - blanks);
        }
        position
    }

    /// What the escape byte at `position` stands for, if there is one; before a byte without a
    /// meaning it stands for itself.
    fn escaped(self, text: &[u8], position: usize) -> Option<Escaped> {
        let Escape::Byte(escape) = self.escape else {
            return None;
        };
        if text.get(position) != Some(&escape) {
            return None;
        }
        let next = *text.get(position + 1)?;
        let is_pair = next == b'\r' && text.get(position + 2) == Some(&b'\n');
        let end = position + if is_pair { 3 } else { 2 };
        let has_meaning = next == escape
            || next == self.quote
            || Some(next) == self.comment
            || self.ends_field(next);
        Some(Escaped {
            value: position + usize::from(has_meaning)..end,
            end,
        })
    }

    /// After a field that ended at `end`: where the next field of the same record begins, or else
    /// the next record.
    #[must_use]
    pub fn after_field(self, text: &[u8], end: usize) -> Next {
        match text.get(end) {
            Some(byte) if *byte == self.delimiter => Next::Field(end + 1),
            Some(b'\r') if text.get(end + 1) == Some(&b'\n') => Next::Record(end + 2),
            Some(_) => Next::Record(end + 1),
            None => Next::Record(end),
        }
    }

    /// Where the line after a comment that begins at `start` begins.
    #[must_use]
    pub fn after_comment(self, text: &[u8], start: usize) -> usize {
        match find(text, start, [b'\n', b'\r']) {
            Some(end) if text[end] == b'\r' && text.get(end + 1) == Some(&b'\n') => end + 2,
            Some(end) => end + 1,
            None => text.len(),
        }
    }

    /// All fields of the record at the beginning of `text`.
    #[must_use]
    pub fn fields(self, text: &[u8]) -> Vec<Vec<u8>> {
        let mut fields = Vec::new();
        let mut start = 0;
        loop {
            let mut value = Vec::new();
            let end = self.read_field(text, start, Some(&mut value)).position;
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

    fn is_blank(self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t') && byte != self.delimiter
    }
}

/// An escape byte and what follows it.
struct Escaped {
    /// The bytes that it stands for.
    value: Range<usize>,
    end: usize,
}

/// Whether a byte can be the delimiter or the quote.
///
/// # Errors
/// Fails if it is not ASCII (and so a part of other characters), ends lines, or is NUL.
pub fn check_mark(meaning: &str, byte: u8) -> Result<()> {
    if byte.is_ascii() && !matches!(byte, b'\r' | b'\n' | 0) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`{}` cannot be the {meaning} of delimited text",
        byte.escape_ascii()
    )))
}

fn is_tabbed(path: &Location) -> bool {
    endings(path).any(|ending| ending == "tsv" || ending == "tab")
}

/// The one or two endings of a file's name, in lower case: `gz` and `csv` for `rows.csv.gz`, which
/// may be compressed in fact or not.
pub fn endings(path: &Location) -> impl Iterator<Item = String> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let name = name.split_once('.').map_or("", |(_, endings)| endings);
    let mut endings: Vec<String> = name.rsplit('.').take(2).map(str::to_owned).collect();
    if !matches!(
        endings.first().map(String::as_str),
        Some("gz" | "zst" | "zstd")
    ) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::csv_scan::Scanner;

    const COMMAS: Dialect = Dialect {
        delimiter: b',',
        quote: b'"',
        escape: Escape::Never,
        comment: None,
        trim: false,
    };

    /// Whether the text is whole, and the records as the scanner cuts them when the text arrives in
    /// steps.
    fn scanned(text: &[u8], step: usize) -> (bool, Vec<Vec<u8>>) {
        scanned_as(COMMAS, text, step)
    }

    fn scanned_as(dialect: Dialect, text: &[u8], step: usize) -> (bool, Vec<Vec<u8>>) {
        let mut scanner = Scanner::new(dialect);
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
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text);
        reader
            .byte_records()
            .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn any_bytes_are_read_as_the_csv_crate_reads_them(
            text in proptest::collection::vec(
                prop::sample::select(b"\"\",,\n\r\nab\xff".as_slice()), 0..60),
            step in 1_usize..20,
        ) {
            let mut text = text;
            if !scanned(&text, step).0 {
                text.push(b'"');
            }
            let (is_whole, records) = scanned(&text, step);
            prop_assert!(is_whole);
            prop_assert_eq!(records.concat(), &text[..]);
            let ours: Vec<_> = records
                .iter()
                .filter(|record| !matches!(record[0], b'\r' | b'\n'))
                .map(|record| COMMAS.fields(record))
                .collect();
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

    fn fields(dialect: Dialect, text: &str) -> Vec<String> {
        dialect
            .fields(text.as_bytes())
            .into_iter()
            .map(|field| String::from_utf8(field).unwrap())
            .collect()
    }

    #[test]
    fn an_escape_takes_the_meaning_of_what_follows_and_is_itself_before_anything_else() {
        let dialect = Dialect {
            escape: Escape::Byte(b'\\'),
            ..COMMAS
        };
        // What Spark, MySQL, Redshift and Python's `csv` (escapechar, doublequote=False) write.
        for (text, values) in [
            (r#""He said \"no\"",1"#, vec![r#"He said "no""#, "1"]),
            (r#""a \\ b","\\""#, vec![r"a \ b", r"\"]),
            (r#""say \"hi\", ok",x"#, vec![r#"say "hi", ok"#, "x"]),
            (r"a\,b,c", vec!["a,b", "c"]),
            (r"C:\temp,\N", vec![r"C:\temp", r"\N"]),
            ("a\\\nb,\\\"c", vec!["a\nb", "\"c"]),
            (r#""doubled ""too""""#, vec![r#"doubled "too""#]),
        ] {
            assert_eq!(fields(dialect, text), values, "{text}");
            let text = format!("{text}\nx");
            for step in 1..4 {
                let (is_whole, records) = scanned_as(dialect, text.as_bytes(), step);
                assert!(
                    is_whole && records.len() == 2 && records[1] == b"x",
                    "{text} {records:?}"
                );
            }
        }
    }

    #[test]
    fn trimming_drops_blanks_around_values_and_around_quotes_but_not_within() {
        let dialect = Dialect {
            trim: true,
            ..COMMAS
        };
        assert_eq!(
            fields(dialect, " a , \"b, c \" ,\t d e\t,  "),
            ["a", "b, c ", "d e", ""]
        );
        assert_eq!(
            fields(
                Dialect {
                    delimiter: b'\t',
                    ..dialect
                },
                " a \t b"
            ),
            ["a", "b"]
        );
        assert_eq!(
            scanned_as(dialect, b"1, \"x\ny\"\n2, z\n", 1).1,
            [b"1, \"x\ny\"\n".to_vec(), b"2, z\n".to_vec()]
        );
    }

    #[test]
    fn a_backslash_before_a_quote_is_noticed_where_it_looks_like_an_escape() {
        let unsaid = Dialect {
            escape: Escape::Unsaid,
            ..COMMAS
        };
        let is_suspicious = |text: &str| unsaid.read_field(text.as_bytes(), 0, None).is_suspicious;
        for text in [r#""He said \"no\"",1"#, r#""5\"",1"#, r#""5\"""#] {
            assert!(is_suspicious(text), "{text}");
            assert!(!COMMAS.read_field(text.as_bytes(), 0, None).is_suspicious);
        }
        for text in [
            r#""C:\",1"#,
            r#""C:\""#,
            r#""say ""x\"", now",1"#,
            r#""{""a"": ""he said \""b\"", then""}",1"#,
            "\"a\"b",
            r#"a\"b"#,
        ] {
            assert!(!is_suspicious(text), "{text}");
        }
    }

    #[test]
    fn text_without_quotes_holds_them_as_they_are() {
        let dialect = Dialect {
            quote: NO_QUOTE,
            ..COMMAS
        };
        assert_eq!(fields(dialect, "\"a,b\"\n"), ["\"a", "b\""]);
        assert_eq!(
            scanned_as(dialect, b"\"a\nb\n", 2).1,
            [b"\"a\n".to_vec(), b"b\n".to_vec()]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn records_are_cut_where_their_fields_end_in_every_dialect(
            text in proptest::collection::vec(
                prop::sample::select(b"\"\",,\n\r\na \\\\#".as_slice()), 0..60),
            step in 1_usize..20,
            escape in any::<bool>(),
            trim in any::<bool>(),
            comment in any::<bool>(),
        ) {
            let escape = if escape {
                Escape::Byte(b'\\')
            } else {
                Escape::Never
            };
            let dialect = Dialect {
                escape,
                trim,
                comment: comment.then_some(b'#'),
                ..COMMAS
            };
            let (is_whole, records) = scanned_as(dialect, &text, step);
            prop_assert_eq!(
                scanned_as(dialect, &text, 1000),
                (is_whole, records.clone())
            );
            let cut = records.concat();
            prop_assert!(text.starts_with(&cut) && (!is_whole || cut == text));
            let mut position = 0;
            for record in &records {
                if dialect.is_comment(text.get(position)) {
                    position = dialect.after_comment(&text, position);
                } else {
                    loop {
                        let end = dialect.read_field(&text, position, None).position;
                        match dialect.after_field(&text, end) {
                            Next::Field(next) => position = next,
                            Next::Record(next) => break position = next,
                        }
                    }
                }
                prop_assert_eq!(&text[position - record.len()..position], &record[..]);
            }
        }
    }

    #[test]
    fn the_delimiter_follows_option_and_ending() {
        let options = ReadOptions::default();
        let delimiter = |name: &str| {
            Dialect::new(&options, &Location::from(name))
                .unwrap()
                .delimiter()
        };
        assert_eq!(
            ["a.csv", "a.TSV", "a.tsv.gz", "tsv.csv", "a.tsv.csv", "a"].map(delimiter),
            *b",\t\t,,,"
        );
        let provided = ReadOptions {
            delimiter: Some(b';'),
            ..ReadOptions::default()
        };
        assert_eq!(
            Dialect::new(&provided, &Location::from("a.tsv"))
                .unwrap()
                .delimiter(),
            b';'
        );
        for (delimiter, quote) in [(b'"', b'"'), (b'\n', b'"'), (0xe4, b'"'), (b',', b'\r')] {
            let wrong = ReadOptions {
                delimiter: Some(delimiter),
                quote: Some(quote),
                ..ReadOptions::default()
            };
            assert_eq!(
                Dialect::new(&wrong, &Location::from("a"))
                    .unwrap_err()
                    .kind(),
                crate::error::Kind::Usage
            );
        }
    }
}
