//! Profiles of parts of the data become the profile of all of it.

use std::collections::HashMap;

use super::report_path::refuse_taken;
use crate::error::{Error, Result};
use crate::monitor::profile::Profile;
use crate::monitor::profile_table::read_profile;
use crate::output::profile as profile_file;
use crate::request::merging::Merging;
use crate::storage::Location;
use crate::table::location::locate;
use crate::table::output_format::OutputFormat;

/// Merges profiles and writes the one of all their rows; returns it, and how many there were.
///
/// # Errors
/// A usage error for a profile that is named twice; fails if one is broken or of other columns.
pub fn merge(request: &Merging) -> Result<(Profile, usize)> {
    let path = &request.output;
    if OutputFormat::of_name(path)? != OutputFormat::parquet() {
        let error = Error::usage("a profile is a Parquet file").at_path(path);
        return Err(error.hint("end the name in `.parquet` or `.pq`"));
    }
    refuse_taken(path, request.overwrite, &request.inputs)?;
    let files = locate(&request.inputs, false)?.files;
    let mut seen: HashMap<u128, Location> = HashMap::new();
    let mut merged: Option<Profile> = None;
    for file in &files {
        let profile = read_profile(&file.path)?;
        if let Some(first) = seen.insert(profile.digest(), file.path.clone()) {
            let error = Error::usage(format!(
                "the profile is the same as `{}`, whose rows would count twice",
                first.display()
            ));
            return Err(error.at_path(&file.path).hint("name each profile once"));
        }
        match &mut merged {
            Some(merged) => merged
                .merge(&profile)
                .map_err(|error| error.at_path(&file.path))?,
            None => merged = Some(profile),
        }
    }
    let merged = merged.ok_or_else(|| Error::usage("no profile to merge"))?;
    profile_file::create(path, request.overwrite, &merged)?;
    Ok((merged, files.len()))
}
