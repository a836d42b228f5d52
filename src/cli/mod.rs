//! The command line: arguments in, one verb run, an exit code out.
//!
//! The only room that prints, reads the environment and decides how the process ends. Each verb is
//! a file.

pub mod args;
mod arguments;
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
mod findings;
mod fitting;
mod guide;
mod history;
mod inspect;
pub mod inspect_args;
mod inspect_data;
mod inspect_model;
mod inspect_profile;
mod job;
mod job_page;
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
mod pager;
mod paths;
mod prediction_args;
mod profile;
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
pub mod retry_args;
pub mod rows_args;
mod run_events;
mod scheduler;
mod score;
pub mod score_args;
pub mod shell_args;
mod short_help;
mod sign;
mod signal;
pub mod signature_args;
pub mod text_args;
mod trust;
mod usage;
mod usage_error;
mod user;
mod verify;
pub mod work_args;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use serde_json::{Map, Value as Json};

use args::{Cli, Verb};
use console::Console;

use crate::error::{Error, Result};
use crate::panics::{caught, note_quietly};
use crate::process;
use crate::run::result::{Failure, RunResult};

/// Parses `arguments`, runs the verb and says how the process should end. A broken pipe on standard
/// output is success.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    signal::survive_full_files();
    let cli = match arguments::parse(&arguments) {
        Ok(cli) => cli,
        Err(unparsed) => return usage::show(unparsed, &arguments),
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
            .hint("redirect it to a file, or remove `--format json`")
            .into());
    }
    keys::install(&verb, console)?;
    let done = perform(verb, console);
    // What could not be opened may have had the column.
    if done.is_ok() {
        keys::warn_of_unread(console);
    }
    done
}

fn perform(verb: Verb, console: &Console) -> Result<(), Failure> {
    match verb {
        Verb::Score(args) if args.print_job => {
            console.data(&job_page::page(
                &(*args).into(),
                console.changed_options(),
                &Cli::command(),
            )?)?;
        }
        Verb::Score(args) => conclude(score::run(&(*args).into(), console)?, console)?,
        Verb::Check(args) => check::run(*args, console)?,
        Verb::Inspect(args) => inspect::run(args, console)?,
        Verb::Profile(args) => profile::run(args, console)?,
        Verb::Drift(args) => drift::run(args, console)?,
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
        Verb::Verify(args) => verify::run(args, console)?,
        Verb::Guide(args) => guide::run(&args, console)?,
        Verb::Completions(args) => completions::run(&args, console)?,
        Verb::Man(args) => man::run(&args, console)?,
    }
    Ok(())
}
