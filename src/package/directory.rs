//! The files of a text model in a package: which directory they lie in, and that each that is read
//! is one that the manifest vouches for.
//!
//! A manifest lists either the directory, whose one digest covers the name and content of every
//! file that is read of it, or the files themselves, of which none may then be read that is not
//! listed. What the files say is the format's business.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Files;
use super::artefact::{CheckedArtefact, check, check_bytes, inside};
use super::manifest::{ArtefactEntry, Manifest};
use crate::digest::FilesDigest;
use crate::error::{Error, Result};
use crate::format::{ModelFiles, huggingface};
use crate::storage::Location;
use crate::text::encoder::parts::Parts;

/// Where a package's text model lies, and what is listed of it.
pub(super) struct ModelDirectory {
    /// The directory, from the package's.
    pub(super) path: Location,
    /// The directory's own entry; none where its files are listed.
    whole: Option<ArtefactEntry>,
    /// Files that are listed, by their paths from the package's directory.
    listed: BTreeMap<Location, ArtefactEntry>,
}

impl ModelDirectory {
    /// Where the directory lies, for the package's.
    pub(super) fn within(&self, package: &Location) -> Location {
        if self.path.is_empty() {
            package.to_owned()
        } else {
            package.join(&self.path)
        }
    }
}

/// The directory of the package's text model; none if the model is of another kind.
pub(super) fn find(
    manifest: &Manifest,
    directory: &Location,
    files: Files<'_>,
) -> Result<Option<ModelDirectory>> {
    let Manifest {
        artefacts,
        network,
        text,
        ..
    } = manifest;
    let folder = |path: &Location| Folder {
        path: directory.join(path),
        files,
    };
    let is_model = |path: &Location| huggingface::is_model(&folder(path));
    // What only the weights are missing of is a text model too: the message can then say so.
    let is_text_model = |path: &Location| {
        Ok::<_, Error>(
            is_model(path)? || folder(path).has(&Location::from(huggingface::TOKENIZER))?,
        )
    };
    if network.is_some() {
        return if text.is_none() {
            Ok(None)
        } else {
            Err(Error::contract(
                "a model has either a `[network]` or a `[text]`",
            ))
        };
    }
    let Some(first) = artefacts.first() else {
        let has_sidecar = text.is_some() || is_text_model(&Location::from(""))?;
        let whole = ArtefactEntry {
            path: ".".into(),
            sha256: None,
        };
        return Ok(has_sidecar.then(|| ModelDirectory {
            path: Location::default(),
            whole: Some(whole),
            listed: BTreeMap::new(),
        }));
    };
    let by_path = |entries: &[ArtefactEntry]| {
        entries
            .iter()
            .map(|entry| (entry.path.tidied(), entry.clone()))
            .collect()
    };
    if (files.find)(&inside(directory, &first.path, files)?)?
        .is_some_and(|found| found.is_directory)
    {
        // One with a digest was there once, so what it is missing now is a matter of trust.
        if text.is_none() && first.sha256.is_none() && !is_text_model(&first.path.tidied())? {
            return Err(Error::contract(format!(
                "the artefact `{}` is a directory, and no text model's",
                first.path.display()
            ))
            .hint(
                "name the model's file; a text model's directory has `config.json`, \
                 `tokenizer.json` and `model.safetensors`",
            ));
        }
        return Ok(Some(ModelDirectory {
            path: first.path.tidied(),
            whole: Some(first.clone()),
            listed: by_path(&artefacts[1..]),
        }));
    }
    if text.is_none() && !huggingface::is_part(&first.path) {
        return Ok(None);
    }
    let mut parents: Vec<Location> = artefacts
        .iter()
        .map(|entry| entry.path.parent().unwrap_or_default().tidied())
        .collect();
    // Modules lie below the model's own directory.
    parents.sort_by_key(|parent| parent.names().count());
    for path in parents {
        if is_model(&path)? {
            return Ok(Some(ModelDirectory {
                path,
                whole: None,
                listed: by_path(artefacts),
            }));
        }
    }
    match text {
        None => Ok(None),
        Some(_) => Err(Error::contract(format!(
            "`[text]` is for text models, and `{}` is none",
            first.path.display()
        ))
        .hint("a text model's artefact is its directory: `path = \".\"` or `path = \"model\"`")),
    }
}

