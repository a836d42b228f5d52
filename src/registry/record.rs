//! A version's list of files, stored as an object: its digest stands for all of them.
//!
//! Owns the form of the list, which depends only on the files. It must not know what
//! the files hold.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::RegistryFiles;
use super::object;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::storage::Location;

/// The version of the form.
const FORMAT: u32 = 1;

/// The most bytes of a list: some hundred thousand files.
const BYTES_LIMIT: u64 = 64 << 20;

/// The prefix of a digest as texts.
pub(super) const SHA256: &str = "sha256:";

/// The files of a version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Record {
    /// The version of this form.
    pub format: u32,
    /// The files, sorted by path.
    pub files: Vec<RecordFile>,
}

/// A file of a version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RecordFile {
    /// Where it lies, from the version's directory, with `/` between the parts.
    pub path: String,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Its size.
    pub size_bytes: u64,
}

impl Record {
    /// The list of these files.
    ///
    /// # Errors
    /// Fails if there is none, or two have the same path.
    pub fn new(mut files: Vec<RecordFile>) -> Result<Self> {
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let record = Self {
            format: FORMAT,
            files,
        };
        record.check()?;
        Ok(record)
    }

    /// The list as bytes, and their digest: `sha256:…`.
    ///
    /// # Errors
    /// Fails if it is longer than a list may be.
    pub(super) fn to_bytes(&self) -> Result<(Vec<u8>, String)> {
        let mut bytes = serde_json::to_vec(self)
            .map_err(|error| Error::internal("a list of files without JSON").because(error))?;
        bytes.push(b'\n');
        if bytes.len() as u64 > BYTES_LIMIT {
            return Err(Error::failed("the package has too many files"));
        }
        let digest = format!("{SHA256}{}", hexadecimal(&Sha256::digest(&bytes)));
        Ok((bytes, digest))
    }

    /// The number of bytes of all files.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// Every path leads below the version's directory, and none is listed twice.
    fn check(&self) -> Result<()> {
        if self.files.is_empty() {
            return Err(Error::contract("the package has no files"));
        }
        for (index, file) in self.files.iter().enumerate() {
            let is_plain =
                Location::from(&file.path).is_plain() && !file.path.contains(['\0', '\\']);
            let follows = index == 0 || self.files[index - 1].path < file.path;
            if file.path.is_empty() || !is_plain || !follows {
                return Err(Error::trust(format!(
                    "`{}` is not a path that a version's list of files may hold",
                    file.path
                )));
            }
            object::name(&file.sha256)?;
        }
        Ok(())
    }
}

/// Reads a list by its digest.
pub(super) fn read(store: &dyn RegistryFiles, digest: &str) -> Result<Record> {
    let digits = digest.strip_prefix(SHA256).unwrap_or(digest);
    let bytes = object::whole(store, digits, BYTES_LIMIT)?;
    parse(&bytes)
        .map_err(|error| error.at_path(store.location(&object::name(digits).unwrap_or_default())))
}

/// Reads a list from bytes that have the right digest.
pub(super) fn parse(bytes: &[u8]) -> Result<Record> {
    let record: Record = serde_json::from_slice(bytes)
        .map_err(|error| Error::trust("cannot read a version's list of files").because(error))?;
    if record.format > FORMAT {
        return Err(
            Error::failed("the version's list of files has a later format")
                .hint("use a newer version of tallow"),
        );
    }
    record.check()?;
    Ok(record)
}
