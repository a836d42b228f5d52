//! What a user types for `evaluate`: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::Args;

use super::dialect_args::DialectArgs;
use super::paths::locations;
use super::prediction_args::PredictionArgs;
use super::registry_args::LookupArgs;
use crate::monitor::evaluate::Question;
use crate::request::evaluation::Evaluation;
use crate::storage::Location;

/// `tallow evaluate`
///
/// Reads predictions as `tallow score` writes them: `probability` and `prediction` of two classes,
/// `probability_<class>` of several, `prediction` of a regression. Other columns are named by
/// `--score` and `--prediction`. Metrics are those of scikit-learn, each with a 95 % interval.
#[derive(Clone, Debug, Args)]
pub struct EvaluateArgs {
    /// Tables of predictions: files, globs and directories
    #[arg(value_name = "PREDICTIONS", required = true)]
    pub predictions: Vec<PathBuf>,
    /// The column of labels
    #[arg(
        long,
        value_name = "COLUMN",
        required = true,
        allow_hyphen_values = true
    )]
    pub label: String,
    /// Tables of labels; by default the label is a column of the predictions
    ///
    /// Rows whose label has not come yet are counted and dropped, and so are rows whose key has
    /// labels that differ.
    #[arg(long, value_name = "FILES", help_heading = "Labels")]
    pub labels: Vec<PathBuf>,
    /// Columns that join labels to predictions: `customer_id,month`
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Labels"
    )]
    pub key: Vec<String>,
    /// The label of the positive class [default: 1, true, yes, positive]
    #[arg(
        long,
        value_name = "LABEL",
        allow_hyphen_values = true,
        help_heading = "Labels"
    )]
    pub positive: Option<String>,
    /// Columns whose values cut the rows into segments: `region,plan`
    #[arg(long, value_name = "COLUMNS", allow_hyphen_values = true)]
    pub by: Vec<String>,
    /// Which columns are predictions, and of what
    #[command(flatten)]
    pub columns: PredictionArgs,
    /// Column of groups whose rows are ranked: NDCG and MAP
    #[arg(
        long,
        value_name = "COLUMN",
        allow_hyphen_values = true,
        help_heading = "Predictions"
    )]
    pub group: Option<String>,
    /// Cost of a false positive, for the cheapest threshold [default: 1]
    #[arg(
        long,
        value_name = "COST",
        allow_negative_numbers = true,
        help_heading = "Decision"
    )]
    pub cost_fp: Option<f64>,
    /// Cost of a false negative [default: 1]
    #[arg(
        long,
        value_name = "COST",
        allow_negative_numbers = true,
        help_heading = "Decision"
    )]
    pub cost_fn: Option<f64>,
    /// Fail (exit 5) unless this holds; may be repeated: `roc_auc >= 0.75`
    ///
    /// `METRIC >= NUMBER`, or `METRIC(SEGMENT) < NUMBER`; `METRIC(*)` means every segment. The
    /// value itself decides; ends of its 95 % interval are facts too: `roc_auc_low >= 0.7`.
    #[arg(long, value_name = "EXPRESSION", help_heading = "Guards")]
    pub gate: Vec<String>,
    /// Judge the gates of this package that are about evaluations
    ///
    /// A path, or a name in a registry. Gates of its runs, such as those on drift, are not read.
    #[arg(short, long, value_name = "PACKAGE", help_heading = "Guards")]
    pub model: Option<PathBuf>,
    /// Where names of models are looked up
    #[command(flatten)]
    pub lookup: LookupArgs,
    /// Also fail if a gate's limit lies within the 95 % interval of the value
    #[arg(long, help_heading = "Guards")]
    pub strict_gates: bool,
    /// Write the report here; `.csv` makes it CSV, everything else Parquet
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Predictions of another model for the same rows: `[NAME=]PATH`; may be repeated
    ///
    /// Ranks the models by `--metric`. Each is compared with the best one on the rows that both
    /// have, joined by `--key` or by their order, with the paired tests of `tallow compare`;
    /// probabilities are corrected for the number of models (Holm). `worse` is a real difference.
    #[arg(long, value_name = "[NAME=]PATH", help_heading = "Arms")]
    pub arm: Vec<String>,
    /// Metric that ranks the arms [default: `roc_auc`; `accuracy` of several classes; `mae`]
    #[arg(long, value_name = "METRIC", requires = "arm", help_heading = "Arms")]
    pub metric: Option<String>,
    /// Keep what is needed to judge later rows before their labels come
    ///
    /// The file holds the calibration of each class and no rows. `tallow score --reference FILE`
    /// then reports `estimated_roc_auc`, `estimated_f1` and others, with bands.
    #[arg(long, value_name = "FILE")]
    pub save_reference: Option<PathBuf>,
    /// Replace existing files
    #[arg(long)]
    pub overwrite: bool,
    /// How delimited text is read
    #[command(flatten)]
    pub text: DialectArgs,
}

impl From<EvaluateArgs> for Evaluation {
    fn from(args: EvaluateArgs) -> Self {
        let EvaluateArgs {
            predictions,
            label,
            labels,
            key,
            positive,
            by,
            columns:
                PredictionArgs {
                    task,
                    score,
                    prediction,
                    threshold,
                },
            group,
            cost_fp,
            cost_fn,
            gate,
            model,
            lookup,
            strict_gates,
            output,
            arm,
            metric,
            save_reference,
            overwrite,
            text,
        } = args;
        let question = Question {
            predictions: locations(predictions),
            label,
            labels: locations(labels),
            key,
            by,
            positive,
            task: task.map(Into::into),
            score,
            prediction,
            group,
            threshold,
            cost_fp,
            cost_fn,
            wants_reference: save_reference.is_some(),
        };
        Self {
            question,
            model: model.map(Location::from),
            registry: lookup.registry.map(Location::from),
            gate,
            strict_gates,
            output: output.map(Location::from),
            arm,
            metric,
            save_reference: save_reference.map(Location::from),
            overwrite,
            text: text.into(),
        }
    }
}
