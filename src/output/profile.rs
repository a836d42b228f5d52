//! The profile of a run as a file.

use super::names::{PROFILE, staged};
use super::table_writer::{TableWriter, WrittenFile, write_table};
use crate::error::Result;
use crate::monitor::profile::Profile;
use crate::monitor::profile_table::table;
use crate::storage::{Location, PendingFile};
use crate::table::origin::Origin;

/// Writes a profile to a file that waits for its name; `model` gave the scores in it.
///
/// # Errors
/// Fails if it cannot be written.
pub fn write(file: &mut PendingFile, profile: &Profile, model: Option<&Origin>) -> Result<()> {
    write_table(file, &table(profile)?, &footer(model))
}

/// Writes it to `path`.
///
/// # Errors
/// Fails if it cannot be written, or if the name is taken and may not be replaced.
pub fn create(
    path: &Location,
    overwrite: bool,
    profile: &Profile,
    model: Option<&Origin>,
) -> Result<()> {
    let mut file = PendingFile::create(path, overwrite)?;
    write(&mut file, profile, model)?;
    file.publish(overwrite)
}

/// Writes it among the hidden files of a data set.
///
/// # Errors
/// Fails if it cannot be written.
pub fn stage(
    directory: &Location,
    profile: &Profile,
    model: Option<&Origin>,
) -> Result<WrittenFile> {
    let table = table(profile)?;
    let file = PendingFile::create_below(directory, staged(PROFILE))?;
    let mut writer = TableWriter::plain(file, table.schema(), &footer(model))?;
    writer.write(&table)?;
    let (file, written) = writer.finish(PROFILE.to_owned())?;
    file.publish(true)?;
    Ok(written)
}

fn footer(model: Option<&Origin>) -> Vec<(String, String)> {
    model.map_or_else(Vec::new, Origin::footer)
}
