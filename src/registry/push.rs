//! Adding a version: its files, their list, and at last the entry of the log that makes it one.
//!
//! Owns that order. It must not know what the files hold.

use std::io::Read;

use super::Registry;
use super::entry::Action;
use super::log::{self, Author, Head};
use super::name::check_name;
use super::object;
use super::record::{Record, RecordFile, SHA256};
use crate::error::{Error, Result};
use crate::package::MANIFEST_NAME;
use crate::package::signature::verify::refuse_link;
use crate::storage::{Location, SharedFile, TEMPORARY_PREFIX, files_below, find, metadata};

/// What is pushed.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// A package, another directory, or a model's file.
    pub path: &'a Location,
    /// The name of the model.
    pub model: &'a str,
    /// What its maker calls the version.
    pub label: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The version's number.
    pub version: u64,
    /// The digest of its list of files: `sha256:…`.
    pub digest: String,
    /// Whether it was added; the registry may have had it.
    pub is_new: bool,
    /// The log's last entry.
    pub head: Option<Head>,
    /// The number of files and of their bytes.
    pub size: (usize, u64),
}

/// (path in the version, path on disk) of all files of a package, sorted.
///
/// # Errors
/// Fails if there is none, or a name is not UTF-8.
pub fn package_files(path: &Location) -> Result<Vec<(String, Location)>> {
    let name = |path: &Location| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            Error::failed("the file's name is not UTF-8")
                .at_path(path)
                .hint("rename it")
        })
    };
    if !metadata(path)?.is_directory {
        let own = path
            .file_name()
            .map_or_else(|| path.clone(), Location::from);
        return Ok(vec![(name(&own)?, path.to_owned())]);
    }
    let is_kept = |below: &Location| {
        let own = below
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        !own.starts_with(TEMPORARY_PREFIX)
    };
    // Text models in the hub's cache consist of links; a package has none.
    let is_package = find(path.join(MANIFEST_NAME))?.is_some();
    let files = files_below(path, "")?.into_iter().filter(is_kept);
    files
        .map(|below| {
            if is_package {
                refuse_link(path, &below)?;
            }
            Ok((name(&below)?, path.join(&below)))
        })
        .collect()
}

impl Registry {
    /// Adds a version, unless the registry has one of the same files.
    ///
    /// # Errors
    /// Fails if a file cannot be read or changes meanwhile, or the storage fails.
    pub fn push(&self, push: &Push<'_>, author: &Author) -> Result<Pushed> {
        check_name(push.model, "model")?;
        let files = package_files(push.path)?;
        let listed = files.iter().map(|(path, file)| {
            let (sha256, size_bytes) = object::digest_file(file)?;
            Ok(RecordFile {
                path: path.clone(),
                sha256,
                size_bytes,
            })
        });
        let listed: Vec<RecordFile> = listed.collect::<Result<_>>()?;
        for (entry, (_, file)) in listed.iter().zip(&files) {
            let open = || Ok(Box::new(SharedFile::open(file)?.reader()) as Box<dyn Read>);
            object::put(&*self.store, &entry.sha256, &open).map_err(|error| error.at_path(file))?;
        }
        let record = Record::new(listed).map_err(|error| error.at_path(push.path))?;
        let (bytes, digest) = record.to_bytes()?;
        let open = || Ok(Box::new(std::io::Cursor::new(bytes.clone())) as Box<dyn Read>);
        object::put(
            &*self.store,
            digest.strip_prefix(SHA256).unwrap_or_default(),
            &open,
        )?;
        // The log may only refer to objects that a power failure leaves whole. Another push may
        // have created some of them and not have come to this line.
        self.store.sync()?;
        let mut version = 0;
        let (log, is_new) = log::append(&*self.store, push.model, author, |history| {
            if let Some(known) = history.of_digest(&digest) {
                version = known.number;
                return Ok(None);
            }
            version = history.next_number();
            let (package, label) = (digest.clone(), push.label.clone());
            Ok(Some(Action::Push {
                version,
                package,
                label,
            }))
        })?;
        let size = (record.files.len(), record.size_bytes());
        Ok(Pushed {
            version,
            digest,
            is_new,
            head: log.head(),
            size,
        })
    }
}
