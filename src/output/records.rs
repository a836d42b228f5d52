//! Records in a data set's directory: values as JSON, read within bounds, written whole.
//!
//! It must not know what a record says.

use std::io::Write;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::storage::{Location, PendingFile, read_below};

/// The most bytes of a record or manifest that are read: some hundred for each file and part.
const RECORD_BYTES: u64 = 1 << 30;

/// Reads a record in a data set's directory.
///
/// # Errors
/// Fails if it is not there or not what this version writes.
pub fn from_json<T: serde::de::DeserializeOwned>(
    directory: &Location,
    name: impl Into<Location>,
) -> Result<T> {
    let name = name.into();
    serde_json::from_slice(&read_below(directory, &name, RECORD_BYTES)?).map_err(|error| {
        let error = Error::failed("cannot read a record of an earlier run")
            .at_path(directory.join(name))
            .because(error);
        error.hint("it was damaged, or written by another version: pass `--restart` to start over")
    })
}

/// Writes a record in a data set's directory: whole and durable, or not at all.
///
/// # Errors
/// Fails if it cannot be written.
pub fn write_json(
    directory: &Location,
    name: impl Into<Location>,
    value: &impl Serialize,
) -> Result<()> {
    let name = name.into();
    let text = json_bytes(value)?;
    let mut file = PendingFile::create_below(directory, &name)?;
    file.write_all(&text).map_err(|error| {
        Error::failed("cannot write a record")
            .at_path(directory.join(name))
            .because(error)
    })?;
    file.publish(true)
}

/// The bytes of a record's file.
///
/// # Errors
/// Fails only for a value that JSON has no form for.
pub fn json_bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::internal("a record that is not JSON").because(error))?;
    text.push(b'\n');
    Ok(text)
}
