//! The files of a package: inside its directory, and with the digests that the manifest lists.
//! Those of a text model are read by [`super::directory`].
//!
//! It must not know formats.

use sha2::{Digest, Sha256};

use super::manifest::{ArtefactEntry, Manifest};
use super::{DEFAULT_WEIGHTS, Files};
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::format::Artefact;
use crate::storage::Location;

/// A file or directory of a package, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedArtefact {
    /// Where it lies, from the package's directory.
    pub path: Location,
    /// The SHA-256 of its bytes, in lower-case hexadecimal digits; of a directory, the one of all
    /// files that were read of it.
    pub sha256: String,
    /// The number of its bytes.
    pub byte_count: u64,
}

/// Reads and checks every artefact; the bytes of the first one, the model, are kept.
pub(super) fn read_all(
    manifest: &Manifest,
    directory: &Location,
    files: Files<'_>,
) -> Result<(Vec<CheckedArtefact>, Artefact)> {
    let entries = entries(manifest, directory, files)?;
    let mut checked = Vec::with_capacity(entries.len());
    let mut model = None;
    for entry in &entries {
        let path = inside(directory, &entry.path, files)?;
        let bytes = (files.read)(&path)?;
        checked.push(check_bytes(entry, &bytes).map_err(|error| error.at_path(&path))?);
        model.get_or_insert(Artefact {
            sidecars: files.sidecars,
            ..Artefact::new(path, bytes)
        });
    }
    let model = model.ok_or_else(|| Error::internal("a package without a model"))?;
    Ok((checked, model))
}

fn entries(
    manifest: &Manifest,
    directory: &Location,
    files: Files<'_>,
) -> Result<Vec<ArtefactEntry>> {
    match (manifest.artefacts.is_empty(), &manifest.network) {
        (false, _) => Ok(manifest.artefacts.clone()),
        (true, Some(_)) => {
            let is_there = |name: &&str| {
                let found = (files.find)(&directory.join(name));
                found.is_ok_and(|found| found.is_some())
            };
            let found = DEFAULT_WEIGHTS.into_iter().find(is_there);
            Ok(vec![ArtefactEntry {
                path: found.unwrap_or(DEFAULT_WEIGHTS[0]).into(),
                sha256: None,
            }])
        }
        (true, None) => Err(Error::contract("the manifest lists no artefact")
            .hint("add `[[artefacts]]` with `path = \"model.json\"`, the model's file")),
    }
}

/// The path of an artefact, which must not leave the directory, neither by its name nor through
/// links.
pub(super) fn inside(directory: &Location, path: &Location, files: Files<'_>) -> Result<Location> {
    let refuse = || {
        Error::trust(format!(
            "the artefact `{}` lies outside the package",
            path.display()
        ))
        .hint("copy the file into the package and name it by its path from there")
    };
    if !path.leads_down() || path.is_empty() {
        return Err(refuse());
    }
    let joined = directory.join(path);
    let resolved = (files.resolve)(&joined)?;
    if resolved.starts_with((files.resolve)(directory)?) {
        Ok(joined)
    } else {
        Err(refuse())
    }
}

/// The artefact of these bytes, if they have the digest that is listed.
pub(super) fn check_bytes(entry: &ArtefactEntry, bytes: &[u8]) -> Result<CheckedArtefact> {
    check(
        entry,
        hexadecimal(&Sha256::digest(bytes)),
        bytes.len() as u64,
    )
}

/// The artefact whose digest was found, if it is the one that is listed.
pub(super) fn check(
    entry: &ArtefactEntry,
    found: String,
    byte_count: u64,
) -> Result<CheckedArtefact> {
    if let Some(listed) = &entry.sha256 {
        if listed.len() != found.len() || !listed.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::contract(format!(
                "`sha256 = \"{listed}\"` is not 64 hexadecimal digits"
            )));
        }
        if !listed.eq_ignore_ascii_case(&found) {
            let message = format!(
                "the artefact `{}` is not the one that the manifest lists: its SHA-256 is \
                 `{found}`, listed is `{listed}`",
                entry.path.display()
            );
            return Err(Error::trust(message).hint(
                "restore the file; if the change is meant, write the new digest into `tallow.toml`",
            ));
        }
    }
    Ok(CheckedArtefact {
        path: entry.path.clone(),
        sha256: found,
        byte_count,
    })
}
