//! A profile as a table, and tables as profiles.
//!
//! Owns the columns of a profile's table, one row a column of the data, and the one pass over data
//! that makes a profile. It must not know files: those come as data sets.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, Float64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};

use super::profile::{ColumnProfile, Kind, Profile};
use crate::background;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::statistics::hash::of_bytes;
use crate::storage::Location;
use crate::table::ReadOptions;
use crate::table::dataset::Dataset;
use crate::table::location::locate;

/// The column that holds a column's profile as bytes.
const STATE: &str = "profile_state";

/// The column that holds the names of the data's columns.
const COLUMN: &str = "column";

/// A profile as a table: what users read, and the state that is compared and merged.
///
/// # Errors
/// An internal error if the columns do not fit each other.
pub fn table(profile: &Profile) -> Result<RecordBatch> {
    let columns = &profile.columns;
    let texts = |of: &dyn Fn(&ColumnProfile) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(columns.iter().map(of)))
    };
    let counts = |of: &dyn Fn(&ColumnProfile) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(columns.iter().map(of)))
    };
    let numbers = |of: &dyn Fn(&ColumnProfile) -> Option<f64>| -> ArrayRef {
        Arc::new(columns.iter().map(of).collect::<Float64Array>())
    };
    let state = BinaryArray::from_iter_values(columns.iter().map(ColumnProfile::to_bytes));
    let units: StringArray = columns.iter().map(|column| unit(column.kind())).collect();
    let fields: Vec<(&str, ArrayRef)> = vec![
        (COLUMN, texts(&|column| &column.name)),
        ("kind", texts(&|column| column.kind().name())),
        ("rows", counts(&|column| column.rows)),
        ("missing", counts(&|column| column.missing)),
        (
            "distinct",
            numbers(&|column| Some(column.distinct.estimate().round())),
        ),
        ("min", numbers(&|column| column.numbers.min())),
        ("max", numbers(&|column| column.numbers.max())),
        ("mean", numbers(&|column| column.numbers.mean())),
        (
            "standard_deviation",
            numbers(&|column| column.numbers.standard_deviation()),
        ),
        ("unit", Arc::new(units)),
        (STATE, Arc::new(state)),
    ];
    RecordBatch::try_from_iter(fields)
        .map_err(|error| Error::internal("the profile's columns do not fit").because(error))
}

/// What extremes and moments of a column of this kind count; none of numbers.
fn unit(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Times => Some("microseconds since 1970-01-01"),
        Kind::TimesOfDay => Some("microseconds since midnight"),
        Kind::Durations => Some("microseconds"),
        Kind::Numbers | Kind::Categories | Kind::Untyped | Kind::Other => None,
    }
}

/// Whether a table of these columns is a profile.
#[must_use]
pub fn is_profile(schema: &Schema) -> bool {
    [COLUMN, STATE]
        .iter()
        .all(|name| schema.column_with_name(name).is_some())
}

/// The profile of a path: read, if it is one, else taken of the tables that it stands for.
///
/// # Errors
/// Fails if a table cannot be read, or a profile is damaged.
pub fn profile_of(
    paths: &[Location],
    options: &ReadOptions,
    interrupt: &Interrupt,
) -> Result<Profile> {
    let table = Dataset::open(&locate(paths, false)?.files, &[], options)?;
    profile_of_dataset(&Arc::new(table), interrupt)
}

/// The same of tables that are open.
///
/// # Errors
/// As [`profile_of`].
pub fn profile_of_dataset(table: &Arc<Dataset>, interrupt: &Interrupt) -> Result<Profile> {
    let schema = table.schema();
    let path = table
        .files
        .first()
        .map(|file| file.path.clone())
        .unwrap_or_default();
    if is_profile(&schema) {
        return Ok(read(table, &path)?.0);
    }
    let mut profile = Profile::new(&schema, &|name| table.is_untyped(name));
    for batch in table.batches(&table.as_read(&schema)) {
        interrupt.check()?;
        profile
            .observe(&batch?)
            .map_err(|error| error.at_path(&path))?;
    }
    Ok(profile)
}

/// The profile in a file.
///
/// # Errors
/// Fails if the file cannot be read; a contract error if it is not a profile.
pub fn read_profile(path: &Location) -> Result<Profile> {
    read_with_digest(path).map(|(profile, _)| profile)
}

/// The profile in a file, and its [`Profile::digest`], for which nothing is encoded again.
///
/// # Errors
/// As [`read_profile`].
pub fn read_with_digest(path: &Location) -> Result<(Profile, u128)> {
    let files = locate(std::slice::from_ref(path), false)?.files;
    let table = Arc::new(Dataset::open(&files, &[], &ReadOptions::default())?);
    if is_profile(&table.schema()) {
        return read(&table, path);
    }
    let error = Error::contract("the file is not a profile").at_path(path);
    Err(error.hint("make one of a table: `tallow profile TABLE --output profile.pq`"))
}

fn read(table: &Arc<Dataset>, path: &Location) -> Result<(Profile, u128)> {
    let damaged = || {
        Error::failed("the profile is damaged, or of a later version")
            .at_path(path)
            .hint("make it again with `tallow profile`")
    };
    let mut profile = Profile::default();
    let mut bytes = Vec::new();
    let schema = table.schema();
    let state = schema
        .index_of(STATE)
        .and_then(|index| schema.project(&[index]));
    let state = state.map_err(|_| damaged())?;
    for batch in table.batches(&table.as_read(&state)) {
        let batch = batch?;
        let state = batch.column_by_name(STATE).ok_or_else(damaged)?;
        let state = cast(state, &DataType::Binary).map_err(|_| damaged())?;
        let states: Vec<&[u8]> = state.as_binary::<i32>().iter().flatten().collect();
        let columns = background::each(
            &states,
            |state| state.len(),
            |state| ColumnProfile::of_bytes(state),
        )?;
        for column in columns {
            profile.columns.push(column.ok_or_else(damaged)?);
        }
        states
            .iter()
            .for_each(|state| bytes.extend_from_slice(state));
    }
    Ok((profile, of_bytes(&bytes)))
}
