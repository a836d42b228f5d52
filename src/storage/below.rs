//! Files below a directory, reached through its descriptor, name by name: no symbolic link leads
//! out of it.
//!
//! A data set's directory may be written to by others. The path of the directory itself is the
//! user's, and its links are followed; below it a link is an error wherever it leads. It must not
//! know what the files hold.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, fchmod, fsync, linkat, mkdirat, openat, renameat,
    renameat_with, statat, syncfs, unlinkat,
};
use rustix::io::Errno;

use super::file::SharedFile;
use super::path::{Metadata, at};
use super::{Location, fault};
use crate::error::{Error, Result};

/// How a directory is opened. Not as a mere path: its names are to be made durable.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// The mode of new files and directories, before the process's mask.
const FILE_MODE: u32 = 0o666;
const DIRECTORY_MODE: u32 = 0o777;

/// The bits of a mode that say who may do what.
const PERMISSIONS: u32 = 0o7777;

/// An open directory. Names in it are single names, and links among them are never followed.
#[derive(Debug)]
pub(super) struct Directory {
    handle: File,
    path: PathBuf,
}

/// What a name in a directory is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) metadata: Metadata,
    pub(super) is_link: bool,
    pub(super) permissions: u32,
    file: (u64, u64),
}

impl Directory {
    /// Opens a directory whose path the user gave: links on the way are followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let handle = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
        Ok(Self {
            handle: handle.into(),
            path: path.to_owned(),
        })
    }

    /// Opens the directory in which `below` lies, name by name from `root` on; missing ones are
    /// made if `makes`. Gives it with the last name.
    pub(super) fn of(root: &Path, below: &Path, makes: bool) -> io::Result<(Self, OsString)> {
        let mut names = names(below)?;
        let last = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let mut directory = Self::open(root)?;
        for name in names {
            directory = directory.descend(&name, makes)?;
        }
        Ok((directory, last))
    }

    /// The directory of this name in this one.
    pub(super) fn descend(&self, name: &OsStr, makes: bool) -> io::Result<Self> {
        let path = self.path.join(name);
        let open = || {
            openat(
                &self.handle,
                name,
                DIRECTORY | OFlags::NOFOLLOW,
                Mode::empty(),
            )
        };
        let opened = match open() {
            Err(Errno::NOENT) if makes => {
                match mkdirat(&self.handle, name, Mode::from_raw_mode(DIRECTORY_MODE)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                open()
            }
            opened => opened,
        };
        match opened {
            Ok(handle) => Ok(Self {
                handle: handle.into(),
                path,
            }),
            Err(Errno::NOTDIR | Errno::LOOP)
                if self.find(name)?.is_some_and(|entry| entry.is_link) =>
            {
                Err(link(&path))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the file of this name with these flags, which neither follow a link nor wait for the
    /// other end of a pipe.
    pub(super) fn open_file(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&self.handle, name, flags, Mode::from_raw_mode(FILE_MODE)) {
            Err(Errno::LOOP) => Err(link(&self.path.join(name))),
            opened => Ok(opened.map(File::from)?),
        }
    }

    /// What this name is; a link is not followed.
    pub(super) fn find(&self, name: &OsStr) -> io::Result<Option<Entry>> {
        let found = match statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let kind = rustix::fs::FileType::from_raw_mode(found.st_mode);
        Ok(Some(Entry {
            metadata: Metadata {
                byte_count: found.st_size as u64,
                is_directory: kind.is_dir(),
                is_file: kind.is_file(),
            },
            is_link: kind.is_symlink(),
            permissions: found.st_mode & PERMISSIONS,
            file: (found.st_dev, found.st_ino),
        }))
    }

    /// Whether this name is the open file.
    pub(super) fn has(&self, name: &OsStr, file: &File) -> io::Result<bool> {
        let own = file.metadata()?;
        Ok(self
            .find(name)?
            .is_some_and(|entry| entry.file == (own.dev(), own.ino())))
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    pub(super) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.handle, name, AtFlags::REMOVEDIR)?)
    }

    /// Gives a file another name, here or in another directory, in one step, replacing what had it.
    pub(super) fn rename(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.handle, from, &to.handle, name)?)
    }

    /// As [`Directory::rename`], but fails if the name is taken; where the file system cannot do
    /// both in one step, it is looked at before.
    pub(super) fn rename_to_free(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        match renameat_with(&self.handle, from, &to.handle, name, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match to.find(name)? {
                Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
                None => self.rename(from, to, name),
            },
            renamed => Ok(renamed?),
        }
    }

    /// Gives a file a second name.
    pub(super) fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(linkat(
            &self.handle,
            from,
            &self.handle,
            to,
            AtFlags::empty(),
        )?)
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        match fsync(&self.handle) {
            // Some network file systems cannot sync a directory: their names are as durable as they
            // make them.
            Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            synced => Ok(synced?),
        }
    }
}

