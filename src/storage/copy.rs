//! All bytes of a source into a file, and which of the two failed.

use std::io::{self, Read, Write};

use super::{Location, io_error};
use crate::error::{Error, Result};

/// What went wrong.
pub(super) enum Failure {
    /// The file could not be written.
    Io(io::Error),
    /// The source could not be read.
    Source(Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Failure {
    /// The error, with the file's location if it is the file's.
    pub(super) fn named(self, doing: &str, file: impl Into<Location>) -> Error {
        match self {
            Self::Io(error) => io_error(doing, error).at_path(file.into()),
            Self::Source(error) => error,
        }
    }
}

/// Copies all bytes; a failure of the source keeps its own words where it has any.
pub(super) fn copy(source: &mut dyn Read, target: &mut dyn Write) -> Result<(), Failure> {
    const PIECE_BYTES: usize = 256 << 10;
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(Failure::Source(
                    Error::failed("cannot read the bytes to store").because(error),
                ));
            }
        };
        target.write_all(&buffer[..count])?;
    }
}
