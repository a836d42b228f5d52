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

/// clap's own messages, which know the flags; JSON as well, or instead, where it was asked for.
fn by_clap(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let wants_json_log = wants_json(arguments, "--log-format", "TALLOW_LOG_FORMAT");
    let is_answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if is_answer || !wants_json_log {
        let printed = error.print();
        // A reader that went away has seen enough; a full disk has kept nothing.
        let is_lost = |error: io::Error| error.kind() != io::ErrorKind::BrokenPipe;
        if is_answer && printed.is_err_and(is_lost) {
            return ExitCode::FAILURE;
        }
    }
    if is_answer {
        return ExitCode::SUCCESS;
    }
    let console = unparsed_console(arguments);
    if wants_json_log {
        console.error(&usage_error(error), Map::new());
    }
    if wants_json(arguments, "--format", "TALLOW_FORMAT") {
        let _ = console.json(&Json::Object(failure(&usage_error(error))));
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

/// clap's text as an error of ours: the message in one line, and as a hint what it says to try.
fn usage_error(error: &clap::Error) -> Error {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::usage("no verb was given").hint("tallow --help, or tallow guide");
    }
    let text = error.to_string();
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_advice =
        |line: &&str| line.starts_with("tip: ") || line.starts_with("For more information");
    let message: Vec<&str> = lines()
        .take_while(|line| !is_advice(line) && !line.starts_with("Usage:"))
        .collect();
    let rendered = Error::usage(message.join(" ").trim_start_matches("error: "));
    match lines().find(is_advice) {
        Some(advice) => rendered.hint(advice.trim_start_matches("tip: ")),
        None => rendered,
    }
}
