//! The local file system.
//!
//! The only user of `std::fs` in the crate, with [`super::spill`]. Owns how files appear whole
//! there, and how a process that dies leaves nothing that another cannot take over.

mod append;
mod create;
mod directory;
mod file;
mod lock;
mod make;
mod path;
mod pending;
mod staged;
mod tree;

use std::fs;
use std::io;

pub(super) use self::file::LocalFile;
pub(super) use self::path::at;
pub use self::path::io_error;

use self::append::LocalLines;
use self::lock::LocalLock;
use self::pending::LocalPending;
use self::staged::LocalStaged;
use self::tree::LocalTree;
use super::file::SharedFile;
use super::identity::Identity;
use super::metadata::Metadata;
use super::store::{Held, Lines, Pending, Staged, Store, Tree};
use super::{Location, fault};
use crate::error::Result;

/// The files of this machine, by their paths.
#[derive(Debug)]
pub(super) struct Local;

impl Store for Local {
    fn find(&self, location: &Location) -> Result<Option<Metadata>> {
        path::find(location.local_path())
    }

    fn identity(&self, location: &Location) -> Result<Option<Identity>> {
        let path = location.local_path();
        match fault::before(path).and_then(|()| fs::metadata(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => Ok(Some(Identity::of(&at(
                path,
                "cannot access the path",
                found,
            )?))),
        }
    }

    fn is_open_to_others(&self, location: &Location) -> Result<bool> {
        path::is_open_to_others(location.local_path())
    }

    fn canonical(&self, location: &Location) -> Result<Location> {
        path::canonical(location.local_path())
    }

    fn absolute(&self, location: &Location) -> Location {
        std::path::absolute(location.local_path()).map_or_else(|_| location.clone(), Location::from)
    }

    fn list(&self, directory: &Location) -> Result<Vec<Location>> {
        path::list(directory.local_path())
    }

    fn open(&self, location: &Location) -> Result<SharedFile> {
        LocalFile::open(location.local_path())
    }

    fn create(&self, location: &Location, overwrite: bool) -> Result<Box<dyn Pending>> {
        let pending = LocalPending::create(location.local_path(), overwrite)?;
        Ok(Box::new(pending))
    }

    fn stage(&self, location: &Location, overwrite: bool) -> Result<Box<dyn Staged>> {
        let staged = LocalStaged::create(location.local_path(), overwrite)?;
        Ok(Box::new(staged))
    }

    fn append(&self, location: &Location) -> Result<Box<dyn Lines>> {
        Ok(Box::new(LocalLines::open(location.local_path())?))
    }

    fn make_directory(&self, location: &Location) -> Result<()> {
        make::make_directory(location.local_path())
    }

    fn remove(&self, location: &Location) -> Result<()> {
        path::remove(location.local_path())
    }

    fn lock(&self, location: &Location, owner: &str) -> Result<Box<dyn Held>> {
        let lock = LocalLock::acquire(location.local_path(), owner)?;
        Ok(Box::new(lock))
    }

    fn tree(&self, root: &Location) -> Result<Box<dyn Tree>> {
        let root = root.local_path().to_owned();
        Ok(Box::new(LocalTree { root }))
    }
}
