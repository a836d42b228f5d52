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
use crate::table::origin::{Origin, of_file};
use crate::table::output_format::OutputFormat;

/// Merges profiles and writes the one of all their rows; returns it, and how many there were.
///
/// # Errors
/// A usage error for a profile that is named twice; a contract error for profiles of several
/// models; fails if one is broken or of other columns.
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
    let mut model: Option<(Origin, Location)> = None;
    let mut is_of_one = true;
    for file in &files {
        let profile = read_profile(&file.path)?;
        if let Some(first) = seen.insert(profile.digest(), file.path.clone()) {
            let error = Error::usage(format!(
                "the profile is the same as `{}`, whose rows would count twice",
                first.display()
            ));
            return Err(error.at_path(&file.path).hint("name each profile once"));
        }
        let origin = of_file(&file.path);
        is_of_one &= origin.is_some();
        if let Some(origin) = origin {
            match &model {
                None => model = Some((origin, file.path.clone())),
                Some((first, path)) if origin.is_other_than(first) => {
                    let message = format!(
                        "the profile is of the model {}, and `{}` of {}",
                        origin.title(),
                        path.display(),
                        first.title()
                    );
                    return Err(Error::contract(message).at_path(&file.path).hint(
                        "merge the profiles of each model apart: scores of two models are not one \
                         column",
                    ));
                }
                Some((first, _)) => is_of_one &= origin == *first,
            }
        }
        match &mut merged {
            Some(merged) => merged
                .merge(&profile)
                .map_err(|error| error.at_path(&file.path))?,
            None => merged = Some(profile),
        }
    }
    let merged = merged.ok_or_else(|| Error::usage("no profile to merge"))?;
    let model = model.filter(|_| is_of_one).map(|(model, _)| model);
    profile_file::create(path, request.overwrite, &merged, model.as_ref())?;
    Ok((merged, files.len()))
}
