//! Plain files that are read, whole or by position, by any number of threads.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::buffer::spare_capacity;

use super::identity::{Identity, changed};
use super::path::{at, find};
use super::{Location, fault, vouched, watch};
use crate::error::{Error, Result};

/// The bytes that are enough to recognise any format.
pub const HEAD_BYTES: usize = 4 << 10;

/// The whole of a file that may be at most `limit_bytes` long.
///
/// # Errors
/// Fails if the file is longer or cannot be read.
pub fn read(path: impl Into<Location>, limit_bytes: u64) -> Result<Vec<u8>> {
    let path: Location = path.into();
    let path = path.local_path();
    let file = SharedFile::open(path)?;
    watch::note(&file);
    let bytes = file.whole(limit_bytes)?;
    vouched::check_bytes(path, &bytes)?;
    Ok(bytes)
}

/// The first [`HEAD_BYTES`] of a file, or all of a shorter one.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn read_head(path: impl Into<Location>) -> Result<Vec<u8>> {
    let path: Location = path.into();
    let path = path.local_path();
    let file = SharedFile::open(path)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES);
    at(
        path,
        "cannot read the file",
        file.reader()
            .take(HEAD_BYTES as u64)
            .read_to_end(&mut bytes),
    )?;
    Ok(bytes)
}

/// What is read at once of a file that is read through.
const PIECE_BYTES: usize = 1 << 20;

/// A file opened for reading at any position by any number of threads; clones share the handle.
#[derive(Clone, Debug)]
pub struct SharedFile {
    file: Arc<File>,
    path: Location,
    identity: Identity,
}

/// What cannot be done, if it cannot.
const DOING: &str = "cannot open the file";

/// A pipe that took the file's name meanwhile is not waited for.
const NO_WAITING: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

impl SharedFile {
    /// Opens a plain file. The handle stays on it even if another file is published under the name.
    ///
    /// # Errors
    /// Fails if it is missing, a directory, a pipe or a device, or may not be read.
    pub fn open(path: impl Into<Location>) -> Result<Self> {
        let path: Location = path.into();
        let path = path.local_path();
        // Asked before opening, because opening a pipe waits for its writer.
        let found = at(path, DOING, fs::metadata(path))?;
        vouched::check_name(path)?;
        if found.is_dir() {
            return Err(Error::failed(format!("{DOING}: it is a directory")).at_path(path));
        }
        if !found.is_file() {
            let error =
                Error::failed(format!("{DOING}: it is a pipe, a socket or a device")).at_path(path);
            return Err(error.hint("save it as a file first: it is read more than once"));
        }
        Self::of(
            at(
                path,
                DOING,
                fault::before(path).and_then(|()| {
                    File::options()
                        .read(true)
                        .custom_flags(NO_WAITING)
                        .open(path)
                }),
            )?,
            path,
        )
    }

    /// A file that is open.
    pub(super) fn of(file: File, path: &Path) -> Result<Self> {
        let found = at(path, DOING, file.metadata())?;
        if !found.is_file() {
            return Err(Error::failed(format!("{DOING}: it is not a plain file")).at_path(path));
        }
        Ok(Self {
            file: Arc::new(file),
            path: path.into(),
            identity: Identity::of(&found),
        })
    }

    /// Opens a file that was opened and closed before.
    ///
    /// # Errors
    /// As [`SharedFile::open`]; fails if it is another file by now or was written to.
    pub fn reopen(path: impl Into<Location>, identity: &Identity) -> Result<Self> {
        let path: Location = path.into();
        let path = path.local_path();
        let file = match Self::open(path) {
            Err(_) if find(path)?.is_none() => return Err(changed(path, "it is gone")),
            opened => opened?,
        };
        match identity.change_to(&file.identity) {
            None => Ok(file),
            Some(change) => Err(changed(path, &change)),
        }
    }

    /// Which file it is, to recognise it by when it is opened again.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The name it was opened by.
    #[must_use]
    pub fn path(&self) -> &Location {
        &self.path
    }

