//! What a format of tables is: a reading half, whose files cut themselves into portions, and a
//! writing half, whose sinks take batches in order and write to any stream of bytes.

use std::fmt;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

use super::demand::Demand;
use super::encoding::Encoding;
use super::keyring::Encryption;
use super::number_format::NumberFormat;
use crate::count::counted;
use crate::error::Result;
use crate::memory;
use crate::storage::{Identity, Location};

/// How files are read; each format takes what concerns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The byte between the fields of delimited text; none: a tab for `.tsv`, else a comma.
    pub delimiter: Option<u8>,
    /// The byte around fields that hold delimiters; none if nothing is in quotes.
    pub quote: Option<u8>,
    /// What takes the meaning of a quote, a delimiter or a line end in delimited text.
    pub escape: Escape,
    /// The byte that begins lines of delimited text to be passed over.
    pub comment: Option<u8>,
    /// Whether spaces and tabs around values of delimited text are dropped.
    pub trim: bool,
    /// The encoding of delimited text.
    pub encoding: Encoding,
    /// Lines of delimited text before the one that names the columns.
    pub skipped_lines: u64,
    /// How numbers are written in delimited text.
    pub numbers: NumberFormat,
    /// Texts that mean a missing value in the columns of `types`.
    pub missing: Vec<String>,
    /// Types of columns, by their names in the files, that are text otherwise: those of delimited
    /// text and of directories.
    pub types: Vec<(String, DataType)>,
    /// Columns that stay text, by their names in the files, even where directories give integers
    /// for them.
    pub text_columns: Vec<String>,
    /// Whether the first line of delimited text names the columns; without it they are `column_1`,
    /// `column_2`, …
    pub has_header: bool,
    /// The memory that one decoded portion should take, in bytes; portions are cut by it.
    pub portion_bytes: usize,
    /// The memory that one decoded portion may take rather than share a page with others: each of
    /// them would decompress it anew.
    pub max_portion_bytes: usize,
    /// The most rows of a portion.
    pub portion_rows: usize,
}

/// What takes the meaning of a quote, a delimiter or a line end in delimited text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// Nothing but doubling a quote; backslashes before quotes, which look like another dialect,
    /// are refused.
    #[default]
    Unsaid,
    /// Nothing but doubling a quote.
    Never,
    /// This byte before it.
    Byte(u8),
}

/// The decoded size that a portion aims at: large enough to amortise its overhead, small enough
/// that two for each worker stay far below a container's memory.
pub const DEFAULT_PORTION_BYTES: usize = 16 << 20;

/// The decoded size that a portion may have where pages are as large as row groups.
pub const MAX_PORTION_BYTES: usize = 64 << 20;

/// The most rows of a portion, for narrow tables.
pub const DEFAULT_PORTION_ROWS: usize = 131_072;

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            delimiter: None,
            quote: Some(b'"'),
            escape: Escape::Unsaid,
            comment: None,
            trim: false,
            encoding: Encoding::Utf8,
            skipped_lines: 0,
            numbers: NumberFormat::default(),
            missing: vec![String::new()],
            types: Vec::new(),
            text_columns: Vec::new(),
            has_header: true,
            portion_bytes: DEFAULT_PORTION_BYTES,
            max_portion_bytes: MAX_PORTION_BYTES,
            portion_rows: DEFAULT_PORTION_ROWS,
        }
    }
}

impl ReadOptions {
    /// The type that the user gives a column of this name in the files, if any.
    #[must_use]
    pub fn type_of(&self, column: &str) -> Option<DataType> {
        self.types
            .iter()
            .find(|(name, _)| name == column)
            .map(|(_, data_type)| data_type.clone())
    }
}

/// A column to be read, and the type it must arrive in (a file's own type is widened to the data
/// set's).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnRequest {
    /// The column's name.
    pub name: String,
    /// The type to deliver.
    pub data_type: DataType,
}

/// The work of decoding one portion: any worker may do it, at any time after it was handed out.
pub type Decode = Box<dyn FnOnce() -> Result<RecordBatch> + Send>;

/// A run of rows of one file, not decoded yet.
pub struct Portion {
    /// The number of rows of the same file before this portion.
    pub first_row: u64,
    /// The number of rows, filtered ones and bad ones included.
    pub row_count: u64,
    /// The byte of the file behind its last row, in formats that can go on there.
    pub end_byte: Option<u64>,
    /// Decodes the rows: one column for each requested column, in that order. Errors name row and
    /// column.
    pub decode: Decode,
}

impl fmt::Debug for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portion")
            .field("first_row", &self.first_row)
            .finish_non_exhaustive()
    }
}

/// What a column of a table takes from its name in a file to the writer of its values, as long as
/// it is empty. Measured with 40 000 columns: 3.3 KiB.
const COLUMN_BYTES: u64 = 4 << 10;

/// Checks that a table of so many columns fits into memory.
///
/// # Errors
/// Fails if it does not.
pub(crate) fn room_for_columns(count: usize) -> Result<()> {
    let bytes = (count as u64).saturating_mul(COLUMN_BYTES);
    memory::reserve(
        bytes,
        &format!("a table of {}", counted(count as u64, "column")),
    )
    .map(drop)
}