/// Says who may do what with an open file.
pub(super) fn set_permissions(file: &File, permissions: u32) -> io::Result<()> {
    Ok(fchmod(file, Mode::from_raw_mode(permissions))?)
}

fn link(path: &Path) -> io::Error {
    io::Error::other(format!(
        "`{}` is a symbolic link, which may lead elsewhere",
        path.display()
    ))
}

/// The names of a path that leads nowhere but down.
fn names(below: &Path) -> io::Result<Vec<OsString>> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Ok(name.to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::InvalidInput)),
    };
    below.components().map(name).collect()
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What is known of a file below `root`; none if there is nothing of that name. A link is neither a
/// file nor a directory.
///
/// # Errors
/// Fails if the file system refuses to say, or a directory on the way is a link.
pub fn find_below(
    root: impl Into<Location>,
    below: impl Into<Location>,
) -> Result<Option<Metadata>> {
    let root: Location = root.into();
    let root = root.local_path();
    let below: Location = below.into();
    let below = below.local_path();
    let path = root.join(below);
    let found = fault::before(&path)
        .and_then(|()| Directory::of(root, below, false))
        .and_then(|(directory, name)| directory.find(&name));
    match found {
        Err(error) if is_missing(&error) => Ok(None),
        found => Ok(at(&path, "cannot look at the path", found)?.map(|entry| entry.metadata)),
    }
}

/// The whole of a file below `root`, which may be at most `limit_bytes` long.
///
/// # Errors
/// Fails if it is not there, is longer, is not a plain file, or a link leads there.
pub fn read_below(
    root: impl Into<Location>,
    below: impl Into<Location>,
    limit_bytes: u64,
) -> Result<Vec<u8>> {
    let root: Location = root.into();
    let root = root.local_path();
    let below: Location = below.into();
    let below = below.local_path();
    let path = root.join(below);
    let opened = fault::before(&path).and_then(|()| Directory::of(root, below, false));
    let opened = opened.and_then(|(directory, name)| directory.open_file(&name, OFlags::RDONLY));
    SharedFile::of(at(&path, "cannot open the file", opened)?, &path)?.whole(limit_bytes)
}

/// Opens a file below `root`; none if it is not there.
///
/// # Errors
/// Fails if it is not a plain file, or a link leads there.
pub fn open_below(
    root: impl Into<Location>,
    below: impl Into<Location>,
) -> Result<Option<SharedFile>> {
    let root: Location = root.into();
    let root = root.local_path();
    let below: Location = below.into();
    let below = below.local_path();
    let path = root.join(below);
    let opened = fault::before(&path)
        .and_then(|()| Directory::of(root, below, false))
        .and_then(|(directory, name)| directory.open_file(&name, OFlags::RDONLY));
    match opened {
        Err(error) if is_missing(&error) => Ok(None),
        opened => SharedFile::of(at(&path, "cannot open the file", opened)?, &path).map(Some),
    }
}

/// Removes a file below `root`, or a link of its name; that it is not there is no error.
///
/// # Errors
/// Fails if the file system refuses, or a directory on the way is a link.
pub fn remove_below(root: impl Into<Location>, below: impl Into<Location>) -> Result<()> {
    let root: Location = root.into();
    let root = root.local_path();
    let below: Location = below.into();
    let below = below.local_path();
    let path = root.join(below);
    let removed = fault::before(&path)
        .and_then(|()| Directory::of(root, below, false))
        .and_then(|(directory, name)| directory.remove(&name));
    match removed {
        Err(error) if is_missing(&error) => Ok(()),
        removed => at(&path, "cannot remove the file", removed),
    }
}

