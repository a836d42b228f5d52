//! Files of a directory of which only known bytes may be read: those that a signature vouches for.
//!
//! Owns the list for a thread. What is read whole is compared as it was read, and what is read in
//! pieces is pinned before, so no other bytes reach a parser. It must not know who vouches.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::pinned::Pins;
use super::{Location, SharedFile, canonical};
use crate::error::{Error, Result};

/// A directory, or a file, and the SHA-256 of each file that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    root: Location,
    files: BTreeMap<Location, [u8; 32]>,
}

thread_local! {
    static VOUCHED: RefCell<Option<Vouched>> = const { RefCell::new(None) };
}

impl Vouched {
    /// The files below `root`, by their paths from there; an empty path is `root` itself.
    ///
    /// # Errors
    /// Fails if there is nothing of that name.
    pub fn new(root: impl Into<Location>, files: BTreeMap<Location, [u8; 32]>) -> Result<Self> {
        Ok(Self {
            root: canonical(root)?,
            files,
        })
    }

    /// Does `work`, in which this thread can read no other file below the root, and no other bytes.
    ///
    /// # Errors
    /// As `work`; [`crate::error::Kind::Trust`] from whatever reads something else.
    pub fn guard<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let outer = VOUCHED.replace(Some(self.clone()));
        let result = work();
        VOUCHED.replace(outer);
        result
    }

    /// Keeps the bytes of files that are read in pieces, or on other threads: as long as the pins
    /// live, this process reads no other bytes under these names. A file may be at most
    /// `limit_bytes` long.
    ///
    /// # Errors
    /// [`crate::error::Kind::Trust`] for files and bytes that are not vouched for; fails if one
    /// cannot be read.
    pub fn pin<'a>(
        &self,
        files: impl IntoIterator<Item = &'a Location>,
        limit_bytes: u64,
    ) -> Result<Pins> {
        let mut pins = Pins::default();
        self.guard(|| {
            for location in files {
                let file = SharedFile::open(location)?;
                let bytes = file.whole(limit_bytes)?;
                check_bytes(location.local_path(), &bytes)?;
                pins.add(location, file.identity(), bytes);
            }
            Ok(pins)
        })
    }

    fn digest_of(&self, path: &Path) -> Result<Option<&[u8; 32]>> {
        // What the system says of itself is not part of a model.
        if ["/proc", "/sys"]
            .iter()
            .any(|system| path.starts_with(system))
        {
            return Ok(None);
        }
        let resolved = canonical(path)?;
        let unsigned = |what: &str| Error::trust(format!("the model reads a file that {what}"));
        let below = resolved
            .strip_prefix(&self.root)
            .ok_or_else(|| unsigned("lies outside of what is signed").at_path(path))?;
        let digest = self.files.get(&below).ok_or_else(|| {
            unsigned("is not signed")
                .at_path(path)
                .hint("sign the model again, with all its files")
        })?;
        Ok(Some(digest))
    }
}

/// Checks that a file may be opened.
pub(super) fn check_name(path: &Path) -> Result<()> {
    VOUCHED.with_borrow(|vouched| match vouched {
        Some(vouched) => vouched.digest_of(path).map(|_| ()),
        None => Ok(()),
    })
}

/// Checks the bytes that were read of a file.
pub(super) fn check_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    VOUCHED.with_borrow(|vouched| {
        let Some(vouched) = vouched else {
            return Ok(());
        };
        match vouched.digest_of(path)? {
            Some(digest) if Sha256::digest(bytes)[..] != digest[..] => Err(Error::trust(
                "the file is not the one whose signature was verified: it changed meanwhile",
            )
            .at_path(path)),
            _ => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::storage::{SharedFile, read};

    #[test]
    fn only_bytes_that_are_vouched_for_can_be_read() {
        let room = tempfile::tempdir().unwrap();
        let directory = room.path().join("model");
        std::fs::create_dir(&directory).unwrap();
        for name in ["model/signed", "model/unsigned", "outside"] {
            std::fs::write(room.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink(room.path().join("outside"), directory.join("link")).unwrap();
        let digest: [u8; 32] = Sha256::digest("model/signed").into();
        let files = BTreeMap::from([("signed".into(), digest), ("link".into(), digest)]);
        let vouched = Vouched::new(&directory, files).unwrap();
        let refused = |name: &str| {
            let error = vouched
                .guard(|| read(directory.join(name), 100))
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Trust, "{error}");
            let opened = vouched.guard(|| SharedFile::open(directory.join(name)).map(|_| ()));
            (error.message().to_owned(), opened.is_ok())
        };
        let signed = directory.join("signed");
        assert_eq!(
            vouched.guard(|| read(&signed, 100)).unwrap(),
            b"model/signed"
        );
        let unsigned = (
            "the model reads a file that is not signed".to_owned(),
            false,
        );
        assert_eq!(refused("unsigned"), unsigned);
        let outside = "the model reads a file that lies outside of what is signed";
        assert_eq!(refused("../outside"), (outside.to_owned(), false));
        assert_eq!(refused("link"), (outside.to_owned(), false));
        std::fs::write(&signed, "swapped").unwrap();
        assert!(refused("signed").0.contains("it changed meanwhile"));
        // Outside of the guard nothing is checked.
        assert_eq!(read(&signed, 100).unwrap(), b"swapped");
    }
}
