//! Publication of a data set: from files that are whole but hidden to a directory with `_SUCCESS`.
//!
//! The order is what makes it safe to be killed anywhere: the new manifest is made durable under
//! the state (from there on the publication will be finished, by this run or the next), `_SUCCESS`
//! goes, files take their names, files that are no longer part of it go, the manifest is written
//! under its name, `_SUCCESS` comes last, and the records of the run are removed. Each step may be
//! done again. Nothing is deleted that an earlier manifest does not list.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::checkpoint::forget;
use super::manifest::{Manifest, is_of_first_version, name_in};
use super::names::{
    IDENTITY, MANIFEST, PENDING_MANIFEST, PROFILE, REPORT, SIGNATURE, STAGED, STATE, SUCCESS,
    earlier, is_of_data_set, staged,
};
use super::records::{from_json, json_bytes, write_json};
use super::table_writer::WrittenFile;
use crate::error::{Error, Result};
use crate::package::signature::sign::{SigningIdentity, sign_digest};
use crate::storage::{
    Location, PendingFile, files_below, find, find_below, list, remove_below,
    remove_empty_directory_below, rename_below, replace_below, sync_below, sync_file_system,
};

/// The most directories that are synced one by one: each waits for the disk.
const DIRECTORIES_SYNCED: usize = 64;

/// Publishes what is staged in `directory` as `manifest` says.
///
/// # Errors
/// Fails if a file is missing or one that no manifest lists is in the way, before anything is
/// changed, or if the file system refuses; [`recover`] then goes on where it stopped.
pub fn publish(
    directory: &Location,
    manifest: &Manifest,
    signer: Option<&SigningIdentity>,
) -> Result<()> {
    let missing = |error: Error| error.hint("run again: the parts that are gone are made again");
    let listed = listed_before(directory, manifest)?;
    for file in manifest.files() {
        let found = find_file(directory, file).map_err(missing)?;
        refuse_foreign(
            directory,
            &Location::from(&file.path),
            &listed,
            found != file.path.as_str(),
        )?;
    }
    match signer {
        Some(signer) => write_json(directory, PENDING_MANIFEST, &signed(manifest, signer)?)?,
        None => write_json(directory, PENDING_MANIFEST, manifest)?,
    }
    recover(directory).map(drop)
}

/// The manifest with a signature of what [`recover`] makes of it.
fn signed(manifest: &Manifest, signer: &SigningIdentity) -> Result<Manifest> {
    let internal = |error| Error::internal("a manifest that is not JSON").because(error);
    let pending = serde_json::to_vec(manifest).map_err(internal)?;
    let own: Manifest = serde_json::from_slice(&pending).map_err(internal)?;
    let bytes = json_bytes(&own.published())?;
    let location = Location::from(MANIFEST);
    let name = location.file_name().unwrap_or_default();
    let signature = sign_digest(&name.to_string_lossy(), &Sha256::digest(bytes), signer)?;
    let text = String::from_utf8(signature)
        .map_err(|error| Error::internal("a signature that is not JSON").because(error))?;
    let mut signed = manifest.clone();
    signed.signature = Some(text);
    Ok(signed)
}

/// Checks that no file has a name of the data set's that neither its manifest lists nor a run gave
/// it; looks at the top and at the report.
///
/// # Errors
/// Fails for the first one: it is somebody's, and not to be replaced.
pub fn check_names(directory: &Location, published: Option<&Manifest>) -> Result<()> {
    let listed = published.map(Manifest::paths).unwrap_or_default();
    let top = if find(directory)?.is_some() {
        list(directory)?
    } else {
        Vec::new()
    };
    let top = top
        .iter()
        .filter_map(|path| path.file_name())
        .map(Location::from)
        .chain([REPORT, PROFILE].map(Location::from));
    top.filter(is_of_data_set)
        .try_for_each(|name| refuse_foreign(directory, &name, &listed, true))
}

