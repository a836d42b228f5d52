//! What `profile` and `drift` were asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::rows::Dialect;

/// Tables to be profiled.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Profiling {
    /// Tables: files, globs and directories
    #[serde(with = "crate::path_text::list")]
    pub inputs: Vec<PathBuf>,
    /// Profile file
    #[serde(with = "crate::path_text")]
    pub output: PathBuf,
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
    #[serde(with = "crate::path_text")]
    pub baseline: PathBuf,
    /// A profile, or a table
    #[serde(with = "crate::path_text")]
    pub current: PathBuf,
    /// Limit of the Jensen–Shannon distance
    pub max_js: Option<f64>,
    /// Limit of the Kolmogorov–Smirnov distance
    pub max_ks: Option<f64>,
    /// Report file
    #[serde(with = "crate::path_text::option")]
    pub output: Option<PathBuf>,
    /// Replace an existing report
    pub overwrite: bool,
    /// How delimited text is read
    #[serde(flatten)]
    pub text: Dialect,
}