/// Reads the model's files, each inside the package and with the digest that is listed.
///
/// # Errors
/// A trust error for a file outside the package, one that is not listed where files are, and other
/// content than the digests say; else what the format says of files that are missing or cannot be
/// understood.
pub(super) fn read(
    model: &ModelDirectory,
    directory: &Location,
    files: Files<'_>,
) -> Result<(Vec<CheckedArtefact>, Parts)> {
    let own = model.within(directory);
    let open: BTreeMap<&Location, &ArtefactEntry> = model.listed.iter().collect();
    let reading = CheckedFolder {
        model,
        package: Folder {
            path: directory.to_owned(),
            files,
        },
        state: RefCell::new(State {
            open,
            checked: Vec::new(),
            digest: FilesDigest::default(),
        }),
        path: &own,
    };
    let parts = huggingface::read_parts(&reading);
    let State {
        open,
        mut checked,
        digest,
    } = reading.state.into_inner();
    if let Some(entry) = &model.whole {
        // Which files are read is known only from files; where those are spoilt, the digest is as
        // good as wrong.
        let parts = parts.map_err(|error| {
            if entry.sha256.is_some() {
                unreadable(entry, error)
            } else {
                error
            }
            .at_path(&own)
        })?;
        let (found, byte_count) = digest.finish();
        checked.insert(
            0,
            check(entry, found, byte_count).map_err(|error| error.at_path(&own))?,
        );
        check_others(open, directory, files, &mut checked)?;
        return Ok((checked, parts));
    }
    let parts = parts.map_err(|error| error.at_path(&own))?;
    check_others(open, directory, files, &mut checked)?;
    Ok((checked, parts))
}

/// A directory of the package, to look for files in.
struct Folder<'a> {
    path: Location,
    files: Files<'a>,
}

impl ModelFiles for Folder<'_> {
    fn path(&self) -> &Location {
        &self.path
    }

    fn has(&self, name: &Location) -> Result<bool> {
        Ok((self.files.find)(&self.path.join(name))?.is_some())
    }

    fn read(&self, name: &Location) -> Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        let found = (self.files.find)(&path)?.filter(|found| !found.is_directory);
        found.map(|_| (self.files.read)(&path)).transpose()
    }
}

/// A text model's directory, each of whose files must be one that the manifest vouches for.
struct CheckedFolder<'a> {
    model: &'a ModelDirectory,
    package: Folder<'a>,
    path: &'a Location,
    state: RefCell<State<'a>>,
}

/// What was read so far.
struct State<'a> {
    /// Listed files that were not read.
    open: BTreeMap<&'a Location, &'a ArtefactEntry>,
    checked: Vec<CheckedArtefact>,
    digest: FilesDigest,
}

impl ModelFiles for CheckedFolder<'_> {
    fn path(&self) -> &Location {
        self.path
    }

    fn has(&self, name: &Location) -> Result<bool> {
        self.package.has(&self.model.path.join(name).tidied())
    }

    fn read(&self, name: &Location) -> Result<Option<Vec<u8>>> {
        let (model, package) = (self.model, &self.package);
        let path = model.path.join(name).tidied();
        let file = package.path.join(&path);
        if (package.files.find)(&file)?.is_none_or(|found| found.is_directory) {
            return Ok(None);
        }
        let bytes = (package.files.read)(&inside(&package.path, &path, package.files)?)?;
        let mut state = self.state.borrow_mut();
        match state.open.remove(&path) {
            Some(entry) => {
                let checked = check_bytes(entry, &bytes).map_err(|error| error.at_path(&file))?;
                state.checked.push(checked);
            }
            None if model.whole.is_none() && !model.listed.contains_key(&path) => {
                return Err(unlisted(&path, model));
            }
            None => {}
        }
        state.digest.add(name.as_os_str(), &bytes);
        Ok(Some(bytes))
    }
}

/// Files that are listed and not read.
fn check_others(
    open: BTreeMap<&Location, &ArtefactEntry>,
    directory: &Location,
    files: Files<'_>,
    checked: &mut Vec<CheckedArtefact>,
) -> Result<()> {
    for entry in open.into_values() {
        let path = inside(directory, &entry.path, files)?;
        checked
            .push(check_bytes(entry, &(files.read)(&path)?).map_err(|error| error.at_path(&path))?);
    }
    Ok(())
}

fn unlisted(path: &Location, model: &ModelDirectory) -> Error {
    let whole = if model.path.is_empty() {
        &Location::from(".")
    } else {
        &model.path
    };
    Error::trust(format!(
        "the model reads `{}`, which the manifest does not list alongside its other files",
        path.display()
    ))
    .hint(format!(
        "list every file of the model, or instead of them its directory, `path = \"{}\"`, whose \
         digest `tallow inspect` shows",
        whole.display()
    ))
}

fn unreadable(entry: &ArtefactEntry, error: Error) -> Error {
    let message = format!(
        "the artefact `{}` is not the one that the manifest lists: it cannot be read",
        entry.path.display()
    );
    Error::trust(message)
        .because(error)
        .hint("restore the files; if the change is meant, write the new digest into `tallow.toml`")
}
