//! Publication of a data set: from files that are whole but hidden to a directory with `_SUCCESS`.
//!
//! The order is what makes it safe to be killed anywhere: the new manifest is made durable under the state (from there on the publication
//! will be finished, by this run or the next), `_SUCCESS` goes, files take their names, files that are no longer part of it go, the
//! manifest is written under its name, `_SUCCESS` comes last, and the records of the run are removed. Each step may be done again. Nothing is
//! deleted that an earlier manifest does not list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::checkpoint::{PartRecord, RunIdentity, forget, from_json, sha256_of, write_json};
use super::names::{MANIFEST, PENDING_MANIFEST, STAGED, STATE, SUCCESS, earlier, staged};
use super::table_writer::WrittenFile;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pipeline::part::RowCounts;
use crate::table::commit::{PendingFile, find, list, make_directory, remove, remove_empty_directory, rename, sync};

/// The first field of a manifest.
const FORMAT: &str = "tallow data set";

/// The version of manifests: the first lay at another path, with other names in it.
const FORMAT_VERSION: u32 = 2;

/// What a data set is: where it comes from, its parts, the account of its rows.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Manifest {
    format: String,
    format_version: u32,
    /// The run's name.
    pub run_id: String,
    /// The name of the attempt that finished it.
    #[serde(default)]
    pub invocation_id: String,
    /// When it was finished, RFC 3339, UTC.
    pub finished_at: String,
    /// What made it, from what.
    #[serde(flatten)]
    pub identity: RunIdentity,
    /// The directory that relative paths in the configuration begin at.
    #[serde(with = "crate::path_text")]
    pub working_directory: PathBuf,
    /// The options of the run, as they were given, for a run that mends this one.
    pub arguments: Json,
    /// Rows of the input in each part.
    pub rows_per_part: u64,
    /// Facts about the model.
    pub model: BTreeMap<String, String>,
    /// What the scheduler said of the run.
    pub scheduler: BTreeMap<String, String>,
    /// All rows.
    pub ledger: RowCounts,
    /// Files that could not be read and were left out, with the reason.
    pub bad_files: BTreeMap<String, String>,
    /// The parts, in order.
    pub parts: Vec<PartRecord>,
    /// The report, if it lies in the data set.
    pub report: Option<WrittenFile>,
}

