//! A data set: the files a run reads, in order, with one schema over all of them.
//!
//! Every file is opened and its schema unified before the first row is read, so a type that differs
//! in file 399 of 400 stops the run at once. Columns may be renamed here; every later room sees the
//! new names only.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::dataset_file::{BadFile, DatasetFile, MISNAMED, open_file, spelt_numbers};
use super::demand::Demand;
use super::file_portions::Current;
use super::hive_file;
use super::location::Located;
use super::name_index::NameIndex;
use super::parquet_open::read_type;
use super::spelling::did_you_mean_column;
use super::union::{Unified, rename, unify};
use super::{ColumnRequest, ReadOptions, Start, csv_guess};
use crate::error::{Error, Result};
use crate::storage::{Location, read_head};

pub use super::file_portions::{FilePortion, FilePortions};

/// Files with one schema.
#[derive(Debug)]
pub struct Dataset {
    /// In the order of reading.
    pub files: Vec<DatasetFile>,
    schema: SchemaRef,
    /// New name → name in the files.
    originals: HashMap<String, String>,
    /// Names, in the files, of columns that not every file has.
    partial: HashMap<String, usize>,
    /// Names, in the files, of columns of text that only directories give and that stand for
    /// numbers.
    spelt_numbers: HashSet<String>,
    options: ReadOptions,
}

/// A place between two rows of a data set: before row `row` of file `file`, both counted from 0.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Deserialize,
    serde::Serialize,
)]
pub struct Position {
    /// The file's index in [`Dataset::files`].
    pub file: usize,
    /// The rows of that file before the place.
    pub row: u64,
}

impl Dataset {
    /// Opens every file, checks that they are of one kind and unifies their schemas; `renames` are
    /// (name in the files, new name).
    ///
    /// # Errors
    /// Fails if a file is broken; a contract error names the column and the files whose types do
    /// not go together.
    pub fn open(
        paths: &[impl Into<Located> + Clone],
        renames: &[(String, String)],
        options: &ReadOptions,
    ) -> Result<Self> {
        let located: Vec<Located> = paths.iter().cloned().map(Into::into).collect();
        let kinds = hive_file::kinds(located.iter().flat_map(|file| &file.partitions));
        let files = located
            .iter()
            .map(|file| open_file(file, &kinds, options))
            .collect::<Result<Vec<_>>>()?;
        Self::of(files, renames, options)
    }

    /// One file of whatever schema.
    ///
    /// # Errors
    /// Fails if the file is broken.
    pub fn of_file(path: &Location) -> Result<Arc<Self>> {
        Self::open(&[path.to_owned()], &[], &ReadOptions::default()).map(Arc::new)
    }

    /// As [`Dataset::open`], without the files that cannot be opened, which are distinguished.
    ///
    /// # Errors
    /// As [`Dataset::open`]; fails if no file can be opened.
    pub fn open_readable(
        paths: &[Located],
        renames: &[(String, String)],
        options: &ReadOptions,
    ) -> Result<(Self, Vec<BadFile>)> {
        let (mut files, mut bad_files, mut first_error) = (Vec::new(), Vec::new(), None);
        let kinds = hive_file::kinds(paths.iter().flat_map(|file| &file.partitions));
        for located in paths {
            match open_file(located, &kinds, options) {
                Ok(file) => files.push(file),
                // The run was asked to stop: nothing is wrong with the file.
                Err(error) if error.is_signal() => return Err(error),
                Err(error) => {
                    bad_files.push(BadFile::new(&located.path, &error));
                    first_error.get_or_insert(error);
                }
            }
        }
        if files.iter().any(|file| !file.table.is_text()) {
            let misnamed = files.extract_if(.., |file| file.is_misnamed());
            bad_files.extend(misnamed.map(|file| BadFile {
                path: file.path,
                reason: MISNAMED.to_owned(),
            }));
        }
        match first_error.filter(|_| files.is_empty()) {
            Some(error) => Err(error),
            None => Ok((Self::of(files, renames, options)?, bad_files)),
        }
    }

    /// Gives files, by their paths, the names that they are recorded under.
    pub fn name_files(&mut self, names: &HashMap<Location, Location>) {
        for file in &mut self.files {
            if let Some(name) = names.get(&file.path) {
                file.name.clone_from(name);
            }
        }
    }

    /// Leaves out these files, which are given with their indices; the columns stay what they were.
    ///
    /// # Errors
    /// Fails if no file is left.
    pub fn remove_nodes(&mut self, unreadable: &[(usize, BadFile)]) -> Result<()> {
        let mut index = 0;
        self.files.retain(|_| {
            index += 1;
            unreadable
                .iter()
                .all(|(left_out, _)| *left_out != index - 1)
        });
        // Indices are others now; a column that is missing in a file is reported again only where a
        // model needs it, which was checked.
        self.partial.clear();
        match unreadable.first().filter(|_| self.files.is_empty()) {
            Some((_, first)) => Err(Error::failed("no file of the data can be read")
                .at_path(&first.path)
                .because(first.reason.clone())),
            None => Ok(()),
        }
    }

