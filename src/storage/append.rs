//! A file of lines that only grows: each line is whole and durable, also with several writers at
//! once. It must not know what the lines say.

use super::Location;
use super::store::Lines;
use crate::error::Result;

/// A file that lines are appended to.
#[derive(Debug)]
pub struct AppendFile(Box<dyn Lines>);

impl AppendFile {
    /// Opens the file, and creates it if it is not there; its directory must exist.
    ///
    /// # Errors
    /// Fails if it is a directory or may not be written.
    pub fn open(location: impl Into<Location>) -> Result<Self> {
        let location = location.into();
        location.store().append(&location).map(Self)
    }

    /// Appends a line and makes it durable. Other writers wait meanwhile, so lines never mix; where
    /// a writer that was killed left half a line, this one begins on a line of its own. A line that
    /// cannot be written whole is taken back.
    ///
    /// # Errors
    /// Fails if the storage refuses or is full.
    pub fn append_line(&self, line: &str) -> Result<()> {
        self.0.append_line(line)
    }
}
