//! The report as a file.

use super::names::{REPORT, staged};
use super::table_writer::{TableWriter, WrittenFile, write_table};
use crate::error::Result;
use crate::report::Fact;
use crate::report::table::{schema, table};
use crate::storage::{Location, PendingFile};

/// Writes the facts of a run to a file that waits for its name, which says whether they are Parquet
/// or CSV.
///
/// # Errors
/// Fails if they cannot be written.
pub fn write(file: &mut PendingFile, run_id: &str, facts: &[Fact]) -> Result<()> {
    write_table(file, &table(run_id, facts)?, &[])
}

/// The same, with a value for the file's footer, if it is Parquet.
///
/// # Errors
/// As [`write()`].
pub fn write_with(
    file: &mut PendingFile,
    run_id: &str,
    facts: &[Fact],
    (key, value): (&str, String),
) -> Result<()> {
    write_table(file, &table(run_id, facts)?, &[(key.to_owned(), value)])
}

/// Writes them to `path`, replacing what was there.
///
/// # Errors
/// Fails if they cannot be written.
pub fn create(path: &Location, run_id: &str, facts: &[Fact]) -> Result<()> {
    let mut file = PendingFile::create(path, true)?;
    write(&mut file, run_id, facts)?;
    file.publish(true)
}

/// Writes them among the hidden files of a data set.
///
/// # Errors
/// Fails if they cannot be written.
pub fn stage(directory: &Location, run_id: &str, facts: &[Fact]) -> Result<WrittenFile> {
    let file = PendingFile::create_below(directory, staged(REPORT))?;
    let mut writer = TableWriter::plain(file, schema(), &[])?;
    writer.write(&table(run_id, facts)?)?;
    let (file, written) = writer.finish(REPORT.to_owned())?;
    file.publish(true)?;
    Ok(written)
}
