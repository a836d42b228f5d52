//! What a run may resume from: who it is, and a record of every part that is finished.
//!
//! The state lies in the output's own directory, under a name that readers pass over. A part counts once its record is durable, which is
//! after its files are; on resumption the files must have the bytes that the record says. Positions are (file, row), so rows need no ids.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::names::{CORRECTIONS, IDENTITY, PENDING_MANIFEST, REJECTED, STAGED, STATE, part_name, staged};
use super::table_writer::WrittenFile;
use crate::count::counted;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pipeline::part::{PartAccount, Segment};
use crate::table::commit::{PendingFile, SharedFile, find, list, make_directory, read, remove, remove_directory};
use crate::table::dataset::Position;

/// The most bytes of a record or manifest that are read: some hundred for each file and part.
const RECORD_BYTES: u64 = 1 << 30;

/// An input as it was when the run began.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct InputRecord {
    /// Its path.
    #[serde(with = "crate::path_text")]
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last written to, RFC 3339, UTC.
    pub modified: String,
    /// The digest of its content.
    pub digest: String,
}

/// What a run works on and how: two runs of one identity give the same bytes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct RunIdentity {
    /// The version of this program.
    pub tool_version: String,
    /// The digest of the model.
    pub model_digest: String,
    /// Every option that shows in the output.
    pub configuration: BTreeMap<String, Json>,
    /// The files, in order.
    pub inputs: Vec<InputRecord>,
}

impl RunIdentity {
    /// What changed from `earlier` to this one, in words; empty if nothing did.
    #[must_use]
    pub fn changes_since(&self, earlier: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.tool_version != earlier.tool_version {
            changes.push(format!("tallow itself, from {} to {}", earlier.tool_version, self.tool_version));
        }
        if self.model_digest != earlier.model_digest {
            changes.push("the model".to_owned());
        }
        let names: std::collections::BTreeSet<&String> = self.configuration.keys().chain(earlier.configuration.keys()).collect();
        let value = |identity: &Self, name: &String| identity.configuration.get(name).map_or_else(|| "nothing".to_owned(), Json::to_string);
        for name in names.into_iter().filter(|name| self.configuration.get(*name) != earlier.configuration.get(*name)) {
            changes.push(format!("`{name}`, from {} to {}", value(earlier, name), value(self, name)));
        }
        let paths = |identity: &Self| identity.inputs.iter().map(|input| input.path.clone()).collect::<Vec<_>>();
        if paths(self) == paths(earlier) {
            let both = self.inputs.iter().zip(&earlier.inputs);
            changes.extend(both.filter(|(now, then)| now.digest != then.digest).map(|(now, _)| format!("the input `{}`", now.path.display())));
        } else {
            changes.push(format!("the list of inputs ({}, before {})", counted(self.inputs.len(), "file"), earlier.inputs.len()));
        }
        changes
    }
}

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
    /// The file with rows that were mended, if there are any.
    #[serde(default)]
    pub corrections: Option<WrittenFile>,
}

impl PartRecord {
    /// All files of the part.
    pub fn all_files(&self) -> impl Iterator<Item = &WrittenFile> {
        self.files.iter().chain(&self.rejected).chain(&self.corrections)
    }
}

/// The state of a run, in its output's directory.
#[derive(Debug)]
pub struct Checkpoint {
    directory: PathBuf,
    /// Finished parts by number.
    pub parts: BTreeMap<u64, PartRecord>,
    /// The files with mended rows of parts that are being made again.
    pub corrections: BTreeMap<u64, WrittenFile>,
}

impl Checkpoint {
    /// The state that a run of this identity finds in `directory`: nothing, or what an earlier run of it finished. Parts whose files are not
    /// what their records say are not counted as finished.
    ///
    /// # Errors
    /// A contract error, which names what changed, if the run that is unfinished there was another; with `restart` that run is forgotten.
    pub fn open(directory: &Path, identity: &RunIdentity, restart: bool, interrupt: &Interrupt) -> Result<Self> {
        let state = directory.join(STATE);
        let path = directory.join(IDENTITY);
        if restart {
            forget(directory)?;
        }
        let mut parts = BTreeMap::new();
        if find(&path)?.is_some() {
            let earlier: RunIdentity = from_json(&path)?;
            let changes = identity.changes_since(&earlier);
            if !changes.is_empty() {
                let message = format!("an unfinished run lies in the output, and since then these changed: {}", changes.join("; "));
                let hint = "run as before to finish it, or pass `--restart` to forget it and start over";
                return Err(Error::contract(message).at_path(directory).hint(hint));
            }
            parts = finished_parts(directory, interrupt)?;
        } else {
            make_directory(&state)?;
            write_json(&path, identity)?;
        }
        Ok(Self { directory: directory.to_owned(), parts, corrections: BTreeMap::new() })
    }

    /// The state of a data set that is finished, of which all but `parts` are to be made again.
    ///
    /// # Errors
    /// Fails if what an earlier run left cannot be removed.
    pub fn of_finished(directory: &Path, parts: Vec<PartRecord>) -> Result<Self> {
        forget(directory)?;
        let parts = parts.into_iter().map(|record| (record.account.number, record)).collect();
        Ok(Self { directory: directory.to_owned(), parts, corrections: BTreeMap::new() })
    }

