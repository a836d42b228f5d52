//! Plain files that are read, whole or by position, by any number of threads.

use std::io::{self, Read};
use std::sync::Arc;

use super::identity::{Identity, changed};
use super::read_at::ReadAt;
use super::{Location, find, io_error, pinned, vouched, watch};
use crate::error::{Error, Result};

/// The bytes that are enough to recognise any format.
pub const HEAD_BYTES: usize = 4 << 10;

/// What is read at once of a file that is read through.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// What is read at once of a file at least: files of the kernel, which state no size, and which it
/// makes room for as much as is asked for, are shorter.
const SMALL_FILE_BYTES: usize = 4 << 10;

/// What cannot be done, if it cannot.
const DOING: &str = "cannot read the file";

/// The whole of a file that may be at most `limit_bytes` long.
///
/// # Errors
/// Fails if the file is longer or cannot be read.
pub fn read(location: impl Into<Location>, limit_bytes: u64) -> Result<Vec<u8>> {
    let file = SharedFile::open(location)?;
    watch::note(&file);
    let bytes = file.whole(limit_bytes)?;
    vouched::check_bytes(file.path().local_path(), &bytes)?;
    Ok(bytes)
}

/// The first [`HEAD_BYTES`] of a file, or all of a shorter one.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn read_head(location: impl Into<Location>) -> Result<Vec<u8>> {
    let file = SharedFile::open(location)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES);
    let mut head = file.reader().take(HEAD_BYTES as u64);
    file.named(head.read_to_end(&mut bytes))?;
    Ok(bytes)
}

/// A file opened for reading at any position by any number of threads; clones share the handle.
#[derive(Clone, Debug)]
pub struct SharedFile {
    file: Arc<dyn ReadAt>,
    location: Location,
    identity: Identity,
}

impl SharedFile {
    /// Opens a plain file. The handle stays on it even if another file is published under the name.
    ///
    /// # Errors
    /// Fails if it is missing, a directory, a pipe or a device, or may not be read.
    pub fn open(location: impl Into<Location>) -> Result<Self> {
        let location = location.into();
        match pinned::find(&location) {
            Some((file, identity)) => Ok(Self::new(file, location, identity)),
            None => location.store().open(&location),
        }
    }

    /// A file that a store has opened.
    pub(super) fn new(file: Arc<dyn ReadAt>, location: Location, identity: Identity) -> Self {
        Self {
            file,
            location,
            identity,
        }
    }

    /// Opens a file that was opened and closed before.
    ///
    /// # Errors
    /// As [`SharedFile::open`]; fails if it is another file by now or was written to.
    pub fn reopen(location: impl Into<Location>, identity: &Identity) -> Result<Self> {
        let location = location.into();
        let file = match Self::open(&location) {
            Err(_) if find(&location)?.is_none() => return Err(changed(&location, "it is gone")),
            opened => opened?,
        };
        match identity.change_to(&file.identity) {
            None => Ok(file),
            Some(change) => Err(changed(&location, &change)),
        }
    }

    /// The result with the file's name in its error.
    fn named<T>(&self, result: io::Result<T>) -> Result<T> {
        result.map_err(|error| io_error(DOING, error).at_path(&self.location))
    }

    /// Which file it is, to recognise it by when it is opened again.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The name it was opened by.
    #[must_use]
    pub fn path(&self) -> &Location {
        &self.location
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
        self.named(self.file.read_at(buffer, offset))
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// Fails if the file ends before or cannot be read.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.named(self.file.read_exact_at(buffer, offset))
    }

    /// The `length` bytes from `offset` on.
    ///
    /// # Errors
    /// Fails if the file ends before or cannot be read.
    pub fn bytes_at(&self, length: usize, offset: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        self.named(self.file.append_to(&mut bytes, length, offset))?;
        if bytes.len() < length {
            return self.named(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// All bytes, of which there may be at most `limit_bytes`.
    ///
    /// # Errors
    /// Fails if the file is longer or cannot be read.
    pub fn whole(&self, limit_bytes: u64) -> Result<Vec<u8>> {
        // Grown step by step it would be touched twice over; what the system says of a file that is
        // none, or lies, is no more than a beginning.
        let known = self.byte_count().min(limit_bytes) as usize;
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact((known + 1).max(SMALL_FILE_BYTES))
            .map_err(|error| Error::failed(DOING).because(error).at_path(&self.location))?;
        let most = usize::try_from(limit_bytes.saturating_add(1)).unwrap_or(usize::MAX);
        self.named(self.file.append_to(&mut bytes, most, 0))?;
        if bytes.len() as u64 > limit_bytes {
            let message = format!("{DOING}: it is longer than {limit_bytes} bytes");
            return Err(Error::failed(message).at_path(&self.location));
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
            offset,
        }
    }
}

/// A position in a [`SharedFile`], moved by reading. Unbuffered; its errors do not name the path.
#[derive(Clone, Debug)]
pub struct FileReader {
    file: Arc<dyn ReadAt>,
    offset: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

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
