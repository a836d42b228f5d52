//! Which file is which, and in which state: what shows that a file was replaced or written to since
//! it was opened.
//!
//! It must not know who reads the file.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io};

use super::fault;
use super::path::{at, io_error};
use crate::count::counted;
use crate::error::{Error, Result};

/// Which file it is and in which state: a file that was replaced or written to has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
    byte_count: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
}

impl Identity {
    pub(super) fn of(found: &fs::Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            byte_count: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }

    /// What is different in `now`, if anything is.
    #[must_use]
    pub(super) fn change_to(&self, now: &Self) -> Option<String> {
        if (self.device, self.inode) != (now.device, now.inode) {
            return Some("another file has its name now".to_owned());
        }
        if self.byte_count != now.byte_count {
            return Some(format!(
                "it had {} and has {}",
                counted(self.byte_count, "byte"),
                counted(now.byte_count, "byte")
            ));
        }
        (self.modified != now.modified).then(|| "it was written to".to_owned())
    }

    /// The size, in bytes.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// When it was last written to, in seconds since 1970.
    #[must_use]
    pub fn modified_seconds(&self) -> i64 {
        self.modified.0
    }
}

/// Checks that `path` still names the file that was read, in the state in which it was opened: else
/// no one knows which content was read.
///
/// # Errors
/// Fails if the file was removed, replaced or written to; the message says which.
pub fn check_unchanged(path: &Path, identity: &Identity) -> Result<()> {
    match fault::before(path).and_then(|()| fs::metadata(path)) {
        Ok(found) => identity
            .change_to(&Identity::of(&found))
            .map_or(Ok(()), |change| Err(changed(path, &change))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(changed(path, "it is gone")),
        Err(error) => Err(io_error("cannot look at the path", error).at_path(path)),
    }
}

/// Whether anything was done to the file at `path` (written to, replaced, renamed) since the one at
/// `other` was written.
///
/// # Errors
/// Fails if the file system refuses to say.
pub fn is_newer(path: &Path, other: &Path) -> Result<bool> {
    let found = |path: &Path| {
        at(
            path,
            "cannot look at the path",
            fault::before(path).and_then(|()| fs::metadata(path)),
        )
    };
    let (own, other) = (found(path)?, found(other)?);
    let touched = (own.mtime(), own.mtime_nsec()).max((own.ctime(), own.ctime_nsec()));
    Ok(touched >= (other.mtime(), other.mtime_nsec()))
}

pub(super) fn changed(path: &Path, change: &str) -> Error {
    let error =
        Error::failed(format!("the file changed while it was in use: {change}")).at_path(path);
    error.hint(
        "run again once nothing writes to the inputs; to replace a file, write a new one and \
         rename it before the run",
    )
}
