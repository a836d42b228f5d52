//! Reports as one HTML page: found, read, rendered and written.

use std::io::Write;

use super::below;
use crate::error::{Error, Result};
use crate::output::names;
use crate::package::card;
use crate::report::page::document::Options;
use crate::report::page::page;
use crate::report::stored::StoredReport;
use crate::request::report_page::ReportPage;
use crate::storage::{Location, PendingFile, find};
use crate::table::walk::{is_pattern, matched, missing};

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenPage {
    /// How many reports are on it.
    pub report_count: usize,
    /// Its size.
    pub byte_count: usize,
}

/// Writes the page that a request asks for.
///
/// # Errors
/// A usage error for a name that is not a page's; fails if a report is missing or broken, or the
/// page cannot be written.
pub fn write_page(request: &ReportPage) -> Result<WrittenPage> {
    let output = &request.output;
    let ending = output.extension().and_then(|ending| ending.to_str());
    if !ending.is_some_and(|ending| ["html", "htm"].contains(&ending)) {
        let error = Error::usage("a page is an HTML file").at_path(output);
        return Err(error.hint("end the name in `.html`"));
    }
    if !request.overwrite && find(output)?.is_some() {
        let error = Error::failed("the output exists already").at_path(output);
        return Err(error.hint("pass `--overwrite` to replace it, or choose another name"));
    }
    let mut reports = Vec::new();
    for path in &request.reports {
        for file in report_files(path)? {
            reports.extend(StoredReport::read(&file)?);
        }
    }
    let options = Options {
        show_values: request.show_values,
    };
    let text = page(&reports, card_text(&reports).as_deref(), options)?;
    let mut file = PendingFile::create(output, request.overwrite)?;
    let written = file.write_all(text.as_bytes());
    written.map_err(|error| {
        Error::failed("cannot write the page")
            .at_path(output)
            .because(error)
    })?;
    file.publish(request.overwrite)?;
    Ok(WrittenPage {
        report_count: reports.len(),
        byte_count: text.len(),
    })
}

/// The report files that an argument stands for.
fn report_files(path: &Location) -> Result<Vec<Location>> {
    let Some(found) = find(path)? else {
        if !is_pattern(path) {
            // An output that was withheld has a report all the same.
            let file = report_of_run(path, false)?;
            return file.map(|file| vec![file]).ok_or_else(|| missing(path));
        }
        let (mut files, mut without) = (Vec::new(), None);
        for matched in matched(path)? {
            if !find(&matched)?.is_some_and(|found| found.is_directory) {
                // A file that was meant is one to read, whatever it is.
                files.push(matched);
                continue;
            }
            match report_files(&matched) {
                Ok(found) => files.extend(found),
                Err(error) => without = without.or(Some(error)),
            }
        }
        return if files.is_empty() {
            Err(without.unwrap_or_else(|| missing(path)))
        } else {
            Ok(files)
        };
    };
    let is_dataset = found.is_directory;
    if !is_dataset && StoredReport::is_at(path) {
        return Ok(vec![path.to_owned()]);
    }
    if let Some(file) = report_of_run(path, is_dataset)? {
        return Ok(vec![file]);
    }
    if is_dataset {
        let mut files = below::reports(path)?;
        for data_set in below::data_sets(path)? {
            files.extend(report_of_run(&data_set, true)?);
        }
        if !files.is_empty() {
            return Ok(files);
        }
        let error = Error::failed("there is no report in the directory").at_path(path);
        return Err(error.hint("name reports, data sets, or directories that hold some"));
    }
    // Reading it gives the error that fits.
    Ok(vec![path.to_owned()])
}

/// The report next to the output of a run.
fn report_of_run(path: &Location, is_dataset: bool) -> Result<Option<Location>> {
    let named = [
        names::report(path, is_dataset),
        names::earlier::report(path, is_dataset),
        names::unfinished_report(path, is_dataset),
    ];
    for file in named {
        if find(&file)?.is_some() {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// The card of the model that scored last, where its package is at hand.
fn card_text(reports: &[StoredReport]) -> Option<String> {
    let started_at = |report: &&StoredReport| report.text("run", "started_at").map(str::to_owned);
    let last = reports
        .iter()
        .filter(|report| report.text("model", "path").is_some())
        .max_by_key(started_at)?;
    let package = Location::from(last.text("model", "path")?);
    card::read(&package).map(|text| card::prose(&text))
}
