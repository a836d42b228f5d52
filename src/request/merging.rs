//! What `merge` was asked for.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use crate::storage::Location;

/// Pieces of one thing, to be joined.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Merging {
    /// Profiles: files and globs
    pub inputs: Vec<Location>,
    /// The joined profile
    pub output: Location,
    /// Replace an existing output
    pub overwrite: bool,
}
