//! A directory that appears under its name whole and durable, or not at all.
//!
//! Owns the temporary directory and its exchange for the final one. It must not know what is
//! written into it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::directory::Directory;
use super::make::sync;
use super::path::{at, directory_of, find, list};
use crate::error::{Error, Result};
use crate::storage::store::Staged;
use crate::storage::{Location, fault};

/// How old a temporary directory must be before another process removes it.
const LEFTOVER_AGE: Duration = Duration::from_hours(24);

/// A directory being written next to its final name. Dropped unpublished, it is removed.
#[derive(Debug)]
pub(super) struct LocalStaged {
    temporary: Location,
    target: PathBuf,
}

impl LocalStaged {
    /// Creates the temporary directory for `target`, whose parent must exist.
    ///
    /// # Errors
    /// Fails if the target exists and `overwrite` is false, or if the file system refuses.
    pub(super) fn create(target: &Path, overwrite: bool) -> Result<Self> {
        // `parent/name/` is the same name.
        let target: PathBuf = target.components().collect();
        let name = target
            .file_name()
            .ok_or_else(|| Error::usage("the output is not a directory's name").at_path(&target))?;
        if find(&target)?.is_some() && !overwrite {
            return Err(taken(&target));
        }
        let prefix = format!(".tmp-{}-", name.to_string_lossy());
        let parent = directory_of(&target);
        sweep(parent, &prefix)?;
        let temporary = parent.join(format!("{prefix}{}", process::id()));
        at(
            &target,
            "cannot create the directory",
            fs::create_dir(&temporary),
        )?;
        Ok(Self {
            temporary: temporary.into(),
            target,
        })
    }
}

impl Staged for LocalStaged {
    fn path(&self) -> &Location {
        &self.temporary
    }

    /// Makes everything durable and gives the directory its name. With `overwrite`, a directory of
    /// that name is exchanged for this one in one step, and removed.
    fn publish(self: Box<Self>, overwrite: bool) -> Result<()> {
        const DOING: &str = "cannot give the finished directory its name";
        let temporary = self.temporary.local_path();
        let synced = fault::before(temporary)
            .and_then(|()| Directory::open(temporary))
            .and_then(|directory| directory.sync_file_system());
        at(temporary, "cannot make the new names durable", synced)?;
        let rename = |flags| {
            renameat_with(CWD, self.temporary.local_path(), CWD, &self.target, flags)
                .map_err(io::Error::from)
        };
        match rename(RenameFlags::NOREPLACE) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && overwrite => {
                at(&self.target, DOING, rename(RenameFlags::EXCHANGE))?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(taken(&self.target));
            }
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                // This file system has neither of the two.
                if find(&self.target)?.is_some() {
                    return Err(taken(&self.target));
                }
                at(
                    &self.target,
                    DOING,
                    fs::rename(self.temporary.local_path(), &self.target),
                )?;
            }
            renamed => at(&self.target, DOING, renamed)?,
        }
        sync(directory_of(&self.target))
        // What was exchanged has the temporary name now, and goes with `self`.
    }
}

impl Drop for LocalStaged {
    fn drop(&mut self) {
        // What cannot be removed is hidden, and swept once it is old.
        let _ = fs::remove_dir_all(self.temporary.local_path());
    }
}

fn taken(target: &Path) -> Error {
    Error::failed("the output exists already")
        .at_path(target)
        .hint("pass `--overwrite` to replace it, or choose another name")
}

/// Removes what killed processes left.
fn sweep(parent: &Path, prefix: &str) -> Result<()> {
    for path in list(parent)? {
        let path = path.local_path();
        let is_ours = path.file_name().is_some_and(|name| {
            name.to_string_lossy()
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if is_ours && is_old(path) {
            // Another process may remove it at the same time.
            let _ = fs::remove_dir_all(path);
        }
    }
    Ok(())
}

fn is_old(path: &Path) -> bool {
    let own = format!("-{}", process::id());
    let has_own_name = path.to_string_lossy().ends_with(&own);
    let modified = fs::symlink_metadata(path).and_then(|found| found.modified());
    has_own_name
        || modified
            .ok()
            .and_then(|modified| modified.elapsed().ok())
            .is_some_and(|age| age > LEFTOVER_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StagedDirectory;

    fn staged(target: &Path, text: &str, overwrite: bool) -> Result<()> {
        let staged = StagedDirectory::create(target, overwrite)?;
        fs::write(staged.path().join("file"), text).unwrap();
        staged.publish(overwrite)
    }

    #[test]
    fn a_directory_appears_whole_and_replaces_another_only_if_asked() {
        let room = tempfile::tempdir().unwrap();
        let target = room.path().join("package/");
        staged(&target, "first", false).unwrap();
        let error = staged(&target, "second", false).unwrap_err();
        assert_eq!(error.message(), "the output exists already");
        assert_eq!(fs::read(target.join("file")).unwrap(), b"first");
        staged(&target, "third", true).unwrap();
        assert_eq!(fs::read(target.join("file")).unwrap(), b"third");
        drop(StagedDirectory::create(&target, true).unwrap());
        assert_eq!(fs::read(target.join("file")).unwrap(), b"third");
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_that_is_taken_meanwhile_is_kept() {
        let room = tempfile::tempdir().unwrap();
        let target = room.path().join("package");
        let first = StagedDirectory::create(&target, false).unwrap();
        fs::create_dir(&target).unwrap();
        let error = first.publish(false).unwrap_err();
        assert_eq!(error.message(), "the output exists already");
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1);
    }
}
