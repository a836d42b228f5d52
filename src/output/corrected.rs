//! Rejected rows that a user corrected: read back, put alongside what was corrected before, kept
//! for the next time.
//!
//! A corrected row is known by its file and its row there, which the quarantine wrote alongside it.
//! All rows that were ever corrected stay with the data set, because a part is always made from the
//! input and them. Owns these tables. It must not know how parts are scored.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt64Array, new_null_array,
};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::checkpoint::PartRecord;
use super::names::{CORRECTIONS, part_sidecar, staged};
use super::quarantine::COLUMNS;
use super::table_writer::{TableWriter, WrittenFile};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::pipeline::Job;
use crate::pipeline::correction::Corrections;
use crate::storage::{Location, PendingFile};
use crate::table::ReadOptions;
use crate::table::cast::{cast_column, is_text};
use crate::table::dataset::{Dataset, Position};
use crate::table::name_index::NameIndex;
use crate::table::output_format::OutputFormat;

/// The hint for a table whose fields are separated by something else.
const ONE_COLUMN: &str = "it was read as one column: name its separator, such as `--delimiter ';'`";

/// Whether a table of corrected rows is delimited text.
#[must_use]
pub fn is_delimited(path: &Location, options: &ReadOptions) -> bool {
    Dataset::open(&[path.to_owned()], &[], options).is_ok_and(|dataset| dataset.is_text())
}

/// Corrected rows, each with its place in the input.
#[derive(Debug)]
pub struct CorrectedRows {
    /// The columns that a job reads, in the types that it reads them as.
    rows: RecordBatch,
    /// (file, row in it from 0), one for each row, ascending.
    locations: Vec<(usize, u64)>,
    /// The columns, by position, that no table has.
    absent: BTreeSet<usize>,
}

impl CorrectedRows {
    /// Reads tables of corrected rows. `files` are the input's files by the names that the tables
    /// use, `options` how delimited text is read.
    ///
    /// # Errors
    /// A contract error, with the table and column, if a table is missing a column that the job
    /// reads or holds values that are not of its type, or names a file that is not an input; one
    /// with the row's place if two rows are of one place.
    pub fn read(
        tables: &[Location],
        job: &Job,
        files: &HashMap<String, usize>,
        options: &ReadOptions,
    ) -> Result<Self> {
        Self::read_columns(tables, job, files, options, &BTreeSet::new())
    }

    /// As [`CorrectedRows::read`] of tables that a data set keeps. A column that the run did not
    /// read, and that they do not have, has the values of the input.
    ///
    /// # Errors
    /// As [`CorrectedRows::read`].
    pub fn read_kept(
        tables: &[Location],
        job: &Job,
        files: &HashMap<String, usize>,
    ) -> Result<Self> {
        let mut absent = BTreeSet::new();
        for path in tables {
            let dataset = Dataset::of_file(path)?;
            let schema = dataset.schema();
            let fields = job.read_schema.fields().iter().enumerate();
            let names = NameIndex::new(&schema);
            let missing = fields.filter(|(_, field)| names.position(field.name()).is_none());
            absent.extend(missing.map(|(index, _)| index));
        }
        Self::read_columns(tables, job, files, &ReadOptions::default(), &absent)
    }

