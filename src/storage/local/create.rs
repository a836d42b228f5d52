//! Creating a file that must not exist yet: of several writers exactly one succeeds.
//!
//! For files that are never changed once they are there. It must not know what the bytes are.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;

use super::directory::Directory;
use crate::error::Result;
use crate::storage::copy::{Failure, copy};
use crate::storage::{TEMPORARY_PREFIX, fault};

/// How many temporary names are tried: another machine may have a process of the same number.
const NAME_ATTEMPTS: usize = 1000;

/// Numbers the temporary files of this process.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Creates a file below `root` with all bytes of `source`, and missing directories on the way.
///
/// The bytes go to a temporary file first and are made durable. The name is then given by a hard
/// link, which fails if it is taken; where the file system has no links, by a rename that does.
/// Returns false, and changes nothing, if the name is taken. A process that is killed leaves at
/// most a temporary file.
///
/// # Errors
/// Fails if `source` does, if the file system refuses, or if a directory on the way is a link. The
/// file may exist after a failure to make its name durable.
pub(super) fn create(
    root: &Path,
    below: &Path,
    source: &mut dyn Read,
    is_durable: bool,
) -> Result<bool> {
    let path = root.join(below);
    let created = create_in(root, below, &path, source, is_durable);
    created.map_err(|failure| failure.named("cannot create the file", &path))
}

fn create_in(
    root: &Path,
    below: &Path,
    path: &Path,
    source: &mut dyn Read,
    is_durable: bool,
) -> Result<bool, Failure> {
    fault::before(path)?;
    let (directory, name) = Directory::of(root, below, true)?;
    if directory.find(&name)?.is_some() {
        return Ok(false);
    }
    let (temporary, file) = temporary_in(&directory, path)?;
    let written = write(file, path, source, is_durable)
        .and_then(|()| Ok(give_name(&directory, &temporary, &name, path)?));
    // What is not removed is hidden, and swept once it is old.
    let _ = fault::before(path).and_then(|()| directory.remove(&temporary));
    let is_created = written?;
    if is_created && is_durable {
        sync_up(root, below)?;
    }
    Ok(is_created)
}

fn temporary_in(directory: &Directory, path: &Path) -> io::Result<(OsString, File)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    for _ in 0..NAME_ATTEMPTS {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{TEMPORARY_PREFIX}{}-{number}", process::id());
        fault::before(path)?;
        match directory.open_file(OsStr::new(&name), flags) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return Ok((name.into(), opened?)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn write(file: File, path: &Path, source: &mut dyn Read, is_durable: bool) -> Result<(), Failure> {
    let mut file = fault::watch(file, path);
    copy(source, &mut file)?;
    if is_durable {
        fault::before(path)?;
        file.sync_all()?;
    }
    Ok(())
}

/// False if the name is taken.
fn give_name(directory: &Directory, from: &OsStr, to: &OsStr, path: &Path) -> io::Result<bool> {
    let linked = fault::before(path).and_then(|()| directory.link(from, to));
    let named = match linked {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Unsupported
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::TooManyLinks
            ) =>
        {
            directory.rename_to_free(from, directory, to)
        }
        linked => linked,
    };
    match named {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the new name durable, and the names of directories that may be new.
fn sync_up(root: &Path, below: &Path) -> io::Result<()> {
    let mut own = Some(below);
    while let Some(name) = own.filter(|name| !name.as_os_str().is_empty()) {
        fault::before(&root.join(name))?;
        Directory::of(root, name, false)?.0.sync()?;
        own = name.parent();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::create_below;

    #[test]
    fn of_many_writers_one_creates_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let created: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..16)
                .map(|writer: u8| {
                    scope.spawn(move || {
                        create_below(root, "a/b/file", &mut vec![writer; 100_000].as_slice())
                            .unwrap()
                    })
                })
                .collect();
            writers
                .into_iter()
                .map(|writer| usize::from(writer.join().unwrap()))
                .sum()
        });
        assert_eq!(created, 1);
        let bytes = std::fs::read(root.join("a/b/file")).unwrap();
        assert!(bytes.len() == 100_000 && bytes.iter().all(|byte| *byte == bytes[0]));
        let names: Vec<_> = std::fs::read_dir(root.join("a/b")).unwrap().collect();
        assert_eq!(names.len(), 1, "no temporary file is left");
    }

    #[test]
    fn a_failing_source_leaves_no_file() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("boom"))
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let error = create_below(directory.path(), "a/file", &mut Broken).unwrap_err();
        assert_eq!(error.message(), "cannot read the bytes to store");
        assert_eq!(
            std::fs::read_dir(directory.path().join("a"))
                .unwrap()
                .count(),
            0
        );
    }
}
