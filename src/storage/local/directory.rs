//! An open directory: names in it are reached through its descriptor, and no symbolic link leads
//! out of it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, fchmod, fsync, linkat, mkdirat, openat, renameat,
    renameat_with, statat, syncfs, unlinkat,
};
use rustix::io::Errno;

use crate::storage::metadata::Metadata;

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

    /// Makes all that was written to its file system durable.
    pub(super) fn sync_file_system(&self) -> io::Result<()> {
        Ok(syncfs(&self.handle)?)
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
