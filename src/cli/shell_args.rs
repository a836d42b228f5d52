//! Arguments of the verbs that help at the shell: completion scripts and manual pages.

use clap::Args;
use clap_complete::Shell;

/// `tallow man`
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// The verb; without one the page of tallow itself
    ///
    /// `tallow man score | man -l -` shows it, `tallow man > tallow.1` keeps it.
    #[arg(value_name = "VERB")]
    pub verb: Option<String>,
}

/// `tallow completions`
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}
