//! Writing: a file appears under its name whole and durable, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::fault::{self, WatchedFile};
use super::{find, io_error, list, metadata};
use crate::error::{Error, Kind, Result, shell_word};

/// What is buffered before a system call writes it: writers of text come with a line at a time.
const WRITE_BUFFER_BYTES: usize = 256 << 10;

/// How often creating a temporary file is tried again because another run swept it away in the same moment.
const CREATE_ATTEMPTS: usize = 8;

/// A file being written beside its final name, which it takes only when it is whole. Dropped unpublished it is removed.
///
/// Its name is `.tmp-<final name>-<process id>`: hidden from readers of directories. It is locked (`flock`) while its writer
/// lives, so that what a killed run left behind is known for what it is and swept away by the next run to the same final name.
#[derive(Debug)]
pub struct PendingFile {
    /// None once published.
    writer: Option<BufWriter<WatchedFile>>,
    temporary: PathBuf,
    path: PathBuf,
}

impl PendingFile {
    /// Creates the temporary file for `path`, whose directory must exist.
    ///
    /// # Errors
    /// Fails if the final name is a directory, exists already and must not be replaced, or if nothing can be created there.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| Error::failed("cannot create the file: the path names none").at_path(path))?;
        check_destination(path, overwrite)?;
        let directory = directory_of(path);
        match find(directory)? {
            Some(found) if found.is_directory => {}
            Some(_) => return Err(Error::failed("cannot create the file: what should hold it is no directory").at_path(path)),
            None => {
                let error = Error::failed(format!("cannot create the file: there is no directory `{}`", directory.display()));
                return Err(error.at_path(path).hint(format!("mkdir -p {}", shell_word(&directory.to_string_lossy()))));
            }
        }
        let mut prefix = std::ffi::OsString::from(".tmp-");
        prefix.push(name);
        prefix.push("-");
        sweep(directory, &prefix)?;
        prefix.push(std::process::id().to_string());
        let temporary = directory.join(prefix);
        let file = create_locked(&temporary).map_err(|error| error.at_path(path))?;
        Ok(Self { writer: Some(BufWriter::with_capacity(WRITE_BUFFER_BYTES, fault::watch(file, path))), temporary, path: path.to_owned() })
    }

    /// The name that the file will have.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes written so far.
    ///
    /// # Errors
    /// Fails if what is buffered cannot be written.
    pub fn byte_count(&mut self) -> Result<u64> {
        super::at(&self.path, "cannot write the file", self.writer.as_mut().map_or(Ok(()), Write::flush))?;
        metadata(&self.temporary).map(|found| found.byte_count)
    }

    /// Makes the bytes durable, gives the file its final name and makes the name durable.
    ///
    /// With `overwrite` that is a rename, which replaces a file of that name in one step. Without, it is a hard link, which fails
    /// if the name is taken, however late (a check and a rename would have a moment between them), and then the removal of the
    /// temporary name; a run killed in between leaves the finished file under both names. Where the file system has no hard
    /// links (FAT, some network mounts) the name is checked and then renamed: there, and only there, a file that another program
    /// creates in that very moment would be replaced. The kernel's `renameat2` would close the gap, but needs unsafe code.
    ///
    /// # Errors
    /// Fails if the name was taken meanwhile or the disk is full; the temporary file is then removed.
    pub fn publish(mut self, overwrite: bool) -> Result<()> {
        let path = self.path.clone();
        let Some(writer) = self.writer.take() else { return Err(Error::internal("a file was published twice").at_path(path)) };
        let result = self.publish_writer(writer, overwrite);
        if result.is_err() {
            // The first error is the one to tell.
            let _ = discard(&self.temporary);
        }
        result.map_err(|error| error.at_path(path))
    }

    fn publish_writer(&self, writer: BufWriter<WatchedFile>, overwrite: bool) -> Result<()> {
        let file = writer.into_inner().map_err(|error| io_error("cannot write the file", error.into_error()))?;
        fault::before(&self.path).and_then(|()| file.sync_all()).map_err(|error| io_error("cannot write the file to disk", error))?;
        check_destination(&self.path, overwrite)?;
        if overwrite {
            self.rename()?;
        } else {
            self.link()?;
        }
        let durable = sync_directory(directory_of(&self.path));
        if durable.is_err() && !overwrite {
            // The name was free before: it is given back, and the same run can be tried again.
            let _ = discard(&self.path);
        }
        durable
    }

    fn rename(&self) -> Result<()> {
        fault::before(&self.path)
            .and_then(|()| fs::rename(&self.temporary, &self.path))
            .map_err(|error| io_error("cannot give the finished file its name", error))
    }

    fn link(&self) -> Result<()> {
        match fault::before(&self.path).and_then(|()| fs::hard_link(&self.temporary, &self.path)) {
            Ok(()) => {
                // The file has its name. What is left beside it is hidden, and swept away by the next run.
                let _ = discard(&self.temporary);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(&self.path)),
            Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied | io::ErrorKind::TooManyLinks) => {
                self.rename()
            }
            Err(error) => Err(io_error("cannot give the finished file its name", error)),
        }
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.as_mut().map_or(Ok(0), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // Nobody will read what is still buffered; a file that cannot be removed is swept away by the next run.
            let _ = writer.into_parts();
            let _ = discard(&self.temporary);
        }
    }
}

fn discard(path: &Path) -> io::Result<()> {
    fault::before(path).and_then(|()| fs::remove_file(path))
}

