//! Reports of earlier runs, read back.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use crate::error::{Error, Result};
use crate::table::commit::find;
use crate::table::dataset::Dataset;
use crate::table::location::resolve;

/// What a later run wants to know of an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviousRun {
    /// The report.
    pub path: PathBuf,
    /// The run's name.
    pub run_id: String,
    /// How it ended: `done`, `interrupted`, …
    pub status: String,
    /// When it began, RFC 3339, UTC.
    pub started_at: String,
    /// Rows read.
    pub rows_in: u64,
}

impl PreviousRun {
    /// Reads a report.
    ///
    /// # Errors
    /// Fails if the file is no report of a run.
    pub fn read(path: &Path) -> Result<Self> {
        let no_report = || Error::failed("the file is no report of a run").at_path(path).hint("a report is what a run writes beside its output");
        let dataset = Dataset::of_file(path)?;
        let mut previous = Self { path: path.to_owned(), run_id: String::new(), status: String::new(), started_at: String::new(), rows_in: 0 };
        for batch in dataset.batches(&dataset.as_read(&dataset.schema())) {
            previous.take(&batch?).ok_or_else(no_report)?;
        }
        if previous.status.is_empty() { Err(no_report()) } else { Ok(previous) }
    }

    fn take(&mut self, batch: &RecordBatch) -> Option<()> {
        let texts = |name: &str| cast(batch.column_by_name(name)?, &DataType::Utf8).ok();
        let (run_ids, sections, subjects, metrics, values) =
            (texts("run_id")?, texts("section")?, texts("subject")?, texts("metric")?, texts("text")?);
        let numbers = cast(batch.column_by_name("value")?, &DataType::Float64).ok()?;
        for row in 0..batch.num_rows() {
            let text = |column: &dyn Array| column.as_string::<i32>().value(row).to_owned();
            if !text(&subjects).is_empty() {
                continue;
            }
            match (text(&sections).as_str(), text(&metrics).as_str()) {
                ("run", "status") => (self.status, self.run_id) = (text(&values), text(&run_ids)),
                ("run", "started_at") => self.started_at = text(&values),
                ("ledger", "rows_in") => self.rows_in = numbers.as_primitive::<Float64Type>().value(row) as u64,
                _ => {}
            }
        }
        Some(())
    }
}

/// The newest good run among the reports that a path or pattern names and `own`, where that is there.
///
/// # Errors
/// Fails if a report that was named cannot be read.
pub fn newest(named: Option<&Path>, own: Option<&Path>) -> Result<Option<PreviousRun>> {
    let mut paths = named.map(|path| resolve(&[path.to_owned()])).transpose()?.unwrap_or_default();
    if let Some(own) = own.filter(|own| find(own).is_ok_and(|found| found.is_some_and(|found| found.is_file))) {
        paths.push(own.to_owned());
    }
    let mut runs = paths.iter().map(|path| PreviousRun::read(path)).collect::<Result<Vec<_>>>()?;
    runs.retain(|run| run.status == "done");
    Ok(runs.into_iter().max_by(|left, right| left.started_at.cmp(&right.started_at)))
}
