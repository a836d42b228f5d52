//! One writer per output: a lock with its owner's name in it.
//!
//! The lock is the kernel's (`flock`), so it ends with its process, however that ends; what the
//! file holds is for users. A file that no one has locked was left behind by a run that was
//! killed, and is taken over.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;

use super::directory::Directory;
use super::make::make_directory;
use super::path::{directory_of, io_error};
use super::tree::LocalTree;
use crate::error::{Error, Kind, Result, shell_word};
use crate::storage::fault;
use crate::storage::store::{Held, Tree};

/// How an owner's name begins; a file that begins otherwise is not a lock.
const OWNER: &str = "process ";

/// How often locking is tried again because the last owner removed the file in the same moment.
const ATTEMPTS: usize = 8;

/// The most that is read of an owner's name and note.
const OWNER_BYTES: u64 = 65_536;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct LocalLock {
    file: File,
    directory: Directory,
    name: OsString,
    path: PathBuf,
    previous: Option<String>,
    previous_note: Option<String>,
    /// A directory, and its name in it, that goes with the lock if nothing is left there.
    inside: Option<(PathBuf, PathBuf)>,
    /// Whether its file outlives it.
    is_left: AtomicBool,
}

impl LocalLock {
    /// Takes the lock at `path`, in a directory that exists; `owner`, which begins with `process `,
    /// is named to anyone who comes next.
    ///
    /// # Errors
    /// [`Kind::Busy`] at once, with the owner's name, if another process holds it; fails if the
    /// file cannot be made, or the name is that of something else.
    pub(super) fn acquire(path: &Path, owner: &str) -> Result<Self> {
        let name = path.file_name().unwrap_or_default();
        Self::acquire_with(path, owner, None, || {
            Ok((Directory::open(directory_of(path))?, name.to_owned()))
        })
    }

    /// Takes the lock at `below`, in directories below `root` that are made for it through no link,
    /// and removed with it if nothing else is left there.
    ///
    /// # Errors
    /// As [`Lock::acquire`](crate::storage::Lock::acquire).
    pub(super) fn acquire_inside(root: &Path, below: &Path, owner: &str) -> Result<Self> {
        let inside = (
            root.to_owned(),
            below.parent().unwrap_or(Path::new("")).to_owned(),
        );
        make_directory(root)?;
        Self::acquire_with(&root.join(below), owner, Some(inside), || {
            Directory::of(root, below, true)
        })
    }

    fn acquire_with(
        path: &Path,
        owner: &str,
        inside: Option<(PathBuf, PathBuf)>,
        open: impl Fn() -> io::Result<(Directory, OsString)>,
    ) -> Result<Self> {
        let cannot = |error| io_error("cannot lock the output", error).at_path(path);
        for _ in 0..ATTEMPTS {
            inside
                .as_ref()
                .map_or(Ok(()), |(root, _)| make_directory(root))?;
            let opened = fault::before(path)
                .and_then(|()| open())
                .and_then(|(directory, name)| {
                    let file = directory.open_file(&name, OFlags::RDWR | OFlags::CREATE)?;
                    Ok((directory, name, file))
                });
            let (directory, name, mut file) = match opened {
                // The last owner removed the directory in this very moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound && inside.is_some() => {
                    continue;
                }
                opened => opened.map_err(cannot)?,
            };
            check_kind(&file, path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(busy(
                        read_owner(&mut file)
                            .lines()
                            .next()
                            .unwrap_or_default()
                            .trim_end(),
                    ));
                }
                Err(fs::TryLockError::Error(error)) => return Err(without_locks(path, error)),
            }
            if !directory.has(&name, &file).map_err(cannot)? {
                continue;
            }
            let left = read_owner(&mut file);
            if !left.starts_with(OWNER) && !OWNER.starts_with(left.as_str()) {
                return Err(foreign("it holds something else", path));
            }
            let mut lines = left.lines();
            // Each note ends in a line of its own; the last one counts.
            let [previous, previous_note] = [lines.next(), lines.next_back()]
                .map(|text| text.map(str::trim_end).filter(|text| !text.is_empty()))
                .map(|text| text.map(str::to_owned));
            begin(&mut file, path, owner, previous_note.as_deref()).map_err(cannot)?;
            return Ok(Self {
                file,
                directory,
                name,
                path: path.to_owned(),
                previous,
                previous_note,
                inside,
                is_left: AtomicBool::new(false),
            });
        }
        Err(busy("other runs come and go"))
    }
}

