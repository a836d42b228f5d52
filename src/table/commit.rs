//! Files with their names attached: reading by position, and writing that appears whole or not at all.
//!
//! The only user of `std::fs` in the crate, so that every error names the path and what was being done. It must not know what is
//! in the files: formats and reports come to it with bytes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Kind, Result};

/// The bytes that are enough to recognise any format.
pub const HEAD_BYTES: usize = 4 << 10;

/// What is buffered before a system call writes it: writers of text come with a line at a time.
const WRITE_BUFFER_BYTES: usize = 256 << 10;

/// How often creating a temporary file is tried again because another run swept it away in the same moment.
const CREATE_ATTEMPTS: usize = 8;

/// What the file system says about a path, symbolic links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The size, in bytes.
    pub byte_count: u64,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it is a plain file: no directory, pipe, socket or device.
    pub is_file: bool,
}

/// Turns a failure of the operating system into an error without a path, with a hint where there is something to do.
#[must_use]
pub fn io_error(doing: &str, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => Some("check the spelling; a relative path starts at the working directory"),
        io::ErrorKind::PermissionDenied => Some("check the permissions of the file and of the directories above it"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("free some space, or write to another disk"),
        io::ErrorKind::ReadOnlyFilesystem => Some("write to a directory that is not mounted read-only"),
        _ => None,
    };
    let failed = Error::failed(doing).because(error);
    match hint {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

fn at<T>(path: &Path, doing: &str, result: io::Result<T>) -> Result<T> {
    result.map_err(|error| io_error(doing, error).at_path(path))
}

/// What is known about `path`; none if there is nothing of that name.
///
/// # Errors
/// Fails if the file system refuses to say.
pub fn find(path: &Path) -> Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(Metadata { byte_count: found.len(), is_directory: found.is_dir(), is_file: found.is_file() })),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(io_error("cannot look at the path", error).at_path(path)),
    }
}

/// What is known about `path`.
///
/// # Errors
/// Fails if there is nothing of that name.
pub fn metadata(path: &Path) -> Result<Metadata> {
    find(path)?.ok_or_else(|| io_error("cannot look at the path", io::ErrorKind::NotFound.into()).at_path(path))
}

/// The path without symbolic links and `..`.
///
/// # Errors
/// Fails if there is nothing of that name.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    at(path, "cannot resolve the path", fs::canonicalize(path))
}

/// The paths of all that is in a directory, sorted by name.
///
/// # Errors
/// Fails if it is no directory or may not be read.
pub fn list(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = at(directory, "cannot list the directory", fs::read_dir(directory))?;
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = at(directory, "cannot list the directory", paths)?;
    paths.sort();
    Ok(paths)
}

/// The whole of a file that may be at most `limit_bytes` long.
///
/// # Errors
/// Fails if the file is longer or cannot be read.
pub fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>> {
    let file = SharedFile::open(path)?;
    let mut bytes = Vec::new();
    at(path, "cannot read the file", file.reader().take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(Error::failed(format!("cannot read the file: it is longer than {limit_bytes} bytes")).at_path(path));
    }
    Ok(bytes)
}

/// The first [`HEAD_BYTES`] of a file, or all of a shorter one.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn read_head(path: &Path) -> Result<Vec<u8>> {
    let file = SharedFile::open(path)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES);
    at(path, "cannot read the file", file.reader().take(HEAD_BYTES as u64).read_to_end(&mut bytes))?;
    Ok(bytes)
}

/// A file opened for reading at any position by any number of threads; clones share the handle.
#[derive(Clone, Debug)]
pub struct SharedFile {
    file: Arc<File>,
    path: Arc<Path>,
    byte_count: u64,
}

impl SharedFile {
    /// Opens a plain file. The handle stays on it even if another file is published under the name.
    ///
    /// # Errors
    /// Fails if it is missing, a directory, a pipe or a device, or may not be read.
    pub fn open(path: &Path) -> Result<Self> {
        const DOING: &str = "cannot open the file";
        // Asked before opening, because opening a pipe waits for its writer.
        let found = at(path, DOING, fs::metadata(path))?;
        if found.is_dir() {
            return Err(Error::failed(format!("{DOING}: it is a directory")).at_path(path));
        }
        if !found.is_file() {
            let error = Error::failed(format!("{DOING}: it is a pipe, a socket or a device")).at_path(path);
            return Err(error.hint("save it as a file first: it is read more than once"));
        }
        let file = at(path, DOING, File::open(path))?;
        let byte_count = at(path, DOING, file.metadata())?.len();
        Ok(Self { file: Arc::new(file), path: path.into(), byte_count })
    }

    /// The name it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size when it was opened, in bytes.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// Reads at most `buffer.len()` bytes from `offset` on; 0 means the end of the file.
    ///
    /// # Errors
    /// Fails if the bytes cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut reader = self.reader_from(offset);
        at(&self.path, "cannot read the file", reader.read(buffer))
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// Fails if the file ends before or cannot be read.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        at(&self.path, "cannot read the file", self.file.read_exact_at(buffer, offset))
    }

    /// Reads from the beginning.
    #[must_use]
    pub fn reader(&self) -> FileReader {
        self.reader_from(0)
    }

    /// Reads from `offset` on; readers do not disturb each other.
    #[must_use]
    pub fn reader_from(&self, offset: u64) -> FileReader {
        FileReader { file: Arc::clone(&self.file), offset }
    }
}

