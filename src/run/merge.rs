//! Profiles of parts of the data become the profile of all of it.

use std::collections::HashMap;

use super::report_path::refuse_taken;
use crate::error::{Error, Result};
use crate::monitor::profile::Profile;
use crate::monitor::profile_table::read_profile;
use crate::output::profile as profile_file;
use crate::request::merging::Merging;
use crate::storage::Location;
use crate::table::location::{Located, locate};
use crate::table::origin::{of_file, of_files};
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
    refuse_models(&files)?;
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
    let model = of_files(files.iter().map(|file| &file.path));
    profile_file::create(path, request.overwrite, &merged, model.as_ref())?;
    Ok((merged, files.len()))
}

/// Refuses profiles that name different models.
fn refuse_models(files: &[Located]) -> Result<()> {
    let mut named = files
        .iter()
        .filter_map(|file| Some((of_file(&file.path)?, &file.path)));
    let Some((first, path)) = named.next() else {
        return Ok(());
    };
    let Some((other, other_path)) = named.find(|(other, _)| other.is_other_than(&first)) else {
        return Ok(());
    };
    let message = format!(
        "the profile is of the model {}, and `{}` of {}",
        other.title(),
        path.display(),
        first.title()
    );
    let hint = "merge the profiles of each model apart: scores of two models are not one column";
    Err(Error::contract(message).at_path(other_path).hint(hint))
}
