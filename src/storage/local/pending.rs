//! Writing to the local file system: a file appears under its name whole and durable, or not at
//! all.
//!
//! Owns the temporary file and how it gets its name. It must not know what is written.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

use super::directory::{Directory, set_permissions};
use super::path::{at, directory_of, find, io_error, list};
use crate::error::{Error, Kind, Result, shell_word};
use crate::storage::fault::{self, WatchedFile};
use crate::storage::store::Pending;

/// What is buffered before a system call writes it: writers of text come with a line at a time.
const WRITE_BUFFER_BYTES: usize = 256 << 10;

/// How often creating a temporary file is tried again because another run swept it away in the same
/// moment.
const CREATE_ATTEMPTS: usize = 8;

/// The paths that this process is writing to.
static OWN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file being written alongside its final name, which it takes only when it is whole. Dropped
/// unpublished it is removed.
///
/// Its name is `.tmp-<final name>-<process id>`: hidden from readers of directories. It is locked
/// (`flock`) while its writer lives, so that what a killed run left behind is known for what it is
/// and swept away by the next run to the same final name. Both names are in one open directory,
/// whatever becomes of that directory's own name.
#[derive(Debug)]
pub(super) struct LocalPending {
    /// None once published.
    writer: Option<BufWriter<WatchedFile>>,
    directory: Directory,
    temporary: OsString,
    name: OsString,
    path: PathBuf,
}

impl LocalPending {
    /// Creates the temporary file for `path`, whose directory must exist.
    ///
    /// # Errors
    /// Fails if the final name is a directory, exists already and must not be replaced, or if
    /// nothing can be created there.
    pub(super) fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| {
            Error::failed("cannot create the file: the path names none").at_path(path)
        })?;
        check_destination(path, overwrite)?;
        let directory = directory_of(path);
        match find(directory)? {
            Some(found) if found.is_directory => {}
            Some(_) => {
                return Err(Error::failed(
                    "cannot create the file: what should hold it is not a directory",
                )
                .at_path(path));
            }
            None => {
                let error = Error::failed(format!(
                    "cannot create the file: there is no directory `{}`",
                    directory.display()
                ));
                return Err(error.at_path(path).hint(format!(
                    "mkdir -p {}",
                    shell_word(&directory.to_string_lossy())
                )));
            }
        }
        let opened = fault::before(directory).and_then(|()| Directory::open(directory));
        Self::create_in(
            at(path, "cannot open the directory of the file", opened)?,
            name,
            path,
        )
    }

    /// Creates the temporary file for one below `root`, whose directories are made if they are
    /// missing, and through no link. A file of that name will be replaced.
    ///
    /// # Errors
    /// Fails if a directory of that name is there, or nothing can be created.
    pub(super) fn create_below(root: &Path, below: &Path) -> Result<Self> {
        let path = root.join(below);
        let opened = fault::before(&path).and_then(|()| Directory::of(root, below, true));
        let (directory, name) = at(&path, "cannot open the directory of the file", opened)?;
        check_destination(&path, true)?;
        Self::create_in(directory, &name, &path)
    }

    fn create_in(directory: Directory, name: &OsStr, path: &Path) -> Result<Self> {
        let mut temporary = OsString::from(".tmp-");
        temporary.push(name);
        temporary.push("-");
        sweep(&directory, directory_of(path), &temporary)?;
        temporary.push(std::process::id().to_string());
        let file =
            create_locked(&directory, &temporary, path).map_err(|error| error.at_path(path))?;
        // No one may read the new bytes who could not read the old ones.
        let kept = directory.find(name).and_then(|replaced| {
            match replaced.filter(|entry| entry.metadata.is_file) {
                Some(replaced) => set_permissions(&file, replaced.permissions),
                None => Ok(()),
            }
        });
        let file = Self {
            writer: Some(BufWriter::with_capacity(
                WRITE_BUFFER_BYTES,
                fault::watch(file, path),
            )),
            directory,
            temporary,
            name: name.to_owned(),
            path: path.to_owned(),
        };
        at(path, "cannot keep the permissions of the file", kept)?;
        Ok(file)
    }

    fn publish_writer(&self, writer: BufWriter<WatchedFile>, overwrite: bool) -> Result<()> {
        let file = writer
            .into_inner()
            .map_err(|error| io_error("cannot write the file", error.into_error()))?;
        fault::before(&self.path)
            .and_then(|()| file.sync_all())
            .map_err(|error| io_error("cannot write the file to disk", error))?;
        check_destination(&self.path, overwrite)?;
        if overwrite {
            self.rename()?;
        } else {
            self.link()?;
        }
        let durable = fault::before(directory_of(&self.path)).and_then(|()| self.directory.sync());
        if durable.is_err() && !overwrite {
            // The name was free before: it is given back, and the same run can be tried again.
            let _ = self.discard(&self.name);
        }
        durable.map_err(|error| io_error("cannot make the new name durable", error))
    }

    fn rename(&self) -> Result<()> {
        fault::before(&self.path)
            .and_then(|()| {
                self.directory
                    .rename(&self.temporary, &self.directory, &self.name)
            })
            .map_err(|error| io_error("cannot give the finished file its name", error))
    }

    fn link(&self) -> Result<()> {
        match fault::before(&self.path)
            .and_then(|()| self.directory.link(&self.temporary, &self.name))
        {
            Ok(()) => {
                // The file has its name. What is left alongside it is hidden, and swept away by the
                // next run.
                let _ = self.discard(&self.temporary);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(&self.path)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Unsupported
                        | io::ErrorKind::PermissionDenied
                        | io::ErrorKind::TooManyLinks
                ) =>
            {
                match self
                    .directory
                    .rename_to_free(&self.temporary, &self.directory, &self.name)
                {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        Err(taken(&self.path))
                    }
                    renamed => renamed
                        .map_err(|error| io_error("cannot give the finished file its name", error)),
                }
            }
            Err(error) => Err(io_error("cannot give the finished file its name", error)),
        }
    }

    fn discard(&self, name: &OsStr) -> io::Result<()> {
        fault::before(&self.path).and_then(|()| self.directory.remove(name))
    }

    /// Notes that this process no longer writes the file.
    fn forget(&self) {
        OWN.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|path| path != &self.path);
    }
}

