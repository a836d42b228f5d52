//! One file of a data set: opened in its format, with what its directories say of its rows.
//!
//! Owns how a file's format is found, and what is wrong with one that cannot be read. What files
//! have in common is `dataset`'s.

use std::collections::{BTreeMap, HashSet};

use arrow::datatypes::{DataType, Field};

use super::hive_file::{self, HiveFile, Kind, Partition};
use super::location::Located;
use super::{FORMATS, ReadOptions, TableFile, content};
use crate::error::{Error, Result};
use crate::storage::{Location, read_head};

/// One file of a data set.
#[derive(Debug)]
pub struct DatasetFile {
    /// Where it lies.
    pub path: Location,
    /// What it is called in records: its path, as it was given when the records began.
    pub name: Location,
    /// Its format's name.
    pub format: &'static str,
    /// What its directories say of its rows.
    pub partitions: Vec<Partition>,
    /// Those of them that the file has a column for.
    pub(super) own_columns: Vec<String>,
    /// The opened file.
    pub table: Box<dyn TableFile>,
}

/// What is wrong with a file that is called Parquet.
pub(super) const MISNAMED: &str = "it is named as Parquet, but holds text";

impl DatasetFile {
    /// Whether it is text under the name of another format: alongside files of that format it is
    /// not what somebody needed to write.
    pub(super) fn is_misnamed(&self) -> bool {
        self.table.is_text()
            && self
                .path
                .extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("parquet"))
    }
}

/// A file that cannot be read and is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile {
    /// Where it lies.
    pub path: Location,
    /// What is wrong with it.
    pub reason: String,
}

impl BadFile {
    /// The file at `path`, with the error that reading it gave.
    #[must_use]
    pub fn new(path: &Location, error: &Error) -> Self {
        let location = error.location();
        let row = location
            .row
            .map_or(String::new(), |row| format!(", row {row}"));
        let column = location
            .column
            .as_ref()
            .map_or(String::new(), |column| format!(", column `{column}`"));
        let system = error
            .system_error()
            .map_or(String::new(), |cause| format!(": {cause}"));
        Self {
            path: path.to_owned(),
            reason: format!("{}{row}{column}{system}", error.message()),
        }
    }
}

/// The columns of text that directories alone give, and whose values are all numbers.
pub(super) fn spelt_numbers(files: &[DatasetFile], columns: &[Field]) -> HashSet<String> {
    let kinds = hive_file::kinds(files.iter().flat_map(|file| &file.partitions));
    let is_text = |name: &String| {
        columns
            .iter()
            .any(|field| field.name() == name && *field.data_type() == DataType::Utf8)
    };
    let only_of_directories =
        |name: &String| files.iter().all(|file| !file.own_columns.contains(name));
    let spelled = kinds.into_iter().filter(|(name, kind)| {
        *kind == Kind::Numbers && is_text(name) && only_of_directories(name)
    });
    spelled.map(|(name, _)| name).collect()
}

pub(super) fn open_file(
    located: &Located,
    kinds: &BTreeMap<String, Kind>,
    options: &ReadOptions,
) -> Result<DatasetFile> {
    let Located { path, partitions } = located;
    let head = read_head(path)?;
    if head.is_empty() {
        let error = Error::failed("the file is empty").at_path(path);
        return Err(error.hint(if path.is_stream() {
            "nothing came through standard input: pass the rows there; a run that read it is \
             repeated with the same bytes, `tallow replay OUTPUT < FILE`"
        } else {
            "write the file again, or remove it from the inputs"
        }));
    }
    let format = FORMATS
        .iter()
        .find(|format| format.reader.recognises(&head, path));
    if format.is_none_or(|format| !format.reader.has_magic())
        && let Some(error) = content::refusal(&head, path)
    {
        return Err(error);
    }
    let format = format.ok_or_else(|| {
        let known: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        Error::failed("the file is not a table that tallow knows")
            .at_path(path)
            .hint(format!("known formats: {}", known.join(", ")))
    })?;
    let table = format.reader.open(path, options)?;
    let own = table.schema();
    let is_own = |(name, _): &&Partition| own.column_with_name(name).is_some();
    let own_columns = partitions
        .iter()
        .filter(is_own)
        .map(|(name, _)| name.clone())
        .collect();
    let table =
        HiveFile::of(table, partitions, kinds, options).map_err(|error| error.at_path(path))?;
    Ok(DatasetFile {
        path: path.clone(),
        name: path.clone(),
        format: format.name,
        partitions: partitions.clone(),
        own_columns,
        table,
    })
}
