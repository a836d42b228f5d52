//! Job files: a run's options in TOML, under the names of its flags.
//!
//! Owns how such a file is read. Its values become defaults of clap's arguments, so
//! that flags and `TALLOW_*` variables come before them and every value is checked as a flag's is.
//! It must not know what an option means.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::{Table, Value};

use super::paths::without_detour;
use crate::error::{Error, Result};
use crate::package::manifest::line_of;
use crate::plan::monitoring::is_automatic;
use crate::registry::name::Reference;
use crate::request::VERSION;
use crate::request::challenger::split_name;
use crate::request::keys::split_column;
use crate::storage::{Location, find, read};
use crate::table::spelling::did_you_mean;

/// The verbs that take a job file.
const VERBS: [&str; 3] = ["score", "check", "retry"];

/// Flags that no job file holds.
const NOT_HELD: [&str; 4] = ["job", "print_job", "help", "version"];

/// Keys whose values are `[COLUMN=]FILE`.
const KEYS_OF_COLUMNS: [&str; 2] = ["decryption_key", "encryption_key"];

/// A job file is small.
const MAX_BYTES: u64 = 1 << 20;

/// Gives the command the options of the job file that the arguments or `TALLOW_JOB` name, if they
/// name one.
///
/// # Errors
/// Fails if the file cannot be read; a usage error for a key that is not a flag's, for a value of
/// another type and for options that exclude each other.
pub(super) fn with_job(command: Command, arguments: &[OsString]) -> Result<Command> {
    if !may_name_job(arguments) {
        return Ok(command);
    }
    // Whatever is wrong with the arguments is reported later, when the file's options are known.
    let first_look = command.clone().ignore_errors(true);
    let Ok(matches) = first_look.try_get_matches_from(arguments) else {
        return Ok(command);
    };
    let Some((verb, matches)) = matches
        .subcommand()
        .filter(|(verb, _)| VERBS.contains(verb))
    else {
        return Ok(command);
    };
    let named = matches.try_get_one::<PathBuf>("job").ok().flatten();
    let Some(path) = named.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(command);
    };
    let job = JobFile {
        options: options(path)?,
        path: path.clone(),
    };
    job.check_keys(&command)?;
    job.apply(command, verb, matches)
}

/// Whether a second look at the arguments is needed at all: most runs have no job file.
fn may_name_job(arguments: &[OsString]) -> bool {
    let is_flag = |argument: &OsString| {
        let bytes = argument.as_encoded_bytes();
        bytes == b"--job" || bytes.starts_with(b"--job=")
    };
    arguments.iter().any(is_flag) || std::env::var_os("TALLOW_JOB").is_some()
}

/// A job file as it was read.
struct JobFile {
    path: PathBuf,
    options: Table,
}

/// The table of a job file.
fn options(path: &Path) -> Result<Table> {
    let bytes = read(path, MAX_BYTES).map_err(|error| {
        let is_missing = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::NotFound;
        if error.system_error().is_some_and(|cause| !is_missing(cause)) {
            return error;
        }
        error.hint(
            "`--job FILE` reads a job file; `--job-name NAME` names the job in metrics and lineage",
        )
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::usage("the job file is not UTF-8").at_path(path))?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line = line_of(&text, error.span().map_or(0, |span| span.start));
        let message = format!(
            "the job file is not TOML at line {line}: {}",
            error.message()
        );
        Error::usage(message).at_path(path)
    })
}

impl JobFile {
    fn wrong(&self, message: impl Into<String>) -> Error {
        Error::usage(message).at_path(&self.path)
    }

    /// Checks that every key is that of a flag of `tallow score`.
    fn check_keys(&self, command: &Command) -> Result<()> {
        let known: Vec<String> = held(command).into_iter().map(key).collect();
        for (key, value) in &self.options {
            if key == "version" {
                if value.as_integer() != Some(VERSION.into()) {
                    let message = format!("this version of job files is not known: {value}");
                    return Err(self.wrong(message).hint(format!("`version = {VERSION}`")));
                }
            } else if !known.contains(key) {
                let otherwise = "keys are the long flags of `tallow score`, with `_` for `-`";
                let names = known.iter().map(String::as_str);
                return Err(self
                    .wrong(format!("a job file has no key `{key}`"))
                    .hint(did_you_mean(key, &names, otherwise)));
            }
        }
        Ok(())
    }

