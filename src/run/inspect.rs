//! What a path is: a model, tables, a data set, a report or a profile.
//!
//! Owns the order in which it is tried to be one of these. It must not know how it is shown.

use crate::error::{Error, Result};
use crate::format::{ImportOptions, NOT_TRUSTED, is_unknown};
use crate::interrupt::Interrupt;
use crate::monitor::profile::Profile;
use crate::monitor::profile_table::{is_profile, profile_of};
use crate::output::manifest::Manifest;
use crate::output::names::IDENTITY;
use crate::package::open::{MODEL_MARKS, OpenedModel, open};
use crate::plan::effect::refuse_trees;
use crate::plan::options::tree_selection;
use crate::plan::reading::dialect_options;
use crate::report::stored::{StoredReport, is_report};
use crate::request::inspection::Inspection;
use crate::storage::{Location, find, read_head};
use crate::table::csv_guess::looks_delimited;
use crate::table::dataset::Dataset;
use crate::table::location::locate;
use crate::table::walk::{is_pattern, missing};
use crate::table::{FORMATS, ReadOptions, content, lake};

/// What a path is.
#[derive(Debug)]
pub enum Inspected {
    /// A model or a package.
    Model(Box<OpenedModel>),
    /// Files of tables with one schema.
    Tables(Box<Dataset>),
    /// A data set that tallow wrote.
    DataSet(Box<WrittenDataSet>),
    /// A report of one run or several; there is at least one.
    Report(Vec<StoredReport>),
    /// A profile.
    Profile(Box<StoredProfile>),
}

/// A profile in a file.
#[derive(Debug)]
pub struct StoredProfile {
    /// The file.
    pub path: Location,
    /// The size of the file.
    pub byte_count: u64,
    /// What it holds.
    pub profile: Profile,
}

/// A data set that tallow wrote.
#[derive(Debug)]
pub struct WrittenDataSet {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Whether all of its files are there, in their sizes.
    pub is_whole: bool,
    /// Its tables; none where no part has a row.
    pub tables: Option<Dataset>,
}

/// Finds out what a path is.
///
/// # Errors
/// Fails if nothing is there, if it is nothing that tallow knows, or broken.
pub fn inspect(request: &Inspection) -> Result<Inspected> {
    let Inspection {
        path, trees, text, ..
    } = request;
    let reading = dialect_options(text, &[])?;
    let options = ImportOptions {
        trees: tree_selection(trees.as_deref())?,
        for_inspection: true,
        describes_untrusted: true,
        ..ImportOptions::default()
    };
    let found = match find(path)? {
        Some(found) => found,
        None if is_pattern(path) => return tables(path, &reading),
        None => return Err(missing(path)),
    };
    if found.is_directory {
        lake::refuse(path)?;
        if let Some(manifest) = Manifest::find(path)? {
            refuse_trees(trees.as_deref(), None)?;
            return data_set(path, manifest);
        }
        refuse_unfinished(path)?;
    } else {
        lake::refuse_catalog(path)?;
    }
    if is_data(path, found.is_directory)? {
        refuse_trees(trees.as_deref(), None)?;
        return tables(path, &reading);
    }
    let opened = open(path, &options).map_err(|error| neither(error, path))?;
    refuse_trees(trees.as_deref(), Some(opened.loaded.model.family()))?;
    Ok(Inspected::Model(Box::new(opened)))
}

/// Refuses what a file would call if Python loaded it, once it is shown.
///
/// # Errors
/// A trust error that names the calls.
pub fn refuse_untrusted(inspected: &Inspected) -> Result<()> {
    let Inspected::Model(opened) = inspected else {
        return Ok(());
    };
    let mut facts = opened.loaded.description.facts.iter();
    if !facts.any(|(name, _)| name == NOT_TRUSTED) {
        return Ok(());
    }
    let options = ImportOptions {
        for_inspection: true,
        ..ImportOptions::default()
    };
    open(&opened.path, &options).map(drop)
}

