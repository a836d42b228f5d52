//! A directory that appears under its name whole and durable, or not at all. It must not know what
//! is written into it.

use super::Location;
use super::store::Staged;
use crate::error::Result;

/// A directory being filled under another name. Dropped unpublished, it is removed.
#[derive(Debug)]
pub struct StagedDirectory(Box<dyn Staged>);

impl StagedDirectory {
    /// Begins the directory `target`, whose parent must exist.
    ///
    /// # Errors
    /// Fails if the target exists and `overwrite` is false, or if the storage refuses.
    pub fn create(target: impl Into<Location>, overwrite: bool) -> Result<Self> {
        let target = target.into();
        target.store().stage(&target, overwrite).map(Self)
    }

    /// Where to write.
    #[must_use]
    pub fn path(&self) -> &Location {
        self.0.path()
    }

    /// Makes everything durable and gives the directory its name. With `overwrite`, a directory of
    /// that name is exchanged for this one in one step, and removed.
    ///
    /// # Errors
    /// Fails if the name was taken meanwhile, or the storage refuses.
    pub fn publish(self, overwrite: bool) -> Result<()> {
        self.0.publish(overwrite)
    }
}
