//! The files that a directory or a pattern stands for.
//!
//! Owns the walk over directories, and which names it passes over: hidden ones, and the answers of
//! challengers, which lie next to the rows of their run. It must not open other files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use glob::{MatchOptions, Pattern};

use super::challenger::{CHALLENGERS, is_answers, is_named_so};
use super::lake::Lakes;
use super::{FORMATS, has_known_ending};
use crate::error::{Error, Result};
use crate::storage::{self, Location};

/// Leading dots are left to [`is_spelt_out`], which treats underscores the same.
pub(super) const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// What is said of an input that stands for nothing.
pub(super) const MISSING: &str = "there is no such file or directory";

pub(super) const NO_FILES: &str = "there are no files in the directory";

pub(super) const NO_MATCH: &str = "no file matches the pattern";

/// A search for files.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) any_ending: bool,
    pub(super) ignored: BTreeSet<Location>,
    pub(super) lakes: Lakes,
    /// Whether what lies in a directory of challengers is the answers of one.
    pub(super) answers: BTreeMap<Location, bool>,
}

/// Whether a path that does not exist stands for others.
#[must_use]
pub fn is_pattern(path: &Location) -> bool {
    path.names().any(is_wild)
}

pub(super) fn is_wild(part: &OsStr) -> bool {
    part.to_string_lossy().contains(['*', '?', '['])
}

fn is_hidden(path: &Location) -> bool {
    path.file_name()
        .is_some_and(|name| matches!(name.as_encoded_bytes().first(), Some(b'_' | b'.')))
}

/// Refuses a directory that a job of Hadoop or Spark still writes, or stopped writing: what is
/// there is a part of its rows.
fn refuse_unfinished(directory: &Location, entries: &[Location]) -> Result<()> {
    let has = |name: &str| {
        let mut names = entries.iter().filter_map(Location::file_name);
        names.any(|own| own == name)
    };
    if !has("_temporary") || has("_SUCCESS") {
        return Ok(());
    }
    let error = Error::failed(
        "the job that writes the directory has not finished: `_temporary` is there, and \
         `_SUCCESS` is not",
    );
    Err(error.at_path(directory).hint(
        "wait until it is done, or run it again; a pattern of file names reads what is there",
    ))
}

/// How many of a directory's ignored files an error names.
const NAMED: usize = 3;

impl Walk {
    pub(super) fn directory(&mut self, path: &Location) -> Result<Vec<Location>> {
        let (mut files, ignored_before) = (Vec::new(), self.ignored.len());
        let hidden_count = self.below(path, &mut Vec::new(), &mut files, false)?;
        if !files.is_empty() {
            return Ok(files);
        }
        let ignored: Vec<String> = self
            .ignored
            .iter()
            .filter(|file| file.starts_with(path))
            .map(|file| format!("`{}`", file.display()))
            .collect();
        if self.ignored.len() > ignored_before {
            let more = if ignored.len() > NAMED { ", …" } else { "" };
            let known: Vec<String> = FORMATS
                .iter()
                .map(|format| format!("`.{}`, ", format.name))
                .collect();
            let message = format!(
                "no file in the directory has a name that ends as a table's does ({}…)",
                known.concat()
            );
            let hint = format!(
                "name the files, or pass `--any-ending` to read {}{more}",
                ignored[..ignored.len().min(NAMED)].join(", ")
            );
            return Err(Error::failed(message).at_path(path).hint(hint));
        }
        let error = Error::failed(NO_FILES).at_path(path);
        Err(if let Some(hint) = self.hint_of_answers() {
            error.hint(hint)
        } else if hidden_count > 0 {
            error.hint("names that start with `_` or `.` are not read")
        } else {
            error
        })
    }

    /// What to type for the answers of challengers that were passed over, if any were.
    fn hint_of_answers(&self) -> Option<String> {
        let mut passed_over = self.answers.iter().filter(|(_, is_answers)| **is_answers);
        passed_over.next().map(|(path, _)| {
            format!(
                "answers of challengers are read only where they are named: `{}`",
                path.display()
            )
        })
    }

