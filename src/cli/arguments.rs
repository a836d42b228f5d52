//! Arguments as they were typed, parsed: clap's work, and what it does not know.
//!
//! Owns what stands before and behind clap: variables that are empty, values that were forgotten,
//! the options of job files, inputs that are column lists. It must not know what a verb does.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ColorChoice, Command, CommandFactory, FromArgMatches};

use super::args::{Cli, Verb};
use super::job::{Unfit, unfit};
use super::output_args::OutputArgs;
use super::work_args::WorkArgs;
use super::{job, short_help};
use crate::error::{Error, Result};
use crate::storage::find;

/// Why arguments are not taken.
#[derive(Debug)]
pub(super) enum Unparsed {
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

/// The verb and its arguments.
pub(super) fn parse(arguments: &[OsString]) -> Result<Cli, Unparsed> {
    let command = Cli::command().color(color(arguments));
    let mut command = without_empty_variables(short_help::shortened(command));
    // A dry run needs no output.
    command = command.mut_subcommand("check", |check| {
        check.mut_arg("output", |output| output.required(false))
    });
    if let Some((flag, next)) = flag_as_value(&command, arguments) {
        let message = format!(
            "`{flag}` needs a value, and `{next}` is a flag of its own: write `{flag}={next}` if \
             it is the value"
        );
        return Err(command.error(ErrorKind::InvalidValue, message).into());
    }
    let mut command = job::with_job(command, arguments).map_err(Unparsed::ByJob)?;
    let matches =
        command
            .try_get_matches_from_mut(arguments)
            .map_err(|error| match of_variable(&command, arguments) {
                Some(own) => Unparsed::ByJob(own),
                None => error.into(),
            })?;
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

/// The value of a flag in arguments that are not parsed yet, else that of its variable.
pub(super) fn asked_for(arguments: &[OsString], flag: &str, variable: &str) -> Option<String> {
    let texts: Vec<_> = arguments
        .iter()
        .map(|argument| argument.to_string_lossy())
        .collect();
    let value = |(index, text): (usize, &Cow<'_, str>)| match text.strip_prefix(flag) {
        Some("") => texts.get(index + 1).map(ToString::to_string),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    let of_variable = || Some(std::env::var_os(variable)?.to_string_lossy().into_owned());
    texts
        .iter()
        .enumerate()
        .find_map(value)
        .or_else(of_variable)
}

/// When clap colors help and errors.
fn color(arguments: &[OsString]) -> ColorChoice {
    match asked_for(arguments, "--color", "TALLOW_COLOR").as_deref() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// The error of the first variable whose value its flag does not take, unless the flag was typed.
fn of_variable(command: &Command, arguments: &[OsString]) -> Option<Error> {
    let typed = |flag: &str| {
        let is_it = |argument: &OsString| {
            let text = argument.to_string_lossy();
            text.strip_prefix("--")
                .is_some_and(|text| text.split('=').next() == Some(flag))
        };
        arguments.iter().any(is_it)
    };
    let verb = arguments
        .iter()
        .skip(1)
        .find_map(|argument| command.find_subcommand(argument))?;
    let flags = command.get_arguments().chain(verb.get_arguments());
    flags
        .filter(|arg| !matches!(arg.get_action(), ArgAction::SetTrue))
        .filter(|arg| !arg.get_long().is_some_and(typed))
        .find_map(|arg| {
            let variable = arg.get_env()?;
            let value = std::env::var_os(variable).filter(|value| !value.is_empty())?;
            let Unfit { reason, hint } = unfit(arg, &value)?;
            let error = Error::usage(format!(
                "the variable `{}` cannot be `{}`{reason}",
                variable.to_string_lossy(),
                value.to_string_lossy()
            ));
            Some(hint.into_iter().fold(error, Error::hint))
        })
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
