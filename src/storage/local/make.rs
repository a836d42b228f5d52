//! Directories that are made, and names in them that are made durable.

use std::fs;
use std::path::Path;

use super::directory::Directory;
use super::path::{at, directory_of, io_error};
use crate::error::Result;
use crate::storage::fault;

/// Makes a directory and those above it, unless they are there, and their names durable.
///
/// # Errors
/// Fails if something of that name is not a directory or the file system refuses.
pub(super) fn make_directory(path: &Path) -> Result<()> {
    const DOING: &str = "cannot make the directory";
    let is_missing =
        |path: &&Path| !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    at(
        path,
        DOING,
        fault::before(path).and_then(|()| fs::create_dir_all(path)),
    )?;
    // A directory whose name is lost is lost with all that is in it.
    missing.iter().try_for_each(|made| sync(directory_of(made)))
}

/// Makes the names in a directory durable.
///
/// # Errors
/// Fails if the file system refuses.
pub(super) fn sync(directory: &Path) -> Result<()> {
    sync_directory(directory).map_err(|error| error.at_path(directory))
}

fn sync_directory(directory: &Path) -> Result<()> {
    let synced = fault::before(directory)
        .and_then(|()| Directory::open(directory))
        .and_then(|opened| opened.sync());
    synced.map_err(|error| io_error("cannot make the new name durable", error))
}
