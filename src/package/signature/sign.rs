//! Signing: from the files of a model to a signature file.
//!
//! Owns which files are signed: all but git's own and the signature. It must not parse them.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::bundle::{Signature, Signer, signed_bytes};
use super::certificate::Authority;
use super::digest::Algorithm;
use super::key::PrivateKey;
use super::statement::{GIT_NAMES, ITSELF, Listed, Piece};
use super::verify::{open, refuse_link};
use crate::error::{Error, Result};
use crate::storage::{Location, canonical, files_below, metadata};

/// Who signs.
#[derive(Clone, Debug)]
pub struct SigningIdentity {
    /// The private key.
    pub key: PrivateKey,
    /// The certificate of the key, and those between it and an authority; empty to sign with the
    /// key alone.
    pub certificates: Vec<Authority>,
}

/// Signs a model; the bytes are those of a signature file that will lie at `signature`.
///
/// # Errors
/// Fails if a file cannot be read or is a link; a usage error if the certificate is not the key's.
pub fn sign(model: &Location, signature: &Location, identity: &SigningIdentity) -> Result<Vec<u8>> {
    let name = canonical(model)?
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    sign_as(&name, model, signature, identity)
}

/// As [`sign`], for a model that will have another name.
///
/// # Errors
/// As [`sign`].
pub fn sign_as(
    name: &str,
    model: &Location,
    signature: &Location,
    identity: &SigningIdentity,
) -> Result<Vec<u8>> {
    let mut files = BTreeMap::new();
    for (name, path) in names(model, signature)? {
        let mut digest = Sha256::new();
        open(model, &path)?.read_through(|bytes| {
            digest.update(bytes);
            Ok(())
        })?;
        let digest = digest.finalize().to_vec();
        files.insert(
            name,
            vec![Piece {
                range: None,
                algorithm: Algorithm::Sha256,
                digest,
            }],
        );
    }
    if files.is_empty() {
        return Err(Error::usage("the model has no files to sign").at_path(model));
    }
    let mut ignored: Vec<String> = GIT_NAMES.map(str::to_owned).to_vec();
    if let Some(own) = signature
        .strip_prefix(model)
        .as_ref()
        .and_then(Location::to_str)
    {
        ignored.push(own.to_owned());
    }
    let listed = Listed {
        name: name.to_owned(),
        files,
        ignored,
        ..Listed::default()
    };
    signature_of(&listed, identity)
}

/// The signature file over a list of files.
fn signature_of(listed: &Listed, identity: &SigningIdentity) -> Result<Vec<u8>> {
    let payload = listed.to_payload()?;
    let signer = match identity.certificates.as_slice() {
        [] => Signer::Key(Some(identity.key.public_key().fingerprint()?)),
        [own, ..] => {
            if own.key().as_ref() != Some(&identity.key.public_key()) {
                return Err(Error::usage(
                    "the first certificate is not the private key's",
                ));
            }
            let chain = identity.certificates.iter().map(|one| one.der().to_vec());
            Signer::Certificates(chain.collect())
        }
    };
    let bytes = identity.key.sign(&signed_bytes(&payload))?;
    Signature {
        signer,
        payload,
        signature: bytes,
    }
    .to_bytes()
}

/// Signs a file of which only the digest is known; the bytes are those of a signature file.
///
/// # Errors
/// As [`sign`].
pub fn sign_digest(name: &str, sha256: &[u8], identity: &SigningIdentity) -> Result<Vec<u8>> {
    let pieces = vec![Piece {
        range: None,
        algorithm: Algorithm::Sha256,
        digest: sha256.to_vec(),
    }];
    let listed = Listed {
        name: name.to_owned(),
        files: BTreeMap::from([(ITSELF.to_owned(), pieces)]),
        ignored: GIT_NAMES.map(str::to_owned).to_vec(),
        ..Listed::default()
    };
    signature_of(&listed, identity)
}

/// (name in the statement, path below the model) of all files.
fn names(model: &Location, signature: &Location) -> Result<Vec<(String, Location)>> {
    if !metadata(model)?.is_directory {
        return Ok(vec![(ITSELF.to_owned(), Location::default())]);
    }
    let own = signature.strip_prefix(model);
    let mut names = Vec::new();
    for path in files_below(model, "")? {
        let name = path.to_str().ok_or_else(|| {
            Error::failed("the file's name is not UTF-8")
                .at_path(model.join(&path))
                .hint("rename it")
        })?;
        let is_git = GIT_NAMES.iter().any(|git| path.starts_with(git));
        if is_git || own.as_ref() == Some(&path) {
            continue;
        }
        refuse_link(model, &path)?;
        names.push((name.to_owned(), path));
    }
    Ok(names)
}