    fn read_columns(
        tables: &[Location],
        job: &Job,
        files: &HashMap<String, usize>,
        options: &ReadOptions,
        absent: &BTreeSet<usize>,
    ) -> Result<Self> {
        let mut batches = Vec::new();
        let (mut locations, mut firsts) = (Vec::new(), Vec::new());
        for path in tables {
            let first = locations.len() as u64;
            firsts.push(locations.len());
            let dataset = Arc::new(Dataset::open(std::slice::from_ref(path), &[], options)?);
            for batch in dataset.batches(&dataset.as_read(&dataset.schema())) {
                let batch = batch?;
                let first_row = locations.len() as u64 - first;
                let at = |error: Error| error.map_row(|row| row + first_row).at_path(path);
                locations.extend(indices_of(&batch, files).map_err(at)?);
                batches.push(as_job_reads(&batch, job, absent).map_err(at)?);
            }
        }
        let rows = concat_batches(&job.read_schema, &batches)
            .map_err(|error| Error::internal("corrected rows of several kinds").because(error))?;
        let all = Self {
            rows,
            locations,
            absent: absent.clone(),
        };
        let distinct = all.last_of_each_index()?;
        if distinct.len() == all.len() {
            return Ok(distinct);
        }
        let mut seen = HashMap::new();
        let twice = all
            .locations
            .iter()
            .enumerate()
            .find_map(|(index, location)| {
                Some((*location, [seen.insert(*location, index)?, index]))
            });
        let Some((location, indices)) = twice else {
            return Err(Error::internal("corrected rows were lost"));
        };
        let [first, second] = indices.map(|index| {
            tables[firsts.partition_point(|first| *first <= index) - 1]
                .display()
                .to_string()
        });
        let where_else = if first == second {
            String::new()
        } else {
            format!(" and in `{second}`")
        };
        Err(correction_error(
            location,
            files,
            &format!("row corrected twice: in `{first}`{where_else}"),
        )
        .hint("remove one of them"))
    }

    /// These rows and others; of two for one place the other is taken.
    ///
    /// # Errors
    /// An internal error: both are in the types that the job reads.
    pub fn replaced_by(&self, others: &Self) -> Result<Self> {
        let rows = concat_batches(&self.rows.schema(), [&self.rows, &others.rows]);
        let rows = rows
            .map_err(|error| Error::internal("corrected rows of several kinds").because(error))?;
        Self {
            rows,
            locations: [self.locations.as_slice(), others.locations.as_slice()].concat(),
            absent: self.absent.union(&others.absent).copied().collect(),
        }
        .last_of_each_index()
    }

    /// Rejects a row that is neither among `rejected` nor corrected before, nor of one of the
    /// `open` parts, whose own tables list what was rejected.
    ///
    /// # Errors
    /// A contract error with the row's file and number.
    pub fn must_have_been_rejected(
        &self,
        before: &Self,
        rejected: &HashSet<(usize, u64)>,
        open: &[&PartRecord],
        files: &HashMap<String, usize>,
    ) -> Result<()> {
        const NEVER: &str = "a corrected row was never rejected";
        const HINT: &str =
            "keep `rejected_file` and `rejected_row` as they are: they identify the row";
        let is_new = |location: &(usize, u64)| before.locations.binary_search(location).is_err();
        let is_open = |location: &(usize, u64)| {
            let position = Position {
                file: location.0,
                row: location.1,
            };
            open.iter()
                .any(|part| (part.account.start..part.account.end).contains(&position))
        };
        if let Some(&location) = self
            .locations
            .iter()
            .find(|location| is_new(location) && !rejected.contains(location) && !is_open(location))
        {
            return Err(correction_error(location, files, NEVER).hint(HINT));
        }
        for part in open {
            let most = part.rejected.as_ref().map_or(0, |file| file.rows);
            let mut own = self.locations[self.of(part)]
                .iter()
                .filter(|location| is_new(location));
            if let Some(&location) = own.nth(usize::try_from(most).unwrap_or(usize::MAX)) {
                let message = format!(
                    "more rows were corrected than the {} that were rejected there",
                    counted(most as usize, "row")
                );
                return Err(correction_error(location, files, &message).hint(HINT));
            }
        }
        Ok(())
    }

