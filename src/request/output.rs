//! Where results go, what is too bad to go on, and who is notified.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use crate::storage::Location;
use crate::table::output_format::OutputFormat;

/// Where results go.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Output {
    /// Output file, or `DIR/` for a data set of parts
    pub output: Location,
    /// Replace an existing output
    pub overwrite: bool,
    /// Discard the unfinished run in the output directory and start over
    pub restart: bool,
    /// Output format, whatever the extension
    pub output_format: Option<OutputFormat>,
    /// Input rows per part of a data set [default: 1048576]
    pub rows_per_part: Option<u64>,
    /// Approximate size of a part, such as `256MiB`
    pub bytes_per_part: Option<String>,
    /// Partition each part into Hive directories by these columns
    pub partition_by: Vec<String>,
    /// Report file, or `none`; `.csv` makes it CSV
    pub report: Option<Location>,
    /// Rejected rows file, or `none`; `.csv` makes it CSV
    pub rejected: Option<Location>,
    /// Sign the output with this private key
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_key: Option<Location>,
    /// The key's certificate and those above it
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sign_certificate: Vec<Location>,
}

/// Limits that stop the run.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Limits {
    /// Fail (exit 4) if more rows than this are rejected
    pub max_errors: Option<u64>,
    /// Fail (exit 4) if a larger share is rejected: `0.01` or `1%`
    pub max_error_rate: Option<String>,
    /// What happens to the output when too many rows are rejected
    pub on_budget: OnBudget,
    /// Fail (exit 5) if the input has fewer rows
    pub min_rows: Option<u64>,
    /// Fail (exit 5) if every input file is older: `26h`, `90m`, `2d`
    pub max_age: Option<String>,
    /// Fail (exit 5) if the row count differs more from the last run: `30%`
    pub max_row_delta: Option<String>,
    /// Reports of earlier runs of the same job: a file or a glob
    pub previous_report: Option<Location>,
    /// Exit with this code instead of 0 if there is nothing to do
    pub skip_code: Option<u8>,
}

/// What to do with the output of a run that rejected too many rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBudget {
    /// Publish nothing but the rejected rows
    #[default]
    Withhold,
    /// Publish the scored rows as well
    Publish,
}

/// Notifications: metrics, lineage and logs.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Telemetry {
    /// Write Prometheus gauges for the textfile collector of `node_exporter`
    pub metrics_file: Option<Location>,
    /// Append OpenLineage events, one JSON object per line
    pub lineage_file: Option<Location>,
    /// Job name in metrics and lineage [default: the model's name]
    pub job_name: Option<String>,
    /// Price of the machine for an hour, as it was typed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_per_hour: Option<String>,
}
