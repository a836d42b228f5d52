//! A data set: the files a run reads, in order, with one schema over all of them.
//!
//! Every file is opened and its schema unified before the first row is read, so a type that differs in file 399 of 400 stops the run
//! at once. Columns may be renamed here; every later room sees the new names only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::cast::common_type;
use super::commit::read_head;
use super::{ColumnRequest, FORMATS, Portion, ReadOptions, TableFile};
use crate::error::{Error, Result};

/// One file of a data set.
#[derive(Debug)]
pub struct DatasetFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its format's name.
    pub format: &'static str,
    /// The opened file.
    pub table: Box<dyn TableFile>,
}

/// Files with one schema.
#[derive(Debug)]
pub struct Dataset {
    /// In the order of reading.
    pub files: Vec<DatasetFile>,
    schema: SchemaRef,
    /// New name → name in the files.
    originals: BTreeMap<String, String>,
    options: ReadOptions,
}

/// One portion and the file that it comes from.
#[derive(Debug)]
pub struct FilePortion {
    /// The file's index in [`Dataset::files`].
    pub file: usize,
    /// The portion; decoding gives the requested columns under their new names.
    pub portion: Portion,
}

impl Dataset {
    /// Opens every file, checks that they are of one kind and unifies their schemas; `renames` are (name in the files, new name).
    ///
    /// # Errors
    /// Fails if a file is broken; a contract error names the column and the files whose types do not go together.
    pub fn open(paths: &[PathBuf], renames: &[(String, String)], options: &ReadOptions) -> Result<Self> {
        let files = paths.iter().map(|path| open_file(path, options)).collect::<Result<Vec<_>>>()?;
        if let Some(pair) = files.windows(2).find(|pair| pair[0].table.is_text() != pair[1].table.is_text()) {
            let message = format!(
                "`{}` is {}, `{}` is {}: text and typed files do not mix",
                pair[0].path.display(),
                pair[0].format,
                pair[1].path.display(),
                pair[1].format
            );
            return Err(Error::contract(message).hint("score them in two runs"));
        }
        let unified = unify(&files)?;
        let (schema, originals) = rename(&unified, renames)?;
        Ok(Self { files, schema: Arc::new(schema), originals, options: options.clone() })
    }

    /// The unified schema under the new names.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Whether all columns are text whose types only the reader's wishes decide.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.files.iter().any(|file| file.table.is_text())
    }

    /// The number of rows, if every file says so without being read.
    #[must_use]
    pub fn row_count(&self) -> Option<u64> {
        self.files.iter().map(|file| file.table.row_count()).sum()
    }

    /// The first file that lacks the column of this (new) name, if any.
    #[must_use]
    pub fn file_without(&self, column: &str) -> Option<&Path> {
        let original = self.original(column);
        self.files.iter().find(|file| file.table.schema().column_with_name(original).is_none()).map(|file| file.path.as_path())
    }

    /// The range of an integer column over all files, where every file keeps it.
    #[must_use]
    pub fn integer_range(&self, column: &str) -> Option<(i128, i128)> {
        let ranges = self.files.iter().map(|file| file.table.integer_range(self.original(column)));
        ranges.reduce(|left, right| Some((left?.0.min(right?.0), left?.1.max(right?.1))))?
    }

    fn original<'a>(&'a self, column: &'a str) -> &'a str {
        self.originals.get(column).map_or(column, String::as_str)
    }

    /// All portions of all files in order, delivering the columns of `schema` (new names, the data set's types). A file that lacks a
    /// column delivers nulls.
    ///
    /// # Errors
    /// The iterator yields the error of the file that cannot be cut.
    pub fn portions(self: &Arc<Self>, schema: &SchemaRef) -> impl Iterator<Item = Result<FilePortion>> + Send + use<> {
        let (dataset, schema) = (Arc::clone(self), schema.clone());
        (0..self.files.len()).flat_map(move |file| {
            let portions: Box<dyn Iterator<Item = Result<FilePortion>> + Send> = match dataset.file_portions(file, &schema) {
                Ok(portions) => Box::new(portions),
                Err(error) => Box::new(std::iter::once(Err(error))),
            };
            portions
        })
    }

    fn file_portions(&self, file: usize, schema: &SchemaRef) -> Result<impl Iterator<Item = Result<FilePortion>> + Send + use<>> {
        let DatasetFile { table, path, .. } = &self.files[file];
        let own = table.schema();
        let request = |field: &Arc<Field>| {
            let name = self.original(field.name());
            own.column_with_name(name).map(|_| ColumnRequest { name: name.to_owned(), data_type: field.data_type().clone() })
        };
        let requests: Vec<ColumnRequest> = schema.fields().iter().filter_map(request).collect();
        let present: Arc<[bool]> = schema.fields().iter().map(|field| own.column_with_name(self.original(field.name())).is_some()).collect();
        let portions = table.portions(&requests, &self.options).map_err(|error| error.at_path(path))?;
        let schema = schema.clone();
        Ok(portions.map(move |portion| {
            let Portion { first_row, row_count, decode } = portion?;
            let (schema, present) = (schema.clone(), Arc::clone(&present));
            let decode = Box::new(move || fill(&decode()?, &schema, &present));
            Ok(FilePortion { file, portion: Portion { first_row, row_count, decode } })
        }))
    }
}