fn refuse_foreign(
    directory: &Location,
    name: &Location,
    listed: &BTreeSet<Location>,
    is_to_be_named: bool,
) -> Result<()> {
    if !is_to_be_named || listed.contains(name) || find_below(directory, name)?.is_none() {
        return Ok(());
    }
    let error =
        Error::failed("a file that no manifest lists has the name of one of the data set's")
            .at_path(directory.join(name));
    Err(error.hint("move it elsewhere, and run the same command again"))
}

/// The files that may be replaced: those of the data set before.
fn listed_before(directory: &Location, manifest: &Manifest) -> Result<BTreeSet<Location>> {
    if !manifest.replaces.is_empty() {
        return Ok(manifest.replaces.clone());
    }
    Ok(Manifest::find(directory)?
        .map(|before| before.paths())
        .unwrap_or_default())
}

/// What lies in the directory of a data set whose manifest cannot be read, by the names that data
/// sets give.
///
/// # Errors
/// Fails if a directory may not be read.
pub fn files_by_name(directory: &Location) -> Result<BTreeSet<Location>> {
    let mut files = files_below(directory, "")?;
    files.retain(|path| is_of_data_set(path) && !path.starts_with(STAGED));
    // The manifest itself is replaced too; its name makes sure that there is something to replace.
    Ok(files
        .into_iter()
        .chain([Location::from(MANIFEST)])
        .collect())
}

/// The manifest of a publication that was begun, by this version or the first one.
fn pending(directory: &Location) -> Result<Option<&'static str>> {
    if find_below(directory, PENDING_MANIFEST)?.is_some() {
        return Ok(Some(PENDING_MANIFEST));
    }
    let earlier = earlier::PENDING_MANIFEST;
    Ok(find_below(directory, earlier)?
        .is_some_and(|_| is_of_first_version(directory, earlier))
        .then_some(earlier))
}

/// Finishes a publication that was begun; returns its manifest, if there was one.
///
/// # Errors
/// Fails if the file system refuses or a file is missing.
pub fn recover(directory: &Location) -> Result<Option<Manifest>> {
    let Some(pending) = pending(directory)? else {
        return Ok(None);
    };
    let manifest: Manifest = from_json(directory, pending)?;
    let listed = listed_before(directory, &manifest)?;
    remove_below(directory, SUCCESS)?;
    // What follows must not be durable before it: a mixture would count as whole.
    sync_below(directory, "")?;
    let mut changed = BTreeSet::new();
    for file in manifest.files() {
        reveal(directory, file, &listed, &mut changed)?;
    }
    if changed.len() > DIRECTORIES_SYNCED {
        sync_file_system(directory)?;
    } else {
        changed
            .iter()
            .try_for_each(|below| sync_below(directory, below))?;
    }
    remove_old_files(directory, &manifest, &listed)?;
    if pending == PENDING_MANIFEST {
        let signature = manifest.signature.clone();
        write_json(directory, MANIFEST, &manifest.clone().published())?;
        match signature {
            Some(text) => replace_below(directory, SIGNATURE, &mut text.as_bytes())?,
            None => remove_below(directory, SIGNATURE)?,
        }
        remove_below(directory, earlier::MANIFEST)?;
    } else {
        write_json(directory, earlier::MANIFEST, &manifest)?;
    }
    PendingFile::create_below(directory, SUCCESS)?.publish(true)?;
    forget(directory)?;
    if pending != PENDING_MANIFEST {
        remove_below(directory, pending)?;
        // The first version keeps nothing there once a data set is whole.
        remove_empty_directory_below(directory, STATE);
    }
    Ok(Some(manifest))
}

/// Takes back a publication that was begun and cannot be finished; finishes one that can.
///
/// # Errors
/// Fails if the file system refuses.
pub fn abandon(directory: &Location) -> Result<()> {
    let Some(pending) = pending(directory)?.filter(|_| recover(directory).is_err()) else {
        return Ok(());
    };
    // Which files it gave names, only its manifest says; one that cannot be read gave none that
    // another run would not replace or keep.
    if let Ok(manifest) = from_json::<Manifest>(directory, pending) {
        remove_below(directory, SUCCESS)?;
        manifest
            .files()
            .try_for_each(|file| remove_below(directory, &file.path))?;
    }
    remove_below(directory, pending)
}

