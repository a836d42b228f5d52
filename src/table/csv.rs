//! Delimited text: CSV and TSV, plain, gzip or zstd.
//!
//! Owns what makes a file one of these, and its column names. All columns are text, exactly as
//! written and never null: an empty field is an empty text. What types they have in truth is for
//! the reader's wishes to say. It must not guess types.
//!
//! The grammar is in `csv_record`, the cutting into portions in `csv_split`, the decoding in
//! `csv_decode`, writing in `csv_sink`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::csv_decode::Projection;
use super::csv_record::{Dialect, endings};
use super::csv_split::{Beginning, FILL_BYTES, MAX_RECORD_BYTES, PieceLimit, Splitter};
use super::csv_typed::Reading;
use super::demand::Demand;
use super::{
    ColumnRequest, FormatReader, Portion, Portions, ReadOptions, Start, TableFile, compression,
    room_for_columns,
};
use crate::error::{Error, Result};
use crate::storage::{Identity, Location, SharedFile};

/// Bytes of a decoded portion for one byte of its text, at most: a value of n bytes takes n + 1
/// bytes of text (with its delimiter) and n + 4 of memory (with its offset in the column), which is
/// worst for empty values.
const DECODED_BYTES_PER_TEXT_BYTE: usize = 4;

/// What undoing a compression takes: zstd looks back as far as its usual window.
const WINDOW_BYTES: u64 = 8 << 20;

/// The format of delimited text. It recognises any text, so it must be asked last.
#[derive(Clone, Copy, Debug)]
pub struct Csv;

impl FormatReader for Csv {
    fn has_magic(&self) -> bool {
        false
    }

    /// Without `.txt`, which any text may end in.
    fn endings(&self) -> &'static [&'static str] {
        &["csv", "tsv", "tab"]
    }

    fn recognises(&self, head: &[u8], path: &Location) -> bool {
        let is_named_so =
            endings(path).any(|ending| matches!(ending.as_str(), "csv" | "tsv" | "tab" | "txt"));
        // A pipe has no name, and of zstd's first block the head holds a part.
        let may_be_text = path.is_stream() && compression::is_cut(head);
        is_named_so || may_be_text || is_text(&compression::peek(head))
    }

    fn open(&self, path: &Location, options: &ReadOptions) -> Result<Box<dyn TableFile>> {
        Ok(Box::new(CsvFile::open(path, options)?))
    }
}

/// No NULs, or UTF-16, which is refused when it is opened, with an explanation. Bytes that are not
/// UTF-8 are still text: of an older encoding.
pub(super) fn is_text(head: &[u8]) -> bool {
    head.starts_with(b"\xff\xfe")
        || head.starts_with(b"\xfe\xff")
        || !(head.is_empty() || head.contains(&0))
}

/// A file of delimited text whose first line has been read.
#[derive(Debug)]
struct CsvFile {
    path: Location,
    dialect: Dialect,
    beginning: Beginning,
    has_header: bool,
    names: Arc<[String]>,
    /// The columns; text but for those that the user gives types.
    schema: SchemaRef,
    identity: Identity,
    is_compressed: bool,
}

impl CsvFile {
    fn open(path: &Location, options: &ReadOptions) -> Result<Self> {
        let dialect = Dialect::new(options, path)?;
        let file = SharedFile::open(path)?;
        let beginning = Beginning {
            encoding: options.encoding,
            skipped_lines: options.skipped_lines,
            is_delimiter_said: options.delimiter.is_some(),
        };
        let mut splitter = Splitter::new(&file, dialect, beginning)?;
        let dialect = splitter.dialect();
        let names =
            read_names(&mut splitter, dialect, options).map_err(|error| error.at_path(path))?;
        // Declared nullable, so that they go together with columns of other formats, which are.
        let field =
            |name: &String| Field::new(name, options.type_of(name).unwrap_or(DataType::Utf8), true);
        let schema = Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()));
        // Text of another encoding is of another size than its file, as compressed text is.
        let is_compressed = !splitter.is_verbatim();
        let (has_header, identity) = (options.has_header, file.identity());
        Ok(Self {
            path: path.into(),
            dialect,
            beginning,
            has_header,
            names: names.into(),
            schema,
            identity,
            is_compressed,
        })
    }
}

