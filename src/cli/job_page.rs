//! A request as a job file: what `tallow score --print-job` prints.
//!
//! Owns how options are written. It must not know how job files are read.

use std::fmt::Write as _;

use clap::Command;
use serde_json::{Map, Value as Json};
use toml::Value;

use super::job::{held, key};
use crate::error::{Error, Result};
use crate::escape::is_unsafe;
use crate::request::{Request, VERSION};

/// Prints a request and the options of the console as a job file: what has its default is dropped.
///
/// # Errors
/// An internal error if an option has no form in TOML.
pub(super) fn page(
    request: &Request,
    display: Map<String, Json>,
    command: &Command,
) -> Result<String> {
    let internal = |error: &dyn std::fmt::Display| {
        Error::internal("options that have no form in TOML").because(error.to_string())
    };
    let mut changed = request
        .changed_options()
        .map_err(|error| internal(&error))?;
    changed.extend(display);
    let mut text = format!(
        "# tallow score --job FILE\n# Relative paths start at the directory of this file.\n\
         version = {VERSION}\n"
    );
    // One group a heading, in the order of their first flags.
    let mut groups: Vec<(Option<&str>, String)> = Vec::new();
    for arg in held(command) {
        let key = key(arg);
        let Some(value) = changed.get(&key) else {
            continue;
        };
        let value = Value::try_from(value).map_err(|error| internal(&error))?;
        let line = format!("{key} = {}\n", shown(&value));
        // Model and data stand first, whatever flags are declared next to them.
        let heading = arg.get_help_heading().filter(|_| !arg.is_positional());
        match groups.iter_mut().find(|(other, _)| *other == heading) {
            Some((_, lines)) => *lines += &line,
            None => groups.push((heading, line)),
        }
    }
    groups.sort_by_key(|(heading, _)| heading.is_some());
    for (heading, lines) in groups {
        let heading = heading.map_or_else(String::new, |heading| format!("\n# {heading}\n"));
        let _ = write!(text, "{heading}{lines}");
    }
    Ok(text)
}

/// A value as TOML. Characters that a terminal would obey are written as their numbers, which only
/// strings in double quotes can hold.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains(is_unsafe) => {
            let letters = text.chars().map(|letter| match letter {
                '"' | '\\' => format!("\\{letter}"),
                letter if is_unsafe(letter) => format!("\\U{:08X}", u32::from(letter)),
                letter => letter.to_string(),
            });
            format!("\"{}\"", letters.collect::<String>())
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}
