//! What `report` was asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Reports to be shown as a page.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct ReportPage {
    /// Reports: files, globs, data sets
    #[serde(with = "crate::path_text::list")]
    pub reports: Vec<PathBuf>,
    /// The page
    #[serde(with = "crate::path_text")]
    pub output: PathBuf,
    /// Replace an existing page
    pub overwrite: bool,
    /// Show extremes of inputs, whole paths and messages about files
    pub show_values: bool,
}
