//! The log of a model: numbered entries, each chained to the one before.
//!
//! Owns reading and checking the chain, and adding to it when others do at the same time. It must
//! not know what the versions hold.

use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use super::entry::{Action, BYTES_LIMIT, Entry, FORMAT, Move, Target};
use super::files::{RegistryFiles, read_limited};
use super::history::History;
use super::name::digest_digits;
use crate::error::{Error, Kind, Result};
use crate::process::{rfc3339, seconds_now, unique_text};

/// How often an entry is tried when other writers are faster.
const ATTEMPTS: u64 = 2000;

/// The longest wait between two attempts.
const LONGEST_WAIT_MS: u64 = 50;

/// The last entry of a log: what proves that a log that is read later has lost nothing since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The entry's number.
    pub seq: u64,
    /// Its digest, in hexadecimal digits.
    pub digest: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.digest)
    }
}

impl Head {
    /// The head that a text spells: `SEQ:DIGEST`.
    ///
    /// # Errors
    /// A usage error if it does not spell one.
    pub fn parse(text: &str) -> Result<Self> {
        text.split_once(':')
            .and_then(|(seq, digest)| {
                Some(Self {
                    seq: seq.parse().ok()?,
                    digest: digest_digits(digest)?.to_owned(),
                })
            })
            .ok_or_else(|| {
                Error::usage(format!("`{text}` is not the head of a log"))
                    .hint("copy it from a report: `log_head` is a number, `:` and 64 digits")
            })
    }
}

/// A log, every entry checked.
#[derive(Clone, Debug, Default)]
pub struct Log {
    model: String,
    entries: Vec<Entry>,
    digests: Vec<String>,
}

/// Who adds to a log, and why.
#[derive(Clone, Debug, Default)]
pub struct Author {
    /// Who: `ann@host`.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// The version at which the alias must point before it is moved.
    pub expected: Option<u64>,
    /// The digest of the evaluation whose facts passed the gates.
    pub evaluation: Option<String>,
    /// The digest of the comparison, likewise.
    pub comparison: Option<String>,
}

/// What became of a move of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The version that the alias points at.
    pub version: u64,
    /// The version that it pointed at before.
    pub from: Option<u64>,
    /// Whether it had to be moved.
    pub is_new: bool,
    /// The log's last entry.
    pub head: Option<Head>,
}

impl Log {
    /// Reads and checks a log.
    pub(super) fn read(store: &dyn RegistryFiles, model: &str) -> Result<Self> {
        let mut log = Self {
            model: model.to_owned(),
            ..Self::default()
        };
        log.read_on(store)?;
        Ok(log)
    }

    /// Reads the entries that were added since.
    fn read_on(&mut self, store: &dyn RegistryFiles) -> Result<()> {
        let directory = format!("models/{}/log", self.model);
        let mut numbers = Vec::new();
        for file in store.list(&directory)? {
            let name = &file[(directory.len() + 1).min(file.len())..];
            let number = name
                .strip_suffix(".json")
                .and_then(|digits| digits.parse().ok());
            let is_ours = |number: &u64| file_name(&self.model, *number) == file;
            let number = number.filter(is_ours).ok_or_else(|| {
                Error::trust("the log holds a file that is not an entry")
                    .at_path(store.location(&file))
            })?;
            numbers.push(number);
        }
        numbers.sort_unstable();
        for (number, expected) in numbers.iter().copied().zip(1..) {
            if number != expected {
                return Err(missing(store, &self.model, expected));
            }
        }
        if (numbers.len()) < self.entries.len() {
            return Err(missing(store, &self.model, numbers.len() as u64 + 1));
        }
        for number in numbers.into_iter().skip(self.entries.len()) {
            let name = file_name(&self.model, number);
            let bytes = read_limited(store, &name, BYTES_LIMIT)?
                .ok_or_else(|| missing(store, &self.model, number))?;
            let (entry, digest) = Entry::from_bytes(&bytes).map_err(|error| {
                let error = error.at_path(store.location(&name));
                if error.kind() == Kind::Trust {
                    error.hint("restore the registry from a backup")
                } else {
                    error
                }
            })?;
            self.add(entry, digest)
                .map_err(|error| error.at_path(store.location(&name)))?;
        }
        Ok(())
    }

    /// Adds an entry that follows the last one.
    fn add(&mut self, entry: Entry, digest: String) -> Result<()> {
        let wrong = |what: String| {
            Error::trust(format!("the log was edited: {what}")).hint(
                "restore the registry from a backup; `tallow registry verify` checks all of it",
            )
        };
        let seq = self.entries.len() as u64 + 1;
        if entry.seq != seq || entry.model != self.model {
            return Err(wrong(format!(
                "this is entry {} of `{}`",
                entry.seq, entry.model
            )));
        }
        if entry.previous.as_ref() != self.digests.last() {
            return Err(wrong(format!(
                "the digest of the entry before is not the one in entry {seq}"
            )));
        }
        if self
            .entries
            .last()
            .is_some_and(|last| last.seconds > entry.seconds)
        {
            return Err(wrong(format!("entry {seq} is older than the entry before")));
        }
        self.entries.push(entry);
        self.digests.push(digest);
        Ok(())
    }