/// A position in a [`SharedFile`], moved by reading. Unbuffered; its errors do not name the path.
#[derive(Clone, Debug)]
pub struct FileReader {
    file: Arc<File>,
    offset: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read_at(buffer, self.offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    let count = result?;
                    self.offset += count as u64;
                    return Ok(count);
                }
            }
        }
    }
}

/// A file being written beside its final name, which it takes only when it is whole. Dropped unpublished it is removed.
///
/// Its name is `.tmp-<final name>-<process id>`: hidden from readers of directories. It is locked (`flock`) while its writer
/// lives, so that what a killed run left behind is known for what it is and swept away by the next run to the same final name.
#[derive(Debug)]
pub struct PendingFile {
    /// None once published.
    writer: Option<BufWriter<File>>,
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
                return Err(error.at_path(path).hint(format!("mkdir -p {}", directory.display())));
            }
        }
        let mut prefix = std::ffi::OsString::from(".tmp-");
        prefix.push(name);
        prefix.push("-");
        sweep(directory, &prefix)?;
        prefix.push(std::process::id().to_string());
        let temporary = directory.join(prefix);
        let file = create_locked(&temporary).map_err(|error| error.at_path(path))?;
        Ok(Self { writer: Some(BufWriter::with_capacity(WRITE_BUFFER_BYTES, file)), temporary, path: path.to_owned() })
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
        at(&self.path, "cannot write the file", self.writer.as_mut().map_or(Ok(()), Write::flush))?;
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
            let _ = fs::remove_file(&self.temporary);
        }
        result.map_err(|error| error.at_path(path))
    }

    fn publish_writer(&self, writer: BufWriter<File>, overwrite: bool) -> Result<()> {
        let file = writer.into_inner().map_err(|error| io_error("cannot write the file", error.into_error()))?;
        file.sync_all().map_err(|error| io_error("cannot write the file to disk", error))?;
        check_destination(&self.path, overwrite)?;
        if overwrite {
            self.rename()?;
        } else {
            self.link()?;
        }
        sync_directory(directory_of(&self.path))
    }

    fn rename(&self) -> Result<()> {
        fs::rename(&self.temporary, &self.path).map_err(|error| io_error("cannot give the finished file its name", error))
    }

    fn link(&self) -> Result<()> {
        match fs::hard_link(&self.temporary, &self.path) {
            Ok(()) => fs::remove_file(&self.temporary).map_err(|error| io_error("cannot remove the temporary file", error)),
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
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn taken(path: &Path) -> Error {
    Error::failed("cannot create the file: it exists already").at_path(path).hint("choose another name, or pass `--overwrite` to replace it")
}

fn check_destination(path: &Path, overwrite: bool) -> Result<()> {
    // A symbolic link counts as what it is: a name that is taken, wherever it points.
    match fs::symlink_metadata(path) {
        Ok(_) if fs::metadata(path).is_ok_and(|found| found.is_dir()) => {
            let error = Error::failed("cannot create the file: it is a directory").at_path(path);
            Err(error.hint("add a file name to the path"))
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
            let _ = fs::remove_file(&path);
        }
    }
    Ok(())
}

/// Creates and locks a file that did not exist, and makes sure that it still has its name afterwards: another run's
/// [`sweep`] may come between the two.
fn create_locked(path: &Path) -> Result<File> {
    const DOING: &str = "cannot create a temporary file beside it";
    for _ in 0..CREATE_ATTEMPTS {
        let file = match File::options().write(true).create_new(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let error = Error::new(Kind::Busy, "another run is writing this file");
                return Err(error.hint(format!("wait for it; if there is none, remove `{}`", path.display())));
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

fn sync_directory(directory: &Path) -> Result<()> {
    let result = File::open(directory).and_then(|opened| opened.sync_all());
    match result {
        // Some network file systems cannot sync a directory: their names are as durable as they make them.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(|error| io_error("cannot make the new name durable", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn reading_is_by_position_and_names_the_path_when_it_fails() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in");
        write(&path, b"0123456789", false).unwrap();
        let file = SharedFile::open(&path).unwrap();
        let mut buffer = [0; 4];
        file.read_exact_at(&mut buffer, 3).unwrap();
        assert_eq!(&buffer, b"3456");
        assert_eq!(file.read_at(&mut buffer, 8).unwrap(), 2);
        assert_eq!(file.read_at(&mut buffer, 80).unwrap(), 0);
        let error = file.read_exact_at(&mut buffer, 8).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read the file (`{}`)", path.display()));
        assert_eq!((file.byte_count(), file.path()), (10, path.as_path()));
        assert!(read(&path, 9).unwrap_err().message().ends_with("it is longer than 9 bytes"));
        assert_eq!(read_head(&path).unwrap(), b"0123456789");
    }

    #[test]
    fn what_is_no_file_cannot_be_opened() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(SharedFile::open(directory.path()).unwrap_err().message(), "cannot open the file: it is a directory");
        let missing = SharedFile::open(&directory.path().join("missing")).unwrap_err();
        assert_eq!(missing.message(), "cannot open the file");
        assert!(missing.hint_text().unwrap().contains("spelling"));
        assert!(SharedFile::open(Path::new("/dev/null")).unwrap_err().message().contains("device"));
        assert!(list(&directory.path().join("missing")).is_err());
        assert!(metadata(&directory.path().join("missing")).unwrap_err().hint_text().is_some());
    }
}
