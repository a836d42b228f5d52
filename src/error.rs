//! The one error type: what we were doing, where, why, and what to do next.
//!
//! Owns the table from [`Kind`] to heading and exit code. It must not know who raises an error or
//! how one is shown: printing is the console's. Bad rows are never errors; they are verdicts of
//! [`crate::contract`].

use std::error::Error as StdError;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault it is; decides the heading a user reads and the exit code a scheduler reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Reading, computing or writing failed while running.
    Failed,
    /// The command line asks for something impossible.
    Usage,
    /// Schema, model and data do not fit each other.
    Contract,
    /// More rows were refused than the run may lose.
    ErrorBudget,
    /// A quality gate tripped.
    Gate,
    /// A digest or signature does not match, or the model could run code.
    Trust,
    /// Another run holds the output.
    Busy,
    /// Stopped by the signal of this number.
    Signal(u8),
    /// A broken invariant of ours: a bug worth reporting.
    Internal,
}

impl Kind {
    /// The word before the message and the process's exit code.
    #[must_use]
    pub const fn heading_and_code(self) -> (&'static str, u8) {
        match self {
            Self::Failed => ("error", 1),
            Self::Internal => ("internal error", 1),
            Self::Usage => ("usage error", 2),
            Self::Contract => ("contract error", 3),
            Self::ErrorBudget => ("too many bad rows", 4),
            Self::Gate => ("gate tripped", 5),
            Self::Trust => ("trust error", 6),
            Self::Busy => ("busy", 75),
            Self::Signal(number) => ("stopped", 128 + number),
        }
    }

    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        self.heading_and_code().1
    }
}

/// Where something went wrong; every part is optional, and all that are known are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The file or directory.
    pub path: Option<OsString>,
    /// The row, counted from 1 within the file, the header of a CSV file not counted.
    pub row: Option<u64>,
    /// The column's name.
    pub column: Option<String>,
    /// The part of a model, such as `tree 12, node 7`.
    pub node: Option<String>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.path
                .as_ref()
                .map(|path| format!("`{}`", path.display())),
            self.row.map(|row| format!("row {row}")),
            self.column
                .as_ref()
                .map(|column| format!("column `{column}`")),
            self.node.clone(),
        ];
        let known: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&known.join(", "))
    }
}

#[derive(Debug)]
struct Parts {
    kind: Kind,
    message: String,
    location: Position,
    source: Option<Box<dyn StdError + Send + Sync>>,
    hint: Option<String>,
}

/// What we were doing when it failed, where, why, and what to do next.
#[derive(Debug)]
pub struct Error(Box<Parts>);

