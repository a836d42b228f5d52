//! Files below a directory, reached through its descriptor, name by name: no symbolic link leads
//! out of it.
//!
//! Owns the local file system's side of [`Tree`]. It must not know what the files hold.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::create::create;
use super::directory::{Directory, set_permissions};
use super::file::LocalFile;
use super::lock::LocalLock;
use super::path::at;
use super::pending::LocalPending;
use crate::error::{Error, Result};
use crate::storage::file::SharedFile;
use crate::storage::metadata::Metadata;
use crate::storage::store::{Held, Pending, Tree};
use crate::storage::{Location, fault};

/// A directory of the local file system, by its path.
#[derive(Debug)]
pub(super) struct LocalTree {
    pub(super) root: PathBuf,
}

impl LocalTree {
    /// The path of a file below the root.
    fn path(&self, below: &Location) -> PathBuf {
        self.root.join(below.local_path())
    }

    /// The directory that holds a file, and the file's name there.
    fn directory_of(
        &self,
        below: &Path,
        makes: bool,
    ) -> io::Result<(Directory, std::ffi::OsString)> {
        fault::before(&self.root.join(below))?;
        Directory::of(&self.root, below, makes)
    }

    fn walk(&self, below: &Path, files: &mut Vec<Location>) -> Result<()> {
        const DOING: &str = "cannot list the directory";
        let path = self.root.join(below);
        let entries = fault::before(&path).and_then(|()| fs::read_dir(&path));
        for entry in at(&path, DOING, entries)? {
            let entry = at(&path, DOING, entry)?;
            let own = below.join(entry.file_name());
            // The type of the name itself: a link to a directory is a file here.
            if at(&path, DOING, entry.file_type())?.is_dir() {
                self.walk(&own, files)?;
            } else {
                files.push(own.into());
            }
        }
        Ok(())
    }

    fn rename_in(&self, from: &Path, to: &Path, replaces: bool) -> io::Result<()> {
        let (source, old_name) = Directory::of(&self.root, from, false)?;
        let (target, new_name) = Directory::of(&self.root, to, true)?;
        if !replaces {
            return source.rename_to_free(&old_name, &target, &new_name);
        }
        if let Some(replaced) = target
            .find(&new_name)?
            .filter(|entry| entry.metadata.is_file)
        {
            set_permissions(
                &source.open_file(&old_name, OFlags::RDONLY)?,
                replaced.permissions,
            )?;
        }
        source.rename(&old_name, &target, &new_name)
    }
}

impl Tree for LocalTree {
    fn find(&self, below: &Location) -> Result<Option<Metadata>> {
        let found = self
            .directory_of(below.local_path(), false)
            .and_then(|(directory, name)| directory.find(&name));
        match found {
            Err(error) if is_missing(&error) => Ok(None),
            found => {
                let found = at(&self.path(below), "cannot access the path", found)?;
                Ok(found.map(|entry| entry.metadata))
            }
        }
    }

    fn files(&self, below: &Location) -> Result<Vec<Location>> {
        let mut files = Vec::new();
        if below.is_empty() || self.find(below)?.is_some_and(|found| found.is_directory) {
            self.walk(below.local_path(), &mut files)?;
        }
        files.sort();
        Ok(files)
    }

    fn open(&self, below: &Location) -> Result<Option<SharedFile>> {
        let opened = self
            .directory_of(below.local_path(), false)
            .and_then(|(directory, name)| directory.open_file(&name, OFlags::RDONLY));
        let path = self.path(below);
        match opened {
            Err(error) if is_missing(&error) => Ok(None),
            opened => {
                LocalFile::shared(at(&path, "cannot open the file", opened)?, &path).map(Some)
            }
        }
    }

    fn create(&self, below: &Location) -> Result<Box<dyn Pending>> {
        Ok(Box::new(LocalPending::create_below(
            &self.root,
            below.local_path(),
        )?))
    }

    fn create_new(
        &self,
        below: &Location,
        source: &mut dyn Read,
        is_durable: bool,
    ) -> Result<bool> {
        create(&self.root, below.local_path(), source, is_durable)
    }

