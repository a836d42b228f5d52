//! What goes to standard error, as one JSON object per line.
//!
//! Owns the names in the objects: `time`, `level`, `message`, the run's, and what else an entry
//! holds. The console writes them.

use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::process;
use crate::report::json::failure;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// All is well.
    Info,
    /// Something is missing, but the run goes on.
    Warn,
    /// The run fails.
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// The line of an entry, with its end; `names` are what the run is called. `further` must not hold
/// the names of this room.
pub(super) fn line(
    level: Level,
    message: &str,
    names: &[(&str, &str)],
    further: Map<String, Json>,
) -> String {
    let mut entry = Map::new();
    entry.insert("time".into(), process::precise_now().into());
    entry.insert("level".into(), level.name().into());
    entry.insert("message".into(), message.into());
    entry.extend(
        names
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into())),
    );
    entry.extend(further);
    format!("{}\n", Json::Object(entry))
}

/// What an entry about an error holds: kind, place, causes and hint, as far as they are known, and
/// the exit code of an error that ends the run.
pub(super) fn error_fields(level: Level, error: &Error) -> Map<String, Json> {
    let mut object = failure(error);
    let rendered = object
        .remove("error")
        .and_then(|rendered| {
            if let Json::Object(rendered) = rendered {
                Some(rendered)
            } else {
                None
            }
        })
        .unwrap_or_default();
    let is_empty = |value: &Json| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let mut fields: Map<String, Json> = rendered
        .into_iter()
        .filter(|(name, value)| name != "message" && !is_empty(value))
        .collect();
    if level == Level::Error {
        fields.extend(
            object
                .remove("exit_code")
                .map(|code| ("exit_code".to_owned(), code)),
        );
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_whatever_is_in_it() {
        let error = Error::contract("two\nlines \u{7} \"quoted\"")
            .at_path("in.csv")
            .at_row(7)
            .hint("type this")
            .because("that");
        let text = line(
            Level::Error,
            error.message(),
            &[("run_id", "abc")],
            error_fields(Level::Error, &error),
        );
        assert_eq!(text.matches('\n').count(), 1);
        let mut entry: Map<String, Json> = serde_json::from_str(&text).unwrap();
        let time = entry.remove("time").unwrap();
        assert!(
            time.as_str()
                .is_some_and(|time| time.len() == 24 && time.ends_with('Z')),
            "{time}"
        );
        insta::assert_snapshot!(Json::Object(entry), @r#"{"causes":["that"],"exit_code":3,"hint":"type this","kind":"contract error","level":"error","message":"two\nlines \u0007 \"quoted\"","path":"in.csv","row":7,"run_id":"abc"}"#);
    }

    #[test]
    fn a_warning_has_no_exit_code() {
        assert!(
            error_fields(Level::Warn, &Error::failed("x"))
                .get("exit_code")
                .is_none()
        );
    }
}
