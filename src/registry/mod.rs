//! A registry of models: immutable versions, aliases that move, and a log of every move.
//!
//! Owns the layout below, and what is true of it at every moment. It must not know what a model
//! is: a version is a list of files with their digests.
//!
//! # Layout
//!
//! ```text
//! registry/
//!   tallow-registry.json                  format version and the registry's own id
//!   objects/sha256/ab/abcd…               a file's bytes, or a version's list of files, by digest
//!   models/churn/log/000000000042.json    entry 42 of the log of `churn`
//! ```
//!
//! Two operations suffice: *create a file that does not exist*, and *list*. Nothing is renamed,
//! appended to or locked, so a directory and an object store can hold the same layout.
//!
//! # The log is the truth
//!
//! Versions and aliases are stored nowhere: [`history::History`] is a fold of the log's entries.
//! An entry holds the SHA-256 of the one before ([`entry`]) and ends in its own, so an edit of any
//! byte is detected. Entries that are missing at the end are detected by readers that have seen
//! them: every report records the head of the log ([`log::Head`]), and readers keep the last head
//! that they have seen ([`cache`]).
//!
//! # Why every step is safe
//!
//! | step of `push` | a crash right after it leaves |
//! |---|---|
//! | create an object per file | unused objects; the same push uses them, `gc` removes them |
//! | create the object that lists the files | the same |
//! | sync the file system | the same |
//! | create log entry N + 1 | the finished push: the same push again adds nothing |
//!
//! Until the sync, a power failure may damage an object. No log entry refers to it then, and the
//! next push checks every object that it finds.
//!
//! `promote` and `rollback` consist of the last step alone. An entry is created under the number
//! after the last one that its writer has read. If another writer was faster, the number is taken:
//! the writer reads the new entries, checks its preconditions again, and tries the next number. So
//! every entry was decided with knowledge of all entries before it.

pub mod cache;
pub mod collect;
pub mod command;
pub mod entry;
mod evidence;
pub mod files;
pub mod history;
pub(crate) mod listing;
pub mod log;
pub mod model;
pub mod name;
mod object;
pub mod promotion;
pub mod push;
pub mod record;
#[cfg(test)]
mod tests;
pub mod verify;

use serde::{Deserialize, Serialize};

use self::files::{DirectoryFiles, RegistryFiles, read_limited};
use self::history::History;
use self::log::Log;
use self::name::{Reference, Selector, check_name};
use self::record::Record;
use crate::error::{Error, Result};
pub use crate::package::Resolved;
use crate::process::unique_text;
use crate::storage::{Location, absolute};

/// The file that makes a directory a registry.
pub const MARK: &str = "tallow-registry.json";

/// The version of the layout.
const FORMAT: u32 = 1;

/// The most bytes of [`MARK`].
const MARK_BYTES_LIMIT: u64 = 1 << 16;

#[derive(Debug, Deserialize, Serialize)]
struct Mark {
    format: u32,
    id: String,
}

/// An open registry.
#[derive(Debug)]
pub struct Registry {
    store: Box<dyn RegistryFiles>,
    id: String,
    /// Where it is.
    directory: Location,
}

impl Registry {
    /// Opens the registry in a directory.
    ///
    /// # Errors
    /// Fails if the directory is not a registry, or one of a later version of the layout.
    pub fn open(directory: &Location) -> Result<Self> {
        let store = DirectoryFiles::new(directory);
        let id = Self::read_mark(&store)?.ok_or_else(|| {
            Error::failed("the directory is not a registry")
                .at_path(directory)
                .hint("check `--registry`; `tallow registry push` creates a registry")
        })?;
        Ok(Self {
            store: Box::new(store),
            id,
            directory: absolute(directory.clone()),
        })
    }

    /// Opens the registry in a directory, and creates it if there is none.
    ///
    /// # Errors
    /// As [`Registry::open`]; fails if the directory holds other files, or cannot be made.
    pub fn open_or_create(directory: &Location) -> Result<Self> {
        let store = DirectoryFiles::create(directory)?;
        if Self::read_mark(&store)?.is_none() {
            if !store.list("")?.is_empty() {
                return Err(
                    Error::failed("the directory is not empty and not a registry")
                        .at_path(directory)
                        .hint("name an empty or a new directory"),
                );
            }
            let mark = Mark {
                format: FORMAT,
                id: unique_text().trim().to_owned(),
            };
            let text = serde_json::to_string(&mark)
                .map_err(|error| Error::internal("a mark without JSON").because(error))?;
            // Another process may have been faster: its registry is as good.
            store.create(MARK, &mut format!("{text}\n").as_bytes())?;
        }
        Self::open(directory)
    }

