//! Bytes that do not fit into memory: put away and read back by the same process, gone with it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::aead::LessSafeKey;

use super::local::at;
use super::seal::{self, TAG_BYTES};
use super::{Location, fault};
use crate::error::{Error, Result};

const DOING: &str = "cannot put rows aside";

/// Rows are read by no one else, not even for the moment in which their file has a name.
const OWN_MODE: u32 = 0o600;

/// The bytes that are sealed together.
pub(super) const PIECE_BYTES: usize = 1 << 18;

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
    /// The number of the file in this process, and the key that its rows are sealed with.
    seal: Option<(u32, &'static LessSafeKey)>,
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
            seal: None,
        })
    }

    /// The same for rows, which are sealed where the process has keys of encryption.
    ///
    /// # Errors
    /// As [`SpillFile::create`]; fails if the system gives no random bytes.
    pub fn of_rows(directory: impl Into<Location>) -> Result<Self> {
        Self::create(directory)?.sealed_by(seal::key()?)
    }

    pub(super) fn sealed_by(mut self, key: Option<&'static LessSafeKey>) -> Result<Self> {
        static SEALED: AtomicU64 = AtomicU64::new(0);
        if let Some(key) = key {
            let number = u32::try_from(SEALED.fetch_add(1, Ordering::Relaxed));
            let number = number.map_err(|_| Error::failed("too many files of encrypted rows"))?;
            self.seal = Some((number, key));
        }
        Ok(self)
    }

    /// All that was put away, one after the other; sealed if it is.
    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// Whether what is put away is sealed.
    pub(super) fn is_sealed(&self) -> bool {
        self.seal.is_some()
    }

    /// What the system knows of the file.
    ///
    /// # Errors
    /// Fails if it refuses to say.
    pub(super) fn metadata(&self) -> Result<fs::Metadata> {
        at(&self.directory, DOING, self.file.metadata())
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
        let Some((number, key)) = self.seal else {
            self.write(bytes)?;
            return Ok(extent);
        };
        for piece in bytes.chunks(PIECE_BYTES) {
            let mut sealed = Vec::with_capacity(piece.len() + TAG_BYTES);
            sealed.extend_from_slice(piece);
            seal::seal(key, (number, self.end), &mut sealed)?;
            self.write(&sealed)?;
        }
        Ok(extent)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written =
            fault::before(&self.directory).and_then(|()| self.file.write_all_at(bytes, self.end));
        at(&self.directory, DOING, written)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Reads bytes back.
    ///
    /// # Errors
    /// Fails if they cannot be read.
    pub fn read(&self, extent: Extent) -> Result<Vec<u8>> {
        let Some((number, key)) = self.seal else {
            let mut bytes = vec![0; extent.length];
            self.read_at(&mut bytes, extent.offset)?;
            return Ok(bytes);
        };
        let (mut bytes, mut offset) = (Vec::with_capacity(extent.length), extent.offset);
        while bytes.len() < extent.length {
            let length = (extent.length - bytes.len()).min(PIECE_BYTES) + TAG_BYTES;
            let mut piece = vec![0; length];
            self.read_at(&mut piece, offset)?;
            bytes.extend_from_slice(seal::open(key, (number, offset), &mut piece)?);
            offset += length as u64;
        }
        Ok(bytes)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let read =
            fault::before(&self.directory).and_then(|()| self.file.read_exact_at(bytes, offset));
        at(
            &self.directory,
            "cannot read rows that were put aside",
            read,
        )
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

    #[test]
    fn sealed_rows_come_back_and_do_not_lie_on_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = SpillFile::create(directory.path()).unwrap();
        file = file.sealed_by(Some(seal::made_key().unwrap())).unwrap();
        let long = b"secret-".repeat(PIECE_BYTES / 3);
        let rows = [b"secret-1".to_vec(), Vec::new(), long, b"secret-2".to_vec()];
        let extents: Vec<Extent> = rows.iter().map(|row| file.append(row).unwrap()).collect();
        for (row, extent) in rows.iter().zip(&extents).rev() {
            assert!(file.read(*extent).unwrap() == *row);
        }
        let mut stored = vec![0; file.end as usize];
        file.file.read_exact_at(&mut stored, 0).unwrap();
        assert!(stored.len() > rows.iter().map(Vec::len).sum());
        assert!(!stored.windows(7).any(|part| part == b"secret-"));
        // The same rows are never the same bytes.
        let again = file.append(&rows[0]).unwrap();
        let mut piece = vec![0; rows[0].len() + TAG_BYTES];
        file.file.read_exact_at(&mut piece, again.offset).unwrap();
        assert!(!stored.windows(piece.len()).any(|part| part == piece));
        stored[0] ^= 1;
        file.file.write_all_at(&stored[..1], 0).unwrap();
        let error = file.read(extents[0]).unwrap_err();
        assert_eq!(
            error.message(),
            "rows that were put aside were changed on the disk"
        );
    }
}