    fn is_answers(&mut self, path: &Location) -> bool {
        let known = self.answers.entry(path.clone());
        *known.or_insert_with(|| is_answers(path))
    }

    /// Collects the files below `path`, and returns how many hidden names were passed over. Where
    /// `path` was found, and not named, the answers of challengers in it are not its rows.
    fn below(
        &mut self,
        path: &Location,
        above: &mut Vec<Location>,
        files: &mut Vec<Location>,
        was_found: bool,
    ) -> Result<usize> {
        let may_hold_answers = was_found && path.file_name().is_some_and(is_named_so);
        let real = storage::canonical(path)?;
        if above.contains(&real) {
            let error = Error::failed(
                "cannot list the directory: a symbolic link leads back to a directory above it",
            )
            .at_path(path);
            return Err(error.hint("remove the link, or name the files by a pattern"));
        }
        above.push(real);
        let mut hidden_count = 0;
        let entries = storage::list(path)?;
        refuse_unfinished(path, &entries)?;
        for entry in entries {
            if is_hidden(&entry) {
                hidden_count += 1;
                continue;
            }
            if may_hold_answers && self.is_answers(&entry) {
                continue;
            }
            if storage::metadata(&entry)?.is_directory {
                hidden_count += self.below(&entry, above, files, true)?;
            } else if self.any_ending || has_known_ending(&entry) {
                files.push(entry);
            } else {
                self.ignored.insert(entry);
            }
        }
        above.pop();
        Ok(hidden_count)
    }

    pub(super) fn pattern(&mut self, input: &Location) -> Result<Vec<Location>> {
        let (matched, was_found) = self.matched(input)?;
        let mut files = BTreeSet::new();
        for path in matched {
            if storage::metadata(&path)?.is_directory {
                let mut below = Vec::new();
                self.below(&path, &mut Vec::new(), &mut below, was_found)?;
                files.extend(below);
            } else {
                files.insert(path);
            }
        }
        if files.is_empty() {
            let error = Error::failed(NO_MATCH).at_path(input);
            if let Some(hint) = self.hint_of_answers() {
                return Err(error.hint(hint));
            }
            return Err(error.hint(
                "put the pattern in quotes so that the shell does not change it, and check where \
                 it starts",
            ));
        }
        Ok(files.into_iter().collect())
    }

    /// What a pattern matches, but for answers of challengers that it does not name; and whether
    /// it would pass over those in a directory.
    fn matched(&mut self, input: &Location) -> Result<(BTreeSet<Location>, bool)> {
        if !is_pattern(input) {
            return Err(missing(input));
        }
        let pattern = |name: &OsStr| {
            let not_a_pattern = |error| {
                Error::usage("cannot read the pattern")
                    .at_path(input)
                    .because(error)
            };
            Pattern::new(&name.to_string_lossy()).map_err(not_a_pattern)
        };
        let names = input.names().map(pattern).collect::<Result<Vec<_>>>()?;
        let base: Location = input.names().take_while(|part| !is_wild(part)).collect();
        let rest: Vec<(&OsStr, &Pattern)> = input
            .names()
            .zip(&names)
            .skip_while(|(part, _)| !is_wild(part))
            .collect();
        let mut matched = BTreeSet::new();
        matching(&base, &rest, &names, &mut Vec::new(), &mut matched)?;
        matched.retain(|path| !self.is_in_answers(path, &base, &names));
        matched.retain(|path| names_challengers(&names) || !self.holds_only_answers(path));
        Ok((matched, !names_challengers(&names)))
    }

    /// Whether a directory is one of challengers, and no one put anything else there.
    fn holds_only_answers(&mut self, path: &Location) -> bool {
        if !path.file_name().is_some_and(is_named_so) {
            return false;
        }
        let entries = storage::list(path).unwrap_or_default();
        let mut entries = entries.iter().filter(|entry| !is_hidden(entry)).peekable();
        entries.peek().is_some() && entries.all(|entry| self.is_answers(entry))
    }