impl Held for LocalLock {
    fn previous_owner(&self) -> Option<&str> {
        self.previous.as_deref()
    }

    fn previous_note(&self) -> Option<&str> {
        self.previous_note.as_deref()
    }

    fn note(&self, note: &str) -> Result<()> {
        let written = fault::before(&self.path)
            .and_then(|()| (&self.file).write_all(format!("\n{note}").as_bytes()));
        let written = written
            .and_then(|()| fault::before(&self.path))
            .and_then(|()| self.file.sync_data());
        written.map_err(|error| {
            io_error("cannot write to the lock of the output", error).at_path(&self.path)
        })
    }

    fn leave_behind(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    fn give_back(&self) {
        self.is_left.store(false, Ordering::Relaxed);
    }
}

impl Drop for LocalLock {
    fn drop(&mut self) {
        if self.is_left.load(Ordering::Relaxed) {
            return;
        }
        // While it is still ours: no one else's file can be of this name. One that cannot be
        // removed is taken over by the next run.
        if self.directory.has(&self.name, &self.file).unwrap_or(false) {
            let _ = fault::before(&self.path).and_then(|()| self.directory.remove(&self.name));
            if let Some((root, below)) = self.inside.take() {
                LocalTree { root }.remove_empty_directory(&below.into());
            }
        }
    }
}

/// Puts the owner's name where the last one's was; a note stays, whenever the process is killed.
fn begin(file: &mut File, path: &Path, owner: &str, note: Option<&str>) -> io::Result<()> {
    fault::before(path)?;
    let text = match note {
        None => {
            file.set_len(0)?;
            owner.to_owned()
        }
        // One write, as long as what was there: nothing is left behind it.
        Some(note) => {
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
            let width = length.saturating_sub(note.len() + 1);
            format!("{owner:width$}\n{note}")
        }
    };
    io::Seek::rewind(file)?;
    file.write_all(text.as_bytes())?;
    fault::before(path)?;
    file.sync_data()
}

fn read_owner(file: &mut File) -> String {
    let mut text = Vec::new();
    // An owner that cannot be read stays unnamed.
    let _ = file.take(OWNER_BYTES).read_to_end(&mut text);
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// Checks that a file may be a lock: a plain one, of one name.
fn check_kind(file: &File, path: &Path) -> Result<()> {
    let found = file
        .metadata()
        .map_err(|error| io_error("cannot lock the output", error).at_path(path))?;
    if !found.is_file() {
        return Err(foreign("it is a pipe, a socket or a device", path));
    }
    // None has no name any more: another run's, which is gone.
    if found.nlink() > 1 {
        Err(foreign("the file has another name too", path))
    } else {
        Ok(())
    }
}

fn foreign(why: &str, path: &Path) -> Error {
    let error = Error::failed(format!("cannot lock the output: {why}")).at_path(path);
    error.hint(format!(
        "the name is kept for a run's lock; if the file is not needed: rm {}",
        shell_word(&path.to_string_lossy())
    ))
}

fn busy(owner: &str) -> Error {
    let owner = if owner.is_empty() {
        "another run".to_owned()
    } else {
        format!("another run ({owner})")
    };
    Error::new(Kind::Busy, format!("{owner} holds the output"))
        .hint("wait until it is done, or give this run another `--output`")
}

fn without_locks(path: &Path, error: io::Error) -> Error {
    let error = Error::failed("cannot lock the output: the file system has no locks")
        .because(error)
        .at_path(path);
    error.hint("write to a local disk, and copy the finished output")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Lock;

    #[test]
    fn the_second_owner_is_reported_who_the_first_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let first = Lock::acquire(&path, "process 1 since noon").unwrap();
        let error = Lock::acquire(&path, "process 2").unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (
                Kind::Busy,
                "another run (process 1 since noon) holds the output"
            )
        );
        drop(first);
        assert!(!path.exists());
        drop(
            Lock::acquire_inside(
                directory.path().join("set"),
                Path::new("state/lock"),
                "process 3",
            )
            .unwrap(),
        );
        assert!(!directory.path().join("set/state").exists());
        assert_eq!(
            Lock::acquire(&path, "process 2").unwrap().previous_owner(),
            None
        );
    }