impl Pending for LocalPending {
    fn byte_count(&mut self) -> Result<u64> {
        const DOING: &str = "cannot write the file";
        at(
            &self.path,
            DOING,
            self.writer.as_mut().map_or(Ok(()), Write::flush),
        )?;
        let found = at(
            &self.path,
            DOING,
            fault::before(&self.path).and_then(|()| self.directory.find(&self.temporary)),
        )?;
        Ok(found.map_or(0, |entry| entry.metadata.byte_count))
    }

    /// Makes the bytes durable, gives the file its final name and makes the name durable.
    ///
    /// With `overwrite` that is a rename, which replaces a file of that name in one step. Without,
    /// it is a hard link, which fails if the name is taken, however late (a check and a rename
    /// would have a moment between them), and then the removal of the temporary name; a run killed
    /// in between leaves the finished file under both names. Where the file system has no hard
    /// links (FAT, some network mounts) it is a rename that fails if the name is taken, as far as
    /// the file system can do that in one step.
    fn publish(mut self: Box<Self>, overwrite: bool) -> Result<()> {
        let path = self.path.clone();
        let Some(writer) = self.writer.take() else {
            return Err(Error::internal("a file was published twice").at_path(path));
        };
        let result = self.publish_writer(writer, overwrite);
        if result.is_err() {
            // The first error is the one to report.
            let _ = self.discard(&self.temporary);
        }
        self.forget();
        result.map_err(|error| error.at_path(path))
    }

    fn publish_as(mut self: Box<Self>, name: &OsStr) -> Result<()> {
        self.forget();
        name.clone_into(&mut self.name);
        self.path = self.path.with_file_name(name);
        self.publish(true)
    }
}

impl Write for LocalPending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer
            .as_mut()
            .map_or(Ok(0), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for LocalPending {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // No one will read what is still buffered; a file that cannot be removed is swept away
            // by the next run.
            let _ = writer.into_parts();
            let _ = self.discard(&self.temporary);
            self.forget();
        }
    }
}

