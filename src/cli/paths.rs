//! From the paths that clap parses, or that a job file holds, to the locations of a request.
//!
//! It must not know what they name.

use std::path::PathBuf;

use crate::storage::{Location, canonical};

/// The paths of one argument.
pub(super) fn locations(paths: Vec<PathBuf>) -> Vec<Location> {
    paths.into_iter().map(Location::from).collect()
}

/// The same file from another directory: `out` in `.` for `../out` in `jobs`, unless `jobs` is a
/// link to somewhere else.
pub(super) fn without_detour(mut directory: Location, mut path: Location) -> (Location, Location) {
    let same = |one: &Location, other: &Location| {
        canonical(one).is_ok_and(|one| canonical(other).is_ok_and(|other| one == other))
    };
    while let Some(rest) = path.to_str().and_then(|text| text.strip_prefix("../")) {
        let above = directory.directory();
        if directory.file_name().is_none() || !same(&above, &directory.join("..")) {
            break;
        }
        path = Location::from(rest);
        directory = if above == "." {
            Location::default()
        } else {
            above
        };
    }
    (directory, path)
}
