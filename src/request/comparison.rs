//! What `profile` and `drift` were asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use super::rows::Dialect;
use crate::storage::Location;

/// Tables to be profiled.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Profiling {
    /// Tables: files, globs and directories
    pub inputs: Vec<Location>,
    /// Profile file
    pub output: Location,
    /// Replace an existing profile
    pub overwrite: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
}

/// A baseline and what is compared with it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Comparison {
    /// A profile, or a table
    pub baseline: Location,
    /// A profile, or a table
    pub current: Location,
    /// Limit of the Jensen–Shannon distance
    pub max_js: Option<f64>,
    /// Limit of the Kolmogorov–Smirnov distance
    pub max_ks: Option<f64>,
    /// Report file
    pub output: Option<Location>,
    /// Replace an existing report
    pub overwrite: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
}
