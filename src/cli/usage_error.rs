//! What clap found wrong with arguments, in the words of all other errors.
//!
//! Owns these sentences. Kinds that it does not know keep clap's text. It must not know where
//! errors go.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Cli;
use crate::error::Error;

/// clap's error as one of ours: the message in one line, and as a hint what to try.
pub(super) fn usage_error(error: &clap::Error, arguments: &[OsString]) -> Error {
    let verb = verb(arguments);
    let help = verb.as_ref().map_or_else(
        || "`tallow --help` lists the verbs".to_owned(),
        |verb| format!("`tallow {verb} --help` shows every flag"),
    );
    let program = verb.map_or_else(|| "tallow".to_owned(), |verb| format!("tallow {verb}"));
    let texts = |kind: ContextKind| texts(error.get(kind));
    let argument = texts(ContextKind::InvalidArg);
    let argument = argument.first().map(|text| flag(text));
    let value = texts(ContextKind::InvalidValue).into_iter().next();
    let rendered = match (error.kind(), argument, value) {
        (ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, ..) => {
            return Error::usage("no verb was given").hint("tallow --help, or tallow guide");
        }
        (ErrorKind::UnknownArgument, Some(argument), _) if argument.starts_with('-') => {
            Error::usage(format!("`{argument}` is not a flag of `{program}`"))
        }
        (ErrorKind::UnknownArgument, Some(argument), _) => {
            Error::usage(format!("`{program}` does not take another `{argument}`"))
        }
        (ErrorKind::MissingRequiredArgument, Some(_), _) => {
            let needed: Vec<String> = texts(ContextKind::InvalidArg)
                .iter()
                .map(|argument| format!("`{argument}`"))
                .collect();
            Error::usage(format!("`{program}` needs {}", needed.join(", ")))
        }
        (ErrorKind::InvalidValue, Some(argument), Some(value)) if value.is_empty() => {
            Error::usage(format!("`{argument}` needs a value"))
        }
        (ErrorKind::InvalidValue, Some(argument), Some(value)) => {
            let possible = texts(ContextKind::ValidValue).join(", ");
            let error = Error::usage(format!("`{argument}` cannot be `{value}`"));
            return match texts(ContextKind::SuggestedValue).first() {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("possible values: {possible}")),
            };
        }
        (ErrorKind::ValueValidation, Some(argument), Some(value)) => {
            let reason = std::error::Error::source(error);
            let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            Error::usage(format!("`{argument}` cannot be `{value}`{reason}"))
        }
        (ErrorKind::ArgumentConflict, Some(argument), _) => {
            let prior = texts(ContextKind::PriorArg);
            let prior: Vec<String> = prior
                .iter()
                .map(|text| format!("`{}`", flag(text)))
                .collect();
            Error::usage(match prior.as_slice() {
                [] => format!("`{argument}` is given more than once"),
                prior if prior.contains(&format!("`{argument}`")) => {
                    format!("`{argument}` is given more than once")
                }
                prior => format!("`{argument}` does not go with {}", prior.join(", ")),
            })
        }
        (ErrorKind::InvalidSubcommand, ..) => {
            let name = texts(ContextKind::InvalidSubcommand).join(" ");
            Error::usage(format!("`{name}` is not a verb of `{program}`"))
        }
        _ => Error::usage(first_sentence(error)),
    };
    let near = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand];
    let near: Vec<String> = near
        .into_iter()
        .flat_map(texts)
        .map(|text| format!("`{}`", flag(&text)))
        .collect();
    rendered.hint(if near.is_empty() {
        help
    } else {
        format!("did you mean {}? {help}", near.join(" or "))
    })
}

/// The verb that arguments name, as far as they can be read.
fn verb(arguments: &[OsString]) -> Option<String> {
    let command = Cli::command();
    let mut names = arguments.iter().skip(1);
    let found = names.find_map(|name| command.find_subcommand(name))?;
    let inner = names.find_map(|name| found.find_subcommand(name));
    Some(match inner {
        Some(inner) => format!("{} {}", found.get_name(), inner.get_name()),
        None => found.get_name().to_owned(),
    })
}

/// A flag without the name of its value.
fn flag(argument: &str) -> String {
    let is_flag = argument.starts_with('-');
    let mut words = argument.split([' ', '=']);
    match words.next() {
        Some(flag) if is_flag => flag.to_owned(),
        _ => argument.to_owned(),
    }
}

fn texts(value: Option<&ContextValue>) -> Vec<String> {
    match value {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// clap's text up to what it advises.
fn first_sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let ends = ["tip: ", "For more information", "Usage:"];
    let message: Vec<&str> = lines
        .take_while(|line| !ends.iter().any(|end| line.starts_with(end)))
        .collect();
    message.join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::{Unparsed, parse};

    fn shown(line: &str) -> String {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        match parse(&arguments) {
            Err(Unparsed::ByClap(error)) => {
                let error = usage_error(&error, &arguments);
                let hint = error.hint_text().unwrap_or_default();
                format!("{} | {hint}", error.message())
            }
            Err(Unparsed::ByJob(error)) => panic!("{error}"),
            Ok(_) => panic!("{line}"),
        }
    }

    #[test]
    fn errors_of_arguments_are_in_our_words() {
        let of_score = "`tallow score --help` shows every flag";
        for (line, expected) in [
            (
                "tallow score --modle x",
                format!(
                    "`--modle` is not a flag of `tallow score` | did you mean `--model`? {of_score}"
                ),
            ),
            (
                "tallow score x --output y",
                format!("`tallow score` needs `--model <PATH>` | {of_score}"),
            ),
            (
                "tallow scor",
                "`scor` is not a verb of `tallow` | did you mean `compare` or `score`? `tallow \
                 --help` lists the verbs"
                    .to_owned(),
            ),
            (
                "tallow score --format jsn x",
                "`--format` cannot be `jsn` | did you mean `json`?".to_owned(),
            ),
            (
                "tallow score --format yaml x",
                "`--format` cannot be `yaml` | possible values: text, json".to_owned(),
            ),
            (
                "tallow score --threads x",
                format!("`--threads` cannot be `x`: invalid digit found in string | {of_score}"),
            ),
            (
                "tallow score --model a --model b x --output c",
                format!("`--model` is given more than once | {of_score}"),
            ),
            (
                "tallow registry lst",
                "`lst` is not a verb of `tallow registry` | did you mean `list`? `tallow registry \
                 --help` shows every flag"
                    .to_owned(),
            ),
            (
                "tallow",
                "no verb was given | tallow --help, or tallow guide".to_owned(),
            ),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }
}
