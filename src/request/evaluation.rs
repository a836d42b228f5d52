//! What `evaluate` was asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::rows::Dialect;
use crate::monitor::evaluate::Question;

/// Predictions, labels and what is made of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Evaluation {
    /// The tables, and what is asked of them
    #[serde(flatten)]
    pub question: Question,
    /// Report file
    #[serde(with = "crate::path_text::option")]
    pub output: Option<PathBuf>,
    /// Predictions of other models for the same rows: `[NAME=]PATH`
    pub arm: Vec<String>,
    /// The metric that ranks the arms
    pub metric: Option<String>,
    /// File of what is needed to judge rows without labels
    #[serde(with = "crate::path_text::option")]
    pub save_reference: Option<PathBuf>,
    /// Replace an existing report
    pub overwrite: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
}