    /// The positions, (file, row in it from 0), of the rows of tables that a run wrote of rejected
    /// rows.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub fn locations<'a>(
        tables: impl IntoIterator<Item = &'a Location>,
        files: &HashMap<String, usize>,
    ) -> Result<HashSet<(usize, u64)>> {
        let mut locations = HashSet::new();
        for path in tables {
            let dataset = Dataset::of_file(path)?;
            let schema = dataset.schema();
            let requested = COLUMNS[..2]
                .iter()
                .filter_map(|name| schema.field_with_name(name).ok().cloned());
            for batch in
                dataset.batches(&dataset.as_read(&Schema::new(requested.collect::<Vec<_>>())))
            {
                locations.extend(indices_of(&batch?, files).map_err(|error| error.at_path(path))?);
            }
        }
        Ok(locations)
    }

    fn last_of_each_index(&self) -> Result<Self> {
        let last: BTreeMap<(usize, u64), u64> = self
            .locations
            .iter()
            .enumerate()
            .map(|(index, location)| (*location, index as u64))
            .collect();
        self.taken(last.into_iter().collect())
    }

    fn taken(&self, chosen: Vec<((usize, u64), u64)>) -> Result<Self> {
        let (locations, indices): (Vec<_>, Vec<u64>) = chosen.into_iter().unzip();
        let rows = take_record_batch(&self.rows, &UInt64Array::from(indices))
            .map_err(|error| Error::internal("cannot take corrected rows").because(error))?;
        Ok(Self {
            rows,
            locations,
            absent: self.absent.clone(),
        })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.locations.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locations.is_empty()
    }

    /// Whether a row belongs to the part.
    #[must_use]
    pub fn touches(&self, part: &PartRecord) -> bool {
        !self.of(part).is_empty()
    }

    /// Which rows belong to the part: they are in the order of their positions.
    fn of(&self, part: &PartRecord) -> Range<usize> {
        let before = |end: Position| {
            self.locations
                .partition_point(|&(file, row)| Position { file, row } < end)
        };
        before(part.account.start)..before(part.account.end)
    }

    /// Writes the rows of a part among the hidden files of a data set; none if it has none.
    ///
    /// # Errors
    /// Fails if they cannot be written.
    pub fn stage(
        &self,
        part: &PartRecord,
        directory: &Location,
        job: &Job,
        files: &[String],
    ) -> Result<Option<WrittenFile>> {
        let own = self.taken(
            self.of(part)
                .map(|index| (self.locations[index], index as u64))
                .collect(),
        )?;
        if own.is_empty() {
            return Ok(None);
        }
        let path = part_sidecar(CORRECTIONS, part.account.number);
        let file = PendingFile::create_below(directory, staged(&path))?;
        let mut writer = TableWriter::new(
            file,
            OutputFormat::parquet(),
            schema(&job.table_schema),
            &[],
        )?;
        writer.write(&own.table(files)?)?;
        let (file, written) = writer.finish(path)?;
        file.publish(true)?;
        Ok(Some(written))
    }

    fn table(&self, files: &[String]) -> Result<RecordBatch> {
        let paths: ArrayRef = Arc::new(
            self.locations
                .iter()
                .map(|(file, _)| files.get(*file))
                .collect::<StringArray>(),
        );
        let rows: ArrayRef = Arc::new(
            self.locations
                .iter()
                .map(|(_, row)| *row as i64 + 1)
                .collect::<Int64Array>(),
        );
        let columns = self
            .rows
            .columns()
            .iter()
            .cloned()
            .chain([paths, rows])
            .collect();
        RecordBatch::try_new(schema(&self.rows.schema()), columns).map_err(|error| {
            Error::internal("corrected rows do not fit their table").because(error)
        })
    }

    /// The rows as the pipeline puts them in the place of the input's.
    ///
    /// # Errors
    /// An internal error; positions are unique by now.
    pub fn into_corrections(self, job: &Job) -> Result<Corrections> {
        let fields = job.read_schema.fields().iter().enumerate();
        let kept = fields
            .filter(|(index, field)| job.mask.covers(field.name()) || self.absent.contains(index));
        let kept = kept.map(|(index, _)| index).collect();
        Ok(Corrections::new(self.rows, &self.locations)?.keeping(kept))
    }
}

/// An error about the row at a place of the input.
fn correction_error(
    (file, row): (usize, u64),
    files: &HashMap<String, usize>,
    message: &str,
) -> Error {
    let path = files
        .iter()
        .find(|(_, index)| **index == file)
        .map_or("", |(path, _)| path);
    Error::contract(message)
        .at_path(Location::from(path))
        .at_row(row + 1)
}

