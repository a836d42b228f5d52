//! What runs left below a directory that is none of theirs: data sets, and reports of files.
//!
//! Owns the search. Answers of challengers are passed over, unless their own directory was named.
//! It must not know what is done with what is found.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::output::names::{STATE, earlier};
use crate::report::stored::{REPORT_ENDING, StoredReport};
use crate::storage::{Location, canonical, find_below, list, metadata};
use crate::table::challenger::{is_answers, is_named_so};
use crate::table::location::resolve_present;

/// The data sets below a directory, finished or not, sorted by path.
///
/// # Errors
/// Fails if a directory may not be read.
pub(super) fn data_sets(directory: &Location) -> Result<Vec<Location>> {
    let mut found = Vec::new();
    search(directory, false, &mut BTreeSet::new(), &mut found)?;
    Ok(found)
}

fn search(
    directory: &Location,
    was_found: bool,
    seen: &mut BTreeSet<Location>,
    found: &mut Vec<Location>,
) -> Result<()> {
    // A link may lead back.
    if !seen.insert(canonical(directory)?) {
        return Ok(());
    }
    let may_hold_answers = was_found && directory.file_name().is_some_and(is_named_so);
    let mut entries = list(directory)?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().as_encoded_bytes();
        let is_hidden = matches!(name.first(), Some(b'_' | b'.'));
        if is_hidden || !metadata(&entry)?.is_directory || may_hold_answers && is_answers(&entry) {
            continue;
        }
        if is_data_set(&entry)? {
            found.push(entry);
        } else {
            search(&entry, true, seen, found)?;
        }
    }
    Ok(())
}

fn is_data_set(directory: &Location) -> Result<bool> {
    let has = |name: &str| find_below(directory, name).map(|found| found.is_some());
    Ok(has(STATE)? || has(earlier::MANIFEST)?)
}

/// The reports of files below a directory, by their names or by what they hold.
///
/// # Errors
/// Fails if a directory may not be read.
pub(super) fn reports(directory: &Location) -> Result<Vec<Location>> {
    let is_report = |file: &Location| {
        file.to_string_lossy().ends_with(REPORT_ENDING) || StoredReport::is_at(file)
    };
    let mut files = resolve_present(directory)?;
    files.retain(is_report);
    Ok(files)
}
