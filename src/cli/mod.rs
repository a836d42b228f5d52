//! The command line: arguments in, one verb run, an exit code out.
//!
//! The only room that prints, reads the environment and decides how the process ends. Each verb is
//! a file.

pub mod args;
pub mod challenger_args;
mod check;
mod check_page;
mod choices;
mod compare;
pub mod compare_args;
mod completions;
pub mod console;
pub mod console_args;
pub mod dialect_args;
mod drift;
pub mod drift_args;
mod evaluate;
pub mod evaluate_args;
mod explain;
#[cfg(test)]
mod failing_disk;
#[cfg(test)]
mod failing_input;
mod guide;
mod history;
mod inspect;
mod inspect_data;
mod inspect_model;
mod inspect_profile;
mod job;
mod json_log;
pub mod key_args;
mod keys;
mod log;
mod man;
mod man_pages;
mod merge;
pub mod merge_args;
pub mod monitoring_args;
pub mod output_args;
mod pack;
pub mod pack_args;
mod pack_page;
mod page;
mod paths;
mod prediction_args;
mod progress;
mod quality_args;
pub mod record_args;
mod registry;
pub mod registry_args;
mod registry_request;
mod replay;
mod report;
pub mod report_args;
mod requested;
mod retry;
pub mod rows_args;
mod run_events;
mod scheduler;
mod score;
pub mod shell_args;
mod short_help;
mod sign;
mod signal;
pub mod signature_args;
pub mod text_args;
mod trust;
mod user;
mod verify;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use serde_json::{Map, Value as Json};

use args::{Cli, ConsoleArgs, LogFormat, OutputArgs, ResultFormat, Verb, WorkArgs};
use console::Console;

use crate::error::{Error, Result};
use crate::escape::escaped;
use crate::panics::{caught, note_quietly};
use crate::process;
use crate::run::ending::{Failure, RunResult};
use crate::storage::find;

/// Parses `arguments`, runs the verb and says how the process should end. A broken pipe on standard
/// output is success.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(Unparsed::ByClap(error)) => return usage(&shown(error, &arguments), &arguments),
        Err(Unparsed::ByJob(error)) => return refused(&error, &arguments),
    };
    let console = Console::new(&cli.console);
    // A panic of a library becomes an error of ours, shown once and in our words.
    note_quietly();
    let result = caught("tallow panicked", || Ok(dispatch(cli.verb, &console)));
    match result.unwrap_or_else(|error| Err(error.into())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure {
            error: Some(error), ..
        }) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(Failure {
            error,
            object,
            code,
        }) => {
            error
                .iter()
                .for_each(|error| console.error(error, object.clone()));
            ExitCode::from(code)
        }
    }
}

/// Prints the object of a run where JSON is expected, and passes its exit code on.
fn conclude(ending: RunResult, console: &Console) -> Result<(), Failure> {
    let RunResult {
        object,
        code,
        was_idle: _,
    } = ending;
    if console.is_json() {
        let printed = console.json(&Json::Object(object));
        // Also if the reader went away: it waits for the object, not for some of the rows.
        printed.map_err(|error| {
            let cause = error
                .causes()
                .next()
                .map_or_else(|| error.to_string(), ToString::to_string);
            let error = Error::failed(
                "the run is done, but its JSON object could not be written to standard output",
            )
            .because(cause);
            error.hint(
                "the output is whole: the same command again has nothing to do and prints that",
            )
        })?;
    }
    if code == 0 {
        Ok(())
    } else {
        Err(Failure {
            error: None,
            object: Map::new(),
            code,
        })
    }
}

fn dispatch(verb: Verb, console: &Console) -> Result<(), Failure> {
    if console.is_json() && process::output_is_closed() {
        let error = Error::failed("`--format json` has nowhere to go: standard output is closed");
        return Err(error
            .hint("redirect it to a file, or leave `--format json` out")
            .into());
    }
    keys::install(&verb, console)?;
    match verb {
        Verb::Score(args) if args.print_job => {
            console.data(&job::page(&(*args).into(), &Cli::command())?)?;
        }
        Verb::Score(args) => conclude(score::run(&(*args).into(), console)?, console)?,
        Verb::Check(args) => check::run(*args, console)?,
        Verb::Inspect(args) => inspect::run(args, console)?,
        Verb::Profile(args) => drift::profile(args, console)?,
        Verb::Drift(args) => drift::drift(args, console)?,
        Verb::Merge(args) => merge::run(args, console)?,
        Verb::Evaluate(args) => evaluate::run(*args, console)?,
        Verb::Explain(args) => explain::run(args, console)?,
        Verb::Replay(args) => replay::run(args, console)?,
        Verb::Log(args) => history::run(&args, console)?,
        Verb::Compare(args) => compare::run(*args, console)?,
        Verb::Report(args) => report::run(args, console)?,
        Verb::Retry(args) => conclude(retry::run(args, console)?, console)?,
        Verb::Pack(args) => pack::run(*args, console)?,
        Verb::Registry(args) => registry::run(args, console)?,
        Verb::Sign(args) => sign::run(&args.into(), console)?,
        Verb::Verify(args) => verify::run(args.into(), console)?,
        Verb::Guide(args) => guide::run(&args, console)?,
        Verb::Completions(args) => completions::run(&args, console)?,
        Verb::Man(args) => man::run(&args, console)?,
    }
    Ok(())
}

