//! What a user types about results: where they go, what is too bad to go on, who is notified. clap
//! derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::Args;

use crate::request::output::OnBudget;
use crate::table::output_format::OutputFormat;

/// Notifications: metrics, lineage and logs.
#[derive(Clone, Debug, Default, Args)]
pub struct ObserverArgs {
    /// Write Prometheus gauges for the textfile collector of `node_exporter`
    ///
    /// Every run replaces the file atomically. A failed run does too and keeps the time of the last
    /// success. Give each job its own file.
    #[arg(long, value_name = "FILE.prom", help_heading = "Metrics and lineage")]
    pub metrics_file: Option<PathBuf>,
    /// Append OpenLineage events, one JSON object per line
    ///
    /// A run appends START, then COMPLETE, FAIL or ABORT.
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Metrics and lineage")]
    pub lineage_file: Option<PathBuf>,
    /// Job name in metrics and lineage [default: the model's name]
    #[arg(
        long,
        value_name = "NAME",
        allow_hyphen_values = true,
        help_heading = "Metrics and lineage"
    )]
    pub job_name: Option<String>,
    /// Report the cost of the run at this price of the machine for an hour
    ///
    /// A number, with a currency or without: `0.40`, `'0.40 USD'`.
    #[arg(
        long,
        value_name = "PRICE",
        allow_hyphen_values = true,
        help_heading = "Metrics and lineage"
    )]
    pub price_per_hour: Option<String>,
}

/// Where results go.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// Output file, or `DIR/` for a data set of parts
    ///
    /// A file is written under a hidden name and renamed at the end, so readers see the old file or
    /// the new one. The extension decides the format: `.csv` is CSV, everything else is Parquet. A
    /// name that ends in `/`, or an existing directory, becomes a data set: `part-00000.parquet`,
    /// …, with everything else under `_tallow/` and `_SUCCESS` last. After a crash, the same
    /// command resumes with the part where it stopped. `-` is standard output, which gets CSV, all
    /// of it once every row is scored.
    #[arg(
        short,
        long,
        value_name = "FILE|DIR/",
        env = "TALLOW_OUTPUT",
        help_heading = "Output"
    )]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,
    /// Discard the unfinished run in the output directory and start over
    #[arg(long, help_heading = "Output")]
    pub restart: bool,
    /// Output format, whatever the extension
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub output_format: Option<OutputFormat>,
    /// Input rows per part of a data set [default: 1048576]
    #[arg(
        long,
        value_name = "ROWS",
        allow_negative_numbers = true,
        help_heading = "Output",
        conflicts_with = "bytes_per_part"
    )]
    pub rows_per_part: Option<u64>,
    /// Approximate size of a part, such as `256MiB`
    ///
    /// Converted to rows before the run, from the size of the inputs.
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        help_heading = "Output"
    )]
    pub bytes_per_part: Option<String>,
    /// Partition each part into Hive directories by these columns
    ///
    /// They become `region=north/part-00000.parquet`. Rows wait until their part is complete: in
    /// memory while they are few, then on the output's disk. Quote names that contain commas as in
    /// CSV: `'"a,b",c'`.
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Output"
    )]
    pub partition_by: Vec<String>,
    /// Report file, or `none`; `.csv` makes it CSV
    ///
    /// [default: next to the output, ending in `.report.pq`; `_tallow/report.pq` in a data set]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// Rejected rows file, or `none`; `.csv` makes it CSV
    ///
    /// [default: next to the output, ending in `.rejected.pq`; `_tallow/rejected/` in a data set]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub rejected: Option<PathBuf>,
    /// Sign the output with this private key: PEM, on P-256, P-384 or P-521
    ///
    /// The signature of a file is `FILE.sig`. That of a data set covers its manifest, which holds
    /// the digest of every file. `tallow verify` checks either.
    #[arg(long, value_name = "KEY", help_heading = "Output")]
    pub sign_key: Option<PathBuf>,
    /// The signing key's certificate, and those between it and an authority; may be repeated
    #[arg(
        long,
        value_name = "FILE",
        requires = "sign_key",
        help_heading = "Output"
    )]
    pub sign_certificate: Vec<PathBuf>,
}

/// Limits that stop the run.
#[derive(Clone, Debug, Default, Args)]
pub struct GuardArgs {
    /// Fail (exit 4) if more rows than this are rejected
    #[arg(
        long,
        value_name = "ROWS",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub max_errors: Option<u64>,
    /// Fail (exit 4) if more are rejected: `1%`
    #[arg(
        long,
        value_name = "SHARE",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub max_error_rate: Option<String>,
    /// What happens to the output when too many rows are rejected
    ///
    /// The exit code is 4 in either case.
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value_t,
        help_heading = "Guards"
    )]
    pub on_budget: OnBudget,
    /// Fail (exit 5) if the input has fewer rows
    #[arg(
        long,
        value_name = "ROWS",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub min_rows: Option<u64>,
    /// Fail (exit 5) if every input file is older: `26h`, `90m`, `2d`
    #[arg(
        long,
        value_name = "AGE",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub max_age: Option<String>,
    /// Fail (exit 5) if the row count differs more from the last run: `30%`
    ///
    /// The last run is the one whose report this run would replace, or the newest of
    /// `--previous-report`. Without one, the run passes with a warning.
    #[arg(
        long,
        value_name = "SHARE",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub max_row_delta: Option<String>,
    /// Reports of earlier runs of the same job: a file or a glob
    #[arg(
        long,
        value_name = "FILES",
        help_heading = "Guards",
        requires = "max_row_delta"
    )]
    pub previous_report: Option<PathBuf>,
    /// Exit with this code instead of 0 if there is nothing to do
    ///
    /// That is when the output already exists, made from the same inputs by the same model. Airflow
    /// skips on 99.
    #[arg(
        long,
        value_name = "CODE",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub skip_code: Option<u8>,
}
