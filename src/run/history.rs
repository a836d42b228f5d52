//! The runs that data sets, outputs and reports record.
//!
//! Owns where a run is recorded: a data set's manifest and report, and the report of a file. It
//! must not know how the list is shown.

use super::{below, challenger_record, record};
use crate::error::{Error, Result};
use crate::output::manifest::Manifest;
use crate::output::names;
use crate::package::Resolved;
use crate::report::history::{RecordedRun, model_text};
use crate::report::stored::StoredReport;
use crate::storage::{Location, find};
use crate::table::origin::{MODEL_NAME, MODEL_VERSION};
use crate::table::parquet::footer_value;

/// The runs of all paths, the oldest first; and an error for each path without one, if others have
/// some.
///
/// # Errors
/// Fails if no path has a record of a run, or one cannot be read.
pub fn runs(paths: &[Location]) -> Result<(Vec<RecordedRun>, Vec<Error>)> {
    let (mut runs, mut without) = (Vec::new(), Vec::new());
    for path in paths {
        let found = of_path(path)?;
        if found.runs.is_empty() && found.without.is_empty() {
            without.push(no_record(path));
        }
        runs.extend(found.runs);
        without.extend(found.without);
    }
    if runs.is_empty() && !without.is_empty() {
        return Err(without.remove(0));
    }
    runs.sort_by(|left, right| (&left.time, &left.run_id).cmp(&(&right.time, &right.run_id)));
    runs.dedup();
    Ok((runs, without))
}

/// What a path records.
#[derive(Default)]
struct Found {
    runs: Vec<RecordedRun>,
    /// Why something in it is no record.
    without: Vec<Error>,
}

impl From<Vec<RecordedRun>> for Found {
    fn from(runs: Vec<RecordedRun>) -> Self {
        Self {
            runs,
            ..Self::default()
        }
    }
}

fn of_path(path: &Location) -> Result<Found> {
    let found = find(path)?
        .ok_or_else(|| Error::failed("there is no such file or directory").at_path(path))?;
    if found.is_directory {
        return of_directory(path);
    }
    if let Some(run) = of_challenger(path)? {
        return Ok(vec![run].into());
    }
    let report = names::report(path, false);
    let error = match StoredReport::read(path) {
        Ok(reports) => return Ok(of_reports(&reports, path).into()),
        Err(error) => error,
    };
    if find(&report)?.is_none() {
        return Ok(Found {
            without: vec![no_record(path).because(error)],
            ..Found::default()
        });
    }
    Ok(of_reports(&StoredReport::read(&report)?, &report).into())
}

/// The run of a data set, or those of all data sets and reports below a directory that is none.
fn of_directory(path: &Location) -> Result<Found> {
    if let Some(manifest) = Manifest::find(path)? {
        return Ok(of_manifest(&manifest, path).into());
    }
    let mut found = Found::default();
    for data_set in below::data_sets(path)? {
        match Manifest::find(&data_set) {
            Ok(manifest) => found.runs.extend(
                manifest
                    .iter()
                    .flat_map(|manifest| of_manifest(manifest, &data_set)),
            ),
            Err(error) => found.without.push(error),
        }
    }
    // What else lies there need not be tables.
    match below::reports(path) {
        Ok(reports) => reports
            .iter()
            .for_each(|report| match StoredReport::read(report) {
                Ok(stored) => found.runs.extend(of_reports(&stored, report)),
                Err(error) => found.without.push(error),
            }),
        Err(error) if error.system_error().is_some() => found.without.push(error),
        // A directory without tables has no reports either.
        Err(_) => {}
    }
    Ok(found)
}

/// The runs of reports; who acted is in the record of the last one, in the footer of `file`.
fn of_reports(reports: &[StoredReport], file: &Location) -> Vec<RecordedRun> {
    let record = record::of_report(file);
    let run = |report| {
        let run = RecordedRun::of_report(report);
        let own = record.as_ref().filter(|record| record.run_id == run.run_id);
        let output = if run.output.is_empty() {
            file.display().to_string()
        } else {
            run.output
        };
        RecordedRun {
            actor: own.map_or(run.actor, |record| record.actor.clone()),
            output,
            ..run
        }
    };
    reports.iter().map(run).collect()
}

/// The run that finished a data set; its report, which may hold earlier ones, adds those.
fn of_manifest(manifest: &Manifest, path: &Location) -> Vec<RecordedRun> {
    let report = names::report(path, true);
    let reports = StoredReport::read(&report).unwrap_or_default();
    let earlier = reports.len().saturating_sub(1);
    let mut runs: Vec<RecordedRun> = reports[..earlier]
        .iter()
        .map(RecordedRun::of_report)
        .collect();
    runs.push(finished(manifest, path));
    runs
}

/// The run that made the answers in a challenger's file, by the record of the run it was in; none
/// if the file is not a challenger's.
fn of_challenger(path: &Location) -> Result<Option<RecordedRun>> {
    let Some((manifest, _)) = challenger_record::of_file(path)? else {
        return Ok(None);
    };
    let own = |key: &str| footer_value(path, key);
    Ok(Some(RecordedRun {
        model: model_text(
            &own(MODEL_NAME).unwrap_or_default(),
            own(MODEL_VERSION).as_deref(),
        ),
        ..finished(&manifest, path)
    }))
}

/// A run that came to its end.
fn finished(manifest: &Manifest, path: &Location) -> RecordedRun {
    let registered = manifest.identity.model_version.as_ref();
    RecordedRun {
        time: manifest.finished_at.clone(),
        actor: manifest.actor.clone(),
        status: "done".to_owned(),
        model: model_text(
            manifest.model.get("name").map_or("", String::as_str),
            manifest.model.get("version").map(String::as_str),
        ),
        registered: registered.map(Resolved::name),
        log_head: registered.map(|resolved| resolved.log_head.clone()),
        model_digest: manifest.identity.model_digest.clone(),
        rows: Some(manifest.ledger.rows_in),
        output: path.display().to_string(),
        run_id: manifest.run_id.clone(),
        tool_version: manifest.identity.tool_version.clone(),
    }
}

fn no_record(path: &Location) -> Error {
    Error::failed("no run is recorded here")
        .at_path(path)
        .hint("name a data set, a report, or an output that has its report next to it")
}