    /// The size when it was opened, in bytes.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.identity.byte_count()
    }

    /// Reads at most `buffer.len()` bytes from `offset` on; 0 means the end of the file.
    ///
    /// # Errors
    /// Fails if the bytes cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut reader = self.reader_from(offset);
        at(
            self.path.local_path(),
            "cannot read the file",
            reader.read(buffer),
        )
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// Fails if the file ends before or cannot be read.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        at(
            self.path.local_path(),
            "cannot read the file",
            fault::before(self.path.local_path())
                .and_then(|()| self.file.read_exact_at(buffer, offset)),
        )
    }

    /// The `length` bytes from `offset` on.
    ///
    /// # Errors
    /// Fails if the file ends before or cannot be read.
    pub fn bytes_at(&self, length: usize, offset: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        let read = self.append(&mut bytes, length, offset).and_then(|()| {
            if bytes.len() < length {
                Err(io::ErrorKind::UnexpectedEof.into())
            } else {
                Ok(())
            }
        });
        at(self.path.local_path(), "cannot read the file", read)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Adds what is read from `offset` on, into memory that is not cleared first, until there are
    /// at least `most` bytes more or the file ends.
    fn append(&self, bytes: &mut Vec<u8>, most: usize, offset: u64) -> io::Result<()> {
        fault::before(self.path.local_path())?;
        let first = bytes.len();
        while bytes.len() - first < most {
            if bytes.len() == bytes.capacity() {
                bytes.try_reserve(PIECE_BYTES)?;
            }
            let so_far = (bytes.len() - first) as u64;
            match rustix::io::pread(&self.file, spare_capacity(bytes), offset + so_far) {
                Ok(0) => return Ok(()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// All bytes, of which there may be at most `limit_bytes`.
    ///
    /// # Errors
    /// Fails if the file is longer or cannot be read.
    pub fn whole(&self, limit_bytes: u64) -> Result<Vec<u8>> {
        let path = self.path.local_path();
        // Grown step by step it would be touched twice over; what the system says of a file that is
        // none, or lies, is no more than a beginning.
        let known = self.byte_count().min(limit_bytes) as usize;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(known + 1).map_err(|error| {
            Error::failed("cannot read the file")
                .because(error)
                .at_path(path)
        })?;
        let most = usize::try_from(limit_bytes.saturating_add(1)).unwrap_or(usize::MAX);
        at(
            path,
            "cannot read the file",
            self.append(&mut bytes, most, 0),
        )?;
        if bytes.len() as u64 > limit_bytes {
            return Err(Error::failed(format!(
                "cannot read the file: it is longer than {limit_bytes} bytes"
            ))
            .at_path(path));
        }
        Ok(bytes)
    }

    /// Hands over all bytes, piece by piece.
    ///
    /// # Errors
    /// Fails if they cannot be read, or as `take` does.
    pub fn read_through(&self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut offset = 0;
        loop {
            let count = self.read_at(&mut buffer, offset)?;
            if count == 0 {
                return Ok(());
            }
            take(&buffer[..count])?;
            offset += count as u64;
        }
    }

    /// Reads from the beginning.
    #[must_use]
    pub fn reader(&self) -> FileReader {
        self.reader_from(0)
    }

    /// Reads from `offset` on; readers do not disturb each other.
    #[must_use]
    pub fn reader_from(&self, offset: u64) -> FileReader {
        FileReader {
            file: Arc::clone(&self.file),
            path: self.path.clone(),
            offset,
        }
    }
}

/// A position in a [`SharedFile`], moved by reading. Unbuffered; its errors do not name the path.
#[derive(Clone, Debug)]
pub struct FileReader {
    file: Arc<File>,
    path: Location,
    offset: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = fault::read_length(self.path.local_path(), buffer.len());
            let read = fault::before(self.path.local_path())
                .and_then(|()| self.file.read_at(&mut buffer[..length], self.offset));
            match read {
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::storage::{PendingFile, list, metadata};

    fn write(path: &Path, bytes: &[u8], overwrite: bool) -> Result<()> {
        let mut file = PendingFile::create(path, overwrite)?;
        file.write_all(bytes).unwrap();
        file.publish(overwrite)
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
        assert_eq!(file.bytes_at(4, 5).unwrap(), b"5678");
        assert_eq!(
            file.bytes_at(4, 8).unwrap_err().to_string(),
            format!("cannot read the file (`{}`)", path.display())
        );
        assert_eq!(file.read_at(&mut buffer, 8).unwrap(), 2);
        assert_eq!(file.read_at(&mut buffer, 80).unwrap(), 0);
        let mut all = Vec::new();
        file.read_through(|piece| Ok(all.extend_from_slice(piece)))
            .unwrap();
        assert_eq!(all, b"0123456789");
        let error = file.read_exact_at(&mut buffer, 8).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot read the file (`{}`)", path.display())
        );
        assert_eq!(
            (file.byte_count(), file.path()),
            (10, &Location::from(&path))
        );
        assert!(
            read(&path, 9)
                .unwrap_err()
                .message()
                .ends_with("it is longer than 9 bytes")
        );
        assert_eq!(read_head(&path).unwrap(), b"0123456789");
    }

    #[test]
    fn what_is_not_a_file_cannot_be_opened() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(
            SharedFile::open(directory.path()).unwrap_err().message(),
            "cannot open the file: it is a directory"
        );
        let missing = SharedFile::open(directory.path().join("missing")).unwrap_err();
        assert_eq!(missing.message(), "cannot open the file");
        assert!(missing.hint_text().unwrap().contains("spelling"));
        assert!(
            SharedFile::open(Path::new("/dev/null"))
                .unwrap_err()
                .message()
                .contains("device")
        );
        assert!(list(directory.path().join("missing")).is_err());
        assert!(
            metadata(directory.path().join("missing"))
                .unwrap_err()
                .hint_text()
                .is_some()
        );
    }
}
