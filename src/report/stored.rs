//! A report read back from its file.
//!
//! Owns the reading of facts from a table of [`super::table::schema`], Parquet or CSV. It must not
//! know how a run is made.

use arrow::datatypes::Schema;

use super::facts::{self, Fact};
use super::table::{from_table, schema};
use crate::error::{Error, Result};
use crate::storage::Location;
use crate::table::dataset::Dataset;

/// How the name of a report ends that a run leaves next to its output.
pub const REPORT_ENDING: &str = ".report.pq";

/// The facts of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReport {
    /// The run's name.
    pub run_id: String,
    /// In the order of the file.
    pub facts: Vec<Fact>,
}

/// Whether a table of these columns is one of facts.
#[must_use]
pub fn is_report(found: &Schema) -> bool {
    schema()
        .fields()
        .iter()
        .all(|field| found.column_with_name(field.name()).is_some())
}

impl StoredReport {
    /// Whether there is a table of facts at the path.
    #[must_use]
    pub fn is_at(path: &Location) -> bool {
        Dataset::of_file(path).is_ok_and(|dataset| is_report(&dataset.schema()))
    }

    /// Reads the reports of all runs in a file, in its order; users join them.
    ///
    /// # Errors
    /// Fails if the file is not a report of a run.
    pub fn read(path: &Location) -> Result<Vec<Self>> {
        let no_report = || {
            Error::failed("the file is not a report of a run")
                .at_path(path)
                .hint("a report is what a run writes alongside its output")
        };
        let dataset = Dataset::of_file(path)?;
        let mut reports: Vec<Self> = Vec::new();
        for batch in dataset.batches(&dataset.as_read(&dataset.schema())) {
            for (run_id, fact) in from_table(&batch?).ok_or_else(no_report)? {
                // The same work done again has the same name; each account of it begins with its
                // status.
                match reports
                    .last_mut()
                    .filter(|last| last.run_id == run_id && fact.as_status().is_none())
                {
                    Some(last) => last.facts.push(fact),
                    None => reports.push(Self {
                        run_id,
                        facts: vec![fact],
                    }),
                }
            }
        }
        if reports.iter().any(|report| report.status().is_some()) {
            Ok(reports)
        } else {
            Err(no_report())
        }
    }

    /// How the run ended.
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.facts.iter().find_map(Fact::as_status)
    }

    /// A text about the run as a whole.
    #[must_use]
    pub fn text(&self, section: &str, metric: &str) -> Option<&str> {
        facts::text(&self.facts, section, metric)
    }

    /// A number about `subject`, or the run as a whole.
    #[must_use]
    pub fn number(&self, section: &str, subject: &str, metric: &str) -> Option<f64> {
        facts::number(&self.facts, section, subject, metric)
    }
}
