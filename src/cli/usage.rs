//! Arguments that cannot be parsed: what the user sees of it, and the exit code.
//!
//! Owns errors of clap and of job files before there is a console. It must not know how arguments
//! are parsed.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::error::ErrorKind;
use serde_json::{Map, Value as Json};

use super::arguments::{Unparsed, asked_for, parse};
use super::console::Console;
use super::console_args::{ConsoleArgs, LogFormat, ResultFormat};
use super::usage_error::usage_error;
use crate::error::Error;
use crate::escape::escaped;
use crate::report::json::failure;

/// Shows why arguments were not taken.
pub(super) fn show(unparsed: Unparsed, arguments: &[OsString]) -> ExitCode {
    match unparsed {
        Unparsed::ByClap(error) => by_clap(&shown(error, arguments), arguments),
        Unparsed::ByJob(error) => by_job(&error, arguments),
    }
}

/// The error as it is for arguments without characters that a terminal would obey, where it repeats
/// some that have them.
fn shown(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let safe = arguments
        .iter()
        .map(|argument| OsString::from(&*escaped(&argument.to_string_lossy())))
        .collect::<Vec<_>>();
    if safe == arguments {
        error
    } else {
        match parse(&safe) {
            Err(Unparsed::ByClap(safe)) => safe,
            _ => error,
        }
    }
}

/// What clap found, in our words: help as clap prints it; JSON as well, or instead, where it was
/// asked for.
fn by_clap(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let is_answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if is_answer {
        // A reader that went away has seen enough; a full disk has kept nothing.
        let is_lost = |error: io::Error| error.kind() != io::ErrorKind::BrokenPipe;
        let is_lost = error.print().is_err_and(is_lost);
        return ExitCode::from(u8::from(is_lost));
    }
    let console = unparsed_console(arguments);
    let found = usage_error(error, arguments);
    let has_verb = error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if has_verb || wants_json(arguments, "--log-format", "TALLOW_LOG_FORMAT") {
        console.error(&found, Map::new());
    } else {
        let _ = error.print();
        if console.is_json() {
            let _ = console.json(&Json::Object(failure(&found)));
        }
    }
    ExitCode::from(2)
}

/// The console that arguments ask for which could not be parsed.
fn unparsed_console(arguments: &[OsString]) -> Console {
    let wants = |flag, variable| wants_json(arguments, flag, variable);
    Console::new(&ConsoleArgs {
        log_format: if wants("--log-format", "TALLOW_LOG_FORMAT") {
            LogFormat::Json
        } else {
            LogFormat::Text
        },
        format: if wants("--format", "TALLOW_FORMAT") {
            ResultFormat::Json
        } else {
            ResultFormat::Text
        },
        ..ConsoleArgs::default()
    })
}

/// An error of a job file, reported as one of a run.
fn by_job(error: &Error, arguments: &[OsString]) -> ExitCode {
    let code = error.kind().exit_code();
    unparsed_console(arguments).error(error, Map::new());
    ExitCode::from(code)
}

/// Whether arguments that could not be parsed ask for JSON with this flag, wherever they do.
fn wants_json(arguments: &[OsString], flag: &str, variable: &str) -> bool {
    asked_for(arguments, flag, variable).is_some_and(|format| format == "json")
}