/// Refuses a directory in which a run is not finished.
///
/// # Errors
/// A contract error that says how the run goes on.
pub(super) fn refuse_unfinished(path: &Location) -> Result<()> {
    if find(path.join(IDENTITY))?.is_none() {
        return Ok(());
    }
    let error =
        Error::contract("the directory holds a data set that is not finished").at_path(path);
    Err(error.hint("the same `tallow score` goes on where it stopped; `--restart` starts over"))
}

/// A file that a table format recognises by its content or, failing all model formats, by its name;
/// or a directory of such files.
fn is_data(path: &Location, is_directory: bool) -> Result<bool> {
    if is_directory {
        for mark in MODEL_MARKS {
            if find(path.join(mark))?.is_some() {
                return Ok(false);
            }
        }
        let found = locate(&[path.to_owned()], false);
        return Ok(found.is_ok_and(|found| {
            found
                .files
                .iter()
                .all(|file| recognised(&file.path).unwrap_or(false))
        }));
    }
    recognised(path)
}

fn recognised(path: &Location) -> Result<bool> {
    let head = read_head(path)?;
    let is_text_model = head.starts_with(b"tree\n") || head.trim_ascii_start().starts_with(b"{");
    let of_table = FORMATS
        .iter()
        .map(|format| format.reader)
        .find(|reader| reader.recognises(&head, path));
    // Any text may be delimited: a name says that it is, or its lines do.
    let is_named = FORMATS
        .iter()
        .any(|format| format.reader.recognises(&[], path));
    Ok(!is_text_model
        && of_table.is_some_and(|reader| reader.has_magic() || is_named || looks_delimited(&head)))
}

/// What is not a model may be text that is not a table either.
fn neither(error: Error, path: &Location) -> Error {
    let is_text = read_head(path).is_ok_and(|head| {
        std::str::from_utf8(&head[..head.len().min(1024)]).is_ok_and(|_| !head.contains(&0))
    });
    let is_unknown = is_unknown(&error);
    if let Some(other) = read_head(path)
        .ok()
        .filter(|_| is_unknown)
        .and_then(|head| content::refusal(&head, path))
    {
        return other;
    }
    if is_unknown && is_text {
        return Error::contract("the file is neither a model nor a table that tallow knows")
            .at_path(path)
            .hint(
                "delimited text has the same number of fields in every line, or a name that ends \
                 in `.csv`, `.tsv` or `.txt`",
            );
    }
    error
}

/// Tables, or the one table that is a report or a profile.
fn tables(path: &Location, reading: &ReadOptions) -> Result<Inspected> {
    let dataset = Dataset::open(&locate(&[path.to_owned()], false)?.files, &[], reading)?;
    match dataset.files.as_slice() {
        [file] if is_report(&dataset.schema()) => {
            let reports = StoredReport::read(&file.path)?;
            if reports.is_empty() {
                return Err(Error::internal("a report without a run"));
            }
            Ok(Inspected::Report(reports))
        }
        [file] if is_profile(&dataset.schema()) => {
            let (path, byte_count) = (file.path.clone(), file.table.identity().byte_count());
            let files = std::slice::from_ref(&path);
            let profile = profile_of(files, reading, &Interrupt::default())?;
            Ok(Inspected::Profile(Box::new(StoredProfile {
                path,
                byte_count,
                profile,
            })))
        }
        _ => Ok(Inspected::Tables(Box::new(dataset))),
    }
}

fn data_set(path: &Location, manifest: Manifest) -> Result<Inspected> {
    // Without a row there may be no part to take columns from.
    let found = locate(&[path.to_owned()], false).ok();
    let tables = found
        .map(|found| Dataset::open(&found.files, &[], &ReadOptions::default()))
        .transpose()?;
    Ok(Inspected::DataSet(Box::new(WrittenDataSet {
        is_whole: manifest.is_whole(path)?,
        manifest,
        tables,
    })))
}