    #[test]
    fn a_lock_that_a_dead_owner_left_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        File::create(&path)
            .unwrap()
            .write_all(b"process 1 since noon, and much longer a name than the next")
            .unwrap();
        let lock = Lock::acquire(&path, "process 2").unwrap();
        assert!(
            lock.previous_owner()
                .unwrap()
                .starts_with("process 1 since noon")
        );
        assert_eq!(fs::read(&path).unwrap(), b"process 2");
        lock.note("giving names").unwrap();
        let copy = directory.path().join("copy");
        fs::copy(&path, &copy).unwrap();
        let next = Lock::acquire(&copy, "process 3").unwrap();
        assert_eq!(
            (next.previous_owner(), next.previous_note()),
            (Some("process 2"), Some("giving names"))
        );
        // The note stays until another is made, though the next owner died before.
        drop(next);
        fs::write(&copy, b"process 3 since noon\nfirst\ngiving names").unwrap();
        Lock::acquire(&copy, "process 4").unwrap().leave_behind();
        let fifth = Lock::acquire(&copy, "process 5 since the evening of a long day").unwrap();
        assert_eq!(
            (fifth.previous_owner(), fifth.previous_note()),
            (Some("process 4"), Some("giving names"))
        );
        fifth.note("again").unwrap();
        fifth.leave_behind();
        drop(fifth);
        let last = Lock::acquire(&copy, "process 6").unwrap();
        assert_eq!(last.previous_note(), Some("again"));
        last.leave_behind();
        last.give_back();
        drop(last);
        assert!(!copy.exists());
    }

    #[test]
    fn what_is_not_a_lock_is_neither_emptied_nor_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (path, precious) = (
            directory.path().join("set/state/lock"),
            directory.path().join("precious"),
        );
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&precious, "theirs").unwrap();
        let refused = |path: &Path| {
            let error = Lock::acquire(path, "process 1").unwrap_err();
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
            assert_eq!(error.kind(), Kind::Failed);
            fs::remove_file(path).unwrap();
            assert_eq!(fs::read(&precious).unwrap(), b"theirs");
            format!("{}: {cause}", error.message())
        };
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        assert!(refused(&path).contains("is a symbolic link"));
        fs::hard_link(&precious, &path).unwrap();
        assert!(refused(&path).contains("another name too"));
        fs::copy(&precious, &path).unwrap();
        assert!(refused(&path).contains("something else"));
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        assert!(refused(&path).contains("a pipe"));
        // The directory of the state may be a link too.
        fs::remove_dir(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(directory.path(), path.parent().unwrap()).unwrap();
        let error = Lock::acquire_inside(
            directory.path().join("set"),
            Path::new("state/lock"),
            "process 1",
        )
        .unwrap_err();
        assert!(
            std::error::Error::source(&error)
                .unwrap()
                .to_string()
                .contains("is a symbolic link"),
            "{error}"
        );
        assert!(!directory.path().join("lock").exists());
    }

    #[test]
    fn of_many_that_come_at_once_one_holds_it_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = std::sync::Mutex::new(());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Ok(_lock) = Lock::acquire(&path, "process me") {
                            let _alone = held.try_lock().expect("one at a time");
                        }
                    }
                });
            }
        });
    }
}
