//! The manifest of a data set: where it comes from, its parts, the account of its rows.
//!
//! Owns what a manifest lists and whether a directory still holds it. How one comes to be under its
//! name is `publication`'s.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::checkpoint::{PartRecord, sha256_of};
use super::identity::RunIdentity;
use super::names::{MANIFEST, SUCCESS, earlier};
use super::records::from_json;
use super::table_writer::WrittenFile;
use crate::digest::from_hexadecimal;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pipeline::part::RowCounts;
use crate::storage::{Location, files_below, find_below};

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
    /// Who ran it: `ann@host`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// When it was finished, RFC 3339, UTC.
    pub finished_at: String,
    /// What made it, from what.
    #[serde(flatten)]
    pub identity: RunIdentity,
    /// The directory that relative paths in the configuration begin at.
    pub working_directory: Location,
    /// The options of the run, as they were given, for a run that corrects this one.
    #[serde(alias = "arguments")]
    pub request: Json,
    /// Rows of the input in each part.
    pub rows_per_part: u64,
    /// Facts about the model.
    pub model: BTreeMap<String, String>,
    /// A digest of the baseline that inputs and scores were compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_digest: Option<String>,
    /// What the scheduler said of the run.
    pub scheduler: BTreeMap<String, String>,
    /// All rows.
    pub ledger: RowCounts,
    /// Files that could not be read and were dropped, with the reason.
    pub bad_files: BTreeMap<String, String>,
    /// The parts, in order.
    pub parts: Vec<PartRecord>,
    /// The report, if it lies in the data set.
    pub report: Option<WrittenFile>,
    /// The profile of inputs and scores, if it lies in the data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<WrittenFile>,
    /// Files of the data set before, where its own manifest cannot be read: they are replaced or
    /// removed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replaces: BTreeSet<Location>,
    /// The signature of the manifest under its final name, until it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<String>,
}

impl Manifest {
    /// A manifest with nothing in it but who made it: the names of the run and of the attempt that
    /// finished it, what it worked on, how.
    #[must_use]
    pub fn new(
        (run_id, invocation_id): (String, String),
        identity: RunIdentity,
        request: Json,
        working_directory: Location,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            run_id,
            invocation_id,
            actor: String::new(),
            finished_at: crate::process::now(),
            identity,
            working_directory,
            request,
            rows_per_part: u64::MAX,
            model: BTreeMap::new(),
            baseline_digest: None,
            scheduler: BTreeMap::new(),
            ledger: RowCounts::default(),
            bad_files: BTreeMap::new(),
            parts: Vec::new(),
            report: None,
            profile: None,
            replaces: BTreeSet::new(),
            signature: None,
        }
    }

    /// The manifest of the data set in `directory`, if there is one.
    ///
    /// # Errors
    /// Fails if it is damaged.
    pub fn find(directory: &Location) -> Result<Option<Self>> {
        let Some(name) = name_in(directory)? else {
            return Ok(None);
        };
        if find_below(directory, name)?.is_some_and(|found| !found.is_file) {
            let error = Error::failed("the manifest of the data set is not a plain file");
            return Err(error
                .at_path(directory.join(name))
                .hint("choose another directory, or remove it if nothing needs it"));
        }
        from_json(directory, name).map(Some).map_err(|error| {
            if error.system_error().is_some() {
                return error;
            }
            error.hint(
                "it was damaged, or written by another version: `--restart --overwrite` makes the \
                 data set again, and replaces all parts that are there",
            )
        })
    }

    /// Whether the data set is there as this manifest says: with its last file, and every other in
    /// its size.
    ///
    /// # Errors
    /// Fails if the file system refuses to say.
    pub fn is_whole(&self, directory: &Location) -> Result<bool> {
        Ok(self.first_damaged(directory)?.is_none())
    }

    /// The first file that is not there in its size; the last file of a data set counts too.
    ///
    /// # Errors
    /// Fails if the file system refuses to say.
    pub fn first_damaged(&self, directory: &Location) -> Result<Option<String>> {
        for file in self.files() {
            if find_below(directory, &file.path)?
                .is_none_or(|found| !found.is_file || found.byte_count != file.bytes)
            {
                return Ok(Some(file.path.clone()));
            }
        }
        Ok(find_below(directory, SUCCESS)?
            .is_none()
            .then(|| SUCCESS.to_owned()))
    }

    /// The first file that is not there with the bytes that were written, all of which are read.
    ///
    /// # Errors
    /// Fails if a file cannot be read; [`crate::error::Kind::Signal`] if `interrupt` says so.
    pub fn first_changed(
        &self,
        directory: &Location,
        interrupt: &Interrupt,
    ) -> Result<Option<String>> {
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

    /// A manifest from bytes that were read at `path`.
    ///
    /// # Errors
    /// Fails if it is damaged.
    pub fn of_bytes(bytes: &[u8], path: &Location) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::failed("cannot read the manifest")
                .because(error)
                .at_path(path)
        })
    }

    /// The first file that readers of the data set would take for one of its parts, and that the
    /// manifest does not list.
    ///
    /// # Errors
    /// Fails if a directory cannot be listed.
    pub fn first_extra(&self, directory: &Location) -> Result<Option<Location>> {
        let listed = self.paths();
        let is_hidden = |path: &Location| {
            path.names()
                .any(|name| matches!(name.as_encoded_bytes().first(), Some(b'_' | b'.')))
        };
        let files = files_below(directory, "")?.into_iter();
        let mut extra = files.filter(|path| !is_hidden(path) && !listed.contains(path));
        Ok(extra.next())
    }

    /// (path, SHA-256) of its files.
    pub fn digests(&self) -> impl Iterator<Item = (Location, [u8; 32])> {
        self.files().filter_map(|file| {
            let digest = from_hexadecimal(&file.sha256)?.try_into().ok()?;
            Some((Location::from(&file.path), digest))
        })
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &WrittenFile> {
        self.parts
            .iter()
            .flat_map(PartRecord::all_files)
            .chain(&self.report)
            .chain(&self.profile)
    }

    /// The manifest under its final name.
    pub(super) fn published(self) -> Self {
        Self {
            replaces: BTreeSet::new(),
            signature: None,
            ..self
        }
    }

    /// The paths of its files.
    pub(super) fn paths(&self) -> BTreeSet<Location> {
        self.files()
            .map(|file| Location::from(&file.path))
            .collect()
    }
}

/// The data set's manifest, by its path in it, if it has one.
pub(super) fn name_in(directory: &Location) -> Result<Option<&'static str>> {
    for name in [MANIFEST, earlier::MANIFEST] {
        if find_below(directory, name)?.is_some()
            && !(name == MANIFEST && is_of_first_version(directory, name))
        {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether a file is a manifest of the first version, which calls a pending one what a published
/// one is called today.
pub(super) fn is_of_first_version(directory: &Location, name: &str) -> bool {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    from_json::<Version>(directory, name).is_ok_and(|version| version.format_version == 1)
}
