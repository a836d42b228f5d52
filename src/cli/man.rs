//! `tallow man`: manual pages in roff, made from the flags' own documentation: one on standard
//! output, or all of them as files.

use std::io::Write;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::Cli;
use super::console::Console;
use super::shell_args::ManArgs;
use crate::count::counted;
use crate::error::{Error, Result};
use crate::storage::{Location, PendingFile, make_directory};

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

/// The verbs of a command.
fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    let verbs = command.get_subcommands();
    verbs.filter(|verb| verb.get_name() != "help" && !verb.is_hide_set())
}

/// Writes a command's page and those of its verbs, `tallow.1`, `tallow-score.1`, …; returns how
/// many.
fn save(command: &Command, name: &str, directory: &Location) -> Result<usize> {
    let mut file = PendingFile::create(directory.join(format!("{name}.1")), true)?;
    file.write_all(&roff(command.clone())?)
        .map_err(|error| Error::failed("cannot write the manual page").because(error))?;
    file.publish(true)?;
    let counts = verbs(command)
        .map(|verb| save(verb, &format!("{name}-{}", verb.get_name()), directory))
        .collect::<Result<Vec<usize>>>()?;
    Ok(1 + counts.iter().sum::<usize>())
}

fn roff(command: Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(command)
        .render(&mut text)
        .map_err(|error| Error::internal("cannot write a manual page").because(error))?;
    Ok(text)
}
