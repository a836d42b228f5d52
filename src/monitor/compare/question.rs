//! What a comparison is asked.
//!
//! Owns the tables, their columns, and what counts as alike. It must not know how they are typed.

use serde::{Deserialize, Serialize};

use crate::monitor::evaluate::Task;
use crate::storage::Location;

/// Two tables of predictions and what is compared of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Question {
    /// Predictions of one model or run: a file, a glob or a directory
    pub first: Location,
    /// Predictions of the other
    pub second: Location,
    /// Columns that join the rows of both; none: rows are joined by their order
    pub key: Vec<String>,
    /// The column of labels; none: there are no labels
    pub label: Option<String>,
    /// Tables of labels; none: the label is a column of the first table
    pub labels: Vec<Location>,
    /// Columns of the first table whose values cut the rows into segments
    pub by: Vec<String>,
    /// The label of the positive class
    pub positive: Option<String>,
    /// What kind of predictions they are
    pub task: Option<Task>,
    /// The column of scores
    pub score: Option<String>,
    /// The column of predicted labels or values
    pub prediction: Option<String>,
    /// Minimum score of the positive class, instead of the predicted labels
    pub threshold: Option<f64>,
    /// How far apart two numbers are that agree
    pub tolerance: f64,
    /// The metric that decides
    pub metric: Option<String>,
    /// By how much the second may be worse and still counts as not inferior
    pub margin: Option<f64>,
    /// How many of the most moved rows are listed
    pub moved: usize,
}
