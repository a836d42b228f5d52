//! What `profile` and `drift` were asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use super::rows::Dialect;
use super::work::Binding;
use crate::storage::Location;

/// Tables to be profiled.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Profiling {
    /// Tables: files, globs and directories
    pub inputs: Vec<Location>,
    /// The model whose inputs are profiled
    pub model: Option<Location>,
    /// How columns meet the model
    #[serde(flatten)]
    pub binding: Binding,
    /// Profile file
    pub output: Location,
    /// Replace an existing profile
    pub overwrite: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
    /// Ceiling on memory
    pub memory: Option<String>,
}

/// A tool for drift whose numbers can be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// Evidently
    Evidently,
    /// `NannyML`
    NannyMl,
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
    /// The tool whose numbers are computed instead
    pub compat: Option<Compat>,
    /// Conditions on what is found
    pub gate: Vec<String>,
    /// Whether a gate that cannot be decided fails
    pub strict_gates: bool,
    /// Report file
    pub output: Option<Location>,
    /// Replace an existing report
    pub overwrite: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
}
