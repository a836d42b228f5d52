//! Arguments of the verbs that help at the shell: the guide, completion scripts and manual pages.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// `tallow guide`
#[derive(Clone, Debug, Args)]
pub struct GuideArgs {
    /// The topic [default: list the topics]
    ///
    /// On a terminal the topic opens in `$PAGER`, or in `less` if that is not set.
    #[arg(value_name = "TOPIC")]
    pub topic: Option<String>,
}

/// `tallow man`
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// The verb [default: tallow itself]
    ///
    /// `tallow man score | man -l -` shows it, `tallow man > tallow.1` saves it.
    #[arg(value_name = "VERB", conflicts_with = "output")]
    pub verb: Option<String>,
    /// Write the pages of all verbs into this directory
    ///
    /// `tallow man --output ~/.local/share/man/man1` installs them: then `man tallow-score` shows
    /// one.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// `tallow completions`
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}