    fn of(
        files: Vec<DatasetFile>,
        renames: &[(String, String)],
        options: &ReadOptions,
    ) -> Result<Self> {
        if let Some(file) = files
            .iter()
            .find(|file| file.is_misnamed())
            .filter(|_| files.iter().any(|file| !file.table.is_text()))
        {
            let error =
                Error::failed(format!("cannot read the file: {MISNAMED}")).at_path(&file.path);
            return Err(error.hint("write or copy it again, or skip it with `--on-bad-file skip`"));
        }
        if let Some(pair) = files
            .windows(2)
            .find(|pair| pair[0].table.is_text() != pair[1].table.is_text())
        {
            let message = format!(
                "`{}` is {}, `{}` is {}: text and typed files do not mix",
                pair[0].path.display(),
                pair[0].format,
                pair[1].path.display(),
                pair[1].format
            );
            return Err(Error::contract(message).hint("score them in two runs"));
        }
        let Unified { columns, partial } = unify(&files)?;
        let unknown = options
            .types
            .iter()
            .find(|(name, _)| columns.iter().all(|column| column.name() != name));
        if let Some((name, _)) = unknown {
            let error = Error::contract("`--types` names a column that the data does not have")
                .at_column(name);
            let names = columns.iter().map(|field| field.name().as_str());
            return Err(error.hint(did_you_mean_column(name, &names)));
        }
        let (schema, originals) = rename(&columns, renames)?;
        let spelt_numbers = spelt_numbers(&files, &columns);
        Ok(Self {
            files,
            schema: Arc::new(schema),
            originals,
            partial,
            spelt_numbers,
            options: options.clone(),
        })
    }

    /// A data set without files, of these columns: rows that are in memory already.
    #[must_use]
    pub fn of_schema(schema: SchemaRef) -> Self {
        Self {
            files: Vec::new(),
            schema,
            originals: HashMap::new(),
            partial: HashMap::new(),
            spelt_numbers: HashSet::new(),
            options: ReadOptions::default(),
        }
    }