    /// Makes the options defaults of the verb's arguments.
    fn apply(&self, mut command: Command, verb: &str, matches: &ArgMatches) -> Result<Command> {
        let mut verb_command = command
            .find_subcommand(verb)
            .cloned()
            .ok_or_else(|| Error::internal("a verb without a command"))?;
        for (key, value) in self.options.iter().filter(|(key, _)| *key != "version") {
            let name = if verb == "retry" && key == "output" {
                "directory"
            } else {
                key
            };
            if let Some(arg) = own(&verb_command, name) {
                self.check_exclusion(&verb_command, arg)?;
                let values = self.values(arg, key, value)?;
                let id = arg.get_id().clone();
                if !values.is_empty() && !is_overruled(&verb_command, arg, matches) {
                    verb_command =
                        verb_command.mut_arg(id, |arg| arg.required(false).default_values(values));
                }
            } else if let Some(arg) = own(&command, name) {
                let (values, id) = (self.values(arg, key, value)?, arg.get_id().clone());
                if !values.is_empty() {
                    command = command.mut_arg(id, |arg| arg.default_values(values));
                }
            }
        }
        Ok(command.mut_subcommand(verb, |_| verb_command))
    }

    /// Two options of a file of which a command takes only one.
    fn check_exclusion(&self, command: &Command, arg: &Arg) -> Result<()> {
        let others = command.get_arg_conflicts_with(arg);
        match others
            .into_iter()
            .map(key)
            .find(|other| self.options.contains_key(other))
        {
            None => Ok(()),
            Some(other) => Err(self
                .wrong(format!("`{}` and `{other}` exclude each other", key(arg)))
                .hint("keep one of them")),
        }
    }

    /// A value as words of the command line; none for a switch that is off.
    fn values(&self, arg: &Arg, key: &str, value: &Value) -> Result<Vec<OsString>> {
        let wrong = |expected: &str| {
            let found = value.type_str();
            self.wrong(format!(
                "`{key}` is {expected}, and the job file has: {found}"
            ))
        };
        if matches!(arg.get_action(), ArgAction::SetTrue) {
            let is_on = value.as_bool().ok_or_else(|| wrong("true or false"))?;
            return Ok(if is_on {
                vec!["true".into()]
            } else {
                Vec::new()
            });
        }
        let takes_several = matches!(arg.get_action(), ArgAction::Append)
            || arg
                .get_num_args()
                .is_some_and(|count| count.max_values() > 1);
        let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
        let word = |value: &Value| {
            let word = if is_path {
                let word = self.path_of(key, value);
                if let (Some(text), Some(anchored)) = (value.as_str(), &word) {
                    self.check_directory(key, &text.into(), &anchored.clone().into())?;
                }
                word
            } else {
                plain(value)
            };
            word.ok_or_else(|| {
                wrong(if is_path {
                    "a path"
                } else {
                    "a text or a number"
                })
            })
        };
        let words = match value {
            Value::Array(values) if takes_several => {
                values.iter().map(word).collect::<Result<Vec<_>>>()?
            }
            Value::Array(_) => return Err(wrong("one value")),
            value => vec![word(value)?],
        };
        for word in &words {
            if let Some(Unfit { reason, hint }) = unfit(arg, word) {
                let error = self.wrong(format!(
                    "`{key}` cannot be `{}`{reason}",
                    word.to_string_lossy()
                ));
                return Err(hint.into_iter().fold(error, Error::hint));
            }
        }
        Ok(words)
    }

    /// Fails for something to read that is not where the job file looks for it, but is where the
    /// command was run.
    fn check_directory(&self, key: &str, path: &Location, anchored: &Location) -> Result<()> {
        let is_there = |path: &Location| find(path).is_ok_and(|found| found.is_some());
        let is_read = ["model", "inputs"].contains(&key);
        if !is_read || path == anchored || is_there(anchored) || !is_there(path) {
            return Ok(());
        }
        let message = format!("`{key}`: there is no `{}`", anchored.display());
        Err(self.wrong(message).hint(format!(
            "paths of a job file start at its own directory, and `{}` is in the working directory: \
             move the job file there, or change the path",
            path.display()
        )))
    }

