//! `tallow man`: manual pages in roff, made from the flags' own documentation, on standard output.

use clap::CommandFactory;
use clap_mangen::Man;

use super::args::Cli;
use super::console::Console;
use super::shell_args::ManArgs;
use crate::error::{Error, Result};

pub(super) fn run(args: &ManArgs, console: &Console) -> Result<()> {
    let mut command = Cli::command();
    // Gives verbs the flags that all of them have, and their usage lines.
    command.build();
    let page = match &args.verb {
        None => command,
        Some(verb) => {
            if let Some(found) = command.find_subcommand(verb) {
                found.clone()
            } else {
                let known: Vec<&str> = command
                    .get_subcommands()
                    .map(clap::Command::get_name)
                    .filter(|name| *name != "help")
                    .collect();
                return Err(Error::usage(format!("`{verb}` is not a verb of tallow"))
                    .hint(format!("verbs: {}", known.join(", "))));
            }
        }
    };
    let mut text = Vec::new();
    Man::new(page)
        .render(&mut text)
        .map_err(|error| Error::internal("cannot write a manual page").because(error))?;
    console.data(&String::from_utf8_lossy(&text))
}