/// A place in a file, between two rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The rows before it.
    pub row: u64,
    /// The byte where the next row begins, if a [`Portion`] told it; else the rows before it are
    /// passed over.
    pub byte: Option<u64>,
}

/// Cuts a file into portions, in row order, while they are asked for.
pub trait Portions: Send {
    /// The next rows, at least one and at most `max_rows` of them; none at the end of the file.
    /// After an error there are no more.
    fn next_portion(&mut self, max_rows: u64) -> Option<Result<Portion>>;
}

/// One file, opened: its schema is known, its rows are not read yet.
pub trait TableFile: Send + Sync + fmt::Debug {
    /// The file's own columns; delimited text has only text columns.
    fn schema(&self) -> SchemaRef;

    /// The number of rows, where the format says so without reading them.
    fn row_count(&self) -> Option<u64>;

    /// Which file it is: its size on disk, when it was last written to.
    fn identity(&self) -> Identity;

    /// The number of row groups, in formats that have them.
    fn row_group_count(&self) -> Option<usize> {
        None
    }

    /// What all rows take in memory at most once they are decoded, where that is known without
    /// reading them.
    fn decoded_bytes(&self) -> Option<u64> {
        None
    }

    /// Whether the columns are text whose types only the reader's wishes decide (delimited text).
    fn is_text(&self) -> bool {
        false
    }

    /// The smallest and largest value of each of these integer columns over the file; none where
    /// the format does not keep them.
    ///
    /// # Errors
    /// Fails if the file cannot be opened again.
    fn integer_ranges(&self, columns: &[&str]) -> Result<Vec<Option<(i128, i128)>>> {
        Ok(vec![None; columns.len()])
    }

    /// What reading `columns`, all of which are in its schema, takes in memory for each of these
    /// ways to cut portions; with `looks_into_pages` as near as the file says, else from above.
    ///
    /// # Errors
    /// Fails if the file cannot be opened again.
    fn demands(
        &self,
        columns: &[ColumnRequest],
        options: &[ReadOptions],
        looks_into_pages: bool,
    ) -> Result<Vec<Demand>>;

    /// Cuts the file, from `start` on, into portions that deliver `columns`, all of which are in
    /// its schema. May be called again; between two calls the file is closed.
    ///
    /// # Errors
    /// Fails if the file cannot be opened again or is another one by now.
    fn portions(
        &self,
        columns: &[ColumnRequest],
        options: &ReadOptions,
        start: Start,
    ) -> Result<Box<dyn Portions>>;
}

/// A format of tables.
pub struct Format {
    /// Its name, which is a value of `--output-format` and the extension of the files that are
    /// written.
    pub name: &'static str,
    /// How its files are read.
    pub reader: &'static dyn FormatReader,
    /// How its files are written; none for a format that is only read.
    pub writer: Option<&'static dyn FormatWriter>,
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Format").field(&self.name).finish()
    }
}

/// The reading half of a format of tables: recognises and opens files.
pub trait FormatReader: Sync {
    /// Whether its files begin with bytes that files of no other format begin with.
    fn has_magic(&self) -> bool;

    /// The endings of names that files of the format have in directories, in lower case.
    fn endings(&self) -> &'static [&'static str];

    /// Whether a file with this beginning (at most 4 KiB) and name is of this format.
    fn recognises(&self, head: &[u8], path: &Location) -> bool;

    /// Opens a file and reads its schema.
    ///
    /// # Errors
    /// Says what is broken about the file, and where.
    fn open(&self, path: &Location, options: &ReadOptions) -> Result<Box<dyn TableFile>>;
}

/// The writing half of a format of tables.
pub trait FormatWriter: Sync {
    /// A line about the format for `--help`.
    fn about(&self) -> &'static str;

    /// Whether a file of it keeps metadata, such as the id of the run that wrote it.
    fn keeps_metadata(&self) -> bool;

    /// Whether a file with this beginning may be one that it wrote.
    fn may_have_written(&self, head: &[u8]) -> bool;

    /// A sink that writes batches of `schema` to a stream of bytes. `metadata` are key-value pairs
    /// about the file, where it keeps them. With keys, the file is encrypted.
    ///
    /// # Errors
    /// A contract error for a column that has no form in the format; fails if the stream takes no
    /// bytes.
    fn sink<'a>(
        &self,
        stream: Box<dyn Write + Send + 'a>,
        schema: SchemaRef,
        metadata: &[(String, String)],
        encryption: Option<&Encryption>,
    ) -> Result<Box<dyn Sink + 'a>>;
}

/// Takes batches in the order of the output.
pub trait Sink: Send {
    /// Appends a batch of the schema that the sink was made with.
    ///
    /// # Errors
    /// Fails if the bytes cannot be written.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes what is left and the file's end. The caller publishes the file.
    ///
    /// # Errors
    /// Fails if the bytes cannot be written.
    fn finish(self: Box<Self>) -> Result<()>;
}