    /// A path from the file's directory on; `none` and `auto` stay the words, and so does the name
    /// of a registry's model.
    fn path_of(&self, key: &str, value: &Value) -> Option<OsString> {
        let path: Location = value.clone().try_into().ok()?;
        if KEYS_OF_COLUMNS.contains(&key) {
            let (column, file) = split_column(&path);
            let file = self.anchored(key, &file);
            return Some(column.map_or(file.clone(), |column| {
                let mut named = OsString::from(format!("{column}="));
                named.push(file);
                named
            }));
        }
        if key != "challenger" {
            return Some(self.anchored(key, &path));
        }
        let (name, model) = split_name(&path);
        let model = self.anchored(key, &model);
        Some(name.map_or(model.clone(), |name| {
            let mut named = OsString::from(format!("{name}="));
            named.push(model);
            named
        }))
    }

    fn anchored(&self, key: &str, path: &Location) -> OsString {
        let is_model = ["model", "challenger"].contains(&key);
        if is_model && path.to_str().and_then(Reference::parse).is_some() {
            return path.as_os_str().to_owned();
        }
        let directory = Location::from(&self.path).parent();
        let directory = directory.filter(|above| !above.is_empty());
        let is_word = *path == "none" || path.is_stream() || key == "profile" && is_automatic(path);
        let (Some(directory), false) = (directory, is_word) else {
            return path.as_os_str().to_owned();
        };
        let is_pattern = path
            .to_str()
            .is_some_and(|text| text.contains(['*', '?', '[']));
        let (directory, path) = without_detour(directory, path.clone());
        match directory
            .to_str()
            .filter(|_| is_pattern && path.is_relative())
        {
            Some(text) => Path::new(&glob::Pattern::escape(text))
                .join(path.as_os_str())
                .into(),
            None => directory.join(path).as_os_str().to_owned(),
        }
    }
}

/// Why a value is not one of an argument's.
pub(super) struct Unfit {
    /// The reason, behind a colon; empty where the hint says it.
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

/// Why the parser of an argument does not take a word; none if it does.
pub(super) fn unfit(arg: &Arg, word: &OsString) -> Option<Unfit> {
    const NAME: &str = "value";
    let alone = Arg::new(NAME)
        .value_parser(arg.get_value_parser().clone())
        .allow_hyphen_values(true)
        .num_args(1);
    let command = Command::new(NAME).no_binary_name(true).arg(alone);
    let error = command.try_get_matches_from([word]).err()?;
    let possible = arg.get_possible_values();
    if possible.is_empty() {
        let reason = std::error::Error::source(&error);
        return Some(Unfit {
            reason: reason.map_or_else(String::new, |reason| format!(": {reason}")),
            hint: None,
        });
    }
    let names: Vec<&str> = possible
        .iter()
        .map(clap::builder::PossibleValue::get_name)
        .collect();
    let otherwise = format!("possible values: {}", names.join(", "));
    Some(Unfit {
        reason: String::new(),
        hint: Some(did_you_mean(
            &word.to_string_lossy(),
            &names.into_iter(),
            &otherwise,
        )),
    })
}

/// A value that is not a path, as a word.
fn plain(value: &Value) -> Option<OsString> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            Some(value.to_string().into())
        }
        Value::Array(_) | Value::Table(_) => None,
    }
}

/// Whether the user named an argument that excludes this one.
fn is_overruled(command: &Command, arg: &Arg, matches: &ArgMatches) -> bool {
    let is_set = |other: &Arg| {
        let source = matches.try_contains_id(other.get_id().as_str());
        source.is_ok_and(|found| found)
            && matches!(
                matches.value_source(other.get_id().as_str()),
                Some(ValueSource::CommandLine | ValueSource::EnvVariable)
            )
    };
    command
        .get_arguments()
        .filter(|other| is_set(other))
        .any(|other| {
            command.get_arg_conflicts_with(arg).contains(&other)
                || command.get_arg_conflicts_with(other).contains(&arg)
        })
}

/// The key of an argument in a job file.
pub(super) fn key(arg: &Arg) -> String {
    arg.get_long()
        .unwrap_or(arg.get_id().as_str())
        .replace('-', "_")
}

/// The argument of a command that has this key.
fn own<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| key(arg) == name)
}

/// The arguments of `tallow score` that a job file may hold, in the order of its help.
pub(super) fn held(command: &Command) -> Vec<&Arg> {
    let score = command.find_subcommand("score").into_iter();
    score
        .flat_map(Command::get_arguments)
        .chain(command.get_arguments())
        .filter(|arg| !NOT_HELD.contains(&key(arg).as_str()))
        .collect()
}
