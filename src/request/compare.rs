//! What `compare` was asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::rows::Dialect;
use crate::monitor::compare::Question;

/// Two tables of predictions, and what is made of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Compare {
    /// The tables, and what is asked of them
    #[serde(flatten)]
    pub question: Question,
    /// Conditions on the report
    pub gate: Vec<String>,
    /// Report file
    #[serde(with = "crate::path_text::option")]
    pub output: Option<PathBuf>,
    /// Replace an existing report
    pub overwrite: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
}
