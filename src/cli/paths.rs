//! From the paths that clap parses to the locations that a request holds.
//!
//! It must not know what they name.

use std::path::PathBuf;

use crate::storage::Location;

/// The paths of one argument.
pub(super) fn locations(paths: Vec<PathBuf>) -> Vec<Location> {
    paths.into_iter().map(Location::from).collect()
}