/// Removes a published data set: first what says that it is whole, then its files. What its
/// manifest does not list stays.
///
/// # Errors
/// Fails if the file system refuses or the manifest cannot be read.
pub fn withdraw(directory: &Location) -> Result<()> {
    let Some(manifest) = Manifest::find(directory)? else {
        return Ok(());
    };
    remove_below(directory, SUCCESS)?;
    for path in manifest.paths() {
        remove_below(directory, &path)?;
        let above = path.ancestors().skip(1).filter(|above| !above.is_empty());
        above.for_each(|above| remove_empty_directory_below(directory, above));
    }
    remove_below(directory, SIGNATURE)?;
    remove_below(directory, MANIFEST)
}

/// Where a file lies in the data set: still hidden, or under its name.
fn find_file(directory: &Location, file: &WrittenFile) -> Result<Location> {
    let path = Location::from(&file.path);
    // The first version staged files under their own names.
    for hidden in [staged(&file.path), Location::from(STAGED).join(&file.path)] {
        if find_below(directory, &hidden)?.is_some() {
            return Ok(hidden);
        }
    }
    if find_below(directory, &path)?.is_some_and(|found| found.byte_count == file.bytes) {
        return Ok(path);
    }
    let error =
        Error::failed("a finished file of the data set is gone").at_path(directory.join(path));
    Err(error.hint("pass `--restart` to make the data set again"))
}

/// Gives a staged file its name, unless it has it already, and notes the directories whose names
/// changed.
fn reveal(
    directory: &Location,
    file: &WrittenFile,
    listed: &BTreeSet<Location>,
    changed: &mut BTreeSet<Location>,
) -> Result<()> {
    let (found, path) = (find_file(directory, file)?, Location::from(&file.path));
    if found == path {
        return Ok(());
    }
    rename_below(directory, &found, &path, listed.contains(&path))?;
    changed.extend(path.ancestors().skip(1));
    // The first version staged files in directories of their own.
    let emptied = found.ancestors().skip(1);
    emptied
        .take_while(|above| above.starts_with(STAGED))
        .for_each(|above| remove_empty_directory_below(directory, above));
    Ok(())
}

/// Removes the files of the data set before that this one does not list.
fn remove_old_files(
    directory: &Location,
    manifest: &Manifest,
    listed: &BTreeSet<Location>,
) -> Result<()> {
    let kept = manifest.paths();
    for path in listed
        .iter()
        .filter(|path| !kept.contains(*path) && *path != MANIFEST)
    {
        remove_below(directory, path)?;
        let above = path.ancestors().skip(1).filter(|above| !above.is_empty());
        above.for_each(|above| remove_empty_directory_below(directory, above));
    }
    Ok(())
}

/// Whether the mark of a whole data set is more than the empty file that writers leave.
fn has_foreign_mark(directory: &Location) -> Result<bool> {
    let mark = find_below(directory, SUCCESS)?;
    Ok(mark.is_some_and(|found| !found.is_file || found.byte_count > 0))
}

/// Checks that a data set may be written to `directory`: it is missing, empty, or holds nothing but
/// a data set of ours.
///
/// # Errors
/// Fails if it holds anything else; what tallow has not written it does not delete.
pub fn check_directory(directory: &Location) -> Result<()> {
    let is_foreign = |path: &Location| {
        !path
            .file_name()
            .is_some_and(|name| matches!(name.as_encoded_bytes().first(), Some(b'_' | b'.')))
    };
    let holds_files = match find(directory)? {
        None => false,
        Some(found) if !found.is_directory => {
            return Err(Error::failed("the output is a file, not a directory").at_path(directory));
        }
        Some(_) => list(directory)?.iter().any(is_foreign) || has_foreign_mark(directory)?,
    };
    if holds_files
        && name_in(directory)?.is_none()
        && pending(directory)?.is_none()
        && find_below(directory, IDENTITY)?.is_none()
    {
        let error =
            Error::failed("the directory holds files that tallow did not write").at_path(directory);
        return Err(error.hint("choose a directory that is empty or not there yet"));
    }
    Ok(())
}
