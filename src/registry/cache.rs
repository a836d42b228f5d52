//! What a reader keeps of a registry: versions' files, by digest, the last head of each log that
//! it has seen, and which digest each version had.
//!
//! Owns all three. Files are checked against their digests whenever they are used, so a cache that
//! was damaged or not filled to the end heals, and one that was tampered with is refused. It must
//! not know what the files hold.

use std::fmt;

use sha2::{Digest, Sha256};

use super::log::{Head, Log};
use super::name::{Reference, Selector};
use super::object;
use super::record::{self, Record, SHA256};
use super::{Registry, Resolved};
use crate::digest::hexadecimal;
use crate::error::{Error, Result, shell_word};
use crate::storage::{
    Location, TEMPORARY_PREFIX, absolute, create_below, create_unsynced_below, files_below, find,
    make_directory, open_below, read_below, replace_below,
};

/// The most bytes of a list of files in the cache.
const RECORD_BYTES_LIMIT: u64 = 64 << 20;

/// The most bytes of the heads of a log.
const HEAD_BYTES_LIMIT: u64 = 1 << 18;

/// The most copies of a registry whose heads are kept.
const COPIES: usize = 16;

/// The most bytes of what is kept of a version.
const VERSION_BYTES_LIMIT: u64 = 1 << 16;

/// A version's files on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The directory that holds them.
    pub directory: Location,
    /// What it holds.
    pub record: Record,
}

impl Fetched {
    /// The model: the directory, or the only file in it.
    #[must_use]
    pub fn path(&self) -> Location {
        match self.record.files.as_slice() {
            [only] => self.directory.join(&only.path),
            _ => self.directory.clone(),
        }
    }
}

/// The files of the version of a digest (`sha256:…`), from the cache, else from the registry. With
/// all files in the cache the registry is not asked, and need not be there.
///
/// # Errors
/// [`crate::error::Kind::Trust`] if the registry's bytes are not those of the digest, or the cache
/// holds a file that the version does not; fails if something is neither here nor there.
pub fn fetch(cache: &Location, digest: &str, registry: Option<&Registry>) -> Result<Fetched> {
    let digits = digest.strip_prefix(SHA256).unwrap_or(digest);
    object::name(digits)?;
    if cache.is_empty() {
        let error = Error::failed("there is no directory to keep the model's files in");
        return Err(error.hint("set `XDG_CACHE_HOME` or `HOME`"));
    }
    make_directory(cache).map_err(|error| {
        error.hint(
            "set `XDG_CACHE_HOME` to a directory that can be written to: models of registries are \
             kept in it",
        )
    })?;
    let record = cached_record(cache, digits, registry)?;
    let own = format!("packages/{digits}");
    let directory = cache.join(&own);
    for file in &record.files {
        let name = format!("{own}/{}", file.path);
        if is_intact(cache, &name, &file.sha256)? {
            continue;
        }
        let registry = registry.ok_or_else(|| missing(digest))?;
        copy(registry, &file.sha256, cache, &name)?;
    }
    for path in files_below(cache, &own)? {
        let name = path.strip_prefix(&own).unwrap_or_else(|| path.clone());
        let is_temporary = name
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY_PREFIX));
        let is_listed = record.files.iter().any(|file| name == file.path.as_str());
        if !is_listed && !is_temporary {
            return Err(
                Error::trust("the cache holds a file that the version does not")
                    .at_path(cache.join(&path))
                    .hint(format!(
                        "rm -r {}",
                        shell_word(&directory.to_string_lossy())
                    )),
            );
        }
    }
    Ok(Fetched { directory, record })
}

/// Copies an object into the cache. The copy need not be durable: it is checked before it is used.
fn copy(registry: &Registry, sha256: &str, cache: &Location, name: &str) -> Result<()> {
    let of_object = |error| object::of_object(&*registry.store, sha256, error);
    let mut source = object::open(&*registry.store, sha256)?;
    let is_created = create_unsynced_below(cache, name, &mut source).map_err(of_object)?;
    if is_created || is_intact(cache, name, sha256)? {
        return Ok(());
    }
    let mut source = object::open(&*registry.store, sha256)?;
    replace_below(cache, name, &mut source).map_err(of_object)
}

fn missing(digest: &str) -> Error {
    Error::failed(format!(
        "`{digest}` is not in the cache, and no registry is named"
    ))
    .hint("name the registry: `--registry DIR`")
}

/// Whether a file of the cache has its digest.
fn is_intact(cache: &Location, name: &str, sha256: &str) -> Result<bool> {
    let Some(file) = open_below(cache, name)? else {
        return Ok(false);
    };
    let mut digest = Sha256::new();
    file.read_through(|bytes| {
        digest.update(bytes);
        Ok(())
    })?;
    Ok(hexadecimal(&digest.finalize()) == sha256)
}

fn cached_record(cache: &Location, digits: &str, registry: Option<&Registry>) -> Result<Record> {
    let name = format!("records/{digits}.json");
    if is_intact(cache, &name, digits)? {
        return record::parse(&read_below(cache, &name, RECORD_BYTES_LIMIT)?);
    }
    let registry = registry.ok_or_else(|| missing(&format!("{SHA256}{digits}")))?;
    let record = registry.record(digits)?;
    let (bytes, _) = record.to_bytes()?;
    replace_below(cache, &name, &mut &bytes[..])?;
    Ok(record)
}

