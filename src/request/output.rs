//! Where results go, what is too bad to go on, and who is notified.
//!
//! Owns these options. It must not know how they are typed or checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::table::output_format::OutputFormat;

/// Where results go.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Output {
    /// Output file, or `DIR/` for a data set of parts
    #[serde(with = "crate::path_text")]
    pub output: PathBuf,
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
    #[serde(with = "crate::path_text::option")]
    pub report: Option<PathBuf>,
    /// Rejected rows file, or `none`; `.csv` makes it CSV
    #[serde(with = "crate::path_text::option")]
    pub rejected: Option<PathBuf>,
    /// Sign the output with this private key
    #[serde(
        with = "crate::path_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub sign_key: Option<PathBuf>,
    /// The key's certificate and those above it
    #[serde(with = "crate::path_text::list", skip_serializing_if = "Vec::is_empty")]
    pub sign_certificate: Vec<PathBuf>,
}

/// What is too bad to go on.
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
    #[serde(with = "crate::path_text::option")]
    pub previous_report: Option<PathBuf>,
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
    #[serde(with = "crate::path_text::option")]
    pub metrics_file: Option<PathBuf>,
    /// Append OpenLineage events, one JSON object per line
    #[serde(with = "crate::path_text::option")]
    pub lineage_file: Option<PathBuf>,
    /// Job name in metrics and lineage [default: the model's name]
    pub job_name: Option<String>,
    /// Price of the machine for an hour, as it was typed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_per_hour: Option<String>,
}
