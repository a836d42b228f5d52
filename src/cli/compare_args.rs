//! What a user types for `compare`: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::Args;

use super::dialect_args::DialectArgs;
use super::paths::locations;
use super::prediction_args::PredictionArgs;
use crate::monitor::compare::Question;
use crate::request::compare::Compare;
use crate::storage::Location;

/// `tallow compare`
///
/// Compares predictions as `tallow score` writes them: `a` is the first table, `b` the second. With
/// labels, every metric is that of both, and the difference has a 95 % interval from a paired test:
/// that of `DeLong` or `McNemar`, a mean of paired losses, or a bootstrap.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// Predictions of one model or run: a file, a glob or a directory
    #[arg(value_name = "A", required = true)]
    pub first: PathBuf,
    /// Predictions of the other, of the same rows
    #[arg(value_name = "B", required = true)]
    pub second: PathBuf,
    /// Columns that join the rows of both: `customer_id,month` [default: by their order]
    ///
    /// Rows whose key is not unique in a table are counted and dropped.
    #[arg(long, value_name = "COLUMNS", allow_hyphen_values = true)]
    pub key: Vec<String>,
    /// The column of labels, in A or in `--labels`
    #[arg(
        long,
        value_name = "COLUMN",
        allow_hyphen_values = true,
        help_heading = "Labels"
    )]
    pub label: Option<String>,
    /// Tables of labels, joined by `--key`
    #[arg(long, value_name = "FILES", help_heading = "Labels")]
    pub labels: Vec<PathBuf>,
    /// The label of the positive class [default: 1, true, yes, positive]
    #[arg(
        long,
        value_name = "LABEL",
        allow_hyphen_values = true,
        help_heading = "Labels"
    )]
    pub positive: Option<String>,
    /// The metric that decides [default: `roc_auc`, `accuracy` or `mae`, by the task]
    #[arg(long, value_name = "METRIC", help_heading = "Labels")]
    pub metric: Option<String>,
    /// By how much B may be worse and still counts as not inferior: `0.005`
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        help_heading = "Labels"
    )]
    pub margin: Option<f64>,
    /// Columns of A whose values cut the rows into segments: `region,plan`
    #[arg(long, value_name = "COLUMNS", allow_hyphen_values = true)]
    pub by: Vec<String>,
    /// Which columns are predictions, and of what
    #[command(flatten)]
    pub columns: PredictionArgs,
    /// How far apart two predicted numbers are that agree [default: 0]
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        help_heading = "Predictions"
    )]
    pub tolerance: Option<f64>,
    /// List the N most moved rows, with their keys; not in the report
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub moved: Option<usize>,
    /// Say how much of the change of the mean score is due to the data, and how much to the model
    ///
    /// Scores the inputs of A with the model of B and the reverse, with the options that both runs
    /// recorded, and writes none of these scores. Each factor gets its mean effect over both orders
    /// (Shapley). A and B are data sets, or outputs next to their reports.
    #[arg(long)]
    pub attribute: bool,
    /// Condition on the report, such as `flip_rate <= 0.01`; may be repeated
    ///
    /// `METRIC >= NUMBER`, or `METRIC(SEGMENT) < NUMBER`; `METRIC(*)` means every segment. If one
    /// does not hold, the exit code is 5.
    #[arg(long, value_name = "EXPRESSION")]
    pub gate: Vec<String>,
    /// Also fail if a gate's limit lies within the 95 % interval of the value
    #[arg(long)]
    pub strict_gates: bool,
    /// Write the report here; `.csv` makes it CSV, everything else Parquet
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace an existing report
    #[arg(long)]
    pub overwrite: bool,
    /// How delimited text is read
    #[command(flatten)]
    pub text: DialectArgs,
}

impl From<CompareArgs> for Compare {
    fn from(args: CompareArgs) -> Self {
        let CompareArgs {
            first,
            second,
            key,
            label,
            labels,
            positive,
            metric,
            margin,
            by,
            columns:
                PredictionArgs {
                    task,
                    score,
                    prediction,
                    threshold,
                },
            tolerance,
            moved,
            attribute,
            gate,
            strict_gates,
            output,
            overwrite,
            text,
        } = args;
        let question = Question {
            first: first.into(),
            second: second.into(),
            key,
            label,
            labels: locations(labels),
            by,
            positive,
            task: task.map(Into::into),
            score,
            prediction,
            threshold,
            tolerance: tolerance.unwrap_or(0.0),
            metric,
            margin,
            moved: moved.unwrap_or(0),
        };
        Self {
            question,
            attribute,
            gate,
            strict_gates,
            output: output.map(Location::from),
            overwrite,
            text: text.into(),
        }
    }
}