    fn rename(&self, from: &Location, to: &Location, replaces: bool) -> Result<()> {
        let path = self.path(to);
        let renamed = fault::before(&path)
            .and_then(|()| self.rename_in(from.local_path(), to.local_path(), replaces));
        match renamed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !replaces => {
                let error = Error::failed(
                    "a file that no manifest lists has the name of one of the data set's",
                )
                .at_path(path);
                Err(error.hint("move it elsewhere, and run the same command again"))
            }
            renamed => at(&path, "cannot give the finished file its name", renamed),
        }
    }

    fn remove(&self, below: &Location) -> Result<()> {
        let removed = self
            .directory_of(below.local_path(), false)
            .and_then(|(directory, name)| directory.remove(&name));
        match removed {
            Err(error) if is_missing(&error) => Ok(()),
            removed => at(&self.path(below), "cannot remove the file", removed),
        }
    }

    fn remove_empty_directory(&self, below: &Location) {
        // One that is not empty, or not there, is left as it is.
        let _ = self
            .directory_of(below.local_path(), false)
            .and_then(|(directory, name)| directory.remove_directory(&name));
    }

    fn make_directories(&self, below: &Location) -> Result<()> {
        let path = self.path(below);
        let made = self.directory_of(below.local_path(), true).map(|_| ());
        at(
            path.parent().unwrap_or(&self.root),
            "cannot make the directory",
            made,
        )
    }

    fn sync(&self, below: &Location) -> Result<()> {
        let path = self.path(below);
        // The name of a file in it is never looked at.
        let inside = below.local_path().join("_");
        let directory =
            fault::before(&path).and_then(|()| Directory::of(&self.root, &inside, false));
        at(
            &path,
            "cannot make the new names durable",
            directory.and_then(|(directory, _)| directory.sync()),
        )
    }

    fn sync_all(&self) -> Result<()> {
        let synced = fault::before(&self.root)
            .and_then(|()| Directory::open(&self.root))
            .and_then(|directory| directory.sync_file_system());
        at(&self.root, "cannot make the new names durable", synced)
    }

    fn lock(&self, below: &Location, owner: &str) -> Result<Box<dyn Held>> {
        let lock = LocalLock::acquire_inside(&self.root, below.local_path(), owner)?;
        Ok(Box::new(lock))
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::storage::{
        files_below, find_below, make_directories_below, read_below, remove_below,
        remove_empty_directory_below, rename_below, sync_below,
    };

    fn room() -> (tempfile::TempDir, PathBuf) {
        let room = tempfile::tempdir().unwrap();
        let root = room.path().join("set");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir(room.path().join("outside")).unwrap();
        fs::write(room.path().join("outside/precious"), "theirs").unwrap();
        fs::write(root.join("a/own"), "ours").unwrap();
        symlink(room.path().join("outside"), root.join("door")).unwrap();
        symlink(room.path().join("outside/precious"), root.join("a/window")).unwrap();
        (room, root)
    }

    #[test]
    fn no_link_leads_out_of_the_directory() {
        let (room, root) = room();
        let refused = |result: Result<()>| {
            let error = result.unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(
                cause.contains("is a symbolic link") || cause.contains("nvalid"),
                "{error}: {cause}"
            );
        };
        refused(find_below(&root, "door/precious").map(|_| ()));
        refused(read_below(&root, "door/precious", 100).map(|_| ()));
        refused(read_below(&root, "a/window", 100).map(|_| ()));
        refused(remove_below(&root, "door/precious"));
        refused(rename_below(&root, "a/own", "door/precious", true));
        refused(rename_below(&root, "door/precious", "a/new", true));
        refused(make_directories_below(&root, "door/x/y"));
        refused(sync_below(&root, "door"));
        refused(remove_below(&root, "../outside/precious"));
        refused(remove_below(&root, room.path().join("outside/precious")));
        remove_empty_directory_below(&root, "door");
        assert_eq!(
            fs::read(room.path().join("outside/precious")).unwrap(),
            b"theirs"
        );
        assert_eq!(
            fs::read_dir(room.path().join("outside")).unwrap().count(),
            1
        );
        // A link of the file's own name is what goes, not what it leads to.
        remove_below(&root, "a/window").unwrap();
        assert!(
            !root.join("a/window").is_symlink() && room.path().join("outside/precious").exists()
        );
        assert_eq!(
            files_below(&root, "").unwrap(),
            [PathBuf::from("a/own"), PathBuf::from("door")]
        );
        assert_eq!(files_below(&root, "a").unwrap(), [PathBuf::from("a/own")]);
        assert!(files_below(&root, "door").unwrap().is_empty());
    }

    #[test]
    fn a_name_that_is_taken_is_replaced_only_with_leave_and_keeps_who_may_read_it() {
        let (_room, root) = room();
        fs::write(root.join("old"), "old").unwrap();
        fs::set_permissions(root.join("old"), fs::Permissions::from_mode(0o600)).unwrap();
        let error = rename_below(&root, "a/own", "old", false).unwrap_err();
        assert!(error.message().contains("no manifest lists"), "{error}");
        rename_below(&root, "a/own", "old", true).unwrap();
        assert_eq!(fs::read(root.join("old")).unwrap(), b"ours");
        assert_eq!(
            fs::metadata(root.join("old")).unwrap().permissions().mode() & 0o777,
            0o600
        );
        rename_below(&root, "old", "x=1/y=2/new", false).unwrap();
        assert_eq!(
            find_below(&root, "x=1/y=2/new")
                .unwrap()
                .unwrap()
                .byte_count,
            4
        );
        assert_eq!(
            (
                find_below(&root, "old").unwrap(),
                find_below(&root, "x=1/no/new").unwrap()
            ),
            (None, None)
        );
        remove_below(&root, "x=1/no/new").unwrap();
        sync_below(&root, "x=1").unwrap();
        sync_below(&root, "").unwrap();
    }
}