/// Checks the log of a model against the last head of it that was seen, and keeps its present one.
/// A directory of heads that cannot be read or written is not an error. A registry that was copied
/// has a log of its own from then on: heads are those of the directory where they were seen, as
/// long as a registry is there.
///
/// # Errors
/// Those of [`Registry::log`]; [`crate::error::Kind::Trust`] if the log was cut short or rewritten
/// since.
pub fn checked_log(state: &Location, registry: &Registry, model: &str) -> Result<Log> {
    let id = hexadecimal(&Sha256::digest(registry.id()));
    let name = format!("heads/{id}/{model}");
    let directory = registry.directory();
    // Before the log: another process may add an entry at any time, and keep its head.
    let seen = seen_heads(state, &name).unwrap_or_default();
    let log = registry.log(model)?;
    let (own, others): (Vec<Seen>, Vec<Seen>) =
        seen.into_iter().partition(|one| one.is_of(directory));
    for one in &own {
        let forget = format!(
            "restore the registry from a backup; if it is meant to be so: rm {}",
            shell_word(&state.join(&name).to_string_lossy())
        );
        log.check_contains(&one.head)
            .map_err(|error| error.hint(forget))?;
    }
    if let Some(head) = log.head()
        && own.iter().all(|one| one.head.seq < head.seq)
        && !state.is_empty()
    {
        let present = Seen {
            head,
            directory: Some(directory.text()),
        };
        let lines = std::iter::once(&present).chain(others.iter().take(COPIES - 1));
        let lines: Vec<String> = lines.map(ToString::to_string).collect();
        let text = lines.join("\n") + "\n";
        let _ =
            make_directory(state).and_then(|()| replace_below(state, &name, &mut text.as_bytes()));
    }
    Ok(log)
}

/// A head of a log, and where its registry was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    head: Head,
    /// None of what an earlier version kept.
    directory: Option<String>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, directory } = self;
        match directory
            .as_ref()
            .filter(|directory| !directory.contains('\n'))
        {
            Some(directory) => write!(f, "{head} {directory}"),
            None => write!(f, "{head}"),
        }
    }
}

impl Seen {
    fn parse(line: &str) -> Option<Self> {
        let (head, directory) = match line.split_once(' ') {
            Some((head, directory)) => (head, Some(directory.to_owned())),
            None => (line, None),
        };
        let head = Head::parse(head).ok()?;
        Some(Self { head, directory })
    }

    /// Whether the registry at this directory is the one that was seen, perhaps moved since.
    fn is_of(&self, directory: &Location) -> bool {
        self.directory.as_ref().is_none_or(|own| {
            *own == directory.text() || Registry::open(&Location::from(own.as_str())).is_err()
        })
    }
}

/// The last heads of a log that this machine saw. A line that holds none is as good as none.
fn seen_heads(state: &Location, name: &str) -> Result<Vec<Seen>> {
    if state.is_empty() || find(state)?.is_none() {
        return Ok(Vec::new());
    }
    let Some(file) = open_below(state, name)? else {
        return Ok(Vec::new());
    };
    let bytes = file.whole(HEAD_BYTES_LIMIT)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.trim().lines().filter_map(Seen::parse).collect())
}

/// Keeps which digest a version has: it never changes, so the registry need not be asked again.
///
/// # Errors
/// Fails if the directory cannot be written.
pub fn remember(state: &Location, registry: &Location, version: &Resolved) -> Result<()> {
    if state.is_empty() {
        return Ok(());
    }
    make_directory(state)?;
    let text = serde_json::to_string(version)
        .map_err(|error| Error::internal("a version without JSON").because(error))?;
    let selectors = [
        Selector::Number(version.version),
        Selector::Digest(version.digest.clone()),
    ];
    for selector in selectors {
        let name = version_name(registry, &version.model, &selector);
        if open_below(state, &name)?.is_none() {
            create_below(state, &name, &mut text.as_bytes())?;
        }
    }
    Ok(())
}

/// The version that was resolved before, if the reference is one that never leads elsewhere.
#[must_use]
pub fn remembered(
    state: &Location,
    registry: &Location,
    reference: &Reference,
) -> Option<Resolved> {
    let name = match &reference.selector {
        _ if state.is_empty() => return None,
        Selector::Alias(_) => return None,
        selector => version_name(registry, &reference.model, selector),
    };
    let bytes = read_below(state, &name, VERSION_BYTES_LIMIT).ok()?;
    let version: Resolved = serde_json::from_slice(&bytes).ok()?;
    Some(Resolved {
        reference: reference.to_string(),
        ..version
    })
}

/// Where a version of a registry is kept. Without the registry only its path is known.
fn version_name(registry: &Location, model: &str, selector: &Selector) -> String {
    let path = absolute(registry);
    let registry = hexadecimal(&Sha256::digest(path.as_os_str().as_encoded_bytes()));
    let selector = match selector {
        Selector::Alias(alias) => alias.clone(),
        Selector::Number(number) => number.to_string(),
        Selector::Digest(digest) => digest.replace(':', "-"),
    };
    format!("versions/{registry}/{model}/{selector}.json")
}