fn schema(own: &Schema) -> SchemaRef {
    let ours = [
        Field::new(COLUMNS[0], DataType::Utf8, true),
        Field::new(COLUMNS[1], DataType::Int64, true),
    ];
    Arc::new(Schema::new(
        own.fields()
            .iter()
            .map(|field| field.as_ref().clone())
            .chain(ours)
            .collect::<Vec<_>>(),
    ))
}

/// The positions, (file, row in it from 0), of the rows of a table of corrected rows.
///
/// # Errors
/// A contract error if a row names none of the input, at that row of the batch.
pub(super) fn indices_of(
    batch: &RecordBatch,
    files: &HashMap<String, usize>,
) -> Result<Vec<(usize, u64)>> {
    let column = |name: &str, data_type: &DataType| {
        let missing_column = || {
            let error = Error::contract(
                "the table of corrected rows is missing a column that identifies the row",
            )
            .at_column(name);
            if batch.num_columns() == 1 {
                error.hint(ONE_COLUMN)
            } else {
                error
            }
        };
        let found = batch.column_by_name(name).ok_or_else(missing_column)?;
        cast(found, data_type).map_err(|error| {
            Error::contract("cannot read the number of a row")
                .at_column(name)
                .because(error)
        })
    };
    let (paths, rows) = (
        column(COLUMNS[0], &DataType::Utf8)?,
        column(COLUMNS[1], &DataType::Int64)?,
    );
    let locations = paths
        .as_string::<i32>()
        .iter()
        .zip(rows.as_primitive::<Int64Type>().iter());
    let location = |(index, (path, row)): (usize, (Option<&str>, Option<i64>))| {
        let file = path.and_then(|path| files.get(path).copied());
        let row = row
            .and_then(|row| u64::try_from(row).ok())
            .and_then(|row| row.checked_sub(1));
        file.zip(row).ok_or_else(|| {
            let error = Error::contract("a corrected row does not belong to any row of the input")
                .at_row(index as u64 + 1)
                .at_column(COLUMNS[0]);
            error.hint(
                "keep `rejected_file` and `rejected_row` as they are: they identify the \
                 row",
            )
        })
    };
    locations.enumerate().map(location).collect()
}

/// In delimited text an empty field of a column that is not text is null.
fn with_nulls(column: &ArrayRef, requested: &DataType) -> ArrayRef {
    match column
        .as_string_opt::<i32>()
        .filter(|_| !is_text(requested))
    {
        Some(texts) => Arc::new(
            texts
                .iter()
                .map(|text| text.filter(|text| !text.is_empty()))
                .collect::<StringArray>(),
        ),
        None => column.clone(),
    }
}

/// The columns of the job, in its types. Those that its outputs hash or leave out are null: a
/// corrected row keeps their values of the input.
fn as_job_reads(batch: &RecordBatch, job: &Job, absent: &BTreeSet<usize>) -> Result<RecordBatch> {
    let (schema, read_schema) = (batch.schema(), &job.read_schema);
    let names = NameIndex::new(&schema);
    let column = |(index, field): (usize, &Arc<Field>)| {
        if job.mask.covers(field.name()) || absent.contains(&index) {
            return Ok(new_null_array(field.data_type(), batch.num_rows()));
        }
        let position = names.position(field.name()).ok_or_else(|| {
            let error = Error::contract("the table of corrected rows is missing a column")
                .at_column(field.name());
            if batch.num_columns() == 1 {
                error.hint(ONE_COLUMN)
            } else {
                error
            }
        })?;
        cast_column(
            &with_nulls(batch.column(position), field.data_type()),
            field.data_type(),
        )
        .map_err(|error| error.at_column(field.name()))
    };
    let columns = read_schema
        .fields()
        .iter()
        .enumerate()
        .map(column)
        .collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(read_schema.clone(), columns)
        .map_err(|error| Error::internal("corrected rows do not fit the data").because(error))
}
