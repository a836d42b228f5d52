//! What `compare` was asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use super::rows::Dialect;
use crate::monitor::compare::Question;
use crate::storage::Location;

/// Two tables of predictions, and what is made of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Compare {
    /// The tables, and what is asked of them
    #[serde(flatten)]
    pub question: Question,
    /// Whether the change is divided between data and model
    pub attribute: bool,
    /// Conditions on the report
    pub gate: Vec<String>,
    /// Whether a whole interval must meet a gate
    pub strict_gates: bool,
    /// Report file
    pub output: Option<Location>,
    /// Replace an existing report
    pub overwrite: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
}
