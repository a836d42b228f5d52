//! What `evaluate` was asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use super::rows::Dialect;
use crate::monitor::evaluate::Question;
use crate::storage::Location;

/// Predictions, labels and what is made of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Evaluation {
    /// The tables, and what is asked of them
    #[serde(flatten)]
    pub question: Question,
    /// The package whose gates are judged too
    pub model: Option<Location>,
    /// The registry of models that names are looked up in
    pub registry: Option<Location>,
    /// Conditions on the report
    pub gate: Vec<String>,
    /// Whether a whole interval must meet a gate
    pub strict_gates: bool,
    /// Report file
    pub output: Option<Location>,
    /// Predictions of other models for the same rows: `[NAME=]PATH`
    pub arm: Vec<String>,
    /// The metric that ranks the arms
    pub metric: Option<String>,
    /// File of what is needed to judge rows without labels
    pub save_reference: Option<Location>,
    /// Replace an existing report
    pub overwrite: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
}