    fn read_mark(store: &dyn RegistryFiles) -> Result<Option<String>> {
        let Some(bytes) = read_limited(store, MARK, MARK_BYTES_LIMIT)? else {
            return Ok(None);
        };
        let mark: Mark = serde_json::from_slice(&bytes).map_err(|error| {
            Error::failed("cannot read the registry's description")
                .because(error)
                .at_path(store.location(MARK))
        })?;
        if mark.format > FORMAT {
            return Err(Error::failed(format!(
                "the registry has layout {}, and this version of tallow reads layout {FORMAT}",
                mark.format
            ))
            .at_path(store.location(MARK))
            .hint("use a newer version of tallow"));
        }
        Ok(Some(mark.id))
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Location {
        &self.directory
    }

    /// A text that no other registry has.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The names of all models, sorted.
    ///
    /// # Errors
    /// Fails if the registry cannot be listed.
    pub fn models(&self) -> Result<Vec<String>> {
        let files = self.store.list("models")?;
        let mut names: Vec<String> = files
            .iter()
            .filter_map(|file| Some(file.strip_prefix("models/")?.split_once('/')?.0.into()))
            .collect();
        names.dedup();
        Ok(names)
    }

    /// The log of a model, every entry checked.
    ///
    /// # Errors
    /// [`crate::error::Kind::Trust`] if an entry is missing in the middle or was edited; fails if
    /// the name is not one, or the log cannot be read.
    pub fn log(&self, model: &str) -> Result<Log> {
        check_name(model, "model")?;
        Log::read(&*self.store, model)
    }

    /// The log of a model that must have been pushed.
    ///
    /// # Errors
    /// As [`Registry::log`]; fails if the log is empty.
    pub fn existing_log(&self, model: &str) -> Result<Log> {
        self.not_empty(self.log(model)?, model)
    }

    fn not_empty(&self, log: Log, model: &str) -> Result<Log> {
        if log.entries().is_empty() {
            let names = self.models()?;
            let error = Error::failed(format!("the registry has no model `{model}`"));
            return Err(error
                .at_path(self.store.location(""))
                .hint(if names.is_empty() {
                    "the registry is empty: `tallow registry push PACKAGE`".to_owned()
                } else {
                    format!("it has: {}", names.join(", "))
                }));
        }
        Ok(log)
    }

    /// What a reference leads to, at the time `as_of` (seconds since 1970) if there is one.
    ///
    /// # Errors
    /// As [`Registry::existing_log`]; fails if there is no such version or alias.
    pub fn resolve(&self, reference: &Reference, as_of: Option<u64>) -> Result<Resolved> {
        self.resolve_in(self.log(&reference.model)?, reference, as_of)
    }

    /// As [`Registry::resolve`], in a log of the model that was read already.
    ///
    /// # Errors
    /// As [`Registry::resolve`].
    pub fn resolve_in(
        &self,
        log: Log,
        reference: &Reference,
        as_of: Option<u64>,
    ) -> Result<Resolved> {
        let log = self.not_empty(log, &reference.model)?;
        let history = History::of(&log, as_of);
        let version = history.select(reference)?;
        Ok(Resolved {
            reference: reference.to_string(),
            model: reference.model.clone(),
            version: version.number,
            digest: version.digest.clone(),
            log_head: log.head().map(|head| head.to_string()).unwrap_or_default(),
        })
    }

    /// A reference by number to the version that another reference leads to now.
    ///
    /// # Errors
    /// As [`Registry::resolve`].
    pub fn pinned(&self, reference: &Reference) -> Result<Reference> {
        let version = self.resolve(reference, None)?.version;
        Ok(Reference {
            selector: Selector::Number(version),
            ..reference.clone()
        })
    }

    /// The files of a version.
    ///
    /// # Errors
    /// [`crate::error::Kind::Trust`] if the list has another digest; fails if it is missing.
    pub fn record(&self, digest: &str) -> Result<Record> {
        record::read(&*self.store, digest)
    }

    /// Points an alias at a version, and returns what was added to the log; nothing if the alias
    /// points there already.
    ///
    /// # Errors
    /// As [`Registry::existing_log`]; fails if there is no such version, if the alias does not
    /// point at `expected`, or if the entry cannot be written.
    pub fn promote(&self, to: &Reference, alias: &str, by: &log::Author) -> Result<log::Moved> {
        check_name(alias, "alias")?;
        self.existing_log(&to.model)?;
        log::move_alias(&*self.store, &to.model, alias, by, |history| {
            Ok((history.select(to)?.number, entry::Move::Promote))
        })
    }

    /// Points an alias back at the version that it pointed at before.
    ///
    /// # Errors
    /// As [`Registry::promote`]; fails if the alias never pointed at another version.
    pub fn rollback(&self, model: &str, alias: &str, by: &log::Author) -> Result<log::Moved> {
        let reference = Reference {
            model: model.to_owned(),
            selector: Selector::Alias(alias.to_owned()),
        };
        self.existing_log(model)?;
        log::move_alias(&*self.store, model, alias, by, |history| {
            history.select(&reference)?;
            let earlier = history.earlier_target(alias).ok_or_else(|| {
                Error::failed(format!(
                    "`{reference}` has no earlier version to go back to"
                ))
                .hint(format!("tallow registry promote {model}:VERSION {alias}"))
            })?;
            Ok((earlier, entry::Move::Rollback))
        })
    }
}