    /// The data set's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a part's files with predictions lie now: hidden, or published before.
    ///
    /// # Errors
    /// Fails if the file system refuses to say.
    pub fn files_of(&self, record: &PartRecord) -> Result<Vec<PathBuf>> {
        let place = |file: &WrittenFile| {
            let hidden = staged(&self.directory, &file.path);
            Ok(if find(&hidden)?.is_some() { hidden } else { self.directory.join(&file.path) })
        };
        record.files.iter().map(place).collect()
    }

    /// Makes a part's record durable.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn note(&mut self, record: PartRecord) -> Result<()> {
        let number = record.account.number;
        make_directory(&self.directory.join(STATE))?;
        write_json(&self.directory.join(STATE).join(format!("{}.json", part_name(number))), &record)?;
        self.parts.insert(number, record);
        Ok(())
    }

    /// What is left to do: the gaps between finished parts of `rows_per_part` rows, and all after the last; `limit` is the most rows of the
    /// whole run.
    #[must_use]
    pub fn remaining(&self, rows_per_part: u64, limit: u64) -> Vec<Segment> {
        let mut segments = Vec::new();
        let (mut next, mut start, mut start_byte) = (0, Position::default(), None);
        for (&number, record) in &self.parts {
            if number > next {
                segments.push(Segment { first_part: next, start, start_byte, row_count: (number - next).saturating_mul(rows_per_part) });
            }
            (next, start, start_byte) = (number + 1, record.account.end, record.account.end_byte);
        }
        let left = limit.saturating_sub(next.saturating_mul(rows_per_part));
        let ended_early = self.parts.last_key_value().is_some_and(|(_, record)| record.account.total().rows_in < rows_per_part);
        if left > 0 && !ended_early {
            segments.push(Segment { first_part: next, start, start_byte, row_count: left });
        }
        segments
    }
}

fn finished_parts(directory: &Path, interrupt: &Interrupt) -> Result<BTreeMap<u64, PartRecord>> {
    let mut parts = BTreeMap::new();
    for path in list(&directory.join(STATE))? {
        if !is_part_record(&path) {
            continue;
        }
        let record: PartRecord = from_json(&path)?;
        let is_whole = record.all_files().map(|file| is_as_recorded(directory, file, interrupt)).collect::<Result<Vec<_>>>()?;
        if has_names_of_now(&record) && is_whole.into_iter().all(|is_whole| is_whole) {
            parts.insert(record.account.number, record);
        } else {
            remove(&path)?;
        }
    }
    Ok(parts)
}

/// Whether a staged file has the bytes that its record says.
fn is_as_recorded(directory: &Path, file: &WrittenFile, interrupt: &Interrupt) -> Result<bool> {
    let path = staged(directory, &file.path);
    if find(&path)?.is_none_or(|found| found.byte_count != file.bytes) {
        return Ok(false);
    }
    Ok(sha256_of(&path, interrupt)? == file.sha256)
}

/// The SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// Fails if it cannot be read; [`crate::error::Kind::Signal`] if `interrupt` says so.
pub fn sha256_of(path: &Path, interrupt: &Interrupt) -> Result<String> {
    let mut digest = Sha256::new();
    SharedFile::open(path)?.read_through(|piece| {
        digest.update(piece);
        interrupt.check()
    })?;
    Ok(hexadecimal(&digest.finalize()))
}

/// Whether a part's tables have the names that this version gives: an earlier version may have begun the run.
fn has_names_of_now(record: &PartRecord) -> bool {
    let is_in = |file: &Option<WrittenFile>, directory: &str| file.as_ref().is_none_or(|file| file.path.starts_with(directory));
    is_in(&record.rejected, REJECTED) && is_in(&record.corrections, CORRECTIONS)
}

/// Removes the records of an unfinished run, and what it staged. The pending manifest goes last: while it is there, the next run clears
/// again. The lock and what belongs to the published data set stay.
///
/// # Errors
/// Fails if the file system refuses.
pub fn forget(directory: &Path) -> Result<()> {
    let state = directory.join(STATE);
    if find(&state)?.is_none() {
        return Ok(());
    }
    // Without the identity, nothing that is left counts.
    remove(&directory.join(IDENTITY))?;
    remove_directory(&directory.join(STAGED))?;
    list(&state)?.iter().filter(|path| is_part_record(path)).try_for_each(|path| remove(path))?;
    remove(&directory.join(PENDING_MANIFEST))
}

/// Whether a file of the state is the record of a finished part, by its name.
fn is_part_record(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let number = name.strip_prefix("part-").and_then(|rest| rest.strip_suffix(".json"));
    number.is_some_and(|number| number.len() >= 5 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads a record.
///
/// # Errors
/// Fails if it is not there or not what this version writes.
pub fn from_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&read(path, RECORD_BYTES)?).map_err(|error| {
        let error = Error::failed("cannot read a record of an earlier run").at_path(path).because(error);
        error.hint("it was damaged, or written by another version: pass `--restart` to start over")
    })
}

/// Writes a record: whole and durable, or not at all.
///
/// # Errors
/// Fails if it cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(|error| Error::internal("a record that is no JSON").because(error))?;
    let mut file = PendingFile::create(path, true)?;
    file.write_all(&text)
        .and_then(|()| file.write_all(b"\n"))
        .map_err(|error| Error::failed("cannot write a record").at_path(path).because(error))?;
    file.publish(true)
}
