//! The command line: arguments in, one verb run, an exit code out.
//!
//! The only room that prints, reads the environment and decides how the process ends. Each verb is a file.

pub mod args;
mod check;
mod completions;
pub mod console;
mod inspect;
mod score;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, ConsoleArgs, ResultFormat, Verb};
use console::Console;

use crate::error::{Error, Result};

/// Parses `arguments`, runs the verb and says how the process should end. A broken pipe on standard output is success.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments),
    };
    let console = Console::new(&cli.console);
    // A panic of a library becomes an error of ours, told once and in our words.
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(|| dispatch(cli.verb, &console)));
    match result.unwrap_or_else(|_| Err(Error::internal("tallow panicked"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            console.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn dispatch(verb: Verb, console: &Console) -> Result<()> {
    match verb {
        Verb::Score(args) => score::run(*args, console),
        Verb::Check(args) => check::run(*args, console),
        Verb::Inspect(args) => inspect::run(&args, console),
        Verb::Completions(args) => completions::run(&args, console),
    }
}

/// clap's own messages, which know the flags; JSON as well where it was asked for.
fn usage(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let _ = error.print();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return ExitCode::SUCCESS;
    }
    let json = arguments.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json") || arguments.iter().any(|one| one == "--format=json");
    if json {
        let console = Console::new(&ConsoleArgs { format: ResultFormat::Json, quiet: true, verbose: false });
        let first = error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let _ = console.data(&format!("{}\n", crate::report::json::failure(&Error::usage(first))));
    }
    ExitCode::from(2)
}