/// The column names in the first line, or made up for as many fields as it has.
fn read_names(
    splitter: &mut Splitter,
    dialect: Dialect,
    options: &ReadOptions,
) -> Result<Vec<String>> {
    let (has_header, skipped) = (options.has_header, options.skipped_lines);
    let line = splitter.header()?.ok_or_else(|| {
        if skipped > 0 {
            let error = Error::failed(format!(
                "cannot read the file: nothing follows the lines that `--skip-rows {skipped}` \
                 passes over"
            ));
            return error.hint("pass a smaller number");
        }
        let error = Error::failed("cannot read the file: it is empty");
        if has_header {
            error.hint("a file without rows still needs the line that names the columns")
        } else {
            error
        }
    })?;
    if matches!(line.as_slice(), b"\n" | b"\r" | b"\r\n") {
        let error = Error::failed("cannot read the file: its first line is blank");
        return Err(error.hint(format!(
            "pass `--skip-rows {}` if the columns are named below it",
            skipped + 1
        )));
    }
    // Before there is a name for each: a line of commas alone may hold millions.
    #[expect(clippy::naive_bytecount, reason = "one line of a file")]
    let delimiters = line
        .iter()
        .filter(|byte| **byte == dialect.delimiter())
        .count();
    room_for_columns(delimiters + 1)?;
    let fields = dialect.fields(&line);
    if !has_header {
        return Ok((1..=fields.len())
            .map(|number| format!("column_{number}"))
            .collect());
    }
    fields
        .into_iter()
        .enumerate()
        .map(|(index, field)| name(field, index + 1))
        .collect()
}

fn name(field: Vec<u8>, number: usize) -> Result<String> {
    if field.starts_with(b"PAR1") {
        let error = Error::failed("cannot read the file: it is a compressed Parquet file");
        return Err(error.hint("decompress it: Parquet compresses its own pages"));
    }
    if field.contains(&0) {
        let error = Error::failed(format!(
            "cannot read the file: the name of column {number} holds a NUL byte"
        ));
        return Err(error.hint(
            "is it text? if it is UTF-16, pass `--encoding utf-16le` or `--encoding utf-16be`",
        ));
    }
    let is_binary = |byte: &&u8| matches!(byte, 1..=6 | 8 | 0x0e..=0x1a | 0x1c..=0x1f);
    if let Some(byte) = field.iter().find(is_binary) {
        let error = Error::failed(format!(
            "cannot read the file: it is binary, not text: the name of column {number} holds the \
             byte 0x{byte:02x}"
        ));
        return Err(error.hint(
            "if it is compressed or encrypted, undo that first; gzip and zstd are read as they are",
        ));
    }
    String::from_utf8(field).map_err(|error| {
        let error = Error::failed(format!(
            "cannot read the file: the name of column {number} is not UTF-8"
        ))
        .because(error.utf8_error());
        error.hint(
            "say how the file is encoded, such as `--encoding windows-1252` or `--encoding latin1`",
        )
    })
}

impl TableFile for CsvFile {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn row_count(&self) -> Option<u64> {
        None
    }

    fn identity(&self) -> Identity {
        self.identity
    }

    fn decoded_bytes(&self) -> Option<u64> {
        (!self.is_compressed).then(|| {
            self.identity
                .byte_count()
                .saturating_mul(DECODED_BYTES_PER_TEXT_BYTE as u64)
        })
    }

    fn is_text(&self) -> bool {
        true
    }

    fn demands(
        &self,
        _columns: &[ColumnRequest],
        options: &[ReadOptions],
        _looks_into_pages: bool,
    ) -> Result<Vec<Demand>> {
        let demand = |options: &ReadOptions| {
            let piece = Self::piece_bytes(options) as u64;
            let text = if self.is_compressed {
                piece
            } else {
                piece.min(self.identity.byte_count())
            };
            let portion_count = if self.is_compressed {
                u64::MAX
            } else {
                self.identity.byte_count().div_ceil(piece)
            };
            // The text itself is there until its columns are.
            let portion_bytes = text * (1 + DECODED_BYTES_PER_TEXT_BYTE as u64);
            let decoding_bytes =
                2 * FILL_BYTES as u64 + if self.is_compressed { WINDOW_BYTES } else { 0 };
            Demand {
                portion_bytes,
                decoding_bytes,
                portion_count,
                ..Demand::default()
            }
        };
        Ok(options.iter().map(demand).collect())
    }

