//! A directory for results that are not kept.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::process;
use crate::storage::{
    Location, files_below, make_directory, remove_below, remove_empty_directory_below,
};

/// A directory that is removed once it is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    parent: Location,
    name: String,
}

impl Scratch {
    /// A new directory in `parent`.
    ///
    /// # Errors
    /// Fails if it cannot be made.
    pub(super) fn new(parent: &Location) -> Result<Self> {
        let unique: String = process::unique_text()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(16)
            .collect();
        let scratch = Self {
            parent: parent.to_owned(),
            name: format!("tallow-replay-{unique}"),
        };
        make_directory(scratch.path())?;
        Ok(scratch)
    }

    /// Where it is.
    pub(super) fn path(&self) -> Location {
        self.parent.join(&self.name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let root = self.path();
        let files = files_below(&root, "").unwrap_or_default();
        // What cannot be removed stays: it is in a directory for temporary files.
        for file in &files {
            let _ = remove_below(&root, file);
        }
        let mut directories: BTreeSet<Location> =
            ["scores", "scores/_tallow", "scores/_tallow/staged"]
                .map(Location::from)
                .into_iter()
                .collect();
        for file in &files {
            let above = file.ancestors().skip(1);
            directories.extend(above.filter(|path| !path.is_empty()));
        }
        for directory in directories.iter().rev() {
            remove_empty_directory_below(&root, directory);
        }
        remove_empty_directory_below(&self.parent, &self.name);
    }
}
