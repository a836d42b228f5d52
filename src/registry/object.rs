//! Objects: bytes under the name of their SHA-256.
//!
//! Owns their names, and that no object is stored or handed out with other bytes. It must not know
//! what they mean.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::files::{RegistryFiles, cannot_read};
use super::name::digest_digits;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::storage::{Location, SharedFile};

/// An object that is older than this is written anew by a push that uses it, so that `gc`, which
/// removes old objects that nothing refers to, cannot take it away before the log refers to it.
const REFRESH_SECONDS: u64 = 3600;

/// Where the object of a digest lies.
pub(super) fn name(digest: &str) -> Result<String> {
    digest_digits(digest)
        .map(|digits| format!("objects/sha256/{}/{digits}", &digits[..2]))
        .ok_or_else(|| Error::trust(format!("`{digest}` is not a SHA-256")))
}

/// The digest of an object's name.
pub(super) fn digest_of(name: &str) -> Option<&str> {
    let digits = digest_digits(name.rsplit('/').next()?)?;
    (self::name(digits).ok()? == name).then_some(digits)
}

/// The SHA-256 of a file and its size, in bytes.
pub(super) fn digest_file(path: &Location) -> Result<(String, u64)> {
    let (mut digest, mut size) = (Sha256::new(), 0);
    SharedFile::open(path)?.read_through(|bytes| {
        digest.update(bytes);
        size += bytes.len() as u64;
        Ok(())
    })?;
    Ok((hexadecimal(&digest.finalize()), size))
}

/// Stores the bytes that `open` reads under their digest. Bytes that are there are checked, and
/// replaced if they are wrong. They are durable after [`RegistryFiles::sync`].
///
/// # Errors
/// Fails if the storage does, or the bytes turn out to have another digest: the file changed.
pub(super) fn put(
    store: &dyn RegistryFiles,
    digest: &str,
    open: &dyn Fn() -> Result<Box<dyn Read>>,
) -> Result<()> {
    let name = name(digest)?;
    let mut source = Checked::new(open()?, digest);
    if store.create_unsynced(&name, &mut source)? {
        return Ok(());
    }
    let is_fresh = store
        .age_seconds(&name)?
        .is_some_and(|age| age < REFRESH_SECONDS);
    if is_fresh && check(store, digest).is_ok() {
        return Ok(());
    }
    store.replace(&name, &mut Checked::new(open()?, digest))
}

/// Reads an object; a reader that comes to the end has had the right bytes, or an error.
///
/// # Errors
/// [`crate::error::Kind::Trust`] if the object is missing.
pub(super) fn open(store: &dyn RegistryFiles, digest: &str) -> Result<Checked> {
    let name = name(digest)?;
    let file = store.open(&name)?.ok_or_else(|| {
        Error::trust("an object of the registry is missing")
            .at_path(store.location(&name))
            .hint("push the same package again, or restore the registry from a backup")
    })?;
    Ok(Checked::new(file, digest))
}

/// The bytes of an object that has at most `limit_bytes`.
///
/// # Errors
/// As [`open`]; [`crate::error::Kind::Trust`] if it has other bytes.
pub(super) fn whole(store: &dyn RegistryFiles, digest: &str, limit_bytes: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(store, digest)?
        .take(limit_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| read_error(store, digest, error))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(
            Error::failed(format!("the object is longer than {limit_bytes} bytes"))
                .at_path(store.location(&name(digest)?)),
        );
    }
    Ok(bytes)
}

/// Checks an object's bytes.
///
/// # Errors
/// [`crate::error::Kind::Trust`] if it is missing or has other bytes.
pub(super) fn check(store: &dyn RegistryFiles, digest: &str) -> Result<()> {
    let mut object = open(store, digest)?;
    match io::copy(&mut object, &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(error) => Err(read_error(store, digest, error)),
    }
}

/// The error of an object that cannot be read, or has other bytes.
pub(super) fn read_error(store: &dyn RegistryFiles, digest: &str, error: io::Error) -> Error {
    let name = name(digest).unwrap_or_default();
    if error.kind() == io::ErrorKind::InvalidData {
        return Error::trust("an object of the registry does not have the digest of its name")
            .at_path(store.location(&name))
            .hint("push the same package again, or restore the registry from a backup");
    }
    cannot_read(store, &name, error)
}

/// The error of copying an object: the object's own, if its bytes are wrong.
pub(super) fn of_object(store: &dyn RegistryFiles, digest: &str, error: Error) -> Error {
    let is_wrong = std::error::Error::source(&error)
        .and_then(|cause| cause.downcast_ref::<io::Error>())
        .is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData);
    if is_wrong {
        read_error(store, digest, io::ErrorKind::InvalidData.into())
    } else {
        error
    }
}

/// A reader that fails at the end if what it read does not have the digest. It also ends there: a
/// file that still grows is not followed.
pub(super) struct Checked {
    inner: Box<dyn Read>,
    digest: Sha256,
    expected: String,
}

impl Checked {
    pub(super) fn new(inner: Box<dyn Read>, expected: &str) -> Self {
        Self {
            inner,
            digest: Sha256::new(),
            expected: expected.to_owned(),
        }
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        if count == 0
            && !buffer.is_empty()
            && hexadecimal(&self.digest.clone().finalize()) != self.expected
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the bytes do not have the SHA-256 `{}`", self.expected),
            ));
        }
        Ok(count)
    }
}
