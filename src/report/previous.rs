//! Reports of earlier runs, read back.

use super::stored::StoredReport;
use crate::error::{Error, Result};
use crate::pipeline::part::RowCounts;
use crate::storage::{Location, find};
use crate::table::location::resolve_present;

/// What a later run wants to know of an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviousRun {
    /// The report.
    pub path: Location,
    /// The run's name.
    pub run_id: String,
    /// How it ended: `done`, `interrupted`, …
    pub status: String,
    /// When it began, RFC 3339, UTC.
    pub started_at: String,
    /// The output that it made, as it was typed.
    pub output: Location,
    /// The size of that output.
    pub output_bytes: u64,
    /// What became of its rows.
    pub rows: RowCounts,
}

impl PreviousRun {
    /// Reads a report; of several runs in one table, the last is taken.
    ///
    /// # Errors
    /// Fails if the file is not a report of a run.
    pub fn read(path: &Location) -> Result<Self> {
        let report = StoredReport::read(path)?
            .pop()
            .ok_or_else(|| Error::internal("a report without a run"))?;
        let text = |metric: &str| report.text("run", metric).unwrap_or_default().to_owned();
        let (status, started_at, output) = (
            text("status"),
            text("started_at"),
            Location::from(text("output")),
        );
        let output_bytes = report.number("run", "", "output_bytes").unwrap_or_default() as u64;
        let count = |metric: &str| report.number("ledger", "", metric).unwrap_or_default() as u64;
        let rows = RowCounts {
            rows_in: count("rows_in"),
            scored: count("scored"),
            rejected: count("rejected"),
            filtered: count("filtered"),
        };
        Ok(Self {
            path: path.to_owned(),
            status,
            started_at,
            output,
            output_bytes,
            rows,
            run_id: report.run_id,
        })
    }
}

/// The newest good run among the reports that a path or pattern names, which need not be there yet,
/// and `own`, where that is there.
///
/// # Errors
/// Fails if a report that was named cannot be read.
pub fn newest(named: Option<&Location>, own: Option<&Location>) -> Result<Option<PreviousRun>> {
    let named = named.map(resolve_present).transpose()?.unwrap_or_default();
    let own =
        own.filter(|own| find(*own).is_ok_and(|found| found.is_some_and(|found| found.is_file)));
    // Of two runs of the same second, the last counts.
    let paths: Vec<Location> = own.cloned().into_iter().chain(named).collect();
    let mut runs = paths
        .iter()
        .map(PreviousRun::read)
        .collect::<Result<Vec<_>>>()?;
    runs.retain(|run| run.status == "done");
    Ok(runs
        .into_iter()
        .max_by(|left, right| left.started_at.cmp(&right.started_at)))
}
