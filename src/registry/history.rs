//! What a log adds up to: versions and aliases, now or at an earlier time.
//!
//! Owns the fold. It must not know where the log lies.

use std::collections::BTreeMap;

use super::entry::{Action, Entry};
use super::log::Log;
use super::name::{Reference, Selector};
use crate::error::{Error, Result};
use crate::process::rfc3339;

/// A version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1.
    pub number: u64,
    /// The digest of its list of files: `sha256:…`.
    pub digest: String,
    /// What its maker calls it.
    pub label: Option<String>,
    /// When it was pushed: RFC 3339, UTC.
    pub time: String,
    /// Who pushed it.
    pub actor: String,
}

/// Versions and aliases.
#[derive(Clone, Debug, Default)]
pub struct History {
    versions: Vec<Version>,
    /// The versions that each alias has pointed at and may go back to, the present one last.
    aliases: BTreeMap<String, Vec<u64>>,
    /// The time; none for now.
    as_of: Option<u64>,
}

impl History {
    /// Folds the entries up to a time (seconds since 1970), or all.
    #[must_use]
    pub fn of(log: &Log, as_of: Option<u64>) -> Self {
        let mut history = Self {
            as_of,
            ..Self::default()
        };
        let is_past = |entry: &&Entry| as_of.is_none_or(|time| entry.seconds <= time);
        log.entries()
            .iter()
            .take_while(is_past)
            .for_each(|entry| history.add(entry));
        history
    }

    fn add(&mut self, entry: &Entry) {
        match &entry.action {
            Action::Push {
                version,
                package,
                label,
            } => self.versions.push(Version {
                number: *version,
                digest: package.clone(),
                label: label.clone(),
                time: entry.time.clone(),
                actor: entry.actor.clone(),
            }),
            Action::Promote(target) => {
                let targets = self.aliases.entry(target.alias.clone()).or_default();
                if targets.last() != Some(&target.version) {
                    targets.push(target.version);
                }
            }
            Action::Rollback(target) => {
                let targets = self.aliases.entry(target.alias.clone()).or_default();
                while targets.last().is_some_and(|last| *last != target.version) {
                    targets.pop();
                }
                if targets.is_empty() {
                    targets.push(target.version);
                }
            }
        }
    }

    /// All versions, oldest first.
    #[must_use]
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// (alias, version) of all aliases, by name.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, u64)> {
        self.aliases
            .iter()
            .filter_map(|(alias, targets)| Some((alias.as_str(), *targets.last()?)))
    }

    /// The version that an alias points at.
    #[must_use]
    pub fn target(&self, alias: &str) -> Option<u64> {
        self.aliases.get(alias)?.last().copied()
    }

    /// The version that a rollback of the alias would point it at.
    #[must_use]
    pub fn earlier_target(&self, alias: &str) -> Option<u64> {
        let targets = self.aliases.get(alias)?;
        targets.len().checked_sub(2).map(|index| targets[index])
    }

    /// The number of the next version.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.versions.last().map_or(1, |last| last.number + 1)
    }

    /// The version of this digest.
    #[must_use]
    pub fn of_digest(&self, digest: &str) -> Option<&Version> {
        self.versions
            .iter()
            .find(|version| version.digest == digest)
    }

    /// The version that is meant.
    ///
    /// # Errors
    /// Fails if there is none; the hint says which there are.
    pub fn select(&self, reference: &Reference) -> Result<&Version> {
        let found = match &reference.selector {
            Selector::Number(number) => self.of_number(*number),
            Selector::Digest(digest) => self.of_digest(digest),
            Selector::Alias(alias) => self.target(alias).and_then(|number| self.of_number(number)),
        };
        found.ok_or_else(|| self.not_found(reference))
    }

    fn of_number(&self, number: u64) -> Option<&Version> {
        self.versions
            .iter()
            .find(|version| version.number == number)
    }

    fn not_found(&self, reference: &Reference) -> Error {
        let when = self
            .as_of
            .map_or_else(String::new, |time| format!(" on {}", rfc3339(time)));
        let model = &reference.model;
        let error = Error::failed(format!("there is no `{reference}` in the registry{when}"));
        if self.as_of.is_some() {
            return error.hint(format!("tallow registry log {model}"));
        }
        let aliases: Vec<String> = self
            .aliases()
            .map(|(alias, _)| format!("{model}@{alias}"))
            .collect();
        let numbers = match self.versions.len() {
            1 => format!("{model}:1"),
            count => format!("{model}:1 to {model}:{count}"),
        };
        error.hint(match aliases.as_slice() {
            [] => format!("there are: {numbers}; no alias was set yet"),
            aliases => format!("there are: {numbers}, {}", aliases.join(", ")),
        })
    }
}