impl Manifest {
    /// A manifest with nothing in it but who made it: the names of the run and of the attempt that finished it, what it worked on, how.
    #[must_use]
    pub fn new((run_id, invocation_id): (String, String), identity: RunIdentity, arguments: Json, working_directory: PathBuf) -> Self {
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            run_id,
            invocation_id,
            finished_at: crate::process::now(),
            identity,
            working_directory,
            arguments,
            rows_per_part: u64::MAX,
            model: BTreeMap::new(),
            scheduler: BTreeMap::new(),
            ledger: RowCounts::default(),
            bad_files: BTreeMap::new(),
            parts: Vec::new(),
            report: None,
        }
    }

    /// The manifest of the data set in `directory`, if there is one.
    ///
    /// # Errors
    /// Fails if it is damaged.
    pub fn find(directory: &Path) -> Result<Option<Self>> {
        match path_of(directory)? {
            Some(path) => from_json(&path).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the data set is there as this manifest says: with its last file, and every other in its size.
    ///
    /// # Errors
    /// Fails if the file system refuses to say.
    pub fn is_whole(&self, directory: &Path) -> Result<bool> {
        Ok(self.first_damaged(directory)?.is_none())
    }

    /// The first file that is not there in its size; the last file of a data set counts too.
    ///
    /// # Errors
    /// Fails if the file system refuses to say.
    pub fn first_damaged(&self, directory: &Path) -> Result<Option<String>> {
        for file in self.files() {
            if find(&directory.join(&file.path))?.is_none_or(|found| found.byte_count != file.bytes) {
                return Ok(Some(file.path.clone()));
            }
        }
        Ok(find(&directory.join(SUCCESS))?.is_none().then(|| SUCCESS.to_owned()))
    }

    /// The first file that is not there with the bytes that were written, all of which are read.
    ///
    /// # Errors
    /// Fails if a file cannot be read; [`crate::error::Kind::Signal`] if `interrupt` says so.
    pub fn first_changed(&self, directory: &Path, interrupt: &Interrupt) -> Result<Option<String>> {
        if let Some(damaged) = self.first_damaged(directory)? {
            return Ok(Some(damaged));
        }
        for file in self.files() {
            if sha256_of(&directory.join(&file.path), interrupt)? != file.sha256 {
                return Ok(Some(file.path.clone()));
            }
        }
        Ok(None)
    }

    fn files(&self) -> impl Iterator<Item = &WrittenFile> {
        self.parts.iter().flat_map(PartRecord::all_files).chain(&self.report)
    }
}

/// Publishes what is staged in `directory` as `manifest` says.
///
/// # Errors
/// Fails if a file is missing, before anything is changed, or if the file system refuses; [`recover`] then goes on where it stopped.
pub fn publish(directory: &Path, manifest: &Manifest) -> Result<()> {
    let missing = |error: Error| error.hint("run again: the parts that are gone are made again");
    manifest.files().try_for_each(|file| find_file(directory, file).map(|_| ()).map_err(missing))?;
    write_json(&directory.join(PENDING_MANIFEST), manifest)?;
    recover(directory).map(|_| ())
}

/// Where the data set's manifest lies, if it has one.
fn path_of(directory: &Path) -> Result<Option<PathBuf>> {
    for name in [MANIFEST, earlier::MANIFEST] {
        let path = directory.join(name);
        if find(&path)?.is_some() && !(name == MANIFEST && is_of_first_version(&path)) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Where the manifest of a publication lies that was begun, by this version or the first one.
fn pending(directory: &Path) -> Result<Option<PathBuf>> {
    let (own, earlier) = (directory.join(PENDING_MANIFEST), directory.join(earlier::PENDING_MANIFEST));
    if find(&own)?.is_some() {
        return Ok(Some(own));
    }
    Ok(find(&earlier)?.is_some_and(|_| is_of_first_version(&earlier)).then_some(earlier))
}

/// Whether a file is a manifest of the first version, which calls a pending one what a published one is called today.
fn is_of_first_version(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    from_json::<Version>(path).is_ok_and(|version| version.format_version == 1)
}

/// Finishes a publication that was begun; says whether there was one.
///
/// # Errors
/// Fails if the file system refuses or a file is missing.
pub fn recover(directory: &Path) -> Result<bool> {
    let Some(pending) = pending(directory)? else { return Ok(false) };
    let manifest: Manifest = from_json(&pending)?;
    remove(&directory.join(SUCCESS))?;
    for file in manifest.files() {
        reveal(directory, file)?;
    }
    remove_old_files(directory, &manifest)?;
    let is_earlier = pending == directory.join(earlier::PENDING_MANIFEST);
    if is_earlier {
        write_json(&directory.join(earlier::MANIFEST), &manifest)?;
    } else {
        write_json(&directory.join(MANIFEST), &manifest)?;
        remove(&directory.join(earlier::MANIFEST))?;
    }
    PendingFile::create(&directory.join(SUCCESS), true)?.publish(true)?;
    forget(directory)?;
    if is_earlier { remove(&pending).map(|()| true) } else { Ok(true) }
}

/// Takes back a publication that was begun and cannot be finished; finishes one that can.
///
/// # Errors
/// Fails if the file system refuses.
pub fn abandon(directory: &Path) -> Result<()> {
    let Some(pending) = pending(directory)?.filter(|_| recover(directory).is_err()) else { return Ok(()) };
    // Which files it gave names, only its manifest says; one that cannot be read gave none that another run would not replace or keep.
    if let Ok(manifest) = from_json::<Manifest>(&pending) {
        remove(&directory.join(SUCCESS))?;
        manifest.files().try_for_each(|file| remove(&directory.join(&file.path)))?;
    }
    remove(&pending)
}

/// Where a file lies: still hidden, or under its name.
fn find_file(directory: &Path, file: &WrittenFile) -> Result<PathBuf> {
    let path = directory.join(&file.path);
    for hidden in [staged(directory, &file.path), directory.join(STAGED).join(&file.path)] {
        if find(&hidden)?.is_some() {
            return Ok(hidden);
        }
    }
    if find(&path)?.is_some_and(|found| found.byte_count == file.bytes) {
        return Ok(path);
    }
    Err(Error::failed("a finished file of the data set is gone").at_path(path).hint("pass `--restart` to make the data set again"))
}

/// Gives a staged file its name, unless it has it already.
fn reveal(directory: &Path, file: &WrittenFile) -> Result<()> {
    let (found, path) = (find_file(directory, file)?, directory.join(&file.path));
    if found == path {
        return Ok(());
    }
    path.parent().map_or(Ok(()), make_directory)?;
    rename(&found, &path)?;
    path.parent().map_or(Ok(()), sync)
}

/// Removes the files that the manifest before listed and this one does not.
fn remove_old_files(directory: &Path, manifest: &Manifest) -> Result<()> {
    let Some(before) = Manifest::find(directory)? else { return Ok(()) };
    let kept: BTreeSet<&str> = manifest.files().map(|file| file.path.as_str()).collect();
    for file in before.files().filter(|file| !kept.contains(file.path.as_str())) {
        let path = directory.join(&file.path);
        remove(&path)?;
        path.ancestors().skip(1).take_while(|above| *above != directory).for_each(remove_empty_directory);
    }
    Ok(())
}

/// Checks that a data set may be written to `directory`: it is missing, empty, or holds nothing but a data set of ours.
///
/// # Errors
/// Fails if it holds anything else; what tallow has not written it does not delete.
pub fn check_directory(directory: &Path) -> Result<()> {
    let is_foreign = |path: &PathBuf| !path.file_name().is_some_and(|name| matches!(name.as_encoded_bytes().first(), Some(b'_' | b'.')));
    let holds_files = match find(directory)? {
        None => false,
        Some(found) if !found.is_directory => return Err(Error::failed("the output is a file, not a directory").at_path(directory)),
        Some(_) => list(directory)?.iter().any(is_foreign),
    };
    if holds_files && Manifest::find(directory)?.is_none() && find(&directory.join(STATE))?.is_none() {
        let error = Error::failed("the directory holds files that are no data set of tallow's").at_path(directory);
        return Err(error.hint("choose a directory that is empty or not there yet"));
    }
    Ok(())
}
