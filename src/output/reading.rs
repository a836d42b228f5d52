//! The scores of parts read back, for observers that have no other account of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result};
use crate::pipeline::Job;
use crate::storage::Location;
use crate::table::cast::cast_column;
use crate::table::dataset::Dataset;

/// Gives the scores in files that a run of `job` wrote to `take`, batch by batch.
///
/// # Errors
/// Fails if a file cannot be read or a column is missing, or as `take` does.
pub fn for_each_batch(
    job: &Job,
    files: Vec<Location>,
    mut take: impl FnMut(&[ArrayRef]) -> Result<()>,
) -> Result<()> {
    let fields = job.arms.fields();
    for file in files {
        let dataset = Dataset::of_file(&file)?;
        let typed = |field: &Field| {
            if dataset.is_text() {
                field.clone().with_data_type(DataType::Utf8)
            } else {
                field.clone()
            }
        };
        let read_schema =
            dataset.as_read(&Schema::new(fields.iter().map(typed).collect::<Vec<_>>()));
        for batch in dataset.batches(&read_schema) {
            let batch = batch?;
            let columns = batch
                .columns()
                .iter()
                .zip(&fields)
                .map(|(column, field)| score(column, field))
                .collect::<Result<Vec<_>>>()?;
            take(&columns)?;
        }
    }
    Ok(())
}

/// A column in the type that the model gave it; nothing, in delimited text, is null.
fn score(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    let Some(texts) = column.as_string_opt::<i32>() else {
        return cast_column(column, field.data_type());
    };
    let present: arrow::array::StringArray = texts
        .iter()
        .map(|text| text.filter(|text| !text.is_empty()))
        .collect();
    let column: ArrayRef = Arc::new(present);
    let score = cast_column(&column, field.data_type())?;
    if score.null_count() == column.null_count() {
        Ok(score)
    } else {
        Err(Error::failed("a score that was written is not a number").at_column(field.name()))
    }
}
