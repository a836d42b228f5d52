//! Plain files of the local file system, read at any position.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::buffer::spare_capacity;

use super::path::at;
use crate::error::{Error, Result};
use crate::storage::file::{PIECE_BYTES, SharedFile};
use crate::storage::identity::Identity;
use crate::storage::read_at::ReadAt;
use crate::storage::{fault, vouched};

/// What cannot be done, if it cannot.
const DOING: &str = "cannot open the file";

/// A pipe that took the file's name meanwhile is not waited for.
const NO_WAITING: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// An open file.
#[derive(Debug)]
pub(in super::super) struct LocalFile {
    file: File,
    path: PathBuf,
}

impl LocalFile {
    /// Opens a plain file. The handle stays on it even if another file is published under the name.
    ///
    /// # Errors
    /// Fails if it is missing, a directory, a pipe or a device, or may not be read.
    pub(super) fn open(path: &Path) -> Result<SharedFile> {
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
        let open = || {
            let mut options = File::options();
            options.read(true).custom_flags(NO_WAITING).open(path)
        };
        let opened = fault::before(path).and_then(|()| open());
        Self::shared(at(path, DOING, opened)?, path)
    }

    /// A file that is open, for any number of threads.
    ///
    /// # Errors
    /// Fails if it is no plain file.
    pub(in super::super) fn shared(file: File, path: &Path) -> Result<SharedFile> {
        let found = at(path, DOING, file.metadata())?;
        if !found.is_file() {
            return Err(Error::failed(format!("{DOING}: it is not a plain file")).at_path(path));
        }
        let file = Self {
            file,
            path: path.to_owned(),
        };
        Ok(SharedFile::new(
            Arc::new(file),
            path.into(),
            Identity::of(&found),
        ))
    }
}

impl ReadAt for LocalFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            let length = fault::read_length(&self.path, buffer.len());
            let read = fault::before(&self.path)
                .and_then(|()| self.file.read_at(&mut buffer[..length], offset));
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        fault::before(&self.path).and_then(|()| self.file.read_exact_at(buffer, offset))
    }

    fn append_to(&self, bytes: &mut Vec<u8>, min: usize, offset: u64) -> io::Result<()> {
        fault::before(&self.path)?;
        let first = bytes.len();
        while bytes.len() - first < min {
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
}