    /// Whether what a pattern matched below `base` belongs to the answers of a challenger, whose
    /// directory the pattern does not name.
    fn is_in_answers(&mut self, path: &Location, base: &Location, names: &[Pattern]) -> bool {
        if names_challengers(names) {
            return false;
        }
        let above: Vec<Location> = path.ancestors().collect();
        let mut pairs = above.iter().zip(above.iter().skip(1));
        pairs.any(|(path, directory)| {
            directory.names().count() > base.names().count()
                && directory.file_name().is_some_and(is_named_so)
                && self.is_answers(path)
        })
    }
}

/// Whether a pattern names directories of challengers.
fn names_challengers(names: &[Pattern]) -> bool {
    names
        .iter()
        .any(|name| name.as_str().ends_with(CHALLENGERS))
}

/// The files and directories that a pattern matches, sorted; answers of challengers only where it
/// names their directory.
///
/// # Errors
/// As [`super::location::resolve`], but where nothing matches.
pub fn matched(pattern: &Location) -> Result<Vec<Location>> {
    let (matched, _) = Walk::default().matched(pattern)?;
    Ok(matched.into_iter().collect())
}

/// Collects what matches the rest of a pattern below `base`; names need not be UTF-8.
fn matching(
    base: &Location,
    rest: &[(&OsStr, &Pattern)],
    names: &[Pattern],
    above: &mut Vec<Location>,
    matched: &mut BTreeSet<Location>,
) -> Result<()> {
    let Some(((part, pattern), after)) = rest.split_first() else {
        if !base.is_empty() {
            matched.insert(base.to_owned());
        }
        return Ok(());
    };
    if !is_wild(part) {
        let path = base.join(part);
        return if storage::find(&path)?.is_some() {
            matching(&path, after, names, above, matched)
        } else {
            Ok(())
        };
    }
    let here = if base.is_empty() {
        &Location::from(".")
    } else {
        base
    };
    if storage::find(here)?.is_none_or(|found| !found.is_directory) {
        return Ok(());
    }
    let is_any_depth = *part == "**";
    if is_any_depth {
        matching(base, after, names, above, matched)?;
        let real = storage::canonical(here)?;
        if above.contains(&real) {
            let error = Error::failed(
                "cannot list the directory: a symbolic link leads back to a directory above it",
            )
            .at_path(here);
            return Err(error.hint("remove the link, or name the files by a pattern without `**`"));
        }
        above.push(real);
    }
    for entry in storage::list(here)? {
        let Some(name) = entry.file_name().filter(|name| is_spelt_out(name, names)) else {
            continue;
        };
        let path = base.join(name);
        if is_any_depth {
            if storage::find(&path)?.is_some_and(|found| found.is_directory) {
                matching(&path, rest, names, above, matched)?;
            }
        } else if pattern.matches_with(&name.to_string_lossy(), MATCHING) {
            matching(&path, after, names, above, matched)?;
        }
    }
    if is_any_depth {
        above.pop();
    }
    Ok(())
}

/// Whether a part of a matched path does not start with `_` or `.`, or matches a part of the
/// pattern that starts so itself.
pub(super) fn is_spelt_out(name: &OsStr, patterns: &[Pattern]) -> bool {
    let name = name.to_string_lossy();
    let own =
        |pattern: &Pattern| pattern.as_str().starts_with(['_', '.']) && pattern.matches(&name);
    !name.starts_with(['_', '.']) || patterns.iter().any(own)
}

/// Says that there is nothing of this name, and where it was looked for.
#[must_use]
pub fn missing(input: &Location) -> Error {
    let error = Error::failed(MISSING).at_path(input);
    if input.to_str().is_some_and(|text| text.contains("://")) {
        return error.hint("only local files are read: copy it to this machine first");
    }
    error.hint(input.nothing_there())
}
