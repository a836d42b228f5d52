//! `tallow completions`: the completion script of a shell, on standard output.

use clap::CommandFactory;

use super::args::Cli;
use super::console::Console;
use super::shell_args::CompletionsArgs;
use crate::error::Result;

pub(super) fn run(args: &CompletionsArgs, console: &Console) -> Result<()> {
    let CompletionsArgs { shell } = *args;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tallow", &mut script);
    console.data(&String::from_utf8_lossy(&script))
}