fn taken(path: &Path) -> Error {
    Error::failed("cannot create the file: it exists already")
        .at_path(path)
        .hint("choose another name, or pass `--overwrite` to replace it")
}

fn check_destination(path: &Path, overwrite: bool) -> Result<()> {
    // A symbolic link counts as what it is: a name that is taken, wherever it points.
    match fault::before(path).and_then(|()| fs::symlink_metadata(path)) {
        Ok(_) if fs::metadata(path).is_ok_and(|found| found.is_dir()) => {
            let error = Error::failed("cannot create the file: it is a directory").at_path(path);
            Err(error.hint("add a file name to the path"))
        }
        Ok(_) if fs::metadata(path).is_ok_and(|found| !found.is_file()) => {
            let error =
                Error::failed("cannot create the file: a pipe, a socket or a device has its name")
                    .at_path(path);
            Err(error.hint(
                "results are files, which take their names when they are whole: choose another \
                 name, or `none` for a report that is not needed",
            ))
        }
        Ok(_) if overwrite => Ok(()),
        Ok(_) => Err(taken(path)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(())
        }
        Err(error) => Err(io_error("cannot create the file", error).at_path(path)),
    }
}

/// Removes what killed writers of the same final name left: files of the prefix and a process id
/// that no one has locked.
fn sweep(directory: &Directory, path: &Path, prefix: &OsStr) -> Result<()> {
    for path in list(path)? {
        let path = path.local_path();
        let name = path.file_name().unwrap_or_default();
        let process = name
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes())
            .unwrap_or_default();
        if process.is_empty() || !process.iter().all(u8::is_ascii_digit) {
            continue;
        }
        // Sweeping is a courtesy: what cannot be opened, locked or removed stays.
        if let Ok(file) = directory.open_file(name, OFlags::WRONLY)
            && file.try_lock().is_ok()
        {
            let _ = fault::before(path).and_then(|()| directory.remove(name));
        }
    }
    Ok(())
}

/// Creates and locks a file that did not exist, and makes sure that it still has its name
/// afterwards: another run's [`sweep`] may come between the two.
fn create_locked(directory: &Directory, name: &OsStr, path: &Path) -> Result<File> {
    const DOING: &str = "cannot create a temporary file alongside it";
    for _ in 0..CREATE_ATTEMPTS {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = match fault::before(path).and_then(|()| directory.open_file(name, flags)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(in_the_way(directory_of(path).join(name), path));
            }
            Err(error) => return Err(io_error(DOING, error)),
        };
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => continue,
            // Not every file system has locks; no one can sweep there either.
            Ok(()) | Err(fs::TryLockError::Error(_)) => {}
        }
        if directory
            .has(name, &file)
            .map_err(|error| io_error(DOING, error))?
        {
            OWN.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(path.to_owned());
            return Ok(file);
        }
    }
    Err(Error::new(Kind::Busy, "other runs keep creating this file"))
}

