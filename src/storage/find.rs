//! Questions about a location, and what is made and removed there, whatever kind of storage it is
//! in. It must not know what is in the files.

use super::location::Location;
use super::metadata::Metadata;
use crate::error::{Error, Result};

/// What is known about a location; none if there is nothing of that name.
///
/// # Errors
/// Fails if the storage refuses to say.
pub fn find(location: impl Into<Location>) -> Result<Option<Metadata>> {
    let location = location.into();
    location.store().find(&location)
}

/// What is known about a location.
///
/// # Errors
/// Fails if there is nothing of that name.
pub fn metadata(location: impl Into<Location>) -> Result<Metadata> {
    let location = location.into();
    find(&location)?.ok_or_else(|| nothing_at(&location))
}

/// The error of a location that has to be there.
#[must_use]
pub(super) fn nothing_at(location: &Location) -> Error {
    Error::failed("there is no such file or directory")
        .at_path(location)
        .hint(location.nothing_there())
}

/// Whether users who do not own the file may read or change it.
///
/// # Errors
/// Fails if there is nothing of that name.
pub fn is_open_to_others(location: impl Into<Location>) -> Result<bool> {
    let location = location.into();
    location.store().is_open_to_others(&location)
}

/// The location without symbolic links and `..`.
///
/// # Errors
/// Fails if there is nothing of that name.
pub fn canonical(location: impl Into<Location>) -> Result<Location> {
    let location = location.into();
    location.store().canonical(&location)
}

/// The location from the root on; links and `..` stay as they are.
#[must_use]
pub fn absolute(location: impl Into<Location>) -> Location {
    let location = location.into();
    location.store().absolute(&location)
}

/// All that is in a directory, sorted by name.
///
/// # Errors
/// Fails if it is not a directory or may not be read.
pub fn list(directory: impl Into<Location>) -> Result<Vec<Location>> {
    let directory = directory.into();
    directory.store().list(&directory)
}

/// Makes a directory and those above it, unless they are there, and their names durable.
///
/// # Errors
/// Fails if something of that name is not a directory or the storage refuses.
pub fn make_directory(location: impl Into<Location>) -> Result<()> {
    let location = location.into();
    location.store().make_directory(&location)
}

/// Removes a file; that it is not there is no error.
///
/// # Errors
/// Fails if the storage refuses.
pub fn remove(location: impl Into<Location>) -> Result<()> {
    let location = location.into();
    location.store().remove(&location)
}
