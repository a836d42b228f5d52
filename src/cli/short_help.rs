//! What `-h` shows: the flags of an ordinary run, on one screen.
//!
//! Owns the list of those flags. `--help` shows every flag, grouped; a flag that is not in the list
//! is only there.

use clap::{Arg, Command};

/// The flags that `-h` shows, of any verb that has them.
const COMMON: [&str; 27] = [
    "job",
    "model",
    "output",
    "overwrite",
    "filter",
    "missing",
    "rename",
    "features",
    "on_null",
    "on_unseen",
    "passthrough",
    "max_error_rate",
    "scan",
    "corrected",
    "max_js",
    "max_ks",
    "label",
    "labels",
    "key",
    "by",
    "margin",
    "gate",
    "row",
    "positive",
    "memory",
    "format",
    "quiet",
];

/// Those that `check` takes only because `score` does.
const ONLY_SCORE: [&str; 2] = ["overwrite", "max_error_rate"];

/// Those of `drift` that `score` and `check` take, too.
const ONLY_DRIFT: [&str; 2] = ["max_js", "max_ks"];

/// The command with short help for every verb.
pub(super) fn shortened(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let is_rare = is_rare(&arg);
        arg.hide_short_help(is_rare)
    });
    command.mut_subcommands(|verb| {
        let is_check = verb.get_name() == "check";
        let is_drift = verb.get_name() == "drift";
        let is_hidden = |arg: &Arg| {
            let id = arg.get_id().as_str();
            is_rare(arg)
                || is_check && ONLY_SCORE.contains(&id)
                || !is_drift && ONLY_DRIFT.contains(&id)
        };
        let help = format!(
            "`tallow {} --help` shows every flag; `tallow guide` is the manual.",
            verb.get_name()
        );
        verb.mut_args(|arg| {
            let is_hidden = is_hidden(&arg);
            arg.hide_short_help(is_hidden)
        })
        .after_help(help)
        .after_long_help("`tallow guide` is the manual.")
    })
}

fn is_rare(arg: &Arg) -> bool {
    !arg.is_positional() && !COMMON.contains(&arg.get_id().as_str())
}
