//! What `report` was asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use crate::storage::Location;

/// Reports to be shown as a page.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct ReportPage {
    /// Reports: files, globs, data sets
    pub reports: Vec<Location>,
    /// The page
    pub output: Location,
    /// Replace an existing page
    pub overwrite: bool,
    /// Show extremes of inputs, whole paths and messages about files
    pub show_values: bool,
}