/// Why arguments are not taken.
#[derive(Debug)]
enum Unparsed {
    /// For what clap found.
    ByClap(clap::Error),
    /// For what their job file says.
    ByJob(Error),
}

impl From<clap::Error> for Unparsed {
    fn from(error: clap::Error) -> Self {
        Self::ByClap(error)
    }
}

fn parse(arguments: &[OsString]) -> Result<Cli, Unparsed> {
    let mut command = without_empty_variables(short_help::shortened(Cli::command()));
    // A dry run needs no output.
    command = command.mut_subcommand("check", |check| {
        check.mut_arg("output", |output| output.required(false))
    });
    if let Some((flag, next)) = flag_as_value(&command, arguments) {
        let message = format!(
            "a value is required for '{flag}', and '{next}' is a flag of its own: write \
             '{flag}={next}' if it is the value"
        );
        return Err(command.error(ErrorKind::InvalidValue, message).into());
    }
    let mut command = job::with_job(command, arguments).map_err(Unparsed::ByJob)?;
    let matches = command.try_get_matches_from_mut(arguments)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    match &mut cli.verb {
        Verb::Score(args) => gather_features(&mut args.work),
        Verb::Check(args) => {
            gather_features(&mut args.work);
            // A group of which only a job file has values is none to clap.
            let matches = matches.subcommand_matches("check");
            let matches = matches.filter(|matches| matches.contains_id("output"));
            if let Some(matches) = matches.filter(|_| args.output.is_none()) {
                args.output = Some(OutputArgs::from_arg_matches(matches)?);
            }
        }
        _ => {}
    }
    Ok(cli)
}

/// Further `INPUT=COLUMNS` behind `--features INPUT=COLUMNS` look like input files to clap; where
/// no such file is, they are not.
fn gather_features(work: &mut WorkArgs) {
    let is_by_input = |text: &str| {
        text.split_once('=')
            .is_some_and(|(input, columns)| !input.is_empty() && !columns.is_empty())
    };
    let Some(features) = work
        .binding
        .features
        .as_mut()
        .filter(|features| features.iter().all(|text| is_by_input(text)))
    else {
        return;
    };
    let is_one = |path: &PathBuf| {
        path.to_str().is_some_and(is_by_input) && find(path).is_ok_and(|found| found.is_none())
    };
    let (more, inputs): (Vec<PathBuf>, Vec<PathBuf>) = std::mem::take(&mut work.inputs)
        .into_iter()
        .partition(is_one);
    if inputs.is_empty() {
        work.inputs = more;
        return;
    }
    features.extend(
        more.into_iter()
            .filter_map(|path| path.into_os_string().into_string().ok()),
    );
    work.inputs = inputs;
}

/// The first flag whose value may begin with a dash and is followed by another flag: the value was
/// forgotten.
fn flag_as_value<'a>(command: &Command, arguments: &'a [OsString]) -> Option<(&'a str, &'a str)> {
    let all: Vec<&Arg> = command
        .get_arguments()
        .chain(command.get_subcommands().flat_map(Command::get_arguments))
        .collect();
    let named = |text: &str| {
        let Some(name) = text.strip_prefix("--") else {
            let mut letters = text.strip_prefix('-')?.chars();
            let letter = letters.next().filter(|_| letters.next().is_none())?;
            return all.iter().find(|arg| arg.get_short() == Some(letter));
        };
        all.iter()
            .find(|arg| arg.get_long() == Some(name.split_once('=').map_or(name, |(name, _)| name)))
    };
    let takes_dashes = |text: &str| {
        !text.contains('=') && named(text).is_some_and(|arg| arg.is_allow_hyphen_values_set())
    };
    let pairs = arguments
        .windows(2)
        .filter_map(|pair| Some((pair[0].to_str()?, pair[1].to_str()?)));
    pairs
        .take_while(|(flag, _)| *flag != "--")
        .find(|(flag, next)| takes_dashes(flag) && named(next).is_some())
}

/// A variable that is set to nothing counts as not set: that is how a job file without a value for
/// it leaves it.
fn without_empty_variables(command: Command) -> Command {
    let is_empty = |arg: &Arg| {
        arg.get_env()
            .and_then(std::env::var_os)
            .is_some_and(|value| value.is_empty())
    };
    command
        .mut_args(|arg| {
            if is_empty(&arg) {
                arg.env(None::<&'static str>)
            } else {
                arg
            }
        })
        .mut_subcommands(without_empty_variables)
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
fn usage(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
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
        let _ = console.json(&Json::Object(crate::report::json::failure(&usage_error(
            error,
        ))));
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
fn refused(error: &Error, arguments: &[OsString]) -> ExitCode {
    let code = error.kind().exit_code();
    unparsed_console(arguments).error(error, Map::new());
    ExitCode::from(code)
}

/// Whether arguments that could not be parsed ask for JSON with this flag, wherever they do; a flag
/// wins over the variable.
fn wants_json(arguments: &[OsString], flag: &str, variable: &str) -> bool {
    let texts: Vec<_> = arguments
        .iter()
        .map(|argument| argument.to_string_lossy())
        .collect();
    let value = |(index, text): (usize, &Cow<'_, str>)| match text.strip_prefix(flag) {
        Some("") => texts.get(index + 1).map(ToString::to_string),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    let value_of = texts.iter().enumerate().find_map(value);
    value_of.map_or_else(
        || std::env::var_os(variable).is_some_and(|format| format == "json"),
        |format| format == "json",
    )
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