    /// The entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The last entry; none of an empty log.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        let digest = self.digests.last()?.clone();
        Some(Head {
            seq: self.digests.len() as u64,
            digest,
        })
    }

    /// Checks that the log still holds an entry that was its head before.
    ///
    /// # Errors
    /// [`Kind::Trust`] if it does not.
    pub fn check_contains(&self, head: &Head) -> Result<()> {
        let index = usize::try_from(head.seq)
            .unwrap_or(usize::MAX)
            .wrapping_sub(1);
        let what = match self.digests.get(index) {
            Some(digest) if *digest == head.digest => return Ok(()),
            Some(_) => format!("its entry {} was another one", head.seq),
            None => format!("it had {} entries and has {}", head.seq, self.entries.len()),
        };
        Err(Error::trust(format!(
            "the log of `{}` was cut short or rewritten: {what}",
            self.model
        )))
    }
}

/// The name of an entry's file.
pub(super) fn file_name(model: &str, seq: u64) -> String {
    format!("models/{model}/log/{seq:012}.json")
}

fn missing(store: &dyn RegistryFiles, model: &str, seq: u64) -> Error {
    Error::trust(format!("entry {seq} of the log of `{model}` is missing"))
        .at_path(store.location(&file_name(model, seq)))
        .hint("restore the registry from a backup")
}

/// Adds the entry that `decide` chooses with knowledge of all entries before it; none if there is
/// nothing to add. `decide` is asked again whenever another writer was faster.
///
/// # Errors
/// As `decide` and the storage; [`Kind::Busy`] if other writers are always faster.
pub(super) fn append(
    store: &dyn RegistryFiles,
    model: &str,
    author: &Author,
    mut decide: impl FnMut(&History) -> Result<Option<Action>>,
) -> Result<(Log, bool)> {
    let mut log = Log::read(store, model)?;
    let id = unique_text().trim().to_owned();
    for attempt in 0..ATTEMPTS {
        let Some(action) = decide(&History::of(&log, None))? else {
            return Ok((log, false));
        };
        let entry = next_entry(&log, author, &id, action);
        let (bytes, digest) = entry.to_bytes()?;
        let name = file_name(model, entry.seq);
        let created = store
            .create(&name, &mut &bytes[..])
            .map_err(|error| not_added(error, store, &name, model))?;
        // A storage that tries again by itself may find its own entry.
        if created || read_limited(store, &name, BYTES_LIMIT)?.is_some_and(|own| own == bytes) {
            log.add(entry, digest)?;
            return Ok((log, true));
        }
        wait(attempt, &id);
        log.read_on(store)?;
    }
    Err(Error::new(
        Kind::Busy,
        format!("other writers keep adding to the log of `{model}`"),
    )
    .hint("try again later"))
}

fn next_entry(log: &Log, author: &Author, id: &str, action: Action) -> Entry {
    let earliest = log.entries.last().map_or(0, |last| last.seconds);
    let seconds = seconds_now().max(earliest);
    Entry {
        format: FORMAT,
        model: log.model.clone(),
        seq: log.entries.len() as u64 + 1,
        previous: log.digests.last().cloned(),
        seconds,
        time: rfc3339(seconds),
        actor: author.actor.clone(),
        id: id.to_owned(),
        action,
        reason: author.reason.clone(),
        evaluation: author.evaluation.clone(),
        comparison: author.comparison.clone(),
    }
}

/// The error of an entry that could not be created. Where its file is not there it was not written;
/// else that is open: what is there now may be lost with the power.
fn not_added(error: Error, store: &dyn RegistryFiles, name: &str, model: &str) -> Error {
    if store.open(name).is_ok_and(|found| found.is_none()) {
        let hint = error.hint_text().map(str::to_owned);
        let message = format!("cannot add to the log of `{model}`, which is as it was");
        let error = Error::failed(message).because(error);
        return hint.into_iter().fold(error, Error::hint);
    }
    Error::failed("cannot add to the log: it is unknown whether the entry was written")
        .because(error)
        .hint(format!("tallow registry log {model}"))
}

/// Waits a little, each writer for another time.
fn wait(attempt: u64, id: &str) {
    let spread = id
        .bytes()
        .fold(attempt, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    sleep(Duration::from_millis(
        spread % (1 + attempt.min(LONGEST_WAIT_MS)),
    ));
}

/// Moves an alias to the version that `choose` says.
pub(super) fn move_alias(
    store: &dyn RegistryFiles,
    model: &str,
    alias: &str,
    author: &Author,
    choose: impl Fn(&History) -> Result<(u64, Move)>,
) -> Result<Moved> {
    let mut moved = (0, None);
    let (log, is_new) = append(store, model, author, |history| {
        let from = history.target(alias);
        check_expected(model, alias, author.expected, from)?;
        let (version, kind) = choose(history)?;
        moved = (version, from);
        let target = Target {
            alias: alias.to_owned(),
            version,
            from,
        };
        Ok((from != Some(version)).then_some(match kind {
            Move::Promote => Action::Promote(target),
            Move::Rollback => Action::Rollback(target),
        }))
    })?;
    let (version, from) = moved;
    Ok(Moved {
        version,
        from,
        is_new,
        head: log.head(),
    })
}

fn check_expected(
    model: &str,
    alias: &str,
    expected: Option<u64>,
    actual: Option<u64>,
) -> Result<()> {
    if expected.is_none() || expected == actual {
        return Ok(());
    }
    let points = |version: Option<u64>| {
        version.map_or_else(
            || "at no version".to_owned(),
            |version| format!("at version {version}"),
        )
    };
    Err(Error::failed(format!(
        "`{model}@{alias}` points {}, and {} was expected",
        points(actual),
        points(expected).trim_start_matches("at ")
    ))
    .hint(format!(
        "another command moved it: tallow registry log {model}"
    )))
}
