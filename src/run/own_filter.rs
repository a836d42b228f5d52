//! The rows that a run left out by its own `--where`, where rows are asked for by another one.
//!
//! Owns how both conditions are read together and distinguished. It must not know what is said of a
//! row.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};
use crate::pipeline::selection::Selection;
use crate::plan::Plan;
use crate::request::Request;
use crate::storage::Location;

/// The filter of a run, where rows that it removed are asked for, too.
pub(super) struct OwnFilter {
    selection: Selection,
    /// The columns that it is bound to.
    schema: SchemaRef,
}

impl OwnFilter {
    /// Whether the run scored a row.
    ///
    /// # Errors
    /// Whatever ends the evaluation of the expression.
    pub(super) fn keeps(&self, row: &RecordBatch) -> Result<bool> {
        let columns = self.schema.fields().iter();
        let columns = columns.map(|field| row.schema().index_of(field.name()));
        let seen = columns
            .collect::<std::result::Result<Vec<usize>, _>>()
            .and_then(|columns| row.project(&columns))
            .map_err(|error| {
                Error::internal("a row without columns of `--where`").because(error)
            })?;
        Ok(self.selection.apply(&seen)?.0.num_rows() > 0)
    }
}

/// Puts what is asked in place of the run's own filter, which is returned: a row that is asked for
/// may be one that the run did not score.
///
/// # Errors
/// As [`Plan::resolve`].
pub(super) fn own_filter(
    request: &mut Request,
    asked: Option<&str>,
    names: &HashMap<Location, Location>,
) -> Result<Option<OwnFilter>> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    let Some(own) = request.work.rows.filter.clone() else {
        request.work.rows.filter = Some(asked.to_owned());
        return Ok(None);
    };
    let job = Plan::resolve(request, names)?.job;
    let selection = job.selection;
    let selection = selection.ok_or_else(|| Error::internal("`--where` without a selection"))?;
    // The columns of both are read, and what is asked decides.
    request.work.rows.filter = Some(format!("({asked}) AND (({own}) OR TRUE)"));
    Ok(Some(OwnFilter {
        selection,
        schema: job.read_schema,
    }))
}
