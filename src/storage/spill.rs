//! Bytes that do not fit into memory: put away and read back by the same process, gone with it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::local::at;
use super::{Location, fault};
use crate::error::Result;

const DOING: &str = "cannot put rows aside";

/// Rows are read by no one else, not even for the moment in which their file has a name.
const OWN_MODE: u32 = 0o600;

/// Numbers the files of this process.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A run of bytes that were put away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    offset: u64,
    length: usize,
}

/// A file without a name: it has one only for the moment between its creation and the removal of
/// that name.
#[derive(Debug)]
pub struct SpillFile {
    file: File,
    /// Where it is, for errors.
    directory: PathBuf,
    end: u64,
}

impl SpillFile {
    /// Makes the file on the disk of a directory that exists.
    ///
    /// # Errors
    /// Fails if it cannot be made there.
    pub fn create(directory: impl Into<Location>) -> Result<Self> {
        let directory: Location = directory.into();
        let directory = directory.local_path();
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!(".tmp-rows-{}-{number}", std::process::id()));
        let create = || {
            fault::before(&path)?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(OWN_MODE)
                .open(&path)?;
            fault::before(&path).and_then(|()| fs::remove_file(&path))?;
            Ok(file)
        };
        Ok(Self {
            file: at(directory, DOING, create())?,
            directory: directory.to_owned(),
            end: 0,
        })
    }

    /// All that was put away, one after the other.
    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// How many bytes were put away.
    pub(super) fn byte_count(&self) -> u64 {
        self.end
    }

    /// Puts bytes away.
    ///
    /// # Errors
    /// Fails if they cannot be written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<Extent> {
        let extent = Extent {
            offset: self.end,
            length: bytes.len(),
        };
        at(
            &self.directory,
            DOING,
            fault::before(&self.directory).and_then(|()| self.file.write_all_at(bytes, self.end)),
        )?;
        self.end += bytes.len() as u64;
        Ok(extent)
    }

    /// Reads bytes back.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub fn read(&self, extent: Extent) -> Result<Vec<u8>> {
        let mut bytes = vec![0; extent.length];
        let read = fault::before(&self.directory)
            .and_then(|()| self.file.read_exact_at(&mut bytes, extent.offset));
        at(
            &self.directory,
            "cannot read rows that were put aside",
            read,
        )?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::list;

    #[test]
    fn bytes_come_back_and_no_name_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = SpillFile::create(directory.path()).unwrap();
        let extents = [b"one".as_slice(), b"", b"three"].map(|bytes| file.append(bytes).unwrap());
        assert_eq!(
            [2, 0, 1].map(|index| file.read(extents[index]).unwrap()),
            [b"three".to_vec(), b"one".to_vec(), Vec::new()]
        );
        assert!(list(directory.path()).unwrap().is_empty());
    }
}
