//! Questions and changes that name a path: what is there, what a directory holds, making and
//! removing. It must not know what is in the files.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io};

use crate::error::{Error, Result};
use crate::storage::metadata::Metadata;
use crate::storage::{CHECK_SPELLING, Location, fault};

pub(super) use crate::storage::location::directory_of;

/// The bits of a file's mode that belong to its group and to all others.
const OTHERS: u32 = 0o077;

/// Turns a failure of the operating system into an error without a path, with a hint where there is
/// something to do.
#[must_use]
pub fn io_error(doing: &str, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => Some(CHECK_SPELLING),
        io::ErrorKind::PermissionDenied => {
            Some("check the permissions of the file and of the directories above it")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("free some space, or write to another disk")
        }
        io::ErrorKind::FileTooLarge => Some(
            "raise the limit on the size of files (`ulimit -f`); `score` can write smaller ones, \
             too (`--rows-per-part`)",
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

pub(in crate::storage) fn at<T>(path: &Path, doing: &str, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| io_error(doing, error).at_path(path))
}

/// What is known about `path`; none if there is nothing of that name.
///
/// # Errors
/// Fails if the file system refuses to say.
pub(super) fn find(path: &Path) -> Result<Option<Metadata>> {
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
        Err(error) => Err(io_error("cannot access the path", error).at_path(path)),
    }
}

/// Whether users who do not own the file may read or change it.
///
/// # Errors
/// Fails if there is nothing of that name.
pub(super) fn is_open_to_others(path: &Path) -> Result<bool> {
    let found = fault::before(path).and_then(|()| fs::metadata(path));
    let mode = at(path, "cannot access the path", found)?.mode();
    Ok(mode & OTHERS != 0)
}

/// The path without symbolic links and `..`.
///
/// # Errors
/// Fails if there is nothing of that name.
pub(super) fn canonical(path: &Path) -> Result<Location> {
    at(
        path,
        "cannot resolve the path",
        fault::before(path).and_then(|()| fs::canonicalize(path)),
    )
    .map(Location::from)
}

/// The paths of all that is in a directory, sorted by name.
///
/// # Errors
/// Fails if it is not a directory or may not be read.
pub(super) fn list(directory: &Path) -> Result<Vec<Location>> {
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
pub(super) fn remove(path: &Path) -> Result<()> {
    match fault::before(path).and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => at(path, "cannot remove the file", result),
    }
}
