//! Parts read back: their scores enter the statistics of the run that goes on after them.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result};
use crate::pipeline::Job;
use crate::report::scores::ScoreStatistics;
use crate::table::cast::cast_column;
use crate::table::dataset::Dataset;

/// Observes the scores in files that a run of `job` wrote.
///
/// # Errors
/// Fails if a file cannot be read or lacks a column.
pub fn observe(job: &Job, files: Vec<PathBuf>, scores: &mut ScoreStatistics) -> Result<()> {
    let fields = job.scoring.fields();
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
            scores.observe_columns(&columns)?;
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
        Err(Error::failed("a score that was written is no number").at_column(field.name()))
    }
}
