//! Which files and directories hold answers of challengers, which lie next to the output of their
//! run: `X.challengers/b.pq` next to a file `X`, `X.challengers/b` next to a data set.
//!
//! Owns how they are known by what they hold: a directory of that name that is a user's is none. It
//! must not know who reads them.

use std::ffi::OsStr;
use std::io::BufReader;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::parquet::footer_value;
use crate::storage::{Location, SharedFile, find_below, metadata};

/// How the name of the directory ends.
pub const CHALLENGERS: &str = ".challengers";

/// The key, in a footer, of the name of the challenger that wrote the file.
pub const CHALLENGER: &str = "tallow.challenger";

/// The name, in the configuration of a challenger's data set, of the digest of the run's own model.
pub const CHAMPION: &str = "champion";

/// The data set's own account of itself.
pub const MANIFEST: &str = "_tallow/manifest.json";

/// The manifest of a publication that was begun and is not finished.
pub const PENDING_MANIFEST: &str = "_tallow/publication.json";

/// What is read of a manifest.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    configuration: Configuration,
}

/// The option that only challengers' data sets have.
#[derive(Default, Deserialize)]
struct Configuration {
    /// The digest of the run's own model, under [`CHAMPION`].
    champion: Option<IgnoredAny>,
}

/// Whether a directory may be one of challengers, by its name.
#[must_use]
pub fn is_named_so(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.len() > CHALLENGERS.len() && name.ends_with(CHALLENGERS.as_bytes())
}

/// Whether a file or a data set holds the answers of a challenger.
#[must_use]
pub fn is_answers(path: &Location) -> bool {
    if !metadata(path).is_ok_and(|found| found.is_directory) {
        return footer_value(path, CHALLENGER).is_some();
    }
    [MANIFEST, PENDING_MANIFEST].iter().any(|name| {
        let is_there = find_below(path, *name).is_ok_and(|found| found.is_some());
        let file = is_there.then(|| SharedFile::open(path.join(name)).ok());
        file.flatten().is_some_and(|file| {
            serde_json::from_reader(BufReader::new(file.reader()))
                .is_ok_and(|manifest: Manifest| manifest.configuration.champion.is_some())
        })
    })
}