    fn portions(
        &self,
        columns: &[ColumnRequest],
        options: &ReadOptions,
        start: Start,
    ) -> Result<Box<dyn Portions>> {
        let reading = Reading {
            numbers: options.numbers,
            missing: options.missing.clone(),
        };
        let projection = Projection::new(
            self.path.clone(),
            self.dialect,
            &self.names,
            columns,
            reading,
        )?;
        let file = SharedFile::reopen(&self.path, &self.identity)?;
        let found = Splitter::at(&file, self.dialect, self.beginning.encoding, start)?;
        let left_to_pass = if found.is_some() { 0 } else { start.row };
        let splitter = found.map_or_else(|| self.splitter_at_first_row(&file), Ok)?;
        let limit = PieceLimit {
            bytes: Self::piece_bytes(options),
            rows: options.portion_rows.max(1),
        };
        let mut portions = CsvPortions {
            splitter: Some(splitter),
            projection: Arc::new(projection),
            limit,
            blank_is_row: self.names.len() == 1,
        };
        portions.pass_over(left_to_pass)?;
        Ok(Box::new(portions))
    }
}

impl CsvFile {
    /// What a piece of text should have.
    fn piece_bytes(options: &ReadOptions) -> usize {
        (options.portion_bytes / DECODED_BYTES_PER_TEXT_BYTE).clamp(1, MAX_RECORD_BYTES)
    }

    /// A splitter at the first row.
    fn splitter_at_first_row(&self, file: &SharedFile) -> Result<Splitter> {
        let mut splitter = Splitter::new(file, self.dialect, self.beginning)?;
        if self.has_header {
            splitter
                .header()
                .map_err(|error| error.at_path(&self.path))?;
        }
        Ok(splitter)
    }
}

/// Cuts a file while it is asked for portions. After an error there are no more.
struct CsvPortions {
    splitter: Option<Splitter>,
    projection: Arc<Projection>,
    limit: PieceLimit,
    blank_is_row: bool,
}

impl CsvPortions {
    /// Cuts off rows without decoding them: where a record begins depends on every quote before it.
    fn pass_over(&mut self, rows: u64) -> Result<()> {
        let mut left = rows;
        while left > 0 {
            let Some(portion) = self.next_portion(left) else {
                break;
            };
            left -= portion?.row_count;
        }
        Ok(())
    }
}

