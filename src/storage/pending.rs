//! Writing: a file appears under its name whole and durable, or not at all.

use std::io::{self, Write};

use super::Location;
use super::store::Pending;
use crate::error::Result;

/// A file being written, which takes its name only when it is whole. Dropped unpublished it is
/// removed.
#[derive(Debug)]
pub struct PendingFile {
    pending: Box<dyn Pending>,
    location: Location,
}

impl PendingFile {
    /// Begins a file, whose directory must exist.
    ///
    /// # Errors
    /// Fails if the name is a directory's, exists already and must not be replaced, or if nothing
    /// can be created there.
    pub fn create(location: impl Into<Location>, overwrite: bool) -> Result<Self> {
        let location = location.into();
        Ok(Self {
            pending: location.store().create(&location, overwrite)?,
            location,
        })
    }

    /// Begins a file below `root`, whose directories are made if they are missing, and through no
    /// link. A file of that name will be replaced.
    ///
    /// # Errors
    /// Fails if a directory of that name is there, or nothing can be created.
    pub fn create_below(root: impl Into<Location>, below: impl Into<Location>) -> Result<Self> {
        let (root, below) = (root.into(), below.into());
        Ok(Self {
            pending: root.store().tree(&root)?.create(&below)?,
            location: root.join(&below),
        })
    }

    /// The name that the file will have.
    #[must_use]
    pub fn path(&self) -> &Location {
        &self.location
    }

    /// The bytes written so far.
    ///
    /// # Errors
    /// Fails if what is buffered cannot be written.
    pub fn byte_count(&mut self) -> Result<u64> {
        self.pending.byte_count()
    }

    /// Makes the bytes durable, gives the file its name and makes the name durable. A file of that
    /// name is replaced in one step, if `overwrite` says so.
    ///
    /// # Errors
    /// Fails if the name was taken meanwhile or the storage is full; the file is then gone.
    pub fn publish(self, overwrite: bool) -> Result<()> {
        self.pending.publish(overwrite)
    }

    /// The same under the name of `location`, which is in the same directory. A file there is
    /// replaced.
    ///
    /// # Errors
    /// Fails if the storage is full, or is a stream; the file is then gone.
    pub fn publish_as(self, location: &Location) -> Result<()> {
        self.pending
            .publish_as(location.file_name().unwrap_or_default())
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pending.flush()
    }
}
