//! The output of a single file that a gate withheld, kept for a later run of the same work.
//!
//! Owns the hidden files next to the output: its tables, what the observers saw, and a record of
//! them, which comes last and goes first. A run of the same identity finds all of it, whole, and
//! need not score again; for any other run there is nothing. A data set needs none of this: its
//! parts are its checkpoint. It must not know gates.

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::checkpoint::is_as_written;
use super::file::FinishedFiles;
use super::identity::RunIdentity;
use super::names::{hidden, hidden_observed, hidden_record};
use super::observed::{Observed, partials};
use super::records::{from_json, write_json};
use super::table_writer::WrittenFile;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pipeline::Job;
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::storage::{Location, PendingFile, SharedFile, find, remove};

/// What is kept, and whose it is.
#[derive(Debug, Deserialize, Serialize)]
struct Record {
    identity: RunIdentity,
    account: PartAccount,
    predictions: WrittenFile,
    rejected: Option<WrittenFile>,
    observed: WrittenFile,
}

/// An output that was withheld, whole.
#[derive(Debug)]
pub struct Withheld {
    path: Location,
    rejected_path: Option<Location>,
    record: Record,
    seen: Partials,
}

/// Keeps the finished tables of a run that is `identity`; the names that they wait for stay free.
///
/// # Errors
/// Fails if a file cannot be written.
pub fn keep(
    files: FinishedFiles,
    observed: &Observed,
    (account, seen): (&PartAccount, &Partials),
    identity: RunIdentity,
) -> Result<()> {
    let FinishedFiles {
        predictions,
        rejected,
        ..
    } = files;
    let path = predictions.0.path().clone();
    let record_name = hidden_record(&path);
    // What another run kept is not of these tables.
    remove(&record_name)?;
    let observed_path = hidden_observed(&path);
    let observed = observed.write(
        PendingFile::create(&observed_path, true)?,
        named(&observed_path),
        seen,
    )?;
    let record = Record {
        identity,
        account: account.clone(),
        predictions: hide(predictions)?,
        rejected: rejected.map(hide).transpose()?,
        observed,
    };
    write_json(&path.directory(), named(&record_name), &record)
}

/// Gives a table its hidden name.
fn hide((file, written): (PendingFile, WrittenFile)) -> Result<WrittenFile> {
    let path = hidden(file.path());
    let written = WrittenFile {
        path: named(&path),
        ..written
    };
    file.publish_as(&path)?;
    Ok(written)
}

fn named(path: &Location) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Whether something was kept for the output at `path`, of whatever run.
///
/// # Errors
/// Fails if the file system refuses to say.
pub fn is_there(path: &Location) -> Result<bool> {
    Ok(find(hidden_record(path))?.is_some())
}

/// What was kept of the output at `path` by a run that is `identity`, with the observers of this
/// one. None if nothing was, or by another run, or it is not as it was written.
///
/// # Errors
/// Fails if a file cannot be read; [`crate::error::Kind::Signal`] if `interrupt` says so.
pub fn kept(
    path: &Location,
    rejected_path: Option<&Location>,
    identity: &RunIdentity,
    job: &Job,
    interrupt: &Interrupt,
) -> Result<Option<Withheld>> {
    let name = named(&hidden_record(path));
    // A record that this version cannot read is that of another run.
    let Ok(record) = from_json::<Record>(&path.directory(), name) else {
        return Ok(None);
    };
    let expects_rejected = rejected_path.is_some() && record.account.total().rejected > 0;
    if !identity.changes_since(&record.identity).is_empty()
        || !job.fits(&record.account, Some(record.predictions.rows))
        || record.rejected.is_some() != expects_rejected
    {
        return Ok(None);
    }
    let rejected = record.rejected.iter().zip(rejected_path);
    let tables = [
        (&record.predictions, hidden(path)),
        (&record.observed, hidden_observed(path)),
    ]
    .into_iter()
    .chain(rejected.map(|(written, path)| (written, hidden(path))));
    for (written, path) in tables {
        let is_whole = is_as_written(&path, find(&path)?, written, interrupt)?;
        if !is_whole {
            return Ok(None);
        }
    }
    let Some(seen) = partials(&job.observers, &hidden_observed(path)) else {
        return Ok(None);
    };
    Ok(Some(Withheld {
        path: path.clone(),
        rejected_path: rejected_path.cloned(),
        record,
        seen,
    }))
}

/// Removes what was kept of the output at `path`.
///
/// # Errors
/// Fails if the file system refuses.
pub fn forget(path: &Location, rejected_path: Option<&Location>) -> Result<()> {
    if !is_there(path)? {
        return Ok(());
    }
    // Without the record, nothing that is left counts.
    remove(hidden_record(path))?;
    let tables = [hidden(path), hidden_observed(path)];
    let rejected = rejected_path.map(hidden);
    tables.iter().chain(&rejected).try_for_each(remove)
}

impl Withheld {
    /// What became of the rows, and what the observers saw of them.
    #[must_use]
    pub fn part(&self) -> (&PartAccount, &Partials) {
        (&self.record.account, &self.seen)
    }

    /// The tables again, waiting for their names; what was kept stays until it is forgotten.
    ///
    /// # Errors
    /// Fails if a name is taken and must not be replaced, or the bytes cannot be copied.
    pub fn finished(&self, overwrite: bool) -> Result<FinishedFiles> {
        let rejected_path = self.rejected_path.clone().unwrap_or_default();
        let copied = |path: &Location, written: &WrittenFile| {
            let mut file = PendingFile::create(path, overwrite)?;
            SharedFile::open(hidden(path))?.read_through(|piece| {
                file.write_all(piece).map_err(|error| {
                    let error = Error::failed("cannot write the output").because(error);
                    error.at_path(path)
                })
            })?;
            let written = WrittenFile {
                path: path.display().to_string(),
                ..written.clone()
            };
            Ok((file, written))
        };
        let rejected = self.record.rejected.as_ref();
        Ok(FinishedFiles {
            predictions: copied(&self.path, &self.record.predictions)?,
            rejected: rejected
                .map(|written| copied(&rejected_path, written))
                .transpose()?,
            rejected_path,
            overwrite,
        })
    }
}