impl Portions for CsvPortions {
    fn next_portion(&mut self, max_rows: u64) -> Option<Result<Portion>> {
        let rows = usize::try_from(max_rows)
            .unwrap_or(usize::MAX)
            .clamp(1, self.limit.rows);
        let next = self
            .splitter
            .as_mut()?
            .next_piece(PieceLimit { rows, ..self.limit }, self.blank_is_row);
        let held = self.splitter.as_mut().and_then(Splitter::take_held);
        if !matches!(next, Ok(Some(_))) {
            self.splitter = None;
        }
        let projection = Arc::clone(&self.projection);
        let portion = next
            .map_err(|error| error.at_path(projection.path()))
            .transpose()?;
        Some(portion.map(|piece| Portion {
            first_row: piece.first_row,
            row_count: piece.row_count as u64,
            end_byte: piece.end_byte,
            decode: Box::new(move || {
                let decoded = projection.decode(&piece);
                drop(held);
                decoded
            }),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use arrow::array::AsArray;
    use proptest::prelude::*;

    use super::*;
    use crate::storage;

    struct Case {
        directory: tempfile::TempDir,
        options: ReadOptions,
    }

    impl Case {
        fn new(name: &str, bytes: &[u8]) -> (Self, std::path::PathBuf) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(name);
            let mut file = storage::PendingFile::create(&path, false).unwrap();
            file.write_all(bytes).unwrap();
            file.publish(false).unwrap();
            (
                Self {
                    directory,
                    options: ReadOptions::default(),
                },
                path,
            )
        }
    }

    /// Everything in the file, row by row; the rows before an error are read too.
    fn rows_and_error(path: &Location, options: &ReadOptions) -> (Vec<Vec<String>>, Option<Error>) {
        let (rows, error, _) = rows_from(path, options, Start::default());
        (rows, error)
    }

    /// The rows from a place on, and where each portion ends.
    fn rows_from(
        path: &Location,
        options: &ReadOptions,
        start: Start,
    ) -> (Vec<Vec<String>>, Option<Error>, Vec<Start>) {
        let (mut rows, mut ends) = (Vec::new(), Vec::new());
        let mut read = || {
            let file = Csv.open(path, options)?;
            let requests: Vec<ColumnRequest> = file
                .schema()
                .fields()
                .iter()
                .map(|field| ColumnRequest {
                    name: field.name().clone(),
                    data_type: DataType::Utf8,
                })
                .collect();
            let mut portions = file.portions(&requests, options, start)?;
            while let Some(portion) = portions.next_portion(u64::MAX) {
                let portion = portion?;
                assert_eq!(portion.first_row, start.row + rows.len() as u64);
                let end = Start {
                    row: portion.first_row + portion.row_count,
                    byte: portion.end_byte,
                };
                let batch = (portion.decode)()?;
                ends.push(end);
                assert!(batch.num_rows() > 0);
                let columns: Vec<_> = batch
                    .columns()
                    .iter()
                    .map(AsArray::as_string::<i32>)
                    .collect();
                rows.extend((0..batch.num_rows()).map(|row| {
                    columns
                        .iter()
                        .map(|column| column.value(row).to_owned())
                        .collect::<Vec<_>>()
                }));
            }
            Ok(())
        };
        let error = read().err();
        (rows, error, ends)
    }

    fn rows(name: &str, bytes: &[u8]) -> Vec<Vec<String>> {
        let (case, path) = Case::new(name, bytes);
        let (rows, error) = rows_and_error(&Location::from(&path), &case.options);
        assert!(error.is_none(), "{error:?}");
        rows
    }

    /// The message, with the file's name instead of its path.
    fn message(name: &str, bytes: &[u8]) -> String {
        let (case, path) = Case::new(name, bytes);
        let error = rows_and_error(&Location::from(&path), &case.options)
            .1
            .unwrap();
        error
            .to_string()
            .replace(&format!("{}/", case.directory.path().display()), "")
    }

    fn names(bytes: &[u8], options: &ReadOptions) -> Vec<String> {
        let (_case, path) = Case::new("rows.csv", bytes);
        Csv.open(&Location::from(&path), options)
            .unwrap()
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    #[test]
    fn values_are_read_exactly_as_they_were_written() {
        let text = b"\xef\xbb\xbf\"id\",note,x\r\n00123,\"a, \"\"b\"\"\r\nc\",\r\n 1.10 ,NA,\0";
        assert_eq!(
            rows("rows.csv", text),
            [["00123", "a, \"b\"\r\nc", ""], [" 1.10 ", "NA", "\0"]]
        );
        assert_eq!(rows("rows.tsv", b"a\tb\n1,5\t2\n"), [["1,5", "2"]]);
    }

    #[test]
    fn names_come_from_the_first_line_or_are_made_up() {
        let headless = ReadOptions {
            has_header: false,
            ..ReadOptions::default()
        };
        assert_eq!(
            names(b"a, b,a,\n", &ReadOptions::default()),
            ["a", " b", "a", ""]
        );
        assert_eq!(names(b"a,b\n1,2\n", &headless), ["column_1", "column_2"]);
        let (_case, path) = Case::new("rows.csv", b"a,b\n1,2\n");
        assert_eq!(
            rows_and_error(&Location::from(&path), &headless).0,
            [["a", "b"], ["1", "2"]]
        );
    }

    #[test]
    fn a_file_with_only_names_has_no_rows() {
        for text in ["a,b", "a,b\n", "a,b\r\n\r\n\n"] {
            assert!(rows("rows.csv", text.as_bytes()).is_empty());
        }
        assert!(rows("rows.csv", b"a\n").is_empty());
    }

    #[test]
    fn a_table_of_one_column_has_a_row_for_each_line() {
        assert_eq!(
            rows("rows.csv", b"a\n1\n\n\"\"\n\n"),
            [["1"], [""], [""], [""]]
        );
    }

    #[test]
    fn compressed_files_are_read_whatever_their_name() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(b"a\tb\n1\t2\n").unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(rows("rows.tsv.gz", &gzip), [["1", "2"]]);
        assert_eq!(
            rows(
                "rows.tsv",
                &zstd::stream::encode_all(b"a\tb\n1\t2\n".as_slice(), 1).unwrap()
            ),
            [["1", "2"]]
        );
        assert_eq!(
            message("rows.tsv.gz", &gzip[..gzip.len() - 1]),
            "cannot read the file: its gzip stream is truncated (`rows.tsv.gz`)"
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_position() {
        assert_eq!(
            message("e.csv", b""),
            "cannot read the file: it is empty (`e.csv`)"
        );
        assert_eq!(
            message("e.csv", b"\xef\xbb\xbf"),
            "cannot read the file: it is empty (`e.csv`)"
        );
        assert_eq!(
            message("e.csv", b"\na,b\n"),
            "cannot read the file: its first line is blank (`e.csv`)"
        );
        assert_eq!(
            message("e.csv", b"a,\xff\n"),
            "cannot read the file: the name of column 2 is not UTF-8 (`e.csv`)"
        );
        assert_eq!(
            message("e.csv", b"a\0b,c\n"),
            "cannot read the file: the name of column 1 holds a NUL byte (`e.csv`)"
        );
        assert_eq!(
            message("e.csv", b"a\0,\0b\0\n"),
            "cannot read the file: it looks like UTF-16LE, not UTF-8 (`e.csv`)"
        );
        assert_eq!(
            message("e.csv", b"a,\"b\n1,2\n"),
            "cannot read the record: a quote in it is never closed (`e.csv`)"
        );
        assert_eq!(
            message("e.csv", b"PK\x03\x04"),
            "cannot read zip files (`e.csv`)"
        );
        let (case, _path) = Case::new("e.csv", b"");
        assert!(
            rows_and_error(&Location::from(case.directory.path()), &case.options)
                .1
                .unwrap()
                .message()
                .ends_with("it is a directory")
        );
    }

    #[test]
    fn a_header_of_a_hundred_thousand_columns_is_not_a_burden() {
        let header: Vec<String> = (0..100_000).map(|number| format!("c{number}")).collect();
        let text = format!(
            "{}\n{}\n1,2\n",
            header.join(","),
            vec!["7"; 100_000].join(",")
        );
        let (case, path) = Case::new("wide.csv", text.as_bytes());
        let options = ReadOptions {
            portion_rows: 1,
            ..case.options
        };
        let (rows, error) = rows_and_error(&Location::from(&path), &options);
        assert_eq!((rows.len(), rows[0].len()), (1, 100_000));
        assert_eq!(
            error.unwrap().message(),
            "cannot read the row: expected 100,000 fields, found 2"
        );
    }

    #[test]
    fn text_is_recognised_by_name_or_by_content() {
        let recognised = |head: &[u8], name: &str| Csv.recognises(head, &Location::from(name));
        assert!(
            recognised(b"\0", "a.csv")
                && recognised(b"\0", "a.TXT.gz")
                && recognised(b"", "a.tsv.zst")
        );
        assert!(
            recognised(b"a;b\n", "a")
                && recognised(
                    &zstd::stream::encode_all(b"a".as_slice(), 1).unwrap(),
                    "a.bin"
                )
        );
        assert!(
            !recognised(b"PAR1\0", "a")
                && !recognised(b"", "a.gz")
                && !recognised(b"\x1f\x8b", "csv.gz")
        );
    }

    #[test]
    fn a_file_that_changed_its_columns_meanwhile_is_refused() {
        let (case, path) = Case::new("a.csv", b"a,b\n");
        let file = Csv.open(&Location::from(&path), &case.options).unwrap();
        let mut other = storage::PendingFile::create(&path, true).unwrap();
        other.write_all(b"b,a\n").unwrap();
        other.publish(true).unwrap();
        assert!(
            file.portions(&[], &case.options, Start::default())
                .err()
                .unwrap()
                .message()
                .contains("changed while it was in use")
        );
    }

    #[test]
    fn a_file_is_read_on_at_a_byte_without_its_beginning_unless_it_is_compressed() {
        let text = b"\xef\xbb\xbfa,b\n1,\"x\ny\"\n\n\n2,z\n3,\n";
        let (case, path) = Case::new("rows.csv", text);
        let options = ReadOptions {
            portion_rows: 1,
            ..case.options.clone()
        };
        let ends = rows_from(&Location::from(&path), &options, Start::default()).2;
        assert_eq!(
            ends[0],
            Start {
                row: 1,
                byte: Some(15)
            },
            "behind the quoted line end"
        );
        // What is before that byte is never looked at: here it is a quote that no one closes.
        let (broken_case, broken) = Case::new(
            "rows.csv",
            &[b"a,b\n\"".as_slice(), &[b'.'; 18], b"3,\n"].concat(),
        );
        let start = Start {
            row: 9,
            byte: Some(23),
        };
        assert_eq!(
            rows_from(&Location::from(&broken), &broken_case.options, start).0,
            [["3", ""]]
        );
        let beyond = Start {
            row: 0,
            byte: Some(99),
        };
        assert!(
            rows_from(&Location::from(&broken), &broken_case.options, beyond)
                .1
                .is_some(),
            "a byte that the file has not is not a place in it"
        );
        let (case, path) = Case::new(
            "rows.csv.zst",
            &zstd::stream::encode_all(b"a,b\n1,2\n3,4\n".as_slice(), 1).unwrap(),
        );
        let start = Start {
            row: 1,
            byte: Some(8),
        };
        let (rows, _, ends) = rows_from(&Location::from(&path), &case.options, start);
        assert_eq!(
            (rows, ends[0].byte),
            (vec![vec!["3".to_owned(), "4".to_owned()]], None)
        );
    }

    fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
        let value = prop_oneof!["[a-c0-9 ]{0,3}", "[\",\n\r\u{e4}\0]{0,4}"];
        (1_usize..4).prop_flat_map(move |width| {
            proptest::collection::vec(proptest::collection::vec(value.clone(), width), 1..12)
        })
    }

    /// Reads `table` in portions of this size, and again from the end of each one. With `damage`
    /// two broken rows follow.
    fn is_read_in_portions(
        table: &[Vec<String>],
        (portion_bytes, portion_rows): (usize, usize),
        damage: bool,
    ) -> Result<(), TestCaseError> {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        writer
            .write_record((0..table[0].len()).map(|number| format!("c{number}")))
            .unwrap();
        for row in table {
            writer.write_record(row).unwrap();
        }
        let mut text = writer.into_inner().unwrap();
        if damage {
            text.extend_from_slice(b"one,field,too,many\n\"never closed");
        }
        let (case, path) = Case::new("rows.csv", &text);
        let options = ReadOptions {
            portion_bytes,
            portion_rows,
            ..case.options
        };
        let (rows, error, ends) = rows_from(&Location::from(&path), &options, Start::default());
        // The portion with the damaged row was cut, but none of its rows could be read.
        for start in ends
            .into_iter()
            .filter(|start| start.row <= rows.len() as u64)
        {
            let (rest, ..) = rows_from(&Location::from(&path), &options, start);
            prop_assert_eq!(
                &rest[..],
                &rows[start.row as usize..],
                "on from {:?}",
                start
            );
        }
        if damage {
            prop_assert_eq!(&rows[..], &table[..rows.len()]);
            prop_assert_eq!(error.unwrap().location().row, Some(table.len() as u64 + 1));
        } else {
            prop_assert_eq!(&rows[..], table);
            prop_assert!(error.is_none());
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn rows_are_the_same_for_any_size_of_portion(
            table in table(),
            portion_bytes in 0_usize..120,
            portion_rows in 0_usize..5,
            damage in any::<bool>(),
        ) {
            is_read_in_portions(&table, (portion_bytes, portion_rows), damage)?;
        }
    }

    #[test]
    fn one_empty_field_is_read_in_portions_of_any_size() {
        is_read_in_portions(&[vec![String::new()]], (0, 0), false).unwrap();
    }
}