/// The directory that holds a name; the working directory for a bare one.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn taken(path: &Path) -> Error {
    Error::failed("cannot create the file: it exists already").at_path(path).hint("choose another name, or pass `--overwrite` to replace it")
}

fn check_destination(path: &Path, overwrite: bool) -> Result<()> {
    // A symbolic link counts as what it is: a name that is taken, wherever it points.
    match fault::before(path).and_then(|()| fs::symlink_metadata(path)) {
        Ok(_) if fs::metadata(path).is_ok_and(|found| found.is_dir()) => {
            let error = Error::failed("cannot create the file: it is a directory").at_path(path);
            Err(error.hint("add a file name to the path"))
        }
        Ok(_) if fs::metadata(path).is_ok_and(|found| !found.is_file()) => {
            let error = Error::failed("cannot create the file: a pipe, a socket or a device has its name").at_path(path);
            Err(error.hint("results are files, which take their names when they are whole: choose another name"))
        }
        Ok(_) if overwrite => Ok(()),
        Ok(_) => Err(taken(path)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
        Err(error) => Err(io_error("cannot create the file", error).at_path(path)),
    }
}

/// Removes what killed writers of the same final name left: files of the prefix and a process id that nobody has locked.
fn sweep(directory: &Path, prefix: &std::ffi::OsStr) -> Result<()> {
    for path in list(directory)? {
        let name = path.file_name().map(std::ffi::OsStr::as_encoded_bytes).unwrap_or_default();
        let process = name.strip_prefix(prefix.as_encoded_bytes()).unwrap_or_default();
        if process.is_empty() || !process.iter().all(u8::is_ascii_digit) {
            continue;
        }
        // Sweeping is a courtesy: what cannot be opened, locked or removed stays.
        if let Ok(file) = File::options().write(true).open(&path)
            && file.try_lock().is_ok()
        {
            let _ = discard(&path);
        }
    }
    Ok(())
}

/// Creates and locks a file that did not exist, and makes sure that it still has its name afterwards: another run's
/// [`sweep`] may come between the two.
fn create_locked(path: &Path) -> Result<File> {
    const DOING: &str = "cannot create a temporary file beside it";
    for _ in 0..CREATE_ATTEMPTS {
        let file = match fault::before(path).and_then(|()| File::options().write(true).create_new(true).open(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let error = Error::new(Kind::Busy, "another run is writing this file");
                return Err(error.hint(format!("wait for it; if there is none: rm {}", shell_word(&path.to_string_lossy()))));
            }
            Err(error) => return Err(io_error(DOING, error)),
        };
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => continue,
            // Not every file system has locks; nobody can sweep there either.
            Ok(()) | Err(fs::TryLockError::Error(_)) => {}
        }
        let own = file.metadata().map_err(|error| io_error(DOING, error))?;
        if fs::metadata(path).is_ok_and(|named| named.ino() == own.ino() && named.dev() == own.dev()) {
            return Ok(file);
        }
    }
    Err(Error::new(Kind::Busy, "other runs keep creating this file"))
}

pub(super) fn sync_directory(directory: &Path) -> Result<()> {
    let result = fault::before(directory).and_then(|()| File::open(directory)).and_then(|opened| opened.sync_all());
    match result {
        // Some network file systems cannot sync a directory: their names are as durable as they make them.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(|error| io_error("cannot make the new name durable", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::commit::read;

    fn names(directory: &Path) -> Vec<String> {
        list(directory).unwrap().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
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
        assert_eq!(names(directory.path()), [format!(".tmp-out.csv-{}", std::process::id())]);
        file.publish(false).unwrap();
        assert_eq!(names(directory.path()), ["out.csv"]);
        assert_eq!(read(&path, 3).unwrap(), b"abc");
    }

    #[test]
    fn a_file_that_is_not_published_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = PendingFile::create(&directory.path().join("out.csv"), false).unwrap();
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
        assert_eq!(error.to_string(), format!("cannot create the file: it exists already (`{}`)", path.display()));
        assert!(late.publish(false).unwrap_err().to_string().starts_with("cannot create the file: it exists already"));
        assert_eq!(read(&path, 100).unwrap(), b"theirs");
        assert_eq!(names(directory.path()), ["out.csv"], "the temporary file is gone");
        write(&path, b"ours", true).unwrap();
        assert_eq!(read(&path, 100).unwrap(), b"ours");
    }

    #[test]
    fn a_name_taken_between_check_and_link_is_not_clobbered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        let file = PendingFile::create(&path, false).unwrap();
        File::create(&path).unwrap();
        assert!(file.link().unwrap_err().to_string().contains("exists already"));
    }

    #[test]
    fn a_directory_is_no_destination_and_a_missing_one_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let error = PendingFile::create(directory.path(), true).unwrap_err();
        assert_eq!(error.message(), "cannot create the file: it is a directory");
        let missing = directory.path().join("missing");
        let error = PendingFile::create(&missing.join("out.csv"), false).unwrap_err();
        assert!(error.message().starts_with("cannot create the file: there is no directory `"), "{error}");
        assert_eq!(find(&missing).unwrap(), None);
        assert!(PendingFile::create(Path::new("/"), false).unwrap_err().message().contains("names none"));
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
        assert_eq!(names(directory.path()), [".tmp-out.csv-2", ".tmp-out.csv-old", "out.csv"]);
    }

    #[test]
    fn two_writers_of_one_name_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.csv");
        let _first = PendingFile::create(&path, false).unwrap();
        let error = PendingFile::create(&path, false).unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Busy, "another run is writing this file"));
    }
}
