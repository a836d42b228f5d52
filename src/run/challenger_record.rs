//! The record of a challenger's answers: what a run would have to be asked for to give them alone.
//!
//! Owns how that is made of the record of the run that the challenger was in: a data set of a
//! challenger has a manifest of its own, and of a single file the footer names the run. It must not
//! know what is done with records.

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::output::manifest::Manifest;
use crate::output::names;
use crate::output::table_writer::WrittenFile;
use crate::package::Resolved;
use crate::request::challenger::{Challengers, name_of, split_name};
use crate::storage::Location;
use crate::table::challenger::{CHALLENGER, CHAMPION};
use crate::table::origin::{MODEL_DIGEST, RUN_ID};
use crate::table::parquet::footer_value;

use super::record::{of_report, only_part};

/// Whether a data set holds the answers of a challenger.
pub(super) fn is_of_challenger(manifest: &Manifest) -> bool {
    manifest.identity.configuration.contains_key(CHAMPION)
}

/// The request of a run, changed into one of the challenger alone.
pub(super) fn alone(
    mut request: Map<String, Json>,
    model: &Location,
    output: &Location,
    resolved: Option<&Resolved>,
) -> Map<String, Json> {
    request.retain(|name, _| !name.contains("challenger") && !name.starts_with("split"));
    request.insert("model".to_owned(), model.text().into());
    request.insert("output".to_owned(), output.text().into());
    request.remove("resolved");
    if let Some(resolved) = resolved
        && let Ok(resolved) = serde_json::to_value(resolved)
    {
        request.insert("resolved".to_owned(), resolved);
    }
    request
}

/// The record of the answers in a challenger's file, with the output of its run; none if the file
/// is not a challenger's.
///
/// # Errors
/// Fails if the run's report is not next to its output, or is of another run.
pub(super) fn of_file(path: &Location) -> Result<Option<(Manifest, Location)>> {
    let Some(name) = footer_value(path, CHALLENGER) else {
        return Ok(None);
    };
    let Some(output) = names::challenged(path) else {
        return Err(
            Error::failed("the challenger's file was moved away from its run")
                .at_path(path)
                .hint("leave it in the directory `OUTPUT.challengers`"),
        );
    };
    let report = names::report(&output, false);
    let run_id = footer_value(path, RUN_ID);
    let record = of_report(&report).filter(|record| run_id.as_ref() == Some(&record.run_id));
    let Some(mut manifest) = record else {
        let error = Error::failed("the run of the challenger is not recorded").at_path(path);
        return Err(error.hint(format!(
            "its report, `{}`, is missing or of another run",
            report.display()
        )));
    };
    let damaged = || Error::failed("the run's record does not name the challenger").at_path(path);
    let Json::Object(request) = std::mem::take(&mut manifest.request) else {
        return Err(damaged());
    };
    let made: Challengers = serde_json::from_value(Json::Object(request.clone()))
        .map_err(|error| damaged().because(error))?;
    let index = made
        .challenger
        .iter()
        .position(|text| name_of(text) == name);
    let index = index.ok_or_else(damaged)?;
    let resolved = made.resolved_challengers.get(index).cloned().flatten();
    let (_, model) = split_name(&made.challenger[index]);
    manifest.request = alone(request, &model, path, resolved.as_ref()).into();
    manifest.identity.model_digest = footer_value(path, MODEL_DIGEST).unwrap_or_default();
    manifest.identity.model_version = resolved;
    // The digest of the file is recorded nowhere.
    manifest.parts = vec![only_part(path, WrittenFile::default())];
    Ok(Some((manifest, output)))
}
