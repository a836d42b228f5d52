//! What an evaluation is asked.
//!
//! Owns the tables, their columns and the kind of task. It must not know how they are typed.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::storage::Location;

/// Predictions, labels and what is made of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Question {
    /// Tables of predictions: files, globs and directories
    pub predictions: Vec<Location>,
    /// The column of labels
    pub label: String,
    /// Tables of labels; none: the label is a column of the predictions
    pub labels: Vec<Location>,
    /// Columns that join labels to predictions
    pub key: Vec<String>,
    /// Columns whose values cut the rows into segments
    pub by: Vec<String>,
    /// The label of the positive class
    pub positive: Option<String>,
    /// What kind of predictions they are
    pub task: Option<Task>,
    /// The column of scores
    pub score: Option<String>,
    /// The column of predicted labels or values
    pub prediction: Option<String>,
    /// The column of groups to rank within
    pub group: Option<String>,
    /// Minimum score of the positive class, instead of the predicted labels
    pub threshold: Option<f64>,
    /// What a false positive costs
    pub cost_fp: Option<f64>,
    /// What a false negative costs
    pub cost_fn: Option<f64>,
    /// Whether what is needed to judge rows without labels is kept
    #[serde(skip)]
    pub wants_reference: bool,
}

/// What kind of predictions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Two classes, with a score of one of them
    Binary,
    /// Several classes
    Classes,
    /// Numbers
    Regression,
    /// Scores that order the rows of a group
    Ranking,
}

impl Question {
    /// Refuses what only predictions of two classes have, where this is another task.
    ///
    /// # Errors
    /// A usage error that names the flag.
    pub(super) fn refuse_ignored(&self, task: Task) -> Result<()> {
        let flags = [
            ("--positive", self.positive.is_some()),
            ("--threshold", self.threshold.is_some()),
            ("--cost-fp", self.cost_fp.is_some()),
            ("--cost-fn", self.cost_fn.is_some()),
        ];
        let ignored = flags.iter().find(|(_, is_given)| *is_given);
        let kind = match task {
            Task::Binary => return Ok(()),
            Task::Classes => "several classes",
            Task::Regression => "a regression",
            Task::Ranking => "a ranking",
        };
        ignored.map_or(Ok(()), |(flag, _)| {
            let message = format!("`{flag}` is for two classes, and the predictions are of {kind}");
            Err(Error::usage(message)
                .hint("drop the flag, or name the scores of a class with `--score COLUMN`"))
        })
    }
}
