//! Manual pages in roff.

use std::io::Write;

use clap::Command;
use clap_mangen::Man;

use crate::error::{Error, Result};
use crate::storage::{Location, PendingFile};

/// The verbs of a command.
pub(super) fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    let verbs = command.get_subcommands();
    verbs.filter(|verb| verb.get_name() != "help" && !verb.is_hide_set())
}

/// Writes a command's page and those of its verbs, `tallow.1`, `tallow-score.1`, …; returns how
/// many.
pub(super) fn save(command: &Command, name: &str, directory: &Location) -> Result<usize> {
    let mut file = PendingFile::create(directory.join(format!("{name}.1")), true)?;
    file.write_all(&roff(command.clone())?)
        .map_err(|error| Error::failed("cannot write the manual page").because(error))?;
    file.publish(true)?;
    let counts = verbs(command)
        .map(|verb| save(verb, &format!("{name}-{}", verb.get_name()), directory))
        .collect::<Result<Vec<usize>>>()?;
    Ok(1 + counts.iter().sum::<usize>())
}

/// The page of a command.
pub(super) fn roff(command: Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(command)
        .render(&mut text)
        .map_err(|error| Error::internal("cannot write a manual page").because(error))?;
    Ok(text)
}
