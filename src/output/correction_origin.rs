//! Where a corrected row was read from: that is where users correct it, not in the input.
//!
//! Owns the search in the tables. It must not know how rows are scored.

use std::collections::HashMap;
use std::sync::Arc;

use super::corrected::indices_of;
use crate::error::Result;
use crate::storage::Location;
use crate::table::ReadOptions;
use crate::table::dataset::Dataset;

/// The table of corrected rows, and the row in it from 1, that stands for a row of the input, given
/// as (file, row in it from 0); none if no table has it. `files` and `options` are as for
/// [`super::corrected::CorrectedRows::read`].
///
/// # Errors
/// Fails if a table cannot be read.
pub(crate) fn origin(
    tables: &[Location],
    files: &HashMap<String, usize>,
    options: &ReadOptions,
    location: (usize, u64),
) -> Result<Option<(Location, u64)>> {
    for path in tables {
        let dataset = Arc::new(Dataset::open(std::slice::from_ref(path), &[], options)?);
        let mut first_row = 0;
        for batch in dataset.batches(&dataset.as_read(&dataset.schema())) {
            let batch = batch?;
            let found = indices_of(&batch, files)?;
            if let Some(row) = found.iter().position(|own| *own == location) {
                return Ok(Some((path.clone(), first_row + row as u64 + 1)));
            }
            first_row += batch.num_rows() as u64;
        }
    }
    Ok(None)
}
