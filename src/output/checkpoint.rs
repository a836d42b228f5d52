//! What a run may resume from: who it is, and a record of every part that is finished.
//!
//! The state lies in the output's own directory, under a name that readers pass over. A part counts
//! once its record is durable, which is after its files are; on resumption the files must have the
//! bytes that the record says. Positions are (file, row), so rows need no ids.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::identity::{RunIdentity, Versions};
use super::names::{
    CORRECTIONS, IDENTITY, PENDING_MANIFEST, REJECTED, STAGED, STATE, is_left_by_run,
    is_part_record, part_name, staged,
};
use super::records::{from_json, write_json};
use super::table_writer::WrittenFile;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pipeline::part::{PartAccount, Segment};
use crate::storage::{
    Location, Metadata, SharedFile, files_below, find_below, list, remove_below,
    remove_empty_directory_below,
};
use crate::table::dataset::Position;

/// A finished part.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PartRecord {
    /// What became of its rows.
    #[serde(flatten)]
    pub account: PartAccount,
    /// The files with its predictions.
    pub files: Vec<WrittenFile>,
    /// The file with its rejected rows, if there are any.
    pub rejected: Option<WrittenFile>,
    /// The file with rows that were corrected, if there are any.
    #[serde(default)]
    pub corrections: Option<WrittenFile>,
    /// The file with what the observers saw of its rows, if there are any observers; parts of
    /// earlier versions have none.
    #[serde(default)]
    pub observed: Option<WrittenFile>,
}

impl PartRecord {
    /// All files of the part.
    pub fn all_files(&self) -> impl Iterator<Item = &WrittenFile> {
        self.files
            .iter()
            .chain(&self.rejected)
            .chain(&self.corrections)
            .chain(&self.observed)
    }
}

/// The versions of a registry's models that the run which lies unfinished in `directory` began
/// with; none if there is no such run.
///
/// # Errors
/// Fails if the record of the run cannot be read.
pub fn begun(directory: &Location) -> Result<Option<Versions>> {
    if find_below(directory, IDENTITY)?.is_none() {
        return Ok(None);
    }
    Ok(Some(
        from_json::<RunIdentity>(directory, IDENTITY)?.versions(),
    ))
}

/// The state of a run, in its output's directory.
#[derive(Debug)]
pub struct Checkpoint {
    directory: Location,
    /// Finished parts by number.
    pub parts: BTreeMap<u64, PartRecord>,
    /// The files with corrected rows of parts that are being made again.
    pub corrections: BTreeMap<u64, WrittenFile>,
}

impl Checkpoint {
    /// The state that a run of this identity finds in `directory`: nothing, or what an earlier run
    /// of it finished. Parts whose files are not what their records say are not counted as
    /// finished.
    ///
    /// # Errors
    /// A contract error, which names what changed, if the run that is unfinished there was another;
    /// with `restart` that run is forgotten.
    pub fn open(
        directory: &Location,
        identity: &RunIdentity,
        restart: bool,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        if restart {
            forget(directory)?;
        }
        let mut parts = BTreeMap::new();
        if find_below(directory, IDENTITY)?.is_some() {
            let earlier: RunIdentity = from_json(directory, IDENTITY)?;
            let changes = identity.changes_since(&earlier);
            if !changes.is_empty() {
                let message = format!(
                    "an unfinished run lies in the output, and since then these changed: {}",
                    changes.join("; ")
                );
                let hint =
                    "run as before to finish it, or pass `--restart` to forget it and start over";
                return Err(Error::contract(message).at_path(directory).hint(hint));
            }
            parts = finished_parts(directory, interrupt)?;
        } else {
            write_json(directory, IDENTITY, identity)?;
        }
        Ok(Self {
            directory: directory.to_owned(),
            parts,
            corrections: BTreeMap::new(),
        })
    }

    /// The state of a data set that is finished, of which all but `parts` are to be made again.
    ///
    /// # Errors
    /// Fails if what an earlier run left cannot be removed.
    pub fn of_finished(directory: &Location, parts: Vec<PartRecord>) -> Result<Self> {
        forget(directory)?;
        let parts = parts
            .into_iter()
            .map(|record| (record.account.number, record))
            .collect();
        Ok(Self {
            directory: directory.to_owned(),
            parts,
            corrections: BTreeMap::new(),
        })
    }

    /// The data set's directory.
    #[must_use]
    pub fn directory(&self) -> &Location {
        &self.directory
    }

    /// Where a part's files with predictions lie now: hidden, or published before.
    ///
    /// # Errors
    /// Fails if the file system refuses to say.
    pub fn files_of(&self, record: &PartRecord) -> Result<Vec<Location>> {
        record
            .files
            .iter()
            .map(|file| self.location(file))
            .collect()
    }

    /// Where a file of a part lies now: hidden, or published before.
    ///
    /// # Errors
    /// Fails if the file system refuses to say.
    pub fn location(&self, file: &WrittenFile) -> Result<Location> {
        let hidden = staged(&file.path);
        let is_hidden = find_below(&self.directory, &hidden)?.is_some();
        Ok(self.directory.join(if is_hidden {
            hidden
        } else {
            Location::from(&file.path)
        }))
    }

    /// Counts a part as unfinished: it is made again, with its corrected rows.
    pub fn reopen(&mut self, number: u64) {
        if let Some(record) = self.parts.remove(&number) {
            let corrections = record.corrections.map(|file| (number, file));
            self.corrections.extend(corrections);
        }
    }