/// Removes a directory below `root` if nothing is in it.
pub fn remove_empty_directory_below(root: impl Into<Location>, below: impl Into<Location>) {
    let root: Location = root.into();
    let root = root.local_path();
    let below: Location = below.into();
    let below = below.local_path();
    // One that is not empty, or not there, is left as it is.
    let _ = fault::before(&root.join(below))
        .and_then(|()| Directory::of(root, below, false))
        .and_then(|(directory, name)| directory.remove_directory(&name));
}

/// Makes the directories of a file below `root`, which must be there.
///
/// # Errors
/// Fails if something else has a name on the way or the file system refuses.
pub fn make_directories_below(root: impl Into<Location>, below: impl Into<Location>) -> Result<()> {
    let root: Location = root.into();
    let root = root.local_path();
    let below: Location = below.into();
    let below = below.local_path();
    let path = root.join(below);
    let made = fault::before(&path).and_then(|()| Directory::of(root, below, true));
    at(
        path.parent().unwrap_or(root),
        "cannot make the directory",
        made.map(|_| ()),
    )
}

/// Gives a file below `root` another name there, and that name's directories if they are missing. A
/// file that it replaces, if it `replaces` one, hands on who may read and write it. The name is
/// durable once its directories are synced.
///
/// # Errors
/// Fails if there is no such file, if the name is taken and may not be replaced, or a directory on
/// the way is a link.
pub fn rename_below(
    root: impl Into<Location>,
    from: impl Into<Location>,
    to: impl Into<Location>,
    replaces: bool,
) -> Result<()> {
    let root: Location = root.into();
    let root = root.local_path();
    let from: Location = from.into();
    let from = from.local_path();
    let to: Location = to.into();
    let to = to.local_path();
    let path = root.join(to);
    let renamed = fault::before(&path).and_then(|()| rename_in(root, from, to, replaces));
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

fn rename_in(root: &Path, from: &Path, to: &Path, replaces: bool) -> io::Result<()> {
    let (source, old_name) = Directory::of(root, from, false)?;
    let (target, new_name) = Directory::of(root, to, true)?;
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

/// Makes the names in a directory below `root`, or in `root` itself for an empty path, durable.
///
/// # Errors
/// Fails if the file system refuses.
pub fn sync_below(root: impl Into<Location>, below: impl Into<Location>) -> Result<()> {
    let root: Location = root.into();
    let root = root.local_path();
    let below: Location = below.into();
    let below = below.local_path();
    let path = root.join(below);
    // The name of a file in it is never looked at.
    let directory =
        fault::before(&path).and_then(|()| Directory::of(root, &below.join("_"), false));
    at(
        &path,
        "cannot make the new names durable",
        directory.and_then(|(directory, _)| directory.sync()),
    )
}

/// Makes all that was written to the file system of `root` durable: for many directories that is
/// sooner done.
///
/// # Errors
/// Fails if the file system refuses.
pub fn sync_file_system(root: impl Into<Location>) -> Result<()> {
    let root: Location = root.into();
    let root = root.local_path();
    let synced = fault::before(root)
        .and_then(|()| Directory::open(root))
        .and_then(|directory| Ok(syncfs(&directory.handle)?));
    at(root, "cannot make the new names durable", synced)
}

/// The paths, below `root`, of all files in the directory `below`, or in `root` for an empty path,
/// and its directories; links are among the files. None if it is not there.
///
/// # Errors
/// Fails if a directory may not be read, or is a link.
pub fn files_below(root: impl Into<Location>, below: impl Into<Location>) -> Result<Vec<Location>> {
    let root: Location = root.into();
    let root = root.local_path();
    let below: Location = below.into();
    let below = below.local_path();
    let mut files = Vec::new();
    let is_root = below.as_os_str().is_empty();
    if is_root || find_below(root, below)?.is_some_and(|found| found.is_directory) {
        walk(root, below, &mut files)?;
    }
    files.sort();
    Ok(files)
}

fn walk(root: &Path, below: &Path, files: &mut Vec<Location>) -> Result<()> {
    let path = root.join(below);
    let entries = fault::before(&path).and_then(|()| fs::read_dir(&path));
    for entry in at(&path, "cannot list the directory", entries)? {
        let entry = at(&path, "cannot list the directory", entry)?;
        let own = below.join(entry.file_name());
        // The type of the name itself: a link to a directory is a file here.
        if at(&path, "cannot list the directory", entry.file_type())?.is_dir() {
            walk(root, &own, files)?;
        } else {
            files.push(own.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

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
