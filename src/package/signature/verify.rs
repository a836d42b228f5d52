//! Verifying: from a model and its signature to the files that may be read.
//!
//! Owns the comparison of a directory with what is signed. It must not parse a file of the model.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::bundle::{BYTES_LIMIT, Signature};
use super::statement::{ITSELF, Listed, Piece};
use super::trust::Trust;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::storage::{
    Location, SharedFile, files_below, find, find_below, metadata, open_below, read,
};

/// A model whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who signed: `key …` or `certificate …`.
    pub signer: String,
    /// The digest over all files: `sha256:…`.
    pub digest: String,
    /// The SHA-256 of each file that is vouched for, by its path below the model's directory; of a
    /// model that is a file, the path is empty.
    pub files: BTreeMap<Location, [u8; 32]>,
}

/// Verifies a model against a signature file.
///
/// # Errors
/// [`crate::error::Kind::Trust`] if the signature is not a trusted one, if a file is missing, is
/// not listed, is a link, or has another digest, and if something of it was revoked; fails if a
/// file cannot be read.
pub fn verify(model: &Location, signature: &Location, trust: &Trust) -> Result<Verified> {
    if find(signature)?.is_some_and(|found| found.is_file && found.byte_count > BYTES_LIMIT) {
        let message = format!("the signature is longer than {} MiB", BYTES_LIMIT >> 20);
        return Err(Error::trust(message).at_path(signature));
    }
    let bytes = read(signature, BYTES_LIMIT)?;
    let at_signature = |error: Error| error.at_path(signature);
    let parsed = Signature::parse(&bytes).map_err(at_signature)?;
    let signer = trust.signer_of(&parsed).map_err(at_signature)?;
    let listed = Listed::parse(&parsed.payload).map_err(at_signature)?;
    if trust.is_revoked(&listed.digest) {
        return Err(at_signature(Error::trust(format!(
            "the signed digest `{}` was revoked",
            listed.digest
        ))));
    }
    let own = if metadata(model)?.is_directory {
        signature.strip_prefix(model)
    } else {
        None
    };
    let found = files(model, &listed, own.as_ref())?;
    let mut files = BTreeMap::new();
    for (name, pieces) in &listed.files {
        let path = if name == ITSELF {
            Location::default()
        } else {
            Location::from(name)
        };
        if !found.contains(&path) {
            return Err(
                Error::trust("a file that is signed is missing").at_path(below(model, &path))
            );
        }
        let file = open(model, &path)?;
        let sha256 = check(&file, pieces).map_err(|error| error.at_path(below(model, &path)))?;
        if trust.is_revoked(&hexadecimal(&sha256)) {
            return Err(Error::trust("the file was revoked").at_path(below(model, &path)));
        }
        files.insert(path, sha256);
    }
    Ok(Verified {
        signer,
        digest: format!("sha256:{}", listed.digest),
        files,
    })
}

/// The paths of all files of the model, each of which must be listed, ignored, or the signature.
fn files(model: &Location, listed: &Listed, signature: Option<&Location>) -> Result<Vec<Location>> {
    if !metadata(model)?.is_directory {
        return Ok(vec![Location::default()]);
    }
    let mut files = Vec::new();
    for path in files_below(model, "")? {
        let name = path.to_str();
        let is_listed = name.is_some_and(|name| listed.files.contains_key(name));
        if !is_listed {
            let is_ignored = name.is_some_and(|name| listed.ignores(name));
            // Pieces of an empty file are none.
            let is_empty_piece = listed.has_pieces
                && find_below(model, &path)?
                    .is_some_and(|found| found.is_file && found.byte_count == 0);
            if is_ignored || is_empty_piece || signature == Some(&path) {
                continue;
            }
            return Err(Error::trust("a file is not signed")
                .at_path(model.join(path))
                .hint("remove the file, or sign again"));
        }
        refuse_link(model, &path)?;
        files.push(path);
    }
    Ok(files)
}

/// Fails for what is not a plain file.
///
/// # Errors
/// A trust error for a link or a device; fails if it cannot be looked at.
pub fn refuse_link(model: &Location, path: &Location) -> Result<()> {
    if find_below(model, path)?.is_some_and(|found| found.is_file) {
        return Ok(());
    }
    Err(
        Error::trust("a package consists of plain files, and this is a link or a device")
            .at_path(model.join(path))
            .hint("copy the file in place of the link"),
    )
}

/// Where a file of the model lies: the model itself for an empty path.
fn below(model: &Location, path: &Location) -> Location {
    if path.is_empty() {
        model.clone()
    } else {
        model.join(path)
    }
}

/// Opens a file of the model without following links; the model itself for an empty path.
pub(super) fn open(model: &Location, path: &Location) -> Result<SharedFile> {
    if path.is_empty() {
        return SharedFile::open(model);
    }
    open_below(model, path)?
        .ok_or_else(|| Error::trust("a file that is signed is missing").at_path(model.join(path)))
}

/// Compares a file with its pieces, and gives the SHA-256 of all of it.
fn check(file: &SharedFile, pieces: &[Piece]) -> Result<[u8; 32]> {
    let edited = || {
        Error::trust("the file is not the one that was signed")
            .hint("restore the file, or sign it again")
    };
    let mut whole = Sha256::new();
    let mut pieces = pieces.iter();
    let mut open = pieces.next().map(|piece| (piece, piece.algorithm.start()));
    let mut offset = 0;
    file.read_through(|mut bytes| {
        whole.update(bytes);
        while !bytes.is_empty() {
            let (piece, mut state) = open.take().ok_or_else(edited)?;
            let left = piece.range.map_or(u64::MAX, |(_, end)| end - offset);
            let count = left.min(bytes.len() as u64);
            state.add(&bytes[..count as usize]);
            (offset, bytes) = (offset + count, &bytes[count as usize..]);
            open = if count == left {
                if state.finish() != piece.digest {
                    return Err(edited());
                }
                pieces.next().map(|piece| (piece, piece.algorithm.start()))
            } else {
                Some((piece, state))
            };
        }
        Ok(())
    })?;
    // What is left is a whole file, or a piece that the file is too short for.
    let is_whole =
        open.is_none_or(|(piece, state)| piece.range.is_none() && state.finish() == piece.digest);
    if !is_whole {
        return Err(edited());
    }
    Ok(whole.finalize().into())
}
