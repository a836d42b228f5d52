//! A file of lines that only grows: each line is whole and durable, also with several writers at
//! once.
//!
//! It must not know what the lines say.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use super::path::{at, io_error};
use crate::error::{Error, Result};
use crate::storage::fault;
use crate::storage::store::Lines;

/// What cannot be done, if it cannot.
const DOING: &str = "cannot append to the file";

/// A file that lines are appended to.
#[derive(Debug)]
pub(super) struct LocalLines {
    file: File,
    path: PathBuf,
}

impl LocalLines {
    /// Opens the file, and creates it if it is not there; its directory must exist.
    ///
    /// # Errors
    /// Fails if it is a directory or may not be written.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::failed(format!("{DOING}: it is a directory"))
                .at_path(path)
                .hint("add a file name to the path"));
        }
        // Opening a pipe for reading too never waits, and what is written is lost with its reader.
        if path
            .metadata()
            .is_ok_and(|found| found.file_type().is_fifo())
        {
            return Err(Error::failed(format!("{DOING}: it is a pipe"))
                .at_path(path)
                .hint("name a file; lines are added to it"));
        }
        // The file would be made where the link points to.
        if path.is_symlink() && !path.exists() {
            return Err(Error::failed(format!(
                "{DOING}: it is a link to a file that does not exist"
            ))
            .at_path(path)
            .hint("make that file, or name it instead of the link"));
        }
        let file = at(
            path,
            DOING,
            fault::before(path).and_then(|()| {
                File::options()
                    .read(true)
                    .append(true)
                    .create(true)
                    .open(path)
            }),
        )?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    fn append(&self, line: &str) -> Result<()> {
        let cannot = |error| io_error(DOING, error);
        let found = self.file.metadata().map_err(cannot)?;
        let length = found.len();
        let mut last = [b'\n'];
        if found.is_file() && length > 0 {
            self.file
                .read_exact_at(&mut last, length - 1)
                .map_err(cannot)?;
        }
        let separator = if last == *b"\n" { "" } else { "\n" };
        let written = fault::before(&self.path)
            .and_then(|()| (&self.file).write_all(format!("{separator}{line}\n").as_bytes()));
        if !found.is_file() {
            return written.map_err(cannot);
        }
        written
            .and_then(|()| fault::before(&self.path))
            .and_then(|()| self.file.sync_data())
            .map_err(|error| {
                // The first error is the one to report.
                let _ = self.file.set_len(length);
                cannot(error)
            })
    }
}

impl Lines for LocalLines {
    /// Appends a line and makes it durable. Other writers wait meanwhile (`flock`), so lines never
    /// mix; where a writer that was killed left half a line, this one begins on a line of its own.
    /// A line that cannot be written whole is taken back.
    fn append_line(&self, line: &str) -> Result<()> {
        // Not every file system has locks, and no device has.
        let is_locked = self.file.lock().is_ok();
        let written = self.append(line);
        if is_locked {
            // Closing the file would unlock it too.
            let _ = self.file.unlock();
        }
        written.map_err(|error| error.at_path(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use crate::storage::{AppendFile, Location};

    #[test]
    fn lines_of_many_writers_stay_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    let file = AppendFile::open(path).unwrap();
                    (0..50)
                        .for_each(|_| file.append_line(&writer.to_string().repeat(9_000)).unwrap());
                });
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 200);
        assert!(
            text.lines()
                .all(|line| line.len() == 9_000
                    && line.bytes().all(|byte| byte == line.as_bytes()[0]))
        );
    }

    #[test]
    fn half_a_line_that_a_killed_writer_left_does_not_spoil_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        std::fs::write(&path, "whole\nhal").unwrap();
        let file = AppendFile::open(&path).unwrap();
        file.append_line("next").unwrap();
        file.append_line("last").unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "whole\nhal\nnext\nlast\n"
        );
    }

    #[test]
    fn what_cannot_be_opened_or_written_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let error = AppendFile::open(directory.path()).unwrap_err();
        assert_eq!(
            error.message(),
            "cannot append to the file: it is a directory"
        );
        let missing = directory.path().join("missing/lines");
        assert_eq!(
            AppendFile::open(&missing)
                .unwrap_err()
                .location()
                .path
                .as_ref(),
            Some(&missing.into_os_string())
        );
        let full = AppendFile::open(Location::from("/dev/full"))
            .unwrap()
            .append_line("line")
            .unwrap_err();
        assert_eq!(full.to_string(), "cannot append to the file (`/dev/full`)");
    }
}