    /// Makes a part's record durable.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn note(&mut self, record: PartRecord) -> Result<()> {
        let number = record.account.number;
        write_json(
            &self.directory,
            format!("{STATE}/{}.json", part_name(number)),
            &record,
        )?;
        self.parts.insert(number, record);
        Ok(())
    }

    /// What is left to do: the gaps between finished parts of `rows_per_part` rows, and all after
    /// the last; `limit` is the most rows of the whole run.
    #[must_use]
    pub fn remaining(&self, rows_per_part: u64, limit: u64) -> Vec<Segment> {
        let mut segments = Vec::new();
        let (mut next, mut start, mut start_byte) = (0, Position::default(), None);
        for (&number, record) in &self.parts {
            if number > next {
                segments.push(Segment {
                    first_part: next,
                    start,
                    start_byte,
                    row_count: (number - next).saturating_mul(rows_per_part),
                });
            }
            (next, start, start_byte) = (number + 1, record.account.end, record.account.end_byte);
        }
        let left = limit.saturating_sub(next.saturating_mul(rows_per_part));
        let ended_early = self
            .parts
            .last_key_value()
            .is_some_and(|(_, record)| record.account.total().rows_in < rows_per_part);
        if left > 0 && !ended_early {
            segments.push(Segment {
                first_part: next,
                start,
                start_byte,
                row_count: left,
            });
        }
        segments
    }
}

fn finished_parts(
    directory: &Location,
    interrupt: &Interrupt,
) -> Result<BTreeMap<u64, PartRecord>> {
    let mut parts = BTreeMap::new();
    for name in records(directory)? {
        let record: PartRecord = from_json(directory, &name)?;
        let is_whole = record
            .all_files()
            .map(|file| is_as_recorded(directory, file, interrupt))
            .collect::<Result<Vec<_>>>()?;
        let own_name = part_name(record.account.number);
        let has_own_name = name.file_stem() == Some(OsStr::new(&own_name));
        let is_known = has_own_name && has_names_of_now(&record);
        if is_known && is_whole.into_iter().all(|is_whole| is_whole) {
            parts.insert(record.account.number, record);
        } else {
            remove_below(directory, &name)?;
        }
    }
    Ok(parts)
}

/// The records of parts, by their paths in the data set's directory.
fn records(directory: &Location) -> Result<Vec<Location>> {
    let state = Location::from(STATE);
    let paths = if find_below(directory, &state)?.is_some() {
        list(directory.join(&state))?
    } else {
        Vec::new()
    };
    Ok(paths
        .iter()
        .filter(|path| is_part_record(path))
        .filter_map(|path| Some(state.join(path.file_name()?)))
        .collect())
}

/// Whether a staged file has the bytes that its record says.
fn is_as_recorded(directory: &Location, file: &WrittenFile, interrupt: &Interrupt) -> Result<bool> {
    let path = staged(&file.path);
    let found = find_below(directory, &path)?;
    is_as_written(&directory.join(path), found, file, interrupt)
}

/// Whether the file that was `found` at `path` has the bytes that were written.
pub(super) fn is_as_written(
    path: &Location,
    found: Option<Metadata>,
    file: &WrittenFile,
    interrupt: &Interrupt,
) -> Result<bool> {
    if found.is_none_or(|found| !found.is_file || found.byte_count != file.bytes) {
        return Ok(false);
    }
    Ok(sha256_of(path, interrupt)? == file.sha256)
}

/// The SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// Fails if it cannot be read; [`crate::error::Kind::Signal`] if `interrupt` says so.
pub fn sha256_of(path: &Location, interrupt: &Interrupt) -> Result<String> {
    let mut digest = Sha256::new();
    SharedFile::open(path)?.read_through(|piece| {
        digest.update(piece);
        interrupt.check()
    })?;
    Ok(hexadecimal(&digest.finalize()))
}

/// Whether a part's tables have the names that this version gives: an earlier version may have
/// begun the run.
fn has_names_of_now(record: &PartRecord) -> bool {
    let is_in = |file: &Option<WrittenFile>, directory: &str| {
        file.as_ref()
            .is_none_or(|file| file.path.starts_with(directory))
    };
    is_in(&record.rejected, REJECTED) && is_in(&record.corrections, CORRECTIONS)
}

/// Removes the records of an unfinished run, and what it staged. The pending manifest goes last:
/// while it is there, the next run clears again. The lock and what belongs to the published data
/// set stay.
///
/// # Errors
/// Fails if the file system refuses.
pub fn forget(directory: &Location) -> Result<()> {
    if find_below(directory, STATE)?.is_none() {
        return Ok(());
    }
    // Without the identity, nothing that is left counts.
    remove_below(directory, IDENTITY)?;
    remove_staged(directory)?;
    records(directory)?
        .iter()
        .try_for_each(|name| remove_below(directory, name))?;
    remove_below(directory, PENDING_MANIFEST)
}

/// Removes what runs staged and did not publish; anything else that lies there stays.
fn remove_staged(directory: &Location) -> Result<()> {
    let mut above = BTreeSet::new();
    for file in files_below(directory, STAGED)? {
        above.extend(
            file.ancestors()
                .skip(1)
                .take_while(|path| path.starts_with(STAGED)),
        );
        if is_left_by_run(&file) {
            remove_below(directory, &file)?;
        }
    }
    above
        .iter()
        .rev()
        .for_each(|path| remove_empty_directory_below(directory, path));
    Ok(())
}
