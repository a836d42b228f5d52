//! What an evaluation found.
//!
//! Owns the counts of rows and the metrics of every segment. It must not know how they come about.

use super::mismatch::Disjoint;
use super::question::Task;
use crate::monitor::calibration::Calibration;
use crate::monitor::confusion::Confusion;
use crate::monitor::curve::{Costs, CurveMetrics};
use crate::monitor::estimate::reference::Reference;
use crate::monitor::interval::Estimate;
use crate::table::origin::{Origin, SplitModel};

/// The name of the segment of all rows.
pub const ALL: &str = "";

/// Metrics of which a lower value is better.
const LOSSES: [&str; 9] = [
    "log_loss",
    "brier",
    "ece",
    "mae",
    "mse",
    "rmse",
    "median_absolute_error",
    "mape",
    "smape",
];

/// Whether a lower value of the metric is better.
#[must_use]
pub fn is_loss(metric: &str) -> bool {
    LOSSES.contains(&metric)
}

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows of predictions.
    pub predictions: u64,
    /// Rows that are evaluated.
    pub evaluated: u64,
    /// Rows whose score or prediction is missing or NaN.
    pub without_prediction: u64,
    /// Rows whose label has not come, or is missing.
    pub without_label: u64,
    /// Rows whose key has several labels that differ.
    pub conflicting_labels: u64,
    /// Rows of predictions whose key another row has too.
    pub duplicate_predictions: u64,
    /// Rows of labels.
    pub labels: u64,
    /// Rows of labels that repeat another one.
    pub duplicate_labels: u64,
    /// Labels of numbers that are other texts: their rows are without a label.
    pub labels_not_numbers: u64,
    /// Rows of labels whose key no prediction has.
    pub labels_without_prediction: u64,
}

/// What an evaluation found.
#[derive(Debug)]
pub struct Evaluation {
    /// What became of the rows.
    pub counts: Counts,
    /// What kind of predictions they are.
    pub task: Task,
    /// The classes, in the order of the confusion matrix; none for numbers.
    pub classes: Vec<String>,
    /// The positive class of two.
    pub positive: Option<String>,
    /// What errors cost.
    pub costs: Costs,
    /// All rows first, then the segments in the order of their names.
    pub segments: Vec<Segment>,
    /// What is needed to judge rows without labels, if it was asked for.
    pub reference: Option<Reference>,
    /// The run that made the predictions, if their files say so.
    pub run_id: Option<String>,
    /// The model that made the predictions, if their files say so.
    pub origin: Option<Origin>,
    /// The models that each answered some of the rows, if their files say so.
    pub split: Vec<SplitModel>,
    /// Whether a file of predictions names the model, or the models, that made it.
    pub names_models: bool,
    /// The values of labels and of predictions that should be the same and are not.
    pub disjoint: Option<Disjoint>,
}

impl Evaluation {
    /// Whether areas under curves are among the metrics.
    #[must_use]
    pub fn has_areas(&self) -> bool {
        let metrics = self.segments.iter().flat_map(|segment| &segment.metrics);
        metrics
            .into_iter()
            .any(|(name, _)| name.starts_with("roc_auc"))
    }
}

/// Rows that are evaluated together.
#[derive(Debug)]
pub struct Segment {
    /// `column=value`, or nothing for all rows.
    pub name: String,
    /// The rows.
    pub rows: u64,
    /// Metrics by their names, in the order in which they are shown.
    pub metrics: Vec<(String, Estimate)>,
    /// Tables alongside the metrics.
    pub tables: Tables,
}

/// What is shown as tables.
#[derive(Debug, Default)]
pub struct Tables {
    /// Rows by actual and predicted class.
    pub confusion: Option<Confusion>,
    /// The reliability of the probabilities of two classes.
    pub calibration: Option<Calibration>,
    /// Gains and thresholds of two classes.
    pub curve: Option<CurveMetrics>,
}
