//! Questions and changes that name a path: what is there, what a directory holds, making and
//! removing. It must not know what is in the files.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io};

use super::{Location, fault};
use crate::error::{Error, Result};

/// The bits of a file's mode that belong to its group and to all others.
const OTHERS: u32 = 0o077;

/// What the file system says about a path, symbolic links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The size, in bytes.
    pub byte_count: u64,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it is a plain file: no directory, pipe, socket or device.
    pub is_file: bool,
}

/// Turns a failure of the operating system into an error without a path, with a hint where there is
/// something to do.
#[must_use]
pub fn io_error(doing: &str, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => {
            Some("check the spelling; a relative path starts at the working directory")
        }
        io::ErrorKind::PermissionDenied => {
            Some("check the permissions of the file and of the directories above it")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("free some space, or write to another disk")
        }
        io::ErrorKind::FileTooLarge => Some(
            "raise the limit on the size of files (`ulimit -f`), or write smaller parts \
             (`--rows-per-part`)",
        ),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("write to a directory that is not mounted read-only")
        }
        _ => None,
    };
    let failed = Error::failed(doing).because(error);
    match hint {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

pub(super) fn at<T>(path: &Path, doing: &str, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| io_error(doing, error).at_path(path))
}

/// What is known about `path`; none if there is nothing of that name.
///
/// # Errors
/// Fails if the file system refuses to say.
pub fn find(path: impl Into<Location>) -> Result<Option<Metadata>> {
    let path: Location = path.into();
    let path = path.local_path();
    match fault::before(path).and_then(|()| fs::metadata(path)) {
        Ok(found) => Ok(Some(Metadata {
            byte_count: found.len(),
            is_directory: found.is_dir(),
            is_file: found.is_file(),
        })),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(io_error("cannot look at the path", error).at_path(path)),
    }
}

/// What is known about `path`.
///
/// # Errors
/// Fails if there is nothing of that name.
pub fn metadata(path: impl Into<Location>) -> Result<Metadata> {
    let path: Location = path.into();
    let path = path.local_path();
    find(path)?.ok_or_else(|| {
        io_error("cannot look at the path", io::ErrorKind::NotFound.into()).at_path(path)
    })
}

/// Whether users who do not own the file may read or change it.
///
/// # Errors
/// Fails if there is nothing of that name.
pub fn is_open_to_others(path: impl Into<Location>) -> Result<bool> {
    let path: Location = path.into();
    let path = path.local_path();
    let found = fault::before(path).and_then(|()| fs::metadata(path));
    let mode = at(path, "cannot look at the path", found)?.mode();
    Ok(mode & OTHERS != 0)
}

/// The path without symbolic links and `..`.
///
/// # Errors
/// Fails if there is nothing of that name.
pub fn canonical(path: impl Into<Location>) -> Result<Location> {
    let path: Location = path.into();
    let path = path.local_path();
    at(
        path,
        "cannot resolve the path",
        fault::before(path).and_then(|()| fs::canonicalize(path)),
    )
    .map(Location::from)
}

/// The location from the root on; links and `..` stay as they are.
#[must_use]
pub fn absolute(path: impl Into<Location>) -> Location {
    let path: Location = path.into();
    std::path::absolute(path.local_path()).map_or(path, Location::from)
}

/// The paths of all that is in a directory, sorted by name.
///
/// # Errors
/// Fails if it is not a directory or may not be read.
pub fn list(directory: impl Into<Location>) -> Result<Vec<Location>> {
    let directory: Location = directory.into();
    let directory = directory.local_path();
    let entries = at(
        directory,
        "cannot list the directory",
        fault::before(directory).and_then(|()| fs::read_dir(directory)),
    )?;
    let paths: io::Result<Vec<Location>> = entries
        .map(|entry| entry.map(|entry| entry.path().into()))
        .collect();
    let mut paths = at(directory, "cannot list the directory", paths)?;
    paths.sort();
    Ok(paths)
}

/// Removes a file; that it is not there is no error.
///
/// # Errors
/// Fails if the file system refuses.
pub fn remove(path: impl Into<Location>) -> Result<()> {
    let path: Location = path.into();
    let path = path.local_path();
    match fault::before(path).and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => at(path, "cannot remove the file", result),
    }
}

/// The directory that holds a name; the working directory for a bare one.
#[must_use]
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