/// Why the temporary name is taken: by a run of the same number in another container, or by this
/// one, for another of its files.
#[expect(clippy::needless_pass_by_value, reason = "the name ends in the error")]
fn in_the_way(temporary: PathBuf, path: &Path) -> Error {
    if OWN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .any(|own| own == path)
    {
        return Error::usage("two files of this run have the same name")
            .hint("give each file a name of its own");
    }
    let hint = format!(
        "wait for it; if there is none: rm {}",
        shell_word(&temporary.to_string_lossy())
    );
    Error::new(Kind::Busy, "another run is writing this file").hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{PendingFile, read};

    fn names(directory: &Path) -> Vec<String> {
        list(directory)
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    fn write(path: &Path, bytes: &[u8], overwrite: bool) -> Result<()> {
        let mut file = PendingFile::create(path, overwrite)?;
        file.write_all(bytes).unwrap();
        file.publish(overwrite)
    }

    #[test]
    fn a_file_appears_only_when_it_is_published() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        let mut file = PendingFile::create(&path, false).unwrap();
        file.write_all(b"abc").unwrap();
        assert_eq!(
            names(directory.path()),
            [format!(".tmp-out.csv-{}", std::process::id())]
        );
        file.publish(false).unwrap();
        assert_eq!(names(directory.path()), ["out.csv"]);
        assert_eq!(read(&path, 3).unwrap(), b"abc");
    }

    #[test]
    fn a_file_that_is_not_published_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = PendingFile::create(directory.path().join("out.csv"), false).unwrap();
        file.write_all(b"abc").unwrap();
        drop(file);
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn a_taken_name_is_refused_at_the_start_and_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        let late = PendingFile::create(&path, false).unwrap();
        File::create(&path).unwrap().write_all(b"theirs").unwrap();
        let error = PendingFile::create(&path, false).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot create the file: it exists already (`{}`)",
                path.display()
            )
        );
        assert!(
            late.publish(false)
                .unwrap_err()
                .to_string()
                .starts_with("cannot create the file: it exists already")
        );
        assert_eq!(read(&path, 100).unwrap(), b"theirs");
        assert_eq!(
            names(directory.path()),
            ["out.csv"],
            "the temporary file is gone"
        );
        write(&path, b"ours", true).unwrap();
        assert_eq!(read(&path, 100).unwrap(), b"ours");
    }

    #[test]
    fn a_name_taken_between_check_and_link_is_not_clobbered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        let file = LocalPending::create(&path, false).unwrap();
        File::create(&path).unwrap();
        assert!(
            file.link()
                .unwrap_err()
                .to_string()
                .contains("exists already")
        );
    }

    #[test]
    fn a_directory_is_not_a_destination_and_a_missing_one_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let error = PendingFile::create(directory.path(), true).unwrap_err();
        assert_eq!(error.message(), "cannot create the file: it is a directory");
        let missing = directory.path().join("missing");
        let error = PendingFile::create(missing.join("out.csv"), false).unwrap_err();
        assert!(
            error
                .message()
                .starts_with("cannot create the file: there is no directory `"),
            "{error}"
        );
        assert_eq!(find(&missing).unwrap(), None);
        assert!(
            PendingFile::create(Path::new("/"), false)
                .unwrap_err()
                .message()
                .contains("names none")
        );
    }

    #[test]
    fn what_a_killed_run_left_is_swept_away_and_what_a_living_one_writes_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        File::create(directory.path().join(".tmp-out.csv-1")).unwrap();
        File::create(directory.path().join(".tmp-out.csv-old")).unwrap();
        let living = File::create(directory.path().join(".tmp-out.csv-2")).unwrap();
        living.lock().unwrap();
        write(&path, b"", false).unwrap();
        assert_eq!(
            names(directory.path()),
            [".tmp-out.csv-2", ".tmp-out.csv-old", "out.csv"]
        );
    }

    #[test]
    fn a_file_that_replaces_another_is_read_by_no_more_users() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        write(&path, b"old", false).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let pending = PendingFile::create(&path, true).unwrap();
        assert_eq!(
            mode(
                &directory
                    .path()
                    .join(format!(".tmp-out.csv-{}", std::process::id()))
            ),
            0o640,
            "from the first byte on"
        );
        pending.publish(true).unwrap();
        assert_eq!(mode(&path), 0o640);
    }

    #[test]
    fn a_pipe_that_looks_like_a_left_file_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(directory.path().join(".tmp-out.csv-1"))
                .status()
                .unwrap()
                .success()
        );
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join(".tmp-out.csv-2")).unwrap();
        write(&path, b"", false).unwrap();
        assert_eq!(
            names(directory.path()),
            [".tmp-out.csv-1", ".tmp-out.csv-2", "out.csv"]
        );
    }

    #[test]
    fn two_writers_of_one_name_are_distinguished() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        let first = PendingFile::create(&path, false).unwrap();
        let error = PendingFile::create(&path, false).unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (Kind::Usage, "two files of this run have the same name")
        );
        drop(first);
        let other = File::create(
            directory
                .path()
                .join(format!(".tmp-out.csv-{}", std::process::id())),
        )
        .unwrap();
        other.lock().unwrap();
        let error = PendingFile::create(&path, false).unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (Kind::Busy, "another run is writing this file")
        );
    }
}
