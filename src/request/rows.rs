//! Which rows a run reads, and how delimited text is read.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

/// Which rows, and how text is read.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Rows {
    /// Score only rows for which this SQL expression is true
    #[serde(rename = "where", alias = "filter")]
    pub filter: Option<String>,
    /// Read at most this many rows, counted before `--where`
    pub limit: Option<u64>,
    /// Values that mean missing: `-999`, `NA` or `age=-1`
    pub missing: Vec<String>,
    /// What to do with a file that cannot be read
    pub on_bad_file: OnBadFile,
    /// Read every file in a directory, whatever its extension
    pub any_ending: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
}

/// What to do with a file that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadFile {
    /// Stop the run
    #[default]
    Fail,
    /// Skip the whole file and report it; every file is read once in advance
    Skip,
}

/// How delimited text is read.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Dialect {
    /// Field delimiter; `tab` is one too [default: comma; tab for `.tsv`]
    pub delimiter: Option<String>,
    /// Quote character, or `none`
    pub quote: String,
    /// Escape character, or `none`
    pub escape: Option<String>,
    /// Decimal mark of numbers [default: a point]
    pub decimal: Option<String>,
    /// Thousands separator, as in `1,234,567` [default: none]
    pub thousands: Option<String>,
    /// Lines to skip before the header
    pub skip_rows: u64,
    /// Skip lines that begin with this character
    pub comment: Option<String>,
    /// Trim spaces and tabs around values, except within quotes
    pub trim: bool,
    /// Encoding: `utf-8`, `utf-16`, `latin1`, `windows-1252`, … [default: utf-8]
    pub encoding: Option<String>,
    /// Column types instead of string: `id=int64,day=date`; may be repeated
    pub types: Vec<String>,
    /// There is no header; columns are `column_1`, `column_2`, …
    pub no_header: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: None,
            quote: "\"".to_owned(),
            escape: None,
            decimal: None,
            thousands: None,
            skip_rows: 0,
            comment: None,
            trim: false,
            encoding: None,
            types: Vec::new(),
            no_header: false,
        }
    }
}

impl Dialect {
    /// The flags that were given and say how delimited text is written.
    #[must_use]
    pub fn set_flags(&self) -> Vec<&'static str> {
        let Self {
            delimiter,
            quote,
            escape,
            decimal,
            thousands,
            skip_rows,
            comment,
            trim,
            encoding,
            types: _,
            no_header,
        } = self;
        let flags = [
            ("--delimiter", delimiter.is_some()),
            ("--quote", quote != "\""),
            ("--escape", escape.is_some()),
            ("--decimal", decimal.is_some()),
            ("--thousands", thousands.is_some()),
            ("--skip-rows", *skip_rows > 0),
            ("--comment", comment.is_some()),
            ("--trim", *trim),
            ("--encoding", encoding.is_some()),
            ("--no-header", *no_header),
        ];
        flags
            .into_iter()
            .filter_map(|(flag, is_set)| is_set.then_some(flag))
            .collect()
    }
}
