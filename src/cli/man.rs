//! `tallow man`: manual pages in roff, made from the flags' own documentation: one on standard
//! output, or all of them as files.

use clap::{Command, CommandFactory};

use super::args::Cli;
use super::console::Console;
use super::man_pages::{roff, save, verbs};
use super::shell_args::ManArgs;
use crate::count::counted;
use crate::error::{Error, Result};
use crate::storage::make_directory;

pub(super) fn run(args: &ManArgs, console: &Console) -> Result<()> {
    let mut command = Cli::command();
    // Gives verbs the flags that all of them have, and their usage lines.
    command.build();
    if let Some(directory) = &args.output {
        make_directory(directory)?;
        let count = save(&command, "tallow", &directory.into())?;
        console.print_text(&format!(
            "wrote {} to `{}`",
            counted(count, "manual page"),
            directory.display()
        ));
        return Ok(());
    }
    let page = match &args.verb {
        None => command,
        Some(verb) => {
            if let Some(found) = command.find_subcommand(verb) {
                found.clone()
            } else {
                let known: Vec<&str> = verbs(&command).map(Command::get_name).collect();
                return Err(Error::usage(format!("`{verb}` is not a verb of tallow"))
                    .hint(format!("verbs: {}", known.join(", "))));
            }
        }
    };
    console.data(&String::from_utf8_lossy(&roff(page)?))
}