/// The batch with the data set's schema: nulls where the file lacks a column.
fn fill(batch: &RecordBatch, schema: &SchemaRef, present: &[bool]) -> Result<RecordBatch> {
    let mut delivered = batch.columns().iter();
    let columns = schema.fields().iter().zip(present).map(|(field, present)| {
        let column = if *present { delivered.next().cloned() } else { None };
        column.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    });
    let columns = columns.collect();
    RecordBatch::try_new_with_options(schema.clone(), columns, &RecordBatchOptions::new().with_row_count(Some(batch.num_rows())))
        .map_err(|error| Error::internal("a portion does not have the columns that were asked for").because(error))
}

fn open_file(path: &Path, options: &ReadOptions) -> Result<DatasetFile> {
    let head = read_head(path)?;
    if head.is_empty() {
        return Err(Error::failed("the file is empty").at_path(path).hint("write the file again, or leave it out"));
    }
    let format = FORMATS.iter().find(|format| format.recognises(&head, path)).ok_or_else(|| {
        let known: Vec<&str> = FORMATS.iter().map(|format| format.name()).collect();
        Error::failed("the file is no table that tallow knows").at_path(path).hint(format!("known formats: {}", known.join(", ")))
    })?;
    Ok(DatasetFile { path: path.to_owned(), format: format.name(), table: format.open(path, options)? })
}

/// The union of all files' columns, in the order of first appearance.
fn unify(files: &[DatasetFile]) -> Result<Vec<(String, DataType)>> {
    let mut columns: Vec<(String, DataType)> = Vec::new();
    let mut origin: BTreeMap<String, (usize, &Path)> = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        for field in file.table.schema().fields() {
            let Some(&(position, first)) = origin.get(field.name()).filter(|_| index > 0) else {
                origin.insert(field.name().clone(), (columns.len(), &file.path));
                columns.push((field.name().clone(), field.data_type().clone()));
                continue;
            };
            let known = &columns[position].1;
            columns[position].1 = common_type(known, field.data_type()).ok_or_else(|| {
                Error::contract(format!("the column is {} here, but {known} in `{}`", field.data_type(), first.display()))
                    .at_path(&file.path)
                    .at_column(field.name())
                    .hint("write the files with one schema, or score them in separate runs")
            })?;
        }
    }
    Ok(columns)
}

fn rename(columns: &[(String, DataType)], renames: &[(String, String)]) -> Result<(Schema, BTreeMap<String, String>)> {
    if let Some((from, _)) = renames.iter().find(|(from, _)| !columns.iter().any(|(name, _)| name == from)) {
        return Err(Error::contract("`--rename` names a column that the data lacks")
            .at_column(from)
            .hint("`tallow inspect` lists the columns of a file"));
    }
    let renamed = |name: &String| renames.iter().find(|(from, _)| from == name).map_or(name, |(_, to)| to).clone();
    let originals = columns.iter().map(|(name, _)| (renamed(name), name.clone())).collect();
    let fields = columns.iter().map(|(name, data_type)| Field::new(renamed(name), data_type.clone(), true));
    Ok((Schema::new(fields.collect::<Vec<_>>()), originals))
}
