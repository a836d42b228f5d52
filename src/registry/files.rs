//! What a registry needs of a storage: create a file that does not exist, read, list, and for
//! clean-up remove.
//!
//! Owns the directory's side of it. It must not know what the files hold.

use std::fmt::Debug;
use std::io::Read;

use crate::error::{Error, Result};
use crate::process::seconds_now;
use crate::storage::{
    Location, SharedFile, TEMPORARY_PREFIX, create_below, create_unsynced_below, files_below,
    find_below, make_directory, open_below, remove_below, replace_below, sync_file_system,
};

/// Where a registry's files lie. Names are relative and consist of plain parts joined by `/`.
pub trait RegistryFiles: Debug + Send + Sync {
    /// Reads a file from its beginning; none if it does not exist.
    ///
    /// # Errors
    /// Fails if the storage does.
    fn open(&self, name: &str) -> Result<Option<Box<dyn Read>>>;

    /// Creates a file with all bytes of `source`, durably. Returns false, and changes nothing, if
    /// the name is taken.
    ///
    /// # Errors
    /// Fails if the storage or `source` does. The file may exist then.
    fn create(&self, name: &str, source: &mut dyn Read) -> Result<bool>;

    /// As [`RegistryFiles::create`], but the file may be lost or damaged by a power failure until
    /// [`RegistryFiles::sync`] was called.
    ///
    /// # Errors
    /// As [`RegistryFiles::create`].
    fn create_unsynced(&self, name: &str, source: &mut dyn Read) -> Result<bool>;

    /// Makes every file that exists now durable.
    ///
    /// # Errors
    /// Fails if the storage does.
    fn sync(&self) -> Result<()>;

    /// Creates a file, or replaces one, in one step, durably.
    ///
    /// # Errors
    /// Fails if the storage or `source` does.
    fn replace(&self, name: &str, source: &mut dyn Read) -> Result<()>;

    /// The files whose names begin with `directory` and `/`, sorted; all for an empty name.
    ///
    /// # Errors
    /// Fails if the storage does.
    fn list(&self, directory: &str) -> Result<Vec<String>>;

    /// What writers that died left behind: files that are no part of the registry.
    ///
    /// # Errors
    /// Fails if the storage does.
    fn leftovers(&self) -> Result<Vec<String>>;

    /// How long ago a file was written, in seconds; none if it does not exist.
    ///
    /// # Errors
    /// Fails if the storage does.
    fn age_seconds(&self, name: &str) -> Result<Option<u64>>;

    /// Removes a file; that it does not exist is not an error.
    ///
    /// # Errors
    /// Fails if the storage does.
    fn remove(&self, name: &str) -> Result<()>;

    /// Where a file lies, for messages.
    fn location(&self, name: &str) -> Location;
}

/// The bytes of a file; none if it does not exist.
///
/// # Errors
/// Fails if the file has more than `limit_bytes`, or the storage fails.
pub(super) fn read_limited(
    store: &dyn RegistryFiles,
    name: &str,
    limit_bytes: u64,
) -> Result<Option<Vec<u8>>> {
    let Some(file) = store.open(name)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(limit_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read(store, name, error))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(
            Error::failed(format!("the file is longer than {limit_bytes} bytes"))
                .at_path(store.location(name)),
        );
    }
    Ok(Some(bytes))
}

/// The error of a file that cannot be read.
pub(super) fn cannot_read(store: &dyn RegistryFiles, name: &str, error: std::io::Error) -> Error {
    Error::failed("cannot read the file")
        .because(error)
        .at_path(store.location(name))
}

/// A registry in a directory.
#[derive(Debug)]
pub struct DirectoryFiles {
    root: Location,
}

impl DirectoryFiles {
    /// The storage in a directory, which is not looked at.
    #[must_use]
    pub fn new(root: &Location) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The storage in a directory, which is made if it is missing.
    ///
    /// # Errors
    /// Fails if the directory cannot be made.
    pub fn create(root: &Location) -> Result<Self> {
        make_directory(root)?;
        Ok(Self::new(root))
    }

    fn files(&self, directory: &str, is_leftover: bool) -> Result<Vec<String>> {
        let is_asked_for = |path: &Location| {
            let own = path.file_name().unwrap_or_default().to_string_lossy();
            own.starts_with(TEMPORARY_PREFIX) == is_leftover
        };
        let files = files_below(&self.root, directory)?
            .into_iter()
            .filter(is_asked_for);
        // A name that is not UTF-8 is not ours.
        let mut names: Vec<String> = files
            .filter_map(|path| path.to_str().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }
}

impl RegistryFiles for DirectoryFiles {
    fn open(&self, name: &str) -> Result<Option<Box<dyn Read>>> {
        let file = open_below(&self.root, name)?;
        Ok(file.map(|file: SharedFile| Box::new(file.reader()) as Box<dyn Read>))
    }

    fn create(&self, name: &str, source: &mut dyn Read) -> Result<bool> {
        create_below(&self.root, name, source)
    }

    fn create_unsynced(&self, name: &str, source: &mut dyn Read) -> Result<bool> {
        create_unsynced_below(&self.root, name, source)
    }

    fn sync(&self) -> Result<()> {
        sync_file_system(&self.root)
    }

    fn replace(&self, name: &str, source: &mut dyn Read) -> Result<()> {
        replace_below(&self.root, name, source)
    }

    fn list(&self, directory: &str) -> Result<Vec<String>> {
        self.files(directory, false)
    }

    fn leftovers(&self) -> Result<Vec<String>> {
        self.files("", true)
    }

    fn age_seconds(&self, name: &str) -> Result<Option<u64>> {
        let file = open_below(&self.root, name)?;
        Ok(file.map(|file| {
            let written = u64::try_from(file.identity().modified_seconds()).unwrap_or(0);
            seconds_now().saturating_sub(written)
        }))
    }

    fn remove(&self, name: &str) -> Result<()> {
        if find_below(&self.root, name)?.is_some() {
            remove_below(&self.root, name)?;
        }
        Ok(())
    }

    fn location(&self, name: &str) -> Location {
        if name.is_empty() {
            self.root.clone()
        } else {
            self.root.join(name)
        }
    }
}
