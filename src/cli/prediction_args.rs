//! Which columns of a table are predictions, and of what: flags that clap derives.

use clap::{Args, ValueEnum};

use crate::monitor::evaluate::Task;

/// The columns of predictions.
#[derive(Clone, Debug, Args)]
pub struct PredictionArgs {
    /// Kind of predictions [default: by the columns]
    #[arg(long, value_enum, value_name = "TASK", help_heading = "Predictions")]
    pub task: Option<TaskArg>,
    /// Column of scores [default: `probability`; for ranking `prediction`]
    #[arg(
        long,
        value_name = "COLUMN",
        allow_hyphen_values = true,
        help_heading = "Predictions"
    )]
    pub score: Option<String>,
    /// Column of predicted labels or values [default: `prediction`]
    #[arg(
        long,
        value_name = "COLUMN",
        allow_hyphen_values = true,
        help_heading = "Predictions"
    )]
    pub prediction: Option<String>,
    /// Minimum score of the positive class, instead of the predicted labels
    #[arg(
        long,
        value_name = "SCORE",
        allow_negative_numbers = true,
        help_heading = "Predictions"
    )]
    pub threshold: Option<f64>,
}

/// Kind of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TaskArg {
    /// Two classes, with a score of one of them
    Binary,
    /// Several classes
    Classes,
    /// Numbers
    Regression,
    /// Scores that order the rows of a group
    Ranking,
}

impl From<TaskArg> for Task {
    fn from(task: TaskArg) -> Self {
        match task {
            TaskArg::Binary => Self::Binary,
            TaskArg::Classes => Self::Classes,
            TaskArg::Regression => Self::Regression,
            TaskArg::Ranking => Self::Ranking,
        }
    }
}