impl Error {
    /// An error of `kind`; `message` says what was being done, lower case, values in backticks, no
    /// full stop.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            message: message.into(),
            location: Position::default(),
            source: None,
            hint: None,
        }))
    }

    /// Something failed while running (exit 1).
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// The command line is wrong (exit 2).
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Schema, model and data do not fit (exit 3).
    #[must_use]
    pub fn contract(message: impl Into<String>) -> Self {
        Self::new(Kind::Contract, message)
    }

    /// A digest does not match or a file could run code (exit 6).
    #[must_use]
    pub fn trust(message: impl Into<String>) -> Self {
        Self::new(Kind::Trust, message)
    }

    /// A broken invariant of ours (exit 1).
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
            .hint("this is a bug in tallow: please report it with the command that was run")
    }

    /// Names the file or directory, unless one is named already.
    #[must_use]
    pub fn at_path(mut self, path: impl AsRef<OsStr>) -> Self {
        self.0
            .location
            .path
            .get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// Names another path, where `change` has one for the path that is named.
    #[must_use]
    pub fn map_path(mut self, change: impl FnOnce(&OsStr) -> Option<OsString>) -> Self {
        let location = &mut self.0.location;
        if let Some(path) = location.path.as_deref().and_then(change) {
            location.path = Some(path);
        }
        self
    }

    /// Names the row, counted from 1, unless one is named already.
    #[must_use]
    pub fn at_row(mut self, row: u64) -> Self {
        self.0.location.row.get_or_insert(row);
        self
    }

    /// Says more, behind the message.
    #[must_use]
    pub fn adding(mut self, more: &str) -> Self {
        self.0.message.push_str(more);
        self
    }

    /// Counts the row from elsewhere, if one is named.
    #[must_use]
    pub fn map_row(mut self, number: impl FnOnce(u64) -> u64) -> Self {
        self.0.location.row = self.0.location.row.map(number);
        self
    }

    /// Names the column, unless one is named already.
    #[must_use]
    pub fn at_column(mut self, column: impl Into<String>) -> Self {
        self.0.location.column.get_or_insert_with(|| column.into());
        self
    }

    /// Names the part of a model, unless one is named already.
    #[must_use]
    pub fn at_node(mut self, node: impl Into<String>) -> Self {
        self.0.location.node.get_or_insert_with(|| node.into());
        self
    }

    /// Says what to type or do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says what to type or do next, after what was said already.
    #[must_use]
    pub fn further_hint(self, hint: impl Into<String>) -> Self {
        let hint = match self.hint_text() {
            Some(before) => format!("{before}; {}", hint.into()),
            None => hint.into(),
        };
        self.hint(hint)
    }

    /// Keeps the error underneath; its own text is shown as `caused by`.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What we were doing, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it went wrong.
    #[must_use]
    pub fn location(&self) -> &Position {
        &self.0.location
    }

    /// What to do next, where we know it.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether the process was asked to stop: nothing is wrong with what was being read.
    #[must_use]
    pub fn is_signal(&self) -> bool {
        matches!(self.kind(), Kind::Signal(_))
    }

    /// Whether a reader that went away is the cause: success for a program that writes to a pipe.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        self.causes().any(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
        })
    }

    /// The errors underneath, each the source of the one before.
    pub fn causes(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        std::iter::successors(self.source(), |&cause| cause.source())
    }

    /// The operating system's own error underneath.
    #[must_use]
    pub fn system_error(&self) -> Option<&std::io::Error> {
        self.causes()
            .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
            .find(|cause| cause.raw_os_error().is_some())
    }

    /// How many lines it takes: message and place, each cause, and the hint.
    #[must_use]
    pub fn line_count(&self) -> usize {
        let lines = |text: &str| text.lines().count().max(1);
        let causes: usize = self.causes().map(|one| lines(&one.to_string())).sum();
        1 + causes + self.hint_text().map_or(0, lines)
    }

    /// Message, place and causes in one line.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        self.causes()
            .fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let location = self.0.location.to_string();
        if location.is_empty() {
            Ok(())
        } else {
            write!(f, " ({location})")
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// A text as a shell reads it back, for hints that hold something to type: quoted only where it
/// must be.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let is_plain =
        |character: char| character.is_alphanumeric() || "_-./=,:+@%".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_every_known_position_and_keeps_its_source_apart() {
        let error = Error::failed("cannot parse a number")
            .at_path("in.csv")
            .at_row(7)
            .at_column("age")
            .because("boom");
        assert_eq!(
            error.to_string(),
            "cannot parse a number (`in.csv`, row 7, column `age`)"
        );
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some("boom")
        );
        let outer = Error::failed("cannot read").because(error);
        assert_eq!(outer.causes().count(), 2);
        assert_eq!(
            outer.in_one_line(),
            "cannot read: cannot parse a number (`in.csv`, row 7, column `age`): boom"
        );
    }

    #[test]
    fn what_is_to_be_typed_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(shell_word("Größe=height_2"), "Größe=height_2");
        assert_eq!(shell_word("first name=name"), "'first name=name'");
        assert_eq!(shell_word("it's; rm *"), r"'it'\''s; rm *'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn the_first_position_named_wins() {
        let error = Error::failed("x").at_node("tree 1").at_node("forest");
        assert_eq!(error.location().node.as_deref(), Some("tree 1"));
    }
}