    /// `schema`, whose columns are among the data set's, with the types that the columns are read
    /// as.
    #[must_use]
    pub fn as_read(&self, schema: &Schema) -> SchemaRef {
        let is_text = self.is_text();
        let viewed = |field: &Arc<Field>| {
            Arc::new(
                field
                    .as_ref()
                    .clone()
                    .with_data_type(read_type(field.data_type())),
            )
        };
        let read = |field: &Arc<Field>| {
            if is_text {
                field.clone()
            } else {
                viewed(field)
            }
        };
        Arc::new(Schema::new(
            schema.fields().iter().map(read).collect::<Vec<_>>(),
        ))
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

    /// Whether a column's texts stand for values of whatever type a reader needs: those of
    /// delimited text, and numbers that directories spell in their own way, such as `hour=00`.
    #[must_use]
    pub fn is_untyped(&self, column: &str) -> bool {
        self.is_text() || self.spelt_numbers.contains(self.original(column))
    }

    /// The columns of text that directories spell and that stand for numbers.
    #[must_use]
    pub fn spelt_numbers(&self) -> HashSet<String> {
        self.schema
            .fields()
            .iter()
            .map(|field| field.name())
            .filter(|name| self.spelt_numbers.contains(self.original(name)))
            .cloned()
            .collect()
    }

    /// The directory that would give this column if it, and not one below, were the input.
    #[must_use]
    pub fn directory_above(&self, column: &str) -> Option<Location> {
        let gives = |directory: &Location| {
            directory
                .file_name()?
                .to_str()?
                .strip_prefix(column)?
                .starts_with('=')
                .then_some(())
        };
        let above = |path: &Location| {
            path.ancestors()
                .skip(1)
                .find(|directory| gives(directory).is_some())
                .and_then(|directory| directory.parent())
        };
        self.files
            .first()
            .and_then(|file| above(&file.path))
            .map(|path| {
                if path.is_empty() {
                    Location::from(".")
                } else {
                    path
                }
            })
    }

    /// Whether directories, not files, give the column.
    #[must_use]
    pub fn is_of_directories(&self, column: &str) -> bool {
        self.files_give_only_by_directories(self.original(column))
    }

    /// Whether directories, and no file, give the column of this name in the files.
    #[must_use]
    pub fn files_give_only_by_directories(&self, name: &str) -> bool {
        let names = |file: &DatasetFile| file.partitions.iter().any(|(own, _)| own == name);
        self.files.iter().any(names)
            && !self
                .files
                .iter()
                .any(|file| file.own_columns.iter().any(|own| own == name))
    }

    /// The number of rows, if every file says so without being read.
    #[must_use]
    pub fn row_count(&self) -> Option<u64> {
        self.files.iter().map(|file| file.table.row_count()).sum()
    }

    /// The first file that is missing the column of this (new) name, if any.
    #[must_use]
    pub fn file_without(&self, column: &str) -> Option<&Location> {
        self.partial
            .get(self.original(column))
            .map(|&file| &self.files[file].path)
    }

    /// The smallest and largest value of each of these integer columns over all files, where every
    /// file keeps them.
    ///
    /// # Errors
    /// Fails if a file cannot be opened again.
    pub fn integer_ranges(&self, columns: &[&str]) -> Result<Vec<Option<(i128, i128)>>> {
        let originals: Vec<&str> = columns.iter().map(|column| self.original(column)).collect();
        let mut all: Option<Vec<Option<(i128, i128)>>> = None;
        for file in self.files.iter().filter(|_| !columns.is_empty()) {
            let ranges = file.table.integer_ranges(&originals)?;
            all = Some(match all {
                None => ranges,
                Some(all) => all
                    .into_iter()
                    .zip(ranges)
                    .map(|(left, right)| Some((left?.0.min(right?.0), left?.1.max(right?.1))))
                    .collect(),
            });
        }
        Ok(all.unwrap_or_else(|| vec![None; columns.len()]))
    }

    /// What reading the columns of `schema` takes in memory for each of these ways to cut portions,
    /// file after file.
    ///
    /// # Errors
    /// Fails if a file cannot be opened again.
    pub fn demands(
        &self,
        schema: &Schema,
        options: &[ReadOptions],
        looks_into_pages: bool,
    ) -> Result<Vec<Demand>> {
        let mut all = vec![Demand::none(); options.len()];
        for file in &self.files {
            let requests: Vec<ColumnRequest> =
                self.requests(schema, file).into_iter().flatten().collect();
            let own = file
                .table
                .demands(&requests, options, looks_into_pages)
                .map_err(|error| error.at_path(&file.path))?;
            all = all
                .into_iter()
                .zip(own)
                .map(|(all, own)| all.then(own))
                .collect();
        }
        Ok(all)
    }

    /// What to type so that the first file's text has these columns, if some other way to read it
    /// gives them.
    #[must_use]
    pub fn other_reading(&self, missing: &[&str]) -> Option<String> {
        let file = self.files.first().filter(|file| file.table.is_text())?;
        csv_guess::other_reading(
            &read_head(&file.path).ok()?,
            missing,
            &self.options,
            &file.path,
        )
    }

    /// How its files are read.
    #[must_use]
    pub fn options(&self) -> &ReadOptions {
        &self.options
    }

    /// Says how portions are cut.
    pub fn set_options(&mut self, options: ReadOptions) {
        self.options = options;
    }

    /// For each column of `schema` what is asked of a file for it; nothing where the file is
    /// missing it.
    fn requests(&self, schema: &Schema, file: &DatasetFile) -> Vec<Option<ColumnRequest>> {
        let own = file.table.schema();
        let own = NameIndex::new(&own);
        let request = |field: &Arc<Field>| {
            let name = self.original(field.name());
            own.position(name).map(|_| ColumnRequest {
                name: name.to_owned(),
                data_type: field.data_type().clone(),
            })
        };
        schema.fields().iter().map(request).collect()
    }

    /// The name of a column in the files.
    #[must_use]
    pub fn original<'a>(&'a self, column: &'a str) -> &'a str {
        self.originals.get(column).map_or(column, String::as_str)
    }

    /// Cuts all files in order, from `start` on, into portions that deliver the columns of `schema`
    /// (new names, types as read). A file that is missing a column delivers nulls.
    #[must_use]
    pub fn portions(self: &Arc<Self>, schema: &SchemaRef, start: Position) -> FilePortions {
        self.portions_at(schema, start, None)
    }

    /// As [`Dataset::portions`], where `byte` is the byte of the file at `start`, if a portion that
    /// ended there told it.
    #[must_use]
    pub fn portions_at(
        self: &Arc<Self>,
        schema: &SchemaRef,
        start: Position,
        byte: Option<u64>,
    ) -> FilePortions {
        FilePortions::new(Arc::clone(self), schema.clone(), start, byte)
    }

    /// The rows of all files in order, decoded here, with the columns of `schema` as in
    /// [`Dataset::portions`].
    pub fn batches(
        self: &Arc<Self>,
        schema: &SchemaRef,
    ) -> impl Iterator<Item = Result<RecordBatch>> {
        let mut portions = self.portions(schema, Position::default());
        let decoded = |FilePortion { file, portion }: FilePortion| {
            (portion.decode)().map_err(|error| error.at_path(&self.files[file].path))
        };
        std::iter::from_fn(move || portions.next_portion(u64::MAX).transpose())
            .map(move |portion| portion.and_then(decoded))
    }

    pub(super) fn open_portions(
        &self,
        schema: &Schema,
        file: usize,
        start: Start,
    ) -> Result<Current> {
        let requests = self.requests(schema, &self.files[file]);
        let DatasetFile { table, path, .. } = &self.files[file];
        let present = requests.iter().map(Option::is_some).collect();
        let requests: Vec<ColumnRequest> = requests.into_iter().flatten().collect();
        let portions = table
            .portions(&requests, &self.options, start)
            .map_err(|error| error.at_path(path))?;
        Ok(Current { portions, present })
    }
}
